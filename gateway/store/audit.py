"""The audit as people read it: who did what, and was refused what, the newest first."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, select

from gateway.model import AuditEntry, Changer
from gateway.store import tables
from gateway.store.contract import AuditLine, AuditWanted
from gateway.store.log import AUDIT

_entries = tables.audit_entries.c


def entry_of_order(
    action: str,
    subject: str,
    at: datetime,
    by: Changer,
    *,
    before: Mapping[str, str],
    after: Mapping[str, str],
    case_id: str = "",
    test: bool = False,
) -> AuditEntry:
    """What is told of a person's order about a delivery or an endpoint that was carried out; empty values are left out."""
    return AuditEntry(
        at,
        action,
        "done",
        partner_id=by.partner_id,
        person_id=by.person_id,
        role="",
        task_id="",
        case_id=case_id,
        office="",
        occasion="",
        before={name: value for name, value in before.items() if value},
        after={name: value for name, value in after.items() if value},
        test=test,
        subject=subject,
    )


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
