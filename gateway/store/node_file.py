"""The name of a node: the same after each restart, so that it takes its own leases back; never that of two at once."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.durable import make_folder
from gateway.errors import ConfigurationInvalid

_NAME = re.compile(r"[0-9a-f]{32}")


@contextmanager
def named(path: Path) -> Iterator[str]:
    """The name kept at `path`, made where there is none; a new one for now where a process that runs has that name.

    The file is locked as long as the name is in use, and the system lets go of the lock however the process ends:
    so whoever gets it knows that nobody works under that name any more. It may be lost: then the next start has a
    new name, and the leases of the old one run out by themselves. ConfigurationInvalid where it cannot be kept.
    """
    try:
        make_folder(path.parent)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise ConfigurationInvalid(f"store.node_file {path}: {error.strerror or error}") from error
    with os.fdopen(handle, "r+", encoding="ascii", errors="replace") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # another process has it, or the file system knows no locks
            yield secrets.token_hex(16)
            return
        name = file.read(64).strip()
        if not _NAME.fullmatch(name):
            name = secrets.token_hex(16)
            file.seek(0)
            file.truncate()
            file.write(f"{name}\n")
            file.flush()
        yield name
