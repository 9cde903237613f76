"""`gateway credential` gives partners API keys, moves them over to new ones, and ends any credential."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli import output

if TYPE_CHECKING:
    from gateway.model import Credential
    from gateway.store.ports import Store

_PartnerArgument = Annotated[str, typer.Argument(help="Id of a partner.", metavar="PARTNER")]
_IdArgument = Annotated[str, typer.Argument(help="Id of a credential.", metavar="ID")]


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    noun = typer.Typer(help="Keys, certificates and tokens of partners.", no_args_is_help=True)
    noun.command("list")(list_)
    noun.command()(add)
    noun.command()(rotate)
    noun.command()(revoke)
    cli.add_typer(noun, name="credential")


def list_(partner: _PartnerArgument, config: output.ConfigOption = None, json: output.JsonOption = False) -> None:
    """List a partner's credentials, those too that are over. No secret is told, and no hash of one."""
    from gateway.cli.opening import with_store
    from gateway.registry.credentials import judge

    now = datetime.now(UTC)

    async def work(store: Store) -> list[Credential]:
        await _known(store, partner)
        return list(await store.credentials(partner))

    listed = [(one, judge(one, now).value) for one in with_store(config, work)]
    if json:
        for one, validity in listed:
            output.as_json_line(_as_dict(one, validity))
        return
    output.table(
        ("id", "person", "kind", "use", "label", "scopes", "from", "until", "is"),
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
                validity,
            )
            for one, validity in listed
        ),
        empty="No credentials.",
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
    json: output.JsonOption = False,
) -> None:
    """Give a partner a fresh API key, which is printed now and never again. Keys that it has stay valid."""
    from gateway.cli.opening import with_store
    from gateway.registry.keys import SCOPES, hash_key, new_key

    if unknown := set(scope) - SCOPES:
        output.stop(f"there is no scope {', '.join(sorted(unknown))}; there are {', '.join(sorted(SCOPES))}")
    now, key = datetime.now(UTC), new_key()

    async def work(store: Store) -> Credential:
        from gateway.model import Credential

        await _known(store, partner)
        if person and person not in {one.id for one in await store.persons_of(partner)}:
            output.stop(f"{partner} has no person {person}", output.NO)
        hash_ = hash_key(key)
        until = now + timedelta(days=days) if days else None
        made = Credential(
            f"{partner}-{hash_[:8]}",
            partner,
            hash_,
            frozenset(scope),
            test,
            now,
            valid_until=until,
            label=label,
            person_id=person,
        )
        await store.import_partners((), (), (made,))
        return made

    _told(key, with_store(config, work), json=json)


def rotate(
    id_: _IdArgument,
    overlap: Annotated[
        float, typer.Option(help="Hours for which the old key stays valid beside the new one.", min=0, max=87600)
    ] = 168.0,
    config: output.ConfigOption = None,
    json: output.JsonOption = False,
) -> None:
    """Give the owner of an API key a new one with the same scopes, and let the old one end after an overlap."""
    from dataclasses import replace

    from gateway.cli.opening import with_store
    from gateway.model import CredentialKind
    from gateway.registry.credentials import Validity, judge
    from gateway.registry.keys import hash_key, new_key

    now, key = datetime.now(UTC), new_key()

    async def work(store: Store) -> Credential:
        old = await _credential_of(store, id_)
        if old.kind is not CredentialKind.API_KEY:
            output.stop(f"{id_} is a {old.kind}; only API keys are made here: import the next one, and revoke this")
        if judge(old, now) is not Validity.VALID:
            output.stop(f"{id_} is {judge(old, now)}; `gateway credential add` gives {old.partner_id} a key", output.NO)
        hash_ = hash_key(key)
        life = old.valid_until - (old.valid_from or now) if old.valid_until is not None else None
        made = replace(
            old,
            id=f"{old.partner_id}-{hash_[:8]}",
            hash=hash_,
            valid_from=now,
            valid_until=now + life if life is not None else None,
            revoked_at=None,
        )
        # The new one first: a failure in between leaves both, and nobody locked out.
        await store.import_partners((), (), (made,))
        await store.revoke_credential(old.id, now + timedelta(hours=overlap))
        return made

    made = with_store(config, work)
    _told(key, made, json=json)
    if not json:
        output.say(f"{id_} ends at {output.moment(now + timedelta(hours=overlap))}, or before if it had an end.")


def revoke(id_: _IdArgument, config: output.ConfigOption = None, json: output.JsonOption = False) -> None:
    """End a credential at once. No import of a partner file opens it again."""
    from gateway.cli.opening import with_store

    now = datetime.now(UTC)

    async def work(store: Store) -> Credential:
        await _credential_of(store, id_)
        await store.revoke_credential(id_, now)
        return await store.credential(id_)

    ended = with_store(config, work)
    if json:
        output.as_json(_as_dict(ended, "revoked"))
    else:
        output.say(f"{id_} of {ended.partner_id} is revoked; a running gateway knows within a second.")


async def _known(store: Store, partner_id: str) -> None:
    """The end where there is no such partner."""
    from gateway.errors import NotFound

    try:
        await store.partner(partner_id)
    except NotFound:
        output.stop(f"there is no partner {partner_id}", output.NO)


async def _credential_of(store: Store, id_: str) -> Credential:
    """The credential asked for; the end where there is none."""
    from gateway.errors import NotFound

    try:
        return await store.credential(id_)
    except NotFound:
        output.stop(f"there is no credential {id_}", output.NO)


def _end(one: Credential) -> datetime | None:
    """When it ends: by itself, or by an operator's word."""
    return min((end for end in (one.valid_until, one.revoked_at) if end is not None), default=None)


def _told(key: str, made: Credential, *, json: bool) -> None:
    """Hand over a key that was made, this once."""
    if json:
        output.as_json({**_as_dict(made, "valid"), "key": key})
        return
    output.data(key)
    output.say(f"{made.id} of {made.partner_id}; the key is not kept, and cannot be told again.")


def _as_dict(one: Credential, validity: str) -> dict[str, Any]:
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
