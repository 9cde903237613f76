"""The store's own fixtures: what the registry keeps is tried on each engine."""

from __future__ import annotations

from tests.store.conftest import migrated_database, migrated_file, postgres_url, sqlite_url, store, tables_made, url

__all__ = ["migrated_database", "migrated_file", "postgres_url", "sqlite_url", "store", "tables_made", "url"]
