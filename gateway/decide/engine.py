"""Runs a flow, and what other flows do about it: pure, so that deciding twice comes to the same.

`needs` says which questions the store must answer before `decide` can be called; ask again with the answers until
it returns nothing.

    while queries := needs(desk, flows):
        desk = replace(desk, facts=await store.facts(queries, desk.facts, occasion.id))
    parts = decide(desk, flows)

A flow reads facts as if they were all there; `needs` runs it as far as it comes and reports what it stopped for. So
what a flow asks for and what it reads cannot drift apart, and a number is reserved only when the flow has come to the
point where it will be given out.

Reactions run after the flow, first in first out, each upon all that was decided before it. What the reactions of one
round miss is asked for together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from gateway.decide.answers import fault
from gateway.decide.apply import Applied, apply
from gateway.decide.desk import Alarm, Desk
from gateway.decide.effects import (
    Alert,
    Ask,
    Claim,
    CloseAccount,
    Effect,
    Escalate,
    Free,
    GiveBack,
    Grant,
    Move,
    Reserve,
    Reverse,
    Settle,
    Use,
)
from gateway.decide.facts import Facts, Query, Unknown
from gateway.decide.flow import Flow, Flows, On
from gateway.decide.follow import close_tasks
from gateway.decide.ground import Ground
from gateway.decide.watch import watch
from gateway.errors import DecisionEndless

ROUNDS = 8
"""Reactions to reactions to reactions: the longest chain that the trade knows has four links."""
MOST_EFFECTS = 1000
"""Effects that all reactions of a message add to its flow's: a flow that adds more works against another one."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one function came to: the flow, or a reaction."""

    origin: tuple[str, ...]
    """Empty for the flow; of a reaction its flow, track, event and case. What it makes has its ids from it."""
    effects: Sequence[Effect]

    def placed(self) -> Iterator[tuple[str, Effect]]:
        """Each effect with its place: no other function of the decision has the same."""
        for index, effect in enumerate(self.effects):
            yield "/".join((*self.origin, str(index))), effect


@dataclass(frozen=True, slots=True)
class _Pending:
    """A reaction to run."""

    flow: Flow
    on: On
    case_id: str


def needs(desk: Desk, flows: Flows) -> tuple[Query, ...]:
    """What `decide` must still know; empty when it can be called."""
    try:
        decide(desk, flows)
    except Unknown as unknown:
        return unknown.queries
    return ()


def decide(desk: Desk, flows: Flows) -> list[Part]:
    """What the occasion comes to, the flow's part first.

    LookupError for a document or a deadline without a flow, Unknown where facts lack, DecisionEndless where reactions do not end.
    """
    return _decide(desk, flows)[0]


def _decide(desk: Desk, flows: Flows) -> tuple[list[Part], Applied | None]:
    """What the occasion comes to; with what it changes where there is but one part, and that was found on the way."""
    parts = [Part((), _first(desk, flows))]
    if not any(_may_lead_on(effect, flows) for effect in parts[0].effects):
        return parts, None
    ground = Ground()
    alone = applied = apply(desk, parts[0].effects)
    ground.take(applied)
    pending = _triggered(applied, flows)
    if closed := close_tasks(desk, applied):
        parts.append(Part(("tasks",), closed))
        ground.take(apply(desk, closed, ground.cases))
    done: set[tuple[str, ...]] = set()
    laid: Facts | None = None
    added = 0
    for _ in range(ROUNDS):
        missing: list[Query] = []
        following: list[_Pending] = []
        for one in pending:
            origin = (one.flow.name, one.on.track, one.on.event, one.case_id)
            if origin in done:
                continue
            done.add(origin)
            if laid is None:
                laid = ground.over(desk.facts)
            here = replace(desk, facts=laid, origin=origin)
            try:
                effects = one.on.react(here, ground.cases[one.case_id])
            except Unknown as unknown:
                missing += unknown.queries
                continue
            if not effects:  # as most reactions come to, which look first whether they are meant
                continue
            parts.append(Part(origin, effects))
            applied = apply(here, effects, ground.cases)
            ground.take(applied)
            laid = None
            if closed := close_tasks(here, applied):
                parts.append(Part(("tasks", *origin), closed))
                ground.take(apply(here, closed, ground.cases))
            following += _triggered(applied, flows)
            added += len(effects)
        if missing:
            raise Unknown(tuple(dict.fromkeys(missing)))
        if added > MOST_EFFECTS:
            break
        if not following:
            return parts, alone if len(parts) == 1 else None
        pending = following
    raise DecisionEndless(occasion=desk.occasion.id, reactions=len(done), effects=added)


@dataclass(frozen=True, slots=True)
class Decision:
    """What an occasion comes to, once it has passed the watcher."""

    parts: Sequence[Part]
    applied: Applied


WATCH = ("watch",)
"""The origin of what the watcher adds."""


def conclude(desk: Desk, flows: Flows) -> Decision:
    """What the occasion comes to, and what the watcher makes of it; raises as `decide` does.

    Where the watcher itself fails, the decision stands, with an alert that it was not watched.
    """
    parts, alone = _decide(desk, flows)
    applied = alone or apply_all(desk, parts)
    try:
        watched = watch(desk, effects_of(parts), applied)
        if not watched.effects:
            return Decision(parts, applied)
        seen = [*([] if watched.stopped else parts), Part(WATCH, watched.effects)]
        return Decision(seen, apply_all(desk, seen))
    except Exception as error:  # noqa: BLE001 - what is decided must not hang on whether it can be watched; an alert says so
        why = fault("decide.risk.unwatched", value=type(error).__name__)
        added = Part(WATCH, [Alert("unwatched", (why,))])
        return Decision([*parts, added], applied)


def _first(desk: Desk, flows: Flows) -> list[Effect]:
    """What is decided because of the occasion itself."""
    if isinstance(desk.occasion, Alarm):
        return flows.on_deadline(desk.occasion.deadline.kind)(desk)
    flow = flows.find(desk.document)
    if flow is None:
        raise LookupError(f"no flow takes {desk.occasion.document_type}")
    return flow.decide(desk)


def _may_lead_on(effect: Effect, flows: Flows) -> bool:
    """Whether reactions, or open tasks, may go by the effect."""
    match effect:
        case Move():
            return bool(flows.reactions(effect.track, effect.event)) or flows.tasks_on(effect.track)
        case Settle() | Ask() | Claim() | GiveBack() | Escalate():
            return True
        case Grant() | Reserve() | Use() | Free() | Reverse() | CloseAccount():
            return True  # what a reaction finds in an account is what the flow has left in it
        case _:
            return False


def effects_of(parts: Iterable[Part]) -> list[Effect]:
    """The effects of all parts, in order."""
    return [effect for part in parts for effect in part.effects]


def apply_all(desk: Desk, parts: Iterable[Part]) -> Applied:
    """What all parts together change."""
    return apply(desk, effects_of(parts))


def _triggered(applied: Applied, flows: Flows) -> list[_Pending]:
    """The reactions to what moved; an event that came too late moved nothing."""
    return [
        _Pending(flow, on, case_id)
        for case_id, step in applied.cases.items()
        for moved in step.moves
        if moved.took_place
        for flow, on in flows.reactions(moved.track, moved.event)
    ]
