"""What every family of flows reads of a consignment that was declared."""

from __future__ import annotations

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
    return tuple(unit["number"] for unit in units if unit.get("state") == "out")
