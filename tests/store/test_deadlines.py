"""Deadlines in the store: claimed when they are over, by one node, and decided once."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import Connection

from gateway.errors import LeaseLost, NotFound
from gateway.findings import make_finding
from gateway.model import Deadline
from gateway.store import breaks
from gateway.store.contract import Alert, ClaimedDeadline, LogBreak, Outcome, Work, WorkKind
from gateway.store.deadlines import PATIENCE, SETTLING
from gateway.store.sql_store import SqlStore
from tests.store.made import LEASE, NOW, accept, claim, outcome

SOON = NOW + timedelta(minutes=5)
OVER = SOON + SETTLING
FAR = OVER + timedelta(days=1)


def due(name: str = "d", **fields: object) -> Deadline:
    return Deadline(name, "notice", "c", SOON, **fields)  # type: ignore[arg-type]


async def set_up(store: SqlStore, *deadlines: Deadline, number: int = 1) -> None:
    """Have a payload set deadlines."""
    claimed = await claim(store, number)
    await store.commit(outcome(claimed, deadlines={one.id: one for one in deadlines}))


def decided(claimed: ClaimedDeadline) -> Outcome:
    return Outcome(claimed.work, 0, finished=True)


async def test_a_deadline_is_claimed_once_it_is_over(store: SqlStore) -> None:
    """Not before, and not again while somebody holds it; what it says is what was set."""
    await set_up(store, due(args={"day": "2026-12-01"}, test=True))
    assert await store.claim_deadlines(9, LEASE, OVER - timedelta(seconds=1)) == []
    (claimed,) = await store.claim_deadlines(9, LEASE, OVER)
    assert claimed.deadline == due(args={"day": "2026-12-01"}, test=True)
    assert (claimed.work.kind, claimed.begun) == (WorkKind.DEADLINE, 0)
    assert await store.claim_deadlines(9, LEASE, OVER) == []


async def test_a_decided_deadline_is_gone(store: SqlStore) -> None:
    """Its commit takes it away; whoever decided it as well loses."""
    await set_up(store, due())
    (first,) = await store.claim_deadlines(9, LEASE, OVER)
    (second,) = await store.claim_deadlines(9, LEASE, OVER + 2 * LEASE)
    assert (second.begun, second.fence > first.fence) == (1, True)
    with pytest.raises(LeaseLost):
        await store.commit(decided(first))
    await store.commit(decided(second))
    assert await store.claim_deadlines(9, LEASE, FAR) == []
    with pytest.raises(LeaseLost):
        await store.commit(decided(second))


@pytest.mark.parametrize("change", ["undone", "set anew"])
async def test_what_is_undone_or_set_anew_is_lost_to_who_decides_it(store: SqlStore, change: str) -> None:
    """A deadline in a worker's hands that a message takes back, or puts off, is not decided by that worker."""
    await set_up(store, due())
    (claimed,) = await store.claim_deadlines(9, LEASE, OVER)
    later = Deadline("d", "notice", "c", FAR)
    await store.commit(outcome(await claim(store, 2), deadlines={"d": None if change == "undone" else later}))
    with pytest.raises(LeaseLost):
        await store.commit(decided(claimed))
    found = await store.claim_deadlines(9, LEASE, FAR + SETTLING)
    assert [one.deadline for one in found] == ([] if change == "undone" else [later])


async def test_one_that_was_undone_and_set_again_has_no_earlier_fence(store: SqlStore) -> None:
    """A worker that held it before it was undone cannot finish with the one that was set since under the same name."""
    await set_up(store, due())
    (claimed,) = await store.claim_deadlines(9, LEASE, OVER)
    await store.commit(outcome(await claim(store, 2), deadlines={"d": None}))
    await set_up(store, due(), number=3)
    (again,) = await store.claim_deadlines(9, LEASE, OVER + timedelta(seconds=1))
    assert again.fence > claimed.fence
    with pytest.raises(LeaseLost):
        await store.commit(decided(claimed))
    await store.commit(decided(again))


async def test_what_was_received_before_is_decided_first(store: SqlStore) -> None:
    """A message received before the deadline keeps it from being decided, a later one does not; patience has an end."""
    await set_up(store, due())
    await accept(store, 7, received_at=SOON - timedelta(seconds=1))
    assert await store.claim_deadlines(9, LEASE, OVER) == []
    assert await store.claim_deadlines(9, LEASE, SOON + PATIENCE) == []
    assert len(await store.claim_deadlines(9, LEASE, SOON + PATIENCE + timedelta(seconds=1))) == 1


async def test_what_is_received_later_is_not_waited_for(store: SqlStore) -> None:
    """A payload that came after the deadline was over has no say in it."""
    await set_up(store, due())
    await accept(store, 7, received_at=SOON + timedelta(milliseconds=1))
    assert len(await store.claim_deadlines(9, LEASE, OVER)) == 1


async def test_one_that_is_given_back_is_claimed_again(store: SqlStore) -> None:
    """From the time on that is said, with the count that is said; the fence of before counts no more."""
    await set_up(store, due())
    (claimed,) = await store.claim_deadlines(9, LEASE, OVER)
    await store.return_deadline(claimed.work, OVER + timedelta(seconds=5), 3)
    assert await store.claim_deadlines(9, LEASE, OVER + timedelta(seconds=5)) == []
    (again,) = await store.claim_deadlines(9, LEASE, OVER + timedelta(seconds=6))
    assert again.begun == 3
    with pytest.raises(LeaseLost):
        await store.return_deadline(claimed.work, OVER, 0)


async def test_one_that_is_left_to_the_operator_waits_for_a_word(store: SqlStore) -> None:
    """It is alerted to, listed, never claimed, and decided once the operator says so."""
    await set_up(store, due())
    (claimed,) = await store.claim_deadlines(9, LEASE, OVER)
    alert = Alert(
        "deadline_dead", "d", (make_finding("deadline.failed", kind="notice", deadline="d", reason="X"),), OVER
    )
    await store.bury_deadline(claimed.work, alert)
    assert await store.claim_deadlines(9, LEASE, FAR) == []
    assert await store.buried_deadlines(9) == [due()]
    assert [entry.document_type for entry in await store.feed("alerts", "@operator", 0, 9)] == ["alert"]
    await store.revive_deadline("d", FAR)
    (again,) = await store.claim_deadlines(9, LEASE, FAR + SETTLING)
    assert again.begun == 0
    with pytest.raises(NotFound):
        await store.revive_deadline("d", FAR)


async def test_a_node_takes_its_own_claims_back(store: SqlStore) -> None:
    """A node that starts again has nothing in its hands: what it held is claimed at once."""
    await store.hold_as("one", NOW)
    await set_up(store, due())
    await store.claim_deadlines(9, timedelta(hours=9), OVER)
    assert await store.claim_deadlines(9, LEASE, OVER + timedelta(minutes=1)) == []
    assert await store.hold_as("one", OVER + timedelta(minutes=1)) == 1
    assert len(await store.claim_deadlines(9, LEASE, OVER + timedelta(minutes=2))) == 1


async def test_two_workers_never_hold_one(store: SqlStore) -> None:
    """However many claim at once, each deadline is given to one of them."""
    await set_up(store, *(due(f"d{number}") for number in range(40)))
    rounds = await asyncio.gather(*(store.claim_deadlines(7, LEASE, OVER) for _ in range(8)))
    ids = [one.deadline.id for claimed in rounds for one in claimed]
    assert len(ids) == len(set(ids)) == 40


async def test_a_deadline_that_nobody_holds_cannot_be_decided(store: SqlStore) -> None:
    """Work with another fence, or that is not there, writes nothing."""
    await set_up(store, due())
    for work in (Work(WorkKind.DEADLINE, "d", 0), Work(WorkKind.DEADLINE, "other", 1)):
        if work.id == "d":
            await store.claim_deadlines(9, LEASE, OVER)
        with pytest.raises(LeaseLost):
            await store.commit(Outcome(work, 0, finished=True))


async def test_nothing_is_decided_while_a_break_of_the_log_is_open(store: SqlStore) -> None:
    """After the store was set back, terms may have been decided in the lost history: they wait for the operator."""
    await set_up(store, due())
    (claimed,) = await store.claim_deadlines(9, LEASE, OVER)
    await store.return_deadline(claimed.work, OVER, 0)
    found = LogBreak("log~2", "log", OVER, 1, "log", 2, "shorter", 1, None, None, 1)

    def break_(connection: Connection) -> None:
        breaks.hold(connection, OVER)
        breaks.record(connection, found)

    await store._database.write(break_)
    assert await store.claim_deadlines(9, LEASE, FAR) == []
    assert await store.close_breaks(FAR)
    assert len(await store.claim_deadlines(9, LEASE, FAR)) == 1


async def test_who_decides_when_the_store_is_set_back_loses_it(store: SqlStore) -> None:
    """A deadline in somebody's hands is held like all else."""
    await set_up(store, due())
    (claimed,) = await store.claim_deadlines(9, LEASE, OVER)
    await store._database.write(lambda connection: breaks.hold(connection, OVER))
    with pytest.raises(LeaseLost):
        await store.commit(decided(claimed))
