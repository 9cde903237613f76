"""What a piece of code asks of the disk, in order: which names it changes, and what it syncs."""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway import durable


def leave_drafts(folder: Path) -> Path:
    """A draft in a folder as a crash leaves it two days ago, and one of now, which is given."""
    folder.mkdir(parents=True, exist_ok=True)
    old, young = (folder / f".{letter * 16}{durable.UNFINISHED}" for letter in "ab")
    for path in (old, young):
        path.write_bytes(b"half")
    long_ago = time.time() - 2 * durable.DRAFT_SECONDS
    os.utime(old, (long_ago, long_ago))
    return young


def drafts_in(folder: Path) -> list[Path]:
    """What is left of drafts in a folder."""
    return sorted(folder.glob(f".*{durable.UNFINISHED}"))


class Steps:
    """Remembers each step as text, such as `sync folder/`, `rename draft -> file`; drafts are called so."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.taken: list[str] = []
        self.at_sync: Callable[[str], None] = lambda _step: None
        """Called before each sync, in the thread that asks for it."""
        self.threads: list[int] = []
        self._fsync = os.fsync
        patch.setattr(os, "fsync", self._sync)
        for call in ("mkdir", "unlink", "rmdir"):
            patch.setattr(os, call, self._one(call, getattr(os, call)))
        for call, word in (("replace", "rename"), ("rename", "rename"), ("link", "link")):
            patch.setattr(os, call, self._two(word, getattr(os, call)))
        patch.setattr(durable, "_settled", {})

    def by(self, thread: int) -> list[str]:
        """The steps of one thread."""
        return [step for step, one in zip(self.taken, self.threads, strict=True) if one == thread]

    def under(self, folder: Path) -> list[str]:
        """The steps so far without those above `folder`, whose own name is synced there too."""
        above = {f"sync {one.name}/" for one in folder.resolve().parents}
        return [step for step in self.taken if step not in above]

    def forget(self) -> None:
        """Begin anew."""
        self.taken.clear()
        self.threads.clear()

    def _note(self, step: str) -> None:
        self.taken.append(step)
        self.threads.append(threading.get_ident())

    def _sync(self, handle: int) -> None:
        path = Path(f"/proc/self/fd/{handle}").readlink()
        step = f"sync {_called(path)}{'/' if stat.S_ISDIR(os.fstat(handle).st_mode) else ''}"
        self.at_sync(step)
        self._fsync(handle)
        self._note(step)

    def _one(self, word: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def taken(path: Any, *rest: Any, **options: Any) -> None:
            call(path, *rest, **options)
            self._note(f"{word} {_called(path)}")

        return taken

    def _two(self, word: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def taken(old: Any, new: Any, **options: Any) -> None:
            call(old, new, **options)
            self._note(f"{word} {_called(old)} -> {_called(new)}")

        return taken


def _called(path: str | os.PathLike[str]) -> str:
    name = Path(path).name
    if name.startswith(".taken-"):
        return ".taken"
    return "draft" if name.startswith(".") and name.endswith(durable.UNFINISHED) else name
