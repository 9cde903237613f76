"""Moves what is old to archives: written aside, synced and renamed first, and then taken from the tables, a little at a time.

What a crash leaves between the two is an archive of what is still in the store, which the next run archives again; nothing
is ever only in a file that is not whole. One node at a time is at it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import structlog
from sqlalchemy import Connection, select, update

from gateway.errors import StoreUnavailable, TemporaryError
from gateway.receipt.signed import Signer, timestamp
from gateway.store import breaks, tables
from gateway.store.backup import README, README_TEXT, body_part, newest_note
from gateway.store.bodies import BodyFiles
from gateway.store.database import lock_names
from gateway.store.dump import Row, RowsWriter, Shape
from gateway.store.log import RECEIPTS
from gateway.store.migrations import head
from gateway.store.parts import ARCHIVE, PartsWriter, writing_parts
from gateway.store.retained import ArchivedKind, Plan, Run, Written
from gateway.store.retention import KINDS, Due, Kind, Terms
from gateway.store.retention_bodies import KIND as BODY_KIND
from gateway.store.sql import from_time, insert_rows, to_time

T = TypeVar("T")

log = structlog.get_logger(__name__)

EVERY: Final[tuple[Kind, ...]] = (*KINDS, BODY_KIND)
MOST_THINGS: Final = 20_000
"""Things of one archive: their ids are in memory."""
TURN: Final = timedelta(minutes=10)
"""How long a node that ends without a word keeps the others waiting; a turn is taken anew before each archive."""
FIRST_SECONDS: Final = 3600.0
RUN_SECONDS: Final = 24 * 3600.0
"""From the start until the first run, and between two: as sweeps (`upkeep`)."""
_HELD: Final = "archiving:held"


class Transacting(Protocol):
    """Runs work in a transaction."""

    async def __call__(self, work: Callable[[Connection], T]) -> T:
        """What `work` gives."""


@dataclass(frozen=True, slots=True)
class Access:
    """What a run needs of a store: its transactions, the files of large bodies, and who signs."""

    read: Transacting
    write: Transacting
    files: BodyFiles
    signer: Signer


class Archiver:
    """One run over a store."""

    def __init__(self, access: Access, plan: Plan, clock: Callable[[], datetime], *, dry_run: bool) -> None:
        self._access, self._plan, self._clock, self._dry = access, plan, clock, dry_run
        self._now = clock()
        self._turn = 0
        self._number = 0

    async def run(self) -> Run:
        """Archive every kind that is old enough, or, dry, count what would go."""
        done = Run()
        if await self._access.read(breaks.are_open):
            done.put_off = "broken"
            return done
        if not self._dry and not await self._take_turn():
            done.put_off = "busy"
            return done
        try:
            for kind in EVERY:
                if days := self._plan.days.get(kind.name, 0):
                    done.kinds.append(await self._archive(kind, timedelta(days=days)))
        finally:
            if not self._dry:
                await self._access.write(_give_turn_back)
        return done

    async def _take_turn(self) -> bool:
        self._turn = await self._access.write(partial(_take_turn, now=self._clock(), mine=self._turn))
        return bool(self._turn)

    async def _archive(self, kind: Kind, age: timedelta) -> ArchivedKind:
        """One kind, archive by archive."""
        told = ArchivedKind(kind.name)
        terms = Terms(to_time(self._now - age), self._plan.closed, to_time(self._now))
        place = kind.first
        while place is not None:
            writing = _Writing(kind)
            with self._files_kept(), ExitStack() as stack:
                place = await self._fill(kind, terms, place, writing, told, stack)
                if writing.parts is not None:
                    await self._finish(kind, terms, writing, stack)
            told.rows += writing.count
            told.size += writing.size
            told.things += len(writing.due) if self._dry else await self._remove(kind, terms, writing, told)
        return told

    @contextmanager
    def _files_kept(self) -> Iterator[None]:
        if self._dry:
            yield
        else:
            with self._access.files.kept_from_removal():
                yield

    async def _fill(
        self, kind: Kind, terms: Terms, place: Any, writing: _Writing, told: ArchivedKind, stack: ExitStack
    ) -> Any:
        """Read pages and write what may go, until an archive is full; where to go on."""
        while place is not None and len(writing.due) < MOST_THINGS and writing.size < self._plan.archive_bytes:
            look = await self._access.read(partial(kind.look, place=place, terms=terms, limit=self._plan.rows))
            told.kept += look.kept
            place = look.place
            if not look.due:
                continue
            if writing.parts is None and not self._dry:
                writing.name = self._next_name(kind)
                path = self._plan.folder / writing.name
                writing.begin(await asyncio.to_thread(stack.enter_context, writing_parts(path)))
            ids = [one.id for one in look.due]
            rows = await self._access.read(partial(_read_rows, kind=kind, ids=ids))
            lost = await asyncio.to_thread(writing.add, rows, kind.files(ids), self._access.files.path)
            # What is not there cannot be moved: it stays mentioned, as lost as it is.
            writing.due += [one for one in look.due if not lost or getattr(one.id, "sha256", "") not in lost]
        return place

    def _next_name(self, kind: Kind) -> str:
        self._number += 1
        return f"{kind.name}-{self._now:%Y%m%dT%H%M%S%f}-{self._number:04d}.tar"

    async def _finish(self, kind: Kind, terms: Terms, writing: _Writing, stack: ExitStack) -> None:
        """Write the manifest, and let the file stand under its name, on the disk."""
        assert writing.parts is not None, "it was begun"
        await asyncio.to_thread(writing.end)
        said = {
            "kind": ARCHIVE,
            "of": kind.name,
            "at": timestamp(self._now),
            "until": timestamp(from_time(terms.until)),
            "schema": head(),
            "origin": self._access.signer.name,
            "checkpoint": await self._access.read(lambda connection: newest_note(connection, RECEIPTS)),
            "tables": {name: one.said() for name, one in writing.writers.items()},
            "lost": sorted(writing.damaged),
        }
        await asyncio.to_thread(writing.parts.finish, said, self._access.signer)
        await asyncio.to_thread(stack.close)

    async def _remove(self, kind: Kind, terms: Terms, writing: _Writing, told: ArchivedKind) -> int:
        """Take from the tables what the archive holds, in transactions so small that nobody waits for them."""
        if not writing.name:
            return 0
        removed = 0
        row = (writing.name, kind.name, to_time(self._now), len(writing.due), writing.size)
        await self._access.write(partial(_note, row=row))
        for start in range(0, len(writing.due), self._plan.rows):
            page = writing.due[start : start + self._plan.rows]
            work = partial(_remove, kind=kind, page=page, terms=terms, archive=writing.name)
            removed += await self._access.write(work)
        if not await self._take_turn():
            raise StoreUnavailable("another node archives by now")
        told.archives.append(writing.name)
        return removed


class _Writing:
    """An archive that is being written; one that is not begun only counts."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self.due: list[Due] = []
        self.name = ""
        self.parts: PartsWriter | None = None
        self.writers: dict[str, RowsWriter] = {}
        self.damaged: set[str] = set()
        """Large bodies whose files are in it and are not what they are called: they stay where they are."""
        self._files: set[str] = set()
        self.count = 0
        self.size = 0

    def begin(self, parts: PartsWriter) -> None:
        """Write into an open file."""
        self.parts = parts
        parts.add(README, README_TEXT.encode())
        self.writers = {one.name: RowsWriter(parts, Shape.of(one)) for one in self._kind.tables}

    def add(self, rows: Sequence[tuple[str, Row]], files: Sequence[str], path: Callable[[str], Path]) -> set[str]:
        """Write rows, and the files of large bodies; those that are missing or damaged are given."""
        lost = {sha256 for sha256 in files if not self._add_file(sha256, path(sha256))}
        for name, row in rows:
            if lost and name == "body_files" and row[1] in lost:
                continue
            self.count += 1
            self.size += sum(len(value) if isinstance(value, str | bytes) else 8 for value in row)
            if self.parts is not None:
                self.writers[name].add(row)
        return lost

    def _add_file(self, sha256: str, path: Path) -> bool:
        """Whether the file was written, or, where nothing is, is there; once, however many it belongs to."""
        if sha256 in self._files or sha256 in self.damaged:
            return sha256 in self._files
        try:
            if self.parts is None:
                size, found = path.stat().st_size, sha256
            else:
                part = self.parts.add_file(body_part(sha256), path)
                size, found = part.size, part.sha256
        except FileNotFoundError:
            return False
        self.size += size
        (self._files if found == sha256 else self.damaged).add(sha256)
        return found == sha256

    def end(self) -> None:
        """Write the rows that are not written yet."""
        for one in self.writers.values():
            one.end()


def _read_rows(connection: Connection, kind: Kind, ids: Sequence[Any]) -> list[tuple[str, Row]]:
    return [(table.name, tuple(row)) for table, row in kind.rows(connection, ids)]


def _remove(connection: Connection, kind: Kind, page: Sequence[Due], terms: Terms, archive: str) -> int:
    # First, so that nobody processes one of them again meanwhile.
    lock_names(connection, {name for one in page for name in one.names})
    return kind.remove(connection, [one.id for one in page], terms, archive)


def _note(connection: Connection, row: tuple[Any, ...]) -> None:
    insert_rows(connection, tables.archives, [row], "replace")


def _take_turn(connection: Connection, now: datetime, mine: int) -> int:
    """Be the node that archives until the moment given, as who was it until `mine`; 0 where another one is."""
    counters = tables.counters.c
    insert_rows(connection, tables.counters, [(_HELD, 0)], "ignore")
    free = (counters.name == _HELD) & ((counters.value <= to_time(now)) | (counters.value == mine))
    until = to_time(now + TURN)
    taken = connection.execute(update(tables.counters).where(free).values(value=until)).rowcount == 1
    return until if taken else 0


def _give_turn_back(connection: Connection) -> None:
    connection.execute(update(tables.counters).where(tables.counters.c.name == _HELD).values(value=0))


def read_archives(connection: Connection, limit: int) -> list[Written]:
    """The archives that were written, by name, which begins with the kind."""
    rows = connection.execute(select(tables.archives).order_by(tables.archives.c.name.desc()).limit(limit))
    return [Written(row.name, row.kind, from_time(row.at), row.things, row.size) for row in rows]


async def keep_archived(archive: Callable[[], Awaitable[Run]], first: float = FIRST_SECONDS) -> None:
    """Archive daily until cancelled. What goes wrong with one run is logged, and ends neither the next nor the process."""
    await asyncio.sleep(first)
    while True:
        try:
            done = await archive()
        except TemporaryError as error:
            log.info("archiving_deferred", reason=str(error))
        except Exception:
            log.exception("archiving_failed")
        else:
            things = {one.kind: one.things for one in done.kinds}
            log.info("archived", put_off=done.put_off, **things)
        await asyncio.sleep(RUN_SECONDS)
