"""CONTRL and APERAK."""

from dataclasses import dataclass, field, replace
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.catalogue_folders import shipped
from gateway.check import structure, tables
from gateway.findings import catalogue, judged, make_finding, rejects
from gateway.model import Finding, Place, Severity, Strictness, Syntax
from gateway.parse import edifact
from gateway.parse.segments import GroupEnded, InterchangeBegun, InterchangeEnded, MessageRead, MessageType
from gateway.receipt import edifact as receipt
from tests import foreign

SAMPLES = foreign.material("samples/edifact")
AT = datetime(2026, 3, 4, 5, 6)  # noqa: DTZ001 - UNB carries local time without offset

UNB = "UNB+UNOC:3+ALFA:ZZ+BETA:14+240102:0304+REF1'"
SOUND = "UNH+M1+CUSDEC:D:96B:UN'BGM+929+N1+9'UNS+D'UNS+S'UNT+5+M1'"
FAULTY = "UNH+M2+CUSDEC:D:96B:UN:X1'BGM+929+N1+9'DTM+137:X:999:7'NAD++1'XXX+1'UNS+D'CNT+5:1'UNT+8+M2'"


@dataclass
class Verdict:
    type: MessageType
    reference: str
    findings: list[Finding] = field(default_factory=list)
    group: int = -1


def examined(payload):
    """The interchange as intake would hand it over: envelope, findings, verdicts, groups."""
    findings, verdicts, groups = [], [], []
    for event in edifact.read(payload.encode("latin-1") if isinstance(payload, str) else payload):
        if isinstance(event, InterchangeBegun):
            envelope = event.envelope
            findings += event.findings
        elif isinstance(event, InterchangeEnded):
            findings += event.findings
        elif isinstance(event, GroupEnded):
            groups.append(event)
        elif isinstance(event, MessageRead):
            found = list(event.findings)
            table = tables.find(shipped(), event.message.type)
            if table is None:
                found.append(make_finding("edi.message.no_table", Place(segment=1, tag="UNH"), format="x"))
            else:
                found += structure.check(event.message, table).findings
            group = len(groups) if event.message.group else -1
            verdicts.append(Verdict(event.message.type, event.message.reference, found, group))
    return envelope, findings, verdicts, groups


def answer(payload, extra=(), **options):
    """The segments of the CONTRL for `payload` between UNH and UNT, or None."""
    envelope, findings, verdicts, groups = examined(payload)
    reply = receipt.contrl(shipped(), envelope, [*findings, *extra], verdicts, groups, **options)
    return reply and reply.segments


def test_a_sound_interchange_is_acknowledged():
    """Action 7 for the interchange speaks for everything in it."""
    assert answer(f"{UNB}{SOUND}UNZ+1+REF1'") == ["UCI+REF1+ALFA:ZZ+BETA:14+7"]


def test_faults_of_a_message_are_listed_by_segment_and_element():
    """The faulty message is rejected by name, its faults at their positions; the sound one is not named."""
    assert answer(f"{UNB}{SOUND}{FAULTY}UNZ+2+REF1'") == [
        "UCI+REF1+ALFA:ZZ+BETA:14+7",
        "UCM+M2+CUSDEC:D:96B:UN:X1+4",
        # segment 3: too many components in element 1 (position 2, since the tag is 1), unknown code in component 3
        "UCS+3",
        "UCD+16+2:4",
        "UCD+12+2:3",
        "UCS+4",
        "UCD+13+2",
        # a segment that is unknown, and one missing, reported at the one before
        "UCS+5+15",
        "UCS+6+13",
    ]


@pytest.mark.parametrize(
    ("payload", "uci"),
    [
        (f"{UNB}{SOUND}UNZ+2+REF1'", "4+29+UNZ+2"),
        (f"{UNB}{SOUND}UNZ+1+REF2'", "4+28+UNZ+3"),
        (f"{UNB}{SOUND}", "4+13+UNZ"),
        (f"{UNB}UNZ+0+REF1'", "4+32+UNB"),
        (f"{UNB.replace('UNOC:3', 'UNOC:7')}{SOUND}UNZ+1+REF1'", "4+2+UNB+2:2"),
        # version 3 has no code for an unknown character set: it is a value that is not supported
        (f"{UNB.replace('UNOC:3', 'XXXX:3')}{SOUND}UNZ+1+REF1'", "4+14+UNB+2:1"),
        (f"{UNB.replace('UNOC:3', 'XXXX:4')}{SOUND}UNZ+1+REF1'", "4+46+UNB+2:1"),
    ],
)
def test_faults_of_the_interchange_reject_it(payload, uci):
    """Envelope and trailer reject everything, with the error, the segment and the element."""
    assert answer(payload) == [f"UCI+REF1+ALFA:ZZ+BETA:14+{uci}"]


def test_a_duplicate_is_refused():
    """The finding of intake becomes action 4 with code 26."""
    duplicate = make_finding("interchange.duplicate", place=Place(segment=0), reference="REF1")
    assert answer(f"{UNB}{FAULTY}UNZ+1+REF1'", [duplicate]) == ["UCI+REF1+ALFA:ZZ+BETA:14+4+26"]


def test_received_and_not_looked_at_yet():
    """Action 8 says that the interchange is here, and no more; a broken envelope is refused even then."""
    assert answer(f"{UNB}{FAULTY}UNZ+1+REF1'", received_only=True) == ["UCI+REF1+ALFA:ZZ+BETA:14+8"]
    assert answer(f"{UNB}{FAULTY}", received_only=True) == ["UCI+REF1+ALFA:ZZ+BETA:14+4+13+UNZ"]


def test_a_message_without_table_is_refused_at_its_type():
    """Code 14 at S009: the value is not supported here."""
    other = "UNH+M3+ORDERS:D:96B:UN'BGM'UNT+3+M3'"
    assert answer(f"{UNB}{other}UNZ+1+REF1'") == [
        "UCI+REF1+ALFA:ZZ+BETA:14+7",
        "UCM+M3+ORDERS:D:96B:UN+4+14+UNH+3:1",
    ]


def test_trailer_faults_are_told_in_ucm():
    """UNT's count and reference belong to the message's own level."""
    assert answer(f"{UNB}{SOUND.replace('UNT+5', 'UNT+6')}UNZ+1+REF1'")[1:] == ["UCM+M1+CUSDEC:D:96B:UN+4+29+UNT+2"]


def test_groups_are_answered_by_ucf():
    """A faulty message is named within its group; a faulty group is rejected whole; a sound one is not named."""
    ung = "UNG+CUSDEC+A+B:1+240102:0304+{0}+UN+D:96B'"
    groups = (
        ung.format("G1") + SOUND + "UNE+1+G1'",
        ung.format("G2") + SOUND + FAULTY + "UNE+2+G2'",
        ung.format("G3") + FAULTY + "UNE+9+G3'",
    )
    assert answer(UNB + "".join(groups) + "UNZ+3+REF1'") == [
        "UCI+REF1+ALFA:ZZ+BETA:14+7",
        "UCF+G2+A+B:1+7",
        "UCM+M2+CUSDEC:D:96B:UN:X1+4",
        "UCS+3",
        "UCD+16+2:4",
        "UCD+12+2:3",
        "UCS+4",
        "UCD+13+2",
        "UCS+5+15",
        "UCS+6+13",
        "UCF+G3+A+B:1+4+29+UNE+2",
    ]


def test_warnings_reject_nothing():
    """What a lenient agreement tolerates is not told in CONTRL, which has no partial acceptance."""
    envelope, findings, verdicts, groups = examined(f"{UNB}{SOUND.replace('N1+9', 'N1+QQQ')}UNZ+1+REF1'")
    assert rejects(verdicts[0].findings)
    verdicts[0].findings = list(judged(verdicts[0].findings, Strictness.LENIENT))
    reply = receipt.contrl(shipped(), envelope, findings, verdicts, groups)
    assert reply.segments == ["UCI+REF1+ALFA:ZZ+BETA:14+7"]


def test_contrl_is_never_acknowledged():
    """An interchange of CONTRL gets none back, whatever is wrong with it; a mixed one is answered for the others."""
    contrl = "UNH+M1+CONTRL:D:3:UN'UCI+R+A+B+9'UNT+3+M1'"
    assert answer(f"{UNB}{contrl}UNZ+1+REF1'") is None
    assert answer(f"{UNB}{contrl}UNZ+7+REF1'") is None
    assert answer(f"{UNB}{contrl}{FAULTY}UNZ+2+REF1'")[1].startswith("UCM+M2+CUSDEC")


@pytest.mark.parametrize(
    "payload",
    [
        SOUND,
        "garbage",
        f"{UNB.replace('ALFA', '')}{SOUND}UNZ+1+REF1'",
        f"{UNB.replace('ALFA', 'A' * 36)}{SOUND}UNZ+1+REF1'",
        f"{UNB.replace('REF1', '')}{SOUND}UNZ+1+REF1'",
    ],
)
def test_what_cannot_be_copied_cannot_be_answered(payload):
    """Without a sound reference, sender and recipient there is no CONTRL; the faults are told by other means."""
    assert answer(payload) is None
    envelope, findings, verdicts, groups = examined(payload)
    assert receipt.acknowledge(shipped(), envelope, findings, verdicts, groups, reference="R1", at=AT) == b""


def test_a_message_that_does_not_name_itself():
    """UCM must name a message even if it does not: with a dash."""
    assert answer(f"{UNB}UNH++CUSDEC'UNT+2+'UNZ+1+REF1'")[1].startswith("UCM+-+CUSDEC:-:-:-+4")


def test_a_package_is_answered_by_its_reference():
    """Version 4: a package has no message reference; 0800 names it."""
    payload = (
        f"{UNB.replace('UNOC:3', 'UNOC:4').replace('240102', '20240102')}UNO+P1+1:X+1:Y+5'12345UNP+6+P1'UNZ+1+REF1'"
    )
    assert answer(payload)[1:] == ["UCM+++4+28+UNO++P1"]


def test_version_4_gives_repetitions_and_its_own_codes():
    """S011 has the repetition (0136); codes that version 4 dropped are said by the nearest one it has."""
    version_4 = UNB.replace("UNOC:3", "UNOC:4").replace("240102", "20240102")
    message = "UNH+M1+CUSDEC:D:96B:UN'BGM+929+N1+9'LOC:1+22'MOA+39:.5'DTM+137*138'UNS+D'UNS+S'UNT+8+M1'"
    assert answer(f"{version_4}{message}UNZ+1+REF1'")[1:] == [
        "UCM+M1+CUSDEC:D:96B:UN+4",
        "UCS+3+15",
        "UCS+4",
        "UCD+37+2:2",
        "UCS+5+15",
        "UCD+35+2",
    ]
    assert answer(f"{UNB}{message.replace('*', ':')}UNZ+1+REF1'")[2:5] == ["UCS+3+34", "UCS+4", "UCD+38+2:2"]


def test_limits_of_contrl():
    """No more than 999 UCS for a message and 99 UCD for a segment."""
    envelope, findings, (verdict,), groups = examined(f"{UNB}{SOUND}UNZ+1+REF1'")
    verdict.findings = [
        make_finding("edi.element.too_long", place=Place("M1", segment, "FTX", element))
        for segment in range(2, 1200)
        for element in range(1, 120 if segment == 2 else 2)
    ]
    segments = receipt.contrl(shipped(), envelope, findings, [verdict], groups).segments
    assert sum(raw.startswith("UCS") for raw in segments) == 999
    assert segments.index("UCS+3") - segments.index("UCS+2") == 100
    assert verified(receipt.acknowledge(shipped(), envelope, findings, [verdict], groups, reference="R", at=AT)) == 1


def test_the_interchange_goes_back():
    """Sender and recipient change places, service characters, character set, version and test flag stay."""
    payload = (
        "UNA|*,!^~" + (UNB[:-1] + "++++++1'" + SOUND + "UNZ+1+REF1'").translate(str.maketrans(":+'", "|*~"))
    ).encode()
    envelope, findings, verdicts, groups = examined(payload)
    back = receipt.acknowledge(shipped(), envelope, findings, verdicts, groups, reference="ACK1", at=AT)
    assert back.decode() == (
        "UNA|*,! ~UNB*UNOC|3*BETA|14*ALFA|ZZ*260304|0506*ACK1******1~"
        "UNH*1*CONTRL|D|3|UN~UCI*REF1*ALFA|ZZ*BETA|14*7~UNT*3*1~UNZ*1*ACK1~"
    )
    assert verified(back) == 1


def test_version_4_goes_back_in_version_4():
    """Its own CONTRL, and a date with its century."""
    payload = f"{UNB.replace('UNOC:3', 'UNOY:4').replace('240102', '20240102')}{SOUND}UNZ+1+REF1'"
    envelope, findings, verdicts, groups = examined(payload)
    back = receipt.acknowledge(shipped(), envelope, findings, verdicts, groups, reference="ACK1", at=AT).decode()
    assert back.startswith("UNB+UNOY:4+BETA:14+ALFA:ZZ+20260304:0506+ACK1'UNH+1+CONTRL:4:1:UN'")


def verified(payload):
    """How many messages `payload` has; fails where our own reader or tables find anything in it."""
    count = 0
    for event in edifact.read(payload):
        assert event.findings == []
        if isinstance(event, InterchangeBegun):
            assert (
                structure.check_service(
                    shipped(), event.envelope.header, event.envelope.delimiters, event.envelope.version
                )
                == []
            )
        if isinstance(event, MessageRead):
            checked = structure.check(event.message, tables.find(shipped(), event.message.type))
            assert [f for f in checked.findings if f.severity is not Severity.NOTE] == []
            assert -1 not in checked.nodes
            count += 1
    return count


COPIED = [
    # (syntax version, 0062, S009, what stands in UCM). 14, 6, 3, 3, 2 and 6 characters have room in version 3.
    ("3", "M" * 14, ("CUSDEC", "D", "96B", "UN", "X12345"), ("M" * 14, "CUSDEC:D:96B:UN:X12345")),
    # What is mandatory and cannot be repeated is a dash, what is optional is left out.
    ("3", "M" * 15, ("CUSDECS", "DDDD", "D96B", "UNO", "X123456"), ("-", "-:-:-:-")),
    ("3", " ", (" ", "", " ", "", " "), ("-", "-:-:-:-")),
    ("3", "", ("", "", "", "", "X1"), ("-", "-:-:-:-:X1")),
    ("3", "M\x07", ("CUSDEC", "\x07", "96B", "UN", "\x07"), ("-", "CUSDEC:-:96B:UN")),
    # Version 4 has three characters for 0051, and two more components, of which nothing is known.
    ("4", "M1", ("CUSDEC", "D", "96B", "UNO", "X1"), ("M1", "CUSDEC:D:96B:UNO:X1")),
    ("4", "M1", ("CUSDEC", "D", "96B", "UNOX", ""), ("M1", "CUSDEC:D:96B:-")),
    # It may leave the whole element out, but a reference that is there and cannot be repeated is not left out.
    ("4", "", ("CUSDEC", "D", "96B", "UN", ""), ("", "CUSDEC:D:96B:UN")),
    ("4", "M" * 15, ("CUSDEC", "D", "96B", "UN", ""), ("-", "CUSDEC:D:96B:UN")),
]


def unb_of(version):
    return UNB if version == "3" else UNB.replace("UNOC:3", "UNOC:4").replace("240102", "20240102")


@pytest.mark.parametrize(("version", "reference", "parts", "ucm"), COPIED)
def test_a_message_is_named_as_far_as_it_can_be(version, reference, parts, ucm):
    """UCM copies what may stand there, whatever the sender wrote beside it."""
    envelope, _, _, _ = examined(f"{unb_of(version)}{SOUND}UNZ+1+REF1'")
    verdict = Verdict(MessageType(Syntax.EDIFACT, *parts), reference, [make_finding("edifact.unt.count")])
    reply = receipt.contrl(shipped(), envelope, [], [verdict])
    assert reply.segments[1].split("+")[:3] == ["UCM", *ucm]


GROUPS = [
    # (version, 0048, S006, S007, what stands in UCF): 14 characters, 35 and 4 for a qualifier.
    ("3", "G1", "A:ZZ", "B:1234", "G1+A:ZZ+B:1234"),
    ("3", "G" * 14, "A" * 35, "B", "G" * 14 + "+" + "A" * 35 + "+B"),
    ("3", "G" * 15, "A" * 36 + ":ZZ", "B:12345", "-+-:ZZ+B"),
    # Version 3 must name both sides, version 4 leaves out what is not there.
    ("3", "G1", "", "", "G1+-+-"),
    ("4", "G1", "", "", "G1++"),
    ("4", "G1", "A", "", "G1+A+"),
    ("4", "G1", ":ZZ", "B", "G1+-:ZZ+B"),
]


@pytest.mark.parametrize(("version", "reference", "sender", "recipient", "ucf"), GROUPS)
def test_a_group_is_named_as_far_as_it_can_be(version, reference, sender, recipient, ucf):
    """UCF copies what may stand there of UNG, element by element."""
    group = f"UNG+CUSDEC+{sender}+{recipient}+240102:0304+{reference}+UN+D:96B'"
    envelope, _, verdicts, groups = examined(f"{unb_of(version)}{group}{SOUND}UNE+9+{reference}'UNZ+1+REF1'")
    reply = receipt.contrl(shipped(), envelope, [], verdicts, groups)
    assert reply.segments[1].rpartition("+4+29")[0] == f"UCF+{ucf}"


DETAILS = [
    # (detail, faults of the interchange, of a message, of a group, the segments of the answer)
    (receipt.Detail.FAULTS, 0, 1, 0, ["UCI+7", "UCM+4", "UCS"]),
    (receipt.Detail.MESSAGES, 0, 1, 0, ["UCI+7", "UCM+4"]),
    # The least answer cannot say which message is rejected, and so says no more than that all was received.
    (receipt.Detail.INTERCHANGE, 0, 1, 0, ["UCI+8"]),
    (receipt.Detail.INTERCHANGE, 0, 0, 1, ["UCI+8"]),
    (receipt.Detail.INTERCHANGE, 0, 0, 0, ["UCI+7"]),
    (receipt.Detail.INTERCHANGE, 1, 1, 0, ["UCI+4"]),
    (receipt.Detail.MESSAGES, 1, 1, 1, ["UCI+4"]),
    (receipt.Detail.MESSAGES, 0, 0, 1, ["UCI+7", "UCF+4"]),
]


@pytest.mark.parametrize(("detail", "own", "message", "group", "expected"), DETAILS)
def test_a_contrl_says_as_much_as_it_is_to(detail, own, message, group, expected):
    """Every fault, the rejected messages by name, or the interchange alone."""
    envelope, _, (verdict, *_), groups = examined(f"{UNB}{_group('G1')}UNZ+1+REF1'")
    fault = make_finding("edi.element.too_long", place=Place("M1", 2, "BGM", 1), number="1001", length="9", max="3")
    groups = [replace(groups[0], findings=[make_finding("edifact.une.count")] * group)]
    verdict.findings, verdict.group = [fault] * message, -1
    found = [make_finding("interchange.duplicate", reference="REF1")] * own
    reply = receipt.contrl(shipped(), envelope, found, [verdict], groups, detail=detail)
    said = [raw.split("+") for raw in reply.segments if not raw.startswith("UCD")]
    places = {"UCI": 4, "UCM": 3, "UCF": 4}
    assert ["+".join([one[0], *one[places[one[0]] :][:1]] if one[0] in places else one[:1]) for one in said] == expected


words = st.text(st.sampled_from("AB12 +:?'*"), min_size=1, max_size=8)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_what_we_answer_passes_our_own_check(data):
    """Whatever was found in whatever interchange, the CONTRL about it has no fault."""
    version = data.draw(st.sampled_from(["1", "2", "3", "4"]))
    date = "20240102" if version == "4" else "240102"
    unb = f"UNB+UNOC:{version}+ALFA:ZZ+BETA:14+{date}:0304+REF1'"
    codes = sorted(catalogue())
    places = st.builds(
        Place,
        segment=st.one_of(st.none(), st.integers(0, 50)),
        tag=st.sampled_from(["UNB", "UNZ", "UNH", "UNT", "LOC", "UNG", ""]),
        element=st.one_of(st.none(), st.integers(1, 30)),
        component=st.one_of(st.none(), st.integers(1, 9)),
        repetition=st.one_of(st.none(), st.integers(1, 9)),
    )
    finding = st.builds(Finding, st.sampled_from(codes), st.sampled_from(list(Severity)), places)
    envelope, _, _, _ = examined(f"{unb}{SOUND}UNZ+1+REF1'")
    types = st.builds(MessageType, st.just(Syntax.EDIFACT), *[st.one_of(words, st.just(""))] * 5)
    verdicts = data.draw(
        st.lists(st.builds(Verdict, types, words, st.lists(finding, max_size=4), st.integers(-1, 1)), max_size=4)
    )
    groups = examined(f"{unb}{''.join(_group(n) for n in 'AB')}UNZ+2+REF1'")[3]
    groups = [replace(group, findings=data.draw(st.lists(finding, max_size=1))) for group in groups]
    findings = data.draw(st.lists(finding, max_size=1))
    back = receipt.acknowledge(shipped(), envelope, findings, verdicts, groups, reference="R1", at=AT)
    assert verified(back) == 1


def _group(name):
    return f"UNG+CUSDEC+A+B+240102:0304+{name}+UN+D:96B'{SOUND}UNE+1+{name}'"


@pytest.mark.parametrize("repertoire", ["UNOA", "UNOC", "UNOY"])
def test_aperak(repertoire):
    """Refused with reasons, words, and the place as message reference and segment; in the character set at hand."""
    envelope, _, _, _ = examined(f"{UNB.replace('UNOC', repertoire)}{SOUND}UNZ+1+REF1'")
    found = [
        make_finding(
            "edi.element.too_long",
            place=Place("M1", 7, "FTX", 4, 1),
            value="\u62a5",
            number="4440",
            length="80",
            max="70",
        ),
        Finding("edi.segment.trailing_separator", Severity.WARNING),
        Finding("no.such.code", Severity.ERROR),
    ]
    reply = receipt.aperak(
        envelope,
        number="A1",
        at=AT,
        message_reference="M1",
        document_number="D'1",
        refused=[
            *receipt.reasons(found, "zh" if repertoire == "UNOY" else "en"),
            receipt.Reason("LIC03", "No licence."),
        ],
    )
    words = {
        "UNOA": "THE VALUE OF 4440 HAS 80 CHARACTERS; AT MOST 70 ARE ALLOWED.",
        "UNOC": "The value of 4440 has 80 characters; at most 70 are allowed.",
        "UNOY": "\u6570\u636e\u5143 4440 \u7684\u503c\u957f\u5ea6\u4e3a 80\uff0c\u6700\u591a\u5141\u8bb8 70\u3002",
    }[repertoire]
    assert reply.type.format == "edifact:APERAK:D:96B:UN"
    assert reply.segments[:5] == ["BGM++A1+27+RE", "DTM+137:202603040506:203", "RFF+ACW:M1", "RFF+DM:D?'1", "ERC+39"]
    assert reply.segments[5] == f"FTX+AAO+++{words}"
    assert reply.segments[6:8] == ["RFF+ACW:M1:7", "FTX+AAO+++FTX 7, 4.1"]
    assert reply.segments[-2] == "ERC+LIC03"
    assert verified(receipt.interchange(envelope, [reply], reference="R2", at=AT)) == 1


def test_aperak_of_acceptance():
    """An accepted document gets no ERC."""
    envelope, _, _, _ = examined(f"{UNB}{SOUND}UNZ+1+REF1'")
    reply = receipt.aperak(envelope, number="A1", at=AT, message_reference="M1")
    assert reply.segments == ["BGM++A1+29+AP", "DTM+137:202603040506:203", "RFF+ACW:M1"]
    assert verified(receipt.interchange(envelope, [reply], reference="R2", at=AT)) == 1


def test_long_words_take_five_lines_at_most():
    """4440 stands five times, 70 characters each."""
    envelope, _, _, _ = examined(f"{UNB}{SOUND}UNZ+1+REF1'")
    reply = receipt.aperak(
        envelope, number="A1", at=AT, message_reference="M1", refused=[receipt.Reason("1", "word " * 200)]
    )
    assert verified(receipt.interchange(envelope, [reply], reference="R2", at=AT)) == 1
    assert reply.segments[-1].count(":") == 4


@foreign.needed
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # a date of six digits in version 4
        (
            "edifact_APERAK_v4_rejected_pydifact.edi",
            ["UCI+000000004+RECEIVERID+SENDERID+7", "UCM+1+APERAK:D:96A:UN+4+29+UNT+2"],
        ),
        ("edifact_COPRAR_D95B_apimeister.edi", None),
        ("edifact_IFTSTA_D00B_apimeister.edi", ["UCI+2803570+SENDER:ZZZ+RECEIVER:ZZZ+4+28+UNZ+3"]),
        ("edifact_PNRGOV_staedi.edi", ["UCI+0003+1A+KRC+7", "UCM+1+PNRGOV:11:1:IA+4+14+UNH+3:1"]),
    ],
)
def test_answers_to_messages_of_other_software(name, expected):
    """Real messages get the answer that their faults deserve, and it passes our own check."""
    payload = (SAMPLES / name).read_bytes()
    found = answer(payload)
    assert (found and found[:2]) == expected
    envelope, findings, verdicts, groups = examined(payload)
    back = receipt.acknowledge(shipped(), envelope, findings, verdicts, groups, reference="R1", at=AT)
    assert verified(back) == (1 if expected else 0) if back else expected is None
