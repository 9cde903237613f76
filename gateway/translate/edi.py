"""Compiles the rows of an EDI mapping against the wire table into a tree of uses, which reader and writer share.

A `GroupUse` says what one segment group (or the message) means to the mapping, a `SegmentUse` what one
segment does, a `Cell` which value stands in which of its elements. Wherever several uses compete for
a group or segment, the one with the most tests goes first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.check.nodes import ElementUse, Table
from gateway.check.values import is_numeric
from gateway.errors import MappingInvalid
from gateway.translate import convert, fields, place
from gateway.translate.context import Context
from gateway.translate.fault import Fault, Missing
from gateway.translate.fields import FieldPath, Shape
from gateway.translate.place import EdiPlace, ElementStep, Test
from gateway.translate.rows import Row

ENVELOPE_TAGS = frozenset({"UNH", "UNT", "ST", "SE"})
"""Segments of the message's frame: the envelope writes them."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One place for a value within a segment: element from 1, component from 0, and what the table says of it."""

    element: int
    component: int
    use: ElementUse

    @property
    def width(self) -> int:
        """The longest value it takes; 0 where no source says."""
        return self.use.max_length or 0

    def holds(self, text: str) -> bool:
        """Whether `text` is short enough; of a number only the digits count (ISO 9735-1, 10.1; X12.6, 3.5.1)."""
        longest = self.use.max_length
        if longest is None or len(text) <= longest:
            return True
        return is_numeric(self.use.kind) and len(text.lstrip("-").replace(".", "").replace(",", "")) <= longest


@dataclass(frozen=True, slots=True)
class SlotTest:
    """A test, resolved: the slot must hold one of the values."""

    element: int
    component: int
    values: tuple[str, ...]

    def holds(self, elements: Sequence[Sequence[str]]) -> bool:
        """Whether the segment, split, passes."""
        if self.element >= len(elements) or self.component >= len(elements[self.element]):
            return False
        return elements[self.element][self.component] in self.values


@dataclass(slots=True, eq=False)
class Cell:
    """A value in its slots. `path` leads to it from the values of its scope; `kind` is `value`, or the row's own kind."""

    kind: str
    field: str
    path: tuple[str, ...]
    slots: tuple[Slot, ...]
    converter: convert.Converter | convert.ManyConverter | None = None
    constant: str = ""
    widths: tuple[int, ...] = ()
    companion: Slot | None = None
    """The slot of the format qualifier that travels beside the value; of a constant, the one it goes with."""
    is_list: bool = False
    """Whether each slot holds one item of a list."""
    shared: bool = False
    """Whether another row names the same field."""

    @property
    def field_within(self) -> str:
        """The path below its scope, as a value's own path ends."""
        return ".".join(self.path)

    @property
    def read_many(self) -> Callable[[Sequence[str], Sequence[int], Context], Any]:
        """How a value that is held in several slots is read."""
        if not isinstance(self.converter, convert.ManyConverter):
            raise TypeError(f"{self.field} is held in one slot")
        return self.converter.read


@dataclass(slots=True, eq=False)
class SegmentUse:
    """What one segment of a group means: its cells, and whether each occurrence is an item of a list."""

    node: int
    tag: str
    tests: tuple[SlotTest, ...] = ()
    trigger: bool = False
    """Whether it opens its group; then the group's tests are about it."""
    first: int = 1
    limit: int = 1
    list_path: tuple[str, ...] = ()
    scope: str = ""
    cells: list[Cell] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Link:
    """Ties a list that the document holds at its top to a repeating group that the wire nests it in.

    An item belongs to the occurrence around it whose `outer` value is the item's `inner` value.
    """

    inner: str
    outer: str


@dataclass(slots=True, eq=False)
class GroupUse:
    """What one group means: its segments and inner groups by their index in the table."""

    group: int
    tests: tuple[SlotTest, ...] = ()
    list_path: tuple[str, ...] = ()
    scope: str = ""
    """The canonical list that each occurrence is an item of (`goods[]`), or that of the enclosing use."""
    starts: Slot | None = None
    """An occurrence without a value here continues the one before."""
    link: Link | None = None
    segments: dict[int, list[SegmentUse]] = field(default_factory=dict)
    groups: dict[int, list[GroupUse]] = field(default_factory=dict)


class Compiler:
    """Builds the tree of uses from rows; `faults` collects everything that is wrong with them."""

    def __init__(self, table: Table, document: Shape, lists: convert.Lists) -> None:
        self.table = table
        self.document = document
        self.lists = lists
        self.root = GroupUse(0)
        self.faults: list[Fault] = []
        self.linked: list[str] = []
        """Fields that links carry, without a row of their own."""
        self._by_field: dict[str, Cell] = {}

    def compile(self, rows: Sequence[Row]) -> GroupUse:
        """The tree for `rows`. Scopes are laid first, so that rows may stand in any order."""
        scopes = [row for row in rows if row.kind == "each"]
        scopes.sort(key=lambda row: (row.field.count("[]"), row.place.count(".")))
        for row in [*scopes, *(row for row in rows if row.kind != "each")]:
            try:
                self._row(row)
            except MappingInvalid as error:
                self.faults.append(row.fault(error))
        _sort(self.root)
        self.faults.extend(self._never_written(self.root))
        return self.root

    def _row(self, row: Row) -> None:
        parsed = place.parse(row.place)
        named = fields.resolve(self.document, row.field) if row.field else None
        if row.kind == "each":
            self._scope(row, parsed, named)
            return
        if not parsed.elements:
            raise MappingInvalid(f"place {row.place!r}: names no element")
        group, segment = self._find(parsed)
        slots = self._slots(segment.node, parsed)
        constant, _, companion = row.argument.partition(" with ")
        cell = Cell(row.kind, row.field, (), slots, constant=constant, widths=tuple(slot.width for slot in slots))
        if row.kind == "constant" and companion:
            cell.companion = self._slot(segment.node, tuple(companion.split(".")), row.place)
        if row.kind in convert.CONTROLS:
            self._control(row, cell)
        elif row.kind not in convert.CONSTANTS:
            self._value(row, cell, segment.scope or group.scope, named)
        segment.cells.append(cell)

    def _scope(self, row: Row, parsed: EdiPlace, named: FieldPath | None) -> None:
        if named is None or not named.is_list:
            raise MappingInvalid(f"row {row.place!r}: each needs a list field")
        if parsed.elements:
            raise MappingInvalid(f"place {row.place!r}: each names a group or a segment, no element")
        group, segment = self._find(parsed, whole=True)
        use: GroupUse | SegmentUse = segment if segment.node >= 0 else group
        enclosing = group.scope if segment.node >= 0 else self._enclosing(parsed)
        if use.list_path:
            raise MappingInvalid(f"place {row.place!r}: is each of two lists")
        if not named.shape.fields:
            raise MappingInvalid(f"row {row.field!r}: a list of plain values needs a range in its place, not each")
        name, _, setting = row.argument.partition("=")
        if segment.node >= 0:
            if row.argument:
                raise MappingInvalid(f"row {row.field!r}: each of a segment takes no argument")
            segment.limit = self.table.nodes[segment.node].maximum
        elif name == "starts":
            group.starts = self._slot(self.table.groups[group.group].trigger, tuple(setting.split(".")), row.place)
        elif name == "link":
            group.link = self._link(setting, row, enclosing)
            enclosing = ""
        elif name:
            raise MappingInvalid(
                f"row {row.field!r}: each takes starts=ELEMENT or link=INNER/OUTER, not {row.argument!r}"
            )
        use.list_path = fields.relative(row.field, enclosing)
        use.scope = row.field

    def _link(self, setting: str, row: Row, enclosing: str) -> Link:
        inner, _, outer = setting.partition("/")
        fields.resolve(self.document, f"{row.field}.{inner}")
        fields.resolve(self.document, f"{enclosing}.{outer}")
        self.linked.append(f"{row.field}.{inner}")
        return Link(inner, outer)

    def _enclosing(self, parsed: EdiPlace) -> str:
        """The scope that the group named last stands in."""
        scope, use = "", self.root
        for step in parsed.steps:
            scope = use.scope
            found = self._child(use.group, step.name)
            if found is None:
                break
            use = self._group_use(use, found, self._tests(self.table.groups[found].trigger, step.tests, parsed.text))
        return scope

    def _value(self, row: Row, cell: Cell, scope: str, named: FieldPath | None) -> None:
        if named is None:
            raise MappingInvalid(f"row {row.place!r}: converter {row.kind} needs a field")
        converter = convert.make(row.converter, self.lists)
        cell.kind = "value"
        cell.converter = converter
        cell.path = fields.relative(row.field, scope)
        several = len(cell.slots) > 1
        if isinstance(converter, convert.Converter):
            lists = row.field.endswith("[]") and not converter.name.startswith("list:")
            if several and not lists:
                raise MappingInvalid(f"place {row.place!r}: names several slots, converter {row.kind} takes one")
            cell.is_list = lists
            if converter.companion:
                cell.companion = self._companion(cell.slots[0])
        earlier = self._by_field.setdefault(row.field, cell)
        cell.shared = earlier.shared = earlier is not cell

    def _control(self, row: Row, cell: Cell) -> None:
        if "[]" not in row.field:
            raise MappingInvalid(f"row {row.field!r}: converter {row.kind} needs a list or a field within one")
        cell.path = tuple(step.removesuffix("[]") for step in row.field.split("."))

    def _companion(self, slot: Slot) -> Slot | None:
        """The 2379 beside `slot` in its composite, if it has one."""
        for position, use in enumerate(self._composite_of(slot)):
            if use.number == "2379":
                return Slot(slot.element, position, use)
        return None

    def _composite_of(self, slot: Slot) -> tuple[ElementUse, ...]:
        for node in self.table.nodes:
            if slot.element <= len(node.elements) and slot.use in node.elements[slot.element - 1].components:
                return node.elements[slot.element - 1].components
        return ()

    def _find(self, parsed: EdiPlace, *, whole: bool = False) -> tuple[GroupUse, SegmentUse]:
        """The uses that a place means, made where they are new; a SegmentUse with node -1 for a whole group."""
        use = self.root
        *outer, last = parsed.steps
        for step in outer:
            child = self._child(use.group, step.name)
            if child is None:
                raise MappingInvalid(
                    f"place {parsed.text!r}: {self._name(use.group)} has no group {step.name}",
                    missing=Missing("part", step.name),
                )
            tests = self._tests(self.table.groups[child].trigger, step.tests, parsed.text)
            # Tests of the trigger select the group, wherever the place writes them.
            if step is outer[-1] and self.table.nodes[self.table.groups[child].trigger].tag == last.name:
                tests = _united(tests, self._tests(self.table.groups[child].trigger, last.tests, parsed.text))
            use = self._group_use(use, child, tests)
        node = self._node(use.group, last.name, last.ordinal)
        if node is None or (whole and use.group and node == self.table.groups[use.group].trigger):
            if node is None:
                child = self._child(use.group, last.name)
                if child is None:
                    raise MappingInvalid(
                        f"place {parsed.text!r}: {self._name(use.group)} has no {last.name}",
                        missing=Missing("part", last.name),
                    )
                tests = self._tests(self.table.groups[child].trigger, last.tests, parsed.text)
                use = self._group_use(use, child, tests)
            if whole:
                return use, SegmentUse(-1, last.name)
            node = self.table.groups[use.group].trigger
        return use, self._segment_use(use, node, parsed)

    def _group_use(self, parent: GroupUse, group: int, tests: tuple[SlotTest, ...]) -> GroupUse:
        for use in parent.groups.setdefault(group, []):
            if use.tests == tests:
                return use
        use = GroupUse(group, tests, scope=parent.scope)
        trigger = self.table.groups[group].trigger
        use.segments[trigger] = [SegmentUse(trigger, self.table.nodes[trigger].tag, trigger=True)]
        parent.groups[group].append(use)
        return use

    def _segment_use(self, group: GroupUse, node: int, parsed: EdiPlace) -> SegmentUse:
        last = parsed.steps[-1]
        trigger = bool(group.group) and node == self.table.groups[group.group].trigger
        tests = () if trigger else self._tests(node, last.tests, parsed.text)
        first, end = last.repeats or (1, 1)
        for use in group.segments.setdefault(node, []):
            if trigger and last.repeats is not None:
                use.limit = max(use.limit, end)
            if trigger or (use.tests == tests and (use.first == first or (use.list_path and last.repeats is None))):
                return use
        use = SegmentUse(node, self.table.nodes[node].tag, tests, first=first, limit=end - first + 1)
        group.segments[node].append(use)
        return use

    def _child(self, group: int, name: str) -> int | None:
        for index, candidate in enumerate(self.table.groups):
            if index and candidate.parent == group and candidate.name == name:
                return index
        return None

    def _node(self, group: int, tag: str, ordinal: int) -> int | None:
        found = [i for i, node in enumerate(self.table.nodes) if node.group == group and node.tag == tag]
        return found[ordinal - 1] if ordinal <= len(found) else None

    def _name(self, group: int) -> str:
        return self.table.groups[group].name or self.table.format

    def _tests(self, node: int, tests: Sequence[Test], text: str) -> tuple[SlotTest, ...]:
        found = []
        for test in tests:
            slot = self._slot(node, test.numbers, text)
            found.append(SlotTest(slot.element, slot.component, test.values))
        return tuple(sorted(found, key=lambda t: (t.element, t.component)))

    def _slot(self, node: int, numbers: tuple[str, ...], text: str) -> Slot:
        return slot_at(self.table, node, numbers, text)

    def _slots(self, node: int, parsed: EdiPlace) -> tuple[Slot, ...]:
        outer, *inner = parsed.elements
        slots: list[Slot] = []
        for element, use in _chosen(self.table.nodes[node].elements, outer, parsed.text):
            if not inner:
                if use.components:
                    raise MappingInvalid(f"place {parsed.text!r}: {use.number} is a composite, name its component")
                slots.append(Slot(element, 0, use))
            else:
                slots.extend(
                    Slot(element, component - 1, part)
                    for component, part in _chosen(use.components, inner[0], parsed.text)
                )
        return tuple(slots)

    def _never_written(self, use: GroupUse) -> list[Fault]:
        """Mandatory segments that no row writes: such a message would always be refused."""
        faults = [
            Fault(f"{self._name(use.group)} must hold {node.tag}, which no row writes", key="rows")
            for index, node in enumerate(self.table.nodes)
            if node.group == use.group and node.minimum and node.tag not in ENVELOPE_TAGS and index not in use.segments
        ]
        for inner in use.groups.values():
            for group in inner:
                faults.extend(self._never_written(group))
        return faults


def slot_at(table: Table, node: int, numbers: tuple[str, ...], text: str) -> Slot:
    """The first slot of a segment with these numbers; a component may be named without its composite.

    MappingInvalid, with the place's `text`, where the segment has none.
    """
    for element, use in enumerate(table.nodes[node].elements, 1):
        if use.number == numbers[0] and len(numbers) == 1 and not use.components:
            return Slot(element, 0, use)
        if len(numbers) == 1 or use.number == numbers[0]:
            for component, inner in enumerate(use.components):
                if inner.number == numbers[-1]:
                    return Slot(element, component, inner)
    raise MappingInvalid(
        f"place {text!r}: {table.nodes[node].tag} has no element {'.'.join(numbers)}",
        missing=Missing("element", ".".join(numbers)),
    )


def _chosen(uses: Sequence[ElementUse], step: ElementStep, text: str) -> list[tuple[int, ElementUse]]:
    """(position from 1, use) of the occurrences that `step` means."""
    if step.last:
        run = [(i, use) for i, use in enumerate(uses, 1) if step.number <= use.number <= step.last]
    else:
        run = [(i, use) for i, use in enumerate(uses, 1) if use.number == step.number]
        first, last = step.occurrences
        if run and last > len(run):
            raise MappingInvalid(f"place {text!r}: {step.number} stands {len(run)} times only")
        run = run[first - 1 : last]
    if not run:
        raise MappingInvalid(
            f"place {text!r}: there is no element {step.number}", missing=Missing("element", step.number)
        )
    return run


def _united(one: tuple[SlotTest, ...], other: tuple[SlotTest, ...]) -> tuple[SlotTest, ...]:
    return tuple(sorted({*one, *other}, key=lambda t: (t.element, t.component)))


def _sort(use: GroupUse) -> None:
    for segments in use.segments.values():
        segments.sort(key=lambda s: (-len(s.tests), s.first))
    for groups in use.groups.values():
        groups.sort(key=lambda g: -len(g.tests))
        for group in groups:
            _sort(group)
