"""What effects mean for cases, waiting documents and ledgers: said here, once, and purely.

`apply` gives what one decision changes, and `Ground` (in ground.py) lays such changes over facts, so that a later decision
sees what earlier ones came to before anything is committed. The trip, the stores and the tests all go by these two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, cast

from gateway.decide.desk import Alarm, Desk
from gateway.decide.effects import (
    AddKeys,
    Ask,
    Attach,
    Attempt,
    Claim,
    Close,
    CloseAccount,
    Count,
    Disclose,
    Due,
    Effect,
    Escalate,
    Free,
    GiveBack,
    Grant,
    Keep,
    KeepReport,
    Link,
    Move,
    NewCase,
    Posting,
    Register,
    Reserve,
    Retract,
    Reverse,
    Settle,
    Subscribe,
    Tell,
    Undo,
    Use,
    Wait,
)
from gateway.decide.facts import (
    Facts,
    Key,
    Subject,
    TaskById,
    TasksOf,
    WaitingDocument,
)
from gateway.decide.figures import FigureBook
from gateway.decide.parties import acting_office
from gateway.decide.persons import name_rule
from gateway.decide.subjects import lay_over
from gateway.decide.tasks import (
    DEADLINE,
    claim_task,
    decide_task,
    escalate_task,
    give_back,
    make_task,
    name_term,
    tell_standing,
)
from gateway.decide.tracks import NONE, Step
from gateway.errors import LedgerRefused
from gateway.model import (
    Account,
    AuditEntry,
    Case,
    Deadline,
    Draw,
    Entry,
    Figure,
    Finding,
    MadeReport,
    SubjectVersion,
    Subscription,
    Tally,
    Task,
)


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
    """The case as it is then. Its version is one higher where what decisions rest on has changed, and 1 where it is new;
    a note on its timeline changes nothing that anybody rests on."""
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
    accounts: Mapping[str, Account] = field(default_factory=dict)
    """Accounts that postings changed, as they are then, by name."""
    entries: Mapping[tuple[str, str], Entry] = field(default_factory=dict)
    """Entries that postings made or changed, as they are then, by account and id."""
    links: tuple[tuple[str, str, str], ...] = ()
    """(case, kind, the case it belongs to)."""
    deadlines: Mapping[str, Deadline | None] = field(default_factory=dict)
    """By id; None where it is undone."""
    subjects: tuple[SubjectVersion, ...] = ()
    """What is registered of subjects, in order."""
    tasks: Mapping[str, Task] = field(default_factory=dict)
    """Tasks that were asked, claimed, decided or withdrawn, as they are then, by id."""
    audit: tuple[AuditEntry, ...] = ()
    """What persons and systems did to tasks, and what they were refused."""
    subscriptions: Mapping[tuple[str, str], Subscription] = field(default_factory=dict)
    """Subscriptions that were made, changed or ended, as they are then, by partner and name."""
    figures: tuple[Figure, ...] = ()
    """Facts that statistics count, those included that take an earlier one back, in order."""
    reports: tuple[MadeReport, ...] = ()
    tallies: Mapping[tuple[str, str, str], Tally] = field(default_factory=dict)
    """Tallies in which was drawn, as they are then, by plan, stratum and window."""
    draws: tuple[Draw, ...] = ()
    """What was drawn, in order."""
    office: str = ""
    """The code of the office that acts; empty where none does."""


def apply(desk: Desk, effects: Iterable[Effect], cases: Mapping[str, Case] = MappingProxyType({})) -> Applied:
    """What `effects`, decided at `desk`, change; `cases` are those there are beside the facts'.

    KeyError for a case or a task that is in neither, nor made by them; Unknown where the facts do not say yet whether
    a task was asked before, or what stands in an account; LedgerRefused where a posting may not be.
    """
    changes = _Changes(desk, {**_cases_in(desk.facts), **cases})
    for effect in effects:
        changes.add(effect)
    return changes.applied


class _Changes:
    """What the effects of one decision change, gathered one after the other."""

    def __init__(self, desk: Desk, known: Mapping[str, Case]) -> None:
        self._desk = desk
        self._known = known
        self._steps: dict[str, CaseStep] = {}
        self._waits: list[WaitingDocument] = []
        self._attached: list[str] = []
        self._books = desk.open_books()
        self._links: list[tuple[str, str, str]] = []
        self._deadlines: dict[str, Deadline | None] = {}
        self._tasks: dict[str, Task] = {}
        self._audit: list[AuditEntry] = []
        self._subscriptions: dict[tuple[str, str], Subscription] = {}
        occasion = desk.occasion
        self._figures = FigureBook(desk.facts, occasion.id, occasion.at, desk.figures, desk.test)
        self._reports: list[MadeReport] = []
        self._lots = desk.open_lots()
        self._subjects: list[SubjectVersion] = []

    @property
    def applied(self) -> Applied:
        """All of it."""
        return Applied(
            self._desk.test,
            self._steps,
            tuple(self._waits),
            tuple(self._attached),
            self._books.accounts,
            self._books.entries,
            tuple(self._links),
            self._deadlines,
            tuple(self._subjects),
            self._tasks,
            tuple(self._audit),
            self._subscriptions,
            tuple(self._figures.added),
            tuple(self._reports),
            self._lots.tallies,
            tuple(self._lots.draws.values()),
            acting_office(self._desk.sender, getattr(self._desk.occasion, "document", None)),
        )

    def add(self, effect: Effect) -> None:
        """What one effect changes, of cases and of all else."""
        match effect:
            case NewCase():
                self._steps[effect.case] = CaseStep(None, _opened(self._desk, effect))
                return
            case Wait():
                self._waits.append(_waiting(self._desk, effect))
            case Attach():
                self._attached.append(effect.waiting_id)
            case Grant() | Reserve() | Use() | Free() | Reverse() | CloseAccount():
                self._post(effect)
            case Link():
                self._links.append((effect.case, effect.kind, effect.other))
            case Due() | Undo():
                self._set_deadline(effect)
            case Ask():
                self._ask(effect)
            case Settle() | Close() | Claim() | GiveBack() | Escalate():
                effect = self._change_task(effect) or effect
            case Subscribe(subscription=subscription):
                self._subscriptions[subscription.partner_id, subscription.name] = subscription
            case Register():
                self._register(effect)
            case Attempt():
                self._tell(effect.action, effect.task, effect.case, effect.office, effect.role, why=effect.reasons)
            case Tell():
                self._figures.tell(effect, is_new=self._is_new(effect.subject))
            case Retract():
                self._figures.retract(effect, is_new=self._is_new(effect.subject))
            case KeepReport():
                self._reports.append(effect.report)
            case Count():
                self._lots.count(effect.draw, effect.case)
            case Disclose():
                self._disclose(effect)
            case _:
                pass
        if case_id := str(getattr(effect, "case", "")):
            self._step(case_id, effect)

    def _step(self, case_id: str, effect: Effect) -> None:
        step = self._steps.get(case_id)
        if step is None:
            before = self._known[case_id]
            step = CaseStep(before, before)
        self._steps[case_id] = _stepped(self._desk, step, effect)

    def _disclose(self, effect: Disclose) -> None:
        """A line of the audit about a key of sampling."""
        told = {"window": effect.window, "sha256": effect.digest, "key": effect.key}
        occasion = self._desk.occasion
        self._audit.append(
            AuditEntry(
                self._desk.now,
                "sampling.reveal" if effect.key else "sampling.key",
                "done",
                occasion.actor.partner.id,
                occasion.actor.person,
                occasion.actor.role,
                "",
                "",
                "",
                occasion.id,
                after={name: value for name, value in told.items() if value},
                test=self._desk.test,
            )
        )

    def _is_new(self, subject: str) -> bool:
        """Whether the subject is a case that this decision opens, of which nothing can have been told before."""
        step = self._steps.get(subject)
        return step is not None and step.before is None

    def _post(self, posting: Posting) -> None:
        """Whoever decides looks first what may be posted; what may not be is nothing to go on from."""
        if faults := self._books.post(posting):
            raise LedgerRefused(account=posting.account, reasons=[fault.code for fault in faults])

    def _set_deadline(self, effect: Due | Undo) -> None:
        if isinstance(effect, Undo):
            self._deadlines[effect.id] = None
        else:
            self._deadlines[effect.id] = Deadline(
                effect.id, effect.kind, effect.case, effect.at, effect.args, self._desk.test
            )

    def _register(self, effect: Register) -> None:
        """The next version of a subject, of which the audit tells with the one that it follows."""
        desk, occasion = self._desk, self._desk.occasion
        known = desk.facts[Subject(effect.scheme, effect.value, effect.valid_from, desk.test)]
        mine = [one for one in self._subjects if (one.scheme, one.value) == (effect.scheme, effect.value)]
        known = lay_over(known, mine, effect.valid_from)
        made = SubjectVersion(
            effect.scheme,
            effect.value,
            known.newest + 1,
            effect.valid_from,
            effect.state,
            effect.name,
            effect.attributes,
            occasion.actor.partner.id,
            occasion.id,
            occasion.at,
            desk.test,
        )
        self._subjects.append(made)
        self._audit.append(
            AuditEntry(
                desk.now,
                "registry.register",
                "done",
                occasion.actor.partner.id,
                occasion.actor.person,
                occasion.actor.role,
                task_id="",
                case_id="",
                office="",
                occasion=occasion.id,
                before=_registered(known.version),
                after=_registered(made),
                test=desk.test,
                subject=f"{effect.scheme} {effect.value}",
            )
        )

    def _ask(self, effect: Ask) -> None:
        """The task that is asked, due when whoever asks says, or when the rule of its kind does."""
        desk = self._desk
        if desk.facts[TaskById(effect.id, desk.test)] is not None:
            return
        kind = desk.tasks[effect.kind]
        term = desk.rules.acts.task(effect.kind).due
        due_at = effect.due_at
        if due_at is None and term is not None:
            due_at = desk.rules.calendar.end(term, desk.now)
        self._keep_task(make_task(effect, kind, at=desk.now, due_at=due_at, test=desk.test))

    def _change_task(self, effect: Settle | Close | Claim | GiveBack | Escalate) -> Move | None:
        """The task as it is then, and what its decision moves."""
        desk = self._desk
        before = self._tasks.get(effect.task) or _find_task(desk, effect.task)
        person = desk.occasion.actor.person
        match effect:
            case Claim():
                after, action = claim_task(before, effect, person), "task.claim"
            case GiveBack():
                after, action = give_back(before), "task.return"
            case Escalate():
                after = escalate_task(before, effect)
                action = "task.escalate" if effect.office else "task.expire"
            case Settle() | Close():
                after = decide_task(before, effect.option, desk.occasion.id, person, desk.now)
                if isinstance(effect, Settle):
                    after = replace(after, evidence=tuple(dict.fromkeys((*before.evidence, *effect.evidence))))
                others = before.is_claimed(desk.occasion.at) and before.person_id != person
                action = "task.withdraw" if not effect.option else "task.override" if others else "task.decide"
        self._keep_task(after, before)
        role = effect.role if isinstance(effect, Settle | Claim | GiveBack) else ""
        why = effect.reasons if isinstance(effect, Settle) else ()
        self._tell(action, before.id, before.case_id, before.office, role, why=why, before=before, after=after)
        if not isinstance(effect, Settle):
            return None
        return Move(before.case_id, before.track, before.options[effect.option], effect.reasons)

    def _keep_task(self, task: Task, before: Task | None = None) -> None:
        """The task as it is then, and the deadline at which its term is over."""
        self._tasks[task.id] = task
        if task.state.waits and task.due_at is not None:
            term = name_term(task.id)
            self._deadlines[term] = Deadline(term, DEADLINE, task.case_id, task.due_at, {"task": task.id}, task.test)
        elif before is not None and before.due_at is not None:
            self._deadlines[name_term(task.id)] = None

    def _tell(
        self,
        action: str,
        task_id: str,
        case_id: str,
        office: str,
        role: str,
        *,
        why: Iterable[Finding],
        before: Task | None = None,
        after: Task | None = None,
    ) -> None:
        """A line of the audit: of what was done where the task is there as it was, and else of what was refused."""
        occasion = self._desk.occasion
        # A term that is over is nobody's doing: the rule of such tasks is.
        by_rule = name_rule("tasks", after.kind) if after is not None and isinstance(occasion, Alarm) else ""
        self._audit.append(
            AuditEntry(
                self._desk.now,
                action,
                "done" if after is not None else "refused",
                occasion.actor.partner.id,
                occasion.actor.person or by_rule,
                role or occasion.actor.role,
                task_id,
                case_id,
                office,
                occasion.id,
                before=tell_standing(before),
                after=tell_standing(after),
                reasons=tuple(dict.fromkeys(finding.code for finding in why)),
                test=self._desk.test,
            )
        )


def _registered(version: SubjectVersion | None) -> dict[str, str]:
    """A version as the audit says it: what is registered by name, and no more of it."""
    if version is None:
        return {}
    told = {
        "version": str(version.version),
        "valid_from": version.valid_from.isoformat(),
        "state": version.state,
        "name": version.name,
        "attributes": " ".join(sorted(version.attributes)),
    }
    return {name: value for name, value in told.items() if value}


def _find_task(desk: Desk, task_id: str) -> Task:
    """A task that facts hold, among those of its case or by its id."""
    for query, answer in desk.facts.answers.items():
        if isinstance(query, TasksOf):
            for task in cast("Sequence[Task]", answer.value):
                if task.id == task_id:
                    return task
    found = desk.facts[TaskById(task_id, desk.test)]
    if found is None:
        raise KeyError(task_id)
    return found


def changed(desk: Desk, case: Case, effects: Iterable[Effect]) -> Case:
    """`case` with what those of `effects` set that name it, for a flow that goes on from there."""
    step = CaseStep(case, case)
    for effect in effects:
        if getattr(effect, "case", "") == case.id:
            step = _stepped(desk, step, effect)
    return step.after


def _opened(desk: Desk, effect: NewCase) -> Case:
    """The case as it is opened; LookupError where no flow brings cases of its kind."""
    if effect.kind not in desk.kinds:
        raise LookupError(f"no flow brings cases of the kind {effect.kind}")
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
    return _changed(step, {"tracks": tracks, "left": left, "status": status}, moves=moves)


def _stepped(desk: Desk, step: CaseStep, effect: Effect) -> CaseStep:
    """`step` with what an effect sets in its case; most say something about a case, and set nothing."""
    after = step.after
    match effect:
        case Move():
            return _moved(desk, step, effect)
        case AddKeys():
            if effect.keys <= after.keys:
                return step
            desk.kinds[after.kind].require(effect.keys)
            added = step.add_keys | effect.keys
            return _changed(step, {"keys": after.keys | effect.keys}, add_keys=added)
        case Keep():
            newest = {effect.document_type: effect.document.to_kept()}
            documents = {**step.documents, **newest}
            return _changed(step, {"documents": {**after.documents, **newest}}, documents=documents)
        case _:
            return step


def _changed(step: CaseStep, values: Mapping[str, Any], **noted: Any) -> CaseStep:
    """`step` with these values in its case, which has another version from then on, and with what is `noted` beside it."""
    version = step.before.version + 1 if step.before is not None else 1
    return replace(step, after=replace(step.after, version=version, **values), **noted)


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
