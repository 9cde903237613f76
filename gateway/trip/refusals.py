"""The response document that tells a sender why its message was refused."""

from __future__ import annotations

from collections.abc import Sequence

from gateway import findings
from gateway.documents import values
from gateway.documents.response import Outcome, Reason, Response
from gateway.findings import make_finding
from gateway.model import Finding, Severity, derive_id
from gateway.trip import faults
from gateway.trip.examined import Interchange, Message
from gateway.trip.in_hand import InHand

MAX_REASONS = 200
"""Reasons in one response; who makes more mistakes mends these first, and all stand at GET /v1/messages/{id}."""


def refusal(message: Message, reasons: Sequence[Finding], in_hand: InHand, language: str) -> Response:
    """A refusal of `message` for `reasons`, in the words of `language`."""
    return _refused(message.document_type or message.syntax.value, message.reference, reasons, in_hand, language)


def fault_of_ours(message: Message, in_hand: InHand, language: str) -> Response:
    """What the sender of `message` is told where a fault of ours kept it from being processed."""
    document = message.document_type or message.syntax.value
    return _refused(document, message.reference, [faults.finding()], in_hand, language, "fault")


def unacknowledged(interchange: Interchange, in_hand: InHand, language: str) -> Response:
    """What the sender is told instead of an acknowledgement that could not be written: it stays true of every message."""
    reason = make_finding("gateway.unacknowledged")
    document = interchange.syntax.value if interchange.syntax is not None else "payload"
    refused = _refused(document, "", [reason], in_hand, language, "unacknowledged")
    return refused.model_copy(update={"outcome": Outcome.RECEIVED})


def unreadable(interchange: Interchange, in_hand: InHand, language: str) -> Response:
    """A refusal of what no acknowledgement can name, with the faults of all that is in it."""
    syntax = interchange.syntax.value if interchange.syntax is not None else "payload"
    found = [
        *interchange.findings,
        *(f for group in interchange.groups for f in group.findings),
        *(f for verdict in interchange.verdicts for f in verdict.findings),
    ]
    return _refused(syntax, "", found, in_hand, language)


def _refused(
    document: str, reference: str, reasons: Sequence[Finding], in_hand: InHand, language: str, kind: str = "refusal"
) -> Response:
    errors = [r for r in reasons if r.severity is Severity.ERROR]
    return Response(
        id=derive_id(in_hand.message_id, kind),
        document=document,
        # A reference with blanks, or too long, is no code and is left to the reasons' places.
        reference=values.code(reference),
        outcome=Outcome.REFUSED,
        at=in_hand.at,
        reasons=tuple(
            Reason(
                code=r.code,
                text=values.text(findings.text(r, language)),
                place=values.text(str(r.place)),
                value=values.text(r.value),
            )
            for r in errors[:MAX_REASONS]
        ),
    )
