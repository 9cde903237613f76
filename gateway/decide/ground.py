"""What decisions of one transaction have come to: laid over what the store says, so that each sees those before it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import cast

from gateway.decide.apply import Applied
from gateway.decide.facts import (
    MOST_OWN,
    ActsOn,
    Answer,
    CaseById,
    CasesByKeys,
    DrawOf,
    Facts,
    Ledger,
    LedgerEntry,
    LinkedCases,
    OwnCases,
    Query,
    Subject,
    SubscriptionsOf,
    TallyOf,
    TaskById,
    TasksOf,
    Told,
    Waiting,
    WaitingDocument,
)
from gateway.decide.subjects import lay_over
from gateway.decide.tasks import (
    act_done,
)
from gateway.model import (
    Account,
    ActDone,
    Case,
    Draw,
    Entry,
    Figure,
    Registered,
    SubjectVersion,
    Subscription,
    Tally,
    Task,
    TaskState,
)


@dataclass(slots=True)
class Ground:
    """What decisions came to that are not committed yet, to be laid over what the store says."""

    cases: dict[str, Case] = field(default_factory=dict)
    waits: dict[str, tuple[WaitingDocument, bool]] = field(default_factory=dict)
    """By id, each with whether it is test traffic's."""
    attached: set[str] = field(default_factory=set)
    accounts: dict[tuple[str, bool], Account] = field(default_factory=dict)
    """By name, of live and of test traffic."""
    entries: dict[tuple[str, str, bool], Entry] = field(default_factory=dict)
    """By account and id, of live and of test traffic."""
    links: set[tuple[str, str, str]] = field(default_factory=set)
    tasks: dict[str, Task] = field(default_factory=dict)
    subscriptions: dict[tuple[str, str, bool], Subscription] = field(default_factory=dict)
    """By partner and name, of live and of test traffic."""
    subjects: dict[tuple[str, str, bool], tuple[SubjectVersion, ...]] = field(default_factory=dict)
    """Versions by scheme, value, and whether it is test traffic's, in order."""
    opened: set[tuple[str, bool]] = field(default_factory=set)
    """Ids of cases that were opened, of live and of test traffic."""
    figures: dict[tuple[str, bool], dict[str, Figure | None]] = field(default_factory=dict)
    """What stands of subjects of statistics, by kind; None for what was taken back."""
    tallies: dict[tuple[str, str, str, bool], Tally] = field(default_factory=dict)
    """By plan, stratum and window, of live and of test traffic."""
    draws: dict[tuple[str, str, bool], Draw] = field(default_factory=dict)
    """By plan and item, of live and of test traffic."""

    def take(self, applied: Applied) -> None:
        """Lay one decision's changes over those before it, which it was decided on."""
        self.cases.update((case_id, step.after) for case_id, step in applied.cases.items())
        self.waits.update((waiting.id, (waiting, applied.test)) for waiting in applied.waits)
        self.attached.update(applied.attached)
        self.links.update(applied.links)
        self.tasks.update(applied.tasks)
        self.subscriptions.update(((*key, one.test), one) for key, one in applied.subscriptions.items())
        for made in applied.subjects:
            key = (made.scheme, made.value, made.test)
            self.subjects[key] = (*self.subjects.get(key, ()), made)
        self.accounts.update(((name, applied.test), account) for name, account in applied.accounts.items())
        self.entries.update(((*key, applied.test), entry) for key, entry in applied.entries.items())
        self.opened.update((case_id, applied.test) for case_id, step in applied.cases.items() if step.before is None)
        self.tallies.update(((*key, applied.test), tally) for key, tally in applied.tallies.items())
        self.draws.update(((draw.plan, draw.item, applied.test), draw) for draw in applied.draws)
        for figure in applied.figures:
            subject = (figure.subject, applied.test)
            stands = figure if figure.count > 0 else None
            self.figures[subject] = {**self.figures.get(subject, {}), figure.kind: stands}

    def copy(self) -> Ground:
        """Another ground, upon which may be laid what this one is not to hold."""
        return Ground(**{held.name: getattr(self, held.name).copy() for held in fields(self)})

    def over(self, facts: Facts) -> Facts:
        """`facts` as they will be; the versions stay those of the store's answers, which the commit compares."""
        if not any(getattr(self, held.name) for held in fields(self)):
            return facts
        known = {query: Answer(self._value(query, a.value), a.version) for query, a in facts.answers.items()}
        for case_id, test in self.opened:
            # Of a case that was not there nothing was told, and nobody need be asked.
            known.setdefault(Told(case_id, test), Answer(self._value(Told(case_id, test), ())))
        return Facts(known)

    def _value(self, query: Query, value: object) -> object:
        match query:
            case CasesByKeys():
                found = {case.id: self.cases.get(case.id, case) for case in cast("Sequence[Case]", value)}
                for case in self.cases.values():
                    if case.test == query.test and not case.keys.isdisjoint(query.keys):
                        found[case.id] = case
                return tuple(found[id_] for id_ in sorted(found))
            case OwnCases():
                found = {case.id: self.cases.get(case.id, case) for case in cast("Sequence[Case]", value)}
                found.update((case.id, case) for case in self.cases.values() if _is_own(case, query))
                return tuple(found[id_] for id_ in sorted(found)[-MOST_OWN:])
            case CaseById():
                pending = self.cases.get(query.id)
                return pending if pending is not None and pending.test == query.test else value
            case Waiting():
                waiting = {one.id: one for one in cast("Sequence[WaitingDocument]", value)}
                for one, test in self.waits.values():
                    if test == query.test and not one.keys.isdisjoint(query.keys):
                        waiting[one.id] = one
                return tuple(waiting[id_] for id_ in sorted(waiting) if id_ not in self.attached)
            case LinkedCases():
                ends = {end for link in self.links if link[1] == query.kind for end in _other_end(link, query.id)}
                found = {case.id: self.cases.get(case.id, case) for case in cast("Sequence[Case]", value)}
                # A case at the end of a new link is one that the decision which made the link knew or opened.
                found.update((end, self.cases[end]) for end in ends if end in self.cases)
                return tuple(found[id_] for id_ in sorted(found) if found[id_].test == query.test)
            case TaskById():
                changed = self.tasks.get(query.id)
                return changed if changed is not None and changed.test == query.test else value
            case TasksOf():
                tasks = {task.id: task for task in cast("Sequence[Task]", value)}
                tasks.update(
                    (task.id, task)
                    for task in self.tasks.values()
                    if task.case_id == query.case and task.test == query.test
                )
                return tuple(tasks[id_] for id_ in sorted(tasks) if tasks[id_].state.waits)
            case ActsOn():
                done = {one.task_id: one for one in cast("Sequence[ActDone]", value)}
                done.update(
                    (task.id, act_done(task))
                    for task in self.tasks.values()
                    if task.case_id == query.case and task.test == query.test and task.state is TaskState.DECIDED
                )
                return tuple(done[id_] for id_ in sorted(done))
            case SubscriptionsOf():
                mine = {one.name: one for one in cast("Sequence[Subscription]", value)}
                mine.update(
                    (one.name, one)
                    for one in self.subscriptions.values()
                    if one.partner_id == query.partner_id and one.test == query.test
                )
                return tuple(mine[name] for name in sorted(mine))
            case Subject():
                made = self.subjects.get((query.scheme, query.value, query.test), ())
                return lay_over(cast("Registered", value), made, query.day)
            case Ledger():
                return self.accounts.get((query.account, query.test), value)
            case LedgerEntry():
                return self.entries.get((query.account, query.entry, query.test), value)
            case TallyOf():
                return self.tallies.get((query.plan, query.stratum, query.window, query.test), value)
            case DrawOf():
                return self.draws.get((query.plan, query.item, query.test), value)
            case Told():
                told = {figure.kind: figure for figure in cast("Sequence[Figure]", value)}
                told |= self.figures.get((query.subject, query.test), {})  # type: ignore[arg-type]
                return tuple(told[kind] for kind in sorted(told) if told[kind] is not None)
            case _:
                return value


def _is_own(case: Case, query: OwnCases) -> bool:
    """Whether a case that is not committed yet is one that the partner opened, and the number finds."""
    known = case.id == query.key or any(value == query.key for _, value in case.keys)
    return known and case.partner_id == query.partner and case.test == query.test


def _other_end(link: tuple[str, str, str], case_id: str) -> Iterable[str]:
    """The case at the other end of a link of `case_id`; nothing where the link is not its."""
    one, _, other = link
    if case_id == one:
        yield other
    elif case_id == other:
        yield one
