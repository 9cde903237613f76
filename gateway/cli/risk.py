"""`gateway risk` looks at the records that the watcher has made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli import output
from gateway.cli.words import headings, word

if TYPE_CHECKING:
    from gateway.model import Case
    from gateway.store.ports import Store


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    noun = typer.Typer(help="Risk records: what was found in decisions, and who answers it.", no_args_is_help=True)
    noun.command("list")(list_)
    noun.command()(rate)
    cli.add_typer(noun, name="risk")


def list_(
    office: Annotated[str, typer.Option(help="Only those that the office of this code handles.")] = "",
    only_open: Annotated[bool, typer.Option("--open", help="Only those that are not closed.")] = False,
    after: Annotated[str, typer.Option(help="Only those older than the record with this id.")] = "",
    limit: Annotated[int, typer.Option(help="How many are looked at.", min=1)] = 100,
    test: Annotated[bool, typer.Option("--test", help="Those of test traffic.")] = False,
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """List risk records, the newest first."""
    from gateway.cli.opening import with_store
    from gateway.decide.watch import RISK, is_open, record_of

    async def work(store: Store) -> list[Case]:
        return list(await store.cases_of_kind(RISK, after, limit, test=test))

    found = [
        case
        for case in with_store(config, work)
        if (not office or record_of(case).office == office) and (is_open(case) or not only_open)
    ]
    if json:
        for case in found:
            output.as_json_line({"risk": case.id, "status": case.status, **record_of(case).to_json()})
        return
    output.table(
        headings(("id", "found", "point", "grade", "office", "status", "stopped", "case", "person"), lang),
        (
            (
                case.id,
                f"{record.found_at:%Y-%m-%d %H:%M}",
                record.point,
                record.grade,
                record.office or "",
                case.status,
                word("yes", lang) if record.stopped else "",
                record.case_id or "",
                record.person or "",
            )
            for case in found
            for record in (record_of(case),)
        ),
        empty=word("no_records", lang),
    )


def rate(
    since: Annotated[str, typer.Argument(help="First day, such as 2026-01-01.", metavar="DAY")],
    until: Annotated[str, typer.Argument(help="Last day.", metavar="DAY")],
    test: Annotated[bool, typer.Option("--test", help="Of test traffic.")] = False,
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """Tell the interception rate of records found from one day to another.

    It is the share, of all records found true (put right or confirmed), of those whose act did not take effect.
    """
    from datetime import date

    from gateway.cli.opening import with_store
    from gateway.decide.facts import FiguresIn
    from gateway.decide.watch import PROVEN, find_interception

    try:
        first, last = date.fromisoformat(since), date.fromisoformat(until)
    except ValueError as error:
        output.stop(f"no day: {error}")

    async def work(store: Store) -> tuple[int, int]:
        seen = await store.last_figure(test=test)
        return find_interception(await store.figure_sums(FiguresIn((PROVEN,), first, last, 0, seen, test)))

    stopped, true = with_store(config, work)
    share = f"{100 * stopped / true:.2f}%" if true else "-"
    if json:
        output.as_json({"found_true": true, "intercepted": stopped, "rate": share if true else None})
        return
    output.table(headings(("found true", "intercepted", "rate"), lang), [(true, stopped, share)], empty="")
