"""Documents in each recipient's own format, under control references that the recipient has not seen before."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from gateway.catalogue import Catalogue
from gateway.decide.facts import Facts, NextNumber
from gateway.documents import Document
from gateway.documents.response import Response
from gateway.documents.statistics import Statistics
from gateway.findings import make_finding
from gateway.model import TIME_DIGITS, Acknowledge, Agreement, Partner, Syntax, begins_with_time
from gateway.receipt import acknowledgement, advice
from gateway.store.ports import Decisions
from gateway.translate import statistics_csv, table
from gateway.translate.context import context_of
from gateway.translate.envelope import Frame, Rendered, refuse_own, render
from gateway.trip.aside import run_aside

X12_NUMBERS = 999_999_999
"""ISA13 has nine digits; then it begins again (X12.5)."""


def asks_acknowledgement(agreement: Agreement) -> bool:
    """Whether a recipient is asked in the envelope to acknowledge what it gets (UNB 0031, ISA14), and awaited to."""
    return agreement.acknowledge is Acknowledge.ON_REQUEST and agreement.format.startswith(_ACKNOWLEDGED)


_ACKNOWLEDGED = ("edifact:", "x12:")
"""Syntaxes that have acknowledgements of their own."""


def is_writable(catalogue: Catalogue, document_type: str, agreement: Agreement) -> bool:
    """Whether documents of that type are written in the agreement's format: by a mapping, as an advice, or as CSV."""
    if table.find(catalogue, document_type, agreement.format, agreement.mapping) is not None:
        return True
    if document_type == Statistics.document_type:
        return agreement.format == statistics_csv.FORMAT
    return document_type == Response.document_type and agreement.format in advice.WRITERS


def write(catalogue: Catalogue, document_type: str, document: Document, agreement: Agreement, frame: Frame) -> Rendered:
    """The document in the agreement's format, which `is_writable`, in the envelope that `frame` describes."""
    mapping = table.find(catalogue, document_type, agreement.format, agreement.mapping)
    if mapping is not None:
        return render(catalogue, document, mapping, context_of(agreement), frame)
    if isinstance(document, Statistics):
        return Rendered(statistics_csv.write_file(document), [])
    assert isinstance(document, Response), "only a response and a report are written without a mapping"
    body = advice.WRITERS[agreement.format](document, frame)
    refused = acknowledgement.errors(catalogue, body, Syntax(agreement.format.partition(":")[0]))
    # What does not pass our own strict check does not leave.
    return Rendered(b"" if refused else body, [refuse_own(fault) for fault in refused])


class Renderer:
    """Writes documents as bytes, each in an interchange of its own."""

    def __init__(
        self, our_id: str, store: Decisions, catalogue: Catalogue, acknowledged_within: timedelta = timedelta(days=1)
    ) -> None:
        """`our_id` names us where an agreement does not; `store` counts X12 control numbers.

        `acknowledged_within` is the term of a recipient that is asked to acknowledge what it gets.
        """
        self.catalogue = catalogue
        self.acknowledged_within = acknowledged_within
        self._our_id = our_id
        self._store = store

    async def render(
        self,
        document_type: str,
        document: Document,
        agreement: Agreement,
        recipient: Partner,
        delivery_id: str,
        at: datetime,
        *,
        test: bool,
    ) -> tuple[Rendered, str]:
        """The bytes and the control reference they carry; without a mapping, no bytes and a finding."""
        if not is_writable(self.catalogue, document_type, agreement):
            format_ = f"{agreement.format} {agreement.mapping}".strip()
            missing = make_finding("mapping.none_outbound", document=document_type, format=format_)
            return Rendered(b"", [missing]), ""
        if agreement.format.startswith("x12:"):
            reference = await self.x12_reference(recipient.id, delivery_id, test=test)
        else:
            reference = reference_of(delivery_id)
        frame = Frame(
            sender=agreement.our_id or self._our_id,
            recipient=agreement.their_id or recipient.id,
            reference=reference,
            at=at.astimezone(ZoneInfo(agreement.time_zone)),
            test=test,
            charset=agreement.charset,
            transport_envelope=agreement.envelope,
            acknowledgement_requested=asks_acknowledgement(agreement),
        )
        rendered = await run_aside(document, partial(write, self.catalogue, document_type, document, agreement, frame))
        return rendered, reference

    async def x12_reference(self, partner_id: str, delivery_id: str, *, test: bool) -> str:
        """The next interchange control number towards a partner; the same again for the same delivery.

        Test traffic draws from numbers of its own.
        """
        counter = NextNumber(f"x12:{partner_id}", test=test)
        facts = await self._store.facts([counter], Facts(), delivery_id)
        return str((facts[counter] - 1) % X12_NUMBERS + 1)


def reference_of(delivery_id: str) -> str:
    """A control reference of 14 characters (0020 is an..14), so that none repeats towards a partner.

    Of an id that begins with its time: 20 bits of minutes, which come round after two years, and 50 of its digest;
    the time keeps the references of one day together in the index by which answers find them. Of an older id 70 bits.
    """
    if not begins_with_time(delivery_id):
        return base64.b32encode(bytes.fromhex(delivery_id))[:14].decode()
    minutes = int(delivery_id[:TIME_DIGITS], 16) // 60_000 % 2**20
    digest = int(delivery_id[-16:], 16) % 2**50
    return base64.b32encode((minutes << 60 | digest << 10).to_bytes(10, "big"))[:14].decode()
