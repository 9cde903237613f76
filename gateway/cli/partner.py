"""`gateway partner` fills the registry, shows it, and changes what one partner may do."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from gateway.cli import output
from gateway.cli.words import headings, word

if TYPE_CHECKING:
    from gateway.config import Settings
    from gateway.model import Partner
    from gateway.registry.exporting import Whole
    from gateway.registry.partner_rows import Form
    from gateway.store.ports import Store

_FormOption = Annotated[
    str, typer.Option("--form", help="toml, json, jsonl or csv; as the file's name says where absent.", metavar="FORM")
]
_PartnerArgument = Annotated[str, typer.Argument(help="Id of a partner, or how it alone begins.", metavar="PARTNER")]
_RoleOption = Annotated[str, typer.Option(help="Only those with this role.", metavar="ROLE")]
_GradeOption = Annotated[str, typer.Option(help="Only those of this credit grade.", metavar="GRADE")]
_StandardInput = "-"


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    noun = typer.Typer(help="The registry of partners, agreements and credentials.", no_args_is_help=True)
    noun.command("import")(import_)
    noun.command()(export)
    noun.command("list")(list_)
    noun.command()(show)
    noun.command()(disable)
    noun.command()(enable)
    noun.command()(remove)
    noun.command()(key)
    cli.add_typer(noun, name="partner")


def import_(
    file: Annotated[
        Path,
        typer.Argument(
            help="TOML, JSON, JSON Lines (.jsonl) or CSV; - for standard input. See docs/cli.md.", metavar="FILE"
        ),
    ],
    form: _FormOption = "",
    update: Annotated[
        bool,
        typer.Option(
            "--update", help="Leave what a partner's row does not name, such as all but its grade, as it is registered."
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check the file, and tell all its faults.")] = False,
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """Add or replace partners with their agreements, credentials and persons; nothing is imported unless all of FILE is good."""
    from gateway.cli.in_use import catalogue_of
    from gateway.cli.opening import has_store, with_store_of
    from gateway.config import load
    from gateway.discovery import find_transports
    from gateway.registry.importing import NOUNS, Judge
    from gateway.registry.partner_file import Known
    from gateway.registry.partner_rows import Fault, read_rows

    settings = load(config)
    known = Known(find_transports().options, catalogue_of(settings))
    chosen = _form(form, file.name)
    # Where there is no store yet, none is made for a file that is not good.
    there = has_store(settings)

    def tell(fault: Fault) -> None:
        if json:
            output.as_json_line(asdict(fault))
        else:
            output.say(f"gateway: {fault}")

    with _opened(file) as (source, size), Judge(known, tell, update=update, keep=not dry_run) as judge:

        async def check(store: Store | None) -> None:
            with output.progress(word("checking", lang), size) as step:
                await judge.judge(read_rows(source, str(file), chosen), store, step)

        async def work(store: Store) -> None:
            with output.progress(word("importing", lang), size) as step:
                await judge.write(store, step=step)

        _with_store_if(there, settings, check)
        judged = judge.judged
        if not judged.rows:
            output.stop(word("no_partners_in", lang, file=file))
        if judged.faults:
            output.say(word("import_refused", lang, count=judged.faults))
            raise typer.Exit(output.USAGE)
        if not dry_run:
            with_store_of(settings, work, make=True)
    if json:
        output.as_json_line({**{noun: judged.counts[noun] for noun in NOUNS}, "imported": not dry_run})
        return
    output.say(word("all_good" if dry_run else "imported", lang, counts=_as_told(judged.counts, lang)))


def _as_told(counts: Any, lang: str) -> str:
    """How many of each noun, in words."""
    from gateway.registry.importing import NOUNS

    return word("of_each", lang, **{noun: output.counted(counts[noun], noun.removesuffix("s"), lang) for noun in NOUNS})


def _form(form: str, name: str) -> Form:
    """The form that is asked for, or that the file's name says; the end where there is none such."""
    from gateway.registry.partner_rows import Form, form_of

    if form and form not in tuple(Form):
        output.stop(f"--form is one of {', '.join(Form)}, not {form}")
    return Form(form) if form else form_of(name)


@contextmanager
def _opened(file: Path) -> Iterator[tuple[BinaryIO, int]]:
    """A file to read, or standard input, with its size; 0 where that is not known."""
    if str(file) == _StandardInput:
        yield sys.stdin.buffer, 0
        return
    with output.existing_file(file).open("rb") as source:
        yield source, file.stat().st_size


def _with_store_if(there: bool, settings: Settings, work: Callable[[Store | None], Awaitable[None]]) -> None:
    """Run `work` with the store, or with None where there is none yet."""
    import asyncio

    from gateway.cli.opening import with_store_of

    if there:
        with_store_of(settings, work)
    else:
        asyncio.run(_as_coroutine(work(None)))


async def _as_coroutine(work: Awaitable[None]) -> None:
    await work


def export(
    file: Annotated[Path, typer.Argument(help="Where to; - for standard output.", metavar="FILE")] = Path(
        _StandardInput
    ),
    form: Annotated[
        str, typer.Option("--form", help="json, jsonl or csv; as the file's name says, else jsonl.", metavar="FORM")
    ] = "",
    credentials: Annotated[
        bool, typer.Option("--credentials", help="With certificates, and the hashes of keys, never a secret.")
    ] = False,
    role: _RoleOption = "",
    grade: _GradeOption = "",
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
) -> None:
    """Write the registry, or the partners that are asked for, as a file that `import` reads."""
    from gateway.cli.opening import with_store
    from gateway.registry.exporting import WRITTEN
    from gateway.registry.exporting import export as write
    from gateway.registry.partner_rows import Form, form_of
    from gateway.store.contract import PartnersWanted

    said = form or form_of(file.name)
    chosen = Form.JSON_LINES if not form and said is Form.TOML else said
    if chosen not in WRITTEN:
        output.stop(f"--form is one of {', '.join(WRITTEN)}, not {chosen}")

    async def work(store: Store) -> int:
        count = -1
        target: Any
        with output.new_file(file) if str(file) != _StandardInput else _standard_output() as target:
            pieces = write(store, Form(chosen), credentials=credentials, wanted=PartnersWanted(role, grade))
            async for piece in pieces:
                target.write(piece)
                count += 1
        return count - 1

    exported = with_store(config, work)
    output.say(word("exported", lang, counts=output.counted(exported, "partner", lang)))


@contextmanager
def _standard_output() -> Iterator[BinaryIO]:
    yield sys.stdout.buffer
    sys.stdout.buffer.flush()


def list_(
    after: Annotated[str, typer.Option(help="Begin after this id.")] = "",
    limit: Annotated[int, typer.Option(help="How many.", min=1)] = 100,
    role: _RoleOption = "",
    grade: _GradeOption = "",
    inactive: Annotated[bool, typer.Option("--inactive", help="Only those that may do nothing.")] = False,
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """List partners by id; `--json` with their agreements, one partner a line."""
    from gateway.cli.opening import with_store
    from gateway.model import Agreement
    from gateway.registry.exporting import Whole, write_whole
    from gateway.store.contract import PartnersWanted

    wanted = PartnersWanted(role, grade, False if inactive else None)

    async def work(store: Store) -> list[tuple[Partner, list[Agreement]]]:
        found = await store.partners(after, limit, wanted)
        of_each = await store.agreements_of([p.id for p in found]) if json else {}
        return [(p, list(of_each.get(p.id, ()))) for p in found]

    listed = with_store(config, work)
    if json:
        for partner, agreements in listed:
            told = write_whole(Whole(partner, agreements), credentials=False)
            output.as_json_line({name: value for name, value in told.items() if name != "persons"})
        return
    output.table(
        headings(("id", "name", "roles", "identifiers", "office", "active"), lang),
        (
            (
                p.id,
                p.name,
                " ".join(sorted(p.roles)),
                " ".join(f"{i.scheme}:{i.value}" for i in p.identifiers),
                _place(p),
                word("yes" if p.active else "no", lang),
            )
            for p, _ in listed
        ),
        empty=word("no_partners", lang),
    )


def _place(partner: Partner) -> str:
    """Where an office stands: its level, the office above, and its regions."""
    above = f"of {partner.parent}" if partner.parent else ""
    regions = f"in {', '.join(sorted(partner.regions))}" if partner.regions else ""
    return " ".join(part for part in (partner.level, above, regions) if part)


def show(
    partner: _PartnerArgument,
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """Show a partner with its agreements, credentials and persons. No secret is told, and no hash of one."""
    from datetime import UTC, datetime

    from gateway.cli.opening import with_store
    from gateway.registry.credentials import judge
    from gateway.registry.exporting import write_whole
    from gateway.registry.operations import find_id, show_partner

    async def work(store: Store) -> Whole:
        return await show_partner(store, await find_id(store, "partners", partner))

    whole, now = with_store(config, work), datetime.now(UTC)
    validities = [(one, judge(one, now).value) for one in whole.credentials]
    if json:
        from gateway.cli.credential import as_dict

        told = write_whole(whole, credentials=False)
        output.as_json({**told, "credentials": [as_dict(one, validity) for one, validity in validities]})
        return
    own = whole.partner
    output.data(f"{own.id}  {own.name}  {' '.join(sorted(own.roles))}")
    for name, value in (
        ("identifiers", " ".join(f"{one.scheme}:{one.value}" for one in own.identifiers)),
        ("office", _place(own)),
        ("grade", own.credit_grade),
        ("classes", " ".join(f"{group}={grade}" for group, grade in own.supervision_classes.items())),
        ("acts for", " ".join(sorted(own.acts_for))),
        ("active", word("yes" if own.active else "no", lang)),
    ):
        if value:
            output.data(f"  {headings((name,), lang)[0]}: {value}")
    for agreement in whole.agreements:
        term = " .. ".join(output.moment(at) if at else "" for at in (agreement.valid_from, agreement.valid_until))
        said = (agreement.id, agreement.direction, agreement.document, agreement.format, agreement.transport)
        output.data(f"{word('agreement', lang)} {'  '.join((*said, agreement.version, term.strip(' .'))).rstrip()}")
    for one, validity in validities:
        output.data(f"{word('credential', lang)} {one.id}  {one.kind}  {one.use}  {one.label}  {word(validity, lang)}")
    for person in whole.persons:
        roles = " ".join(role.name for role in person.roles)
        output.data(f"{word('person', lang)} {person.id}  {person.name}  {roles}")


def disable(
    partner: _PartnerArgument,
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """Let a partner do nothing any more; what is on its way to it still goes. `enable` takes it back."""
    _set_active(partner, config, lang, active=False, json=json)


def enable(
    partner: _PartnerArgument,
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """Let a partner that was disabled do again what it may."""
    _set_active(partner, config, lang, active=True, json=json)


def _set_active(partner: str, config: Path | None, lang: str, *, active: bool, json: bool) -> None:
    from gateway.cli.opening import with_store
    from gateway.model import OPERATOR
    from gateway.registry.operations import find_id, set_active

    async def work(store: Store) -> Partner:
        return await set_active(store, await find_id(store, "partners", partner), OPERATOR, active=active)

    changed = with_store(config, work)
    if json:
        output.as_json({"id": changed.id, "active": changed.active})
    else:
        output.say(word("now_enabled" if active else "now_disabled", lang, id=changed.id))


def remove(
    partner: _PartnerArgument,
    agreement: Annotated[
        str, typer.Option(help="Only this agreement of the partner's, or the one that begins so.", metavar="ID")
    ] = "",
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """Take out a partner that has sent and got nothing, or an agreement. A partner of whom something is kept is disabled."""
    from gateway.cli.opening import with_store
    from gateway.registry.operations import find_id

    async def work(store: Store) -> str:
        owner = await find_id(store, "partners", partner)
        if not agreement:
            await store.remove_partner(owner)
            return owner
        id_ = await find_id(store, "agreements", agreement)
        if (await store.agreement(id_)).partner_id != owner:
            output.stop(f"{id_} is no agreement of {owner}", output.NO)
        await store.remove_agreement(id_)
        return id_

    removed = with_store(config, work)
    if json:
        output.as_json({"id": removed, "removed": True})
    else:
        output.say(word("now_removed", lang, id=removed))


def key() -> None:
    """Print a fresh API key; put it, or the hash that is told beside it, into a partner file."""
    from gateway.registry.keys import hash_key, new_key

    fresh = new_key()
    output.data(fresh)
    output.say(f"hash = {hash_key(fresh)}")
