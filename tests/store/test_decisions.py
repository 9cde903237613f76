"""The decisions' port: what decisions come to is the same over memory and over each engine, apart or together."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from gateway.decide import engine
from gateway.decide.apply import Applied, apply
from gateway.decide.desk import Actor, Desk, MessageIn
from gateway.decide.effects import (
    AddKeys,
    Ask,
    Attach,
    Claim,
    Close,
    Count,
    Effect,
    Free,
    Grant,
    KeepReport,
    Link,
    Move,
    NewCase,
    Note,
    Register,
    Reserve,
    Reverse,
    Settle,
    Subscribe,
    Tell,
    Use,
    Wait,
)
from gateway.decide.facts import (
    MOST_OWN,
    ActsOn,
    Answer,
    CaseById,
    CasesByKeys,
    DrawOf,
    ExhibitById,
    Facts,
    LastReport,
    Ledger,
    LedgerEntry,
    LinkedCases,
    NextNumber,
    OwnCases,
    PersonById,
    Query,
    Subject,
    SubscriptionsOf,
    TallyOf,
    TaskById,
    TasksOf,
    Told,
    Waiting,
)
from gateway.decide.ground import Ground
from gateway.decide.tasks import TaskKind
from gateway.errors import FactsMoved
from gateway.findings import make_finding
from gateway.model import ActDone, Draw, Exhibit, MadeReport, Person, Registered, Stage, Subscription, TaskState, Terms
from gateway.store.contract import SUBSCRIPTIONS, AccountChange, CaseChange, CaseLink, Outcome, Work, WorkKind
from gateway.store.contract import Wait as StoredWait
from gateway.store.memory import MemoryDecisions
from gateway.store.ports import Decisions
from gateway.store.sql_store import SqlStore
from tests.flows.test_flows import MESSAGES
from tests.flows.world import ALL, BUREAU, FACTORY, FLOWS, NOW, RULES, World, outbound
from tests.store.conftest import Place
from tests.store.made import claim, message, outcome, receipt, sha256

PHOTO = Exhibit("photo", BUREAU.id, sha256(b"photo"), 5, "image/jpeg", NOW, body=b"photo")
WANG = Person("wang", BUREAU.id, "Wang Fang")


@dataclass
class Port:
    """A port with what it takes to commit to it."""

    decisions: Decisions
    store: SqlStore | None = None
    payloads: int = 0

    async def commit(self, facts: Facts, *applied: Applied) -> None:
        """Commit what decisions come to, all in one outcome."""
        self.payloads += 1
        made = parts(applied)
        if self.store is None:
            await self.decisions.commit(Outcome(Work(WorkKind.PAYLOAD, "p", 1), 1, finished=True, facts=facts, **made))
            return
        claimed = await claim(self.store, self.payloads)
        test = applied[0].test if applied else False
        await self.store.commit(outcome(claimed, facts=facts, messages=(message(claimed, test=test),), **made))


def parts(applied: Sequence[Applied]) -> dict[str, object]:
    return {
        "cases": tuple(
            CaseChange(
                case_id,
                step.before.version if step.before else 0,
                step.after.status,
                step.after.partner_id,
                step.after.test,
                step.add_keys,
                step.documents,
                kind=step.after.kind,
                tracks=step.after.tracks,
                left=step.after.left,
                noted=step.before is not None and step.before.version == step.after.version,
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
        "accounts": tuple(
            AccountChange(account, tuple(e for (of, _), e in one.entries.items() if of == name))
            for one in applied
            for name, account in one.accounts.items()
        ),
        "links": tuple(CaseLink(*link) for one in applied for link in one.links),
        "deadlines": {id_: deadline for one in applied for id_, deadline in one.deadlines.items()},
        "tasks": tuple(task for one in applied for task in one.tasks.values()),
        "subscriptions": tuple(wanted for one in applied for wanted in one.subscriptions.values()),
        "figures": tuple(figure for one in applied for figure in one.figures),
        "reports": tuple(report for one in applied for report in one.reports),
        "tallies": tuple(tally for one in applied for tally in one.tallies.values()),
        "draws": tuple(draw for one in applied for draw in one.draws),
        "subjects": tuple(version for one in applied for version in one.subjects),
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
        yield Port(MemoryDecisions(ALL, [WANG], [PHOTO]))
        return
    store = Place(where, tmp_path, secrets.token_bytes(32)).store()
    await store.open()
    await store.import_partners(ALL, [], [])
    await store.import_persons([WANG])
    await store.keep_exhibit(PHOTO, receipt(PHOTO.id, Stage.RECEIVED))
    yield Port(store, store)
    await store.close()


async def decided(port: Port, occasion: MessageIn, ground: Ground) -> tuple[list[Effect], Desk, Facts]:
    """What a flow comes to over what the port says; the facts as the port gave them."""
    known = Facts()
    while queries := engine.needs(desk := FLOWS.desk(occasion, ground.over(known), RULES, NOW), FLOWS):
        known = await port.decisions.facts(queries, known, occasion.id)
    return engine.effects_of(engine.decide(desk, FLOWS)), desk, known


def occasions() -> list[MessageIn]:
    """A day's messages, under the ids that the small world gives them."""
    return [
        MessageIn(document.document_type, document, Actor(sender), f"message-{number}", NOW)
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


KIND = "consignment"
CASE, KEY = "case 1", ("reference", "E-1")
DOCUMENT = outbound()
TASKS = {"review": TaskKind("review", "declaration", "review", {"let": "accept", "stop": "refuse"})}
ASK = Ask("t", "review", CASE, office="370100", reasons=(make_finding("decide.repeat"),), evidence=("e-1",))
GRANT = Grant("quota", "G", Decimal(10), "TNE", FACTORY.id, Terms(draws_max=2))
DRAW = Draw("spot", "370100", "2026-11-13/30", "N-1", 1, "00", chosen=True, reason="chance", chosen_before=0)
REPORT = MadeReport("trial", date(2026, 11, 1), date(2026, 11, 30), date(2026, 11, 1), 7, NOW, {"total": "0"})
FIRM = Subject("uscc", "9137", date(2026, 11, 30))
UNASKED = Facts(
    {
        TaskById("t"): Answer(None),
        Ledger("quota"): Answer(None),
        LedgerEntry("quota", "G"): Answer(None),
        Told("E-1"): Answer(()),
        TallyOf("spot", "370100", "2026-11-13/30"): Answer(None),
        DrawOf("spot", "N-1"): Answer(None),
        FIRM: Answer(Registered()),
    }
)


def desk(known: Facts, *, test: bool = False, person: str = "") -> Desk:
    occasion = MessageIn("declaration", DOCUMENT, Actor(FACTORY, person), "m", NOW, test)
    return replace(FLOWS.desk(occasion, known, RULES, NOW), tasks=TASKS)


WANTED = Subscription(FACTORY.id, "S-1", 1, "status", {"notice": frozenset({"1", "2"})}, push=True, since=NOW)
OPENED = (NewCase(CASE, FACTORY.id, KIND, tracks={"declaration": "accepted"}), AddKeys(CASE, frozenset({KEY})))
QUESTIONS: dict[str, tuple[Query, Sequence[Effect]]] = {
    "a key that had no case": (CasesByKeys(frozenset({KEY})), OPENED),
    "a case by its id": (CaseById(CASE), OPENED),
    "a key that nothing waited under": (
        Waiting(frozenset({KEY})),
        [Wait("w", "declaration", DOCUMENT, frozenset({KEY}))],
    ),
    "an account that was not open": (Ledger("quota"), [GRANT]),
    "an entry that was not made": (LedgerEntry("quota", "G"), [GRANT]),
    "a task that nobody had asked": (TaskById("t"), [*OPENED, ASK]),
    "a case that had no open task": (TasksOf(CASE), [*OPENED, ASK]),
    "a partner that had no subscription": (SubscriptionsOf(FACTORY.id), [Subscribe(WANTED)]),
    "a subject of which nothing was told": (Told("E-1"), [Tell("accepted", "E-1", {"direction": "outbound"})]),
    "a stratum in which nothing was drawn": (TallyOf("spot", "370100", "2026-11-13/30"), [Count(DRAW)]),
    "an item that was not drawn": (DrawOf("spot", "N-1"), [Count(DRAW)]),
    "a report that was not made": (LastReport("trial"), [KeepReport(REPORT)]),
    "a subject of which nothing was registered": (
        Subject("uscc", "9137", date(2026, 12, 1)),
        [Register("uscc", "9137", date(2026, 11, 30), "registered")],
    ),
    "a case that had no links": (
        LinkedCases(CASE, "call"),
        [*OPENED, NewCase("call", BUREAU.id, KIND), Link(CASE, "call", "call")],
    ),
}


@pytest.mark.parametrize("kind", QUESTIONS)
async def test_facts_that_moved_stop_a_commit_whole(port: Port, kind: str) -> None:
    """What a decision read as absent, and another one made meanwhile, is found at its commit; nothing of it is written."""
    query, effects = QUESTIONS[kind]
    known = await port.decisions.facts([query], Facts(), "m")
    assert set(known.touches())
    await port.commit(Facts(), apply(desk(known.plus(UNASKED.answers)), effects))
    other = [NewCase("case 2", BUREAU.id, KIND)]
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


async def test_slots_and_attempts_have_numbers_of_their_own(port: Port) -> None:
    """What an occasion needs several numbers for gets as many; a number found taken is asked for with the next attempt."""
    asked = [NextNumber("n", slot, attempt) for slot in ("case 1", "case 2") for attempt in (1, 2)]
    for _ in range(2):
        known = await port.decisions.facts(asked, Facts(), "a")
        assert [known[one] for one in asked] == [1, 2, 3, 4]


async def test_an_account_is_what_was_posted_to_it(port: Port) -> None:
    """Granted, reserved, used, freed and reversed, in several messages of one outcome and after it: sums, entries, version."""
    ids = ("G", "E-1", "E-2", "E-3")
    questions: list[Query] = [Ledger("quota"), *(LedgerEntry("quota", id_) for id_ in ids)]
    empty = await port.decisions.facts(questions, Facts(), "m")
    ground = Ground()
    made = []
    for postings in (
        [GRANT, Reserve("quota", "E-1", Decimal(4000), "KGM"), Reserve("quota", "E-2", Decimal(2), "TNE")],
        [Use("quota", "E-1", Decimal("3.5"), "TNE"), Free("quota", "E-2")],
    ):
        made.append(apply(desk(ground.over(empty)), postings))
        ground.take(made[-1])
    await port.commit(empty, *made)
    known = await port.decisions.facts(questions, Facts(), "m")
    for query in questions:
        assert known.answers[query].value == ground.over(empty).answers[query].value, query
    account = known[Ledger("quota")]
    assert account is not None
    assert (account.version, account.granted, account.reserved, account.used) == (2, 10, 0, Decimal("3.5"))
    assert (account.draws, account.holder, account.terms.draws_max) == (1, FACTORY.id, 2)
    await port.commit(known, apply(desk(known), [Reverse("quota", "E-1"), Use("quota", "E-3", Decimal(10), "TNE")]))
    with pytest.raises(FactsMoved):
        await port.commit(known, apply(desk(known), [Use("quota", "E-3", Decimal(1), "TNE")]))
    after = await port.decisions.facts(questions, Facts(), "m")
    account = after[Ledger("quota")]
    assert account is not None
    assert (account.version, account.available, account.draws) == (3, 0, 1)
    states = [entry and entry.state.value for entry in (after[LedgerEntry("quota", id_)] for id_ in ids)]
    assert states == ["granted", "reversed", "freed", "used"]
    assert (await port.decisions.facts([Ledger("quota", test=True)], Facts(), "m"))[Ledger("quota", test=True)] is None


async def test_a_repeat_posts_nothing_twice(port: Port) -> None:
    """The same grant and the same draw again, decided on what stands by then, leave the account as it is."""
    questions: list[Query] = [Ledger("quota"), LedgerEntry("quota", "G"), LedgerEntry("quota", "E-1")]
    postings = [GRANT, Use("quota", "E-1", Decimal(4), "TNE")]
    for _ in range(3):
        known = await port.decisions.facts(questions, Facts(), "m")
        await port.commit(known, apply(desk(known), postings))
    account = (await port.decisions.facts(questions, Facts(), "m"))[Ledger("quota")]
    assert account is not None
    assert (account.version, account.granted, account.used) == (1, 10, 4)


async def test_a_note_on_a_case_moves_nobody(port: Port) -> None:
    """Who decides upon a case is not held up by lines on its timeline, nor are lines by who has changed it meanwhile."""
    await port.commit(Facts(), apply(desk(Facts()), OPENED))
    by_id = CaseById(CASE)
    known = await port.decisions.facts([by_id], Facts(), "m")
    noted = apply(
        desk(known), [Note(CASE, "repeat", (make_finding("decide.repeat"),)), AddKeys(CASE, frozenset({KEY}))]
    )
    await port.commit(known, noted)
    await port.commit(known, apply(desk(known), [Move(CASE, "declaration", "amend")]))
    await port.commit(Facts(), noted)
    case = (await port.decisions.facts([by_id], Facts(), "m"))[by_id]
    assert case is not None
    assert (case.version, case.tracks) == (2, {"declaration": "amending"})


async def test_a_task_is_asked_decided_and_found_no_more(port: Port) -> None:
    """An open task is among its case's; decided, it fired its option's event, says so by itself, and waits for nobody."""
    opened = apply(desk(UNASKED), [NewCase(CASE, FACTORY.id, KIND, tracks={"declaration": "in_review"}), ASK])
    await port.commit(Facts(), opened)
    questions: list[Query] = [TaskById("t"), TasksOf(CASE), CaseById(CASE)]
    known = await port.decisions.facts(questions, Facts(), "m")
    (task,) = known[TasksOf(CASE)]
    assert (task, known[TaskById("t")]) == (opened.tasks["t"], opened.tasks["t"])
    assert (task.version, task.state, task.office, task.reasons) == (1, TaskState.OPEN, "370100", ASK.reasons)
    decided = apply(desk(known), [Settle("t", "let")])
    await port.commit(known, decided)
    with pytest.raises(FactsMoved):
        await port.commit(Facts(), decided)
    after = await port.decisions.facts(questions, Facts(), "m")
    assert after[TasksOf(CASE)] == ()
    task = after[TaskById("t")]
    case = after[CaseById(CASE)]
    assert task is not None
    assert case is not None
    assert (task.version, task.state, task.option, task.decided_by) == (2, TaskState.DECIDED, "let", "m")
    assert case.tracks == {"declaration": "accepted"}
    assert (await port.decisions.facts([TaskById("t", test=True)], Facts(), "m"))[TaskById("t", test=True)] is None


async def test_what_was_done_on_a_case_is_found_by_who_did_it(port: Port) -> None:
    """Claimed, a task still waits; decided, it is an act of a person in an office, which rests on the case's tasks."""
    questions: list[Query] = [TaskById("t"), TasksOf(CASE), ActsOn(CASE), CaseById(CASE), PersonById("wang")]
    empty = await port.decisions.facts(questions, Facts(), "m")
    assert (empty[ActsOn(CASE)], empty[PersonById("wang")]) == ((), WANG)
    await port.commit(Facts(), apply(desk(UNASKED), [*OPENED, ASK]))
    with pytest.raises(FactsMoved):
        await port.commit(Facts({TasksOf(CASE): empty.answers[TasksOf(CASE)]}))
    known = await port.decisions.facts(questions, Facts(), "m")
    claimed = apply(desk(known, person="wang"), [Claim("t", NOW + timedelta(minutes=20))])
    await port.commit(known, claimed)
    known = await port.decisions.facts(questions, Facts(), "m")
    (task,) = known[TasksOf(CASE)]
    assert (task.state, task.person_id, task.claimed_until) == (TaskState.CLAIMED, "wang", NOW + timedelta(minutes=20))
    decided = apply(desk(known, person="wang"), [Close("t", "let")])
    ground = Ground()
    ground.take(decided)
    await port.commit(known, decided)
    after = await port.decisions.facts(questions, Facts(), "m")
    assert after[ActsOn(CASE)] == (ActDone("review", "wang", "370100", "t", NOW),) == ground.over(known)[ActsOn(CASE)]
    with pytest.raises(FactsMoved):
        await port.commit(Facts({ActsOn(CASE): known.answers[ActsOn(CASE)]}))
    test = ActsOn(CASE, test=True)
    assert (await port.decisions.facts([test], Facts(), "m"))[test] == ()


async def test_tasks_and_links_laid_over_facts_are_what_the_port_says_then(port: Port) -> None:
    """Asked, withdrawn, linked: laid over one another before the commit, they come to what is found after it."""
    questions: list[Query] = [TaskById("t"), TasksOf(CASE), LinkedCases(CASE, "call"), LinkedCases("call", "call")]
    empty = await port.decisions.facts(questions, Facts(), "m")
    ground = Ground()
    made = apply(desk(UNASKED), [*OPENED, NewCase("call", BUREAU.id, KIND), Link(CASE, "call", "call"), ASK])
    ground.take(made)
    over = ground.over(empty)
    closed = apply(desk(over), [Close("t")])
    assert [len(over.answers[query].value) for query in questions[1:]] == [1, 1, 1]  # type: ignore[arg-type]
    ground.take(closed)
    await port.commit(empty, made, closed)
    after = await port.decisions.facts(questions, Facts(), "m")
    for query in questions:
        assert after.answers[query].value == ground.over(empty).answers[query].value, query
    assert after[TasksOf(CASE)] == ()


async def test_subscriptions_are_what_their_partner_said_last(port: Port) -> None:
    """Made, changed and ended in one outcome or several; one that is not the next version stops the commit."""
    mine, tests = SubscriptionsOf(FACTORY.id), SubscriptionsOf(FACTORY.id, test=True)
    empty = await port.decisions.facts([mine, tests], Facts(), "m")
    assert (empty[mine], empty[tests]) == ((), ())
    changed = replace(WANTED, version=2, keys={}, push=False, since=None)
    other = replace(WANTED, name="S-0", feed="release")
    made = [apply(desk(empty), [Subscribe(WANTED)]), apply(desk(empty), [Subscribe(changed), Subscribe(other)])]
    ground = Ground()
    for one in made:
        ground.take(one)
    await port.commit(empty, *made)
    known = await port.decisions.facts([mine, tests], Facts(), "m")
    assert known[mine] == ground.over(empty)[mine] == (other, changed)
    assert known[tests] == ()
    with pytest.raises(FactsMoved):
        await port.commit(Facts(), made[1])
    ended = replace(changed, version=3, ended=True)
    await port.commit(known, apply(desk(known), [Subscribe(ended)]))
    with pytest.raises(FactsMoved):
        await port.commit(known, apply(desk(known), [Subscribe(replace(other, version=2))]))
    assert (await port.decisions.facts([mine], Facts(), "m"))[mine] == (other, ended)
    if port.store is not None:
        assert await port.store.subscriptions_to("release") == [other]
        assert await port.store.subscriptions_to("status") == []
        assert await port.store.subscriptions_to("release", test=True) == []
        assert await port.store.subscriptions_of(FACTORY.id) == [other, ended]


async def test_every_node_learns_that_subscriptions_have_changed(port: Port) -> None:
    """A change of them is one of the registry, so that whoever remembers them reads them anew."""
    if port.store is None:
        pytest.skip("the dictionaries have no registry")
    before = await port.store.registry_version()
    await port.commit(Facts(), apply(desk(Facts()), [Subscribe(WANTED)]))
    changes = await port.store.registry_changes(before)
    assert SUBSCRIPTIONS in changes.partners
    assert await port.store.registry_version() == before + 1


async def test_a_subject_has_versions_step_by_step(port: Port) -> None:
    """Several registrations of one outcome are versions in order; one that another has overtaken stops the commit."""
    before, later, test = (
        replace(FIRM, day=date(2026, 11, 29)),
        replace(FIRM, day=date(2026, 12, 5)),
        replace(FIRM, test=True),
    )
    questions: list[Query] = [FIRM, before, later, test]
    empty = await port.decisions.facts(questions, Facts(), "m")
    ground = Ground()
    made = []
    for day, state in ((date(2026, 11, 30), "registered"), (date(2026, 12, 4), "suspended")):
        on_that_day = replace(FIRM, day=day)
        asked = await port.decisions.facts([on_that_day], empty, "m")
        effect = Register("uscc", "9137", day, state, "齐鲁食品", {"credit_grade": "A"})
        made.append(apply(desk(ground.over(asked)), [effect]))
        ground.take(made[-1])
    await port.commit(empty, *made)
    known = await port.decisions.facts(questions, Facts(), "m")
    for query in questions:
        found, expected = known.answers[query].value, ground.over(empty).answers[query].value
        assert found == expected, query
    assert [known[one].version is not None for one in (before, FIRM, later, test)] == [False, True, True, False]
    held = known[later].version
    assert held is not None
    assert (held.version, held.state, held.name, held.attributes) == (2, "suspended", "齐鲁食品", {"credit_grade": "A"})
    assert (known[FIRM].newest, known[test].newest) == (2, 0)
    overtaken = apply(desk(empty), [Register("uscc", "9137", FIRM.day, "closed")])
    with pytest.raises(FactsMoved):
        await port.commit(Facts(), overtaken)


async def test_own_cases_are_those_one_takes_part_in(port: Port) -> None:
    """By any number or the id, whoever opened a case finds it; to others, and in other traffic, there is none."""
    await port.commit(Facts(), apply(desk(Facts()), OPENED))
    for key, partner, test, found in (
        ("E-1", FACTORY.id, False, [CASE]),
        (CASE, FACTORY.id, False, [CASE]),
        ("E-2", FACTORY.id, False, []),
        ("E-1", BUREAU.id, False, []),
        (CASE, BUREAU.id, False, []),
        ("E-1", FACTORY.id, True, []),
        (CASE, FACTORY.id, True, []),
    ):
        query = OwnCases(partner, key, test)
        known = await port.decisions.facts([query], Facts(), "m")
        assert [case.id for case in known[query]] == found, query
        assert not known.answers[query].version  # it is told, and nothing is decided upon it


async def test_own_cases_are_the_newest_of_many(port: Port) -> None:
    """A number of very many consignments finds so many of them at most, the newest, in their order."""
    opened: list[Effect] = []
    for number in range(MOST_OWN + 3):
        case = f"case {number:02}"
        opened += [NewCase(case, FACTORY.id, KIND), AddKeys(case, frozenset({("bill", "B-1")}))]
    made = apply(desk(Facts()), opened)
    ground = Ground()
    ground.take(made)
    query = OwnCases(FACTORY.id, "B-1")
    pending = ground.over(Facts({query: Answer(())}))
    await port.commit(Facts(), made)
    known = await port.decisions.facts([query], Facts(), "m")
    assert [case.id for case in known[query]] == [f"case {number:02}" for number in range(3, MOST_OWN + 3)]
    assert known[query] == pending[query]


async def test_evidence_is_found_by_its_id_in_its_traffic(port: Port) -> None:
    """Without its bytes; what has not come, and what is of test traffic, is not there for live traffic."""
    wanted, other, test = ExhibitById("photo"), ExhibitById("scan"), ExhibitById("photo", test=True)
    known = await port.decisions.facts([wanted, other, test], Facts(), "m")
    found = known[wanted]
    assert found is not None
    assert (found.partner_id, found.media_type, found.size) == (BUREAU.id, "image/jpeg", 5)
    assert (known[other], known[test]) == (None, None)
