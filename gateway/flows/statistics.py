"""The statistics flow (统计报表): reports of our own when their term is over, and those of other offices as they come.

What another office reports is its own: it stands on the feed beside ours, under its sender's name, and none of it is
counted again.
"""

from __future__ import annotations

from gateway.decide import reports
from gateway.decide.answers import Subject, fault, refuse, response
from gateway.decide.desk import Desk
from gateway.decide.effects import Effect, Publish, Respond
from gateway.decide.flow import Feed, Flow, Takes
from gateway.documents.response import Outcome
from gateway.documents.statistics import Statistics
from gateway.model import Role

_REPORTING = (Role.BUREAU, Role.CUSTOMS)
"""Who makes reports of the trade, and reads them."""


def decide(desk: Desk) -> list[Effect]:
    """What a report comes to that another office has made: it stands on the feed, or is refused."""
    statistics = desk.document
    assert isinstance(statistics, Statistics)
    subject = Subject("statistics", number=statistics.report)
    if not desk.sent_by(*_REPORTING):
        return refuse(desk, subject, [fault("decide.sender.not_concerned", value=desk.sender.id)])
    if statistics.last_day < statistics.first_day:
        return refuse(desk, subject, [fault("decide.statistics.period", "last_day", statistics.last_day)])
    keys = {"report": statistics.report, "period": statistics.first_day.isoformat(), "office": desk.sender.id}
    answer = response(desk, subject, Outcome.ACCEPTED, desk.sender.language)
    return [Publish(reports.FEED, "", "statistics", statistics, keys), Respond("", answer)]


FLOW = Flow(
    "statistics",
    takes=(Takes(Statistics),),
    decide=decide,
    feeds=(Feed(reports.FEED, frozenset(_REPORTING)),),
    deadlines={reports.DEADLINE: reports.make_report},
    begins=reports.first_deadlines,
)
"""Reports, ours and others'."""
