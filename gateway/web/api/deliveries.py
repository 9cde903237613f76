"""Deliveries: the recipient may fetch again what was sent to it."""

from __future__ import annotations

from aiohttp import web

from gateway.media import find_medium
from gateway.registry.keys import READ
from gateway.transports.http import content_digest
from gateway.web.api.answers import stored
from gateway.web.parameters import identifier
from gateway.web.services import services


async def body(request: web.Request) -> web.StreamResponse:
    """The bytes of a delivery to the caller, exactly as they were sent."""
    service = services(request)
    caller = await service.gate.admit(request, READ)
    delivery, kept = await service.store.delivery_kept(identifier(request.match_info["id"]), caller.viewer)
    headers = {
        "Content-Type": find_medium(delivery.format).type,
        "Content-Digest": content_digest(bytes.fromhex(delivery.sha256)),
        "Cache-Control": "no-store",
    }
    return await stored(request, kept, headers, caller)
