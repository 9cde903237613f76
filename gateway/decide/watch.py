"""The watcher: every decision passes it, and what meets a risk point becomes a record that somebody must answer.

    watch    looks at what one decision comes to: moves, acts on tasks, refused attempts, alerts and notes
    sweep    looks at how often something happened, over facts that `watch` has told

A record is a case of the kind `risk` with a task for the supervisors of its level, of which the person concerned is
barred. One question has one open record: what meets it again is a note there. A point that stops takes the place of the
decision: the message is held until the record is answered, and taken up again by sending or processing it again; where it
was found to be explained, it goes through.

The watcher does not watch itself: records, and what is done to them, are looked at by no point. Where it fails, the
decision stands, and an alert says that it was not watched.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from gateway.check.risk_rules import Level, RiskPoint
from gateway.decide import china
from gateway.decide.answers import fault, reasons
from gateway.decide.apply import Applied
from gateway.decide.deadlines import set_deadline
from gateway.decide.desk import Act, Alarm, Desk
from gateway.decide.effects import (
    AddKeys,
    Alert,
    Ask,
    Attempt,
    Effect,
    Hold,
    Keep,
    Link,
    Move,
    NewCase,
    Note,
    Respond,
    Tell,
)
from gateway.decide.facts import CasesByKeys, FiguresIn, LastFigure, Query
from gateway.decide.overdue import offices_above
from gateway.decide.parties import BUREAU, bureau, bureau_questions, identified
from gateway.documents.response import Outcome, Response
from gateway.documents.risk import RiskField, RiskRecord
from gateway.documents.values import text
from gateway.model import Case, FigureSum, Finding

RISK = "risk"
"""The kind of cases that records are, their track, their business key, what they keep, and the kind of their first task."""
OVERDUE = "risk_overdue"
"""The kind of deadline at which an open record is told to the office above."""
FOUND, PROVEN, WATCHED = "risk_found", "risk_true", "risk_watched"
"""What statistics count: records, those that were found to be true, and what points that look back look at."""
_HEADQUARTERS = "000000"
_DAY_WORKED, _DAY_FREE = "worked", "free"
_ANSWERED = "explain"


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that a decision comes to, as points ask for it."""

    desk: Desk
    on: str
    what: str
    case: Case | None = None
    """As it is then."""
    before: Case | None = None
    """As it was."""
    why: tuple[Finding, ...] = ()
    codes: tuple[str, ...] = ()
    """Of the reasons, where only these are known."""
    office: str = ""
    role: str = ""
    task: str = ""

    def values(self, field: str) -> tuple[str, ...]:
        """What it tells of `field`; nothing where it tells nothing."""
        value = self._value(field)
        if isinstance(value, str):
            return (value,) if value else ()
        return tuple(value)

    def _value(self, field: str) -> str | Iterable[str]:
        desk, actor = self.desk, self.desk.occasion.actor
        match field.split("."):
            case ["case"]:
                return self.case.id if self.case is not None else ""
            case ["case_kind"]:
                return self.case.kind if self.case is not None else ""
            case ["status"]:
                return self.case.status if self.case is not None else ""
            case ["partner"]:
                return actor.partner.id
            case ["roles"]:
                return sorted(role.value for role in actor.partner.roles)
            case ["person"]:
                return actor.person
            case ["role"]:
                return self.role or actor.role
            case ["office"]:
                return self.office or next(iter(sorted(identified(actor.partner, BUREAU))), "")
            case ["occasion"]:
                return "act" if isinstance(desk.occasion, Act) else _occasion(desk)
            case ["document"]:
                return "" if isinstance(desk.occasion, Alarm) else desk.occasion.document_type
            case ["hour"]:
                return f"{desk.occasion.at.astimezone(china.ZONE):%H}"
            case ["day"]:
                return _DAY_WORKED if desk.rules.calendar.is_worked(china.day(desk.occasion.at)) else _DAY_FREE
            case ["task"]:
                return self.task
            case ["reasons"]:
                return (*(one.code for one in self.why), *self.codes)
            case ["before", track]:
                return self.before.tracks.get(track, "none") if self.before is not None else ""
            case ["after", track]:
                return self.case.tracks.get(track, "none") if self.case is not None else ""
            case ["args", name]:
                return [one.args[name] for one in self.why if name in one.args]
            case ["kept", document, name]:
                kept = self.case.documents.get(document, {}) if self.case is not None else {}
                return str(kept.get(name) or "")
            case _:
                return ""


def _occasion(desk: Desk) -> str:
    return "deadline" if isinstance(desk.occasion, Alarm) else "message"


@dataclass(frozen=True, slots=True)
class Watched:
    """What the watcher makes of a decision."""

    effects: Sequence[Effect] = ()
    """What is added to it, or, where it is stopped, takes its place."""
    stopped: bool = False


_NOTHING = Watched()


def watch(desk: Desk, effects: Sequence[Effect], applied: Applied) -> Watched:
    """What comes of the points that a decision meets, which comes to `effects` and changes what `applied` says.

    Unknown where records of the same question are not known yet.
    """
    about = desk.rules.risks.about
    if not about:
        return _NOTHING
    met = [
        (point, happening)
        for happening in _happenings(desk, effects, applied)
        for point in about.get((happening.on, happening.what), ())
        if all(condition.holds(happening.values(condition.field)) for condition in point.when)
    ]
    if not met:
        return _NOTHING
    here = replace(desk, origin=("watch",))
    keyed = {(point.name, _key(point, happening)): (point, happening) for point, happening in met}
    now = {key: found for key, found in keyed.items() if not found[0].looks_back}
    desk.facts.require(_records_of(desk, key) for _, key in now)
    desk.facts.require(_offices_asked(now.values()))
    stopped = {
        key
        for key, (point, _) in now.items()
        if point.stop and not isinstance(desk.occasion, Alarm) and not any(map(_lets_pass, _records(desk, key[1])))
    }
    if stopped:
        # What else would have been moved or noted is not; what was refused is refused all the same.
        now = {key: found for key, found in now.items() if key in stopped or found[0].on == "attempt"}
    added: list[Effect] = []
    for key, (point, happening) in now.items():
        added += _recorded(here, point, happening, key[1], _records(desk, key[1]), stopped=key in stopped)
    added += [
        Tell(WATCHED, "", _dims(point, happening, key))
        for (_, key), (point, happening) in keyed.items()
        if point.looks_back and (not stopped or point.on == "attempt")
    ]
    if stopped:
        return Watched([*_held(here, effects, [now[key] for key in sorted(stopped)]), *added], stopped=True)
    return Watched(added)


def _records(desk: Desk, key: str) -> tuple[Case, ...]:
    """The records of the question, open ones and closed ones."""
    return desk.facts[_records_of(desk, key)]


def _happenings(desk: Desk, effects: Sequence[Effect], applied: Applied) -> Iterator[Happening]:
    """All that a decision comes to that points may be about, but for what happens to records."""
    about = desk.rules.risks.about
    for step in applied.cases.values():
        if step.after.kind == RISK:
            continue
        for moved in step.moves:
            what = f"{moved.track}.{moved.event}"
            if moved.took_place and ("move", what) in about:
                yield Happening(desk, "move", what, step.after, step.before)
    for entry in applied.audit:
        on = "task" if entry.result == "done" else "attempt"
        if (on, entry.action) in about and not _is_record(desk, applied, entry.case_id):
            case = _find_case(desk, applied, entry.case_id)
            yield Happening(
                desk,
                on,
                entry.action,
                case,
                case,
                codes=entry.reasons,
                office=entry.office,
                role=entry.role,
                task=entry.task_id,
            )
    for effect in effects:
        if isinstance(effect, Alert | Note):
            on = "alert" if isinstance(effect, Alert) else "note"
            if (on, effect.kind) in about and not _is_record(desk, applied, effect.case):
                case = _find_case(desk, applied, effect.case)
                yield Happening(desk, on, effect.kind, case, case, why=effect.reasons)


def _find_case(desk: Desk, applied: Applied, case_id: str) -> Case | None:
    """The case as it is then, where the decision knows it."""
    if case_id in applied.cases:
        return applied.cases[case_id].after
    for answer in desk.facts.answers.values():
        if isinstance(answer.value, Case) and answer.value.id == case_id:
            return answer.value
    return None


def _is_record(desk: Desk, applied: Applied, case_id: str) -> bool:
    case = _find_case(desk, applied, case_id) if case_id else None
    return case is not None and case.kind == RISK


def _key(point: RiskPoint, happening: Happening) -> str:
    """The business key of the question: the point, and a digest of what makes it one."""
    told = "\n".join(f"{name}={','.join(happening.values(name))}" for name in point.key)
    return f"{point.name}:{hashlib.sha256(told.encode()).hexdigest()[:32]}"


def _records_of(desk: Desk, key: str) -> CasesByKeys:
    return CasesByKeys(frozenset({(RISK, key)}), desk.test)


def record_of(case: Case) -> RiskRecord:
    """What a record says."""
    return RiskRecord.from_kept(case.documents[RISK])


def is_open(case: Case) -> bool:
    """Whether a record still waits for its answer, or for being closed."""
    return case.tracks.get(RISK) != "closed"


def _lets_pass(case: Case) -> bool:
    """Whether a record says that what met its point was found to be explained."""
    return record_of(case).outcome == _ANSWERED


def _dims(point: RiskPoint, happening: Happening, key: str) -> dict[str, str]:
    found = {
        "point": point.name,
        "key": key,
        "person": _one(happening, "person"),
        "partner": _one(happening, "partner"),
    }
    found["office"] = _one(happening, "office")
    return {name: value for name, value in found.items() if value}


def _one(happening: Happening, field: str) -> str:
    return next(iter(happening.values(field)), "")


def _offices_asked(found: Iterable[tuple[RiskPoint, Happening]]) -> Iterator[Query]:
    for point, happening in found:
        yield from bureau_questions(*_offices_for(point.level, _one(happening, "office")))


def _offices_for(level: Level, office: str) -> list[str]:
    """Which offices may handle a record of that level about what was done in `office`, the most fitting first."""
    above = list(offices_above(office))
    match level:
        case Level.SECTION | Level.BRANCH if office:
            return [office, *above]
        case Level.BUREAU if office:
            return [code for code in (office, *above) if code.endswith("0000")] or [_HEADQUARTERS]
        case _:
            return [_HEADQUARTERS]


def _office(desk: Desk, point: RiskPoint, office: str) -> str:
    """The office that handles a record: the first that is a partner of ours, else headquarters'."""
    wanted = _offices_for(point.level, office)
    return next((code for code in wanted if bureau(desk.facts, code) is not None), _HEADQUARTERS)


def _recorded(
    desk: Desk, point: RiskPoint, happening: Happening, key: str, known: Sequence[Case], *, stopped: bool
) -> list[Effect]:
    """The record of what met a point, or a note in the one that is open."""
    about = tuple(
        RiskField(name=name, value=told)
        for name in point.key
        for value in happening.values(name)[:1]
        if (told := text(value)) is not None
    )
    case_id = _one(happening, "case")
    found = Found(
        point,
        key,
        _one(happening, "office"),
        _one(happening, "person"),
        _one(happening, "partner"),
        case_id,
        about,
        stopped=stopped,
    )
    return found.recorded(desk, known)


@dataclass(frozen=True, slots=True)
class Found:
    """What met a point, once or often enough."""

    point: RiskPoint
    key: str
    office: str
    person: str
    partner: str
    case_id: str
    about: tuple[RiskField, ...]
    stopped: bool = False
    times: int | None = None

    @property
    def why(self) -> Finding:
        """The point in words."""
        return fault("decide.risk.found", value=self.point.name, reason=self.point.en, reason_zh=self.point.zh)

    def recorded(self, desk: Desk, known: Sequence[Case]) -> list[Effect]:
        """A new record with its task and its term; a note where one of the same question is open."""
        open_ = next((case for case in known if is_open(case)), None)
        if open_ is not None:
            return [Note(open_.id, "repeat", (self.why,))]
        point, record_id = self.point, desk.derive(RISK, self.key)
        office = _office(desk, point, self.office)
        due_at = desk.rules.calendar.end(point.due, desk.now)
        record = RiskRecord(
            point=point.name,
            area=point.area.value,
            grade=point.grade,
            level=point.level.value,
            office=office,
            stopped=self.stopped,
            found_at=desk.now,
            occasion=desk.occasion.id,
            case_id=self.case_id or None,
            person=self.person or None,
            partner=self.partner or None,
            times=self.times,
            about=self.about,
        )
        barred = (self.person,) if self.person else ()
        effects: list[Effect] = [
            NewCase(record_id, "", RISK, tracks={RISK: "found"}),
            Keep(record_id, RISK, record),
            AddKeys(record_id, frozenset({(RISK, self.key)})),
            Move(record_id, RISK, "commission", (self.why,)),
            Ask(desk.derive(RISK, self.key, "task"), RISK, record_id, office, due_at, (self.why,), barred=barred),
            set_deadline(record_id, OVERDUE, due_at),
            Tell(FOUND, record_id, self._dims(office), case=record_id),
        ]
        if self.case_id:
            effects.append(Link(record_id, "about", self.case_id))
        return effects

    def _dims(self, office: str) -> dict[str, str]:
        point = self.point
        return {
            "point": point.name,
            "area": point.area.value,
            "grade": str(point.grade),
            "level": point.level.value,
            "office": office,
            "stopped": "yes" if self.stopped else "no",
        }


def _held(desk: Desk, effects: Sequence[Effect], stops: Sequence[tuple[RiskPoint, Happening]]) -> Iterator[Effect]:
    """What takes the place of a decision that is stopped: its message is held, and its sender learns that it waits."""
    why = tuple(fault("decide.risk.stopped", reason=point.en, reason_zh=point.zh) for point, _ in stops)
    # A case that the decision would have opened is not there.
    case = next((happening.case.id for _, happening in stops if happening.case and happening.before), "")
    yield Hold(case, why)
    yield from (effect for effect in effects if isinstance(effect, Attempt))
    waits = (fault("decide.risk.waits"),)
    for effect in effects:
        if isinstance(effect, Respond) and isinstance(effect.document, Response):
            told = effect.document.model_copy(
                update={
                    "id": desk.derive("response", "held"),
                    "outcome": Outcome.HELD,
                    "code": None,
                    "reasons": reasons(waits, desk.sender.language),
                }
            )
            yield replace(effect, case=case, document=told)
            return


SWEEP = "risk_sweep"
"""The kind of deadline at which it is looked back."""
SWEEPS_EVERY = timedelta(hours=1)
"""How soon what happened too often is found at the latest; the points speak of days."""


def sweep(desk: Desk) -> list[Effect]:
    """Records of what happened too often: once a question, and once more only after its days are over."""
    points = desk.rules.risks.looking_back
    today = china.day(desk.now)
    effects: list[Effect] = [set_deadline("", SWEEP, desk.now + SWEEPS_EVERY)]
    if not points:
        return effects
    seen = desk.facts[LastFigure(desk.test)]
    asked = {
        point.name: FiguresIn((WATCHED,), today - timedelta(days=point.within_days - 1), today, 0, seen, desk.test)
        for point in points
    }
    desk.facts.require(asked.values())
    often: list[Found] = []
    for point in points:
        often += _too_often(desk, point, asked[point.name])
    desk.facts.require(_records_of(desk, found.key) for found in often)
    desk.facts.require(
        query for found in often for query in bureau_questions(*_offices_for(found.point.level, found.office))
    )
    here = replace(desk, origin=("watch",))
    for found in often:
        known = desk.facts[_records_of(desk, found.key)]
        since = desk.now - timedelta(days=found.point.within_days)
        if not any(is_open(case) or record_of(case).found_at > since for case in known):
            effects += found.recorded(here, known)
    return effects


def _too_often(desk: Desk, point: RiskPoint, asked: FiguresIn) -> Iterator[Found]:
    """What a point has met more often than it says, by question."""
    times: dict[str, int] = {}
    told: dict[str, dict[str, str]] = {}
    for figure in desk.facts[asked]:
        if figure.dims.get("point") == point.name:
            key = figure.dims["key"]
            times[key] = times.get(key, 0) + figure.count
            told[key] = dict(figure.dims)
    for key in sorted(times):
        if times[key] > point.more_than:
            dims = told[key]
            about = tuple(
                RiskField(name=name, value=value)
                for name in ("person", "partner", "office")
                if (value := text(dims.get(name, ""))) is not None
            )
            yield Found(
                point,
                key,
                dims.get("office", ""),
                dims.get("person", ""),
                dims.get("partner", ""),
                "",
                about,
                times=times[key],
            )


def find_interception(figures: Iterable[FigureSum]) -> tuple[int, int]:
    """Of figures of records that were found true: how many of them kept an act from taking effect, and how many there are.

    The interception rate (拦截率) is the one divided by the other.
    """
    told = [figure for figure in figures if figure.kind == PROVEN]
    return sum(one.count for one in told if one.dims.get("stopped") == "yes"), sum(one.count for one in told)
