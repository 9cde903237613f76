"""pyx12's verdict beside ours, by the same tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.catalogue_folders import shipped
from gateway.check import second_opinion, structure, tables
from gateway.model import Severity, Syntax
from gateway.parse import x12
from gateway.parse.segments import Delimiters, Envelope, MessageRead, MessageType, SegmentMessage
from tests import foreign

SAMPLES = foreign.material("samples/x12")
DELIMITERS = Delimiters("~", "*", ">")
GOOD = [
    "ST*309*0001",
    "M10*ABCD*O*SG*9283186*VESSEL NAME*320N*0185320N*2*Y",
    "P4*1803*20260301*1*M029",
    "LX*1",
    "M11*BILL00000001*35177*390*PKG*14404*K*46*X*00*SANTOS**ABCD",
    "N9*BM*REFERENCE",
    "N1*SH*SHIPPER",
    "N3*STREET 1",
    "N4*SANTOS*SP*11010*BR",
    "DTM*011*20260227",
    "PER*IC*CONTACT*TE*5550100",
    "N1*CN*CONSIGNEE*93*C77",
    "M12*61**1803",
    "P5*L*K*1803",
    "VID*4B*ABCU*5044950*SEAL01",
    "VC*VIN0001",
    "N10*390*TIRES*MARKS*J*401120*2880*K*14404",
    "H1*2319",
    "H2*TERPENE",
    "N10*10*MORE TIRES",
    "VID*4B*ABCU*5044951",
    "LX*2",
    "M11*BILL00000002*35177*1*PKG*1*K***00***ABCD",
    "SE*24*0001",
]


def message(segments, name="309", version="004010", delimiters=DELIMITERS):
    kind = MessageType(Syntax.X12, name, version)
    return SegmentMessage(kind, "0001", list(segments), delimiters, 1, Envelope(Syntax.X12, delimiters, []))


def verdicts(read):
    """Both readers' findings as (code, segment, element) without what has no place of its own."""
    table = tables.find(shipped(), read.type)
    both = (structure.check(read, table).findings, second_opinion.check(shipped(), read, table))
    return [{(f.code, f.place.segment, f.place.element) for f in found if f.code not in BEYOND} for found in both]


BEYOND = {"edi.element.insignificant", "x12.element.point"}
"""What pyx12 has no opinion of: how a value that is right should have been written."""


def without(index):
    return [*GOOD[:index], *GOOD[index + 1 :]]


def with_(index, raw):
    return [*GOOD[:index], raw, *GOOD[index:]]


def instead(index, raw):
    return [*GOOD[:index], raw, *GOOD[index + 1 :]]


@pytest.mark.parametrize(
    ("segments", "expected"),
    [
        # good ones
        (GOOD, set()),
        (GOOD[:4] + GOOD[-1:], set()),
        (with_(4, "M13*ABCD*1803*A*BILL00000001*1*01*A**ABCD"), set()),
        # mandatory things missing: segment, group, inner group, element, component
        (without(1), {("edi.segment.missing", 2, None)}),
        (GOOD[:2] + GOOD[-1:], {("edi.group.missing", 3, None)}),
        (GOOD[:3] + GOOD[-1:], {("edi.group.missing", 4, None)}),
        (instead(1, "M10**O*SG*9283186*VESSEL NAME*320N*0185320N*2*Y"), {("edi.element.missing", 2, 1)}),
        (instead(2, "P4*1803"), {("edi.element.missing", 3, 2)}),
        (instead(5, "N9*BM*REFERENCE*****BM"), {("edi.element.missing", 6, 7)}),
        # lengths
        (instead(1, "M10*A*O*SG*9283186*VESSEL NAME*320N*0185320N*2*Y"), {("edi.element.too_short", 2, 1)}),
        (instead(1, "M10*ABCDE*O*SG*9283186*VESSEL NAME*320N*0185320N*2*Y"), {("edi.element.too_long", 2, 1)}),
        (instead(3, "LX*1234567"), {("edi.element.too_long", 4, 1)}),
        (instead(16, "N10*390*" + "T" * 46), {("edi.element.too_long", 17, 2)}),
        # a sign and a decimal point do not count
        (instead(22, "M11*BILL00000002*35177*1*PKG*-123456789.5*K***00***ABCD"), set()),
        (instead(22, "M11*BILL00000002*35177*1*PKG*-1234567890.5*K***00***ABCD"), {("edi.element.too_long", 23, 5)}),
        # a number need not begin with a zero, and may end in its point
        (instead(22, "M11*BILL00000002*35177*1*PKG*.5*K***00***ABCD"), set()),
        (instead(22, "M11*BILL00000002*35177*1*PKG*4500.*K***00***ABCD"), set()),
        # types
        (instead(3, "LX*ONE"), {("edi.element.not_numeric", 4, 1)}),
        (instead(3, "LX*1.5"), {("edi.element.not_numeric", 4, 1)}),
        (instead(2, "P4*1803*20261301*1"), {("edi.element.invalid_date", 3, 2)}),
        (instead(2, "P4*1803*230620  *1"), {("edi.element.invalid_date", 3, 2)}),
        (instead(2, "P4*1803*20260301***2460"), {("edi.element.invalid_time", 3, 5)}),
        # syntax notes
        (instead(11, "N1*CN*CONSIGNEE**C77"), {("edi.note.required", 12, 3)}),
        (instead(11, "N1*CN"), {("edi.note.required", 12, 2)}),
        (instead(9, "DTM*011***UT"), {("edi.note.required", 10, 2), ("edi.note.required", 10, 3)}),
        (instead(10, "PER*IC*CONTACT*TE"), {("edi.note.required", 11, 4)}),
        (instead(11, "N1*CN*CONSIGNEE*93"), {("edi.note.required", 12, 4)}),
        # too many
        (instead(3, "LX*1*2"), {("edi.segment.too_many_elements", 4, 2)}),
        (with_(8, "N3*STREET 2"), set()),
        ([*GOOD[:8], "N3*2", "N3*3", *GOOD[8:]], {("edi.segment.too_many", 10, None)}),
        # out of place
        (with_(9, "ZZ*1"), {("edi.segment.unknown", 10, None)}),
        (with_(9, GOOD[1]), {("edi.segment.misplaced", 10, None)}),
    ],
)
def test_both_verdicts_agree(segments, expected):
    """Our check and pyx12 find the same faults at the same places."""
    ours, theirs = verdicts(message(segments))
    assert ours == theirs == expected


def test_both_verdicts_agree_where_a_loop_is_too_often():
    """One loop too many is found at the same place, whether it is called a loop or its first segment."""
    ours, theirs = verdicts(message([*GOOD[:11], *["N1*CN*ONE MORE"] * 5, *GOOD[12:]]))
    assert {(segment, code.endswith("too_many")) for code, segment, _ in ours | theirs} == {(16, True)}


@pytest.mark.parametrize(
    ("name", "version", "segments", "expected"),
    [
        ("997", "004010", ["ST*997*0001", "AK1*SO*12", "AK9*A*1*1*1", "SE*4*0001"], set()),
        (
            "997",
            "004010",
            [
                "ST*997*0001",
                "AK1*SO*12",
                "AK2*309*0001",
                "AK3*P4*3**8",
                "AK4*2>1*373*8*X",
                "AK5*Z",
                "AK9*R*1*1*0",
                "SE*8*0001",
            ],
            {("edi.element.unknown_code", 6, 1)},
        ),
        (
            "997",
            "004010",
            ["ST*997*0001", "AK1*SO*12", "AK2*309*0001", "AK3*P4*3**99", "AK4*A*373*8*X", "AK9*R*1*1*0", "SE*7*0001"],
            {("edi.element.unknown_code", 4, 4), ("edi.element.not_numeric", 5, 1), ("edi.segment.missing", 6, None)},
        ),
        (
            "999",
            "005010",
            [
                "ST*999*0001*005010X231A1",
                "AK1*SO*12*005010",
                "AK2*824*0001",
                "IK3*OTI*3**8",
                "IK4*2>>1*373*12*X",
                "IK5*R*5",
                "AK9*R*1*1*0",
                "SE*8*0001",
            ],
            set(),
        ),
        (
            "824",
            "004010",
            ["ST*824*0001", "BGN*11*A77*20260301*0930", "OTI*TA*TN*320N", "TED*ZZZ*WORDS", "NTE**MORE", "SE*6*0001"],
            set(),
        ),
        (
            "824",
            "004010",
            ["ST*824*0001", "BGN*11*A77*20260301**ET", "OTI*TA*TN*320N", "REF*BM", "QTY*01*1**X", "SE*6*0001"],
            {("edi.note.required", 2, 4), ("edi.note.required", 4, 2), ("edi.note.excluded", 5, 2)},
        ),
    ],
)
def test_both_verdicts_agree_on_the_other_sets(name, version, segments, expected):
    """The same holds for acknowledgements and application advice, with code lists, composites and notes."""
    ours, theirs = verdicts(message(segments, name, version))
    assert ours == theirs == expected


TEXT = st.text("AB1 .-", min_size=1, max_size=12).map(str.strip).filter(bool)
NUMBER = st.integers(-10_000_000, 10_000_000).map(str)
ELEMENT = st.one_of(st.just(""), TEXT, NUMBER, st.sampled_from(["20260228", "20261301", "0930", "ABCD", "K", "BR"]))


@given(st.integers(1, len(GOOD) - 2), st.integers(1, 12), ELEMENT)
def test_both_verdicts_agree_on_any_change_of_an_element(index, element, value):
    """Whatever one element of a good 309 becomes, both accept it or both reject it at the same places."""
    elements = GOOD[index].split("*")
    elements += [""] * (element + 1 - len(elements))
    elements[element] = value
    while not elements[-1]:
        elements.pop()
    ours, theirs = verdicts(message(instead(index, "*".join(elements))))
    # pyx12 takes any text for a code where it has no list.
    ours = {place for place in ours if place[0] != "edi.element.unknown_code"}
    assert {place[1:] for place in ours} == {place[1:] for place in theirs}


@given(st.lists(st.sampled_from(GOOD[1:-1]), max_size=12))
def test_both_verdicts_agree_whether_an_order_is_right(segments):
    """Both say the same of any order of segments: right, or not."""
    ours, theirs = verdicts(message([GOOD[0], *segments, GOOD[-1]]))
    assert bool(ours) == bool(theirs)


@given(st.lists(st.text(max_size=30), max_size=6), st.sampled_from(["309", "824", "997"]))
def test_no_segment_raises(segments, name):
    """pyx12 fails on some input; the second opinion says so and goes on."""
    second_opinion.check(
        shipped(),
        message([GOOD[0], *segments, GOOD[-1]], name),
        tables.find(shipped(), MessageType(Syntax.X12, name, "004010")),
    )


def test_what_pyx12_cannot_read_is_said():
    """A composite with too many components makes pyx12 fail; the place is named, as a warning."""
    table = tables.find(shipped(), MessageType(Syntax.X12, "997", "004010"))
    read = message(
        ["ST*997*0001", "AK1*SO*12", "AK2*309*0001", "AK3*P4*3**8", "AK4*1>2>3>4*373*8", "AK5*R", "AK9*R*1*1*0"]
    )
    found = [f for f in second_opinion.check(shipped(), read, table) if f.code == "x12.second_opinion.failed"]
    assert [(f.place.segment, f.severity) for f in found] == [(5, Severity.WARNING)]


def test_only_what_is_new_is_added():
    """Where our check has spoken about a segment, the second opinion does not repeat it."""
    read = message(instead(2, "P4*1803*20261301*1 "))
    table = tables.find(shipped(), read.type)
    ours, theirs = structure.check(read, table).findings, second_opinion.check(shipped(), read, table)
    assert second_opinion.additional(ours, theirs) == []
    note, *rest = second_opinion.additional([], theirs)
    assert (note.code, note.severity, note.args["count"]) == (
        "x12.second_opinion.differs",
        Severity.NOTE,
        str(len(rest)),
    )
    assert rest == theirs


def test_repetitions_are_judged_by_the_first():
    """pyx12 knows no repetitions; the first one stands for all."""
    delimiters = Delimiters("~", "*", ">", repetition="^")
    head = ["ST*999*0001*005010X231A1", "AK1*SO*12*005010", "AK2*824*0001", "IK3*OTI*3**8"]
    read = message([*head, "CTX*A>B^C>D", "IK5*R*5", "AK9*R*1*1*0", "SE*8*0001"], "999", "005010", delimiters)
    assert verdicts(read) == [set(), set()]


@foreign.needed
def test_on_real_messages_it_adds_trailing_blanks_alone():
    """On other people's messages both agree, but for the trailing blanks that X12.6 forbids and we let pass."""
    codes = set()
    for path in sorted(SAMPLES.glob("*.x12")):
        for event in x12.read(path.read_bytes()):
            if isinstance(event, MessageRead) and (table := tables.find(shipped(), event.message.type)):
                ours = structure.check(event.message, table).findings
                codes |= {
                    f.code
                    for f in second_opinion.additional(ours, second_opinion.check(shipped(), event.message, table))
                }
    assert codes <= {"x12.second_opinion.differs", "x12.element.characters"}
