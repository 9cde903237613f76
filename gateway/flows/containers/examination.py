"""Results of containers (集装箱查验、处理结果): each is decided by itself, in every consignment that it belongs to.

    failed         what is here is locked; what has left stays where it is, which is an alert
    passed         the treatment of one that was treated is over: it is locked, and an officer opens it
    to_treat       one that is locked is treated
    returned       one that is locked is sent back
    others         noted

A result locks, and opens nothing. It is the office's of the port, or of the destination.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from gateway.check.modes import OfficeKind
from gateway.decide.answers import MOST_REASONS, Subject, fault, reasons, refuse, response, without_places
from gateway.decide.apply import changed
from gateway.decide.desk import Desk
from gateway.decide.effects import Alert, Effect, Note, Refuse, Respond
from gateway.decide.facts import CasesByKeys, Key
from gateway.decide.flow import Flow, Takes
from gateway.decide.parties import BUREAU, identified
from gateway.documents.inspection_result import (
    Conclusion,
    ExaminedContainer,
    InspectionResult,
    ResultKind,
    SubjectKind,
)
from gateway.documents.parts import Function
from gateway.documents.response import Line, Outcome
from gateway.flows.containers.decisions import (
    Ruling,
    Standing,
    announce,
    audience_questions,
    find_locking,
    keep_standings,
    make_notice,
    mark,
    standings,
)
from gateway.flows.containers.status import ContainerEvent, ContainerStatus, container_step
from gateway.flows.declared import declaration_of, is_inbound, offices_of
from gateway.model import Case, Finding

_EVENTS: Mapping[Conclusion, ContainerEvent] = {
    Conclusion.FAILED: ContainerEvent.FOUND_RISK,
    Conclusion.PASSED: ContainerEvent.TREATED,
    Conclusion.TREAT: ContainerEvent.TREAT_ORDER,
    Conclusion.RETURNED: ContainerEvent.RETURN_ORDER,
}
"""What a conclusion does to a container; the others say nothing of where it stands."""
_OFFICES = (OfficeKind.PORT, OfficeKind.DESTINATION)


@dataclass(slots=True)
class _Decided:
    """What a result says of the containers of one case."""

    case: Case
    known: dict[str, Standing]
    rulings: list[Ruling] = field(default_factory=list)
    noted: list[Finding] = field(default_factory=list)
    out: list[Standing] = field(default_factory=list)
    alarming: list[Finding] = field(default_factory=list)


def decide(desk: Desk) -> list[Effect]:
    """What becomes of each container; the whole is refused where every one is."""
    result = desk.document
    assert isinstance(result, InspectionResult)
    about = Subject("inspection_result", number=result.number, declaration_number=result.declaration_number)
    if why := list(_find_faults(desk, result)):
        return refuse(desk, about, why)
    keys: frozenset[Key] = frozenset(("container", one.number) for one in result.containers)
    cases = [case for case in desk.facts[CasesByKeys(keys, desk.test)] if is_inbound(case) and _is_of(case, result)]
    desk.facts.require(query for case in cases for query in audience_questions(case, declaration_of(case), ()))
    decided = [_Decided(case, standings(case)) for case in cases if _may(result, case)]
    lines: list[Line] = []
    refused: list[Finding] = []
    repeated = desk.find_repeated()
    for index, one in enumerate(result.containers):
        outcome, why = _decide_container(result, index, decided, is_repeated=index in repeated)
        refused += why if outcome is Outcome.REFUSED else []
        said = reasons(why, desk.sender.language)
        lines.append(Line(number=index + 1, reference=one.number, outcome=outcome, reasons=said))
    if all(line.outcome is Outcome.REFUSED for line in lines):
        answer = response(desk, about, Outcome.REFUSED, desk.sender.language, why=refused[:MOST_REASONS])
        return [Refuse(tuple(refused)), Respond("", answer.model_copy(update={"lines": tuple(lines)}))]
    effects = [effect for one in decided for effect in _tell(desk, result, one)]
    answer = response(desk, about, Outcome.ACCEPTED, desk.sender.language)
    # A result may be of many owners' containers: its answer is the sender's alone, and no case's.
    return [*effects, Respond("", answer.model_copy(update={"lines": tuple(lines)}))]


def _find_faults(desk: Desk, result: InspectionResult) -> Iterator[Finding]:
    """Why nothing of the result counts, whatever it is about."""
    if result.office not in identified(desk.sender, BUREAU):
        yield fault("decide.sender.not_concerned", "office", result.office)
    if result.function is not Function.ORIGINAL:
        yield fault("decide.result.function", "function", result.function)
    if not result.inspector and not desk.occasion.actor.person:
        yield fault("decide.result.nobody", "inspector")


def _is_of(case: Case, result: InspectionResult) -> bool:
    return result.declaration_number is None or ("declaration", result.declaration_number) in case.keys


def _may(result: InspectionResult, case: Case) -> bool:
    """Whether the office has a say about the case's containers."""
    return result.office in offices_of(declaration_of(case), _OFFICES)


def _decide_container(
    result: InspectionResult, index: int, decided: list[_Decided], *, is_repeated: bool
) -> tuple[Outcome, list[Finding]]:
    """What becomes of one container in every case of the office's; its line's outcome and reasons."""
    one = result.containers[index]
    place = f"containers[{index}]"
    if is_repeated:
        return Outcome.REFUSED, [fault("decide.result.twice", f"{place}.number", one.number)]
    held = [case for case in decided if one.number in case.known]
    if not held:
        # Another office's, or nobody's: whose it is is not the sender's to know.
        return Outcome.REFUSED, [fault("decide.release.undeclared", f"{place}.number", one.number)]
    here = [case for case in held if not case.known[one.number].is_gone] or held
    outcomes = [_conclude(result, one, case, place) for case in here]
    refused = [why for outcome, why in outcomes if outcome is Outcome.REFUSED]
    return (Outcome.REFUSED, refused) if refused else (Outcome.ACCEPTED, [])


def _conclude(result: InspectionResult, one: ExaminedContainer, case: _Decided, place: str) -> tuple[Outcome, Finding]:
    """What the conclusion does to the container in one case, kept in `case`."""
    before, conclusion = case.known[one.number], result.conclusion_of(one)
    said = fault("decide.result.container", f"{place}.number", one.number, event=conclusion.value, report=result.number)
    event = _EVENTS.get(conclusion)
    if mark(said) in (*before.found, *before.waived):
        return Outcome.ACCEPTED, said  # it came before
    if before.is_gone and conclusion is Conclusion.FAILED:
        case.out.append(before.model_copy(update={"found": (*before.found, mark(said))}))
        case.alarming += [fault("decide.port.out", f"{place}.number", one.number), said]
    elif event is not None:
        taken = container_step(before.state, event)
        if taken is None and conclusion is not Conclusion.PASSED:
            return Outcome.REFUSED, fault(
                "decide.status.not_allowed", f"{place}.conclusion", conclusion, event=event, status=before.state
            )
        if taken is not None and not taken.late:
            found = tuple(dict.fromkeys((*before.found, mark(said))))
            after = before.model_copy(update={"state": ContainerStatus(taken.state), "found": found})
            over = fault("decide.port.treated", value=one.number)
            why = over if event is ContainerEvent.TREATED else said
            case.rulings.append(Ruling(after, without_places([why])))
    case.noted.append(said)
    return Outcome.ACCEPTED, said


def _tell(desk: Desk, result: InspectionResult, one: _Decided) -> list[Effect]:
    """What is kept of a case, and whom it is told: port, its bureau, customs and the enterprises."""
    case = one.case
    effects: list[Effect] = [Note(case.id, "examined", tuple(one.noted))] if one.noted else []
    if one.out:
        effects += [keep_standings(case, one.out), Alert("container_out", tuple(one.alarming), case.id)]
    if one.rulings:
        notice = make_notice(desk, None, case.id, result.number).model_copy(
            update={"organisation": result.office, "officer": result.inspector}
        )
        effects += announce(desk, changed(desk, case, effects), notice, one.rulings)
    if why := find_locking(one.rulings):
        effects.append(Alert("locked", why, case.id))
    return effects


FLOW = Flow(
    "examination",
    takes=(
        Takes(
            InspectionResult,
            when={
                "subject.kind": (SubjectKind.CONTAINER.value,),
                "kind": (ResultKind.INSPECTION.value, ResultKind.TEST.value, ResultKind.TREATMENT.value),
            },
        ),
    ),
    decide=decide,
)
