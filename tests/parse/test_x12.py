"""The X12 reader and its inverse, the writer."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ConfigurationInvalid
from gateway.findings import catalogue, text
from gateway.model import Severity
from gateway.parse import x12
from gateway.parse.segments import (
    Delimiters,
    GroupBegun,
    GroupEnded,
    InterchangeBegun,
    InterchangeEnded,
    MessageRead,
)
from gateway.parse.x12_writer import Body, GroupHeader, InterchangeHeader, plain, segment, write
from tests import foreign

SAMPLES = foreign.material("samples/x12")
AT = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
ISA = "ISA*00*          *00*          *ZZ*SENDER         *ZZ*RECIPIENT      *260301*0930*U*00401*000000007*0*P*>~"
GS = "GS*SO*SENDER*RECIPIENT*20260301*0930*12*X*004010~"
SET = "ST*309*0001~M10*ABCD~SE*3*0001~"
GOOD = ISA + GS + SET + "GE*1*12~IEA*1*000000007~"


def events(source, charset=""):
    return list(x12.read(source.encode() if isinstance(source, str) else source, charset))


def messages(source, charset=""):
    return [event.message for event in events(source, charset) if isinstance(event, MessageRead)]


def codes(source, charset=""):
    return [finding.code for event in events(source, charset) for finding in event.findings]


def test_a_good_interchange_gives_its_events_in_wire_order_and_no_finding():
    """A good interchange is begun, its group is begun, its message read, both are ended, and nothing is found."""
    read = events(GOOD)
    assert [type(e) for e in read] == [InterchangeBegun, GroupBegun, MessageRead, GroupEnded, InterchangeEnded]
    assert codes(GOOD) == []
    envelope = read[0].envelope
    assert (envelope.sender_qualifier, envelope.sender, envelope.recipient) == ("ZZ", "SENDER", "RECIPIENT")
    assert (envelope.reference, envelope.version, envelope.test) == ("000000007", "00401", False)
    assert (read[1].group.identifier, read[1].group.reference, read[1].group.version) == ("SO", "12", "004010")
    message = read[2].message
    assert message.segments == ["ST*309*0001", "M10*ABCD", "SE*3*0001"]
    assert message.type.format == "x12:309:004010"
    assert (read[3].message_count, read[4].message_count, read[4].group_count) == (1, 1, 1)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r\n\r\n", "  \n"])
def test_line_ends_behind_terminators_are_no_data(end):
    """Line ends and blanks behind a terminator change nothing that is read."""
    assert messages(GOOD.replace("~", "~" + end))[0].segments == messages(GOOD)[0].segments
    assert codes(GOOD.replace("~", "~" + end)) == []


@pytest.mark.parametrize(
    ("element", "component", "terminator"),
    [("|", "<", "'"), ("\x1d", "\x1f", "\x1c"), ("^", ":", "\n"), ("+", "\\", "\r")],
)
def test_any_separators_are_read_by_their_position_in_isa(element, component, terminator):
    """Whatever ISA uses as separators rules its interchange, control characters and line ends included."""
    wire = GOOD.translate(str.maketrans({"*": element, ">": component, "~": terminator}))
    assert [s.split(element) for s in messages(wire)[0].segments] == [s.split("*") for s in messages(GOOD)[0].segments]
    assert codes(wire) == []


def test_each_interchange_has_separators_of_its_own():
    """A second interchange with other separators is read by those."""
    wire = GOOD + "\r\n" + GOOD.translate(str.maketrans({"*": "|", "~": "!"}))
    first, second = messages(wire)
    assert second.segments == [s.replace("*", "|") for s in first.segments]
    assert codes(wire) == []


@pytest.mark.parametrize(
    ("version", "standard", "repetition"),
    [("00401", "U", ""), ("00402", "^", "^"), ("00501", "^", "^"), ("00501", "\x1f", "\x1f"), ("00501", "U", "")],
)
def test_isa11_is_the_repetition_separator_from_version_00402_on(version, standard, repetition):
    """ISA11 separates repetitions from version 00402 on, unless it is still a letter."""
    wire = GOOD.replace("*U*00401*", f"*{standard}*{version}*")
    assert events(wire)[0].envelope.delimiters.repetition == repetition
    assert codes(wire) == []


def test_an_unpadded_isa_is_read_with_a_warning():
    """Separators are found in an ISA that is not padded, and the sender is told."""
    wire = GOOD.replace("SENDER         *", "SENDER*")
    read = events(wire)
    assert read[0].envelope.sender == "SENDER"
    assert [(f.code, f.severity) for f in read[0].findings] == [("x12.isa.unpadded", Severity.WARNING)]
    assert len(messages(wire)) == 1


def test_an_isa_without_component_separator_is_read():
    """Where ISA16 is left out, the terminator is still found, and the fault is told."""
    wire = GOOD.replace("*P*>~", "*P*~")
    assert messages(wire)[0].segments == messages(GOOD)[0].segments
    assert "x12.isa.component" in codes(wire)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("ISA*00*", "ISA*0 *", "x12.isa.authorization_qualifier"),
        ("*ZZ*SENDER", "*Z *SENDER", "x12.isa.sender_qualifier"),
        ("*ZZ*RECI", "*  *RECI", "x12.isa.recipient_qualifier"),
        ("SENDER         *", "               *", "x12.isa.sender"),
        ("RECIPIENT      *", "               *", "x12.isa.recipient"),
        ("*260301*", "*260231*", "x12.isa.date"),
        ("*0930*U", "*2430*U", "x12.isa.time"),
        ("*U*00401", "*V*00401", "x12.isa.standard"),
        ("*000000007*0*", "*00000000A*0*", "x12.isa.reference"),
        ("*0*P*", "*2*P*", "x12.isa.acknowledgement"),
        ("*0*P*", "*0*X*", "x12.isa.usage"),
        ("*P*>", "*P*A", "x12.isa.component"),
        ("GS*SO*", "GS*S*", "x12.gs.identifier"),
        ("*20260301*", "*20261301*", "x12.gs.field"),
        ("*20260301*", "*260301*", "x12.gs.field"),
        ("*12*X*", "*1234567890*X*", "x12.gs.reference"),
        ("*X*004010", "*X*", "x12.gs.version"),
        ("GE*1*12", "GE*2*12", "x12.ge.count"),
        ("GE*1*12", "GE*1*13", "x12.ge.reference"),
        ("GE*1*12~", "", "x12.ge.missing"),
        ("IEA*1*", "IEA*2*", "x12.iea.count"),
        ("IEA*1*000000007", "IEA*1*000000008", "x12.iea.reference"),
        ("IEA*1*000000007~", "", "x12.iea.missing"),
        ("000000007~", "000000007", "x12.segment.unterminated"),
        ("ST*309*", "ST*9*", "x12.st.identifier"),
        ("ST*309*0001", "ST*309*1", "x12.st.reference"),
        ("SE*3*0001", "SE*4*0001", "x12.se.count"),
        ("SE*3*0001", "SE*three*0001", "x12.se.count"),
        ("SE*3*0001", "SE*3*0002", "x12.se.reference"),
        ("SE*3*0001~", "", "x12.se.missing"),
        ("GE*1", "N9*1~N9*2~GE*1", "x12.segment.outside"),
        ("GE*1", SET + "GE*2", "x12.st.repeated"),
        (GS, "", "x12.gs.missing"),
        (GS, "", "x12.interchange.ungrouped"),
        (ISA, "", "x12.isa.missing"),
        ("ST*309*0001", "ST*309*0001*005010X1", "x12.st.convention"),
        ("M10*ABCD", "BIN*5*ABCD", "x12.binary.length"),
        ("M10*ABCD", "BIN*x*ABCD", "x12.binary.length"),
        ("M10*ABCD", "BIN*999999999999999*ABCD", "x12.binary.length"),
        (ISA, "ISA*00*nonsense~", "x12.isa.unreadable"),
        (GOOD, "<?xml version='1.0'?>", "x12.interchange.unreadable"),
    ],
)
def test_each_fault_of_an_envelope_has_its_code(old, new, code):
    """A fault put into a good interchange is found under its own code, once, and worded without blanks left open."""
    assert old in GOOD
    found = [f for event in events(GOOD.replace(old, new, 1)) for f in event.findings]
    assert [f.code for f in found].count(code) == 1
    for finding in found:
        assert finding.code in catalogue()
        assert "–" not in text(finding, "en")


def test_a_wrong_segment_count_says_what_was_claimed_and_what_was_found():
    """The finding about SE01 has its place and both numbers."""
    (finding,) = [f for e in events(GOOD.replace("SE*3*", "SE*622*")) for f in e.findings]
    assert (finding.place.segment, finding.place.tag, finding.place.element) == (3, "SE", 1)
    assert text(finding) == "SE01 counts 622 segments; here are 3."


def test_a_missing_trailer_loses_no_message():
    """Messages are closed where the next one begins, where the group ends, and where the data ends."""
    wire = ISA + GS + "ST*309*0001~M10*A~ST*309*0002~M10*B~GE*2*12~IEA*1*000000007~"
    assert [m.segments[1] for m in messages(wire)] == ["M10*A", "M10*B"]
    assert [m.reference for m in messages(ISA + GS + "ST*309*0001~M10*A")] == ["0001"]


def test_a_missing_interchange_trailer_does_not_reach_the_next_interchange():
    """Where IEA is missing, the next ISA still begins an interchange, with separators of its own."""
    other = GOOD.translate(str.maketrans({"*": "|", "~": "!"}))
    wire = GOOD.replace("IEA*1*000000007~", "") + other
    assert [m.segments[1] for m in messages(wire)] == ["M10*ABCD", "M10|ABCD"]
    assert codes(wire) == ["x12.iea.missing"]


def test_a_binary_length_beyond_all_data_costs_no_more_than_the_data():
    """Many BIN segments that announce more than there is are reported, up to a limit, and read as plain segments."""
    wire = GOOD.replace("M10*ABCD~", "BIN*60000000*x~" * 5000).replace("SE*3", "SE*5002")
    assert codes(wire) == ["x12.binary.length"] * 1001 + ["x12.segment.more"]
    assert len(messages(wire)[0].segments) == 5002


def test_what_nobody_else_can_answer_for_is_told_at_the_end_of_the_interchange():
    """Strays and sets without group are findings of the interchange, whose TA1 is the only answer they can get."""
    last = events(GOOD.replace(GS, "N9*1~"))[-1]
    assert {"x12.segment.outside", "x12.interchange.ungrouped"} <= {f.code for f in last.findings}


def test_ta1_is_a_message_of_its_own():
    """TA1 between ISA and IEA is read as a message of type TA1; IEA01 may be 0 or 1 where nothing else is sent."""
    for count in "01":
        wire = ISA + f"TA1*000000041*260228*1200*A*000~IEA*{count}*000000007~"
        (message,) = messages(wire)
        assert (message.type.name, message.reference, message.group) == ("TA1", "000000041", None)
        assert message.segments == ["TA1*000000041*260228*1200*A*000"]
        assert codes(wire) == []


def test_the_type_is_st01_with_gs08_or_st03():
    """An implementation convention in ST03 is the version; GS01 plays no part."""
    wire = GOOD.replace("*004010~", "*005010X~").replace("ST*309*0001", "ST*309*0001*005010X186A1")
    assert messages(wire)[0].type.version == "005010X186A1"
    assert messages(GOOD.replace("GS*SO", "GS*QO"))[0].type == messages(GOOD)[0].type


def test_binary_data_is_cut_by_length():
    """BIN and BDS data may hold separators, terminators and bytes of no charset, even `IEA`."""
    data = b"~IEA*1*2~\xff\x00*\r\n"
    body = b"ST*000*0001~BIN*%d*%s~BDS*ASC*%d*%s~N9*1~SE*5*0001~" % (len(data), data, len(data), data)
    wire = GOOD.encode().replace(SET.encode(), body)
    (message,) = messages(wire)
    assert list(message.packages) == [data, data]
    assert message.segments[1:4] == [f"BIN*{len(data)}*", f"BDS*ASC*{len(data)}*", "N9*1"]
    assert codes(wire) == []


@pytest.mark.parametrize("charset", ["", "utf-8", "gb18030", "latin-1"])
def test_text_is_decoded_by_the_agreed_charset(charset):
    """Text comes out as it went in, also where trail bytes of a charset look like separators."""
    name = "MÜNCHEN" if charset == "latin-1" else "\u4e92\u4e96~".replace("~", "") + "亊"
    wire = GOOD.replace("ABCD", name).encode(charset or "utf-8")
    assert messages(wire, charset)[0].segments[1] == f"M10*{name}"
    assert codes(wire, charset) == []


def test_bytes_outside_the_charset_are_found_and_kept():
    """Bytes that are no UTF-8 are read as Latin-1, and the segment that holds them is named."""
    read = [e for e in events(GOOD.encode().replace(b"ABCD", b"AB\xe9D")) if isinstance(e, MessageRead)]
    assert read[0].message.segments == ["ST*309*0001", "M10*AB\xe9D", "SE*3*0001"]
    assert [(f.code, f.place.segment) for f in read[0].findings] == [("x12.characters", 2)]
    assert codes(GOOD.encode().replace(b"ABCD", b"AB\xff\xffD"), "gb18030") == ["x12.characters"]


def test_rubbish_between_interchanges_is_reported_and_passed_over():
    """What stands between two interchanges is one finding, and the second is read."""
    wire = GOOD + "ISAAC NEWTON\nISA*00*\n" * 50 + GOOD
    assert len(messages(wire)) == 2
    assert codes(wire) == ["x12.interchange.unreadable"]


def test_rubbish_full_of_false_headers_is_given_up():
    """After a thousand headers that are none, the rest is passed over, so that rubbish cannot cost much."""
    assert codes("ISA*" * 100_000 + GOOD) == ["x12.isa.unreadable"]


def test_a_segment_without_end_stops_its_interchange_only():
    """A segment beyond a megabyte is given up in bounded memory; what follows the next ISA is read."""
    chunks = [(ISA + GS + "ST*309*0001~M10*").encode(), *([b"x" * 65536] * 20), b"y~", GOOD.encode()]
    read = list(x12.read(chunks))
    assert "x12.segment.endless" in [f.code for e in read for f in e.findings]
    assert [e.message.segments for e in read if isinstance(e, MessageRead)][-1] == messages(GOOD)[0].segments


@pytest.mark.parametrize("size", [1, 2, 7, 64, 106, 107])
def test_chunks_do_not_matter(size):
    """The events are the same however the bytes arrive."""
    wire = (GOOD + "\n" + GOOD.replace("M10*ABCD", "BIN*4*~~~~")).encode()
    chunks = [wire[at : at + size] for at in range(0, len(wire), size)]
    assert list(x12.read(chunks)) == events(wire)


def test_a_set_without_measure_is_counted_but_not_kept():
    """Of more than 999,999 segments the rest is only counted, so that memory stays bounded and SE still agrees."""
    count = 1_200_000
    wire = GOOD.encode().replace(b"M10*ABCD~", b"A~" * count).replace(b"SE*3*", b"SE*%d*" % (count + 2))
    (message,) = messages(wire)
    assert codes(wire) == ["x12.st.too_long"]
    assert len(message.segments) < 1_050_000  # what one chunk holds more is not taken back
    assert message.segments[-1].startswith("SE*")


def test_messages_come_before_the_source_is_read_to_its_end():
    """The reader yields a message as soon as a part of the source holds it."""

    def source():
        yield (ISA + GS).encode()
        for number in range(10_000):
            state["asked"] = number
            yield f"ST*309*{number:04}~{'M10*ABCD~' * 500}SE*502*{number:04}~".encode()

    state = {}
    for event in x12.read(source()):
        if isinstance(event, MessageRead):
            break
    assert state["asked"] < 100


@given(st.binary(max_size=400))
def test_no_input_raises(data):
    """Whatever the bytes, the reader ends without an exception and closes each interchange that it begins."""
    for wire in (data, ISA.encode() + data, (ISA + GS + "ST*309*0001~").encode() + data):
        read = events(wire)
        assert [type(e) for e in read].count(InterchangeBegun) == [type(e) for e in read].count(InterchangeEnded)


@given(st.text("~*>ISAGETBDN0123\n", max_size=200))
def test_no_text_of_separators_raises(data):
    """The same for text that is rich in separators and control segments."""
    read = events(GOOD + data + GOOD)
    assert isinstance(read[-1], InterchangeEnded)


DELIMITERS = st.sampled_from(
    [
        Delimiters("~", "*", ">", repetition="^"),
        Delimiters("\n", "|", "<", repetition="!"),
        Delimiters("'", "+", ":", repetition="^"),
    ]
)
VALUES = st.text(
    st.characters(codec="utf-8", exclude_characters="~*>^\n\r|<!'+:\ufffd", categories=("L", "N", "P", "Zs"))
)
_CONTROL = frozenset({"BIN", "BDS", "GE", "IEA"})
BODIES = st.builds(
    lambda number, rows: Body("309", f"{number:04}", tuple(rows)),
    st.integers(1, 999_999_999),
    st.lists(st.tuples(st.from_regex(r"[A-R][A-R0-9]{1,2}", fullmatch=True), st.lists(VALUES, max_size=4)), max_size=5),
)


@given(
    delimiters=DELIMITERS,
    bodies=st.lists(BODIES, min_size=1, max_size=4, unique_by=lambda b: b.reference),
    group_count=st.integers(1, 3),
    packages=st.lists(st.binary(min_size=1, max_size=40), max_size=2),
    line_end=st.sampled_from(["", "\n", "\r\n"]),
    version=st.sampled_from(["00401", "00501"]),
)
def test_what_is_written_is_read_again(delimiters, bodies, group_count, packages, line_end, version):
    """Reading an interchange that was written gives the same groups, segments and packages, without a finding."""
    element = delimiters.element

    def raw(body):
        rows = [segment(tag, *values, delimiters=delimiters) for tag, values in body.segments if tag not in _CONTROL]
        rows += [f"BIN{element}{len(package)}{element}" for package in packages]
        return Body(body.name, body.reference, rows, packages=packages)

    groups = [
        (GroupHeader("SO", "SENDER", "RECIPIENT", str(number + 1), "004010"), [raw(body) for body in bodies])
        for number in range(group_count)
    ]
    header = InterchangeHeader("SENDER", "RECIPIENT", "17", AT, version=version, test=True, delimiters=delimiters)
    read = events(write(header, groups, line_end=line_end))
    assert [f for e in read for f in e.findings] == []
    envelope = read[0].envelope
    assert (envelope.sender, envelope.recipient, envelope.reference, envelope.test) == (
        "SENDER",
        "RECIPIENT",
        "000000017",
        True,
    )
    written = [body for _, group in groups for body in group]
    got = [e.message for e in read if isinstance(e, MessageRead)]
    assert [m.segments[1:-1] for m in got] == [list(body.segments) for body in written]
    assert [list(m.packages) for m in got] == [list(packages)] * len(written)
    assert [m.reference for m in got] == [body.reference for body in written]


def test_isa_is_written_106_bytes_long():
    """The written ISA has its separators where X12.5 puts them."""
    wire = write(InterchangeHeader("A", "B", "1", AT, acknowledgement_requested=True), [])
    assert len(wire.split(b"~")[0]) == 105
    assert events(wire)[0].envelope.acknowledgement_requested
    assert wire[105:] == b"~IEA*0*000000001~"


def test_an_identifier_that_does_not_fit_is_our_own_fault():
    """An identifier of more than 15 characters cannot be written, and nothing is cut silently."""
    with pytest.raises(ConfigurationInvalid, match="ISA06"):
        write(InterchangeHeader("A" * 16, "B", "1", AT), [])


def test_separators_in_written_values_become_blanks():
    """X12 has no release character: separators inside what we write turn into blanks."""
    assert segment("TED", "024", "a*b~c", "") == "TED*024*a b c"
    assert plain("a*b~c>d^e") == "a b c d e"
    assert plain("a\x07b\x85c") == "a b c"
    assert plain("*~ \n") == ""


@foreign.needed
@pytest.mark.parametrize(
    ("name", "types", "expected"),
    [
        ("x12_309_4010_apimeister_1.x12", ["x12:309:004010"], ["x12.se.count"]),
        ("x12_309_6050_CBP_jc_1.x12", ["x12:309:006050"], ["x12.isa.unpadded", "x12.se.count"]),
        ("x12_315_4010_apimeister_file.x12", ["x12:315:004010"], []),
        ("x12_824_5010_apimeister_file.x12", ["x12:824:005010X186A1"], []),
        ("x12_997_4010_apimeister_1.x12", ["x12:997:"], ["x12.isa.missing", "x12.gs.missing"]),
        ("x12_999_5010_apimeister_1.x12", ["x12:999:005010X231A1"], []),
        ("x12_BIN_segment_staedi.x12", ["x12:000:005010"], []),
        ("x12_multi_interchange_997_staedi.x12", ["x12:997:005010X230"] * 3, []),
    ],
)
def test_other_peoples_messages_are_read(name, types, expected):
    """Real messages are read, with the faults that they have and no others."""
    wire = (SAMPLES / name).read_bytes()
    assert [m.type.format for m in messages(wire)] == types
    assert codes(wire) == expected


@foreign.needed
def test_the_binary_sample_keeps_its_25_bytes():
    """Each BIN segment of the sample holds the 25 bytes that it announces, line ends included."""
    (message,) = messages((SAMPLES / "x12_BIN_segment_staedi.x12").read_bytes())
    assert [len(package) for package in message.packages] == [25, 25, 25]
    assert re.fullmatch(rb"\d{10}\n\d{10}\n\d\d\n", message.packages[2])
