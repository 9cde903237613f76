"""Checks one segment against its definition: elements, components, types, lengths, codes, syntax notes.

Twice: `Reader.accepts` says yes or no at the speed of the regular expression engine, `Reader.explain`
words every fault of a segment that was not accepted. Both dialects: what differs between them is in the
delimiters and in the kinds of elements.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import islice
from operator import contains

from gateway.check import dates
from gateway.check.tables import ElementUse, Node, Note
from gateway.findings import make_finding
from gateway.model import Finding, Place
from gateway.parse.segments import Delimiters, split_repeated, split_unreleased
from gateway.spelling import nearest_code

_QUALIFIERS = frozenset({"1131", "3055"})
"""The code list qualifier and the responsible agency: where they follow a code, it is from another list."""

PERIOD, _PERIOD_FORM = "2380", "2379"
"""A date, time or period of EDIFACT, and the component after it that says its form."""
_X12_PERIOD, _X12_PERIOD_FORM = "1251", "1250"
"""The same in X12: elements, the form first."""
_CONTROL = "\x00-\x1f\x7f-\x9f"
"""Neither the basic nor the extended character set of X12.6 has control characters; separators are taken out before."""
_CONTROLS = re.compile(f"[{_CONTROL}]")
_STRINGS = frozenset({"AN", "ID"})
"""The kinds of X12 whose values are text; EDIFACT's characters are the reader's to judge, by repertoire."""
LONGEST = 64 * 1024
"""Characters of a segment that is explained fault by fault: the longest of the directories, free text in every
repetition, has under ten thousand. What is longer is one fault."""
_MOST_TOGETHER = 64
"""Kept sets of codes of a segment; a message has a few of each segment."""
_MOST_PRESENCES = 64
"""Kept verdicts on the notes of a segment; senders leave out the same elements each time."""
MOST_FAULTS = 2_000
"""Faults told of one segment unless fewer are asked for."""
_MAX_QUANTIFIER = 100_000
"""A longer maximum is no use in a regular expression; segments are capped before."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the segments of one tag under one set of delimiters."""

    match: Callable[[str], re.Match[str] | None]
    """Matches a raw segment without release characters whose elements, lengths and types are right."""
    codes: tuple[frozenset[str | None], ...]
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
    judges_apart: bool = False
    """Whether a match alone does not say that a segment is right, since there are notes or periods."""
    together: set[tuple[str | None, ...]] = field(default_factory=set, compare=False)
    """Codes that stood together in a segment and were all right; as many as there is room for."""
    presence: dict[tuple[bool, ...], bool] = field(default_factory=dict, compare=False)
    """Whether the notes are kept, by which elements are there."""

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
        return self._keeps_notes(elements) and not any(_period_faults(self.periods, elements))

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
            kept = not any(_note_faults(self.notes, elements))
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
        for note, code in _note_faults(self.notes, filled):
            positions = ", ".join(str(p) for p in note.positions)
            at = note_position(note, filled, code)
            number = self.elements[at - 1].item if at <= len(self.elements) else ""
            yield make_finding(code, replace(place, element=at), note=str(note), positions=positions, number=number)
        for at, value, form in _period_faults(self.periods, filled):
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
        return [*self.elements, *([replace(last, mandatory=False)] * extra)]

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
        if len(repetitions) > 1 and not any(repetitions[-1]):
            yield make_finding("edi.segment.trailing_separator", place)
        if len(repetitions) > use.repeat:
            yield make_finding(
                "edi.element.too_many_repetitions", place, number=use.item, max=use.repeat, count=len(repetitions)
            )
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
            if value:
                yield from self._value(component, value, at, listed=not is_of_other_list(uses, components, index))
                form = dates.FORMS.get(components[index + 1]) if is_form_beside(uses, components, index) else None
                if form and not dates.is_written(form, value):
                    number = component.item
                    yield make_finding("edi.element.invalid_period", at, value, number=number, format=form)
            elif component.mandatory:
                yield make_finding("edi.element.missing", at, number=component.item)

    def _value(self, use: ElementUse, value: str, place: Place, *, listed: bool) -> Iterator[Finding]:
        kind, length = use.kind, len(value)
        if is_numeric(kind):
            length = sum(character in "0123456789" for character in value)
            marks = _marks(kind, self.delimiters)
            mantissa, exponent, power = value.partition("E")
            if exponent and _takes_exponent(kind, exponents=self.exponents) and re.fullmatch(_POWER, power):
                length = sum(character in "0123456789" for character in mantissa)
            else:
                mantissa = value
            if not re.fullmatch(_REAL if kind == "R" else _NUMBER.format(marks=marks), mantissa):
                if not re.fullmatch(_LOOSE_NUMBER.format(marks=marks), mantissa):
                    other_mark = marks == "," and re.fullmatch(_NUMBER.format(marks="."), mantissa)
                    code = "edi.element.not_numeric_mark" if other_mark else "edi.element.not_numeric"
                    yield make_finding(code, place, value, number=use.item)
                    return
                code = "x12.element.point" if kind == "R" else "edi.element.decimal"
                yield make_finding(code, place, value, number=use.item)
            elif varies(use) and re.match("-?0[0-9]", mantissa):
                yield make_finding("edi.element.insignificant", place, value, number=use.item)
        elif kind == "a" and any(character in "0123456789" for character in value):
            yield make_finding("edi.element.not_alphabetic", place, value, number=use.item)
        elif kind in _STRINGS and _CONTROLS.search(value):
            yield make_finding("x12.element.characters", place, value, number=use.item)
        elif (kind == "ID" or _needs_text(use)) and not value.strip(" "):
            yield make_finding("edi.element.blank", place, value, number=use.item)
            return
        elif kind == "ID" and use.codes is None and not re.fullmatch(_code_form(use), value.rstrip(" ")):
            yield make_finding("edi.element.unknown_code", place, value, number=use.item)
        elif _is_padded(use, value):
            yield make_finding("edi.element.insignificant", place, value, number=use.item)
        if use.max_length is not None and length > use.max_length:
            yield make_finding("edi.element.too_long", place, value, number=use.item, length=length, max=use.max_length)
        elif use.min_length is not None and length < use.min_length and not _has_exponent(use, value):
            yield make_finding(
                "edi.element.too_short", place, value, number=use.item, length=length, min=use.min_length
            )
        elif (known := known_form(use)) and not re.fullmatch(known[0], value):
            yield make_finding(known[1], place, value, number=use.item)
        elif listed and use.codes is not None and value not in use.codes:
            near = nearest_code(value, use.codes)
            said = {"number": use.item, "near": near} if near else {"number": use.item}
            yield make_finding("edi.element.unknown_code", place, value, **said)


def reader(node: Node, delimiters: Delimiters, *, exponents: bool = False) -> Reader:
    """Compile the segment of `node` for `delimiters`."""
    builder = _Builder(delimiters)
    match = re.compile(builder.segment(node)).fullmatch
    items = [use.item for use in node.elements]
    periods = tuple(
        (at + 1, at)
        for at, (form, value) in enumerate(itertools.pairwise(items), 1)
        if (form, value) == (_X12_PERIOD_FORM, _X12_PERIOD)
    )
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
        judges_apart=bool(node.notes or periods),
    )


@lru_cache(maxsize=512)
def _match_released(node: Node, delimiters: Delimiters) -> Callable[[str], re.Match[str] | None]:
    """As `Reader.match`, where release characters may stand in values; slower, and compiled when first needed."""
    return re.compile(_Builder(delimiters, released=True).segment(node), re.DOTALL).fullmatch


@lru_cache(maxsize=512)
def _match_padded(node: Node, delimiters: Delimiters) -> Callable[[str], re.Match[str] | None]:
    """As `Reader.match`, where values may have blanks behind them and zeros before them that they do not need."""
    return re.compile(_Builder(delimiters, padded=True).segment(node)).fullmatch


_NUMBER = r"-?[0-9]+(?:[{marks}][0-9]+)?"
_REAL = r"-?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"
"""X12.6, type R: leading zeros are suppressed, so that `.5` is the proper form; a point at the end is left out."""
_POWER = "-?[0-9]{1,3}"
"""The power of ten behind E: X12.6, type R, and ISO 9735-1:1998, 10. Neither counts in the length."""
_LONGEST_OWN_CODE = 4
_CODE_CHARACTER = "[A-Z0-9]"
_CODE, _OUTER_CODE = "[A-Z0-9]+", "[A-Z0-9][A-Z0-9 ./-]*"
"""X12.6, type ID: the value is of a list of codes. Those of X12's own lists are of capitals and digits; longer ones are of
lists that others keep, such as postal codes."""
_LOOSE_NUMBER = r"-?(?:[0-9]*[{marks}][0-9]+|[0-9]+[{marks}])"


def _needs_text(use: ElementUse) -> bool:
    """X12.6, type AN: one character at least is no blank. Those of the interchange (`I02`) are padded as they are."""
    return use.kind == "AN" and not use.item.startswith("I")


def _has_exponent(use: ElementUse, value: str) -> bool:
    """Whether `value` is a number with an exponent, which says more than its digits: it has no least length."""
    return is_numeric(use.kind) and "E" in value


def _takes_exponent(kind: str, *, exponents: bool) -> bool:
    return kind == "R" or (kind == "n" and exponents)


def varies(use: ElementUse) -> bool:
    """Whether values of different lengths may stand there, so that none needs filling."""
    return use.max_length is not None and (use.min_length or 1) < use.max_length


def _code_form(use: ElementUse) -> str:
    """What a value of an ID without a list matches, blanks behind it apart."""
    return _CODE if use.max_length is not None and use.max_length <= _LONGEST_OWN_CODE else _OUTER_CODE


def _is_padded(use: ElementUse, value: str) -> bool:
    """Whether blanks stand behind `value` that are no part of it (ISO 9735-1, 9.1; X12.6): its length may be less."""
    return value.endswith(" ") and use.kind in {"an", "a", *_STRINGS} and varies(use) and not use.item.startswith("I")


def known_form(use: ElementUse) -> tuple[str, str] | None:
    """What must match the value of an element that is a date or a time, and the finding where it does not."""
    if use.kind == "DT":
        return dates.DATE, "edi.element.invalid_date"
    if use.kind == "TM":
        return dates.TIME, "edi.element.invalid_time"
    return dates.KNOWN.get(use.item)


def is_form_beside(uses: Sequence[ElementUse], components: Sequence[str], index: int) -> bool:
    """Whether component `index` is a period, and the one after it is there to say its form."""
    following = index + 1
    if uses[index].item != PERIOD or following >= min(len(uses), len(components)):
        return False
    return uses[following].item == _PERIOD_FORM and components[following] != ""


def _period_faults(periods: Sequence[tuple[int, int]], filled: Sequence[str]) -> Iterator[tuple[int, str, str]]:
    """The X12 periods among the elements `filled` (by position) that do not have their form: position, value, form."""
    for at, form_at in periods:
        value, form = (filled[at], dates.X12_FORMS.get(filled[form_at])) if at < len(filled) else ("", None)
        if value and form and not dates.is_written(form, value):
            yield at, value, form


def is_numeric(kind: str) -> bool:
    """Whether an element of that type holds a number (EDIFACT n; X12 N, N0 to N9, R)."""
    return kind in {"n", "R"} or (kind[:1] == "N" and kind[1:].isdigit()) or kind == "N"


def _marks(kind: str, delimiters: Delimiters) -> str:
    """The decimal marks a number of `kind` may hold; `^` with nothing else is none that matches."""
    if kind == "n":
        # ISO 9735-1, 10.1: comma and point are both decimal marks, unless UNA made it the comma.
        return "," if delimiters.decimal == "," else ".,"
    return "." if kind == "R" else r"^\s\S"


def is_of_other_list(uses: Sequence[ElementUse], components: Sequence[str], index: int) -> bool:
    """Whether a code list qualifier or agency right after component `index` says that its code is not the directory's."""
    for following in range(index + 1, len(uses)):
        if uses[following].item not in _QUALIFIERS:
            return False
        if following < len(components) and components[following]:
            return True
    return False


def note_position(note: Note, filled: Sequence[str], code: str) -> int:
    """The position to name for a note that `filled` (elements by position) breaks: where something is absent, that."""
    if code == "edi.note.required":
        for position in note.positions:
            if position >= len(filled) or not filled[position]:
                return position
    return note.positions[0]


def _note_faults(notes: Sequence[Note], filled: Sequence[str]) -> Iterator[tuple[Note, str]]:
    """The notes that the elements `filled` (by position) break, each with its finding code."""
    for note in notes:
        present = [position < len(filled) and filled[position] != "" for position in note.positions]
        count, first, rest = sum(present), present[0], sum(present[1:])
        lacking = {
            "P": 0 < count < len(present),
            "R": count == 0,
            "O": count == 0,
            "C": first and rest < len(present) - 1,
            "L": first and rest == 0,
        }
        exceeding = {"E": count > 1, "O": count > 1, "N": first and rest > 0}
        if lacking.get(note.kind):
            yield note, "edi.note.required"
        if exceeding.get(note.kind):
            yield note, "edi.note.excluded"


_BY_USE = sorted(dates.FORMS, key=lambda code: (code not in {"102", "203", "204", "101"}, code))
"""The codes of forms, those that nearly all messages use first."""
_NO_BLANK = "(?<! )"
"""Ends a string of X12: all blank is a fault, and ending in a blank rare enough for `explain` to tell the two apart."""


class _Builder:
    """Writes the regular expression of one segment. Values hold no service character, so it cannot backtrack far."""

    def __init__(self, delimiters: Delimiters, *, released: bool = False, padded: bool = False) -> None:
        self.delimiters = delimiters
        self.padded = padded
        service = delimiters.terminator + delimiters.element + delimiters.component
        self.service = re.escape(service + delimiters.release + delimiters.repetition)
        self.character = f"[^{self.service}]"
        """What a value is made of."""
        if released:
            self.character = f"(?:{self.character}|{re.escape(delimiters.release)}.)"
        self.printable = f"[^{self.service}{_CONTROL}]"
        """What a value of X12's strings is made of; X12 has no release character."""
        self.element = re.escape(delimiters.element)
        self.component = re.escape(delimiters.component)
        self.codes: list[frozenset[str | None]] = []

    def segment(self, node: Node) -> str:
        """The whole segment: nested optional tails, no trailing separator."""
        bodies = [self._element(use) for use in node.elements]
        tail, required = "", False
        for use, body in reversed(list(zip(node.elements, bodies, strict=True))):
            required = required or bool(use.mandatory)
            tail = self.element + (body if use.mandatory else self._optional(body)) + tail
            if not required:
                tail = f"(?:{tail}|)"
        return f"{node.tag}{tail}(?<!{self.element})"

    def _element(self, use: ElementUse) -> str:
        """One repetition; more of them are left to the thorough reader."""
        if not use.components:
            return self._value(use, 0)
        if not self.component:
            return self._value(use.components[0], 0)
        tail, beyond, required = "", "", False
        parts = []
        for index, component in enumerate(use.components):
            followers = 0
            while (
                index + followers + 1 < len(use.components)
                and use.components[index + followers + 1].item in _QUALIFIERS
            ):
                followers += 1
            parts.append(self._value(component, followers))
        for index in reversed(range(len(parts))):
            mandatory = bool(use.components[index].mandatory)
            required = required or mandatory
            own = (parts[index] if mandatory else self._optional(parts[index])) + tail
            if [u.item for u in use.components[index : index + 2]] == [PERIOD, _PERIOD_FORM]:
                own = self._period(parts[index], use.components[index + 1], parts[index + 1], beyond)
            beyond, tail = tail, (self.component if index else "") + own
            if index and not required:
                tail = f"(?:{tail}|)"
        # A composite that is there holds something, and does not end in a separator.
        present = f"(?!{self.element}|$)" if use.mandatory and not required else ""
        return f"{present}{tail}(?<!{self.component})"

    def _period(self, value: str, form: ElementUse, form_value: str, beyond: str) -> str:
        """A period, its form and what stands `beyond` them: of a form that is known, it is one; of another, any value.

        A period may be left out beside its form.
        """
        anything = self.character
        known = [code for code in _BY_USE if form.codes is None or code in form.codes]
        forms = "|".join(
            dates.expression(dates.FORMS[code]).replace(r"[^\s]", anything) + self.component + code for code in known
        )
        other = f"(?:{value}{self.component}(?!(?:{'|'.join(known)})(?!{anything}))|{self.component}){form_value}"
        alone = "" if form.mandatory else f"|{value}"
        return f"(?:(?:(?:{forms})(?!{anything})|{other}){beyond}{alone})"

    def _optional(self, part: str) -> str:
        """`part` or nothing; as an alternative, which the engine tries much faster than a repetition of 0 to 1."""
        for character in (self.character, self.printable, _CODE_CHARACTER):
            size = part.removeprefix(character)
            if found := re.fullmatch(rf"\{{1,([0-9]*\}}(?:{re.escape(_NO_BLANK)})?)", size):
                return f"{character}{{0,{found[1]}"
        return f"(?:{part}|)"

    def _value(self, use: ElementUse, followers: int) -> str:
        """One value; a code that up to `followers` qualifiers may say is from another list is captured if none does."""
        shortest, longest = use.min_length or 1, "" if use.max_length is None else min(use.max_length, _MAX_QUANTIFIER)
        size = f"{{{shortest},{longest}}}"
        if use.kind == "B":
            return f"{self.character}+"
        if known := known_form(use):
            value = f"(?=[0-9]{size}(?![0-9])){known[0]}"
        elif is_numeric(use.kind):
            mark = f"[{_marks(use.kind, self.delimiters)}]"
            form, lead = f"[0-9]+{mark}[0-9]+", ""
            if use.kind == "R":
                form, lead = r"(?:[0-9]+\.[0-9]+|\.[0-9]+)", r"\.?"
            digits = f"(?={lead}(?:[0-9]{mark}?){size}(?![0-9]|{mark})){form}"
            whole = "" if self.padded or not varies(use) else "(?!0[0-9])"
            # A number with an exponent is rare enough for `explain`.
            value = f"-?{whole}(?:[0-9]{size}|{digits})"
        elif use.kind == "ID" and use.codes is None:
            # A code that is filled up to its least length is rare enough for `explain`.
            value = f"{_CODE_CHARACTER}{size}"
            if _code_form(use) is _OUTER_CODE:
                most = "" if longest == "" else int(longest) - 1
                value = f"{_CODE_CHARACTER}[A-Z0-9 ./-]{{{shortest - 1},{most}}}{_NO_BLANK}"
        elif self.padded and use.kind in _STRINGS:
            value = (f"(?= *[^ {self.service}{_CONTROL}])" if _needs_text(use) else "") + self.printable + size
        elif use.kind == "a":
            value = f"[^{self.service}0-9]{size}" + ("" if self.padded or not varies(use) else _NO_BLANK)
        elif use.kind in _STRINGS:
            value = self.printable + size + (_NO_BLANK if _needs_text(use) else "")
        elif use.kind == "an" and varies(use) and not self.padded:
            value = f"{self.character}{size}{_NO_BLANK}"
        else:
            value = f"{self.character}{size}"
        if use.codes is None:
            return value
        self.codes.append(use.codes | {None})
        if not followers:
            return f"({value})"
        other = "|".join(self.component * n + self.character for n in range(1, followers + 1))
        return f"(?:{value}(?={other})|({value}))"
