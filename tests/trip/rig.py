"""The middle of the gateway over a real SQLite store: payloads go in, commits come out, nothing is sent anywhere."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gateway import data
from gateway.catalogue_folders import shipped
from gateway.check import rulebook
from gateway.config import Settings
from gateway.decide.flow import Flows
from gateway.discovery import find_flows
from gateway.model import (
    Agreement,
    Delivery,
    Direction,
    FeedEntry,
    Finding,
    Identifier,
    Partner,
    Role,
    Strictness,
)
from gateway.pipeline import Pipeline
from gateway.receipt.notary import Notary
from gateway.receipt.signed import Signer
from gateway.receive.intake import Intake
from gateway.store import open_store
from gateway.store.contract import Accepted, Claimed, PayloadView
from gateway.store.sql_store import SqlStore
from gateway.transports.base import Arrival
from gateway.trip.in_force import InForce

ORIGIN = "test.example/log"
FLOWS = find_flows()
RULES = rulebook.load(shipped(), FLOWS.rules)
START = datetime(2026, 3, 5, 1, 30, tzinfo=UTC)

PARTNERS = (
    Partner(
        "acme",
        "Acme",
        frozenset({Role.ENTERPRISE}),
        (Identifier("ciq-registration", "3702000002"), Identifier("ciq-registration", "3702000001")),
        credit_grade="A",
        direct_through=START.date(),
    ),
    Partner("rival", "Rival", frozenset({Role.ENTERPRISE}), language="zh"),
    Partner("stranger", "Stranger", frozenset({Role.ENTERPRISE})),
    Partner(
        "bureau", "Bureau", frozenset({Role.BUREAU}), (Identifier("ciq-org", "370200"), Identifier("ciq-org", "370210"))
    ),
    Partner("customs", "Customs", frozenset({Role.CUSTOMS}), (Identifier("customs-office", "4227"),)),
    Partner("lenient-port", "Lenient port", frozenset({Role.PORT})),
    Partner("strict-port", "Strict port", frozenset({Role.PORT})),
)


def incoming(partner_id: str, **fields: Any) -> Agreement:
    """What a partner may send."""
    return Agreement(f"{partner_id}-in", partner_id, Direction.IN, "*", "*", **fields)


def outgoing(partner_id: str, document: str, format_: str, **fields: Any) -> Agreement:
    """What a partner gets."""
    return Agreement(f"{partner_id}-{document}", partner_id, Direction.OUT, document, format_, **fields)


AGREEMENTS = (
    incoming("acme"),
    incoming("rival", their_id="ZZ:RIVAL"),
    incoming("bureau"),
    incoming("lenient-port", strictness=Strictness.LENIENT),
    incoming("strict-port"),
    outgoing("bureau", "declaration", "xml:EEntDeclIo:1", envelope="OBORMessage", code_tables="ciq"),
    outgoing("bureau", "manifest", "edifact:CUSCAR:D:95B:UN"),
    outgoing("customs", "manifest", "json:manifest:1"),
)


@dataclass
class Clock:
    """A clock that moves when told."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **delta: float) -> None:
        """Move on."""
        self.now += timedelta(**delta)


@dataclass
class House:
    """One gateway's intake and pipeline."""

    settings: Settings
    store: SqlStore
    notary: Notary
    intake: Intake
    pipeline: Pipeline
    clock: Clock
    results: list[str] = field(default_factory=list)

    async def send(self, body: bytes, partner_id: str = "acme", **fields: Any) -> Accepted:
        """Commit 1."""
        return await self.intake.accept(Arrival(partner_id, "http", body, **fields))

    async def claim(self) -> Sequence[Claimed]:
        """What waits."""
        return await self.store.claim_payloads(32, timedelta(seconds=60), self.clock())

    async def work(self) -> None:
        """All that waits goes through the trip, one after another."""
        for _ in range(20):
            claimed = await self.claim()
            if not claimed:
                return
            for one in claimed:
                await self.pipeline.process(one)

    async def through(self, body: bytes, partner_id: str = "acme", **fields: Any) -> PayloadView:
        """In, and through the trip."""
        accepted = await self.send(body, partner_id, **fields)
        await self.work()
        return await self.store.payload(accepted.payload_id)

    async def inbox(self, partner_id: str = "acme", *, test: bool = False) -> list[FeedEntry]:
        """What a partner may fetch, with the bodies."""
        return await self.feed("inbox", partner_id, test=test)

    async def feed(self, name: str, partner_id: str, *, test: bool = False) -> list[FeedEntry]:
        """A feed, with the bodies."""
        entries = await self.store.feed(name, partner_id, 0, 5000, test=test)
        return [await self.store.feed_entry(name, partner_id, e.sequence, test=test) for e in entries]

    async def acknowledgements(self, partner_id: str = "acme", *, test: bool = False) -> list[bytes]:
        """The syntax acknowledgements a partner may fetch."""
        return [e.body for e in await self.inbox(partner_id, test=test) if e.document_type == "acknowledgement"]

    async def deliveries(self, partner_id: str) -> list[Delivery]:
        """What waits to be sent to a partner, in the order in which it will go."""
        found = await self.store.deliveries(partner_id, "pending", 5000)
        return sorted(found, key=lambda d: d.sequence)


@asynccontextmanager
async def house(folder: Path, migrated: Path | str, *, flows: Flows = FLOWS, **pipeline: Any) -> AsyncIterator[House]:
    """A gateway's middle over a copy in `folder`, which outlives it, of a migrated file; or over a migrated URL."""
    database = folder / "gateway.db"
    url = migrated if isinstance(migrated, str) else f"sqlite+aiosqlite:///{database}"
    new = not (folder / "seed").exists()
    if new:
        (folder / "seed").write_bytes(secrets.token_bytes(32))
        if isinstance(migrated, Path):
            shutil.copy(migrated, database)
    settings = Settings.model_validate(
        {
            "store": {
                "url": url,
                "payload_folder": folder / "payloads",
                "anchor_file": folder / "anchor",
                "free_bytes": 0,
            },
            "catalogue": {"snapshots": folder / "catalogues"},
            "pipeline": {"workers": 0, **pipeline},
        }
    )
    store = open_store(
        settings.store.url,
        signer=Signer(ORIGIN, (folder / "seed").read_bytes()),
        payload_folder=settings.store.payload_folder,
        anchor_file=settings.store.anchor_file,
    )
    await store.open()
    try:
        if new:
            await store.import_partners(PARTNERS, AGREEMENTS, ())
        clock = Clock()
        notary = Notary(lambda: ORIGIN, b"secret")
        yield House(
            settings,
            store,
            notary,
            Intake(store, settings, notary, clock=clock),
            Pipeline(store, settings, notary, flows, InForce(shipped(), settings.catalogue.snapshots), clock=clock),
            clock,
        )
    finally:
        await store.close()


# Messages.

SAMPLE = (data.samples() / "declaration" / "import_sea_container" / "in.edi").read_text("utf-8")
HEAD, _, _REST = SAMPLE.partition("UNH+1+")
_MESSAGE, _, _ = _REST.partition("UNT+")


def message(number: int, reference: str = "") -> str:
    """UNH to UNT of one declaration under numbers of its own."""
    text = f"UNH+{number}+{_MESSAGE}"
    for old, new in (
        ("SD-2026-0001", f"TD-{reference or number}"),
        ("SMPL26010077", f"TB{reference or number}"),
        ("CL-2026/07", f"TC-{reference or number}"),
    ):
        text = text.replace(old, new)
    return f"{text}UNT+{text.count(chr(10)) + 1}+{number}'\n"


def interchange(reference: str, *messages: str, count: int | None = None, sender: str = "SAMPLETRADER") -> bytes:
    """One EDIFACT interchange; `count` where its trailer tells another than the right one."""
    head = HEAD.replace("IMP0001", reference).replace("SAMPLETRADER", sender)
    return f"{head}{''.join(messages)}UNZ+{len(messages) if count is None else count}+{reference}'\n".encode()


def declaration(reference: str, sender: str = "SAMPLETRADER") -> bytes:
    """One declaration in an interchange of its own."""
    return interchange(reference, message(1, reference), sender=sender)


def x12(kind: str, body: str, *, control: str = "000000001", gs: str = "SO", sets: int = 1) -> bytes:
    """One X12 interchange with one group of one transaction set; `body` stands between ST and SE."""
    segments = body.count("~") + 2
    return (
        f"ISA*00*          *00*          *ZZ*SENDER         *ZZ*GATEWAY        *260305*0130*U*00401*{control}*0*P*>~"
        f"GS*{gs}*SENDER*GATEWAY*20260305*0130*1*X*004010~"
        f"ST*{kind}*0001~{body}SE*{segments}*0001~GE*{sets}*1~IEA*1*{control}~"
    ).encode()


def elements(body: bytes, tag: str) -> list[list[str]]:
    """Every segment `tag` of an acknowledgement of ours as its elements, read with nothing of ours."""
    text = body.decode("utf-8")
    if text.startswith("ISA"):
        separator, terminator = text[3], text[105]
    else:
        separator, terminator = ("+", "'")
        if text.startswith("UNA"):
            separator, terminator, text = text[4], text[8], text[9:]
    found = [segment.strip().split(separator) for segment in text.split(terminator)]
    return [f for f in found if f[0] == tag]


def codes(view: PayloadView) -> list[str]:
    """The codes of all findings of a payload."""
    return [finding.code for m in view.messages for finding in m.findings]


def findings(view: PayloadView) -> list[Finding]:
    """All findings of a payload."""
    return [finding for m in view.messages for finding in m.findings]
