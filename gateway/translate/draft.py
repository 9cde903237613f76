"""Drafts a mapping table for a document in a format: rows that can be known, and the rest for a person to decide.

What is known comes from the schema (places, what repeats, what is mandatory), from the document (fields, what is
required, types), and from the tables there are: a field that stands in a segment of one message most likely stands in
the same segment of another. Of XML, elements that are named like a field are its place. A row that does not hold by the
schema is left out, so that what the draft has is right as far as a schema can tell; whether it means the same, it cannot.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from functools import partial

from gateway.catalogue import Catalogue
from gateway.check import codes, tables, xsd
from gateway.check.nodes import ElementUse, Table
from gateway.documents import MODELS
from gateway.errors import MappingInvalid
from gateway.model import Syntax
from gateway.translate import fields, place, table, types
from gateway.translate.edi import ENVELOPE_TAGS
from gateway.translate.edi_wire import EdiWire
from gateway.translate.fault import Fault
from gateway.translate.fields import Shape
from gateway.translate.rows import Row
from gateway.translate.xml_outline import Outline, outline

_ALIKE = 0.85
"""From where on two names are taken for one, as difflib compares them."""
_DOT = re.compile(r"\.(?![^\[]*\])")
"""Between the steps of a place; not within a test."""
_SECTIONS = ((1, "D"), (2, "S"))
"""0081 of the first UNS of a message, before its details, and of the second, before its summary (ISO 9735)."""
_WIDEST = 48
"""Characters up to which a column of the draft is filled up."""


def draft(catalogue: Catalogue, document: str, format_: str) -> str:
    """The draft as TOML; MappingInvalid where there is no such document, or no schema for the format."""
    if document not in MODELS:
        raise MappingInvalid(f"there is no document {document!r}")
    if format_.startswith(f"{Syntax.JSON}:"):
        return f'document = "{document}"\nformat   = "{format_}"\nrows     = "document"\n'
    if format_.startswith(f"{Syntax.XML}:"):
        if format_ not in xsd.entries(catalogue):
            raise MappingInvalid(f"there is no schema for {format_!r}")
        root = outline(catalogue, format_)
        rows = list(_named(fields.shape(MODELS[document]), root, document, "", ""))
        unused = [f"  #   {path}" for path in _leaves(root, "") if path not in {row.place for row in rows}]
        return _written(document, format_, rows, [], unused)
    wire = tables.find(catalogue, table.message_type(format_)) if format_.startswith(("edifact:", "x12:")) else None
    if wire is None:
        raise MappingInvalid(f"there is no schema for {format_!r}")
    rows, wanted = _placed(catalogue, document, wire)
    return _written(document, format_, rows, wanted, list(_unused(wire, rows)))


def _placed(catalogue: Catalogue, document: str, wire: Table) -> tuple[list[Row], list[str]]:
    """The rows of other tables that hold in this one, and what it still wants."""
    shape = fields.shape(MODELS[document])
    known = list(_known_rows(catalogue, document, wire))
    # Lists come first, since their items' places are below them; then what stands at the document's top.
    known.sort(key=lambda one: (one[0].kind != "each", one[0].field.count("[]")))
    rows: list[Row] = []
    seen: set[tuple[str, str]] = set()
    for row, theirs in known:
        if row.identity in seen:
            continue
        for at in _places(row, theirs, wire):
            tried = Row(row.field, at, row.converter)
            if not any(other.place == at for other in rows) and not _faults(catalogue, wire, shape, [*rows, tried]):
                rows.append(tried)
                seen.add(row.identity)
                break
    constants = list(_constants(wire, rows))
    if not _faults(catalogue, wire, shape, [*rows, *constants]):
        rows += constants
    return rows, [fault for fault in _compiled(catalogue, wire, shape, rows) if "must hold" in fault]


def _known_rows(catalogue: Catalogue, document: str, wire: Table) -> Iterator[tuple[Row, Table]]:
    """Rows of tables of the same syntax for fields that the document has, those of the document's own tables first."""
    paths = frozenset(_paths(fields.shape(MODELS[document])))
    pairs = sorted(table.available(catalogue), key=lambda pair: (pair[0] != document, pair))
    for of, format_ in pairs:
        if not format_.startswith(f"{wire.syntax}:") or format_ in wire.formats:
            continue
        mapping = table.load(catalogue, of, format_)
        theirs = tables.find(catalogue, table.message_type(format_))
        assert theirs is not None, "a mapping that loads has a table"
        if mapping.reshape is None:
            yield from ((row, theirs) for row in mapping.rows if row.field in paths and row.place)


def _paths(at: Shape, prefix: str = "") -> Iterator[str]:
    for name, below in at.fields.items():
        path = f"{prefix}{name}{'[]' if below.many else ''}"
        yield path
        yield from _paths(below, f"{path}.")


def _places(row: Row, theirs: Table, wire: Table) -> Iterator[str]:
    """Where a row of another table may stand in this one: in the same segment, or group by its first segment."""
    parsed = place.parse(row.place)
    path, slash, inner = row.place.partition("/")
    written = _DOT.split(path)
    last = written[-1]
    tag = parsed.steps[-1].name
    # What a group must hold is told by its first segment, whatever the group is called.
    tests = {_trigger(theirs, step.name): text for step, text in zip(parsed.steps, written, strict=True)}
    if row.kind == "each" and _trigger(theirs, tag):
        tag = _trigger(theirs, tag)
        for group in wire.groups[1:]:
            if wire.nodes[group.trigger].tag == tag:
                yield ".".join(_steps(wire, wire.groups.index(group), tests))
        return
    for node in wire.nodes:
        if node.tag == tag and tag not in ENVELOPE_TAGS:
            steps = _steps(wire, node.group, tests)
            yield ".".join([*steps, last]) + slash + inner


def _trigger(of: Table, name: str) -> str:
    """The tag that opens the group of that name; empty where there is none."""
    return next((of.nodes[group.trigger].tag for group in of.groups[1:] if group.name == name), "")


def _steps(wire: Table, group: int, tests: dict[str, str]) -> list[str]:
    """The groups around a segment, outermost first, with the tests that groups of their first segments have."""
    steps: list[str] = []
    while group:
        at = wire.groups[group]
        written = tests.get(wire.nodes[at.trigger].tag, "")
        brackets = "".join(re.findall(r"\[[^\]]*=[^\]]*\]", written))
        steps.insert(0, at.name + brackets)
        group = at.parent
    return steps


def _compiled(catalogue: Catalogue, wire: Table, shape: Shape, rows: Sequence[Row]) -> list[Fault]:
    return EdiWire(wire, shape, rows, partial(codes.find, catalogue)).faults


def _faults(catalogue: Catalogue, wire: Table, shape: Shape, rows: Sequence[Row]) -> list[Fault]:
    """What is wrong with the rows themselves, and not with what they leave out."""
    return [fault for fault in _compiled(catalogue, wire, shape, rows) if "must hold" not in fault]


def _constants(wire: Table, rows: Sequence[Row]) -> Iterator[Row]:
    """Rows for mandatory segments of the message itself that can only hold one thing."""
    written = {place.parse(row.place).steps[-1].name for row in rows}
    sections = iter(_SECTIONS)
    for node in wire.nodes:
        if node.group or not node.minimum or node.tag in ENVELOPE_TAGS or node.tag in written:
            continue
        if node.tag == "UNS":
            number, value = next(sections)
            yield Row("", f"UNS#{number}/0081", f"constant:{value}")
            continue
        for use in node.elements:
            if use.mandatory and use.codes and not use.components and len(use.codes) == 1:
                yield Row("", f"{node.tag}/{use.number}", f"constant:{next(iter(use.codes))}")


def _unused(wire: Table, rows: Sequence[Row]) -> Iterator[str]:
    """The elements of segments that no row mentions, as places, with what the directory says of each."""
    used = {re.sub(r"\[[^\]]*\]|#\d+", "", row.place) for row in rows}
    tested = {test.numbers[-1] for row in rows for step in place.parse(row.place).steps for test in step.tests}
    told: set[str] = set()
    for node in wire.nodes:
        if node.tag in ENVELOPE_TAGS:
            continue
        segment = ".".join([*_steps(wire, node.group, {}), node.tag])
        for use in node.elements:
            for number, part in _named_uses(use):
                at = f"{segment}/{number}"
                if at not in used and at not in told and part.number not in tested:
                    told.add(at)
                    status = "M" if part.mandatory and use.mandatory is not False else "C"
                    length = "" if part.max_length is None else f" {part.kind}..{part.max_length}"
                    yield f"  #   {at}  {status}{length}"


def _named_uses(use: ElementUse) -> Iterator[tuple[str, ElementUse]]:
    if use.components:
        yield from ((f"{use.number}.{part.number}", part) for part in use.components)
    else:
        yield use.number, use


def _named(shape: Shape, at: Outline, document: str, prefix: str, path: str) -> Iterator[Row]:
    """Rows for fields that elements below `at` are named like."""
    model = MODELS[document]
    for name, below in shape.fields.items():
        child = _alike(name, at)
        if child is None:
            continue
        field = f"{prefix}{name}{'[]' if below.many else ''}"
        here = f"{path}{child.name}"
        if below.fields and child.children:
            if below.many and child.maximum != 1:
                yield Row(field, here, "each")
            if below.many == (child.maximum != 1):
                yield from _named(below, child, document, f"{field}.", f"{here}/")
        elif below.fields:
            yield from _beside(below, child, document, f"{field}.", here)
        elif not child.children and below.many == (child.maximum != 1):
            yield Row(field, here, _xml_converter(model, field))


def _beside(shape: Shape, at: Outline, document: str, prefix: str, path: str) -> Iterator[Row]:
    """A value with its unit or currency: the text of an element, and an attribute beside it."""
    for name in shape.fields:
        if name in at.attributes:
            yield Row(f"{prefix}{name}", f"{path}/@{name}", "text")
        elif name == "value":
            yield Row(f"{prefix}{name}", path, _xml_converter(MODELS[document], f"{prefix}{name}"))


def _xml_converter(model: type, field: str) -> str:
    likely = types.likely_converter(model, field)
    if likely in ("date", "datetime"):
        return f"{likely}:iso"
    return "flag:true,false" if likely.startswith("flag") else "text" if likely.startswith("map") else likely


def _alike(name: str, at: Outline) -> Outline | None:
    plain = name.replace("_", "").lower()
    by_name = {child.replace("_", "").lower(): of for child, of in at.children.items()}
    singular = plain.removesuffix("s")
    found = [one for one in (plain, singular) if one in by_name]
    found = found or difflib.get_close_matches(plain, by_name, n=1, cutoff=_ALIKE)
    return by_name[found[0]] if found else None


def _leaves(at: Outline, path: str) -> Iterator[str]:
    for name, child in at.children.items():
        here = f"{path}{name}"
        if child.children:
            yield from _leaves(child, f"{here}/")
        else:
            yield here


def _written(document: str, format_: str, rows: Sequence[Row], wanted: Sequence[str], unused: Sequence[str]) -> str:
    """The draft as TOML: rows in the document's order, fields without a place, what the message wants, places unused."""
    shape = fields.shape(MODELS[document])
    order = {path: at for at, path in enumerate(_paths(shape))}
    rows = sorted(rows, key=lambda row: order.get(row.field, -1))
    mapped = frozenset(row.field for row in rows)
    required = set(fields.required_without_row(shape, mapped))
    without = [path for path in fields.leaves(shape) if path not in mapped]
    parts = [
        f"# {document} as {format_}: a draft. Each row holds by the schema; whether it means the same is yours to see.",
        f'document = "{document}"',
        f'format   = "{format_}"',
        'unmapped = "report"',
        "",
        "rows = [",
        *(f"  {_row(row)}," for row in rows),
    ]
    if without:
        parts += ["", "  # Fields without a place; those marked ! the document requires:"]
        parts += [
            f"  # {'!' if _is_required(path, required) else ' '} {_row(_without_place(document, path))},"
            for path in without
        ]
    if wanted:
        parts += ["", "  # What every message of this format must hold, and no row writes yet:"]
        parts += [f"  #   {fault}" for fault in wanted]
    if unused:
        parts += ["", "  # Places that no row mentions:", *unused]
    return "\n".join([*parts, "]", ""])


def _is_required(path: str, required: set[str]) -> bool:
    return any(path == one or path.startswith(f"{one}.") for one in required)


def _without_place(document: str, path: str) -> Row:
    return Row(path, "PLACE", types.likely_converter(MODELS[document], path))


def _row(row: Row) -> str:
    field, at = f'"{row.field}",', f'"{row.place}",'
    return f'[{field.ljust(min(len(field) + 1, _WIDEST)):<28} {at:<{_WIDEST}} "{row.converter}"]'
