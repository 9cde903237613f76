"""Modes of supervision (监管模式) and the two negative lists (两个清单): schemas/rules/modes, merged from files.

A mode says which office inspects a consignment, what its port must do, who may notify customs and release the goods,
and whether a transfer (电子转单) goes with it. Which mode a consignment has follows from its direction, from whether its
goods are on that direction's list, and from whether its enterprise is on the blacklist. Where a list leads to several
modes, a column of the list says which one its goods have.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from gateway.catalogue import Catalogue, compiled
from gateway.check.rule_files import RuleTable, read_files, read_list
from gateway.errors import RulesInvalid

_Direction = Literal["inbound", "outbound"]


class OfficeKind(StrEnum):
    """What an inspection office is for a consignment."""

    DECLARED = "declared"
    """The office that it was declared to (报检地)."""
    ORIGIN = "origin"
    """The producing area's, of an export (产地)."""
    PORT = "port"
    """The port's (口岸)."""
    DESTINATION = "destination"
    """The destination's, of an import (属地)."""


class Duty(StrEnum):
    """What the port must do with goods under a mode."""

    CHECK = "check"
    """口岸查验: compare goods and papers."""
    SUPERVISE_LOADING = "supervise_loading"
    """监装: be there when they are loaded."""
    INSPECT = "inspect"
    """口岸检验检疫: inspect them whole."""
    DISINFECT = "disinfect"
    """口岸预防性消毒: disinfect, where that is needed."""


class Mode(RuleTable):
    """One mode of supervision."""

    id: Annotated[str, StringConstraints(pattern=r"^[a-z_]+$")]
    source: str = Field(min_length=1)
    direction: _Direction
    rank: int
    """Of modes of one direction the one with the greater rank is the stricter, and holds for goods of several."""
    en: str = Field(min_length=1)
    zh: str = Field(min_length=1)
    inspects: OfficeKind
    """Which office inspects the goods."""
    port: frozenset[Duty] = frozenset()
    """What the port must do; nothing where it is empty."""
    notifies: frozenset[OfficeKind] = Field(min_length=1)
    """Which offices may issue the clearance notice."""
    releases: frozenset[OfficeKind] = Field(min_length=1)
    """Which offices may release the goods."""
    transfer: Literal["needed", "allowed", "excluded"]
    """Whether another office must, may or may not be handed the consignment."""


class Choice(RuleTable):
    """Which modes the consignments of one direction have."""

    direction: _Direction
    off: str
    """Of goods that no list names."""
    on: tuple[str, ...] = Field(min_length=1)
    """Of goods on the list; where there are several, the list says which."""
    blacklisted: str
    """Of an enterprise on the blacklist, at least."""


class _Dated(RuleTable):
    source: str = Field(min_length=1)
    valid_from: date
    valid_until: date | None = None
    """The last day; None where none is known."""

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> _Dated:
        if self.valid_until is not None and self.valid_until < self.valid_from:
            raise ValueError("valid_until is before valid_from")
        return self

    def in_force(self, day: date) -> bool:
        """Whether it holds on `day`."""
        return self.valid_from <= day and (self.valid_until is None or day <= self.valid_until)


class ListedGoods(_Dated):
    """A line of a negative list: goods by the beginning of their HS code."""

    direction: _Direction
    hs: Annotated[str, StringConstraints(pattern=r"^[0-9]{2,13}$")]
    mode: str = ""
    """Which of the modes its direction has for listed goods; may be left out where there is one."""


class ListedEnterprise(_Dated):
    """A line of the blacklist: an enterprise by its registration code with the inspection service."""

    code: Annotated[str, StringConstraints(min_length=1, pattern=r"^\S+$")]


@dataclass(frozen=True, slots=True)
class ModeRules:
    """Modes by id, which one applies by direction, and the lists."""

    modes: Mapping[str, Mode]
    choices: Mapping[str, Choice]
    """By direction."""
    goods: tuple[ListedGoods, ...] = ()
    """Longer HS codes before shorter ones, so that the first that fits is the one that says most."""
    enterprises: tuple[ListedEnterprise, ...] = ()

    def at(self, day: date) -> ModeRules:
        """The same with those lines of the lists that are in force on `day`."""
        return replace(
            self,
            goods=tuple(one for one in self.goods if one.in_force(day)),
            enterprises=tuple(one for one in self.enterprises if one.in_force(day)),
        )

    def find_listed(self, hs_code: str | None, direction: str) -> ListedGoods | None:
        """The line of that direction's list that names such goods; None where none does."""
        if not hs_code:
            return None
        return next((one for one in self.goods if one.direction == direction and hs_code.startswith(one.hs)), None)

    def is_blacklisted(self, codes: Iterable[str | None]) -> bool:
        """Whether any of these registration codes is on the blacklist."""
        listed = {one.code for one in self.enterprises}
        return not listed.isdisjoint(code for code in codes if code)


@compiled
def load(catalogue: Catalogue) -> ModeRules:
    """The modes and lists of every file; RulesInvalid names the file and what is wrong with it."""
    modes: dict[str, Mode] = {}
    choices: dict[str, Choice] = {}
    goods: list[ListedGoods] = []
    enterprises: list[ListedEnterprise] = []
    for file, told in read_files(catalogue, "rules/modes", {"mode", "choice", "goods", "enterprise"}):
        for mode in read_list(Mode, told, "mode", file):
            if modes.setdefault(mode.id, mode) is not mode:
                raise RulesInvalid(f"{file}: the mode {mode.id} is told of twice")
        for choice in read_list(Choice, told, "choice", file):
            if choices.setdefault(choice.direction, choice) is not choice:
                raise RulesInvalid(f"{file}: the modes of {choice.direction} consignments are told of twice")
        goods += read_list(ListedGoods, told, "goods", file)
        enterprises += read_list(ListedEnterprise, told, "enterprise", file)
    _judge(modes, choices, goods)
    goods.sort(key=lambda one: (-len(one.hs), one.hs))
    return ModeRules(MappingProxyType(modes), MappingProxyType(choices), tuple(goods), tuple(enterprises))


def _judge(modes: Mapping[str, Mode], choices: Mapping[str, Choice], goods: Iterable[ListedGoods]) -> None:
    """RulesInvalid where what is told does not fit together."""
    ranks = [(mode.direction, mode.rank) for mode in modes.values()]
    if len(set(ranks)) < len(ranks):
        raise RulesInvalid("modes: two modes of one direction have one rank")
    if modes and choices.keys() != {"inbound", "outbound"}:
        raise RulesInvalid("modes: each direction needs a [[choice]]")
    for choice in choices.values():
        for id_ in (choice.off, *choice.on, choice.blacklisted):
            if id_ not in modes or modes[id_].direction != choice.direction:
                raise RulesInvalid(f"modes: there is no mode {id_} of {choice.direction} consignments")
    for line in goods:
        offered = choices[line.direction].on if line.direction in choices else ()
        if line.mode and line.mode not in offered:
            raise RulesInvalid(f"modes: goods under {line.hs} cannot have the mode {line.mode}")
        if not line.mode and len(offered) != 1:
            raise RulesInvalid(f"modes: which mode goods under {line.hs} have must be said")
