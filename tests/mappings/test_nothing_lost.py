"""Whatever a message may hold is read, or told at its weight, in every table that ships: no table is named here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from gateway import data
from gateway.catalogue_folders import shipped
from gateway.check import structure, tables
from gateway.check.nodes import ElementUse, Table
from gateway.check.walk import Checked
from gateway.documents import MODELS
from gateway.model import Finding, Severity, Syntax
from gateway.parse import edifact, x12
from gateway.parse.segments import MessageRead, SegmentMessage
from gateway.translate import table
from gateway.translate.xml_outline import Outline, outline
from tests.mappings import rig

KEYS = table.available(shipped())
EDI = [key for key in KEYS if key[1].startswith(("edifact", "x12"))]
XML = [key for key in KEYS if key[1].startswith("xml")]

# From the directories' own words: segments and elements that hold an amount, a party, a container or a reference. The
# elements are numbers of UNTDED and of X12's data element dictionary.
HEAVY_SEGMENTS = (
    "NAD RFF MOA MEA QTY EQD SGP CNT DOC GID PAC CNI SEL LIN PIA TAX TMP DIM PRI N1 N9 REF VID N7 M11 M12 M7 N10 W2"
)
HEAVY_ELEMENTS = "1004 1154 3039 5004 6060 6066 6314 6162 6152 7224 7140 8260 9308 67 127 206 207 225 81 380 782"
TEXT_SEGMENTS = "FTX UNS NTE K1"
TEXT_ELEMENTS = "1000 1131 3055 3036 3042 3124 3164 3224 4440 7008 7064 7102 8154 8212 93 166 352 369"
GRADES = [Severity.NOTE, Severity.WARNING, Severity.ERROR]


def _name(value: object) -> str:
    return ":".join(value) if isinstance(value, tuple) else str(value)


def _wire(key: tuple[str, str], folder: Path) -> Iterator[tuple[SegmentMessage, Checked, Table]]:
    """The messages in a format among the files of a folder of samples."""
    for path in sorted(folder.glob("*.*")):
        if path.suffix in {".edi", ".x12"}:
            reader = edifact if path.suffix == ".edi" else x12
            events = list(reader.read(path.read_bytes()))
            for message in (event.message for event in events if isinstance(event, MessageRead)):
                schema = tables.find(shipped(), message.type)
                if message.type.format == key[1] and schema is not None:
                    yield message, structure.check(message, schema), schema


def _sample(key: tuple[str, str]) -> tuple[SegmentMessage, Checked, Table]:
    """The longest sample message that the table reads."""
    folders = [path for path in (data.samples() / key[0]).iterdir() if not path.name.startswith("rejected")]
    found = [one for folder in folders for one in _wire(key, folder)]
    return max(found, key=lambda one: len(one[0].segments))


def _probe(
    tag: str, uses: tuple[ElementUse, ...], syntax: Syntax, separators: tuple[str, str]
) -> tuple[str, dict[str, str]]:
    """A segment that holds a value of its own in each element and component, and the directory's number of each value."""
    named: dict[str, str] = {}
    element, component = separators
    parts = [tag]
    for use in uses:
        inner = []
        for one in use.components or (use,):
            value = f"Z{len(named):03}Q"
            named[value] = one.item
            inner.append(value)
        parts.append(component.join(inner) if syntax is Syntax.EDIFACT or use.components else inner[0])
    return element.join(parts), named


def _said(values: Any) -> str:
    return json.dumps(values, default=str, ensure_ascii=False)


def _told(found: list[Finding]) -> dict[str, Severity]:
    """The gravest word about each value."""
    said: dict[str, Severity] = {}
    for one in found:
        said[one.value] = max(one.severity, said.get(one.value, Severity.NOTE), key=GRADES.index)
    return said


@pytest.mark.parametrize("key", EDI, ids=_name)
def test_what_an_edi_table_does_not_read_is_told_at_its_weight(key: tuple[str, str]) -> None:
    """A segment of any kind, wherever a sample's message may have another one, is read or told: what holds an amount, a
    party, a container or a reference, and any group, with an error; text with a note; all else with a warning."""
    message, checked, schema = _sample(key)
    mapping = table.load(shipped(), *key)
    separators = (message.delimiters.element, message.delimiters.component)
    triggers = {group.trigger: index for index, group in enumerate(schema.groups) if index}
    probed = 0
    opened: dict[int, int] = {0: 0}
    for number, stands in enumerate(checked.nodes):
        if stands in triggers:
            opened.setdefault(triggers[stands], number)
    for index, node in enumerate(schema.nodes):
        group = schema.groups[node.group].parent if index in triggers else node.group
        if node.tag in {"UNH", "UNT", "ST", "SE"} or group not in opened:
            continue
        at = opened[group] + 1
        text, named = _probe(node.tag, node.elements, schema.syntax, separators)
        # The second one is told even where the first was read.
        segments = [*message.segments[:at], text, text, *message.segments[at:]]
        nodes = [*checked.nodes[:at], index, index, *checked.nodes[at:]]
        read = mapping.read((replace(message, segments=segments), replace(checked, nodes=nodes)), rig.BEIJING)
        told, values = _told(read.findings), _said(read.values)
        probed += 1
        # The position of an item in its list is said by where it stands.
        positions = {row.place.rpartition(".")[2] for row in mapping.rows if row.kind == "position"}
        weighed = {value: item for value, item in named.items() if item not in positions}
        _judge_probe(node.tag, text, weighed, told, values, opens=index in triggers)
    assert probed > 5


def _judge_probe(
    tag: str, text: str, named: dict[str, str], told: dict[str, Severity], values: str, *, opens: bool
) -> None:
    if text in told:
        if tag in TEXT_SEGMENTS.split() and not opens:
            assert told[text] is Severity.NOTE, text
        elif opens or tag in HEAVY_SEGMENTS.split():
            assert told[text] is Severity.ERROR, text
        else:
            assert told[text] is not Severity.NOTE, text
        return
    joined = " ".join(told)
    for value, item in named.items():
        if value in values:
            continue
        assert value in joined, f"{tag}: {value} ({item}) of {text} is lost"
        severity = told.get(value, Severity.ERROR)
        if item in HEAVY_ELEMENTS.split():
            assert severity is Severity.ERROR, f"{tag}: {item}"
        elif item not in TEXT_ELEMENTS.split():
            assert severity is not Severity.NOTE, f"{tag}: {item}"


@pytest.mark.parametrize("key", XML, ids=_name)
def test_what_an_xml_table_does_not_read_is_told_at_its_weight(key: tuple[str, str]) -> None:
    """Each element and attribute of the XSD is read, or told with a warning at least, with an error where it holds others."""
    root = outline(shipped(), key[1])
    mapping = table.load(shipped(), *key)
    paths = list(_paths(root, ()))
    assert paths
    for path in paths:
        element, value = _element(root, path)
        read = mapping.read(element, rig.BEIJING)
        said = [one for one in read.findings if one.value == value or one.place.path.endswith(path[-1].name)]
        inner = [one for one in read.findings if one.code == "translate.unread.part"]
        assert value in _said(read.values) or inner or any(one.severity is not Severity.NOTE for one in said), path


def _paths(at: Outline, above: tuple[Outline, ...], deep: int = 6) -> Iterator[tuple[Outline, ...]]:
    for child in at.children.values():
        path = (*above, child)
        if not child.children:
            yield path
        elif deep:
            yield from _paths(child, path, deep - 1)


def _element(root: Outline, path: tuple[Outline, ...]) -> tuple[etree._Element, str]:
    """A message that holds one value, at `path`."""
    made = at = etree.Element(root.tag)
    for step in path:
        at = etree.SubElement(at, step.tag)
    at.text = "Z001Q"
    return made, at.text


@pytest.mark.parametrize("key", [key for key in KEYS if not key[1].startswith("json")], ids=_name)
def test_what_a_table_does_not_write_is_told_with_more_than_a_note(key: tuple[str, str]) -> None:
    """Each sample document's value that a format drops is told at its path, with a warning at least."""
    mapping = table.load(shipped(), *key)
    for folder in sorted((data.samples() / key[0]).iterdir()):
        if not (folder / "document.json").exists():
            continue
        written = mapping.write(rig.expected_document(folder), rig.BEIJING)
        assert [one for one in written.findings if one.severity is Severity.NOTE] == []


def test_a_document_of_ours_refuses_what_it_has_no_field_for() -> None:
    """JSON has no notes for what is not read: each model refuses an unknown item with an error."""
    for name in MODELS:
        read = table.load(shipped(), name, f"json:{name}:1").read({"no_such_item": "Z001Q"}, rig.BEIJING)
        assert ("document.unknown", Severity.ERROR) in {(one.code, one.severity) for one in read.findings}
