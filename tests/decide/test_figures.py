"""Figures and reports (gateway/decide/figures.py, reports.py): what is counted adds up, whatever is undone and whenever."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.check.report_rules import Period, ReportRule
from gateway.decide import china
from gateway.decide.apply import apply
from gateway.decide.desk import Actor, Alarm, MessageIn
from gateway.decide.effects import Due, KeepReport, NewCase, Retract, Send, Tell
from gateway.decide.facts import Answer, Facts, Told
from gateway.decide.figures import FigureKind
from gateway.decide.reports import first_deadlines, make_report
from gateway.documents.statistics import Statistics
from gateway.model import Deadline, Figure, Role
from tests.flows.world import FACTORY, FLOWS, NOW, RULES, World, of, outbound

RULE = ReportRule.model_validate(
    {
        "en": "Trial",
        "zh": "试",
        "source": "a test",
        "kinds": ["accepted"],
        "rows": ["declared_at"],
        "columns": ["direction"],
        "period": "month",
        "due": "3 days",
        "to": {"role": "customs"},
    }
)
BY_VALUE = RULE.model_copy(update={"measure": "value_usd"})
DAILY = RULE.model_copy(update={"period": Period.DAY, "due": RULE.due})


@dataclass
class Counted:
    """A world in which is told, and of which one report is made."""

    rule: ReportRule = RULE
    now: datetime = NOW
    world: World = field(init=False)
    deadline: Deadline = field(init=False)

    def __post_init__(self) -> None:
        self.world = World(rules=replace(RULES, reports={"trial": self.rule}))
        (self.deadline,) = first_deadlines(self.world.rules, self.now)

    def apply(self, *effects: Tell | Retract | NewCase) -> list[Figure]:
        """Decide `effects`; the facts that are added."""
        self.world.messages += 1
        occasion = MessageIn("declaration", outbound(), Actor(FACTORY), f"m-{self.world.messages}", self.now)
        opened = {one.case for one in effects if isinstance(one, NewCase)}
        subjects = {one.subject for one in effects if isinstance(one, Tell | Retract)} - opened
        known = self.world.ground.over(Facts({Told(subject): Answer((), "x") for subject in subjects}))
        applied = apply(FLOWS.desk(occasion, known, self.world.rules, self.now), effects)
        self.world.ground.take(applied)
        added = [replace(one, number=len(self.world.figures) + n) for n, one in enumerate(applied.figures, 1)]
        self.world.figures += added
        return added

    def let_pass(self, days: int) -> None:
        """Time passes, and reports are made as they are due."""
        until = self.now + timedelta(days=days)
        while self.deadline.at <= until:
            self.now = self.deadline.at
            effects = self.world.decide(Alarm(self.deadline, f"alarm {self.deadline.at}"), self.now)
            (due,) = of(effects, Due)
            self.deadline = Deadline(due.id, due.kind, due.case, due.at, due.args)
        self.now = until

    @property
    def reports(self) -> list[Statistics]:
        """All that were made, in order."""
        return [Statistics.from_kept(one.document) for one in self.world.reports]

    def told(self) -> Counter[tuple[str, str]]:
        """What all reports say together, by cell; cells that come to nothing left out."""
        total: Counter[tuple[str, str]] = Counter()
        for report in self.reports:
            said = [(one.row, one.column, one.value) for one in report.lines]
            said += [(one.row, one.column, one.value) for one in report.corrections]
            for row, column, value in said:
                total[row[0], column[0]] += int(value)
        return Counter({cell: value for cell, value in total.items() if value})


def tell(subject: str, office: str = "370100", direction: str = "outbound", value: int | None = None) -> Tell:
    measures = {} if value is None else {"value_usd": Decimal(value)}
    return Tell("accepted", subject, {"declared_at": office, "direction": direction}, measures)


def counts(figures: Sequence[Figure]) -> list[tuple[str, int]]:
    return [(one.dims["declared_at"], one.count) for one in figures]


def test_what_is_told_again_with_other_values_is_taken_back_first() -> None:
    """An amendment adds the old fact negated and the new one, for the day of the old one; nothing is changed."""
    counted = Counted()
    (first,) = counted.apply(tell("E-1"))
    counted.now += timedelta(days=3)
    assert counted.apply(tell("E-1")) == []
    back, again = counted.apply(tell("E-1", "370200"))
    assert counts([back, again]) == [("370100", -1), ("370200", 1)]
    assert first.day == back.day == again.day == china.day(NOW)
    assert (back.at, back.by) == (counted.now, "m-3")


def test_what_is_taken_back_can_be_told_once_more() -> None:
    """A cancellation negates what stands, once; what happens afterwards is another fact, of its own day."""
    counted = Counted()
    counted.apply(tell("E-1"))
    assert counts(counted.apply(Retract("accepted", "E-1"))) == [("370100", -1)]
    assert counted.apply(Retract("accepted", "E-1")) == []
    assert counted.apply(Retract("passed", "E-1")) == []
    counted.now += timedelta(days=2)
    (again,) = counted.apply(tell("E-1"))
    assert (again.count, again.day) == (1, china.day(counted.now))


def test_facts_of_one_decision_see_one_another() -> None:
    """What one decision tells, takes back and tells again comes to what stands at its end."""
    counted = Counted()
    added = counted.apply(tell("E-1"), Retract("accepted", "E-1"), tell("E-1", "370200"), tell("E-1", "370300"))
    assert counts(added) == [("370100", 1), ("370100", -1), ("370200", 1), ("370200", -1), ("370300", 1)]


def test_nobody_is_asked_what_was_told_of_a_case_that_is_opened() -> None:
    """A new case costs no question: nothing was told of it, in this decision nor in one that is laid over."""
    counted = Counted()
    opened = NewCase("case-1", FACTORY.id, "consignment", {"declaration": "declared"})
    counted.apply(opened, tell("case-1"))
    known = counted.world.ground.over(Facts())
    assert [one.kind for one in known[Told("case-1")]] == ["accepted"]


def test_an_event_without_a_subject_stands_for_ever() -> None:
    """It is told each time, and asks for nothing."""
    counted = Counted()
    assert counts([*counted.apply(tell("")), *counted.apply(tell(""))]) == [("370100", 1)] * 2


@pytest.mark.parametrize(
    "wrong",
    [
        Tell("weighed", "E-1"),
        Tell("accepted", "E-1", {"colour": "red"}),
        Tell("accepted", "E-1", {}, {"smell": Decimal(1)}),
    ],
)
def test_what_nobody_declares_is_not_counted(wrong: Tell) -> None:
    """A kind, a dimension or a measure that no flow declares is a fault of whoever tells it."""
    with pytest.raises(LookupError):
        Counted().apply(wrong)


def test_a_report_says_what_it_has_seen_and_a_late_fact_corrects_it() -> None:
    """What comes after a report was made is a line of the next one, under the period that it belongs to."""
    counted = Counted()  # 20 November
    counted.apply(tell("E-1"), tell("E-2"))
    counted.let_pass(14)  # November's report is made on 3 December
    counted.apply(Retract("accepted", "E-1"), tell("E-3", "370200"))
    counted.let_pass(31)
    november, december = counted.reports
    assert [(line.row, line.column, int(line.value)) for line in november.lines] == [(("370100",), ("outbound",), 2)]
    assert (november.first_day, november.last_day, november.last_fact, int(november.total)) == (
        date(2026, 11, 1), date(2026, 11, 30), 2, 2,
    )  # fmt: skip
    assert [(line.row, int(line.value)) for line in december.lines] == [(("370200",), 1)]
    assert [(one.period, one.row, int(one.value)) for one in december.corrections] == [
        (date(2026, 11, 1), ("370100",), -1)
    ]
    assert (december.last_fact, november.corrections) == (4, ())


def test_what_is_told_before_a_report_is_made_belongs_to_it_or_to_the_next_period() -> None:
    """Between the end of a period and its report, both periods' facts come: each is counted once, in its own."""
    counted = Counted()
    counted.let_pass(11)  # 1 December: the report of November is not made yet
    counted.apply(tell("E-1"))
    counted.let_pass(60)
    november, december = counted.reports[:2]
    assert (int(november.total), int(december.total), list(december.corrections)) == (0, 1, [])


def test_a_report_goes_to_whom_its_rule_names_and_sets_the_next_one() -> None:
    """Its readers get the document; nothing is made twice for one period."""
    counted = Counted()
    deadline = counted.deadline
    assert deadline.at == RULES.calendar.end_of(date(2026, 12, 3))
    effects = counted.world.decide(Alarm(deadline, "alarm"), deadline.at)
    (send,) = of(effects, Send)
    assert (send.to.role, send.document_type) == (Role.CUSTOMS, "statistics")
    (due,) = of(effects, Due)
    assert (due.id, due.args["first"], due.at) == (deadline.id, "2026-12-01", RULES.calendar.end_of(date(2027, 1, 3)))
    again = counted.world.decide(Alarm(deadline, "alarm 2"), deadline.at)
    assert of(again, KeepReport) == []
    assert [one.args["first"] for one in of(again, Due)] == ["2026-12-01"]


def test_a_report_that_no_rule_makes_any_more_ends() -> None:
    """Its deadline comes to nothing, and is not set again."""
    counted = Counted()
    counted.world.rules = replace(counted.world.rules, reports={})
    assert counted.world.decide(Alarm(counted.deadline, "alarm"), counted.deadline.at) == []


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("tell"),
            st.sampled_from(["E-1", "E-2", "E-3", "E-4"]),
            st.sampled_from(["370100", "370200"]),
            st.sampled_from(["inbound", "outbound"]),
            st.integers(1, 3),
        ),
        st.tuples(st.just("retract"), st.sampled_from(["E-1", "E-2", "E-3", "E-4"])),
        st.tuples(st.just("pass"), st.integers(0, 25)),
    ),
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(STEPS, st.sampled_from([RULE, BY_VALUE, DAILY]))
def test_all_reports_together_are_what_a_count_from_the_beginning_gives(
    steps: Sequence[tuple[object, ...]], rule: ReportRule
) -> None:
    """Whatever is told, amended and cancelled, before or after a report was made, lines and corrections add up."""
    counted = Counted(rule)
    stands: dict[str, tuple[str, str, int]] = {}
    for step in steps:
        match step:
            case ("tell", str(subject), str(office), str(direction), int(value)):
                counted.apply(tell(subject, office, direction, value))
                stands[subject] = (office, direction, value)
            case ("retract", str(subject)):
                counted.apply(Retract("accepted", subject))
                stands.pop(subject, None)
            case ("pass", int(days)):
                counted.let_pass(days)
    counted.let_pass(70)  # the last fact's period, and whatever is late, is reported by then
    anew: Counter[tuple[str, str]] = Counter()
    for office, direction, value in stands.values():
        anew[office, direction] += value if rule.measure == "value_usd" else 1
    assert counted.told() == anew


def test_a_kind_says_what_it_is_counted_by() -> None:
    """What is declared goes through."""
    FigureKind("weighed", frozenset({"scale"}), frozenset({"tonnes"})).require(
        Tell("weighed", "E", {"scale": "1"}, {"tonnes": Decimal(1)})
    )


def test_shipped_reports_count_what_flows_tell() -> None:
    """Each report of what ships loads, and the gateway makes it: there are some of consignments."""
    FLOWS.check_reports(RULES.reports)
    kinds = {kind for rule in RULES.reports.values() for kind in rule.kinds}
    assert {"accepted", "passed", "transferred", "notified", "cleared"} <= kinds
    assert make_report is FLOWS.on_deadline("report")
