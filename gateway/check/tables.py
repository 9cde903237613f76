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

A maximum may have a minimum before it, `REF M 2..5`; status N says that a segment or group is not used. A group may
open with a group that is mandatory, which then opens both. Members in `{"any": [...]}` stand at one position, in any
order, each as often as it says. A segment may be defined more than once: `NM1/85 M 1` goes by the definition of that
name in `segments` (by that of NM1 where there is none), and where `qualifiers` has it too,

      "qualifiers": {"NM1/85": "01=85"}            element 1 (01.2: its component 2) is one of these codes

only segments that fit stand there; of members in any order, the one without a qualifier comes last.

A use is `number status [repeat] [type]`: `C002 C`, `7402 M 5`, `140 M`. Status is M, C, O or X, `?` where no source
says, or N for an element that is not used; a repeat may have a minimum too. A type is a kind and a length: `an..35`,
`a3`, `n..15`; X12 `ID 2..4`, `N0 1..9`, `AN ..80`, `DT 8`; `n..12,2` has two digits at most behind the mark. A kind
without length leaves the length unchecked; `?` leaves the kind unchecked too. The number `-` stands for an element
that no source names. Behind it `=85,87` are the codes that are taken here, and a last part `~[0-9]{9}` is a pattern that
values match. A composite `C003/2` is another definition of C003.

What a message has only from a version on, or until one, is marked so: `1705 O >=005010`, `HL M 1 <004030`, and codes
`"618": "1 2 I5>=005010"`. A file that serves several formats then says what each of them has.

A syntax note is a letter and two digits per position, as X12 writes it: P all or none, R one or more,
E one at most, C if the first then all, L if the first then one more at least. UN/EDIFACT's dependency notes
D2 to D6 mean the same; D1 (one and only one) is written `O`, D7 (if first then none of the others) `N`. Notes are of a
segment's elements or of a composite's components. Those between segments are a message's `between`: under the name of
a group (`message` for the message itself) the notes of its members, segments and groups in their order.

`numbering` in a message names those of HL and LX that count up from one. What partners and authorities narrow of a
table is a guide (see `guides`). Names for people are in another file (see `names`).
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gateway.catalogue import SCHEMAS, Catalogue, compiled
from gateway.check import guides
from gateway.check.definitions import Lookup, is_marked, resolve
from gateway.check.nodes import Node, Table
from gateway.errors import SchemaInvalid
from gateway.model import Syntax
from gateway.parse.segments import MessageType


def find(catalogue: Catalogue, message_type: MessageType, guide: str = "") -> Table | None:
    """The table for `message_type`, or None; an X12 version falls back to its first six digits (`004010`).

    A guide goes before the table that it narrows: the one named `guide`, by an agreement, else one that is for the
    type's association code or X12 version. A guide for another table than the type's is passed over.
    """
    known, format_ = _by_format(catalogue), message_type.format
    name = known.get(format_)
    if name is None and message_type.syntax is Syntax.X12 and len(message_type.version) > _VERSION:
        format_ = MessageType(Syntax.X12, message_type.name, message_type.version[:_VERSION]).format
        name = known.get(format_)
    if name is None:
        return None
    own = _guides(catalogue).get(_guided(message_type), "")
    return _narrowed(catalogue, name, format_, guide and f"{GUIDES}/{guide}{_ENDING}", own)


@compiled
def _narrowed(catalogue: Catalogue, name: str, format_: str, *narrowings: str) -> Table:
    """The table of a message file in one of its formats, or what the first guide that narrows this format makes of it."""
    for narrowing in narrowings:
        if narrowing and narrows(catalogue, narrowing) == format_:
            return load_guide(catalogue, narrowing)
    return load_as(catalogue, name, format_)


def is_outdated(catalogue: Catalogue, message_type: MessageType) -> bool:
    """Whether an X12 set is not known in its version, and is in another."""
    if message_type.syntax is not Syntax.X12 or find(catalogue, message_type) is not None:
        return False
    return message_type.name in _x12_names(catalogue)


GUIDES = f"{SCHEMAS}/guides"
_VERSION = 6
"""Characters of a version, release and subrelease of X12; what follows is an industry's."""


def _guided(message_type: MessageType) -> str:
    """The format by which a guide is for a type: of EDIFACT with the association code."""
    return f"{message_type.format}:{message_type.association}" if message_type.association else message_type.format


@compiled
def _by_format(catalogue: Catalogue) -> Mapping[str, str]:
    """The names of the message files, by the formats that they serve; where two serve one, the first."""
    return {
        format_: name
        for name in reversed(available(catalogue))
        for format_ in read_json(catalogue, name).get("formats", ())
    }


@compiled
def _x12_names(catalogue: Catalogue) -> frozenset[str]:
    return frozenset(format_.split(":")[1] for format_ in _by_format(catalogue) if format_.startswith("x12:"))


@compiled
def _guides(catalogue: Catalogue) -> Mapping[str, str]:
    """The names of the guides, by the formats that they are for."""
    found: dict[str, str] = {}
    for name in guide_files(catalogue):
        for format_ in read_json(catalogue, name).get("formats", ()):
            if found.setdefault(format_, name) != name:
                raise SchemaInvalid(f"{name}: {found[format_]} is for {format_} already")
    return found


def guide_files(catalogue: Catalogue) -> tuple[str, ...]:
    """The names of the guides' files."""
    return catalogue.names(GUIDES, _ENDING)


def guide_names(catalogue: Catalogue) -> tuple[str, ...]:
    """The guides as agreements name them."""
    return tuple(name.removeprefix(f"{GUIDES}/").removesuffix(_ENDING) for name in guide_files(catalogue))


def narrows(catalogue: Catalogue, name: str) -> str:
    """The format whose table the guide in that file narrows; empty where there is no such file."""
    return str(read_json(catalogue, name).get("narrows", "")) if catalogue.find(name) is not None else ""


@compiled
def load_guide(catalogue: Catalogue, name: str) -> Table:
    """The table that a guide makes of the one that it narrows; SchemaInvalid where it cannot."""
    guide = read_json(catalogue, name)
    format_ = narrows(catalogue, name)
    file = _by_format(catalogue).get(format_)
    if file is None:
        raise SchemaInvalid(f"{name}: there is no table of {format_ or 'a format: narrows names one'}")
    return guides.apply(load_as(catalogue, file, format_), guide, name)


def available(catalogue: Catalogue) -> tuple[str, ...]:
    """The names of the message files of both dialects."""
    names = [name for syntax in (Syntax.EDIFACT, Syntax.X12) for name in catalogue.names(_folder(syntax), _ENDING)]
    # Three folders, and the file: what lies elsewhere is no message's.
    return tuple(name for name in names if name.count("/") == 3 and posixpath.basename(name) not in _OTHERS)


@compiled
def formats(catalogue: Catalogue) -> frozenset[str]:
    """Every format that a message file serves."""
    return frozenset(_by_format(catalogue))


_FRAME = ("UNH", "UNS", "UNT", "UIH", "UIT")
SECURITY = ("USA", "USB", "USC", "USD", "USE", "USF", "USH", "USL", "USR", "UST", "USU", "USX", "USY")
"""The segments of ISO 9735-5, 6 and 9 that secure a message."""


@compiled
def service(catalogue: Catalogue, version: str) -> Mapping[str, Node]:
    """The EDIFACT service segments (UNB, UNG, UNE, UNZ and all others) of syntax version `version`, by tag."""
    folder = f"{_folder(Syntax.EDIFACT)}/{'service-4' if version == '4' else 'service-3'}"
    lookup = Lookup(Syntax.EDIFACT, [read_json(catalogue, f"{folder}/{_DIRECTORY}")])
    return {tag: Node(tag, 0, 1, 1, lookup.segment(tag), lookup.notes(tag)) for tag in lookup.layers[0]["segments"]}


@compiled
def load(catalogue: Catalogue, name: str) -> Table:
    """The table of the message file of that name, as its first format has it; SchemaInvalid where it does not hold."""
    return _resolved(catalogue, name, "")


@compiled
def load_as(catalogue: Catalogue, name: str, format_: str) -> Table:
    """The same as one of its formats has it: another table only where the file tells its formats apart."""
    files = [read_json(catalogue, name), *_directories(catalogue, posixpath.dirname(name))]
    if format_ == files[0]["formats"][0] or not any(map(is_marked, files)):
        return load(catalogue, name)
    return _resolved(catalogue, name, format_)


def _resolved(catalogue: Catalogue, name: str, format_: str) -> Table:
    message, syntax = read_json(catalogue, name), _syntax(name)
    return framed(catalogue, resolve(syntax, message, _directories(catalogue, posixpath.dirname(name)), name, format_))


def framed(catalogue: Catalogue, table: Table) -> Table:
    """`table` with UNH, UNS, UNT (UIH, UIT) and what secures messages as each syntax version of EDIFACT has them; X12's as it is."""
    if table.syntax is not Syntax.EDIFACT:
        return table
    frames = {
        version: {tag: node for tag, node in service(catalogue, version).items() if tag in (*_FRAME, *SECURITY)}
        for version in ("3", "4")
    }
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
_OTHERS = frozenset({_DIRECTORY, "names.json"})
"""The files of a directory's folder that are no message's."""


def _folder(syntax: Syntax) -> str:
    return f"{SCHEMAS}/{syntax.value}"


def _syntax(name: str) -> Syntax:
    """The dialect of a message file, by its folder."""
    return Syntax.X12 if name.startswith(f"{_folder(Syntax.X12)}/") else Syntax.EDIFACT


def folders_of(catalogue: Catalogue, format_: str) -> tuple[str, ...]:
    """The folder of the table that serves a format, and those that its directory extends; none where no table does."""
    name = _by_format(catalogue).get(format_)
    return () if name is None else tuple(_folders(catalogue, posixpath.dirname(name)))


def files_of(catalogue: Catalogue, name: str) -> tuple[str, ...]:
    """A message file and the directory files that define what it uses."""
    folders = _folders(catalogue, posixpath.dirname(name))
    return (name, *(f"{folder}/{_DIRECTORY}" for folder in folders))


def _directories(catalogue: Catalogue, folder: str) -> list[dict[str, Any]]:
    """The folder's directory and those it extends, nearest first."""
    return [read_json(catalogue, f"{one}/{_DIRECTORY}") for one in _folders(catalogue, folder)]


def _folders(catalogue: Catalogue, folder: str) -> list[str]:
    chain: list[str] = []
    while True:
        if folder in chain:
            raise SchemaInvalid(f"{folder}/{_DIRECTORY}: extends itself")
        chain.append(folder)
        directory = read_json(catalogue, f"{folder}/{_DIRECTORY}")
        if "extends" not in directory:
            return chain
        folder = posixpath.normpath(f"{folder}/{directory['extends']}")
