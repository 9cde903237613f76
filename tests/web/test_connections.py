"""Connections, bodies and answers in bounds: who keeps the gateway waiting, or fills it, loses its connection alone."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from pathlib import Path
from typing import Any

import pytest

from gateway.config import Limits, Settings, Store
from gateway.errors import Overloaded, PayloadTooLarge, StorageFull
from gateway.transports import http
from gateway.transports.spool import Spool, refuse_size
from gateway.web.connections import RESERVED_FILES, Connections, network
from tests.web.conftest import Client, key_of

HEAD = f"POST /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key_of('acme')}\r\n"


@pytest.fixture
def changes() -> dict[str, Any]:
    """Bounds that a test can reach."""
    limits = {
        "header_seconds": 0.4,
        "connections_per_address": 12,
        "payload_bytes": 400_000,
        "partner_bytes_under_way": 600_000,
        "waiting_readers": 3,
    }
    return {"limits": limits}


async def opened(client: Client, said: str | bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection on which something was said."""
    port = int(client.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(said.encode() if isinstance(said, str) else said)
    return reader, writer


async def ended(reader: asyncio.StreamReader, seconds: float = 5.0) -> bytes:
    """All that is still said on a connection, which must end in time."""
    try:
        return await asyncio.wait_for(reader.read(), seconds)
    except ConnectionError:
        return b""


def spooled(client: Client) -> list[Path]:
    """What lies in the spool."""
    return list((client.services.settings.store.payload_folder / "spool").glob("*"))


@pytest.mark.parametrize(
    "said",
    [
        "",  # nothing at all
        "POST /v1/messages HTTP/1.1\r\nHost: x\r\n",
        "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /heal",  # the second request of a connection
    ],
)
async def test_half_a_header_is_not_waited_for(client: Client, said: str) -> None:
    """A connection whose request does not come whole is closed in time; one that idles between two is kept longer."""
    reader, writer = await opened(client, said[: said.find("GET /heal", 5)] if said.count("GET") > 1 else said)
    if said.count("GET") > 1:
        assert b"200 OK" in await reader.readuntil(b"}")
        await asyncio.sleep(0.6)
        writer.write(b"GET /heal")
    began = time.monotonic()
    assert await ended(reader) == b""
    assert time.monotonic() - began < 3
    writer.close()


async def test_one_address_has_so_many_connections(client: Client) -> None:
    """One connection too many is told to come later; when others end there is room again."""
    held = [await opened(client, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(12)]
    for reader, _ in held:
        await reader.readuntil(b"}")
    reader, writer = await opened(client, "")
    assert (await ended(reader)).startswith(b"HTTP/1.1 503 ")
    for _, one in (*held, (reader, writer)):
        one.close()
    await asyncio.sleep(0.1)
    assert (await client.ask("GET", "/healthz")).status == 200


def test_connections_leave_room_for_other_files() -> None:
    """However many are allowed, the process keeps files for its database and its deliveries."""
    assert Connections(Limits(connections=4000), 1024).most == 1024 - RESERVED_FILES
    assert Connections(Limits(connections=10), 1024).most == 10
    connections = Connections(Limits(connections=3, connections_per_address=2), 10_000)
    assert [connections.admit(one) for one in ("a", "a", "a", "b", "c")] == [True, True, False, True, False]
    connections.leave("a")
    assert connections.admit("c")
    assert len(connections) == 3


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),  # one subscriber has all of it
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_addresses_are_counted_by_subscriber(host: str, counted: str) -> None:
    """An IPv6 subscriber's addresses count as one."""
    assert network(host) == counted


async def test_a_large_body_is_spooled_and_kept(client: Client) -> None:
    """A body of several pieces arrives whole, as a file of its digest, and nothing of it stays in the spool."""
    body = b"UNB+" + os.urandom(300_000)
    for _ in range(2):
        answer = await client.send(body, headers={"Idempotency-Key": "large"})
        assert answer.status == 202
    digest = hashlib.sha256(body).hexdigest()
    kept = client.services.settings.store.payload_folder / digest[:2] / digest
    assert await asyncio.to_thread(kept.read_bytes) == body
    assert answer.json["duplicate"] is True
    assert spooled(client) == []


@pytest.mark.parametrize("framing", ["Content-Length: 390000", "Transfer-Encoding: chunked"])
async def test_a_body_that_breaks_off_leaves_nothing(client: Client, framing: str) -> None:
    """What came of it is gone from the spool, and its bytes are no more under way."""
    piece = b"x" * 300_000
    said = piece if "Length" in framing else b"%x\r\n%s\r\n" % (len(piece), piece)
    _, writer = await opened(client, f"{HEAD}{framing}\r\n\r\n".encode() + said)
    for _ in range(100):
        if spooled(client):
            break
        await asyncio.sleep(0.02)
    assert client.services.spool.under_way >= 300_000
    writer.close()
    for _ in range(100):
        if not client.services.spool.under_way:
            break
        await asyncio.sleep(0.02)
    assert (client.services.spool.under_way, spooled(client)) == (0, [])


async def test_a_slow_body_is_refused(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that comes more slowly than agreed is 408, with a time to come back."""
    monkeypatch.setattr(http, "GRACE_SECONDS", 0.3)
    reader, writer = await opened(client, f"{HEAD}Content-Length: 100\r\n\r\nUNB+")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 408 ")
    writer.close()


async def test_what_is_under_way_is_bounded_for_each_partner(client: Client) -> None:
    """A partner with too much on its way is told to come later; another is not."""
    _, writer = await opened(client, f"{HEAD}Content-Length: 390000\r\n\r\nUNB+")
    for _ in range(100):
        if client.services.spool.under_way:
            break
        await asyncio.sleep(0.02)
    body = b"x" * 300_000
    refused = await client.send(body)
    assert (refused.status, refused.headers["Retry-After"]) == (429, "2")
    assert (await client.send(body, as_="rival")).status == 202
    writer.close()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ("Host: x\r\nContent-Length: 300000", b"401"),  # no key
        (HEAD.partition("\r\n")[2] + "Content-Length: 500000", b"413"),
        (HEAD.partition("\r\n")[2] + "Content-Length: 300000\r\nIdempotency-Key: " + "k" * 300, b"400"),
    ],
)
async def test_a_body_that_will_not_be_taken_is_not_asked_for(client: Client, headers: str, status: bytes) -> None:
    """A sender that asks first hears the refusal before it has sent a byte; nothing is under way for it."""
    reader, writer = await opened(client, f"POST /v1/messages HTTP/1.1\r\n{headers}\r\nExpect: 100-continue\r\n\r\n")
    assert (await reader.readline()).split()[1] == status
    assert client.services.spool.under_way == 0
    writer.close()


async def test_a_sender_that_asks_first_is_told_to_go_on(client: Client) -> None:
    """100 Continue comes once the key is known, and the body is taken."""
    reader, writer = await opened(client, f"{HEAD}Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    assert (await reader.readline()).split()[1] == b"100"
    writer.write(b"UNB+1")
    assert (await reader.readuntil(b" 202 ")).endswith(b"202 ")
    writer.close()


async def test_bodies_in_crumbs_are_not_taken(client: Client) -> None:
    """A body in chunks of a byte ends its connection, with and without a key; chunks of a line are taken."""
    crumbs = b"1\r\nU\r\n" * 5000
    for head in (HEAD, "POST /v1/messages HTTP/1.1\r\nHost: x\r\n"):
        reader, writer = await opened(client, f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + crumbs)
        assert b" 202 " not in await ended(reader)
        writer.close()
    lines = b"".join(b"20\r\n%s\r\n" % (b"LX*1~\r\n" * 4 + b"LX*~") for _ in range(300)) + b"0\r\n\r\n"
    reader, writer = await opened(client, f"{HEAD}Transfer-Encoding: chunked\r\n\r\n".encode() + lines)
    assert b" 202 " in await reader.readline()
    writer.close()


async def test_waiting_readers_are_bounded(client: Client) -> None:
    """One partner holds so many streams and long polls open; another's are its own."""
    ask = "GET /v1/feeds/inbox?wait=20 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n{}\r\n"
    held = [
        await opened(client, ask.format(key_of("acme"), accept)) for accept in ("", "Accept: text/event-stream\r\n", "")
    ]
    await asyncio.sleep(0.3)
    assert (await client.ask("GET", "/v1/feeds/inbox?wait=1")).status == 429
    assert (await client.ask("GET", "/v1/feeds/inbox")).status == 200
    assert (await client.ask("GET", "/v1/feeds/inbox?wait=1", as_="rival")).status == 200
    for _, writer in held:
        writer.close()


async def test_waiting_readers_share_their_looks(client: Client) -> None:
    """Readers that wait ask nothing of the store by themselves: one look at the feed serves them all."""
    asked: list[str] = []
    feed = client.services.store.feed

    async def counted(name: str, partner_id: str, *arguments: Any, **more: Any) -> Any:
        asked.append(partner_id)
        return await feed(name, partner_id, *arguments, **more)

    client.services.store.feed = counted
    await asyncio.gather(*(client.ask("GET", "/v1/feeds/status?wait=2", as_="acme") for _ in range(3)))
    assert asked.count("acme") < 12  # two or three each; by themselves they would ask eight times each
    assert asked.count("") <= 2 / 0.25 + 1


def test_the_spool_refuses_what_is_too_much(tmp_path: Path) -> None:
    """Bytes are counted for each partner and for all, and given back; a full disk takes none."""
    limits = Limits(payload_bytes=100, partner_bytes_under_way=150, bytes_under_way=200)
    spool = Spool(Settings(store=Store(payload_folder=tmp_path), limits=limits))
    with pytest.raises(PayloadTooLarge):
        refuse_size(101, spool.limits)
    spool.reserve("a", 100)
    with pytest.raises(Overloaded):
        spool.reserve("a", 51)
    spool.reserve("b", 100)
    with pytest.raises(Overloaded):
        spool.reserve("c", 1)
    spool.release("a", 100)
    spool.reserve("c", 100)
    full = Spool(Settings(store=Store(payload_folder=tmp_path, free_bytes=1 << 60)))
    with pytest.raises(StorageFull):
        full.draft().write(b"x")


def test_what_a_crash_left_in_the_spool_is_swept(tmp_path: Path) -> None:
    """Old files go; one that is still being written to, by whichever node, stays."""
    spool = Spool(Settings(store=Store(payload_folder=tmp_path, free_bytes=0)))
    left, fresh = spool.draft(), spool.draft()
    left.write(b"x")
    fresh.write(b"y")
    os.utime(left.path, (1, 1))
    assert spool.sweep() == 1
    assert [path.name for path in (tmp_path / "spool").glob("*")] == [fresh.path.name]
