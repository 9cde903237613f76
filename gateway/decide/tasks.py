"""Tasks: decisions that wait for a person, and what becomes of them.

A task stands on a track of a case. Deciding it fires the event of the chosen option there, as `Settle` says. A system
that sends the same decision as a document of its own (a bureau's response, customs' release) settles the task as well:
what moved the track by an option's event has decided it, and a task none of whose options may happen any more is
withdrawn (`follow.close_tasks`).

    open -> decided        by an option, or by what moved the track as an option would have
    open -> withdrawn      nothing that it asks can be decided any more
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.decide.effects import Ask
from gateway.model import Task, TaskState


@dataclass(frozen=True, slots=True)
class TaskKind:
    """A kind of tasks that a flow asks."""

    name: str
    track: str
    act: str
    """The act that deciding is: accept, review, inspect, sign, release ..."""
    options: Mapping[str, str]
    """Event on the track by option."""


def make_task(ask: Ask, kind: TaskKind, *, at: datetime, test: bool) -> Task:
    """The task that `ask` asks for."""
    return Task(
        ask.id,
        1,
        kind.name,
        ask.case,
        kind.track,
        ask.office,
        kind.act,
        kind.options,
        at,
        due_at=ask.due_at,
        reasons=ask.reasons,
        evidence=ask.evidence,
        test=test,
    )


def decide_task(task: Task, option: str, occasion: str, at: datetime) -> Task:
    """`task` once it is decided by `option`, or withdrawn where that is empty."""
    state = TaskState.DECIDED if option else TaskState.WITHDRAWN
    return replace(task, version=task.version + 1, state=state, option=option, decided_by=occasion, decided_at=at)
