"""Where each value of a document came from: the place in the sender's message, and the row of the mapping that read it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.catalogue import Catalogue
from gateway.translate import table
from gateway.translate.convert import CONTROLS
from gateway.translate.rows import Row
from gateway.trip.examined import ANY, Message
from gateway.trip.origins import trace

_INDEX = re.compile(r"\[\d+\]")


@dataclass(frozen=True, slots=True)
class Explained:
    """One value of a document."""

    field: str
    value: str
    place: str
    """Where it stood in what its sender wrote; empty for what the format implies, or a reshaping made."""
    row: str
    """The place that the row names; empty for the document's own JSON."""
    converter: str


def explain(catalogue: Catalogue, message: Message) -> list[Explained]:
    """Every value of an examined message's document, in the document's order; none where it has no document."""
    if message.document is None:
        return []
    agreement = message.agreement or ANY
    mapping = table.load(catalogue, message.document_type, message.format, agreement.mapping)
    by_field: dict[str, list[Row]] = {}
    for row in mapping.rows:
        if row.field and row.kind not in (*CONTROLS, "each"):
            by_field.setdefault(row.field, []).append(row)
    origins = trace(message, catalogue)
    found = []
    for path, value in _leaves(message.document.to_json(), ""):
        place = origins.get(path)
        on_wire = origins.on_wire(path)
        rows = by_field.get(_INDEX.sub("[]", on_wire), ()) or by_field.get(_INDEX.sub("", on_wire), ())
        read = next((row for row in rows if place is None or place.tag in row.place), rows[0] if rows else None)
        found.append(
            Explained(
                path,
                str(value),
                "" if place is None else str(place),
                "" if read is None else read.place,
                "" if read is None else read.converter,
            )
        )
    return found


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """(path, value) of every plain value."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{index}]")
    else:
        yield path, value
