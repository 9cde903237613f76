"""What goes wrong: a full disk, a locked or closed database, an operation to blame, a transaction that dies."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import Connection, make_url

from gateway import durable
from gateway.errors import BodyLost, ConfigurationInvalid, StorageFull, StoreUnavailable
from gateway.receipt.chain import Frontier, leaf_hash
from gateway.receipt.signed import Checkpoint
from gateway.store import database
from gateway.store.bodies import content, digest
from gateway.store.sql_store import SqlStore
from tests.store.conftest import Place
from tests.store.made import LEASE, NOW, accept, claim, delivery, feed_entry, outcome, payload, received


@pytest.fixture
async def sqlite_store(sqlite_url: str, tmp_path: Path):
    store = Place(sqlite_url, tmp_path, b"k" * 32).store(tmp_path / "anchor")
    await store.open()
    yield store
    await store.close()


async def consistent(store: SqlStore) -> int:
    """Check the whole log against its newest checkpoint; how many receipts it has."""
    frontier = Frontier()
    receipts = [one async for one in store.log()]
    assert [one.index for one in receipts] == list(range(len(receipts)))
    frontier.append(leaf_hash(one.body) for one in receipts)
    signed = Checkpoint.parse((await store.checkpoint()).partition("\n\n")[0] + "\n")
    assert (signed.size, signed.root) == (frontier.size, frontier.root())
    return len(receipts)


async def test_a_full_database_is_told_and_the_store_goes_on(sqlite_store: SqlStore) -> None:
    """When SQLite has no room, senders get StorageFull; what was acknowledged stays; with room again it goes on."""
    store = sqlite_store
    await accept(store, 1)
    pages = await store._database.write(lambda c: c.exec_driver_sql("PRAGMA page_count").scalar_one())

    def limit(count: int):
        return store._database.write(lambda c: c.exec_driver_sql(f"PRAGMA max_page_count = {count}").scalar_one())

    await limit(pages + 4)
    body = random.Random(1).randbytes(60_000)  # which cannot be deflated
    results = await asyncio.gather(
        *(accept(store, n, body=body + bytes([n])) for n in range(2, 9)), return_exceptions=True
    )
    assert {type(one) for one in results} == {StorageFull}
    assert await consistent(store) == 1
    await limit(1_000_000)
    await accept(store, 10)
    assert await consistent(store) == 2


async def test_small_operations_still_fit_when_a_large_one_does_not(sqlite_store: SqlStore) -> None:
    """Of a batch that does not fit, only the operation to blame fails."""
    store = sqlite_store
    await accept(store, 1)
    pages = await store._database.write(lambda c: c.exec_driver_sql("PRAGMA page_count").scalar_one())
    await store._database.write(lambda c: c.exec_driver_sql(f"PRAGMA max_page_count = {pages + 8}").scalar_one())
    results = await asyncio.gather(
        accept(store, 2, body=random.Random(1).randbytes(60_000)), accept(store, 3), return_exceptions=True
    )
    assert [type(one).__name__ for one in results] == ["StorageFull", "Accepted"]
    assert await consistent(store) == 2


async def test_a_full_payload_folder_is_told(sqlite_store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """No room for a large body's file: StorageFull, and no half file stays."""

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)  # where file systems tell it that allocate late
        with pytest.raises(StorageFull):
            await accept(sqlite_store, 1, body=b"x" * 70_000)
    assert list(sqlite_store._files._folder.glob("*/*")) == []
    await accept(sqlite_store, 1, body=b"x" * 70_000)
    assert not [path for path in sqlite_store._files._folder.glob("*/*") if path.suffix == ".part"]


async def test_a_poisoned_operation_fails_alone(store: SqlStore) -> None:
    """What the database refuses fails; the others of its batch are written."""
    poison = payload(2, content_type="\ud800")  # no encoding carries a lone surrogate
    results = await asyncio.gather(
        accept(store, 1), store.accept(poison, received(payload(2))), accept(store, 3), return_exceptions=True
    )
    assert [isinstance(one, Exception) for one in results] == [False, True, False]
    assert await consistent(store) == 2


async def test_a_body_that_is_not_its_digest_is_refused(store: SqlStore) -> None:
    """Bodies are kept by their digest, so a wrong digest would hand out other bytes later."""
    for size in (10, 70_000):
        wrong = payload(1, body=b"x" * size, sha256="0" * 64)
        with pytest.raises(ValueError, match="digest"):
            await store.accept(wrong, received(wrong))


@pytest.mark.parametrize("place_of_death", ["insert_rows", "write_state"])
async def test_a_transaction_that_dies_leaves_nothing(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch, place_of_death: str
) -> None:
    """A transaction that dies between any two statements leaves no payload, no receipt, no gap."""
    await accept(store, 1)
    survived = 0
    for statement in range(1, 9):
        calls = 0
        real = getattr(__import__("gateway.store.batch", fromlist=["batch"]), place_of_death)

        def dying(*arguments: object, real=real, statement=statement) -> None:
            nonlocal calls
            calls += 1
            if calls == statement:
                raise RuntimeError("killed")
            real(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr(f"gateway.store.batch.{place_of_death}", dying)
            try:
                accepted = await accept(store, 100 + statement)
            except RuntimeError:
                assert not [
                    one for one in await store.payloads("", "", "", 99) if one.payload.id == f"{100 + statement:032x}"
                ]
            else:
                survived += 1
                assert accepted.receipt.index == survived
        assert await consistent(store) == survived + 1


async def test_a_sweep_removes_only_what_nothing_mentions(store: SqlStore) -> None:
    """Files of payloads, deliveries and feeds stay; orphans and drafts of a certain age go."""
    body, sent, published = b"x" * 70_000, b"y" * 70_000, b"w" * 70_000
    claimed = await claim(store, 1, body=body)
    feed = (feed_entry("f", body=published),)
    await store.commit(outcome(claimed, deliveries=(delivery("d", body=sent),), feed=feed))
    orphan = b"z" * 70_000
    store._files.keep(digest(orphan), orphan)
    draft = store._files.path(digest(orphan)).with_name(f".{'0' * 16}{durable.UNFINISHED}")
    draft.write_bytes(b"half")
    assert await store.sweep(3600) == 0
    assert await store.sweep(-1) == 2
    assert content((await store.payload(claimed.payload.id)).payload) == body
    assert (await store.delivery("d")).body == sent
    assert (await store.feed_entry("clearance", "", 1)).body == published


async def test_a_lost_file_keeps_no_other_payload_from_being_claimed(store: SqlStore) -> None:
    """A payload whose file is gone is claimed without its bytes, so that it can be failed; the others are whole."""
    body = b"x" * 70_000
    await accept(store, 1, body=body)
    await accept(store, 2)
    store._files.path(digest(body)).unlink()
    claimed = await store.claim_payloads(9, LEASE, NOW)
    assert [one.payload.body for one in claimed] == [b"", b"payload 2"]
    with pytest.raises(BodyLost, match=f"payload_folder.*{digest(body)}"):
        content((await store.payload(claimed[0].payload.id)).payload)


async def test_a_lost_body_is_no_fault_of_the_log(store: SqlStore) -> None:
    """Whoever reads a delivery, an entry of a feed or a payload whose file is gone is sent to the payload folder."""
    sent, published, came = (letter * 70_000 for letter in (b"y", b"w", b"x"))
    claimed = await claim(store, 1, body=came)
    feed = (feed_entry("f", body=published),)
    await store.commit(outcome(claimed, deliveries=(delivery("d", body=sent),), feed=feed))
    there = (await store.payload(claimed.payload.id)).payload
    for body in (sent, published, came):
        store._files.path(digest(body)).unlink()
    for ask, body in ((store.delivery("d"), sent), (store.feed_entry("clearance", "", 1), published)):
        with pytest.raises(BodyLost, match=digest(body)):
            await ask
    with pytest.raises(BodyLost, match=digest(came)):
        content(there)  # it was there when the payload was read


async def test_a_database_held_by_another_process_is_unavailable(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock that another process keeps is StoreUnavailable; when it is let go, the store goes on."""
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.1)
    store = Place(sqlite_url, tmp_path, b"k" * 32).store()
    await store.open()
    other = sqlite3.connect(str(make_url(sqlite_url).database), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable):
        await accept(store, 1)
    other.execute("ROLLBACK")
    other.close()
    await accept(store, 1)
    await store.close()


async def test_a_held_database_does_not_hold_the_event_loop(sqlite_url: str, tmp_path: Path) -> None:
    """While another process writes, a payload waits for it, and everything else goes on."""
    store = Place(sqlite_url, tmp_path, b"k" * 32).store()
    await store.open()
    other = sqlite3.connect(str(make_url(sqlite_url).database), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waiting = asyncio.create_task(accept(store, 1))
    for _ in range(20):  # had it waited in the event loop, these turns would last until BUSY_SECONDS
        await asyncio.sleep(0.01)
    assert not waiting.done()
    other.execute("ROLLBACK")
    other.close()
    await waiting
    await consistent(store)
    await store.close()


async def test_a_payload_that_is_given_up_while_it_is_written_is_whole_or_not_there(
    sqlite_store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cancelling the writer itself waits for the commit under way: the connection is not taken from under it."""
    database_ = sqlite_store._database
    began = asyncio.Event()

    def work(connection: Connection) -> None:
        connection.exec_driver_sql("CREATE TABLE cancelled (n)")
        began.set()

    writing = asyncio.create_task(database_.write(work, brief=True))
    await began.wait()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert await database_.read(lambda c: c.exec_driver_sql("SELECT count(*) FROM cancelled").scalar_one()) == 0
    await accept(sqlite_store, 1)


async def test_a_closed_store_is_unavailable(place: Place) -> None:
    """What is queued when the store closes is written; what comes later is told."""
    store = place.store()
    await store.open()
    queued = [asyncio.create_task(accept(store, n)) for n in range(1, 6)]
    await asyncio.sleep(0)
    await store.close()
    assert len({(await one).payload_id for one in queued}) == 5
    with pytest.raises(StoreUnavailable):
        await accept(store, 9)


async def test_whoever_stops_waiting_harms_nobody(store: SqlStore) -> None:
    """A caller that is cancelled while its operation is written does not disturb the others."""
    tasks = [asyncio.create_task(accept(store, n)) for n in range(1, 9)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(one, asyncio.CancelledError) for one in results] == [True, False] * 4
    await consistent(store)


async def test_a_store_without_its_tables_does_not_open(tmp_path: Path) -> None:
    """Opening asks for `migrate` instead of failing at the first query."""
    url = f"sqlite:///{tmp_path / 'empty.db'}"
    store = Place(url, tmp_path, b"k" * 32).store()
    with pytest.raises(ConfigurationInvalid, match="migrate"):
        await store.open()
    await store.close()


async def test_other_databases_are_refused(tmp_path: Path) -> None:
    """Only SQLite and PostgreSQL are supported."""
    with pytest.raises(ConfigurationInvalid):
        Place("mysql+aiomysql://localhost/x", tmp_path, b"k" * 32).store()


async def test_a_server_that_is_away_is_unavailable(tmp_path: Path) -> None:
    """A PostgreSQL server that does not answer is StoreUnavailable."""
    store = Place("postgresql+asyncpg://nobody@127.0.0.1:1/none", tmp_path, b"k" * 32).store()
    with pytest.raises(StoreUnavailable):
        await store.open()
    await store.close()
