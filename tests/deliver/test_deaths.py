"""A delivery that dies is an alert, however it died: on the operator's feed, on its case, in the log at error."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.config import Deliver
from gateway.deliver.worker import DeliveryWorker
from gateway.errors import DeliveryDeferred, DeliveryRefused
from gateway.model import Agreement, DeliveryState, Direction, Partner, Role
from gateway.receipt.notary import Notary
from gateway.store.alerts import OPERATOR
from gateway.store.contract import CaseChange
from gateway.store.feeds import ALERTS
from gateway.store.sql_store import SqlStore
from gateway.transports.base import Sender
from tests.deliver.test_worker import Clock, Speaker
from tests.store.made import LEASE, ORIGIN, claim, delivery, outcome

AGREEMENT = Agreement("ag", "customs", Direction.OUT, "*", "json:x:1", attempts=2)
BODY = b"clearance " * 10_000  # so large that it is a file


async def queue(store: SqlStore, agreement: Agreement | None = AGREEMENT) -> None:
    """One delivery of case c1 to customs, in the store."""
    partner = Partner("customs", "Customs", frozenset({Role.CUSTOMS}))
    await store.import_partners((partner,), (agreement,) if agreement else (), ())
    claimed = await claim(store)
    made = delivery("one", agreement_id="ag", case_id="c1", message_id="m1", body=BODY)
    await store.commit(outcome(claimed, cases=(CaseChange("c1", 0, "declared", "firm"),), deliveries=(made,)))


async def work(store: SqlStore, sender: Sender, clock: Clock, rounds: int = 4) -> None:
    """Everything due is tried, round after round, with hours in between."""
    worker = DeliveryWorker(store, {"http": sender}, Deliver(), Notary(ORIGIN, b"secret"), clock=clock)
    for _ in range(rounds):
        for one in await worker._claim(10):
            await worker._deliver(one)
        clock.now += timedelta(hours=2)


async def refused(store: SqlStore, clock: Clock, _folder: Path) -> None:
    await queue(store)
    await work(store, Speaker(DeliveryRefused("415 we take no such thing")), clock)


async def used_up(store: SqlStore, clock: Clock, _folder: Path) -> None:
    await queue(store)
    await work(store, Speaker(DeliveryDeferred("503 busy")), clock)


async def agreement_gone(store: SqlStore, clock: Clock, _folder: Path) -> None:
    await queue(store, agreement=None)
    await work(store, Speaker(DeliveryDeferred("never asked")), clock)


async def no_word(store: SqlStore, clock: Clock, _folder: Path) -> None:
    """Each worker that takes it ends without a word."""
    await queue(store, replace(AGREEMENT, attempts=1))
    assert await store.claim_deliveries(1, LEASE, clock.now)
    clock.now += LEASE
    # Two nodes find it at once.
    assert await asyncio.gather(*(store.claim_deliveries(1, LEASE, clock.now) for _ in range(2))) == [(), ()]


async def body_lost(store: SqlStore, clock: Clock, folder: Path) -> None:
    await queue(store)
    digest = (await store.delivery("one")).sha256
    await asyncio.to_thread((folder / digest[:2] / digest).unlink)
    assert not await store.claim_deliveries(1, LEASE, clock.now)


DEATHS: dict[str, tuple[Callable[[SqlStore, Clock, Path], Awaitable[None]], int, str]] = {
    # How it dies, after how many attempts, and what the operator reads of it.
    "refused by the recipient": (refused, 1, "415 we take no such thing"),
    "attempts used up": (used_up, 2, "503 busy"),
    "its agreement gone": (agreement_gone, 1, "agreement is gone"),
    "the last attempt ended without a word": (no_word, 1, "without a word"),
    "the file of its body lost": (body_lost, 0, "is missing"),
}


@pytest.mark.parametrize("way", DEATHS)
async def test_a_death_is_told_wherever_an_operator_looks(store: SqlStore, tmp_path: Path, way: str) -> None:
    """Partner, case, delivery, document, attempts and the last words: feed, timeline and log each have them, once."""
    die, attempts, words = DEATHS[way]
    clock = Clock()
    with capture_logs() as logs:
        await die(store, clock, tmp_path / "payloads")
    view = (await store.case("c1"))[0]
    (dead,) = view.deliveries
    assert (dead.state, dead.attempts) == (DeliveryState.DEAD, attempts)
    assert words in dead.last_error

    (entry,) = await store.feed(ALERTS, OPERATOR, 0, 9)
    said = json.loads((await store.feed_entry(ALERTS, OPERATOR, entry.sequence)).body)
    assert words in said.pop("said")
    (reason,) = said.pop("reasons")
    assert reason["code"] == "deliver.dead"
    assert words in reason["args"]["said"]
    known = {"case": "c1", "partner": "customs", "delivery": "one", "document": "clearance", "attempts": attempts}
    assert said == {"alert": "delivery_dead", **known}

    (event,) = [one for one in view.events if one.kind == "alert"]
    assert (event.partner_id, event.details["partner"], event.delivery_id) == (OPERATOR, "customs", "one")
    assert event.details["reasons"] == [reason]

    (line,) = [one for one in logs if one["log_level"] == "error"]
    assert line["event"] == "delivery_dead"
    assert words in line["said"]
    assert known.items() <= line.items()
    assert (await store.pressure()).deliveries_dead == 1


@pytest.mark.parametrize("way", [used_up, body_lost])
async def test_one_that_dies_again_alerts_again(
    store: SqlStore, tmp_path: Path, way: Callable[[SqlStore, Clock, Path], Awaitable[None]]
) -> None:
    """An operator who retries a dead delivery is told when that came to nothing, also where nothing could be sent."""
    clock = Clock()
    await way(store, clock, tmp_path / "payloads")
    clock.now += timedelta(days=1)
    await store.retry_delivery("one", clock.now)
    await work(store, Speaker(DeliveryDeferred("503 busy")), clock)
    assert len(await store.feed(ALERTS, OPERATOR, 0, 9)) == 2
