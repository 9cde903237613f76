"""Deliveries that were handed over and await a confirmation: how they begin to wait, and what ends that.

One that awaits its confirmation stands in no lane: the recipient has it, in the order of the lane, and only the proof of
that is still to come, in hours or days, for which the next one must not wait. It is found by what the confirmation names.
Where the confirmation does not come in time, or says that it is to be sent again, the delivery comes back into its lane,
before all that followed it; a dead one holds its lane from then on, as every dead one does.

A confirmation may overtake the report of the very attempt that it confirms, so one that nobody awaits is kept, and counts
when a report says that it is awaited. A crash between handing over and reporting loses nothing either: the delivery goes
again under its id, and the confirmation of the first attempt, or of the second, finds it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, select, text, update

from gateway.decide.names import Name
from gateway.errors import GatewayError
from gateway.model import DeliveryState
from gateway.store import tables
from gateway.store.alerts import raise_alert
from gateway.store.batch import Batch
from gateway.store.contract import (
    UNCONFIRMED,
    Alert,
    AttemptResult,
    Awaited,
    Awaits,
    Confirmation,
    ConfirmationKey,
    Settled,
    Settlement,
)
from gateway.store.deliveries import (
    Over,
    copy_row,
    delivery_from,
    delivery_names,
    die,
    lane_names,
    leave,
    lock_rows,
    place,
    put_in_order,
)
from gateway.store.delivery_states import SUCCESS, DeliveryEvent, follow
from gateway.store.sql import among, from_time, matching, to_time
from gateway.store.writer import Answers

EARLY_KEPT = 1000
"""Confirmations of one partner that are kept though nobody awaits them: far more than can overtake a report, and few
enough that a partner who makes up references fills nothing."""
EARLY_LIFE = timedelta(days=7)
"""How long they are kept: longer than a node may be away between handing something over and reporting it."""
ANSWER_KEPT = 64 * 1024
"""Bytes of what a recipient returned that are kept with one: as many as are read of an answer over HTTP."""

_hot, _done, _columns = tables.deliveries.c, tables.deliveries_done.c, tables.confirmations.c
_KEY = (_columns.partner_id, _columns.transport, _columns.reference)
_EARLY = text("delivery_id = ''")


def confirmation_name(awaits: Awaits | ConfirmationKey) -> Name:
    """The name of a confirmation, so that its coming and the beginning of the wait for it are one after the other."""
    return ("confirmation", *(awaits.key if isinstance(awaits, Awaits) else awaits))


def _rows(connection: Connection, keys: Iterable[ConfirmationKey]) -> dict[ConfirmationKey, Row[Any]]:
    query = select(tables.confirmations).where(matching(_KEY, list(keys)))
    return {(row.partner_id, row.transport, row.reference): row for row in connection.execute(query)}


# Begins to wait.


def find_early(batch: Batch, awaits: Sequence[Awaits]) -> dict[ConfirmationKey, Row[Any]]:
    """What has come before anybody awaited it."""
    if not awaits:
        return {}
    found = _rows(batch.connection, {one.key for one in awaits})
    return {key: row for key, row in found.items() if not row.delivery_id}


def begin_waiting(batch: Batch, row: Row[Any], result: AttemptResult, awaits: Awaits, early: Row[Any] | None) -> None:
    """Take a delivery out of its lane until its confirmation comes, or is overdue. One that came early is due at once."""
    at, until = to_time(result.at), to_time(awaits.until)
    state = follow(row.state, DeliveryEvent.HANDED_OVER, row.id)
    common = copy_row(row, state=state.value, next_at=until, last_error="")
    batch.insert(tables.deliveries, place(common, head=False, due_at=until if early is None else at), "replace")
    key, came = awaits.key, (at, "", "", "", b"", "")
    if early is not None:
        came = (early.at, early.verdict, early.kind, early.detail, early.answer, early.digest)
    batch.insert(tables.confirmations, (*key, row.id, result.number, *came, None), "replace")


# What is awaited.


def awaited(connection: Connection, key: ConfirmationKey) -> Awaited | None:
    """The delivery that this confirmation is about; None where nobody awaits it."""
    row = _rows(connection, [key]).get(key)
    if row is None or not row.delivery_id:
        return None
    for table in (tables.deliveries, tables.deliveries_done):
        found = connection.execute(select(table).where(table.c.id == row.delivery_id)).one_or_none()
        if found is not None:
            return Awaited(key, delivery_from(found), row.settled_at is not None)
    return None  # what is over may be archived by now


_OVERDUE = text("state = 'awaiting'")


def overdue(connection: Connection, limit: int, moment: int) -> list[Awaited]:
    """Deliveries that are due, longest due first, each with what came too early."""
    query = select(tables.deliveries).where(_OVERDUE, _hot.due_at <= moment).order_by(_hot.due_at).limit(limit)
    due = {row.id: row for row in connection.execute(query)}
    if not due:
        return []
    # Of several attempts the last is waited for.
    waits = select(tables.confirmations).where(among(_columns.delivery_id, list(due)), _columns.settled_at.is_(None))
    last = {row.delivery_id: row for row in connection.execute(waits.order_by(_columns.number))}
    return [
        Awaited((row.partner_id, row.transport, row.reference), delivery_from(due[id_]), came=_came(row))
        for id_ in due
        if (row := last.get(id_)) is not None
    ]


def _came(row: Row[Any]) -> Confirmation | None:
    """What came early; None where nothing did."""
    if not row.verdict:
        return None
    key = (row.partner_id, row.transport, row.reference)
    return Confirmation(key, row.verdict, from_time(row.at), row.kind, row.detail, row.answer, row.digest)


# Comes.


def early_names(confirmation: Confirmation) -> Iterable[Name]:
    """What keeping a confirmation touches: it, and how many of its partner are kept."""
    yield confirmation_name(confirmation.key)
    yield ("confirmations", confirmation.key[0])


def keep_early(batch: Batch, came: Sequence[Confirmation]) -> Sequence[Settled | GatewayError]:
    """Keep confirmations that nobody awaits; of each partner the newest EARLY_KEPT, each for EARLY_LIFE."""
    known = _rows(batch.connection, {one.key for one in came})
    answers: list[Settled | GatewayError] = []
    kept: dict[str, int] = {}
    for one in came:
        row = known.get(one.key)
        if row is not None and row.delivery_id:
            answers.append(Settled.MOVED)
            continue
        at = to_time(one.at)
        rest = (one.verdict, one.kind, one.detail, one.answer[:ANSWER_KEPT], one.digest, None)
        # Of two, the first counts: it was said first, as of two confirmations that are awaited.
        batch.insert(tables.confirmations, (*one.key, "", 0, at, *rest), "ignore")
        kept[one.key[0]] = max(at, kept.get(one.key[0], 0))
        answers.append(Settled.EARLY)
    batch.flush()
    for partner_id, at in kept.items():
        _forget_early(batch.connection, partner_id, at - EARLY_LIFE // timedelta(microseconds=1))
    return answers


def _forget_early(connection: Connection, partner_id: str, before: int) -> None:
    early = (_EARLY, _columns.partner_id == partner_id)
    surplus = select(_columns.at).where(*early).order_by(_columns.at.desc()).offset(EARLY_KEPT).limit(1)
    oldest = connection.execute(surplus).scalar()
    floor = before if oldest is None else max(before, oldest + 1)
    connection.execute(delete(tables.confirmations).where(*early, _columns.at < floor))


def settlement_names(settlement: Settlement) -> Iterable[Name]:
    """What a confirmation touches."""
    yield confirmation_name(settlement.awaited.key)
    yield from delivery_names(settlement.awaited.delivery.id)
    yield from lane_names([settlement.awaited.delivery.lane])


def settle(batch: Batch, settlements: Sequence[Settlement]) -> Callable[[], Answers[tuple[Settled, Alert | None]]]:
    """Make of deliveries what their confirmations, or the lack of them, say; what each came to, and its alert if it died."""
    rows = lock_rows(batch.connection, [one.awaited.delivery.id for one in settlements])
    known = _rows(batch.connection, {one.awaited.key for one in settlements})
    over: list[Over] = []
    back: set[str] = set()
    """Lanes into which something comes back."""
    counted: list[Settlement] = []
    answers: list[tuple[Settled, Alert | None] | GatewayError] = []
    seen: set[str] = set()
    for one in settlements:
        id_, waits = one.awaited.delivery.id, known.get(one.awaited.key)
        if waits is None or waits.delivery_id != id_ or id_ in seen:
            answers.append((Settled.MOVED, None))
            continue
        seen.add(id_)
        row = rows.get(id_)
        came_to = _judge(one, waits, row)
        alert: Alert | None = None
        if came_to is Settled.COUNTED:
            assert row is not None, "what counts is about a delivery that is not over"
            if one.verdict in SUCCESS:
                state = follow(row.state, SUCCESS[one.verdict], row.id)
                over.append(Over(row, state, to_time(one.at), ""))
                counted.append(one)
            else:
                alert = _send_again(batch, row, one)
                back.add(row.lane)
            _end_attempt(batch.connection, waits, one)
        if came_to is Settled.COUNTED and one.verdict == UNCONFIRMED:
            pass  # the confirmation may still come, and then counts
        elif came_to in {Settled.COUNTED, Settled.LATE}:
            _mark(batch.connection, one)
        answers.append((came_to, alert))
    batch.hold(lane_names([*(gone.row.lane for gone in over), *back]))

    def finish() -> Answers[tuple[Settled, Alert | None]]:
        for one in counted:
            for receipt in one.receipts:
                batch.append(receipt)
        for answer in answers:
            if isinstance(answer, tuple) and answer[1] is not None:
                raise_alert(batch, answer[1])
        leave(batch, over)
        if back:
            put_in_order(batch.connection, back)
        return answers

    return finish


def _judge(one: Settlement, waits: Row[Any], row: Row[Any] | None) -> Settled:
    """What a settlement comes to."""
    if one.verdict == UNCONFIRMED:
        overdue_ = row is not None and row.state == DeliveryState.AWAITING and row.due_at <= to_time(one.at)
        same = overdue_ and row is not None and row.fence == one.awaited.delivery.fence and waits.settled_at is None
        return Settled.COUNTED if same else Settled.MOVED
    if waits.settled_at is not None:
        return Settled.REPEATED
    if row is None:
        return Settled.LATE
    if one.verdict in SUCCESS:
        return Settled.COUNTED  # whatever it is about to do: the recipient has it
    if row.state != DeliveryState.AWAITING or row.attempts != waits.number:
        return Settled.LATE  # it is on its way again, or dead, and the word of an earlier attempt makes nothing worse
    return Settled.COUNTED if row.fence == one.awaited.delivery.fence else Settled.MOVED


def _send_again(batch: Batch, row: Row[Any], one: Settlement) -> Alert | None:
    """Put a delivery back into its lane, due later; dead, with the alert, where it is not to be tried again."""
    if one.next_at is None:
        return die(batch, row, one.detail, one.at, head=False)
    next_at = to_time(one.next_at)
    state = follow(row.state, DeliveryEvent.DEFERRED, row.id)
    common = copy_row(row, state=state.value, next_at=next_at, last_error=one.detail)
    batch.insert(tables.deliveries, place(common, head=False, due_at=next_at), "replace")
    return None


def _end_attempt(connection: Connection, waits: Row[Any], one: Settlement) -> None:
    """Say of the attempt that was handed over how it ended."""
    attempts = tables.attempts
    which = (attempts.c.delivery_id == waits.delivery_id, attempts.c.number == waits.number)
    ended = {"outcome": one.verdict, "ended_at": to_time(one.at), "detail": one.detail}
    connection.execute(update(attempts).where(*which).values(**ended))


def _mark(connection: Connection, one: Settlement) -> None:
    """Keep what came; a second one changes nothing from now on. The bytes of one that was early have served."""
    which = [column == value for column, value in zip(_KEY, one.awaited.key, strict=True)]
    said = {"verdict": one.verdict, "settled_at": to_time(one.at), "detail": one.detail, "answer": b""}
    connection.execute(update(tables.confirmations).where(*which).values(**said))
