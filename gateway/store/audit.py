"""The audit as people read it: who did what, and was refused what, the newest first."""

from __future__ import annotations

from sqlalchemy import Connection, select

from gateway.store import tables
from gateway.store.contract import AuditLine, AuditWanted
from gateway.store.log import AUDIT

_entries = tables.audit_entries.c


def read(connection: Connection, wanted: AuditWanted, before: int, limit: int) -> list[AuditLine]:
    """Entries that were asked for with an index below `before`, any where that is negative, the newest first."""
    query = select(_entries.index, _entries.body)
    for column, value in (
        (_entries.partner_id, wanted.partner_id),
        (_entries.person_id, wanted.person_id),
        (_entries.case_id, wanted.case_id),
    ):
        if value:
            query = query.where(column == value)
    if before >= 0:
        query = query.where(_entries.index < before)
    rows = connection.execute(query.order_by(_entries.index.desc()).limit(limit))
    return [AuditLine(index, body) for index, body in rows]


def newest_checkpoint(connection: Connection) -> str:
    """The newest signed note over the audit; empty before its first entry."""
    notes = AUDIT.checkpoints.c
    return connection.execute(select(notes.note).order_by(notes.size.desc()).limit(1)).scalar() or ""
