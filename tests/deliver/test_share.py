"""A recipient that hangs holds its share of the sendings, and no others."""

from __future__ import annotations

import asyncio

from gateway.config import Deliver
from gateway.deliver.worker import DeliveryWorker
from gateway.model import Agreement, Delivery, DeliveryState, Direction, Partner, Role
from gateway.receipt.notary import Notary
from gateway.store.sql_store import SqlStore
from gateway.transports.base import Evidence, Record
from tests.store.made import ORIGIN, deliver_later, delivery

SLOW, QUICK = 40, 20


class Line:
    """A transport on which one partner never answers until it is told to."""

    def __init__(self) -> None:
        self.wakes = asyncio.Event()
        self.hanging = self.most_hanging = self.sent = 0
        self.all_quick = asyncio.Event()
        self.all = asyncio.Event()

    def find_address(self, _agreement: Agreement) -> str:
        """All goes to one place."""
        return ""

    async def send(self, delivery: Delivery, _agreement: Agreement, _record: Record) -> Evidence:
        """One attempt."""
        if delivery.partner_id == "slow":
            self.hanging += 1
            self.most_hanging = max(self.most_hanging, self.hanging)
            await self.wakes.wait()
            self.hanging -= 1
        self.sent += 1
        if self.sent == QUICK:
            self.all_quick.set()
        if self.sent == SLOW + QUICK:
            self.all.set()
        return Evidence("delivered", "http_status")

    async def close(self) -> None:
        """Nothing is open."""


async def test_one_that_hangs_does_not_stop_the_others(store: SqlStore) -> None:
    """With every lane of a hanging recipient due first, others are served at once; what it has been spared comes later."""
    names = {"slow": SLOW, "quick": QUICK}
    await store.import_partners(
        [Partner(name, name, frozenset({Role.CUSTOMS})) for name in names],
        [Agreement(name, name, Direction.OUT, "*", "json:x:1", attempts=3) for name in names],
        (),
    )
    made = [
        delivery(f"{name}{n}", f"{name}{n}", partner_id=name, agreement_id=name)
        for name, count in names.items()
        for n in range(count)
    ]
    await deliver_later(store, *made)
    line = Line()
    worker = DeliveryWorker(store, {"http": line}, Deliver(concurrency=8, share=4), Notary(ORIGIN, b"secret"))
    running = asyncio.create_task(worker.run())
    try:
        async with asyncio.timeout(20):
            await line.all_quick.wait()
        waiting = [(await store.delivery(f"slow{n}")).state for n in range(SLOW)]
        assert set(waiting) == {DeliveryState.PENDING, DeliveryState.SENDING}
        assert line.most_hanging == waiting.count(DeliveryState.SENDING) == 4
        line.wakes.set()
        async with asyncio.timeout(20):
            await line.all.wait()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
