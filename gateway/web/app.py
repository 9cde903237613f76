"""Composition root: opens the store, wires the stages of the trip, and runs them until asked to end.

Whatever runs beside HTTP (pipeline, deliveries, folders) is watched: if one of these ends by itself,
for whatever reason, the whole process ends with an error, so that whoever supervises it starts it anew.
A gateway that accepts and never delivers would be worse than one that is down.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import structlog
from aiohttp import web

from gateway import discovery
from gateway.check import rulebook
from gateway.config import Http, Settings
from gateway.deliver.worker import DeliveryWorker
from gateway.pipeline import PEAK_ARRIVALS, Pipeline
from gateway.receipt.notary import Notary
from gateway.receive.intake import Intake
from gateway.store.contract import Store
from gateway.store.log_watch import LogWatch
from gateway.store.upkeep import keep_swept
from gateway.transports.base import Sender
from gateway.transports.plugin import Means
from gateway.trip.lifetime import freeze_loaded
from gateway.trip.workers import sweep_results
from gateway.web import node, opening
from gateway.web.application import application
from gateway.web.connections import BoundedSite, Connections, raise_file_limit
from gateway.web.identity import Gate
from gateway.web.metrics import Metered, Metrics
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


class BackgroundEnded(Exception):
    """Something that must run as long as the process has ended by itself."""


class Gateway:
    """One gateway process: its HTTP application, and what runs beside it."""

    def __init__(self, settings: Settings, store: Store, notary: Notary) -> None:
        """Wire everything; nothing starts yet. Must be called in the running event loop."""
        self._settings = settings
        metrics, flows = Metrics(), discovery.find_flows()
        transports = discovery.find_transports()
        own = transports.read_settings(settings)
        self._senders: dict[str, Sender] = {}
        worker = DeliveryWorker(store, self._senders, settings.deliver, notary)
        pipeline = Pipeline(
            store,
            settings,
            notary,
            flows,
            rulebook.load(),
            on_committed=worker.ring,
            arrivals=lambda: intake.in_flight,
            observe=lambda seconds: metrics.observe_stage("process", seconds),
        )
        intake = Intake(store, settings, notary, on_accepted=pipeline.ring)
        gate = Gate(store, settings.limits.requests_per_second)
        self.services = Services(settings, store, intake.accept, notary, gate, metrics, flows)
        watch = LogWatch(
            store,
            settings.receipts.audit_per_second,
            busy=lambda: intake.in_flight > PEAK_ARRIVALS,
            on_found=lambda _problem: metrics.log_faults.inc(),
            on_page=metrics.log_audited.set,
        )
        self._background: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
            "pipeline": pipeline.run,
            "deliveries": worker.run,
            "log audit": watch.run,
            "upkeep": lambda: keep_swept(store),
        }
        for transport in transports:
            means = Means(settings, own[transport.name], intake.accept, self.services.spool)
            if transport.open_sender is not None:
                self._senders[transport.name] = Metered(transport.open_sender(means), metrics)
            if transport.open_receivers is not None:
                for name, receiver in transport.open_receivers(means).items():
                    self._background[f"{transport.name} {name}"] = receiver.run

    async def run(self, stop: asyncio.Event, announce: Callable[[str], None]) -> None:
        """Run until `stop` is set, then drain; `announce` gets the URL. BackgroundEnded where a part failed."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._close_senders)
            tasks = {name: asyncio.create_task(run(), name=name) for name, run in self._background.items()}
            stack.push_async_callback(_cancel, tasks.values())
            url = await stack.enter_async_context(_listening(self.services, self._settings.http))
            stack.callback(self.services.stopping.set)
            await asyncio.to_thread(self.services.spool.sweep)
            await asyncio.to_thread(sweep_results)
            log.info("serving", url=url)
            freeze_loaded()
            announce(url)
            await _first_to_end(tasks, stop)
            log.info("stopping")
        log.info("stopped")

    async def _close_senders(self) -> None:
        for sender in self._senders.values():
            await sender.close()


async def serve(settings: Settings, *, announce: Callable[[str], None] = lambda _url: None) -> None:
    """Run a gateway until SIGTERM or SIGINT. BackgroundEnded where a part of it failed."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    async with running(settings) as gateway:
        await gateway.run(stop, announce)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Gateway]:
    """A gateway over its opened store, which is closed afterwards."""
    signer = opening.signer(settings.receipts)
    with node.named(settings.store.node_file) as name:
        async with opening.opened(settings, signer) as store:
            if taken := await store.hold_as(name, datetime.now(UTC)):
                log.info("took_own_work_back", leases=taken)
            yield Gateway(settings, store, opening.notary(store, signer))


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


async def _first_to_end(tasks: dict[str, asyncio.Task[None]], stop: asyncio.Event) -> None:
    """Wait for `stop`; BackgroundEnded where one of `tasks` ends before."""
    stopped = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait({stopped, *tasks.values()}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
    for task in done - {stopped}:
        error = task.exception()
        log.error("background_ended", task=task.get_name(), exc_info=error)
        raise BackgroundEnded(f"{task.get_name()} ended by itself: {error!r}") from error


async def _cancel(tasks: Any) -> None:
    """Cancel, and wait until all have let go of what they held."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
