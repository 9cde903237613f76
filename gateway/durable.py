"""Files that are whole, and there, after a power cut: written aside, synced, renamed, their folder synced.

A file that was only written may be empty or gone after the power comes back, and so may its name, or the
folder it is in: each of these is data of its own to the file system (fsync(2), rename(2)). Whoever answers
positively because of a file calls these functions itself first, also where it finds the file there already,
since whoever wrote it may not have synced it yet.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

UNFINISHED = ".part"
"""How the names of files end that are being written, or that a crash has left so."""


def write_file(path: Path, content: bytes, *, mode: int = 0o666, replace: bool = True) -> None:
    """Put a file at `path`, whole and durable with its folder when this returns; what was there before is replaced.

    Without `replace`, FileExistsError where something is there already. OSError where it cannot be written;
    then nothing of it is left, and what was there before is untouched.
    """
    make_folder(path.parent)
    draft = path.with_name(f".{path.name[:200]}.{secrets.token_hex(8)}{UNFINISHED}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            draft.replace(path)
        else:
            os.link(draft, path)  # unlike a rename it fails where the name is taken
            draft.unlink()
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise
    sync_folder(path.parent)


def make_folder(path: Path) -> None:
    """Make a folder and those above it that are missing, each durable in the one above; nothing where it is there."""
    missing: list[Path] = []
    folder = path
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for made in reversed(missing):
        made.mkdir(exist_ok=True)
        sync_folder(made.parent)


def sync_file(path: Path) -> None:
    """Let what is in a file reach the disk, whoever wrote it."""
    _sync(path, os.O_RDONLY)


def sync_folder(path: Path) -> None:
    """Let the names in a folder reach the disk: of files that were made, renamed or removed in it."""
    _sync(path, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
