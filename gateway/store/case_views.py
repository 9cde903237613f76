"""Cases as people and partners read them: found by any number, the newest first, each with a piece of its timeline.

A case may hold thousands of messages, and a number may name thousands of cases. Both are read from the newest
backwards, and no further than asked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, select, tuple_

from gateway.errors import NotFound
from gateway.model import Case, CaseEvent
from gateway.store import facts, log, tables
from gateway.store.contract import CASES, CasePage, CasePlace, CaseView
from gateway.store.deliveries import attempt_from, delivery_from
from gateway.store.sql import among, from_json, from_time
from gateway.store.views import message_from

LOOKED_AT = 1000
"""Cases of a number that are looked at for one page of those that a partner takes part in, so that each page is
answered soon; hardly any number names so many."""

_messages, _events, _attempts = tables.messages.c, tables.case_events.c, tables.attempts.c
_keys, _participants = tables.case_keys.c, tables.case_partners.c


def cases(connection: Connection, key: str, partner_id: str, after: str, limit: int, test: bool) -> CasePage:
    """Cases by id or any business key, the newest first; only those `partner_id` takes part in, unless it is empty."""
    named = [] if after else _by_id(connection, key, test)
    query = select(_keys.case_id).where(_keys.value == key, _keys.test == test)
    if after:
        query = query.where(_keys.case_id < after)
    looked_at = list(connection.execute(query.order_by(_keys.case_id.desc()).limit(LOOKED_AT)).scalars())
    ids = list(dict.fromkeys([*named, *looked_at]))  # a value may be of several kinds
    if partner_id:
        ids = _taking_part(connection, ids, partner_id)
    page = ids[:CASES]
    # Where the page is full the next one goes on after it; else there may be some beyond what was looked at.
    last = page[-1:] if len(ids) > CASES else looked_at[-1:] if len(looked_at) == LOOKED_AT else []
    found = facts.read_cases(connection, page)
    return CasePage(tuple(_view(connection, found[id_], _NEWEST, limit) for id_ in page if id_ in found), "".join(last))


def earlier(
    connection: Connection, case_id: str, partner_id: str, place: CasePlace, limit: int, test: bool
) -> CaseView:
    """An older piece of a case's timeline."""
    ids = _by_id(connection, case_id, test)
    if partner_id:
        ids = _taking_part(connection, ids, partner_id)
    if not ids:
        raise NotFound(case_id=case_id)
    return _view(connection, facts.read_cases(connection, ids)[case_id], place, limit)


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


def _view(connection: Connection, case: Case, place: CasePlace, limit: int) -> CaseView:
    """A case with what is older than `place`, `limit` of each kind of thing at most."""
    events = _piece(
        connection,
        select(tables.case_events).where(_events.case_id == case.id, _events.id < place.event),
        (_events.id,),
        limit,
    )
    messages = _piece(
        connection,
        select(tables.messages).where(
            _messages.case_id == case.id,
            _messages.case_id != "",  # said so that the partial index serves
            tuple_(_messages.at, _messages.number) < tuple_(place.at, place.number),
        ),
        (_messages.at, _messages.number),
        limit,
    )
    deliveries = _deliveries(connection, case.id, place.delivery, limit)
    shown = {row.id for row in deliveries.rows}
    spoken_of = [one for one in {row.delivery_id for row in events.rows} - shown if one]
    attempts: dict[str, list[Row[Any]]] = defaultdict(list)
    tried = select(tables.attempts).where(among(_attempts.delivery_id, shown))
    for row in connection.execute(tried.order_by(_attempts.delivery_id, _attempts.number).limit(10 * limit)):
        attempts[row.delivery_id].append(row)
    subjects = {case.id, *shown, *(row.id for row in messages.rows), *(row.payload_id for row in messages.rows)}
    more = events.more or messages.more or deliveries.more
    return CaseView(
        id=case.id,
        version=case.version,
        status=case.status,
        partner_id=case.partner_id,
        test=case.test,
        keys=case.keys,
        documents=case.documents,
        events=tuple(_event_from(row) for row in events.rows),
        messages=tuple(message_from(row) for row in messages.rows),
        deliveries=tuple(delivery_from(row) for row in deliveries.rows),
        attempts=tuple(attempt_from(row) for made in deliveries.rows for row in attempts[made.id]),
        receipts=tuple(log.receipts_of(connection, subjects)),
        spoken_of=tuple(delivery_from(row) for row in _by_ids(connection, spoken_of)),
        earlier=CasePlace(
            event=events.rows[0].id if events.rows else place.event,
            at=messages.rows[0].at if messages.rows else place.at,
            number=messages.rows[0].number if messages.rows else place.number,
            delivery=deliveries.rows[0].sequence if deliveries.rows else place.delivery,
        )
        if more
        else None,
    )


@dataclass(frozen=True, slots=True)
class _Piece:
    """Rows in order, and whether there are older ones."""

    rows: list[Row[Any]]
    more: bool


def _piece(connection: Connection, query: Select[Any], order: Sequence[Any], limit: int) -> _Piece:
    """The last `limit` rows of a query, in order. Rows that stand at the same place are not parted."""
    rows = list(connection.execute(query.order_by(*(column.desc() for column in order)).limit(limit + 1)))
    if len(rows) <= limit:
        return _Piece(rows[::-1], more=False)
    names = [column.name for column in order]
    beyond = _place_of(rows.pop(), names)
    kept = [row for row in rows if _place_of(row, names) != beyond] or rows
    return _Piece(kept[::-1], more=True)


def _place_of(row: Row[Any], names: Iterable[str]) -> tuple[Any, ...]:
    return tuple(row._mapping[name] for name in names)  # noqa: SLF001 - the documented way to a row's columns by name


def _deliveries(connection: Connection, case_id: str, before: int, limit: int) -> _Piece:
    """The newest deliveries of a case, hot and done, in the order of their sequence."""
    pieces = []
    for table in (tables.deliveries, tables.deliveries_done):
        query = select(table).where(table.c.case_id == case_id, table.c.sequence < before)
        pieces.append(_piece(connection, query, (table.c.sequence,), limit))
    rows = sorted((row for piece in pieces for row in piece.rows), key=lambda row: row.sequence)
    return _Piece(rows[-limit:], more=len(rows) > limit or any(piece.more for piece in pieces))


def _by_ids(connection: Connection, ids: Sequence[str]) -> list[Row[Any]]:
    """Deliveries by id, hot and done."""
    if not ids:
        return []
    both = (tables.deliveries, tables.deliveries_done)
    return [row for table in both for row in connection.execute(select(table).where(among(table.c.id, ids)))]


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
