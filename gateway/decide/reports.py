"""Reports: figures of a period counted by a rule, once its term is over.

    lines         all facts of the period, up to the last one there is
    corrections   facts of earlier periods that came since the report before

So each fact is counted once, by the report of its period or by a later one, whenever it came; and a report that was made
says by which fact it ended, and is never made anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, timedelta
from decimal import Context, Decimal

from gateway.check.report_rules import COUNT, ReportRule
from gateway.check.rulebook import Rules
from gateway.decide import china
from gateway.decide.desk import Desk
from gateway.decide.effects import Due, Effect, KeepReport, Party, Publish, Purpose, Send
from gateway.decide.facts import FiguresIn, LastFigure, LastReport
from gateway.documents.statistics import UNKNOWN, Correction, Line, Statistics
from gateway.model import Deadline, FigureSum, MadeReport, Role, derive_id

DEADLINE = "report"
"""The kind of deadlines at which reports are made."""
FEED = "statistics"
"""The feed on which they stand."""
Cell = tuple[tuple[str, ...], tuple[str, ...]]
"""A cell of a report: the values down the side, and those across."""

_EXACT = Context(prec=60)
_DAY = timedelta(days=1)


def name_report_deadline(report: str) -> str:
    """The id of the deadline at which the next report of that name is made: there is one at a time."""
    return derive_id(DEADLINE, report)


def first_deadlines(rules: Rules, now: datetime) -> Iterator[Deadline]:
    """For each report, the deadline of the period that it is now: for those of which none was ever made or waited for."""
    for name, rule in rules.reports.items():
        first = rule.period.first(china.day(now))
        args = {"report": name, "first": first.isoformat()}
        yield Deadline(name_report_deadline(name), DEADLINE, "", _due_at(rules, rule, first), args)


def _due_at(rules: Rules, rule: ReportRule, first: date) -> datetime:
    """When the report of the period that begins with `first` is made."""
    return rules.calendar.end(rule.due, rules.calendar.end_of(rule.period.last(first)) - timedelta(microseconds=1))


def make_report(desk: Desk) -> list[Effect]:
    """What is due at the end of a report's term: the report, for its readers, and the deadline of the next one.

    Nothing where no rule makes such a report any more.
    """
    name, first = desk.deadline.args["report"], date.fromisoformat(desk.deadline.args["first"])
    rule = desk.rules.reports.get(name)
    if rule is None:
        return []
    desk.facts.require([LastFigure(desk.test), LastReport(name, desk.test)])
    before, seen = desk.facts[LastReport(name, desk.test)], desk.facts[LastFigure(desk.test)]
    if before is not None and before.first >= first:
        return [_next(desk, name, rule, rule.period.first(before.last + _DAY))]
    last = rule.period.last(first)
    main = FiguresIn(rule.kinds, first, last, 0, seen, desk.test)
    asked = [main]
    if before is not None and before.begun < first:
        asked.append(FiguresIn(rule.kinds, before.begun, first - _DAY, before.seen, seen, desk.test))
    desk.facts.require(asked)
    late: tuple[FigureSum, ...] = desk.facts[asked[1]] if len(asked) > 1 else ()
    counted: tuple[FigureSum, ...] = desk.facts[main]
    statistics = count_statistics(name, rule, first, counted, late, seen=seen, at=desk.now)
    begun = before.begun if before is not None else first
    report = MadeReport(name, first, last, begun, seen, desk.now, statistics.to_kept(), desk.test)
    return [
        KeepReport(report),
        _next(desk, name, rule, last + _DAY),
        Publish(FEED, "", Statistics.document_type, statistics, {"report": name, "period": first.isoformat()}),
        *_sent(rule, statistics),
    ]


def _next(desk: Desk, name: str, rule: ReportRule, first: date) -> Due:
    args = {"report": name, "first": first.isoformat()}
    return Due(name_report_deadline(name), _due_at(desk.rules, rule, first), DEADLINE, "", args)


def _sent(rule: ReportRule, statistics: Statistics) -> Iterator[Effect]:
    if rule.to is not None:
        party = Party(rule.to.role or Role.BUREAU, rule.to.scheme, rule.to.value)
        yield Send("", Statistics.document_type, statistics, party, Purpose.INFORMATION)


def count_statistics(
    name: str,
    rule: ReportRule,
    first: date,
    figures: Iterable[FigureSum],
    late: Iterable[FigureSum],
    *,
    seen: int,
    at: datetime,
) -> Statistics:
    """The report of the period that begins with `first`: `figures` are the period's, `late` those of earlier ones."""
    cells = count_cells(rule, figures)
    corrections = _count_by(rule, late, lambda figure: rule.period.first(figure.day))
    return Statistics(
        report=name,
        title=rule.en,
        first_day=first,
        last_day=rule.period.last(first),
        made_at=at,
        last_fact=seen,
        measure=rule.measure,
        rows=rule.rows,
        columns=rule.columns,
        total=_summed(cells.values()),
        lines=tuple(Line(row=row, column=column, value=value) for (row, column), value in sorted(cells.items())),
        corrections=tuple(
            Correction(period=period, row=row, column=column, value=value)
            for (period, (row, column)), value in sorted(corrections.items())
        ),
    )


def count_cells(rule: ReportRule, figures: Iterable[FigureSum]) -> dict[Cell, Decimal]:
    """What the rule counts of `figures`, by cell; cells that come to nothing are left out."""
    return {cell: value for (_, cell), value in _count_by(rule, figures, lambda _: date.min).items()}


def _count_by(
    rule: ReportRule, figures: Iterable[FigureSum], key: Callable[[FigureSum], date]
) -> dict[tuple[date, Cell], Decimal]:
    """What the rule counts of `figures`, by the day that `key` gives, and cell."""
    counted: defaultdict[tuple[date, Cell], Decimal] = defaultdict(Decimal)
    for figure in figures:
        if any(figure.dims.get(dim, "") not in values for dim, values in rule.filter.items()):
            continue
        one = Decimal(1) if rule.measure == COUNT else figure.measures.get(rule.measure, Decimal(0))
        cell = (_values(figure, rule.rows), _values(figure, rule.columns))
        place = (key(figure), cell)
        counted[place] = _EXACT.add(counted[place], _EXACT.multiply(one, Decimal(figure.count)))
    return {place: value for place, value in counted.items() if value}


def _values(figure: FigureSum, dims: Iterable[str]) -> tuple[str, ...]:
    return tuple(figure.dims.get(dim) or UNKNOWN for dim in dims)


def _summed(values: Iterable[Decimal]) -> Decimal:
    total = Decimal(0)
    for value in values:
        total = _EXACT.add(total, value)
    return total
