"""Reads the text of a mapping table and spells it out: what it includes, and what it extends.

    { include = "edifact_party", field = "consignor", at = "SG1[3035=CZ]", without = ["country"] },

stands in `rows` for the rows of mappings/parts/edifact_party.toml: each field goes behind `field` and a dot, each
place directly behind `at`, so that a part's places begin with what joins them (`.NAD/3164`, `/Code`). What only the
wire has (a constant) goes by its place alone. A part includes nothing itself.

    extends = "clearance/edifact_cusres_d96b"
    without = ["remarks"]
    rows    = [ ["number", "BGM/C106.1004", "digits:18"] ]

is a variation: the table of that name, with these rows instead of its own for the same field, or, of rows without
a field, for the same place; with rows for what it has none for; and without what `without` names. A field that has
a list or a part below it is named with them: `without = ["consignor"]`. A field may have one row each for its value,
`each`, `count`, `total` and `default`, and a variation's row replaces its like only. Document, format, `when` and
`reshape` are the base's: a variation is chosen by agreement, and for what the base is chosen for.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.catalogue import MAPPINGS, Catalogue
from gateway.errors import MappingInvalid
from gateway.translate import rows
from gateway.translate.fault import Fault
from gateway.translate.rows import Row

PARTS = "parts"
"""The folder below mappings/ whose files are groups of rows, not tables."""

_NAME = re.compile("[A-Za-z0-9_-]+")
_TABLE = frozenset({"document", "format", "unmapped", "reshape", "when", "rows"})
_VARIATION = frozenset({"extends", "without", "unmapped", "rows"})
_INCLUDE = frozenset({"include", "field", "at", "without"})


@dataclass(frozen=True, slots=True)
class Source:
    """A table as it was written, with its rows spelled out; `faults` says what could not be."""

    document: str
    format: str
    unmapped: str
    reshape: str
    when: Any
    rows: tuple[Row, ...] | None
    """None for the document's own JSON."""
    digest: str
    """SHA-256 of the table's text; of a table that includes or extends, also of the texts it takes rows from."""
    faults: tuple[Fault, ...]
    extends: str = ""
    """The name of the table that this is a variation of."""


@dataclass(slots=True)
class _Reading:
    """What comes together while a table is spelled out."""

    catalogue: Catalogue
    faults: list[Fault] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)
    """Of the texts that rows were taken from, by their names."""


def read(catalogue: Catalogue, body: bytes, name: str) -> Source:
    """The table that the TOML in `body` writes, with what it takes from the catalogue's mappings.

    MappingInvalid, with `name` in it, where it is no TOML or its rows are no rows.
    """
    content = toml(body, name)
    reading = _Reading(catalogue)
    try:
        source = _variation(content, reading) if "extends" in content else _table(content, reading)
    except MappingInvalid as error:
        faults = (*reading.faults, Fault.of(error))
        raise MappingInvalid(f"{name}: {'; '.join(faults)}", faults=faults) from error
    return replace(source, digest=_digest(body, reading.digests), faults=tuple(reading.faults))


def toml(body: bytes, name: str) -> dict[str, Any]:
    """The content of a TOML file; MappingInvalid where it is none."""
    try:
        return tomllib.loads(body.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        fault = Fault(str(error), line=_line_of(error, body))
        raise MappingInvalid(f"{name}: {error}", faults=(fault,)) from error


_AT_LINE = re.compile(r"\(at line (\d+)")


def _line_of(error: ValueError, body: bytes) -> int:
    """The line that an error of tomllib's is about, which only its words say; the last one where something is not closed."""
    if isinstance(error, UnicodeDecodeError):
        return body.count(b"\n", 0, error.start) + 1
    found = _AT_LINE.search(str(error))
    return int(found[1]) if found else body.rstrip().count(b"\n") + 1


def _digest(body: bytes, others: Mapping[str, str]) -> str:
    digest = hashlib.sha256(body)
    for name, of in sorted(others.items()):
        digest.update(f"\n{name} {of}".encode())
    return digest.hexdigest()


def _table(content: Mapping[str, Any], reading: _Reading) -> Source:
    reading.faults.extend(Fault(f"{key}: unknown", key=key) for key in sorted(content.keys() - _TABLE))
    return Source(
        document=str(content.get("document", "")),
        format=str(content.get("format", "")),
        unmapped=str(content.get("unmapped", "report")),
        reshape=str(content.get("reshape", "")),
        when=content.get("when"),
        rows=_all_rows(content.get("rows"), reading),
        digest="",
        faults=(),
    )


def _variation(content: Mapping[str, Any], reading: _Reading) -> Source:
    """The base of a variation with the variation's rows."""
    reading.faults.extend(
        Fault(
            f"{key}: unknown in a variation; document, format, when and reshape are those of the table it extends",
            key=key,
        )
        for key in sorted(content.keys() - _VARIATION)
    )
    name = str(content["extends"])
    body = find_table(reading.catalogue, name)
    if body is None:
        raise MappingInvalid(f"extends: there is no table {name!r}", key="extends")
    if "extends" in toml(body, name):
        raise MappingInvalid(f"extends: {name} is a variation itself; extend the table that it extends", key="extends")
    base = read(reading.catalogue, body, name)
    reading.digests[name] = base.digest
    own = _all_rows(content.get("rows", []), reading)
    if base.rows is None or own is None:
        raise MappingInvalid("extends: the document's own JSON has no variations", key="extends")
    reading.faults.extend(Fault(f"{name}: {fault}", key="extends") for fault in base.faults)
    kept = _without(base.rows, content.get("without", []), reading)
    by_identity: dict[tuple[str, str], list[Row]] = {}
    for row in own:
        by_identity.setdefault(row.identity, []).append(row)
    spelled: list[Row] = []
    for row in kept:
        if row.identity not in by_identity:
            written = f"row {[row.field, row.place, row.converter]!r}"
            spelled.append(replace(row, source=f"{row.source or written} of {name}", entry=-1))
    reading.faults.extend(_meeting(spelled, own))
    spelled.extend(own)
    return replace(base, rows=tuple(spelled), unmapped=str(content.get("unmapped", base.unmapped)), extends=name)


def _meeting(kept: Sequence[Row], own: Sequence[Row]) -> list[Fault]:
    """Where a row of a variation stands at the place of a field that the base keeps there: one place, two values."""
    fields = {row.place: row.field for row in kept if row.identity[1] == "value" and row.field}
    return [
        Fault(
            f"row {[row.field, row.place, row.converter]!r}: {fields[row.place]} stands there in the table it extends; "
            f"give that another place, or drop it by without",
            entry=row.entry,
            place=row.place,
        )
        for row in own
        if row.field and row.place in fields
    ]


def find_table(catalogue: Catalogue, name: str) -> bytes | None:
    """The text of a table, by its name below mappings/; None where there is none or the name leads elsewhere."""
    parts = name.split("/")
    if len(parts) != 2 or parts[0] == PARTS or not all(map(_NAME.fullmatch, parts)):
        return None
    return catalogue.find(f"{MAPPINGS}/{name}.toml")


def _all_rows(raw: Any, reading: _Reading) -> tuple[Row, ...] | None:
    """The rows, or None for the document's own JSON."""
    if raw == "document":
        return None
    if not isinstance(raw, list):
        raise MappingInvalid('rows: is neither a list nor "document"', key="rows")
    spelled: list[Row] = []
    for at, entry in enumerate(raw):
        try:
            if isinstance(entry, dict):
                spelled.extend(_included(entry, reading, at))
            else:
                spelled.append(rows.parse(entry, at))
        except MappingInvalid as error:
            reading.faults.append(Fault.of(error, entry=at))
    seen: set[Row] = set()
    for row in spelled:
        if row in seen:
            where = f" ({row.source})" if row.source else ""
            told = f"row {[row.field, row.place, row.converter]!r}: stands twice{where}"
            reading.faults.append(Fault(told, entry=row.entry, place=row.place))
        seen.add(row)
    return tuple(spelled)


def _included(entry: Mapping[str, Any], reading: _Reading, number: int) -> list[Row]:
    """The rows of a part, at the place where the entry of that number puts them."""
    name, field_, at = entry.get("include"), entry.get("field"), entry.get("at")
    if entry.keys() - _INCLUDE or not (isinstance(name, str) and isinstance(field_, str) and isinstance(at, str)):
        raise MappingInvalid(f"include {entry!r}: takes include, field, at and, where it is wanted, without")
    body = reading.catalogue.find(f"{MAPPINGS}/{PARTS}/{name}.toml") if _NAME.fullmatch(name) else None
    if body is None:
        raise MappingInvalid(f"include {name!r}: there is no {PARTS}/{name}.toml")
    content = toml(body, f"{PARTS}/{name}.toml")
    reading.digests[f"{PARTS}/{name}"] = hashlib.sha256(body).hexdigest()
    raw = content.get("rows")
    if content.keys() != {"rows"} or not isinstance(raw, list):
        raise MappingInvalid(f"include {name!r}: {PARTS}/{name}.toml holds a list of rows and nothing else")
    written: list[Row] = []
    for each in raw:
        try:
            written.append(rows.parse(each))
        except MappingInvalid as error:
            reading.faults.append(Fault(f"include {name!r}: {error}", entry=number))
    placed = []
    for row in _without(written, entry.get("without", []), reading, f"include {name!r} for {field_!r}: ", number):
        source = f"row {[row.field, row.place, row.converter]!r} of include {name!r} for {field_!r} at {at!r}"
        canonical = ".".join(filter(None, (field_, row.field))) if row.field else ""
        placed.append(Row(canonical, at + row.place, row.converter, source, number))
    return placed


def _without(given: Sequence[Row], names: Any, reading: _Reading, around: str = "", entry: int = -1) -> list[Row]:
    """The rows but those that `names` drops: fields with all below them, and places of rows without a field.

    `around` says for whoever reads where the names stand, and `entry` in which entry of `rows`.
    """
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        reading.faults.append(Fault(f"{around}without: is a list of fields and places", entry=entry, key="without"))
        return list(given)
    kept = list(given)
    for name in names:
        left = [row for row in kept if not _is_named(row, name)]
        if len(left) == len(kept):
            reading.faults.append(Fault(f"{around}without: {name!r} names no row", entry=entry, key="without"))
        kept = left
    return kept


def _is_named(row: Row, name: str) -> bool:
    if not row.field:
        return row.place == name
    return row.field == name or row.field.startswith(f"{name}.")
