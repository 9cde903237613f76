"""The walk over a message's segments and the check of each, fast and thorough."""

import random
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.catalogue_folders import shipped
from gateway.check import definitions, structure, tables
from gateway.check.graph import REPEAT, graph_of
from gateway.check.segment import reader
from gateway.check.walk import MAX_FINDINGS, Checked, Walk
from gateway.findings import catalogue, text
from gateway.model import Place, Severity, Syntax
from gateway.parse import edifact
from gateway.parse.edifact import DEFAULT
from gateway.parse.segments import Delimiters, Envelope, MessageRead, MessageType, SegmentMessage, join
from tests import foreign

SAMPLES = foreign.material("samples/edifact")

CUSDEC = tables.find(shipped(), MessageType(Syntax.EDIFACT, "CUSDEC", "D", "96B", "UN"))
APERAK = tables.find(shipped(), MessageType(Syntax.EDIFACT, "APERAK", "D", "96B", "UN"))

HEAD = ["UNH+1+CUSDEC:D:96B:UN", "BGM+929+N1+9"]
TAIL = ["UNS+S", "UNT+9+1"]


def message(segments, delimiters=DEFAULT, name="CUSDEC"):
    type_ = MessageType(Syntax.EDIFACT, name, "D", "96B", "UN")
    return SegmentMessage(type_, "M1", list(segments), delimiters, 1, Envelope(Syntax.EDIFACT, delimiters, []))


def check(*segments, table=CUSDEC, delimiters=DEFAULT):
    return structure.check(message(segments, delimiters), table)


def body(*segments, delimiters=DEFAULT):
    """`segments` in the header of a CUSDEC that is otherwise right."""
    return check(*HEAD, *segments, "UNS+D", *TAIL, delimiters=delimiters)


def brief(checked):
    return [(f.code.removeprefix("edi."), f.place.tag, f.place.segment) for f in checked.findings]


def table_of(structure_, segments, composites=None, elements=None, codes=None, notes=None):
    """A table of its own, for what the directories hold too rarely to test on."""
    found = {
        "formats": ["edifact:TEST:D:96B:UN"],
        "source": "test",
        "structure": structure_,
        "segments": segments,
        "composites": composites or {},
        "elements": {"1": "an..5", "2": "n..5", "3": "a3", "4": "an2..4", **(elements or {})},
        "codes": codes or {},
        "notes": notes or {},
    }
    return definitions.resolve(Syntax.EDIFACT, found, [], "test")


# The walk.


def test_every_segment_has_its_node():
    """A declaration with header, one item and summary is placed: the same tags at different nodes."""
    segments = [
        *HEAD,
        "LOC+22+CNSHA:139:6",
        "DTM+137:20240102:102",
        "RFF+ABT:1",
        "DTM+171:20240102:102",
        "NAD+CZ+1",
        "MOA+39:1:USD",
        "CUX+2:USD",
        "UNS+D",
        "CST+1+12345678:122",
        "FTX+AAA+++GOODS",
        "MOA+38:1:USD",
        "UNS+S",
        "CNT+5:1",
        "TAX+1+CUD",
        "UNT+17+1",
    ]
    checked = check(*segments)
    assert checked.findings == []
    placed = [(CUSDEC.nodes[n].tag, CUSDEC.groups[CUSDEC.nodes[n].group].name) for n in checked.nodes]
    assert [tag for tag, _ in placed] == [raw[:3] for raw in segments]
    assert [group for _, group in placed] == (
        ["", "", "", "", "SG1", "SG1", "SG6", "SG8", "SG9", "", "SG30", "SG30", "SG33", "", "", "SG49", ""]
    )


def test_two_section_controls():
    """CUSDEC has two UNS; without the second one nothing is taken for it."""
    first, second = check(*HEAD, "UNS+D", *TAIL).nodes[2:4]
    assert first < second
    assert brief(check(*HEAD, "UNS+D", "CNT+5:1", "UNT+5+1")) == [("segment.missing", "UNS", 4)]


def test_groups_with_the_same_trigger():
    """DOC opens group 5 in the header, group 37 in an item: each DOC goes to the group that is open."""
    checked = check(*HEAD, "DOC+380", "UNS+D", "CST+1", "DOC+380", "DTM+137:1", "CST+2", "DOC+705", *TAIL)
    groups = [CUSDEC.groups[CUSDEC.nodes[n].group].name for n in checked.nodes]
    assert groups == ["", "", "SG5", "", "SG30", "SG37", "SG37", "SG30", "SG37", "", ""]
    assert checked.findings == []


def test_full_node_gives_way_to_the_next_of_the_same_tag():
    """Where a node is full and a later one of its tag can be reached, the segment goes there."""
    table = table_of(["UNH M 1", "AAA C 2", "BBB C 1", ["SG1 C 1", "AAA M 1"], "UNT M 1"], {tag: [] for tag in _TAGS})
    checked = check("UNH", "AAA", "AAA", "AAA", "UNT", table=table)
    assert checked == Checked([0, 1, 1, 3, 4], [])


_TAGS = ["UNH", "AAA", "BBB", "CCC", "DDD", "UNT"]
NESTED = table_of(
    [
        "UNH M 1",
        "AAA M 1",
        ["SG1 C 2", "BBB M 1", "CCC M 1", ["SG2 M 3", "DDD M 1", "CCC C 1"]],
        "BBB C 1",
        "UNT M 1",
    ],
    {tag: [] for tag in _TAGS},
)


@pytest.mark.parametrize(
    ("tags", "nodes", "found"),
    [
        # sound: twice the group, inner group repeated, trailing segment with the trigger's tag
        ("UNH AAA BBB CCC DDD DDD CCC BBB CCC DDD BBB UNT", [0, 1, 2, 3, 4, 4, 5, 2, 3, 4, 6, 7], []),
        # the optional group left out
        ("UNH AAA UNT", [0, 1, 7], []),
        # a mandatory segment missing before another
        ("UNH UNT", [0, 7], [("segment.missing", "AAA", 2)]),
        # missing within a group, and a mandatory group missing
        ("UNH AAA BBB DDD UNT", [0, 1, 2, 4, 7], [("segment.missing", "CCC", 4)]),
        ("UNH AAA BBB CCC UNT", [0, 1, 2, 3, 7], [("group.missing", "DDD", 5)]),
        # both at once, when the message just ends
        ("UNH AAA BBB", [0, 1, 2], [("segment.missing", "CCC", 4), ("group.missing", "DDD", 4)]),
        # twice where once is allowed
        ("UNH AAA AAA UNT", [0, 1, 1, 7], [("segment.too_many", "AAA", 3)]),
        # one report for a run, however long
        ("UNH AAA AAA AAA AAA UNT", [0, 1, 1, 1, 1, 7], [("segment.too_many", "AAA", 3)]),
        # a tag that the message does not know, and one that it does, elsewhere
        ("UNH XXX AAA UNT", [0, -1, 1, 7], [("segment.unknown", "XXX", 2)]),
        ("UNH AAA BBB CCC DDD AAA UNT", [0, 1, 2, 3, 4, -1, 7], [("segment.misplaced", "AAA", 6)]),
        # going on behind a misplaced segment: the rest finds its place
        (
            "UNH AAA UNH BBB CCC DDD BBB CCC DDD UNT",
            [0, 1, -1, 2, 3, 4, 2, 3, 4, 7],
            [("segment.misplaced", "UNH", 3)],
        ),
        # a group that began without its trigger
        ("UNH AAA CCC DDD CCC UNT", [0, 1, 3, 4, 5, 7], [("segment.missing", "BBB", 3)]),
        # several faults in one message
        (
            "UNH XXX BBB DDD UNT",
            [0, -1, 2, 4, 7],
            [("segment.unknown", "XXX", 2), ("segment.missing", "AAA", 3), ("segment.missing", "CCC", 4)],
        ),
    ],
)
def test_faults_of_structure(tags, nodes, found):
    """Each fault is named where it shows, and the walk goes on behind it."""
    checked = check(*tags.split(), table=NESTED)
    assert (checked.nodes, brief(checked)) == (nodes, found)


def test_too_many_groups():
    """The first group over the maximum is told, those after it too are placed."""
    table = table_of(["UNH M 1", ["SG1 C 2", "AAA M 1", "BBB C 1"], "UNT M 1"], {tag: [] for tag in _TAGS})
    checked = check("UNH", "AAA", "BBB", "AAA", "AAA", "BBB", "AAA", "UNT", table=table)
    assert (checked.nodes, brief(checked)) == ([0, 1, 2, 1, 1, 2, 1, 3], [("group.too_many", "AAA", 5)])
    assert checked.findings[0].args == {"group": "SG1", "max": "2"}


def test_an_early_segment_does_not_drag_the_walk_along():
    """CNT belongs to the summary; one in the header is misplaced, and the items after it are still placed."""
    items = [raw for n in range(1, 6) for raw in (f"CST+{n}", "FTX+AAA+++X")]
    checked = check(*HEAD, "CNT+5:1", "UNS+D", *items, *TAIL)
    assert brief(checked) == [("segment.misplaced", "CNT", 3)]
    assert -1 not in checked.nodes[3:]


def test_a_long_run_over_the_maximum_is_told_once():
    """However often a segment is repeated, its run is one fault, and each has its node."""
    checked = check(*HEAD, *["GIS+1"] * 30_000, "UNS+D", *TAIL)
    assert brief(checked) == [("segment.too_many", "GIS", 28)]
    assert -1 not in checked.nodes


def test_findings_are_bounded():
    """A hostile message gets so many findings and no more; what follows has no node."""
    checked = check("UNH+1+CUSDEC:D:96B:UN", *["XXX"] * 5000)
    assert len(checked.findings) == MAX_FINDINGS + 1
    assert checked.findings[-1].code == "edi.message.too_many_findings"
    assert len(checked.nodes) == 5001
    faulty = check(*HEAD, *["FTX+AAAA"] * 99, "UNS+D", *["CST+1", *["FTX+TOOLONG"] * 9] * 300, *TAIL)
    assert len(faulty.findings) == MAX_FINDINGS + 1


# Elements.


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        # (segment in the header of a CUSDEC, [(code, element, component, value)])
        ("LOC+22+CNSHA:139:6", []),
        ("LOC+22", []),
        ("LOC", [("element.missing", 1, None, "")]),
        ("LOC++CNSHA", [("element.missing", 1, None, "")]),
        ("LOC+2222+X", [("element.too_long", 1, None, "2222")]),
        ("LOC+QQQ+X", [("element.unknown_code", 1, None, "QQQ")]),
        (f"LOC+22+{'X' * 26}", [("element.too_long", 2, 1, "X" * 26)]),
        ("LOC+22+A:B:C:D:E", [("element.too_many_components", 2, 5, ""), ("element.unknown_code", 2, 3, "C")]),
        ("LOC+22:1+A", [("element.too_many_components", 1, 2, "")]),
        ("LOC+22+A++++++X", [("segment.too_many_elements", 6, None, "")]),
        ("LOC+22+", [("segment.trailing_separator", 2, None, "")]),
        ("LOC+22+A:139:", [("segment.trailing_separator", 2, None, "")]),
        # a composite that is there lacks its mandatory component
        ("DTM+:20240102:102", [("element.missing", 1, 1, "")]),
        ("DTM+137:20240102:102", []),
        # numbers: sign and decimal mark do not count
        ("MOA+39:-1234567890123456.78", []),
        ("MOA+39:1234567890123456789", [("element.too_long", 1, 2, "1234567890123456789")]),
        ("MOA+39:12A", [("element.not_numeric", 1, 2, "12A")]),
        ("MOA+39:1,5", []),
        ("MOA+39:.5", [("element.decimal", 1, 2, ".5")]),
        ("MOA+39:5.", [("element.decimal", 1, 2, "5.")]),
        ("MOA+39:1.2.3", [("element.not_numeric", 1, 2, "1.2.3")]),
        ("MOA+39:?+5", [("element.not_numeric", 1, 2, "+5")]),
        # an explicit nesting indicator of versions 1 to 3
        ("LOC:1+22", [("segment.nesting", None, None, "")]),
        # released separators count as characters of the value
        ("FTX+AAA+++A?+B?:C", []),
        (f"FTX+AAA+++{'?+' * 70}", []),
        (f"FTX+AAA+++{'?+' * 71}", [("element.too_long", 4, 1, "+" * 71)]),
        # a code from another list than the directory's (1131, 3055) is not looked up in it
        ("GIS+9:109:6", []),
        ("GIS+QQQ", [("element.unknown_code", 1, 1, "QQQ")]),
        ("GIS+QQQ:::1", [("element.unknown_code", 1, 1, "QQQ")]),
        ("GIS+QQQ::ZZZ", []),
        ("GIS+QQQ:148", []),
    ],
)
def test_faults_of_elements(raw, found):
    """Types, lengths, codes, mandatory and superfluous parts, each at its place with its value."""
    order = ["LOC", "DTM", "GIS", "MOA", "FTX"]
    assert raw[:3] in order
    checked = body(raw)
    assert [
        (f.code.removeprefix("edi."), f.place.element, f.place.component, f.value) for f in checked.findings
    ] == found
    assert all((f.place.segment, f.place.tag, f.place.message) == (3, raw[:3], "M1") for f in checked.findings)


def test_the_decimal_mark_of_una():
    """Where UNA makes the comma the decimal mark, a point is a fault."""
    comma = replace(DEFAULT, decimal=",")
    assert body("MOA+39:1,5", delimiters=comma).findings == []
    assert brief(body("MOA+39:1.5", delimiters=comma)) == [("element.not_numeric_mark", "MOA", 3)]


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        ("AAA+1+1*2*3", []),
        ("AAA+1+1*2*3*4", [("element.too_many_repetitions", 2, None)]),
        ("AAA+1*2", [("element.too_many_repetitions", 1, None)]),
        ("AAA+1+1*X*3", [("element.not_numeric", 2, 2)]),
        ("AAA+1+1**3", []),
        ("AAA+1+1*", [("segment.trailing_separator", 2, None)]),
        ("AAA+1++A:1*B:2", []),
        ("AAA+1++A:1*:2", [("element.missing", 3, 2)]),
    ],
)
def test_repetitions(raw, found):
    """Version 4: each repetition is checked, their number against the use, empty ones hold a place."""
    table = table_of(
        ["UNH M 1", "AAA M 1"], {"UNH": [], "AAA": ["1 M", "2 C 3", "C001 C 2"]}, composites={"C001": ["1 M", "2 C"]}
    )
    checked = check("UNH", raw, table=table, delimiters=replace(DEFAULT, repetition="*"))
    assert [(f.code[4:], f.place.element, f.place.repetition) for f in checked.findings] == found


def test_last_element_repeats_in_positions_without_a_separator():
    """Before version 4 an element that repeats at a segment's end takes a position each time."""
    table = table_of(["UNH M 1", "AAA M 1"], {"UNH": [], "AAA": ["1 M", "2 M 3"]})
    assert check("UNH", "AAA+X+1+2+3", table=table).findings == []
    assert check("UNH", "AAA+X+1+2+3+4", table=table).findings[0].code == "edi.segment.too_many_elements"
    assert check("UNH", "AAA+X+1+2+A", table=table).findings[0].place.element == 4


@pytest.mark.parametrize(
    ("note", "raw", "found"),
    [
        ("P0203", "AAA+X+1", "edi.note.required"),
        ("P0203", "AAA+X+1+1", None),
        ("P0203", "AAA+X", None),
        ("R0203", "AAA+X", "edi.note.required"),
        ("R0203", "AAA+X++1", None),
        ("E0203", "AAA+X+1+1", "edi.note.excluded"),
        ("E0203", "AAA+X+1", None),
        ("C010203", "AAA+X+1", "edi.note.required"),
        ("C010203", "AAA++1", None),
        ("L010203", "AAA+X", "edi.note.required"),
        ("L010203", "AAA+X++1", None),
        ("O0203", "AAA+X", "edi.note.required"),
        ("O0203", "AAA+X+1+1", "edi.note.excluded"),
        ("O0203", "AAA+X+1", None),
        ("N0102", "AAA+X+1", "edi.note.excluded"),
        ("N0102", "AAA++1", None),
    ],
)
def test_syntax_notes(note, raw, found):
    """Each kind of dependency between elements."""
    table = table_of(["UNH M 1", "AAA M 1"], {"UNH": [], "AAA": ["1 C", "2 C", "2 C"]}, notes={"AAA": [note]})
    checked = check("UNH", raw, table=table)
    assert [f.code for f in checked.findings] == ([found] if found else [])


@pytest.mark.parametrize(
    ("note", "raw", "position", "number"),
    [
        ("P0103", "AAA+X", 3, "3"),
        ("P0103", "AAA+++ABC", 1, "1"),
        ("R0203", "AAA+X", 2, "2"),
        ("C010203", "AAA+X+1", 3, "3"),
        ("L010203", "AAA+X", 2, "2"),
        ("O0203", "AAA+X", 2, "2"),
        # where there is too much, the first of them
        ("E0103", "AAA+X++ABC", 1, "1"),
    ],
)
def test_a_note_names_what_is_absent(note, raw, position, number):
    """Who must add an element is told which: the first position without a value, with its element's number."""
    table = table_of(["UNH M 1", "AAA M 1"], {"UNH": [], "AAA": ["1 C", "2 C", "3 C"]}, notes={"AAA": [note]})
    (found,) = check("UNH", raw, table=table).findings
    assert (found.place.element, found.args["number"]) == (position, number)


def test_unchecked_facts_are_not_checked():
    """What no source says about an element is taken as it comes, and counted."""
    table = table_of(["UNH M 1", "AAA M 1"], {"UNH": [], "AAA": ["1 ?", "- ?", "5 C an", "2 C"]}, elements={"5": "an"})
    assert check("UNH", "AAA++" + "X" * 999 + "++1", table=table).findings == []
    assert table.unchecked == 3


X12 = Delimiters("~", "*", ">")


@pytest.mark.parametrize(
    ("type_", "value", "found"),
    [
        ("DT 8", "20240229", None),
        ("DT 8", "20241301", "edi.element.invalid_date"),
        ("DT 8", "230620  ", "edi.element.invalid_date"),
        ("DT 6", "240102", None),
        ("DT 8", "240102", "edi.element.too_short"),
        ("TM 4..8", "2359", None),
        ("TM 4..8", "23595999", None),
        ("TM 4..8", "2460", "edi.element.invalid_time"),
        ("N0 1..3", "-123", None),
        ("N0 1..3", "1234", "edi.element.too_long"),
        ("N2 1..3", "1.5", "edi.element.not_numeric"),
        ("R 1..4", "-12.34", None),
        ("R 1..4", "12,34", "edi.element.not_numeric"),
        # leading zeros are suppressed, and a point may end a number; neither it nor the sign counts
        ("R 1..4", ".5", None),
        ("R 1..4", "-.1234", None),
        ("R 1..4", "4500.", "x12.element.point"),
        ("R 1..4", ".12345", "edi.element.too_long"),
        ("R 1..4", "12345.6", "edi.element.too_long"),
        ("R 2..4", ".5", "edi.element.too_short"),
        ("R 1..4", ".", "edi.element.not_numeric"),
        ("R 1..4", "-", "edi.element.not_numeric"),
        ("R 1..4", ".5.", "edi.element.not_numeric"),
        ("N2 1..3", ".5", "edi.element.not_numeric"),
        # a string holds something, and no control characters
        ("AN 1..4", " ", "edi.element.blank"),
        ("AN 1..4", "    ", "edi.element.blank"),
        ("AN 1..4", " A", None),
        ("AN 1..4", "A  ", "edi.element.insignificant"),
        ("AN 1..4", "A\x07", "x12.element.characters"),
        ("AN 1..4", "A\nB", "x12.element.characters"),
        ("AN 1..4", "A\x85", "x12.element.characters"),
        ("ID 1..4", "A\tB", "x12.element.characters"),
        ("AN 1..4", "\u4e2d\u6587", None),
        ("AN 2..4", "A", "edi.element.too_short"),
        ("ID 2..4", "ABCDE", "edi.element.too_long"),
        ("B 1..9", "ANY LENGTH AT ALL", None),
    ],
)
def test_element_kinds_of_x12(type_, value, found):
    """Dates, times, implied and explicit decimals, minimum lengths."""
    facts = {
        "formats": ["x12:000:004010"],
        "source": "test",
        "structure": ["ST M 1", "N1 M 1"],
        "segments": {"ST": ["1 M"], "N1": ["9 M"]},
        "elements": {"1": "AN 1..3", "9": type_},
    }
    table = definitions.resolve(Syntax.X12, facts, [], "test")
    checked = check("ST*000", f"N1*{value}", table=table, delimiters=X12)
    assert [f.code for f in checked.findings] == ([found] if found else [])


@settings(max_examples=400)
@given(
    st.sampled_from(
        ["R 1..6", "R 2..3", "N2 1..4", "AN 1..5", "AN 2..3", "AN", "ID 2..3", "DT 8", "TM 4..8", "B 1..9"]
    ),
    st.text("019.- A\x07\n\u4e2d", max_size=8),
    st.sampled_from(["M", "O"]),
)
def test_the_fast_verdict_on_a_value_of_x12_is_the_thorough_one(type_, value, status):
    """The same for the kinds of X12; only what ends in a blank is left to the thorough reader."""
    facts = {
        "formats": ["x12:000:004010"],
        "source": "test",
        "structure": ["N1 M 1"],
        "segments": {"N1": ["8 O", f"9 {status}", "8 O"]},
        "elements": {"8": "AN 1..3", "9": type_},
    }
    (node,) = definitions.resolve(Syntax.X12, facts, [], "test").nodes
    read = reader(node, X12)
    for raw in (f"N1**{value}", f"N1*A*{value}*B"):
        accepted, findings = read.accepts(raw), read.explain(raw, Place())
        assert not (accepted and findings), raw
        assert accepted or findings or value.endswith(" "), raw


def test_tags_of_two_characters_are_told_from_those_of_three():
    """`N1` and `N10` share three characters of `N1*` and `N10`, never a place."""
    facts = {
        "formats": ["x12:000:004010"],
        "source": "test",
        "structure": ["ST M 1", "N1 M 1", "N10 C 1"],
        "segments": {"ST": [], "N1": ["9 C"], "N10": ["9 C"]},
        "elements": {"9": "AN 1..3"},
    }
    table = definitions.resolve(Syntax.X12, facts, [], "test")
    assert check("ST", "N1*A", "N10*B", table=table, delimiters=X12) == Checked([0, 1, 2], [])
    assert check("ST", "N1", "N10", table=table, delimiters=X12) == Checked([0, 1, 2], [])
    assert brief(check("ST", "N1", "N11*A", table=table, delimiters=X12)) == [("segment.unknown", "N11", 3)]


# Both verdicts.

_WORDS = [
    "",
    "1",
    "22",
    "137",
    "AAA",
    "ZZZ",
    "6",
    "139",
    "USD",
    "-1.5",
    "1,",
    ".",
    "X" * 36,
    "?+",
    "??",
    "?:A",
    "1A",
    "\u4e2d",
]


@settings(max_examples=1500, deadline=None)
@given(
    st.integers(0, 2**48), st.sampled_from([DEFAULT, replace(DEFAULT, repetition="*"), replace(DEFAULT, decimal=",")])
)
def test_the_fast_verdict_on_a_segment_is_the_thorough_one(seed, delimiters):
    """What the regular expression accepts has no fault; what it does not accept has one, or a release or repetition."""
    rng = random.Random(seed)
    node = rng.choice(CUSDEC.nodes)
    raw = random_segment(rng, node, delimiters)
    read = _compiled(node, delimiters)
    findings = read.explain(raw, Place())
    accepted = read.accepts(raw)
    assert not (accepted and findings), raw
    if not accepted and not findings:
        # what only the thorough reader can tell: a second repetition, a released separator at an end
        assert "*" in raw or re.search(r"\?[+:](?:[+:]|$)", raw), raw


_CACHE = {}


def _compiled(node, delimiters):
    key = (node.tag, delimiters)
    if key not in _CACHE:
        _CACHE[key] = reader(node, delimiters)
    return _CACHE[key]


def random_segment(rng, node, delimiters):
    """A segment of `node` that is right, nearly right or wrong."""
    elements = [node.tag]
    for use in node.elements[: rng.randrange(len(node.elements) + 1)]:
        parts = [random_value(rng, part) for part in (use.components or (use,))]
        if rng.random() < 0.5:
            parts = parts[: rng.randrange(len(parts) + 1)]
        if rng.random() < 0.8:
            while parts and not parts[-1]:
                parts.pop()
        elements.append(delimiters.component.join(parts))
    if rng.random() < 0.8:
        while elements[-1] == "":
            elements.pop()
    if rng.random() < 0.05:
        elements.append(rng.choice(_WORDS))
    return delimiters.element.join(elements)


def random_value(rng, use):
    if rng.random() < 0.15:
        return rng.choice(_WORDS)
    if use.mandatory is False and rng.random() < 0.5:
        return ""
    if use.codes:
        return rng.choice(sorted(use.codes))
    length = rng.randrange(1, (use.max_length or 5) + 1)
    return "".join(rng.choice("0123456789" if use.kind == "n" else "ABCDEF") for _ in range(length))


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**48))
def test_the_fast_verdict_on_a_message_is_the_thorough_one(seed):
    """Segments dropped, doubled, swapped or damaged: the fast walk and the thorough one place and find the same."""
    rng = random.Random(seed)
    segments = random_message(rng)
    for _ in range(rng.randrange(4)):
        at = rng.randrange(len(segments))
        match rng.randrange(4):
            case 0:
                del segments[at]
            case 1:
                segments.insert(at, segments[at])
            case 2:
                other = rng.randrange(len(segments))
                segments[at], segments[other] = segments[other], segments[at]
            case _:
                segments[at] = random_segment(rng, rng.choice(CUSDEC.nodes), DEFAULT)
        if not segments:
            segments = ["UNT"]
    built = message(segments)
    compiled = structure._compiled(CUSDEC, DEFAULT, "3")
    fast, thorough = compiled.check(built), Walk(compiled.graph, compiled.reader, built).run()
    assert fast == thorough
    if compiled._walk(segments, []) is None and -1 not in fast.nodes and "UNT" in segments[-1]:
        assert fast.findings


@given(
    st.lists(st.text(st.sampled_from("UNHTSBGMDLOC+:?'*19\n\u4e2d"), max_size=12), max_size=8),
    st.sampled_from([DEFAULT, X12, replace(DEFAULT, repetition="*"), Delimiters("~", "^", "|")]),
)
def test_any_segments_are_checked_without_raising(segments, delimiters):
    """Whatever text stands for segments, each has a node or -1, and every finding has its words."""
    checked = check(*segments, delimiters=delimiters)
    assert len(checked.nodes) == len(segments)
    assert all(text(finding, language) for finding in checked.findings for language in ("en", "zh"))


def random_message(rng):
    """Segments that a walk through the table gives, values at random."""
    graph = graph_of(CUSDEC)
    segments, state = [], -1
    while True:
        choices = [c for c in graph.candidates(state) if not c.skipped and c.how != REPEAT]
        chosen = rng.choice(choices[:6])
        node = CUSDEC.nodes[chosen.node]
        segments.append(random_segment(rng, node, DEFAULT))
        state = chosen.node
        if node.tag == "UNT":
            return segments


# The tables as they are, and real messages.


def test_every_finding_has_words_in_both_languages():
    """Each code of the catalogue renders, and names a code for every acknowledgement."""
    for code, entry in catalogue().items():
        if code.startswith("edi."):
            assert entry.contrl, code
            assert entry.x12_set, code
    finding = body("MOA+39:12A").findings[0]
    assert text(finding, "en") == "The value \u201c12A\u201d of 5004 is not a number."
    assert "12A" in text(finding, "zh")


def test_trailing_separators_are_only_a_warning():
    """Many senders write them; they are told and reject nothing."""
    assert [f.severity for f in body("LOC+22+").findings] == [Severity.WARNING]


def test_service_segments():
    """UNB and its like are checked against the service directory of their syntax version."""
    header = [["UNB"], ["UNOC", "3"], ["A"], ["B"], ["240102", "0304"], ["R1"]]
    assert structure.check_service(shipped(), header, DEFAULT, "3") == []
    assert [f.code for f in structure.check_service(shipped(), header, DEFAULT, "4")] == ["edi.element.too_short"]
    faults = structure.check_service(shipped(), [["UNB"], ["UNOC", "3"], [""], ["B" * 36]], DEFAULT, "3")
    assert [(f.code, f.place.element) for f in faults] == [
        ("edi.element.missing", 2),
        ("edi.element.too_long", 3),
        ("edi.element.missing", 4),
        ("edi.element.missing", 5),
    ]
    assert structure.check_service(shipped(), [], DEFAULT, "3") == []


@foreign.needed
def test_a_real_rejection_against_a_close_table():
    """An APERAK of D.96A passes the walk of D.96B, but for what its writer left out."""
    payload = (SAMPLES / "edifact_APERAK_v4_rejected_pydifact.edi").read_bytes()
    (read,) = [e for e in edifact.read(payload) if isinstance(e, MessageRead)]
    checked = structure.check(read.message, APERAK)
    assert -1 not in checked.nodes
    assert brief(checked) == []


def test_join_is_accepted_by_the_reader():
    """What `segments.join` writes needs no thorough reading unless a character was released."""
    raw = join([["NAD"], ["CZ"], ["1", "", "100"], [], ["NAME", "MORE"]], DEFAULT)
    node = next(n for n in CUSDEC.nodes if n.tag == "NAD")
    assert raw == "NAD+CZ+1::100++NAME:MORE"
    assert _compiled(node, DEFAULT).accepts(raw)
