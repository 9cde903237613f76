"""`gateway demo` runs the gateway and simulated partners through the whole trip, and judges what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli import output


def register(cli: typer.Typer) -> None:
    """Add the command."""
    cli.command()(demo)


def demo(
    folder: Annotated[
        Path,
        typer.Option(
            "--folder", help="Where everything is left to look at; an earlier demo there is removed.", metavar="FOLDER"
        ),
    ] = Path("var/demo"),
    keep: Annotated[bool, typer.Option("--keep", help="Keep it all running afterwards, to explore.")] = False,
    json: output.JsonOption = False,
) -> None:
    """Run a gateway with simulated partners: every sample is sent, every outcome judged, every receipt verified."""
    import asyncio

    from gateway.demo.run import run

    problems = asyncio.run(run(folder, keep=keep, as_json=json))
    if problems:
        raise typer.Exit(output.NO)
