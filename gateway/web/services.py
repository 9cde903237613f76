"""What handlers work with, carried by the application."""

from __future__ import annotations

import asyncio

from aiohttp import web

from gateway.process import Process
from gateway.web.identity import Gate
from gateway.web.news import News


class Services:
    """The parts of a process that the REST interface speaks to, and those of its own."""

    def __init__(self, process: Process) -> None:
        """Over a process, at work or not; the process's parts stand here under the names they have there."""
        self.process = process
        self.settings = process.settings
        self.store = process.store
        self.intake = process.intake
        self.evidence = process.evidence
        self.wait_until_decided = process.wait_until_decided
        self.notary = process.notary
        self.metrics = process.metrics
        self.flows = process.flows
        self.spool = process.spool
        self.gate = Gate(process.store, process.settings.limits.requests_per_second, clock=process.settings.clock.now)
        self.stopping = asyncio.Event()
        """Set when the process is asked to end: whoever waits for news answers at once."""
        self.news = News(process.store, process.settings.limits.waiting_readers)
        """Readers that wait for a feed."""


SERVICES = web.AppKey("services", Services)


def services(request: web.Request) -> Services:
    """The services of the application that got `request`."""
    return request.app[SERVICES]
