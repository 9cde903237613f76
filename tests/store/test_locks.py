"""What nodes hold while they write: names first and in order, the log last, and each wait is bounded."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest
from sqlalchemy import make_url

from gateway.errors import LeaseLost, StoreUnavailable
from gateway.findings import make_finding
from gateway.model import AlertState
from gateway.store import database
from gateway.store.contract import Alert, AlertOrder, CaseChange, StandingWanted
from gateway.store.database import PostgresDatabase, RunAgain, lock_names, try_names
from gateway.store.sql_store import SqlStore
from tests.store.conftest import Place
from tests.store.made import LEASE, NOW, accept, delivery, outcome, receipt
from tests.store.test_deliveries import result


@pytest.fixture
async def shared(postgres_url: str) -> AsyncIterator[PostgresDatabase]:
    opened = PostgresDatabase(make_url(postgres_url))
    yield opened
    await opened.close()


@pytest.fixture
async def nodes(postgres_url: str, tmp_path) -> AsyncIterator[tuple[SqlStore, SqlStore]]:
    place = Place(postgres_url, tmp_path, os.urandom(32))
    first, second = place.store(), place.store()
    await first.open()
    await second.open()
    yield first, second
    await first.close()
    await second.close()


@pytest.fixture
async def stranger(postgres_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of its own, which holds what a node that stands still would hold."""
    address = make_url(postgres_url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(address)
    yield connection
    await connection.close()


async def hold(stranger: asyncpg.Connection, *names: database.Name) -> None:
    for name in names:
        await stranger.execute("SELECT pg_advisory_lock($1, $2)", database._NAME_LOCKS, database._bucket(name))


async def test_transactions_with_common_names_never_deadlock(shared: PostgresDatabase) -> None:
    """However the names of two transactions overlap, and whatever order they are given in, each gets its turn."""
    chance = random.Random(7)
    names = [("case", n) for n in range(40)]
    turns = 0

    async def one() -> None:
        nonlocal turns
        wanted = chance.sample(names, 12)
        await shared._write_once(lambda connection: lock_names(connection, wanted))
        turns += 1

    await asyncio.gather(*(one() for _ in range(60)))
    assert turns == 60


async def test_a_name_that_turns_up_is_not_waited_for(shared: PostgresDatabase, stranger: asyncpg.Connection) -> None:
    """A further name is held where it is free; where it is not, the transaction is to run again."""
    await hold(stranger, ("lane", "taken"))

    def further(name: str):
        return lambda connection: try_names(connection, [("lane", name)], lock_names(connection, [("payload", "p")]))

    assert len(await shared._write_once(further("free"))) == 2
    with pytest.raises(RunAgain):
        await shared._write_once(further("taken"))


async def test_what_turned_up_is_held_from_the_start_the_next_time(
    nodes: tuple[SqlStore, SqlStore], stranger: asyncpg.Connection
) -> None:
    """A report that does not name its lane meets another transaction there, waits for it in order, and is written."""
    await accept(nodes[0], 1)
    (claimed,) = await nodes[0].claim_payloads(1, LEASE, NOW)
    await nodes[0].commit(outcome(claimed, deliveries=(delivery("d", "lane 1"),)))
    (sending,) = await nodes[0].claim_deliveries(1, LEASE, NOW)
    await hold(stranger, ("lane", "lane 1"))
    reporting = asyncio.create_task(nodes[0].finish_attempt(result(sending, receipts=(receipt("d"),))))
    await asyncio.sleep(0.5)
    assert not reporting.done()
    await stranger.execute("SELECT pg_advisory_unlock_all()")
    await asyncio.wait_for(reporting, 5)
    assert (await nodes[0].delivery("d")).state == "delivered"


async def test_other_names_do_not_wait(nodes: tuple[SqlStore, SqlStore], stranger: asyncpg.Connection) -> None:
    """While a node stands still in the middle of one case, all that has nothing to do with it is committed."""
    for number in (1, 2):
        await accept(nodes[0], number)
    one, two = await nodes[0].claim_payloads(2, LEASE, NOW)
    await hold(stranger, ("case", "c1"))
    await asyncio.wait_for(nodes[1].commit(outcome(two, cases=(CaseChange("c2", 0, "declared", "firm"),))), 2)
    await asyncio.wait_for(accept(nodes[1], 3), 2)
    waiting = asyncio.create_task(nodes[0].commit(outcome(one, cases=(CaseChange("c1", 0, "declared", "firm"),))))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    await stranger.execute("SELECT pg_advisory_unlock_all()")
    await asyncio.wait_for(waiting, 5)


async def test_each_wait_is_bounded(
    nodes: tuple[SqlStore, SqlStore], stranger: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits too long for the log is told that the store is unavailable, and a probe says so as well."""
    await stranger.execute("SELECT pg_advisory_lock($1::bigint)", database._LOG_LOCK)
    began = asyncio.get_running_loop().time()
    answers = await asyncio.gather(accept(nodes[0], 1), nodes[1].probe(), return_exceptions=True)
    assert [type(one) for one in answers] == [StoreUnavailable, StoreUnavailable]
    assert asyncio.get_running_loop().time() - began < 2 * database.LOCK_SECONDS
    await stranger.execute("SELECT pg_advisory_unlock_all()")
    await nodes[1].probe()
    assert not (await accept(nodes[0], 1)).duplicate, "what was refused left nothing"


async def test_a_lane_always_has_a_head(nodes: tuple[SqlStore, SqlStore]) -> None:
    """While one node ends the only delivery of a lane and the other adds to it, the lane goes on."""
    total = 40
    for number in range(1, total + 1):
        await accept(nodes[0], number)
    claimed = await nodes[0].claim_payloads(total, LEASE, NOW)
    sent: list[str] = []

    async def add() -> None:
        for place, one in enumerate(claimed):
            await nodes[0].commit(outcome(one, deliveries=(delivery(f"d{place}", "one lane"),)))

    async def send() -> None:
        while len(sent) < total:
            for one in await nodes[1].claim_deliveries(1, LEASE, NOW + timedelta(seconds=1)):
                await nodes[1].finish_attempt(result(one, receipts=(receipt(one.id),)))
                sent.append(one.id)

    await asyncio.wait_for(asyncio.gather(add(), send()), 60)
    assert sent == [f"d{place}" for place in range(total)]


async def test_a_connection_that_ended_is_not_noticed_by_who_asks(
    nodes: tuple[SqlStore, SqlStore], stranger: asyncpg.Connection
) -> None:
    """Ended connections cost a second try, and no sender an error; what they were in the middle of is done once."""
    await accept(nodes[0], 1)
    (claimed,) = await nodes[0].claim_payloads(1, LEASE, NOW)
    end = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name LIKE 'edi-gateway%'"
    )
    assert await stranger.fetchval(end)
    await accept(nodes[0], 2)
    await stranger.fetchval(end)
    assert (await nodes[0].payload(claimed.payload.id)).payload.id == claimed.payload.id
    await stranger.fetchval(end)
    await nodes[0].commit(outcome(claimed))
    with pytest.raises(LeaseLost):
        await nodes[0].commit(outcome(claimed))


async def test_whoever_counts_an_alert_never_meets_one_who_deals_with_it(
    nodes: tuple[SqlStore, SqlStore], stranger: asyncpg.Connection
) -> None:
    """One node's alerts of a cause and another's orders about it, at the same time: no deadlock is broken by the server."""
    one, other = nodes
    deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    await stranger.execute("SELECT pg_stat_clear_snapshot()")
    before = await stranger.fetchval(deadlocks)
    why = (make_finding("decide.repeat"),)
    await one.raise_alert(Alert("kind", "first", why, NOW, cause="it"))
    (standing,) = await one.standing_alerts(StandingWanted(), 1)
    for number in range(60):
        await asyncio.gather(
            *(one.raise_alert(Alert("kind", f"{number} {n}", why, NOW, cause="it")) for n in range(4)),
            *(other.order_alert(AlertOrder(standing.id, NOW, said=str(n), state=AlertState.TAKEN)) for n in range(4)),
        )
    assert (await one.standing_alert(standing.id)).times == 241
    await asyncio.sleep(1.1)  # the server tells its statistics once a second
    await stranger.execute("SELECT pg_stat_clear_snapshot()")
    assert await stranger.fetchval(deadlocks) == before
