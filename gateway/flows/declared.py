"""What every family of flows reads of a consignment that was declared."""

from __future__ import annotations

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
