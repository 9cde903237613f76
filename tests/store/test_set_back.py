"""One log name signs one history, whatever is rolled back: backups restored again and again, replicas that lag, crashes."""

from __future__ import annotations

import asyncio
import fcntl
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from json import loads
from pathlib import Path
from shutil import copyfile
from typing import Any

import pytest

from gateway.decide.facts import Facts, NextNumber
from gateway.errors import LeaseLost, StorageFull, StoreUnavailable
from gateway.model import DeliveryState, Stage
from gateway.reasons import word_alert
from gateway.receipt import signed, verify
from gateway.receipt.anchor import generation
from gateway.receipt.bundle import make_bundle
from gateway.receipt.problems import Problem
from gateway.receipt.proof import Proof
from gateway.receipt.stored import StoredLog
from gateway.store import anchor as anchoring
from gateway.store import breaks, log_watch
from gateway.store.anchor_file import AnchorFile
from gateway.store.bodies import digest
from gateway.store.contract import NewReceipt, Proven
from gateway.store.sql_store import SqlStore
from tests.steps import drafts_in, leave_drafts
from tests.store.conftest import Place
from tests.store.made import (
    LEASE,
    NOW,
    ORIGIN,
    accept,
    claim,
    deliver_later,
    delivery,
    feed_entry,
    outcome,
    payload,
    receipt,
)
from tests.store.setting_back import Machine, contradictions
from tests.store.test_deliveries import result


@pytest.fixture
async def machine(place: Place) -> AsyncIterator[Machine]:
    """A database on either engine that can be set back under its nodes."""
    made = Machine(place)
    yield made
    await made.clean()


async def grow(store: SqlStore, numbers: range) -> list[str]:
    """Accept payloads one by one; the checkpoints that left after each."""
    notes = []
    for number in numbers:
        await accept(store, number)
        notes.append(await store.checkpoint())
    return notes


async def test_a_backup_restored_twice_takes_two_names(machine: Machine) -> None:
    """Each restored copy goes on under a name of its own, though both know nothing of each other."""
    store = await machine.open()
    notes = await grow(store, range(1, 4))
    copy = await machine.copy("backup")
    notes += await grow(store, range(4, 7))
    names = [store.origin]
    for start in (10, 20, 30):
        await machine.close()
        await machine.set_back(copy)
        store = await machine.open()
        names.append(store.origin)
        assert store.alert
        notes += [await store.checkpoint(), *await grow(store, range(start, start + 5))]
        notes.append(machine.anchor.read_text())
    assert names == [ORIGIN, f"{ORIGIN}~2", f"{ORIGIN}~3", f"{ORIGIN}~4"]
    assert contradictions(notes, await machine.histories()) == []


async def test_a_database_set_back_under_a_running_node_is_noticed(machine: Machine) -> None:
    """A replica that lags takes over: the next commit goes on under a new name, and the anchor is not overwritten."""
    store = await machine.open()
    notes = await grow(store, range(1, 4))
    copy = await machine.copy("replica")
    notes += await grow(store, range(4, 9))
    anchored = machine.anchor.read_text()
    await machine.set_back(copy)
    assert store.alert == ""
    notes += await grow(store, range(10, 20))
    assert store.origin == f"{ORIGIN}~2"
    assert "3 entries, but 8 were signed" in store.alert
    assert machine.anchor.with_name("anchor.contradicted-1").read_text() == anchored
    assert machine.anchor.read_text() == notes[-1]
    assert contradictions(notes, await machine.histories()) == []
    (broken,) = (await store.reconciliation("", 10)).breaks
    assert (broken.size, broken.known_size, broken.lost) == (3, 8, 5)


@pytest.mark.parametrize("first", ["claims", "reads", "reserves", "key"])
async def test_whatever_comes_first_notices(machine: Machine, first: str) -> None:
    """Nothing is claimed, proven, numbered or told of a database that was set back before the log has its new name."""
    store = await machine.open()
    await deliver_later(store, delivery("sent"))
    await accept(store, 7)
    copy = await machine.copy("replica")
    await accept(store, 8)
    await machine.set_back(copy)
    if first == "claims":
        assert list(await store.claim_deliveries(10, LEASE, NOW)) == []
        assert list(await store.claim_payloads(10, LEASE, NOW)) == []
    elif first == "reads":
        assert (await store.checkpoint()).startswith(f"{ORIGIN}~2\n")
    elif first == "reserves":
        numbers = await store.facts([NextNumber("n")], Facts(), "m")
        assert numbers[NextNumber("n")] > breaks.UNSEEN
    else:
        assert (await store.log_key()).startswith(f"{ORIGIN}~2+")
    assert store.origin == f"{ORIGIN}~2"


async def test_nodes_notice_and_follow(machine: Machine) -> None:
    """Whichever node notices first takes the name; the other follows it, and tells its operator too."""
    one, two = await machine.open(), await machine.open()
    notes = await grow(one, range(1, 4))
    copy = await machine.copy("replica")
    notes += await grow(one, range(4, 7)) + await grow(two, range(7, 10))
    await machine.set_back(copy)
    for number in range(10, 22):
        notes += await grow((one, two)[number % 2], range(number, number + 1))
    assert one.origin == two.origin == f"{ORIGIN}~2"
    assert one.alert == two.alert != ""
    assert contradictions(notes, await machine.histories()) == []


async def test_what_another_node_handed_out_binds(machine: Machine) -> None:
    """A checkpoint that left through one node is not contradicted by another that has never seen it."""
    one, two = await machine.open(), await machine.open()
    notes = await grow(one, range(1, 4)) + [await two.checkpoint()]
    copy = await machine.copy("replica")
    notes += await grow(one, range(4, 7))
    await machine.set_back(copy)
    notes += await grow(two, range(11, 19))  # longer than what `two` knows, and soon than what `one` knows
    notes += await grow(one, range(20, 22))
    assert two.origin == f"{ORIGIN}~2"
    assert contradictions(notes, await machine.histories()) == []


async def test_two_databases_under_one_anchor_contradict_nothing(sqlite_url: str, tmp_path: Path) -> None:
    """Where the old server lives on beside the new one, no name says two things, however they take turns."""
    machine = Machine(Place(sqlite_url, tmp_path, b"k" * 32))
    old = await machine.open()
    notes = await grow(old, range(1, 4))
    copy = await machine.copy("replica")
    new = Machine(Place(f"sqlite:///{copy}", tmp_path, b"k" * 32))
    other = await new.open()
    for number in range(10, 16):
        for store in (old, other):
            with suppress(StoreUnavailable):
                notes += await grow(store, range(number, number + 1))
    histories = await machine.histories() + await new.histories()
    await machine.close()
    await new.close()
    assert contradictions(notes, histories) == []


async def test_a_fork_that_has_grown_larger_is_noticed(machine: Machine) -> None:
    """A database whose other history is longer than the one this process knows is as wrong as a shorter one."""
    store = await machine.open()
    notes = await grow(store, range(1, 4))
    copy = await machine.copy("replica")
    notes += await grow(store, range(4, 6))
    await machine.set_back(copy)
    unaware = machine.place.store(machine.place.folder / "another-anchor")
    await unaware.open()
    for number in range(30, 40):
        await accept(unaware, number)
    await unaware.close()
    notes += await grow(store, range(10, 13))
    assert store.origin == f"{ORIGIN}~2"
    assert "not those that were signed" in store.alert
    assert contradictions(notes, await machine.histories()) == []


async def test_an_emptied_database_is_noticed(machine: Machine) -> None:
    """A database with nothing in it goes on from nothing, under a new name, with higher numbers."""
    fresh = await machine.copy("fresh")
    store = await machine.open()
    notes = await grow(store, range(1, 6))
    assert (await store.facts([NextNumber("n")], Facts(), "m"))[NextNumber("n")] == 1
    await machine.set_back(fresh)
    notes += await grow(store, range(6, 9))
    assert store.origin == f"{ORIGIN}~2"
    assert (await store.facts([NextNumber("n")], Facts(), "other"))[NextNumber("n")] > 5
    assert contradictions(notes, await machine.histories()) == []


async def test_nodes_share_an_anchor_that_never_moves_back(machine: Machine) -> None:
    """Over many commits of two nodes the anchor only grows, and no node takes another's commit for a contradiction."""
    nodes = await machine.open(), await machine.open()
    sizes: list[int] = []
    named: list[int] = []

    async def watch() -> None:
        while True:
            if machine.anchor.exists():
                sizes.append(int(machine.anchored().split("\n")[1]))
                named.append(int(machine.anchor.read_text().split("\n")[1]))
            await asyncio.sleep(0)

    async def work(start: int) -> None:
        for number in range(start, start + 60):
            await accept(nodes[number % 2], number)
            if number % 3 == 0:
                await nodes[(number + 1) % 2].checkpoint()

    watching = asyncio.create_task(watch())
    await asyncio.gather(*(work(100 * n) for n in range(1, 5)))
    watching.cancel()
    assert sizes == sorted(sizes)
    assert named == sorted(named), "the file `anchor` moved back"
    assert len(set(sizes)) > 10
    assert [node.alert for node in nodes] == ["", ""]


class Killed(BaseException):
    """The process ends here."""


def _dying(original: Callable[..., Any], *, after: bool) -> Callable[..., Any]:
    def die(*arguments: Any, **named: Any) -> Any:
        if after:
            original(*arguments, **named)
        raise Killed

    return die


STEPS: list[tuple[Any, str, bool]] = [
    (AnchorFile, "keep_aside", False),
    (AnchorFile, "keep_aside", True),
    (AnchorFile, "claim", False),
    (AnchorFile, "claim", True),
    (AnchorFile, "swap", False),
    (AnchorFile, "_publish", False),  # the anchor is replaced, and its other name is not
    (AnchorFile, "swap", True),
    (anchoring, "write_state", False),
    (anchoring, "write_state", True),
    (breaks, "record", False),
    (breaks, "record", True),  # all is written, nothing committed
    (anchoring.Checkpointer, "_tell", False),  # committed, and nobody told
]


@pytest.mark.parametrize("lost", ["", "after the crash", "at last"])
@pytest.mark.parametrize(("owner", "name", "after"), STEPS)
async def test_a_crash_while_a_name_is_taken(
    machine: Machine, owner: Any, name: str, after: bool, lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the process ends while the log takes a new name, no name ever says two things, nor comes back.

    Nor does one where the anchor is lost as well, right after the crash or before the backup is restored once more.
    """
    store = await machine.open()
    notes = await grow(store, range(1, 4))
    copy = await machine.copy("backup")
    notes += await grow(store, range(4, 7))
    await machine.close()
    await machine.set_back(copy)
    for start in (10, 20):  # the second time the same backup is restored after the crash
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, _dying(getattr(owner, name), after=after))
            dying = machine.place.store(machine.anchor)
            with pytest.raises(Killed):
                await dying.open()
            await dying._database.close()
        claimed = machine.anchored()
        if lost == "after the crash" and start == 20:
            machine.lose_anchor()
        store = await machine.open()
        assert generation(store.origin) >= generation(claimed.split("\n")[0])
        notes += [claimed, await store.checkpoint(), *await grow(store, range(start, start + 3))]
        await machine.close()
        notes.append(machine.anchored())
        await machine.set_back(copy)
    if lost == "at last":
        machine.lose_anchor()
    store = await machine.open()
    used = {note.split("\n")[0] for note in notes}
    assert store.origin not in used
    notes += await grow(store, range(30, 36))
    assert contradictions(notes, await machine.histories()) == []


async def test_a_name_whose_commit_fails_is_burnt(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A running node whose new name cannot be committed takes the next one, and loses nothing that was sent to it."""
    store = await machine.open()
    notes = await grow(store, range(1, 4))
    copy = await machine.copy("replica")
    notes += await grow(store, range(4, 7))
    await machine.set_back(copy)
    with monkeypatch.context() as patch:

        def fail(*_: object) -> None:
            raise StoreUnavailable("the server is gone")

        patch.setattr(breaks, "record", fail)
        with pytest.raises(StoreUnavailable):
            await accept(store, 9)
    assert machine.anchor.read_text().startswith(f"{ORIGIN}~2\n")
    notes += await grow(store, range(9, 12))
    assert store.origin == f"{ORIGIN}~3"
    assert contradictions(notes, await machine.histories()) == []


async def test_a_commit_whose_answer_was_lost_is_no_contradiction(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was committed though its writer was told nothing extends what is known, and the name stays."""
    store = await machine.open()
    await accept(store, 1)
    write = store._database.write

    async def write_and_lose(work: Any, **options: Any) -> Any:
        await write(work, **options)
        raise StoreUnavailable("the connection broke during the commit")

    with monkeypatch.context() as patch:
        patch.setattr(store._database, "write", write_and_lose)
        with pytest.raises(StoreUnavailable):
            await accept(store, 2)
    assert (await accept(store, 2)).duplicate
    assert (await accept(store, 3)).receipt.index == 2
    assert (store.origin, store.alert) == (ORIGIN, "")


async def test_no_checkpoint_leaves_that_is_not_anchored(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the anchor cannot be written, commits go on, but no proof is given that another node could contradict."""
    store = await machine.open()
    await accept(store, 1)
    before = await store.checkpoint()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(AnchorFile, "swap", full)
        index = (await accept(store, 2)).receipt.index
        for ask in (store.checkpoint(), store.proven(index), store.consistency(1)):
            with pytest.raises(StorageFull):
                await ask
        assert machine.anchor.read_text() == before
    assert (await store.proven(index)).checkpoint == machine.anchor.read_text()


async def test_a_lost_anchor_does_not_bring_a_name_back(machine: Machine) -> None:
    """Without an anchor the names that were claimed stay given up; the present one goes on."""
    store = await machine.open()
    notes = await grow(store, range(1, 3))
    copy = await machine.copy("backup")
    notes += await grow(store, range(3, 5))
    await machine.set_back(copy)
    notes += await grow(store, range(5, 7))
    await machine.close()
    machine.lose_anchor()
    store = await machine.open()
    assert (store.origin, store.alert) == (f"{ORIGIN}~2", "")
    await machine.close()
    for name in (f"{ORIGIN}~3", f"{ORIGIN}~4"):
        machine.lose_anchor()
        await machine.set_back(copy)
        store = await machine.open()
        assert store.origin == name
        notes += await grow(store, range(10, 14))
        await machine.close()
    assert contradictions(notes, await machine.histories()) == []


async def test_drafts_beside_the_anchor_are_removed(machine: Machine) -> None:
    """What a crash left half-written beside the anchor is gone a day later, when a node opens the store."""
    young = leave_drafts(machine.anchor.parent)
    await machine.open()
    assert drafts_in(machine.anchor.parent) == [young]


async def test_two_nodes_whose_anchor_is_lost_bring_no_name_back(machine: Machine) -> None:
    """One of two nodes is started anew after the anchor was lost, and both are set back: the name is a new one for both."""
    one, two = await machine.open(), await machine.open()
    notes = await grow(one, range(1, 3))
    copy = await machine.copy("backup")
    notes += await grow(two, range(3, 6))
    await machine.set_back(copy)
    notes += [*await grow(one, range(6, 9)), *await grow(two, range(9, 11))]
    assert one.origin == two.origin == f"{ORIGIN}~2"
    await machine.close()
    machine.lose_anchor()
    await machine.set_back(copy)
    one, two = await machine.open(), await machine.open()
    notes += [*await grow(one, range(20, 23)), *await grow(two, range(23, 26))]
    assert one.origin == two.origin == f"{ORIGIN}~3"
    assert contradictions(notes, await machine.histories()) == []


async def test_a_name_claimed_by_another_key_is_passed_over(machine: Machine) -> None:
    """A claim that our key did not sign takes that name's number; the log takes the next one."""
    store = await machine.open()
    notes = await grow(store, range(1, 3))
    copy = await machine.copy("backup")
    notes += await grow(store, range(3, 5))
    machine.anchor.with_name("anchor.claimed-2").write_text(f"{ORIGIN}~2\n9\nAAAA\n\nsomebody else's\n")
    await machine.set_back(copy)
    notes += await grow(store, range(5, 7))
    assert store.origin == f"{ORIGIN}~3"
    assert contradictions(notes, await machine.histories()) == []


async def test_an_anchor_of_before_a_name_was_taken_does_not_bring_it_back(machine: Machine) -> None:
    """Database and anchor are both put back from copies: the claim beside them still says that the name was given up."""
    store = await machine.open()
    notes = await grow(store, range(1, 3))
    copy, old = await machine.copy("backup"), machine.anchored()
    notes += await grow(store, range(3, 5))
    await machine.set_back(copy)
    notes += await grow(store, range(5, 7))
    await machine.close()
    machine.lose_anchor()
    machine.anchor.write_text(old)
    await machine.set_back(copy)
    store = await machine.open()
    notes += await grow(store, range(10, 14))
    assert store.origin == f"{ORIGIN}~3"
    assert contradictions(notes, await machine.histories()) == []


async def test_whoever_holds_the_anchors_lock_stops_no_proof(machine: Machine) -> None:
    """While another process stands still with the lock file in its hands, proofs are given, and a new name is taken."""
    store = await machine.open()
    notes = await grow(store, range(1, 3))
    copy = await machine.copy("backup")
    with machine.anchor.with_name("anchor.lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        async with asyncio.timeout(4):
            notes += await grow(store, range(3, 6))
            await store.proven(4)
        await machine.set_back(copy)
        async with asyncio.timeout(4):
            notes += await grow(store, range(6, 9))
        assert store.origin == f"{ORIGIN}~2"
        assert machine.anchored() == notes[-1]
    notes += await grow(store, range(9, 10))
    assert machine.anchor.read_text() == notes[-1]
    assert contradictions(notes, await machine.histories()) == []


async def test_one_attempt_answers_all_who_wait_for_the_anchor(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the anchor's disk does not answer, all who ask for a proof are refused together, and soon."""
    store = await machine.open()
    await accept(store, 1)
    await store.checkpoint()
    index = (await accept(store, 2)).receipt.index
    stands, tries = threading.Event(), 0

    def stand_still(*_: object) -> bool:
        nonlocal tries
        tries += 1
        stands.wait(20)
        return False

    with monkeypatch.context() as patch:
        patch.setattr(AnchorFile, "swap", stand_still)
        patch.setattr(anchoring, "HOLD_SECONDS", 0.5)
        began = asyncio.get_running_loop().time()
        try:
            found = await asyncio.gather(*(store.proven(index) for _ in range(10)), return_exceptions=True)
            assert [type(one) for one in found] == [StoreUnavailable] * 10
            with pytest.raises(StoreUnavailable):
                await store.checkpoint()  # at once, since nothing has come of it for so long
            assert asyncio.get_running_loop().time() < began + 2
            assert tries == 1
        finally:
            stands.set()
    assert store._checkpointer._attempt is not None
    await store._checkpointer._attempt
    assert (await store.proven(index)).checkpoint == machine.anchored()


async def test_proof_goes_on(machine: Machine) -> None:
    """Evidence from before verifies with the old key; receipts of either name with the new one, in proofs and bundles."""
    store = await machine.open()
    await grow(store, range(1, 4))
    copy = await machine.copy("replica")
    await grow(store, range(4, 6))
    old_key, old = await store.log_key(), await store.proven(4)
    await machine.set_back(copy)
    one = payload(9)
    await store.accept(one, NewReceipt(Stage.RECEIVED, one.id, signed.received(one, log=store.origin)))
    two = payload(10)
    await store.accept(two, NewReceipt(Stage.RECEIVED, two.id, signed.received(two, log=store.origin)))
    new_key = await store.log_key()
    assert old_key.partition("+")[0] == ORIGIN
    assert new_key.partition("+")[0] == f"{ORIGIN}~2"
    assert verify.verify_proof(_proof(old), old_key) == []
    assert not verify.valid(verify.verify_proof(_proof(old), new_key))
    proven = [await store.proven(index) for index in range(5)]
    assert [verify.verify_proof(_proof(each), new_key) for each in proven] == [[]] * 5
    bodies = [payload(number).body for number in (1, 2, 3, 9, 10)]
    packed = make_bundle(proven[0].checkpoint, [(each.receipt, each.proof) for each in proven], bodies)
    assert verify.verify(packed, new_key) == []
    assert not verify.valid(verify.verify(packed, old_key))
    assert {loads(each.receipt.body)["log"] for each in proven} == {ORIGIN, f"{ORIGIN}~2"}


def _proof(proven: Proven) -> bytes:
    return Proof(proven.receipt.index, proven.proof, proven.checkpoint, proven.receipt.body).text().encode()


async def test_the_audit_takes_no_break_for_damage(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A round of the log's audit that the store is set back in begins anew, and finds nothing."""
    monkeypatch.setattr(log_watch, "PAGE", 8)
    store = await machine.open()
    await grow(store, range(1, 8))
    copy = await machine.copy("replica")
    await grow(store, range(8, 25))
    found: list[Problem] = []
    watch = log_watch.LogWatch(store, 100_000, on_found=found.append)
    audit_on, pages = store.audit_on, 0

    async def audit_on_and_set_back(seen: StoredLog, count: int) -> bool:
        nonlocal pages
        pages += 1
        if pages == 3:
            await machine.set_back(copy)
            unaware = machine.place.store(machine.place.folder / "another-anchor")
            await unaware.open()
            for number in range(30, 55):
                await accept(unaware, number)
            await unaware.close()
        return await audit_on(seen, count)

    monkeypatch.setattr(store, "audit_on", audit_on_and_set_back)
    await watch._round()
    assert store.origin == f"{ORIGIN}~2"
    assert pages > 6
    assert found == []


# What waits for an operator.


async def test_what_would_be_repeated_is_held(machine: Machine) -> None:
    """Deliveries and payloads of before the break wait, and whoever is at one of them loses it; the rest goes on."""
    store = await machine.open()
    await deliver_later(store, delivery("first"), delivery("second"), delivery("other", "port|case"))
    undecided = await claim(store, 2)
    copy = await machine.copy("replica")
    (sending, *_) = await store.claim_deliveries(10, LEASE, NOW)
    await grow(store, range(3, 5))
    await machine.set_back(copy)
    await accept(store, 9)
    with pytest.raises(LeaseLost):
        await store.finish_attempt(result(sending, receipts=(receipt(sending.id),)))
    with pytest.raises(LeaseLost):
        await store.commit(outcome(undecided))
    (fresh,) = await store.claim_payloads(10, LEASE, NOW)
    assert fresh.payload.id == f"{9:032x}"
    await store.commit(outcome(fresh, deliveries=(delivery("behind"), delivery("free", "yard|case"))))
    assert [one.id for one in await store.claim_deliveries(10, LEASE, NOW)] == ["free"]
    found = await store.reconciliation("", 10)
    assert [one.id for one in found.deliveries] == ["first", "second", "other"]
    assert {one.state for one in found.deliveries} == {DeliveryState.HELD}
    assert {one.next_at for one in found.deliveries} == {found.breaks[0].at}
    assert [one.id for one in found.payloads] == [undecided.payload.id]
    pressure = await store.pressure()
    assert (pressure.deliveries_held, pressure.payloads_held, pressure.payloads_waiting) == (3, 1, 0)


async def test_an_operator_lets_go_what_is_held(machine: Machine) -> None:
    """Sent under the same id, skipped, or decided; when nothing is held any more, the break is closed."""
    store = await machine.open()
    await deliver_later(store, delivery("first"), delivery("second"), delivery("other", "port|case"))
    await accept(store, 2)
    copy = await machine.copy("replica")
    await accept(store, 3)
    await machine.set_back(copy)
    await store.checkpoint()
    assert await store.held_deliveries("") == ["first", "second", "other"]
    assert await store.held_deliveries("nobody") == []
    await store.skip_delivery("first", NOW)
    assert not await store.close_breaks(NOW)
    for id_ in ("second", "other"):
        await store.retry_delivery(id_, NOW)
    assert [one.id for one in await store.claim_deliveries(10, LEASE, NOW)] == ["second", "other"]
    assert not await store.close_breaks(NOW)
    assert await store.release_payloads() == 1
    assert [one.payload.id for one in await store.claim_payloads(10, LEASE, NOW)] == [f"{2:032x}"]
    assert await store.close_breaks(NOW)
    (broken,) = (await store.reconciliation("", 10)).breaks
    assert broken.reconciled_at == NOW


async def test_numbers_and_cursors_are_not_given_twice(machine: Machine) -> None:
    """Document numbers and feed sequences of the lost history do not come again, of new counters either."""
    store = await machine.open()
    old, new = NextNumber("old"), NextNumber("new")
    await store.facts([old], Facts(), "m1")
    copy = await machine.copy("replica")
    lost = await store.facts([old, new], Facts(), "m2")
    claimed = await claim(store, 1)
    await store.commit(outcome(claimed, feed=tuple(feed_entry(f"e{n}") for n in range(5))))
    read = await store.feed("clearance", "", 0, 10)
    await machine.set_back(copy)
    claimed = await claim(store, 9)
    await store.commit(outcome(claimed, feed=(feed_entry("after"),)))
    (entry,) = await store.feed("clearance", "", read[-1].sequence, 10)
    assert entry.document_id == "after"
    given = await store.facts([old, new], Facts(), "m3")
    assert given[old] > lost[old]
    assert given[new] > lost[new]
    await store.skip_numbers(5000)
    assert (await store.facts([old], Facts(), "m4"))[old] == given[old] + 5001
    assert (await store.facts([NextNumber("newest")], Facts(), "m4"))[NextNumber("newest")] > 5000


async def test_the_operator_is_told(machine: Machine) -> None:
    """The feed of alerts says what happened, in its reader's language, in the transaction that gave the new name."""
    store = await machine.open()
    copy = await machine.copy("fresh")
    await grow(store, range(1, 4))
    await machine.set_back(copy)
    await accept(store, 9)
    (entry,) = await store.feed("alerts", "@operator", 0, 10)
    body = (await store.feed_entry("alerts", "@operator", entry.sequence)).body.decode()
    assert '"origin":"gateway.example/log~2"' in body
    assert "数据库曾被回退" in word_alert(body.encode(), "zh").decode()
    assert "set back" in word_alert(body.encode(), "en").decode()
    assert '"lost":3' in body


async def test_nothing_is_swept_that_a_lost_history_mentioned(machine: Machine) -> None:
    """A store that was set back keeps the files it has forgotten until its operator has reconciled it."""
    store = await machine.open()
    await accept(store, 1)
    copy = await machine.copy("replica")
    body = b"x" * 70_000
    await accept(store, 2, body=body)
    await store.checkpoint()
    await machine.set_back(copy)
    file = store._files.path(digest(body))
    assert (await store.sweep(-1), file.exists()) == (0, True)
    assert store.origin == f"{ORIGIN}~2"
    await store.release_payloads()
    assert await store.close_breaks(NOW)
    assert (await store.sweep(-1), file.exists()) == (1, False)


async def test_of_two_gateways_on_one_anchor_one_stops(sqlite_url: str, tmp_path: Path) -> None:
    """Where a gateway with another key writes the same anchor, one stops instead of taking name after name."""
    anchor = tmp_path / "anchor"
    other_file = tmp_path / "other.db"
    copyfile(tmp_path / "gateway.db", other_file)
    gateways = [
        Place(url, tmp_path, bytes([number]) * 32).store(anchor)
        for number, url in enumerate((sqlite_url, f"sqlite:///{other_file}"), 1)
    ]
    refused = 0
    for store in gateways:
        await store.open()
    try:
        for number in range(1, 21):
            for store in gateways:
                try:
                    await accept(store, number)
                    await store.checkpoint()
                except StoreUnavailable:
                    refused += 1
        assert max(generation(store.origin) for store in gateways) <= 3
        assert refused >= 15, "both go on as if the anchor were their own"
    finally:
        for store in gateways:
            await store.close()
