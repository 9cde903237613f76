"""Connections: runs a plain function over a SQLAlchemy connection in one transaction, on either engine.

All queries of this room are synchronous functions of a `Connection`, so that there is one of each.
On SQLite such a function runs whole on a thread of its own (one writer, a few readers): the event
loop waits once per transaction, not once per statement, which an asynchronous driver over the same
threads would make it do. On PostgreSQL it runs over asyncpg through SQLAlchemy's greenlet bridge.
"""

from __future__ import annotations

import asyncio
import errno
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from sqlalchemy import URL, Connection, Engine, RootTransaction, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import QueuePool, StaticPool

from gateway.errors import ConfigurationInvalid, StorageFull, StoreUnavailable

T = TypeVar("T")

BUSY_SECONDS = 10
"""How long a SQLite writer waits for another process's transaction before StoreUnavailable."""
READERS = 4
"""Reading threads of SQLite: each read is short, and the interpreter lock bounds what more would bring."""
WAL_PAGES = 8192
"""Pages in the write-ahead log (of 4 KiB) before SQLite copies them into the database: copying rarely
keeps commits even, and 32 MiB are still read again quickly after a crash."""


_WRITERS = 0x4544_4947
"""The advisory lock of PostgreSQL that writers take: any number that all nodes share."""


class Database(Protocol):
    """What the store needs of an engine."""

    claims_apart: bool
    """Whether claims run beside the writer (rows are locked one by one) or as a part of its batches."""

    async def write(self, work: Callable[[Connection], T], *, brief: bool = False) -> T:
        """Run `work` in one transaction of the only writer of this process; durable when this returns.

        `brief` work takes a few milliseconds at most, and may be done in the caller's thread.
        """

    async def claim(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction that may run beside the writer's."""

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work`, which only reads."""

    async def close(self) -> None:
        """Disconnect."""


def connect(url: str) -> Database:
    """The database at a SQLAlchemy URL: SQLite (file or `:memory:`) or PostgreSQL."""
    parsed = make_url(url)
    match parsed.get_backend_name():
        case "sqlite":
            return SqliteDatabase(parsed)
        case "postgresql":
            return PostgresDatabase(parsed)
    raise ConfigurationInvalid(f"the store is SQLite or PostgreSQL, not {parsed.get_backend_name()}")


def sync_url(url: str | URL) -> URL:
    """A SQLite URL with the driver of the standard library, whatever driver it names."""
    parsed = make_url(url)
    return parsed.set(drivername="sqlite+pysqlite") if parsed.get_backend_name() == "sqlite" else parsed


def in_memory(url: URL) -> bool:
    """Whether `url` names a SQLite database without a file."""
    return url.database in {None, "", ":memory:"}


class SqliteDatabase:
    """SQLite in WAL mode with synchronous=FULL: a commit is on the disk when it returns."""

    claims_apart = False

    def __init__(self, url: URL) -> None:
        self._memory = in_memory(url)
        self._writing = sqlite_engine(url, begin="BEGIN IMMEDIATE", size=1)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="store-writer")
        self._turn = asyncio.Lock()
        if self._memory:
            self._reading, self._readers = self._writing, self._writer
        else:
            self._reading = sqlite_engine(url, begin="BEGIN", size=READERS)
            self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="store-reader")

    async def write(self, work: Callable[[Connection], T], *, brief: bool = False) -> T:
        """See `Database`. Of brief work only the commit, which waits for the disk, is left to the thread.

        A thread gives the interpreter lock away several times a statement, and has to wait for it again while
        the event loop is busy: brief statements are done sooner, and for less, where they need not do that.
        """
        async with self._turn:
            if brief and not self._memory:
                try:
                    return await self._write_here(work)
                except _Locked:
                    pass  # another process writes, and the event loop must not wait for it
            return await _in_thread(self._writer, self._writing, work)

    async def _write_here(self, work: Callable[[Connection], T]) -> T:
        """`work` in this thread, and its commit in the writer's. _Locked where another process is writing."""
        with translated(), self._writing.connect() as connection:
            transaction = _begin_at_once(connection)
            try:
                result = work(connection)
            except BaseException:
                transaction.rollback()
                raise
            commit = asyncio.get_running_loop().run_in_executor(self._writer, transaction.commit)
            try:
                await asyncio.shield(commit)
            except asyncio.CancelledError:
                await asyncio.wait([commit])  # the connection is in use until then
                raise
            return result

    async def claim(self, work: Callable[[Connection], T]) -> T:
        """See `Database`; SQLite has one writer at a time."""
        return await self.write(work)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """See `Database`."""
        return await _in_thread(self._readers, self._reading, work)

    async def close(self) -> None:
        """See `Database`."""
        loop = asyncio.get_running_loop()
        for executor, engine in {(self._readers, self._reading), (self._writer, self._writing)}:
            await loop.run_in_executor(executor, engine.dispose)
            executor.shutdown(wait=True)


class PostgresDatabase:
    """PostgreSQL over asyncpg, shared by several nodes."""

    claims_apart = True

    def __init__(self, url: URL) -> None:
        self._engine: AsyncEngine = create_async_engine(
            url.set(drivername="postgresql+asyncpg"), pool_size=8, max_overflow=8, pool_pre_ping=True
        )

    async def write(self, work: Callable[[Connection], T], *, brief: bool = False) -> T:  # noqa: ARG002 - all work is done so
        """See `Database`."""
        with translated():
            async with self._engine.begin() as connection:
                return await connection.run_sync(work)

    async def claim(self, work: Callable[[Connection], T]) -> T:
        """See `Database`; rows that another node holds are skipped."""
        return await self.write(work)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """See `Database`."""
        with translated():
            async with self._engine.connect() as connection:
                return await connection.run_sync(work)

    async def close(self) -> None:
        """See `Database`."""
        await self._engine.dispose()


def lock_writers(connection: Connection) -> None:
    """Be the only writer until this transaction ends, on every node. SQLite has only one in any case."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _WRITERS})


def sqlite_engine(url: URL, begin: str, size: int) -> Engine:
    """An engine whose transactions start with `begin`, since the driver would begin them late or not at all."""
    arguments = {"timeout": BUSY_SECONDS, "check_same_thread": False, "cached_statements": 512}
    if in_memory(url):
        engine = create_engine(sync_url(url), poolclass=StaticPool, connect_args=arguments)
    else:
        engine = create_engine(
            sync_url(url), poolclass=QueuePool, pool_size=size, max_overflow=0, connect_args=arguments
        )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            f"wal_autocheckpoint = {WAL_PAGES}",
            "cache_size = -65536",
            "temp_store = MEMORY",
        ):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


class _Locked(Exception):
    """Another process is writing."""


def _begin_at_once(connection: Connection) -> RootTransaction:
    """Begin to write, or raise _Locked at once."""
    driver: Any = connection.connection.driver_connection
    driver.execute("PRAGMA busy_timeout = 0")
    try:
        return connection.begin()
    except OperationalError as error:
        if isinstance(_temporary(error), StoreUnavailable):
            raise _Locked from error
        raise
    finally:
        driver.execute(f"PRAGMA busy_timeout = {1000 * BUSY_SECONDS:.0f}")


async def _in_thread(executor: ThreadPoolExecutor, engine: Engine, work: Callable[[Connection], T]) -> T:
    def run() -> T:
        with translated(), engine.begin() as connection:
            return work(connection)

    try:
        future = asyncio.get_running_loop().run_in_executor(executor, run)
    except RuntimeError as error:
        raise StoreUnavailable("the store is closed") from error
    return await future


@contextmanager
def translated() -> Iterator[None]:
    """Turn what a driver raises about the disk or the connection into StorageFull or StoreUnavailable."""
    try:
        yield
    except DBAPIError as error:
        temporary = _temporary(error)
        if temporary is None:
            raise
        raise temporary from error
    except OSError as error:
        raise (StorageFull() if error.errno in _FULL_ERRORS else StoreUnavailable(str(error))) from error


_FULL_ERRORS = {errno.ENOSPC, errno.EDQUOT}
_POSTGRES_FULL = "53100"
_POSTGRES_AWAY = ("08", "57P", "53")
"""SQLSTATE classes: connection exception, operator intervention (shutdown), insufficient resources."""
_POSTGRES_RETRY = {"40001", "40P01", "55P03"}
"""Serialization failure, deadlock, lock not available: the transaction was rolled back and may run again."""
_SQLITE_REASONS = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)


def _temporary(error: DBAPIError) -> StorageFull | StoreUnavailable | None:
    origin = error.orig
    if isinstance(origin, sqlite3.Error):
        code = getattr(origin, "sqlite_errorcode", 0) & 0xFF  # the primary code; the rest refines it
        if code == sqlite3.SQLITE_FULL:
            return StorageFull(str(origin))
        return StoreUnavailable(str(origin)) if code in _SQLITE_REASONS else None
    state = str(getattr(origin, "sqlstate", "") or "")
    if state == _POSTGRES_FULL:
        return StorageFull(str(origin))
    if state.startswith(_POSTGRES_AWAY) or state in _POSTGRES_RETRY or error.connection_invalidated:
        return StoreUnavailable(str(origin))
    if isinstance(origin.__cause__ if origin is not None else None, ValueError):
        return None  # asyncpg's DataError: a value that the engine does not take, now or later
    if not state and isinstance(error, (OperationalError, InterfaceError)):
        return StoreUnavailable(str(origin))
    return None
