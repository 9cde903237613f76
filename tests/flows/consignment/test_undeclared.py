"""Transfers and notices whose declaration came by another way: they wait, or begin a case of their own."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.decide.desk import Actor, MessageIn
from gateway.decide.effects import Alert, Effect, NewCase, Refuse, Respond, Send, Wait
from gateway.documents import Document
from gateway.model import Partner
from tests.flows.consignment.test_declaration import newcomers
from tests.flows.world import (
    BUREAU,
    CUSTOMS,
    FACTORY,
    NEWCOMER,
    NOW,
    ORIGIN,
    PORT_SIDE,
    STRANGER,
    World,
    answer,
    codes,
    entry,
    notice,
    of,
    transfer,
)

NUMBER = f"{ORIGIN}226900001"
"""A number of the bureau's own share."""


def trusted(world: World, document: Document, sender: Partner) -> list[Effect]:
    """What comes of it where the sender's documents count without a declaration."""
    world.messages += 1
    occasion = MessageIn(document.document_type, document, Actor(sender), f"message-{world.messages}", NOW)
    return world.decide(replace(occasion, without_declaration=True))


UNDECLARED = [(transfer(NUMBER), BUREAU), (notice(NUMBER), PORT_SIDE)]


@pytest.mark.parametrize(("document", "sender"), UNDECLARED)
def test_it_waits_and_is_decided_with_its_declaration(document, sender) -> None:
    """Received, and handed on once the bureau gives that number to a declaration; its sender is told then."""
    world = World()
    effects = world.send(document, sender)
    assert of(effects, Respond)[0].document.outcome == "received"
    assert codes_of(effects) == ["decide.case.awaited"]
    assert not world.ground.cases
    world.send(newcomers(), NEWCOMER)
    effects = world.send(answer("accepted", declaration_number=NUMBER), BUREAU)
    assert not world.waiting
    assert not world.deadlines.keys() & {"undeclared"}
    track = "transfer" if document.document_type == "transfer" else "clearance"
    assert world.case.tracks[track] in ("sent", "notified")
    assert (document.document_type, "accepted") in {
        (send.document.document, send.document.outcome.value)
        for send in of(effects, Send)
        if send.document_type == "response" and send.to.partner_id == sender.id
    }


def codes_of(effects: list[Effect]) -> list[str]:
    return [reason.code for reason in of(effects, Respond)[0].document.reasons]


@pytest.mark.parametrize(("document", "sender"), UNDECLARED)
def test_what_waits_in_vain_is_refused(document, sender) -> None:
    """After the term of the rules its sender learns that nothing came of it, and somebody is alerted."""
    world = World()
    world.send(document, sender)
    (deadline,) = world.deadlines.values()
    assert deadline.at - NOW >= timedelta(days=30)
    effects = world.let_pass(f"undeclared_{document.document_type}")
    (send,) = of(effects, Send)
    assert (send.to.partner_id, send.document.outcome) == (sender.id, "refused")
    assert [alert.kind for alert in of(effects, Alert)] == ["unmatched"]
    assert not world.waiting


def test_what_waits_may_be_sent_again_changed_and_taken_back() -> None:
    """The same again waits once; another of its number takes its place; a withdrawal takes it back."""
    world = World()
    world.send(transfer(NUMBER), BUREAU)
    assert not of(world.send(transfer(NUMBER), BUREAU), Wait)
    world.send(transfer(NUMBER, goods_place="3号仓"), BUREAU)
    assert len(world.waiting) == 1
    effects = world.send(transfer(NUMBER, function="1"), BUREAU)
    assert of(effects, Respond)[0].document.outcome == "cancelled"
    assert (world.waiting, world.deadlines) == ([], {})
    assert of(world.send(transfer(NUMBER, function="1"), BUREAU), Refuse)


def test_one_that_does_not_fit_its_declaration_is_refused_then() -> None:
    """What waited is decided by the same rules as what comes later."""
    world = World()
    world.send(transfer(NUMBER, goods=[{"sequence_number": 1, "hs_code": "0101210010"}]), BUREAU)
    world.send(newcomers(), NEWCOMER)
    effects = world.send(answer("accepted", declaration_number=NUMBER), BUREAU)
    assert world.case.tracks.get("transfer", "none") == "none"
    assert "unmatched" in {alert.kind for alert in of(effects, Alert)}
    refused = [s.document for s in of(effects, Send) if s.to.partner_id == BUREAU.id and s.document_type == "response"]
    assert [one.outcome.value for one in refused] == ["refused"]


@pytest.mark.parametrize("document", [transfer(NUMBER), notice(NUMBER)])
def test_only_the_office_that_it_names_makes_it_wait(document) -> None:
    """A stranger's is refused at once, as one of a number that was never given."""
    effects = World().send(document, STRANGER)
    assert codes(of(effects, Refuse)[0].reasons) == ["decide.case.unknown"]


@pytest.mark.parametrize(("document", "sender"), UNDECLARED)
def test_a_trusted_office_opens_a_case(document, sender) -> None:
    """The case begins with what the document says, goes on like any other, and its owner follows it."""
    world = World()
    owned: dict[str, Any] = {"consignor": {"code": "3701000001", "name": "齐鲁食品有限公司"}}
    effects = trusted(world, document.model_copy(update={"consignor": _party(owned["consignor"])}), sender)
    assert of(effects, NewCase)[0].partner_id == sender.id
    assert ("declaration", NUMBER) in world.case.keys
    told = {send.to.partner_id for send in of(effects, Send)}
    assert told == {FACTORY.id, PORT_SIDE.id if document.document_type == "transfer" else CUSTOMS.id}
    if document.document_type == "clearance":
        world.send(entry(NUMBER), CUSTOMS)
        assert world.case.status == "cleared"
    # What is refused leaves no case behind.
    other = World()
    assert of(trusted(other, transfer(NUMBER, exclusions={"pre_inspected": True}), BUREAU), Refuse)
    assert not other.ground.cases


def _party(values: dict[str, str]) -> Any:
    return transfer(NUMBER, consignor=values).consignor
