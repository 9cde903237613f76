"""HTTP deliveries, against a real server on loopback."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.errors import DeliveryDeferred, DeliveryRefused
from gateway.model import Agreement, Delivery, DeliveryKind, Direction
from gateway.transports.http import RECEIVED_DIGEST, HttpSender, confirmed_digest, content_digest

BODY = b"UNB+UNOA:3+A+B+260101:1200+1'UNZ+0+1'"
DELIVERY = Delivery(
    id="d" * 32,
    partner_id="customs",
    agreement_id="a1",
    lane="lane",
    kind=DeliveryKind.DOCUMENT,
    document_type="clearance",
    format="edifact:CUSRES:D:96B:UN",
    body=BODY,
    sha256=hashlib.sha256(BODY).hexdigest(),
)


def agreement(url: str, timeout: float = 5.0) -> Agreement:
    return Agreement(
        id="a1",
        partner_id="customs",
        direction=Direction.OUT,
        document="clearance",
        format="edifact:CUSRES:D:96B:UN",
        options={"url": url},
        attempt_timeout=timeout,
    )


@asynccontextmanager
async def recipient(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """A server that answers every POST with `handler`; yields its URL."""
    app = web.Application()
    app.router.add_post("/in", handler)
    async with TestServer(app) as server:
        yield str(server.make_url("/in"))


async def test_a_confirmed_digest_is_the_evidence() -> None:
    """The recipient gets the exact bytes under the delivery's id, and its digest is taken as evidence."""
    seen: list[tuple[bytes, str, str]] = []

    async def handler(request: web.Request) -> web.Response:
        body = await request.read()
        seen.append((body, request.headers["Idempotency-Key"], request.content_type))
        return web.Response(headers={RECEIVED_DIGEST: content_digest(hashlib.sha256(body).digest())})

    sender = HttpSender(allow_private=True)
    async with recipient(handler) as url:
        evidence = await sender.send(DELIVERY, agreement(url))
    await sender.close()
    assert (evidence.outcome, evidence.kind, evidence.digest) == ("delivered", "http_digest", DELIVERY.sha256)
    assert seen == [(BODY, DELIVERY.id, "application/edifact")]


async def test_a_bare_2xx_is_weaker_evidence() -> None:
    """Without a digest the status line is the evidence, and is called that."""

    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=204)

    sender = HttpSender(allow_private=True)
    async with recipient(handler) as url:
        evidence = await sender.send(DELIVERY, agreement(url))
    await sender.close()
    assert (evidence.kind, evidence.digest) == ("http_status", "")


@pytest.mark.parametrize(
    ("status", "headers", "raised"),
    [
        (200, {RECEIVED_DIGEST: content_digest(b"\0" * 32)}, DeliveryDeferred),  # it holds other bytes
        (302, {"Location": "http://127.0.0.1:1/"}, DeliveryDeferred),  # never followed
        (400, {}, DeliveryRefused),
        (401, {}, DeliveryDeferred),  # keys are mended
        (404, {}, DeliveryDeferred),  # so are routes
        (413, {}, DeliveryRefused),
        (422, {}, DeliveryRefused),
        (429, {"Retry-After": "7"}, DeliveryDeferred),
        (500, {}, DeliveryDeferred),
        (503, {}, DeliveryDeferred),
    ],
)
async def test_what_an_answer_means(status: int, headers: dict[str, str], raised: type[Exception]) -> None:
    """Each answer is either to be tried again or final."""

    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=status, headers=headers, text="because")

    sender = HttpSender(allow_private=True)
    async with recipient(handler) as url:
        with pytest.raises(raised) as caught:
            await sender.send(DELIVERY, agreement(url))
    await sender.close()
    if "Retry-After" in headers:
        assert isinstance(caught.value, DeliveryDeferred)
        assert caught.value.retry_after == 7


async def test_nobody_there_is_deferred() -> None:
    """A refused connection is tried again."""
    sender = HttpSender(allow_private=True)
    with pytest.raises(DeliveryDeferred):
        await sender.send(DELIVERY, agreement("http://127.0.0.1:1/in"))
    await sender.close()


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/",
        "http://[::1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://169.254.169.254/latest/meta-data",
        "http://192.168.1.1/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "http://user:secret@example.com/",
        "",
    ],
)
async def test_private_addresses_are_guarded(url: str) -> None:
    """With the guard on, a URL into a private network or of another scheme is refused before any connection."""
    sender = HttpSender()
    with pytest.raises(DeliveryRefused):
        await sender.send(DELIVERY, agreement(url))
    await sender.close()


async def test_a_name_that_resolves_to_loopback_is_guarded() -> None:
    """The guard judges the resolved address, not the name."""
    sender = HttpSender()
    with pytest.raises(DeliveryDeferred, match="no public address"):
        await sender.send(DELIVERY, agreement("http://localhost:1/"))
    await sender.close()


def test_digest_header_round_trip() -> None:
    """What content_digest writes, confirmed_digest reads; nonsense reads as nothing."""
    digest = hashlib.sha256(b"x").digest()
    assert confirmed_digest(content_digest(digest)) == digest.hex()
    assert confirmed_digest("sha-256=:!!!:") == ""
    assert confirmed_digest("") == ""
