"""The inbox over SQLAlchemy: see `ports.Inbox` for what each operation promises."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from gateway.durable import naming_system_errors
from gateway.model import (
    InterchangeRef,
    Payload,
)
from gateway.store import (
    nodes,
    outcome,
    payloads,
    ports,
    replies,
    staging,
)
from gateway.store.contract import (
    Accepted,
    Claimed,
    MessageRecord,
    NewReceipt,
    StagedMessage,
)
from gateway.store.sql import to_time
from gateway.store.sql_access import SqlAccess

BRIEF_BODY = 8 * 1024
"""Bytes up to which a payload is written so fast that the event loop can do it between two senders."""


class SqlInbox(SqlAccess, ports.Inbox):
    """`ports.Inbox` on SQLite and PostgreSQL."""

    async def accept(self, payload: Payload, receipt: NewReceipt, lease: timedelta | None = None) -> Accepted:
        if payload.path:
            await asyncio.to_thread(self._adopt, payload.sha256, Path(payload.path))
        else:
            await self._keep_bodies([(payload.sha256, payload.body)])
        brief = payload.size <= BRIEF_BODY
        arrival = payloads.Arrival(payload, receipt, lease, self._node)
        accepted = await self._writer.do(payloads.accept, arrival, brief=brief)
        if accepted.claimed is None or not payload.path:
            return accepted
        kept = replace(payload, path=self._files.whole(payload.sha256, payload.size))
        return replace(accepted, claimed=replace(accepted.claimed, payload=kept))

    def _adopt(self, sha256: str, path: Path) -> None:
        """Take a file of the spool for the body of that digest."""
        with naming_system_errors():
            self._files.adopt(sha256, path)

    async def claim_payloads(
        self, limit: int, lease: timedelta, now: datetime, *, without_large_of: Sequence[str] = ()
    ) -> Sequence[Claimed]:
        wanted = payloads.ClaimWanted(self._files, limit, lease, now, self._node, tuple(without_large_of))
        if self._database.claims_apart:
            return await self._claim(lambda connection: payloads.claim(connection, wanted))
        return await self._writer.do(payloads.claims, wanted)

    async def renew_payload(
        self, payload_id: str, fence: int, lease: timedelta, now: datetime, begun: int | None = None
    ) -> None:
        await self._writer.do(payloads.renew, payloads.Renewal(payload_id, fence, to_time(now + lease), begun))

    async def earlier_undecided(self, payload_id: str) -> bool:
        return await self._read(lambda connection: payloads.earlier_undecided(connection, payload_id))

    async def find_interchange(
        self, ref: InterchangeRef, window: timedelta, received_at: datetime, payload_id: str
    ) -> str:
        found = await self._interchanges.ask([ref])
        return outcome.used_before(found.get(ref, ()), payload_id, to_time(received_at), window)

    async def stage(self, payload_id: str, fence: int, position: int, messages: Sequence[StagedMessage]) -> None:
        await self._writer.do(staging.stage, staging.Chunk(payload_id, fence, position, tuple(messages)))

    async def staged(self, payload_id: str, after: int, limit: int) -> Sequence[StagedMessage]:
        return await self._read(lambda connection: staging.staged(connection, payload_id, after, limit))

    async def failed_messages(self, payload_id: str, up_to: int) -> Sequence[MessageRecord]:
        return await self._read(lambda connection: staging.failed(connection, payload_id, up_to))

    async def reopen_payload(self, payload_id: str) -> None:
        await self._writer.do(payloads.reopen, payload_id)

    async def hold_as(self, node: str, now: datetime) -> int:
        self._node = node
        return await self._writer.do(nodes.take_back, nodes.Return(node, now))


class SqlReplies(SqlAccess, ports.Replies):
    """`ports.Replies` on SQLite and PostgreSQL."""

    async def find_reply(self, partner_id: str, transport: str, transport_id: str) -> bytes | None:
        return await self._read(lambda connection: replies.find(connection, partner_id, transport, transport_id))

    async def keep_reply(self, partner_id: str, transport: str, transport_id: str, body: bytes, at: datetime) -> bytes:
        return await self._trusted(
            self._database.write,
            lambda connection: replies.keep(connection, partner_id, transport, transport_id, body, at),
        )
