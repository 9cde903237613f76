"""Deliveries: lanes, of which only the head may be claimed, and what becomes of each attempt.

A lane is one recipient and one case. Its rows go in the order of their sequence numbers; `head`
marks the first, and only a head has a moment at which it is due. A dead head has none, and so it
holds its lane, and no other, until an operator retries or skips it. A row that is over moves to
`deliveries_done`, and the next of its lane becomes the head.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, delete, func, select, text, union_all, update

from gateway.errors import GatewayError, LeaseLost, NotFound, TransitionRefused
from gateway.model import Attempt, Delivery, DeliveryKind, DeliveryState
from gateway.store import tables
from gateway.store.batch import Batch
from gateway.store.bodies import BodyFiles, Wanted, bodies_there, insert_body
from gateway.store.contract import Answered, AttemptResult
from gateway.store.sql import (
    among,
    from_json,
    from_time,
    insert_rows,
    listed,
    maybe_from_time,
    maybe_to_time,
    to_time,
)

SEQUENCE = "deliveries"
"""The counter that orders deliveries; it follows commit order."""
_hot = tables.deliveries.c
_COMMON = tuple(column.name for column in tables.staged_deliveries.columns)
NO_WORD = "The last attempt ended without a word, so whether the recipient has it is not known."
_HEAD = text("head")
_AT_ONCE = 0


def delivery_from(row: Row[Any], body: bytes = b"") -> Delivery:
    """The delivery of a row of any of the tables of deliveries."""
    return Delivery(
        id=row.id,
        partner_id=row.partner_id,
        agreement_id=row.agreement_id,
        lane=row.lane,
        kind=DeliveryKind(row.kind),
        document_type=row.document_type,
        format=row.format,
        body=body,
        sha256=row.sha256,
        message_id=row.message_id,
        case_id=row.case_id,
        reference=row.reference,
        test=row.test,
        state=DeliveryState(row.state),
        sequence=row.sequence,
        attempts=row.attempts,
        next_at=maybe_from_time(row.next_at),
        fence=row.fence,
        last_error=row.last_error,
    )


def attempt_from(row: Row[Any]) -> Attempt:
    """The attempt of a row of its table."""
    return Attempt(
        row.delivery_id, row.number, from_time(row.started_at), maybe_from_time(row.ended_at), row.outcome, row.detail
    )


# Into a lane.


def enqueue(batch: Batch, made: Sequence[tuple[str, Delivery]]) -> None:
    """Add deliveries, each with the payload it came of, at the end of their lanes; those that exist stay as they are."""
    existing = _existing(batch.connection, {delivery.id for _, delivery in made})
    fresh = [(payload_id, delivery) for payload_id, delivery in made if delivery.id not in existing]
    taken = _lanes_with_head(batch.connection, {delivery.lane for _, delivery in fresh})
    for payload_id, delivery in fresh:
        insert_body(batch, delivery.id, delivery.sha256, delivery.body)
        common = (
            delivery.id,
            batch.next_number(SEQUENCE),
            payload_id,
            delivery.partner_id,
            delivery.agreement_id,
            delivery.lane,
            delivery.kind.value,
            delivery.document_type,
            delivery.format,
            delivery.sha256,
            delivery.message_id,
            delivery.case_id,
            delivery.reference,
            delivery.test,
        )
        next_at = maybe_to_time(delivery.next_at)
        if delivery.state is DeliveryState.STAGED:
            batch.insert(tables.staged_deliveries, (*common, delivery.state.value, 0, next_at, 0, ""))
            continue
        rest = (DeliveryState.PENDING.value, 0, next_at, 0, "", delivery.lane not in taken, next_at or _AT_ONCE)
        batch.insert(tables.deliveries, (*common, *rest))
        taken.add(delivery.lane)


def release(batch: Batch, payload_ids: Iterable[str]) -> None:
    """Let staged deliveries of these payloads into their lanes."""
    staged = tables.staged_deliveries
    query = select(staged).where(among(staged.c.payload_id, payload_ids))
    rows = batch.connection.execute(query.order_by(staged.c.sequence)).all()
    if not rows:
        return
    taken = _lanes_with_head(batch.connection, {row.lane for row in rows})
    for row in rows:
        common = _common(row, sequence=batch.next_number(SEQUENCE), state=DeliveryState.PENDING.value)
        batch.insert(tables.deliveries, (*common, row.lane not in taken, row.next_at or _AT_ONCE))
        taken.add(row.lane)
    drop_staged(batch.connection, {row.payload_id for row in rows})


def drop_staged(connection: Connection, payload_ids: Iterable[str]) -> None:
    """Forget staged deliveries of these payloads."""
    staged = tables.staged_deliveries
    connection.execute(delete(staged).where(among(staged.c.payload_id, payload_ids)))


def _existing(connection: Connection, ids: set[str]) -> set[str]:
    every = (tables.deliveries, tables.deliveries_done, tables.staged_deliveries)
    parts = [select(table.c.id).where(among(table.c.id, ids)) for table in every]
    return set(connection.execute(union_all(*parts)).scalars())


def _lanes_with_head(connection: Connection, lanes: set[str]) -> set[str]:
    return set(connection.execute(select(_hot.lane).where(_HEAD, among(_hot.lane, lanes))).scalars())


def _common(row: Row[Any], **changes: object) -> tuple[Any, ...]:
    kept = row._mapping  # noqa: SLF001 - the documented way to a row's columns by name
    return tuple(changes[name] if name in changes else kept[name] for name in _COMMON)


# Out to the recipient.


def due(moment: int, limit: int) -> Select[Any]:
    """The query for heads that are due; a test keeps an eye on its plan."""
    return (
        select(tables.deliveries)
        .where(_HEAD, _hot.due_at <= moment)
        .order_by(_hot.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )


@dataclass(frozen=True, slots=True)
class ClaimWanted:
    """A worker's wish for deliveries."""

    files: BodyFiles
    limit: int
    lease: timedelta
    now: datetime


def claim(connection: Connection, wanted: ClaimWanted) -> list[Delivery]:
    """Lease the heads that are due, longest due first, and record an attempt of each.

    A head whose last allowed attempt ended without a word, its lease run out, is dead instead; so is one whose
    bytes are lost, which no other must wait for.
    """
    moment, until = to_time(wanted.now), to_time(wanted.now + wanted.lease)
    found = connection.execute(due(moment, wanted.limit)).all()
    lapsed = _lapsed_for_good(connection, found)
    if lapsed:
        _end(connection, lapsed, NO_WORD)
    bodies = bodies_there(connection, wanted.files, [Wanted(row.id, row.sha256) for row in found])
    for row in found:
        if row.sha256 not in bodies:
            _end(connection, [row.id], f"The file of its body, {row.sha256}, is missing.")
    rows = [row for row in found if row.id not in lapsed and row.sha256 in bodies]
    if not rows:
        return []
    connection.execute(
        update(tables.deliveries)
        .where(among(_hot.id, [row.id for row in rows]))
        .values(state=DeliveryState.SENDING.value, fence=_hot.fence + 1, attempts=_hot.attempts + 1, due_at=until)
    )
    started = [(row.id, row.attempts + 1, moment, None, "", "") for row in rows]
    insert_rows(connection, tables.attempts, started)
    return [
        replace(
            delivery_from(row, bodies[row.sha256]),
            state=DeliveryState.SENDING,
            fence=row.fence + 1,
            attempts=row.attempts + 1,
        )
        for row in rows
    ]


def _end(connection: Connection, ids: Iterable[str], why: str) -> None:
    """Make deliveries dead: their lanes wait for an operator."""
    connection.execute(
        update(tables.deliveries)
        .where(among(_hot.id, ids))
        .values(state=DeliveryState.DEAD.value, next_at=None, due_at=None, last_error=why)
    )


def _lapsed_for_good(connection: Connection, rows: Sequence[Row[Any]]) -> set[str]:
    """Ids of those that were being sent when their lease ran out, and have had all the attempts of their agreement.

    One that an operator retries waits, and so has its further attempt. One that is answered by now goes once
    more: the report of that finds the answer. Where the agreement is gone, the worker says so.
    """
    lost = [row for row in rows if row.state == DeliveryState.SENDING]
    if not lost:
        return set()
    agreements = tables.agreements.c
    query = select(agreements.id, agreements.terms).where(among(agreements.id, {row.agreement_id for row in lost}))
    allowed = {id_: from_json(terms)["attempts"] for id_, terms in connection.execute(query)}
    over = {row.id for row in lost if row.attempts >= allowed.get(row.agreement_id, row.attempts + 1)}
    return over - _answered(connection, list(over)) if over else set()


def claims(batch: Batch, wanted: Sequence[ClaimWanted]) -> Sequence[list[Delivery] | GatewayError]:
    """`claim` as a part of a batch."""
    return [claim(batch.connection, one) for one in wanted]


@dataclass(frozen=True, slots=True)
class Renewal:
    """A lease to prolong."""

    delivery_id: str
    fence: int
    until: int


def renew(batch: Batch, renewals: Sequence[Renewal]) -> Sequence[GatewayError | None]:
    """Prolong leases that are still held."""
    rows = _held(batch.connection, [renewal.delivery_id for renewal in renewals])
    answers: list[GatewayError | None] = []
    held: list[dict[str, object]] = []
    for renewal in renewals:
        row = rows.get(renewal.delivery_id)
        if row is None or row.fence != renewal.fence or row.state != DeliveryState.SENDING:
            answers.append(LeaseLost(delivery_id=renewal.delivery_id))
        else:
            held.append({"held": renewal.delivery_id, "until": renewal.until})
            answers.append(None)
    if held:
        batch.connection.execute(
            update(tables.deliveries).where(_hot.id == bindparam("held")).values(due_at=bindparam("until")), held
        )
    return answers


def finish_attempts(batch: Batch, results: Sequence[AttemptResult]) -> Sequence[GatewayError | None]:
    """Complete attempts of deliveries whose lease is still the one the worker had."""
    ids = [result.delivery_id for result in results]
    rows = _held(batch.connection, ids)
    answered = _answered(batch.connection, ids)
    started = _started(batch.connection, ids)
    over: list[_Over] = []
    answers: list[GatewayError | None] = []
    for result in results:
        row = rows.get(result.delivery_id)
        if row is None or row.fence != result.fence or row.state != DeliveryState.SENDING:
            answers.append(LeaseLost(delivery_id=result.delivery_id))
            continue
        del rows[result.delivery_id]  # a second report of the same attempt is late
        answers.append(None)
        at = to_time(result.at)
        begun = started.get((row.id, result.number), at)
        batch.insert(tables.attempts, (row.id, result.number, begun, at, result.outcome, result.detail), "replace")
        for receipt in result.receipts:
            batch.append(receipt)
        if row.id in answered:
            over.append(_Over(row, DeliveryState.ANSWERED, at, ""))
        elif result.outcome in _SUCCESS:
            over.append(_Over(row, DeliveryState(result.outcome), at, ""))
        elif result.next_at is not None:
            next_at = to_time(result.next_at)
            common = _common(
                row, state=DeliveryState.PENDING.value, next_at=next_at, last_error=result.detail or result.outcome
            )
            batch.insert(tables.deliveries, (*common, True, next_at), "replace")
        else:
            common = _common(
                row, state=DeliveryState.DEAD.value, next_at=None, last_error=result.detail or result.outcome
            )
            batch.insert(tables.deliveries, (*common, True, None), "replace")
    _leave(batch, over)
    return answers


_SUCCESS = frozenset({DeliveryState.DELIVERED.value, DeliveryState.RELAYED.value})


@dataclass(frozen=True, slots=True)
class _Over:
    """A hot row that is over, as what, since when."""

    row: Row[Any]
    state: DeliveryState
    at: int
    last_error: str


def _leave(batch: Batch, over: Sequence[_Over]) -> None:
    """Move rows that are over out of the hot table, and let the next of their lanes go."""
    if not over:
        return
    for gone in over:
        common = _common(gone.row, state=gone.state.value, next_at=None, last_error=gone.last_error)
        batch.insert(tables.deliveries_done, (*common, gone.at))
    connection = batch.connection
    connection.execute(delete(tables.deliveries).where(among(_hot.id, [gone.row.id for gone in over])))
    promote(connection, {gone.row.lane for gone in over})


def promote(connection: Connection, lanes: Iterable[str]) -> None:
    """Make the first row of each lane its head. One look into the lane's index each, however long the lane is."""
    first = tables.deliveries.alias("first")
    wanted = listed(connection, lanes)
    firsts = select(
        select(func.min(first.c.sequence)).where(first.c.lane == wanted.c.value).scalar_subquery()
    ).select_from(wanted)
    connection.execute(update(tables.deliveries).where(_hot.sequence.in_(firsts)).values(head=True))


def _held(connection: Connection, ids: Sequence[str]) -> dict[str, Row[Any]]:
    """Hot rows by id, kept from being claimed until this transaction ends."""
    query = select(tables.deliveries).where(among(_hot.id, ids)).with_for_update()
    return {row.id: row for row in connection.execute(query)}


def _answered(connection: Connection, ids: Sequence[str]) -> set[str]:
    answers = tables.answers.c
    return set(connection.execute(select(answers.delivery_id).where(among(answers.delivery_id, ids))).scalars())


def _started(connection: Connection, ids: Sequence[str]) -> dict[tuple[str, int], int]:
    attempts = tables.attempts.c
    query = select(attempts.delivery_id, attempts.number, attempts.started_at)
    rows = connection.execute(query.where(among(attempts.delivery_id, ids)))
    return {(row.delivery_id, row.number): row.started_at for row in rows}


# What people and answers do to a delivery.


@dataclass(frozen=True, slots=True)
class Order:
    """An operator's order about one delivery."""

    delivery_id: str
    at: datetime


def retry(batch: Batch, orders: Sequence[Order]) -> Sequence[GatewayError | None]:
    """Make dead deliveries due again. One that only waits for its next attempt is due at once."""
    rows = _held(batch.connection, [order.delivery_id for order in orders])
    answers: list[GatewayError | None] = []
    for order in orders:
        row = rows.get(order.delivery_id)
        if row is None:
            answers.append(_absent(batch.connection, order.delivery_id))
        elif row.state == DeliveryState.SENDING:
            answers.append(TransitionRefused("The delivery is being sent.", delivery_id=order.delivery_id))
        else:
            moment = to_time(order.at)
            common = _common(row, state=DeliveryState.PENDING.value, next_at=moment)
            batch.insert(tables.deliveries, (*common, row.head, moment), "replace")
            answers.append(None)
    return answers


def skip(batch: Batch, orders: Sequence[Order]) -> Sequence[GatewayError | None]:
    """Take dead deliveries out of their lanes."""
    rows = _held(batch.connection, [order.delivery_id for order in orders])
    over: list[_Over] = []
    answers: list[GatewayError | None] = []
    for order in orders:
        row = rows.pop(order.delivery_id, None)
        if row is None:
            answers.append(_absent(batch.connection, order.delivery_id))
        elif row.state != DeliveryState.DEAD:
            answers.append(TransitionRefused("Only a dead delivery can be skipped.", delivery_id=order.delivery_id))
        else:
            over.append(_Over(row, DeliveryState.SKIPPED, to_time(order.at), row.last_error))
            answers.append(None)
    _leave(batch, over)
    return answers


def answer(batch: Batch, given: Sequence[Answered]) -> None:
    """Record business answers, of each delivery the first. Whoever answers has it, so it need not be sent again.

    One that is being sent just now stays with its worker, whose report then finds the answer.
    """
    connection, ids = batch.connection, [one.delivery_id for one in given]
    rows, answered, done = _held(connection, ids), _answered(connection, ids), tables.deliveries_done
    finished = set(connection.execute(select(done.c.id).where(among(done.c.id, ids))).scalars())
    over: list[_Over] = []
    now_answered: list[str] = []
    for one in given:
        row = rows.get(one.delivery_id)
        unknown = row is None and one.delivery_id not in finished
        if unknown or one.delivery_id in answered:
            continue
        answered.add(one.delivery_id)
        at = to_time(one.at)
        batch.insert(tables.answers, (one.delivery_id, at))
        batch.append(one.receipt)
        if row is None:
            now_answered.append(one.delivery_id)
        elif row.state != DeliveryState.SENDING:
            over.append(_Over(row, DeliveryState.ANSWERED, at, row.last_error))
    connection.execute(update(done).where(among(done.c.id, now_answered)).values(state=DeliveryState.ANSWERED.value))
    _leave(batch, over)


def _absent(connection: Connection, delivery_id: str) -> GatewayError:
    done = tables.deliveries_done.c
    if connection.execute(select(done.id).where(done.id == delivery_id)).first() is None:
        return NotFound(delivery_id=delivery_id)
    return TransitionRefused("The delivery is over.", delivery_id=delivery_id)
