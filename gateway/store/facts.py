"""Answers to the questions of decisions, each with a token that tells whether the answer has moved.

What is read here for a decision is compared by `versions` when the decision is committed, under the
writers' lock, so that nothing can move between that comparison and the commit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, or_, select

from gateway.decide.facts import (
    ActsOn,
    Answer,
    CaseById,
    CasesByKeys,
    DrawOf,
    ExhibitById,
    FiguresIn,
    Key,
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
from gateway.decide.names import Name
from gateway.decide.subjects import choose_later, choose_version
from gateway.decide.tasks import act_done
from gateway.errors import GatewayError
from gateway.model import (
    Account,
    Case,
    Draw,
    Entry,
    Exhibit,
    Figure,
    Identifier,
    MadeReport,
    Partner,
    Registered,
    Subscription,
    Tally,
    Task,
)
from gateway.store import (
    exhibits,
    figures,
    ledgers,
    own_cases,
    persons,
    registry,
    samples,
    subjects,
    subscriptions,
    tables,
    tasks,
)
from gateway.store.batch import Batch
from gateway.store.cases import documents as stored_documents
from gateway.store.cases import unpack_standing
from gateway.store.sql import among, from_json, matching

_cases, _keys = tables.cases.c, tables.case_keys.c
_waits, _wait_keys = tables.waits.c, tables.wait_keys.c

TestKey = tuple[str, str, bool]
"""A business key of live or of test traffic: (kind, value, test)."""


def answer(connection: Connection, queries: Collection[Query]) -> dict[Query, Answer]:
    """Answers to all queries but those for numbers, which have to be reserved."""
    found = _Found(connection, queries)
    cases = read_cases(connection, found.case_ids())
    waits = _read_waits(connection, found.wait_ids())
    partners = registry.partners_by_id(connection, {query.id for query in queries if isinstance(query, PartnerById)})
    named = registry.partners_by(
        connection,
        {Identifier(query.scheme, query.value) for query in queries if isinstance(query, PartnerByIdentifier)},
    )
    people = persons.by_id(connection, {query.id for query in queries if isinstance(query, PersonById)})
    answers: dict[Query, Answer] = {}
    for query in queries:
        value: object
        match query:
            case CasesByKeys():
                value = tuple(cases[id_] for id_ in found.cases_of(query))
            case OwnCases():
                value = tuple(case for id_ in found.own(query) if (case := cases[id_]).test == query.test)
            case CaseById(id=id_):
                value = cases.get(id_) if found.versions_of_case(query) else None
            case LinkedCases():
                value = tuple(cases[id_] for id_ in found.linked_to(query))
            case TaskById():
                value = found.task(query)
            case TasksOf():
                value = tuple(found.tasks_of(query))
            case ActsOn():
                value = tuple(act_done(task) for task in found.decided_of(query))
            case PersonById(id=id_):
                value = people.get(id_)
            case ExhibitById():
                value = found.exhibit(query)
            case Subject():
                value = found.subject(query)
            case Waiting():
                value = tuple(waits[id_] for id_ in found.waits_of(query))
            case Ledger():
                value = found.account(query)
            case LedgerEntry():
                value = found.entry(query)
            case SubscriptionsOf():
                value = tuple(found.subscriptions_of(query))
            case Told():
                value = found.told(query)
            case LastFigure():
                value = figures.read_last(connection, test=query.test)
            case FiguresIn():
                value = figures.read_sums(connection, query)
            case LastReport():
                value = found.report(query)
            case TallyOf():
                value = found.tally(query)
            case DrawOf():
                value = found.draw(query)
            case PartnerById(id=id_):
                value = _active(partners.get(id_))
            case PartnerByIdentifier(scheme=scheme, value=name):
                value = _active(named.get(Identifier(scheme, name)))
            case NextNumber():
                continue
        answers[query] = Answer(value, found.version(query))
    return answers


def versions(connection: Connection, queries: Collection[Query]) -> dict[Query, str]:
    """The present version of each query's answer."""
    found = _Found(connection, queries)
    return {query: found.version(query) for query in queries}


def _active(partner: Partner | None) -> Partner | None:
    return partner if partner is not None and partner.active else None


class _Found:
    """What a set of queries finds, without the contents: ids, versions and balances."""

    def __init__(self, connection: Connection, queries: Collection[Query]) -> None:
        case_keys = {(*key, q.test) for q in queries if isinstance(q, CasesByKeys) for key in q.keys}
        self._cases_by_key = ids_by_key(connection, tables.case_keys, "case_id", case_keys)
        self._own = own_cases.find_own(connection, {q for q in queries if isinstance(q, OwnCases)})
        self._links = read_links(connection, {q.id for q in queries if isinstance(q, LinkedCases)})
        case_ids = {q.id for q in queries if isinstance(q, CaseById)}.union(
            *self._cases_by_key.values(), *self._links.values(), *self._own.values()
        )
        self._versions = read_versions(connection, case_ids)
        self._tasks = tasks.read(connection, {q.id for q in queries if isinstance(q, TaskById)})
        self._open_tasks: dict[str, list[Task]] = defaultdict(list)
        for task in tasks.read_open(connection, {q.case for q in queries if isinstance(q, TasksOf)}):
            self._open_tasks[task.case_id].append(task)
        self._decided: dict[str, list[Task]] = defaultdict(list)
        for task in tasks.read_decided(connection, {q.case for q in queries if isinstance(q, ActsOn)}):
            self._decided[task.case_id].append(task)
        self._subjects = subjects.read(
            connection, {(q.scheme, q.value, q.test) for q in queries if isinstance(q, Subject)}
        )
        self._exhibits = exhibits.read(connection, {q.id for q in queries if isinstance(q, ExhibitById)})
        wait_keys = {(*key, q.test) for q in queries if isinstance(q, Waiting) for key in q.keys}
        self._waits_by_key = ids_by_key(connection, tables.wait_keys, "wait_id", wait_keys)
        accounts = {(q.account, q.test) for q in queries if isinstance(q, Ledger)}
        self._accounts = ledgers.read(connection, accounts)
        entries = {(q.account, q.test, q.entry) for q in queries if isinstance(q, LedgerEntry)}
        self._entries = ledgers.read_entries(connection, entries)
        owners = {(q.partner_id, q.test) for q in queries if isinstance(q, SubscriptionsOf)}
        self._subscriptions = subscriptions.of_partners(connection, owners)
        self._told = figures.read_told(connection, {(q.subject, q.test) for q in queries if isinstance(q, Told)})
        self._reports = figures.read_last_reports(
            connection, {(q.name, q.test) for q in queries if isinstance(q, LastReport)}
        )
        strata = {(q.plan, q.stratum, q.window, q.test) for q in queries if isinstance(q, TallyOf)}
        self._tallies = samples.read_tallies(connection, strata)
        items = {(q.plan, q.item, q.test) for q in queries if isinstance(q, DrawOf)}
        self._draws = samples.read_draws(connection, items)
        asks_registry = any(isinstance(q, PartnerById | PartnerByIdentifier | PersonById) for q in queries)
        self._registry = registry.version(connection) if asks_registry else 0

    def case_ids(self) -> set[str]:
        return set(self._versions)

    def wait_ids(self) -> set[str]:
        return set().union(*self._waits_by_key.values())

    def cases_of(self, query: CasesByKeys) -> list[str]:
        return _ids_of(self._cases_by_key, query.keys, query.test)

    def own(self, query: OwnCases) -> list[str]:
        return self._own[query]

    def linked_to(self, query: LinkedCases) -> list[str]:
        """Ids of the cases at the other ends of a case's links of a kind, in this traffic, live or test."""
        ends = self._links.get((query.id, query.kind), set())
        return sorted(id_ for id_ in ends if id_ in self._versions and self._versions[id_].test == query.test)

    def task(self, query: TaskById) -> Task | None:
        task = self._tasks.get(query.id)
        return task if task is not None and task.test == query.test else None

    def tasks_of(self, query: TasksOf) -> list[Task]:
        tasks_ = self._open_tasks.get(query.case, [])
        return sorted((task for task in tasks_ if task.test == query.test), key=lambda task: task.id)

    def decided_of(self, query: ActsOn) -> list[Task]:
        tasks_ = self._decided.get(query.case, [])
        return sorted((task for task in tasks_ if task.test == query.test), key=lambda task: task.id)

    def subject(self, query: Subject) -> Registered:
        versions = self._subjects.get((query.scheme, query.value, query.test), [])
        newest = versions[-1].version if versions else 0
        return Registered(choose_version(versions, query.day), newest, choose_later(versions, query.day))

    def exhibit(self, query: ExhibitById) -> Exhibit | None:
        exhibit = self._exhibits.get(query.id)
        return exhibit if exhibit is not None and exhibit.test == query.test else None

    def waits_of(self, query: Waiting) -> list[str]:
        return _ids_of(self._waits_by_key, query.keys, query.test)

    def versions_of_case(self, query: CaseById) -> dict[str, int]:
        """The case's version by its id; empty where there is none in this traffic, live or test."""
        known = self._versions.get(query.id)
        return {query.id: known.version} if known is not None and known.test == query.test else {}

    def subscriptions_of(self, query: SubscriptionsOf) -> list[Subscription]:
        return self._subscriptions.get((query.partner_id, query.test), [])

    def account(self, query: Ledger) -> Account | None:
        return self._accounts.get((query.account, query.test))

    def entry(self, query: LedgerEntry) -> Entry | None:
        return self._entries.get((query.account, query.test, query.entry))

    def told(self, query: Told) -> tuple[Figure, ...]:
        return self._told.get((query.subject, query.test), ())

    def report(self, query: LastReport) -> MadeReport | None:
        return self._reports.get((query.name, query.test))

    def tally(self, query: TallyOf) -> Tally | None:
        return self._tallies.get((query.plan, query.stratum, query.window, query.test))

    def draw(self, query: DrawOf) -> Draw | None:
        return self._draws.get((query.plan, query.item, query.test))

    def version(self, query: Query) -> str:
        """A token that is another one as soon as the answer is."""
        match query:
            case CasesByKeys():
                return "cases " + " ".join(f"{id_}:{self._versions[id_].version}" for id_ in self.cases_of(query))
            case CaseById(id=id_):
                return f"case {self.versions_of_case(query).get(id_, 0)}"
            case LinkedCases():
                return "linked " + " ".join(f"{id_}:{self._versions[id_].version}" for id_ in self.linked_to(query))
            case TaskById():
                task = self.task(query)
                return f"task {task.version if task is not None else 0}"
            case TasksOf():
                return "tasks " + " ".join(f"{task.id}:{task.version}" for task in self.tasks_of(query))
            case ActsOn():
                return "acts " + " ".join(f"{task.id}:{task.version}" for task in self.decided_of(query))
            case Waiting():
                return "waiting " + " ".join(self.waits_of(query))
            case Ledger():
                account = self.account(query)
                return f"ledger {account.version if account is not None else 0}"
            case LedgerEntry():
                # The states of an entry follow one another, and it comes to none of them twice.
                entry = self.entry(query)
                return f"entry {entry.state.value if entry is not None else ''}"
            case SubscriptionsOf():
                return "subscriptions " + " ".join(f"{o.name}:{o.version}" for o in self.subscriptions_of(query))
            case PartnerById() | PartnerByIdentifier() | PersonById():
                return f"registry {self._registry}"
            case Told():
                # A fact that is taken back stands no longer, and one that is told has a number of its own.
                return "told " + " ".join(str(figure.number) for figure in self.told(query))
            case LastReport():
                report = self.report(query)
                return f"report {report.first.isoformat() if report is not None else ''}"
            case TallyOf():
                tally = self.tally(query)
                return f"tally {tally.version if tally is not None else 0}"
            case DrawOf():
                return f"draw {'made' if self.draw(query) is not None else ''}"
            case Subject():
                subject = self.subject(query)
                return f"subject {subject.version.version if subject.version is not None else 0} of {subject.newest}"
            case ExhibitById():
                return "exhibit" if self.exhibit(query) is not None else ""
            case NextNumber() | OwnCases() | LastFigure() | FiguresIn():
                return ""


def _ids_of(by_key: Mapping[TestKey, set[str]], keys: Iterable[Key], test: bool) -> list[str]:
    return sorted(set().union(*(by_key.get((kind, value, test), set()) for kind, value in keys)))


def ids_by_key(connection: Connection, table: Any, owner: str, keys: set[TestKey]) -> dict[TestKey, set[str]]:
    """Ids of cases or waits by their business keys."""
    found: dict[TestKey, set[str]] = defaultdict(set)
    if keys:
        query = select(table).where(matching((table.c.value, table.c.test), {(value, test) for _, value, test in keys}))
        for row in connection.execute(query):
            if (row.kind, row.value, row.test) in keys:  # hardly ever is a value of one kind one of another kind, too
                found[row.kind, row.value, row.test].add(row._mapping[owner])  # noqa: SLF001 - the documented way to a column by name
    return found


def read_links(connection: Connection, case_ids: Collection[str]) -> dict[tuple[str, str], set[str]]:
    """Ids of the cases at the other ends of these cases' links, by case and kind of the link."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    if not case_ids:
        return found
    links = tables.case_links.c
    mine = or_(among(links.case_id, case_ids), among(links.other_id, case_ids))
    for row in connection.execute(select(tables.case_links).where(mine)):
        for one, other in ((row.case_id, row.other_id), (row.other_id, row.case_id)):
            if one in case_ids:
                found[one, row.kind].add(other)
    return found


@dataclass(frozen=True, slots=True)
class CaseHead:
    """What a case is, without keys and documents."""

    version: int
    status: str
    partner_id: str
    test: bool
    kind: str
    standing: str
    """See `cases.pack_standing`."""


def read_versions(connection: Connection, ids: Iterable[str]) -> dict[str, CaseHead]:
    """Cases without their contents, by id; those that are not there are left out."""
    wanted = list(ids)
    if not wanted:
        return {}
    rows = connection.execute(select(tables.cases).where(among(_cases.id, wanted)))
    return {row.id: CaseHead(row.version, row.status, row.partner_id, row.test, row.kind, row.standing) for row in rows}


def read_cases(connection: Connection, ids: Iterable[str]) -> dict[str, Case]:
    """Cases by id, with keys and documents."""
    heads = read_versions(connection, ids)
    if not heads:
        return {}
    keys: dict[str, set[Key]] = defaultdict(set)
    for row in connection.execute(select(tables.case_keys).where(among(_keys.case_id, heads))):
        keys[row.case_id].add((row.kind, row.value))
    documents: dict[str, dict[str, Any]] = defaultdict(dict)
    for case_id, document_type, document in stored_documents(connection, heads):
        documents[case_id][document_type] = document
    return {id_: _case(id_, head, keys[id_], documents.get(id_, {})) for id_, head in heads.items()}


def read_kind(connection: Connection, kind: str, after: str, limit: int, *, test: bool) -> list[Case]:
    """Cases of a kind other than consignments, the newest first; those older than the case `after`, unless empty."""
    query = select(_cases.id).where(_cases.kind == kind, _cases.test == test, _cases.kind != "consignment")
    if after:
        query = query.where(_cases.id < after)
    ids = connection.scalars(query.order_by(_cases.id.desc()).limit(limit)).all()
    found = read_cases(connection, ids)
    return [found[id_] for id_ in ids]


def _case(id_: str, head: CaseHead, keys: Iterable[Key], documents: Mapping[str, Any]) -> Case:
    tracks, left = unpack_standing(head.standing)
    return Case(
        id_,
        head.version,
        head.status,
        head.partner_id,
        head.test,
        frozenset(keys),
        documents,
        kind=head.kind,
        tracks=tracks,
        left=left,
    )


def _read_waits(connection: Connection, ids: Iterable[str]) -> dict[str, WaitingDocument]:
    wanted = list(ids)
    if not wanted:
        return {}
    return {
        row.id: WaitingDocument(
            row.id,
            row.document_type,
            frozenset((kind, value) for kind, value in from_json(row.keys)),
            from_json(row.document),
            row.partner_id,
            row.message_id,
        )
        for row in connection.execute(select(tables.waits).where(among(_waits.id, wanted)))
    }


@dataclass(frozen=True, slots=True)
class Reservation:
    """Numbers wanted for one occasion."""

    for_id: str
    queries: tuple[NextNumber, ...]


def reservation_names(wanted: Reservation) -> Iterable[Name]:
    """What reserving numbers touches: their counters."""
    return (("counter", _counter(query)) for query in wanted.queries)


def reserve(batch: Batch, wanted: Sequence[Reservation]) -> Sequence[dict[Query, Answer] | GatewayError]:
    """Give out numbers; what was given to an occasion for a slot and attempt before is given to it again."""
    reservations = tables.reservations
    rows = batch.connection.execute(
        select(reservations).where(among(reservations.c.for_id, {one.for_id for one in wanted}))
    )
    given = {(row.for_id, row.counter, row.slot, row.attempt): row.value for row in rows}
    batch.read_counters(_counter(query) for one in wanted for query in one.queries)
    answers: list[dict[Query, Answer] | GatewayError] = []
    for one in wanted:
        numbers: dict[Query, Answer] = {}
        for query in one.queries:
            counter = _counter(query)
            what_for = (one.for_id, counter, query.slot, query.attempt)
            if what_for not in given:
                number = given[what_for] = batch.next_number(counter)
                batch.insert(reservations, (*what_for, number))
            numbers[query] = Answer(given[what_for])
        answers.append(numbers)
    return answers


def _counter(query: NextNumber) -> str:
    """The row of a document number's counter; test numbers are counted apart."""
    return f"number:{'test' if query.test else 'live'}:{query.counter}"
