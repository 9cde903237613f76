"""Risk points (风险点): what the watcher looks for in decisions; schemas/rules/risk_points, one file a flow.

    [role_misuse]
    en = "..."  zh = "..."  source = "..."
    on = "attempt"                     move, task, attempt, alert or note
    what = ["task.decide"]             track.event, an action of the audit, or the kind of an alert or a note
    when = [{ field = "reasons", one_of = ["decide.person.act"] }]   all must hold
    area = "integrity"                 work (工作风险) or integrity (廉政风险)
    grade = 2                          1 is the gravest
    level = "branch"                   who handles it: section, branch, bureau or hq
    due = "5 working days"
    stop = false                       whether the act does not take effect until somebody has looked
    key = ["person", "task"]           what makes two findings one open question
    more_than = 5, within_days = 30    of a point that looks back: how often, in how many days

A file's points are compiled once with its catalogue into an index by what happens, so that a decision in which nothing
happens that any point is about costs some look-ups.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from gateway.catalogue import Catalogue, compiled
from gateway.check.calendars import Term
from gateway.check.rule_files import RuleTable, read_files, read_table
from gateway.errors import RulesInvalid

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,49}$")]
FieldName = Annotated[str, StringConstraints(pattern=r"^[a-z_]+(\.[a-z_]+)*$")]
FIELDS = frozenset(
    {
        "case",
        "case_kind",
        "status",
        "partner",
        "roles",
        "person",
        "role",
        "office",
        "occasion",
        "document",
        "hour",
        "day",
        "task",
        "reasons",
    }
)
"""What every happening tells, as far as it is known; beside these `before.TRACK`, `after.TRACK`, `args.NAME` and
`kept.DOCUMENT.FIELD`."""
_FAMILIES = ("before", "after", "args", "kept")


class Area(StrEnum):
    """What is at risk."""

    WORK = "work"
    INTEGRITY = "integrity"


class Level(StrEnum):
    """Who handles a record: the office's own section, the office, its bureau, or headquarters."""

    SECTION = "section"
    BRANCH = "branch"
    BUREAU = "bureau"
    HQ = "hq"


class RiskCondition(RuleTable):
    """One test of what a happening tells; where a field has several values, one that meets it is enough."""

    field: FieldName
    one_of: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()
    present: bool | None = None

    @model_validator(mode="after")
    def _tests_one_thing(self) -> RiskCondition:
        if sum(map(bool, (self.one_of, self.none_of, self.present is not None))) != 1:
            raise ValueError("a condition needs exactly one of one_of, none_of, present")
        _require_field(self.field)
        return self

    def holds(self, values: tuple[str, ...]) -> bool:
        """Whether the field's values meet it."""
        if self.present is not None:
            return bool(values) is self.present
        if self.one_of:
            return not set(values).isdisjoint(self.one_of)
        return set(values).isdisjoint(self.none_of)


def _require_field(name: str) -> None:
    """ValueError for a field that no happening tells."""
    family, _, rest = name.partition(".")
    if name not in FIELDS and not (family in _FAMILIES and rest):
        raise ValueError(f"nothing tells the field {name}")


def _read_term(value: object) -> object:
    return Term.read(value) if isinstance(value, str) else value


class RiskPoint(RuleTable):
    """What is looked for, and what comes of it."""

    name: Name
    en: str = Field(min_length=1)
    zh: str = Field(min_length=1)
    source: str = Field(min_length=1)
    on: Literal["move", "task", "attempt", "alert", "note"]
    what: tuple[str, ...] = Field(min_length=1)
    when: tuple[RiskCondition, ...] = ()
    area: Area
    grade: int = Field(ge=1, le=3)
    level: Level
    due: Annotated[Term, BeforeValidator(_read_term)]
    stop: bool = False
    key: tuple[FieldName, ...] = Field(min_length=1)
    more_than: int = Field(0, ge=0)
    within_days: int = Field(0, ge=0, le=366)

    @property
    def looks_back(self) -> bool:
        """Whether it looks at how often something happened, and so not while it happens."""
        return self.more_than > 0

    @model_validator(mode="after")
    def _is_whole(self) -> RiskPoint:
        for name in self.key:
            _require_field(name)
        if (self.more_than > 0) is not (self.within_days > 0):
            raise ValueError("what looks back has both more_than and within_days")
        if self.stop and (self.looks_back or self.on != "move"):
            raise ValueError("only a move is stopped, and while it happens")
        return self


@dataclass(frozen=True, slots=True)
class RiskRules:
    """All points, by name, and by what they are about."""

    points: Mapping[str, RiskPoint] = field(default_factory=dict)
    about: Mapping[tuple[str, str], tuple[RiskPoint, ...]] = field(default_factory=dict)
    """By (on, what)."""
    looking_back: tuple[RiskPoint, ...] = ()


@compiled
def load(catalogue: Catalogue) -> RiskRules:
    """The points of every file of schemas/rules/risk_points; RulesInvalid says the file and what is wrong with it."""
    points: dict[str, RiskPoint] = {}
    for file, told in read_files(catalogue, "rules/risk_points"):
        for name, table in told.items():
            if name in points:
                raise RulesInvalid(f"{file}: the point {name} is another file's already")
            points[name] = read_table(
                RiskPoint, {**table, "name": name} if isinstance(table, dict) else table, f"{file}: {name}"
            )
    return make_risk_rules(points)


def make_risk_rules(points: Mapping[str, RiskPoint]) -> RiskRules:
    """The rules that these points are, with their index."""
    about: defaultdict[tuple[str, str], list[RiskPoint]] = defaultdict(list)
    for point in points.values():
        for what in point.what:
            about[point.on, what].append(point)
    index = {key: tuple(found) for key, found in about.items()}
    return RiskRules(points, index, tuple(point for point in points.values() if point.looks_back))
