"""Upkeep over SQLAlchemy: see `ports.Upkeep`."""

from __future__ import annotations

import asyncio
from functools import partial

from gateway.store import (
    breaks,
    ports,
    probe,
)
from gateway.store.bodies import mentioned
from gateway.store.contract import (
    ORPHAN_SECONDS,
)
from gateway.store.sql_access import SqlAccess

SWEEP_PAGE = 500
"""Files judged with one query."""


class SqlUpkeep(SqlAccess, ports.Upkeep):
    """`ports.Upkeep` on SQLite and PostgreSQL."""

    async def probe(self) -> None:
        # Anybody may ask whether we are ready: one probe at a time answers all who ask meanwhile.
        if self._probing is None or self._probing.done():
            self._probing = asyncio.ensure_future(self._writer.do(probe.write, None))
        await asyncio.shield(self._probing)

    async def sweep(self, older_than: float = ORPHAN_SECONDS) -> int:
        files = await asyncio.to_thread(lambda: list(self._files.old_files(older_than)))
        removed = 0
        for start in range(0, len(files), SWEEP_PAGE):
            page = files[start : start + SWEEP_PAGE]
            names = [path.name for path in page]
            # A store that was set back has forgotten files, and must have noticed that first.
            if await self._trusted(self._database.read, breaks.are_open):
                break
            with self._files.removing() as free:
                if not free:  # a backup is being made
                    break
                kept = await self._read(partial(mentioned, digests=names))
                for path in page:
                    if path.name not in kept:
                        removed += await asyncio.to_thread(self._files.remove_old, path, older_than)
        return removed
