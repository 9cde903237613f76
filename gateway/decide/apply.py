"""What effects mean for cases, waiting documents and ledgers: said here, once, and purely.

`apply` gives what one decision changes. `Ground` lays such changes over facts, so that a later decision sees what
earlier ones came to before anything is committed. The trip, the stores and the tests all go by these two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import MappingProxyType
from typing import cast

from gateway.decide.desk import Desk
from gateway.decide.effects import AddKeys, Attach, Draw, Effect, Keep, Move, NewCase, Wait
from gateway.decide.facts import (
    Answer,
    CaseById,
    CasesByKeys,
    Facts,
    Key,
    LedgerBalance,
    Query,
    Waiting,
    WaitingDocument,
)
from gateway.decide.tracks import NONE, Step
from gateway.model import Case


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of one `Move`: where the track stood, and stands; `step` is None where it may not happen there."""

    track: str
    event: str
    before: str
    step: Step | None

    @property
    def took_place(self) -> bool:
        """Whether the event counted."""
        return self.step is not None and not self.step.late


@dataclass(frozen=True, slots=True)
class CaseStep:
    """What one decision makes of one case."""

    before: Case | None
    """The case as it was; None where the decision opened it."""
    after: Case
    """The case as it is then, its version one higher; 1 where it is new."""
    add_keys: frozenset[Key] = frozenset()
    documents: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """The documents that the case has from this decision, by type."""
    moves: tuple[Moved, ...] = ()
    """What became of each `Move` of the case, in order."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What one decision changes; all of it in test traffic, or all in live traffic."""

    test: bool = False
    cases: Mapping[str, CaseStep] = field(default_factory=dict)
    """Every case that an effect names, in the order in which they are named, by id."""
    waits: tuple[WaitingDocument, ...] = ()
    attached: tuple[str, ...] = ()
    """Ids of documents that wait no longer."""
    draws: tuple[tuple[str, Decimal], ...] = ()
    """(ledger, what is added to it)."""


def apply(desk: Desk, effects: Iterable[Effect], cases: Mapping[str, Case] = MappingProxyType({})) -> Applied:
    """What `effects`, decided at `desk`, change; `cases` are those there are beside the facts'.

    KeyError for a case that is in neither, nor opened.
    """
    known = {**_cases_in(desk.facts), **cases}
    steps: dict[str, CaseStep] = {}
    waits: list[WaitingDocument] = []
    attached: list[str] = []
    draws: list[tuple[str, Decimal]] = []
    for effect in effects:
        match effect:
            case NewCase():
                case = _opened(desk, effect)
                steps[effect.case] = CaseStep(None, case)
                continue
            case Wait():
                waits.append(_waiting(desk, effect))
            case Attach():
                attached.append(effect.waiting_id)
            case Draw():
                draws.append((effect.ledger, effect.amount))
            case _:
                pass
        case_id = str(getattr(effect, "case", ""))
        if not case_id:
            continue
        step = steps.get(case_id)
        if step is None:
            before = known[case_id]
            step = CaseStep(before, replace(before, version=before.version + 1))
        steps[case_id] = _stepped(desk, step, effect)
    return Applied(desk.test, steps, tuple(waits), tuple(attached), tuple(draws))


def changed(desk: Desk, case: Case, effects: Iterable[Effect]) -> Case:
    """`case` with what those of `effects` set that name it, for a flow that goes on from there."""
    for effect in effects:
        if getattr(effect, "case", "") == case.id:
            case = _stepped(desk, CaseStep(None, case), effect).after
    return case


def _opened(desk: Desk, effect: NewCase) -> Case:
    status = desk.rules.headline(effect.kind, effect.tracks)
    return Case(effect.case, 1, status, effect.partner_id, desk.test, kind=effect.kind, tracks=effect.tracks)


def _moved(desk: Desk, step: CaseStep, effect: Move) -> CaseStep:
    """`step` after an event on one of the case's tracks."""
    after = step.after
    taken = desk.step(after, effect.track, effect.event)
    moved = Moved(effect.track, effect.event, after.tracks.get(effect.track, NONE), taken)
    moves = (*step.moves, moved)
    if taken is None or taken.late:
        return replace(step, moves=moves)
    tracks = {**after.tracks, effect.track: taken.state}
    left = {track: state for track, state in after.left.items() if track != effect.track}
    if taken.left:
        left[effect.track] = taken.left
    status = desk.rules.headline(after.kind, tracks)
    return replace(step, after=replace(after, tracks=tracks, left=left, status=status), moves=moves)


def _stepped(desk: Desk, step: CaseStep, effect: Effect) -> CaseStep:
    """`step` with what an effect sets in its case; most say something about a case, and set nothing."""
    after = step.after
    match effect:
        case Move():
            return _moved(desk, step, effect)
        case AddKeys():
            added = step.add_keys | effect.keys
            return replace(step, after=replace(after, keys=after.keys | effect.keys), add_keys=added)
        case Keep():
            newest = {effect.document_type: effect.document.to_kept()}
            documents = {**step.documents, **newest}
            return replace(step, after=replace(after, documents={**after.documents, **newest}), documents=documents)
        case _:
            return step


def _waiting(desk: Desk, effect: Wait) -> WaitingDocument:
    return WaitingDocument(
        effect.id,
        effect.document_type,
        effect.keys,
        effect.document.to_kept(),
        effect.partner_id or desk.sender.id,
        desk.occasion.id,
    )


def _cases_in(facts: Facts) -> dict[str, Case]:
    """The cases that facts hold, by id."""
    found: dict[str, Case] = {}
    for answer in facts.answers.values():
        values = answer.value if isinstance(answer.value, tuple) else (answer.value,)
        found.update((value.id, value) for value in values if isinstance(value, Case))
    return found


@dataclass(slots=True)
class Ground:
    """What decisions came to that are not committed yet, to be laid over what the store says."""

    cases: dict[str, Case] = field(default_factory=dict)
    waits: dict[str, tuple[WaitingDocument, bool]] = field(default_factory=dict)
    """By id, each with whether it is test traffic's."""
    attached: set[str] = field(default_factory=set)
    draws: dict[tuple[str, bool], Decimal] = field(default_factory=dict)
    """What is added to a ledger of live or test traffic."""

    def take(self, applied: Applied) -> None:
        """Lay one decision's changes over those before it, which it was decided on."""
        self.cases.update((case_id, step.after) for case_id, step in applied.cases.items())
        self.waits.update((waiting.id, (waiting, applied.test)) for waiting in applied.waits)
        self.attached.update(applied.attached)
        for name, amount in applied.draws:
            ledger = (name, applied.test)
            self.draws[ledger] = self.draws.get(ledger, Decimal(0)) + amount

    def over(self, facts: Facts) -> Facts:
        """`facts` as they will be; the versions stay those of the store's answers, which the commit compares."""
        if not (self.cases or self.waits or self.attached or self.draws):
            return facts
        return Facts({query: Answer(self._value(query, a.value), a.version) for query, a in facts.answers.items()})

    def _value(self, query: Query, value: object) -> object:
        match query:
            case CasesByKeys():
                found = {case.id: self.cases.get(case.id, case) for case in cast("Sequence[Case]", value)}
                for case in self.cases.values():
                    if case.test == query.test and not case.keys.isdisjoint(query.keys):
                        found[case.id] = case
                return tuple(found[id_] for id_ in sorted(found))
            case CaseById():
                pending = self.cases.get(query.id)
                return pending if pending is not None and pending.test == query.test else value
            case Waiting():
                waiting = {one.id: one for one in cast("Sequence[WaitingDocument]", value)}
                for one, test in self.waits.values():
                    if test == query.test and not one.keys.isdisjoint(query.keys):
                        waiting[one.id] = one
                return tuple(waiting[id_] for id_ in sorted(waiting) if id_ not in self.attached)
            case LedgerBalance():
                return cast("Decimal", value) + self.draws.get((query.name, query.test), Decimal(0))
            case _:
                return value
