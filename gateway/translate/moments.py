"""Days and instants as the wire writes them: EDIFACT's format codes (element 2379) and patterns of fixed width.

A pattern is CCYY (or YY) MM DD HH MM SS in the order they stand, with any other characters between
(`CCYYMMDDTHH:MM:SS`); `MM` behind hours means minutes, and `ZZZ` is a zone that the sender may name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import cache

from gateway.documents import values
from gateway.errors import MappingInvalid

CODES = {
    "101": "YYMMDD",
    "102": "CCYYMMDD",
    "201": "YYMMDDHHMM",
    "202": "YYMMDDHHMMSS",
    "203": "CCYYMMDDHHMM",
    "204": "CCYYMMDDHHMMSS",
    "303": "CCYYMMDDHHMMZZZ",
    "304": "CCYYMMDDHHMMSSZZZ",
}
"""UNCL 2379, those that name a day or an instant in full."""

_PIVOT = 50
"""A year of two digits below this is 20YY: electronic declarations are younger than 1950."""

_TOKEN = re.compile(r"CCYY|YY|MM|DD|HH|SS|ZZZ|.", re.DOTALL)
_PARTS = {
    "CCYY": (r"(?P<year>[0-9]{4})", "%Y"),
    "YY": (r"(?P<year>[0-9]{2})", "%y"),
    "MM": (r"(?P<month>[0-9]{2})", "%m"),
    "DD": (r"(?P<day>[0-9]{2})", "%d"),
    "HH": (r"(?P<hour>[0-9]{2})", "%H"),
    "SS": (r"(?P<second>[0-9]{2})", "%S"),
    "ZZZ": (r"(?P<zone>.*)", ""),
}
_MINUTES = (r"(?P<minute>[0-9]{2})", "%M")

_ZONES = {"UTC": 0, "GMT": 0, "Z": 0, "CST": 8}
"""Zone names met behind 303 and 304. CST is China Standard Time in this trade."""


class Iso:
    """ISO 8601 with an offset, as XML Schema's dateTime and JSON have it; a local time is in the agreement's zone."""

    name = "iso"
    code = ""

    def read_date(self, text: str) -> date:
        """The day `text` names; ValueError where it is none."""
        return values.known_day(date.fromisoformat(text))

    def read_instant(self, text: str, zone: tzinfo) -> datetime:
        """The instant `text` names, in UTC; ValueError where it is none."""
        read = datetime.fromisoformat(text)
        return _known(read if read.tzinfo is not None else read.replace(tzinfo=zone))

    def cuts(self, value: datetime) -> bool:  # noqa: ARG002 - as Layout
        """Whether writing loses part of `value`."""
        return False

    def write_date(self, value: date) -> str:
        """`value` as CCYY-MM-DD."""
        return value.isoformat()

    def write_instant(self, value: datetime, zone: tzinfo) -> str:
        """`value` as local time of `zone` with its offset."""
        return _local(value, zone, timedelta(minutes=1)).isoformat()


@dataclass(frozen=True, slots=True)
class Layout:
    """How a day or an instant is laid out; `code` is its 2379 code, or empty."""

    name: str
    code: str
    regex: re.Pattern[str]
    directives: str
    zoned: bool
    smallest: str
    """The directive of its smallest part."""

    def read_date(self, text: str) -> date:
        """The day `text` names; ValueError where it is none."""
        part = self._parts(text)
        return values.known_day(date(_year(part["year"]), int(part["month"]), int(part["day"])))

    def read_instant(self, text: str, zone: tzinfo) -> datetime:
        """The instant `text` names, in UTC; local times are in `zone`; ValueError where it is none."""
        part = self._parts(text)
        if part.get("zone"):
            zone = _zone(part["zone"])
        local = datetime(
            _year(part["year"]),
            int(part["month"]),
            int(part["day"]),
            int(part.get("hour", 0)),
            int(part.get("minute", 0)),
            int(part.get("second", 0)),
            tzinfo=zone,
        )
        return _known(local)

    def write_date(self, value: date) -> str:
        """`value` in this layout; ValueError where its two digits would be read as another year."""
        if "%y" in self.directives and _year(f"{value.year % 100:02}") != value.year:
            raise ValueError(f"{value.year} is not written in two digits")
        return value.strftime(self.directives)

    def write_instant(self, value: datetime, zone: tzinfo) -> str:
        """`value` in this layout, as local time of `zone`; ValueError as for a day."""
        # 303 and 304 leave room for three characters, so an offset is written in whole hours.
        local = _local(value, zone, timedelta(hours=1)) if self.zoned else value.astimezone(zone)
        return self.write_date(local) + (local.strftime("%z")[:3] if self.zoned else "")

    def cuts(self, value: datetime) -> bool:
        """Whether writing loses part of `value`."""
        return bool(value.microsecond or (value.second and self.smallest != "%S"))

    def _parts(self, text: str) -> dict[str, str]:
        match = self.regex.fullmatch(text)
        if match is None:
            raise ValueError(text)
        return match.groupdict()


AnyLayout = Layout | Iso


def _known(local: datetime) -> datetime:
    """The instant of a local time, in UTC; ValueError where documents hold none such, as at the calendar's ends."""
    return values.known_moment(local).astimezone(UTC)


def _local(value: datetime, zone: tzinfo, step: timedelta) -> datetime:
    """`value` in `zone`; in UTC where the zone's offset then is no multiple of `step`, and so cannot be written."""
    local = value.astimezone(zone)
    offset = local.utcoffset() or timedelta(0)
    return local if not offset % step else value.astimezone(UTC)


def _year(text: str) -> int:
    year = int(text)
    if len(text) == 4:
        return year
    return year + (2000 if year < _PIVOT else 1900)


def _zone(text: str) -> tzinfo:
    """The zone that stands behind a 303 or 304 value: a name we know or an offset in hours."""
    if text in _ZONES:
        return timezone(timedelta(hours=_ZONES[text]))
    if re.fullmatch(r"[+-][0-9]{2}", text):
        return timezone(timedelta(hours=int(text)))
    raise ValueError(text)


@cache
def layout(name: str) -> AnyLayout:
    """The layout that a 2379 code, a pattern or `iso` names; MappingInvalid where it names none."""
    if name == "iso":
        return Iso()
    pattern = CODES.get(name, name)
    tokens = _TOKEN.findall(pattern)
    regex = directives = ""
    for index, token in enumerate(tokens):
        minutes = token == "MM" and "HH" in tokens[:index]  # noqa: S105 - a token of a pattern, no secret
        part, directive = _MINUTES if minutes else _PARTS.get(token, (re.escape(token), token.replace("%", "%%")))
        regex += part
        directives += directive
    if not ("YY" in pattern and "MM" in tokens and "DD" in tokens):
        raise MappingInvalid(f"{name!r} is no date format: year, month and day must stand in it")
    return Layout(name, name if name in CODES else "", re.compile(regex), directives, "ZZZ" in tokens, directives[-2:])


def known(code: str) -> AnyLayout | None:
    """The layout of a 2379 code that a sender gave, or None where it names no day or instant."""
    return layout(code) if code in CODES else None
