"""One store for each engine that is reachable; each test gets a database of its own."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import make_url

from gateway.receipt.signed import Signer
from gateway.store import migrate, open_store
from gateway.store.sql_store import SqlStore
from tests.store.made import ORIGIN

POSTGRES = os.environ.get("GATEWAY_TEST_POSTGRES", "postgresql+asyncpg://root@127.0.0.1:5432/test")


@dataclass
class Place:
    """A database, and how to open (another) store on it."""

    url: str
    folder: Path
    key: bytes

    def store(self, anchor: Path | None = None) -> SqlStore:
        return open_store(
            self.url,
            signer=Signer(ORIGIN, self.key),
            payload_folder=self.folder / "payloads",
            anchor_file=anchor,
        )


async def _admin() -> asyncpg.Connection:
    url = make_url(POSTGRES).set(drivername="postgresql")
    return await asyncpg.connect(url.render_as_string(hide_password=False), timeout=5)


async def _postgres_database() -> str:
    try:
        connection = await _admin()
    except (OSError, asyncpg.PostgresError) as error:
        reason = f"no PostgreSQL at GATEWAY_TEST_POSTGRES: {error}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    name = f"gateway_test_{os.getpid()}_{secrets.token_hex(4)}"
    await connection.execute(f'CREATE DATABASE "{name}"')
    await connection.close()
    return name


async def _drop(name: str) -> None:
    connection = await _admin()
    await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await connection.close()


@pytest.fixture(params=["sqlite", "postgresql"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    """A migrated database that two stores can share."""
    key = secrets.token_bytes(32)
    if request.param == "sqlite":
        url = f"sqlite+aiosqlite:///{tmp_path / 'gateway.db'}"
        migrate(url)
        yield Place(url, tmp_path, key)
        return
    name = await _postgres_database()
    url = make_url(POSTGRES).set(database=name).render_as_string(hide_password=False)
    try:
        migrate(url)
        yield Place(url, tmp_path, key)
    finally:
        await _drop(name)


@pytest.fixture(params=["sqlite", "memory", "postgresql"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SqlStore]:
    """An open store on each engine."""
    key = secrets.token_bytes(32)
    name = ""
    if request.param == "postgresql":
        name = await _postgres_database()
        url = make_url(POSTGRES).set(database=name).render_as_string(hide_password=False)
    else:
        url = "sqlite+aiosqlite:///:memory:" if request.param == "memory" else f"sqlite:///{tmp_path / 'gateway.db'}"
    try:
        if request.param != "memory":
            migrate(url)
        opened = Place(url, tmp_path, key).store()
        await opened.open()
        yield opened
        await opened.close()
    finally:
        if name:
            await _drop(name)
