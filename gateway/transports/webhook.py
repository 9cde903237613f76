"""Webhooks (Standard Webhooks 1.0.0): each delivery is an event, POSTed as JSON and signed, that a few lines of code verify.

An event has a `type` (`document.clearance`), the moment of what it tells, and `data`: what the delivery is, and its content
(JSON as it is, byte for byte; anything else in base64). `webhook-id` is the delivery's id, the same on each attempt. A 2xx
is delivery; 410 stops the endpoint until a person resumes it; everything else is tried again. A partner's engineer may have
a test event of each type sent, and sees what came of it (`POST /v1/webhooks/{agreement}/ping`).
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from time import perf_counter
from typing import Annotated, Any

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import AfterValidator, BaseModel, Field

from gateway.config import Reference, Section
from gateway.errors import DeliveryDeferred, DeliveryRefused, EndpointGone, NotFound, SecretUnreadable
from gateway.media import find_medium
from gateway.model import (
    TIME_DIGITS,
    Agreement,
    CredentialKind,
    CredentialUse,
    Delivery,
    DeliveryKind,
    begins_with_time,
)
from gateway.registry.credentials import read_reference, read_secret
from gateway.registry.keys import READ
from gateway.transports.base import Evidence, Record, public_address
from gateway.transports.http import plain_url
from gateway.transports.plugin import Means, Options, Peer, Route, Transport
from gateway.transports.posting import AT_ONCE, Poster, Reply
from gateway.transports.webhook_signing import Keys, read_private, read_secret_text, sign, write_public

PING_SECONDS = 15.0
"""Seconds that a test event may take: an engineer waits for it."""


class WebhookOptions(Options):
    """Where a partner's events go, and what they are signed with besides our keys."""

    url: Annotated[str, AfterValidator(plain_url)] = Field(description="Address that events are posted to")
    secret: str = Field(
        "", description="Label of the partner's outgoing tokens (whsec_...) of which each valid one signs as v1 too"
    )


class WebhookSettings(Section):
    """Our signing keys."""

    keys: tuple[Reference, ...] = Field(
        (),
        description="Where our Ed25519 keys (whsk_...) are read from, each of which signs; one while no key rolls over. "
        "`gateway webhook key` makes one",
    )


class WebhookData(BaseModel):
    """What a delivery is, and its content."""

    delivery: str = Field(description="Its id")
    kind: DeliveryKind
    document: str = Field(description="Type of the document")
    format: str
    case: str
    reference: str = Field(description="The control reference that its body carries")
    test: bool
    sha256: str = Field(description="Of the content's bytes")
    media_type: str
    content: Any = Field(None, description="JSON, byte for byte as the digest has it; absent where it is none")
    content_base64: str | None = Field(None, description="Anything else; absent where it is JSON")


class WebhookEvent(BaseModel):
    """What is posted to a partner's endpoint."""

    type: str = Field(description="Kind and document, such as document.clearance")
    timestamp: datetime = Field(description="When that happened of which it tells")
    data: WebhookData


class Exchanged(BaseModel):
    """One side of a test event."""

    headers: tuple[tuple[str, str], ...]
    body: str
    status: str = ""


class Pinged(BaseModel):
    """What became of a test event."""

    id: str
    type: str
    delivered: bool
    detail: str = Field(description="What the endpoint said, or why nothing went")
    seconds: float
    address: str
    request: Exchanged
    answer: Exchanged | None = Field(None, description="null where nothing was answered")


class WebhookKeys(BaseModel):
    """What webhooks are verified with."""

    keys: list[str] = Field(description="whpk_ and base64 of an Ed25519 public key each; any of them may have signed")


class WebhookSender:
    """Posts deliveries as signed events."""

    def __init__(self, means: Means, *, allow_private: bool = False) -> None:
        """`allow_private` switches the SSRF guard off."""
        self._means = means
        self._clock = means.settings.clock.now
        self._poster = Poster(allow_private=allow_private)

    def find_address(self, agreement: Agreement) -> str:
        """The agreement's `url`."""
        return public_address(agreement.options.get("url", ""))

    async def send(self, delivery: Delivery, agreement: Agreement, record: Record) -> Evidence:
        """POST the delivery as an event; options: url, secret."""
        at = _time_of(delivery.id) or self._clock()
        if len(delivery.body) <= AT_ONCE:
            body = write_event(delivery, at)
        else:
            body = await asyncio.to_thread(write_event, delivery, at)
        reply = await self.post(delivery.id, body, agreement, agreement.attempt_timeout, record)
        if 200 <= reply.status < 300:
            return Evidence("delivered", "webhook_2xx", reply.line, reply.said)
        if reply.status == 410:
            raise EndpointGone(reply.words)
        raise reply.deferred()

    async def post(self, id_: str, body: bytes, agreement: Agreement, seconds: float, record: Record) -> Reply:
        """What the agreement's endpoint answers to an event of this id. DeliveryDeferred where nothing can be signed."""
        options = WebhookOptions.model_validate(agreement.options)
        keys = await self._find_keys(agreement, options)
        timestamp = int(self._clock().timestamp())
        headers = {
            "Content-Type": "application/json",
            "webhook-id": id_,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": await asyncio.to_thread(sign, keys, id_, timestamp, body)
            if len(body) > AT_ONCE
            else sign(keys, id_, timestamp, body),
        }
        return await self._poster.post(agreement.partner_id, options.url, body, headers, seconds, record, wrapped=True)

    async def _find_keys(self, agreement: Agreement, options: WebhookOptions) -> Keys:
        """What signs just now. DeliveryDeferred or SecretUnreadable where nothing does: an operator can mend that."""
        secrets: list[bytes] = []
        if options.secret:
            kind, use = CredentialKind.TOKEN, CredentialUse.OUT
            found = await self._means.registry.credentials(
                agreement.partner_id, kind, use, self._clock(), options.secret
            )
            if not found:
                raise DeliveryDeferred(f"No token called {options.secret} of the partner's is valid.")
            secrets = [read_secret_text(read_secret(one)) for one in found]
        private = read_keys(self._means.own)
        if not private and not secrets:
            raise DeliveryDeferred("Nothing signs: the agreement names no secret, and transports.webhook.keys none.")
        return Keys(private, secrets)

    async def close(self) -> None:
        """Close the kept-alive connections."""
        await self._poster.close()


def read_keys(own: WebhookSettings) -> list[Ed25519PrivateKey]:
    """Our signing keys, read anew, so that one that was rolled over counts at once. SecretUnreadable says which is none."""
    return [read_private(read_reference(one, f"transports.webhook.keys.{n}")) for n, one in enumerate(own.keys)]


def write_event(delivery: Delivery, at: datetime) -> bytes:
    """The event that a delivery is: the same bytes for each attempt, and the delivery's own within them where it is JSON."""
    medium = find_medium(delivery.format)
    data = {
        "delivery": delivery.id,
        "kind": delivery.kind.value,
        "document": delivery.document_type,
        "format": delivery.format,
        "case": delivery.case_id,
        "reference": delivery.reference,
        "test": delivery.test,
        "sha256": delivery.sha256,
        "media_type": medium.type,
    }
    if not _is_json(medium.type):
        data["content_base64"] = base64.b64encode(delivery.body).decode()
        return _written(name_event(delivery.kind, delivery.document_type), at, _json(data))
    # Put in as it is, so that its digest is that of the delivery.
    return _written(
        name_event(delivery.kind, delivery.document_type), at, _json(data)[:-1] + b',"content":' + delivery.body + b"}"
    )


def name_event(kind: DeliveryKind, document_type: str) -> str:
    """The type of the event that a delivery is, such as `document.clearance`; of acknowledgements, the kind alone."""
    return kind.value if document_type in ("", kind.value) else f"{kind.value}.{document_type}"


def _written(type_: str, at: datetime, data: bytes) -> bytes:
    told = _json({"type": type_, "timestamp": at.astimezone(UTC).isoformat().replace("+00:00", "Z")})
    return told[:-1] + b',"data":' + data + b"}"


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _is_json(media_type: str) -> bool:
    return media_type == "application/json" or media_type.endswith("+json")


def _time_of(id_: str) -> datetime | None:
    """When that happened of which a delivery came; None where its id does not say."""
    return datetime.fromtimestamp(int(id_[:TIME_DIGITS], 16) / 1000, UTC) if begins_with_time(id_) else None


# What a partner's engineer asks for.


async def ping(request: web.Request, peer: Peer, means: Means) -> web.Response:
    """Send a test event of one type to the caller's endpoint, and tell what it answered. Nothing is tried again."""
    agreement = await means.registry.agreement(peer.partner_id, request.match_info["agreement"])
    if agreement is None or agreement.transport != "webhook":
        raise NotFound
    wanted = request.query.get("type", "ping")
    if len(wanted) > 100 or not wanted.isprintable():
        raise web.HTTPBadRequest(reason="type is the name of an event, such as document.clearance.")
    now = means.settings.clock.now()
    id_ = f"ping-{int(now.timestamp() * 1000):x}"
    data = {"agreement": agreement.id, "document": agreement.document, "format": agreement.format, "test": True}
    body, record, began = _written(wanted, now, _json({**data, "ping": True})), Record(), perf_counter()
    sender = WebhookSender(means, allow_private=means.settings.deliver.allow_private_addresses)
    try:
        reply = await sender.post(id_, body, agreement, PING_SECONDS, record)
        failed = "" if 200 <= reply.status < 300 else reply.words
    except (DeliveryDeferred, DeliveryRefused, SecretUnreadable) as error:
        failed = str(error)
    finally:
        await sender.close()
    heard = Exchanged(headers=record.answered, status=record.status, body=record.answer.decode("utf-8", "replace"))
    told = Pinged(
        id=id_,
        type=wanted,
        delivered=not failed,
        detail=failed or record.status,
        seconds=round(perf_counter() - began, 6),
        address=record.address,
        request=Exchanged(headers=record.sent, body=body.decode()),
        answer=heard if record.status else None,
    )
    return _answer(told, "no-store")


async def tell_keys(_request: web.Request, _peer: Peer, means: Means) -> web.Response:
    """The public halves of the keys that sign our webhooks just now, for whoever verifies them."""
    keys = [write_public(key.public_key()) for key in read_keys(means.own)]
    return _answer(WebhookKeys(keys=keys), "private, max-age=300")


def _answer(told: BaseModel, caching: str) -> web.Response:
    body = told.model_dump_json().encode()
    return web.Response(body=body, content_type="application/json", headers={"Cache-Control": caching})


def _find_faults(own: WebhookSettings) -> Iterator[str]:
    """What is wrong with our keys, as this machine has them."""
    for number, reference in enumerate(own.keys):
        try:
            read_private(read_reference(reference, "It"))
        except SecretUnreadable as error:
            yield f"keys.{number}: {error}"


TRANSPORT = Transport(
    "webhook",
    options=WebhookOptions,
    settings=WebhookSettings,
    open_sender=lambda means: WebhookSender(means, allow_private=means.settings.deliver.allow_private_addresses),
    routes=(
        Route(
            "/v1/webhooks/{agreement}/ping",
            "pingWebhook",
            ping,
            status=200,
            media_type="application/json",
            answers=Pinged,
            bodiless=True,
            queries={"type": "Type of the event, such as document.clearance; ping where absent"},
        ),
        Route(
            "/v1/webhooks/keys",
            "getWebhookKeys",
            tell_keys,
            method="GET",
            status=200,
            media_type="application/json",
            answers=WebhookKeys,
            scope=READ,
        ),
    ),
    find_faults=_find_faults,
)
