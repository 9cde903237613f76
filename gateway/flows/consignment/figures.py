"""What statistics count of a consignment, told where its tracks move.

    declaration   accept               accepted (受理)                  cancellation_agreed, cancel   all of it is taken back,
                  amendment_agreed     amended (更改); all that stands     and cancelled (撤销) is counted
                                       is counted anew, as amended
    inspection    pass                 passed (检验检疫放行)              fail, reopen                  taken back
                  fail                 failed (不合格)
    transfer      send                 transferred (转单)               withdraw, decline, expire     taken back
    clearance     notify               notified (签发通关单)              withdraw, expire              taken back
                  customs_release      cleared (海关放行)

Each is counted once a consignment, with the values that it has then. What took place before it was amended is counted for
the day on which it took place, by the values as amended.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from gateway.decide.cases import kept
from gateway.decide.desk import Desk, MessageIn
from gateway.decide.effects import Effect, Retract, Tell
from gateway.decide.facts import Told
from gateway.decide.figures import FigureKind
from gateway.decide.flow import Flow, On
from gateway.documents.clearance import ClearanceNotice
from gateway.documents.declaration import Declaration, Goods
from gateway.documents.parts import Function, Movement
from gateway.documents.transfer import Transfer
from gateway.flows.consignment.tracks import Declared
from gateway.flows.declared import declaration_of
from gateway.model import Case

ACCEPTED, AMENDED, CANCELLED = "accepted", "amended", "cancelled"
PASSED, FAILED, TRANSFERRED, NOTIFIED, CLEARED = "passed", "failed", "transferred", "notified", "cleared"
_STANDING = (ACCEPTED, PASSED, FAILED, TRANSFERRED, NOTIFIED, CLEARED)
"""What an amendment changes, and a cancellation takes back."""
_DIMS = frozenset(
    {
        "direction",
        "declared_at",
        "inspected_at",
        "released_at",
        "certified_at",
        "from_area",
        "to_area",
        "entry_mode",
        "hs4",
        "country",
        "transport",
        "agency",
        "paper",
    }
)
_MEASURES = frozenset({"value_usd", "items", "containers"})
_AREA = 2
"""Digits of an office's code that are its province's (GB/T 2260), which its bureau covers."""
_USD = "USD"


def _dims(case: Case, declaration: Declaration) -> dict[str, str]:
    """By what the consignment is counted, as it stands; what it does not tell is left out."""
    goods = declaration.goods[0] if declaration.goods else Goods()
    inbound = declaration.direction is Movement.INBOUND
    transfer, notice = kept(case, "transfer", Transfer), kept(case, "clearance", ClearanceNotice)
    released_at = notice.issuing_organisation if notice is not None else None
    came_from, goes_to = declaration.inspection_organisation, declaration.purpose_organisation
    if transfer is not None:
        came_from, goes_to = transfer.from_organisation, transfer.to_organisation
    found = {
        "direction": declaration.direction.value,
        "declared_at": declaration.declaration_organisation,
        "inspected_at": declaration.inspection_organisation,
        "released_at": released_at or declaration.port_organisation,
        "certified_at": declaration.certificate_organisation,
        "from_area": _area(came_from),
        "to_area": _area(goes_to),
        "entry_mode": declaration.trade_mode,
        "hs4": goods.hs_code[:4] if goods.hs_code else None,
        "country": declaration.departure_country if inbound else declaration.trade_country,
        "transport": declaration.transport.mode if declaration.transport is not None else None,
        "agency": _agency(declaration),
        "paper": notice.paper.value if notice is not None and notice.paper is not None else None,
    }
    return {name: value for name, value in found.items() if value}


def _area(office: str | None) -> str | None:
    return office[:_AREA] if office else None


def _agency(declaration: Declaration) -> str | None:
    """Whether the goods' owner declared for itself, or an agent did; None where the declaration does not tell."""
    declarant = declaration.declarant.registration_number if declaration.declarant is not None else None
    owner = declaration.consignee if declaration.direction is Movement.INBOUND else declaration.consignor
    if declarant is None or owner is None or owner.code is None:
        return None
    return "own" if declarant == owner.code else "agent"


def _measures(declaration: Declaration) -> dict[str, Decimal]:
    """What the consignment measures: its value where it is told in US dollars, its items and containers."""
    found = {
        "items": Decimal(len(declaration.goods)),
        "containers": Decimal(len(declaration.container_numbers)),
    }
    values = [goods.value for goods in declaration.goods]
    if declaration.total_value_usd is not None:
        found["value_usd"] = declaration.total_value_usd
    elif values and all(value is not None and value.currency == _USD for value in values):
        found["value_usd"] = sum((value.value for value in values if value is not None), Decimal(0))
    return found


def _declared(desk: Desk, case: Case) -> Declaration:
    """The declaration of the case; where it has just come, it is not read once more from what is kept."""
    document = desk.occasion.document if isinstance(desk.occasion, MessageIn) else None
    if isinstance(document, Declaration) and document.function is Function.ORIGINAL:
        return document
    return declaration_of(case)


def _tell(case: Case, declaration: Declaration, *kinds: str) -> list[Effect]:
    """What is told of the consignment: the same of each kind; events of their own have no subject."""
    dims, measures = _dims(case, declaration), _measures(declaration)
    return [Tell(kind, "" if kind == AMENDED else case.id, dims, measures, case.id) for kind in kinds]


def _telling(kind: str, *undone: str) -> Callable[[Desk, Case], list[Effect]]:
    """A reaction that counts `kind`, and takes back what is `undone` by it."""

    def react(desk: Desk, case: Case) -> list[Effect]:
        desk.facts.require([Told(case.id, desk.test)])
        return [*(Retract(one, case.id, case.id) for one in undone), *_tell(case, _declared(desk, case), kind)]

    return react


def _undoing(*kinds: str) -> Callable[[Desk, Case], list[Effect]]:
    """A reaction that takes back what stands of `kinds`."""

    def react(desk: Desk, case: Case) -> list[Effect]:
        desk.facts.require([Told(case.id, desk.test)])
        return [Retract(kind, case.id, case.id) for kind in kinds]

    return react


def _amend(desk: Desk, case: Case) -> list[Effect]:
    """Count anew all that stands, with the values as amended; and that it was amended, each time."""
    standing = [figure.kind for figure in desk.facts[Told(case.id, desk.test)] if figure.kind in _STANDING]
    # What was agreed to is the declaration from now on; the flow of declarations reacts to the same event.
    amended = kept(case, "amendment", Declaration) or declaration_of(case)
    return _tell(case, amended, *standing, AMENDED)


def _cancel(desk: Desk, case: Case) -> list[Effect]:
    """Nothing of a consignment that is withdrawn counts any more, but that it was."""
    if case.tracks.get("declaration") != Declared.CANCELLED:
        return []  # it is asked for, and not agreed yet
    desk.facts.require([Told(case.id, desk.test)])
    return [*(Retract(kind, case.id, case.id) for kind in _STANDING), *_tell(case, _declared(desk, case), CANCELLED)]


def _decide(_desk: object) -> list[Effect]:
    """No document is this flow's."""
    return []


FLOW = Flow(
    "consignment_figures",
    takes=(),
    decide=_decide,
    figures=tuple(FigureKind(name, _DIMS, _MEASURES) for name in (*_STANDING, AMENDED, CANCELLED)),
    reacts=(
        On("declaration", "accept", _telling(ACCEPTED)),
        On("declaration", "amendment_agreed", _amend),
        On("declaration", "cancel", _cancel),
        On("declaration", "cancellation_agreed", _cancel),
        On("inspection", "pass", _telling(PASSED, FAILED)),
        On("inspection", "fail", _telling(FAILED, PASSED)),
        On("inspection", "reopen", _undoing(PASSED)),
        On("inspection", "reinspect", _undoing(FAILED)),
        On("transfer", "send", _telling(TRANSFERRED)),
        *(On("transfer", event, _undoing(TRANSFERRED)) for event in ("withdraw", "decline", "expire")),
        On("clearance", "notify", _telling(NOTIFIED)),
        *(On("clearance", event, _undoing(NOTIFIED)) for event in ("withdraw", "expire")),
        On("clearance", "customs_release", _telling(CLEARED)),
    ),
)
"""What is counted of consignments."""
