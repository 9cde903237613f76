"""Takes due deliveries from the store, sends each over its agreement's transport, and records what came of it.

The attempt is in the store before the sending starts; the result, with its receipt, after it. A crash
in between leaves a lease that runs out, and the delivery goes again under the same id. While a sending
lasts its lease is renewed, however long the agreement lets it last.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import structlog

from gateway.config import Deliver
from gateway.deliver.loop import LONGEST_WAIT, Loop
from gateway.deliver.retry import Backoff, next_attempt
from gateway.deliver.traffic import Obstacle, Traffic
from gateway.errors import (
    DeliveryRefused,
    EndpointGone,
    GatewayError,
    LeaseLost,
    PermanentError,
    StoreUnavailable,
    TemporaryError,
)
from gateway.model import Agreement, Delivery
from gateway.receipt.notary import Notary
from gateway.registry.directory import Directory
from gateway.store.contract import PUT_OFF, AttemptResult, Awaits, EndpointKey, NewReceipt, Share, storable_key
from gateway.store.ports import Store
from gateway.transports.base import STAGES, Awaiting, Evidence, Record, Sender

log = structlog.get_logger(__name__)

T = TypeVar("T")

LEAVE_SECONDS = 2.0
"""Seconds that saying so may take when the gateway ends; what is not said, its restart takes back."""


class DeliveryWorker:
    """Sends what is due, many at once, one at a time per lane."""

    def __init__(
        self,
        store: Store,
        senders: Mapping[str, Sender],
        settings: Deliver,
        notary: Notary,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        draw: Callable[[], float] = random.random,
        on_recorded: Callable[[Delivery, AttemptResult], None] = lambda _delivery, _result: None,
    ) -> None:
        """`senders` by transport name; `notary` writes the receipts; `draw` gives the jitter.

        `on_recorded` is told of each attempt, once its result is in the store.
        """
        self._store = store
        self._senders = senders
        self._notary = notary
        self._clock = clock
        self._draw = draw
        self._on_recorded = on_recorded
        self._backoff = Backoff(settings.first_delay, settings.longest_delay)
        self._directory = Directory(store, now=clock)
        self._traffic = Traffic(store, settings, clock, draw)
        self._lease = timedelta(seconds=settings.lease_seconds)
        self._share = settings.share
        self._under_way = Counter[str]()
        """Sendings by partner."""
        self._loop = Loop(self._claim, self._deliver, settings.concurrency)

    def ring(self) -> None:
        """Something may be due: look now."""
        self._loop.ring()

    async def run(self) -> None:
        """Claim and send until cancelled."""
        await self._loop.run()

    async def _claim(self, limit: int) -> Sequence[Delivery]:
        """Lane heads that are due."""
        await self._traffic.look()
        return await self._store.claim_deliveries(
            limit, self._lease, self._clock(), Share(self._share, dict(self._under_way))
        )

    async def _deliver(self, delivery: Delivery) -> None:
        """One attempt, from sending to its recorded result. Never raises: nobody would hear it."""
        holding = asyncio.create_task(self._hold(delivery))
        self._under_way[delivery.partner_id] += 1
        try:
            result = await self._attempt(delivery)
            await self._record(result)
            if result.endpoint is not None:
                self._traffic.note_recorded(result.endpoint.key)
            self._on_recorded(delivery, result)
        except LeaseLost:
            log.info("lease_lost", delivery=delivery.id)
        except asyncio.CancelledError:
            await self._leave(delivery)
            raise
        except Exception:  # a fault of ours; the attempt is counted, so that it ends at the agreement's limit
            log.exception("result_not_recorded", delivery=delivery.id)
        finally:
            holding.cancel()
            self._under_way[delivery.partner_id] -= 1
            if not self._under_way[delivery.partner_id]:
                del self._under_way[delivery.partner_id]

    async def _leave(self, delivery: Delivery) -> None:
        """Say that the attempt ends with the gateway, so that another node, or the next start, goes on at once."""
        with suppress(GatewayError, TimeoutError):
            async with asyncio.timeout(LEAVE_SECONDS):
                await self._store.finish_attempt(
                    self._failed(delivery, "deferred", "The gateway was stopped meanwhile.", self._clock())
                )

    async def _hold(self, delivery: Delivery) -> None:
        """Renew the lease while the delivery is sent: an agreement may let that last longer than any one lease."""
        while True:
            await asyncio.sleep(self._lease.total_seconds() / 3)
            try:
                await self._store.renew_delivery(delivery.id, delivery.fence, self._lease, self._clock())
            except LeaseLost:
                return  # the report finds out as well
            except TemporaryError as error:
                log.info("lease_not_renewed", delivery=delivery.id, reason=str(error))

    async def _record(self, result: AttemptResult) -> None:
        """Keep a result: where the store is away, as soon as it is back, or the delivery would be sent again."""
        await _persist(result.delivery_id, lambda: self._record_once(result))

    async def _record_once(self, result: AttemptResult) -> None:
        """Keep a result. Where it cannot be kept as it is, what was said is left out: how it ended must be known."""
        try:
            await self._store.finish_attempt(result)
        except TemporaryError:
            raise
        except Exception as error:  # noqa: BLE001 -- each engine refuses a value by an error of its own
            log.warning("result_not_recorded_as_it_is", delivery=result.delivery_id, reason=ascii(error))
            detail = f"What was said could not be recorded ({type(error).__name__})."
            await self._store.finish_attempt(replace(result, detail=detail))

    async def _attempt(self, delivery: Delivery) -> AttemptResult:
        """Send once, unless something stands in the way; every way it can end becomes a result."""
        try:
            # As it is now: a mended URL counts for the next attempt.
            agreement = await self._directory.agreement(delivery.partner_id, delivery.agreement_id)
            carrying = await self._find_carrying(delivery, agreement)
            sender = self._find_sender(carrying)
        except PermanentError as error:
            return self._failed(delivery, "refused", str(error), None)
        except TemporaryError as error:  # nothing was sent, and that is nobody's fault who is concerned
            return self._failed(delivery, "deferred", str(error), self._clock())
        key = (carrying.partner_id, carrying.transport, storable_key(sender.find_address(carrying)))
        obstacle = self._traffic.find_obstacle(key, carrying, self._clock())
        if obstacle is not None:
            return self._put_off(delivery, obstacle)
        record, began = Record(), time.perf_counter()
        try:
            async with self._traffic.going(key, carrying):
                began = time.perf_counter()
                result = await self._send(sender, delivery, agreement or carrying, carrying, record, key)
        finally:
            self._traffic.leave(key)
        return replace(result, transcript=record.transcript(time.perf_counter() - began))

    async def _send(
        self,
        sender: Sender,
        delivery: Delivery,
        agreement: Agreement,
        carrying: Agreement,
        record: Record,
        key: EndpointKey,
    ) -> AttemptResult:
        """Hand a delivery to its transport, and judge what that comes to, for it and for its endpoint."""
        try:
            came_to = await self._hand_over(sender, delivery, carrying, record)
        except PermanentError as error:
            # What was answered shows that somebody is there; what was refused before anything went shows nothing.
            standing = self._traffic.judge_success(key) if record.status else None
            return replace(self._failed(delivery, "refused", str(error), None), endpoint=standing)
        except EndpointGone as error:
            result = self._failed(delivery, "deferred", str(error), None, waits_for=key)
            return replace(result, endpoint=self._traffic.judge_gone(key, str(error)))
        except StoreUnavailable as error:  # nothing was sent, and that is nobody's fault who is concerned
            return self._failed(delivery, "deferred", str(error), self._clock())
        except (TemporaryError, TimeoutError) as error:
            asked = error.retry_after if isinstance(error, TemporaryError) else 0.0
            said = str(error) or "No answer in time"
        except Exception as error:  # a fault of ours, such as a token file that is not there, may be mended meanwhile
            log.exception("sending_crashed", delivery=delivery.id)
            # Recipients read it: what the fault says of this machine stands in the log.
            asked, said = 0.0, f"A fault of the gateway's own ({type(error).__name__})."
        else:
            standing = self._traffic.judge_success(key)
            if isinstance(came_to, Awaiting):
                return replace(self._handed_over(delivery, carrying, came_to), endpoint=standing)
            if carrying is not agreement and came_to.outcome == "delivered":
                # The system that serves the addressee has it; whether the addressee has, its own answer will say.
                came_to = replace(came_to, outcome="relayed")
            return replace(await self._done(delivery, came_to), endpoint=standing)
        standing = self._traffic.judge_failure(key, delivery.id, said, answered=bool(record.status))
        result = self._deferred(delivery, agreement, said, asked)
        if result.next_at is not None and standing is not None and standing.until is not None:
            # It is the one that tries the endpoint: what is put off is due later.
            result = replace(result, next_at=max(result.next_at, standing.until))
        return replace(result, endpoint=standing)

    async def _find_carrying(self, delivery: Delivery, agreement: Agreement | None) -> Agreement:
        """The agreement whose transport carries it: the recipient's own, or that of the partner that serves it.

        DeliveryRefused where there is none.
        """
        if agreement is None:
            raise DeliveryRefused("Its agreement is gone.")
        if not agreement.via:
            return agreement
        carrying = await self._directory.wanted(agreement.via, delivery.document_type)
        if carrying is None or carrying.via:
            raise DeliveryRefused(
                f"It goes via {agreement.via}, which has no agreement of its own to get a {delivery.document_type}."
            )
        return carrying

    def _deferred(self, delivery: Delivery, agreement: Agreement, detail: str, asked: float) -> AttemptResult:
        """A result after which it is tried again, unless the agreement's limit is reached."""
        backoff = self._backoff.agreed(agreement)
        at = next_attempt(delivery.attempts, agreement.attempts, self._clock(), backoff, self._draw(), asked)
        return self._failed(delivery, "deferred", detail, at)

    def _find_sender(self, agreement: Agreement) -> Sender:
        """What sends over its transport; DeliveryRefused where nothing does."""
        sender = self._senders.get(agreement.transport)
        if sender is None:
            raise DeliveryRefused(f"No transport is called {agreement.transport}.")
        return sender

    async def _hand_over(
        self, sender: Sender, delivery: Delivery, agreement: Agreement, record: Record
    ) -> Evidence | Awaiting:
        """What the transport says; the timeout here only guards against a transport without one."""
        async with asyncio.timeout(agreement.attempt_timeout + 1):
            came_to = await sender.send(delivery, agreement, record)
        if isinstance(came_to, Awaiting):
            if not came_to.reference or came_to.until.tzinfo is None:
                raise ValueError(f"{agreement.transport} awaits nothing that could be named, or until no known moment")
        elif came_to.outcome not in STAGES:
            raise ValueError(f"{agreement.transport} says {came_to.outcome}, which is no end of a sending")
        return came_to

    def _put_off(self, delivery: Delivery, obstacle: Obstacle) -> AttemptResult:
        """A result that is no attempt: nothing goes there now."""
        log.info(
            "delivery_put_off",
            delivery=delivery.id,
            partner=delivery.partner_id,
            case=delivery.case_id,
            why=obstacle.why,
            until=obstacle.until.isoformat() if obstacle.until is not None else "resumed",
        )
        return AttemptResult(
            delivery.id,
            delivery.fence,
            delivery.attempts,
            PUT_OFF,
            self._clock(),
            obstacle.why,
            obstacle.until,
            lane=delivery.lane,
            waits_for=obstacle.waits_for,
        )

    def _failed(
        self,
        delivery: Delivery,
        outcome: str,
        detail: str,
        next_at: datetime | None,
        *,
        waits_for: EndpointKey | None = None,
    ) -> AttemptResult:
        """A result that is no delivery; without `next_at` and what it waits for it is dead and holds its lane."""
        log.info(
            "delivery_failed",
            delivery=delivery.id,
            partner=delivery.partner_id,
            case=delivery.case_id,
            outcome=outcome,
            attempt=delivery.attempts,
            detail=detail,
        )
        return AttemptResult(
            delivery.id,
            delivery.fence,
            delivery.attempts,
            outcome,
            self._clock(),
            detail,
            next_at,
            lane=delivery.lane,
            waits_for=waits_for,
        )

    def _handed_over(self, delivery: Delivery, agreement: Agreement, awaiting: Awaiting) -> AttemptResult:
        """A result that is no delivery yet: the recipient will say by itself whether it has it."""
        awaits = Awaits(agreement.partner_id, agreement.transport, awaiting.reference, awaiting.until)
        log.info("delivery_awaits", delivery=delivery.id, partner=delivery.partner_id, until=awaiting.until.isoformat())
        return AttemptResult(
            delivery.id,
            delivery.fence,
            delivery.attempts,
            "awaiting",
            self._clock(),
            awaiting.detail,
            lane=delivery.lane,
            awaits=awaits,
        )

    async def _done(self, delivery: Delivery, evidence: Evidence) -> AttemptResult:
        """A result with the receipt that proves it."""
        at = self._clock()
        stage = STAGES[evidence.outcome]
        recipient = await _persist(delivery.id, lambda: self._directory.partner(delivery.partner_id))
        body = self._notary.handed_over(
            stage, delivery, recipient, at=at, evidence=evidence.kind, answer=evidence.answer
        )
        receipt = NewReceipt(stage, delivery.id, body)
        return AttemptResult(
            delivery.id,
            delivery.fence,
            delivery.attempts,
            evidence.outcome,
            at,
            evidence.detail,
            receipts=(receipt,),
            lane=delivery.lane,
        )


async def _persist(delivery_id: str, ask: Callable[[], Awaitable[T]]) -> T:
    """What the store says; where it is away, as soon as it is back. LeaseLost where the delivery is another's by now."""
    while True:
        try:
            return await ask()
        except LeaseLost:
            raise
        except TemporaryError as error:
            log.warning("result_waits_for_the_store", delivery=delivery_id, reason=str(error))
            await asyncio.sleep(LONGEST_WAIT)
