"""Whether a declaration can be of the kind that it says it is (报检类别), and what else its kind asks of it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gateway.decide.answers import fault
from gateway.decide.desk import Desk
from gateway.decide.facts import CasesByKeys
from gateway.documents.declaration import Declaration
from gateway.documents.parts import Movement
from gateway.flows.competence import receiving_office
from gateway.flows.consignment.rules import DeclarationKinds
from gateway.flows.consignment.tracks import Transferred
from gateway.model import Finding

_DIRECTIONS = {"1": Movement.INBOUND, "2": Movement.OUTBOUND}
"""The first of a kind's two digits says its direction, also of kinds that the rules do not name."""
_CODE = re.compile(r"[12][0-9]")


def find_kind_faults(desk: Desk, declaration: Declaration) -> Iterator[Finding]:
    """Why it cannot be of its kind; nothing for one that says no kind."""
    code = declaration.kind
    if code is None:
        return
    kind = desk.rules.of(DeclarationKinds).find(code)
    direction = Movement(kind.direction) if kind else _DIRECTIONS[code[0]] if _CODE.fullmatch(code) else None
    if direction is not None and direction is not declaration.direction:
        yield fault("decide.kind.direction", "kind", code, direction=declaration.direction.value)
    elif kind is not None and kind.transfer == "must" and receiving_office(declaration) is None:
        yield fault("decide.kind.destination", "purpose_organisation", code, kind=kind.zh)
    elif kind is not None and kind.names_transfer:
        yield from _transfer_faults(desk, declaration, kind.zh)


def _transfer_faults(desk: Desk, declaration: Declaration, kind: str) -> Iterator[Finding]:
    """It follows a transfer: it names the declaration that was handed on, and to this office."""
    number = declaration.related_number
    if not number:
        yield fault("decide.kind.related", "related_number", declaration.kind, kind=kind)
        return
    cases = desk.facts[CasesByKeys(frozenset({("declaration", number)}), desk.test)]
    offices = {declaration.declaration_organisation, declaration.inspection_organisation}
    handed = [case for case in cases if case.tracks.get("transfer") in (Transferred.SENT, Transferred.TAKEN)]
    if not any(case.documents["transfer"].get("to_organisation") in offices for case in handed):
        yield fault("decide.kind.not_transferred", "related_number", number)
