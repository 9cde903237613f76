"""What people and partners read: payloads and their messages, feeds, deliveries, and how much waits.

Everything here is read in pages, with a number of statements that does not depend on how much there is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Row,
    Select,
    Table,
    bindparam,
    case,
    func,
    literal_column,
    select,
    union_all,
)

from gateway.errors import Archived, NotFound
from gateway.model import (
    Delivery,
    DeliveryKind,
    DeliveryState,
    FeedEntry,
    Finding,
    MessageState,
    Payload,
    PayloadState,
    Place,
    Severity,
    Syntax,
)
from gateway.store import log, retention, tables
from gateway.store.bodies import BodyFiles, Wanted, check_not_archived, find_kept, read_bodies, small_bodies
from gateway.store.contract import (
    ANYONE,
    COUNTED,
    VERDICTS,
    Kept,
    MessageRecord,
    PayloadLine,
    PayloadView,
    Pressure,
    Standing,
    Viewer,
)
from gateway.store.deliveries import delivery_from
from gateway.store.payloads import payload_from, payloads_from, read_progress
from gateway.store.sql import among, from_json, from_time, listed_in, matching, maybe_from_time, unpack_json

_payloads, _messages, _feed = tables.payloads.c, tables.messages.c, tables.feed.c
_hot, _done = tables.deliveries, tables.deliveries_done


# Payloads and messages.

FIRST_MESSAGES = 5
"""Messages told of each payload in a list: what fits a line."""
_WITHOUT_DOCUMENT = [column for column in tables.messages.columns if column.name != "document"]
_short = func.length(_messages.findings) <= bindparam("room", type_=Integer)
BRIEF_MESSAGE: list[ColumnElement[Any]] = [
    *(column for column in _WITHOUT_DOCUMENT if column.name != "findings"),
    case((_short, _messages.findings), else_="[]").label("findings"),
    case((_short, 0), else_=listed_in(_messages.findings)).label("untold"),
]
"""A message without its document; its findings, as they are kept, where they have no more bytes than `room`, else their
number."""
_LINE_ROOM = 4096
"""Bytes of findings of each message in a list: a few lines of them."""


MOST_BODIES = 1024 * 1024
"""Bytes of acknowledgements and the like that are read for one view: a hundred of ten thousand signs."""
_BODIES_AT_ONCE = 32
"""Bodies that are read at once while there is room: two megabytes at most."""


def payload(
    connection: Connection,
    files: BodyFiles | None,
    payload_id: str,
    after: int | None,
    limit: int,
    seen_by: Viewer,
    most: int = 0,
) -> PayloadView:
    """One payload with a page of its messages and all that became of these.

    What belongs to no message of the payload, such as its first receipt, is on the first page.
    """
    row = _payload_row(connection, payload_id, seen_by)
    columns = _WITHOUT_DOCUMENT if files is None else list(tables.messages.columns)
    where = [_messages.payload_id == payload_id, _messages.parent_id == ""]
    if after is not None:
        where.append(_messages.number > after)
    if most:
        lengths = select(func.length(_messages.findings)).where(*where).order_by(_messages.number).limit(limit)
        limit = fitting(connection.execute(lengths).scalars(), most)
    query = select(*columns).where(*where).order_by(_messages.number)
    found = [message_from(one) for one in connection.execute(query.limit(limit + 1))]
    messages, more = found[:limit], len(found) > limit
    of_payload = [payload_id] if after is None else []
    ids = [one.id for one in messages]
    delivery_rows = _deliveries_of(connection, payload_id, [*ids, *([""] if of_payload else [])])
    offered_rows = _offered_rows(connection, row.partner_id, ids)
    wanted = [Wanted(one.id, one.sha256) for one in delivery_rows if files or one.kind in _ANSWERS]
    wanted += [Wanted(one.document_id, one.sha256) for one in offered_rows]
    bodies = read_bodies(connection, files, wanted) if files is not None else _some_bodies(connection, wanted)
    subjects = [*of_payload, *ids, *(one.id for one in delivery_rows)]
    standing = Standing(row.state)
    return PayloadView(
        payload=payload_from(row) if files is None else payloads_from(connection, files, [row])[row.id],
        state=PayloadState.FAILED if row.failed else standing.payload_state,
        failed=row.failed,
        messages=tuple(messages),
        deliveries=tuple(delivery_from(one, bodies.get(one.sha256, b"")) for one in delivery_rows),
        receipts=tuple(log.receipts_of(connection, subjects)),
        offered=tuple(_entry_from(one, bodies.get(one.sha256, b"")) for one in offered_rows),
        standing=standing,
        next=messages[-1].number if more else None,
        progress=read_progress(connection, payload_id) if standing is Standing.RECEIVED else None,
    )


def fitting(sizes: Iterable[int], most: int) -> int:
    """How many of some sizes there are up to the first by which they are more than `most`; one where there are none."""
    count = whole = 0
    for size in sizes:
        count, whole = count + 1, whole + size
        if whole > most:
            break
    return max(count, 1)


def _some_bodies(connection: Connection, wanted: Sequence[Wanted]) -> dict[str, bytes]:
    """Small bodies by digest, in order, as many as there is room for."""
    found: dict[str, bytes] = {}
    room = MOST_BODIES
    for first in range(0, len(wanted), _BODIES_AT_ONCE):
        for sha256, body in small_bodies(connection, wanted[first : first + _BODIES_AT_ONCE]).items():
            if sha256 not in found and (room := room - len(body)) >= 0:
                found[sha256] = body
        if room <= 0:
            break
    return found


_ANSWERS = frozenset({DeliveryKind.ACKNOWLEDGEMENT.value, DeliveryKind.RESPONSE.value})


def _payload_row(connection: Connection, payload_id: str, seen_by: Viewer = ANYONE) -> Row[Any]:
    query = select(tables.payloads).where(_payloads.id == payload_id)
    row = connection.execute(_seen(query, tables.payloads, seen_by)).one_or_none()
    if row is None:
        raise NotFound(payload_id=payload_id)
    return row


def sent_by(connection: Connection, partner_id: str, payload_id: str, message_id: str) -> bool:
    """Whether `partner_id` sent the payload, or the piece of evidence of that id, or the message."""
    payload = select(_payloads.id).where(_payloads.id == payload_id, _payloads.partner_id == partner_id)
    message = select(_messages.id).where(_messages.id == message_id, _messages.partner_id == partner_id)
    exhibits = tables.exhibits.c
    exhibit = select(exhibits.id).where(exhibits.id == payload_id, exhibits.partner_id == partner_id)
    return connection.execute(union_all(payload, message, exhibit).limit(1)).first() is not None


def _seen(query: Select[Any], table: Table, viewer: Viewer) -> Select[Any]:
    """`query` of a table, cut to what `viewer` may see."""
    if viewer.partner_id:
        query = query.where(table.c.partner_id == viewer.partner_id)
    return query.where(table.c.test) if viewer.test_only else query


def original(connection: Connection, files: BodyFiles | None, payload_id: str) -> Payload:
    """A payload as it came; without `files`, without its body. Archived where that was moved to an archive."""
    row = _payload_row(connection, payload_id)
    if files is None:
        return payload_from(row)
    found = payloads_from(connection, files, [row])[row.id]
    if not found.path and len(found.body) != found.size:
        check_not_archived(connection, Wanted(row.id, row.sha256))
    return found


def message(connection: Connection, message_id: str, *, document: bool) -> MessageRecord:
    """One message, with its document where that is asked for."""
    columns = list(tables.messages.columns) if document else _WITHOUT_DOCUMENT
    row = connection.execute(select(*columns).where(_messages.id == message_id)).one_or_none()
    if row is None:
        raise NotFound(message_id=message_id)
    return message_from(row)


def payloads(
    connection: Connection, partner_id: str, state: str, after: str, limit: int, test: bool | None
) -> list[PayloadLine]:
    """Payloads, newest first, each with its first messages.

    Each traffic and each state has an index of its own in the order of arrival, and what is asked for is the newest
    of one or several of them: none is walked further than the page is long.
    """
    before = None
    if after:
        # Behind a payload that is not listed there is nothing, as behind one that is not there.
        viewer = Viewer(partner_id, test_only=test is True)
        place = _seen(select(_payloads.arrival).where(_payloads.id == after), tables.payloads, viewer)
        before = connection.execute(place).scalar()
        if before is None:
            return []
    states: Sequence[str | None] = {"": [None], PayloadState.PROCESSED.value: VERDICTS}.get(state, [state])
    parts = []
    for traffic in (False, True) if test is None else (test,):
        for standing in states:
            query = select(tables.payloads).where(_payloads.test == traffic)
            if partner_id:
                query = query.where(_payloads.partner_id == partner_id)
            if standing is not None:
                query = query.where(_payloads.state == str(standing))
            if before is not None:
                query = query.where(_payloads.arrival < before)
            parts.append(query.order_by(_payloads.arrival.desc()).limit(limit).subquery())
    every = union_all(*(select(part) for part in parts)).subquery()
    rows = connection.execute(select(every).order_by(every.c.arrival.desc()).limit(limit)).all()
    first = select(*BRIEF_MESSAGE).where(
        among(_messages.payload_id, [row.id for row in rows]),
        _messages.number <= FIRST_MESSAGES,
        _messages.parent_id == "",
    )
    messages: dict[str, list[MessageRecord]] = defaultdict(list)
    for row in connection.execute(first.order_by(_messages.payload_id, _messages.number), {"room": _LINE_ROOM}):
        messages[row.payload_id].append(message_from(row))
    return [PayloadLine(payload_from(row), Standing(row.state), row.failed, tuple(messages[row.id])) for row in rows]


def _offered_rows(connection: Connection, sender: str, message_ids: Sequence[str]) -> list[Row[Any]]:
    """What the sender of some messages may fetch about them, in order."""
    own_feed = _feed.feed == literal_column("'inbox'")  # as the partial index says it: a parameter would not do
    rows = connection.execute(select(tables.feed).where(own_feed, among(_feed.message_id, message_ids)))
    return sorted((row for row in rows if row.partner_id == sender), key=lambda row: row.sequence)


def _deliveries_of(connection: Connection, payload_id: str, message_ids: Sequence[str]) -> list[Row[Any]]:
    """Deliveries made of some messages of a payload, hot, staged and done, in the order of their sequence."""
    rows: list[Row[Any]] = []
    for table in (_hot, _done):
        key = (table.c.payload_id, table.c.message_id)
        rows += connection.execute(select(table).where(matching(key, [(payload_id, one) for one in message_ids])))
    staged = tables.staged_deliveries
    key = (staged.c.payload_id, staged.c.message_id)
    rows += connection.execute(select(staged).where(matching(key, [(payload_id, one) for one in message_ids])))
    return sorted(rows, key=lambda row: (row.sequence, row.id))


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
        document=_document(row),
        findings=tuple(_finding_from(one) for one in from_json(row.findings)),
        untold=row._mapping.get("untold", 0),  # noqa: SLF001 - the documented way to a row's columns by name
        case_id=row.case_id,
        test=row.test,
        schema_digest=row.schema_digest,
        mapping_digest=row.mapping_digest,
        parent_id=row.parent_id,
    )


def _document(row: Row[Any]) -> Any:
    """A message's document; None of a row that was read without it."""
    kept = row._mapping.get("document")  # noqa: SLF001 - the documented way to a row's columns by name
    return None if kept is None else unpack_json(kept)


def _finding_from(fields: Mapping[str, Any]) -> Finding:
    return Finding(
        fields["code"], Severity(fields["severity"]), Place(**fields["place"]), fields["value"], fields["args"]
    )


# Deliveries.


def deliveries(
    connection: Connection, partner_id: str, state: str, limit: int, after: str, *, oldest_first: bool = False
) -> list[Delivery]:
    """Deliveries by state, the newest or the oldest first, without bodies."""
    before = _sequence_of(connection, after, partner_id) if after else None
    if after and before is None:
        return []
    rows: list[Row[Any]] = []
    for table in (_hot, _done):
        order = table.c.sequence if oldest_first else table.c.sequence.desc()
        query = select(table).order_by(order).limit(limit)
        if state:
            query = query.where(table.c.state == state)
        if partner_id:
            query = query.where(table.c.partner_id == partner_id)
        if before is not None:
            query = query.where(table.c.sequence > before if oldest_first else table.c.sequence < before)
        rows += connection.execute(query)
    rows.sort(key=lambda row: row.sequence, reverse=not oldest_first)
    return [delivery_from(row) for row in rows[:limit]]


def _sequence_of(connection: Connection, delivery_id: str, partner_id: str) -> int | None:
    """The place of a delivery; of another's than the partner that asks, where one does, as of none that is there."""
    parts = [
        select(table.c.sequence).where(
            table.c.id == delivery_id, *((table.c.partner_id == partner_id,) if partner_id else ())
        )
        for table in (_hot, _done)
    ]
    return connection.execute(union_all(*parts)).scalar()


def delivery(connection: Connection, files: BodyFiles, delivery_id: str, seen_by: Viewer = ANYONE) -> Delivery:
    """One delivery with its body."""
    row = _delivery_row(connection, delivery_id, seen_by)
    return delivery_from(row, read_bodies(connection, files, [Wanted(row.id, row.sha256)])[row.sha256])


def delivery_kept(connection: Connection, files: BodyFiles, delivery_id: str, seen_by: Viewer) -> tuple[Delivery, Kept]:
    """One delivery, and its body as it is kept."""
    row = _delivery_row(connection, delivery_id, seen_by)
    return delivery_from(row), find_kept(connection, files, Wanted(row.id, row.sha256))


def _delivery_row(connection: Connection, delivery_id: str, seen_by: Viewer) -> Row[Any]:
    rows = [
        row
        for table in (_hot, _done)
        for row in connection.execute(_seen(select(table).where(table.c.id == delivery_id), table, seen_by))
    ]
    if not rows:
        if archive := retention.seen_archive(connection, retention.DELIVERY, delivery_id, seen_by):
            raise Archived.of(archive)
        raise NotFound(delivery_id=delivery_id)
    return max(rows, key=lambda row: row.sequence)


def delivery_by_reference(connection: Connection, files: BodyFiles, partner_id: str, reference: str) -> Delivery | None:
    """The newest delivery to a partner that carries `reference`, with its body."""
    rows: list[Row[Any]] = []
    for table in (_hot, _done):
        query = select(table).where(table.c.partner_id == partner_id, table.c.reference == reference)
        # Said again, so that the partial index serves.
        query = query.where(table.c.reference != "").order_by(table.c.sequence.desc()).limit(1)
        rows += connection.execute(query)
    return _newest(connection, files, rows)


_SENT = ("sending", "awaiting", "delivered", "relayed", "answered")
"""States in which a recipient may have a delivery: its answer can overtake the end of our own attempt."""


def sent_delivery(
    connection: Connection, files: BodyFiles, case_id: str, partner_id: str, document_type: str, test: bool
) -> Delivery | None:
    """The newest delivery of such a document of a case that the partner may have, with its body."""
    rows: list[Row[Any]] = []
    for table in (_hot, _done):
        query = select(table).where(
            table.c.case_id == case_id, table.c.partner_id == partner_id, table.c.document_type == document_type
        )
        query = query.where(table.c.state.in_(_SENT), table.c.test == test)
        rows += connection.execute(query.order_by(table.c.sequence.desc()).limit(1))
    return _newest(connection, files, rows)


def _newest(connection: Connection, files: BodyFiles, rows: Sequence[Row[Any]]) -> Delivery | None:
    if not rows:
        return None
    newest = max(rows, key=lambda row: row.sequence)
    return delivery_from(newest, read_bodies(connection, files, [Wanted(newest.id, newest.sha256)])[newest.sha256])


# Feeds.


def feed(
    connection: Connection,
    name: str,
    partner_id: str,
    after: int,
    limit: int,
    test: bool,
    audiences: Collection[str] = (),
) -> list[FeedEntry]:
    """Entries with sequence > `after`, in order: everyone's, `partner_id`'s own and its audiences'; all where it is empty."""
    query = select(tables.feed).where(_feed.feed == name, _feed.test == test, _feed.sequence > after)
    query = query.order_by(_feed.sequence).limit(limit)
    if not partner_id:
        return [_entry_from(row) for row in connection.execute(query)]
    # One after the other, because each is a plain walk along the index by partner.
    owners = dict.fromkeys(("", partner_id, *audiences))
    rows = [row for owner in owners for row in connection.execute(query.where(_feed.partner_id == owner))]
    rows = sorted(rows, key=lambda row: row.sequence)[:limit]
    # What is addressed to several of the reader's audiences is one document.
    first = {(row.document_id, row.sha256): row for row in reversed(rows)}
    return [_entry_from(row) for row in rows if first[row.document_id, row.sha256] is row]


def feed_end(connection: Connection, name: str, test: bool) -> int:
    """The newest entry's sequence number, 0 where there is none."""
    newest = select(func.max(_feed.sequence)).where(_feed.feed == name, _feed.test == test)
    return connection.execute(newest).scalar() or 0


def feed_entry(
    connection: Connection,
    files: BodyFiles,
    name: str,
    partner_id: str,
    sequence: int,
    test: bool,
    audiences: Collection[str] = (),
) -> FeedEntry:
    """One entry with its body."""
    row = _entry_row(connection, name, partner_id, sequence, test, audiences)
    return _entry_from(row, read_bodies(connection, files, [Wanted(row.document_id, row.sha256)])[row.sha256])


def feed_entry_kept(
    connection: Connection,
    files: BodyFiles,
    name: str,
    partner_id: str,
    sequence: int,
    test: bool,
    audiences: Collection[str] = (),
) -> tuple[FeedEntry, Kept]:
    """One entry, and its body as it is kept."""
    row = _entry_row(connection, name, partner_id, sequence, test, audiences)
    return _entry_from(row), find_kept(connection, files, Wanted(row.document_id, row.sha256))


def _entry_row(
    connection: Connection, name: str, partner_id: str, sequence: int, test: bool, audiences: Collection[str]
) -> Row[Any]:
    query = select(tables.feed).where(_feed.feed == name, _feed.test == test, _feed.sequence == sequence)
    row = connection.execute(query).one_or_none()
    readers = {"", partner_id, *audiences}
    if row is not None and (not partner_id or row.partner_id in readers):
        return row
    # Of another's entry it is asked as of one that is not there: nobody is to tell them apart by what they cost.
    archive = retention.entry_archive(connection, name, sequence, readers if partner_id else (), test=test)
    raise Archived.of(archive) if archive and row is None else NotFound(feed=name, sequence=sequence)


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
    inbox = tables.inbox.c
    payloads_waiting, oldest = connection.execute(
        select(func.count(), func.min(inbox.received_at)).where(inbox.lease_until < tables.HELD_LEASE)
    ).one()
    payloads_held = connection.execute(select(func.count()).where(inbox.lease_until == tables.HELD_LEASE)).scalar_one()
    dead = _counted(connection, select(_hot.c.sequence).where(_hot.c.state == DeliveryState.DEAD.value))
    held = _counted(connection, select(_hot.c.sequence).where(_hot.c.state == DeliveryState.HELD.value))
    awaiting = _counted(connection, select(_hot.c.sequence).where(_hot.c.state == DeliveryState.AWAITING.value))
    waiting = _counted(connection, select(_hot.c.sequence)) - dead - held - awaiting
    oldest_at = maybe_from_time(oldest)
    return Pressure(payloads_waiting, max(0, waiting), dead, oldest_at, payloads_held, held, awaiting)


def _counted(connection: Connection, rows: Select[Any]) -> int:
    """How many rows there are, as far as they are counted."""
    return connection.execute(select(func.count()).select_from(rows.limit(COUNTED).subquery())).scalar_one()
