"""A response document in the syntax of partners that speak EDI: APERAK D.96B, or X12 824.

Neither is a translation of a response by a table: which segments it has depends on whether it refuses,
and its reasons carry their places as references or words (see `receipt.edifact.aperak`, `receipt.x12`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gateway.documents.response import Outcome, Response
from gateway.model import Syntax
from gateway.parse.segments import Envelope
from gateway.receipt import edifact, x12
from gateway.translate.context import EDIFACT_DELIMITERS
from gateway.translate.envelope import Frame, x12_interchange

APERAK = "edifact:APERAK:D:96B:UN"
APPLICATION_ADVICE = "x12:824:004010"
"""The formats under which an agreement asks for them, for the document type `response`."""


def aperak(response: Response, frame: Frame) -> bytes:
    """The interchange from `frame.sender` to `frame.recipient` that says what `response` says."""
    qualifier, _, sender = frame.recipient.rpartition(":")
    our_qualifier, _, recipient = frame.sender.rpartition(":")
    # What is answered came from the recipient of this; it may have come in any syntax, so its header is made up.
    answered = Envelope(
        syntax=Syntax.EDIFACT,
        delimiters=EDIFACT_DELIMITERS,
        header=[],
        sender=sender,
        sender_qualifier=qualifier,
        recipient=recipient,
        recipient_qualifier=our_qualifier,
        version="4",
        repertoire="UNOW",
        charset="utf-8",
        test=frame.test,
    )
    refused = []
    if response.outcome is Outcome.REFUSED:
        refused = [edifact.Reason(r.code, _words(r.text or r.code, r.place)) for r in response.reasons]
        refused = refused or [edifact.Reason("18", response.text or response.outcome.value)]
    reply = edifact.aperak(
        answered,
        number=response.id,
        at=frame.at,
        message_reference=response.reference or response.number or response.document,
        document_number=response.declaration_number or response.number or "",
        refused=refused,
    )
    return edifact.interchange(answered, [reply], reference=frame.reference, at=frame.at)


def application_advice(response: Response, frame: Frame) -> bytes:
    """The same as an X12 interchange with one 824; what is held is told as accepted with errors, and why."""
    reasons = [f"{_words(r.text or r.code, r.place)} ({r.code})" for r in response.reasons]
    match response.outcome:
        case Outcome.REFUSED:
            outcome, reasons = x12.Outcome.REJECTED, reasons or [response.text or response.outcome.value]
        case Outcome.HELD if reasons:
            outcome = x12.Outcome.ACCEPTED_WITH_ERRORS
        case _:
            outcome, reasons = x12.Outcome.ACCEPTED, []
    advice = x12.application_advice(
        outcome,
        response.reference or response.number or response.declaration_number or response.document,
        reasons,
        reference=response.id,
        at=frame.at,
    )
    return x12_interchange(advice, "004010", frame, frame.charset or "utf-8")


WRITERS: Mapping[str, Callable[[Response, Frame], bytes]] = {APERAK: aperak, APPLICATION_ADVICE: application_advice}


def _words(text: str, place: str | None) -> str:
    """A reason with its place, which a response holds as words already."""
    return f"{place}: {text}" if place else text
