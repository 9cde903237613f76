"""`gateway validate` reads files of messages and says what is right and wrong with every message in them.

A file takes the way a received payload takes (gateway.cli.examining); what is said of it is a report: the message
itself with its faults marked on a terminal (gateway.cli.report), lines of JSON, or a page (gateway.cli.report_page).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli import output
from gateway.spelling import near

if TYPE_CHECKING:
    from gateway.catalogue import Catalogue
    from gateway.cli.report import Report
    from gateway.model import Agreement


def register(cli: typer.Typer) -> None:
    """Add the command."""
    cli.command()(validate)


def validate(
    files: Annotated[
        list[Path],
        typer.Argument(help="EDIFACT, X12, XML or JSON; also gzip or zip; a folder; - for stdin.", metavar="FILE"),
    ],
    format_: Annotated[
        str, typer.Option("--format", help="Expect this format, and nothing else.", metavar="FORMAT")
    ] = "*",
    lenient: Annotated[
        bool, typer.Option("--lenient", help="Tolerate what a lenient agreement tolerates: it is a warning then.")
    ] = False,
    time_zone: Annotated[str, typer.Option(help="Of times without offset.", metavar="IANA")] = "UTC",
    code_tables: Annotated[str, typer.Option(help="Of coded values.", metavar="un|ciq|customs")] = "un",
    explain: Annotated[
        bool, typer.Option("--explain", help="Say what usually brings a fault about, and what to do about it.")
    ] = False,
    whole: Annotated[bool, typer.Option("--whole", help="Show whole messages, not only what is near a fault.")] = False,
    lang: output.LanguageOption = "",
    config: output.ConfigOption = None,
    json: output.JsonOption = False,
    html: Annotated[
        bool, typer.Option("--html", help="Print one page that stands by itself, in both languages.")
    ] = False,
) -> None:
    """Check FILE: envelope, structure, types, lengths, codes, and what the rules say. Exit code 1 on errors.

    A message with faults is shown with each marked at its place. With --json each line is one message, one
    interchange or one file's totals.
    """
    from gateway.cli.examining import examined, named_files
    from gateway.cli.in_use import find_catalogue

    if json and html:
        output.stop("--json and --html are two kinds of report; ask for one")
    language = output.language(lang)
    catalogue = find_catalogue(config)
    require_format(catalogue, format_)
    agreement = expectation(format_, lenient=lenient, time_zone=time_zone, code_tables=code_tables)
    errors = 0
    with named_files(files) as named, _page(language, html=html):
        make = _maker(language, json=json, html=html, named=len(named) > 1, whole=whole, explain=explain)
        for name, file in named:
            report = make(name, file)
            with output.progress(file.name, file.stat().st_size) as step:
                for item, original in examined(catalogue, file, agreement, step):
                    report.take(item, original)
            report.end()
            errors += report.severities["error"]
    if errors:
        raise typer.Exit(output.NO)


def _maker(
    language: str, *, json: bool, html: bool, named: bool, whole: bool, explain: bool
) -> Callable[[str, Path], Report]:
    """What makes the report on a file, of the kind asked for."""
    from gateway.cli.report import JsonReport, TextReport
    from gateway.cli.report_page import PageReport

    def make(name: str, file: Path) -> Report:
        if html:
            return PageReport(name, file, language, whole=whole)
        if json:
            return JsonReport(name, file, language, explain=explain)
        return TextReport(name, file, language, named=named, whole=whole, explain=explain)

    return make


def _page(language: str, *, html: bool) -> AbstractContextManager[None]:
    """What goes around the reports of all files."""
    from gateway.cli.report_page import page

    return page(language) if html else nullcontext()


def require_format(catalogue: Catalogue, format_: str) -> None:
    """The end where no message can be in `format_`: it is neither `*` nor a format of ours."""
    from gateway.check import tables, xsd
    from gateway.translate import table

    if format_ == "*" or any(format_ == known for _, known in table.available(catalogue)):
        return
    # Formats that are checked and not translated, such as acknowledgements; slower to find, since all are read.
    every = {*tables.formats(catalogue), *xsd.entries(catalogue), *(known for _, known in table.available(catalogue))}
    if format_ not in every:
        output.stop(f"there is no such format {format_}{near(format_, every)}; `gateway schema list` names them")


def expectation(format_: str, *, lenient: bool, time_zone: str = "UTC", code_tables: str = "un") -> Agreement:
    """An agreement that takes messages in `format_` (`*` for any); the end where zone or tables are none of ours."""
    from dataclasses import replace
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    from gateway.model import Strictness
    from gateway.trip.examined import ANY

    if code_tables not in ("un", "ciq", "customs"):
        output.stop(f"--code-tables is un, ciq or customs, not {code_tables}")
    try:
        ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        output.stop(f"--time-zone: there is no time zone {time_zone}")
    strictness = Strictness.LENIENT if lenient else Strictness.STRICT
    return replace(ANY, format=format_, strictness=strictness, time_zone=time_zone, code_tables=code_tables)
