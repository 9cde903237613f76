"""For the operator's machines: health, readiness, metrics."""

from __future__ import annotations

import asyncio
import ipaddress

from aiohttp import web

from gateway.durable import free_bytes
from gateway.errors import GatewayError
from gateway.metrics import CONTENT_TYPE_LATEST
from gateway.registry.keys import ADMIN
from gateway.web import resources
from gateway.web.api.answers import answer
from gateway.web.services import services

_PATIENCE = 2.0
"""Seconds the store has to answer a readiness question; load balancers ask every few seconds."""


async def health(_request: web.Request) -> web.Response:
    """Whether the process answers at all."""
    return answer(resources.Health(status="ok"))


async def ready(request: web.Request) -> web.Response:
    """Whether messages can be taken in: 503 where not, with what is missing."""
    service = services(request)
    checks = {
        "store": await _commits(request),
        "disk": free_bytes(service.settings.store.payload_folder) >= service.settings.store.free_bytes,
    }
    checks["serving"] = not service.stopping.is_set()
    good = all(checks.values())
    return answer(resources.Readiness(ready=good, checks=checks), status=200 if good else 503)


async def metrics(request: web.Request) -> web.Response:
    """Counts, latencies and queue depths; for loopback, and for keys with the scope `admin`."""
    service = services(request)
    if not _is_local(request):
        await service.gate.admit(request, ADMIN)
    body = service.metrics.render(await service.store.pressure())
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _commits(request: web.Request) -> bool:
    """Whether the store can commit: a node that only reads takes nothing in."""
    try:
        async with asyncio.timeout(_PATIENCE):
            await services(request).store.probe()
    except (GatewayError, TimeoutError):
        return False
    return True


def _is_local(request: web.Request) -> bool:
    """Whether the request comes from this machine itself, not through a proxy on it."""
    if "X-Forwarded-For" in request.headers or "Forwarded" in request.headers:
        return False
    try:
        return ipaddress.ip_address(request.remote or "").is_loopback
    except ValueError:
        return False
