"""What comes of a declaration that is accepted: its number, and the bureau that gets it."""

from __future__ import annotations

from gateway.decide import china
from gateway.decide.desk import Desk
from gateway.decide.effects import AddKeys, Effect, Keep, Move, Party, Purpose, Send
from gateway.decide.facts import Facts
from gateway.decide.numbers import NumberKind, next_number
from gateway.decide.parties import bureau
from gateway.documents.declaration import Declaration
from gateway.documents.parts import Movement
from gateway.flows.consignment.cases import keys_of
from gateway.flows.consignment.rules import DeclarationKinds
from gateway.flows.consignment.tracks import Declared
from gateway.model import Partner, Role

NUMBER = NumberKind("declaration", "declaration", frozenset({"organisation", "direction", "year"}))
"""The declaration number (报检号): given once, and the consignment's from start to end."""


def accept_declaration(desk: Desk, case_id: str, declaration: Declaration, event: str, rule: str = "") -> list[Effect]:
    """The effects of a number given: the case has it, the inspecting bureau gets the declaration.

    `rule` is what accepts it, where no bureau does.
    """
    effects: list[Effect] = [
        Move(case_id, "declaration", event, rule=rule),
        Keep(case_id, "declaration", declaration),
        AddKeys(case_id, keys_of(declaration)),
    ]
    kind = desk.rules.of(DeclarationKinds).find(declaration.kind)
    if kind is not None and kind.inspection == "waived":
        effects.append(Move(case_id, "inspection", "waive"))
    inspecting = bureau_in_charge(declaration, desk.facts, Declared.ACCEPTED)
    # The bureau that has just answered with the number knows the declaration already.
    if inspecting is not None and inspecting.id != desk.sender.id:
        effects.append(Send(case_id, "declaration", declaration, party_of(inspecting), Purpose.INSPECTION))
    return effects


def issue_number(desk: Desk, case_id: str, declaration: Declaration) -> str | None:
    """A new declaration number for the case; None where the bureau's of this year and direction are used up."""
    direction = "1" if declaration.direction is Movement.INBOUND else "2"
    return next_number(
        desk,
        NUMBER,
        case_id,
        organisation=declaration.declaration_organisation or "",
        direction=direction,
        year=f"{china.day(desk.now):%y}",
    )


def bureau_in_charge(declaration: Declaration, facts: Facts, state: str) -> Partner | None:
    """The bureau that has the declaration in hand: the one declared to reviews it, then the inspecting one takes over."""
    reviewing = bureau(facts, declaration.declaration_organisation)
    if state in (Declared.DECLARED, Declared.IN_REVIEW):
        return reviewing
    return bureau(facts, declaration.inspection_organisation) or reviewing


def party_of(partner: Partner) -> Party:
    """A bureau as whom to send to."""
    return Party(Role.BUREAU, partner_id=partner.id)
