"""The file of a backup or an archive: parts one after the other, the signed list of them last.

It is a tar file (POSIX 1003.1, pax Interchange Format, ustar headers with GNU's large sizes), so that any tar shows and
unpacks it. `manifest.json` lists each part with its size and SHA-256, and says what the whole is; `manifest.note` is the
log's signature over the manifest's digest (C2SP signed-note). A file that was cut has neither.

Parts are written as they come and read as they lie: nothing is sought, so that a pipe will do.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final

from gateway import durable
from gateway.errors import BackupInvalid, ReceiptInvalid
from gateway.receipt.anchor import base_name
from gateway.receipt.signed import Signer, Verifier, canonical

VERSION: Final = 1
"""The version of the format; a manifest says it."""
MANIFEST: Final = "manifest.json"
NOTE: Final = "manifest.note"
BACKUP, ARCHIVE = "backup", "archive"
"""What a file may be."""
MODE: Final = 0o600
"""Who may read such a file: it holds what partners sent."""
LARGEST_MANIFEST: Final = 1 << 30
"""Bytes of a manifest that is read: a list of seven million bodies."""
PIECE: Final = 1 << 20
"""Bytes copied at once."""
_NOTE_BEGINS: Final = "EDI gateway: manifest"
"""How the signed text begins. It has two lines, and a checkpoint has three or more, so that neither can be the other."""
_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,150}(/[A-Za-z0-9_-][A-Za-z0-9._-]{0,150}){0,3}")


@dataclass(frozen=True, slots=True)
class Part:
    """A part as the manifest lists it."""

    name: str
    size: int
    sha256: str


@dataclass(slots=True)
class PartsWriter:
    """Writes parts into an open file, and remembers them for the manifest."""

    _tar: tarfile.TarFile
    parts: list[Part] = field(default_factory=list)
    size: int = 0
    """Bytes of all parts so far."""

    def add(self, name: str, content: bytes) -> Part:
        """Write a part."""
        return self._copy(name, len(content), io.BytesIO(content))

    def add_file(self, name: str, path: Path) -> Part:
        """Write a part that is a file, piece by piece. OSError where it cannot be read, or becomes shorter meanwhile."""
        with path.open("rb") as source:
            return self._copy(name, os.fstat(source.fileno()).st_size, source)

    def _copy(self, name: str, size: int, source: BinaryIO) -> Part:
        assert _NAME.fullmatch(name), name
        info = tarfile.TarInfo(name)
        info.size, info.mode = size, MODE
        hashing = _Hashing(source)
        self._tar.addfile(info, hashing)
        _forget(self._tar)
        part = Part(name, size, hashing.digest.hexdigest())
        self.parts.append(part)
        self.size += size
        return part

    def finish(self, said: Mapping[str, Any], signer: Signer) -> None:
        """Write the manifest, which says `said` of the whole, and its signature."""
        listed = [[part.name, part.size, part.sha256] for part in self.parts]
        manifest = canonical({**said, "format": "edi-gateway", "version": VERSION, "parts": listed, "key": signer.vkey})
        digest = hashlib.sha256(manifest).hexdigest()
        self.add(MANIFEST, manifest)
        self.add(NOTE, signer.sign(f"{_NOTE_BEGINS}\nsha256 {digest}\n").encode())


def _forget(tar: tarfile.TarFile) -> None:
    """Let a tar file not remember what it holds: that may be millions of bodies."""
    tar.members.clear()  # type: ignore[attr-defined]  # which the type stubs leave out


class _Hashing:
    """A file that is hashed as it is read."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        piece = self._source.read(size)
        self.digest.update(piece)
        return piece


@contextmanager
def writing_parts(path: Path) -> Iterator[PartsWriter]:
    """A file to fill with parts, that stands at `path`, whole and durable, once the block is left.

    FileExistsError where something is there already: a backup never replaces another.
    """
    path = path.absolute()
    durable.make_folder(path.parent)
    with (
        durable.opened_folder(path.parent) as folder,
        durable.writing(folder, path.name, mode=MODE, replace=False) as file,
    ):
        durable.remove_drafts(folder)
        with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT, bufsize=PIECE) as tar:
            yield PartsWriter(tar)


@dataclass(slots=True)
class OpenPart:
    """A part that is being read. What is not read of it is read, for its digest, when the next one is asked for."""

    name: str
    size: int
    _source: BinaryIO
    _hash: Any = field(default_factory=hashlib.sha256)
    _read: int = 0

    def pieces(self) -> Iterator[bytes]:
        """Its bytes, in pieces. BackupInvalid where the file ends within."""
        while self._read < self.size:
            try:
                piece = self._source.read(PIECE)
            except tarfile.TarError as error:
                raise BackupInvalid(f"the file ends within {self.name}") from error
            if not piece:
                raise BackupInvalid(f"the file ends within {self.name}")
            self._hash.update(piece)
            self._read += len(piece)
            yield piece

    def content(self, at_most: int) -> bytes:
        """All of it; BackupInvalid where that is more than `at_most` bytes."""
        if self.size > at_most:
            raise BackupInvalid(f"{self.name} has {self.size} bytes, more than are read")
        return b"".join(self.pieces())

    def ended(self) -> Part:
        """It as it was read, to its end."""
        for _ in self.pieces():
            pass
        return Part(self.name, self.size, self._hash.hexdigest())


def read_parts(file: BinaryIO) -> Iterator[OpenPart]:
    """The parts of a file as they lie in it. BackupInvalid where it is none, or is cut."""
    try:
        # As a stream: what is read is each byte, once, and in the order in which it stands.
        with tarfile.open(fileobj=file, mode="r|", bufsize=PIECE) as tar:
            while (member := tar.next()) is not None:
                _forget(tar)
                # A file with holes is larger than what there is of it, without end if somebody wants that.
                source = tar.extractfile(member) if member.isreg() and not member.issparse() else None
                if source is None or not _NAME.fullmatch(member.name):
                    raise BackupInvalid(f"it holds something that is no part: {member.name!r}")
                part = OpenPart(member.name, member.size, source)  # type: ignore[arg-type]  # it reads
                yield part
                part.ended()
    except (tarfile.TarError, ValueError) as error:  # of numbers in headers some are read without a look
        raise BackupInvalid(f"it is no backup and no archive, or is cut: {error}") from error


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a file says it is, and which parts it has."""

    said: Mapping[str, Any]
    parts: Mapping[str, Part]
    sha256: str
    """The digest of the manifest itself, which its note signs."""

    @property
    def kind(self) -> str:
        """`backup` or `archive`."""
        return str(self.said["kind"])

    @property
    def origin(self) -> str:
        """The name of the log at that moment."""
        return str(self.said["origin"])

    @property
    def schema(self) -> str:
        """The version of the tables that its rows are of."""
        return str(self.said["schema"])

    @property
    def key(self) -> str:
        """The log's public key as the file itself says it."""
        return str(self.said["key"])


def read_manifest(content: bytes) -> Manifest:
    """The manifest in these bytes. BackupInvalid where it is none of this version."""
    try:
        said = json.loads(content)
        parts = [Part(str(name), int(size), str(sha256)) for name, size, sha256 in said["parts"]]
        manifest = Manifest(said, {part.name: part for part in parts}, hashlib.sha256(content).hexdigest())
        known = said["format"] == "edi-gateway" and manifest.kind in {BACKUP, ARCHIVE}
        _ = manifest.origin, manifest.schema, manifest.key, [*said.get("lost", ())]
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise BackupInvalid("its manifest cannot be read") from error
    if not known or said.get("version") != VERSION:
        raise BackupInvalid(
            f"its manifest is of another format, or of a version that this gateway does not know: {VERSION}"
        )
    if len(manifest.parts) != len(parts):
        raise BackupInvalid("its manifest lists two parts of one name")
    return manifest


def check_note(manifest: Manifest, note: str, key: str) -> None:
    """BackupInvalid unless `key`, under whichever name of its log, signed this manifest."""
    try:
        verifier = Verifier(key)
        if base_name(verifier.name) != base_name(manifest.origin):
            raise BackupInvalid(f"it is of the log {manifest.origin}, and the key is of {verifier.name}")
        text = verifier.renamed(manifest.origin).open(note)
    except ReceiptInvalid as error:
        raise BackupInvalid(f"its manifest is not signed by the log's key: {error}") from error
    if text != f"{_NOTE_BEGINS}\nsha256 {manifest.sha256}\n":
        raise BackupInvalid("the signature is of another manifest")
