"""Judges a mapping by what was written down by hand, never by what the engine says of itself.

tests/mappings/carried/<document>/<table>.toml lists, for the table of the same name, each item of the document's full
sample (samples/<document>/full) that the format carries, its place on the wire in the standard's own numbers and words,
and what stands there:

    wire    = "out.edi"
    carried = [
      ["entry_port",  "LOC+24",            "C517.3225",   "370001"],
      ["goods[0].name", "CST+1 > FTX+AAA", "C108.4440",   "..."],
    ]

In EDI a place is the segment as it begins (behind " > " the first such segment after the one before), then the element
by its numbers in the directory, by its position in X12; `#2` is the second of a name. In XML it is the element that
holds the item, then the item's own name, `@` before an attribute's. What no line names must be told when it is dropped.
Where a format has no code for what the full sample is, `sample` names another one, which fills all that the format carries.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from lxml import etree
from pydantic import BaseModel

from gateway import data
from gateway.catalogue_folders import shipped
from gateway.documents import Document
from gateway.parse import xml
from gateway.translate import engine, table
from tests.mappings import rig

LISTS = Path(__file__).parent / "carried"


@dataclass(frozen=True, slots=True)
class Line:
    """One item of the full sample, and where and as what it stands on the wire."""

    item: str
    around: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Carried:
    """What one format carries of a document, by hand."""

    document: str
    case: Path
    """The folder of the sample that it is about."""
    wire: Path
    lines: tuple[Line, ...]
    names: Mapping[str, str]
    """Where the table has other names than the document: the table's -> the document's."""
    implied: Mapping[str, Any]
    """Items that are read though they stand nowhere, or that the wire must have though the document does not."""

    @property
    def items(self) -> frozenset[str]:
        """The items that the format carries."""
        return frozenset(line.item for line in self.lines) | self.implied.keys()

    def fills(self, field_: str, filled: set[str]) -> bool:
        """Whether a value of a table's field, or below it, is among the fields `filled`, by their names here."""
        for theirs, ours in sorted(self.names.items(), reverse=True):
            if field_ == theirs or field_.startswith(f"{theirs}."):
                field_ = ours + field_.removeprefix(theirs)
                break
        return any(name == field_ or name.startswith(f"{field_}.") for name in filled)


@cache
def carried(document: str, format_: str) -> Carried | None:
    """The list for a table; None where there is none, as for the document's own JSON, which carries everything."""
    path = LISTS / f"{table.name_of(shipped(), document, format_)}.toml"
    if not path.exists():
        return None
    content = tomllib.loads(path.read_text("utf-8"))
    case = data.samples() / document / content.get("sample", "full")
    lines = tuple(Line(*line) for line in content["carried"])
    return Carried(document, case, case / content["wire"], lines, content.get("names", {}), content.get("implied", {}))


def full(document: str, case: Path | None = None) -> tuple[Document, dict[str, Any]]:
    """The full sample of a document, or another one, and every item of it by its path."""
    case = case or data.samples() / document / "full"
    return rig.expected_document(case), items(json.loads((case / "document.json").read_text("utf-8")))


def golden(listed: Carried) -> Any:
    """The golden message in the form in which a mapping writes it."""
    if listed.wire.suffix == ".xml":
        return xml.read(listed.wire.read_bytes()).root
    (message,) = rig.messages(listed.wire.read_bytes())
    return message.segments[1:-1]


def items(value: Any, path: str = "") -> dict[str, Any]:
    """Every plain value of a document, or of its JSON, by its path."""
    if isinstance(value, dict):
        inner = ((f"{path}.{name}" if path else name, below) for name, below in value.items())
    elif isinstance(value, list | tuple):
        inner = ((f"{path}[{at}]", below) for at, below in enumerate(value))
    else:
        return {path: value}
    return {name: leaf for at, below in inner for name, leaf in items(below, at).items()}


def field(item: str) -> str:
    """The field that an item fills: `goods[0].name` fills `goods[].name`."""
    return re.sub(r"\[\d+\]", "[]", item)


def of_list(document: BaseModel, format_: str) -> dict[str, Any]:
    """The items of any document whose fields are on the format's list; without a list, all."""
    assert isinstance(document, Document)
    listed = carried(document.document_type, format_)
    known = items(document.model_dump(exclude_none=True))
    if listed is None:
        return known
    fields = {field(item) for item in listed.items}
    return {item: value for item, value in known.items() if field(item) in fields}


def complaints(mapping: engine.Mapping) -> Iterator[str]:
    """What the full sample and all others have against a mapping, and nothing where it is right."""
    listed = carried(mapping.document, mapping.format)
    document, known = full(mapping.document, listed.case if listed is not None else None)
    written = mapping.write(document, rig.BEIJING)
    told = {finding.place.path for finding in written.findings}
    yield from (f"{f.code} at {f.place.path}" for f in written.findings if f.code != "translate.dropped")
    if listed is None:
        if written.body != json.loads((data.samples() / mapping.document / "full/document.json").read_text("utf-8")):
            yield "the full sample is not written as its document.json"
        if told:
            yield f"dropped: {sorted(told)}"
    else:
        yield from _written_wrong(mapping, listed, written.body)
        dropped = {item for item in known if item not in listed.items}
        yield from (f"{item} is dropped and not told" for item in sorted(dropped - told))
        yield from (f"{item} is told to be dropped" for item in sorted(told - dropped))
        yield from _read_wrong(mapping, listed, known)
    yield from _samples_wrong(mapping)


def _written_wrong(mapping: engine.Mapping, listed: Carried, body: Any) -> Iterator[str]:
    for line in listed.lines:
        found = at(body, line, mapping.format)
        if found != line.text:
            yield f"{line.item} is written as {found!r} at {line.around} {line.name}, not as {line.text!r}"
    ours, expected = rig.written(listed.wire, full(mapping.document, listed.case)[0], mapping)
    if ours != expected:
        yield f"the full sample is not written as {listed.wire.name}"


def _read_wrong(mapping: engine.Mapping, listed: Carried, known: Mapping[str, Any]) -> Iterator[str]:
    read = rig.read(listed.wire, mapping.document, mapping=mapping)
    yield from (f"{finding.code} on reading at {finding.place}" for finding in read.findings)
    if not isinstance(read.document, Document):
        yield "the full sample is not read"
        return
    got, expected = items(read.document.to_json()), {**known, **listed.implied}
    for item in sorted(listed.items | got.keys()):
        if got.get(item) != expected.get(item):
            yield f"{item} is read as {got.get(item)!r}, not as {expected.get(item)!r}"


def _samples_wrong(mapping: engine.Mapping) -> Iterator[str]:
    """The other samples: each is read as its document, and written as it stands where it stands for output."""
    for case in rig.cases(mapping.document, rejected=False):
        if case.name in rig.WRITTEN_BY_THE_GATEWAY:
            continue
        for path in sorted([*case.glob("in.*"), *case.glob("out.*")]):
            if rig.format_of(path, mapping.document) != mapping.format:
                continue
            document = rig.expected_document(case)
            if path.stem == "in" and rig.read(path, mapping.document, mapping=mapping).document != document:
                yield f"{rig.name(path)} is not read as its document"
            if path.stem == "out":
                ours, expected = rig.written(path, document, mapping)
                if ours != expected:
                    yield f"{rig.name(path)} is not what its document is written as"


def at(body: Any, line: Line, format_: str) -> str | None:
    """What stands at the place of `line` in a message; None where there is no such place."""
    if format_.startswith("xml"):
        return _in_xml(body, line)
    found = _segment(body, line.around)
    if found is None:
        return None
    if format_.startswith("x12"):
        elements = found.split("*")
        position = int(line.name)
        return elements[position] if position < len(elements) else None
    return _in_edifact(found, line.name, format_)


def _segment(segments: Sequence[str], around: str) -> str | None:
    """The segment that a chain of beginnings leads to."""
    start = -1
    for beginning in around.split(" > "):
        start = next((n for n in range(start + 1, len(segments)) if _begins(segments[n], beginning)), len(segments))
    return segments[start] if start < len(segments) else None


def _begins(segment: str, beginning: str) -> bool:
    return segment.startswith(beginning) and segment[len(beginning) : len(beginning) + 1] in ("", "+", ":", "*")


def _in_edifact(segment: str, name: str, format_: str) -> str | None:
    """The element that `name` (`C517.3225`, `C246#2.7361`, `3207`) names, counted out by the directory's own lists."""
    lists = _directory(format_)
    elements = segment.split("+")
    outer, _, inner = name.partition(".")
    number, _, nth = outer.partition("#")
    positions = [n for n, use in enumerate(lists["segments"][elements[0]], 1) if use.split()[0] == number]
    position = positions[int(nth or 1) - 1]
    if position >= len(elements):
        return None
    components = elements[position].split(":")
    if not inner:
        return components[0]
    inner, _, nth = inner.partition("#")
    alike = [n for n, use in enumerate(lists["composites"][number]) if use.split()[0] == inner]
    within = alike[int(nth or 1) - 1]
    return components[within] if within < len(components) else None


@cache
def _directory(format_: str) -> Any:
    _, _, version, release, _ = format_.split(":")
    return json.loads(
        (data.schemas() / "edifact" / f"{version}{release}".lower() / "directory.json").read_text("utf-8")
    )


def _in_xml(root: etree._Element, line: Line) -> str | None:
    place: etree._Element | None = root
    for step in line.around.split("/"):
        place = None if place is None else _nth(place.iter(), step)
    if place is None or line.name.startswith("@"):
        return None if place is None else place.get(line.name[1:])
    found = _nth(iter(place), line.name)
    return None if found is None else (found.text or "").strip()


def _nth(elements: Iterator[Any], step: str) -> etree._Element | None:
    name, _, nth = step.partition("#")
    named = [element for element in elements if isinstance(element.tag, str) and xml.local_name(element) == name]
    position = int(nth or 1) - 1
    return named[position] if position < len(named) else None


def without_row(document: str, format_: str, row: int) -> bytes:
    """The text of a table without one of its rows, those that it includes written out."""
    content = tomllib.loads(shipped().text(table.file_of(shipped(), document, format_)))
    rows = [[row.field, row.place, row.converter] for row in table.load(shipped(), document, format_).rows]
    del rows[row]
    content["rows"] = rows
    return "\n".join(f"{key} = {_toml(value)}" for key, value in content.items()).encode()


def _toml(value: Any) -> str:
    """A value of a table's header, or its rows, as TOML: JSON but for what holds names."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(name)} = {json.dumps(of)}" for name, of in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)
