"""`gateway reports` looks at the reports that are made of the figures."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli import output
from gateway.cli.words import headings, word
from gateway.languages import CHINESE

if TYPE_CHECKING:
    from gateway.model import MadeReport
    from gateway.store.ports import Store

_TestOption = Annotated[bool, typer.Option("--test", help="Those of test traffic.")]


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    noun = typer.Typer(help="Reports: what was accepted, passed, transferred, cleared.", no_args_is_help=True)
    noun.command("list")(list_)
    noun.command()(show)
    cli.add_typer(noun, name="reports")


def list_(
    name: Annotated[str, typer.Argument(help="Name of a report; all that are made where absent.")] = "",
    before: Annotated[str, typer.Option(help="Only periods that began before this day.", metavar="DAY")] = "",
    limit: Annotated[int, typer.Option(help="How many.", min=1)] = 50,
    test: _TestOption = False,
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """List which reports are made; or those of a NAME that were made, the newest first."""
    from gateway.cli.opening import with_store

    if not name:
        _list_rules(config, lang, json=json)
        return

    async def work(store: Store) -> list[MadeReport]:
        return list(await store.reports(name, before, limit, test=test))

    found = with_store(config, work)
    if json:
        for one in found:
            output.as_json_line(_head(one))
        return
    output.table(
        headings(("period", "until", "made", "last fact", "total", "corrections"), lang),
        (
            (one.first, one.last, f"{one.at:%Y-%m-%d %H:%M:%S}", one.seen, told["total"], told["corrections"])
            for one in found
            for told in (_head(one),)
        ),
        empty=word("no_reports_made", lang),
    )


def _list_rules(config: output.ConfigOption, lang: str, *, json: bool) -> None:
    from gateway.check import report_rules
    from gateway.cli.in_use import find_catalogue

    rules = report_rules.load(find_catalogue(config))
    if json:
        for name, rule in rules.items():
            output.as_json_line(
                {"report": name, "title": rule.en, "period": rule.period.value, "measure": rule.measure}
            )
        return
    output.table(
        headings(("report", "period", "due", "title"), lang),
        (
            (name, rule.period, f"{rule.due.count} {rule.due.unit}", rule.zh if lang == CHINESE else rule.en)
            for name, rule in rules.items()
        ),
        empty=word("no_reports", lang),
    )


def show(
    name: Annotated[str, typer.Argument(help="Name of a report.", metavar="NAME")],
    period: Annotated[
        datetime | None,
        typer.Argument(help="First day of its period; the newest where absent.", formats=["%Y-%m-%d"]),
    ] = None,
    csv: Annotated[bool, typer.Option("--csv", help="As CSV.")] = False,
    test: _TestOption = False,
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """Show a report as it was made, with the corrections of earlier ones."""
    from gateway.cli.opening import with_store
    from gateway.documents.statistics import Statistics
    from gateway.translate import statistics_csv

    async def work(store: Store) -> MadeReport | None:
        if period is not None:
            return await store.report(name, period.date(), test=test)
        return next(iter(await store.reports(name, "", 1, test=test)), None)

    found = with_store(config, work)
    if found is None:
        output.stop(f"no report {name} was made" + (f" of {period.date()}" if period else ""), output.NO)
    statistics = Statistics.from_kept(found.document)
    if csv:
        output.lines("\n".join(statistics_csv.write_csv(statistics).splitlines()))
        return
    if json:
        output.as_json(statistics.to_json())
        return
    span = word("from_to", lang, first=statistics.first_day, last=statistics.last_day)
    output.data(f"{statistics.title}: {span}, {statistics.measure}")
    columns = (*statistics.rows, *statistics.columns, "value")
    rows = [(*line.row, *line.column, f"{line.value:f}") for line in statistics.lines]
    blank = [""] * (len(columns) - 2)
    output.table(
        headings(columns, lang),
        [*rows, (word("sum", lang), *blank, f"{statistics.total:f}")],
        empty=word("nothing", lang),
    )
    if statistics.corrections:
        output.data(word("corrections", lang))
        output.table(
            headings(("period", *columns), lang),
            ((one.period, *one.row, *one.column, f"{one.value:f}") for one in statistics.corrections),
            empty="",
        )


def _head(report: MadeReport) -> dict[str, object]:
    """A report without its lines, as a program reads it."""
    corrections = report.document.get("corrections", ())
    return {
        "report": report.name,
        "first_day": report.first.isoformat(),
        "last_day": report.last.isoformat(),
        "made_at": report.at.isoformat(),
        "last_fact": report.seen,
        "total": report.document["total"],
        "corrections": len(corrections) if isinstance(corrections, list) else 0,
    }
