"""Which office may do which act about a consignment: schemas/rules/competence, merged from files.

An act is done by offices that are something to the consignment (`Relation`), or, where its line says so, by any member
office of a region that the home office is a member of; that may hold under some modes of supervision only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated

from pydantic import Field, StringConstraints

from gateway.catalogue import Catalogue, compiled
from gateway.check.rule_files import RuleTable, read_files, read_list, read_table
from gateway.errors import RulesInvalid

_Name = Annotated[str, StringConstraints(pattern=r"^[a-z_]+$")]


class Relation(StrEnum):
    """What an office is to a consignment."""

    DECLARED = "declared"
    """The one declared to."""
    NAMED = "named"
    """The one that the declaration names as inspecting; where it names none, the one declared to."""
    INSPECTS = "inspects"
    """The one that the mode of supervision has inspect."""
    NOTIFIES = "notifies"
    """Those that the mode lets issue the notice."""
    RELEASES = "releases"
    """Those that the mode lets release."""
    PORT = "port"
    """The port's."""
    HANDS_ON = "hands_on"
    """The one that has the consignment before it is transferred, by mode."""
    RECEIVER = "receiver"
    """Whom the transfer names."""
    IN_CHARGE = "in_charge"
    """The destination's, once an import is handed to it."""
    ORDERER = "orderer"
    """The one that ordered the inspection that stands."""


class Home(RuleTable):
    """Which office's a consignment is among all."""

    digits: int = Field(ge=0, le=15)
    """So many digits at the beginning of its number are the home office's code; 0 for the office declared to."""
    source: str = Field(min_length=1)


class Competence(RuleTable):
    """Which offices may do one act."""

    act: _Name
    source: str = Field(min_length=1)
    en: str = Field(min_length=1)
    zh: str = Field(min_length=1)
    offices: tuple[Relation, ...] = Field(min_length=1)
    unless_port: tuple[Relation, ...] = ()
    """Further ones, where the mode does not have the port inspect the goods."""
    region: bool = False
    """Whether any member of a region of the home office's may do it as well."""
    modes: frozenset[_Name] = frozenset()
    """The modes of supervision under which members may; empty for all."""


@dataclass(frozen=True, slots=True)
class CompetenceRules:
    """Competences by act."""

    home: Home = field(default_factory=lambda: Home(digits=6, source="none told"))
    acts: Mapping[str, Competence] = field(default_factory=lambda: MappingProxyType({}))


@compiled
def load(catalogue: Catalogue) -> CompetenceRules:
    """The competences of every file; RulesInvalid names the file and what is wrong with it."""
    home: Home | None = None
    found: dict[str, Competence] = {}
    for file, told in read_files(catalogue, "rules/competence", {"home", "act"}):
        if "home" in told:
            if home is not None:
                raise RulesInvalid(f"{file}: which office is home is told of twice")
            home = read_table(Home, told["home"], f"{file}: home")
        for one in read_list(Competence, told, "act", file):
            if found.setdefault(one.act, one) is not one:
                raise RulesInvalid(f"{file}: who does the act {one.act} is told of twice")
    acts = MappingProxyType(found)
    return CompetenceRules(home, acts) if home is not None else CompetenceRules(acts=acts)
