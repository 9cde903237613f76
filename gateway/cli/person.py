"""`gateway person` says who acts for partners, and in which roles."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli import output
from gateway.cli.words import headings, word

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.check.acts import Role
    from gateway.model import HeldRole, Person
    from gateway.store.ports import Store

_PartnerArgument = Annotated[str, typer.Argument(help="Id of a partner, or how it alone begins.", metavar="PARTNER")]
_IdArgument = Annotated[str, typer.Argument(help="Id of a person.", metavar="ID")]
_OfficeOption = Annotated[str, typer.Option(help="Office in which it is held; all of the partner's where absent.")]
_FromOption = Annotated[datetime | None, typer.Option("--from", help="When it begins, in UTC.")]
_UntilOption = Annotated[datetime | None, typer.Option(help="When it ends, in UTC.")]


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    noun = typer.Typer(help="Who acts for partners, and in which roles.", no_args_is_help=True)
    noun.command()(add)
    noun.command("list")(list_)
    noun.command()(roles)
    cli.add_typer(noun, name="person")


def add(
    partner: _PartnerArgument,
    id_: _IdArgument,
    name: Annotated[str, typer.Option(help="For people; the id where absent.")] = "",
    role: Annotated[list[str], typer.Option(help="A role that the person holds; once for each.")] = [],  # noqa: B006 -- typer's way, which copies it
    office: _OfficeOption = "",
    begin: _FromOption = None,
    until: _UntilOption = None,
    language: Annotated[str, typer.Option(help="en or zh.")] = "en",
    inactive: Annotated[bool, typer.Option("--inactive", help="Let the person do nothing any more.")] = False,
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """Add a person to a partner, or replace one; a key is given by `gateway credential add PARTNER --person ID`."""
    from gateway.cli.opening import with_store
    from gateway.languages import maybe_language
    from gateway.model import HeldRole, Person
    from gateway.registry.operations import find_id

    known = _roles_there_are(config)
    held = tuple(HeldRole(one, office, _in_utc(begin), _in_utc(until)) for one in role)
    _judge(held, known)
    if (spoken := maybe_language(language)) is None:
        output.stop("--language: must be en or zh")

    async def work(store: Store) -> Person:
        made = Person(id_, await find_id(store, "partners", partner), name or id_, held, spoken, not inactive)
        await store.import_persons([made])
        return made

    _told([with_store(config, work)], known, lang, json=json)


def list_(
    partner: _PartnerArgument,
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """List a partner's persons with the roles they hold or held."""
    from gateway.cli.opening import with_store
    from gateway.registry.operations import find_id

    async def work(store: Store) -> list[Person]:
        return list(await store.persons_of(await find_id(store, "partners", partner)))

    _told(with_store(config, work), _roles_there_are(config), lang, json=json)


def roles(
    id_: Annotated[
        str,
        typer.Argument(
            help="Id of a person, or how it alone begins; the roles there are where absent.", metavar="[ID]"
        ),
    ] = "",
    give: Annotated[list[str], typer.Option(help="A role that the person holds from now on; once for each.")] = [],  # noqa: B006 -- as above
    take: Annotated[list[str], typer.Option(help="A role that the person holds no more; once for each.")] = [],  # noqa: B006 -- as above
    office: _OfficeOption = "",
    begin: _FromOption = None,
    until: _UntilOption = None,
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """Give roles to a person and take them, or tell which roles there are, and the acts that each bundles."""
    from dataclasses import replace

    from gateway.cli.opening import with_store
    from gateway.model import HeldRole
    from gateway.registry.operations import find_id

    known = _roles_there_are(config)
    if not id_:
        _told_roles(known, lang, json=json)
        return

    async def work(store: Store) -> Person:
        person = await store.person(await find_id(store, "persons", id_))
        if missing := set(take) - {held.name for held in person.roles}:
            output.stop(f"{person.id} does not hold {min(missing)}", output.NO)
        kept = [held for held in person.roles if held.name not in take and (held.name, held.office) not in given]
        changed = replace(person, roles=(*kept, *given.values()))
        _judge(changed.roles, known)
        if changed != person:
            await store.import_persons([changed])
        return changed

    given = {(one, office): HeldRole(one, office, _in_utc(begin), _in_utc(until)) for one in give}
    _told([with_store(config, work)], known, lang, json=json)


def _roles_there_are(config: Path | None) -> Mapping[str, Role]:
    from gateway.check import acts
    from gateway.cli.in_use import find_catalogue

    return acts.load(find_catalogue(config)).roles


def _judge(held: tuple[HeldRole, ...], known: Mapping[str, Role]) -> None:
    """The end where nobody may hold these roles together, or for such a time."""
    from gateway.registry.person_entry import judge_roles

    if fault := judge_roles({role.name for role in held}, known):
        output.stop(fault)
    for role in held:
        if role.valid_from is not None and role.valid_until is not None and role.valid_from >= role.valid_until:
            output.stop(f"{role.name} ends before it begins")


def _in_utc(at: datetime | None) -> datetime | None:
    return at.replace(tzinfo=UTC) if at is not None else None


def _told(persons: list[Person], known: Mapping[str, Role], lang: str, *, json: bool) -> None:
    now = datetime.now(UTC)
    if json:
        for person in persons:
            output.as_json_line(_as_dict(person, known, now))
        return
    output.table(
        headings(("id", "name", "role", "office", "from", "until", "is"), lang),
        (
            (
                person.id,
                person.name,
                role.name if role else "",
                role.office if role else "",
                output.moment(role.valid_from) if role and role.valid_from else "",
                output.moment(role.valid_until) if role and role.valid_until else "",
                word(_standing(person, role, now), lang),
            )
            for person in persons
            for role in (person.roles or (None,))
        ),
        empty=word("no_persons", lang),
    )


def _standing(person: Person, role: HeldRole | None, now: datetime) -> str:
    if not person.active:
        return "inactive"
    return "active" if role is None else "role_held" if role.is_held(now) else "not_held_now"


def _as_dict(person: Person, known: Mapping[str, Role], now: datetime) -> dict[str, Any]:
    return {
        "id": person.id,
        "partner_id": person.partner_id,
        "name": person.name,
        "language": person.language,
        "active": person.active,
        "roles": [
            {
                "name": role.name,
                "office": role.office,
                "valid_from": role.valid_from,
                "valid_until": role.valid_until,
                "held": person.active and role.is_held(now),
                "acts": sorted(known[role.name].acts) if role.name in known else [],
            }
            for role in person.roles
        ],
    }


def _told_roles(known: Mapping[str, Role], lang: str, *, json: bool) -> None:
    if json:
        for name, role in sorted(known.items()):
            output.as_json_line(
                {"name": name, "en": role.en, "zh": role.zh, "acts": sorted(role.acts), "alone": role.alone}
            )
        return
    output.table(
        headings(("role", "zh", "acts", ""), lang),
        (
            (name, role.zh, " ".join(sorted(role.acts)), word("alone", lang) if role.alone else "")
            for name, role in sorted(known.items())
        ),
        empty=word("no_roles", lang),
    )
