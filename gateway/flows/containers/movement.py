"""What passes of containers at a port (动态): in and out by the gate, off the ship and onto it, thing by thing.

    gate_out, load, depart    a released container is out; one that is shut left all the same, which is an alert of grade 1
    discharge, gate_in, arrive   noted: where it stands is its consignment's matter, and a lock stays a lock
    late, repeated, out of order   noted, and nothing else
    of a container that the sender does not have   refused, in the same words whether anybody has it or nobody

Who has a container is whose manifest named it. One that is to be sent back leaves by being loaded, and by no gate. A
container that left though it was shut stands as it stood, until an officer has looked at it: opened then, it is out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.check.rulebook import RuleSet
from gateway.decide.answers import MOST_REASONS, Subject, fault, reasons, refuse, response, tell, without_places
from gateway.decide.desk import Desk
from gateway.decide.effects import Alert, Effect, Note, Refuse, Respond
from gateway.decide.facts import CasesByKeys, Key, Waiting
from gateway.decide.flow import Flow, Takes
from gateway.decide.parties import bureau
from gateway.documents.movement import MovementReport, Passage, Thing
from gateway.documents.parts import Function
from gateway.documents.response import Line, Outcome
from gateway.flows.containers.decisions import Standing, audience_questions, keep_standings, standings
from gateway.flows.containers.status import ContainerEvent, ContainerStatus, container_step
from gateway.flows.declared import declaration_of, is_inbound
from gateway.flows.enterprises import tell_enterprises
from gateway.model import Case, Finding, Role

LEAVING = frozenset({Passage.GATE_OUT, Passage.LOAD, Passage.DEPART})
"""By which a container leaves its port."""
_KINDS = (*LEAVING, Passage.GATE_IN, Passage.DISCHARGE, Passage.ARRIVE)


class MovementRules(RuleSet):
    """动态报告: how far a sender's clock may be wrong."""

    kind = "movements"

    clock_minutes: int
    """Minutes by which a movement may be later than its report was received."""


@dataclass(slots=True)
class _Told:
    """What a report says of one case: where its containers stand then, and what everybody is told."""

    case: Case
    known: dict[str, Standing]
    changed: dict[str, Standing] = field(default_factory=dict)
    noted: dict[str, list[Finding]] = field(default_factory=dict)
    """By kind of note."""
    left: list[Finding] = field(default_factory=list)
    breached: list[Finding] = field(default_factory=list)


def decide(desk: Desk) -> list[Effect]:
    """What becomes of each container; the whole is refused where every one is."""
    report = desk.document
    assert isinstance(report, MovementReport)
    about = Subject("movement", number=report.number)
    if why := list(_find_faults(desk, report)):
        return refuse(desk, about, why)
    keys: frozenset[Key] = frozenset(("container", thing.number) for thing in report.things)
    found = CasesByKeys(keys, desk.test)
    waiting = Waiting(keys, desk.test)
    desk.facts.require([found, waiting])
    cases = [case for case in desk.facts[found] if is_inbound(case)]
    desk.facts.require(query for case in cases for query in audience_questions(case, declaration_of(case), ()))
    told = [_Told(case, standings(case)) for case in cases]
    undeclared = {
        number
        for one in desk.facts[waiting]
        if one.document_type == "manifest" and one.partner_id == desk.sender.id
        for kind, number in one.keys
        if kind == "container"
    }
    effects: list[Effect] = []
    lines: list[Line] = []
    refused: list[Finding] = []
    shut: list[Finding] = []
    repeated = desk.find_repeated()
    for index, thing in enumerate(report.things):
        outcome, why = _decide_thing(desk, report, index, told, undeclared, is_repeated=index in repeated)
        if outcome is Outcome.REFUSED:
            refused += why
            effects += _alert_foreign(report, thing, told, why)
        elif outcome is Outcome.HELD:
            shut += why
        said = reasons(why, desk.sender.language)
        lines.append(Line(number=index + 1, reference=thing.number, outcome=outcome, reasons=said))
    if len(lines) == sum(line.outcome is Outcome.REFUSED for line in lines):
        answer = response(desk, about, Outcome.REFUSED, desk.sender.language, why=refused[:MOST_REASONS])
        return [*effects, Refuse(tuple(refused)), Respond("", answer.model_copy(update={"lines": tuple(lines)}))]
    for one in told:
        effects += _tell(desk, report, one)
    if loose := [finding for finding in shut if finding.code == "decide.movement.undeclared"]:
        effects.append(Alert("left_locked", tuple(loose)))
    outcome = Outcome.HELD if shut else Outcome.ACCEPTED
    answer = response(desk, about, outcome, desk.sender.language, why=shut[:MOST_REASONS])
    # A report is of many owners' containers: its answer is the sender's alone, and no case's.
    return [*effects, Respond("", answer.model_copy(update={"lines": tuple(lines)}))]


def _find_faults(desk: Desk, report: MovementReport) -> Iterable[Finding]:
    """Why nothing of a report can count, whatever it is about."""
    if not desk.sent_by(Role.PORT, Role.YARD):
        yield fault("decide.movement.sender", "", desk.sender.id)
    if report.function is not Function.ORIGINAL:
        # What has happened is not taken back by who saw it; a report that corrects one says what happened since.
        yield fault("decide.movement.function", "function", report.function)


def _decide_thing(
    desk: Desk, report: MovementReport, index: int, told: list[_Told], undeclared: set[str], *, is_repeated: bool
) -> tuple[Outcome, list[Finding]]:
    """What becomes of one container in every case that has it at the sender's; its line's outcome and reasons."""
    thing = report.things[index]
    place = f"things[{index}].number"
    at = thing.at or report.at
    assert at is not None, "the rules see to that"
    if at > desk.occasion.at + timedelta(minutes=desk.rules.of(MovementRules).clock_minutes):
        return Outcome.REFUSED, [fault("decide.movement.future", f"things[{index}].at", at.isoformat())]
    if is_repeated:
        return Outcome.ACCEPTED, [fault("decide.movement.twice", place, thing.number)]
    held = [one for one in told if _holds(desk, one, thing)]
    if not held and thing.number in undeclared:
        if report.kind not in LEAVING:
            return Outcome.ACCEPTED, []
        return Outcome.HELD, [_say("decide.movement.undeclared", thing, report.kind, at, place)]
    if not held:
        return Outcome.REFUSED, [fault("decide.movement.not_held", place, thing.number)]
    # A box that left with another consignment before has nothing to do with this visit.
    here = [one for one in held if not _standing(one, thing).is_gone] or held
    why: list[Finding] = []
    for one in here:
        why += _pass(one, thing, report.kind, at, place)
    breached = [finding for finding in why if finding.code == "decide.movement.left_shut"]
    return (Outcome.HELD, breached) if breached else (Outcome.ACCEPTED, why)


def _standing(one: _Told, thing: Thing) -> Standing:
    return one.changed.get(thing.number) or one.known[thing.number]


def _holds(desk: Desk, one: _Told, thing: Thing) -> bool:
    """Whether the sender has the container of that case, by the manifest that named it, and under the numbers given."""
    standing = one.known.get(thing.number)
    if standing is None or standing.port != desk.sender.id:
        return False
    if thing.bill_of_lading and standing.bill and thing.bill_of_lading != standing.bill:
        return False
    return not thing.declaration_number or ("declaration", thing.declaration_number) in one.case.keys


def _pass(one: _Told, thing: Thing, kind: Passage, at: datetime, place: str) -> list[Finding]:
    """What one movement is to one case, kept in `one`; what its sender is told."""
    before = _standing(one, thing)
    again = (kind, at) == (before.passage, before.passed_at)
    if again or (before.passed_at is not None and at < before.passed_at):
        code = "decide.movement.again" if again else "decide.movement.late"
        told = _note(one, "repeat" if again else "late", _say(code, thing, kind, at, place))
        left = again and before.left_shut and kind in LEAVING
        return [_say_left(before, thing, kind, at, place)] if left else told
    after = before.model_copy(update={"passage": kind.value, "passed_at": at})
    if kind not in LEAVING:
        one.changed[thing.number] = after
        return _note(one, "movement", _say("decide.movement.passed", thing, kind, at, place))
    if before.left_shut or (kind is Passage.LOAD and before.state is ContainerStatus.RETURNED):
        # It is known to be gone; or it is sent back, and this is how.
        one.changed[thing.number] = after
        return _note(one, "movement", _say("decide.movement.passed", thing, kind, at, place))
    taken = container_step(before.state, ContainerEvent.GATE_OUT)
    if taken is None:
        one.changed[thing.number] = after.model_copy(update={"left_shut": True})
        shut = _say_left(before, thing, kind, at, place)
        one.breached.append(shut)
        return [shut]
    one.changed[thing.number] = after.model_copy(update={"state": ContainerStatus(taken.state)})
    if taken.late:
        return _note(one, "late", _say("decide.movement.late", thing, kind, at, place))
    one.left.append(_say("decide.movement.out", thing, kind, at, place))
    return _note(one, "movement", one.left[-1])


def _note(one: _Told, kind: str, why: Finding) -> list[Finding]:
    one.noted.setdefault(kind, []).append(why)
    return [why]


def _say(code: str, thing: Thing, kind: Passage, at: datetime, place: str, **words: str) -> Finding:
    """What happened to a container, at its place in the report."""
    return fault(code, place, thing.number, event=kind.value, at=f"{at:%Y-%m-%d %H:%M%z}", **words)


def _say_left(before: Standing, thing: Thing, kind: Passage, at: datetime, place: str) -> Finding:
    """That it left though it was shut."""
    return _say("decide.movement.left_shut", thing, kind, at, place, status=before.state.value)


def _tell(desk: Desk, report: MovementReport, one: _Told) -> list[Effect]:
    """What is kept of a case; its owner, its declarer and the bureau of the port learn what has left."""
    case, declaration = one.case, declaration_of(one.case)
    effects: list[Effect] = [keep_standings(case, one.changed.values())] if one.changed else []
    effects += [Note(case.id, kind, tuple(why)) for kind, why in one.noted.items()]
    if one.breached:
        effects.append(Alert("left_locked", tuple(one.breached), case.id))
    about = Subject("movement", declaration.client_reference, report.number, declaration.number)
    office = bureau(desk.facts, declaration.port_organisation)
    for outcome, why in ((Outcome.RELEASED, one.left), (Outcome.HELD, one.breached)):
        if not why:
            continue
        plain = without_places(why)
        effects += tell_enterprises(desk, case, about, outcome, why=plain)
        if office is not None and office.id != desk.sender.id:
            own = Subject("movement", None, report.number, declaration.number)
            said = response(desk, own, outcome, office.language, why=plain, reader=office.id)
            effects.append(tell(case.id, office, said))
    return effects


def _alert_foreign(report: MovementReport, thing: Thing, told: list[_Told], why: list[Finding]) -> list[Effect]:
    """Somebody says that a container left which another port has: an operator looks, and the sender learns nothing of it."""
    if report.kind not in LEAVING or why[0].code != "decide.movement.not_held":
        return []
    others = [one.case.id for one in told if (unit := one.known.get(thing.number)) is not None and unit.port]
    return [Alert("sender", tuple(why), case_id) for case_id in others]


FLOW = Flow(
    "movement",
    takes=(Takes(MovementReport, when={"thing": ("container",), "kind": tuple(kind.value for kind in _KINDS)}),),
    decide=decide,
    rules=(MovementRules,),
)
