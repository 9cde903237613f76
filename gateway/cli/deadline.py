"""`gateway deadline` looks at deadlines that could not be decided, and has them decided after all."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli import output
from gateway.cli.words import headings, word

if TYPE_CHECKING:
    from gateway.model import Deadline
    from gateway.store.ports import Store


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    noun = typer.Typer(help="Terms that are over and could not be decided.", no_args_is_help=True)
    noun.command()(dead)
    noun.command()(retry)
    cli.add_typer(noun, name="deadline")


def dead(
    limit: Annotated[int, typer.Option(help="How many.", min=1)] = 50,
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """List deadlines that were left to the operator, the oldest first."""
    from gateway.cli.opening import with_store

    async def work(store: Store) -> list[Deadline]:
        return list(await store.buried_deadlines(limit))

    found = with_store(config, work)
    if json:
        for one in found:
            output.as_json_line({"id": one.id, "kind": one.kind, "case": one.case_id, "at": one.at.isoformat()})
        return
    output.table(
        headings(("id", "kind", "case", "was over"), lang),
        ((one.id, one.kind, one.case_id, f"{one.at:%Y-%m-%d %H:%M:%S}") for one in found),
        empty=word("no_deadlines", lang),
    )


def retry(
    deadline: Annotated[str, typer.Argument(help="Id of a dead deadline.", metavar="ID")],
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
) -> None:
    """Have a dead deadline decided, once what kept it from that is mended."""
    from gateway.cli.opening import with_store
    from gateway.errors import NotFound

    async def work(store: Store) -> None:
        try:
            await store.revive_deadline(deadline, datetime.now(UTC))
        except NotFound:
            output.stop(f"there is no dead deadline {deadline}", output.NO)

    with_store(config, work)
    output.say(word("deadline_revived", lang, id=deadline))
