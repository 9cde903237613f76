"""The decision flow: a person's decision on a task fires its option's event, or is answered with why it cannot.

    settled     the option's event has happened to the task's case; the answer has the task's new version
    claimed     the option `claim`: others keep away for a while; `return` gives the task back
    moved on    the task was decided or withdrawn meanwhile, or is not the one that was looked at: what it is now
    refused     no such task or option, evidence that is not there, another office's task, an event that may not happen to the case any more, a person
                who may not (`decide.persons`), or another's claim

Whoever decides waits for that answer, so that it is decided at once. The flow that owns the track, and every other one,
does what follows by reacting to the event. Refused attempts stand in the audit as well as what was done; who tried what
the person may not is an alert.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

from gateway.decide.answers import Subject, fault, refuse, response
from gateway.decide.desk import Desk
from gateway.decide.effects import Alert, Attempt, Claim, Effect, GiveBack, Respond, Settle
from gateway.decide.facts import ActsOn, CaseById, ExhibitById, PersonById, TaskById
from gateway.decide.flow import Flow, Takes
from gateway.decide.parties import BUREAU, identified
from gateway.decide.persons import Permit, asks_history, judge_person
from gateway.decide.tasks import CLAIM, GIVE_BACK
from gateway.documents.decision import Decision
from gateway.documents.response import Outcome
from gateway.model import Case, Finding, Task, TaskState

_ACTIONS = {CLAIM: "task.claim", GIVE_BACK: "task.return"}


def decide(desk: Desk) -> list[Effect]:
    """What a decision comes to: the task is settled by its option, or the sender learns why not."""
    decision = desk.document
    assert isinstance(decision, Decision)
    task = desk.facts[TaskById(decision.task, desk.test)]
    if task is None or not _is_asked_of(task, desk):
        # Whether another office has such a task is that office's to know.
        return _refuse(desk, decision, [fault("decide.task.unknown", "task", decision.task)], None)
    case = desk.facts[CaseById(task.case_id, desk.test)]
    if moved_on := list(_changes_since(task, decision)):
        return _answer_changed(desk, decision, moved_on, task)
    permit = _judge(desk, task)
    if not permit.holds:
        why = list(permit.faults)
        return [*_refuse(desk, decision, why, task, permit.role), Alert("role", tuple(why), task.case_id)]
    if why := [*_claims(desk, task, decision, permit), *_faults(desk, task, case, decision)]:
        return _refuse(desk, decision, why, task, permit.role)
    answer = response(desk, _subject(decision), Outcome.ACCEPTED, desk.sender.language, organisation=decision.office)
    told = Respond(task.case_id, answer.model_copy(update={"task_version": task.version + 1}))
    return [_change(desk, decision, task, permit), told]


def _change(desk: Desk, decision: Decision, task: Task, permit: Permit) -> Effect:
    """What the chosen option makes of the task."""
    if decision.option == CLAIM:
        minutes = desk.rules.acts.task(task.kind).claim_minutes
        return Claim(task.id, desk.now + timedelta(minutes=minutes), permit.role)
    if decision.option == GIVE_BACK:
        return GiveBack(task.id, permit.role)
    said = tuple(fault("decide.told", "reasons", text=text, answer=decision.option) for text in decision.reasons)
    return Settle(task.id, decision.option, said, permit.role, decision.evidence)


def _subject(decision: Decision) -> Subject:
    return Subject("decision", number=decision.task)


def _is_asked_of(task: Task, desk: Desk) -> bool:
    """Whether the sender is whom the task is asked of: its office, or anybody where it names none."""
    return not task.office or task.office in identified(desk.sender, BUREAU)


def _judge(desk: Desk, task: Task) -> Permit:
    """Whether who decides may: a system decides nothing by this document, since nobody would answer for it."""
    actor = desk.occasion.actor
    if not actor.person:
        return Permit("", (fault("decide.person.none", "", desk.sender.id),))
    person = desk.facts[PersonById(actor.person)]
    done = desk.facts[ActsOn(task.case_id, desk.test)] if asks_history(desk.rules.acts, task) else ()
    return judge_person(person, desk.sender, actor.role, task, done, desk.rules.acts, desk.occasion.at)


def _changes_since(task: Task, decision: Decision) -> Iterator[Finding]:
    """What has happened to the task since it was looked at."""
    if not task.state.waits:
        yield fault(
            "decide.task.moved_on", "task", task.id, state=task.state, option=task.option or "–", at=task.decided_at
        )
    elif task.version != decision.task_version:
        yield fault("decide.task.changed", "task_version", decision.task_version, version=task.version)


def _answer_changed(desk: Desk, decision: Decision, why: list[Finding], task: Task) -> list[Effect]:
    """Nothing comes of a decision on what has moved on; its sender learns what the task is now."""
    return [
        Respond(effect.case, effect.document.model_copy(update={"task_version": task.version}))
        if isinstance(effect, Respond)
        else effect
        for effect in _refuse(desk, decision, why, task)
    ]


def _refuse(desk: Desk, decision: Decision, why: list[Finding], task: Task | None, role: str = "") -> list[Effect]:
    """Nothing comes of the decision; its sender learns why, and the audit that it was tried."""
    action = _ACTIONS.get(decision.option, "task.decide")
    case_id = task.case_id if task is not None else ""
    office = (task.office if task is not None else decision.office) or ""
    tried = Attempt(decision.task, action, tuple(why), case_id, office, role)
    return [*refuse(desk, _subject(decision), why, case_id), tried]


def _claims(desk: Desk, task: Task, decision: Decision, permit: Permit) -> Iterable[Finding]:
    """What another's claim, or the lack of an own one, has against it."""
    person = desk.occasion.actor.person
    if decision.option == GIVE_BACK and task.state is not TaskState.CLAIMED:
        yield fault("decide.task.not_claimed", "task", task.id)
    elif task.is_claimed(desk.occasion.at) and task.person_id != person and not permit.supervises:
        yield fault("decide.task.claimed", "task", task.id, until=task.claimed_until)


def _faults(desk: Desk, task: Task, case: Case | None, decision: Decision) -> Iterator[Finding]:
    """Why the option cannot be chosen."""
    if decision.office and task.office and decision.office != task.office:
        yield fault("decide.task.office", "office", decision.office, office=task.office)
    if decision.option in _ACTIONS:
        return
    event = task.options.get(decision.option)
    if event is None:
        yield fault("decide.task.option", "option", decision.option, options=", ".join(sorted(task.options)))
        return
    step = desk.step(case, task.track, event) if case is not None else None
    if case is None or step is None or step.late:
        status = case.status if case is not None else "–"
        yield fault("decide.status.not_allowed", "option", decision.option, event=event, status=status)
    yield from _unshown(desk, task, decision)


def _unshown(desk: Desk, task: Task, decision: Decision) -> Iterator[Finding]:
    """Evidence that is named and not there: another's that the task does not name is not there for the sender."""
    questions = [ExhibitById(exhibit_id, desk.test) for exhibit_id in decision.evidence]
    desk.facts.require(questions)
    for index, question in enumerate(questions):
        exhibit = desk.facts[question]
        if exhibit is None or (exhibit.partner_id != desk.sender.id and question.id not in task.evidence):
            yield fault("decide.evidence.unknown", f"evidence[{index}]", question.id)


FLOW = Flow("decision", takes=(Takes(Decision),), decide=decide, at_once=True)
