"""A person's decision on a task: settled, moved on meanwhile, or refused with reasons."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from gateway.check.acts import TaskRule
from gateway.decide.desk import Act, Actor, Desk
from gateway.decide.effects import Alert, Ask, Effect, Move, Note, Refuse, Respond, Settle
from gateway.decide.flow import Flow, Flows, On
from gateway.decide.overdue import offices_above
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
    PORT_BUREAU,
    RULES,
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


def ruled(**rule: object) -> World:
    """As `reviewed`, where tasks of the kind have a rule."""
    rules = replace(RULES.acts, tasks={REVIEW.name: TaskRule.model_validate(rule)})
    world = World(rules=replace(RULES, acts=rules), flows=Flows([*FLOWS.all, ASKS]))
    world.send(newcomers(), NEWCOMER)
    return world


def act(world: World, person: str, option: str, *, version: int, now: datetime = NOW, role: str = "") -> list[Effect]:
    """What `person` comes to, who looked at that version of the task."""
    world.messages += 1
    document = Decision.model_validate({"task": TASK, "option": option, "task_version": version})
    return world.decide(Act("decision", document, Actor(BUREAU, person, role), f"act-{world.messages}", now), now)


@pytest.mark.parametrize(
    ("person", "role", "code"),
    [
        ("", "", "decide.person.none"),  # a system, for which nobody would answer
        ("nobody", "", "decide.person.unknown"),
        ("gone", "", "decide.person.unknown"),  # not active
        ("far", "", "decide.person.unknown"),  # another bureau's
        ("inspector", "", "decide.person.act"),
        ("chief", "supervisor", "decide.person.act"),  # holds a role that gives it, and says to act in another
        ("wang", "supervisor", "decide.person.act"),  # says to act in a role that is not held
        ("retired", "", "decide.person.validity"),
        ("elsewhere", "", "decide.person.office"),
    ],
)
def test_who_may_not_decide_is_refused(person: str, role: str, code: str) -> None:
    """Nothing moves; the sender learns why, somebody is alerted, and the audit says who tried what."""
    world = reviewed()
    effects = act(world, person, "let", version=1, role=role)
    assert codes(of(effects, Refuse)[0].reasons) == [code]
    assert [(alert.kind, alert.case) for alert in of(effects, Alert)] == [("role", world.case.id)]
    assert (world.case.tracks["declaration"], task_of(world).version) == ("in_review", 1)
    (entry,) = world.audit
    assert (entry.action, entry.result, entry.person_id, entry.case_id, entry.office, entry.reasons) == (
        "task.decide", "refused", person, world.case.id, ORIGIN, (code,),
    )  # fmt: skip


def test_a_claim_keeps_others_away_until_it_is_over() -> None:
    """Another person is refused meanwhile; the claimant goes on, and holds it longer by claiming again."""
    world = reviewed()
    assert answered(act(world, "wang", "claim", version=1)).task_version == 2
    assert (task_of(world).state, task_of(world).person_id) == (TaskState.CLAIMED, "wang")
    for option in ("let", "claim", "return"):
        assert codes(of(act(world, "li", option, version=2), Refuse)[0].reasons) == ["decide.task.claimed"]
    later = NOW + timedelta(minutes=15)
    act(world, "wang", "claim", version=2, now=later)
    assert not world.ground.tasks[TASK].is_claimed(later + timedelta(minutes=20))
    assert answered(act(world, "wang", "let", version=3, now=later)).outcome == "accepted"
    assert [(one.action, one.result) for one in world.audit] == [
        ("task.claim", "done"), ("task.decide", "refused"), ("task.claim", "refused"), ("task.return", "refused"),
        ("task.claim", "done"), ("task.decide", "done"),
    ]  # fmt: skip
    assert (world.audit[-1].before["person"], world.audit[-1].after) == (
        "wang", {"version": "4", "state": "decided", "office": ORIGIN, "person": "wang", "option": "let"},
    )  # fmt: skip


def test_a_claim_that_is_over_or_given_back_keeps_nobody_away() -> None:
    """Whoever comes first then may claim it, or decide at once."""
    world = reviewed()
    act(world, "wang", "claim", version=1)
    act(world, "wang", "return", version=2)
    assert (task_of(world).state, task_of(world).person_id) == (TaskState.OPEN, "")
    assert codes(of(act(world, "wang", "return", version=3), Refuse)[0].reasons) == ["decide.task.not_claimed"]
    act(world, "wang", "claim", version=3)
    assert answered(act(world, "li", "let", version=4, now=NOW + timedelta(minutes=20))).outcome == "accepted"


def test_a_supervisor_goes_on_with_what_another_has_claimed() -> None:
    """The audit calls it by its name."""
    world = reviewed()
    act(world, "wang", "claim", version=1)
    assert answered(act(world, "chief", "let", version=2)).outcome == "accepted"
    assert (world.audit[-1].action, world.audit[-1].person_id, world.audit[-1].role) == (
        "task.override", "chief", "reviewer",
    )  # fmt: skip


def done(world: World, what: str, person: str, office: str = ORIGIN) -> None:
    """An earlier task of the case that `person` decided."""
    world.ground.tasks[f"{what}-{person}"] = Task(
        f"{what}-{person}", 2, "other", world.case.id, "inspection", office, what, {}, NOW, state=TaskState.DECIDED,
        option="x", decided_at=NOW, person_id=person,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "before", "code"),
    [
        ({"not_by": ["draft"]}, [("draft", "wang")], "decide.person.excluded"),
        ({"not_by": ["draft"]}, [("draft", "li"), ("make", "wang")], ""),
        ({"done_by": ["inspect"]}, [("inspect", "li")], "decide.person.not_done"),
        ({"done_by": ["inspect"]}, [("inspect", "wang")], ""),
        ({"same_office_as": "make"}, [("make", "li", "370900")], "decide.person.elsewhere"),
        ({"same_office_as": "make"}, [], "decide.person.elsewhere"),
        ({"same_office_as": "make"}, [("make", "li", ORIGIN)], ""),
    ],
)
def test_what_was_done_on_the_case_keeps_duties_apart(
    rule: dict[str, object], before: list[tuple[str, ...]], code: str
) -> None:
    """谁检验谁拟证，谁缮制谁签证: who did an act may be excluded, or be the only one; an office may be the only one."""
    world = ruled(**rule)
    for one in before:
        done(world, *one)
    refused = of(act(world, "wang", "let", version=1), Refuse)
    assert [codes(one.reasons) for one in refused] == ([[code]] if code else [])


def test_a_task_that_is_over_is_asked_of_the_office_above() -> None:
    """The nearest office above that is a partner; somebody is alerted, it is due anew, and its old office lets go of it."""
    world = ruled(due="2 hours", escalate="370200")
    act(world, "wang", "claim", version=1)
    effects = world.let_pass("task")
    task = task_of(world)
    assert (task.state, task.office, task.person_id, task.version) == (TaskState.ESCALATED, PORT_BUREAU, "", 3)
    assert [codes(alert.reasons) for alert in of(effects, Alert)] == [["decide.task.overdue"]]
    assert task.due_at == NOW + timedelta(hours=4)
    assert codes(of(act(world, "wang", "let", version=3), Refuse)[0].reasons) == ["decide.task.unknown"]
    (deadline,) = (one for one in world.deadlines.values() if one.kind == "task")
    assert deadline.at == task.due_at
    assert (world.audit[1].action, world.audit[1].partner_id) == ("task.escalate", "")
    assert world.audit[1].person_id == "rule:tasks:paper_review"  # no person's doing


def test_a_task_with_no_office_above_is_expired_and_still_decided() -> None:
    """No office above is a partner: an alert, and whoever was asked still decides; then no term is left."""
    world = ruled(due="2 hours", escalate="up")
    world.let_pass("task")
    assert (task_of(world).state, task_of(world).office, task_of(world).due_at) == (TaskState.EXPIRED, ORIGIN, None)
    assert answered(act(world, "wang", "let", version=2)).outcome == "accepted"
    assert not [one for one in world.deadlines.values() if one.kind == "task"]


def test_a_term_ends_with_its_task() -> None:
    """What is decided is not escalated: its deadline goes with it."""
    world = ruled(due="2 hours", escalate="up")
    assert [one.kind for one in world.deadlines.values()].count("task") == 1
    act(world, "wang", "let", version=1)
    assert [one.kind for one in world.deadlines.values()].count("task") == 0


@pytest.mark.parametrize(
    ("office", "above"),
    [
        ("370210", ["370200", "370000", "000000"]),
        ("370000", ["000000"]),
        ("000000", []),
        ("3702", []),
        ("", []),
    ],
)
def test_offices_above_follow_the_code(office: str, above: list[str]) -> None:
    """Two digits fewer each time; none twice, none above the highest."""
    assert list(offices_above(office)) == above


def test_an_option_that_every_task_has_is_no_kinds_own() -> None:
    """It would never be chosen."""
    kind = TaskKind("x", "declaration", "review", {"claim": "accept"})
    with pytest.raises(FlowsInvalid, match="claim"):
        Flows([*FLOWS.all, replace(ASKS, name="bad", tasks=(kind,), reacts=())])
