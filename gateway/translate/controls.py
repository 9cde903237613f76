"""Counts and control totals: written from the document, verified on reading."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from gateway.documents import values as document_values
from gateway.findings import make_finding
from gateway.model import Place
from gateway.translate.outcome import Raw


def figure(kind: str, values: Mapping[str, Any], path: tuple[str, ...]) -> Decimal | None:
    """The count of what stands at `path` (lists are walked through), or its sum; None where nothing stands there."""
    found = list(_walk(values, path))
    if not found:
        return None
    if kind == "count":
        return Decimal(len(found))
    return sum((Decimal(value) for value in found), Decimal(0))


def verify(kind: str, field: str, path: tuple[str, ...], text: str, place: Place, raw: Raw) -> None:
    """Compare what the sender counted or added up with what was read."""
    computed = figure(kind, raw.values, path) or Decimal(0)
    try:
        stated = document_values.number(text.strip(" ").replace(",", "."))
    except ValueError:
        raw.findings.append(make_finding("translate.number", place, text))
        return
    if stated != computed:
        raw.findings.append(make_finding(f"translate.{kind}", place, text, field=field, computed=f"{computed:f}"))


def _walk(value: Any, path: tuple[str, ...]) -> Iterator[Any]:
    if value is None:
        return
    if isinstance(value, list | tuple):
        for item in value:
            yield from _walk(item, path)
    elif path:
        yield from _walk(value.get(path[0]), path[1:])
    else:
        yield value
