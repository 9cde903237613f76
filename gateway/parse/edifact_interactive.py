"""Reads interactive interchanges, UIB to UIZ (ISO 9735-3), as far as the gateway takes them.

A dialogue is not held here, so that each is refused by name. What it consists of is read all the same: its header and
trailer, its messages from UIH to UIT with their references and counts, so that whoever sent it hears what else is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from gateway.model import Finding, Syntax
from gateway.parse.edifact_text import LISTED, START, component_at, finding, is_count
from gateway.parse.references import References
from gateway.parse.segments import (
    Delimiters,
    Envelope,
    Event,
    InterchangeBegun,
    InterchangeEnded,
    MessageRead,
    MessageType,
    SegmentMessage,
    split,
)
from gateway.parse.stream import Stream

HEADER = "UIB"

Take = Callable[[list[Finding], int], str]
"""Takes the segment at hand from the stream; what is wrong with its characters is added to the findings."""


class Interactive:
    """One interactive interchange."""

    def __init__(self, stream: Stream, delimiters: Delimiters, take: Take, max_message: int) -> None:
        """`stream` stands at UIB, and reads in the character set that UIB names."""
        self._stream = stream
        self._delimiters = delimiters
        self._take = take
        self._max_message = max_message
        self._messages = 0
        self._references = References()
        self._closed = False
        self.envelope = Envelope(Syntax.EDIFACT, delimiters, [])
        self.ended = InterchangeEnded(self.envelope, 0, 0)

    def events(self, begun: list[Finding]) -> Iterator[Event]:
        """All but its end, which is `ended` afterwards; `begun` was found before its header."""
        header = split(self._take(begun, 0), self._delimiters)
        self.envelope = Envelope(
            Syntax.EDIFACT,
            self._delimiters,
            header,
            sender=component_at(header, 6, 0),
            sender_qualifier=component_at(header, 6, 1),
            recipient=component_at(header, 7, 0),
            recipient_qualifier=component_at(header, 7, 1),
            reference=component_at(header, 2, 0),
            version=component_at(header, 1, 1),
            charset=self._stream.codec,
            repertoire=component_at(header, 1, 0),
            date=component_at(header, 8, 0),
            time=component_at(header, 8, 1),
            test=component_at(header, 10, 0) == "1",
        )
        yield InterchangeBegun(self.envelope, [finding("edifact.interactive", HEADER), *begun])
        found: list[Finding] = []
        trailer: list[list[str]] = []
        outside = 0
        while tag := self._tag():
            if tag == "UIH":
                yield self._message()
                continue
            characters: list[Finding] = []
            raw = self._take(characters, 0)
            if tag == "UIZ":
                trailer, self._closed = split(raw, self._delimiters), True
                found += [*characters, *self._judge_trailer(trailer)]
                break
            outside += tag != "UIR"  # a status stands between messages (ISO 9735-3, 7)
            if tag == "UIR" or outside <= LISTED:
                found += characters
            if tag != "UIR" and outside <= LISTED:
                found.append(finding("edifact.segment.outside", tag, raw[:40]))
        if not self._closed:
            found.append(finding("edifact.uiz.missing", "UIZ"))
        if not self._messages:
            found.append(finding("edifact.interchange.empty", HEADER))
        self.ended = InterchangeEnded(self.envelope, self._messages, 0, found, trailer)

    def _tag(self) -> str:
        """The tag of the segment at hand; empty at the end, and where another interchange begins."""
        stream = self._stream
        stream.skip()
        if not stream.have(1):
            return ""
        stream.have(64)
        if START.match(stream.text, stream.at) and not stream.text.startswith("UNH", stream.at):
            return ""
        return stream.text[stream.at : stream.at + 3]

    def _message(self) -> MessageRead:
        """From UIH to UIT, or to what shows that UIT is missing."""
        found: list[Finding] = []
        segments = [self._take(found, 1)]
        header = split(segments[0], self._delimiters)
        size, whole, ended = 0, True, False
        while (tag := self._tag()) not in ("", "UIH", "UIZ", "UIR") and not ended:
            raw = self._take(found, len(segments) + 1)
            ended = tag == "UIT"
            size += len(raw)
            whole = whole and size <= self._max_message
            if whole:
                segments.append(raw)
        reference = component_at(header, 2, 0)
        if not whole:
            found.append(finding("edifact.message.too_large", "UIH", max=self._max_message))
        elif not ended:
            found.append(finding("edifact.uit.missing", "UIT"))
        else:
            found += self._judge_end(reference, segments)
        if reference and self._references.repeats(reference):
            found.append(finding("edifact.message.repeated", "UIH", reference, segment=1, element=2))
        self._messages += 1
        name, version, release, _, agency, association = [*(header[1] if len(header) > 1 else []), *[""] * 6][:6]
        type_ = MessageType(Syntax.EDIFACT, name, version, release, agency, association)
        message = SegmentMessage(type_, reference, segments, self._delimiters, self._messages, self.envelope)
        return MessageRead(message, [replace(one, place=replace(one.place, message=reference)) for one in found])

    def _judge_end(self, reference: str, segments: Sequence[str]) -> Iterator[Finding]:
        """UIT against UIH and the segments; both of its elements may be left out."""
        trailer, at = split(segments[-1], self._delimiters), len(segments)
        said, count = component_at(trailer, 1, 0), component_at(trailer, 2, 0)
        if said and said != reference:
            yield finding("edifact.uit.reference", "UIT", said, reference=reference, segment=at, element=1)
        if count and not is_count(count, at):
            yield finding("edifact.uit.count", "UIT", count, count=at, segment=at, element=2)

    def _judge_trailer(self, trailer: Sequence[Sequence[str]]) -> Iterator[Finding]:
        """UIZ against UIB and the messages; all of its elements may be left out."""
        said, count = component_at(trailer, 1, 0), component_at(trailer, 2, 0)
        if said and said != self.envelope.reference:
            yield finding("edifact.uiz.reference", "UIZ", said, reference=self.envelope.reference, element=1)
        if count and not is_count(count, self._messages):
            yield finding("edifact.uiz.count", "UIZ", count, count=self._messages, element=2)
