"""The X12 acknowledgements: TA1, 997, 999, 824."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.catalogue_folders import shipped
from gateway.check import structure, tables
from gateway.findings import catalogue, judged, make_finding, rejects
from gateway.model import Finding, Place, Severity, Strictness
from gateway.parse import x12 as reader
from gateway.parse.segments import Group, GroupBegun, GroupEnded, InterchangeBegun, InterchangeEnded, MessageRead
from gateway.receipt.x12 import (
    Form,
    Outcome,
    SetVerdict,
    application_advice,
    group_acknowledgement,
    interchange_acknowledgement,
    reply,
    reply_group,
)
from tests import foreign

SAMPLE = foreign.material("samples/x12/x12_309_4010_apimeister_1.x12")
AT = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
ISA = "ISA*00*          *00*          *ZZ*SENDER         *ZZ*RECIPIENT      *260301*0930*U*00401*000000007*0*P*>~"
GOOD = (
    ISA + "GS*SO*SENDER*RECIPIENT*20260301*0930*12*X*004010~"
    "ST*309*0001~M10*ABCD*O*SG*9283186*VESSEL*320N*0185320N*2*Y~P4*1803*20260301*1~LX*1~SE*5*0001~"
    "ST*309*0002~M10*ABCD*O*SG*9283186*VESSEL*320N*0185320N*2*Y~P4*1803*20260301*1~LX*1~SE*5*0002~"
    "GE*2*12~IEA*1*000000007~"
)


def read(wire):
    """What the trip knows of an interchange when it answers: envelope, its findings, and each group with verdicts."""
    envelope, envelope_found, groups = None, [], []
    for event in reader.read(wire.encode() if isinstance(wire, str) else wire):
        match event:
            case InterchangeBegun():
                envelope = event.envelope
                envelope_found += event.findings
            case GroupBegun():
                groups.append((event.group, list(event.findings), []))
            case MessageRead():
                table = tables.find(shipped(), event.message.type)
                found = event.findings + (structure.check(event.message, table).findings if table else [])
                groups[-1][2].append((event.message, found))
            case GroupEnded():
                groups[-1][1].extend(event.findings)
            case InterchangeEnded():
                envelope_found += event.findings
    return envelope, envelope_found, groups


def acknowledge(wire, strictness=Strictness.STRICT, form=Form.FUNCTIONAL):
    """The segments of the functional acknowledgement for the only group of `wire`, after our own check of it."""
    envelope, _, [(group, found, sets)] = read(wire)
    verdicts = [SetVerdict(m.type.name, m.reference, list(judged(f, strictness))) for m, f in sets]
    body = group_acknowledgement(shipped(), group, verdicts, list(judged(found, strictness)), form=form)
    assert body is not None
    check_ours(reply(envelope, "1", AT, groups=[(reply_group(group, "1", form=form), [body])]))
    return list(body.segments)


def check_ours(wire):
    """What we send must stand our own check: envelope, counts, structure, lengths, codes."""
    for event in reader.read(wire):
        assert event.findings == []
        if isinstance(event, MessageRead):
            table = tables.find(shipped(), event.message.type)
            assert table is not None
            assert structure.check(event.message, table).findings == []


def test_a_good_group_is_accepted():
    """Every set gets A, and the counts agree."""
    assert acknowledge(GOOD) == ["AK1*SO*12", "AK2*309*0001", "AK5*A", "AK2*309*0002", "AK5*A", "AK9*A*2*2*2"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        # a wrong count: no segment is at fault
        ("SE*5*0001", "SE*6*0001", ["AK5*R*4"]),
        # a mandatory element is missing
        ("M10*ABCD*O*SG", "M10**O*SG", ["AK3*M10*2**8", "AK4*1*140*1", "AK5*R*5"]),
        # a value is too long and is copied
        ("LX*1~", "LX*1234567~", ["AK3*LX*4**8", "AK4*1*554*5*1234567", "AK5*R*5"]),
        # no date
        ("P4*1803*20260301", "P4*1803*20261301", ["AK3*P4*3**8", "AK4*2*373*8*20261301", "AK5*R*5"]),
        # a segment that no 309 has
        ("LX*1~", "LX*1~ZZZ*1~", ["AK3*ZZZ*5**6", "AK5*R*5*4"]),
        # a segment out of its place, and a wrong count by it
        ("LX*1~", "LX*1~M10*ABCD*O*SG*9283186*VESSEL*320N*0185320N*2*Y~", ["AK3*M10*5**7", "AK5*R*5*4"]),
        # a mandatory segment is missing
        ("P4*1803*20260301*1~LX*1~SE*5", "SE*3", ["AK3*P4*3**3", "AK5*R*5"]),
        # two faults in one segment stand under one AK3
        (
            "P4*1803*20260301*1~",
            "P4**20261301*1~",
            ["AK3*P4*3**8", "AK4*1*310*1", "AK4*2*373*8*20261301", "AK5*R*5"],
        ),
        # trailer and header differ
        ("SE*5*0001", "SE*5*0009", ["AK5*R*3"]),
    ],
)
def test_each_fault_has_its_codes(old, new, expected):
    """A fault in the first set rejects it with the right codes, the second is accepted, the group partly."""
    segments = acknowledge(GOOD.replace(old, new, 1))
    lines = segments[2 : 2 + len(expected)]
    assert sorted(lines[-1].split("*")[2:]) == sorted(expected[-1].split("*")[2:])
    assert lines[:-1] == expected[:-1]
    assert segments[2 + len(expected) :] == ["AK2*309*0002", "AK5*A", "AK9*P*2*2*1"]


@foreign.needed
def test_the_real_309_is_accepted_with_errors_under_a_lenient_agreement():
    """Its wrong count, blank-padded date and half-filled N1 are named, and it is accepted; no error remains."""
    _, envelope_found, [(_, group_found, [(_, found)])] = read(SAMPLE.read_bytes())
    lenient = list(judged([*envelope_found, *group_found, *found], Strictness.LENIENT))
    assert {f.severity for f in lenient if f.code != "edi.element.insignificant"} == {Severity.WARNING}
    segments = acknowledge(SAMPLE.read_bytes(), Strictness.LENIENT)
    assert segments[:4] == ["AK1*SO*2910", "AK2*309*3899", "AK3*P4*3**8", "AK4*2*373*8*230620"]
    assert segments[4:6] == ["AK3*N1*15**8", "AK4*3*66*2"]
    assert len([s for s in segments if s.startswith("AK3*N1")]) == 10
    assert segments[-2:] == ["AK5*E*4*5", "AK9*E*1*1*1"]


@foreign.needed
def test_the_real_309_is_rejected_under_a_strict_agreement():
    """The same faults reject it, and so its group, where nothing is tolerated."""
    assert acknowledge(SAMPLE.read_bytes())[-2:] == ["AK5*R*4*5", "AK9*R*1*1*0"]


def test_a_fault_of_the_group_rejects_all_its_sets():
    """A group whose trailer does not fit it is rejected whole, with the group's code."""
    segments = acknowledge(GOOD.replace("GE*2*12", "GE*3*12"))
    assert [s for s in segments if s.startswith(("AK2", "AK5"))] == []  # of the sets there is nothing to say
    assert segments[-1] == "AK9*R*3*2*0*5"


def test_acknowledgements_are_not_acknowledged():
    """Neither a group of acknowledgements nor an interchange of nothing else gets an answer."""
    assert group_acknowledgement(shipped(), Group([], "FA", "A", "B", "1", "004010"), []) is None
    envelope, _, _ = read(GOOD.replace("*0*P*", "*1*P*"))
    fault = make_finding("x12.iea.count")
    assert interchange_acknowledgement(envelope, [fault], AT, only_acknowledgements=True) is None


NEWER = GOOD.replace("*004010~", "*005010~")


def test_a_newer_group_gets_a_999_where_the_agreement_wants_it():
    """A group of 005010 is answered by a 999 with IK3, IK4 and the version, one of 004010 by a 997 all the same."""
    wire = NEWER.replace("ST*309*0001", "ST*824*0001").replace("ST*309*0002", "ST*824*0002").replace("GS*SO", "GS*AG")
    segments = acknowledge(wire, form=Form.IMPLEMENTATION)
    assert segments[:3] == ["AK1*AG*12*005010", "AK2*824*0001", "IK3*M10*2**6"]
    assert "IK5*R*5" in segments
    assert acknowledge(wire, form=Form.FUNCTIONAL)[2] == "AK3*M10*2**6"
    assert acknowledge(GOOD, form=Form.IMPLEMENTATION)[-1] == "AK9*A*2*2*2"


def test_a_999_tells_repetitions_from_elements():
    """Element 621 of 005010 has codes of their own for too many repetitions and components."""
    found = [
        make_finding("edi.element.too_many_repetitions", place=Place("0001", 2, "N1", 3, 1, 2), value="x", number="98")
    ]
    group = Group([], "SO", "SENDER", "RECIPIENT", "12", "005010")
    body = group_acknowledgement(shipped(), group, [SetVerdict("309", "0001", found)], form=Form.IMPLEMENTATION)
    assert "IK4*3>1>2*98*12*x" in body.segments
    older = group_acknowledgement(shipped(), group, [SetVerdict("309", "0001", found)])
    assert "AK4*3>1>2*98*12*x" in older.segments


@pytest.mark.parametrize(
    ("old", "new", "strictness", "expected"),
    [
        ("", "", Strictness.STRICT, None),
        ("*0*P*", "*1*P*", Strictness.STRICT, "TA1*000000007*260301*0930*A*000"),
        ("IEA*1*", "IEA*2*", Strictness.LENIENT, "TA1*000000007*260301*0930*R*021"),
        ("IEA*1*000000007", "IEA*1*000000008", Strictness.LENIENT, "TA1*000000007*260301*0930*R*001"),
        ("IEA*1*000000007~", "", Strictness.LENIENT, "TA1*000000007*260301*0930*R*023"),
        ("*0*P*", "*0*X*", Strictness.LENIENT, "TA1*000000007*260301*0930*R*020"),
        # a date that cannot be repeated is replaced by today's
        ("*260301*0930*U", "*261301*0930*U", Strictness.LENIENT, "TA1*000000007*260301*0930*E*014"),
        ("*260301*0930*U", "*261301*0930*U", Strictness.STRICT, "TA1*000000007*260301*0930*R*014"),
        ("SENDER         *", "SENDER*", Strictness.STRICT, "TA1*000000007*260301*0930*E*022"),
        ("*000000007*0*", "*00000000A*0*", Strictness.STRICT, "TA1*000000000*260301*0930*R*018"),
    ],
)
def test_ta1_names_the_fault_of_the_interchange(old, new, strictness, expected):
    """TA1 comes when it was asked for or something is wrong with the envelope; errors come before warnings."""
    envelope, found, _ = read(GOOD.replace(old, new, 1))
    found = [f for f in found if not (expected and "018" in expected and f.code == "x12.iea.reference")]
    line = interchange_acknowledgement(envelope, list(judged(found, strictness)), AT)
    assert line == expected
    if line:
        check_ours(reply(envelope, "1", AT, acknowledgements=[line]))


def test_a_repeated_interchange_is_refused_by_ta1():
    """Code 025 says that the control number was used before."""
    envelope, _, _ = read(GOOD)
    line = interchange_acknowledgement(envelope, [make_finding("interchange.duplicate", reference="000000007")], AT)
    assert line.endswith("*R*025")


def test_an_interchange_rejected_for_other_reasons_is_refused_by_ta1():
    """A rejection that TA1 has no code for says 024, so that the sender always hears of it."""
    envelope, _, _ = read(GOOD)
    found = [Finding("x12.isa.unpadded", Severity.WARNING), make_finding("edi.message.no_table")]
    assert interchange_acknowledgement(envelope, found, AT).endswith("*R*024")


@pytest.mark.parametrize("version", ["004010", "005010"])
@pytest.mark.parametrize("outcome", list(Outcome))
def test_application_advice_says_what_became_of_a_set(version, outcome):
    """An 824 names the document's number and words each reason, a long one on; it stands our own check."""
    envelope, _, [(group, _, _)] = read(GOOD.replace("*004010~", f"*{version}~"))
    long = "The bill " + "0123456789" * 20
    body = application_advice(outcome, "320N", ["2026~301 is no date", long], reference="A77", at=AT, version=version)
    assert body.segments[:2] == ["BGN*11*A77*20260301*0930", f"OTI*{outcome.value}*TN*320N"]
    assert body.segments[2] == "TED*ZZZ*2026 301 is no date"
    told = [s.split("*")[2] for s in body.segments[3:]]
    assert "".join(told) == long
    check_ours(reply(envelope, "1", AT, groups=[(reply_group(group, "1", "AG"), [body])]))


def test_the_reply_goes_back_to_the_sender():
    """Sender and recipient change places, test stays test, and no TA1 is asked for."""
    envelope, _, _ = read(GOOD.replace("*0*P*", "*1*T*"))
    back = next(iter(reader.read(reply(envelope, "42", AT)))).envelope
    assert (back.sender, back.recipient, back.reference) == ("RECIPIENT", "SENDER", "000000042")
    assert back.test
    assert not back.acknowledgement_requested


@pytest.mark.parametrize(
    ("version", "answered"),
    [("00304", "00401"), ("00401", "00401"), ("00500", "00401"), ("00501", "00501"), ("00602", "00501")],
)
def test_the_reply_is_of_a_version_that_the_sender_knows(version, answered):
    """The newer of the two that are written, from the sender's own 00501 on; else the older."""
    envelope, _, _ = read(GOOD)
    back = next(iter(reader.read(reply(replace(envelope, version=version), "42", AT)))).envelope
    assert back.version == answered


def test_the_reply_is_in_the_senders_charset():
    """A value copied into the answer comes back in the bytes it came in."""
    wire = GOOD.replace("LX*1~", "LX*中文中文中文中文~", 1).encode("gb18030")
    events = list(reader.read(wire, "gb18030"))
    (envelope,) = [e.envelope for e in events if isinstance(e, InterchangeBegun)]
    group = next(e.group for e in events if isinstance(e, GroupBegun))
    message = next(e.message for e in events if isinstance(e, MessageRead))
    found = structure.check(message, tables.find(shipped(), message.type)).findings
    body = group_acknowledgement(shipped(), group, [SetVerdict("309", "0001", found)])
    assert "中文中文中文中文".encode("gb18030") in reply(envelope, "1", AT, groups=[(reply_group(group, "1"), [body])])


def test_an_acknowledgement_stays_short():
    """However many segments are wrong, at most a thousand are named, and at most 99 elements under each."""
    found = [make_finding("edi.element.missing", place=Place("0001", n, "M11", 1)) for n in range(2, 5000)]
    found += [make_finding("edi.element.missing", place=Place("0001", 2, "M11", 1, n)) for n in range(1, 200)]
    group = Group([], "SO", "SENDER", "RECIPIENT", "12", "004010")
    body = group_acknowledgement(shipped(), group, [SetVerdict("309", "0001", found)])
    assert len([s for s in body.segments if s.startswith("AK3")]) == 1000
    assert body.segments.index("AK3*M11*3**8") - body.segments.index("AK3*M11*2**8") == 100


ANY_TEXT = st.text(max_size=12)
ANY_FINDING = st.builds(
    lambda code, severity, segment, tag, element, component, value, number: Finding(
        code, severity, Place("0001", segment, tag, element, component), value, {"number": number}
    ),
    st.sampled_from(sorted(code for code in catalogue() if code.startswith(("edi.", "x12.")))),
    st.sampled_from(Severity),
    st.none() | st.integers(1, 2_000_000),
    ANY_TEXT,
    st.none() | st.integers(1, 200),
    st.none() | st.integers(1, 40),
    ANY_TEXT,
    ANY_TEXT,
)


@given(
    found=st.lists(ANY_FINDING, max_size=8),
    group_found=st.lists(ANY_FINDING, max_size=2),
    name=ANY_TEXT,
    reference=ANY_TEXT,
    version=st.sampled_from(["003040", "004010", "005010", "006020", "x"]),
    form=st.sampled_from(Form),
)
def test_no_finding_makes_an_acknowledgement_invalid(found, group_found, name, reference, version, form):
    """Whatever the sender wrote, what we answer stands our own check, and the verdict is that of the findings."""
    group = Group([], "SO", "SENDER", "RECIPIENT", "12", version)
    body = group_acknowledgement(shipped(), group, [SetVerdict(name, reference, found)], group_found, form=form)
    assert (body.segments[-1].split("*")[1] == "R") == (rejects(found) or rejects(group_found))
    envelope, _, _ = read(GOOD)
    check_ours(reply(envelope, "1", AT, groups=[(reply_group(group, "1", form=form), [body])]))


@pytest.mark.parametrize(
    ("version", "identifier", "form", "answered"),
    [
        # A 997 and an 824 are of the standard's own version, a 999 of its convention, which begins with 005010.
        ("004010", "FA", Form.FUNCTIONAL, "004010"),
        ("005010", "FA", Form.FUNCTIONAL, "005010"),
        ("005010", "FA", Form.IMPLEMENTATION, "005010X231A1"),
        ("005010X222A1", "FA", Form.IMPLEMENTATION, "005010X231A1"),
        ("006020", "FA", Form.IMPLEMENTATION, "005010X231A1"),
        ("004010", "FA", Form.IMPLEMENTATION, "004010"),
        ("005010", "AG", Form.FUNCTIONAL, "005010"),
        ("005010", "AG", Form.IMPLEMENTATION, "005010"),
        ("003040", "AG", Form.FUNCTIONAL, "004010"),
    ],
)
def test_an_answers_group_says_its_version(version, identifier, form, answered):
    """GS08, and GS02 and GS03 the other way round."""
    header = reply_group(Group([], "SO", "SENDER", "RECIPIENT", "12", version), "7", identifier, form)
    assert (header.identifier, header.version, header.reference) == (identifier, answered, "7")
    assert (header.sender, header.recipient) == ("RECIPIENT", "SENDER")


@pytest.mark.parametrize(
    ("name", "copied"),
    [
        ("A" * 15, "A" * 15),
        ("A" * 16, "A" * 15),
        ("AB", "AB"),
        ("A", "A?"),
        ("", "??"),
        ("  ", "??"),
        ("检A", "?A"),
        ("A*B", "A B"),
    ],
)
def test_a_party_is_copied_as_far_as_it_can_be(name, copied):
    """ISA06 has 15 bytes of ASCII, GS02 two characters at least; a separator would end it."""
    header = reply_group(Group([], "SO", name, "RECIPIENT", "12", "004010"), "7")
    assert header.recipient == copied
