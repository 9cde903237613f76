"""What statistics count of consignments (gateway/flows/consignment/figures.py), and the reports that ship."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.decide.desk import Alarm
from gateway.decide.effects import Effect, Publish, Refuse, Respond
from gateway.decide.reports import first_deadlines
from gateway.documents import Document, Response
from gateway.documents.statistics import Statistics
from gateway.model import Case, Deadline, Partner
from tests.flows.world import (
    BUREAU,
    CUSTOMS,
    FACTORY,
    NOW,
    PORT_SIDE,
    RULES,
    World,
    answer,
    entry,
    notice,
    of,
    outbound,
    transfer,
)

NUMBER = "370100226000001"


def standing(world: World) -> Counter[str]:
    """What all facts come to, by kind; kinds that come to nothing left out."""
    total: Counter[str] = Counter()
    for figure in world.figures:
        total[figure.kind] += figure.count
    return +total


def test_each_step_of_an_export_is_counted_once() -> None:
    """Accepted at once, passed by the notice's word, transferred, noticed and cleared; a repeat counts nothing."""
    world = World()
    world.send(outbound(), FACTORY)
    assert standing(world) == {"accepted": 1}
    world.send(outbound(), FACTORY)
    world.send(transfer(NUMBER), BUREAU)
    world.send(notice(NUMBER), PORT_SIDE)
    world.send(entry(NUMBER), CUSTOMS)
    world.send(entry(NUMBER), CUSTOMS)
    assert standing(world) == dict.fromkeys(("accepted", "passed", "transferred", "notified", "cleared"), 1)
    cleared = world.figures[-1]
    assert cleared.dims == {
        "direction": "outbound",
        "declared_at": "370100",
        "inspected_at": "370100",
        "released_at": "370200",
        "from_area": "37",
        "to_area": "37",
        "hs4": "2008",
        "agency": "own",
    }
    assert cleared.measures == {"items": 1, "containers": 1, "value_usd": Decimal(5000)}


def test_notices_are_counted_by_what_becomes_of_their_paper() -> None:
    """A notice whose paper circulates and one whose paper is kept are told apart, until their clearance; others say nothing."""
    for paper in ("circulated", "kept", None):
        world = World()
        world.send(outbound(), FACTORY)
        world.send(transfer(NUMBER), BUREAU)
        world.send(notice(NUMBER, paper=paper), PORT_SIDE)
        world.send(entry(NUMBER), CUSTOMS)
        told = {figure.kind: figure.dims.get("paper") for figure in world.figures}
        assert told == {"accepted": None, "passed": None, "transferred": None, "notified": paper, "cleared": paper}


def test_a_consignment_that_is_cancelled_counts_as_nothing_else() -> None:
    """All that was counted of it is taken back, each fact with its own day; that it was cancelled is counted."""
    world = World()
    world.send(outbound(), FACTORY)
    world.send(answer("released", declaration_number=NUMBER), BUREAU)
    world.send(outbound(function="1", number=NUMBER), FACTORY)
    assert standing(world) == {"accepted": 1, "passed": 1}, "it is asked for, and not agreed yet"
    world.send(answer("cancelled", "R-2", declaration_number=NUMBER), BUREAU, now=NOW + timedelta(days=40))
    assert standing(world) == {"cancelled": 1}
    assert {figure.day for figure in world.figures if figure.count < 0} == {NOW.date()}


def test_an_amendment_counts_anew_what_stands() -> None:
    """The old values are taken back and the new ones told, for the same day; each amendment is counted."""
    world = World()
    world.send(outbound(), FACTORY)
    changed = outbound(function="5", number=NUMBER, certificate_organisation="370300")
    world.send(changed, FACTORY)
    assert standing(world) == {"accepted": 1}
    world.send(answer("accepted", declaration_number=NUMBER), BUREAU, now=NOW + timedelta(days=3))
    assert standing(world) == {"accepted": 1, "amended": 1}
    old, back, new = (figure for figure in world.figures if figure.kind == "accepted")
    assert (old.dims, old.count, back.dims, back.count) == (back.dims, 1, old.dims, -1)
    assert new.dims == {**old.dims, "certified_at": "370300"}
    assert old.day == back.day == new.day == NOW.date()


STEPS: dict[str, tuple[Document, Partner]] = {
    "declare": (outbound(), FACTORY),
    "replace": (outbound(function="5", number=NUMBER, certificate_organisation="370300"), FACTORY),
    "replace again": (
        outbound(function="5", number=NUMBER, goods=[{"hs_code": "0304890000", "name": "鱼片"}]),
        FACTORY,
    ),
    "cancel": (outbound(function="1", number=NUMBER), FACTORY),
    "accept": (answer("accepted", "R-{}", declaration_number=NUMBER), BUREAU),
    "refuse": (answer("refused", "R-{}", declaration_number=NUMBER), BUREAU),
    "release": (answer("released", "R-{}", declaration_number=NUMBER), BUREAU),
    "agree": (answer("cancelled", "R-{}", declaration_number=NUMBER), BUREAU),
    "transfer": (transfer(NUMBER), BUREAU),
    "withdraw transfer": (transfer(NUMBER, function="1"), BUREAU),
    "decline transfer": (answer("refused", "R-{}", document="transfer", number="T-1", reference=None), PORT_SIDE),
    "notify": (notice(NUMBER), PORT_SIDE),
    "withdraw notice": (notice(NUMBER, function="1"), PORT_SIDE),
    "match": (entry(NUMBER, status="accepted"), CUSTOMS),
    "clear": (entry(NUMBER), CUSTOMS),
}


def anew(case: Case) -> Counter[str]:
    """What a count of where the consignment stands gives: what is in force, and what has come of it."""
    tracks = {"inspection": "none", "transfer": "none", "clearance": "none", **case.tracks}
    if tracks["declaration"] == "cancelled":
        return Counter({"cancelled": 1})
    found: Counter[str] = Counter()
    found["accepted"] = tracks["declaration"] in ("accepted", "amending", "cancelling")
    found["passed"] = tracks["inspection"] == "passed"
    found["failed"] = tracks["inspection"] == "failed"
    found["transferred"] = tracks["transfer"] in ("sent", "taken")
    found["notified"] = tracks["clearance"] in ("notified", "matched", "mismatched", "released")
    found["cleared"] = tracks["clearance"] == "released"
    return +found


@settings(max_examples=120, deadline=None)
@given(st.lists(st.sampled_from(sorted(STEPS)), max_size=14))
def test_after_any_messages_figures_are_what_a_count_anew_gives(steps: Sequence[str]) -> None:
    """However a consignment is amended, withdrawn, failed and cancelled, what stands of it is what it has come to."""
    world = World()
    world.send(outbound(), FACTORY)
    for place, step in enumerate(steps):
        document, sender = STEPS[step]
        if isinstance(document, Response):
            document = document.model_copy(update={"id": f"R-{place}"})
        world.send(document, sender)
        stands = standing(world)
        del stands["amended"]
        assert stands == anew(world.case), (steps[: place + 1], world.case.tracks)
    told = [figure for figure in world.figures if figure.kind == "accepted"]
    declared = world.case.documents["declaration"]
    if told and told[-1].count > 0:
        goods = declared["goods"][0]  # type: ignore[index]
        assert told[-1].dims.get("certified_at") == declared.get("certificate_organisation")
        assert told[-1].dims["hs4"] == goods["hs_code"][:4]


def make(world: World, deadline: Deadline) -> tuple[Statistics, Deadline]:
    """The report of a deadline, and the next deadline."""
    effects = world.decide(
        Alarm(deadline, f"alarm-{deadline.kind}-{deadline.at:%Y%m%d}-{deadline.args['report']}"), deadline.at
    )
    (published,) = of(effects, Publish)
    assert isinstance(published.document, Statistics)
    return published.document, world.deadlines[deadline.id]


def test_reports_that_ship_add_up_after_a_cancellation() -> None:
    """What was reported and is cancelled afterwards is a correction of the next report; together they are right."""
    world = World()
    deadlines = {one.args["report"]: one for one in first_deadlines(RULES, NOW)}
    assert deadlines.keys() == RULES.reports.keys()
    world.send(outbound(), FACTORY)
    world.send(outbound(client_reference="E-2"), FACTORY)
    world.send(answer("released", declaration_number=NUMBER), BUREAU)
    november: dict[str, Statistics] = {}
    later: dict[str, Deadline] = {}
    for name in ("accepted_by_office", "released_by_flow", "cleared_value_by_heading"):
        november[name], later[name] = make(world, deadlines[name])
    assert [int(november[name].total) for name in sorted(november)] == [2, 0, 1]
    december = NOW + timedelta(days=20)
    world.send(outbound(function="1", number=NUMBER), FACTORY, now=december)
    world.send(answer("cancelled", "R-2", declaration_number=NUMBER), BUREAU, now=december)
    accepted, _ = make(world, later["accepted_by_office"])
    assert (int(accepted.total), list(accepted.lines)) == (0, [])
    (correction,) = accepted.corrections
    assert (correction.period.isoformat(), correction.row, correction.column, int(correction.value)) == (
        "2026-11-01", ("370100",), ("outbound",), -1,
    )  # fmt: skip
    released, _ = make(world, later["released_by_flow"])
    assert sum(int(one.value) for one in released.corrections) + int(november["released_by_flow"].total) == 0
    assert int(november["accepted_by_office"].total) + int(correction.value) == standing(world)["accepted"] == 1


def report(**changes: object) -> Statistics:
    values: dict[str, object] = {
        "report": "passed",
        "first_day": "2026-10-01",
        "last_day": "2026-10-31",
        "last_fact": 7,
        "measure": "count",
        "total": "3",
        "lines": [{"row": ["370200"], "value": "3"}],
    }
    return Statistics.model_validate(values | changes)


def test_another_offices_report_stands_on_the_feed() -> None:
    """It is published under its sender's name and counts nothing of ours; one that ends before it begins is refused."""
    world = World()
    effects = world.send(report(), PORT_SIDE)
    (published,) = of(effects, Publish)
    assert (published.feed, published.keys["office"]) == ("statistics", PORT_SIDE.id)
    assert answered(effects) == "accepted"
    assert world.figures == []
    for document, sender in ((report(first_day="2026-11-01"), PORT_SIDE), (report(), FACTORY)):
        effects = world.send(document, sender)
        assert answered(effects) == "refused"
        assert of(effects, Publish) == []
        assert of(effects, Refuse)


def answered(effects: list[Effect]) -> str:
    (told,) = of(effects, Respond)
    assert isinstance(told.document, Response)
    return told.document.outcome.value
