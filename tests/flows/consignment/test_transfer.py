from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.check.rulebook import TransferRules
from gateway.decide.effects import Alert, Ask, Hold, Note, Publish, Refuse, Respond, Send
from gateway.documents import Transfer
from tests.flows.world import (
    BUREAU,
    CUSTOMS,
    FACTORY,
    ORIGIN,
    PORT_BUREAU,
    PORT_SIDE,
    RULES,
    STRANGER,
    World,
    answer,
    codes,
    entry,
    inbound,
    notice,
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
    assert [(s.document_type, s.to.partner_id) for s in of(effects, Send)] == [
        ("transfer", "port-bureau"),
        ("response", "factory"),
    ]
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
    """There is no such declaration, and whoever sends it is not the office that it names."""
    effects = World().send(transfer(NUMBER), STRANGER)
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
    assert [s.to.partner_id for s in of(effects, Send)] == ["port-bureau", "factory"]
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


BROKEN = {"change_reason": "包装破损"}
PORT_CHANGES = [
    # Vessel, voyage, date, container: freely.
    (
        {
            "transport": {"conveyance_name": "HAI LONG", "voyage": "013E"},
            "departure_date": "2026-12-01",
            "containers": [{"number": "TGHU1234567", "size_type": "42G1"}],
        },
        "stands",
        [],
    ),
    # Another number of containers.
    ({"containers": [{"number": "CSQU3054383"}, {"number": "TGHU1234567"}]}, "stands", []),
    # Less, because the packing was damaged; without a reason the other office is asked.
    ({"goods": goods(quantity={"value": "900", "unit": "KGM"}), **BROKEN}, "stands", []),
    ({"goods": goods(quantity={"value": "900", "unit": "KGM"})}, "asked", ["decide.transfer.reason"]),
    # Never more than was declared.
    ({"goods": goods(quantity={"value": "1001", "unit": "KGM"})}, "refused", ["decide.goods.more"]),
    # Another unit is no smaller quantity: what it is both must agree on, unless it cannot be compared at all.
    (
        {"goods": goods(quantity={"value": "1", "unit": "TNE"})},
        "asked",
        ["decide.transfer.reason", "decide.transfer.fixed"],
    ),
    ({"goods": goods(quantity={"value": "1", "unit": "MTR"}), **BROKEN}, "refused", ["decide.goods.unit"]),
    # Value by ten percent, up or down; further as both offices agree.
    ({"goods": goods(value={"value": "5500", "currency": "USD"})}, "stands", []),
    ({"goods": goods(value={"value": "4500", "currency": "USD"})}, "stands", []),
    ({"goods": goods(value={"value": "5500.01", "currency": "USD"})}, "asked", ["decide.transfer.value"]),
    ({"goods": goods(value={"value": "5000", "currency": "EUR"})}, "asked", ["decide.transfer.fixed"]),
    # What was never declared nobody may agree to.
    ({"goods": goods(hs_code="2008199100")}, "refused", ["decide.goods.not_declared"]),
    ({"goods": [*goods(), *goods(sequence_number=2)]}, "refused", ["decide.goods.item_unknown"]),
    ({"consignor": {"name": "别家有限公司"}}, "asked", ["decide.transfer.fixed"]),
    # Nor what identifies the transfer.
    ({"to_organisation": "440100"}, "refused", ["decide.transfer.fixed"]),
    ({"declaration_number": NUMBER, "direction": "inbound"}, "refused", ["decide.transfer.fixed"]),
]


@pytest.mark.parametrize(("changes", "comes", "why"), PORT_CHANGES)
def test_the_port_changes_within_limits(changes, comes, why):
    """Within the rules the port's change stands; beyond them the issuing office is asked; some things nobody changes."""
    world = transferred()
    before = world.case.documents["transfer"]
    effects = world.send(transfer(NUMBER, function="4", **changes), PORT_SIDE)
    refusals, asked = of(effects, Refuse), of(effects, Ask)
    said = "refused" if refusals else "asked" if asked else "stands"
    assert (said, [code for effect in (*refusals, *asked) for code in codes(effect.reasons)]) == (comes, why)
    assert world.case.status == "transferred"
    assert (world.case.documents["transfer"] == before) is (comes != "stands")
    told = {"stands": ["origin-bureau", "factory"], "asked": ["origin-bureau"], "refused": []}[comes]
    assert [s.to.partner_id for s in of(effects, Send)] == told
    assert (
        of(effects, Respond)[0].document.outcome == {"stands": "accepted", "asked": "held", "refused": "refused"}[comes]
    )


def test_the_value_is_measured_as_it_was_issued():
    """5000, 5450, 5940: each within ten percent of the one before, the second not of what was issued."""
    world = transferred()
    first = world.send(
        transfer(NUMBER, function="4", goods=goods(value={"value": "5450", "currency": "USD"})), PORT_SIDE
    )
    assert of(first, Respond)[0].document.outcome == "accepted"
    then = world.send(
        transfer(NUMBER, function="4", goods=goods(value={"value": "5940", "currency": "USD"})), PORT_SIDE
    )
    (asked,) = of(then, Ask)
    assert [(r.code, r.value, r.args["ours"]) for r in asked.reasons] == [("decide.transfer.value", "5940", "5000")]
    assert value_of(world) == "5450"


def value_of(world: World) -> str:
    """What the transfer of the only case says that its first item is worth."""
    kept = Transfer.from_kept(world.case.documents["transfer"])
    assert kept.goods[0].value is not None
    return str(kept.goods[0].value.value)


DEARER = {"function": "4", "goods": goods(value={"value": "9000", "currency": "USD"})}


def asked_beyond() -> World:
    world = transferred()
    world.send(transfer(NUMBER, **DEARER), PORT_SIDE)
    return world


@pytest.mark.parametrize(
    ("said", "value", "told"),
    [
        ("accepted", "9000", {("port-bureau", "accepted"), ("factory", "accepted")}),
        ("refused", "5000", {("port-bureau", "refused")}),
    ],
)
def test_both_offices_agree_or_not(said, value, told):
    """The issuing office's system answers: the change that waited stands, or the transfer stays as it was."""
    world = asked_beyond()
    effects = world.send(answer(said, document="transfer", declaration_number=NUMBER, reference=None), BUREAU)
    assert value_of(world) == value
    assert {
        (s.to.partner_id, s.document.outcome.value) for s in of(effects, Send) if s.document_type == "response"
    } == told
    assert [task.state for task in world.ground.tasks.values()] == ["decided"]
    # Nothing is left to answer.
    again = world.send(answer(said, "R-9", document="transfer", declaration_number=NUMBER, reference=None), BUREAU)
    assert of(again, Refuse)


def test_an_officer_of_the_issuing_office_agrees():
    """By deciding the task: the act is the supervisor's, and the change stands as if the system had said so."""
    world = asked_beyond()
    (task,) = world.ground.tasks.values()
    assert (task.office, task.act) == (ORIGIN, "approve")
    world.act(task.id, "agree", BUREAU, "chief")
    assert value_of(world) == "9000"


def test_a_newer_change_takes_the_place_of_one_that_waits():
    """The first task is withdrawn, and what is agreed to is the newer change."""
    world = asked_beyond()
    world.send(transfer(NUMBER, function="4", goods=goods(value={"value": "8000", "currency": "USD"})), PORT_SIDE)
    assert sorted(task.state for task in world.ground.tasks.values()) == ["open", "withdrawn"]
    world.send(answer("accepted", document="transfer", declaration_number=NUMBER, reference=None), BUREAU)
    assert value_of(world) == "8000"


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
    asked = of(world.send(change, PORT_SIDE), Ask)
    assert [[r.place.path for r in task.reasons] for task in asked] == ([] if free else [["transport.voyage"]])


ISSUERS = [
    # Only the office that inspects hands on, in its own name, though others know the number.
    (STRANGER, {"from_organisation": "440100"}, "decide.transfer.issuer"),
    (PORT_SIDE, {"from_organisation": PORT_BUREAU, "to_organisation": ORIGIN}, "decide.transfer.issuer"),
    # Ten times as much as was declared, in whatever measure.
    (BUREAU, {"goods": goods(quantity={"value": "10000", "unit": "KGM"})}, "decide.goods.more"),
    (BUREAU, {"goods": goods(quantity={"value": "10", "unit": "TNE"})}, "decide.goods.more"),
    (BUREAU, {"goods": goods(quantity={"value": "1000", "unit": "C62"})}, "decide.goods.unit"),
    (BUREAU, {"goods": goods(value={"value": "5000.01", "currency": "USD"})}, "decide.goods.more"),
    (BUREAU, {"goods": goods(value={"value": "5000", "currency": "EUR"})}, "decide.goods.currency"),
    (BUREAU, {"goods": goods(sequence_number=2)}, "decide.goods.item_unknown"),
    # To another office than the one declared to: that is named by a change.
    (BUREAU, {"to_organisation": "440100"}, "decide.transfer.receiver"),
]


@pytest.mark.parametrize(("sender", "changes", "code"), ISSUERS)
def test_who_hands_on_what_to_whom(sender, changes, code):
    """Whoever may not hand on, or hands on what was not declared, moves nothing: neither transfer nor inspection."""
    world = declared()
    effects = world.send(transfer(NUMBER, **changes), sender)
    assert codes(of(effects, Refuse)[0].reasons) == [code]
    assert not of(effects, Send)
    assert world.case.tracks == {"declaration": "accepted"}


def test_a_change_to_another_office_takes_the_transfer_from_the_old_one():
    """The old office is told by a withdrawal, the new one gets the transfer."""
    world = transferred()
    effects = world.send(transfer(NUMBER, function="5", to_organisation="440100"), BUREAU)
    told = [(s.to.partner_id, s.document.function.name) for s in of(effects, Send) if s.document_type == "transfer"]
    assert told == [("port-bureau", "CANCELLATION"), ("far-bureau", "REPLACE")]
    assert [(p.partner_id, p.document.function.name) for p in of(effects, Publish) if p.feed == "transfer"] == told
    # The old office has no say any more.
    late = answer("accepted", document="transfer", declaration_number=NUMBER, reference=None)
    assert of(world.send(late, PORT_SIDE), Refuse)
    assert world.case.tracks["transfer"] == "sent"


def taken() -> World:
    world = transferred()
    world.send(answer("accepted", document="transfer", declaration_number=NUMBER, reference=None), PORT_SIDE)
    return world


def test_a_transfer_is_taken():
    """Both sides and the enterprise learn that the port's office has the goods in hand; nothing runs out any more."""
    world = transferred()
    effects = world.send(answer("accepted", document="transfer", declaration_number=NUMBER, reference=None), PORT_SIDE)
    assert world.case.tracks["transfer"] == "taken"
    assert {s.to.partner_id for s in of(effects, Send)} == {"origin-bureau", "factory"}
    assert not world.deadlines


def test_taking_what_was_replaced_takes_nothing():
    """An acceptance that names a transfer which another has replaced since comes too late."""
    world = transferred()
    world.send(answer("refused", "R-1", document="transfer", declaration_number=NUMBER, number="T-1"), PORT_SIDE)
    world.send(transfer(NUMBER, number="T-2"), BUREAU)
    world.send(answer("accepted", "R-2", document="transfer", declaration_number=NUMBER, number="T-1"), PORT_SIDE)
    assert world.case.tracks["transfer"] == "sent"
    world.send(answer("accepted", "R-3", document="transfer", declaration_number=NUMBER, number="T-2"), PORT_SIDE)
    assert world.case.tracks["transfer"] == "taken"


@pytest.mark.parametrize(("said", "after"), [("cancelled", "withdrawn"), ("refused", "taken")])
def test_what_was_taken_is_withdrawn_with_agreement(said, after):
    """The office that has the goods is asked, and gives them back or not; the enterprise learns it."""
    world = taken()
    effects = world.send(transfer(NUMBER, function="1"), BUREAU)
    assert (world.case.tracks["transfer"], of(effects, Respond)[0].document.outcome) == ("taken", "held")
    (task,) = world.ground.tasks.values()
    assert task.office == PORT_BUREAU
    effects = world.send(answer(said, "R-2", document="transfer", declaration_number=NUMBER, reference=None), PORT_SIDE)
    assert world.case.tracks["transfer"] == after
    assert "origin-bureau" in {s.to.partner_id for s in of(effects, Send)}
    assert ("factory" in {s.to.partner_id for s in of(effects, Send)}) is (after == "withdrawn")


def test_a_transfer_that_nobody_takes_is_told_of():
    """After the term of the rules both offices are told, and somebody is alerted; the transfer stays open."""
    world = transferred()
    effects = world.let_pass("transfer_untaken")
    assert {s.to.partner_id for s in of(effects, Send)} == {"origin-bureau", "port-bureau"}
    assert [alert.kind for alert in of(effects, Alert)] == ["transfer_untaken"]
    assert world.case.tracks["transfer"] == "sent"


def test_a_pre_inspection_is_handed_to_nobody():
    """Kind 21 (出境预检) is neither transferred nor noticed."""
    world = World()
    world.send(outbound(kind="21"), FACTORY)
    world.send(answer("accepted"), BUREAU)
    assert codes(of(world.send(transfer(NUMBER), BUREAU), Refuse)[0].reasons) == ["decide.transfer.kind"]


def test_an_export_without_a_port_is_handed_to_nobody():
    """Where the declaration names no port's office, the port of exit is not fixed, whatever the transfer says."""
    world = World()
    world.send(outbound(purpose_organisation=None), FACTORY)
    assert codes(of(world.send(transfer(NUMBER), BUREAU), Refuse)[0].reasons) == ["decide.transfer.exit_port_open"]


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


INBOUND = "370200126000001"


def handed_on(**changes) -> World:
    """An import that its port's office has handed to the destination's."""
    world = World()
    world.send(inbound(**changes), FACTORY)
    if world.case.status != "accepted":
        world.send(answer("accepted"), PORT_SIDE)
    world.send(transfer(INBOUND, direction="inbound", from_organisation=PORT_BUREAU, to_organisation=ORIGIN), PORT_SIDE)
    return world


def test_inbound_goods_are_transferred_to_their_destination():
    """From the port's bureau to the destination's; that says nothing of whether they passed."""
    world = handed_on()
    assert world.case.status == "transferred"
    assert world.case.tracks.get("inspection", "none") == "none"


@pytest.mark.parametrize(("said", "state"), [("released", "passed"), ("refused", "failed")])
@pytest.mark.parametrize("cleared", [False, True])
def test_the_destination_judges_what_it_was_handed(said, state, cleared):
    """Its result moves the inspection, before or after customs' release; the port's office learns it, and the owner."""
    world = handed_on()
    if cleared:
        world.send(notice(INBOUND, direction="inbound"), PORT_SIDE)
        world.send(entry(INBOUND, direction="inbound"), CUSTOMS)
    effects = world.send(answer(said, "R-9", declaration_number=INBOUND, reference=None), BUREAU)
    assert world.case.tracks["inspection"] == state
    assert world.case.tracks.get("clearance", "none") == ("released" if cleared else "none")
    told = {s.to.partner_id for s in of(effects, Send)}
    assert told == {"factory", "port-bureau", *(["customs"] if cleared and state == "failed" else [])}


def test_the_destination_has_no_say_before():
    """Until the goods are handed to it, the destination's office is no office that judges them."""
    world = World()
    world.send(inbound(), FACTORY)
    assert of(world.send(answer("released", declaration_number=INBOUND, reference=None), BUREAU), Refuse)


def test_goods_in_transit_to_their_destination_are_judged_there_alone():
    """Kind 14 (入境流向): what the port's office says of passing counts for nothing, the destination's word does."""
    world = handed_on(kind="14")
    held = world.send(answer("released", "R-8"), PORT_SIDE)
    assert codes(of(held, Hold)[0].reasons) == ["decide.kind.elsewhere"]
    world.send(answer("released", "R-9", declaration_number=INBOUND, reference=None), BUREAU)
    assert world.case.tracks["inspection"] == "passed"
