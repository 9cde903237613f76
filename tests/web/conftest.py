"""A whole gateway on loopback, over a real SQLite file, with partners of its own."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from gateway import model, opening
from gateway.config import Settings
from gateway.model import Agreement, Credential, Direction, Identifier, Partner, Role
from gateway.process import Process
from gateway.receipt.notary import Notary
from gateway.registry.keys import hash_key
from gateway.store import migrate
from gateway.store.contract import AccountChange, CaseChange, MessageRecord, NewReceipt, Outcome
from gateway.store.ports import Store
from gateway.web import app
from gateway.web.application import application
from gateway.web.services import Services

REPORT = model.MadeReport(
    "accepted_by_office",
    date(2026, 2, 1),
    date(2026, 2, 28),
    date(2026, 2, 1),
    7,
    datetime(2026, 3, 5, tzinfo=UTC),
    {
        "report": "accepted_by_office",
        "first_day": "2026-02-01",
        "last_day": "2026-02-28",
        "last_fact": 7,
        "measure": "count",
        "rows": ["declared_at"],
        "columns": ["direction"],
        "total": "3",
        "lines": [{"row": ["370100"], "column": ["outbound"], "value": "3"}],
        "corrections": [{"period": "2026-01-01", "row": ["370100"], "column": ["inbound"], "value": "-1"}],
    },
)
LICENCE = model.Account(
    "licence:37-1:1",
    1,
    "KGM",
    "acme",
    model.Terms(valid_until=datetime(2027, 1, 1, tzinfo=UTC), draws_max=12, tolerance_percent=Decimal(5)),
    granted=Decimal("1000.50"),
    used=Decimal("0.50"),
    draws=1,
)
"""An account of the sender's, and its entries."""
ENTRIES = (
    model.Entry(LICENCE.name, "37-1", model.EntryState.GRANTED, granted=Decimal("1000.50")),
    model.Entry(LICENCE.name, "420020260001:1", model.EntryState.USED, used=Decimal("0.50"), case_id="c-1"),
)


def key_of(name: str) -> str:
    """The API key of a partner, as long as real ones."""
    return f"gwk_{name}".ljust(40, "x")


PARTNERS = (
    Partner("acme", "Acme Exporting", frozenset({Role.ENTERPRISE}), (Identifier("unb", "ACME"),), language="zh"),
    Partner("rival", "Rival Exporting", frozenset({Role.ENTERPRISE})),
    Partner("customs", "Customs", frozenset({Role.CUSTOMS})),
    Partner("gone", "Gone Trading", frozenset({Role.ENTERPRISE}), active=False),
)
AGREEMENTS = tuple(
    Agreement(f"{id_}-in", id_, Direction.IN, "*", "*", acknowledge="always") for id_ in ("acme", "rival", "customs")
)
KEYS = (
    Credential("acme-1", "acme", hash_key(key_of("acme"))),
    Credential("acme-test", "acme", hash_key(key_of("acme-test")), test=True),
    Credential("acme-read", "acme", hash_key(key_of("acme-read")), frozenset({"read"})),
    Credential("rival-1", "rival", hash_key(key_of("rival"))),
    Credential("customs-1", "customs", hash_key(key_of("customs"))),
    Credential("gone-1", "gone", hash_key(key_of("gone"))),
    Credential("operator-1", "customs", hash_key(key_of("operator")), frozenset({"admin"})),
)


@dataclass
class Client:
    """Speaks to one gateway, as one of its partners."""

    url: str
    session: aiohttp.ClientSession
    services: Services

    async def ask(
        self, method: str, path: str, *, as_: str = "acme", headers: dict[str, str] | None = None, **more: Any
    ) -> Answer:
        """One request and its whole answer; `as_` names the key, empty for none."""
        authorization = {"Authorization": f"Bearer {key_of(as_)}"} if as_ else {}
        async with self.session.request(
            method, self.url + path, headers={**authorization, **(headers or {})}, **more
        ) as response:
            body = await response.read()
            json = (
                await response.json(content_type=None)
                if response.content_type.endswith("json") and "nd" not in response.content_type
                else None
            )
            return Answer(response.status, response.headers, body, json)

    async def send(self, body: bytes, **more: Any) -> Answer:
        """POST a message."""
        return await self.ask("POST", "/v1/messages", data=body, **more)

    async def processed(self, payload_id: str, **more: Any) -> Any:
        """The payload's view as soon as it has been processed."""
        import asyncio

        for _ in range(400):
            answer = await self.ask("GET", f"/v1/messages/{payload_id}", **more)
            assert answer.status == 200, answer.body
            if answer.json["state"] != "received":
                return answer.json
            await asyncio.sleep(0.025)
        raise AssertionError(f"{payload_id} is still waiting")


@dataclass
class Answer:
    """An answer, read to its end."""

    status: int
    headers: Any
    body: bytes
    json: Any


def settings_in(folder: Path, **changes: Any) -> Settings:
    """A configuration whose every file is in `folder`."""
    values: dict[str, Any] = {
        "store": {
            "url": f"sqlite+aiosqlite:///{folder}/gateway.db",
            "payload_folder": folder / "payloads",
            "anchor_file": folder / "anchor",
            "free_bytes": 0,
        },
        "catalogue": {"snapshots": folder / "catalogues"},
        "receipts": {"origin": "test.example/log", "signing_key_file": folder / "signing.key"},
        "http": {"port": 0},
        "pipeline": {"workers": 0},
        "deliver": {"allow_private_addresses": True},
        "logging": {"level": "error"},
    }
    for section, change in changes.items():
        values[section] = {**values.get(section, {}), **change} if isinstance(change, dict) else change
    return Settings.model_validate(values)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database at this version, to be copied: making its tables takes longer than most tests."""
    path = tmp_path_factory.mktemp("migrated") / "gateway.db"
    migrate(f"sqlite+aiosqlite:///{path}")
    return path


@pytest.fixture
def changes() -> dict[str, Any]:
    """Settings that a test module or class wants otherwise."""
    return {}


@pytest.fixture
async def client(tmp_path: Path, migrated: Path, changes: dict[str, Any]) -> AsyncIterator[Client]:
    """A running gateway, and somebody who speaks to it."""
    import asyncio

    shutil.copy(migrated, tmp_path / "gateway.db")
    settings = settings_in(tmp_path, **changes)
    stop = asyncio.Event()
    url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    signer = opening.signer(settings.receipts)
    async with opening.opened(settings, signer) as store:
        await store.import_partners(PARTNERS, AGREEMENTS, KEYS)
        services = Services(Process(settings, store, opening.notary(store, signer)))
        running = asyncio.create_task(app.run(services, stop, url.set_result))
        await asyncio.wait({running, url}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        async with aiohttp.ClientSession() as session:
            yield Client(url.result(), session, services)
        stop.set()
        await running


NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
DECLARATION = b"UNB+..."


@dataclass
class Quiet:
    """The interface over a real store with nothing running beside it, so that a test decides what is in there."""

    client: Client
    store: Store
    notary: Notary


@dataclass
class Filled:
    """The same, with one declaration of acme's that went to customs."""

    client: Client
    payload_id: str


@asynccontextmanager
async def quiet_over(settings: Settings) -> AsyncIterator[Quiet]:
    """The interface over the migrated store of these settings with nothing running beside it."""
    signer = opening.signer(settings.receipts)
    async with opening.opened(settings, signer) as store:
        await store.import_partners(PARTNERS, AGREEMENTS, KEYS)
        notary = opening.notary(store, signer)
        services = Services(Process(settings, store, notary))
        async with TestServer(application(services)) as server, aiohttp.ClientSession() as session:
            yield Quiet(Client(str(server.make_url("")).rstrip("/"), session, services), store, notary)


@pytest.fixture
async def quiet(tmp_path: Path, migrated: Path) -> AsyncIterator[Quiet]:
    """The interface over a real store with nothing running beside it, so that a test decides what is in there."""
    shutil.copy(migrated, tmp_path / "gateway.db")
    async with quiet_over(settings_in(tmp_path)) as quiet:
        yield quiet


@pytest.fixture
async def filled(quiet: Quiet) -> Filled:
    """The same, with one declaration of acme's that went to customs, and its payload's id."""
    return await fill(quiet)


async def fill(quiet: Quiet, notice: bytes = b"<ClearanceNotice/>", document: bytes = b'{"number":"N-1"}') -> Filled:
    """One declaration of acme's that went to customs as `notice` and stands in its feed as `document`."""
    client, store, notary = quiet.client, quiet.store, quiet.notary
    id_ = (await client.send(DECLARATION)).json["id"]
    claimed = (await store.claim_payloads(1, timedelta(minutes=1), NOW))[0]
    message = MessageRecord(
        "m-1",
        id_,
        1,
        "acme",
        model.Syntax.EDIFACT,
        "edifact:CUSDEC:D:96B:UN",
        "1",
        model.MessageState.ACCEPTED,
        NOW,
        document_type="declaration",
        document={"number": "D-1"},
        findings=(
            model.Finding("edi.message.no_table", model.Severity.WARNING, model.Place(segment=1, tag="UNH"), "x"),
        ),
        case_id="c-1",
    )
    to_customs = model.Delivery(
        "d-1",
        "customs",
        "customs-out",
        "customs:c-1",
        model.DeliveryKind.DOCUMENT,
        "clearance",
        "xml:ClearanceNotice:1",
        notice,
        sha256(notice).hexdigest(),
        message_id="m-1",
        case_id="c-1",
        reference="CUSTOMS-REF-1",
    )
    contrl = b"UNB+...CONTRL"
    inbox = model.FeedEntry(
        "inbox", "acme", "acknowledgement", "a-1", sha256(contrl).hexdigest(), format="edifact:CONTRL", body=contrl,
        message_id="m-1", at=NOW,
    )  # fmt: skip
    cleared = model.FeedEntry(
        "clearance", "customs", "clearance", "f-1", sha256(document).hexdigest(), {"notice": "N-1"}, body=document,
        message_id="m-1", case_id="c-1", at=NOW,
    )  # fmt: skip
    events = (
        model.CaseEvent("c-1", NOW, "declared", "taken", "acme", "m-1"),
        model.CaseEvent("c-1", NOW, "sent", "to the port's customs office", "customs", "m-1", "d-1"),
    )
    case = CaseChange(
        "c-1", 0, "cleared", "acme", False, frozenset({("declaration", "D-1"), ("bill", "B-1")}),
        {"declaration": {"number": "D-1"}, "clearance": {"number": "N-1"}}, events,
    )  # fmt: skip
    checked = notary.checked(
        claimed.payload, at=NOW, message_id="m-1", reference="1", format=message.format,
        verdict=message.state, findings=message.findings, schema="", mapping="",
    )  # fmt: skip
    customs = PARTNERS[2]
    delivered = notary.handed_over(
        model.Stage.DELIVERED, to_customs, customs, at=NOW, evidence="http_digest", answer=b"200 OK"
    )
    await store.commit(
        Outcome(
            claimed.work, 1, finished=True, messages=(message,), cases=(case,), deliveries=(to_customs,),
            accounts=(AccountChange(LICENCE, ENTRIES),),
            reports=(REPORT,),
            feed=(inbox, cleared),
            receipts=(
                NewReceipt(model.Stage.CHECKED, "m-1", checked),
                NewReceipt(model.Stage.DELIVERED, "d-1", delivered),
            ),
        )
    )  # fmt: skip
    return Filled(client, id_)
