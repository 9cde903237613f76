"""Store: the only room that knows SQL.

`migrate(url)` brings a database's tables to this version; `open_store(...)` gives the store over it.
"""

from __future__ import annotations

from pathlib import Path

from gateway.receipt.signed import Signer
from gateway.store.contract import Store
from gateway.store.migrations import explained, file_of, migrate, shown, version
from gateway.store.sql_store import SqlStore

__all__ = ["Store", "explained", "file_of", "migrate", "open_store", "shown", "version"]


def open_store(url: str, *, signer: Signer, payload_folder: Path, anchor_file: Path | None = None) -> SqlStore:
    """The store at a SQLAlchemy URL (SQLite or PostgreSQL), not yet open: call its `open`.

    `signer` signs the receipt log and names it; large bodies go to `payload_folder`, the newest
    checkpoint to `anchor_file`. A SQLite database in memory migrates itself and keeps nothing.
    ConfigurationInvalid where no store can be at `url`.
    """
    with explained(url):
        return SqlStore(url, signer, payload_folder, anchor_file)
