"""Deliveries: lanes, of which only the head may be claimed; how one gets into its lane, and out of it.

A lane is one recipient and one case. Its rows go in the order of their sequence numbers; `head`
marks the first, and only a head has a moment at which it is due. A dead head has none, and so it
holds its lane, and no other, until an operator retries or skips it. A row that is over moves to
`deliveries_done`, and the next of its lane becomes the head. One that was handed over and awaits its
confirmation (`confirmations`) is no head: the recipient has it, in its order, and the next one goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Update,
    and_,
    case,
    delete,
    exists,
    func,
    select,
    text,
    union_all,
    update,
)

from gateway.decide.names import Name
from gateway.findings import make_finding
from gateway.model import Attempt, Delivery, DeliveryKind, DeliveryState, HeldFor
from gateway.store import tables
from gateway.store.batch import Batch
from gateway.store.contract import Alert, Answered
from gateway.store.delivery_states import DeliveryEvent, follow
from gateway.store.sql import (
    among,
    from_time,
    listed,
    maybe_from_time,
    maybe_to_time,
    to_time,
)
from gateway.store.transcripts import unpack_transcript

SEQUENCE = "deliveries"
"""The counter that orders deliveries; it follows commit order."""
_hot = tables.deliveries.c
_COMMON = tuple(column.name for column in tables.staged_deliveries.columns)
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
        # Only a row that stands in a lane says why it is held.
        held_for=HeldFor(why) if (why := getattr(row, "held_for", "")) else None,
    )


def attempt_from(row: Row[Any], sha256: str) -> Attempt:
    """The attempt of a row of its table, at a delivery whose body has this digest."""
    told = unpack_transcript(row.transcript, row.delivery_id, sha256)
    return Attempt(
        row.delivery_id,
        row.number,
        from_time(row.started_at),
        maybe_from_time(row.ended_at),
        row.outcome,
        row.detail or (told.status if told is not None else ""),
        told,
    )


def attempts_of(connection: Connection, delivery_id: str) -> list[Attempt]:
    """The attempts of a delivery, in order."""
    columns = tables.attempts.c
    query = select(tables.attempts).where(columns.delivery_id == delivery_id).order_by(columns.number)
    digests = [
        select(table.c.sha256).where(table.c.id == delivery_id) for table in (tables.deliveries, tables.deliveries_done)
    ]
    sha256 = connection.execute(union_all(*digests)).scalar() or ""
    return [attempt_from(row, sha256) for row in connection.execute(query)]


# Into a lane.


def enqueue(batch: Batch, made: Sequence[tuple[str, Delivery]]) -> None:
    """Add deliveries, each with the payload it came of, at the end of their lanes; those that exist stay as they are.

    One that is held, by its agreement, goes by itself at its `next_at`, where it has one, and else when it is released.
    """
    existing = _existing(batch.connection, {delivery.id for _, delivery in made})
    fresh = [(payload_id, delivery) for payload_id, delivery in made if delivery.id not in existing]
    taken = lanes_with_head(batch.connection, {delivery.lane for _, delivery in fresh})
    for payload_id, delivery in fresh:
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
        due_at = due(delivery.state, next_at)
        stand = (delivery.state.value, 0, next_at, 0, "")
        batch.insert(
            tables.deliveries,
            place((*common, *stand), head=delivery.lane not in taken, due_at=due_at, held_for=delivery.held_for),
        )
        taken.add(delivery.lane)


def place(
    common: tuple[Any, ...], *, head: bool, due_at: int | None, held_for: HeldFor | None = None
) -> tuple[Any, ...]:
    """The row of a delivery in its lane."""
    return (*common, head, due_at, "", held_for.value if held_for is not None else "")


def due(state: DeliveryState, next_at: int | None) -> int | None:
    """When the head of a lane may be claimed; None where it waits for a person."""
    return next_at if state is DeliveryState.HELD else next_at or _AT_ONCE


def staged_lanes(connection: Connection, payload_ids: Iterable[str]) -> set[str]:
    """The lanes into which `release` would let staged deliveries of these payloads."""
    staged = tables.staged_deliveries.c
    return set(
        connection.execute(select(staged.lane).where(among(staged.payload_id, payload_ids)).distinct()).scalars()
    )


_STAGED = select(tables.staged_deliveries).where(among.named(tables.staged_deliveries.c.payload_id, "ids"))


def release(batch: Batch, payload_ids: Iterable[str]) -> None:
    """Let staged deliveries of these payloads into their lanes."""
    rows = sorted(batch.connection.execute(_STAGED, {"ids": list(payload_ids)}), key=lambda row: row.sequence)
    if not rows:
        return
    taken = lanes_with_head(batch.connection, {row.lane for row in rows})
    for row in rows:
        state = follow(row.state, DeliveryEvent.RELEASED)
        common = copy_row(row, sequence=batch.next_number(SEQUENCE), state=state.value)
        batch.insert(tables.deliveries, place(common, head=row.lane not in taken, due_at=row.next_at or _AT_ONCE))
        taken.add(row.lane)
    drop_staged(batch.connection, {row.payload_id for row in rows})


def drop_staged(connection: Connection, payload_ids: Iterable[str]) -> None:
    """Forget staged deliveries of these payloads."""
    staged = tables.staged_deliveries
    connection.execute(delete(staged).where(among(staged.c.payload_id, payload_ids)))


_EXISTING = union_all(
    *(
        select(table.c.id).where(among.named(table.c.id, "ids"))
        for table in (tables.deliveries, tables.deliveries_done, tables.staged_deliveries)
    )
)
_WITH_HEAD = select(_hot.lane).where(_HEAD, among.named(_hot.lane, "lanes"))


def _existing(connection: Connection, ids: set[str]) -> set[str]:
    return set(connection.execute(_EXISTING, {"ids": list(ids)}).scalars())


def lanes_with_head(connection: Connection, lanes: set[str]) -> set[str]:
    """Those of these lanes that have a head."""
    return set(connection.execute(_WITH_HEAD, {"lanes": list(lanes)}).scalars())


def copy_row(row: Row[Any], **changes: object) -> tuple[Any, ...]:
    """The columns that all tables of deliveries have, some of them changed."""
    kept = row._mapping  # noqa: SLF001 - the documented way to a row's columns by name
    return tuple(changes[name] if name in changes else kept[name] for name in _COMMON)


# Names, and out of a lane.


def delivery_names(delivery_id: str) -> Iterable[Name]:
    """What an operation on one delivery touches, but for its lane, which only the database can tell."""
    yield ("delivery", delivery_id)


def lane_names(lanes: Iterable[str]) -> Iterable[Name]:
    """What is touched by whatever gives a lane another head: at most one may do so at a time."""
    return (("lane", lane) for lane in lanes)


@dataclass(frozen=True, slots=True)
class Over:
    """A hot row that is over, as what, since when."""

    row: Row[Any]
    state: DeliveryState
    at: int
    last_error: str


_REMOVE = delete(tables.deliveries).where(among.named(_hot.id, "ids"))


def leave(batch: Batch, over: Sequence[Over]) -> None:
    """Move rows that are over out of the hot table, and let the next of their lanes go."""
    if not over:
        return
    for gone in over:
        common = copy_row(gone.row, state=gone.state.value, next_at=None, last_error=gone.last_error)
        batch.insert(tables.deliveries_done, (*common, gone.at))
    connection = batch.connection
    connection.execute(_REMOVE, {"ids": [gone.row.id for gone in over]})
    promote(connection, {gone.row.lane for gone in over})


@cache
def _promotion(dialect: str) -> Update:
    """The statement that makes the first row of each of the `lanes` its head, where it has none."""
    first, other, wanted = tables.deliveries.alias("first"), tables.deliveries.alias("other"), listed(dialect, "lanes")
    going = text("first.state <> 'awaiting'")
    lowest = select(func.min(first.c.sequence)).where(first.c.lane == wanted.c.value, going).scalar_subquery()
    headed = exists().where(text("other.head"), other.c.lane == wanted.c.value)
    firsts = select(lowest).select_from(wanted).where(~headed)
    # What waited for its endpoint behind another was not there to be resumed: it is tried, and put off where it must be.
    forgotten = and_(text("state = 'pending'"), _hot.due_at.is_(None))
    due_at = case((forgotten, _AT_ONCE), else_=_hot.due_at)
    return update(tables.deliveries).where(_hot.sequence.in_(firsts)).values(head=True, due_at=due_at)


def promote(connection: Connection, lanes: Iterable[str]) -> None:
    """Make the first row of each lane its head, unless it has one.

    One look into the lane's index each, however long the lane is.
    """
    connection.execute(_promotion(connection.dialect.name), {"lanes": list(lanes)})


_BEHEAD = (
    update(tables.deliveries)
    .where(_HEAD, among.named(_hot.lane, "lanes"), _hot.state != DeliveryState.SENDING.value)
    .values(head=False)
)


def put_in_order(connection: Connection, lanes: Iterable[str]) -> None:
    """Make the first row of each lane its head, after one has come back into it.

    A head that is being sent stays so until its attempt has ended, and then the first one goes.
    """
    wanted = list(lanes)
    connection.execute(_BEHEAD, {"lanes": wanted})
    promote(connection, wanted)


_HELD = select(tables.deliveries).where(among.named(_hot.id, "ids")).with_for_update()


def lock_rows(connection: Connection, ids: Sequence[str]) -> dict[str, Row[Any]]:
    """Hot rows by id, kept from being claimed until this transaction ends."""
    return {row.id: row for row in connection.execute(_HELD, {"ids": list(ids)})}


_ANSWERED = select(tables.answers).where(among.named(tables.answers.c.delivery_id, "ids"))


def find_answered(connection: Connection, ids: Sequence[str]) -> dict[str, int]:
    """Those of these deliveries that their recipients have answered, and when."""
    return {row.delivery_id: row.at for row in connection.execute(_ANSWERED, {"ids": list(ids)})}


DEAD = "delivery_dead"
"""The kind of the alert that each death is."""


def die(batch: Batch, row: Row[Any], why: str, at: datetime, *, head: bool = True) -> Alert:
    """Make a delivery dead; gives the alert for the same transaction: its lane waits for an operator, who must know.

    One that was no head has to be put in order afterwards.
    """
    state = follow(row.state, DeliveryEvent.GIVEN_UP, row.id)
    common = copy_row(row, state=state.value, next_at=None, last_error=why)
    batch.insert(tables.deliveries, place(common, head=head, due_at=None), "replace")
    reason = make_finding(
        "deliver.dead", document=row.document_type, partner=row.partner_id, attempts=row.attempts, said=why
    )
    return Alert(
        DEAD,
        f"{row.id}:{to_time(at)}",  # one that an operator retries may die again, and alerts again
        (reason,),
        at,
        row.case_id,
        row.partner_id,
        row.message_id,
        row.id,
        row.test,
        {"document": row.document_type, "attempts": row.attempts, "said": why},
    )


# What answers do to a delivery.


@dataclass(frozen=True, slots=True)
class Heard:
    """Business answers as judged: those that count, and what becomes of their deliveries."""

    given: Sequence[Answered]
    finished: Sequence[str]
    """Ids of deliveries that were over, and are answered now."""
    over: Sequence[Over]
    """Deliveries that waited, or were dead. One that is being sent just now stays with its worker, whose report
    then finds the answer."""


def hear(batch: Batch, given: Sequence[Answered]) -> Heard:
    """Judge business answers: of each delivery the first counts. Whoever answers has it, so it need not be sent again."""
    connection, ids = batch.connection, [one.delivery_id for one in given]
    if not ids:
        return Heard((), (), ())
    rows, answered, done = lock_rows(connection, ids), find_answered(connection, ids), tables.deliveries_done
    finished = set(connection.execute(select(done.c.id).where(among(done.c.id, ids))).scalars())
    counting: list[Answered] = []
    over: list[Over] = []
    for one in given:
        row = rows.get(one.delivery_id)
        unknown = row is None and one.delivery_id not in finished
        if unknown or one.delivery_id in answered:
            continue
        answered[one.delivery_id] = to_time(one.at)
        batch.insert(tables.answers, (one.delivery_id, answered[one.delivery_id]))
        counting.append(one)
        if row is not None and row.state != DeliveryState.SENDING:
            state = follow(row.state, DeliveryEvent.ANSWERED, row.id)
            over.append(Over(row, state, to_time(one.at), row.last_error))
    batch.hold(lane_names(gone.row.lane for gone in over))
    return Heard(counting, [one.delivery_id for one in counting if one.delivery_id not in rows], over)


def answer(batch: Batch, heard: Heard) -> None:
    """Record what business answers come to."""
    for one in heard.given:
        batch.append(one.receipt)
    if heard.finished:
        done = tables.deliveries_done
        batch.connection.execute(
            update(done).where(among(done.c.id, heard.finished)).values(state=DeliveryState.ANSWERED.value)
        )
    leave(batch, heard.over)
