"""Statistical facts and reports as commit 2 writes them, and as decisions and people read them.

Facts are numbered by the transaction that commits them, so that whoever has seen one by its number has seen all before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import date
from decimal import Context, Decimal
from typing import Any

from sqlalchemy import Connection, Row, func, select

from gateway.decide.facts import FiguresIn
from gateway.decide.figures import standing_of
from gateway.model import Figure, FigureSum, MadeReport
from gateway.store import tables
from gateway.store.batch import Batch
from gateway.store.sql import (
    among,
    from_json,
    from_time,
    matching,
    maybe_from_time,
    maybe_to_time,
    pack_json,
    to_json,
    to_time,
    unpack_json,
)

_figures, _reports = tables.figures.c, tables.reports.c

_EXACT = Context(prec=60)

Subject = tuple[str, bool]
"""A subject of statistics in live or in test traffic."""


def figure_counter(*, test: bool) -> str:
    """The counter of facts; those of test traffic are numbered apart."""
    return f"figures:{'test' if test else 'live'}"


def append(batch: Batch, figures: Iterable[Figure]) -> None:
    """Add facts, each with the next number; the log has been entered."""
    for one in figures:
        batch.insert(
            tables.figures,
            (
                one.test,
                batch.next_number(figure_counter(test=one.test)),
                one.kind,
                one.subject,
                one.day.isoformat(),
                to_json(dict(sorted(one.dims.items()))),
                to_json({name: _plain(value) for name, value in sorted(one.measures.items())}),
                one.count,
                one.case_id,
                one.by,
                maybe_to_time(one.at),
            ),
        )


def read_told(connection: Connection, subjects: Collection[Subject]) -> dict[Subject, tuple[Figure, ...]]:
    """What stands of subjects; those of which nothing was ever told are left out."""
    if not subjects:
        return {}
    query = select(tables.figures).where(
        matching((_figures.subject, _figures.test), subjects),
        _figures.subject != "",  # as the index says
    )
    found: dict[Subject, list[Figure]] = defaultdict(list)
    for row in sorted(connection.execute(query), key=lambda row: row.number):
        found[row.subject, row.test].append(_figure(row))
    return {subject: tuple(standing_of(told)) for subject, told in found.items()}


def read_last(connection: Connection, *, test: bool) -> int:
    """The number of the last fact; 0 where there is none."""
    return connection.execute(select(func.max(_figures.number)).where(_figures.test == test)).scalar() or 0


def read_sums(connection: Connection, query: FiguresIn) -> tuple[FigureSum, ...]:
    """What facts come to that differ in nothing but their subject."""
    columns = (_figures.kind, _figures.day, _figures.dims, _figures.measures)
    wanted = select(*columns, func.sum(_figures.count).label("counted")).group_by(*columns)
    first, last = query.first.isoformat(), query.last.isoformat()
    if query.after:
        # What came lately is found by its number: among earlier days there are few of it.
        wanted = wanted.where(
            _figures.test == query.test, _figures.number > query.after, _figures.number <= query.up_to
        )
    else:
        wanted = wanted.where(
            _figures.test == query.test,
            among(_figures.kind, query.kinds),
            _figures.day >= first,
            _figures.day <= last,
            _figures.number + 0 <= query.up_to,
        )
    rows = [
        row
        for row in connection.execute(wanted)
        if row.counted and row.kind in query.kinds and first <= row.day <= last
    ]
    return tuple(
        FigureSum(
            row.kind, date.fromisoformat(row.day), from_json(row.dims), _measures(from_json(row.measures)), row.counted
        )
        for row in sorted(rows, key=lambda row: (row.kind, row.day, row.dims, row.measures))
    )


def write_report(batch: Batch, report: MadeReport) -> None:
    """Collect the row of a report."""
    row = (
        report.name,
        report.test,
        report.first.isoformat(),
        report.last.isoformat(),
        report.begun.isoformat(),
        report.seen,
        to_time(report.at),
        pack_json(report.document),
    )
    batch.insert(tables.reports, row, "ignore")


def read_last_reports(
    connection: Connection, names: Collection[tuple[str, bool]]
) -> dict[tuple[str, bool], MadeReport]:
    """The last report that was made of each name; those of which none was are left out."""
    found: dict[tuple[str, bool], MadeReport] = {}
    for name, test in names:
        for report in read_reports(connection, name, "", 1, test=test):
            found[name, test] = report
    return found


def read_reports(connection: Connection, name: str, before: str, limit: int, *, test: bool) -> list[MadeReport]:
    """Reports of a name, the newest first; of periods that began before the day `before`, of any where that is empty."""
    query = select(tables.reports).where(_reports.name == name, _reports.test == test)
    if before:
        query = query.where(_reports.first_day < before)
    return [_report(row) for row in connection.execute(query.order_by(_reports.first_day.desc()).limit(limit))]


def read_report(connection: Connection, name: str, first: date, *, test: bool) -> MadeReport | None:
    """The report of a name and period; None where it was not made."""
    query = select(tables.reports).where(
        _reports.name == name, _reports.test == test, _reports.first_day == first.isoformat()
    )
    row = connection.execute(query).first()
    return None if row is None else _report(row)


def _figure(row: Row[Any]) -> Figure:
    return Figure(
        row.kind,
        row.subject,
        date.fromisoformat(row.day),
        from_json(row.dims),
        _measures(from_json(row.measures)),
        # A row's attribute of that name is its method.
        row._mapping["count"],  # noqa: SLF001 - the documented way to a column by name
        row.case_id,
        row.by,
        maybe_from_time(row.at),
        row.test,
        row.number,
    )


def _plain(value: Decimal) -> str:
    """A number in one way of writing it, so that equal ones are summed up together."""
    return format(value.normalize(_EXACT), "f")


def _measures(told: Mapping[str, str]) -> dict[str, Decimal]:
    return {name: Decimal(value) for name, value in told.items()}


def _report(row: Row[Any]) -> MadeReport:
    return MadeReport(
        row.name,
        date.fromisoformat(row.first_day),
        date.fromisoformat(row.last_day),
        date.fromisoformat(row.begun),
        row.seen,
        from_time(row.at),
        unpack_json(row.document),
        row.test,
    )
