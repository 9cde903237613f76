"""News of feeds for those who wait for it: one look at a feed serves all its waiting readers.

A reader that waits costs nothing until an entry comes that it may see, however many wait; and one partner may
have so many waiting and no more.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import structlog

from gateway.errors import Overloaded, TemporaryError
from gateway.store.ports import Feeds

log = structlog.get_logger(__name__)

LOOK = 0.25
"""Seconds between looks at a feed that somebody waits for: shorter than anyone notices, long for the store."""

_PAGE = 1000
"""Entries read at one look; where there are more, everybody is told that there is something."""

_EVERYONE = ""


class News:
    """Who waits for which feed."""

    def __init__(self, store: Feeds, most: int) -> None:
        """`most` is how many readers of one partner may wait."""
        self._store = store
        self._most = most
        self._by_partner = Counter[str]()
        self._watches: dict[tuple[str, bool], _Watch] = {}

    @contextmanager
    def waiting(self, partner_id: str) -> Iterator[None]:
        """Hold one of the partner's places; Overloaded where there is none left."""
        if self._by_partner[partner_id] >= self._most:
            raise Overloaded("Too many wait already; try again later.")
        self._by_partner[partner_id] += 1
        try:
            yield
        finally:
            self._by_partner[partner_id] -= 1
            if not self._by_partner[partner_id]:
                del self._by_partner[partner_id]

    @contextmanager
    def watched(self, feed: str, audiences: Collection[str], *, test: bool) -> Iterator[asyncio.Event]:
        """An event that is set as soon as the feed may have something new for these audiences (empty: for anybody)."""
        watch = self._watches.get((feed, test))
        if watch is None:
            watch = self._watches[feed, test] = _Watch(self._store, feed, test=test)
        event = asyncio.Event()
        watch.readers[event] = frozenset(audiences)
        try:
            yield event
        finally:
            del watch.readers[event]
            if not watch.readers:
                watch.task.cancel()
                self._watches.pop((feed, test), None)


class _Watch:
    """Looks at one feed as long as somebody waits for it."""

    def __init__(self, store: Feeds, feed: str, *, test: bool) -> None:
        self.readers: dict[asyncio.Event, frozenset[str]] = {}
        self._store = store
        self._feed = feed
        self._test = test
        self.task = asyncio.create_task(self._run(), name=f"news of {feed}")

    async def _run(self) -> None:
        last: int | None = None
        while True:
            try:
                if last is None:
                    last = await self._store.feed_end(self._feed, test=self._test)
                    # Whoever has read before this look may have missed what came between.
                    self._tell({_EVERYONE})
                else:
                    found = await self._store.feed(self._feed, "", last, _PAGE, test=self._test)
                    if found:
                        last = found[-1].sequence
                        self._tell({_EVERYONE} if len(found) == _PAGE else {entry.partner_id for entry in found})
            except TemporaryError as error:
                log.info("feed_not_looked_at", feed=self._feed, reason=str(error))
            await asyncio.sleep(LOOK)

    def _tell(self, owners: set[str]) -> None:
        """Wake the readers that entries of `owners` concern; an entry without owner concerns everyone."""
        for event, audiences in self.readers.items():
            if _EVERYONE in owners or not audiences or not audiences.isdisjoint(owners):
                event.set()
