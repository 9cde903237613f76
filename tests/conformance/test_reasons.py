"""A rejection always says why: over all findings of the catalogue, in both dialects and all forms of acknowledgement."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from gateway.catalogue_folders import shipped
from gateway.findings import catalogue, make_finding
from gateway.model import Finding, Place, Severity, Syntax
from gateway.parse import edifact as edifact_reader
from gateway.parse import x12 as x12_reader
from gateway.parse.segments import Envelope, Group, GroupEnded, InterchangeBegun, MessageType
from gateway.receipt import acknowledgement, x12
from tests.conformance import rig
from tests.conformance.test_rules import FRAMES

ERRORS = [code for code, entry in catalogue().items() if entry.severity is Severity.ERROR]
PLACES = {
    "an element": Place("1", 3, "P4", 2, 1),
    "a segment": Place("1", 3, "P4"),
    "the message": Place("1", 1, "ST"),
    "nowhere": Place(),
    "a path": Place(path="/goods/0/use"),
}


@dataclass
class Verdict:
    type: MessageType
    reference: str
    findings: list[Finding] = field(default_factory=list)
    group: int = -1


def envelope(frame: str) -> Envelope:
    """The envelope of a frame."""
    read = edifact_reader.read if frame.startswith("e") else x12_reader.read
    begun = next(iter(read(FRAMES[frame].encode())))
    assert isinstance(begun, InterchangeBegun)
    return begun.envelope


EDIFACT = {frame: envelope(frame) for frame in ("edi3", "edi4", "edia")}
X12 = envelope("x309")


@pytest.mark.parametrize("frame", EDIFACT)
@pytest.mark.parametrize("place", PLACES)
def test_contrl_says_why(frame: str, place: str) -> None:
    """Whatever is found, in a message, a group or the interchange: CONTRL has a code for it, and is valid."""
    type_ = MessageType(Syntax.EDIFACT, "CUSDEC", "D", "96B", "UN")
    group = Group([["UNG"], ["CUSDEC"], ["A"], ["B"]], reference="G1")
    for code in ERRORS:
        found = [make_finding(code, PLACES[place], "VALUE")]
        for interchange, of_group, of_message in ((found, [], []), ([], found, []), ([], [], found)):
            answer = acknowledgement.contrl(
                shipped(),
                EDIFACT[frame],
                interchange,
                [Verdict(type_, "M1", of_message, 0)],
                [GroupEnded(group, 1, of_group)],
                reference="R1",
                at=rig.AT,
            )
            assert not answer.faults, code
            acknowledged = answer.body.decode()
            assert rig.bare_rejections(acknowledged) == [], (code, acknowledged)


@pytest.mark.parametrize("version", ["004010", "005010"])
@pytest.mark.parametrize("place", PLACES)
def test_997_and_999_say_why(version: str, place: str) -> None:
    """Whatever is found in a set: AK5 or IK5 has a code for it, AK3 with code 8 has its AK4, and all of it is valid."""
    group = Group([], "SO", "SENDER", "RECIPIENT", "7", version)
    for code in ERRORS:
        verdict = x12.SetVerdict("309", "0001", [make_finding(code, PLACES[place], "VALUE", number="310")])
        body = x12.group_acknowledgement(shipped(), group, [verdict], form=x12.Form.IMPLEMENTATION)
        assert body is not None
        header = x12.reply_group(group, "1", form=x12.Form.IMPLEMENTATION)
        answer = acknowledgement.functional(shipped(), X12, None, [(header, [body])], reference="1", at=rig.AT)
        assert not answer.faults, code
        acknowledged = answer.body.decode()
        assert rig.bare_rejections(acknowledged) == [], (code, acknowledged)
        assert "*R*" in acknowledged


def test_ta1_says_why() -> None:
    """Whatever is found in an interchange: TA1 has a code for it that is not 000, and is valid."""
    for code in ERRORS:
        ta1 = x12.interchange_acknowledgement(X12, [make_finding(code, Place(tag="ISA"), "VALUE")], rig.AT)
        assert ta1 is not None
        answer = acknowledgement.functional(shipped(), X12, ta1, [], reference="1", at=rig.AT)
        assert not answer.faults, code
        assert "*R*" in ta1
        assert not ta1.endswith("*000"), code


def test_codes_of_groups_are_of_groups() -> None:
    """Whatever the reader finds in GS and GE has a code of AK905, or one of TA105, since either rejects with a reason."""
    entries = [entry for code, entry in catalogue().items() if code.startswith(("x12.gs.", "x12.ge."))]
    assert [e.code for e in entries if not (e.x12_group or e.ta1 or e.x12_set)] == []


def test_what_does_not_pass_is_said_with_less() -> None:
    """An answer that our own check refuses is not sent; one that says less is, and the fault is there to be told."""
    group = Group([], "SO", "SENDER", "RECIPIENT", "7", "004010")
    body = x12.group_acknowledgement(shipped(), group, [x12.SetVerdict("309", "0001")])
    assert body is not None
    header = x12.reply_group(group, "1")
    spoilt = [(header, [replace(body, segments=["AK1*SO*7", "AK2*X", *body.segments[1:]])])]
    answer = acknowledgement.functional(shipped(), X12, None, spoilt, reference="1", at=rig.AT)
    assert b"AK1*SO*7~AK9*A" in answer.body
    assert answer.faults
    nothing = [(header, [replace(body, segments=["AK9*Q"])])]
    assert acknowledgement.functional(shipped(), X12, None, nothing, reference="1", at=rig.AT).body == b""
