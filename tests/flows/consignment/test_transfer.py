from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.check.rulebook import TransferRules
from gateway.decide.effects import Hold, Note, Publish, Refuse, Respond, Send
from tests.flows.world import (
    BUREAU,
    FACTORY,
    ORIGIN,
    PORT_BUREAU,
    PORT_SIDE,
    RULES,
    STRANGER,
    World,
    answer,
    codes,
    of,
    outbound,
    transfer,
)

NUMBER = f"{ORIGIN}226000001"


def declared() -> World:
    world = World()
    world.send(outbound(), FACTORY)
    return world


def transferred() -> World:
    world = declared()
    world.send(transfer(NUMBER), BUREAU)
    return world


def goods(**changes):
    item = {
        "sequence_number": 1,
        "hs_code": "2008199990",
        "quantity": {"value": "1000", "unit": "KGM"},
        "value": {"value": "5000", "currency": "USD"},
        "is_qualified": True,
    }
    return [item | changes]


def test_a_transfer_goes_to_the_port_bureau():
    """The port's bureau gets the document and an entry on its feed; the enterprise sees where its goods are."""
    world = declared()
    effects = world.send(transfer(NUMBER), BUREAU)
    assert world.case.status == "transferred"
    assert [(s.document_type, s.to.partner_id) for s in of(effects, Send)] == [("transfer", "port-bureau")]
    assert {(p.feed, p.partner_id) for p in of(effects, Publish)} == {
        ("transfer", "port-bureau"),
        ("status", "factory"),
    }
    assert of(effects, Respond)[0].document.outcome == "accepted"
    assert ("transfer", "T-1") in world.case.keys


EXCLUDED = [
    # The five grounds of the transfer rules, and goods that failed.
    ({"exclusions": {"pre_inspected": True}}, ["decide.transfer.pre_inspected"]),
    ({"exclusions": {"exit_port_open": True}}, ["decide.transfer.exit_port_open"]),
    ({"exclusions": {"merged_at_port": True}}, ["decide.transfer.merged_at_port"]),
    ({"exclusions": {"certified_at_port": True}}, ["decide.transfer.certified_at_port"]),
    ({"exclusions": {"other": "需口岸核销"}}, ["decide.transfer.other"]),
    ({"inspection": {"is_qualified": False}}, ["decide.transfer.not_qualified"]),
    ({"goods": goods(is_qualified=False)}, ["decide.transfer.not_qualified"]),
    # Grounds that are denied exclude nothing.
    ({"exclusions": {"pre_inspected": False, "merged_at_port": False}}, []),
    # All grounds at once, so that the sender need not find them one by one.
    (
        {"exclusions": {"pre_inspected": True, "exit_port_open": True}, "inspection": {"is_qualified": False}},
        ["decide.transfer.pre_inspected", "decide.transfer.exit_port_open", "decide.transfer.not_qualified"],
    ),
    # Yesterday's result, today's last day.
    ({"valid_until": "2026-11-19"}, ["decide.transfer.expired"]),
    ({"valid_until": "2026-11-20"}, []),
    # Goods that were never declared.
    ({"goods": goods(hs_code="0101210010")}, ["decide.goods.not_declared"]),
    # The other direction.
    ({"direction": "inbound"}, ["decide.differs"]),
    # To a bureau that is not there.
    ({"to_organisation": "999999"}, ["decide.bureau.unknown"]),
]


@pytest.mark.parametrize(("changes", "expected"), EXCLUDED)
def test_what_the_rules_exclude_is_refused(changes, expected):
    """A refused transfer goes nowhere, and its sender learns every reason."""
    world = declared()
    effects = world.send(transfer(NUMBER, **changes), BUREAU)
    refusals = of(effects, Refuse)
    assert (codes(refusals[0].reasons) if refusals else []) == expected
    assert bool(of(effects, Send)) is not bool(expected)
    assert world.case.status == ("accepted" if expected else "transferred")


LAST_DAYS = [
    # The last minute of the 20th in China, and the first of the 21st.
    (datetime(2026, 11, 20, 15, 59, tzinfo=UTC), []),
    (datetime(2026, 11, 20, 16, 0, tzinfo=UTC), ["decide.transfer.expired"]),
    (datetime(2026, 11, 20, 17, 0, tzinfo=UTC), ["decide.transfer.expired"]),
    # The 20th has begun in China while it is the 19th by UTC.
    (datetime(2026, 11, 19, 17, 0, tzinfo=UTC), []),
]


@pytest.mark.parametrize(("now", "expected"), LAST_DAYS)
def test_a_result_runs_out_by_chinas_day(now, expected):
    """A result valid until 20 November is good to the end of that day in China."""
    effects = declared().send(transfer(NUMBER, valid_until="2026-11-20"), BUREAU, now=now)
    refusals = of(effects, Refuse)
    assert (codes(refusals[0].reasons) if refusals else []) == expected


def test_a_transfer_of_nothing_is_refused():
    """There is no such declaration."""
    effects = World().send(transfer(NUMBER), BUREAU)
    assert codes(of(effects, Refuse)[0].reasons) == ["decide.case.unknown"]


def test_only_the_bureau_it_names_may_hand_over():
    """A transfer from another bureau than its own from_organisation is refused."""
    world = declared()
    effects = world.send(transfer(NUMBER), STRANGER)
    assert codes(of(effects, Refuse)[0].reasons) == ["decide.sender.not_concerned"]


def test_the_same_transfer_again_goes_out_once():
    """A repeat is told so; another transfer of the same consignment is refused."""
    world = transferred()
    effects = world.send(transfer(NUMBER), BUREAU)
    assert not of(effects, Send)
    assert of(effects, Note)[0].kind == "repeat"
    effects = world.send(transfer(NUMBER, number="T-2"), BUREAU)
    assert codes(of(effects, Refuse)[0].reasons) == ["decide.transfer.open"]


def test_a_replacement_goes_to_the_port_again():
    """The issuing bureau may replace its transfer while the port has not gone on."""
    world = transferred()
    effects = world.send(transfer(NUMBER, function="5", goods_place="3号仓"), BUREAU)
    assert [s.to.partner_id for s in of(effects, Send)] == ["port-bureau"]
    assert world.case.documents["transfer"]["goods_place"] == "3号仓"
    assert world.case.status == "transferred"


def test_only_the_transfer_there_is_can_be_replaced():
    """A replacement or withdrawal names the transfer it is about."""
    for function in ("5", "1"):
        effects = transferred().send(transfer(NUMBER, function=function, number="T-9"), BUREAU)
        assert codes(of(effects, Refuse)[0].reasons) == ["decide.transfer.unknown"]


def test_a_withdrawn_transfer_can_be_made_again():
    """Withdrawn, the goods are the issuing bureau's again."""
    world = transferred()
    effects = world.send(transfer(NUMBER, function="1"), BUREAU)
    assert world.case.status == "released"
    assert of(effects, Respond)[0].document.outcome == "cancelled"
    world.send(transfer(NUMBER, number="T-2"), BUREAU)
    assert world.case.status == "transferred"


PORT_CHANGES = [
    # Vessel, voyage, date, container: freely.
    (
        {
            "transport": {"conveyance_name": "HAI LONG", "voyage": "013E"},
            "departure_date": "2026-12-01",
            "containers": [{"number": "TGHU1234567", "size_type": "42G1"}],
        },
        [],
    ),
    # Another number of containers.
    ({"containers": [{"number": "CSQU3054383"}, {"number": "TGHU1234567"}]}, []),
    # Less, because the packing was damaged.
    ({"goods": goods(quantity={"value": "900", "unit": "KGM"})}, []),
    # Never more.
    ({"goods": goods(quantity={"value": "1001", "unit": "KGM"})}, ["decide.transfer.increased"]),
    # Another unit is no smaller quantity.
    ({"goods": goods(quantity={"value": "1", "unit": "TNE"})}, ["decide.transfer.fixed"]),
    # Value by ten percent, up or down, and no further.
    ({"goods": goods(value={"value": "5500", "currency": "USD"})}, []),
    ({"goods": goods(value={"value": "4500", "currency": "USD"})}, []),
    ({"goods": goods(value={"value": "5500.01", "currency": "USD"})}, ["decide.transfer.value"]),
    ({"goods": goods(value={"value": "5000", "currency": "EUR"})}, ["decide.transfer.fixed"]),
    # What was inspected cannot be changed.
    ({"goods": goods(hs_code="2008199100")}, ["decide.transfer.fixed"]),
    ({"goods": [*goods(), *goods(sequence_number=2)]}, ["decide.transfer.fixed"]),
    ({"consignor": {"name": "别家有限公司"}}, ["decide.transfer.fixed"]),
    # Nor whom it was handed to.
    ({"to_organisation": "440100"}, ["decide.transfer.fixed"]),
]


@pytest.mark.parametrize(("changes", "expected"), PORT_CHANGES)
def test_the_port_changes_within_limits(changes, expected):
    """Within the rules the port's change stands and the issuing bureau learns of it; beyond, nothing changes."""
    world = transferred()
    effects = world.send(transfer(NUMBER, function="4", **changes), PORT_SIDE)
    refusals = of(effects, Refuse)
    assert (codes(refusals[0].reasons) if refusals else []) == expected
    assert world.case.status == "transferred"
    if not expected:
        assert [s.to.partner_id for s in of(effects, Send)] == ["origin-bureau"]


@pytest.mark.parametrize(
    ("changeable", "free"),
    [
        (("transport",), True),
        (("transport.voyage",), True),
        (("transport.flag",), False),
        (("trans",), False),
        ((), False),
    ],
)
def test_a_rule_frees_a_field_with_all_that_is_in_it(changeable, free):
    """By its own name or by that of what it is a part of, and not by another's."""
    limits = RULES.of(TransferRules).model_copy(update={"changeable": changeable})
    world = World(rules=replace(RULES, sets={**RULES.sets, TransferRules: limits}))
    world.send(outbound(), FACTORY)
    world.send(transfer(NUMBER), BUREAU)
    change = transfer(NUMBER, function="4", transport={"conveyance_name": "HAI FENG", "voyage": "013E"})
    refusals = of(world.send(change, PORT_SIDE), Refuse)
    assert [[r.place.path for r in refusal.reasons] for refusal in refusals] == ([] if free else [["transport.voyage"]])


def test_the_port_bureau_declines():
    """A transfer that the port's bureau refuses holds the case; both the issuer and the enterprise learn why."""
    world = transferred()
    said = answer("refused", document="transfer", declaration_number=NUMBER, number="T-1", text="单证不符")
    effects = world.send(said, PORT_SIDE)
    assert world.case.status == "held"
    assert of(effects, Hold)
    assert {s.to.partner_id for s in of(effects, Send)} == {"factory", "origin-bureau"}
    world.send(transfer(NUMBER, number="T-2"), BUREAU)
    assert world.case.status == "transferred"


def test_only_the_receiving_bureau_declines():
    """The issuing bureau cannot refuse its own transfer by an answer."""
    world = transferred()
    said = answer("refused", document="transfer", declaration_number=NUMBER, number="T-1")
    assert of(world.send(said, BUREAU), Refuse)
    assert world.case.status == "transferred"


def test_inbound_goods_are_transferred_to_their_destination():
    """From the port's bureau to the destination's, by the same rules."""
    from tests.flows.world import inbound

    world = World()
    world.send(inbound(), FACTORY)
    number = "370200126000001"
    handed = transfer(number, direction="inbound", from_organisation=PORT_BUREAU, to_organisation=ORIGIN)
    effects = world.send(handed, PORT_SIDE)
    assert [s.to.partner_id for s in of(effects, Send)] == ["origin-bureau"]
    assert world.case.status == "transferred"
