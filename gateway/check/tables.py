"""Wire tables: which segments a message has, in which order, and what each element may hold. Both EDI dialects.

A table is found in a catalogue by the message's type, and resolved once for it.

The form of its files, one folder per directory (`schemas/edifact/d96b`, `schemas/x12/004010`):

`directory.json` holds the segments, composites, elements and codes that the folder's messages use:

    {
      "source": "UN/EDIFACT D.96B",              where the facts come from
      "extends": "../service-4",                 optional: another folder, asked for what is not here
      "segments":   {"BGM": ["C002 C", "C106 C", "1225 C", "4343 C"]},
      "composites": {"C002": ["1001 C", "1131 C", "3055 C", "1000 C"]},
      "elements":   {"1001": "an..3", "1131": "an..3"},
      "codes":      {"1225": "1 2 3 4 5"},       an element that is not here takes any value
      "notes":      {"REF": ["R0203"]}           syntax notes, see below
    }

One file per message, named after it (`CUSDEC.json`, `309.json`):

    {
      "formats": ["edifact:CUSDEC:D:96B:UN"],    the types it serves
      "source": "UN/EDIFACT D.96B, CUSDEC_D.96B",
      "structure": [
        "UNH M 1",                               tag, status, maximum; `>1` has no maximum
        "BGM M 1",
        ["SG1 C 9", "RFF M 1", "DTM C 1"],       a group: its name, status, maximum, then its members;
        "UNT M 1"                                the first member is its trigger
      ]
    }

A message may also hold `segments`, `composites`, `elements`, `codes` and `notes` of its own, which go
before the directory's.

A use is `number status [repeat] [type]`: `C002 C`, `7402 M 5`, `140 M`. Status is M, C, O or X, or `?`
where no source says. A type is a kind and a length: `an..35`, `a3`, `n..15`; X12 `ID 2..4`, `N0 1..9`, `AN ..80`,
`DT 8`. A kind without length leaves the length unchecked; `?` leaves the kind unchecked too. The
number `-` stands for an element that no source names.

A syntax note is a letter and two digits per position, as X12 writes it: P all or none, R one or more,
E one at most, C if the first then all, L if the first then one more at least. UN/EDIFACT's dependency notes
D2 to D6 mean the same; D1 (one and only one) is written `O`, D7 (if first then none of the others) `N`.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.catalogue import SCHEMAS, Catalogue, compiled
from gateway.errors import SchemaInvalid
from gateway.model import Syntax
from gateway.parse.segments import MessageType

UNBOUNDED = 1_000_000_000
"""The maximum of what may repeat without limit."""

_STATUS = {"M": True, "C": False, "O": False, "X": False, "?": None}
_TYPE = re.compile(r"(\?|[a-z]+|[A-Z]+\d?(?= |$)) ?(?:(\d+)?(\.\.)?(\d+)?)")
_NOTE = re.compile(r"[PRECLON](?:\d\d)+")


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

    @property
    def unchecked(self) -> bool:
        """Whether a fact about it is not known."""
        lengths_unknown = not self.components and self.max_length is None
        return self.mandatory is None or lengths_unknown or any(c.unchecked for c in self.components)


@dataclass(frozen=True, slots=True)
class Note:
    """A syntax note: how elements of a segment (1-based positions) depend on one another."""

    kind: str
    positions: tuple[int, ...]

    def __str__(self) -> str:
        """As X12 writes it: `P0304`."""
        return self.kind + "".join(f"{position:02}" for position in self.positions)


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


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """A segment group or loop; group 0 is the message itself."""

    name: str
    parent: int
    trigger: int
    """Index of the node that opens it."""
    minimum: int
    maximum: int


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
    """UNH, UNS and UNT by EDIFACT's syntax version, which says what they hold, whatever directory the message is of."""

    @property
    def unchecked(self) -> int:
        """How many of its element uses lack a fact, over the distinct segments."""
        segments = {id(node.elements): node.elements for node in self.nodes}
        return sum(use.unchecked for uses in segments.values() for use in uses)


def find(catalogue: Catalogue, message_type: MessageType) -> Table | None:
    """The table for `message_type`, or None; an X12 version falls back to its first six digits (`004010`)."""
    table = _find(catalogue, message_type.syntax, message_type.name, message_type.format)
    if table is None and message_type.syntax is Syntax.X12 and len(message_type.version) > 6:
        format_ = MessageType(Syntax.X12, message_type.name, message_type.version[:6]).format
        table = _find(catalogue, message_type.syntax, message_type.name, format_)
    return table


def is_outdated(catalogue: Catalogue, message_type: MessageType) -> bool:
    """Whether an X12 set is not known in its version, and is in another."""
    if message_type.syntax is not Syntax.X12 or find(catalogue, message_type) is not None:
        return False
    return bool(_by_message(catalogue).get((Syntax.X12, message_type.name)))


def _find(catalogue: Catalogue, syntax: Syntax, message: str, format_: str) -> Table | None:
    # What a message is called comes from the wire: nothing is kept for names that no file has.
    for name in _by_message(catalogue).get((syntax, message), ()):
        if format_ in read_json(catalogue, name).get("formats", ()):
            return load(catalogue, name)
    return None


@compiled
def _by_message(catalogue: Catalogue) -> Mapping[tuple[Syntax, str], Sequence[str]]:
    """The names of the message files, by syntax and by what the message is called."""
    found: dict[tuple[Syntax, str], list[str]] = {}
    for name in available(catalogue):
        message = posixpath.basename(name).removesuffix(_ENDING)
        found.setdefault((_syntax(name), message), []).append(name)
    return found


def available(catalogue: Catalogue) -> tuple[str, ...]:
    """The names of the message files of both dialects."""
    names = [name for syntax in (Syntax.EDIFACT, Syntax.X12) for name in catalogue.names(_folder(syntax), _ENDING)]
    # Three folders, and the file: what lies elsewhere is no message's.
    return tuple(name for name in names if name.count("/") == 3 and posixpath.basename(name) != _DIRECTORY)


@compiled
def formats(catalogue: Catalogue) -> frozenset[str]:
    """Every format that a message file serves."""
    return frozenset(name for file in available(catalogue) for name in read_json(catalogue, file).get("formats", ()))


_FRAME = ("UNH", "UNS", "UNT")


@compiled
def service(catalogue: Catalogue, version: str) -> Mapping[str, Node]:
    """The EDIFACT service segments (UNB, UNG, UNE, UNZ and all others) of syntax version `version`, by tag."""
    folder = f"{_folder(Syntax.EDIFACT)}/{'service-4' if version == '4' else 'service-3'}"
    lookup = _Lookup(Syntax.EDIFACT, [read_json(catalogue, f"{folder}/{_DIRECTORY}")])
    return {tag: Node(tag, 0, 1, 1, lookup.segment(tag), lookup.notes(tag)) for tag in lookup.layers[0]["segments"]}


@compiled
def load(catalogue: Catalogue, name: str) -> Table:
    """The table of the message file of that name; SchemaInvalid where it does not hold together."""
    message, syntax = read_json(catalogue, name), _syntax(name)
    table = resolve(syntax, message, _directories(catalogue, posixpath.dirname(name)), name=name)
    return framed(catalogue, table)


def framed(catalogue: Catalogue, table: Table) -> Table:
    """`table` with UNH, UNS and UNT as each syntax version of EDIFACT has them; X12's as it is."""
    if table.syntax is not Syntax.EDIFACT:
        return table
    frames = {version: {tag: service(catalogue, version)[tag] for tag in _FRAME} for version in ("3", "4")}
    return replace(table, frames=frames)


@compiled
def read_json(catalogue: Catalogue, name: str) -> Any:
    """A file of schemas/, parsed; SchemaInvalid where it is no JSON object."""
    try:
        value = json.loads(catalogue.read(name))
    except ValueError as error:
        raise SchemaInvalid(f"{name}: {error}") from error
    if not isinstance(value, dict):
        raise SchemaInvalid(f"{name}: not an object")
    return value


_ENDING, _DIRECTORY = ".json", "directory.json"


def _folder(syntax: Syntax) -> str:
    return f"{SCHEMAS}/{syntax.value}"


def _syntax(name: str) -> Syntax:
    """The dialect of a message file, by its folder."""
    return Syntax.X12 if name.startswith(f"{_folder(Syntax.X12)}/") else Syntax.EDIFACT


def _directories(catalogue: Catalogue, folder: str) -> list[dict[str, Any]]:
    """The folder's directory and those it extends, nearest first."""
    chain: list[dict[str, Any]] = []
    seen: set[str] = set()
    while True:
        if folder in seen:
            raise SchemaInvalid(f"{folder}/{_DIRECTORY}: extends itself")
        seen.add(folder)
        directory = read_json(catalogue, f"{folder}/{_DIRECTORY}")
        chain.append(directory)
        if "extends" not in directory:
            return chain
        folder = posixpath.normpath(f"{folder}/{directory['extends']}")


def resolve(syntax: Syntax, message: Mapping[str, Any], directories: Sequence[Mapping[str, Any]], name: str) -> Table:
    """`message` with what `directories` say about its segments, as a table; SchemaInvalid names `name`."""
    try:
        lookup = _Lookup(syntax, [message, *directories])
        nodes: list[Node] = []
        groups: list[Group] = [Group("", 0, 0, 1, 1)]
        _place(message["structure"], 0, lookup, nodes, groups)
        formats = tuple(message["formats"])
        digest = hashlib.sha256(repr(_facts(nodes, groups)).encode()).hexdigest()
        return Table(syntax, formats[0], formats, message["source"], digest, tuple(nodes), tuple(groups))
    except (KeyError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise SchemaInvalid(f"{name}: {type(error).__name__}: {error}") from error


def _place(members: Sequence[Any], group: int, lookup: _Lookup, nodes: list[Node], groups: list[Group]) -> None:
    """Append `members` of `group`, depth first, which is wire order."""
    for member in members:
        if isinstance(member, str):
            tag, minimum, maximum = _occurrence(member)
            nodes.append(Node(tag, group, minimum, maximum, lookup.segment(tag), lookup.notes(tag)))
            continue
        name, minimum, maximum = _occurrence(member[0])
        if not isinstance(member[1], str):
            raise TypeError(f"group {name} opens with a group")
        groups.append(Group(name, group, len(nodes), minimum, maximum))
        _place(member[1:], len(groups) - 1, lookup, nodes, groups)


def _occurrence(text: str) -> tuple[str, int, int]:
    """`BGM M 1` as tag, minimum, maximum."""
    tag, status, maximum = text.split(" ")
    return tag, int(bool(_STATUS[status])), UNBOUNDED if maximum == ">1" else int(maximum)


class _Lookup:
    """Resolves segments against layers of definitions, the nearest first."""

    def __init__(self, syntax: Syntax, layers: Sequence[Mapping[str, Any]]) -> None:
        self.syntax = syntax
        self.layers = layers
        self._segments: dict[str, tuple[ElementUse, ...]] = {}
        self._codes: dict[str, frozenset[str] | None] = {}

    def _get(self, kind: str, key: str) -> Any:
        for layer in self.layers:
            if key in layer.get(kind, {}):
                return layer[kind][key]
        return None

    def segment(self, tag: str) -> tuple[ElementUse, ...]:
        """The element uses of `tag`; every node of a tag shares one tuple."""
        if tag not in self._segments:
            uses = self._get("segments", tag)
            if uses is None:
                raise ValueError(f"segment {tag} is not defined")
            self._segments[tag] = tuple(self._use(use, position) for position, use in enumerate(uses, 1))
        return self._segments[tag]

    def notes(self, tag: str) -> tuple[Note, ...]:
        """The syntax notes of `tag`."""
        notes = self._get("notes", tag) or ()
        for note in notes:
            if not _NOTE.fullmatch(note):
                raise ValueError(f"{tag}: {note!r} is no syntax note")
        return tuple(Note(n[0], tuple(int(n[i : i + 2]) for i in range(1, len(n), 2))) for n in notes)

    def _use(self, text: str, position: int) -> ElementUse:
        item, status, *rest = text.split(" ", 3)
        repeat = rest.pop(0) if rest and (rest[0].isdigit() or rest[0] == ">1") else "1"
        number = f"{position:02}" if self.syntax is Syntax.X12 else item
        repeats = UNBOUNDED if repeat == ">1" else int(repeat)
        mandatory = _STATUS[status]
        components = self._get("composites", item)
        if components is not None:
            uses = tuple(self._use(component, at) for at, component in enumerate(components, 1))
            return ElementUse(number, item, "", None, None, mandatory, repeats, None, uses)
        kind, shortest, longest = self._type(item, " ".join(rest) or self._get("elements", item))
        return ElementUse(number, item, kind, shortest, longest, mandatory, repeats, self.codes(item))

    def _type(self, item: str, text: str | None) -> tuple[str, int | None, int | None]:
        if text is None and item != "-":
            raise ValueError(f"element {item} is not defined")
        found = _TYPE.fullmatch(text or "?")
        if found is None:
            raise ValueError(f"{item}: {text!r} is no type")
        kind, first, dots, last = found.groups()
        kind = "" if kind == "?" else kind
        if first is None and last is None:
            return kind, None, None
        if not dots:
            return kind, int(first), int(first)
        return kind, int(first or 1), int(last) if last else None

    def codes(self, item: str) -> frozenset[str] | None:
        """The code list of an element; None where any value may stand."""
        if item not in self._codes:
            codes = self._get("codes", item)
            self._codes[item] = None if codes is None else frozenset(codes.split())
        return self._codes[item]


def _facts(nodes: Sequence[Node], groups: Sequence[Group]) -> tuple[object, ...]:
    """Everything a table says, in an order that depends on nothing else."""
    segments: dict[str, object] = {}
    for node in nodes:
        segments.setdefault(node.tag, ([_use_facts(use) for use in node.elements], [str(n) for n in node.notes]))
    return (
        [(n.tag, n.group, n.minimum, n.maximum) for n in nodes],
        [(g.name, g.parent, g.trigger, g.minimum, g.maximum) for g in groups],
        sorted(segments.items()),
    )


def _use_facts(use: ElementUse) -> tuple[object, ...]:
    codes = None if use.codes is None else sorted(use.codes)
    lengths = (use.min_length, use.max_length)
    return (use.item, use.kind, lengths, use.mandatory, use.repeat, codes, [_use_facts(c) for c in use.components])
