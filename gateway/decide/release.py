"""What is decided for containers: read from a case, and changed by an officer's release notice.

A rule locks and releases (see port_inspection.py); an officer opens a lock after treatment, or lays a
control order (布控) on a container that was free.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from gateway.check.rulebook import Rules
from gateway.decide.answers import Subject, fault, refuse, response
from gateway.decide.cases import BUREAU, declaration_of, identified, is_inbound, kept
from gateway.decide.effects import Effect, Keep, Note, Party, Publish, Purpose, Respond, Send
from gateway.decide.facts import CasesByKeys, Facts
from gateway.decide.incoming import Incoming
from gateway.decide.status import ContainerEvent, ContainerStatus, container_step
from gateway.documents.release import ContainerDecision, Decision, ReleaseNotice
from gateway.documents.response import Outcome
from gateway.model import Case, Finding, Role


def decide(incoming: Incoming, facts: Facts, rules: Rules, now: datetime) -> list[Effect]:
    """What an officer's release notice comes to: locks opened after treatment, or laid on."""
    del rules  # an officer's order rests on no rule set
    notice = incoming.document
    assert isinstance(notice, ReleaseNotice)
    subject = Subject("release", notice.number, notice.number)
    if notice.organisation not in identified(incoming.sender, BUREAU):
        why = [fault("decide.release.not_officer", "organisation", notice.organisation or "")]
        return refuse(incoming, now, subject, why)
    keys = frozenset(("container", unit.number) for unit in notice.containers)
    cases = facts[CasesByKeys(keys, incoming.test)]
    effects: list[Effect] = []
    for case in cases:
        units = [u for u in notice.containers if ("container", u.number) in case.keys and _of_bill(u, case)]
        declaration = declaration_of(case)
        if not units or not is_inbound(case):
            continue
        if notice.organisation not in (declaration.port_organisation, declaration.inspection_organisation):
            why = [fault("decide.sender.not_concerned", "organisation", notice.organisation or "")]
            return refuse(incoming, now, subject, why, case.id)
        effects += _ordered(case, notice, units)
    effects.append(Send("", "release", notice, Party(Role.PORT), Purpose.PORT_CONTROL))
    effects.append(Publish("release", "", "release", notice, {"release": notice.number}))
    effects.append(Respond("", response(incoming, now, subject, Outcome.ACCEPTED, incoming.sender.language)))
    return effects


def _ordered(case: Case, notice: ReleaseNotice, units: Sequence[ContainerDecision]) -> list[Effect]:
    before = states(case)
    events = {Decision.RELEASE: ContainerEvent.UNLOCK_ORDER, Decision.LOCK: ContainerEvent.LOCK_ORDER}
    changed = []
    for unit in units:
        taken = container_step(before.get(unit.number, ContainerStatus.EXPECTED), events[unit.decision])
        if taken is not None and not taken.late:
            changed.append(unit)
    if not changed:
        return [Note(case.id, "repeat", (fault("decide.repeat"),))]
    return [
        Keep(case.id, "release", merged(case, notice, changed)),
        Note(case.id, "ordered", tuple(_ordered_reason(unit) for unit in changed)),
    ]


def _ordered_reason(unit: ContainerDecision) -> Finding:
    return fault("decide.port.ordered", value=unit.number, decision=unit.decision.value)


def _of_bill(unit: ContainerDecision, case: Case) -> bool:
    return not unit.bill_of_lading or ("bill", unit.bill_of_lading) in case.keys


def states(case: Case) -> Mapping[str, ContainerStatus]:
    """Where each container of the case stands, by its newest decision."""
    notice = kept(case, "release", ReleaseNotice)
    return {unit.number: _state(unit) for unit in notice.containers} if notice else {}


def _state(unit: ContainerDecision) -> ContainerStatus:
    if unit.decision is Decision.RELEASE:
        return ContainerStatus.RELEASED
    return ContainerStatus.UNDECLARED if unit.is_undeclared else ContainerStatus.LOCKED


def merged(case: Case, notice: ReleaseNotice, decisions: Iterable[ContainerDecision]) -> ReleaseNotice:
    """`notice` with the earlier decisions on containers that it does not mention."""
    earlier = kept(case, "release", ReleaseNotice)
    units = {unit.number: unit for unit in earlier.containers} if earlier else {}
    units |= {unit.number: unit for unit in decisions}
    return notice.model_copy(update={"containers": tuple(units.values())})
