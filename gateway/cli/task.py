"""`gateway task` lists what waits for persons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli import output
from gateway.cli.words import headings, state, word

if TYPE_CHECKING:
    from gateway.model import Task
    from gateway.store.ports import Store


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    noun = typer.Typer(help="Decisions that wait for persons.", no_args_is_help=True)
    noun.command("list")(list_)
    cli.add_typer(noun, name="task")


def list_(
    office: Annotated[str, typer.Argument(help="An office, by its code.", metavar="OFFICE")],
    after: Annotated[str, typer.Option(help="Begin after this id.")] = "",
    limit: Annotated[int, typer.Option(help="How many.", min=1)] = 50,
    test: Annotated[bool, typer.Option("--test", help="Those of test traffic.")] = False,
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """List the tasks of an office that wait, the oldest first."""
    from gateway.cli.opening import with_store

    async def work(store: Store) -> list[Task]:
        return list(await store.open_tasks([office], after, limit, test=test))

    found = with_store(config, work)
    if json:
        for task in found:
            output.as_json_line(
                {
                    "id": task.id,
                    "version": task.version,
                    "kind": task.kind,
                    "case": task.case_id,
                    "office": task.office,
                    "act": task.act,
                    "options": sorted(task.options),
                    "state": task.state.value,
                    "person": task.person_id,
                    "claimed_until": task.claimed_until,
                    "opened_at": task.opened_at,
                    "due_at": task.due_at,
                }
            )
        return
    output.table(
        headings(("id", "kind", "act", "state", "person", "asked", "due"), lang),
        (
            (
                task.id,
                task.kind,
                task.act,
                state(task.state.value, lang),
                task.person_id,
                output.moment(task.opened_at),
                output.moment(task.due_at) if task.due_at else "",
            )
            for task in found
        ),
        empty=word("no_tasks", lang),
    )
