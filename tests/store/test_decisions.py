"""The decisions' port: what decisions come to is the same over memory and over each engine, apart or together."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import pytest

from gateway.decide import engine
from gateway.decide.apply import Applied, Ground, apply
from gateway.decide.desk import Desk, MessageIn
from gateway.decide.effects import AddKeys, Attach, Draw, Effect, Move, NewCase, Wait
from gateway.decide.facts import CaseById, CasesByKeys, Facts, LedgerBalance, NextNumber, Query, Waiting
from gateway.errors import FactsMoved
from gateway.store.contract import CaseChange, Decisions, LedgerMove, Outcome
from gateway.store.contract import Wait as StoredWait
from gateway.store.memory import MemoryDecisions
from gateway.store.sql_store import SqlStore
from tests.flows.test_flows import MESSAGES
from tests.flows.world import ALL, BUREAU, FACTORY, FLOWS, NOW, RULES, World, outbound
from tests.store.conftest import Place
from tests.store.made import claim, message, outcome


@dataclass
class Port:
    """A port with what it takes to commit to it."""

    decisions: Decisions
    store: SqlStore | None = None
    payloads: int = 0

    async def commit(self, facts: Facts, *applied: Applied) -> None:
        """Commit what decisions come to, all in one outcome."""
        self.payloads += 1
        made = parts(applied, f"m-{self.payloads:032x}-1")
        if self.store is None:
            await self.decisions.commit(Outcome("p", 1, 1, finished=True, facts=facts, **made))
            return
        claimed = await claim(self.store, self.payloads)
        test = applied[0].test if applied else False
        await self.store.commit(outcome(claimed, facts=facts, messages=(message(claimed, test=test),), **made))


def parts(applied: Sequence[Applied], message_id: str) -> dict[str, object]:
    return {
        "cases": tuple(
            CaseChange(
                case_id,
                step.after.version - 1,
                step.after.status,
                step.after.partner_id,
                step.after.test,
                step.add_keys,
                step.documents,
                kind=step.after.kind,
                tracks=step.after.tracks,
                left=step.after.left,
            )
            for one in applied
            for case_id, step in one.cases.items()
        ),
        "waits": tuple(
            StoredWait(w.id, w.document_type, w.keys, w.document, w.message_id, w.partner_id, one.test)
            for one in applied
            for w in one.waits
        ),
        "attached": tuple(id_ for one in applied for id_ in one.attached),
        "ledger": tuple(LedgerMove(name, str(amount), message_id) for one in applied for name, amount in one.draws),
    }


@pytest.fixture(params=["dictionaries", "sqlite", "postgresql"])
def where(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database on each engine; empty for dictionaries."""
    if request.param == "dictionaries":
        return ""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture
async def port(where: str, tmp_path: Path) -> AsyncIterator[Port]:
    """Each implementation of the port, empty."""
    if not where:
        yield Port(MemoryDecisions(ALL))
        return
    store = Place(where, tmp_path, secrets.token_bytes(32)).store()
    await store.open()
    await store.import_partners(ALL, [], [])
    yield Port(store, store)
    await store.close()


async def decided(port: Port, occasion: MessageIn, ground: Ground) -> tuple[list[Effect], Desk, Facts]:
    """What a flow comes to over what the port says; the facts as the port gave them."""
    known = Facts()
    while queries := engine.needs(desk := Desk(occasion, ground.over(known), RULES, NOW, tracks=FLOWS.tracks), FLOWS):
        known = await port.decisions.facts(queries, known, occasion.id)
    return engine.effects_of(engine.decide(desk, FLOWS)), desk, known


def occasions() -> list[MessageIn]:
    """A day's messages, under the ids that the small world gives them."""
    return [
        MessageIn(document.document_type, document, sender, f"message-{number}")
        for number, (document, sender) in enumerate(MESSAGES, 1)
    ]


async def test_decisions_are_alike_apart_and_together(port: Port) -> None:
    """Committed one by one, or all laid over one another and committed together, messages come to the same."""
    world = World()
    expected = [world.send(document, sender) for document, sender in MESSAGES]
    apart: list[list[Effect]] = []
    for occasion in occasions():
        effects, desk, known = await decided(port, occasion, Ground())
        await port.commit(known, apply(desk, effects))
        apart.append(effects)
    assert apart == expected
    assert sum(map(len, apart)) > 50


async def test_decisions_laid_over_one_another_are_committed_together(port: Port) -> None:
    """What is laid over facts meanwhile is what the port says once everything is committed in one outcome."""
    ground, collected, asked = Ground(), [], Facts()
    for occasion in occasions():
        effects, desk, known = await decided(port, occasion, ground)
        collected.append(apply(desk, effects))
        ground.take(collected[-1])
        asked = asked.plus(known.answers)
    await port.commit(asked, *collected)
    queries: list[Query] = [query for query in asked.answers if isinstance(query, CasesByKeys | CaseById | Waiting)]
    there = await port.decisions.facts(queries, Facts(), "later")
    for query in queries:
        assert there.answers[query].value == ground.over(asked).answers[query].value, query
    assert any(there.answers[query].value for query in queries)


CASE, KEY = "case 1", ("reference", "E-1")
DOCUMENT = outbound()


def desk(known: Facts, *, test: bool = False) -> Desk:
    return Desk(MessageIn("declaration", DOCUMENT, FACTORY, "m", test), known, RULES, NOW, tracks=FLOWS.tracks)


OPENED = (NewCase(CASE, FACTORY.id, tracks={"declaration": "accepted"}), AddKeys(CASE, frozenset({KEY})))
QUESTIONS: dict[str, tuple[Query, Sequence[Effect]]] = {
    "a key that had no case": (CasesByKeys(frozenset({KEY})), OPENED),
    "a case by its id": (CaseById(CASE), OPENED),
    "a key that nothing waited under": (
        Waiting(frozenset({KEY})),
        [Wait("w", "declaration", DOCUMENT, frozenset({KEY}))],
    ),
    "a ledger": (LedgerBalance("quota"), [Draw("quota", Decimal(-1))]),
}


@pytest.mark.parametrize("kind", QUESTIONS)
async def test_facts_that_moved_stop_a_commit_whole(port: Port, kind: str) -> None:
    """What a decision read as absent, and another one made meanwhile, is found at its commit; nothing of it is written."""
    query, effects = QUESTIONS[kind]
    known = await port.decisions.facts([query], Facts(), "m")
    assert set(known.touches())
    await port.commit(Facts(), apply(desk(known), effects))
    other = [NewCase("case 2", BUREAU.id)]
    with pytest.raises(FactsMoved):
        await port.commit(known, apply(desk(known), other))
    assert (await port.decisions.facts([CaseById("case 2")], Facts(), "m"))[CaseById("case 2")] is None


async def test_a_case_is_changed_step_by_step(port: Port) -> None:
    """Several messages of one outcome change one case; a step that is left out stops the commit."""
    nothing = Facts()
    first = apply(desk(nothing), OPENED)
    ground = Ground()
    ground.take(first)
    by_id = CaseById(CASE)
    known = ground.over(await port.decisions.facts([by_id], Facts(), "m"))
    second = apply(desk(known), [Move(CASE, "declaration", event) for event in ("amend", "cancel")])
    with pytest.raises(FactsMoved):
        await port.commit(nothing, second)
    await port.commit(nothing, first, second)
    case = (await port.decisions.facts([by_id], Facts(), "m"))[by_id]
    assert case is not None
    assert (case.version, case.status, case.keys) == (2, "cancelling", frozenset({KEY}))
    assert (case.tracks, case.left) == ({"declaration": "cancelling"}, {"declaration": "amending"})
    assert case == second.cases[CASE].after


async def test_what_waits_and_is_attached_at_once_waits_no_more(port: Port) -> None:
    """A document that finds its case within the outcome that brought it waits for nothing afterwards."""
    waiting = Waiting(frozenset({KEY}))
    brought = apply(desk(Facts()), [Wait("w", "declaration", DOCUMENT, frozenset({KEY}))])
    found = apply(desk(Facts()), [Attach("w", "")])
    await port.commit(Facts(), brought, found)
    assert (await port.decisions.facts([waiting], Facts(), "m"))[waiting] == ()


async def test_test_traffic_is_laid_over_test_facts_only(port: Port) -> None:
    """Live questions find nothing of what test messages came to, laid over or committed."""
    made = apply(desk(Facts(), test=True), [*OPENED, Wait("w", "declaration", DOCUMENT, frozenset({KEY}))])
    ground = Ground()
    ground.take(made)
    keys = frozenset({KEY})
    live: list[Query] = [CasesByKeys(keys), CaseById(CASE), Waiting(keys)]
    tests = [replace(query, test=True) for query in live]
    empty = await port.decisions.facts([*live, *tests], Facts(), "m")
    over = ground.over(empty)
    await port.commit(Facts(), made)
    after = await port.decisions.facts([*live, *tests], Facts(), "m")
    for facts in (over, after):
        assert not any(facts.answers[query].value for query in live)
        assert all(facts.answers[query].value for query in tests)


async def test_a_number_stays_with_whom_it_was_given_to(port: Port) -> None:
    """Asked again for the same message it is the same; numbers of test traffic are counted apart."""
    live, test = NextNumber("declaration:1"), NextNumber("declaration:1", test=True)
    given = [(await port.decisions.facts([live], Facts(), for_id))[live] for for_id in ("a", "b", "a")]
    assert given == [1, 2, 1]
    assert (await port.decisions.facts([test], Facts(), "c"))[test] == 1


async def test_what_a_message_draws_is_drawn_once(port: Port) -> None:
    """Several draws of one message are one; so are those of several in one outcome, each for itself."""
    ledger = LedgerBalance("quota")
    one = apply(desk(Facts()), [Draw("quota", Decimal(-2)), Draw("quota", Decimal(5))])
    await port.commit(Facts(), one)
    await port.commit(Facts(), one, one)
    assert (await port.decisions.facts([ledger], Facts(), "m"))[ledger] == Decimal(9)
