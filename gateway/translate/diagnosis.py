"""Says of a mapping table what is wrong with it, each on the line that has to be mended, with what may have been meant.

Faults are found by loading the table (translate/table.py); here they are brought to their lines, as whoever writes a
table wants them. What works one way only is found besides: a row that reads what it never writes, or the other way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.catalogue import Catalogue
from gateway.check import codes, tables, xsd
from gateway.check.nodes import Table
from gateway.documents import MODELS
from gateway.errors import MappingInvalid
from gateway.spelling import suggest
from gateway.translate import convert, fields, source, table, types
from gateway.translate.engine import Mapping
from gateway.translate.fault import Fault
from gateway.translate.rows import Row
from gateway.translate.toml_lines import Lines, find_lines

_KINDS = frozenset(
    {*convert.FACTORIES, *convert.CODED, *convert.CONSTANTS, *convert.CONTROLS, *convert.SCOPES, "default"}
)


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing about a table: a fault, which keeps it from being used, or what to know about it."""

    line: int
    """From 1; of what stands on no line, that of the table's rows."""
    text: str
    suggestion: str = ""
    is_fault: bool = True

    def __str__(self) -> str:
        """The remark without its line."""
        return f"{self.text}; {self.suggestion}" if self.suggestion else self.text


def diagnose(catalogue: Catalogue, body: bytes, name: str) -> list[Remark]:
    """Everything wrong with the table, or partner's variation, that the TOML in `body` writes, and its one-way rows."""
    lines = find_lines(body.decode("utf-8", "replace"))
    try:
        mapping = table.parse(catalogue, body, name)
    except MappingInvalid as error:
        listed = error.details.get("faults")
        faults = [one for one in listed if isinstance(one, Fault)] if isinstance(listed, tuple) else [Fault.of(error)]
        header = _header_of(catalogue, body)
        return [Remark(_line_of(fault, lines), fault, _suggestion(catalogue, fault, header)) for fault in faults]
    found = []
    for row, text, is_fault in _one_way(catalogue, mapping):
        found.append(Remark(_line_of(row.fault(MappingInvalid(text)), lines), text, is_fault=is_fault))
    return found


def _line_of(fault: Fault, lines: Lines) -> int:
    """The number of the line that a fault is about."""
    if fault.line:
        return fault.line
    if 0 <= fault.entry < len(lines.entries):
        return lines.entries[fault.entry]
    return next((lines.keys[key] for key in (fault.key, "rows", "format", "document") if key in lines.keys), 1)


@dataclass(frozen=True, slots=True)
class _Header:
    """What a table is for, as far as it says."""

    document: str = ""
    format: str = ""


def _header_of(catalogue: Catalogue, body: bytes) -> _Header:
    """The document and the format of a table, or of the one that it extends."""
    try:
        content = source.toml(body, "")
        extended = source.find_table(catalogue, str(content.get("extends", "")))
        content = source.toml(extended, "") if extended is not None else content
    except MappingInvalid:
        return _Header()
    return _Header(str(content.get("document", "")), str(content.get("format", "")))


def _suggestion(catalogue: Catalogue, fault: Fault, header: _Header) -> str:
    """What may have been meant where a fault is about something that is not there; empty where nothing is like it."""
    missing, model = fault.missing, MODELS.get(header.document)
    if missing is None:
        return ""
    name, known = missing.name, list[str]()
    match missing.kind:
        case "field" if model is not None:
            known = [*_paths(fields.shape(model))]
        case "row" if model is not None:
            return f'add ["{missing.name}", "PLACE", "{_converter(model, missing.name)}"]'
        case "element":
            # A component is named with its composite, whichever of the two is not there.
            name, known = fault.place.rpartition("/")[2], _elements(catalogue, header.format, fault.place)
        case "part":
            known = _parts(catalogue, header.format)
        case "converter":
            known = [*_KINDS]
        case "code list":
            known = [*codes.available(catalogue)]
        case "schema":
            known = [*tables.formats(catalogue), *xsd.entries(catalogue)]
        case "document":
            known = [*MODELS]
    return suggest(name, known)


def _converter(model: type, path: str) -> str:
    try:
        return "each" if path.endswith("[]") else types.likely_converter(model, path)
    except (AttributeError, KeyError):
        return "text"


def _paths(at: fields.Shape, prefix: str = "") -> Iterator[str]:
    """Every field below, those that hold others included."""
    for name, below in at.fields.items():
        path = f"{prefix}{name}{'[]' if below.many else ''}"
        yield path
        yield from _paths(below, f"{path}.")


def _elements(catalogue: Catalogue, format_: str, place: str) -> list[str]:
    """The elements of the segment that a place names, as places name them."""
    found = _table(catalogue, format_)
    tag = re.split(r"[\[#]", place.partition("/")[0].rpartition(".")[2])[0]
    node = next((node for node in found.nodes if node.tag == tag), None) if found is not None else None
    if node is None:
        return []
    return [
        name
        for use in node.elements
        for name in ([f"{use.number}.{part.number}" for part in use.components] if use.components else [use.number])
    ]


def _parts(catalogue: Catalogue, format_: str) -> list[str]:
    """The groups and segments of a table, or the elements of an XSD."""
    found = _table(catalogue, format_)
    if found is not None:
        return sorted({*(group.name for group in found.groups[1:]), *(node.tag for node in found.nodes)})
    return []


def _table(catalogue: Catalogue, format_: str) -> Table | None:
    return tables.find(catalogue, table.message_type(format_)) if format_.startswith(("edifact:", "x12:")) else None


def _one_way(catalogue: Catalogue, mapping: Mapping) -> Iterator[tuple[Row, str, bool]]:
    """Rows that read what they never write, or cannot write what a document may hold: (row, in words, is a fault)."""
    for row in mapping.rows:
        if row.kind in ("map", "only") and row.field:
            yield from ((row, text, is_fault) for text, is_fault in _map_remarks(mapping, row))
        elif row.kind == "code":
            name, _, column = row.argument.partition(":")
            known = codes.find(catalogue, name)
            if known is not None and column and column != codes.CANONICAL:
                without = sum(1 for one in known.rows if not one[column])
                if without:
                    text = f"{row.converter}: {without} of {len(known.rows)} codes of {name} have none here, and are not written"
                    yield row, text, False


_UNWRITTEN = {"map": "is reported where it is dropped", "only": "a document that holds it is not written"}
"""What becomes of a value that a short list has no code for, by the kind of row."""


def _map_remarks(mapping: Mapping, row: Row) -> Iterator[tuple[str, bool]]:
    pairs = [pair.partition("=")[::2] for pair in row.argument.split(",")]
    ours = [value for _, value in pairs]
    for value in dict.fromkeys(ours):
        wires = [wire for wire, of in pairs if of == value]
        if len(wires) > 1:
            yield f"{row.field}: {', '.join(wires[1:])} is read as {value} and never written; {wires[0]} is", False
    model = mapping.model if mapping.reshape is None else mapping.reshape.model
    allowed = types.choices(model, row.field)
    if allowed:
        unknown = [value for value in dict.fromkeys(ours) if value not in allowed]
        if unknown:
            yield f"{row.field}: {', '.join(unknown)} is none of its values ({', '.join(allowed)})", True
        # Several rows may write the values of one field between them.
        written = {
            value
            for other in mapping.rows
            if other.field == row.field and other.kind in ("map", "only")
            for value in (pair.partition("=")[2] for pair in other.argument.split(","))
        }
        missing = [value for value in allowed if value not in written]
        if missing and not any(
            other.field == row.field and other.kind not in ("map", "only", "count") for other in mapping.rows
        ):
            yield f"{row.field}: {', '.join(missing)} cannot be written, and {_UNWRITTEN[row.kind]}", False
