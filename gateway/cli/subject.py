"""`gateway subject` shows what the registry says of enterprises and others."""

from __future__ import annotations

import json as codec
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli import output
from gateway.cli.words import headings, state, word

if TYPE_CHECKING:
    from gateway.model import SubjectVersion
    from gateway.store.ports import Store


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    noun = typer.Typer(help="What is registered of enterprises and others.", no_args_is_help=True)
    noun.command()(show)
    cli.add_typer(noun, name="subject")


def show(
    scheme: Annotated[str, typer.Argument(help="In which scheme, such as ciq-registration.", metavar="SCHEME")],
    value: Annotated[str, typer.Argument(help="The subject's number.", metavar="VALUE")],
    test: Annotated[bool, typer.Option("--test", help="What test traffic registered.")] = False,
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """Show every version of what is registered of a subject. Exit code 1 where nothing is."""
    from gateway.cli.opening import with_store

    async def work(store: Store) -> list[SubjectVersion]:
        return list(await store.subject_versions(scheme, value, test=test))

    found = with_store(config, work)
    if not found:
        output.stop(f"nothing is registered of {scheme} {value}", output.NO)
    if json:
        for one in found:
            output.as_json_line(
                {
                    "version": one.version,
                    "valid_from": one.valid_from.isoformat(),
                    "state": one.state,
                    "name": one.name,
                    "attributes": one.attributes,
                    "partner": one.partner_id,
                    "message": one.occasion,
                }
            )
        return
    output.table(
        headings(("version", "from", "state", "name", "by", "attributes"), lang),
        (
            (
                str(one.version),
                one.valid_from.isoformat(),
                state(one.state, lang),
                one.name,
                one.partner_id,
                codec.dumps(one.attributes, ensure_ascii=False),
            )
            for one in found
        ),
        empty=word("nothing_registered", lang),
    )
