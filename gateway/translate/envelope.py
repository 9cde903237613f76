"""Puts the body that a mapping wrote into its interchange: UNB to UNZ, ISA to IEA, OBORMessage, or a JSON object.

`render` is the way from a document to the bytes a recipient gets, in one call.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lxml import etree

from gateway.documents import Document
from gateway.model import Finding, Place, Syntax
from gateway.parse import x12_writer
from gateway.parse.edifact import write_interchange
from gateway.parse.segments import Envelope, MessageType
from gateway.translate.context import Context
from gateway.translate.engine import Mapping
from gateway.translate.outcome import finding
from gateway.translate.table import message_type

EDIFACT_SYNTAX = "3"
"""Version 3: what partners that still speak D.95B and D.96B read; version 4 adds nothing these messages use."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What an interchange says of itself; identifiers may carry a qualifier, `ZZ:CUSTOMS`."""

    sender: str
    recipient: str
    reference: str
    """Control reference: EDIFACT 0020 an..14, X12 ISA13 up to nine digits, MESSAGE_ID of OBORMessage."""
    at: datetime
    """In the recipient's time zone, since UNB and ISA carry none."""
    test: bool = False
    charset: str = ""
    """Python codec; the syntax's default where empty."""
    transport_envelope: str = ""
    """`OBORMessage`, or empty for none."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """The bytes, empty where an error stands in the findings; findings also name every field dropped."""

    body: bytes
    findings: list[Finding]


def render(document: Document, mapping: Mapping, context: Context, frame: Frame) -> Rendered:
    """`document` as the recipient reads it. Never raises for what a document holds."""
    written = mapping.write(document, context)
    syntax = Syntax(mapping.format.partition(":")[0])
    try:
        match syntax:
            case Syntax.EDIFACT:
                body = edifact(message_type(mapping.format), written.body, context, frame)
            case Syntax.X12:
                body = x12(message_type(mapping.format), written.body, context, frame)
            case Syntax.XML:
                body = xml(written.body, mapping.format, frame)
            case _:
                body = json_message(written.body, mapping.format, frame)
    except UnicodeEncodeError as error:
        lost = error.object[error.start : error.end]
        return Rendered(
            b"", [*written.findings, finding("translate.not_encodable", Place(), lost, charset=error.encoding)]
        )
    return Rendered(body, written.findings)


def edifact(type_: MessageType, segments: list[str], context: Context, frame: Frame) -> bytes:
    """One EDIFACT interchange of one message (ISO 9735-1). UNOY is UTF-8 (ISO 9735-1:2002, annex A)."""
    sender_qualifier, sender = _split(frame.sender)
    recipient_qualifier, recipient = _split(frame.recipient)
    repertoire = "UNOC" if frame.charset == "latin-1" else "UNOY"
    envelope = Envelope(
        syntax=Syntax.EDIFACT,
        delimiters=context.separators(Syntax.EDIFACT),
        header=[],
        sender=sender,
        sender_qualifier=sender_qualifier,
        recipient=recipient,
        recipient_qualifier=recipient_qualifier,
        reference=frame.reference[:14],
        version="4" if repertoire == "UNOY" else EDIFACT_SYNTAX,
        charset=frame.charset or "utf-8",
        repertoire=repertoire,
        date=f"{frame.at:%Y%m%d}" if repertoire == "UNOY" else f"{frame.at:%y%m%d}",
        time=f"{frame.at:%H%M}",
        test=frame.test,
    )
    return write_interchange(envelope, [(type_, "1", segments)])


def x12(type_: MessageType, segments: list[str], context: Context, frame: Frame) -> bytes:
    """One X12 interchange of one group of one transaction set (X12.5)."""
    sender_qualifier, sender = _split(frame.sender)
    recipient_qualifier, recipient = _split(frame.recipient)
    delimiters = context.separators(Syntax.X12)
    header = x12_writer.InterchangeHeader(
        sender=sender,
        recipient=recipient,
        reference=frame.reference,
        at=frame.at,
        sender_qualifier=sender_qualifier or "ZZ",
        recipient_qualifier=recipient_qualifier or "ZZ",
        version="00501" if type_.version >= "005010" else "00401",
        test=frame.test,
        delimiters=delimiters,
        charset=frame.charset or "utf-8",
    )
    group = x12_writer.GroupHeader(
        x12_writer.FUNCTIONAL_GROUPS[type_.name], sender, recipient, str(int(frame.reference)), type_.version
    )
    return x12_writer.write(header, [(group, [x12_writer.Body(type_.name, "0001", segments)])])


def xml(root: etree._Element, format_: str, frame: Frame) -> bytes:
    """One XML message, in its transport envelope where one is agreed."""
    encoding = frame.charset or "UTF-8"
    if frame.transport_envelope == "OBORMessage":
        root = _obor(root, format_, frame)
    text = etree.tostring(root, encoding=encoding, xml_declaration=True)
    assert isinstance(text, bytes), 'lxml gives text for encoding="unicode" only'
    return text


def json_message(document: dict[str, Any], format_: str, frame: Frame) -> bytes:
    """One JSON message: its format, who sends it to whom under which reference, and the document."""
    message = {
        "format": format_,
        "reference": frame.reference,
        "sender": frame.sender,
        "recipient": frame.recipient,
        "sent_at": frame.at.isoformat(timespec="seconds"),
        "test": frame.test,
        "document": document,
    }
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


def _obor(message: etree._Element, format_: str, frame: Frame) -> etree._Element:
    """OBORMessage (the e-CIQ exchange's envelope): the message's children stand in MessageBody, without namespace."""
    envelope = etree.Element("OBORMessage")
    head = etree.SubElement(envelope, "MessageHead")
    fields = {
        "MESSAGE_ID": frame.reference,
        "MESSAGE_TYPE": format_.split(":")[1],
        "MESSAGE_TIME": f"{frame.at:%Y-%m-%d %H:%M:%S}",
        "MESSAGE_SOURCE": _split(frame.sender)[1],
        "MESSAGE_DEST": _split(frame.recipient)[1],
        "MESSAGE_CATEGORY": "11",
        "MESSAGE_VERSION": "1.0",
    }
    for name, value in fields.items():
        etree.SubElement(head, name).text = value
    body = etree.SubElement(envelope, "MessageBody")
    for child in message:
        body.append(_bare(child))
    return envelope


def _bare(element: etree._Element) -> etree._Element:
    """A copy without namespaces."""
    copy = etree.Element(etree.QName(element).localname)
    copy.text, copy.tail = element.text, element.tail
    for child in element:
        copy.append(_bare(child))
    return copy


def _split(identifier: str) -> tuple[str, str]:
    """(qualifier, identifier) of `ZZ:CUSTOMS` or `CUSTOMS`."""
    qualifier, colon, value = identifier.rpartition(":")
    return (qualifier, value) if colon else ("", identifier)
