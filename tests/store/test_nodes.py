"""Several stores on one database: nodes of one gateway."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from gateway.decide.facts import Facts, NextNumber
from gateway.errors import FactsMoved, LeaseLost
from gateway.store.contract import CaseChange
from gateway.store.sql_store import SqlStore
from tests.store.conftest import Place
from tests.store.made import LEASE, NOW, accept, deliver_later, delivery, feed_entry, outcome, receipt
from tests.store.test_deliveries import result
from tests.store.test_faults import consistent


@pytest.fixture
async def nodes(place: Place) -> AsyncIterator[tuple[SqlStore, SqlStore]]:
    first, second = place.store(), place.store()
    await first.open()
    await second.open()
    yield first, second
    await first.close()
    await second.close()


async def test_nodes_share_one_log(nodes: tuple[SqlStore, SqlStore]) -> None:
    """Receipts of both nodes make one log without a gap, whatever the order of their commits."""
    accepted = await asyncio.gather(*(accept(nodes[n % 2], n) for n in range(1, 101)))
    assert sorted(one.receipt.index for one in accepted) == list(range(100))
    assert await consistent(nodes[0]) == await consistent(nodes[1]) == 100


async def test_one_transport_id_at_two_nodes_is_one_payload(nodes: tuple[SqlStore, SqlStore]) -> None:
    """A sending repeated at the other node at the same time is kept once."""
    for number in range(0, 20, 2):
        body, key = f"same {number}".encode(), f"T{number}"
        one, two = await asyncio.gather(
            *(accept(node, number + n, body=body, transport_id=key) for n, node in enumerate(nodes))
        )
        assert one.receipt == two.receipt
        assert sorted((one.duplicate, two.duplicate)) == [False, True]


async def test_payloads_are_claimed_without_overlap(nodes: tuple[SqlStore, SqlStore]) -> None:
    """No payload is in two workers' hands, and none is left out."""
    await asyncio.gather(*(accept(nodes[0], n) for n in range(1, 61)))
    taken: Counter[str] = Counter()

    async def work(node: SqlStore) -> None:
        while claimed := await node.claim_payloads(7, LEASE, NOW):
            taken.update(one.payload.id for one in claimed)
            await asyncio.gather(*(node.commit(outcome(one)) for one in claimed))

    await asyncio.gather(*(work(node) for node in nodes for _ in range(2)))
    assert len(taken) == 60
    assert set(taken.values()) == {1}


async def test_deliveries_are_claimed_without_overlap_and_in_order(nodes: tuple[SqlStore, SqlStore]) -> None:
    """With two nodes sending, each delivery goes once, and each lane keeps its order."""
    await deliver_later(nodes[0], *(delivery(f"{lane}-{n}", f"lane {lane}") for n in range(5) for lane in range(12)))
    sent: list[str] = []

    async def work(node: SqlStore) -> None:
        idle = 0
        while idle < 20:
            held = await node.claim_deliveries(4, LEASE, NOW)
            idle = 0 if held else idle + 1
            for one in held:
                sent.append(one.id)
                await node.finish_attempt(result(one, receipts=(receipt(one.id),)))
            await asyncio.sleep(0)

    await asyncio.gather(*(work(node) for node in nodes))
    assert len(sent) == len(set(sent)) == 60
    for lane in range(12):
        assert [one for one in sent if one.startswith(f"{lane}-")] == [f"{lane}-{n}" for n in range(5)]
    assert await consistent(nodes[1]) == 61


async def test_the_slower_node_loses_its_lease(nodes: tuple[SqlStore, SqlStore]) -> None:
    """A node whose lease ran out may neither commit nor report."""
    await accept(nodes[0], 1)
    (stale,) = await nodes[0].claim_payloads(1, LEASE, NOW)
    (held,) = await nodes[1].claim_payloads(1, LEASE, NOW + LEASE)
    with pytest.raises(LeaseLost):
        await nodes[0].commit(outcome(stale))
    await nodes[1].commit(outcome(held, deliveries=(delivery("d"),)))
    (stale_delivery,) = await nodes[0].claim_deliveries(1, LEASE, NOW)
    assert await nodes[1].claim_deliveries(1, LEASE, NOW + LEASE)
    with pytest.raises(LeaseLost):
        await nodes[0].finish_attempt(result(stale_delivery))


async def test_numbers_are_given_once_across_nodes(nodes: tuple[SqlStore, SqlStore]) -> None:
    """Both nodes draw from one counter; the same message gets the same number at either."""
    number = NextNumber("371000-2-26")
    given = await asyncio.gather(*(nodes[n % 2].facts([number], Facts(), f"m{n}") for n in range(40)))
    assert sorted(facts[number] for facts in given) == list(range(1, 41))
    again = await nodes[1].facts([number], Facts(), "m0")
    assert again[number] == given[0][number]


async def test_a_reader_that_follows_a_feed_skips_nothing(nodes: tuple[SqlStore, SqlStore]) -> None:
    """While both nodes publish, whoever reads on from the last sequence number sees every entry once, in order."""
    seen: list[int] = []
    total = 40
    await asyncio.gather(*(accept(nodes[0], n) for n in range(1, total + 1)))
    claimed = await nodes[0].claim_payloads(total, LEASE, NOW)

    async def read() -> None:
        while len(seen) < total:
            entries = await nodes[0].feed("clearance", "", seen[-1] if seen else 0, 5)
            seen.extend(entry.sequence for entry in entries)
            await asyncio.sleep(0)

    async def publish(node: SqlStore, part: int) -> None:
        for place in range(part, total, 2):
            await node.commit(outcome(claimed[place], feed=(feed_entry(f"f{place}"),)))

    await asyncio.wait_for(asyncio.gather(read(), publish(nodes[0], 0), publish(nodes[1], 1)), 60)
    assert seen == list(range(1, total + 1))


async def test_one_case_changed_at_two_nodes(nodes: tuple[SqlStore, SqlStore]) -> None:
    """Of two nodes that change one version of a case at the same time, one is told that it moved."""
    for number in range(1, 21):
        await accept(nodes[0], number)
    claimed = await nodes[0].claim_payloads(20, LEASE, NOW + timedelta(seconds=1))
    for version in range(10):
        change = CaseChange("c1", version, "declared", "firm")
        results = await asyncio.gather(
            *(node.commit(outcome(claimed[2 * version + n], cases=(change,))) for n, node in enumerate(nodes)),
            return_exceptions=True,
        )
        assert sorted(type(one) for one in results if one is not None) == [FactsMoved]
    assert (await nodes[1].case("c1"))[0].version == 10
