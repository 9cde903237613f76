"""Reads EDIFACT interchanges, syntax versions 1 to 4 (ISO 9735).

Theory of operation. `read` is a generator over a stream of text. Between messages it goes segment by
segment (UNA, UNB, UNG, UNE, UNZ, UNO). At UNH it searches for the next service segment that can end a
message and cuts the message out in one piece, which is then split at the terminators at once; only where
a release character stands before a terminator are pieces joined again. So each message is in memory once,
and never more than one of them; a message over the limit is skipped and said to be so.

A message that broke off ends where the next interchange begins, even one with other separators; that is looked for
only where UNT did not end it, so that a message may hold any text.

What cannot be read is told in findings on the events. Each package (UNO to UNP) is given as a message of type
`UNO` with its two segments and its object in `packages`.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from gateway.model import Finding, Syntax
from gateway.parse.charsets import CODECS
from gateway.parse.edifact_interactive import HEADER, Interactive
from gateway.parse.edifact_text import (
    ADVICE,
    LISTED,
    START,
    boundary,
    component_at,
    empty_segments,
    interruption,
    is_count,
    mend,
    needless_releases,
)
from gateway.parse.edifact_text import finding as _finding
from gateway.parse.references import References
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
from gateway.parse.stream import Stream, mended, undecodable

MAX_MESSAGE = 16 * 1024 * 1024
"""Characters of one message. A manifest of 9,999 consignments has about 5 million; the rest is room."""
MAX_SERVICE_SEGMENT = 4_096
"""Characters of a segment outside messages; UNB with every element at its longest has under 400."""

DEFAULT = Delimiters("'", "+", ":", "?", "", ".")
"""What holds without UNA (ISO 9735-1, 5.1 of version 3); version 4 adds the repetition separator."""
_LEVEL_B = Delimiters("\x1c", "\x1d", "\x1f", "", "", ".")
"""ISO 9735:1988, 4: the separators of level B, known by the one after UNB."""

_TYPE_LENGTH = 6
"""Characters of 0038 and 0065; what is longer is a fault of its own."""
_OVERLAP = 512
"""Characters that are searched again when more have come: a terminator, line breaks or padding, and what follows."""
_MOST_RESCANNED = 4 * MAX_MESSAGE
"""Characters of a payload that are read again after messages that broke off, so that no number of such messages makes
reading quadratic; a payload has few of them."""


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
        self.group_faults: list[Finding] = []
        self.mixed = ""
        """The segment that showed that messages stand both inside and outside groups."""
        self.messages = self.groups = self.group_messages = 0
        self.references, self.packages, self.group_references = References(), References(), References()
        self.repertoire = ""
        self.rescanned = 0
        self.boundary, self.interruption = boundary(DEFAULT), interruption(DEFAULT)
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
            found = START.search(stream.text, stream.at)
            end = found.start() if found else max(stream.at, len(stream.text) - 64)
            garbage = garbage or stream.text[stream.at : min(end, stream.at + 40)]
            stream.at = end
            if found:
                return mended(garbage), True
            if not stream.more():
                garbage = garbage or stream.text[stream.at : stream.at + 40].strip(_BLANK)
                stream.at = len(stream.text)
                return mended(garbage), False

    # The interchange.

    def _interchange(self, findings: list[Finding]) -> Iterator[Event]:
        """From UNA, UNB or, where both are missing, from the first message on."""
        self.group, self.messages, self.groups, self.findings = None, 0, 0, []
        self.references, self.packages, self.group_references = References(), References(), References()
        self.repertoire, self.trailer, self.mixed = "", list[list[str]](), ""
        findings += self._advice()
        if self.stream.text.startswith(HEADER, self.stream.at):
            yield from self._interactive(findings)
            return
        has_header = self.stream.text.startswith("UNB", self.stream.at)
        if has_header:
            findings += self._header()
        else:
            self.stream.use(self.charset or "latin-1")
            self.envelope = Envelope(Syntax.EDIFACT, self.delimiters, [], charset=self.stream.codec)
            findings.append(_finding("edifact.unb.missing", "UNB"))
        self.boundary, self.interruption = boundary(self.delimiters), interruption(self.delimiters)
        yield InterchangeBegun(self.envelope, findings)
        self.closed = not has_header
        yield from self._content()
        if self.group:
            yield self._end_group([_finding("edifact.une.missing", "UNE")])
        if not self.closed:
            self.findings.append(_finding("edifact.unz.missing", "UNZ"))
        if self.mixed:
            self.findings.append(_finding("edifact.group.mixed", self.mixed))
        if not (self.messages or self.groups):
            self.findings.append(_finding("edifact.interchange.empty", "UNB"))
        self.ended = InterchangeEnded(self.envelope, self.messages, self.groups, self.findings, self.trailer)

    def _interactive(self, findings: list[Finding]) -> Iterator[Event]:
        """From UIB to UIZ: read once for its character set, as UNB is."""
        start = self._peek_header()
        version = component_at(start, 1, 1)
        if version != "4":  # ISO 9735-3 is a part of version 4
            findings.append(_finding("edifact.syntax.unsupported", HEADER, version, element=1, component=2))
        self._use_charset(start, HEADER, findings)
        if not self.advised:
            self.delimiters = replace(self.delimiters, repetition="*")
        interactive = Interactive(self.stream, self.delimiters, self._segment, self.max_message)
        yield from interactive.events(findings)
        self.ended = interactive.ended
        self.ended.findings.extend(self.findings)

    def _peek_header(self) -> list[list[str]]:
        """The segment that an interchange begins with, read before its character set is known."""
        raw = self.stream.text[self.stream.at : self._terminator(0)]
        return split(mended(raw), replace(self.delimiters, repetition=""))

    def _use_charset(self, start: Sequence[Sequence[str]], tag: str, findings: list[Finding]) -> None:
        """Go on in the character set that S001 names, or that was agreed."""
        self.repertoire = component_at(start, 1, 0)
        # 0133, character encoding: 7 is UTF-8.
        named = "utf-8" if component_at(start, 1, 3) == "7" else CODECS.get(self.repertoire, "")
        codec = self.charset or named
        if not codec:
            findings.append(_finding("edifact.charset.unsupported", tag, self.repertoire, element=1, component=1))
        self.stream.use(codec or "latin-1")

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
        unusable = any(map(str.isalnum, used)) or undecodable(advice)
        if len(set(used)) < len(used) or " " in {component, element, terminator} or unusable:
            self.delimiters, self.advised = DEFAULT, False
            return [_finding("edifact.una.invalid", "UNA", mended(advice))]
        mark = "," if decimal == "," else "."
        # Version 4 reserves the position of the decimal mark, the others that of the repetition separator; `_header`
        # sees to that.
        self.delimiters = Delimiters(terminator, element, component, release.strip(" "), repetition.strip(" "), mark)
        return []

    def _header(self) -> list[Finding]:
        """UNB: read once for its character set, and once more in it."""
        stream = self.stream
        start = self._peek_header()
        version = component_at(start, 1, 1)
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
            if self.advised and not self.delimiters.release:
                # ISO 9735-1:1998, 8.1: of the service characters only the fifth place may be blank in earlier versions.
                findings.append(_finding("edifact.una.invalid", "UNA", " "))
            elif self.advised and not self.delimiters.repetition:
                findings.append(_finding("edifact.una.blank", "UNA"))
            # ISO 9735-1:1998, 10.1: comma and point are both decimal marks; the recipient ignores what UNA says.
            self.delimiters = replace(self.delimiters, decimal=".")
        self.delimiters = replace(self.delimiters, repetition=repetition)
        self._use_charset(start, "UNB", findings)
        header = split(self._segment(findings), replace(self.delimiters, repetition=""))
        if header[0] != ["UNB"]:
            findings.append(_finding("edifact.unb.tag", "UNB", ":".join(header[0])[:40]))
        self.envelope = Envelope(
            Syntax.EDIFACT,
            self.delimiters,
            header,
            sender=component_at(header, 2, 0),
            sender_qualifier=component_at(header, 2, 1),
            recipient=component_at(header, 3, 0),
            recipient_qualifier=component_at(header, 3, 1),
            reference=component_at(header, 5, 0),
            version=version,
            charset=stream.codec,
            repertoire=self.repertoire,
            date=component_at(header, 4, 0),
            time=component_at(header, 4, 1),
            acknowledgement_requested=component_at(header, 9, 0) == "1",
            test=component_at(header, 11, 0) == "1",
            application_reference=component_at(header, 7, 0),
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
            elif START.match(stream.text, stream.at):
                return
            elif self.closed and self.messages:
                return  # no UNB, so what follows the message need not belong to it
            else:
                characters = list[Finding]()
                raw = self._segment(characters)
                outside += 1
                if outside <= LISTED:
                    self.findings += characters
                    name = split(raw, self.delimiters)[0][0][:6]
                    self.findings.append(_finding("edifact.segment.outside", name, raw[:40]))

    def _close(self) -> None:
        """UNZ (ISO 9735-1, 8.1 and 0036: the count is of groups where there are any, else of messages and packages)."""
        trailer = self.trailer = self._service(self.findings)
        self.closed = True
        if self.envelope.header and component_at(trailer, 2, 0) != self.envelope.reference:
            self.findings.append(
                _finding(
                    "edifact.unz.reference",
                    "UNZ",
                    component_at(trailer, 2, 0),
                    reference=self.envelope.reference,
                    element=2,
                )
            )
        count = self.groups or self.messages
        if not self.mixed and not is_count(component_at(trailer, 1, 0), count):
            self.findings.append(
                _finding("edifact.unz.count", "UNZ", component_at(trailer, 1, 0), count=count, element=1)
            )

    # Groups.

    def _begin_group(self) -> GroupBegun:
        findings = list[Finding]()
        header = self._service(findings)
        if self.messages and not self.groups:
            self.mixed = "UNG"
        self.group = Group(
            header,
            identifier=component_at(header, 1, 0),
            sender=component_at(header, 2, 0),
            recipient=component_at(header, 3, 0),
            reference=component_at(header, 5, 0),
            version=":".join(header[7]) if len(header) > 7 else "",
        )
        if self.group.reference and self.group_references.repeats(self.group.reference):
            findings.append(_finding("edifact.group.repeated", "UNG", self.group.reference, element=5))
        self.groups += 1
        self.group_messages, self.group_types, self.group_faults = 0, set(), []
        self.references, self.packages = References(), References()
        return GroupBegun(self.group, findings)

    def _close_group(self, group: Group) -> GroupEnded:
        findings = list[Finding]()
        trailer = self._service(findings)
        if not is_count(component_at(trailer, 1, 0), self.group_messages):
            findings.append(
                _finding("edifact.une.count", "UNE", component_at(trailer, 1, 0), count=self.group_messages, element=1)
            )
        if component_at(trailer, 2, 0) != group.reference:
            findings.append(
                _finding(
                    "edifact.une.reference", "UNE", component_at(trailer, 2, 0), reference=group.reference, element=2
                )
            )
        return self._end_group(findings, trailer)

    def _end_group(self, findings: list[Finding], trailer: Sequence[list[str]] = ()) -> GroupEnded:
        assert self.group is not None
        group, self.group = self.group, None
        if len(self.group_types) > 1:
            findings.append(_finding("edifact.group.types", "UNG"))
        else:
            findings += self.group_faults
        if not self.group_messages:
            findings.append(_finding("edifact.group.empty", "UNE"))
        return GroupEnded(group, self.group_messages, findings, list(trailer))

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
            findings += empty_segments(segments)
            segments = [raw for raw in segments if raw]
        findings += self._characters(body, segments, 1)
        if release and release in body:
            findings += needless_releases(body, segments, delimiters)
        header = split(segments[0], delimiters)
        identifier = [*(header[2] if len(header) > 2 else []), *[""] * 5]
        type_ = MessageType(Syntax.EDIFACT, *identifier[:5])
        if not whole:
            findings.append(_finding("edifact.message.too_large", "UNH", max=self.max_message))
        elif not ended:
            findings.append(_finding("edifact.unt.missing", "UNT"))
        else:
            findings += self._trailer(component_at(header, 1, 0), segments)
        return self._read(type_, component_at(header, 1, 0), segments, findings, access=component_at(header, 3, 0))

    def _cut(self) -> tuple[str, bool, bool]:
        """The text of a message without its last terminator; whether UNT ends it; whether it is all there."""
        stream, offset = self.stream, 0
        head = ""
        while True:
            found = self._find(self.boundary, stream.at + offset)
            if found:
                end = found.start()
                break
            offset = max(0, len(stream.text) - stream.at - _OVERLAP)
            if offset > self.max_message:
                end = self._broken_off(len(stream.text))
                if end < len(stream.text):
                    break
                head = head or stream.text[stream.at : stream.at + MAX_SERVICE_SEGMENT]
                stream.at, offset = stream.at + offset, 0
            if not stream.more():
                end = len(stream.text)
                break
        if ended := found is not None and found[1] == "UNT":
            end = self._terminator(found.end() - stream.at)
        else:
            end = self._broken_off(end)
        body = stream.text[stream.at : end]
        if not stream.text.startswith(self.delimiters.terminator, end):
            body = body.rstrip(_BLANK).removesuffix(self.delimiters.terminator)
        self._pass(end)
        return self._first(head) or body, ended, not head

    def _broken_off(self, end: int) -> int:
        """Where before `end` the next interchange begins; `end` where none does."""
        text, at = self.stream.text, self.stream.at
        if self.rescanned > _MOST_RESCANNED:
            return end
        found = self.interruption.search(text, at + 3, min(len(text), end + _OVERLAP))
        if not found or found.start() >= end:
            return end
        self.rescanned += end - found.start()
        return found.start()

    def _first(self, head: str) -> str:
        """The first segment of what was too large to keep."""
        return head and split_unreleased(head, self.delimiters.terminator, self.delimiters.release or "\0")[0]

    def _trailer(self, reference: str, segments: Sequence[str]) -> Iterator[Finding]:
        """UNT against UNH and the count of segments."""
        trailer = split(segments[-1], self.delimiters)
        at = len(segments)
        if not is_count(component_at(trailer, 1, 0), at):
            yield _finding("edifact.unt.count", "UNT", component_at(trailer, 1, 0), count=at, segment=at, element=1)
        if component_at(trailer, 2, 0) != reference:
            yield _finding(
                "edifact.unt.reference", "UNT", component_at(trailer, 2, 0), reference=reference, segment=at, element=2
            )

    def _characters(self, text: str, segments: list[str], first: int) -> Iterator[Finding]:
        """What `mend` finds in `segments` of this interchange."""
        d = self.delimiters
        service = d.terminator + d.element + d.component + d.release + d.repetition
        return mend(text, segments, self.repertoire, self.stream.codec, service, first, d)

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
        # 0062 and 0800 are unique in their interchange, or in their group where there are groups.
        if reference and (self.packages if type_.name == "UNO" else self.references).repeats(reference):
            findings.append(_finding("edifact.message.repeated", segments[0][:3], reference, segment=1, element=1))
        if self.group:
            self.group_messages += 1
            if len(self.group_types) < 2:
                self.group_types.add(type_.name)
            if not self.group_faults:
                self.group_faults = list(self._other_than_group(type_, self.group))
        elif self.groups:
            self.mixed = self.mixed or "UNH"
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

    def _other_than_group(self, type_: MessageType, group: Group) -> Iterator[Finding]:
        """What UNG says of its messages and this one, of `type_`, does not (ISO 9735-1, UNG: 0038 and S008)."""
        if type_.name == "UNO":
            return
        if group.identifier and len(group.identifier) <= _TYPE_LENGTH and type_.name != group.identifier:
            yield _finding("edifact.group.type", "UNG", group.identifier, element=1, type=type_.name)
        version = group.version.split(":")[:2]
        if len(version) == 2 and all(version) and version != [type_.version, type_.release]:
            said = f"{type_.name} {type_.version} {type_.release}"
            yield _finding("edifact.group.version", "UNG", group.version, element=7, type=said)

    def _package(self) -> MessageRead:
        """UNO, an object of as many octets as S022 0810 says, UNP."""
        findings = list[Finding]()
        opening = self._segment(findings, 1)
        header = split(opening, self.delimiters)
        reference, stated = component_at(header, 1, 0), component_at(header, 4, 0)
        length = int(stated) if stated.isascii() and stated.isdigit() and len(stated) < 12 else 0
        kept = min(length, self.max_message)
        content = self.stream.take_bytes(kept)
        if length > kept:
            findings.append(_finding("edifact.message.too_large", "UNO", max=self.max_message))
            while kept < length and (dropped := self.stream.take_bytes(min(length - kept, 65_536))):
                kept += len(dropped)
        segments = [opening]
        self.stream.skip()
        self.stream.have(64)
        if not self.stream.text.startswith("UNP", self.stream.at):
            findings.append(_finding("edifact.package.length", "UNO", stated, reference=reference, element=4))
            content = self._resynchronised(content)
            segments += [self._segment(findings, 2)] if self.stream.text.startswith("UNP", self.stream.at) else []
        elif len(content) == min(length, self.max_message) and self.stream.text.startswith("UNP", self.stream.at):
            segments.append(self._segment(findings, 2))
            trailer = split(segments[1], self.delimiters)
            if [component_at(trailer, 1, 0), component_at(trailer, 2, 0)] != [stated, reference]:
                said = " ".join(map("".join, trailer[1:3]))
                findings.append(_finding("edifact.package.reference", "UNP", said, reference=f"{stated} {reference}"))
        else:
            findings.append(_finding("edifact.package.length", "UNO", stated, reference=reference, element=4))
        return self._read(MessageType(Syntax.EDIFACT, "UNO"), reference, segments, findings, packages=[content])

    def _resynchronised(self, content: bytes) -> bytes:
        """A package's object up to its UNP, where that stands elsewhere than UNO says: the stream goes on there."""
        stream, trailer = self.stream, "UNP" + self.delimiters.element
        following = stream.text[stream.at : stream.at + len(trailer)].encode(stream.codec, "replace")
        at = (content + following).rfind(trailer.encode(stream.codec))
        if at >= 0:
            stream.push_back(content[at:])
            return content[:at]
        stream.have(MAX_SERVICE_SEGMENT)
        found = stream.text.find(trailer, stream.at, stream.at + MAX_SERVICE_SEGMENT)
        if found >= 0:
            content += stream.text[stream.at : found].encode(stream.codec, "replace")
            stream.at = found
        return content

    # The text.

    def _service(self, findings: list[Finding]) -> list[list[str]]:
        """The service segment at hand, split; what is wrong with its characters is added to `findings`."""
        return split(self._segment(findings), self.delimiters)

    def _segment(self, findings: list[Finding], position: int = 0) -> str:
        """The segment at hand, at `position` of its message, without its terminator.

        What is longer than any service segment is cut off. What is wrong with its characters is added to `findings`.
        """
        stream = self.stream
        end = self._terminator(0)
        raw = stream.text[stream.at : end]
        segments = [raw[:MAX_SERVICE_SEGMENT].rstrip(_BLANK)]
        findings += self._characters(segments[0], segments, position)
        if len(raw) > MAX_SERVICE_SEGMENT:
            self.findings.append(_finding("edifact.segment.too_long", segments[0][:3], max=MAX_SERVICE_SEGMENT))
        elif not stream.text.startswith(self.delimiters.terminator, end):
            self.findings.append(_finding("edifact.segment.unterminated", segments[0][:3], segments[0][:40]))
        self._pass(end)
        return segments[0]

    def _pass(self, end: int) -> None:
        """Go on at `end`, behind the terminator where one stands there."""
        stream, terminator = self.stream, self.delimiters.terminator
        stream.at = end + len(terminator) if stream.text.startswith(terminator, end) else end

    def _terminator(self, offset: int) -> int:
        """Index in the text of the first terminator from `offset` on; of the end where there is none within reach.

        Where the segment broke off and the next interchange's UNA follows, the index of that.
        """
        stream, terminator = self.stream, self.delimiters.terminator
        start, reach = max(offset, 3), offset + 2 * MAX_SERVICE_SEGMENT
        while True:
            found = stream.text.find(terminator, stream.at + offset)
            while found >= 0 and self._is_released(found):
                found = stream.text.find(terminator, found + 1)
            if found >= 0:
                end = found - stream.at
                break
            offset = max(offset, len(stream.text) - stream.at - 1)
            if offset > reach or not stream.more():
                end = len(stream.text) - stream.at
                break
        if stream.text.find("UNA", stream.at + start, stream.at + end) >= 0:
            stream.have(end + _OVERLAP)
            found_advice = ADVICE.search(stream.text, stream.at + start)
            if found_advice and found_advice.start() - stream.at < end:
                return found_advice.start()
        return stream.at + end

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


def _known(charset: str) -> str:
    """The codec's own name, or nothing where no such codec is there."""
    try:
        return codecs.lookup(charset).name if charset else ""
    except LookupError:
        return ""
