"""Folders, in and out, laid out as the trade's client software does it: OutBox, SentBox, FailBox, InBox.

In: a partner's software puts files into OutBox (writing under another name and renaming, or ending in
.tmp or .part while it writes). After the commit a file moves to SentBox with its receipt beside it;
a file that is refused moves to FailBox with the reason beside it. Out: a delivery is written to InBox
under a name made of its id, so that a repetition overwrites itself and nothing is delivered twice.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from pathlib import Path

import structlog

from gateway.errors import DeliveryDeferred, DeliveryRefused, PermanentError, TemporaryError
from gateway.model import Agreement, Delivery
from gateway.transports.base import Arrival, Evidence, Intake

EXTENSIONS = {"edifact": "edi", "x12": "x12", "xml": "xml", "json": "json"}
_UNFINISHED = (".tmp", ".part", ".filepart", ".swp")

log = structlog.get_logger(__name__)


class FolderSender:
    """Writes deliveries into the agreement's folder; a rename makes each appear whole."""

    async def send(self, delivery: Delivery, agreement: Agreement) -> Evidence:
        """Write the delivery into `InBox` of the agreement's `folder`."""
        folder = agreement.options.get("folder", "")
        if not folder:
            raise DeliveryRefused("The agreement names no folder.")
        extension = EXTENSIONS.get(delivery.format.partition(":")[0], "bin")
        target = Path(folder) / "InBox" / f"{delivery.document_type or delivery.kind}-{delivery.id}.{extension}"
        try:
            await asyncio.to_thread(_write_durably, target, delivery.body)
        except OSError as error:
            raise DeliveryDeferred(f"{type(error).__name__}: {error.strerror}") from error
        return Evidence("delivered", "folder_rename", target.name, b"", hashlib.sha256(delivery.body).hexdigest())

    async def close(self) -> None:
        """Nothing is kept open."""


class FolderReceiver:
    """Watches one partner's OutBox and hands what it finds to the intake."""

    def __init__(
        self, folder: Path, partner_id: str, intake: Intake, *, poll_seconds: float, test: bool = False
    ) -> None:
        """`folder` holds (or gets) OutBox, SentBox, FailBox and InBox."""
        self._folder = folder
        self._partner_id = partner_id
        self._intake = intake
        self._poll_seconds = poll_seconds
        self._test = test
        self._sizes: dict[str, int] = {}

    async def run(self) -> None:
        """Poll until cancelled. Polling sees files on network shares too, which notifications do not."""
        for name in ("OutBox", "SentBox", "FailBox", "InBox"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        while True:
            try:
                await self.poll()
            except TemporaryError as error:
                log.warning("folder_deferred", partner=self._partner_id, reason=str(error))
                await asyncio.sleep(error.retry_after)
            except OSError as error:
                log.warning("folder_unreadable", partner=self._partner_id, reason=str(error))
            await asyncio.sleep(self._poll_seconds)

    async def poll(self) -> int:
        """Take in every file whose size has not changed since the last look; how many were taken."""
        found = await asyncio.to_thread(_finished_files, self._folder / "OutBox")
        taken = 0
        for path, size in found:
            if self._sizes.get(path.name) == size:
                await self._take(path)
                taken += 1
        self._sizes = {path.name: size for path, size in found}
        return taken

    async def _take(self, path: Path) -> None:
        """Hand one file to the intake and move it to where its fate is seen."""
        body = await asyncio.to_thread(path.read_bytes)
        # A crash between commit and move finds the file again: its name and digest make it the same sending.
        transport_id = f"{path.name}:{hashlib.sha256(body).hexdigest()}"
        try:
            accepted = await self._intake(
                Arrival(self._partner_id, "folder", body, transport_id, filename=path.name, test=self._test)
            )
        except PermanentError as error:
            reason = json.dumps({"refused": type(error).__name__, "reason": str(error)}, ensure_ascii=False).encode()
            await asyncio.to_thread(_move, path, self._folder / "FailBox", ".reason.json", reason)
            log.info("folder_refused", partner=self._partner_id, file=path.name, reason=str(error))
            return
        await asyncio.to_thread(_move, path, self._folder / "SentBox", ".receipt.json", accepted.receipt.body)


def _finished_files(folder: Path) -> list[tuple[Path, int]]:
    """Files that are not marked as unfinished, oldest first, with their sizes."""
    files = []
    for entry in os.scandir(folder):
        if entry.is_file(follow_symlinks=False) and not entry.name.endswith(_UNFINISHED) and entry.name[0] != ".":
            status = entry.stat()
            files.append((status.st_mtime_ns, entry.name, status.st_size))
    return [(folder / name, size) for _, name, size in sorted(files)]


def _move(path: Path, folder: Path, suffix: str, beside: bytes) -> None:
    """Move `path` to `folder`, with `beside` written next to it first."""
    _write_durably(folder / f"{path.name}{suffix}", beside)
    path.replace(folder / path.name)


def _write_durably(target: Path, body: bytes) -> None:
    """Write and fsync under a temporary name, rename, fsync the folder."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.tmp")
    with temporary.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
