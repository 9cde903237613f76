"""Bodies of payloads, deliveries and feeds: small ones as rows, large ones as files named by their content.

A file is complete and on the disk before the transaction that mentions it commits; a file that no
row mentions was left by a crash or a failed transaction, and a sweep removes it.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import time
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, select

from gateway.errors import LogDamaged
from gateway.model import TIME_DIGITS
from gateway.store import tables
from gateway.store.batch import Batch
from gateway.store.sql import among, deflated

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


def key_of(owner_id: str, sha256: str) -> str:
    """The key of a small body: its owner's time, and its digest.

    Bodies of what came together stand side by side, so that writing them touches few pages however many there are,
    and what one message hands to several recipients alike is kept once. By digest alone, each would touch a page of its own.
    """
    return owner_id[:TIME_DIGITS] + base64.urlsafe_b64encode(bytes.fromhex(sha256)).decode().rstrip("=")


def insert_body(batch: Batch, owner_id: str, sha256: str, body: bytes) -> None:
    """Collect the row of a small body, or the note of a large one, which must be a file already."""
    if len(body) > LARGEST_ROW:
        batch.insert(tables.body_files, (sha256,), "ignore")
        return
    kept = deflated(body)
    batch.insert(tables.bodies, (key_of(owner_id, sha256), kept, kept is not body), "ignore")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A body to read: whose, and which."""

    owner_id: str
    sha256: str


def read_bodies(connection: Connection, files: BodyFiles, wanted: Iterable[Wanted]) -> dict[str, bytes]:
    """Bodies by digest, from rows and files; LogDamaged where one is missing."""
    found, missing = _bodies(connection, files, wanted)
    for error in missing.values():
        raise error
    return found


def bodies_there(connection: Connection, files: BodyFiles, wanted: Iterable[Wanted]) -> dict[str, bytes]:
    """As `read_bodies`, without those that are missing: one lost file must not keep all others from being read."""
    return _bodies(connection, files, wanted)[0]


def small_bodies(connection: Connection, wanted: Iterable[Wanted]) -> dict[str, bytes]:
    """Bodies by digest, of those that are rows."""
    keys = {key_of(one.owner_id, one.sha256): one.sha256 for one in wanted}
    found = _rows(connection, keys)
    older = {sha256: sha256 for sha256 in keys.values() if sha256 not in found}
    return found | _rows(connection, older) if older else found


def _rows(connection: Connection, keys: Mapping[str, str]) -> dict[str, bytes]:
    """Bodies by digest, of those whose key is one of `keys`, which gives the digest of each."""
    if not keys:
        return {}
    query = select(tables.bodies).where(among(tables.bodies.c.key, keys))
    return {keys[row.key]: zlib.decompress(row.body) if row.packed else row.body for row in connection.execute(query)}


def _bodies(
    connection: Connection, files: BodyFiles, wanted: Iterable[Wanted]
) -> tuple[dict[str, bytes], dict[str, LogDamaged]]:
    every = set(wanted)
    found = small_bodies(connection, every)
    missing: dict[str, LogDamaged] = {}
    for sha256 in {one.sha256 for one in every} - found.keys():
        try:
            found[sha256] = files.read(sha256)
        except LogDamaged as error:
            missing[sha256] = error
    return found, missing


def mentioned(connection: Connection, digests: Iterable[str]) -> set[str]:
    """Those of `digests` that a payload, a delivery or a feed has as a file."""
    files = tables.body_files.c
    return set(connection.execute(select(files.sha256).where(among(files.sha256, digests))).scalars())
