"""Bodies of payloads, deliveries and feeds: small ones as rows, large ones as files named by their content.

A file is complete and on the disk before the transaction that mentions it commits; a file that no
row mentions was left by a crash or a failed transaction, and a sweep removes it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, bindparam, select

from gateway import durable
from gateway.errors import Archived, BodyLost, ConfigurationInvalid
from gateway.model import Payload
from gateway.store import tables
from gateway.store.batch import Batch
from gateway.store.body_rows import body_row, key_of
from gateway.store.contract import Kept
from gateway.store.sql import among

LARGEST_ROW = 64 * 1024
"""Bytes up to which a body is a row: SQLite reads and writes such blobs faster than files of their own."""


ARCHIVED_BODY = "body"
"""How `tables.archived` calls a body."""


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
        """Keep a body; it is on the disk when this returns, whoever wrote it. OSError where it cannot be."""
        target = self.path(sha256)
        if not _settle(target, len(body)):
            durable.write_file(target, body)

    def adopt(self, sha256: str, path: Path) -> None:
        """Keep what the finished file at `path` holds, as `keep` does; the file is gone from there when this returns.

        It is moved where it lies on the same file system as the folder, else copied. The caller has found that
        its digest is `sha256`.
        """
        target = self.path(sha256)
        if _settle(target, path.stat().st_size):
            path.unlink()
        else:
            durable.adopt_file(path, target)

    def whole(self, sha256: str, size: int) -> str:
        """The path of the file of that body; empty where it is missing, or has another size."""
        path = self.path(sha256)
        try:
            return str(path) if path.stat().st_size == size else ""
        except FileNotFoundError:
            return ""

    def read(self, sha256: str) -> bytes:
        """The body of that digest; BodyLost where its file is missing."""
        try:
            return self.path(sha256).read_bytes()
        except FileNotFoundError as error:
            raise BodyLost.of(sha256) from error

    def old_files(self, age_seconds: float) -> Iterable[Path]:
        """Files that nobody has touched for so long, unfinished ones too."""
        return (path for path in self._folder.glob("??/*") if _is_old(path, age_seconds))

    @contextmanager
    def kept_from_removal(self) -> Iterator[None]:
        """No file is removed meanwhile, by any node: for whoever copies what a moment's rows mention.

        ConfigurationInvalid where the file system has no locks, so that nobody would know.
        """
        durable.make_folder(self._folder)
        with durable.opened_folder(self._folder) as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_SH)  # let go when the handle is closed
            except OSError as error:
                raise ConfigurationInvalid(f"store.payload_folder {self._folder} cannot be locked: {error}") from error
            yield

    @contextmanager
    def removing(self) -> Iterator[bool]:
        """Whether files may be removed now; meanwhile nobody begins to copy them. Nobody is waited for."""
        try:
            with durable.opened_folder(self._folder) as handle:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:  # somebody copies them, or the file system knows no locks
                    yield False
                else:
                    yield True
        except FileNotFoundError:
            yield False

    @staticmethod
    def remove_old(path: Path, age_seconds: float) -> bool:
        """Remove one of `old_files` unless somebody has touched it since; whether it was removed."""
        try:
            with _held(path.parent, fcntl.LOCK_EX):
                if not _is_old(path, age_seconds):
                    return False
                path.unlink()
        except FileNotFoundError:  # another node's sweep was here first
            return False
        return True


def _is_old(path: Path, age_seconds: float) -> bool:
    """Whether nobody has touched the file for so long; what is gone by now is not old."""
    try:
        return path.stat().st_mtime < time.time() - age_seconds
    except FileNotFoundError:
        return False


def _settle(path: Path, size: int) -> bool:
    """Make a body durable that is there already; whether it is, in its size, and no sweep has taken it.

    Whoever wrote it may still be waiting for the disk, so that each one who answers for it syncs it. That costs
    little where it is on the disk, and much less than writing it again.
    """
    try:
        if path.stat().st_size != size:
            return False
        with _held(path.parent, fcntl.LOCK_SH):
            os.utime(path)  # young again, so that a sweep leaves it alone; one that took it first is seen here
        durable.make_durable(path)
    except FileNotFoundError:
        return False
    return True


@contextmanager
def _held(folder: Path, kind: int) -> Iterator[None]:
    """The folder locked, between processes too: between a sweep's look at a file and its removal nobody touches it."""
    with durable.opened_folder(folder) as handle:
        try:
            fcntl.flock(handle, kind)  # let go when the handle is closed
        except OSError:
            if kind == fcntl.LOCK_EX:
                raise  # on a file system without locks nothing is swept
        yield


def whole(payload: Payload) -> Kept:
    """All bytes of a payload, wherever they are; BodyLost where its file is missing."""
    if not payload.path and len(payload.body) != payload.size:
        raise BodyLost.of(payload.sha256)
    return Kept(payload.size, b"" if payload.path else payload.body, payload.path)


def content(payload: Payload) -> bytes:
    """All bytes of a payload, read from wherever they are; BodyLost where its file is missing."""
    kept = whole(payload)
    if not kept.path:
        return kept.body
    try:
        return Path(kept.path).read_bytes()
    except FileNotFoundError as error:  # removed since the payload was read
        raise BodyLost.of(payload.sha256) from error


def beginning(payload: Payload) -> bytes:
    """The first bytes of a payload, enough to tell its syntax; none where its file is missing."""
    if not payload.path:
        return payload.body[:_BEGINNING]
    try:
        with Path(payload.path).open("rb") as file:
            return file.read(_BEGINNING)
    except FileNotFoundError:
        return b""


_BEGINNING = 4096


def note_file(batch: Batch, owner_id: str, sha256: str) -> None:
    """Collect the note that somebody's body is a file, which must be there already."""
    batch.insert(tables.body_files, (owner_id, sha256), "ignore")


def insert_body(batch: Batch, owner_id: str, sha256: str, body: bytes) -> None:
    """Collect the row of a small body, or the note of a large one, which must be a file already."""
    if len(body) > LARGEST_ROW:
        note_file(batch, owner_id, sha256)
        return
    batch.insert(tables.bodies, body_row(owner_id, sha256, body), "ignore")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A body to read: whose, and which."""

    owner_id: str
    sha256: str


def read_bodies(connection: Connection, files: BodyFiles, wanted: Iterable[Wanted]) -> dict[str, bytes]:
    """Bodies by digest, from rows and files; Archived where one was archived, BodyLost where it is missing."""
    wanted = list(wanted)
    found, missing = _bodies(connection, files, wanted)
    for one in wanted:
        if one.sha256 in missing:
            check_not_archived(connection, one)
            raise missing[one.sha256]
    return found


def find_kept(connection: Connection, files: BodyFiles, wanted: Wanted) -> Kept:
    """One body as it is kept, without reading a large one; Archived where it was archived, BodyLost where it is missing."""
    body = small_bodies(connection, [wanted]).get(wanted.sha256)
    if body is not None:
        return Kept(len(body), body)
    path = files.path(wanted.sha256)
    try:
        return Kept(path.stat().st_size, path=str(path))
    except FileNotFoundError as error:
        check_not_archived(connection, wanted)
        raise BodyLost.of(wanted.sha256) from error


_ARCHIVED = select(tables.archived.c.archive).where(
    tables.archived.c.kind == ARCHIVED_BODY, tables.archived.c.id == bindparam("key")
)


def check_not_archived(connection: Connection, wanted: Wanted) -> None:
    """Archived, with where it is, if somebody's body was moved to an archive."""
    found = connection.execute(_ARCHIVED, {"key": key_of(wanted.owner_id, wanted.sha256)}).scalar()
    if found is not None:
        raise Archived.of(found)


def bodies_there(connection: Connection, files: BodyFiles, wanted: Iterable[Wanted]) -> dict[str, bytes]:
    """As `read_bodies`, without those that are missing: one lost file must not keep all others from being read."""
    return _bodies(connection, files, wanted)[0]


def small_bodies(connection: Connection, wanted: Iterable[Wanted]) -> dict[str, bytes]:
    """Bodies by digest, of those that are rows."""
    keys = {key_of(one.owner_id, one.sha256): one.sha256 for one in wanted}
    found = _rows(connection, keys)
    older = {sha256: sha256 for sha256 in keys.values() if sha256 not in found}
    return found | _rows(connection, older) if older else found


_BY_KEY = select(tables.bodies).where(among.named(tables.bodies.c.key, "keys"))


def _rows(connection: Connection, keys: Mapping[str, str]) -> dict[str, bytes]:
    """Bodies by digest, of those whose key is one of `keys`, which gives the digest of each."""
    if not keys:
        return {}
    rows = connection.execute(_BY_KEY, {"keys": list(keys)})
    return {keys[row.key]: zlib.decompress(row.body) if row.packed else row.body for row in rows}


def _bodies(
    connection: Connection, files: BodyFiles, wanted: Iterable[Wanted]
) -> tuple[dict[str, bytes], dict[str, BodyLost]]:
    every = set(wanted)
    found = small_bodies(connection, every)
    missing: dict[str, BodyLost] = {}
    for sha256 in {one.sha256 for one in every} - found.keys():
        try:
            found[sha256] = files.read(sha256)
        except BodyLost as error:
            missing[sha256] = error
    return found, missing


def mentioned(connection: Connection, digests: Iterable[str]) -> set[str]:
    """Those of `digests` that a payload, a delivery or a feed has as a file."""
    files = tables.body_files.c
    return set(connection.execute(select(files.sha256).where(among(files.sha256, digests))).scalars())
