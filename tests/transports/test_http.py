"""HTTP deliveries, against a real server on loopback."""

from __future__ import annotations

import asyncio
import hashlib
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.config import Settings
from gateway.errors import DeliveryDeferred, DeliveryRefused, SecretUnreadable
from gateway.model import (
    Agreement,
    Credential,
    CredentialKind,
    CredentialUse,
    Delivery,
    DeliveryKind,
    Direction,
    Receipt,
    Stage,
)
from gateway.registry.credentials import choose
from gateway.store.contract import Accepted
from gateway.transports import guard
from gateway.transports.base import Arrival, Evidence, Record
from gateway.transports.http import (
    RECEIVED_DIGEST,
    HttpSender,
    answer_accepted,
    confirmed_digest,
    content_digest,
    receive,
)
from gateway.transports.posting import ANSWER_LENGTH
from gateway.transports.spool import Spool

NOW, DAY = datetime(2026, 3, 1, tzinfo=UTC), timedelta(days=1)
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


@asynccontextmanager
async def raw_recipient(*pieces: bytes) -> AsyncIterator[str]:
    """A server that answers one request with these bytes, piece by piece, and closes; yields its URL."""
    done = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        assert length is not None
        await reader.readexactly(int(length[1]))
        with suppress(ConnectionError):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.02)
            writer.close()
            await writer.wait_closed()
        done.set()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/in"
        await asyncio.wait_for(done.wait(), 5)
    finally:
        server.close()
        await server.wait_closed()


async def send(url: str, *, allow_private: bool = True) -> Evidence:
    """One attempt by a sender of its own."""
    sender = HttpSender(allow_private=allow_private)
    try:
        return await sender.send(DELIVERY, agreement(url), Record())
    finally:
        await sender.close()


async def test_a_confirmed_digest_is_the_evidence() -> None:
    """The recipient gets the exact bytes under the delivery's id, and its digest is taken as evidence."""
    seen: list[tuple[bytes, str, str]] = []

    async def handler(request: web.Request) -> web.Response:
        body = await request.read()
        seen.append((body, request.headers["Idempotency-Key"], request.content_type))
        return web.Response(headers={RECEIVED_DIGEST: content_digest(hashlib.sha256(body).digest())})

    sender = HttpSender(allow_private=True)
    async with recipient(handler) as url:
        evidence = await sender.send(DELIVERY, agreement(url), Record())
    await sender.close()
    assert (evidence.outcome, evidence.kind, evidence.digest) == ("delivered", "http_digest", DELIVERY.sha256)
    assert seen == [(BODY, DELIVERY.id, "application/edifact")]


async def test_a_bare_2xx_is_weaker_evidence() -> None:
    """Without a digest the status line is the evidence, and is called that."""

    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=204)

    sender = HttpSender(allow_private=True)
    async with recipient(handler) as url:
        evidence = await sender.send(DELIVERY, agreement(url), Record())
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
            await sender.send(DELIVERY, agreement(url), Record())
    await sender.close()
    if "Retry-After" in headers:
        assert isinstance(caught.value, DeliveryDeferred)
        assert caught.value.retry_after == 7


async def test_nobody_there_is_deferred() -> None:
    """A refused connection is tried again."""
    sender = HttpSender(allow_private=True)
    with pytest.raises(DeliveryDeferred):
        await sender.send(DELIVERY, agreement("http://127.0.0.1:1/in"), Record())
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
        "http://１２７.0.0.1:1/",  # written in full-width digits, sent as 127.0.0.1
        "http://127。0。0。1:1/",
        "http://[64:ff9b::127.0.0.1]/",
        "http://[::ffff:127.0.0.1%251]/",
        "http://[::1/",
        "http:///",
        "",
    ],
)
async def test_private_addresses_are_guarded(url: str) -> None:
    """With the guard on, a URL into a private network or of another scheme is refused before any connection."""
    sender = HttpSender()
    with pytest.raises(DeliveryRefused):
        await sender.send(DELIVERY, agreement(url), Record())
    await sender.close()


async def test_a_name_that_resolves_to_loopback_is_guarded() -> None:
    """The guard judges the resolved address, not the name."""
    sender = HttpSender()
    with pytest.raises(DeliveryDeferred, match="no public address"):
        await sender.send(DELIVERY, agreement("http://localhost:1/"), Record())
    await sender.close()


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("::ffff:127.0.0.1", False),
        ("::127.0.0.1", False),  # IPv4-compatible
        ("::ffff:0:127.0.0.1", False),  # IPv4-translated
        ("64:ff9b::8.8.8.8", True),  # NAT64
        ("64:ff9b::10.0.0.1", False),
        ("64:ff9b:1::a00:1", False),  # NAT64 of a site's own
        ("2002:808:808::1", True),  # 6to4
        ("2002:7f00:1::", False),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", False),  # Teredo
        ("fec0::1", False),  # site-local
        ("fe80::1%eth0", False),
        ("::", False),
        ("::1", False),
    ],
)
def test_what_is_public(address: str, public: bool) -> None:
    """An address is public where it leads is: IPv4 in IPv6 is judged as the IPv4 it is carried to."""
    assert guard.is_public(address) is public


async def test_the_connected_address_is_judged_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where everything before has let an address pass, no socket is connected to it unless it is public."""
    seen = 0

    async def handler(_request: web.Request) -> web.Response:
        nonlocal seen
        seen += 1
        return web.Response()

    async with recipient(handler) as url:
        monkeypatch.setattr(guard.PublicResolver, "resolve", guard.DefaultResolver().resolve)
        with pytest.raises(DeliveryDeferred, match="private network"):
            await send(url.replace("127.0.0.1", "localhost"), allow_private=False)
    assert seen == 0
    for address in ("127.1", "::ffff:10.0.0.1"):
        with pytest.raises(PermissionError):
            guard.public_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, 80)))
    guard.public_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("8.8.8.8", 80))).close()


# What is shown to a recipient.


class Tokens:
    """A registry with outgoing tokens of customs, and a clock."""

    def __init__(self, *tokens: Credential) -> None:
        self.tokens = tokens
        self.now = NOW

    async def credentials(
        self, partner_id: str, kind: CredentialKind, use: CredentialUse, now: datetime, label: str
    ) -> list[Credential]:
        """As `Directory.credentials`."""
        assert partner_id == "customs"
        return choose(self.tokens, kind, use, now, label)


def token(id_: str, **fields: Any) -> Credential:
    return Credential(
        id_,
        "customs",
        kind=CredentialKind.TOKEN,
        use=CredentialUse.OUT,
        reference=f"env:TOKEN_{id_}",
        label="in",
        **fields,
    )


async def test_the_newest_valid_token_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next token takes over at its first moment, and the old one is shown up to then, though both are valid."""
    seen: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization", ""))
        return web.Response()

    registry = Tokens(
        token("OLD", valid_until=NOW + 9 * DAY), token("NEXT", valid_from=NOW + DAY, valid_until=NOW + 2 * DAY)
    )
    monkeypatch.setenv("TOKEN_OLD", "old")
    monkeypatch.setenv("TOKEN_NEXT", "next")
    sender = HttpSender(registry, allow_private=True, clock=lambda: registry.now)  # type: ignore[arg-type]
    async with recipient(handler) as url:
        under = replace(agreement(url), options={"url": url, "token": "in"})
        for days in (0, 1, 2):
            registry.now = NOW + days * DAY
            await sender.send(DELIVERY, under, Record())
        registry.now = NOW + 9 * DAY
        with pytest.raises(DeliveryDeferred, match="No token called in"):
            await sender.send(DELIVERY, under, Record())
        registry.now = NOW
        monkeypatch.delenv("TOKEN_OLD")
        with pytest.raises(SecretUnreadable):
            await sender.send(DELIVERY, under, Record())
    await sender.close()
    assert seen == ["Bearer old", "Bearer next", "Bearer old"]


# What a recipient says.


async def test_the_answer_is_read_to_its_end() -> None:
    """However slowly it comes, all of the answer is the evidence; the operator's line is the status line."""
    said = b"A" * 700 + b"B" * 700
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(said)
    async with raw_recipient(head + said[:4], said[4:900], said[900:]) as url:
        evidence = await send(url)
    assert (evidence.answer, evidence.detail) == (said, "200 OK")


@pytest.mark.parametrize(("length", "whole"), [(ANSWER_LENGTH, True), (ANSWER_LENGTH + 1, False), (10**7, False)])
async def test_a_long_answer_is_cut_at_a_fixed_length(length: int, *, whole: bool) -> None:
    """Of an answer that is too long the first bytes are the evidence, always as many, and the operator is told so."""

    async def handler(_request: web.Request) -> web.Response:
        return web.Response(body=b"x" * length)

    async with recipient(handler) as url:
        evidence = await send(url)
    assert evidence.answer == b"x" * min(length, ANSWER_LENGTH)
    assert (evidence.detail == "200 OK") is whole


async def test_an_answer_that_breaks_off_is_none() -> None:
    """A recipient that ends its answer before its end has confirmed nothing, and is sent the delivery again."""
    async with raw_recipient(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", b"half") as url:
        with pytest.raises(DeliveryDeferred):
            await send(url)


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (b"HTTP/1.1 500 \xb4\xed\xce\xf3\r\nContent-Length: 3\r\n\r\na\0b", "500 \ufffd\ufffd\ufffd\ufffd: a\ufffdb"),
        (b"HTTP/1.1 422 \xb4\r\nContent-Length: 1\r\n\r\n\xff", "422 \ufffd: \ufffd"),
    ],
)
async def test_words_that_are_no_text_are_replaced(answer: bytes, detail: str) -> None:
    """What no store can keep, lone surrogates and U+0000, is replaced in what the operator reads of a refusal."""
    async with raw_recipient(answer) as url:
        with pytest.raises((DeliveryDeferred, DeliveryRefused)) as caught:
            await send(url)
    assert str(caught.value) == detail


async def test_an_accepting_status_line_that_is_no_text_is_accepted() -> None:
    """A recipient that accepts in GBK has accepted; its words stand in the evidence as they can be kept."""
    async with raw_recipient(b"HTTP/1.1 200 \xb3\xa6\r\nContent-Length: 2\r\n\r\n\xb3\0") as url:
        evidence = await send(url)
    assert (evidence.detail, evidence.answer) == ("200 \ufffd\ufffd", b"\xb3\0")


async def test_a_retry_after_that_is_no_number_is_ignored() -> None:
    """Digits of other scripts and dates in Retry-After lengthen nothing, and are no fault."""
    async with raw_recipient("HTTP/1.1 503 Later\r\nRetry-After: ²\r\nContent-Length: 0\r\n\r\n".encode()) as url:
        with pytest.raises(DeliveryDeferred, match="503 Later") as caught:
            await send(url)
    assert caught.value.retry_after == DeliveryDeferred.retry_after


# The way in.


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (b"Content-Type: text/\xb1\xa8", 400),
        (b"Idempotency-Key: \xb1\xa8", 400),
        ("Idempotency-Key: 报检".encode(), 202),
        (b"X-Other: \xb1\xa8", 202),
    ],
)
async def test_a_header_that_is_no_text_is_refused(header: bytes, status: int) -> None:
    """A Content-Type or Idempotency-Key that is no UTF-8 is the sender's fault, and nothing is kept."""
    arrivals: list[Arrival] = []

    async def intake(arrival: Arrival) -> Accepted:
        arrivals.append(arrival)
        return Accepted("p1", Receipt(0, Stage.RECEIVED, "p1", b"{}"))

    async def handler(request: web.Request) -> web.Response:
        taken = await receive(request, Credential("k", "acme", "hash"), intake, Spool(Settings()))
        return answer_accepted(*taken)

    async with recipient(handler) as url:
        port = re.findall(r":(\d+)/", url)[0]
        reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
        writer.write(b"POST /in HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n%s\r\n\r\nUNB" % header)
        line = await reader.readline()
        writer.close()
        await writer.wait_closed()
    assert line.split()[1] == b"%d" % status
    assert len(arrivals) == (status == 202)


def test_digest_header_round_trip() -> None:
    """What content_digest writes, confirmed_digest reads; nonsense reads as nothing."""
    digest = hashlib.sha256(b"x").digest()
    assert confirmed_digest(content_digest(digest)) == digest.hex()
    assert confirmed_digest("sha-256=:!!!:") == ""
    assert confirmed_digest("") == ""
