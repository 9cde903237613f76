"""Messages: take one in, say what became of it, list what came."""

from __future__ import annotations

import hashlib

from aiohttp import web

from gateway.errors import NotFound, PayloadUnreadable
from gateway.store.contract import PayloadView
from gateway.transports import http
from gateway.web import cursor, resources, views
from gateway.web.api.answers import answer
from gateway.web.identity import Caller
from gateway.web.keys import READ, SEND
from gateway.web.language import preferred
from gateway.web.parameters import Text, Whole, identifier
from gateway.web.problems import BadRequest
from gateway.web.services import services

LIMIT = Whole("limit", "Items on a page", default=50, minimum=1, maximum=500)
CURSOR = Text("cursor", "Where the page before ended (its `next`)")
STATE = Text("state", "Only payloads in this state", choices=("received", "processed", "failed"))

_ENCODINGS = frozenset({"", "identity", "gzip", "x-gzip"})
"""gzip is recognised by its first bytes whenever the stored payload is read; other encodings are not."""

_KEY_LENGTH = 255
"""Longest Idempotency-Key: a UUID needs 36, and the index over them must stay small."""


async def post(request: web.Request) -> web.Response:
    """Take in a message, an interchange or a file of them, in any syntax; the answer comes after the commit."""
    service = services(request)
    caller = await service.gate.admit(request, SEND)
    headers = request.headers
    if len(headers.get("Idempotency-Key", "")) > _KEY_LENGTH:
        raise BadRequest(f"An Idempotency-Key has at most {_KEY_LENGTH} characters.")
    if headers.get("Content-Encoding", "").lower() not in _ENCODINGS:
        raise PayloadUnreadable("Of the content encodings, gzip is supported.")
    if "Content-Digest" in headers:
        await _check_digest(request, headers["Content-Digest"])
    return await http.receive(request, caller.key, service.intake)


async def _check_digest(request: web.Request, header: str) -> None:
    """Refuse a body that was damaged on its way (RFC 9530); algorithms other than sha-256 are not judged."""
    claimed = http.confirmed_digest(header)
    if claimed and claimed != hashlib.sha256(await request.read()).hexdigest():
        raise BadRequest("The content does not have the Content-Digest it came with.")


async def get(request: web.Request) -> web.Response:
    """What became of a payload: state, findings, acknowledgements, deliveries, receipts."""
    service = services(request)
    caller = await service.gate.admit(request, READ)
    view = await service.store.payload(identifier(request.match_info["id"]))
    if not _may_see(view, caller):
        raise NotFound
    language = preferred(request, caller.partner.language)
    roles = await service.gate.roles(d.partner_id for d in view.deliveries)
    return answer(views.payload(view, caller, language, roles), language=language)


async def list_(request: web.Request) -> web.Response:
    """What the caller sent, newest first."""
    service = services(request)
    caller = await service.gate.admit(request, READ)
    limit, state, after = LIMIT.of(request), STATE.of(request), CURSOR.of(request)
    place = identifier(cursor.decode("messages", after)) if after else ""
    found = await service.store.payloads(caller.partner_id, state, place, limit)
    return answer(
        resources.PayloadPage(
            items=[views.summary(v) for v in found if _may_see(v, caller)],
            next=cursor.encode("messages", found[-1].payload.id) if len(found) == limit else None,
        )
    )


def _may_see(view: PayloadView, caller: Caller) -> bool:
    """Whether the payload is the caller's; a test key, which is handed around more freely, sees test traffic only."""
    own = caller.everything or view.payload.partner_id == caller.partner.id
    return own and (view.payload.test or not caller.key.test)
