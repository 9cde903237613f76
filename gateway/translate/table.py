"""Loads mapping tables: mappings/<document>/<any name>.toml, each one document in one wire format.

    document = "declaration"
    format   = "edifact:CUSDEC:D:96B:UN"
    unmapped = "report"                  # keep | report | ignore
    rows = [
      ["number",            "BGM/1004",                          "text"],
      ["declared_at",       "DTM[2005=137]/C507.2380",           "datetime:203"],
      ["goods[]",           "SG30",                              "each"],
      ["goods[].hs_code",   "SG30.CST/C246[1].7361",             "text"],
      { include = "edifact_party", field = "consignor", at = "SG6[3035=CZ]" },
      ["",                  "UNS#1/0081",                        "constant:D"],
      ["goods[]",           "CNT[6069=5]/C270.6066",             "count"],
      ["function",          "",                                  "default:9"],
    ]

`rows = "document"` is the document's own JSON. A row without a field writes what only the wire has
(`constant:`, `position`); one without a place gives what the format implies (`default:`). Lists need an
`each` row, which may take `starts=ELEMENT` (an occurrence without that element continues the one
before) or `link=INNER/OUTER` (the document holds the list at its top, the wire within another one).
What rows cannot say is a pair of functions that `reshape = "..."` names (translate/reshape.py).
Rows used again are included, and a partner's variation extends a table (translate/source.py); where several
documents travel in one format, each table's `when` says which messages are its own (translate/when.py).
Loading judges everything at once: every field must exist in the document, every place in the schema,
every required field must have a row, and every mandatory segment one that writes it.

A table's name is its path below mappings/ without the suffix: `declaration/edifact_cusdec_d96b`.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from gateway.catalogue import MAPPINGS, Catalogue, compiled
from gateway.check import codes, tables, xsd
from gateway.documents import MODELS
from gateway.errors import MappingInvalid, SchemaInvalid
from gateway.model import Finding, Syntax
from gateway.parse.segments import MessageType, SegmentMessage
from gateway.translate import fields, source, when
from gateway.translate.convert import CONTROLS
from gateway.translate.edi_wire import EdiWire
from gateway.translate.engine import Mapping, Wire
from gateway.translate.fault import Fault, Missing
from gateway.translate.json_wire import DocumentJson
from gateway.translate.reshape import RESHAPES
from gateway.translate.rows import Row
from gateway.translate.xml_outline import outline
from gateway.translate.xml_wire import XmlWire

_ENDING = ".toml"
_UNMAPPED = ("keep", "report", "ignore")


def load(catalogue: Catalogue, document: str, format_: str, variation: str = "") -> Mapping:
    """The mapping of `document` in `format_`, or a variation of it; MappingInvalid where there is none or it is wrong."""
    found = find(catalogue, document, format_, variation)
    if found is None:
        raise MappingInvalid(_missing(document, format_, variation))
    return found


def find(catalogue: Catalogue, document: str, format_: str, variation: str = "") -> Mapping | None:
    """The mapping of `document` in `format_`, or the variation of it that has this name; None where there is none."""
    name = _known(catalogue).find(document, format_, variation)
    return None if name is None else load_file(catalogue, f"{MAPPINGS}/{name}{_ENDING}")


def available(catalogue: Catalogue) -> tuple[tuple[str, str], ...]:
    """(document, format) of every mapping."""
    return tuple(_known(catalogue).names)


def variations(catalogue: Catalogue) -> tuple[Variation, ...]:
    """Every variation of a mapping."""
    return tuple(_known(catalogue).variations.values())


def documents_of(catalogue: Catalogue, format_: str) -> tuple[str, ...]:
    """The documents that messages of `format_` may hold."""
    return tuple(document for document, _ in _known(catalogue).by_format.get(format_, ()))


def choose(catalogue: Catalogue, format_: str, message: SegmentMessage | None = None) -> str | Finding | None:
    """The document that a message holds; None where nothing maps its format.

    A finding where its format has mappings, but what `when` asks of their messages does not stand in it.
    """
    takes = _known(catalogue).by_format.get(format_, ())
    if not takes:
        return None
    if message is None or (len(takes) == 1 and not takes[0][1]):
        return takes[0][0]
    return _chooser(catalogue, format_).choose(message)


def name_of(catalogue: Catalogue, document: str, format_: str) -> str:
    """The name of a mapping's table; MappingInvalid where there is none."""
    name = _known(catalogue).find(document, format_)
    if name is None:
        raise MappingInvalid(_missing(document, format_, ""))
    return name


def file_of(catalogue: Catalogue, document: str, format_: str) -> str:
    """The name in the catalogue of a mapping's file; MappingInvalid where there is none."""
    return f"{MAPPINGS}/{name_of(catalogue, document, format_)}{_ENDING}"


def _missing(document: str, format_: str, variation: str) -> str:
    return f"there is no mapping of {document} as {format_}{variation and f' by the name {variation}'}"


@dataclass(frozen=True, slots=True)
class Variation:
    """A partner's variation of a table, by the name that agreements choose it by."""

    name: str
    extends: str
    document: str
    format: str


@dataclass(frozen=True, slots=True)
class _Known:
    """The tables of a catalogue by what they map; of each only its header has been read."""

    names: MappingType[tuple[str, str], str]
    by_format: MappingType[str, Sequence[tuple[str, when.When]]]
    """(document, conditions) of a format's tables."""
    variations: MappingType[str, Variation]

    def find(self, document: str, format_: str, variation: str = "") -> str | None:
        """The name of a table; None where there is none."""
        if not variation:
            return self.names.get((document, format_))
        found = self.variations.get(variation)
        return variation if found is not None and (found.document, found.format) == (document, format_) else None


@compiled
def _known(catalogue: Catalogue) -> _Known:
    """The headers of all tables; MappingInvalid where two take the same. Rows are read when a mapping is asked for."""
    names: dict[tuple[str, str], str] = {}
    by_format: dict[str, list[tuple[str, when.When]]] = {}
    extending: dict[str, str] = {}
    for file in files(catalogue):
        name = table_name(file)
        content = source.toml(catalogue.read(file), name)
        if "extends" in content:
            extending[name] = str(content["extends"])
            continue
        key = document, format_ = str(content.get("document", "")), str(content.get("format", ""))
        if key in names:
            raise MappingInvalid(f"{name} and {names[key]} map the same: {' as '.join(key)}")
        try:
            conditions = when.parse(content.get("when"))
        except MappingInvalid as error:
            raise MappingInvalid(f"{name}: {error}") from error
        for other, theirs in by_format.setdefault(format_, []):
            if when.overlap(conditions, theirs):
                raise MappingInvalid(
                    f"{name} and {names[other, format_]} may take the same {format_}: what `when` asks for overlaps"
                )
        names[key] = name
        by_format[format_].append((document, conditions))
    keys = {name: key for key, name in names.items()}
    # A variation of what is no table is told where it is loaded, and chosen by nobody.
    known = {name: Variation(name, of, *keys[of]) for name, of in extending.items() if of in keys}
    return _Known(names, by_format, known)


def files(catalogue: Catalogue) -> tuple[str, ...]:
    """The files of all tables and variations, by their names in the catalogue; parts are none."""
    return tuple(
        name
        for name in catalogue.names(MAPPINGS, _ENDING)
        if name.count("/") == 2 and not name.startswith(f"{MAPPINGS}/{source.PARTS}/")
    )


def table_name(file: str) -> str:
    """What a table is called, by the name of its file in the catalogue."""
    return file.removeprefix(f"{MAPPINGS}/").removesuffix(_ENDING)


@compiled
def _chooser(catalogue: Catalogue, format_: str) -> when.Chooser:
    table = tables.find(catalogue, message_type(format_))
    if table is None:
        raise MappingInvalid(f"there is no schema for {format_!r}")
    return when.Chooser.of(format_, _known(catalogue).by_format[format_], table)


@compiled
def load_file(catalogue: Catalogue, file: str) -> Mapping:
    """The mapping, or the variation, that a file of the catalogue writes; MappingInvalid lists its faults."""
    return parse(catalogue, catalogue.read(file), table_name(file))


def parse(catalogue: Catalogue, body: bytes, name: str) -> Mapping:
    """The mapping that the TOML in `body` writes; MappingInvalid lists every fault of file `name`."""
    read = source.read(catalogue, body, name)
    faults = list(read.faults)
    model = MODELS.get(read.document)
    if not read.document:
        told = "names no document; a part is judged in the tables that include it"
        raise MappingInvalid(f"{name}: {told}", faults=(*faults, Fault(told, key="document")))
    if model is None:
        told = f"there is no document {read.document!r}"
        fault = Fault(told, key="document", missing=Missing("document", read.document))
        raise MappingInvalid(f"{name}: {told}", faults=(*faults, fault))
    if read.unmapped not in _UNMAPPED:
        faults.append(Fault(f"unmapped: {read.unmapped!r} is none of {', '.join(_UNMAPPED)}", key="unmapped"))
    reshape = RESHAPES.get(read.reshape)
    if read.reshape and reshape is None:
        faults.append(Fault(f"reshape: there is no {read.reshape!r}", key="reshape"))
    shape = fields.shape(model if reshape is None else reshape.model)
    try:
        wire = _wire(catalogue, read.format, shape, read.rows)
    except (MappingInvalid, SchemaInvalid) as error:
        fault = Fault.of(error, key="format") if isinstance(error, MappingInvalid) else Fault(str(error), key="format")
        raise MappingInvalid(f"{name}: {'; '.join([*faults, fault])}", faults=(*faults, fault)) from error
    faults.extend(wire.faults)
    faults.extend(Fault(told, key="when") for told in _when_faults(catalogue, read))
    parsed = read.rows or ()
    defaults = _defaults(parsed, shape, faults)
    mapped = frozenset(row.field for row in parsed if row.kind not in CONTROLS) | frozenset(wire.linked)
    if read.rows is not None:
        missing = fields.required_without_row(shape, mapped)
        faults.extend(
            Fault(f"{path}: is required and no row reads it", key="rows", missing=Missing("row", path))
            for path in missing
        )
    elsewhere = frozenset[str]() if reshape is None else reshape.elsewhere
    if faults:
        raise MappingInvalid(f"{name}: {'; '.join(faults)}", faults=tuple(faults))
    return Mapping(
        document=read.document,
        format=read.format,
        digest=read.digest,
        unmapped=read.unmapped,
        rows=parsed,
        model=model,
        wire=wire,
        defaults=defaults,
        carried=frozenset(row.field for row in parsed if row.place),
        dropped={} if read.rows is None else fields.unmapped_tree(shape, mapped, "", elsewhere),
        reshape=reshape,
    )


def _when_faults(catalogue: Catalogue, read: source.Source) -> list[str]:
    """What is wrong with a table's conditions."""
    try:
        conditions = when.parse(read.when)
    except MappingInvalid as error:
        return [str(error)]
    if not conditions:
        return []
    table = tables.find(catalogue, message_type(read.format)) if _is_edi(read.format) else None
    if table is None:
        return ["when: is for EDIFACT and X12; other messages say themselves what they are"]
    return when.faults(conditions, table, read.rows or ())


def _is_edi(format_: str) -> bool:
    return format_.partition(":")[0] in (Syntax.EDIFACT, Syntax.X12)


def _wire(catalogue: Catalogue, format_: str, shape: fields.Shape, parsed: Sequence[Row] | None) -> Wire:
    """The wire adaptor for a format, with the rows that concern the wire."""
    syntax = format_.partition(":")[0]
    if parsed is None:
        if syntax != Syntax.JSON:
            raise MappingInvalid(f'rows = "document" is for JSON, not for {format_}', key="rows")
        return DocumentJson()
    lists = partial(codes.find, catalogue)
    on_wire = [row for row in parsed if row.kind != "default"]
    if syntax == Syntax.XML:
        if format_ not in xsd.entries(catalogue):
            raise MappingInvalid(f"there is no schema for {format_!r}", missing=Missing("schema", format_))
        return XmlWire(outline(catalogue, format_), shape, on_wire, lists)
    table = tables.find(catalogue, message_type(format_)) if _is_edi(format_) else None
    if table is None:
        raise MappingInvalid(f"there is no schema for {format_!r}", missing=Missing("schema", format_))
    return EdiWire(table, shape, on_wire, lists)


def message_type(format_: str) -> MessageType:
    """What an EDI format's name says: `edifact:CUSDEC:D:96B:UN`, `x12:309:004010`."""
    syntax, *parts = format_.split(":")
    name, version, release, agency, association, *_ = [*parts, "", "", "", "", ""]
    return MessageType(Syntax(syntax), name, version, release, agency, association)


def _defaults(parsed: Sequence[Row], shape: fields.Shape, faults: list[Fault]) -> dict[tuple[str, ...], str]:
    found: dict[tuple[str, ...], str] = {}
    for row in parsed:
        if row.kind != "default":
            continue
        if row.place or not row.argument or "[]" in row.field:
            wrong = MappingInvalid(f"row {row.field!r}: default takes a field outside lists, no place, and a value")
            faults.append(row.fault(wrong))
            continue
        try:
            found[fields.resolve(shape, row.field).names] = row.argument
        except MappingInvalid as error:
            faults.append(row.fault(error))
    return found
