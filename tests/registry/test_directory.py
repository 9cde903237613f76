"""What the trip knows of partners is as old as the registry's version allows, and never older."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from gateway.model import Partner, Role
from gateway.registry.directory import VERSION_AGE, Directory
from gateway.store.sql_store import SqlStore

FIRM = Partner("firm", "Firm", frozenset({Role.ENTERPRISE}), language="en")
CHANGED = replace(FIRM, language="zh")


class SlowStore:
    """A store whose answer about a partner is on its way until it is let go."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store
        self.read, self.arrived = asyncio.Event(), asyncio.Event()
        self.partner_by = store.partner_by
        self.registry_version = store.registry_version

    async def partner(self, partner_id: str) -> Partner:
        """The partner as it was when it was read."""
        found = await self._store.partner(partner_id)
        self.read.set()
        await self.arrived.wait()
        return found


async def test_an_answer_from_before_an_import_is_not_kept(store: SqlStore) -> None:
    """What was read before an import and arrives after others have seen it is given once, and then read anew."""
    await store.import_partners((FIRM,), (), ())
    seconds = 0.0
    slow = SlowStore(store)
    directory = Directory(slow, clock=lambda: seconds)  # type: ignore[arg-type]
    asked = asyncio.create_task(directory.partner("firm"))
    await slow.read.wait()
    await store.import_partners((CHANGED,), (), ())
    seconds += VERSION_AGE
    assert await directory.partner_by("uscc", "none") is None  # whoever asks next sees that the registry has moved
    slow.arrived.set()
    assert await asked == FIRM
    assert await directory.partner("firm") == CHANGED
