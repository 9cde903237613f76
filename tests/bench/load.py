"""A load generator and the two servers it is pointed at, each run as a process of its own.

python -m tests.bench.load client URL KEY SECONDS CONNECTIONS SIZE   -> requests per second on stdout
python -m tests.bench.load bare                                     -> a bare handler; its URL on stdout
"""

from __future__ import annotations

import asyncio
import random
import sys
import time

import aiohttp
from aiohttp import web

SEED = 20260101


def body(serial: int, size: int) -> bytes:
    """A distinct EDIFACT interchange of about `size` bytes, with values that differ throughout."""
    values = random.Random(SEED + serial)
    head = f"UNB+UNOA:3+BENCH+GATEWAY+260101:1200+{serial:014}'UNH+1+BENCH0:D:96B:UN'BGM+930+{serial:014}+9'"
    texts = []
    length = len(head)
    while length < size - 60:
        texts.append(f"FTX+AAI+++{values.getrandbits(160):040X}'")
        length += len(texts[-1])
    return f"{head}{''.join(texts)}UNT+{len(texts) + 3}+1'UNZ+1+{serial:014}'".encode()


async def client(url: str, key: str, seconds: float, connections: int, size: int) -> float:
    """Requests per second that `connections` kept-alive connections get answered with 2xx."""
    bodies = [body(serial + random.SystemRandom().randrange(10**9) * 1000, size) for serial in range(2000)]
    done = 0
    failed = 0
    ends = 0.0
    serial = 0

    async def one(session: aiohttp.ClientSession) -> None:
        nonlocal done, failed, serial
        while time.perf_counter() < ends:
            serial += 1
            # Every request is another message: the reference counts on within the prepared text.
            data = bodies[serial % len(bodies)].replace(b"BENCH+GATEWAY", b"BENCH+GATEWAY%d" % serial)
            async with session.post(url, data=data) as answer:
                await answer.read()
                if answer.status < 300:
                    done += 1
                else:
                    failed += 1

    connector = aiohttp.TCPConnector(limit=connections)
    async with aiohttp.ClientSession(connector=connector, headers={"Authorization": f"Bearer {key}"}) as session:
        ends = time.perf_counter() + 1.0  # warm up: connections, caches
        await asyncio.gather(*(one(session) for _ in range(connections)))
        done, began = 0, time.perf_counter()
        ends = began + seconds
        await asyncio.gather(*(one(session) for _ in range(connections)))
        elapsed = time.perf_counter() - began
    if failed:
        print(f"{failed} requests were refused", file=sys.stderr)
    return done / elapsed


async def bare() -> None:
    """A handler that only reads the body."""

    async def handler(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(status=202)

    app = web.Application()
    app.router.add_post("/", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}/", flush=True)
    await asyncio.Event().wait()


def main() -> None:
    """Run what the first argument names, on uvloop as the gateway does."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if sys.argv[1] == "bare":
            runner.run(bare())
        else:
            url, key, seconds, connections, size = sys.argv[2:]
            print(runner.run(client(url, key, float(seconds), int(connections), int(size))))


if __name__ == "__main__":
    main()
