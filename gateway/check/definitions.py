"""Reads the form that wire tables are written in: what a message file and its directories say, resolved into a table.

The form is described in `tables`, where its files are found.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gateway.check.nodes import UNBOUNDED, ElementUse, Group, Node, Note, Qualifier, Table
from gateway.errors import SchemaInvalid
from gateway.model import Syntax

MESSAGE = "message"
"""The name by which notes speak of the message itself, where others name a group."""
UNKNOWN_VERSION = ""
"""Stands for a format that says no version: what has a version of its own is not left out then."""

_STATUS = {"M": True, "C": False, "O": False, "X": False, "?": None, "N": False}
_NOT_USED = "N"
_TYPE = re.compile(r"(\?|[a-z]+|[A-Z]+\d?(?= |$)) ?(?:(\d+)?(\.\.)?(\d+)?)(?:,(\d+))?")
_NOTE = re.compile(r"[PRECLON](?:\d\d)+")
_TIMES = re.compile(r"(?:(\d+)\.\.)?(\d+|>1)")
_MARK = re.compile(r"(.*?) ?(>=|<)([0-9A-Z]+)")
"""A mark behind what is there only from a version on (`>=005010`), or until it (`<005010`)."""
_QUALIFIER = re.compile(r"(\d+)(?:\.(\d+))?=(.+)")
_MOST_DEEP = 20
"""Groups in groups: the deepest of the directories, GOVCBR, has seven."""


def resolve(
    syntax: Syntax,
    message: Mapping[str, Any],
    directories: Sequence[Mapping[str, Any]],
    name: str,
    format_: str = "",
) -> Table:
    """`message` with what `directories` say about its segments, as a table for `format_`; SchemaInvalid names `name`.

    Where no format is given, it is the first that the message names.
    """
    try:
        formats = tuple(message["formats"])
        chosen = format_ or formats[0]
        lookup = Lookup(syntax, [message, *directories], version_of(syntax, chosen))
        placed = _Placed(lookup)
        placed.place(message["structure"], 0)
        placed.note_groups()
        numbering = read_numbering(message)
        digest = digest_of(placed.nodes, placed.groups, numbering)
        return Table(
            syntax,
            chosen,
            formats,
            message["source"],
            digest,
            tuple(placed.nodes),
            tuple(placed.groups),
            numbering=numbering,
        )
    except (KeyError, ValueError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise SchemaInvalid(f"{name}: {type(error).__name__}: {error}") from error


def read_numbering(message: Mapping[str, Any]) -> frozenset[str]:
    """The tags whose numbers count up from one; ValueError where one of them has no such numbers."""
    numbering = frozenset(message.get("numbering", ()))
    if not numbering <= {"HL", "LX"}:
        raise ValueError(f"numbering is of HL and LX, not {', '.join(sorted(numbering))}")
    return numbering


def version_of(syntax: Syntax, format_: str) -> str:
    """The version by which marks in a table are judged: of X12 `005010`, of EDIFACT the release (`96B`)."""
    parts = format_.split(":")
    at = 2 if syntax is Syntax.X12 else 3
    return parts[at] if len(parts) > at else UNKNOWN_VERSION


def is_marked(facts: Mapping[str, Any]) -> bool:
    """Whether a message or directory file says anything for some versions only."""

    def marked(value: Any) -> bool:
        if isinstance(value, str):
            return ">=" in value or "<" in value
        if isinstance(value, Mapping):
            return any(map(marked, value.values()))
        return isinstance(value, list) and any(map(marked, value))

    return any(marked(facts.get(kind)) for kind in ("structure", "segments", "composites", "codes"))


def _maybe_in_version(text: str, version: str) -> str | None:
    """`text` without its marks; None where it is not there in `version`."""
    while found := _MARK.fullmatch(text):
        text, how, bound = found.groups()
        if version and ((how == ">=") != (_sortable(version) >= _sortable(bound))):
            return None
    return text


def _sortable(version: str) -> tuple[int, str]:
    """A version as versions follow one another: UN/EDIFACT's 99B comes before 01B."""
    if re.fullmatch(r"\d\d[A-Z]", version):
        return int(version[:2]) + (1900 if version >= "80" else 2000), version[2:]
    return 0, version


@dataclass(frozen=True, slots=True)
class Occurrence:
    """How a member stands in its group: `REF M 2..5`."""

    name: str
    minimum: int
    maximum: int
    used: bool

    @property
    def tag(self) -> str:
        """The segment's tag: a definition is named after it, `NM1/85`."""
        return self.name.partition("/")[0]


def read_occurrence(text: str) -> Occurrence:
    """`BGM M 1`, `REF M 2..5`, `FTX N 9` as what they say; ValueError where it is none of them."""
    name, status, times = text.split(" ")
    fewest, most = read_times(times)
    if status == _NOT_USED:
        return Occurrence(name, 0, most, used=False)
    mandatory = bool(_STATUS[status])
    if fewest > 1 and not mandatory:
        raise ValueError(f"{text!r} is not mandatory, and stands {fewest} times at least")
    return Occurrence(name, max(fewest, int(mandatory)) if mandatory else 0, most, used=True)


def read_times(text: str) -> tuple[int, int]:
    """`9`, `2..5`, `>1`, `2..>1` as least and most; the least is 0 where it is not said."""
    found = _TIMES.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no number of occurrences")
    fewest, most = int(found[1] or 0), UNBOUNDED if found[2] == ">1" else int(found[2])
    if fewest > most:
        raise ValueError(f"{text!r}: the least is more than the most")
    return fewest, most


class _Placed:
    """The nodes and groups of a structure, as they are placed."""

    def __init__(self, lookup: Lookup) -> None:
        self.lookup = lookup
        self.nodes: list[Node] = []
        self.groups: list[Group] = [Group("", 0, 0, 1, 1)]
        self.choices = 0

    def place(self, members: Sequence[Any], group: int, choice: int = 0, deep: int = 0) -> None:
        """Append `members` of `group`, depth first, which is wire order."""
        if deep > _MOST_DEEP:
            raise ValueError(f"groups stand in more than {_MOST_DEEP} others")
        for member in members:
            if isinstance(member, Mapping):
                self.choices += 1
                self.place(member["any"], group, self.choices, deep)
            elif isinstance(member, str):
                self._segment(member, group, choice)
            else:
                self._group(member, group, choice, deep)

    def _segment(self, text: str, group: int, choice: int) -> None:
        unmarked = _maybe_in_version(text, self.lookup.version)
        if unmarked is None:
            return
        read = read_occurrence(unmarked)
        qualifier, elements = self.lookup.qualified(read.name)
        notes = self.lookup.notes(read.name)
        definition = "" if read.name == read.tag else read.name
        self.nodes.append(
            Node(read.tag, group, read.minimum, read.maximum, elements, notes, definition, qualifier, choice, read.used)
        )

    def _group(self, member: Sequence[Any], group: int, choice: int, deep: int) -> None:
        unmarked = _maybe_in_version(member[0], self.lookup.version)
        if unmarked is None:
            return
        read = read_occurrence(unmarked)
        opening = member[1]
        if isinstance(opening, Mapping):
            raise TypeError(f"group {read.name} opens with a choice")
        if not isinstance(opening, str) and not read_occurrence(opening[0].split(" >=")[0].split(" <")[0]).minimum:
            raise TypeError(f"group {read.name} opens with a group that may be absent")
        index = len(self.groups)
        self.groups.append(Group(read.name, group, len(self.nodes), read.minimum, read.maximum, choice, read.used))
        self.place(member[1:], index, deep=deep + 1)
        if self.groups[index].trigger == len(self.nodes):
            raise ValueError(f"group {read.name} holds nothing")

    def note_groups(self) -> None:
        """Give the groups the notes that speak of their members."""
        for index, group in enumerate(self.groups):
            notes = self.lookup.between(group.name if index else MESSAGE)
            if notes:
                self.groups[index] = replace(group, notes=notes)


class Lookup:
    """Resolves segments against layers of definitions, the nearest first."""

    def __init__(self, syntax: Syntax, layers: Sequence[Mapping[str, Any]], version: str = UNKNOWN_VERSION) -> None:
        self.syntax = syntax
        self.layers = layers
        self.version = version
        self._segments: dict[str, tuple[ElementUse, ...]] = {}
        self._codes: dict[str, frozenset[str] | None] = {}

    def _get(self, kind: str, *keys: str) -> Any:
        for key in keys:
            for layer in self.layers:
                if key in layer.get(kind, {}):
                    return layer[kind][key]
        return None

    def segment(self, name: str) -> tuple[ElementUse, ...]:
        """The element uses of a segment by its tag or the name of one of its definitions; its nodes share one tuple."""
        if name not in self._segments:
            uses = self._get("segments", name, name.partition("/")[0])
            if uses is None:
                raise ValueError(f"segment {name} is not defined")
            self._segments[name] = self._uses(uses)
        return self._segments[name]

    def qualified(self, name: str) -> tuple[Qualifier | None, tuple[ElementUse, ...]]:
        """What tells the definition `name` from others of its tag, and its uses, which take no other value there."""
        text = self._get("qualifiers", name)
        uses = self.segment(name)
        if text is None:
            return None, uses
        found = _QUALIFIER.fullmatch(text)
        if found is None:
            raise ValueError(f"{name}: {text!r} is no qualifier; such as 01=85,87 or 01.1=ABC")
        element, component, codes = int(found[1]), int(found[2] or 1), frozenset(found[3].split(","))
        narrowed = f"{name}={text}"
        if narrowed not in self._segments:
            use = uses[element - 1]
            if use.components:
                inner = use.components
                parts = (*inner[: component - 1], _limited(inner[component - 1], codes), *inner[component:])
                limited = replace(use, components=parts)
            else:
                limited = _limited(use, codes)
            self._segments[narrowed] = (*uses[: element - 1], limited, *uses[element:])
        return Qualifier(element, component, codes), self._segments[narrowed]

    def notes(self, name: str) -> tuple[Note, ...]:
        """The notes of a segment or a composite."""
        return tuple(read_note(text, name) for text in self._get("notes", name, name.partition("/")[0]) or ())

    def between(self, group: str) -> tuple[Note, ...]:
        """The notes of a group's members, or of the message's."""
        return tuple(read_note(text, group) for text in self._get("between", group) or ())

    def _uses(self, texts: Sequence[str]) -> tuple[ElementUse, ...]:
        there = [text for text in (_maybe_in_version(text, self.version) for text in texts) if text is not None]
        return tuple(self._use(text, position) for position, text in enumerate(there, 1))

    def _use(self, text: str, position: int) -> ElementUse:
        text, _, pattern = text.partition(" ~")
        text, _, listed = text.partition(" =")
        item, status, *rest = text.split(" ", 3)
        fewest, repeats = read_times(rest.pop(0)) if rest and _TIMES.fullmatch(rest[0]) else (1, 1)
        number = f"{position:02}" if self.syntax is Syntax.X12 else item
        mandatory, used = _STATUS[status], status != _NOT_USED
        components = self._get("composites", item)
        if components is not None:
            return ElementUse(
                number if self.syntax is Syntax.X12 else item.partition("/")[0],
                item.partition("/")[0],
                "",
                None,
                None,
                mandatory,
                repeats,
                components=self._uses(components),
                fewest=max(fewest, 1),
                used=used,
                notes=self.notes(item),
            )
        kind, shortest, longest, decimals = self._type(item, " ".join(rest) or self._get("elements", item))
        return ElementUse(
            number,
            item,
            kind,
            shortest,
            longest,
            mandatory,
            repeats,
            frozenset(listed.split(",")) if listed else self.codes(item),
            fewest=max(fewest, 1),
            decimals=decimals,
            used=used,
            listed=self.codes(item) if listed else None,
            pattern=read_pattern(pattern),
        )

    def _type(self, item: str, text: str | None) -> tuple[str, int | None, int | None, int | None]:
        if text is None and item != "-":
            raise ValueError(f"element {item} is not defined")
        return read_type(text or "?", item)

    def codes(self, item: str) -> frozenset[str] | None:
        """The code list of an element; None where any value may stand."""
        if item not in self._codes:
            codes = self._get("codes", item)
            there = None if codes is None else (_maybe_in_version(code, self.version) for code in codes.split())
            self._codes[item] = None if there is None else frozenset(code for code in there if code is not None)
        return self._codes[item]


def read_type(text: str, item: str) -> tuple[str, int | None, int | None, int | None]:
    """`an..35`, `n..12,2`, `ID 2..4` as kind, least and most length, and most digits behind the mark; None is unchecked."""
    found = _TYPE.fullmatch(text)
    if found is None:
        raise ValueError(f"{item}: {text!r} is no type")
    kind, first, dots, last, decimals = found.groups()
    kind = "" if kind == "?" else kind
    behind = None if decimals is None else int(decimals)
    if first is None and last is None:
        return kind, None, None, behind
    if not dots:
        return kind, int(first), int(first), behind
    return kind, int(first or 1), int(last) if last else None, behind


def read_pattern(text: str) -> str:
    """A regular expression that can be compiled; ValueError says why it cannot, which readers of files tell with its place."""
    try:
        return re.compile(text).pattern
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{text!r} is no pattern: {error}") from error


def read_note(text: str, name: str) -> Note:
    """A syntax note such as P0304; ValueError names what it is of."""
    if not _NOTE.fullmatch(text):
        raise ValueError(f"{name}: {text!r} is no syntax note")
    return Note(text[0], tuple(int(text[i : i + 2]) for i in range(1, len(text), 2)))


def _limited(use: ElementUse, codes: frozenset[str]) -> ElementUse:
    """`use` with no other values than `codes`; what the directory lists beside them stays known as such."""
    return replace(use, codes=codes, listed=use.listed if use.codes is None else use.listed or use.codes)


def digest_of(nodes: Sequence[Node], groups: Sequence[Group], numbering: frozenset[str]) -> str:
    """The SHA-256 over everything a table says, in an order that depends on nothing else."""
    segments: dict[str, object] = {}
    for node in nodes:
        segments.setdefault(node.defined_as, ([_use_facts(use) for use in node.elements], [str(n) for n in node.notes]))
    facts: list[object] = [
        [(n.tag, n.group, n.minimum, n.maximum, *_node_facts(n)) for n in nodes],
        [(g.name, g.parent, g.trigger, g.minimum, g.maximum, *_group_facts(g)) for g in groups],
        sorted(segments.items()),
    ]
    if numbering:
        facts.append(sorted(numbering))
    return hashlib.sha256(repr(tuple(facts)).encode()).hexdigest()


def _node_facts(node: Node) -> list[object]:
    """What few nodes say, so that the others keep the digest they have."""
    qualifier = node.qualifier
    told = qualifier and (qualifier.element, qualifier.component, sorted(qualifier.codes))
    facts = (node.definition, told, node.choice, node.used)
    return [] if facts == ("", None, 0, True) else [facts]


def _group_facts(group: Group) -> list[object]:
    facts = (group.choice, group.used, [str(note) for note in group.notes])
    return [] if facts == (0, True, []) else [facts]


def _use_facts(use: ElementUse) -> tuple[object, ...]:
    codes = None if use.codes is None else sorted(use.codes)
    lengths = (use.min_length, use.max_length)
    listed = None if use.listed is None else sorted(use.listed)
    rare = (use.fewest, use.decimals, use.used, listed, use.pattern, [str(note) for note in use.notes])
    more: list[object] = [] if rare == (1, None, True, None, "", []) else [rare]
    inner = [_use_facts(component) for component in use.components]
    return (use.item, use.kind, lengths, use.mandatory, use.repeat, codes, inner, *more)
