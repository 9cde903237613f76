"""Reads wire messages into canonical documents and writes documents as wire messages, by one mapping.

A `Mapping` is a compiled table; it works in both directions and never raises for what a sender or a
document holds: everything there is to say comes back as findings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Protocol

from pydantic import ValidationError

from gateway.documents import Document, faults
from gateway.documents.partial import part_of
from gateway.findings import MOST_TOLD, about, make_finding, more_findings
from gateway.model import Finding, Place, Severity
from gateway.translate import fields
from gateway.translate.context import Context
from gateway.translate.fault import Fault
from gateway.translate.outcome import Origins, Raw, Read, Written
from gateway.translate.reshape import Notice, Reshape
from gateway.translate.rows import Row
from gateway.translate.weight import Weight


class Wire(Protocol):
    """One family of wire formats, compiled for one mapping."""

    @property
    def faults(self) -> Sequence[Fault]:
        """What is wrong with the rows."""

    @property
    def linked(self) -> Sequence[str]:
        """Fields that the wire carries without a row of their own."""

    def read(self, wire: Any, context: Context, trace: dict[str, Place] | None = None) -> Raw:
        """The values on the wire; their places go into `trace` where it is given."""

    def field_finder(self, wire: Any) -> Callable[[Place], str]:
        """Finds the field that stands at a place of a message, or would; empty where no row says, or several do."""

    def write(self, document: Document, values: MappingType[str, Any], context: Context) -> tuple[Any, list[Finding]]:
        """The body for `document`, whose present items are `values`, and what could not be written."""


@dataclass(frozen=True, slots=True, eq=False)
class Mapping:
    """One table, compiled: how `document` stands in `format`. `digest` is of its text (translate/source.py)."""

    document: str
    format: str
    digest: str
    unmapped: str
    """`keep`, `report` or `ignore` text that no row mentions; what weighs more is told in any case."""
    rows: Sequence[Row]
    model: type[Document]
    wire: Wire
    defaults: MappingType[tuple[str, ...], str]
    """Values that the format implies, by field; such a value is not written."""
    carried: frozenset[str]
    """Fields with a place of their own on the wire."""
    dropped: fields.Unmapped
    """The part of the document that the format cannot carry."""
    reshape: Reshape | None = None

    def read(self, wire: Any, context: Context = Context()) -> Read:  # noqa: B008 - frozen
        """The document that `wire` holds: for EDI (message, checked), for XML an element, for JSON a value."""
        raw = self.wire.read(wire, context)
        self._imply(raw.values)
        found = raw.findings
        moved: dict[str, str] = {}
        if self.reshape is not None:
            reshaped = self.reshape.read(raw.values)
            raw.values, moved = reshaped.values, reshaped.moved
            if reshaped.notices:
                found.extend(_noticed(reshaped.notices, self._trace(wire, context)))
        origins = Origins(lambda: _moved(self._trace(wire, context), moved), moved)
        document: Document | None = None
        partial: Document | None = None
        try:
            document = self.model.model_validate(raw.values)
        except ValidationError as error:
            found.extend(_faults_told(error, origins))
            if error.error_count() <= MOST_TOLD:
                partial = part_of(self.model, raw.values)
        found.extend(
            make_finding(one.weight.value, one.place, one.text)
            for one in raw.kept
            if one.weight is not Weight.WITHIN and (one.weight is not Weight.TEXT or self.unmapped == "report")
        )
        kept = raw.kept if self.unmapped == "keep" else []
        return Read(document, raw.values, found, origins, kept, partial)

    def named(self, found: Iterable[Finding], wire: Any) -> list[Finding]:
        """`found` about a message, each that has a place with the field that stands there, for its words to begin with."""
        find = self.wire.field_finder(wire)
        return [one if one.severity is Severity.NOTE else about(one, find(one.place)) for one in found]

    def write(self, document: Document, context: Context = Context()) -> Written:  # noqa: B008 - frozen
        """`document` in this format, and every field that the format could not carry."""
        values = document.model_dump(exclude_none=True)
        moved: dict[str, str] = {}
        lost = [make_finding("translate.dropped", Place(path=path), value) for path, value in self._unimplied(values)]
        if self.reshape is not None:
            reshaped = self.reshape.write(values)
            values, moved = reshaped.values, reshaped.moved
            lost.extend(make_finding(n.code, Place(path=n.path), n.value, **n.words) for n in reshaped.notices)
        body, found = self.wire.write(document, values, context)
        found.extend(lost)
        found.extend(
            make_finding("translate.dropped", Place(path=path), _shown(value))
            for path, value in fields.unmapped_values(values, self.dropped)
        )
        return Written(body, [_renamed(f, moved) for f in found] if moved else found)

    def _imply(self, values: dict[str, Any]) -> None:
        for path, implied in self.defaults.items():
            at = values
            for name in path[:-1]:
                at = at.setdefault(name, {})
            at.setdefault(path[-1], implied)

    def _unimplied(self, values: dict[str, Any]) -> list[tuple[str, str]]:
        """Leave out of `values` what the format implies; (path, value) of what it neither implies nor has a row for."""
        lost = []
        for path, implied in self.defaults.items():
            value = _get(values, path)
            if value is not None and str(value) == implied:
                del _get(values, path[:-1])[path[-1]]
            elif value is not None and ".".join(path) not in self.carried:
                lost.append((".".join(path), str(value)))
        return lost

    def _trace(self, wire: Any, context: Context) -> dict[str, Place]:
        places: dict[str, Place] = {}
        self.wire.read(wire, context, places)
        return places


def _noticed(notices: Sequence[Notice], places: MappingType[str, Place]) -> list[Finding]:
    """What a reshaping has to say, each at the sender's place."""
    origins = Origins(lambda: places)
    return [make_finding(n.code, origins.nearest(n.path), n.value, **n.words) for n in notices]


def _moved(places: dict[str, Place], moved: MappingType[str, str]) -> dict[str, Place]:
    """`places` under the paths that a reshaping gave their values."""
    if not moved:
        return places
    documents: dict[str, list[str]] = {}
    for document_path, wire_path in moved.items():
        documents.setdefault(wire_path, []).append(document_path)
    kept: dict[str, Place] = {}
    for path, place in places.items():
        # The nearest that moved counts: goods of a container stand elsewhere than the bill they belong to.
        ends = [end for end in _ends(path) if path[:end] in documents]
        if not ends:
            kept[path] = place
            continue
        kept.update((document_path + path[ends[-1] :], place) for document_path in documents[path[: ends[-1]]])
    return kept


def _ends(path: str) -> Iterator[int]:
    """Where in `path` each of what holds its value ends, and it itself."""
    yield from (mark.start() for mark in _MARK.finditer(path) if mark.start())
    yield len(path)


_MARK = re.compile(r"[.\[]")
_INDEXED = re.compile(r".*\]")


def _renamed(said: Finding, moved: MappingType[str, str]) -> Finding:
    """A finding about the values that a reshaping made, under the document's own path."""
    match = _INDEXED.match(said.place.path)
    while match is not None:
        if (path := moved.get(match[0])) is not None:
            return replace(said, place=replace(said.place, path=path + said.place.path[match.end() :]))
        match = _INDEXED.match(match[0][:-1])
    return said


def _faults_told(error: ValidationError, origins: Origins) -> list[Finding]:
    """What the document's own rules have against the values, as far as that is told, each at the sender's place."""
    found = []
    for fault in islice(faults.faults(error), MOST_TOLD):
        path = fields.value_path(fault.location)
        one = make_finding(fault.code, origins.nearest(path), fault.value, **{**fault.args, "field": path})
        found.append(about(one, path))
    left_out = error.error_count() - len(found)
    return [*found, more_findings(MOST_TOLD, left_out)] if left_out else found


def _get(values: MappingType[str, Any], path: tuple[str, ...]) -> Any:
    at: Any = values
    for name in path:
        at = at.get(name) if at else None
    return at


_SHOWN = 80
"""How many characters of a dropped value a finding shows."""


def _shown(value: Any) -> str:
    text = "" if isinstance(value, dict | list | tuple) else str(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
