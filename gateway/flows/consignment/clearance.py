"""The clearance flow (电子通关): the notice goes to customs, customs' data comes back and is matched.

A match says that the data agrees (核查一致); only customs' release clears the case. A mismatch holds it, with each
difference named, and nothing is released; a corrected notice or customs entry that matches lifts the hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from gateway.check.rulebook import ClearanceMatch
from gateway.check.rules import walk
from gateway.decide.answers import NOTICE_ISSUED, Subject, fault, refuse, response
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
from gateway.decide.facts import CasesByKeys, PartnerByIdentifier
from gateway.decide.flow import Feed, Flow, On, Takes
from gateway.decide.gates import find_missing
from gateway.decide.parties import BUREAU, CUSTOMS_OFFICE, bureau, bureau_questions, identified
from gateway.documents.clearance import ClearanceNotice, NoticeStatus
from gateway.documents.customs_entry import CustomsEntry, EntryStatus
from gateway.documents.declaration import Declaration
from gateway.documents.parts import Function
from gateway.documents.response import Outcome, Response
from gateway.documents.transfer import Transfer
from gateway.findings import rejects
from gateway.flows.competence import ISSUE, find_competent
from gateway.flows.consignment import validity
from gateway.flows.consignment.cases import STATUS, find_declared, subject_of
from gateway.flows.consignment.matching import mismatches
from gateway.flows.consignment.quantities import exceeding
from gateway.flows.consignment.rules import DeclarationKinds
from gateway.flows.consignment.tracks import CLEARANCE, Cleared, Transferred
from gateway.flows.consignment.undeclared import (
    begin_with,
    decide_waiting,
    give_up_waiting,
    is_trusted,
    open_case,
    wait_for_declaration,
)
from gateway.flows.declared import declaration_of, is_inbound
from gateway.flows.enterprises import enterprise_questions, tell_enterprises
from gateway.flows.standing import mode_of
from gateway.model import Case, Finding, Partner, Role

NOTIFY = "notify"
"""The act that the issue of a notice is; schemas/rules/gates say what must hold before it."""


def decide(desk: Desk) -> list[Effect]:
    """What a clearance notice comes to: passed to customs, or refused."""
    notice = desk.document
    assert isinstance(notice, ClearanceNotice)
    subject = _subject(notice)
    case = find_declared(desk, notice.declaration_number)
    if case is not None:
        return _decide_in(desk, notice, case)
    bureaus = identified(desk.sender, BUREAU)
    issuing = notice.issuing_organisation or min(bureaus, default="")
    if issuing not in bureaus:
        why = [fault("decide.case.unknown", "declaration_number", notice.declaration_number)]
        return refuse(desk, subject, why)
    if not is_trusted(desk) or notice.function is not Function.ORIGINAL or _withdrawn(notice):
        return wait_for_declaration(desk, notice, subject)
    case, opened = open_case(desk, notice, issuing)
    decided = _decide_in(desk, notice, case)
    return begin_with(opened, decided)


def _decide_in(desk: Desk, notice: ClearanceNotice, case: Case) -> list[Effect]:
    """What a notice comes to in its case."""
    earlier = kept(case, "clearance", ClearanceNotice)
    named = {notice.customs_office, earlier.customs_office if earlier else None} - {None}
    asked = [PartnerByIdentifier(CUSTOMS_OFFICE, office) for office in sorted(map(str, named))]
    desk.facts.require([*asked, *enterprise_questions(case)])
    why = list(_notice_faults(desk, notice, case))
    if rejects(why):
        return refuse(desk, _subject(notice), why, case.id)
    return _pass_on(desk, notice, earlier, case, "withdraw" if _withdrawn(notice) else "notify")


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
    desk.facts.require([*bureau_questions(notice.issuing_organisation), *enterprise_questions(case)])
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
    """Why a notice cannot stand: not its bureau's to issue, or more than what was declared and passed."""
    declaration = declaration_of(case)
    yield from _issuer_faults(desk, notice, case, declaration)
    if _withdrawn(notice):
        return
    if notice.direction is not declaration.direction:
        yield fault("decide.differs", "direction", notice.direction, ours=declaration.direction)
    kind = desk.rules.of(DeclarationKinds).find(declaration.kind)
    if kind is not None and kind.notice == "never":
        yield fault("decide.clearance.kind", "declaration_number", kind.code, kind=kind.zh)
    declared = {goods.hs_code for goods in declaration.goods}
    for place, code in walk(notice, "goods[].hs_code"):
        if code is not None and code not in declared:
            yield fault("decide.goods.not_declared", place, code)
    transfer = kept(case, "transfer", Transfer)
    handed = transfer is not None and case.tracks.get("transfer") in (Transferred.SENT, Transferred.TAKEN)
    most = transfer.goods if transfer is not None and handed else declaration.goods
    yield from exceeding(notice.goods, most or declaration.goods, desk.rules.code_list("mass_unit"))
    # The notice of an export says by itself that the goods have passed.
    passed = case if is_inbound(case) else moved_on(desk, case, ("inspection", "pass")).case
    yield from find_missing(desk.rules.gates, NOTIFY, passed, mode_of(desk, declaration).id)


def _issuer_faults(desk: Desk, notice: ClearanceNotice, case: Case, declaration: Declaration) -> Iterator[Finding]:
    """A notice is issued by an office that may, in its own name."""
    bureaus = identified(desk.sender, BUREAU)
    concerned = {
        declaration.declaration_organisation,
        declaration.inspection_organisation,
        declaration.purpose_organisation,
    }
    issuing = notice.issuing_organisation
    acting = bureaus if issuing is None else bureaus & {issuing}
    competent = find_competent(desk, ISSUE, case, declaration)
    if acting and competent.may(desk.sender, acting):
        return
    if acting.isdisjoint(concerned):
        path = "issuing_organisation" if issuing is not None else ""
        yield fault("decide.sender.not_concerned", path, issuing or desk.sender.id)
    else:
        offices = ", ".join(sorted(competent.offices)) or "–"
        yield fault("decide.clearance.issuer", "issuing_organisation", issuing or "", offices=offices)


def _pass_on(
    desk: Desk, notice: ClearanceNotice, earlier: ClearanceNotice | None, case: Case, event: str
) -> list[Effect]:
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
    transfer = kept(case, "transfer", Transfer)
    if transfer is not None and not withdrawn and transfer.to_organisation in identified(desk.sender, BUREAU):
        # Who issues the notice has the goods in hand, whether it said so or not.
        in_hand = moved_on(desk, taken.case, ("transfer", "take"))
        taken, moves = replace(in_hand, late=taken.late), (*moves, *in_hand.effects)
    outcome = Outcome.CANCELLED if withdrawn else Outcome.ACCEPTED
    answer = response(desk, subject, outcome, desk.sender.language)
    about = subject_of(declaration_of(case), "clearance", notice.number)
    valid_until = None if withdrawn else notice.valid_until
    effects: list[Effect] = [*moves, *validity.begin(desk, case, validity.NOTICE_ENDS, valid_until)]
    effects.append(Keep(case.id, "clearance", notice))
    effects.append(AddKeys(case.id, frozenset({("notice", notice.number)})))
    office = notice.customs_office
    customs = desk.facts[PartnerByIdentifier(CUSTOMS_OFFICE, office)] if office else None
    standing = case.tracks.get("clearance") in (Cleared.NOTIFIED, Cleared.MISMATCHED)
    if earlier is not None and standing and earlier.customs_office != office:
        effects += _tell_old_office(desk, earlier, case, customs)
    if office and customs is None:
        # Naming an office we do not know is no reason to show the notice to the others.
        effects.append(Alert("customs", (fault("decide.customs.unknown", "customs_office", office),), case.id))
    else:
        party = Party(Role.CUSTOMS, partner_id=customs.id if customs else "")
        effects.append(Send(case.id, "clearance", notice, party, Purpose.CLEARANCE))
    effects.append(_published(notice, case, customs))
    return [
        *effects,
        Respond(case.id, answer),
        *tell_enterprises(
            desk,
            taken.case,
            about,
            outcome,
            code=None if withdrawn else NOTICE_ISSUED,
            organisation=notice.issuing_organisation,
        ),
    ]


def _published(notice: ClearanceNotice, case: Case, customs: Partner | None) -> Publish:
    keys = {"declaration": notice.declaration_number, "notice": notice.number}
    return Publish("clearance", case.id, "clearance", notice, keys, customs.id if customs else "")


def _tell_old_office(desk: Desk, earlier: ClearanceNotice, case: Case, customs: Partner | None) -> list[Effect]:
    """Where another office gets the notice now, the one that had it is told that it stands no longer."""
    office = earlier.customs_office
    old = desk.facts[PartnerByIdentifier(CUSTOMS_OFFICE, office)] if office else None
    if old is None or (customs is not None and old.id == customs.id):
        return []
    void = earlier.model_copy(update={"function": Function.CANCELLATION, "status": NoticeStatus.CANCELLED})
    party = Party(Role.CUSTOMS, partner_id=old.id)
    return [Send(case.id, "clearance", void, party, Purpose.CLEARANCE), _published(void, case, old)]


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
    outcome = Outcome.CLEARED if released else Outcome.ACCEPTED
    answer = response(desk, _entry_subject(entry, notice), outcome, desk.sender.language)
    if not taken.effects:
        late = moved(desk, case, *events[-1])
        if late is None:
            return _not_matched(desk, entry, notice, case, "match")
        return [*late.effects, Respond(case.id, answer)]
    # Whoever asked to withdraw what customs has matched meanwhile asked too late.
    overtaken = moved_on(desk, taken.case, ("declaration", "overtake"))
    why = (fault("decide.cancellation.overtaken"),) if overtaken.effects else ()
    return [
        *taken.effects,
        *overtaken.effects,
        *validity.end(case, validity.NOTICE_ENDS),
        Keep(case.id, "customs_entry", entry),
        Keep(case.id, "clearance", notice.model_copy(update={"status": NoticeStatus.USED})),
        AddKeys(case.id, frozenset({("entry", entry.number)})),
        *_told(desk, entry, notice, overtaken.case, answer, why),
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
) -> list[Effect]:
    """Answer customs, tell the enterprises the same, and hand customs' data to the bureau that issued the notice."""
    about = subject_of(declaration_of(case), "clearance", notice.number)
    issuer = bureau(desk.facts, notice.issuing_organisation)
    effects: list[Effect] = []
    if issuer is not None:
        party = Party(Role.BUREAU, partner_id=issuer.id)
        effects.append(Send(case.id, "customs_entry", entry, party, Purpose.INFORMATION))
    return [
        *effects,
        Respond(case.id, answer),
        *tell_enterprises(desk, case, about, answer.outcome, why=found),
    ]


def _attach_waiting(desk: Desk, case: Case) -> list[Effect]:
    return decide_waiting(desk, case, ClearanceNotice, decide)


def _give_up(desk: Desk) -> list[Effect]:
    return give_up_waiting(desk, ClearanceNotice, _subject)


NOTICES = Flow(
    "clearance",
    takes=(Takes(ClearanceNotice),),
    decide=decide,
    feeds=(Feed("clearance", frozenset({Role.CUSTOMS})), STATUS),
    tracks=(CLEARANCE,),
    gates=frozenset({NOTIFY}),
    competences=frozenset({ISSUE}),
    deadlines={validity.NOTICE_ENDS: validity.expire_notice, "undeclared_clearance": _give_up},
    reacts=(On("declaration", "accept", _attach_waiting),),
)
ENTRIES = Flow(
    "customs_entry",
    takes=(Takes(CustomsEntry, answers=lambda entry: ("clearance", entry.status.value)),),
    decide=match,
    feeds=(STATUS,),
    rules=(ClearanceMatch,),
)
