"""The ways over real sockets and folders."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from gateway.simulators import ways
from gateway.simulators.ways import Arrival, Client, Fetching, Folders, NotTaken, NotUnderstood, Pushed


@asynccontextmanager
async def running(way: Any, take: Any) -> AsyncIterator[str]:
    """`way`, running; gives its address."""
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(way.run(take, ready.set_result))
    try:
        yield await asyncio.wait_for(ready, 5)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def gateway(*routes: web.RouteDef) -> AsyncIterator[str]:
    """A server with `routes`; gives its URL."""
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def until(condition: Any) -> None:
    """Wait until `condition()` holds, five seconds at most."""
    for _ in range(250):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come to that within five seconds")


async def test_a_delivery_is_confirmed_by_its_digest_and_taken_once() -> None:
    """A repeat under the same id is confirmed again and not handed on again."""
    taken: list[Arrival] = []
    way = Pushed(Client("http://127.0.0.1:1", ""), 0, ())
    async with running(way, taken.append) as url, aiohttp.ClientSession() as session:
        for _ in range(2):
            headers = {"Idempotency-Key": "d1", "Gateway-Document": "response"}
            async with session.post(url, data=b"hello", headers=headers) as answer:
                assert answer.status == 200
                digest = base64.b64encode(hashlib.sha256(b"hello").digest()).decode()
                assert answer.headers["Received-Digest"] == f"sha-256=:{digest}:"
    assert taken == [Arrival("d1", "response", b"hello")]


async def test_trouble_comes_first() -> None:
    """A partner in trouble refuses, then hangs, and takes what comes after."""
    taken: list[Arrival] = []
    way = Pushed(Client("http://127.0.0.1:1", ""), 0, ("refuse", "hang"))
    async with running(way, taken.append) as url, aiohttp.ClientSession() as session:
        async with session.post(url, data=b"1") as answer:
            assert answer.status == 503
        with pytest.raises(TimeoutError):
            await session.post(url, data=b"1", timeout=aiohttp.ClientTimeout(total=0.3))
        async with session.post(url, data=b"1") as answer:
            assert answer.status == 200
    assert len(taken) == 1


async def test_what_cannot_be_read_is_refused_for_good() -> None:
    """422 says that these bytes will never be taken."""

    def take(_: Arrival) -> None:
        raise NotUnderstood("no message")

    way = Pushed(Client("http://127.0.0.1:1", ""), 0, ())
    async with running(way, take) as url, aiohttp.ClientSession() as session, session.post(url, data=b"?") as answer:
        assert answer.status == 422
        assert "no message" in await answer.text()


async def test_sending_goes_on_until_it_is_taken() -> None:
    """A busy gateway is asked again, under the same key."""
    keys: list[str] = []

    async def post(request: web.Request) -> web.Response:
        keys.append(request.headers["Idempotency-Key"])
        return web.Response(status=503) if len(keys) < 3 else web.json_response({"id": "p"}, status=202)

    async with gateway(web.post("/v1/messages", post)) as url:
        client = Client(url, "key")
        assert await client.post("name", b"body") == {"id": "p"}
        await client.close()
    assert len(keys) == 3
    assert len(set(keys)) == 1


async def test_a_refusal_ends_the_sending() -> None:
    """What the gateway refuses is not sent again."""
    asked: list[int] = []

    async def post(_: web.Request) -> web.Response:
        asked.append(1)
        return web.Response(status=413, text="too large")

    async with gateway(web.post("/v1/messages", post)) as url:
        client = Client(url, "key")
        with pytest.raises(NotTaken, match="too large"):
            await client.post("name", b"body")
        await client.close()
    assert len(asked) == 1


async def test_fetching_goes_on_where_it_ended() -> None:
    """Each entry of the inbox feed is read once, by its link, in order."""
    entries = [{"link": f"/doc/{n}", "document_id": f"d{n}", "document": "response"} for n in range(3)]

    async def feed(request: web.Request) -> web.Response:
        after = int(request.query["after"] or 0)
        found = entries[after : after + 2]
        if not found:
            await asyncio.sleep(0.05)
        return web.json_response({"items": found, "next": str(after + len(found))})

    async def document(request: web.Request) -> web.Response:
        return web.Response(body=request.match_info["n"].encode())

    taken: list[Arrival] = []
    async with (
        gateway(web.get("/v1/feeds/inbox", feed), web.get("/doc/{n}", document)) as url,
        running(Fetching(Client(url, "key")), taken.append),
    ):
        await until(lambda: len(taken) == 3)
        await asyncio.sleep(0.2)
    assert taken == [Arrival(f"d{n}", "response", str(n).encode()) for n in range(3)]


async def test_folders_take_what_is_whole(tmp_path: Path) -> None:
    """A file in InBox is taken once, by the document and delivery in its name; one being written is left alone."""
    taken: list[Arrival] = []
    async with running(Folders(tmp_path), taken.append):
        (tmp_path / "InBox" / ".response-d2.json.tmp").write_bytes(b"half")
        (tmp_path / "InBox" / "customs_entry-d1.xml").write_bytes(b"whole")
        await until(lambda: taken)
        await asyncio.sleep(0.3)
    assert taken == [Arrival("d1", "customs_entry", b"whole")]


async def test_folders_send_and_see_what_became_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes to SentBox was taken, with its receipt; what comes to FailBox was not."""
    monkeypatch.setattr(ways, "PATIENCE", 5.0)
    way = Folders(tmp_path)
    (tmp_path / "SentBox").mkdir()
    (tmp_path / "FailBox").mkdir()
    sending = asyncio.create_task(way.send("good.edi", b"UNB"))
    await until((tmp_path / "OutBox" / "good.edi").exists)
    (tmp_path / "SentBox" / "good.edi.receipt.json").write_text(json.dumps({"payload": "p"}))
    assert (await sending)["id"] == "p"
    failing = asyncio.create_task(way.send("bad.edi", b"?"))
    await until((tmp_path / "OutBox" / "bad.edi").exists)
    (tmp_path / "FailBox" / "bad.edi.reason.json").write_text('{"reason": "too large"}')
    with pytest.raises(NotTaken, match="too large"):
        await failing
