"""What is old goes to archives that verify by themselves, and nothing else goes; whoever asks for it is told where it is."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from gateway.errors import Archived, GatewayError, NotFound
from gateway.model import CaseEvent, DeliveryState, FeedEntry
from gateway.receipt import verify as evidence
from gateway.receipt.bundle import make_bundle
from gateway.store import archiving, retention
from gateway.store.bodies import BodyFiles, content
from gateway.store.contract import CaseChange, Viewer
from gateway.store.examination import examine
from gateway.store.payloads import payload_names
from gateway.store.retained import Plan, Run
from gateway.store.sql import to_time
from gateway.store.sql_store import SqlStore
from tests.store.backups import everything, parts_of
from tests.store.conftest import Place
from tests.store.made import LEASE, NOW, ORIGIN, accept, claim, delivery, feed_entry, message, outcome, sha256
from tests.store.test_deliveries import result

LARGE = bytes(range(256)) * 300
LATER = NOW + timedelta(days=400)
DAY = timedelta(days=1)
ALL = {"timelines": 30, "deliveries": 30, "feeds": 30, "bodies": 30}


def plan_in(place: Place, days: dict[str, int] | None = None, **given: Any) -> Plan:
    """What is archived: every kind from 30 days on, closed being what is cleared."""
    terms: dict[str, Any] = {"closed": frozenset({"cleared"}), "rows": 3, "archive_bytes": 1 << 20}
    return Plan(place.folder / "archives", ALL if days is None else days, **(terms | given))


async def run(store: SqlStore, place: Place, days: dict[str, int] | None = None, **given: Any) -> Run:
    dry_run, now = given.pop("dry_run", False), given.pop("now", LATER)
    return await store.archive(plan_in(place, days, **given), lambda: now, dry_run=dry_run)


def archives_in(place: Place) -> list[Path]:
    folder = place.folder / "archives"
    return sorted(folder.iterdir()) if folder.exists() else []


def rows_in(path: Path, table: str) -> list[Any]:
    """Rows that an archive holds, by a reader that is not the gateway's."""
    found = [
        gzip.decompress(content_) for name, content_ in parts_of(path).items() if name.startswith(f"tables/{table}/")
    ]
    return [json.loads(line) for one in found for line in one.splitlines()]


def id_(number: int) -> str:
    """An id as the gateway gives them: the beginning is its time, here long ago."""
    return f"{number:012x}7ed1{number:016x}"


@pytest.fixture
async def store(place: Place) -> AsyncIterator[SqlStore]:
    opened = place.store(place.folder / "anchor")
    await opened.open()
    yield opened
    await opened.close()


async def decided(
    store: SqlStore, number: int, status: str = "cleared", *, done: bool = True, body: bytes = b"", **fields: Any
) -> str:
    """A payload with a message of a case of its own in that state, a delivery, and a feed entry; the case's id."""
    claimed = await claim(store, number, id=id_(number), body=body, **fields)
    case = f"{id_(number)[:12]}case{number}"
    sent = delivery(id_(number)[:12] + f"de{number}", f"lane {number}", case_id=case, message_id=f"m{number}")
    opened = CaseEvent(case, NOW, "opened", "opened", "firm")
    await store.commit(
        outcome(
            claimed,
            messages=(message(claimed, id=f"m{number}", case_id=case),),
            cases=(
                CaseChange(case, 0, status, "firm", False, frozenset({("declaration", f"TD-{number}")}), {}, (opened,)),
            ),
            deliveries=(sent,),
            feed=(feed_entry(id_(number)[:12] + f"fe{number}", case_id=case, message_id=f"m{number}", at=NOW),),
        )
    )
    if done:
        (held,) = await store.claim_deliveries(1, LEASE, NOW)
        assert held.id == sent.id
        await store.finish_attempt(result(held))
    return case


# What goes.


async def test_everything_old_goes_and_is_found_in_archives_that_verify(store: SqlStore, place: Place) -> None:
    """Deliveries with their attempts, entries of feeds, timelines and all bytes: each archive holds, offline, by the log's key."""
    for number in range(1, 6):
        await decided(store, number, body=LARGE + bytes([number]) if number == 3 else b"")
    before = await everything(place.url)
    done = await run(store, place)
    assert {one.kind: one.things for one in done.kinds} == {"timelines": 5, "deliveries": 5, "feeds": 5, "bodies": 15}
    after = await everything(place.url)
    for table in ("deliveries_done", "attempts", "feed", "bodies", "body_files"):
        assert (bool(before[table]), after[table]) == (True, []), table
    assert len(archives_in(place)) == 4
    for path in archives_in(place):
        examined = examine(path, store._checkpointer.signer(ORIGIN).vkey)
        assert examined.faults == []
        assert path.stat().st_mode & 0o777 == 0o600
    held: dict[str, int] = {}
    for path in archives_in(place):
        for table in ("deliveries_done", "attempts", "feed", "bodies", "body_files", "case_events"):
            held[table] = held.get(table, 0) + len(rows_in(path, table))
    assert held == {name: len(before[name]) for name in held}
    bodies = next(path for path in archives_in(place) if path.name.startswith("bodies"))
    digest = sha256(LARGE + bytes([3]))
    assert parts_of(bodies)[f"bodies/{digest[:2]}/{digest}"] == LARGE + bytes([3])
    # What the log says of it all is as it was.
    for table in ("receipts", "tree_nodes", "messages", "payloads", "cases", "case_documents"):
        assert after[table] == before[table], table


async def test_receipts_and_bundles_still_verify(store: SqlStore, place: Place) -> None:
    """The log is never thinned: a bundle made before, and one made after, of what is archived."""
    await decided(store, 1)
    (received,) = await store.receipts_of([id_(1)])
    proven = await store.proven(received.index)
    bundle = make_bundle(proven.checkpoint, [(proven.receipt, proven.proof)], [b"payload 1"])
    await run(store, place)
    key = store._checkpointer.signer(ORIGIN).vkey
    assert evidence.verify(bundle, key) == []
    again = await store.proven(received.index)
    assert evidence.verify(make_bundle(again.checkpoint, [(again.receipt, again.proof)], [b"payload 1"]), key) == []
    assert again.receipt == received


async def test_whoever_asks_for_it_is_told_where_it_is(store: SqlStore, place: Place) -> None:
    """Bytes, a delivery, an entry of a feed, a timeline; what belongs to another partner is still not there."""
    case = await decided(store, 1)
    await run(store, place)
    names = [path.name for path in archives_in(place)]
    for asked in (
        store.original(id_(1)),
        store.delivery(id_(1)[:12] + "de1"),
        store.delivery_kept(id_(1)[:12] + "de1", Viewer("customs")),
        store.feed_entry("clearance", "", 1),
        store.reopen_payload(id_(1)),
    ):
        with pytest.raises(Archived) as told:
            await asked
        assert told.value.details["archive"] in names
    with pytest.raises(NotFound):
        await store.delivery_kept(id_(1)[:12] + "de1", Viewer("port"))
    assert await store.feed_begin("release", 0, test=False) == (0, "")
    (view,) = await store.case(case)
    (event,) = view.events
    assert (event.kind, event.text in names) == ("archived", True)
    assert (await store.payload(id_(1))).payload.id == id_(1)
    assert (await store.original(id_(1), body=False)).size == len(b"payload 1")


# What stays.


async def test_what_is_open_held_or_waits_stays(store: SqlStore, place: Place) -> None:
    """A case that is open, one that an operator holds, a delivery that waits, a payload that is not decided."""
    await decided(store, 1, status="accepted")
    case = await decided(store, 2)
    await decided(store, 3, done=False)
    await accept(store, 4, id=id_(4))
    assert await store.hold_cases("TD-2", "claim 7", LATER) == [case]
    before = await everything(place.url)
    done = await run(store, place, {"deliveries": 30, "bodies": 30, "feeds": 30})
    counted = {one.kind: (one.things, one.kept) for one in done.kinds}
    # Of the third: payload and entry; its delivery waits, and the feed's beginning is held by the first.
    assert counted == {"deliveries": (0, 2), "feeds": (0, 3), "bodies": (2, 8)}
    after = await everything(place.url)
    assert after["deliveries_done"] == before["deliveries_done"]
    assert after["feed"] == before["feed"]
    for number in (1, 2, 4):
        assert content(await store.original(id_(number)))
    (waiting,) = await store.claim_deliveries(9, LEASE, LATER)
    assert waiting.body
    assert [(one.case_id, one.reason) for one in await store.holds()] == [(case, "claim 7")]
    assert await store.release_cases("TD-2") == [case]
    done = await run(store, place, {"deliveries": 30})
    assert done.kinds[0].things == 1
    with pytest.raises(NotFound):
        await store.release_cases("TD-2")
    with pytest.raises(NotFound):
        await store.hold_cases("TD-99", "", LATER)


async def test_what_is_young_stays(store: SqlStore, place: Place) -> None:
    """Nothing is archived before its age, nor of a kind that is off."""
    await decided(store, 1)
    assert [
        one.things for one in (await run(store, place, {"deliveries": 500, "feeds": 500, "timelines": 500})).kinds
    ] == [0, 0, 0]
    assert (await run(store, place, {})).kinds == []
    assert archives_in(place) == []


async def test_a_large_body_stays_as_long_as_one_owner_needs_it(store: SqlStore, place: Place) -> None:
    """Of two payloads of the same bytes the old one's mention goes; its file goes with the last mention, when it is swept."""
    await decided(store, 1, body=LARGE)
    await decided(store, 2, status="accepted", body=LARGE)
    await run(store, place, {"bodies": 30})
    files = BodyFiles(place.folder / "payloads")
    assert await store.sweep(older_than=-1) == 0
    assert content(await store.original(id_(2))) == LARGE
    await run(store, place, {"bodies": 30}, closed=frozenset({"cleared", "accepted"}), now=LATER + DAY)
    assert await store.sweep(older_than=-1) == 1
    assert not files.path(sha256(LARGE)).exists()
    with pytest.raises(Archived):
        await store.original(id_(1))


async def test_a_lost_body_is_no_archived_one(store: SqlStore, place: Place) -> None:
    """What is missing or damaged cannot be moved: it stays mentioned, and the archive holds without it."""
    await decided(store, 1, body=LARGE + b"1")
    await decided(store, 2, body=LARGE + b"2")
    files = BodyFiles(place.folder / "payloads")
    files.path(sha256(LARGE + b"1")).unlink()
    files.path(sha256(LARGE + b"2")).write_bytes(b"damaged")
    await run(store, place, {"bodies": 30})
    (path,) = archives_in(place)
    assert examine(path, "").faults == []
    assert len((await everything(place.url))["body_files"]) == 2


async def test_feeds_are_archived_from_their_beginning_without_a_gap(store: SqlStore, place: Place) -> None:
    """An entry that is kept keeps all behind it, so that one number says what a reader has missed."""
    for number in (1, 2):
        await decided(store, number)
    await decided(store, 3, status="accepted")
    await decided(store, 4)
    done = await run(store, place, {"feeds": 30}, rows=10)
    assert (done.kinds[0].things, done.kinds[0].kept) == (2, 2)
    left: list[FeedEntry] = list(await store.feed("clearance", "", 0, 10))
    assert [one.sequence for one in left] == [3, 4]
    (name,) = [path.name for path in archives_in(place)]
    # Everyone's entries are missed by whoever had the first alone; whoever had both misses nothing.
    assert await store.feed_begin("clearance", 1, "customs", test=False) == (2, name)
    assert await store.feed_begin("clearance", 2, "customs", test=False) == (2, "")
    assert await store.feed_begin("clearance", 0, test=True) == (0, "")


async def test_whoever_misses_nothing_of_its_own_reads_on(store: SqlStore, place: Place) -> None:
    """Of a feed with entries for single partners each misses its own alone."""
    claimed = await claim(store, 1, id=id_(1))
    entries = tuple(feed_entry(f"{id_(1)[:12]}e{n}", "status", partner_id=f"p{n}", at=NOW) for n in range(1, 4))
    await store.commit(outcome(claimed, feed=entries))
    await run(store, place, {"feeds": 30})
    (name,) = [path.name for path in archives_in(place)]
    assert await store.feed_begin("status", 1, "p1", test=False) == (3, "")
    assert await store.feed_begin("status", 1, "p3", test=False) == (3, name)
    assert await store.feed_begin("status", 1, "p9", test=False, audiences=("p2",)) == (3, name)
    with pytest.raises(Archived):
        await store.feed_entry("status", "p2", 2)
    with pytest.raises(NotFound):
        await store.feed_entry("status", "p1", 2)


async def test_nothing_goes_while_a_break_is_not_reconciled(store: SqlStore, place: Place) -> None:
    """What the lost history did may still be wanted."""
    await decided(store, 1)
    await decided(store, 2, done=False)
    for path in place.folder.glob("anchor*"):
        path.unlink()
    (place.folder / "anchor").write_text("other\n", "utf-8")
    await accept(store, 9)
    assert (await store.reconciliation("", 1)).breaks
    done = await run(store, place)
    assert (done.put_off, done.kinds, archives_in(place)) == ("broken", [], [])


# How.


async def test_a_dry_run_tells_what_would_go_and_changes_nothing(store: SqlStore, place: Place) -> None:
    """The same things, rows and bytes as the run that follows; nothing is written."""
    for number in range(1, 8):
        await decided(store, number, body=LARGE + bytes([number]) if number == 3 else b"")
    before = await everything(place.url)
    dry = await run(store, place, dry_run=True)
    assert await everything(place.url) == before
    assert archives_in(place) == []
    wet = await run(store, place)
    told = [(one.kind, one.things, one.rows, one.size, one.kept) for one in dry.kinds]
    # Deliveries and entries are there yet when bodies are counted dry, and hold nothing back either.
    assert told == [(one.kind, one.things, one.rows, one.size, one.kept) for one in wet.kinds]
    assert all(one.size > 0 for one in dry.kinds)


async def test_small_archives_follow_one_another(store: SqlStore, place: Place) -> None:
    """Where one is full the next begins; what went is in exactly one."""
    for number in range(1, 8):
        await decided(store, number)
    done = await run(store, place, {"bodies": 30}, archive_bytes=20)
    assert len(done.kinds[0].archives) == len(archives_in(place)) == 7
    keys = [row[0] for path in archives_in(place) for row in rows_in(path, "bodies")]
    assert len(keys) == len(set(keys)) == 21
    assert {one.name for one in await store.archives(100)} == {path.name for path in archives_in(place)}


async def test_what_ended_between_file_and_tables_is_archived_again(
    store: SqlStore, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that dies when the file is there and the rows are too loses nothing, and leaves a file that holds."""
    for number in range(1, 5):
        await decided(store, number)

    def die(*_: object, **__: object) -> int:
        raise RuntimeError("the power is gone")

    before = await everything(place.url)
    with monkeypatch.context() as patch:
        patch.setattr(archiving, "_remove", die)
        with pytest.raises(RuntimeError):
            await run(store, place, {"deliveries": 30})
    assert (await everything(place.url))["deliveries_done"] == before["deliveries_done"]
    done = await store.archive(plan_in(place, {"deliveries": 30}), lambda: LATER + timedelta(seconds=1))
    assert done.kinds[0].things == 4
    assert len(archives_in(place)) == 2
    assert [examine(path, "").faults for path in archives_in(place)] == [[], []]


async def test_what_moves_meanwhile_stays(store: SqlStore, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each transaction looks once more: a case that was held while the file was written keeps what is in it."""
    await decided(store, 1)
    await decided(store, 2)
    real = archiving._note

    def hold_first(connection: Connection, row: Any) -> None:
        real(connection, row)
        from gateway.store import holds

        holds.hold(connection, "TD-1", "just now", LATER)

    monkeypatch.setattr(archiving, "_note", hold_first)
    done = await run(store, place, {"deliveries": 30})
    assert done.kinds[0].things == 1
    assert (await store.delivery(id_(1)[:12] + "de1")).state == DeliveryState.DELIVERED


async def test_one_node_is_at_it_at_a_time(store: SqlStore, place: Place) -> None:
    """The other one does nothing, until the first is done or has not been heard of for ten minutes."""
    await decided(store, 1)
    other = place.store(place.folder / "anchor")
    await other.open()
    taken = await store._database.write(lambda connection: archiving._take_turn(connection, LATER, 0))
    assert taken
    assert (await run(other, place)).put_off == "busy"
    late = await other.archive(plan_in(place), lambda: LATER + archiving.TURN + timedelta(seconds=1))
    assert late.put_off == ""
    assert sum(one.things for one in late.kinds) == 6
    await other.close()


async def test_no_transaction_removes_more_than_it_may(
    store: SqlStore, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much goes, whoever writes beside it waits for `rows` things at most."""
    for number in range(1, 9):
        await decided(store, number)
    real, sizes = archiving._remove, list[int]()

    def counted(connection: Connection, **given: Any) -> int:
        sizes.append(len(given["page"]))
        return real(connection, **given)

    monkeypatch.setattr(archiving, "_remove", counted)
    await run(store, place)
    assert (max(sizes), sum(sizes)) == (3, 8 + 8 + 8 + 24)


async def test_accepts_are_answered_while_it_is_at_it(store: SqlStore, place: Place) -> None:
    """It shares the writer: what comes meanwhile is taken, and nothing of it goes."""
    for number in range(1, 20):
        await decided(store, number)
    stop = asyncio.Event()

    async def send() -> int:
        count = 0
        while not stop.is_set():
            await accept(store, 10_000 + count)
            count += 1
        return count

    sender = asyncio.create_task(send())
    await run(store, place, rows=2)
    stop.set()
    assert await sender > 0


async def test_a_fault_of_a_run_is_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes wrong with one daily run is logged, and the next one comes."""
    monkeypatch.setattr(archiving, "RUN_SECONDS", 0.0)
    ran: list[int] = []

    async def archive() -> Run:
        ran.append(1)
        if len(ran) < 3:
            raise (OSError("full") if len(ran) == 1 else GatewayError("no"))
        if len(ran) == 5:
            raise asyncio.CancelledError
        return Run()

    with pytest.raises(asyncio.CancelledError):
        await archiving.keep_archived(archive, first=0)
    assert len(ran) == 5


async def test_what_cannot_be_sent_again_is_not_promised(store: SqlStore, place: Place) -> None:
    """A delivery whose bytes, or that itself, are in an archive is not sent once more: its lane goes on, and the archive is named."""
    await decided(store, 1)
    id_of = id_(1)[:12] + "de1"
    (bodies,) = (await run(store, place, {"bodies": 30})).kinds
    with pytest.raises(Archived, match=bodies.archives[0]):
        await store.resend_delivery(id_of, LATER)
    assert (await store.deliveries("", "", 9))[0].state is DeliveryState.DELIVERED
    (deliveries,) = (await run(store, place, {"deliveries": 30})).kinds
    with pytest.raises(Archived, match=deliveries.archives[0]):
        await store.resend_delivery(id_of, LATER)


async def test_what_is_sent_again_meanwhile_is_not_archived(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that goes back into its lane between an archive's look and its removal stays, with its attempts, on two nodes too."""
    if not place.url.startswith("postgresql"):
        pytest.skip("one database has one writer there")
    one, other = place.store(place.folder / "anchor"), place.store(place.folder / "anchor")
    await one.open()
    await other.open()
    try:
        await decided(one, 1)
        id_of = id_(1)[:12] + "de1"
        began, resent = threading.Event(), threading.Event()
        plain = retention.kept_cases

        def slow(*given: Any) -> set[str]:
            began.set()
            resent.wait(1.5)
            return plain(*given)

        found = await one._read(lambda connection: archiving._read_rows(connection, retention.KINDS[1], [id_of]))
        assert found
        monkeypatch.setattr(retention, "kept_cases", slow)
        removing = asyncio.create_task(
            one._trusted(
                one._database.write,
                lambda connection: archiving._remove(
                    connection,
                    retention.KINDS[1],
                    [retention.Due(id_of, tuple(payload_names(id_(1))))],
                    retention.Terms(to_time(LATER), frozenset({"cleared"})),
                    "an-archive",
                ),
            )
        )
        await asyncio.to_thread(began.wait, 5)
        resending = asyncio.create_task(other.resend_delivery(id_of, LATER))
        await asyncio.wait([resending], timeout=1)
        resent.set()
        removed = await removing
        came_to = (await asyncio.gather(resending, return_exceptions=True))[0]
        waiting = [found.state for found in await one.deliveries("", "", 9)]
        # Either the archive has it, or its lane: never both.
        assert (removed, type(came_to), waiting) in [(1, Archived, []), (0, type(None), [DeliveryState.PENDING])]
    finally:
        await other.close()
        await one.close()
