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
from tests.store.databases import Databases, database_url, on_server
from tests.store.made import ORIGIN


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
    name = f"gateway_test_{os.getpid()}_{secrets.token_hex(3)}"
    try:
        asyncio.run(on_server(f'CREATE DATABASE "{name}"'))
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"PostgreSQL must be reachable (GATEWAY_TEST_POSTGRES): {error}")
        yield ""
        return
    migrate(database_url(name))
    yield name
    asyncio.run(on_server(f'DROP DATABASE "{name}" WITH (FORCE)'))


@pytest.fixture(scope="session")
def databases(migrated_database: str) -> Iterator[Databases]:
    """Copies of the migrated database."""
    made = Databases(migrated_database)
    yield made
    made.drop_all()


@pytest.fixture
def postgres_url(databases: Databases) -> Iterator[str]:
    """A migrated PostgreSQL database."""
    if not databases.template:
        pytest.skip("no PostgreSQL at GATEWAY_TEST_POSTGRES")
    name = databases.take()
    yield database_url(name)
    databases.give_back(name)


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
        return "sqlite:///:memory:"
    found: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return found


@pytest.fixture
async def store(url: str, tmp_path: Path) -> AsyncIterator[SqlStore]:
    """An open store on each engine."""
    opened = Place(url, tmp_path, secrets.token_bytes(32)).store()
    await opened.open()
    yield opened
    await opened.close()
