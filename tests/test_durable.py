from __future__ import annotations

from pathlib import Path

import pytest

from gateway import durable


def test_a_file_is_whole_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    """A file appears whole, in folders that are made for it, and no draft stays."""
    path = tmp_path / "a" / "b" / "file"
    durable.write_file(path, b"one")
    durable.write_file(path, b"two")
    assert path.read_bytes() == b"two"
    assert [one.name for one in path.parent.iterdir()] == ["file"]


def test_a_taken_name_is_left_alone(tmp_path: Path) -> None:
    """Without `replace` what is there stays, and the newcomer leaves nothing."""
    path = tmp_path / "file"
    durable.write_file(path, b"one", replace=False)
    with pytest.raises(FileExistsError):
        durable.write_file(path, b"two", replace=False)
    assert path.read_bytes() == b"one"
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_every_step_reaches_the_disk_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each new folder is synced into the one above it; the content before the rename, the name after it."""
    steps: list[str] = []

    def synced(handle: int) -> None:
        steps.append(f"sync {Path(f'/proc/self/fd/{handle}').readlink().name.partition('.part')[0][:5]}")

    monkeypatch.setattr(durable.os, "fsync", synced)
    replace = Path.replace
    monkeypatch.setattr(Path, "replace", lambda self, to: (steps.append("rename"), replace(self, to))[1])
    durable.write_file(tmp_path / "one" / "two" / "file", b"content")
    assert steps == [f"sync {tmp_path.name[:5]}", "sync one", "sync .file", "rename", "sync two"]


def test_a_mode_holds_from_the_first_byte_on(tmp_path: Path) -> None:
    """A secret is readable by its owner alone."""
    durable.write_file(tmp_path / "key", b"secret", mode=0o600)
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
