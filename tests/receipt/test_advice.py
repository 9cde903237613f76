"""A response as APERAK or 824: what it says arrives, in a message that passes our own table."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.catalogue_folders import shipped
from gateway.check import structure, tables
from gateway.documents.response import Outcome, Reason, Response
from gateway.parse import edifact, x12
from gateway.parse.segments import InterchangeBegun, MessageRead, split
from gateway.receipt.advice import aperak, application_advice
from gateway.translate.envelope import Frame

FRAME = Frame("ZZ:CIQ", "ZZ:TRADER", "REF00000000001", datetime(2026, 3, 5, 9, 30, tzinfo=UTC))
REASON = Reason(code="rules.mandatory", text="合同号 is required.", place="BGM 2, 2")


@pytest.mark.parametrize(
    ("response", "bgm", "reasons"),
    [
        (
            Response(id="a" * 32, document="declaration", reference="SD-1", outcome=Outcome.REFUSED, reasons=(REASON,)),
            [["27"], ["RE"]],
            ["BGM 2, 2: 合同号 is required."],
        ),
        # A refusal without reasons still says that it is one.
        (Response(id="b", document="transfer", outcome=Outcome.REFUSED), [["27"], ["RE"]], ["refused"]),
        # What is under way or done is told as accepted; reasons of a review are no refusal.
        (
            Response(id="c", document="declaration", outcome=Outcome.RECEIVED, reasons=(REASON,)),
            [["29"], ["AP"]],
            [],
        ),
    ],
)
def test_what_a_response_says(response: Response, bgm: list[list[str]], reasons: list[str]) -> None:
    """Verdict, reasons and addressee of the APERAK are those of the response, and its own table has nothing against it."""
    events = list(edifact.read(aperak(response, FRAME)))
    assert all(event.findings == [] for event in events)
    (begun,) = (e for e in events if isinstance(e, InterchangeBegun))
    assert (begun.envelope.sender, begun.envelope.recipient) == ("CIQ", "TRADER")
    (read,) = (e for e in events if isinstance(e, MessageRead))
    table = tables.find(shipped(), read.message.type)
    assert table is not None
    assert structure.check(read.message, table).findings == []
    parts = [split(raw, read.message.delimiters) for raw in read.message.segments]
    assert next(p for p in parts if p[0] == ["BGM"])[3:] == bgm
    assert [" ".join(p[4]) for p in parts if p[0] == ["FTX"]] == reasons


@pytest.mark.parametrize(
    ("response", "oti", "reasons"),
    [
        # Of a reference that is nothing but delimiters X12 can carry nothing, and OTI03 is mandatory.
        (
            Response(id="d", document="manifest", reference="~*~", outcome=Outcome.REFUSED),
            ["TR", "TN", "?"],
            ["refused"],
        ),
        (
            Response(id="a" * 32, document="manifest", reference="320N", outcome=Outcome.REFUSED, reasons=(REASON,)),
            ["TR", "TN", "320N"],
            ["BGM 2, 2: 合同号 is required. (rules.mandatory)"],
        ),
        # A refusal without reasons still says that it is one.
        (Response(id="b", document="manifest", outcome=Outcome.REFUSED), ["TR", "TN", "manifest"], ["refused"]),
        # A lock at the port: the manifest was taken, and this is why its goods stay.
        (
            Response(id="c", document="manifest", number="9", outcome=Outcome.HELD, reasons=(REASON,)),
            ["TE", "TN", "9"],
            ["BGM 2, 2: 合同号 is required. (rules.mandatory)"],
        ),
        (Response(id="d", document="manifest", number="9", outcome=Outcome.RELEASED), ["TA", "TN", "9"], []),
    ],
)
def test_what_a_response_says_in_x12(response: Response, oti: list[str], reasons: list[str]) -> None:
    """Verdict, reasons and addressee of the 824 are those of the response, and its own table has nothing against it."""
    frame = replace(FRAME, reference="7")
    events = list(x12.read(application_advice(response, frame)))
    assert all(event.findings == [] for event in events)
    (begun,) = (e for e in events if isinstance(e, InterchangeBegun))
    assert (begun.envelope.sender, begun.envelope.recipient, begun.envelope.reference) == ("CIQ", "TRADER", "000000007")
    (read,) = (e for e in events if isinstance(e, MessageRead))
    table = tables.find(shipped(), read.message.type)
    assert table is not None
    assert structure.check(read.message, table).findings == []
    parts = [raw.split("*") for raw in read.message.segments]
    assert next(p for p in parts if p[0] == "OTI")[1:] == oti
    assert [p[2] for p in parts if p[0] == "TED"] == reasons
