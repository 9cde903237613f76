"""The clearance flow (电子通关): the notice goes to customs, customs' data comes back and is matched.

A match clears the case. A mismatch holds it, with each difference named, and nothing is released; a
corrected notice or customs entry that matches lifts the hold.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.check.rulebook import ClearanceMatch
from gateway.check.rules import walk
from gateway.decide.answers import CLEARED, Subject, fault, progress, refuse, response, tell
from gateway.decide.cases import kept, moved, moved_on, not_allowed
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
from gateway.decide.gates import find_missing
from gateway.decide.parties import BUREAU, CUSTOMS_OFFICE, bureau, bureau_questions, declarer, identified
from gateway.documents.clearance import ClearanceNotice, NoticeStatus
from gateway.documents.customs_entry import CustomsEntry, EntryStatus
from gateway.documents.declaration import Declaration
from gateway.documents.parts import Function
from gateway.documents.response import Outcome, Response
from gateway.findings import rejects
from gateway.flows.consignment import validity
from gateway.flows.consignment.cases import STATUS, find_declared, subject_of
from gateway.flows.consignment.matching import mismatches
from gateway.flows.consignment.tracks import CLEARANCE, Cleared
from gateway.flows.declared import declaration_of, is_inbound, mode_of, offices_of
from gateway.model import Case, Finding, Role

NOTIFY = "notify"
"""The act that the issue of a notice is; schemas/rules/gates say what must hold before it."""


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
    return _pass_on(desk, notice, case, "withdraw" if _withdrawn(notice) else "notify")


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
    why = list(_void(desk, entry, notice, case))
    if rejects(why):
        return [*refuse(desk, subject, why, case.id), Alert("unmatched", tuple(why), case.id)]
    if entry.status in (EntryStatus.REFUSED, EntryStatus.CANCELLED) or entry.function is Function.CANCELLATION:
        why = [fault("decide.clearance.withdrawn", "status", entry.status)]
        found = tuple(why)
    else:
        found = tuple(mismatches(notice, entry, desk.rules.of(ClearanceMatch).match, desk.rules.code_list("mass_unit")))
    return _differing(desk, entry, notice, case, found) if found else _agreeing(desk, entry, notice, case)


def _subject(notice: ClearanceNotice) -> Subject:
    return Subject("clearance", None, notice.number, notice.declaration_number, notice.number)


def _withdrawn(notice: ClearanceNotice) -> bool:
    """Whether the notice withdraws itself, by what it does or by what it says has become of it."""
    return notice.function is Function.CANCELLATION or notice.status is NoticeStatus.CANCELLED


def _void(desk: Desk, entry: CustomsEntry, notice: ClearanceNotice, case: Case) -> Iterator[Finding]:
    """Why a notice that we know can clear nothing under this entry: withdrawn, expired, or used by another."""
    if _withdrawn(notice):
        yield fault("decide.clearance.notice_withdrawn", "notice_number", notice.number)
    elif _is_used(case):
        if ("entry", entry.number) not in case.keys:
            yield fault("decide.clearance.used", "notice_number", notice.number)
    elif validity.is_over(desk, notice.valid_until):
        yield fault("decide.clearance.expired", "notice_number", notice.valid_until, notice=notice.number)


def _is_used(case: Case) -> bool:
    """Whether customs has matched the case's notice with an entry."""
    return case.tracks.get("clearance") in (Cleared.MATCHED, Cleared.RELEASED)


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
    else:
        yield from _unready(desk, notice, case, declaration, bureaus)
    if notice.direction is not declaration.direction:
        yield fault("decide.differs", "direction", notice.direction, ours=declaration.direction)
    declared = {goods.hs_code for goods in declaration.goods}
    for place, code in walk(notice, "goods[].hs_code"):
        if code is not None and code not in declared:
            yield fault("decide.goods.not_declared", place, code)


def _unready(
    desk: Desk, notice: ClearanceNotice, case: Case, declaration: Declaration, bureaus: frozenset[str]
) -> Iterator[Finding]:
    """What the mode of supervision, and the gate before a notice, want of it still; nothing of a withdrawal."""
    if _withdrawn(notice):
        return
    mode = mode_of(desk.rules, declaration)
    offices = offices_of(declaration, mode.notifies)
    if bureaus.isdisjoint(offices):
        words = {"mode": mode.en, "mode_zh": mode.zh, "offices": ", ".join(sorted(offices)) or "–"}
        yield fault("decide.mode.notice_office", value=", ".join(sorted(bureaus)), **words)
    # The notice of an export says by itself that the goods have passed.
    passed = case if is_inbound(case) else moved_on(desk, case, ("inspection", "pass")).case
    yield from find_missing(desk.rules.gates, NOTIFY, passed, mode.id)


def _pass_on(desk: Desk, notice: ClearanceNotice, case: Case, event: str) -> list[Effect]:
    """Pass a notice, or its withdrawal, to customs, and tell everybody."""
    subject = _subject(notice)
    taken = moved(desk, case, "clearance", event)
    if taken is None:
        return refuse(desk, subject, [not_allowed(case, event, "function")], case.id)
    withdrawn = event == "withdraw"
    moves = taken.effects
    if taken.late and notice.function is Function.REPLACE and case.tracks.get("clearance") == Cleared.NOTIFIED:
        moves = (Note(case.id, "changed", (fault("decide.clearance.changed", value=notice.number),)),)
    elif taken.late:
        return _repeat(desk, notice, case)
    elif not withdrawn and not is_inbound(case):
        # The notice of an export says by itself that the goods have passed; imports are looked at when they are there.
        taken = moved_on(desk, case, ("inspection", "pass"), ("clearance", event))
        moves = taken.effects
    outcome = Outcome.CANCELLED if withdrawn else Outcome.ACCEPTED
    answer = response(desk, subject, outcome, desk.sender.language)
    to = declarer(case, desk.facts)
    about = subject_of(declaration_of(case), "clearance", notice.number)
    told = response(desk, about, outcome, to.language)
    valid_until = None if withdrawn else notice.valid_until
    effects: list[Effect] = [*moves, *validity.begin(desk, case, validity.NOTICE_ENDS, valid_until)]
    effects.append(Keep(case.id, "clearance", notice))
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
    return [*effects, Respond(case.id, answer), progress(case.id, case.partner_id, told, taken.case.status)]


def _repeat(desk: Desk, notice: ClearanceNotice, case: Case) -> list[Effect]:
    """The same notice again is told so; another one is refused, for customs has the first."""
    subject = _subject(notice)
    earlier = kept(case, "clearance", ClearanceNotice)
    if earlier is None or earlier.model_copy(update={"status": notice.status}) != notice:
        return refuse(desk, subject, [fault("decide.clearance.open", "number", notice.number)], case.id)
    outcome = Outcome.CANCELLED if notice.function is Function.CANCELLATION else Outcome.ACCEPTED
    answer = response(desk, subject, outcome, desk.sender.language)
    return [Note(case.id, "repeat", (fault("decide.repeat"),)), Respond(case.id, answer)]


def _agreeing(desk: Desk, entry: CustomsEntry, notice: ClearanceNotice, case: Case) -> list[Effect]:
    """Customs' data agrees with the notice, and may say already that customs let the goods go."""
    events = [("clearance", "match")]
    if entry.status is EntryStatus.RELEASED:
        events.append(("clearance", "customs_release"))
    taken = moved_on(desk, case, *events)
    released = taken.case.tracks.get("clearance") == Cleared.RELEASED
    outcome, code = (Outcome.CLEARED, CLEARED) if released else (Outcome.ACCEPTED, None)
    answer = response(desk, _entry_subject(entry, notice), outcome, desk.sender.language, code=code)
    if not taken.effects:
        late = moved(desk, case, *events[-1])
        if late is None:
            return _not_matched(desk, entry, notice, case, "match")
        return [*late.effects, Respond(case.id, answer)]
    return [
        *taken.effects,
        *validity.end(case, validity.NOTICE_ENDS),
        Keep(case.id, "customs_entry", entry),
        Keep(case.id, "clearance", notice.model_copy(update={"status": NoticeStatus.USED})),
        AddKeys(case.id, frozenset({("entry", entry.number)})),
        *_told(desk, entry, notice, taken.case, answer, code=code),
    ]


def _differing(
    desk: Desk, entry: CustomsEntry, notice: ClearanceNotice, case: Case, found: tuple[Finding, ...]
) -> list[Effect]:
    """Customs' data differs from the notice, or customs gave the entry up: the case is held, each difference named."""
    taken = moved(desk, case, "clearance", "mismatch", found)
    if taken is None:
        return _not_matched(desk, entry, notice, case, "mismatch")
    answer = response(desk, _entry_subject(entry, notice), Outcome.HELD, desk.sender.language, why=found)
    if taken.late and case.tracks.get("clearance") == Cleared.RELEASED:
        # It stays cleared, but somebody must know that customs' data has changed since.
        return [*taken.effects, Respond(case.id, answer), Alert("contradiction", found, case.id)]
    held: list[Effect] = [*taken.effects, Keep(case.id, "customs_entry", entry), Hold(case.id, found)]
    if taken.late:
        return [*held, Respond(case.id, answer)]
    return [*held, Alert("mismatch", found, case.id), *_told(desk, entry, notice, taken.case, answer, found)]


def _entry_subject(entry: CustomsEntry, notice: ClearanceNotice) -> Subject:
    return Subject("customs_entry", None, entry.number, notice.declaration_number, notice.number)


def _not_matched(desk: Desk, entry: CustomsEntry, notice: ClearanceNotice, case: Case, event: str) -> list[Effect]:
    """What customs says of a case that has no notice for it to answer."""
    why = (not_allowed(case, event),)
    return [*refuse(desk, _entry_subject(entry, notice), why, case.id), Alert("status", why, case.id)]


def _told(
    desk: Desk,
    entry: CustomsEntry,
    notice: ClearanceNotice,
    case: Case,
    answer: Response,
    found: tuple[Finding, ...] = (),
    code: str | None = None,
) -> list[Effect]:
    """Answer customs, tell the declarer the same, and hand customs' data to the bureau that issued the notice."""
    to = declarer(case, desk.facts)
    about = subject_of(declaration_of(case), "clearance", notice.number)
    told = response(desk, about, answer.outcome, to.language, why=found, code=code)
    issuer = bureau(desk.facts, notice.issuing_organisation)
    effects: list[Effect] = []
    if issuer is not None:
        party = Party(Role.BUREAU, partner_id=issuer.id)
        effects.append(Send(case.id, "customs_entry", entry, party, Purpose.INFORMATION))
    return [
        *effects,
        Respond(case.id, answer),
        tell(case.id, to, told),
        progress(case.id, case.partner_id, told, case.status),
    ]


NOTICES = Flow(
    "clearance",
    takes=(Takes(ClearanceNotice),),
    decide=decide,
    feeds=(Feed("clearance", frozenset({Role.CUSTOMS})), STATUS),
    tracks=(CLEARANCE,),
    gates=frozenset({NOTIFY}),
    deadlines={validity.NOTICE_ENDS: validity.expire_notice},
)
ENTRIES = Flow(
    "customs_entry",
    takes=(Takes(CustomsEntry, answers=lambda entry: ("clearance", entry.status.value)),),
    decide=match,
    feeds=(STATUS,),
    rules=(ClearanceMatch,),
)
