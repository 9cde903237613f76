"""Cases as commit 2 writes them, and where the documents of a case are kept.

A document that a case takes from a message as it is, which is nearly every one, is kept with the message only.
Before such a message may change (its payload is processed again), the case is given a document of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, select, update

from gateway.model import CaseEvent
from gateway.store import tables
from gateway.store.batch import Batch
from gateway.store.contract import CaseChange, MessageRecord
from gateway.store.sql import among, from_json, pack_json, to_json, to_time, unpack_json

_documents, _messages = tables.case_documents.c, tables.messages.c


def messages_by_case(messages: Sequence[MessageRecord]) -> dict[tuple[str, str], MessageRecord]:
    """The newest of some messages by case and document type."""
    return {(one.case_id, one.document_type): one for one in messages if one.document is not None}


def write(batch: Batch, change: CaseChange, messages: Mapping[tuple[str, str], MessageRecord]) -> None:
    """Collect the rows of a case that is made or changed; `messages` (`messages_by_case`) are committed with it."""
    for event in change.events:
        batch.insert(tables.case_events, _event_row(event))
    if change.noted:
        return
    version, standing = change.expected_version + 1, pack_standing(change.tracks, change.left)
    head = (change.case_id, version, change.status, change.partner_id, change.test, change.kind, standing)
    batch.insert(tables.cases, head, "replace")
    for kind, value in sorted(change.add_keys):
        batch.insert(tables.case_keys, (value, kind, change.test, change.case_id), "ignore")
    for document_type, document in change.documents.items():
        message = messages.get((change.case_id, document_type))
        if message is not None and message.document == document:
            row: tuple[Any, ...] = (change.case_id, document_type, None, message.id)
        else:
            row = (change.case_id, document_type, pack_json(document), "")
        batch.insert(tables.case_documents, row, "replace")
    batch.insert(tables.case_partners, (change.case_id, change.partner_id), "ignore")


def pack_standing(tracks: Mapping[str, str], left: Mapping[str, str]) -> str:
    """Where a case stands as its row keeps it: JSON, the state by track, with the one it left where it may return."""
    return to_json({track: [state, left[track]] if track in left else state for track, state in tracks.items()})


def unpack_standing(value: str) -> tuple[dict[str, str], dict[str, str]]:
    """The state by track, and the one left by track, that `pack_standing` was given."""
    held = {track: state if isinstance(state, list) else [state] for track, state in from_json(value).items()}
    return {t: states[0] for t, states in held.items()}, {t: states[1] for t, states in held.items() if states[1:]}


def _event_row(event: CaseEvent) -> tuple[Any, ...]:
    return (
        event.case_id,
        to_time(event.at),
        event.kind,
        event.text,
        event.partner_id,
        event.message_id,
        event.delivery_id,
        to_json(event.details),
    )


def documents(connection: Connection, case_ids: Iterable[str]) -> Iterable[tuple[str, str, Any]]:
    """(case id, document type, document) of all documents of these cases."""
    for row in connection.execute(_with_source().where(among(_documents.case_id, case_ids))):
        yield row.case_id, row.document_type, unpack_json(_kept(row))


def _with_source() -> Select[Any]:
    """Documents of cases, each with the document of the message it is kept with."""
    return select(tables.case_documents, _messages.document.label("taken")).outerjoin(
        tables.messages, _messages.id == _documents.message_id
    )


def _kept(row: Row[Any]) -> bytes:
    kept: bytes = row.taken if row.document is None else row.document
    return kept


def own_documents(connection: Connection, payload_ids: Iterable[str]) -> None:
    """Give cases the documents that they have from messages of these payloads, before the messages change or go."""
    payload_ids = list(payload_ids)
    of_these = among(_messages.payload_id, payload_ids)
    messages, cases = select(_messages.id).where(of_these), select(_messages.case_id).where(of_these)
    taken = select(_messages.document).where(_messages.id == _documents.message_id).scalar_subquery()
    connection.execute(
        update(tables.case_documents)
        .where(_documents.case_id.in_(cases), _documents.message_id.in_(messages))
        .values(document=taken, message_id="")
    )
