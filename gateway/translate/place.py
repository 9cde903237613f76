"""The grammar of places on an EDI wire, as the rows of a mapping write them.

    place    = group "." ... segment ["/" elements]
    group    = name tests                    SG6[3035=CZ]     N1[01=CN]
    segment  = tag ["#" n] tests [repeats]   DTM[2005=137]    UNS#2    FTX[4451=AAI][1..5]
    tests    = "[" element "=" value {"|" value} {"," ...} "]"
    elements = element [range] {"." element [range]}      C080.3036[1..5]    C246[1].7361    04..05

Elements go by their directory numbers in EDIFACT and by their positions in X12. `#n` picks the n-th
place a tag has within its group, `[n]` the n-th occurrence of an element within its segment or
composite. The values a test asks for are written on output; the first, where it allows several.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gateway.errors import MappingInvalid

_STEP = re.compile(r"(?P<name>[A-Z0-9]+)(?:#(?P<ordinal>\d+))?(?P<brackets>(?:\[[^\]]*\])*)")
_BRACKET = re.compile(r"\[([^\]]*)\]")
_RANGE = re.compile(r"(\d+)(?:\.\.(\d+))?")
_ELEMENT = re.compile(r"(?P<number>[A-Z]?\d+)(?:\.\.(?P<last>\d+))?(?:\[(?P<range>[\d.]+)\])?")


@dataclass(frozen=True, slots=True)
class Test:
    """An element must hold one of `values`; `numbers` names it, outermost first."""

    numbers: tuple[str, ...]
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One group or segment of a place; `repeats` is None where the place does not say."""

    name: str
    ordinal: int = 1
    tests: tuple[Test, ...] = ()
    repeats: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class ElementStep:
    """One element or composite of a place: its number, the occurrences meant, and `last` of a run of positions."""

    number: str
    occurrences: tuple[int, int] = (1, 1)
    last: str = ""


@dataclass(frozen=True, slots=True)
class EdiPlace:
    """A place, parsed: the steps to the segment or group, then the elements within."""

    text: str
    steps: tuple[Step, ...]
    elements: tuple[ElementStep, ...] = ()


def parse(text: str) -> EdiPlace:
    """The place that `text` writes; MappingInvalid where it breaks the grammar."""
    path, slash, inner = text.partition("/")
    steps: list[Step] = []
    at = 0
    while True:
        match = _STEP.match(path, at)
        if match is None:
            raise MappingInvalid(f"place {text!r}: no group or segment name at {path[at:]!r}")
        steps.append(_step(match, text))
        at = match.end()
        if at == len(path):
            break
        if path[at] != ".":
            raise MappingInvalid(f"place {text!r}: a dot is missing before {path[at:]!r}")
        at += 1
    if slash and not inner:
        raise MappingInvalid(f"place {text!r}: no element after the slash")
    return EdiPlace(text, tuple(steps), _elements(inner, text) if inner else ())


def _step(match: re.Match[str], text: str) -> Step:
    tests: list[Test] = []
    repeats: tuple[int, int] | None = None
    for content in _BRACKET.findall(match["brackets"]):
        if "=" in content:
            tests.extend(_test(part, text) for part in content.split(","))
        else:
            repeats = _range(content, text)
    return Step(match["name"], int(match["ordinal"] or 1), tuple(tests), repeats)


def _test(content: str, text: str) -> Test:
    number, _, values = content.partition("=")
    if not number or not values:
        raise MappingInvalid(f"place {text!r}: {content!r} is no test")
    return Test(tuple(number.strip().split(".")), tuple(values.strip().split("|")))


def _range(content: str, text: str) -> tuple[int, int]:
    match = _RANGE.fullmatch(content)
    if match is None or int(match[1]) < 1 or int(match[2] or match[1]) < int(match[1]):
        raise MappingInvalid(f"place {text!r}: [{content}] is neither a test nor a range")
    return int(match[1]), int(match[2] or match[1])


def _elements(inner: str, text: str) -> tuple[ElementStep, ...]:
    found: list[ElementStep] = []
    at = 0
    while True:
        match = _ELEMENT.match(inner, at)
        if match is None:
            raise MappingInvalid(f"place {text!r}: no element number at {inner[at:]!r}")
        occurrences = _range(match["range"], text) if match["range"] else (1, 1)
        found.append(ElementStep(match["number"], occurrences, match["last"] or ""))
        at = match.end()
        if at == len(inner):
            return tuple(found)
        if inner[at] != ".":
            raise MappingInvalid(f"place {text!r}: a dot is missing before {inner[at:]!r}")
        at += 1
