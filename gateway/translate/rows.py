"""One row of a mapping table: a canonical field, a place on the wire, and the converter between them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from gateway.errors import MappingInvalid
from gateway.translate.fault import Fault, find_missing

_EXTENDS = "extends"
"""The key by which rows come that a table does not write itself."""
_ROLES = frozenset({"each", "count", "total", "default"})
"""Converters that do another thing with a field than carry its value; a field may have a row of each."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row as written. `field` is empty for what only the wire has (constants, positions)."""

    field: str
    place: str
    converter: str
    source: str = dataclasses.field(default="", compare=False)
    """Where it was written when that is not the table itself, in words for whoever has to mend it."""
    entry: int = dataclasses.field(default=-1, compare=False, repr=False)
    """Which entry of the table's own `rows` it comes from, from 0; -1 where it is a row of the table that is extended."""

    @property
    def kind(self) -> str:
        """The converter's name without its argument."""
        return self.converter.partition(":")[0]

    @property
    def argument(self) -> str:
        """What stands behind the converter's colon."""
        return self.converter.partition(":")[2]

    @property
    def identity(self) -> tuple[str, str]:
        """What a variation's row replaces: the field with what the row does with it; without a field, the place."""
        if not self.field:
            return "", self.place
        return self.field, self.kind if self.kind in _ROLES else "value"

    def fault(self, error: MappingInvalid) -> Fault:
        """`error`, with the row where its words name none, and where it was written if not in the table itself."""
        return Fault(
            self._told(str(error)), entry=self.entry, key=_EXTENDS, missing=find_missing(error), place=self.place
        )

    def _told(self, said: str) -> str:
        if self.source:
            return f"{said} ({self.source})"
        if any(part and repr(part) in said for part in (self.field, self.place)):
            return said
        return f"{said} (row {[self.field, self.place, self.converter]!r})"


def parse(raw: object, entry: int = -1) -> Row:
    """A row from its TOML array, the `entry`th of its table; MappingInvalid where it is not three texts."""
    if not isinstance(raw, list) or len(raw) != 3 or not all(isinstance(part, str) for part in raw):
        raise MappingInvalid(f"row {raw!r}: a row is [field, place, converter]")
    field, place, converter = raw
    return Row(field, place, converter, entry=entry)
