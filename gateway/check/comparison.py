"""What differs between two wire tables, or between two directories: structure, elements, codes.

Groups are numbered anew in each directory, so structures are aligned by what stands in them and not by the numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from gateway.check.nodes import UNBOUNDED, ElementUse, Group, Node, Table

ADDED, REMOVED, CHANGED = "added", "removed", "changed"


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs: what it is, where, and what each side says of it; empty where that side has it not."""

    kind: str
    """`added`, `removed` or `changed`, seen from the first to the second."""
    what: str
    """`message`, `group`, `segment`, `composite`, `element` or `code`."""
    place: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of a structure, or one use: what it is aligned by, and what is compared."""

    key: tuple[object, ...]
    what: str
    place: str
    says: str
    node: Node | None = None


def compare_tables(before: Table, after: Table) -> list[Difference]:
    """The differences of two messages: structure first, then the segments that both have, then codes."""
    found: list[Difference] = []
    elements: list[Difference] = []
    compared: set[tuple[int, int]] = set()
    ours, theirs = _structure(before), _structure(after)
    found += _aligned(ours, theirs)
    for old, new in _pairs(ours, theirs):
        if old.node is None or new.node is None or (id(old.node.elements), id(new.node.elements)) in compared:
            continue
        compared.add((id(old.node.elements), id(new.node.elements)))
        elements += _aligned(_elements(old.node), _elements(new.node))
    # A segment that stands at many places is told once.
    return [*found, *dict.fromkeys(elements), *_codes(_coded(before), _coded(after))]


def compare_directories(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """The differences of what two directory files define: segments, composites, elements, codes."""
    found: list[Difference] = []
    for kind, what in (("segments", "segment"), ("composites", "composite")):
        ours, theirs = before.get(kind, {}), after.get(kind, {})
        found += _only(ours, theirs, what)
        for name in [name for name in ours if name in theirs]:
            found += _aligned(_uses(name, ours[name]), _uses(name, theirs[name]))
    ours, theirs = before.get("elements", {}), after.get("elements", {})
    found += _only(ours, theirs, "element")
    found += [
        Difference(CHANGED, "element", item, ours[item], theirs[item])
        for item in ours
        if item in theirs and ours[item] != theirs[item]
    ]
    ours, theirs = ({k: frozenset(v.split()) for k, v in side.get("codes", {}).items()} for side in (before, after))
    return [*found, *_codes(ours, theirs)]


def occurrence_of(what: Node | Group) -> str:
    """How a segment or group stands: `M 2..9`, `C any`, `N 1`."""
    status = "N" if not what.used else "M" if what.minimum else "C"
    most = "any" if what.maximum >= UNBOUNDED else str(what.maximum)
    return f"{status} {what.minimum}..{most}" if what.minimum > 1 else f"{status} {most}"


def use_of(use: ElementUse) -> str:
    """How an element is used: `M an..35`, `C 5`, `? AN2..15`, `N`."""
    status = "N" if not use.used else {True: "M", False: "C", None: "?"}[use.mandatory]
    most = "any" if use.repeat >= UNBOUNDED else str(use.repeat)
    repeat = f"{use.fewest}..{most}" if use.fewest > 1 else most if use.repeat > 1 else ""
    return " ".join(part for part in (status, repeat, type_of(use), use.pattern and f"~{use.pattern}") if part)


def type_of(use: ElementUse) -> str:
    """The type as the standards write it: `an..35`, `n3`, `AN 2..15`, `n..12,2`; empty where it is not checked."""
    if use.max_length is None:
        return use.kind
    least, most = use.min_length or 1, str(use.max_length)
    lengths = (
        most if least == use.max_length else f"{least}..{most}" if least > 1 or use.kind.isupper() else f"..{most}"
    )
    decimals = "" if use.decimals is None else f",{use.decimals}"
    return f"{use.kind}{' ' if use.kind.isupper() else ''}{lengths}{decimals}"


def _aligned(before: Sequence[_Row], after: Sequence[_Row]) -> Iterator[Difference]:
    for how, first, last, start, end in _blocks(before, after):
        if how == "equal":
            for old, new in zip(before[first:last], after[start:end], strict=True):
                if old.says != new.says:
                    yield Difference(CHANGED, old.what, old.place, old.says, new.says)
            continue
        yield from (Difference(REMOVED, row.what, row.place, before=row.says) for row in before[first:last])
        yield from (Difference(ADDED, row.what, row.place, after=row.says) for row in after[start:end])


def _pairs(before: Sequence[_Row], after: Sequence[_Row]) -> Iterator[tuple[_Row, _Row]]:
    """The rows that stand for one another."""
    for how, first, last, start, end in _blocks(before, after):
        if how == "equal":
            yield from zip(before[first:last], after[start:end], strict=True)


def _blocks(before: Sequence[_Row], after: Sequence[_Row]) -> Sequence[tuple[str, int, int, int, int]]:
    return SequenceMatcher(None, [row.key for row in before], [row.key for row in after], autojunk=False).get_opcodes()


def _structure(table: Table) -> list[_Row]:
    rows: list[_Row] = []
    opened: dict[int, list[int]] = {}
    for index, group in enumerate(table.groups[1:], 1):
        opened.setdefault(group.trigger, []).append(index)
    for index, node in enumerate(table.nodes):
        for at in opened.get(index, ()):
            group = table.groups[at]
            path = path_of(table, group.parent)
            rows.append(
                _Row((len(path), "group", node.tag), "group", ".".join([*path, group.name]), occurrence_of(group))
            )
        path = path_of(table, node.group)
        place = ".".join([*path, f"{node.tag}{qualifier_of(node)}"])
        rows.append(_Row((len(path), "segment", node.tag), "segment", place, occurrence_of(node), node))
    return rows


def path_of(table: Table, group: int) -> list[str]:
    """The names of a group and of those around it, the outermost first; none of the message itself."""
    path: list[str] = []
    while group:
        path.append(table.groups[group].name)
        group = table.groups[group].parent
    return path[::-1]


def qualifier_of(node: Node) -> str:
    """What tells a segment from others of its tag: `[01=85]`; empty where nothing does."""
    if node.qualifier is None:
        return ""
    use = node.elements[node.qualifier.element - 1]
    part = f".{node.qualifier.component}" if use.components else ""
    return f"[{use.number}{part}={'|'.join(sorted(node.qualifier.codes))}]"


def _elements(node: Node) -> list[_Row]:
    rows: list[_Row] = []
    tag = f"{node.tag}{qualifier_of(node)}"
    for use in node.elements:
        name = use.number if use.number == use.item else f"{use.number} {use.item}"
        rows.append(_Row((use.item,), "element", f"{tag}/{name}", use_of(use)))
        rows += [_Row((use.item, c.item), "element", f"{tag}/{name}.{c.number}", use_of(c)) for c in use.components]
    return rows


def _coded(table: Table) -> dict[str, frozenset[str]]:
    """The codes of each element, at whatever place they are taken."""
    found: dict[str, frozenset[str]] = {}
    for node in table.nodes:
        for use in node.elements:
            for part in (use, *use.components):
                if part.codes is not None:
                    found[part.item] = found.get(part.item, frozenset()) | part.codes
    return found


def _codes(before: Mapping[str, frozenset[str]], after: Mapping[str, frozenset[str]]) -> Iterator[Difference]:
    for item in sorted(before.keys() & after.keys()):
        yield from (Difference(REMOVED, "code", item, before=code) for code in sorted(before[item] - after[item]))
        yield from (Difference(ADDED, "code", item, after=code) for code in sorted(after[item] - before[item]))


def _only(before: Mapping[str, Any], after: Mapping[str, Any], what: str) -> Iterator[Difference]:
    yield from (Difference(REMOVED, what, name, before=_said(before[name])) for name in before if name not in after)
    yield from (Difference(ADDED, what, name, after=_said(after[name])) for name in after if name not in before)


def _said(definition: object) -> str:
    return ", ".join(definition) if isinstance(definition, list) else str(definition)


def _uses(name: str, texts: Sequence[str]) -> list[_Row]:
    split = [text.split(" ", 1) for text in texts]
    return [_Row((item,), "element", f"{name}/{item}", says) for item, says in split]
