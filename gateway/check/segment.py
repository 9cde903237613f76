"""Checks one segment against its definition: elements, components, types, lengths, codes, syntax notes.

Twice: `Reader.accepts` says yes or no at the speed of the regular expression engine, `Reader.explain`
words every fault of a segment that was not accepted. Both dialects: what differs between them is in the
delimiters and in the kinds of elements.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import islice
from operator import contains

from gateway.check import dates
from gateway.check.expressions import Builder
from gateway.check.nodes import ElementUse, Node, Note
from gateway.check.notes import broken_notes, note_position
from gateway.check.values import (
    CONTROLS,
    LOOSE_NUMBER,
    NUMBER,
    POWER,
    REAL,
    STRINGS,
    X12_PERIOD,
    X12_PERIOD_FORM,
    code_form,
    count_decimals,
    has_exponent,
    is_form_beside,
    is_numeric,
    is_of_other_list,
    is_padded,
    known_form,
    marks_of,
    needs_text,
    period_faults,
    takes_exponent,
    varies,
)
from gateway.findings import make_finding
from gateway.model import Finding, Place
from gateway.parse.segments import Delimiters, split_repeated, split_unreleased
from gateway.spelling import nearest_code

LONGEST = 64 * 1024
"""Characters of a segment that is explained fault by fault: the longest of the directories, free text in every
repetition, has under ten thousand. What is longer is one fault."""
_MOST_TOGETHER = 64
"""Kept sets of codes of a segment; a message has a few of each segment."""
_MOST_PRESENCES = 64
"""Kept verdicts on the notes of a segment; senders leave out the same elements each time."""
MOST_FAULTS = 2_000
"""Faults told of one segment unless fewer are asked for."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the segments of one tag under one set of delimiters."""

    match: Callable[[str], re.Match[str] | None]
    """Matches a raw segment without release characters whose elements, lengths and types are right."""
    codes: tuple[Container[str | None], ...]
    """What each captured group of the match may be; None where the element is absent."""
    tag: str
    elements: tuple[ElementUse, ...]
    notes: tuple[Note, ...]
    node: Node
    delimiters: Delimiters
    exponents: bool = False
    """Whether numbers of kind n may have one, as they may from syntax version 4 on."""
    periods: tuple[tuple[int, int], ...] = ()
    """Positions of an X12 period and its form, which the match does not judge."""
    noted: tuple[tuple[int, tuple[Note, ...]], ...] = ()
    """The positions of composites that have notes of their own."""
    judges_apart: bool = False
    """Whether a match alone does not say that a segment is right, since there are notes or periods."""
    together: set[tuple[str | None, ...]] = field(default_factory=set, compare=False)
    """Codes that stood together in a segment and were all right; as many as there is room for."""
    presence: dict[tuple[bool, ...], bool] = field(default_factory=dict, compare=False)
    """Whether the notes are kept, by which elements are there."""

    @property
    def at_once(self) -> Callable[[str], object]:
        """As `accepts`, for many segments, with what is true or false as a value: by the match alone where it can be."""
        match, together, accepts = self.match, self.together, self.accepts
        if self.judges_apart:
            return accepts
        if not (self.codes or self.delimiters.release):
            return match

        def accepts_codes(raw: str) -> bool:
            found = match(raw)
            return (found is not None and found.groups() in together) or accepts(raw)

        return accepts_codes

    def accepts(self, raw: str) -> bool:
        """Whether `raw` has no fault; False also where only `explain` can tell."""
        found = self.match(raw)
        if found is None:
            release = self.delimiters.release
            if not release or release not in raw:
                return False
            found = _match_released(self.node, self.delimiters)(raw)
        return self._judged(found, raw)

    def accepts_padded(self, raw: str) -> bool:
        """Whether `raw` has no fault but zeros and blanks that it does not need; False where only `explain` can tell."""
        return self._judged(_match_padded(self.node, self.delimiters)(raw), raw)

    def _judged(self, found: re.Match[str] | None, raw: str) -> bool:
        """Whether what was matched in `raw` is right: its codes, its syntax notes, its periods."""
        if found is None:
            return False
        if self.codes and not self._are_codes(found.groups()):
            return False
        if not self.judges_apart:
            return True
        release = self.delimiters.release
        elements = (
            split_unreleased(raw, self.delimiters.element, release) if release else raw.split(self.delimiters.element)
        )
        return (
            self._keeps_notes(elements)
            and not any(period_faults(self.periods, elements))
            and all(self._keeps_own(at, notes, elements) for at, notes in self.noted)
        )

    def _keeps_own(self, at: int, notes: Sequence[Note], elements: Sequence[str]) -> bool:
        """Whether the composite at position `at` of `elements`, where it is there, keeps its own notes."""
        if at >= len(elements) or not elements[at]:
            return True
        separator, release = self.delimiters.component, self.delimiters.release
        if release:
            parts = split_unreleased(elements[at], separator, release)
        else:
            parts = elements[at].split(separator) if separator else [elements[at]]
        return not any(broken_notes(notes, [True, *map(bool, parts)]))

    def _are_codes(self, values: tuple[str | None, ...]) -> bool:
        """Whether each of the captured `values` is of its list."""
        if values in self.together:
            return True
        if not all(map(contains, self.codes, values)):
            return False
        if len(self.together) < _MOST_TOGETHER:
            self.together.add(values)
        return True

    def _keeps_notes(self, elements: Sequence[str]) -> bool:
        """Whether no syntax note is broken, which depends on which elements are there alone."""
        present = tuple(map(bool, elements))
        kept = self.presence.get(present)
        if kept is None:
            kept = not any(broken_notes(self.notes, present))
            if len(self.presence) < _MOST_PRESENCES:
                self.presence[present] = kept
        return kept

    def explain(self, raw: str, place: Place, most: int = MOST_FAULTS) -> list[Finding]:
        """The faults of `raw`, which stands at `place`: the first `most` of them."""
        if len(raw) > LONGEST:
            parts = raw[: 100 * LONGEST].split(self.delimiters.element)[1:] or [raw]
            longest = max(range(len(parts)), key=lambda at: len(parts[at]))
            place = replace(place, element=min(longest + 1, max(len(self.elements), 1)))
            return [make_finding("edi.segment.too_long", place, raw[:40], length=len(raw), max=LONGEST)]
        return list(islice(self._faults(split_repeated(raw, self.delimiters), place), most))

    def _faults(self, elements: list[list[list[str]]], place: Place) -> Iterator[Finding]:
        yield from self._whole(elements, place)
        uses = self._uses(len(elements) - 1)
        for position, use in enumerate(uses, 1):
            repetitions = elements[position] if position < len(elements) else []
            yield from self._element(use, repetitions, replace(place, element=position))
        filled = ["".join(map("".join, repetitions)) for repetitions in elements]
        for note, excess in broken_notes(self.notes, [True, *map(bool, filled[1:])]):
            positions = ", ".join(str(p) for p in note.positions)
            at = note_position(note, filled, excess=excess)
            number = self.elements[at - 1].item if at <= len(self.elements) else ""
            yield make_finding(
                _NOTE_CODES[excess], replace(place, element=at), note=str(note), positions=positions, number=number
            )
        for at, value, form in period_faults(self.periods, filled):
            number = self.elements[at - 1].item
            yield make_finding(
                "edi.element.invalid_period", replace(place, element=at), value, number=number, format=form
            )

    def _uses(self, count: int) -> Sequence[ElementUse]:
        """The use of each position. Without a repetition separator the last one repeats in positions of its own."""
        last = self.elements[-1] if self.elements else None
        if last is None or last.repeat == 1 or self.delimiters.repetition:
            return self.elements
        extra = min(last.repeat - 1, max(0, count - len(self.elements)))
        return [*self.elements, *([replace(last, mandatory=False, fewest=1)] * extra)]

    def _whole(self, elements: list[list[list[str]]], place: Place) -> Iterator[Finding]:
        if len(elements[0][0]) > 1 or len(elements[0]) > 1:
            yield make_finding("edi.segment.nesting", place)
        count = len(elements) - 1
        while count and not any(map(any, elements[count])):
            count -= 1
        if count < len(elements) - 1:
            yield make_finding("edi.segment.trailing_separator", replace(place, element=len(elements) - 1))
        allowed = len(self._uses(count))
        if count > allowed:
            at = replace(place, element=allowed + 1)
            yield make_finding("edi.segment.too_many_elements", at, max=allowed, count=count)

    def _element(self, use: ElementUse, repetitions: list[list[str]], place: Place) -> Iterator[Finding]:
        if not any(map(any, repetitions)):
            if use.mandatory:
                yield make_finding("edi.element.missing", place, number=use.item)
            if any(len(components) > 1 for components in repetitions) or len(repetitions) > 1:
                yield make_finding("edi.segment.trailing_separator", place)
            return
        if not use.used:
            yield make_finding("edi.element.not_used", place, _joined(repetitions), number=use.item)
            return
        if len(repetitions) > 1 and not any(repetitions[-1]):
            yield make_finding("edi.segment.trailing_separator", place)
        if len(repetitions) > use.repeat:
            yield make_finding(
                "edi.element.too_many_repetitions", place, number=use.item, max=use.repeat, count=len(repetitions)
            )
        filled = sum(map(any, repetitions))
        if self.delimiters.repetition and filled < use.fewest:
            yield make_finding("edi.element.too_few_repetitions", place, number=use.item, min=use.fewest, count=filled)
        for number, components in enumerate(repetitions, 1):
            if any(components):
                at = replace(place, repetition=number) if len(repetitions) > 1 else place
                yield from self._components(use, components, at)

    def _components(self, use: ElementUse, components: list[str], place: Place) -> Iterator[Finding]:
        uses = use.components or (use,)
        count = len(components)
        while not components[count - 1]:
            count -= 1
        if count < len(components):
            yield make_finding("edi.segment.trailing_separator", place)
        if count > len(uses):
            at = replace(place, component=len(uses) + 1)
            yield make_finding("edi.element.too_many_components", at, number=use.item, max=len(uses), count=count)
        for index, component in enumerate(uses):
            at = replace(place, component=index + 1) if use.components else place
            value = components[index] if index < count else ""
            if value and not component.used:
                yield make_finding("edi.element.not_used", at, value, number=component.item)
            elif value:
                yield from self._value(component, value, at, listed=not is_of_other_list(uses, components, index))
                form = dates.FORMS.get(components[index + 1]) if is_form_beside(uses, components, index) else None
                if form and not dates.is_written(form, value):
                    number = component.item
                    yield make_finding("edi.element.invalid_period", at, value, number=number, format=form)
            elif component.mandatory:
                yield make_finding("edi.element.missing", at, number=component.item)
        for note, excess in broken_notes(use.notes, [True, *map(bool, components)]):
            position = note_position(note, ["", *components], excess=excess)
            number = uses[position - 1].item if position <= len(uses) else use.item
            yield make_finding(
                _NOTE_CODES[excess],
                replace(place, component=position),
                note=str(note),
                positions=", ".join(map(str, note.positions)),
                number=number,
            )

    def _value(self, use: ElementUse, value: str, place: Place, *, listed: bool) -> Iterator[Finding]:
        kind, length = use.kind, len(value)
        if is_numeric(kind):
            length = sum(character in "0123456789" for character in value)
            marks = marks_of(kind, self.delimiters)
            mantissa, exponent, power = value.partition("E")
            if exponent and takes_exponent(kind, exponents=self.exponents) and re.fullmatch(POWER, power):
                length = sum(character in "0123456789" for character in mantissa)
            else:
                mantissa = value
            if not re.fullmatch(REAL if kind == "R" else NUMBER.format(marks=marks), mantissa):
                if not re.fullmatch(LOOSE_NUMBER.format(marks=marks), mantissa):
                    other_mark = marks == "," and re.fullmatch(NUMBER.format(marks="."), mantissa)
                    code = "edi.element.not_numeric_mark" if other_mark else "edi.element.not_numeric"
                    yield make_finding(code, place, value, number=use.item)
                    return
                code = "x12.element.point" if kind == "R" else "edi.element.decimal"
                yield make_finding(code, place, value, number=use.item)
            elif varies(use) and re.match("-?0[0-9]", mantissa):
                yield make_finding("edi.element.insignificant", place, value, number=use.item)
            if use.decimals is not None and count_decimals(mantissa) > use.decimals:
                yield make_finding("edi.element.too_many_decimals", place, value, number=use.item, max=use.decimals)
        elif kind == "a" and any(character in "0123456789" for character in value):
            yield make_finding("edi.element.not_alphabetic", place, value, number=use.item)
        elif kind in STRINGS and CONTROLS.search(value):
            yield make_finding("x12.element.characters", place, value, number=use.item)
        elif (kind == "ID" or needs_text(use)) and not value.strip(" "):
            yield make_finding("edi.element.blank", place, value, number=use.item)
            return
        elif kind == "ID" and use.codes is None and not re.fullmatch(code_form(use), value.rstrip(" ")):
            yield make_finding("edi.element.unknown_code", place, value, number=use.item)
        elif is_padded(use, value):
            yield make_finding("edi.element.insignificant", place, value, number=use.item)
        if use.max_length is not None and length > use.max_length:
            yield make_finding("edi.element.too_long", place, value, number=use.item, length=length, max=use.max_length)
        elif use.min_length is not None and length < use.min_length and not has_exponent(use, value):
            yield make_finding(
                "edi.element.too_short", place, value, number=use.item, length=length, min=use.min_length
            )
        elif (form := known_form(use)) and not re.fullmatch(form[0], value):
            yield make_finding(form[1], place, value, number=use.item)
        elif listed and use.codes is not None and value not in use.codes:
            if use.listed is not None and value in use.listed:
                yield make_finding("edi.element.code_not_in_guide", place, value, number=use.item)
            else:
                near = nearest_code(value, use.codes)
                said = {"number": use.item, "near": near} if near else {"number": use.item}
                yield make_finding("edi.element.unknown_code", place, value, **said)
        elif listed and use.pattern and not re.fullmatch(use.pattern, value):
            yield make_finding("edi.element.pattern", place, value, number=use.item, pattern=use.pattern)


def reader(node: Node, delimiters: Delimiters, *, exponents: bool = False) -> Reader:
    """Compile the segment of `node` for `delimiters`."""
    builder = Builder(delimiters)
    match = re.compile(builder.segment(node)).fullmatch
    items = [use.item for use in node.elements]
    periods = tuple(
        (at + 1, at)
        for at, (form, value) in enumerate(itertools.pairwise(items), 1)
        if (form, value) == (X12_PERIOD_FORM, X12_PERIOD)
    )
    noted = tuple((at, use.notes) for at, use in enumerate(node.elements, 1) if use.notes)
    return Reader(
        match,
        tuple(builder.codes),
        node.tag,
        node.elements,
        node.notes,
        node,
        delimiters,
        exponents,
        periods,
        noted,
        judges_apart=bool(node.notes or periods or noted),
    )


@lru_cache(maxsize=512)
def _match_released(node: Node, delimiters: Delimiters) -> Callable[[str], re.Match[str] | None]:
    """As `Reader.match`, where release characters may stand in values; slower, and compiled when first needed."""
    return re.compile(Builder(delimiters, released=True).segment(node), re.DOTALL).fullmatch


@lru_cache(maxsize=512)
def _match_padded(node: Node, delimiters: Delimiters) -> Callable[[str], re.Match[str] | None]:
    """As `Reader.match`, where values may have blanks behind them and zeros before them that they do not need."""
    return re.compile(Builder(delimiters, padded=True).segment(node)).fullmatch


_NOTE_CODES = {False: "edi.note.required", True: "edi.note.excluded"}
"""The finding of a broken note, by whether there is too much."""


def _joined(repetitions: Sequence[Sequence[str]]) -> str:
    """The first value of an element, for people."""
    return next((value for components in repetitions for value in components if value), "")
