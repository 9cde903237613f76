"""The table of a delivery's states, and that whatever happens to deliveries in the store keeps to it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, select

from gateway.errors import GatewayError, TransitionRefused
from gateway.model import Delivery, DeliveryState, Endpoint, HeldFor, Stop
from gateway.store import tables
from gateway.store.contract import (
    PUT_OFF,
    UNCONFIRMED,
    AttemptResult,
    Awaits,
    Confirmation,
    Settlement,
)
from gateway.store.delivery_states import OVER, TRANSITIONS, DeliveryEvent, follow
from gateway.store.sql_store import SqlStore
from tests.store.made import LEASE, NOW, answer, deliver_later, delivery, receipt

S = DeliveryState

ALLOWED = {
    S.STAGED: {S.PENDING},
    S.PENDING: {S.PENDING, S.SENDING, S.DELIVERED, S.RELAYED, S.DEAD, S.ANSWERED, S.HELD},
    S.SENDING: {S.SENDING, S.PENDING, S.AWAITING, S.DELIVERED, S.RELAYED, S.DEAD, S.ANSWERED, S.HELD},
    S.AWAITING: {S.PENDING, S.DELIVERED, S.RELAYED, S.DEAD, S.ANSWERED, S.HELD},
    S.HELD: {S.PENDING, S.SENDING, S.DELIVERED, S.RELAYED, S.DEAD, S.ANSWERED, S.SKIPPED, S.HELD},
    S.DEAD: {S.PENDING, S.DELIVERED, S.RELAYED, S.ANSWERED, S.SKIPPED, S.HELD},
    S.DELIVERED: {S.ANSWERED, S.PENDING},
    S.RELAYED: {S.ANSWERED, S.PENDING},
    S.ANSWERED: {S.PENDING},
    S.SKIPPED: {S.ANSWERED, S.PENDING},
}
"""Where each state may lead, written down apart from the table that the store asks."""


def test_the_table_leads_where_it_should():
    """No state leads anywhere else, and every state is in the table."""
    assert {state: set(leads.values()) for state, leads in TRANSITIONS.items()} == ALLOWED


def test_every_state_can_come_to_an_end():
    """From each state some way leads to one in which the delivery is over, and so does its lane's wait."""
    for state in S:
        reached, seen = {state}, set[DeliveryState]()
        while reached - seen:
            seen |= reached
            reached = {there for here in reached for there in TRANSITIONS[here].values()}
        assert seen & OVER


@pytest.mark.parametrize("state", list(S))
@pytest.mark.parametrize("event", list(DeliveryEvent))
def test_what_is_not_in_the_table_is_refused(state: DeliveryState, event: DeliveryEvent):
    """The refusal names state and event."""
    if event in TRANSITIONS[state]:
        assert follow(state.value, event) is TRANSITIONS[state][event]
    else:
        with pytest.raises(TransitionRefused, match=f"is {state.value} cannot be {event.value}"):
            follow(state, event, "d1")


async def states(store: SqlStore) -> dict[str, DeliveryState]:
    """Where each delivery stands."""
    return {one.id: one.state for one in await store.deliveries("", "", 100)}


async def lanes_are_whole(store: SqlStore) -> None:
    """Each lane with something that is not merely awaited has one head, and that is its first but for one being sent."""

    def look(connection: Connection) -> Sequence[Any]:
        hot = tables.deliveries.c
        return connection.execute(select(hot.lane, hot.sequence, hot.state, hot.head)).all()

    rows = await store._read(look)
    heads = Counter(row.lane for row in rows if row.head)
    waiting = {row.lane for row in rows if row.state != S.AWAITING}
    assert dict(heads) == dict.fromkeys(waiting, 1)
    for row in rows:
        assert row.head or row.state != S.SENDING
        if row.head and row.state != S.SENDING:
            assert row.sequence == min(one.sequence for one in rows if one.lane == row.lane and one.state != S.AWAITING)


class Life:
    """Deliveries of two lanes to which anything happens, in an order that a seed draws."""

    def __init__(self, store: SqlStore, seed: int) -> None:
        self.store = store
        self.random = random.Random(seed)
        self.now = NOW
        self.held: list[Delivery] = []
        self.awaited: list[tuple[Delivery, str]] = []

    async def step(self) -> str:
        """One thing; its name."""
        ways: list[Callable[[], Awaitable[object]]] = [
            self.claim,
            self.claim,
            self.report,
            self.report,
            self.report,
            self.confirm,
            self.lapse,
            self.order,
            self.order,
            self.answer,
            self.pause,
            self.wait,
        ]
        way = self.random.choice(ways)
        with suppress(GatewayError):
            await way()
        return way.__name__

    async def claim(self) -> None:
        self.held += await self.store.claim_deliveries(self.random.choice((1, 9)), LEASE, self.now)

    async def report(self) -> None:
        if not self.held:
            return
        one = self.held.pop(self.random.randrange(len(self.held)))
        outcome = self.random.choice(("delivered", "relayed", "deferred", "refused", "awaiting", PUT_OFF, "stopped"))
        made = AttemptResult(one.id, one.fence, one.attempts, outcome, self.now, "said", lane=one.lane)
        given: dict[str, object] = {}
        match outcome:
            case "delivered" | "relayed":
                given = {"receipts": (receipt(one.id),)}
            case "deferred" | "put_off":
                given = {"next_at": self.now + LEASE}
            case "awaiting":
                reference = f"{one.id}-{one.attempts}"
                given = {"awaits": Awaits("customs", "http", reference, self.now + LEASE)}
                self.awaited.append((one, reference))
            case "stopped":
                key = ("customs", "http", "there")
                stopped = Endpoint(*key, 1, self.now, Stop.GONE, None, "410")
                given = {"outcome": "deferred", "endpoint": stopped, "waits_for": key}
        await self.store.finish_attempt(AttemptResult(**{**as_fields(made), **given}))  # type: ignore[arg-type]

    async def confirm(self) -> None:
        if not self.awaited:
            return
        _, reference = self.random.choice(self.awaited)
        key = ("customs", "http", reference)
        awaited = await self.store.awaited(key)
        verdict = self.random.choice(("delivered", "relayed", "refused", "deferred"))
        if awaited is None:
            await self.store.keep_confirmation(Confirmation(key, verdict, self.now, "mdn"))
        else:
            next_at = self.now + LEASE if verdict == "deferred" else None
            await self.store.settle(Settlement(awaited, verdict, self.now, "said", next_at))

    async def lapse(self) -> None:
        for one in await self.store.overdue(9, self.now):
            next_at = self.random.choice((None, self.now + LEASE))
            await self.store.settle(Settlement(one, UNCONFIRMED, self.now, "no word", next_at))

    async def order(self) -> None:
        do = self.random.choice(
            (
                self.store.retry_delivery,
                self.store.skip_delivery,
                self.store.hold_delivery,
                self.store.resend_delivery,
            )
        )
        await do(self.random.choice("abcdef"), self.now)

    async def answer(self) -> None:
        await answer(self.store, self.random.choice("abcdef"))

    async def pause(self) -> None:
        key = self.random.choice((("customs", "", ""), ("customs", "http", "there")))
        if self.random.random() < 0.3:
            await self.store.pause_endpoint(key, self.now)
        else:
            await self.store.resume_endpoint(key, self.now)

    async def wait(self) -> None:
        self.now += self.random.choice((timedelta(seconds=1), 2 * LEASE))


def as_fields(result: AttemptResult) -> dict[str, object]:
    return {name: getattr(result, name) for name in AttemptResult.__slots__}


async def resume_all(store: SqlStore, now: datetime) -> None:
    """Let everything go that a person has stopped."""
    for one in await store.endpoints_in_trouble():
        await store.resume_endpoint(one.key, now)


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_happens_follows_the_table(store: SqlStore, seed: int) -> None:
    """After each of many happenings drawn at random every delivery stands where the table lets it, and lanes are whole.

    In the end all can be brought to an end: nothing is stuck in a lane for good.
    """
    one, other = ("a", "b", "c"), ("d", "e", "f")
    await deliver_later(store, *(delivery(id_, "one") for id_ in one), *(delivery(id_, "other") for id_ in other))
    life, before = Life(store, seed), await states(store)
    for _ in range(150):
        done = await life.step()
        after = await states(store)
        assert after.keys() == before.keys(), done
        for id_, state in after.items():
            assert state is before[id_] or state in ALLOWED[before[id_]], (done, id_, before[id_], state)
        await lanes_are_whole(store)
        before = after
    far = life.now + timedelta(days=1)
    await resume_all(store, far)
    for _ in range(60):
        far += 2 * LEASE
        for found in await store.deliveries("", "", 100):
            if found.state in {S.DEAD, S.HELD, S.AWAITING}:
                await store.retry_delivery(found.id, far)
        for held in await store.claim_deliveries(9, LEASE, far):
            await store.finish_attempt(
                AttemptResult(held.id, held.fence, held.attempts, "delivered", far, lane=held.lane)
            )
    assert set((await states(store)).values()) <= OVER


async def test_what_an_agreement_holds_goes_when_released_or_when_its_time_is_over(store: SqlStore) -> None:
    """Each holds its lane meanwhile, and is none of those that are held because the store was set back."""
    held = {"state": S.HELD, "held_for": HeldFor.AGREED}
    later = NOW + timedelta(hours=2)
    await deliver_later(
        store,
        delivery("by-word", "x", **held),
        delivery("behind", "x"),
        delivery("by-time", "y", next_at=later, **held),
    )
    assert not await store.claim_deliveries(9, LEASE, later - LEASE)
    assert not await store.held_deliveries("")
    (gone,) = await store.claim_deliveries(9, LEASE, later)
    assert (gone.id, gone.held_for, gone.attempts) == ("by-time", None, 1)
    await store.retry_delivery("by-word", later)
    (gone,) = await store.claim_deliveries(9, LEASE, later)
    assert gone.id == "by-word"


async def test_a_person_may_hold_what_waits_and_send_again_what_is_over(store: SqlStore) -> None:
    """A held one holds its lane; one that is sent again comes after all that waits, under its id, with its attempts."""
    await deliver_later(store, delivery("a"), delivery("b"))
    await store.hold_delivery("a", NOW)
    assert (await store.delivery("a")).held_for is HeldFor.ORDERED
    assert not await store.claim_deliveries(9, LEASE, NOW + timedelta(days=9))
    await store.retry_delivery("a", NOW)
    (first,) = await store.claim_deliveries(9, LEASE, NOW)
    with pytest.raises(TransitionRefused, match="not over: it is sending"):
        await store.resend_delivery("a", NOW)
    await store.finish_attempt(AttemptResult("a", first.fence, 1, "delivered", NOW, lane=first.lane))
    await store.resend_delivery("a", NOW)
    with pytest.raises(TransitionRefused, match="not over"):
        await store.resend_delivery("a", NOW)
    sent = list[tuple[str, int]]()
    for _ in range(2):
        (one,) = await store.claim_deliveries(9, LEASE, NOW)
        sent.append((one.id, one.attempts))
        await store.finish_attempt(AttemptResult(one.id, one.fence, one.attempts, "delivered", NOW, lane=one.lane))
    assert sent == [("b", 1), ("a", 2)]
    with pytest.raises(TransitionRefused, match="over: it is delivered"):
        await store.hold_delivery("a", NOW)


async def test_what_waits_behind_another_is_not_forgotten(store: SqlStore) -> None:
    """One that waits for its endpoint goes after its resumption, though another had come back before it meanwhile."""
    await deliver_later(store, delivery("a"), delivery("b"))
    key = ("customs", "http", "there")
    (a,) = await store.claim_deliveries(9, LEASE, NOW)
    awaits = Awaits("customs", "http", "ref", NOW + LEASE)
    await store.finish_attempt(AttemptResult("a", a.fence, 1, "awaiting", NOW, lane=a.lane, awaits=awaits))
    await store.pause_endpoint(key, NOW)
    (b,) = await store.claim_deliveries(9, LEASE, NOW)
    await store.finish_attempt(AttemptResult("b", b.fence, 1, PUT_OFF, NOW, lane=b.lane, waits_for=key))
    (late,) = await store.overdue(9, NOW + LEASE)
    await store.settle(Settlement(late, UNCONFIRMED, NOW + LEASE, "no word", NOW + LEASE))
    await store.resume_endpoint(key, NOW + LEASE)
    sent = []
    for _ in range(2):
        for one in await store.claim_deliveries(9, LEASE, NOW + 2 * LEASE):
            sent.append(one.id)
            made = AttemptResult(one.id, one.fence, one.attempts, "delivered", NOW + 2 * LEASE, lane=one.lane)
            await store.finish_attempt(made)
    assert sent == ["a", "b"]


@pytest.mark.parametrize("outcome", ["deferred", PUT_OFF])
async def test_what_was_answered_and_is_sent_again_is_sent(store: SqlStore, outcome: str) -> None:
    """A failure, or a stop, does not end the wish for it with the answer that came before."""
    await deliver_later(store, delivery("a"))
    for fails in (False, True, False):
        (one,) = await store.claim_deliveries(9, LEASE, NOW + LEASE)
        made = AttemptResult("a", one.fence, one.attempts, "delivered", NOW + LEASE, lane=one.lane)
        if fails:
            made = AttemptResult("a", one.fence, one.attempts, outcome, NOW + LEASE, "no", NOW + LEASE, lane=one.lane)
        await store.finish_attempt(made)
        if (await store.delivery("a")).state is S.DELIVERED:
            await answer(store, "a")
            await store.resend_delivery("a", NOW + LEASE)
        else:
            expected = S.PENDING if fails else S.ANSWERED
            assert (await store.delivery("a")).state is expected
