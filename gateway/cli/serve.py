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
    """Run the gateway: HTTP, the other transports, pipeline, deliveries. SIGTERM drains and ends it.

    Prints the URL it listens on as its one line of output; logs go to stderr.
    """
    import asyncio

    from gateway import store
    from gateway.cli.config_faults import tls
    from gateway.config import load
    from gateway.discovery import find_transports
    from gateway.errors import StoreUnavailable
    from gateway.process import BackgroundEnded
    from gateway.web import app, logs

    settings = load(config)
    for fault in tls(settings.http):
        output.stop(fault)
    find_transports().read_settings(settings)  # told before anything is opened
    # The store's thread gives the interpreter lock back at every statement, and by default waits 5 ms to get it
    # again from a busy event loop: far longer than the statement takes.
    sys.setswitchinterval(_SWITCH_SECONDS)
    logs.configure(settings.logging)
    with store.explained(settings.store.url), asyncio.Runner(loop_factory=_loop_factory()) as runner:
        try:
            runner.run(app.serve(settings, announce=lambda url: print(url, flush=True)))
        except StoreUnavailable as error:
            output.stop(f"the store {store.without_password(settings.store.url)} does not answer: {error}", output.NO)
        except BackgroundEnded as error:
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
