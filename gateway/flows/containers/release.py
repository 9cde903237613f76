"""What is decided for containers: read from a case, and changed by an officer's release notice.

A rule locks and releases (see port_inspection.py); an officer opens a lock after treatment, or lays a
control order (布控) on a container that was free.
"""

from __future__ import annotations

from gateway.decide.answers import Subject, fault, refuse, response
from gateway.decide.desk import Desk
from gateway.decide.effects import Effect, Keep, Note, Respond
from gateway.decide.facts import CasesByKeys
from gateway.decide.flow import Flow, Takes
from gateway.decide.gates import OFFICER, find_missing
from gateway.decide.parties import BUREAU, identified
from gateway.documents.release import ContainerAct, ContainerDecision, ReleaseNotice
from gateway.documents.response import Outcome
from gateway.findings import rejects
from gateway.flows.containers.decisions import RELEASE_CONTAINER, RELEASES, merged, states, to_ports
from gateway.flows.containers.status import ContainerEvent, ContainerStatus, container_step
from gateway.flows.declared import declaration_of, is_inbound, mode_of
from gateway.model import Case, Finding

_ORDERS = {ContainerAct.RELEASE: ContainerEvent.UNLOCK_ORDER, ContainerAct.LOCK: ContainerEvent.LOCK_ORDER}


def decide(desk: Desk) -> list[Effect]:
    """What an officer's release notice comes to: locks opened after treatment, or laid on.

    The notice stands or falls as a whole. An order needs a declared container, for its declaration says
    which bureau's officers may give one; an undeclared container is opened by being declared.
    """
    notice = desk.document
    assert isinstance(notice, ReleaseNotice)
    subject = Subject("release", notice.number, notice.number)
    if notice.organisation not in identified(desk.sender, BUREAU):
        return refuse(desk, subject, [fault("decide.release.not_officer", "organisation", notice.organisation)])
    keys = frozenset(("container", unit.number) for unit in notice.containers)
    cases = [case for case in desk.facts[CasesByKeys(keys, desk.test)] if is_inbound(case)]
    why: list[Finding] = []
    changed: dict[str, list[ContainerDecision]] = {}
    for index, unit in enumerate(notice.containers):
        covering = [case for case in cases if _covers(case, unit)]
        if not covering:
            why.append(fault("decide.release.undeclared", f"containers[{index}].number", unit.number))
        for case in covering:
            before = states(case).get(unit.number, ContainerStatus.EXPECTED)
            taken = container_step(before, _ORDERS[unit.decision])
            if notice.organisation != declaration_of(case).port_organisation:
                place = f"containers[{index}].number"
                why.append(fault("decide.sender.not_concerned", place, notice.organisation))
            elif taken is None:
                place, event = f"containers[{index}].decision", _ORDERS[unit.decision]
                why.append(fault("decide.status.not_allowed", place, unit.decision, event=event, status=before))
            elif unit.decision is ContainerAct.RELEASE and (wanting := _wanting(desk, case)):
                why += wanting
            elif not taken.late:
                changed.setdefault(case.id, []).append(unit)
    if rejects(why):
        return refuse(desk, subject, why)
    answer = response(desk, subject, Outcome.ACCEPTED, desk.sender.language)
    if not changed:
        return [*(Note(case.id, "repeat", (fault("decide.repeat"),)) for case in cases), Respond("", answer)]
    effects: list[Effect] = []
    for case in cases:
        if units := changed.get(case.id):
            effects.append(Keep(case.id, "release", merged(case, notice, units)))
            effects.append(Note(case.id, "ordered", tuple(_ordered(unit) for unit in units)))
    told = to_ports(notice, "", (case for case in cases if case.id in changed))
    return [*effects, *told, Respond("", answer)]


def _wanting(desk: Desk, case: Case) -> tuple[Finding, ...]:
    """What even an officer's order does not go past, such as a declaration that is not in force."""
    mode = mode_of(desk.rules, declaration_of(case))
    return find_missing(desk.rules.gates, RELEASE_CONTAINER, case, mode.id, waivers={OFFICER})


def _ordered(unit: ContainerDecision) -> Finding:
    return fault("decide.port.ordered", value=unit.number, decision=unit.decision.value)


def _covers(case: Case, unit: ContainerDecision) -> bool:
    """Whether the case has the container, and under the bill that the order names, where it names one."""
    named = not unit.bill_of_lading or ("bill", unit.bill_of_lading) in case.keys
    return named and ("container", unit.number) in case.keys


FLOW = Flow(
    "release",
    takes=(Takes(ReleaseNotice),),
    decide=decide,
    feeds=(RELEASES,),
    gates=frozenset({RELEASE_CONTAINER}),
)
