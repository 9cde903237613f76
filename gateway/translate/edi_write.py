"""Writes canonical values as EDI segments, in the order the schema gives them.

What nothing in the document asks for is not written: a group or segment appears where one of its values
does, or where the schema makes it mandatory and the table holds all of it. Nothing required is invented.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.check.nodes import Table
from gateway.findings import make_finding
from gateway.model import Finding, Place, Syntax
from gateway.parse.segments import Delimiters
from gateway.translate import controls
from gateway.translate.context import Context
from gateway.translate.convert import Converter, ManyConverter, Unconvertible, plain_number
from gateway.translate.edi import ENVELOPE_TAGS, Cell, GroupUse, Link, SegmentUse, Slot

Values = Mapping[str, Any]


@dataclass(slots=True, eq=False)
class _Segment:
    """A compiled SegmentUse: the segment with its tests and constants in, and what else goes where."""

    use: SegmentUse
    tag: str
    template: list[list[str]]
    cells: tuple[_Cell, ...]
    following: tuple[tuple[Slot, str, tuple[Slot, ...]], ...]
    """Constants that go with values only: (slot, constant, any of the slots that must be filled)."""
    required: tuple[_Required, ...]
    constant: bool
    """Whether it is written without any value: it opens its group, or is mandatory and its constants make it whole."""


@dataclass(slots=True, eq=False)
class _Cell:
    """A compiled Cell."""

    cell: Cell
    find: Callable[[Values], Any]
    write: Callable[[Any, Context], str] | None
    slot: Slot


@dataclass(slots=True, eq=False)
class _Required:
    """A mandatory slot that a value must fill: always, or where its composite holds anything."""

    slot: Slot
    field: str
    always: bool


@dataclass(slots=True, eq=False)
class _Group:
    """A compiled GroupUse: its segments and groups in the schema's order, the trigger first."""

    name: str
    list_path: tuple[str, ...]
    link: Link | None
    maximum: int
    members: tuple[_Member, ...]
    stands: bool
    """Whether it is written without any value: the message must have it, and a row of its own fills what opens it."""


@dataclass(slots=True, eq=False)
class _Member:
    """What stands at one place of a group: the uses of one node, or of one inner group."""

    name: str
    segments: tuple[_Segment, ...]
    groups: tuple[_Group, ...]
    required: bool
    maximum: int


@dataclass(slots=True, eq=False)
class _Run:
    """One writing under way."""

    context: Context
    delimiters: Delimiters
    root: Values
    clean: Callable[[str, str], str]
    findings: list[Finding] = field(default_factory=list)
    body: list[str] = field(default_factory=list)
    placed: dict[tuple[str, ...], set[int]] = field(default_factory=dict)
    """Which items of linked lists have found the occurrence they belong to."""

    def find(self, code: str, path: str, value: Any = "", **words: str) -> None:
        """Report something about the value at canonical `path`."""
        self.findings.append(make_finding(code, Place(path=path), str(value), **words))


class EdiWriter:
    """The writing half of an EDI mapping."""

    def __init__(self, table: Table, root: GroupUse) -> None:
        self._syntax = table.syntax
        self._root = _compile_group(table, root)
        self._linked = tuple(_linked(root))

    def write(self, values: Values, context: Context) -> tuple[list[str], list[Finding]]:
        """The raw segments for `values`, without the message's frame, and what could not be written."""
        delimiters = context.separators(self._syntax)
        run = _Run(context, delimiters, values, _plain)
        run.clean = _cleaner(self._syntax, delimiters, run)
        _write_members(self._root, values, "", 1, run)
        for path in self._linked:
            for index in range(len(_find(values, path) or ())):
                if index not in run.placed.get(path, ()):
                    run.find("translate.unplaced", f"{'.'.join(path)}[{index}]")
        return run.body, run.findings


def _plain(text: str, _path: str) -> str:
    return text


_CONTROLS = "".join(chr(code) for code in (*range(32), *range(127, 160)))
"""No repertoire has them (ISO 9735-1, annex A; X12.6)."""


def _cleaner(syntax: Syntax, delimiters: Delimiters, run: _Run) -> Callable[[str, str], str]:
    """Makes a text fit to stand between `delimiters`: released where there is a release character, else replaced.

    Blanks stand for what cannot be carried: controls, and separators in X12, which knows no release.
    """
    marks = {delimiters.terminator, delimiters.element, delimiters.component, delimiters.repetition} - {"", " "}
    release = delimiters.release if syntax is Syntax.EDIFACT else ""
    table = dict.fromkeys(_CONTROLS, " ")
    table |= {mark: release + mark if release else " " for mark in (*marks, *release)}
    translation = str.maketrans(table)
    search = re.compile("[" + re.escape("".join(table)) + "]").search
    lost = re.compile("[" + re.escape(_CONTROLS + ("" if release else "".join(marks))) + "]").search

    def clean(text: str, path: str) -> str:
        if search(text) is None:
            return text
        if (match := lost(text)) is not None:
            run.find("translate.delimiter", path, text, delimiter=repr(match[0]))
        return text.translate(translation)

    return clean


def _write_members(group: _Group, values: Values, prefix: str, position: int, run: _Run) -> bool:
    """Write one occurrence of `group`; False, and nothing written, where no value of it is there."""
    start = len(run.body)
    found = len(run.findings)
    filled = False
    for member in group.members:
        before = len(run.body)
        for segment in member.segments:
            filled |= _write_segment(segment, values, prefix, position, member, run)
        for inner in member.groups:
            filled |= _write_group(inner, values, prefix, run)
        if member.required and len(run.body) == before:
            run.find("translate.required", prefix.rstrip("."), "", target=member.name)
    if not filled and group.name and not group.stands:
        # Only its absence is silent: values that were lost in it stay told.
        del run.body[start:]
        run.findings[found:] = [f for f in run.findings[found:] if f.code != "translate.required"]
    return filled


def _write_group(group: _Group, values: Values, prefix: str, run: _Run) -> bool:
    if not group.list_path:
        return _write_members(group, values, prefix, 1, run)
    if group.link is not None:
        return _write_linked(group, group.link, values, run)
    items = _find(values, group.list_path) or ()
    path = prefix + ".".join(group.list_path)
    filled = False
    for index, item in enumerate(items[: group.maximum]):
        filled |= _write_members(group, item, f"{path}[{index}].", index + 1, run)
    if len(items) > group.maximum:
        run.find("translate.too_many", path, len(items), max=str(group.maximum))
    return filled


def _write_linked(group: _Group, link: Link, around: Values, run: _Run) -> bool:
    """Write the items of a list at the document's top that belong to the occurrence `around`."""
    path = ".".join(group.list_path)
    placed = run.placed.setdefault(group.list_path, set())
    filled = False
    for index, item in enumerate(_find(run.root, group.list_path) or ()):
        if index not in placed and item.get(link.inner, around.get(link.outer)) == around.get(link.outer):
            placed.add(index)
            filled |= _write_members(group, item, f"{path}[{index}].", len(placed), run)
    return filled


def _write_segment(segment: _Segment, values: Values, prefix: str, position: int, member: _Member, run: _Run) -> bool:
    """Write the occurrences of one segment; True where a value stands in one."""
    use = segment.use
    if use.list_path:
        items = _find(values, use.list_path) or ()
        path = prefix + ".".join(use.list_path)
        if len(items) > member.maximum:
            run.find("translate.too_many", path, len(items), max=str(member.maximum))
        filled = False
        for index, item in enumerate(items[: member.maximum]):
            filled |= _write_occurrence(segment, item, f"{path}[{index}].", index + 1, run)
        return filled
    if use.limit > 1:
        return _write_repeated(segment, values, prefix, position, run)
    return _write_occurrence(segment, values, prefix, position, run)


def _write_occurrence(segment: _Segment, values: Values, prefix: str, position: int, run: _Run) -> bool:
    elements = [components[:] for components in segment.template]
    filled = False
    for cell in segment.cells:
        value = cell.find(values) if cell.cell.kind == "value" else _figure(cell.cell, position, run)
        if value is None or value == ():
            continue
        path = prefix + cell.cell.field_within
        if cell.cell.kind == "position" and elements[cell.slot.element - 1][cell.slot.component]:
            continue
        if cell.write is None:
            parts = _parts(cell.cell, value, 1, path, run)
            for slot, part in zip(cell.cell.slots, parts, strict=False):
                elements[slot.element - 1][slot.component] = run.clean(part, path)
            filled = True
            continue
        text = _text(cell, value, path, run)
        if text:
            elements[cell.slot.element - 1][cell.slot.component] = run.clean(text, path)
            if (companion := cell.cell.companion) is not None and isinstance(cell.cell.converter, Converter):
                elements[companion.element - 1][companion.component] = cell.cell.converter.companion
            filled |= cell.cell.kind != "position"
    return _emit(segment, elements, filled, prefix, run)


def _write_repeated(segment: _Segment, values: Values, prefix: str, position: int, run: _Run) -> bool:
    """Write a segment whose values run over several occurrences."""
    limit = segment.use.limit
    rows = [[components[:] for components in segment.template]]
    filled = False
    for cell in segment.cells:
        value = cell.find(values) if cell.cell.kind == "value" else _figure(cell.cell, position, run)
        if value is None or value == ():
            continue
        path = prefix + cell.cell.field_within
        parts = _parts(cell.cell, value, limit, path, run)
        size = len(cell.cell.slots)
        for at, part in enumerate(parts):
            while len(rows) <= at // size:
                rows.append([components[:] for components in segment.template])
            slot = cell.cell.slots[at % size]
            rows[at // size][slot.element - 1][slot.component] = run.clean(part, path)
            filled = True
    for elements in rows:
        _emit(segment, elements, filled, prefix, run)
    return filled


def _emit(segment: _Segment, elements: list[list[str]], filled: bool, prefix: str, run: _Run) -> bool:
    """Append the segment if a value stands in it, or constants alone make it whole."""
    if not filled and not segment.constant:
        return False
    for slot, constant, companions in segment.following:
        if any(elements[other.element - 1][other.component] for other in companions):
            elements[slot.element - 1][slot.component] = constant
    for required in segment.required:
        components = elements[required.slot.element - 1]
        if not components[required.slot.component] and (required.always or any(components)):
            target = f"{segment.tag} {required.slot.use.number}"
            path = f"{prefix}{required.field}".rstrip(".")
            if required.always:
                run.find("translate.required", path, target=target)
            else:
                # An optional composite goes whole or not at all; what else it holds would mean nothing.
                run.find("translate.incomplete", path, ":".join(filter(None, components)), target=target)
                components[:] = [""] * len(components)
    if not segment.use.trigger and not any(
        elements[cell.slot.element - 1][cell.slot.component] for cell in segment.cells
    ):
        filled = False
        if not segment.constant:
            return False
    parts = [segment.tag]
    separator = run.delimiters.component
    for components in elements:
        while components and not components[-1]:
            components.pop()
        parts.append(separator.join(components))
    while not parts[-1]:
        parts.pop()
    run.body.append(run.delimiters.element.join(parts))
    return filled


def _figure(cell: Cell, position: int, run: _Run) -> Any:
    """What the engine itself writes: the position of the item, a count or a total."""
    if cell.kind == "position":
        return position
    return controls.figure(cell.kind, run.root, cell.path)


def _text(cell: _Cell, value: Any, path: str, run: _Run) -> str:
    """One slot's text; what its converter or its length refuses is reported and left out."""
    try:
        text = cell.write(value, run.context) if cell.write is not None else ""
    except Unconvertible as fault:
        run.find(fault.code, path, value, **fault.words)
        text = fault.kept or ""
    return _fitting(text, cell.slot, path, run)


def _fitting(text: str, slot: Slot, path: str, run: _Run) -> str:
    """`text` where the slot holds it; an identifier or a number is never cut, so else nothing."""
    if not slot.holds(text):
        run.find("translate.too_long", path, text, length=str(len(text)), max=str(slot.width))
        return ""
    return text


def _parts(cell: Cell, value: Any, repeats: int, path: str, run: _Run) -> list[str]:
    """The texts for a cell of several slots, in the order of the slots and of the segment's repeats."""
    converter = cell.converter
    slots = cell.slots * repeats
    widths = [slot.width for slot in slots]
    if isinstance(converter, ManyConverter):
        try:
            parts = converter.write(value, widths, run.context)
        except Unconvertible as fault:
            run.find(fault.code, path, value, **fault.words)
            parts = fault.kept or []
    elif isinstance(converter, Converter):
        items = value if cell.is_list else [value]
        if len(items) > len(widths):
            run.find("translate.too_many", path, len(items), max=str(len(widths)))
        single = _Cell(cell, _nothing, converter.write, slots[0])
        parts = [_text(single, item, f"{path}[{at}]", run) for at, item in enumerate(items[: len(widths)])]
        return [part for part in parts if part]
    else:
        parts = [_figure_text(value)] if cell.kind != "constant" else []
    return [_fitting(part, slot, path, run) for part, slot in zip(parts, slots, strict=False)]


def _nothing(_values: Values) -> Any:
    return None


def _figure_text(value: Any, _context: Context | None = None) -> str:
    return plain_number(value)


def _find(values: Values, path: tuple[str, ...]) -> Any:
    found: Any = values
    for name in path:
        if not found:
            return None
        found = found.get(name)
    return found


def _finder(path: tuple[str, ...]) -> Callable[[Values], Any]:
    """The closure that finds a cell's value in the values of its scope."""
    if len(path) == 1:
        (name,) = path
        return lambda values: values.get(name)
    if len(path) == 2:
        outer, inner = path

        def find(values: Values) -> Any:
            nested = values.get(outer)
            return nested.get(inner) if nested else None

        return find
    return lambda values: _find(values, path)


def _linked(use: GroupUse) -> Iterator[tuple[str, ...]]:
    """The paths of all linked lists."""
    for groups in use.groups.values():
        for group in groups:
            if group.link is not None:
                yield group.list_path
            yield from _linked(group)


def _compile_group(table: Table, use: GroupUse) -> _Group:
    places: dict[int, _Member] = {}
    for index, segments in use.segments.items():
        node = table.nodes[index]
        ordered = sorted(segments, key=lambda segment: segment.first)
        compiled = tuple(_compile_segment(table, segment, use, alone=len(ordered) == 1) for segment in ordered)
        places[index] = _Member(
            node.tag, compiled, (), node.minimum > 0 and node.tag not in ENVELOPE_TAGS, node.maximum
        )
    for index, inner in use.groups.items():
        group = table.groups[index]
        compiled_groups = tuple(_compile_group(table, candidate) for candidate in inner)
        places[group.trigger] = _Member(group.name, (), compiled_groups, group.minimum > 0, group.maximum)
    members = tuple(places[index] for index in sorted(places))
    schema = table.groups[use.group]
    stands = schema.minimum > 0 and any(
        cell.kind == "constant" and not _companions(cell, segment)
        for segments in use.segments.values()
        for segment in segments
        if segment.trigger
        for cell in segment.cells
    )
    return _Group(schema.name, use.list_path, use.link, schema.maximum, members, stands)


def _compile_segment(table: Table, use: SegmentUse, group: GroupUse, *, alone: bool) -> _Segment:
    """`alone`: no other use of the group stands at the same place, and could be what a mandatory segment asks for."""
    fixed: dict[tuple[int, int], str] = {}
    for test in (*use.tests, *(group.tests if use.trigger else ())):
        fixed[test.element, test.component] = test.values[0]
    cells: list[_Cell] = []
    following: list[tuple[Slot, str, tuple[Slot, ...]]] = []
    slots: set[tuple[int, int]] = set()
    # A position yields to the value that shares its slot.
    for cell in sorted(use.cells, key=lambda c: c.kind == "position"):
        slots.update((slot.element, slot.component) for slot in cell.slots)
        if cell.companion is not None:
            slots.add((cell.companion.element, cell.companion.component))
        if cell.kind != "constant":
            cells.append(_compile_cell(cell))
        elif companions := _companions(cell, use):
            following.append((cell.slots[0], cell.constant, companions))
        else:
            fixed[cell.slots[0].element, cell.slots[0].component] = cell.constant
    required = _required(table, use, cells, fixed)
    # What must stand in the segment has its slot, so that its absence can be told, though no row fills it.
    slots.update((need.slot.element, need.slot.component) for need in required)
    size = max((element for element, _ in {*fixed, *slots}), default=0)
    template = []
    for element in range(1, size + 1):
        width = max((component for at, component in {*fixed, *slots} if at == element), default=0)
        template.append([fixed.get((element, component), "") for component in range(width + 1)])
    node = table.nodes[use.node]
    whole = not any(need.always for need in required) and (bool(fixed) or not node.elements)
    constant = use.trigger or (node.minimum > 0 and whole and (alone or not cells))
    return _Segment(use, node.tag, template, tuple(cells), tuple(following), tuple(required), constant)


def _companions(constant: Cell, use: SegmentUse) -> tuple[Slot, ...]:
    """The slots a constant goes with: the one its row names, else the values of its composite."""
    if constant.companion is not None:
        return (constant.companion,)
    slot = constant.slots[0]
    cells = [cell for cell in use.cells if cell.kind != "constant"]
    return tuple(other for cell in cells for other in cell.slots if other.element == slot.element)


def _required(
    table: Table, use: SegmentUse, cells: Sequence[_Cell], fixed: Mapping[tuple[int, int], str]
) -> list[_Required]:
    """The mandatory slots of a segment that its template does not already fill."""
    names = {(slot.element, slot.component): cell.cell.field_within for cell in cells for slot in cell.cell.slots}
    found = []
    for element, outer in enumerate(table.nodes[use.node].elements, 1):
        for component, inner in enumerate(outer.components or (outer,)):
            if not inner.mandatory or (element, component) in fixed:
                continue
            known = any(at == element for at, _ in names)
            if outer.mandatory or known:
                name = names.get((element, component), "")
                found.append(_Required(Slot(element, component, inner), name, always=bool(outer.mandatory)))
    return found


def _compile_cell(cell: Cell) -> _Cell:
    slot = cell.slots[0]
    converter = cell.converter
    write: Callable[[Any, Context], str] | None = None
    if cell.kind != "value":
        write = _figure_text
    elif isinstance(converter, Converter) and not cell.is_list:
        write = converter.write
    return _Cell(cell, _finder(cell.path), write, slot)
