"""The one place where text becomes a number, a day or an instant, within bounds that every later stage counts on.

What is outside of them is refused where it is read, at its place, so that nothing behind it can be surprised:
no number whose digits fill the memory once its exponent is written out, no instant that no time zone can tell.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation

MAX_DIGITS = 24
"""Digits of a number in a document, those behind the mark included: what the trade's widest amounts have, twice over."""
MAX_PLACES = 8
"""Digits behind the mark in a document: unit prices have 5, exchange rates 6."""
MAX_LENGTH = 60
"""Characters of a number that is read at all: twice what a document holds, so that a number with too many digits is told
as such; longer ones only cost time to convert."""
MAX_EXPONENT = 60
"""Power of ten of a number that is read at all, for the same reason: `1E9999999` takes ten million digits to write."""

FIRST_DAY, LAST_DAY = date(1000, 1, 1), date(9999, 12, 31)
"""Days have years of four digits; 9999-12-31 is what many write for a validity without end."""
FIRST_MOMENT = datetime(1970, 1, 1, tzinfo=UTC)
"""Instants are of electronic exchange and of journeys, and the store counts from here. Before 1972 zones had offsets
with seconds, which no format of the wire can write."""
LAST_MOMENT = datetime(9999, 12, 30, tzinfo=UTC)
"""A day before the calendar's end, so that the instant can be told in the local time of every zone."""

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?([Zz]|[+-][0-9]{2}:?[0-9]{2})"
)
_CODE = re.compile("[^\\s\x00-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff]{1,35}")
_UNFIT = re.compile("[\x00-\x08\x0b-\x1f\x7f\ufffe\uffff\ud800-\udfff]")


class Beyond(ValueError):
    """A number, but with more digits or a larger exponent than is read."""


def number(text: str) -> Decimal:
    """The number that `text` writes in ASCII digits, with a point and an exponent at most.

    ValueError where it writes none, Beyond where it is not read. A zero is 0, without sign and exponent.
    """
    if _NUMBER.fullmatch(text) is None:
        raise ValueError("no number")
    if len(text) > MAX_LENGTH:
        raise Beyond("a number of too many characters")
    try:
        return bounded(Decimal(text))
    except InvalidOperation:
        # Python's own arithmetic takes exponents of 18 digits, at the first digit and at the last.
        raise Beyond("a number with too large an exponent") from None


def bounded(value: Decimal) -> Decimal:
    """`value` where it is a number that is read; ValueError where it is none, Beyond where it is not read."""
    if not value.is_finite():
        raise ValueError("no finite number")
    if value.is_zero():
        return Decimal(0)
    exponent = value.as_tuple().exponent
    if not (isinstance(exponent, int) and exponent >= -MAX_EXPONENT and value.adjusted() <= MAX_EXPONENT):
        raise Beyond("a number with too large an exponent")
    return value


def plain(value: Decimal) -> str:
    """`value` in plain digits without exponent: `1E+3` is `1000`."""
    return format(value, "f")


def is_day(text: str) -> bool:
    """Whether `text` has the form of an ISO 8601 day, YYYY-MM-DD."""
    return _DAY.fullmatch(text) is not None


def is_moment(text: str) -> bool:
    """Whether `text` has the form of an ISO 8601 time with an offset."""
    return _MOMENT.fullmatch(text) is not None


def known_day(value: date) -> date:
    """`value` where documents hold such a day; ValueError where they do not."""
    if not FIRST_DAY <= value <= LAST_DAY:
        raise ValueError("a day beyond those that documents hold")
    return value


def known_moment(value: datetime) -> datetime:
    """`value`, which is aware, where documents hold such an instant; ValueError where they do not."""
    if not FIRST_MOMENT <= value <= LAST_MOMENT:
        raise ValueError("an instant beyond those that documents hold")
    return value


def text(words: str, longest: int = 4000) -> str | None:
    """`words` as a document's text holds them: other people's characters may not be, and may be many. None for nothing."""
    return _UNFIT.sub("\ufffd", words)[:longest].strip() or None


def code(words: str) -> str | None:
    """`words` where a document's code can hold them; None where they are too long for it, or hold a blank."""
    return words if _CODE.fullmatch(words) else None
