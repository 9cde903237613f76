"""A registry of 250,000 partners: its import from a file, and look-ups while one of them is edited every so often.

    registry_import_s           `gateway partner import` of a JSON Lines file, each with a name, an agreement and an API key
    registry_import_rss_mb      the most memory that the import held
    registry_lookups_per_s      look-ups of a busy gateway's partners (partner, agreements, key, name) with an edit meanwhile
    registry_queries_per_edit   what those asked the store for, for each edit: about the one that was edited, and no other
    registry_lookup_us          sender and agreement of a message, of partners whose answers the directory holds
    registry_lookup_missed_us   the same of partners that it has never been asked about, from a store that is warm
    registry_cache_mb           memory by which a directory grows over look-ups of far more partners than it keeps

GATEWAY_BENCH_PARTNERS makes the registry smaller for a first look.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from gateway import config, opening
from gateway.model import Direction
from gateway.registry.directory import CACHED, VERSION_AGE, Directory
from gateway.registry.keys import hash_key
from gateway.store.ports import Store
from tests.bench.figures import ROOT, Figure

PARTNERS = int(os.environ.get("GATEWAY_BENCH_PARTNERS", "250000"))
BUSY = 4000
"""Partners of a busy hour: with four answers about each they fill most of what a directory keeps."""
SECONDS = 10.0
EDIT_SECONDS = 1.0
"""Between two edits: longer than until a directory looks for changes, so that each is seen by itself."""
STRANGERS = min(12_000, PARTNERS)
"""Partners that are looked up once each: with four answers about each more than twice what a directory keeps."""


def measure() -> dict[str, Figure]:
    """Import, then look up."""
    with tempfile.TemporaryDirectory(dir=ROOT / "var") as name:
        folder = Path(name)
        _write(folder / "partners.jsonl")
        (folder / "gateway.toml").write_text("[store]\nfree_bytes = 0\n", "utf-8")
        took, busy, held = _import(folder)
        figures = asyncio.run(_look_up(folder))
    unit = f"{PARTNERS:,} partners, agreements and keys"
    return {
        "registry_import_s": Figure.of([took], f"{unit}; {busy:.0f} s of the processor"),
        "registry_import_rss_mb": Figure.of([held], unit),
        **figures,
    }


def id_of(number: int) -> str:
    """A partner's id."""
    return f"e{number:08}"


def key_of(number: int) -> str:
    """A partner's API key."""
    return f"gwk_bench_{number:030}"


def _write(path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        for number in range(PARTNERS):
            partner = {
                "id": id_of(number),
                "name": f"Enterprise {number}",
                "roles": ["enterprise"],
                "identifiers": [{"scheme": "ciq-registration", "value": f"{number:010}"}],
                "agreements": [{"direction": "in", "document": "declaration"}],
                "keys": [{"hash": hash_key(key_of(number)), "label": "ERP"}],
            }
            file.write(json.dumps(partner) + "\n")


def _import(folder: Path) -> tuple[float, float, float]:
    """Seconds, seconds of the processor, and megabytes held at most, of the command."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", "partner", "import", "partners.jsonl"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, "gateway partner import")
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


class Counting:
    """A store that counts what it is asked for, but for what has changed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.asked: Counter[str] = Counter()

    def __getattr__(self, operation: str) -> Callable[..., Awaitable[Any]]:
        inner = getattr(self._store, operation)

        async def ask(*arguments: object) -> object:
            if operation != "registry_changes":
                self.asked[operation] += 1
            return await inner(*arguments)

        return ask


async def _look_up(folder: Path) -> dict[str, Figure]:
    settings = config.load(folder / "gateway.toml")
    store_settings = settings.store.model_copy(
        update={
            "url": f"sqlite:///{folder}/var/gateway.db",
            "payload_folder": folder / "var/payloads",
            "anchor_file": folder / "var/anchor",
        }
    )
    receipts = settings.receipts.model_copy(update={"signing_key_file": folder / "var/signing.key"})
    settings = settings.model_copy(update={"store": store_settings, "receipts": receipts})
    async with opening.opened(settings, opening.signer(settings.receipts)) as store:
        kept, missed = await _by_message(store)
        rate, per_edit, edits = await _while_edited(store)
        grown = await _among_strangers(store)
    asked = f"sender by its identifier, and its inbound agreements; {PARTNERS:,} partners"
    return {
        "registry_lookup_us": Figure.of(kept, asked),
        "registry_lookup_missed_us": Figure.of(missed, asked),
        "registry_lookups_per_s": Figure.of([rate], f"{BUSY:,} partners of {PARTNERS:,}, {edits} edits meanwhile"),
        "registry_queries_per_edit": Figure.of([per_edit], "store queries, of 4 answers about each partner"),
        "registry_cache_mb": Figure.of([grown], f"{STRANGERS:,} partners looked up, {CACHED:,} answers kept"),
    }


async def _ask_all(directory: Directory, number: int) -> None:
    """What one message asks about its sender."""
    id_ = id_of(number)
    assert (await directory.partner(id_)).id == id_
    assert await directory.agreements(id_, Direction.IN)
    assert await directory.shown_credential(hash_key(key_of(number))) is not None
    assert await directory.partner_by("ciq-registration", f"{number:010}") is not None


async def _by_message(store: Store) -> tuple[list[float], list[float]]:
    """Microseconds to find sender and agreement of a message: of known partners, and of partners asked about first."""
    draw = random.Random(11)
    numbers = draw.sample(range(PARTNERS), min(2 * BUSY, PARTNERS))
    strangers, busy = numbers[: len(numbers) // 2], numbers[len(numbers) // 2 :]
    for number in strangers:
        await _find_sender(Directory(store), number)  # so that the store has read their pages
    directory = Directory(store)
    missed = [await _find_sender(directory, number) for number in strangers]
    for number in busy:
        await _find_sender(directory, number)
    return [await _find_sender(directory, number) for number in busy], missed


async def _find_sender(directory: Directory, number: int) -> float:
    """Microseconds that it took."""
    began = time.perf_counter()
    sender = await directory.partner_by("ciq-registration", f"{number:010}")
    assert sender is not None
    found = await directory.agreements(sender.id, Direction.IN)
    took = time.perf_counter() - began
    assert (sender.id, len(found)) == (id_of(number), 1)
    return took * 1e6


async def _while_edited(store: Store) -> tuple[float, float, int]:
    """Look-ups a second, store queries for each edit, and edits."""
    counting = Counting(store)
    directory = Directory(counting)  # type: ignore[arg-type]
    draw = random.Random(7)
    busy = draw.sample(range(PARTNERS), min(BUSY, PARTNERS))
    for number in busy:
        await _ask_all(directory, number)
    counting.asked.clear()
    began = edited = time.perf_counter()
    asked = edits = 0
    while (now := time.perf_counter()) - began < SECONDS:
        if now - edited >= EDIT_SECONDS and began + SECONDS - now > 2 * VERSION_AGE:
            partner = await store.partner(id_of(busy[edits]))
            await store.import_partners([replace(partner, name=f"{partner.name} renamed")], [], [])
            edited, edits = now, edits + 1
        for _ in range(250):
            # Those that were edited are busy too, so each edit is seen.
            await _ask_all(directory, busy[draw.randrange(edits + 1)] if not asked % 1000 else draw.choice(busy))
            asked += 4
        await asyncio.sleep(0)
    took = time.perf_counter() - began
    return asked / took, sum(counting.asked.values()) / max(1, edits), edits


async def _among_strangers(store: Store) -> float:
    """Megabytes by which memory grows, from when the directory is full to when it has seen many times as many."""
    directory = Directory(store)
    full = min(CACHED // 4, STRANGERS // 2)
    grown = 0.0
    for number in range(STRANGERS):
        await _ask_all(directory, number)
        if number == full:
            gc.collect()
            grown = -_resident()
    gc.collect()
    return grown + _resident()


def _resident() -> float:
    """Megabytes of this process's memory."""
    pages = int(Path("/proc/self/statm").read_text("utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
