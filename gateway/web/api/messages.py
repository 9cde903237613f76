"""Messages: take one in, say what became of it, list what came."""

from __future__ import annotations

import binascii
import hashlib
import re
from base64 import b64decode
from typing import get_args

from aiohttp import web

from gateway.errors import NotFound, PayloadUnreadable
from gateway.store.contract import PayloadView, Store
from gateway.transports import http
from gateway.web import cursor, resources, views
from gateway.web.api.answers import answer
from gateway.web.identity import Caller
from gateway.web.keys import READ, SEND
from gateway.web.language import preferred
from gateway.web.parameters import Text, Whole, identifier
from gateway.web.problems import BadRequest
from gateway.web.services import services

STATES = get_args(resources.State)
"""The states that are shown; of them the store knows `received` and `failed`, the others are those of the messages."""

_SCANNED = 1000
"""Payloads looked at for one page of a state that the store does not know, so that each page is answered soon."""

_READ = 100
"""Payloads read from the store at once where not all of them are shown."""

LIMIT = Whole("limit", "Items on a page", default=50, minimum=1, maximum=500)
CURSOR = Text("cursor", "Where the page before ended (its `next`)")
STATE = Text("state", "Only payloads in this state; a page may hold fewer then, while `next` goes on", choices=STATES)

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
    claimed = _claimed_digest(headers["Content-Digest"]) if "Content-Digest" in headers else b""

    def judge(digest: bytes) -> None:
        """Refuse a body that was damaged on its way (RFC 9530); algorithms other than sha-256 are not judged."""
        if claimed and claimed != digest:
            raise BadRequest("The content does not have the Content-Digest it came with.")

    return await http.receive(request, caller.key, service.intake, service.spool, judge)


def _claimed_digest(header: str) -> bytes:
    """The SHA-256 that a Content-Digest gives, empty where it gives others only; BadRequest where it is malformed."""
    claimed = b""
    for member in header.split(","):
        found = _DIGEST.fullmatch(member.strip())
        try:
            digest = b64decode(found["digest"], validate=True) if found else b""
        except binascii.Error:
            digest = b""
        if (
            found is None
            or not digest
            or (found["algorithm"] == "sha-256" and len(digest) != hashlib.sha256().digest_size)
        ):
            raise BadRequest("Content-Digest must be written sha-256=:BASE64: as RFC 9530 says.")
        if found["algorithm"] == "sha-256":
            claimed = digest
    return claimed


_DIGEST = re.compile(r"(?P<algorithm>[a-z*][a-z0-9_.*-]*)=:(?P<digest>[A-Za-z0-9+/=]+):(?:;.*)?")
"""A member of the dictionary (RFC 8941, 3.2): an algorithm and a byte sequence, maybe with parameters."""


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
    items, place = await _page(service.store, caller, state, place, limit)
    return answer(resources.PayloadPage(items=items, next=cursor.encode("messages", place) if place else None))


async def _page(
    store: Store, caller: Caller, state: str, place: str, limit: int
) -> tuple[list[resources.PayloadSummary], str]:
    """At most `limit` payloads in `state` after `place`, and where the next page begins; empty at the end."""
    known = state if state in ("", "received", "failed") else "processed"
    sifted = known == "processed" or caller.key.test
    size = max(limit, _READ) if sifted else limit
    items: list[resources.PayloadSummary] = []
    for _ in range(0, _SCANNED, size):
        found = await store.payloads(caller.partner_id, known, place, size)
        for view in found:
            place = view.payload.id
            if _may_see(view, caller) and (not state or views.state(view) == state):
                items.append(views.summary(view))
            if len(items) == limit:
                return items, place if len(found) == size or view is not found[-1] else ""
        if len(found) < size:
            return items, ""
    return items, place


def _may_see(view: PayloadView, caller: Caller) -> bool:
    """Whether the payload is the caller's; a test key, which is handed around more freely, sees test traffic only."""
    own = caller.everything or view.payload.partner_id == caller.partner.id
    return own and (view.payload.test or not caller.key.test)
