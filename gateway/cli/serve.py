"""`gateway serve` runs the gateway until it is asked to end."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

from gateway.cli import output

_SWITCH_SECONDS = 0.001

if TYPE_CHECKING:
    import asyncio


def register(cli: typer.Typer) -> None:
    """Add the command."""
    cli.command()(serve)


def serve(config: output.ConfigOption = None) -> None:
    """Run the gateway: HTTP, folders, pipeline, deliveries. SIGTERM drains and ends it.

    Prints the URL it listens on as its one line of output; logs go to stderr.
    """
    import asyncio

    from gateway.config import load
    from gateway.web import app, logs

    # The store's thread gives the interpreter lock back at every statement, and by default waits 5 ms to get it
    # again from a busy event loop: far longer than the statement takes.
    sys.setswitchinterval(_SWITCH_SECONDS)
    settings = load(config)
    logs.configure(settings.logging)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        try:
            runner.run(app.serve(settings, announce=lambda url: print(url, flush=True)))
        except app.BackgroundEnded as error:
            output.stop(str(error), output.NO)
        except OSError as error:
            output.stop(f"{settings.http.host}:{settings.http.port}: {error.strerror or error}")


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Event loops of uvloop where it is installed (not every platform has it), else Python's own."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
