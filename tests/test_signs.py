"""What partners write is data wherever a person reads it."""

from __future__ import annotations

import json
import tomllib
import unicodedata

import pytest

from gateway.signs import LONGEST_VALUE, escaped_json, shown, visible, visible_lines

ACTING = [
    *range(0x20),
    *range(0x7F, 0xA0),
    *(0xAD, 0x61C, 0x200B, 0x200C, 0x200D, 0x200E, 0x200F, 0x2028, 0x2029, 0xFEFF, 0xD800, 0xDFFF, 0xE0041),
    *range(0x202A, 0x202F),
    *range(0x2066, 0x206A),
    *(0x3164, 0xFE0F),
]


@pytest.mark.parametrize("number", ACTING)
def test_what_acts_is_seen(number: int) -> None:
    """Each control, bidirectional and unseen character stands as printable ASCII, and JSON keeps its value."""
    value = f"a{chr(number)}b"
    seen = visible(value)
    assert seen.isascii()
    assert seen.isprintable()
    assert visible(seen) == seen
    if not 0xD800 <= number <= 0xDFFF:
        assert tomllib.loads(f'x = "{seen}"')["x"] == value
    written = escaped_json(json.dumps(value, ensure_ascii=False))
    assert written.isascii()
    assert json.loads(written) == value


@pytest.mark.parametrize("text", ["出口报检单 一", "Łódź", "a\\b", "مرحبا", "[red]", "𠮷", "　"])
def test_letters_stay(text: str) -> None:
    """What stands on the screen by itself is not changed."""
    assert visible(text) == text
    assert escaped_json(text) == text


def test_no_character_of_those_classes_passes() -> None:
    """Over all of Unicode, nothing of Cc, Cf, Cs, Zl, Zp is left."""
    every = visible("".join(map(chr, range(0x110000))), 0x110000)
    assert not {unicodedata.category(c) for c in every} & {"Cc", "Cf", "Cs", "Zl", "Zp"}


def test_own_newlines_stay() -> None:
    """Of a text of ours, the lines stay lines."""
    assert visible_lines("a\nb\x1b\r\n") == "a\nb\\u001b\\u000d\n"


def test_a_long_value_is_cut() -> None:
    """Megabytes are not poured over the screen; how long it was is said."""
    assert shown("x" * 5_000_000) == "x" * LONGEST_VALUE + "… (5000000 characters)"
