"""Commit 2: everything of an outcome, or nothing; judged by what has moved since."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from gateway.decide.facts import (
    Answer,
    CaseById,
    CasesByKeys,
    Facts,
    Ledger,
    LedgerEntry,
    NextNumber,
    PartnerById,
    PartnerByIdentifier,
    Query,
    Waiting,
    WaitingDocument,
)
from gateway.errors import FactsMoved, NotFound
from gateway.model import (
    Account,
    Case,
    CaseEvent,
    DeliveryState,
    Entry,
    EntryState,
    Finding,
    Identifier,
    InterchangeRef,
    Partner,
    Place,
    Role,
    Severity,
    Syntax,
    Terms,
    ToleranceOf,
)
from gateway.store.contract import AccountChange, CaseChange, StagedMessage, Wait
from gateway.store.sql_store import SqlStore
from tests.store.made import LEASE, NOW, accept, claim, delivery, feed_entry, message, outcome, receipt

BILL = ("bill", "OOLU123")
WINDOW = timedelta(days=90)
TERMS = Terms(NOW, NOW + WINDOW, 12, Decimal("2.5"), ToleranceOf.LAST, one_use=True, places=frozenset({"4200", "4201"}))
LICENCE = Account("licence", 1, "KGM", "firm", TERMS, Decimal("10.50"), Decimal(0), Decimal("0.25"), 1, "E-1")
GRANTED = Entry("licence", "G", EntryState.GRANTED, granted=Decimal("10.50"))
DRAWN = Entry("licence", "E-1", EntryState.USED, reserved=Decimal(1), used=Decimal("0.25"), final=True, by="m2", at=NOW)


def change(case: str = "c1", version: int = 0, **fields: object) -> CaseChange:
    given: dict[str, object] = {"status": "declared", "partner_id": "firm"}
    return CaseChange(case, version, **(given | fields))  # type: ignore[arg-type]


async def ask(store: SqlStore, *queries: Query, for_id: str = "m") -> Facts:
    return await store.facts(queries, Facts(), for_id)


async def test_an_outcome_is_read_back_whole(store: SqlStore) -> None:
    """Messages with findings, the case with its timeline, deliveries, feed and receipts are all there."""
    claimed = await claim(store)
    found = Finding("edi.x", Severity.WARNING, Place("1", 3, "CST", 2, 1, path="/a", line=7), "v", {"max": "3"})
    one = message(claimed, findings=(found,), case_id="c1", document_type="declaration", document={"名": ["值", 1]})
    event = CaseEvent("c1", NOW, "declared", "Declared", "firm", one.id, "", {"a": 1})
    made = delivery("d1", case_id="c1", message_id=one.id)
    changed = change(add_keys=frozenset({BILL}), documents={"declaration": {"number": "1"}}, events=(event,))
    await store.commit(
        outcome(
            claimed,
            messages=(one,),
            cases=(changed,),
            deliveries=(made,),
            feed=(feed_entry("f1"),),
            receipts=(receipt(one.id), receipt("d1")),
        )
    )
    view = await store.payload(claimed.payload.id)
    assert view.messages == (one,)
    assert [(d.id, d.body, d.case_id) for d in view.deliveries] == [("d1", b"body of d1", "c1")]
    assert [r.subject_id for r in view.receipts] == [claimed.payload.id, one.id, "d1"]
    (held,) = await store.claim_deliveries(1, LEASE, NOW)
    for key in ("c1", BILL[1]):
        (case,) = await store.case(key)
        assert (case.version, case.status, case.keys) == (1, "declared", frozenset({BILL}))
        assert case.documents == {"declaration": {"number": "1"}}
        assert case.events == (event,)
        assert case.messages == (replace(one, document=None),)
        assert [d.id for d in case.deliveries] == ["d1"]
        assert [(a.delivery_id, a.number, a.started_at) for a in case.attempts] == [(held.id, 1, NOW)]
        assert [r.subject_id for r in case.receipts] == [claimed.payload.id, one.id, "d1"]
    (entry,) = await store.feed("clearance", "", 0, 9)
    assert replace(entry, at=None) == replace(feed_entry("f1"), sequence=1, body=b"")


@pytest.mark.parametrize(("partner", "cases"), [("", 1), ("firm", 1), ("customs", 1), ("port", 0)])
async def test_a_partner_sees_cases_it_takes_part_in(store: SqlStore, partner: str, cases: int) -> None:
    """The owner, senders and recipients find a case; others do not."""
    claimed = await claim(store)
    made = delivery("d1", case_id="c1")
    await store.commit(outcome(claimed, cases=(change(),), deliveries=(made,)))
    assert len(await store.case("c1", partner)) == cases


async def test_a_moved_case_stops_the_commit_whole(store: SqlStore) -> None:
    """A case of another version than the decision read: FactsMoved, and nothing of the outcome is there."""
    await store.commit(outcome(await claim(store, 1), cases=(change(),)))
    claimed = await claim(store, 2)
    stale = outcome(
        claimed,
        messages=(message(claimed),),
        cases=(change(version=0),),
        deliveries=(delivery("d"),),
        feed=(feed_entry("f"),),
        receipts=(receipt("r"),),
    )
    with pytest.raises(FactsMoved):
        await store.commit(stale)
    view = await store.payload(claimed.payload.id)
    assert (view.messages, view.deliveries) == ((), ())
    assert not await store.feed("clearance", "", 0, 9)
    assert not await store.receipts_of(["r"])
    await store.commit(replace(stale, cases=(change(version=1),)))
    assert (await store.case("c1"))[0].version == 2


async def test_of_outcomes_that_change_one_case_together_one_wins(store: SqlStore) -> None:
    """Outcomes of one batch that rest on the same version of a case: the first is written, the others are told."""
    for number in range(1, 6):
        await accept(store, number)
    held = await store.claim_payloads(5, LEASE, NOW)
    facts = await ask(store, CasesByKeys(frozenset({BILL})))
    results = await asyncio.gather(
        *(
            store.commit(outcome(one, facts=facts, cases=(change(f"c{n}", add_keys=frozenset({BILL})),)))
            for n, one in enumerate(held)
        ),
        return_exceptions=True,
    )
    assert sorted(type(one).__name__ for one in results) == ["FactsMoved"] * 4 + ["NoneType"]
    assert len(await store.case(BILL[1])) == 1


def _writes() -> list[tuple[str, Query, dict[str, object]]]:
    """What makes the answer to a question move: (name, question, outcome fields)."""
    wait = Wait("w1", "manifest", frozenset({BILL}), {"x": 1}, "m1", "port")
    return [
        (
            "a case appears under a key",
            CasesByKeys(frozenset({BILL})),
            {"cases": (change(add_keys=frozenset({BILL})),)},
        ),
        ("a case appears", CaseById("c1"), {"cases": (change(),)}),
        ("a document begins to wait", Waiting(frozenset({BILL, ("bill", "other")})), {"waits": (wait,)}),
        ("an account is opened", Ledger("licence"), {"accounts": (AccountChange(Account("licence", 1, "", ""), ()),)}),
    ]


@pytest.mark.parametrize(("name", "query", "fields"), _writes(), ids=[row[0] for row in _writes()])
async def test_every_kind_of_fact_is_compared(
    store: SqlStore, name: str, query: Query, fields: dict[str, object]
) -> None:
    """An answer that was empty has a version too: when it moves, a commit that rests on it fails."""
    facts = await ask(store, query)
    unrelated = await ask(store, CaseById("other"), Ledger("licence", test=True))
    await store.commit(outcome(await claim(store, 1), facts=facts, **fields))
    second = await claim(store, 2)
    with pytest.raises(FactsMoved):
        await store.commit(outcome(second, facts=facts))
    await store.commit(outcome(second, facts=unrelated))


async def test_facts_answer_questions(store: SqlStore) -> None:
    """Cases, waiting documents, balances and partners are answered with what was committed."""
    customs = Partner("customs", "Customs", frozenset({Role.CUSTOMS}), (Identifier("customs-office", "4200"),))
    gone = Partner("gone", "Gone", active=False)
    await store.import_partners([customs, gone], [], [])
    wait = Wait("w1", "manifest", frozenset({BILL}), {"x": "1"}, "m1", "port")
    document = {"number": "1"}
    await store.commit(
        outcome(
            await claim(store),
            cases=(change(add_keys=frozenset({BILL}), documents={"declaration": document}),),
            waits=(wait,),
            accounts=(AccountChange(LICENCE, (GRANTED, DRAWN)),),
        )
    )
    case = Case("c1", 1, "declared", "firm", keys=frozenset({BILL}), documents={"declaration": document})
    waiting = WaitingDocument("w1", "manifest", frozenset({BILL}), {"x": "1"}, "port", "m1")
    expected: dict[Query, object] = {
        CasesByKeys(frozenset({BILL})): (case,),
        CaseById("c1"): case,
        CaseById("c2"): None,
        Waiting(frozenset({BILL})): (waiting,),
        Ledger("licence"): LICENCE,
        Ledger("unknown"): None,
        LedgerEntry("licence", "E-1"): DRAWN,
        LedgerEntry("licence", "E-2"): None,
        PartnerById("customs"): customs,
        PartnerById("gone"): None,
        PartnerById("unknown"): None,
        PartnerByIdentifier("customs-office", "4200"): customs,
        PartnerByIdentifier("customs-office", "1"): None,
    }
    known = Facts({CaseById("known"): Answer(None, "kept")})
    facts = await store.facts(expected, known, "m9")
    assert {query: facts[query] for query in expected} == expected  # type: ignore[index]
    assert facts.answers[CaseById("known")].version == "kept"


async def test_test_traffic_meets_test_things_only(store: SqlStore) -> None:
    """Live questions find nothing of test traffic, nor test questions anything live."""
    wait = Wait("w1", "manifest", frozenset({BILL}), {}, "m1", "port", test=True)
    claimed = await claim(store, test=True)
    await store.commit(
        outcome(
            claimed,
            messages=(message(claimed, test=True, id="m1"),),
            cases=(change(add_keys=frozenset({BILL}), test=True),),
            waits=(wait,),
            accounts=(AccountChange(replace(LICENCE, test=True), (replace(GRANTED, test=True),)),),
            feed=(feed_entry("f1", test=True),),
        )
    )
    keys = frozenset({BILL})
    live = await ask(store, CasesByKeys(keys), CaseById("c1"), Waiting(keys), Ledger("licence"))
    assert [answer.value for answer in live.answers.values()] == [(), None, (), None]
    test = await ask(
        store,
        CasesByKeys(keys, test=True),
        CaseById("c1", test=True),
        Waiting(keys, test=True),
        Ledger("licence", test=True),
    )
    assert [bool(answer.value) for answer in test.answers.values()] == [True] * 4
    assert not await store.case("c1")
    assert await store.case(BILL[1], test=True)
    assert not await store.feed("clearance", "", 0, 9)
    assert len(await store.feed("clearance", "", 0, 9, test=True)) == 1
    assert (await store.feed_entry("clearance", "", 1, test=True)).body == b"body of f1"
    second = await claim(store, 2)
    with pytest.raises(ValueError, match="test and live"):
        await store.commit(outcome(second, cases=(change(version=1),)))


async def test_numbers_have_no_gap_and_stay_with_their_message(store: SqlStore) -> None:
    """Concurrent messages get consecutive numbers, the same ones when they ask again; test numbers apart."""
    number, test_number = NextNumber("371000-2-26"), NextNumber("371000-2-26", test=True)
    given = await asyncio.gather(*(ask(store, number, for_id=f"m{n}") for n in range(20)))
    assert sorted(facts[number] for facts in given) == list(range(1, 21))
    again = await ask(store, number, test_number, NextNumber("other"), for_id="m7")
    assert again[number] == given[7][number]
    assert (again[test_number], again[NextNumber("other")]) == (1, 1)
    slots = [replace(number, slot=slot, attempt=attempt) for slot in ("a", "b") for attempt in (1, 2)]
    several = await ask(store, *slots, for_id="m7")
    assert [several[one] for one in slots] == [21, 22, 23, 24]
    assert (await ask(store, *reversed(slots), for_id="m7")).answers == several.answers


async def test_an_interchange_reference_is_used_once_within_its_window(store: SqlStore) -> None:
    """A repeat within the window is found, and stops a commit that had not seen it; references wrap after it."""
    ref = InterchangeRef(Syntax.EDIFACT, "FIRM", "GATEWAY", "0001")
    first = await claim(store, 1)
    await store.commit(outcome(first, interchanges=((ref, WINDOW),)))
    assert await store.find_interchange(ref, WINDOW, NOW, "another") == first.payload.id
    assert not await store.find_interchange(ref, WINDOW, NOW, first.payload.id)
    for other in (replace(ref, test=True), replace(ref, sender="X"), replace(ref, syntax=Syntax.X12)):
        assert not await store.find_interchange(other, WINDOW, NOW, "another")
    second = await claim(store, 2, received_at=NOW + WINDOW)
    with pytest.raises(FactsMoved):
        await store.commit(outcome(second, interchanges=((ref, WINDOW),)))
    await store.commit(outcome(second))
    late = NOW + WINDOW + timedelta(microseconds=1)
    assert not await store.find_interchange(ref, WINDOW, late, "another")
    await store.commit(outcome(await claim(store, 3, received_at=late), interchanges=((ref, WINDOW),)))


async def test_a_payload_processed_again_is_no_repeat_of_what_came_after_its_window(store: SqlStore) -> None:
    """An operator may reopen a payload whose reference another one has used since, a window later."""
    ref = InterchangeRef(Syntax.EDIFACT, "FIRM", "GATEWAY", "0001")
    first = await claim(store, 1)
    await store.commit(outcome(first, interchanges=((ref, WINDOW),), finished=True))
    later = await claim(store, 2, received_at=NOW + WINDOW + timedelta(seconds=1))
    await store.commit(outcome(later, interchanges=((ref, WINDOW),), finished=True))
    await store.reopen_payload(first.payload.id)
    (again,) = await store.claim_payloads(1, LEASE, NOW)
    assert not await store.find_interchange(ref, WINDOW, again.payload.received_at, again.payload.id)
    await store.commit(outcome(again, interchanges=((ref, WINDOW),), finished=True))


async def test_two_payloads_with_one_reference_in_one_batch(store: SqlStore) -> None:
    """Of payloads that carry the same interchange and commit together, one is written."""
    ref = InterchangeRef(Syntax.X12, "FIRM", "GATEWAY", "0001")
    for number in (1, 2, 3):
        await accept(store, number)
    held = await store.claim_payloads(3, LEASE, NOW)
    results = await asyncio.gather(
        *(store.commit(outcome(one, interchanges=((ref, WINDOW),))) for one in held), return_exceptions=True
    )
    assert [type(one).__name__ for one in results] == ["NoneType", "FactsMoved", "FactsMoved"]


async def test_an_attached_document_waits_no_more(store: SqlStore) -> None:
    """A waiting document that found its case is gone from under all its keys."""
    other = ("container", "TGHU1")
    wait = Wait("w1", "manifest", frozenset({BILL, other}), {}, "m1", "port")
    await store.commit(outcome(await claim(store, 1), waits=(wait,)))
    facts = await ask(store, Waiting(frozenset({other})))
    await store.commit(outcome(await claim(store, 2), facts=facts, attached=("w1",)))
    assert (await ask(store, Waiting(frozenset({BILL}))))[Waiting(frozenset({BILL}))] == ()


async def test_processing_again_makes_nothing_twice(store: SqlStore) -> None:
    """Feed entry and delivery stay one; a payload is no duplicate of itself."""
    claimed = await claim(store)
    ref = InterchangeRef(Syntax.EDIFACT, "FIRM", "GATEWAY", "0001")
    first = outcome(
        claimed,
        messages=(message(claimed),),
        interchanges=((ref, WINDOW),),
        feed=(feed_entry("f1"),),
        deliveries=(delivery("d1"),),
    )
    await store.commit(first)
    await store.reopen_payload(claimed.payload.id)
    (again,) = await store.claim_payloads(1, LEASE, NOW)
    await store.commit(replace(first, work=again.work))
    assert len(await store.feed("clearance", "", 0, 9)) == 1
    view = await store.payload(claimed.payload.id)
    assert (len(view.messages), len(view.deliveries)) == (1, 1)


async def test_an_account_of_another_version_stops_the_commit_whole(store: SqlStore) -> None:
    """Only the next version of an account is written; several of one outcome are written step by step."""
    second = replace(LICENCE, version=2, used=Decimal(1))
    changes = (AccountChange(LICENCE, (GRANTED,)), AccountChange(second, (DRAWN,)))
    await store.commit(outcome(await claim(store, 1), accounts=changes))
    claimed = await claim(store, 2)
    for version in (1, 2, 4):
        with pytest.raises(FactsMoved):
            await store.commit(outcome(claimed, accounts=(AccountChange(replace(second, version=version), ()),)))
    assert await store.account("licence") == second
    assert (await store.accounts("firm", "", 9), await store.accounts("other", "", 9)) == ([second], [])
    assert (await store.entries("licence", "", 9), await store.entries("licence", "E-1", 9)) == (
        [DRAWN, GRANTED],
        [GRANTED],
    )


async def test_feeds_are_numbered_in_commit_order_for_each_reader(store: SqlStore) -> None:
    """Each feed counts from 1 without a gap; a reader gets everyone's entries and its own."""
    for number, owner in enumerate(("", "a", "b", "", "a"), 1):
        entries = (feed_entry(f"f{number}", "status", partner_id=owner), feed_entry(f"g{number}"))
        await store.commit(outcome(await claim(store, number), feed=entries))
    assert [e.sequence for e in await store.feed("status", "", 0, 9)] == [1, 2, 3, 4, 5]
    assert [e.sequence for e in await store.feed("status", "a", 1, 9)] == [2, 4, 5]
    assert [e.sequence for e in await store.feed("status", "a", 1, 2)] == [2, 4]
    assert (await store.feed_entry("status", "a", 2)).body == b"body of f2"
    for reader, sequence in (("b", 2), ("a", 99)):
        with pytest.raises(NotFound):
            await store.feed_entry("status", reader, sequence)


async def test_chunks_advance_the_resume_position(store: SqlStore) -> None:
    """After a crash between chunks the next worker goes on where the last commit ended."""
    claimed = await claim(store)
    await store.commit(outcome(claimed, finished=False, position=500, messages=(message(claimed, 1),)))
    (again,) = await store.claim_payloads(1, LEASE, NOW + LEASE)
    assert again.position == 500


async def test_staged_messages_are_kept_until_the_end(store: SqlStore) -> None:
    """Staging again replaces; staged messages are paged by number, no view shows them, the last commit drops them."""
    claimed = await claim(store)
    text = "x'+:?*~ 报检 \x00\x1f\n" * 100
    made = [StagedMessage(number, {"reference": f"REF{number}", "text": text}) for number in range(1, 6)]
    await store.stage(claimed.payload.id, claimed.fence, 3, made[:3])
    await store.stage(claimed.payload.id, claimed.fence, 5, made[2:])
    assert await store.staged(claimed.payload.id, 0, 2) == made[:2]
    assert await store.staged(claimed.payload.id, 3, 9) == made[3:]
    assert not (await store.payload(claimed.payload.id)).messages
    await store.commit(outcome(claimed, position=5, messages=tuple(message(claimed, n) for n in range(1, 6))))
    assert not await store.staged(claimed.payload.id, 0, 9)


async def test_large_bodies_of_deliveries_and_feeds_are_kept(store: SqlStore) -> None:
    """Bodies over the limit for rows are files, and read like the others."""
    body = b"z" * 70_000
    claimed = await claim(store)
    await store.commit(outcome(claimed, deliveries=(delivery("d", body=body),), feed=(feed_entry("f", body=body),)))
    assert (await store.delivery("d")).body == body
    assert (await store.feed_entry("clearance", "", 1)).body == body
    assert (await store.delivery("d")).state is DeliveryState.PENDING
