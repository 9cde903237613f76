"""The trip on one screen: receive -> parse -> check -> translate -> decide -> deliver -> receipt.

A payload that commit 1 has kept is claimed, examined (parse, check, read), decided message by message,
and written by commit 2: one transaction for all of it, or one per chunk of a large one. Whatever stops
in between leaves a lease that runs out, and the payload is taken up again; ids derive from its id, so
that doing it again makes the same things.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import structlog

from gateway.check.rulebook import RuleBook
from gateway.config import Settings
from gateway.decide import china
from gateway.deliver.directory import Directory
from gateway.deliver.loop import Loop
from gateway.deliver.rendering import Renderer
from gateway.errors import EarlierUndecided, ExaminerLost, FactsMoved, LeaseLost, TemporaryError
from gateway.model import Direction, Payload
from gateway.receipt.notary import Notary
from gateway.store.contract import Claimed, Outcome, Store
from gateway.trip.carry import Trip
from gateway.trip.examine import Bounds
from gateway.trip.workers import Examiners

log = structlog.get_logger(__name__)

DECISIONS = 5
"""How often a payload is decided anew at once when facts move; after that it waits a little."""
COMES_BACK = timedelta(seconds=0.5)
"""How soon a payload comes back that could not be decided or written just now; a whole lease is for crashes."""

SUSPECT_CLAIMS = 5
"""Claims that came to nothing after which a payload is examined in a process of its own: it may be the reason."""
IN_ORDER_SECONDS, IN_ORDER_LOOKS = 0.2, 10
"""How long a payload keeps its place while it waits for those before it, and how often it looks meanwhile."""

PEAK_ARRIVALS = 16
"""Arrivals waiting for their commit at once that count as a peak: at a steady few hundred a second there are fewer."""
GIVES_WAY = 1.0
"""Seconds for which claiming gives way to a peak at most: a peak is kept first and explained after, but never starved."""
CLAIMED_AT_PEAK = 4
"""Payloads claimed at once while a peak lasts: a few hundredths of the processor's time."""


class Pipeline:
    """Takes payloads from commit 1 to commit 2."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        notary: Notary,
        rules: RuleBook,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        on_committed: Callable[[], None] = lambda: None,
        arrivals: Callable[[], int] = lambda: 0,
        observe: Callable[[float], None] = lambda _seconds: None,
    ) -> None:
        """`on_committed` is called after each commit 2, to wake the deliveries; `arrivals` counts what is being accepted.

        `observe` is told how many seconds a payload took from its arrival to its last commit.
        """
        self._store = store
        self._chunk = settings.pipeline.chunk
        self._lease = timedelta(seconds=settings.pipeline.lease_seconds)
        self._notary = notary
        self._rules = rules
        self._clock = clock
        self._on_committed = on_committed
        self._arrivals = arrivals
        self._observe = observe
        self._directory = Directory(store)
        self._renderer = Renderer(settings.our_id, store)
        limits = settings.limits
        self._examiners = Examiners(
            settings.pipeline.workers,
            limits.unpacked_bytes,
            Bounds(limits.unpacked_ratio, limits.interchanges, limits.groups),
            settings.pipeline.worker_bytes,
        )
        self._loop = Loop(self._claim, self.process, settings.pipeline.concurrency)
        self._once_more = asyncio.Lock()
        self._suspects: set[str] = set()
        """Payloads that were in a process when it ended."""
        self._let_go_here = Counter[str]()
        """How often this process gave payloads back in good order: these claims speak against none."""

    def ring(self) -> None:
        """A payload has come: look now."""
        self._loop.ring()

    async def run(self) -> None:
        """Claim and process until cancelled."""
        try:
            await self._loop.run()
        finally:
            self._examiners.close()

    async def _claim(self, limit: int) -> Sequence[Claimed]:
        """The oldest payloads that nobody holds."""
        if await self._gave_way():
            limit = min(limit, CLAIMED_AT_PEAK)
        return await self._store.claim_payloads(limit, self._lease, self._clock())

    async def _gave_way(self) -> bool:
        """Wait while many arrivals are being accepted: their senders wait for an answer, this work does not."""
        left = GIVES_WAY
        while left > 0 and self._arrivals() > PEAK_ARRIVALS:
            await asyncio.sleep(GIVES_WAY / 20)
            left -= GIVES_WAY / 20
        return left <= 0

    async def process(self, claimed: Claimed) -> None:
        """One payload, to its last commit. Never raises: a fault of ours is recorded for the operator."""
        payload_id = claimed.payload.id
        if not claimed.payload.path and len(claimed.payload.body) != claimed.payload.size:
            log.error("payload_lost", payload=payload_id, sha256=claimed.payload.sha256)
            await self._record_failure(claimed, f"LogDamaged: the file {claimed.payload.sha256} is missing.")
            return
        holding = asyncio.create_task(self._hold(claimed))
        try:
            for attempt in range(DECISIONS):
                now = self._clock()
                trip = await self._begun(claimed, now, again=attempt > 0)
                try:
                    # Those that met in the same case go one by one from then on, or they would meet again.
                    async with self._once_more if attempt else nullcontext():
                        await self._carry(trip, claimed, china.day(now))
                except FactsMoved:
                    # What earlier chunks have committed stands: deciding it anew would only meet itself.
                    claimed = replace(claimed, position=trip.done)
                    continue
                self._done_with(payload_id)
                self._on_committed()
                self._observe((self._clock() - claimed.payload.received_at).total_seconds())
                return
            log.warning("facts_keep_moving", payload=payload_id)
            await self._let_go(claimed)
        except LeaseLost:
            log.info("lease_lost", payload=payload_id)
        except ExaminerLost as error:
            if self._is_suspect(claimed):
                log.exception("payload_ends_its_examiner", payload=payload_id)
                await self._record_failure(claimed, f"{type(error).__name__}: it ended the process that examined it.")
            else:
                log.warning("examiner_lost", payload=payload_id)
                self._suspects.add(payload_id)
                await self._let_go(claimed)
        except EarlierUndecided:
            await self._let_go(claimed)
        except TemporaryError as error:
            log.warning("payload_deferred", payload=payload_id, reason=str(error))
            await self._let_go(claimed)
        except Exception as error:  # nothing may be lost: a fault of ours becomes the payload's state
            log.exception("payload_failed", payload=payload_id)
            await self._record_failure(claimed, f"{type(error).__name__}: {error}")
        finally:
            holding.cancel()

    def _done_with(self, payload_id: str) -> None:
        """Nothing need be remembered of a payload that has left the inbox."""
        self._suspects.discard(payload_id)
        del self._let_go_here[payload_id]

    def _is_suspect(self, claimed: Claimed) -> bool:
        """Whether the payload may be one that ends whatever process examines it."""
        came_to_nothing = claimed.fence - 1 - self._let_go_here[claimed.payload.id]
        return came_to_nothing >= SUSPECT_CLAIMS or claimed.payload.id in self._suspects

    async def _hold(self, claimed: Claimed) -> None:
        """Renew the lease while the payload is worked at: a large one takes longer than any one lease."""
        while True:
            await asyncio.sleep(self._lease.total_seconds() / 3)
            try:
                await self._store.renew_payload(claimed.payload.id, claimed.fence, self._lease, self._clock())
            except LeaseLost:
                return  # the next commit finds out as well, and ends the trip
            except TemporaryError as error:
                log.info("lease_not_renewed", payload=claimed.payload.id, reason=str(error))

    async def _let_go(self, claimed: Claimed) -> None:
        """Let the payload be claimed again soon."""
        self._let_go_here[claimed.payload.id] += 1
        try:
            await self._store.renew_payload(claimed.payload.id, claimed.fence, COMES_BACK, self._clock())
        except (LeaseLost, TemporaryError) as error:
            log.info("lease_not_renewed", payload=claimed.payload.id, reason=str(error))

    async def _begun(self, claimed: Claimed, now: datetime, *, again: bool) -> Trip:
        """A trip by the sender and the rules as they are now."""
        sender = await self._directory.partner(claimed.payload.partner_id)
        return Trip(
            self._store,
            self._directory,
            self._renderer,
            self._notary,
            claimed,
            sender,
            self._rules.at(china.day(now)),
            now,
            self._chunk,
            again=again,
        )

    async def _carry(self, trip: Trip, claimed: Claimed, day: date) -> None:
        """Examine everything, then decide and commit."""
        payload = claimed.payload
        agreements = await self._directory.agreements(payload.partner_id, Direction.IN)
        suspect = self._is_suspect(claimed)
        async for item in self._examiners.examine(payload, agreements, day, suspect=suspect):
            await trip.take(item)
        if trip.changes_earlier:
            await self._in_order(payload)
        await trip.finish()

    async def _in_order(self, payload: Payload) -> None:
        """Let what the sender sent before be decided first; EarlierUndecided where that takes long.

        Payloads are decided side by side, which is right for all but those that amend, replace or cancel.
        """
        for _ in range(IN_ORDER_LOOKS):
            if not await self._store.earlier_undecided(payload.id):
                return
            await asyncio.sleep(IN_ORDER_SECONDS / IN_ORDER_LOOKS)
        raise EarlierUndecided

    async def _record_failure(self, claimed: Claimed, reason: str) -> None:
        """Keep what went wrong with the payload; its bytes stay, and it can be processed again."""
        self._done_with(claimed.payload.id)
        try:
            await self._store.commit(
                Outcome(claimed.payload.id, claimed.fence, claimed.position, finished=True, failed=reason)
            )
        except TemporaryError as error:
            log.warning("failure_not_recorded", payload=claimed.payload.id, reason=str(error))
