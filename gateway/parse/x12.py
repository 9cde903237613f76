"""Reads X12 interchanges into events, message by message, in bounded memory.

The syntax is X12.5 (interchange control) and X12.6 (application control). The ISA segment names the
separators by position; after it, segments are split on the terminator at C speed. Only two things are
looked for before splitting: the end of the interchange, behind which other separators may rule, and
BIN and BDS segments, whose data is counted, not delimited. What a sender got wrong travels as findings
(codes `x12.*`) on the event that shows it; only what cannot be split at all ends an interchange early.

A TA1 stands outside any functional group; it is read as a message of its own, of type `TA1` and one segment.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator

from gateway.findings import make_finding
from gateway.model import Finding, Place, Syntax
from gateway.parse.references import References
from gateway.parse.segments import (
    Event,
    Group,
    GroupBegun,
    GroupEnded,
    InterchangeBegun,
    InterchangeEnded,
    MessageRead,
    MessageType,
    SegmentMessage,
)
from gateway.parse.x12_envelope import GROUPS, HEAD, is_wrapped, number, open_group, open_interchange, same_number
from gateway.parse.x12_source import CHUNK, Source

_LONGEST_SEGMENT = 1 << 20
"""Bytes without a terminator after which a segment counts as endless; only BIN and BDS data may be longer."""
_LONGEST_BINARY = 1 << 26
"""Binary data is held in memory with its message; 64 MiB is more than any image in a set needs."""
_MOST_FINDINGS = 1_000
"""Of one message; more help nobody, and a hostile one could fill memory with them."""
_MOST_SEGMENTS = 999_999
"""Of one transaction set: the highest position that an acknowledgement can name (element 719, N0 1..6)."""
_BINARY_HEAD = 64
_BLANK = b"\r\n\t \0\x1a"
_REPLACED = "\ufffd"


def read(source: bytes | Iterable[bytes], charset: str = "") -> Iterator[Event]:
    """The events of all interchanges in `source`, in wire order; never raises for wrong input.

    `charset` is a Python codec name; empty means UTF-8, with bytes that are no UTF-8 taken as
    Latin-1. In a charset whose trail bytes may look like separators (GB18030, Shift JIS), BIN and BDS
    lengths do not hold and are reported, since such data cannot be told from text.
    """
    return _Reader(source, charset).events()


class _Reader:
    """One source's state: which interchange, group and message are open."""

    def __init__(self, source: bytes | Iterable[bytes], charset: str) -> None:
        self._source = Source(source, charset)
        self._charset = charset or "utf-8"
        self._pending: list[Finding] = []

    def events(self) -> Iterator[Event]:
        """Every interchange in turn."""
        if self._source.need(3) and self._source.data.startswith(codecs.BOM_UTF8):
            self._source.drop(len(codecs.BOM_UTF8))
        while self._source.skip_blank():
            yield from self._interchange()

    # --- envelope ---

    def _interchange(self) -> Iterator[Event]:
        begun = self._begin()
        self._envelope = begun.envelope
        self._group: Group | None = None
        self._body: list[str] | None = None
        self._message_count = self._group_count = self._in_group = 0
        self._references, self._group_references = References(), References()
        self._misplaced = 0
        self._ended = self._endless = self._outside_told = False
        self._ungrouped = False
        self._stray: list[Finding] = []
        """About what no group or message can answer for; told at the interchange's end."""
        yield begun
        if not begun.envelope.delimiters.terminator:
            self._skip_unreadable()
            yield InterchangeEnded(self._envelope, 0, 0)
            return
        element = begun.envelope.delimiters.element
        control = {tag + element for tag in ("ST", "SE", "GS", "GE")} | {"ST", "SE", "GS", "GE", "IEA", "TA1"}
        body = None
        for segments in self._spans():
            begin = 0
            for at in [*(at for at, raw in enumerate(segments) if raw[:3] in control), len(segments)]:
                if body is not None:
                    body.extend(segments[begin:at])
                else:
                    for raw in segments[begin:at]:
                        yield from self._control(raw.split(element), raw)
                if at < len(segments):
                    yield from self._control(segments[at].split(element), segments[at])
                    body = self._body
                begin = at + 1
            if body is not None and len(body) > _MOST_SEGMENTS:
                self._truncate(body)
        if not self._ended:
            yield from self._close_group()
            found = [*self._take(), *self._stray]
            if self._envelope.header:  # without ISA there is no IEA to miss
                found.append(make_finding("x12.iea.missing", place=Place(tag="IEA")))
            yield InterchangeEnded(self._envelope, self._message_count, self._group_count, found)

    def _truncate(self, body: list[str]) -> None:
        """Keep no more of a transaction set than can be acknowledged; the rest is only counted."""
        if not self._dropped:
            place, args = Place(self._reference, 1, "ST"), {"max": str(_MOST_SEGMENTS)}
            self._pending.append(make_finding("x12.st.too_long", place=place, **args))
        self._dropped += len(body) - _MOST_SEGMENTS
        del body[_MOST_SEGMENTS:]

    def _begin(self) -> InterchangeBegun:
        self._source.need(HEAD)
        head = bytes(self._source.data[:HEAD])
        if is_wrapped(head):
            self._source.unwrap()
            self._source.need(HEAD)
            head = bytes(self._source.data[:HEAD])
        begun, length = open_interchange(head, self._charset)
        terminator = begun.envelope.delimiters.terminator
        wide = terminator.encode()
        self._terminator = wide if head[:length].endswith(wide) else terminator.encode("latin-1")
        self._source.drop(length)
        return begun

    def _skip_unreadable(self) -> None:
        """Consume rubbish up to the next ISA that can be read; all of it where too much only looks like one."""
        source = self._source
        for _ in range(_MOST_FINDINGS):
            source.skip_to_isa()
            source.need(HEAD)
            begun = open_interchange(bytes(source.data[:HEAD]), self._charset)[0]
            if not source.data or begun.envelope.delimiters.terminator:
                return
            source.drop(3)
        while source.data or source.more():
            source.drop(len(source.data))

    # --- bytes to segments ---

    def _spans(self) -> Iterator[list[str]]:
        """The interchange's segments after ISA, in lists; ends behind IEA and before the next ISA."""
        delimiters = self._envelope.delimiters
        terminator = self._terminator
        # the ISA of another interchange may have separators of its own
        special = rb"(?:ISA[^A-Za-z0-9\s]|(IEA|BIN|BDS)" + re.escape(delimiters.element.encode("latin-1")) + rb")"
        at_start = re.compile(special)
        ahead = re.compile(re.escape(terminator) + rb"[\r\n\t \0]*(?=" + special + rb")")
        source = self._source
        while source.skip_blank():
            source.need(4)
            if special_here := at_start.match(source.data):
                tag = special_here[1]
                if tag is None:
                    return
                yield self._binary(tag) if tag != b"IEA" else self._one()
                if tag == b"IEA" or self._endless:
                    return
                continue
            found = ahead.search(source.data, 0, CHUNK)
            end = found.start() if found else source.data.rfind(terminator, 0, CHUNK)
            if end >= 0:
                span = source.take(end)
                source.drop(len(terminator))
                yield from self._decoded(span)
            elif len(source.data) < CHUNK and source.more():
                continue
            else:
                yield self._one()
                if self._endless:
                    return

    def _one(self) -> list[str]:
        """The next segment alone; at the end of the source it may lack its terminator."""
        terminator = self._terminator
        source = self._source
        while (end := source.data.find(terminator, 0, _LONGEST_SEGMENT)) < 0:
            if len(source.data) >= _LONGEST_SEGMENT:
                raw = source.take(40)
                self._note("x12.segment.endless", raw.decode("utf-8", "replace"))
                self._endless = True
                source.skip_to_isa()
                return []
            if not source.more():
                raw = source.take(len(source.data)).strip(_BLANK)
                self._note("x12.segment.unterminated", raw[:40].decode("utf-8", "replace"))
                return [self._text(raw)]
        raw = source.take(end).lstrip(_BLANK)
        source.drop(len(terminator))
        if not raw:
            self._note_empty()
        return [self._text(raw)] if raw else []

    def _binary(self, tag: bytes) -> list[str]:
        """A BIN or BDS segment: its data is cut out by length (X12.22 elements 784, 785) and kept as a package."""
        separator = re.escape(self._envelope.delimiters.element.encode("latin-1"))
        terminator = self._terminator
        source = self._source
        source.need(_BINARY_HEAD)
        filter_id = rb"[^\r\n]{0,8}?" + separator if tag == b"BDS" else b""
        head = re.match(tag + separator + filter_id + rb"([0-9]{1,15})" + separator, source.data[:_BINARY_HEAD])
        if head is not None:
            start, length = head.end(), int(head[1])
            end = start + length
            if (
                length <= _LONGEST_BINARY
                and source.need(end + len(terminator))
                and source.data[end : end + len(terminator)] == terminator
            ):
                segment = source.take(start).decode("latin-1")
                package = source.take(length)
                source.drop(len(terminator))
                if self._body is not None:
                    self._packages.append(package)
                return [segment]
        self._note("x12.binary.length", head[1].decode() if head else "", tag=tag.decode(), element=1 + (tag == b"BDS"))
        return self._one()

    def _decoded(self, span: bytes) -> Iterator[list[str]]:
        terminator = self._envelope.delimiters.terminator
        try:
            text = span.decode()
        except UnicodeDecodeError:
            text = _REPLACED
        if _REPLACED in text:  # segment by segment, to say which
            for raw in span.split(self._terminator):
                if raw := raw.lstrip(_BLANK):
                    yield [self._text(raw)]
                else:
                    self._note_empty()
            return
        segments = text.split(terminator)
        if (
            "" in segments
            or any(blank in text for blank in "\n\r\t\0\x1a")
            or f"{terminator} " in text
            or text[0] == " "
        ):
            segments = [raw.lstrip("\r\n\t \0\x1a") for raw in segments]
            while "" in segments:
                # What stands before it is handed on first, so that its place is known.
                empty = segments.index("")
                yield segments[:empty]
                self._note_empty()
                del segments[: empty + 1]
        yield segments

    def _text(self, raw: bytes) -> str:
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            text = raw.decode("latin-1")
            wrong = next(at for at, character in enumerate(text) if character > "\x7f")
            self._note("x12.characters", text[:40], element=self._element_at(text, wrong))
        if _REPLACED in text:
            self._note("x12.characters", text[:40], element=self._element_at(text, text.index(_REPLACED)))
        return text

    def _element_at(self, text: str, index: int) -> int | None:
        """Position of the element of a segment that holds the character at `index`; None where it is the tag's."""
        return text.count(self._envelope.delimiters.element, 0, index) or None

    # --- segments to events ---

    def _note(self, code: str, value: str, tag: str = "", element: int | None = None) -> None:
        """Keep a finding about the segment that comes next, for the event that will show it."""
        if len(self._pending) > _MOST_FINDINGS:
            return
        tag = tag or value.partition(self._envelope.delimiters.element)[0][:3]
        place = Place(tag=tag, element=element)
        if self._body is not None:
            place = Place(self._reference, len(self._body) + 1, tag, element)
        self._pending.append(make_finding(code, place, value))
        if len(self._pending) > _MOST_FINDINGS:
            args = {"max": str(_MOST_FINDINGS)}
            self._pending.append(make_finding("x12.segment.more", place, **args))

    def _note_empty(self) -> None:
        """Keep a finding about an empty segment; where a line end is the terminator, it is an empty line, and no matter."""
        if not self._envelope.delimiters.terminator.isspace():
            self._note("x12.segment.empty", "")

    def _take(self) -> list[Finding]:
        found, self._pending = self._pending, []
        return found

    def _control(self, elements: list[str], raw: str) -> Iterator[Event]:
        """A segment of the envelope, or one outside any message."""
        match elements[0]:
            case "ST":
                yield from self._close_message()
                self._open_message(elements)
            case "SE" if self._body is not None:
                self._body.append(raw)
                yield self._message(elements)
            case "GS":
                yield from self._close_group()
                yield self._open_group(elements)
            case "GE" if self._group is not None:
                yield from self._close_message()
                yield self._end_group(elements)
            case "IEA":
                yield from self._close_group()
                yield self._end(elements)
            case "TA1" if self._body is None:
                yield self._interchange_acknowledgement(elements, raw)
            case "TA3" | "ISB" | "ISE" if self._body is None and self._group is None:
                self._stray.append(make_finding("x12.segment.service", place=Place(tag=elements[0]), value=raw[:40]))
            case "ISX" if self._body is None and self._group is None:
                # X12.5, ISX01: a release character, which would change how everything after it is split.
                code = "x12.isx.release" if _at(elements, 1) else "x12.segment.service"
                self._stray.append(make_finding(code, place=Place(tag="ISX", element=1), value=_at(elements, 1)))
            case _ if self._body is not None:
                self._body.append(raw)
            case tag if not self._outside_told:
                self._outside_told = True  # one finding for a run of them
                self._stray.append(make_finding("x12.segment.outside", place=Place(tag=tag[:3]), value=raw[:40]))

    def _open_message(self, elements: list[str]) -> None:
        self._outside_told = False
        self._reference = _at(elements, 2)
        self._packages: list[bytes] = []
        self._dropped = 0
        self._body = [self._envelope.delimiters.element.join(elements)]
        name, convention = _at(elements, 1), _at(elements, 3)
        version = self._group.version if self._group else ""
        place = Place(self._reference, 1, "ST")
        found = self._pending
        if not re.fullmatch(r"[0-9A-Z]{3}", name):
            found.append(make_finding("x12.st.identifier", place=_with(place, 1), value=name))
        if not re.fullmatch(r"\S{4,9}", self._reference):
            found.append(make_finding("x12.st.reference", place=_with(place, 2), value=self._reference))
        if self._references.repeats(self._reference):
            found.append(make_finding("x12.st.repeated", place=_with(place, 2), value=self._reference))
        if convention and not convention.startswith(version):
            args = {"version": version}
            found.append(make_finding("x12.st.convention", _with(place, 3), convention, **args))
        elif convention:
            version = convention
        if self._group is None:
            found.append(make_finding("x12.gs.missing", place=place))
            if self._envelope.header and not self._ungrouped:
                self._ungrouped = True
                place = Place(tag="ST", element=2)
                self._stray.append(make_finding("x12.interchange.ungrouped", place=place, value=self._reference))
        elif self._group.identifier not in GROUPS.get(name, {self._group.identifier}):
            self._misplaced += 1
            args = {"group": self._group.identifier}
            found.append(make_finding("x12.st.group", _with(place, 1), name, **args))
        self._type = MessageType(Syntax.X12, name, version)
        self._convention = convention

    def _message(self, trailer: list[str] | None) -> MessageRead:
        """The open message, complete; `trailer` is its SE, None where it is missing."""
        body, self._body = self._body or [], None
        count = len(body) + self._dropped
        place = Place(self._reference, count, "SE")
        found = self._take()
        if trailer is None:
            found.append(make_finding("x12.se.missing", place=place))
        else:
            claimed, reference = _at(trailer, 1), _at(trailer, 2)
            if number(claimed) != count:
                args = {"claimed": claimed, "found": str(count)}
                found.append(make_finding("x12.se.count", place=_with(place, 1), value=claimed, **args))
            if reference != self._reference:
                args = {"header": self._reference}
                found.append(make_finding("x12.se.reference", place=_with(place, 2), value=reference, **args))
        self._message_count += 1
        self._in_group += 1
        message = SegmentMessage(
            self._type,
            self._reference,
            body,
            self._envelope.delimiters,
            self._message_count,
            self._envelope,
            self._group,
            convention=self._convention,
            packages=tuple(self._packages),
        )
        return MessageRead(message, found)

    def _close_message(self) -> Iterator[Event]:
        if self._body is not None:
            yield self._message(None)

    def _interchange_acknowledgement(self, elements: list[str], raw: str) -> MessageRead:
        self._message_count += 1
        message = SegmentMessage(
            MessageType(Syntax.X12, "TA1"),
            _at(elements, 1),
            [raw],
            self._envelope.delimiters,
            self._message_count,
            self._envelope,
        )
        return MessageRead(message, self._take())

    def _open_group(self, elements: list[str]) -> GroupBegun:
        begun = open_group(elements)
        begun.findings[:0] = self._take()
        if self._group_references.repeats(begun.group.reference):
            place = Place(tag="GS", element=6)
            begun.findings.append(make_finding("x12.gs.repeated", place, begun.group.reference))
        self._group = begun.group
        self._in_group = self._misplaced = 0
        self._references = References()
        self._outside_told = False
        return begun

    def _end_group(self, trailer: list[str] | None) -> GroupEnded:
        group = self._group
        assert group is not None
        found = self._take()
        self._group = None
        self._group_count += 1
        self._outside_told = False
        if not self._in_group:
            found.append(make_finding("x12.ge.empty", place=Place(tag="GE", element=1), value=group.reference))
        elif self._misplaced == self._in_group:
            place = Place(tag="GS", element=1)
            found.append(make_finding("x12.gs.unsupported", place, group.identifier))
        if trailer is None:
            found.append(make_finding("x12.ge.missing", place=Place(tag="GE")))
            return GroupEnded(group, self._in_group, found)
        claimed, reference = _at(trailer, 1), _at(trailer, 2)
        if number(claimed) != self._in_group:
            args = {"claimed": claimed, "found": str(self._in_group)}
            found.append(make_finding("x12.ge.count", place=Place(tag="GE", element=1), value=claimed, **args))
        if not same_number(reference, group.reference):
            args = {"header": group.reference}
            found.append(make_finding("x12.ge.reference", place=Place(tag="GE", element=2), value=reference, **args))
        if any(trailer[3:]):
            found.append(make_finding("x12.ge.elements", place=Place(tag="GE", element=3), value=trailer[3]))
        return GroupEnded(group, self._in_group, found)

    def _close_group(self) -> Iterator[Event]:
        yield from self._close_message()
        if self._group is not None:
            yield self._end_group(None)

    def _end(self, trailer: list[str]) -> InterchangeEnded:
        self._ended = True
        found = [*self._take(), *self._stray]
        claimed, reference = _at(trailer, 1), _at(trailer, 2)
        # An interchange of TA1 alone has no group; senders write 0 or 1.
        expected = {self._group_count} if self._group_count or not self._message_count else {0, 1}
        if number(claimed) not in expected:
            args = {"claimed": claimed, "found": str(self._group_count)}
            found.append(make_finding("x12.iea.count", place=Place(tag="IEA", element=1), value=claimed, **args))
        if self._envelope.header and not same_number(reference, self._envelope.reference):
            args = {"header": self._envelope.reference}
            found.append(make_finding("x12.iea.reference", place=Place(tag="IEA", element=2), value=reference, **args))
        if not re.fullmatch("[0-9]{9}", reference) and same_number(reference, self._envelope.reference):
            found.append(make_finding("x12.iea.form", place=Place(tag="IEA", element=2), value=reference))
        if any(trailer[3:]):
            found.append(make_finding("x12.iea.elements", place=Place(tag="IEA", element=3), value=trailer[3]))
        if not (self._group_count or self._message_count):
            found.append(make_finding("x12.interchange.empty", place=Place(tag="IEA", element=1)))
        return InterchangeEnded(self._envelope, self._message_count, self._group_count, found)


def _with(place: Place, element: int) -> Place:
    return Place(place.message, place.segment, place.tag, element)


def _at(elements: list[str], index: int) -> str:
    return elements[index] if index < len(elements) else ""
