"""What every statement of the store reads, on tables as they are after years: never much more than it gives.

All operations of the store run over a filled database while each statement is written down with its parameters. Each is
then explained by its engine, whose statistics were never brought up to date. A statement that walks a table, or finds
its rows by an index that does not narrow, is named; so is a place in the store that runs a statement and was not reached.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import json
import re
import secrets
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import Engine, event

from gateway import store as store_room
from gateway.decide.facts import (
    ActsOn,
    CaseById,
    CasesByKeys,
    DrawOf,
    ExhibitById,
    Facts,
    FiguresIn,
    LastFigure,
    LastReport,
    Ledger,
    LedgerEntry,
    LinkedCases,
    NextNumber,
    OwnCases,
    PartnerById,
    PartnerByIdentifier,
    PersonById,
    Subject,
    SubscriptionsOf,
    TallyOf,
    TaskById,
    TasksOf,
    Told,
    Waiting,
)
from gateway.errors import Archived, GatewayError, NotFound, RegistryRefused
from gateway.findings import make_finding
from gateway.model import (
    Agreement,
    AlertState,
    AuditEntry,
    Credential,
    Deadline,
    DeliveryState,
    Direction,
    Draw,
    Endpoint,
    Entry,
    EntryState,
    Exhibit,
    Figure,
    Identifier,
    InterchangeRef,
    MadeReport,
    Partner,
    Person,
    Role,
    Stage,
    Stop,
    SubjectVersion,
    Subscription,
    Syntax,
    Tally,
    Task,
    TaskState,
)
from gateway.store import open_store, tables
from gateway.store.contract import (
    ANYONE,
    PUT_OFF,
    UNCONFIRMED,
    AccountChange,
    Alert,
    AlertOrder,
    Answered,
    AttemptResult,
    AuditMark,
    AuditWanted,
    Awaits,
    CaseChange,
    CaseLink,
    Confirmation,
    Outcome,
    PartnersWanted,
    Settlement,
    Share,
    StagedMessage,
    StandingWanted,
    Viewer,
    Wait,
)
from gateway.store.database import PLANNER
from gateway.store.retained import Plan
from gateway.store.sql_store import SqlStore
from tests.store import filled
from tests.store.databases import database_url, on_server
from tests.store.filled import Shape
from tests.store.made import LEASE, NOW, accept, claim, delivery, feed_entry, message, outcome, receipt, sha256

COUNT = 25_000
SHAPE = Shape(COUNT)
LATER = NOW + timedelta(days=3650)
FOLDER = Path(store_room.__file__).parent

SMALL = {
    "endpoints": "a row for each endpoint that fails or is stopped just now",
    "log_state": "one row",
    "audit_state": "one row",
    "log_breaks": "a row each time the store was set back",
    "counters": "a row for each series of numbers, which bureaus and recipients have; walked after such a set-back",
    "holds": "cases that an operator holds back, one by one",
    "inbox": "what waits for commit 2: limits.payloads_waiting bounds it",
}
"""Tables that may be walked, and why they do not grow."""

WALKED = {
    r"SELECT count\(\*\)": "counting what waits ends at contract.COUNTED",
    r"SELECT figures.kind, figures.day, .*GROUP BY": "a report reads all facts of its period, once",
    r"UPDATE deliveries SET .*due_at=.* WHERE deliveries.held_for != ": "all that waits is held when the store was set back",
    r"UPDATE deadlines SET fence=.*holder <> ''": "those that are claimed just now, which an index of their own holds",
}
"""What statements look like that may read more than they give, and why that is bounded or wanted."""

READ = 100
"""Rows that a statement may read beyond a few for each that it gives or is asked for."""
STEPS = 20_000
"""The same in steps of SQLite's machine, which takes some dozens for a row."""


@dataclass
class Recording:
    """Statements with one set of parameters each, and the lines of the store that ran them."""

    statements: dict[str, Any] = field(default_factory=dict)
    lines: set[tuple[str, int]] = field(default_factory=set)

    def note(self, _c: object, _k: object, statement: str, parameters: Any, _x: object, many: bool) -> None:
        """What SQLAlchemy says before each execution."""
        frame = sys._getframe()
        while frame is not None:
            if frame.f_code.co_filename.startswith(str(FOLDER)):
                self.lines.add((Path(frame.f_code.co_filename).name, frame.f_lineno))
            frame = frame.f_back  # type: ignore[assignment]
        # Of statements that differ only in the number of rows, as inserts do, one will do.
        self.statements.setdefault(
            re.sub(r"(, \(\?[?, ]*\))+", "", statement), (statement, parameters[0] if many else parameters)
        )


@pytest.fixture(scope="module")
def filled_file(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A filled SQLite database."""
    path = tmp_path_factory.mktemp("filled") / "gateway.db"
    shutil.copy(migrated_file, path)
    asyncio.run(filled.make(f"sqlite:///{path}", COUNT))
    return path


@pytest.fixture(scope="module")
def filled_database(migrated_database: str) -> Iterator[str]:
    """The name of a filled PostgreSQL database, of which nobody has ever made statistics."""
    if not migrated_database:
        pytest.skip("no PostgreSQL at GATEWAY_TEST_POSTGRES")
    name = f"{migrated_database}_filled_{secrets.token_hex(3)}"
    asyncio.run(on_server(f'CREATE DATABASE "{name}" TEMPLATE "{migrated_database}"'))
    asyncio.run(_without_statistics(name))
    asyncio.run(filled.make(database_url(name), COUNT))
    yield name
    asyncio.run(on_server(f'DROP DATABASE "{name}" WITH (FORCE)'))


async def _without_statistics(name: str) -> None:
    connection = await _connected(name)
    for table in tables.metadata.tables:
        await connection.execute(f'ALTER TABLE "{table}" SET (autovacuum_enabled = false)')
    await connection.close()


async def _connected(name: str) -> asyncpg.Connection[Any]:
    address = database_url(name).replace("+asyncpg", "")
    return await asyncpg.connect(address, server_settings=PLANNER)


async def recorded(url: str, folder: Path) -> Recording:
    """All operations of the store over a filled database."""
    recording = Recording()
    event.listen(Engine, "before_cursor_execute", recording.note)
    store = open_store(url, signer=filled.SIGNER, payload_folder=folder / "payloads", anchor_file=folder / "anchor")
    try:
        await store.open()
        for journey in (read_all, take_in_and_decide, let_terms_pass, take_back, deliver, keep_the_registry):
            await journey(store)
        await archive(store, folder)
        await store.close()
        for spoilt in ("", "no anchor"):  # the log is compared with its anchor, and goes on under another name
            if spoilt:
                (folder / "anchor").write_text(f"{store.origin}\n{spoilt}", "utf-8")
            again = open_store(
                url, signer=filled.SIGNER, payload_folder=folder / "payloads", anchor_file=folder / "anchor"
            )
            await again.open()
            assert bool(again.alert) == bool(spoilt)
            if spoilt:
                await reconcile(again)
            await again.close()
    finally:
        event.remove(Engine, "before_cursor_execute", recording.note)
    return recording


MIDDLE = COUNT // 2


async def archive(store: SqlStore, folder: Path) -> None:
    """What is some minutes old goes, where a day is old enough; and all that is asked about it."""
    began = datetime.fromtimestamp(filled.BEGAN / 1000, UTC)
    plan = Plan(
        folder / "archives", dict.fromkeys(("timelines", "deliveries", "feeds", "bodies"), 1), CLOSED, 100, 1 << 30
    )
    first = f"TD-{SHAPE.wide + 5}"
    assert await store.hold_cases(first, "why", NOW)
    done = await store.archive(plan, lambda: began + timedelta(days=1, seconds=SHAPE.wide + 200))
    assert all(one.things for one in done.kinds), done
    assert await store.release_cases(first)
    await store.holds()
    await store.archives(10)
    for partner in ("", "acme"):
        await store.feed_begin("status", 1, partner, test=False, audiences=("a", "b"))
    assert await store.sweep(-1) == 1
    newest = await store.feed("clearance", "", COUNT - filled.WAITING, 10)
    (large,) = [one.sequence for one in newest if one.document_id.endswith("large")]
    gone = (
        store.feed_entry("status", "", 1),
        store.delivery(SHAPE.id("d", 1)),
        store.feed_entry("clearance", "", large),
    )
    for asked_for in gone:
        with pytest.raises(Archived):
            await asked_for
    with pytest.raises(Archived):
        await store.reopen_payload(SHAPE.id("0", SHAPE.wide + 2))


CLOSED = frozenset({"accepted"})


async def read_all(store: SqlStore) -> None:
    """Every read, with every combination of what it may be asked by."""
    one, two = SHAPE.id("0", MIDDLE), SHAPE.id("d", MIDDLE)
    for partner in ("", "acme", "firm1"):
        for state in ("", "received", "processed", "failed", "held", "rejected"):
            for after in ("", one):
                for test in (None, True):
                    await store.payloads(partner, state, after, 50, test=test)
    for partner in ("", "customs", "bureau", "nobody"):
        for state in ("", "dead", "pending", "delivered", "answered"):
            for after in ("", two, SHAPE.id("e", 20 * 100)):
                await store.deliveries(partner, state, 50, after)
    for payload_id in (one, SHAPE.id("0", 1)):
        for after in (None, 3, SHAPE.wide - 10):
            for bodies in (True, False):
                await store.payload(payload_id, after, 100, bodies=bodies)
                await store.payload(payload_id, after, 100, bodies=bodies, most=1000)
        await store.original(payload_id)
        await store.message(SHAPE.id("1", MIDDLE))
    for key in (f"TD-{MIDDLE}", filled.CROWDED, SHAPE.huge_case, "BOX-77", "nothing"):
        for partner in ("", "bureau", "stranger"):
            page = await store.cases(key, partner, limit=100)
            if page.next:
                await store.cases(key, partner, page.next, 100)
    (huge,) = await store.case(SHAPE.huge_case)
    assert huge.earlier is not None
    await store.case_earlier(SHAPE.huge_case, "bureau", huge.earlier, 100)
    for feed, partner in (("status", "acme"), ("clearance", "customs"), ("inbox", "firm1"), ("status", "")):
        for after in (0, MIDDLE, COUNT - 10):
            await store.feed(feed, partner, after, 100)
            await store.feed(feed, partner, after, 100, audiences=("@role:customs", "@office:37"))
    await store.feed_entry("clearance", "customs", MIDDLE + 1)
    await store.take_part(SHAPE.id("c", MIDDLE), "reader")
    await store.delivery(two)
    await store.delivery_by_reference("bureau", f"{2 * MIDDLE:014x}")
    for case in (SHAPE.id("c", MIDDLE + 1), SHAPE.huge_case):
        for partner in ("bureau", "customs", "stranger"):
            await store.sent_delivery(case, partner, "declaration")
    assert await store.account("quota-0") is not None
    for holder in ("", "firm1", "nobody"):
        await store.accounts(holder, "", 50)
        await store.accounts(holder, f"quota-{MIDDLE}", 50)
    for after in ("", SHAPE.id("1", MIDDLE)):
        assert len(await store.entries("quota-0", after, 50)) == 50
    for report in ("report-1", "report-0"):
        await store.reports(report, "", 10)
        await store.reports(report, "2026-02-01", 10)
        await store.report(report, date(2026, 1, 1))
    assert await store.last_figure() == COUNT - filled.WAITING
    await store.figure_sums(FiguresIn(("accepted",), date(2026, 1, 1), date(2026, 1, 31), 0, COUNT))
    assert len(await store.draws("spot", "w", ("", 0), 50)) == 50
    assert len(await store.draws("spot", "w", ("stratum", COUNT - filled.WAITING - 5), 50)) == 5
    await store.cases_of_kind("risk", "", 10)
    await store.cases_of_kind("risk", SHAPE.id("c", MIDDLE), 10)
    await store.pressure()
    for index in (0, MIDDLE, SHAPE.leaves - 1):
        await store.proven(index)
        await store.consistency(index + 1)
    await store.receipts_of([one, two])
    async for _ in store.log(SHAPE.leaves - 1500):
        pass
    await store.failed_messages(SHAPE.id("0", 1), SHAPE.wide)
    await store.receipt(MIDDLE)
    await store.sent_by("acme", one, SHAPE.id("1", MIDDLE))
    await store.log_key()
    for place in (SHAPE.leaves - 64, SHAPE.leaves):
        seen = await store.audit_from(place)
        await store.audit_on(seen, 64)
    await store.log_size()
    await store.earlier_undecided(SHAPE.id("0", COUNT))
    await store.find_interchange(
        InterchangeRef(Syntax.EDIFACT, "acme/ACME", "GATEWAY", f"{MIDDLE:08x}"), timedelta(days=90), NOW, "other"
    )


KEYS = frozenset({("declaration", f"TD-{MIDDLE}"), ("container", "BOX-77")})


CONFIRMED = [delivery(f"confirm-{lane}{name}", f"customs:confirm-{lane}") for lane in range(3) for name in "ab"]


async def take_in_and_decide(store: SqlStore) -> None:
    """Commit 1, all that is asked between the commits, and commit 2."""
    for number in range(3):
        await accept(store, 10**9 + number, transport_id=f"new-{number}", partner_id="acme")
    await accept(store, 10**9, transport_id="new-0", partner_id="acme")
    claimed = await store.claim_payloads(10_000, LEASE, LATER)
    mine = [one for one in claimed if one.payload.id.startswith("0" * 20)]
    first, second, third = mine
    await store.renew_payload(first.payload.id, first.fence, LEASE, LATER)
    queries = [
        CasesByKeys(KEYS, test=False),
        CaseById(SHAPE.id("c", MIDDLE + 1)),
        Waiting(frozenset({("container", "BOX-107")}), test=False),
        Ledger("quota-0"),
        LedgerEntry("quota-0", SHAPE.id("1", 4 * (MIDDLE // 4))),
        PartnerById("e00000007"),
        PartnerByIdentifier("ciq-registration", f"{7:010x}"),
        NextNumber("declaration", test=False),
        LinkedCases(SHAPE.id("c", MIDDLE + 1), "call"),
        TaskById("t-new"),
        TasksOf(SHAPE.id("c", MIDDLE + 1)),
        ActsOn(SHAPE.id("c", MIDDLE + 1)),
        PersonById("e00000007-person"),
        SubscriptionsOf("e00000007"),
        Told(SHAPE.id("c", MIDDLE + 1)),
        LastFigure(),
        FiguresIn(("accepted",), date(2026, 1, 1), date(2026, 1, 31), COUNT - 10, COUNT),
        LastReport("report-7"),
        TallyOf("spot", f"stratum-{MIDDLE}", "w"),
        DrawOf("spot", f"item-{MIDDLE}"),
    ]
    known = await store.facts(queries, Facts(), "m-new")
    account = known[Ledger("quota-0")]
    assert account is not None
    assert known[LedgerEntry("quota-0", SHAPE.id("1", 4 * (MIDDLE // 4)))] is not None
    held = message(first, document_type="declaration", document={"a": "1" * 500}, case_id="c-new")
    change = CaseChange(
        "c-new", 0, "accepted", "acme", False, KEYS, {"declaration": {"a": "1" * 500}, "other": {"b": 2}}
    )
    await store.commit(
        outcome(
            first,
            messages=(held,),
            facts=known,
            cases=(change,),
            interchanges=((InterchangeRef(Syntax.EDIFACT, "acme/ACME", "GATEWAY", "new"), timedelta(days=90)),),
            deliveries=(delivery("new-1"), delivery("new-2"), *CONFIRMED),
            feed=(feed_entry("new-feed"), feed_entry(f"{SHAPE.id('f', 1)[:12]}large", body=b"1" * 100_000)),
            subscriptions=(Subscription("acme", "S-new", 1, "status"),),
            receipts=(receipt("m-new"),),
            waits=(Wait("w-new", "manifest", KEYS, {}, held.id, "acme"),),
            attached=(SHAPE.id("8", 107),),
            accounts=(AccountChange(replace(account, version=2), (Entry(account.name, "new", EntryState.USED),)),),
            links=(CaseLink("c-new", "call", SHAPE.id("c", MIDDLE + 1)),),
            tasks=(Task("t-new", 1, "review", "c-new", "declaration", "370100", "review", {"let": "accept"}, NOW),),
            deadlines={name: Deadline(name, "notice", "c-new", NOW) for name in ("due-1", "due-2", "due-3")},
            figures=(Figure("accepted", "c-new", NOW.date()),),
            reports=(MadeReport("new", NOW.date(), NOW.date(), NOW.date(), 1, NOW),),
            tallies=(Tally("spot", "new", "w", 1, 1),),
            draws=(Draw("spot", "new", "w", "new", 1, "00", chosen=False, reason="chance", chosen_before=0),),
            answers=(Answered(SHAPE.id("d", MIDDLE + 2), receipt("x"), NOW),),
        )
    )
    await store.stage(second.payload.id, second.fence, 1, [StagedMessage(1, {"reference": "R"})])
    await store.staged(second.payload.id, 0, 10)
    staged = replace(delivery("new-3", payload_lane(second)), state=DeliveryState.STAGED)
    await store.commit(outcome(second, finished=False, deliveries=(staged,)))
    await store.payload(second.payload.id)
    await store.commit(outcome(second, position=2))
    await store.commit(outcome(third, failed="Our fault."))
    await store.reopen_payload(first.payload.id)
    await accept(store, 10**9 + 9, body=bytes(100_000))
    assert await store.sweep(0) == 0


async def let_terms_pass(store: SqlStore) -> None:
    """All that happens to deadlines."""
    late = LATER + timedelta(days=1)
    await store.begin_deadlines([Deadline("begun", "report", "", late + timedelta(days=9))])
    first, second, third = await store.claim_deadlines(10, LEASE, late)
    await store.return_deadline(second.work, late, 1)
    await store.bury_deadline(third.work, Alert("deadline_dead", "due", (make_finding("decide.repeat"),), late))
    assert len(await store.buried_deadlines(10)) == 1
    await store.revive_deadline(third.deadline.id, late)
    assert len(await store.open_tasks(["370100"], "", 10)) == 1
    known = await store.facts([TaskById("t-new"), TasksOf("c-new")], Facts(), "alarm")
    task = known[TaskById("t-new")]
    assert task is not None
    decided = replace(task, version=2, state=TaskState.DECIDED, option="let")
    await store.commit(
        Outcome(
            first.work, 0, finished=True, facts=known, tasks=(decided,), deadlines={"due-2": None}, audit=(AUDITED,)
        )
    )
    for wanted in (AuditWanted(), AuditWanted("acme"), AuditWanted(person_id="p"), AuditWanted(case_id="c")):
        await store.audit_lines(wanted, -1, 10)
        await store.audit_lines(wanted, 10, 10)
    await store.audit_checkpoint()
    assert await store.audit_log_on(await store.audit_log_from(), 10)
    await show_and_register(store)


async def show_and_register(store: SqlStore) -> None:
    """All that happens to evidence and to subjects of the registry."""
    shown = Exhibit("e-new", "acme", sha256(b"picture"), 7, "image/png", NOW, transport_id="picture-1", body=b"picture")
    for _ in range(2):
        await store.keep_exhibit(shown, receipt("e-new", Stage.RECEIVED))
    for viewer in (ANYONE, Viewer("acme"), Viewer("acme", test_only=True)):
        with contextlib.suppress(NotFound):
            await store.exhibit("e-new", viewer, ["370100"])
    for after in ("", SHAPE.id("9", MIDDLE)):
        await store.exhibits_of("acme", after, 50)
    value = f"{MIDDLE:018x}"
    assert len(await store.subject_versions("uscc", value)) == 1
    own = [OwnCases(partner, key) for partner in ("bureau", "stranger") for key in ("CONTRACT-1", "BOX-1", "c-new")]
    asked = [Subject("uscc", value, date(2026, 3, 1)), ExhibitById("e-new"), *own]
    known = await store.facts(asked, Facts(), "m")
    claimed = await claim(store, 10**9 + 77)
    version = SubjectVersion("uscc", value, 2, date(2026, 3, 2), "suspended", at=NOW)
    await store.commit(outcome(claimed, finished=False, facts=known, subjects=(version,)))


AUDITED = AuditEntry(NOW, "task.decide", "done", "acme", "p", "reviewer", "t-new", "c-new", "370100", "alarm")


def payload_lane(claimed: Any) -> str:
    return f"customs:{claimed.payload.id}"


async def deliver(store: SqlStore) -> None:
    """All that happens to deliveries."""
    held = {one.id: one for one in await store.claim_deliveries(10_000, LEASE, LATER)}
    first = held["new-1"]
    await store.renew_delivery("new-1", first.fence, LEASE, LATER)
    await store.finish_attempt(AttemptResult("new-1", first.fence, 1, "delivered", LATER, receipts=(receipt("new-1"),)))
    again = {one.id: one for one in await store.claim_deliveries(10_000, LEASE, LATER)}
    second = again["new-2"]
    await store.finish_attempt(
        AttemptResult("new-2", second.fence, 1, "deferred", LATER, "busy", next_at=LATER + LEASE)
    )
    back = {one.id: one for one in await store.claim_deliveries(10_000, LEASE, LATER + 2 * LEASE)}
    second = back["new-2"]
    await store.finish_attempt(AttemptResult("new-2", second.fence, 2, "delivered", LATER + 2 * LEASE))
    third = back["new-3"]
    await store.finish_attempt(AttemptResult("new-3", third.fence, third.attempts, "refused", LATER, "no"))
    (fourth,) = await store.claim_deliveries(1, LEASE, LATER + 3 * LEASE)
    ours = ("customs", "http", "https://customs.example/in")
    failing = Endpoint(*ours, 5, LATER, Stop.TRIPPED, LATER + LEASE, "no")
    put_off = AttemptResult(fourth.id, fourth.fence, fourth.attempts, PUT_OFF, LATER, "no", waits_for=ours)
    await store.finish_attempt(replace(put_off, endpoint=failing))
    (fifth,) = await store.claim_deliveries(1, LEASE, LATER + 3 * LEASE)
    well = AttemptResult(
        fifth.id, fifth.fence, fifth.attempts, "deferred", LATER, "", LATER + LEASE, endpoint=Endpoint(*ours)
    )
    await store.finish_attempt(well)
    await store.attempts(fourth.id)
    for wanted in (
        StandingWanted(),
        StandingWanted("open"),
        StandingWanted(kind="kind"),
        StandingWanted(partner_id="p"),
    ):
        for one in await store.standing_alerts(wanted, 10):
            await store.standing_alerts(wanted, 10, one.id)
            await store.standing_alert(one.id)
            with contextlib.suppress(GatewayError):  # what ended by itself is settled
                await store.order_alert(AlertOrder(one.id, LATER, state=AlertState.TAKEN, silent_until=LATER))
    await store.silent_alerts(NOW)
    await store.end_alert("kind", "none", LATER)
    await store.pause_endpoint(("customs", "", ""), LATER)
    for partner in ("", "customs"):
        await store.endpoints_in_trouble(partner)
    await store.resume_endpoint(("customs", "", ""), LATER)
    for operation in (store.hold_delivery, store.resend_delivery, store.retry_delivery, store.skip_delivery):
        for id_ in ("new-3", "new-1", "unknown"):
            with contextlib.suppress(GatewayError):
                await operation(id_, LATER)
    await await_confirmations(store)
    # A lease that runs out at the last attempt that the agreement allows.
    await store.import_partners([], [replace(AGREEMENT, id="customs-out", attempts=1)], [])
    await store.claim_deliveries(10_000, LEASE, LATER + 10 * LEASE)
    await store.claim_deliveries(10_000, LEASE, LATER + 20 * LEASE)


async def await_confirmations(store: SqlStore) -> None:
    """All that happens to what was handed over."""
    moment = LATER + 5 * LEASE
    held = [one for one in await store.claim_deliveries(10_000, LEASE, moment) if one.id.startswith("confirm")]
    for one in held:
        awaits = Awaits("customs", "as2", f"NEW-{one.id}", LATER + LEASE)
        await store.finish_attempt(AttemptResult(one.id, one.fence, 1, "awaiting", LATER, lane=one.lane, awaits=awaits))
    first, *rest = await store.overdue(10, LATER + LEASE)
    await store.settle(Settlement(first, "delivered", LATER, receipts=(receipt("new"),)))
    for one, next_at in zip(rest, (LATER + LEASE, None), strict=True):
        await store.settle(Settlement(one, UNCONFIRMED, LATER + LEASE, "no word", next_at=next_at))
    await store.awaited(("customs", "as2", "R-100"))
    early = Confirmation(("customs", "as2", "EARLIER"), "delivered", LATER, "mdn")
    await store.keep_confirmation(early)
    await store.retry_delivery(rest[1].delivery.id, LATER)


AGREEMENT = Agreement("a-new", "p-new", Direction.OUT, "*", "json:x:1")


async def take_back(store: SqlStore) -> None:
    """What a node and an operator do when something has ended badly."""
    await store.hold_as("node", LATER)
    claimed = await store.claim_deliveries(5, timedelta(0), LATER, Share(2, {"customs": 2}))
    assert [one.partner_id for one in claimed] == ["bureau"] * 2
    await store.probe()
    await store.feed_end("status")
    for case_id in ("", SHAPE.huge_case):
        assert await store.claim_notice("duty", LATER, LEASE) is not None
        await store.return_notice("duty", 1)
        await store.raise_alert(
            Alert("kind", f"subject {case_id}", (make_finding("decide.repeat"),), NOW, case_id=case_id)
        )
    await store.mark_audit(AuditMark(1, 2))
    await store.mark_audit(AuditMark(1, 3, 2, 5))
    for partner in ("", "customs"):
        await store.reconciliation(partner, 50)
        await store.held_deliveries(partner)


async def reconcile(store: SqlStore) -> None:
    """What follows when the log had to take another name."""
    await store.skip_numbers(10)
    await store.close_breaks(LATER)
    await store.release_payloads()
    for partner in ("", "customs"):
        await store.reconciliation(partner, 50)
        await store.held_deliveries(partner)
    held = await store.held_deliveries("")
    await asyncio.gather(*(store.skip_delivery(id_, LATER) for id_ in held))
    assert await store.close_breaks(LATER)


async def keep_the_registry(store: SqlStore) -> None:
    """Imports and look-ups."""
    await store.call_for_catalogue()
    assert await store.catalogue_calls() == 1
    partner = Partner("p-new", "New", frozenset({Role.CUSTOMS}), (Identifier("ciq-org", "370200"),))
    await store.import_partners([partner], [AGREEMENT], [Credential("k-new", "p-new", "0" * 64)])
    await store.partner("p-new")
    await store.partner_by(Identifier("ciq-org", "370200"))
    await store.partners("e00000100", 100)
    await store.partners_with_role("customs")
    assert len(await store.approved_lists()) == await store.approved_count()
    assert await store.keep_reply("p-new", "as2", "<1@x>", b"mdn", NOW) == b"mdn"
    assert await store.find_reply("p-new", "as2", "<1@x>") == b"mdn"
    await store.ending_credentials(NOW, NOW + timedelta(days=30), 100)
    await store.agreements("p-new")
    await store.agreements_of(["p-new", "e00000007"])
    await store.shown_credential("0" * 64)
    await store.persons_by_id(["p-new-person"])
    await store.persons_of("p-new")
    await store.subscriptions_to("status")
    assert len(await store.subscriptions_of("acme")) == 1
    await store.import_persons([Person("p-new-person", "p-new", "Somebody")])
    await store.credential("k-new")
    await store.credentials("p-new")
    await store.revoke_credential("k-new", NOW)
    await store.import_partners([], [], [Credential("k-new", "p-new", "0" * 64)])
    await store.registry_changes(await store.registry_version() - 1)
    for wanted in (PartnersWanted("enterprise"), PartnersWanted(grade="A"), PartnersWanted(active=False)):
        await store.partners("e00000100", 100, wanted)
    for noun in ("partners", "agreements", "credentials", "persons"):
        await store.ids_beginning(noun, "p-new", 6)
        await store.ids_beginning(noun, "p-n", 6)
    await store.agreements_by_id(["customs-out"])
    await store.credentials_by_id(["k-new"])
    await store.partners_by_identifiers([Identifier("ciq-org", "370200")])
    await store.import_partners([replace(partner, id="acme", identifiers=())], [], [])
    with pytest.raises(RegistryRefused):
        await store.remove_partner("acme")
    await store.import_partners([replace(partner, id="p-mistake", identifiers=())], [], [])
    await store.remove_agreement(AGREEMENT.id)
    await store.remove_partner("p-mistake")


ELSEWHERE = {
    "breaks.py:_alert": "a second look for the first alert of all, by the same key as the first",
    "deliveries.py:staged_lanes": "what PostgreSQL locks; SQLite has one writer",
    "dump.py:rows_of": "a backup reads all there is, once",
    "dump.py:insert_all": "a restore writes all there is, once",
    "dump.py:go_on_counting": "as a restore ends",
    "restore.py:_filled": "asks each table for one row",
    "restore.py:_drop_all": "tables without a row",
}
"""Functions that run a statement which one engine or a store with a history does not reach."""


def unreached(recording: Recording) -> list[str]:
    """Functions of the store that run a statement which was not reached, with its line."""
    missing = []
    for path in sorted(FOLDER.glob("*.py")):
        if path.name in ("database.py", "sql.py"):  # pragmas and locks, and a way to insert for each engine
            continue
        for function in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(function, ast.FunctionDef) and f"{path.name}:{function.name}" not in ELSEWHERE:
                missing += [
                    f"{path.name}:{function.name} {call.lineno}"
                    for call in ast.walk(function)
                    if isinstance(call, ast.Call)
                    and getattr(call.func, "attr", getattr(call.func, "id", "")) in RUNS
                    and not recording.lines & {(path.name, line) for line in lines_of(call)}
                ]
    return missing


RUNS = ("execute", "exec_driver_sql", "insert_rows")


def lines_of(node: ast.expr) -> range:
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)


def judged(statement: str) -> bool:
    """Whether a statement reads anything that grows."""
    return (
        not statement.startswith(("INSERT", "PRAGMA", "CREATE", "BEGIN", "SET", "SELECT pg_"))
        and "alembic" not in statement
    )


async def test_every_statement_on_sqlite(filled_file: Path, tmp_path: Path) -> None:
    """On SQLite no statement walks a table that grows, or reads many rows for each that it gives."""
    path = tmp_path / "gateway.db"
    shutil.copy(filled_file, path)
    recording = await recorded(f"sqlite:///{path}", tmp_path)
    assert "\n".join(unreached(recording)) == ""
    faults = []
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement, parameters in recording.statements.values():
            if judged(statement):
                faults += [
                    f"{fault}\n    {statement} {parameters}"[:1500]
                    for fault in faults_on_sqlite(connection, statement, parameters)
                ]
    assert not faults, "\n".join(faults)


def faults_on_sqlite(connection: sqlite3.Connection, statement: str, parameters: Any) -> Iterator[str]:
    plan = [str(row[-1]) for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]
    for line in plan:
        walked = re.match(r"SCAN (\w+)", line)
        # An index may be walked in its order as far as a page is long, which its steps show.
        paged = ("USING INDEX" in line or "ORDER BY" in statement) and "LIMIT" in statement
        grows = walked and walked[1] in tables.metadata.tables and walked[1] not in SMALL
        if walked and grows and not paged and not excused(statement):
            yield f"walks {walked[1]}: {plan}"
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 100

    connection.execute("BEGIN")
    connection.set_progress_handler(count, 100)
    found = len(connection.execute(statement, parameters).fetchall())
    connection.set_progress_handler(None, 0)
    connection.execute("ROLLBACK")
    if steps > STEPS + 200 * (found + asked(parameters)) and not excused(statement):
        yield f"takes {steps} steps for {found} rows: {plan}"


def asked(parameters: Any) -> int:
    """How many things a statement was asked for."""
    lists = [json.loads(one) if isinstance(one, str) and one.startswith("[") else one for one in parameters]
    return sum(len(one) for one in lists if isinstance(one, list))


def excused(statement: str) -> bool:
    return any(re.match(pattern, statement, re.DOTALL) for pattern in WALKED)


async def test_every_statement_on_postgresql(filled_database: str, migrated_database: str, tmp_path: Path) -> None:
    """On PostgreSQL neither, whatever it believes: the plans for empty tables would do for full ones."""
    recording = await recorded(database_url(filled_database), tmp_path)
    assert "\n".join(unreached(recording)) == ""
    faults = []
    empty = await _connected(migrated_database)
    full = await _connected(filled_database)
    try:
        for statement, parameters in filter(lambda one: judged(one[0]), recording.statements.values()):
            found = [
                *faults_on_postgresql(
                    await explained(full, statement, parameters, analyze=True), statement, parameters
                ),
                *faults_on_postgresql(
                    await explained(empty, statement, parameters, analyze=False), statement, parameters
                ),
            ]
            faults += [f"{fault}\n    {statement} {parameters}"[:1500] for fault in found]
    finally:
        await empty.close()
        await full.close()
    assert not faults, "\n".join(faults)


async def explained(
    connection: asyncpg.Connection[Any], statement: str, parameters: Any, *, analyze: bool
) -> dict[str, Any]:
    """The plan of a statement, carried out and taken back where it is to be analyzed."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        how = "ANALYZE, FORMAT JSON" if analyze else "FORMAT JSON"
        (answer,) = await connection.fetch(f"EXPLAIN ({how}) {statement}", *parameters)
    finally:
        await transaction.rollback()
    plan: dict[str, Any] = json.loads(answer[0])[0]["Plan"]
    return plan


def faults_on_postgresql(plan: dict[str, Any], statement: str, parameters: Any) -> Iterator[str]:
    given = plan.get("Actual Rows", 0)
    wanted = given + asked(parameters)
    for node in nodes(plan):
        table, loops = node.get("Relation Name"), node.get("Actual Loops", 1)
        if table in SMALL or excused(statement):
            continue
        if node["Node Type"] == "Seq Scan":
            yield f"walks {table}"
        for removed in ("Rows Removed by Filter", "Rows Removed by Index Recheck"):
            if node.get(removed, 0) * loops > READ + 2 * wanted:
                yield f"{removed}: {node[removed]} x {loops} of {table} for {given}"
        if "Index" in node["Node Type"] and node.get("Actual Rows", 0) * loops > READ + 20 * wanted:
            yield f"reads {node['Actual Rows']} x {loops} of {table} for {given}"


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)
