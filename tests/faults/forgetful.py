"""A disk that forgets, at a power cut, what nobody has synced: the model of one, and one that is mounted (FUSE).

It keeps two states of everything: what programs see, and what is on the disk. Content reaches the disk when
the file is synced; a name (made, renamed, linked, removed) when its folder is synced, and the name of a folder
is synced in the one above. That is all that fsync(2) promises; file systems do more, each in its own way, so
that a program that is right on this one is right on them. A rename from folder to folder is one change, which
the sync of the folder it leads to brings to the disk, as the journals of ext4, XFS and btrfs do it.

A cut forgets everything that is not on the disk, or (drawn from a seed) any of it: a real disk may have written
what it was not asked for, in any order, and half of it.
"""

from __future__ import annotations

import errno
import os
import random
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import pytest

_NOW, _OMIT = (1 << 30) - 1, (1 << 30) - 2
"""UTIME_NOW and UTIME_OMIT of utimensat(2)."""
MOUNT_SECONDS = 10.0


@dataclass(eq=False)
class Node:
    """What has a number, a mode and a time, whatever its names."""

    number: int
    mode: int
    written: int = field(default_factory=time.time_ns)


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes written at an offset; without bytes, the file's new size."""

    offset: int
    data: bytes | None

    def apply(self, content: bytearray) -> None:
        if self.data is None:
            del content[self.offset :]
        content.extend(bytes(max(0, self.offset - len(content))))
        if self.data is not None:
            content[self.offset : self.offset + len(self.data)] = self.data


@dataclass(eq=False)
class File(Node):
    """A file: what programs read, what is on the disk, and what lies between."""

    content: bytearray = field(default_factory=bytearray)
    settled: bytearray = field(default_factory=bytearray)
    pending: list[Write] = field(default_factory=list)

    def change(self, write: Write) -> None:
        write.apply(self.content)
        self.pending.append(write)
        self.written = time.time_ns()

    def settle(self) -> None:
        for write in self.pending:
            write.apply(self.settled)
        self.pending.clear()


@dataclass(eq=False)
class Folder(Node):
    """A folder: the names that programs see, and those on the disk, each with the number of the change it is from."""

    names: dict[str, Node] = field(default_factory=dict)
    settled: dict[str, tuple[int, Node | None]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """Names that came and went together, until the folder `home` is synced."""

    number: int
    home: Folder
    entries: tuple[tuple[Folder, str, Node | None], ...]

    def show(self) -> None:
        for folder, name, node in self.entries:
            if node is None:
                del folder.names[name]
            else:
                folder.names[name] = node

    def settle(self) -> None:
        for folder, name, node in self.entries:
            if folder.settled.get(name, (0, None))[0] < self.number:
                folder.settled[name] = (self.number, node)


class Disk:
    """The model: what the calls of a file system do to both states."""

    def __init__(self) -> None:
        self._numbers = 1
        self._changes: list[Change] = []
        self.root = Folder(1, stat.S_IFDIR | 0o755)

    def find(self, path: str) -> Node:
        node: Node = self.root
        for name in filter(None, path.split("/")):
            if not isinstance(node, Folder):
                raise OSError(errno.ENOTDIR, path)
            if name not in node.names:
                raise OSError(errno.ENOENT, path)
            node = node.names[name]
        return node

    def file(self, path: str) -> File:
        node = self.find(path)
        if not isinstance(node, File):
            raise OSError(errno.EISDIR, path)
        return node

    def folder(self, path: str) -> Folder:
        node = self.find(path)
        if not isinstance(node, Folder):
            raise OSError(errno.ENOTDIR, path)
        return node

    def make_file(self, path: str, mode: int = 0o644) -> File:
        made = File(self._next(), stat.S_IFREG | stat.S_IMODE(mode))
        self._make(path, made)
        return made

    def make_folder(self, path: str, mode: int = 0o755) -> None:
        self._make(path, Folder(self._next(), stat.S_IFDIR | stat.S_IMODE(mode)))

    def link(self, old: str, new: str) -> None:
        self._make(new, self.file(old))

    def remove(self, path: str) -> None:
        node = self.find(path)
        if isinstance(node, Folder) and node.names:
            raise OSError(errno.ENOTEMPTY, path)
        folder, name = self._place(path)
        self._change(folder, (folder, name, None))

    def rename(self, old: str, new: str) -> None:
        node = self.find(old)
        (source, old_name), (target, new_name) = self._place(old), self._place(new)
        there = target.names.get(new_name)
        if there is node:
            return  # two names of one file: rename(2) leaves both
        if isinstance(there, Folder) and there.names:
            raise OSError(errno.ENOTEMPTY, new)
        self._change(target, (source, old_name, None), (target, new_name, node))

    def sync_folder(self, folder: Folder) -> None:
        for change in self._changes:
            if change.home is folder:
                change.settle()
        self._changes = [change for change in self._changes if change.home is not folder]

    def cut(self, chance: random.Random | None = None) -> str:
        """Lose what is not on the disk; of `chance` some of it was, nevertheless. What was lost, in words."""
        likely = 0.0 if chance is None else chance.random()

        def drawn() -> bool:
            return chance is not None and chance.random() < likely

        lost = [change for change in self._changes if not drawn()]
        for change in self._changes:
            if change not in lost:
                change.settle()
        self._changes.clear()
        dropped = 0
        for file in self._restart(self.root, set()):
            for write in file.pending:
                if drawn():
                    write.apply(file.settled)
                else:
                    dropped += 1
                    if write.data and drawn():  # the disk was at it
                        Write(write.offset, write.data[: len(write.data) // 2]).apply(file.settled)
            file.pending.clear()
            file.content = bytearray(file.settled)
        names = sorted({name for change in lost for _, name, _ in change.entries})
        return f"{len(lost)} changes of names and {dropped} writes were lost {names[:12]}"

    def _restart(self, folder: Folder, seen: set[int]) -> Iterator[File]:
        """Show the names that are on the disk; the files that can be reached by them."""
        folder.names = {name: node for name, (_, node) in folder.settled.items() if node is not None}
        for node in folder.names.values():
            if node.number not in seen:
                seen.add(node.number)
                if isinstance(node, Folder):
                    yield from self._restart(node, seen)
                elif isinstance(node, File):
                    yield node

    def _make(self, path: str, node: Node) -> None:
        folder, name = self._place(path)
        if name in folder.names:
            raise OSError(errno.EEXIST, path)
        self._change(folder, (folder, name, node))

    def _place(self, path: str) -> tuple[Folder, str]:
        above, _, name = path.rpartition("/")
        return self.folder(above), name

    def _change(self, home: Folder, *entries: tuple[Folder, str, Node | None]) -> None:
        change = Change(self._next(), home, entries)
        change.show()
        self._changes.append(change)

    def _next(self) -> int:
        self._numbers += 1
        return self._numbers


def main(mountpoint: str, slow: float) -> None:
    """Serve a disk at `mountpoint`; at each unmount read from stdin what kind of cut it was, and mount it again.

    A sync takes up to `slow` seconds, so that what others do meanwhile is seen.
    """
    disk = Disk()
    while True:
        _serve(disk, mountpoint, slow)
        kind, _, seed = sys.stdin.readline().strip().partition(" ")
        if not kind:
            return
        print(disk.cut(random.Random(int(seed)) if kind == "random" else None), flush=True)


def _serve(disk: Disk, mountpoint: str, slow: float) -> None:
    from mfusepy import FUSE, Operations

    lock = threading.Lock()
    delays = random.Random(1)

    class Served(Operations):
        """The calls of FUSE, one at a time but for the waiting of a sync."""

        use_ns = True

        def __init__(self) -> None:
            self._open: dict[int, Node] = {}
            self._handles = 0

        def _opened(self, node: Node) -> int:
            self._handles += 1
            self._open[self._handles] = node
            return self._handles

        def _file(self, handle: int) -> File:
            node = self._open[handle]
            assert isinstance(node, File)
            return node

        def getattr(self, path, fh=None):
            with lock:
                node = self._open[fh] if path is None else disk.find(path)
                size = len(node.content) if isinstance(node, File) else 4096
                return {
                    "st_ino": node.number,
                    "st_mode": node.mode,
                    "st_nlink": 1 if isinstance(node, File) else 2,
                    "st_size": size,
                    "st_blocks": (size + 511) // 512,
                    "st_uid": os.getuid(),
                    "st_gid": os.getgid(),
                    **dict.fromkeys(("st_atime", "st_mtime", "st_ctime"), node.written),
                }

        def statfs(self, path):
            return {"f_bsize": 4096, "f_frsize": 4096, "f_blocks": 1 << 20, "f_bfree": 1 << 19, "f_bavail": 1 << 19}

        def opendir(self, path):
            with lock:
                return self._opened(disk.folder(path))

        def readdir(self, path, fh):
            with lock:
                folder = self._open[fh]
                assert isinstance(folder, Folder)
                found = {".": folder, "..": folder, **folder.names}
                return [(name, {"st_mode": node.mode, "st_ino": node.number}, 0) for name, node in found.items()]

        def releasedir(self, path, fh):
            with lock:
                del self._open[fh]
            return 0

        def create(self, path, mode, flags):
            with lock:
                return self._opened(disk.make_file(path, mode))

        def open(self, path, flags):
            with lock:
                file = disk.file(path)
                if flags & os.O_TRUNC:
                    file.change(Write(0, None))
                return self._opened(file)

        def release(self, path, fh):
            with lock:
                del self._open[fh]
            return 0

        def read(self, path, size, offset, fh):
            with lock:
                return bytes(self._file(fh).content[offset : offset + size])

        def write(self, path, data, offset, fh):
            with lock:
                self._file(fh).change(Write(offset, data))
            return len(data)

        def truncate(self, path, length, fh=None):
            with lock:
                disk.file(path).change(Write(length, None))
            return 0

        def fsync(self, path, datasync, fh):
            time.sleep(delays.uniform(0, slow))
            with lock:
                self._file(fh).settle()
            return 0

        def fsyncdir(self, path, datasync, fh):
            time.sleep(delays.uniform(0, slow))
            with lock:
                node = self._open[fh]
                assert isinstance(node, Folder)
                disk.sync_folder(node)
            return 0

        def mkdir(self, path, mode):
            with lock:
                disk.make_folder(path, mode)
            return 0

        def link(self, target, source):
            with lock:
                disk.link(source, target)
            return 0

        def rename(self, old, new):
            with lock:
                disk.rename(old, new)
            return 0

        def unlink(self, path):
            with lock:
                disk.remove(path)
            return 0

        rmdir = unlink

        def chmod(self, path, mode):
            with lock:
                node = disk.find(path)
                node.mode = stat.S_IFMT(node.mode) | stat.S_IMODE(mode)
            return 0

        def chown(self, path, uid, gid):
            return 0

        def utimens(self, path, times=None):
            with lock:
                new = times[1] if times else _NOW
                if new % 10**9 != _OMIT % 10**9 or new > 10**10:
                    disk.find(path).written = time.time_ns() if new == _NOW else new
            return 0

    no_cache = {"attr_timeout": 0, "entry_timeout": 0, "negative_timeout": 0}
    FUSE(Served(), mountpoint, foreground=True, hard_remove=True, use_ino=True, **no_cache)


class MountedDisk:
    """A forgetful disk that is mounted at `folder`, served by a process of its own."""

    def __init__(self, folder: Path, slow: float = 0.0) -> None:
        """Skips the test, with the reason, where no such disk can be mounted; fails in CI where FUSE is there."""
        if not os.access("/dev/fuse", os.R_OK | os.W_OK):
            pytest.skip("no FUSE: /dev/fuse is not there, or not ours")
        try:
            import mfusepy  # noqa: F401
        except (ImportError, OSError, AttributeError) as error:  # without libfuse it is no module
            _give_up(f"no FUSE: {error}")
        folder.mkdir()
        self.folder = folder
        with folder.with_name(f"{folder.name}.log").open("a") as errors:
            self._server = subprocess.Popen(
                [sys.executable, "-m", __name__, str(folder), str(slow)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        if not self._mounted():
            self._server.kill()
            self._server.wait()
            _give_up(f"no FUSE: the disk was not mounted: {folder.with_name(f'{folder.name}.log').read_text()}")

    def cut(self, seed: int | None = None) -> str:
        """The power fails, and comes back: everything unsynced is lost, or with a `seed` some of it. What, in words."""
        self._unmount()
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write("worst\n" if seed is None else f"random {seed}\n")
        self._server.stdin.flush()
        lost = self._server.stdout.readline().strip()
        assert self._mounted(), "the disk did not come back"
        return lost

    def close(self) -> None:
        """Unmount it for good."""
        self._unmount()
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.close()
        self._server.wait(MOUNT_SECONDS)
        self._server.stdout.close()

    def _unmount(self) -> None:
        command = ["umount"] if os.geteuid() == 0 else ["fusermount3", "-u"]
        deadline = time.monotonic() + MOUNT_SECONDS
        while subprocess.run([*command, str(self.folder)], capture_output=True, check=False).returncode:
            assert time.monotonic() < deadline, "somebody still uses the disk"
            time.sleep(0.05)

    def _mounted(self) -> bool:
        deadline = time.monotonic() + MOUNT_SECONDS
        while not self.folder.is_mount():
            if self._server.poll() is not None or time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True


def _give_up(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
