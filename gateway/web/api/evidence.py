"""Evidence: keep a picture, a scan or a reading, and look at it again."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from aiohttp import web

from gateway.decide.parties import BUREAU, identified
from gateway.documents import values
from gateway.errors import PayloadUnreadable
from gateway.model import Exhibit
from gateway.registry.keys import READ, SEND
from gateway.store.contract import Kept
from gateway.transports import http
from gateway.web import views
from gateway.web.api.answers import answer, json_response, stored
from gateway.web.api.messages import digest_judge, require_key
from gateway.web.identity import Caller
from gateway.web.parameters import Text, identifier
from gateway.web.problems import BadRequest
from gateway.web.services import services

DEVICE = Text("device", "What took it: a camera, a scale, a reader", longest=70)
TAKEN_AT = Text("taken_at", "When it was taken: RFC 3339, with its offset", longest=40)

CLOCK_SKEW = timedelta(minutes=5)
"""How far the clock of what took it may be ahead of ours: as far as Kerberos lets clocks differ (RFC 4120, 7.2.1)."""
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,63}/[A-Za-z0-9!#$&^_.+-]{1,63}")
"""A type and a subtype (RFC 6838, 4.2); parameters are not kept."""
UNKNOWN = "application/octet-stream"
"""What evidence is where nobody says (RFC 9110, 8.3)."""


async def post(request: web.Request) -> web.Response:
    """Keep a piece of evidence; the answer comes after the commit, with a receipt of its own.

    A decision, or whatever else may rest on it, names it by its id.
    """
    service = services(request)
    caller = await service.gate.admit(request, SEND)
    require_key(request)
    if request.headers.get("Content-Encoding", "").lower() not in ("", "identity"):
        raise PayloadUnreadable("Evidence is kept as it comes, and not unpacked.")
    judge = digest_judge(request)
    media_type, device, taken_at = (
        _media_type(request),
        DEVICE.of(request),
        _taken_at(request, service.settings.clock.now()),
    )
    async with http.taking_in(request, caller.partner.id, service.spool) as received:
        judge(received.sha256)
        shown = Exhibit(
            "",
            caller.partner.id,
            received.sha256.hex(),
            received.size,
            media_type,
            service.settings.clock.now(),
            taken_at,
            device,
            caller.key.person_id,
            request.headers.get("Idempotency-Key", ""),
            caller.key.test,
            received.body,
            str(received.path or ""),
        )
        kept = await service.evidence.keep(shown)
    # The receipt is JSON already, and its bytes are the leaf.
    body = b'{"id":"%s","duplicate":%s,"receipt_index":%d,"receipt":%s}' % (
        kept.exhibit_id.encode(),
        b"true" if kept.duplicate else b"false",
        kept.receipt.index,
        kept.receipt.body,
    )
    told = json_response(body, status=201)
    told.headers["Location"] = f"/v1/evidence/{kept.exhibit_id}"
    told.headers[http.RECEIVED_DIGEST] = http.content_digest(received.sha256)
    return told


async def get(request: web.Request) -> web.Response:
    """What a piece of evidence is, for whoever sent it and whoever a task that names it is asked of."""
    _, exhibit, _ = await _find(request)
    return answer(views.exhibit(exhibit))


async def body(request: web.Request) -> web.StreamResponse:
    """The bytes of a piece of evidence, exactly as they came."""
    caller, exhibit, kept = await _find(request)
    headers = {
        "Content-Type": exhibit.media_type,
        "Content-Digest": http.content_digest(bytes.fromhex(exhibit.sha256)),
        # Others sent it: no browser is to run what it says of itself.
        "Content-Disposition": "attachment",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    return await stored(request, kept, headers, caller)


async def _find(request: web.Request) -> tuple[Caller, Exhibit, Kept]:
    """The evidence asked for; NotFound where there is none for the caller."""
    service = services(request)
    caller = await service.gate.admit(request, READ)
    exhibit_id = identifier(request.match_info["id"])
    offices = sorted(identified(caller.partner, BUREAU))
    return caller, *await service.store.exhibit(exhibit_id, caller.viewer, offices)


def _media_type(request: web.Request) -> str:
    said = request.headers.get("Content-Type", "").partition(";")[0].strip()
    if said and not _MEDIA_TYPE.fullmatch(said):
        raise BadRequest("The Content-Type is no media type.")
    return said.lower() or UNKNOWN


def _taken_at(request: web.Request, now: datetime) -> datetime | None:
    said = TAKEN_AT.of(request)
    if not said:
        return None
    wrong = BadRequest("taken_at must be written 2026-03-05T09:58:30+08:00.")
    if not values.is_moment(said):
        raise wrong
    try:
        taken_at = values.known_moment(datetime.fromisoformat(said))
    except ValueError:
        raise wrong from None
    if taken_at > now + CLOCK_SKEW:
        raise BadRequest("taken_at is in the future.")
    return taken_at
