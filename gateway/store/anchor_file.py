"""The anchor: the newest checkpoint of the log, kept in files outside the database, and shared by all nodes.

Several nodes replace it, perhaps on a network share, and each may be stopped at any moment, for as long as it
pleases; so it is replaced without a lock. The anchor is the file with the highest number (`anchor.version-7`), and
whoever replaces it makes the next one, by a link, which fails where another node was faster. A node that was stopped
in the middle finds its number taken when it goes on; or, where the files of that time have been cleared away, it
makes one that is not the highest, which is the anchor for nobody, and finds that too. Since the highest is never
removed, the anchor never moves back.

The file `anchor` itself is a second name of the newest one, for people and copies. Nodes read it only where there is
no file with a number.

What must outlast the anchor is kept beside it. Anchors that a database contradicted (`anchor.contradicted-1`) are
evidence, and the names they speak of must never be used again. Claims of a new name (`anchor.claimed-2` for the second
name of the log) are made before the name is used, by one node each.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gateway import durable

_KEPT = 4
"""Newest files that stay, so that whoever has seen a name in the folder can read what it holds."""
_TRIES = 20
"""How often in a row the file that was the newest may be gone when it is read."""


class AnchorFile:
    """The files of one anchor. Errors are the system's OSError."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> str | None:
        """The newest note; None where there is none.

        Folder and file are opened anew each time: on a network share, opening is what asks for the newest content.
        """
        return self._newest()[1]

    def remove_drafts(self) -> None:
        """Remove what crashes have left beside the anchor."""
        with suppress(FileNotFoundError), durable.opened_folder(self.path.parent) as folder:
            durable.remove_drafts(folder)

    def swap(self, expected: str | None, note: str) -> bool:
        """Put `note` in the place of `expected`, durably, if that still stands there; whether it certainly did.

        Nobody is waited for. Where other nodes have gone on meanwhile it is not certain, and the caller looks again.
        """
        number, there = self._newest()
        if there != expected or not self._make(self._version(number + 1), note):
            return False
        if self._highest() != number + 1:
            return False
        with suppress(OSError):  # the anchor is replaced, whatever becomes of its other name and of older ones
            self._publish()
            self._clear(number + 1 - _KEPT)
        return True

    def read_aside(self) -> list[str]:
        """The notes of all anchors that were set aside."""
        return [
            self._beside("contradicted", number).read_text("utf-8", "replace")
            for number in self._numbers("contradicted")
        ]

    def keep_aside(self, note: str) -> None:
        """Keep an anchor that the database contradicts, durably, unless it is kept already."""
        numbers = self._numbers("contradicted")
        for path in (self._beside("contradicted", number) for number in numbers):
            if path.read_bytes() == _encoded(note):
                durable.make_durable(path)  # whoever wrote it may not have come so far
                return
        number = max(numbers, default=0) + 1
        while not self._make(self._beside("contradicted", number), note):
            number += 1

    def read_claims(self) -> Iterator[str]:
        """The notes by which names were claimed, the latest name's first."""
        for number in reversed(self._numbers("claimed")):
            yield self._beside("claimed", number).read_text("utf-8", "replace")

    def claim(self, number: int, note: str) -> bool:
        """Claim the log's name of that number, durably; False where it was claimed before, by whomever."""
        return self._make(self._beside("claimed", number), note)

    def _newest(self) -> tuple[int, str | None]:
        """The number of the newest note, and the note; 0 where no file has a number."""
        for _ in range(_TRIES):
            number = self._highest()
            try:
                return number, (self._version(number) if number else self.path).read_text("utf-8", "replace")
            except FileNotFoundError:
                if not number:
                    return 0, None
        raise OSError(errno.ESTALE, "the anchor is replaced by other nodes all the time", str(self.path))

    def _publish(self) -> None:
        """Let `anchor` be the newest note; left to another node that is at it, since the later of two would win.

        One that is stopped here leaves the older note there: so that name, too, never moves back.
        """
        published = 0
        for _ in range(_TRIES):  # the next swap does it too
            if self._highest() == published:
                return
            with self._turn() as ours:
                if not ours:
                    return
                newest = self._highest()
                with suppress(FileNotFoundError):  # newer ones have been made since
                    durable.link_file(self._version(newest), self.path)
                    published = newest

    @contextmanager
    def _turn(self) -> Iterator[bool]:
        """Be the only node that names the anchor, if nobody else is: nobody is waited for."""
        handle = os.open(self.path.with_name(f"{self.path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o666)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(handle)  # which also unlocks

    def _clear(self, last: int) -> None:
        """Remove older notes, up to that number: each was replaced by one that extends it."""
        for number in self._numbers("version"):
            if number <= last:
                self._version(number).unlink(missing_ok=True)

    def _make(self, path: Path, note: str) -> bool:
        """Make a file that is not there yet, whole and durable; whether this call made it."""
        try:
            durable.write_file(path, _encoded(note), replace=False)
        except FileExistsError:
            return False
        return True

    def _highest(self) -> int:
        return max(self._numbers("version"), default=0)

    def _version(self, number: int) -> Path:
        return self._beside("version", number)

    def _beside(self, kind: str, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{kind}-{number}")

    def _numbers(self, kind: str) -> list[int]:
        """The numbers of the files of a kind, in order."""
        prefix = f"{self.path.name}.{kind}-"
        try:
            with os.scandir(self.path.parent) as entries:
                names = [entry.name for entry in entries]
        except FileNotFoundError:
            return []
        ends = (name.removeprefix(prefix) for name in names if name.startswith(prefix))
        return sorted(int(end) for end in ends if end.isascii() and end.isdigit())


def _encoded(note: str) -> bytes:
    return note.encode("utf-8", "replace")
