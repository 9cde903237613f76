"""Containers follow their consignment: what stands against it shuts them, before they are out, and everybody is told."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from gateway.check import rulebook
from gateway.check.rulebook import EpidemicArea
from gateway.decide.effects import Alert, Effect, Publish, Respond, Send, Wait
from gateway.documents import Manifest, Response
from gateway.flows.containers.decisions import keep_standings, standings, states
from gateway.flows.containers.status import ContainerStatus
from gateway.model import Identifier, Role
from tests.flows.containers.test_port_inspection import BOX, OTHER_BOX, bill, declared, order, with_sets
from tests.flows.world import (
    AGENT,
    BUREAU,
    CUSTOMS,
    FACTORY,
    NOW,
    ORIGIN,
    PORT,
    PORT_BUREAU,
    PORT_SIDE,
    RULES,
    World,
    answer,
    codes,
    entry,
    inbound,
    manifest,
    notice,
    of,
    transfer,
)

NUMBER = f"{PORT_BUREAU}126000001"


def told(effects: list[Effect]) -> dict[str, tuple[str, list[str]]]:
    """By container, what its port is told: the act and the codes of the reasons."""
    return {
        unit.number: (unit.decision.value, [reason.code for reason in unit.reasons])
        for send in of(effects, Send)
        if send.to.role is Role.PORT
        for unit in send.document.containers
    }


def released(**changes: Any) -> World:
    """A consignment whose container the port may let out."""
    world = declared(**changes)
    world.send(manifest(), PORT)
    assert states(world.case) == {BOX: "released"}
    return world


ORDERS = [
    # (the bureau that says so, code, whether the container stays until the goods have passed)
    (PORT_SIDE, "1500", True),
    (PORT_SIDE, "1400", True),
]


@pytest.mark.parametrize(("sender", "code", "holds"), ORDERS)
def test_an_inspection_that_stands_holds_the_container(sender, code, holds) -> None:
    """Ordered before the manifest or after the release, the container waits; once the goods pass, it may go."""
    world = declared()
    world.send(answer("received", "R-1", code=code), sender)
    effects = world.send(manifest(), PORT)
    assert told(effects) == {BOX: ("lock", ["decide.port.inspection"])}
    assert not of(effects, Alert)
    effects = world.send(answer("released", "R-2"), PORT_SIDE)
    assert told(effects) == {BOX: ("release", [])}
    world = released()
    effects = world.send(answer("received", "R-1", code=code), sender)
    assert (told(effects) == {BOX: ("lock", ["decide.port.inspection"])}) is holds
    assert told(world.send(answer("released", "R-2"), PORT_SIDE)) == {BOX: ("release", [])}


def test_an_inspection_elsewhere_holds_nothing_at_the_port() -> None:
    """The destination's office inspects where the goods go: its order lets them leave the port."""
    world = declared()
    world.send(transfer(NUMBER, direction="inbound", from_organisation=PORT_BUREAU, to_organisation=ORIGIN), PORT_SIDE)
    world.send(answer("received", "R-1", code="1500", declaration_number=NUMBER), BUREAU)
    assert told(world.send(manifest(), PORT)) == {BOX: ("release", [])}


def test_an_officer_lets_a_container_go_that_waits_until_another_order() -> None:
    """What the officer lets pass holds it no more; what is ordered later does."""
    world = declared()
    world.send(answer("received", "R-1", code="1400"), PORT_SIDE)
    world.send(manifest(), PORT)
    assert told(world.send(order(), PORT_SIDE)) == {BOX: ("release", [])}
    assert not told(world.send(manifest(), PORT))
    assert told(world.send(answer("received", "R-2", code="1500"), PORT_SIDE)) == {
        BOX: ("lock", ["decide.port.inspection"])
    }


@pytest.mark.parametrize(
    ("asked", "declined"), [({"function": "4", "contract_number": "C-9"}, "refused"), ({"function": "1"}, "refused")]
)
def test_what_may_still_be_changed_or_withdrawn_stays(asked, declined) -> None:
    """An amendment or a withdrawal that is asked for shuts the container; declined, it is free again."""
    world = released()
    effects = world.send(inbound(**asked), FACTORY)
    assert told(effects) == {BOX: ("lock", ["decide.port.open"])}
    assert told(world.send(answer(declined, "R-1"), PORT_SIDE)) == {BOX: ("release", [])}


def test_a_manifest_finds_no_declaration_that_is_being_changed() -> None:
    """While an amendment is open nothing is released on the declaration; it is decided once the bureau has answered."""
    world = declared()
    world.send(inbound(function="4", contract_number="C-9"), FACTORY)
    assert told(world.send(manifest(), PORT)) == {BOX: ("lock", ["decide.port.not_accepted"])}
    assert told(world.send(answer("accepted", "R-1"), PORT_SIDE)) == {BOX: ("release", [])}


def test_goods_amended_into_an_epidemic_area_are_locked() -> None:
    """The agreed amendment decides anew: the release becomes a lock, which only an officer opens."""
    world = released()
    world.send(inbound(function="4", departure_country="AO"), FACTORY)
    effects = world.send(answer("accepted", "R-1"), PORT_SIDE)
    assert told(effects) == {BOX: ("lock", ["decide.port.epidemic"])}
    assert [alert.kind for alert in of(effects, Alert)] == ["locked"]
    world.send(inbound(function="4", departure_country="DE"), FACTORY)
    assert not told(world.send(answer("accepted", "R-2"), PORT_SIDE))
    assert states(world.case) == {BOX: "locked"}
    assert told(world.send(order(), PORT_SIDE)) == {BOX: ("release", [])}


def test_a_container_that_an_amendment_takes_out_is_undeclared() -> None:
    """It is shut again, and waits for another declaration under its bill."""
    world = declared(container_groups=[{"numbers": [BOX, OTHER_BOX]}])
    world.send(manifest(bill("BL-1", "DEHAM", BOX, OTHER_BOX)), PORT)
    world.send(inbound(function="4", container_groups=[{"numbers": [BOX]}]), FACTORY)
    effects = world.send(answer("accepted", "R-1"), PORT_SIDE)
    assert told(effects) == {BOX: ("release", []), OTHER_BOX: ("lock", ["decide.port.amended_away"])}
    assert len(world.waiting) == 1
    second = inbound(client_reference="E-2", container_groups=[{"numbers": [OTHER_BOX]}])
    assert told(world.send(second, FACTORY)) == {OTHER_BOX: ("release", [])}


def test_a_changed_manifest_decides_anew() -> None:
    """From another port than it said first: what was released is locked; a lock is never released by a manifest."""
    world = released()
    effects = world.send(manifest(bill("BL-1", "NGAPP"), function="5"), PORT)
    assert told(effects) == {BOX: ("lock", ["decide.port.epidemic"])}
    assert not told(world.send(manifest(function="5"), PORT))
    # An officer has looked: the same manifest again is no reason any more.
    world.send(order(), PORT_SIDE)
    assert not told(world.send(manifest(bill("BL-1", "NGAPP"), function="5"), PORT))


def test_a_held_consignment_releases_nothing() -> None:
    """Customs' data differs: what comes then waits, and what was released is none of the port's business."""
    world = declared()
    world.send(notice(NUMBER, direction="inbound"), PORT_SIDE)
    world.send(entry(NUMBER, direction="inbound", containers=["TGHU1234567"]), CUSTOMS)
    assert told(world.send(manifest(), PORT)) == {BOX: ("lock", ["decide.port.differs"])}
    assert told(world.send(entry(NUMBER, direction="inbound"), CUSTOMS)) == {BOX: ("release", [])}
    world = released()
    world.send(notice(NUMBER, direction="inbound"), PORT_SIDE)
    assert not told(world.send(entry(NUMBER, direction="inbound", containers=["TGHU1234567"]), CUSTOMS))


def out(world: World) -> World:
    """The container has left."""
    case = world.case
    (standing,) = standings(case).values()
    kept = keep_standings(case, [standing.model_copy(update={"state": ContainerStatus.OUT})])
    documents = {**case.documents, kept.document_type: kept.document.to_kept()}
    world.ground.cases[case.id] = dataclasses.replace(case, documents=documents)
    return world


@pytest.mark.parametrize("how", ["failed", "amended"])
def test_what_has_left_and_should_not_have_is_alerted_once(how) -> None:
    """Nobody can shut it any more: somebody must look, and is not told again with each message."""
    world = out(released())
    if how == "failed":
        effects = world.send(answer("refused", "R-1"), PORT_SIDE)
    else:
        world.send(inbound(function="4", departure_country="AO"), FACTORY)
        effects = world.send(answer("accepted", "R-1"), PORT_SIDE)
    assert not told(effects)
    assert states(world.case) == {BOX: "out"}
    assert "container_out" in {alert.kind for alert in of(effects, Alert)}
    again = world.send(answer("received", "R-2", code="1500"), PORT_SIDE)
    assert "container_out" not in {alert.kind for alert in of(again, Alert)}


def test_nothing_that_has_left_is_withdrawn() -> None:
    """The bureau's word that it agrees is held: what has left must be brought back first."""
    world = out(released())
    world.send(inbound(function="1"), FACTORY)
    effects = world.send(answer("cancelled", "R-1"), PORT_SIDE)
    assert world.case.status == "cancelling"
    assert "decide.stands.container" in codes(next(a.reasons for a in of(effects, Alert) if a.kind == "status"))


@pytest.mark.parametrize(
    ("option", "state", "act"), [("treat", "treating", "treat"), ("send_back", "returned", "return")]
)
def test_failed_goods_are_treated_or_sent_back(option, state, act) -> None:
    """The officer's decision on the failed goods moves their containers; port, its bureau, customs and owner are told."""
    world = released(customs_office="4200")
    world.send(answer("refused", "R-1"), PORT_SIDE)
    (task,) = world.ground.tasks.values()
    assert (task.kind, task.office) == ("failed_goods", PORT_BUREAU)
    effects = world.act(task.id, option, PORT_SIDE, "port-inspector")
    assert states(world.case) == {BOX: state}
    assert told(effects) == {BOX: (act, ["decide.port.void"])}
    assert {send.to.partner_id for send in of(effects, Send)} == {"port", "port-bureau", "customs", "factory"}


def test_who_is_told_of_a_container_and_nobody_else() -> None:
    """The port that has it, its bureau, customs of a lock, declarer and owner with the reasons; never the officer's name."""
    world = World()
    agents = inbound(customs_office="4200", declarant={"registration_number": "3701000003"}, departure_country="AO")
    world.send(agents, AGENT)
    effects = world.send(manifest(), PORT)
    own = [send for send in of(effects, Send) if send.document_type in ("release", "response")]
    assert {(send.document_type, send.to.partner_id) for send in own} == {
        ("release", "port"),
        ("release", "port-bureau"),
        ("release", "customs"),
        ("response", "agent"),
        ("response", "factory"),
    }
    assert {(line.feed, line.partner_id) for line in of(effects, Publish)} == {
        ("release", "port"),
        ("status", "agent"),
        ("status", "factory"),
    }
    effects = world.send(order(containers=[{"number": BOX, "decision": "release", "reasons": [
        {"code": "treated", "text": "熏蒸完毕"}]}]), PORT_SIDE)  # fmt: skip
    assert {send.to.partner_id for send in of(effects, Send)} == {"port", "agent", "factory"}
    for send in of(effects, Send):
        if send.document_type == "response":
            assert (send.document.outcome, send.document.document) == ("released", "release")
            assert "0815" not in send.document.model_dump_json()
            assert "熏蒸完毕" in send.document.model_dump_json()
    (to_port,) = [send.document for send in of(effects, Send) if send.to.partner_id == "port"]
    assert to_port.officer == "0815"


def test_an_order_names_its_officer() -> None:
    """An order by nobody is refused."""
    world = released()
    effects = world.send(order("lock", officer=None), PORT_SIDE)
    assert states(world.case) == {BOX: "released"}
    assert not told(effects)


def area(**values: Any) -> rulebook.Rules:
    """One area alone."""
    one = EpidemicArea.model_validate({"disease": "x", "source": "t", "valid_from": "2020-01-01"} | values)
    return with_sets(RULES.of(rulebook.Epidemic).model_copy(update={"area": (one,)}))


PIGS = [{"sequence_number": 1, "hs_code": "0203120000", "origin_country": "DE"}]
AREAS = [
    # (area, what the declaration says otherwise, the bill's port of loading, more of the manifest, locked)
    # A part of a country, by port: from there, from elsewhere in it, from nobody knows where in it.
    ({"country": "DE", "places": ("DEHAM",)}, {}, "DEHAM", {}, True),
    ({"country": "DE", "places": ("DEHAM",)}, {}, "DEBRV", {}, False),
    ({"country": "DE", "places": ("DEHAM",)}, {}, None, {}, True),
    ({"country": "DE", "places": ("DEBRV",)}, {"departure_port": "DEBRV"}, "NLRTM", {}, True),
    # A disease that some goods carry.
    ({"country": "DE", "goods": ("0203",)}, {}, "DEHAM", {}, False),
    ({"country": "DE", "goods": ("0203",)}, {"goods": PIGS}, "DEHAM", {}, True),
    # Transit, and calls before the first port of this country; a call after it is none of ours.
    ({"country": "NG"}, {"transit_port": "NGAPP"}, "DEHAM", {}, True),
    ({"country": "NG"}, {}, "DEHAM", {"calls": [{"port": "NGAPP"}, {"port": "CNTAO"}]}, True),
    ({"country": "NG"}, {}, "DEHAM", {"calls": [{"port": "CNTAO"}, {"port": "NGAPP"}]}, False),
]  # fmt: skip


@pytest.mark.parametrize(("announced", "declaration", "loading", "more", "locked"), AREAS)
def test_where_containers_come_from(announced, declaration, loading, more, locked) -> None:
    """Areas may be parts of countries, diseases may come with some goods only, and the way counts as the origin does."""
    calm = RULES.of(rulebook.PortInspection).model_copy(update={"lock_negative_list": False})
    rules = area(**announced)
    world = World(rules=dataclasses.replace(rules, sets={**rules.sets, rulebook.PortInspection: calm}))
    world.send(inbound(**declaration), FACTORY)
    if world.case.status != "accepted":
        world.send(answer("accepted"), PORT_SIDE)
    effects = world.send(manifest(bill("BL-1", loading), **more), PORT)
    assert told(effects)[BOX][0] == ("lock" if locked else "release")


HERE = dataclasses.replace(PORT, identifiers=(Identifier("un-locode", "CNTAO"),))
THROUGH = [
    # (the port, where the bill is discharged, whether it is this port's business)
    (PORT, "KRPUS", False),
    (PORT, "CNSHA", True),
    (PORT, None, True),
    (PORT, "53201", True),
    (HERE, "CNSHA", False),
    (HERE, "CNTAO", True),
]


@pytest.mark.parametrize(("port", "discharged", "ours"), THROUGH)
def test_what_is_discharged_elsewhere_is_nobodys_undeclared_goods(port, discharged, ours) -> None:
    """Through cargo is neither locked nor alerted, and does not wait; the port is told that it was left out."""
    world = World()
    effects = world.send(manifest(bill("BL-1", "DEHAM", discharge_port=discharged)), port)
    assert bool(told(effects)) is ours
    assert bool(of(effects, Alert)) is ours
    assert bool(world.waiting) is ours


ABOARD = [
    # (equipment status by 8249, whether the container is put ashore)
    ("4", False),  # remains on board
    ("5", False),  # is shifted on board
    ("3", True),  # import
    ("6", True),  # transhipment: ashore until the next vessel has it
    (None, True),
]


@pytest.mark.parametrize(("status", "ashore"), ABOARD)
def test_what_remains_on_board_is_nobodys_undeclared_goods(status, ashore) -> None:
    """A container that stays on the vessel is neither locked nor alerted, and does not wait; those beside it do."""
    world = World()
    containers = [{"number": BOX, "equipment_status": status}, {"number": OTHER_BOX}]
    effects = world.send(manifest(bill("BL-1", "DEHAM") | {"containers": containers}), PORT)
    assert told(effects).keys() == ({BOX, OTHER_BOX} if ashore else {OTHER_BOX})
    (waits,) = [effect.document for effect in of(effects, Wait)]
    assert isinstance(waits, Manifest)
    assert waits.container_numbers == ((BOX, OTHER_BOX) if ashore else (OTHER_BOX,))


def test_a_bill_that_stays_aboard_whole_does_not_wait_and_is_told() -> None:
    """Nothing of it is decided, though a declaration has it; a manifest that says so forgets what waited."""
    world = World()
    aboard = manifest(bill("BL-1", "DEHAM") | {"containers": [{"number": BOX, "equipment_status": "4"}]})
    world.send(manifest(bill("BL-1", "DEHAM") | {"containers": [{"number": BOX}]}), PORT)
    assert world.waiting
    effects = world.send(aboard, PORT)
    assert not told(effects)
    assert not world.waiting
    (answered,) = [effect.document for effect in of(effects, Respond)]
    assert isinstance(answered, Response)
    assert [(reason.code, reason.value) for reason in answered.reasons] == [("decide.port.aboard", BOX)]


def empty(number: str = BOX) -> dict[str, Any]:
    return {"number": number, "load_status": "4"}


def test_empties_are_free_unless_from_an_epidemic_area() -> None:
    """Nobody declares an empty container; one from an area is looked at, and a full one beside it is undeclared."""
    world = World()
    effects = world.send(manifest(bill("BL-1", "DEHAM") | {"containers": [empty()]}), PORT)
    assert told(effects) == {BOX: ("release", [])}
    assert not of(effects, Alert)
    assert not world.waiting
    effects = World().send(manifest(bill("BL-1", "DEHAM") | {"containers": [empty(), {"number": OTHER_BOX}]}), PORT)
    assert told(effects) == {BOX: ("release", []), OTHER_BOX: ("lock", ["decide.port.undeclared"])}
    effects = World().send(manifest(bill("BL-1", "NGAPP") | {"containers": [empty()]}), PORT)
    assert told(effects) == {BOX: ("lock", ["decide.port.epidemic"])}
    # A disease that goods carry is in no empty container.
    bound = World(rules=area(country="NG", goods=("0203",)))
    effects = bound.send(manifest(bill("BL-1", "NGAPP") | {"containers": [empty()]}), PORT)
    assert told(effects) == {BOX: ("release", [])}


def test_the_rule_set_may_want_empties_declared() -> None:
    """Then an empty container is undeclared like any other."""
    strict = RULES.of(rulebook.PortInspection).model_copy(update={"empties": "declare"})
    world = World(rules=with_sets(strict))
    effects = world.send(manifest(bill("BL-1", "DEHAM") | {"containers": [empty()]}), PORT)
    assert told(effects) == {BOX: ("lock", ["decide.port.undeclared"])}


def test_goods_whose_papers_alone_are_verified_need_no_inspection() -> None:
    """Kind 15 (入境验证): nothing is inspected, and nothing waits for a result."""
    world = World()
    world.send(inbound(kind="15"), FACTORY)
    world.send(answer("accepted"), PORT_SIDE)
    assert world.case.tracks["inspection"] == "waived"
    assert told(world.send(manifest(), PORT)) == {BOX: ("release", [])}


def test_test_orders_meet_test_containers_only() -> None:
    """An order under the test flag finds no live container."""
    world = released()
    effects = world.send(order("lock"), PORT_SIDE, test=True, now=NOW)
    assert not told(effects)
    assert states(world.case) == {BOX: "released"}
