"""What a decision must know: questions to the store, and the answers with the versions they were read at.

A flow reads `facts[question]`. Where the answer is not there yet, `Unknown` names what is missing;
`decide.needs` turns that into queries for the store. So a flow cannot read what it forgot to ask
for, and asks (and reserves a number) only once it is known to be needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Generic, TypeVar, cast

from gateway.decide.names import (
    Name,
    case_name,
    draw_name,
    exhibit_name,
    figures_name,
    key_names,
    ledger_name,
    links_name,
    report_name,
    subject_name,
    subscriptions_name,
    tally_name,
    task_name,
    tasks_name,
    wait_key_names,
    wait_name,
)
from gateway.model import (
    Account,
    ActDone,
    Case,
    Draw,
    Entry,
    Exhibit,
    Figure,
    FigureSum,
    MadeReport,
    Partner,
    Person,
    Registered,
    Subscription,
    Tally,
    Task,
)

T = TypeVar("T")
Key = tuple[str, str]
"""A business key: (kind, value).

Kinds of cases: reference, declaration, notice, transfer, entry, bill, container, contract, response (a digest
of the sender and id of each answer seen); what waits has bill, container and manifest.
"""


class Question(Generic[T]):
    """Something the store can answer with a `T`. Test traffic asks for, and meets, test things only."""

    __slots__ = ()

    def touches(self, answer: T) -> Iterator[Name]:  # noqa: ARG002 - what is asked once for all, as who a partner is, touches nothing
        """Names of all that `answer` rests on, of what was not there included."""
        return iter(())


@dataclass(frozen=True, slots=True)
class CasesByKeys(Question[tuple[Case, ...]]):
    """Every case that has any of `keys`, ordered by case id; empty where there is none."""

    keys: frozenset[Key]
    test: bool = False

    def touches(self, answer: tuple[Case, ...]) -> Iterator[Name]:
        """The keys, and the cases they find."""
        yield from key_names(self.keys, test=self.test)
        yield from (case_name(case.id) for case in answer)


@dataclass(frozen=True, slots=True)
class CaseById(Question[Case | None]):
    """The case with this id."""

    id: str
    test: bool = False

    def touches(self, answer: Case | None) -> Iterator[Name]:  # noqa: ARG002 - the base class's signature
        """The case, whether it is there or not."""
        yield case_name(self.id)


MOST_OWN = 10
"""Cases that a number finds for whoever takes part in them: a bill may be of several consignments, and a container is in
one at a time."""


@dataclass(frozen=True, slots=True)
class OwnCases(Question[tuple[Case, ...]]):
    """The newest cases of the number `key`, of whatever kind that is, or of that id, in which `partner` takes part.

    They are ordered by case id, and MOST_OWN at most. What is another's is looked for, and not found, like what is not there at all. It is how things stood when it was
    asked, to be told and not to be decided upon: whatever moves them meanwhile is held up by nobody who asks.
    """

    partner: str
    key: str
    test: bool = False


@dataclass(frozen=True, slots=True)
class LinkedCases(Question[tuple[Case, ...]]):
    """Every case that the case `id` is linked to as its `kind`, or that is so linked to it, ordered by case id."""

    id: str
    kind: str
    test: bool = False

    def touches(self, answer: tuple[Case, ...]) -> Iterator[Name]:
        """The case's links, and the cases at their other ends."""
        yield links_name(self.id)
        yield from (case_name(case.id) for case in answer)


@dataclass(frozen=True, slots=True)
class TaskById(Question[Task | None]):
    """The task with this id, whether it is open or not."""

    id: str
    test: bool = False

    def touches(self, answer: Task | None) -> Iterator[Name]:  # noqa: ARG002 - the base class's signature
        """The task, whether it is there or not."""
        yield task_name(self.id)


@dataclass(frozen=True, slots=True)
class TasksOf(Question[tuple[Task, ...]]):
    """The open tasks about the case `case`, ordered by id."""

    case: str
    test: bool = False

    def touches(self, answer: tuple[Task, ...]) -> Iterator[Name]:
        """The case's tasks, those included that are not asked yet."""
        yield tasks_name(self.case)
        yield from (task_name(task.id) for task in answer)


@dataclass(frozen=True, slots=True)
class ActsOn(Question[tuple[ActDone, ...]]):
    """What was done on the case `case` by deciding tasks, ordered by the tasks' ids."""

    case: str
    test: bool = False

    def touches(self, answer: tuple[ActDone, ...]) -> Iterator[Name]:
        """The case's tasks, those included that are not asked yet."""
        yield tasks_name(self.case)
        yield from (task_name(done.task_id) for done in answer)


@dataclass(frozen=True, slots=True)
class PersonById(Question[Person | None]):
    """The person with this id, active or not."""

    id: str


@dataclass(frozen=True, slots=True)
class Subject(Question[Registered]):
    """What is registered on a day of whoever goes by `value` in `scheme`."""

    scheme: str
    value: str
    day: date
    test: bool = False

    def touches(self, answer: Registered) -> Iterator[Name]:  # noqa: ARG002 - the base class's signature
        """The subject, whether anything is registered of it or not."""
        yield subject_name(self.scheme, self.value, test=self.test)


@dataclass(frozen=True, slots=True)
class ExhibitById(Question[Exhibit | None]):
    """The piece of evidence with this id, without its bytes."""

    id: str
    test: bool = False

    def touches(self, answer: Exhibit | None) -> Iterator[Name]:  # noqa: ARG002 - the base class's signature
        """The evidence, whether it has come or not."""
        yield exhibit_name(self.id)


@dataclass(frozen=True, slots=True)
class NextNumber(Question[int]):
    """The next number of `counter`, counted from 1.

    It is reserved for the occasion in hand: asked again for the same slot and attempt it is the same number. One that
    is found taken is asked for with the next attempt.
    """

    counter: str
    slot: str = ""
    """What it is for, of all that the occasion needs numbers of this counter for: a case, a line."""
    attempt: int = 1
    test: bool = False


@dataclass(frozen=True, slots=True)
class PartnerById(Question[Partner | None]):
    """The active partner with this id."""

    id: str


@dataclass(frozen=True, slots=True)
class PartnerByIdentifier(Question[Partner | None]):
    """The active partner that goes by `value` in `scheme` (`ciq-org`, `ciq-registration`, `customs-office`, ...)."""

    scheme: str
    value: str


@dataclass(frozen=True, slots=True)
class WaitingDocument:
    """A document that matched nothing when it came; see `effects.Wait`."""

    id: str
    document_type: str
    keys: frozenset[Key]
    document: Mapping[str, object]
    partner_id: str
    message_id: str = ""


@dataclass(frozen=True, slots=True)
class Waiting(Question[tuple[WaitingDocument, ...]]):
    """Documents that wait under any of `keys`, ordered by id."""

    keys: frozenset[Key]
    test: bool = False

    def touches(self, answer: tuple[WaitingDocument, ...]) -> Iterator[Name]:
        """The keys, and what waits under them."""
        yield from wait_key_names(self.keys, test=self.test)
        yield from (wait_name(waiting.id) for waiting in answer)


@dataclass(frozen=True, slots=True)
class Ledger(Question[Account | None]):
    """An account with its terms and sums; None where nothing was ever granted by it."""

    account: str
    test: bool = False

    def touches(self, answer: Account | None) -> Iterator[Name]:  # noqa: ARG002 - the base class's signature
        """The account, whether it is there or not."""
        yield ledger_name(self.account, test=self.test)


@dataclass(frozen=True, slots=True)
class LedgerEntry(Question[Entry | None]):
    """The entry of an account with this id."""

    account: str
    entry: str
    test: bool = False

    def touches(self, answer: Entry | None) -> Iterator[Name]:  # noqa: ARG002 - the base class's signature
        """The account that it is an entry of."""
        yield ledger_name(self.account, test=self.test)


@dataclass(frozen=True, slots=True)
class SubscriptionsOf(Question[tuple[Subscription, ...]]):
    """All subscriptions of a partner, those included that it has ended, ordered by name."""

    partner_id: str
    test: bool = False

    def touches(self, answer: tuple[Subscription, ...]) -> Iterator[Name]:  # noqa: ARG002 - the base class's signature
        """The partner's subscriptions, those included that it has not made yet."""
        yield subscriptions_name(self.partner_id, test=self.test)


@dataclass(frozen=True, slots=True)
class Told(Question[tuple[Figure, ...]]):
    """What statistics were told of a subject and stands, one fact a kind, ordered by kind."""

    subject: str
    test: bool = False

    def touches(self, answer: tuple[Figure, ...]) -> Iterator[Name]:  # noqa: ARG002 - the base class's signature
        """All that was told of the subject."""
        yield figures_name(self.subject, test=self.test)


@dataclass(frozen=True, slots=True)
class LastFigure(Question[int]):
    """The number of the last statistical fact there is; 0 where there is none. What is up to it never changes."""

    test: bool = False


@dataclass(frozen=True, slots=True)
class FiguresIn(Question[tuple[FigureSum, ...]]):
    """What was told of `kinds` for the days from `first` to `last`, by facts with numbers above `after` up to `up_to`.

    Facts are never changed, and so the answer is not either.
    """

    kinds: tuple[str, ...]
    first: date
    last: date
    after: int
    up_to: int
    test: bool = False


@dataclass(frozen=True, slots=True)
class TallyOf(Question[Tally | None]):
    """How many were drawn by a sampling plan in one stratum and window; None where none was."""

    plan: str
    stratum: str
    window: str
    test: bool = False

    def touches(self, answer: Tally | None) -> Iterator[Name]:  # noqa: ARG002 - the base class's signature
        """The tally, whether it is there or not."""
        yield tally_name(self.plan, self.stratum, self.window, test=self.test)


@dataclass(frozen=True, slots=True)
class DrawOf(Question[Draw | None]):
    """What was drawn of `item` by a sampling plan, in whichever stratum and window; None where it was not drawn."""

    plan: str
    item: str
    test: bool = False

    def touches(self, answer: Draw | None) -> Iterator[Name]:  # noqa: ARG002 - the base class's signature
        """The draw, whether it is there or not."""
        yield draw_name(self.plan, self.item, test=self.test)


@dataclass(frozen=True, slots=True)
class LastReport(Question[MadeReport | None]):
    """The last report of this name that was made; None where none was."""

    name: str
    test: bool = False

    def touches(self, answer: MadeReport | None) -> Iterator[Name]:  # noqa: ARG002 - the base class's signature
        """The reports of this name."""
        yield report_name(self.name, test=self.test)


Query = (
    CasesByKeys
    | OwnCases
    | CaseById
    | LinkedCases
    | TaskById
    | TasksOf
    | ActsOn
    | PersonById
    | Subject
    | ExhibitById
    | NextNumber
    | PartnerById
    | PartnerByIdentifier
    | Waiting
    | Ledger
    | LedgerEntry
    | SubscriptionsOf
    | Told
    | LastFigure
    | FiguresIn
    | LastReport
    | TallyOf
    | DrawOf
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the store said, and a token that it compares at the commit.

    An empty answer has a version too (a case that was not there may be by then). An empty token
    means that the answer cannot move, as a reserved number cannot, or that nothing is decided upon it.
    """

    value: object
    version: str = ""


class Unknown(BaseException):  # no fault, and so nothing that catches faults may catch it
    """Facts are missing; `queries` names them. A signal from a flow to `needs`, which always catches it."""

    def __init__(self, queries: tuple[Query, ...]) -> None:
        super().__init__(queries)
        self.queries = queries


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known: answers by query."""

    answers: Mapping[Query, Answer] = field(default_factory=dict)

    def __getitem__(self, question: Question[T]) -> T:
        """The answer to `question`; Unknown where it was not asked yet."""
        query = cast("Query", question)
        answer = self.answers.get(query)
        if answer is None:
            raise Unknown((query,))
        return cast("T", answer.value)

    def require(self, queries: Iterable[Query]) -> None:
        """Ask for several things at once, so that one trip to the store fetches them all."""
        missing = tuple(dict.fromkeys(q for q in queries if q not in self.answers))
        if missing:
            raise Unknown(missing)

    def touches(self) -> Iterator[Name]:
        """Names of all that these facts rest on."""
        for query, answer in self.answers.items():
            yield from cast("Question[object]", query).touches(answer.value)

    def plus(self, answers: Mapping[Query, Answer]) -> Facts:
        """These facts and `answers`."""
        return Facts({**self.answers, **answers})
