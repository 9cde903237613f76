"""What one recipient leaves behind reaches no other, though they share a host: against a real server on loopback."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.transports import sessions
from gateway.transports.base import Record
from gateway.transports.http import HttpSender
from gateway.transports.sessions import Sessions
from tests.transports.test_http import DELIVERY, agreement


class Host:
    """A host behind which several partners sit: it sets cookies, and remembers what came over which connection."""

    def __init__(self) -> None:
        self.headers: dict[str, list[dict[str, str]]] = defaultdict(list)
        self.ports: dict[str, set[int]] = defaultdict(set)
        self.hanging = asyncio.Event()

    async def take(self, request: web.Request) -> web.Response:
        await request.read()
        name = request.match_info["name"]
        self.headers[name].append(dict(request.headers))
        assert request.transport is not None
        self.ports[name].add(request.transport.get_extra_info("peername")[1])
        if name == "hangs":
            await self.hanging.wait()
        response = web.Response()
        response.set_cookie("session", f"of-{name}", path="/")
        response.headers.add("Set-Cookie", f"wide={name}; Domain=127.0.0.1; Path=/")
        response.headers["WWW-Authenticate"] = "NTLM"
        return response


@pytest.fixture
async def host() -> AsyncIterator[tuple[Host, str]]:
    made = Host()
    app = web.Application()
    app.router.add_post("/{name}", made.take)
    async with TestServer(app, host="127.0.0.1") as server:
        yield made, str(server.make_url("/"))
        made.hanging.set()


@asynccontextmanager
async def sending() -> AsyncIterator[HttpSender]:
    sender = HttpSender(allow_private=True)
    try:
        yield sender
    finally:
        await sender.close()


async def send(sender: HttpSender, url: str, name: str) -> None:
    await sender.send(replace(DELIVERY, partner_id=name), replace(agreement(f"{url}{name}"), partner_id=name), Record())


async def test_a_cookie_goes_to_nobody(host: tuple[Host, str]) -> None:
    """What a recipient sets is sent neither to others on its host nor back to itself."""
    seen, url = host
    async with sending() as sender:
        for name in ("one", "two", "one", "two"):
            await send(sender, url, name)
    assert not any("Cookie" in headers for all_ in seen.headers.values() for headers in all_)


async def test_connections_are_of_one_partner(host: tuple[Host, str]) -> None:
    """A connection that one partner's deliveries went over is kept alive for that partner, and for no other."""
    seen, url = host
    async with sending() as sender:
        for name in ("one", "two", "one", "two", "three"):
            await send(sender, url, name)
    assert [len(ports) for ports in seen.ports.values()] == [1, 1, 1]
    assert len(set().union(*seen.ports.values())) == 3


async def test_the_environment_speaks_for_nobody(
    host: tuple[Host, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither a proxy nor a password for the host is taken from the environment."""
    seen, url = host
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login everybody password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with sending() as sender:
        await send(sender, url, "one")
    (headers,) = seen.headers["one"]
    assert not {"Authorization", "Proxy-Authorization", "Via"} & headers.keys()


async def test_a_partner_that_hangs_keeps_no_other_waiting(host: tuple[Host, str]) -> None:
    """However many sendings hang at one partner, another on the same host is reached."""
    _, url = host
    async with sending() as sender:
        hanging = [asyncio.create_task(send(sender, url, "hangs")) for _ in range(40)]
        await asyncio.sleep(0.1)
        await asyncio.wait_for(send(sender, url, "two"), 2)
        for task in hanging:
            task.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)


async def test_sessions_are_bounded_and_close_when_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """The session that was used longest ago goes first; one in use stays; idle ones are closed; all end at the end."""
    monkeypatch.setattr(sessions, "KEPT", 3)
    now = 1000.0
    kept = Sessions(aiohttp.TCPConnector, clock=lambda: now)
    made: dict[str, aiohttp.ClientSession] = {}
    async with kept.of("busy") as made["busy"]:
        for name in ("a", "b", "c", "a", "d"):
            now += 1
            async with kept.of(name) as made[name]:
                pass
        assert len(kept) == 3
        assert {name for name, session in made.items() if session.closed} == {"b", "c"}
    now += sessions.IDLE_SECONDS + 1
    async with kept.of("e") as made["e"]:
        pass
    assert {name for name, session in made.items() if not session.closed} == {"e"}
    await kept.close()
    assert all(session.closed for session in made.values())


async def test_names_are_resolved_for_each_partner() -> None:
    """What a name meant for one partner is no answer for another."""
    kept = Sessions(aiohttp.TCPConnector)
    async with kept.of("one") as one, kept.of("two") as two, kept.of("one") as again:
        assert one.connector is again.connector
        assert one.connector is not two.connector
    await kept.close()
