"""Takes samples through reading, checking and mapping, as the trip does, and compares what comes out."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lxml import etree

from gateway import data
from gateway.check import structure, tables, xsd
from gateway.documents import MODELS, Document
from gateway.findings import rejects
from gateway.model import Finding, Place
from gateway.parse import edifact, x12, xml
from gateway.parse import json as json_reader
from gateway.parse.segments import MessageRead, SegmentMessage
from gateway.translate import envelope, table
from gateway.translate.context import Context
from gateway.translate.engine import Mapping
from gateway.translate.outcome import Read

BEIJING = Context("Asia/Shanghai")


def cases(document: str, *, rejected: bool) -> list[Path]:
    """The sample folders of a document: those with a document to compare, or those that must be refused."""
    found = [path for path in sorted((data.samples() / document).iterdir()) if path.is_dir()]
    return [path for path in found if path.name.startswith("rejected") == rejected and any(path.glob("in.*"))]


def incoming(case: Path) -> Path:
    """The sample's message."""
    (found,) = case.glob("in.*")
    return found


def outgoing(document: str) -> list[Path]:
    """Every message that a sample of `document` must be written as."""
    return [path for case in cases(document, rejected=False) for path in sorted(case.glob("out.*"))]


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


def read(path: Path, document: str, context: Context = BEIJING) -> Read:
    """What the one message at `path` holds, with the findings of every stage in order."""
    return read_bytes(path.read_bytes(), document, context)


def read_bytes(body: bytes, document: str, context: Context = BEIJING) -> Read:
    if body.lstrip().startswith(b"{"):
        return _read_json(body, document, context)
    if b"<" in body[:8]:
        return _read_xml(body, document, context)
    (message,) = messages(body)
    schema = tables.find(message.type)
    assert schema is not None
    checked = structure.check(message, schema)
    mapped = table.load(document, message.type.format).read((message, checked), context)
    return _with(checked.findings, mapped)


def _read_json(body: bytes, document: str, context: Context) -> Read:
    parsed = json_reader.read(body)
    return _with(parsed.findings, table.load(document, f"json:{document}:1").read(parsed.value or {}, context))


def _read_xml(body: bytes, document: str, context: Context) -> Read:
    parsed = xml.read(body)
    assert parsed.root is not None, parsed.findings
    known = xsd.recognise(parsed.root)
    assert known is not None
    found = xsd.check(known.root, known.format)
    # What its schema refuses is not translated: its faults would only be told twice.
    if rejects(found):
        return Read(None, {}, found, {})  # type: ignore[arg-type]
    return _with(found, table.load(document, known.format).read(known.root, context))


def _with(earlier: Iterable[Finding], read_: Read) -> Read:
    read_.findings[:0] = earlier
    return read_


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
        known = xsd.recognise(root)
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


def through(document: Document, mapping: Mapping, context: Context = BEIJING) -> Read:
    """`document`, rendered as a partner gets it and read again, over the checks that a partner's message passes."""
    frame = envelope.Frame("SENDER", "RECIPIENT", "1", at=datetime(2026, 3, 5, 12, 0, tzinfo=UTC))
    rendered = envelope.render(document, mapping, context, frame)
    assert rendered.body, rendered.findings
    body = rendered.body
    if mapping.format.startswith("json"):
        body = json.dumps(document.to_json(), ensure_ascii=False).encode()
    return read_bytes(body, mapping.document, context)


def carried(document: Document, mapping: Mapping) -> dict[str, Any]:
    """The values of `document` that the mapping has rows for."""
    return _without(document.model_dump(exclude_none=True), mapping.dropped)


def _without(values: dict[str, Any], dropped: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, value in values.items():
        below = dropped.get(key, {})
        if below is None:
            continue
        left: Any = value
        if isinstance(value, dict):
            left = _without(value, below)
        elif isinstance(value, list | tuple):
            left = [_without(item, below) if isinstance(item, dict) else item for item in value]
        if left not in ({}, [], ()):
            kept[key] = left
    return kept
