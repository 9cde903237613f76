"""The audit: a log of its own, written in the same commits, in which nothing is changed unseen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from gateway.errors import FactsMoved
from gateway.model import AuditEntry
from gateway.receipt.anchor import audit_name
from gateway.receipt.stored import StoredLog
from gateway.store import tables
from gateway.store.contract import AuditWanted, CaseChange
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
