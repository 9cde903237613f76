"""Payloads between the two commits: claimed when their turn has come, held by a lease, and given back.

Whoever claims gives way to a peak of arrivals, leaves one partner's large payloads where others wait, and knows what
may have ended a process. What is at once is claimed with commit 1 already, and waits for none of that.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from gateway.errors import EarlierUndecided, ExaminationFatal, ExaminerLost, LeaseLost, TemporaryError
from gateway.store import ports
from gateway.store.contract import Claimed
from gateway.trip.workers import is_large

log = structlog.get_logger(__name__)

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


class Inbox:
    """What of the store's inbox is in this process's hands, and who of it is suspected of ending processes."""

    def __init__(
        self, store: ports.Inbox, lease: timedelta, clock: Callable[[], datetime], arrivals: Callable[[], int]
    ) -> None:
        """`arrivals` counts what is being accepted just now."""
        self._store = store
        self._lease = lease
        self._clock = clock
        self._arrivals = arrivals
        self._large = Counter[str]()
        """Large payloads in work, by partner."""
        self._suspects: set[str] = set()
        """Payloads that were in a process when it ended."""

    async def claim(self, limit: int) -> Sequence[Claimed]:
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

    @asynccontextmanager
    async def hold(
        self, claimed: Claimed, tell_fault: Callable[[Claimed, str], Awaitable[None]]
    ) -> AsyncIterator[HeldPayload]:
        """Hold a claimed payload meanwhile; `tell_fault` keeps what is a fault of ours, and answers its sender."""
        held = HeldPayload(self, claimed, tell_fault)
        partner_id = claimed.payload.partner_id
        self._large[partner_id] += held.is_large
        held.begin_renewing()
        try:
            yield held
        finally:
            held.stop_renewing()
            self._large[partner_id] -= held.is_large
            self._large += Counter()  # partners with none are forgotten

    def is_crowded(self, partner_id: str) -> bool:
        """Whether more large payloads of the partner are in work than may be."""
        return self._large[partner_id] > LARGE_AT_ONCE

    def is_suspect(self, claimed: Claimed) -> bool:
        """Whether the payload may be one that ends whatever process examines it."""
        return claimed.begun >= SUSPECT_DEATHS or claimed.payload.id in self._suspects

    def suspect(self, payload_id: str) -> None:
        """The payload was in a process that ended."""
        self._suspects.add(payload_id)

    def acquit(self, payload_id: str) -> None:
        """The payload has left the inbox."""
        self._suspects.discard(payload_id)

    async def renew(self, claimed: Claimed, lease: timedelta, begun: int | None) -> None:
        """Hold a payload longer, or no longer; see `Store.renew_payload`."""
        await self._store.renew_payload(claimed.payload.id, claimed.fence, lease, self._clock(), begun)

    @property
    def lease(self) -> timedelta:
        """How long a payload is held without a word."""
        return self._lease

    async def wait_for_earlier(self, payload_id: str) -> None:
        """Let what the sender sent before be decided first; EarlierUndecided where that takes long.

        Payloads are decided side by side, which is right for all but those that amend, replace or cancel.
        """
        for _ in range(IN_ORDER_LOOKS):
            if not await self._store.earlier_undecided(payload_id):
                return
            await asyncio.sleep(IN_ORDER_SECONDS / IN_ORDER_LOOKS)
        raise EarlierUndecided


class HeldPayload:
    """A claimed payload in this process's hands, and what is known by now of its examination."""

    def __init__(self, inbox: Inbox, claimed: Claimed, tell_fault: Callable[[Claimed, str], Awaitable[None]]) -> None:
        self.claimed = claimed
        """With the position up to which it is dealt with by now."""
        self.is_large = is_large(claimed.payload)
        self._inbox = inbox
        self._tell_fault = tell_fault
        self._examined = False
        """Whether its examination came to its end."""
        self._died = False
        """Whether the process that examined it ended."""
        self._renewing: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """The payload's id."""
        return self.claimed.payload.id

    @property
    def is_crowded(self) -> bool:
        """Whether it must wait for other large payloads of its sender: several were claimed at once, or it is packed."""
        return self.is_large and self._inbox.is_crowded(self.claimed.payload.partner_id)

    @property
    def is_suspect(self) -> bool:
        """Whether it may be what ended a process."""
        return self._inbox.is_suspect(self.claimed)

    @property
    def is_lost(self) -> bool:
        """Whether its bytes are gone from the folder of payloads."""
        payload = self.claimed.payload
        return not payload.path and len(payload.body) != payload.size

    @contextmanager
    def under_examination(self) -> Iterator[None]:
        """It is examined meanwhile. ExaminationFatal where that ended the process apart in which a suspect was."""
        self._examined = False
        try:
            yield
        except ExaminerLost as error:
            if self.is_suspect:
                raise ExaminationFatal from error
            log.warning("examiner_lost", payload=self.name)
            self._inbox.suspect(self.name)
            self._died = True
            raise
        self._examined = True

    def advance(self, position: int) -> None:
        """What earlier chunks have committed stands: deciding it anew would only meet itself."""
        self.claimed = replace(self.claimed, position=position)

    def finish(self) -> None:
        """Its last commit is made."""
        self._inbox.acquit(self.name)

    async def fail(self, error: Exception) -> None:
        """Keep what went wrong with the payload as a whole; its bytes stay, and it can be processed again."""
        self._inbox.acquit(self.name)
        await self._tell_fault(self.claimed, f"{type(error).__name__}: {error}")

    async def give_back(self, pause: timedelta) -> None:
        """Let it be claimed again: where the store is away, as soon as it is back, unless this process ends.

        Nobody else would know that its examination ended well: left to run out, the lease would speak against it.
        """
        self.stop_renewing()
        # What the next claim shall see: this examination counts only where the process ended in it.
        begun = 0 if self._examined else self.claimed.begun + self._died
        with suppress(LeaseLost, TimeoutError):  # somebody has it already, or its restart takes it back
            async with asyncio.timeout(None if pause else LEAVE_SECONDS):
                while True:
                    if await self._try_renewing(pause, begun):
                        return
                    await asyncio.sleep(RETURN_SECONDS)

    async def _try_renewing(self, lease: timedelta, begun: int | None) -> bool:
        """Renew the lease; False where the store is away."""
        try:
            await self._inbox.renew(self.claimed, lease, begun)
        except TemporaryError as error:
            log.info("lease_not_renewed", payload=self.name, reason=str(error))
            return False
        return True

    def begin_renewing(self) -> None:
        """Renew the lease from now on: a large payload takes longer than any one lease."""
        self._renewing = asyncio.create_task(self._renew())

    def stop_renewing(self) -> None:
        """Before the lease is shortened: a later renewal would lengthen it again."""
        if self._renewing is not None:
            self._renewing.cancel()

    async def _renew(self) -> None:
        with suppress(LeaseLost):  # the next commit finds out as well, and ends the trip
            while True:
                await asyncio.sleep(self._inbox.lease.total_seconds() / 3)
                await self._try_renewing(self._inbox.lease, 0 if self._examined else None)
