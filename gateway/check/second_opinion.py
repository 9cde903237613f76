"""pyx12 as an independent second reader of X12 messages, for agreements that ask for one and for our own tests.

Its maps are made from our tables, so it judges by the same facts with other code: its own splitting of
segments, its own walk, its own element checks. Maps are built in memory, once per table, and the walk is
driven message by message; pyx12's own entry point would read its maps from files on every call.

What it finds is put into our own codes, so that both verdicts can be compared place by place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from xml.etree.ElementTree import Element, SubElement

import pyx12.errors
import pyx12.map_if
import pyx12.params
import pyx12.segment
from pyx12.error_item import EleError, SegError
from pyx12.map_walker import walk_tree

from gateway.catalogue import Catalogue
from gateway.check import tables
from gateway.check.nodes import UNBOUNDED, ElementUse, Group, Node, Note, Table
from gateway.check.notes import note_position
from gateway.errors import SchemaInvalid
from gateway.findings import make_finding
from gateway.model import Finding, Place, Syntax
from gateway.parse.segments import Delimiters, MessageType, SegmentMessage

_ST_LOOP = "/ISA_LOOP/GS_LOOP/ST_LOOP"
_LONGEST = 10_000_000
"""Stands for a length that no source gives."""

_ELEMENT_CODES = {
    "1": "edi.element.missing",
    "2": "edi.note.required",
    "3": "edi.segment.too_many_elements",
    "4": "edi.element.too_short",
    "5": "edi.element.too_long",
    "6": "x12.element.characters",
    "7": "edi.element.unknown_code",
    "8": "edi.element.invalid_date",
    "9": "edi.element.invalid_time",
    "10": "edi.note.excluded",
}
"""X12 element 723 to our codes."""


def check(catalogue: Catalogue, message: SegmentMessage, table: Table) -> list[Finding]:
    """What pyx12 finds in `message` by `table`, in segment order, in our codes."""
    return list(_Walk(_compiled(table, _control(catalogue)), message).findings())


def additional(found: Iterable[Finding], second: Sequence[Finding]) -> list[Finding]:
    """Those of `second` at segments where `found` has nothing, behind a note that says where they come from."""
    known = {f.place.segment for f in found}
    extra = [f for f in second if f.place.segment not in known]
    if not extra:
        return []
    return [make_finding("x12.second_opinion.differs", Place(extra[0].place.message), count=len(extra)), *extra]


# --- maps ---


def map_tree(table: Table, control: Table) -> Element:
    """`table` inside its envelope (`control`, the table of ISA) as a pyx12 map."""
    by_tag = {node.tag: node for node in control.nodes}
    root = Element("transaction", xid=table.nodes[0].tag)
    isa = _loop(root, "ISA_LOOP", "R", 10, ">1")
    _segment(isa, by_tag["ISA"], 20)
    gs = _loop(isa, "GS_LOOP", "R", 30, ">1")
    _segment(gs, by_tag["GS"], 40)
    loops: dict[int, Element] = {0: _loop(gs, "ST_LOOP", "R", 50, ">1")}
    opened: dict[int, list[int]] = {}
    for index, group in enumerate(table.groups[1:], 1):
        opened.setdefault(group.trigger, []).append(index)
    last = 0
    for index, node in enumerate(table.nodes):
        # pyx12 drops a missing segment whose position equals that of the one found, so no two may be equal.
        last = 100 + 20 * index
        for at in opened.get(index, ()):
            group = table.groups[at]
            usage = "R" if group.minimum else "S"
            loops[at] = _loop(loops[group.parent], f"{group.name}_{at}", usage, last, _maximum(group))
        _segment(loops[node.group], node, last + 10)
    _segment(gs, by_tag["GE"], last + 20)
    _segment(isa, by_tag["IEA"], last + 30)
    return root


def data_elements(*all_tables: Table) -> dict[str, dict[str, Any]]:
    """The element definitions that the maps of `all_tables` refer to, as pyx12 holds them."""
    return {
        name: {
            "data_type": _kind(use),
            "min_len": use.min_length or 0,
            "max_len": use.max_length or _LONGEST,
            "name": name,
        }
        for table in all_tables
        for node in table.nodes
        for name, use in _named(node)
    }


def _loop(parent: Element, xid: str, usage: str, position: int, repeat: str) -> Element:
    return SubElement(parent, "loop", xid=xid, name=xid, usage=usage, pos=str(position), repeat=repeat)


def _segment(parent: Element, node: Node, position: int) -> None:
    usage = "R" if node.minimum else "S"
    element = SubElement(
        parent, "segment", xid=node.tag, name=node.tag, usage=usage, pos=str(position), max_use=_maximum(node)
    )
    for note in node.notes:
        SubElement(element, "syntax").text = str(note)
    for number, use in enumerate(node.elements, 1):
        xid = f"{node.tag}{number:02}"
        if use.components:
            composite = SubElement(element, "composite", xid=xid, name=xid, usage=_usage(use), seq=f"{number:02}")
            for position_inside, component in enumerate(use.components, 1):
                _element(composite, f"{xid}-{position_inside}", component, position_inside)
        else:
            _element(element, xid, use, number)


def _element(parent: Element, name: str, use: ElementUse, number: int) -> None:
    element = SubElement(parent, "element", xid=name, name=name, data_ele=name, usage=_usage(use), seq=f"{number:02}")
    if use.codes is not None:
        codes = SubElement(element, "valid_codes")
        for code in sorted(use.codes):
            SubElement(codes, "code").text = code


def _named(node: Node) -> Iterator[tuple[str, ElementUse]]:
    """Every simple element of `node` under the name it has in a map."""
    for number, use in enumerate(node.elements, 1):
        if use.components:
            yield from ((f"{node.tag}{number:02}-{i}", component) for i, component in enumerate(use.components, 1))
        else:
            yield f"{node.tag}{number:02}", use


def _usage(use: ElementUse) -> str:
    return "R" if use.mandatory else "S"


def _maximum(what: Node | Group) -> str:
    return ">1" if what.maximum >= UNBOUNDED else str(what.maximum)


def _kind(use: ElementUse) -> str:
    """pyx12's type. A coded first element of type ID would decide which segment it is, so codes are AN."""
    return "AN" if use.codes is not None or not use.kind else use.kind


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A table's map, ready to walk."""

    table: Table
    map: Any
    uses: dict[str, tuple[ElementUse, int, int | None]]
    """Each map element's use and place: element, component."""


def _control(catalogue: Catalogue) -> Table:
    """The table of the control segments."""
    found = tables.find(catalogue, MessageType(Syntax.X12, "ISA"))
    if found is None:
        raise SchemaInvalid("there is no table of X12's control segments, x12:ISA")
    return found


# Tables are compiled once for all catalogues that hold them unchanged.
@lru_cache(maxsize=32)
def _compiled(table: Table, control: Table) -> _Compiled:
    root = pyx12.map_if.map_if(map_tree(table, control), pyx12.params.ParamsBase())
    root.data_elements.dataele = data_elements(table, control)
    # From 00501 on the extended character set is larger.
    root.icvn = "00501" if table.format.rpartition(":")[2] >= "005010" else "00401"
    uses: dict[str, tuple[ElementUse, int, int | None]] = {}
    for node in table.nodes:
        for name, use in _named(node):
            number, _, component = name.removeprefix(node.tag).partition("-")
            uses[name] = (use, int(number), int(component) if component else None)
    return _Compiled(table, root, uses)


# --- the walk ---


class _Walk:
    """One message, walked by pyx12."""

    def __init__(self, compiled: _Compiled, message: SegmentMessage) -> None:
        self.compiled = compiled
        self.message = message
        self.known = {node.tag for node in compiled.table.nodes}
        self.walker = walk_tree()
        self.walker.forceWalkCounterToLoopStart(_ST_LOOP, f"{_ST_LOOP}/ST")

    def findings(self) -> Iterator[Finding]:
        node = self.compiled.map.getnodebypath(f"{_ST_LOOP}/ST")
        for position, raw in enumerate(self.message.segments, 1):
            tag = raw.partition(self.message.delimiters.element)[0]
            place = Place(self.message.reference, position, tag)
            try:
                segment = _segment_data(raw, self.message.delimiters)
                if position > 1:
                    found, _, _, walk_errors = self.walker.walk_errors(node, segment, position, position, None)
                    for error in walk_errors:
                        yield self._structural(error, place)
                    if found is None:
                        continue
                    node = found
                _, errors = node.is_valid_errors(segment)
            except (pyx12.errors.EngineError, pyx12.errors.X12PathError, IndexError, ValueError):
                # It fails on some input, composites with too many components among it.
                yield make_finding("x12.second_opinion.failed", place)
                continue
            for error in errors:
                if not self._mistaken(error):
                    yield self._elementary(error, place, raw)

    def _structural(self, error: SegError, place: Place) -> Finding:
        node = error.map_node
        if error.err_cde == "3":
            missing = Place(place.message, place.segment, node.id)
            if error.err_str.startswith("Mandatory loop"):
                return make_finding("edi.group.missing", missing, group=_name(node.parent))
            return make_finding("edi.segment.missing", missing)
        if error.err_cde == "4":
            return make_finding("edi.group.too_many", place, group=_name(node), max=node.get_max_repeat())
        if error.err_cde == "5":
            return make_finding("edi.segment.too_many", place, max=node.get_max_repeat())
        return make_finding("edi.segment.misplaced" if place.tag in self.known else "edi.segment.unknown", place)

    def _mistaken(self, error: EleError) -> bool:
        """Whether pyx12 rejects a number of type R for the point at its end, which X12.6 allows."""
        named = self.compiled.uses.get(error.map_node.id) if error.map_node is not None else None
        if named is None or error.err_cde != "6" or named[0].kind != "R":
            return False
        return re.fullmatch(r"-?[0-9]+\.", error.err_val or "") is not None

    def _elementary(self, error: EleError, place: Place, raw: str) -> Finding:
        code = _ELEMENT_CODES[error.err_cde]
        value = error.err_val or ""
        if error.map_node is None or error.map_node.id not in self.compiled.uses:
            return self._of_segment(error, code, place, value, raw)
        use, element, component = self.compiled.uses[error.map_node.id]
        at = Place(place.message, place.segment, place.tag, element, component)
        if error.err_cde == "6" and error.err_str.endswith("is an invalid composite"):
            return make_finding("edi.element.too_many_components", at, value, number=use.item, max=1, count="")
        if error.err_cde == "6" and _kind(use)[0] in "NR":
            code = "edi.element.not_numeric"
        arguments = {"number": use.item, "length": len(value), "min": use.min_length, "max": use.max_length}
        return make_finding(code, at, value, **arguments)

    def _of_segment(self, error: EleError, code: str, place: Place, value: str, raw: str) -> Finding:
        """A fault that pyx12 ties to no element: a syntax note, too many elements, a missing composite."""
        if code.startswith("edi.note."):
            text = error.err_str.partition("(")[2].partition(")")[0]
            note = Note(text[0], tuple(int(text[i : i + 2]) for i in range(1, len(text), 2)))
            positions = ", ".join(map(str, note.positions))
            excess = code == "edi.note.excluded"
            element = note_position(note, raw.split(self.message.delimiters.element), excess=excess)
            at = Place(place.message, place.segment, place.tag, element)
            return make_finding(code, at, note=text, positions=positions)
        digits = (error.refdes or "").removeprefix(place.tag)[:2]
        at = Place(place.message, place.segment, place.tag, int(digits) if digits.isdigit() else None)
        return make_finding(code, at, value, number=error.refdes or "")


def _segment_data(raw: str, delimiters: Delimiters) -> pyx12.segment.Segment:
    """`raw` as pyx12 splits it; of what repeats, which it does not know, the first repetition."""
    if delimiters.repetition and delimiters.repetition in raw:
        elements = raw.split(delimiters.element)
        raw = delimiters.element.join(element.partition(delimiters.repetition)[0] for element in elements)
    return pyx12.segment.Segment(raw, delimiters.terminator, delimiters.element, delimiters.component)


def _name(loop: Any) -> str:
    """The group that a map's loop was made from."""
    return str(loop.id).rpartition("_")[0]
