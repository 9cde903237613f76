"""Turns what pydantic has against a document into findings of the catalogue (document.*)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from gateway.findings import make_finding
from gateway.model import LONGEST_STEP, Finding, Place, cut

_CODES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    # pydantic's error type -> our code, and {our argument: name in pydantic's context}
    "missing": ("document.missing", {}),
    "extra_forbidden": ("document.unknown", {}),
    "string_too_long": ("document.too_long", {"max": "max_length"}),
    "string_too_short": ("document.empty", {}),
    "string_pattern_mismatch": ("document.pattern", {"pattern": "pattern"}),
    "string_type": ("document.type.text", {}),
    "string_unicode": ("document.type.text", {}),
    "string_sub_type": ("document.type.text", {}),
    "int_type": ("document.type.whole", {}),
    "int_parsing_size": ("document.number.range", {}),
    "bool_type": ("document.type.flag", {}),
    "decimal_type": ("document.type.number", {}),
    "decimal_parsing": ("document.type.number", {}),
    "finite_number": ("document.type.number", {}),
    "decimal_max_digits": ("document.number.digits", {"max": "max_digits"}),
    "decimal_max_places": ("document.number.places", {"max": "decimal_places"}),
    "decimal_whole_digits": ("document.number.digits", {"max": "whole_digits"}),
    "greater_than_equal": ("document.number.minimum", {"min": "ge"}),
    "less_than_equal": ("document.number.maximum", {"max": "le"}),
    "enum": ("document.choice", {"list": "expected"}),
    "date_type": ("document.date", {}),
    "date_expected": ("document.date", {}),
    "date_parsing": ("document.date", {}),
    "date_from_datetime_parsing": ("document.date", {}),
    "date_from_datetime_inexact": ("document.date", {}),
    "datetime_expected": ("document.moment", {}),
    "datetime_type": ("document.moment", {}),
    "datetime_parsing": ("document.moment", {}),
    "datetime_from_date_parsing": ("document.moment", {}),
    "datetime_object_invalid": ("document.moment", {}),
    "timezone_aware": ("document.moment", {}),
    "tuple_type": ("document.type.list", {}),
    "model_type": ("document.type.object", {}),
    "model_attributes_type": ("document.type.object", {}),
}

_NO_NAMES: Mapping[str, str] = {}
_QUOTED = re.compile(r"'([^']*)'")
"""pydantic joins the members of an enumeration as English prose; only the members are wanted."""

_SHOWN = 80
"""How many characters of a wrong value a finding shows."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with the values for a document: where, as pydantic names it, and what."""

    location: tuple[int | str, ...]
    code: str
    value: str = ""
    args: Mapping[str, str] = field(default_factory=dict)


def faults(error: ValidationError) -> Iterator[Fault]:
    """Everything `error` says, in our own codes."""
    for detail in error.errors(include_url=False):
        kind = str(detail["type"])
        context = detail.get("ctx", {})
        code, names = _CODES.get(kind, ("document.invalid", _NO_NAMES))
        if kind == "value_error":
            code = str(context["error"])  # the validators of base.py name the code they mean
        args = {ours: str(context[theirs]) for ours, theirs in names.items() if theirs in context}
        if code == "document.choice":
            args["list"] = ", ".join(_QUOTED.findall(args["list"]))
        location = tuple(detail["loc"])
        if code in ("document.missing", "document.unknown"):
            args["name"] = str(location[-1]) if location else ""
            yield Fault(location, code, "", args)
        else:
            yield Fault(location, code, _shown(detail["input"]), args)


def pointer(location: tuple[int | str, ...]) -> str:
    """`location` as a JSON pointer (RFC 6901)."""
    return "".join(f"/{pointer_step(str(step))}" for step in location)


def pointer_step(name: str) -> str:
    """`name` as a step of a JSON pointer; of a long one its beginning."""
    return cut(name, LONGEST_STEP).replace("~", "~0").replace("/", "~1")


def findings(error: ValidationError) -> list[Finding]:
    """Everything `error` says, as findings at JSON pointers."""
    return [
        make_finding(fault.code, place=Place(path=pointer(fault.location)), value=fault.value, **fault.args)
        for fault in faults(error)
    ]


def _shown(value: Any) -> str:
    if isinstance(value, Mapping | list | tuple):
        return ""
    text = str(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
