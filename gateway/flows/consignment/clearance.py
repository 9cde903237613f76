"""The clearance flow (电子通关): the notice goes to customs, customs' data comes back and is matched.

A match clears the case. A mismatch holds it, with each difference named, and nothing is released; a
corrected notice or customs entry that matches lifts the hold.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.check.rules import walk
from gateway.decide.answers import CLEARED, Subject, fault, progress, refuse, response, tell
from gateway.decide.desk import Desk
from gateway.decide.effects import (
    AddKeys,
    Alert,
    Effect,
    Hold,
    Keep,
    Note,
    Party,
    Publish,
    Purpose,
    Respond,
    Send,
)
from gateway.decide.facts import CasesByKeys, PartnerById, PartnerByIdentifier
from gateway.decide.flow import Feed, Flow, Takes
from gateway.documents.clearance import ClearanceNotice, NoticeStatus
from gateway.documents.customs_entry import CustomsEntry, EntryStatus
from gateway.documents.parts import Function
from gateway.documents.response import Outcome
from gateway.findings import rejects
from gateway.flows.consignment.cases import (
    BUREAU,
    CUSTOMS_OFFICE,
    STATUS,
    bureau,
    bureau_questions,
    declaration_of,
    declarer,
    find_declared,
    identified,
    kept,
    moved,
    subject_of,
)
from gateway.flows.consignment.matching import mismatches
from gateway.flows.consignment.status import Event, Status
from gateway.model import Case, Finding, Role


def decide(desk: Desk) -> list[Effect]:
    """What a clearance notice comes to: passed to customs, or refused."""
    notice = desk.document
    assert isinstance(notice, ClearanceNotice)
    subject = _subject(notice)
    case = find_declared(desk, notice.declaration_number)
    if case is None:
        return refuse(desk, subject, [fault("decide.case.unknown", "declaration_number", notice.declaration_number)])
    asked = [PartnerByIdentifier(CUSTOMS_OFFICE, notice.customs_office)] if notice.customs_office else []
    desk.facts.require([*asked, PartnerById(case.partner_id)])
    why = list(_notice_faults(desk, notice, case))
    if rejects(why):
        return refuse(desk, subject, why, case.id)
    return _pass_on(desk, notice, case, Event.NOTICE_WITHDRAWN if _withdrawn(notice) else Event.NOTIFY)


def match(desk: Desk) -> list[Effect]:
    """What customs' data comes to: it clears the case it matches, and holds the case it does not."""
    entry = desk.document
    assert isinstance(entry, CustomsEntry)
    subject = Subject("customs_entry", None, entry.number, entry.declaration_number, entry.notice_number)
    cases = desk.facts[CasesByKeys(frozenset({("notice", entry.notice_number)}), desk.test)]
    notice = kept(cases[0], "clearance", ClearanceNotice) if cases else None
    if notice is None or notice.number != entry.notice_number:
        why = [fault("decide.clearance.unknown", "notice_number", entry.notice_number)]
        return [*refuse(desk, subject, why), Alert("unmatched", tuple(why))]
    case = cases[0]
    desk.facts.require([*bureau_questions(notice.issuing_organisation), PartnerById(case.partner_id)])
    offices = identified(desk.sender, CUSTOMS_OFFICE)
    if not desk.sent_by(Role.CUSTOMS) or (notice.customs_office and offices and notice.customs_office not in offices):
        why = [fault("decide.sender.not_concerned", value=desk.sender.id)]
        return [*refuse(desk, subject, why, case.id), Alert("sender", tuple(why), case.id)]
    why = list(_void(entry, notice, case))
    if rejects(why):
        return [*refuse(desk, subject, why, case.id), Alert("unmatched", tuple(why), case.id)]
    if entry.status in (EntryStatus.REFUSED, EntryStatus.CANCELLED) or entry.function is Function.CANCELLATION:
        why = [fault("decide.clearance.withdrawn", "status", entry.status)]
        found, event = tuple(why), Event.MISMATCH
    else:
        found = tuple(mismatches(notice, entry, desk.rules.clearance_match.match))
        event = Event.MISMATCH if found else Event.MATCH
    return _matched(desk, entry, notice, case, event, found)


def _subject(notice: ClearanceNotice) -> Subject:
    return Subject("clearance", None, notice.number, notice.declaration_number, notice.number)


def _withdrawn(notice: ClearanceNotice) -> bool:
    """Whether the notice withdraws itself, by what it does or by what it says has become of it."""
    return notice.function is Function.CANCELLATION or notice.status is NoticeStatus.CANCELLED


def _void(entry: CustomsEntry, notice: ClearanceNotice, case: Case) -> Iterator[Finding]:
    """Why a notice that we know can clear nothing under this entry: it was withdrawn, or another entry has used it."""
    if _withdrawn(notice):
        yield fault("decide.clearance.notice_withdrawn", "notice_number", notice.number)
    elif case.status == Status.CLEARED and ("entry", entry.number) not in case.keys:
        yield fault("decide.clearance.used", "notice_number", notice.number)


def _notice_faults(desk: Desk, notice: ClearanceNotice, case: Case) -> Iterator[Finding]:
    """Why a notice cannot stand: not its bureau's to issue, or not what was declared."""
    declaration = declaration_of(case)
    bureaus = identified(desk.sender, BUREAU)
    concerned = {
        declaration.declaration_organisation,
        declaration.inspection_organisation,
        declaration.purpose_organisation,
    }
    if notice.issuing_organisation is not None and notice.issuing_organisation not in bureaus:
        yield fault("decide.sender.not_concerned", "issuing_organisation", notice.issuing_organisation)
    elif bureaus.isdisjoint(concerned):
        yield fault("decide.sender.not_concerned", value=desk.sender.id)
    if notice.direction is not declaration.direction:
        yield fault("decide.differs", "direction", notice.direction, ours=declaration.direction)
    declared = {goods.hs_code for goods in declaration.goods}
    for place, code in walk(notice, "goods[].hs_code"):
        if code is not None and code not in declared:
            yield fault("decide.goods.not_declared", place, code)


def _pass_on(desk: Desk, notice: ClearanceNotice, case: Case, event: Event) -> list[Effect]:
    subject = _subject(notice)
    taken = moved(case, event)
    if taken is None:
        why = [fault("decide.status.not_allowed", "function", event, event=event, status=case.status)]
        return refuse(desk, subject, why, case.id)
    status, effect = taken
    withdrawn = event is Event.NOTICE_WITHDRAWN
    if isinstance(effect, Note) and notice.function is Function.REPLACE and case.status == Status.NOTIFIED:
        effect = Note(case.id, "changed", (fault("decide.clearance.changed", value=notice.number),))
    elif isinstance(effect, Note):
        return _repeat(desk, notice, case)
    outcome = Outcome.CANCELLED if withdrawn else Outcome.ACCEPTED
    answer = response(desk, subject, outcome, desk.sender.language)
    to = declarer(case, desk.facts)
    about = subject_of(declaration_of(case), "clearance", notice.number)
    told = response(desk, about, outcome, to.language).model_copy(update={"notice_number": notice.number})
    effects: list[Effect] = [effect, Keep(case.id, "clearance", notice)]
    effects.append(AddKeys(case.id, frozenset({("notice", notice.number)})))
    office = notice.customs_office
    customs = desk.facts[PartnerByIdentifier(CUSTOMS_OFFICE, office)] if office else None
    if office and customs is None:
        # Naming an office we do not know is no reason to show the notice to the others.
        effects.append(Alert("customs", (fault("decide.customs.unknown", "customs_office", office),), case.id))
    else:
        party = Party(Role.CUSTOMS, partner_id=customs.id if customs else "")
        effects.append(Send(case.id, "clearance", notice, party, Purpose.CLEARANCE))
    keys = {"declaration": notice.declaration_number, "notice": notice.number}
    effects.append(Publish("clearance", case.id, "clearance", notice, keys, customs.id if customs else ""))
    return [*effects, Respond(case.id, answer), progress(case.id, case.partner_id, told, status)]


def _repeat(desk: Desk, notice: ClearanceNotice, case: Case) -> list[Effect]:
    """The same notice again is told so; another one is refused, for customs has the first."""
    subject = _subject(notice)
    earlier = kept(case, "clearance", ClearanceNotice)
    if earlier is None or earlier.model_copy(update={"status": notice.status}) != notice:
        return refuse(desk, subject, [fault("decide.clearance.open", "number", notice.number)], case.id)
    outcome = Outcome.CANCELLED if notice.function is Function.CANCELLATION else Outcome.ACCEPTED
    answer = response(desk, subject, outcome, desk.sender.language)
    return [Note(case.id, "repeat", (fault("decide.repeat"),)), Respond(case.id, answer)]


def _matched(
    desk: Desk,
    entry: CustomsEntry,
    notice: ClearanceNotice,
    case: Case,
    event: Event,
    found: tuple[Finding, ...],
) -> list[Effect]:
    """Carry out a match or a mismatch: status, answers to both sides, and customs' data to the bureau."""
    subject = Subject("customs_entry", None, entry.number, notice.declaration_number, notice.number)
    taken = moved(case, event, found)
    if taken is None:
        why = [fault("decide.status.not_allowed", value=event, event=event, status=case.status)]
        return [*refuse(desk, subject, why, case.id), Alert("status", tuple(why), case.id)]
    status, effect = taken
    outcome = Outcome.CLEARED if event is Event.MATCH else Outcome.HELD
    code = CLEARED if event is Event.MATCH else None
    answer = response(desk, subject, outcome, desk.sender.language, why=found, code=code)
    if isinstance(effect, Note):
        effects: list[Effect] = [effect, Respond(case.id, answer)]
        if event is Event.MISMATCH and status is Status.CLEARED:
            # It stays cleared, but somebody must know that customs' data has changed since.
            effects.append(Alert("contradiction", found, case.id))
        elif event is Event.MISMATCH:
            effects += [Keep(case.id, "customs_entry", entry), Hold(case.id, found)]
        return effects
    to = declarer(case, desk.facts)
    about = subject_of(declaration_of(case), "clearance", notice.number)
    told = response(desk, about, outcome, to.language, why=found, code=code)
    told = told.model_copy(update={"notice_number": notice.number})
    effects = [effect, Keep(case.id, "customs_entry", entry)]
    if event is Event.MATCH:
        effects.append(Keep(case.id, "clearance", notice.model_copy(update={"status": NoticeStatus.USED})))
        effects.append(AddKeys(case.id, frozenset({("entry", entry.number)})))
    else:
        effects += [Hold(case.id, found), Alert("mismatch", found, case.id)]
    issuer = bureau(desk.facts, notice.issuing_organisation)
    if issuer is not None:
        party = Party(Role.BUREAU, partner_id=issuer.id)
        effects.append(Send(case.id, "customs_entry", entry, party, Purpose.INFORMATION))
    return [
        *effects,
        Respond(case.id, answer),
        tell(case.id, to, told),
        progress(case.id, case.partner_id, told, status),
    ]


NOTICES = Flow(
    "clearance",
    takes=(Takes(ClearanceNotice),),
    decide=decide,
    feeds=(Feed("clearance", frozenset({Role.CUSTOMS})), STATUS),
)
ENTRIES = Flow("customs_entry", takes=(Takes(CustomsEntry),), decide=match, feeds=(STATUS,))
