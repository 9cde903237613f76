"""Bodies on their way in: small ones in memory, larger ones written to disk as they come, and all of them bounded.

A large body is hashed while it is written, into the spool folder on the file system of the payload folder, and
becomes a stored body by a rename: it is never in memory whole, finished or not. What is under way is counted for
each partner and in all, so that a sender is told to come later before memory or disk run out. Whoever is refused, or
breaks off, leaves nothing; what a crash leaves is swept at the next start.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import shutil
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

from gateway.config import Limits, Settings
from gateway.durable import make_folder
from gateway.errors import Overloaded, PayloadTooLarge, StorageFull
from gateway.store.bodies import LARGEST_ROW

T = TypeVar("T")

FOLDER = "spool"
"""Below the payload folder, whose own names have two characters."""

_PIECE = 256 * 1024
"""Bytes that are gathered before they are written: so much of each body under way is in memory."""

_LEFT_SECONDS = 3600.0
"""Age at which an untouched file in the spool is taken for left: a body that comes at the slowest rate is written
to every few seconds, and several nodes may share the folder."""


@dataclass(frozen=True, slots=True)
class Received:
    """A body that has come to its end."""

    sha256: bytes
    size: int
    body: bytes
    """All of it, or nothing where it is in a file."""
    path: Path | None = None
    """The file that holds it; whoever keeps it takes the file away."""


def refuse_size(size: int, limits: Limits) -> None:
    """PayloadTooLarge where a payload has more bytes than one may."""
    if size > limits.payload_bytes:
        raise PayloadTooLarge(f"At most {limits.payload_bytes} bytes are taken in one payload.")


class Spool:
    """Takes in bodies."""

    def __init__(self, settings: Settings) -> None:
        """The folder is made when it is first needed."""
        self._folder = settings.store.payload_folder / FOLDER
        self._floor = settings.store.free_bytes
        self.limits = settings.limits
        self._by_partner = Counter[str]()

    @property
    def under_way(self) -> int:
        """Bytes of all bodies that are being taken in, as announced or as come."""
        return self._by_partner.total()

    @asynccontextmanager
    async def taking(self, partner_id: str, announced: int | None) -> AsyncIterator[Taking]:
        """Take in one body, of so many bytes where its sender has said so; its file is gone afterwards unless kept.

        Raises PayloadTooLarge, Overloaded, StorageFull, here or as pieces are added.
        """
        taking = Taking(self, partner_id)
        try:
            taking.expect(announced or 0)
            yield taking
        finally:
            taking.close()

    def copy(self, stream: BinaryIO) -> Received:
        """The rest of `stream`, in the spool where it is large, to be discarded once it is kept. For threads."""
        body = stream.read(LARGEST_ROW + 1)
        if len(body) <= LARGEST_ROW:
            return Received(hashlib.sha256(body).digest(), len(body), body)
        draft, size = self.draft(), 0
        try:
            while body:
                size += len(body)
                refuse_size(size, self.limits)
                draft.write(body)
                body = stream.read(_PIECE)
        except BaseException:
            draft.remove()
            raise
        return Received(draft.hash.digest(), size, b"", draft.path)

    @staticmethod
    def discard(received: Received) -> None:
        """Remove the file of a body unless somebody has taken it away."""
        if received.path is not None:
            received.path.unlink(missing_ok=True)

    def reserve(self, partner_id: str, size: int) -> None:
        """Count bytes as under way; Overloaded where they would be too many."""
        of_partner, of_all = self._by_partner[partner_id] + size, self.under_way + size
        if of_partner > self.limits.partner_bytes_under_way or of_all > self.limits.bytes_under_way:
            raise Overloaded("Too much is on its way already; try again later.")
        self._by_partner[partner_id] = of_partner

    def release(self, partner_id: str, size: int) -> None:
        """Undo `reserve`."""
        self._by_partner[partner_id] -= size
        if not self._by_partner[partner_id]:
            del self._by_partner[partner_id]

    @contextmanager
    def reserved(self, partner_id: str, size: int) -> Iterator[None]:
        """Bytes counted as under way as long as this is open; Overloaded where they would be too many."""
        self.reserve(partner_id, size)
        try:
            yield
        finally:
            self.release(partner_id, size)

    def scratch(self, size: int) -> Path:
        """The path of a file to be made, of about so many bytes; whoever makes it removes it. For threads.

        StorageFull where it would leave less room than must be free.
        """
        make_folder(self._folder)
        if shutil.disk_usage(self._folder).free - size < self._floor:
            raise StorageFull
        return self._folder / secrets.token_hex(16)

    def draft(self) -> _Draft:
        """A file to write to."""
        return _Draft(self._folder, self._floor)

    def sweep(self) -> int:
        """Remove what a crash has left in the folder; how many files."""
        removed = 0
        for path in self._folder.glob("*"):
            with suppress(OSError):
                if path.stat().st_mtime < time.time() - _LEFT_SECONDS:
                    path.unlink()
                    removed += 1
        return removed


class Taking:
    """One body that is being taken in."""

    def __init__(self, spool: Spool, partner_id: str) -> None:
        self._spool = spool
        self._partner_id = partner_id
        self._reserved = 0
        self._pieces: list[bytes] = []
        self._gathered = 0
        self._draft: _Draft | None = None
        self.size = 0

    def expect(self, size: int) -> None:
        """Make room for a body of so many bytes in all."""
        refuse_size(size, self._spool.limits)
        if size > self._reserved:
            self._spool.reserve(self._partner_id, size - self._reserved)
            self._reserved = size

    async def add(self, piece: bytes) -> None:
        """The next bytes of the body."""
        self.size += len(piece)
        self.expect(self.size)
        self._pieces.append(piece)
        self._gathered += len(piece)
        if self._gathered >= _PIECE:
            await self._write()

    async def finished(self) -> Received:
        """The body, now that all of it has come."""
        if self._draft is None and self.size <= LARGEST_ROW:
            body = b"".join(self._pieces)
            return Received(hashlib.sha256(body).digest(), self.size, body)
        await self._write()
        assert self._draft is not None, "it was made when the first bytes were written"
        return Received(self._draft.hash.digest(), self.size, b"", self._draft.path)

    async def _write(self) -> None:
        if self._draft is None:
            self._draft = self._spool.draft()
        pieces, self._pieces, self._gathered = b"".join(self._pieces), [], 0
        if pieces:
            await finished(lambda: self._draft.write(pieces) if self._draft is not None else None)

    def close(self) -> None:
        """Let go of it."""
        self._spool.release(self._partner_id, self._reserved)
        self._pieces.clear()
        if self._draft is not None:
            self._draft.remove()


async def finished(work: Callable[[], T]) -> T:
    """What `work` gives, run in a thread and not left before it has ended: what it writes is removed by whoever leaves."""
    running = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise


class _Draft:
    """A file that grows. It is opened for each writing, so that bodies under way hold no open files."""

    def __init__(self, folder: Path, floor: int) -> None:
        self.path = folder / secrets.token_hex(16)
        self.hash = hashlib.sha256()
        self._floor = floor
        self._made = False

    def write(self, piece: bytes) -> None:
        """Append; StorageFull where that would leave less room than must be free."""
        if not self._made:
            make_folder(self.path.parent)
            self._made = True
        if shutil.disk_usage(self.path.parent).free - len(piece) < self._floor:
            raise StorageFull
        with self.path.open("ab") as file:
            file.write(piece)
        self.hash.update(piece)

    def remove(self) -> None:
        """Remove the file, if it is still here."""
        if self._made:
            self.path.unlink(missing_ok=True)
