"""Connections: runs a plain function over a SQLAlchemy connection in one transaction, on either engine.

All queries of this room are synchronous functions of a `Connection`, so that there is one of each.
On SQLite such a function runs whole on a thread of its own (one writer, a few readers): the event
loop waits once per transaction, not once per statement, which an asynchronous driver over the same
threads would make it do. On PostgreSQL it runs over asyncpg through SQLAlchemy's greenlet bridge.
"""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import zlib
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from sqlalchemy import URL, Connection, Engine, RootTransaction, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import QueuePool, StaticPool

from gateway.decide.names import Name
from gateway.durable import naming_system_errors
from gateway.errors import ConfigurationInvalid, StorageFull, StoreUnavailable

T = TypeVar("T")

BUSY_SECONDS = 10
"""How long a SQLite writer waits for another process's transaction before StoreUnavailable."""
READERS = 4
"""Reading threads of SQLite: each read is short, and the interpreter lock bounds what more would bring."""
WAL_PAGES = 8192
"""Pages in the write-ahead log (of 4 KiB) before SQLite copies them into the database: copying rarely
keeps commits even, and 32 MiB are still read again quickly after a crash."""


_LOG_LOCK = 0x4544_4947
"""The advisory lock of PostgreSQL under which the log grows and what is ordered gets its numbers: any number that
all nodes share."""
_NAME_LOCKS = 0x4544_494E
"""The class of the advisory locks on names (the two-key form, which never meets the one-key form above)."""
BUCKETS = 1024
"""Locks that names are folded to: a transaction of hundreds of operations must fit into the server's lock table
(max_locks_per_transaction * max_connections, 6,400 by default), however many names it touches."""

IDLE_SECONDS = 4
"""How long the server lets a transaction of ours wait for its node: a node that stops (SIGSTOP, a frozen machine)
loses its transaction and its locks then. A healthy node's event loop is never away for so long."""
LOCK_SECONDS = 6
"""How long a statement waits for a lock: longer than IDLE_SECONDS, so that others outlast a node that stopped."""
STATEMENT_SECONDS = 30
"""How long a statement may take: every statement of the store is a look into an index or a small write."""
SILENCE_SECONDS = 40
"""How long a server may say nothing at all (its machine gone, the network cut) before it counts as unavailable."""
TRIES = 5
"""How often a transaction is run at most that PostgreSQL, or a name held elsewhere, made it give up."""
PLANNER = {
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_bitmapscan": "off",
    # Compiling a plan takes far longer than any of our statements. The server does it by its estimates alone, and it
    # puts a very high one on a table of a few rows that has no index to fit.
    "jit": "off",
}
"""How PostgreSQL plans for us: every statement has an index that finds its rows, and is to use it.

Left to its statistics it reads a small table whole, and goes on so while the table grows a thousandfold; nothing makes
new statistics in between where nobody runs ANALYZE. Without bitmaps it walks an index in its order and stops where a
page is full, rather than sorting all that a partner has."""


class Database(Protocol):
    """What the store needs of an engine."""

    claims_apart: bool
    """Whether claims run beside the writer (rows are locked one by one) or as a part of its batches."""

    async def write(self, work: Callable[[Connection], T], *, brief: bool = False) -> T:
        """Run `work` in one transaction of the only writer of this process; durable when this returns.

        `brief` work takes a few milliseconds at most, and may be done in the caller's thread. Where another node
        was in the way `work` is run again, in a transaction of its own.
        """

    async def claim(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction that may run beside the writer's."""

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work`, which only reads."""

    async def snapshot(self, work: Callable[[Connection], T]) -> T:
        """Run `work`, which only reads, and all of whose statements see one moment; once, however that ends."""

    async def close(self) -> None:
        """Disconnect."""


def connect(url: str, *, patient: bool = False) -> Database:
    """The database at a SQLAlchemy URL: SQLite (file or `:memory:`) or PostgreSQL.

    A `patient` one lets a transaction take, and wait, as long as it does: a migration copies whole tables.
    """
    parsed = make_url(url)
    match parsed.get_backend_name():
        case "sqlite":
            return SqliteDatabase(parsed)
        case "postgresql":
            return PostgresDatabase(parsed, patient=patient)
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

    async def snapshot(self, work: Callable[[Connection], T]) -> T:
        """See `Database`; every transaction of SQLite sees one moment (https://sqlite.org/isolation.html)."""
        return await self.read(work)

    async def close(self) -> None:
        """See `Database`."""
        loop = asyncio.get_running_loop()
        for executor, engine in {(self._readers, self._reading), (self._writer, self._writing)}:
            await loop.run_in_executor(executor, engine.dispose)
            executor.shutdown(wait=True)


class PostgresDatabase:
    """PostgreSQL over asyncpg, shared by several nodes."""

    claims_apart = True

    def __init__(self, url: URL, *, patient: bool = False) -> None:
        self._engine: AsyncEngine = create_async_engine(
            url.set(drivername="postgresql+asyncpg"),
            pool_size=8,
            max_overflow=8,
            connect_args={
                "server_settings": _SESSION if patient else _SESSION | _BOUNDS,
                "command_timeout": None if patient else SILENCE_SECONDS,
                "prepared_statement_cache_size": 512,
            },
        )
        # Each statement is a transaction of its own: a read needs no BEGIN, and no ROLLBACK behind it. Under READ
        # COMMITTED, which writers use as well, several statements see several snapshots in any case.
        self._reading = self._engine.execution_options(isolation_level="AUTOCOMMIT")

    async def write(self, work: Callable[[Connection], T], *, brief: bool = False) -> T:  # noqa: ARG002 - all work is done so
        """See `Database`."""
        return await _again(lambda: self._write_once(work))

    async def _write_once(self, work: Callable[[Connection], T]) -> T:
        with translated():
            async with self._engine.begin() as connection:
                return await connection.run_sync(work)

    async def claim(self, work: Callable[[Connection], T]) -> T:
        """See `Database`; rows that another node holds are skipped."""
        return await self.write(work)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """See `Database`."""
        return await _again(lambda: self._read_once(work))

    async def _read_once(self, work: Callable[[Connection], T]) -> T:
        with translated():
            async with self._reading.connect() as connection:
                return await connection.run_sync(work)

    async def snapshot(self, work: Callable[[Connection], T]) -> T:
        """See `Database`."""
        engine = self._engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with translated():
            async with engine.begin() as connection:
                return await connection.run_sync(work)

    async def close(self) -> None:
        """See `Database`."""
        await self._engine.dispose()


_SESSION = {
    "application_name": f"edi-gateway {os.getpid()}",  # in pg_stat_activity an operator sees whose a session is
    # A plan that was made once for all values, on a table that was empty then, scans it when it has grown.
    "plan_cache_mode": "force_custom_plan",
    "synchronous_commit": "on",
    **PLANNER,
}
"""What our sessions ask of the server, whatever its configuration says."""
_BOUNDS = {
    "idle_in_transaction_session_timeout": f"{IDLE_SECONDS}s",
    "lock_timeout": f"{LOCK_SECONDS}s",
    "statement_timeout": f"{STATEMENT_SECONDS}s",
}
"""What no node may take longer for, since others wait for it."""


class RunAgain(StoreUnavailable):
    """The transaction was rolled back because another one was in its way, or its connection had ended; it may run again."""


async def _again(run: Callable[[], Awaitable[T]]) -> T:
    """What `run` gives; it is run anew a few times where it ends in RunAgain.

    All our transactions may run twice. Where a connection ends while it commits, nobody knows whether it did: then
    fences, transport ids and payload ids tell the second run that the first one stands.
    """
    for _ in range(TRIES - 1):
        try:
            return await run()
        except RunAgain:
            await asyncio.sleep(random.uniform(0, 0.01))  # noqa: S311 - so that two that met do not meet again
    return await run()


def lock_names(connection: Connection, names: Iterable[Name]) -> frozenset[int]:
    """Hold `names` until this transaction ends; gives the locks that are held. To be the first statement of it.

    Locks are taken in the order of their numbers, so that two transactions never wait for each other. SQLite has
    only one writer in any case, and holds nothing.
    """
    if connection.dialect.name != "postgresql":
        return frozenset()
    wanted = sorted({_bucket(name) for name in names})
    if wanted:
        connection.execute(_LOCK_IN_ORDER, {"space": _NAME_LOCKS, "buckets": wanted})
    return frozenset(wanted)


def lock_all_names(connection: Connection) -> None:
    """Hold every name until this transaction ends: nobody else judges or writes meanwhile, on any node.

    To be the first statement of it that takes a lock. A transaction that does so changes what it cannot name.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCK_IN_ORDER, {"space": _NAME_LOCKS, "buckets": list(range(BUCKETS))})
        connection.execute(_UNBOUNDED)


def try_names(connection: Connection, names: Iterable[Name], held: frozenset[int]) -> frozenset[int]:
    """Hold further `names` beside the locks in `held`; gives all. RunAgain where one is not free.

    They turned up after others were taken, so that waiting for them could be waiting in a circle.
    """
    if connection.dialect.name != "postgresql":
        return held
    wanted = sorted({_bucket(name) for name in names} - held)
    if wanted and not connection.execute(_TRY_EACH, {"space": _NAME_LOCKS, "buckets": wanted}).scalar_one():
        raise RunAgain("what the transaction touches is held by another one")
    return held.union(wanted)


_LOCK_IN_ORDER = text(
    "SELECT pg_advisory_xact_lock(:space, bucket)"
    " FROM unnest(CAST(:buckets AS integer[])) WITH ORDINALITY AS wanted (bucket, place) ORDER BY place"
)
_UNBOUNDED = text("SET LOCAL statement_timeout = 0")
_TRY_EACH = text(
    "SELECT bool_and(pg_try_advisory_xact_lock(:space, bucket)) FROM unnest(CAST(:buckets AS integer[])) AS bucket"
)


def _bucket(name: Name) -> int:
    """The lock of a name, the same on every node."""
    return zlib.crc32("\x1f".join(map(str, name)).encode("utf-8", "surrogatepass")) % BUCKETS


def lock_log(connection: Connection) -> None:
    """Be the only one that appends to the log until this transaction ends, on every node.

    Taken after all names: whoever has it waits for nobody any more but the disk.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOG_LOCK})


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
    with naming_system_errors():
        try:
            yield
        except DBAPIError as error:
            temporary = _temporary(error)
            if temporary is None:
                raise
            raise temporary from error


_POSTGRES_FULL = "53100"
_POSTGRES_AWAY = ("08", "57P", "53")
"""SQLSTATE classes: connection exception, operator intervention (shutdown), insufficient resources."""
_POSTGRES_BUSY = ("55P03", "57014")
"""Lock not available, statement timeout: somebody was waited for in vain; the sender may try again later."""
_POSTGRES_AGAIN = ("40001", "40P01")
"""Serialization failure, deadlock: the transaction was rolled back and may run again at once."""
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
    if state in _POSTGRES_AGAIN or error.connection_invalidated:
        return RunAgain(str(origin))
    if state.startswith(_POSTGRES_AWAY) or state in _POSTGRES_BUSY:
        return StoreUnavailable(str(origin))
    if isinstance(origin.__cause__ if origin is not None else None, ValueError):
        return None  # asyncpg's DataError: a value that the engine does not take, now or later
    if not state and isinstance(error, (OperationalError, InterfaceError)):
        return StoreUnavailable(str(origin))
    return None
