"""What people and partners read: payloads, cases with their timelines, feeds, deliveries, and how much waits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, select, union_all

from gateway.errors import NotFound
from gateway.model import (
    CaseEvent,
    Delivery,
    DeliveryState,
    FeedEntry,
    Finding,
    MessageState,
    PayloadState,
    Place,
    Receipt,
    Severity,
    Syntax,
)
from gateway.store import facts, log, tables
from gateway.store.bodies import BodyFiles, read_bodies
from gateway.store.contract import CaseView, MessageRecord, PayloadView, Pressure
from gateway.store.deliveries import attempt_from, delivery_from
from gateway.store.payloads import payload_from, payloads_from
from gateway.store.sql import among, from_json, from_time, maybe_from_time

_payloads, _messages, _feed = tables.payloads.c, tables.messages.c, tables.feed.c
_hot, _done = tables.deliveries, tables.deliveries_done


# Payloads and messages.


def payload(connection: Connection, files: BodyFiles, payload_id: str) -> PayloadView:
    """One payload with all that became of it, bodies included."""
    row = connection.execute(select(tables.payloads).where(_payloads.id == payload_id)).one_or_none()
    if row is None:
        raise NotFound(payload_id=payload_id)
    return _payload_views(connection, [row], files)[0]


def payloads(connection: Connection, partner_id: str, state: str, after: str, limit: int) -> list[PayloadView]:
    """Payloads, newest first, without bodies."""
    query = select(tables.payloads).order_by(_payloads.arrival.desc()).limit(limit)
    if partner_id:
        query = query.where(_payloads.partner_id == partner_id)
    if state:
        query = query.where(_payloads.state == state)
    if after:
        query = query.where(
            _payloads.arrival < select(_payloads.arrival).where(_payloads.id == after).scalar_subquery()
        )
    return _payload_views(connection, connection.execute(query).all(), None)


def _payload_views(connection: Connection, rows: Sequence[Row[Any]], files: BodyFiles | None) -> list[PayloadView]:
    ids = [row.id for row in rows]
    query = select(tables.messages).where(among(_messages.payload_id, ids)).order_by(_messages.number)
    messages: dict[str, list[MessageRecord]] = defaultdict(list)
    for row in connection.execute(query):
        messages[row.payload_id].append(message_from(row))
    delivery_rows = _delivery_rows(connection, "payload_id", ids)
    offered_rows = _offered_rows(connection, rows, messages)
    digests = {row.sha256 for row in (*delivery_rows, *(entry for _, entry in offered_rows))}
    bodies = read_bodies(connection, files, digests) if files is not None else {}
    sent = payloads_from(connection, files, rows) if files is not None else {}
    deliveries: dict[str, list[Delivery]] = defaultdict(list)
    for row in delivery_rows:
        deliveries[row.payload_id].append(delivery_from(row, bodies.get(row.sha256, b"")))
    offered: dict[str, list[FeedEntry]] = defaultdict(list)
    for id_, entry in offered_rows:
        offered[id_].append(_entry_from(entry, bodies.get(entry.sha256, b"")))
    receipts = _receipts_by(connection, {id_: [id_, *_ids(messages[id_]), *_ids(deliveries[id_])] for id_ in ids})
    return [
        PayloadView(
            sent[row.id] if files is not None else payload_from(row),
            PayloadState(row.state),
            row.failed,
            tuple(messages[row.id]),
            tuple(deliveries[row.id]),
            tuple(receipts[row.id]),
            tuple(offered[row.id]),
        )
        for row in rows
    ]


def _offered_rows(
    connection: Connection, payload_rows: Sequence[Row[Any]], messages: Mapping[str, Sequence[MessageRecord]]
) -> list[tuple[str, Row[Any]]]:
    """(payload id, entry) of what the senders of payloads may fetch about them, in order."""
    sender = {row.id: row.partner_id for row in payload_rows}
    payload_of = {message.id: id_ for id_, found in messages.items() for message in found}
    query = select(tables.feed).where(among(_feed.message_id, payload_of)).order_by(_feed.sequence)
    return [
        (payload_of[entry.message_id], entry)
        for entry in connection.execute(query)
        if entry.feed == "inbox" and entry.partner_id == sender[payload_of[entry.message_id]]
    ]


def _ids(things: Iterable[MessageRecord] | Iterable[Delivery]) -> list[str]:
    return [thing.id for thing in things]


def _receipts_by(connection: Connection, subjects: Mapping[str, Iterable[str]]) -> dict[str, list[Receipt]]:
    """Receipts, in log order, of everything that belongs to each owner."""
    owner = {subject: owner for owner, ids in subjects.items() for subject in ids}
    found: dict[str, list[Receipt]] = defaultdict(list)
    for receipt in log.receipts_of(connection, owner):
        found[owner[receipt.subject_id]].append(receipt)
    return found


def message_from(row: Row[Any]) -> MessageRecord:
    """The message of a row of its table."""
    return MessageRecord(
        id=row.id,
        payload_id=row.payload_id,
        number=row.number,
        partner_id=row.partner_id,
        syntax=Syntax(row.syntax),
        format=row.format,
        reference=row.reference,
        state=MessageState(row.state),
        at=from_time(row.at),
        interchange=row.interchange,
        document_type=row.document_type,
        document=None if row.document is None else from_json(row.document),
        findings=tuple(_finding_from(one) for one in from_json(row.findings)),
        case_id=row.case_id,
        test=row.test,
        schema_digest=row.schema_digest,
        mapping_digest=row.mapping_digest,
    )


def _finding_from(fields: Mapping[str, Any]) -> Finding:
    return Finding(
        fields["code"], Severity(fields["severity"]), Place(**fields["place"]), fields["value"], fields["args"]
    )


# Cases.


def case(connection: Connection, key: str, partner_id: str, test: bool) -> list[CaseView]:
    """Cases by id or any business key; only those `partner_id` takes part in, unless it is empty."""
    cases, keys, taking_part = tables.cases.c, tables.case_keys.c, tables.case_partners.c
    by_key = select(keys.case_id).where(keys.value == key, keys.test == test)
    by_id = select(cases.id).where(cases.id == key, cases.test == test)
    ids = set(connection.execute(union_all(by_key, by_id)).scalars())
    if partner_id and ids:
        own = select(taking_part.case_id).where(taking_part.partner_id == partner_id, among(taking_part.case_id, ids))
        ids = set(connection.execute(own).scalars())
    if not ids:
        return []
    messages = _grouped(connection, tables.messages, ids, _messages.at, _messages.number)
    events = _grouped(connection, tables.case_events, ids, tables.case_events.c.id)
    delivery_rows: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in _delivery_rows(connection, "case_id", ids):
        delivery_rows[row.case_id].append(row)
    delivery_ids = [row.id for rows in delivery_rows.values() for row in rows]
    attempts: dict[str, list[Row[Any]]] = defaultdict(list)
    tried = tables.attempts
    query = select(tried).where(among(tried.c.delivery_id, delivery_ids))
    for row in connection.execute(query.order_by(tried.c.started_at, tried.c.number)):
        attempts[row.delivery_id].append(row)
    receipts = _receipts_by(
        connection,
        {
            id_: [
                id_,
                *(row.id for row in messages[id_]),
                *{row.payload_id for row in messages[id_]},
                *(row.id for row in delivery_rows[id_]),
            ]
            for id_ in ids
        },
    )
    found = facts.read_cases(connection, ids)
    return [
        CaseView(
            id=one.id,
            version=one.version,
            status=one.status,
            partner_id=one.partner_id,
            test=one.test,
            keys=one.keys,
            documents=one.documents,
            events=tuple(_event_from(row) for row in events[one.id]),
            messages=tuple(message_from(row) for row in messages[one.id]),
            deliveries=tuple(delivery_from(row) for row in delivery_rows[one.id]),
            attempts=tuple(attempt_from(row) for made in delivery_rows[one.id] for row in attempts[made.id]),
            receipts=tuple(receipts[one.id]),
        )
        for _, one in sorted(found.items())
    ]


def _grouped(connection: Connection, table: Any, ids: Iterable[str], *order: Any) -> dict[str, list[Row[Any]]]:
    """Rows of a table by case, each case's in order."""
    grouped: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in connection.execute(select(table).where(among(table.c.case_id, ids)).order_by(*order)):
        grouped[row.case_id].append(row)
    return grouped


def _event_from(row: Row[Any]) -> CaseEvent:
    return CaseEvent(
        row.case_id,
        from_time(row.at),
        row.kind,
        row.text,
        row.partner_id,
        row.message_id,
        row.delivery_id,
        from_json(row.details),
    )


# Deliveries.


def _delivery_rows(connection: Connection, column: str, values: Iterable[str]) -> list[Row[Any]]:
    """Deliveries, hot, staged and done, in the order of their sequence."""
    wanted = list(values)
    tables_ = (_hot, _done, tables.staged_deliveries) if column == "payload_id" else (_hot, _done)
    rows: list[Row[Any]] = []
    for table in tables_:
        rows += connection.execute(select(table).where(among(table.c[column], wanted)))
    return sorted(rows, key=lambda row: (row.sequence, row.id))


def deliveries(connection: Connection, partner_id: str, state: str, limit: int) -> list[Delivery]:
    """Deliveries by state, newest first, without bodies."""
    rows: list[Row[Any]] = []
    for table in (_hot, _done):
        query = select(table).order_by(table.c.sequence.desc()).limit(limit)
        if state:
            query = query.where(table.c.state == state)
        if partner_id:
            query = query.where(table.c.partner_id == partner_id)
        rows += connection.execute(query)
    rows.sort(key=lambda row: -row.sequence)
    return [delivery_from(row) for row in rows[:limit]]


def delivery(connection: Connection, files: BodyFiles, delivery_id: str) -> Delivery:
    """One delivery with its body."""
    found = _with_body(connection, files, "id", delivery_id)
    if found is None:
        raise NotFound(delivery_id=delivery_id)
    return found


def delivery_by_reference(connection: Connection, files: BodyFiles, partner_id: str, reference: str) -> Delivery | None:
    """The newest delivery to a partner that carries `reference`, with its body."""
    return _with_body(connection, files, "reference", reference, partner_id)


def _with_body(
    connection: Connection, files: BodyFiles, column: str, value: str, partner_id: str = ""
) -> Delivery | None:
    rows: list[Row[Any]] = []
    for table in (_hot, _done):
        query = select(table).where(table.c[column] == value).order_by(table.c.sequence.desc()).limit(1)
        if partner_id:
            query = query.where(table.c.partner_id == partner_id)
        rows += connection.execute(query)
    if not rows:
        return None
    newest = max(rows, key=lambda row: row.sequence)
    return delivery_from(newest, read_bodies(connection, files, [newest.sha256])[newest.sha256])


# Feeds.


def feed(connection: Connection, name: str, partner_id: str, after: int, limit: int, test: bool) -> list[FeedEntry]:
    """Entries with sequence > `after`, in order: everyone's and `partner_id`'s own; all of them where it is empty."""
    query = select(tables.feed).where(_feed.feed == name, _feed.test == test, _feed.sequence > after)
    query = query.order_by(_feed.sequence).limit(limit)
    if not partner_id:
        return [_entry_from(row) for row in connection.execute(query)]
    # One after the other, because each is a plain walk along the index by partner.
    rows = [row for owner in ("", partner_id) for row in connection.execute(query.where(_feed.partner_id == owner))]
    return [_entry_from(row) for row in sorted(rows, key=lambda row: row.sequence)[:limit]]


def feed_end(connection: Connection, name: str, test: bool) -> int:
    """The newest entry's sequence number, 0 where there is none."""
    newest = select(func.max(_feed.sequence)).where(_feed.feed == name, _feed.test == test)
    return connection.execute(newest).scalar() or 0


def feed_entry(
    connection: Connection, files: BodyFiles, name: str, partner_id: str, sequence: int, test: bool
) -> FeedEntry:
    """One entry with its body."""
    query = select(tables.feed).where(_feed.feed == name, _feed.test == test, _feed.sequence == sequence)
    row = connection.execute(query).one_or_none()
    if row is None or (partner_id and row.partner_id not in {"", partner_id}):
        raise NotFound(feed=name, sequence=sequence)
    return _entry_from(row, read_bodies(connection, files, [row.sha256])[row.sha256])


def _entry_from(row: Row[Any], body: bytes = b"") -> FeedEntry:
    return FeedEntry(
        feed=row.feed,
        partner_id=row.partner_id,
        document_type=row.document_type,
        document_id=row.document_id,
        sha256=row.sha256,
        keys=from_json(row.keys),
        test=row.test,
        format=row.format,
        body=body,
        message_id=row.message_id,
        case_id=row.case_id,
        sequence=row.sequence,
        at=from_time(row.at),
    )


# How much waits.


def pressure(connection: Connection) -> Pressure:
    """How much waits."""
    dead = select(func.count()).select_from(_hot).where(_hot.c.state == DeliveryState.DEAD.value)
    waiting = select(func.count()).select_from(_hot)
    payloads_waiting, oldest = connection.execute(
        select(func.count(), func.min(tables.inbox.c.received_at)).select_from(tables.inbox)
    ).one()
    dead_count = connection.execute(dead).scalar_one()
    waiting_count = connection.execute(waiting).scalar_one() - dead_count
    return Pressure(payloads_waiting, waiting_count, dead_count, maybe_from_time(oldest))
