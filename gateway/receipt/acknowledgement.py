"""The whole acknowledgement of an interchange, as bytes that pass our own strict check.

What an acknowledgement copies comes from a sender who may have got it wrong. The writers copy only what is valid, and
here what they wrote is read and checked once more, as strictly as what partners send. Where it does not pass, less
precise answers are tried: first without the faults of each message, then the interchange's own verdict alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from gateway.catalogue import Catalogue
from gateway.check import structure, tables
from gateway.model import Finding, Severity, Syntax
from gateway.parse import edifact as edifact_reader
from gateway.parse import x12 as x12_reader
from gateway.parse.segments import Envelope, GroupBegun, GroupEnded, InterchangeBegun, InterchangeEnded, MessageRead
from gateway.parse.x12_writer import Body, GroupHeader
from gateway.receipt import edifact, x12


@dataclass(frozen=True, slots=True)
class Answer:
    """An acknowledgement; `body` is empty where none can be written."""

    body: bytes = b""
    faults: tuple[Finding, ...] = ()
    """What our check had against more precise answers, which were not sent: a fault of ours, for the operator."""


def contrl(
    catalogue: Catalogue,
    envelope: Envelope,
    findings: Sequence[Finding],
    verdicts: Sequence[edifact.Verdict],
    groups: Sequence[GroupEnded] = (),
    *,
    reference: str,
    at: datetime,
) -> Answer:
    """The CONTRL for an interchange, as `edifact.contrl` has it."""

    def written(detail: edifact.Detail) -> bytes:
        reply = edifact.contrl(catalogue, envelope, findings, verdicts, groups, detail=detail)
        return edifact.interchange(envelope, [reply], reference=reference, at=at) if reply else b""

    return _valid(catalogue, Syntax.EDIFACT, [partial(written, detail) for detail in edifact.Detail])


def functional(
    catalogue: Catalogue,
    envelope: Envelope,
    interchange_acknowledgement: str | None,
    groups: Sequence[tuple[GroupHeader, Sequence[Body]]],
    *,
    reference: str,
    at: datetime,
) -> Answer:
    """The TA1 (a raw segment, where one is due) and the 997 or 999 of each group, in one interchange."""
    ta1 = [] if interchange_acknowledgement is None else [interchange_acknowledgement]

    def written(groups: Iterable[tuple[GroupHeader, Iterable[Body]]]) -> bytes:
        return x12.reply(envelope, reference, at, acknowledgements=ta1, groups=groups)

    tries: list[Callable[[], bytes]] = []
    if groups:
        tries.append(lambda: written(groups))
        tries.append(lambda: written((header, [x12.brief(body) for body in bodies]) for header, bodies in groups))
    if ta1:
        tries.append(lambda: written(()))
    return _valid(catalogue, Syntax.X12, tries)


def _valid(catalogue: Catalogue, syntax: Syntax, tries: Iterable[Callable[[], bytes]]) -> Answer:
    """The first answer that our own check takes."""
    faults: list[Finding] = []
    for write in tries:
        body = write()
        found = [] if not body else errors(catalogue, body, syntax)
        if not found:
            return Answer(body, tuple(faults))
        faults += found
    return Answer(b"", tuple(faults))


def errors(catalogue: Catalogue, body: bytes, syntax: Syntax) -> list[Finding]:
    """What a strict check finds wrong in an interchange that we wrote: its envelope, structure, values."""
    reader = edifact_reader if syntax is Syntax.EDIFACT else x12_reader
    found: list[Finding] = []
    for event in reader.read((body,)):
        found += event.findings
        match event:
            case InterchangeBegun() if syntax is Syntax.EDIFACT:
                found += structure.check_service(
                    catalogue, event.envelope.header, event.envelope.delimiters, event.envelope.version
                )
            case InterchangeEnded(envelope=envelope, trailer=trailer) if syntax is Syntax.EDIFACT:
                found += structure.check_service(catalogue, trailer, envelope.delimiters, envelope.version)
            case MessageRead(message=message):
                table = tables.find(catalogue, message.type)
                assert table is not None, "the tables of the acknowledgements are part of the package"
                found += structure.check(message, table).findings
            case GroupBegun() | GroupEnded() | InterchangeBegun() | InterchangeEnded():
                pass
    return [finding for finding in found if finding.severity is Severity.ERROR]
