"""What is looked at, over SQLAlchemy: see `ports.Feeds` and `ports.Pages`."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from gateway.model import (
    Case,
    FeedEntry,
    Payload,
)
from gateway.store import (
    case_views,
    facts,
    participation,
    ports,
    views,
)
from gateway.store.contract import (
    ANYONE,
    LONGEST_PAGE,
    CasePage,
    CasePlace,
    CaseView,
    Kept,
    MessageRecord,
    PayloadLine,
    PayloadView,
    Pressure,
    Viewer,
)
from gateway.store.sql_access import SqlAccess


class SqlFeeds(SqlAccess, ports.Feeds):
    """`ports.Feeds` on SQLite and PostgreSQL."""

    async def feed(
        self,
        name: str,
        partner_id: str,
        after: int,
        limit: int,
        *,
        test: bool = False,
        audiences: Collection[str] = (),
    ) -> Sequence[FeedEntry]:
        return await self._read(
            lambda connection: views.feed(connection, name, partner_id, after, limit, test, audiences)
        )

    async def feed_end(self, name: str, *, test: bool = False) -> int:
        return await self._read(lambda connection: views.feed_end(connection, name, test))

    async def feed_entry(
        self, name: str, partner_id: str, sequence: int, *, test: bool = False, audiences: Collection[str] = ()
    ) -> FeedEntry:
        return await self._read(
            lambda connection: views.feed_entry(connection, self._files, name, partner_id, sequence, test, audiences)
        )

    async def feed_entry_kept(
        self, name: str, partner_id: str, sequence: int, *, test: bool = False, audiences: Collection[str] = ()
    ) -> tuple[FeedEntry, Kept]:
        return await self._read(
            lambda connection: views.feed_entry_kept(
                connection, self._files, name, partner_id, sequence, test, audiences
            )
        )

    async def take_part(self, case_id: str, partner_id: str) -> None:
        fetched = participation.Fetched(case_id, partner_id)
        if not await self._read(lambda connection: participation.takes_part(connection, fetched)):
            await self._writer.do(participation.take_part, fetched)


class SqlPages(SqlAccess, ports.Pages):
    """`ports.Pages` on SQLite and PostgreSQL."""

    async def original(self, payload_id: str, *, body: bool = True) -> Payload:
        return await self._read(
            lambda connection: views.original(connection, self._files if body else None, payload_id)
        )

    async def message(self, message_id: str, *, document: bool = False) -> MessageRecord:
        return await self._read(lambda connection: views.message(connection, message_id, document=document))

    async def payload(
        self,
        payload_id: str,
        after: int | None = None,
        limit: int = LONGEST_PAGE,
        *,
        bodies: bool = True,
        seen_by: Viewer = ANYONE,
        most: int = 0,
    ) -> PayloadView:
        files = self._files if bodies else None
        return await self._read(
            lambda connection: views.payload(connection, files, payload_id, after, limit, seen_by, most)
        )

    async def payloads(
        self, partner_id: str, state: str, after: str, limit: int, *, test: bool | None = None
    ) -> Sequence[PayloadLine]:
        return await self._read(lambda connection: views.payloads(connection, partner_id, state, after, limit, test))

    async def case(self, key: str, partner_id: str = "", *, test: bool = False) -> Sequence[CaseView]:
        # A list, as callers compare it with one.
        return list((await self.cases(key, partner_id, test=test)).cases)

    async def cases(
        self, key: str, partner_id: str = "", after: str = "", limit: int = LONGEST_PAGE, *, test: bool = False
    ) -> CasePage:
        return await self._read(lambda connection: case_views.cases(connection, key, partner_id, after, limit, test))

    async def case_earlier(
        self, case_id: str, partner_id: str, place: CasePlace, limit: int = LONGEST_PAGE, *, test: bool = False
    ) -> CaseView:
        return await self._read(
            lambda connection: case_views.earlier(connection, case_id, partner_id, place, limit, test)
        )

    async def cases_of_kind(self, kind: str, after: str, limit: int, *, test: bool = False) -> Sequence[Case]:
        return await self._read(lambda connection: facts.read_kind(connection, kind, after, limit, test=test))

    async def pressure(self) -> Pressure:
        return await self._read(views.pressure)
