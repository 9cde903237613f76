"""The power is cut after a backup, a restore or an archive said that it is done: what was promised is on the disk."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.receipt.signed import Signer
from gateway.store import migrate, open_store
from gateway.store.backup import Place, back_up
from gateway.store.bodies import content
from gateway.store.examination import examine
from gateway.store.restore import restore
from gateway.store.retained import Plan
from gateway.store.sql_store import SqlStore
from tests.faults.forgetful import MountedDisk
from tests.store.backups import everything
from tests.store.made import ORIGIN, accept
from tests.store.test_retention import LARGE, LATER, decided, id_, rows_in

SIGNER = Signer(ORIGIN, b"0123456789abcdef0123456789abcdef")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[MountedDisk]:
    """A disk that forgets what nobody synced."""
    mounted = MountedDisk(tmp_path / "disk")
    yield mounted
    mounted.close()


def place_in(folder: Path) -> Place:
    return Place(f"sqlite:///{folder}/gateway.db", folder / "payloads", folder / "anchor" / "anchor")


def opened(place: Place) -> SqlStore:
    return open_store(place.url, signer=SIGNER, payload_folder=place.payload_folder, anchor_file=place.anchor_file)


async def fill(place: Place) -> None:
    """Cases that are closed, one of them with a large body, and a payload that is not decided."""
    store = opened(place)
    await store.open()
    for number in range(1, 5):
        await decided(store, number, body=LARGE + bytes([number]) if number == 3 else b"")
    await accept(store, 100, body=LARGE)
    await store.close()


@pytest.fixture
def filled(tmp_path: Path) -> Place:
    """A store on a disk that keeps everything."""
    place = place_in(tmp_path / "kept")
    migrate(place.url)
    asyncio.run(fill(place))
    return place


def test_a_backup_that_was_made_outlasts_a_cut(filled: Place, disk: MountedDisk) -> None:
    """In a folder that it made."""
    into = disk.folder / "backups" / "b.tar"
    back_up(filled, SIGNER, into, said={})
    disk.cut()
    assert examine(into, SIGNER.vkey).faults == []


@pytest.mark.parametrize("seed", range(4))
def test_a_backup_that_was_cut_off_is_not_there(filled: Place, disk: MountedDisk, seed: int) -> None:
    """Nothing stands under its name that is not whole, whatever the disk has kept of it."""
    into = disk.folder / "b.tar"

    def cut(what: str, _count: int) -> None:
        if what == "receipts":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        back_up(filled, SIGNER, into, said={}, tell=cut)
    disk.cut(seed)
    assert not into.exists()


def test_a_restore_that_was_made_outlasts_a_cut(filled: Place, disk: MountedDisk, tmp_path: Path) -> None:
    """Rows, bodies, the anchor and the claim of the next name: the log does not come back under the name it gave up."""
    backup = tmp_path / "b.tar"
    back_up(filled, SIGNER, backup, said={})
    target = place_in(disk.folder / "new")
    restore(target, SIGNER, backup, examine(backup, SIGNER.vkey))
    disk.cut()

    async def look() -> str:
        store = opened(target)
        await store.open()
        try:
            assert content(await store.original(f"{100:032x}")) == LARGE
            return store.origin
        finally:
            await store.close()

    assert asyncio.run(look()) == f"{ORIGIN}~3"
    before, after = asyncio.run(everything(filled.url)), asyncio.run(everything(target.url))
    assert after["receipts"] == before["receipts"]


def test_what_left_the_tables_is_in_archives_that_outlast_a_cut(filled: Place, disk: MountedDisk) -> None:
    """Each row and each body that is gone from the store."""
    folder = disk.folder / "archives"
    kinds = ("timelines", "deliveries", "feeds", "bodies")
    plan = Plan(folder, dict.fromkeys(kinds, 30), frozenset({"cleared"}), 2, 100)

    async def archive() -> None:
        store = opened(filled)
        await store.open()
        await store.archive(plan, lambda: LATER)
        await store.close()

    before = asyncio.run(everything(filled.url))
    asyncio.run(archive())
    disk.cut()
    after = asyncio.run(everything(filled.url))
    archives = sorted(folder.iterdir())
    assert [examine(path, SIGNER.vkey).faults for path in archives] == [[] for _ in archives]
    for table in ("deliveries_done", "attempts", "feed", "bodies", "body_files"):
        gone = len(before[table]) - len(after[table])
        assert gone > 0
        assert sum(len(rows_in(path, table)) for path in archives) == gone
    assert any(id_(3) in str(row) for path in archives for row in rows_in(path, "body_files"))
