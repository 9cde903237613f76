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
from datetime import date

from gateway.model import Finding, Place, Severity, Syntax
from gateway.parse.segments import (
    Delimiters,
    Envelope,
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

_CHUNK = 1 << 16
_LONGEST_SEGMENT = 1 << 20
"""Bytes without a terminator after which a segment counts as endless; only BIN and BDS data may be longer."""
_ISA_WIDTHS = (2, 10, 2, 10, 2, 15, 2, 15, 6, 4, 1, 5, 9, 1, 1, 1)
_ISA_LENGTH = 106
_ISA_SEPARATORS = tuple(3 + sum(_ISA_WIDTHS[:n]) + n for n in range(16))
_ISA_LONGEST = 512
"""An ISA that is not padded is looked for within so many bytes."""
_BLANK = b"\r\n\t \0\x1a"
_ISA_START = re.compile(rb"ISA[^A-Za-z0-9\s]")
_BINARY_HEAD = 64
_REPLACED = "\ufffd"
_NO_COMPONENT = "\x1f"
"""Stands for a component separator that is not known: a character that text does not hold."""
_NO_DELIMITERS = Delimiters(terminator="", element="", component="")

_HEADLESS = (
    re.compile(rb"GS(?P<e>[^\w\s])[^\r\n]{10,160}?(?P<t>[^\w ])\s*ST(?P=e)"),
    re.compile(rb"ST(?P<e>[^\w\s])\w{3}(?P=e)\w{1,9}(?:(?P=e)\w{1,35})?(?P<t>[^\w ])\s*[A-Z][A-Z0-9]{1,2}(?P=e)"),
)
"""A group or transaction set that came without ISA gives its separators away by what follows it."""

# X12.5: what each ISA element may hold; ISA09, ISA11 and the separators are looked at by hand.
_ISA_FIELDS = (
    (1, "authorization_qualifier", re.compile(r"[0-9A-Z]{2}")),
    (2, "authorization", re.compile(r".{0,10}", re.DOTALL)),
    (3, "security_qualifier", re.compile(r"[0-9A-Z]{2}")),
    (4, "security", re.compile(r".{0,10}", re.DOTALL)),
    (5, "sender_qualifier", re.compile(r"[0-9A-Z]{2}")),
    (6, "sender", re.compile(r"(?=.*\S).{1,15}", re.DOTALL)),
    (7, "recipient_qualifier", re.compile(r"[0-9A-Z]{2}")),
    (8, "recipient", re.compile(r"(?=.*\S).{1,15}", re.DOTALL)),
    (10, "time", re.compile(r"([01]\d|2[0-3])[0-5]\d")),
    (12, "version", re.compile(r"\d{5}")),
    (13, "reference", re.compile(r"\d{9}")),
    (14, "acknowledgement", re.compile(r"[01]")),
    (15, "usage", re.compile(r"[PTI]")),
)
_GS_FIELDS = (
    (1, "identifier", re.compile(r"[0-9A-Z]{2}")),
    (2, "field", re.compile(r".{2,15}", re.DOTALL)),
    (3, "field", re.compile(r".{2,15}", re.DOTALL)),
    (5, "field", re.compile(r"([01]\d|2[0-3])[0-5]\d([0-5]\d\d{0,2})?")),
    (6, "reference", re.compile(r"\d{1,9}")),
    (7, "field", re.compile(r"[0-9A-Z]{1,2}")),
    (8, "version", re.compile(r"[0-9A-Z]{1,12}")),
)


def read(source: bytes | Iterable[bytes], charset: str = "") -> Iterator[Event]:
    """The events of all interchanges in `source`, in wire order; never raises for wrong input.

    `charset` is a Python codec name; empty means UTF-8, with bytes that are no UTF-8 taken as
    Latin-1. In a charset whose trail bytes may look like separators (GB18030, Shift JIS), BIN and BDS
    lengths do not hold and are reported, since such data cannot be told from text.
    """
    return _Reader(source, charset).events()


class _Buffer:
    """The bytes that are not consumed yet, filled on demand."""

    def __init__(self, source: bytes | Iterable[bytes], charset: str) -> None:
        chunks = _slices(source) if isinstance(source, bytes | bytearray | memoryview) else iter(source)
        self._chunks = _transcoded(chunks, charset) if charset else chunks
        self.data = b""

    def more(self) -> bool:
        """Append at least one chunk; False at the end of the source."""
        pieces, size = [self.data], 0
        for chunk in self._chunks:
            pieces.append(chunk)
            size += len(chunk)
            if size >= _CHUNK:
                break
        if not size:
            return False
        self.data = b"".join(pieces)
        return True

    def need(self, size: int) -> bool:
        """Whether `size` bytes are there, after reading what it takes."""
        if len(self.data) < size:
            pieces, got = [self.data], len(self.data)
            for chunk in self._chunks:
                pieces.append(chunk)
                got += len(chunk)
                if got >= size:
                    break
            self.data = b"".join(pieces)
        return len(self.data) >= size

    def drop(self, size: int) -> None:
        """Consume `size` bytes."""
        self.data = self.data[size:]

    def skip_blank(self) -> bool:
        """Consume line ends and padding; False when nothing else is left."""
        while True:
            self.data = self.data.lstrip(_BLANK)
            if self.data or not self.more():
                return bool(self.data)

    def skip_to_isa(self) -> None:
        """Consume everything before the next thing that looks like an ISA, or all there is."""
        while True:
            found = _ISA_START.search(self.data)
            if found:
                self.drop(found.start())
                return
            self.data = self.data[-3:]
            if not self.more():
                self.data = b""
                return


def _slices(source: bytes | bytearray | memoryview) -> Iterator[bytes]:
    view = memoryview(source)
    return (bytes(view[at : at + _CHUNK]) for at in range(0, len(view), _CHUNK))


def _transcoded(chunks: Iterator[bytes], charset: str) -> Iterator[bytes]:
    """`chunks` in UTF-8, whose trail bytes are never taken for separators; what is no `charset` is replaced."""
    name = codecs.lookup(charset).name
    if name in {"utf-8", "ascii"}:
        yield from chunks
        return
    decoder = codecs.getincrementaldecoder(name)(errors="replace")
    for chunk in chunks:
        yield decoder.decode(chunk).encode()
    yield decoder.decode(b"", final=True).encode()


class _Reader:
    """One source's state: which interchange, group and message are open."""

    def __init__(self, source: bytes | Iterable[bytes], charset: str) -> None:
        self._buffer = _Buffer(source, charset)
        self._charset = charset or "utf-8"
        self._pending: list[Finding] = []

    def events(self) -> Iterator[Event]:
        """Every interchange in turn."""
        if self._buffer.need(3) and self._buffer.data.startswith(codecs.BOM_UTF8):
            self._buffer.drop(len(codecs.BOM_UTF8))
        while self._buffer.skip_blank():
            yield from self._interchange()

    # --- envelope ---

    def _interchange(self) -> Iterator[Event]:
        begun = self._begin()
        self._envelope = begun.envelope
        self._group: Group | None = None
        self._body: list[str] | None = None
        self._message_count = self._group_count = self._in_group = 0
        self._references: set[str] = set()
        self._ended = self._outside_told = False
        yield begun
        if begun.envelope.delimiters is _NO_DELIMITERS:
            self._buffer.skip_to_isa()
            yield InterchangeEnded(self._envelope, 0, 0)
            return
        element = begun.envelope.delimiters.element
        control = {tag + element for tag in ("ST", "SE", "GS", "GE")} | {"ST", "SE", "GS", "GE", "IEA", "TA1"}
        body = None
        for segments in self._spans():
            for raw in segments:
                if body is None or raw[:3] in control:
                    yield from self._control(raw.split(element), raw)
                    body = self._body
                else:
                    body.append(raw)
        if not self._ended:
            yield from self._close_group()
            found = self._take()
            if self._envelope.header:  # without ISA there is no IEA to miss
                found.append(Finding("x12.iea.missing", place=Place(tag="IEA")))
            yield InterchangeEnded(self._envelope, self._message_count, self._group_count, found)

    def _begin(self) -> InterchangeBegun:
        """Read the ISA, or say what stands in its place."""
        self._buffer.need(_ISA_LONGEST)
        data = self._buffer.data[:_ISA_LONGEST]
        if _ISA_START.match(data):
            return self._isa(data)
        for pattern in _HEADLESS:
            if found := pattern.match(data):
                element, terminator = found["e"].decode("latin-1"), found["t"].decode("latin-1")
                delimiters = Delimiters(terminator=terminator, element=element, component=_NO_COMPONENT)
                envelope = Envelope(Syntax.X12, delimiters, [], charset=self._charset)
                return InterchangeBegun(
                    envelope, [Finding("x12.isa.missing", Severity.WARNING, Place(tag=data[:2].decode()))]
                )
        return self._unreadable("x12.interchange.unreadable", data)

    def _unreadable(self, code: str, data: bytes) -> InterchangeBegun:
        value = data[:40].decode("utf-8", "replace")
        envelope = Envelope(Syntax.X12, _NO_DELIMITERS, [], charset=self._charset)
        if data.startswith(b"ISA"):
            self._buffer.drop(3)  # or it would be found again
        return InterchangeBegun(envelope, [Finding(code, place=Place(tag="ISA"), value=value)])

    def _isa(self, data: bytes) -> InterchangeBegun:
        """X12.5, ISA: 106 bytes by position; where it is not padded, the sixteenth separator tells."""
        separator = data[3:4]
        found: list[Finding] = []
        parts = data[:_ISA_LENGTH].split(separator)
        padded = len(parts) == 17 and all(data[at : at + 1] == separator for at in _ISA_SEPARATORS)
        if not padded:
            parts = data.split(separator, 16)
            if len(parts) < 17 or not re.fullmatch(rb"\s*\d{5}\s*", parts[12]) or not parts[16]:
                return self._unreadable("x12.isa.unreadable", data)
            found.append(Finding("x12.isa.unpadded", Severity.WARNING, Place(tag="ISA")))
        component, terminator = parts[16][:1], parts[16][1:2]
        end = sum(map(len, parts[:16])) + 16 + 2
        if terminator.isalnum() or not terminator:  # ISA16 was left out
            component, terminator, end = b"", component, end - 1
        self._buffer.drop(end)

        fields = [part.decode("latin-1") for part in parts[:16]] + [component.decode("latin-1")]
        version = fields[12].strip()
        repetition = fields[11] if version >= "00402" and not (fields[11].isalnum() or fields[11] == " ") else ""
        delimiters = Delimiters(
            terminator=terminator.decode("latin-1"),
            element=separator.decode("latin-1"),
            component=_NO_COMPONENT if component.isalnum() or not component else component.decode("latin-1"),
            repetition=repetition,
        )
        found += _isa_findings(fields, delimiters)
        envelope = Envelope(
            Syntax.X12,
            delimiters,
            [[field] for field in fields],
            sender=fields[6].strip(),
            sender_qualifier=fields[5].strip(),
            recipient=fields[8].strip(),
            recipient_qualifier=fields[7].strip(),
            reference=fields[13].strip(),
            version=version,
            charset=self._charset,
            date=fields[9],
            time=fields[10],
            acknowledgement_requested=fields[14] == "1",
            test=fields[15] == "T",
        )
        return InterchangeBegun(envelope, found)

    # --- bytes to segments ---

    def _spans(self) -> Iterator[list[str]]:
        """The interchange's segments after ISA, in lists; ends behind IEA and before the next ISA."""
        delimiters = self._envelope.delimiters
        terminator = delimiters.terminator.encode("latin-1")
        special = rb"(ISA|IEA|BIN|BDS)" + re.escape(delimiters.element.encode("latin-1"))
        at_start = re.compile(special)
        ahead = re.compile(re.escape(terminator) + rb"[\r\n\t \0]*(?=" + special + rb")")
        buffer = self._buffer
        while buffer.skip_blank():
            buffer.need(4)
            special_here = at_start.match(buffer.data)
            if special_here:
                tag = special_here[1]
                if tag == b"ISA":
                    return
                yield self._binary(tag) if tag != b"IEA" else self._one()
                if tag == b"IEA":
                    return
                continue
            found = ahead.search(buffer.data)
            end = found.start() if found else buffer.data.rfind(terminator)
            if end >= 0:
                span = buffer.data[:end]
                buffer.drop(end + 1)
                yield from self._decoded(span)
            elif len(buffer.data) > _LONGEST_SEGMENT:
                self._note("x12.segment.endless", buffer.data[:40].decode("utf-8", "replace"))
                buffer.skip_to_isa()
                return
            elif not buffer.more():
                yield self._one()

    def _one(self) -> list[str]:
        """The next segment alone; at the end of the source it may lack its terminator."""
        terminator = self._envelope.delimiters.terminator.encode("latin-1")
        buffer = self._buffer
        while (end := buffer.data.find(terminator)) < 0 and len(buffer.data) <= _LONGEST_SEGMENT and buffer.more():
            pass
        if end < 0:
            raw = buffer.data[:_LONGEST_SEGMENT].rstrip(_BLANK)
            buffer.data = b""
            self._note("x12.segment.unterminated", raw[:40].decode("utf-8", "replace"), Severity.WARNING)
        else:
            raw = buffer.data[:end]
            buffer.drop(end + 1)
        return [self._text(raw)]

    def _binary(self, tag: bytes) -> list[str]:
        """A BIN or BDS segment: its data is cut out by length (X12.22 elements 784, 785) and kept as a package."""
        separator = re.escape(self._envelope.delimiters.element.encode("latin-1"))
        terminator = self._envelope.delimiters.terminator.encode("latin-1")
        self._buffer.need(_BINARY_HEAD)
        filter_id = rb"[^\r\n]{0,8}?" + separator if tag == b"BDS" else b""
        head = re.match(tag + separator + filter_id + rb"(\d{1,15})" + separator, self._buffer.data)
        if head is not None:
            end = head.end() + int(head[1])
            if self._buffer.need(end + 1) and self._buffer.data[end : end + 1] == terminator:
                if self._body is not None:
                    self._packages.append(self._buffer.data[head.end() : end])
                self._buffer.drop(end + 1)
                return [head[0].decode("latin-1")]
        self._note("x12.binary.length", head[1].decode() if head else "", tag=tag.decode())
        return self._one()

    def _decoded(self, span: bytes) -> Iterator[list[str]]:
        terminator = self._envelope.delimiters.terminator
        try:
            text = span.decode()
        except UnicodeDecodeError:
            text = _REPLACED
        if _REPLACED in text:  # segment by segment, to say which
            for raw in span.split(terminator.encode("latin-1")):
                if raw := raw.lstrip(_BLANK):
                    yield [self._text(raw)]
            return
        segments = text.split(terminator)
        if "\n" in text or "\r" in text or "" in segments:
            segments = [stripped for raw in segments if (stripped := raw.lstrip("\r\n\t \0"))]
        yield segments

    def _text(self, raw: bytes) -> str:
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            text = raw.decode("latin-1")
            self._note("x12.characters", text[:40])
        if _REPLACED in text:
            self._note("x12.characters", text[:40])
        return text

    # --- segments to events ---

    def _note(self, code: str, value: str, severity: Severity = Severity.ERROR, tag: str = "") -> None:
        """Keep a finding about the segment that comes next, for the event that will show it."""
        tag = tag or value.partition(self._envelope.delimiters.element)[0][:3]
        place = Place(tag=tag) if self._body is None else Place(self._reference, len(self._body) + 1, tag)
        self._pending.append(Finding(code, severity, place, value))

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
            case _ if self._body is not None:
                self._body.append(raw)
            case tag if not self._outside_told:
                self._outside_told = True  # one finding for a run of them
                self._pending.append(Finding("x12.segment.outside", place=Place(tag=tag[:3]), value=raw[:40]))

    def _open_message(self, elements: list[str]) -> None:
        self._outside_told = False
        self._reference = _at(elements, 2)
        self._packages: list[bytes] = []
        self._body = [self._envelope.delimiters.element.join(elements)]
        name, convention = _at(elements, 1), _at(elements, 3)
        version = self._group.version if self._group else ""
        place = Place(self._reference, 1, "ST")
        found = self._pending
        if not re.fullmatch(r"[0-9A-Z]{3}", name):
            found.append(Finding("x12.st.identifier", place=_with(place, 1), value=name))
        if not re.fullmatch(r"\S{4,9}", self._reference):
            found.append(Finding("x12.st.reference", place=_with(place, 2), value=self._reference))
        if self._reference in self._references:
            found.append(Finding("x12.st.repeated", place=_with(place, 2), value=self._reference))
        self._references.add(self._reference)
        if convention and convention[:6] != version[:6]:
            args = {"version": version}
            found.append(Finding("x12.st.convention", Severity.WARNING, _with(place, 3), convention, args))
        elif convention:
            version = convention
        if self._group is None:
            found.append(Finding("x12.gs.missing", place=place))
        self._type = MessageType(Syntax.X12, name, version)

    def _message(self, trailer: list[str] | None) -> MessageRead:
        """The open message, complete; `trailer` is its SE, None where it is missing."""
        body, self._body = self._body or [], None
        found = self._take()
        if trailer is None:
            found.append(Finding("x12.se.missing", place=Place(self._reference, len(body), "SE")))
        else:
            place = Place(self._reference, len(body), "SE")
            claimed, reference = _at(trailer, 1), _at(trailer, 2)
            if _number(claimed) != len(body):
                args = {"claimed": claimed, "found": str(len(body))}
                found.append(Finding("x12.se.count", place=_with(place, 1), value=claimed, args=args))
            if reference != self._reference:
                args = {"header": self._reference}
                found.append(Finding("x12.se.reference", place=_with(place, 2), value=reference, args=args))
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
            packages=self._packages,
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
        self._outside_told = False
        self._group = Group(
            [[element] for element in elements],
            identifier=_at(elements, 1),
            sender=_at(elements, 2).strip(),
            recipient=_at(elements, 3).strip(),
            reference=_at(elements, 6),
            version=_at(elements, 8),
        )
        self._in_group = 0
        self._references = set()
        found = self._take()
        fields = elements + [""] * (9 - len(elements))
        for number, name, pattern in _GS_FIELDS:
            if not pattern.fullmatch(fields[number]):
                found.append(_gs_finding(name, number, fields))
        # GS04 has a century from version 004 on
        if not _is_date(fields[4], 6 if fields[8] < "004" and len(fields[4]) == 6 else 8):
            found.append(_gs_finding("field", 4, fields))
        return GroupBegun(self._group, found)

    def _end_group(self, trailer: list[str] | None) -> GroupEnded:
        group = self._group
        assert group is not None
        found = self._take()
        self._group = None
        self._group_count += 1
        self._outside_told = False
        if trailer is None:
            found.append(Finding("x12.ge.missing", place=Place(tag="GE")))
            return GroupEnded(group, self._in_group, found)
        claimed, reference = _at(trailer, 1), _at(trailer, 2)
        if _number(claimed) != self._in_group:
            args = {"claimed": claimed, "found": str(self._in_group)}
            found.append(Finding("x12.ge.count", place=Place(tag="GE", element=1), value=claimed, args=args))
        if not _same_number(reference, group.reference):
            args = {"header": group.reference}
            found.append(Finding("x12.ge.reference", place=Place(tag="GE", element=2), value=reference, args=args))
        return GroupEnded(group, self._in_group, found)

    def _close_group(self) -> Iterator[Event]:
        yield from self._close_message()
        if self._group is not None:
            yield self._end_group(None)

    def _end(self, trailer: list[str]) -> InterchangeEnded:
        self._ended = True
        found = self._take()
        claimed, reference = _at(trailer, 1), _at(trailer, 2)
        # An interchange of TA1 alone has no group; senders write 0 or 1.
        expected = {self._group_count} if self._group_count or not self._message_count else {0, 1}
        if _number(claimed) not in expected:
            args = {"claimed": claimed, "found": str(self._group_count)}
            found.append(Finding("x12.iea.count", place=Place(tag="IEA", element=1), value=claimed, args=args))
        if self._envelope.header and not _same_number(reference, self._envelope.reference):
            args = {"header": self._envelope.reference}
            found.append(Finding("x12.iea.reference", place=Place(tag="IEA", element=2), value=reference, args=args))
        return InterchangeEnded(self._envelope, self._message_count, self._group_count, found)


def _isa_findings(fields: list[str], delimiters: Delimiters) -> list[Finding]:
    def finding(name: str, number: int) -> Finding:
        return Finding(f"x12.isa.{name}", place=Place(tag="ISA", element=number), value=fields[number].strip())

    found = [finding(name, number) for number, name, pattern in _ISA_FIELDS if not pattern.fullmatch(fields[number])]
    if not _is_date(fields[9], 6):
        found.append(finding("date", 9))
    # X12.5: the standards identifier U up to version 00401, the repetition separator from 00402 on
    old = fields[12] < "00402"
    if fields[11] != "U" and (old or fields[11].isalnum() or fields[11] in {"", " "}):
        found.append(finding("standard", 11))
    if len(fields[16]) != 1 or fields[16].isalnum() or fields[16] in {delimiters.element, delimiters.terminator}:
        found.append(finding("component", 16))
    if delimiters.terminator in {"", delimiters.element, delimiters.repetition}:
        found.append(Finding("x12.isa.terminator", place=Place(tag="ISA"), value=delimiters.terminator))
    return found


def _gs_finding(name: str, number: int, fields: list[str]) -> Finding:
    place = Place(tag="GS", element=number)
    return Finding(f"x12.gs.{name}", place=place, value=fields[number], args={"number": f"GS{number:02}"})


def _with(place: Place, element: int) -> Place:
    return Place(place.message, place.segment, place.tag, element)


def _at(elements: list[str], index: int) -> str:
    return elements[index] if index < len(elements) else ""


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,15}", text) else None


def _same_number(one: str, other: str) -> bool:
    """Whether two control numbers are the same; leading zeros do not count (X12.6, type N0)."""
    return one == other or (_number(one) is not None and _number(one) == _number(other))


def _is_date(text: str, width: int) -> bool:
    """Whether `text` is YYMMDD or CCYYMMDD and in the calendar."""
    if not re.fullmatch(rf"[0-9]{{{width}}}", text):
        return False
    century = text if width == 8 else "20" + text
    try:
        date(int(century[:4]), int(century[4:6]), int(century[6:]))
    except ValueError:
        return False
    return True
