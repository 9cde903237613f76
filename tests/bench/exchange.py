"""The whole trip under load: declarations in over HTTP, to a bureau's 2xx and its receipt.

    exchange_per_s                 declarations a second, sustained
    gateway_cpu_us_per_exchange    processor time of the gateway and its workers for each of them
    latency_p99_ms                 from the sender's first byte to the bureau's 2xx, at half of that rate
    size_kb_per_message            what the store grows by for a declaration of 64 segments to two recipients

CUSDEC D.96B is checked, read, judged by the rules, decided (review), translated to EEntDeclIo XML and delivered over HTTP
to a bureau. Sender, gateway and recipient are processes of their own on the same two cores. The sender keeps a bounded
number of declarations on their way (it waits while the bureau lags), so that what is counted is a sustained rate: the
deliveries that the bureau has at the end, a second of the whole time.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from aiohttp import web

from tests.bench.figures import ROOT, Figure
from tests.faults.material import declaration, partners, serial_of
from tests.harness import GatewayProcess, key_of

SECONDS = 12
FIRST, START_SECONDS = 20, 3
"""Messages by which a gateway loads the tables it needs, and seconds in which they are dealt with and worker processes
have started: what is measured is a gateway that runs."""
CONNECTIONS = 16
ON_THEIR_WAY = 400
RUNS = 5
SIZED = 500
"""Messages by which the store's growth is measured."""
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Exchange:
    """What one run came to."""

    rate: float
    """Declarations a second."""
    cpu_us: float
    """Microseconds of processor time of the gateway and its workers for each."""
    latencies_ms: tuple[float, ...]
    """Of each declaration, from the first byte sent to the bureau's 2xx."""


async def recipient() -> None:
    """A bureau's inbox: takes everything, notes when each declaration came, confirms nothing but 200."""
    came: dict[int, float] = {}

    async def inbox(request: web.Request) -> web.Response:
        body = await request.read()
        if b"<EntDeclNo>" in body:
            came[serial_of(body)] = time.monotonic()
        return web.Response()

    async def counted(_: web.Request) -> web.Response:
        return web.json_response(len(came))

    async def times(_: web.Request) -> web.Response:
        return web.json_response(came)

    app = web.Application()
    app.router.add_post("/inbox", inbox)
    app.router.add_get("/count", counted)
    app.router.add_get("/times", times)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


async def sender(gateway: str, bureau: str, first: int, rate: float) -> None:
    """Send for SECONDS, as fast as it goes or at `rate`; wait until the bureau has everything; print what came of it."""
    serial, delivered = first, 0
    sent: dict[int, float] = {}
    began = time.monotonic()
    ends = began + SECONDS

    async def one(session: aiohttp.ClientSession) -> None:
        nonlocal serial
        while time.monotonic() < ends:
            if serial - first - delivered > ON_THEIR_WAY:
                await asyncio.sleep(0.01)
                continue
            serial += 1
            mine = serial
            if rate:
                await asyncio.sleep(max(0.0, began + (mine - first) / rate - time.monotonic()))
            sent[mine] = time.monotonic()
            async with session.post(f"{gateway}/v1/messages", data=declaration(mine)) as answer:
                await answer.read()
                assert answer.status == 202, answer.status

    async def watch(session: aiohttp.ClientSession) -> None:
        nonlocal delivered
        while time.monotonic() < ends or delivered < serial - first:
            async with session.get(f"{bureau}/count") as answer:
                delivered = await answer.json() - base
            await asyncio.sleep(0.05)
            if time.monotonic() > ends + 60:
                break

    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {key_of('acme')}"}) as session:
        async with session.get(f"{bureau}/count") as answer:
            base = await answer.json()
        await asyncio.gather(watch(session), *(one(session) for _ in range(CONNECTIONS)))
        seconds = time.monotonic() - began
        async with session.get(f"{bureau}/times") as answer:
            came = {int(number): at for number, at in (await answer.json()).items()}
    latencies = [1000 * (came[number] - at) for number, at in sent.items() if number in came]
    print(json.dumps({"count": delivered, "seconds": seconds, "latencies": latencies}))


@contextmanager
def running_bureau() -> Iterator[str]:
    """The recipient as a process of its own; its URL."""
    command = [sys.executable, "-m", "tests.bench.exchange", "recipient"]
    bureau = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert bureau.stdout is not None
    try:
        yield bureau.stdout.readline().strip()
    finally:
        bureau.kill()
        bureau.wait()
        bureau.stdout.close()


def run_exchange(
    folder: Path, bureau: str, serial: int, rate: float = 0.0, environment: Mapping[str, str] | None = None
) -> Exchange:
    """One run over the store in `folder`, which may hold much already; `environment` overrides settings."""
    settings = {"GATEWAY_PIPELINE__WORKERS": "1", **(environment or {})}
    gateway = GatewayProcess(folder, partners(f"{bureau}/inbox"), settings)
    gateway.start()
    try:
        for number in range(serial + 900_000, serial + 900_000 + FIRST):
            assert gateway.post("acme", declaration(number))[0] == 202
        time.sleep(START_SECONDS)
        before = cpu_seconds(gateway.pid)
        command = [sys.executable, "-m", "tests.bench.exchange", "sender", gateway.url, bureau, str(serial), str(rate)]
        result = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        used = cpu_seconds(gateway.pid) - before
    finally:
        gateway.kill()
    said = json.loads(result.stdout)
    return Exchange(said["count"] / said["seconds"], 1e6 * used / said["count"], tuple(said["latencies"]))


def cpu_seconds(pid: int) -> float:
    """Processor time that a process and those it started have used so far."""
    total = 0.0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        if pid in (int(stat.parent.name), int(fields[1])):
            total += (int(fields[11]) + int(fields[12])) / _TICKS
    return total


def measure() -> dict[str, Figure]:
    """A fresh gateway for every run."""
    with running_bureau() as bureau:
        runs = [_fresh(bureau, run, 0.0) for run in range(RUNS)]
        half = statistics.median(run.rate for run in runs) / 2
        calm = [_fresh(bureau, RUNS + run, half) for run in range(RUNS)]
        size = _size_kb(bureau)
    p99 = [statistics.quantiles(run.latencies_ms, n=100)[98] for run in calm]
    load = f"load {os.getloadavg()[0]:.1f}"
    return {
        "exchange_per_s": Figure.of([run.rate for run in runs], load),
        "gateway_cpu_us_per_exchange": Figure.of([run.cpu_us for run in runs], load),
        "latency_p99_ms": Figure.of(p99, f"at {half:.0f} a second"),
        "size_kb_per_message": Figure.of([size], f"{SIZED} declarations of 64 segments"),
    }


def _fresh(bureau: str, run: int, rate: float) -> Exchange:
    with tempfile.TemporaryDirectory(dir=ROOT / "var") as folder:
        return run_exchange(Path(folder), bureau, run * 1_000_000, rate)


def _size_kb(bureau: str) -> float:
    """What one message adds to the database and the payload folder, all that comes of it included."""
    outbound = (
        f'{{ direction = "out", document = "*", format = "json:response:1", options = {{ url = "{bureau}/inbox" }} }}'
    )
    inbound = '{ direction = "in" }'
    entries = partners(f"{bureau}/inbox").replace(f"[{inbound}]", f"[{inbound}, {outbound}]")
    with tempfile.TemporaryDirectory(dir=ROOT / "var") as name:
        folder = Path(name)
        gateway = GatewayProcess(folder, entries, {"GATEWAY_PIPELINE__WORKERS": "1"})
        sizes: list[int] = []
        for first in (20_000_000, 21_000_000):
            gateway.start()
            for serial in range(first, first + (SIZED if sizes else 200)):
                status, answer = gateway.post("acme", declaration(serial))
                assert status == 202, answer
            _wait_until_settled(gateway)
            gateway.stop()
            sizes.append(_bytes(folder))
        return (sizes[1] - sizes[0]) / SIZED / 1024


def _wait_until_settled(gateway: GatewayProcess) -> None:
    """Until nothing waits any more."""
    deadline = time.monotonic() + 120
    while True:
        _, metrics = gateway.get("acme", "/metrics")
        waiting = [
            float(line.split()[1])
            for line in metrics["body"].decode().splitlines()
            if line.startswith(("gateway_payloads_waiting ", "gateway_deliveries_waiting "))
        ]
        if not any(waiting):
            return
        assert time.monotonic() < deadline, waiting
        time.sleep(0.2)


def _bytes(folder: Path) -> int:
    connection = sqlite3.connect(folder / "gateway.db")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    files = [folder / "gateway.db", *(path for path in (folder / "payloads").rglob("*") if path.is_file())]
    return sum(path.stat().st_size for path in files)


def main() -> None:
    """Be the sender or the recipient."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if sys.argv[1] == "recipient":
            runner.run(recipient())
        else:
            runner.run(sender(sys.argv[2], sys.argv[3], int(sys.argv[4]), float(sys.argv[5])))


if __name__ == "__main__":
    main()
