"""A database for nodes that share one."""

from __future__ import annotations

from tests.store.conftest import migrated_database, postgres_url  # noqa: F401 - the fixtures of that folder
