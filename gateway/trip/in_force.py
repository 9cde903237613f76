"""The catalogue in force in this process, and how another one takes its place while the process runs.

Whoever takes a payload on its trip holds the catalogue in force until that payload's last commit (`held`), so that it
is examined, decided, rendered and acknowledged by one and the same; the next payload gets whichever is in force then.
A catalogue is put in force only after all in it was loaded, and laid out where worker processes read it. What is not
good is refused whole, and the one in force stays.

Nodes read their folders again when they are asked: by a signal, or by a count in the store that an operator's command
moves on (`gateway catalogue reload`), and at which each of them looks every second. They do as well when another version
of a code list or rule set was approved in the store, and when a day begins in China.

The catalogue of tomorrow is made today. So whatever is received from midnight on goes by it at once, on every node, and
what was received before midnight, and is decided after it, by that of the day before.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Protocol

import structlog

from gateway.catalogue import Catalogue
from gateway.catalogue_folders import Shelf
from gateway.decide import china
from gateway.errors import CatalogueInvalid, TemporaryError
from gateway.model import SubjectVersion
from gateway.trip.aside import run_in_thread

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0
"""How often a node looks whether it was asked to read its folders again."""


class Asked(Protocol):
    """Where it stands how often all nodes were asked to read their folders again."""

    async def catalogue_calls(self) -> int:
        """How often it was asked for so far."""

    async def approved_count(self) -> int:
        """How many versions of code lists and rule sets were approved so far."""

    async def approved_lists(self) -> Sequence[SubjectVersion]:
        """All these versions."""


class InForce:
    """One catalogue at a time, held by those who work by it."""

    def __init__(
        self,
        catalogue: Catalogue,
        folder: Path,
        *,
        read: Callable[[Catalogue], Catalogue] | None = None,
        read_for: Callable[[Catalogue, date], Catalogue] | None = None,
        on_refused: Callable[[str], Awaitable[None]] | None = None,
        approved: Sequence[SubjectVersion] = (),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`catalogue` is in force first; it and those that follow it are laid out in `folder`.

        `read` reads and judges the one that follows the one given; CatalogueInvalid where it may not be put in force.
        Without it there is none. `read_for` does the same for a day, in China; without it all days have one catalogue.
        `on_refused` is told why one was refused. `approved` are the versions that `catalogue` was made with.
        """
        self._catalogue = catalogue
        self._read = read
        self._on_refused = on_refused
        self.shelf = Shelf(folder)
        """Where worker processes read the catalogues in use."""
        self._held = Counter[str]()
        self._asked = asyncio.Event()
        self._refused = ""
        self.approved = tuple(approved)
        """The versions of code lists and rule sets that were approved in the store, as this node last saw them."""
        self._read_for = read_for
        self._clock = clock
        self._day = china.day(clock())
        self._coming: Catalogue | None = None
        """Tomorrow's, where that is another one than today's."""
        self._gone: Catalogue | None = None
        """Yesterday's, where that was another one than today's."""

    @property
    def catalogue(self) -> Catalogue:
        """The one in force."""
        return self._catalogue

    @property
    def refused(self) -> str:
        """Why the catalogue that was read last is not in force; empty where it is."""
        return self._refused

    def on(self, day: date) -> Catalogue:
        """The catalogue by which what was received on `day`, in China, is judged."""
        if day > self._day and self._coming is not None:
            return self._coming
        if day == self._day - timedelta(days=1) and self._gone is not None:
            return self._gone
        return self._catalogue

    @contextmanager
    def held(self, day: date | None = None) -> Iterator[Catalogue]:
        """The catalogue in force now, or `on` a day, which stays laid out until the block is left."""
        catalogue = self._catalogue if day is None else self.on(day)
        self._held[catalogue.digest] += 1
        try:
            yield catalogue
        finally:
            self._held[catalogue.digest] -= 1
            if not self._held[catalogue.digest]:
                del self._held[catalogue.digest]

    def ask(self) -> None:
        """Let the folders be read again soon; to be called in the event loop's thread, by a signal's handler too."""
        self._asked.set()

    async def reload(self) -> bool:
        """Read the folders again, and put in force what is there; whether another catalogue is in force now.

        What may not be put in force is refused, with words in the log and in `refused`, and nothing changes.
        """
        if self._read is None:
            return False
        today, yesterdays = china.day(self._clock()), self._catalogue
        turned = self._begin(today)
        former = self._catalogue
        try:
            catalogue, coming = await run_in_thread(lambda: self._read_next(today))
        except CatalogueInvalid as error:
            await self._refuse(str(error))
            return False
        except OSError as error:
            await self._refuse(f"it could not be laid out in {self.shelf.folder}: {error.strerror or error}")
            return False
        self._refused = ""
        self._coming = None if coming is catalogue else coming
        if turned:
            self._gone = None if catalogue is yesterdays else yesterdays
        if catalogue is former and not (turned and catalogue is not yesterdays):
            log.info("catalogue_unchanged", digest=former.digest)
            return False
        self._catalogue = catalogue
        log.info("catalogue_in_force", digest=catalogue.digest, former=yesterdays.digest)
        return True

    def _begin(self, today: date) -> bool:
        """Whether a day has begun: what was made for it takes over, whether or not another can be read now."""
        if today == self._day:
            return False
        self._gone = None
        if self._coming is not None:
            self._gone, self._catalogue = self._catalogue, self._coming
        self._coming, self._day = None, today
        return True

    async def _refuse(self, reason: str) -> None:
        """Go on with the catalogue in force, and tell why."""
        self._refused = reason
        log.error("catalogue_refused", in_force=self._catalogue.digest, reason=reason)
        if self._on_refused is not None:
            try:
                await self._on_refused(reason)
            except TemporaryError as error:
                log.warning("alert_not_raised", reason=str(error))

    def _read_next(self, today: date) -> tuple[Catalogue, Catalogue]:
        """In a thread: the catalogue that follows and tomorrow's, laid out; the one in force where they are the same."""
        assert self._read is not None, "only what can be read is read again"
        if self._read_for is None:
            catalogue = self._laid_out(self._read(self._catalogue), self._catalogue)
            coming = catalogue
        else:
            catalogue = self._laid_out(self._read_for(self._catalogue, today), self._catalogue)
            coming = self._laid_out(self._read_for(catalogue, today + timedelta(days=1)), catalogue)
        if catalogue is not self._catalogue:
            self.shelf.mark(catalogue.digest)
        return catalogue, coming

    def _laid_out(self, catalogue: Catalogue, former: Catalogue) -> Catalogue:
        """In a thread: `catalogue`, laid out; `former` where it is the same."""
        if catalogue.digest == former.digest:
            return former
        self.shelf.put(catalogue)
        return catalogue

    def _settle(self) -> None:
        """In a thread: lay out the catalogue in force, and remove what former runs have left."""
        self.shelf.put(self._catalogue)
        self.shelf.mark(self._catalogue.digest)
        self.shelf.clear(self._in_use())

    async def run(self, store: Asked) -> None:
        """Read the folders again whenever it is asked for, here or in `store`, until cancelled."""
        seen: int | None = None
        try:
            await run_in_thread(self._settle)
        except OSError as error:
            # Whoever needs it in a worker process tries again, and payloads wait meanwhile.
            log.warning("catalogue_not_laid_out", folder=str(self.shelf.folder), reason=error.strerror or str(error))
        while True:
            try:
                calls = await store.catalogue_calls()
                # At the first look too: a call may have come since the folders were read at the start.
                if calls != seen:
                    self._asked.set()
                seen = calls
                if await store.approved_count() != len(self.approved):
                    self.approved = tuple(await store.approved_lists())
                    self._asked.set()
            except TemporaryError as error:
                log.info("catalogue_calls_not_read", reason=str(error))
            if self._asked.is_set() or self._day != china.day(self._clock()):
                self._asked.clear()
                await self.reload()
            await self._clear()
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._asked.wait()
            except TimeoutError:
                continue

    async def _clear(self) -> None:
        """Remove what nobody works by any more."""
        if self.shelf.held - self._in_use():
            await run_in_thread(lambda: self.shelf.clear(self._in_use()))

    def _in_use(self) -> frozenset[str]:
        beside = (one.digest for one in (self._coming, self._gone) if one is not None)
        return frozenset({self._catalogue.digest, *beside, *self._held})
