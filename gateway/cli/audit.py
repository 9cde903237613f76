"""`gateway audit` shows who did what, and looks whether the audit is as it was signed."""

from __future__ import annotations

import json as codec
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli import output, problems

if TYPE_CHECKING:
    from gateway.receipt.stored import StoredLog
    from gateway.store.contract import AuditLine
    from gateway.store.ports import Store


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    noun = typer.Typer(help="Who did what, and was refused what.", no_args_is_help=True)
    noun.command("list")(list_)
    noun.command()(verify)
    cli.add_typer(noun, name="audit")


def list_(
    partner: Annotated[str, typer.Option(help="Only what persons and systems of this partner did.")] = "",
    person: Annotated[str, typer.Option(help="Only what this person did, or tried.")] = "",
    case: Annotated[str, typer.Option(help="Only what is about the case with this id.")] = "",
    before: Annotated[int, typer.Option(help="Begin before the entry of this number; -1 for the newest.")] = -1,
    limit: Annotated[int, typer.Option(help="How many.", min=1)] = 50,
    config: output.ConfigOption = None,
    json: output.JsonOption = False,
) -> None:
    """List what was done to tasks and in the registry, and what was refused, the newest first."""
    from gateway.cli.opening import with_store
    from gateway.store.contract import AuditWanted

    async def work(store: Store) -> list[AuditLine]:
        return list(await store.audit_lines(AuditWanted(partner, person, case), before, limit))

    found = [(line.index, codec.loads(line.body)) for line in with_store(config, work)]
    if json:
        for index, said in found:
            output.as_json_line({"index": index, **said})
        return
    output.table(
        ("number", "at", "partner", "person", "action", "result", "about", "reasons"),
        (
            (
                str(index),
                said["at"],
                said["actor"]["partner"],
                said["actor"]["person"],
                said["action"],
                said["result"],
                said["task"] or said.get("subject", ""),
                " ".join(said["reasons"]),
            )
            for index, said in found
        ),
        empty="Nothing was done.",
    )


def verify(
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """Look at every entry of the stored audit, for gaps and changed rows. Exit code 1 where there are any."""
    from gateway.cli.opening import with_store

    output.language(lang)

    async def work(store: Store) -> StoredLog:
        seen = await store.audit_log_from()
        while not seen.full and not await store.audit_log_on(seen, problems.AT_ONCE):
            pass
        return seen

    problems.tell_audited(with_store(config, work), lang, json=json)
