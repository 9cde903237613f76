"""Orders: what people have done about deliveries: sent now, held, skipped, or sent once more though they are over.

Each is told to the audit with who ordered it and why. An archive takes deliveries away, and bytes, under the names of the
payloads that they came of. So whoever sends one once more holds that name, and looks only then: of the two, one finds what
the other has done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, select

from gateway.errors import Archived, GatewayError, NotFound, PermanentError, TransitionRefused
from gateway.model import OPERATOR, Changer, DeliveryState, HeldFor
from gateway.store import audit, retention, standing_alerts, tables
from gateway.store.batch import Batch
from gateway.store.bodies import Wanted, check_not_archived
from gateway.store.deliveries import (
    DEAD,
    SEQUENCE,
    Over,
    copy_row,
    lane_names,
    lanes_with_head,
    leave,
    lock_rows,
    place,
    put_in_order,
)
from gateway.store.delivery_states import DeliveryEvent, follow
from gateway.store.payloads import payload_names
from gateway.store.sql import among, to_time
from gateway.store.writer import Answers

_hot, _done = tables.deliveries.c, tables.deliveries_done


@dataclass(frozen=True, slots=True)
class Order:
    """A person's order about one delivery."""

    delivery_id: str
    at: datetime
    by: Changer = OPERATOR
    why: str = ""


def retry(batch: Batch, orders: Sequence[Order]) -> Callable[[], Answers[None]]:
    """Make dead and held deliveries due again.

    One that waits for its next attempt, or for its confirmation, is due at once.
    """
    return _reorder(batch, orders, DeliveryEvent.RETRIED, "delivery.retry")


def hold(batch: Batch, orders: Sequence[Order]) -> Callable[[], Answers[None]]:
    """Keep deliveries that wait from going before a person says so; each holds its lane, once it is its head."""
    return _reorder(batch, orders, DeliveryEvent.HELD, "delivery.hold")


def _reorder(batch: Batch, orders: Sequence[Order], event: DeliveryEvent, action: str) -> Callable[[], Answers[None]]:
    """Leave deliveries in their lanes, due at once or not before they are released."""
    rows = lock_rows(batch.connection, [order.delivery_id for order in orders])
    answers: list[GatewayError | None] = []
    lanes: set[str] = set()
    for order in orders:
        row = rows.get(order.delivery_id)
        try:
            if row is None:
                raise _say_absent(batch.connection, order.delivery_id)
            state = follow(row.state, event, row.id)
        except PermanentError as error:
            answers.append(error)
            continue
        held = state is DeliveryState.HELD
        moment = None if held else to_time(order.at)
        common = copy_row(row, state=state.value, next_at=moment)
        held_for = HeldFor.ORDERED if held else None
        batch.insert(tables.deliveries, place(common, head=row.head, due_at=moment, held_for=held_for), "replace")
        if not row.head:
            lanes.add(row.lane)
        _tell(batch, action, order, row, state)
        answers.append(None)
    batch.hold(lane_names(lanes))

    def finish() -> list[GatewayError | None]:
        if lanes:
            put_in_order(batch.connection, lanes)
        _end_deaths(batch, rows.values(), orders)
        return answers

    return finish


def _end_deaths(batch: Batch, rows: Iterable[Row[Any]], orders: Sequence[Order]) -> None:
    """Let the alert of partners' dead deliveries stand no more, where a person has dealt with the last of them."""
    batch.flush()
    for partner_id in {row.partner_id for row in rows if row.state == DeliveryState.DEAD}:
        dead = select(_hot.id).where(_hot.partner_id == partner_id, _hot.state == DeliveryState.DEAD.value).limit(1)
        if batch.connection.execute(dead).first() is None:
            standing_alerts.end(batch.connection, DEAD, partner_id, max(order.at for order in orders))


def skip(batch: Batch, orders: Sequence[Order]) -> Callable[[], Answers[None]]:
    """Take dead and held deliveries out of their lanes."""
    rows = lock_rows(batch.connection, [order.delivery_id for order in orders])
    over: list[Over] = []
    answers: list[GatewayError | None] = []
    for order in orders:
        row = rows.pop(order.delivery_id, None)
        try:
            if row is None:
                raise _say_absent(batch.connection, order.delivery_id)
            state = follow(row.state, DeliveryEvent.SKIPPED, row.id)
        except PermanentError as error:
            answers.append(error)
            continue
        over.append(Over(row, state, to_time(order.at), row.last_error))
        _tell(batch, "delivery.skip", order, row, state)
        answers.append(None)
    batch.hold(lane_names(gone.row.lane for gone in over))

    def finish() -> list[GatewayError | None]:
        leave(batch, over)
        _end_deaths(batch, [gone.row for gone in over], orders)
        return answers

    return finish


def _tell(batch: Batch, action: str, order: Order, row: Row[Any], state: DeliveryState) -> None:
    """Let the audit say who ordered what, and why."""
    after = {"state": state.value, "why": order.why}
    named = {"before": {"state": row.state}, "after": after, "case_id": row.case_id, "test": row.test}
    batch.tell(audit.entry_of_order(action, row.id, order.at, order.by, **named))


def resend(batch: Batch, orders: Sequence[Order]) -> Callable[[], Answers[None]]:
    """Put deliveries that are over at the end of their lanes once more: same bytes, same id, one more attempt at least."""
    found = _rows(batch.connection, orders).values()
    names = {name for row in found for name in payload_names(row.payload_id)}
    batch.hold([*lane_names(row.lane for row in found), *names])
    rows = _rows(batch.connection, orders)
    answers: list[GatewayError | None] = []
    back: list[tuple[Row[Any], Order]] = []
    for order in orders:
        row = rows.pop(order.delivery_id, None)
        try:
            if row is None:
                raise _absent(batch.connection, order.delivery_id)
            state = follow(row.state, DeliveryEvent.RESENT, row.id)
            check_not_archived(batch.connection, Wanted(row.id, row.sha256))
        except PermanentError as error:
            answers.append(error)
            continue
        _tell(batch, "delivery.resend", order, row, state)
        back.append((row, order))
        answers.append(None)

    def finish() -> list[GatewayError | None]:
        if not back:
            return answers
        batch.connection.execute(delete(_done).where(among(_done.c.id, [row.id for row, _ in back])))
        taken = lanes_with_head(batch.connection, {row.lane for row, _ in back})
        for row, order in back:
            state, moment = follow(row.state, DeliveryEvent.RESENT), to_time(order.at)
            common = copy_row(row, sequence=batch.next_number(SEQUENCE), state=state.value, next_at=moment)
            batch.insert(tables.deliveries, place(common, head=row.lane not in taken, due_at=moment))
            taken.add(row.lane)
        return answers

    return finish


def _rows(connection: Connection, orders: Sequence[Order]) -> dict[str, Row[Any]]:
    ids = [order.delivery_id for order in orders]
    return {row.id: row for row in connection.execute(select(_done).where(among(_done.c.id, ids)))}


def _absent(connection: Connection, delivery_id: str) -> PermanentError:
    """What to say of a delivery that is not over: where it stands, or that it is in an archive, or nowhere."""
    error = _say_absent(connection, delivery_id)
    if isinstance(error, NotFound) and (gone := retention.find_archive(connection, retention.DELIVERY, delivery_id)):
        return Archived.of(gone.archive)
    return error


def _say_absent(connection: Connection, delivery_id: str) -> PermanentError:
    """What to say of a delivery that is not where it was looked for: it stands elsewhere, or nowhere."""
    done = tables.deliveries_done.c
    state = connection.execute(select(done.state).where(done.id == delivery_id)).scalar()
    if state is not None:
        return TransitionRefused(f"The delivery is over: it is {state}.", delivery_id=delivery_id)
    if (row := lock_rows(connection, [delivery_id]).get(delivery_id)) is not None:
        return TransitionRefused(f"The delivery is not over: it is {row.state}.", delivery_id=delivery_id)
    return NotFound(delivery_id=delivery_id)
