"""Backs a store up while gateways are at work on it: all rows as of one moment, and the files they mention.

One format serves both engines, so that a backup of either can be restored into the other (docs/store.md says why not the
engines' own tools). What a reader of SQLite or a REPEATABLE READ transaction of PostgreSQL sees is the moment; nobody is
held up by it. Files of bodies are never changed, and none that a row mentions is swept while the backup holds the payload
folder; what comes meanwhile is mentioned by no row of that moment.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, select

from gateway.errors import ConfigurationInvalid
from gateway.receipt.anchor import names_before
from gateway.receipt.signed import Signer
from gateway.store import migrations, tables
from gateway.store.anchor_copy import read_anchor
from gateway.store.bodies import BodyFiles
from gateway.store.dump import dump_table, rows_of
from gateway.store.log import AUDIT, RECEIPTS, LogTables, read_state
from gateway.store.parts import BACKUP, PartsWriter, writing_parts

README: Final = "README.txt"
README_TEXT: Final = """\
A backup, or an archive, of an EDI message exchange gateway. Verify it, with the log's public key:

    gateway store verify FILE --key VKEY

电子数据交换网关的备份或归档文件。请使用日志公钥验证：

    gateway store verify FILE --key VKEY

tables/*/*.jsonl.gz  rows: gzip, one JSON list a line; manifest.json names the columns
bodies/??/*          what was too large for a row, each named by its SHA-256
anchor/*             the newest checkpoint, as it was kept outside the database
keys/log.pub         the log's public keys
manifest.json        every part before it with its size and SHA-256; manifest.note is its signature
"""
BODIES: Final = "bodies"
ANCHOR: Final = "anchor"
SECRETS: Final = "secrets"
PUBLIC_KEYS: Final = "keys/log.pub"
SIGNING_KEY, SAMPLING_KEY = "signing-key", "sampling-key"
"""Secrets that a backup takes along where they are asked for by name."""

Tell = Callable[[str, int], None]
"""Is told what was done: a table and its rows, or `bodies` and how many files of them so far."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a store is kept."""

    url: str
    payload_folder: Path
    anchor_file: Path


@dataclass(slots=True)
class BackedUp:
    """What a backup came to."""

    path: Path
    size: int = 0
    """Bytes of its parts."""
    rows: int = 0
    bodies: int = 0
    lost: list[str] = field(default_factory=list)
    """Digests of bodies whose files are missing or damaged: the backup has all else."""
    origin: str = ""
    entries: int = 0
    """Entries of the receipt log."""


def back_up(
    place: Place,
    signer: Signer,
    into: Path,
    *,
    said: Mapping[str, Any],
    secrets: Mapping[str, bytes] | None = None,
    tell: Tell = lambda _what, _count: None,
) -> BackedUp:
    """Write a backup of the store to a new file; `said` stands in its manifest, beside what the store says.

    FileExistsError where something is at `into`. ConfigurationInvalid where there is no store of this version.
    """
    found = migrations.version(place.url)
    if found != migrations.head():
        hint = "back it up with the version of the gateway that it is of" if found else "there is no store there"
        raise ConfigurationInvalid(f"the store's tables are at {found or 'nothing'}, not {migrations.head()}: {hint}")
    done = BackedUp(into)
    if into.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(into))
    files = BodyFiles(place.payload_folder)
    with files.kept_from_removal(), writing_parts(into) as parts:
        parts.add(README, README_TEXT.encode())
        # Before the rows: an anchor that is ahead of them would say that the store was set back.
        for name, content in read_anchor(place.anchor_file).items():
            parts.add(f"{ANCHOR}/{name}", content)
        for name, content in (secrets or {}).items():
            parts.add(f"{SECRETS}/{name}", content)
        work = _Work(signer, parts, files, dict(said), tell, done)
        migrations.snapshot(place.url, work.write)
    done.size = parts.size
    return done


@dataclass(slots=True)
class _Work:
    """What is written within the transaction that sees one moment."""

    signer: Signer
    parts: PartsWriter
    files: BodyFiles
    said: dict[str, Any]
    tell: Tell
    done: BackedUp

    def write(self, connection: Connection) -> None:
        """Write the rows, the files they mention, and the manifest."""
        dumped: dict[str, Any] = {}
        for one in tables.metadata.sorted_tables:
            writer = dump_table(connection, one, self.parts)
            dumped[one.name] = writer.said()
            self.done.rows += writer.count
            self.tell(one.name, writer.count)
        for sha256 in _mentioned(connection):
            self._add_body(sha256)
        if self.done.bodies:
            self.tell(BODIES, self.done.bodies)
        state = read_state(connection)
        origin = state.origin if state is not None else self.signer.name
        self.done.origin, self.done.entries = origin, state.frontier.size if state is not None else 0
        signer = self.signer.renamed(origin)
        earlier = [self.signer.renamed(name).vkey for name in names_before(origin)]
        self.parts.add(PUBLIC_KEYS, "".join(f"{key}\n" for key in (signer.vkey, *earlier)).encode())
        self.parts.finish(
            {
                **self.said,
                "kind": BACKUP,
                "schema": migrations.head(),
                "engine": connection.dialect.name,
                "origin": origin,
                "checkpoint": newest_note(connection, RECEIPTS),
                "audit_checkpoint": newest_note(connection, AUDIT),
                "tables": dumped,
                "lost": self.done.lost,
            },
            signer,
        )

    def _add_body(self, sha256: str) -> None:
        try:
            part = self.parts.add_file(body_part(sha256), self.files.path(sha256))
        except FileNotFoundError:
            self.done.lost.append(sha256)
            return
        if part.sha256 != sha256:
            self.done.lost.append(sha256)
        self.done.bodies += 1
        if self.done.bodies % _TELL_EACH == 0:
            self.tell(BODIES, self.done.bodies)


_TELL_EACH: Final = 1000


def _mentioned(connection: Connection) -> Iterator[str]:
    files = tables.body_files.c
    last = ""
    for (sha256,) in rows_of(connection, select(files.sha256).order_by(files.sha256)):
        if sha256 != last:  # a body may be several owners'
            last = sha256
            yield sha256


def newest_note(connection: Connection, kept: LogTables) -> str:
    """The newest checkpoint of a log, empty where it has none."""
    columns = kept.checkpoints.c
    found = connection.execute(select(columns.note).order_by(columns.size.desc()).limit(1)).scalar()
    return found or ""


def body_part(sha256: str) -> str:
    """The part that holds a large body."""
    return f"{BODIES}/{sha256[:2]}/{sha256}"
