"""The XML side of a mapping: its rows compiled against the outline of its XSD."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lxml import etree

from gateway.documents import Document
from gateway.model import Finding, Place
from gateway.translate.context import Context
from gateway.translate.convert import Lists
from gateway.translate.fields import Shape
from gateway.translate.outcome import Raw
from gateway.translate.rows import Row
from gateway.translate.xml_outline import Outline
from gateway.translate.xml_read import XmlReader
from gateway.translate.xml_tree import XmlCompiler
from gateway.translate.xml_write import XmlWriter

_NUMBERED = re.compile(r"\[\d+\]")


class XmlWire:
    """One table's rows, compiled; `faults` says what is wrong with them."""

    linked: tuple[str, ...] = ()

    def __init__(self, root: Outline, document: Shape, rows: Sequence[Row], lists: Lists) -> None:
        compiler = XmlCompiler(root, document, lists)
        use = compiler.compile(rows)
        self.faults = compiler.faults
        self._reader = XmlReader(use)
        self._writer = XmlWriter(use)
        self._fields = {row.place.rstrip("/"): row.field for row in rows if row.field}

    def read(self, wire: etree._Element, context: Context, trace: dict[str, Place] | None = None) -> Raw:
        """The values of the message under `wire`."""
        return self._reader.read(wire, context, trace)

    def field_finder(self, wire: Any) -> Callable[[Place], str]:  # noqa: ARG002 - a Wire
        """Finds the field in the text of the element at a path; empty where no row says."""
        return self._field_at

    def _field_at(self, place: Place) -> str:
        # A path begins at the root of what was sent, which may be an envelope; a row's place begins below its own.
        steps = _NUMBERED.sub("", place.path).strip("/").split("/")
        for at in range(1, len(steps)):
            if field := self._fields.get("/".join(steps[at:])):
                return field
        return ""

    def write(
        self,
        document: Document,  # noqa: ARG002 - a Wire
        values: Mapping[str, Any],
        context: Context,
    ) -> tuple[etree._Element, list[Finding]]:
        """The message for `values`."""
        return self._writer.write(values, context)
