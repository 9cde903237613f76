"""Takes samples through reading, checking and mapping, as the trip does, and compares what comes out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from lxml import etree

from gateway import data
from gateway.catalogue_folders import shipped
from gateway.check import structure, tables, xsd
from gateway.documents import MODELS, Document
from gateway.findings import rejects, unsaid
from gateway.model import Finding, Place
from gateway.parse import edifact, x12, xml
from gateway.parse import json as json_reader
from gateway.parse.segments import MessageRead, SegmentMessage
from gateway.translate import envelope, table
from gateway.translate.context import Context
from gateway.translate.engine import Mapping
from gateway.translate.outcome import Origins, Read

BEIJING = Context("Asia/Shanghai")

WRITTEN_BY_THE_GATEWAY = frozenset({"ocean"})
"""Sample folders whose golden files guard against changes rather than prove, as their README.md says."""


def cases(document: str, *, rejected: bool) -> list[Path]:
    """The sample folders of a document: those with a document to compare, or those that must be refused."""
    found = [path for path in sorted((data.samples() / document).iterdir()) if path.is_dir()]
    return [path for path in found if path.name.startswith("rejected") == rejected and any(path.glob("in.*"))]


def incoming(case: Path) -> Path:
    """The sample's message."""
    (found,) = case.glob("in.*")
    return found


def name(path: Path) -> str:
    """How a test calls a case."""
    return path.name if path.is_dir() else f"{path.parent.name}-{path.name}"


def messages(body: bytes) -> list[SegmentMessage]:
    """The messages of an EDI interchange; a finding about the envelope is a fault of the sample."""
    reader = x12 if body.startswith(b"ISA") else edifact
    found = []
    for event in reader.read(body):
        assert not event.findings, event.findings
        if isinstance(event, MessageRead):
            found.append(event.message)
    return found


def read(path: Path, document: str, context: Context = BEIJING, mapping: Mapping | None = None) -> Read:
    """What the one message at `path` holds, with the findings of every stage in order; by the table, or by `mapping`."""
    return _mapped(_taken_from(path), document, context, mapping)


def read_bytes(body: bytes, document: str, context: Context = BEIJING) -> Read:
    """The same for a message that is no file."""
    return _mapped(_taken(body), document, context, None)


@dataclass(frozen=True, slots=True)
class _Taken:
    """A message before its mapping: what a mapping reads, the findings so far, and its format, empty for JSON."""

    wire: Any
    findings: tuple[Finding, ...]
    format: str


@cache
def _taken_from(path: Path) -> _Taken:
    return _taken(path.read_bytes())


def _taken(body: bytes) -> _Taken:
    if body.lstrip().startswith(b"{"):
        parsed = json_reader.read(body)
        return _Taken(parsed.value or {}, tuple(parsed.findings), "")
    if b"<" in body[:8]:
        root = xml.read(body)
        assert root.root is not None, root.findings
        known = xsd.recognise(shipped(), root.root)
        assert known is not None
        return _Taken(known.root, tuple(xsd.check(shipped(), known.root, known.format)), known.format)
    (message,) = messages(body)
    schema = tables.find(shipped(), message.type)
    assert schema is not None
    checked = structure.check(message, schema)
    return _Taken((message, checked), tuple(checked.findings), message.type.format)


def _mapped(taken: _Taken, document: str, context: Context, mapping: Mapping | None) -> Read:
    # What its schema refuses is not translated: its faults would only be told twice.
    if taken.format.startswith("xml") and rejects(taken.findings):
        return Read(None, {}, list(taken.findings), Origins(dict))
    by = mapping or table.load(shipped(), document, taken.format or f"json:{document}:1")
    mapped = by.read(taken.wire, context)
    mapped.findings[:] = [*taken.findings, *unsaid(mapped.findings, taken.findings)]
    return mapped


def expected_document(case: Path) -> Document:
    """The document that the sample stands for."""
    model = MODELS[case.parent.name]
    return model.model_validate(json.loads((case / "document.json").read_text("utf-8")))


def written(path: Path, document: Document, mapping: Mapping, context: Context = BEIJING) -> tuple[Any, Any]:
    """(what the mapping writes, what the sample at `path` says), in the form in which they are compared."""
    body = mapping.write(document, context).body
    if path.suffix == ".json":
        return body, json.loads(path.read_text("utf-8"))
    if path.suffix == ".xml":
        parsed = xml.read(path.read_bytes())
        assert parsed.root is not None
        return tree(body), tree(parsed.root)
    (message,) = messages(path.read_bytes())
    return body, message.segments[1:-1]


def format_of(path: Path, document: str) -> str:
    """The format of a sample message."""
    if path.suffix == ".json":
        return f"json:{document}:1"
    if path.suffix == ".xml":
        root = xml.read(path.read_bytes()).root
        assert root is not None
        known = xsd.recognise(shipped(), root)
        assert known is not None
        return known.format
    (message,) = messages(path.read_bytes())
    return message.type.format


def tree(element: etree._Element) -> tuple[Any, ...]:
    """An element as plain values: blanks between elements and prefixes do not count."""
    text = (element.text or "").strip()
    return (element.tag, dict(element.attrib), text, [tree(child) for child in element])


def told(finding: Finding) -> dict[str, Any]:
    """A finding as the samples' findings.json has it."""
    place: Place = finding.place
    full = {
        "code": finding.code,
        "path": place.path,
        "line": place.line,
        "tag": place.tag,
        "segment": place.segment,
        "value": finding.value,
    }
    return {key: value for key, value in full.items() if value}


def is_carried(document: Document, mapping: Mapping) -> bool:
    """Whether the document has all that its message cannot be without, and the message all that it cannot be without."""
    findings = mapping.write(document, BEIJING).findings
    required = {name for name, info in type(document).model_fields.items() if info.is_required()}
    return not any(one.code == "translate.required" or one.place.path in required for one in findings)


def through(document: Document, mapping: Mapping, context: Context = BEIJING) -> Read:
    """`document`, rendered as a partner gets it and read again, over the checks that a partner's message passes."""
    frame = envelope.Frame("SENDER", "RECIPIENT", "1", at=datetime(2026, 3, 5, 12, 0, tzinfo=UTC))
    rendered = envelope.render(shipped(), document, mapping, context, frame)
    assert rendered.body, rendered.findings
    body = rendered.body
    if mapping.format.startswith("json"):
        body = json.dumps(json.loads(body)["document"], ensure_ascii=False).encode()
    return read_bytes(body, mapping.document, context)
