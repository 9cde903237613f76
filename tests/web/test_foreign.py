"""A foreign thing and a missing one answer alike, to the byte: whoever asks learns of neither whether it is there.

What is asked for was made by a real trip: a firm's declaration that the gateway took in, decided, delivered to the
bureau's folder and acknowledged. A stranger asks for each of these things, and for one that does not exist.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from gateway.data import samples
from gateway.model import Credential, Partner, Role, Stage
from gateway.registry.keys import hash_key
from gateway.store.contract import AccountChange, NewReceipt, Outcome
from gateway.store.sql_store import SqlStore
from gateway.web import cursor
from gateway.web.routes import ROUTES
from tests.store.made import payload
from tests.trip import rig
from tests.web.conftest import ENTRIES, LICENCE, Answer, Client, key_of
from tests.web.test_subjects import NUMBER, SCHEME, register

DECLARATION = (samples() / "declaration" / "import_sea_container" / "in.edi").read_bytes()
STRANGERS = ("stranger", "other-bureau", "acme-test")
"""A firm with nothing to do with it, one of the recipient's own trade, and the sender's own key for tests alone."""


@dataclass(frozen=True)
class Made:
    """What the trip made, by the names that parameters have."""

    client: Client
    payload: str
    message: str
    case: str
    business_key: str
    delivery: str
    receipts: dict[str, int]
    feeds: dict[str, int]
    exhibit: str


@pytest.fixture
def changes() -> dict[str, Any]:
    """No audit of the log meanwhile, which reads the same tables."""
    return {"receipts": {"audit_per_second": 0}}


@pytest.fixture
async def made(client: Client, tmp_path: Path) -> Made:
    """One declaration of acme's, delivered to the bureau, with its receipts, its feed entries and its case."""
    folder = tmp_path / "bureau"
    folder.mkdir()
    agreements = [
        replace(one, transport="folder", options={"folder": str(folder)}) if one.partner_id == "bureau" else one
        for one in rig.AGREEMENTS
    ]
    partners = [*rig.PARTNERS, Partner("other-bureau", "Another bureau", frozenset({Role.BUREAU}))]
    keys = [Credential(f"{p.id}-trip", p.id, hash_key(key_of(p.id))) for p in partners if p.id not in {"acme", "rival"}]
    await client.services.store.import_partners(partners, agreements, keys)
    await open_account(client)
    await register(client)
    for as_ in STRANGERS:  # each has something of its own, older than what it will ask for
        await client.processed((await client.send(b"UNB+older", as_=as_)).json["id"], as_=as_)
    sent = await client.send(DECLARATION, headers={"Idempotency-Key": "declaration-1"})
    view = await client.processed(sent.json["id"])
    assert view["state"] == "accepted", view
    for _ in range(200):
        view = (await client.ask("GET", f"/v1/messages/{sent.json['id']}")).json
        if any(receipt["stage"] == "delivered" for receipt in view["receipts"]):
            break
        await asyncio.sleep(0.025)
    (message,) = view["messages"]
    (case,) = (await client.ask("GET", f"/v1/cases/{message['case']}")).json["items"]
    feeds = {}
    for name, reader in (("status", "acme"), ("inbox", "acme")):
        page = (await client.ask("GET", f"/v1/feeds/{name}", as_=reader)).json
        if page["items"]:
            feeds[name] = page["items"][0]["sequence"]
    return Made(
        client,
        view["id"],
        message["id"],
        message["case"],
        next(iter(case["keys"].values()))[0],
        next(d["id"] for d in view["deliveries"] if d["state"] == "delivered"),
        {receipt["stage"]: receipt["index"] for receipt in view["receipts"]},
        feeds,
        (await client.ask("POST", "/v1/evidence", data=b"a picture")).json["id"],
    )


async def open_account(client: Client) -> None:
    """The sender has an account, from a payload of its own that nobody else is at."""
    store = client.services.store
    opening = payload(partner_id="acme")
    receipt = NewReceipt(Stage.RECEIVED, opening.id, client.services.notary.received(opening))
    claimed = (await store.accept(opening, receipt, timedelta(days=9999))).claimed
    assert claimed is not None
    await store.commit(Outcome(claimed.work, 1, finished=True, accounts=(AccountChange(LICENCE, ENTRIES),)))


REPORT = "accepted_by_office"
MISSING = "0" * 32
FAR = 999_999

THEIRS = {("getSubject", "other-bureau")}
"""What a stranger may see after all: an authority what is registered of anybody."""

Pairs = Callable[[Made], list[tuple[str, str]]]
"""(path of something that is there, path of what is not) of one route."""


def receipts(suffix: str = "") -> Pairs:
    return lambda made: [
        (f"/v1/receipts/{index}{suffix}", f"/v1/receipts/{FAR}{suffix}") for index in made.receipts.values()
    ]


CASES: dict[str, Pairs] = {
    "getMessage": lambda made: [
        (f"/v1/messages/{id_}{further(f'messages of {id_}')}",
         f"/v1/messages/{MISSING}{further(f'messages of {MISSING}')}")
        for id_ in (made.payload, made.message)
        for further in (lambda _: "", lambda name: f"?cursor={cursor.encode(name, 0)}")
    ],
    # A cursor names a payload: behind another's there is what is behind one that is not there.
    "listMessages": lambda made: [
        (f"/v1/messages?cursor={cursor.encode('messages', made.payload)}&state={state}",
         f"/v1/messages?cursor={cursor.encode('messages', MISSING)}&state={state}")
        for state in ("", "accepted", "received", "rejected")
    ],
    "getEvidence": lambda made: [(f"/v1/evidence/{made.exhibit}", f"/v1/evidence/{MISSING}")],
    "getEvidenceBody": lambda made: [(f"/v1/evidence/{made.exhibit}/body", f"/v1/evidence/{MISSING}/body")],
    "getCases": lambda made: [
        *((f"/v1/cases/{key}{test}", f"/v1/cases/{MISSING}{test}")
          for key in (made.case, made.business_key) for test in ("", "?test=true")),
        # A cursor names a case as well, below a number that may be another's or nobody's.
        *((f"/v1/cases/{key}?cursor={cursor.encode(f'cases of {key}', place.format(made.case))}",
           f"/v1/cases/{other}?cursor={cursor.encode(f'cases of {other}', place.format(MISSING))}")
          for key, other in ((made.case, MISSING), (MISSING, MISSING))
          for place in ("next {}", "earlier {} 999 9999999999999999 9 999")),
    ],
    # Others' tasks are not there: a place in the list that a foreign id names is like one that nothing names.
    "listTasks": lambda made: [
        (f"/v1/tasks?cursor={cursor.encode('tasks', made.case)}", f"/v1/tasks?cursor={cursor.encode('tasks', MISSING)}")
    ],
    "listAudit": lambda made: [(f"/v1/audit?case={made.case}", f"/v1/audit?case={MISSING}")],
    # Reports and risk records are no partner's: a place that one thing names is like a place of another.
    "listMadeReports": lambda made: [
        (f"/v1/reports/{REPORT}?cursor={cursor.encode(f'reports {REPORT}', made.case)}",
         f"/v1/reports/{REPORT}?cursor={cursor.encode(f'reports {REPORT}', MISSING)}")
    ],
    "getReport": lambda _made: [(f"/v1/reports/{REPORT}/2026-03-05", f"/v1/reports/{REPORT}/2026-03-06")],
    "listRisks": lambda made: [
        (f"/v1/risks?cursor={cursor.encode('risks', made.case)}", f"/v1/risks?cursor={cursor.encode('risks', MISSING)}")
    ],
    "getLedger": lambda _made: [
        (f"/v1/ledgers/{LICENCE.name}{further(LICENCE.name)}", f"/v1/ledgers/{MISSING}{further(MISSING)}")
        for further in (lambda _: "", lambda name: f"?cursor={cursor.encode(f'entries of {name}', '37-1')}")
    ],
    "getSubject": lambda _made: [
        (f"/v1/subjects/{SCHEME}/{NUMBER}{test}", f"/v1/subjects/{SCHEME}/{MISSING}{test}") for test in ("", "?test=true")
    ],
    # A cursor names a delivery: behind another's there is what is behind one that is not there.
    "listDeliveries": lambda made: [
        (f"/v1/deliveries?cursor={cursor.encode('deliveries', made.delivery)}&state={state}",
         f"/v1/deliveries?cursor={cursor.encode('deliveries', MISSING)}&state={state}")
        for state in ("", "delivered")
    ],
    "getDelivery": lambda made: [(f"/v1/deliveries/{made.delivery}", f"/v1/deliveries/{MISSING}")],
    "getDeliveryBody": lambda made: [(f"/v1/deliveries/{made.delivery}/body", f"/v1/deliveries/{MISSING}/body")],
    # A feed that others read is like one that is none; in one that all may read, others' entries are not there.
    "readFeed": lambda _made: [(f"/v1/feeds/{name}", "/v1/feeds/none") for name in ("alerts", "release")],
    "getFeedDocument": lambda made: [
        *((f"/v1/feeds/{name}/{place}{test}", f"/v1/feeds/{name}/{FAR}{test}")
          for name, place in made.feeds.items() for test in ("", "?test=true")),
        *((f"/v1/feeds/{name}/1", "/v1/feeds/none/1") for name in ("alerts", "release")),
    ],
    "getReceipt": receipts(),
    "getProof": receipts("/proof"),
    "getBundle": receipts("/bundle"),
}  # fmt: skip

NOBODYS = {
    "postMessage": "it names nothing but an Idempotency-Key, whose test stands below",
    "listReports": "which reports are made is the same for whoever may read them",
    "listSubscriptions": "only the caller's own, all of them",
    "postEvidence": "it names nothing but an Idempotency-Key, which is one partner's",
    "getLogKey": "the log's key is everybody's",
    "getCheckpoint": "the log's head is everybody's",
    "getConsistency": "a size is of the log, which is everybody's",
    **dict.fromkeys(
        (
            "listAlerts",
            "getAlert",
            "takeAlert",
            "settleAlert",
            "silenceAlert",
            "listPartners",
            "getPartner",
            "disablePartner",
            "enablePartner",
            "issueKey",
            "removePartner",
            "removeAgreement",
            "rotateKey",
            "revokeCredential",
            "importPartners",
            "exportPartners",
        ),
        OPERATORS := "it is the operator's: whoever else asks is refused before anything is looked for",
    ),
    "listEndpoints": "only the caller's own",
    **dict.fromkeys(
        ("retryDelivery", "resendDelivery"),
        ORDERED := "what it orders is looked for as getDelivery does; see below that another's is not found",
    ),
    **dict.fromkeys(("holdDelivery", "skipDelivery"), OPERATORS),
    **dict.fromkeys(("pauseEndpoint", "resumeEndpoint"), "only the caller's own; another partner's name is refused"),
    "getRoot": "no key is asked for",
    "getPage": "no key is asked for",
    "getDescription": "no key is asked for",
    "getHealth": "no key is asked for",
    "getReadiness": "no key is asked for",
    "getMetrics": "it is the operator's, and names nothing",
}
"""Routes without anything of one partner's to ask for, and why."""


def test_every_route_has_its_case() -> None:
    """A route that takes an id, a key, an index, a sequence or a cursor stands in the table above."""
    assert {route.operation for route in ROUTES} == set(CASES) | set(NOBODYS)
    naming = re.compile(r"\{")
    for route in ROUTES:
        names_something = naming.search(route.path) or any(p.name in {"cursor", "after"} for p in route.parameters)
        told = route.operation in CASES or NOBODYS[route.operation] in (OPERATORS, ORDERED)
        assert bool(names_something) <= told, route.operation


async def test_what_is_the_operators_is_refused_to_others_whatever_is_there(made: Made) -> None:
    """Somebody's own id and one that is nobody's are answered alike: 403."""
    for route in ROUTES:
        if NOBODYS.get(route.operation) is not OPERATORS:
            continue
        answers = [
            await made.client.ask(route.method, route.path.format(id=id_), as_="acme")
            for id_ in ("acme", "acme-1", "none")
        ]
        assert {one.status for one in answers} == {403}, route.operation
        assert len({one.body for one in answers}) == 1, route.operation


async def test_nothing_of_anothers_is_ordered(made: Made) -> None:
    """Whoever orders something about another's delivery, or about one that is not there, is answered alike: 404."""
    for order in ("retry", "resend"):
        for as_ in STRANGERS:
            there = await made.client.ask("POST", f"/v1/deliveries/{made.delivery}/{order}", as_=as_)
            not_there = await made.client.ask("POST", f"/v1/deliveries/{MISSING}/{order}", as_=as_)
            assert plain(there) == plain(not_there)
            assert there.status == 404
    for order in ("pause", "resume"):
        for partner in ("bureau", MISSING):
            answer = await made.client.ask("POST", f"/v1/endpoints/{order}", json={"partner": partner})
            assert answer.status == 403


def plain(answer: Answer) -> tuple[int, list[tuple[str, str]], bytes]:
    """All of an answer but when it was given, and the id that is each request's own."""
    headers = sorted(
        (name, value) for name, value in answer.headers.items() if name.lower() not in ("date", "x-request-id")
    )
    return answer.status, headers, answer.body


@pytest.mark.parametrize("language", ["en", "zh", ""])
async def test_a_foreign_thing_answers_like_a_missing_one(made: Made, language: str) -> None:
    """Status, headers and body are the same, for each route, asker, language and method."""
    asked = 0
    headers = {"Accept-Language": language} if language else {}
    for operation, pairs in CASES.items():
        for there, not_there in pairs(made):
            for as_ in STRANGERS:
                if (operation, as_) in THEIRS:
                    continue
                for method in ("GET", "HEAD"):
                    foreign = await made.client.ask(method, there, as_=as_, headers=headers)
                    missing = await made.client.ask(method, not_there, as_=as_, headers=headers)
                    assert plain(foreign) == plain(missing), (operation, there, as_, method)
                    asked += 1
                    if method == "GET" and "cursor" not in there:
                        # Who may not read the audit, or reports, is told so, whatever is asked for.
                        may = {"listAudit": (403,), "getReport": (403, 404)}.get(operation, (404,))
                        assert foreign.status in may
    assert asked > 100


async def test_those_it_was_made_for_find_each_of_these(made: Made) -> None:
    """The things asked for above are there: sender or recipient find each, or the test would prove nothing."""
    for operation, pairs in CASES.items():
        for there, _ in pairs(made):
            if re.search(f"{made.message}|test=true|cursor=|alerts|release|audit|reports|risks", there):
                continue
            found = [(await made.client.ask("GET", there, as_=as_)).status for as_ in ("acme", "bureau", "operator")]
            assert 200 in found[:2], (operation, there, found)
            assert found[2] == 200, (operation, there, found)
    assert set(made.receipts) == {"received", "checked", "delivered"}
    assert "status" in made.feeds


async def test_feeds_hold_nothing_of_others(made: Made) -> None:
    """What a stranger reads in a feed that all may read is the same as if nothing had ever been sent."""
    for name in ("status", "inbox"):
        for after in ("", cursor.encode(name, 1), cursor.encode(name, FAR)):
            page = (await made.client.ask("GET", f"/v1/feeds/{name}?after={after}", as_="customs")).json
            assert page == {"items": [], "next": after or cursor.encode(name, 0)}


async def test_another_partners_idempotency_key_is_free(made: Made) -> None:
    """Whether another partner has used an Idempotency-Key does not show: the answer is that of a fresh one."""
    used = await made.client.send(DECLARATION, as_="rival", headers={"Idempotency-Key": "declaration-1"})
    fresh = await made.client.send(DECLARATION, as_="bureau", headers={"Idempotency-Key": "never-used"})
    for one in (used, fresh):
        assert (one.status, one.json["duplicate"]) == (202, False)
    assert used.json.keys() == fresh.json.keys()
    assert used.headers.keys() == fresh.headers.keys()
    # Live traffic's keys are not those of tests.
    assert (
        await made.client.send(b"other", as_="acme-test", headers={"Idempotency-Key": "declaration-1"})
    ).status == 202


@dataclass
class Statements:
    """The statements that a store runs, without what they are given."""

    seen: list[str]

    def __call__(self, _c: object, _cursor: object, statement: str, *_: Any) -> None:
        self.seen.append(re.sub(r"\s+", " ", statement))


async def test_a_foreign_thing_costs_what_a_missing_one_costs(made: Made) -> None:
    """The store runs the same statements for both, so that time tells no more than the answer."""
    store = made.client.services.store
    assert isinstance(store, SqlStore)
    statements = Statements([])
    event.listen(store._database._reading, "before_cursor_execute", statements)  # type: ignore[attr-defined]

    async def run_by(path: str, as_: str) -> list[str]:
        statements.seen.clear()
        await made.client.ask("GET", path, as_=as_)
        # Who asks is looked up now and then, whatever is asked for, and what is due is looked for beside it.
        return [
            one
            for one in statements.seen
            if not re.search("BEGIN|counters|credentials|deadlines|'awaiting'|FROM partner", one)
        ]

    for operation, pairs in CASES.items():
        for there, not_there in pairs(made):
            for as_ in ("stranger", "acme-test"):
                # What the gateway does by itself meanwhile falls now on the one and now on the other, and seldom thrice.
                for last in (False, False, False, True):
                    foreign, missing = await run_by(there, as_), await run_by(not_there, as_)
                    if foreign == missing:
                        break
                    assert not last, (operation, there, as_, foreign, missing)
                    await asyncio.sleep(0.1)
