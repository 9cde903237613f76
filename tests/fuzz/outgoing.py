"""What must hold of everything that leaves: documents in each format, advices, acknowledgements."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from gateway.catalogue_folders import shipped
from gateway.documents import Document, Response
from gateway.model import Agreement, Direction
from gateway.receipt import advice
from gateway.translate import envelope, table
from gateway.translate.context import Context, context_of
from gateway.trip.examine import examine
from gateway.trip.examined import Interchange, Message
from tests.conformance import rig
from tests.flows import world
from tests.fuzz.invariants import Budget

LIMIT = 1 << 20
NOT_READ = frozenset({"latin-1"})
"""Character sets in which XML is written for whoever asks for them, and that our own reader of XML does not take."""


def examined(body: bytes, agreement: Agreement) -> list[Message | Interchange]:
    """What `body` holds under an agreement."""
    return list(examine(shipped(), body, [agreement], world.RULES, unpacked_limit=LIMIT))


def frame(reference: str = "000000001", **said: object) -> envelope.Frame:
    """An envelope from us to somebody."""
    known: dict[str, object] = {"sender": "ZZ:US", "recipient": "ZZ:THEM", "at": world.NOW + timedelta(hours=8)}
    return envelope.Frame(reference=reference, **{**known, **said})  # type: ignore[arg-type]


def accepted(body: bytes, budget: Budget, agreement: Agreement | None = None) -> None:
    """What goes out passes our own strict check of it, under an agreement that is its recipient's."""
    budget.gives(body)
    if not body:
        return
    strict = agreement or Agreement("b", "us", Direction.IN, "*", "*", time_zone="Asia/Shanghai")
    for item in examined(body, strict):
        assert not item.fault, item.fault
        assert not item.rejected, (body[:2000], item.findings)


def rendered(document_type: str, document: Document, agreement: Agreement, budget: Budget) -> None:
    """The document in every format, as strict as a partner could be; what is not written says why."""
    for name, format_ in table.available(shipped()):
        if name == document_type:
            context = Context(time_zone=agreement.time_zone)
            mapping = table.load(shipped(), name, format_)
            written = envelope.render(shipped(), document, mapping, context, frame())
            assert written.body or written.findings, format_
            accepted(written.body, budget)


def rendered_by(document_type: str, document: Document, agreement: Agreement, budget: Budget) -> None:
    """The document in every format as `agreement` has it: its code tables, separators, character set, time zone."""
    for name, format_ in table.available(shipped()):
        if name == document_type:
            mapping = table.load(shipped(), name, format_)
            unfit = (
                (agreement.charset in NOT_READ) if mapping.format.startswith("xml:") else agreement.charset == "utf-16"
            )
            charset = "" if unfit else agreement.charset  # no agreement about EDI may name what does not hold ASCII
            said = frame(charset=charset, transport_envelope="OBORMessage")
            written = envelope.render(shipped(), document, mapping, context_of(agreement), said)
            assert written.body or written.findings, format_
            accepted(written.body, budget, replace(agreement, charset=charset))


def advised(response: Response, budget: Budget) -> None:
    """The response as APERAK and as 824."""
    for write in advice.WRITERS.values():
        accepted(write(response, frame()), budget)


def acknowledged(interchange: Interchange, budget: Budget) -> None:
    """The CONTRL; or TA1, 997 and 999 together. It is written as fully as it can be, and says why it rejects."""
    answer = rig.answered(interchange)
    assert not answer.faults, answer.faults
    assert not rig.bare_rejections(answer.body.decode("utf-8", "replace")), answer.body
    accepted(answer.body, budget)
