"""The receipt log over SQLAlchemy: see `ports.Log` and `ports.LogAudit`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from functools import partial

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from gateway.errors import LogDamaged
from gateway.model import (
    Receipt,
)
from gateway.receipt.signed import Signer
from gateway.receipt.stored import StoredLog
from gateway.store import (
    log,
    log_audit,
    ports,
    views,
)
from gateway.store.contract import (
    AuditMark,
    Proven,
    Unanchored,
)
from gateway.store.sql_access import SqlAccess

LOG_PAGE = 1000
"""Receipts read at once while the log is walked."""


class SqlLog(SqlAccess, ports.Log):
    """`ports.Log` on SQLite and PostgreSQL."""

    @property
    def origin(self) -> str:
        """The name the log goes by now; receipts are written for it."""
        return self._checkpointer.origin

    @property
    def alert(self) -> str:
        """What happened when the log last took a new name while this process looked; empty where it never did."""
        return self._checkpointer.alert

    @property
    def unanchored(self) -> Unanchored | None:
        """Since when this node's commits are not anchored, and why; None where the newest is."""
        return self._checkpointer.unanchored

    def on_new_name(self, call: Callable[[Signer], None]) -> None:
        """Let `call` be called with the log's signer under each new name it takes."""
        self._checkpointer.on_new_name = call

    async def log_key(self) -> str:
        await self._trusted(self._database.read, lambda _connection: None)
        return self._checkpointer.signer(self.origin).vkey

    async def proven(self, index: int) -> Proven:
        return await self._handed_out(partial(log.proven, index=index), lambda found: found.checkpoint)

    async def receipt(self, index: int) -> Receipt | None:
        found = await self._read(lambda connection: log.receipts_after(connection, index - 1, 1))
        return found[0] if found and found[0].index == index else None

    async def sent_by(self, partner_id: str, payload_id: str, message_id: str) -> bool:
        return await self._read(lambda connection: views.sent_by(connection, partner_id, payload_id, message_id))

    async def receipts_of(self, subject_ids: Iterable[str]) -> Sequence[Receipt]:
        wanted = list(subject_ids)
        return await self._read(lambda connection: log.receipts_of(connection, wanted))

    async def consistency(self, old_size: int) -> tuple[tuple[bytes, ...], str]:
        return await self._handed_out(partial(log.consistency, old_size=old_size), lambda found: found[1])

    async def checkpoint(self) -> str:
        return (await self._handed_out(log.newest_checkpoint, lambda found: found[1]))[1]

    async def log(self, after: int = -1) -> AsyncIterator[Receipt]:
        while page := await self._read(partial(log.receipts_after, after=after, limit=LOG_PAGE)):
            for receipt in page:
                yield receipt
            after = page[-1].index


class SqlLogAudit(SqlAccess, ports.LogAudit):
    """`ports.LogAudit` on SQLite and PostgreSQL."""

    async def audit_from(self, place: int) -> StoredLog:
        return await self._read(lambda connection: log_audit.begin(connection, self._verifier, place))

    async def audit_on(self, log: StoredLog, count: int) -> bool:
        def work(connection: Connection) -> bool:
            return log_audit.go_on(connection, log, count)

        try:
            return await self._trusted(self._database.read, work)
        except (LogDamaged, TypeError, SQLAlchemyError):  # what nothing else can go on from is what an audit is about
            return await self._read(work)

    async def log_size(self) -> int:
        return await self._read(lambda connection: log_audit.read_end(connection).size)

    async def mark_audit(self, mark: AuditMark) -> AuditMark | None:
        return await self._writer.do(log_audit.mark, mark)
