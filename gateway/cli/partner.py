"""`gateway partner` fills the registry and lists it."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli import output

if TYPE_CHECKING:
    from gateway.model import Credential, Partner, Person
    from gateway.store.ports import Store

_COUNTED = ("partners", "agreements", "credentials", "persons")
"""What an import counts."""
_CHUNK = 1000
"""Partners imported in one transaction: bounded memory, and few commits."""


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    noun = typer.Typer(help="The registry of partners, agreements and credentials.", no_args_is_help=True)
    noun.command("import")(import_)
    noun.command("list")(list_)
    noun.command("key")(key)
    cli.add_typer(noun, name="partner")


def import_(
    file: Annotated[
        Path, typer.Argument(help="TOML, or JSON Lines (.jsonl) for bulk; see docs/cli.md.", metavar="FILE")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check the file.")] = False,
    config: output.ConfigOption = None,
    json: output.JsonOption = False,
) -> None:
    """Add or replace partners with their agreements, credentials and persons; nothing is imported unless all of FILE is good."""
    import asyncio

    from gateway.cli.in_use import catalogue_of
    from gateway.cli.opening import has_store, with_store_of
    from gateway.config import load
    from gateway.discovery import find_transports
    from gateway.registry.partner_file import Known, read

    output.existing_file(file)
    settings = load(config)
    known = Known(find_transports().options, catalogue_of(settings))
    size = file.stat().st_size

    async def check(store: Store | None) -> Counter[str]:
        totals: Counter[str] = Counter()
        offices: dict[str, Partner] = {}
        with output.progress("Checking", size) as step:
            entries = read(file, known)
            while chunk := list(islice(entries, _CHUNK)):
                if store is not None:
                    await _refuse_moved_keys(store, file, [c for e, _ in chunk for c in e.model_credentials()])
                    await _refuse_moved_persons(store, file, [p for e, _ in chunk for p in e.model_persons()])
                offices |= {e.id: e.partner() for e, _ in chunk if e.level is not None or "bureau" in e.roles}
                for entry, read_bytes in chunk:
                    credentials = len(entry.keys) + len(entry.credentials)
                    counts = (1, len(entry.agreements), credentials, len(entry.persons))
                    totals.update(dict(zip(_COUNTED, counts, strict=True)))
                    step(read_bytes)
        await _refuse_misplaced(store, file, offices)
        return totals

    # Where there is no store yet, none is made for a file that is not good.
    checked = with_store_of(settings, check) if has_store(settings) else asyncio.run(check(None))
    if dry_run:
        _told(checked, imported=False, json=json)
        return

    async def work(store: Store) -> Counter[str]:
        totals: Counter[str] = Counter()
        with output.progress("Importing", size) as step:
            entries = read(file, known)
            while chunk := list(islice(entries, _CHUNK)):
                done = await store.import_partners(
                    [e.partner() for e, _ in chunk],
                    [a for e, _ in chunk for a in e.model_agreements()],
                    [c for e, _ in chunk for c in e.model_credentials()],
                )
                persons = await store.import_persons(p for e, _ in chunk for p in e.model_persons())
                totals.update(dict(zip(_COUNTED, (*done, persons), strict=True)))
                step(sum(read_bytes for _, read_bytes in chunk))
        return totals

    _told(with_store_of(settings, work, make=True), imported=True, json=json)


def _told(counts: Counter[str], *, imported: bool, json: bool) -> None:
    """Say what a file holds, and whether that is in the registry now."""
    if json:
        output.as_json({**{noun: counts[noun] for noun in _COUNTED}, "imported": imported})
        return
    words = ", ".join(output.many(counts[noun], noun.removesuffix("s")) for noun in _COUNTED)
    output.say(f"{words}." if imported else f"{words}: all good; nothing was imported.")


async def _refuse_moved_keys(store: Store, file: Path, credentials: list[Credential]) -> None:
    """The end where a key of `file` is another partner's in the registry: it would open the other's door."""
    shown = [one for one in credentials if one.use == "in"]
    known = await store.shown_credentials(one.hash for one in shown)
    for one in shown:
        present = known.get(one.hash)
        if present is not None and present.partner_id != one.partner_id:
            output.stop(
                f"{file}: partner {one.partner_id}: {_noun(one)} {one.id} is already {present.partner_id}'s, as "
                f"{present.id}; a {_noun(one)} belongs to one partner"
            )


async def _refuse_moved_persons(store: Store, file: Path, persons: list[Person]) -> None:
    """The end where a person of `file` acts for another partner in the registry: an id is one person's for good."""
    known = await store.persons_by_id(person.id for person in persons)
    for one in persons:
        present = known.get(one.id)
        if present is not None and present.partner_id != one.partner_id:
            output.stop(
                f"{file}: partner {one.partner_id}: person {one.id} acts for {present.partner_id} already; "
                "`gateway person add` moves a person"
            )


async def _refuse_misplaced(store: Store | None, file: Path, offices: dict[str, Partner]) -> None:
    """The end where an office of `file`, or one that stands below it in the registry, would have no office above it."""
    from gateway.model import Role
    from gateway.registry.offices import find_misplaced

    if not offices:
        return
    known = {one.id: one for one in await store.partners_with_role(Role.BUREAU)} if store is not None else {}
    known |= offices
    concerned = [one for one in known.values() if one.id in offices or one.parent in offices]
    for office, fault in find_misplaced(concerned, known):
        output.stop(f"{file}: partner {office}: {fault}")


def _noun(credential: Credential) -> str:
    """What people call it."""
    return "key" if credential.kind == "api_key" else credential.kind.replace("_", " ")


def list_(
    after: Annotated[str, typer.Option(help="Begin after this id.")] = "",
    limit: Annotated[int, typer.Option(help="How many.", min=1)] = 100,
    config: output.ConfigOption = None,
    json: output.JsonOption = False,
) -> None:
    """List partners by id; `--json` with their agreements, one partner a line."""
    from gateway.cli.opening import with_store
    from gateway.model import Agreement

    async def work(store: Store) -> list[tuple[Partner, list[Agreement]]]:
        found = await store.partners(after, limit)
        of_each = await store.agreements_of([p.id for p in found]) if json else {}
        return [(p, list(of_each.get(p.id, ()))) for p in found]

    listed = with_store(config, work)
    if json:
        for partner, agreements in listed:
            output.as_json_line(_as_dict(partner, agreements))
        return
    output.table(
        ("id", "name", "roles", "identifiers", "office", "active"),
        (
            (
                p.id,
                p.name,
                " ".join(sorted(p.roles)),
                " ".join(f"{i.scheme}:{i.value}" for i in p.identifiers),
                _place(p),
                "yes" if p.active else "no",
            )
            for p, _ in listed
        ),
        empty="No partners.",
    )


def _place(partner: Partner) -> str:
    """Where an office stands: its level, the office above, and its regions."""
    above = f"of {partner.parent}" if partner.parent else ""
    regions = f"in {', '.join(sorted(partner.regions))}" if partner.regions else ""
    return " ".join(part for part in (partner.level, above, regions) if part)


def _as_dict(partner: Any, agreements: list[Any]) -> dict[str, Any]:
    """A partner as a line of a file that `import` reads (its credentials are not told, not even their hashes)."""
    from dataclasses import asdict

    value = asdict(partner)
    value["roles"] = sorted(partner.roles)
    value["acts_for"] = sorted(partner.acts_for)
    value["regions"] = sorted(partner.regions)
    value["direct_through"] = partner.direct_through.isoformat() if partner.direct_through else None
    value["agreements"] = [{k: v for k, v in asdict(a).items() if k != "partner_id"} for a in agreements]
    return value


def key() -> None:
    """Print a fresh API key; put it, or the hash that is told beside it, into a partner file."""
    from gateway.registry.keys import hash_key, new_key

    fresh = new_key()
    output.data(fresh)
    output.say(f"hash = {hash_key(fresh)}")
