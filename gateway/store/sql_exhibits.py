"""Evidence over SQLAlchemy: see `ports.Exhibits`."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from pathlib import Path

from gateway.durable import naming_system_errors
from gateway.model import Exhibit
from gateway.store import exhibits, ports
from gateway.store.contract import ANYONE, ExhibitArrival, ExhibitKept, Kept, NewReceipt, Viewer
from gateway.store.sql_access import SqlAccess


class SqlExhibits(SqlAccess, ports.Exhibits):
    """`ports.Exhibits` on SQLite and PostgreSQL."""

    async def keep_exhibit(self, exhibit: Exhibit, receipt: NewReceipt) -> ExhibitKept:
        if exhibit.path:
            await asyncio.to_thread(self._adopt_exhibit, exhibit)
        else:
            await self._keep_bodies([(exhibit.sha256, exhibit.body)])
        return await self._writer.do(exhibits.keep, ExhibitArrival(exhibit, receipt))

    def _adopt_exhibit(self, exhibit: Exhibit) -> None:
        with naming_system_errors():
            self._files.adopt(exhibit.sha256, Path(exhibit.path))

    async def exhibit(
        self, exhibit_id: str, seen_by: Viewer = ANYONE, offices: Collection[str] = ()
    ) -> tuple[Exhibit, Kept]:
        return await self._read(lambda connection: exhibits.find(connection, self._files, exhibit_id, seen_by, offices))

    async def exhibits_of(self, partner_id: str, after: str, limit: int, *, test: bool = False) -> Sequence[Exhibit]:
        return await self._read(lambda connection: exhibits.of_partner(connection, partner_id, after, limit, test=test))
