"""Who takes part in a case: bureaus, customs offices and enterprises by the codes that documents name them by."""

from __future__ import annotations

import re

from gateway.decide.facts import Facts, PartnerById, PartnerByIdentifier, Query
from gateway.model import Case, Partner

BUREAU = "ciq-org"
"""Identifier scheme of bureaus: the 6-digit organisation code."""
REGISTRATION = "ciq-registration"
"""Identifier scheme of enterprises and agents: the 10-digit registration with the inspection service."""
CUSTOMS_OFFICE = "customs-office"
"""Identifier scheme of customs offices: the 4-digit office code."""
PORT = "un-locode"
"""Identifier scheme of ports and yards: the UN/LOCODE of the port at which they are."""
_NAMING = ("organisation", "office", "issuing_organisation", "from_organisation", "to_organisation")
"""Fields of documents in which an office says who it is; the receiver's last, since it changes a transfer of another's."""
_ORGANISATION = re.compile(r"[0-9]{6}")


def identified(partner: Partner, scheme: str) -> frozenset[str]:
    """All that `partner` goes by in `scheme`."""
    return frozenset(i.value for i in partner.identifiers if i.scheme == scheme)


def acting_office(partner: Partner, document: object) -> str:
    """The code of the office for which `partner` acts by `document`: the one of its own that it names, else its only one.

    Empty where it is no office, or has several and names none.
    """
    own = identified(partner, BUREAU)
    if len(own) < 2:
        return min(own, default="")
    named = (getattr(document, name, None) for name in _NAMING)
    return next((code for code in named if code in own), "")


def bureau(facts: Facts, organisation: str | None) -> Partner | None:
    """The bureau with that organisation code."""
    if not organisation or not _ORGANISATION.fullmatch(organisation):
        return None
    return facts[PartnerByIdentifier(BUREAU, organisation)]


def bureau_questions(*organisations: str | None) -> list[Query]:
    """What `bureau` will ask for these organisation codes."""
    return [PartnerByIdentifier(BUREAU, code) for code in organisations if code and _ORGANISATION.fullmatch(code)]


def declarer(case: Case, facts: Facts) -> Partner:
    """Who declared the case and is told what becomes of it; a partner since removed is told in English, if at all."""
    return facts[PartnerById(case.partner_id)] or Partner(case.partner_id, case.partner_id)
