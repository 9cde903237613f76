"""The store's own fixtures: a worker is tried on each engine, since each keeps other texts than the other."""

from __future__ import annotations

from tests.store.conftest import (
    migrated_database,
    migrated_file,
    place,
    postgres_url,
    sqlite_url,
    store,
    tables_made,
    url,
)

__all__ = ["migrated_database", "migrated_file", "place", "postgres_url", "sqlite_url", "store", "tables_made", "url"]
