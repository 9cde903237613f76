"""The audit over SQLAlchemy: see `ports.Audit`."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from gateway.receipt.anchor import audit_name
from gateway.receipt.stored import StoredLog
from gateway.store import audit, log_audit, ports
from gateway.store.contract import AuditLine, AuditWanted
from gateway.store.log import AUDIT
from gateway.store.sql_access import SqlAccess


class SqlAudit(SqlAccess, ports.Audit):
    """`ports.Audit` on SQLite and PostgreSQL."""

    async def audit_lines(self, wanted: AuditWanted, before: int, limit: int) -> Sequence[AuditLine]:
        return await self._read(lambda connection: audit.read(connection, wanted, before, limit))

    async def audit_checkpoint(self) -> str:
        note = await self._read(audit.newest_checkpoint)
        await self._checkpointer.audit_anchor.hold(note)
        return note

    async def audit_log_from(self) -> StoredLog:
        verifier = self._verifier.renamed(audit_name(self._verifier.name))
        return await self._read(lambda connection: log_audit.begin(connection, verifier, 0, AUDIT))

    async def audit_log_on(self, log: StoredLog, count: int) -> bool:
        anchored = self._checkpointer.audit_anchor.read()

        def work(connection: Connection) -> bool:
            ended = log_audit.go_on(connection, log, count, AUDIT)
            if ended and anchored:
                log_audit.require(connection, log, anchored, AUDIT)
            return ended

        return await self._read(work)
