"""`gateway subscription` lists what partners have asked to be given of feeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli import output
from gateway.cli.words import headings, word

if TYPE_CHECKING:
    from gateway.model import Subscription
    from gateway.store.ports import Store


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    noun = typer.Typer(help="What partners want to be given of feeds.", no_args_is_help=True)
    noun.command("list")(list_)
    cli.add_typer(noun, name="subscription")


def list_(
    partner: Annotated[str, typer.Argument(help="Id of a partner, or how it alone begins.", metavar="PARTNER")],
    test: Annotated[bool, typer.Option("--test", help="Those of test traffic.")] = False,
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """List a partner's subscriptions by name, those included that it has ended."""
    from gateway.cli.opening import with_store
    from gateway.registry.operations import find_id

    async def work(store: Store) -> list[Subscription]:
        return list(await store.subscriptions_of(await find_id(store, "partners", partner), test=test))

    found = with_store(config, work)
    if json:
        for one in found:
            output.as_json_line(
                {
                    "id": one.name,
                    "version": one.version,
                    "feed": one.feed,
                    "keys": {kind: sorted(values) for kind, values in sorted(one.keys.items())},
                    "handing": "push" if one.push else "fetch",
                    "since": one.since,
                    "ended": one.ended,
                }
            )
        return
    output.table(
        headings(("id", "feed", "keys", "handing", "since", "state"), lang),
        (
            (
                one.name,
                one.feed,
                ", ".join(f"{kind}: {len(values)}" for kind, values in sorted(one.keys.items())) or word("all", lang),
                word("push" if one.push else "fetch", lang),
                output.moment(one.since) if one.since else "",
                word("ended" if one.ended else "served", lang),
            )
            for one in found
        ),
        empty=word("no_subscriptions", lang),
    )
