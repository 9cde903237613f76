"""The watcher and its records (gateway/decide/watch.py, gateway/flows/risk.py)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.check.risk_rules import RiskPoint, make_risk_rules
from gateway.decide import engine
from gateway.decide.apply import apply
from gateway.decide.desk import Act, Actor, Alarm
from gateway.decide.effects import Alert, Ask, Effect, Hold, Move, NewCase, Note, Respond
from gateway.decide.facts import Answer, Facts, FiguresIn, TaskById
from gateway.decide.figures import sums_of
from gateway.decide.watch import OVERDUE, PROVEN, RISK, SWEEP, find_interception, record_of, watch
from gateway.documents import Decision
from gateway.documents.response import Outcome, Response
from gateway.model import Case, Deadline, HeldRole, Partner, Person, Task, TaskState
from tests.flows import world as small
from tests.flows.world import (
    BUREAU,
    CUSTOMS,
    FACTORY,
    FLOWS,
    NOW,
    PORT_SIDE,
    RULES,
    STRANGER,
    Watched,
    answer,
    entry,
    notice,
    of,
    outbound,
    transfer,
)

NUMBER = "370100226000001"
HQ = "000000"


def point(name: str, **terms: object) -> RiskPoint:
    given: dict[str, object] = {
        "name": name,
        "en": "Something",
        "zh": "某事",
        "source": "a test",
        "area": "work",
        "grade": 2,
        "level": "branch",
        "due": "2 days",
        "key": ["case"],
    }
    return RiskPoint.model_validate(given | terms)


def watched(*points: RiskPoint) -> Watched:
    """A world that is watched for these alone."""
    return Watched(rules=replace(RULES, risks=make_risk_rules({one.name: one for one in points})))


PASSED = point("passed", on="move", what=["inspection.pass"])
STOPPED = point("stopped", on="move", what=["transfer.send"], stop=True, grade=1)


def record(world: Watched) -> Case:
    (found,) = world.records
    return found


def act(
    world: Watched, task: Task, option: str, person: str, *, partner: Partner = BUREAU, at: datetime = NOW
) -> list[Effect]:
    """A person's decision."""
    world.messages += 1
    decision = Decision(task=task.id, option=option, task_version=task.version)
    occasion = Act("decision", decision, Actor(partner, person), f"act-{world.messages}", at)
    return world.decide(occasion, at)


def task_of(world: Watched, kind: str = RISK) -> Task:
    (found,) = (task for task in world.ground.tasks.values() if task.kind == kind and task.state.waits)
    return found


@pytest.fixture(autouse=True)
def supervisors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two persons of the bureau who supervise, and nothing else."""
    more = (
        Person("boss", BUREAU.id, "Ma", (HeldRole("supervisor"),)),
        Person("deputy", BUREAU.id, "Hu", (HeldRole("supervisor"),)),
    )
    monkeypatch.setattr(small, "PERSONS", (*small.PERSONS, *more))


def test_what_meets_a_point_is_a_record_with_a_task_for_its_office() -> None:
    """The decision stands; beside it are a case of its own, a task with the point's term and grounds, and a fact."""
    world = watched(PASSED)
    world.send(outbound(), FACTORY)
    effects = world.send(answer("released", declaration_number=NUMBER), BUREAU)
    assert world.consignment.tracks["inspection"] == "passed"
    found = record(world)
    said = record_of(found)
    assert (found.status, found.partner_id) == ("commissioned", "")
    assert (said.point, said.office, said.case_id, said.partner, said.stopped) == (
        "passed", "370100", world.consignment.id, BUREAU.id, False,
    )  # fmt: skip
    task = task_of(world)
    assert (task.office, task.act, task.due_at) == ("370100", "supervise", RULES.calendar.end(PASSED.due, NOW))
    assert set(task.options) == {"explain", "rectify", "confirm"}
    assert [one.kind for one in world.figures][-1] == "risk_found"
    assert [case for case, *_ in world.ground.links] == [found.id]
    assert isinstance(effects[0], NewCase) is False


def test_one_question_has_one_open_record() -> None:
    """What meets the same point about the same thing again is a note; about another thing it is another record."""
    noted = point("noted", on="note", what=["repeat"])
    world = watched(noted)
    world.send(outbound(), FACTORY)
    world.send(outbound(), FACTORY)
    again = world.send(outbound(), FACTORY)
    assert [one.kind for one in of(again, Note) if one.case == record(world).id] == ["repeat"]
    assert of(again, NewCase) == []
    world.send(outbound(client_reference="E-2"), FACTORY)
    world.send(outbound(client_reference="E-2"), FACTORY)
    assert len(world.records) == 2


@pytest.mark.parametrize(
    ("level", "office"),
    [("section", "370100"), ("branch", "370100"), ("bureau", HQ), ("hq", HQ)],
)
def test_a_record_goes_to_the_office_of_its_level(level: str, office: str) -> None:
    """The office itself, its bureau, or headquarters; where an office is no partner of ours, the one above it."""
    world = watched(PASSED.model_copy(update={"level": point("x", on="note", what=["x"], level=level).level}))
    world.send(outbound(), FACTORY)
    world.send(answer("released", declaration_number=NUMBER), BUREAU)
    assert record_of(record(world)).office == task_of(world).office == office


def test_a_record_is_answered_and_closed_by_two_persons() -> None:
    """A supervisor says what is true of it, and another one closes it; a false alarm counts as none."""
    world = watched(PASSED)
    world.send(outbound(), FACTORY)
    world.send(answer("released", declaration_number=NUMBER), BUREAU)
    act(world, task_of(world), "rectify", "boss")
    assert (record(world).status, record_of(record(world)).outcome) == ("rectified", "rectify")
    assert OVERDUE not in {one.kind for one in world.deadlines.values()}
    refused = act(world, task_of(world, "risk_close"), "close", "boss")
    assert record(world).status == "rectified"
    assert [alert.kind for alert in of(refused, Alert)] == ["role"]
    act(world, task_of(world, "risk_close"), "close", "deputy")
    assert record(world).status == "closed"


def test_a_record_may_be_taken_up_again() -> None:
    """Whoever is to close it may find the answer wanting: it is asked anew, and what was counted of it is taken back."""
    world = watched(PASSED)
    world.send(outbound(), FACTORY)
    world.send(answer("released", declaration_number=NUMBER), BUREAU)
    act(world, task_of(world), "confirm", "boss")
    act(world, task_of(world, "risk_close"), "resume", "deputy")
    assert (record(world).status, record_of(record(world)).outcome) == ("commissioned", None)
    assert [(one.kind, one.count) for one in world.figures if one.kind == PROVEN] == [(PROVEN, 1), (PROVEN, -1)]
    act(world, task_of(world), "explain", "boss")
    assert record(world).status == "explained"


def test_nobody_handles_a_record_of_what_he_did() -> None:
    """The person whose act it was is barred from its tasks, whatever roles the person has."""
    tried = point("tried", on="attempt", what=["task.decide"], key=["person"], level="branch")
    world = watched(PASSED, tried)
    world.send(outbound(), FACTORY)
    world.send(answer("released", declaration_number=NUMBER), BUREAU)
    # A declaration's task, which a supervisor may not decide: the review of the first declaration.
    ask = Ask("t-1", "risk", record(world).id, "370100", barred=("boss",))
    desk = FLOWS.desk(Alarm(Deadline("d", "x", "", NOW), "x"), world.ground.over(Facts()), world.rules, NOW)
    desk = replace(desk, facts=desk.facts.plus({TaskById("t-1"): Answer(None)}))
    world.ground.take(apply(desk, [ask], world.ground.cases))
    task = world.ground.tasks["t-1"]
    effects = act(world, task, "explain", "boss")
    assert [code for one in of(effects, Respond) for code in [r.code for r in one.document.reasons]] == [
        "decide.person.concerned"
    ]
    assert act(world, task, "explain", "deputy")
    assert record(world).status == "explained"


def test_an_open_record_is_escalated_at_its_term() -> None:
    """Once its term is over the record says so, and its task is asked of the office above; answered, nothing happens."""
    world = watched(PASSED)
    world.send(outbound(), FACTORY)
    world.send(answer("released", declaration_number=NUMBER), BUREAU)
    world.let_pass(OVERDUE)
    assert record(world).status == "escalated"
    act(world, task_of(world), "confirm", "boss")
    assert record(world).status == "confirmed"


def test_what_is_stopped_does_not_take_effect_until_it_is_explained() -> None:
    """A point that stops takes the place of the decision: it is held, its sender is told, and told again until it may go on."""
    world = watched(STOPPED)
    world.send(outbound(), FACTORY)
    before = world.consignment
    effects = world.send(transfer(NUMBER), BUREAU)
    assert world.consignment == before
    (hold,), (told,) = of(effects, Hold), of(effects, Respond)
    assert (hold.case, [one.code for one in hold.reasons]) == (before.id, ["decide.risk.stopped"])
    assert isinstance(told.document, Response)
    assert (told.document.outcome, told.document.number) == (Outcome.HELD, "T-1")
    assert [reason.code for reason in told.document.reasons] == ["decide.risk.waits"]
    assert record_of(record(world)).stopped
    assert of(world.send(transfer(NUMBER), BUREAU), Hold)
    assert world.consignment.tracks.get("transfer") is None
    act(world, task_of(world), "explain", "boss")
    assert of(world.send(transfer(NUMBER), BUREAU), Hold) == []
    assert world.consignment.tracks["transfer"] == "sent"


def test_what_is_stopped_and_found_true_stays_stopped_and_counts_as_intercepted() -> None:
    """The interception rate is the share, of records found true, of those whose act did not take effect."""
    world = watched(STOPPED, PASSED)
    world.send(outbound(), FACTORY)
    world.send(transfer(NUMBER), BUREAU)
    act(world, task_of(world), "confirm", "boss")
    assert of(world.send(transfer(NUMBER), BUREAU), Hold)
    world.send(answer("released", declaration_number=NUMBER), BUREAU)
    other = next(task for task in world.ground.tasks.values() if task.kind == RISK and task.state is TaskState.OPEN)
    act(world, other, "rectify", "boss")
    figures = sums_of(world.figures, FiguresIn((PROVEN,), NOW.date(), NOW.date(), 0, 99))
    assert find_interception(figures) == (1, 2)


@pytest.mark.parametrize("case", ["a move", "an attempt", "a task"])
def test_the_watcher_does_not_watch_itself(case: str) -> None:
    """Nothing that happens to a record is looked at by any point, whatever the points say."""
    everything = [
        point("moves", on="move", what=[f"risk.{event}" for event in ("commission", "explain", "close", "escalate")]),
        point("attempts", on="attempt", what=["task.decide", "task.claim"], key=["task"]),
        point("tasks", on="task", what=["task.decide", "task.claim", "task.withdraw"], key=["task"]),
        point("alerts", on="alert", what=["role", "task_overdue"]),
        PASSED,
    ]
    world = watched(*everything)
    world.send(outbound(), FACTORY)
    world.send(answer("released", declaration_number=NUMBER), BUREAU)
    if case == "a move":
        world.let_pass(OVERDUE)
    elif case == "an attempt":
        act(world, task_of(world), "explain", "wang")
    else:
        act(world, task_of(world), "claim", "boss")
        act(world, task_of(world), "explain", "boss")
    assert [record_of(one).point for one in world.records] == ["passed"]


def test_where_the_watcher_fails_the_decision_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """An alert says that it was not watched; what was decided is as it was."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(engine, "watch", fail)
    world = watched(PASSED)
    effects = world.send(outbound(), FACTORY)
    assert world.case.status == "accepted"
    assert [(alert.kind, alert.reasons[0].value) for alert in of(effects, Alert)] == [
        ("unwatched", "ZeroDivisionError")
    ]


CONDITIONS: Sequence[tuple[Mapping[str, object], bool]] = (
    ({"field": "partner", "one_of": [BUREAU.id]}, True),
    ({"field": "partner", "none_of": [BUREAU.id]}, False),
    ({"field": "roles", "one_of": ["bureau", "customs"]}, True),
    ({"field": "person", "present": False}, True),
    ({"field": "office", "one_of": ["370100"]}, True),
    ({"field": "occasion", "one_of": ["act"]}, False),
    ({"field": "document", "one_of": ["response"]}, True),
    ({"field": "hour", "one_of": ["16"]}, True),  # 08:00 UTC
    ({"field": "day", "one_of": ["worked"]}, True),
    ({"field": "before.inspection", "one_of": ["none"]}, True),
    ({"field": "after.inspection", "one_of": ["passed"]}, True),
    ({"field": "kept.declaration.direction", "one_of": ["outbound"]}, True),
    ({"field": "kept.declaration.colour", "present": True}, False),
    ({"field": "case_kind", "one_of": ["consignment"]}, True),
    ({"field": "status", "one_of": ["released"]}, True),
    ({"field": "task", "present": True}, False),
)


@pytest.mark.parametrize(("condition", "met"), CONDITIONS)
def test_a_point_is_met_where_all_its_conditions_hold(condition: Mapping[str, object], met: bool) -> None:
    """Each thing that a move tells can be asked for."""
    world = watched(point("one", on="move", what=["inspection.pass"], when=[condition]))
    world.send(outbound(), FACTORY)
    world.send(answer("released", declaration_number=NUMBER), BUREAU)
    assert bool(world.records) is met


def test_what_happens_too_often_is_found_afterwards() -> None:
    """A point that looks back counts what was told, by question, and makes one record once there are too many."""
    often = point("often", on="note", what=["repeat"], key=["partner"], more_than=2, within_days=10, level="hq")
    world = watched(often)
    world.send(outbound(), FACTORY)

    def look_back(at: datetime) -> list[Effect]:
        return world.decide(Alarm(Deadline("sweep", SWEEP, "", at), f"sweep-{at:%d%H}"), at)

    for day in range(3):
        assert world.records == []
        world.send(outbound(), FACTORY, now=NOW + timedelta(days=day))
        look_back(NOW + timedelta(days=day, hours=1))
    said = record_of(record(world))
    assert (said.times, said.partner, said.office) == (3, FACTORY.id, HQ)
    look_back(NOW + timedelta(days=3))
    assert len(world.records) == 1
    act(world, task_of(world), "explain", "boss", partner=BUREAU)  # of another office: refused
    assert record(world).status == "commissioned"
    late = NOW + timedelta(days=30)
    look_back(late)
    assert len(world.records) == 1, "its days are over, and there are no more"


def test_an_ordinary_day_gives_no_record_of_grade_1() -> None:
    """The shipped points leave alone what goes as it should."""
    world = Watched()
    for serial in range(1, 41):
        reference, number = f"E-{serial}", f"3701002260{serial:05}"
        world.send(outbound(client_reference=reference), FACTORY)
        world.send(answer("released", f"R-{serial}", reference=reference, declaration_number=number), BUREAU)
        world.send(transfer(number, number=f"T-{serial}"), BUREAU)
        world.send(notice(number), PORT_SIDE)
        world.send(entry(number, number=f"4200202600000{serial:05}"), CUSTOMS)
    assert {case.status for case in world.ground.cases.values()} == {"cleared"}
    assert world.records == []


def test_shipped_points_find_what_they_are_for() -> None:
    """A stranger's answer, goods that fail after customs let them go, and a notice against an order to check: one each."""
    world = Watched()
    world.send(outbound(), FACTORY)
    world.send(answer("released", declaration_number=NUMBER), STRANGER)
    world.send(answer("accepted", "R-2", code="1500", declaration_number=NUMBER), BUREAU)
    held = world.send(notice(NUMBER, issuing_organisation="370100"), BUREAU)
    assert of(held, Hold)
    assert [one for one in of(held, Move) if one.track == "clearance"] == []
    points = sorted(record_of(one).point for one in world.records)
    assert points == ["anothers_case", "notice_against_order"]
    assert {record_of(one).grade for one in world.records} == {1, 2}


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["declare", "release", "transfer", "notice", "clear", "stranger"]), max_size=12))
def test_a_point_that_does_not_stop_changes_nothing(steps: Sequence[str]) -> None:
    """Watched by points that only look, every decision comes to what it comes to unwatched, and to records beside it."""
    looking = [
        point("moves", on="move", what=["declaration.accept", "inspection.pass", "transfer.send", "clearance.notify"]),
        point("alerts", on="alert", what=["sender", "status"]),
        point("notes", on="note", what=["repeat", "late"]),
    ]
    seen, unseen = watched(*looking), small.World()
    for step in steps:
        document, sender = {
            "declare": (outbound(), FACTORY),
            "release": (answer("released", declaration_number=NUMBER), BUREAU),
            "transfer": (transfer(NUMBER), BUREAU),
            "notice": (notice(NUMBER), PORT_SIDE),
            "clear": (entry(NUMBER), CUSTOMS),
            "stranger": (answer("refused", "R-9", declaration_number=NUMBER), STRANGER),
        }[step]
        one, other = seen.send(document, sender), unseen.send(document, sender)
        assert one[: len(other)] == other
    mine = {id_: case for id_, case in seen.ground.cases.items() if case.kind != RISK}
    assert mine == unseen.ground.cases
    keys = [key for case in seen.records for key in case.keys]
    assert len(keys) == len(set(keys)), "no question has two open records"


def test_the_watcher_takes_little_time() -> None:
    """A decision in which no point is met costs a few microseconds, one in which some look up is far below 100."""
    world = Watched()
    world.send(outbound(), FACTORY)
    desk = world.flows.desk(
        Act("decision", Decision(task="t", option="x", task_version=1), Actor(BUREAU, "wang"), "a", NOW),
        world.ground.over(Facts()), world.rules, NOW,
    )  # fmt: skip
    case = world.case
    moves: list[Effect] = [Move(case.id, "inspection", "pass"), Note(case.id, "repeat"), Alert("status", (), case.id)]
    applied = apply(desk, moves, world.ground.cases)
    best = 1.0
    for _ in range(20):
        began = time.process_time()
        for _ in range(50):
            watch(desk, moves, applied)
        best = min(best, (time.process_time() - began) / 50)
    assert best < 100e-6
