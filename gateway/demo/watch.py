"""What became of a case, read over the REST interface with the operator's key."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

import aiohttp

DONE = ("delivered", "relayed", "answered")
"""States of a delivery that its recipient has."""


class Watcher:
    """Reads payloads and cases."""

    def __init__(self, url: str, key: str) -> None:
        """`key` has the scope `admin`."""
        self._url = url
        self._session = aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"})
        self._alerts: dict[str, dict[str, Any]] = {}
        """By the link of their entry on the feed; what stands on a feed stays as it is."""
        self._read = ""

    async def __aenter__(self) -> Self:
        """Nothing is opened before it is needed."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self._session.close()

    async def case(self, key: str, reader_key: str = "") -> dict[str, Any] | None:
        """The case that `key` finds, as whoever has `reader_key` may see it; None where there is none yet."""
        found = await self._get(f"/v1/cases/{key}", reader_key)
        return found["items"][0] if found else None

    async def payload(self, payload_id: str) -> dict[str, Any]:
        """A payload with all that became of it."""
        found = await self._get(f"/v1/messages/{payload_id}")
        assert found is not None, "what was answered 202 can be read"
        return found

    async def alerts(self, case_id: str) -> list[dict[str, Any]]:
        """The operator's alerts about a case, in order, with their reasons in words."""
        page = await self._get(f"/v1/feeds/alerts?limit=1000&after={self._read}")
        assert page is not None, "the operator's feed is there, if empty"
        self._read = page["next"]
        for entry in page["items"]:
            self._alerts[entry["link"]] = await self._get(entry["link"]) or {}
        return [alert for alert in self._alerts.values() if alert.get("case") == case_id]

    async def _get(self, path: str, reader_key: str = "") -> dict[str, Any] | None:
        headers = {"Authorization": f"Bearer {reader_key}"} if reader_key else {}
        async with self._session.get(f"{self._url}{path}", headers=headers) as answer:
            if answer.status == 404:
                return None
            answer.raise_for_status()
            found: dict[str, Any] = await answer.json()
            return found


@dataclass(slots=True)
class Evidence:
    """All that is known of one case: its own view, and the payloads that the demo sent for it."""

    case: Mapping[str, Any] | None
    payloads: list[Mapping[str, Any]]
    alerts: Sequence[Mapping[str, Any]] = ()
    """The operator's alerts about it, where they were asked for."""
    owner: str = ""
    owned: Mapping[str, Any] | None = None
    """The case as its owner sees it, where there is one who follows it."""
    receipts: list[dict[str, Any]] = field(init=False)
    """Receipts as they were written, in log order, with their `index`."""
    deliveries: dict[str, Mapping[str, Any]] = field(init=False)
    messages: dict[str, Mapping[str, Any]] = field(init=False)

    def __post_init__(self) -> None:
        """Bring together what case and payloads say, each thing once."""
        views = [*([self.case] if self.case else []), *self.payloads]
        leaves = {r["index"]: r for view in views for r in view["receipts"]}
        self.receipts = [{**json.loads(leaves[n]["body"]), "index": n} for n in sorted(leaves)]
        self.deliveries = {d["id"]: d for view in views for d in _deliveries(view)}
        self.messages = {m["id"]: m for view in views for m in view["messages"]}

    @property
    def status(self) -> str:
        """Where the consignment stands; empty where there is none."""
        return str(self.case["status"]) if self.case else ""

    @property
    def tracks(self) -> dict[str, str]:
        """Where each track of the consignment stands that anything has moved."""
        return {track["name"]: track["state"] for track in self.case["tracks"]} if self.case else {}

    @property
    def number(self) -> str:
        """The declaration number; empty before it is issued."""
        numbers = self.case["keys"].get("declaration", []) if self.case else []
        return str(numbers[0]) if numbers else ""

    @property
    def complete(self) -> bool:
        """Whether everything sent out has reached its recipient."""
        return all(d["state"] in DONE for d in self.deliveries.values())

    def at(self, receipt: Mapping[str, Any]) -> datetime:
        """When a receipt was written."""
        return datetime.fromisoformat(receipt["at"])


async def evidence(
    watcher: Watcher, key: str, payload_ids: list[str], *, alerted: bool = False, owner: str = "", owner_key: str = ""
) -> Evidence:
    """What is known by now; with the operator's alerts where it is `alerted`, with the view of its owner where it has one."""
    case = await watcher.case(key) if key else None
    alerts = await watcher.alerts(case["id"]) if case and alerted else ()
    numbers = case["keys"].get("declaration") if case else None
    owned = await watcher.case(numbers[0], owner_key) if numbers and owner_key else None
    return Evidence(case, [await watcher.payload(p) for p in payload_ids], alerts, owner, owned)


def _deliveries(view: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from view.get("acknowledgements", ())
    yield from view["deliveries"]
