"""What a translation needs to know beside the message and its mapping: the partner's zone, codes and separators."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gateway.errors import ConfigurationInvalid
from gateway.model import Agreement, Syntax
from gateway.parse.segments import Delimiters

EDIFACT_DELIMITERS = Delimiters("'", "+", ":", "?", "*", ".")
"""The defaults of ISO 9735-1, annex on UNA; the release character is at work, repetition is version 4's."""

X12_DELIMITERS = Delimiters("~", "*", ">")


@dataclass(frozen=True, slots=True)
class Context:
    """One partner's side of a translation.

    `time_zone` (IANA) is what local times without offset are in; `code_tables` (`un`, `ciq`, `customs`)
    is where coded values come from; `delimiters` are those to write with, the syntax's defaults if None; `guide` is the
    implementation guide that what is written must pass.
    """

    time_zone: str = "UTC"
    code_tables: str = "un"
    delimiters: Delimiters | None = None
    guide: str = ""
    zone: tzinfo = field(init=False, compare=False, default=UTC)

    def __post_init__(self) -> None:
        try:
            zone = UTC if self.time_zone in ("", "UTC") else ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # `Asia` is a folder
            raise ConfigurationInvalid(f"time zone {self.time_zone!r} is not known") from error
        object.__setattr__(self, "zone", zone)

    def separators(self, syntax: Syntax) -> Delimiters:
        """What to write segments with."""
        if self.delimiters is not None:
            return self.delimiters
        return X12_DELIMITERS if syntax is Syntax.X12 else EDIFACT_DELIMITERS


def context_of(agreement: Agreement) -> Context:
    """The partner's side of a translation, as the agreement with it says."""
    return _context(agreement.time_zone, agreement.code_tables, agreement.guide)


@cache
def _context(time_zone: str, code_tables: str, guide: str) -> Context:
    """One context per combination; there are few."""
    return Context(time_zone=time_zone, code_tables=code_tables, guide=guide)
