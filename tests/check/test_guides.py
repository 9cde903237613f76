"""What tables say beyond directories: minima, choices, qualifiers, what is not used, notes; and guides that narrow them."""

import json
from dataclasses import replace
from typing import Any

import pytest

from gateway.catalogue_folders import shipped
from gateway.check import definitions, guides, structure, tables
from gateway.errors import SchemaInvalid
from gateway.findings import text
from gateway.model import Syntax
from gateway.parse.edifact import DEFAULT
from gateway.parse.segments import Delimiters, Group, MessageType
from gateway.receipt import x12 as acknowledged
from gateway.trip.examine import examine
from gateway.trip.examined import ANY
from tests.catalogues import over_shipped, with_files
from tests.check.test_structure import message
from tests.conformance import rig

X12 = Delimiters("~", "*", ":")

# A table that says each of the things that directories do not, by the form alone.
FACTS: dict[str, Any] = {
    "formats": ["edifact:TEST:D:96B:UN"],
    "source": "test",
    "structure": [
        "UNH M 1",
        "RFF M 2..3",
        ["SG1 C 9", ["SG2 M 2", "AAA M 1", "BBB C 1"], "CCC C 1"],
        {"any": ["NAD/CN M 1", "NAD/CZ C 2", "NAD C 1"]},
        ["SG3 M 2..9", "DDD M 1", "EEE C 1", "FTX N 1"],
        ["SG4 N 9", "GGG M 1"],
        "UNT M 1",
    ],
    "segments": {
        "UNH": ["1 M"],
        "RFF": ["C506 M"],
        "AAA": ["1 C"],
        "BBB": ["1 C"],
        "CCC": ["1 C"],
        "NAD": ["3035 M", "1 C"],
        "NAD/CN": ["3035 M", "1 M"],
        "DDD": ["6 C n..5,2", "1 N", "1 C 2..3", "1 C an..9 ~[A-Z]{2}[0-9]+"],
        "EEE": ["1 C =X,Y"],
        "FTX": ["1 C"],
        "GGG": ["1 C"],
        "UNT": ["1 C"],
    },
    "composites": {"C506": ["1153 M", "1154 C", "1156 C"]},
    "elements": {"1": "an..3", "3035": "an..3", "1153": "an..3", "1154": "an..35", "1156": "an..6", "6": "n..5"},
    "codes": {"3035": "CN CZ DP"},
    "qualifiers": {"NAD/CN": "1=CN", "NAD/CZ": "1=CZ"},
    "notes": {"C506": ["C0302"]},
    "between": {"SG3": ["E0203"], "message": ["E0306"]},
}
RIGHT = ["UNH+1", "RFF+A", "RFF+B", "NAD+CN+1", "DDD", "DDD", "UNT"]


def resolved(**changes):
    return definitions.resolve(Syntax.EDIFACT, {**FACTS, **changes}, [], "TEST")


FORM = resolved()


def found(segments, table=FORM, delimiters=DEFAULT):
    """The findings, each as its code and place: `edi.` is left out."""
    checked = structure.check(message(segments, delimiters), table)
    return [f"{f.code.removeprefix('edi.')}@{_place(f.place)}" for f in checked.findings]


def _place(place):
    """`BGM#2.2.1`: segment, its number, element and component."""
    inner = "".join(f".{part}" for part in (place.element, place.component) if part)
    return f"{place.tag}#{place.segment}{inner}"


def changed(*rows):
    """RIGHT with changes: `at` and what stands there instead."""
    segments = list(RIGHT)
    for at, new in sorted(rows, key=lambda row: row[0], reverse=True):
        segments[at : at + 1] = new
    return segments


@pytest.mark.parametrize(
    ("segments", "codes"),
    [
        (RIGHT, []),
        # at least two, at most three
        (changed((1, [])), ["segment.too_few"]),
        (changed((1, []), (2, [])), ["segment.missing"]),
        (changed((1, ["RFF+A", "RFF+C"])), []),
        (changed((1, ["RFF+A", "RFF+C", "RFF+D"])), ["segment.too_many"]),
        # a group at least twice
        (changed((4, [])), ["group.too_few"]),
        (changed((4, []), (5, [])), ["group.missing"]),
        # a group opens with a group, which opens both; one of two a turn
        (changed((3, ["AAA", "AAA", "CCC", "AAA", "BBB", "NAD+CN+1"])), []),
        (changed((3, ["AAA", "AAA", "AAA", "NAD+CN+1"])), []),
        (changed((3, [*["AAA", "AAA", "CCC"] * 9, "NAD+CN+1"])), []),
        (changed((3, [*["AAA", "CCC"] * 10, "NAD+CN+1"])), ["group.too_many"]),
        (changed((3, ["BBB", "CCC", "NAD+CN+1"])), ["segment.missing"]),
        # one position, in any order; the first is mandatory, each as often as it may stand
        (changed((3, ["NAD+CZ", "NAD+CN+1", "NAD+CZ"])), []),
        (changed((3, ["NAD+DP", "NAD+CN+1"])), []),
        (changed((3, ["NAD+CZ", "NAD+CZ"])), ["segment.missing"]),
        (changed((3, ["NAD+CN+1", "NAD+CN+2"])), ["segment.too_many"]),
        (changed((3, ["NAD+CN+1", "NAD+CZ", "NAD+CZ", "NAD+CZ"])), ["segment.too_many"]),
        # by its qualifier a segment has another definition
        (changed((3, ["NAD+CN"])), ["element.missing"]),
        # not used: a segment, a group, an element
        (changed((4, ["DDD", "FTX+A"])), ["segment.not_used"]),
        (changed((5, ["DDD", "GGG"])), ["group.not_used"]),
        (changed((4, ["DDD+1+X"])), ["element.not_used"]),
        # digits behind the mark
        (changed((4, ["DDD+1.25"])), []),
        (changed((4, ["DDD+1.255"])), ["element.too_many_decimals"]),
        (changed((4, ["DDD+1"])), []),
        # a pattern
        (changed((4, ["DDD++++AB12"])), []),
        (changed((4, ["DDD++++AB"])), ["element.pattern"]),
        # codes of this place alone
        (changed((4, ["DDD", "EEE+X"])), []),
        (changed((4, ["DDD", "EEE+Z"])), ["element.unknown_code"]),
        # a note of a composite, and notes between segments
        (changed((1, ["RFF+A:B:C"])), []),
        (changed((1, ["RFF+A::C"])), ["note.required"]),
        (changed((4, ["DDD", "EEE+X", "FTX+A"])), ["segment.not_used", "note.segments_excluded"]),
        (changed((3, ["AAA", "NAD+DP", "NAD+CN+1"])), ["note.segments_excluded"]),
    ],
)
def test_what_tables_say(segments, codes):
    """Each fact of the form gives its finding, and only where it is broken."""
    assert [finding.partition("@")[0] for finding in found(segments)] == codes


def test_repetitions_have_a_least_number():
    """With a repetition separator, an element that is there stands at least as often as it must."""
    delimiters = Delimiters("'", "+", ":", "?", "*")
    assert found(changed((4, ["DDD+++A*B"])), delimiters=delimiters) == []
    (one,) = found(changed((4, ["DDD+++A"])), delimiters=delimiters)
    assert one.startswith("element.too_few_repetitions")


def test_versions_within_a_table():
    """What has a version of its own is there from it on, or until it; a file serves formats that differ in that alone."""
    facts: dict[str, Any] = {
        "formats": ["x12:100:004010", "x12:100:005010"],
        "source": "test",
        "structure": ["ST M 1", "NEW C 1 >=005010", "OLD C 1 <005010", ["L C 1 >=005010", "LLL M 1"], "SE M 1"],
        "segments": {"ST": ["1 M", "2 O >=005010"], "NEW": ["1 M"], "OLD": ["1 M"], "LLL": ["1 M"], "SE": ["1 M"]},
        "elements": {"1": "ID 1..2", "2": "AN 1..3"},
        "codes": {"1": "A B C>=005010 D<005010"},
    }
    older, newer = (definitions.resolve(Syntax.X12, facts, [], "test", name) for name in facts["formats"])
    assert [node.tag for node in older.nodes] == ["ST", "OLD", "SE"]
    assert [node.tag for node in newer.nodes] == ["ST", "NEW", "LLL", "SE"]
    assert [len(table.nodes[0].elements) for table in (older, newer)] == [1, 2]
    assert [set(table.nodes[0].elements[0].codes or ()) for table in (older, newer)] == [set("ABD"), set("ABC")]
    assert older.digest != newer.digest


def test_releases_of_edifact_are_in_their_order():
    """D.99B comes before D.01B, by the years that they stand for."""
    facts: dict[str, Any] = {"formats": ["edifact:T:D:99B:UN"], "source": "test", "structure": ["UNH M 1", "UNT M 1"]}
    facts |= {"segments": {"UNH": ["1 M", "1 C >=01B"], "UNT": ["1 C <01B"]}, "elements": {"1": "an..3"}}
    of = {
        name: definitions.resolve(Syntax.EDIFACT, facts, [], "test", f"edifact:T:D:{name}:UN")
        for name in ("99B", "01B", "21B")
    }
    assert {name: [len(node.elements) for node in table.nodes] for name, table in of.items()} == {
        "99B": [1, 1],
        "01B": [2, 0],
        "21B": [2, 0],
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"structure": ["UNH C 2..3"]},
        {"structure": ["UNH M 3..2"]},
        {"structure": ["UNH M 1", ["SG1 C 1", ["SG2 C 1", "AAA M 1"]]]},
        {"structure": ["UNH M 1", ["SG1 C 1", {"any": ["AAA M 1"]}]]},
        {"qualifiers": {"NAD/CN": "CN"}},
        {"qualifiers": {"NAD/CN": "9=CN"}},
        {"between": {"SG3": ["X1"]}},
        {"numbering": ["PO1"]},
        {"segments": {**FACTS["segments"], "DDD": ["6 C n..5,x"]}},
    ],
)
def test_what_does_not_hold_together(changes):
    """A table that says something impossible is refused with its name."""
    with pytest.raises(SchemaInvalid, match="TEST"):
        resolved(**changes)


# Guides.

LOADING = {
    "narrows": "edifact:CODECO:D:99B:UN",
    "formats": ["edifact:CODECO:D:99B:UN:ACME10"],
    "source": "A port's guide to gate movements",
    "uses": [
        ["BGM/1225", "M", "9 5"],
        ["BGM/C106", "M"],
        ["BGM/C106.1004", "M an..12"],
        ["FTX", "N"],
        ["SG1", "M 1..2"],
        ["SG1.RFF/C506.1154", "M ~[A-Z]{4}[0-9]+"],
        ["SG4[3035=CF]", "M 1"],
        ["SG4[3035=CF].NAD/C082", "M"],
        ["SG4[3035=*]", "C 2"],
        ["SG9.EQD/C224", "M"],
        ["SG9.MEA/C174.6314", "M n..8,1"],
    ],
}
MANIFEST = {
    "narrows": "x12:309:004010",
    "formats": ["x12:309:004010ACME"],
    "source": "A carrier's guide",
    "uses": [
        ["M10/05", "M"],
        ["P4/03", "N"],
        ["P4", "M 1..3"],
        ["P4.LX.N9[01=BM]", "M 1"],
        ["P4.LX.N9[01=BM]/02", "M AN 4..12"],
        ["P4.LX.N9[01=*]", "C 5"],
        ["P4.LX.N1[01=SH]", "M 1"],
        ["P4.LX.N1[01=*]", "C 3"],
    ],
    "numbering": ["LX"],
}


def of(format_):
    syntax, *parts = format_.split(":")
    return tables.find(shipped(), MessageType(Syntax(syntax), *parts))


GATE = guides.apply(of("edifact:CODECO:D:99B:UN"), LOADING, "loading")
HULL = guides.apply(of("x12:309:004010"), MANIFEST, "manifest")
MOVE = [
    "UNH+1+CODECO:D:99B:UN:ACME10",
    "BGM+36+A1+9",
    "RFF+BN:ABCD1",
    "NAD+CF+LINE:160:20",
    "EQD+CN+ABCU1234560+22G1:102:5",
    "MEA+AAE+G+KGM:1200.5",
    "CNT+16:1",
    "UNT+8+1",
]
SHIP = [
    "ST*309*0001",
    "M10*ABCD*O*US*1234567*SHIP*12*MAN1**Y",
    "P4*1803*20260105",
    "LX*1",
    "N9*BM*BILL1",
    "N1*SH*SENDER",
    "LX*2",
    "N9*ZZ*1",
    "N9*BM*BILL2",
    "N1*SH*SENDER",
    "SE*11*0001",
]


def at(segments, *rows):
    segments = list(segments)
    for position, new in sorted(rows, key=lambda row: row[0], reverse=True):
        segments[position - 1 : position] = [new] if isinstance(new, str) else new
    return segments


@pytest.mark.parametrize(
    ("segments", "expected"),
    [
        (MOVE, []),
        (at(MOVE, (2, "BGM+36+A1+4")), ["element.code_not_in_guide@BGM#2.3"]),
        (at(MOVE, (2, "BGM+36+A1+QQ")), ["element.unknown_code@BGM#2.3"]),
        (at(MOVE, (2, "BGM+36++9")), ["element.missing@BGM#2.2"]),
        (at(MOVE, (2, "BGM+36+A12345678901+9")), []),
        (at(MOVE, (2, "BGM+36+A123456789012+9")), ["element.too_long@BGM#2.2.1"]),
        (at(MOVE, (3, ["FTX+AAI+++X", "RFF+BN:ABCD1"])), ["segment.not_used@FTX#3"]),
        (at(MOVE, (3, "RFF+BN:1ABC")), ["element.pattern@RFF#3.1.2"]),
        (at(MOVE, (3, [])), ["group.missing@RFF#3"]),
        (at(MOVE, (3, ["RFF+BN:ABCD1"] * 3)), ["group.too_many@RFF#5"]),
        # one carrier, whichever others stand before or behind it
        (at(MOVE, (4, ["NAD+CN+X", "NAD+CF+LINE:160:20", "NAD+CZ+X"])), []),
        (at(MOVE, (4, "NAD+CN+X")), ["group.missing@NAD#5"]),
        (at(MOVE, (4, ["NAD+CF+LINE:160:20", "NAD+CF+LINE:160:20"])), ["group.too_many@NAD#5"]),
        (at(MOVE, (4, "NAD+CF")), ["element.missing@NAD#4.2"]),
        (at(MOVE, (4, ["NAD+CN", "NAD+CF+LINE:160:20"])), []),
        (at(MOVE, (5, "EQD+CN")), ["element.missing@EQD#5.3"]),
        (at(MOVE, (6, "MEA+AAE+G+KGM:1200.55")), ["element.too_many_decimals@MEA#6.3.2"]),
        (at(MOVE, (6, "MEA+AAE+G+KGM:X")), ["element.not_numeric@MEA#6.3.2"]),
    ],
)
def test_a_guide_of_edifact(segments, expected):
    """What a guide asks beyond its table is found, at its place; nothing else is."""
    assert found(segments, GATE) == expected


@pytest.mark.parametrize(
    ("segments", "expected"),
    [
        (SHIP, []),
        (at(SHIP, (3, "P4*1803*20260105*5")), ["element.not_used@P4#3.3"]),
        (at(SHIP, (5, "N9*BM*ABC")), ["element.too_short@N9#5.2"]),
        (at(SHIP, (5, [])), ["segment.missing@N9#5"]),
        (at(SHIP, (5, ["N9*BM*BILL1", "N9*BM*BILL3"])), ["segment.too_many@N9#6"]),
        (at(SHIP, (6, "N1*CN*RECIPIENT")), ["group.missing@N1#7"]),
        (at(SHIP, (6, ["N1*CN*RECIPIENT", "N1*SH*SENDER"])), []),
        # LX counts up from one
        (at(SHIP, (7, "LX*3")), ["x12.number.order@LX#7.1"]),
        (at(SHIP, (4, "LX*01")), ["element.insignificant@LX#4.1", "x12.number.order@LX#4.1"]),
        (at(SHIP, (4, ["LX*1", "N9*BM*BILL1", "N1*SH*S", "P4*1804*20260105", "LX*1"])), []),
    ],
)
def test_a_guide_of_x12(segments, expected):
    """The same in X12, and the order of lines."""
    assert found(segments, HULL, X12) == expected


def test_nodes_are_those_of_the_table_that_is_narrowed():
    """Mappings read a message by its table's nodes, whatever guide it was checked by."""
    for table, segments, delimiters in ((GATE, MOVE, DEFAULT), (HULL, SHIP, X12)):
        read = message(segments, delimiters)
        assert table.base is not None
        assert structure.check(read, table).nodes == structure.check(read, table.base).nodes


@pytest.mark.parametrize(
    "row",
    [
        ["XYZ", "M 1"],
        ["SG4.XYZ", "M 1"],
        ["BGM", "N"],
        ["BGM", "C 1"],
        ["DTM", "C 100"],
        ["BGM/9999", "M"],
        ["BGM/1225", "M", "QQ"],
        ["BGM/1225", "Q"],
        ["BGM/C106.1004", "M an..99"],
        ["SG9.MEA/C174.6411", "N"],
        ["SG9.EQD/8053", "C"],
        ["SG9[9999=1]", "M 1"],
        ["SG4[3035=CF]", "M 99999"],
        ["SG4[3035=CF]", "C 1"],
        ["SG4.NAD[3035=CF]", "M 1"],
        ["DTM", "M 1", "A"],
        [],
    ],
)
def test_a_guide_narrows(row):
    """What a table demands a guide cannot waive, and what it forbids a guide cannot allow; the row is named."""
    with pytest.raises(SchemaInvalid, match="loading"):
        guides.apply(of("edifact:CODECO:D:99B:UN"), {**LOADING, "uses": [row]}, "loading")


@pytest.fixture
def own(tmp_path):
    """A catalogue with the guides of this module."""
    folder = tmp_path / "schemas/guides"
    folder.mkdir(parents=True)
    for name, guide in (("loading", LOADING), ("manifest", MANIFEST), ("plain", {**LOADING, "formats": []})):
        (folder / f"{name}.json").write_text(json.dumps(guide), "utf-8")
    return over_shipped(tmp_path)


def test_guides_are_chosen(own):
    """By the association code, by GS08 or ST03, by the agreement; one for another table is passed over."""
    codeco = MessageType(Syntax.EDIFACT, "CODECO", "D", "99B", "UN")
    of_acme = MessageType(Syntax.EDIFACT, "CODECO", "D", "99B", "UN", "ACME10")
    manifest = MessageType(Syntax.X12, "309", "004010")

    def chosen(type_, guide=""):
        """The digest of a guide's table; empty where it is no guide's."""
        table = tables.find(own, type_, guide)
        assert table is not None
        return "" if table.base is None else table.digest

    assert chosen(codeco) == ""
    assert chosen(of_acme) == GATE.digest
    assert chosen(MessageType(Syntax.EDIFACT, "CODECO", "D", "99B", "UN", "OTHER")) == ""
    assert chosen(MessageType(Syntax.X12, "309", "004010ACME")) == HULL.digest
    assert chosen(MessageType(Syntax.X12, "309", "004010OTHER")) == ""
    assert chosen(codeco, "plain") == GATE.digest
    assert chosen(manifest, "plain") == ""
    assert tables.guide_names(own) == ("loading", "manifest", "plain")


def test_acknowledgements_name_a_guides_faults():
    """A 999 has codes of its own for what a guide asks (I4 to I13); a 997 says the nearest that it has."""
    read = message(at(SHIP, (3, "P4*1803*20260105*5"), (5, "N9*BM*ABC"), (6, ["N1*SH*A"] * 2)), X12)
    faults = structure.check(read, HULL).findings
    pattern = structure.check(message(at(MOVE, (3, "FTX+AAI+++X"), (2, "BGM+36+A1+4"))), GATE).findings
    said = {}
    for version in ("005010", "004010"):
        group = Group([], "SO", "SENDER", "RECIPIENT", "7", version)
        verdict = acknowledged.SetVerdict("309", "0001", [*faults, *pattern])
        body = acknowledged.group_acknowledgement(shipped(), group, [verdict], form=acknowledged.Form.IMPLEMENTATION)
        assert body is not None
        said[version] = [raw for raw in body.segments if raw.startswith(("AK3", "AK4", "IK3", "IK4"))]
    assert "IK4*3*380*I10*5" in said["005010"]
    assert "AK4*3*380*10*5" in said["004010"]
    assert "IK3*FTX*3**I4" in said["005010"]
    assert "AK3*FTX*3**2" in said["004010"]
    assert "IK4*3*1225*I6*4" in said["005010"]
    assert "AK4*3*1225*7*4" in said["004010"]


def test_an_agreement_names_a_guide(own):
    """What comes under it is checked by the guide, and read by the mapping of the table that the guide narrows."""
    body = b"UNB+UNOC:3+ACME+PORT+260105:0930+I1'UNH+1+APERAK:D:96B:UN'BGM+1+N1+9'FTX+AAO+++A'UNT+4+1'UNZ+1+I1'"
    folder = with_files(
        {
            "schemas/guides/short.json": json.dumps(
                {"narrows": "edifact:APERAK:D:96B:UN", "source": "test", "uses": [["FTX", "N"], ["DTM", "M 1"]]}
            )
        }
    )
    for guide, codes in (("", []), ("short", ["edi.segment.missing", "edi.segment.not_used"])):
        agreed = replace(ANY, guide=guide)
        (read, *_) = examine(folder, body, [agreed], rig.RULES, unpacked_limit=1 << 20)
        assert [f.code for f in read.findings if f.severity == "error"] == codes


def test_the_words_of_guides():
    """A finding says what the guide asks for, in both languages."""
    checked = structure.check(message(at(MOVE, (2, "BGM+36+A1+4"))), GATE)
    assert text(checked.findings[0], "en") == (
        "The code \u201c4\u201d of 1225 is in the directory, and not among those that the guide takes."
    )
    assert "\u6307\u5357" in text(checked.findings[0], "zh")
