"""A database that can be copied, and set back to a copy while stores are at work on it; and who judges what they sign."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import shutil
import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import make_url

from gateway.store.anchor_file import AnchorFile
from gateway.store.database import SqliteDatabase
from gateway.store.leaves import unpack_leaf
from gateway.store.sql_store import SqlStore
from tests.store.conftest import Place
from tests.store.databases import POSTGRES, on_server


@dataclass
class Machine:
    """A database with the stores that are open on it."""

    place: Place
    stores: list[SqlStore] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    """What was set back, and is kept: files or databases, whose logs were once the log."""

    @property
    def anchor(self) -> Path:
        return self.place.folder / "anchor"

    def anchored(self) -> str:
        """The newest note of the anchor; empty where there is none."""
        return AnchorFile(self.anchor).read() or ""

    def lose_anchor(self) -> None:
        """Remove the anchor under all its names; what was set aside and what was claimed stays."""
        self.anchor.unlink()
        for version in self.anchor.parent.glob(f"{self.anchor.name}.version-*"):
            version.unlink()

    async def open(self) -> SqlStore:
        """One more node."""
        store = self.place.store(self.anchor)
        await store.open()
        self.stores.append(store)
        return store

    async def close(self) -> None:
        """Close all nodes."""
        while self.stores:
            await self.stores.pop().close()

    async def clean(self) -> None:
        """Remove the copies that stand on the server."""
        await self.close()
        if not self._is_file:
            rows = await fetch(
                POSTGRES.database or "", "SELECT datname FROM pg_database WHERE datname LIKE $1", f"{self.name}-%"
            )
            for row in rows:
                await on_server(f'DROP DATABASE "{row[0]}" WITH (FORCE)')

    @property
    def name(self) -> str:
        """The database's file or name."""
        return str(make_url(self.place.url).database)

    @property
    def _is_file(self) -> bool:
        return make_url(self.place.url).get_backend_name() == "sqlite"

    async def copy(self, label: str) -> str:
        """Back the database up, as it is committed now."""
        name = f"{self.name}-{label}"
        if self._is_file:
            with closing(sqlite3.connect(self.name)) as source, closing(sqlite3.connect(name)) as target:
                source.backup(target)
        else:
            await self._disconnect(self.name, f'CREATE DATABASE "{name}" TEMPLATE "{self.name}"')
        return name

    async def set_back(self, copy: str) -> None:
        """Put a copy, which stays, in the place of the database, while the stores go on; what was there is kept."""
        gone = f"{self.name}-gone-{len(self.gone)}"
        self.gone.append(gone)
        if self._is_file:
            for store in self.stores:
                await disconnect(store)
            with closing(sqlite3.connect(self.name)) as old:
                old.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            shutil.copy(self.name, gone)
            for left in Path(self.name).parent.glob(f"{Path(self.name).name}-[ws][ah][lm]"):
                left.unlink()
            shutil.copy(copy, self.name)
        else:
            await self._disconnect(self.name, f'ALTER DATABASE "{self.name}" RENAME TO "{gone}"')
            await on_server(f'CREATE DATABASE "{self.name}" TEMPLATE "{copy}"')

    async def _disconnect(self, name: str, statement: str) -> None:
        """Run a statement that wants nobody to be connected to a database, which is shut meanwhile."""
        await on_server(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        for _ in range(200):
            await on_server(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
            try:
                await on_server(statement)
                break
            except asyncpg.ObjectInUseError:
                await asyncio.sleep(0.01)
        else:
            raise AssertionError(f"somebody is still connected to {name}")
        gone = statement.partition(" RENAME TO ")[2].strip('"')
        await on_server(f'ALTER DATABASE "{gone or name}" ALLOW_CONNECTIONS true')

    async def histories(self) -> list[list[bytes]]:
        """The leaves of the log, as the database holds them now, and as each that was set back held them."""
        return [await self.leaves(name) for name in (*self.gone, self.name)]

    async def leaves(self, name: str) -> list[bytes]:
        """The leaves of the log in a file or database, read past the store."""
        query = 'SELECT body FROM receipts ORDER BY "index"'
        if self._is_file:
            with closing(sqlite3.connect(name)) as connection:
                return [unpack_leaf(row[0]) for row in connection.execute(query)]
        return [unpack_leaf(bytes(row[0])) for row in await fetch(name, query)]


async def fetch(database: str, query: str, *arguments: object) -> list[Any]:
    """Rows of a PostgreSQL database."""
    address = POSTGRES.set(drivername="postgresql", database=database).render_as_string(hide_password=False)
    connection = await asyncpg.connect(address, timeout=5)
    try:
        return list(await connection.fetch(query, *arguments))
    finally:
        await connection.close()


async def disconnect(store: SqlStore) -> None:
    """Let a store lose its connections to a file, as those to a server are lost; it connects again by itself."""
    database = store._database
    assert isinstance(database, SqliteDatabase)
    async with database._turn:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(database._writer, database._writing.dispose)
        await loop.run_in_executor(database._readers, database._reading.dispose)


def tree_hash(leaves: list[bytes]) -> bytes:
    """The Merkle tree hash, straight from its definition (RFC 9162, 2.1.1)."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + tree_hash(leaves[:split]) + tree_hash(leaves[split:])).digest()


def contradictions(notes: Iterable[str], histories: list[list[bytes]]) -> list[str]:
    """Names under which checkpoints have left that are not one history; also those that are nobody's history."""
    by_origin: dict[str, dict[int, set[bytes]]] = defaultdict(lambda: defaultdict(set))
    for note in notes:
        origin, size, root = note.split("\n")[:3]
        by_origin[origin][int(size)].add(base64.b64decode(root))
    wrong: list[str] = []
    for origin, roots in by_origin.items():
        largest = max(roots)
        whole = next((leaves for leaves in histories if {tree_hash(leaves[:largest])} == roots[largest]), None)
        if whole is None or len(whole) < largest:
            wrong.append(f"{origin} at {largest} is no history")
        else:
            wrong += [f"{origin} at {s}" for s, found in roots.items() if found != {tree_hash(whole[:s])}]
    return wrong
