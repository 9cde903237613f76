"""Ledgers: what is left of what a partner was granted. Its holder learns it, and the operator."""

from __future__ import annotations

from aiohttp import web

from gateway.errors import NotFound
from gateway.registry.keys import READ
from gateway.web import cursor, views
from gateway.web.api.answers import answer
from gateway.web.parameters import TEST, Text, Whole, identifier
from gateway.web.services import services

LIMIT = Whole("limit", "Entries on a page", default=100, minimum=1, maximum=500)
CURSOR = Text("cursor", "Where the page before ended (its `next`)")


async def get(request: web.Request) -> web.Response:
    """An account of the caller's: its terms, its sums, and a page of its entries by id."""
    service = services(request)
    caller = await service.gate.admit(request, READ)
    name, limit, after = identifier(request.match_info["name"]), LIMIT.of(request), CURSOR.of(request)
    list_name = f"entries of {name}"
    place = identifier(cursor.decode(list_name, after)) if after else ""
    test = caller.key.test or TEST.of(request)
    account = await service.store.account(name, test=test)
    if account is None or not (caller.everything or account.holder == caller.partner.id):
        raise NotFound
    entries = await service.store.entries(name, place, limit + 1, test=test)
    next_ = cursor.encode(list_name, entries[limit - 1].id) if len(entries) > limit else None
    return answer(views.ledger(account, entries[:limit], next_))
