"""The decision flow: a person's decision on a task fires its option's event, or is answered with why it cannot.

    settled     the option's event has happened to the task's case; the answer has the task's new version
    moved on    the task was decided or withdrawn meanwhile, or is not the one that was looked at: what it is now
    refused     no such task or option, another office's task, or an event that may not happen to the case any more

Whoever decides waits for that answer, so that it is decided at once. The flow that owns the track, and every other one,
does what follows by reacting to the event.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.decide.answers import Subject, fault, refuse, response
from gateway.decide.desk import Desk
from gateway.decide.effects import Effect, Respond, Settle
from gateway.decide.facts import CaseById, TaskById
from gateway.decide.flow import Flow, Takes
from gateway.decide.parties import BUREAU, identified
from gateway.documents.decision import Decision
from gateway.documents.response import Outcome
from gateway.model import Case, Finding, Task, TaskState


def decide(desk: Desk) -> list[Effect]:
    """What a decision comes to: the task is settled by its option, or the sender learns why not."""
    decision = desk.document
    assert isinstance(decision, Decision)
    task = desk.facts[TaskById(decision.task, desk.test)]
    subject = Subject("decision", number=decision.task)
    if task is None or not _is_asked_of(task, desk):
        # Whether another office has such a task is that office's to know.
        return refuse(desk, subject, [fault("decide.task.unknown", "task", decision.task)])
    case = desk.facts[CaseById(task.case_id, desk.test)]
    if moved_on := list(_changes_since(task, decision)):
        return _answer_changed(desk, subject, moved_on, task)
    if why := list(_faults(desk, task, case, decision)):
        return refuse(desk, subject, why, task.case_id)
    answer = response(desk, subject, Outcome.ACCEPTED, desk.sender.language, organisation=decision.office)
    said = tuple(fault("decide.told", "reasons", text=text, answer=decision.option) for text in decision.reasons)
    return [
        Settle(task.id, decision.option, said),
        Respond(task.case_id, answer.model_copy(update={"task_version": task.version + 1})),
    ]


def _is_asked_of(task: Task, desk: Desk) -> bool:
    """Whether the sender is whom the task is asked of: its office, or anybody where it names none."""
    return not task.office or task.office in identified(desk.sender, BUREAU)


def _changes_since(task: Task, decision: Decision) -> Iterator[Finding]:
    """What has happened to the task since it was looked at."""
    if task.state is not TaskState.OPEN:
        yield fault(
            "decide.task.moved_on", "task", task.id, state=task.state, option=task.option or "–", at=task.decided_at
        )
    elif task.version != decision.task_version:
        yield fault("decide.task.changed", "task_version", decision.task_version, version=task.version)


def _answer_changed(desk: Desk, subject: Subject, why: list[Finding], task: Task) -> list[Effect]:
    """Nothing comes of a decision on what has moved on; its sender learns what the task is now."""
    told = refuse(desk, subject, why, task.case_id)
    return [
        Respond(effect.case, effect.document.model_copy(update={"task_version": task.version}))
        if isinstance(effect, Respond)
        else effect
        for effect in told
    ]


def _faults(desk: Desk, task: Task, case: Case | None, decision: Decision) -> Iterator[Finding]:
    """Why the option cannot be chosen."""
    event = task.options.get(decision.option)
    if event is None:
        yield fault("decide.task.option", "option", decision.option, options=", ".join(sorted(task.options)))
        return
    if decision.office and task.office and decision.office != task.office:
        yield fault("decide.task.office", "office", decision.office, office=task.office)
    step = desk.step(case, task.track, event) if case is not None else None
    if case is None or step is None or step.late:
        status = case.status if case is not None else "–"
        yield fault("decide.status.not_allowed", "option", decision.option, event=event, status=status)


FLOW = Flow("decision", takes=(Takes(Decision),), decide=decide, at_once=True)
