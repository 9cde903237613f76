"""Writes X12 interchanges: the inverse of `x12.read`, with padding, counts and control numbers put in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.errors import ConfigurationInvalid
from gateway.parse.segments import Delimiters
from gateway.parse.x12_envelope import GROUPS

DELIMITERS = Delimiters(terminator="~", element="*", component=">", repetition="^")
"""What we write with. X12 has no release character, so what is written must not contain them."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

FUNCTIONAL_GROUPS = {name: min(groups) for name, groups in GROUPS.items()}
"""GS01 by transaction set, as readers take it; of the two under which 309 travels AQ. An agreement may name another."""


@dataclass(frozen=True, slots=True)
class InterchangeHeader:
    """What ISA says; `at` is in the time zone the partner expects, since ISA carries none."""

    sender: str
    recipient: str
    reference: str
    """ISA13, up to nine digits."""
    at: datetime
    sender_qualifier: str = "ZZ"
    recipient_qualifier: str = "ZZ"
    version: str = "00401"
    acknowledgement_requested: bool = False
    test: bool = False
    delimiters: Delimiters = DELIMITERS
    charset: str = "utf-8"


@dataclass(frozen=True, slots=True)
class GroupHeader:
    """What GS says; its date and time are the interchange's."""

    identifier: str
    sender: str
    recipient: str
    reference: str
    version: str


@dataclass(frozen=True, slots=True)
class Body:
    """One transaction set without ST and SE: raw segments without terminators.

    A BIN or BDS segment ends in an empty element, which its entry of `packages` fills.
    """

    name: str
    reference: str
    segments: Sequence[str]
    convention: str = ""
    """ST03, the implementation convention reference."""
    packages: Sequence[bytes] = ()


def segment(tag: str, *elements: str, delimiters: Delimiters = DELIMITERS) -> str:
    """One raw segment; empty elements at its end are left out (X12.6). `elements` may be composites already joined.

    A terminator or element separator inside an element becomes a blank, since X12 cannot escape it.
    """
    clean = [e.replace(delimiters.element, " ").replace(delimiters.terminator, " ") for e in elements]
    while clean and not clean[-1]:
        clean.pop()
    return delimiters.element.join([tag, *clean])


def plain(text: str, delimiters: Delimiters = DELIMITERS) -> str:
    """`text` with every separator and control character in it turned into a blank, fit for an element or component.

    Empty where nothing but blanks would be left, which is no value of a string (X12.6, type AN).
    """
    text = _CONTROL.sub(" ", text)
    for separator in (delimiters.terminator, delimiters.element, delimiters.component, delimiters.repetition):
        if separator:
            text = text.replace(separator, " ")
    return text if text.strip(" ") else ""


def write(
    header: InterchangeHeader,
    groups: Iterable[tuple[GroupHeader, Iterable[Body]]],
    acknowledgements: Iterable[str] = (),
    line_end: str = "",
) -> bytes:
    """One interchange: ISA, TA1 segments (`acknowledgements`), groups, IEA.

    `line_end` follows each terminator. ConfigurationInvalid where an identifier does not fit its element.
    """
    out = _Output(header, line_end)
    element = header.delimiters.element
    out.put(_isa(header))
    for acknowledgement in acknowledgements:
        out.put(acknowledgement)
    group_count = 0
    for group, bodies in groups:
        group_count += 1
        date, time = f"{header.at:%Y%m%d}", f"{header.at:%H%M}"
        gs = ("GS", group.identifier, group.sender, group.recipient, date, time, group.reference, "X", group.version)
        out.put(element.join(gs))
        count = 0
        for body in bodies:
            count += 1
            _body(out, body)
        out.put(element.join(("GE", str(count), group.reference)))
    out.put(element.join(("IEA", str(group_count), header.reference.zfill(9))))
    return bytes(out.data)


class _Output:
    """Bytes so far, in the header's charset."""

    def __init__(self, header: InterchangeHeader, line_end: str) -> None:
        self.data = bytearray()
        self.delimiters = header.delimiters
        self.charset = header.charset
        self.end = (header.delimiters.terminator + line_end).encode(header.charset)

    def put(self, raw: str, package: bytes = b"") -> None:
        # U+FFFD stands for bytes that were no characters; a reader takes it for such bytes again, and refuses them.
        self.data += raw.replace("\ufffd", "?").encode(self.charset, "replace") + package + self.end


def _isa(header: InterchangeHeader) -> str:
    """X12.5: sixteen elements of fixed width, 105 characters and the terminator."""
    delimiters = header.delimiters
    at_repetition = delimiters.repetition if header.version >= "00402" and delimiters.repetition else "U"
    fields = (
        ("00", 2),
        ("", 10),
        ("00", 2),
        ("", 10),
        (header.sender_qualifier, 2),
        (header.sender, 15),
        (header.recipient_qualifier, 2),
        (header.recipient, 15),
        (f"{header.at:%y%m%d}", 6),
        (f"{header.at:%H%M}", 4),
        (at_repetition, 1),
        (header.version, 5),
        (header.reference.zfill(9), 9),
        ("1" if header.acknowledgement_requested else "0", 1),
        ("T" if header.test else "P", 1),
        (delimiters.component, 1),
    )
    for number, (value, width) in enumerate(fields, 1):
        if len(value) > width:
            raise ConfigurationInvalid(f"ISA{number:02} takes {width} characters, not {value!r}")
    return delimiters.element.join(["ISA", *(value.ljust(width) for value, width in fields)])


def _body(out: _Output, body: Body) -> None:
    element = out.delimiters.element
    out.put(element.join(filter(None, ("ST", body.name, body.reference, body.convention))))
    packages = iter(body.packages)
    for raw in body.segments:
        binary = raw.startswith(("BIN" + element, "BDS" + element)) and raw.endswith(element)
        out.put(raw, next(packages, b"") if binary else b"")
    out.put(element.join(("SE", str(len(body.segments) + 2), body.reference)))
