"""The risk flow (风险处置): what becomes of a record that the watcher has made (`decide.watch`).

    found -> commissioned         the watcher asks the supervisors of its level
    commissioned -> escalated     its term is over; the task is the office above's by then
    commissioned, escalated -> explained, rectified, confirmed     by the task's decision
    explained, rectified, confirmed -> closed, or commissioned again where somebody resumes it

Who has answered does not close it: a rule of tasks says so (schemas/rules/tasks/risk.toml).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from gateway.check.rulebook import Rules
from gateway.decide import watch
from gateway.decide.deadlines import find_case, name_deadline, undo_deadline
from gateway.decide.desk import Desk
from gateway.decide.effects import Ask, Effect, Keep, Move, Retract, Tell
from gateway.decide.facts import Told
from gateway.decide.figures import FigureKind
from gateway.decide.flow import Flow, On
from gateway.decide.kinds import CaseKind
from gateway.decide.tasks import TaskKind
from gateway.decide.tracks import Track, make_row, to
from gateway.decide.watch import FOUND, OVERDUE, PROVEN, RISK, SWEEP, WATCHED, record_of
from gateway.model import Case, Deadline

_OPEN = ("found", "commissioned", "escalated")
_ANSWERS = {"explain": "explained", "rectify": "rectified", "confirm": "confirmed"}
"""What a supervisor says of a record: a false alarm, put right, or true and dealt with."""
_TRUE = ("rectify", "confirm")
_ANSWERED = tuple(_ANSWERS.values())
CLOSE = "risk_close"
"""The kind of the task by which an answered record is closed."""
_DIMS = frozenset({"point", "area", "grade", "level", "office", "stopped"})

TRACK = Track(
    RISK,
    {
        "commission": make_row(to("commissioned", "found"), ("commissioned", "escalated")),
        "escalate": make_row(to("escalated", "found", "commissioned"), ("escalated", *_ANSWERED, "closed")),
        **{event: make_row(to(state, *_OPEN), (*_ANSWERED, "closed")) for event, state in _ANSWERS.items()},
        "close": make_row(to("closed", *_ANSWERED), ("closed",)),
        "resume": make_row(to("commissioned", *_ANSWERED, "closed"), _OPEN),
    },
)


def _answer(outcome: str) -> Callable[[Desk, Case], list[Effect]]:
    """A reaction to a supervisor's answer: the record says so, and somebody else is asked to close it."""

    def react(desk: Desk, case: Case) -> list[Effect]:
        record = record_of(case)
        effects: list[Effect] = [
            Keep(case.id, RISK, record.model_copy(update={"outcome": outcome})),
            undo_deadline(case.id, OVERDUE),
            Ask(desk.derive(CLOSE), CLOSE, case.id, record.office or "", barred=_barred(case)),
        ]
        if outcome in _TRUE:
            desk.facts.require([Told(case.id, desk.test)])
            effects.append(Tell(PROVEN, case.id, _dims(case), case=case.id))
        return effects

    return react


def _ask_again(desk: Desk, case: Case) -> list[Effect]:
    """A record that is opened again waits for another answer."""
    record = record_of(case)
    desk.facts.require([Told(case.id, desk.test)])
    return [
        Keep(case.id, RISK, record.model_copy(update={"outcome": None})),
        Retract(PROVEN, case.id, case.id),
        Ask(desk.derive(RISK, "task"), RISK, case.id, record.office or "", barred=_barred(case)),
    ]


def _barred(case: Case) -> tuple[str, ...]:
    person = record_of(case).person
    return (person,) if person else ()


def _dims(case: Case) -> dict[str, str]:
    record = record_of(case)
    return {
        "point": record.point,
        "area": record.area,
        "grade": str(record.grade),
        "level": record.level,
        "office": record.office or "",
        "stopped": "yes" if record.stopped else "no",
    }


def escalate(desk: Desk) -> list[Effect]:
    """What is due at the end of a record's term: it is escalated where nobody has answered it."""
    case = find_case(desk)
    if case is None or case.tracks.get(RISK) not in _OPEN[:2]:
        return []
    return [Move(case.id, RISK, "escalate")]


def _begin(rules: Rules, now: datetime) -> Iterator[Deadline]:
    """From now on it is looked back, again and again."""
    if rules.risks.points:
        yield Deadline(name_deadline("", SWEEP), SWEEP, "", now + watch.SWEEPS_EVERY)


def _decide(_desk: object) -> list[Effect]:
    """No document is this flow's."""
    return []


FLOW = Flow(
    "risk",
    takes=(),
    decide=_decide,
    case_kind=CaseKind(RISK, frozenset({RISK})),
    tracks=(TRACK,),
    tasks=(
        TaskKind(RISK, RISK, "supervise", {event: event for event in _ANSWERS}),
        TaskKind(CLOSE, RISK, "supervise", {"close": "close", "resume": "resume"}),
    ),
    figures=(
        FigureKind(FOUND, _DIMS),
        FigureKind(PROVEN, _DIMS),
        FigureKind(WATCHED, frozenset({"point", "key", "person", "partner", "office"})),
    ),
    deadlines={OVERDUE: escalate, SWEEP: watch.sweep},
    begins=_begin,
    reacts=(*(On(RISK, event, _answer(event)) for event in _ANSWERS), On(RISK, "resume", _ask_again)),
)
"""Risk records."""
