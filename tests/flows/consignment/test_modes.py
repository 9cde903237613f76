"""What the mode of supervision and the gates make of notices, transfers and releases."""

from __future__ import annotations

import pytest

from gateway.decide.effects import Effect, Refuse, Send
from gateway.documents import Document
from gateway.model import Partner
from tests.flows.containers.test_port_inspection import order
from tests.flows.world import (
    BUREAU,
    FACTORY,
    ORIGIN,
    PORT,
    PORT_SIDE,
    World,
    answer,
    blacklisting,
    codes,
    inbound,
    manifest,
    notice,
    of,
    outbound,
    transfer,
)

FIREWORKS = {
    "sequence_number": 1, "hs_code": "3604100000", "ciq_code": "3604100000101", "name": "烟花",
    "standard_quantity": {"value": "1000", "unit": "KGM"}, "value": {"value": "5000", "currency": "USD"},
}  # fmt: skip
MEAT = FIREWORKS | {"hs_code": "0202300010", "ciq_code": "0202300010101", "name": "冻牛肉"}


def declared(*goods: dict[str, object], world: World | None = None) -> tuple[World, str]:
    """An export that was accepted, after review where it must be; its number."""
    world = world or World()
    world.send(outbound(goods=list(goods)) if goods else outbound(), FACTORY)
    if world.case.status == "in_review":
        world.send(answer("accepted"), BUREAU)
    return world, next(value for kind, value in world.case.keys if kind == "declaration")


def listed(document: Document) -> Document:
    """The document about fireworks in place of peanuts."""
    goods = document.model_dump(mode="json")["goods"]
    return type(document).model_validate(
        document.to_json()
        | {"goods": [{**{k: v for k, v in one.items() if v is not None}, "hs_code": "3604100000"} for one in goods]}
    )


def why(effects: list[Effect]) -> list[str]:
    return [code for refused in of(effects, Refuse) for code in codes(refused.reasons)]


def test_a_listed_export_is_noticed_by_its_port_once_it_has_it() -> None:
    """Its origin alone may not; the port may once the consignment is transferred to it, and customs gets the notice then."""
    world, number = declared(FIREWORKS)
    own = listed(notice(number, issuing_organisation=ORIGIN))
    assert why(world.send(own, BUREAU)) == ["decide.clearance.issuer", "decide.gate.wanting"]
    port = listed(notice(number))
    assert why(world.send(port, PORT_SIDE)) == ["decide.gate.wanting"]
    assert why(world.send(listed(transfer(number)), BUREAU)) == []
    assert "clearance" in [send.document_type for send in of(world.send(port, PORT_SIDE), Send)]
    assert world.case.tracks["clearance"] == "notified"


@pytest.mark.parametrize("issuer", [BUREAU, PORT_SIDE])
def test_any_other_export_is_noticed_by_either_office(issuer: Partner) -> None:
    """Off the list, the origin's office clears directly, or the port's."""
    world, number = declared()
    organisation = next(one.value for one in issuer.identifiers)
    assert why(world.send(notice(number, issuing_organisation=organisation), issuer)) == []


def test_an_enterprise_on_the_blacklist_is_inspected_at_the_port() -> None:
    """Its exports are not transferred, and only the port's office may notice them."""
    world, number = declared(world=World(rules=blacklisting("3701000001")))
    assert why(world.send(transfer(number), BUREAU)) == ["decide.mode.no_transfer"]
    own = notice(number, issuing_organisation=ORIGIN)
    assert why(world.send(own, BUREAU)) == ["decide.clearance.issuer"]
    assert why(world.send(notice(number), PORT_SIDE)) == []


def test_a_withdrawal_passes_every_gate() -> None:
    """What would not be issued any more may still be withdrawn."""
    world, number = declared()
    world.send(notice(number), PORT_SIDE)
    world.rules = blacklisting("3701000001")
    assert why(world.send(notice(number, function="1"), PORT_SIDE)) == []
    assert world.case.tracks["clearance"] == "withdrawn"


def arrived(*goods: dict[str, object]) -> World:
    """An import that was accepted."""
    world = World()
    world.send(inbound(goods=list(goods)) if goods else inbound(), FACTORY)
    if world.case.status == "in_review":
        world.send(answer("accepted"), PORT_SIDE)
    return world


def test_an_officer_goes_past_a_check_and_not_past_a_withdrawal() -> None:
    """The order opens what a rule holds for a check; on a declaration that is being withdrawn it is refused."""
    world = arrived(MEAT)
    world.send(manifest(), PORT)
    assert why(world.send(order(), PORT_SIDE)) == []
    world = arrived(MEAT)
    world.send(manifest(), PORT)
    world.send(inbound(function="1", goods=[MEAT]), FACTORY)
    assert world.case.tracks["declaration"] == "cancelling"
    assert why(world.send(order(), PORT_SIDE)) == ["decide.gate.wanting"]
