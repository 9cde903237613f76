"""The receipt log: proofs, checkpoints, the anchor outside the database."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
from sqlalchemy import make_url

from gateway.errors import LogDamaged, NotFound
from gateway.receipt.anchor import next_origin
from gateway.receipt.chain import leaf_hash, verify_consistency, verify_inclusion
from gateway.receipt.signed import Checkpoint, Signer, Verifier
from gateway.store.sql_store import SqlStore
from tests.store.conftest import Place
from tests.store.made import ORIGIN, accept, claim, outcome, receipt


def verifier(store: SqlStore, origin: str = ORIGIN) -> Verifier:
    return store._checkpointer.signer(origin).verifier


async def test_an_empty_log_has_no_checkpoint(store: SqlStore) -> None:
    """Before the first commit there is nothing signed and nothing to prove."""
    assert await store.checkpoint() == ""
    assert [one async for one in store.log()] == []
    with pytest.raises(NotFound):
        await store.proven(0)


async def test_every_receipt_is_proven_against_the_newest_checkpoint(store: SqlStore) -> None:
    """Each receipt's proof leads to the root that was signed last, and tampering with the receipt breaks it."""
    for number in range(5):
        await asyncio.gather(*(accept(store, number * 10 + n) for n in range(1, 8)))
    for index in range(35):
        proven = await store.proven(index)
        checkpoint = verifier(store).checkpoint(proven.checkpoint)
        assert proven.size == checkpoint.size == 35
        leaf = leaf_hash(proven.receipt.body)
        assert verify_inclusion(leaf, index, proven.size, proven.proof, checkpoint.root)
        assert not verify_inclusion(leaf_hash(b"x"), index, proven.size, proven.proof, checkpoint.root)
    with pytest.raises(NotFound):
        await store.proven(35)


async def test_each_checkpoint_extends_those_before(store: SqlStore) -> None:
    """What a partner saw signed is consistent with everything that is signed later."""
    seen: list[Checkpoint] = []
    for number in range(1, 12):
        await accept(store, number)
        seen.append(verifier(store).checkpoint(await store.checkpoint()))
    for old in seen:
        proof, note = await store.consistency(old.size)
        new = verifier(store).checkpoint(note)
        assert verify_consistency(old.size, new.size, proof, old.root, new.root)
    for size in (-1, 12):
        with pytest.raises(NotFound):
            await store.consistency(size)


async def test_one_commit_signs_once(store: SqlStore) -> None:
    """All receipts of an outcome stand under one checkpoint."""
    claimed = await claim(store)
    await store.commit(outcome(claimed, receipts=tuple(receipt(f"s{n}") for n in range(9))))
    sizes = await store._read(lambda c: [row.size for row in c.exec_driver_sql("SELECT size FROM checkpoints")])
    assert sorted(sizes) == [1, 10]


async def test_the_log_is_walked_in_pages(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log is read in order and without a gap, from anywhere, however it falls into pages."""
    monkeypatch.setattr("gateway.store.sql_log.LOG_PAGE", 4)
    await asyncio.gather(*(accept(store, n) for n in range(1, 14)))
    assert [one.index async for one in store.log()] == list(range(13))
    assert [one.index async for one in store.log(after=8)] == [9, 10, 11, 12]


async def test_receipts_are_found_by_subject(store: SqlStore) -> None:
    """Receipts about several things come in log order."""
    claimed = await claim(store)
    await store.commit(outcome(claimed, receipts=(receipt("b"), receipt("a"), receipt("b"))))
    assert [(one.index, one.subject_id) for one in await store.receipts_of(["a", "b", "c"])] == [
        (1, "b"),
        (2, "a"),
        (3, "b"),
    ]


async def test_the_log_goes_on_after_reopening(place: Place) -> None:
    """A store that is opened again appends to the same tree under the same name."""
    anchor = place.folder / "anchor"
    for number in range(1, 4):
        store = place.store(anchor)
        await store.open()
        assert store.alert == ""
        assert store.origin == ORIGIN
        assert (await accept(store, number)).receipt.index == number - 1
        await store.close()
        assert Verifier.checkpoint(verifier(store), anchor.read_text()).size == number


async def _grown(place: Place, anchor: Path, numbers: range) -> None:
    store = place.store(anchor)
    await store.open()
    for number in numbers:
        await accept(store, number)
    await store.close()


def _file(place: Place) -> Path:
    return Path(str(make_url(place.url).database))


@pytest.fixture
def file_place(sqlite_url: str, tmp_path: Path) -> Place:
    return Place(sqlite_url, tmp_path, b"k" * 32)


async def test_a_database_that_was_set_back_takes_a_new_name(file_place: Place) -> None:
    """A tree shorter than its anchor never signs again under its name: new name, alert, old anchor kept."""
    anchor = file_place.folder / "anchor"
    await _grown(file_place, anchor, range(1, 4))
    copy = file_place.folder / "copy.db"
    shutil.copy(_file(file_place), copy)
    await _grown(file_place, anchor, range(4, 7))
    contradicted = anchor.read_text()
    for leftover in file_place.folder.glob("gateway.db-*"):
        leftover.unlink()
    shutil.copy(copy, _file(file_place))

    store = file_place.store(anchor)
    await store.open()
    assert "3 entries" in store.alert
    assert store.origin == next_origin(ORIGIN)
    assert (anchor.parent / "anchor.contradicted-1").read_text() == contradicted
    renamed = verifier(store, store.origin)
    assert renamed.checkpoint(await store.checkpoint()).size == 3
    await accept(store, 9)
    assert renamed.checkpoint(await store.checkpoint()).size == 4
    await store.close()

    again = file_place.store(anchor)
    await again.open()
    assert (again.alert, again.origin) == ("", next_origin(ORIGIN))
    await again.close()


async def test_a_rewritten_log_takes_a_new_name(file_place: Place) -> None:
    """Another history of the same length or longer does not extend the anchor either."""
    anchor = file_place.folder / "anchor"
    await _grown(file_place, anchor, range(1, 3))
    empty = file_place.folder / "migrated.db"
    other = Place(f"sqlite:///{empty}", file_place.folder, file_place.key)
    from gateway.store import migrate

    migrate(other.url)
    await _grown(other, file_place.folder / "other-anchor", range(11, 15))
    store = other.store(anchor)
    await store.open()
    assert "not those that were signed" in store.alert
    assert store.origin == next_origin(ORIGIN)
    await store.close()


@pytest.mark.parametrize(
    "forged",
    [
        "rubbish",
        "",
        Signer(ORIGIN, b"z" * 32).checkpoint(1, b"r" * 32),  # another key
        Signer("other.example/log", b"k" * 32).checkpoint(1, b"r" * 32),  # another log
    ],
)
async def test_an_anchor_that_cannot_be_trusted_is_an_alert(file_place: Place, forged: str) -> None:
    """Without a trustworthy anchor nobody can say that the tree is not shorter, so the name changes."""
    anchor = file_place.folder / "anchor"
    await _grown(file_place, anchor, range(1, 3))
    anchor.write_text(forged)
    store = file_place.store(anchor)
    await store.open()
    assert store.alert
    assert store.origin == next_origin(ORIGIN)
    await store.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE tree_nodes SET hash = zeroblob(32) WHERE level = 1",
        "DELETE FROM tree_nodes WHERE level = 1",
        "DELETE FROM checkpoints WHERE size = (SELECT max(size) FROM checkpoints)",
        "UPDATE log_state SET frontier = x'00'",
        "UPDATE log_state SET frontier = CAST(substr(frontier, 1, 8) || zeroblob(32) AS BLOB)",
    ],
)
async def test_a_damaged_tree_is_found_at_opening(file_place: Place, statement: str) -> None:
    """A store whose tree is not the one it signed last does not open."""
    await _grown(file_place, file_place.folder / "anchor", range(1, 3))
    store = file_place.store()
    await store._database.write(lambda c: c.exec_driver_sql(statement))
    with pytest.raises(LogDamaged):
        await store.open()
    await store.close()


async def test_a_checkpoint_is_anchored_only_after_its_commit(
    file_place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction that fails after signing leaves no trace of its checkpoint, in the store or outside."""
    anchor = file_place.folder / "anchor"
    store = file_place.store(anchor)
    await store.open()
    await accept(store, 1)
    before = await store.checkpoint()

    def fail(*_: object) -> None:
        raise RuntimeError("killed before the commit")

    with monkeypatch.context() as patch:
        patch.setattr("gateway.store.batch.write_state", fail)
        with pytest.raises(RuntimeError):
            await accept(store, 2)
    assert await store.checkpoint() == before
    assert (await accept(store, 3)).receipt.index == 1
    await store.close()
    assert verifier(store).checkpoint(anchor.read_text()).size == 2
