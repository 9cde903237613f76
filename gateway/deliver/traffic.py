"""What may go to which endpoint, and when: breakers, pauses, quiet hours, and bounds of how much goes at once.

An endpoint is where sendings fail together: a partner, a transport, an address. Once `trip_after` sendings to it have
failed one after the other, it is spared, for a time that doubles with each further failure, and then tried with one
sending; what is put off meanwhile uses up no attempt. One bad message is not an endpoint that fails: an answer that says
no counts once for each delivery, silence each time. How endpoints stand is in the store, so that every node spares what
one has found failing; how much goes at once and a minute, each node bounds by itself.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from gateway.config import Deliver
from gateway.deliver.retry import Backoff
from gateway.model import Agreement, Endpoint, Stop
from gateway.registry.quiet import read_quiet
from gateway.store.contract import EndpointKey, storable
from gateway.store.ports import Outbox

log = structlog.get_logger(__name__)

LOOK_AGE = 0.5
"""Seconds after which the store is asked anew, and a pause or another node's finding counts here at the latest."""
OWN_AGE = 3.0
"""Seconds for which what this node has found counts though the store does not say so: its report may be under way."""
SAID_KEPT = 500
"""Characters of a failure that are told of its endpoint."""
LONGEST_HELD = 5.0
"""Seconds that a sending waits in a worker's hands for its turn; one that had to wait longer is put off."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a delivery is not tried now."""

    why: str
    until: datetime | None = None
    waits_for: EndpointKey | None = None
    """The endpoint that a person has to resume, instead of `until`."""


@dataclass(slots=True)
class _Under:
    """What goes to one endpoint just now."""

    users: int = 0
    """Sendings that go, or wait for their turn."""
    going: int = 0
    freed: asyncio.Condition = field(default_factory=asyncio.Condition)
    next_turn: float = 0.0
    """Of the loop's clock, when the next one may begin that is bound by the minute."""


class Traffic:
    """Knows how endpoints stand, and lets sendings go or wait."""

    def __init__(
        self, store: Outbox, settings: Deliver, clock: Callable[[], datetime], draw: Callable[[], float]
    ) -> None:
        self._store = store
        self._trip_after = settings.trip_after
        self._backoff = Backoff(settings.first_delay, settings.longest_delay)
        self._clock = clock
        self._draw = draw
        self._known: dict[EndpointKey, Endpoint] = {}
        self._own: dict[EndpointKey, float] = {}
        """When this node found out something about an endpoint."""
        self._looked_at = float("-inf")
        self._failed: defaultdict[EndpointKey, set[str]] = defaultdict(set)
        """Deliveries that were answered with a failure since the last that got through; `trip_after` at most of each."""
        self._probing: set[EndpointKey] = set()
        self._under: defaultdict[EndpointKey, _Under] = defaultdict(_Under)

    async def look(self) -> None:
        """Ask the store how endpoints stand, where that was not just done. Temporary errors of the store."""
        instant = asyncio.get_running_loop().time()
        if instant - self._looked_at < LOOK_AGE:
            return
        self._looked_at = instant
        found = {one.key: one for one in await self._store.endpoints_in_trouble()}
        for key, at in list(self._own.items()):
            if instant - at > OWN_AGE:
                del self._own[key]
                continue
            told, own = found.get(key), self._known.get(key)
            if told is not None and told.waits_for_person:
                continue
            if own is None:
                found.pop(key, None)
            else:
                found[key] = own
        self._known = found

    def find_obstacle(self, key: EndpointKey, agreement: Agreement, now: datetime) -> Obstacle | None:
        """Why nothing goes to an endpoint under this agreement now; None where something may.

        Of an endpoint whose time is over one is let through, until `judge` has heard of it or it was `left`.
        """
        for whom in ((key[0], "", ""), key):
            if (one := self._known.get(whom)) is not None and one.waits_for_person:
                return Obstacle(f"Its endpoint is {one.stop}: {one.said}", waits_for=whom)
        if agreement.quiet and (end := read_quiet(agreement.quiet).ends_after(now, agreement.time_zone)):
            return Obstacle(f"Quiet hours are {agreement.quiet} {agreement.time_zone}.", end)
        if agreement.per_minute:
            waits = self._under[key].next_turn - asyncio.get_running_loop().time()
            if waits > LONGEST_HELD:
                return Obstacle(f"{agreement.per_minute} a minute are agreed.", now + timedelta(seconds=waits))
        one = self._known.get(key)
        if one is None or one.stop is not Stop.TRIPPED:
            return None
        # Whatever waits is due after the one that tries the endpoint has had its time.
        later = timedelta(seconds=agreement.attempt_timeout)
        if one.until is not None and now < one.until:
            return Obstacle(f"Its endpoint fails: {one.said}", one.until + later)
        if key in self._probing:
            return Obstacle("Its endpoint is being tried.", now + later)
        self._probing.add(key)
        return None

    def leave(self, key: EndpointKey) -> None:
        """A sending has ended, whatever it came to."""
        self._probing.discard(key)

    @asynccontextmanager
    async def going(self, key: EndpointKey, agreement: Agreement) -> AsyncIterator[None]:
        """Wait for the turn of a sending, and count it as long as it lasts."""
        if not agreement.at_once and not agreement.per_minute:
            yield
            return
        loop, under = asyncio.get_running_loop(), self._under[key]
        under.users += 1
        try:
            async with self._slot(under, agreement.at_once):
                if agreement.per_minute:
                    turn = max(under.next_turn, loop.time())
                    under.next_turn = turn + 60 / agreement.per_minute
                    await asyncio.sleep(turn - loop.time())
                yield
        finally:
            under.users -= 1
            if not under.users and under.next_turn <= loop.time():
                self._under.pop(key, None)

    @asynccontextmanager
    async def _slot(self, under: _Under, at_once: int) -> AsyncIterator[None]:
        """One of so many; any number where that is 0."""
        async with under.freed:
            while at_once and under.going >= at_once:
                await under.freed.wait()
            under.going += 1
        try:
            yield
        finally:
            under.going -= 1
            async with under.freed:
                under.freed.notify_all()

    def judge_success(self, key: EndpointKey) -> Endpoint | None:
        """A sending got through, or was answered for good: how the endpoint stands now, where that is news."""
        self._failed.pop(key, None)
        known = self._known.get(key)
        if known is None or known.waits_for_person:
            return None
        self._tell(key, None)
        if known.stop is Stop.TRIPPED:
            _tell_log("endpoint_recovered", known)
        return Endpoint(*key)

    def judge_failure(self, key: EndpointKey, delivery_id: str, said: str, *, answered: bool) -> Endpoint | None:
        """A sending failed for now: how the endpoint stands, where that is news."""
        known, now, failed = self._known.get(key) or Endpoint(*key), self._clock(), self._failed[key]
        if known.waits_for_person or (answered and known.stop is not Stop.TRIPPED and delivery_id in failed):
            return None
        if len(failed) < self._trip_after:
            failed.add(delivery_id)
        failures = known.failures + 1
        news = replace(known, failures=failures, since=known.since or now, said=storable(said[:SAID_KEPT]))
        if failures >= self._trip_after:
            spared = self._backoff.delay(failures - self._trip_after + 1, self._draw())
            news = replace(news, stop=Stop.TRIPPED, until=now + spared)
            _tell_log("endpoint_tripped", news)
        self._tell(key, news)
        return news

    def judge_gone(self, key: EndpointKey, said: str) -> Endpoint:
        """The endpoint said that it is there no more."""
        gone = Endpoint(*key, 1, self._clock(), Stop.GONE, None, storable(said[:SAID_KEPT]))
        self._tell(key, gone)
        _tell_log("endpoint_gone", gone)
        return gone

    def note_recorded(self, key: EndpointKey) -> None:
        """What this node told of an endpoint is in the store, which says from now on how it stands."""
        self._own.pop(key, None)

    def _tell(self, key: EndpointKey, news: Endpoint | None) -> None:
        self._own[key] = asyncio.get_running_loop().time()
        if news is None:
            self._known.pop(key, None)
        else:
            self._known[key] = news


def _tell_log(event: str, one: Endpoint) -> None:
    """One line for each change that an operator should know of."""
    until = one.until.isoformat() if one.until is not None else ""
    names = {"partner": one.partner_id, "transport": one.transport, "address": one.address}
    log.warning(event, **names, failures=one.failures, until=until, said=one.said)
