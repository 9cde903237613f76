"""Where payloads are examined: one small one here and now, large ones and crowds in processes of their own.

The event loop must answer senders within milliseconds, so small payloads go to a pool of worker processes when many
come at once, several in one parcel. A payload that is large, or holds more than its size says, goes to a process in
which it is alone, and so does one under suspicion of ending the process that examines it; there it may take so much of
the processor's time as its size deserves, and no sender holds all such processes while another one waits. What crosses
is a small payload's bytes or the name of a large one's file, frozen agreements, and the digest of the catalogue. What comes back of a large payload
goes through a file, chunk by chunk, so that an interchange of any size is handled in bounded memory on both sides.
"""

from __future__ import annotations

import asyncio
import math
import multiprocessing
import os
import pickle
import re
import resource
import tempfile
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import IO, Any

from gateway.catalogue import Catalogue
from gateway.catalogue_folders import Shelf, read_laid_out
from gateway.check import rulebook
from gateway.durable import naming_system_errors
from gateway.errors import CatalogueInvalid, ExaminerLost
from gateway.model import Agreement, Payload
from gateway.receive.unpack import RATIO_FREE, is_packed
from gateway.trip.aside import run_in_thread
from gateway.trip.examine import Bounds, examine
from gateway.trip.examined import Examined, Message
from gateway.trip.lifetime import begin_worker, end_workers, uninterrupted
from gateway.trip.slots import Slots

INLINE_BYTES = 64 * 1024
"""Up to here a payload takes milliseconds to examine; above, it would keep the event loop from its senders."""
INLINE_ITEMS = 1000
"""Segments, elements or objects up to which the same holds: an empty item of goods takes three bytes, and 70
microseconds to be missed in all that it lacks."""
INLINE_VALUES = 4 * INLINE_ITEMS
"""The same for commas, since a value of JSON that is no object takes some microseconds."""
SMALLEST_ITEM = 3
"""Bytes that an item takes at least: `{},`, `<a>`, and a segment's tag."""
CROWD = 3
"""As many small payloads at once go to the workers: fewer cost more to hand over than they take."""
PARCEL = 16
"""Small payloads in one parcel: the pool's overhead is paid once for all, and no sender waits long for the others."""
RESERVE = 1
"""Large payloads examined at once beyond the workers there are: a sender holds as many places as there are workers, so
that one is left for the others, however long its payloads take."""
APART = 2
"""Suspects examined at once, each in a process of its own and of a sender of its own: so that one that takes long does
not hold up the others, and that those who are under suspicion only because they were near take what they would
anyway."""
SECONDS = 30.0
"""Of the processor's time that any payload may take: a hundred times what 64 KiB of nothing but items take."""
SECONDS_A_MIB = 4.0
"""The same for each mebibyte that it may unpack to: the slowest that we know, XML with faults, takes one."""
RESULT = "examined-"
"""How the names of files begin through which large payloads come back."""
RESULT_SECONDS = 24 * 3600.0
"""No payload waits for a worker for so long."""
CHUNK = 100
"""Messages per record of the file: enough to make pickling cheap, few enough to hold."""
CHUNK_FINDINGS = 1000
"""Findings after which a record ends, however few its messages are: some of them have thousands."""
CATALOGUES = 2
"""Catalogues that a worker process holds: the one in force, and the one before it, by which the last payloads end."""
MIB = 1 << 20

_OWN_SIGNS = re.compile(rb"UNA.{5}(.)", re.DOTALL)
_OWN_SIGNS_X12 = re.compile(rb"ISA(?=.{102}(.))", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Work:
    """What examining a payload takes: all that crosses to a worker."""

    source: bytes | Path
    agreements: tuple[Agreement, ...]
    day: date
    """Picks the rules in force."""
    unpacked_limit: int
    bounds: Bounds
    digest: str
    """Of the catalogue that it is examined by."""

    def examined(self, catalogue: Catalogue) -> Iterator[Examined]:
        """Examine, in this process, by the catalogue of that digest."""
        rules = rulebook.load(catalogue).at(self.day)
        return examine(
            catalogue,
            self.source,
            self.agreements,
            rules,
            unpacked_limit=self.unpacked_limit,
            bounds=self.bounds,
        )


class Examiners:
    """A pool of examiners; with 0 workers everything but suspects is examined in this process."""

    def __init__(
        self,
        workers: int,
        unpacked_limit: int,
        bounds: Bounds = Bounds(),  # noqa: B008 -- frozen
        worker_bytes: int = 0,
        *,
        shelf: Shelf,
    ) -> None:
        """Worker processes start with `warm_up`, or when they are first needed; each ends at `worker_bytes` of memory, 0 for no limit.

        They read catalogues from `shelf`, where each is laid out before anything is examined by it in such a process.
        """
        self._shelf = shelf
        self._workers = workers
        self._unpacked_limit = unpacked_limit
        self._bounds = bounds
        self._worker_bytes = worker_bytes
        self._pool: ProcessPoolExecutor | None = None
        self._large = Slots(workers + RESERVE, workers)
        self._apart = Slots(APART, 1)
        self._cells: list[ProcessPoolExecutor] = []
        """Free processes for one payload at a time: one after the other goes through each while it lives."""
        self._present = 0
        self._waiting: list[tuple[Work, asyncio.Future[list[Examined]]]] = []
        self._parcels: set[asyncio.Task[None]] = set()

    async def examine(
        self,
        catalogue: Catalogue,
        payload: Payload,
        agreements: Sequence[Agreement],
        day: date,
        *,
        suspect: bool = False,
        urgent: bool = False,
    ) -> AsyncIterator[Examined]:
        """What the payload holds by `catalogue`, in wire order; a small `urgent` one waits for no crowd.

        Raises ExaminerLost where the process that examined it ended; of a `suspect`, no other payload was in it.
        StorageFull where the disk has no room for what comes out of a large one.
        """
        source = Path(payload.path) if payload.path else payload.body
        work = Work(source, tuple(agreements), day, self._unpacked_limit, self._bounds, catalogue.digest)
        if suspect or (self._workers and is_large(payload)):
            with _result_file() as (name, file):
                async with (self._apart if suspect else self._large).hold(payload.partner_id):
                    with naming_system_errors():  # a full disk is no fault of the payload
                        await self._lay_out(catalogue)
                        await self._alone(_examine_into, name, work)
                # In a thread: what was said of ten thousand messages takes a second to read.
                while (items := await run_in_thread(partial(_chunk, file))) is not None:
                    for item in items:
                        yield item
        elif urgent or not self._workers:
            for item in work.examined(catalogue):
                yield item
        else:
            for item in await self._small(work, catalogue):
                yield item

    async def _small(self, work: Work, catalogue: Catalogue) -> list[Examined]:
        """A small payload: here and now, or in a parcel with the others of a crowd."""
        self._present += 1
        try:
            await asyncio.sleep(0)  # let the others that were claimed with this one come forward
            if self._present < CROWD:
                return list(work.examined(catalogue))
            with naming_system_errors():
                await self._lay_out(catalogue)
            answer: asyncio.Future[list[Examined]] = asyncio.get_running_loop().create_future()
            self._waiting.append((work, answer))
            if len(self._parcels) < self._workers:
                task = asyncio.create_task(self._send_parcels())
                self._parcels.add(task)
                task.add_done_callback(self._parcels.discard)
            return await answer
        finally:
            self._present -= 1

    async def _send_parcels(self) -> None:
        """Hand over what waits, parcel by parcel, until nothing does."""
        while self._waiting:
            parcel, self._waiting = self._waiting[:PARCEL], self._waiting[PARCEL:]
            try:
                examined = await self._in_pool(_examine_parcel, [work for work, _ in parcel])
            except Exception as error:  # noqa: BLE001 -- whoever waits for its payload hears what happened to the parcel
                for _, answer in parcel:
                    if not answer.done():
                        answer.set_exception(error)
                continue
            for (_, answer), items in zip(parcel, examined, strict=True):
                if not answer.done():
                    answer.set_result(items)

    async def _lay_out(self, catalogue: Catalogue) -> None:
        """See that worker processes can read `catalogue`."""
        if catalogue.digest not in self._shelf.held:
            await asyncio.to_thread(self._shelf.put, catalogue)

    async def _in_pool(self, function: Callable[..., Any], *arguments: object) -> Any:
        """Run in a worker process; ExaminerLost where it ended meanwhile."""
        if self._pool is None:
            self._pool = self._new_pool(self._workers)
        try:
            return await _run(self._pool, function, *arguments)
        except BrokenProcessPool as error:
            self._pool = None
            raise ExaminerLost from error
        except MemoryError as error:  # it reached its limit without ending; which payload it was is seen as if it had
            raise ExaminerLost("It ran out of memory.") from error

    def _new_pool(self, workers: int) -> ProcessPoolExecutor:
        # spawn: a forked copy of a process with threads and an event loop is not safe to run.
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(
            workers,
            context,
            initializer=begin_worker,
            initargs=(os.getpid(), __name__, self._worker_bytes, self._shelf.folder),
        )

    async def _alone(self, function: Callable[..., Any], *arguments: object) -> Any:
        """Run in a process in which there is nothing else meanwhile; ExaminerLost where it ended."""
        cell = self._cells.pop() if self._cells else self._new_pool(1)
        try:
            answer = await _run(cell, function, *arguments)
        except (BrokenProcessPool, MemoryError) as error:
            end_workers(cell)
            raise ExaminerLost from error
        except asyncio.CancelledError:
            end_workers(cell)  # it may be busy for long
            raise
        self._cells.append(cell)
        if not (self._large.is_wanted or self._apart.is_wanted):  # a process that is seldom needed is not kept
            self._close_cells(self._workers)
        return answer

    def _close_cells(self, kept: int = 0) -> None:
        while len(self._cells) > kept:
            end_workers(self._cells.pop())

    async def warm_up(self, catalogue: Catalogue) -> None:
        """Start the worker processes and wait until one is ready: else the first crowd would wait for that second."""
        if self._workers:
            with suppress(ExaminerLost, OSError):  # whoever needs one next hears of it
                await self._lay_out(catalogue)
                await self._in_pool(_is_ready, catalogue.digest)

    def close(self) -> None:
        """End the worker processes."""
        for task in self._parcels:
            task.cancel()
        self._close_cells()
        if self._pool is not None:
            end_workers(self._pool)
            self._pool = None


def is_large(payload: Payload) -> bool:
    """Whether examining the payload may take long: what is compressed may hold two hundred times what came."""
    return payload.size > INLINE_BYTES or is_packed(payload.body) or _has_many_items(payload.body)


def _has_many_items(body: bytes) -> bool:
    """Whether there are more objects, elements or segments in `body` than are examined here and now, at a guess.

    What ends a segment is the sender's choice, and stands at a fixed place of UNA and ISA.
    """
    if len(body) <= INLINE_ITEMS * SMALLEST_ITEM:
        return False
    signs = {b"{", b"<", b"'", b"~", *_OWN_SIGNS.findall(body), *_OWN_SIGNS_X12.findall(body)}
    return max(map(body.count, signs)) > INLINE_ITEMS or body.count(b",") > INLINE_VALUES


async def _run(pool: ProcessPoolExecutor, function: Callable[..., Any], *arguments: object) -> Any:
    """What `function` gives in a worker process of `pool`, which is started where there are too few."""
    with uninterrupted():
        running = pool.submit(function, *arguments)
    return await asyncio.wrap_future(running)


def _examine_parcel(parcel: Sequence[Work]) -> list[list[Examined]]:
    """In a worker process: examine several small payloads."""
    return [list(work.examined(_read.find(work.digest))) for work in parcel]


def _is_ready(digest: str) -> bool:
    """In a worker process: it has come so far as to have read the catalogue that it is asked for first."""
    rulebook.load(_read.find(digest))
    return True


class _ReadCatalogues:
    """In a worker process: the catalogues that it has read, those that it was asked for last."""

    def __init__(self) -> None:
        self.folder: Path | None = None
        self._read: OrderedDict[str, Catalogue] = OrderedDict()

    def find(self, digest: str) -> Catalogue:
        """The catalogue of that digest, read where it is not there; CatalogueInvalid where it is laid out nowhere."""
        found = self._read.get(digest)
        if found is None:
            if self.folder is None:
                raise CatalogueInvalid("There is no folder in which catalogues are laid out.")
            found = read_laid_out(self.folder, digest)
            for former in reversed(self._read.values()):
                found.succeed(former)
            self._read[digest] = found
            while len(self._read) > CATALOGUES:
                self._read.popitem(last=False)
        self._read.move_to_end(digest)
        return found


_read = _ReadCatalogues()


def prepare(most: int, catalogues: Path | None) -> None:
    """In a worker process, before its work: bound its memory, and load what every payload needs."""
    _bound_memory(most)
    _read.folder = catalogues
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # one that is ended for its time leaves no copy of its memory


def _bound_memory(most: int) -> None:
    """Let this process fail at so many bytes of its own, rather than the machine (setrlimit(2))."""
    if most:
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def _seconds_for(work: Work) -> float:
    """How much of the processor's time `work` may take."""
    if isinstance(work.source, Path):
        with work.source.open("rb") as file:
            head, size = file.read(4), work.source.stat().st_size
    else:
        head, size = work.source[:4], len(work.source)
    if is_packed(head):
        size = min(max(size * work.bounds.ratio, RATIO_FREE), work.unpacked_limit)
    return SECONDS + SECONDS_A_MIB * size / MIB


def _bound_seconds(seconds: float) -> None:
    """Let this process end once it has taken so much more of the processor's time (SIGXCPU, setrlimit(2)).

    A deadline of the clock would fail what waits for a busy machine.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time() + seconds), hard))


def _examine_into(result: str, work: Work) -> None:
    """In a worker process: examine, and write chunks of what comes out to the file `result`."""
    _bound_seconds(_seconds_for(work))
    chunk: list[Examined] = []
    found = 0
    with Path(result).open("wb") as file:
        for item in work.examined(_read.find(work.digest)):
            chunk.append(item)
            found += len(item.findings) + (len(item.refusals) if isinstance(item, Message) else 0)
            if len(chunk) == CHUNK or found >= CHUNK_FINDINGS:
                pickle.dump(chunk, file, pickle.HIGHEST_PROTOCOL)
                chunk.clear()
                found = 0
        pickle.dump(chunk, file, pickle.HIGHEST_PROTOCOL)


@contextmanager
def _result_file() -> Iterator[tuple[str, IO[bytes]]]:
    """A file for a worker to write to, by a name, and for us to read from.

    Where the system lends what we have open a name (/proc), that is its only one, and nothing is left of it whoever is
    killed; elsewhere it has one of its own until it is read.
    """
    handle, own = tempfile.mkstemp(prefix=RESULT)
    lent = f"/proc/{os.getpid()}/fd/{handle}"
    try:
        with os.fdopen(handle, "rb") as file:
            name = own
            if Path(lent).exists():
                name = lent
                Path(own).unlink()
            yield name, file
    finally:
        Path(own).unlink(missing_ok=True)


def sweep_results(older_than: float = RESULT_SECONDS) -> None:
    """Remove result files that nobody wrote to for so many seconds: whoever made them was killed."""
    for path in Path(tempfile.gettempdir()).glob(f"{RESULT}*"):
        with suppress(OSError):  # another's, or gone by now
            if path.stat().st_mtime < time.time() - older_than:
                path.unlink()


def _chunk(file: IO[bytes]) -> list[Examined] | None:
    """The next chunk; None at the end. The file is ours alone, made by our own process a moment ago."""
    try:
        chunk: list[Examined] = pickle.load(file)  # noqa: S301 -- see above
    except EOFError:
        return None
    return chunk
