"""Reading and writing EDIFACT interchanges."""

import itertools
import random
import re
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.findings import catalogue, text
from gateway.model import Severity, Syntax
from gateway.parse import edifact, edifact_interactive, edifact_text
from gateway.parse.edifact_writer import write_interchange
from gateway.parse.segments import (
    Delimiters,
    Envelope,
    GroupBegun,
    GroupEnded,
    InterchangeBegun,
    InterchangeEnded,
    MessageRead,
    MessageType,
    join,
)
from tests import foreign

SAMPLES = foreign.material("samples/edifact")

UNB = "UNB+UNOC:3+ALFA:ZZ+BETA:ZZ+240102:0304+REF1'"
MESSAGE = "UNH+M1+CUSDEC:D:96B:UN'BGM+929+N1+9'UNT+3+M1'"
WHOLE = f"{UNB}{MESSAGE}UNZ+1+REF1'"


def events(payload, **options):
    return list(edifact.read(payload.encode("latin-1") if isinstance(payload, str) else payload, **options))


def messages(payload, **options):
    return [e.message for e in events(payload, **options) if isinstance(e, MessageRead)]


def codes(payload, **options):
    return [f.code for e in events(payload, **options) for f in e.findings]


def test_an_interchange_comes_as_events_in_wire_order():
    """Begun, each message, ended; with what UNB and UNH say."""
    begun, read, ended = events(WHOLE)
    assert isinstance(begun, InterchangeBegun)
    assert isinstance(ended, InterchangeEnded)
    envelope = begun.envelope
    assert (envelope.sender, envelope.sender_qualifier, envelope.recipient) == ("ALFA", "ZZ", "BETA")
    assert (envelope.reference, envelope.version, envelope.repertoire, envelope.charset) == (
        "REF1",
        "3",
        "UNOC",
        "latin-1",
    )
    assert (envelope.date, envelope.time) == ("240102", "0304")
    assert (envelope.test, envelope.acknowledgement_requested) == (False, False)
    assert read.message.type == MessageType(Syntax.EDIFACT, "CUSDEC", "D", "96B", "UN")
    assert read.message.type.format == "edifact:CUSDEC:D:96B:UN"
    assert read.message.segments == ["UNH+M1+CUSDEC:D:96B:UN", "BGM+929+N1+9", "UNT+3+M1"]
    assert (read.message.reference, read.message.number, ended.message_count) == ("M1", 1, 1)
    assert codes(WHOLE) == []


def test_header_indicators():
    """Acknowledgement request, test indicator and application reference are read from their places in UNB."""
    (begun, *_) = events(WHOLE.replace("REF1'", "REF1++APPREF++1++1'", 1))
    assert begun.envelope.acknowledgement_requested
    assert begun.envelope.test
    assert begun.envelope.application_reference == "APPREF"


@pytest.mark.parametrize(
    "payload",
    [
        # CR LF between segments, LF, and both after UNA
        WHOLE.replace("'", "'\r\n"),
        WHOLE.replace("'", "'\n"),
        "UNA:+.? '\r\n" + WHOLE.replace("'", "'\r\n"),
        "\r\n\n " + WHOLE,
        # other service characters, given by UNA
        "UNA|*,!^~" + WHOLE.translate(str.maketrans(":+'", "|*~")),
        # the separators of level B, known without UNA
        WHOLE.translate(str.maketrans(":+'", "\x1f\x1d\x1c")),
        # a newline as terminator
        "UNA:+.? \n" + WHOLE.replace("'", "\n"),
        "\ufeff" + WHOLE,
    ],
)
def test_the_same_interchange_in_other_dress(payload):
    """Line breaks, service characters and marks change nothing that is read."""
    for data in (payload.encode("utf-8"), payload.encode("utf-16")):
        found = list(edifact.read(data))
        assert [f.code for e in found for f in e.findings] == []
        (message,) = [e.message for e in found if isinstance(e, MessageRead)]
        assert message.type.format == "edifact:CUSDEC:D:96B:UN"
        d = message.delimiters
        assert message.segments[1] == d.element.join(["BGM", "929", "N1", "9"])


def test_released_terminators_stay_in_their_segment():
    """A released terminator ends nothing, even before what looks like a service segment; a released release does."""
    body = "UNH+M1+CUSDEC:D:96B:UN'FTX+AAA+++IT?'S'FTX+AAA+++?'UNT+?'UNZ+'FTX+AAA+++END??'UNT+5+M1'"
    (message,) = messages(f"{UNB}{body}UNZ+1+REF1'")
    assert message.segments[1:4] == ["FTX+AAA+++IT?'S", "FTX+AAA+++?'UNT+?'UNZ+", "FTX+AAA+++END??"]


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        # (text in WHOLE, what it becomes), finding
        (("UNT+3", "UNT+4"), "edifact.unt.count"),
        (("UNT+3+M1", "UNT+3+M2"), "edifact.unt.reference"),
        (("UNZ+1", "UNZ+2"), "edifact.unz.count"),
        (("UNZ+1+REF1", "UNZ+1+REF2"), "edifact.unz.reference"),
        (("UNZ+1+REF1'", ""), "edifact.unz.missing"),
        (("UNT+3+M1'", ""), "edifact.unt.missing"),
        ((UNB, ""), "edifact.unb.missing"),
        ((MESSAGE, ""), "edifact.interchange.empty"),
        (("UNOC:3", "UNOC:9"), "edifact.syntax.unsupported"),
        (("UNOC:3", "XXXX:3"), "edifact.charset.unsupported"),
        (("929+N1", "929+n1\x07"), "edifact.character.outside"),
        (("UNH+M1", "QQQ+1'UNH+M1"), "edifact.segment.outside"),
        (("BGM", "''BGM"), "edifact.segment.empty"),
        (("REF1'UNH", "REF1'UNG+X'UNH"), "edifact.une.missing"),
    ],
)
def test_envelope_faults_are_findings(damage, code):
    """Each fault of envelope, counts and references has its finding; reading goes on."""
    damaged = WHOLE.replace(*damage, 1)
    assert code in codes(damaged)
    assert isinstance(events(damaged)[-1], InterchangeEnded)


@pytest.mark.parametrize("advice", ["UNA::.? '", "UNAA+.? '", "UNA:+.?  ", "UNA:+.+ '"])
def test_unusable_una(advice):
    """Service characters that repeat, or are letters, are a finding, and the default ones are used."""
    assert "edifact.una.invalid" in codes(advice + WHOLE)
    assert messages(advice + WHOLE)[0].type.name == "CUSDEC"


def test_groups():
    """Messages in a group know it; UNZ counts groups, UNE messages; nothing is found in a sound one."""
    group = "UNG+CUSDEC+A+B+240102:0304+G1+UN+D:96B'"
    other, second = group.replace("G1", "G2"), MESSAGE.replace("M1", "M2")
    payload = f"{UNB}{group}{MESSAGE}{second}UNE+2+G1'{other}{MESSAGE}UNE+1+G2'UNZ+2+REF1'"
    found = events(payload)
    assert [type(e) for e in found] == [
        InterchangeBegun,
        GroupBegun,
        MessageRead,
        MessageRead,
        GroupEnded,
        GroupBegun,
        MessageRead,
        GroupEnded,
        InterchangeEnded,
    ]
    assert codes(payload) == []
    assert found[2].message.group.version == "D:96B"
    assert found[4].message_count == 2
    assert (found[-1].message_count, found[-1].group_count) == (3, 2)
    assert (found[4].trailer, found[-1].trailer) == ([["UNE"], ["2"], ["G1"]], [["UNZ"], ["2"], ["REF1"]])


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ("UNG+CUSDEC+A+B+240102:0304+G1+UN+D:96B'{m}UNE+2+G1'UNZ+1+REF1'", "edifact.une.count"),
        ("UNG+CUSDEC+A+B+240102:0304+G1+UN+D:96B'{m}UNE+1+G2'UNZ+1+REF1'", "edifact.une.reference"),
        ("UNG+CUSDEC+A+B+240102:0304+G1+UN+D:96B'{m}UNE+1+G1'{o}UNZ+1+REF1'", "edifact.group.mixed"),
        ("{m}UNG+CUSDEC+A+B+240102:0304+G1+UN+D:96B'{m}UNE+1+G1'UNZ+1+REF1'", "edifact.group.mixed"),
        ("UNG+CUSDEC+A+B+240102:0304+G1+UN+D:96B'{m}{o}UNE+2+G1'UNZ+1+REF1'", "edifact.group.types"),
    ],
)
def test_group_faults(payload, code):
    """Counts, references and mixtures of groups are checked."""
    other = MESSAGE.replace("CUSDEC", "CUSRES").replace("M1", "M2")
    assert codes(UNB + payload.format(m=MESSAGE, o=other)) == [code]


_UNG = "UNG+CUSDEC+A+B+240102:0304+{}+UN+D:96B'"
_UNO = "UNO+P1+1:X+1:Y+3'123UNP+3+P1'"


@pytest.mark.parametrize(
    ("content", "found"),
    [
        # (between UNB and UNZ, [finding, tag, value])
        (f"{MESSAGE}{MESSAGE}", [("message", "UNH", "M1")]),
        (f"{MESSAGE}{MESSAGE.replace('M1', 'm1')}", []),
        (f"{MESSAGE}{MESSAGE.replace('M1', 'M01')}", []),
        (f"{_UNO}{_UNO}", [("message", "UNO", "P1")]),
        (f"{_UNO}{MESSAGE.replace('M1', 'P1')}", []),
        (f"{_UNG.format('G1')}{MESSAGE}{MESSAGE}UNE+2+G1'", [("message", "UNH", "M1")]),
        (f"{_UNG.format('G1')}{MESSAGE}UNE+1+G1'{_UNG.format('G2')}{MESSAGE}UNE+1+G2'", []),
        (
            f"{_UNG.format('G1')}{MESSAGE}UNE+1+G1'{_UNG.format('G1')}{MESSAGE}UNE+1+G1'",
            [("group", "UNG", "G1")],
        ),
        (f"{_UNG.format('')}{MESSAGE}UNE+1+'{_UNG.format('')}{MESSAGE}UNE+1+'", []),
    ],
)
def test_references_are_unique(content, found):
    """A message's reference stands once in its interchange, or in its group; a group's once in its interchange."""
    count = content.count("UNG+") or content.count("UNH+") + content.count("UNO+")
    faults = [f for e in events(f"{UNB}{content}UNZ+{count}+REF1'") for f in e.findings]
    assert [(f.code, f.place.tag, f.value) for f in faults] == [
        (f"edifact.{level}.repeated", tag, value) for level, tag, value in found
    ]
    assert all(catalogue()[f.code].contrl == "26" for f in faults)


def test_the_same_reference_in_the_next_interchange_is_no_fault():
    """What was remembered is forgotten when an interchange ends."""
    assert codes(WHOLE + WHOLE.replace("REF1", "REF2")) == []


def test_several_interchanges_each_with_its_own_una():
    """One payload may hold interchanges of different service characters, versions and character sets."""
    first = "UNA|*,! ~" + WHOLE.translate(str.maketrans(":+'", "|*~"))
    second = WHOLE.replace("UNOC", "UNOY").replace("N1", "\u62a5\u68c0")
    third = WHOLE.replace("UNOC", "UNOE").replace("N1", "\u041f")
    payload = first.encode() + b"\r\n" + second.encode() + third.encode("iso8859-5") + WHOLE.encode()
    found = messages(payload)
    assert [m.delimiters.element for m in found] == ["*", "+", "+", "+"]
    assert [m.segments[1].split(m.delimiters.element)[2] for m in found] == ["N1", "\u62a5\u68c0", "\u041f", "N1"]
    assert codes(payload) == []


@pytest.mark.parametrize(
    ("repertoire", "codec", "word"),
    [
        ("UNOC", "latin-1", "\u00e9"),
        ("UNOD", "iso8859-2", "\u0141"),
        ("UNOE", "iso8859-5", "\u0416"),
        ("UNOF", "iso8859-7", "\u03a9"),
        ("UNOG", "iso8859-3", "\u0126"),
        ("UNOH", "iso8859-4", "\u0100"),
        ("UNOI", "iso8859-6", "\u0639"),
        ("UNOJ", "iso8859-8", "\u05d0"),
        ("UNOK", "iso8859-9", "\u015e"),
        ("UNOW", "utf-8", "\u68c0"),
        ("UNOX", "iso2022_jp_2", "\u6771"),
        ("UNOY", "utf-8", "\u75ab"),
    ],
)
def test_character_sets(repertoire, codec, word):
    """Each repertoire of UNB S001 is read with its codec."""
    payload = WHOLE.replace("UNOC", repertoire).replace("N1", word).encode(codec)
    assert messages(payload)[0].segments[1] == f"BGM+929+{word}+9"
    assert codes(payload) == []


def test_agreed_character_set():
    """An agreed codec overrides the repertoire: GB18030, whose second bytes may look like letters."""
    word = "\u9435\u6a94\u4e28\u5176"
    payload = WHOLE.replace("N1", word).encode("gb18030")
    assert messages(payload, charset="gb18030")[0].segments[1] == f"BGM+929+{word}+9"
    assert codes(payload, charset="gb18030") == []


def test_undecodable_bytes_are_findings():
    """Bytes that the character set does not have are told at their segment, and leave no surrogate behind."""
    payload = WHOLE.replace("UNOC", "UNOY").replace("N1", "\xff\xfe").encode("latin-1")
    read = next(e for e in events(payload) if isinstance(e, MessageRead))
    assert [(f.code, f.place.segment) for f in read.findings] == [("edifact.charset.undecodable", 2)]
    assert read.message.segments[1] == "BGM+929+\ufffd\ufffd+9"


_FOUR = "UNB+UNOY:4+S:ZZ+R:ZZ+20260305:0930+I1'"
_GROUPED = f"{_FOUR}UNG+CUSDEC+S+R+20260305:0930+G1+UN+D:96B'{MESSAGE}UNE+1+G1'UNZ+1+I1'"
_PACKAGED = f"{_FOUR}UNO+P1+1:X+1:Y+3'123UNP+3+P1'UNZ+1+I1'"


@pytest.mark.parametrize(
    ("text_", "at", "event", "segment"),
    [
        # (text, where a byte is put in, the event that tells it, the segment's position in its message)
        (_GROUPED, "S:ZZ", InterchangeBegun, 0),
        (_GROUPED, "930+I1", InterchangeBegun, 0),
        (_GROUPED, "DEC+S", GroupBegun, 0),
        (_GROUPED, "D:96B'UNH", GroupBegun, 0),
        (_GROUPED, "M1+CUSDEC", MessageRead, 1),
        (_GROUPED, "DEC:D", MessageRead, 1),
        (_GROUPED, "929", MessageRead, 2),
        (_GROUPED, "UNT+3", MessageRead, 3),
        (_GROUPED, "E+1+G1'UNZ", GroupEnded, 0),
        (_GROUPED, "UNZ+1", InterchangeEnded, 0),
        (_PACKAGED, "P1+1:X", MessageRead, 1),
        (_PACKAGED, "3+P1'UNZ", MessageRead, 2),
        (_GROUPED.replace("UNH", "QQQ+X'UNH"), "QQQ+X", InterchangeEnded, 0),
    ],
)
@pytest.mark.parametrize("repertoire", ["UNOY", "UNOF", "UNOX"])
def test_undecodable_bytes_in_service_segments_are_findings(text_, at, event, segment, repertoire):
    """They are told where they stand, and what was read of them can be written back in the same character set."""
    damaged = text_.replace("UNOY", repertoire).replace(at, at[:1] + "\xff" + at[1:], 1)
    told = [
        (type(e), f.place.segment)
        for e in events(damaged)
        for f in e.findings
        if f.code == "edifact.charset.undecodable"
    ]
    assert told == [(event, segment)]
    codec = events(damaged)[0].envelope.charset
    repr(events(damaged)).replace("\\ufffd", "").encode(codec)
    for read in events(damaged):
        if isinstance(read, MessageRead):
            "".join([read.message.reference, *read.message.segments]).encode(codec)


def test_characters_of_service_segments_are_checked():
    """UNB, UNG, UNE and UNZ hold what the repertoire has, as messages do."""
    sound = f"{UNB.replace('UNOC', 'UNOA')}{_UNG.format('G1')}{MESSAGE}UNE+1+G1'UNZ+1+REF1'"
    assert codes(sound) == []
    for old, new in [("ALFA", "Alfa"), ("+CUSDEC+A", "+cUSDEC+A"), ("E+1+G1", "E+1+g1"), ("Z+1+REF1", "Z+1+Ref1")]:
        assert "edifact.character.outside" in codes(sound.replace(old, new)), new
    assert all(catalogue()[f"edifact.{code}"].contrl == "21" for code in ("character.outside", "charset.undecodable"))


def test_a_una_of_undecodable_bytes_is_unusable():
    """Behind an interchange in UTF-8, a byte that is none cannot separate anything."""
    payload = WHOLE.replace("UNOC", "UNOY").encode() + b"UNA\xff+.? '" + WHOLE.replace("REF1", "REF2").encode()
    assert codes(payload) == ["edifact.una.invalid"]
    assert len(messages(payload)) == 2


@pytest.mark.parametrize(
    ("repertoire", "value", "strangers"),
    [("UNOA", "ABC a-b", "a b"), ("UNOA", 'A!"%&*;<>=/', None), ("UNOB", "abc", None), ("UNOB", "a_b#", "_ #")],
)
def test_repertoires_of_levels_a_and_b(repertoire, value, strangers):
    """Level A has no small letters; neither has what ISO 9735 annex A leaves out."""
    payload = WHOLE.replace("UNOC", repertoire).replace("N1", value)
    read = next(e for e in events(payload) if isinstance(e, MessageRead))
    assert [f.args["characters"] for f in read.findings] == ([strangers] if strangers else [])


def test_packages_are_taken_by_length():
    """An object may hold anything, service characters and segments included; UNP follows it at once."""
    content = bytes(range(256)) + b"'UNZ+9'UNT"
    uno = f"UNO+P1+1:X+1:Y+{len(content)}'".encode()
    payload = UNB.encode() + MESSAGE.encode() + uno + content + f"UNP+{len(content)}+P1'UNZ+2+REF1'".encode()
    message, package = messages(payload)
    assert message.packages == ()
    assert package.packages == [content]
    assert package.reference == "P1"
    assert package.type.name == "UNO"
    assert codes(payload) == []
    for codec in ("utf-8", "gb18030"):
        assert messages(payload, charset=codec)[1].packages == [content]


def test_a_package_of_another_length_is_a_finding():
    """Where UNP does not follow, the length was wrong."""
    payload = UNB + "UNO+P1+1:X+1:Y+9'1234567890UNP+10+P1'UNZ+1+REF1'"
    assert "edifact.package.length" in codes(payload)
    assert codes(UNB + "UNO+P1+1:X+1:Y+5'12345UNP+6+P1'UNZ+1+REF1'") == ["edifact.package.reference"]


def test_version_4_repetition_separator():
    """Version 4 repeats with `*`, or with UNA's fifth character; older versions do not."""
    four = WHOLE.replace("UNOC:3", "UNOC:4")
    assert messages(four)[0].delimiters.repetition == "*"
    assert messages("UNA:+.?~'" + four)[0].delimiters.repetition == "~"
    assert messages("UNA:+.? '" + four)[0].delimiters.repetition == ""
    assert messages("UNA:+.?~'" + WHOLE)[0].delimiters.repetition == ""


def test_version_4_ignores_the_decimal_mark_of_una():
    """ISO 9735-1:1998: comma and point are both decimal marks, whatever UNA says; before version 4 UNA chooses."""
    four = WHOLE.replace("UNOC:3", "UNOC:4")
    for advice in ("UNA:+,? '", "UNA:+.? '", "UNA:+ ? '"):
        assert messages(advice + four)[0].delimiters.decimal == "."
    assert messages("UNA:+,? '" + WHOLE)[0].delimiters.decimal == ","


_CUT = WHOLE[: WHOLE.index("+9'UNT")]
_NEXT = WHOLE.replace("REF1", "REF2").replace("N1", "N2")
_OTHER_MARKS = str.maketrans(":+'?", "|*~!")


@pytest.mark.parametrize("between", ["'", "'\r\n", "", "\n", "'" + "\n" * 400, " " * 79])
@pytest.mark.parametrize(
    "following",
    [
        "UNA:+,? '" + _NEXT,
        "UNA:+,? '\r\n" + _NEXT,
        _NEXT,
        # other separators: all of them, the terminator alone, all but the terminator; those of level B
        "UNA|*,! ~" + _NEXT.translate(_OTHER_MARKS),
        "UNA:+,? ~" + _NEXT.replace("'", "~"),
        "UNA|*,! '" + _NEXT.translate(str.maketrans(":+?", "|*!")),
        _NEXT.translate(str.maketrans(":+'", "\x1f\x1d\x1c")),
    ],
)
@pytest.mark.parametrize("pieces", [False, True])
def test_an_interchange_behind_one_that_broke_off_is_read(between, following, pieces):
    """A message that was cut off swallows nothing of the next interchange, nor its UNA, whatever separates either."""
    payload = (_CUT + between + following).encode()
    begun, cut, ended, *rest = edifact.read((bytes([b]) for b in payload) if pieces else payload)
    assert begun.envelope.reference == "REF1"
    assert [f.code for f in cut.findings] == ["edifact.unt.missing"]
    assert cut.message.segments == ["UNH+M1+CUSDEC:D:96B:UN", "BGM+929+N1"]
    assert [f.code for f in ended.findings] == ["edifact.unz.missing"]
    assert [type(e) for e in rest] == [InterchangeBegun, MessageRead, InterchangeEnded]
    assert [f.code for e in rest for f in e.findings] == []
    assert rest[0].envelope.reference == "REF2"
    assert rest[0].envelope.delimiters.decimal == ("," if following.startswith("UNA") else ".")


def test_a_trailer_that_broke_off_leaves_the_next_una():
    """UNT and UNZ without their terminators end where the next interchange's UNA begins."""
    for end in (WHOLE.index("'UNZ"), len(WHOLE) - 1):
        *_, begun, read, _ = events(f"{WHOLE[:end]}UNA|*,! ~{_NEXT.translate(_OTHER_MARKS)}")
        assert (begun.envelope.reference, read.message.segments[1]) == ("REF2", "BGM*929*N2*9")
        assert (begun.findings, read.findings) == ([], [])


def test_a_message_may_quote_an_interchange():
    """Text that looks like another interchange's beginning is text in a message that UNT ends."""
    quoted = "UNA|*,! ~UNB*UNOC|3*A*B"
    payload = WHOLE.replace("N1", quoted).replace("929", "UNB!UNOC")
    assert codes(payload) == []
    assert messages(payload)[0].segments[1] == f"BGM+UNB!UNOC+{quoted}+9"
    other = "UNA|*,! ~" + WHOLE.translate(_OTHER_MARKS).replace("N1", "UNA:+.? 'UNB+UNOC:3+A+B")
    assert codes(other) == []


def test_interchanges_that_broke_off_do_not_make_reading_slow():
    """However many broke off, each with separators of its own, what is searched again is bounded."""
    marks = [chr(code) for code in range(0xA1, 0x180) if not chr(code).isalnum() and code != 0xAD and code < 0x100]
    cut = "UNA{c}{e}.  {t}UNB{e}UNOC{c}3{e}A{e}B{e}260305{c}0930{e}R{t}UNH{e}1{e}CUSDEC{c}D{c}96B{c}UN{t}BGM{e}9"
    triples = itertools.permutations(marks, 3)
    text_ = "".join(cut.format(c=c, e=e, t=t) for c, e, t in itertools.islice(triples, 2_000))
    assert len(messages(text_)) == 2_000
    reader = edifact._Reader(edifact.Stream(text_.encode("latin-1")), "", edifact.MAX_MESSAGE)
    reader.rescanned = edifact._MOST_RESCANNED + 1
    assert len([e for e in reader.payload() if isinstance(e, MessageRead)]) < 10


def test_a_large_interchange_behind_one_that_broke_off_streams():
    """The next interchange is found within the longest message, or within each stretch of that length behind it."""
    big = "".join(f"UNH*{n}*CUSDEC|D|96B|UN~FTX*{'X' * 4_000}~UNT*3*{n}~" for n in range(200))
    following = f"UNA|*.! ~UNB*UNOC|3*A*B*260305|0930*REF2~{big}UNZ*200*REF2~"
    for lost in ("", "FTX+Y'" * 40_000):
        *_, ended = edifact.read((_CUT + lost + following).encode(), max_message=100_000)
        assert (ended.envelope.reference, ended.message_count, ended.findings) == ("REF2", 200, [])


@given(st.data())
def test_pieces_do_not_matter(data):
    """However a payload is cut into chunks, the same is read."""
    first = "UNA|*,!^~" + WHOLE.translate(str.maketrans(":+'", "|*~"))
    second = WHOLE.replace("UNOC", "UNOY").replace("N1", "\u62a5?'\u68c0").replace("'", "'\r\n")
    uno = f"{UNB}UNO+P1+1:X+1:Y+5'12'45UNP+5+P1'UNZ+1+REF1'"
    cut = "UNA|*,!^~" + WHOLE.translate(str.maketrans(":+'", "|*~"))[:-30]
    payload = (first + second + uno + "garbage" + cut + WHOLE).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(payload)), max_size=12)))
    pieces = [payload[a:b] for a, b in itertools.pairwise([0, *cuts, len(payload)])]
    assert list(edifact.read(iter(pieces))) == list(edifact.read(payload))


def test_byte_by_byte():
    """One byte at a time is the hardest cut."""
    payload = ("UNA:+.? '\r\n" + WHOLE.replace("'", "'\r\n")).encode()
    assert list(edifact.read(bytes([b]) for b in payload)) == list(edifact.read(payload))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_raising(payload):
    """Garbage gets findings: an interchange that says that it is none."""
    found = list(edifact.read(payload))
    assert isinstance(found[0], InterchangeBegun)
    assert isinstance(found[-1], InterchangeEnded)


def _surrogates(value):
    """The lone surrogates anywhere in the fields of events, envelopes, findings."""
    if isinstance(value, str):
        return re.findall("[\ud800-\udfff]", value)
    if is_dataclass(value):
        return [found for name in (f.name for f in fields(value)) for found in _surrogates(getattr(value, name))]
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list | tuple):
        return [found for part in value for found in _surrogates(part)]
    return []


@settings(max_examples=600)
@given(
    sound=st.sampled_from([_GROUPED, _PACKAGED, "UNA:+.?*'" + _GROUPED + "X" + _PACKAGED, f"{_GROUPED}{_CUT}{_NEXT}"]),
    encoding=st.sampled_from(["utf-8", "utf-8", "utf-16", "utf-16-le", "utf-16-be"]),
    repertoire=st.sampled_from(["UNOY", "UNOA", "UNOF", "UNOX", "????"]),
    charset=st.sampled_from(["", "", "gb18030", "utf-8", "utf-16", "shift_jis"]),
    damage=st.lists(
        st.tuples(
            st.integers(0, 600),
            st.one_of(st.sampled_from([b"\xff", b"\x1b", b"\xd8\0", b"\0\xdc", b"\xe2\x80"]), st.binary(max_size=3)),
        ),
        min_size=1,
        max_size=5,
    ),
    noise=st.binary(max_size=20),
)
def test_no_surrogate_leaves_the_reader(sound, encoding, repertoire, charset, damage, noise):
    """Whatever bytes come, under whatever character set: each field and each finding's value is text that can be written."""
    payload = bytearray(sound.replace("UNOY", repertoire).encode(encoding))
    for at, raw in damage:
        payload[at % len(payload) : at % len(payload)] = raw
    found = list(edifact.read(bytes(payload) + noise, charset))
    assert isinstance(found[-1], InterchangeEnded)
    assert _surrogates(found) == []


@given(st.binary(max_size=300))
def test_no_surrogate_of_any_bytes_leaves_the_reader(payload):
    """The same for bytes that are nothing."""
    for start in (b"", b"\xff\xfe", _FOUR.encode(), _GROUPED.encode()):
        assert _surrogates(list(edifact.read(start + payload))) == []


@settings(max_examples=300)
@given(st.integers(0, 2**32))
def test_damaged_interchanges_are_read_without_raising(seed):
    """Bytes changed, left out and put in: findings or not, but an end, and every finding has its words."""
    rng = random.Random(seed)
    group = f"{UNB}UNG+CUSDEC+A+B+240102:0304+G1+UN+D:96B'{MESSAGE}UNE+1+G1'UNZ+1+REF1'"
    package = f"{UNB}UNO+P1+1:X+1:Y+5'12345UNP+5+P1'UNZ+1+REF1'"
    payload = bytearray(rng.choice([WHOLE, group, "UNA:+.? '" + WHOLE * 2, package]).encode())
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(payload))
        payload[at : at + rng.randrange(3)] = rng.choice([b"", b"'", b"?", b"+", b"UNB+", b"\xff", b"UNT", b"UNA"])
    for event in edifact.read(bytes(payload)):
        for finding in event.findings:
            assert finding.code in catalogue()
            assert text(finding, "zh")


def test_truncation_anywhere():
    """An interchange cut off anywhere ends in findings, unless only the last terminator is gone."""
    for end in range(1, len(WHOLE) - 1):
        assert codes(WHOLE[:end]), WHOLE[:end]


def test_garbage_around_interchanges_is_told():
    """What stands before, between and after interchanges is told with its beginning."""
    found = events(f"HELLO {WHOLE}???{WHOLE}BYE")
    garbage = [(type(e), f.value) for e in found for f in e.findings]
    assert garbage == [(InterchangeBegun, "HELLO "), (InterchangeEnded, "???"), (InterchangeEnded, "BYE")]
    assert codes("nothing at all") == ["edifact.unreadable", "edifact.garbage"]
    assert codes("") == ["edifact.unreadable"]


def test_a_message_over_the_limit_is_skipped():
    """Its header is given, its rest is not kept, and the next message is read."""
    big = "UNH+M1+CUSDEC:D:96B:UN'" + "FTX+AAA+++X'" * 20_000 + "UNT+20002+M1'"
    first, second = (
        e for e in events(f"{UNB}{big}{MESSAGE}UNZ+2+REF1'", max_message=100_000) if isinstance(e, MessageRead)
    )
    assert [f.code for f in first.findings] == ["edifact.message.too_large"]
    assert first.message.segments == ["UNH+M1+CUSDEC:D:96B:UN"]
    assert second.message.segments[1] == "BGM+929+N1+9"


def test_a_segment_without_end_does_not_fill_memory():
    """Outside messages, what is longer than any service segment is cut off and told."""
    found = codes(UNB + "QQQ+" + "X" * 500_000 + "'UNZ+0+REF1'")
    assert "edifact.segment.too_long" in found


def test_runs_of_release_characters_cost_no_more_than_other_text():
    """Parity decides, however long the run; a message of released terminators is one long segment."""
    for run, segments in ((300_000, 3), (300_001, 2)):
        body = f"UNH+M1+CUSDEC:D:96B:UN'FTX+{'?' * run}'UNT+3+M1'"
        (message,) = messages(f"{UNB}{body}UNZ+1+REF1'")
        assert len(message.segments) == segments
    (message,) = messages(
        f"{UNB}UNH+M1+CUSDEC:D:96B:UN'FTX+{chr(63) + chr(39)}" + "?'" * 300_000 + "'UNT+3+M1'UNZ+1+REF1'"
    )
    assert len(message.segments) == 3


def test_an_unreleased_release_at_the_end():
    """A release character as the last of a payload releases nothing."""
    assert codes(WHOLE[:-1] + "?") == ["edifact.segment.unterminated", "edifact.unz.reference"]


def test_a_missing_last_terminator_is_told_and_nothing_else():
    """Whoever cuts off the last terminator may have cut off more: it is said, and what is there is read."""
    assert codes(WHOLE[:-1]) == codes(WHOLE[:-1] + "\r\n") == ["edifact.segment.unterminated"]
    assert codes(WHOLE) == codes(WHOLE + "\r\n") == []


names = st.text(st.sampled_from("ABC129 ?+:'"), min_size=1, max_size=14).filter(lambda s: s.strip() == s)


@given(
    delimiters=st.sampled_from(
        [edifact.DEFAULT, Delimiters("~", "*", "|", "!", "", ","), replace(edifact.DEFAULT, repetition="*")]
    ),
    sender=names,
    recipient=names,
    reference=names,
    bodies=st.lists(
        st.lists(st.lists(st.text(st.sampled_from("ab1?+:'*~|!\u4e2d "), max_size=5), max_size=3), max_size=3)
    ),
    test=st.booleans(),
)
def test_read_undoes_write(delimiters, sender, recipient, reference, bodies, test):
    """An interchange that was written is read back: envelope, types, references, segments, no findings."""
    version = "4" if delimiters.repetition else "3"
    envelope = Envelope(Syntax.EDIFACT, delimiters, [], sender, "ZZ", recipient, "14", reference, version)
    envelope = replace(
        envelope, repertoire="UNOY", date="20240102"[-8 if version == "4" else -6 :], time="0304", test=test
    )
    type_ = MessageType(Syntax.EDIFACT, "CUSDEC", "D", "96B", "UN", "X1")
    written = [
        (type_, f"M{number}", [join([["ABC"], *elements, ["END"]], delimiters) for elements in [body]])
        for number, body in enumerate(bodies, 1)
    ]
    payload = write_interchange(envelope, written)
    begun, *read, ended = edifact.read(payload)
    assert [f.code for e in (begun, *read) for f in e.findings] == []
    assert [f.code for f in ended.findings] == ([] if bodies else ["edifact.interchange.empty"])
    assert [(e.message.type, e.message.reference, e.message.segments[1:-1]) for e in read] == written
    got = begun.envelope
    assert (got.sender, got.recipient, got.reference, got.test, got.delimiters) == (
        sender,
        recipient,
        reference,
        test,
        delimiters,
    )


@foreign.needed
@pytest.mark.parametrize(
    ("name", "segments", "expected"),
    [
        (
            "edifact_APERAK_v4_rejected_pydifact.edi",
            7,
            {"edifact.character.outside", "edifact.una.blank", "edifact.unt.count"},
        ),
        ("edifact_BAPLIE_D04B_apimeister.edi", 19, set()),
        ("edifact_COPRAR_D95B_apimeister.edi", 29, {"edifact.unb.missing", "edifact.unt.count"}),
        ("edifact_IFCSUM_D01B_edinet.edi", 27, {"edifact.character.outside", "edifact.unt.count"}),
        ("edifact_IFTSTA_D00B_apimeister.edi", 31, {"edifact.unz.reference"}),
        ("edifact_PNRGOV_staedi.edi", 85, set()),
    ],
)
def test_messages_of_other_software(name, segments, expected):
    """Real messages are read with their warts told and nothing else."""
    payload = (SAMPLES / name).read_bytes()
    (message,) = messages(payload)
    assert len(message.segments) == segments
    assert set(codes(payload)) == expected


def test_every_code_of_the_reader_is_in_the_catalogue_and_used():
    """The reader's codes and schemas/findings/edifact.toml agree, both ways."""
    source = "".join(
        Path(module.__file__).read_text("utf-8") for module in (edifact, edifact_interactive, edifact_text)
    )
    listed = {code for code in catalogue() if code.startswith("edifact.")}
    assert set(re.findall(r'"(edifact\.[a-z_.]+)"', source)) == listed
    assert all(catalogue()[code].contrl for code in listed)
    assert catalogue()["edifact.garbage"].severity is Severity.WARNING
