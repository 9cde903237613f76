"""A gateway's middle for each test, over a copy of one migrated database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.store import migrate
from tests.store.conftest import migrated_database, postgres_url  # noqa: F401 - the fixtures of that folder
from tests.trip.rig import House, house


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with all tables and nothing in them."""
    path = tmp_path_factory.mktemp("trip") / "migrated.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest, migrated: Path) -> Path | str:
    """A migrated database of each engine."""
    return migrated if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


@pytest.fixture
async def gateway(tmp_path: Path, migrated: Path) -> AsyncIterator[House]:
    """A gateway's middle with the partners of the rig."""
    async with house(tmp_path, migrated) as one:
        yield one


@pytest.fixture
async def on_postgres(tmp_path: Path, postgres_url: str) -> AsyncIterator[House]:  # noqa: F811 - it is asked for by its name
    """The same on PostgreSQL, where one is reachable."""
    async with house(tmp_path, postgres_url) as one:
        yield one
