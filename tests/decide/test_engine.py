"""Flows and reactions (gateway/decide/engine.py, flow.py)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from gateway.decide import engine
from gateway.decide.desk import Actor, Desk, MessageIn
from gateway.decide.effects import Effect, Grant, Keep, Move, NewCase, Note, Use
from gateway.decide.engine import Part
from gateway.decide.facts import Answer, CaseById, Facts, Ledger, LedgerEntry, NextNumber
from gateway.decide.flow import Feed, Flow, Flows, On, Takes
from gateway.decide.kinds import CaseKind
from gateway.decide.tracks import Track, Tracks, make_row, to
from gateway.documents import Declaration, Response
from gateway.errors import DecisionEndless, FlowsInvalid
from gateway.model import Account, Case, Role
from tests.flows.world import FACTORY, NOW, RULES, answer, outbound

CASE, KIND = "case 1", "consignment"
EVENTS = ("accept", "inspect", *(f"event {number}" for number in range(1, engine.ROUNDS + 3)))
DECLARATION = Track(
    "declaration", {event: make_row(to("accepted", "declared", "in_review", "accepted")) for event in EVENTS}
)
DESK = Desk(
    MessageIn("declaration", outbound(), Actor(FACTORY), "m-1", NOW),
    Facts(),
    RULES,
    NOW,
    tracks=Tracks([DECLARATION]),
    kinds={KIND: CaseKind(KIND, frozenset({"reference"}))},
)


def move(event: str) -> Move:
    return Move(CASE, "declaration", event)


def opens(_: Desk) -> list[Effect]:
    return [NewCase(CASE, FACTORY.id, KIND, tracks={"declaration": "declared"}), move("accept")]


def flow(name: str = "first", **fields: object) -> Flow:
    given: dict[str, object] = {"takes": (Takes(Declaration),), "decide": opens}
    if name == "first":
        given["tracks"] = (DECLARATION,)
    return Flow(name, **(given | fields))  # type: ignore[arg-type]


def reacting(name: str, *reactions: On) -> Flow:
    return flow(name, takes=(), reacts=reactions)


def test_the_flow_comes_first_and_what_others_add_after_it() -> None:
    """A reaction sees the case as it is by then; all effects have places of their own."""
    seen: list[Case] = []

    def note(desk: Desk, case: Case) -> list[Effect]:
        seen.append(case)
        return [Note(case.id, desk.derive("note"))]

    parts = engine.decide(DESK, Flows([flow(), reacting("other", On("declaration", "accept", note))]))
    assert [part.origin for part in parts] == [(), ("other", "declaration", "accept", CASE)]
    assert [case.status for case in seen] == ["accepted"]
    places = [place for part in parts for place, _ in part.placed()]
    assert places == ["0", "1", f"other/declaration/accept/{CASE}/0"]


def test_a_new_reaction_shifts_nobodys_ids() -> None:
    """What a flow and its reactions make have the same ids and places whoever else reacts."""

    def note(desk: Desk, case: Case) -> list[Effect]:
        return [Note(case.id, desk.derive("note"))]

    mine = reacting("mine", On("declaration", "accept", note))
    alone = engine.decide(DESK, Flows([flow(), mine]))
    beside = engine.decide(DESK, Flows([flow(), reacting("earlier", On("declaration", "accept", note)), mine]))
    assert [part for part in beside if part.origin[:1] != ("earlier",)] == alone
    notes = {effect.kind for part in beside for effect in part.effects if isinstance(effect, Note)}
    assert len(notes) == 2


def test_reactions_follow_one_another_first_in_first_out() -> None:
    """An event that a reaction brings about is reacted to after all that the flow brought about."""
    order: list[str] = []

    def told(name: str, *then: Effect) -> On:
        def react(_: Desk, __: Case) -> list[Effect]:
            order.append(name)
            return list(then)

        return On("declaration", "inspect" if name == "late" else "accept", react)

    flows = Flows(
        [
            flow(),
            reacting("a", told("one", move("inspect"))),
            reacting("b", told("two")),
            reacting("c", told("late")),
        ]
    )
    parts = engine.decide(DESK, flows)
    assert order == ["one", "two", "late"]
    assert engine.apply_all(DESK, parts).cases[CASE].moves[-1].event == "inspect"


def test_each_reaction_runs_once_an_event_and_case() -> None:
    """Two that bring about each other's event end by themselves."""
    moves = move("accept")
    flows = Flows([flow(), reacting("a", On("declaration", "accept", lambda _, __: [moves]))])
    assert len(engine.decide(DESK, flows)) == 2


@pytest.mark.parametrize("kind", ["rounds", "effects"])
def test_reactions_without_end_are_a_fault(kind: str) -> None:
    """A chain that is too long, or too many effects, stops the decision under a name of its own."""

    def react(number: int) -> On:
        then: Sequence[Effect] = [move(f"event {number + 1}")]
        if kind == "effects":
            then = [Note(CASE, "again")] * (engine.MOST_EFFECTS + 1)
        return On("declaration", "accept" if number == 0 else f"event {number}", lambda _, __: list(then))

    flows = Flows([flow(), reacting("chain", *(react(n) for n in range(engine.ROUNDS + 2)))])
    with pytest.raises(DecisionEndless):
        engine.decide(DESK, flows)


def test_what_the_reactions_of_one_round_miss_is_asked_together() -> None:
    """Two reactions that each need a fact cost one trip to the store; a number is asked for by whoever gives it out."""
    ledger, entry, number = Ledger("quota"), LedgerEntry("quota", "E-1"), NextNumber("declaration:1")
    account = Account("quota", 3, "", "", granted=Decimal(5))

    def draws(desk: Desk, case: Case) -> list[Effect]:
        use = Use("quota", "E-1", Decimal(5), case=case.id)
        assert desk.open_books().post(use) == ()
        return [use]

    def counts(desk: Desk, case: Case) -> list[Effect]:
        return [Note(case.id, str(desk.facts[number]))]

    flows = Flows(
        [flow(), reacting("a", On("declaration", "accept", draws)), reacting("b", On("declaration", "accept", counts))]
    )
    assert engine.needs(DESK, flows) == (ledger, entry, number)
    known = Facts({ledger: Answer(account, "v"), entry: Answer(None, "v"), number: Answer(7)})
    parts = engine.decide(replace(DESK, facts=known), flows)
    drawn = engine.apply_all(replace(DESK, facts=known), parts).accounts["quota"]
    assert (drawn.version, drawn.used, drawn.available) == (4, Decimal(5), Decimal(0))
    assert [effect.kind for effect in engine.effects_of(parts) if isinstance(effect, Note)] == ["7"]


def test_a_reaction_finds_in_an_account_what_the_flow_left_in_it() -> None:
    """Two that draw on one account in one decision never draw more than there is: the second one looks, and sees the first."""
    refused: list[str] = []

    def draw(desk: Desk, entry: str) -> list[Effect]:
        use = Use("quota", entry, Decimal(3))
        faults = desk.open_books().post(use)
        refused.extend(fault.code for fault in faults)
        return [] if faults else [use]

    def decide(desk: Desk) -> list[Effect]:
        return [
            Grant("quota", "G", Decimal(5)),
            NewCase(CASE, FACTORY.id, KIND, tracks={"declaration": "declared"}),
            move("accept"),
        ]

    flows = Flows(
        [
            flow(decide=decide),
            reacting("a", On("declaration", "accept", lambda desk, _: draw(desk, "E-1"))),
            reacting("b", On("declaration", "accept", lambda desk, _: draw(desk, "E-2"))),
        ]
    )
    known = Facts({})
    while queries := engine.needs(desk := replace(DESK, facts=known), flows):
        known = known.plus({query: Answer(None, "none") for query in queries})
        refused.clear()
    refused.clear()
    applied = engine.apply_all(desk, engine.decide(desk, flows))
    assert (refused, applied.accounts["quota"].used, applied.accounts["quota"].version) == (
        ["ledger.short"],
        Decimal(3),
        1,
    )


def test_a_reaction_reads_facts_with_the_decision_laid_over() -> None:
    """What the store says of a case that the flow changes is not what a reaction is told."""
    by_id, before = CaseById(CASE), Case(CASE, 4, "in_review", FACTORY.id, tracks={"declaration": "in_review"})
    moves = flow(decide=lambda desk: [move("accept")] if desk.facts[by_id] else [])

    def keep(desk: Desk, case: Case) -> list[Effect]:
        found = desk.facts[by_id]
        assert found == case
        assert case.status == "accepted"
        return [Keep(case.id, "copy", desk.document)]

    desk = replace(DESK, facts=Facts({by_id: Answer(before, "case 4")}))
    parts = engine.decide(desk, Flows([moves, reacting("a", On("declaration", "accept", keep))]))
    step = engine.apply_all(desk, parts).cases[CASE]
    assert (step.before, step.after.version, step.after.status) == (before, 5, "accepted")
    assert step.documents.keys() == {"copy"}


def test_what_moved_nothing_is_not_reacted_to() -> None:
    """An event that came too late, or may not happen there, is told and changes nothing; nobody does anything about it."""
    table = Track(
        "declaration", {"accept": make_row(to("accepted", "declared"), late=("accepted",)), "close": make_row({})}
    )
    desk = replace(DESK, tracks=Tracks([table]))
    moves = [NewCase(CASE, FACTORY.id, KIND, tracks={"declaration": "accepted"}), move("accept"), move("close")]
    nothing = reacting("a", *(On("declaration", event, lambda _, __: [Note(CASE, "done")]) for event in table.rows))
    flows = Flows([flow("mine", decide=lambda _: moves, tracks=(table,)), nothing])
    parts = engine.decide(desk, flows)
    assert len(parts) == 1
    step = engine.apply_all(desk, parts).cases[CASE]
    assert [(moved.event, moved.took_place, moved.step is None) for moved in step.moves] == [
        ("accept", False, False),
        ("close", False, True),
    ]
    assert step.after.tracks == {"declaration": "accepted"}


CLASHES: dict[str, list[Flow]] = {
    "one name": [flow(), flow(takes=())],
    "one document": [flow(), flow("second")],
    "values in common": [
        flow(takes=(Takes(Declaration, {"direction": ("inbound",)}),)),
        flow("second", takes=(Takes(Declaration, {"direction": ("inbound", "outbound")}),)),
    ],
    "other fields": [
        flow(takes=(Takes(Declaration, {"direction": ("inbound",)}),)),
        flow("second", takes=(Takes(Declaration, {"kind": ("21",)}),)),
    ],
    "one feed for different readers": [
        flow(feeds=(Feed("a", frozenset({Role.PORT})),)),
        flow("second", takes=(), feeds=(Feed("a", frozenset({Role.CUSTOMS})),)),
    ],
}


@pytest.mark.parametrize("kind", CLASHES)
def test_flows_that_do_not_go_together_are_found_at_load(kind: str) -> None:
    """A message that two flows would take is no matter of chance at run time."""
    with pytest.raises(FlowsInvalid):
        Flows(CLASHES[kind])


def test_flows_share_a_document_by_its_values() -> None:
    """Two flows take one type where a field tells whose it is; a document with neither value is nobody's."""
    inbound = flow("in", takes=(Takes(Declaration, {"direction": ("inbound",)}),))
    outward = flow("out", takes=(Takes(Declaration, {"direction": ("outbound",), "kind": ("24", "21")}),))
    flows = Flows([inbound, outward])
    assert flows.find(outbound()) is outward
    assert flows.find(outbound(kind="99")) is None
    assert flows.find(answer("accepted")) is None
    with pytest.raises(LookupError):
        engine.decide(
            replace(DESK, occasion=MessageIn("response", answer("accepted"), Actor(FACTORY), "m", NOW)), flows
        )
    assert Response.document_type == "response"


def test_parts_are_values() -> None:
    """Deciding twice comes to equal parts."""
    flows = Flows([flow()])
    assert engine.decide(DESK, flows) == engine.decide(DESK, flows) == [Part((), opens(DESK))]
