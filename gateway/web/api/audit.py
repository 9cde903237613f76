"""The audit: who did what, and was refused what, for those who may read it."""

from __future__ import annotations

import json

from aiohttp import web

from gateway.check import acts
from gateway.errors import NotPermitted
from gateway.registry.keys import READ
from gateway.store.contract import AuditWanted
from gateway.web import cursor, resources
from gateway.web.api.answers import answer
from gateway.web.identity import Caller
from gateway.web.parameters import MAX_INTEGER, Text, Whole, index
from gateway.web.services import Services, services

LIMIT = Whole("limit", "Entries on a page", default=50, minimum=1, maximum=500)
CURSOR = Text("cursor", "Where the page before ended (its `next`)")
PERSON = Text("person", "Only what this person did, or tried", longest=100)
CASE = Text("case", "Only what is about the case with this id", longest=100)

_AUDIT = "audit"
"""The act that reading it is."""


async def list_(request: web.Request) -> web.Response:
    """What the persons and systems of the caller's organisation did to tasks and were refused, the newest first.

    For a person with the act `audit` in some role; the operator sees everybody's.
    """
    service = services(request)
    caller = await service.gate.admit(request, READ)
    if not (caller.everything or _may_audit(service, caller)):
        raise NotPermitted("The audit is read by persons who may audit.")
    limit, after = LIMIT.of(request), CURSOR.of(request)
    before = min(index(cursor.decode("audit", after), "cursor"), MAX_INTEGER // 2) if after else -1
    wanted = AuditWanted(caller.partner_id, PERSON.of(request), CASE.of(request))
    found = await service.store.audit_lines(wanted, before, limit + 1)
    items = [resources.AuditEntry(index=line.index, **json.loads(line.body)) for line in found[:limit]]
    next_ = cursor.encode("audit", str(items[-1].index)) if len(found) > limit else None
    return answer(resources.AuditPage(items=items, next=next_, checkpoint=await service.store.audit_checkpoint()))


def _may_audit(service: Services, caller: Caller) -> bool:
    """Whether one of the roles that the caller's person holds now bundles the act."""
    if caller.person is None:
        return False
    with service.process.in_force.held() as catalogue:
        rules = acts.load(catalogue)
    now = service.settings.clock.now()
    return any(role.is_held(now) and rules.gives(role.name, _AUDIT) for role in caller.person.roles)
