"""Routes that transports add, as routes of the interface: who calls is told first, by the transport or by the API keys."""

from __future__ import annotations

import inspect
from collections.abc import Iterable

from aiohttp import web

from gateway.transports import plugin
from gateway.transports.plugin import Peer, Transport
from gateway.web.parameters import Text
from gateway.web.routes import Route
from gateway.web.services import services


def routes_of(transports: Iterable[Transport]) -> tuple[Route, ...]:
    """What all of them add to the interface."""
    return tuple(_route(transport, added) for transport in transports for added in transport.routes)


def _route(transport: Transport, added: plugin.Route) -> Route:
    async def handle(request: web.Request) -> web.StreamResponse:
        service = services(request)
        means = service.process.means[transport.name]
        if transport.authenticate is None:
            caller = await service.gate.admit(request, added.scope)
            peer = Peer(caller.partner.id, caller.key.test)
        else:
            came = await transport.authenticate(request, means)
            if isinstance(came, web.StreamResponse):
                return came
            peer = came
            await service.gate.admit_partner(peer.partner_id)
        return await added.receive(request, peer, means)

    handle.__doc__ = inspect.getdoc(added.receive)
    return Route(
        added.method,
        added.path,
        added.operation,
        handle,
        status=added.status,
        media_type=added.media_type,
        answers=added.answers,
        takes=added.takes,
        bodiless=added.bodiless,
        also=dict(added.also),
        parameters=tuple(Text(name, what) for name, what in added.queries.items()),
        scope="" if transport.authenticate is not None else added.scope,
        problems=(400, 404, 413, 429, 503) if transport.authenticate is None else (400, 401, 404, 413, 429, 503),
    )
