"""Loads mapping tables: mappings/<document>/<any name>.toml, each one document in one wire format.

    document = "declaration"
    format   = "edifact:CUSDEC:D:96B:UN"
    unmapped = "report"                  # keep | report | ignore
    rows = [
      ["number",            "BGM/1004",                          "text"],
      ["declared_at",       "DTM[2005=137]/C507.2380",           "datetime:203"],
      ["goods[]",           "SG30",                              "each"],
      ["goods[].hs_code",   "SG30.CST/C246[1].7361",             "text"],
      ["",                  "UNS#1/0081",                        "constant:D"],
      ["goods[]",           "CNT[6069=5]/C270.6066",             "count"],
      ["function",          "",                                  "default:9"],
    ]

`rows = "document"` is the document's own JSON. A row without a field writes what only the wire has
(`constant:`, `position`); one without a place gives what the format implies (`default:`). Lists need an
`each` row, which may take `starts=ELEMENT` (an occurrence without that element continues the one
before) or `link=INNER/OUTER` (the document holds the list at its top, the wire within another one).
What rows cannot say is a pair of functions that `reshape = "..."` names (translate/reshape.py).
Loading judges everything at once: every field must exist in the document, every place in the schema,
every required field must have a row, and every mandatory segment one that writes it.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping as MappingType
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from gateway import data
from gateway.check import tables, xsd
from gateway.documents import MODELS
from gateway.errors import MappingInvalid, SchemaInvalid
from gateway.model import Syntax
from gateway.parse.segments import MessageType
from gateway.translate import fields, rows
from gateway.translate.convert import CONTROLS
from gateway.translate.edi_wire import EdiWire
from gateway.translate.engine import Mapping, Wire
from gateway.translate.json_wire import DocumentJson
from gateway.translate.reshape import RESHAPES, Reshape
from gateway.translate.rows import Row
from gateway.translate.xml_outline import outline
from gateway.translate.xml_wire import XmlWire

_UNMAPPED = ("keep", "report", "ignore")


def load(document: str, format_: str) -> Mapping:
    """The mapping of `document` in `format_`; MappingInvalid where there is none or it is wrong."""
    path = _paths().get((document, format_))
    if path is None:
        raise MappingInvalid(f"there is no mapping of {document} as {format_}")
    return _load(path)


def find(document: str, format_: str) -> Mapping | None:
    """The mapping of `document` in `format_`, or None."""
    path = _paths().get((document, format_))
    return None if path is None else _load(path)


def available() -> tuple[tuple[str, str], ...]:
    """(document, format) of every mapping."""
    return tuple(_paths())


def documents_of(format_: str) -> tuple[str, ...]:
    """The documents that messages of `format_` may hold."""
    return tuple(document for document, known in _paths() if known == format_)


def path_of(document: str, format_: str) -> Path:
    """The file of a mapping; MappingInvalid where there is none."""
    if (document, format_) not in _paths():
        raise MappingInvalid(f"there is no mapping of {document} as {format_}")
    return _paths()[document, format_]


@cache
def _paths() -> MappingType[tuple[str, str], Path]:
    """The files by what they map. Only the two names are read here; the rest when a mapping is asked for."""
    found: dict[tuple[str, str], Path] = {}
    for path in sorted(data.mappings().glob("*/*.toml")):
        content = _toml(path.read_bytes(), path.name)
        key = str(content.get("document", "")), str(content.get("format", ""))
        if key in found:
            raise MappingInvalid(f"{path.name} and {found[key].name} map the same: {' as '.join(key)}")
        found[key] = path
    return found


@cache
def _load(path: Path) -> Mapping:
    return parse(path.read_bytes(), path.name)


def parse(body: bytes, name: str) -> Mapping:
    """The mapping that the TOML in `body` writes; MappingInvalid lists every fault of file `name`."""
    content = _toml(body, name)
    faults = [f"{key}: unknown" for key in content.keys() - {"document", "format", "unmapped", "reshape", "rows"}]
    document, format_ = str(content.get("document", "")), str(content.get("format", ""))
    unmapped = str(content.get("unmapped", "report"))
    model = MODELS.get(document)
    if model is None:
        raise MappingInvalid(f"{name}: there is no document {document!r}")
    if unmapped not in _UNMAPPED:
        faults.append(f"unmapped: {unmapped!r} is none of {', '.join(_UNMAPPED)}")
    reshape = _reshape(content, faults)
    shape = fields.shape(model if reshape is None else reshape.model)
    parsed = _rows(content.get("rows"), faults)
    try:
        wire = _wire(format_, shape, parsed)
    except (MappingInvalid, SchemaInvalid) as error:
        raise MappingInvalid(f"{name}: {'; '.join([*faults, str(error)])}") from error
    faults.extend(wire.faults)
    defaults = _defaults(parsed or (), shape, faults)
    mapped = frozenset(row.field for row in parsed or () if row.kind not in CONTROLS) | frozenset(wire.linked)
    if parsed is not None:
        missing = fields.required_without_row(shape, mapped)
        faults.extend(f"{path}: is required and no row reads it" for path in missing)
    elsewhere = frozenset[str]() if reshape is None else reshape.elsewhere
    if faults:
        raise MappingInvalid(f"{name}: {'; '.join(faults)}", faults=tuple(faults))
    return Mapping(
        document=document,
        format=format_,
        digest=hashlib.sha256(body).hexdigest(),
        unmapped=unmapped,
        rows=parsed or (),
        model=model,
        wire=wire,
        defaults=defaults,
        carried=frozenset(row.field for row in parsed or () if row.place),
        dropped={} if parsed is None else fields.unmapped_tree(shape, mapped, "", elsewhere),
        reshape=reshape,
    )


def _reshape(content: MappingType[str, Any], faults: list[str]) -> Reshape | None:
    """The pair of functions that the table names for what its rows cannot say."""
    if "reshape" not in content:
        return None
    found = RESHAPES.get(str(content["reshape"]))
    if found is None:
        faults.append(f"reshape: there is no {content['reshape']!r}")
    return found


def _toml(body: bytes, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(body.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise MappingInvalid(f"{name}: {error}") from error


def _rows(raw: Any, faults: list[str]) -> list[Row] | None:
    """The rows, or None for the document's own JSON."""
    if raw == "document":
        return None
    if not isinstance(raw, list):
        raise MappingInvalid('rows: is neither a list nor "document"')
    parsed: list[Row] = []
    for entry in raw:
        try:
            parsed.append(rows.parse(entry))
        except MappingInvalid as error:
            faults.append(str(error))
    return parsed


def _wire(format_: str, shape: fields.Shape, parsed: list[Row] | None) -> Wire:
    """The wire adaptor for a format, with the rows that concern the wire."""
    syntax = format_.partition(":")[0]
    if parsed is None:
        if syntax != Syntax.JSON:
            raise MappingInvalid(f'rows = "document" is for JSON, not for {format_}')
        return DocumentJson()
    on_wire = [row for row in parsed if row.kind != "default"]
    if syntax == Syntax.XML:
        entry = xsd.entries().get(format_)
        if entry is None:
            raise MappingInvalid(f"there is no schema for {format_!r}")
        return XmlWire(outline(data.schemas() / "xml" / entry.schema, entry.root), shape, on_wire)
    table = tables.find(message_type(format_)) if syntax in (Syntax.EDIFACT, Syntax.X12) else None
    if table is None:
        raise MappingInvalid(f"there is no schema for {format_!r}")
    return EdiWire(table, shape, on_wire)


def message_type(format_: str) -> MessageType:
    """What an EDI format's name says: `edifact:CUSDEC:D:96B:UN`, `x12:309:004010`."""
    syntax, *parts = format_.split(":")
    name, version, release, agency, association, *_ = [*parts, "", "", "", "", ""]
    return MessageType(Syntax(syntax), name, version, release, agency, association)


def _defaults(parsed: Sequence[Row], shape: fields.Shape, faults: list[str]) -> dict[tuple[str, ...], str]:
    found: dict[tuple[str, ...], str] = {}
    for row in parsed:
        if row.kind != "default":
            continue
        if row.place or not row.argument or "[]" in row.field:
            faults.append(f"row {row.field!r}: default takes a field outside lists, no place, and a value")
            continue
        try:
            found[fields.resolve(shape, row.field).names] = row.argument
        except MappingInvalid as error:
            faults.append(str(error))
    return found
