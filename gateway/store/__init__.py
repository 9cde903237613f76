"""Store: the only room that knows SQL.

`migrate(url)` brings a database's tables to this version; `open_store(...)` gives the store over it.
"""

from __future__ import annotations

from pathlib import Path

from gateway.receipt.signed import Signer
from gateway.store import breaks, log
from gateway.store.contract import LogBreak
from gateway.store.migrations import explained, file_of, head, migrate, read, version, without_password
from gateway.store.ports import Store
from gateway.store.sql_store import SqlStore

__all__ = ["Store", "explained", "file_of", "log_at", "migrate", "open_store", "version", "without_password"]


def log_at(url: str) -> tuple[str, list[LogBreak]]:
    """The name that the log at `url` goes by, and its breaks, the newest first; nothing is judged or changed by asking.

    Empty where there are no tables of this version, and before the first commit.
    """
    if version(url) != head():
        return "", []
    state, found = read(url, lambda connection: (log.read_state(connection), breaks.read_all(connection)))
    return state.origin if state else "", found


def open_store(url: str, *, signer: Signer, payload_folder: Path, anchor_file: Path | None = None) -> SqlStore:
    """The store at a SQLAlchemy URL (SQLite or PostgreSQL), not yet open: call its `open`.

    `signer` signs the receipt log and names it; large bodies go to `payload_folder`, the newest
    checkpoint to `anchor_file`. A SQLite database in memory migrates itself and keeps nothing.
    ConfigurationInvalid where no store can be at `url`.
    """
    with explained(url):
        return SqlStore(url, signer, payload_folder, anchor_file)
