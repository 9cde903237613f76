"""Changes and withdrawals of what the bureau has accepted: a task of the office in charge, and what follows from its word.

The office's own system may answer instead (see response.py); either way the same event happens, and what it changes is
said here. A withdrawal is agreed once nothing stands that was made of the declaration, and the task names what does.
After the goods have passed, another paper may be written for them, but not for other goods.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.decide.answers import fault
from gateway.decide.cases import kept
from gateway.decide.desk import Desk
from gateway.decide.effects import AddKeys, Ask, Effect, Keep, Purpose, Send
from gateway.decide.parties import bureau, bureau_questions
from gateway.decide.tasks import TaskKind
from gateway.documents.clearance import ClearanceNotice
from gateway.documents.decision import Decision
from gateway.documents.declaration import Declaration
from gateway.documents.response import Outcome
from gateway.documents.transfer import Transfer
from gateway.flows.competence import inspecting_office
from gateway.flows.consignment.acceptance import party_of
from gateway.flows.consignment.cases import keys_of, subject_of
from gateway.flows.consignment.rules import ConsignmentRules
from gateway.flows.consignment.tracks import Cleared, Inspected, Transferred
from gateway.flows.declared import declaration_of, find_out
from gateway.flows.enterprises import enterprise_questions, tell_enterprises
from gateway.model import Case, Finding

AMENDMENT = TaskKind(
    "amendment", "declaration", "accept", {"agree": "amendment_agreed", "decline": "amendment_declined"}
)
"""The office in charge decides whether a declaration that it accepted is changed."""
CANCELLATION = TaskKind(
    "cancellation", "declaration", "accept", {"agree": "cancellation_agreed", "decline": "cancellation_declined"}
)
"""The office in charge decides whether it is withdrawn."""


def ask_office(
    desk: Desk, case: Case, kind: TaskKind, declaration: Declaration, why: tuple[Finding, ...]
) -> list[Effect]:
    """The office in charge is asked; its officer sees what stands in the way."""
    inspecting = inspecting_office(declaration)
    known = bureau(desk.facts, inspecting) is not None
    office = (inspecting if known else declaration.declaration_organisation) or ""
    return [Ask(desk.derive("task", kind.name), kind.name, case.id, office, reasons=why)]


def find_standing(case: Case) -> tuple[Finding, ...]:
    """What must be taken back before the declaration can be: a notice, a transfer, goods that have left the port."""
    return tuple(_standing(case))


def find_dependent(case: Case) -> tuple[Finding, ...]:
    """What would no longer fit an amended declaration, and is changed by its own office."""
    return tuple(finding for finding in _standing(case) if finding.code == "decide.stands.transfer")


def _standing(case: Case) -> Iterator[Finding]:
    notice = kept(case, "clearance", ClearanceNotice)
    if notice is not None and case.tracks.get("clearance") in (Cleared.NOTIFIED, Cleared.MISMATCHED):
        yield fault("decide.stands.notice", value=notice.number)
    transfer = kept(case, "transfer", Transfer)
    open_ = (Transferred.SENT, Transferred.TAKEN, Transferred.DECLINED)
    if transfer is not None and case.tracks.get("transfer") in open_:
        yield fault("decide.stands.transfer", value=transfer.number, office=transfer.to_organisation)
    for number in find_out(case):
        yield fault("decide.stands.container", value=number)


def find_fixed(desk: Desk, case: Case, earlier: Declaration, changed: Declaration) -> list[Finding]:
    """What an amendment may not change: what is part of the number, and once the goods passed, what they are."""
    rules = desk.rules.of(ConsignmentRules)
    fixed = [
        fault("decide.amendment.fixed", path, getattr(changed, path))
        for path in rules.fixed_with_number
        if getattr(changed, path) != getattr(earlier, path)
    ]
    if case.tracks.get("inspection") in (Inspected.PASSED, Inspected.WAIVED):
        before, after = _headings(earlier, rules), _headings(changed, rules)
        fixed += [
            fault("decide.amendment.goods", f"goods[{index}].hs_code", heading, ours=before.get(number, "–"))
            for index, (number, heading) in enumerate(after.items())
            if before.get(number) != heading
        ]
        if missing := before.keys() - after.keys():
            fixed.append(
                fault("decide.amendment.goods", "goods", "–", ours=", ".join(before[n] for n in sorted(missing)))
            )
    return fixed


def _headings(declaration: Declaration, rules: ConsignmentRules) -> dict[int, str]:
    """By number of the item, the digits of its HS code that are fixed."""
    return {
        goods.sequence_number or index + 1: (goods.hs_code or "")[: rules.hs_digits_fixed]
        for index, goods in enumerate(declaration.goods)
    }


def adopt_amendment(desk: Desk, case: Case) -> list[Effect]:
    """The amendment is agreed: it is the declaration from now on, under the number there is."""
    earlier, amendment = declaration_of(case), kept(case, "amendment", Declaration)
    if amendment is None:
        return []
    amended = amendment.model_copy(update={"number": earlier.number})
    effects: list[Effect] = [Keep(case.id, "declaration", amended), AddKeys(case.id, keys_of(amended))]
    office = inspecting_office(amended)
    if office != inspecting_office(earlier):
        # Another office inspects from now on, and has not seen the declaration yet.
        desk.facts.require(bureau_questions(office))
        inspecting = bureau(desk.facts, office)
        if inspecting is not None and inspecting.id != desk.sender.id:
            effects.append(Send(case.id, "declaration", amended, party_of(inspecting), Purpose.INSPECTION))
    return [*effects, *tell_officers_word(desk, case)]


def tell_officers_word(desk: Desk, case: Case) -> list[Effect]:
    """Where a person decided, the enterprises are told here; a system's answer is passed on as it is (response.py)."""
    if not desk.occasion.actor.person:
        return []
    desk.facts.require(enterprise_questions(case))
    declaration = declaration_of(case)
    outcome = Outcome.CANCELLED if case.tracks["declaration"] == "cancelled" else _outcome(desk)
    said = desk.document.reasons if isinstance(desk.document, Decision) else ()
    why = [fault("decide.told", text=text, answer=outcome) for text in said]
    office = declaration.declaration_organisation
    return tell_enterprises(desk, case, subject_of(declaration), outcome, why=why, organisation=office)


def _outcome(desk: Desk) -> Outcome:
    """What the event of the reaction says of what was asked for."""
    event = desk.origin[2] if len(desk.origin) > 2 else ""
    return Outcome.REFUSED if event.endswith("_declined") else Outcome.ACCEPTED
