from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import findings, flows
from gateway.check import rulebook, rules
from gateway.decide import engine
from gateway.decide.desk import Actor, Desk, MessageIn
from gateway.decide.effects import Move, NewCase, Publish, Respond, Send
from gateway.decide.facts import Answer, Facts, Query, TasksOf
from gateway.documents import MODELS, Declaration, Manifest, ReleaseNotice, Response
from tests.flows.consignment.test_declaration import newcomers
from tests.flows.containers.test_port_inspection import bill, order
from tests.flows.world import (
    AGENT,
    ALL,
    BUREAU,
    CUSTOMS,
    FACTORY,
    FLOWS,
    NEWCOMER,
    NOW,
    ORIGIN,
    PORT,
    PORT_SIDE,
    RULES,
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
ENGINE = Path(engine.__file__).parent
ROOM = Path(flows.__file__).parent

MESSAGES = [
    (outbound(), FACTORY),
    (outbound(function="4", contract_number="C-78"), FACTORY),
    (outbound(function="5", marks="N/M"), FACTORY),
    (outbound(function="1"), FACTORY),
    (outbound(declarant={"registration_number": "3701000003"}), AGENT),
    (newcomers(), NEWCOMER),
    (inbound(client_reference="E-2"), FACTORY),
    (inbound(client_reference="E-2", function="1"), FACTORY),
    *((answer(outcome, f"R-{outcome}"), BUREAU) for outcome in ("received", "accepted", "refused", "released")),
    (answer("cancelled", "R-c"), BUREAU),
    (answer("received", "R-i", code="1500"), BUREAU),
    (answer("accepted", "R-s"), STRANGER),
    (transfer(NUMBER), BUREAU),
    (transfer(NUMBER, function="1"), BUREAU),
    (transfer(NUMBER, function="4", departure_date="2026-12-01"), PORT_SIDE),
    (transfer(NUMBER, function="4", consignor={"name": "别家有限公司"}), PORT_SIDE),
    (transfer(NUMBER, function="5", to_organisation="440100"), BUREAU),
    (answer("accepted", "R-u", document="transfer", declaration_number=NUMBER, reference=None), PORT_SIDE),
    (answer("accepted", "R-v", document="transfer", declaration_number=NUMBER, reference=None), BUREAU),
    (answer("cancelled", "R-w", document="transfer", declaration_number=NUMBER, reference=None), PORT_SIDE),
    (answer("refused", "R-t", document="transfer", declaration_number=NUMBER), PORT_SIDE),
    (notice(NUMBER), PORT_SIDE),
    (notice(NUMBER, function="5", remarks="改单"), PORT_SIDE),
    (notice(NUMBER, function="1", status="cancelled"), PORT_SIDE),
    (answer("refused", "R-n", document="clearance", notice_number=f"{NUMBER}000"), CUSTOMS),
    (entry(NUMBER), CUSTOMS),
    (entry(NUMBER, containers=["TGHU1234567"]), CUSTOMS),
    (manifest(), PORT),
    (manifest(bill(), bill("BL-2", "NGAPP", "TGHU1234567"), function="5"), PORT),
    (manifest(function="1"), PORT),
    (order(), PORT_SIDE),
    (order("lock"), PORT_SIDE),
    (order("treat"), PORT_SIDE),
    (order("return"), PORT_SIDE),
    (inbound(client_reference="E-2", function="4", departure_country="AO"), FACTORY),
    (answer("accepted", "R-x", reference="E-2"), PORT_SIDE),
    (answer("refused", "R-y", reference="E-2"), PORT_SIDE),
    (answer("received", "R-z", reference="E-2", code="1500"), PORT_SIDE),
    (manifest({"number": "BL-1", "discharge_port": "KRPUS", "containers": [{"number": "CSQU3054383"}]}), PORT),
    (
        manifest(
            {"number": "BL-3", "loading_port": "DEHAM", "containers": [{"number": "TGHU1234567", "load_status": "4"}]}
        ),
        PORT,
    ),
]


@settings(deadline=None, max_examples=150)
@given(st.lists(st.sampled_from(MESSAGES), max_size=12), st.booleans())
def test_any_sequence_of_messages_is_decided_alike_twice(messages, test):
    """Whatever comes in whatever order, deciding does not fail, gives the same twice, and stays in the table."""
    first, second = World(), World()
    for document, sender in messages:
        effects = first.send(document, sender, test=test)
        assert second.send(document, sender, test=test) == effects
        for effect in of(effects, Move):
            assert effect.event in FLOWS.tracks.find(effect.track).rows
        assert all(getattr(query, "test", test) is test for query in first.asked)
    for case in first.ground.cases.values():
        assert case.status in {line.word for line in RULES.headlines["consignment"]}
        assert all(state in FLOWS.tracks.find(track).states for track, state in case.tracks.items())
        assert case.test is test


@settings(deadline=None, max_examples=100)
@given(st.lists(st.sampled_from(MESSAGES), max_size=12))
def test_what_is_cleared_stays_cleared(messages):
    """Once customs has let the goods go, no message whatever takes it back."""
    world = World()
    for document, sender in ((outbound(), FACTORY), (notice(NUMBER), PORT_SIDE), (entry(NUMBER), CUSTOMS)):
        world.send(document, sender)
    cleared = world.case.id
    for document, sender in messages:
        world.send(document, sender)
        assert world.ground.cases[cleared].status == "cleared"


@settings(deadline=None, max_examples=100)
@given(st.lists(st.sampled_from(MESSAGES), max_size=12))
def test_a_case_keeps_its_number_for_ever(messages):
    """One number from start to end, and no number in two cases."""
    world = World()
    numbers: dict[str, str] = {}
    for document, sender in messages:
        world.send(document, sender)
        for case in world.ground.cases.values():
            number = case.documents["declaration"].get("number")
            if number:
                assert numbers.setdefault(case.id, number) == number
    assert len(set(numbers.values())) == len(numbers)


BARE = [
    # Everything that a schema lets be absent is absent.
    Declaration.model_validate({"direction": "inbound", "function": "9"}),
    Declaration.model_validate({"direction": "outbound", "function": "1"}),
    Declaration.model_validate({"direction": "outbound", "function": "9", "declaration_organisation": ORIGIN}),
    Declaration.model_validate({"direction": "inbound", "function": "9", "declaration_organisation": "notsix"}),
    *(
        Response.model_validate({"id": "R", "document": document, "outcome": outcome})
        for document in ("declaration", "transfer", "clearance", "manifest", "weather")
        for outcome in ("accepted", "refused")
    ),
    answer("refused", "R-long", text="长" * 4000, reasons=[{"code": "x", "text": "长" * 4000}]),
    transfer(NUMBER, goods=[{}], containers=[{}], exclusions={"other": "长" * 4000}),
    transfer(NUMBER, goods=[], containers=[], transport=None),
    notice(NUMBER, issuing_organisation=None, customs_office=None, goods=[{}], containers=[]),
    entry(NUMBER, containers=[]).model_copy(update={"goods": ()}),
    Manifest.model_validate({"number": "M-0", "function": "9"}),
    Manifest.model_validate({"number": "M-0", "function": "1"}),
    Manifest.model_validate(
        {"number": "M-0", "function": "5", "bills": [{}, {"containers": [{}]}, {"number": "BL-1"}]}
    ),
    ReleaseNotice.model_validate({"number": "O-0"}),
    order(organisation=None),
]


@pytest.mark.parametrize("document", BARE)
@pytest.mark.parametrize("sender", ALL, ids=lambda partner: partner.id)
def test_bare_and_bloated_documents_are_decided(document, sender):
    """Whoever sends it, before and after a consignment is under way: an answer or silence, never a failure."""
    world = World()
    list(rules.check(document, RULES))
    world.send(document, sender)
    for step, by in ((inbound(client_reference="E-2"), FACTORY), (outbound(), FACTORY), (transfer(NUMBER), BUREAU)):
        world.send(step, by)
    world.send(document, sender)
    world.send(notice(NUMBER), PORT_SIDE)
    world.send(document, sender)


def test_every_document_type_has_a_flow():
    """What can be received can be decided."""
    assert {takes.document for flow in FLOWS.all for takes in flow.takes} == set(MODELS.values())


DESK = FLOWS.desk(MessageIn("declaration", outbound(), Actor(FACTORY), "m-1", NOW), Facts(), RULES, NOW)


def informed(desk: Desk, queries: tuple[Query, ...]) -> Desk:
    return replace(desk, facts=desk.facts.plus({query: Answer(World()._answer(query)) for query in queries}))


def test_needs_asks_only_for_what_is_not_known():
    """Asked again with the answers it comes to nothing, and never asks the same twice."""
    desk, asked = DESK, []
    while queries := engine.needs(desk, FLOWS):
        assert not set(queries) & set(asked)
        asked += queries
        desk = informed(desk, queries)
    assert asked
    assert engine.needs(desk, FLOWS) == ()


def test_few_trips_to_the_store():
    """A direct-through declaration takes three: what is known of it, its number, and whether a case has that already."""
    desk, trips = DESK, 0
    while queries := engine.needs(desk, FLOWS):
        trips += 1
        desk = informed(desk, queries)
    assert trips == 3


def test_a_move_from_where_nothing_is_asked_asks_for_no_tasks():
    """Tasks of a case are looked up where one may be open, and not with every step of an export."""
    world = World()
    asked = []
    for document, sender in ((outbound(), FACTORY), (answer("released", "R-2"), BUREAU), (transfer(NUMBER), BUREAU)):
        world.send(document, sender)
        asked += world.asked
    assert not [query for query in asked if isinstance(query, TasksOf)]


def said() -> str:
    """All that is sent, answered and published in one world that gets every message, as text."""
    world = World()
    effects = [effect for document, sender in MESSAGES for effect in world.send(document, sender)]
    return "\n".join(e.document.model_dump_json() for e in effects if isinstance(e, Send | Respond | Publish))


def test_another_process_decides_alike():
    """The order of reasons and containers does not hang on how a process happens to hash."""
    script = "from tests.flows.test_flows import said; print(said())"
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "PYTHONIOENCODING": "utf-8"}
    other = subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=ROOM.parents[1], capture_output=True, check=True
    )
    assert other.stdout.decode().strip() == said()


def test_ids_depend_on_the_message():
    """The same declaration in two messages makes two cases with ids of their own; in one message, one."""
    effects = [World().send(outbound(), FACTORY) for _ in range(2)]
    assert of(effects[0], NewCase) == of(effects[1], NewCase)
    world = World()
    world.send(outbound(client_reference="A"), FACTORY)
    world.send(outbound(client_reference="B"), FACTORY)
    assert len(world.ground.cases) == 2


def test_the_whole_trip_of_an_export():
    """Declared, transferred, notified, cleared: the enterprise reads each step on its feed under one number."""
    world = World()
    steps = [
        (outbound(), FACTORY),
        (answer("received", "R-1", code="1500"), BUREAU),
        (answer("released", "R-2"), BUREAU),
        (transfer(NUMBER), BUREAU),
        (notice(NUMBER), PORT_SIDE),
        (entry(NUMBER), CUSTOMS),
    ]
    lines = [
        (line.keys["status"], line.keys["declaration"])
        for document, sender in steps
        for line in of(world.send(document, sender), Publish)
        if line.feed == "status"
    ]
    assert lines == [
        (status, NUMBER) for status in ("accepted", "inspecting", "released", "transferred", "notified", "cleared")
    ]


def test_a_party_is_named_or_meant_by_role():
    """Nothing is sent to nobody: each recipient has an id, or a role that agreements narrow down."""
    world = World()
    for document, sender in MESSAGES:
        for send in of(world.send(document, sender), Send):
            assert send.to.partner_id or send.document_type in ("manifest", "release", "clearance")


def _codes_in_source() -> set[str]:
    source = "\n".join(path.read_text("utf-8") for room in (ROOM, ENGINE) for path in sorted(room.rglob("*.py")))
    return set(re.findall(r'"(decide\.[a-z_.]+)"', source))


def test_every_reason_is_in_the_catalogue_in_both_languages():
    """Each code that the flows give has words in English and Chinese, and fits a response's code field."""
    known = {code for code in findings.catalogue() if code.startswith("decide.")}
    grounds = {code for code in known if code.startswith("decide.transfer.")}
    assert _codes_in_source() <= known
    assert known - grounds <= _codes_in_source()
    for code in known:
        entry_ = findings.catalogue()[code]
        assert entry_.en
        assert re.search(r"[\u4e00-\u9fff]", entry_.zh)
        assert len(code) <= 35


@pytest.mark.parametrize("ground", sorted(RULES.of(rulebook.TransferRules).excluded))
def test_every_ground_of_exclusion_has_words(ground):
    """A ground that the rule set names can be told."""
    assert f"decide.transfer.{ground}" in findings.catalogue()
