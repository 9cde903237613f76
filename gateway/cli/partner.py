"""`gateway partner` fills the registry and lists it."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli import output

_CHUNK = 1000
"""Partners imported in one transaction: bounded memory, and few commits."""


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    noun = typer.Typer(help="The registry of partners, agreements and keys.", no_args_is_help=True)
    noun.command("import")(import_)
    noun.command("list")(list_)
    noun.command("key")(key)
    cli.add_typer(noun, name="partner")


def import_(
    file: Annotated[Path, typer.Argument(help="TOML, or JSON Lines (.jsonl) for bulk; see docs/cli.md.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check the file.")] = False,
    config: output.ConfigOption = None,
    json: output.JsonOption = False,
) -> None:
    """Add or replace partners with their agreements and keys; nothing is imported unless all of FILE is good."""
    from gateway.cli.opening import with_store
    from gateway.cli.partner_file import read
    from gateway.store.contract import Store

    output.existing_file(file)
    size = file.stat().st_size
    with output.progress("Checking", size) as step:
        checked = 0
        for _entry, read_bytes in read(file):
            checked += 1
            step(read_bytes)
    if dry_run:
        output.say(f"{checked} partners are good; nothing was imported.")
        return

    async def work(store: Store) -> tuple[int, int, int]:
        totals = (0, 0, 0)
        with output.progress("Importing", size) as step:
            entries = read(file)
            while chunk := list(islice(entries, _CHUNK)):
                done = await store.import_partners(
                    [e.partner() for e, _ in chunk],
                    [a for e, _ in chunk for a in e.model_agreements()],
                    [k for e, _ in chunk for k in e.model_keys()],
                )
                totals = (totals[0] + done[0], totals[1] + done[1], totals[2] + done[2])
                step(sum(read_bytes for _, read_bytes in chunk))
        return totals

    partners, agreements, keys = with_store(config, work)
    if json:
        output.as_json({"partners": partners, "agreements": agreements, "keys": keys})
    else:
        output.say(f"{partners} partners, {agreements} agreements, {keys} keys.")


def list_(
    after: Annotated[str, typer.Option(help="Begin after this id.")] = "",
    limit: Annotated[int, typer.Option(help="How many.", min=1)] = 100,
    config: output.ConfigOption = None,
    json: output.JsonOption = False,
) -> None:
    """List partners by id; `--json` with their agreements, one partner a line."""
    from gateway.cli.opening import with_store
    from gateway.model import Agreement, Partner
    from gateway.store.contract import Store

    async def work(store: Store) -> list[tuple[Partner, list[Agreement]]]:
        found = await store.partners(after, limit)
        return [(p, list(await store.agreements(p.id)) if json else []) for p in found]

    listed = with_store(config, work)
    if json:
        for partner, agreements in listed:
            output.as_json_line(_as_dict(partner, agreements))
        return
    output.table(
        ("id", "name", "roles", "identifiers", "active"),
        (
            (
                p.id,
                p.name,
                " ".join(sorted(p.roles)),
                " ".join(f"{i.scheme}:{i.value}" for i in p.identifiers),
                "yes" if p.active else "no",
            )
            for p, _ in listed
        ),
        empty="No partners.",
    )


def _as_dict(partner: Any, agreements: list[Any]) -> dict[str, Any]:
    """A partner as a line of a file that `import` reads (its keys are not told, not even their hashes)."""
    from dataclasses import asdict

    value = asdict(partner)
    value["roles"] = sorted(partner.roles)
    value["acts_for"] = sorted(partner.acts_for)
    value["agreements"] = [{k: v for k, v in asdict(a).items() if k != "partner_id"} for a in agreements]
    return value


def key() -> None:
    """Print a fresh API key; put it, or the hash that is told beside it, into a partner file."""
    from gateway.web.keys import hash_key, new_key

    fresh = new_key()
    output.data(fresh)
    output.say(f"hash = {hash_key(fresh)}")
