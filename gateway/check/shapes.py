"""Remembers which shapes of segments are right, so that most segments are judged by a look-up and not read.

A segment's shape is the segment with each digit, each capital and each small letter replaced by one sign:
`MOA+38:1250.40:USD` has the shape of `MOA+40:7731.05:CNY`. Types, lengths, separators, blanks and syntax notes depend
on the shape alone. What depends on the values themselves is few places of it: codes of a list, days and periods, and a
zero before other digits. So the first segments of a shape are judged by `segment.Reader`; once the reader has accepted
two of them, the shape is kept with the places to look at, and a further one costs a look-up and those looks. A look
that fails says nothing: the reader judges that segment.

Shapes come from the wire, and anyone can send new ones on purpose; free text makes new ones without a purpose. So the
memory is bounded, and so is the work: a tag whose memory is full, or that has tried for long to fill it, learns nothing
more for as long as it takes many segments to miss, and then begins anew, the next time after twice as many. Meanwhile
what misses is read at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate

from gateway.check import dates
from gateway.check.nodes import ElementUse
from gateway.check.segment import Reader
from gateway.check.values import PERIOD, is_form_beside, is_numeric, is_of_other_list, known_form, varies
from gateway.parse.segments import Delimiters

Look = tuple[slice, Container[str]]
"""A place in a segment, and what may stand there."""
UNKNOWN: tuple[Look, ...] = ((slice(0), frozenset()),)
"""The looks of a shape that is not known: one that always fails."""
MOST = 128
"""Shapes kept of one tag. Codes, references and amounts make a few dozen; a tag with more holds free text."""
MOST_TRIES = 8 * MOST
"""Segments of one tag that are looked at to learn their shapes: what comes in shapes fills its memory with a quarter of it."""
REST = 8_192
"""Segments that miss before a tag whose memory is closed begins anew: learning is then a small part of reading them."""
LONGEST_REST = 64 * REST
"""The most that it waits: after it, a sender whose segments come in few shapes has them known again."""
MOST_ONCE = 512
"""Shapes that came once so far and are waited for, over all tags of a table."""
LONGEST = 256
"""Bytes of a shape that is kept; longer ones are free text, and do not come twice."""
KEY = 3
"""Characters of a segment by which the walk knows its tag, before it asks for the shape."""

_DIGIT, _CAPITAL, _SMALL = b"0", b"A", b"a"
_CONTROLS_OF_C1 = b"\xc2"
"""In UTF-8 the first byte of the control characters 80 to 9F (and of a few others), which X12 does not allow."""
_NO_LEADING_ZERO = frozenset("123456789")


def signs(delimiters: Delimiters) -> bytes | None:
    """The table for `bytes.translate` that makes shapes of UTF-8; None where a delimiter is a letter, a digit or no ASCII.

    A character beyond ASCII keeps how many bytes it has, so that a place in one segment is the same in another of the
    same shape.
    """
    service = delimiters.terminator + delimiters.element + delimiters.component
    service += delimiters.release + delimiters.repetition
    if not service.isascii() or any(map(str.isalnum, service)):
        return None
    table = bytearray(range(256))
    for first, last, sign in (
        (ord("0"), ord("9"), _DIGIT),
        (ord("A"), ord("Z"), _CAPITAL),
        (ord("a"), ord("z"), _SMALL),
        (0x80, 0xBF, b"\x80"),
        (0xC3, 0xDF, b"\xc3"),
        (0xE0, 0xEF, b"\xe0"),
        (0xF0, 0xF4, b"\xf0"),
    ):
        table[first : last + 1] = sign * (last + 1 - first)
    return bytes(table)


class Known(dict[bytes, tuple[Look, ...]]):
    """The looks that are left of each shape that is right, for the segments of one tag."""

    tries = 0
    """How many segments were looked at to learn from since it began."""
    accepts: Callable[[str], object] | None = None
    """Once it is closed: says of a segment whether it is right, at once; what comes back is true or false as a value is."""
    left = 0
    """How many segments more may miss before it begins anew."""
    rest = REST
    """How many may when it closes next; twice as many each time, since what closes it again and again is free text."""

    def close(self, read: Reader) -> None:
        """Learn nothing more for a while: `read` judges what misses, by the match alone where nothing else counts."""
        self.left, self.rest = self.rest, min(self.rest * 2, LONGEST_REST)
        self.accepts = read.at_once

    def miss(self) -> None:
        """One segment more has missed; at last the memory begins anew."""
        self.left -= 1
        if not self.left:
            self.clear()
            self.tries, self.accepts = 0, None


class Shapes:
    """The shapes known of the segments of one table under one set of delimiters."""

    def __init__(self, delimiters: Delimiters) -> None:
        self._delimiters = delimiters
        self._signs = signs(delimiters)
        self._by_tag: dict[str, Known] = {}
        self._once: set[bytes] = set()

    def known(self, tag: str) -> Known:
        """The shapes of the segments of `tag`: the same value each time, which `learn` fills."""
        return self._by_tag.setdefault(tag, Known())

    def of(self, segments: Sequence[str]) -> Sequence[bytes]:
        """The shape of each segment; empty where these delimiters allow none."""
        if self._signs is None:
            return [b""] * len(segments)
        terminator = self._delimiters.terminator
        text = terminator.join(segments).encode("utf-8", "surrogatepass")
        shapes = text.translate(self._signs).split(terminator.encode())
        if len(shapes) != len(segments):  # a released terminator stands in one of them
            return [raw.encode("utf-8", "surrogatepass").translate(self._signs) for raw in segments]
        return shapes

    def learn(self, known: Known, read: Reader, raw: str, shape: bytes) -> None:
        """Keep `shape`, that of `raw`, which `read` has accepted, in `known` if it came before."""
        if known.accepts is not None:
            known.miss()
            return
        known.tries += 1
        if shape not in self._once:
            if len(self._once) >= MOST_ONCE:
                self._once.clear()
            self._once.add(shape)
        elif shape not in known and self._can_keep(read, raw, shape):
            known[shape] = tuple(_looks(read, raw))
        if len(known) >= MOST or known.tries >= MOST_TRIES:
            known.close(read)

    def _can_keep(self, read: Reader, raw: str, shape: bytes) -> bool:
        """Whether the shape tells enough: not where values hold released characters or perhaps controls of C1."""
        release = self._delimiters.release
        return (
            len(read.tag) <= KEY
            and 0 < len(shape) <= LONGEST
            and _CONTROLS_OF_C1 not in shape
            and not (release and release in raw)
        )


class _Written:
    """The values that match an expression."""

    def __init__(self, expression: str) -> None:
        self._match = re.compile(expression).fullmatch

    def __contains__(self, value: object) -> bool:
        return isinstance(value, str) and self._match(value) is not None


class _Periods:
    """The pairs of a period and the code of its form, joined by `separator`, in which the period has that form."""

    def __init__(self, separator: str, forms: Mapping[str, str], *, form_first: bool) -> None:
        self._separator, self._forms, self._form_first = separator, forms, form_first

    def __contains__(self, pair: object) -> bool:
        first, _, second = str(pair).partition(self._separator)
        code, value = (first, second) if self._form_first else (second, first)
        form = self._forms.get(code)
        return form is None or dates.is_written(form, value)


def _looks(read: Reader, raw: str) -> Iterator[Look]:
    """What the verdict on `raw`, which `read` accepts, depends on beside its shape."""
    delimiters = read.delimiters
    elements = raw.split(delimiters.element)
    starts = [0, *accumulate(len(element) + 1 for element in elements)]
    for position, use in enumerate(read.elements[: len(elements) - 1], 1):
        if not elements[position] or not _is_looked_at(use):
            continue
        values = elements[position].split(delimiters.component) if delimiters.component else [elements[position]]
        yield from _element_looks(use.components or (use,), values, starts[position], delimiters)
    for at, form_at in read.periods:
        if at < len(elements) and elements[at] and elements[form_at]:
            pair = slice(starts[form_at], starts[at] + len(elements[at]))
            yield pair, _Periods(delimiters.element, dates.X12_FORMS, form_first=True)


@lru_cache(maxsize=4_096)
def _is_looked_at(use: ElementUse) -> bool:
    """Whether a value of `use`, or of a component of it, can need a look."""
    if use.components:
        return any(map(_is_looked_at, use.components))
    return bool(use.codes is not None or use.pattern or is_numeric(use.kind) or known_form(use) or use.item == PERIOD)


def _element_looks(
    uses: Sequence[ElementUse], values: Sequence[str], start: int, delimiters: Delimiters
) -> Iterator[Look]:
    """The looks at one element of those `values`, whose text begins at `start`."""
    for index, (use, value) in enumerate(zip(uses, values, strict=False)):
        place = slice(start, start + len(value))
        start += len(value) + 1
        if not value or use.kind == "B":
            continue
        if is_form_beside(uses, values, index):
            pair = slice(place.start, start + len(values[index + 1]))
            yield pair, _Periods(delimiters.component, dates.FORMS, form_first=False)
        if known := known_form(use):
            yield place, _Written(known[0])
        elif is_numeric(use.kind) and varies(use) and re.match("-?[0-9][0-9]", value):
            first = place.start + value.startswith("-")
            yield slice(first, first + 1), _NO_LEADING_ZERO
        if is_of_other_list(uses, values, index):
            continue
        if use.codes is not None:
            yield place, use.codes
        if use.pattern:
            yield place, _Written(use.pattern)
