"""What recipients say by themselves, after something was handed over to them: it counts once, and its absence counts too.

A transport tells what came (`confirm`); where nothing comes in time, the delivery is tried again under its id, as after
any attempt that did not succeed. Several nodes may hear the same, and look for the same that is overdue: the store lets
one of them count.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from gateway.config import Deliver
from gateway.deliver.retry import Backoff, next_attempt
from gateway.errors import FactsMoved, TemporaryError
from gateway.model import Delivery
from gateway.receipt.notary import Notary
from gateway.registry.directory import Directory
from gateway.store.contract import (
    UNCONFIRMED,
    Awaited,
    Confirmation,
    NewReceipt,
    Settled,
    Settlement,
    storable,
    storable_key,
)
from gateway.store.ports import Store
from gateway.transports.base import STAGES, VERDICTS, Evidence

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0
"""Seconds between two looks for what is overdue; one look is one read of an index."""
AT_ONCE = 100
"""Overdue deliveries that are settled after one look, so that a partner who never confirms anything takes turns."""
LOOKS = 5
"""How often a confirmation is judged anew where the delivery moved meanwhile: another node's timeout, a report, an order
of an operator's, each of which happens once."""


class Confirmations:
    """Settles deliveries that await a confirmation."""

    def __init__(
        self,
        store: Store,
        directory: Directory,
        notary: Notary,
        settings: Deliver,
        *,
        on_settled: Callable[[], None] = lambda: None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        draw: Callable[[], float] = random.random,
    ) -> None:
        """`on_settled` is called when something may be due now; `draw` gives the jitter."""
        self._store = store
        self._directory = directory
        self._notary = notary
        self._backoff = Backoff(settings.first_delay, settings.longest_delay)
        self._on_settled = on_settled
        self._clock = clock
        self._draw = draw

    async def confirm(self, transport: str, partner_id: str, reference: str, evidence: Evidence) -> Settled:
        """Let what an authenticated partner said of `reference` count, and say what that came to, after the commit.

        ValueError for an outcome that is none; temporary errors of the store, after which the same is to be said again.
        """
        if evidence.outcome not in VERDICTS:
            raise ValueError(f"{evidence.outcome} is no verdict of a confirmation")
        came = Confirmation(
            (partner_id, transport, storable_key(reference)),
            evidence.outcome,
            self._clock(),
            evidence.kind,
            storable(evidence.detail),
            evidence.answer,
            evidence.digest,
        )
        for _ in range(LOOKS):
            awaited = await self._store.awaited(came.key)
            if awaited is None:
                settled = await self._store.keep_confirmation(came)
            else:
                settled = await self._settle(awaited, came)
            if settled is not Settled.MOVED:
                delivery = awaited.delivery.id if awaited is not None else ""
                log.info(
                    "confirmation_came",
                    what=settled.value,
                    partner=partner_id,
                    transport=transport,
                    reference=storable(reference),
                    delivery=delivery,
                    verdict=evidence.outcome,
                    detail=came.detail,
                )
                return settled
        raise FactsMoved(partner_id=partner_id)

    async def find_awaited(self, transport: str, partner_id: str, reference: str) -> Delivery | None:
        """What a confirmation of `reference` would be about; None where nobody awaits it, nor did."""
        awaited = await self._store.awaited((partner_id, transport, storable_key(reference)))
        return awaited.delivery if awaited is not None else None

    async def run(self) -> None:
        """Look for what is overdue until cancelled."""
        while True:
            try:
                while await self.settle_overdue() == AT_ONCE:
                    pass
            except TemporaryError as error:
                log.warning("overdue_not_looked_for", reason=str(error))
            await asyncio.sleep(LOOK_SECONDS)

    async def settle_overdue(self) -> int:
        """Try again what was not confirmed in time, and let count what came too early; how many there were."""
        found = await self._store.overdue(AT_ONCE, self._clock())
        await asyncio.gather(*(self._settle_one(awaited) for awaited in found))
        return len(found)

    async def _settle_one(self, awaited: Awaited) -> None:
        try:
            if awaited.came is not None:
                settled = await self._settle(awaited, awaited.came)
            else:
                settled = await self._lapse(awaited)
        except TemporaryError as error:  # at the next look
            log.info("overdue_not_settled", delivery=awaited.delivery.id, reason=str(error))
        else:
            log.info("overdue_settled", delivery=awaited.delivery.id, came_early=awaited.came is not None, what=settled)

    async def _settle(self, awaited: Awaited, came: Confirmation) -> Settled:
        """Let a confirmation count."""
        delivery, verdict, detail = awaited.delivery, came.verdict, came.detail
        if verdict == "delivered" and awaited.key[0] != delivery.partner_id:
            # Whoever confirms it carries it for the recipient.
            verdict = "relayed"
        if verdict in STAGES and came.digest and came.digest != delivery.sha256:
            verdict, detail = "deferred", f"The recipient confirmed another digest, {storable(came.digest)}"
        receipts: tuple[NewReceipt, ...] = ()
        next_at = None
        if verdict in STAGES:
            stage = STAGES[verdict]
            recipient = await self._directory.partner(delivery.partner_id)
            body = self._notary.handed_over(
                stage, delivery, recipient, at=came.at, evidence=came.kind, answer=came.answer
            )
            receipts = (NewReceipt(stage, delivery.id, body),)
        elif verdict == "deferred":
            next_at = await self._next_attempt(awaited)
        settlement = Settlement(awaited, verdict, came.at, detail or verdict, next_at, receipts)
        return self._ring(await self._store.settle(settlement))

    async def _lapse(self, awaited: Awaited) -> Settled:
        """Try again what nobody has confirmed."""
        next_at, reference = await self._next_attempt(awaited), awaited.key[2]
        detail = f"No confirmation of {reference} has come in time."
        settlement = Settlement(awaited, UNCONFIRMED, self._clock(), detail, next_at)
        return self._ring(await self._store.settle(settlement))

    def _ring(self, settled: Settled) -> Settled:
        """Say that something may be due now, where that is so."""
        if settled is Settled.COUNTED:
            self._on_settled()
        return settled

    async def _next_attempt(self, awaited: Awaited) -> datetime | None:
        """When to send it again; None where its agreement allows no more attempts, or is gone."""
        delivery = awaited.delivery
        agreement = await self._directory.agreement(delivery.partner_id, delivery.agreement_id)
        if agreement is None:
            return None
        backoff = self._backoff.agreed(agreement)
        return next_attempt(delivery.attempts, agreement.attempts, self._clock(), backoff, self._draw())
