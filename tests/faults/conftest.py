"""A database for nodes that share one, and a gateway's middle."""

from __future__ import annotations

from tests.store.conftest import migrated_database, postgres_url  # noqa: F401 - the fixtures of that folder
from tests.trip.conftest import gateway, migrated  # noqa: F401 - the fixtures of that folder
