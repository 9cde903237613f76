"""Tells the documents of one message type apart: the `when` of a mapping table.

    when = { "BGM/C002.1001" = "962" }

says that only messages with 962 there hold the table's document; `961|963` names several values, and of several
places each must fit. A place is one element of a segment that stands outside all groups, in the grammar of rows
(translate/place.py); the first such segment that passes its tests counts. No two tables of a format may take the same
message. EDIFACT and X12 alone need this: an XML message says by its root what it is, a JSON message by its format.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.check.nodes import Table
from gateway.errors import MappingInvalid
from gateway.findings import make_finding
from gateway.model import Finding, Place
from gateway.parse.segments import SegmentMessage, split
from gateway.translate import place
from gateway.translate.convert import CONTROLS
from gateway.translate.edi import Slot, SlotTest, slot_at
from gateway.translate.rows import Row

When = Mapping[str, frozenset[str]]
"""The values that a table takes, by place; empty for a table that takes every message of its format."""


def parse(raw: Any) -> When:
    """The conditions that a table's header writes; MappingInvalid where they are none."""
    if raw is None:
        return {}
    if not isinstance(raw, dict) or not raw or not all(isinstance(value, str) and value for value in raw.values()):
        raise MappingInvalid(
            f'when: is a place with its values, such as {{ "BGM/C002.1001" = "962|963" }}, not {raw!r}'
        )
    return {at: frozenset(values.split("|")) for at, values in raw.items()}


def overlap(one: When, other: When) -> bool:
    """Whether one message could meet both: no place at which they ask for values of which none is in both."""
    return not any(one[at].isdisjoint(other[at]) for at in one.keys() & other.keys())


def faults(when: When, table: Table, rows: Iterable[Row]) -> list[str]:
    """What is wrong with a table's conditions: places that cannot be looked up, and what its own rows contradict."""
    found = []
    written = {row.place: row for row in rows if row.kind not in CONTROLS}
    for at, values in when.items():
        try:
            _Look.at(at, table)
        except MappingInvalid as error:
            found.append(f"when: {error}")
            continue
        row = written.get(at)
        constant = "" if row is None else row.argument.partition(" with ")[0]
        if row is None:
            found.append(f"when: no row writes {at}, so what is written would not be read again")
        elif row.kind == "constant" and constant not in values:
            found.append(f"when: {at} is written as {constant}, which is none of {_told(values)}")
    return found


@dataclass(frozen=True, slots=True)
class _Look:
    """Where to look for one value."""

    tag: str
    tests: tuple[SlotTest, ...]
    slot: Slot

    @classmethod
    def at(cls, text: str, table: Table) -> _Look:
        """For a place; MappingInvalid where it is not one element of a segment outside all groups."""
        parsed = place.parse(text)
        step = parsed.steps[0]
        node = next((i for i, n in enumerate(table.nodes) if n.group == 0 and n.tag == step.name), None)
        plain = len(parsed.steps) == 1 and step.ordinal == 1 and step.repeats is None and parsed.elements
        if node is None or not plain or any(e.last or e.occurrences != (1, 1) for e in parsed.elements):
            raise MappingInvalid(f"place {text!r}: is not one element of a segment outside all groups")
        tests = []
        for test in step.tests:
            slot = slot_at(table, node, test.numbers, text)
            tests.append(SlotTest(slot.element, slot.component, test.values))
        return cls(step.name, tuple(tests), slot_at(table, node, tuple(e.number for e in parsed.elements), text))

    def find(self, message: SegmentMessage) -> tuple[str, Place]:
        """The value, empty where there is none, and where it stands or should."""
        begins = self.tag + message.delimiters.element
        for number, text in enumerate(message.segments, 1):
            if text.startswith(begins):
                elements = split(text, message.delimiters)
                if all(test.holds(elements) for test in self.tests):
                    return self._value(elements), self._place(number, elements)
        return "", Place(tag=self.tag)

    def _value(self, elements: Sequence[Sequence[str]]) -> str:
        element = elements[self.slot.element] if self.slot.element < len(elements) else ()
        return element[self.slot.component] if self.slot.component < len(element) else ""

    def _place(self, number: int, elements: Sequence[Sequence[str]]) -> Place:
        several = self.slot.element < len(elements) and len(elements[self.slot.element]) > 1
        return Place("", number, self.tag, self.slot.element, self.slot.component + 1 if several else None)


@dataclass(frozen=True, slots=True)
class Chooser:
    """The documents of one format and how to tell them apart."""

    format: str
    takes: tuple[tuple[str, When], ...]
    """(document, conditions)."""
    looks: Mapping[str, _Look]

    @classmethod
    def of(cls, format_: str, takes: Sequence[tuple[str, When]], table: Table) -> Chooser:
        """For the tables of a format; MappingInvalid where a place of theirs cannot be looked up."""
        places = {at: _Look.at(at, table) for _, when in takes for at in when}
        return cls(format_, tuple(takes), places)

    def choose(self, message: SegmentMessage) -> str | Finding:
        """The document that the message holds, or a finding that names the element which tells of none."""
        found = {at: look.find(message) for at, look in self.looks.items()}
        for document, when in self.takes:
            if all(found[at][0] in values for at, values in when.items()):
                return document
        # The element to blame is one whose value no table knows; where each is known to some table, the first.
        known = {at: frozenset().union(*(when.get(at, ()) for _, when in self.takes)) for at in found}
        at = next((at for at in found if found[at][0] not in known[at]), next(iter(found)))
        value, stands = found[at]
        return make_finding("mapping.none_for", stands, value, format=self.format, element=at, known=_told(known[at]))


def _told(values: Iterable[str]) -> str:
    return ", ".join(sorted(values))
