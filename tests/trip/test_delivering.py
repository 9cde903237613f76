"""The delivery worker over a real store: every way an attempt can end is recorded, and none stops the others."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from gateway.config import Settings
from gateway.deliver.worker import DeliveryWorker
from gateway.errors import DeliveryDeferred, DeliveryRefused, Overloaded, PayloadTooLarge, PayloadUnreadable
from gateway.model import Agreement, Delivery, DeliveryState
from gateway.receive.intake import Intake
from gateway.transports.base import Arrival, Evidence, Record
from tests.trip.rig import House, declaration, outgoing


class Transport:
    """A transport that ends each attempt as it is told."""

    def __init__(self, *ends: Exception | Evidence) -> None:
        self.ends = list(ends)
        self.sent: list[str] = []

    def find_address(self, _agreement: Agreement) -> str:
        """All goes to one place."""
        return ""

    async def send(self, delivery: Delivery, _agreement: Agreement, _record: Record) -> Evidence:
        """One attempt."""
        self.sent.append(delivery.id)
        end = self.ends.pop(0) if self.ends else Evidence("delivered", "http_status")
        if isinstance(end, Exception):
            raise end
        return end

    async def close(self) -> None:
        """Nothing is open."""


async def deliver(gateway: House, transport: Transport) -> Delivery:
    """Everything due is tried once; the delivery to the bureau as it then stands."""
    worker = DeliveryWorker(
        gateway.store, {"http": transport}, gateway.settings.deliver, gateway.notary, clock=gateway.clock,
        draw=random.Random(1).random,
    )  # fmt: skip
    for one in await worker._claim(10):
        await worker._deliver(one)
    view = (await gateway.store.payloads("acme", "", "", 10))[0]
    (found,) = (await gateway.store.payload(view.payload.id)).deliveries
    return found


@pytest.mark.parametrize(
    ("end", "state", "error"),
    [
        (Evidence("delivered", "http_digest"), DeliveryState.DELIVERED, ""),
        (Evidence("relayed", "smtp_relay"), DeliveryState.RELAYED, ""),
        (DeliveryDeferred("503: later"), DeliveryState.PENDING, "503: later"),
        (TimeoutError(), DeliveryState.PENDING, "No answer in time"),
        (DeliveryRefused("422: never"), DeliveryState.DEAD, "422: never"),
        (ValueError("a bug in the transport"), DeliveryState.PENDING, "A fault of the gateway's own (ValueError)."),
    ],
)
async def test_every_end_is_recorded(
    gateway: House, end: Exception | Evidence, state: DeliveryState, error: str
) -> None:
    """An attempt ends as delivered, relayed, deferred or dead, with what the peer said for the operator."""
    await gateway.through(declaration("A1"))
    found = await deliver(gateway, Transport(end))
    assert (found.state, found.attempts, found.last_error) == (state, 1, error)


async def test_attempts_end_at_the_agreements_limit(gateway: House) -> None:
    """After as many attempts as the agreement gives, a delivery is dead and is not tried again."""
    agreement = outgoing("bureau", "declaration", "xml:EEntDeclIo:1", attempts=2)
    await gateway.store.import_partners((), (agreement,), ())
    await gateway.through(declaration("A1"))
    transport = Transport(*(DeliveryDeferred("503") for _ in range(9)))
    states = []
    for _ in range(4):
        states.append((await deliver(gateway, transport)).state)
        gateway.clock.forward(hours=2)
    assert states == [DeliveryState.PENDING, DeliveryState.DEAD, DeliveryState.DEAD, DeliveryState.DEAD]
    assert len(transport.sent) == 2
    assert len(set(transport.sent)) == 1


async def test_a_crashed_attempt_goes_again_under_its_id(gateway: House) -> None:
    """An attempt of which no end was recorded is made again when its lease has run out, and counts."""
    await gateway.through(declaration("A1"))
    (crashed,) = await gateway.store.claim_deliveries(5, _lease(gateway.settings), gateway.clock())
    transport = Transport()
    assert (await deliver(gateway, transport)).state is DeliveryState.SENDING
    gateway.clock.forward(seconds=gateway.settings.deliver.lease_seconds + 1)
    found = await deliver(gateway, transport)
    assert (found.state, found.attempts, transport.sent) == (DeliveryState.DELIVERED, 2, [crashed.id])


def _lease(settings: Settings):
    from datetime import timedelta

    return timedelta(seconds=settings.deliver.lease_seconds)


# The way in.


async def test_the_intake_bounds_what_it_takes(gateway: House, tmp_path: Path) -> None:
    """Nothing, too much at once, and too much waiting are refused before anything is kept."""
    limits = {"limits": {"payload_bytes": 100, "payloads_waiting": 1}, "store": gateway.settings.store.model_dump()}
    intake = Intake(gateway.store, Settings.model_validate(limits), gateway.notary, clock=gateway.clock)
    with pytest.raises(PayloadUnreadable):
        await intake.accept(Arrival("acme", "http", b""))
    with pytest.raises(PayloadTooLarge):
        await intake.accept(Arrival("acme", "http", b"x" * 101))
    await intake.accept(Arrival("acme", "http", b"x" * 100))
    intake._judged_at -= 2
    with pytest.raises(Overloaded):
        await intake.accept(Arrival("acme", "http", b"y"))
    await gateway.work()
    intake._judged_at -= 2
    await intake.accept(Arrival("acme", "http", b"y"))


async def test_arrivals_at_once_are_all_kept(gateway: House) -> None:
    """Many arrivals at once each get a receipt of their own, without a gap."""
    accepted = await asyncio.gather(*(gateway.send(b"%d" % n) for n in range(50)))
    assert sorted(a.receipt.index for a in accepted) == list(range(50))
    assert gateway.intake.in_flight == 0
