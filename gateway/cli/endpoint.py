"""`gateway endpoint` tells where sendings fail or nothing is sent, and pauses and resumes partners and their endpoints."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli import output
from gateway.cli.words import headings, word
from gateway.signs import shown

if TYPE_CHECKING:
    from gateway.model import Endpoint
    from gateway.store.contract import EndpointKey
    from gateway.store.ports import Store

_PartnerArgument = Annotated[str, typer.Argument(help="Id of a partner, or how it alone begins.", metavar="PARTNER")]
_TransportOption = Annotated[
    str, typer.Option(help="Only over this transport; needs --address too, where one is listed.")
]
_AddressOption = Annotated[str, typer.Option(help="Only to this address, as the list tells it.")]
_ReasonOption = Annotated[str, typer.Option(help="Why, for the audit and the list.", metavar="TEXT")]


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    noun = typer.Typer(help="Where deliveries go: what fails, what is paused.", no_args_is_help=True)
    noun.command("list")(list_)
    noun.command()(pause)
    noun.command()(resume)
    cli.add_typer(noun, name="endpoint")


def list_(
    partner: Annotated[str, typer.Option(help="Only this partner's.", metavar="ID")] = "",
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """List endpoints to which sendings fail, or nothing is sent just now; those that are well are not there."""
    from gateway.cli.opening import with_store

    async def work(store: Store) -> list[Endpoint]:
        return list(await store.endpoints_in_trouble(partner))

    found = with_store(config, work)
    if json:
        for one in found:
            names = ("partner_id", "transport", "address", "failures", "stop", "since", "until", "said", "by")
            output.as_json_line({name: getattr(one, name) for name in names})
        return
    output.table(
        headings(("partner", "transport", "address", "failures", "stop", "until", "said"), lang),
        (
            (
                one.partner_id,
                one.transport or word("all", lang),
                shown(one.address),
                one.failures,
                word(f"stop_{one.stop.value}", lang) if one.stop else "",
                output.moment(one.until) if one.until else "",
                shown(one.said),
            )
            for one in found
        ),
        empty=word("no_endpoints", lang),
    )


def pause(
    partner: _PartnerArgument,
    transport: _TransportOption = "",
    address: _AddressOption = "",
    reason: _ReasonOption = "",
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
) -> None:
    """Send nothing to a partner, or to one of its endpoints, before it is resumed; what is being sent comes to its end."""
    from gateway.cli.opening import with_store

    async def work(store: Store) -> EndpointKey:
        key = await _find_key(store, partner, transport, address)
        await store.pause_endpoint(key, datetime.now(UTC), why=reason)
        return key

    output.say(word("paused_now", lang, endpoint=" ".join(filter(None, with_store(config, work)))))


def resume(
    partner: _PartnerArgument,
    transport: _TransportOption = "",
    address: _AddressOption = "",
    reason: _ReasonOption = "",
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
) -> None:
    """Send again, and at once what has waited. Exit code 1 where nothing was stopped there."""
    from gateway.cli.opening import with_store
    from gateway.errors import NotFound

    async def work(store: Store) -> tuple[EndpointKey, bool]:
        key = await _find_key(store, partner, transport, address)
        try:
            await store.resume_endpoint(key, datetime.now(UTC), why=reason)
        except NotFound:
            return key, False
        return key, True

    key, done = with_store(config, work)
    name = " ".join(filter(None, key))
    if not done:
        output.stop(word("not_stopped", lang, endpoint=name), output.NO)
    output.say(word("resumed_now", lang, endpoint=name))


async def _find_key(store: Store, partner: str, transport: str, address: str) -> EndpointKey:
    from gateway.registry.operations import find_id
    from gateway.store.contract import storable_key

    return await find_id(store, "partners", partner), transport, storable_key(address)
