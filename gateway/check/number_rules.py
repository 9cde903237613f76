"""How numbers are made up, and which of them are ours to give: schemas/rules/numbers, one file a flow.

A pattern is text with fields in braces, each perhaps with its width (`{organisation}{year:2}{sequence:6}`). `sequence` is
what is counted, within each combination of the fields in `scope`; `check` is the check digit over all that stands in the
number beside it.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator
from stdnum import luhn
from stdnum.iso7064 import mod_11_2, mod_97_10

from gateway.catalogue import Catalogue, compiled
from gateway.check.rule_files import RuleTable, read_files, read_list
from gateway.errors import RulesInvalid

SEQUENCE, CHECK = "sequence", "check"
"""The fields of a pattern that are made, not given."""
_WIDTH = re.compile("[1-9][0-9]?")
_CHECKS: Mapping[str, Callable[[str], str]] = {
    "luhn": luhn.calc_check_digit,  # ISO/IEC 7812-1, annex B
    "mod_11_2": mod_11_2.calc_check_digit,  # ISO/IEC 7064, as in GB 11643
    "mod_97_10": mod_97_10.calc_check_digits,  # ISO/IEC 7064
}


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some text of a pattern, and the field after it; the last piece may have none."""

    text: str
    field: str
    width: int


class NumberRule(RuleTable):
    """How one kind of numbers is made up, and our share of the range."""

    kind: Annotated[str, StringConstraints(pattern=r"^[a-z_]+$")]
    source: str = Field(min_length=1)
    pattern: str
    scope: tuple[str, ...]
    """The fields within each combination of which is counted anew."""
    check: Literal["", "luhn", "mod_11_2", "mod_97_10"] = ""
    first: int = Field(default=1, ge=0)
    last: int
    """Of what is counted, the first and the last number that are ours: the rest of the range is another system's."""

    @model_validator(mode="after")
    def _is_whole(self) -> NumberRule:
        pieces = _pieces(self.pattern)
        named = [piece.field for piece in pieces if piece.field]
        if len(set(named)) < len(named):
            raise ValueError("a field stands in the pattern twice")
        width = next((piece.width for piece in pieces if piece.field == SEQUENCE), 0)
        if not width:
            raise ValueError("the pattern needs {sequence} with its width")
        if unknown := set(self.scope) - self.fields:
            raise ValueError(f"scope names fields that the pattern has not: {', '.join(sorted(unknown))}")
        if (CHECK in named) is not bool(self.check):
            raise ValueError("a check digit needs both its place in the pattern, {check}, and how it is made")
        if not self.first <= self.last < 10**width:
            raise ValueError(f"the numbers from {self.first} to {self.last} are none of {width} digits")
        return self

    @property
    def fields(self) -> frozenset[str]:
        """The fields that whoever wants a number must give."""
        return frozenset(piece.field for piece in _pieces(self.pattern)) - {"", SEQUENCE, CHECK}

    def counter(self, values: Mapping[str, str]) -> str:
        """The counter of numbers with these values; KeyError where one is missing."""
        return f"{self.kind}:{''.join(values[name] for name in self.scope)}"

    def write(self, values: Mapping[str, str], count: int) -> str | None:
        """The number that is the `count`-th of ours (from 1) with these values; None where there are not so many.

        ValueError for a value that has not the width of its field.
        """
        sequence = self.first + count - 1
        if sequence > self.last:
            return None
        parts: list[str] = []
        for piece in _pieces(self.pattern):
            parts.append(piece.text)
            if piece.field == SEQUENCE:
                parts.append(f"{sequence:0{piece.width}}")
            elif piece.field == CHECK:
                parts.append("")
            elif piece.field:
                value = values[piece.field]
                if piece.width and len(value) != piece.width:
                    raise ValueError(f"{piece.field} of a {self.kind} number has {piece.width} signs, not {value!r}")
                parts.append(value)
        if self.check:
            place = next(at for at, piece in enumerate(_pieces(self.pattern)) if piece.field == CHECK)
            parts[2 * place + 1] = _CHECKS[self.check]("".join(parts))
        return "".join(parts)


def _pieces(pattern: str) -> list[_Piece]:
    """What a pattern is made of; ValueError where it cannot be read."""
    pieces: list[_Piece] = []
    for text, field, width, conversion in string.Formatter().parse(pattern):
        if conversion or (field is not None and not field.isidentifier()) or (width and not _WIDTH.fullmatch(width)):
            raise ValueError(f"{pattern!r} is no pattern: write fields as {{organisation}} or {{sequence:6}}")
        pieces.append(_Piece(text, field or "", int(width or 0)))
    return pieces


@compiled
def load(catalogue: Catalogue) -> Mapping[str, NumberRule]:
    """The rules of every file of schemas/rules/numbers, by kind of number; RulesInvalid says the file and what is wrong."""
    found: dict[str, NumberRule] = {}
    for file, told in read_files(catalogue, "rules/numbers", {"number"}):
        for rule in read_list(NumberRule, told, "number", file):
            if found.setdefault(rule.kind, rule) is not rule:
                raise RulesInvalid(f"{file}: {rule.kind} numbers are told of twice")
    return found
