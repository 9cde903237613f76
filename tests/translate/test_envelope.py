from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from lxml import etree

from gateway import data
from gateway.catalogue_folders import shipped
from gateway.check import structure, tables
from gateway.documents import ClearanceNotice, Declaration, Manifest
from gateway.model import Syntax
from gateway.parse import edifact, x12, xml
from gateway.parse.segments import InterchangeBegun, MessageRead, split
from gateway.translate import table
from gateway.translate.context import Context
from gateway.translate.envelope import Frame, Rendered, render, segment_message
from tests.mappings import rig

FRAME = Frame("ZZ:BUREAU", "CUSTOMS", "REF42", datetime(2026, 3, 6, 14, 5, tzinfo=UTC))
CUSRES = "edifact:CUSRES:D:96B:UN"


def notice(**values: Any) -> ClearanceNotice:
    fixed = {"number": "370200126000077000", "function": "9", "direction": "inbound", "status": "issued"}
    return ClearanceNotice.model_validate({**fixed, "declaration_number": "370200126000077", **values})


def rendered(document: Any, kind: str, format_: str, frame: Frame = FRAME) -> Rendered:
    return render(shipped(), document, table.load(shipped(), kind, format_), Context("Asia/Shanghai"), frame)


def begun(body: bytes, charset: str = "") -> tuple[Any, Any]:
    """(envelope, message) of an interchange that no finding is about."""
    reader = x12 if body.startswith(b"ISA") else edifact
    events = list(reader.read(body, charset))
    assert not any(event.findings for event in events if hasattr(event, "findings"))
    (first,) = (event for event in events if isinstance(event, InterchangeBegun))
    (message,) = (event for event in events if isinstance(event, MessageRead))
    return first.envelope, message.message


def test_edifact_says_who_to_whom_and_under_which_reference() -> None:
    """UNB carries both identifiers with their qualifiers, the time, the reference and the test flag."""
    out = rendered(notice(), "clearance", CUSRES, replace(FRAME, test=True))
    envelope, message = begun(out.body)
    assert (envelope.sender_qualifier, envelope.sender, envelope.recipient) == ("ZZ", "BUREAU", "CUSTOMS")
    assert (envelope.reference, envelope.date, envelope.time, envelope.test) == ("REF42", "260306", "1405", True)
    assert message.type.format == CUSRES
    assert out.content_type == "application/EDIFACT"


@pytest.mark.parametrize(
    ("remarks", "charset", "repertoire", "version"),
    [
        ("PLAIN", "", "UNOC", "3"),
        ("Größe", "", "UNOC", "3"),
        ("检验", "", "UNOW", "4"),  # syntax version 3 knows no repertoire for it
        ("PLAIN", "utf-8", "UNOW", "4"),
        ("检验", "gb18030", "UNOX", "4"),
    ],
)
def test_the_repertoire_fits_the_text(remarks: str, charset: str, repertoire: str, version: str) -> None:
    """The narrowest repertoire that carries the text, or the one that the agreement names; it is read again alike."""
    out = rendered(notice(remarks=remarks), "clearance", CUSRES, replace(FRAME, charset=charset))
    envelope, message = begun(out.body, charset)
    assert (envelope.repertoire, envelope.version) == (repertoire, version)
    assert f"FTX+AAI+++{remarks}" in message.segments


@pytest.mark.parametrize("charset", ["latin-1", "ascii", "iso8859-5", "iso8859-9"])
@pytest.mark.parametrize(("remarks", "carried"), [("检A", "?A"), ("A检", "A?"), ("检", "?"), ("检验A+检", "??A+?")])
def test_what_the_charset_lacks_is_told(charset: str, remarks: str, carried: str) -> None:
    """Characters that the agreed charset cannot carry become question marks, released, with a finding; nothing else moves."""
    out = rendered(notice(remarks=remarks), "clearance", CUSRES, replace(FRAME, charset=charset))
    assert [f.code for f in out.findings] == ["translate.not_encodable"]
    _, written = begun(out.body, charset)
    (text,) = [split(raw, written.delimiters) for raw in written.segments if raw.startswith("FTX")]
    assert text[4] == [carried]
    schema = tables.find(shipped(), written.type)
    assert schema is not None
    assert structure.check(written, schema).findings == []


@pytest.mark.parametrize(
    ("charset", "declared"),
    [("latin-1", "ISO-8859-1"), ("iso8859-5", "ISO-8859-5"), ("cp1251", "WINDOWS-1251"), ("gb18030", "GB18030")],
)
def test_an_xml_message_declares_the_registered_name_of_its_charset(charset: str, declared: str) -> None:
    """Whatever name an agreement uses for it; what the charset lacks is written as a character reference."""
    document = rig.expected_document(data.samples() / "clearance/inbound")
    out = rendered(document, "clearance", "xml:ClearanceNotice:1", replace(FRAME, charset=charset))
    assert out.body.startswith(f"<?xml version='1.0' encoding='{declared}'?>".encode())
    out.body.decode(charset)
    plain = rendered(document, "clearance", "xml:ClearanceNotice:1").body
    assert etree.tostring(etree.fromstring(out.body), method="c14n") == etree.tostring(
        etree.fromstring(plain), method="c14n"
    )


def test_an_unknown_charset_is_told_and_nothing_leaves() -> None:
    """What an agreement calls its charset may be a slip: that is a finding, not a fault of ours."""
    for format_ in (CUSRES, "xml:ClearanceNotice:1", "json:clearance:1"):
        out = rendered(notice(), "clearance", format_, replace(FRAME, charset="nope"))
        assert (out.body, [f.code for f in out.findings]) == (b"", ["translate.charset"])


def test_nothing_leaves_that_its_own_schema_refuses() -> None:
    """A message that would be refused is not sent: no bytes, and the fault in words."""
    manifest = Manifest.model_validate({"number": "M1", "function": "9", "transport": {"mode": "1"}})
    out = rendered(manifest, "manifest", "x12:309:004010")
    assert out.body == b""
    # The elements of M10 that the standard makes mandatory, and the ports (the group P4), of which there must be one.
    required = [(f.place.path, f.args["target"]) for f in out.findings if f.code == "translate.required"]
    assert required == [
        ("transport.carrier_code", "M10 01"),
        ("transport.flag", "M10 03"),
        ("transport.voyage", "M10 06"),
        ("type", "M10 09"),
        ("", "P4"),
    ]
    refused = [str(f.place) for f in out.findings if f.code == "translate.refused"]
    assert refused == ["M10 2, 1", "M10 2, 3", "M10 2, 6", "M10 2, 9", "P4 3"]


def test_x12_stands_in_one_group_of_its_version() -> None:
    """ISA, GS, ST, SE, GE and IEA agree, the version is the format's, the set's own group identifier is used."""
    document = rig.expected_document(data.samples() / "manifest/feeder")
    out = rendered(document, "manifest", "x12:309:004010", replace(FRAME, reference="42"))
    envelope, message = begun(out.body)
    assert (envelope.version, envelope.reference, envelope.sender) == ("00401", "000000042", "BUREAU")
    assert (message.group.identifier, message.group.version) == ("AQ", "004010")


def test_xml_stands_alone_in_the_agreed_charset() -> None:
    """The message proper, declared and encoded as agreed."""
    out = rendered(notice(remarks="检验"), "clearance", "xml:ClearanceNotice:1", replace(FRAME, charset="gb18030"))
    assert out.body.startswith(b"<?xml version='1.0' encoding='GB18030'?>")
    assert "检验".encode("gb18030") in out.body
    read = xml.read(out.body)
    assert read.root is not None
    assert xml.local_name(read.root) == "ClearanceNotice"


def test_obor_message_holds_the_bare_declaration() -> None:
    """In the platform's envelope the declaration stands without namespace, under its message id."""
    values = {"function": "9", "direction": "inbound", "contract_number": "C-1"}
    frame = replace(FRAME, transport_envelope="OBORMessage")
    out = rendered(Declaration.model_validate(values), "declaration", "xml:EEntDeclIo:1", frame)
    root = etree.fromstring(out.body)
    assert root.findtext("MessageHead/MESSAGE_ID") == "REF42"
    assert root.findtext("MessageHead/MESSAGE_TYPE") == "EEntDeclIo"
    assert root.findtext("MessageHead/MESSAGE_TIME") == "2026-03-06 14:05:00"
    assert root.findtext("MessageBody/ITF_DCL_IO_DECL/ContractNo") == "C-1"
    assert xml.read(out.body).head["MESSAGE_SOURCE"] == "BUREAU"


def test_json_names_its_format() -> None:
    """JSON carries format and reference beside the document."""
    out = rendered(notice(), "clearance", "json:clearance:1")
    value = json.loads(out.body)
    assert (value["format"], value["reference"]) == ("json:clearance:1", "REF42")
    assert ClearanceNotice.model_validate(value["document"]) == notice()


REPERTOIRES = [
    # ISO 9735-1, 0001: the parts of ISO 8859 by letter; D to F stand in version 3 already, the others came with version 4.
    *((name, "UNOC", "3") for name in ("latin-1", "iso-8859-1", "ISO8859-1", "latin_1")),
    ("iso8859-2", "UNOD", "3"),
    ("iso8859-5", "UNOE", "3"),
    ("ISO-8859-7", "UNOF", "3"),
    ("iso8859-3", "UNOG", "4"),
    ("iso8859-9", "UNOK", "4"),
    *((name, "UNOW", "4") for name in ("utf-8", "UTF8", "utf_8")),
    # What the standard has no letter for goes by agreement.
    *((name, "UNOX", "4") for name in ("gb18030", "cp1251")),
]


@pytest.mark.parametrize(("charset", "repertoire", "version"), REPERTOIRES)
def test_a_charset_has_its_repertoire_whatever_it_is_called(charset: str, repertoire: str, version: str) -> None:
    """By the letter that the standard gives it, in the first version that knows it, with that version's date."""
    out = rendered(notice(), "clearance", CUSRES, replace(FRAME, charset=charset))
    envelope, _ = begun(out.body, charset)
    assert (envelope.repertoire, envelope.version) == (repertoire, version)
    assert (envelope.date, envelope.time) == ("20260306" if version == "4" else "260306", "1405")
    assert (out.charset, out.reference, out.findings) == (charset, "REF42", [])


def test_the_frame_is_in_the_envelope() -> None:
    """An acknowledgement is asked for where the agreement wants one; parties without qualifiers have none."""
    for asked in (False, True):
        frame = replace(
            FRAME, acknowledgement_requested=asked, sender="30:A", recipient="B", reference="0123456789ABCDEF"[:14]
        )
        envelope, message = begun(rendered(notice(), "clearance", CUSRES, frame).body)
        assert (envelope.acknowledgement_requested, envelope.test) == (asked, False)
        assert (envelope.sender, envelope.sender_qualifier) == ("A", "30")
        assert (envelope.recipient, envelope.recipient_qualifier) == ("B", "")
        assert (envelope.reference, message.reference) == ("0123456789ABCD",) * 2


def test_an_x12_frame_is_in_the_envelope() -> None:
    """Qualifiers that are not given are mutually defined; control numbers, test flag and the wish for a TA1 are the frame's."""
    document = rig.expected_document(data.samples() / "manifest/feeder")
    for asked in (False, True):
        frame = replace(
            FRAME, sender="01:A1", recipient="B2", reference="42", test=asked, acknowledgement_requested=asked
        )
        envelope, message = begun(rendered(document, "manifest", "x12:309:004010", frame).body)
        assert (envelope.acknowledgement_requested, envelope.test) == (asked, asked)
        assert (envelope.sender, envelope.sender_qualifier) == ("A1", "01")
        assert (envelope.recipient, envelope.recipient_qualifier) == ("B2", "ZZ")
        assert (message.group.sender, message.group.recipient, message.reference) == ("A1", "B2", "0001")


def test_the_head_of_an_obor_message_is_whole() -> None:
    """Every field of it, in its order, and nothing of our own names for the parties' qualifiers."""
    frame = replace(FRAME, transport_envelope="OBORMessage")
    out = rendered(notice(), "clearance", "xml:ClearanceNotice:1", frame)
    root = etree.fromstring(out.body)
    assert [etree.QName(part).localname for part in root] == ["MessageHead", "MessageBody"]
    assert [(part.tag, part.text) for part in root[0]] == [
        ("MESSAGE_ID", "REF42"),
        ("MESSAGE_TYPE", "ClearanceNotice"),
        ("MESSAGE_TIME", "2026-03-06 14:05:00"),
        ("MESSAGE_SOURCE", "BUREAU"),
        ("MESSAGE_DEST", "CUSTOMS"),
        ("MESSAGE_CATEGORY", "11"),
        ("MESSAGE_VERSION", "1.0"),
    ]
    assert [etree.QName(part).localname for part in root[1]] == ["ClearanceNotice"]
    # Without that envelope the message stands alone.
    assert b"MessageHead" not in rendered(notice(), "clearance", "xml:ClearanceNotice:1").body


@pytest.mark.parametrize(
    ("format_", "media", "charset"),
    [
        (CUSRES, "application/EDIFACT", "latin-1"),
        ("xml:ClearanceNotice:1", "application/xml", "utf-8"),
        ("json:clearance:1", "application/json", "utf-8"),
    ],
)
def test_a_message_says_what_it_is(format_: str, media: str, charset: str) -> None:
    """Its media type and its character set, which is the syntax's own where the agreement names none."""
    out = rendered(notice(), "clearance", format_)
    assert (out.content_type, out.charset, out.reference) == (media, charset, "REF42")


def test_the_frame_counts_its_segments() -> None:
    """UNT and SE count all segments, their own included, and repeat the reference."""
    for format_, first, last in (
        (CUSRES, "UNH+7+CUSRES:D:96B:UN", "UNT+4+7"),
        ("x12:309:004010", "ST*309*7", "SE*4*7"),
    ):
        delimiters = Context().separators(Syntax(format_.partition(":")[0]))
        message = segment_message(["A", "B"], format_, "7", delimiters)
        element = delimiters.element
        assert message.segments == [first.replace("*", element), "A", "B", last.replace("*", element)]
        assert (message.reference, message.number) == ("7", 1)


def test_what_belongs_to_no_group_is_told() -> None:
    """A 309 nests a bill in its port of discharge: a bill for a port that the ship does not call at is named."""
    document = rig.expected_document(data.samples() / "manifest/feeder")
    assert isinstance(document, Manifest)
    first, second = document.bills
    lost = document.model_copy(update={"bills": (first, second.model_copy(update={"discharge_port": "NLRTM"}))})
    for manifest, unplaced in ((document, []), (lost, ["bills[1]"])):
        out = rendered(manifest, "manifest", "x12:309:004010", replace(FRAME, reference="42"))
        assert [f.place.path for f in out.findings if f.code == "translate.unplaced"] == unplaced
        # A port with none of its bills is not what the standard allows, and so nothing leaves.
        assert bool(out.body) is not bool(unplaced)
