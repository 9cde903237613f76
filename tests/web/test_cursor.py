from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.web import cursor
from gateway.web.problems import BadRequest

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\n"), min_size=1)


PLACES = st.text(st.characters(codec="utf-8").filter(str.isprintable), max_size=400)


@given(NAMES, PLACES)
def test_a_cursor_gives_its_place_back(kind, place):
    """Whatever the place is, the cursor made of it leads to it."""
    assert cursor.decode(kind, cursor.encode(kind, place)) == place


@pytest.mark.parametrize("place", ["\0", "next \0", "a\nb", "\x7f", "\u202e", "x" * 401])
def test_a_place_is_short_and_printable(place):
    """What no list has as a place is refused before any store is asked for it."""
    with pytest.raises(BadRequest):
        cursor.decode("messages", cursor.encode("messages", place))


@given(NAMES, NAMES)
def test_a_cursor_of_another_list_is_refused(kind, other):
    """A cursor of one list is none of another."""
    if kind != other:
        with pytest.raises(BadRequest):
            cursor.decode(kind, cursor.encode(other, 1))


@given(st.text())
def test_any_text_is_a_cursor_or_refused(text):
    """Whatever a client sends as a cursor, it is read or refused, and nothing breaks."""
    try:
        cursor.decode("messages", text)
    except BadRequest:
        return
    assert text


@given(NAMES, st.integers())
def test_a_cursor_needs_no_escaping_in_a_query(kind, place):
    """A cursor consists of characters that stand for themselves in a URL."""
    assert cursor.encode(kind, place).replace("-", "").replace("_", "").isalnum()
