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
    ColumnElement,
    Connection,
    Integer,
    Row,
    ScalarSelect,
    Select,
    and_,
    bindparam,
    func,
    literal,
    or_,
    select,
    tuple_,
)

from gateway.errors import NotFound
from gateway.model import Case, CaseEvent, Receipt
from gateway.store import facts, log, tables
from gateway.store.contract import CASES, CasePage, CasePlace, CaseView
from gateway.store.deliveries import attempt_from, delivery_from
from gateway.store.sql import among, from_json, from_time
from gateway.store.views import BRIEF_MESSAGE, fitting, message_from

_KINDS = 10
"""Kinds of number that one value may be of in the same case; there are not so many."""

STEPS = 2_000
"""Steps that are taken through the caller's cases and those of a number for one page: some ten milliseconds. Only where a
number has thousands of cases that lie between as many of the caller's own is there no end by then."""

FINDINGS_ROOM = 2 * 1024 * 1024
"""Bytes of findings on a page of cases, in equal parts of all the messages that it may have: of a hundred messages of one
case 20 KB each, which are some eighty findings. Of a message with more the number is told."""

DOCUMENTS_ROOM = 256 * 1024
"""Bytes of documents, packed, by which a page of cases ends: one or two megabytes of JSON."""

_documents = tables.case_documents.c
_messages, _events, _attempts = tables.messages.c, tables.case_events.c, tables.attempts.c
_keys, _participants = tables.case_keys.c, tables.case_partners.c


def cases(connection: Connection, key: str, partner_id: str, after: str, limit: int, test: bool) -> CasePage:
    """Cases by id or any business key, the newest first; only those `partner_id` takes part in, unless it is empty."""
    named = [] if after else _by_id(connection, key, test)
    if partner_id:
        named = _taking_part(connection, named, partner_id)
    asked = {"key": key, "test": test, "partner": partner_id, "after": after, "steps": STEPS}
    rows = connection.execute(_NAMED[bool(partner_id), bool(after)], asked).all()
    ids = list(dict.fromkeys([*named, *(row.id for row in rows if row.found)]))  # a value may be of several kinds
    weights = _read_weights(connection, ids[:CASES])
    page = ids[: min(CASES, fitting((weights[id_] for id_ in ids[:CASES]), DOCUMENTS_ROOM))]
    found = facts.read_cases(connection, page)
    views = _read_views(connection, [found[id_] for id_ in page if id_ in found], _NEWEST, limit, weights)
    # Where the walk ended before it came to the end, the next page begins where it stood.
    left_off = rows[-1].id if rows and rows[-1].step == STEPS else ""
    return CasePage(views, page[-1] if len(ids) > len(page) else left_off)


def find_own_ids(connection: Connection, key: str, partner_id: str, test: bool) -> list[str]:
    """Ids of the newest cases of a number, or of that id, in which a partner takes part: CASES of them at most."""
    named = _taking_part(connection, _by_id(connection, key, test), partner_id)
    asked = {"key": key, "test": test, "partner": partner_id, "after": "", "steps": STEPS}
    rows = connection.execute(_NAMED[True, False], asked).all()
    return list(dict.fromkeys([*named, *(row.id for row in rows if row.found)]))[:CASES]


def _named(*, own: bool, after: bool) -> Select[Any]:
    """Ids of cases that a number finds, the newest first, one more than a page has; with `own` the caller's alone.

    The caller's cases and those of the number stand in one order, and are walked by turns: from the newest of the
    number to the next of the caller's that is no newer, from there to the next of the number, and so on. So cases of
    others are passed over by the thousand in one step, however many bear the number, and the walk ends where either
    ends, or after so many steps. It meets no row but the caller's own, so that no page can begin or end at another's.
    The last row may be one where the walk stood without having `found` a case.
    """
    before = [_keys.case_id < bindparam("after")] if after else []
    if not own:
        all_of_it = _of_number(*before).add_columns(literal(0).label("step"), literal(1).label("found"))
        return all_of_it.limit((CASES + 1) * _KINDS)
    first = select(_newest_own(_of_number(*before)).label("own"), literal(1).label("step"))
    walk = first.cte("walk", recursive=True)
    further = select(_newest_own(_of_number(_keys.case_id < walk.c.own)), walk.c.step + 1)
    walk = walk.union_all(further.where(walk.c.own.is_not(None), walk.c.step < bindparam("steps", type_=Integer)))
    # Looked up for each, since PostgreSQL would read all cases of the number for an EXISTS.
    of_number = _of_number(_keys.case_id == walk.c.own).limit(1).correlate(walk).scalar_subquery()
    found = walk.c.own == of_number
    stands = and_(walk.c.step == bindparam("steps", type_=Integer), walk.c.own.is_not(None))
    return select(walk.c.own.label("id"), walk.c.step, found.label("found")).where(or_(found, stands)).limit(CASES + 1)


def _of_number(*where: ColumnElement[bool]) -> Select[Any]:
    number = (_keys.value == bindparam("key"), _keys.test == bindparam("test"))
    return select(_keys.case_id.label("id")).where(*number, *where).order_by(_keys.case_id.desc())


def _newest_own(up_to: Select[Any]) -> ScalarSelect[Any]:
    """The newest of the caller's cases that is no newer than the first of `up_to`."""
    first = up_to.limit(1).correlate_except(tables.case_keys).scalar_subquery()
    own = (_participants.partner_id == bindparam("partner"), _participants.case_id <= first)
    return (
        select(_participants.case_id)
        .where(*own)
        .order_by(_participants.case_id.desc())
        .limit(1)
        .correlate_except(tables.case_partners)
        .scalar_subquery()
    )


_NAMED = {(own, after): _named(own=own, after=after) for own in (False, True) for after in (False, True)}


def earlier(
    connection: Connection, case_id: str, partner_id: str, place: CasePlace, limit: int, test: bool
) -> CaseView:
    """An older piece of a case's timeline."""
    ids = _by_id(connection, case_id, test)
    if partner_id:
        ids = _taking_part(connection, ids, partner_id)
    if not ids:
        raise NotFound(case_id=case_id)
    weights = _read_weights(connection, ids)
    (view,) = _read_views(connection, list(facts.read_cases(connection, ids).values()), place, limit, weights)
    return view


def _by_id(connection: Connection, case_id: str, test: bool) -> list[str]:
    head = facts.read_versions(connection, [case_id]).get(case_id)
    return [case_id] if head is not None and head.test == test else []


def _taking_part(connection: Connection, ids: Sequence[str], partner_id: str) -> list[str]:
    """Those of some cases that a partner takes part in, in the same order."""
    query = select(_participants.case_id).where(
        among(_participants.case_id, ids), _participants.partner_id == partner_id
    )
    own = set(connection.execute(query).scalars())
    return [id_ for id_ in ids if id_ in own]


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
        attempts=tuple(attempt_from(row) for made in deliveries.rows for row in attempts.get(made.id, ())),
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
