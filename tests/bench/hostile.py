"""hostile_accept_p99_ms, hostile_growth_mb: what one partner's heavy payloads and idle connections do to another's sends.

For each kind of attack a gateway of its own runs, with its defaults; a hostile partner in a process of its own sends
as much of the kind as it is let, while another partner sends a small message twenty times a second. The first figure
is the 99th percentile of the other's answers, the second how far the memory of the gateway's main process
rises above what it has when it begins, both for the worst kind. Each kind is printed.

    python -m tests.bench.hostile [kind ...]
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from tests.bench.figures import ROOT, Figure
from tests.bench.load import body
from tests.faults import heavy
from tests.harness import GatewayProcess, key_of

SECONDS = 6.0
PER_SECOND = 20
SENDERS = 4

PARTNERS = "".join(
    f"""
[[partners]]
id = "{name}"
name = "{name.title()}"
roles = ["enterprise"]
agreements = [{{ direction = "in", acknowledge = "always" }}]
keys = [{{ key = "{key_of(name)}" }}]
"""
    for name in ("steady", "hostile")
)

ELSEWHERE = ("127.0.0.2", 0)
"""Where the hostile partner connects from: each partner has an address of its own."""

SETTINGS = {"GATEWAY_PIPELINE__WORKERS": "1", "GATEWAY_PIPELINE__LEASE_SECONDS": "60"}


# What the steady partner sees.


async def steady(url: str) -> None:
    """Send a message every so often; print the seconds that each answer took, as JSON."""
    taken: list[float] = []
    began = time.perf_counter()

    async def one(session: aiohttp.ClientSession, place: int) -> None:
        for number in range(place, int(SECONDS * PER_SECOND), SENDERS):
            await asyncio.sleep(max(0.0, began + number / PER_SECOND - time.perf_counter()))
            sent = time.perf_counter()
            async with session.post(f"{url}/v1/messages", data=body(number, 2048)) as answer:
                await answer.read()
                taken.append(time.perf_counter() - sent if answer.status == 202 else 60.0)

    headers = {"Authorization": f"Bearer {key_of('steady')}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        await asyncio.gather(*(one(session, place) for place in range(SENDERS)))
    print(json.dumps(taken))


# What the hostile partner does.


async def payloads(url: str, make: Callable[[int], bytes]) -> None:
    """Send one kind of payload again and again, two at a time."""
    content = await asyncio.to_thread(make, heavy.KINDS[make])
    print("ready", flush=True)

    async def one(session: aiohttp.ClientSession) -> None:
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.post(f"{url}/v1/messages", data=content) as answer:
                    await answer.read()
            await asyncio.sleep(0.2)

    headers = {"Authorization": f"Bearer {key_of('hostile')}"}
    connector, timeout = aiohttp.TCPConnector(local_addr=ELSEWHERE), aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(connector=connector, headers=headers, timeout=timeout) as session:
        await asyncio.gather(one(session), one(session))


async def connected(url: str, count: int, say: Callable[[int], bytes], go_on: bytes = b"", every: float = 1.0) -> None:
    """Open connections that begin with `say` and go on with `go_on`, and never read an answer."""
    address = urlsplit(url)
    print("ready", flush=True)

    async def one(number: int) -> None:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(address.hostname, address.port, limit=1, local_addr=ELSEWHERE)
            writer.write(say(number))
            while True:
                await writer.drain()
                await asyncio.sleep(every)
                writer.write(go_on)

    await asyncio.gather(*(one(number) for number in range(count)))
    await asyncio.Event().wait()


def _head(method: str, path: str, *headers: str, key: bool = True) -> bytes:
    authorization = (f"Authorization: Bearer {key_of('hostile')}",) if key else ()
    return "\r\n".join((f"{method} {path} HTTP/1.1", "Host: x", *authorization, *headers, "", "")).encode()


def unfinished(url: str) -> Awaitable[None]:
    """Bodies of sixty megabytes that lack their last byte."""
    half = b"UNB+" + bytes(60 << 20)
    return connected(url, 12, lambda _: _head("POST", "/v1/messages", f"Content-Length: {len(half) + 1}") + half)


def half_headers(url: str) -> Awaitable[None]:
    """Requests without a key that never end."""
    return connected(url, 1100, lambda _: b"POST /v1/messages HTTP/1.1\r\nHost: x\r\n", b"X: y\r\n")


def large_headers(url: str) -> Awaitable[None]:
    """Very many and long headers."""
    lines = [f"X-{n}: {'y' * 8000}" for n in range(126)]
    return connected(url, 300, lambda _: b"POST /v1/messages HTTP/1.1\r\n" + "\r\n".join(lines).encode())


def tiny_chunks(url: str) -> Awaitable[None]:
    """Bodies in chunks of one byte."""
    head = _head("POST", "/v1/messages", "Transfer-Encoding: chunked")
    return connected(url, 20, lambda _: head, b"1\r\nU\r\n" * 20_000, every=0.05)


def keyless(url: str) -> Awaitable[None]:
    """Bodies that come without a key."""
    head = _head("POST", "/v1/messages", "Transfer-Encoding: chunked", key=False)
    return connected(url, 50, lambda _: head, b"10000\r\n" + bytes(65536) + b"\r\n", every=0.02)


def pipelined(url: str) -> Awaitable[None]:
    """Requests one behind the other, their answers not read."""
    ask = _head("GET", "/v1/openapi.json") * 50
    return connected(url, 100, lambda _: ask, ask, every=0.1)


def streams(url: str) -> Awaitable[None]:
    """Event streams."""
    return connected(url, 4000, lambda _: _head("GET", "/v1/feeds/inbox", "Accept: text/event-stream"))


def polls(url: str) -> Awaitable[None]:
    """Long polls."""
    return connected(url, 1000, lambda _: _head("GET", "/v1/feeds/inbox?wait=60"))


CONNECTIONS = (unfinished, half_headers, large_headers, tiny_chunks, keyless, pipelined, streams, polls)


async def attack(kind: str, url: str) -> None:
    """Do one kind of thing until killed."""
    for by_connections in CONNECTIONS:
        if by_connections.__name__ == kind:
            await by_connections(url)
    await payloads(url, next(make for make in heavy.KINDS if make.__name__ == kind))


# The measurement.


def one_kind(kind: str) -> tuple[float, float, int]:
    """The 99th percentile in ms, the growth in MB, and how many of the steady partner's messages were not taken."""
    run = [sys.executable, "-m", "tests.bench.hostile"]
    with tempfile.TemporaryDirectory(dir=ROOT / "var") as folder:
        gateway = GatewayProcess(Path(folder), PARTNERS, SETTINGS)
        gateway.start()
        try:
            gateway.post("steady", body(10**6, 2048))  # what is loaded once is loaded
            time.sleep(1)
            before = gateway.memory()
            hostile = subprocess.Popen([*run, "attack", kind, gateway.url], cwd=ROOT, stdout=subprocess.PIPE, text=True)
            assert hostile.stdout is not None
            try:
                hostile.stdout.readline()
                time.sleep(0.5)
                other = subprocess.run(
                    [*run, "steady", gateway.url], cwd=ROOT, check=True, capture_output=True, text=True, timeout=120
                )
            finally:
                hostile.kill()
                hostile.wait()
                hostile.stdout.close()
            taken = sorted(json.loads(other.stdout))
            _wait_until_done(gateway)
            grown = gateway.memory() - before
        finally:
            gateway.kill()
    worst = taken[math.ceil(0.99 * len(taken)) - 1] * 1000
    return worst, grown / 1e6, sum(seconds >= 60 for seconds in taken)


def _wait_until_done(gateway: GatewayProcess) -> None:
    """Until the first of what the hostile partner sent has gone through: its end takes memory too."""
    for _ in range(60):
        _, page = gateway.get("hostile", "/v1/messages?limit=500")
        if not page.get("items"):
            return
        if any(item["state"] != "received" for item in page["items"]):
            return
        time.sleep(0.5)


def kinds() -> list[str]:
    """Every kind by name."""
    return [kind.__name__ for kind in (*heavy.KINDS, *CONNECTIONS)]


def measure(chosen: list[str] | None = None) -> dict[str, Figure]:
    """Each kind once; the worst of them count."""
    (ROOT / "var").mkdir(exist_ok=True)
    answers: list[float] = []
    growth: list[float] = []
    for kind in chosen or kinds():
        p99, grown, refused = one_kind(kind)
        answers.append(p99)
        growth.append(grown)
        print(f"  {kind:20} p99 {p99:7.0f} ms   grown {grown:6.0f} MB   refused {refused}", file=sys.stderr, flush=True)
    return {
        "hostile_accept_p99_ms": Figure(max(answers), min(answers), max(answers)),
        "hostile_growth_mb": Figure(max(growth), min(growth), max(growth)),
    }


def main() -> None:
    """One of the two partners, or the measurement."""
    match sys.argv[1:]:
        case ["steady", url]:
            asyncio.run(steady(url))
        case ["attack", kind, url]:
            asyncio.run(attack(kind, url))
        case chosen:
            print(measure(chosen))


if __name__ == "__main__":
    main()
