"""Rows of tables (gateway/translate/rows.py)."""

from __future__ import annotations

import pytest

from gateway.errors import MappingInvalid
from gateway.translate.rows import Row, parse

IDENTITIES = [
    # Rows of one field that carry its value are one to a variation, whatever their converters and places.
    (Row("a", "X/1", "text"), Row("a", "Y/2", "date:102"), True),
    (Row("a", "X/1", "text"), Row("b", "X/1", "text"), False),
    # What else is done with a field is another row.
    *((Row("a", "X/1", "text"), Row("a", "X/1", other), False) for other in ("each", "count", "total:b", "default:1")),
    *((Row("a", "X/1", kind), Row("a", "Y/2", kind), True) for kind in ("each", "count", "total:b", "default:1")),
    (Row("a", "X/1", "default:1"), Row("a", "X/1", "default:2"), True),
    (Row("a", "X/1", "count"), Row("a", "X/1", "total"), False),
    # What only the wire has goes by its place.
    (Row("", "X/1", "constant:A"), Row("", "X/1", "constant:B"), True),
    (Row("", "X/1", "constant:A"), Row("", "X/2", "constant:A"), False),
    (Row("", "X/1", "constant:A"), Row("X/1", "", "text"), False),
]


@pytest.mark.parametrize(("one", "other", "same"), IDENTITIES)
def test_what_a_variations_row_replaces(one: Row, other: Row, same: bool) -> None:
    """The row of the same field that does the same with it."""
    assert (one.identity == other.identity) is same


def test_a_row_is_three_texts() -> None:
    """A converter is its name and its argument, which may hold colons itself."""
    row = parse(["a", "X/1", "map:1:2"])
    assert (row.field, row.place, row.converter, row.kind, row.argument) == ("a", "X/1", "map:1:2", "map", "1:2")
    assert (parse(["a", "X/1", "text"]).kind, parse(["a", "X/1", "text"]).argument) == ("text", "")
    for wrong in (["a", "X/1"], ["a", "X/1", "text", ""], ["a", "X/1", 1], "abc", None, {"a": 1, "b": 2, "c": 3}):
        with pytest.raises(MappingInvalid, match=r"a row is \[field, place, converter\]$"):
            parse(wrong)


def test_where_a_row_was_written_is_told_where_it_is_elsewhere() -> None:
    """And does not make it another row."""
    error = MappingInvalid("no such field")
    assert Row("a", "X/1", "text").fault(error) == "no such field (row ['a', 'X/1', 'text'])"
    assert Row("a", "X/1", "text").fault(MappingInvalid("field 'a': no such")) == "field 'a': no such"
    assert Row("a", "X/1", "text", "row 1 of parts/party").fault(error) == "no such field (row 1 of parts/party)"
    assert Row("a", "X/1", "text", "row 1 of parts/party") == Row("a", "X/1", "text")
