"""Implementation guides: a partner's or an authority's subset of a message, laid over the table that it narrows.

A guide is a small file of schemas/guides, which says what differs and nothing else:

    {
      "narrows": "edifact:CUSDEC:D:96B:UN",             the format whose table it narrows
      "formats": ["edifact:CUSDEC:D:96B:UN:ACME10"],    optional: with the association code (S009 0057), or in X12 the
                                                        GS08 or ST03 (`x12:309:004010ACME`) by which it is chosen
      "source": "Customs of Acme, message guide 10",
      "uses": [
        ["DTM", "M 2..9"],                              at least two, at most nine
        ["FTX", "N"],                                   not used
        ["BGM/1225", "M", "9 4"],                       mandatory, and of the codes only these
        ["SG7.MOA/C516.5004", "M n..12,2"],             shorter, with two digits behind the mark
        ["SG5[3035=CN]", "M 1"],                        of groups that begin so, exactly one
        ["SG5[3035=CN].NAD/C080", "M"],                 and what is told of those alone
        ["SG5[3035=*]", "N"],                           no other ones
        ["RFF/C506.1154", "M ~[0-9]{15}"]               a pattern
      ],
      "numbering": ["LX"]                               optional: LX (HL) count up from one
    }

A place is groups and a segment joined by dots, then the element by its number, in X12 by its position (`P4/01`). A test
in brackets tells one kind of a segment or group from others of the same place, by an element of the segment or of the
group's first one; `*` is any other. A row without a test is for all of them. Where a tag stands twice in a group,
`UNS#2` is the second. An agreement may name a guide as well (`guide = "acme"`, the file's name), and is then first.

A guide narrows: what its table demands it cannot waive, and what the table forbids it cannot allow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.check.definitions import digest_of, read_numbering, read_occurrence, read_pattern, read_times, read_type
from gateway.check.nodes import ElementUse, Group, Node, Qualifier, Table
from gateway.errors import SchemaInvalid

_STEP = re.compile(r"([A-Za-z0-9]+)(?:#(\d+))?(?:\[([\w.]+)=([^\]]+)\])?")
_NUMBER = re.compile(r"([\w]+)(?:\.([\w]+))?")
_STATUS = {"M": True, "C": False, "N": False}
_ANY_OTHER = "*"
_LEAST = re.compile(r"(\?|[a-z]+|[A-Z]+\d? ?) ?\d")
"""Begins a type that says its least length: `an2..9`, `ID 2..4`, `N0 1..9`."""
_REFERENCE = re.compile(r"\\[1-9]|\(\?\(")


@dataclass(slots=True)
class _Member:
    """A segment or group of the table while rows are laid over it."""

    index: int
    """Of the table's node or group."""
    name: str
    minimum: int
    maximum: int
    used: bool
    node: Node | None = None
    """None of a group."""
    members: list[_Member] = field(default_factory=list)
    qualifier: Qualifier | None = None
    test: str = ""
    choice: int = 0
    changed: bool = False

    @property
    def trigger(self) -> _Member:
        """The segment that it begins with: itself, or a group's first."""
        return self if self.node is not None else self.members[0].trigger


def apply(base: Table, guide: Mapping[str, Any], name: str) -> Table:
    """`base` with what `guide` narrows of it; SchemaInvalid tells the row that cannot be."""
    laid = _Laid(base)
    try:
        for row in guide["uses"]:
            try:
                laid.lay(*row)
            except (ValueError, TypeError) as error:
                told = str(row[0]) if row else "a row that says nothing"
                raise SchemaInvalid(f"{name}: {told}: {error}") from error
        numbering = read_numbering(guide) | base.numbering
        nodes, groups, bases = laid.built()
        formats = tuple(guide.get("formats", ())) or base.formats
        return replace(
            base,
            format=formats[0],
            formats=formats,
            source=guide["source"],
            digest=digest_of(nodes, groups, numbering),
            nodes=tuple(nodes),
            groups=tuple(groups),
            numbering=numbering,
            base=base,
            bases=tuple(bases),
        )
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        raise SchemaInvalid(f"{name}: {type(error).__name__}: {error}") from error


class _Laid:
    """A table as a tree, and the rows that were laid over it."""

    def __init__(self, base: Table) -> None:
        self.base = base
        self.choices = max([*(n.choice for n in base.nodes), *(g.choice for g in base.groups)])
        of_group = {i: _group_member(i, g) for i, g in enumerate(base.groups)}
        opened: dict[int, list[int]] = {}
        for index, group in enumerate(base.groups[1:], 1):
            opened.setdefault(group.trigger, []).append(index)
        for index, node in enumerate(base.nodes):
            for group_index in opened.get(index, ()):
                of_group[base.groups[group_index].parent].members.append(of_group[group_index])
            of_group[node.group].members.append(_node_member(index, node))
        self.root = of_group[0]
        self.needed: dict[int, str] = {}
        """By choice, the names of what is mandatory in the table whatever kind it is of."""

    def lay(self, place: str, saying: str, codes: str = "") -> None:
        """Lay one row over the table."""
        path, _, element = place.partition("/")
        members = self._find(path)
        if not members:
            raise ValueError("there is no such segment or group")
        for member in members:
            if element:
                self._narrow_element(member.trigger, element, saying, codes)
            elif codes:
                raise ValueError("codes are an element's")
            else:
                _narrow(member, saying)

    def _find(self, path: str) -> list[_Member]:
        around = [self.root]
        for step in _steps(path):
            found = _STEP.fullmatch(step)
            if found is None:
                raise ValueError(f"{step!r} is no group or segment")
            name, which, number, value = found.groups()
            around = [m for group in around for m in self._step(group, name, int(which or 1), number, value)]
        return around

    def _step(self, group: _Member, name: str, which: int, number: str | None, value: str | None) -> list[_Member]:
        """The members of `group` that a step names: all kinds of them where it has no test."""
        of_name = [m for m in group.members if m.name == name]
        if any(m.node is None for m in of_name):
            of_name = [m for m in of_name if m.node is None]
        places = list(dict.fromkeys(m.index for m in of_name))
        if which > len(places):
            return []
        there = [m for m in of_name if m.index == places[which - 1]]
        if number is None or value is None:
            return there
        if value == _ANY_OTHER:
            return [m for m in there if m.qualifier is None]
        test = f"{number}={value}"
        same = [m for m in there if m.test == test]
        return same or [self._split(group, there[-1], number, value, test)]

    def _split(self, group: _Member, rest: _Member, number: str, value: str, test: str) -> _Member:
        """A kind of `rest` that is told by a test, which stands in its place as well."""
        node = rest.trigger.node
        assert node is not None, "a trigger is a segment"
        if node.qualifier is not None:
            raise ValueError("its table tells it apart already")
        if rest.node is not None and group is not self.root and group.members[0].index == rest.index:
            raise ValueError("opens its group: tell the groups apart")
        if self.base.groups[group.index].notes:
            raise ValueError("its group has notes on its members")
        element, component = _position(node.elements, number)
        qualifier = Qualifier(element, component or 1, frozenset(value.split("|")))
        if not rest.choice:
            self.choices += 1
            rest.choice = self.choices
        kind = _copied(rest)
        kind.test, kind.qualifier = test, qualifier
        uses = _with(node.elements, element, component, lambda use: _limited(use, qualifier.codes))
        kind.trigger.node, kind.trigger.changed = replace(node, elements=uses, qualifier=qualifier), True
        if rest.minimum:
            self.needed[rest.choice] = rest.name
        kind.minimum = rest.minimum = 0
        group.members.insert(next(at for at, m in enumerate(group.members) if m is rest), kind)
        return kind

    def _narrow_element(self, member: _Member, number: str, saying: str, codes: str) -> None:
        node = member.node
        assert node is not None, "a trigger is a segment"
        element, component = _position(node.elements, number)
        narrowed = _with(node.elements, element, component, lambda use: _narrowed(use, saying, codes))
        member.node, member.changed = replace(node, elements=narrowed), True

    def built(self) -> tuple[list[Node], list[Group], list[int]]:
        """The nodes and groups, and for each node the index of the one that it narrows."""
        nodes: list[Node] = []
        groups: list[Group] = [self.base.groups[0]]
        bases: list[int] = []
        counts: dict[str, int] = {}

        def build(member: _Member, group: int) -> None:
            if member.node is None:
                index = len(groups)
                own = self.base.groups[member.index]
                groups.append(
                    replace(
                        own,
                        parent=group,
                        trigger=len(nodes),
                        minimum=member.minimum,
                        maximum=member.maximum,
                        choice=member.choice,
                        used=member.used,
                    )
                )
                for inner in member.members:
                    build(inner, index)
                return
            definition = member.node.definition
            if member.changed:
                counts[member.node.tag] = counts.get(member.node.tag, 0) + 1
                definition = f"{member.node.tag}/guide{counts[member.node.tag]}"
            nodes.append(
                replace(
                    member.node,
                    group=group,
                    minimum=member.minimum,
                    maximum=member.maximum,
                    choice=member.choice,
                    used=member.used,
                    definition=definition,
                )
            )
            bases.append(member.index)

        for member in self.root.members:
            build(member, 0)
        met = {n.choice for n in nodes if n.minimum} | {g.choice for g in groups if g.minimum}
        for choice, name in self.needed.items():
            if choice not in met:
                raise ValueError(f"{name} is mandatory in its table, and no kind of it is")
        return nodes, groups, bases


def _copied(member: _Member) -> _Member:
    """A member of its own with all that is in it."""
    return replace(member, members=[_copied(inner) for inner in member.members])


def _group_member(index: int, group: Group) -> _Member:
    return _Member(index, group.name, group.minimum, group.maximum, group.used, choice=group.choice)


def _node_member(index: int, node: Node) -> _Member:
    return _Member(
        index, node.tag, node.minimum, node.maximum, node.used, node, qualifier=node.qualifier, choice=node.choice
    )


def _steps(path: str) -> Iterator[str]:
    """The steps of a path; a point inside a test parts nothing."""
    return (step for step in re.split(r"\.(?![^\[]*\])", path))


def _narrow(member: _Member, saying: str) -> None:
    """Let a segment or group stand as the row says."""
    if saying == "N":
        if member.minimum:
            raise ValueError("is mandatory in its table")
        member.used = False
        return
    status, _, times = saying.partition(" ")
    read = read_occurrence(f"{member.name} {status} {times or member.maximum}")
    if read.maximum < max(read.minimum, 1):
        raise ValueError(f"{saying!r} allows none; N says so")
    if read.minimum < member.minimum or read.maximum > member.maximum:
        raise ValueError(f"{saying!r} allows what its table does not")
    member.minimum, member.maximum = read.minimum, read.maximum


def _position(uses: Sequence[ElementUse], text: str) -> tuple[int, int | None]:
    """An element, and a component of it where one is named, by position from 1."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no element")
    first, second = found[1], found[2]
    for at, use in enumerate(uses, 1):
        if use.number in (first, first.zfill(2)):
            if second is None:
                return at, None
            for inner, part in enumerate(use.components, 1):
                if part.number in (second, second.zfill(2)):
                    return at, inner
        elif second is None and use.number == use.item:
            # an element of EDIFACT that a composite holds, named without it
            held = next((inner for inner, part in enumerate(use.components, 1) if part.number == first), None)
            if held is not None:
                return at, held
    raise ValueError(f"there is no element {text}")


def _with(uses: tuple[ElementUse, ...], element: int, component: int | None, change: Any) -> tuple[ElementUse, ...]:
    """`uses` with one of them, or of its components, changed."""
    use = uses[element - 1]
    if component is None:
        changed = change(use)
    else:
        parts = use.components
        changed = replace(use, components=(*parts[: component - 1], change(parts[component - 1]), *parts[component:]))
    return (*uses[: element - 1], changed, *uses[element:])


def _limited(use: ElementUse, codes: frozenset[str]) -> ElementUse:
    """`use` with `codes` alone, and what the directory lists beside them kept as known."""
    if use.codes is not None and not codes <= use.codes:
        raise ValueError(f"{', '.join(sorted(codes - use.codes))}: not in the directory's list of {use.item}")
    return replace(use, codes=codes, listed=use.listed or use.codes)


def _narrowed(use: ElementUse, saying: str, codes: str) -> ElementUse:
    """An element as the row says: `M`, `N`, `C 2..3`, `M an..10`, `C ~PATTERN`, and the codes that are left."""
    saying, _, pattern = saying.partition(" ~")
    status, *rest = saying.split(" ", 2)
    if status not in _STATUS:
        raise ValueError(f"{saying!r} says no status")
    if status == "N":
        if use.mandatory:
            raise ValueError("is mandatory in its table")
        return replace(use, used=False)
    if use.mandatory and status != "M":
        raise ValueError("is mandatory in its table")
    changed = replace(use, mandatory=_STATUS[status] or use.mandatory, pattern=_both(use.pattern, pattern))
    if rest and re.fullmatch(r"[\d.>]+", rest[0]):
        fewest, most = read_times(rest.pop(0))
        if most > use.repeat:
            raise ValueError(f"{saying!r} allows more repetitions than its table")
        fewest = fewest or use.fewest
        if fewest < use.fewest or most < fewest:
            raise ValueError(f"{saying!r} allows fewer repetitions than its table")
        changed = replace(changed, fewest=fewest, repeat=most)
    if rest:
        changed = _typed(changed, " ".join(rest))
    return _limited(changed, frozenset(codes.split())) if codes else changed


def _typed(use: ElementUse, text: str) -> ElementUse:
    """An element of the type in `text`; a bound that it does not say is that of the table, and none may be wider."""
    if use.components:
        raise ValueError("a composite has no type")
    kind, least, longest, decimals = read_type(text, use.item)
    if kind != use.kind and (not kind or use.kind not in ("", "an", "AN")):
        raise ValueError(f"is of kind {use.kind} in its table")
    if use.max_length is not None and (longest is None or longest > use.max_length):
        raise ValueError("is longer than its table allows")
    if least is None or not _LEAST.match(text):
        least = use.min_length if use.min_length is not None else least
    if use.min_length is not None and (least is None or least < use.min_length):
        raise ValueError("is shorter than its table allows")
    if longest is not None and least is not None and longest < least:
        raise ValueError(f"{text!r}: the least is more than the most")
    if decimals is None:
        decimals = use.decimals
    elif use.decimals is not None and decimals > use.decimals:
        raise ValueError("has more digits behind the mark than its table allows")
    return replace(use, kind=kind, min_length=least, max_length=longest, decimals=decimals)


def _both(table: str, row: str) -> str:
    """A pattern that asks for the table's and the row's."""
    own = read_pattern(row)
    if not table or not own or table == own:
        return own or table
    if re.compile(table).groups and _REFERENCE.search(own):
        raise ValueError(f"{row!r} refers to a group, and its table has a pattern with groups")
    return read_pattern(f"(?=(?:{table})\\Z)(?:{own})")
