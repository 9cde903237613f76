"""What the types of elements ask of a value: numbers, codes, text, dates, periods; of both dialects.

The thorough reader (`segment`) and the regular expressions of the fast one (`expressions`) both go by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from gateway.check import dates
from gateway.check.nodes import ElementUse
from gateway.parse.segments import Delimiters

QUALIFIERS = frozenset({"1131", "3055"})
"""The code list qualifier and the responsible agency: where they follow a code, it is from another list."""

PERIOD, PERIOD_FORM = "2380", "2379"
"""A date, time or period of EDIFACT, and the component after it that says its form."""
X12_PERIOD, X12_PERIOD_FORM = "1251", "1250"
"""The same in X12: elements, the form first."""
CONTROL = "\x00-\x1f\x7f-\x9f"
"""Neither the basic nor the extended character set of X12.6 has control characters; separators are taken out before."""
CONTROLS = re.compile(f"[{CONTROL}]")
STRINGS = frozenset({"AN", "ID"})
"""The kinds of X12 whose values are text; EDIFACT's characters are the reader's to judge, by repertoire."""
NUMBER = r"-?[0-9]+(?:[{marks}][0-9]+)?"
REAL = r"-?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"
"""X12.6, type R: leading zeros are suppressed, so that `.5` is the proper form; a point at the end is left out."""
POWER = "-?[0-9]{1,3}"
"""The power of ten behind E: X12.6, type R, and ISO 9735-1:1998, 10. Neither counts in the length."""
_LONGEST_OWN_CODE = 4
CODE_CHARACTER = "[A-Z0-9]"
_CODE, OUTER_CODE = "[A-Z0-9]+", "[A-Z0-9][A-Z0-9 ./-]*"
"""X12.6, type ID: the value is of a list of codes. Those of X12's own lists are of capitals and digits; longer ones are of
lists that others keep, such as postal codes."""
LOOSE_NUMBER = r"-?(?:[0-9]*[{marks}][0-9]+|[0-9]+[{marks}])"


def needs_text(use: ElementUse) -> bool:
    """X12.6, type AN: one character at least is no blank. Those of the interchange (`I02`) are padded as they are."""
    return use.kind == "AN" and not use.item.startswith("I")


def has_exponent(use: ElementUse, value: str) -> bool:
    """Whether `value` is a number with an exponent, which says more than its digits: it has no least length."""
    return is_numeric(use.kind) and "E" in value


def takes_exponent(kind: str, *, exponents: bool) -> bool:
    """Whether a number of `kind` may have an exponent; `exponents` is whether EDIFACT's may, as from version 4 on."""
    return kind == "R" or (kind == "n" and exponents)


def varies(use: ElementUse) -> bool:
    """Whether values of different lengths may stand there, so that none needs filling."""
    return use.max_length is not None and (use.min_length or 1) < use.max_length


def code_form(use: ElementUse) -> str:
    """What a value of an ID without a list matches, blanks behind it apart."""
    return _CODE if use.max_length is not None and use.max_length <= _LONGEST_OWN_CODE else OUTER_CODE


def is_padded(use: ElementUse, value: str) -> bool:
    """Whether blanks stand behind `value` that are no part of it (ISO 9735-1, 9.1; X12.6): its length may be less."""
    return value.endswith(" ") and use.kind in {"an", "a", *STRINGS} and varies(use) and not use.item.startswith("I")


def known_form(use: ElementUse) -> tuple[str, str] | None:
    """What must match the value of an element that is a date or a time, and the finding where it does not."""
    if use.kind == "DT":
        return dates.DATE, "edi.element.invalid_date"
    if use.kind == "TM":
        return dates.TIME, "edi.element.invalid_time"
    return dates.KNOWN.get(use.item)


def is_form_beside(uses: Sequence[ElementUse], components: Sequence[str], index: int) -> bool:
    """Whether component `index` is a period, and the one after it is there to say its form."""
    following = index + 1
    if uses[index].item != PERIOD or following >= min(len(uses), len(components)):
        return False
    return uses[following].item == PERIOD_FORM and components[following] != ""


def period_faults(periods: Sequence[tuple[int, int]], filled: Sequence[str]) -> Iterator[tuple[int, str, str]]:
    """The X12 periods among the elements `filled` (by position) that do not have their form: position, value, form."""
    for at, form_at in periods:
        value, form = (filled[at], dates.X12_FORMS.get(filled[form_at])) if at < len(filled) else ("", None)
        if value and form and not dates.is_written(form, value):
            yield at, value, form


def is_numeric(kind: str) -> bool:
    """Whether an element of that type holds a number (EDIFACT n; X12 N, N0 to N9, R)."""
    return kind in {"n", "R"} or (kind[:1] == "N" and kind[1:].isdigit()) or kind == "N"


def marks_of(kind: str, delimiters: Delimiters) -> str:
    """The decimal marks a number of `kind` may hold; `^` with nothing else is none that matches."""
    if kind == "n":
        # ISO 9735-1, 10.1: comma and point are both decimal marks, unless UNA made it the comma.
        return "," if delimiters.decimal == "," else ".,"
    return "." if kind == "R" else r"^\s\S"


def is_of_other_list(uses: Sequence[ElementUse], components: Sequence[str], index: int) -> bool:
    """Whether a code list qualifier or agency right after component `index` says that its code is not the directory's."""
    for following in range(index + 1, len(uses)):
        if uses[following].item not in QUALIFIERS:
            return False
        if following < len(components) and components[following]:
            return True
    return False


def count_decimals(number: str) -> int:
    """How many digits stand behind the decimal mark."""
    return len(number.replace(",", ".").partition(".")[2])
