"""Retention over SQLAlchemy: see `ports.Retention`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection

from gateway.store import archiving, holds, ports, retention
from gateway.store.contract import Viewer
from gateway.store.retained import Hold, Plan, Run, Written
from gateway.store.sql_access import SqlAccess

T = TypeVar("T")


class SqlRetention(SqlAccess, ports.Retention):
    """`ports.Retention` on SQLite and PostgreSQL."""

    async def archive(self, plan: Plan, clock: Callable[[], datetime], *, dry_run: bool = False) -> Run:
        async def write(work: Callable[[Connection], T]) -> T:
            return await self._trusted(self._database.write, work)

        signer = self._checkpointer.signer(self._checkpointer.origin)
        access = archiving.Access(self._read, write, self._files, signer)
        return await archiving.Archiver(access, plan, clock, dry_run=dry_run).run()

    async def archives(self, limit: int) -> Sequence[Written]:
        return await self._read(partial(archiving.read_archives, limit=limit))

    async def feed_begin(
        self, feed: str, after: int, partner_id: str = "", *, test: bool, audiences: Collection[str] = ()
    ) -> tuple[int, str]:
        readers = (partner_id, *audiences) if partner_id else ()
        return await self._read(partial(retention.read_begin, feed=feed, after=after, readers=readers, test=test))

    async def archived(self, kind: str, id_: str, seen_by: Viewer) -> str:
        return await self._read(partial(retention.seen_archive, kind=kind, id_=id_, seen_by=seen_by))

    async def hold_cases(self, key: str, reason: str, now: datetime) -> Sequence[str]:
        return await self._trusted(self._database.write, lambda connection: holds.hold(connection, key, reason, now))

    async def release_cases(self, key: str) -> Sequence[str]:
        return await self._trusted(self._database.write, partial(holds.release, key=key))

    async def holds(self) -> Sequence[Hold]:
        return await self._read(holds.read_all)
