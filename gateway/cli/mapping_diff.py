"""What differs between two versions of a mapping: their rows, and what they read and write of the samples."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.catalogue import Catalogue
from gateway.cli import mapping_trials as trials
from gateway.documents import MODELS, Document
from gateway.findings import text
from gateway.translate.engine import Mapping


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs."""

    what: str
    """`row`, `read` or `write`."""
    about: str
    """A row, or a sample."""
    old: str
    new: str


def differences(catalogue: Catalogue, old: Mapping, new: Mapping, own: Path | None = None) -> Iterator[Difference]:
    """What differs between two mappings of one document in one format; samples are those that ship, and those in `own`."""
    before = {(*row.identity, row.place): row for row in old.rows}
    after = {(*row.identity, row.place): row for row in new.rows}
    for key in [*before, *(key for key in after if key not in before)]:
        one, other = before.get(key), after.get(key)
        if one is None or other is None or one.converter != other.converter:
            about = next(row for row in (one, other) if row is not None)
            yield Difference("row", f"{about.field or '-'} at {about.place}", _said(one), _said(other))
    for case in trials.cases(new.document, own):
        yield from _on_sample(catalogue, old, new, case.parent)


def _said(row: Any) -> str:
    return "" if row is None else str(row.converter)


def _on_sample(catalogue: Catalogue, old: Mapping, new: Mapping, case: Path) -> Iterator[Difference]:
    for path in sorted(case.glob("in.*")):
        wire = trials.wire_of(catalogue, path.read_bytes(), new)
        if wire is not None:
            yield from _differ("read", f"{case.name}/{path.name}", _read(old, wire), _read(new, wire))
    stored = json.loads((case / "document.json").read_text("utf-8"))
    document = MODELS[new.document].model_validate(stored)
    yield from _differ("write", case.name, _write(old, document), _write(new, document))


def _read(mapping: Mapping, wire: Any) -> dict[str, Any]:
    """The document read, and what is said of it."""
    read = mapping.read(wire, trials.CONTEXT)
    said = sorted({f"{finding.code} {finding.place}" for finding in read.findings})
    values = read.document.model_dump(exclude_none=True) if isinstance(read.document, Document) else {}
    return {"document": values, "findings": said}


def _write(mapping: Mapping, document: Document) -> dict[str, Any]:
    written = mapping.write(document, trials.CONTEXT)
    return {"body": trials.comparable(written.body), "findings": sorted(text(one) for one in written.findings)}


def _differ(what: str, sample: str, one: dict[str, Any], other: dict[str, Any]) -> Iterator[Difference]:
    """Every place where two outcomes differ."""
    for place, old, new in _walk(one, other, ""):
        yield Difference(what, f"{sample}{place}", _short(old), _short(new))


def _walk(one: Any, other: Any, place: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in [*one, *(key for key in other if key not in one)]:
            yield from _walk(one.get(key), other.get(key), f"{place}/{key}")
    elif isinstance(one, list | tuple) and isinstance(other, list | tuple):
        if len(one) != len(other) and all(isinstance(item, str) for item in (*one, *other)):
            # Segments or findings: what one has and the other lacks says more than what stands in each place.
            gone = [item for item in one if item not in other]
            come = [item for item in other if item not in one]
            yield from ((place, item, None) for item in gone)
            yield from ((place, None, item) for item in come)
            return
        for index in range(max(len(one), len(other))):
            old, new = (side[index] if index < len(side) else None for side in (one, other))
            yield from _walk(old, new, f"{place}/{index}")
    elif one != other:
        yield place, one, other


_SHORT = 120


def _short(value: Any) -> str:
    said = "" if value is None else str(value)
    return said if len(said) <= _SHORT else f"{said[: _SHORT - 1]}…"
