"""Who the goods' owner is to the authorities on the day: what the operator's registry says, and what registrations say.

A registration is newer than the partner file, and holds from its day on: the grade that it gives is the grade; approved
is who is approved by either; a class of e-supervision is that of the group with the most digits. An owner who is neither a
partner nor registered, or whom nobody names, has nothing: whoever declares lends it none of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from gateway.check.rulebook import Credit, Treatment
from gateway.decide import china
from gateway.decide.desk import Desk
from gateway.decide.facts import Query, Subject
from gateway.decide.parties import REGISTRATION
from gateway.decide.subjects import attributes_of, is_blacklisted, is_direct_through
from gateway.documents.declaration import Declaration
from gateway.documents.registration import Attributes
from gateway.flows.declared import enterprises_of, owner_code
from gateway.flows.enterprises import find_owner, owner_questions
from gateway.model import Partner


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds of an owner on a day."""

    treatment: Treatment
    """By its grade; whoever is on a blacklist is excluded whatever the grade."""
    is_approved: bool
    """Whether its declarations may go straight through (直通)."""
    owner: Partner | None
    attributes: Attributes

    def class_of(self, hs_code: str) -> str:
        """The class of e-supervision of the owner's goods with that code; empty where it has none."""
        groups = dict(self.owner.supervision_classes) if self.owner is not None else {}
        groups |= {one.product_group: one.supervision.value for one in self.attributes.supervision}
        found = [group for group in groups if hs_code.startswith(group)]
        return groups[max(found, key=len)] if found else ""


def standing_questions(desk: Desk, declaration: Declaration) -> list[Query]:
    """What `find_standing_of` will ask."""
    code = owner_code(declaration)[1]
    registered: list[Query] = [Subject(REGISTRATION, code, china.day(desk.now), desk.test)] if code else []
    return [*owner_questions(declaration), *registered]


def find_standing_of(desk: Desk, declaration: Declaration) -> Standing:
    """Who the owner of what is declared is today."""
    code, day = owner_code(declaration)[1], china.day(desk.now)
    owner = find_owner(declaration, desk.facts)
    attributes = attributes_of(desk.facts[Subject(REGISTRATION, code, day, desk.test)]) if code else Attributes()
    grade = attributes.credit_grade or (owner.credit_grade if owner else "")
    excluded = _is_listed(desk, declaration) or is_blacklisted(attributes, day)
    treatment = Treatment.EXCLUDED if excluded else desk.rules.of(Credit).treatment(grade)
    return Standing(treatment, _is_approved(owner, attributes, day), owner, attributes)


def _is_listed(desk: Desk, declaration: Declaration) -> bool:
    """Whether the owner, or whoever declares, is on the rules' blacklist."""
    return desk.rules.modes.is_blacklisted(enterprises_of(declaration))


def _is_approved(owner: Partner | None, attributes: Attributes, day: date) -> bool:
    by_operator = owner is not None and owner.direct_through is not None and owner.direct_through <= day
    return by_operator or is_direct_through(attributes, day)
