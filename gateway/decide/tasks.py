"""Tasks: decisions that wait for a person, and what becomes of them.

A task stands on a track of a case. Deciding it fires the event of the chosen option there, as `Settle` says. A system
that sends the same decision as a document of its own (a bureau's response, customs' release) settles the task as well:
what moved the track by an option's event has decided it, and a task none of whose options may happen any more is
withdrawn (`follow.close_tasks`).

    open                     -> claimed       a person is at it; others keep away until the claim is over
    claimed                  -> open          given back
    open, claimed, escalated -> escalated     its term is over: asked of the office above, due anew
    open, claimed, escalated -> expired       its term is over, and there is no office above: still to be decided
    any of these             -> decided       by an option, or by what moved the track as an option would have
    any of these             -> withdrawn     nothing that it asks can be decided any more

Decided and withdrawn are final.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.decide.effects import Ask, Claim, Escalate
from gateway.model import ActDone, Task, TaskState, derive_id

CLAIM, GIVE_BACK = "claim", "return"
"""Options of every task beside its own: who chooses them claims it, or gives it back."""
DEADLINE = "task"
"""The kind of deadlines at which tasks' terms are over; the engine's own."""


@dataclass(frozen=True, slots=True)
class TaskKind:
    """A kind of tasks that a flow asks."""

    name: str
    track: str
    act: str
    """The act that deciding is: accept, review, inspect, sign, release ..."""
    options: Mapping[str, str]
    """Event on the track by option."""


def name_term(task_id: str) -> str:
    """The id of the deadline at which a task's term is over."""
    return derive_id(task_id, "deadline", DEADLINE)


def make_task(ask: Ask, kind: TaskKind, *, at: datetime, due_at: datetime | None, test: bool) -> Task:
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
        due_at=due_at,
        reasons=ask.reasons,
        evidence=ask.evidence,
        test=test,
        barred=ask.barred,
    )


def decide_task(task: Task, option: str, occasion: str, person_id: str, at: datetime) -> Task:
    """`task` once it is decided by `option`, or withdrawn where that is empty; `person_id` is empty for a system."""
    state = TaskState.DECIDED if option else TaskState.WITHDRAWN
    return replace(
        task,
        version=task.version + 1,
        state=state,
        option=option,
        decided_by=occasion,
        decided_at=at,
        person_id=person_id if option else "",
        claimed_until=None,
    )


def claim_task(task: Task, claim: Claim, person_id: str) -> Task:
    """`task` once the person has claimed it, or holds it longer."""
    return replace(
        task, version=task.version + 1, state=TaskState.CLAIMED, person_id=person_id, claimed_until=claim.until
    )


def give_back(task: Task) -> Task:
    """`task` once nobody claims it any more."""
    return replace(task, version=task.version + 1, state=TaskState.OPEN, person_id="", claimed_until=None)


def escalate_task(task: Task, escalation: Escalate) -> Task:
    """`task` once its term is over: the office above's, due anew, or expired."""
    return replace(
        task,
        version=task.version + 1,
        state=TaskState.ESCALATED if escalation.office else TaskState.EXPIRED,
        office=escalation.office or task.office,
        due_at=escalation.due_at,
        person_id="",
        claimed_until=None,
    )


def act_done(task: Task) -> ActDone:
    """What a decided task says was done on its case. ValueError for one that is not decided."""
    if task.state is not TaskState.DECIDED or task.decided_at is None:
        raise ValueError(f"{task.id} is not decided")
    return ActDone(task.act, task.person_id, task.office, task.id, task.decided_at)


def tell_standing(task: Task | None) -> dict[str, str]:
    """Where a task stands, as the audit says it."""
    if task is None:
        return {}
    told = {
        "version": str(task.version),
        "state": task.state.value,
        "office": task.office,
        "person": task.person_id,
        "option": task.option,
    }
    return {name: value for name, value in told.items() if value}
