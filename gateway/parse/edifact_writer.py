"""Writes EDIFACT interchanges: the inverse of `edifact.read`, with trailers and counts put in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway.parse.charsets import CODECS
from gateway.parse.segments import Envelope, MessageType, join


def write_interchange(
    envelope: Envelope, messages: Iterable[tuple[MessageType, str, Sequence[str]]], *, advice: bool = True
) -> bytes:
    """An interchange of `messages`: type, reference, raw segments between UNH and UNT. Undone by `read`.

    Of `envelope` the fields are written, not its `header`; `advice` writes UNA. UnicodeEncodeError where a
    character is not in the envelope's repertoire.
    """
    d = envelope.delimiters
    texts = []
    if advice:
        repetition = d.repetition or " "
        texts.append(f"UNA{d.component}{d.element}{d.decimal}{d.release or ' '}{repetition}{d.terminator}")
    header = [
        ["UNB"],
        [envelope.repertoire, envelope.version],
        [envelope.sender, envelope.sender_qualifier],
        [envelope.recipient, envelope.recipient_qualifier],
        [envelope.date, envelope.time],
        [envelope.reference],
        [],
        [envelope.application_reference],
        [],
        ["1" if envelope.acknowledgement_requested else ""],
        [],
        ["1" if envelope.test else ""],
    ]
    texts.append(join(header, d) + d.terminator)
    count = 0
    for type_, reference, segments in messages:
        identifier = [type_.name, type_.version, type_.release, type_.agency, type_.association]
        raws = [join([["UNH"], [reference], identifier], d), *segments]
        raws.append(join([["UNT"], [str(len(raws) + 1)], [reference]], d))
        texts.append("".join(raw + d.terminator for raw in raws))
        count += 1
    texts.append(join([["UNZ"], [str(count)], [envelope.reference]], d) + d.terminator)
    return "".join(texts).encode(envelope.charset or CODECS.get(envelope.repertoire, "latin-1"))
