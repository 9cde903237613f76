"""HTTP, in and out: keep-alive, an id that survives retries, and the digest of what arrived in the answer.

Out: a POST of the delivery's bytes with `Idempotency-Key` (the delivery's id, the same on each
attempt) and `Content-Digest` (RFC 9530). A recipient that answers 2xx with `Received-Digest`, written
like a Content-Digest but of the request's content, has proven what it holds; without it, the 2xx is
the proof, and the receipt says so. In: the 202 carries the same header of what arrived.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from aiohttp import web
from pydantic import AfterValidator, Field, model_validator

from gateway.errors import DeliveryDeferred, DeliveryRefused, TooSlow
from gateway.media import find_medium
from gateway.model import Agreement, Credential, CredentialKind, CredentialUse, Delivery
from gateway.registry.credentials import read_secret
from gateway.registry.directory import Directory
from gateway.store.contract import Accepted, storable
from gateway.transports.base import Arrival, Evidence, Intake, Record, public_address
from gateway.transports.plugin import Options, Transport
from gateway.transports.posting import Poster, Reply
from gateway.transports.spool import Received, Spool, Taking

RECEIVED_DIGEST = "Received-Digest"
"""Ours: RFC 9530 has fields for the digest of a message's own content only, not of what it answers."""

REFUSALS = frozenset({400, 405, 406, 409, 410, 411, 413, 414, 415, 421, 422, 426, 431, 451})
"""Answers that say these bytes will never be taken. Others of 4xx (401, 403, 404, 408, 425, 429) are what a
recipient answers while it is being set up or is busy, so they are tried again until the agreement's limit."""

_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/=]+):")


def content_digest(body_sha256: bytes) -> str:
    """The RFC 9530 header value for a SHA-256 digest of 32 bytes."""
    return f"sha-256=:{base64.b64encode(body_sha256).decode()}:"


def confirmed_digest(header: str) -> str:
    """The SHA-256 in an RFC 9530 header as 64 hex digits, or an empty string where it holds none."""
    match = _DIGEST.search(header)
    if match is None:
        return ""
    try:
        return base64.b64decode(match[1], validate=True).hex()
    except binascii.Error:
        return ""


def _plain_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        sound = (
            parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
        )
    except ValueError:
        sound = False
    if not sound:
        raise ValueError("the url is an http or https address, without a password in it")
    return url


class HttpOptions(Options):
    """Where a partner is pushed to."""

    url: Annotated[str, AfterValidator(_plain_url)] = Field(description="Address that deliveries are posted to")
    token: str = Field("", description="Label of the partner's outgoing tokens, of which the newest valid one is shown")
    token_file: str = Field("", description="File with the bearer token, where it is no token of the registry")

    @model_validator(mode="after")
    def _one_token(self) -> Self:
        if self.token and self.token_file:
            raise ValueError("give either token or token_file")
        return self


class HttpSender:
    """Sends deliveries by POST over kept-alive connections."""

    def __init__(
        self,
        registry: Directory | None = None,
        *,
        allow_private: bool = False,
        connections: int = 16,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`registry` has the partners' tokens.

        `connections` bounds the sockets kept open to one partner; `allow_private` switches the SSRF guard off.
        """
        self._registry = registry
        self._clock = clock
        self._poster = Poster(allow_private=allow_private, connections=connections)

    def find_address(self, agreement: Agreement) -> str:
        """The agreement's `url`."""
        return public_address(agreement.options.get("url", ""))

    async def send(self, delivery: Delivery, agreement: Agreement, record: Record) -> Evidence:
        """POST the delivery to the agreement's `url`; options: url, token, token_file."""
        headers = {
            "Content-Type": find_medium(delivery.format).type,
            "Idempotency-Key": delivery.id,
            "Content-Digest": content_digest(bytes.fromhex(delivery.sha256)),
            "Gateway-Delivery": delivery.id,
            "Gateway-Kind": delivery.kind,
            "Gateway-Document": delivery.document_type,
            "Gateway-Environment": "test" if delivery.test else "production",
        }
        if token := await self._token(agreement):
            headers["Authorization"] = f"Bearer {token}"
        url, seconds = agreement.options.get("url", ""), agreement.attempt_timeout
        reply = await self._poster.post(agreement.partner_id, url, delivery.body, headers, seconds, record)
        return _judge(reply, delivery)

    async def _token(self, agreement: Agreement) -> str:
        """The bearer token to be shown, read anew, so that one that was rolled over counts at once; empty for none.

        DeliveryDeferred or SecretUnreadable where there is none just now: an operator can mend that.
        """
        if token_file := agreement.options.get("token_file"):
            return Path(token_file).read_text("utf-8").strip()  # noqa: ASYNC240 -- a few bytes
        label = agreement.options.get("token")
        if not label:
            return ""
        assert self._registry is not None, "whoever opens the sender gives it the registry"
        kind, use = CredentialKind.TOKEN, CredentialUse.OUT
        valid = await self._registry.credentials(agreement.partner_id, kind, use, self._clock(), label)
        if not valid:
            raise DeliveryDeferred(f"No token called {label} of the partner's is valid.")
        return read_secret(valid[0])

    async def close(self) -> None:
        """Close the kept-alive connections."""
        await self._poster.close()


def _judge(reply: Reply, delivery: Delivery) -> Evidence:
    """What an answer proves; raises where it is no acceptance."""
    if 200 <= reply.status < 300:
        confirmed = confirmed_digest(reply.headers.get(RECEIVED_DIGEST, ""))
        if confirmed and confirmed != delivery.sha256:
            raise DeliveryDeferred(f"{reply.line}: the recipient confirmed another digest, {confirmed}")
        kind = "http_digest" if confirmed else "http_status"
        detail = reply.line if reply.whole else f"{reply.line} (of a longer answer, {len(reply.said)} bytes were read)"
        return Evidence("delivered", kind, detail, reply.said, confirmed)
    if reply.status in REFUSALS:
        raise DeliveryRefused(reply.words)
    raise reply.deferred()


GRACE_SECONDS = 30.0
"""How long a body may take before its rate counts: a sender's disk may have to wake up, or its link to recover."""


async def receive(
    request: web.Request,
    key: Credential,
    intake: Intake,
    spool: Spool,
    judge: Callable[[bytes], None] = lambda _digest: None,
    document_type: str = "",
    role: str = "",
) -> tuple[Accepted, bytes]:
    """Take in the body of an authenticated POST: what commit 1 gave, and the body's SHA-256.

    `document_type` is what the sender says it is, `role` in which role the person acts whose key it is.

    `judge` is given the SHA-256 of the body and raises what keeps it from being taken. Raises what `Intake` and
    `Spool` raise, TooSlow, and HTTPBadRequest for a header that is no text; the caller turns that into a problem.
    """
    headers = request.headers
    async with taking_in(request, key.partner_id, spool) as received:
        judge(received.sha256)
        accepted = await intake(
            Arrival(
                partner_id=key.partner_id,
                transport="http",
                body=received.body,
                transport_id=headers.get("Idempotency-Key", ""),
                content_type=headers.get("Content-Type", ""),
                test=key.test,
                sha256=received.sha256,
                path=received.path,
                size=received.size,
                document_type=document_type,
                person_id=key.person_id,
                role=role,
            )
        )
        return accepted, received.sha256


@asynccontextmanager
async def taking_in(request: web.Request, partner_id: str, spool: Spool) -> AsyncIterator[Received]:
    """The body of a POST, whole; a large one is in a file, which is gone afterwards unless somebody keeps it.

    Raises what `Spool` raises, TooSlow, and HTTPBadRequest for a header that is no text.
    """
    for name in ("Idempotency-Key", "Content-Type"):
        # aiohttp hands on bytes that are no UTF-8 as lone surrogates. Replaced, two keys could become one.
        if storable(request.headers.get(name, "")) != request.headers.get(name, ""):
            raise web.HTTPBadRequest(reason=f"The {name} header is not UTF-8.")
    async with spool.taking(partner_id, request.content_length) as taking:
        yield await _read(request, taking, spool.limits.bytes_per_second)


def answer_accepted(accepted: Accepted, digest: bytes) -> web.Response:
    """202 with Location, digest and receipt of a body with that SHA-256."""
    # The receipt is JSON already, so the answer is put together around it instead of being encoded again.
    answer = b'{"id":"%s","duplicate":%s,"receipt_index":%d,"receipt":%s}' % (
        accepted.payload_id.encode(),
        b"true" if accepted.duplicate else b"false",
        accepted.receipt.index,
        accepted.receipt.body,
    )
    return web.Response(
        status=202,
        body=answer,
        content_type="application/json",
        headers=headers_of(accepted, digest),
    )


def headers_of(accepted: Accepted, digest: bytes) -> dict[str, str]:
    """What every answer to a sending says: where it is found, and what arrived."""
    return {"Location": f"/v1/messages/{accepted.payload_id}", RECEIVED_DIGEST: content_digest(digest)}


async def _read(request: web.Request, taking: Taking, rate: int) -> Received:
    """The request's body; TooSlow where it comes at less than `rate` bytes a second."""
    if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
        # Said only now, so that who is refused for its key or its size sends no body at all (RFC 9110, 10.1.1).
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    began = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(GRACE_SECONDS) as patience:
            async for piece in request.content.iter_any():
                await taking.add(piece)
                patience.reschedule(began + GRACE_SECONDS + taking.size / rate)
    except TimeoutError as error:
        raise TooSlow from error
    return await taking.finished()


async def keep_waiting(_request: web.Request) -> None:
    """Leaves a sender that asked first (`Expect: 100-continue`) without an answer; `receive` gives it."""


# Its way in, POST /v1/messages, is an operation of the REST interface (`web/routes`), which words what it answers.
TRANSPORT = Transport(
    "http",
    options=HttpOptions,
    open_sender=lambda means: HttpSender(
        means.registry,
        allow_private=means.settings.deliver.allow_private_addresses,
        clock=means.settings.clock.now,
    ),
)
