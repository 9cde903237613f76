"""A guide narrows in every bound: what it accepts, the table that it narrows accepts."""

import itertools

import pytest

from gateway.check import definitions, guides, structure
from gateway.errors import SchemaInvalid
from gateway.model import Syntax
from tests.check.test_guides import FACTS
from tests.check.test_structure import message

BASE_TYPES = ("an2..9", "an..9", "an3", "n..5,2", "n2..5", "n..5")


def table_of(use, structure_=("UNH M 1", "AAA C 3", "UNT M 1"), syntax=Syntax.EDIFACT):
    """A table of one segment, with one element used so."""
    facts = {
        "formats": FACTS["formats"],
        "source": "test",
        "structure": list(structure_),
        "segments": {"UNH": ["1 M"], "AAA": [use], "UNT": ["1 C"]},
        "elements": {"1": "an..3"},
    }
    return definitions.resolve(syntax, facts, [], "TEST")


def narrowed(base, *row):
    return guides.apply(base, {"narrows": base.format, "source": "test", "uses": [row]}, "own")


def accepts(table, element):
    """Whether a message of that table with this element is without fault."""
    return not [f for f in structure.check(message(["UNH+1", element, "UNT"]), table).findings if f.severity == "error"]


@pytest.mark.parametrize(
    ("use", "row"),
    [
        ("1 C an2..9", "C an1..9"),
        ("1 C an2..9", "C an0..9"),
        ("1 C an3", "C an2..3"),
        ("1 C n..5,2", "C n..5,4"),
        ("1 C 2..3", "C 1..3"),
        ("1 C 2..3", "C 1"),
        ("1 C 2..3", "C 4"),
        ("1 C 3", "M 0"),
        ("1 C 3", "C 0"),
        ("1 C an..9", "M an9..2"),
        ("1 C an5..9", "M an..3"),
        ("1 C an..9", "M ?..9"),
        ("1 C an..9", "M an"),
    ],
)
def test_no_bound_of_an_element_is_widened(use, row):
    """A lesser least length, more digits, fewer repetitions, none at all and no type where there is one are refused."""
    with pytest.raises(SchemaInvalid, match="own: AAA/1"):
        narrowed(table_of(use), "AAA/1", row)


@pytest.mark.parametrize("row", ["M 0", "C 0", "C 4", "M 2..4"])
def test_no_bound_of_a_segment_is_widened(row):
    """A segment that stands no time is told by N; none stands more often than in its table."""
    with pytest.raises(SchemaInvalid, match="own: AAA"):
        narrowed(table_of("1 C"), "AAA", row)


def test_what_a_row_does_not_say_is_the_tables():
    """A row that says only the longest keeps the table's least, its decimals, its repetitions and its pattern."""
    (_, node, _) = narrowed(table_of("1 C an2..9"), "AAA/1", "M an..5").nodes
    assert (node.elements[0].min_length, node.elements[0].max_length) == (2, 5)
    (_, node, _) = narrowed(table_of("1 C n..5,2"), "AAA/1", "M n..4").nodes
    assert node.elements[0].decimals == 2
    (_, node, _) = narrowed(table_of("1 C 2..5"), "AAA/1", "M 3").nodes
    assert (node.elements[0].fewest, node.elements[0].repeat) == (2, 3)
    (_, node, _) = narrowed(table_of("1 C an..9 ~[A-Z]+"), "AAA/1", "M").nodes
    assert node.elements[0].pattern == "[A-Z]+"


def test_a_pattern_is_asked_for_beside_the_tables():
    """A row's pattern does not take the place of the table's: a value matches both."""
    guide = narrowed(table_of("1 C an..9 ~[A-Z]+"), "AAA/1", "M ~.{2}|x")
    assert accepts(guide, "AAA+AB")
    for value in ("12", "x", "ABC", "A1"):
        assert not accepts(guide, f"AAA+{value}")
    with pytest.raises(SchemaInvalid, match="refers to a group"):
        narrowed(table_of(r"1 C an..9 ~(A|B)+"), "AAA/1", r"M ~(.)\1")


@pytest.mark.parametrize("base", BASE_TYPES)
def test_what_the_guide_accepts_the_table_accepts(base):
    """Whatever type of the same kind a row says, it is refused, or takes nothing that the table does not."""
    kind = base.rstrip("0123456789.,")
    lengths = ["2", "3", "0..3", "1..9", "2..5", "..4", "..9", "..5", "9..2"]
    values = ["1", "12", "123", "12345", "123456789", "1.2", "1.23", "1.234", "1.2345"]
    if kind == "an":
        values = ["A" * many for many in range(1, 12)]
    table, tried = table_of(f"1 C {base}"), 0
    for length, behind in itertools.product(lengths, ["", ",0", ",1", ",4"] if kind == "n" else [""]):
        try:
            guide = narrowed(table, "AAA/1", f"C {kind}{length}{behind}")
        except SchemaInvalid:
            continue
        tried += 1
        for value in values:
            assert not accepts(guide, f"AAA+{value}") or accepts(table, f"AAA+{value}"), (length, behind, value)
    assert tried


@pytest.mark.parametrize("pattern", ["[", "(", "a{9999999999999999999}", "*"])
def test_a_pattern_that_is_none_is_told(pattern):
    """In a table as in a guide, a pattern that cannot be compiled is the file's fault, and told with its name."""
    with pytest.raises(SchemaInvalid, match=r"(?s)own: AAA/1: .*is no pattern"):
        narrowed(table_of("1 C"), "AAA/1", f"M ~{pattern}")
    with pytest.raises(SchemaInvalid, match=r"TEST: .*is no pattern"):
        table_of(f"1 C ~{pattern}")
