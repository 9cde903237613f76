"""The receipts, verified as a stranger would: from exported files and the public key alone."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.demo.house import House
from gateway.receipt.verify import split_notes, valid, verify_log


@dataclass(frozen=True, slots=True)
class EvidenceKind:
    """A kind of evidence that a recipient has something."""

    way: str
    """Name of the transport that gives it."""
    words: str


EVIDENCE_KINDS: Mapping[str, EvidenceKind] = {
    "http_digest": EvidenceKind("http", "digest"),
    "as2_mdn": EvidenceKind("as2", "signed MDN"),
    "smtp_250": EvidenceKind("smtp", "250 of its server"),
    "sftp_fetched": EvidenceKind("sftp", "fetched whole"),
    "folder_rename": EvidenceKind("folder", "put into InBox"),
    "webhook_2xx": EvidenceKind("webhook", "2xx"),
}
"""By what a receipt of the stage `delivered` calls it."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What the verification came to."""

    receipts: int
    stages: dict[str, int]
    problems: tuple[str, ...]
    """Whatever does not hold; empty where all does."""
    changed_byte: str
    """What is said of the same log with one byte of one receipt changed."""
    received: Mapping[str, int]
    """How many payloads came by each transport, by their receipts."""
    delivered: Mapping[str, int]
    """How many deliveries have a receipt by each kind of evidence."""
    bundles: int = 0
    """Evidence bundles that were verified by themselves."""


async def prove(house: House) -> Proof:
    """Export the log, and one evidence bundle for each transport that something came by; verify all of it offline."""
    folder = house.folder / "evidence"
    folder.mkdir()
    log, key = folder / "log.jsonl", folder / "log.vkey"
    vkey, _ = await asyncio.gather(house.command("receipt", "key"), house.command("receipt", "export", str(log)))
    key.write_text(vkey, "utf-8")
    vkey = vkey.strip()
    notes = list(split_notes((folder / "log.jsonl.checkpoint").read_text("utf-8").splitlines(keepends=True)))
    lines = log.read_bytes().splitlines(keepends=True)
    problems = [] if valid(found := verify_log(lines, notes, vkey)) else [p.text() for p in found]
    changed = verify_log(_with_a_changed_byte(lines), notes, vkey)
    if valid(changed):
        problems.append("a changed byte in the log was not found")
    receipts = [json.loads(line)["receipt"] for line in lines]
    received = [one for one in receipts if one["stage"] == "received"]
    delivered = Counter(one["evidence"] for one in receipts if one["stage"] == "delivered")
    problems += find_gaps(house.ways, received, delivered)
    first = {one["transport"]: one["payload"] for one in reversed(received)}
    bundles = {way: folder / f"{way}-{payload}.zip" for way, payload in first.items()}
    for told in await asyncio.gather(*(_bundle(house, first[way], bundles[way], key) for way in first)):
        problems += told
    return Proof(
        len(lines),
        dict(Counter(one["stage"] for one in receipts)),
        tuple(problems),
        changed[0].text() if changed else "",
        Counter(one["transport"] for one in received),
        delivered,
        len(bundles),
    )


def find_gaps(
    ways: Sequence[str], received: Sequence[Mapping[str, Any]], delivered: Mapping[str, int]
) -> Iterator[str]:
    """What no receipt tells of: payloads at all, and deliveries over each of the transports that partners have agreed."""
    if not received:
        yield "no partner could send anything; the logs of the processes say why"
    proven = {EVIDENCE_KINDS[kind].way for kind in delivered if kind in EVIDENCE_KINDS}
    for way in ways:
        if way not in proven:
            yield f"no receipt says that anything was delivered over {way}"
    for kind in delivered:
        if kind not in EVIDENCE_KINDS:
            yield f"receipts name an evidence that the demo does not know: {kind}"


def _with_a_changed_byte(lines: list[bytes]) -> list[bytes]:
    """The same log, but that one receipt gives another time."""
    middle = next((n for n, line in enumerate(lines) if n >= len(lines) // 2 and b'"at":"2' in line), 0)
    return [line.replace(b'"at":"2', b'"at":"1', 1) if n == middle else line for n, line in enumerate(lines)]


async def _bundle(house: House, payload_id: str, bundle: Path, key: Path) -> list[str]:
    """Write an evidence bundle, and let `gateway receipt verify` judge it; what it says where it does not hold."""
    await house.command("receipt", "bundle", payload_id, str(bundle))
    return await _verify_bundle(bundle, key)


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
