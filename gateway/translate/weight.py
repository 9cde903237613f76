"""How much is lost where no row of a mapping reads what a message holds.

What is only text is told with a note; a date, a place or a code with a warning; a group, and whatever holds an amount,
a party, a container or a reference, with an error, which a lenient agreement turns into a warning. It goes by what the
standards' directories say of a segment: all that is not listed here as text weighs more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from gateway.check.nodes import ElementUse, Node, Table
from gateway.model import Syntax


class Weight(Enum):
    """What is lost; the value is the code of the finding that tells it, empty where another finding tells it already."""

    TEXT = "translate.unmapped"
    VALUE = "translate.unread"
    ELEMENT = "translate.unread.element"
    SEGMENT = "translate.unread.segment"
    GROUP = "translate.unread.group"
    PART = "translate.unread.part"
    """An XML element with others in it."""
    WITHIN = ""
    """Part of a group, or of an XML element, that is not read."""


@dataclass(frozen=True, slots=True)
class _Standard:
    """What weighs how much in one dialect, by the numbers of its directories."""

    text_segments: frozenset[str]
    text: frozenset[str]
    """Elements that hold names, addresses and descriptions, or only say whose code another one is."""
    heavy: frozenset[str]
    """Elements that hold a party, a container, a reference, or an amount that the directory calls alphanumeric."""
    heavy_segments: frozenset[str]
    """Segments whose elements no source numbers."""
    counts: frozenset[str]
    """Numeric elements that number what is sent, and measure nothing."""
    numeric: frozenset[str]


def _numbers(text: str) -> frozenset[str]:
    return frozenset(text.split())


_STANDARDS: Mapping[Syntax, _Standard] = {
    Syntax.EDIFACT: _Standard(
        # UNS parts the sections of a message; the others secure it, and are the syntax check's.
        text_segments=_numbers("FTX UNS UGH UGT USH USA USC USR USB UST USU"),
        text=_numbers(
            "1000 1131 3055 3036 3042 3124 3164 3222 3224 3228 3232 3412 4440 7008 7064 7102 7160 8066 8154 8178 8212"
        ),
        # 1004, 1154, 1366, 7140: references; 3039, 3127: parties; 8260, 9308: containers, seals; the rest: amounts.
        heavy=_numbers(
            "1004 1153 1154 1156 1366 3039 3127 5004 5025 6060 6066 6072 6162 6152 6311 6314 7140 8260 9308"
        ),
        heavy_segments=frozenset(),
        counts=_numbers("1050 1082 1222 1490 1496 1056 1058"),
        numeric=_numbers("n"),
    ),
    Syntax.X12: _Standard(
        text_segments=_numbers("NTE K1 K2 K3 MSG MTX"),
        # Names, addresses and descriptions in words.
        text=_numbers("3 19 61 93 116 152 166 182 352 369 933"),
        # 67: a party's code; 127: a reference; 206, 207: a container; 225: a seal.
        heavy=_numbers("67 76 127 128 206 207 225"),
        heavy_segments=_numbers("M7 M11 M12 M13 N1 N7 N9 N10 REF VID W2 X4"),
        counts=_numbers("554 628 734 735 736"),
        numeric=_numbers("R N N0 N1 N2 N3 N4 N5 N6 N7 N8 N9"),
    ),
}


def weigh_element(syntax: Syntax, elements: Sequence[ElementUse], element: int, component: int = 0) -> Weight:
    """The weight of one element or component; positions as a reader counts them, elements from 1, components from 0."""
    if not 0 < element <= len(elements):
        return Weight.VALUE
    use = elements[element - 1]
    if use.components:
        if component >= len(use.components):
            return Weight.VALUE
        use = use.components[component]
    standard = _STANDARDS[syntax]
    if use.item in standard.text:
        return Weight.TEXT
    return Weight.ELEMENT if _is_heavy(standard, use) else Weight.VALUE


def weigh_segment(syntax: Syntax, node: Node) -> Weight:
    """The weight of a whole segment."""
    standard = _STANDARDS[syntax]
    if node.tag in standard.text_segments:
        return Weight.TEXT
    if node.tag in standard.heavy_segments or any(_is_heavy(standard, use) for use in node.elements):
        return Weight.SEGMENT
    return Weight.VALUE


def weigh_groups(table: Table) -> tuple[Weight, ...]:
    """The weight of each group: that of text where all in it is text."""
    text = [True] * len(table.groups)
    for node in table.nodes:
        if weigh_segment(table.syntax, node) is not Weight.TEXT:
            group = node.group
            while text[group]:
                text[group] = False
                group = table.groups[group].parent
    return tuple(Weight.TEXT if is_text else Weight.GROUP for is_text in text)


def _is_heavy(standard: _Standard, use: ElementUse) -> bool:
    if use.components:
        return any(_is_heavy(standard, inner) for inner in use.components)
    if use.item in standard.heavy:
        return True
    return use.kind in standard.numeric and use.item not in standard.counts
