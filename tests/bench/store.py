"""Figures of the store alone: durable accepts of 2 KB a second through the writer, and partners imported a second.

    GATEWAY_BENCH_STORE=postgresql+asyncpg://... python -m tests.bench store

measures an empty PostgreSQL database instead of SQLite.
"""

from __future__ import annotations

import asyncio
import os
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from gateway.model import Agreement, Direction, Identifier, Partner, Role
from gateway.receipt.signed import Signer
from gateway.store import migrate, open_store
from gateway.store.sql_store import SqlStore
from tests.bench.figures import ROOT, Figure
from tests.store.made import ORIGIN, payload, received

RUNS = 5
PAYLOADS = 6000
AT_ONCE = 256
SIZE = 2048
PARTNERS = 20_000


def measure() -> dict[str, Figure]:
    """Accepts and imported partners a second."""
    with tempfile.TemporaryDirectory(dir=ROOT / "var") as name:
        folder = Path(name)
        url = os.environ.get("GATEWAY_BENCH_STORE", f"sqlite:///{folder / 'gateway.db'}")
        migrate(url)
        store = open_store(
            url,
            signer=Signer(ORIGIN, bytes(range(32))),
            payload_folder=folder / "payloads",
            anchor_file=folder / "anchor",
        )
        return asyncio.run(_measure(store))


async def _measure(store: SqlStore) -> dict[str, Figure]:
    await store.open()
    try:
        accepts = [await _accepts(store, run) for run in range(RUNS)]
        imports = [await _imports(store, run) for run in range(RUNS)]
    finally:
        await store.close()
    return {
        "store_accepts_per_s": Figure.of(accepts, "payloads of 2 KB, each answered after its commit"),
        "store_imports_per_s": Figure.of(imports, "partners, each with an identifier, a role and an agreement"),
    }


async def _accepts(store: SqlStore, run: int) -> float:
    draw = random.Random(run)
    made = [payload(run * PAYLOADS + n, body=draw.randbytes(SIZE)) for n in range(PAYLOADS)]
    waiting = iter(made)

    async def send() -> None:
        for one in waiting:
            await store.accept(one, received(one))

    began = time.perf_counter()
    await asyncio.gather(*(send() for _ in range(AT_ONCE)))
    return PAYLOADS / (time.perf_counter() - began)


async def _imports(store: SqlStore, run: int) -> float:
    numbers = range(run * PARTNERS, (run + 1) * PARTNERS)
    began = time.perf_counter()
    await store.import_partners(partners(numbers), agreements(numbers), [])
    return PARTNERS / (time.perf_counter() - began)


def partners(numbers: range) -> Iterator[Partner]:
    """Enterprises with a registration number each."""
    for number in numbers:
        identifiers = (Identifier("ciq-registration", f"{number:010}"),)
        yield Partner(f"e{number:08}", f"Enterprise {number}", frozenset({Role.ENTERPRISE}), identifiers)


def agreements(numbers: range) -> Iterator[Agreement]:
    """One agreement for each of them."""
    for number in numbers:
        yield Agreement(f"a{number:08}", f"e{number:08}", Direction.IN, "declaration", "*")
