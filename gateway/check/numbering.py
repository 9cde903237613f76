"""The numbers by which X12 orders what it holds: levels of a hierarchy (HL), and lines (LX)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gateway.check.graph import graph_of
from gateway.check.nodes import Table
from gateway.findings import make_finding
from gateway.model import Finding, Place
from gateway.parse.segments import SegmentMessage

MOST_FINDINGS = 2_000
"""As many as are told of one message."""
HIERARCHY, LINES = "HL", "LX"


def check_hierarchy(message: SegmentMessage, *, counted: bool = False) -> list[Finding]:
    """The faults of an X12 set's HL segments: each has a number of its own, and a parent that stands before it.

    `counted` where the numbers also count up from one, as implementation guides ask.
    """
    known, found, element = dict[str, None](), list[Finding](), message.delimiters.element
    for position, raw in enumerate(message.segments, 1):
        if not raw.startswith(HIERARCHY + element) or len(found) >= MOST_FINDINGS:
            continue
        identifier, parent = [*raw.split(element), "", ""][1:3]
        place = Place(message.reference, position, HIERARCHY, 1)
        if identifier in known:
            found.append(make_finding("x12.hl.repeated", place, identifier, number="628"))
        elif counted and identifier != str(len(known) + 1):
            found.append(make_finding("x12.number.order", place, identifier, number="628", expected=len(known) + 1))
        if parent and parent not in known:
            found.append(make_finding("x12.hl.parent", replace(place, element=2), parent, number="734"))
        known[identifier] = None
    return found


def check_lines(message: SegmentMessage, table: Table, nodes: Sequence[int]) -> list[Finding]:
    """The faults of LX numbers, which count up from one in each occurrence of the group around their own."""
    found, element, graph = list[Finding](), message.delimiters.element, graph_of(table)
    counts: dict[int, int] = {}
    for position, (raw, node) in enumerate(zip(message.segments, nodes, strict=True), 1):
        if node < 0:
            continue
        # What opens a group begins the count anew of all lines inside of it, but not of its own kind.
        opened = [g for g, group in enumerate(table.groups) if g and group.trigger == node]
        for group in opened:
            for inner in graph.within[group]:
                counts.pop(inner, None)
        if not raw.startswith(LINES + element) or len(found) >= MOST_FINDINGS:
            continue
        group = table.nodes[node].group
        counts[group] = counts.get(group, 0) + 1
        number = raw.split(element)[1]
        if number != str(counts[group]):
            place = Place(message.reference, position, LINES, 1)
            found.append(make_finding("x12.number.order", place, number, number="554", expected=counts[group]))
    return found
