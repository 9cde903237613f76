"""Splitting and joining raw segments."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.parse.segments import Delimiters, escape, join, join_repeated, released, split, split_repeated

EDIFACT = Delimiters("'", "+", ":", "?")
VERSION_4 = Delimiters("'", "+", ":", "?", "*")
X12 = Delimiters("~", "*", ">")

values = st.text(st.sampled_from("AB1 +:?'*>~\u4e2d"), max_size=8)


@pytest.mark.parametrize(
    ("raw", "delimiters", "elements"),
    [
        ("BGM+929+X", EDIFACT, [["BGM"], ["929"], ["X"]]),
        ("LOC+9+AEJEA:139:6", EDIFACT, [["LOC"], ["9"], ["AEJEA", "139", "6"]]),
        ("FTX+AAA+++PLASTICS?:ARTICLES", EDIFACT, [["FTX"], ["AAA"], [""], [""], ["PLASTICS:ARTICLES"]]),
        # a released release character does not release what follows
        ("FTX+A??+B", EDIFACT, [["FTX"], ["A?"], ["B"]]),
        ("FTX+A???+B", EDIFACT, [["FTX"], ["A?+B"]]),
        # of repetitions the first one
        ("ABC+1:2*3:4+5", VERSION_4, [["ABC"], ["1", "2"], ["5"]]),
        # X12 has no release character
        ("REF*BM*A?*B", X12, [["REF"], ["BM"], ["A?"], ["B"]]),
    ],
)
def test_split(raw, delimiters, elements):
    """Elements and components come apart where no release character stands before the separator."""
    assert split(raw, delimiters) == elements


def test_split_repeated():
    """Repetitions come apart at the repetition separator, unless it is released."""
    assert split_repeated("ABC+1:2*3:4+5?*6", VERSION_4) == [[["ABC"]], [["1", "2"], ["3", "4"]], [["5*6"]]]


@given(st.lists(st.lists(values, min_size=1, max_size=4), max_size=5))
def test_split_undoes_join(elements):
    """What `join` wrote is read back the same, but for trailing empty values."""
    segment = [["ABC"], *elements]
    assert _trimmed(split(join(segment, EDIFACT), EDIFACT)) == _trimmed(segment)


@given(st.lists(st.lists(st.lists(values, min_size=1, max_size=3), min_size=1, max_size=3), max_size=4))
def test_split_repeated_undoes_join_repeated(elements):
    """The same with repetitions."""
    segment = [[["ABC"]], *elements]
    read = split_repeated(join_repeated(segment, VERSION_4), VERSION_4)
    assert _trimmed([_trimmed(e) for e in read]) == _trimmed([_trimmed(e) for e in segment])


@given(values)
def test_release_undoes_escape(value):
    """An escaped value holds no bare service character, and is the value again when released."""
    escaped = escape(value, VERSION_4)
    assert released(escaped, VERSION_4) == value
    assert split(f"ABC+{escaped}", VERSION_4) == [["ABC"], [value]]


def _trimmed(parts):
    """`parts` without trailing empty ones, at every level."""
    parts = [_trimmed(p) if isinstance(p, list) else p for p in parts]
    while parts and not parts[-1]:
        parts.pop()
    return parts
