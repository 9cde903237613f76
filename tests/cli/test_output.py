"""Files that commands write: whole or not at all, on the disk when it is said; pipes and devices as they are."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from gateway.cli import output
from tests.steps import Steps, drafts_in, leave_drafts


def write(path: Path, content: bytes = b"content") -> None:
    with output.new_file(path) as file:
        file.write(content)


def test_a_file_is_on_the_disk_when_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An evidence bundle that a command has told of survives a power cut."""
    steps = Steps(monkeypatch)
    write(tmp_path / "bundle.zip")
    assert steps.taken == ["sync draft", "rename draft -> bundle.zip", f"sync {tmp_path.name}/"]


def test_a_file_that_is_not_finished_does_not_replace_one_that_is(tmp_path: Path) -> None:
    """An export that breaks off leaves the one before it."""
    write(tmp_path / "log", b"old")

    def break_off() -> None:
        with output.new_file(tmp_path / "log") as file:
            file.write(b"new")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        break_off()
    assert (tmp_path / "log").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_drafts_of_earlier_exports_are_removed(tmp_path: Path) -> None:
    """An export that was killed leaves nothing for good where the next one is made."""
    young = leave_drafts(tmp_path)
    write(tmp_path / "log")
    assert drafts_in(tmp_path) == [young]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """What it leads to is written."""
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"content"


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_ids_stay_whole_in_a_table_of_any_width(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is copied from a narrow terminal is an id, and not the half of one; words of people are wrapped."""
    ids = [f"01a2b3c4-d5e6-7890-abcd-ef012345678{digit}" for digit in range(3)]
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    rows = [(id_, "acme", id_[::-1], "报检 accepted and waiting for a decision") for id_ in ids]
    output.table(("id", "partner", "case", "in words"), rows, empty="")
    printed = capsys.readouterr().out
    assert all(id_ in printed and id_[::-1] in printed for id_ in ids)


def test_a_pipe_is_written_into(tmp_path: Path) -> None:
    """A reader at the other end gets the bytes; no file takes the pipe's place."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    write(pipe)
    reader.join(10)
    assert got == [b"content"]
    assert pipe.is_fifo()


@pytest.mark.parametrize("place", ["missing/file", ".", "file/below"])
def test_what_cannot_be_written_is_named(tmp_path: Path, place: str) -> None:
    """The error names the file that was asked for, not a draft; no folder is made for a misspelt one."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match=r".") as told:
        write(tmp_path / place)
    assert told.value.filename == str(tmp_path / place)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
