"""Reading and writing EDIFACT interchanges."""

import itertools
import random
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.findings import catalogue, text
from gateway.model import Severity, Syntax
from gateway.parse import edifact
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

SAMPLES = Path(__file__).resolve().parents[2] / "../shared/samples/edifact"

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
    payload = f"{UNB}{group}{MESSAGE}{MESSAGE}UNE+2+G1'{group}{MESSAGE}UNE+1+G1'UNZ+2+REF1'"
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


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ("UNG+X+A+B+240102:0304+G1+UN+D:96B'{m}UNE+2+G1'UNZ+1+REF1'", "edifact.une.count"),
        ("UNG+X+A+B+240102:0304+G1+UN+D:96B'{m}UNE+1+G2'UNZ+1+REF1'", "edifact.une.reference"),
        ("UNG+X+A+B+240102:0304+G1+UN+D:96B'{m}UNE+1+G1'{m}UNZ+1+REF1'", "edifact.group.mixed"),
        ("{m}UNG+X+A+B+240102:0304+G1+UN+D:96B'{m}UNE+1+G1'UNZ+1+REF1'", "edifact.group.mixed"),
        ("UNG+X+A+B+240102:0304+G1+UN+D:96B'{m}{o}UNE+2+G1'UNZ+1+REF1'", "edifact.group.types"),
    ],
)
def test_group_faults(payload, code):
    """Counts, references and mixtures of groups are checked."""
    other = MESSAGE.replace("CUSDEC", "CUSRES")
    assert codes(UNB + payload.format(m=MESSAGE, o=other)) == [code]


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


@given(st.data())
def test_pieces_do_not_matter(data):
    """However a payload is cut into chunks, the same is read."""
    first = "UNA|*,!^~" + WHOLE.translate(str.maketrans(":+'", "|*~"))
    second = WHOLE.replace("UNOC", "UNOY").replace("N1", "\u62a5?'\u68c0").replace("'", "'\r\n")
    uno = f"{UNB}UNO+P1+1:X+1:Y+5'12'45UNP+5+P1'UNZ+1+REF1'"
    payload = (first + second + uno + "garbage").encode()
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


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the sample messages are not here")
@pytest.mark.parametrize(
    ("name", "segments", "expected"),
    [
        ("edifact_APERAK_v4_rejected_pydifact.edi", 7, {"edifact.character.outside", "edifact.unt.count"}),
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
    source = Path(edifact.__file__).read_text("utf-8")
    listed = {code for code in catalogue() if code.startswith("edifact.")}
    assert set(re.findall(r'"(edifact\.[a-z_.]+)"', source)) == listed
    assert all(catalogue()[code].contrl for code in listed)
    assert catalogue()["edifact.garbage"].severity is Severity.WARNING
