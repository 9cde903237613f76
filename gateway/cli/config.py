"""`gateway config` shows and checks the configuration, and writes a commented example of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from gateway.cli import output
from gateway.cli.words import word

if TYPE_CHECKING:
    from gateway.config import Settings


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    noun = typer.Typer(help="The configuration: check it, show it, write an example.", no_args_is_help=True)
    noun.command()(check)
    noun.command()(show)
    noun.command()(example)
    cli.add_typer(noun, name="config")


def check(
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """Check the configuration: names, values, the store, and the files and folders it points to.

    Nothing is made by asking.
    """
    from gateway.cli.config_faults import faults
    from gateway.config import load
    from gateway.errors import ConfigurationInvalid

    origin, breaks = "", 0
    try:
        settings = load(config)
        found = list(faults(settings))
        if not found:
            origin, breaks = _log(settings)
    except ConfigurationInvalid as error:
        told = error.details.get("faults")
        found = [str(one) for one in told] if isinstance(told, tuple) else [str(error)]
    if json:
        output.as_json({"good": not found, "faults": found, "log": origin or None, "open_breaks": breaks})
    else:
        for fault in found:
            output.say(f"gateway: {fault}")
        if not found:
            output.say(word("config_good", lang))
        if origin:
            output.say(word("log_named", lang, origin=origin))
        if breaks:
            output.say(word("breaks_open" if breaks > 1 else "break_open", lang, count=breaks))
    if found:
        raise typer.Exit(output.USAGE)


def _log(settings: Settings) -> tuple[str, int]:
    """The name the log goes by, and how many of its breaks nobody has reconciled; nothing where it is not there yet."""
    from gateway import store

    origin, breaks = store.log_at(settings.store.url)
    return origin, sum(one.reconciled_at is None for one in breaks)


def show(config: output.ConfigOption = None, json: output.JsonOption = False) -> None:
    """Show the configuration in effect: file, environment and defaults together."""
    from gateway.cli.config_text import json_ready, toml
    from gateway.config import load

    settings = load(config)
    if json:
        output.as_json(json_ready(settings))
    else:
        output.lines(toml(json_ready(settings)))


def example() -> None:
    """Print a gateway.toml that holds every setting with its default and what it does."""
    from gateway.cli.config_text import example as text

    output.lines(text())
