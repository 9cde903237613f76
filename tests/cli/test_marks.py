"""Where a fault stands in a message as it was written: in its segment, and in the text of JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.cli.marks import span_of
from gateway.cli.pointers import Pointers
from gateway.documents.faults import pointer_step
from gateway.model import Place
from gateway.parse.segments import Delimiters, escape, join_repeated

EDIFACT = Delimiters("'", "+", ":", "?", "*")
VALUES = st.text("AB1 '+:?*é", min_size=1, max_size=4)
ELEMENTS = st.lists(st.lists(st.lists(VALUES, min_size=1, max_size=3), min_size=1, max_size=2), min_size=1, max_size=4)


@given(elements=ELEMENTS)
@settings(deadline=None)
def test_each_place_of_a_segment_is_found(elements: list[list[list[str]]]) -> None:
    """An element, a repetition and a component are found where they were written, whatever is released in them."""
    raw = join_repeated([[["TAG"]], *elements], EDIFACT)
    for at, repetitions in enumerate(elements, 1):
        for number, components in enumerate(repetitions, 1):
            for component, value in enumerate(components, 1):
                start, end = span_of(raw, EDIFACT, Place(segment=1, element=at, component=component, repetition=number))
                assert raw[start:end] == escape(value, EDIFACT)
    assert raw[slice(*span_of(raw, EDIFACT, Place(segment=1)))] == "TAG"
    beyond = span_of(raw, EDIFACT, Place(segment=1, element=len(elements) + 3))
    assert beyond == (len(raw), len(raw))


SCALARS = st.none() | st.booleans() | st.integers() | st.text('a"\\/~ {}[],:\n中', max_size=5)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('a/~"中', max_size=3), inner, max_size=3),
)


def walk(value: Any, pointer: str) -> list[tuple[str, Any]]:
    """Every plain value below, with its pointer."""
    if isinstance(value, dict):
        return [one for name, inner in value.items() for one in walk(inner, f"{pointer}/{pointer_step(name)}")]
    if isinstance(value, list):
        return [one for index, inner in enumerate(value) for one in walk(inner, f"{pointer}/{index}")]
    return [(pointer, value)]


@given(
    value=st.dictionaries(st.text('ab/~"中', max_size=3), JSON, min_size=1, max_size=4),
    indent=st.sampled_from([None, 2]),
)
@settings(deadline=None)
def test_each_pointer_into_json_is_found(value: dict[str, Any], indent: int | None) -> None:
    """A pointer leads to the line and the characters of its value, which read as JSON are that value."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    lines, places = text.split("\n"), Pointers(text)
    for pointer, inner in walk(value, ""):
        found = places.find(pointer)
        assert found is not None
        line, start, end = found
        assert json.loads(lines[line - 1][start:end]) == inner


@given(text=st.text('{}[],:"ab1 \n\\', max_size=40))
@settings(deadline=None)
def test_what_is_no_json_is_looked_at_as_far_as_it_goes(text: str) -> None:
    """No text ends the search, and a place that is found lies in the text."""
    places = Pointers(text)
    lines = text.split("\n")
    for pointer in ("", "/a", "/a/0", "/0/b", "/document/a"):
        found = places.find(pointer)
        if found is not None:
            line, start, end = found
            assert 0 <= start <= end
            assert start <= len(lines[line - 1])


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"a":' * 50_000, '{"' + "a" * 100_000 + '":[' + "1," * 10_000 + "1]}"],
    ids=["lists", "names", "long"],
)
def test_places_take_bounded_room(text: str) -> None:
    """However deep a text nests or however long its names are, the pointers noted of it hold so many characters together."""
    noted = Pointers(text)._spans
    assert len(noted) >= 1
    assert sum(map(len, noted)) < 17_000_000
