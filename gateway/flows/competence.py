"""Which office may do what about a consignment: asked for every act, since numbers can be guessed.

Who may is data (schemas/rules/competence), by what an office is to the consignment and by regions of integration; what an
office is to it, its declaration, its mode of supervision and its transfer say. An office that a declaration does not name,
and that is no member of a region of the consignment's home office, is no office of it, whatever number it knows. For
enterprises on a blacklist there is no integration: none but the consignment's own offices act for them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from gateway.check.competence import Competence, Relation
from gateway.check.modes import Mode, OfficeKind
from gateway.decide.cases import kept
from gateway.decide.desk import Desk
from gateway.decide.parties import BUREAU, bureau, bureau_questions, identified
from gateway.documents.declaration import Declaration
from gateway.documents.parts import Movement
from gateway.documents.transfer import Transfer
from gateway.flows.declared import INSPECTION_ORDER, InspectionOrder, offices_of
from gateway.flows.standing import is_excluded, mode_of
from gateway.model import Case, Partner, Role

ACCEPT, ORDER, INSPECT, HAND_ON, ISSUE, RELEASE, CONTROL = (
    *("accept", "order", "inspect", "hand_on", "issue", "release", "control"),
)
"""The acts, by their names in schemas/rules/competence."""
_HANDED = ("sent", "taken")
"""The states of a transfer that has left its office."""


def _named(*offices: str | None) -> frozenset[str]:
    return frozenset(office for office in offices if office)


def inspecting_office(declaration: Declaration) -> str | None:
    """The office that inspects as the declaration has it: where it names none, the one declared to."""
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


def home_office(desk: Desk, declaration: Declaration) -> str:
    """The code of the office whose the consignment is: it stands in its number; empty where nothing says which."""
    digits = desk.rules.competence.home.digits
    number = declaration.number if digits else None
    return number[:digits] if number else declaration.declaration_organisation or ""


@dataclass(frozen=True, slots=True)
class Competent:
    """Who may do an act on a case."""

    offices: frozenset[str]
    """Codes of the offices that may by what they are to the consignment."""
    regions: frozenset[str] = frozenset()
    """Members of these may as well."""

    def may(self, partner: Partner, own: Collection[str] | None = None) -> bool:
        """Whether `partner` may, in the name of one of its offices; `own` are those that it acts for, where not all."""
        codes = identified(partner, BUREAU)
        acting = codes if own is None else codes & frozenset(own)
        if not acting.isdisjoint(self.offices):
            return True
        return bool(acting) and Role.BUREAU in partner.roles and not partner.regions.isdisjoint(self.regions)


def find_competent(desk: Desk, act: str, case: Case, declaration: Declaration) -> Competent:
    """Who may do `act` on the case."""
    rule = desk.rules.competence.acts[act]
    mode = mode_of(desk, declaration)
    relations = (*rule.offices, *(() if mode.inspects is OfficeKind.PORT else rule.unless_port))
    offices = frozenset[str]().union(*(_offices(one, mode, case, declaration) for one in relations))
    if not offices and rule.offices[0] in (Relation.INSPECTS, Relation.NOTIFIES):
        # A declaration that does not name the office that its mode means leaves it to the one declared to.
        offices = _named(declaration.declaration_organisation)
    return Competent(offices, _regions(desk, rule, mode, declaration))


def _offices(relation: Relation, mode: Mode, case: Case, declaration: Declaration) -> frozenset[str]:
    """The codes of the offices that are this to the consignment."""
    match relation:
        case Relation.DECLARED:
            return _named(declaration.declaration_organisation)
        case Relation.NAMED:
            return _named(inspecting_office(declaration))
        case Relation.INSPECTS:
            found = offices_of(declaration, [mode.inspects])
            if mode.inspects is OfficeKind.DESTINATION:
                # Another office than the one declared to has the goods only once they are handed to it.
                found &= _named(declaration.declaration_organisation, inspecting_office(declaration))
            return found
        case Relation.NOTIFIES:
            return offices_of(declaration, mode.notifies)
        case Relation.RELEASES:
            return offices_of(declaration, mode.releases)
        case Relation.PORT:
            return _named(declaration.port_organisation)
        case Relation.HANDS_ON:
            # Who inspects an export hands it on; an import comes from the port's office, which has it until then. Under a
            # mode that has the port inspect, nobody does, and that mode's own reason is told.
            kind = OfficeKind.PORT if declaration.direction is Movement.INBOUND else OfficeKind.ORIGIN
            return offices_of(declaration, [kind]) or _named(declaration.declaration_organisation)
        case Relation.RECEIVER:
            transfer = kept(case, "transfer", Transfer)
            return _named(transfer.to_organisation if transfer is not None else None)
        case Relation.IN_CHARGE:
            return _named(destination_in_charge(case, declaration))
        case Relation.ORDERER:
            order = kept(case, INSPECTION_ORDER, InspectionOrder)
            return _named(order.office if order is not None else None)


def _regions(desk: Desk, rule: Competence, mode: Mode, declaration: Declaration) -> frozenset[str]:
    """The regions whose members may: those of the home office, where the act is any member's under the mode."""
    if not rule.region or (rule.modes and mode.id not in rule.modes) or not desk.sender.regions:
        return frozenset()
    if is_excluded(desk, declaration):
        return frozenset()
    home = home_office(desk, declaration)
    desk.facts.require(bureau_questions(home))
    office = bureau(desk.facts, home)
    return office.regions if office is not None else frozenset()


def may_judge(
    desk: Desk, case: Case, declaration: Declaration, *, is_handed_on: bool, own: Collection[str] | None = None
) -> bool:
    """Whether the sender may say that the goods passed or failed; goods that must be handed on, their destination judges.

    `own` are the offices that it speaks for, where not all of its own.
    """
    if is_handed_on:
        return Competent(_named(destination_in_charge(case, declaration))).may(desk.sender, own)
    return find_competent(desk, INSPECT, case, declaration).may(desk.sender, own)


def may_answer(desk: Desk, case: Case, declaration: Declaration, own: Collection[str] | None = None) -> bool:
    """Whether the sender's answers to the declaration count, whatever they say; `own` as for `may_judge`."""
    return any(find_competent(desk, act, case, declaration).may(desk.sender, own) for act in (ACCEPT, ORDER, INSPECT))


def own_offices(desk: Desk, case: Case, declaration: Declaration) -> frozenset[str]:
    """Those of the sender's offices that the consignment concerns."""
    offices = (find_competent(desk, act, case, declaration).offices for act in (ACCEPT, ORDER, INSPECT))
    return identified(desk.sender, BUREAU) & frozenset[str]().union(*offices)
