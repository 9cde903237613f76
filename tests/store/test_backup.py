"""A backup is one moment of the store, on either engine; what was done to it is found and named; a restore replaces nothing."""

from __future__ import annotations

import asyncio
import base64
import gzip
import io
import json
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import BackupInvalid, BodyLost, ConfigurationInvalid, RestoreRefused
from gateway.model import DeliveryState
from gateway.receipt import verify as evidence
from gateway.receipt.bundle import make_bundle
from gateway.receipt.signed import Signer
from gateway.store import migrate, migrations, version
from gateway.store import restore as restoring
from gateway.store.backup import BackedUp, back_up
from gateway.store.backup import Place as Kept
from gateway.store.bodies import BodyFiles, content
from gateway.store.examination import examine
from gateway.store.parts import read_manifest
from gateway.store.restore import Restored, restore
from gateway.store.sql_store import SqlStore
from tests.steps import drafts_in
from tests.store import filled
from tests.store.backups import everything, names_in, parts_of, repacked, resigned
from tests.store.conftest import Place
from tests.store.databases import database_url, pools
from tests.store.made import ORIGIN, accept, deliver_later, delivery, sha256
from tests.store.test_audit import commit as commit_audited
from tests.store.test_audit import entry

LARGE = bytes(range(256)) * 300
SECRET = b"0123456789abcdef0123456789abcdef"


@pytest.fixture
def other(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A second place, on the `engine` that a test names: a file that is not there yet, or a database without rows."""
    folder = tmp_path / "elsewhere"
    if "engine" not in request.fixturenames or request.getfixturevalue("engine") == "sqlite":
        yield Place(f"sqlite:///{folder}/restored.db", folder, SECRET)
        return
    template: str = request.getfixturevalue("migrated_database")
    if not template:
        pytest.skip("no PostgreSQL at GATEWAY_TEST_POSTGRES")
    name = pools[template].take()
    yield Place(database_url(name), folder, SECRET)
    pools[template].give_back(name)


def kept(place: Place) -> Kept:
    """Where the backup finds the store of a place."""
    return Kept(place.url, place.folder / "payloads", place.folder / "anchor")


def signer(place: Place) -> Signer:
    return Signer(ORIGIN, place.key)


async def back_up_of(place: Place, into: Path, **given: Any) -> BackedUp:
    return await asyncio.to_thread(back_up, kept(place), signer(place), into, said={"at": "now"}, **given)


async def restored_to(place: Place, path: Path, **given: Any) -> Restored:
    examined = examine(path, signer(place).vkey)
    assert examined.faults == []
    return await asyncio.to_thread(restore, kept(place), signer(place), path, examined, **given)


async def opened(place: Place) -> SqlStore:
    store = place.store(place.folder / "anchor")
    await store.open()
    return store


async def some(store: SqlStore) -> None:
    """Payloads, large ones too, and deliveries that wait."""
    for number in range(1, 6):
        await accept(store, number)
    for number in range(6, 9):
        await accept(store, number, body=LARGE + bytes([number]))
    await deliver_later(store, *(delivery(f"d{n}", f"lane {n}") for n in range(3)), number=50)


@pytest.fixture
async def backup(place: Place) -> Path:
    """A backup of a store with something of most kinds in it, by `SECRET`."""
    place.key = SECRET
    store = await opened(place)
    await some(store)
    await store.close()
    into = place.folder / "backup.tar"
    await back_up_of(place, into)
    return into


ENGINES = pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
"""Into which engine."""


@ENGINES
async def test_every_row_is_there_again_on_either_engine(
    place: Place,
    other: Place,
    engine: str,
) -> None:
    """From SQLite or PostgreSQL into SQLite or PostgreSQL: each row of each table, read past the store, is as it was."""
    place.key = filled.SIGNER._seed
    await filled.make(place.url, 1000)
    made = await back_up_of(place, place.folder / "backup.tar")
    target = other
    target.key = place.key
    done = await restored_to(target, made.path)
    before, after = await everything(place.url), await everything(target.url)
    assert {name: len(rows) for name, rows in before.items() if rows}.keys() >= {
        "receipts",
        "feed",
        "partners",
        "draws",
    }
    assert after == before
    assert done.rows == made.rows == sum(map(len, before.values())) - len(before["alembic_version"])


@ENGINES
async def test_a_restored_store_goes_on_under_a_new_name_and_holds_what_waits(
    backup: Path,
    place: Place,
    other: Place,
    engine: str,
) -> None:
    """Where the anchor is lost too, nobody knows what was signed after the backup: bodies, receipts and proofs are there."""
    target = other
    done = await restored_to(target, backup)
    assert (done.anchor_was_there, done.claimed, done.bodies) == (False, f"{ORIGIN}~2", 3)
    store = await opened(target)
    assert store.origin == f"{ORIGIN}~3"
    waiting = await store.reconciliation("", 10)
    assert (waiting.deliveries_held, [one.state for one in waiting.deliveries]) == (3, [DeliveryState.HELD] * 3)
    assert content(await store.original(f"{7:032x}")) == LARGE + bytes([7])
    old = await store.proven(0)
    bundle = make_bundle(old.checkpoint, [(old.receipt, old.proof)], [b"payload 1"])
    assert evidence.verify(bundle, Signer(store.origin, SECRET).vkey) == []
    # Nothing was held before, and the counters that PostgreSQL keeps by itself go on.
    await accept(store, 90)
    await store.close()
    assert place.url != target.url


async def test_nothing_is_held_where_nothing_was_after(backup: Path, other: Place) -> None:
    """A gateway that was stopped, backed up and moved goes on under its name, at once."""
    target = other
    done = await restored_to(target, backup, nothing_since=True)
    assert done.claimed == ""
    store = await opened(target)
    assert (store.origin, (await store.reconciliation("", 1)).deliveries_held) == (ORIGIN, 0)
    await store.close()


async def test_an_anchor_that_went_on_decides(backup: Path, place: Place, other: Place) -> None:
    """Where the anchor outlived the database it stays, and what is known to be lost is counted."""
    store = await opened(place)
    for number in range(60, 64):
        await accept(store, number)
    await store.checkpoint()
    await store.close()
    target = other
    target.folder.mkdir()
    for file in place.folder.glob("anchor*"):
        (target.folder / file.name).write_bytes(file.read_bytes())
    done = await restored_to(target, backup, nothing_since=True)
    assert (done.anchor_was_there, done.claimed) == (True, "")
    again = await opened(target)
    (broken,) = (await again.reconciliation("", 1)).breaks
    assert (again.origin, broken.lost) == (f"{ORIGIN}~2", 4)
    await again.close()


async def test_a_second_try_still_gives_the_name_up(
    backup: Path, other: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restore that ended before its rows were committed has claimed the name already; its anchor is nobody's promise."""
    target = other

    def full(*_: object) -> int:
        raise OSError(28, "no space")

    with monkeypatch.context() as patch:
        patch.setattr(restoring, "go_on_counting", full)
        with pytest.raises(Exception, match="storage is full"):
            await restored_to(target, backup)
    assert (await restored_to(target, backup)).anchor_was_there
    store = await opened(target)
    assert store.origin == f"{ORIGIN}~3"
    await store.close()


async def test_what_comes_meanwhile_is_all_there_or_not_at_all(place: Place, other: Place) -> None:
    """Backups of a store at work verify, each file that a row mentions is in them, and each is a beginning of the log."""
    place.key = SECRET
    store = await opened(place)
    await some(store)
    stop = asyncio.Event()

    async def load(first: int) -> None:
        number = first
        while not stop.is_set():
            await accept(store, number, body=LARGE + number.to_bytes(4, "big") if number % 3 == 0 else b"")
            number += 4

    senders = [asyncio.create_task(load(1000 + n)) for n in range(4)]
    sizes = []
    for number in range(3):
        made = await back_up_of(place, place.folder / f"backup-{number}.tar")
        assert made.lost == []
        examined = examine(made.path, signer(place).vkey)
        assert examined.faults == []
        sizes.append(examined.entries)
    stop.set()
    await asyncio.gather(*senders)
    assert sizes == sorted(sizes)
    await store.close()
    target = other
    await restored_to(target, place.folder / "backup-2.tar")
    again = await opened(target)
    leaves = [one.body async for one in again.log()]
    assert len(leaves) >= sizes[-1]
    await again.close()


async def test_no_file_is_swept_while_a_backup_is_made(place: Place) -> None:
    """Whoever copies what a moment's rows mention finds it; afterwards orphans go as ever."""
    store = await opened(place)
    files = BodyFiles(place.folder / "payloads")
    files.keep(sha256(LARGE), LARGE)
    with files.kept_from_removal():
        assert await store.sweep(older_than=-1) == 0
    assert await store.sweep(older_than=-1) == 1
    await store.close()


# What was done to it.


def changed_byte(name: str) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    def change(parts: dict[str, bytes]) -> dict[str, bytes]:
        content = parts[name]
        return parts | {name: content[:-1] + bytes([content[-1] ^ 1])}

    return change


def without(name: str) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    return lambda parts: {one: content for one, content in parts.items() if one != name}


def swapped(one: str, two: str) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    return lambda parts: parts | {one: parts[two], two: parts[one]}


RECEIPTS, PAYLOADS = "tables/receipts/000001.jsonl.gz", "tables/payloads/000001.jsonl.gz"
BODY = f"bodies/{sha256(LARGE + bytes([6]))[:2]}/{sha256(LARGE + bytes([6]))}"
OTHER_BODY = f"bodies/{sha256(LARGE + bytes([7]))[:2]}/{sha256(LARGE + bytes([7]))}"


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (changed_byte(RECEIPTS), [("changed", RECEIPTS)]),
        (changed_byte(BODY), [("changed", BODY)]),
        (changed_byte("anchor/anchor"), [("changed", "anchor/anchor")]),
        (without(PAYLOADS), [("missing", PAYLOADS)]),
        (without(BODY), [("missing", BODY)]),
        (swapped(BODY, OTHER_BODY), [("changed", BODY), ("changed", OTHER_BODY)]),
        (swapped(PAYLOADS, RECEIPTS), [("changed", PAYLOADS), ("changed", RECEIPTS)]),
        (lambda parts: {"more.txt": b"more", **parts}, [("unknown", "more.txt")]),
        (changed_byte("manifest.json"), [("signature", "manifest.json")]),
        (without("manifest.note"), [("signature", "manifest.json")]),
        (without("manifest.json"), [("cut", "manifest.note")]),
    ],
)
def test_what_was_done_to_a_part_is_named(
    backup: Path, change: Callable[[dict[str, bytes]], dict[str, bytes]], found: list[tuple[str, str]]
) -> None:
    """A part that was changed, left out, put in or put in another's place, and a manifest that was."""
    examined = examine(repacked(backup, backup.with_name("forged.tar"), change), Signer(ORIGIN, SECRET).vkey)
    assert sorted((one.code, one.part) for one in examined.faults) == sorted(found)


def test_a_file_that_was_cut_anywhere_does_not_hold(backup: Path) -> None:
    """However much of it is left, even where it ends between two parts; what can be read last is named."""
    whole = backup.read_bytes()
    cut = backup.with_name("cut.tar")
    assert not examine(backup, "").faults
    ends = range(0, len(whole.rstrip(b"\0")), 7919)
    assert len(ends) > 20
    for end in ends:
        cut.write_bytes(whole[:end])
        assert {one.code for one in examine(cut, "").faults} & {"cut", "signature"}, end


def test_any_changed_byte_of_content_is_found(backup: Path) -> None:
    """Every so many bytes one is changed: only what tar itself fills up with may be another."""
    whole, forged = backup.read_bytes(), backup.with_name("forged.tar")
    parts = parts_of(backup)
    for place in range(700, len(whole), 15013):
        forged.write_bytes(whole[:place] + bytes([whole[place] ^ 0x20]) + whole[place + 1 :])
        if not examine(forged, "").faults:
            assert names_in(forged) == list(parts)
            assert parts_of(forged) == parts, place


def drop_last_receipt(parts: dict[str, bytes], said: dict[str, Any]) -> None:
    """Whoever holds the signing key, and not the log's own history, rewrites the last receipt."""
    lines = gzip.decompress(parts[RECEIPTS]).splitlines(keepends=True)
    parts[RECEIPTS] = gzip.compress(b"".join(lines[:-1]))
    said["tables"]["receipts"]["rows"] -= 1


def test_a_manifest_signed_anew_hides_no_receipt(backup: Path) -> None:
    """The receipts must be those of the checkpoint, and the tree theirs, whatever the manifest lists."""
    key = Signer(ORIGIN, SECRET)
    forged = resigned(backup, backup.with_name("forged.tar"), key, drop_last_receipt)
    assert {one.code for one in examine(forged, key.vkey).faults} == {"log", "nodes"}


async def test_the_audit_verifies_too_under_whatever_name(place: Place, other: Place) -> None:
    """Its tree is computed anew as well; after a restore it has a new name from its next entry on, and verifies before."""
    place.key = SECRET
    store = await opened(place)
    await commit_audited(store, 1, entry(1), entry(2))
    await store.close()
    made = await back_up_of(place, place.folder / "backup.tar")
    await restored_to(other, made.path)
    again = await opened(other)
    assert again.origin == f"{ORIGIN}~3"
    await again.close()
    second = await back_up_of(other, other.folder / "second.tar")
    assert examine(second.path, signer(other).vkey).faults == []

    def forget_one(parts: dict[str, bytes], said: dict[str, Any]) -> None:
        name = "tables/audit_entries/000001.jsonl.gz"
        parts[name] = gzip.compress(gzip.decompress(parts[name]).splitlines(keepends=True)[0])
        said["tables"]["audit_entries"]["rows"] = 1

    forged = resigned(second.path, other.folder / "forged.tar", Signer(f"{ORIGIN}~3", SECRET), forget_one)
    found = examine(forged, signer(other).vkey).faults
    assert {(one.code, one.detail) for one in found} == {("log", "audit_entries"), ("nodes", "audit_nodes")}


def test_another_key_vouches_for_nothing(backup: Path) -> None:
    """By another log's key, or one of the same name, it does not hold; by its own it shows no more than damage."""
    for name in (ORIGIN, "other.example/log"):
        examined = examine(backup, Signer(name, b"z" * 32).vkey)
        assert [one.code for one in examined.faults] == ["signature"]
    # The public key under a later name of the same log is the same key.
    assert examine(backup, Signer(f"{ORIGIN}~4", SECRET).vkey).faults == []


def test_what_is_no_backup_is_told(tmp_path: Path) -> None:
    """An empty file, text, a tar of something else."""
    for nothing in (b"", b"text", b"\0" * 2048):
        (tmp_path / "x").write_bytes(nothing)
        assert [one.code for one in examine(tmp_path / "x").faults] == ["cut"]


def _row(table: str, row: list[Any]) -> Callable[[dict[str, bytes], dict[str, Any]], None]:
    def change(parts: dict[str, bytes], said: dict[str, Any]) -> None:
        parts[f"tables/{table}/000001.jsonl.gz"] = gzip.compress(json.dumps(row).encode() + b"\n")
        said["tables"][table]["rows"] = 1

    return change


def _renamed(table: str, name: str) -> Callable[[dict[str, bytes], dict[str, Any]], None]:
    def change(_parts: dict[str, bytes], said: dict[str, Any]) -> None:
        one = said["tables"][table]
        one["columns"] = [["other" if column == name else column, kind] for column, kind in one["columns"]]

    return change


BOMB = base64.b64encode(zlib.compress(bytes(1 << 26), 9)).decode()
FORGED: dict[str, Callable[[dict[str, bytes], dict[str, Any]], None]] = {
    "no list of what is lost": lambda _parts, said: said.update(lost=5),
    "no word of what is lost": lambda _parts, said: said.update(lost=None),
    "columns without the one that counts": _renamed("receipts", "index"),
    "an index beyond every number": _row("tree_nodes", [0, 1 << 70, "AAAA"]),
    "an index below zero": _row("tree_nodes", [0, -1, "AAAA"]),
    "a receipt that says nothing": _row("receipts", [0, "received", "x", None]),
    "a body that has no name": _row("bodies", [None, False, "AAAA"]),
    "a body that grows": _row("bodies", ["0" * 64, True, BOMB]),
    "rows within rows": lambda parts, said: (
        parts.update({"tables/receipts/000001.jsonl.gz": gzip.compress(b"[" * 200_000)}),
        said["tables"]["receipts"].update(rows=1),
    )[0],
}
"""What a forger may have a file say, under a key of its own."""


@pytest.mark.parametrize("what", FORGED)
def test_whatever_a_forger_writes_is_a_fault(backup: Path, what: str) -> None:
    """A file that says nonsense is told as one that does not hold; it ends no examination."""
    forged = resigned(backup, backup.with_name("forged.tar"), Signer(ORIGIN, b"f" * 32), FORGED[what])
    assert examine(forged).faults


@pytest.mark.parametrize("said", [b"[" * 200_000, b'{"parts": [["a", Infinity, "x"]]}', b'{"parts": 1}'])
def test_a_manifest_that_is_none_is_told(tmp_path: Path, said: bytes) -> None:
    """However deep it is, and whatever numbers it has."""
    with pytest.raises(BackupInvalid, match="cannot be read"):
        read_manifest(said)


@pytest.mark.parametrize(
    "headers",
    [
        # A file with holes: a hundred bytes that would be read as a million gigabytes.
        {"GNU.sparse.map": "0,1", "GNU.sparse.size": str(10**15)},
        {"GNU.sparse.map": "0,1,x"},
        {"GNU.sparse.size": "1e9"},
        {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(10**15)},
        {"size": "-5"},
    ],
)
def test_headers_of_other_kinds_of_files_are_told(tmp_path: Path, headers: dict[str, str]) -> None:
    """A part is a plain file: nothing is read out of what is none."""
    path = tmp_path / "hostile.tar"
    info = tarfile.TarInfo("README.txt")
    info.size, info.pax_headers = 1, headers
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(info, io.BytesIO(b"x"))
    assert [one.code for one in examine(path).faults] == ["cut"]


# What is missing already.


async def test_a_lost_body_is_told_and_the_rest_is_kept(place: Place, other: Place) -> None:
    """A file that is missing or damaged keeps no backup from being made; it is missing after the restore as before."""
    place.key = SECRET
    store = await opened(place)
    await some(store)
    await store.close()
    files = BodyFiles(place.folder / "payloads")
    gone, broken = sha256(LARGE + bytes([6])), sha256(LARGE + bytes([7]))
    files.path(gone).unlink()
    files.path(broken).write_bytes(b"damaged")
    made = await back_up_of(place, place.folder / "backup.tar")
    assert sorted(made.lost) == sorted([gone, broken])
    examined = examine(made.path, signer(place).vkey)
    assert (examined.faults, sorted(examined.lost)) == ([], sorted([gone, broken]))
    target = other
    assert sorted((await restored_to(target, made.path)).lost) == sorted([gone, broken])
    again = await opened(target)
    assert (await again.original(f"{8:032x}")).path
    with pytest.raises(BodyLost):
        BodyFiles(target.folder / "payloads").read(gone)
    await again.close()


# What is refused.


async def test_a_backup_replaces_nothing(backup: Path, place: Place) -> None:
    """Neither another backup, nor half of one: what fails leaves no file."""
    before = parts_of(backup)
    with pytest.raises(FileExistsError):
        await back_up_of(place, backup)
    assert parts_of(backup) == before

    def fail(_what: str, _count: int) -> None:
        raise OSError("the disk is full")

    with pytest.raises(Exception, match="the disk is full"):
        await back_up_of(place, place.folder / "second.tar", tell=fail)
    assert not (place.folder / "second.tar").exists()
    assert drafts_in(place.folder) == []


async def test_a_restore_replaces_nothing(backup: Path, place: Place) -> None:
    """A store that holds something stays as it is, and so does a database that is none of a gateway's."""
    before = await everything(place.url)
    with pytest.raises(RestoreRefused, match="payloads"):
        await restored_to(place, backup)
    assert await everything(place.url) == before


async def test_a_file_that_is_no_store_is_not_replaced(backup: Path, other: Place) -> None:
    """Whatever it is, it is somebody's."""
    import sqlite3

    target = other
    target.folder.mkdir()
    with sqlite3.connect(target.folder / "restored.db") as connection:
        connection.execute("CREATE TABLE mine (x)")
    with pytest.raises(RestoreRefused, match="none of a gateway"):
        await restored_to(target, backup)


async def test_a_restore_wants_the_key_of_the_log(backup: Path, other: Place) -> None:
    """With another key the log could not go on, so nothing is restored."""
    target = other
    examined = examine(backup, Signer(ORIGIN, SECRET).vkey)
    with pytest.raises(RestoreRefused, match="signing key"):
        restore(kept(target), Signer(ORIGIN, b"z" * 32), backup, examined)
    assert version(target.url) == ""


async def test_what_does_not_hold_is_not_restored(backup: Path, other: Place) -> None:
    """A damaged backup leaves nothing anywhere."""
    target = other
    forged = repacked(backup, backup.with_name("forged.tar"), changed_byte(BODY))
    with pytest.raises(BackupInvalid):
        restore(kept(target), signer(target), forged, examine(forged, signer(target).vkey))
    assert not target.folder.exists()


@ENGINES
async def test_a_backup_of_an_earlier_version_is_brought_to_this_one(
    backup: Path,
    other: Place,
    engine: str,
) -> None:
    """Its rows are put into the tables of their version, and these are migrated."""
    key = Signer(ORIGIN, SECRET)

    def of_earlier(parts: dict[str, bytes], said: dict[str, Any]) -> None:
        said["schema"] = "0022"
        for name in LATER_TABLES:
            said["tables"].pop(name)
        files = "tables/body_files/000001.jsonl.gz"  # which had no owners then
        rows = [json.loads(line)[1:] for line in gzip.decompress(parts[files]).splitlines()]
        parts[files] = gzip.compress("".join(f"{json.dumps(row)}\n" for row in rows).encode())
        said["tables"]["body_files"]["columns"] = [["sha256", "text"]]

    earlier = resigned(backup, backup.with_name("earlier.tar"), key, of_earlier)
    target = other
    await restored_to(target, earlier)
    assert version(target.url) == migrations.head()
    store = await opened(target)
    assert (await store.reconciliation("", 1)).deliveries_held == 3
    assert content(await store.original(f"{7:032x}")) == LARGE + bytes([7])
    assert await store.sweep(older_than=-1) == 0
    await store.close()
    owners = [dict(row) for row in (await everything(target.url))["body_files"]]
    assert {row["owner_id"] for row in owners} == {f"{n:032x}" for n in (6, 7, 8)}


LATER_TABLES = ("holds", "archives", "archived", "standing_alerts")
"""Tables that later versions have and 0022 has not."""


async def test_a_backup_of_a_later_version_is_refused(backup: Path, other: Place) -> None:
    """What this version does not know it does not guess."""

    def of_later(_parts: dict[str, bytes], said: dict[str, Any]) -> None:
        said["schema"] = "9999"

    later = resigned(backup, backup.with_name("later.tar"), Signer(ORIGIN, SECRET), of_later)
    with pytest.raises(ConfigurationInvalid, match="9999"):
        await restored_to(other, later)


def test_only_a_store_of_this_version_is_backed_up(tmp_path: Path) -> None:
    """What is not there, or of another version, is told with what to do."""
    place = Kept(f"sqlite:///{tmp_path}/none.db", tmp_path / "payloads", tmp_path / "anchor")
    with pytest.raises(ConfigurationInvalid, match="there is no store there"):
        back_up(place, Signer(ORIGIN, SECRET), tmp_path / "b.tar", said={})
    assert not (tmp_path / "none.db").exists()


def test_an_empty_store_is_backed_up_too(tmp_path: Path) -> None:
    """The day before the first message."""
    place = Kept(f"sqlite:///{tmp_path}/a.db", tmp_path / "payloads", tmp_path / "anchor")
    migrate(place.url)
    back_up(place, Signer(ORIGIN, SECRET), tmp_path / "b.tar", said={})
    examined = examine(tmp_path / "b.tar", Signer(ORIGIN, SECRET).vkey)
    assert (examined.faults, examined.entries) == ([], 0)
    there = Kept(f"sqlite:///{tmp_path}/new/a.db", tmp_path / "new", tmp_path / "new" / "anchor")
    assert restore(there, Signer(ORIGIN, SECRET), tmp_path / "b.tar", examined).claimed == ""


def test_secrets_are_in_it_only_where_they_are_asked_for(backup: Path, place: Place) -> None:
    """Neither the signing key nor its seed stands anywhere in the file; asked for, it is a part of its own."""
    key = Signer(ORIGIN, SECRET)
    everything_in = b"".join(parts_of(backup).values())
    assert key.skey.encode() not in everything_in
    assert SECRET not in everything_in
    into = backup.with_name("with.tar")
    back_up(kept(place), key, into, said={}, secrets={"signing-key": key.skey.encode()})
    assert parts_of(into)["secrets/signing-key"] == key.skey.encode()
    assert into.stat().st_mode & 0o777 == 0o600
