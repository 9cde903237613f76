"""`gateway migrate` brings the database's tables to what this version needs."""

from __future__ import annotations

import typer

from gateway.cli import output


def register(cli: typer.Typer) -> None:
    """Add the command."""
    cli.command()(migrate)


def migrate(config: output.ConfigOption = None) -> None:
    """Bring the store's tables to this version; safe to repeat."""
    from gateway import store
    from gateway.config import load
    from gateway.errors import StoreUnavailable

    url = load(config).store.url
    try:
        store.migrate(url)
    except StoreUnavailable as error:
        output.stop(f"the store {store.without_password(url)} does not answer: {error}", output.NO)
    output.say("The store is at this version.")
