"""Reads an EDI message into canonical values: one pass over its segments, by closures compiled from the uses.

The structure check has already said which node of the table each segment is; the reader follows it and
opens an instance of a use wherever a trigger opens a group.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from gateway.check.nodes import Table
from gateway.findings import make_finding
from gateway.model import Place
from gateway.parse import segments as wire
from gateway.parse.segments import Delimiters, SegmentMessage
from gateway.translate import controls
from gateway.translate.context import Context
from gateway.translate.convert import ManyConverter, Unconvertible
from gateway.translate.edi import ENVELOPE_TAGS, Cell, GroupUse, Link, SegmentUse, SlotTest
from gateway.translate.outcome import Raw, Unread
from gateway.translate.weight import Weight, weigh_element, weigh_groups, weigh_segment

Take = Callable[[dict[str, Any], str, Sequence[str], Context], None]
"""Stores one slot's text: (values, text, the components of its element, context)."""

_NOTHING = [""]
"""An element left empty."""

Handler = tuple[Take | None, Cell]
"""What to do with a slot; without a Take it is a constant or a control, which is only judged."""


@dataclass(slots=True, eq=False)
class _Segment:
    """A compiled SegmentUse. `handlers[element][component]`: None is unmapped, False is passed over."""

    node: int

    tests: tuple[SlotTest, ...]
    further: tuple[SlotTest, ...]
    """The tests that the choice of candidates has not made already."""
    list_path: tuple[str, ...]
    counter: int
    """Where an instance of its group counts how often it occurred."""
    limit: int
    handlers: tuple[tuple[Handler | Literal[False] | None, ...], ...]
    many: tuple[Cell, ...]


@dataclass(slots=True, eq=False)
class _Group:
    """A compiled GroupUse; `counter` is where the instance around it counts it."""

    use: GroupUse
    tests: tuple[SlotTest, ...]
    further: tuple[SlotTest, ...]
    list_path: tuple[str, ...]
    counter: int
    segments: dict[int, _Choice[_Segment]] = field(default_factory=dict)
    groups: dict[int, _Choice[_Group]] = field(default_factory=dict)
    counters: int = 0


_Use = TypeVar("_Use", _Segment, _Group)


@dataclass(slots=True, eq=False)
class _Choice(Generic[_Use]):
    """The uses that compete for one node or group: by the value of one slot, `others` for any other value."""

    element: int
    component: int
    by_value: dict[str, tuple[_Use, ...]]
    others: tuple[_Use, ...]


@dataclass(slots=True, eq=False)
class _Instance:
    """One occurrence of a group on the wire: where its values go, and how often each use has occurred in it."""

    group: _Group
    values: dict[str, Any]
    prefix: str
    counts: list[int]
    latest: dict[int, _Instance] = field(default_factory=dict)
    """The latest instance of inner groups that may be continued, by counter."""


@dataclass(slots=True, eq=False)
class _Pieces:
    """One value met in several slots, perhaps of several segments: complete only when all are read."""

    cell: Cell
    values: dict[str, Any]
    prefix: str
    elements: list[list[str]]
    """The segment in which it begins, and its number."""
    number: int
    parts: list[str]

    def place(self, run: _Run) -> Place:
        """Where the value begins."""
        first = next(slot for slot, part in zip(self.cell.slots, self.parts, strict=False) if part)
        return _place(run, self.elements, self.number, first.element, first.component)


@dataclass(slots=True, eq=False)
class _Run:
    """One reading under way."""

    table: Table
    context: Context
    raw: Raw
    message: str
    trace: dict[str, Place] | None
    pieces: dict[tuple[int, int], _Pieces] = field(default_factory=dict)
    controls: list[tuple[Cell, str, Place]] = field(default_factory=list)
    links: list[tuple[dict[str, Any], dict[str, Any], Link]] = field(default_factory=list)
    """(item, the values around it, what ties them)."""

    def find(self, fault: Unconvertible, place: Place, text: str) -> None:
        """Report a value that could not be read."""
        self.raw.findings.append(make_finding(fault.code, place, text, **fault.words))

    def keep(self, node: int, place: Place, text: str, component: int = 0) -> None:
        """Keep what no row mentions of an element of a segment."""
        table = self.table
        weight = weigh_element(table.syntax, table.nodes[node].elements, place.element or 0, component)
        self.raw.kept.append(Unread(place, text, weight))


class EdiReader:
    """The reading half of an EDI mapping."""

    def __init__(self, table: Table, root: GroupUse) -> None:
        self._table = table
        self._root = _compile_group(root, 0)
        self._weights = weigh_groups(table)
        self._parents = [group.parent for group in table.groups]
        triggers = {group.trigger for group in table.groups[1:]}
        # node -> (its group, whether it opens it); None for the frame, which is the envelope's
        self._nodes = [
            None if node.tag in ENVELOPE_TAGS else (node.group, index in triggers)
            for index, node in enumerate(table.nodes)
        ]

    def read(
        self, message: SegmentMessage, nodes: Sequence[int], context: Context, trace: dict[str, Place] | None = None
    ) -> Raw:
        """The values of `message`, whose segments stand at `nodes`; fills `trace` with their places where given."""
        raw = Raw({})
        run = _Run(self._table, context, raw, message.reference, trace)
        delimiters = message.delimiters
        release, element, component = delimiters.release, delimiters.element, delimiters.component
        repetition = delimiters.repetition
        kinds, parents = self._nodes, self._parents
        current: list[_Instance | None] = [None] * len(parents)
        current[0] = _Instance(self._root, raw.values, "", [0] * self._root.counters)
        for number, (text, node) in enumerate(zip(message.segments, nodes, strict=False), 1):
            if node < 0 or (kind := kinds[node]) is None:
                continue
            if (release and release in text) or (repetition and repetition in text):
                elements = _split_slowly(text, delimiters, number, node, run)
            else:
                elements = [part.split(component) for part in text.split(element)]
            group, opens = kind
            around = current[parents[group]] if opens else None
            if opens:
                current[group] = None if around is None else _open(around, group, elements, run)
            instance = current[group]
            if instance is not None:
                for segment in _candidates(instance.group.segments.get(node), elements):
                    if instance.counts[segment.counter] < segment.limit and (
                        not segment.further or all(test.holds(elements) for test in segment.further)
                    ):
                        _take(segment, instance, elements, number, run)
                        break
                else:
                    weight = weigh_segment(self._table.syntax, self._table.nodes[node])
                    raw.kept.append(Unread(Place(run.message, number, elements[0][0]), text, weight))
            else:
                # Of a group that is not read, what opens it is told.
                weight = Weight.WITHIN if around is None else self._weights[group]
                raw.kept.append(Unread(Place(run.message, number, elements[0][0]), text, weight))
        for gathered in run.pieces.values():
            _complete(gathered, gathered.cell.widths * (len(gathered.parts) // len(gathered.cell.slots)), run)
        for item, around_it, link in run.links:
            if link.outer in around_it:
                item.setdefault(link.inner, around_it[link.outer])
        for cell, text, place in run.controls:
            controls.verify(cell.kind, cell.field, cell.path, text, place, raw)
        return raw


def _split_slowly(text: str, delimiters: Delimiters, number: int, node: int, run: _Run) -> list[list[str]]:
    """A segment with releases or repetitions; of what repeats, rows read the first, and the rest is unmapped."""
    elements = wire.split_repeated(text, delimiters)
    for position, repetitions in enumerate(elements):
        for at, components in enumerate(repetitions[1:], 2):
            place = Place(run.message, number, elements[0][0][0], position, repetition=at)
            run.keep(node, place, delimiters.component.join(components))
    return [repetitions[0] for repetitions in elements]


def _candidates(choice: _Choice[_Use] | None, elements: list[list[str]]) -> tuple[_Use, ...]:
    """The uses that may fit, the most particular first."""
    if choice is None:
        return ()
    if choice.element and choice.element < len(elements):
        components = elements[choice.element]
        if choice.component < len(components):
            return choice.by_value.get(components[choice.component], choice.others)
    return choice.others


def _open(around: _Instance, group: int, elements: list[list[str]], run: _Run) -> _Instance | None:
    """The instance that a trigger opens within `around`, or None where no use fits."""
    for candidate in _candidates(around.group.groups.get(group), elements):
        if candidate.further and not all(test.holds(elements) for test in candidate.further):
            continue
        starts = candidate.use.starts
        if starts is not None and candidate.counter in around.latest:
            element = elements[starts.element] if starts.element < len(elements) else ()
            if not any(element):
                return around.latest[candidate.counter]
        if candidate.use.link is not None:
            values, prefix = _new_item(run.raw.values, candidate.list_path, "", run)
            run.links.append((values, around.values, candidate.use.link))
        elif candidate.list_path:
            values, prefix = _new_item(around.values, candidate.list_path, around.prefix, run)
        elif around.counts[candidate.counter]:
            continue
        else:
            values, prefix = around.values, around.prefix
        around.counts[candidate.counter] += 1
        instance = _Instance(candidate, values, prefix, [0] * candidate.counters)
        if starts is not None:
            around.latest[candidate.counter] = instance
        return instance
    return None


def _new_item(values: dict[str, Any], path: tuple[str, ...], prefix: str, run: _Run) -> tuple[dict[str, Any], str]:
    """A new item at the end of the list at `path`, and its prefix where places are traced."""
    for name in path[:-1]:
        values = values.setdefault(name, {})
    items = values.setdefault(path[-1], [])
    item: dict[str, Any] = {}
    items.append(item)
    return item, f"{prefix}{'.'.join(path)}[{len(items) - 1}]." if run.trace is not None else ""


def _take(segment: _Segment, instance: _Instance, elements: list[list[str]], number: int, run: _Run) -> None:
    """Store what `segment` maps of `elements`; anything else in it is kept as unmapped."""
    instance.counts[segment.counter] += 1
    values, prefix = instance.values, instance.prefix
    if segment.list_path:
        values, prefix = _new_item(values, segment.list_path, prefix, run)
    handlers, context, trace = segment.handlers, run.context, run.trace
    size = len(handlers)
    position = -1
    for components in elements:
        position += 1
        if components == _NOTHING:
            continue
        mapped = handlers[position] if position < size else ()
        known = len(mapped)
        component = -1
        for text in components:
            component += 1
            if not text:
                continue
            handler = mapped[component] if component < known else None
            if handler is False:
                continue
            if handler is None:
                run.keep(segment.node, _place(run, elements, number, position, component), text, component)
                continue
            take, cell = handler
            if take is None:
                _judge(cell, text, _place(run, elements, number, position, component), run)
                continue
            try:
                take(values, text, components, context)
            except Unconvertible as fault:
                run.find(fault, _place(run, elements, number, position, component), text)
                if fault.kept is not None:
                    _store(values, cell, fault.kept)
            if trace is not None:
                trace.setdefault(_traced(cell, values, prefix), _place(run, elements, number, position, component))
    for cell in segment.many:
        if segment.limit == 1:
            _take_many(cell, values, prefix, elements, number, run)
        else:
            _gather(cell, values, prefix, elements, number, run)


def _traced(cell: Cell, values: dict[str, Any], prefix: str) -> str:
    """The path of what was stored last for `cell`; of a list, of its last item."""
    path = prefix + cell.field_within
    if not cell.is_list:
        return path
    *outer, name = cell.path
    for step in outer:
        values = values.get(step, {})
    return f"{path}[{max(len(values.get(name, ())) - 1, 0)}]"


def _place(run: _Run, elements: list[list[str]], number: int, element: int, component: int) -> Place:
    several = element < len(elements) and len(elements[element]) > 1
    return Place(run.message, number, elements[0][0], element, component + 1 if several else None)


def _judge(cell: Cell, text: str, place: Place, run: _Run) -> None:
    """A constant must be what the table says; a control waits until everything is read."""
    if cell.kind != "constant":
        run.controls.append((cell, text, place))
    elif text != cell.constant:
        run.raw.findings.append(make_finding("translate.constant", place, text, expected=cell.constant))


def _parts(cell: Cell, elements: list[list[str]]) -> list[str]:
    """What stands in the slots of `cell`."""
    parts = []
    size = len(elements)
    for slot in cell.slots:
        components = elements[slot.element] if slot.element < size else ()
        parts.append(components[slot.component] if slot.component < len(components) else "")
    return parts


def _take_many(
    cell: Cell, values: dict[str, Any], prefix: str, elements: list[list[str]], number: int, run: _Run
) -> None:
    """Store a value whose pieces all stand in this segment."""
    first = cell.slots[0].element
    if first >= len(elements):
        return
    parts = _parts(cell, elements)
    if any(parts):
        _complete(_Pieces(cell, values, prefix, elements, number, parts), cell.widths, run)


def _gather(cell: Cell, values: dict[str, Any], prefix: str, elements: list[list[str]], number: int, run: _Run) -> None:
    """Add this segment's slots of `cell` to the value they are pieces of."""
    parts = _parts(cell, elements)
    if not any(parts):
        return
    gathered = run.pieces.get((id(values), id(cell)))
    if gathered is None:
        run.pieces[id(values), id(cell)] = _Pieces(cell, values, prefix, elements, number, parts)
    else:
        gathered.parts.extend(parts)


def _complete(gathered: _Pieces, widths: Sequence[int], run: _Run) -> None:
    cell = gathered.cell
    try:
        _store(gathered.values, cell, cell.read_many(gathered.parts, widths, run.context))
    except Unconvertible as fault:
        run.find(fault, gathered.place(run), " ".join(gathered.parts))
    if run.trace is not None:
        run.trace.setdefault(gathered.prefix + cell.field_within, gathered.place(run))


def _store(values: dict[str, Any], cell: Cell, value: Any) -> None:
    """Put `value` where the cell's path leads; an empty text is no value."""
    if value.__class__ is str and not value:
        return
    for name in cell.path[:-1]:
        values = values.setdefault(name, {})
    name = cell.path[-1]
    if cell.is_list:
        values.setdefault(name, []).append(value)
    elif cell.shared and values.get(name, value) != value:
        raise Unconvertible("translate.conflict", first=str(values[name]))
    else:
        values[name] = value


def _taker(cell: Cell) -> Take:
    """The closure that reads one slot of `cell`; the common cases do without a detour."""
    converter = cell.converter
    if converter is None or isinstance(converter, ManyConverter):
        raise TypeError(f"{cell.field} is held in pieces")
    read, read_as = converter.read, converter.read_as
    if cell.companion is not None and read_as is not None:
        beside = cell.companion.component

        def take_companion(values: dict[str, Any], text: str, components: Sequence[str], context: Context) -> None:
            qualifier = components[beside] if beside < len(components) else ""
            _store(values, cell, read_as(text, qualifier, context) if qualifier else read(text, context))

        return take_companion
    if cell.is_list or cell.shared or len(cell.path) > 2:
        return lambda values, text, _components, context: _store(values, cell, read(text, context))
    if len(cell.path) == 1:
        (name,) = cell.path

        def take(values: dict[str, Any], text: str, _components: Sequence[str], context: Context) -> None:
            value = read(text, context)
            if value or value.__class__ is not str:
                values[name] = value

        return take
    outer, inner = cell.path

    def take_nested(values: dict[str, Any], text: str, _components: Sequence[str], context: Context) -> None:
        value = read(text, context)
        if value or value.__class__ is not str:
            nested = values.get(outer)
            if nested is None:
                values[outer] = {inner: value}
            else:
                nested[inner] = value

    return take_nested


def _compile_group(use: GroupUse, counter: int) -> _Group:
    group = _Group(use, use.tests, use.tests, use.list_path, counter)
    for node, segments in use.segments.items():
        compiled = [_compile_segment(segment, use, group.counters + at) for at, segment in enumerate(segments)]
        group.counters += len(compiled)
        group.segments[node] = _choice(compiled)
    for index, inner in use.groups.items():
        groups = [_compile_group(candidate, group.counters + at) for at, candidate in enumerate(inner)]
        group.counters += len(groups)
        group.groups[index] = _choice(groups)
    return group


def _choice(uses: list[_Use]) -> _Choice[_Use]:
    """Uses ready to be chosen from: by the value of one slot, where the first tests of all of them are about it."""
    tested = [use for use in uses if use.tests]
    slots = {(use.tests[0].element, use.tests[0].component) for use in tested}
    if len(slots) != 1:
        return _Choice(0, 0, {}, tuple(uses))
    for use in tested:
        use.further = use.tests[1:]
    values = {value for use in tested for value in use.tests[0].values}
    by_value = {v: tuple(use for use in uses if not use.tests or v in use.tests[0].values) for v in values}
    ((element, component),) = slots
    return _Choice(element, component, by_value, tuple(use for use in uses if not use.tests))


def _compile_segment(use: SegmentUse, group: GroupUse, counter: int) -> _Segment:
    handlers: dict[tuple[int, int], Handler | Literal[False]] = {(0, 0): False}  # element 0 is the tag
    for test in (*use.tests, *(group.tests if use.trigger else ())):
        handlers[test.element, test.component] = False
    many: list[Cell] = []
    for cell in use.cells:
        if cell.companion is not None and cell.kind != "constant":
            handlers[cell.companion.element, cell.companion.component] = False
        if isinstance(cell.converter, ManyConverter):
            many.append(cell)
        for slot in cell.slots:
            # A position may share its slot with the value it stands in for.
            if cell.kind != "position" or (slot.element, slot.component) not in handlers:
                handlers[slot.element, slot.component] = _handler(cell)
    size = max((element for element, _ in handlers), default=0)
    rows = []
    for element in range(size + 1):
        width = max((component for at, component in handlers if at == element), default=-1)
        rows.append(tuple(handlers.get((element, component)) for component in range(width + 1)))
    # Where a group may be continued, its trigger occurs as often as it likes within one instance.
    limit = 1_000_000_000 if use.trigger and group.starts is not None else use.limit
    return _Segment(use.node, use.tests, use.tests, use.list_path, counter, limit, tuple(rows), tuple(many))


def _handler(cell: Cell) -> Handler | Literal[False]:
    if isinstance(cell.converter, ManyConverter) or cell.kind == "position":
        return False
    return (_taker(cell) if cell.kind == "value" else None, cell)
