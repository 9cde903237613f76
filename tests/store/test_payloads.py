"""Commit 1 and the inbox."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.errors import LeaseLost, NotFound, TransportIdReused
from gateway.model import PayloadState
from gateway.store.bodies import LARGEST_ROW, content
from gateway.store.sql_store import SqlStore
from tests.store.made import LEASE, NOW, accept, claim, outcome, payload


async def test_accepted_payloads_are_kept_whole(store: SqlStore) -> None:
    """What was accepted is there with every field and its bytes, small or large."""
    for number, size in enumerate((1, 2000, 64 * 1024, 64 * 1024 + 1, 300_000), 1):
        body = bytes([number]) * size
        await accept(store, number, body=body, content_type="text/plain", filename="a.edi", test=True)
        view = await store.payload(f"{number:032x}")
        assert content(view.payload) == body
        assert bool(view.payload.path) is (size > LARGEST_ROW)  # a large one is read from its file by whoever needs it
        kept = replace(view.payload, body=body, path="")
        assert kept == payload(number, body=body, content_type="text/plain", filename="a.edi", test=True)
        assert view.state is PayloadState.RECEIVED


async def test_many_accepts_at_once_share_commits_and_leave_no_gap(store: SqlStore) -> None:
    """Receipts of concurrent accepts fill the log without a gap, under few checkpoints."""
    accepted = await asyncio.gather(*(accept(store, number) for number in range(300)))
    assert sorted(one.receipt.index for one in accepted) == list(range(300))
    assert [receipt.index async for receipt in store.log()] == list(range(300))


async def test_a_repeated_transport_id_gets_the_same_receipt(store: SqlStore) -> None:
    """The same transport id and digest get the stored receipt, byte for byte, and nothing new is kept."""
    first = await accept(store, 1, transport_id="T1")
    again = await accept(store, 2, transport_id="T1", body=b"payload 1", received_at=NOW + LEASE)
    assert again.duplicate
    assert (again.payload_id, again.receipt) == (first.payload_id, first.receipt)
    with pytest.raises(NotFound):
        await store.payload(f"{2:032x}")


async def test_a_repeated_transport_id_in_one_batch(store: SqlStore) -> None:
    """Repeats that arrive together are one payload."""
    accepted = await asyncio.gather(*(accept(store, n, transport_id="T1", body=b"same") for n in range(1, 6)))
    assert len({one.payload_id for one in accepted}) == 1
    assert sorted(one.duplicate for one in accepted) == [False, True, True, True, True]


async def test_a_transport_id_with_other_bytes_is_refused_alone(store: SqlStore) -> None:
    """Another digest under a known transport id fails; the others of its batch are kept."""
    await accept(store, 1, transport_id="T1")
    results = await asyncio.gather(
        accept(store, 2), accept(store, 3, transport_id="T1"), accept(store, 4), return_exceptions=True
    )
    assert isinstance(results[1], TransportIdReused)
    assert [getattr(one, "payload_id", "") for one in results] == [f"{2:032x}", "", f"{4:032x}"]


@pytest.mark.parametrize(
    "other",
    [
        {"partner_id": "another"},
        {"transport": "as2"},
        {"test": True},
    ],
)
async def test_transport_ids_of_others_do_not_meet(store: SqlStore, other: dict[str, object]) -> None:
    """A transport id is unique within one partner, one transport, and live or test traffic."""
    await accept(store, 1, transport_id="T1")
    second = await accept(store, 2, transport_id="T1", **other)
    assert not second.duplicate


async def test_claims_follow_arrival(store: SqlStore) -> None:
    """Payloads are claimed in the order in which their receipts stand in the log."""
    for number in (5, 3, 9, 1):
        await accept(store, number)
    claimed = await store.claim_payloads(3, LEASE, NOW)
    assert [one.payload.body for one in claimed] == [b"payload 5", b"payload 3", b"payload 9"]
    assert [one.payload.body for one in await store.claim_payloads(3, LEASE, NOW)] == [b"payload 1"]


async def test_a_lease_that_ran_out_is_taken_over(store: SqlStore) -> None:
    """After its lease a payload is claimed again with a higher fence, and the first worker may not write."""
    first = await claim(store)
    assert not await store.claim_payloads(1, LEASE, NOW + LEASE - timedelta(microseconds=1))
    (second,) = await store.claim_payloads(1, LEASE, NOW + LEASE)
    assert second.fence > first.fence
    with pytest.raises(LeaseLost):
        await store.commit(outcome(first))
    with pytest.raises(LeaseLost):
        await store.renew_payload(first.payload.id, first.fence, LEASE, NOW)
    await store.commit(outcome(second))
    assert (await store.payload(first.payload.id)).state is PayloadState.PROCESSED


async def test_a_renewed_lease_holds(store: SqlStore) -> None:
    """A worker that renews in time keeps its payload."""
    held = await claim(store)
    await store.renew_payload(held.payload.id, held.fence, 3 * LEASE, NOW)
    assert not await store.claim_payloads(1, LEASE, NOW + 2 * LEASE)


async def test_a_reopened_payload_is_claimed_under_a_new_fence(store: SqlStore) -> None:
    """Reprocessing starts from the first message, and no fence of the first time is good any more."""
    stale = await claim(store)
    (first,) = await store.claim_payloads(1, LEASE, NOW + LEASE)
    await store.commit(outcome(first, position=7))
    await store.reopen_payload(first.payload.id)
    assert (await store.payload(first.payload.id)).state is PayloadState.RECEIVED
    (again,) = await store.claim_payloads(1, LEASE, NOW)
    assert again.fence > first.fence > stale.fence
    assert again.position == 0
    with pytest.raises(LeaseLost):
        await store.commit(outcome(first))
    with pytest.raises(NotFound):
        await store.reopen_payload("unknown")


async def test_a_failed_payload_says_why(store: SqlStore) -> None:
    """What could not be processed leaves the inbox, with its reason for the operator."""
    claimed = await claim(store)
    await store.commit(outcome(claimed, failed="table missing"))
    view = await store.payload(claimed.payload.id)
    assert (view.state, view.failed) == (PayloadState.FAILED, "table missing")
    assert (await store.pressure()).payloads_waiting == 0


async def test_payload_lists_are_newest_first_and_paged(store: SqlStore) -> None:
    """Lists go backwards from any payload of those listed, filtered by partner and state."""
    for number in range(1, 6):
        await accept(store, number, partner_id="a" if number % 2 else "b")
    newest = await store.payloads("", "", "", 2)
    assert [one.payload.id[-1] for one in newest] == ["5", "4"]
    older = await store.payloads("a", "received", newest[0].payload.id, 9)
    assert [one.payload.id[-1] for one in older] == ["3", "1"]
    assert older[0].payload.body == b""
    # Behind another partner's payload there is nothing, as behind one that is not there.
    assert await store.payloads("a", "received", newest[1].payload.id, 9) == []


async def test_what_a_sender_sent_before_is_known_while_it_is_undecided(store: SqlStore) -> None:
    """Of the same sender and traffic, and earlier: held by a worker or not, until its last commit."""
    for number, fields in enumerate(({}, {"partner_id": "other"}, {"test": True}, {}), 1):
        await accept(store, number, **fields)
    held = await store.claim_payloads(4, LEASE, NOW)
    assert [await store.earlier_undecided(one.payload.id) for one in held] == [False, False, False, True]
    await store.commit(outcome(held[0], finished=False))
    assert await store.earlier_undecided(held[3].payload.id)
    await store.commit(outcome(held[0], position=2))
    assert not await store.earlier_undecided(held[3].payload.id)
