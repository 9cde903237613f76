"""One row of a mapping table: a canonical field, a place on the wire, and the converter between them."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.errors import MappingInvalid


@dataclass(frozen=True, slots=True)
class Row:
    """A row as written. `field` is empty for what only the wire has (constants, positions)."""

    field: str
    place: str
    converter: str

    @property
    def kind(self) -> str:
        """The converter's name without its argument."""
        return self.converter.partition(":")[0]

    @property
    def argument(self) -> str:
        """What stands behind the converter's colon."""
        return self.converter.partition(":")[2]


def parse(raw: object) -> Row:
    """A row from its TOML array; MappingInvalid where it is not three texts."""
    if not isinstance(raw, list) or len(raw) != 3 or not all(isinstance(part, str) for part in raw):
        raise MappingInvalid(f"row {raw!r}: a row is [field, place, converter]")
    return Row(*raw)
