"""The EDI side of a mapping: its rows compiled against the wire table, for EDIFACT and X12 alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gateway.check.nodes import Table
from gateway.check.walk import Checked
from gateway.documents import Document
from gateway.model import Finding, Place
from gateway.parse.segments import SegmentMessage, split
from gateway.translate.context import Context
from gateway.translate.convert import Lists
from gateway.translate.edi import Compiler
from gateway.translate.edi_fields import Fields
from gateway.translate.edi_read import EdiReader
from gateway.translate.edi_write import EdiWriter
from gateway.translate.fields import Shape
from gateway.translate.outcome import Raw
from gateway.translate.rows import Row


class EdiWire:
    """One table's rows, compiled; `faults` says what is wrong with them."""

    def __init__(self, table: Table, document: Shape, rows: Sequence[Row], lists: Lists) -> None:
        compiler = Compiler(table, document, lists)
        root = compiler.compile(rows)
        self.faults = compiler.faults
        self.linked = compiler.linked
        self._reader = EdiReader(table, root)
        self._writer = EdiWriter(table, root)
        self._fields = Fields(root)

    def read(
        self, wire: tuple[SegmentMessage, Checked], context: Context, trace: dict[str, Place] | None = None
    ) -> Raw:
        """The values of a message and its check."""
        message, checked = wire
        return self._reader.read(message, checked.nodes, context, trace)

    def field_finder(self, wire: tuple[SegmentMessage, Checked]) -> Callable[[Place], str]:
        """Finds the field at an element of a segment; empty where no row says, or rows of several groups do.

        A segment is split once for all the faults that follow one another in it, of which it may have thousands.
        """
        message, checked = wire
        last, elements = 0, list[list[str]]()

        def find(place: Place) -> str:
            nonlocal last, elements
            if not place.segment or place.element is None or place.segment > len(checked.nodes):
                return ""
            if place.segment != last:
                last, elements = place.segment, split(message.segments[place.segment - 1], message.delimiters)
            return self._fields.find(checked.nodes[last - 1], elements, place.element, (place.component or 1) - 1)

        return find

    def write(
        self,
        document: Document,  # noqa: ARG002 - a Wire
        values: Mapping[str, Any],
        context: Context,
    ) -> tuple[list[str], list[Finding]]:
        """The raw segments between UNH and UNT, or ST and SE."""
        return self._writer.write(values, context)
