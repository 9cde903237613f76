"""The decisions' port in memory: answers questions and takes outcomes as the database does, and forgets at the end.

For whoever tries decisions out: tests of flows, a rule set's trial over yesterday's messages. It keeps what decisions
rest on, and nothing else of an outcome.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from gateway.decide.facts import (
    MOST_OWN,
    ActsOn,
    Answer,
    CaseById,
    CasesByKeys,
    DrawOf,
    ExhibitById,
    Facts,
    FiguresIn,
    LastFigure,
    LastReport,
    Ledger,
    LedgerEntry,
    LinkedCases,
    NextNumber,
    OwnCases,
    PartnerById,
    PartnerByIdentifier,
    PersonById,
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
from gateway.decide.figures import standing_of, sums_of
from gateway.decide.ground import Ground
from gateway.errors import FactsMoved
from gateway.model import (
    Account,
    ActDone,
    Case,
    Deadline,
    Draw,
    Entry,
    Exhibit,
    Figure,
    Identifier,
    MadeReport,
    Partner,
    Person,
    Registered,
    Subscription,
    Tally,
    Task,
)
from gateway.store.contract import CaseChange, Outcome, Wait
from gateway.store.participation import find_participants


class MemoryDecisions:
    """A `ports.Decisions` over dictionaries."""

    def __init__(
        self,
        partners: Iterable[Partner] = (),
        persons: Iterable[Person] = (),
        exhibits: Iterable[Exhibit] = (),
    ) -> None:
        """`partners`, `persons` and `exhibits` are all there are, for good."""
        self._exhibits = {exhibit.id: exhibit for exhibit in exhibits}
        self._persons = {person.id: person for person in persons}
        self._partners = {partner.id: partner for partner in partners if partner.active}
        self._named = {name: partner for partner in self._partners.values() for name in partner.identifiers}
        self._ground = Ground()
        self._last = Counter[tuple[str, bool]]()
        self.deadlines: dict[str, Deadline] = {}
        """Those that are set, by id: nobody is alarmed here."""
        self._given: dict[tuple[str, NextNumber], int] = {}
        self.figures: list[Figure] = []
        """All facts, in order; those of live and of test traffic are numbered apart."""
        self.reports: dict[tuple[str, bool], list[MadeReport]] = {}
        """By name and traffic, in the order in which they were made."""
        self._parts: set[tuple[str, str]] = set()
        """(case id, partner id) of all who take part."""

    async def facts(self, queries: Iterable[Query], known: Facts, for_id: str) -> Facts:
        """See `ports.Decisions`."""
        return known.plus({query: self._answer(query, for_id) for query in queries if query not in known.answers})

    async def commit(self, outcome: Outcome) -> None:
        """See `ports.Decisions`; payloads are not known here, so that any fence will do."""
        for query, answer in (outcome.facts.answers if outcome.facts else {}).items():
            if answer.version and self._answer(query, "").version != answer.version:
                raise FactsMoved(work=outcome.work.id, query=query)
        changes = [change for change in outcome.cases if not change.noted]
        expected: dict[str, int] = {}
        for change in changes:
            case = self._ground.cases.get(change.case_id)
            if expected.get(change.case_id, case.version if case else 0) != change.expected_version:
                raise FactsMoved(work=outcome.work.id, case_id=change.case_id)
            expected[change.case_id] = change.expected_version + 1
        versions: dict[str, int] = {}
        for task in outcome.tasks:
            known = self._ground.tasks.get(task.id)
            if versions.get(task.id, known.version if known else 0) >= task.version:
                raise FactsMoved(work=outcome.work.id, task_id=task.id)
            versions[task.id] = task.version
        postings: dict[tuple[str, bool], int] = {}
        for one in outcome.accounts:
            key = (one.account.name, one.account.test)
            account = self._ground.accounts.get(key)
            if postings.get(key, account.version if account else 0) + 1 != one.account.version:
                raise FactsMoved(work=outcome.work.id, account=one.account.name)
            postings[key] = one.account.version
        drawn: dict[tuple[str, str, str, bool], int] = {}
        for tally in outcome.tallies:
            stratum = (tally.plan, tally.stratum, tally.window, tally.test)
            before = self._ground.tallies.get(stratum)
            if drawn.get(stratum, before.version if before else 0) + 1 != tally.version:
                raise FactsMoved(work=outcome.work.id, plan=tally.plan)
            drawn[stratum] = tally.version
        for tally in outcome.tallies:
            self._ground.tallies[tally.plan, tally.stratum, tally.window, tally.test] = tally
        for draw in outcome.draws:
            self._ground.draws[draw.plan, draw.item, draw.test] = draw
        for figure in outcome.figures:
            number = 1 + sum(one.test == figure.test for one in self.figures)
            self.figures.append(replace(figure, number=number))
        for report in outcome.reports:
            self.reports.setdefault((report.name, report.test), []).append(report)
        versions_of: dict[tuple[str, str, bool], int] = {}
        for wanted in outcome.subscriptions:
            name = (wanted.partner_id, wanted.name, wanted.test)
            held = self._ground.subscriptions.get(name)
            if versions_of.get(name, held.version if held else 0) + 1 != wanted.version:
                raise FactsMoved(work=outcome.work.id, subscription=wanted.name)
            versions_of[name] = wanted.version
        self._ground.subscriptions.update(((one.partner_id, one.name, one.test), one) for one in outcome.subscriptions)
        newest: dict[tuple[str, str, bool], int] = {}
        for made in outcome.subjects:
            subject = (made.scheme, made.value, made.test)
            there = newest.get(subject, len(self._ground.subjects.get(subject, ())))
            if there + 1 != made.version:
                raise FactsMoved(work=outcome.work.id, subject=f"{made.scheme} {made.value}")
            newest[subject] = made.version
        for made in outcome.subjects:
            subject = (made.scheme, made.value, made.test)
            self._ground.subjects[subject] = (*self._ground.subjects.get(subject, ()), made)
        self._ground.tasks.update((task.id, task) for task in outcome.tasks)
        self._ground.links.update((link.case_id, link.kind, link.other_id) for link in outcome.links)
        for id_, deadline in outcome.deadlines.items():
            if deadline is None:
                self.deadlines.pop(id_, None)
            else:
                self.deadlines[id_] = deadline
        self._parts.update(find_participants(outcome))
        for change in changes:
            self._ground.cases[change.case_id] = _changed(self._ground.cases.get(change.case_id), change)
        self._ground.waits.update((wait.id, (_waiting(wait), wait.test)) for wait in outcome.waits)
        for waiting_id in outcome.attached:
            self._ground.waits.pop(waiting_id, None)
        for one in outcome.accounts:
            self._ground.accounts[one.account.name, one.account.test] = one.account
            self._ground.entries.update(((entry.account, entry.id, entry.test), entry) for entry in one.entries)

    def _answer(self, query: Query, for_id: str) -> Answer:
        """What is known, with a version that is another one as soon as the answer is."""
        match query:
            case PartnerById():
                return Answer(self._partners.get(query.id))
            case PartnerByIdentifier():
                return Answer(self._named.get(Identifier(query.scheme, query.value)))
            case PersonById():
                return Answer(self._persons.get(query.id))
            case Subject():
                registered = self._over(query, Registered())
                assert isinstance(registered, Registered)
                held = registered.version.version if registered.version is not None else 0
                return Answer(registered, f"Subject {held} of {registered.newest}")
            case ExhibitById():
                exhibit = self._exhibits.get(query.id)
                return Answer(exhibit if exhibit is not None and exhibit.test == query.test else None)
            case NextNumber():
                return Answer(self._number(query, for_id))
            case LastFigure():
                return Answer(sum(one.test == query.test for one in self.figures))
            case FiguresIn():
                return Answer(sums_of(self.figures, query))
            case Told():
                mine = (one for one in self.figures if (one.subject, one.test) == (query.subject, query.test))
                stands = tuple(standing_of(mine))
                return Answer(stands, "Told " + " ".join(str(one.number) for one in stands))
            case LastReport():
                report = next(reversed(self.reports.get((query.name, query.test), [])), None)
                return Answer(report, f"LastReport {report.first if report is not None else ''}")
            case TallyOf():
                value = self._over(query, None)
                version = str(value.version if isinstance(value, Tally) else 0)
            case DrawOf():
                value = self._over(query, None)
                version = "made" if isinstance(value, Draw) else ""
            case OwnCases():
                return Answer(self._own(query))
            case Ledger():
                value = self._over(query, None)
                version = str(value.version if isinstance(value, Account) else 0)
            case LedgerEntry():
                value = self._over(query, None)
                version = value.state.value if isinstance(value, Entry) else ""
            case CaseById():
                value = self._over(query, None)
                version = str(value.version if isinstance(value, Case) else 0)
            case TaskById():
                value = self._over(query, None)
                version = str(value.version if isinstance(value, Task) else 0)
            case CasesByKeys() | LinkedCases() | TasksOf() | ActsOn() | Waiting() | SubscriptionsOf():
                value = self._over(query, ())
                assert isinstance(value, tuple)
                version = " ".join(f"{_id_of(found)}:{getattr(found, 'version', '')}" for found in value)
        return Answer(value, f"{type(query).__name__} {version}")

    def _over(self, query: Query, nothing: object) -> object:
        return self._ground.over(Facts({query: Answer(nothing)})).answers[query].value

    def _own(self, query: OwnCases) -> tuple[Case, ...]:
        found = [
            case
            for id_, case in sorted(self._ground.cases.items())
            if case.test == query.test
            and (id_, query.partner) in self._parts
            and (id_ == query.key or any(value == query.key for _, value in case.keys))
        ]
        return tuple(found[-MOST_OWN:])

    def _number(self, query: NextNumber, for_id: str) -> int:
        given = self._given.get((for_id, query))
        if given is None:
            self._last[query.counter, query.test] += 1
            given = self._given[for_id, query] = self._last[query.counter, query.test]
        return given


def _id_of(found: Any) -> str:
    """What tells an answer's part from others: an act's is its task's, a subscription's its name."""
    if isinstance(found, Subscription):
        return found.name
    return str(found.task_id if isinstance(found, ActDone) else found.id)


def _changed(case: Case | None, change: CaseChange) -> Case:
    known = case or Case(change.case_id, 0, change.status, change.partner_id, change.test, kind=change.kind)
    documents: Mapping[str, Mapping[str, object]] = {**known.documents, **change.documents}
    return replace(
        known,
        version=change.expected_version + 1,
        status=change.status,
        tracks=change.tracks,
        left=change.left,
        partner_id=change.partner_id,
        keys=known.keys | change.add_keys,
        documents=documents,
    )


def _waiting(wait: Wait) -> WaitingDocument:
    return WaitingDocument(wait.id, wait.document_type, wait.keys, wait.document, wait.partner_id, wait.message_id)
