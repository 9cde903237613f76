"""What senders were answered, kept so that a repeat gets the same, to the byte."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select

from gateway.store import tables
from gateway.store.sql import insert_rows, to_time

_columns = tables.replies.c


def find(connection: Connection, partner_id: str, transport: str, transport_id: str) -> bytes | None:
    """The answer to a sending, None where there was none yet."""
    query = select(_columns.body).where(
        _columns.partner_id == partner_id, _columns.transport == transport, _columns.transport_id == transport_id
    )
    found = connection.execute(query).scalar()
    return None if found is None else bytes(found)


def keep(
    connection: Connection, partner_id: str, transport: str, transport_id: str, body: bytes, at: datetime
) -> bytes:
    """Keep an answer; the one that stands, which is another where one was kept before."""
    row = (partner_id, transport, transport_id, body, to_time(at))
    insert_rows(connection, tables.replies, [row], "ignore")
    standing = find(connection, partner_id, transport, transport_id)
    return body if standing is None else standing
