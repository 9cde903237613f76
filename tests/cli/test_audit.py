"""What waits for persons, and what they did, on the command line."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway import config, opening
from gateway.model import AuditEntry, Task, TaskState
from gateway.store.contract import CaseChange
from tests.store.made import NOW, accept, outcome

TASK = Task("t-1", 1, "review", "c-1", "declaration", "370200", "review", {"let": "accept"}, NOW)
CLAIMED = replace(TASK, id="t-2", state=TaskState.CLAIMED, person_id="wang", claimed_until=NOW + timedelta(minutes=20))
DONE = AuditEntry(NOW, "task.claim", "done", "bureau", "wang", "reviewer", "t-2", "c-1", "370200", "m-1")
REFUSED = replace(DONE, action="task.decide", result="refused", person_id="li", reasons=("decide.task.claimed",))


@pytest.fixture
def work(run, tmp_path):
    """A store with two tasks, and two lines of the audit."""
    assert run("migrate").code == 0
    settings = config.load(tmp_path / "gateway.toml")

    async def fill():
        async with opening.opened(settings, opening.signer(settings.receipts)) as store:
            await accept(store)
            (claimed,) = await store.claim_payloads(1, timedelta(minutes=1), NOW)
            case = CaseChange("c-1", 0, "in_review", "acme")
            await store.commit(outcome(claimed, cases=(case,), tasks=(TASK, CLAIMED), audit=(DONE, REFUSED)))

    asyncio.run(fill())


def test_an_offices_tasks_are_listed(run, work):
    """With their state, and who has claimed them; of another office there are none."""
    found = run("task", "list", "370200", "--json").lines
    assert [(one["id"], one["state"], one["person"], one["options"]) for one in found] == [
        ("t-1", "open", "", ["let"]),
        ("t-2", "claimed", "wang", ["let"]),
    ]
    assert "claimed" in run("task", "list", "370200").out
    assert run("task", "list", "370100", "--json").lines == []


def test_the_audit_is_listed_and_verified(run, work):
    """The newest first, of one person where asked; every entry is as it was signed."""
    lines = run("audit", "list", "--json").lines
    assert [(one["index"], one["actor"]["person"], one["result"]) for one in lines] == [
        (1, "li", "refused"),
        (0, "wang", "done"),
    ]
    assert [one["index"] for one in run("audit", "list", "--person", "wang", "--json").lines] == [0]
    assert [one["index"] for one in run("audit", "list", "--before", "1", "--json").lines] == [0]
    assert "decide.task.claimed" in run("audit", "list").out
    assert run("audit", "verify", "--json").json == {"entries": 2, "problems": []}


def test_a_changed_audit_is_told(run, work, tmp_path):
    """Exit code 1, and the entry named."""
    import sqlite3

    (database,) = tmp_path.rglob("*.db")
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE audit_entries SET body = x'7b7d' WHERE \"index\" = 0")
    done = run("audit", "verify", "--json")
    assert (done.code, done.json["problems"][0]["index"]) == (1, 0)
    assert "NOT" in run("audit", "verify").err
