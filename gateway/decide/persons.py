"""Whether a person may do a task's act: by role, office and validity, and by what was done on the case before.

    no role bundles the act        refused
    the role is over, or not begun refused
    the role is another office's   refused
    concerned                      the task is about what the person did
    not_by                         who did that act on the case may not do this one
    done_by                        only who did that act on the case may do this one
    same_office_as                 only the office in which that act was done on the case may do this one

Source of the separation: 谁检验谁拟证，谁缮制谁签证 (who inspects drafts, the office that makes signs).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.check.acts import ActRules
from gateway.decide.answers import fault
from gateway.model import ActDone, Finding, HeldRole, Partner, Person, Task

AUTOMATIC = "rule:"
"""How the name begins of what decides in a person's place."""
SUPERVISE = "supervise"
"""The act by which one may go on with what another has claimed."""


def name_rule(kind: str, id_: object) -> str:
    """Who decides where a rule does: `rule:review:2016-01-01`, so that reports can tell hand from machine.

    `kind` is a kind of rules, `id_` what tells the one that decides from others of that kind.
    """
    return f"{AUTOMATIC}{kind}:{id_}"


@dataclass(frozen=True, slots=True)
class Permit:
    """Whether somebody may do a task's act."""

    role: str
    """In which role; empty where in none."""
    faults: tuple[Finding, ...]
    """Why not; empty where it may be done."""
    supervises: bool = False
    """Whether another's claim keeps this person away no more than an own one would."""

    @property
    def holds(self) -> bool:
        """Whether it may be done."""
        return not self.faults


def asks_history(rules: ActRules, task: Task) -> bool:
    """Whether what was done on the case tells who may decide the task."""
    rule = rules.task(task.kind)
    return bool(rule.not_by or rule.done_by or rule.same_office_as)


def judge_person(
    person: Person | None,
    partner: Partner,
    said_role: str,
    task: Task,
    done: Sequence[ActDone],
    rules: ActRules,
    at: datetime,
) -> Permit:
    """Whether `person`, who acts for `partner`, may decide `task` at that moment; `done` is what was done on its case.

    With `said_role` only that role counts.
    """
    if person is None or not person.active or person.partner_id != partner.id:
        return Permit("", (fault("decide.person.unknown", "", person.id if person is not None else "–"),))
    roles = [role for role in person.roles if not said_role or role.name == said_role]
    found = _find_role(roles, task.act, task.office, rules, at)
    if isinstance(found, Finding):
        return Permit("", (found,))
    if person.id in task.barred:
        return Permit(found.name, (fault("decide.person.concerned", "", person.id),))
    supervising = _find_role(person.roles, SUPERVISE, task.office, rules, at)
    return Permit(
        found.name, tuple(_separations(person, task, done, rules)), supervises=isinstance(supervising, HeldRole)
    )


def judge_act(
    person: Person | None, partner: Partner, said_role: str, act: str, office: str, rules: ActRules, at: datetime
) -> Permit:
    """Whether `person`, who acts for `partner`, may do `act` in the office at that moment, whatever it is about."""
    if person is None or not person.active or person.partner_id != partner.id:
        return Permit("", (fault("decide.person.unknown", "", person.id if person is not None else "–"),))
    roles = [role for role in person.roles if not said_role or role.name == said_role]
    found = _find_role(roles, act, office, rules, at)
    return Permit("", (found,)) if isinstance(found, Finding) else Permit(found.name, ())


def _find_role(roles: Sequence[HeldRole], act: str, office: str, rules: ActRules, at: datetime) -> HeldRole | Finding:
    """The first role in which the act may be done in the office at that moment, or why there is none."""
    giving = [role for role in roles if rules.gives(role.name, act)]
    if not giving:
        return fault("decide.person.act", "", act)
    held = [role for role in giving if role.is_held(at)]
    if not held:
        return fault("decide.person.validity", "", giving[0].name, at=at.isoformat(timespec="seconds"))
    here = next((role for role in held if not role.office or not office or role.office == office), None)
    return here or fault("decide.person.office", "", held[0].office, role=held[0].name, office=office)


def _separations(person: Person, task: Task, done: Sequence[ActDone], rules: ActRules) -> Iterator[Finding]:
    rule = rules.task(task.kind)
    mine = {one.act for one in done if one.person_id == person.id}
    for act in rule.not_by:
        if act in mine:
            yield fault("decide.person.excluded", "", act)
    for act in rule.done_by:
        if act not in mine:
            yield fault("decide.person.not_done", "", act)
    if act := rule.same_office_as:
        offices = {one.office for one in done if one.act == act}
        if task.office not in offices:
            yield fault("decide.person.elsewhere", "", task.office, act=act, office=", ".join(sorted(offices)) or "–")
