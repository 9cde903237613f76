"""One row of a mapping table: a canonical field, a place on the wire, and the converter between them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from gateway.errors import MappingInvalid

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

    def fault(self, error: MappingInvalid) -> str:
        """`error` in words, with the row where the words name none, and where it was written if not in the table itself."""
        if self.source:
            return f"{error} ({self.source})"
        if any(part and repr(part) in str(error) for part in (self.field, self.place)):
            return str(error)
        return f"{error} (row {[self.field, self.place, self.converter]!r})"


def parse(raw: object) -> Row:
    """A row from its TOML array; MappingInvalid where it is not three texts."""
    if not isinstance(raw, list) or len(raw) != 3 or not all(isinstance(part, str) for part in raw):
        raise MappingInvalid(f"row {raw!r}: a row is [field, place, converter]")
    return Row(*raw)
