"""The audit: a log of its own, written in the same commits, in which nothing is changed unseen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, select, update

from gateway.errors import FactsMoved, StoreUnavailable
from gateway.model import Agreement, AuditEntry, Credential, Direction, HeldRole, Partner, Person, Role
from gateway.receipt.anchor import audit_name
from gateway.receipt.signed import Signer
from gateway.receipt.stored import StoredLog
from gateway.store import tables
from gateway.store.contract import AuditWanted, CaseChange
from gateway.store.log import AUDIT, read_state, write_state
from gateway.store.registry_audit import ONE_BY_ONE
from gateway.store.sql_store import SqlStore
from tests.store.conftest import Place
from tests.store.made import NOW, ORIGIN, claim, outcome


def entry(number: int, **fields: object) -> AuditEntry:
    person = "wang" if number % 2 else "li"
    values: dict[str, object] = {
        "at": NOW, "action": "task.claim", "result": "done", "partner_id": "bureau", "person_id": person,
        "role": "reviewer", "task_id": f"t-{number}", "case_id": "c-1", "office": "370100", "occasion": f"m-{number}",
    }  # fmt: skip
    return AuditEntry(**(values | fields))  # type: ignore[arg-type]


async def commit(store: SqlStore, number: int, *entries: AuditEntry) -> None:
    await store.commit(outcome(await claim(store, number), audit=tuple(entries)))


async def audited(store: SqlStore) -> StoredLog:
    """The audit, looked at from its beginning to its end, two entries at once."""
    seen = await store.audit_log_from()
    while not await store.audit_log_on(seen, 2):
        pass
    return seen


async def test_what_is_done_is_told_in_its_order(store: SqlStore) -> None:
    """The newest first, page by page, of a person, a partner or a case; each names its log and verifies."""
    assert (await audited(store)).size == 0
    await commit(store, 1, entry(1), entry(2, result="refused", reasons=("decide.person.act",)))
    await commit(store, 2, entry(3, partner_id="other", case_id="c-2"))
    lines = await store.audit_lines(AuditWanted(), -1, 10)
    assert [line.index for line in lines] == [2, 1, 0]
    assert [line.index for line in await store.audit_lines(AuditWanted(), 2, 1)] == [1]
    for wanted, found in (
        (AuditWanted("bureau"), [1, 0]),
        (AuditWanted(person_id="wang"), [2, 0]),
        (AuditWanted(case_id="c-2"), [2]),
        (AuditWanted("bureau", "wang"), [0]),
    ):
        assert [line.index for line in await store.audit_lines(wanted, -1, 10)] == found
    said = json.loads(lines[1].body)
    assert (said["actor"], said["result"], said["reasons"], said["log"]) == (
        {"partner": "bureau", "person": "li", "role": "reviewer"}, "refused", ["decide.person.act"], audit_name(ORIGIN),
    )  # fmt: skip
    seen = await audited(store)
    assert (seen.size, seen.problems) == (3, [])
    assert (await store.audit_checkpoint()).startswith(f"{ORIGIN}/audit\n3\n")


async def test_what_is_not_committed_is_not_told(store: SqlStore) -> None:
    """An outcome that is refused leaves no entry: the audit stands in the same commit."""
    moved = CaseChange("c", 7, "declared", "firm")
    with pytest.raises(FactsMoved):
        await store.commit(outcome(await claim(store), audit=(entry(1),), cases=(moved,)))
    assert await store.audit_lines(AuditWanted(), -1, 10) == []
    assert await store.audit_checkpoint() == ""


E, N, C, S = tables.audit_entries, tables.audit_nodes, tables.audit_checkpoints, tables.audit_state


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (update(E).where(E.c.index == 1).values(body=b"{}"), "receipt.stored.changed"),
        (delete(E).where(E.c.index == 1), "receipt.stored.missing"),
        (update(N).where(N.c.level == 0, N.c.index == 0).values(hash=bytes(32)), "receipt.stored.leaf"),
        (delete(C).where(C.c.size == 3), "receipt.stored.newest"),
        (update(C).where(C.c.size == 3).values(note="x"), "receipt.stored.checkpoint"),
    ],
)
async def test_what_is_changed_is_found(store: SqlStore, change: object, code: str) -> None:
    """A changed or missing entry, a changed node, a checkpoint that is gone or forged."""
    await commit(store, 1, entry(1), entry(2), entry(3))
    await store._database.write(lambda connection: connection.execute(change))  # type: ignore[call-overload]
    seen = await audited(store)
    assert code in {problem.code for problem in seen.problems}


async def test_the_audit_goes_on_under_the_logs_next_name(place: Place, tmp_path: Path) -> None:
    """Where the log takes another name, what is told from then on is under the later name, and all of it still verifies."""
    anchor = tmp_path / "anchor"
    store = place.store(anchor)
    await store.open()
    await commit(store, 1, entry(1))
    await store.close()
    anchor.write_text("somebody else's\n", "utf-8")
    store = place.store(anchor)
    await store.open()
    try:
        assert store.origin == f"{ORIGIN}~2"
        await commit(store, 2, entry(2))
        seen = await audited(store)
        assert (seen.size, seen.problems) == (2, [])
        assert (await store.audit_checkpoint()).startswith(f"{ORIGIN}/audit~2\n")
    finally:
        await store.close()


# Its anchor.


def audit_anchor(folder: Path) -> Path:
    return folder / "anchor.audit"


async def test_its_newest_checkpoint_is_kept_outside(place: Place) -> None:
    """Whoever is given the audit's checkpoint finds it beside the anchor: it left only once it was kept there."""
    store = place.store(place.folder / "anchor")
    await store.open()
    await commit(store, 1, entry(1))
    note = await store.audit_checkpoint()
    assert note.startswith(f"{audit_name(ORIGIN)}\n1\n")
    assert audit_anchor(place.folder).read_text() == note
    await commit(store, 2, entry(2))
    await store.close()
    assert audit_anchor(place.folder).read_text().startswith(f"{audit_name(ORIGIN)}\n2\n")


@pytest.mark.parametrize("kept", [1, 2])
async def test_entries_cut_off_with_their_checkpoints_are_missed(place: Place, kept: int) -> None:
    """A database whose audit was cut whole, or rewritten, contradicts what is kept outside: the audit says so."""
    store = place.store(place.folder / "anchor")
    await store.open()
    for number in (1, 2, 3):
        await commit(store, number, entry(number))
        if number == kept:
            before = await store._database.read(lambda connection: read_state(connection, AUDIT))
    await store.close()
    store = place.store(place.folder / "anchor")
    await store.open()

    def cut(connection: Connection) -> None:
        assert before is not None
        connection.execute(delete(E).where(E.c.index >= kept))
        connection.execute(delete(C).where(C.c.size > kept))
        nodes = [(level, index) for level, index, _ in connection.execute(select(N))]
        for level, index in nodes:
            if (index + 1) << level > kept:
                connection.execute(delete(N).where(N.c.level == level, N.c.index == index))
        write_state(connection, before, AUDIT)

    await store._database.write(cut)
    seen = await audited(store)
    assert [(one.code, one.args) for one in seen.problems] == [
        ("receipt.stored.anchored", {"size": "3", "before": str(kept)})
    ]
    with pytest.raises(StoreUnavailable):
        await store.audit_checkpoint()  # it would contradict what somebody may hold
    await store.close()
    assert audit_anchor(place.folder).read_text().startswith(f"{audit_name(ORIGIN)}\n3\n")


@pytest.mark.parametrize("note", ["?", Signer(ORIGIN, b"o" * 32).checkpoint(1, b"r" * 32)])
async def test_an_anchor_that_is_not_the_audits_is_told(place: Place, note: str) -> None:
    """What stands in the anchor's place and is no checkpoint of the audit's proves nothing, and is told as that."""
    store = place.store(place.folder / "anchor")
    await store.open()
    await commit(store, 1, entry(1))
    await store.audit_checkpoint()
    await store.close()
    audit_anchor(place.folder).write_text(note)
    store = place.store(place.folder / "anchor")
    await store.open()
    assert "receipt.stored.anchor_foreign" in [one.code for one in (await audited(store)).problems]
    await store.close()


# What the registry is given.


async def test_every_change_of_the_registry_is_told(store: SqlStore) -> None:
    """Partners, agreements, credentials and persons, as they were and are, without secrets; and who ended a credential."""
    firm = Partner("firm", "Firm", frozenset({Role.ENTERPRISE}))
    key = Credential("k-1", "firm", "c0ffee" * 8, label="old")
    await store.import_partners([firm], [Agreement("a-1", "firm", Direction.IN, "*", "*")], [key])
    await store.import_persons([Person("li", "firm", "Li Na", (HeldRole("reviewer"),))])
    await store.import_persons([Person("li", "firm", "Li Na", (HeldRole("reviewer", "370200"), HeldRole("auditor")))])
    await store.revoke_credential("k-1", NOW)
    lines = [json.loads(line.body) for line in await store.audit_lines(AuditWanted(), -1, 20)][::-1]
    assert sorted((line["action"], line["subject"]) for line in lines[:3]) == [
        ("registry.agreement", "a-1"), ("registry.credential", "k-1"), ("registry.partner", "firm"),
    ]  # fmt: skip
    given, changed, revoked = lines[3:]
    assert (given["before"], given["after"]["roles"]) == ({}, "name=reviewer")
    assert (changed["before"]["roles"], changed["after"]["roles"]) == (
        "name=reviewer", "name=reviewer office=370200; name=auditor",
    )  # fmt: skip
    assert (revoked["action"], revoked["before"]["label"], revoked["actor"]["person"]) == (
        "registry.revoke", "old", "operator",
    )  # fmt: skip
    assert "c0ffee" not in json.dumps(lines)
    assert (await audited(store)).problems == []


async def test_of_many_at_once_the_number_and_the_digest_are_told(store: SqlStore) -> None:
    """A list of enterprises is one entry a transaction, not one a firm."""
    firms = [Partner(f"firm-{number}", "Firm", frozenset({Role.ENTERPRISE})) for number in range(ONE_BY_ONE + 1)]
    await store.import_partners(firms, [], [])
    (line,) = await store.audit_lines(AuditWanted(), -1, 20)
    said = json.loads(line.body)
    assert (said["action"], said["after"]["partners"]) == ("registry.import", str(len(firms)))
    assert len(said["after"]["sha256"]) == 64
