"""Which office may do what about a consignment: asked for every act, since numbers can be guessed.

    accept, refuse, answer changes   the office declared to, or the one that inspects
    order, pass or fail              the same, and the destination's, once the goods are handed to it
    pass what must be handed on      the destination's office alone
    hand on                          the office that inspects
    take, decline, ask for a change  the office that it is handed to
    issue a notice                   the offices that the mode of supervision lets (schemas/rules/modes): of listed goods the
                                     port's alone, since the port checks them (口岸查验)

An office that a declaration does not name is no office of its consignment, whatever number it knows.
"""

from __future__ import annotations

from gateway.check.rulebook import Rules
from gateway.decide.cases import kept
from gateway.documents.declaration import Declaration
from gateway.documents.parts import Movement
from gateway.documents.transfer import Transfer
from gateway.flows.consignment.rules import DeclarationKind
from gateway.flows.consignment.tracks import Transferred
from gateway.flows.declared import mode_of, offices_of
from gateway.model import Case

_HANDED = (Transferred.SENT, Transferred.TAKEN)


def _named(*offices: str | None) -> frozenset[str]:
    return frozenset(office for office in offices if office)


def inspecting_office(declaration: Declaration) -> str | None:
    """The office that inspects: where none is named, the one declared to."""
    return declaration.inspection_organisation or declaration.declaration_organisation


def receiving_office(declaration: Declaration) -> str | None:
    """The office that goods are handed on to: the port's of exports, the destination's of imports."""
    return declaration.purpose_organisation


def destination_in_charge(case: Case, declaration: Declaration) -> str | None:
    """The destination's office, once an import is handed to it: it inspects from then on."""
    transfer = kept(case, "transfer", Transfer)
    if declaration.direction is not Movement.INBOUND or case.tracks.get("transfer") not in _HANDED or transfer is None:
        return None
    return transfer.to_organisation


def answering_offices(case: Case, declaration: Declaration) -> frozenset[str]:
    """Offices whose answers to the declaration count."""
    return _named(
        declaration.declaration_organisation,
        declaration.inspection_organisation,
        destination_in_charge(case, declaration),
    )


def judging_offices(case: Case, declaration: Declaration, kind: DeclarationKind | None) -> frozenset[str]:
    """Offices that may say that the goods passed or failed."""
    if kind is not None and kind.transfer == "must":
        return _named(destination_in_charge(case, declaration))
    return answering_offices(case, declaration)


def notifying_offices(declaration: Declaration, rules: Rules) -> frozenset[str]:
    """Offices that may issue the clearance notice, by the consignment's mode of supervision."""
    allowed = offices_of(declaration, mode_of(rules, declaration).notifies)
    return allowed or _named(declaration.declaration_organisation)
