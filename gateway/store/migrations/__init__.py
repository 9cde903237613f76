"""Migrations: bring a database's tables to what this version needs, with the alembic scripts in `versions`.

They are run by `migrate`, never by an ini file or alembic's own command line, so that an installed
wheel brings everything it needs. docs/store.md says how to write one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Literal, TypeVar

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from gateway.durable import make_folder, sync_folder
from gateway.errors import ConfigurationInvalid
from gateway.store.database import connect, in_memory, lock_log

T = TypeVar("T")

_FOLDER = Path(__file__).parent


def migrate_connection(connection: Connection) -> None:
    """Apply what is missing, inside the transaction of `connection`."""
    lock_log(connection)  # nodes that start together migrate one after the other
    if current(connection) == head():
        return  # what nearly every start finds, without reading all scripts for it
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
    """Bring the tables at `url` to this version, in one transaction; safe to repeat. Gives the version.

    ConfigurationInvalid where no store can be at `url`.
    """
    with explained(url):
        file = file_of(url)
        if file is not None:
            try:
                make_folder(file.parent)
            except OSError as error:
                raise ConfigurationInvalid(f"store.url: {error.filename}: {error.strerror}") from error
        _run(url, migrate_connection)
        found = _run(url, current)
        if file is not None:
            # Its content SQLite has synced. The file is not opened for that: closing it would give up the locks that
            # SQLite holds on it in this process (https://sqlite.org/howtocorrupt.html, 2.2).
            sync_folder(file.parent)
        return found


def version(url: str) -> str:
    """The version of the tables at `url`; empty where there are none, and then none are made, nor a file for them.

    ConfigurationInvalid where no store can be at `url`.
    """
    with explained(url):
        file = file_of(url)
        return "" if file is not None and not file.exists() else _run(url, current)


def read(url: str, work: Callable[[Connection], T]) -> T:
    """What `work` reads of the tables at `url`, whose `version` must be this one's; nothing is made or judged."""
    with explained(url):
        return _run(url, work)


def snapshot(url: str, work: Callable[[Connection], T]) -> T:
    """What `work` reads of the tables at `url`, all of it as of one moment, however long that takes."""
    with explained(url):
        return _run(url, work, "snapshot")


def write(url: str, work: Callable[[Connection], T]) -> T:
    """What `work` does in one transaction at `url`, durable when this returns; its tables may be of any version."""
    with explained(url):
        return _run(url, work)


def make_tables(connection: Connection, wanted: str) -> None:
    """Make the tables of an earlier version, or this one, where there are none. ConfigurationInvalid where none had it."""
    config = _config()
    if wanted not in {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}:
        raise ConfigurationInvalid(f"no version of the tables up to this one, {head()}, is called {wanted}")
    config.attributes["connection"] = connection
    command.upgrade(config, wanted)


@contextmanager
def explained(url: str) -> Iterator[None]:
    """What the database or its driver has against being opened, as ConfigurationInvalid; no password is repeated."""
    _parsed(url)
    try:
        yield
    except (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        reason = error.orig if isinstance(error, DBAPIError) else error
        raise ConfigurationInvalid(f"store.url {without_password(url)}: {reason}") from error


def without_password(url: str) -> str:
    """`url` with `***` for its password, as it may be shown."""
    return _parsed(url).render_as_string(hide_password=True)


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError) as error:
        # The URL itself is not repeated: its password cannot be found in it.
        raise ConfigurationInvalid("store.url is no URL of a database, such as sqlite:///var/gateway.db") from error


def file_of(address: str) -> Path | None:
    """The file of a SQLite database; None of a database in memory, of one named by a URI, or of PostgreSQL."""
    url = _parsed(address)
    if url.get_backend_name() != "sqlite" or in_memory(url) or str(url.database).startswith("file:"):
        return None
    path = Path(str(url.database))
    if path.is_dir():
        raise ConfigurationInvalid(f"store.url {without_password(address)}: {path} is a folder")
    return path


def _run(url: str, work: Callable[[Connection], T], way: Literal["write", "snapshot"] = "write") -> T:
    """Run `work` in a transaction, on a thread of its own because the caller may be inside an event loop."""

    async def run() -> T:
        database = connect(url, patient=True)
        try:
            return await (database.write if way == "write" else database.snapshot)(work)
        finally:
            await database.close()

    with ThreadPoolExecutor(1) as executor:
        return executor.submit(lambda: asyncio.run(run())).result()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    return config
