"""What a node leaves behind when it ends, and how soon it is taken up again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.model import DeliveryState
from gateway.store.contract import Share
from gateway.store.sql_store import SqlStore
from tests.store.made import LEASE, NOW, accept, deliver_later, delivery, outcome
from tests.store.test_deliveries import claim_ids, result

SOON = NOW + timedelta(seconds=1)


async def begun(store: SqlStore, now: object = NOW) -> list[int]:
    """Claims everything; how many examinations of each were begun before without a word of their end."""
    return [one.begun for one in await store.claim_payloads(9, LEASE, now)]


async def test_examinations_without_a_word_are_counted(store: SqlStore) -> None:
    """Each claim that ends without a word counts, in a row; whoever tells how the examination ended sets it right."""
    await accept(store)
    for deaths in range(3):
        assert await begun(store, NOW + deaths * LEASE) == [deaths]
    (held,) = await store.claim_payloads(9, LEASE, NOW + 3 * LEASE)
    assert held.begun == 3
    await store.renew_payload(held.payload.id, held.fence, LEASE, NOW + 3 * LEASE)  # still at it
    await store.renew_payload(held.payload.id, held.fence, timedelta(0), NOW + 3 * LEASE, 0)
    assert await begun(store, NOW + 3 * LEASE) == [0]
    assert await begun(store, NOW + 4 * LEASE) == [1]


async def test_a_payload_opened_again_is_under_no_suspicion(store: SqlStore) -> None:
    """What was failed because it ended its examiners is examined like any other when it is processed again."""
    accepted = await accept(store)
    for deaths in range(3):
        (held,) = await store.claim_payloads(9, LEASE, NOW + deaths * LEASE)
    await store.commit(outcome(held, failed="it ended the process"))
    await store.reopen_payload(accepted.payload_id)
    assert await begun(store) == [0]


async def test_a_node_that_starts_again_has_its_work_back_at_once(store: SqlStore) -> None:
    """Its own leases, of payloads and of sendings, end with its return; those of others stay."""
    for number, node in enumerate(("other", "mine"), 1):
        await store.hold_as(node, NOW)
        await deliver_later(store, delivery(f"d-{node}", f"lane {node}"), number=number)
        assert await claim_ids(store) == [f"d-{node}"]
        await accept(store, 100 + number)
        assert len(await store.claim_payloads(9, LEASE, NOW)) == 1
    assert (await claim_ids(store, SOON), await begun(store, SOON)) == ([], [])
    assert await store.hold_as("mine", SOON) == 2
    assert await claim_ids(store, SOON) == ["d-mine"]
    assert await begun(store, SOON) == [1]
    assert await store.hold_as("unheard of", SOON) == 0


async def test_one_partner_takes_up_no_more_than_its_share(store: SqlStore) -> None:
    """However much waits for one, also before the others, there is room left for them; what is free is used."""
    await deliver_later(
        store,
        *(delivery(f"slow{n}", f"slow {n}", partner_id="slow", next_at=NOW) for n in range(10)),
        *(delivery(f"full{n}", f"full {n}", partner_id="full", next_at=NOW) for n in range(5)),
        *(delivery(f"one{n}", f"one {n}", partner_id="one", next_at=SOON) for n in range(2)),
        *(delivery(f"two{n}", f"two {n}", partner_id="two", next_at=SOON) for n in range(2)),
    )
    held = await store.claim_deliveries(6, LEASE, SOON, Share(3, {"full": 3, "slow": 1}))
    assert sorted(one.id[:-1] for one in held) == ["one", "one", "slow", "slow", "two", "two"]
    held = await store.claim_deliveries(20, LEASE, SOON, Share(3, {"full": 2}))
    assert sorted(one.id[:-1] for one in held) == ["full", "slow", "slow", "slow"]
    assert not await store.claim_deliveries(20, LEASE, SOON, Share(1, {"full": 1, "slow": 1}))


async def test_a_recipient_that_is_back_gets_what_waited(store: SqlStore) -> None:
    """The first that arrives after an outage brings forward what failed as often; not what has a reason of its own."""
    names = ("first", "same", "too", "other")
    made = (delivery(name, name, agreement_id="theirs" if name == "other" else "ours") for name in names)
    await deliver_later(store, *made, delivery("fresh", "fresh", agreement_id="ours", next_at=NOW + 9 * LEASE))
    at = NOW
    for attempt in (1, 2):
        for one in await store.claim_deliveries(9, LEASE, at):
            hour = timedelta(hours=1 if attempt == 2 and one.id != "first" else 0)
            await store.finish_attempt(result(one, "deferred", at=at, next_at=at + hour))
    (again,) = await store.claim_deliveries(9, LEASE, at)
    assert again.id == "first"
    assert (await store.delivery("too")).attempts == 2
    assert await claim_ids(store, at) == []
    await store.finish_attempt(result(again, at=at))
    assert sorted(await claim_ids(store, at)) == ["same", "too"]


async def test_what_fails_by_itself_keeps_its_delay(store: SqlStore) -> None:
    """One that failed more often than the one that got through is not tried sooner, and so does not die sooner."""
    await deliver_later(store, delivery("bad", "bad"), delivery("good", "good", next_at=SOON))
    for attempt in range(3):
        (bad,) = await store.claim_deliveries(1, LEASE, NOW)
        await store.finish_attempt(
            result(bad, "deferred", at=NOW, next_at=NOW if attempt < 2 else NOW + timedelta(hours=1))
        )
    for outcome_, next_at in (("deferred", SOON), ("delivered", None)):
        (good,) = await store.claim_deliveries(1, LEASE, SOON)
        assert good.id == "good"
        await store.finish_attempt(result(good, outcome_, at=SOON, next_at=next_at))
    assert not await claim_ids(store, SOON)
    assert (await store.delivery("bad")).state is DeliveryState.PENDING


@pytest.mark.parametrize("begun_", [0, 2])
async def test_giving_back_needs_the_lease(store: SqlStore, begun_: int) -> None:
    """A worker that lost its payload changes nothing about it any more."""
    await accept(store)
    (old,) = await store.claim_payloads(9, LEASE, NOW)
    assert await begun(store, NOW + LEASE) == [1]
    with pytest.raises(Exception, match="taken over"):
        await store.renew_payload(old.payload.id, old.fence, timedelta(0), NOW + LEASE, begun_)
    assert await begun(store, NOW + 2 * LEASE) == [2]
