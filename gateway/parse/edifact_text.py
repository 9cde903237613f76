"""What the EDIFACT reader knows of text: where a message ends, and which characters may stand in it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gateway.findings import make_finding
from gateway.model import Finding, Place
from gateway.parse.charsets import strangers
from gateway.parse.segments import Delimiters
from gateway.parse.stream import mended, undecodable

START = re.compile(r"UNA.{6}\s*UN[BGH]|UN[BGH](?![A-Za-z0-9])", re.DOTALL)
"""What an interchange begins with."""
ADVICE = re.compile(r"UNA.{6}\s*UN[BGH]", re.DOTALL)
LISTED = 10
"""How many faulty segments of a kind are listed each; the fault of the others is the same."""


def boundary(delimiters: Delimiters) -> re.Pattern[str]:
    """A terminator and the service segment after it that ends a message, or shows that it was not ended."""
    follows = re.escape(delimiters.element + delimiters.component + delimiters.terminator)
    tags = rf"UN(?:[TZHEGBO](?=[{follows}])|A(?=.{{6}}\s*UN[BGH]))"
    # The terminator stands first, so that the engine looks for one character.
    return re.compile(f"{re.escape(delimiters.terminator)}[\r\n\t \0]*({tags})", re.DOTALL)


def interruption(delimiters: Delimiters) -> re.Pattern[str]:
    """The next interchange's beginning where the one in hand broke off, whatever the separators of either.

    UNB shows by S001: with the separators in hand, those that hold without UNA, or those of level B.
    """
    pairs = {(delimiters.element, delimiters.component), ("+", ":"), ("\x1d", "\x1f")}
    headers = "|".join(f"{re.escape(e)}[A-Z]{{4}}{re.escape(c)}[1-4]" for e, c in sorted(pairs))
    return re.compile(rf"{ADVICE.pattern}|UNB(?:{headers})", re.DOTALL)


def mend(text: str, segments: list[str], repertoire: str, charset: str, service: str, first: int) -> Iterator[Finding]:
    """Characters of `segments` that `repertoire` lacks, and bytes that `charset` lacks, which are mended in place.

    `text` is all of them together, and holds `service` characters; `first` is the position of the first one in its
    message, 0 outside messages.
    """
    if undecodable(text):
        faulty = [index for index, raw in enumerate(segments) if undecodable(raw)]
        stand_in = _stand_in(charset, service)
        for index in faulty:
            segments[index] = mended(segments[index], stand_in)
        for index in faulty[:LISTED]:
            yield finding(
                "edifact.charset.undecodable", segments[index][:3], segment=first and first + index, charset=charset
            )
    if strangers(text, repertoire, service):
        faults = [(i, found) for i, raw in enumerate(segments) if (found := strangers(raw, repertoire, service))]
        for index, found in faults[:LISTED]:
            shown = " ".join(c if c.isprintable() else f"U+{ord(c):04X}" for c in found[:LISTED])
            yield finding(
                "edifact.character.outside",
                segments[index][:3],
                segment=first and first + index,
                repertoire=repertoire,
                characters=shown,
            )


def _stand_in(charset: str, service: str) -> str:
    """What stands for bytes that are not in `charset`: a character that is, since CONTRL copies it back to the sender."""
    try:
        "\ufffd".encode(charset)
    except UnicodeEncodeError:
        return next(character for character in "_-X" if character not in service)
    return "\ufffd"


def finding(
    code: str,
    tag: str = "",
    value: str = "",
    *,
    segment: int = 0,
    element: int | None = None,
    component: int | None = None,
    **args: object,
) -> Finding:
    """A finding of the reader, at a place within the interchange."""
    place = Place("", segment, tag, element, component)
    return make_finding(code, place, value, **args)
