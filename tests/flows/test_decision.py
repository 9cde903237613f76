"""A person's decision on a task: settled, moved on meanwhile, or refused with reasons."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.decide.desk import Act, Actor, Desk
from gateway.decide.effects import Ask, Effect, Move, Note, Refuse, Respond, Settle
from gateway.decide.flow import Flow, Flows, On
from gateway.decide.tasks import TaskKind
from gateway.documents import Decision, Response
from gateway.errors import FlowsInvalid
from gateway.model import Case, Partner, Task, TaskState
from tests.flows.consignment.test_declaration import newcomers
from tests.flows.world import (
    BUREAU,
    FACTORY,
    FLOWS,
    NEWCOMER,
    NOW,
    ORIGIN,
    STRANGER,
    World,
    answer,
    codes,
    of,
)

REVIEW = TaskKind("paper_review", "declaration", "review", {"let": "accept", "stop": "refuse"})
TASK = "task-1"


def ask(desk: Desk, case: Case) -> list[Effect]:
    """An officer must look at what is in review."""
    return [Ask(TASK, REVIEW.name, case.id, office=ORIGIN)]


def follow(_desk: Desk, case: Case) -> list[Effect]:
    return [Note(case.id, "answered")]


ASKS = Flow(
    "asks", takes=(), decide=lambda _desk: [], tasks=(REVIEW,),
    reacts=(On("declaration", "review", ask), On("declaration", "accept", follow)),
)  # fmt: skip


def reviewed() -> World:
    """A declaration in review, about which the bureau's officer is asked."""
    world = World(flows=Flows([*FLOWS.all, ASKS]))
    world.send(newcomers(), NEWCOMER)
    assert world.case.tracks["declaration"] == "in_review"
    return world


def task_of(world: World) -> Task:
    return world.ground.tasks[TASK]


def decide(world: World, option: str, sender: Partner = BUREAU, **fields: object) -> list[Effect]:
    """A person of `sender` decides."""
    world.messages += 1
    document = Decision.model_validate({"task": TASK, "option": option, "task_version": 1} | fields)
    return world.decide(Act("decision", document, Actor(sender, "wang"), f"act-{world.messages}", NOW))


def answered(effects: list[Effect]) -> Response:
    (told,) = of(effects, Respond)
    assert isinstance(told.document, Response)
    return told.document


def test_a_decision_fires_its_options_event() -> None:
    """The event happens to the task's case, other flows react to it, and the answer has the task's new version."""
    world = reviewed()
    effects = decide(world, "let", reasons=["资料齐全"])
    told = answered(effects)
    assert world.case.tracks["declaration"] == "accepted"
    assert (told.outcome, told.number, told.task_version) == ("accepted", TASK, 2)
    assert [effect.kind for effect in of(effects, Note)] == ["answered"]
    task = task_of(world)
    assert (task.state, task.option, task.version, task.decided_by) == (TaskState.DECIDED, "let", 2, "act-2")
    (settled,) = of(effects, Settle)
    assert codes(settled.reasons) == ["decide.told"]


def test_a_second_decision_learns_what_the_first_came_to() -> None:
    """What was decided meanwhile is not decided again: the answer says what, when, and the version it has now."""
    world = reviewed()
    decide(world, "let")
    effects = decide(world, "stop")
    told = answered(effects)
    assert world.case.tracks["declaration"] == "accepted"
    assert (told.outcome, told.task_version) == ("refused", 2)
    assert [reason.code for reason in told.reasons] == ["decide.task.moved_on"]
    assert "let" in (told.reasons[0].text or "")


def test_a_task_that_has_changed_must_be_looked_at_again() -> None:
    """Whoever looked at an earlier version does not decide the present one."""
    world = reviewed()
    world.ground.tasks[TASK] = replace(task_of(world), version=3)
    told = answered(decide(world, "let"))
    assert ([reason.code for reason in told.reasons], told.task_version) == (["decide.task.changed"], 3)
    assert world.case.tracks["declaration"] == "in_review"
    assert answered(decide(world, "let", task_version=3)).outcome == "accepted"


@pytest.mark.parametrize(
    ("fields", "sender", "code"),
    [
        ({"option": "burn"}, BUREAU, "decide.task.option"),
        ({"office": "370900"}, BUREAU, "decide.task.office"),
        ({"task": "task-9"}, BUREAU, "decide.task.unknown"),
        ({}, STRANGER, "decide.task.unknown"),
        ({}, FACTORY, "decide.task.unknown"),
    ],
)
def test_a_decision_that_cannot_be_is_refused(fields: dict[str, object], sender: Partner, code: str) -> None:
    """No such option, another office, no such task; another office's task is not there for others. Nothing moves."""
    world = reviewed()
    effects = decide(world, str(fields.pop("option", "let")), sender, **fields)
    assert codes(of(effects, Refuse)[0].reasons) == [code]
    assert (world.case.tracks["declaration"], task_of(world).state) == ("in_review", TaskState.OPEN)


def test_a_system_that_answers_by_itself_settles_the_task() -> None:
    """The bureau's own response moves the track as an option would: the task is decided by that option."""
    world = reviewed()
    world.send(answer("accepted"), BUREAU)
    task = task_of(world)
    assert (task.state, task.option) == (TaskState.DECIDED, "let")
    assert [reason.code for reason in answered(decide(world, "stop")).reasons] == ["decide.task.moved_on"]


def test_a_task_whose_reason_is_gone_is_withdrawn() -> None:
    """What nobody can decide any more waits for nobody: the enterprise has cancelled its declaration."""
    world = reviewed()
    world.send(newcomers(function="1"), NEWCOMER)
    assert world.case.tracks["declaration"] == "cancelled"
    assert (task_of(world).state, task_of(world).option) == (TaskState.WITHDRAWN, "")


def test_a_task_asked_again_stays_as_it_is() -> None:
    """The same occasion, decided again, asks nothing anew."""
    world = reviewed()
    decide(world, "let")
    before = task_of(world)
    world.decide(Act("declaration", newcomers(), Actor(NEWCOMER), "message-1", NOW))
    assert task_of(world) == before


def test_what_moves_no_such_track_leaves_the_task_open() -> None:
    """A late answer is noted, and the task waits on."""
    world = reviewed()
    effects = world.send(answer("received"), BUREAU)
    assert not of(effects, Move)
    assert task_of(world).state is TaskState.OPEN


def test_a_task_that_could_never_be_decided_does_not_load() -> None:
    """An option whose event is in no table is found when flows are put together; so are two kinds of one name."""
    bad = replace(ASKS, name="bad", tasks=(TaskKind("x", "declaration", "review", {"go": "fly"}),), reacts=())
    with pytest.raises(FlowsInvalid, match=r"declaration\.fly"):
        Flows([*FLOWS.all, bad])
    with pytest.raises(FlowsInvalid, match="paper_review"):
        Flows([*FLOWS.all, ASKS, replace(ASKS, name="again")])
