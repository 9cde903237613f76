from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest

from gateway.check import rulebook
from gateway.decide.effects import Alert, Attach, Note, Publish, Refuse, Respond, Send, Wait
from gateway.decide.facts import CasesByKeys
from gateway.documents.release import ReleaseNotice
from gateway.flows.containers.decisions import states
from gateway.flows.containers.status import ContainerStatus
from gateway.model import Role
from tests.flows.consignment.test_declaration import newcomers
from tests.flows.world import (
    CUSTOMS,
    FACTORY,
    NEWCOMER,
    NOW,
    ORIGIN,
    OTHER_PORT,
    PORT,
    PORT_SIDE,
    RULES,
    STRANGER,
    World,
    answer,
    blacklisting,
    codes,
    entry,
    inbound,
    manifest,
    notice,
    of,
    outbound,
)

BOX, OTHER_BOX = "CSQU3054383", "TGHU1234567"


def with_sets(*changed: rulebook.RuleSet) -> rulebook.Rules:
    return dataclasses.replace(RULES, sets={**RULES.sets, **{type(one): one for one in changed}})


def declared(**changes) -> World:
    world = World()
    world.send(inbound(**changes), FACTORY)
    return world


def bill(number="BL-1", port="DEHAM", *boxes, **more):
    return {"number": number, "loading_port": port, "containers": [{"number": b} for b in boxes or (BOX,)]} | more


def decisions(effects):
    """Every container that the port was told of: decision and reasons."""
    return {
        unit.number: (unit.decision.value, [reason.code for reason in unit.reasons])
        for send in of(effects, Send)
        if send.document_type == "release"
        for unit in send.document.containers
    }


JUDGED = [
    # From Hamburg, and nothing to check: released.
    ({}, bill(), "release", []),
    # From a yellow fever area by the bill's port of loading.
    ({}, bill("BL-1", "NGAPP"), "lock", ["decide.port.epidemic"]),
    # By the declared country of departure.
    ({"departure_country": "AO"}, bill(), "lock", ["decide.port.epidemic"]),
    # By the origin of the goods, though they were loaded elsewhere.
    (
        {"goods": [{"hs_code": "2008199990", "origin_country": "CD"}]},
        bill(),
        "lock",
        ["decide.port.epidemic"],
    ),
    # Meat is on the import negative list.
    ({"goods": [{"hs_code": "0202300010"}]}, bill(), "lock", ["decide.port.negative_list", "decide.gate.wanting"]),
    # Nobody says where it comes from.
    ({"departure_country": None}, bill("BL-1", "53201"), "lock", ["decide.port.origin_unknown"]),
    # A declaration that names no containers covers all of its bill.
    ({"container_groups": []}, bill(), "release", []),
]


@pytest.mark.parametrize(("declaration", "of_manifest", "decision", "reasons"), JUDGED)
def test_a_declared_container_is_judged_by_rule(declaration, of_manifest, decision, reasons):
    """Non-epidemic and nothing to check: released; else locked, with every reason, and an officer alerted."""
    world = World()
    world.send(inbound(**declaration), FACTORY)
    if world.case.status != "accepted":
        world.send(answer("accepted"), PORT_SIDE)
    effects = world.send(manifest(of_manifest), PORT)
    assert decisions(effects) == {BOX: (decision, reasons)}
    assert [a.kind for a in of(effects, Alert)] == (["locked"] if reasons else [])


def test_the_port_and_its_feed_learn_the_decision():
    """The notice goes to the port that sent the manifest and to its bureau; the owner reads it as a response."""
    effects = declared().send(manifest(), PORT)
    to = [(s.document_type, s.to.role, s.to.partner_id) for s in of(effects, Send)]
    assert to == [
        ("manifest", Role.BUREAU, ""),
        ("manifest", Role.CUSTOMS, ""),
        ("release", Role.PORT, "port"),
        ("release", Role.BUREAU, "port-bureau"),
        ("response", Role.ENTERPRISE, "factory"),
    ]
    assert [(p.feed, p.partner_id) for p in of(effects, Publish)] == [("release", "port"), ("status", "factory")]
    assert of(effects, Respond)[0].document.outcome == "accepted"


EPIDEMIC_DAYS = [
    (NOW, "release"),
    (datetime(2015, 5, 1, tzinfo=UTC), "lock"),
    # The last minute of the last day in China, and the first of the next.
    (datetime(2016, 3, 29, 15, 59, tzinfo=UTC), "lock"),
    (datetime(2016, 3, 29, 16, 0, tzinfo=UTC), "release"),
    # The first day begins in China while it is the day before by UTC.
    (datetime(2014, 8, 7, 15, 59, tzinfo=UTC), "release"),
    (datetime(2014, 8, 7, 16, 0, tzinfo=UTC), "lock"),
]


def test_an_epidemic_area_is_one_on_its_days_only():
    """Liberia was an area from 8 August 2014 to 29 March 2016 by China's days, and is none now."""
    for day, expected in EPIDEMIC_DAYS:
        world = World()
        world.send(inbound(departure_country="LR"), FACTORY)
        effects = world.send(manifest(bill("BL-1", "LRMLW")), PORT, now=day)
        assert decisions(effects)[BOX][0] == expected


def test_an_undeclared_container_is_locked_and_waits():
    """No declaration: lock, one alert, and the bill waits for its declaration."""
    world = World()
    effects = world.send(manifest(), PORT)
    assert decisions(effects) == {BOX: ("lock", ["decide.port.undeclared"])}
    assert [a.kind for a in of(effects, Alert)] == ["undeclared"]
    assert of(effects, Wait)[0].keys == {("bill", "BL-1"), ("container", BOX), ("manifest", "M-1")}
    assert of(effects, Respond)[0].document.reasons[0].field == "bills[0].number"


def test_the_rule_set_may_let_it_wait_silently():
    """With `undeclared = "wait"` nothing is locked or alerted before the declaration comes."""
    quiet = RULES.of(rulebook.PortInspection).model_copy(update={"undeclared": "wait"})
    world = World(rules=with_sets(quiet))
    effects = world.send(manifest(), PORT)
    assert not decisions(effects)
    assert not of(effects, Alert)
    assert len(world.waiting) == 1


def test_a_manifest_may_come_before_its_declarations():
    """What waits is decided when the declaration is accepted, and the port is told."""
    world = World()
    world.send(manifest(bill(), bill("BL-2", "NGAPP", OTHER_BOX)), PORT)
    effects = world.send(inbound(), FACTORY)
    assert decisions(effects) == {BOX: ("release", [])}
    assert of(effects, Attach)[0].case == world.case.id
    assert len(world.waiting) == 1
    second = inbound(client_reference="E-2", bill_of_lading="BL-2", container_groups=[{"numbers": [OTHER_BOX]}])
    assert decisions(world.send(second, FACTORY)) == {OTHER_BOX: ("lock", ["decide.port.epidemic"])}
    assert not world.waiting


def test_a_declaration_in_review_opens_no_gate():
    """Only an accepted declaration counts; until then the bill waits."""
    world = World()
    world.send(inbound(total_value_usd="9000000"), FACTORY)
    effects = world.send(manifest(), PORT)
    assert decisions(effects) == {BOX: ("lock", ["decide.port.not_accepted"])}
    assert decisions(world.send(answer("accepted"), PORT_SIDE)) == {BOX: ("release", [])}


def test_a_container_that_its_bills_declaration_does_not_name_stays_locked():
    """The rest of the bill waits for another declaration under the same bill."""
    world = declared()
    effects = world.send(manifest(bill("BL-1", "DEHAM", BOX, OTHER_BOX)), PORT)
    assert decisions(effects) == {
        BOX: ("release", []),
        OTHER_BOX: ("lock", ["decide.port.container_undeclared"]),
    }
    second = inbound(client_reference="E-2", container_groups=[{"numbers": [OTHER_BOX]}])
    assert decisions(world.send(second, FACTORY)) == {OTHER_BOX: ("release", [])}
    assert not world.waiting


def test_two_declarations_may_share_a_waiting_bill():
    """The first takes its containers and leaves the rest waiting; the second takes that."""
    world = World()
    world.send(manifest(bill("BL-1", "DEHAM", BOX, OTHER_BOX)), PORT)
    assert decisions(world.send(inbound(), FACTORY)) == {BOX: ("release", [])}
    assert len(world.waiting) == 1
    second = inbound(client_reference="E-2", container_groups=[{"numbers": [OTHER_BOX]}])
    assert decisions(world.send(second, FACTORY)) == {OTHER_BOX: ("release", [])}
    assert not world.waiting


def test_a_container_declared_under_another_bill_is_named():
    """It stays locked, and the reason says where to look."""
    effects = declared(bill_of_lading="BL-9").send(manifest(), PORT)
    assert codes(of(effects, Alert)[0].reasons) == ["decide.port.undeclared", "decide.port.other_bill"]


def test_two_bills_of_one_case_are_both_remembered():
    """A case under a master bill and a house bill keeps the decisions on both."""
    world = declared(house_bill="HB-1", container_groups=[])
    effects = world.send(manifest(bill(), bill("HB-1", "DEHAM", OTHER_BOX)), PORT)
    assert decisions(effects) == {BOX: ("release", []), OTHER_BOX: ("release", [])}
    assert len({s.document.number for s in of(effects, Send) if s.document_type == "release"}) == 2
    assert [u["number"] for u in world.case.documents["release"]["containers"]] == [BOX, OTHER_BOX]
    assert [b["number"] for b in world.case.documents["manifest"]["bills"]] == ["BL-1", "HB-1"]


def test_one_bill_may_stand_twice_in_a_manifest():
    """Both lines wait, a repeat keeps both, and the declaration takes both."""
    world = World()
    twice = manifest(bill(), bill("BL-1", "DEHAM", OTHER_BOX))
    world.send(twice, PORT)
    assert len(world.waiting) == 2
    assert not of(world.send(twice, PORT), Attach)
    effects = world.send(inbound(container_groups=[]), FACTORY)
    assert decisions(effects) == {BOX: ("release", []), OTHER_BOX: ("release", [])}
    assert {u["number"] for u in world.case.documents["release"]["containers"]} == {BOX, OTHER_BOX}


def test_another_ports_manifest_is_its_own():
    """Two ports may number their manifests alike; one's cancellation leaves the other's waiting."""
    world = World()
    world.send(manifest(), PORT)
    world.send(manifest(function="1"), OTHER_PORT)
    assert len(world.waiting) == 1


def test_a_manifest_in_two_messages():
    """The second message under the same number adds bills; a replacement takes away what it does not mention."""
    world = World()
    world.send(manifest(bill()), PORT)
    world.send(manifest(bill("BL-2", "DEHAM", OTHER_BOX)), PORT)
    assert len(world.waiting) == 2
    world.send(manifest(bill("BL-2", "DEHAM", OTHER_BOX), function="5"), PORT)
    assert len(world.waiting) == 1


def test_bills_without_a_number_are_kept_apart():
    """They can be matched by nobody, but neither is lost for the other."""
    world = World()
    nameless = [bill(None, "DEHAM", box) for box in (BOX, OTHER_BOX)]
    world.send(manifest(*nameless), PORT)
    world.send(manifest(*nameless), PORT)
    assert len(world.waiting) == 2


def test_the_bill_that_an_amendment_took_away_no_longer_counts():
    """The declaration as it stands now is what is matched."""
    world = declared()
    world.send(inbound(function="4", bill_of_lading="BL-2"), FACTORY)
    world.send(answer("accepted"), PORT_SIDE)
    assert decisions(world.send(manifest(), PORT))[BOX] == ("lock", ["decide.port.undeclared"])
    assert decisions(world.send(manifest(bill("BL-2"), number="M-2"), PORT)) == {BOX: ("release", [])}


def test_the_port_hears_of_what_it_sent_though_others_declare():
    """What is decided later goes to the port whose manifest waited, the rest of a bill included."""
    world = World()
    world.send(manifest(bill("BL-1", "DEHAM", BOX, OTHER_BOX)), PORT)
    for reference, box in (("E-1", BOX), ("E-2", OTHER_BOX)):
        effects = world.send(inbound(client_reference=reference, container_groups=[{"numbers": [box]}]), FACTORY)
        assert [s.to.partner_id for s in of(effects, Send) if s.to.role is Role.PORT] == ["port"]


def test_a_declaration_without_a_bill_is_found_by_its_containers():
    """Whether the manifest comes before it or after it."""
    world = declared(bill_of_lading=None)
    assert decisions(world.send(manifest(), PORT)) == {BOX: ("release", [])}
    world = World()
    world.send(manifest(), PORT)
    assert decisions(world.send(inbound(bill_of_lading=None), FACTORY)) == {BOX: ("release", [])}


def test_an_outbound_declaration_covers_no_arrival():
    """The same container number going out says nothing about what comes in."""
    world = World()
    world.send(outbound(bill_of_lading="BL-1"), FACTORY)
    assert decisions(world.send(manifest(), PORT))[BOX][0] == "lock"


def test_the_same_manifest_again_decides_nothing_anew():
    """A repeat makes no second notice, wait or alert."""
    world = declared()
    twice = manifest(bill(), bill("BL-2", "DEHAM", OTHER_BOX))
    world.send(twice, PORT)
    waiting = world.waiting
    effects = world.send(twice, PORT)
    assert not decisions(effects)
    assert not of(effects, Wait)
    assert not of(effects, Alert)
    assert of(effects, Note)
    assert world.waiting == waiting


def test_a_replaced_manifest_replaces_what_waits():
    """The old part waits no longer; the new one does."""
    world = World()
    world.send(manifest(), PORT)
    (old,) = world.waiting
    effects = world.send(manifest(bill("BL-1", "DEHAM", OTHER_BOX), function="5"), PORT)
    assert of(effects, Attach) == [Attach(old, "")]
    assert len(world.waiting) == 1


def test_a_cancelled_manifest_waits_no_longer():
    """Nothing is left to be matched; bureaus and customs learn it."""
    world = World()
    world.send(manifest(), PORT)
    effects = world.send(manifest(function="1"), PORT)
    assert not world.waiting
    assert [s.document_type for s in of(effects, Send)] == ["manifest", "manifest"]


def test_a_large_manifest_asks_the_store_once():
    """Hundreds of bills are one question about cases and one about what waits."""
    bills = [bill(f"BL-{n}", "DEHAM", f"CSQU{n:07}") for n in range(300)]
    world = World()
    world.send(manifest(*bills), PORT)
    assert len(world.asked) == 2
    assert len(world.waiting) == 300


def test_an_excluded_enterprise_is_always_checked():
    """The rule set names the treatments whose containers are locked until checked."""
    graded = RULES.of(rulebook.Credit).model_copy(update={"grades": {"A": rulebook.Treatment.EXCLUDED}})
    world = World(rules=with_sets(graded))
    world.send(inbound(), FACTORY)
    world.send(answer("accepted"), PORT_SIDE)
    assert decisions(world.send(manifest(), PORT)) == {BOX: ("lock", ["decide.port.enterprise"])}


def test_the_blacklist_is_checked_at_the_gate():
    """An enterprise blacklisted after its declaration was accepted does not get its containers."""
    world = declared()
    world.rules = blacklisting("3701000001")
    assert decisions(world.send(manifest(), PORT)) == {BOX: ("lock", ["decide.port.enterprise", "decide.gate.wanting"])}


def test_test_manifests_meet_test_declarations_only():
    """A live declaration does not open the gate for a test manifest."""
    world = declared()
    effects = world.send(manifest(), PORT, test=True)
    assert decisions(effects)[BOX][0] == "lock"
    assert [q.test for q in world.asked if isinstance(q, CasesByKeys)] == [True]


def order(decision="release", **changes):
    values = {
        "number": "O-1",
        "organisation": "370200",
        "officer": "0815",
        "containers": [{"number": BOX, "bill_of_lading": "BL-1", "decision": decision}],
    }
    return ReleaseNotice.model_validate(values | changes)


def test_only_an_officer_opens_a_lock():
    """After treatment the officer's order goes to the port; a rule would not have opened it."""
    world = declared(departure_country="AO")
    world.send(manifest(), PORT)
    effects = world.send(order(), PORT_SIDE)
    assert decisions(effects) == {BOX: ("release", [])}
    assert world.case.documents["release"]["containers"][0]["decision"] == "release"
    assert "release" in {p.feed for p in of(effects, Publish)}
    again = world.send(manifest(function="5"), PORT)
    assert not decisions(again)


def test_an_officer_may_lock_what_a_rule_released():
    """A control order is laid on the container."""
    world = declared()
    world.send(manifest(), PORT)
    world.send(order("lock"), PORT_SIDE)
    assert world.case.documents["release"]["containers"][0]["decision"] == "lock"


def test_an_order_from_elsewhere_is_refused():
    """Another bureau cannot open the lock, neither under its own name nor under another's."""
    for organisation in ("440100", "370200"):
        world = declared(departure_country="AO")
        world.send(manifest(), PORT)
        effects = world.send(order(organisation=organisation), STRANGER)
        assert of(effects, Refuse)
        assert not decisions(effects)


def test_an_undeclared_container_cannot_be_ordered_open():
    """Nobody knows whose it is to open; it is declared first."""
    world = World()
    world.send(manifest(), PORT)
    effects = world.send(order(), PORT_SIDE)
    assert codes(of(effects, Refuse)[0].reasons) == ["decide.release.undeclared"]
    assert not decisions(effects)


def test_an_order_names_container_and_bill():
    """Under another bill of lading the same number is another container to the officer."""
    world = declared(departure_country="AO")
    world.send(manifest(), PORT)
    wrong = [{"number": BOX, "bill_of_lading": "BL-9", "decision": "release"}]
    assert of(world.send(order(containers=wrong), PORT_SIDE), Refuse)


def test_the_same_order_again_goes_out_once():
    """A repeat is noted."""
    world = declared(departure_country="AO")
    world.send(manifest(), PORT)
    world.send(order(), PORT_SIDE)
    effects = world.send(order(), PORT_SIDE)
    assert not of(effects, Send)
    assert of(effects, Note)


def test_a_lock_order_may_come_before_the_manifest():
    """What an officer has locked, a clean finding does not open; the port is told once it has the container."""
    world = declared()
    first = world.send(order("lock"), PORT_SIDE)
    assert not [send for send in of(first, Send) if send.to.role is Role.PORT]
    effects = world.send(manifest(), PORT)
    assert decisions(effects) == {BOX: ("lock", [])}
    assert "port" in [send.to.partner_id for send in of(effects, Send)]
    assert not decisions(world.send(manifest(), PORT))


def test_a_reviewed_newcomers_goods_are_treated_like_everybodys():
    """Credit decides about the desk review, not about the gate."""
    world = World()
    values = newcomers().model_dump(exclude={"consignor", "container_groups"}, exclude_none=True)
    world.send(
        inbound(declarant=values["declarant"], consignee={"code": "3701000002", "name": "新客贸易有限公司"}), NEWCOMER
    )
    world.send(answer("accepted"), PORT_SIDE)
    assert decisions(world.send(manifest(), PORT)) == {BOX: ("release", [])}


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [("refused", {BOX: ("release", [])}), ("released", {BOX: ("release", [])}), ("cancelled", {})],
)
def test_what_came_during_a_cancellation_waits_for_its_end(outcome, expected):
    """The manifest finds a declaration that may be withdrawn; it is decided if the declaration stands after all."""
    world = declared()
    world.send(inbound(function="1"), FACTORY)
    locked = decisions(world.send(manifest(), PORT))
    assert locked == {BOX: ("lock", ["decide.port.not_accepted"])}
    assert decisions(world.send(answer(outcome), PORT_SIDE)) == expected
    assert bool(world.waiting) is not bool(expected)


@pytest.mark.parametrize(("happens", "word"), [("refused", "failed"), ("cancelled", "cancelled")])
def test_what_was_released_on_a_consignment_that_is_void_is_locked_again(happens, word):
    """Goods that fail at their destination, or are withdrawn: the port that has the containers must stop them.

    Which containers its word has locked, the port's bureau learns as well.
    """
    world = World()
    world.send(inbound(), FACTORY)
    world.send(manifest(), PORT)
    assert states(world.case) == {"CSQU3054383": ContainerStatus.RELEASED}
    effects = world.send(answer(happens, "R-9"), PORT_SIDE)
    assert world.case.status == word
    assert states(world.case) == {"CSQU3054383": ContainerStatus.LOCKED}
    told = {send.to.partner_id: send.document for send in of(effects, Send) if send.document_type == "release"}
    assert told.keys() == {"port", "port-bureau"}
    assert [reason.code for reason in told["port"].containers[0].reasons] == ["decide.port.void"]
    assert [alert.kind for alert in of(effects, Alert)] == ["locked"]
    # The manifest again releases nothing: only an officer opens the lock, or another declaration covers it.
    world.send(manifest(), PORT)
    assert states(world.case) == {"CSQU3054383": ContainerStatus.LOCKED}


def test_cleared_and_failed_at_its_destination_are_both_shown():
    """Customs' release and the bureau's failure stand side by side; an alert says that the goods are on their way."""
    world = World()
    world.send(inbound(), FACTORY)
    world.send(manifest(), PORT)
    number = world.case.documents["declaration"]["number"]
    world.send(notice(number, direction="inbound"), PORT_SIDE)
    world.send(entry(number, direction="inbound"), CUSTOMS)
    assert world.case.status == "cleared"
    effects = world.send(answer("refused", "R-9"), PORT_SIDE)
    assert (world.case.tracks["clearance"], world.case.tracks["inspection"]) == ("released", "failed")
    assert {alert.kind for alert in of(effects, Alert)} == {"locked", "failed_after_clearance"}
    assert states(world.case) == {"CSQU3054383": ContainerStatus.LOCKED}


def test_an_order_goes_to_the_port_that_has_the_container():
    """An officer's order concerns one port; another one learns nothing of it."""
    world = World()
    world.send(inbound(), FACTORY)
    world.send(manifest(), PORT)
    effects = world.send(order("lock"), PORT_SIDE)
    assert [send.to.partner_id for send in of(effects, Send)] == ["port", "factory"]
    assert [line.partner_id for line in of(effects, Publish) if line.feed == "release"] == ["port"]


def test_containers_are_locked_again_whoever_has_them():
    """Of a case that never learnt which port has its containers, no port can be told, and somebody must find out."""
    world = World()
    world.send(inbound(), FACTORY)
    world.send(manifest(), PORT)
    documents = {name: values for name, values in world.case.documents.items() if name != "port_side"}
    world.ground.cases[world.case.id] = dataclasses.replace(world.case, documents=documents)
    effects = world.send(answer("refused", "R-9"), PORT_SIDE)
    assert states(world.case) == {"CSQU3054383": ContainerStatus.LOCKED}
    assert not [send for send in of(effects, Send) if send.to.role is Role.PORT]
    assert [alert.kind for alert in of(effects, Alert)] == ["locked", "port_unknown"]


def answered(effects):
    """The answer to the sender: what it is about, what became of it, and every reason with field and value."""
    (said,) = of(effects, Respond)
    told = said.document
    return told.document, told.number, told.outcome, [(r.code, r.field, r.value) for r in told.reasons]


ORDERS_REFUSED = [
    # (order, sender, reasons)
    ({"organisation": ORIGIN}, PORT_SIDE, ("decide.release.not_officer", "organisation", ORIGIN)),
    ({}, STRANGER, ("decide.release.not_officer", "organisation", "370200")),
    ({"organisation": "440100"}, STRANGER, ("decide.sender.not_concerned", "containers[0].number", "440100")),
    ({"containers": [{"number": "TGHU1234567", "decision": "release"}]}, PORT_SIDE,
     ("decide.release.undeclared", "containers[0].number", "TGHU1234567")),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "sender", "reason"), ORDERS_REFUSED)
def test_a_refused_order_names_its_field(changes, sender, reason):
    """Whoever orders what it may not is told at which field, and the ports are told nothing."""
    world = declared()
    world.send(manifest(), PORT)
    effects = world.send(order(**changes), sender)
    document, _, outcome, reasons = answered(effects)
    assert (document, outcome, reasons) == ("release", "refused", [reason])
    assert not of(effects, Publish)


def test_an_order_is_a_line_on_the_timeline():
    """With the container and what was ordered; the same again is told as a repeat."""
    world = declared()
    world.send(manifest(), PORT)
    effects = world.send(order("lock"), PORT_SIDE)
    assert [(n.kind, codes(n.reasons), n.reasons[0].args["decision"]) for n in of(effects, Note)] == [
        ("ordered", ["decide.port.ordered"], "lock")
    ]
    again = world.send(order("lock"), PORT_SIDE)
    assert [(n.kind, codes(n.reasons)) for n in of(again, Note)] == [("repeat", ["decide.repeat"])]
    assert answered(again)[2:] == ("accepted", [])


def test_the_same_manifest_again_is_a_line_on_the_timeline():
    """Nothing new is decided, and the timeline says of which bill."""
    world = declared()
    world.send(manifest(), PORT)
    effects = world.send(manifest(function="5"), PORT)
    assert [(n.kind, codes(n.reasons), n.reasons[0].value) for n in of(effects, Note)] == [
        ("manifest", ["decide.port.nothing_new"], "BL-1")
    ]
