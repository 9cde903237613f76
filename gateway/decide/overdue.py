"""What is decided once a task's term is over: the office above is asked, and somebody is told.

Which office is above: the one that the registry names (`parent`); else 370210 -> 370200 -> 370000 -> 000000, the first of
these that is a partner of ours. That follows how the inspection service's organisation codes are built; a kind whose tasks
go elsewhere names the office in its rule.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.decide.answers import fault
from gateway.decide.desk import Desk
from gateway.decide.effects import Alert, Effect, Escalate
from gateway.decide.facts import CaseById, PartnerById, TaskById
from gateway.decide.parties import BUREAU, bureau, bureau_questions, identified
from gateway.model import Task

_UP = "up"
_LENGTH = 6


def escalate(desk: Desk) -> list[Effect]:
    """What comes of a task whose term is over: nothing where it was decided, or is due at another time by now."""
    task = desk.facts[TaskById(desk.deadline.args["task"], desk.test)]
    if task is None or not task.state.waits or task.due_at != desk.deadline.at:
        return []
    case = desk.facts[CaseById(task.case_id, desk.test)]
    office = _find_office(desk, task)
    rule = desk.rules.acts.task(task.kind)
    due_at = desk.rules.calendar.end(rule.due, desk.deadline.at) if office and rule.due is not None else None
    why = fault("decide.task.overdue", "", task.id, kind=task.kind, office=task.office or "–", next=office or "–")
    return [Escalate(task.id, office, due_at), Alert("task_overdue", (why,), case.id if case is not None else "")]


def _find_office(desk: Desk, task: Task) -> str:
    """Who is asked next; empty where nobody is."""
    named = desk.rules.acts.task(task.kind).escalate
    wanted = [*_registered_above(desk, task.office), *offices_above(task.office)] if named == _UP else [named]
    wanted = [office for office in wanted if office]
    desk.facts.require(bureau_questions(*wanted))
    return next((office for office in wanted if office != task.office and bureau(desk.facts, office) is not None), "")


def _registered_above(desk: Desk, office: str) -> Iterator[str]:
    """The codes of the office that the registry names above one; none where it names none."""
    desk.facts.require(bureau_questions(office))
    own = bureau(desk.facts, office)
    above = desk.facts[PartnerById(own.parent)] if own is not None and own.parent else None
    yield from sorted(identified(above, BUREAU)) if above is not None else ()


def offices_above(office: str) -> Iterator[str]:
    """The codes of the offices above that of a code of six digits, the nearest first; none above any other code."""
    if len(office) != _LENGTH or not office.isdigit():
        return
    for kept in (4, 2, 0):
        above = office[:kept].ljust(_LENGTH, "0")
        if above != office:
            yield above
            office = above
