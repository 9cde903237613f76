"""A message as it was written, with its faults marked where they stand: what the reports of `validate` show.

A `Line` is a segment, or a line of XML or JSON; its pieces say which parts of it findings are about. Nothing here knows
how it is drawn.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gateway.cli import pointers
from gateway.cli.examining import Original
from gateway.model import Finding, Place, Severity
from gateway.parse.segments import Delimiters, Envelope, Group, SegmentMessage, split_unreleased

ABSENT = "\u25af"
"""Stands where something is missing: a white vertical rectangle."""
_AROUND = 1
"""Lines before and after each marked one that are shown, so that it can be found."""
_WIDEST = 160
"""Characters of a line that are shown: of a longer one, those around its marks."""
_RANK = {Severity.NOTE: 1, Severity.WARNING: 2, Severity.ERROR: 3}


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a line; `severity` is that of the gravest finding about it, None where there is none."""

    text: str
    severity: Severity | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A segment or a line, by its number in the message; 0 for an envelope's segment, -1 for lines left out."""

    number: int
    pieces: tuple[Piece, ...] = ()
    found: tuple[Finding, ...] = ()


LEFT_OUT = Line(-1)
Span = tuple[int, int]


def marked(original: Original, found: Sequence[Finding], *, whole: bool = False) -> tuple[list[Line], list[Finding]]:
    """The lines that findings are about with those around them, or all if `whole`; and the findings at no line."""
    if isinstance(original, SegmentMessage):
        return _segments(original, found, whole=whole)
    if original is not None:
        return _text(original, found, whole=whole)
    return [], list(found)


def envelope_line(envelope: Envelope | Group, delimiters: Delimiters, found: Sequence[Finding]) -> Line | None:
    """The header of an interchange or group with what findings say of it; None where no finding is about it."""
    header = envelope.header
    about = [finding for finding in found if header and finding.place.tag == header[0][0]]
    if not about:
        return None
    raw = delimiters.element.join(delimiters.component.join(element) for element in header)
    unreleased = Delimiters(delimiters.terminator, delimiters.element, delimiters.component)
    return _line(0, raw, [(span_of(raw, unreleased, one.place), one) for one in about])


def _segments(message: SegmentMessage, found: Sequence[Finding], *, whole: bool) -> tuple[list[Line], list[Finding]]:
    by_number: dict[int, list[Finding]] = defaultdict(list)
    elsewhere = []
    for finding in found:
        number = finding.place.segment
        if number and number <= len(message.segments):
            by_number[number].append(finding)
        else:
            elsewhere.append(finding)
    delimiters = message.delimiters

    def line(number: int) -> Line:
        raw = message.segments[number - 1]
        return _line(number, raw, [(span_of(raw, delimiters, f.place), f) for f in by_number.get(number, ())])

    return _chosen(range(1, len(message.segments) + 1), by_number, line, whole=whole), elsewhere


def _chosen(numbers: range, about: Iterable[int], line: Callable[[int], Line], *, whole: bool) -> list[Line]:
    """The lines of `numbers` that are shown, with a sign wherever some are left out."""
    if whole:
        return [line(number) for number in numbers]
    wanted = sorted({near for at in about for near in range(at - _AROUND, at + _AROUND + 1) if near in numbers})
    shown: list[Line] = []
    last = numbers.start - 1
    for number in wanted:
        if number > last + 1:
            shown.append(LEFT_OUT)
        shown.append(line(number))
        last = number
    if shown and last < numbers.stop - 1:
        shown.append(LEFT_OUT)
    return shown


def _text(text: str, found: Sequence[Finding], *, whole: bool) -> tuple[list[Line], list[Finding]]:
    """An XML or JSON message line by line."""
    lines = text.split("\n")
    places = pointers.Pointers(text) if text.lstrip()[:1] in ("{", "[") else None
    about: dict[int, list[tuple[Span, Finding]]] = defaultdict(list)
    elsewhere = []
    for finding in found:
        if places is not None:
            at = places.find(finding.place.path) if finding.place.path else None
            number, start, end = at if at is not None else (finding.place.line or 0, 0, 0)
        else:
            number, start, end = _in_xml(text, lines, finding)
        if 0 < number <= len(lines):
            about[number].append(((start, end or len(lines[number - 1])), finding))
        else:
            elsewhere.append(finding)

    def line(number: int) -> Line:
        return _line(number, lines[number - 1].rstrip("\r"), about.get(number, []))

    return _chosen(range(1, len(lines) + 1), about, line, whole=whole), elsewhere


def _in_xml(text: str, lines: Sequence[str], finding: Finding) -> tuple[int, int, int]:
    """(line, start, end) of what a finding about an XML message is about; line 0 where that is not in `text`."""
    path, number = finding.place.path, finding.place.line or 0
    root = re.match(r"/([\w.\-]+)", path)
    if not 0 < number <= len(lines) or (root and not re.search(rf"<(?:[\w.\-]+:)?{re.escape(root[1])}[\s/>]", text)):
        return 0, 0, 0  # of a message that stands in base64 within its envelope, lines are its own
    line = lines[number - 1]
    name = re.sub(r"\[\d+\]$", "", path.rpartition("/")[2])
    element = re.search(rf"<(?:[\w.\-]+:)?{re.escape(name)}(?=[\s/>])", line) if name else None
    start = element.end() if element else 0
    at = line.find(finding.value, start) if finding.value else -1
    if at >= 0:
        return number, at, at + len(finding.value)
    if element is not None:
        return number, element.start() + 1, element.end()
    return number, len(line) - len(line.lstrip()), len(line.rstrip())


def span_of(raw: str, delimiters: Delimiters, place: Place) -> Span:
    """Where in a raw segment that stands which a place names: its tag where it names no element.

    Of what is not there the span is empty, where it would stand or as near as the segment goes.
    """
    start, end = _nth(raw, (0, len(raw)), delimiters.element, (place.element or 0) + 1, delimiters.release)
    if place.element is None:
        return start, end
    if delimiters.repetition:
        start, end = _nth(raw, (start, end), delimiters.repetition, place.repetition or 1, delimiters.release)
    if place.component is not None:
        start, end = _nth(raw, (start, end), delimiters.component, place.component, delimiters.release)
    return start, end


def _nth(raw: str, within: Span, separator: str, ordinal: int, release: str) -> Span:
    """The `ordinal`-th piece, from 1, of a part of `raw`; its empty end where there are fewer."""
    start, end = within
    text = raw[start:end]
    pieces = split_unreleased(text, separator, release) if release else text.split(separator)
    if ordinal > len(pieces):
        return end, end
    at = start + sum(len(piece) + len(separator) for piece in pieces[: ordinal - 1])
    return at, at + len(pieces[ordinal - 1])


def _line(number: int, text: str, about: Sequence[tuple[Span, Finding]]) -> Line:
    """A line whose text is cut where findings begin and end to be about it."""
    if not about:
        return Line(number, (Piece(text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"),))
    grave: list[Severity | None] = [None] * len(text)
    inserted: dict[int, Severity] = {}
    for (start, end), finding in about:
        if start == end:
            inserted[start] = max(inserted.get(start, finding.severity), finding.severity, key=_RANK.__getitem__)
        for at in range(start, end):
            grave[at] = max(grave[at] or finding.severity, finding.severity, key=_RANK.__getitem__)
    marks = [at for at, severity in enumerate(grave) if severity is not None] + list(inserted)
    first = 0 if len(text) <= _WIDEST else max(0, min(min(marks) - _WIDEST // 3, len(text) - _WIDEST))
    last = min(len(text), first + _WIDEST)
    pieces = [Piece("…")] if first else []
    for at in range(first, last + 1):
        if at in inserted:
            pieces.append(Piece(ABSENT, inserted[at]))
        if at == last:
            break
        if pieces and pieces[-1].severity == grave[at] and pieces[-1].text not in (ABSENT, "…"):
            pieces[-1] = Piece(pieces[-1].text + text[at], grave[at])
        else:
            pieces.append(Piece(text[at], grave[at]))
    if last < len(text):
        pieces.append(Piece("…"))
    return Line(number, tuple(pieces), tuple(finding for _, finding in about))
