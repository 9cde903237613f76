"""What every family of flows reads of a consignment that was declared."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.check.modes import OfficeKind
from gateway.documents.base import Document
from gateway.documents.declaration import Declaration
from gateway.documents.parts import Movement
from gateway.model import Case


def declaration_of(case: Case) -> Declaration:
    """The declaration that every case begins with."""
    return Declaration.from_kept(case.documents["declaration"])


def is_inbound(case: Case) -> bool:
    """Whether the case's goods come in."""
    return case.documents.get("declaration", {}).get("direction") == Movement.INBOUND


def owner_code(declaration: Declaration) -> tuple[str, str | None]:
    """Whose goods they are: the field that says so, and the registration code in it."""
    if declaration.direction is Movement.INBOUND:
        return "consignee.code", declaration.consignee.code if declaration.consignee else None
    return "consignor.code", declaration.consignor.code if declaration.consignor else None


def enterprises_of(declaration: Declaration) -> frozenset[str]:
    """The registration codes of the goods' owner and of whoever declares them, as far as they are told."""
    declarant = declaration.declarant.registration_number if declaration.declarant else None
    return frozenset(code for code in (owner_code(declaration)[1], declarant) if code)


def offices_of(declaration: Declaration, kinds: Iterable[OfficeKind]) -> frozenset[str]:
    """The codes of the inspection offices that are any of `kinds` for what is declared.

    An export is inspected, and an import is awaited, at the office it was declared to, where the declaration names no other.
    """
    inbound = declaration.direction is Movement.INBOUND
    declared, port = declaration.declaration_organisation, declaration.port_organisation
    offices = {
        OfficeKind.DECLARED: declared,
        OfficeKind.PORT: port,
        OfficeKind.ORIGIN: None if inbound else declaration.inspection_organisation or declared,
        OfficeKind.DESTINATION: (declaration.purpose_organisation or declared) if inbound else None,
    }
    return frozenset(code for kind in kinds if (code := offices[kind]))


class InspectionOrder(Document):
    """The newest order to inspect, or assignment to an inspector, as the case keeps it: which office gave it."""

    office: str
    assigns_only: bool = False
    """Whether it says who inspects (施检分单), and orders nothing yet (查验指令)."""


INSPECTION_ORDER = "inspection_order"
"""Under this name a case keeps its `InspectionOrder`."""


def find_out(case: Case) -> tuple[str, ...]:
    """The containers of the case that have left the port already."""
    side = case.documents.get("port_side", {})
    units = side.get("containers", ())
    assert isinstance(units, list | tuple)
    return tuple(unit["number"] for unit in units if unit.get("state") == "out" or unit.get("left_shut"))
