"""Days and times as both dialects write them, as regular expressions that know the calendar.

An expression takes exactly what is a day, or a time of the day, so that the fast check and the thorough one say the
same. A year of two digits is taken for a leap year where 20YY is one, as 1900 alone would tell otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

_MONTH_DAY = (
    r"(?:(?:0[13578]|1[02])(?:0[1-9]|[12][0-9]|3[01])"
    r"|(?:0[469]|11)(?:0[1-9]|[12][0-9]|30)"
    r"|02(?:0[1-9]|1[0-9]|2[0-8]))"
)
_LEAP = "(?:[02468][048]|[13579][26])"
"""The last two digits of a year that four divides."""
_YYMMDD = rf"(?:[0-9]{{2}}{_MONTH_DAY}|{_LEAP}0229)"
# A century has a leap year where four divides it; other years where four divides their last two digits.
_CCYYMMDD = (
    rf"(?:(?!0000)[0-9]{{4}}{_MONTH_DAY}|(?:[0-9]{{2}}(?:0[48]|[2468][048]|[13579][26])|(?!00)(?:{_LEAP})00)0229)"
)
_HHMM = "(?:[01][0-9]|2[0-3])[0-5][0-9]"

_PARTS: Mapping[str, str] = {
    "CCYYMMDD": _CCYYMMDD,
    "DDMMCCYY": r"(?:0[1-9]|[12][0-9]|3[01])(?:0[1-9]|1[0-2])[0-9]{4}",
    "YYMMDD": _YYMMDD,
    "DDMMYY": r"(?:0[1-9]|[12][0-9]|3[01])(?:0[1-9]|1[0-2])[0-9]{2}",
    "MMDDYY": rf"(?:{_MONTH_DAY}|0229)[0-9]{{2}}",
    "CCYY": "[0-9]{4}",
    "YYDDD": "[0-9]{2}(?:00[1-9]|0[1-9][0-9]|[12][0-9]{2}|3[0-5][0-9]|36[0-6])",
    "MMDD": rf"(?:{_MONTH_DAY}|0229)",
    "HHMMSS": f"{_HHMM}[0-5][0-9]",
    "HHMM": _HHMM,
    "DDD": "(?:00[1-9]|0[1-9][0-9]|[12][0-9]{2}|3[0-5][0-9]|36[0-6])",
    "WW": "(?:0[1-9]|[1-4][0-9]|5[0-3])",
    "ZZZ": r"[^\s]{1,5}",
    "YY": "[0-9]{2}",
    "MM": "(?:0[1-9]|1[0-2])",
    "DD": "(?:0[1-9]|[12][0-9]|3[01])",
    "D": "[1-7]",
    "Q": "[1-4]",
    "-": "-?",
}
_PART = re.compile("|".join(sorted(map(re.escape, _PARTS), key=len, reverse=True)))

FORMS: Mapping[str, str] = {
    # UN/EDIFACT 2379, by code; forms of it that no message of trade uses are left to their readers.
    "2": "DDMMYY",
    "3": "MMDDYY",
    "4": "DDMMCCYY",
    "5": "DDMMCCYYHHMM",
    "101": "YYMMDD",
    "102": "CCYYMMDD",
    "103": "YYWWD",
    "105": "YYDDD",
    "106": "MMDD",
    "107": "DDD",
    "108": "WW",
    "109": "MM",
    "110": "DD",
    "201": "YYMMDDHHMM",
    "202": "YYMMDDHHMMSS",
    "203": "CCYYMMDDHHMM",
    "204": "CCYYMMDDHHMMSS",
    "301": "YYMMDDHHMMZZZ",
    "302": "YYMMDDHHMMSSZZZ",
    "303": "CCYYMMDDHHMMZZZ",
    "304": "CCYYMMDDHHMMSSZZZ",
    "305": "MMDDHHMM",
    "306": "DDHHMM",
    "401": "HHMM",
    "402": "HHMMSS",
    "404": "HHMMSSZZZ",
    "501": "HHMMHHMM",
    "502": "HHMMSS-HHMMSS",
    "602": "CCYY",
    "609": "YYMM",
    "610": "CCYYMM",
    "615": "YYWW",
    "616": "CCYYWW",
    "702": "CCYY-CCYY",
    "710": "CCYYMM-CCYYMM",
    "713": "YYMMDDHHMM-YYMMDDHHMM",
    "716": "CCYYWW-CCYYWW",
    "717": "YYMMDD-YYMMDD",
    "718": "CCYYMMDD-CCYYMMDD",
    "719": "CCYYMMDDHHMM-CCYYMMDDHHMM",
}
"""The forms of a date, time or period by the code of its qualifier, element 2379."""

X12_FORMS: Mapping[str, str] = {
    "CM": "CCYYMM",
    "D6": "YYMMDD",
    "D8": "CCYYMMDD",
    "DB": "MMDDCCYY",
    "DT": "CCYYMMDDHHMM",
    "RD8": "CCYYMMDD-CCYYMMDD",
    "RDT": "CCYYMMDDHHMM-CCYYMMDDHHMM",
    "TM": "HHMM",
    "TS": "HHMMSS",
}
"""The same by X12 element 1250; what no open source describes is not checked."""

DATE = rf"(?:{_CCYYMMDD}|{_YYMMDD})"
"""X12.6, type DT: YYMMDD or CCYYMMDD."""
TIME = rf"{_HHMM}(?:[0-5][0-9](?:[0-9]{{1,2}})?)?"
"""X12.6, type TM: HHMM, HHMMSS, and decimal seconds of one or two digits."""

KNOWN: Mapping[str, tuple[str, str]] = {
    # ISO 9735-1: what a service element holds, and what it is called where it does not.
    "0017": (DATE, "edi.element.invalid_date"),
    "0019": (_HHMM, "edi.element.invalid_time"),
    "0338": (rf"(?:{DATE})", "edi.element.invalid_date"),
    "0314": (rf"{_HHMM}(?:[0-5][0-9](?:[.,]?[0-9]{{1,6}})?)?", "edi.element.invalid_time"),
}
"""EDIFACT elements that are a day or a time by what they are; their length is the directory's."""


@cache
def expression(form: str) -> str:
    """The regular expression of what has `form`, such as CCYYMMDDHHMM."""
    return _PART.sub(lambda part: _PARTS[part[0]], form)


def is_written(form: str, value: str) -> bool:
    """Whether `value` is a day, a time or a period of `form`."""
    return _compiled(form).fullmatch(value) is not None


@cache
def _compiled(form: str) -> re.Pattern[str]:
    return re.compile(expression(form))
