"""What a person decides: tasks that wait for an office, and decisions that are answered at once."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from datetime import timedelta
from typing import Any

import pytest

from gateway.model import Agreement, Credential, Direction, HeldRole, Identifier, Partner, Person, Role, Stage, Task
from gateway.registry.keys import hash_key
from gateway.store.contract import CaseChange, NewReceipt, Outcome
from tests.store.made import payload
from tests.web.conftest import NOW, Answer, Client, Quiet, key_of

_serial = itertools.count()
TRACKS = {"declaration": "accepted"}


def task(number: int = 1, **fields: Any) -> Task:
    options = {"let": "assign", "stop": "order"}
    return Task(f"t-{number}", 1, "review", "c-1", "inspection", "370200", "assign", options, NOW, **fields)


PERSONS = (
    Person("chen", "bureau", "Chen", (HeldRole("supervisor"),)),
    Person("wu", "bureau", "Wu", (HeldRole("supervisor", "370900"),)),
    Person("sun", "bureau", "Sun", (HeldRole("auditor"),)),
)
KEYS = (("bureau", "chen"), ("wu", "wu"), ("sun", "sun"), ("system", ""))
BUREAU = Partner("bureau", "Bureau", frozenset({Role.BUREAU}), (Identifier("ciq-org", "370200"),))


async def ask_tasks(client: Client, *tasks: Task) -> None:
    """Have a payload ask tasks about a case, of a bureau that is there from now on; nobody else is at that payload."""
    store, notary = client.services.store, client.services.notary
    agreement = Agreement("bureau-in", "bureau", Direction.IN, "*", "*")
    await store.import_partners(
        (BUREAU,),
        (agreement,),
        [Credential(f"{name}-1", "bureau", hash_key(key_of(name)), person_id=id_) for name, id_ in KEYS],
    )
    await store.import_persons(PERSONS)
    asking = payload(partner_id="acme")
    receipt = NewReceipt(Stage.RECEIVED, asking.id, notary.received(asking))
    claimed = (await store.accept(asking, receipt, timedelta(days=9999))).claimed
    assert claimed is not None
    case = CaseChange("c-1", 0, "accepted", "acme", tracks=TRACKS)
    await store.commit(Outcome(claimed.work, 1, finished=True, cases=(case,), tasks=tasks))


async def decide(client: Client, option: str, *, as_: str = "bureau", key: str = "", **fields: Any) -> Answer:
    """A decision, of which its sender waits for what comes."""
    document = {"task": "t-1", "option": option, "task_version": 1} | fields
    reference = key or f"R{next(_serial)}"  # JSON has no envelope: a reference is an interchange's, and comes once
    body = json.dumps({"format": "json:decision:1", "reference": reference, "document": document}).encode()
    headers = {"Content-Type": "application/json", **({"Idempotency-Key": key} if key else {})}
    return await client.ask("POST", "/v1/messages?document=decision", as_=as_, headers=headers, data=body)


def told(answer: Answer) -> dict[str, Any]:
    """The response document that stands in an answer."""
    (response,) = (offer for offer in answer.json["offered"] if offer["document"] == "response")
    document: dict[str, Any] = json.loads(response["body"])["document"]
    return document


async def test_an_office_sees_its_own_tasks(quiet: Quiet) -> None:
    """Page by page, the oldest first, worded in the reader's language; nobody else sees one of them."""
    await ask_tasks(quiet.client, *(task(number) for number in (1, 2, 3)), task(4, test=True))
    first = await quiet.client.ask("GET", "/v1/tasks?limit=2", as_="bureau")
    assert [one["id"] for one in first.json["items"]] == ["t-1", "t-2"]
    assert (first.json["items"][0]["options"], first.json["items"][0]["version"]) == (["let", "stop"], 1)
    second = await quiet.client.ask("GET", f"/v1/tasks?limit=2&cursor={first.json['next']}", as_="bureau")
    assert ([one["id"] for one in second.json["items"]], second.json["next"]) == (["t-3"], None)
    tests = await quiet.client.ask("GET", "/v1/tasks?test=true", as_="bureau")
    assert [one["id"] for one in tests.json["items"]] == ["t-4"]
    for other in ("acme", "customs"):
        assert (await quiet.client.ask("GET", "/v1/tasks", as_=other)).json["items"] == []


@pytest.fixture
def changes() -> dict[str, Any]:
    return {"pipeline": {"workers": 0, "concurrency": 1}}


@pytest.fixture
async def asked(client: Client) -> Client:
    """A running gateway in which an office is asked about a case."""
    await ask_tasks(client, task())
    assert (await client.ask("GET", "/v1/tasks", as_="bureau")).json["items"]
    return client


async def test_a_decision_is_answered_with_what_came_of_it(asked: Client) -> None:
    """Settled, with the task's new version and the receipts of a message; the next one learns that it has moved on."""
    first = await decide(asked, "let")
    assert (first.status, first.json["state"]) == (200, "accepted")
    assert first.headers["Location"] == f"/v1/messages/{first.json['id']}"
    assert (told(first)["outcome"], told(first)["task_version"]) == ("accepted", 2)
    assert [receipt["stage"] for receipt in first.json["receipts"]] == ["received", "checked"]
    second = await decide(asked, "stop")
    assert (second.status, second.json["state"], told(second)["task_version"]) == (200, "rejected", 2)
    assert [reason["code"] for reason in told(second)["reasons"]] == ["decide.task.moved_on"]
    assert (await asked.ask("GET", "/v1/tasks", as_="bureau")).json["items"] == []


async def test_a_repeat_gets_the_same_outcome(asked: Client) -> None:
    """The same decision under the same key is decided once, and answered alike."""
    first, again = [await decide(asked, "let", key="K1") for _ in range(2)]
    assert (first.status, again.status) == (200, 200)
    assert again.json == first.json


async def test_a_decision_that_is_refused_says_why(asked: Client) -> None:
    """In the same exchange: no such option; and to whom the task is not asked of, that there is none."""
    assert [reason["code"] for reason in told(await decide(asked, "burn"))["reasons"]] == ["decide.task.option"]
    assert [reason["code"] for reason in told(await decide(asked, "let", as_="customs"))["reasons"]] == [
        "decide.task.unknown"
    ]


async def test_what_is_not_said_to_be_at_once_is_answered_as_ever(asked: Client) -> None:
    """Without the word, or with a body that is something else, the answer is a 202, or what came of what it is."""
    body = json.dumps(
        {"format": "json:decision:1", "reference": "R", "document": {"task": "t", "option": "o", "task_version": 1}}
    ).encode()
    headers = {"Content-Type": "application/json"}
    assert (await asked.ask("POST", "/v1/messages", as_="bureau", headers=headers, data=body)).status == 202
    odd = await asked.ask("POST", "/v1/messages?document=decision", as_="bureau", data=b"no decision")
    assert (odd.status, odd.json["state"]) == (200, "rejected")
    assert (await asked.ask("POST", "/v1/messages?document=declaration", as_="bureau", data=b"x")).status == 202


async def test_it_waits_for_no_peak_and_no_earlier_message(asked: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """With every hand full and a peak on, a decision is decided all the same."""
    process: Any = asked.services.process
    pipeline = process._background["pipeline"].__self__
    monkeypatch.setattr(pipeline._inbox, "_arrivals", lambda: 9999)
    began = time.monotonic()
    answer = await decide(asked, "let")
    assert (answer.status, told(answer)["outcome"]) == (200, "accepted")
    assert time.monotonic() - began < 1.0, "claiming gives way to a peak for a second"


async def test_one_that_takes_long_is_found_later(asked: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing is decided in time the answer is a 202 with where it will be told; nothing is lost."""
    from gateway.web.api import messages

    store: Any = asked.services.store
    commit, held = store.commit, asyncio.Event()

    async def late(outcome: Outcome) -> None:
        await held.wait()
        await commit(outcome)

    monkeypatch.setattr(messages, "ANSWERED_WITHIN", 0.05)
    monkeypatch.setattr(store, "commit", late)
    answer = await decide(asked, "let")
    assert (answer.status, answer.json["duplicate"]) == (202, False)
    held.set()
    found = await asked.processed(answer.json["id"], as_="bureau")
    assert found["state"] == "accepted"


async def test_a_person_sees_what_may_be_decided(quiet: Quiet) -> None:
    """Each task says whether the person whose key it is may decide it, and why not; a system may decide none."""
    await ask_tasks(quiet.client, task())
    for who, may, codes in (
        ("bureau", True, []),
        ("wu", False, ["decide.person.office"]),
        ("sun", False, ["decide.person.act"]),
        ("system", False, ["decide.person.none"]),
    ):
        (one,) = (await quiet.client.ask("GET", "/v1/tasks", as_=who)).json["items"]
        assert (one["may_decide"], [reason["code"] for reason in one["why_not"]], one["state"]) == (may, codes, "open")
        mine = (await quiet.client.ask("GET", "/v1/tasks?mine=true", as_=who)).json["items"]
        assert [found["id"] for found in mine] == (["t-1"] if may else [])


async def test_a_claim_is_answered_at_once_and_seen(asked: Client) -> None:
    """The list says who has claimed it, until when; the claimant decides by the version that the claim was told."""
    claimed = await decide(asked, "claim")
    assert (claimed.json["state"], told(claimed)["task_version"]) == ("accepted", 2)
    (one,) = (await asked.ask("GET", "/v1/tasks", as_="system")).json["items"]
    assert (one["state"], one["claimed_by"], one["version"]) == ("claimed", "chen", 2)
    assert told(await decide(asked, "let", task_version=2))["outcome"] == "accepted"


async def test_the_audit_names_who_did_what(asked: Client) -> None:
    """Refused attempts too, the newest first; it verifies, and the case's timeline and the receipt name the person."""
    assert told(await decide(asked, "let", as_="wu"))["outcome"] == "refused"
    assert told(await decide(asked, "let", as_="system"))["outcome"] == "refused"
    await decide(asked, "claim")
    done = await decide(asked, "let", task_version=2)
    page = (await asked.ask("GET", "/v1/audit?limit=3", as_="sun")).json
    assert [(one["actor"]["person"], one["action"], one["result"]) for one in page["items"]] == [
        ("chen", "task.decide", "done"),
        ("chen", "task.claim", "done"),
        ("", "task.decide", "refused"),
    ]
    rest = (await asked.ask("GET", f"/v1/audit?limit=3&cursor={page['next']}", as_="sun")).json
    assert [(one["actor"]["person"], one["reasons"]) for one in rest["items"]] == [("wu", ["decide.person.office"])]
    assert rest["next"] is None
    only = (await asked.ask("GET", "/v1/audit?person=chen&case=c-1", as_="operator")).json["items"]
    seen = await asked.services.store.audit_log_from()
    assert await asked.services.store.audit_log_on(seen, 100)
    assert seen.problems == []
    assert [one["index"] for one in only] == [seen.size - 1, seen.size - 2]
    (case,) = await asked.services.store.case("c-1")
    assert [(e.details["person"], e.details["state"]) for e in case.events if e.kind == "task"] == [
        ("chen", "claimed"),
        ("chen", "decided"),
    ]
    assert [alert.details["alert"] for alert in case.events if alert.kind == "alert"] == ["role", "role"]
    (received,) = await asked.services.store.receipts_of([done.json["id"]])
    assert json.loads(received.body)["person"] == "chen"


async def test_the_audit_is_for_auditors(asked: Client) -> None:
    """A person without the act, and a system, are refused; another organisation's is not told."""
    for who in ("bureau", "system", "acme"):
        assert (await asked.ask("GET", "/v1/audit", as_=who)).status == 403
    await decide(asked, "claim", as_="customs")
    assert (await asked.ask("GET", "/v1/audit", as_="sun")).json["items"] == []
    everybody = (await asked.ask("GET", "/v1/audit", as_="operator")).json["items"]
    of_tasks = [one for one in everybody if one["action"].startswith("task.")]  # beside who was registered
    assert [(one["actor"]["partner"], one["reasons"]) for one in of_tasks] == [("customs", ["decide.task.unknown"])]
