"""What the two segment dialects, EDIFACT and X12, have in common once they are read.

A reader yields events in wire order, so that an interchange of any size passes message by message:

    InterchangeBegun, (GroupBegun)?, MessageRead*, (GroupEnded)?, ..., InterchangeEnded

Whatever is wrong with an envelope travels as findings on the event that shows it; a reader never
raises for wrong input.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial

from gateway.model import Finding, Syntax


@dataclass(frozen=True, slots=True)
class Delimiters:
    """The separators of one interchange; an empty string where the syntax has none."""

    terminator: str
    element: str
    component: str
    release: str = ""
    repetition: str = ""
    decimal: str = "."


@dataclass(frozen=True, slots=True)
class MessageType:
    """Which message it claims to be: EDIFACT UNH S009, or X12 ST01 with GS08 and ST03.

    `version`, `release`, `agency`, `association` are S009 0052, 0054, 0051, 0057; for X12 `version` is
    the version, release and industry identifier (`004010`, `005010X231A1`), the rest empty.
    """

    syntax: Syntax
    name: str
    version: str = ""
    release: str = ""
    agency: str = ""
    association: str = ""

    @property
    def format(self) -> str:
        """The format's name in agreements and mappings: `edifact:CUSDEC:D:96B:UN`, `x12:309:004010`."""
        parts = [self.syntax.value, self.name, self.version]
        if self.syntax is Syntax.EDIFACT:
            parts += [self.release, self.agency]
        return ":".join(parts)


@dataclass(slots=True)
class Envelope:
    """What UNB or ISA says: who, to whom, under which control reference."""

    syntax: Syntax
    delimiters: Delimiters
    header: list[list[str]]
    """The UNB or ISA segment, split: elements (0 is the tag) of components, released."""
    sender: str = ""
    sender_qualifier: str = ""
    recipient: str = ""
    recipient_qualifier: str = ""
    reference: str = ""
    version: str = ""
    """EDIFACT syntax version number 0002 (`1` to `4`), or ISA12 (`00401`)."""
    charset: str = ""
    """The Python codec the text was decoded with."""
    repertoire: str = ""
    """EDIFACT syntax identifier 0001 (`UNOA`); empty for X12."""
    date: str = ""
    time: str = ""
    acknowledgement_requested: bool = False
    """UNB 0031 = 1, or ISA14 = 1 (the sender asks for CONTRL or TA1)."""
    test: bool = False
    """UNB 0035 = 1, or ISA15 = T."""
    application_reference: str = ""


@dataclass(slots=True)
class Group:
    """What UNG or GS says."""

    header: list[list[str]]
    identifier: str = ""
    """0038 or GS01."""
    sender: str = ""
    recipient: str = ""
    reference: str = ""
    version: str = ""
    """GS08; for UNG, S008 joined with `:`."""


@dataclass(slots=True)
class SegmentMessage:
    """One message: its raw segments from UNH to UNT (ST to SE), without terminators, escapes in place."""

    type: MessageType
    reference: str
    segments: list[str]
    delimiters: Delimiters
    number: int
    """1-based position in its interchange."""
    envelope: Envelope
    group: Group | None = None
    access_reference: str = ""
    convention: str = ""
    """ST03, the implementation convention; empty for EDIFACT."""
    packages: Sequence[bytes] = ()
    """Binary objects (UNO/UNP packages, BIN/BDS data) in order; their segments hold an empty element."""


@dataclass(slots=True)
class InterchangeBegun:
    """UNB or ISA was read."""

    envelope: Envelope
    findings: list[Finding] = field(default_factory=list)


@dataclass(slots=True)
class GroupBegun:
    """UNG or GS was read."""

    group: Group
    findings: list[Finding] = field(default_factory=list)


@dataclass(slots=True)
class MessageRead:
    """A message is complete; `findings` are about UNH/UNT or ST/SE (counts, references)."""

    message: SegmentMessage
    findings: list[Finding] = field(default_factory=list)


@dataclass(slots=True)
class GroupEnded:
    """UNE or GE was read, or is missing (a finding says so)."""

    group: Group
    message_count: int
    findings: list[Finding] = field(default_factory=list)
    trailer: list[list[str]] = field(default_factory=list)
    """The UNE segment, split; empty where it is missing, and for X12, whose reader judges GE itself."""


@dataclass(slots=True)
class InterchangeEnded:
    """UNZ or IEA was read, or is missing (a finding says so)."""

    envelope: Envelope
    message_count: int
    group_count: int
    findings: list[Finding] = field(default_factory=list)
    trailer: list[list[str]] = field(default_factory=list)
    """The UNZ segment, split; empty where it is missing, and for X12, whose reader judges IEA itself."""


Event = InterchangeBegun | GroupBegun | MessageRead | GroupEnded | InterchangeEnded


def split(raw: str, delimiters: Delimiters) -> list[list[str]]:
    """The elements of a raw segment, each a list of components, released; [0] is the tag.

    Of an element that repeats only the first repetition is given; `split_repeated` gives them all.
    """
    if not delimiters.repetition and (not delimiters.release or delimiters.release not in raw):
        component = delimiters.component
        return [element.split(component) for element in raw.split(delimiters.element)]
    return [repetitions[0] for repetitions in split_repeated(raw, delimiters)]


def split_repeated(raw: str, delimiters: Delimiters) -> list[list[list[str]]]:
    """The elements of a raw segment, each a list of repetitions, each a list of components, released."""
    release, repetition, component = delimiters.release, delimiters.repetition, delimiters.component
    if not release or release not in raw:
        return [
            [part.split(component) for part in (element.split(repetition) if repetition else [element])]
            for element in raw.split(delimiters.element)
        ]
    return [
        [
            [released(value, delimiters) for value in split_unreleased(part, component, release)]
            for part in (split_unreleased(element, repetition, release) if repetition else [element])
        ]
        for element in split_unreleased(raw, delimiters.element, release)
    ]


def split_unreleased(text: str, separator: str, release: str) -> list[str]:
    """`text` split at each `separator` that no release character stands before; escapes stay in place."""
    pieces: list[str] = []
    open_: list[str] = []  # parts of one piece; joined once, however many there are
    for part in text.split(separator):
        open_.append(part)
        if not ends_released(part, release):
            pieces.append(separator.join(open_))
            open_.clear()
    if open_:
        pieces.append(separator.join(open_))
    return pieces


def ends_released(text: str, release: str) -> bool:
    """Whether `text` ends in a release character that is not itself released, so that it takes what follows."""
    return bool((len(text) - len(text.rstrip(release))) % 2)


def released(value: str, delimiters: Delimiters) -> str:
    """`value` without its release characters."""
    if delimiters.release not in value:
        return value
    return _escapes(delimiters).sub(r"\1", value)


def escape(value: str, delimiters: Delimiters) -> str:
    """`value` with a release character before each service character; unchanged where the syntax has none."""
    return _service_characters(delimiters).sub(_escaper(delimiters.release), value) if value else value


def join(elements: Sequence[Sequence[str]], delimiters: Delimiters) -> str:
    """A raw segment from its elements ([0] is the tag), escaped, without trailing separators; undoes `split`."""
    escaped, between = _escaping(delimiters), delimiters.component
    return _join_trimmed([_join_components(element, escaped, between) for element in elements], delimiters.element)


def join_repeated(elements: Sequence[Sequence[Sequence[str]]], delimiters: Delimiters) -> str:
    """A raw segment from its elements with their repetitions; undoes `split_repeated`."""
    escaped, by = _escaping(delimiters), delimiters
    joined = [
        _join_trimmed([_join_components(part, escaped, by.component) for part in element], by.repetition)
        for element in elements
    ]
    return _join_trimmed(joined, by.element)


def _join_components(values: Sequence[str], escaped: Callable[[str], str], between: str) -> str:
    if len(values) == 1:  # as most elements are
        return values[0] and escaped(values[0])
    return _join_trimmed([value and escaped(value) for value in values], between)


@lru_cache(maxsize=64)
def _escaping(delimiters: Delimiters) -> Callable[[str], str]:
    """Puts a release character before each service character; kept, since most values are shorter than the looking up."""
    return partial(_service_characters(delimiters).sub, _escaper(delimiters.release))


@lru_cache(maxsize=64)
def _escaper(release: str) -> Callable[[re.Match[str]], str]:
    return lambda found: release + found[0]


def _join_trimmed(parts: Sequence[str], separator: str) -> str:
    last = len(parts)
    while last and not parts[last - 1]:
        last -= 1
    return separator.join(parts[:last])


@lru_cache(maxsize=64)
def _escapes(delimiters: Delimiters) -> re.Pattern[str]:
    return re.compile(re.escape(delimiters.release) + "(.)", re.DOTALL)


@lru_cache(maxsize=64)
def _service_characters(delimiters: Delimiters) -> re.Pattern[str]:
    if not delimiters.release:
        return re.compile("(?!)")
    characters = delimiters.terminator + delimiters.element + delimiters.component + delimiters.repetition
    return re.compile(f"[{re.escape(characters + delimiters.release)}]")
