"""One store for each engine that is reachable; each test gets a database of its own, copied from a migrated one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from gateway.receipt.signed import Signer
from gateway.store import migrate, open_store
from gateway.store.sql_store import SqlStore
from tests.store.databases import Databases, database_url, on_server, pools
from tests.store.made import ORIGIN

MEMORY = "sqlite:///:memory:"


@dataclass
class Place:
    """A database, and how to make a store on it."""

    url: str
    folder: Path
    key: bytes

    def store(self, anchor: Path | None = None) -> SqlStore:
        return open_store(
            self.url, signer=Signer(ORIGIN, self.key), payload_folder=self.folder / "payloads", anchor_file=anchor
        )


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "migrated.db"
    migrate(f"sqlite:///{path}")
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("VACUUM")  # tests that fill the disk count pages, and migrations leave some free
    return path


@pytest.fixture(scope="session")
def migrated_database() -> Iterator[str]:
    """The name of a migrated PostgreSQL database, or an empty string where no server is reachable."""
    if pools:  # a folder that borrows this fixture has made it already
        yield next(iter(pools))
        return
    name = f"gateway_test_{os.getpid()}_{secrets.token_hex(3)}"
    try:
        asyncio.run(on_server(f'CREATE DATABASE "{name}"'))
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"PostgreSQL must be reachable (GATEWAY_TEST_POSTGRES): {error}")
        yield ""
        return
    migrate(database_url(name))
    pools[name] = Databases(name)
    yield name
    pools.pop(name).drop_all()
    asyncio.run(on_server(f'DROP DATABASE "{name}" WITH (FORCE)'))


@pytest.fixture
def postgres_url(migrated_database: str) -> Iterator[str]:
    """A migrated PostgreSQL database."""
    if not migrated_database:
        pytest.skip("no PostgreSQL at GATEWAY_TEST_POSTGRES")
    name = pools[migrated_database].take()
    yield database_url(name)
    pools[migrated_database].give_back(name)


@pytest.fixture
def sqlite_url(migrated_file: Path, tmp_path: Path) -> str:
    """A migrated SQLite file."""
    path = tmp_path / "gateway.db"
    shutil.copy(migrated_file, path)
    return f"sqlite+aiosqlite:///{path}"


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A migrated database that several stores can share."""
    url = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return Place(url, tmp_path, secrets.token_bytes(32))


@pytest.fixture(params=["sqlite", "memory", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    if request.param == "memory":
        return MEMORY
    found: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return found


@pytest.fixture(scope="session")
def tables_made(migrated_file: Path) -> list[str]:
    """The statements by which SQLite makes all tables as they are after the last migration, and notes their version."""
    with contextlib.closing(sqlite3.connect(migrated_file)) as connection:
        described = connection.execute(
            "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY type = 'index'"
        )
        statements = [row[0] for row in described]
        ((version,),) = connection.execute("SELECT version_num FROM alembic_version")
    return [*statements, f"INSERT INTO alembic_version VALUES ('{version}')"]


@pytest.fixture
async def store(url: str, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[SqlStore]:
    """An open store on each engine."""
    opened = Place(url, tmp_path, secrets.token_bytes(32)).store()
    if url == MEMORY:
        # It would migrate itself, all steps from the first one, which takes longer than most tests.
        statements: list[str] = request.getfixturevalue("tables_made")
        await opened._database.write(lambda connection: [connection.exec_driver_sql(one) for one in statements])
    await opened.open()
    yield opened
    await opened.close()
