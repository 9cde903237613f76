"""Results and movements that no flow decides (yet): they are kept, and their sender is told so in words.

A gate's question is refused: whoever asks must not take the answer for leave to open.
"""

from __future__ import annotations

from gateway.decide.answers import Subject, fault, refuse, response
from gateway.decide.desk import Desk
from gateway.decide.effects import Effect, Respond
from gateway.decide.flow import Flow, Takes
from gateway.documents.inspection_result import InspectionResult
from gateway.documents.movement import MovementReport, Passage
from gateway.documents.response import Outcome


def decide(desk: Desk) -> list[Effect]:
    """That nothing is decided here: received, or refused where somebody waits for leave."""
    document = desk.document
    if isinstance(document, MovementReport):
        about = Subject("movement", number=document.number)
        if document.kind is Passage.GATE_ASK:
            return refuse(desk, about, [fault("decide.movement.gate_ask", "kind", document.kind)])
        why = fault("decide.movement.undecided", "kind", document.kind, event=document.kind, thing=document.thing)
    else:
        assert isinstance(document, InspectionResult)
        kind, subject = document.kind, document.subject.kind
        about = Subject("inspection_result", number=document.number, declaration_number=document.declaration_number)
        why = fault("decide.result.undecided", "subject.kind", subject, result=kind, subject=subject)
    return [Respond("", response(desk, about, Outcome.RECEIVED, desk.sender.language, why=[why]))]


FLOW = Flow(
    "undecided",
    takes=(Takes(InspectionResult, otherwise=True), Takes(MovementReport, otherwise=True)),
    decide=decide,
)
