"""Reads a case: its documents as models, its business keys, and who takes part in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeVar

from gateway.decide.answers import Subject, fault
from gateway.decide.apply import changed
from gateway.decide.desk import Desk
from gateway.decide.effects import Effect, Move, Note
from gateway.decide.facts import CasesByKeys, Facts, Key, PartnerById, PartnerByIdentifier, Query
from gateway.decide.flow import Feed
from gateway.documents.base import Document
from gateway.documents.declaration import Declaration
from gateway.documents.parts import Movement
from gateway.flows.consignment.tracks import Declared
from gateway.model import Case, Finding, Partner, Role

BUREAU = "ciq-org"
"""Identifier scheme of bureaus: the 6-digit organisation code."""
REGISTRATION = "ciq-registration"
"""Identifier scheme of enterprises and agents: the 10-digit registration with the inspection service."""
CUSTOMS_OFFICE = "customs-office"
"""Identifier scheme of customs offices: the 4-digit office code."""
_ORGANISATION = re.compile(r"[0-9]{6}")

STATUS = Feed("status", frozenset(Role))
"""Where the consignments of whoever reads it stand."""

DocumentT = TypeVar("DocumentT", bound=Document)


def kept(case: Case, document_type: str, model: type[DocumentT]) -> DocumentT | None:
    """The case's newest document of that type."""
    values = case.documents.get(document_type)
    return None if values is None else model.from_kept(values)


def declaration_of(case: Case) -> Declaration:
    """The declaration that every case begins with."""
    return Declaration.from_kept(case.documents["declaration"])


def find_declared(desk: Desk, number: str) -> Case | None:
    """The case that was given this declaration number; numbers are issued, and so no two cases have one."""
    cases = desk.facts[CasesByKeys(frozenset({("declaration", number)}), desk.test)]
    return cases[0] if cases else None


def is_inbound(case: Case) -> bool:
    """Whether the case's goods come in."""
    return case.documents.get("declaration", {}).get("direction") == Movement.INBOUND


def keys_of(declaration: Declaration) -> frozenset[Key]:
    """Every business key by which the consignment can be found."""
    named = [
        ("reference", declaration.client_reference),
        ("declaration", declaration.number),
        ("bill", declaration.bill_of_lading),
        ("bill", declaration.house_bill),
        ("contract", declaration.contract_number),
        *(("container", number) for number in declaration.container_numbers),
    ]
    return frozenset((kind, value) for kind, value in named if value)


def subject_of(declaration: Declaration, document_type: str = "declaration", number: str | None = None) -> Subject:
    """What to call the consignment in a response to its declarer."""
    return Subject(document_type, declaration.client_reference, number or declaration.number, declaration.number)


def owner_code(declaration: Declaration) -> tuple[str, str | None]:
    """Whose goods they are: the field that says so, and the registration code in it."""
    if declaration.direction is Movement.INBOUND:
        return "consignee.code", declaration.consignee.code if declaration.consignee else None
    return "consignor.code", declaration.consignor.code if declaration.consignor else None


def identified(partner: Partner, scheme: str) -> frozenset[str]:
    """All that `partner` goes by in `scheme`."""
    return frozenset(i.value for i in partner.identifiers if i.scheme == scheme)


def bureau(facts: Facts, organisation: str | None) -> Partner | None:
    """The bureau with that organisation code."""
    if not organisation or not _ORGANISATION.fullmatch(organisation):
        return None
    return facts[PartnerByIdentifier(BUREAU, organisation)]


def bureau_questions(*organisations: str | None) -> list[Query]:
    """What `bureau` will ask for these organisation codes."""
    return [PartnerByIdentifier(BUREAU, code) for code in organisations if code and _ORGANISATION.fullmatch(code)]


def declarer(case: Case, facts: Facts) -> Partner:
    """Who declared the case and is told what becomes of it; a partner since removed is told in English, if at all."""
    return facts[PartnerById(case.partner_id)] or Partner(case.partner_id, case.partner_id)


@dataclass(frozen=True, slots=True)
class Taken:
    """What an event comes to: the effects that say so, and the case as it is then; `late` where it changed nothing."""

    effects: tuple[Effect, ...]
    case: Case
    late: bool = False


def moved(desk: Desk, case: Case, track: str, event: str, why: tuple[Finding, ...] = ()) -> Taken | None:
    """What `event` on `track` comes to: a move, or a note that it came too late. None where it may not happen there."""
    taken = desk.step(case, track, event)
    if taken is None:
        return None
    if taken.late:
        late = fault("decide.late", event=event, status=taken.state)
        return Taken((Note(case.id, "late", (late, *why)),), case, late=True)
    effect = Move(case.id, track, event, why)
    return Taken((effect,), changed(desk, case, [effect]))


def moved_on(desk: Desk, case: Case, *events: tuple[str, str]) -> Taken:
    """What those of `events` (track, event) come to, one after the other, that change something."""
    effects: list[Effect] = []
    for track, event in events:
        taken = moved(desk, case, track, event)
        if taken is not None and not taken.late:
            effects += taken.effects
            case = taken.case
    return Taken(tuple(effects), case)


def not_allowed(case: Case, event: str, field: str = "") -> Finding:
    """Why `event` may not happen to the case: where it stands."""
    return fault("decide.status.not_allowed", field, event, event=event, status=case.status)


def amendment_open(case: Case) -> bool:
    """Whether the bureau owes an answer to an amendment; a cancellation asked for since does not settle it."""
    return Declared.AMENDING in (case.tracks.get("declaration"), case.left.get("declaration"))
