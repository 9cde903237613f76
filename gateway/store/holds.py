"""Cases that an operator holds back from archives, for as long as a court, an audit or a claim needs them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, select

from gateway.errors import NotFound
from gateway.store import own_cases, tables
from gateway.store.retained import Hold
from gateway.store.sql import among, from_time, insert_rows, to_time

_holds = tables.holds.c


def hold(connection: Connection, key: str, reason: str, now: datetime) -> Sequence[str]:
    """Hold the live cases of an id or a number, the newest of it; their ids. NotFound where there is none."""
    ids, _ = own_cases.find_ids(connection, key, "", "", test=False)
    if not ids:
        raise NotFound(f"there is no case {key}", case=key)
    insert_rows(connection, tables.holds, [(one, reason, to_time(now)) for one in ids], "replace")
    return ids


def release(connection: Connection, key: str) -> Sequence[str]:
    """Let go of the held cases of an id or a number; their ids. NotFound where none is held."""
    ids, _ = own_cases.find_ids(connection, key, "", "", test=False)
    held = connection.execute(select(_holds.case_id).where(among(_holds.case_id, ids))).scalars().all()
    if not held:
        raise NotFound(f"no case of {key} is held", case=key)
    connection.execute(delete(tables.holds).where(among(_holds.case_id, held)))
    return held


def read_all(connection: Connection) -> list[Hold]:
    """All cases that are held."""
    rows = connection.execute(select(tables.holds).order_by(_holds.case_id))
    return [Hold(row.case_id, row.reason, from_time(row.at)) for row in rows]
