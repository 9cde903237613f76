"""The X12 tables: what they hold, and where the facts are from."""

import json
import re
from pathlib import Path
from xml.etree.ElementTree import parse

import pytest
import pyx12

from gateway import data
from gateway.catalogue_folders import shipped
from gateway.check import structure, tables
from gateway.model import Syntax
from gateway.parse import x12
from gateway.parse.segments import Delimiters, Envelope, MessageRead, MessageType, SegmentMessage

X12 = data.schemas() / "x12"
FOLDERS = sorted(path for path in X12.iterdir() if path.is_dir())
MESSAGES = [name for name in tables.available(shipped()) if name.startswith("schemas/x12/")]


def find(name, version):
    return tables.find(shipped(), MessageType(Syntax.X12, name, version))


@pytest.mark.parametrize(
    ("name", "version", "found"),
    [
        ("309", "004010", "x12:309:004010"),
        ("824", "004010", "x12:824:004010"),
        ("997", "004010", "x12:997:004010"),
        ("997", "004010X091A1", "x12:997:004010"),
        ("999", "005010X231A1", "x12:999:005010"),
        ("824", "005010X186A1", "x12:824:005010"),
        ("TA1", "", "x12:TA1:"),
        ("ISA", "", "x12:ISA:"),
        ("356", "004010", "x12:356:004010"),
        ("355", "004060", "x12:355:004060"),
        # no source gives the facts of these
        ("309", "006050", None),
        ("356", "004060", None),
    ],
)
def test_a_table_is_found_by_set_and_version(name, version, found):
    """A set's table is found by ST01 and version; a version without facts has none, and is not checked by another's."""
    table = find(name, version)
    assert (table and table.format) == found


@pytest.mark.parametrize("name", MESSAGES)
def test_every_table_resolves_and_names_its_source(name):
    """Each message file loads, and says where its structure is from; what is not known of an element is said there."""
    table = tables.load(shipped(), name)
    assert table.source
    assert table.nodes[0].minimum == 1
    unchecked = {node.tag for node in table.nodes for use in node.elements if use.unchecked}
    folder = X12 / table.format.partition(":004")[2].join(("004", "")) if ":004" in table.format else X12
    for tag in unchecked:
        directories = [json.loads((part / "directory.json").read_text()) for part in (folder, X12 / "004010")]
        assert any("left unchecked" in directory["sources"].get(tag, "") for directory in directories), tag


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_segment_names_its_source(folder):
    """Each segment that a directory defines has a source of its own, and so have its codes and syntax notes."""
    directory = json.loads((folder / "directory.json").read_text())
    assert directory["source"]
    expected = set(directory["segments"]) | ({"codes", "notes"} & set(directory))
    assert expected <= set(directory["sources"])


def test_a_309_has_its_loops():
    """The 309 nests port, bill, party, in-bond, equipment, description and hazard, as its two sources say."""
    table = find("309", "004010")
    loops = {group.name: (table.groups[group.parent].name, group.maximum) for group in table.groups[1:]}
    assert loops == {
        "P4": ("", 20),
        "LX": ("P4", 9999),
        "N1": ("LX", 5),
        "M12": ("LX", 1),
        "VID": ("LX", 999),
        "N10": ("VID", 999),
        "H1": ("N10", 10),
    }
    assert [node.tag for node in table.nodes] == (
        [
            "ST",
            "M10",
            "P4",
            "LX",
            "M13",
            "M11",
            "N9",
            "N1",
            "N3",
            "N4",
            "DTM",
            "PER",
            "M12",
            "P5",
            "VID",
            "VC",
            "N10",
            "H1",
            "H2",
            "SE",
        ]
    )


@pytest.mark.parametrize(
    ("name", "version", "tag", "position", "facts"),
    [
        ("309", "004010", "M10", 1, ("140", "ID", 2, 4, True)),
        ("309", "004010", "M11", 1, ("598", "AN", 1, 12, True)),
        ("309", "004010", "P4", 2, ("373", "DT", 8, 8, True)),
        ("309", "004010", "VID", 3, ("-", "AN", 1, 10, True)),
        ("309", "004010", "N10", 2, ("369", "AN", 1, 45, False)),
        ("997", "004010", "AK3", 3, ("447", "AN", 1, 6, False)),
        ("999", "005010", "IK3", 3, ("447", "AN", 1, 4, False)),
        ("999", "005010", "AK1", 3, ("480", "AN", 1, 12, False)),
        ("824", "004010", "BGN", 2, ("127", "AN", 1, 30, True)),
        ("824", "005010", "BGN", 2, ("127", "AN", 1, 50, True)),
    ],
)
def test_elements_have_the_facts_of_their_version(name, version, tag, position, facts):
    """Element number, type, lengths and requirement, also where two versions differ."""
    node = next(node for node in find(name, version).nodes if node.tag == tag)
    use = node.elements[position - 1]
    assert (use.item, use.kind, use.min_length, use.max_length, use.mandatory) == facts


def test_acknowledgement_codes_follow_the_version():
    """Group code 19 exists from 005010 on; the codes of a 999 are not those of a 997."""

    def codes(name, version, tag, position):
        node = next(node for node in find(name, version).nodes if node.tag == tag)
        return node.elements[position - 1].codes

    assert "19" not in codes("997", "004010", "AK9", 5)
    assert "19" in codes("999", "005010", "AK9", 5)
    assert "I9" in codes("999", "005010", "IK3", 4)
    assert codes("997", "004010", "AK3", 4) == frozenset("12345678")


def test_no_prose_is_shipped():
    """The tables hold numbers, types and codes; the only words are those that name a source."""
    for path in X12.glob("*/*.json"):
        content = json.loads(path.read_text())
        content.pop("source")
        content.pop("sources", None)
        words = re.findall(r"[A-Za-z]{6,}", json.dumps(content))
        assert set(words) <= {"formats", "structure", "segments", "elements", "composites", "extends", "control"}


@pytest.mark.parametrize(
    ("raw", "codes"),
    [
        ("TA1*000000007*260301*0930*A*000", []),
        ("TA1*7*260301*0930*A*000", ["edi.element.too_short"]),
        ("TA1*000000007*260301*0930*X*000", ["edi.element.unknown_code"]),
        ("TA1*000000007*260301*0930*A*999", ["edi.element.unknown_code"]),
        ("TA1*000000007*260301*0930", ["edi.element.missing", "edi.element.missing"]),
    ],
)
def test_ta1_is_checked_like_a_message(raw, codes):
    """A TA1 read on its own is checked against its table."""
    message = SegmentMessage(
        MessageType(Syntax.X12, "TA1"),
        "000000007",
        [raw],
        Delimiters("~", "*", ">"),
        1,
        Envelope(Syntax.X12, Delimiters("~", "*", ">"), []),
    )
    assert [f.code for f in structure.check(message, find("TA1", "")).findings] == codes


def test_the_envelope_itself_is_a_table():
    """A whole interchange without its sets, taken as one message, fits the table of ISA."""
    wire = (
        "ISA*00*          *00*          *ZZ*SENDER         *ZZ*RECIPIENT      *260301*0930*U*00401*000000007*0*P*>~"
        "TA1*000000003*260228*0930*A*000~GS*SO*SENDER*RECIPIENT*20260301*0930*12*X*004010~GE*0*12~IEA*1*000000007~"
    )
    assert not [e for e in x12.read(wire.encode()) if isinstance(e, MessageRead) and e.message.type.name != "TA1"]
    delimiters = Delimiters("~", "*", "\x1f")
    segments = wire.split("~")[:-1]
    kind = MessageType(Syntax.X12, "ISA")
    message = SegmentMessage(kind, "", segments, delimiters, 1, Envelope(Syntax.X12, delimiters, []))
    assert structure.check(message, find("ISA", "")).findings == []


NUMBERED = {"PWK": 8, "SE": 2, "K3": 2, "PID": 5, "MEA": 9, "LIN": 31, "CTT": 2}
"""Segments whose elements pyx12's maps of 004010 number, and how many of their elements."""


def test_element_numbers_are_those_of_an_independent_map():
    """What pyx12's own maps of 004010 number, type and bound, our directory numbers, types and bounds alike."""
    folder = Path(pyx12.__file__).parent / "map"
    facts = {one.get("ele_num"): one.attrib for one in parse(folder / "dataele.xml").iter("data_ele")}
    said: dict[str, set[str]] = {}
    for path in folder.glob("*.4010*.xml"):
        for segment in parse(path).iter("segment"):
            for element in segment.findall("element"):
                said.setdefault(element.get("xid", ""), set()).add(element.findtext("data_ele", ""))
    directory = json.loads((X12 / "004010" / "directory.json").read_text())
    for tag, count in NUMBERED.items():
        numbered = {}
        for position, use in enumerate(directory["segments"][tag], 1):
            if (number := use.split(" ")[0]).isdigit():
                numbered[position] = number
                assert said[f"{tag}{position:02}"] == {number}
                kind, _, size = directory["elements"][number].partition(" ")
                shortest, _, longest = size.partition("..")
                theirs = facts[number]
                assert (kind, shortest, longest or shortest) == (
                    theirs["data_type"],
                    theirs["min_len"],
                    theirs["max_len"],
                ), (tag, position)
        assert len(numbered) == count
