"""What a flow declares of itself: the documents it takes, what it decides, what it reacts to, and the feeds it writes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime
from itertools import combinations
from typing import Any, TypeVar

from gateway.check.acts import ActRules
from gateway.check.competence import CompetenceRules
from gateway.check.feeds import FeedRules
from gateway.check.gates import GateRules
from gateway.check.modes import ModeRules
from gateway.check.number_rules import NumberRule
from gateway.check.report_rules import COUNT, ReportRule
from gateway.check.risk_rules import RiskRules
from gateway.check.rulebook import Headlines, Rules, RuleSet
from gateway.check.sampling_rules import SamplingPlan
from gateway.check.views import ViewRules
from gateway.decide import sampling_keys
from gateway.decide.desk import Desk, Occasion
from gateway.decide.effects import Effect
from gateway.decide.facts import Facts
from gateway.decide.figures import FigureKind
from gateway.decide.kinds import CaseKind
from gateway.decide.numbers import NumberKind
from gateway.decide.overdue import escalate
from gateway.decide.sampling import SampleKind
from gateway.decide.sampling_keys import begin_window
from gateway.decide.tasks import CLAIM, DEADLINE, GIVE_BACK, TaskKind
from gateway.decide.tracks import Track, Tracks
from gateway.decide.unacknowledged import UNACKNOWLEDGED, report
from gateway.documents.base import Document
from gateway.errors import FlowsInvalid
from gateway.model import Case, Deadline, Role

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Takes:
    """A document that a flow decides; where several flows take one type, `when` tells whose it is."""

    document: type[Document]
    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By field (`subject.kind`), the values with which the document is this flow's. A field is absent as ''."""
    otherwise: bool = False
    """Whether only what no other flow takes is this flow's, so that a flow for some of it needs no change here."""
    answers: Callable[[Any], tuple[str, str]] | None = None
    """Of a document that answers one of ours: the type of document it answers, and its verdict. Which one of the case's
    it was is found by whom that was sent to; None where it answers nothing."""

    def fits(self, document: Document) -> bool:
        """Whether `document` is of this type, with these values."""
        if type(document) is not self.document:
            return False
        return all(_value(document, path) in values for path, values in self.when.items())

    def meets(self, other: Takes) -> bool:
        """Whether there may be a document that both would have: what one takes of its own is not left to the other."""
        apart = (path for path in self.when if not set(self.when[path]) & set(other.when.get(path, self.when[path])))
        alike = self.document is other.document and self.otherwise is other.otherwise
        return alike and next(apart, None) is None


def _value(document: Document, path: str) -> str:
    value: object = document
    for name in path.split("."):
        value = getattr(value, name, None)
    return "" if value is None else str(value)


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed that a flow writes, and which roles may read it at most; a reader sees entries of its own, and of all."""

    name: str
    readers: frozenset[Role]


@dataclass(frozen=True, slots=True)
class On:
    """A reaction: what a flow adds where any flow's decision moves a case on `track` by `event`."""

    track: str
    event: str
    react: Callable[[Desk, Case], list[Effect]]
    """Given the desk, its facts with all that was decided so far laid over, and the case as it is then."""


@dataclass(frozen=True, slots=True)
class Flow:
    """What the trade decides for some documents."""

    name: str
    """By which its feeds' rules and the ids of what its reactions make are told from other flows'."""
    takes: tuple[Takes, ...]
    decide: Callable[[Desk], list[Effect]]
    """Pure: equal desks give equal effects."""
    feeds: tuple[Feed, ...] = ()
    reacts: tuple[On, ...] = ()
    tracks: tuple[Track, ...] = ()
    """Tables that this flow owns; a track has one owner."""
    rules: tuple[type[RuleSet], ...] = ()
    """Kinds of rule sets that this flow brings; other flows may read them."""
    case_kind: CaseKind | None = None
    """What the cases are that it opens; None where it opens none, or those of another flow's kind."""
    tasks: tuple[TaskKind, ...] = ()
    """Kinds of tasks that it asks."""
    numbers: tuple[NumberKind, ...] = ()
    """Kinds of numbers that it gives out, by the rules in schemas/rules/numbers."""
    gates: frozenset[str] = frozenset()
    """Acts before which it asks what is still wanted, by the rules in schemas/rules/gates."""
    competences: frozenset[str] = frozenset()
    """Acts of which it asks which office may do them, by the rules in schemas/rules/competence."""
    figures: tuple[FigureKind, ...] = ()
    """What it counts; reports are made of it."""
    samples: tuple[SampleKind, ...] = ()
    """Plans by which it draws samples, by the rules in schemas/rules/sampling."""
    deadlines: Mapping[str, Callable[[Desk], list[Effect]]] = field(default_factory=dict)
    """By kind of deadline, what is decided once one is over: pure, as `decide`."""
    begins: Callable[[Rules, datetime], Iterable[Deadline]] | None = None
    """The deadlines that no decision sets, and each next one is set by the one before: they are set where they are not."""
    at_once: bool = False
    """Whether whoever sends such a document waits for what comes of it: it is decided before anything else is."""


_OWN: Mapping[str, Callable[[Desk], list[Effect]]] = {
    DEADLINE: escalate,
    UNACKNOWLEDGED: report,
    sampling_keys.DEADLINE: begin_window,
}
"""The engine's own kinds of deadlines."""


class Flows:
    """All flows there are, found once and handed on."""

    def __init__(self, flows: Iterable[Flow]) -> None:
        """FlowsInvalid where two do not go together."""
        self.all = tuple(sorted(flows, key=lambda flow: flow.name))
        self.feeds: Mapping[str, Feed] = _feeds(self.all)
        """By name."""
        self.rules: tuple[type[RuleSet], ...] = tuple(model for flow in self.all for model in flow.rules)
        """Every kind of rule set that a flow brings."""
        self.tracks = Tracks(track for flow in self.all for track in flow.tracks)
        self._by_type: dict[type[Document], list[tuple[Takes, Flow]]] = defaultdict(list)
        self._reactions: dict[tuple[str, str], list[tuple[Flow, On]]] = defaultdict(list)
        self._at_once = {takes.document.document_type for flow in self.all if flow.at_once for takes in flow.takes}
        for flow in self.all:
            for takes in flow.takes:
                self._by_type[takes.document].append((takes, flow))
            for on in flow.reacts:
                if not self.tracks.knows(on.track, on.event):
                    raise FlowsInvalid(f"{flow.name} waits for {on.track}.{on.event}, which never happens")
                self._reactions[on.track, on.event].append((flow, on))
        if len({model.kind for model in self.rules}) < len(self.rules):
            raise FlowsInvalid("two flows bring rules of one kind")
        self.case_kinds: Mapping[str, CaseKind] = _named(
            "cases of the kind", ((flow.case_kind.name, flow.case_kind) for flow in self.all if flow.case_kind)
        )
        self.tasks: Mapping[str, TaskKind] = _named(
            "tasks of the kind", ((kind.name, kind) for flow in self.all for kind in flow.tasks)
        )
        self.numbers: Mapping[str, NumberKind] = _named(
            "numbers of the kind", ((kind.name, kind) for flow in self.all for kind in flow.numbers)
        )
        self.figures: Mapping[str, FigureKind] = _named(
            "figures of the kind", ((kind.name, kind) for flow in self.all for kind in flow.figures)
        )
        self.samples: Mapping[str, SampleKind] = _named(
            "samples by the plan", ((kind.name, kind) for flow in self.all for kind in flow.samples)
        )
        self.secret = b""
        """What the keys of sampling come from; none where empty."""
        self._deadlines = _named(
            "deadlines of the kind",
            (pair for deadlines in (*(flow.deadlines for flow in self.all), _OWN) for pair in deadlines.items()),
        )
        for kind in self.tasks.values():
            if reserved := kind.options.keys() & {CLAIM, GIVE_BACK}:
                raise FlowsInvalid(f"the task {kind.name} has the option {min(reserved)}, which every task has")
            if unknown := [event for event in kind.options.values() if not self.tracks.knows(kind.track, event)]:
                raise FlowsInvalid(f"the task {kind.name} fires {kind.track}.{unknown[0]}, which never happens")
        for one, other in combinations(self.all, 2):
            if one.name == other.name:
                raise FlowsInvalid(f"two flows are called {one.name}")
            for mine in one.takes:
                if any(mine.meets(theirs) for theirs in other.takes):
                    raise FlowsInvalid(f"both {one.name} and {other.name} take {mine.document.document_type}")

    def find(self, document: Document) -> Flow | None:
        """The flow that takes `document`; None where it is no flow's."""
        found = [(takes, flow) for takes, flow in self._by_type.get(type(document), ()) if takes.fits(document)]
        return min(found, key=lambda pair: pair[0].otherwise)[1] if found else None

    def find_answered(self, document: Document) -> tuple[str, str] | None:
        """The type of our document that `document` answers, and its verdict; None where it answers none."""
        for takes, _ in self._by_type.get(type(document), ()):
            if takes.answers is not None and takes.fits(document):
                return takes.answers(document)
        return None

    def is_at_once(self, document_type: str) -> bool:
        """Whether whoever sends such a document waits for what comes of it."""
        return document_type in self._at_once

    def tasks_on(self, track: str) -> bool:
        """Whether any flow asks tasks about `track`."""
        return any(kind.track == track for kind in self.tasks.values())

    def on_deadline(self, kind: str) -> Callable[[Desk], list[Effect]]:
        """What decides once a deadline of `kind` is over. LookupError where no flow brings it (any more)."""
        return self._deadlines[kind]

    def desk(self, occasion: Occasion, facts: Facts, rules: Rules, now: datetime) -> Desk:
        """The desk at which flows decide about `occasion`."""
        return Desk(
            occasion,
            facts,
            rules,
            now,
            tracks=self.tracks,
            tasks=self.tasks,
            kinds=self.case_kinds,
            feeds=self.readers(rules.feeds),
            figures=self.figures,
            samples=self.samples,
            secret=self.secret,
        )

    def begin(self, rules: Rules, now: datetime) -> list[Deadline]:
        """The deadlines by which reports, windows of sampling and the like begin, as if none was set yet."""
        begun = [deadline for flow in self.all if flow.begins is not None for deadline in flow.begins(rules, now)]
        return [*begun, *(sampling_keys.first_deadlines(rules, now) if self.secret else ())]

    def keyed(self, secret: bytes) -> Flows:
        """The same flows, whose desks have this secret of sampling."""
        same = copy(self)
        same.secret = secret
        return same

    def check_headlines(self, headlines: Headlines) -> None:
        """FlowsInvalid where a line waits for a state that no track ever comes to, and so would never be shown."""
        for kind, lines in headlines.items():
            for line in lines:
                self.tracks.require(f"headline/{kind}.toml, rank {line.rank},", line.when.items())

    def check_acts(self, rules: ActRules) -> None:
        """FlowsInvalid where a task needs an act that nobody could do, or a rule is about tasks that no flow asks."""
        for kind in self.tasks.values():
            if kind.act not in rules.acts:
                raise FlowsInvalid(
                    f"the task {kind.name} needs the act {kind.act}, which schemas/rules/acts does not name"
                )
        if unknown := sorted(rules.tasks.keys() - self.tasks.keys()):
            raise FlowsInvalid(f"schemas/rules/tasks has a rule of tasks of the kind {unknown[0]}, which no flow asks")

    def check_reports(self, reports: Mapping[str, ReportRule]) -> None:
        """FlowsInvalid where a report counts what no flow tells."""
        for name, rule in reports.items():
            if unknown := sorted(set(rule.kinds) - self.figures.keys()):
                raise FlowsInvalid(f"schemas/reports/{name}.toml: no flow counts {unknown[0]}")
            for kind in (self.figures[one] for one in rule.kinds):
                if strange := sorted(rule.dims - kind.dims):
                    raise FlowsInvalid(f"schemas/reports/{name}.toml: {kind.name} is not counted by {strange[0]}")
                if rule.measure != COUNT and rule.measure not in kind.measures:
                    raise FlowsInvalid(f"schemas/reports/{name}.toml: {kind.name} does not measure {rule.measure}")

    def check_risks(self, rules: RiskRules) -> None:
        """FlowsInvalid where a point waits for a move that never happens."""
        for point in rules.points.values():
            for what in point.what if point.on == "move" else ():
                if not self.tracks.knows(*what.split(".", 1)):
                    raise FlowsInvalid(f"schemas/rules/risk_points: {point.name} waits for {what}, which never happens")

    def check_sampling(self, plans: Mapping[str, SamplingPlan]) -> None:
        """FlowsInvalid where a flow draws by a plan that there is not, or one has a stratum that the flow does not know."""
        for name, kind in self.samples.items():
            if name not in plans:
                raise FlowsInvalid(f"nothing in schemas/rules/sampling says how much of {name} is chosen")
            if unknown := set(plans[name].stratum) - kind.fields:
                raise FlowsInvalid(f"{name} is not drawn by {', '.join(sorted(unknown))}")
        if strangers := plans.keys() - self.samples.keys():
            raise FlowsInvalid(f"no flow draws by {', '.join(sorted(strangers))}")

    def check_numbers(self, rules: Mapping[str, NumberRule]) -> None:
        """FlowsInvalid where numbers that a flow gives out have no rule, or one that asks for what the flow does not know."""
        for name, kind in self.numbers.items():
            if name not in rules:
                raise FlowsInvalid(f"nothing in schemas/rules/numbers says how {name} numbers are made up")
            if unknown := rules[name].fields - kind.fields:
                raise FlowsInvalid(f"{name} numbers have no {', '.join(sorted(unknown))}")
        if strangers := rules.keys() - self.numbers.keys():
            raise FlowsInvalid(f"no flow gives out numbers of the kind {', '.join(sorted(strangers))}")

    def check_gates(self, rules: GateRules, modes: ModeRules) -> None:
        """FlowsInvalid where an act that a flow asks about has no gate, or a gate speaks of what no flow or rule brings."""
        asked = frozenset[str]().union(*(flow.gates for flow in self.all))
        if ungated := asked - {act for act, _ in rules.gates}:
            raise FlowsInvalid(f"nothing in schemas/rules/gates says what is wanted before the act {min(ungated)}")
        for (act, kind), gates in rules.gates.items():
            who = f"the gate before {act} on a {kind}"
            if act not in asked:
                raise FlowsInvalid(f"{who} is one that no flow asks")
            if unknown := {kind, *(need.kind for gate in gates for need in gate.need if need.kind)} - set(
                self.case_kinds
            ):
                raise FlowsInvalid(f"{who} is about a case of the kind {min(unknown)}, which no flow opens")
            for gate in gates:
                if strangers := gate.modes - modes.modes.keys():
                    raise FlowsInvalid(
                        f"{who} is about the mode {min(strangers)}, which schemas/rules/modes does not name"
                    )
                for need in gate.need:
                    self.tracks.require(who, [(need.track, need.states), *need.waived_when.items()])

    def check_competence(self, rules: CompetenceRules, modes: ModeRules) -> None:
        """FlowsInvalid where nobody may do an act that a flow asks about, or a rule is about an act or a mode that is none."""
        asked = frozenset[str]().union(*(flow.competences for flow in self.all))
        if untold := asked - rules.acts.keys():
            raise FlowsInvalid(f"nothing in schemas/rules/competence says which office may do the act {min(untold)}")
        if unasked := rules.acts.keys() - asked:
            raise FlowsInvalid(f"schemas/rules/competence speaks of the act {min(unasked)}, which no flow asks about")
        for rule in rules.acts.values():
            if strangers := rule.modes - modes.modes.keys():
                raise FlowsInvalid(
                    f"schemas/rules/competence: {rule.act} is about the mode {min(strangers)}, which schemas/rules/modes does not name"
                )

    def check_views(self, rules: ViewRules) -> None:
        """FlowsInvalid where nothing says who sees a document that a flow takes, or a case that it opens, or on which tracks."""
        for flow in self.all:
            for takes in flow.takes:
                if takes.document.document_type not in rules.documents:
                    raise FlowsInvalid(f"nothing in schemas/rules/views says who sees a {takes.document.document_type}")
        if unseen := self.case_kinds.keys() - rules.cases.keys():
            raise FlowsInvalid(f"nothing in schemas/rules/views says who sees a case of the kind {min(unseen)}")
        for kind, seen in rules.cases.items():
            if kind not in self.case_kinds:
                raise FlowsInvalid(f"schemas/rules/views speaks of cases of the kind {kind}, which no flow opens")
            for view, shown in seen.items():
                self.tracks.require(f"the view {view} of a {kind}", ((track, ()) for track in shown.tracks))
                if unknown := shown.keys - self.case_kinds[kind].keys:
                    raise FlowsInvalid(
                        f"the view {view} of a {kind} names keys called {min(unknown)}, which it has not"
                    )

    def check_feeds(self, rules: FeedRules) -> None:
        """FlowsInvalid where a rule is about a feed that no flow writes, or lets somebody read it whom its flow does not."""
        for name, rule in rules.items():
            if name not in self.feeds:
                raise FlowsInvalid(f"schemas/rules/feeds speaks of the feed {name}, which no flow writes")
            if beyond := rule.readers - self.feeds[name].readers:
                raise FlowsInvalid(
                    f"schemas/rules/feeds lets {min(beyond)} read the feed {name}, and its flow does not"
                )

    def readers(self, rules: FeedRules) -> dict[str, frozenset[Role]]:
        """Which roles read each feed, by its name: those that its flow lets, as the rules narrow them."""
        return {
            name: feed.readers & rules[name].readers if name in rules else feed.readers
            for name, feed in self.feeds.items()
        }

    def reactions(self, track: str, event: str) -> Iterable[tuple[Flow, On]]:
        """What flows do where a case moves on `track` by `event`, in the order of their names."""
        return self._reactions.get((track, event), ())


def _named(what: str, pairs: Iterable[tuple[str, T]]) -> dict[str, T]:
    """What is declared, by name. FlowsInvalid where two have one."""
    found: dict[str, T] = {}
    for name, value in pairs:
        if name in found:
            raise FlowsInvalid(f"two flows bring {what} {name}")
        found[name] = value
    return found


def _feeds(flows: Iterable[Flow]) -> dict[str, Feed]:
    found: dict[str, Feed] = {}
    for flow in flows:
        for feed in flow.feeds:
            if found.setdefault(feed.name, feed) != feed:
                raise FlowsInvalid(f"{flow.name} and another flow let different readers see the feed {feed.name}")
    return found
