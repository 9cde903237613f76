"""Who the enterprises of a consignment are to the authorities on the day: what the partner file says, and registrations.

A registration is newer than the partner file, and holds from its day on: what it says of an enterprise's grade, of its
approval of direct-through or of a class of e-supervision is the word, an approval withdrawn included; the partner file is
asked where no registration says anything. A class is that of the group with the most digits. An owner who is neither a
partner nor registered, or whom nobody names, has nothing: whoever declares lends it none of its own.

Whether an enterprise is excluded (blacklist), and what one that is suspended or closed may still do, is asked here and
nowhere else: by reviews, modes of supervision, containers and offices alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from gateway.check.modes import Mode
from gateway.check.rulebook import Credit, Treatment
from gateway.decide import china
from gateway.decide.desk import Desk
from gateway.decide.facts import Query, Subject
from gateway.decide.modes import choose_mode
from gateway.decide.parties import REGISTRATION
from gateway.decide.subjects import REGISTERED, attributes_of, is_blacklisted, is_direct_through
from gateway.documents.declaration import Declaration
from gateway.documents.registration import Attributes
from gateway.flows.declared import enterprises_of, owner_code
from gateway.flows.enterprises import find_owner, owner_questions
from gateway.model import Partner, Registered


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds of an owner on a day."""

    treatment: Treatment
    """By its grade; whoever is on a blacklist is excluded whatever the grade."""
    is_approved: bool
    """Whether its declarations may go straight through (直通)."""
    owner: Partner | None
    attributes: Attributes
    is_listed: bool = False
    """Whether the owner, or whoever declares, is on a blacklist."""
    by_grade: Treatment = Treatment.EXCLUDED
    """How its grade alone has it treated."""

    def class_of(self, hs_code: str) -> str:
        """The class of e-supervision of the owner's goods with that code; empty where it has none."""
        groups = dict(self.owner.supervision_classes) if self.owner is not None else {}
        groups |= {one.product_group: one.supervision.value for one in self.attributes.supervision}
        found = [group for group in groups if hs_code.startswith(group)]
        return groups[max(found, key=len)] if found else ""


def _registrations(desk: Desk, declaration: Declaration) -> dict[str, Subject]:
    """By code of each enterprise of what is declared, the question what is registered of it today."""
    day = china.day(desk.now)
    return {code: Subject(REGISTRATION, code, day, desk.test) for code in sorted(enterprises_of(declaration))}


def standing_questions(desk: Desk, declaration: Declaration) -> list[Query]:
    """What `find_standing_of` and `mode_of` will ask."""
    return [*owner_questions(declaration), *_registrations(desk, declaration).values()]


def is_excluded(desk: Desk, declaration: Declaration) -> bool:
    """Whether the goods' owner, or whoever declares them, is on a blacklist: the rules', or by registration."""
    if desk.rules.modes.is_blacklisted(enterprises_of(declaration)):
        return True
    asked = _registrations(desk, declaration).values()
    desk.facts.require(asked)
    day = china.day(desk.now)
    return any(is_blacklisted(attributes_of(desk.facts[one]), day) for one in asked)


def mode_of(desk: Desk, declaration: Declaration) -> Mode:
    """The mode of supervision that what is declared has: which office inspects, what the port does, who may notify."""
    codes = (goods.hs_code for goods in declaration.goods)
    excluded = is_excluded(desk, declaration)
    return choose_mode(desk.rules.modes, declaration.direction.value, codes, excluded=excluded)


def find_standing_of(desk: Desk, declaration: Declaration) -> Standing:
    """Who the owner of what is declared is today."""
    code, day = owner_code(declaration)[1], china.day(desk.now)
    desk.facts.require(standing_questions(desk, declaration))
    owner = find_owner(declaration, desk.facts)
    attributes = attributes_of(desk.facts[Subject(REGISTRATION, code, day, desk.test)]) if code else Attributes()
    grade = attributes.credit_grade or (owner.credit_grade if owner else "")
    listed, by_grade = is_excluded(desk, declaration), desk.rules.of(Credit).treatment(grade)
    treatment = Treatment.EXCLUDED if listed else by_grade
    return Standing(treatment, _is_approved(owner, attributes, day), owner, attributes, listed, by_grade)


def _is_approved(owner: Partner | None, attributes: Attributes, day: date) -> bool:
    """What the registration says of direct-through, where it says anything; else what the partner file says."""
    if attributes.direct_through is not None:
        return is_direct_through(attributes, day)
    return owner is not None and owner.direct_through is not None and owner.direct_through <= day


def find_halted(desk: Desk, declaration: Declaration) -> Iterator[tuple[str, str]]:
    """(code, state) of each enterprise of what is declared whose registration is suspended or closed."""
    asked = _registrations(desk, declaration)
    desk.facts.require(asked.values())
    for code, question in asked.items():
        registered: Registered = desk.facts[question]
        if registered.version is not None and registered.version.state != REGISTERED:
            yield code, registered.version.state
