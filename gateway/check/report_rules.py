"""Which reports are made of the figures: schemas/reports, one file a report, named as it is.

kinds = ["accepted"]             what is counted, as flows declare it
rows = ["declared_at"]           dimensions down the side
columns = ["direction"]          and across
measure = "count"                how many, or the sum of a measure
filter = { direction = ["1"] }   only facts with these values
period = "month"                 day, month or year, of China's time
due = "3 working days"           how long after the period's end it is made; what comes later is the next one's correction
to = { scheme = "ciq-org", value = "000000" }   who gets it, or role = "bureau" for all of them
"""

from __future__ import annotations

import posixpath
from calendar import monthrange
from collections.abc import Mapping
from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from gateway.catalogue import Catalogue, compiled
from gateway.check.calendars import Term
from gateway.check.rule_files import RuleTable, read_files, read_table
from gateway.model import Role

COUNT = "count"
"""The measure that is how many."""
_NAME = r"^[a-z][a-z0-9_]{0,49}$"
Name = Annotated[str, StringConstraints(pattern=_NAME)]


class Period(StrEnum):
    """What one report covers."""

    DAY = "day"
    MONTH = "month"
    YEAR = "year"

    def first(self, day: date) -> date:
        """The first day of the period in which `day` lies."""
        match self:
            case Period.DAY:
                return day
            case Period.MONTH:
                return day.replace(day=1)
            case Period.YEAR:
                return day.replace(month=1, day=1)

    def last(self, first: date) -> date:
        """The last day of the period that begins with `first`."""
        match self:
            case Period.DAY:
                return first
            case Period.MONTH:
                return first.replace(day=monthrange(first.year, first.month)[1])
            case Period.YEAR:
                return first.replace(month=12, day=31)

    def next(self, first: date) -> date:
        """The first day of the period after the one that begins with `first`."""
        return self.last(first) + timedelta(days=1)


class Reader(RuleTable):
    """Who gets a report: a partner by an identifier, or all partners of a role."""

    role: Role | None = None
    scheme: str = ""
    value: str = ""

    @model_validator(mode="after")
    def _is_somebody(self) -> Reader:
        if (self.role is None) is not bool(self.scheme and self.value):
            raise ValueError("a report is for a role, or for whoever goes by a value in a scheme")
        return self


def _read_term(value: object) -> object:
    return Term.read(value) if isinstance(value, str) else value


class ReportRule(RuleTable):
    """What is counted into one report, and when, and for whom."""

    en: str = Field(min_length=1)
    zh: str = Field(min_length=1)
    source: str = Field(min_length=1)
    kinds: tuple[Name, ...] = Field(min_length=1)
    rows: tuple[Name, ...] = Field(min_length=1)
    columns: tuple[Name, ...] = ()
    measure: Name = COUNT
    filter: Mapping[Name, tuple[str, ...]] = Field(default_factory=dict)
    period: Period = Period.MONTH
    due: Annotated[Term, BeforeValidator(_read_term)]
    to: Reader | None = None

    @property
    def dims(self) -> frozenset[str]:
        """The dimensions that it needs."""
        return frozenset((*self.rows, *self.columns, *self.filter))

    @model_validator(mode="after")
    def _names_each_once(self) -> ReportRule:
        named = (*self.rows, *self.columns)
        if len(set(named)) < len(named):
            raise ValueError("a dimension stands once, down the side or across")
        return self


@compiled
def load(catalogue: Catalogue) -> Mapping[str, ReportRule]:
    """All reports by name; RulesInvalid says the file and what is wrong with it."""
    return {
        posixpath.basename(file).removesuffix(".toml"): read_table(ReportRule, told, file)
        for file, told in read_files(catalogue, "reports")
    }
