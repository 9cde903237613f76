"""Where catalogues come from and where they are laid out: what ships, the operator's own folder over it, var/catalogues.

The operator's folder has the layout of what ships, `schemas/` and `mappings/`, and each file in it takes the place of
the one of its name, or stands beside the others. A catalogue in force is laid out under its digest in a folder of the
node's own, where worker processes read it: they may be started, or asked, after the folders it was made of have changed.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from gateway import data
from gateway.catalogue import FOLDERS, Catalogue
from gateway.durable import UNFINISHED, make_folder, sync_file, sync_folder, write_file
from gateway.errors import CatalogueInvalid

_ENDINGS = frozenset({".csv", ".json", ".toml", ".xsd"})
_DIGEST = re.compile("[0-9a-f]{64}")
_LOCK, _MARK = ".lock", "in_force"
MOST_BYTES = 64 * 1024 * 1024
"""Of one file: a hundred times what the largest directory of UN/EDIFACT takes; a catalogue is held in memory."""


@dataclass(frozen=True, slots=True)
class Layers:
    """The files that a catalogue is made of, by name, and where they come from."""

    shipped: Mapping[str, bytes]
    own: Mapping[str, bytes]
    """The operator's, each of which goes before the shipped one of its name."""
    approved: Mapping[str, bytes] = field(default_factory=dict)
    """Those approved in the store, which go before both: another person than the operator has answered for them."""

    def catalogue(self) -> Catalogue:
        """The catalogue that they make together."""
        return Catalogue({**self.shipped, **self.own, **self.approved})

    def origin(self, name: str) -> str:
        """`shipped`, `own`, `approved`, or `overrides` for a file of the operator's in the place of a shipped one."""
        if name in self.approved:
            return "approved"
        if name not in self.own:
            return "shipped"
        return "overrides" if name in self.shipped else "own"


def read_layers(own: Path | None = None) -> Layers:
    """What ships and what is in the folder `own`; CatalogueInvalid names what cannot be read, or has no place there."""
    shipped = {
        name: content for folder in FOLDERS for name, content in _contents(data.root() / folder, folder, strict=False)
    }
    return Layers(shipped, {} if own is None else dict(_own(own)))


@cache
def shipped() -> Catalogue:
    """The catalogue of what ships alone, as it was when it was first asked for."""
    return read_layers().catalogue()


SAMPLES = "samples"
"""A folder beside those of a catalogue: messages by which `gateway mapping test` tries its mappings."""


def _own(folder: Path) -> Iterator[tuple[str, bytes]]:
    """The operator's files by name."""
    if not folder.is_dir():
        raise CatalogueInvalid(f"{folder} is no folder")
    for entry in sorted(folder.iterdir()):
        # Files beside the folders are notes; a folder of another name is one of these misspelt.
        if entry.is_dir() and not _is_passed_over(entry.name) and entry.name not in (*FOLDERS, SAMPLES):
            raise CatalogueInvalid(
                f"{entry}: a catalogue has the folders {', '.join(FOLDERS)} and {SAMPLES}, and no other"
            )
    for name in FOLDERS:
        if (folder / name).is_dir():
            yield from _contents(folder / name, name, strict=True)


def _contents(folder: Path, name: str, *, strict: bool) -> Iterator[tuple[str, bytes]]:
    """The files in `folder`, which is called `name`, and in those below it; `strict` about what else lies there."""
    try:
        # Every process that reads messages begins with this, so what the folder says of its entries is not asked again.
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        for entry in found:
            inner, path = f"{name}/{entry.name}", Path(entry.path)
            if _is_passed_over(entry.name):
                continue
            if entry.is_dir():
                yield from _contents(path, inner, strict=strict)
            elif path.suffix in _ENDINGS and entry.is_file():
                if entry.stat().st_size > MOST_BYTES:
                    raise CatalogueInvalid(f"{path}: is larger than {MOST_BYTES >> 20} MiB")
                yield inner, path.read_bytes()
            elif strict:
                raise CatalogueInvalid(f"{path}: is none of {', '.join(sorted(_ENDINGS))}")
    except OSError as error:
        raise CatalogueInvalid(f"{error.filename or folder}: {error.strerror or error}") from error


def _is_passed_over(name: str) -> bool:
    """Whether a file or folder of that name is some program's own: hidden, or an editor's copy."""
    return name.startswith(".") or name.endswith("~") or name == "__pycache__"


class Shelf:
    """A folder in which catalogues in use are laid out, each under its digest; several processes may share it."""

    def __init__(self, folder: Path) -> None:
        """Nothing is made or read yet."""
        self.folder = folder
        self._held: dict[str, int] = {}
        """Of the catalogues that this process holds, the descriptors of their folders, locked against removal."""

    @property
    def held(self) -> frozenset[str]:
        """The digests of those that this process holds."""
        return frozenset(self._held)

    def put(self, catalogue: Catalogue) -> None:
        """Lay `catalogue` out, whole and durable when this returns, and hold it there until `clear` or `close`."""
        if catalogue.digest in self._held:
            return
        make_folder(self.folder)
        with self._locked():
            if catalogue.digest in self._held:  # another thread was first
                return
            place = self.folder / catalogue.digest
            if not _is_whole(place, catalogue.digest):
                self._write(catalogue, place)
            handle = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(handle, fcntl.LOCK_SH)
            self._held[catalogue.digest] = handle

    def mark(self, digest: str) -> None:
        """Note, durably, that the catalogue of that digest is the one in force here; for people who look (`marked`)."""
        write_file(self.folder / _MARK, f"{digest}\n".encode())

    def marked(self) -> str:
        """The digest that was marked last; empty where none was."""
        try:
            digest = (self.folder / _MARK).read_text("ascii", "replace").strip()
        except OSError:
            return ""
        return digest if _DIGEST.fullmatch(digest) else ""

    def clear(self, kept: frozenset[str]) -> None:
        """Let go of all catalogues but those `kept`, and remove what nobody holds."""
        for digest in self.held - kept:
            os.close(self._held.pop(digest))
        if not self.folder.is_dir():
            return
        with self._locked():
            for entry in list(self.folder.iterdir()):
                if entry.name.endswith(UNFINISHED):  # under the lock nobody writes one
                    shutil.rmtree(entry, ignore_errors=True)
                elif _DIGEST.fullmatch(entry.name) and entry.name not in self._held:
                    self._remove(entry)

    def close(self) -> None:
        """Let go of everything; it stays laid out for the next start."""
        while self._held:
            os.close(self._held.popitem()[1])

    def _write(self, catalogue: Catalogue, place: Path) -> None:
        draft = self.folder / f".{secrets.token_hex(8)}{UNFINISHED}"
        try:
            for name in catalogue.files:
                file = draft / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(catalogue.read(name))
                sync_file(file)
            for folder in [path for path in draft.rglob("*") if path.is_dir()]:
                sync_folder(folder)
            sync_folder(draft)
            if place.exists():  # not whole: damaged, or changed by somebody
                shutil.rmtree(place)
            draft.rename(place)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        sync_folder(self.folder)

    def _remove(self, place: Path) -> None:
        """Remove a catalogue that is laid out, unless another process holds it."""
        with suppress(OSError):
            handle = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                draft = self.folder / f".{secrets.token_hex(8)}{UNFINISHED}"
                place.rename(draft)  # at once, so that none is ever there in part
                shutil.rmtree(draft)
            finally:
                os.close(handle)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Nobody else lays out or removes catalogues here meanwhile."""
        with (self.folder / _LOCK).open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def read_laid_out(folder: Path, digest: str) -> Catalogue:
    """The catalogue that is laid out in `folder` under `digest`; CatalogueInvalid where it is not there whole."""
    place = folder / digest
    catalogue = Catalogue({name: content for top in FOLDERS for name, content in _laid_out(place / top, top)})
    if catalogue.digest != digest:
        raise CatalogueInvalid(f"{place} does not hold the catalogue of that digest whole")
    return catalogue


def _laid_out(folder: Path, name: str) -> Iterator[tuple[str, bytes]]:
    return _contents(folder, name, strict=False) if folder.is_dir() else iter(())


def _is_whole(place: Path, digest: str) -> bool:
    try:
        read_laid_out(place.parent, digest)
    except CatalogueInvalid:
        return False
    return True
