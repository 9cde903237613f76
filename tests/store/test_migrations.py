"""Migrations make exactly the tables that the queries are written for, and the plans of hot queries use their indexes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.dialects import sqlite

from gateway.store import migrate, version
from gateway.store.database import connect
from gateway.store.deliveries import promote
from gateway.store.migrations import head
from gateway.store.sendings import DUE
from gateway.store.sql_store import SqlStore
from gateway.store.tables import metadata
from tests.store.conftest import Place
from tests.store.made import LEASE, NOW, claim, delivery, outcome


def differences(connection: Connection) -> list[object]:
    """What compares as different; an index that is the other engine's alone is no part of this one's tables."""
    found = compare_metadata(MigrationContext.configure(connection), metadata)
    others = {
        one.name for table in metadata.tables.values() for one in table.indexes if one.name.endswith("_beginnings")
    }
    return [
        one for one in found if connection.dialect.name == "postgresql" or getattr(one[1], "name", "") not in others
    ]


async def test_migrations_make_the_tables(place: Place) -> None:
    """After all migrations nothing differs from the description in tables.py."""
    database = connect(place.url)
    assert await database.read(differences) == []
    await database.close()


def test_migrating_is_safe_to_repeat(tmp_path: Path) -> None:
    """A new folder and file are made; a second run changes nothing."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'new' / 'gateway.db'}"
    assert version(f"sqlite:///{tmp_path / 'none.db'}") == ""
    assert migrate(url) == migrate(url) == version(url) == head()


async def test_migrating_works_inside_an_event_loop(tmp_path: Path) -> None:
    """A server may migrate as it starts."""
    assert migrate(f"sqlite:///{tmp_path / 'gateway.db'}") == head()


async def test_nodes_that_start_together_migrate_one_after_the_other(tmp_path: Path) -> None:
    """Migrating twice at the same moment ends well."""
    url = f"sqlite:///{tmp_path / 'gateway.db'}"
    assert await asyncio.gather(*(asyncio.to_thread(migrate, url) for _ in range(3))) == [head()] * 3


def plan(connection: Connection, statement: object) -> str:
    compiled = statement.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})  # type: ignore[attr-defined]
    return "\n".join(str(row[-1]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}"))


async def test_claiming_walks_the_index_of_due_heads(sqlite_url: str, tmp_path: Path) -> None:
    """Claiming looks at due heads only, without sorting, however many deliveries wait."""
    store = Place(sqlite_url, tmp_path, b"k" * 32).store()
    await store.open()
    found = await store._read(lambda connection: plan(connection, DUE.params(moment=1, limit=10)))
    await store.close()
    assert found == "SEARCH deliveries USING INDEX deliveries_due (due_at<?)"


async def test_promoting_looks_into_the_lane_once(sqlite_url: str, tmp_path: Path) -> None:
    """The next head is found by the lane's index, not by reading the lane."""
    store = Place(sqlite_url, tmp_path, b"k" * 32).store()
    await store.open()
    statements: list[tuple[str, Any]] = []

    def promoted(connection: Connection) -> str:
        from sqlalchemy import event

        event.listen(
            connection, "before_cursor_execute", lambda _c, _k, said, given, *_: statements.append((said, given))
        )
        promote(connection, ["x"])
        statement, given = statements[0]
        return "\n".join(str(row[-1]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given))

    found = await store._database.write(promoted)
    await store.close()
    assert "USING INDEX deliveries_sequence (sequence=?)" in found
    assert "USING INDEX deliveries_lane (lane=?)" in found
    assert "SCAN deliveries" not in found


@pytest.mark.slow
async def test_claims_stay_right_with_many_waiting(sqlite_url: str, tmp_path: Path) -> None:
    """With thousands of deliveries waiting, in long lanes and short ones, every claim gives heads only."""
    store: SqlStore = Place(sqlite_url, tmp_path, b"k" * 32).store()
    await store.open()
    claimed = await claim(store)
    for chunk in range(4):
        made = tuple(delivery(f"{chunk}-{n}", f"lane {n % 300}") for n in range(500))
        await store.commit(outcome(claimed, finished=chunk == 3, position=chunk, deliveries=made))
    held = [one for _ in range(4) for one in await store.claim_deliveries(100, LEASE, NOW)]
    assert len({one.lane for one in held}) == len(held) == 300
    assert {one.id for one in held} == {f"0-{n}" for n in range(300)}
    await store.close()
