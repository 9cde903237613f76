"""What is wrong with a mapping table, with what it is about: an entry of its rows, a key, a line, a name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from gateway.errors import MappingInvalid


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that a table names, and that is not there."""

    kind: str
    """What it would be: `field`, `part` (of a message's structure), `element`, `converter`, `code list`, `schema`,
    `document`; or `row`, of a field that has none and must have one."""
    name: str


class Fault(str):
    """What is wrong with a table, in words, with what it is about in the table's own text."""

    __slots__ = ("entry", "key", "line", "missing", "place")

    entry: int
    """Which entry of `rows` it is about, a row or an include, from 0; -1 where it is about none."""
    key: str
    """The key of the table that it is about, where it is about no entry."""
    line: int
    """The line, from 1, of a text that is no TOML; 0 where it is one."""
    missing: Missing | None
    place: str
    """The place of the row that it is about, as it is spelled out; empty where it is about none."""

    def __new__(
        cls,
        text: str,
        *,
        entry: int = -1,
        key: str = "",
        line: int = 0,
        missing: Missing | None = None,
        place: str = "",
    ) -> Self:
        """The fault that `text` tells."""
        fault = super().__new__(cls, text)
        fault.entry, fault.key, fault.line, fault.missing, fault.place = entry, key, line, missing, place
        return fault

    @classmethod
    def of(cls, error: MappingInvalid, *, entry: int = -1, key: str = "") -> Self:
        """What `error` says, with what it knows of itself; `entry` and `key` are taken where it says none."""
        known = error.details
        return cls(
            str(error),
            entry=entry,
            key=str(known.get("key", "")) or key,
            line=int(str(known.get("line", 0))),
            missing=find_missing(error),
        )


def find_missing(error: MappingInvalid) -> Missing | None:
    """What the table names and is not there, where `error` is about that."""
    found = error.details.get("missing")
    return found if isinstance(found, Missing) else None
