"""Resending: what is over goes into its lane once more, unless it, or its bytes, are in an archive.

An archive takes deliveries away, and bytes, under the names of the payloads that they came of. So whoever resends one holds
that name, and looks only then: of the two, one finds what the other has done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, select

from gateway.errors import Archived, GatewayError, NotFound, PermanentError
from gateway.store import retention, tables
from gateway.store.batch import Batch
from gateway.store.bodies import Wanted, check_not_archived
from gateway.store.deliveries import (
    SEQUENCE,
    Order,
    copy_row,
    lane_names,
    lanes_with_head,
    place,
    say_absent,
    tell_order,
)
from gateway.store.delivery_states import DeliveryEvent, follow
from gateway.store.payloads import payload_names
from gateway.store.sql import among, to_time
from gateway.store.writer import Answers

_done = tables.deliveries_done


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
        tell_order(batch, "delivery.resend", order, row, state)
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
    error = say_absent(connection, delivery_id)
    if isinstance(error, NotFound) and (gone := retention.find_archive(connection, retention.DELIVERY, delivery_id)):
        return Archived.of(gone.archive)
    return error
