"""Examines a backup or an archive by itself: neither a database nor a network is needed, only the log's public key.

It is read twice: for the digests of its parts and the signed manifest that lists them, and then for what they say. Every
receipt's hash is computed anew, and so is the tree above them, which must be the one whose checkpoint the log signed.
"""

from __future__ import annotations

import hashlib
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from gateway.errors import BackupInvalid, ReceiptInvalid
from gateway.receipt.anchor import audit_name, is_name_of
from gateway.receipt.chain import Frontier, leaf_hash
from gateway.receipt.signed import Verifier
from gateway.store.backup import BODIES, body_part
from gateway.store.bodies import LARGEST_ROW
from gateway.store.body_rows import key_of
from gateway.store.dump import Row, Shape, read_rows, table_of
from gateway.store.parts import (
    BACKUP,
    LARGEST_MANIFEST,
    MANIFEST,
    NOTE,
    Manifest,
    Part,
    check_note,
    read_manifest,
    read_parts,
)

LARGEST_NOTE: Final = 1 << 16
LARGEST_PART: Final = 1 << 30
"""Bytes of a part of rows that is read."""
MOST_FAULTS: Final = 1000
"""Faults that are told: whoever has so many needs no more of them."""

Step = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is wrong, by a code of its own, and with which part."""

    code: str
    part: str = ""
    detail: str = ""


@dataclass(slots=True)
class Examined:
    """What an examination came to."""

    faults: list[Fault] = field(default_factory=list)
    manifest: Manifest | None = None
    parts: int = 0
    rows: Counter[str] = field(default_factory=Counter)
    """Rows by table."""
    bodies: int = 0
    entries: int = 0
    """Receipts that the checkpoint vouches for."""

    @property
    def lost(self) -> list[str]:
        """Digests of bodies that were missing or damaged when the backup was made, and are so in it."""
        return [str(one) for one in self.manifest.said.get("lost", ())] if self.manifest else []

    def tell(self, code: str, part: str = "", detail: str = "") -> None:
        """Note a fault, once."""
        fault = Fault(code, part, detail)
        if len(self.faults) < MOST_FAULTS and fault not in self.faults:
            self.faults.append(fault)


def examine(path: Path, key: str = "", step: Step = lambda _bytes: None) -> Examined:
    """Examine the file at `path`; `step` is told the bytes read, of twice its size.

    Without `key` the file's own one is used: it finds what was damaged, and vouches for nothing.
    """
    done = Examined()
    _read_digests(path, key, done, step)
    if done.manifest is not None:
        damaged = {fault.part for fault in done.faults}
        _read_contents(path, done.manifest, done, damaged, step)
    return done


def _read_digests(path: Path, key: str, done: Examined, step: Step) -> None:
    """Compare the parts with the manifest, and the manifest with its signature."""
    found: dict[str, Part] = {}
    manifest = note = b""
    last = ""
    try:
        with path.open("rb") as file:
            for opened in read_parts(file):
                last = opened.name
                if opened.name == MANIFEST:
                    manifest = opened.content(LARGEST_MANIFEST)
                elif opened.name == NOTE:
                    note = opened.content(LARGEST_NOTE)
                if opened.name in found:
                    done.tell("twice", opened.name)
                found[opened.name] = opened.ended()
                step(opened.size)
    except BackupInvalid as error:
        done.tell("cut", last, str(error))
    done.parts = len(found)
    if not manifest:
        if not done.faults:
            done.tell("cut", last)
        return
    try:
        done.manifest = read_manifest(manifest)
        check_note(done.manifest, note.decode("utf-8", "replace"), key or done.manifest.key)
    except BackupInvalid as error:
        done.tell("signature", MANIFEST, str(error))
    if done.manifest is None:
        return
    listed = done.manifest.parts
    for name, part in found.items():
        if name not in listed:
            if name not in {MANIFEST, NOTE}:
                done.tell("unknown", name)
        elif part != listed[name]:
            done.tell("changed", name)
    for name in listed:
        if name not in found:
            done.tell("missing", name)


def _read_contents(path: Path, manifest: Manifest, done: Examined, damaged: set[str], step: Step) -> None:
    """Look at what the parts that are whole say."""
    try:
        contents = _Contents(manifest, done)
        with path.open("rb") as file:
            for part in read_parts(file):
                name = table_of(part.name)
                if part.name.startswith(f"{BODIES}/"):
                    contents.see_body(part.name)
                elif name and part.name not in damaged and part.name in manifest.parts:
                    packed = part.content(LARGEST_PART)
                    try:
                        contents.see_rows(part.name, name, packed)
                    except (ValueError, TypeError, OverflowError) as error:  # rows that no gateway has written
                        done.tell("content", part.name, str(error))
                step(part.size)
        contents.end(whole=not damaged)
    except BackupInvalid as error:
        if not damaged:
            done.tell("content", detail=str(error))


class _Contents:
    """What is seen of the contents of the parts."""

    def __init__(self, manifest: Manifest, done: Examined) -> None:
        self._manifest, self._done = manifest, done
        said = manifest.said.get("tables", {})
        if not isinstance(said, dict):
            raise BackupInvalid("the manifest does not say which tables there are")
        self._said = said
        self._shapes = {name: Shape.read(name, one) for name, one in said.items()}
        self._logs = [_LogSeen("receipts", "tree_nodes"), _LogSeen("audit_entries", "audit_nodes")]
        self._files: set[str] = set()
        self._mentioned: set[str] = set()

    def see_body(self, name: str) -> None:
        """A large body: its name is its digest."""
        sha256 = name.rpartition("/")[2]
        self._files.add(sha256)
        self._done.bodies += 1
        part = self._manifest.parts.get(name)
        if part is not None and part.sha256 != sha256 and sha256 not in self._done.lost:
            self._done.tell("body", name)

    def see_rows(self, part: str, name: str, packed: bytes) -> None:
        """Rows of a table."""
        if name not in self._shapes:
            self._done.tell("unknown", part)
            return
        shape = self._shapes[name]
        for row in self._rows(part, shape, packed):
            self._done.rows[name] += 1
            if name == "bodies":
                self._see_small(part, shape, row)
            elif name == "body_files":
                self._mentioned.add(str(row[shape.place("sha256")]))
            for log in self._logs:
                log.see(shape, row)

    def _rows(self, part: str, shape: Shape, packed: bytes) -> Iterator[Row]:
        try:
            yield from read_rows(shape, packed)
        except BackupInvalid as error:
            self._done.tell("content", part, str(error))

    def _see_small(self, part: str, shape: Shape, row: Row) -> None:
        """A small body: its key ends with its digest, or is it."""
        key, body, packed = (row[shape.place(name)] for name in ("key", "body", "packed"))
        try:
            # No larger one is ever a row, so that none may grow without end.
            inflater = zlib.decompressobj()
            content = inflater.decompress(body, LARGEST_ROW + 1) if packed else body
            sha256 = hashlib.sha256(content).hexdigest() if inflater.eof or not packed else ""
        except zlib.error:
            sha256 = ""
        if not sha256 or (key != sha256 and not key.endswith(key_of("", sha256))):
            self._done.tell("body", part, str(key))

    def end(self, *, whole: bool) -> None:
        """Everything was seen; only of a `whole` file can anything be said of what is not there."""
        if not whole:
            return
        for name, said in self._said.items():
            if self._done.rows[name] != said.get("rows"):
                self._done.tell("rows", name, str(said.get("rows")))
        for sha256 in sorted(self._mentioned - self._files - set(self._done.lost)):
            self._done.tell("missing", body_part(sha256))
        if self._manifest.kind == BACKUP:
            said = self._manifest.said
            verifier = Verifier(self._manifest.key)
            origin = self._manifest.origin
            receipts, audit = self._logs
            faults = receipts.faults(said.get("checkpoint"), verifier, origin)
            faults += audit.faults(said.get("audit_checkpoint"), verifier, audit_name(origin))
            for code, detail in faults:
                self._done.tell(code, "", detail)
            self._done.entries = receipts.frontier.size


@dataclass(slots=True)
class _LogSeen:
    """A log as its rows are seen: its tree, computed anew, beside the nodes that are stored."""

    entries: str
    nodes: str
    frontier: Frontier = field(default_factory=Frontier)
    gap: bool = False
    _computed: dict[int, Any] = field(default_factory=dict)
    _stored: dict[int, Any] = field(default_factory=dict)

    def see(self, shape: Shape, row: Row) -> None:
        """A row of any table."""
        if shape.name == self.entries:
            self.gap |= row[shape.place("index")] != self.frontier.size
            for level, index, value in self.frontier.append([leaf_hash(row[shape.place("body")])]):
                _note(self._computed, level, index, value)
        elif shape.name == self.nodes:
            _note(self._stored, *(row[shape.place(name)] for name in ("level", "index", "hash")))

    def faults(self, note: Any, verifier: Verifier, origin: str) -> list[tuple[str, str]]:
        """What is wrong with it: codes, with the table they are about."""
        if not note:
            return [("log", self.entries)] if self.frontier.size else []
        try:
            checkpoint = verifier.renamed(note.partition("\n")[0]).checkpoint(note)
        except (ReceiptInvalid, AttributeError):
            return [("checkpoint", origin)]
        found: list[tuple[str, str]] = []
        seen = self.frontier.size, self.frontier.root()
        # A log signs under a new name from its next entry on, and the audit may have had none since.
        if not is_name_of(checkpoint.origin, origin) or self.gap or (checkpoint.size, checkpoint.root) != seen:
            found.append(("log", self.entries))
        digests = [{level: one.hexdigest() for level, one in side.items()} for side in (self._computed, self._stored)]
        if digests[0] != digests[1]:
            found.append(("nodes", self.nodes))
        return found


def _note(levels: dict[int, Any], level: int, index: int, value: bytes) -> None:
    """Hash a node of a level, in the order of their indexes: millions need not be kept to be compared."""
    levels.setdefault(level, hashlib.sha256()).update(index.to_bytes(8, "big") + value)
