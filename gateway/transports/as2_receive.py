"""AS2 messages and MDNs that come to us: what they are answered, and what is kept of them before that.

The MDN is made after the commit, kept, and only then sent; a message that comes again gets the same MDN to the byte. What is
wrong with a message is told by an MDN, never by an error page, to whoever can be named.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass

import structlog
from aiohttp import web

from gateway.errors import (
    CmsInvalid,
    NotFound,
    PayloadTooLarge,
    PermanentError,
    TemporaryError,
)
from gateway.model import CredentialUse
from gateway.store.contract import storable
from gateway.transports import cms
from gateway.transports.as2_keys import (
    KEYS,
    SCHEME,
    VERSION,
    As2Settings,
    host_of,
    is_name,
    quoted,
    unquoted,
)
from gateway.transports.as2_message import Opened, entity_of, open_message
from gateway.transports.base import Arrival, Record
from gateway.transports.http import taking_in
from gateway.transports.mdn import Mdn, is_mdn, judge_later, make_mdn, read_mdn
from gateway.transports.mime import UNEXPECTED, Entity, digest_named
from gateway.transports.own_keys import OwnKeys, find_certificates
from gateway.transports.plugin import Means, Peer
from gateway.transports.posting import Poster
from gateway.transports.spool import Received

log = structlog.get_logger(__name__)

AGENT = "edi-gateway AS2"
MDN_SECONDS = 30.0
"""Seconds that one sending of an MDN may take."""
MDN_TRIES = (0.0, 5.0, 30.0, 300.0)
"""Seconds before each try to send an MDN that was asked for later. What none of them brings, the sender asks for by
sending its message again: it gets the MDN that was kept."""
MOST_UNDER_WAY = 256
"""MDNs that are being sent later at once: who asks for one need not have shown who it is."""
_MESSAGE_ID = re.compile(r"<[\x21-\x3b\x3d\x3f-\x7e]{1,250}>")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a message asks of its receiver, by its headers."""

    message_id: str
    wants_mdn: bool
    signed: bool
    digest: str | None
    """By which the MDN is to be signed: the first of the sender's list that is taken (RFC 4130, 7.3); empty where there is no
    list, None where none of it is taken."""
    later: str
    """Where the MDN is to go; empty where it is the answer."""


def read_asked(headers: Mapping[str, str]) -> _Asked:
    """What headers ask for (RFC 4130, 7.3)."""
    parameters: dict[str, list[str]] = {}
    for parameter in headers.get("Disposition-Notification-Options", "").split(";"):
        name, _, values = parameter.partition("=")
        parameters[name.strip().lower()] = [value.strip().lower() for value in values.split(",")]
    algorithms = parameters.get("signed-receipt-micalg", [])[1:]
    taken = next(filter(None, map(digest_named, algorithms)), None)
    return _Asked(
        headers.get("Message-ID", "").strip(),
        bool(headers.get("Disposition-Notification-To", "").strip()),
        "pkcs7-signature" in parameters.get("signed-receipt-protocol", []),
        taken if algorithms else "",
        headers.get("Receipt-Delivery-Option", "").strip(),
    )


_UNDER_WAY: set[asyncio.Task[None]] = set()
"""MDNs that are being sent; whoever held none of these would let them be collected."""


class _Endpoint:
    """The gateway's AS2 address."""

    def __init__(self, means: Means) -> None:
        self.means = means
        self.own: As2Settings = means.own
        self.clock = means.settings.clock.now
        self.keys = OwnKeys(self.own.keys, KEYS, self.clock)
        self._allow_private = means.settings.deliver.allow_private_addresses

    def send_later(self, url: str, reply: bytes) -> None:
        """POST an MDN in the background; a few times, where it is not taken. Not at all where too many are under way."""
        if len(_UNDER_WAY) >= MOST_UNDER_WAY:
            log.warning("mdn_not_sent", reason="too many are under way")
            return
        task = asyncio.create_task(self._send(url, reply))
        _UNDER_WAY.add(task)
        task.add_done_callback(_UNDER_WAY.discard)

    async def _send(self, url: str, reply: bytes) -> None:
        headers, body = _unpacked(reply)
        # Nobody's deliveries go where an MDN was asked to go: its connection ends with it.
        poster = Poster(allow_private=self._allow_private)
        try:
            for pause in MDN_TRIES:
                await asyncio.sleep(pause)
                try:
                    said = await poster.post("", url, body, headers, MDN_SECONDS, Record())
                except PermanentError as error:
                    log.warning("mdn_not_sent", reason=str(error))
                    return
                except TemporaryError as error:
                    log.info("mdn_not_taken", reason=str(error))
                else:
                    if 200 <= said.status < 300:
                        return
                    log.info("mdn_not_taken", reason=f"HTTP {said.status}")
        finally:
            await poster.close()


async def authenticate(request: web.Request, means: Means) -> Peer | web.StreamResponse:
    """Who a message says that it is from; whether it is, its signature says later. An MDN where that is nobody."""
    endpoint = _Endpoint(means)
    if not endpoint.own.name:
        raise NotFound
    asked = read_asked(request.headers)
    sender, to = unquoted(request.headers.get("AS2-From", "")), unquoted(request.headers.get("AS2-To", ""))
    partner = await means.registry.partner_by(SCHEME, sender) if is_name(sender) else None
    if partner is None or not partner.active or to != endpoint.own.name or not _MESSAGE_ID.fullmatch(asked.message_id):
        known = partner is not None and partner.active
        log.warning("as2_refused", known=known, to_us=to == endpoint.own.name)
        # Nobody is told by an MDN who did not ask for one: what comes may be an MDN itself (RFC 3798, 2.1).
        if not asked.wants_mdn:
            return web.Response(status=400, text="This message names nobody here as sender and receiver.\n")
        said = "This message names nobody here as sender and receiver, or has no Message-ID."
        reply = await _mdn(endpoint, asked, sender, f"error: {cms.AUTHENTICATION}", said)
        return _answer(reply)
    return Peer(partner.id)


async def receive(request: web.Request, peer: Peer, means: Means) -> web.StreamResponse:
    """Take in an AS2 message, or an MDN that comes later; the answer to a message is its MDN where one is asked for."""
    endpoint = _Endpoint(means)
    asked = read_asked(request.headers)
    sender = unquoted(request.headers.get("AS2-From", ""))
    async with taking_in(request, peer.partner_id, means.spool) as received:
        body = received.body if received.path is None else await asyncio.to_thread(received.path.read_bytes)
        # Large messages are copied and searched: in a thread, while others are answered.
        entity = await asyncio.to_thread(entity_of, request.headers, body)
        if await asyncio.to_thread(is_mdn, entity):
            return await _take_mdn(endpoint, peer, entity)
        vouched = True
        try:
            reply = await _take_message(endpoint, peer, asked, sender, entity)
        except CmsInvalid as error:
            log.warning("as2_refused", partner=peer.partner_id, failure=error.failure, reason=str(error))
            vouched = False
            kind = "failure" if error.failure == _NO_MIC else "error"
            reply = await _mdn(endpoint, asked, sender, f"{kind}: {error.failure}", str(error))
        except PermanentError as error:
            log.warning("as2_refused", partner=peer.partner_id, reason=type(error).__name__)
            reply = await _mdn(endpoint, asked, sender, f"error: {UNEXPECTED}", str(error))
    if not asked.wants_mdn:
        return web.Response(status=200)
    # Of a message that does not hold nobody has vouched for the address: whoever knows a partner's name could have us
    # knock at any door. Its MDN is the answer.
    if asked.later and vouched:
        endpoint.send_later(asked.later, reply)
        return web.Response(status=200)
    return _answer(reply)


_NO_MIC = "unsupported MIC-algorithms"


async def _take_message(endpoint: _Endpoint, peer: Peer, asked: _Asked, sender: str, entity: Entity) -> bytes:
    """Keep what a message brings; the MDN that is to be sent, which was kept. CmsInvalid where it does not hold."""
    means = endpoint.means
    if asked.digest is None:
        raise CmsInvalid("None of the MIC algorithms that are asked for is taken.", failure=_NO_MIC)
    pinned = await find_certificates(means.registry, peer.partner_id, CredentialUse.SIGN, endpoint.clock())
    limits = means.settings.limits
    opened: Opened = await asyncio.to_thread(
        open_message, entity, endpoint.keys.all, pinned, most=limits.payload_bytes, ratio=limits.unpacked_ratio
    )
    if opened.signed is None:
        raise CmsInvalid("The message is not signed.", failure="insufficient-message-security")
    if len(opened.payload) > limits.payload_bytes:
        raise PayloadTooLarge
    digest = opened.signed.digest  # by which the MIC is to be as well (RFC 4130, 7.4.3)
    received = await asyncio.to_thread(_spooled, means, opened.payload)
    try:
        accepted = await means.intake(
            Arrival(
                peer.partner_id,
                SCHEME,
                received.body,
                transport_id=asked.message_id,
                content_type=storable(opened.content_type),
                filename=storable(opened.filename),
                test=peer.test,
                sha256=received.sha256,
                path=received.path,
                size=received.size,
            )
        )
    finally:
        means.spool.discard(received)
    if accepted.duplicate and (kept := await means.replies.find(peer.partner_id, asked.message_id)) is not None:
        return kept
    mic = hashlib.new(digest, opened.over).digest()
    reply = await _mdn(endpoint, asked, sender, "processed", "The message was received and kept.", mic, digest)
    return await means.replies.keep(peer.partner_id, asked.message_id, reply)


def _spooled(means: Means, payload: bytes) -> Received:
    return means.spool.copy(io.BytesIO(payload))


async def _take_mdn(endpoint: _Endpoint, peer: Peer, entity: Entity) -> web.StreamResponse:
    """Let an MDN that came later count. It must be signed: nothing else says whose it is."""
    pinned = await find_certificates(endpoint.means.registry, peer.partner_id, CredentialUse.SIGN, endpoint.clock())
    try:
        mdn = await asyncio.to_thread(read_mdn, entity, pinned, signed=True)
    except CmsInvalid as error:
        log.warning("mdn_refused", partner=peer.partner_id, reason=str(error))
        return web.Response(status=400, text="The MDN does not hold.\n")
    evidence = judge_later(mdn, entity.raw, "as2_mdn")
    if evidence is not None:
        await endpoint.means.confirm(peer.partner_id, mdn.original, evidence)
    return web.Response(status=200)


async def _mdn(
    endpoint: _Endpoint, asked: _Asked, sender: str, disposition: str, text: str, mic: bytes = b"", digest: str = ""
) -> bytes:
    """An MDN with its HTTP headers, as it is kept."""
    own = endpoint.keys.signing() if asked.signed else None
    mdn = Mdn(asked.message_id or "<none>", disposition, mic, digest, text)
    headers, body = await asyncio.to_thread(
        make_mdn, mdn, endpoint.own.name, AGENT, own, asked.digest or digest or "sha256", endpoint.clock()
    )
    mark = hashlib.sha256(f"{sender} {asked.message_id}".encode("utf-8", "surrogateescape")).hexdigest()[:32]
    headers |= {
        "AS2-Version": VERSION,
        "AS2-From": quoted(endpoint.own.name),
        "AS2-To": quoted(sender) if is_name(sender) else "unknown",
        "Message-ID": f"<mdn.{mark}@{host_of(endpoint.own.name)}>",
        "MIME-Version": "1.0",
    }
    return _packed(headers, body)


def _packed(headers: Mapping[str, str], body: bytes) -> bytes:
    """An answer as one value, from which headers and body come back as they were."""
    return json.dumps({"headers": dict(headers), "body": b64encode(body).decode()}).encode()


def _unpacked(reply: bytes) -> tuple[dict[str, str], bytes]:
    said = json.loads(reply)
    return said["headers"], b64decode(said["body"])


def _answer(reply: bytes) -> web.Response:
    headers, body = _unpacked(reply)
    return web.Response(status=200, body=body, headers=headers)
