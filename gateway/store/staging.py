"""Checked messages of a large interchange, kept until its trailer says whether they count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, literal_column, select, update

from gateway.errors import GatewayError, LeaseLost
from gateway.model import MessageState
from gateway.store import payloads, tables
from gateway.store.batch import Batch
from gateway.store.contract import MessageRecord, StagedMessage
from gateway.store.sql import pack_json, unpack_json
from gateway.store.views import message_from


@dataclass(frozen=True, slots=True)
class Chunk:
    """Messages of one payload, up to `position`."""

    payload_id: str
    fence: int
    position: int
    messages: tuple[StagedMessage, ...]


def stage(batch: Batch, chunks: Sequence[Chunk]) -> Sequence[GatewayError | None]:
    """Keep chunks; the same chunk again replaces itself."""
    held = payloads.read_fences(batch.connection, [chunk.payload_id for chunk in chunks])
    answers: list[GatewayError | None] = []
    for chunk in chunks:
        row = held.get(chunk.payload_id)
        if row is None or row.fence != chunk.fence:
            answers.append(LeaseLost(payload_id=chunk.payload_id))
            continue
        for message in chunk.messages:
            kept = pack_json(message.examined)
            batch.insert(tables.staged_messages, (chunk.payload_id, message.number, kept), "replace")
        batch.connection.execute(
            update(tables.inbox).where(tables.inbox.c.payload_id == chunk.payload_id).values(position=chunk.position)
        )
        answers.append(None)
    return answers


def staged(connection: Connection, payload_id: str, after: int, limit: int) -> list[StagedMessage]:
    """Staged messages with number > `after`, in order."""
    table = tables.staged_messages
    query = select(table.c.number, table.c.message).where(table.c.payload_id == payload_id, table.c.number > after)
    rows = connection.execute(query.order_by(table.c.number).limit(limit))
    return [StagedMessage(row.number, unpack_json(row.message)) for row in rows]


def failed(connection: Connection, payload_id: str, up_to: int) -> list[MessageRecord]:
    """The messages, up to that number, that earlier commits of the payload have kept as failed."""
    messages = tables.messages.c
    query = select(tables.messages).where(
        messages.payload_id == payload_id,
        messages.number.between(1, up_to),
        messages.state == literal_column(f"'{MessageState.FAILED.value}'"),  # as the partial index says it
    )
    return [message_from(row) for row in connection.execute(query)]
