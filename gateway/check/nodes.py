"""What a wire table is made of once it is resolved: nodes in wire order, their groups, the uses of their elements.

Both EDI dialects, and both what a directory says and what an implementation guide narrows of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.model import Syntax
from gateway.parse.segments import Delimiters, split

UNBOUNDED = 1_000_000_000
"""The maximum of what may repeat without limit."""


@dataclass(frozen=True, slots=True)
class Note:
    """A syntax note: how elements, components or members of a group (1-based positions) depend on one another."""

    kind: str
    positions: tuple[int, ...]

    def __str__(self) -> str:
        """As X12 writes it: `P0304`."""
        return self.kind + "".join(f"{position:02}" for position in self.positions)


@dataclass(frozen=True, slots=True, eq=False)
class ElementUse:
    """One element, composite or component where a segment or composite uses it."""

    number: str
    """EDIFACT: the directory number (`C246`, `1004`); X12: the position (`01`)."""
    item: str
    """The directory number in both dialects (X12: `140`, `C040`); `-` where no source names it."""
    kind: str
    """`a`, `n`, `an`; X12 `AN`, `ID`, `DT`, `TM`, `R`, `N0` to `N9`, `B`; empty for composites and unchecked ones."""
    min_length: int | None
    max_length: int | None
    """In characters; None is not checked."""
    mandatory: bool | None
    """None is not checked."""
    repeat: int = 1
    codes: frozenset[str] | None = None
    components: tuple[ElementUse, ...] = ()
    fewest: int = 1
    """Repetitions at least, of one that is there at all."""
    decimals: int | None = None
    """Digits at most behind the decimal mark; None is not checked."""
    used: bool = True
    """False where a guide says that the element is not used."""
    listed: frozenset[str] | None = None
    """The directory's own list where `codes` is what a guide takes of it."""
    pattern: str = ""
    """A regular expression that a guide asks the value to match; empty for none."""
    notes: tuple[Note, ...] = ()
    """Of a composite: how its components depend on one another."""

    @property
    def unchecked(self) -> bool:
        """Whether a fact about it is not known."""
        lengths_unknown = not self.components and self.max_length is None
        return self.mandatory is None or lengths_unknown or any(c.unchecked for c in self.components)


@dataclass(frozen=True, slots=True)
class Qualifier:
    """The value by which one definition of a tag is told from the others."""

    element: int
    component: int
    """Both from 1."""
    codes: frozenset[str]

    def fits(self, raw: str, delimiters: Delimiters) -> bool:
        """Whether the segment `raw` is one of this definition."""
        if delimiters.release and delimiters.release in raw:
            elements = split(raw, delimiters)
            parts = elements[self.element] if self.element < len(elements) else []
        else:
            text = [*raw.split(delimiters.element, self.element + 1), *[""] * self.element][self.element]
            parts = text.split(delimiters.component) if delimiters.component else [text]
        return self.component <= len(parts) and parts[self.component - 1] in self.codes


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A segment at its place in a message."""

    tag: str
    group: int
    """Index into the table's groups; 0 is the message itself."""
    minimum: int
    maximum: int
    elements: tuple[ElementUse, ...]
    notes: tuple[Note, ...] = ()
    definition: str = ""
    """Which of the definitions of its tag it goes by, where there are several: `NM1/85`."""
    qualifier: Qualifier | None = None
    choice: int = 0
    """Members of one group that stand at one position, in any order, share a number; 0 for a position of its own."""
    used: bool = True
    """False where a guide says that the segment is not used here."""

    @property
    def defined_as(self) -> str:
        """The name of its definition: the tag where that has only one."""
        return self.definition or self.tag


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """A segment group or loop; group 0 is the message itself."""

    name: str
    parent: int
    trigger: int
    """Index of the node that opens it; of a group that opens with a group, the same as that one's."""
    minimum: int
    maximum: int
    choice: int = 0
    """As that of a node."""
    used: bool = True
    notes: tuple[Note, ...] = ()
    """How its members, segments and groups in their order, depend on one another."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """One message type, resolved: nodes in wire order, groups in the order of their triggers."""

    syntax: Syntax
    format: str
    formats: tuple[str, ...]
    source: str
    digest: str
    """SHA-256 over everything that the table says."""
    nodes: tuple[Node, ...]
    groups: tuple[Group, ...]
    frames: Mapping[str, Mapping[str, Node]] = field(default_factory=dict)
    """UNH, UNS, UNT and security segments by EDIFACT's syntax version, which says what they hold, whatever the directory."""
    numbering: frozenset[str] = frozenset()
    """The tags among HL and LX whose numbers count up from one."""
    base: Table | None = None
    """Of a guide: the table that it narrows."""
    bases: tuple[int, ...] = ()
    """Of a guide: for each of its nodes, the index of the base's node that it narrows."""

    @property
    def unchecked(self) -> int:
        """How many of its element uses lack a fact, over the distinct segments."""
        segments = {id(node.elements): node.elements for node in self.nodes}
        return sum(use.unchecked for uses in segments.values() for use in uses)

    @property
    def is_plain(self) -> bool:
        """Whether each segment's place follows from the tags alone: no guide's qualifiers, choices, minima or notes."""
        triggers = [group.trigger for group in self.groups[1:]]
        return (
            len(set(triggers)) == len(triggers)
            and not any(n.qualifier or n.choice or n.minimum > 1 or not n.used for n in self.nodes)
            and not any(g.notes or g.choice or g.minimum > 1 or not g.used for g in self.groups)
        )
