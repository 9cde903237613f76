"""Tries mapping tables on the samples: what comes in means its document, what goes out is as written down.

A sample folder, samples/<document>/<case>/, holds `document.json`, messages that mean it (`in.*`), and
messages that it must be written as (`out.*`). Folders without document.json hold messages that are refused.
A partner's variation is tried on the same documents; its messages stand in a folder of the case that has the name of
the variation's file, as in samples/clearance/full/acme/out.edi for clearance/acme.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from lxml import etree

from gateway import data
from gateway.catalogue import Catalogue
from gateway.check import structure, tables, xsd
from gateway.documents import MODELS, Document
from gateway.findings import rejects, text
from gateway.model import Finding, Syntax
from gateway.parse import edifact, x12, xml
from gateway.parse import json as json_reader
from gateway.parse.segments import MessageRead, SegmentMessage
from gateway.receive.unpack import sniff
from gateway.translate import envelope, table
from gateway.translate.context import Context
from gateway.translate.engine import Mapping
from gateway.translate.outcome import Read

CONTEXT = Context("Asia/Shanghai")
"""Samples without offsets in their times mean Beijing time."""

_FRAME = envelope.Frame("SENDER", "RECIPIENT", "1", at=datetime(2026, 1, 2, 3, 4, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Trial:
    """One thing tried; `fault` is empty where it went well."""

    document: str
    format: str
    sample: str
    """The sample's folder and, where it is about one, its file."""
    what: str
    """`read`, `write` or `round trip`."""
    fault: str = ""
    variation: str = ""
    """The name of the variation that was tried; empty for the table itself."""


def trials(catalogue: Catalogue, document: str = "", format_: str = "", own: Path | None = None) -> Iterator[Trial]:
    """Every trial of the mappings of `document` in `format_`; of all where these are empty.

    The samples are those that ship, and those in the folder `own`.
    """
    for name, of in sorted(table.available(catalogue)):
        if document in ("", name) and format_ in ("", of):
            mapping = table.load(catalogue, name, of)
            for case in cases(name, own):
                yield from _case(catalogue, mapping, case.parent, case.parent)
    for variation in table.variations(catalogue):
        if document in ("", variation.document) and format_ in ("", variation.format):
            mapping = table.load(catalogue, variation.document, variation.format, variation.name)
            for case in cases(variation.document, own):
                varied = case.parent / variation.name.rpartition("/")[2]
                for trial in _case(catalogue, mapping, case.parent, varied):
                    yield replace(trial, variation=variation.name)


def cases(document: str, own: Path | None) -> Iterator[Path]:
    """The documents of all samples."""
    for folder in (data.samples(), *([own] if own is not None else ())):
        yield from sorted((folder / document).glob("*/document.json"))


def _case(catalogue: Catalogue, mapping: Mapping, case: Path, messages: Path) -> Iterator[Trial]:
    """What one sample says about one mapping: its document, and the messages in the folder `messages`."""
    stored = json.loads((case / "document.json").read_text("utf-8"))
    document = MODELS[mapping.document].model_validate(stored)
    for path in sorted(messages.glob("in.*")):
        wire = wire_of(catalogue, path.read_bytes(), mapping)
        if wire is not None:
            fault = _read_fault(mapping.read(wire, CONTEXT), document)
            yield Trial(mapping.document, mapping.format, str(path.relative_to(case.parent)), "read", fault)
    for path in sorted(messages.glob("out.*")):
        if wire_of(catalogue, path.read_bytes(), mapping) is not None:
            fault = _write_fault(catalogue, mapping, document, path.read_bytes())
            yield Trial(mapping.document, mapping.format, str(path.relative_to(case.parent)), "write", fault)
    yield Trial(
        mapping.document, mapping.format, case.name, "round trip", _round_trip_fault(catalogue, mapping, document)
    )


def _read_fault(read: Read, document: Document) -> str:
    if not isinstance(read.document, Document):
        return "; ".join(f"{f.place} {text(f)}".strip() for f in read.findings if rejects([f]))
    return _difference(read.document.model_dump(), document.model_dump())


def _write_fault(catalogue: Catalogue, mapping: Mapping, document: Document, expected: bytes) -> str:
    written = mapping.write(document, CONTEXT)
    if rejects(written.findings):
        return "; ".join(text(f) for f in written.findings if rejects([f]))
    return _difference(comparable(written.body), comparable(wire_of(catalogue, expected, mapping)))


def _round_trip_fault(catalogue: Catalogue, mapping: Mapping, document: Document) -> str:
    """What is lost of the fields that the mapping has rows for, and is not reported by the writer itself.

    A sample the format cannot carry at all is passed over.
    """
    rendered = envelope.render(catalogue, document, mapping, CONTEXT, _FRAME)
    if not rendered.body:
        return ""
    wire = wire_of(catalogue, rendered.body, mapping)
    if wire is None:
        return "what was written is not recognised as this format"
    again = mapping.read(wire, CONTEXT)
    if not isinstance(again.document, Document):
        return _read_fault(again, document)
    found = _carried(again.document.model_dump(), mapping.dropped)
    expected = _carried(document.model_dump(), mapping.dropped)
    return _difference(found, _without(expected, _Reported(rendered.findings), ""))


_REPORTED: Final = object()
"""Stands where the writer has said that it cannot carry the value, or not all of it: anything may come back."""


class _Reported:
    """What the writer has said it could not carry."""

    def __init__(self, said: Iterable[Finding]) -> None:
        self._paths: set[str] = set()
        self._beside: set[tuple[str, str]] = set()
        for finding in said:
            self._paths.add(finding.place.path)
            if finding.code == "translate.incomplete":
                # It names what is missing; left out are the values that would have stood beside it.
                around = finding.place.path.rpartition(".")[0]
                self._beside.update((around, value) for value in finding.value.split(":"))

    def has(self, path: str, value: object) -> bool:
        """Whether this value is among it."""
        return path in self._paths or (path.rpartition(".")[0], str(value)) in self._beside


def _without(value: Any, reported: _Reported, path: str) -> Any:
    """`value` with what is `reported` marked."""
    if reported.has(path, value):
        return _REPORTED
    if isinstance(value, dict):
        return {name: _without(v, reported, f"{path}.{name}".lstrip(".")) for name, v in value.items()}
    if isinstance(value, list):
        return [_without(v, reported, f"{path}[{index}]") for index, v in enumerate(value)]
    return value


def _carried(values: dict[str, Any], dropped: Any) -> dict[str, Any]:
    """`values` without what the mapping has no rows for."""
    kept: dict[str, Any] = {}
    for key, value in values.items():
        below = dropped.get(key, {})
        if below is None:
            continue
        if isinstance(value, dict):
            kept[key] = _carried(value, below)
        elif isinstance(value, tuple):
            items = [_carried(v, below) if isinstance(v, dict) else v for v in value]
            # Of items that say nothing which the mapping carries none need come back.
            kept[key] = items if any(item != {} for item in items) else []
        else:
            kept[key] = value
    return {key: value for key, value in kept.items() if value not in (None, {}, [], ())}


def wire_of(catalogue: Catalogue, body: bytes, mapping: Mapping) -> Any:
    """What the mapping reads of a message; None where the message is in another format, or unreadable."""
    syntax = sniff(body)
    if syntax is None or not mapping.format.startswith(f"{syntax}:"):
        return None
    if syntax is Syntax.JSON:
        value = json_reader.read(body).value or {}
        # A message says its format beside the document; a bare response has a field of that name.
        return value["document"] if "format" in value else value
    if syntax is Syntax.XML:
        root = xml.read(body).root
        known = xsd.recognise(catalogue, root) if root is not None else None
        return known.root if known is not None and known.format == mapping.format else None
    message = _message(body, syntax)
    schema = tables.find(catalogue, message.type) if message is not None else None
    if message is None or schema is None or mapping.format not in schema.formats:
        return None
    return message, structure.check(message, schema)


def _message(body: bytes, syntax: Syntax) -> SegmentMessage | None:
    """The first message of an EDI interchange."""
    events = (x12 if syntax is Syntax.X12 else edifact).read(body)
    return next((e.message for e in events if isinstance(e, MessageRead)), None)


def comparable(body: Any) -> Any:
    """A written or wire body as plain values; blanks between XML elements and the frame of EDI do not count."""
    if isinstance(body, tuple):
        return body[0].segments[1:-1]
    return _tree(body) if etree.iselement(body) else body


def _tree(element: etree._Element) -> list[Any]:
    return [str(element.tag), dict(element.attrib), (element.text or "").strip(), [_tree(child) for child in element]]


def _difference(found: Any, expected: Any, place: str = "") -> str:
    """The first place where two plain values differ, in words; empty where they are equal.

    What is expected may be marked as reported (see `_without`), and then need not come back.
    """
    if expected is _REPORTED:
        return ""
    if isinstance(expected, list) and _REPORTED in expected and len(found or ()) != len(expected):
        return _difference(found or [], [value for value in expected if value is not _REPORTED], place)
    if isinstance(found, dict) and isinstance(expected, dict):
        position = place.rpartition("/")[2]
        for key in [*expected, *(k for k in found if k not in expected)]:
            # A format may count items that the document does not; that says what their order says.
            counted = key not in expected and type(found[key]) is int
            if counted and position.isdigit() and found[key] == int(position) + 1:
                continue
            if told := _difference(found.get(key), expected.get(key), f"{place}/{key}"):
                return told
        return ""
    if isinstance(found, list | tuple) and isinstance(expected, list | tuple):
        for index, (one, other) in enumerate(zip(found, expected, strict=False)):
            if told := _difference(one, other, f"{place}/{index}"):
                return told
        return "" if len(found) == len(expected) else f"{place}: {len(found)} items, expected {len(expected)}"
    return "" if found == expected else f"{place}: {found!r}, expected {expected!r}"
