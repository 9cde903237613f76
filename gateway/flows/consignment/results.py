"""What a result of the inspection is to others than the enterprises: the transfer's other side, and customs of what failed.

    passed                       the other office of the transfer
    failed                       the same, customs where it has a notice, and a task: what becomes of the goods
    treated, returned, destroyed all of them, and the enterprises

Who says it, a bureau's system or an officer, is all the same: this follows from the event.
"""

from __future__ import annotations

from gateway.decide.answers import Subject, fault, response, tell
from gateway.decide.cases import kept
from gateway.decide.desk import Alarm, Desk
from gateway.decide.effects import Ask, Effect
from gateway.decide.facts import PartnerByIdentifier
from gateway.decide.flow import Flow, On
from gateway.decide.parties import CUSTOMS_OFFICE, bureau, bureau_questions
from gateway.decide.tasks import TaskKind
from gateway.documents.clearance import ClearanceNotice
from gateway.documents.response import Outcome
from gateway.documents.transfer import Transfer
from gateway.flows.competence import destination_in_charge, inspecting_office, own_offices
from gateway.flows.consignment.cases import STATUS, subject_of
from gateway.flows.consignment.tracks import Cleared, Transferred
from gateway.flows.declared import declaration_of
from gateway.flows.enterprises import enterprise_questions, tell_enterprises
from gateway.model import Case, Finding, Partner

FAILED_GOODS = TaskKind(
    "failed_goods",
    "inspection",
    "inspect",
    {"treat": "treat", "send_back": "return", "destroy": "destroy", "reinspect": "reinspect"},
)
"""What becomes of goods that did not pass (不合格处置)."""
_HANDED = (Transferred.SENT, Transferred.TAKEN)
_NOTIFIED = (Cleared.NOTIFIED, Cleared.MATCHED, Cleared.MISMATCHED, Cleared.RELEASED)


def tell_passed(desk: Desk, case: Case) -> list[Effect]:
    """The office on the other side of the transfer learns that the goods passed; a transfer or a notice says so itself."""
    if not isinstance(desk.occasion, Alarm) and isinstance(desk.document, Transfer | ClearanceNotice):
        return []
    return _tell_offices(desk, case, Outcome.RELEASED, ())


def tell_failed(desk: Desk, case: Case) -> list[Effect]:
    """The other office and customs learn that they did not; the office that inspects decides what becomes of them."""
    declaration = declaration_of(case)
    why = (fault("decide.inspection.failed", value=declaration.number),)
    own = own_offices(desk, case, declaration)
    office = destination_in_charge(case, declaration) or min(own, default="") or inspecting_office(declaration) or ""
    asked = Ask(desk.derive("task", FAILED_GOODS.name), FAILED_GOODS.name, case.id, office, reasons=why)
    return [asked, *_tell_offices(desk, case, Outcome.REFUSED, why), *_tell_customs(desk, case, why)]


def tell_disposed(desk: Desk, case: Case) -> list[Effect]:
    """Everybody learns that the goods are treated, sent back or destroyed."""
    declaration = declaration_of(case)
    why = (fault("decide.inspection.disposed", value=declaration.number, status=case.tracks["inspection"]),)
    desk.facts.require(enterprise_questions(case))
    return [
        *_tell_offices(desk, case, Outcome.REFUSED, why),
        *_tell_customs(desk, case, why),
        *tell_enterprises(desk, case, subject_of(declaration), Outcome.REFUSED, why=why),
    ]


def _tell_offices(desk: Desk, case: Case, outcome: Outcome, why: tuple[Finding, ...]) -> list[Effect]:
    transfer = kept(case, "transfer", Transfer)
    if transfer is None or case.tracks.get("transfer") not in _HANDED:
        return []
    codes = (transfer.from_organisation, transfer.to_organisation)
    desk.facts.require(bureau_questions(*codes))
    found = (bureau(desk.facts, code) for code in codes)
    offices = {one.id: one for one in found if one is not None and one.id != desk.sender.id}
    declaration = declaration_of(case)
    about = Subject("declaration", None, declaration.number, declaration.number)
    return [
        tell(case.id, one, response(desk, about, outcome, one.language, why=why, reader=one.id))
        for one in offices.values()
    ]


def _tell_customs(desk: Desk, case: Case, why: tuple[Finding, ...]) -> list[Effect]:
    """Customs, where it has a notice of goods that did not pass."""
    notice = kept(case, "clearance", ClearanceNotice)
    if notice is None or not notice.customs_office or case.tracks.get("clearance") not in _NOTIFIED:
        return []
    customs: Partner | None = desk.facts[PartnerByIdentifier(CUSTOMS_OFFICE, notice.customs_office)]
    if customs is None:
        return []
    about = Subject("clearance", None, notice.number, notice.declaration_number, notice.number)
    return [tell(case.id, customs, response(desk, about, Outcome.HELD, customs.language, why=why, reader=customs.id))]


def _decide(_desk: Desk) -> list[Effect]:
    """No document is this flow's: it reacts to results, whoever brings them."""
    return []


FLOW = Flow(
    "inspection",
    takes=(),
    decide=_decide,
    feeds=(STATUS,),
    tasks=(FAILED_GOODS,),
    reacts=(
        On("inspection", "pass", tell_passed),
        On("inspection", "fail", tell_failed),
        *(On("inspection", event, tell_disposed) for event in ("treat", "return", "destroy")),
    ),
)
