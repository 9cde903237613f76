"""Standing alerts: what somebody must look at, one for each cause, counted, until a person settles it or its cause ends.

Each alert is an entry of the feed; a standing one is what entries of one kind and cause have in common: since when, how
often, who took it. The next entry after it was settled begins another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, select, text, update

from gateway.decide.names import Name
from gateway.errors import GatewayError, NotFound, TransitionRefused
from gateway.model import AlertState, FeedEntry, StandingAlert
from gateway.store import audit, tables
from gateway.store.batch import Batch
from gateway.store.contract import AlertOrder, StandingWanted
from gateway.store.sql import from_time, insert_rows, maybe_from_time, maybe_to_time, to_time

if TYPE_CHECKING:  # the writer knows the log's breaks, which are counted here
    from gateway.store.writer import Answers

_columns = tables.standing_alerts.c
_OPEN = text("state <> 'settled'")

KIND, CAUSE, PARTNER = "alert", "cause", "partner"
"""Keys of an alert's entry: what it is, what it is about, and whose."""


def count(connection: Connection, entry: FeedEntry, sequence: int, at: int) -> None:
    """Count an alert that has just got its place on the feed. Nobody else counts meanwhile: the log has been entered."""
    kind, cause, partner_id = (entry.keys.get(name, "") for name in (KIND, CAUSE, PARTNER))
    about = (_columns.kind == kind, _columns.cause == cause, _columns.test == entry.test, _OPEN)
    more = {"times": _columns.times + 1, "last_at": at, "last": sequence, "case_id": entry.case_id}
    if connection.execute(update(tables.standing_alerts).where(*about).values(more)).rowcount:
        return
    id_ = f"test-{sequence}" if entry.test else str(sequence)
    stands = (1, at, at, sequence, AlertState.OPEN.value, "", "", None, None)
    row = (id_, kind, cause, entry.test, partner_id, entry.case_id, *stands)
    insert_rows(connection, tables.standing_alerts, [row])


def end(connection: Connection, kind: str, cause: str, at: datetime) -> None:
    """Settle what stands of a cause that has ended by itself. In a batch, once the log has been entered: see `order`."""
    about = (_columns.kind == kind, _columns.cause == cause, _columns.test.is_(False), _OPEN)
    ended = {"state": AlertState.SETTLED.value, "settled_at": to_time(at), "said": "", "by": ""}
    connection.execute(update(tables.standing_alerts).where(*about).values(ended))


def standing_from(row: Row[Any]) -> StandingAlert:
    """The standing alert of a row of its table."""
    return StandingAlert(
        row.id,
        row.kind,
        row.cause,
        row.test,
        row.partner_id,
        row.case_id,
        row.times,
        from_time(row.first_at),
        from_time(row.last_at),
        row.last,
        AlertState(row.state),
        row.by,
        row.said,
        maybe_from_time(row.settled_at),
        maybe_from_time(row.silent_until),
    )


def read(connection: Connection, wanted: StandingWanted, limit: int, after: str) -> list[StandingAlert]:
    """Standing alerts, the one that began last first, behind the one whose id is `after`."""
    query = select(tables.standing_alerts).where(_columns.test == wanted.test)
    for column, value in (
        (_columns.state, wanted.state),
        (_columns.kind, wanted.kind),
        (_columns.partner_id, wanted.partner_id),
    ):
        if value:
            query = query.where(column == value)
    if after:
        begun = connection.execute(select(_columns.first_at).where(_columns.id == after)).scalar()
        if begun is None:
            return []
        query = query.where((_columns.first_at < begun) | ((_columns.first_at == begun) & (_columns.id < after)))
    rows = connection.execute(query.order_by(_columns.first_at.desc(), _columns.id.desc()).limit(limit))
    return [standing_from(row) for row in rows]


def find(connection: Connection, id_: str) -> StandingAlert:
    """One standing alert; NotFound."""
    row = connection.execute(select(tables.standing_alerts).where(_columns.id == id_)).one_or_none()
    if row is None:
        raise NotFound(alert_id=id_)
    return standing_from(row)


def silent(connection: Connection, now: datetime) -> set[tuple[str, str]]:
    """Kinds and causes of live alerts of which nobody is to be notified now."""
    query = select(_columns.kind, _columns.cause).where(
        text("silent_until IS NOT NULL"), _columns.silent_until > to_time(now), _columns.test.is_(False)
    )
    return {(row.kind, row.cause) for row in connection.execute(query)}


def order_name(order: AlertOrder) -> Name:
    """What an order touches."""
    return ("standing alert", order.id)


def order(batch: Batch, orders: Sequence[AlertOrder]) -> Callable[[], Answers[None]]:
    """Take, settle or silence standing alerts; NotFound, or TransitionRefused of what is settled already.

    All of it is done once the log has been entered, as whoever counts does: a row that was held before would have one
    who counts wait in the log for one who waits for the log.
    """

    def finish() -> list[GatewayError | None]:
        answers: list[GatewayError | None] = []
        for one in orders:
            # One by one, so that each finds what the one before has made of it.
            row = batch.connection.execute(select(tables.standing_alerts).where(_columns.id == one.id)).one_or_none()
            if row is None:
                answers.append(NotFound(alert_id=one.id))
            elif one.state is not None and row.state == AlertState.SETTLED:
                answers.append(TransitionRefused(f"The alert is {row.state}.", alert_id=one.id))
            else:
                _carry_out(batch, row, one)
                answers.append(None)
        return answers

    return finish


def _carry_out(batch: Batch, row: Row[Any], one: AlertOrder) -> None:
    changes: dict[str, Any] = {}
    if one.state is not None:
        changes = {"state": one.state.value, "by": one.by.person_id, "said": one.said}
        if one.state is AlertState.SETTLED:
            changes["settled_at"] = to_time(one.at)
    if one.silent_until is not None:
        changes["silent_until"] = maybe_to_time(one.silent_until)
    batch.connection.execute(update(tables.standing_alerts).where(_columns.id == one.id).values(changes))
    action = {AlertState.TAKEN: "alert.take", AlertState.SETTLED: "alert.settle", None: "alert.silence"}[one.state]
    after = {
        "state": one.state.value if one.state else row.state,
        "why": one.said,
        "silent_until": one.silent_until.isoformat() if one.silent_until else "",
    }
    before = {"state": row.state, "alert": row.kind, "cause": row.cause}
    named = {"before": before, "after": after, "case_id": row.case_id, "test": row.test}
    batch.tell(audit.entry_of_order(action, row.id, one.at, one.by, **named))
