"""Reads a case: its documents as models, its business keys, and who takes part in it."""

from __future__ import annotations

import re
from typing import TypeVar

from gateway.decide.answers import Subject, fault
from gateway.decide.effects import Effect, Note, SetStatus
from gateway.decide.facts import Facts, Key, PartnerById, PartnerByIdentifier, Query
from gateway.decide.status import Event, Status, step
from gateway.documents.base import Document
from gateway.documents.declaration import Declaration
from gateway.documents.parts import Movement
from gateway.model import Case, Finding, Partner

BUREAU = "ciq-org"
"""Identifier scheme of bureaus: the 6-digit organisation code."""
REGISTRATION = "ciq-registration"
"""Identifier scheme of enterprises and agents: the 10-digit registration with the inspection service."""
CUSTOMS_OFFICE = "customs-office"
"""Identifier scheme of customs offices: the 4-digit office code."""
_ORGANISATION = re.compile(r"[0-9]{6}")

DocumentT = TypeVar("DocumentT", bound=Document)


def kept(case: Case, document_type: str, model: type[DocumentT]) -> DocumentT | None:
    """The case's newest document of that type."""
    values = case.documents.get(document_type)
    return None if values is None else model.model_validate(values)


def declaration_of(case: Case) -> Declaration:
    """The declaration that every case begins with."""
    return Declaration.model_validate(case.documents["declaration"])


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


def moved(case_id: str, status: str, event: Event, why: tuple[Finding, ...] = ()) -> tuple[Status, Effect] | None:
    """The status after `event` and the effect that says so: a move, or a note that it came too late.

    None where the table does not allow it.
    """
    taken = step(status, event)
    if taken is None:
        return None
    if taken.late:
        return taken.status, Note(case_id, "late", (fault("decide.late", event=event, status=status), *why))
    return taken.status, SetStatus(case_id, taken.status, event, why)
