"""Bodies of payloads and deliveries, kept by their content: small ones as rows, large ones as files.

A file is complete and on the disk before the transaction that mentions it commits; a file that no
row mentions was left by a crash or a failed transaction, and a sweep removes it.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import Connection, select

from gateway import durable
from gateway.errors import LogDamaged
from gateway.model import Payload
from gateway.store import tables
from gateway.store.batch import Batch
from gateway.store.sql import among

LARGEST_ROW = 64 * 1024
"""Bytes up to which a body is a row: SQLite reads and writes such blobs faster than files of their own."""


def digest(body: bytes) -> str:
    """The name of a body: its sha256 in hex."""
    return hashlib.sha256(body).hexdigest()


def check_digest(sha256: str, body: bytes) -> None:
    """ValueError unless `sha256` is the digest of `body`."""
    if digest(body) != sha256:
        raise ValueError("a body is not what its digest says")


class BodyFiles:
    """The folder of large bodies: `ab/abcdef...`, by sha256."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, sha256: str) -> Path:
        """Where the body of that digest is, if it is a file."""
        return self._folder / sha256[:2] / sha256

    def keep(self, sha256: str, body: bytes) -> None:
        """Write a body unless it is there; it is on the disk when this returns. OSError where it cannot be."""
        target = self.path(sha256)
        if target.exists():
            os.utime(target)  # young again, so that a sweep under way leaves it alone
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f"{sha256}.{secrets.token_hex(4)}.part")
        try:
            with draft.open("xb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(target)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        for folder in (target.parent, self._folder):
            _sync_folder(folder)

    def adopt(self, sha256: str, path: Path) -> None:
        """Keep what the finished file at `path` holds, as `keep` does; the file is gone from there when this returns.

        The file lies on the same file system as the folder, and its digest is `sha256`.
        """
        target = self.path(sha256)
        if target.exists():
            os.utime(target)
            path.unlink()
            return
        durable.make_folder(target.parent)
        durable.sync_file(path)
        path.replace(target)
        durable.sync_folder(target.parent)

    def whole(self, sha256: str, size: int) -> str:
        """The path of the file of that body; empty where it is missing, or has another size."""
        path = self.path(sha256)
        try:
            return str(path) if path.stat().st_size == size else ""
        except FileNotFoundError:
            return ""

    def read(self, sha256: str) -> bytes:
        """The body of that digest; LogDamaged where its file is missing."""
        try:
            return self.path(sha256).read_bytes()
        except FileNotFoundError as error:
            raise LogDamaged("the file of a stored body is missing", sha256=sha256) from error

    def old_files(self, age_seconds: float) -> Iterable[Path]:
        """Files that nobody has touched for so long, unfinished ones too."""
        return (path for path in self._folder.glob("??/*") if _is_old(path, age_seconds))

    @staticmethod
    def remove_old(path: Path, age_seconds: float) -> bool:
        """Remove one of `old_files` unless somebody has touched it since; whether it was removed."""
        if not _is_old(path, age_seconds):
            return False
        path.unlink()
        return True


def _is_old(path: Path, age_seconds: float) -> bool:
    return path.stat().st_mtime < time.time() - age_seconds


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def content(payload: Payload) -> bytes:
    """All bytes of a payload, from wherever they are; LogDamaged where its file is missing."""
    if not payload.path and len(payload.body) != payload.size:
        raise LogDamaged("the file of a stored body is missing", sha256=payload.sha256)
    return Path(payload.path).read_bytes() if payload.path else payload.body


def insert_body(batch: Batch, sha256: str, body: bytes) -> None:
    """Collect the row of a small body; a large one must be a file already."""
    if len(body) <= LARGEST_ROW:
        batch.insert(tables.bodies, (sha256, body), "ignore")


def read_bodies(connection: Connection, files: BodyFiles, digests: Iterable[str]) -> dict[str, bytes]:
    """Bodies by digest, from rows and files; LogDamaged where one is missing."""
    found, missing = _bodies(connection, files, digests)
    for error in missing.values():
        raise error
    return found


def bodies_there(connection: Connection, files: BodyFiles, digests: Iterable[str]) -> dict[str, bytes]:
    """As `read_bodies`, without those that are missing: one lost file must not keep all others from being read."""
    return _bodies(connection, files, digests)[0]


def _bodies(
    connection: Connection, files: BodyFiles, digests: Iterable[str]
) -> tuple[dict[str, bytes], dict[str, LogDamaged]]:
    wanted = set(digests)
    bodies = tables.bodies
    query = select(bodies.c.sha256, bodies.c.body).where(among(bodies.c.sha256, wanted))
    found = {row.sha256: row.body for row in connection.execute(query)}
    missing: dict[str, LogDamaged] = {}
    for sha256 in wanted - found.keys():
        try:
            found[sha256] = files.read(sha256)
        except LogDamaged as error:
            missing[sha256] = error
    return found, missing


def mentioned(connection: Connection, digests: Iterable[str]) -> set[str]:
    """Those of `digests` that a payload, a delivery or a feed has."""
    wanted = list(digests)
    found: set[str] = set()
    owners = (tables.payloads, tables.deliveries, tables.deliveries_done, tables.staged_deliveries, tables.feed)
    for table in owners:
        query = select(table.c.sha256).where(among(table.c.sha256, wanted))
        found.update(connection.execute(query).scalars())
    return found
