"""What authorities set and change: rule sets in schemas/rules, as data with validity dates.

Each file holds one kind of rules as a list of sets (`[[set]]`), each with `valid_from`, perhaps
`valid_until` (the last day), and the `source` it was taken from. `load` reads and checks them all;
`RuleBook.at` picks the sets in force on a day. Which findings or effects follow is code elsewhere.
"""

from __future__ import annotations

import itertools
import posixpath
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, TypeVar, get_args

from pydantic import BaseModel, Field, StringConstraints, model_validator

from gateway.catalogue import SCHEMAS, Catalogue, compiled
from gateway.check import (
    acts,
    calendars,
    codes,
    competence,
    feeds,
    gates,
    modes,
    number_rules,
    report_rules,
    risk_rules,
    sampling_rules,
    views,
)
from gateway.check.acts import ActRules
from gateway.check.calendars import Calendar
from gateway.check.codes import CodeList
from gateway.check.competence import CompetenceRules
from gateway.check.feeds import FeedRules
from gateway.check.gates import GateRules
from gateway.check.modes import ModeRules
from gateway.check.number_rules import NumberRule
from gateway.check.report_rules import ReportRule
from gateway.check.risk_rules import RiskRules
from gateway.check.rule_files import RuleTable, read_file, read_files, read_list
from gateway.check.sampling_rules import SamplingPlan
from gateway.check.views import ViewRules
from gateway.documents import ClearanceNotice, CustomsEntry, Declaration, Transfer
from gateway.errors import RulesInvalid

Code = Annotated[str, StringConstraints(min_length=1, pattern=r"^\S+$")]
HsPrefix = Annotated[str, StringConstraints(pattern=r"^[0-9]{2,13}$")]
CountryCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
FieldPath = Annotated[str, StringConstraints(pattern=r"^[a-z_]+(\[\])?(\.[a-z_]+(\[\])?)*$")]
"""A field of a canonical document: `transport.voyage`, `goods[].hs_code` (`[]` stands for each)."""


def _must_have(model: type[BaseModel], paths: Iterable[str], *, numeric: bool = False) -> None:
    """ValueError where `model` has no such field, or one that holds no number where one is needed."""
    for path in paths:
        inside: type[BaseModel] | None = model
        annotation: Any = None
        for name in (step.removesuffix("[]") for step in path.split(".")):
            if inside is None or name not in inside.model_fields:
                raise ValueError(f"{model.__name__} has no field {path}")
            annotation = inside.model_fields[name].annotation
            inside = _model_in(annotation)
        if numeric and {Decimal, int}.isdisjoint(_leaves(annotation)):
            raise ValueError(f"{path} of {model.__name__} is no number")


def _leaves(annotation: Any) -> set[Any]:
    """The plain types that an annotation is made of."""
    inner = get_args(annotation)
    return set().union(*(_leaves(one) for one in inner)) if inner else {annotation}


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that a field holds, alone or in a tuple."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _model_in(inner))), None)


class RuleSet(RuleTable):
    """One version of one kind of rules, in force from `valid_from` to `valid_until` (both included)."""

    kind: ClassVar[str] = ""
    """The name of its kind, and of its file in schemas/rules."""

    source: str = Field(min_length=1)
    valid_from: date
    valid_until: date | None = None

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> RuleSet:
        if self.valid_until is not None and self.valid_until < self.valid_from:
            raise ValueError("valid_until is before valid_from")
        return self

    def in_force(self, day: date) -> bool:
        """Whether the set holds on `day`."""
        return self.valid_from <= day and (self.valid_until is None or day <= self.valid_until)


class Treatment(StrEnum):
    """How an enterprise is treated for its credit: the same at every bureau."""

    FAST = "fast"
    NORMAL = "normal"
    STRICT = "strict"
    EXCLUDED = "excluded"


class Credit(RuleSet):
    """信用管理: what each credit grade is worth; classes of e-supervision are products', and no grades."""

    kind = "credit"

    grades: Mapping[str, Treatment]
    ungraded: Treatment

    def treatment(self, grade: str) -> Treatment:
        """The treatment of `grade`; one that the rules do not know counts as none."""
        return self.grades.get(grade, self.ungraded)


class Condition(RuleTable):
    """One test of a document's field; a condition on a field that stands in many places holds if any place meets it."""

    field: FieldPath
    equals: str | None = None
    one_of: tuple[str, ...] = ()
    starts_with: tuple[str, ...] = ()
    above: Decimal | None = None
    present: bool | None = None

    @model_validator(mode="after")
    def _tests_one_thing(self) -> Condition:
        tests = (
            self.equals is not None,
            self.one_of,
            self.starts_with,
            self.above is not None,
            self.present is not None,
        )
        if sum(map(bool, tests)) != 1:
            raise ValueError("a condition needs exactly one of equals, one_of, starts_with, above, present")
        return self


class ReviewReason(RuleTable):
    """A reason to look at a declaration by eye; all of `when` must hold."""

    id: Code
    en: str
    zh: str
    when: tuple[Condition, ...] = Field(min_length=1)


class Review(RuleSet):
    """审单: who may go straight through (直通), and what must be reviewed whoever declares it."""

    kind = "review"

    direct_through: frozenset[Treatment]
    direct_kinds: frozenset[str]
    """The kinds of declarations (报检类别) that may."""
    direct_needs_approval: bool
    """Whether only owners may that the registry says are approved for it."""
    reviewed_classes: frozenset[str] = frozenset()
    """Classes of e-supervision; the owner's goods of these are looked at."""
    reviewed: tuple[ReviewReason, ...] = ()

    @model_validator(mode="after")
    def _fields_exist(self) -> Review:
        _must_have(Declaration, (condition.field for reason in self.reviewed for condition in reason.when))
        return self


class EpidemicArea(RuleTable):
    """An area from which containers are locked on arrival."""

    country: CountryCode
    places: tuple[str, ...] = ()
    """Where it is smaller than the country: the UN/LOCODEs and regions (as goods' places of origin say them) in it."""
    disease: str
    goods: tuple[HsPrefix, ...] = ()
    """The goods that carry the disease, by HS prefix; every container where none is named."""
    source: str = Field(min_length=1)
    valid_from: date
    valid_until: date | None = None


class Epidemic(RuleSet):
    """疫区: the areas announced, each with days of its own."""

    kind = "epidemic"

    unknown_place: Literal["lock", "release"]
    """What becomes of what comes from the country of a smaller area, where nobody says from where in it."""
    area: tuple[EpidemicArea, ...] = ()

    def announced(self, day: date) -> tuple[EpidemicArea, ...]:
        """The areas there are on `day`."""
        return tuple(
            area
            for area in self.area
            if area.valid_from <= day and (area.valid_until is None or day <= area.valid_until)
        )


class PortInspection(RuleSet):
    """口岸快速查验: what becomes of containers that no rule of the epidemic list decides."""

    kind = "port_inspection"

    undeclared: Literal["lock", "wait"]
    """A container without a declaration: locked and an officer alerted, or silently left to wait."""
    unknown_origin: Literal["lock", "release"]
    """A container whose origin neither the manifest nor the declaration tells."""
    lock_negative_list: bool
    """Whether inbound goods on the negative list are locked until they were checked at the port."""
    lock_treatments: frozenset[Treatment]
    """Enterprises whose containers are always checked."""
    home_country: CountryCode
    """Where the ports are: what is not discharged in it is through cargo."""
    empties: Literal["release", "declare"]
    """Empty containers from no epidemic area: released without a declaration, or to be declared as others are."""
    empty_codes: frozenset[str]
    """How manifests say that a container is empty (UN/EDIFACT 8169)."""
    aboard_codes: frozenset[str] = frozenset()
    """How manifests say that a container stays on its conveyance (UN/EDIFACT 8249); it is not decided."""
    holding_orders: frozenset[Literal["port", "declared_to", "destination"]]
    """Whose inspection orders (查验指令) hold a container at the port until the goods have passed."""
    holding_assignments: frozenset[Literal["port", "declared_to", "destination"]]
    """Whose assignments to an inspector (施检分单) hold it: where the goods are seen."""
    lock_while: frozenset[Literal["amending", "cancelling"]]
    """States of the declaration in which containers that were released wait again."""


class TransferRules(RuleSet):
    """电子转单管理办法: what is excluded, and what the port may change."""

    kind = "transfer"

    excluded: frozenset[
        Literal["pre_inspected", "exit_port_open", "merged_at_port", "certified_at_port", "other", "not_qualified"]
    ]
    changeable: tuple[FieldPath, ...]
    """Fields that the port may change freely: vessel, date, container size and number."""
    reducible: tuple[FieldPath, ...]
    """Quantities and weights that may only go down (packing damaged on the way)."""
    value_fields: tuple[FieldPath, ...]
    value_tolerance_percent: Decimal = Field(ge=0)
    """Of the value as the transfer was issued, whatever changes came between."""
    identity: tuple[FieldPath, ...]
    """Fields that not even both offices together change."""
    reduction_needs_reason: bool
    """Whether a change that reduces quantities must say why."""

    @model_validator(mode="after")
    def _fields_exist(self) -> TransferRules:
        _must_have(Transfer, (*self.changeable, *self.identity))
        _must_have(Transfer, (*self.reducible, *self.value_fields), numeric=True)
        return self


class MatchField(RuleTable):
    """One comparison of customs' data with the clearance notice."""

    name: Code
    ours: FieldPath
    theirs: FieldPath
    compare: Literal["exact", "text", "number", "at_most", "set"] = "exact"
    tolerance_percent: Decimal = Field(default=Decimal(0), ge=0)
    tolerance: Decimal = Field(default=Decimal(0), ge=0)
    required: bool = True
    """Whether a value that one side lacks is a mismatch."""


class ClearanceMatch(RuleSet):
    """通关单联网核查: the fields compared, each with its tolerance."""

    kind = "clearance_match"

    match: tuple[MatchField, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _fields_exist(self) -> ClearanceMatch:
        _must_have(ClearanceNotice, (rule.ours for rule in self.match))
        _must_have(CustomsEntry, (rule.theirs for rule in self.match))
        measured = [rule for rule in self.match if rule.compare in ("number", "at_most")]
        _must_have(ClearanceNotice, (rule.ours for rule in measured), numeric=True)
        _must_have(CustomsEntry, (rule.theirs for rule in measured), numeric=True)
        if any(rule.ours.startswith("goods[]") is not rule.theirs.startswith("goods[]") for rule in self.match):
            raise ValueError("an item of goods can only be compared with an item of goods")
        return self


class MandatoryItem(RuleTable):
    """A field that must be there, in the directions named, where all of `when` hold."""

    field: FieldPath
    zh: str
    directions: frozenset[Literal["inbound", "outbound"]] = frozenset({"inbound", "outbound"})
    when: tuple[Condition, ...] = ()


class DeclarationMandatory(RuleSet):
    """报检必填项: what a declaration must have."""

    kind = "declaration_mandatory"

    item: tuple[MandatoryItem, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _fields_exist(self) -> DeclarationMandatory:
        _must_have(Declaration, (item.field for item in self.item))
        _must_have(Declaration, (condition.field for item in self.item for condition in item.when))
        return self


class Headline(RuleTable):
    """One word for where cases of a kind stand, shown where all of `when` hold."""

    rank: int
    word: Code
    when: Mapping[str, tuple[Code, ...]] = Field(min_length=1)
    """By track, the states in which the word says it."""

    def holds(self, tracks: Mapping[str, str]) -> bool:
        """Whether a case that stands so is told by this word."""
        return all(tracks.get(track, "none") in states for track, states in self.when.items())


Headlines = Mapping[str, tuple[Headline, ...]]
"""By kind of case, in the order of their ranks."""
UNTOLD = "open"
"""The word for a case that no line of its kind tells."""
_MOST_TOLD = 10_000
"""Ways to stand whose word is kept: one to two megabytes."""

DOCUMENT_RULES: tuple[type[RuleSet], ...] = (DeclarationMandatory,)
"""The kinds that documents are checked by, before any flow; all others are a flow's own."""

SetT = TypeVar("SetT", bound=RuleSet)


@dataclass(frozen=True, slots=True)
class Rules:
    """The sets in force on `day`, one of each kind."""

    day: date
    sets: Mapping[type[RuleSet], RuleSet]
    headlines: Headlines
    calendar: Calendar
    """China's, by which terms of papers and people are counted."""
    lists: Mapping[str, CodeList] = field(default_factory=dict)
    """All code lists, by name: facts that authorities publish, as rules are."""
    acts: ActRules = field(default_factory=ActRules)
    """Who may do what."""
    numbers: Mapping[str, NumberRule] = field(default_factory=dict)
    """How numbers are made up, by kind."""
    modes: ModeRules = field(default_factory=lambda: ModeRules({}, {}))
    """Modes of supervision, and the lists of the day that choose between them."""
    gates: GateRules = field(default_factory=GateRules)
    """What must hold before an act on a case."""
    views: ViewRules = field(default_factory=ViewRules)
    """Who sees what."""
    feeds: FeedRules = field(default_factory=dict)
    """Who reads which feed."""
    reports: Mapping[str, ReportRule] = field(default_factory=dict)
    """What is counted into which report, by name."""
    sampling: Mapping[str, SamplingPlan] = field(default_factory=dict)
    """How much of what is drawn is chosen, by plan."""
    risks: RiskRules = field(default_factory=RiskRules)
    """What the watcher looks for."""
    competence: CompetenceRules = field(default_factory=CompetenceRules)
    """Which office may do what."""
    _told: dict[tuple[str, frozenset[tuple[str, str]]], str] = field(default_factory=dict, compare=False, repr=False)
    """Words that were found, by kind and tracks: a case stands in few ways, and each of its steps asks for its word."""

    def of(self, model: type[SetT]) -> SetT:
        """The set of that kind; KeyError for a kind that nobody brought."""
        found = self.sets[model]
        assert isinstance(found, model)
        return found

    def code_list(self, name: str) -> CodeList:
        """The code list of that name; RulesInvalid where there is none."""
        found = self.lists.get(name)
        if found is None:
            raise RulesInvalid(f"there is no code list {name}")
        return found

    def number(self, kind: str) -> NumberRule:
        """How numbers of that kind are made up; RulesInvalid where nothing says so."""
        found = self.numbers.get(kind)
        if found is None:
            raise RulesInvalid(f"nothing says how {kind} numbers are made up")
        return found

    def headline(self, kind: str, tracks: Mapping[str, str]) -> str:
        """The one word for where a case of `kind` with these tracks stands: of the lines that hold the first."""
        stands = (kind, frozenset(tracks.items()))
        if (told := self._told.get(stands)) is None:
            told = next((line.word for line in self.headlines.get(kind, ()) if line.holds(tracks)), UNTOLD)
            if len(self._told) < _MOST_TOLD:
                self._told[stands] = told
        return told


@dataclass(frozen=True, slots=True)
class RuleBook:
    """All sets of all kinds; `at` picks."""

    sets: Mapping[type[RuleSet], tuple[RuleSet, ...]]
    headlines: Headlines
    calendar: Calendar
    lists: Mapping[str, CodeList] = field(default_factory=dict)
    approved: Mapping[type[RuleSet], tuple[RuleSet, ...]] = field(default_factory=dict)
    """Sets that were approved in the store, in the order in which each takes the place of those before it."""
    acts: ActRules = field(default_factory=ActRules)
    numbers: Mapping[str, NumberRule] = field(default_factory=dict)
    modes: ModeRules = field(default_factory=lambda: ModeRules({}, {}))
    gates: GateRules = field(default_factory=GateRules)
    views: ViewRules = field(default_factory=ViewRules)
    feeds: FeedRules = field(default_factory=dict)
    reports: Mapping[str, ReportRule] = field(default_factory=dict)
    sampling: Mapping[str, SamplingPlan] = field(default_factory=dict)
    risks: RiskRules = field(default_factory=RiskRules)
    competence: CompetenceRules = field(default_factory=CompetenceRules)
    _days: dict[date, Rules] = field(default_factory=dict, compare=False, repr=False)

    def at(self, day: date) -> Rules:
        """The rules of `day`; RulesInvalid where a kind has no set in force."""
        rules = self._days.get(day)
        if rules is None:
            picked = {}
            for model, sets in self.sets.items():
                in_force = [s for s in (*sets, *self.approved.get(model, ())) if s.in_force(day)]
                if not in_force:
                    raise RulesInvalid(f"no {model.kind} rules are in force on {day}")
                picked[model] = in_force[-1]
            rules = Rules(
                day,
                picked,
                self.headlines,
                self.calendar,
                self.lists,
                self.acts,
                self.numbers,
                self.modes.at(day),
                self.gates,
                self.views,
                self.feeds,
                self.reports,
                self.sampling,
                self.risks,
                self.competence,
            )
            if len(self._days) > 1:  # today is in use, and yesterday by what was received before midnight
                self._days.clear()
            self._days[day] = rules
        return rules


_FOLDER = f"{SCHEMAS}/rules"
_APPROVED = f"{_FOLDER}/approved"


def approved_file(kind: str, number: int) -> str:
    """The file of a catalogue in which the set of `kind` stands that was approved as the `number`th of them."""
    return f"{_APPROVED}/{kind}/{number:06}.toml"


def read_set(model: type[SetT], text: str, where: str) -> SetT:
    """The one set that `text` says, as TOML; RulesInvalid where it is not one that `model` has."""
    try:
        told = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise RulesInvalid(f"{where}: {error}") from error
    if strangers := sorted(told.keys() - {"set"}):
        raise RulesInvalid(f"{where}: expected one [[set]] only, found {strangers[0]}")
    sets = read_list(model, told, "set", where)
    if len(sets) != 1:
        raise RulesInvalid(f"{where}: expected one [[set]], found {len(sets)}")
    return sets[0]


def load(catalogue: Catalogue, models: Sequence[type[RuleSet]] = ()) -> RuleBook:
    """Read the document rules, and every kind that flows bring (`models`), from schemas/rules.

    RulesInvalid names the file and what is wrong; with the flows' kinds given, a file of any other kind too.
    """
    return _load(catalogue, tuple(models))


@compiled
def _load(catalogue: Catalogue, models: tuple[type[RuleSet], ...]) -> RuleBook:
    kinds = dict.fromkeys((*DOCUMENT_RULES, *models))
    known = {f"{_FOLDER}/{model.kind}.toml" for model in kinds}
    strangers = [n for n in catalogue.names(_FOLDER, ".toml") if posixpath.dirname(n) == _FOLDER and n not in known]
    if models and strangers:
        raise RulesInvalid(f"no such kind of rules: {', '.join(strangers)}")
    sets = {model: _read(catalogue, f"{_FOLDER}/{model.kind}.toml", model) for model in kinds}
    lists = {name: codes.load(catalogue, name) for name in codes.available(catalogue)}
    return RuleBook(
        sets,
        _read_headlines(catalogue),
        calendars.load(catalogue),
        lists,
        {model: _read_approved(catalogue, model) for model in kinds},
        acts.load(catalogue),
        number_rules.load(catalogue),
        modes.load(catalogue),
        gates.load(catalogue),
        views.load(catalogue),
        feeds.load(catalogue),
        report_rules.load(catalogue),
        sampling_rules.load(catalogue),
        risk_rules.load(catalogue),
        competence.load(catalogue),
    )


def _read_approved(catalogue: Catalogue, model: type[RuleSet]) -> tuple[RuleSet, ...]:
    """The sets of that kind that were approved in the store: by their days, and of one day as they were approved."""
    files = catalogue.names(f"{_APPROVED}/{model.kind}", ".toml")
    sets = [read_set(model, catalogue.text(file), file) for file in files]
    return tuple(sorted(sets, key=lambda one: one.valid_from))


def _read_headlines(catalogue: Catalogue) -> Headlines:
    """The lines of every file of schemas/rules/headline, a kind of case each: no two of one kind have one rank."""
    found: dict[str, tuple[Headline, ...]] = {}
    for file, told in read_files(catalogue, "rules/headline", {"line"}):
        lines = read_list(Headline, told, "line", file)
        if len({line.rank for line in lines}) < len(lines):
            raise RulesInvalid(f"{file}: two lines have one rank")
        kind = posixpath.basename(file).removesuffix(".toml")
        found[kind] = tuple(sorted(lines, key=lambda line: line.rank))
    return found


def _read(catalogue: Catalogue, name: str, model: type[RuleSet]) -> tuple[RuleSet, ...]:
    sets = read_list(model, read_file(catalogue, name, {"set"}), "set", name)
    if not sets:
        raise RulesInvalid(f"{name}: expected [[set]] tables, found none")
    sets.sort(key=lambda one: one.valid_from)
    for earlier, later in itertools.pairwise(sets):
        if earlier.valid_until is None or earlier.valid_until >= later.valid_from:
            raise RulesInvalid(f"{name}: the sets from {earlier.valid_from} and {later.valid_from} overlap")
    return tuple(sets)
