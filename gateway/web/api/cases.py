"""Cases: where the goods are, by any number that names them."""

from __future__ import annotations

from aiohttp import web

from gateway.errors import NotFound
from gateway.web import resources, views
from gateway.web.api.answers import answer
from gateway.web.keys import READ
from gateway.web.language import preferred
from gateway.web.parameters import TEST, identifier
from gateway.web.services import services


async def get(request: web.Request) -> web.Response:
    """The cases that a number finds, among those the caller takes part in."""
    service = services(request)
    caller = await service.gate.admit(request, READ)
    test = caller.key.test or TEST.of(request)
    found = await service.store.case(identifier(request.match_info["key"]), caller.partner_id, test=test)
    if not found:
        raise NotFound
    language = preferred(request, caller.partner.language)
    roles = await service.gate.roles(d.partner_id for case in found for d in case.deliveries)
    items = [views.case(case, caller, language, roles) for case in found]
    return answer(resources.CaseList(items=items), language=language)
