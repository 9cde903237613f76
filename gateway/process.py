"""Composition root: opens the store, wires the stages of the trip and the transports, runs them, and stops them.

It knows no HTTP: whoever serves it (`web`) does so while a process is at work, with the process's own parts. Whatever
works in the background (pipeline, deliveries, receivers of transports) is watched: if one of these ends by itself, for
whatever reason, the whole process ends with an error, so that whoever supervises it starts it anew. A gateway that
accepts and never delivers would be worse than one that is down.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date
from functools import partial
from typing import Any

import structlog

from gateway import discovery, opening
from gateway.alerting.lookout import Lookout
from gateway.alerting.notifier import Notifier
from gateway.catalogue import Catalogue
from gateway.catalogue_folders import read_layers, shipped
from gateway.check import rulebook
from gateway.config import Settings
from gateway.decide import china
from gateway.decide.flow import Flows
from gateway.deliver.confirmations import Confirmations
from gateway.deliver.worker import DeliveryWorker
from gateway.findings import make_finding
from gateway.journal import Journal
from gateway.metrics import Metered, Metrics
from gateway.model import SubjectVersion
from gateway.pipeline import Pipeline
from gateway.receipt.notary import Notary
from gateway.receive.evidence import EvidenceIntake
from gateway.receive.intake import Intake
from gateway.registry.directory import Directory
from gateway.store import node_file
from gateway.store.archiving import keep_archived
from gateway.store.contract import Alert
from gateway.store.log_watch import LogWatch
from gateway.store.ports import Store
from gateway.store.upkeep import keep_swept
from gateway.transports.base import Sender
from gateway.transports.origins import KeptOrigins
from gateway.transports.plugin import Means
from gateway.transports.replies import KeptReplies
from gateway.transports.spool import Spool
from gateway.trip.approved import lay_out
from gateway.trip.in_force import InForce
from gateway.trip.inbox import PEAK_ARRIVALS
from gateway.trip.judging import judge
from gateway.trip.workers import sweep_results

log = structlog.get_logger(__name__)


class BackgroundEnded(Exception):
    """Something that must run as long as the process has ended by itself."""


class Process:
    """The stages of one gateway process over its opened store, and what they share."""

    def __init__(
        self, settings: Settings, store: Store, notary: Notary, approved: Sequence[SubjectVersion] = ()
    ) -> None:
        """Wire everything; nothing starts yet. Must be called in the running event loop.

        `approved` are the code lists and rule sets approved in the store, which are in force from the start.

        FlowsInvalid or TransportsInvalid where what is installed does not go together, ConfigurationInvalid where the
        settings of a transport are none, CatalogueInvalid where the operator's own tables cannot be used.
        """
        self.settings, self.store, self.notary = settings, store, notary
        clock = settings.clock.now
        self.flows = discovery.find_flows()
        if self.flows.samples:
            self.flows = self.flows.keyed(opening.sampling_secret(settings))
        self.transports = discovery.find_transports()
        self.in_force = InForce(
            read_catalogue(settings, self.flows, approved=approved),
            settings.catalogue.snapshots,
            read=lambda former: self._read_for(former, china.day(clock())),
            read_for=self._read_for,
            on_refused=self._tell_refused,
            approved=approved,
            clock=clock,
        )
        self.metrics = Metrics(clock)
        self.spool = Spool(settings)
        own = self.transports.read_settings(settings)
        registry = Directory(store, now=clock)
        self._senders: dict[str, Sender] = {}
        journal = Journal(self.metrics)
        worker = DeliveryWorker(
            store, self._senders, settings.deliver, notary, clock=clock, on_recorded=journal.tell_attempt
        )
        confirmations = Confirmations(store, registry, notary, settings.deliver, on_settled=worker.ring, clock=clock)
        pipeline = Pipeline(
            store,
            settings,
            notary,
            self.flows,
            self.in_force,
            clock=clock,
            on_committed=worker.ring,
            arrivals=lambda: intake.in_flight,
            observe=lambda seconds: self.metrics.observe_stage("process", seconds),
            on_judged=journal.tell_judged,
        )
        intake = Intake(
            store,
            settings,
            notary,
            clock=clock,
            on_accepted=pipeline.ring,
            tell=journal.tell_received,
            is_at_once=self.flows.is_at_once,
            begin_at_once=pipeline.begin_at_once,
            announced=pipeline.precedence.announced,
            may_go_first=pipeline.precedence.may_go_first,
        )
        self.intake = intake.accept
        self.evidence = EvidenceIntake(store, notary, intake.refuse_under_pressure, clock=clock)
        self.wait_until_decided = pipeline.wait_until_decided
        """Waits until a payload that came to be decided at once is, for so many seconds at most."""
        watch = LogWatch(
            store,
            settings.receipts.audit_per_second,
            busy=lambda: intake.in_flight > PEAK_ARRIVALS,
            on_found=lambda _problem: self.metrics.log_faults.inc(),
            on_page=self.metrics.log_audited.set,
        )
        self._background: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
            "pipeline": pipeline.run,
            "catalogue": lambda: self.in_force.run(store),
            "deliveries": worker.run,
            "confirmations": confirmations.run,
            "log audit": watch.run,
            "upkeep": lambda: keep_swept(store),
            **self._retention(),
            "lookout": Lookout(store, settings, clock=clock).run,
            **{
                f"notice {notice.name}": Notifier(store, settings.mail, notice, clock=clock).run
                for notice in settings.alerts.notices
            },
        }
        self.means: Mapping[str, Means] = {
            name: Means(
                settings,
                section,
                self.intake,
                self.spool,
                registry,
                partial(confirmations.confirm, name),
                KeptReplies(store, name, clock),
                KeptOrigins(store, registry).find,
                partial(confirmations.find_awaited, name),
            )
            for name, section in own.items()
        }
        """What each transport works with, by its name."""
        for transport in self.transports:
            means = self.means[transport.name]
            if transport.open_sender is not None:
                self._senders[transport.name] = Metered(transport.open_sender(means), self.metrics)
            if transport.open_receivers is not None:
                for name, receiver in transport.open_receivers(means).items():
                    self._background[f"{transport.name} {name}"] = receiver.run

    def _retention(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """The daily run that moves what is old to archives, where that is wanted."""
        plan, clock = opening.plan(self.settings.retention), self.settings.clock.now
        if not plan.days:
            return {}
        return {"retention": lambda: keep_archived(lambda: self.store.archive(plan, clock))}

    def _read_for(self, former: Catalogue, day: date) -> Catalogue:
        """The catalogue of a day that follows `former`."""
        return read_catalogue(self.settings, self.flows, former, self.in_force.approved, day)

    async def _tell_refused(self, reason: str) -> None:
        """Alert the operator that a catalogue was refused."""
        at = self.settings.clock.now()
        found = make_finding("catalogue.refused", reason=reason)
        await self.store.raise_alert(Alert("catalogue_refused", f"catalogue {at.isoformat()}", (found,), at))

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[Work]:
        """Everything runs meanwhile. At the end it is stopped: what is under way is given back, connections are closed."""
        tasks = [asyncio.create_task(run(), name=name) for name, run in self._background.items()]
        try:
            await asyncio.to_thread(self.spool.sweep)
            await asyncio.to_thread(sweep_results)
            yield Work(tasks)
        finally:
            await _cancel(tasks)
            self.in_force.shelf.close()
            for sender in self._senders.values():
                await sender.close()


def read_catalogue(
    settings: Settings,
    flows: Flows,
    former: Catalogue | None = None,
    approved: Sequence[SubjectVersion] = (),
    day: date | None = None,
) -> Catalogue:
    """What ships, the operator's own folder over it and what was approved in the store over both, judged as a whole.

    It is made for `day` in China, today where none is given, and takes some seconds where much has changed.

    What is the same in `former` is taken over from it. CatalogueInvalid tells every fault.
    """
    day = day or china.day(settings.clock.now())
    layers = replace(read_layers(settings.catalogue.folder), approved=lay_out(approved, day))
    catalogue = layers.catalogue()
    if former is None and not layers.own and not layers.approved:
        # What ships is good by itself; whether the flows of installed packages go with it, only a start shows.
        book = rulebook.load(shipped(), flows.rules)
        flows.check_headlines(book.headlines)
        flows.check_acts(book.acts)
        flows.check_numbers(book.numbers)
        flows.check_gates(book.gates, book.modes)
        flows.check_views(book.views)
        flows.check_feeds(book.feeds)
        flows.check_competence(book.competence, book.modes)
        flows.check_reports(book.reports)
        flows.check_sampling(book.sampling)
        flows.check_risks(book.risks)
        return shipped()
    catalogue.succeed(shipped() if former is None else former)
    judge(catalogue, flows, day, least=shipped(), own={**layers.own, **layers.approved})
    return catalogue


class Work:
    """What runs in the background of a process."""

    def __init__(self, tasks: Iterable[asyncio.Task[None]]) -> None:
        self._tasks = frozenset(tasks)

    async def watch_until(self, stop: asyncio.Event) -> None:
        """Wait until `stop` is set; BackgroundEnded where a part of it ends before."""
        stopped = asyncio.create_task(stop.wait())
        try:
            done, _ = await asyncio.wait({stopped, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
        for task in done:
            if task is not stopped:
                error = task.exception()
                log.error("background_ended", task=task.get_name(), exc_info=error)
                raise BackgroundEnded(f"{task.get_name()} ended by itself: {error!r}") from error


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Process]:
    """A process, wired and not yet at work, over its opened store, which is closed afterwards."""
    signer = opening.signer(settings.receipts)
    with node_file.named(settings.store.node_file) as name:
        async with opening.opened(settings, signer) as store:
            if taken := await store.hold_as(name, settings.clock.now()):
                log.info("took_own_work_back", leases=taken)
            yield Process(settings, store, opening.notary(store, signer), await store.approved_lists())


async def _cancel(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel, and wait until all have let go of what they held."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
