"""PostgreSQL databases for tests: copies of a migrated one, emptied and handed on from test to test."""

from __future__ import annotations

import asyncio
import os
import secrets
from dataclasses import dataclass, field

import asyncpg
from sqlalchemy import make_url

POSTGRES = make_url(os.environ.get("GATEWAY_TEST_POSTGRES", "postgresql+asyncpg://root@127.0.0.1:5432/test"))

GROWN = 4 << 20
"""Bytes by which a database may grow in a test before it is dropped: what many rows leave behind is slow to walk past."""

_TABLES = """
SELECT relname FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'alembic_version'
"""
_OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
# Whatever a test may have changed beside rows: tables and indexes with their options and columns, constraints, triggers,
# functions, schemas, settings of the database, and the version of the tables.
_SHAPE = """
SELECT md5(string_agg(line, chr(10) ORDER BY line)) FROM (
    SELECT concat_ws(' ', relname, relkind, relpersistence, relnamespace, reloptions) AS line
    FROM pg_class WHERE relnamespace >= 16384 OR relnamespace = 'public'::regnamespace
    UNION ALL
    SELECT concat_ws(' ', relname, attnum, attname, atttypid, atttypmod, attnotnull, attcollation, attisdropped,
        pg_get_expr(adbin, adrelid))
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
    LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE relnamespace = 'public'::regnamespace AND attnum > 0
    UNION ALL
    SELECT concat_ws(' ', pg_get_indexdef(indexrelid), indisvalid) FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
    WHERE relnamespace = 'public'::regnamespace
    UNION ALL
    SELECT concat_ws(' ', conname, pg_get_constraintdef(oid)) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL
    SELECT concat_ws(' ', tgname, tgenabled) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL
    SELECT concat_ws(' ', proname, prosrc) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL
    SELECT nspname::text FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp_'
    UNION ALL
    SELECT concat_ws(' ', datallowconn, datconnlimit, setconfig) FROM pg_database
    LEFT JOIN pg_db_role_setting ON setdatabase = pg_database.oid WHERE datname = current_database()
    UNION ALL
    SELECT version_num FROM alembic_version
) AS shape
"""


async def on_server(statement: str) -> None:
    """Run one statement on the PostgreSQL server's own database."""
    connection = await _connected(POSTGRES.database or "")
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def database_url(name: str) -> str:
    """The URL of a database on the server."""
    return POSTGRES.set(database=name).render_as_string(hide_password=False)


@dataclass
class Databases:
    """Copies of one migrated database, each for one test at a time.

    To make a copy and to drop it the server writes some ten megabytes and syncs hundreds of files, which takes longer
    than most tests; to delete the few rows of a test takes a hundredth of that. So a database goes from test to test,
    as long as nothing but rows was changed in it and nobody is connected to it any more.
    """

    template: str
    _free: list[str] = field(default_factory=list)
    _shape: str = ""
    _size: int = 0

    def take(self) -> str:
        """The name of a database with all tables and no rows."""
        if self._free:
            return self._free.pop()
        name = f"{self.template}_{secrets.token_hex(3)}"
        asyncio.run(on_server(f'CREATE DATABASE "{name}" TEMPLATE "{self.template}"'))
        return name

    def give_back(self, name: str) -> None:
        """Empty a database for the next test, or drop it."""
        emptied = False
        try:
            emptied = asyncio.run(self._emptied(name))
        finally:
            if emptied:
                self._free.append(name)
            else:
                self._drop(name)

    def drop_all(self) -> None:
        """Drop those that no test has."""
        while self._free:
            self._drop(self._free.pop())

    def _drop(self, name: str) -> None:
        asyncio.run(on_server(f'DROP DATABASE "{name}" WITH (FORCE)'))

    async def _emptied(self, name: str) -> bool:
        """Whether all rows of a database are gone, and it is the template's like again."""
        if not self._shape:
            template = await _connected(self.template)
            self._shape, self._size = await _measured(template)
            await template.close()
        try:
            connection = await _connected(name)
        except (OSError, TimeoutError, asyncpg.PostgresError):
            return False  # the test has dropped, renamed or closed it
        try:
            for _ in range(100):
                if not await connection.fetchval(_OTHERS):
                    break
                await asyncio.sleep(0.01)  # the server notices a little later that a connection was closed
            else:
                return False
            shape, size = await _measured(connection)
            if shape != self._shape or size > self._size + GROWN:
                return False
            deletes = [f'DELETE FROM "{row[0]}"' for row in await connection.fetch(_TABLES)]
            await connection.execute("; ".join(deletes))
            await connection.execute("SELECT setval(seqrelid, seqstart, false) FROM pg_sequence")
        except asyncpg.PostgresError:
            return False
        finally:
            await connection.close()
        return True


pools: dict[str, Databases] = {}
"""The copies of this process, by their template."""


async def _measured(connection: asyncpg.Connection) -> tuple[str, int]:
    """The digest of a database's description, and its size in bytes."""
    row = await connection.fetchrow(f"SELECT ({_SHAPE}), pg_database_size(current_database())")
    assert row is not None
    return row[0], row[1]


async def _connected(name: str) -> asyncpg.Connection:
    address = POSTGRES.set(drivername="postgresql", database=name).render_as_string(hide_password=False)
    return await asyncpg.connect(address, timeout=5)
