"""Deliveries that were handed over: what their confirmations make of them, and what comes of those that never come."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from gateway.errors import LeaseLost
from gateway.model import Delivery, DeliveryState, Stage
from gateway.store import confirmations
from gateway.store.contract import UNCONFIRMED, AttemptResult, Awaited, Awaits, Confirmation, Settled, Settlement
from gateway.store.sql_store import SqlStore
from tests.store.conftest import Place
from tests.store.made import LEASE, NOW, answer, deliver_later, delivery, receipt

UNTIL = NOW + timedelta(hours=1)
SECOND = timedelta(seconds=1)


def key_of(reference: str) -> tuple[str, str, str]:
    return "customs", "as2", reference


def handed_over(held: Delivery, reference: str, until: datetime = UNTIL) -> AttemptResult:
    awaits = Awaits("customs", "as2", reference, until)
    return AttemptResult(
        held.id, held.fence, held.attempts, "awaiting", NOW + SECOND, "202", lane=held.lane, awaits=awaits
    )


async def hand_over(store: SqlStore, now: datetime = NOW, until: datetime = UNTIL) -> list[str]:
    """Claim what is due and report all of it as handed over, each under its id as the reference."""
    held = await store.claim_deliveries(9, LEASE, now)
    for one in held:
        await store.finish_attempt(handed_over(one, f"R-{one.id}", until))
    return [one.id for one in held]


async def settlement(store: SqlStore, name: str, verdict: str, **fields: Any) -> Settlement:
    awaited = await store.awaited(key_of(f"R-{name}"))
    assert awaited is not None
    given: dict[str, Any] = {"at": NOW + 2 * SECOND, "detail": verdict}
    if verdict == "delivered":
        given["receipts"] = (receipt(name),)
    return Settlement(awaited, verdict, **(given | fields))


async def say(store: SqlStore, name: str, verdict: str, **fields: Any) -> Settled:
    return await store.settle(await settlement(store, name, verdict, **fields))


async def state_of(store: SqlStore, name: str) -> DeliveryState:
    return (await store.delivery(name)).state


async def stages(store: SqlStore, name: str) -> list[Stage]:
    return [one.stage for one in await store.receipts_of([name])]


async def test_its_lane_goes_on_and_its_confirmation_delivers_it(store: SqlStore) -> None:
    """What awaits its confirmation keeps nothing from going; it is delivered, with its receipt, when that comes."""
    await deliver_later(store, delivery("a"), delivery("b"))
    assert await hand_over(store) == ["a"]
    assert (await store.pressure()).deliveries_awaiting == 1
    (waiting,) = await store.deliveries("customs", "awaiting", 9)
    assert (waiting.id, waiting.next_at, waiting.attempts) == ("a", UNTIL, 1)
    assert await hand_over(store) == ["b"]
    assert await stages(store, "a") == []
    assert await say(store, "a", "delivered") is Settled.COUNTED
    assert (await state_of(store, "a"), await state_of(store, "b")) == (DeliveryState.DELIVERED, DeliveryState.AWAITING)
    assert await stages(store, "a") == [Stage.DELIVERED]
    assert (await store.pressure()).deliveries_awaiting == 1


async def test_a_confirmation_counts_once(store: SqlStore) -> None:
    """Said again, whatever it says, in one batch or later, it changes nothing and makes no second receipt."""
    await deliver_later(store, delivery("a"))
    await hand_over(store)
    wanted = await settlement(store, "a", "delivered")
    twice = await asyncio.gather(store.settle(wanted), store.settle(wanted))
    assert twice[0] is Settled.COUNTED
    assert twice[1] in {Settled.MOVED, Settled.REPEATED}  # of one batch: look again
    for verdict in ("delivered", "refused", "deferred"):
        assert await say(store, "a", verdict) is Settled.REPEATED
    assert await stages(store, "a") == [Stage.DELIVERED]
    assert await state_of(store, "a") is DeliveryState.DELIVERED


async def test_what_is_not_confirmed_comes_back_before_what_followed_it(store: SqlStore) -> None:
    """It is due again under its id, with its bytes; the next attempt is counted on, and its lane is in order again."""
    await deliver_later(store, *(delivery(name) for name in "abc"))
    assert await hand_over(store) == ["a"]
    assert await store.overdue(9, UNTIL - SECOND) == []
    (overdue,) = await store.overdue(9, UNTIL)
    assert (overdue.delivery.id, overdue.key, overdue.came) == ("a", key_of("R-a"), None)
    lapse = Settlement(overdue, UNCONFIRMED, UNTIL, "no word", next_at=UNTIL + SECOND)
    assert await store.settle(lapse) is Settled.COUNTED
    assert await store.settle(lapse) is Settled.MOVED  # another node has seen the same
    assert not await store.claim_deliveries(9, LEASE, UNTIL)  # b was first, and waits for a by now
    (again,) = await store.claim_deliveries(9, LEASE, UNTIL + SECOND)
    assert (again.id, again.attempts, again.body, again.last_error) == ("a", 2, b"body of a", "no word")
    await store.finish_attempt(handed_over(again, "R-a", UNTIL + LEASE))
    assert [one.id for one in await store.claim_deliveries(9, LEASE, UNTIL + SECOND)] == ["b"]


async def test_one_that_comes_back_waits_for_the_attempt_under_way(store: SqlStore) -> None:
    """Two deliveries of one lane are never sent at once: the later one ends its attempt first, then the earlier goes."""
    await deliver_later(store, *(delivery(name) for name in "abc"))
    await hand_over(store)
    (b,) = await store.claim_deliveries(9, LEASE, NOW)
    (overdue,) = await store.overdue(9, UNTIL)
    assert await store.settle(Settlement(overdue, UNCONFIRMED, UNTIL, "", next_at=NOW)) is Settled.COUNTED
    assert not await store.claim_deliveries(9, LEASE, NOW)
    await store.finish_attempt(AttemptResult(b.id, b.fence, b.attempts, "delivered", NOW, lane=b.lane))
    assert [one.id for one in await store.claim_deliveries(9, LEASE, NOW)] == ["a"]


@pytest.mark.parametrize("verdict", ["refused", UNCONFIRMED])
async def test_one_that_may_not_be_tried_again_is_dead_and_holds_its_lane(store: SqlStore, verdict: str) -> None:
    """Refused, or out of attempts, it is dead with an alert; an operator lets it go again, or skips it."""
    await deliver_later(store, *(delivery(name) for name in "abc"))
    await hand_over(store)
    moment = UNTIL if verdict == UNCONFIRMED else NOW
    assert await say(store, "a", verdict, at=moment) is Settled.COUNTED
    dead = await store.delivery("a")
    assert (dead.state, dead.last_error) == (DeliveryState.DEAD, verdict)
    assert len(await store.feed("alerts", "@operator", 0, 9)) == 1
    assert not await store.claim_deliveries(9, LEASE, moment)
    await store.retry_delivery("a", moment)
    assert await hand_over(store, moment) == ["a"]
    assert await hand_over(store, moment) == ["b"]
    assert await say(store, "a", "refused", at=moment) is Settled.COUNTED
    await store.skip_delivery("a", moment)
    assert await hand_over(store, moment) == ["c"]


async def test_a_dead_one_does_not_push_aside_what_is_being_sent(store: SqlStore) -> None:
    """The one that is on its way arrives; after it the dead one holds the lane, and skipping it lets the next one go."""
    await deliver_later(store, *(delivery(name) for name in "abc"))
    await hand_over(store)
    (b,) = await store.claim_deliveries(9, LEASE, NOW)
    assert await say(store, "a", "refused") is Settled.COUNTED
    await store.skip_delivery("a", NOW)
    assert not await store.claim_deliveries(9, LEASE, NOW)
    await store.finish_attempt(AttemptResult(b.id, b.fence, b.attempts, "delivered", NOW, lane=b.lane))
    assert [one.id for one in await store.claim_deliveries(9, LEASE, NOW)] == ["c"]


async def test_an_attempt_is_said_to_have_ended_as_it_was_confirmed(store: SqlStore) -> None:
    """The timeline of a case shows of each attempt what it came to in the end."""
    from gateway.store.contract import CaseChange
    from tests.store.made import claim, outcome

    claimed = await claim(store)
    made = delivery("a", case_id="c1", message_id="m1")
    await store.commit(outcome(claimed, cases=(CaseChange("c1", 0, "declared", "firm"),), deliveries=(made,)))
    await hand_over(store)

    async def outcomes() -> list[tuple[str, str]]:
        return [(one.outcome, one.detail) for one in (await store.case("c1"))[0].attempts]

    assert await outcomes() == [("awaiting", "202")]
    await say(store, "a", UNCONFIRMED, at=UNTIL, next_at=UNTIL)
    assert await hand_over(store, UNTIL, UNTIL + LEASE) == ["a"]
    assert await outcomes() == [("unconfirmed", "unconfirmed"), ("awaiting", "202")]
    await say(store, "a", "delivered")
    assert await outcomes() == [("unconfirmed", "unconfirmed"), ("delivered", "delivered")]


# A confirmation that comes at another time than is thought of first.


def came(reference: str, verdict: str = "delivered", at: datetime = NOW) -> Confirmation:
    return Confirmation(key_of(reference), verdict, at, "mdn", "processed", b"the MDN", "f" * 64)


async def test_one_that_overtakes_the_report_is_kept_for_it(store: SqlStore) -> None:
    """Nobody awaits it yet; once the report says that somebody does, it is due at once with all that was said."""
    await deliver_later(store, delivery("a"))
    (held,) = await store.claim_deliveries(9, LEASE, NOW)
    assert await store.awaited(key_of("R-a")) is None
    assert await store.keep_confirmation(came("R-a")) is Settled.EARLY
    assert await store.keep_confirmation(came("R-a", "refused")) is Settled.EARLY  # the first one counts
    await store.finish_attempt(handed_over(held, "R-a"))
    assert await store.keep_confirmation(came("R-a")) is Settled.MOVED
    (found,) = await store.overdue(9, NOW + SECOND)
    assert found.came == came("R-a")
    assert await store.settle(Settlement(found, "delivered", NOW, receipts=(receipt("a"),))) is Settled.COUNTED
    assert await state_of(store, "a") is DeliveryState.DELIVERED
    assert await store.overdue(9, UNTIL) == []


async def test_made_up_references_fill_nothing(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what nobody awaits a partner's newest are kept, and none for longer than a week; what is awaited stays."""
    monkeypatch.setattr(confirmations, "EARLY_KEPT", 3)
    await deliver_later(store, delivery("a"))
    await hand_over(store)
    for number in range(6):
        await store.keep_confirmation(came(f"made up {number}", at=NOW + number * SECOND))
    other = replace(came("x"), key=("firm", "as2", "x"))
    await store.keep_confirmation(other)

    def kept(connection: Any) -> set[str]:
        return set(connection.exec_driver_sql("SELECT reference FROM confirmations").scalars())

    assert await store._read(kept) == {"R-a", "x", "made up 3", "made up 4", "made up 5"}
    await store.keep_confirmation(came("a week later", at=NOW + timedelta(days=7, seconds=5)))
    assert await store._read(kept) == {"R-a", "x", "made up 5", "a week later"}


async def test_one_that_comes_after_the_time_still_delivers(store: SqlStore) -> None:
    """Whatever is about to be done again, waits for an operator or is on its way: the recipient has it, so it is over."""
    await deliver_later(store, *(delivery(name, name) for name in ("due", "sent", "dead", "late")))
    await hand_over(store)
    for name in ("due", "sent", "dead"):
        again = {"next_at": UNTIL} if name != "dead" else {}
        await say(store, name, UNCONFIRMED, at=UNTIL, **again)
    await store.retry_delivery("due", UNTIL + LEASE)
    (sending,) = await store.claim_deliveries(9, LEASE, UNTIL)
    assert sending.id == "sent"
    for name in ("due", "sent", "dead", "late"):
        assert await say(store, name, "delivered") is Settled.COUNTED
        assert (await state_of(store, name), await stages(store, name)) == (DeliveryState.DELIVERED, [Stage.DELIVERED])
    with pytest.raises(LeaseLost):  # whoever was sending it again has lost it, and says nothing of it
        await store.finish_attempt(handed_over(sending, "R-sent"))
    assert not await store.claim_deliveries(9, LEASE, UNTIL + 9 * LEASE)


async def test_a_refusal_that_comes_after_the_time_changes_nothing(store: SqlStore) -> None:
    """A later attempt is under way, or there is an operator's word to come: the first attempt's is noted and no more."""
    await deliver_later(store, delivery("a"))
    await hand_over(store)
    await say(store, "a", UNCONFIRMED, at=UNTIL, next_at=UNTIL)
    assert await say(store, "a", "refused") is Settled.LATE
    assert await state_of(store, "a") is DeliveryState.PENDING
    assert await hand_over(store, UNTIL, UNTIL + LEASE) == ["a"]
    assert await say(store, "a", "refused") is Settled.COUNTED  # of the second attempt, which has the same reference


async def test_what_was_answered_or_skipped_is_over(store: SqlStore) -> None:
    """A business answer ends the wait, whoever answers has it; a confirmation of it is late, and changes nothing."""
    await deliver_later(store, delivery("a"), delivery("b"))
    await hand_over(store)
    await answer(store, "a")
    assert await state_of(store, "a") is DeliveryState.ANSWERED
    assert await say(store, "a", "delivered") is Settled.LATE
    assert await say(store, "a", "delivered") is Settled.REPEATED
    assert (await state_of(store, "a"), await stages(store, "a")) == (DeliveryState.ANSWERED, [Stage.ANSWERED])
    assert await hand_over(store) == ["b"]


async def test_an_operator_need_not_wait(store: SqlStore) -> None:
    """One that awaits its confirmation can be sent again at once, before what followed it, and cannot be skipped."""
    from gateway.errors import TransitionRefused

    await deliver_later(store, delivery("a"), delivery("b"))
    await hand_over(store)
    with pytest.raises(TransitionRefused):
        await store.skip_delivery("a", NOW)
    await store.retry_delivery("a", NOW)
    assert await hand_over(store) == ["a"]


async def test_long_references_are_known_by_their_digest(store: SqlStore) -> None:
    """A reference may be longer than an index takes; two that begin alike are two."""
    await deliver_later(store, delivery("a", "x"), delivery("b", "y"))
    names = {}
    for number, one in enumerate(await store.claim_deliveries(9, LEASE, NOW)):
        result = handed_over(one, "r" * 5000 + str(number))
        assert result.awaits is not None
        names[one.id] = result.awaits.key
        await store.finish_attempt(result)
    found = [await store.awaited(names[name]) for name in "ab"]
    assert [one.delivery.id for one in found if isinstance(one, Awaited)] == ["a", "b"]


async def test_two_nodes_settle_one_confirmation_once(place: Place) -> None:
    """The same is heard, and found overdue, on two nodes at once: one of them counts, and there is one receipt."""
    stores = [place.store(), place.store()]
    for store in stores:
        await store.open()
    first = stores[0]
    names = [f"d{number}" for number in range(8)]
    await deliver_later(first, *(delivery(name, name) for name in names))
    await hand_over(first)
    found = await asyncio.gather(*(store.overdue(9, UNTIL) for store in stores))
    assert [len(one) for one in found] == [8, 8]
    wanted = [await settlement(first, name, "delivered", at=UNTIL) for name in names]
    lapses = [Settlement(one, UNCONFIRMED, UNTIL, next_at=UNTIL) for one in found[0]]
    came_to = await asyncio.gather(*(store.settle(one) for store in stores for one in (*wanted, *lapses)))
    delivered = [
        one for one, given in zip(came_to, (*wanted, *lapses) * 2, strict=True) if given.verdict == "delivered"
    ]
    assert delivered.count(Settled.COUNTED) <= 8
    for name in names:
        if await state_of(first, name) is not DeliveryState.DELIVERED:  # a lapse came first, and the rest looks again
            assert await say(first, name, "delivered") is Settled.COUNTED
        assert await stages(first, name) == [Stage.DELIVERED]
    for store in stores:
        await store.close()
