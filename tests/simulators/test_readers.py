from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway import data
from gateway.simulators.behaviour import Behaviour, behaviour
from gateway.simulators.readers import edifact_segments, find, summary

CONTRL = "UNB+UNOC:3+CIQ+AGENT+260305:0930+R1'UNH+1+CONTRL:D:3:UN'UCI+IMP1+AGENT+CIQ+7{more}'{ucm}UNT+{n}+1'UNZ+1+R1'"


@pytest.mark.parametrize(
    ("number", "asked"),
    [
        ("REJ-0815", Behaviour.REJECT),
        ("mis 1", Behaviour.MISMATCH),
        ("SIL", Behaviour.SILENCE),
        ("0815-REJ", Behaviour.ACCEPT),  # only the beginning counts
        ("", Behaviour.ACCEPT),
    ],
)
def test_behaviour(number: str, asked: Behaviour) -> None:
    """The first three letters of a test number pick the behaviour, and nothing else does."""
    assert behaviour(number) is asked


def test_edifact_is_split_with_its_own_separators() -> None:
    """UNA's separators hold, the release character frees what follows it, and line breaks between segments are none."""
    text = "UNA|^.# ~UNB^UNOC|3^A#^B~\r\nUNZ^0^1~"
    assert edifact_segments(text) == [[["UNB"], ["UNOC", "3"], ["A^B"]], [["UNZ"], ["0"], ["1"]]]


def test_a_rejected_message_in_an_acknowledged_interchange_is_rejected() -> None:
    """UCI 7 leaves it to UCM to reject: the action that counts is 4."""
    accepted = summary(CONTRL.format(more="", ucm="", n=3).encode())
    rejected = summary(CONTRL.format(more="", ucm="UCM+M1+CUSDEC:D:96B:UN+4+12'", n=4).encode())
    assert (accepted["kind"], accepted["answers"], accepted["action"]) == ("CONTRL", ["IMP1"], "7")
    assert (rejected["answers"], rejected["action"]) == (["IMP1", "M1"], "4")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("UNB+UNOC:3+A+B+260305:0930+R1'UNH+1+CONTRL:D:3:UN'UNT+3+1'UNZ+1+R1'", "count of segments"),
        ("UNB+UNOC:3+A+B+260305:0930+R1'UNH+1+CONTRL:D:3:UN'UNT+2+1'UNZ+2+R1'", "count of messages"),
        ("UNB+UNOC:3+A+B+260305:0930+R1'UNH+1+CONTRL:D:3:UN'UNT+2+1'", "no complete interchange"),
        ("UNB+UNOC:3+A+B+260305:0930+R1'UNZ+0+R1'", "no message"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "document type"),
        ("<a><b></a>", "mismatched tag"),
        ("[1]", "JSON object"),
        ("", "Expecting value"),
    ],
)
def test_unreadable(body: str, why: str) -> None:
    """What is incomplete, miscounted or unsafe is refused with a reason."""
    with pytest.raises(ValueError, match=why):
        summary(body.encode())


def test_x12_acknowledgement() -> None:
    """A 997 names the group and the set it answers, and what became of them; a TA1 the interchange."""
    isa = f"ISA*00*{' ' * 10}*00*{' ' * 10}*ZZ*{'CIQ':15}*ZZ*{'PORT':15}*261122*0738*U*00401*000000007*0*P*>~"
    group = "GS*FA*CIQ*PORT*20261122*0738*1*X*004010~ST*997*0001~AK1*AQ*31~AK2*309*0001~AK5*E*5~AK9*E*1*1*1~SE*6*0001~GE*1*1~"
    found = summary(f"{isa}{group}IEA*1*000000007~".encode())
    assert (found["kind"], found["answers"], found["action"]) == ("997", ["31", "0001"], "E")
    refused = summary(f"{isa}TA1*000002910*230525*2048*R*025~IEA*0*000000007~".encode())
    assert (refused["kind"], refused["answers"], refused["action"]) == ("TA1", ["000002910"], "R")
    with pytest.raises(ValueError, match="no complete interchange"):
        summary(f"{isa}{group}IEA*1*000000008~".encode())


def test_xml_becomes_nested_values() -> None:
    """Names lose their namespaces, attributes stand beside, what repeats becomes a list, and the root is the kind."""
    body = '<N xmlns="urn:x"><Goods><Quantity unit="KGM">5</Quantity></Goods><Goods/><kind>24</kind></N>'
    found = summary(body.encode())
    assert found == {"kind": "N", "Goods": [{"Quantity": "5", "Quantity@unit": "KGM"}, ""]}
    assert find(found, "Quantity") == "5"
    assert find(found, "Nothing") == ""


def test_json_names_its_format() -> None:
    """A document's own item called `kind` (报检类别) does not hide what format it came in."""
    message = {"format": "json:declaration:1", "reference": "R", "document": {"kind": "24", "number": "N"}}
    assert summary(json.dumps(message).encode()) == {"kind": "json:declaration:1", "number": "N"}


SAMPLES = sorted(p for p in data.samples().glob("*/*/out.*") if p.suffix in (".edi", ".xml"))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda p: f"{p.parent.name}-{p.name}")
def test_what_the_gateway_writes_is_read(path: Path) -> None:
    """Every sample that shows what the gateway writes as XML or a whole interchange is understood by the stranger's reader."""
    body = path.read_bytes()
    if path.suffix == ".edi" and not body.lstrip().startswith((b"UNA", b"UNB")):
        body = f"UNB+UNOC:3+A+B+260305:0930+R1'{body.decode()}UNZ+1+R1'".encode()
    assert summary(body)["kind"]
