"""The worker over each engine and real connections: an attempt ends as recorded, whatever the recipient says or how slow it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import pytest
from aiohttp import web

from gateway.config import Deliver
from gateway.deliver.worker import DeliveryWorker
from gateway.errors import DeliveryDeferred
from gateway.model import Agreement, Delivery, DeliveryState, Direction, Partner, Role, Stage
from gateway.receipt.notary import Notary
from gateway.store.sql_store import SqlStore
from gateway.transports.base import Evidence, Record, Sender
from gateway.transports.http import HttpSender
from tests.store.made import NOW, ORIGIN, deliver_later, delivery
from tests.transports.test_http import recipient

ATTEMPTS = 3


class Clock:
    """A clock that moves when told."""

    now = NOW

    def __call__(self) -> datetime:
        return self.now


class Speaker:
    """A transport that ends each attempt with the same words."""

    def __init__(self, end: Exception | Evidence) -> None:
        self.end = end
        self.sent = 0

    def find_address(self, _agreement: Agreement) -> str:
        """All goes to one place."""
        return ""

    async def send(self, _delivery: Delivery, _agreement: Agreement, _record: Record) -> Evidence:
        """One attempt."""
        self.sent += 1
        if isinstance(self.end, Exception):
            raise self.end
        return self.end

    async def close(self) -> None:
        """Nothing is open."""


async def queue(store: SqlStore, url: str = "", longest: float = 5.0) -> None:
    """One delivery to customs, in the store."""
    options = {"url": url}
    agreement = Agreement(
        "ag", "customs", Direction.OUT, "*", "json:x:1", options=options, attempts=ATTEMPTS, attempt_timeout=longest
    )
    await store.import_partners((Partner("customs", "Customs", frozenset({Role.CUSTOMS})),), (agreement,), ())
    await deliver_later(store, delivery("one", agreement_id="ag"))


async def rounds(store: SqlStore, sender: Sender, count: int = 6) -> Delivery:
    """Everything due is tried, again and again with hours in between; the delivery as it then stands."""
    clock = Clock()
    worker = DeliveryWorker(store, {"http": sender}, Deliver(), Notary(lambda: ORIGIN, b"secret"), clock=clock)
    for _ in range(count):
        for one in await worker._claim(10):
            await worker._deliver(one)
        clock.now += timedelta(hours=2)
    return await store.delivery("one")


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A recipient that answers everything with these bytes; its URL, and the requests' first lines as they come."""
    came: list[bytes] = []
    answered: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answered.add(asyncio.current_task())  # type: ignore[arg-type]
        came.append(await reader.readline())
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", came
    finally:
        server.close()
        await asyncio.gather(*answered, return_exceptions=True)


@pytest.mark.parametrize(
    ("answer", "sendings", "state"),
    [
        (b"HTTP/1.1 200 \xb3\xc9\xb9\xa6\r\nContent-Length: 0\r\n\r\n", 1, DeliveryState.DELIVERED),
        (b"HTTP/1.1 422 \xb4\xed\xce\xf3\r\nContent-Length: 0\r\n\r\n", 1, DeliveryState.DEAD),
        (b"HTTP/1.1 500 \xb4\xed\xce\xf3\r\nContent-Length: 0\r\n\r\n", ATTEMPTS, DeliveryState.DEAD),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 3\r\n\r\na\0b", ATTEMPTS, DeliveryState.DEAD),
    ],
)
async def test_whatever_a_recipient_says_is_recorded(
    store: SqlStore, answer: bytes, sendings: int, state: DeliveryState
) -> None:
    """A recipient whose words are no text is sent the delivery as often as any other, and its receipt is kept."""
    async with answering(answer) as (url, came):
        await queue(store, url)
        sender = HttpSender(allow_private=True)
        found = await rounds(store, sender)
        await sender.close()
    assert (len(came), found.state, found.attempts) == (sendings, state, sendings)
    stages = [receipt.stage for receipt in await store.receipts_of(["one"])]
    assert stages == ([Stage.DELIVERED] if state is DeliveryState.DELIVERED else [])


@pytest.mark.parametrize(
    ("end", "sendings", "state"),
    [
        (Evidence("delivered", "http_status", "\udcb3"), 1, DeliveryState.DELIVERED),
        (DeliveryDeferred("\ud800 noise"), ATTEMPTS, DeliveryState.DEAD),
        (ValueError("\ud800 noise"), ATTEMPTS, DeliveryState.DEAD),
    ],
)
async def test_what_cannot_be_recorded_is_left_out(
    store: SqlStore, end: Exception | Evidence, sendings: int, state: DeliveryState
) -> None:
    """Where a transport hands on words that the store refuses, how the attempt ended is recorded without them."""
    await queue(store)
    speaker = Speaker(end)
    found = await rounds(store, speaker)
    assert (speaker.sent, found.state, found.attempts) == (sendings, state, sendings)
    assert "noise" not in found.last_error
    assert len(await store.receipts_of(["one"])) == (state is DeliveryState.DELIVERED)


async def test_a_slow_sending_keeps_its_lease(store: SqlStore) -> None:
    """A sending that lasts longer than a lease goes on alone, and its end is recorded once."""
    under_way, most, came = 0, 0, 0

    async def handler(request: web.Request) -> web.Response:
        nonlocal under_way, most, came
        await request.read()
        came, under_way = came + 1, under_way + 1
        most = max(most, under_way)
        await asyncio.sleep(2.0)
        under_way -= 1
        return web.Response()

    async with recipient(handler) as url:
        await queue(store, url, longest=10)
        sender = HttpSender(allow_private=True)
        workers = [
            DeliveryWorker(store, {"http": sender}, Deliver(lease_seconds=0.6), Notary(lambda: ORIGIN, b"secret"))
            for _ in range(2)
        ]
        running = [asyncio.create_task(worker.run()) for worker in workers]
        for _ in range(400):
            await asyncio.sleep(0.05)
            if (await store.delivery("one")).state is DeliveryState.DELIVERED:
                break
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await sender.close()
    assert (came, most, (await store.delivery("one")).attempts) == (1, 1, 1)


@pytest.mark.parametrize("served", [True, False])
async def test_what_goes_via_another_is_relayed(store: SqlStore, served: bool) -> None:
    """A branch's delivery goes to its platform's address, stays the branch's, and is never called delivered by that."""
    async with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as (url, came):
        carrying = Agreement("hq-out", "hq", Direction.OUT, "*", "json:x:1", options={"url": url})
        own = Agreement("ag", "customs", Direction.OUT, "*", "json:x:1", attempts=ATTEMPTS, via="hq")
        partners = [Partner(one, one, frozenset({Role.BUREAU})) for one in ("hq", "customs")]
        await store.import_partners(partners, (own, *((carrying,) if served else ())), ())
        await deliver_later(store, delivery("one", agreement_id="ag"))
        sender = HttpSender(allow_private=True)
        found = await rounds(store, sender)
        await sender.close()
    stages = [receipt.stage for receipt in await store.receipts_of(["one"])]
    assert found.partner_id == "customs"
    # A platform that takes no such documents carries none: the delivery is an operator's then.
    expected = (1, DeliveryState.RELAYED, [Stage.RELAYED]) if served else (0, DeliveryState.DEAD, [])
    assert (len(came), found.state, stages) == expected
