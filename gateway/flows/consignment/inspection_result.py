"""The result flow (检验检疫结果): what an office found of goods moves their inspection, before or after customs' release.

    sampled, sent                      the goods are being looked at; the enterprises learn that, and no more
    passed, failed, waived             the office's verdict
    to_treat, to_reinspect             of goods that failed: what is done about it
    returned, destroyed
    late, repeated                     noted; a failure after a pass is an alert, and undoes nothing

It does what the same office's `response` would do, and settles the open task that it answers by the same rule: what moves
the track by an option's event has decided it. A result whose declaration is not here waits, or opens a case of its own.
What follows from the event, whoever brought it, is in results.py, and for containers in the containers' flows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gateway.decide.answers import Subject, fault, refuse, response, without_places
from gateway.decide.cases import kept, moved, moved_on, not_allowed
from gateway.decide.desk import Desk
from gateway.decide.effects import AddKeys, Alert, Effect, Keep, Note, Respond
from gateway.decide.facts import CaseById, TaskById
from gateway.decide.flow import Flow, On, Takes
from gateway.decide.parties import BUREAU, identified
from gateway.documents.inspection_result import (
    Conclusion,
    InspectionResult,
    ResultItem,
    ResultKind,
    SubjectKind,
    Verdict,
    is_outside,
)
from gateway.documents.parts import Function
from gateway.documents.response import Outcome
from gateway.documents.values import plain
from gateway.findings import rejects
from gateway.flows.competence import INSPECT, may_answer, may_judge
from gateway.flows.consignment.cases import STATUS, amendment_open, find_declared, subject_of
from gateway.flows.consignment.rules import DeclarationKinds
from gateway.flows.consignment.undeclared import (
    begin_with,
    decide_waiting,
    give_up_waiting,
    is_trusted,
    open_case,
    wait_for_declaration,
)
from gateway.flows.consignment.verdicts import find_contradiction, find_out_of_customs, implied_by
from gateway.flows.declared import INSPECTION_ORDER, InspectionOrder, declaration_of
from gateway.flows.enterprises import enterprise_questions, tell_enterprises
from gateway.model import Case, Finding, Task, derive_id

_EVENTS: Mapping[Conclusion, str] = {
    Conclusion.SAMPLED: "sample",
    Conclusion.SENT: "send",
    Conclusion.PASSED: "pass",
    Conclusion.FAILED: "fail",
    Conclusion.TREAT: "treat",
    Conclusion.REINSPECT: "reinspect",
    Conclusion.WAIVED: "waive",
    Conclusion.RETURNED: "return",
    Conclusion.DESTROYED: "destroy",
}
"""The event of the inspection that each conclusion is."""
_OUTCOMES: Mapping[Conclusion, Outcome] = {
    Conclusion.SAMPLED: Outcome.RECEIVED,
    Conclusion.SENT: Outcome.RECEIVED,
    Conclusion.PASSED: Outcome.RELEASED,
    Conclusion.FAILED: Outcome.REFUSED,
    Conclusion.REINSPECT: Outcome.HELD,
    Conclusion.WAIVED: Outcome.RELEASED,
}
"""What the enterprises are told by this flow; of goods that are disposed of they are told by the reaction to the event."""
_UNDER_WAY = frozenset({Conclusion.SAMPLED, Conclusion.SENT})
"""What is no verdict: any office that answers for the case may say it, and no inspector answers for it."""


def decide(desk: Desk) -> list[Effect]:
    """What a result of goods comes to: their inspection moves, or its sender learns why not."""
    result = desk.document
    assert isinstance(result, InspectionResult)
    about = _subject(result)
    task = desk.facts[TaskById(result.task, desk.test)] if result.task else None
    if result.task and (task is None or task.office not in identified(desk.sender, BUREAU)):
        # Whether another office has such a task is that office's to know.
        return refuse(desk, about, [fault("decide.task.unknown", "task", result.task)])
    case = desk.facts[CaseById(task.case_id, desk.test)] if task is not None else None
    if case is None and result.declaration_number is not None:
        case = find_declared(desk, result.declaration_number)
    if case is not None:
        return _decide_in(desk, result, case, task)
    unknown = [fault("decide.case.unknown", "declaration_number", result.declaration_number)]
    if result.office not in identified(desk.sender, BUREAU) or result.function is not Function.ORIGINAL:
        return refuse(desk, about, unknown)
    if not is_trusted(desk):
        return wait_for_declaration(desk, result, about)
    case, opened = open_case(desk, result, result.office)
    return begin_with(opened, _decide_in(desk, result, case, None))


def _subject(result: InspectionResult) -> Subject:
    return Subject("inspection_result", number=result.number, declaration_number=result.declaration_number)


def _decide_in(desk: Desk, result: InspectionResult, case: Case, task: Task | None) -> list[Effect]:
    """What a result comes to in its case."""
    about = _subject(result)
    if "declaration" not in case.documents:
        return refuse(desk, about, [fault("decide.result.other_case", "task", result.task)], case.id)
    declaration = declaration_of(case)
    desk.facts.require(enterprise_questions(case))
    if not may_answer(desk, case, declaration, {result.office}):
        why = [fault("decide.sender.not_concerned", "office", result.office)]
        return [*refuse(desk, about, why, case.id), Alert("sender", tuple(why), case.id)]
    seen = ("response", derive_id(desk.sender.id, result.document_type, result.number))
    if seen in case.keys:
        return _repeat(desk, result, case)
    if (why := list(_find_faults(desk, result, case, task))) and rejects(why):
        return refuse(desk, about, why, case.id)
    event = _EVENTS[result.conclusion]
    told = tuple(_tell_items(result))
    why_ = (fault("decide.result.concluded", "conclusion", result.number, event=event, office=result.office), *told)
    # Only a declaration that was accepted has a number, or a task: what a verdict overtakes is an open change.
    implied = moved_on(desk, case, *(one for one in implied_by(("inspection", event)) if one[1] == "overtake"))
    taken = moved(desk, implied.case, "inspection", event, why_)
    if taken is None:
        return refuse(desk, about, [not_allowed(case, event, "conclusion")], case.id)
    heard: list[Effect] = [AddKeys(case.id, frozenset({seen})), Keep(case.id, result.document_type, result)]
    if taken.late and not (event == "pass" and implied.effects):
        late = [fault("decide.late", "conclusion", event=event, status=case.tracks.get("inspection", ""))]
        answer = response(desk, about, Outcome.RECEIVED, desk.sender.language, why=late)
        return [*taken.effects, heard[0], *find_contradiction(case, event, why_), Respond(case.id, answer)]
    if event == "reinspect":
        heard.append(Keep(case.id, INSPECTION_ORDER, InspectionOrder(office=result.office)))
    if amendment_open(case) and event in ("pass", "fail"):
        told = (*told, fault("decide.amendment.overtaken"))
    outcome = _OUTCOMES.get(result.conclusion)
    owners = (
        tell_enterprises(
            desk, taken.case, subject_of(declaration), outcome, why=without_places(told), organisation=result.office
        )
        if outcome is not None
        else []
    )
    return [
        *implied.effects,
        *taken.effects,
        *heard,
        *find_out_of_customs(case, event, why_),
        Respond(case.id, response(desk, about, Outcome.ACCEPTED, desk.sender.language)),
        *owners,
    ]


def _find_faults(desk: Desk, result: InspectionResult, case: Case, task: Task | None) -> Iterator[Finding]:
    """Why the office's result does not count."""
    declaration = declaration_of(case)
    if result.function is not Function.ORIGINAL:
        # What was found is not taken back: an officer opens the inspection again, with a reason.
        yield fault("decide.result.function", "function", result.function)
    if result.declaration_number is not None and ("declaration", result.declaration_number) not in case.keys:
        yield fault("decide.result.other_case", "declaration_number", result.declaration_number)
    if task is not None:
        yield from _find_task_faults(result, task)
    if result.conclusion in _UNDER_WAY:
        return
    kind = desk.rules.of(DeclarationKinds).find(declaration.kind)
    is_handed_on = kind is not None and kind.transfer == "must"
    if not may_judge(desk, case, declaration, is_handed_on=is_handed_on, own={result.office}):
        names = {"declared": declaration.kind, "kind": kind.zh if kind else "–"}
        yield fault("decide.result.elsewhere", "office", result.office, **names)
    if not result.inspector and not desk.occasion.actor.person:
        yield fault("decide.result.nobody", "inspector")


def _find_task_faults(result: InspectionResult, task: Task) -> Iterator[Finding]:
    """Why it does not answer the task that it names."""
    if not task.state.waits:
        yield fault(
            "decide.task.moved_on", "task", task.id, state=task.state, option=task.option or "–", at=task.decided_at
        )
    elif (task.track, _EVENTS[result.conclusion]) not in {(task.track, event) for event in task.options.values()} or (
        task.track != "inspection"
    ):
        options = ", ".join(sorted(task.options))
        yield fault("decide.task.option", "conclusion", result.conclusion, options=options)


def _tell_items(result: InspectionResult) -> Iterator[Finding]:
    """What was found wanting, item by item, for those who must put it right."""
    for index, one in enumerate(result.items):
        if one.verdict is Verdict.FAIL or is_outside(one):
            yield fault("decide.result.item", f"items[{index}].code", one.name or one.code, found=_shown(one))


def _shown(one: ResultItem) -> str:
    """What was measured, with its limits."""
    if one.value is None:
        return one.text or "–"
    limits = [plain(limit) if limit is not None else "" for limit in (one.minimum, one.maximum)]
    between = f" ({limits[0]}..{limits[1]})" if any(limits) else ""
    return f"{plain(one.value)} {one.unit or ''}".rstrip() + between


def _repeat(desk: Desk, result: InspectionResult, case: Case) -> list[Effect]:
    """The same result again is told so; another one under its number is refused."""
    about = _subject(result)
    earlier = kept(case, result.document_type, InspectionResult)
    if earlier is not None and earlier.number == result.number and earlier != result:
        return refuse(desk, about, [fault("decide.result.number_used", "number", result.number)], case.id)
    answer = response(desk, about, Outcome.ACCEPTED, desk.sender.language, why=[fault("decide.repeat")])
    return [Note(case.id, "repeat", (fault("decide.repeat"),)), Respond(case.id, answer)]


def _attach_waiting(desk: Desk, case: Case) -> list[Effect]:
    return decide_waiting(desk, case, InspectionResult, decide)


def _give_up(desk: Desk) -> list[Effect]:
    return give_up_waiting(desk, InspectionResult, _subject)


FLOW = Flow(
    "inspection_result",
    takes=(
        Takes(
            InspectionResult,
            when={
                "subject.kind": (SubjectKind.GOODS.value,),
                "kind": (ResultKind.INSPECTION.value, ResultKind.TEST.value, ResultKind.TREATMENT.value),
            },
        ),
    ),
    decide=decide,
    feeds=(STATUS,),
    competences=frozenset({INSPECT}),
    deadlines={"undeclared_inspection_result": _give_up},
    reacts=(On("declaration", "accept", _attach_waiting),),
)
