"""The EDIFACT service segments against the service directory, each at the level that answers for it."""

from datetime import date

import pytest

from gateway.catalogue_folders import shipped
from gateway.check import rulebook, structure
from gateway.findings import catalogue
from gateway.model import Severity
from gateway.parse import edifact
from gateway.parse.segments import MessageRead
from gateway.trip.examine import Examiner
from gateway.trip.examined import ANY, Interchange

UNB = "UNB+UNOA:3+S:ZZ+R:ZZ+260305:0930+I1'"
UNG = "UNG+CONTRL+S+R+260305:0930+G1+UN+D:3'"
MESSAGE = "UNH+1+CONTRL:D:3:UN'UCI+A+B+C+7'UNT+3+1'"
WHOLE = f"{UNB}{UNG}{MESSAGE}UNE+1+G1'UNZ+1+I1'"


def levels(payload):
    """What is found at each level: (code, tag, element) of the interchange, of its groups, of its messages."""
    examiner = Examiner(shipped(), [ANY], rulebook.load(shipped()).at(date(2026, 3, 5)))
    *_, ended = examiner.events(edifact.read(payload.encode()))
    assert isinstance(ended, Interchange)
    of_groups = [f for group in ended.groups for f in group.findings]
    of_messages = [f for verdict in ended.verdicts for f in verdict.findings if f.code != "edi.message.no_table"]
    return [
        [(f.code.removeprefix("edi."), f.place.tag, f.place.element) for f in found]
        for found in (ended.findings, of_groups, of_messages)
    ]


def test_sound_service_segments_have_no_findings():
    """Nothing is found where nothing is wrong, whatever the syntax version."""
    assert levels(WHOLE) == [[], [], []]
    assert levels(WHOLE.replace("UNOA:3", "UNOA:4").replace("260305", "20260305")) == [[], [], []]


@pytest.mark.parametrize(
    ("old", "new", "interchange", "group", "message"),
    [
        ("UNZ+1+I1", "UNZ+1+I1+X+Y+Z", [("segment.too_many_elements", "UNZ", 3)], [], []),
        ("UNZ+1+I1", "UNZ+1:1+I1", [("element.too_many_components", "UNZ", 1)], [], []),
        ("UNE+1+G1", "UNE+1+G1+X", [], [("segment.too_many_elements", "UNE", 3)], []),
        ("UNG+CONTRL+S", "UNG+CONTRL+", [], [("element.missing", "UNG", 2)], []),
        ("UNG+CONTRL", "UNG+CONTRLX", [], [("element.too_long", "UNG", 1)], []),
        ("0+G1+UN+D:3'", "0+G1+UN+D'", [], [("element.missing", "UNG", 7)], []),
        ("UNH+1+CONTRL", "UNH+1+NOSUCHTYPE", [], [("edifact.group.type", "UNG", 1)], [("element.too_long", "UNH", 2)]),
        ("CONTRL:D:3:UN'UCI", "CONTRL:D:3:UN+A++B'UCI", [], [], [("segment.too_many_elements", "UNH", 5)]),
        ("UNT+3+1", "UNT+3+1+X", [], [], [("segment.too_many_elements", "UNT", 3)]),
    ],
)
def test_faults_of_service_segments(old, new, interchange, group, message):
    """UNG and UNE are the group's, UNZ the interchange's, UNH and UNT the message's, with a table or without."""
    assert levels(WHOLE.replace(old, new)) == [interchange, group, message]
    if old not in MESSAGE:
        assert levels(
            WHOLE.replace("CONTRL", "NOSUCH").replace(old.replace("CONTRL", "NOSUCH"), new.replace("CONTRL", "NOSUCH"))
        ) == [interchange, group, message]


def test_nothing_but_references():
    """The header of a group that says nothing lacks all that it must say."""
    payload = f"{UNB}UNG+CONTRL'{MESSAGE}UNE+1+'UNZ+1+I1+X+Y+Z'"
    of_interchange, of_group, of_message = levels(payload)
    assert of_interchange == [("segment.too_many_elements", "UNZ", 3)]
    missing = [(tag, element) for code, tag, element in of_group if code == "element.missing"]
    assert missing == [("UNG", element) for element in range(2, 8)] + [("UNE", 2)]
    assert of_message == []


def test_ends_of_a_message_without_table_are_placed_in_it():
    """They carry the message's reference and position, and do not hide that there is no table."""
    payload = f"{UNB}UNH+1+NOSUCH:D:96B:UN+A++B'ABC+1'UNT+3+1+9'UNZ+1+I1'"
    (read,) = [e.message for e in edifact.read(payload.encode()) if isinstance(e, MessageRead)]
    found = structure.check_ends(shipped(), read)
    assert [(f.code, f.place.message, f.place.segment) for f in found] == [
        ("edi.segment.too_many_elements", "1", 1),
        ("edi.segment.too_many_elements", "1", 3),
    ]
    assert all(f.severity is Severity.ERROR and catalogue()[f.code].contrl for f in found)
