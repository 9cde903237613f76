"""Kinds of declarations mean something, and so does every condition of the direct way."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from gateway.decide.effects import Refuse, Respond
from gateway.documents import Registration
from tests.flows import world as worlds
from tests.flows.consignment.test_declaration import newcomers
from tests.flows.world import (
    AGENT,
    BUREAU,
    FACTORY,
    NEWCOMER,
    ORIGIN,
    PORT_SIDE,
    STRANGER,
    World,
    answer,
    codes,
    inbound,
    notice,
    of,
    outbound,
    transfer,
)

NUMBER = f"{ORIGIN}226000001"


def refused(world: World, document, sender=FACTORY) -> list[tuple[str, str]]:
    """The reasons for which it is refused, each with its field."""
    effects = of(world.send(document, sender), Refuse)
    return [(reason.code, reason.place.path) for reason in effects[0].reasons] if effects else []


KINDS = [
    # 1x is in, 2x is out, of kinds that the rules know and of others.
    (outbound(kind="13"), [("decide.kind.direction", "kind")]),
    (outbound(kind="19"), [("decide.kind.direction", "kind")]),
    (inbound(kind="24"), [("decide.kind.direction", "kind")]),
    (inbound(kind="13"), []),
    (outbound(kind="28"), []),
    # A flow names where it goes.
    (inbound(kind="14", purpose_organisation=None), [("decide.kind.destination", "purpose_organisation")]),
    (inbound(kind="14"), []),
    # What follows a transfer names it, and there is one.
    (outbound(kind="25"), [("decide.kind.related", "related_number")]),
    (outbound(kind="25", related_number=NUMBER), [("decide.kind.not_transferred", "related_number")]),
    # Without its sender's reference nobody could answer it.
    (outbound(client_reference=None), [("decide.declaration.no_reference", "client_reference")]),
]


@pytest.mark.parametrize(("document", "why"), KINDS)
def test_a_declaration_is_of_its_kind(document, why) -> None:
    """One that cannot be what it says is refused at that field, and opens no case."""
    world = World()
    assert refused(world, document) == why
    assert bool(world.ground.cases) is not bool(why)


def test_a_change_cannot_make_another_kind_of_it() -> None:
    """The kind is looked at again where it changes."""
    world = World()
    world.send(outbound(), FACTORY)
    assert refused(world, outbound(function="4", kind="13")) == [("decide.kind.direction", "kind")]


@pytest.mark.parametrize("office", ["370200", "440100"])
def test_a_declaration_may_follow_a_transfer_to_its_office(office) -> None:
    """Kind 25 (出境核查货证): declared at the office that the goods were handed to, and at no other."""
    world = World()
    world.send(outbound(), FACTORY)
    world.send(transfer(NUMBER), BUREAU)
    follows = outbound(
        kind="25", client_reference="E-2", related_number=NUMBER, declaration_organisation=office,
        inspection_organisation=office,
    )  # fmt: skip
    assert bool(refused(world, follows)) is (office == "440100")


def test_a_pre_inspection_gets_no_notice() -> None:
    """Kind 21 (出境预检): nothing leaves the country on it."""
    world = World()
    world.send(outbound(kind="21"), FACTORY)
    world.send(answer("accepted"), BUREAU)
    effects = world.send(notice(NUMBER), PORT_SIDE)
    assert codes(of(effects, Refuse)[0].reasons) == ["decide.clearance.kind"]


FIREWORKS = [{"sequence_number": 1, "hs_code": "3604100000", "ciq_code": "3604100000101"}]
FIREWORK = [{"sequence_number": 1, "hs_code": "3604100000"}]
MEAT = [{"sequence_number": 1, "hs_code": "0202300010"}]
NOTICES = [
    # (declaration, sender, office, allowed): an export's by where it was inspected or by its port, an import's likewise.
    (outbound, BUREAU, ORIGIN, {}, True),
    (outbound, PORT_SIDE, "370200", {}, True),
    # A listed export is checked at the port as well: its origin alone cannot notice it.
    (outbound, BUREAU, ORIGIN, {"goods": FIREWORKS}, False),
    # Nor the port's before it has the goods: see test_modes.
    (outbound, PORT_SIDE, "370200", {"goods": FIREWORKS}, False),
    # An import by the office declared to, or the port's; a listed one by the port's alone.
    (inbound, PORT_SIDE, "370200", {}, True),
    (inbound, BUREAU, ORIGIN, {"declaration_organisation": ORIGIN}, True),
    (inbound, BUREAU, ORIGIN, {"declaration_organisation": ORIGIN, "goods": MEAT}, False),
    # The destination's office has it only later.
    (inbound, BUREAU, ORIGIN, {}, False),
    (outbound, STRANGER, "440100", {}, False),
]


@pytest.mark.parametrize(("declare", "sender", "office", "changes", "allowed"), NOTICES)
def test_who_issues_the_notice(declare, sender, office, changes, allowed) -> None:
    """By the office that the mode allows, in its own name; whoever else knows the number is refused."""
    world = World()
    world.send(declare(**changes), FACTORY)
    if world.case.status != "accepted":
        by = BUREAU if world.case.documents["declaration"]["declaration_organisation"] == ORIGIN else PORT_SIDE
        world.send(answer("accepted"), by)
    number = str(world.case.documents["declaration"]["number"])
    goods = [{k: v for k, v in item.items() if k != "ciq_code"} for item in changes.get("goods", ())]
    sent = notice(number, direction=world.case.documents["declaration"]["direction"], issuing_organisation=office,
                  **({"goods": goods} if goods else {}))  # fmt: skip
    assert (not of(world.send(sent, sender), Refuse)) is allowed


MORE = [
    # Above what was declared.
    ([], {"quantity": {"value": "10000", "unit": "KGM"}}, "decide.goods.more"),
    # Above what was handed on, which was less.
    ([("900", None)], {"quantity": {"value": "1000", "unit": "KGM"}}, "decide.goods.more"),
    ([("900", None)], {"quantity": {"value": "900", "unit": "KGM"}}, ""),
    ([], {"quantity": {"value": "1", "unit": "TNE"}}, ""),
    ([], {"value": {"value": "50000", "currency": "USD"}}, "decide.goods.more"),
]


@pytest.mark.parametrize(("handed", "item", "code"), MORE)
def test_a_notice_is_for_no_more_than_passed(handed, item, code) -> None:
    """Quantities, weights and values are at most those that were handed on, or declared where nothing was."""
    world = World()
    world.send(outbound(), FACTORY)
    for quantity, _ in handed:
        goods = [{"sequence_number": 1, "hs_code": "2008199990", "quantity": {"value": quantity, "unit": "KGM"}}]
        world.send(transfer(NUMBER, goods=goods), BUREAU)
    goods = [{"sequence_number": 1, "hs_code": "2008199990", **item}]
    refusals = of(world.send(notice(NUMBER, goods=goods), PORT_SIDE), Refuse)
    assert (codes(refusals[0].reasons) if refusals else []) == ([code] if code else [])


CONDITIONS = [
    # (what is otherwise about the owner, the declaration, who sends it, the reasons to review it)
    ({}, {}, FACTORY, []),
    ({"direct_through": None}, {}, FACTORY, ["decide.review.approval"]),
    ({"direct_through": date(2026, 11, 21)}, {}, FACTORY, ["decide.review.approval"]),
    ({"direct_through": date(2026, 11, 20)}, {}, FACTORY, []),
    ({"credit_grade": "D"}, {}, FACTORY, ["decide.review.credit"]),
    ({"credit_grade": ""}, {}, FACTORY, ["decide.review.credit"]),
    # By the agent that the owner appointed: the owner's own approval and grade count.
    ({}, {"declarant": {"registration_number": "3701000003"}}, AGENT, []),
    # Class III of e-supervision is about the goods, whatever the grade.
    ({"supervision_classes": {"2008": "III"}}, {}, FACTORY, ["decide.review.class"]),
    ({"supervision_classes": {"2008": "III", "200819": "I"}}, {}, FACTORY, []),
    ({"supervision_classes": {"01": "III"}}, {}, FACTORY, []),
]  # fmt: skip


@pytest.mark.parametrize(("owner", "changes", "sender", "why"), CONDITIONS)
def test_the_direct_way_needs_each_of_its_conditions(monkeypatch, owner, changes, sender, why) -> None:
    """Approved, of a grade that is treated fast, of its kind, nothing to review: else a person looks, and the reason is told."""
    factory = replace(FACTORY, **owner)
    monkeypatch.setattr(worlds, "ALL", tuple(factory if one.id == factory.id else one for one in worlds.ALL))
    world = World()
    effects = world.send(outbound(**changes), factory if sender is FACTORY else sender)
    assert [reason.code for reason in of(effects, Respond)[0].document.reasons] == why
    assert world.case.status == ("in_review" if why else "accepted")


REGISTERED = [
    # (what a bureau registered of the newcomer, the reasons to review its declaration)
    ({}, ["decide.review.credit", "decide.review.approval"]),
    ({"credit_grade": "AA", "direct_through": {"approved": True, "since": "2026-11-20"}}, []),
    ({"credit_grade": "AA", "direct_through": {"approved": True, "since": "2026-11-21"}}, ["decide.review.approval"]),
    ({"credit_grade": "AA", "direct_through": {"approved": False}}, ["decide.review.approval"]),
    (
        {"credit_grade": "AA", "direct_through": {"approved": True}, "blacklist": [{"since": "2026-11-01"}]},
        ["decide.review.credit"],
    ),
    (
        {
            "credit_grade": "A",
            "direct_through": {"approved": True},
            "supervision": [{"product_group": "2008", "supervision": "III"}],
        },
        ["decide.review.class"],
    ),
]


@pytest.mark.parametrize(("attributes", "why"), REGISTERED)
def test_registrations_count_from_their_day(monkeypatch, attributes, why) -> None:
    """What a bureau registered of the owner holds for its declarations, over what the operator's file says of it."""
    plain = replace(NEWCOMER, direct_through=None)
    monkeypatch.setattr(worlds, "ALL", tuple(plain if one.id == plain.id else one for one in worlds.ALL))
    world = World()
    line = {"scheme": "ciq-registration", "value": "3701000002", "action": "register", "valid_from": "2026-11-20",
            "name": "新客贸易有限公司", "attributes": attributes or {"credit_grade": "B"}}  # fmt: skip
    world.send(Registration.model_validate({"reference": "REG-1", "lines": [line]}), BUREAU)
    effects = world.send(newcomers(), plain)
    assert [reason.code for reason in of(effects, Respond)[0].document.reasons] == why


def test_nobody_lends_a_grade_to_goods_of_strangers() -> None:
    """A trusted enterprise declares goods of somebody unknown: they are a stranger's, and are looked at."""
    world = World()
    world.send(outbound(consignor={"name": "无名厂"}), FACTORY)
    assert world.case.status == "in_review"
    world = World()
    world.send(
        outbound(client_reference="E-9", declarant={"registration_number": "3701000002"}, consignor=None), NEWCOMER
    )
    assert world.case.status == "in_review"


def test_who_is_strict_is_not_excluded() -> None:
    """Grade D is reviewed, and its containers are treated like everybody's; only the blacklist excludes."""
    from gateway.check.rulebook import Credit, PortInspection, Treatment

    treatment = worlds.RULES.of(Credit).treatment("D")
    assert treatment is Treatment.STRICT
    assert treatment not in worlds.RULES.of(PortInspection).lock_treatments
