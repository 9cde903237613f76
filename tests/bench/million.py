"""A million messages later: the exchange, a proof, and every list, over a store that is full.

    exchange_at_1m     declarations a second over a full store, in parts of those over an empty one, run by run
    proof_ms_at_1m     one receipt with its inclusion proof, from the store
    list_ms_at_1m      the slowest page of all lists, whatever the filter and however deep, from the store or over HTTP

The store is filled by SQL (tests/store/filled.py): few senders have nearly all of it. It takes 5 GB under var/ while this
runs, and some minutes.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote, urlsplit

from gateway import durable
from gateway.model import DeliveryState
from gateway.store import migrate, open_store
from gateway.store.contract import CasePlace, Standing
from gateway.store.sql_store import SqlStore
from gateway.web import cursor
from tests.bench.exchange import run_exchange, running_bureau
from tests.bench.figures import ROOT, Figure
from tests.faults.material import partners
from tests.harness import GatewayProcess, key_of
from tests.store import filled
from tests.store.filled import CROWDED, SIGNER, Shape
from tests.store.made import ORIGIN

COUNT = int(os.environ.get("GATEWAY_BENCH_MESSAGES", "1000000"))
RUNS = 5
ASKED = 5
"""How often each page is read; its figure is the median."""
PROOFS = 200
DEPTHS = (0.0, 0.01, 0.5, 0.99)
"""How much of a list is passed over before a page of it is read."""
YEARS = 10 * 365 * 86_400_000_000
"""Microseconds until what is hot in the store is due again: its recipients are away, as some always are."""
_ENVIRONMENT = {"GATEWAY_RECEIPTS__ORIGIN": ORIGIN}


def measure() -> dict[str, Figure]:
    """Fill a store, and run over it; each run beside one over an empty store."""
    with tempfile.TemporaryDirectory(dir=ROOT / "var") as name, running_bureau() as bureau:
        folder = Path(name)
        fill(folder)
        proofs, pages = asyncio.run(_from_store(folder))
        pages |= _over_http(folder, bureau)
        shares, rates = [], []
        for run in range(RUNS):
            with tempfile.TemporaryDirectory(dir=ROOT / "var") as empty:
                fresh = run_exchange(Path(empty), bureau, run * 1_000_000)
            full = run_exchange(folder, bureau, (RUNS + run) * 1_000_000, environment=_ENVIRONMENT)
            rates.append(full.rate)
            shares.append(full.rate / fresh.rate)
    slowest = max(pages, key=lambda page: pages[page])
    unit = f"{COUNT:,} messages"
    return {
        "exchange_at_1m": Figure.of(shares, f"{unit}; {statistics.median(rates):.0f} a second"),
        "proof_ms_at_1m": Figure.of(proofs, unit),
        "list_ms_at_1m": Figure(pages[slowest], min(pages.values()), pages[slowest], f"{len(pages)} pages, {slowest}"),
    }


def fill(folder: Path) -> None:
    """A full store in `folder`, with the key that signed its log."""
    path = folder / "gateway.db"
    migrate(f"sqlite:///{path}")
    asyncio.run(filled.make(f"sqlite:///{path}", COUNT))
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"UPDATE deliveries SET due_at = due_at + {YEARS} WHERE due_at IS NOT NULL")
        database.commit()
    durable.write_file(folder / "signing.key", f"{SIGNER.skey}\n".encode(), mode=0o600)


# From the store.


@asynccontextmanager
async def _opened(folder: Path) -> AsyncIterator[SqlStore]:
    store = open_store(
        f"sqlite:///{folder / 'gateway.db'}",
        signer=SIGNER,
        payload_folder=folder / "payloads",
        anchor_file=folder / "anchor",
    )
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def _from_store(folder: Path) -> tuple[list[float], dict[str, float]]:
    """Milliseconds of proofs, and of each page by its name."""
    draw = random.Random(6)
    async with _opened(folder) as store:
        leaves = Shape(COUNT).leaves
        proofs = [await _asked(lambda: store.proven(draw.randrange(leaves)), 1) for _ in range(PROOFS)]
        return proofs, {f"store {name}": await _asked(ask, ASKED) for name, ask in _pages(store)}


async def _asked(ask: Callable[[], Awaitable[object]], times: int) -> float:
    """Milliseconds of the median of so many times."""
    took = []
    for _ in range(times):
        began = time.perf_counter()
        await ask()
        took.append(1000 * (time.perf_counter() - began))
    return statistics.median(took)


def _pages(store: SqlStore) -> Iterator[tuple[str, Callable[[], Awaitable[object]]]]:
    """Every list of the store that a client or an operator pages through, with every filter, at every depth."""
    shape = Shape(COUNT)
    depths = [(depth, max(1, int(COUNT * (1 - depth)))) for depth in DEPTHS]
    states = ["", "processed", *Standing]
    for state, partner, test, (depth, number) in itertools.product(
        states, ("", "acme", "firm1", "nobody"), (None, False, True), depths
    ):
        after = shape.id("0", number) if depth else ""
        yield (
            f"payloads {state} of {partner or 'all'}, test {test}, at {depth}",
            partial(store.payloads, partner, state, after, 50, test=test),
        )
    for state, partner, (depth, number) in itertools.product(
        ["", *DeliveryState], ("", "bureau", "customs", "nobody"), depths
    ):
        after = shape.id("d", number) if depth else ""
        yield (
            f"deliveries {state} of {partner or 'all'} at {depth}",
            partial(store.deliveries, partner, state, 50, after),
        )
    for feed, partner, test, depth in itertools.product(
        ("status", "inbox", "clearance", "alerts"), ("", "acme", "firm1", "nobody"), (False, True), DEPTHS
    ):
        yield (
            f"feed {feed} of {partner or 'all'}, test {test}, at {depth}",
            partial(store.feed, feed, partner, int(COUNT * depth), 100, test=test),
        )
    for key, partner, (depth, number) in itertools.product(
        (CROWDED, "BOX-7", "TD-7", "nothing", shape.huge_case), ("", "acme", "firm1"), depths
    ):
        after = shape.id("c", number) if depth else ""
        yield (
            f"cases of {key} of {partner or 'all'} at {depth}",
            partial(store.cases, key, partner, after, 50),
        )
    for partner, (depth, number) in itertools.product(("", "acme"), depths):
        at = filled.BEGAN * 1000 + number * 1_000_000
        place = CasePlace(2 * number, at, 1, 2 * number)
        yield (
            f"huge case of {partner or 'all'} at {depth}",
            partial(store.case_earlier, shape.huge_case, partner, place, 50),
        )
    for depth in DEPTHS:
        after = int(shape.wide * depth)
        yield (
            f"messages of a payload at {depth}",
            partial(store.payload, shape.id("0", 1), after, 50, bodies=False),
        )
    for after in ("", "e00010000", "z"):
        yield f"partners after {after or 'none'}", partial(store.partners, after, 50)


# Over HTTP.


def _over_http(folder: Path, bureau: str) -> dict[str, float]:
    """Milliseconds of each page that the interface gives, as a client on the same machine sees them."""
    gateway = GatewayProcess(folder, partners(f"{bureau}/inbox"), {"GATEWAY_PIPELINE__WORKERS": "1", **_ENVIRONMENT})
    gateway.start()
    try:
        time.sleep(5)  # what waited in the inbox is decided, and worker processes have started
        connection = HTTPConnection(urlsplit(gateway.url).netloc, timeout=30)
        return {
            f"{partner} GET {path}": _got(connection, partner, path)
            for partner in ("acme", "bureau")
            for path in _paths()
        }
    finally:
        gateway.kill()


def _paths() -> Iterator[str]:
    """Every list of the interface, at every depth."""
    shape = Shape(COUNT)
    depths = [(depth, max(1, int(COUNT * (1 - depth)))) for depth in DEPTHS]
    for state, (depth, number) in itertools.product(["", *Standing], depths):
        at = f"&cursor={cursor.encode('messages', shape.id('0', number))}" if depth else ""
        yield f"/v1/messages?state={state}{at}" if state else f"/v1/messages?limit=50{at}"
    for feed, test, depth in itertools.product(("status", "inbox", "clearance"), ("false", "true"), DEPTHS):
        yield f"/v1/feeds/{feed}?test={test}&after={cursor.encode(feed, int(COUNT * depth))}"
    for key, (depth, number) in itertools.product((CROWDED, "BOX-7", "TD-7", shape.huge_case), depths):
        at = cursor.encode(f"cases of {key}", f"next {shape.id('c', number)}")
        yield f"/v1/cases/{quote(key)}?limit=50" + (f"&cursor={at}" if depth else "")
    payload = shape.id("0", 1)
    for depth in DEPTHS:
        at = cursor.encode(f"messages of {payload}", int(shape.wide * depth))
        yield f"/v1/messages/{payload}?limit=50" + (f"&cursor={at}" if depth else "")


def _got(connection: HTTPConnection, partner: str, path: str) -> float:
    took = []
    for _ in range(ASKED):
        began = time.perf_counter()
        connection.request("GET", path, headers={"Authorization": f"Bearer {key_of(partner)}"})
        response = connection.getresponse()
        response.read()
        took.append(1000 * (time.perf_counter() - began))
        assert response.status in (200, 404), (response.status, path)
    return statistics.median(took)


if __name__ == "__main__":
    print(measure(), file=sys.stderr)
