"""Subscriptions: what the caller has asked to be given of feeds. They are made, changed and ended by sending a document."""

from __future__ import annotations

from aiohttp import web

from gateway.registry.keys import READ
from gateway.web import resources, views
from gateway.web.api.answers import answer
from gateway.web.parameters import TEST
from gateway.web.services import services


async def list_(request: web.Request) -> web.Response:
    """The caller's own subscriptions that have not ended, by name; a partner has a hundred at most."""
    service = services(request)
    caller = await service.gate.admit(request, READ)
    test = caller.key.test or TEST.of(request)
    found = await service.store.subscriptions_of(caller.partner.id, test=test)
    return answer(resources.SubscriptionList(items=[views.subscription(one) for one in found if not one.ended]))
