"""What comes of a declaration that is accepted: its number, and the bureau that gets it."""

from __future__ import annotations

from gateway.decide import china
from gateway.decide.desk import Desk
from gateway.decide.effects import AddKeys, Effect, Keep, Move, Party, Purpose, Send
from gateway.decide.facts import Facts, NextNumber
from gateway.decide.parties import bureau
from gateway.documents.declaration import Declaration
from gateway.documents.parts import Movement
from gateway.flows.consignment.cases import keys_of
from gateway.flows.consignment.tracks import Declared
from gateway.model import Partner, Role

LAST_SEQUENCE = 999_999
"""The number has six digits for the sequence."""


def accept_declaration(desk: Desk, case_id: str, declaration: Declaration, event: str) -> list[Effect]:
    """The effects of a number given: the case has it, the inspecting bureau gets the declaration."""
    effects: list[Effect] = [
        Move(case_id, "declaration", event),
        Keep(case_id, "declaration", declaration),
        AddKeys(case_id, keys_of(declaration)),
    ]
    inspecting = bureau_in_charge(declaration, desk.facts, Declared.ACCEPTED)
    # The bureau that has just answered with the number knows the declaration already.
    if inspecting is not None and inspecting.id != desk.sender.id:
        effects.append(Send(case_id, "declaration", declaration, party_of(inspecting), Purpose.INSPECTION))
    return effects


def next_number(desk: Desk, declaration: Declaration) -> str | None:
    """A new declaration number: organisation 6, direction 1, year 2, sequence 6; None where the year's are used up."""
    direction = "1" if declaration.direction is Movement.INBOUND else "2"
    stem = f"{declaration.declaration_organisation}{direction}{china.day(desk.now):%y}"
    sequence = desk.facts[NextNumber(f"declaration:{stem}", desk.test)]
    return f"{stem}{sequence:06}" if sequence <= LAST_SEQUENCE else None


def bureau_in_charge(declaration: Declaration, facts: Facts, state: str) -> Partner | None:
    """The bureau that has the declaration in hand: the one declared to reviews it, then the inspecting one takes over."""
    reviewing = bureau(facts, declaration.declaration_organisation)
    if state in (Declared.DECLARED, Declared.IN_REVIEW):
        return reviewing
    return bureau(facts, declaration.inspection_organisation) or reviewing


def party_of(partner: Partner) -> Party:
    """A bureau as whom to send to."""
    return Party(Role.BUREAU, partner_id=partner.id)
