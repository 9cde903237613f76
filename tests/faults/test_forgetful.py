"""The disk that forgets, as the power-cut tests trust it: it keeps what fsync(2) promises, and nothing else for sure."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from gateway import durable
from tests.faults.forgetful import Disk, MountedDisk, Write


def filled(disk: Disk, path: str, content: bytes = b"content"):
    file = disk.make_file(path)
    file.change(Write(0, content))
    return file


def names(disk: Disk, path: str = "") -> list[str]:
    return sorted(disk.folder(path).names)


def test_what_nobody_synced_is_gone() -> None:
    """Neither name nor content lasts by itself."""
    disk = Disk()
    filled(disk, "/file")
    disk.cut()
    assert names(disk) == []


def test_a_synced_name_without_its_content_is_an_empty_file() -> None:
    """What a power cut made of a key that was written in its place."""
    disk = Disk()
    filled(disk, "/file")
    disk.sync_folder(disk.root)
    disk.cut()
    assert bytes(disk.file("/file").content) == b""


def test_a_synced_content_without_its_name_is_gone() -> None:
    """A file is found by its name."""
    disk = Disk()
    filled(disk, "/file").settle()
    disk.cut()
    assert names(disk) == []


def test_what_was_synced_lasts_as_it_was_then() -> None:
    """Later writes, renames and removals that were not synced are undone."""
    disk = Disk()
    file = filled(disk, "/file", b"old")
    file.settle()
    disk.sync_folder(disk.root)
    file.change(Write(0, b"newer"))
    disk.rename("/file", "/other")
    disk.cut()
    assert names(disk) == ["file"]
    assert bytes(disk.file("/file").content) == b"old"


def test_a_folder_has_its_own_name() -> None:
    """What is in a folder is gone with it, unless the one above was synced."""
    disk = Disk()
    disk.make_folder("/one")
    filled(disk, "/one/file").settle()
    disk.sync_folder(disk.folder("/one"))
    disk.cut()
    assert names(disk) == []


def test_a_rename_between_folders_is_whole() -> None:
    """The sync of the folder it leads to brings both ends to the disk; that of the other one, neither."""
    for synced, found in (("/to", ([], ["file"])), ("/from", (["file"], []))):
        disk = Disk()
        for folder in ("/from", "/to"):
            disk.make_folder(folder)
        filled(disk, "/from/file").settle()
        disk.sync_folder(disk.root)
        disk.sync_folder(disk.folder("/from"))
        disk.rename("/from/file", "/to/file")
        disk.sync_folder(disk.folder(synced))
        disk.cut()
        assert (names(disk, "/from"), names(disk, "/to")) == found


def test_a_name_that_came_again_is_not_removed_by_what_came_before() -> None:
    """A change that reaches the disk late does not undo a later one of the same name."""
    disk = Disk()
    for folder in ("/from", "/to"):
        disk.make_folder(folder)
    disk.sync_folder(disk.root)
    filled(disk, "/from/file")
    disk.rename("/from/file", "/to/file")
    again = filled(disk, "/from/file", b"again")
    again.settle()
    disk.sync_folder(disk.folder("/from"))
    disk.sync_folder(disk.folder("/to"))
    disk.cut()
    assert bytes(disk.file("/from/file").content) == b"again"


def test_a_disk_may_have_written_anything_of_what_it_was_not_asked_for() -> None:
    """Over many draws of one history: all of it, none of it, a later part without an earlier one, half a write."""
    outcomes = set()
    for seed in range(400):
        disk = Disk()
        disk.make_folder("/one")
        file = filled(disk, "/one/file", b"aaaa")
        file.change(Write(4, b"bbbb"))
        disk.cut(random.Random(seed))
        there = names(disk) == ["one"] and names(disk, "/one") == ["file"]
        outcomes.add(bytes(disk.file("/one/file").content) if there else None)
    assert {None, b"", b"aaaabbbb", b"aaaa", b"\0\0\0\0bbbb", b"aa", b"aaaabb"} <= outcomes


def test_one_seed_is_one_cut() -> None:
    """A printed seed repeats what was lost."""
    found = set()
    for _ in range(2):
        disk = Disk()
        for number in range(50):
            filled(disk, f"/{number}")
        disk.cut(random.Random(5))
        found.add(tuple(names(disk)))
    assert len(found) == 1
    assert 0 < len(found.pop()) < 50


@pytest.fixture
def mounted(tmp_path: Path):
    """Such a disk, mounted."""
    disk = MountedDisk(tmp_path / "disk")
    yield disk
    disk.close()


def test_a_mounted_disk_forgets_plain_writes_and_keeps_durable_ones(mounted: MountedDisk) -> None:
    """What `durable` writes, links, adopts and moves is there after a cut; what was only written is not."""
    box = mounted.folder / "one" / "box"
    durable.write_file(box / "kept", b"content")
    durable.write_file(box / "linked", b"content", replace=False)
    (mounted.folder / "spool").write_bytes(b"content")
    durable.adopt_file(mounted.folder / "spool", box / "adopted")
    durable.write_file(mounted.folder / "other" / "moved", b"content")
    with durable.opened_folder(mounted.folder / "other") as source, durable.opened_folder(box) as target:
        durable.move("moved", source, target)
    (box / "plain").write_bytes(b"content")
    (mounted.folder / "plain").mkdir()
    mounted.cut()
    assert sorted(path.name for path in mounted.folder.iterdir()) == ["one", "other"]
    assert {path.name: path.read_bytes() for path in box.iterdir()} == dict.fromkeys(
        ("kept", "linked", "adopted", "moved"), b"content"
    )
    assert list((mounted.folder / "other").iterdir()) == []
