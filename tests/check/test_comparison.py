"""Comparing tables: what is aligned, what is told, and how occurrences and types are written."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.check import definitions
from gateway.check.comparison import compare_directories, compare_tables, occurrence_of, type_of, use_of
from gateway.model import Syntax

FACTS: dict[str, Any] = {
    "formats": ["edifact:T:D:96B:UN"],
    "source": "test",
    "structure": ["UNH M 1", ["SG1 C 9", "AAA M 1", "BBB C >1"], "UNT M 2..5"],
    "segments": {"UNH": ["1 M"], "AAA": ["1 M", "C1 C 5"], "BBB": ["1 C"], "UNT": ["2 N"]},
    "composites": {"C1": ["1 M", "2 C"]},
    "elements": {"1": "an..35", "2": "n..12,2"},
    "codes": {"1": "A B"},
}


def table(**changes):
    return definitions.resolve(Syntax.EDIFACT, {**FACTS, **changes}, [], "test")


def told(**changes):
    return [(d.kind, d.what, d.place, d.before, d.after) for d in compare_tables(table(), table(**changes))]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        # a group of another number is the same group
        ({"structure": ["UNH M 1", ["SG2 C 9", "AAA M 1", "BBB C >1"], "UNT M 2..5"]}, []),
        (
            {"structure": ["UNH M 1", ["SG1 M 9", "AAA M 1", "BBB C 3"], "UNT M 2..5"]},
            [("changed", "group", "SG1", "C 9", "M 9"), ("changed", "segment", "SG1.BBB", "C any", "C 3")],
        ),
        (
            {"structure": ["UNH M 1", ["SG1 C 9", "AAA M 1"], "UNT M 2..5"]},
            [("removed", "segment", "SG1.BBB", "C any", "")],
        ),
        (
            {"structure": ["UNH M 1", "BBB C 1", ["SG1 C 9", "AAA M 1", "BBB C >1"], "UNT M 2..5"]},
            [("added", "segment", "BBB", "", "C 1")],
        ),
        (
            {"segments": {**FACTS["segments"], "AAA": ["1 C", "2 C", "C1 C 5"]}},
            [("changed", "element", "AAA/1", "M an..35", "C an..35"), ("added", "element", "AAA/2", "", "C n..12,2")],
        ),
        (
            {"composites": {"C1": ["1 M"]}},
            [("removed", "element", "AAA/C1.2", "C n..12,2", "")],
        ),
        ({"codes": {"1": "B C"}}, [("removed", "code", "1", "A", ""), ("added", "code", "1", "", "C")]),
    ],
)
def test_differences(changes, expected):
    """Each change is told once, at its place, and nothing else."""
    assert told(**changes) == expected


def test_directories():
    """What one defines and the other does not, and what both define otherwise."""
    other = {
        **FACTS,
        "segments": {**FACTS["segments"], "CCC": ["1 C"], "BBB": ["1 M"]},
        "elements": {"1": "an..35", "2": "n..9"},
        "codes": {"1": "A"},
    }
    assert [(d.kind, d.what, d.place) for d in compare_directories(FACTS, other)] == [
        ("added", "segment", "CCC"),
        ("changed", "element", "BBB/1"),
        ("changed", "element", "2"),
        ("removed", "code", "1"),
    ]


def test_how_things_are_written():
    """As the standards write them, with what they have no sign for in the same manner."""
    nodes = table().nodes
    assert [occurrence_of(node) for node in nodes] == ["M 1", "M 1", "C any", "M 2..5"]
    assert use_of(nodes[1].elements[1]) == "C 5"
    assert use_of(nodes[3].elements[0]) == "N n..12,2"
    assert type_of(nodes[0].elements[0]) == "an..35"
    facts = {**FACTS, "formats": ["x12:1:004010"], "elements": {"1": "ID 2..4", "2": "N0 6"}, "codes": {}}
    of_x12 = definitions.resolve(Syntax.X12, facts, [], "test")
    assert [type_of(use) for use in of_x12.nodes[1].elements[1].components] == ["ID 2..4", "N0 6"]
