"""Renders a document for a recipient: writes it by its mapping, judges the outcome, and puts it in its envelope.

What does not pass our own check never leaves: then there is no body, and the findings say why.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from typing import Any

from lxml import etree

from gateway import findings
from gateway.catalogue import Catalogue
from gateway.check import structure, tables, xsd
from gateway.documents import Document
from gateway.findings import make_finding
from gateway.media import MEDIA
from gateway.model import Finding, Place, Syntax
from gateway.parse import charsets, edifact_writer, segments, x12_writer
from gateway.parse.segments import Delimiters, Envelope, MessageType, SegmentMessage
from gateway.translate.context import EDIFACT_DELIMITERS, Context
from gateway.translate.engine import Mapping
from gateway.translate.table import message_type
from gateway.translate.xml_write import escape_text


@dataclass(frozen=True, slots=True)
class Frame:
    """What the envelope says. `at` is in the recipient's time zone, since EDI envelopes carry none.

    `sender` and `recipient` are `qualifier:id` or `id`; `charset` is a codec's name, empty for the
    syntax's own choice; `transport_envelope` is `OBORMessage` or empty.
    """

    sender: str
    recipient: str
    reference: str
    """UNB 0020, ISA13, MESSAGE_ID: by it an answer finds what it answers."""
    at: datetime
    test: bool = False
    charset: str = ""
    transport_envelope: str = ""
    acknowledgement_requested: bool = False


@dataclass(slots=True)
class Rendered:
    """The bytes for the recipient, empty where an error stands in the findings."""

    body: bytes
    findings: list[Finding]
    content_type: str = ""
    reference: str = ""
    charset: str = field(default="utf-8")


def render(catalogue: Catalogue, document: Document, mapping: Mapping, context: Context, frame: Frame) -> Rendered:
    """`document` as `mapping` writes it, whole and in its envelope, with everything that could not be carried."""
    syntax = Syntax(mapping.format.partition(":")[0])
    if syntax is Syntax.X12 and context.delimiters is None:
        context = replace(context, delimiters=x12_writer.DELIMITERS)
    if not _is_known(frame.charset):
        return Rendered(
            b"",
            [make_finding("translate.charset", Place(), charset=frame.charset)],
            MEDIA[syntax].type,
            frame.reference,
        )
    written = mapping.write(document, context)
    found = written.findings
    found += [refuse_own(fault) for fault in judge(catalogue, written.body, mapping.format, context)]
    rendered = Rendered(b"", found, MEDIA[syntax].type, frame.reference)
    if not findings.rejects(found):
        rendered.charset = frame.charset or _own_charset(syntax, written.body)
        body = written.body
        if syntax is Syntax.XML:
            in_envelope = frame.transport_envelope == "OBORMessage"
            entry = xsd.entries(catalogue)[mapping.format]
            body = _obor_message(body, entry, frame) if in_envelope else _text_of(body)
        rendered.body = _ENVELOPES[syntax](body, mapping.format, context, frame, rendered)
    return rendered


def judge(catalogue: Catalogue, body: Any, format_: str, context: Context) -> list[Finding]:
    """What our own schema has against a body that a mapping wrote; empty where it is valid."""
    syntax = Syntax(format_.partition(":")[0])
    if syntax is Syntax.JSON:
        return []
    if syntax is Syntax.XML:
        return xsd.check(catalogue, body, format_)
    message = segment_message(body, format_, "0001", context.separators(syntax))
    table = tables.find(catalogue, message.type, context.guide)
    return [] if table is None else structure.check(message, table).findings


def segment_message(body: Sequence[str], format_: str, reference: str, delimiters: Delimiters) -> SegmentMessage:
    """The message that `body` makes with its frame (UNH and UNT, ST and SE) around it."""
    type_ = message_type(format_)
    count = str(len(body) + 2)
    if type_.syntax is Syntax.X12:
        first = [["ST"], [type_.name], [reference]]
        last = [["SE"], [count], [reference]]
    else:
        first = [["UNH"], [reference], [type_.name, type_.version, type_.release, type_.agency, type_.association]]
        last = [["UNT"], [count], [reference]]
    raws = [segments.join(first, delimiters), *body, segments.join(last, delimiters)]
    envelope = Envelope(type_.syntax, delimiters, [])
    return SegmentMessage(type_, reference, raws, delimiters, 1, envelope)


def refuse_own(fault: Finding) -> Finding:
    """A fault of our own message: the recipient's findings are about what it sent, not about this."""
    words = f"{fault.place} {findings.text(fault)}".strip()
    return make_finding("translate.refused", fault.place, fault.value, fault=words)


def _own_charset(syntax: Syntax, body: Any) -> str:
    """Latin-1 for an EDIFACT message that it can carry (UNOC), else UTF-8."""
    if syntax is Syntax.EDIFACT and _carries("latin-1", body):
        return "latin-1"
    return "utf-8"


def _is_known(charset: str) -> bool:
    """Whether there is such a codec; an empty name stands for the syntax's own choice."""
    try:
        codecs.lookup(charset or "utf-8")
    except LookupError:
        return False
    return True


def _carries(charset: str, texts: Iterable[str]) -> bool:
    try:
        for text in texts:
            text.encode(charset)
    except UnicodeEncodeError:
        return False
    return True


_VERSION_3 = frozenset({"UNOA", "UNOB", "UNOC", "UNOD", "UNOE", "UNOF"})
"""ISO 9735:1988 with amendment 1 (version 3), 0001; the others came with version 4."""

_NOT_LETTERS = re.compile(r"[^a-z0-9]")


def _repertoire(charset: str) -> str:
    """The EDIFACT repertoire (0001) whose codec is `charset`; UNOX, which names none, for others by agreement."""
    wanted = _NOT_LETTERS.sub("", charset.lower())
    names = {"UNOC": "latin-1", "UNOW": "utf-8"} | charsets.CODECS
    same = {"iso88591": "latin1"}
    wanted = same.get(wanted, wanted)
    return next((name for name, codec in names.items() if _NOT_LETTERS.sub("", codec) == wanted), "UNOX")


def _encodable(body: Iterable[str], charset: str, delimiters: Delimiters, found: list[Finding]) -> list[str]:
    """`body`, raw segments, with question marks for what `charset` cannot carry, each told."""
    service = delimiters.terminator + delimiters.element + delimiters.component + delimiters.repetition
    mark = "?"
    if mark in service + delimiters.release:
        # It stands in a raw segment, where it would release or separate what follows.
        mark = f"{delimiters.release}?" if delimiters.release else " "
    fit: list[str] = []
    for number, raw in enumerate(body, 2):
        if not _carries(charset, (raw,)):
            place = Place(segment=number, tag=raw[:3])
            found.append(make_finding("translate.not_encodable", place, raw, charset=charset))
            raw = "".join(c if _carries(charset, c) else mark for c in raw)  # noqa: PLW2901 - the same segment, made fit
        fit.append(raw)
    return fit


def _identifier(text: str) -> tuple[str, str]:
    """`qualifier:id` or `id` as (id, qualifier)."""
    qualifier, colon, identifier = text.partition(":")
    return (identifier, qualifier) if colon else (qualifier, "")


def _edifact(body: list[str], format_: str, context: Context, frame: Frame, rendered: Rendered) -> bytes:
    """UNB to UNZ around one message: syntax version 3 for the repertoires that it knows, 4 for all others."""
    repertoire = _repertoire(rendered.charset)
    version = "3" if repertoire in _VERSION_3 else "4"
    delimiters = context.delimiters or replace(EDIFACT_DELIMITERS, repetition="*" if version == "4" else "")
    sender, sender_qualifier = _identifier(frame.sender)
    recipient, recipient_qualifier = _identifier(frame.recipient)
    envelope = Envelope(
        Syntax.EDIFACT,
        delimiters,
        [],
        sender=sender,
        sender_qualifier=sender_qualifier,
        recipient=recipient,
        recipient_qualifier=recipient_qualifier,
        reference=frame.reference,
        version=version,
        charset=rendered.charset,
        repertoire=repertoire,
        date=frame.at.strftime("%Y%m%d" if version == "4" else "%y%m%d"),
        time=frame.at.strftime("%H%M"),
        acknowledgement_requested=frame.acknowledgement_requested,
        test=frame.test,
    )
    fit = _encodable(body, rendered.charset, delimiters, rendered.findings)
    return edifact_writer.write_interchange(envelope, [(message_type(format_), frame.reference[-14:], fit)])


def _x12(body: list[str], format_: str, context: Context, frame: Frame, rendered: Rendered) -> bytes:
    """ISA to IEA around one transaction set in one functional group."""
    type_: MessageType = message_type(format_)
    fit = _encodable(body, rendered.charset, context.separators(Syntax.X12), rendered.findings)
    set_ = x12_writer.Body(type_.name, "0001", fit)
    return x12_interchange(set_, type_.version, frame, rendered.charset, context.separators(Syntax.X12))


def x12_interchange(
    body: x12_writer.Body, version: str, frame: Frame, charset: str, delimiters: Delimiters = x12_writer.DELIMITERS
) -> bytes:
    """One transaction set of `version` (GS08) in a functional group and an interchange of its own."""
    sender, sender_qualifier = _identifier(frame.sender)
    recipient, recipient_qualifier = _identifier(frame.recipient)
    header = x12_writer.InterchangeHeader(
        sender=sender,
        recipient=recipient,
        reference=frame.reference,
        at=frame.at,
        sender_qualifier=sender_qualifier or "ZZ",
        recipient_qualifier=recipient_qualifier or "ZZ",
        version=version[:5],
        acknowledgement_requested=frame.acknowledgement_requested,
        test=frame.test,
        delimiters=delimiters,
        charset=charset,
    )
    identifier = x12_writer.FUNCTIONAL_GROUPS.get(body.name, "ZZ")
    group = x12_writer.GroupHeader(identifier, sender, recipient, frame.reference, version)
    return x12_writer.write(header, [(group, [body])])


def _xml(text: str, format_: str, context: Context, frame: Frame, rendered: Rendered) -> bytes:  # noqa: ARG001
    """The XML message, alone or in its transport envelope already; what the charset lacks as character references."""
    declared = f"<?xml version='1.0' encoding='{_registered(rendered.charset)}'?>\n{text}"
    return declared.encode(rendered.charset, "xmlcharrefreplace")


@cache
def _registered(charset: str) -> str:
    """The registered (IANA) name of a codec, which is what an XML declaration holds."""
    name = codecs.lookup(charset).name
    return re.sub(r"^iso8859-", "iso-8859-", re.sub(r"^cp(125\d)$", r"windows-\1", name)).upper()


def _text_of(element: etree._Element) -> str:
    """An element as it is written, without declaration."""
    return etree.tostring(element, encoding="unicode", with_tail=False)


def _without_namespace(element: etree._Element) -> str:
    """An element as it is written, its default namespace, which all within it are in, declared nowhere."""
    namespace = etree.QName(element).namespace
    # A declaration stands before all attributes, and so the first of these words is the element's own.
    return _text_of(element).replace(f' xmlns="{namespace}"', "", 1)


def _obor_message(body: etree._Element, entry: xsd.Entry, frame: Frame) -> str:
    """OBORMessage: MessageHead and MessageBody; a message with a bare root stands in it without namespace.

    It is put together as text: made as elements and written once more, a declaration would take five times as long.
    """
    sender, _ = _identifier(frame.sender)
    recipient, _ = _identifier(frame.recipient)
    head = (
        ("MESSAGE_ID", frame.reference),
        ("MESSAGE_TYPE", entry.root),
        ("MESSAGE_TIME", frame.at.strftime("%Y-%m-%d %H:%M:%S")),
        ("MESSAGE_SOURCE", sender),
        ("MESSAGE_DEST", recipient),
        ("MESSAGE_CATEGORY", "11"),  # pushed, not fetched
        ("MESSAGE_VERSION", "1.0"),
    )
    told = "".join(f"<{name}>{escape_text(text)}</{name}>" for name, text in head)
    held = _without_namespace(next(iter(body))) if entry.bare else _text_of(body)
    return f"<OBORMessage><MessageHead>{told}</MessageHead><MessageBody>{held}</MessageBody></OBORMessage>"


def _json(body: dict[str, Any], format_: str, context: Context, frame: Frame, rendered: Rendered) -> bytes:  # noqa: ARG001
    """The JSON message: its format and reference beside the document."""
    rendered.charset = "utf-8"
    message = {"format": format_, "reference": frame.reference, "document": body}
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


_ENVELOPES: dict[Syntax, Callable[[Any, str, Context, Frame, Rendered], bytes]] = {
    Syntax.EDIFACT: _edifact,
    Syntax.X12: _x12,
    Syntax.XML: _xml,
    Syntax.JSON: _json,
}
