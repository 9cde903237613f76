"""Changes and withdrawals of what the bureau has accepted: tasks of the office, what they need, and what follows."""

from __future__ import annotations

import pytest

from gateway.decide.effects import Alert, Ask, Hold, Refuse, Respond, Send
from tests.flows.world import (
    BUREAU,
    CUSTOMS,
    FACTORY,
    ORIGIN,
    PORT_SIDE,
    World,
    answer,
    codes,
    entry,
    notice,
    of,
    outbound,
    transfer,
)

NUMBER = f"{ORIGIN}226000001"
ITEM = {
    "sequence_number": 1,
    "hs_code": "2008199990",
    "ciq_code": "2008199990101",
    "name": "花生仁",
    "standard_quantity": {"value": "1000", "unit": "KGM"},
    "value": {"value": "5000", "currency": "USD"},
}


def declared(*steps) -> World:
    world = World()
    world.send(outbound(), FACTORY)
    for document, sender in steps:
        world.send(document, sender)
    return world


PASSED = (answer("released", "R-0"), BUREAU)
SENT = (transfer(NUMBER), BUREAU)
NOTIFIED = (notice(NUMBER), PORT_SIDE)


@pytest.mark.parametrize(("option", "contract", "told"), [("agree", "C-9", "accepted"), ("decline", "C-77", "refused")])
def test_an_officer_decides_an_amendment(option, contract, told) -> None:
    """What the bureau's system may answer, its officer may decide: the declaration changes, or stays; the declarer is told."""
    world = declared()
    (asked,) = of(world.send(outbound(function="4", contract_number="C-9"), FACTORY), Ask)
    assert (asked.kind, asked.office) == ("amendment", ORIGIN)
    effects = world.act(asked.id, option, BUREAU, "wang")
    assert world.case.status == "accepted"
    assert world.case.documents["declaration"]["contract_number"] == contract
    assert [
        (s.to.partner_id, s.document.outcome.value) for s in of(effects, Send) if s.document_type == "response"
    ] == [("factory", told)]


@pytest.mark.parametrize(
    ("option", "status", "told"), [("agree", "cancelled", "cancelled"), ("decline", "accepted", "refused")]
)
def test_an_officer_decides_a_withdrawal(option, status, told) -> None:
    """Withdrawn or not, the declarer learns it; the task is decided once."""
    world = declared()
    (asked,) = of(world.send(outbound(function="1"), FACTORY), Ask)
    effects = world.act(asked.id, option, BUREAU, "wang")
    assert world.case.status == status
    assert [s.document.outcome.value for s in of(effects, Send)] == [told]
    assert of(world.act(asked.id, option, BUREAU, "wang"), Refuse)


def test_a_systems_answer_decides_the_task() -> None:
    """The bureau's own response is passed on once, and the task that waited for it is decided."""
    world = declared()
    world.send(outbound(function="4", contract_number="C-9"), FACTORY)
    effects = world.send(answer("accepted", "R-1"), BUREAU)
    assert [s.to.partner_id for s in of(effects, Send)] == ["factory"]
    assert [task.state for task in world.ground.tasks.values()] == ["decided"]
    assert world.case.documents["declaration"]["contract_number"] == "C-9"


STANDS = [
    # (what was made of the declaration, what the task names)
    ([PASSED], []),
    ([PASSED, SENT], ["decide.stands.transfer"]),
    ([PASSED, SENT, NOTIFIED], ["decide.stands.notice", "decide.stands.transfer"]),
]


@pytest.mark.parametrize(("steps", "named"), STANDS)
def test_a_withdrawal_names_what_must_be_taken_back_first(steps, named) -> None:
    """It may be asked for; agreed it is only once nothing stands, whoever agrees."""
    world = declared(*steps)
    effects = world.send(outbound(function="1"), FACTORY)
    assert of(effects, Respond)[0].document.outcome == "received"
    (asked,) = of(effects, Ask)
    assert codes(asked.reasons) == named
    said = world.send(answer("cancelled", "R-8", declaration_number=NUMBER), BUREAU)
    assert [codes(hold.reasons)[1:] for hold in of(said, Hold)] == ([named] if named else [])
    assert world.case.status == ("cancelling" if named else "cancelled")
    if named:
        assert of(world.act(asked.id, "agree", BUREAU, "wang"), Refuse)


def test_what_is_taken_back_may_be_withdrawn() -> None:
    """The notice and the transfer are withdrawn while the withdrawal is asked for; then it is agreed."""
    world = declared(PASSED, SENT, NOTIFIED)
    world.send(outbound(function="1"), FACTORY)
    world.send(notice(NUMBER, function="1", status="cancelled"), PORT_SIDE)
    world.send(transfer(NUMBER, function="1"), BUREAU)
    world.send(answer("cancelled", "R-7", document="transfer", declaration_number=NUMBER, reference=None), PORT_SIDE)
    assert world.case.tracks["transfer"] == "withdrawn"
    world.send(answer("cancelled", "R-8", declaration_number=NUMBER), BUREAU)
    assert world.case.status == "cancelled"


def test_customs_is_faster_than_a_withdrawal() -> None:
    """What customs matches while a withdrawal is asked for is not withdrawn any more; the declarer learns it."""
    world = declared(PASSED, SENT, NOTIFIED)
    world.send(outbound(function="1"), FACTORY)
    effects = world.send(entry(NUMBER), CUSTOMS)
    assert world.case.status == "cleared"
    assert [task.state for task in world.ground.tasks.values()] == ["withdrawn"]
    told = next(s.document for s in of(effects, Send) if s.to.partner_id == "factory")
    assert [reason.code for reason in told.reasons] == ["decide.cancellation.overtaken"]


AMENDED = [
    # Another paper for the same goods.
    ({"contract_number": "C-9"}, []),
    ({"goods": [{**ITEM, "hs_code": "2008999990", "ciq_code": "2008999990101"}]}, []),
    # Other goods, more of them, or fewer.
    ({"goods": [{**ITEM, "hs_code": "2007999990", "ciq_code": "2007999990101"}]}, ["decide.amendment.goods"]),
    ({"goods": [ITEM, {**ITEM, "sequence_number": 2}]}, ["decide.amendment.goods"]),
    ({"goods": [{**ITEM, "sequence_number": 2}]}, ["decide.amendment.goods", "decide.amendment.goods"]),
    # What is part of the number.
    ({"declaration_organisation": "370200"}, ["decide.amendment.fixed"]),
]


@pytest.mark.parametrize(("changes", "why"), AMENDED)
def test_after_the_release_the_goods_stay(changes, why) -> None:
    """An amendment of goods that have passed is a task of the office, and cannot make other goods of them."""
    world = declared(PASSED)
    effects = world.send(outbound(function="4", **changes), FACTORY)
    refusals = of(effects, Refuse)
    assert (codes(refusals[0].reasons) if refusals else []) == why
    assert len(of(effects, Ask)) == (0 if why else 1)
    assert world.case.status == ("released" if why else "amending")


def test_before_the_release_the_goods_may_be_others() -> None:
    """While nothing has passed, an amendment may name other goods."""
    world = declared()
    effects = world.send(outbound(function="4", goods=[{**ITEM, "hs_code": "0101210010"}]), FACTORY)
    assert of(effects, Ask)


def test_an_amendment_names_the_transfer_that_it_leaves_behind() -> None:
    """Handed on already, the other office's copy must be changed as well: the officer sees it."""
    world = declared(PASSED, SENT)
    (asked,) = of(world.send(outbound(function="4", contract_number="C-9"), FACTORY), Ask)
    assert codes(asked.reasons) == ["decide.stands.transfer"]


def test_what_customs_has_notice_of_is_not_amended() -> None:
    """The notice is withdrawn first."""
    world = declared(PASSED, SENT, NOTIFIED)
    assert of(world.send(outbound(function="4", contract_number="C-9"), FACTORY), Refuse)


@pytest.mark.parametrize("option", ["treat", "send_back", "destroy", "reinspect"])
def test_what_becomes_of_failed_goods_is_decided(option) -> None:
    """The office that found them wanting decides; the enterprise is told, unless they are looked at again."""
    world = declared()
    effects = world.send(answer("refused", "R-1"), BUREAU)
    (asked,) = of(effects, Ask)
    assert (asked.kind, asked.office) == ("failed_goods", ORIGIN)
    effects = world.act(asked.id, option, BUREAU, "inspector")
    states = {"treat": "treating", "send_back": "returned", "destroy": "destroyed", "reinspect": "ordered"}
    assert world.case.tracks["inspection"] == states[option]
    told = [s.to.partner_id for s in of(effects, Send) if s.document_type == "response"]
    assert told == ([] if option == "reinspect" else ["factory"])
    assert not of(effects, Alert)
