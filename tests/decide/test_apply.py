"""What effects mean (gateway/decide/apply.py): for one decision by a table, for many by a store of dictionaries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.decide.apply import Applied, CaseStep, Moved, apply, changed
from gateway.decide.deadlines import find_case, name_deadline, set_deadline, undo_deadline
from gateway.decide.desk import Actor, Alarm, Desk, MessageIn
from gateway.decide.effects import (
    AddKeys,
    Ask,
    Attach,
    Close,
    Due,
    Effect,
    Keep,
    Link,
    Move,
    NewCase,
    Note,
    Refuse,
    Settle,
    Wait,
)
from gateway.decide.facts import (
    Answer,
    CaseById,
    CasesByKeys,
    Facts,
    Key,
    Ledger,
    LinkedCases,
    PartnerById,
    Query,
    TaskById,
    TasksOf,
    Unknown,
    Waiting,
    WaitingDocument,
)
from gateway.decide.ground import Ground
from gateway.decide.kinds import CaseKind
from gateway.decide.tasks import TaskKind
from gateway.decide.tracks import NONE, Track, Tracks, make_row, to
from gateway.model import Account, Case, Deadline, Task, TaskState
from tests.flows.world import FACTORY, NOW, RULES, manifest, outbound

CASE, KIND = "case-1", "consignment"
DECLARATION = Track(
    "declaration",
    {
        "accept": make_row(to("accepted", "declared", "in_review"), late=("accepted",)),
        "amend": make_row(to("amending", "declared", "accepted")),
        "decline": make_row(to("accepted", "amending"), returns={"amending": ("declared", "accepted")}),
    },
)
INSPECTION = Track("inspection", {"pass": make_row(to("passed", NONE))})
REVIEW = TaskKind("review", "declaration", "accept", {"let": "accept", "amend": "amend"})
STANDING = Case(CASE, 7, "declared", FACTORY.id, keys=frozenset({("bill", "B-1")}), tracks={"declaration": "declared"})


def desk(*known: tuple[Query, object], test: bool = False) -> Desk:
    """A desk with these facts, on which an accepted message lies."""
    return Desk(
        MessageIn("declaration", outbound(), Actor(FACTORY), "m-1", NOW, test),
        Facts({query: Answer(value, "1") for query, value in known}),
        RULES,
        NOW + timedelta(seconds=5),
        tracks=Tracks([DECLARATION, INSPECTION]),
        tasks={REVIEW.name: REVIEW},
        kinds={KIND: CaseKind(KIND, frozenset({"bill", "container"}))},
    )


KNOWN = (CaseById(CASE), STANDING)
ASK = Ask("task-1", "review", CASE, "370100", NOW + timedelta(days=1), evidence=("photo",))
TASK = Task("task-1", 3, "review", CASE, "declaration", "370100", "accept", REVIEW.options, NOW)


def test_a_case_is_opened_as_its_first_version() -> None:
    """With its tracks, in the traffic of its message; what the same decision adds to it makes no further version."""
    opened = NewCase(CASE, FACTORY.id, KIND, tracks={"declaration": "declared"})
    keys = frozenset({("bill", "B-2")})
    for test in (False, True):
        applied = apply(desk(test=test), [opened, AddKeys(CASE, keys), Keep(CASE, "declaration", outbound())])
        step = applied.cases[CASE]
        assert applied.test is test
        assert (step.before, step.add_keys) == (None, keys)
        assert (step.after.version, step.after.test, step.after.partner_id) == (1, test, FACTORY.id)
        assert (step.after.kind, step.after.tracks, step.after.keys) == (KIND, {"declaration": "declared"}, keys)
        assert step.after.documents == step.documents == {"declaration": outbound().to_kept()}
    with pytest.raises(LookupError):
        apply(desk(), [replace(opened, kind="call")])


CHANGES: list[tuple[list[Effect], Case]] = [
    # What is only told makes no version.
    ([Note(CASE, "late")], STANDING),
    ([Refuse((), CASE)], STANDING),
    # Keys that it has already are no change; with one that it has not they are.
    ([AddKeys(CASE, frozenset({("bill", "B-1")}))], STANDING),
    (
        [AddKeys(CASE, frozenset({("bill", "B-1"), ("container", "C-1")}))],
        replace(STANDING, version=8, keys=frozenset({("bill", "B-1"), ("container", "C-1")})),
    ),
    # However much one decision changes, it is one version.
    (
        [Move(CASE, "declaration", "accept"), Move(CASE, "inspection", "pass")],
        replace(STANDING, version=8, status="released", tracks={"declaration": "accepted", "inspection": "passed"}),
    ),
    # An event that may not happen, or too late, moves nothing.
    ([Move(CASE, "declaration", "decline")], STANDING),
    # What is left for a state that returns to it is remembered, and forgotten on return; other tracks' is let be.
    (
        [Move(CASE, "declaration", "amend")],
        replace(STANDING, version=8, status="amending", tracks={"declaration": "amending"}, left={"declaration": "declared"}),
    ),
    (
        [Move(CASE, "declaration", "amend"), Move(CASE, "inspection", "pass"), Move(CASE, "declaration", "decline")],
        replace(STANDING, version=8, status="released", tracks={"declaration": "declared", "inspection": "passed"}),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("effects", "after"), CHANGES)
def test_what_effects_make_of_a_case(effects: list[Effect], after: Case) -> None:
    """A version more where anything changes that a decision may rest on; a flow that goes on sees the same case."""
    for known, cases in (
        (desk(KNOWN), {}),
        (desk(), {CASE: STANDING}),
        (desk((CasesByKeys(frozenset()), (STANDING,))), {}),
    ):
        step = apply(known, effects, cases).cases[CASE]
        assert step.before == STANDING
        assert replace(step.after, status=after.status) == after
        assert changed(known, STANDING, effects) == step.after
        assert changed(known, replace(STANDING, id="another"), effects) == replace(STANDING, id="another")


def test_moves_are_told_in_order_with_where_each_began() -> None:
    """Those that counted, those that came too late, and those that could not be."""
    events = ("accept", "accept", "decline")
    step = apply(desk(KNOWN), [Move(CASE, "declaration", event) for event in events]).cases[CASE]
    assert [(one.event, one.before, one.took_place) for one in step.moves] == [
        ("accept", "declared", True),
        ("accept", "accepted", False),
        ("decline", "accepted", False),
    ]
    (first,) = apply(desk(KNOWN), [Move(CASE, "inspection", "pass")]).cases[CASE].moves
    assert (first.track, first.before) == ("inspection", NONE)


def test_a_key_that_nobody_would_look_for_is_a_fault() -> None:
    """A kind of case has its kinds of keys."""
    with pytest.raises(LookupError, match="contract"):
        apply(desk(KNOWN), [AddKeys(CASE, frozenset({("contract", "C"), ("bill", "B-2")}))])
    with pytest.raises(KeyError):
        apply(desk(), [Note(CASE, "late")])


def test_what_is_no_case_of_its_own_is_gathered_in_order() -> None:
    """What waits, what waits no longer, ledgers and links; who sent a document that waits is the sender unless it is said."""
    keys = frozenset({("bill", "B-9")})
    effects: list[Effect] = [
        Wait("w-1", "manifest", manifest(), keys),
        Wait("w-2", "manifest", manifest(), keys, "carrier"),
        Attach("w-0", ""),
        Attach("w-3", CASE),
        Link(CASE, "call", "case-2"),
    ]
    applied = apply(desk(KNOWN), effects)
    assert applied.waits == (
        WaitingDocument("w-1", "manifest", keys, manifest().to_kept(), FACTORY.id, "m-1"),
        WaitingDocument("w-2", "manifest", keys, manifest().to_kept(), "carrier", "m-1"),
    )
    assert applied.attached == ("w-0", "w-3")
    assert applied.links == ((CASE, "call", "case-2"),)
    assert applied.cases == {CASE: CaseStep(STANDING, STANDING)}


def test_a_deadline_has_one_name_for_a_case_and_kind() -> None:
    """Set anew it replaces the one before, undone it is off, and another kind's is let be."""
    first, second = NOW + timedelta(days=1), NOW + timedelta(days=2)
    args = {"notice": "N-1"}
    setting = set_deadline(CASE, "ends", first, args)
    assert setting == Due(name_deadline(CASE, "ends"), first, "ends", CASE, args)
    names = {name_deadline(case, kind) for case in (CASE, "case-2") for kind in ("ends", "begins")}
    assert len(names) == 4
    effects: list[Effect] = [
        setting,
        set_deadline(CASE, "ends", second),
        set_deadline(CASE, "begins", first),
        undo_deadline(CASE, "begins"),
    ]
    for test in (False, True):
        deadlines = apply(desk(KNOWN, test=test), effects).deadlines
        assert deadlines == {
            name_deadline(CASE, "ends"): Deadline(name_deadline(CASE, "ends"), "ends", CASE, second, {}, test),
            name_deadline(CASE, "begins"): None,
        }


def test_a_deadline_finds_its_case() -> None:
    """In its own traffic; nothing where the case is gone, and no message is a deadline."""
    for test in (False, True):
        deadline = Deadline("d", "ends", CASE, NOW, test=test)
        over = replace(desk((CaseById(CASE, test), STANDING)), occasion=Alarm(deadline, "alarm"))
        assert find_case(over) == STANDING
    gone = replace(desk((CaseById(CASE), None)), occasion=Alarm(Deadline("d", "ends", CASE, NOW), "alarm"))
    assert find_case(gone) is None
    with pytest.raises(TypeError, match=r"a document is no deadline$"):
        find_case(desk(KNOWN))
    with pytest.raises(TypeError, match=r"no document comes with a deadline$"):
        _ = gone.document


def test_a_task_is_asked_once() -> None:
    """As its kind says, in the traffic of its occasion; one that was asked before stays as it is."""
    for test in (False, True):
        applied = apply(desk((CaseById(CASE), STANDING), (TaskById("task-1", test), None), test=test), [ASK])
        assert applied.tasks == {
            "task-1": Task(
                "task-1", 1, "review", CASE, "declaration", "370100", "accept", REVIEW.options, NOW + timedelta(seconds=5),
                due_at=NOW + timedelta(days=1), evidence=("photo",), test=test,
            )
        }  # fmt: skip
        assert applied.cases == {CASE: CaseStep(STANDING, STANDING)}
    assert apply(desk(KNOWN, (TaskById("task-1"), TASK)), [ASK]).tasks == {}
    with pytest.raises(Unknown):
        apply(desk(KNOWN), [ASK])


@pytest.mark.parametrize("known", [(TaskById("task-1"), TASK), (TasksOf(CASE), (replace(TASK, id="task-0"), TASK))])
def test_a_task_is_settled_or_closed(known: tuple[Query, object]) -> None:
    """Settled, its option's event happens; closed, nothing moves: it was decided otherwise, or its reason is gone."""
    at = NOW + timedelta(seconds=5)
    settled = apply(desk(KNOWN, known), [Settle("task-1", "let")])
    decided = replace(TASK, version=4, state=TaskState.DECIDED, option="let", decided_by="m-1", decided_at=at)
    assert settled.tasks == {"task-1": decided}
    assert settled.cases[CASE].moves == (
        Moved("declaration", "accept", "declared", desk().tracks.step(STANDING.tracks, "declaration", "accept")),
    )
    for option, state in (("let", TaskState.DECIDED), ("", TaskState.WITHDRAWN)):
        closed = apply(desk(KNOWN, known), [Close("task-1", option)])
        assert closed.tasks == {"task-1": replace(decided, state=state, option=option)}
        assert closed.cases == {}
    # What was asked in the same decision can be settled in it.
    both = apply(desk(KNOWN, (TaskById("task-2"), None)), [replace(ASK, id="task-2"), Settle("task-2", "let")])
    assert (both.tasks["task-2"].version, both.tasks["task-2"].state) == (2, TaskState.DECIDED)


def test_a_task_that_is_not_there_is_a_fault() -> None:
    """Neither decided nor withdrawn."""
    with pytest.raises(KeyError):
        apply(desk(KNOWN, (TaskById("task-1"), None)), [Close("task-1")])


# Many decisions, one upon the other: what is laid over the store's answers is what the store will answer.


@dataclass
class Shelf:
    """A store as plain as can be."""

    cases: dict[str, Case] = field(default_factory=dict)
    waits: dict[str, tuple[WaitingDocument, bool]] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    links: list[tuple[str, str, str]] = field(default_factory=list)
    accounts: dict[tuple[str, bool], Account] = field(default_factory=dict)

    def commit(self, applied: Applied) -> None:
        for id_, step in applied.cases.items():
            self.cases[id_] = step.after
        for waiting in applied.waits:
            self.waits[waiting.id] = (waiting, applied.test)
        for id_ in applied.attached:
            self.waits.pop(id_, None)
        self.tasks |= applied.tasks
        self.links += applied.links
        self.accounts |= {(name, applied.test): account for name, account in applied.accounts.items()}

    def answer(self, query: Query) -> object:
        match query:
            case CasesByKeys(keys, test):
                return self._sorted(c for c in self.cases.values() if c.test == test and c.keys & keys)
            case CaseById(id_, test):
                return next((c for c in self.cases.values() if c.id == id_ and c.test == test), None)
            case LinkedCases(id_, kind, test):
                ends = {b for a, k, b in self.links if (a, k) == (id_, kind)}
                ends |= {a for a, k, b in self.links if (b, k) == (id_, kind)}
                return self._sorted(c for c in self.cases.values() if c.test == test and c.id in ends)
            case TaskById(id_, test):
                return next((t for t in self.tasks.values() if t.id == id_ and t.test == test), None)
            case TasksOf(case, test):
                found = (t for t in self.tasks.values() if t.case_id == case and t.test == test)
                return tuple(sorted((t for t in found if t.state.waits), key=lambda t: t.id))
            case Waiting(keys, test):
                waits = (one for one, of_test in self.waits.values() if of_test == test and one.keys & keys)
                return tuple(sorted(waits, key=lambda one: one.id))
            case Ledger(name, test):
                return self.accounts.get((name, test))
            case _:
                return FACTORY

    @staticmethod
    def _sorted(cases: Iterable[Case]) -> tuple[Case, ...]:
        return tuple(sorted(cases, key=lambda case: case.id))


IDS = ("1", "2", "3")
KEYS: list[Key] = [("bill", "a"), ("bill", "b")]
SETS = [frozenset(keys) for keys in ((), KEYS[:1], KEYS[1:], KEYS)]
QUERIES: Sequence[Query] = [
    query
    for test in (False, True)
    for query in (
        *(CasesByKeys(keys, test) for keys in SETS),
        *(Waiting(keys, test) for keys in SETS),
        *(of(id_, test) for of in (CaseById, TaskById, TasksOf) for id_ in IDS),
        *(LinkedCases(id_, kind, test) for id_ in IDS for kind in ("call", "right")),
        *(Ledger(name, test) for name in IDS),
    )
] + [PartnerById("factory")]


@st.composite
def decisions(draw: st.DrawFn) -> Applied:
    """What one decision may come to; a case and a task stay in the traffic that they began in."""
    test = draw(st.booleans())
    own = [id_ for id_ in IDS if (id_ == "3") is test]
    ids = st.sampled_from(own)
    cases: Mapping[str, CaseStep] = {
        id_: CaseStep(None, Case(id_, draw(st.integers(1, 9)), "x", "p", test, draw(st.sampled_from(SETS))))
        for id_ in draw(st.sets(ids))
    }
    waits = tuple(
        WaitingDocument(id_ + str(test), "manifest", SETS[int(id_)], {}, "p")
        for id_ in sorted(draw(st.sets(st.sampled_from(IDS))))
    )
    tasks = {
        id_: Task(
            id_, draw(st.integers(1, 3)), "k", own[0], "t", "", "a", {}, datetime(2026, 1, 1, tzinfo=UTC),
            state=draw(st.sampled_from(TaskState)), test=test,
        )
        for id_ in draw(st.sets(ids))
    }  # fmt: skip
    links = draw(st.lists(st.tuples(ids, st.sampled_from(["call", "right"]), ids), max_size=2))
    accounts = {
        name: Account(name, draw(st.integers(1, 9)), "", "p", granted=Decimal(draw(st.integers(0, 5))), test=test)
        for name in draw(st.sets(st.sampled_from(IDS)))
    }
    return Applied(test, cases, waits, accounts=accounts, links=tuple(links), tasks=tasks)


@settings(max_examples=60)
@given(
    st.lists(decisions(), max_size=3), st.lists(decisions(), max_size=4), st.sets(st.sampled_from(IDS)), st.booleans()
)
def test_what_is_laid_over_is_what_the_store_will_answer(
    before: list[Applied], then: list[Applied], attached: set[str], test: bool
) -> None:
    """Each question has the answer that it will have once the decisions are committed, under the version it was read at."""
    shelf, ground = Shelf(), Ground()
    # A link leads to a case that is there.
    for one in (
        *(Applied(id_ == "3", {id_: CaseStep(None, Case(id_, 1, "x", "p", id_ == "3"))}) for id_ in IDS),
        *before,
    ):
        shelf.commit(one)
    facts = Facts({query: Answer(shelf.answer(query), f"v{at}") for at, query in enumerate(QUERIES)})
    if attached:
        then = [*then, Applied(test, attached=tuple(id_ + str(test) for id_ in attached))]
    # What a new link leads to, its decision knew, and so names.
    for one in then:
        ends = {id_ for link in one.links for id_ in (link[0], link[2])}
        known = {id_: CaseStep(shelf.cases[id_], shelf.cases[id_]) for id_ in ends}
        # A case never loses a key.
        grown = {
            id_: replace(step, after=replace(step.after, keys=step.after.keys | shelf.cases[id_].keys))
            for id_, step in one.cases.items()
        }
        whole = replace(one, cases={**known, **grown})
        shelf.commit(whole)
        ground.take(whole)
    over = ground.over(facts)
    # Beside them it knows that nothing was told of cases that are opened.
    assert {q: over.answers[q].value for q in QUERIES} == {q: shelf.answer(q) for q in QUERIES}
    assert {q: over.answers[q].version for q in QUERIES} == {q: f"v{at}" for at, q in enumerate(QUERIES)}
