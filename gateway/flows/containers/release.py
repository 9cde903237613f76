"""What is decided for containers by an officer's release notice.

A rule locks and releases (see port_inspection.py); an officer opens a lock after treatment, has a container treated or
sent back, or lays a control order (布控) on one that was free.
"""

from __future__ import annotations

from gateway.decide.answers import Subject, fault, refuse, response
from gateway.decide.desk import Desk
from gateway.decide.effects import Effect, Note, Respond
from gateway.decide.facts import CasesByKeys
from gateway.decide.flow import Flow, Takes
from gateway.decide.gates import OFFICER, find_missing
from gateway.decide.parties import BUREAU, identified
from gateway.documents.release import ContainerAct, ContainerDecision, ReleaseNotice
from gateway.documents.response import Outcome
from gateway.findings import rejects
from gateway.flows.competence import CONTROL, RELEASE, find_competent
from gateway.flows.containers.decisions import (
    RELEASES,
    Ruling,
    Standing,
    announce,
    audience_questions,
    standings,
)
from gateway.flows.containers.judgement import RELEASE_CONTAINER
from gateway.flows.containers.status import ContainerEvent, ContainerStatus, container_step
from gateway.flows.declared import declaration_of, is_inbound
from gateway.flows.standing import mode_of
from gateway.model import Case, Finding

_ORDERS = {
    ContainerAct.RELEASE: ContainerEvent.UNLOCK_ORDER,
    ContainerAct.LOCK: ContainerEvent.LOCK_ORDER,
    ContainerAct.TREAT: ContainerEvent.TREAT_ORDER,
    ContainerAct.RETURN: ContainerEvent.RETURN_ORDER,
}
_ORDERED = "order"
"""The mark of an officer's lock, for which no rule has a reason."""


def decide(desk: Desk) -> list[Effect]:
    """What an officer's release notice comes to: locks opened after treatment, or laid on.

    The notice stands or falls as a whole. An order needs a declared container, for its declaration says
    which bureau's officers may give one; an undeclared container is opened by being declared. It names the officer.
    """
    notice = desk.document
    assert isinstance(notice, ReleaseNotice)
    subject = Subject("release", notice.number, notice.number)
    if notice.organisation not in identified(desk.sender, BUREAU):
        return refuse(desk, subject, [fault("decide.release.not_officer", "organisation", notice.organisation)])
    if not notice.officer and not desk.occasion.actor.person:
        return refuse(desk, subject, [fault("decide.release.nobody", "officer")])
    keys = frozenset(("container", unit.number) for unit in notice.containers)
    cases = [case for case in desk.facts[CasesByKeys(keys, desk.test)] if is_inbound(case)]
    desk.facts.require(query for case in cases for query in audience_questions(case, declaration_of(case), ()))
    why: list[Finding] = []
    rulings: dict[str, list[Ruling]] = {}
    for index, unit in enumerate(notice.containers):
        covering = [case for case in cases if _covers(case, unit)]
        if not covering:
            why.append(fault("decide.release.undeclared", f"containers[{index}].number", unit.number))
        for case in covering:
            before = _standing(case, unit)
            taken = container_step(before.state, _ORDERS[unit.decision])
            act = RELEASE if unit.decision is ContainerAct.RELEASE else CONTROL
            if not find_competent(desk, act, case, declaration_of(case)).may(desk.sender, {notice.organisation}):
                place = f"containers[{index}].number"
                why.append(fault("decide.sender.not_concerned", place, notice.organisation))
            elif taken is None:
                place, event = f"containers[{index}].decision", _ORDERS[unit.decision]
                why.append(fault("decide.status.not_allowed", place, unit.decision, event=event, status=before.state))
            elif unit.decision is ContainerAct.RELEASE and (wanting := _wanting(desk, case)):
                why += wanting
            elif not taken.late:
                after = _after(before, unit.decision, ContainerStatus(taken.state))
                rulings.setdefault(case.id, []).append(Ruling(after, said=unit.reasons))
    if rejects(why):
        return refuse(desk, subject, why)
    answer = response(desk, subject, Outcome.ACCEPTED, desk.sender.language)
    if not rulings:
        return [*(Note(case.id, "repeat", (fault("decide.repeat"),)) for case in cases), Respond("", answer)]
    effects: list[Effect] = []
    for case in cases:
        if decided := rulings.get(case.id):
            effects += announce(desk, case, notice.model_copy(update={"containers": ()}), decided)
            effects.append(Note(case.id, "ordered", tuple(_ordered(notice, ruling) for ruling in decided)))
    return [*effects, Respond("", answer)]


def _standing(case: Case, unit: ContainerDecision) -> Standing:
    """Where the container stands; one that nothing was decided for yet is expected."""
    found = standings(case).get(unit.number)
    return found or Standing(number=unit.number, state=ContainerStatus.EXPECTED, bill=unit.bill_of_lading or "")


def _after(before: Standing, act: ContainerAct, state: ContainerStatus) -> Standing:
    """Where it stands then: what an officer opens, rules do not shut again for the same reasons."""
    if act is ContainerAct.RELEASE:
        waived = tuple(dict.fromkeys((*before.waived, *before.found)))
        # What left though it was shut is out from now on, as if it had been open.
        now = ContainerStatus.OUT if before.left_shut else state
        return before.model_copy(update={"state": now, "waived": waived, "found": (), "left_shut": False})
    return before.model_copy(update={"state": state, "found": tuple(dict.fromkeys((*before.found, _ORDERED)))})


def _wanting(desk: Desk, case: Case) -> tuple[Finding, ...]:
    """What even an officer's order does not go past, such as a declaration that is not in force."""
    mode = mode_of(desk, declaration_of(case))
    return find_missing(desk.rules.gates, RELEASE_CONTAINER, case, mode.id, waivers={OFFICER})


def _ordered(notice: ReleaseNotice, ruling: Ruling) -> Finding:
    number = ruling.standing.number
    act = next(unit.decision for unit in notice.containers if unit.number == number)
    return fault("decide.port.ordered", value=number, decision=act.value)


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
    competences=frozenset({RELEASE, CONTROL}),
)
