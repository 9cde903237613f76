"""Lists and views in pages: following them gives everything once, in order, with a number of statements that stays."""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import Connection, Engine, event

from gateway.errors import NotFound
from gateway.model import CaseEvent, DeliveryKind, MessageState, PayloadState
from gateway.store import own_cases, tables
from gateway.store.contract import CASES, CaseChange, CasePage, Standing
from gateway.store.sql import insert_rows
from gateway.store.sql_store import SqlStore
from tests.store.made import NOW, accept, claim, deliver_later, delivery, feed_entry, message, outcome, receipt

STATES = {
    "accepted": (MessageState.ACCEPTED, MessageState.ACCEPTED),
    "rejected": (MessageState.REJECTED,),
    "held": (MessageState.HELD,),
    "partly_accepted": (MessageState.ACCEPTED, MessageState.HELD),
}


async def decide(store: SqlStore, number: int, states: tuple[MessageState, ...], **fields: object) -> None:
    claimed = await claim(store, number, **fields)
    made = tuple(message(claimed, place, state=state) for place, state in enumerate(states, 1))
    await store.commit(outcome(claimed, messages=made))


async def test_payloads_are_listed_by_every_state_partner_and_traffic(store: SqlStore) -> None:
    """Each combination of filters gives exactly the payloads that have them, newest first, in pages of any size."""
    kept: list[tuple[str, str, bool, str]] = []
    for number, (state, partner, test) in enumerate(itertools.product([*STATES, "failed"], "ab", [False, True]), 1):
        if state == "failed":
            claimed = await claim(store, number, partner_id=partner, test=test)
            await store.commit(outcome(claimed, failed="why"))
        else:
            await decide(store, number, STATES[state], partner_id=partner, test=test)
        kept.append((f"{number:032x}", partner, test, state))
    await accept(store, 99, partner_id="a")
    kept.append((f"{99:032x}", "a", False, "received"))
    for state in ("", "received", "processed", "failed", *STATES):
        for partner in ("", "a", "b"):
            for test in (None, False, True):
                wanted = [
                    id_
                    for id_, of, traffic, is_ in reversed(kept)
                    if partner in ("", of)
                    and test in (None, traffic)
                    and (state in ("", is_) or (state == "processed" and is_ in STATES))
                ]
                found: list[str] = []
                while page := await store.payloads(partner, state, found[-1] if found else "", 3, test=test):
                    found += [line.payload.id for line in page]
                assert found == wanted, (state, partner, test)


async def test_a_verdict_is_over_all_chunks_of_a_payload(store: SqlStore) -> None:
    """What the first chunk's messages are is not forgotten when the last one's differ; processed again, it starts anew."""
    claimed = await claim(store)
    await store.commit(outcome(claimed, messages=(message(claimed, 1),), finished=False))
    held = message(claimed, 2, state=MessageState.HELD)
    await store.commit(outcome(claimed, position=2, messages=(held,)))
    assert (await store.payloads("", "partly_accepted", "", 9))[0].state is PayloadState.PROCESSED
    await store.reopen_payload(claimed.payload.id)
    assert [line.standing for line in await store.payloads("", "", "", 9)] == [Standing.RECEIVED]
    (again,) = await store.claim_payloads(1, NOW - NOW, NOW)
    await store.commit(outcome(again, messages=(held,), position=2))
    assert [line.standing for line in await store.payloads("", "held", "", 9)] == [Standing.HELD]


async def test_a_payload_is_viewed_in_pages_of_messages(store: SqlStore) -> None:
    """Each page has its messages with their deliveries, offers and receipts; the payload's own are on the first."""
    claimed = await claim(store)
    numbers = [-1, 0, 1, 2, 3, 4, 5]
    messages = tuple(message(claimed, number) for number in numbers)
    made = tuple(delivery(f"d{n}", f"lane {n}", message_id=one.id) for n, one in zip(numbers, messages, strict=True))
    offered = tuple(feed_entry(f"o{one.number}", "inbox", partner_id="firm", message_id=one.id) for one in messages)
    await store.commit(
        outcome(
            claimed,
            messages=messages,
            deliveries=made,
            feed=offered,
            receipts=tuple(receipt(one.id) for one in (*messages, *made)),
        )
    )
    whole = await store.payload(claimed.payload.id)
    assert [one.number for one in whole.messages] == numbers
    assert whole.next is None
    pages = [await store.payload(claimed.payload.id, limit=3)]
    while pages[-1].next is not None:
        pages.append(await store.payload(claimed.payload.id, pages[-1].next, 3))
    assert [len(page.messages) for page in pages] == [3, 3, 1]
    for name in ("messages", "deliveries", "offered", "receipts"):
        together = [one for page in pages for one in getattr(page, name)]
        assert sorted(map(repr, together)) == sorted(map(repr, getattr(whole, name))), name
    for page in pages:
        assert [one.message_id for one in page.deliveries] == [one.id for one in page.messages]


async def test_a_view_reads_the_bodies_it_is_asked_for(store: SqlStore) -> None:
    """Without all bodies, a view has those of answers up to what a row holds, and no others."""
    claimed = await claim(store)
    one = message(claimed)
    answer = {"message_id": one.id, "kind": DeliveryKind.ACKNOWLEDGEMENT}
    made = (
        delivery("document", "x", message_id=one.id),
        delivery("answer", "y", body=b"UNB", **answer),
        delivery("large", "z", body=b"x" * 70_000, **answer),
    )
    await store._keep_bodies((d.sha256, d.body) for d in made)
    await store.commit(outcome(claimed, messages=(one,), deliveries=made))
    view = await store.payload(claimed.payload.id, bodies=False)
    assert {d.id: d.body for d in view.deliveries} == {"document": b"", "answer": b"UNB", "large": b""}
    assert view.payload.body == b""
    whole = await store.payload(claimed.payload.id)
    assert {d.id: len(d.body) for d in whole.deliveries} == {"document": 16, "answer": 3, "large": 70_000}
    assert whole.payload.body == (await store.original(claimed.payload.id)).body == b"payload 1"
    assert (await store.original(claimed.payload.id, body=False)).body == b""


async def test_deliveries_are_listed_from_any_place(store: SqlStore) -> None:
    """Pages of deliveries go on over hot and finished ones alike."""
    names = [f"d{n}" for n in range(7)]
    await deliver_later(store, *(delivery(name, f"lane {name}") for name in names))
    found: list[str] = []
    while page := await store.deliveries("customs", "", 3, found[-1] if found else ""):
        found += [one.id for one in page]
    assert found == names[::-1]
    assert await store.deliveries("", "", 3, "unknown") == []


async def make_case(store: SqlStore, number: int, count: int, case: str, key: tuple[str, str]) -> None:
    claimed = await claim(store, number)
    messages = tuple(message(claimed, n, case_id=case) for n in range(1, count + 1))
    await store.commit(
        outcome(
            claimed,
            messages=messages,
            cases=(
                CaseChange(
                    case,
                    0,
                    "declared",
                    "firm",
                    add_keys=frozenset({key, ("other", key[1])}),
                    events=tuple(CaseEvent(case, NOW, f"e{n}", "", delivery_id="c1-d1") for n in range(count)),
                ),
            ),
            deliveries=tuple(delivery(f"{case}-d{n}", case_id=case) for n in range(1, count + 1)),
            receipts=tuple(receipt(one.id) for one in messages),
        )
    )


async def test_a_long_case_is_read_backwards_in_pieces(store: SqlStore) -> None:
    """The newest piece comes first; the pieces together are the whole timeline, each thing once."""
    await make_case(store, 1, 7, "c1", ("bill", "B1"))
    (whole,) = await store.case("B1")
    assert whole.earlier is None
    page = await store.cases("B1", limit=3)
    assert page.next == ""
    (piece,) = pieces = list(page.cases)
    while pieces[0].earlier is not None:
        pieces.insert(0, await store.case_earlier("c1", "firm", pieces[0].earlier, 3))
    assert len(pieces) == 3
    for name in ("events", "messages", "deliveries"):
        assert [one for piece in pieces for one in getattr(piece, name)] == list(getattr(whole, name)), name
    assert [one.kind for one in pieces[-1].events] == ["e4", "e5", "e6"]
    # What an event is about is there even where the delivery itself is on another piece.
    assert [one.id for one in pieces[-1].spoken_of] == ["c1-d1"]
    with pytest.raises(NotFound):
        await store.case_earlier("c1", "stranger", piece.earlier)  # type: ignore[arg-type]


async def pages(store: SqlStore, key: str, partner: str) -> AsyncIterator[list[str]]:
    """Ids of the cases of a number, page by page."""
    after = None
    while after is None or after:
        page = await store.cases(key, partner, after or "")
        assert len(page.cases) <= CASES
        yield [one.id for one in page.cases]
        after = page.next


async def test_a_number_of_many_cases_is_read_in_pages(store: SqlStore) -> None:
    """The newest cases of a number come first, and following `next` gives each once, also for one who takes part in few."""
    count = 4 * CASES + 3
    for number in range(1, count + 1):
        await make_case(store, number, 1, f"case {number:03}", ("contract", "K"))
    mine = await claim(store, 999, partner_id="guest")
    await store.commit(
        outcome(mine, messages=(message(mine, case_id="case 002"), message(mine, 2, case_id="case 030")))
    )
    everybody = [id_ async for page in pages(store, "K", "") for id_ in page]
    assert everybody == [f"case {number:03}" for number in range(count, 0, -1)]
    assert [page async for page in pages(store, "K", "guest")] == [["case 030", "case 002"]]
    assert [page async for page in pages(store, "K", "stranger")] == [[]]


FOREIGN = 5000


async def with_numbers(store: SqlStore, own: range, partner: str) -> None:
    """5,000 cases of rival's that bear the number K, and of another's, which bear K as well where `own` has their place."""
    numbers = [(f"case {n:05}", "rival") for n in range(FOREIGN) if n not in own]
    numbers += [(f"case {n:05}", partner) for n in own]
    # What partner takes part in besides, between the others, bears another number.
    besides = [(f"case {n:05}b", partner) for n in range(0, FOREIGN, 100)]

    def fill(connection: Connection) -> None:
        for rows, key in ((numbers, "K"), (besides, "L")):
            insert_rows(
                connection, tables.cases, [(id_, 1, "accepted", who, False, "consignment", "{}") for id_, who in rows]
            )
            insert_rows(connection, tables.case_keys, [(key, "contract", False, id_) for id_, _ in rows])
            insert_rows(connection, tables.case_keys, [(key, "bill", False, id_) for id_, _ in rows])
            insert_rows(connection, tables.case_partners, rows)

    await store._database.write(fill)


async def test_others_cases_of_a_number_hide_none_of_ones_own_and_show_nowhere(store: SqlStore) -> None:
    """Among 5,000 cases of others with the same number one's own are found at once, wherever they stand among them."""
    await with_numbers(store, range(0, FOREIGN, 700), "firm")
    mine = [f"case {n:05}" for n in range(0, FOREIGN, 700)][::-1]
    assert [page async for page in pages(store, "K", "firm")] == [mine]
    # Whoever takes part in none learns as little as of a number that nobody has, wherever it begins to look.
    for after in ("", "case 04321", "~", "z"):
        for partner in ("firm2", "customs"):
            for key in ("K", "case 00700", "nothing"):
                assert await store.cases(key, partner, after) == CasePage((), "")
    # Before the last of one's own there are only others'.
    assert await store.cases("K", "firm", "case 00000") == CasePage((), "")
    page = await store.cases("K", "", f"case {CASES:05}")
    assert [one.id for one in page.cases] == [f"case {n:05}" for n in range(CASES)][::-1]


async def test_cases_of_a_number_are_found_soon_however_they_alternate(store: SqlStore) -> None:
    """Thousands of one's own and of others', by turns, are read page by page, and no page reads beyond its end."""
    await with_numbers(store, range(0, FOREIGN, 2), "firm")
    place = ""
    for first in (FOREIGN, FOREIGN - 2 * CASES, FOREIGN - 4 * CASES):
        page = await store.cases("K", "firm", place)
        assert [one.id for one in page.cases] == [f"case {first - 2 * n:05}" for n in range(1, CASES + 1)]
        place = page.next
    taken = []
    for _ in range(3):  # the server's time is no time of this process; the best of three is hardly the machine's fault
        began = time.perf_counter()
        await store.cases("K", "rival", "case 00003")
        await store.cases("K", "firm")
        await store.cases("L", "rival")
        await store.cases("K", "")
        taken.append(time.perf_counter() - began)
    assert min(taken) < 2


async def test_a_page_ends_after_so_many_steps_and_the_next_goes_on_there(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where one's own cases and those of a number lie between one another for long, pages may be empty; all is found."""
    monkeypatch.setattr(own_cases, "STEPS", 5)
    await with_numbers(store, range(0, FOREIGN, 700), "firm")
    mine = [f"case {n:05}" for n in range(0, FOREIGN, 700)][::-1]
    found, place, count = [], "", 0
    while True:
        page = await store.cases("K", "firm", place)
        found += [one.id for one in page.cases]
        count += 1
        if not page.next:
            break
        # It is a case of one's own, and so tells nothing of others'.
        assert page.next in mine or page.next.endswith("b")
        assert not place or page.next < place
        place = page.next
    assert found == mine
    assert count > len(mine)
    assert await store.cases("K", "firm2") == CasePage((), "")


@asynccontextmanager
async def counted() -> AsyncIterator[list[str]]:
    """Statements while this is open."""
    statements: list[str] = []

    def note(_c: object, _k: object, statement: str, *_: object) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    yield statements
    event.remove(Engine, "before_cursor_execute", note)


async def test_a_page_takes_as_many_statements_however_long_it_is(store: SqlStore) -> None:
    """Neither lists nor views ask for each thing by itself, and no list reads documents or bodies."""
    for number in range(1, 13):
        await make_case(store, number, 12, f"c{number}", ("bill", f"B{number}"))
    numbers = []
    for limit in (2, 10):
        async with counted() as statements:
            await store.payloads("", "", "", limit)
            await store.deliveries("", "", limit)
            await store.feed("status", "firm", 0, limit)
        assert not any("bodies" in one or "messages.document," in one for one in statements)
        async with counted() as views:
            await store.payload(f"{1:032x}", limit=limit)
            await store.cases("B1", limit=limit)
        numbers.append((len(statements), len(views)))
    assert numbers[0] == numbers[1]
