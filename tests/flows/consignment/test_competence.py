"""Who may do an act on a case is asked for every act: numbers can be guessed."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.decide.effects import Refuse, Send
from gateway.documents import Document
from gateway.model import Partner
from tests.flows.containers.test_port_inspection import order
from tests.flows.world import (
    BUREAU,
    FACTORY,
    FAR_CUSTOMS,
    NEWCOMER,
    ORIGIN,
    PORT,
    PORT_BUREAU,
    PORT_SIDE,
    STRANGER,
    World,
    answer,
    entry,
    inbound,
    manifest,
    notice,
    of,
    outbound,
    transfer,
)

NUMBER = f"{ORIGIN}226000001"
INBOUND = f"{PORT_BUREAU}126000001"
FAR = "440100"


def said(outcome: str, document: str = "declaration", **more: Any) -> Document:
    return answer(outcome, "R-9", **{"document": document, "declaration_number": NUMBER, "reference": None, **more})


def exported() -> World:
    """Handed on and noticed, so that there is something to answer of every kind."""
    world = World()
    world.send(outbound(), FACTORY)
    world.send(transfer(NUMBER), BUREAU)
    world.send(notice(NUMBER), PORT_SIDE)
    return world


def accepted() -> World:
    world = World()
    world.send(outbound(), FACTORY)
    return world


def imported() -> World:
    world = World()
    world.send(inbound(), FACTORY)
    world.send(manifest(), PORT)
    return world


STRANGERS: list[tuple[Any, Document, Partner]] = [
    # A bureau that the declaration does not name, in its own name, whatever it says.
    *((accepted, said(outcome), STRANGER) for outcome in ("accepted", "refused", "released", "cancelled")),
    *((accepted, said("received", code=code), STRANGER) for code in ("1400", "1500")),
    (accepted, transfer(NUMBER, from_organisation=FAR), STRANGER),
    (accepted, notice(NUMBER, issuing_organisation=FAR), STRANGER),
    (exported, transfer(NUMBER, from_organisation=FAR, function="1"), STRANGER),
    (exported, transfer(NUMBER, from_organisation=FAR, function="5"), STRANGER),
    (exported, transfer(NUMBER, function="4"), STRANGER),
    (exported, notice(NUMBER, issuing_organisation=FAR, function="1"), STRANGER),
    (exported, said("refused", "transfer"), STRANGER),
    (exported, said("accepted", "transfer"), STRANGER),
    (imported, order("lock", organisation=FAR), STRANGER),
    # In another's name.
    (accepted, transfer(NUMBER), STRANGER),
    (accepted, notice(NUMBER), STRANGER),
    (imported, order("lock"), STRANGER),
    # An office of the case, but not the one that may.
    (accepted, transfer(NUMBER, from_organisation=PORT_BUREAU, to_organisation=ORIGIN), PORT_SIDE),
    (accepted, said("released"), PORT_SIDE),
    (exported, said("released", declaration_number=NUMBER), PORT_SIDE),
    (exported, said("refused", "transfer"), BUREAU),
    (exported, said("accepted", "transfer"), BUREAU),
    # Another customs office, a bureau in customs' place, an enterprise in a bureau's.
    (exported, entry(NUMBER), FAR_CUSTOMS),
    (exported, entry(NUMBER), BUREAU),
    (exported, said("refused", "clearance", notice_number=f"{NUMBER}000"), FAR_CUSTOMS),
    (accepted, said("released"), FACTORY),
    (accepted, transfer(NUMBER), FACTORY),
    (exported, entry(NUMBER), FACTORY),
    # Another enterprise, with the number.
    (accepted, outbound(number=NUMBER, function="1", client_reference="X"), NEWCOMER),
    (imported, inbound(number=INBOUND, function="4", client_reference="X"), NEWCOMER),
]


@pytest.mark.parametrize(("begun", "document", "sender"), STRANGERS)
def test_whoever_may_not_moves_nothing(begun, document, sender) -> None:
    """It is refused, the case stands as it stood, and nobody else hears of it."""
    world = begun()
    before = world.case
    effects = world.send(document, sender)
    assert of(effects, Refuse)
    assert (world.case.tracks, world.case.documents, world.case.keys) == (before.tracks, before.documents, before.keys)
    assert {send.to.partner_id for send in of(effects, Send)} <= {sender.id}
