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

    settings = load(config)
    store.migrate(settings.store.url)
    output.say("The store is at this version.")
