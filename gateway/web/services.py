"""What handlers work with, carried by the application."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from aiohttp import web

from gateway.config import Settings
from gateway.decide.flow import Flows
from gateway.receipt.notary import Notary
from gateway.store.contract import Store
from gateway.transports.base import Intake
from gateway.transports.spool import Spool
from gateway.web.identity import Gate
from gateway.web.metrics import Metrics
from gateway.web.news import News


@dataclass(slots=True)
class Services:
    """The parts that the REST interface speaks to."""

    settings: Settings
    store: Store
    intake: Intake
    notary: Notary
    gate: Gate
    metrics: Metrics
    flows: Flows
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the process is asked to end: whoever waits for news answers at once."""
    spool: Spool = field(init=False)
    """Bodies on their way in."""
    news: News = field(init=False)
    """Readers that wait for a feed."""

    def __post_init__(self) -> None:
        self.spool = Spool(self.settings)
        self.news = News(self.store, self.settings.limits.waiting_readers)


SERVICES = web.AppKey("services", Services)


def services(request: web.Request) -> Services:
    """The services of the application that got `request`."""
    return request.app[SERVICES]
