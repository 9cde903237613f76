"""Files that are whole, and there, after a power cut: written aside, synced, renamed, their folder synced.

A file that was only written may be empty or gone after the power comes back, and so may its name, or the
folder it is in: each of these is data of its own to the file system (fsync(2), rename(2)). Whoever answers
positively because of a file calls these functions itself first, also where it finds the file there already
(`make_durable`), since whoever wrote it may not have synced it yet. docs/store.md lists what must last, and by whose doing.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from gateway.errors import StorageFull, StoreUnavailable

DRAFT_SECONDS = 24 * 3600.0
"""Nobody writes to one draft for so long: it is what a crash has left."""
_FULL = {errno.ENOSPC, errno.EDQUOT}
UNFINISHED = ".part"
"""How the names of files end that are being written, or that a crash has left so; they begin with a dot."""


@contextmanager
def naming_system_errors() -> Iterator[None]:
    """Turn what the system says of a disk or a connection into StorageFull or StoreUnavailable."""
    try:
        yield
    except OSError as error:
        raise (StorageFull() if error.errno in _FULL else StoreUnavailable(str(error))) from error


def write_file(path: Path, content: bytes, *, mode: int = 0o666, replace: bool = True) -> None:
    """Put a file at `path`, whole and durable with its folders when this returns; what was there before is replaced.

    Without `replace`, FileExistsError where something is there already. OSError where it cannot be written;
    then no half of it is there.
    """
    make_folder(path.parent)
    with opened_folder(path.parent) as folder:
        write_in(folder, path.name, content, mode=mode, replace=replace)


def write_in(folder: int, name: str, content: bytes, *, mode: int = 0o666, replace: bool = True) -> None:
    """Put a file under a name of the open `folder`, as `write_file` does; for whoever must not follow a path twice.

    The folder's own name and those above it are the caller's to make durable.
    """
    with writing(folder, name, mode=mode, replace=replace) as file:
        file.write(content)


@contextmanager
def writing(folder: int, name: str, *, mode: int = 0o666, replace: bool = True) -> Iterator[BinaryIO]:
    """A file to fill, that stands under its name in the open `folder`, whole and durable, once the block is left.

    An exception in the block leaves nothing there, and what was there before untouched.
    """
    # A name that nobody can foresee, and that must not exist: what stands under it is ours alone.
    draft = _draft()
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(draft, flags, mode, dir_fd=folder), "wb") as file:
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if replace:
                os.replace(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
            else:
                os.link(draft, name, src_dir_fd=folder, dst_dir_fd=folder)  # unlike a rename it fails where it is taken
                os.unlink(draft, dir_fd=folder)
        except BaseException:
            with suppress(OSError):
                os.unlink(draft, dir_fd=folder)
            raise
    _sync_folder(folder)


def _draft() -> str:
    return f".{secrets.token_hex(8)}{UNFINISHED}"


_DRAFT = re.compile(rf"\.[0-9a-f]{{16}}{re.escape(UNFINISHED)}")


def remove_drafts(folder: int, older_than: float = DRAFT_SECONDS) -> int:
    """Remove drafts from an open folder that nobody wrote to for so many seconds; how many were removed.

    To be called by whoever writes files there, when it begins. What cannot be removed stays: it harms nobody.
    """
    removed = 0
    with suppress(OSError), os.scandir(folder) as entries:
        for name in [entry.name for entry in entries if _DRAFT.fullmatch(entry.name)]:
            with suppress(OSError):  # gone by now, or not ours to remove
                status = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if stat.S_ISREG(status.st_mode) and status.st_mtime < time.time() - older_than:
                    os.unlink(name, dir_fd=folder)
                    removed += 1
    return removed


def adopt_file(source: Path, path: Path) -> None:
    """Move a finished file to `path`, durable with its folders when this returns; it may come from another file system."""
    sync_file(source)
    make_folder(path.parent)
    with opened_folder(path.parent) as folder:
        try:
            os.replace(source, path.name, dst_dir_fd=folder)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            with source.open("rb") as file, writing(folder, path.name) as copy:
                shutil.copyfileobj(file, copy)
            source.unlink()
        else:
            _sync_folder(folder)


def move(name: str, source: int, target: int) -> None:
    """Move a file from one open folder into another, durable when this returns; what has its name there is replaced."""
    os.replace(name, name, src_dir_fd=source, dst_dir_fd=target)
    _sync_folder(target)  # first: until the new name is on the disk, the old one must be
    _sync_folder(source)


def link_file(source: Path, path: Path) -> None:
    """Let `path` be a second name of the file `source`, in the same folder; what was there before is replaced, at once.

    The name is as durable as the folder's next sync makes it.
    """
    draft = path.with_name(_draft())
    os.link(source, draft)
    try:
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)  # it stays where both were one file already (rename(2))


def make_durable(path: Path) -> None:
    """Make a file durable, with its name and its folders, that is there already, whoever wrote it."""
    sync_file(path)
    make_folder(path.parent)
    sync_folder(path.parent)


def make_folder(path: Path) -> None:
    """Make a folder and those above it that are missing; all of them are durable when this returns.

    Those that are there already are synced too, by each process once: another may have made them just now.
    """
    path = path.resolve()
    identity = _identity(path)
    if identity is not None and _settled.get(path) == identity:
        return
    if not path.is_mount():
        make_folder(path.parent)
        made = False
        if identity is None:
            try:
                path.mkdir()
                made = True
            except FileExistsError:
                if not path.is_dir():
                    raise
        try:
            sync_folder(path.parent)
        except PermissionError:
            if made:
                raise
            # Where this process may not even list, it is not the one that made something.
        identity = _identity(path)
    if identity is not None:
        _settled[path] = identity


_settled: dict[Path, tuple[int, int]] = {}
"""Folders whose names this process has synced, all the way up: their devices and inodes, since a path may be made anew."""


def _identity(path: Path) -> tuple[int, int] | None:
    """What a folder is, whatever its name; None where none is there."""
    if not path.is_dir():
        return None
    found = path.stat()
    return found.st_dev, found.st_ino


def free_bytes(folder: Path) -> int:
    """Bytes free on the disk that holds `folder`, or will hold it."""
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def sync_file(path: Path) -> None:
    """Let what is in a file reach the disk, whoever wrote it."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(path: Path) -> None:
    """Let the names in a folder reach the disk: of files that were made, renamed or removed in it."""
    with opened_folder(path) as folder:
        _sync_folder(folder)


def _sync_folder(folder: int) -> None:
    try:
        os.fsync(folder)
    except OSError as error:
        # EINVAL is how some network file systems say that they sync names by themselves, or not at all.
        if error.errno != errno.EINVAL:
            raise


@contextmanager
def opened_folder(folder: Path) -> Iterator[int]:
    """A descriptor of a folder, for `writing`."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield handle
    finally:
        os.close(handle)
