"""The EDI side of a mapping: its rows compiled against the wire table, for EDIFACT and X12 alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.check.nodes import Table
from gateway.check.walk import Checked
from gateway.documents import Document
from gateway.model import Finding, Place
from gateway.parse.segments import SegmentMessage
from gateway.translate.context import Context
from gateway.translate.convert import Lists
from gateway.translate.edi import Compiler
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

    def read(
        self, wire: tuple[SegmentMessage, Checked], context: Context, trace: dict[str, Place] | None = None
    ) -> Raw:
        """The values of a message and its check."""
        message, checked = wire
        return self._reader.read(message, checked.nodes, context, trace)

    def write(
        self,
        document: Document,  # noqa: ARG002 - a Wire
        values: Mapping[str, Any],
        context: Context,
    ) -> tuple[list[str], list[Finding]]:
        """The raw segments between UNH and UNT, or ST and SE."""
        return self._writer.write(values, context)
