"""Check digits of the numbers that partners go by, for schemes that have them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from stdnum import ean, imo, lei
from stdnum.cn import uscc
from stdnum.exceptions import ValidationError


def _judge_gln(value: str) -> str:
    if len(value) != 13:
        raise ValidationError
    return str(ean.validate(value))


def _judge_duns(value: str) -> str:
    """Nine digits; those given out since 2006 have no check digit."""
    if len(value) != 9 or not value.isdigit():
        raise ValidationError
    return value


_SCHEMES: Mapping[str, tuple[Callable[[str], str], str]] = {
    "uscc": (uscc.validate, "a unified social credit code (GB 32100-2015)"),
    "gln": (_judge_gln, "a global location number"),
    "lei": (lei.validate, "a legal entity identifier (ISO 17442)"),
    "imo": (imo.validate, "an IMO number"),
    "duns": (_judge_duns, "a D-U-N-S number"),
}
"""By scheme, what raises ValidationError for a number that is none, and what a good one is."""


def judge_number(scheme: str, value: str) -> str:
    """Why `value` is no number of its scheme; empty where it is one, or the scheme has nothing to check."""
    known = _SCHEMES.get(scheme)
    if known is None:
        return ""
    validate, noun = known
    try:
        kept = validate(value)
    except ValidationError:
        return f"it is not {noun}: its length, signs or check digit are wrong"
    return "" if kept == value else f"write {noun} without blanks and signs between, and in capital letters"
