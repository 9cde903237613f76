"""How long a transfer and a clearance notice are valid: to the end of the day they name, in China's time.

Validity is judged by when a message was received. What is not taken, or not matched, by then expires by its deadline,
and both sides and the declarer are told; what was received in time and is decided later still counts.
"""

from __future__ import annotations

from datetime import date, datetime

from gateway.decide.answers import Subject, fault, response, tell
from gateway.decide.cases import kept, moved
from gateway.decide.deadlines import find_case, set_deadline, undo_deadline
from gateway.decide.desk import Desk
from gateway.decide.effects import Alert, Effect
from gateway.decide.facts import PartnerByIdentifier
from gateway.decide.parties import CUSTOMS_OFFICE, bureau, bureau_questions
from gateway.documents.clearance import ClearanceNotice
from gateway.documents.response import Outcome
from gateway.documents.transfer import Transfer
from gateway.flows.consignment.cases import subject_of
from gateway.flows.consignment.tracks import Transferred
from gateway.flows.declared import declaration_of
from gateway.flows.enterprises import enterprise_questions, tell_enterprises
from gateway.model import Case, Finding, Partner

TRANSFER_ENDS = "transfer_validity"
"""The kind of a transfer's deadline."""
TRANSFER_UNTAKEN = "transfer_untaken"
"""The kind of the deadline at which both offices are told that a transfer was not taken."""
NOTICE_ENDS = "notice_validity"
"""The kind of a clearance notice's deadline."""


def is_over(desk: Desk, last_day: date | None) -> bool:
    """Whether what the occasion brings was received after the end of `last_day`; never where there is none."""
    return last_day is not None and desk.occasion.at >= _end_of(desk, last_day)


def begin(desk: Desk, case: Case, kind: str, last_day: date | None) -> list[Effect]:
    """The deadline of what is valid until `last_day`; one that it replaces is off, also where there is no such day."""
    if last_day is None:
        return [undo_deadline(case.id, kind)]
    return [set_deadline(case.id, kind, _end_of(desk, last_day))]


def end(case: Case, kind: str) -> list[Effect]:
    """Nothing waits for the end of the validity any more."""
    return [undo_deadline(case.id, kind)]


def end_transfer(case: Case) -> list[Effect]:
    """Nothing waits for a transfer any more."""
    return [undo_deadline(case.id, TRANSFER_ENDS), undo_deadline(case.id, TRANSFER_UNTAKEN)]


def _end_of(desk: Desk, last_day: date) -> datetime:
    return desk.rules.calendar.end_of(last_day)


def expire_transfer(desk: Desk) -> list[Effect]:
    """A transfer that the port's bureau has not taken in time: both bureaus and the declarer learn that it is over."""
    case = find_case(desk)
    transfer = kept(case, "transfer", Transfer) if case is not None else None
    if case is None or transfer is None:
        return []
    desk.facts.require(
        [*bureau_questions(transfer.from_organisation, transfer.to_organisation), *enterprise_questions(case)]
    )
    why = (fault("decide.transfer.expired", "valid_until", transfer.valid_until),)
    bureaus = [bureau(desk.facts, code) for code in (transfer.from_organisation, transfer.to_organisation)]
    about = Subject("transfer", transfer.client_reference, transfer.number, transfer.declaration_number)
    return _expire(desk, case, "transfer", why, about, bureaus)


def alert_untaken(desk: Desk) -> list[Effect]:
    """A transfer that the other office has neither taken nor declined in the term: both are told, and it stays open."""
    case = find_case(desk)
    transfer = kept(case, "transfer", Transfer) if case is not None else None
    if case is None or transfer is None or case.tracks.get("transfer") != Transferred.SENT:
        return []
    desk.facts.require(bureau_questions(transfer.from_organisation, transfer.to_organisation))
    why = (fault("decide.transfer.untaken", "number", transfer.number, office=transfer.to_organisation),)
    about = Subject("transfer", transfer.client_reference, transfer.number, transfer.declaration_number)
    offices = [bureau(desk.facts, code) for code in (transfer.from_organisation, transfer.to_organisation)]
    return [
        Alert("transfer_untaken", why, case.id),
        *(
            tell(case.id, office, response(desk, about, Outcome.HELD, office.language, why=why))
            for office in offices
            if office is not None
        ),
    ]


def expire_notice(desk: Desk) -> list[Effect]:
    """A notice that customs has not matched in time: its bureau, the office it names and the declarer learn it."""
    case = find_case(desk)
    notice = kept(case, "clearance", ClearanceNotice) if case is not None else None
    if case is None or notice is None:
        return []
    office = PartnerByIdentifier(CUSTOMS_OFFICE, notice.customs_office) if notice.customs_office else None
    desk.facts.require(
        [
            *bureau_questions(notice.issuing_organisation),
            *([office] if office is not None else []),
            *enterprise_questions(case),
        ]
    )
    why = (fault("decide.clearance.expired", "valid_until", notice.valid_until, notice=notice.number),)
    concerned = [
        bureau(desk.facts, notice.issuing_organisation),
        desk.facts[office] if office is not None else None,
    ]
    about = Subject("clearance", None, notice.number, notice.declaration_number, notice.number)
    return _expire(desk, case, "clearance", why, about, concerned)


def _expire(
    desk: Desk, case: Case, track: str, why: tuple[Finding, ...], about: Subject, concerned: list[Partner | None]
) -> list[Effect]:
    """Move the track to its end, and tell everybody; only a note where the case has moved on."""
    taken = moved(desk, case, track, "expire", why)
    if taken is None or taken.late:
        return list(taken.effects) if taken is not None else []
    subject = subject_of(declaration_of(case), track, about.number)
    others = {partner.id: partner for partner in concerned if partner is not None}
    return [
        *taken.effects,
        *(end_transfer(case) if track == "transfer" else ()),
        *(tell(case.id, one, response(desk, about, Outcome.HELD, one.language, why=why)) for one in others.values()),
        *tell_enterprises(desk, taken.case, subject, Outcome.HELD, why=why),
    ]
