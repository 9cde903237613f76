"""Flows that do not go together, or that rules speak wrongly of, are refused when they are loaded, in words that name both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from gateway.check.feeds import FeedRule
from gateway.check.views import Shown, ViewRules
from gateway.decide.effects import Alert
from gateway.decide.flow import Feed, Flow, Flows, On, Takes
from gateway.decide.kinds import CaseKind
from gateway.decide.tasks import CLAIM, DEADLINE, GIVE_BACK, TaskKind
from gateway.decide.tracks import NONE, Track, make_row, to
from gateway.documents import Enquiry, Response
from gateway.errors import FlowsInvalid
from gateway.flows.consignment.verdicts import find_contradiction, find_out_of_customs, implied_by
from gateway.model import Role
from tests.flows.world import FACTORY, FLOWS, World, outbound

TRACK = Track("declaration", {"accept": make_row(to("accepted", NONE))})
CASES = CaseKind("parcel", frozenset({"waybill"}))


def flow(name: str, **declared: Any) -> Flow:
    return Flow(name, declared.pop("takes", ()), lambda _desk: [], **declared)


def refusal(*flows: Flow) -> str:
    with pytest.raises(FlowsInvalid) as caught:
        Flows(flows)
    return str(caught.value)


def task(options: Mapping[str, str]) -> Flow:
    return flow("b", tasks=(TaskKind("look", "declaration", "review", options),))


@pytest.mark.parametrize(
    ("flows", "told"),
    [
        ((flow("a"), flow("a")), "two flows are called a"),
        (
            (flow("a", case_kind=CASES), flow("b", case_kind=CaseKind("parcel", frozenset()))),
            "two flows bring cases of the kind parcel",
        ),
        ((task({}), flow("c", tasks=task({}).tasks)), "two flows bring tasks of the kind look"),
        (
            (flow("a", deadlines={"late": list}), flow("b", deadlines={"late": list})),
            "two flows bring deadlines of the kind late",
        ),
        ((flow("a", deadlines={DEADLINE: list}),), f"two flows bring deadlines of the kind {DEADLINE}"),
        (
            (flow("a", feeds=(Feed("x", frozenset({Role.PORT})),)), flow("b", feeds=(Feed("x", frozenset()),))),
            "b and another flow let different readers see the feed x",
        ),
        (
            (flow("a", reacts=(On("declaration", "fly", lambda _desk, _case: []),)),),
            "a waits for declaration.fly, which never happens",
        ),
        (
            (flow("a", tracks=(TRACK,)), task({CLAIM: "accept"})),
            f"the task look has the option {CLAIM}, which every task has",
        ),
        (
            (flow("a", tracks=(TRACK,)), task({GIVE_BACK: "accept"})),
            f"the task look has the option {GIVE_BACK}, which every task has",
        ),
        (
            (flow("a", tracks=(TRACK,)), task({"go": "accept", "up": "fly"})),
            "the task look fires declaration.fly, which never happens",
        ),
        (
            (flow("a", takes=(Takes(Enquiry),)), flow("b", takes=(Takes(Response), Takes(Enquiry)))),
            "both a and b take enquiry",
        ),
        (
            (flow("a", rules=(next(iter(FLOWS.rules)),)), flow("b", rules=(next(iter(FLOWS.rules)),))),
            "two flows bring rules of one kind",
        ),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_flows_that_do_not_go_together_are_refused(flows: tuple[Flow, ...], told: str) -> None:
    """Each in whole words."""
    assert refusal(*flows) == told


def test_flows_that_go_together_are_loaded() -> None:
    """What the refused ones declare is fine by itself, and the same feed may be written by two."""
    feed = Feed("x", frozenset({Role.PORT}))
    both = Flows(
        [
            flow("b", feeds=(feed,)),
            flow("a", feeds=(feed,), tracks=(TRACK,)),
            flow("c", tasks=task({"go": "accept"}).tasks),
        ]
    )
    assert [one.name for one in both.all] == ["a", "b", "c"]
    assert both.tasks_on("declaration")
    assert not both.tasks_on("inspection")
    assert both.on_deadline(DEADLINE) is FLOWS.on_deadline(DEADLINE)
    with pytest.raises(LookupError):
        both.on_deadline("late")


def views(kind: str = "parcel", documents: tuple[str, ...] = ("enquiry",), **shown: frozenset[str]) -> ViewRules:
    return ViewRules(
        documents=MappingProxyType({name: {} for name in documents}),
        cases=MappingProxyType({kind: {"owner": Shown(**shown)}}),
    )


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        (views(documents=()), "nothing in schemas/rules/views says who sees a enquiry"),
        (
            ViewRules(documents={"enquiry": {}}),
            "nothing in schemas/rules/views says who sees a case of the kind parcel",
        ),
        (
            ViewRules(documents={"enquiry": {}}, cases={"parcel": {}, "ship": {}}),
            "schemas/rules/views speaks of cases of the kind ship, which no flow opens",
        ),
        (views(tracks=frozenset({"weather"})), "the view owner of a parcel speaks of weather, which is no track"),
        (
            views(keys=frozenset({"waybill", "colour"})),
            "the view owner of a parcel names keys called colour, which it has not",
        ),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_views_of_what_is_not_there_are_refused(rules: ViewRules, told: str) -> None:
    """Every document and case has its views, and views speak of tracks and keys that there are."""
    parcels = Flows([flow("a", case_kind=CASES, takes=(Takes(Enquiry),), tracks=(TRACK,))])
    parcels.check_views(views(tracks=frozenset({"declaration"}), keys=frozenset({"waybill"})))
    with pytest.raises(FlowsInvalid) as caught:
        parcels.check_views(rules)
    assert str(caught.value) == told


def test_a_feeds_rule_narrows_and_never_widens() -> None:
    """Fewer readers, none and the same are fine; one more is not, and a feed that nobody writes has no rule."""
    feeds = Flows([flow("a", feeds=(Feed("x", frozenset({Role.PORT, Role.CUSTOMS})),))])
    for readers in ({Role.PORT, Role.CUSTOMS}, {Role.PORT}, set()):
        rules = {"x": FeedRule(source="s", readers=frozenset(readers))}
        feeds.check_feeds(rules)
        assert feeds.readers(rules) == {"x": frozenset(readers)}
    assert feeds.readers({}) == {"x": frozenset({Role.PORT, Role.CUSTOMS})}
    for readers in ({Role.PORT, Role.BUREAU}, {Role.BUREAU}):
        with pytest.raises(FlowsInvalid) as caught:
            feeds.check_feeds({"x": FeedRule(source="s", readers=frozenset(readers))})
        assert str(caught.value) == f"schemas/rules/feeds lets {Role.BUREAU} read the feed x, and its flow does not"
    with pytest.raises(FlowsInvalid) as caught:
        feeds.check_feeds({"y": FeedRule(source="s", readers=frozenset())})
    assert str(caught.value) == "schemas/rules/feeds speaks of the feed y, which no flow writes"


@pytest.mark.parametrize(
    ("happening", "implied"),
    [
        (("inspection", "pass"), (("declaration", "accept"), ("declaration", "overtake"))),
        (("inspection", "fail"), (("declaration", "accept"), ("declaration", "overtake"))),
        (("inspection", "begin"), (("declaration", "accept"),)),
        (("clearance", "pass"), ()),
    ],
)
def test_what_a_bureaus_word_implies(happening: tuple[str, str], implied: tuple[tuple[str, str], ...]) -> None:
    """What it inspects it has accepted, what it has judged is past change."""
    assert implied_by(happening) == implied


@pytest.mark.parametrize("inspection", ["", "passed", "failed"])
@pytest.mark.parametrize("clearance", ["", "released", "held"])
@pytest.mark.parametrize("event", ["pass", "fail", "refuse"])
def test_a_word_that_comes_too_late_alarms(inspection: str, clearance: str, event: str) -> None:
    """Failing or refusing what has passed or was let go contradicts; failing what was let go is an alarm of its own."""
    world = World()
    world.send(outbound(), FACTORY)
    (case,) = [one for one in world.ground.cases.values() if one.kind == "consignment"]
    tracks = {name: state for name, state in (("inspection", inspection), ("clearance", clearance)) if state}
    case = replace(case, tracks=tracks)
    late = event in ("fail", "refuse") and (inspection == "passed" or clearance == "released")
    assert find_contradiction(case, event, ()) == ([Alert("contradiction", (), case.id)] if late else [])
    gone = event == "fail" and clearance == "released"
    assert find_out_of_customs(case, event, ()) == ([Alert("failed_after_clearance", (), case.id)] if gone else [])
