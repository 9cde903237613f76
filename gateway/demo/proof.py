"""The receipts, verified as a stranger would: from exported files and the public key alone."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, STDOUT
from dataclasses import dataclass
from pathlib import Path

from gateway.demo.house import House
from gateway.receipt.verify import split_notes, valid, verify_log


@dataclass(frozen=True, slots=True)
class Proof:
    """What the verification came to."""

    receipts: int
    stages: dict[str, int]
    problems: tuple[str, ...]
    """Whatever does not hold; empty where all does."""
    changed_byte: str
    """What is said of the same log with one byte of one receipt changed."""


async def prove(house: House, payload_id: str) -> Proof:
    """Export the log and one evidence bundle, and verify both offline."""
    folder = house.folder / "evidence"
    folder.mkdir()
    log, bundle, key = folder / "log.jsonl", folder / f"{payload_id}.zip", folder / "log.vkey"
    vkey, *_ = await asyncio.gather(
        house.command("receipt", "key"),
        house.command("receipt", "export", str(log)),
        house.command("receipt", "bundle", payload_id, str(bundle)),
    )
    key.write_text(vkey, "utf-8")
    vkey = vkey.strip()
    notes = list(split_notes((folder / "log.jsonl.checkpoint").read_text("utf-8").splitlines(keepends=True)))
    lines = log.read_bytes().splitlines(keepends=True)
    problems = [] if valid(found := verify_log(lines, notes, vkey)) else [p.text() for p in found]
    if not lines:
        problems.append("the receipt log is empty")
    changed = verify_log(_with_a_changed_byte(lines), notes, vkey)
    if valid(changed):
        problems.append("a changed byte in the log was not found")
    problems += await _verify_bundle(bundle, key)
    stages: dict[str, int] = {}
    for line in lines:
        stage = line.partition(b'"stage":"')[2].partition(b'"')[0].decode()
        stages[stage] = stages.get(stage, 0) + 1
    return Proof(len(lines), stages, tuple(problems), changed[0].text() if changed else "")


def _with_a_changed_byte(lines: list[bytes]) -> list[bytes]:
    """The same log, but that one receipt gives another time."""
    middle = next((n for n, line in enumerate(lines) if n >= len(lines) // 2 and b'"at":"2' in line), 0)
    return [line.replace(b'"at":"2', b'"at":"1', 1) if n == middle else line for n, line in enumerate(lines)]


async def _verify_bundle(bundle: Path, key: Path) -> list[str]:
    """`gateway receipt verify` in a process that knows the file and the key only; what it says where it fails."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "receipt", "verify", str(bundle), "--key", str(key)),
        cwd=bundle.parent,
        stdout=PIPE,
        stderr=STDOUT,
        start_new_session=True,
    )
    words, _ = await process.communicate()
    return [f"gateway receipt verify {bundle.name}: {words.decode().strip()}"] if process.returncode else []
