"""The log's audit of itself: every kind of damage to its rows is named, once, and nothing else is."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import tracemalloc
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy import Connection, delete, insert, make_url, select, update

from gateway.errors import StoreUnavailable
from gateway.model import Stage
from gateway.receipt import chain
from gateway.receipt.chain import Frontier, leaf_hash
from gateway.receipt.signed import Signer
from gateway.store import log_watch, tables
from gateway.store.contract import AuditMark
from gateway.store.log import LogState, write_state
from gateway.store.log_audit import read_end
from gateway.store.log_watch import LogWatch
from gateway.store.sql_store import SqlStore
from tests.store.conftest import Place
from tests.store.made import ORIGIN, accept, outcome, receipt

R, N, C, S = tables.receipts, tables.tree_nodes, tables.checkpoints, tables.log_state
SIZE = 41
"""Entries: 20 alone in their commits, then one of a claimed payload, and 20 in one commit."""


async def fill(store: SqlStore) -> None:
    for number in range(1, 21):
        await accept(store, number)
    # The inbox is not empty: the oldest is claimed.
    claimed = await claim_first(store)
    await store.commit(outcome(claimed, receipts=tuple(receipt(f"s{n}") for n in range(20))))
    await accept(store, 99)


async def claim_first(store: SqlStore) -> Any:
    from tests.store.made import LEASE, NOW

    (claimed,) = await store.claim_payloads(1, LEASE, NOW)
    return claimed


@pytest.fixture
async def full(place: Place) -> AsyncIterator[SqlStore]:
    """A log of 41 entries in 22 commits, on each engine that keeps what it is told to keep."""
    store = place.store()
    await store.open()
    await fill(store)
    yield store
    await store.close()


async def audited(store: SqlStore, page: int = 7, place: int = 0) -> Any:
    """The stored log, wholly looked at."""
    seen = await store.audit_from(place)
    for _ in range(1000):
        if await store.audit_on(seen, page):
            return seen
    raise AssertionError("the audit does not come to an end")


def found(seen: Any) -> list[tuple[str, int | None]]:
    return [(p.code.removeprefix("receipt.stored."), p.index) for p in seen.problems]


# Damage. Each takes a connection and the log's key, as somebody with the database in hand might, or a broken disk.


def drop_receipt(index: int) -> Callable[..., None]:
    return lambda c, _: c.execute(delete(R).where(R.c.index == index))


def change_receipt(index: int) -> Callable[..., None]:
    def change(c: Connection, _: Signer) -> None:
        body = c.execute(select(R.c.body).where(R.c.index == index)).scalar_one()
        c.execute(update(R).where(R.c.index == index).values(body=body.replace(b'"stage"', b'"stagE"')))

    return change


def set_receipt(index: int, **values: object) -> Callable[..., None]:
    return lambda c, _: c.execute(update(R).where(R.c.index == index).values(**values))


def swap_receipts(c: Connection, _: Signer) -> None:
    rows = {row.index: row.body for row in c.execute(select(R).where(R.c.index.in_([3, 12])))}
    for index, other in ((3, 12), (12, 3)):
        c.execute(update(R).where(R.c.index == index).values(body=rows[other]))


def set_node(level: int, index: int) -> Callable[..., None]:
    return lambda c, _: c.execute(update(N).where(N.c.level == level, N.c.index == index).values(hash=b"x" * 32))


def drop_node(level: int, index: int) -> Callable[..., None]:
    return lambda c, _: c.execute(delete(N).where(N.c.level == level, N.c.index == index))


def all_of(*changes: Callable[..., None]) -> Callable[..., None]:
    def change(c: Connection, signer: Signer) -> None:
        for one in changes:
            one(c, signer)

    return change


def rewrite(index: int, *, above: int) -> Callable[..., None]:
    """The receipt at `index` replaced, with its leaf and `above` nodes above it."""

    def change(c: Connection, _: Signer) -> None:
        c.execute(update(R).where(R.c.index == index).values(body=b'{"forged":true}'))
        value, at = leaf_hash(b'{"forged":true}'), index
        for level in range(above + 1):
            c.execute(update(N).where(N.c.level == level, N.c.index == at).values(hash=value))
            query = select(N.c.hash).where(N.c.level == level, N.c.index == at ^ 1)
            sibling = c.execute(query).scalar()
            if sibling is None:
                break
            value = chain.node_hash(sibling, value) if at & 1 else chain.node_hash(value, sibling)
            at >>= 1

    return change


def set_note(size: int, note: Callable[[Signer, Any], str]) -> Callable[..., None]:
    def change(c: Connection, signer: Signer) -> None:
        row = c.execute(select(C).where(C.c.size == size)).one()
        c.execute(update(C).where(C.c.size == size).values(note=note(signer, row)))

    return change


def set_back_state(c: Connection, _: Signer) -> None:
    """The log's state as it was 21 entries ago: the next commit would sign another history."""
    leaves = c.execute(select(N.c.hash).where(N.c.level == 0).order_by(N.c.index)).scalars()
    frontier = Frontier()
    frontier.append(list(leaves)[:20])
    write_state(c, LogState(ORIGIN, frontier))


def beyond(c: Connection, _: Signer) -> None:
    c.execute(insert(R).values(index=SIZE + 3, stage="received", subject_id="x", body=b"{}"))


OTHER = Signer(ORIGIN, b"o" * 32)

# (what was done, how, what is found)
DAMAGE = [
    ("nothing", lambda *_: None, []),
    # Gaps
    ("the first receipt gone", drop_receipt(0), [("missing", 0)]),
    ("a receipt gone", drop_receipt(9), [("missing", 9)]),
    ("one of a large commit gone", drop_receipt(33), [("missing", 33)]),
    ("the last receipt gone", drop_receipt(SIZE - 1), [("missing", SIZE - 1)]),
    ("several gone", all_of(drop_receipt(6), drop_receipt(7), drop_receipt(21)),
     [("missing", 6), ("missing", 7), ("missing", 21)]),
    ("a receipt and its leaf gone", all_of(drop_receipt(33), drop_node(0, 33)),
     [("missing", 33), ("node_missing", 33), ("rewritten", 32)]),
    # Changed rows
    ("a receipt changed", change_receipt(5), [("changed", 5)]),
    ("one of a large commit changed", change_receipt(30), [("changed", 30)]),
    ("two swapped", swap_receipts, [("changed", 3), ("changed", 12)]),
    ("filed under another subject", set_receipt(5, subject_id="another"), [("row", 5)]),
    ("filed under another stage", set_receipt(5, stage="checked"), [("row", 5)]),
    ("a receipt that is no JSON", set_receipt(5, body=b"\xff"), [("changed", 5)]),
    ("a receipt emptied", set_receipt(5, body=b""), [("changed", 5)]),
    ("a leaf changed", set_node(0, 5), [("leaf", 5)]),
    ("one leaf of a large commit changed", set_node(0, 30), [("leaf", 30)]),
    ("a leaf gone", drop_node(0, 5), [("node_missing", 5)]),
    ("a node changed", set_node(1, 3), [("node", 6)]),
    ("a node over half the log changed", set_node(4, 1), [("node", 16)]),
    ("a node gone", drop_node(2, 1), [("node_missing", 4)]),
    ("a receipt and a leaf elsewhere changed", all_of(change_receipt(5), set_node(0, 9)),
     [("changed", 5), ("leaf", 9)]),
    # Rewritten with care: receipt and leaf, and the nodes above as far as given
    ("receipt and leaf", rewrite(33, above=0), [("rewritten", 32)]),
    ("receipt, leaf and a node", rewrite(33, above=1), [("rewritten", 32)]),
    ("receipt and leaf alone in a commit", rewrite(8, above=0), [("forked", 8)]),
    ("the whole way up", rewrite(5, above=9), [("forked", 5)]),
    ("the whole way up in a large commit", rewrite(33, above=9), [("forked", 20)]),
    ("the whole way up, and another changed", all_of(rewrite(5, above=9), change_receipt(30)),
     [("forked", 5), ("changed", 30)]),
    # Checkpoints
    ("a checkpoint by another key", set_note(7, lambda _, row: OTHER.checkpoint(7, b"r" * 32)), [("checkpoint", None)]),
    ("a checkpoint of another size", set_note(7, lambda s, row: s.checkpoint(8, b"r" * 32)), [("checkpoint", None)]),
    ("a checkpoint of another tree, by our key", set_note(7, lambda s, row: s.checkpoint(7, b"r" * 32)),
     [("forked", 6)]),
    ("a checkpoint that is none", set_note(7, lambda *_: "?"), [("checkpoint", None)]),
    ("a checkpoint under another name", lambda c, _: c.execute(update(C).where(C.c.size == 7).values(origin="x")),
     [("checkpoint", None)]),
    ("a checkpoint of a later name amid", set_note(7, lambda s, row: s.renamed(f"{ORIGIN}~2").checkpoint(7, b"r" * 32)),
     [("checkpoint", None)]),
    ("the newest checkpoint gone", lambda c, _: c.execute(delete(C).where(C.c.size == SIZE)), [("newest", None)]),
    # The state
    ("the state gone", lambda c, _: c.execute(delete(S)), [("state", None)]),
    ("the state cut", lambda c, _: c.execute(update(S).values(frontier=b"x")), [("state", None)]),
    ("the state's tree changed", lambda c, _: c.execute(update(S).values(
        frontier=SIZE.to_bytes(8, "big") + b"x" * 32 * SIZE.bit_count())), [("state", None)]),
    ("the state's name changed", lambda c, _: c.execute(update(S).values(origin=f"{ORIGIN}~2")), [("name", None)]),
    ("the state set back", set_back_state, [("newest", None), ("beyond", SIZE - 1)]),
    ("an entry behind the end", beyond, [("beyond", SIZE + 3)]),
]  # fmt: skip


@pytest.mark.parametrize(("damage", "expected"), [d[1:] for d in DAMAGE], ids=[d[0] for d in DAMAGE])
async def test_what_was_done_to_the_log_is_named(full: SqlStore, place: Place, damage: Any, expected: Any) -> None:
    """Each kind of damage is named by its place and kind, however the log falls into pages."""
    await full._database.write(lambda c: damage(c, Signer(ORIGIN, place.key)))
    for page in (1, 7, 1000):
        assert sorted(found(await audited(full, page)), key=str) == sorted(expected, key=str)


@pytest.mark.parametrize("value", ["'text'", "17", "1.5", "x''", "x'ff'", "char(0xd83d)"])
@pytest.mark.parametrize(
    ("table", "column", "row", "expected"),
    [
        ("receipts", "body", '"index" = 5', [("changed", 5)]),
        ("receipts", "stage", '"index" = 5', [("row", 5)]),
        ("receipts", "subject_id", '"index" = 5', [("row", 5)]),
        ("tree_nodes", "hash", 'level = 0 AND "index" = 5', [("leaf", 5)]),
        ("tree_nodes", "hash", 'level = 1 AND "index" = 3', [("node", 6)]),
        ("checkpoints", "note", "size = 7", [("checkpoint", None)]),
        ("checkpoints", "origin", "size = 7", [("checkpoint", None)]),
        ("log_state", "frontier", "true", [("state", None)]),
        ("log_state", "origin", "true", [("name", None)]),
    ],
)
async def test_what_is_not_even_of_the_columns_type_is_named(
    table: str, column: str, row: str, expected: Any, value: str, filled_file: Path, tmp_path: Path
) -> None:
    """SQLite keeps whatever is written into a column; the audit names it like any other change."""
    shutil.copy(filled_file, tmp_path / "gateway.db")
    store = Place(f"sqlite:///{tmp_path}/gateway.db", tmp_path, b"k" * 32).store()
    with sqlite3.connect(tmp_path / "gateway.db") as database:
        database.execute(f"UPDATE {table} SET {column} = {value} WHERE {row}")
    database.close()
    assert found(await audited(store)) == expected
    if table != "log_state":
        (await store.audit_from(7)).close(await store._read(read_end))
    await store.close()


@pytest.fixture(scope="module")
def filled_file(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with such a log."""
    folder = tmp_path_factory.mktemp("filled")
    shutil.copy(migrated_file, folder / "gateway.db")
    store = Place(f"sqlite:///{folder}/gateway.db", folder, b"k" * 32).store()

    async def fill_it() -> None:
        await store.open()
        await fill(store)
        await store.close()

    asyncio.run(fill_it())
    return folder / "gateway.db"


async def test_every_kind_of_fault_has_its_damage() -> None:
    """No fault is in the catalogue that nothing above provokes."""
    from gateway.findings import catalogue

    # What only the audit's anchor can show is provoked in test_audit.
    of_audit = {"receipt.stored.anchored", "receipt.stored.anchor_foreign"}
    named = {code for code in catalogue() if code.startswith("receipt.stored.")} - of_audit
    assert named == {f"receipt.stored.{code}" for _, _, expected in DAMAGE for code, _ in expected}


async def test_an_empty_log_has_no_fault(place: Place) -> None:
    """Before the first commit there is nothing to look at, and nothing wrong."""
    store = place.store()
    assert found(await audited(store)) == []
    await store.close()


@pytest.mark.parametrize(("damage", "begun"), [(change_receipt(5), 20), (rewrite(5, above=9), 0)])
async def test_the_audit_goes_on_from_a_checkpoint(full: SqlStore, place: Place, damage: Any, begun: int) -> None:
    """From a place that was kept, only what follows is looked at; a tree that is not what was signed is begun anew."""
    seen = await audited(full)
    assert (seen.size, seen.proven) == (SIZE, SIZE)
    assert (await full.audit_from(30)).size == 20  # the checkpoint before it
    await full._database.write(lambda c: damage(c, Signer(ORIGIN, place.key)))
    assert (await full.audit_from(30)).size == begun
    assert found(await audited(full, place=30)) == ([] if begun else [("forked", 5)])


async def test_the_audit_of_a_growing_log_finds_nothing(place: Place) -> None:
    """While others write, nothing half written is taken for damage."""
    store = place.store()
    await store.open()
    writing = True

    async def write(start: int) -> None:
        number = start
        while writing:
            await accept(store, number)
            number += 1

    writers = [asyncio.create_task(write(start * 100_000 + 1)) for start in range(3)]
    try:
        for _ in range(15):
            seen = await store.audit_from(0)
            for _ in range(40):
                if await store.audit_on(seen, 50):
                    break
            assert seen.problems == []
    finally:
        writing = False
        await asyncio.gather(*writers)
        await store.close()


async def test_a_log_that_took_a_new_name_has_no_fault(sqlite_url: str, tmp_path: Any) -> None:
    """Checkpoints of the name before and of the present one are both the log's own."""
    place, anchor = Place(sqlite_url, tmp_path, b"k" * 32), tmp_path / "anchor"

    async def grow(numbers: range) -> SqlStore:
        store = place.store(anchor)
        await store.open()
        for number in numbers:
            await accept(store, number)
        await store.close()
        return store

    await grow(range(1, 6))
    database = tmp_path / str(make_url(sqlite_url).database)
    shutil.copy(database, tmp_path / "copy.db")
    await grow(range(6, 9))
    for leftover in tmp_path.glob("gateway.db-*"):
        leftover.unlink()
    shutil.copy(tmp_path / "copy.db", database)
    store = await grow(range(9, 12))
    assert store.origin == f"{ORIGIN}~2"
    reader = place.store()
    seen = await audited(reader)
    assert (found(seen), seen.proven) == ([], 8)
    await reader.close()


async def test_memory_stays_flat(full: SqlStore) -> None:
    """However much is wrong, no more than a thousand faults are held, and the audit ends."""

    def spoil(c: Connection) -> None:
        c.execute(delete(C))
        rows = [{"index": SIZE + n, "stage": "received", "subject_id": "x", "body": b"{}"} for n in range(3000)]
        c.execute(insert(R), rows)
        c.execute(insert(N), [{"level": 0, "index": SIZE + n, "hash": b"x" * 32} for n in range(3000)])
        frontier = Frontier()
        frontier.append([b"y" * 32] * (SIZE + 3000))
        write_state(c, LogState(ORIGIN, frontier))

    await full._database.write(spoil)
    tracemalloc.start()
    seen = await full.audit_from(0)
    while not seen.full and not await full.audit_on(seen, 64):
        pass
    assert seen.full
    assert seen.size < SIZE + 3000
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


# The watch


@pytest.fixture
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pauses, so that rounds follow each other within a test."""
    monkeypatch.setattr(log_watch, "PAGE", 5)
    monkeypatch.setattr(log_watch, "DUTY", 0)
    monkeypatch.setattr(log_watch, "ROUND_SECONDS", 0.01)


async def run_for(watch: LogWatch, until: Callable[[], bool]) -> None:
    task = asyncio.create_task(watch.run())
    try:
        for _ in range(1000):
            if until():
                return
            assert not task.done(), task.exception()
            await asyncio.sleep(0.01)
        raise AssertionError("it was not seen")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def found_by_a_watch(store: SqlStore) -> list[tuple[str, int | None]]:
    """What a watch of its own tells within three rounds."""
    problems: list[Any] = []
    sizes: list[int] = []
    watch = LogWatch(store, 100_000, on_found=problems.append, on_page=sizes.append)
    await run_for(watch, lambda: sizes.count(SIZE) >= 3)
    return [(p.code, p.index) for p in problems]


async def alerts(store: SqlStore) -> list[dict[str, Any]]:
    entries = await store.feed("alerts", "", 0, 100)
    return [json.loads((await store.feed_entry("alerts", "", e.sequence)).body) for e in entries]


@pytest.mark.usefixtures("brisk")
async def test_a_fault_is_told_once(full: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many rounds, restarts and nodes find a fault, it is one alert and one line of the log."""
    monkeypatch.setattr(log_watch, "HOLD_SECONDS", -2.0)  # run out at once, as long after a crash
    await full._database.write(lambda c: all_of(change_receipt(5), drop_receipt(33))(c, None))
    with structlog.testing.capture_logs() as logs:
        for _ in range(2):
            assert await found_by_a_watch(full) == [("receipt.stored.changed", 5), ("receipt.stored.missing", 33)]
    found_ = await alerts(full)
    assert [a["alert"] for a in found_] == ["receipt_log_damaged"] * 2
    assert [r["code"] for r in found_[0]["reasons"]] == ["receipt.stored.changed"]
    assert found_[0]["reasons"][0]["args"]["index"] == "5"
    errors = [line for line in logs if line["log_level"] == "error"]
    assert [(line["event"], line["index"]) for line in errors] == [
        ("receipt_log_damaged", 5),
        ("receipt_log_damaged", 33),
    ]
    # It is an alert like any other: on the operator's feed, and on nobody else's.
    assert await full.feed("alerts", "firm", 0, 100) == []


async def test_the_tail_is_looked_at_at_once(full: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the start the newest entries are judged, bounded in number and time, also where the audit is off."""
    monkeypatch.setattr(log_watch, "TAIL_ENTRIES", 15)
    await full._database.write(lambda c: all_of(change_receipt(5), change_receipt(35))(c, None))
    problems: list[Any] = []
    await run_for(LogWatch(full, 0, on_found=problems.append), lambda: bool(problems))
    assert [p.index for p in problems] == [35]
    monkeypatch.setattr(log_watch, "TAIL_SECONDS", 0.0)
    problems.clear()
    await LogWatch(full, 0, on_found=problems.append).look_at_tail()
    assert problems == []


@pytest.mark.usefixtures("brisk")
async def test_the_audit_goes_on_after_a_restart(full: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A round that a restart cut short is ended by the next process, not begun anew."""
    monkeypatch.setattr(log_watch, "MARK_SECONDS", 0.0)
    monkeypatch.setattr(log_watch, "HOLD_SECONDS", -2.0)  # run out at once, as long after a crash
    monkeypatch.setattr(log_watch, "TAIL_ENTRIES", 0)
    sizes: list[int] = []
    await run_for(LogWatch(full, 100, on_page=sizes.append), lambda: 20 in sizes)
    later: list[int] = []
    await run_for(LogWatch(full, 100_000, on_page=later.append), lambda: bool(later))
    assert later[0] >= 20


@pytest.mark.usefixtures("brisk")
async def test_of_two_nodes_one_audits(full: SqlStore, place: Place) -> None:
    """Nodes on one database take turns: while one holds the audit, the other looks at nothing."""
    other = place.store()
    await other.open()
    first: list[int] = []
    second: list[int] = []
    begun: list[asyncio.Task[None]] = []

    def has_come_far() -> bool:
        if first and not begun:
            begun.append(asyncio.create_task(LogWatch(other, 100_000, on_page=second.append).run()))
        return first.count(SIZE) >= 5

    await run_for(LogWatch(full, 100_000, on_page=first.append), has_come_far)
    begun[0].cancel()
    await asyncio.gather(*begun, return_exceptions=True)
    assert second == []
    await other.close()


async def test_a_hold_is_named_by_its_end(full: SqlStore) -> None:
    """Whoever holds the audit may go on; another one may when that hold has run out, and finds the place kept."""
    held = await full.mark_audit(AuditMark(now=100, until=200))
    assert held == AuditMark(100, 200, 200, 0)
    assert await full.mark_audit(AuditMark(now=150, until=251)) is None
    assert await full.mark_audit(AuditMark(now=150, until=250, held=200, place=20)) == AuditMark(150, 250, 250, 20)
    assert await full.mark_audit(AuditMark(now=200, until=300, held=200, place=7)) is None
    assert await full.mark_audit(AuditMark(now=251, until=351)) == AuditMark(251, 351, 351, 20)


@pytest.mark.usefixtures("brisk")
@pytest.mark.parametrize("error", [StoreUnavailable("away"), RuntimeError("a fault of ours")])
async def test_a_fault_of_the_audit_ends_nothing(
    full: SqlStore, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """A store that does not answer, or a mistake in the audit, is survived: the next round looks again."""
    whole, calls = full.audit_on, 0

    async def failing(*arguments: Any) -> bool:
        nonlocal calls
        calls += 1
        if calls in (1, 4):
            raise error
        return await whole(*arguments)

    monkeypatch.setattr(full, "audit_on", failing)
    sizes: list[int] = []
    await run_for(LogWatch(full, 100_000, on_page=sizes.append), lambda: sizes.count(SIZE) >= 2)


@pytest.mark.usefixtures("brisk")
async def test_a_peak_is_waited_for_but_not_for_ever(full: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """While many arrivals wait, a page is put off, up to a bound."""
    monkeypatch.setattr(log_watch, "PATIENCE", 0.2)
    busy = True
    sizes: list[int] = []
    loop = asyncio.get_running_loop()
    times: list[float] = []
    watch = LogWatch(
        full, 100_000, busy=lambda: busy, on_page=lambda size: (sizes.append(size), times.append(loop.time()))
    )
    await run_for(watch, lambda: len(sizes) >= 3)
    assert times[2] - times[1] >= 0.19


async def test_no_more_is_looked_at_than_agreed(full: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rate is kept: pages of five entries at fifty a second are a tenth of a second apart."""
    monkeypatch.setattr(log_watch, "PAGE", 5)
    loop = asyncio.get_running_loop()
    times: list[float] = []
    await run_for(LogWatch(full, 50, on_page=lambda _size: times.append(loop.time())), lambda: len(times) >= 4)
    assert all(later - earlier >= 0.095 for earlier, later in pairwise(times))


async def test_receipts_of_every_stage_are_filed_by_what_they_say() -> None:
    """The fields that name a receipt's subject are those that the stages' receipts have."""
    from gateway.receipt.problems import FIELDS
    from gateway.receipt.stored import _SUBJECT

    for stage in Stage:
        assert _SUBJECT.get(stage.value, "delivery") in FIELDS[stage]
