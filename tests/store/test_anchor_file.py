"""The anchor's files: which is the anchor, what is kept beside it, and what is cleared away."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from gateway import durable
from gateway.store.anchor_file import AnchorFile
from tests.steps import Steps


def grown(path: Path, count: int) -> AnchorFile:
    """An anchor that was replaced so many times."""
    file = AnchorFile(path)
    for number in range(count):
        assert file.swap(file.read(), f"note {number}")
    return file


def test_the_anchor_is_the_newest_version(tmp_path: Path) -> None:
    """The highest number counts, as a number; its other name is `anchor`; a few older ones are kept."""
    file = grown(tmp_path / "anchor", 11)
    assert file.read() == (tmp_path / "anchor").read_text() == "note 10"
    left = sorted(int(path.name.rpartition("-")[2]) for path in tmp_path.glob("anchor.version-*"))
    assert left == [8, 9, 10, 11]
    assert not file.swap("note 9", "note 11")
    assert file.read() == "note 10"


def test_a_version_that_is_not_the_highest_is_the_anchor_for_nobody(tmp_path: Path) -> None:
    """What a node that was stopped for long makes in the gap it remembers changes nothing, and is cleared away."""
    file = grown(tmp_path / "anchor", 11)
    (tmp_path / "anchor.version-2").write_text("of long ago")
    assert file.read() == "note 10"
    assert file.swap("note 10", "note 11")
    assert not (tmp_path / "anchor.version-2").exists()


def test_a_file_without_a_number_is_an_anchor_too(tmp_path: Path) -> None:
    """Where there are no versions, `anchor` is read: one of an earlier release, or put there from a copy."""
    (tmp_path / "anchor").write_text("copy")
    file = AnchorFile(tmp_path / "anchor")
    assert file.read() == "copy"
    assert not file.swap(None, "note")
    assert file.swap("copy", "note")
    assert file.read() == (tmp_path / "anchor").read_text() == "note"


def test_a_name_is_claimed_once(tmp_path: Path) -> None:
    """Of two nodes one has the claim; the latest claim is told first."""
    one, two = AnchorFile(tmp_path / "anchor"), AnchorFile(tmp_path / "anchor")
    assert one.claim(2, "by one")
    assert not two.claim(2, "by two")
    assert two.claim(10, "later")
    assert list(one.read_claims()) == ["later", "by one"]


def test_a_version_is_on_the_disk_before_it_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its content is synced before it has its name, and the name before older ones go."""
    file = grown(tmp_path / "anchor", 4)
    steps = Steps(monkeypatch)
    durable._settled[tmp_path] = (tmp_path.stat().st_dev, tmp_path.stat().st_ino)
    assert file.swap("note 3", "note 4")
    assert steps.taken[:4] == ["sync draft", "link draft -> anchor.version-5", "unlink draft", f"sync {tmp_path.name}/"]


def test_keeping_one_more_aside_writes_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many are kept, what is new is written once, and what is kept already is not."""
    file = AnchorFile(tmp_path / "anchor")
    for number in range(20):
        file.keep_aside(f"note {number}")
    steps = Steps(monkeypatch)
    file.keep_aside("note 20")
    assert [step for step in steps.taken if step.startswith("link")] == ["link draft -> anchor.contradicted-21"]
    steps.forget()
    file.keep_aside("note 7")
    assert [step for step in steps.taken if step.startswith("link")] == []
    assert "sync anchor.contradicted-8" in steps.taken


def test_what_becomes_of_the_other_name_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The anchor is replaced though its name `anchor` cannot be."""
    file = grown(tmp_path / "anchor", 1)

    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(durable, "link_file", refuse)
    assert file.swap("note 0", "note 1")
    assert file.read() == "note 1"
