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
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import structlog

from gateway.catalogue import Catalogue
from gateway.check import rulebook
from gateway.config import Settings
from gateway.decide import china
from gateway.decide.flow import Flows
from gateway.deliver.loop import Loop
from gateway.deliver.rendering import Renderer
from gateway.errors import EarlierUndecided, ExaminerLost, FactsMoved, LeaseLost, TemporaryError
from gateway.model import Direction, Payload
from gateway.receipt.notary import Notary
from gateway.registry.directory import Directory
from gateway.store.contract import Claimed, Outcome, Store
from gateway.trip.carry import Trip
from gateway.trip.examine import Bounds
from gateway.trip.in_force import InForce
from gateway.trip.workers import Examiners, is_large

log = structlog.get_logger(__name__)

DECISIONS = 5
"""How often a payload is decided anew at once when facts move; after that it waits a little."""
COMES_BACK = timedelta(seconds=0.5)
"""How soon a payload comes back that could not be decided or written just now; a whole lease is for crashes."""

SUSPECT_DEATHS = 3
"""Examinations in a row that nobody told the end of, after which a payload is examined in a process apart: it may
be what ended the process each time. Fewer would suspect what a killed node happened to hold; each more is one more
start of a gateway that such a payload ends at once."""
RETURN_SECONDS = 0.5
"""Seconds after which a payload is given back again where the store did not answer: so soon it is free once it does."""
LEAVE_SECONDS = 2.0
"""Seconds that giving everything back may take when the gateway ends; what is left, its restart takes back."""
IN_ORDER_SECONDS, IN_ORDER_LOOKS = 0.2, 10
"""How long a payload keeps its place while it waits for those before it, and how often it looks meanwhile."""

LARGE_AT_ONCE = 2
"""Large payloads of one partner in work at once: one being examined (see `workers.RESERVE`) while another is decided.
With more, one partner's would take all of `pipeline.concurrency`, and hold what was read of each in memory."""

PEAK_ARRIVALS = 16
"""Arrivals waiting for their commit at once that count as a peak: at a steady few hundred a second there are fewer."""
GIVES_WAY = 1.0
"""Seconds for which claiming gives way to a peak at most: a peak is kept first and explained after, but never starved."""
CLAIMED_AT_PEAK = 4
"""Payloads claimed at once while a peak lasts: a few hundredths of the processor's time."""


@dataclass(slots=True)
class _UnderWay:
    """A claimed payload that is being worked at, and what is known by now of its examination."""

    claimed: Claimed
    examined: bool = False
    """Whether its examination came to its end."""
    died: bool = False
    """Whether the process that examined it ended."""
    holding: asyncio.Task[None] | None = None
    """Who renews the lease."""

    @property
    def begun(self) -> int:
        """What the next claim shall see: this examination counts only where the process ended in it."""
        if self.examined:
            return 0
        return self.claimed.begun + self.died

    def stop_holding(self) -> None:
        """Before the lease is shortened: a later renewal would lengthen it again."""
        if self.holding is not None:
            self.holding.cancel()


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
    ) -> None:
        """`in_force` has the catalogue that each payload is taken on its trip by, from its examination to its last commit.

        `on_committed` is called after each commit 2, to wake the deliveries; `arrivals` counts what is being accepted.

        `observe` is told how many seconds a payload took from its arrival to its last commit.
        """
        self._store = store
        self._chunk = settings.pipeline.chunk
        self._lease = timedelta(seconds=settings.pipeline.lease_seconds)
        self._notary = notary
        self._flows = flows
        self._in_force = in_force
        self._our_id = settings.our_id
        self._clock = clock
        self._on_committed = on_committed
        self._arrivals = arrivals
        self._observe = observe
        self._directory = Directory(store)
        limits = settings.limits
        self._examiners = Examiners(
            settings.pipeline.workers,
            limits.unpacked_bytes,
            Bounds(limits.unpacked_ratio, limits.interchanges, limits.groups),
            settings.pipeline.worker_bytes,
            shelf=in_force.shelf,
        )
        self._loop = Loop(self._claim, self.process, settings.pipeline.concurrency)
        self._once_more = asyncio.Lock()
        self._one_long = asyncio.Lock()
        self._large = Counter[str]()
        """Large payloads in work, by partner."""
        self._suspects: set[str] = set()
        """Payloads that were in a process when it ended."""

    def ring(self) -> None:
        """A payload has come: look now."""
        self._loop.ring()

    async def run(self) -> None:
        """Claim and process until cancelled."""
        warming = asyncio.create_task(self._examiners.warm_up(self._in_force.catalogue), name="examiners")
        try:
            await self._loop.run()
        finally:
            warming.cancel()
            self._examiners.close()

    async def _claim(self, limit: int) -> Sequence[Claimed]:
        """The oldest payloads that nobody holds."""
        if await self._gave_way():
            limit = min(limit, CLAIMED_AT_PEAK)
        busy = [partner for partner, count in self._large.items() if count >= LARGE_AT_ONCE]
        return await self._store.claim_payloads(limit, self._lease, self._clock(), without_large_of=busy)

    async def _gave_way(self) -> bool:
        """Wait while many arrivals are being accepted: their senders wait for an answer, this work does not."""
        left = GIVES_WAY
        while left > 0 and self._arrivals() > PEAK_ARRIVALS:
            await asyncio.sleep(GIVES_WAY / 20)
            left -= GIVES_WAY / 20
        return left <= 0

    async def process(self, claimed: Claimed) -> None:
        """One payload, to its last commit. Never raises: a fault of ours is told to its sender and to the operator."""
        payload_id = claimed.payload.id
        if not claimed.payload.path and len(claimed.payload.body) != claimed.payload.size:
            log.error("payload_lost", payload=payload_id, sha256=claimed.payload.sha256)
            await self._record_failure(
                claimed, f"BodyLost: the file {claimed.payload.sha256} is missing from the payload folder."
            )
            return
        work = _UnderWay(claimed)
        if not is_large(claimed.payload):
            await self._work(work)
            return
        partner_id = claimed.payload.partner_id
        if self._large[partner_id] >= LARGE_AT_ONCE:  # several were claimed at once, or it is small and packed
            await self._let_go(work)
            return
        self._large[partner_id] += 1
        try:
            await self._work(work)
        finally:
            self._large[partner_id] -= 1
            if not self._large[partner_id]:
                del self._large[partner_id]

    async def _work(self, work: _UnderWay) -> None:
        """Decide the payload while its lease is held."""
        work.holding = asyncio.create_task(self._hold(work))
        try:
            with self._in_force.held() as catalogue:
                await self._decide(work, catalogue)
        except asyncio.CancelledError:
            await self._leave(work)
            raise
        finally:
            work.holding.cancel()

    async def _decide(self, work: _UnderWay, catalogue: Catalogue) -> None:
        """Examine, decide and commit by `catalogue`; where that does not come to an end, the payload is given back or failed."""
        payload_id = work.claimed.payload.id
        try:
            for attempt in range(DECISIONS):
                now = self._clock()
                trip = await self._begin(work.claimed, catalogue, now, again=attempt > 0)
                try:
                    # A payload whose facts moved shared a case with another: one by one, they do not meet again.
                    async with self._once_more if attempt else nullcontext():
                        await self._carry(trip, work, catalogue, china.day(now))
                except FactsMoved:
                    # What earlier chunks have committed stands: deciding it anew would only meet itself.
                    work.claimed = replace(work.claimed, position=trip.done)
                    continue
                self._finish(work)
                return
            log.warning("facts_keep_moving", payload=payload_id)
        except LeaseLost:
            log.info("lease_lost", payload=payload_id)
            return
        except ExaminerLost as error:
            if self._is_suspect(work.claimed):
                log.exception("payload_ends_its_examiner", payload=payload_id)
                why = f"{type(error).__name__}: it ended the process that examined it."
                await self._record_failure(work.claimed, why)
                return
            log.warning("examiner_lost", payload=payload_id)
            self._suspects.add(payload_id)
            work.died = True
        except EarlierUndecided:
            pass
        except TemporaryError as error:
            log.warning("payload_deferred", payload=payload_id, reason=str(error))
        except Exception as error:  # nothing may be lost: a fault of ours becomes the payload's state
            log.exception("payload_failed", payload=payload_id)
            await self._record_failure(work.claimed, f"{type(error).__name__}: {error}")
            return
        await self._let_go(work)

    def _finish(self, work: _UnderWay) -> None:
        """The payload has left the inbox."""
        self._suspects.discard(work.claimed.payload.id)
        self._on_committed()
        self._observe((self._clock() - work.claimed.payload.received_at).total_seconds())

    def _is_suspect(self, claimed: Claimed) -> bool:
        """Whether the payload may be one that ends whatever process examines it."""
        return claimed.begun >= SUSPECT_DEATHS or claimed.payload.id in self._suspects

    async def _hold(self, work: _UnderWay) -> None:
        """Renew the lease while the payload is worked at: a large one takes longer than any one lease."""
        while True:
            await asyncio.sleep(self._lease.total_seconds() / 3)
            try:
                await self._renew(work, self._lease, 0 if work.examined else None)
            except LeaseLost:
                return  # the next commit finds out as well, and ends the trip
            except TemporaryError as error:
                log.info("lease_not_renewed", payload=work.claimed.payload.id, reason=str(error))

    async def _let_go(self, work: _UnderWay) -> None:
        """Let the payload be claimed again soon: where the store is away, as soon as it is back.

        Nobody else would know that its examination ended well: left to run out, the lease would speak against it.
        """
        work.stop_holding()
        while True:
            try:
                await self._renew(work, COMES_BACK, work.begun)
            except LeaseLost:
                return  # somebody has it already
            except TemporaryError as error:
                log.info("lease_not_renewed", payload=work.claimed.payload.id, reason=str(error))
                await asyncio.sleep(RETURN_SECONDS)
            else:
                return

    async def _leave(self, work: _UnderWay) -> None:
        """Give the payload back at once because the gateway ends: another node, or the next start, has it then."""
        work.stop_holding()
        with suppress(LeaseLost, TemporaryError, TimeoutError):
            async with asyncio.timeout(LEAVE_SECONDS):
                await self._renew(work, timedelta(0), work.begun)

    async def _renew(self, work: _UnderWay, lease: timedelta, begun: int | None) -> None:
        claimed = work.claimed
        await self._store.renew_payload(claimed.payload.id, claimed.fence, lease, self._clock(), begun)

    async def _begin(self, claimed: Claimed, catalogue: Catalogue, now: datetime, *, again: bool) -> Trip:
        """A trip by the sender as it is now, and by the rules of `catalogue` for today."""
        sender = await self._directory.partner(claimed.payload.partner_id)
        return Trip(
            self._store,
            self._directory,
            Renderer(self._our_id, self._store, catalogue),
            self._notary,
            claimed,
            sender,
            self._flows,
            rulebook.load(catalogue, self._flows.rules).at(china.day(now)),
            now,
            self._chunk,
            one_long=self._one_long,
            again=again,
        )

    async def _carry(self, trip: Trip, work: _UnderWay, catalogue: Catalogue, day: date) -> None:
        """Examine everything, then decide and commit."""
        payload = work.claimed.payload
        agreements = await self._directory.agreements(payload.partner_id, Direction.IN)
        work.examined = False
        suspect = self._is_suspect(work.claimed)
        if suspect:
            log.warning("payload_examined_apart", payload=payload.id, begun=work.claimed.begun)
        async for item in self._examiners.examine(catalogue, payload, agreements, day, suspect=suspect):
            await trip.take(item)
        work.examined = True
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
        """Tell what went wrong with the payload as a whole; its bytes stay, and it can be processed again."""
        self._suspects.discard(claimed.payload.id)
        try:
            trip = await self._begin(claimed, self._in_force.catalogue, self._clock(), again=False)
            await trip.give_up(reason)
            self._on_committed()
        except TemporaryError as error:
            log.warning("failure_not_recorded", payload=claimed.payload.id, reason=str(error))
        except Exception:  # not even an answer can be made: the operator at least must find it
            log.exception("failure_not_answered", payload=claimed.payload.id)
            await self._record_unanswered(claimed, reason)

    async def _record_unanswered(self, claimed: Claimed, reason: str) -> None:
        """Keep what went wrong, without an answer."""
        try:
            await self._store.commit(
                Outcome(claimed.payload.id, claimed.fence, claimed.position, finished=True, failed=reason)
            )
        except TemporaryError as error:
            log.warning("failure_not_recorded", payload=claimed.payload.id, reason=str(error))
