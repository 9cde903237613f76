"""Bodies that are files: on the disk before anybody is told so, by whoever tells it."""

from __future__ import annotations

import os
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest
from sqlalchemy import make_url

from gateway import durable
from gateway.store import bodies, migrate
from gateway.store.bodies import BodyFiles, digest
from tests.steps import Steps
from tests.store.conftest import Place
from tests.store.made import accept

BODY = b"x" * 70_000
NAME = digest(BODY)
SHELF = NAME[:2]


@pytest.fixture
def steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Steps:
    """What is asked of the disk from here on."""
    return Steps(monkeypatch)


def test_a_new_body_is_on_the_disk(tmp_path: Path, steps: Steps) -> None:
    """Its folders in those above, its content before its name, its name last."""
    BodyFiles(tmp_path / "payloads").keep(NAME, BODY)
    assert steps.under(tmp_path) == [
        "mkdir payloads",
        f"sync {tmp_path.name}/",
        f"mkdir {SHELF}",
        "sync payloads/",
        "sync draft",
        f"rename draft -> {NAME}",
        f"sync {SHELF}/",
    ]


def test_a_body_that_is_there_is_synced_not_written(tmp_path: Path, steps: Steps) -> None:
    """Whoever finds it there syncs content and name again; nothing is written a second time."""
    files = BodyFiles(tmp_path / "payloads")
    files.keep(NAME, BODY)
    os.utime(files.path(NAME), (0, 0))
    steps.forget()
    files.keep(NAME, BODY)
    assert steps.taken == [f"sync {NAME}", f"sync {SHELF}/"]
    assert files.path(NAME).stat().st_mtime > 0  # young, for the sweep


def test_a_body_from_another_process_is_synced_with_its_folders(
    tmp_path: Path, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that has seen none of the folders yet syncs them all."""
    BodyFiles(tmp_path / "payloads").keep(NAME, BODY)
    monkeypatch.setattr(durable, "_settled", {})
    steps.forget()
    BodyFiles(tmp_path / "payloads").keep(NAME, BODY)
    assert steps.under(tmp_path) == [f"sync {NAME}", f"sync {tmp_path.name}/", "sync payloads/", f"sync {SHELF}/"]


def test_the_second_sender_waits_for_the_disk_itself(tmp_path: Path, steps: Steps) -> None:
    """While the first sender waits for the folder, the second, of the same body, is not done before its own sync."""
    files = BodyFiles(tmp_path / "payloads")
    reached, go_on = threading.Event(), threading.Event()

    def pause(step: str) -> None:
        if step == f"sync {SHELF}/" and threading.get_ident() != here:
            reached.set()
            assert go_on.wait(10)

    here = threading.get_ident()
    steps.at_sync = pause
    with ThreadPoolExecutor(1) as thread:
        first = thread.submit(files.keep, NAME, BODY)
        assert reached.wait(10)
        files.keep(NAME, BODY)
        done = steps.by(here)
        assert not first.done()
        go_on.set()
        first.result(10)
    assert done[-2:] == [f"sync {NAME}", f"sync {SHELF}/"]


def test_a_sweep_takes_no_body_that_is_answered_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sender who comes between a sweep's look at the old file and its removal has the body all the same."""
    files = BodyFiles(tmp_path / "payloads")
    files.keep(NAME, BODY)
    os.utime(files.path(NAME), (0, 0))
    looked, go_on = threading.Event(), threading.Event()
    is_old = bodies._is_old

    def look(path: Path, age_seconds: float) -> bool:
        found = is_old(path, age_seconds)
        looked.set()
        assert go_on.wait(10)
        return found

    monkeypatch.setattr(bodies, "_is_old", look)
    with ThreadPoolExecutor(2) as threads:
        sweep = threads.submit(files.remove_old, files.path(NAME), 3600)
        assert looked.wait(10)
        sender = threads.submit(files.keep, NAME, BODY)
        wait([sender], 0.2)  # long enough for one that does not heed the sweep
        go_on.set()
        assert sweep.result(10)
        sender.result(10)
    assert files.read(NAME) == BODY


def test_a_body_of_another_size_is_written_anew(tmp_path: Path) -> None:
    """What stands under a digest and cannot be its body is a damaged one, and is replaced."""
    files = BodyFiles(tmp_path / "payloads")
    files.keep(NAME, BODY)
    files.path(NAME).write_bytes(b"")
    files.keep(NAME, BODY)
    assert files.read(NAME) == BODY


def test_a_finished_file_is_adopted(tmp_path: Path, steps: Steps) -> None:
    """It is synced, renamed to its digest, and on the disk; nothing is copied, and nothing stays where it was."""
    files = BodyFiles(tmp_path / "payloads")
    spool = tmp_path / "spool"
    spool.write_bytes(BODY)
    files.adopt(NAME, spool)
    assert files.read(NAME) == BODY
    assert not spool.exists()
    assert steps.taken[0] == "sync spool"
    assert steps.taken[-2:] == [f"rename spool -> {NAME}", f"sync {SHELF}/"]


def test_a_finished_file_that_is_there_already_is_removed(tmp_path: Path, steps: Steps) -> None:
    """The body that is there is synced, and the newcomer goes."""
    files = BodyFiles(tmp_path / "payloads")
    files.keep(NAME, BODY)
    spool = tmp_path / "spool"
    spool.write_bytes(BODY)
    steps.forget()
    files.adopt(NAME, spool)
    assert files.read(NAME) == BODY
    assert steps.taken == [f"sync {NAME}", f"sync {SHELF}/", "unlink spool"]


async def test_a_large_body_is_durable_before_the_transaction(sqlite_url: str, tmp_path: Path, steps: Steps) -> None:
    """At each sync of the file, its name and its folders no payload is committed; afterwards it is."""
    seen: list[int] = []

    def count(_step: str) -> None:
        with sqlite3.connect(make_url(sqlite_url).database or "") as database:
            seen.append(database.execute("SELECT count(*) FROM payloads").fetchone()[0])
        database.close()

    store = Place(sqlite_url, tmp_path, b"k" * 32).store(None)
    await store.open()
    steps.at_sync = count
    await accept(store, 1, body=BODY)
    count("")
    await store.close()
    assert steps.taken[-1] == f"sync {SHELF}/"
    assert seen == [0] * (len(seen) - 1) + [1]


def test_a_new_database_has_a_durable_name(tmp_path: Path, steps: Steps) -> None:
    """The folders of an embedded database are made durable first; the file's name before its making is told."""
    migrate(f"sqlite:///{tmp_path}/store/gateway.db")
    assert steps.under(tmp_path) == ["mkdir store", f"sync {tmp_path.name}/", "sync store/"]
