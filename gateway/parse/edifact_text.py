"""What the EDIFACT reader knows of text: where a message ends, and which characters may stand in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import islice

from gateway.findings import make_finding
from gateway.model import Finding, Place
from gateway.parse.charsets import recognise, strangers
from gateway.parse.segments import Delimiters, split_unreleased
from gateway.parse.stream import mended, undecodable, undecoded

START = re.compile(r"UNA.{6}\s*(?:UN[BGH]|UIB)|(?:UN[BGH]|UIB)(?![A-Za-z0-9])", re.DOTALL)
"""What an interchange begins with."""
ADVICE = re.compile(r"UNA.{6}\s*UN[BGH]", re.DOTALL)
LISTED = 10
"""How many faulty segments of a kind are listed each; the fault of the others is the same."""


@lru_cache(maxsize=64)
def boundary(delimiters: Delimiters) -> re.Pattern[str]:
    """A terminator and the service segment after it that ends a message, or shows that it was not ended."""
    follows = re.escape(delimiters.element + delimiters.component + delimiters.terminator)
    tags = rf"UN(?:[TZHEGBO](?=[{follows}])|A(?=.{{6}}\s*UN[BGH]))"
    # The terminator stands first, so that the engine looks for one character.
    return re.compile(f"{re.escape(delimiters.terminator)}[\r\n\t \0]*({tags})", re.DOTALL)


@lru_cache(maxsize=64)
def interruption(delimiters: Delimiters) -> re.Pattern[str]:
    """The next interchange's beginning where the one in hand broke off, whatever the separators of either.

    UNB shows by S001: with the separators in hand, those that hold without UNA, or those of level B.
    """
    pairs = {(delimiters.element, delimiters.component), ("+", ":"), ("\x1d", "\x1f")}
    headers = "|".join(f"{re.escape(e)}[A-Z]{{4}}{re.escape(c)}[1-4]" for e, c in sorted(pairs))
    return re.compile(rf"{ADVICE.pattern}|UNB(?:{headers})", re.DOTALL)


def mend(
    text: str,
    segments: list[str],
    repertoire: str,
    charset: str,
    service: str,
    first: int,
    delimiters: Delimiters,
) -> Iterator[Finding]:
    """Characters of `segments` that `repertoire` lacks, and bytes that `charset` lacks, which are mended in place.

    `text` is all of them together, and holds `service` characters; `first` is the position of the first one in its
    message, 0 outside messages.
    """
    if undecodable(text):
        faulty = [index for index, raw in enumerate(segments) if undecodable(raw)]
        stand_in = _stand_in(charset, service)
        likely = [_likely(segments[index], charset) for index in faulty[:LISTED]]
        for index in faulty:
            segments[index] = mended(segments[index], stand_in)
        for index, said in zip(faulty[:LISTED], likely, strict=True):
            at = first and first + index
            one = finding("edifact.charset.undecodable", segments[index][:3], segment=at, charset=charset)
            yield replace(one, args={**one.args, **said})
    if strangers(text, repertoire, service):
        faults = [(i, found) for i, raw in enumerate(segments) if (found := strangers(raw, repertoire, service))]
        for index, found in faults[:LISTED]:
            shown = " ".join(c if c.isprintable() else f"U+{ord(c):04X}" for c in found[:LISTED])
            element, component = located(segments[index], segments[index].index(found[0]), delimiters)
            one = finding(
                "edifact.character.outside",
                segments[index][:3],
                segment=first and first + index,
                element=element,
                component=component,
                repertoire=repertoire,
                characters=shown,
            )
            yield replace(one, args={**one.args, **_likely(segments[index], charset)})


def _likely(raw: str, charset: str) -> dict[str, str]:
    """What a finding says of a segment's bytes where they are rather in another character set than `charset`."""
    found = recognise(undecoded(raw, charset), but=charset)
    return {"likely": found} if found else {}


def located(raw: str, index: int, delimiters: Delimiters) -> tuple[int | None, int | None]:
    """The element and component of a raw segment that hold the character at `index`; None and None for its tag."""
    release = delimiters.release
    elements = _split(raw[:index], delimiters.element, release)
    if len(elements) == 1:
        return None, None
    return len(elements) - 1, len(_split(elements[-1], delimiters.component, release))


def _split(text: str, separator: str, release: str) -> list[str]:
    return split_unreleased(text, separator, release) if release else text.split(separator)


def needless_releases(text: str, segments: Sequence[str], delimiters: Delimiters) -> Iterator[Finding]:
    """Release characters before what needs none, in the first segments that have such; `text` is all of them together.

    ISO 9735-1, 7.3.3: they are taken out on reading, and may have been meant as text.
    """
    pattern = _needless(delimiters)
    if not pattern.match(text):
        return
    faulty = ((index, found) for index, raw in enumerate(segments) if (found := pattern.match(raw)))
    for index, found in islice(faulty, LISTED):
        raw, at = segments[index], found.start(1)
        element, component = located(raw, at, delimiters)
        yield finding(
            "edifact.release.needless",
            raw[:3],
            raw[at : at + 2],
            segment=1 + index,
            element=element,
            component=component,
        )


@lru_cache(maxsize=64)
def _needless(delimiters: Delimiters) -> re.Pattern[str]:
    """Matches text up to and with its first release character before none of the service characters.

    Senders who may write any version release the repetition separator of version 4 in all of them.
    """
    release, service = re.escape(delimiters.release), delimiters.terminator + delimiters.element + delimiters.component
    service = re.escape(service + delimiters.release + (delimiters.repetition or "*"))
    return re.compile(f"(?:[^{release}]++|{release}[{service}])*+({release}.)", re.DOTALL)


def empty_segments(segments: Sequence[str]) -> Iterator[Finding]:
    """The first empty ones of a message's `segments`, each at the segment before it, which is where CONTRL counts to."""
    kept = total = 0
    for raw in segments:
        kept += bool(raw)
        total += not raw
        if not raw and total <= LISTED:
            yield finding("edifact.segment.empty", segment=kept)
    if total > LISTED:
        yield finding("edifact.segment.empty_more", segment=kept, count=total - LISTED)


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


def component_at(elements: Sequence[Sequence[str]], element: int, component: int) -> str:
    """A component of a segment, or nothing where it is shorter."""
    if element < len(elements) and component < len(elements[element]):
        return elements[element][component]
    return ""


def is_count(stated: str, count: int) -> bool:
    """Whether a trailer states that count."""
    return stated.isascii() and stated.isdigit() and len(stated) < 12 and int(stated) == count
