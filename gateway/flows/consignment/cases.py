"""Reads a case: its documents as models, its business keys, and who takes part in it."""

from __future__ import annotations

from gateway.decide.answers import Subject
from gateway.decide.desk import Desk
from gateway.decide.facts import CasesByKeys, Key
from gateway.decide.flow import Feed
from gateway.decide.kinds import CaseKind
from gateway.documents.declaration import Declaration
from gateway.flows.consignment.tracks import Declared
from gateway.model import Case, Role

CONSIGNMENT = CaseKind(
    "consignment",
    keys=frozenset(
        {"reference", "declaration", "bill", "contract", "container", "notice", "transfer", "entry", "response"}
    ),
)
"""A consignment under one number from start to end."""
STATUS = Feed("status", frozenset(Role))
"""Where the consignments of whoever reads it stand."""


def find_declared(desk: Desk, number: str) -> Case | None:
    """The case that was given this declaration number; numbers are issued, and so no two cases have one."""
    cases = desk.facts[CasesByKeys(frozenset({("declaration", number)}), desk.test)]
    return cases[0] if cases else None


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
    """What to call the consignment in a response to its declarer; `number` is that of the transfer or the notice."""
    notice_number = number if document_type == "clearance" else None
    return Subject(
        document_type, declaration.client_reference, number or declaration.number, declaration.number, notice_number
    )


def amendment_open(case: Case) -> bool:
    """Whether the bureau owes an answer to an amendment; a cancellation asked for since does not settle it."""
    return Declared.AMENDING in (case.tracks.get("declaration"), case.left.get("declaration"))
