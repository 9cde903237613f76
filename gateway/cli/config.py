"""`gateway config` shows and checks the configuration, and writes a commented example of it."""

from __future__ import annotations

import typer

from gateway.cli import output


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    noun = typer.Typer(help="The configuration: check it, show it, write an example.", no_args_is_help=True)
    noun.command()(check)
    noun.command()(show)
    noun.command()(example)
    cli.add_typer(noun, name="config")


def check(config: output.ConfigOption = None) -> None:
    """Check the configuration: names, values, and the files it points to."""
    from gateway.config import load
    from gateway.web.tls import server_context

    settings = load(config)
    server_context(settings.http)
    for folder in settings.folders:
        if folder.path.exists() and not folder.path.is_dir():
            output.stop(f"folders: {folder.path} is no folder")
    output.say("The configuration is good.")


def show(config: output.ConfigOption = None, json: output.JsonOption = False) -> None:
    """Show the configuration in effect: file, environment and defaults together."""
    from gateway.cli.config_text import shown, toml
    from gateway.config import load

    settings = load(config)
    if json:
        output.as_json(shown(settings))
    else:
        output.data(toml(shown(settings)))


def example() -> None:
    """Print a gateway.toml that holds every setting with its default and what it does."""
    from gateway.cli.config_text import example as text

    output.data(text())
