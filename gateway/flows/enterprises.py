"""The enterprises' side of a consignment: who declared it, and whose goods they are where another declared for it.

Both take part in the case, and each is told by itself, in its own language: the declarer under its own reference, the
owner under the numbers that were issued, since it knows no reference of its agent's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from gateway.decide.answers import Subject, progress, response, tell
from gateway.decide.desk import Desk
from gateway.decide.effects import Effect
from gateway.decide.facts import Facts, PartnerById, PartnerByIdentifier, Query
from gateway.decide.parties import REGISTRATION, declarer
from gateway.documents.declaration import Declaration
from gateway.documents.response import Outcome
from gateway.flows.declared import declaration_of, owner_code
from gateway.model import Case, Finding, Partner, Role

_DECLARE = {Role.ENTERPRISE, Role.AGENT}
"""Roles in which a partner declares, whatever else it is."""


def owner_questions(declaration: Declaration) -> list[Query]:
    """What `find_owner` will ask."""
    code = owner_code(declaration)[1]
    return [PartnerByIdentifier(REGISTRATION, code)] if code else []


def find_owner(declaration: Declaration, facts: Facts) -> Partner | None:
    """The partner whose goods they are; None where nobody says so, or it is no partner."""
    code = owner_code(declaration)[1]
    return facts[PartnerByIdentifier(REGISTRATION, code)] if code else None


def enterprise_questions(case: Case) -> list[Query]:
    """What `find_enterprises` will ask."""
    return [PartnerById(case.partner_id), *owner_questions(declaration_of(case))]


def find_enterprises(case: Case, facts: Facts) -> list[Partner]:
    """The declarer, and the goods' owner where that is another; a bureau that opened the case itself is none of them."""
    declaring = declarer(case, facts)
    owner = find_owner(declaration_of(case), facts)
    both = [declaring] if owner is None or owner.id == declaring.id else [declaring, owner]
    return [one for one in both if Role.BUREAU not in one.roles or one.roles & _DECLARE]


def tell_enterprises(
    desk: Desk,
    case: Case,
    subject: Subject,
    outcome: Outcome,
    *,
    why: Iterable[Finding] = (),
    code: str | None = None,
    organisation: str | None = None,
) -> list[Effect]:
    """Send each of them the same, and put it on its status feed with where `case` stands.

    `subject` has the declarer's own reference.
    """
    why = tuple(why)
    return [
        effect
        for reader in find_enterprises(case, desk.facts)
        for effect in tell_enterprise(
            desk, case, reader, subject, outcome, why=why, code=code, organisation=organisation
        )
    ]


def tell_enterprise(
    desk: Desk,
    case: Case,
    reader: Partner,
    subject: Subject,
    outcome: Outcome,
    *,
    why: Iterable[Finding] = (),
    code: str | None = None,
    organisation: str | None = None,
) -> list[Effect]:
    """Send one of them what became of the case, and put it on its status feed."""
    own = reader.id == case.partner_id
    told = response(
        desk,
        subject if own else replace(subject, reference=None),
        outcome,
        reader.language,
        why=why,
        code=code,
        organisation=organisation,
        reader="" if own else reader.id,
    )
    return [tell(case.id, reader, told), progress(case.id, reader.id, told, case.status)]
