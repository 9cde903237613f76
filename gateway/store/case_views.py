"""Cases as people and partners read them: found by any number, the newest first, each with a piece of its timeline.

A case may hold thousands of messages, and a number may name thousands of cases. Both are read from the newest
backwards, and no further than asked.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    Connection,
    Integer,
    Row,
    Select,
    bindparam,
    func,
    select,
    tuple_,
)

from gateway.errors import NotFound
from gateway.model import Case, CaseEvent, Receipt
from gateway.store import facts, log, own_cases, tables
from gateway.store.contract import CASES, CasePage, CasePlace, CaseView
from gateway.store.deliveries import attempt_from, delivery_from
from gateway.store.sql import among, from_json, from_time
from gateway.store.views import BRIEF_MESSAGE, fitting, message_from

FINDINGS_ROOM = 2 * 1024 * 1024
"""Bytes of findings on a page of cases, in equal parts of all the messages that it may have: of a hundred messages of one
case 20 KB each, which are some eighty findings. Of a message with more the number is told."""

DOCUMENTS_ROOM = 256 * 1024
"""Bytes of documents, packed, by which a page of cases ends: one or two megabytes of JSON."""

_documents = tables.case_documents.c
_messages, _events, _attempts = tables.messages.c, tables.case_events.c, tables.attempts.c


def cases(connection: Connection, key: str, partner_id: str, after: str, limit: int, test: bool) -> CasePage:
    """Cases by id or any business key, the newest first; only those `partner_id` takes part in, unless it is empty."""
    ids, stood = own_cases.find_ids(connection, key, partner_id, after, test=test)
    weights = _read_weights(connection, ids[:CASES])
    page = ids[: min(CASES, fitting((weights[id_] for id_ in ids[:CASES]), DOCUMENTS_ROOM))]
    found = facts.read_cases(connection, page)
    views = _read_views(connection, [found[id_] for id_ in page if id_ in found], _NEWEST, limit, weights)
    # Where the walk ended before it came to the end, the next page begins where it stood.
    return CasePage(views, page[-1] if len(ids) > len(page) else stood)


def earlier(
    connection: Connection, case_id: str, partner_id: str, place: CasePlace, limit: int, test: bool
) -> CaseView:
    """An older piece of a case's timeline."""
    ids = own_cases.find_by_id(connection, case_id, partner_id, test=test)
    if not ids:
        raise NotFound(case_id=case_id)
    weights = _read_weights(connection, ids)
    (view,) = _read_views(connection, list(facts.read_cases(connection, ids).values()), place, limit, weights)
    return view


_LAST = 2**62
_NEWEST = CasePlace(_LAST, _LAST, 2**31 - 1, _LAST)


# Statements are made once, since a page of cases takes some of them for each.
_OLDER_EVENTS = (
    select(tables.case_events)
    .where(_events.case_id == bindparam("case"), _events.id < bindparam("event"))
    .order_by(_events.id.desc())
    .limit(bindparam("most", type_=Integer))
)
_OLDER_MESSAGES = (
    select(*BRIEF_MESSAGE)
    .where(
        _messages.case_id == bindparam("case"),
        _messages.case_id != "",  # said so that the partial index serves
        tuple_(_messages.at, _messages.number)
        < tuple_(bindparam("at", type_=_messages.at.type), bindparam("number", type_=_messages.number.type)),
    )
    .order_by(_messages.at.desc(), _messages.number.desc())
    .limit(bindparam("most", type_=Integer))
)
_DELIVERIES = (tables.deliveries, tables.deliveries_done)
_OLDER_DELIVERIES = tuple(
    select(table)
    .where(table.c.case_id == bindparam("case"), table.c.sequence < bindparam("delivery"))
    .order_by(table.c.sequence.desc())
    .limit(bindparam("most", type_=Integer))
    for table in _DELIVERIES
)
_DELIVERIES_BY_ID = tuple(select(table).where(among.named(table.c.id, "ids")) for table in _DELIVERIES)
_ATTEMPTS = (
    select(tables.attempts)
    .where(among.named(_attempts.delivery_id, "ids"))
    .order_by(_attempts.delivery_id, _attempts.number)
    .limit(bindparam("most", type_=Integer))
)
_TRIED = 10
"""Attempts that are shown for each delivery of a page, taken together: hardly any has as many."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """Rows in order, and whether there are older ones."""

    rows: list[Row[Any]]
    more: bool


@dataclass(frozen=True, slots=True)
class _Timeline:
    """One case's piece of a timeline, as rows."""

    case: Case
    events: _Piece
    messages: _Piece
    deliveries: _Piece

    @property
    def spoken_of(self) -> set[str]:
        """Ids of deliveries that its events name and that are not in the piece themselves."""
        return {row.delivery_id for row in self.events.rows} - {row.id for row in self.deliveries.rows} - {""}

    @property
    def subjects(self) -> set[str]:
        """Ids of whatever in it there may be receipts about."""
        messages = self.messages.rows
        return {
            self.case.id,
            *(row.id for row in self.deliveries.rows),
            *(row.id for row in messages),
            *(row.payload_id for row in messages),
        }


def _read_weights(connection: Connection, ids: Sequence[str]) -> Counter[str]:
    """Bytes of the documents of some cases as they are kept, by case; none of those that are not there."""
    if not ids:
        return Counter()
    return Counter({row.case_id: row.weight for row in connection.execute(_WEIGHTS, {"ids": list(ids)})})


_WEIGHTS = (
    select(
        _documents.case_id,
        func.sum(func.length(func.coalesce(_documents.document, _messages.document))).label("weight"),
    )
    .outerjoin(tables.messages, _messages.id == _documents.message_id)
    .where(among.named(_documents.case_id, "ids"))
    .group_by(_documents.case_id)
)


def _read_views(
    connection: Connection, found: Sequence[Case], place: CasePlace, limit: int, weights: Mapping[str, int]
) -> tuple[CaseView, ...]:
    """Each case with what is older than `place`, `limit` of each kind of thing at most."""
    room = FINDINGS_ROOM // max(1, limit * len(found))
    timelines = [_read_timeline(connection, case, place, limit, room) for case in found]
    shown = {row.id for timeline in timelines for row in timeline.deliveries.rows}
    attempts: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in connection.execute(_ATTEMPTS, {"ids": list(shown), "most": _TRIED * limit * len(timelines)}):
        attempts[row.delivery_id].append(row)
    spoken_of = _read_deliveries(connection, set().union(*(timeline.spoken_of for timeline in timelines)))
    receipts: dict[str, list[Receipt]] = defaultdict(list)
    for receipt in log.receipts_of(connection, set().union(*(timeline.subjects for timeline in timelines))):
        receipts[receipt.subject_id].append(receipt)
    views = (_view(timeline, place, attempts, spoken_of, receipts) for timeline in timelines)
    return tuple(replace(view, weight=int(weights[view.id])) for view in views)


def _view(
    timeline: _Timeline,
    place: CasePlace,
    attempts: Mapping[str, Sequence[Row[Any]]],
    spoken_of: Mapping[str, Row[Any]],
    receipts: Mapping[str, Sequence[Receipt]],
) -> CaseView:
    """A case with its piece of timeline; of the attempts, deliveries and receipts of all cases those that are its own."""
    case, events, messages, deliveries = timeline.case, timeline.events, timeline.messages, timeline.deliveries
    more = events.more or messages.more or deliveries.more
    own = (receipt for subject in timeline.subjects for receipt in receipts.get(subject, ()))
    return CaseView(
        id=case.id,
        version=case.version,
        status=case.status,
        partner_id=case.partner_id,
        test=case.test,
        keys=case.keys,
        documents=case.documents,
        kind=case.kind,
        tracks=case.tracks,
        events=tuple(_event_from(row) for row in events.rows),
        messages=tuple(message_from(row) for row in messages.rows),
        deliveries=tuple(delivery_from(row) for row in deliveries.rows),
        attempts=tuple(attempt_from(row, made.sha256) for made in deliveries.rows for row in attempts.get(made.id, ())),
        receipts=tuple(sorted(own, key=lambda receipt: receipt.index)),
        spoken_of=tuple(delivery_from(spoken_of[id_]) for id_ in sorted(timeline.spoken_of & spoken_of.keys())),
        earlier=CasePlace(
            event=events.rows[0].id if events.rows else place.event,
            at=messages.rows[0].at if messages.rows else place.at,
            number=messages.rows[0].number if messages.rows else place.number,
            delivery=deliveries.rows[0].sequence if deliveries.rows else place.delivery,
        )
        if more
        else None,
    )


def _read_timeline(connection: Connection, case: Case, place: CasePlace, limit: int, room: int) -> _Timeline:
    """The piece of a case's timeline that is older than `place`, with the findings of messages that have little `room`."""
    asked = {
        "case": case.id,
        "event": place.event,
        "at": place.at,
        "number": place.number,
        "delivery": place.delivery,
        "most": limit + 1,
        "room": room,
    }
    events = _read_piece(connection, _OLDER_EVENTS, asked, ("id",), limit)
    messages = _read_piece(connection, _OLDER_MESSAGES, asked, ("at", "number"), limit)
    pieces = [_read_piece(connection, query, asked, ("sequence",), limit) for query in _OLDER_DELIVERIES]
    rows = sorted((row for piece in pieces for row in piece.rows), key=lambda row: row.sequence)
    deliveries = _Piece(rows[-limit:], more=len(rows) > limit or any(piece.more for piece in pieces))
    return _Timeline(case, events, messages, deliveries)


def _read_piece(
    connection: Connection, query: Select[Any], asked: Mapping[str, Any], order: Sequence[str], limit: int
) -> _Piece:
    """The last `limit` rows of a query that begins with the last. Rows that stand at the same place are not parted."""
    rows = list(connection.execute(query, asked))
    if len(rows) <= limit:
        return _Piece(rows[::-1], more=False)
    beyond = _place_of(rows.pop(), order)
    kept = [row for row in rows if _place_of(row, order) != beyond] or rows
    return _Piece(kept[::-1], more=True)


def _place_of(row: Row[Any], names: Iterable[str]) -> tuple[Any, ...]:
    return tuple(row._mapping[name] for name in names)  # noqa: SLF001 - the documented way to a row's columns by name


def _read_deliveries(connection: Connection, ids: Iterable[str]) -> dict[str, Row[Any]]:
    """Deliveries by id, hot and done."""
    wanted = list(ids)
    if not wanted:
        return {}
    return {row.id: row for query in _DELIVERIES_BY_ID for row in connection.execute(query, {"ids": wanted})}


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
