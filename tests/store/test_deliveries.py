"""Lanes, leases and attempts."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from gateway.errors import LeaseLost, NotFound, TransitionRefused
from gateway.model import Agreement, Delivery, DeliveryState, Direction, Stage
from gateway.store.contract import AttemptResult
from gateway.store.sendings import NO_WORD
from gateway.store.sql_store import SqlStore
from tests.store.made import LEASE, NOW, accept, answer, claim, deliver_later, delivery, outcome, receipt, sha256


def result(held: Delivery, outcome_: str = "delivered", **fields: object) -> AttemptResult:
    given: dict[str, object] = {
        "delivery_id": held.id,
        "fence": held.fence,
        "number": held.attempts,
        "outcome": outcome_,
        "at": NOW + timedelta(seconds=1),
    }
    return AttemptResult(**(given | fields))  # type: ignore[arg-type]


async def claim_ids(store: SqlStore, now: object = NOW, limit: int = 100) -> list[str]:
    return [one.id for one in await store.claim_deliveries(limit, LEASE, now)]


async def test_a_claimed_delivery_is_complete_and_its_attempt_is_recorded(store: SqlStore) -> None:
    """Claiming gives the body, small or large, and counts the attempt before anything is sent."""
    made = [delivery("a", "l1"), delivery("b", "l2", body=b"x" * 100_000, reference="R1", test=True, case_id="")]
    await deliver_later(store, *made)
    claimed = await store.claim_deliveries(10, LEASE, NOW)
    assert [one.body for one in claimed] == [made[0].body, made[1].body]
    assert {(one.state, one.attempts, one.fence) for one in claimed} == {(DeliveryState.SENDING, 1, 1)}
    (kept,) = [one for one in await store.deliveries("", "sending", 9) if one.id == "b"]
    assert (kept.attempts, kept.reference, kept.test) == (1, "R1", True)


async def test_only_the_head_of_a_lane_goes(store: SqlStore) -> None:
    """A lane's deliveries go one after the other, in order; lanes do not wait for each other."""
    await deliver_later(store, *(delivery(f"{lane}{n}", lane) for n in range(3) for lane in "xy"))
    for n in range(3):
        held = await store.claim_deliveries(10, LEASE, NOW)
        assert [one.id for one in held] == [f"x{n}", f"y{n}"]
        assert not await claim_ids(store)
        await asyncio.gather(*(store.finish_attempt(result(one)) for one in held))
    assert not await claim_ids(store)
    assert [one.id for one in await store.deliveries("", "delivered", 9)][:2] == ["y2", "x2"]


async def test_a_deferred_delivery_waits_and_keeps_its_lane(store: SqlStore) -> None:
    """A delivery that is tried again later is due then, under the same id, before its followers."""
    await deliver_later(store, delivery("a"), delivery("b"))
    (held,) = await store.claim_deliveries(9, LEASE, NOW)
    later = NOW + timedelta(seconds=10)
    await store.finish_attempt(result(held, "deferred", detail="busy", next_at=later))
    assert not await claim_ids(store, later - timedelta(microseconds=1))
    (again,) = await store.claim_deliveries(9, LEASE, later)
    assert (again.id, again.attempts, again.last_error, again.body) == ("a", 2, "busy", held.body)


async def test_a_dead_head_holds_its_lane_and_no_other(store: SqlStore) -> None:
    """A dead delivery blocks what follows it until an operator retries it."""
    await deliver_later(store, delivery("a", "x"), delivery("b", "x"), delivery("c", "y"))
    held = {one.id: one for one in await store.claim_deliveries(9, LEASE, NOW)}
    assert set(held) == {"a", "c"}
    await store.finish_attempt(result(held["a"], "refused", detail="no"))
    await store.finish_attempt(result(held["c"]))
    far = NOW + timedelta(days=365)
    assert not await claim_ids(store, far)
    pressure = await store.pressure()
    assert (pressure.deliveries_dead, pressure.deliveries_waiting) == (1, 1)
    await store.retry_delivery("a", far)
    (again,) = await store.claim_deliveries(9, LEASE, far)
    assert (again.id, again.body) == ("a", held["a"].body)
    await store.finish_attempt(result(again))
    assert await claim_ids(store, far) == ["b"]


async def test_a_skipped_delivery_lets_the_next_go(store: SqlStore) -> None:
    """Only a dead delivery is skipped; the next one of its lane goes."""
    await deliver_later(store, delivery("a"), delivery("b"))
    with pytest.raises(TransitionRefused):
        await store.skip_delivery("a", NOW)
    (held,) = await store.claim_deliveries(9, LEASE, NOW)
    with pytest.raises(TransitionRefused):
        await store.retry_delivery("a", NOW)
    await store.finish_attempt(result(held, "refused"))
    await store.skip_delivery("a", NOW)
    assert (await store.delivery("a")).state is DeliveryState.SKIPPED
    assert await claim_ids(store) == ["b"]
    with pytest.raises(TransitionRefused):
        await store.skip_delivery("a", NOW)
    for order in (store.skip_delivery, store.retry_delivery):
        with pytest.raises(NotFound):
            await order("unknown", NOW)


async def test_a_lost_lease_may_not_report(store: SqlStore) -> None:
    """After a lease ran out and another worker claimed, only the newest fence may report, and only once."""
    await deliver_later(store, delivery("a"))
    (first,) = await store.claim_deliveries(1, LEASE, NOW)
    (second,) = await store.claim_deliveries(1, LEASE, NOW + LEASE)
    assert second.attempts == 2
    with pytest.raises(LeaseLost):
        await store.finish_attempt(result(first))
    await store.finish_attempt(result(second, receipts=(receipt("a"),)))
    with pytest.raises(LeaseLost):
        await store.finish_attempt(result(second))
    assert [one.stage for one in await store.receipts_of(["a"])] == [Stage.DELIVERED]


async def test_a_renewed_lease_lasts(store: SqlStore) -> None:
    """A lease that is renewed runs out later; only who holds it may renew it, and only while it is sent."""
    await deliver_later(store, delivery("a"))
    (held,) = await store.claim_deliveries(1, LEASE, NOW)
    await store.renew_delivery("a", held.fence, LEASE, NOW + LEASE / 2)
    assert not await claim_ids(store, NOW + LEASE)
    (again,) = await store.claim_deliveries(1, LEASE, NOW + LEASE * 1.5)
    for id_, fence in (("a", held.fence), ("unknown", 1)):
        with pytest.raises(LeaseLost):
            await store.renew_delivery(id_, fence, LEASE, NOW)
    both = [store.renew_delivery("a", again.fence, LEASE, NOW + 9 * LEASE), store.finish_attempt(result(again))]
    assert await asyncio.gather(*both) == [None, None]
    with pytest.raises(LeaseLost):
        await store.renew_delivery("a", again.fence, LEASE, NOW)
    assert (await store.delivery("a")).state is DeliveryState.DELIVERED


async def test_a_deferred_delivery_has_no_lease(store: SqlStore) -> None:
    """A late renewal does not move the moment at which a deferred delivery is due."""
    await deliver_later(store, delivery("a"))
    (held,) = await store.claim_deliveries(1, LEASE, NOW)
    await store.finish_attempt(result(held, "deferred", next_at=NOW + LEASE))
    with pytest.raises(LeaseLost):
        await store.renew_delivery("a", held.fence, 9 * LEASE, NOW)
    assert await claim_ids(store, NOW + LEASE) == ["a"]


async def test_attempts_without_a_word_end_at_the_agreements_limit(store: SqlStore) -> None:
    """A delivery whose leases run out is dead after as many attempts as its agreement allows, and holds its lane."""
    await store.import_partners((), (Agreement("twice", "customs", Direction.OUT, "*", "json:x:1", attempts=2),), ())
    await deliver_later(store, delivery("a", agreement_id="twice"), delivery("b", agreement_id="twice"))
    moment = NOW
    for attempts in (1, 2):
        (held,) = await store.claim_deliveries(9, LEASE, moment)
        assert (held.id, held.attempts) == ("a", attempts)
        moment += LEASE
    assert not await claim_ids(store, moment)
    dead = await store.delivery("a")
    assert (dead.state, dead.attempts, dead.last_error) == (DeliveryState.DEAD, 2, NO_WORD)
    with pytest.raises(LeaseLost):
        await store.finish_attempt(result(held))
    assert not await claim_ids(store, moment + timedelta(days=365))
    await store.retry_delivery("a", moment)  # which allows one more
    assert await claim_ids(store, moment) == ["a"]
    assert not await claim_ids(store, moment + LEASE)
    assert (await store.delivery("a")).state is DeliveryState.DEAD
    await store.skip_delivery("a", moment)
    assert await claim_ids(store, moment) == ["b"]


async def test_a_deferred_delivery_is_no_lapsed_one(store: SqlStore) -> None:
    """Attempts whose end is known are the worker's to count: a delivery that waits goes, whatever the limit is by now."""
    await deliver_later(store, delivery("a", agreement_id="once"))
    (held,) = await store.claim_deliveries(1, LEASE, NOW)
    await store.finish_attempt(result(held, "deferred", next_at=NOW))
    await store.import_partners((), (Agreement("once", "customs", Direction.OUT, "*", "json:x:1", attempts=1),), ())
    assert await claim_ids(store) == ["a"]
    assert not await claim_ids(store, NOW + LEASE)


async def test_an_answered_delivery_does_not_die_of_its_lease(store: SqlStore) -> None:
    """Who answers has it: the worker that sent it is lost, and the next one's report finds the answer."""
    await store.import_partners((), (Agreement("once", "customs", Direction.OUT, "*", "json:x:1", attempts=1),), ())
    await deliver_later(store, delivery("a", agreement_id="once"))
    await store.claim_deliveries(1, LEASE, NOW)
    await answer(store, "a")
    (again,) = await store.claim_deliveries(1, LEASE, NOW + LEASE)
    await store.finish_attempt(result(again, "refused"))
    assert (await store.delivery("a")).state is DeliveryState.ANSWERED


async def test_a_lost_body_makes_its_own_delivery_dead_and_no_other_wait(store: SqlStore) -> None:
    """A delivery whose file is gone waits for an operator in its lane; those of other lanes go."""
    body = b"x" * 70_000
    await deliver_later(store, delivery("a", "x", body=body), delivery("b", "y"))
    store._files.path(sha256(body)).unlink()
    assert await claim_ids(store) == ["b"]
    (dead,) = await store.deliveries("", "dead", 9)
    assert (dead.id, sha256(body) in dead.last_error) == ("a", True)


async def test_late_joiners_of_a_lane_wait_for_its_head(store: SqlStore) -> None:
    """A delivery that joins a lane in another commit is claimed after those before it; an empty lane starts anew."""
    await deliver_later(store, delivery("a"), number=1)
    await deliver_later(store, delivery("b"), number=2)
    (held,) = await store.claim_deliveries(9, LEASE, NOW)
    assert held.id == "a"
    await store.finish_attempt(result(held))
    (held,) = await store.claim_deliveries(9, LEASE, NOW)
    await store.finish_attempt(result(held))
    await deliver_later(store, delivery("c"), number=3)
    assert await claim_ids(store) == ["c"]


async def test_making_a_delivery_again_changes_nothing(store: SqlStore) -> None:
    """Reprocessing makes the same ids, and those that exist, waiting or done, are not sent again."""
    made = (delivery("a", "x"), delivery("b", "y"))
    await deliver_later(store, *made)
    held = [one for one in await store.claim_deliveries(9, LEASE, NOW) if one.id == "a"]
    await store.finish_attempt(result(held[0]))
    await store.reopen_payload(f"{1:032x}")
    (again,) = await store.claim_payloads(1, LEASE, NOW)
    await store.commit(outcome(again, deliveries=made))
    assert await claim_ids(store, NOW + 2 * LEASE) == ["b"]


async def test_staged_deliveries_wait_for_the_last_chunk(store: SqlStore) -> None:
    """What chunks of a large interchange make is released in order with the last one, and not before."""
    claimed = await claim(store)
    staged = {"state": DeliveryState.STAGED}
    await store.commit(outcome(claimed, finished=False, position=1, deliveries=(delivery("a", **staged),)))
    await store.commit(outcome(claimed, finished=False, position=2, deliveries=(delivery("b", **staged),)))
    assert not await claim_ids(store)
    await store.commit(outcome(claimed, position=3, deliveries=(delivery("c", **staged), delivery("d"))))
    order = []
    for _ in range(4):
        (held,) = await store.claim_deliveries(9, LEASE, NOW)
        order.append(held.id)
        await store.finish_attempt(result(held))
    assert sorted(order) == ["a", "b", "c", "d"]
    assert [one for one in order if one != "d"] == ["a", "b", "c"]


async def test_a_failed_payload_releases_nothing(store: SqlStore) -> None:
    """When the trailer rejects an interchange, its staged deliveries are gone."""
    claimed = await claim(store)
    staged = delivery("a", state=DeliveryState.STAGED)
    await store.commit(outcome(claimed, finished=False, deliveries=(staged,)))
    await store.commit(outcome(claimed, failed="counts"))
    assert not await claim_ids(store)
    assert not (await store.payload(claimed.payload.id)).deliveries


async def test_an_answer_is_found_by_reference_and_recorded_once(store: SqlStore) -> None:
    """An answer finds the newest delivery with its reference; a second answer changes nothing."""
    await deliver_later(store, delivery("a", "x", reference="R1"), delivery("b", "y", reference="R1"))
    found = await store.delivery_by_reference("customs", "R1")
    assert found is not None
    assert (found.id, found.body) == ("b", b"body of b")
    assert await store.delivery_by_reference("another", "R1") is None
    for held in await store.claim_deliveries(9, LEASE, NOW):
        await store.finish_attempt(result(held))
    for _ in range(2):
        await answer(store, "b")
    assert len(await store.receipts_of(["b"])) == 1
    assert (await store.delivery("b")).state is DeliveryState.ANSWERED
    await answer(store, "unknown")
    assert await store.receipts_of(["unknown"]) == []


async def test_an_answer_that_overtakes_the_report(store: SqlStore) -> None:
    """An answer during the sending counts when the worker reports; one to a waiting delivery ends it."""
    await deliver_later(store, delivery("a", "x"), delivery("b", "x"), delivery("c", "y"))
    held = {one.id: one for one in await store.claim_deliveries(9, LEASE, NOW)}
    await store.finish_attempt(result(held["c"], "deferred", next_at=NOW + LEASE))
    await answer(store, "a")
    await answer(store, "c")
    assert (await store.delivery("c")).state is DeliveryState.ANSWERED
    assert (await store.delivery("a")).state is DeliveryState.SENDING
    await store.finish_attempt(result(held["a"], "deferred", next_at=NOW + LEASE))
    assert (await store.delivery("a")).state is DeliveryState.ANSWERED
    assert await claim_ids(store) == ["b"]


async def test_deliveries_are_listed_newest_first(store: SqlStore) -> None:
    """Lists hold waiting and finished deliveries, by partner and state."""
    await deliver_later(store, delivery("a", "x"), delivery("b", "y", partner_id="port"), delivery("c", "z"))
    (held, *_) = await store.claim_deliveries(1, LEASE, NOW)
    await store.finish_attempt(result(held))
    assert [one.id for one in await store.deliveries("", "", 9)] == ["c", "b", "a"]
    assert [one.id for one in await store.deliveries("customs", "pending", 9)] == ["c"]
    assert [one.id for one in await store.deliveries("customs", "", 1)] == ["c"]
    with pytest.raises(NotFound):
        await store.delivery("unknown")


async def test_accepting_goes_on_beside_deliveries(store: SqlStore) -> None:
    """All kinds of operations share batches, and each gets its own answer."""
    await deliver_later(store, *(delivery(f"d{n}", f"lane{n}") for n in range(20)), number=1)
    held = await store.claim_deliveries(20, LEASE, NOW)
    results = await asyncio.gather(
        *(accept(store, n) for n in range(10, 30)),
        *(store.finish_attempt(result(one, receipts=(receipt(one.id),))) for one in held),
        store.retry_delivery("unknown", NOW),
        return_exceptions=True,
    )
    assert [type(one) for one in results if isinstance(one, Exception)] == [NotFound]
    assert [one.index async for one in store.log()] == list(range(41))
