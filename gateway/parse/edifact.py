"""Reads EDIFACT interchanges, syntax versions 1 to 4 (ISO 9735).

Theory of operation. `read` is a generator over a stream of text. Between messages it goes segment by
segment (UNA, UNB, UNG, UNE, UNZ, UNO). At UNH it searches for the next service segment that can end a
message and cuts the message out in one piece, which is then split at the terminators at once; only where
a release character stands before a terminator are pieces joined again. So each message is in memory once,
and never more than one of them; a message over the limit is skipped and said to be so.

What cannot be read is told in findings on the events. Each package (UNO to UNP) is given as a message of type
`UNO` with its two segments and its object in `packages`.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from gateway.findings import catalogue
from gateway.model import Finding, Place, Syntax
from gateway.parse.charsets import CODECS, strangers
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
    split,
    split_unreleased,
)
from gateway.parse.stream import BLANK as _BLANK
from gateway.parse.stream import Stream

MAX_MESSAGE = 16 * 1024 * 1024
"""Characters of one message. A manifest of 9,999 consignments has about 5 million; the rest is room."""
MAX_SERVICE_SEGMENT = 4_096
"""Characters of a segment outside messages; UNB with every element at its longest has under 400."""

DEFAULT = Delimiters("'", "+", ":", "?", "", ".")
"""What holds without UNA (ISO 9735-1, 5.1 of version 3); version 4 adds the repetition separator."""
_LEVEL_B = Delimiters("\x1c", "\x1d", "\x1f", "", "", ".")
"""ISO 9735:1988, 4: the separators of level B, known by the one after UNB."""

_START = re.compile(r"UNA.{6}\s*UN[BGH]|UN[BGH](?![A-Za-z0-9])", re.DOTALL)
_SURROGATE = re.compile("[\udc80-\udcff]")
_LISTED = 10
"""How many faulty segments of a kind are listed each; the fault of the others is the same."""


def read(source: bytes | Iterable[bytes], charset: str = "", *, max_message: int = MAX_MESSAGE) -> Iterator[Event]:
    """The events of every interchange in `source`, in wire order; wrong input becomes findings.

    `charset` is a Python codec that overrides UNB S001, where partners agreed on one (GB18030).
    """
    return _Reader(Stream(source), charset, max_message).payload()


class _Reader:
    """One payload."""

    def __init__(self, stream: Stream, charset: str, max_message: int) -> None:
        self.stream = stream
        self.charset = _known(charset)
        self.max_message = max_message
        self.delimiters = DEFAULT
        self.envelope = Envelope(Syntax.EDIFACT, DEFAULT, [])
        self.group: Group | None = None
        self.group_types: set[str] = set()
        self.messages = self.groups = self.group_messages = 0
        self.boundary = _boundary(DEFAULT)
        self.advised = self.closed = False
        self.ended: InterchangeEnded | None = None
        self.findings: list[Finding] = []
        """Findings of the interchange's own level that wait for the next event that can carry them."""

    def payload(self) -> Iterator[Event]:
        """Every interchange of the payload."""
        ended: InterchangeEnded | None = None
        while True:
            garbage, found = self._find_start()
            stray = [_finding("edifact.garbage", value=garbage)] if garbage else []
            if ended:
                ended.findings.extend(stray)
                yield ended
            elif not found:
                # Nothing in it at all: an envelope that says only so.
                self.envelope = Envelope(Syntax.EDIFACT, DEFAULT, [], charset=self.stream.codec)
                yield InterchangeBegun(self.envelope, [_finding("edifact.unreadable"), *stray])
                yield InterchangeEnded(self.envelope, 0, 0)
            if not found:
                return
            yield from self._interchange([] if ended else stray)
            ended = self.ended

    def _find_start(self) -> tuple[str, bool]:
        """Go to the next interchange; what stands before it (its beginning), and whether there is one."""
        stream, garbage = self.stream, ""
        stream.skip()
        while True:
            stream.have(64)
            found = _START.search(stream.text, stream.at)
            end = found.start() if found else max(stream.at, len(stream.text) - 64)
            garbage = garbage or stream.text[stream.at : min(end, stream.at + 40)]
            stream.at = end
            if found:
                return garbage, True
            if not stream.more():
                garbage = garbage or stream.text[stream.at : stream.at + 40].strip(_BLANK)
                stream.at = len(stream.text)
                return garbage, False

    # The interchange.

    def _interchange(self, findings: list[Finding]) -> Iterator[Event]:
        """From UNA, UNB or, where both are missing, from the first message on."""
        self.group, self.messages, self.groups, self.findings = None, 0, 0, []
        findings += self._advice()
        has_header = self.stream.text.startswith("UNB", self.stream.at)
        if has_header:
            findings += self._header()
        else:
            self.stream.use(self.charset or "latin-1")
            self.envelope = Envelope(Syntax.EDIFACT, self.delimiters, [], charset=self.stream.codec)
            findings.append(_finding("edifact.unb.missing", "UNB"))
        self.boundary = _boundary(self.delimiters)
        yield InterchangeBegun(self.envelope, findings)
        self.closed = not has_header
        yield from self._content()
        if self.group:
            yield self._end_group([_finding("edifact.une.missing", "UNE")])
        if not self.closed:
            self.findings.append(_finding("edifact.unz.missing", "UNZ"))
        if not self.messages:
            self.findings.append(_finding("edifact.interchange.empty", "UNB"))
        self.ended = InterchangeEnded(self.envelope, self.messages, self.groups, self.findings)

    def _advice(self) -> list[Finding]:
        """UNA, where there is one; otherwise the default service characters."""
        stream = self.stream
        stream.have(16)
        self.advised = stream.text.startswith("UNA", stream.at)
        if not self.advised:
            level_b = stream.text.startswith("UNB\x1d", stream.at)
            self.delimiters = _LEVEL_B if level_b else DEFAULT
            return []
        advice = stream.text[stream.at + 3 : stream.at + 9]
        stream.at += 9
        stream.skip()
        component, element, decimal, release, repetition, terminator = list(advice)
        used = [c for c in (component, element, release, terminator) if c != " "]
        if len(set(used)) < len(used) or " " in {component, element, terminator} or any(map(str.isalnum, used)):
            self.delimiters, self.advised = DEFAULT, False
            return [_finding("edifact.una.invalid", "UNA", advice)]
        mark = "," if decimal == "," else "."
        # The position of the repetition separator is reserved until version 4; `_header` sees to that.
        self.delimiters = Delimiters(terminator, element, component, release.strip(" "), repetition.strip(" "), mark)
        return []

    def _header(self) -> list[Finding]:
        """UNB: read once for its character set, and once more in it."""
        start = split(self._segment(advance=False), replace(self.delimiters, repetition=""))
        repertoire, version = _at(start, 1, 0), _at(start, 1, 1)
        findings = []
        if version not in {"1", "2", "3", "4"}:
            findings.append(_finding("edifact.syntax.unsupported", "UNB", version, element=1, component=2))
        repetition = ""
        if version == "4":
            repetition = self.delimiters.repetition if self.advised else "*"
            service = self.delimiters.terminator + self.delimiters.element + self.delimiters.component
            if repetition and (repetition in service + self.delimiters.release or repetition.isalnum()):
                findings.append(_finding("edifact.una.invalid", "UNA", repetition))
                repetition = ""
        self.delimiters = replace(self.delimiters, repetition=repetition)
        codec = self.charset or CODECS.get(repertoire, "")
        # 0133, character encoding: 7 is UTF-8.
        if not self.charset and _at(start, 1, 3) == "7":
            codec = "utf-8"
        if not codec:
            findings.append(_finding("edifact.charset.unsupported", "UNB", repertoire, element=1, component=1))
        self.stream.use(codec or "latin-1")
        header = split(self._segment(), replace(self.delimiters, repetition=""))
        self.envelope = Envelope(
            Syntax.EDIFACT,
            self.delimiters,
            header,
            sender=_at(header, 2, 0),
            sender_qualifier=_at(header, 2, 1),
            recipient=_at(header, 3, 0),
            recipient_qualifier=_at(header, 3, 1),
            reference=_at(header, 5, 0),
            version=version,
            charset=self.stream.codec,
            repertoire=repertoire,
            date=_at(header, 4, 0),
            time=_at(header, 4, 1),
            acknowledgement_requested=_at(header, 9, 0) == "1",
            test=_at(header, 11, 0) == "1",
            application_reference=_at(header, 7, 0),
        )
        return findings

    def _content(self) -> Iterator[Event]:
        """Groups, messages and packages, up to UNZ or to what shows that UNZ is missing."""
        stream, outside = self.stream, 0
        while True:
            stream.skip()
            if not stream.have(1):
                return
            stream.have(64)
            tag = stream.text[stream.at : stream.at + 3]
            if tag == "UNH":
                yield self._message()
            elif tag == "UNO":
                yield self._package()
            elif tag == "UNG":
                if self.group:
                    yield self._end_group([_finding("edifact.une.missing", "UNE")])
                yield self._begin_group()
            elif tag == "UNE" and self.group:
                yield self._close_group(self.group)
            elif tag == "UNZ":
                self._close()
                return
            elif _START.match(stream.text, stream.at):
                return
            elif self.closed and self.messages:
                return  # no UNB, so what follows the message need not belong to it
            else:
                raw = self._segment()
                outside += 1
                if outside <= _LISTED:
                    name = split(raw, self.delimiters)[0][0][:6]
                    self.findings.append(_finding("edifact.segment.outside", name, raw[:40]))

    def _close(self) -> None:
        """UNZ (ISO 9735-1, 8.1 and 0036: the count is of groups where there are any, else of messages and packages)."""
        trailer = split(self._segment(), self.delimiters)
        self.closed = True
        if self.envelope.header and _at(trailer, 2, 0) != self.envelope.reference:
            self.findings.append(
                _finding(
                    "edifact.unz.reference", "UNZ", _at(trailer, 2, 0), reference=self.envelope.reference, element=2
                )
            )
        count = self.groups or self.messages
        if not _counts(_at(trailer, 1, 0), count):
            self.findings.append(_finding("edifact.unz.count", "UNZ", _at(trailer, 1, 0), count=count, element=1))

    # Groups.

    def _begin_group(self) -> GroupBegun:
        header = split(self._segment(), self.delimiters)
        findings = []
        if self.messages and not self.groups:
            findings.append(_finding("edifact.group.mixed", "UNG"))
        self.group = Group(
            header,
            identifier=_at(header, 1, 0),
            sender=_at(header, 2, 0),
            recipient=_at(header, 3, 0),
            reference=_at(header, 5, 0),
            version=":".join(header[7]) if len(header) > 7 else "",
        )
        self.groups += 1
        self.group_messages, self.group_types = 0, set()
        return GroupBegun(self.group, findings)

    def _close_group(self, group: Group) -> GroupEnded:
        trailer = split(self._segment(), self.delimiters)
        findings = []
        if not _counts(_at(trailer, 1, 0), self.group_messages):
            findings.append(
                _finding("edifact.une.count", "UNE", _at(trailer, 1, 0), count=self.group_messages, element=1)
            )
        if _at(trailer, 2, 0) != group.reference:
            findings.append(
                _finding("edifact.une.reference", "UNE", _at(trailer, 2, 0), reference=group.reference, element=2)
            )
        return self._end_group(findings)

    def _end_group(self, findings: list[Finding]) -> GroupEnded:
        assert self.group is not None
        group, self.group = self.group, None
        if len(self.group_types) > 1:
            findings.append(_finding("edifact.group.types", "UNG"))
        return GroupEnded(group, self.group_messages, findings)

    # Messages.

    def _message(self) -> MessageRead:
        """From UNH to UNT, or to what shows that UNT is missing."""
        body, ended, whole = self._cut()
        delimiters, findings = self.delimiters, list[Finding]()
        terminator, release = delimiters.terminator, delimiters.release
        if release and release + terminator in body:
            segments = split_unreleased(body, terminator, release)
        else:
            segments = body.split(terminator)
        if "\n" in body or "\r" in body:
            segments = [raw.lstrip(_BLANK) for raw in segments]
        if "" in segments:
            count = segments.count("")
            segments = [raw for raw in segments if raw]
            findings.append(_finding("edifact.segment.empty", count=count))
        header = split(segments[0], delimiters)
        identifier = [*(header[2] if len(header) > 2 else []), *[""] * 5]
        type_ = MessageType(Syntax.EDIFACT, *identifier[:5])
        findings += self._characters(body, segments)
        if not whole:
            findings.append(_finding("edifact.message.too_large", "UNH", max=self.max_message))
        elif not ended:
            findings.append(_finding("edifact.unt.missing", "UNT"))
        else:
            findings += self._trailer(_at(header, 1, 0), segments)
        return self._read(type_, _at(header, 1, 0), segments, findings, access=_at(header, 3, 0))

    def _cut(self) -> tuple[str, bool, bool]:
        """The text of a message without its last terminator; whether UNT ends it; whether it is all there."""
        stream, offset = self.stream, 0
        head = ""
        while True:
            found = self._find(self.boundary, stream.at + offset)
            if found:
                break
            offset = max(0, len(stream.text) - stream.at - 16)
            if offset > self.max_message:
                head = head or stream.text[stream.at : stream.at + MAX_SERVICE_SEGMENT]
                stream.at, offset = stream.at + offset, 0
            if not stream.more():
                body = stream.text[stream.at :].rstrip(_BLANK)
                stream.at = len(stream.text)
                return self._first(head) or body.removesuffix(self.delimiters.terminator), False, not head
        ended = found[1] == "UNT"
        end = found.start() if not ended else self._terminator(found.end() - stream.at)
        body = self._first(head) or stream.text[stream.at : end]
        stream.at = end + len(self.delimiters.terminator)
        return body, ended, not head

    def _first(self, head: str) -> str:
        """The first segment of what was too large to keep."""
        return head and split_unreleased(head, self.delimiters.terminator, self.delimiters.release or "\0")[0]

    def _trailer(self, reference: str, segments: Sequence[str]) -> Iterator[Finding]:
        """UNT against UNH and the count of segments."""
        trailer = split(segments[-1], self.delimiters)
        at = len(segments)
        if not _counts(_at(trailer, 1, 0), at):
            yield _finding("edifact.unt.count", "UNT", _at(trailer, 1, 0), count=at, segment=at, element=1)
        if _at(trailer, 2, 0) != reference:
            yield _finding(
                "edifact.unt.reference", "UNT", _at(trailer, 2, 0), reference=reference, segment=at, element=2
            )

    def _characters(self, body: str, segments: list[str]) -> Iterator[Finding]:
        """Characters that the repertoire does not have, bytes that the character set does not have (mended in place)."""
        d, repertoire = self.delimiters, self.envelope.repertoire
        service = d.terminator + d.element + d.component + d.release + d.repetition
        if strangers(body, repertoire, service):
            faults = [(i, found) for i, raw in enumerate(segments) if (found := strangers(raw, repertoire, service))]
            for index, found in faults[:_LISTED]:
                shown = " ".join(c if c.isprintable() else f"U+{ord(c):04X}" for c in found[:_LISTED])
                tag = segments[index][:3]
                yield _finding(
                    "edifact.character.outside", tag, segment=index + 1, repertoire=repertoire, characters=shown
                )
        if not body.isascii() and _SURROGATE.search(body):
            faulty = [index for index, raw in enumerate(segments) if _SURROGATE.search(raw)]
            for index in faulty:
                segments[index] = _SURROGATE.sub("\ufffd", segments[index])
            for index in faulty[:_LISTED]:
                tag = segments[index][:3]
                yield _finding("edifact.charset.undecodable", tag, segment=index + 1, charset=self.envelope.charset)

    def _read(
        self,
        type_: MessageType,
        reference: str,
        segments: list[str],
        findings: list[Finding],
        *,
        access: str = "",
        packages: Sequence[bytes] = (),
    ) -> MessageRead:
        self.messages += 1
        if self.group:
            self.group_messages += 1
            if len(self.group_types) < 2:
                self.group_types.add(type_.name)
        elif self.groups:
            findings.append(_finding("edifact.group.mixed", "UNH"))
        message = SegmentMessage(
            type_,
            reference,
            segments,
            self.delimiters,
            self.messages,
            self.envelope,
            self.group,
            access_reference=access,
            packages=packages,
        )
        located = [replace(f, place=replace(f.place, message=reference)) for f in findings]
        return MessageRead(message, located)

    def _package(self) -> MessageRead:
        """UNO, an object of as many octets as S022 0810 says, UNP."""
        opening = self._segment()
        header = split(opening, self.delimiters)
        reference, stated = _at(header, 1, 0), _at(header, 4, 0)
        length = int(stated) if stated.isascii() and stated.isdigit() and len(stated) < 12 else 0
        findings, kept = [], min(length, self.max_message)
        content = self.stream.take_bytes(kept)
        if length > kept:
            findings.append(_finding("edifact.message.too_large", "UNO", max=self.max_message))
            while kept < length and (dropped := self.stream.take_bytes(min(length - kept, 65_536))):
                kept += len(dropped)
        segments = [opening]
        self.stream.skip()
        self.stream.have(64)
        if len(content) == min(length, self.max_message) and self.stream.text.startswith("UNP", self.stream.at):
            segments.append(self._segment())
            trailer = split(segments[1], self.delimiters)
            if [_at(trailer, 1, 0), _at(trailer, 2, 0)] != [stated, reference]:
                said = " ".join(map("".join, trailer[1:3]))
                findings.append(_finding("edifact.package.reference", "UNP", said, reference=f"{stated} {reference}"))
        else:
            findings.append(_finding("edifact.package.length", "UNO", stated, reference=reference, element=4))
        return self._read(MessageType(Syntax.EDIFACT, "UNO"), reference, segments, findings, packages=[content])

    # The text.

    def _segment(self, *, advance: bool = True) -> str:
        """The segment at hand, without its terminator; what is longer than any service segment is cut off."""
        stream = self.stream
        end = self._terminator(0)
        raw = stream.text[stream.at : end]
        if advance:
            stream.at = min(end + len(self.delimiters.terminator), len(stream.text))
            if len(raw) > MAX_SERVICE_SEGMENT:
                self.findings.append(_finding("edifact.segment.too_long", raw[:3], max=MAX_SERVICE_SEGMENT))
                raw = raw[:MAX_SERVICE_SEGMENT]
            elif end == len(stream.text):
                self.findings.append(_finding("edifact.segment.unterminated", raw[:3], raw[:40].rstrip(_BLANK)))
        return raw.rstrip(_BLANK)

    def _terminator(self, offset: int) -> int:
        """Index in the text of the first terminator from `offset` on; of the end where there is none within reach."""
        stream, terminator = self.stream, self.delimiters.terminator
        reach = offset + 2 * MAX_SERVICE_SEGMENT
        while True:
            found = stream.text.find(terminator, stream.at + offset)
            while found >= 0 and self._is_released(found):
                found = stream.text.find(terminator, found + 1)
            if found >= 0:
                return found
            offset = max(offset, len(stream.text) - stream.at - 1)
            if offset > reach or not stream.more():
                return len(stream.text)

    def _find(self, pattern: re.Pattern[str], start: int) -> re.Match[str] | None:
        """The first match whose terminator is not released."""
        text = self.stream.text
        found = pattern.search(text, start)
        while found and self._is_released(found.start()):
            found = pattern.search(text, found.start() + 1)
        return found

    def _is_released(self, index: int) -> bool:
        """Whether the character at `index` stands behind a release character that is not itself released."""
        release, text = self.delimiters.release, self.stream.text
        first = index
        while release and first > self.stream.at and text[first - 1] == release:
            first -= 1
        return bool((index - first) % 2)


def _boundary(delimiters: Delimiters) -> re.Pattern[str]:
    """A terminator and the service segment after it that ends a message, or shows that it was not ended."""
    follows = re.escape(delimiters.element + delimiters.component + delimiters.terminator)
    return re.compile(f"{re.escape(delimiters.terminator)}[\r\n\t \0]*(UN[TZHEGBO])(?=[{follows}])")


def _known(charset: str) -> str:
    """The codec's own name, or nothing where no such codec is there."""
    try:
        return codecs.lookup(charset).name if charset else ""
    except LookupError:
        return ""


def _at(elements: Sequence[Sequence[str]], element: int, component: int) -> str:
    """A component, or nothing where the segment is shorter."""
    if element < len(elements) and component < len(elements[element]):
        return elements[element][component]
    return ""


def _counts(stated: str, count: int) -> bool:
    return stated.isascii() and stated.isdigit() and len(stated) < 12 and int(stated) == count


def _finding(
    code: str,
    tag: str = "",
    value: str = "",
    *,
    segment: int = 0,
    element: int | None = None,
    component: int | None = None,
    **args: object,
) -> Finding:
    place = Place("", segment, tag, element, component)
    return Finding(code, catalogue()[code].severity, place, value, {key: str(arg) for key, arg in args.items()})
