"""The response flow (回执): what a bureau, customs or a port says of a document that we sent it.

A bureau's answer to a declaration sets its number and moves the case; an answer that comes again, or
too late, changes nothing; one from somebody whom the case does not concern is refused.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.decide.answers import Subject, fault, response, tell
from gateway.decide.cases import Taken, kept, moved, moved_on, not_allowed
from gateway.decide.desk import Desk
from gateway.decide.effects import AddKeys, Alert, Effect, Hold, Keep, Note, Refuse
from gateway.decide.facts import CasesByKeys, TasksOf
from gateway.decide.flow import Flow, Takes
from gateway.decide.parties import BUREAU, CUSTOMS_OFFICE, bureau, bureau_questions, identified
from gateway.documents.clearance import ClearanceNotice
from gateway.documents.declaration import Declaration
from gateway.documents.parts import Movement
from gateway.documents.response import Outcome, Response
from gateway.documents.transfer import Transfer
from gateway.findings import rejects
from gateway.flows.competence import ACCEPT, INSPECT, ORDER, find_competent, may_answer, may_judge, own_offices
from gateway.flows.consignment.acceptance import accept_declaration, issue_number
from gateway.flows.consignment.cases import STATUS, amendment_open, keys_of, subject_of
from gateway.flows.consignment.changes import find_standing
from gateway.flows.consignment.rules import DeclarationKinds
from gateway.flows.consignment.tracks import Declared
from gateway.flows.consignment.transfer_changes import CHANGE, WITHDRAWAL, transfer_subject
from gateway.flows.consignment.verdicts import Happening, find_contradiction, find_out_of_customs, implied_by
from gateway.flows.declared import INSPECTION_ORDER, InspectionOrder, declaration_of
from gateway.flows.enterprises import enterprise_questions, tell_enterprises
from gateway.model import Case, Finding, Role, derive_id

_ASSIGNED: Mapping[str | None, Happening] = {"1400": ("inspection", "assign"), "1500": ("inspection", "order")}
"""The inspection service's codes for "assigned to an inspector" (施检分单) and "inspection ordered" (查验指令)."""

_MEANS: Mapping[Outcome, Happening] = {
    Outcome.ACCEPTED: ("declaration", "accept"),
    Outcome.REFUSED: ("declaration", "refuse"),
    Outcome.RELEASED: ("inspection", "pass"),
    Outcome.CANCELLED: ("declaration", "cancellation_agreed"),
}
_MEANS_NOW: Mapping[str, Mapping[Outcome, Happening]] = {
    # Once a declaration is accepted, a refusal means that the goods have failed.
    Declared.ACCEPTED: {Outcome.REFUSED: ("inspection", "fail")},
    Declared.AMENDING: {
        Outcome.ACCEPTED: ("declaration", "amendment_agreed"),
        Outcome.REFUSED: ("declaration", "amendment_declined"),
    },
    Declared.CANCELLING: {Outcome.REFUSED: ("declaration", "cancellation_declined")},
}
"""What an outcome means where the declaration stands so, where that is something else."""

_DECLINABLE: Mapping[str, type[Transfer | ClearanceNotice]] = {"transfer": Transfer, "clearance": ClearanceNotice}
"""What the port's bureau or customs may refuse of what we sent it."""
_KEY_OF = {"transfer": "transfer", "clearance": "notice"}
"""The kind of key under which a case has the numbers of these, earlier ones too."""


def decide(desk: Desk) -> list[Effect]:
    """What a business answer comes to. It is never itself answered, so that two gateways cannot talk for ever."""
    answer = desk.document
    assert isinstance(answer, Response)
    case = _case(desk, answer)
    if case is None:
        return _without_case(answer)
    # Every sender counts its answers by itself; the digest shows no participant who another one is.
    known = ("response", derive_id(desk.sender.id, answer.id))
    if known in case.keys:
        return [Note(case.id, "repeat", (fault("decide.repeat"),))]
    declaration = declaration_of(case)
    transfer = kept(case, "transfer", Transfer)
    asked = bureau_questions(
        declaration.declaration_organisation,
        declaration.inspection_organisation,
        *((transfer.from_organisation, transfer.to_organisation) if transfer else ()),
    )
    desk.facts.require([*asked, *enterprise_questions(case)])
    if not _concerned(desk, answer, case, declaration):
        why = (fault("decide.sender.not_concerned", value=desk.sender.id),)
        return [Refuse(why, case.id), Alert("sender", why, case.id)]
    seen: list[Effect] = [AddKeys(case.id, frozenset({known}))]
    if answer.document == "declaration":
        return [*seen, *_on_declaration(desk, answer, case, declaration)]
    if answer.document == "transfer" and (decided := _on_transfer(desk, answer, case)):
        return [*seen, *decided]
    if answer.document in _DECLINABLE and answer.outcome is Outcome.REFUSED:
        return [*seen, *_declined(desk, answer, case, declaration)]
    return [*seen, Note(case.id, "answered", _told_reasons(answer))]


def _case(desk: Desk, answer: Response) -> Case | None:
    """The case that an answer is about, by the numbers in it; None where they do not tell one from another."""
    issued = {("declaration", answer.declaration_number), ("notice", answer.notice_number)}
    keys = frozenset((kind, value) for kind, value in issued if value)
    cases = desk.facts[CasesByKeys(keys, desk.test)] if keys else ()
    if answer.reference and answer.document == "declaration":
        # A number that belongs to another declaration than the one named is looked at as a fault of that one's answer.
        cases = tuple(c for c in cases if ("reference", answer.reference) in c.keys)
    if cases:
        return cases[0] if len(cases) == 1 else None
    # Before a number is issued there is only the enterprise's own, which two enterprises may both have used.
    named = frozenset(
        (kind, value)
        for value in (answer.reference, answer.number)
        for kind in ("reference", "declaration", "transfer", "notice")
        if value
    )
    cases = desk.facts[CasesByKeys(named, desk.test)] if named else ()
    if len(cases) > 1:
        cases = tuple(c for c in cases if _concerned(desk, answer, c, declaration_of(c)))
    return cases[0] if len(cases) == 1 else None


def _without_case(answer: Response) -> list[Effect]:
    if answer.document not in ("declaration", "transfer", "clearance"):
        return []  # an answer to a manifest or a copy concerns no one case
    why = (fault("decide.case.unknown", value=answer.declaration_number or answer.reference or answer.number or ""),)
    return [Refuse(why), Alert("unmatched", why)]


def _concerned(desk: Desk, answer: Response, case: Case, declaration: Declaration) -> bool:
    """Whether the sender is one that the document was sent to."""
    bureaus = identified(desk.sender, BUREAU)
    if answer.document == "declaration":
        return may_answer(desk, case, declaration)
    if answer.document == "transfer":
        transfer = kept(case, "transfer", Transfer)
        if transfer is None:
            return False
        return transfer.to_organisation in bureaus or (
            transfer.from_organisation in bureaus and CHANGE.name in _asked_of(desk, case, bureaus)
        )
    if answer.document == "clearance":
        notice = kept(case, "clearance", ClearanceNotice)
        offices = identified(desk.sender, CUSTOMS_OFFICE)
        named = notice.customs_office if notice else None
        return desk.sent_by(Role.CUSTOMS) and (not named or not offices or named in offices)
    return desk.sent_by(Role.BUREAU, Role.CUSTOMS, Role.PORT)


def _told_reasons(answer: Response) -> tuple[Finding, ...]:
    """What the other side said, as one of our own reasons."""
    said = [answer.text, *(reason.text or reason.code for reason in answer.reasons)]
    text = "; ".join(s for s in said if s) or answer.outcome.value
    return (fault("decide.told", value=answer.outcome, text=text, answer=answer.code or "–"),)


def _happening(answer: Response, case: Case) -> Happening | None:
    """What the answer means for the case, as it stands; None where it only tells."""
    if answer.code in _ASSIGNED:
        return _ASSIGNED[answer.code]
    now = _MEANS_NOW.get(case.tracks["declaration"], {})
    return now.get(answer.outcome) or _MEANS.get(answer.outcome)


def _on_declaration(
    desk: Desk,
    answer: Response,
    case: Case,
    declaration: Declaration,
) -> list[Effect]:
    why = _told_reasons(answer)
    happening = _happening(answer, case)
    if happening is None:
        return [Note(case.id, "answered", why)]
    track, event = happening
    if elsewhere := _find_elsewhere(desk, case, declaration, track, event):
        return [Hold(case.id, elsewhere), Alert("status", elsewhere, case.id)]
    implied = moved_on(desk, case, *implied_by(happening))
    taken = moved(desk, implied.case, track, event, why)
    stands = find_standing(case) if event == "cancellation_agreed" else ()
    if taken is None or (stands and not taken.late):
        held = (not_allowed(case, event), *stands)
        return [Hold(case.id, held), Alert("status", held, case.id)]
    # A bureau that lets goods pass once more, where their withdrawal was asked for since, declines that.
    if taken.late and not (event == "pass" and implied.effects):
        return [*taken.effects, *find_contradiction(case, event, _reasons(taken))]
    effects: list[Effect] = [*implied.effects, *taken.effects]
    if track == "inspection" and event in ("assign", "order"):
        order = InspectionOrder(office=_office(desk, answer, case, declaration), assigns_only=event == "assign")
        effects.append(Keep(case.id, INSPECTION_ORDER, order))
    if event == "amendment_agreed":
        declaration = (kept(case, "amendment", Declaration) or declaration).model_copy(
            update={"number": declaration.number}
        )
    issued = declaration.number
    in_force = taken.case.tracks["declaration"] == Declared.ACCEPTED
    if in_force and event != "fail":
        issued, faults = _number(desk, answer, case, declaration)
        if rejects(faults):
            return [Hold(case.id, tuple(faults)), Alert("number", tuple(faults), case.id)]
    numbered = declaration.model_copy(update={"number": issued})
    if event == "accept":
        effects = accept_declaration(desk, case.id, numbered, event)
    elif event == "amendment_agreed":
        pass  # what the amendment changes follows from the event, whoever agreed
    elif issued != declaration.number:
        effects += [Keep(case.id, "declaration", numbered), AddKeys(case.id, keys_of(numbered))]
    if amendment_open(case) and event in ("pass", "fail"):
        why = (*why, fault("decide.amendment.overtaken"))
    return [*effects, *find_out_of_customs(case, event, why), *_forward(desk, answer, taken.case, numbered, why)]


def _find_elsewhere(desk: Desk, case: Case, declaration: Declaration, track: str, event: str) -> tuple[Finding, ...]:
    """Why what an office says is another office's to say; nothing where it is its own."""
    kind = desk.rules.of(DeclarationKinds).find(declaration.kind)
    is_handed_on = kind is not None and kind.transfer == "must"
    if event in ("pass", "fail"):
        if may_judge(desk, case, declaration, is_handed_on=is_handed_on):
            return ()
        if is_handed_on:
            return (fault("decide.kind.elsewhere", value=declaration.kind, kind=kind.zh if kind else "–"),)
        act = INSPECT
    else:
        act = ORDER if track == "inspection" else ACCEPT
    competent = find_competent(desk, act, case, declaration)
    if act is not INSPECT and competent.may(desk.sender):
        return ()
    rule = desk.rules.competence.acts[act]
    offices = ", ".join(sorted(competent.offices)) or "–"
    return (fault("decide.competence.elsewhere", value=desk.sender.id, act=rule.en, act_zh=rule.zh, offices=offices),)


def _reasons(taken: Taken) -> tuple[Finding, ...]:
    """What a note of something late says."""
    return tuple(reason for effect in taken.effects if isinstance(effect, Note) for reason in effect.reasons)


def _number(
    desk: Desk,
    answer: Response,
    case: Case,
    declaration: Declaration,
) -> tuple[str | None, list[Finding]]:
    """The case's number: the one it has, or the bureau's, or else a new one. One number from start to end."""
    given = answer.declaration_number
    if declaration.number:
        if given and given != declaration.number:
            return None, [fault("decide.number.differs", "declaration_number", given, ours=declaration.number)]
        return declaration.number, []
    if not given:
        issued = issue_number(desk, case.id, declaration)
        return issued, [] if issued else [fault("decide.number.exhausted", value=declaration.declaration_organisation)]
    direction = "1" if declaration.direction is Movement.INBOUND else "2"
    if given[:7] != f"{declaration.declaration_organisation}{direction}":
        return None, [fault("decide.number.form", "declaration_number", given)]
    if any(other.id != case.id for other in desk.facts[CasesByKeys(frozenset({("declaration", given)}), desk.test)]):
        return None, [fault("decide.number.taken", "declaration_number", given)]
    return given, []


def _forward(
    desk: Desk,
    answer: Response,
    case: Case,
    declaration: Declaration,
    why: tuple[Finding, ...],
) -> list[Effect]:
    """Tell the enterprises what the bureau said, under the numbers that they know."""
    return tell_enterprises(
        desk,
        case,
        subject_of(declaration),
        answer.outcome,
        why=() if answer.outcome in (Outcome.ACCEPTED, Outcome.RELEASED) and len(why) == 1 else why,
        code=answer.code,
        organisation=answer.organisation or declaration.declaration_organisation,
    )


def _office(desk: Desk, answer: Response, case: Case, declaration: Declaration) -> str:
    """Which of the sender's offices answers: the one that the answer names, else the first that has a part in the case."""
    own = own_offices(desk, case, declaration)
    return answer.organisation if answer.organisation in own else min(own, default="")


def _on_transfer(desk: Desk, answer: Response, case: Case) -> list[Effect]:
    """What an office says of a transfer: that it has taken it, or of what the other office has asked; nothing else."""
    transfer = kept(case, "transfer", Transfer)
    if transfer is None:
        return []
    bureaus = identified(desk.sender, BUREAU)
    receives, issues = transfer.to_organisation in bureaus, transfer.from_organisation in bureaus
    asked = _asked_of(desk, case, bureaus)
    event = None
    if issues and CHANGE.name in asked:
        event = {Outcome.ACCEPTED: "change_agreed", Outcome.REFUSED: "change_declined"}.get(answer.outcome)
    elif receives and WITHDRAWAL.name in asked:
        event = {Outcome.CANCELLED: "withdrawal_agreed", Outcome.REFUSED: "withdrawal_declined"}.get(answer.outcome)
    elif receives and answer.outcome is Outcome.ACCEPTED:
        event = "take"
    if event is None:
        return []
    why = _told_reasons(answer)
    taken = None if _names_replaced(case, answer, transfer) else moved(desk, case, "transfer", event, why)
    if taken is None or taken.late:
        return [Note(case.id, "late", why)]
    return [*taken.effects, *(_tell_taken(desk, taken.case, transfer) if event == "take" else ())]


def _asked_of(desk: Desk, case: Case, bureaus: frozenset[str]) -> set[str]:
    """The kinds of tasks that these offices are asked about the case."""
    return {task.kind for task in desk.facts[TasksOf(case.id, desk.test)] if task.office in bureaus}


def _tell_taken(desk: Desk, case: Case, transfer: Transfer) -> list[Effect]:
    """The issuing office and the enterprises learn that the other office has the goods in hand."""
    issuer = bureau(desk.facts, transfer.from_organisation)
    effects: list[Effect] = []
    if issuer is not None and issuer.id != desk.sender.id:
        answer = response(desk, transfer_subject(transfer), Outcome.ACCEPTED, issuer.language)
        effects.append(tell(case.id, issuer, answer))
    subject = subject_of(declaration_of(case), "transfer", transfer.number)
    office = transfer.to_organisation
    return [*effects, *tell_enterprises(desk, case, subject, Outcome.ACCEPTED, organisation=office)]


def _declined(
    desk: Desk,
    answer: Response,
    case: Case,
    declaration: Declaration,
) -> list[Effect]:
    """The port's bureau refuses a transfer, or customs a notice: the case is held, and both sides learn why.

    A refusal of one that another has replaced since comes too late. A number that the case does not know says nothing
    of which one is meant, and the one in force is taken for it.
    """
    why = _told_reasons(answer)
    declined = kept(case, answer.document, _DECLINABLE[answer.document])
    replaced = declined is not None and _names_replaced(case, answer, declined)
    taken = None if replaced else moved(desk, case, answer.document, "decline", why)
    if taken is None or taken.late:
        return [Note(case.id, "late", why)]
    subject = subject_of(declaration, answer.document, declined.number if declined is not None else None)
    effects: list[Effect] = [
        *taken.effects,
        Hold(case.id, why),
        Alert("declined", why, case.id),
        *tell_enterprises(desk, taken.case, subject, Outcome.HELD, why=why),
    ]
    issuer = bureau(desk.facts, declined.from_organisation) if isinstance(declined, Transfer) else None
    if issuer is not None and isinstance(declined, Transfer):
        about = Subject("transfer", None, declined.number, declined.declaration_number)
        refused = response(desk, about, Outcome.REFUSED, issuer.language, why=why)
        effects.append(tell(case.id, issuer, refused))
    return effects


def _names_replaced(case: Case, answer: Response, ours: Transfer | ClearanceNotice) -> bool:
    """Whether the answer is about one that another, which is in force now, has replaced since."""
    named = answer.notice_number if answer.document == "clearance" and answer.notice_number else answer.number
    return named != ours.number and (_KEY_OF[answer.document], named) in case.keys


FLOW = Flow(
    "response",
    takes=(
        Takes(
            Response,
            otherwise=True,
            answers=lambda answer: (answer.document, answer.outcome.value),
        ),
    ),
    decide=decide,
    feeds=(STATUS,),
    competences=frozenset({ACCEPT, ORDER, INSPECT}),
)
