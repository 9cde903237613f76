"""Ledgers over SQLAlchemy: see `ports.Ledgers`."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.model import Account, Entry
from gateway.store import ledgers, ports
from gateway.store.sql_access import SqlAccess


class SqlLedgers(SqlAccess, ports.Ledgers):
    """`ports.Ledgers` on SQLite and PostgreSQL."""

    async def account(self, name: str, *, test: bool = False) -> Account | None:
        found = await self._read(lambda connection: ledgers.read(connection, {(name, test)}))
        return found.get((name, test))

    async def accounts(self, holder: str, after: str, limit: int, *, test: bool = False) -> Sequence[Account]:
        return await self._read(lambda connection: ledgers.read_page(connection, holder, after, limit, test=test))

    async def entries(self, account: str, after: str, limit: int, *, test: bool = False) -> Sequence[Entry]:
        return await self._read(
            lambda connection: ledgers.read_entries_page(connection, account, after, limit, test=test)
        )
