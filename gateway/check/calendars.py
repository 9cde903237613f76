"""Working days and holidays of a country, and terms counted in them: "3 working days", "60 days", "12 hours", "8 seconds".

A calendar is data (schemas/rules/calendar), a file for each country with a table for each year.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from gateway.catalogue import SCHEMAS, Catalogue, compiled
from gateway.errors import RulesInvalid, SchemaInvalid

_SATURDAY = 5
_ZONES = {"china": ZoneInfo("Asia/Shanghai")}
"""In whose time a day of each calendar begins and ends."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """Which days are worked; every other day counts by the week."""

    zone: ZoneInfo
    off: frozenset[date] = frozenset()
    worked: frozenset[date] = frozenset()
    years: Mapping[int, str] = field(default_factory=dict)
    """The years that were announced, each with its source."""

    def is_worked(self, day: date) -> bool:
        """Whether offices are open on `day`."""
        return day in self.worked or (day.weekday() < _SATURDAY and day not in self.off)

    def end(self, term: Term, start: datetime) -> datetime:
        """When `term` that begins at `start` is over: of days, the end of the last of them, where the day ends here.

        The day of the start is not counted (期间开始之日不计算在期间内); a last day that is no working day does not
        put the end off, since the papers that have terms in days are valid on holidays too.
        """
        if term.unit in _LENGTHS:
            return start + term.count * _LENGTHS[term.unit]
        day = start.astimezone(self.zone).date()
        if term.unit is Unit.DAYS:
            return self.end_of(day + timedelta(days=term.count))
        left = term.count
        while left:
            day += timedelta(days=1)
            left -= self.is_worked(day)
        return self.end_of(day)

    def end_of(self, day: date) -> datetime:
        """When `day` is over, where the day ends here."""
        return datetime.combine(day + timedelta(days=1), datetime.min.time(), self.zone)


class Unit(StrEnum):
    """What a term is counted in."""

    SECONDS = "seconds"
    HOURS = "hours"
    DAYS = "days"
    WORKING_DAYS = "working days"


_LENGTHS = {Unit.SECONDS: timedelta(seconds=1), Unit.HOURS: timedelta(hours=1)}
"""Units that are counted from the very moment; seconds are for rehearsals."""
_TERM = re.compile(r"([0-9]{1,4}) (second|hour|day|working day)s?")
_MOST = {Unit.SECONDS: 9_999, Unit.HOURS: 9_999, Unit.DAYS: 9_999, Unit.WORKING_DAYS: 999}
"""Beyond these a term is a slip of the pen; working days are counted one by one."""


@dataclass(frozen=True, slots=True)
class Term:
    """So many seconds, hours, days or working days."""

    count: int
    unit: Unit

    @classmethod
    def read(cls, text: str) -> Term:
        """The term that `text` says, "3 working days"; ValueError for one that says none."""
        found = _TERM.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is no term: write 12 hours, 60 days or 3 working days")
        term = cls(int(found[1]), Unit(f"{found[2]}s"))
        if term.count > _MOST[term.unit]:
            raise ValueError(f"{text!r} is longer than {_MOST[term.unit]} {term.unit}")
        return term


@compiled
def load(catalogue: Catalogue, name: str = "china") -> Calendar:
    """The calendar of that name; RulesInvalid says the file and what is wrong with it."""
    file = f"{SCHEMAS}/rules/calendar/{name}.toml"
    off: set[date] = set()
    worked: set[date] = set()
    years: dict[int, str] = {}
    try:
        for year, told in tomllib.loads(catalogue.text(file)).items():
            years[int(year)] = told["source"]
            off.update(_days(int(year), told["off"]))
            worked.update(_days(int(year), told["worked"]))
        zone = _ZONES[name]
    except (SchemaInvalid, KeyError, TypeError, ValueError) as error:
        raise RulesInvalid(f"{file}: {error}") from error
    if both := off & worked:
        raise RulesInvalid(f"{file}: {min(both)} is both off and worked")
    return Calendar(zone, frozenset(off), frozenset(worked), years)


def _days(year: int, spans: list[str]) -> Iterator[date]:
    """Every day of spans such as 02-10..02-17."""
    for span in spans:
        first, _, last = span.partition("..")
        day, end = (date.fromisoformat(f"{year:04}-{text}") for text in (first, last or first))
        if end < day:
            raise ValueError(f"{span} ends before it begins")
        while day <= end:
            yield day
            day += timedelta(days=1)
