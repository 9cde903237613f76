"""Messages: take one in, say what became of it, list what came."""

from __future__ import annotations

import binascii
import hashlib
import re
from base64 import b64decode
from collections.abc import Callable
from typing import get_args

from aiohttp import web

from gateway.errors import PayloadUnreadable
from gateway.model import PayloadState
from gateway.registry.keys import READ, SEND
from gateway.store.contract import PayloadView
from gateway.transports import http
from gateway.web import cursor, resources, views
from gateway.web.api.answers import answer, built, weight
from gateway.web.identity import Caller
from gateway.web.language import preferred
from gateway.web.parameters import ITEMS, MAX_NUMBER, MOST_ITEMS, Text, Whole, identifier, index, whole
from gateway.web.problems import BadRequest
from gateway.web.services import services

STATES = get_args(resources.State)
"""The states that are shown."""

LIMIT = Whole("limit", "Items on a page", default=50, minimum=1, maximum=500)
CURSOR = Text("cursor", "Where the page before ended (its `next`)")
STATE = Text("state", "Only payloads in this state", choices=STATES)
MESSAGES = Whole("limit", "Messages in one answer", default=ITEMS, minimum=1, maximum=MOST_ITEMS)
DOCUMENT = Text("document", "What document is sent, for those that are decided at once; the body itself decides")
ROLE = Text("role", "In which role the person acts whose key it is; left out, in whichever gives the act", longest=100)
FURTHER = Text("cursor", "Where the answer before ended (its `next`)")

ANSWERED_WITHIN = 5.0
"""Seconds for which the answer to what is decided at once waits for the decision; a person waits for it."""
_ENCODINGS = frozenset({"", "identity", "gzip", "x-gzip"})
"""gzip is recognised by its first bytes whenever the stored payload is read; other encodings are not."""

_KEY_LENGTH = 255
"""Longest Idempotency-Key: a UUID needs 36, and the index over them must stay small."""


async def post(request: web.Request) -> web.Response:
    """Take in a message, an interchange or a file of them, in any syntax; the answer comes after the commit.

    A document that is decided at once, such as an officer's decision, is answered with what came of it, where its sender
    says what it is and it is decided within five seconds; else with 202, as any other.
    """
    service = services(request)
    caller = await service.gate.admit(request, SEND)
    require_key(request)
    if request.headers.get("Content-Encoding", "").lower() not in _ENCODINGS:
        raise PayloadUnreadable("Of the content encodings, gzip is supported.")
    judge = digest_judge(request)
    said, role = DOCUMENT.of(request), ROLE.of(request)
    if role and caller.person is None:
        raise BadRequest("Only a person acts in a role, and the key is no person's.")
    accepted, digest = await http.receive(request, caller.key, service.intake, service.spool, judge, said, role)
    if service.flows.is_at_once(said):
        await service.wait_until_decided(accepted.payload_id, ANSWERED_WITHIN)
        told = await _told(request, caller, accepted.payload_id)
        if told is not None:
            told.headers.update(http.headers_of(accepted, digest))
            return told
    return http.answer_accepted(accepted, digest)


def require_key(request: web.Request) -> None:
    """BadRequest where an Idempotency-Key is longer than one may be."""
    if len(request.headers.get("Idempotency-Key", "")) > _KEY_LENGTH:
        raise BadRequest(f"An Idempotency-Key has at most {_KEY_LENGTH} characters.")


def digest_judge(request: web.Request) -> Callable[[bytes], None]:
    """What is given the SHA-256 of the body, and raises BadRequest where it was damaged on its way (RFC 9530).

    Algorithms other than sha-256 are not judged.
    """
    headers = request.headers
    claimed = _claimed_digest(headers["Content-Digest"]) if "Content-Digest" in headers else b""

    def judge(digest: bytes) -> None:
        if claimed and claimed != digest:
            raise BadRequest("The content does not have the Content-Digest it came with.")

    return judge


async def _told(request: web.Request, caller: Caller, payload_id: str) -> web.Response | None:
    """What became of a payload; None where it is not decided yet."""
    service = services(request)
    view = await service.store.payload(payload_id, bodies=False, seen_by=caller.viewer, most=_MOST_FINDING_BYTES)
    if view.state is PayloadState.RECEIVED:
        return None
    return await _answer(request, caller, view, 0)


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
    payload_id, limit, after = identifier(request.match_info["id"]), MESSAGES.of(request), FURTHER.of(request)
    place, begin = _place(cursor.decode(views.messages_of(payload_id), after)) if after else (None, 0)
    view = await service.store.payload(
        payload_id, place, limit, bodies=False, seen_by=caller.viewer, most=_MOST_FINDING_BYTES
    )
    return await _answer(request, caller, view, begin)


async def _answer(request: web.Request, caller: Caller, view: PayloadView, begin: int) -> web.Response:
    """A payload and what became of it, from the finding `begin` of its first message on."""
    language = preferred(request, caller.partner.language)
    roles = await services(request).gate.roles(d.partner_id for d in view.deliveries)
    return await built(
        request, lambda: views.payload(view, caller, language, roles, begin), weight(view), caller, language
    )


_MOST_FINDING_BYTES = 256 * 1024
"""Bytes of findings, as they are kept, by which a page ends: about a thousand of them, which are made into JSON in some
twenty milliseconds."""


def _place(text: str) -> tuple[int, int]:
    """The number of the message before a page, and how many findings of the first one are told already."""
    number, _, begin = text.partition(" ")
    return whole(number, MAX_NUMBER), min(index(begin, "cursor"), MAX_NUMBER) if begin else 0


async def list_(request: web.Request) -> web.Response:
    """What the caller sent, newest first."""
    service = services(request)
    caller = await service.gate.admit(request, READ)
    limit, state, after = LIMIT.of(request), STATE.of(request), CURSOR.of(request)
    place = identifier(cursor.decode("messages", after)) if after else ""
    # One more than is shown, to know whether there is a next page.
    test = True if caller.key.test else None  # such a key, which is handed around more freely, sees test traffic only
    found = await service.store.payloads(caller.partner_id, state, place, limit + 1, test=test)
    items = [views.summary(line) for line in found[:limit]]
    next_ = cursor.encode("messages", items[-1].id) if len(found) > limit else None
    return answer(resources.PayloadPage(items=items, next=next_))
