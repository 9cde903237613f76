"""Deadlines: terms that the store keeps until they are over, claimed like payloads, by any node."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Integer, Row, bindparam, case, delete, func, or_, select, update

from gateway.decide.names import Name, work_name
from gateway.errors import GatewayError, LeaseLost, NotFound
from gateway.model import Deadline
from gateway.store import breaks, tables
from gateway.store.batch import Batch
from gateway.store.contract import ClaimedDeadline, Work, WorkKind
from gateway.store.sql import among, from_json, from_time, to_json, to_time
from gateway.store.writer import Answers

_deadlines, _inbox = tables.deadlines.c, tables.inbox.c

PATIENCE = timedelta(seconds=60)
"""How long a deadline waits at most for messages that were received before it and are not decided yet."""
SETTLING = timedelta(seconds=1)
"""How long a deadline waits in any case: what was received just before it may still be on its way into the inbox."""
NOBODY = "?"
"""Who holds what a node without a name has claimed: a break of the log finds what is held by its holder."""
_LOOKED_AT = 500
"""Payloads of the inbox, the first ones, among which the one that was received first is looked for: they stand in the
order of their commits, which differs from that of their arrivals by less than this many."""


@dataclass(frozen=True, slots=True)
class DueWanted:
    """A worker's wish for deadlines that are over."""

    limit: int
    lease: timedelta
    now: datetime
    node: str = ""


@dataclass(frozen=True, slots=True)
class Handing:
    """A claimed deadline that is given back, to be claimed from `wake_at` on; `HELD_LEASE` leaves it to the operator."""

    work: Work
    wake_at: int
    begun: int


@dataclass(frozen=True, slots=True)
class Revival:
    """A deadline that was left to the operator, and shall be decided after all."""

    deadline_id: str
    at: int


def handing_names(handing: Handing) -> Iterable[Name]:
    """What giving back touches."""
    yield work_name(handing.work.kind, handing.work.id)


def revival_names(revival: Revival) -> Iterable[Name]:
    """What a revival touches."""
    yield work_name(WorkKind.DEADLINE, revival.deadline_id)


@dataclass(frozen=True, slots=True)
class Beginning:
    """Deadlines that are to be set, unless they are."""

    deadlines: tuple[Deadline, ...]


def beginning_names(beginning: Beginning) -> Iterable[Name]:
    """What a beginning touches."""
    return (work_name(WorkKind.DEADLINE, one.id) for one in beginning.deadlines)


_FIRST = select(_inbox.received_at).order_by(_inbox.arrival).limit(_LOOKED_AT).subquery()
_RECEIVED_FIRST = select(func.min(_FIRST.c.received_at))
_OVER = (
    select(tables.deadlines)
    .where(
        _deadlines.wake_at <= bindparam("settled"),
        or_(_deadlines.due_at < bindparam("decided"), _deadlines.due_at < bindparam("patience")),
    )
    .order_by(_deadlines.wake_at)
    .limit(bindparam("limit", type_=Integer))
    .with_for_update(skip_locked=True, of=tables.deadlines)
)
_TAKE = (
    update(tables.deadlines)
    .where(among.named(_deadlines.id, "ids"))
    .values(
        wake_at=bindparam("until"),
        fence=case((_deadlines.fence >= bindparam("moment"), _deadlines.fence + 1), else_=bindparam("moment")),
        begun=_deadlines.begun + 1,
        holder=bindparam("node"),
    )
)


def any_over(connection: Connection, wanted: DueWanted) -> bool:
    """Whether any deadline is over; asked each time before one is claimed, which is a write."""
    query = select(_deadlines.id).where(_deadlines.wake_at <= to_time(wanted.now - SETTLING)).limit(1)
    return connection.execute(query).first() is not None


def claim(connection: Connection, wanted: DueWanted) -> list[ClaimedDeadline]:
    """Take the oldest deadlines that are over and that nobody holds."""
    moment = to_time(wanted.now)
    settled = to_time(wanted.now - SETTLING)
    if breaks.are_open(connection):
        return []
    first = connection.execute(_RECEIVED_FIRST).scalar()
    found = connection.execute(
        _OVER,
        {
            "settled": settled,
            "decided": moment if first is None else first,
            "patience": to_time(wanted.now - PATIENCE),
            "limit": wanted.limit,
        },
    ).all()
    if not found:
        return []
    until = to_time(wanted.now + wanted.lease)
    connection.execute(
        _TAKE, {"ids": [row.id for row in found], "until": until, "moment": moment, "node": wanted.node or NOBODY}
    )
    return [
        ClaimedDeadline(deadline_from(row), max(row.fence + 1, moment), row.begun)
        for row in sorted(found, key=lambda row: row.due_at)
    ]


def claims(batch: Batch, wanted: Sequence[DueWanted]) -> Callable[[], Answers[list[ClaimedDeadline]]]:
    """`claim` as a part of a batch."""
    return lambda: [claim(batch.connection, one) for one in wanted]


def deadline_from(row: Row[Any]) -> Deadline:
    """The deadline of a row of its table."""
    return Deadline(row.id, row.kind, row.case_id, from_time(row.due_at), from_json(row.args), row.test)


_FENCES = (
    select(_deadlines.id, _deadlines.fence, _deadlines.test).where(among.named(_deadlines.id, "ids")).with_for_update()
)


def read_fences(connection: Connection, ids: Sequence[str]) -> dict[str, Any]:
    """Rows with id, fence and traffic of deadlines by id, kept from being claimed until this transaction ends."""
    if not ids:
        return {}
    return {row.id: row for row in connection.execute(_FENCES, {"ids": list(ids)})}


def write(batch: Batch, deadlines: Mapping[str, Deadline | None]) -> None:
    """Set deadlines, whatever they were before, and take away those that are None."""
    undone = [id_ for id_, deadline in deadlines.items() if deadline is None]
    if undone:
        remove(batch.connection, undone)
    for deadline in deadlines.values():
        if deadline is not None:
            batch.insert(tables.deadlines, _row(deadline), "replace")


def begin(batch: Batch, beginnings: Sequence[Beginning]) -> Sequence[GatewayError | None]:
    """Set deadlines that are not set yet."""
    for one in beginnings:
        for deadline in one.deadlines:
            batch.insert(tables.deadlines, _row(deadline), "ignore")
    return [None for _ in beginnings]


def _row(deadline: Deadline) -> tuple[Any, ...]:
    at = to_time(deadline.at)
    args = to_json(dict(deadline.args))
    return (deadline.id, deadline.kind, deadline.case_id, at, at, args, deadline.test, 0, 0, "")


def remove(connection: Connection, ids: Sequence[str]) -> None:
    """Take deadlines away, those that are decided too."""
    connection.execute(delete(tables.deadlines).where(among(_deadlines.id, list(ids))))


def give_back(batch: Batch, handings: Sequence[Handing]) -> Sequence[GatewayError | None]:
    """End claims without a decision."""
    held = read_fences(batch.connection, [one.work.id for one in handings])
    answers: list[GatewayError | None] = []
    for one in handings:
        row = held.get(one.work.id)
        if row is None or row.fence != one.work.fence:
            answers.append(LeaseLost(deadline_id=one.work.id))
            continue
        batch.connection.execute(
            update(tables.deadlines)
            .where(_deadlines.id == one.work.id)
            .values(wake_at=one.wake_at, begun=one.begun, holder="")
        )
        answers.append(None)
    return answers


def revive(batch: Batch, revivals: Sequence[Revival]) -> Sequence[GatewayError | None]:
    """Let deadlines that were left to the operator be claimed again, as if for the first time."""
    answers: list[GatewayError | None] = []
    for one in revivals:
        done = batch.connection.execute(
            update(tables.deadlines)
            .where(_deadlines.id == one.deadline_id, _deadlines.wake_at == tables.HELD_LEASE)
            .values(wake_at=one.at, begun=0)
        )
        answers.append(None if done.rowcount else NotFound(deadline_id=one.deadline_id))
    return answers


def buried(connection: Connection, limit: int) -> list[Deadline]:
    """Deadlines that were left to the operator, the oldest first."""
    query = select(tables.deadlines).where(_deadlines.wake_at == tables.HELD_LEASE)
    return [deadline_from(row) for row in connection.execute(query.order_by(_deadlines.due_at).limit(limit))]
