"""Says of a mapping table what is wrong with it, each on the line that has to be mended, with what may have been meant.

Faults are found by loading the table (translate/table.py); here they are brought to their lines, as whoever writes a
table wants them. What works one way only is found besides: a row that reads what it never writes, or the other way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gateway.catalogue import Catalogue
from gateway.check import codes, tables, xsd
from gateway.check.nodes import Table
from gateway.documents import MODELS
from gateway.errors import MappingInvalid
from gateway.spelling import suggest
from gateway.translate import convert, fields, table, types
from gateway.translate.engine import Mapping
from gateway.translate.rows import Row

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
    lines = body.decode("utf-8", "replace").splitlines()
    try:
        mapping = table.parse(catalogue, body, name)
    except MappingInvalid as error:
        listed = error.details.get("faults")
        faults = [str(one) for one in listed] if isinstance(listed, tuple) else [str(error).removeprefix(f"{name}: ")]
        return [Remark(_line_of(fault, lines), fault, _suggestion(catalogue, fault, lines)) for fault in faults]
    found = []
    for row, text, is_fault in _one_way(catalogue, mapping):
        found.append(Remark(_line_of(row.source or _written(row), lines), text, is_fault=is_fault))
    return found


def _written(row: Row) -> str:
    return f"row {[row.field, row.place, row.converter]!r}"


_INCLUDED = re.compile(r"of include '([^']+)' for '([^']*)'")
_AT_LINE = re.compile(r"\(at line (\d+)")
_ROW = re.compile(r"row \['([^']*)', '([^']*)', '([^']*)'\]")
_QUOTED = re.compile(r"(?:field|place|row|include|reshape) '([^']+)'")
_CONVERTER = re.compile(r"converter '?([a-z_]+)'?")
_CODE_LIST = re.compile(r"code list '([^']+)'")
_NAMED = ((_QUOTED, ('"{}"',)), (_CONVERTER, ('"{}"', '"{}:')), (_CODE_LIST, (":{}",)))
"""What a fault names, and how that stands in the line that it is about."""
_KEY = re.compile(r"([a-z_]+): (?:unknown|'|there is no)")


def _line_of(fault: str, lines: Sequence[str]) -> int:
    """The number of the line that a fault is about."""
    if found := _AT_LINE.search(fault):
        return int(found[1])
    for pattern in (_INCLUDED, _ROW):
        if (found := pattern.search(fault)) and (
            at := _first_with_all(lines, [f'"{part}"' for part in found.groups()])
        ):
            return at
    for pattern, marks in _NAMED:
        if (found := pattern.search(fault)) and (at := _first_with(lines, [mark.format(found[1]) for mark in marks])):
            return at
    key = _KEY.match(fault)
    for begin in ([key[1]] if key else []) + ["rows", "format", "document"]:
        for at, line in enumerate(lines, 1):
            if line.lstrip().startswith(begin):
                return at
    return 1


def _first_with(lines: Sequence[str], marks: Sequence[str]) -> int:
    """The number of the first line that holds one of `marks` and is no remark; 0 where none is."""
    return next((at for at, line in _rows(lines) if any(mark in line for mark in marks)), 0)


def _first_with_all(lines: Sequence[str], marks: Sequence[str]) -> int:
    """The number of the first line that holds all of `marks` and is no remark; 0 where none is."""
    return next((at for at, line in _rows(lines) if all(mark in line for mark in marks)), 0)


def _rows(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    return ((at, line) for at, line in enumerate(lines, 1) if not line.lstrip().startswith("#"))


_NO_FIELD = re.compile(r"field '([^']+)': .* has no ")
_NO_PART = re.compile(r"place '([^']+)': (\S+) has no (?:group |element )?(\S+)")
_NO_ELEMENT = re.compile(r"place '([^']+)': there is no element (\S+)")
_NO_CONVERTER = re.compile(r"there is no converter '([^']*)'")
_NO_SCHEMA = re.compile(r"there is no schema for '([^']*)'")
_NO_DOCUMENT = re.compile(r"there is no document '([^']*)'")
_REQUIRED = re.compile(r"(\S+): is required and no row reads it")


def _suggestion(catalogue: Catalogue, fault: str, lines: Sequence[str]) -> str:
    """What may have been meant where a fault is about something that is not there; empty where nothing is like it."""
    model = MODELS.get(_header("document", lines))
    format_ = _header("format", lines)
    if (found := _NO_FIELD.match(fault)) and model is not None:
        return suggest(found[1], _paths(fields.shape(model)))
    if found := _NO_ELEMENT.match(fault):
        wanted = found[1].rpartition("/")[2]
        return suggest(wanted, _elements(catalogue, format_, found[1]))
    if found := _NO_PART.match(fault):
        wanted = found[1].rpartition("/")[2] if "element" in fault else found[3]
        return suggest(wanted, [*_elements(catalogue, format_, found[1]), *_parts(catalogue, format_)])
    for pattern, known in (
        (_NO_CONVERTER, _KINDS),
        (_CODE_LIST, codes.available(catalogue)),
        (_NO_SCHEMA, {*tables.formats(catalogue), *xsd.entries(catalogue)}),
        (_NO_DOCUMENT, MODELS),
    ):
        if found := pattern.search(fault):
            return suggest(found[1], known)
    if (found := _REQUIRED.match(fault)) and model is not None:
        return f'add ["{found[1]}", "PLACE", "{_converter(model, found[1])}"]'
    return ""


def _converter(model: type, path: str) -> str:
    try:
        return "each" if path.endswith("[]") else types.likely_converter(model, path)
    except (AttributeError, KeyError):
        return "text"


def _header(key: str, lines: Sequence[str]) -> str:
    found = (re.match(rf'\s*{key}\s*=\s*"([^"]*)"', line) for line in lines)
    return next((one[1] for one in found if one), "")


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
