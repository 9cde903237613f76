"""`gateway credential` gives partners API keys, moves them over to new ones, and ends any credential."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli import output
from gateway.cli.words import headings, word

if TYPE_CHECKING:
    from gateway.model import Credential
    from gateway.registry.operations import Issued
    from gateway.store.ports import Store

_PartnerArgument = Annotated[str, typer.Argument(help="Id of a partner, or how it alone begins.", metavar="PARTNER")]
_IdArgument = Annotated[str, typer.Argument(help="Id of a credential, or how it alone begins.", metavar="ID")]


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    noun = typer.Typer(help="Keys, certificates and tokens of partners.", no_args_is_help=True)
    noun.command("list")(list_)
    noun.command()(add)
    noun.command()(rotate)
    noun.command()(revoke)
    cli.add_typer(noun, name="credential")


def list_(
    partner: _PartnerArgument,
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """List a partner's credentials, those too that are over. No secret is told, and no hash of one."""
    from gateway.cli.opening import with_store
    from gateway.registry.credentials import judge
    from gateway.registry.operations import find_id

    now = datetime.now(UTC)

    async def work(store: Store) -> list[Credential]:
        return list(await store.credentials(await find_id(store, "partners", partner)))

    listed = [(one, judge(one, now).value) for one in with_store(config, work)]
    if json:
        for one, validity in listed:
            output.as_json_line(as_dict(one, validity))
        return
    output.table(
        headings(("id", "person", "kind", "use", "label", "scopes", "from", "until", "is"), lang),
        (
            (
                one.id,
                one.person_id,
                one.kind.value,
                one.use.value,
                one.label,
                " ".join(sorted(one.scopes)) if one.use == "in" else "",
                output.moment(one.valid_from) if one.valid_from else "",
                output.moment(end) if (end := _end(one)) else "",
                word(validity, lang),
            )
            for one, validity in listed
        ),
        empty=word("no_credentials", lang),
    )


def add(
    partner: _PartnerArgument,
    scope: Annotated[list[str], typer.Option(help="What it opens: send, read, admin; once for each.")] = [  # noqa: B006 -- typer's way, which copies it
        "send",
        "read",
    ],
    label: Annotated[str, typer.Option(help="What it is for.")] = "",
    test: Annotated[bool, typer.Option("--test", help="Let all that it sends be test traffic.")] = False,
    days: Annotated[int, typer.Option(help="Days that it is valid; 0 for no end.", min=0, max=36500)] = 0,
    person: Annotated[
        str, typer.Option(help="Id of the partner's person whose it is; of its systems where absent.")
    ] = "",
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """Give a partner a fresh API key, which is printed now and never again. Keys that it has stay valid."""
    from gateway.cli.opening import with_store
    from gateway.model import OPERATOR
    from gateway.registry.operations import KeyTerms, find_id, issue_key

    async def work(store: Store) -> Issued:
        terms = KeyTerms(scope, label, test, days, await find_id(store, "persons", person) if person else "")
        owner = await find_id(store, "partners", partner)
        return await issue_key(store, owner, terms, OPERATOR, datetime.now(UTC))

    _told(with_store(config, work), lang, json=json)


def rotate(
    id_: _IdArgument,
    overlap: Annotated[
        float, typer.Option(help="Hours for which the old key stays valid beside the new one.", min=0, max=87600)
    ] = 168.0,
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """Give the owner of an API key a new one with the same scopes, and let the old one end after an overlap."""
    from gateway.cli.opening import with_store
    from gateway.model import OPERATOR
    from gateway.registry.operations import find_id, rotate_key

    now, beside = datetime.now(UTC), timedelta(hours=overlap)

    async def work(store: Store) -> tuple[str, Issued]:
        old = await find_id(store, "credentials", id_)
        return old, await rotate_key(store, old, beside, OPERATOR, now)

    old, issued = with_store(config, work)
    _told(issued, lang, json=json)
    if not json:
        output.say(word("key_ends", lang, id=old, at=output.moment(now + beside)))


def revoke(
    id_: _IdArgument,
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """End a credential at once. No import of a partner file opens it again."""
    from gateway.cli.opening import with_store
    from gateway.model import OPERATOR
    from gateway.registry import operations

    async def work(store: Store) -> Credential:
        found = await operations.find_id(store, "credentials", id_)
        return await operations.revoke(store, found, OPERATOR, datetime.now(UTC))

    ended = with_store(config, work)
    if json:
        output.as_json(as_dict(ended, "revoked"))
    else:
        output.say(word("now_revoked", lang, id=ended.id, partner=ended.partner_id))


def _end(one: Credential) -> datetime | None:
    """When it ends: by itself, or by an operator's word."""
    return min((end for end in (one.valid_until, one.revoked_at) if end is not None), default=None)


def _told(issued: Issued, lang: str, *, json: bool) -> None:
    """Hand over a key that was made, this once."""
    made = issued.credential
    if json:
        output.as_json({**as_dict(made, "valid"), "key": issued.key})
        return
    output.data(issued.key)
    output.say(word("key_made", lang, id=made.id, partner=made.partner_id))


def as_dict(one: Credential, validity: str) -> dict[str, Any]:
    """A credential without its hash."""
    return {
        "id": one.id,
        "partner_id": one.partner_id,
        "person_id": one.person_id,
        "kind": one.kind.value,
        "use": one.use.value,
        "label": one.label,
        "scopes": sorted(one.scopes),
        "test": one.test,
        "valid_from": one.valid_from,
        "valid_until": one.valid_until,
        "revoked_at": one.revoked_at,
        "reference": one.reference,
        "is": validity,
    }
