"""Migrations: bring a database's tables to what this version needs, with the alembic scripts in `versions`.

They are run by `migrate`, never by an ini file or alembic's own command line, so that an installed
wheel brings everything it needs. docs/store.md says how to write one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TypeVar

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, make_url

from gateway.store.database import connect, in_memory, lock_writers

T = TypeVar("T")

_FOLDER = Path(__file__).parent


def migrate_connection(connection: Connection) -> None:
    """Apply what is missing, inside the transaction of `connection`."""
    lock_writers(connection)  # nodes that start together migrate one after the other
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def current(connection: Connection) -> str:
    """The version of the tables; empty where there are none."""
    return MigrationContext.configure(connection).get_current_revision() or ""


@cache
def head() -> str:
    """The version this code needs."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def migrate(url: str) -> str:
    """Bring the tables at `url` to this version, in one transaction; safe to repeat. Gives the version."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and not in_memory(parsed):
        Path(str(parsed.database)).parent.mkdir(parents=True, exist_ok=True)
    _run(url, migrate_connection)
    return version(url)


def version(url: str) -> str:
    """The version of the tables at `url`; empty where there are none."""
    return _run(url, current)


def _run(url: str, work: Callable[[Connection], T]) -> T:
    """Run `work` in a transaction, on a thread of its own because the caller may be inside an event loop."""

    async def run() -> T:
        database = connect(url)
        try:
            return await database.write(work)
        finally:
            await database.close()

    with ThreadPoolExecutor(1) as executor:
        return executor.submit(lambda: asyncio.run(run())).result()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    return config
