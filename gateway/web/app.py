"""Serves a gateway process over HTTP until it is asked to end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog
from aiohttp import web

from gateway import process
from gateway.config import Http, Settings
from gateway.trip.lifetime import freeze_loaded
from gateway.web.application import application
from gateway.web.connections import BoundedSite, Connections, raise_file_limit
from gateway.web.services import Services
from gateway.web.tls import server_context

log = structlog.get_logger(__name__)

DRAIN_SECONDS = 10.0
"""How long requests under way may take after SIGTERM: most supervisors kill after 30 seconds."""

_IDLE_SECONDS = 75.0
"""Idle connections are kept longer than the minute that most clients and proxies keep theirs."""

_LINGERING_SECONDS = 2.0
"""How long a refused body is read and dropped, so that its sender gets to read why."""

_HEADERS, _HEADER_BYTES = 64, 4096
"""Headers of a request, and bytes of one: clients and proxies send some twenty short ones."""


async def serve(settings: Settings, *, announce: Callable[[str], None] = lambda _url: None) -> None:
    """Run a gateway until SIGTERM or SIGINT; SIGHUP lets it read its catalogue again. BackgroundEnded where a part of it failed."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    async with process.opened(settings) as opened:
        loop.add_signal_handler(signal.SIGHUP, opened.in_force.ask)
        await run(Services(opened), stop, announce)


async def run(services: Services, stop: asyncio.Event, announce: Callable[[str], None]) -> None:
    """Let the process of `services` work and be spoken to until `stop` is set, then drain; `announce` gets the URL.

    BackgroundEnded where a part of it failed.
    """
    async with services.process.at_work() as work, _listening(services, services.settings.http) as url:
        try:
            log.info("serving", url=url, transports=[one.name for one in services.process.transports])
            freeze_loaded()
            announce(url)
            await work.watch_until(stop)
            log.info("stopping")
        finally:
            services.stopping.set()
    log.info("stopped")


@asynccontextmanager
async def _listening(services: Services, http: Http) -> AsyncIterator[str]:
    """Serve HTTP; gives the URL. At the end no new connection is taken, and requests under way are finished."""
    context = server_context(http)
    runner = web.AppRunner(
        application(services),
        access_log=None,  # the counts are in /metrics, and what was sent is in the store
        handle_signals=False,
        shutdown_timeout=DRAIN_SECONDS,
    )
    await runner.setup()
    limits = services.settings.limits
    connections = Connections(limits, raise_file_limit())
    site = BoundedSite(
        runner,
        http.host,
        http.port,
        limits,
        connections,
        ssl_context=context,
        access_log=None,
        auto_decompress=False,  # a payload is kept, and its digest taken, as it arrived
        keepalive_timeout=_IDLE_SECONDS,
        lingering_time=_LINGERING_SECONDS,
        max_headers=_HEADERS,
        max_field_size=_HEADER_BYTES,
    )
    try:
        await site.start()
        host, port, *_ = runner.addresses[0]
        yield f"{'https' if context else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"
    finally:
        await runner.cleanup()
