"""The anchor file: the newest checkpoint of the log, kept outside the database, and shared by all nodes.

It is replaced by comparing and swapping under a lock, since several nodes write it, perhaps on a
network share. Anchors that a database contradicted are kept beside it: as evidence, and because the
names they speak of must never be used again.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway import durable

LOCK_SECONDS = 5.0
"""How long another node's lock is waited for: it is held while one small file is synced, some milliseconds."""
_LOOK_SECONDS = 0.01
"""Between two looks at a lock that another node holds."""


class AnchorFile:
    """One anchor file with its lock file and the anchors that were set aside. Errors are the system's OSError."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> str | None:
        """The note in the file; None where there is no file.

        The file is opened anew each time: on a network share, opening is what asks for the newest content.
        """
        try:
            return self.path.read_text("utf-8", errors="replace")
        except FileNotFoundError:
            return None

    def read_aside(self) -> list[str]:
        """The notes of all anchors that were set aside."""
        prefix = self._aside("")
        folder = self.path.parent
        aside = [path for path in folder.iterdir() if path.name.startswith(prefix)] if folder.is_dir() else []
        return [path.read_text("utf-8", errors="replace") for path in sorted(aside)]

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only node that writes here; TimeoutError where another one does not let go."""
        durable.make_folder(self.path.parent)
        handle = os.open(self.path.with_name(f"{self.path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o666)
        try:
            deadline = time.monotonic() + LOCK_SECONDS
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise TimeoutError(f"{self.path} is locked by another node") from None
                    time.sleep(_LOOK_SECONDS)
            yield
        finally:
            os.close(handle)  # which also unlocks

    def swap(self, expected: str | None, note: str) -> bool:
        """Put `note` into the file, durably, if `expected` still stands there; whether it did."""
        with self.locked():
            if self.read() != expected:
                return False
            self.write(note)
            return True

    def write(self, note: str) -> None:
        """Put `note` into the file, durably; for whoever holds the lock."""
        durable.write_file(self.path, note.encode("utf-8", "replace"))

    def keep_aside(self, note: str) -> None:
        """Keep an anchor that the database contradicts, durably, unless it is kept already."""
        content = note.encode("utf-8", "replace")
        number = 1
        while True:
            path = self.path.with_name(self._aside(str(number)))
            try:
                durable.write_file(path, content, replace=False)
            except FileExistsError:
                if path.read_bytes() != content:
                    number += 1
                    continue
                durable.sync_file(path)  # whoever wrote it may not have come so far
                durable.sync_folder(path.parent)
            return

    def _aside(self, number: str) -> str:
        return f"{self.path.name}.contradicted-{number}"
