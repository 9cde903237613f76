"""exchange_per_s: a sender's declarations, through the gateway, to a recipient's 2xx and its receipt, for 20 s.

CUSDEC D.96B comes in over HTTP, is checked, read, judged by the rules, decided (review), translated to EEntDeclIo XML and
delivered over HTTP to a bureau. Sender, gateway and recipient are processes of their own on the same two cores. The
sender keeps a bounded number of declarations on their way (it waits while the bureau lags), so that what is counted is a sustained rate: the
deliveries that have their `delivered` receipt in the log at the end, a second of the whole time.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
from aiohttp import web

from tests.bench.figures import ROOT, Figure
from tests.faults.material import declaration, partners
from tests.harness import GatewayProcess, key_of

SECONDS = 20
CONNECTIONS = 16
ON_THEIR_WAY = 400
RUNS = 3


async def recipient() -> None:
    """A bureau's inbox: takes everything, counts it, confirms nothing but 200."""
    count = 0

    async def inbox(request: web.Request) -> web.Response:
        nonlocal count
        await request.read()
        count += 1
        return web.Response()

    async def counted(_: web.Request) -> web.Response:
        return web.json_response(count)

    app = web.Application()
    app.router.add_post("/inbox", inbox)
    app.router.add_get("/count", counted)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


async def sender(gateway: str, bureau: str, first: int) -> None:
    """Send for SECONDS; then wait until the bureau has everything; print how many and how long it all took."""
    serial, delivered = first, 0
    began = time.perf_counter()
    ends = began + SECONDS

    async def one(session: aiohttp.ClientSession) -> None:
        nonlocal serial
        while time.perf_counter() < ends:
            if serial - first - delivered > ON_THEIR_WAY:
                await asyncio.sleep(0.01)
                continue
            serial += 1
            async with session.post(f"{gateway}/v1/messages", data=declaration(serial)) as answer:
                await answer.read()
                assert answer.status == 202, answer.status

    async def watch(session: aiohttp.ClientSession) -> None:
        nonlocal delivered
        while time.perf_counter() < ends or delivered < serial - first:
            async with session.get(f"{bureau}/count") as answer:
                delivered = await answer.json() - base
            await asyncio.sleep(0.05)
            if time.perf_counter() > ends + 60:
                break

    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {key_of('acme')}"}) as session:
        async with session.get(f"{bureau}/count") as answer:
            base = await answer.json()
        await asyncio.gather(watch(session), *(one(session) for _ in range(CONNECTIONS)))
    print(delivered / (time.perf_counter() - began))


def measure() -> dict[str, Figure]:
    """A fresh gateway for every run."""
    command = [sys.executable, "-m", "tests.bench.exchange"]
    bureau = subprocess.Popen([*command, "recipient"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert bureau.stdout is not None
    url = bureau.stdout.readline().strip()
    rates: list[float] = []
    try:
        for run in range(RUNS):
            with tempfile.TemporaryDirectory(dir=ROOT / "var") as folder:
                gateway = GatewayProcess(Path(folder), partners(f"{url}/inbox"), {"GATEWAY_PIPELINE__WORKERS": "1"})
                gateway.start()
                serial = str(run * 1_000_000)
                result = subprocess.run(
                    [*command, "sender", gateway.url, url, serial],
                    cwd=ROOT,
                    check=True,
                    capture_output=True,
                    text=True,
                )
                rates.append(float(result.stdout))
                gateway.kill()
    finally:
        bureau.kill()
        bureau.wait()
        bureau.stdout.close()
    return {"exchange_per_s": Figure.of(rates)}


def main() -> None:
    """Be the sender or the recipient."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if sys.argv[1] == "recipient":
            runner.run(recipient())
        else:
            runner.run(sender(sys.argv[2], sys.argv[3], int(sys.argv[4])))


if __name__ == "__main__":
    main()
