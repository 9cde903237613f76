"""Sampling plans: which share of what is drawn is chosen, and between which bounds; schemas/rules/sampling, one file a flow.

stratum = ["producer", "hs4"]   within each combination of these is drawn and counted by itself
share = 0.05                    the chance of each
at_least = 0.02                 of those drawn in a window, once they are `least`, at least so many are chosen
at_most = 0.40                  and at no moment more
least = 10
window_days = 30                windows follow one another; each has a key of its own
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from gateway.catalogue import Catalogue, compiled
from gateway.check.rule_files import RuleTable, read_files, read_table
from gateway.errors import RulesInvalid

_BEGIN = date(2000, 1, 1)
"""From where windows are counted."""
Share = Annotated[Decimal, Field(ge=0, le=1)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,49}$")]


@dataclass(frozen=True, slots=True)
class Window:
    """Some days in which is drawn under one key."""

    first: date
    days: int

    @property
    def name(self) -> str:
        """By which its key, its tallies and its draws are found: `2026-11-13/30`."""
        return f"{self.first.isoformat()}/{self.days}"

    @property
    def next(self) -> Window:
        """The window after this one."""
        return Window(self.first + timedelta(days=self.days), self.days)

    @property
    def before(self) -> Window:
        """The window before this one."""
        return Window(self.first - timedelta(days=self.days), self.days)


def window_of(day: date, days: int) -> Window:
    """The window of so many days in which `day` lies."""
    return Window(day - timedelta(days=(day - _BEGIN).days % days), days)


class SamplingPlan(RuleTable):
    """How much of what is drawn is chosen."""

    source: str = Field(min_length=1)
    stratum: tuple[Name, ...] = ()
    share: Share
    at_least: Share = Decimal(0)
    at_most: Share = Decimal(1)
    least: int = Field(10, ge=1, le=10_000)
    window_days: int = Field(30, ge=1, le=3_660)

    @model_validator(mode="after")
    def _has_room(self) -> SamplingPlan:
        """Between the bounds there must be a whole number of chosen ones, however many were drawn."""
        if not self.at_least <= self.share <= self.at_most:
            raise ValueError("a share lies between at_least and at_most")
        bounded = self.at_least > 0 and self.at_most < 1
        if bounded and (self.at_most - self.at_least) * self.least < 1:
            raise ValueError(f"of {self.least} drawn, no whole number need lie between at_least and at_most")
        return self


@compiled
def load(catalogue: Catalogue) -> Mapping[str, SamplingPlan]:
    """The plans of every file of schemas/rules/sampling by name; RulesInvalid says the file and what is wrong with it."""
    found: dict[str, SamplingPlan] = {}
    for file, told in read_files(catalogue, "rules/sampling"):
        for name, table in told.items():
            if name in found:
                raise RulesInvalid(f"{file}: the plan {name} is another file's already")
            found[name] = read_table(SamplingPlan, table, f"{file}: {name}")
    return found
