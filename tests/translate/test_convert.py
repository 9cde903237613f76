from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.catalogue_folders import shipped
from gateway.check import codes
from gateway.errors import MappingInvalid
from gateway.findings import make_finding, text
from gateway.model import Place
from gateway.parse.segments import Delimiters
from gateway.translate import convert
from gateway.translate.context import Context
from gateway.translate.convert import Converter, ManyConverter, Unconvertible

LISTS = partial(codes.find, shipped())
"""The code lists that ship."""
UN, CIQ, CUSTOMS = Context(), Context(code_tables="ciq"), Context(code_tables="customs")


def one(spec: str) -> Converter:
    made = convert.make(spec, LISTS)
    assert isinstance(made, Converter)
    return made


@pytest.mark.parametrize(
    ("spec", "context", "wire", "value", "written"),
    [
        ("text", UN, "A B  ", "A B", "A B"),
        ("number", UN, "1.50", Decimal("1.50"), "1.5"),
        ("number", UN, "1,5", Decimal("1.5"), "1.5"),  # either mark may be used, ISO 9735-1, 10
        ("number", UN, ".5", Decimal("0.5"), "0.5"),
        ("number", UN, "1200", Decimal(1200), "1200"),
        ("number:2", UN, "1250", Decimal("12.50"), "1250"),
        ("integer", UN, "007", 7, "7"),
        ("padded:3", UN, "024", Decimal(24), "024"),  # a representation n3 has three digits, always
        ("digits:4..12", UN, "2204210000", "2204210000", "2204210000"),
        ("flag:1,0", UN, "0", False, "0"),
        ("map:O=1,S=1,A=4", UN, "S", "1", "O"),  # of several wire values the first is written
        ("list:,", UN, "21,97", ["21", "97"], "21,97"),
        ("code:country", UN, "CL", "CL", "CL"),
        ("code:country", CIQ, "152", "CL", "152"),
        ("code:country", CIQ, "CHL", "CL", "152"),  # both forms are read, the first is written
        ("code:country", CUSTOMS, "412", "CL", "CHL"),
        ("code:country:alpha3", UN, "CHL", "CL", "CHL"),
        ("code:currency", CIQ, "840", "USD", "840"),
        ("code:unit", CIQ, "035", "KGM", "035"),
        ("code:transport_mode", CUSTOMS, "5", "4", "5"),
        ("date:102,101", UN, "260304", date(2026, 3, 4), "20260304"),
    ],
)
def test_pair(spec: str, context: Context, wire: str, value: Any, written: str) -> None:
    """Each converter reads what senders write and writes what recipients read."""
    converter = one(spec)
    assert converter.read(wire, context) == value
    assert converter.write(value, context) == written


@pytest.mark.parametrize(
    ("spec", "context", "wire", "code", "kept"),
    [
        ("number", UN, "9O00", "translate.number", None),
        ("number", UN, "1E", "translate.number", None),
        ("number", UN, "NaN", "translate.number", None),
        ("number", UN, "1.2.3", "translate.number", None),
        ("number:2", UN, "1.5", "translate.number", None),
        ("integer", UN, "1.5", "translate.number", None),
        ("integer", UN, "x", "translate.number", None),
        ("digits:4..12", UN, "XXXXXX", "translate.form", None),
        ("flag:1,0", UN, "Y", "translate.code", None),
        ("map:1=a", UN, "2", "translate.code", "2"),
        ("code:country", UN, "XX", "translate.code", "XX"),
        ("code:country", CIQ, "999", "translate.code", "999"),
        # The inspection service's 5 is a passenger; kept as it stands it would be taken for mail.
        # Nor is it wrong: the list is a selection.
        ("code:transport_mode", CIQ, "5", "translate.code.unlisted", None),
        ("datetime:203", UN, "202602300000", "translate.datetime", None),
    ],
)
def test_unreadable(spec: str, context: Context, wire: str, code: str, kept: Any) -> None:
    """What cannot be read has a code, and is kept only where it cannot be mistaken."""
    with pytest.raises(Unconvertible) as caught:
        one(spec).read(wire, context)
    assert (caught.value.code, caught.value.kept) == (code, kept)


@pytest.mark.parametrize(
    ("spec", "context", "value", "code", "kept"),
    [
        ("cut:5", UN, "SAMPLE", "translate.cut", "SAMPL"),
        ("number:2", UN, Decimal("1.234"), "translate.precision", "123"),
        ("padded:3", UN, Decimal("24.5"), "translate.precision", "024"),
        ("padded:3", UN, Decimal(1000), "translate.too_long", None),
        ("map:1=a", UN, "b", "translate.code.unwritable", None),
        ("code:transport_mode", CIQ, "6", "translate.code.unwritable", None),
        ("list:,", UN, ["a,b"], "translate.separator", None),
        ("datetime:203", UN, datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC), "translate.moment_cut", "202603040506"),
    ],
)
def test_unwritable(spec: str, context: Context, value: Any, code: str, kept: Any) -> None:
    """What cannot be written whole is told; what remains of it goes on where it does no harm."""
    with pytest.raises(Unconvertible) as caught:
        one(spec).write(value, context)
    assert (caught.value.code, caught.value.kept) == (code, kept)


@pytest.mark.parametrize(
    "spec",
    [
        "nothing", "text:1", "cut", "cut:x", "cut:0", "padded:0", "number:x", "flag:1", "map:1", "digits:x", "code:nothing",
        "code:country:nothing", "date:HH", "joined:0", "equipment:1",
    ],
)  # fmt: skip
def test_wrong_converter_is_refused(spec: str) -> None:
    """An unknown converter or a wrong argument is a fault of the table, told at loading."""
    with pytest.raises(MappingInvalid):
        convert.make(spec, LISTS)


def test_numbers_have_the_recipients_decimal_mark() -> None:
    """Numbers are written with the mark that UNA gives."""
    comma = Context(delimiters=Delimiters("'", "+", ":", "?", "", ","))
    assert one("number").write(Decimal("1.5"), comma) == "1,5"


@given(st.decimals(0, 10**15, places=6, allow_nan=False))
def test_numbers_come_back(value: Decimal) -> None:
    """Any number is written in plain digits and read as the same number."""
    number = one("number")
    written = number.write(value, UN)
    assert "E" not in written
    assert number.read(written, UN) == value


def test_format_qualifier_of_the_sender_decides() -> None:
    """A date is read in the format that stands beside it, whatever the table writes."""
    converter = one("date:102")
    assert converter.companion == "102"
    assert converter.read_as is not None
    assert converter.read_as("202603041405", "203", UN) == date(2026, 3, 4)


@pytest.mark.parametrize(
    ("number", "cells"), [("CSQU3054383", ["CSQU", "3054383"]), ("TRUCK7", ["TRUCK", "7"]), ("12345", ["", "12345"])]
)
def test_equipment_numbers_are_parted_and_joined(number: str, cells: list[str]) -> None:
    """A container's letters and digits stand in two slots and are one number."""
    pair = convert.make("equipment", LISTS)
    assert isinstance(pair, ManyConverter)
    assert pair.write(number, [4, 10], UN) == cells
    assert pair.read(cells, [4, 10], UN) == number


WORDS = [
    # (converter, whether it reads, what, the words that say why it cannot)
    ("digits:4..12", True, "XXX", {"form": "n4..12"}),
    ("flag:1,0", True, "Y", {"list": "1,0"}),
    ("map:1=a,2=b", True, "3", {"list": "1,2"}),
    ("code:country", True, "XX", {"list": "country:un"}),
    ("date:102,101", True, "2026", {"format": "102,101"}),
    ("datetime:203", True, "2026", {"format": "203"}),
    ("number", True, "x", {}),
    ("cut:5", False, "SAMPLE", {"max": "5"}),
    ("number:2", False, Decimal("1.234"), {"max": "2"}),
    ("padded:3", False, Decimal("24.5"), {"max": "0"}),
    ("padded:3", False, Decimal(1000), {"length": "4", "max": "3"}),
    ("map:1=a,2=b", False, "c", {"list": "a,b"}),
    ("list:;", False, ["a;b"], {"separator": ";"}),
    ("list:", False, ["a,b"], {"separator": ","}),
    ("date:101", False, date(1920, 3, 4), {"format": "101"}),
    ("datetime:201", False, datetime(1920, 3, 4, tzinfo=UTC), {"format": "201"}),
    ("datetime:203", False, datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC), {"written": "202603040506"}),
]


@pytest.mark.parametrize(("spec", "reads", "what", "words"), WORDS)
def test_why_something_cannot_be_is_said_with_all_its_words(
    spec: str, reads: bool, what: Any, words: dict[str, str]
) -> None:
    """With what is allowed and what there is, in a sentence that leaves no gap in either language."""
    converter = one(spec)
    with pytest.raises(Unconvertible) as caught:
        converter.read(what, UN) if reads else converter.write(what, UN)
    assert {name: set(value.split(",")) for name, value in caught.value.words.items()} == {
        name: set(value.split(",")) for name, value in words.items()
    }
    found = make_finding(caught.value.code, Place(), str(what), **caught.value.words)
    assert not any("{" in text(found, language) for language in ("en", "zh"))


def test_a_joined_text_says_how_much_of_it_went_on() -> None:
    """Each slot of its own width, or all of one; what stands in them goes on."""
    for spec, widths in (("joined:3", [9, 9]), ("joined", [3, 3])):
        joined = convert.make(spec, LISTS)
        assert isinstance(joined, ManyConverter)
        assert joined.write("ABCDEF", widths, UN) == ["ABC", "DEF"]
        assert joined.read(["ABC", "DEF"], widths, UN) == "ABCDEF"
        with pytest.raises(Unconvertible) as caught:
            joined.write("ABCDEFG", widths, UN)
        assert (caught.value.code, caught.value.kept, caught.value.words) == (
            "translate.cut",
            ["ABC", "DEF"],
            {"max": "6"},
        )


NUMBERS = [
    ("number", "-1,5", "-1.5"), ("number", ".5", "0.5"), ("number", "5.", "5"), ("number", " 12 ", "12"),
    ("number", "1E3", "1000"), ("number", "1E-2", "0.01"), ("number:2", "150", "1.5"), ("number:2", "-7", "-0.07"),
    ("number:2", "+7", "0.07"), ("integer", "+12", "12"), ("integer", "12.0", "12"), ("integer", "1E2", "100"),
    *(("number", wrong, None) for wrong in ("+1", "1-", "--1", ".", "", "1E", "1E1000", "1E+2", "1 2", "0x1", "١")),
    *(("integer", wrong, None) for wrong in ("1,0", ".5", "1E-1", "1.5", "", "+", "١")),
    *(("number:2", wrong, None) for wrong in ("1.5", "1E2", "", "+-1")),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "wire", "expected"), NUMBERS)
def test_a_number_is_read_in_the_forms_that_the_standards_have(spec: str, wire: str, expected: str | None) -> None:
    """Point or comma, an exponent, a sign where there may be one; what is no number is not guessed at."""
    if expected is None:
        with pytest.raises(Unconvertible) as caught:
            one(spec).read(wire, UN)
        assert caught.value.code == "translate.number"
    else:
        assert one(spec).read(wire, UN) == Decimal(expected)


BEIJING = Context("Asia/Shanghai")
MOMENTS = [
    # (date, time, time code as they stand, the instant)
    (("20260312", "142030", "LT"), datetime(2026, 3, 12, 6, 20, 30, tzinfo=UTC)),
    (("20260312", "1420", "LT"), datetime(2026, 3, 12, 6, 20, tzinfo=UTC)),
    (("20260312", "1420", ""), datetime(2026, 3, 12, 6, 20, tzinfo=UTC)),
    (("20260312", "0620", "UT"), datetime(2026, 3, 12, 6, 20, tzinfo=UTC)),
    (("20260312", "062000", "GM"), datetime(2026, 3, 12, 6, 20, tzinfo=UTC)),
]


@pytest.mark.parametrize(("parts", "instant"), MOMENTS)
def test_a_moment_stands_in_three_elements(parts: tuple[str, ...], instant: datetime) -> None:
    """Local time by the agreement's zone, universal time by its code; it is written in local time."""
    pair = convert.make("moment", LISTS)
    assert isinstance(pair, ManyConverter)
    assert pair.read(parts, (8, 8, 2), BEIJING) == instant
    written = pair.write(instant, (8, 8, 2), BEIJING)
    assert written[2] == "LT"
    assert pair.read(written, (8, 8, 2), BEIJING) == instant


@pytest.mark.parametrize(
    "parts", [("20260312", "1420", "ET"), ("20260312", "", ""), ("20261312", "1420", "LT"), ("", "", "")]
)
def test_a_moment_that_says_less_is_none(parts: tuple[str, ...]) -> None:
    """A day alone, a time of another zone, or no day at all is told, and never taken for an instant."""
    pair = convert.make("moment", LISTS)
    assert isinstance(pair, ManyConverter)
    with pytest.raises(Unconvertible):
        pair.read(parts, (8, 8, 2), BEIJING)
