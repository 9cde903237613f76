"""Where the values of a message stood in what its sender wrote: found by reading that again, once somebody asks.

Most messages are decided without a word about any of their fields, and finding where each stood takes longer than
the decision. So a message carries what was sent, through processes and the store, in place of the places.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from gateway.catalogue import Catalogue
from gateway.check import structure, tables, xsd
from gateway.model import Syntax
from gateway.parse import json as json_reader
from gateway.parse import xml as xml_reader
from gateway.parse.segments import SegmentMessage
from gateway.translate import table as mappings
from gateway.translate.context import context_of
from gateway.translate.outcome import Origins
from gateway.trip.examined import ANY, Message


def origins_of(message: Message, catalogue: Catalogue) -> Origins:
    """The origins of an examined message's values, by the catalogue that it was examined by; none of what is no document."""
    return Origins(partial(trace, message, catalogue))


def trace(message: Message, catalogue: Catalogue) -> Origins:
    """The same, read at once."""
    if message.document is None or message.sent is None:
        return Origins(dict)
    agreement = message.agreement or ANY
    mapping = mappings.load(catalogue, message.document_type, message.format, agreement.mapping)
    return mapping.read(_wire(message.sent, message.syntax, catalogue), context_of(agreement)).origins


def _wire(sent: SegmentMessage | bytes, syntax: Syntax, catalogue: Catalogue) -> Any:
    """What a mapping reads of a message that has passed every check."""
    if isinstance(sent, SegmentMessage):
        table = tables.find(catalogue, sent.type)
        assert table is not None, "only a message with a table is read"
        return sent, structure.check(sent, table)
    if syntax is Syntax.JSON:
        value: Any = json_reader.read(sent).value
        return value["document"] if "format" in value else value
    root = xml_reader.read(sent).root
    known = xsd.recognise(catalogue, root) if root is not None else None
    assert known is not None, "only a message with a schema is read"
    return known.root
