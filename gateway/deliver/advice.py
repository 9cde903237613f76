"""A response document as APERAK D.96B, for partners that speak EDIFACT: the business answer in their own syntax.

APERAK is no translation of a response by a table: which segments it has depends on whether it refuses,
and its reasons carry their places as references (see `receipt.edifact.aperak`).
"""

from __future__ import annotations

from gateway.documents.response import Outcome, Response
from gateway.model import Syntax
from gateway.parse.segments import Envelope
from gateway.receipt import edifact
from gateway.translate.context import EDIFACT_DELIMITERS
from gateway.translate.envelope import Frame

APERAK = "edifact:APERAK:D:96B:UN"
"""The format under which an agreement asks for it, for the document type `response`."""


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


def _words(text: str, place: str | None) -> str:
    """A reason with its place, which a response holds as words already."""
    return f"{place}: {text}" if place else text
