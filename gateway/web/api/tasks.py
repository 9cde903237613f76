"""Tasks: what waits for a decision of the caller's offices."""

from __future__ import annotations

from aiohttp import web

from gateway.decide.parties import BUREAU, identified
from gateway.registry.keys import READ
from gateway.web import cursor, resources, views
from gateway.web.api.answers import answer
from gateway.web.language import preferred
from gateway.web.parameters import TEST, Text, Whole, identifier
from gateway.web.services import services

LIMIT = Whole("limit", "Tasks on a page", default=50, minimum=1, maximum=500)
CURSOR = Text("cursor", "Where the page before ended (its `next`)")


async def list_(request: web.Request) -> web.Response:
    """The tasks that wait for a decision of the caller's offices, the oldest first.

    One is decided by the document `decision`, sent like any other.
    """
    service = services(request)
    caller = await service.gate.admit(request, READ)
    limit, after = LIMIT.of(request), CURSOR.of(request)
    place = identifier(cursor.decode("tasks", after)) if after else ""
    offices = sorted(identified(caller.partner, BUREAU))
    test = caller.key.test or TEST.of(request)
    found = await service.store.open_tasks(offices, place, limit + 1, test=test)
    language = preferred(request, caller.partner.language)
    items = [views.task(task, language) for task in found[:limit]]
    next_ = cursor.encode("tasks", items[-1].id) if len(found) > limit else None
    return answer(resources.TaskPage(items=items, next=next_), language=language)
