"""Audiences: to whom an entry of a feed is addressed, of all those who may read the feed.

    everyone            all readers of the feed
    partner             one partner, by its id
    role                all partners of a role
    office              inspection offices whose code begins so: 3702 is Qingdao's with all its branches
    customs_office      customs offices whose code begins so
    port                partners at the port, by its UN/LOCODE
    region              inspection offices that are members of the region

An audience has a name, under which the store keeps the entry; a reader has the names of all audiences that it is of. So a
page of a feed is a few walks along an index, whoever reads it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from gateway.decide.parties import BUREAU, CUSTOMS_OFFICE, PORT
from gateway.model import Identifier, Partner, Role


class Scope(StrEnum):
    """What an audience is told by."""

    EVERYONE = "everyone"
    PARTNER = "partner"
    ROLE = "role"
    OFFICE = "office"
    CUSTOMS_OFFICE = "customs_office"
    PORT = "port"
    REGION = "region"


@dataclass(frozen=True, slots=True)
class Audience:
    """To whom an entry is addressed."""

    scope: Scope = Scope.EVERYONE
    value: str = ""
    """The id, role, code or beginning of a code; empty for everyone."""

    @property
    def name(self) -> str:
        """Under which the entry is kept: empty for everyone, a partner's id, or what no partner can be called."""
        if self.scope in (Scope.EVERYONE, Scope.PARTNER):
            return self.value
        return f"@{self.scope}:{self.value}"

    @property
    def reader(self) -> Partner:
        """What is known of whoever is of it, for views: a partner that is no more than this."""
        match self.scope:
            case Scope.ROLE:
                return Partner("", "", frozenset({Role(self.value)}))
            case Scope.OFFICE:
                return Partner("", "", frozenset({Role.BUREAU}), (Identifier(BUREAU, self.value),))
            case Scope.CUSTOMS_OFFICE:
                return Partner("", "", frozenset({Role.CUSTOMS}), (Identifier(CUSTOMS_OFFICE, self.value),))
            case Scope.PORT:
                return Partner("", "", frozenset({Role.PORT}), (Identifier(PORT, self.value),))
            case Scope.REGION:
                return Partner("", "", frozenset({Role.BUREAU}), regions=frozenset({self.value}))
            case _:
                return Partner(self.value, "")


EVERYONE = Audience()
_SCOPED = {BUREAU: Scope.OFFICE, CUSTOMS_OFFICE: Scope.CUSTOMS_OFFICE, PORT: Scope.PORT}
"""By identifier scheme, the scope that the identifier makes its holder part of."""
_WHOLE = frozenset({Scope.PORT})
"""Scopes that are told by a whole code; all others by its beginning."""


def is_partner(name: str) -> bool:
    """Whether the name of an audience is one partner's id."""
    return bool(name) and not name.startswith("@")


def name_audiences(partner: Partner) -> tuple[str, ...]:
    """The names of all audiences that `partner` is of, its own and everyone's included."""
    return tuple(dict.fromkeys(_names(partner)))


def _names(partner: Partner) -> Iterator[str]:
    yield EVERYONE.name
    yield Audience(Scope.PARTNER, partner.id).name
    for role in sorted(partner.roles):
        yield Audience(Scope.ROLE, role.value).name
    for region in sorted(partner.regions) if Role.BUREAU in partner.roles else ():
        yield Audience(Scope.REGION, region).name
    for identifier in partner.identifiers:
        scope = _SCOPED.get(identifier.scheme)
        if scope is None:
            continue
        code = identifier.value
        for end in range(len(code) if scope in _WHOLE else 1, len(code) + 1):
            yield Audience(scope, code[:end]).name
