"""A simulated partner: a process of its own that keeps what it gets, lets its role answer, and sends what it is given.

Its folder shows a person all of it:

    outgoing/     put a file here, and the partner sends it
    sent/         what it sent, and receipts/ what the gateway said at once
    inbox/        what it got, one file for each delivery
    inbox.jsonl   one line for each: delivery, document, sha256, file, and what its own reader made of it: the
                  kind, what an acknowledgement answers and with which action, what a response or
                  a release says
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.simulators.as2 import As2, Station
from gateway.simulators.mail import Mailbox, Mailing
from gateway.simulators.readers import Values, find, summary
from gateway.simulators.sftp import Server, Sftp
from gateway.simulators.ways import PAUSE, Arrival, Client, Fetching, Folders, NotTaken, NotUnderstood, Pushed, Way
from gateway.simulators.webhook import Webhooks


@dataclass(frozen=True, slots=True)
class Settings:
    """How one partner is set up; read from its JSON file."""

    name: str
    role: str
    folder: Path
    """Where it keeps what it sends and gets."""
    way: str = "pushed"
    """`pushed` (HTTP both ways), `fetching` (HTTP, reads its inbox feed), `webhook`, `as2`, `mail`, `sftp` or `folders`."""
    gateway: str = ""
    key: str = ""
    officer_key: str = ""
    """The key of its officer, who decides what is asked of its office; no system may."""
    port: int = 0
    """Where `pushed`, `webhook`, `as2` and `mail` listen; 0 takes a free one."""
    means: dict[str, Any] = field(default_factory=dict)
    """What only its way knows: keys, and where the gateway's own servers are."""
    exchange: Path | None = None
    """The folder of `folders`, which holds OutBox, SentBox, FailBox and InBox."""
    organisations: tuple[str, ...] = ()
    """Codes it goes by: a bureau's organisation codes, a customs office's code."""
    trouble: tuple[str, ...] = ()
    """What the first deliveries meet, in turn: `refuse` (503) or `hang` (no answer)."""
    options: dict[str, Any] = field(default_factory=dict)
    """What only its role knows, such as `customs_office`."""

    @classmethod
    def read(cls, path: Path) -> Settings:
        """The settings in a JSON file."""
        values = json.loads(path.read_text("utf-8"))
        values["folder"] = Path(values["folder"])
        values["exchange"] = Path(values["exchange"]) if values.get("exchange") else None
        for name in ("organisations", "trouble"):
            values[name] = tuple(values.get(name, ()))
        return cls(**values)


Answer = Callable[["Partner", Values], Coroutine[Any, Any, None]]
"""What a role does with a message it has read; its document type is in `document_type`."""


class Partner:
    """Receives deliveries, keeps each once, and lets its role answer."""

    def __init__(self, settings: Settings, answer: Answer) -> None:
        """`answer` is called once for every distinct delivery."""
        self.settings = settings
        self._answer = answer
        self._way = way_of(settings)
        self._officer = Client(settings.gateway, settings.officer_key) if settings.officer_key else None
        self._got = 0
        self._work: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Serve until cancelled; the address to be pushed to is the one line of output."""
        for box in ("outgoing", "sent", "receipts", "inbox"):
            (self.settings.folder / box).mkdir(parents=True, exist_ok=True)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._way.run(self._take, _announce))
                group.create_task(self._send_outgoing())
        finally:
            if self._officer is not None:
                await self._officer.close()

    def _take(self, arrival: Arrival) -> None:
        """Keep one arrival, and begin to answer it."""
        try:
            values = summary(arrival.body)
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise NotUnderstood(str(error)) from error
        self._got += 1
        file = self.keep("inbox", f"{self._got:03}-{arrival.document}-{arrival.delivery[:8]}", arrival.body)
        line = {
            "delivery": arrival.delivery,
            "document": arrival.document,
            "kind": values["kind"],
            "answers": values.get("answers", []),
            "action": values.get("action", ""),
            "says": said(values),
            "sha256": hashlib.sha256(arrival.body).hexdigest(),
            "file": file.name,
        }
        with (self.settings.folder / "inbox.jsonl").open("a", encoding="utf-8") as index:
            index.write(json.dumps(line, ensure_ascii=False) + "\n")
        task = asyncio.create_task(self._answered({**values, "document_type": arrival.document}))
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _answered(self, values: Values) -> None:
        """Let the role answer; what goes wrong is told on stderr, where whoever runs the partner sees it."""
        try:
            await self._answer(self, values)
        except (NotTaken, ValueError, KeyError, IndexError, TypeError) as error:
            sys.stderr.write(f"{self.settings.name}: {type(error).__name__}: {error}\n")

    async def _send_outgoing(self) -> None:
        """Send what stands in `outgoing`, in the order of names, until cancelled."""
        outgoing = self.settings.folder / "outgoing"
        while True:
            for path in sorted(outgoing.iterdir()):
                if path.suffix == ".tmp":
                    continue
                body = path.read_bytes()
                try:
                    await self.send(path.name, body)
                except NotTaken as error:
                    self.keep("receipts", path.name, json.dumps({"refused": str(error)}).encode())
                path.unlink()
            await asyncio.sleep(PAUSE)

    def keep(self, box: str, name: str, body: bytes) -> Path:
        """Write `body` where a person can look at it."""
        path = self.settings.folder / box / (name if Path(name).suffix else f"{name}.{extension(body)}")
        if box == "receipts":
            path = path.with_name(f"{path.name}.json")
        path.write_bytes(body)
        return path

    async def send(self, name: str, body: bytes) -> dict[str, Any]:
        """Send one message to the gateway, again until it is taken; returns the gateway's answer."""
        file = self.keep("sent", name, body)
        accepted = await self._way.send(file.name, body)
        self.keep("receipts", file.name, json.dumps(accepted, ensure_ascii=False).encode())
        return accepted

    async def report(self, name: str, body: bytes) -> None:
        """Send one message, and wait until the gateway has decided it, so that the next builds on it."""
        await self._way.settled(await self.send(name, body))

    async def report_json(self, name: str, document_type: str, document: dict[str, Any]) -> None:
        """The same for a document as JSON, under a reference made of its name."""
        message = {
            "format": f"json:{document_type}:1",
            "reference": name[:35],
            "document": {k: v for k, v in document.items() if v not in (None, "", [])},
        }
        await self.report(name, json.dumps(message, ensure_ascii=False).encode())

    async def decide(self, kind: str, option: str) -> None:
        """Let its officer decide, by `option`, every task of a kind that waits for its office."""
        if self._officer is None:
            return
        page = await self._officer.get("/v1/tasks")
        for task in page["items"] if page else ():
            if task["kind"] != kind:
                continue
            document = {"task": task["id"], "option": option, "task_version": task["version"], "office": task["office"]}
            message = {"format": "json:decision:1", "reference": f"{option}-{task['id'][-20:]}", "document": document}
            body = json.dumps(message).encode()
            file = self.keep("sent", f"{kind}-{task['id']}", body)
            accepted = await self._officer.post(file.name, body)
            self.keep("receipts", file.name, json.dumps(accepted, ensure_ascii=False).encode())
            await self._officer.settled(accepted["id"])


def way_of(settings: Settings) -> Way:
    """The way that the settings name."""
    client = Client(settings.gateway, settings.key)
    match settings.way:
        case "pushed":
            return Pushed(client, settings.port, settings.trouble)
        case "fetching":
            return Fetching(client)
        case "webhook":
            return Webhooks(client, settings.port, settings.trouble, **settings.means)
        case "sftp":
            return Sftp(client, Server(user=settings.name, password=settings.key, **settings.means))
        case "mail":
            return Mailing(client, settings.port, Mailbox(user=settings.name, password=settings.key, **settings.means))
        case "as2":
            station = Station(f"{settings.gateway}/as2", **settings.means)
            return As2(client, settings.port, settings.trouble, station)
        case "folders":
            if settings.exchange is None:
                raise ValueError("a partner that exchanges by folders names its exchange folder")
            return Folders(settings.exchange)
        case _:
            raise ValueError(f"no way is called {settings.way}")


def extension(body: bytes) -> str:
    """A file extension by what `body` begins with."""
    head = body.lstrip()[:3]
    return "edi" if head in (b"UNA", b"UNB") else "x12" if head == b"ISA" else "xml" if head[:1] == b"<" else "json"


def said(values: Values) -> str:
    """What a message says in one word: an outcome, a decision, an acknowledgement's action; empty for others."""
    return str(values.get("action", "")) or next(
        (word for name in ("outcome", "Outcome", "decision") if (word := find(values, name))), ""
    )


def _announce(url: str) -> None:
    """Tell whoever started the partner where it is."""
    sys.stdout.write(f"{url}\n")
    sys.stdout.flush()
