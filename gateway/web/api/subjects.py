"""Subjects of the registry: what is registered of an enterprise, and from which day on."""

from __future__ import annotations

from aiohttp import web

from gateway.errors import NotFound
from gateway.model import Identifier, Role
from gateway.registry.keys import READ
from gateway.web import views
from gateway.web.api.answers import answer
from gateway.web.parameters import TEST, identifier
from gateway.web.services import services

_AUTHORITIES = frozenset({Role.BUREAU, Role.CUSTOMS})
"""Who may look at anybody's registration."""


async def get(request: web.Request) -> web.Response:
    """Every version of what is registered of a subject: for authorities, and for whoever goes by that number."""
    service = services(request)
    caller = await service.gate.admit(request, READ)
    scheme, value = (identifier(request.match_info[name]) for name in ("scheme", "value"))
    itself = Identifier(scheme, value) in caller.partner.identifiers
    found = await service.store.subject_versions(scheme, value, test=caller.key.test or TEST.of(request))
    if not found or not (caller.everything or itself or caller.partner.roles & _AUTHORITIES):
        raise NotFound
    return answer(views.subject(found))
