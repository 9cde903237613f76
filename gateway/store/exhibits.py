"""Evidence as it is kept: pictures, scans and readings, each with a `received` receipt of its own, found by its tasks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, exists, or_, select

from gateway.decide.names import Name, exhibit_name
from gateway.errors import GatewayError, NotFound, TransportIdReused
from gateway.model import Exhibit, Receipt, Stage
from gateway.store import tables
from gateway.store.batch import Batch
from gateway.store.bodies import BodyFiles, Wanted, find_kept, insert_body, note_file
from gateway.store.contract import ExhibitArrival, ExhibitKept, Kept, Viewer
from gateway.store.sql import among, from_time, matching, maybe_from_time, maybe_to_time, to_time
from gateway.store.writer import Answers

_exhibits, _receipts = tables.exhibits.c, tables.receipts.c
_TransportKey = tuple[str, str, bool]
_Content = tuple[str, str, str, datetime | None]
_NONE: tuple[_Content | None, ExhibitKept | None] = (None, None)
_TRANSPORT_KEY = (_exhibits.partner_id, _exhibits.transport_id, _exhibits.test)


def _transport_key(exhibit: Exhibit) -> _TransportKey:
    """What a sender's id is unique within: one partner's evidence, that of test traffic apart."""
    return exhibit.partner_id, exhibit.transport_id, exhibit.test


def _content(exhibit: Exhibit) -> _Content:
    """What makes two sendings the same: the bytes, and what is said of them."""
    return exhibit.sha256, exhibit.media_type, exhibit.device, exhibit.taken_at


def arrival_names(arrival: ExhibitArrival) -> Iterable[Name]:
    """What keeping a piece of evidence touches: its id, and its sender's id of it."""
    yield exhibit_name(arrival.exhibit.id)
    if arrival.exhibit.transport_id:
        yield ("exhibit sent", *_transport_key(arrival.exhibit))


def keep(batch: Batch, arrivals: Sequence[ExhibitArrival]) -> Callable[[], Answers[ExhibitKept]]:
    """Keep evidence. The same sending gets the stored receipt again; with other bytes, or said to be another thing, it is refused.

    What is said of it stands in the receipt, which cannot say two things.
    """
    known = _known(batch.connection, [arrival.exhibit for arrival in arrivals])
    for arrival in arrivals:
        exhibit = arrival.exhibit
        if exhibit.path:
            note_file(batch, exhibit.id, exhibit.sha256)
        else:
            insert_body(batch, exhibit.id, exhibit.sha256, exhibit.body)

    def finish() -> list[ExhibitKept | GatewayError]:
        answers: list[ExhibitKept | GatewayError] = []
        for arrival in arrivals:
            exhibit = arrival.exhibit
            earlier, before = known.get(_transport_key(exhibit), _NONE) if exhibit.transport_id else _NONE
            if before is None:
                kept = ExhibitKept(exhibit.id, batch.append(arrival.receipt))
                _insert(batch, exhibit, kept.receipt.index)
                known[_transport_key(exhibit)] = (_content(exhibit), kept)
                answers.append(kept)
            elif earlier == _content(exhibit):
                answers.append(ExhibitKept(before.exhibit_id, before.receipt, duplicate=True))
            else:
                answers.append(TransportIdReused(exhibit_id=before.exhibit_id, transport_id=exhibit.transport_id))
        return answers

    return finish


def _known(
    connection: Connection, exhibits: Sequence[Exhibit]
) -> dict[_TransportKey, tuple[_Content | None, ExhibitKept | None]]:
    """What came before under the senders' ids of these, with its content."""
    keys = {_transport_key(exhibit) for exhibit in exhibits if exhibit.transport_id}
    if not keys:
        return {}
    query = (
        select(tables.exhibits, _receipts.index.label("log_index"), _receipts.stage, _receipts.body)
        .join(tables.receipts, _receipts.index == _exhibits.arrival)
        # Said again, so that the partial index on it serves.
        .where(matching(_TRANSPORT_KEY, keys), _exhibits.transport_id != "")
    )
    return {
        (row.partner_id, row.transport_id, row.test): (
            _content(_exhibit_from(row)),
            ExhibitKept(row.id, Receipt(row.log_index, Stage(row.stage), row.id, row.body)),
        )
        for row in connection.execute(query)
    }


def _insert(batch: Batch, exhibit: Exhibit, arrival: int) -> None:
    row = (
        exhibit.id,
        arrival,
        exhibit.partner_id,
        exhibit.transport_id,
        exhibit.sha256,
        exhibit.size,
        exhibit.media_type,
        to_time(exhibit.received_at),
        maybe_to_time(exhibit.taken_at),
        exhibit.device,
        exhibit.person_id,
        exhibit.test,
    )
    batch.insert(tables.exhibits, row)


def read(connection: Connection, ids: Collection[str]) -> dict[str, Exhibit]:
    """Evidence by id, without its bytes; what is not there is left out."""
    if not ids:
        return {}
    rows = connection.execute(select(tables.exhibits).where(among(_exhibits.id, ids)))
    return {row.id: _exhibit_from(row) for row in rows}


def find(
    connection: Connection, files: BodyFiles, exhibit_id: str, seen_by: Viewer, offices: Collection[str]
) -> tuple[Exhibit, Kept]:
    """A piece of evidence and its bytes, as its owner sees it, and whoever a task that names it is asked of.

    NotFound where there is none for them.
    """
    query = select(tables.exhibits).where(_exhibits.id == exhibit_id)
    if seen_by.partner_id:
        named, tasks = tables.task_exhibits.c, tables.tasks.c
        asked = exists(
            select(named.task_id)
            .join(tables.tasks, tasks.id == named.task_id)
            .where(named.exhibit_id == exhibit_id, among(tasks.office, offices), tasks.test == _exhibits.test)
        )
        query = query.where(or_(_exhibits.partner_id == seen_by.partner_id, asked))
    if seen_by.test_only:
        query = query.where(_exhibits.test)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(exhibit_id=exhibit_id)
    return _exhibit_from(row), find_kept(connection, files, Wanted(row.id, row.sha256))


def of_partner(connection: Connection, partner_id: str, after: str, limit: int, *, test: bool) -> list[Exhibit]:
    """A partner's evidence by id, which is by time; `after` an id."""
    query = select(tables.exhibits).where(
        _exhibits.partner_id == partner_id, _exhibits.test == test, _exhibits.id > after
    )
    return [_exhibit_from(row) for row in connection.execute(query.order_by(_exhibits.id).limit(limit))]


def _exhibit_from(row: Row[Any]) -> Exhibit:
    return Exhibit(
        row.id,
        row.partner_id,
        row.sha256,
        row.size,
        row.media_type,
        from_time(row.received_at),
        maybe_from_time(row.taken_at),
        row.device,
        row.person_id,
        row.transport_id,
        row.test,
    )
