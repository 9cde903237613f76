"""A gateway's middle for each test, over a copy of one migrated database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.store import migrate
from tests.trip.rig import House, house


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with all tables and nothing in them."""
    path = tmp_path_factory.mktemp("trip") / "migrated.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
async def gateway(tmp_path: Path, migrated: Path) -> AsyncIterator[House]:
    """A gateway's middle with the partners of the rig."""
    async with house(tmp_path, migrated) as one:
        yield one
