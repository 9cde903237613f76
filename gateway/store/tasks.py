"""Tasks as commit 2 writes them, and as decisions and people read them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import product
from typing import Any

from sqlalchemy import Connection, Row, select

from gateway.model import Task, TaskState
from gateway.reasons import read_reason, reason_json
from gateway.store import tables
from gateway.store.batch import Batch
from gateway.store.sql import among, from_json, from_time, maybe_from_time, maybe_to_time, to_json, to_time

_tasks = tables.tasks.c
_WAITING = [state.value for state in TaskState if state.waits]


def write(batch: Batch, task: Task) -> None:
    """Collect the row of a task as it is then."""
    row = (
        task.id,
        task.version,
        task.kind,
        task.case_id,
        task.track,
        task.office,
        task.act,
        to_json(dict(task.options)),
        to_time(task.opened_at),
        maybe_to_time(task.due_at),
        task.state.value,
        to_json([reason_json(reason) for reason in task.reasons]),
        to_json(list(task.evidence)),
        task.option,
        task.decided_by,
        maybe_to_time(task.decided_at),
        task.test,
        task.person_id,
        maybe_to_time(task.claimed_until),
        to_json(list(task.barred)),
    )
    batch.insert(tables.tasks, row, "replace")
    for exhibit_id in task.evidence:
        batch.insert(tables.task_exhibits, (exhibit_id, task.id), "ignore")


def read(connection: Connection, ids: Collection[str]) -> dict[str, Task]:
    """Tasks by id; those that are not there are left out."""
    if not ids:
        return {}
    query = select(tables.tasks).where(among(_tasks.id, ids))
    return {row.id: task_from(row) for row in connection.execute(query)}


def read_open(connection: Connection, case_ids: Collection[str]) -> Iterable[Task]:
    """The tasks about these cases that wait, whoever has claimed them."""
    if not case_ids:
        return ()
    query = select(tables.tasks).where(among(_tasks.case_id, case_ids), among(_tasks.state, _WAITING))
    return [task_from(row) for row in connection.execute(query)]


def read_decided(connection: Connection, case_ids: Collection[str]) -> Iterable[Task]:
    """The tasks about these cases that were decided."""
    if not case_ids:
        return ()
    query = select(tables.tasks).where(among(_tasks.case_id, case_ids), _tasks.state == TaskState.DECIDED.value)
    return [task_from(row) for row in connection.execute(query)]


def read_waiting(connection: Connection, offices: Collection[str], after: str, limit: int, *, test: bool) -> list[Task]:
    """Tasks of these offices that wait, in the order of their ids, which begin with the time they were asked."""
    found: list[Task] = []
    for office, state in product(sorted(offices), _WAITING):  # each walks the index by itself; there are few
        query = select(tables.tasks).where(
            _tasks.office == office, _tasks.state == state, _tasks.test == test, _tasks.id > after
        )
        found += [task_from(row) for row in connection.execute(query.order_by(_tasks.id).limit(limit))]
    return sorted(found, key=lambda task: task.id)[:limit]


def task_from(row: Row[Any]) -> Task:
    """The task of a row of its table."""
    return Task(
        row.id,
        row.version,
        row.kind,
        row.case_id,
        row.track,
        row.office,
        row.act,
        from_json(row.options),
        from_time(row.opened_at),
        due_at=maybe_from_time(row.due_at),
        state=TaskState(row.state),
        reasons=tuple(read_reason(reason) for reason in from_json(row.reasons)),
        evidence=tuple(from_json(row.evidence)),
        option=row.option,
        decided_by=row.decided_by,
        decided_at=maybe_from_time(row.decided_at),
        test=row.test,
        person_id=row.person_id,
        claimed_until=maybe_from_time(row.claimed_until),
        barred=tuple(from_json(row.barred)),
    )
