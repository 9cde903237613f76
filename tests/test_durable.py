"""Files that are whole, and there, after a power cut: which steps reach the disk, and in which order."""

from __future__ import annotations

import ast
import errno
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway import durable
from tests.steps import Steps, leave_drafts


@pytest.fixture
def steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Steps:
    """What is asked of the disk from here on."""
    return Steps(monkeypatch)


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


def test_of_many_who_take_a_name_at_once_one_gets_it(tmp_path: Path) -> None:
    """One writer succeeds, all others are told so, and what stands there is whole, that writer's."""

    def write(number: int) -> int | None:
        try:
            durable.write_file(tmp_path / "file", f"{number}\n".encode() * 1000, replace=False)
        except FileExistsError:
            return None
        return number

    with ThreadPoolExecutor(8) as threads:
        (winner,) = [one for one in threads.map(write, range(32)) if one is not None]
    assert (tmp_path / "file").read_bytes() == f"{winner}\n".encode() * 1000
    assert len(list(tmp_path.iterdir())) == 1


def test_every_step_reaches_the_disk_in_order(tmp_path: Path, steps: Steps) -> None:
    """Each new folder is synced into the one above it; the content before the rename, the name after it."""
    durable.write_file(tmp_path / "one" / "two" / "file", b"content")
    assert steps.under(tmp_path) == [
        "mkdir one",
        f"sync {tmp_path.name}/",
        "mkdir two",
        "sync one/",
        "sync draft",
        "rename draft -> file",
        "sync two/",
    ]


def test_a_name_that_must_be_new_is_linked_once_its_content_is_there(tmp_path: Path, steps: Steps) -> None:
    """Without `replace` the content is on the disk before it has the name."""
    durable.write_file(tmp_path / "file", b"content", replace=False)
    assert steps.under(tmp_path) == ["sync draft", "link draft -> file", "unlink draft", f"sync {tmp_path.name}/"]


def test_folders_that_are_there_are_synced_once(tmp_path: Path, steps: Steps) -> None:
    """Another process may have made them just now, so that finding them says nothing; once is enough for a process."""
    (tmp_path / "one" / "two").mkdir(parents=True)
    steps.forget()
    durable.make_folder(tmp_path / "one" / "two")
    mounted_below = [one for one in tmp_path.parents if not one.is_mount()]
    assert steps.taken[-2:] == [f"sync {tmp_path.name}/", "sync one/"]
    assert len(steps.taken) == len(mounted_below) + 3  # the mount's own folder too, and the two
    steps.forget()
    durable.make_folder(tmp_path / "one" / "two")
    assert steps.taken == []


def test_a_folder_made_anew_is_synced_anew(tmp_path: Path, steps: Steps) -> None:
    """Another folder under a name that was synced is another folder."""
    durable.make_folder(tmp_path / "one")
    (tmp_path / "other").mkdir()
    (tmp_path / "one").rmdir()
    (tmp_path / "other").rename(tmp_path / "one")
    steps.forget()
    durable.make_folder(tmp_path / "one")
    assert steps.taken == [f"sync {tmp_path.name}/"]


def test_a_folder_behind_a_link_is_synced_where_it_is(tmp_path: Path, steps: Steps) -> None:
    """Where a setting leads over a link, the folder itself is what must last."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    durable.make_folder(tmp_path / "link" / "new")
    assert steps.under(tmp_path)[-3:] == [f"sync {tmp_path.name}/", "mkdir new", "sync real/"]


def test_a_file_in_the_way_of_a_folder_is_told(tmp_path: Path) -> None:
    """What is no folder is not taken for one."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FileExistsError):
        durable.make_folder(tmp_path / "file")


def test_what_is_there_is_settled_by_whoever_relies_on_it(tmp_path: Path, steps: Steps) -> None:
    """Content, name and folders are synced, whoever wrote them."""
    (tmp_path / "box").mkdir()
    (tmp_path / "box" / "file").write_bytes(b"content")
    steps.forget()
    durable.make_durable(tmp_path / "box" / "file")
    assert steps.under(tmp_path) == ["sync file", f"sync {tmp_path.name}/", "sync box/"]


def test_a_file_that_moves_is_in_the_new_folder_first(tmp_path: Path, steps: Steps) -> None:
    """The new name is synced before the old one's absence."""
    for name in ("from", "to"):
        (tmp_path / name).mkdir()
    (tmp_path / "from" / "file").write_bytes(b"content")
    steps.forget()
    with durable.opened_folder(tmp_path / "from") as source, durable.opened_folder(tmp_path / "to") as target:
        durable.move("file", source, target)
    assert steps.taken == ["rename file -> file", "sync to/", "sync from/"]


def test_a_finished_file_is_adopted_without_being_copied(tmp_path: Path, steps: Steps) -> None:
    """On one file system it is synced and renamed."""
    spool = tmp_path / "spool"
    spool.write_bytes(b"content")
    number = spool.stat().st_ino
    durable.adopt_file(spool, tmp_path / "box" / "file")
    assert (tmp_path / "box" / "file").stat().st_ino == number
    assert steps.under(tmp_path) == [
        "sync spool",
        "mkdir box",
        f"sync {tmp_path.name}/",
        "rename spool -> file",
        "sync box/",
    ]


def test_a_finished_file_from_another_file_system_is_copied(
    tmp_path: Path, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rename does not reach over file systems: then a draft is written, and the spool goes last."""
    (tmp_path / "spool").write_bytes(b"content")
    replace = os.replace

    def apart(old, new, **options):
        if Path(old).name == "spool":
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        replace(old, new, **options)

    monkeypatch.setattr(os, "replace", apart)
    durable.adopt_file(tmp_path / "spool", tmp_path / "box" / "file")
    assert (tmp_path / "box" / "file").read_bytes() == b"content"
    assert steps.taken[-4:] == ["sync draft", "rename draft -> file", "sync box/", "unlink spool"]


def test_a_block_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    """An error while it is written leaves the old file, and no half of the new one."""
    durable.write_file(tmp_path / "file", b"old")

    def break_off() -> None:
        with durable.opened_folder(tmp_path) as folder, durable.writing(folder, "file") as file:
            file.write(b"new")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        break_off()
    assert (tmp_path / "file").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_the_longest_names_fit(tmp_path: Path) -> None:
    """A name may be as long as the file system lets it be, in any script."""
    name = "报" * 85
    durable.write_file(tmp_path / name, b"content")
    assert (tmp_path / name).read_bytes() == b"content"


@pytest.mark.parametrize(("number", "told"), [(errno.EINVAL, False), (errno.EIO, True), (errno.ENOSPC, True)])
def test_only_a_file_system_that_syncs_no_folders_is_let_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, told: bool
) -> None:
    """EINVAL says that folders are not synced there at all; anything else says that it did not work."""

    def refuse(_handle: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    if told:
        with pytest.raises(OSError, match=os.strerror(number)):
            durable.sync_folder(tmp_path)
    else:
        durable.sync_folder(tmp_path)


def test_drafts_of_crashes_are_removed(tmp_path: Path) -> None:
    """Old drafts go; young ones, links, folders and files of other names stay."""
    young = leave_drafts(tmp_path)
    long_ago = time.time() - 2 * durable.DRAFT_SECONDS
    others = [tmp_path / name for name in ("file.part", ".file.part", f".{'c' * 15}.part", f".{'C' * 16}.part")]
    for other in others:
        other.write_bytes(b"somebody else's")
    link, folder = (tmp_path / f".{letter * 16}.part" for letter in "de")
    link.symlink_to(others[0])
    folder.mkdir()
    for path in (*others, folder, link):
        os.utime(path, (long_ago, long_ago), follow_symlinks=False)
    with durable.opened_folder(tmp_path) as handle:
        assert durable.remove_drafts(handle) == 1
    assert sorted(tmp_path.iterdir()) == sorted([young, link, folder, *others])


def test_a_mode_holds_from_the_first_byte_on(tmp_path: Path) -> None:
    """A secret is readable by its owner alone."""
    durable.write_file(tmp_path / "key", b"secret", mode=0o600)
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_the_room_of_a_folder_is_known_before_it_is_there(tmp_path: Path) -> None:
    """Asked for a folder that is to come, the disk that will hold it answers, and nothing is made."""
    assert durable.free_bytes(tmp_path / "not" / "yet") > 0
    assert not list(tmp_path.iterdir())


def test_nothing_writes_files_past_this_module() -> None:
    """Who else in the package makes files, names or folders is known, with the reason why it may."""
    found = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if any(_makes_something(node) for node in ast.walk(ast.parse(path.read_text("utf-8"))))
    }
    assert found == WRITERS.keys()


PACKAGE = Path(durable.__file__).parent
WRITERS = {
    "durable.py": "is this module",
    "catalogue_folders.py": "lays a catalogue out aside, syncs it file by file, and gives it its name then",
    "cli/codes.py": "imports lists, which the same command makes again",
    "cli/evidence.py": "gives a copy to whoever asks again",
    "cli/examining.py": "holds what came by stdin while it is judged",
    "cli/schema_import.py": "imports tables, which the same command makes again",
    "cli/output.py": "writes into pipes and devices as they are",
    "demo/house.py": "a demo is begun anew",
    "demo/keys.py": "a demo is begun anew",
    "demo/proof.py": "a demo is begun anew",
    "demo/run.py": "a demo is begun anew",
    "receipt/bundle.py": "writes entries into an archive that it is given",
    "simulators/partner.py": "partners of the demo",
    "simulators/sftp.py": "partners of the demo",
    "simulators/ways.py": "partners of the demo",
    "transports/folder.py": "takes files into folders of their own, which it syncs",
    "transports/sftp.py": "uploads to a partner's disk, and judges by its size what is there",
    "transports/sftp_pickup.py": "writes receipts on a partner's disk, and moves what it has fetched there",
    "transports/sftp_server.py": "writes uploads under hidden names, syncs them and gives them their names then",
    "transports/spool.py": "a body is no one's until it is adopted, which syncs it",
    "web/api/log.py": "a bundle is made anew for whoever asks again",
    "store/node_file.py": "a node whose name is lost takes a new one",
    "trip/workers.py": "spools what a worker found, which is found again after a crash",
}


def _makes_something(node: ast.AST) -> bool:
    """Whether this is a call that writes a file, makes a folder, or gives a name."""
    if not isinstance(node, ast.Call):
        return False
    words = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    match node.func:
        case ast.Attribute(value=ast.Name(id="os"), attr="replace"):
            return True
        case ast.Attribute(attr="mkdir" | "makedirs" | "rename" | "link" | "touch" | "write_bytes" | "write_text"):
            return True
        case ast.Attribute(attr="open" | "fdopen") | ast.Name(id="open"):
            return any(word in ("w", "wb", "x", "xb", "a", "ab", "r+", "r+b", "w+", "w+b") for word in words)
    return False
