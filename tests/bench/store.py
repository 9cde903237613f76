"""Durable accepts a second through the store's writer, beside the disk's own rate of synced writes.

    python -m tests.bench.store [sqlalchemy url]
"""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from gateway.store import migrate
from tests.store.conftest import Place
from tests.store.made import NOW, payload, received

PAYLOADS = 6000
AT_ONCE = 256
SIZE = 2048


def fsync_rate(folder: Path, seconds: float = 1.0) -> float:
    """Appends of 4 KiB, each synced, a second."""
    path = folder / "fsync"
    count, began = 0, time.perf_counter()
    with path.open("wb") as file:
        while time.perf_counter() - began < seconds:
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
            count += 1
    return count / (time.perf_counter() - began)


async def accepts(url: str, folder: Path, seed: int) -> float:
    """Durable accepts a second, with AT_ONCE of them waiting at any time."""
    store = Place(url, folder, b"k" * 32).store(folder / "anchor")
    await store.open()
    draw = random.Random(seed)
    made = [payload(seed * 1_000_000 + n, body=draw.randbytes(SIZE)) for n in range(PAYLOADS)]
    waiting = iter(made)

    async def send() -> None:
        for one in waiting:
            await store.accept(one, received(one))

    began = time.perf_counter()
    await asyncio.gather(*(send() for _ in range(AT_ONCE)))
    taken = time.perf_counter() - began
    await store.close()
    return PAYLOADS / taken


def main() -> None:
    """Measure five times and print."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name)
        url = sys.argv[1] if len(sys.argv) > 1 else f"sqlite:///{folder / 'gateway.db'}"
        migrate(url)
        rates = [asyncio.run(accepts(url, folder, seed)) for seed in range(1, 6)]
        print(f"fsync/s {fsync_rate(folder):.0f}; accepts/s median {statistics.median(rates):.0f}, {min(rates):.0f} to {max(rates):.0f} at {NOW:%Y}")


if __name__ == "__main__":
    main()
