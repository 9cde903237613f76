"""Interactive interchanges (ISO 9735-3): read, refused by name, and never in silence, however they are cut or broken."""

from __future__ import annotations

import random

import pytest

from gateway.parse import edifact
from gateway.parse.segments import InterchangeBegun, InterchangeEnded, MessageRead
from tests.conformance.test_rules import FRAMES

INTERACTIVE = FRAMES["inter"]
BATCH = FRAMES["edi4"]


def events(text: str, size: int = 1 << 20) -> list[object]:
    """What is read of `text`, given in pieces of that size."""
    body = text.encode()
    return list(edifact.read(body[start : start + size] for start in range(0, len(body), size)))


def test_a_dialogue_is_read() -> None:
    """Its parties, its reference, its messages from UIH to UIT with their type, and its end."""
    begun, read, ended = events(INTERACTIVE)
    assert isinstance(begun, InterchangeBegun)
    envelope = begun.envelope
    assert (envelope.sender, envelope.recipient, envelope.reference, envelope.date) == (
        "ACME",
        "PORT",
        "DLG",
        "20260105",
    )
    assert [found.code for found in begun.findings] == ["edifact.interactive"]
    assert isinstance(read, MessageRead)
    assert (read.message.type.format, read.message.reference) == ("edifact:IHCEBI:D:99B:UN", "M1")
    assert [raw[:3] for raw in read.message.segments] == ["UIH", "MSD", "ABC", "UIT"]
    assert read.findings == []
    assert isinstance(ended, InterchangeEnded)
    assert (ended.message_count, ended.findings) == (1, [])


@pytest.mark.parametrize("text", [INTERACTIVE + BATCH, BATCH + INTERACTIVE, INTERACTIVE * 2, INTERACTIVE[:-10] + BATCH])
def test_it_stands_beside_others(text: str) -> None:
    """Each interchange of a payload is one of its own, also where the dialogue lacks its end."""
    found = events(text)
    assert [type(event) for event in found] == [InterchangeBegun, MessageRead, InterchangeEnded] * 2
    assert len([event for event in found if isinstance(event, InterchangeEnded) and event.findings]) == (
        "UIZ" not in text
    )


def test_however_it_comes_it_is_the_same() -> None:
    """Mutated at random, nothing raises, nothing is silent, and pieces make no difference."""
    draw = random.Random(9735)
    for _ in range(400):
        text = INTERACTIVE
        for _ in range(draw.randrange(1, 5)):
            at = draw.randrange(len(text))
            text = (
                text[:at]
                + draw.choice(["", "'", "+", "UIH+", "UIT'", "UIZ'", "UIR+1'", "UNH+1", "?"])
                + text[at + draw.randrange(4) :]
            )
        whole = events(text)
        assert [repr(event) for event in whole] == [repr(event) for event in events(text, 5)], text
        assert any(getattr(event, "findings", ()) for event in whole), text
