"""The trip on one screen: receive -> parse -> check -> translate -> decide -> deliver -> receipt.

A payload that commit 1 has kept is claimed, examined (parse, check, read), decided message by message, and written by
commit 2: one transaction for all of it, or one per chunk of a large one. Whatever stops in between leaves a lease that
runs out, and the payload is taken up again; ids derive from its id, so that doing it again makes the same things.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog

from gateway.catalogue import Catalogue
from gateway.check import rulebook
from gateway.config import Settings
from gateway.decide import china
from gateway.decide.flow import Flows
from gateway.deliver.loop import Loop
from gateway.errors import BodyLost, FactsMoved, TemporaryError
from gateway.model import Direction
from gateway.receipt.notary import Notary
from gateway.registry.directory import Directory
from gateway.store.contract import Claimed, MessageRecord, Outcome
from gateway.store.ports import Store
from gateway.trip.alarms import Alarms
from gateway.trip.carry import Trip
from gateway.trip.examine import Bounds
from gateway.trip.in_force import InForce
from gateway.trip.inbox import HeldPayload, Inbox
from gateway.trip.precedence import PATIENCE, Precedence, Way
from gateway.trip.render import Renderer
from gateway.trip.work import COMES_BACK, see_through
from gateway.trip.workers import Examiners

log = structlog.get_logger(__name__)


class Pipeline:
    """Takes payloads from commit 1 to commit 2."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        notary: Notary,
        flows: Flows,
        in_force: InForce,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        on_committed: Callable[[], None] = lambda: None,
        arrivals: Callable[[], int] = lambda: 0,
        observe: Callable[[float], None] = lambda _seconds: None,
        on_judged: Callable[[Sequence[MessageRecord]], None] = lambda _records: None,
    ) -> None:
        """`in_force` has the catalogue that each payload is taken on its trip by, from its examination to its last commit.

        `on_committed` is called after each commit 2, to wake the deliveries; `arrivals` counts what is being accepted.

        `observe` is told how many seconds a payload took from its arrival to its last commit, and `on_judged` after
        each commit which messages have their verdicts by it.
        """
        lease = timedelta(seconds=settings.pipeline.lease_seconds)
        limits = settings.limits
        self._store = store
        self._chunk = settings.pipeline.chunk
        self._notary = notary
        self._flows = flows
        self._in_force = in_force
        self._our_id = settings.our_id
        self._acknowledged_within = timedelta(hours=settings.deliver.acknowledged_hours)
        self._clock = clock
        self._on_committed = on_committed
        self._observe = observe
        self._on_judged = on_judged
        self._directory = Directory(store, now=clock)
        self._examiners = Examiners(
            settings.pipeline.workers,
            limits.unpacked_bytes,
            Bounds(limits.unpacked_ratio, limits.interchanges, limits.groups),
            settings.pipeline.worker_bytes,
            shelf=in_force.shelf,
        )
        self._inbox = Inbox(store, lease, clock, arrivals)
        self._loop = Loop(self._claim, self.process, settings.pipeline.concurrency)
        self.precedence = Precedence()
        self.alarms = Alarms(
            store,
            self._directory,
            settings.our_id,
            flows,
            in_force,
            notary,
            lease,
            clock,
            on_committed,
            self._acknowledged_within,
        )
        self._once_more = asyncio.Lock()
        self._one_long = asyncio.Lock()

    def ring(self) -> None:
        """A payload has come: look now."""
        self._loop.ring()

    async def run(self) -> None:
        """Claim and process until cancelled."""
        warming = asyncio.create_task(self._examiners.warm_up(self._in_force.catalogue), name="examiners")
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._loop.run(), name="payloads")
                both.create_task(self.alarms.run(), name="deadlines")
        finally:
            warming.cancel()
            await self.precedence.stop()
            self._examiners.close()

    async def _claim(self, limit: int) -> Sequence[Claimed]:
        """What waits, once nothing that goes first stands in the store's way."""
        await self.precedence.wait_until_none(PATIENCE)
        return await self._inbox.claim(limit)

    def begin_at_once(self, claimed: Claimed) -> None:
        """Process a payload whose sender waits for what comes of it: commit 1 has claimed it for this process."""
        task = asyncio.create_task(self.process(claimed), name=f"at once {claimed.payload.id}")
        self.precedence.begin(claimed.payload, task)

    async def wait_until_decided(self, payload_id: str, seconds: float) -> None:
        """Wait until a payload that was begun at once here has come to its end, for so long at most."""
        await self.precedence.wait_until_over(payload_id, seconds)

    async def process(self, claimed: Claimed) -> None:
        """One payload, to its last commit. Never raises: a fault of ours is told to its sender and to the operator."""
        async with self._inbox.hold(claimed, self._tell_fault) as held:
            if held.is_crowded:
                await held.give_back(COMES_BACK)
            elif held.is_lost:
                await held.fail(BodyLost.of(claimed.payload.sha256))
            else:
                # What was received before midnight is judged by the lists and rules of its day.
                with self._in_force.held(china.day(claimed.payload.received_at)) as catalogue:
                    await see_through(held, partial(self._carry, held, catalogue))

    async def _carry(self, held: HeldPayload, catalogue: Catalogue, again: bool) -> None:
        """Received by commit 1: parse, check, translate; then decide, deliver, receipt, and commit 2."""
        payload, now = held.claimed.payload, self._clock()
        way = self.precedence.way_of(payload)
        await way.give()
        trip = await self._begin(held.claimed, catalogue, now, way, again=again)
        # A payload whose facts moved shared a case with another: one by one, they do not meet again.
        async with self._once_more if again else nullcontext():
            agreements = await self._directory.agreements(payload.partner_id, Direction.IN, payload.received_at)
            with held.under_examination():
                async for item in self._examiners.examine(
                    catalogue,
                    payload,
                    agreements,
                    china.day(payload.received_at),
                    suspect=held.is_suspect,
                    urgent=payload.at_once,
                ):
                    await trip.take(item)
            if trip.changes_earlier:
                await self._inbox.wait_for_earlier(payload.id)
            try:
                await trip.finish()
            except FactsMoved:
                held.advance(trip.done)
                raise
        held.finish()
        self._on_committed()
        self._observe((self._clock() - payload.received_at).total_seconds())

    async def _begin(self, claimed: Claimed, catalogue: Catalogue, now: datetime, way: Way, *, again: bool) -> Trip:
        """A trip by the sender as it is now, and by the rules of `catalogue` for the day on which it was received."""
        return Trip(
            self._store,
            self._directory,
            Renderer(self._our_id, self._store, catalogue, self._acknowledged_within),
            self._notary,
            claimed,
            await self._directory.partner(claimed.payload.partner_id),
            self._flows,
            rulebook.load(catalogue, self._flows.rules).at(china.day(claimed.payload.received_at)),
            catalogue,
            now,
            self._chunk,
            way=way,
            one_long=self._one_long,
            again=again,
            on_judged=self._on_judged,
        )

    async def _tell_fault(self, claimed: Claimed, reason: str) -> None:
        """Tell what went wrong with a payload as a whole; its bytes stay, and it can be processed again."""
        try:
            way = self.precedence.way_of(claimed.payload)
            trip = await self._begin(claimed, self._in_force.catalogue, self._clock(), way, again=False)
            await trip.give_up(reason)
            self._on_committed()
        except TemporaryError as error:
            log.warning("failure_not_recorded", payload=claimed.payload.id, reason=str(error))
        except Exception:  # not even an answer can be made: the operator at least must find it
            log.exception("failure_not_answered", payload=claimed.payload.id)
            with suppress(TemporaryError):
                await self._store.commit(Outcome(claimed.work, claimed.position, finished=True, failed=reason))
