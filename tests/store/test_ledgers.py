"""Accounts that many draw on at once: real commits on each engine, decided again where somebody else was first."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from gateway.decide.apply import apply
from gateway.decide.desk import Actor, MessageIn
from gateway.decide.effects import Effect, Grant, Reserve, Reverse, Use
from gateway.decide.facts import Facts, Ledger, LedgerEntry
from gateway.errors import FactsMoved
from gateway.model import EntryState, Terms
from gateway.store.contract import AccountChange, Claimed
from gateway.store.sql_store import SqlStore
from tests.flows.world import FACTORY, FLOWS, NOW, RULES, outbound
from tests.store.conftest import Place
from tests.store.made import LEASE, accept, claim, message, outcome
from tests.store.made import NOW as ACCEPTED

NAME = "quota"
DRAWERS = 24


@pytest.fixture
async def nodes(place: Place, tmp_path: Path) -> AsyncIterator[Sequence[SqlStore]]:
    """Two nodes on PostgreSQL, one on SQLite, which one process writes."""
    count = 2 if place.url.startswith("postgresql") else 1
    key = secrets.token_bytes(32)
    stores = [Place(place.url, tmp_path, key).store() for _ in range(count)]
    for store in stores:
        await store.open()
    yield stores
    for store in stores:
        await store.close()


async def post(store: SqlStore, claimed: Claimed, *ways: Sequence[Grant | Reserve | Use | Reverse]) -> str:
    """Decide and commit until nobody was first: the first of `ways` that may be; gives why none may, or nothing."""
    while True:
        known = Facts()
        for effects in ways:
            for one in effects:
                known = await store.facts([Ledger(one.account), LedgerEntry(one.account, one.entry)], known, "m")
        desk = FLOWS.desk(
            MessageIn("declaration", outbound(), Actor(FACTORY), claimed.payload.id, NOW), known, RULES, NOW
        )
        chosen: Sequence[Effect] = ()
        why = ""
        for effects in ways:
            books = desk.open_books()
            faults = [fault for one in effects for fault in books.post(one)]
            if not faults:
                chosen, why = effects, ""
                break
            why = faults[0].code
        applied = apply(desk, chosen)
        changes = tuple(
            AccountChange(account, tuple(e for (of, _), e in applied.entries.items() if of == name))
            for name, account in applied.accounts.items()
        )
        try:
            await store.commit(outcome(claimed, facts=known, messages=(message(claimed),), accounts=changes))
        except FactsMoved:
            continue
        return why


async def test_no_account_is_overdrawn_by_parallel_drawers(nodes: Sequence[SqlStore]) -> None:
    """Of many that draw at once so many are served as there is for, whatever node they are on; nobody is served twice."""
    grant = Grant(NAME, "G", Decimal(100), "KGM", "firm", Terms(draws_max=15))
    assert await post(nodes[0], await claim(nodes[0], 1), [grant]) == ""
    for number in range(2, DRAWERS + 2):
        await accept(nodes[0], number)
    claimed = await nodes[0].claim_payloads(DRAWERS, LEASE, ACCEPTED)
    assert len(claimed) == DRAWERS
    # Each draws what two others have drawn for as well: an entry comes from three messages, and counts once.
    refused = await asyncio.gather(
        *(
            post(nodes[n % len(nodes)], one, [Use(NAME, f"E-{n // 2}", Decimal("0.011"), "TNE")])
            for n, one in enumerate(claimed)
        )
    )
    account = await nodes[-1].account(NAME)
    entries = await nodes[-1].entries(NAME, "", 100)
    assert account is not None
    used = [one for one in entries if one.state is EntryState.USED]
    assert (len(used), account.used, account.draws) == (9, Decimal(99), 9)
    assert sum(one.used for one in used) == account.used
    assert refused.count("ledger.short") == DRAWERS - 2 * 9
    assert account.version == 1 + 9
    assert account.available == 1


async def test_reservations_uses_and_reversals_cross(nodes: Sequence[SqlStore]) -> None:
    """While some reserve, some use and some reverse, the sums are those of the entries, and no more is out than was granted."""
    grant = Grant(NAME, "G", Decimal(50), "", "firm")
    assert await post(nodes[0], await claim(nodes[0], 1), [grant]) == ""
    for number in range(2, 3 * DRAWERS // 2 + 2):
        await accept(nodes[0], number)
    claimed = list(await nodes[0].claim_payloads(3 * DRAWERS // 2, LEASE, ACCEPTED))

    async def journey(number: int, of: Sequence[Claimed]) -> None:
        node, entry = nodes[number % len(nodes)], f"E-{number}"
        steps: list[Sequence[Grant | Reserve | Use | Reverse]] = [
            [Reserve(NAME, entry, Decimal(number % 7 + 3))],
            [Use(NAME, entry, Decimal(number % 7 + 2))],
            [Reverse(NAME, entry)],
        ]
        for one, step in zip(of, steps, strict=False):
            await post(node, one, step)
            account = await node.account(NAME)
            assert account is not None
            assert account.reserved + account.used <= account.granted

    await asyncio.gather(*(journey(n, claimed[3 * n : 3 * n + 2 + n % 2]) for n in range(DRAWERS // 2)))
    account = await nodes[-1].account(NAME)
    entries = await nodes[-1].entries(NAME, "", 100)
    assert account is not None
    by_state = {state: [one for one in entries if one.state is state] for state in EntryState}
    assert account.used == sum(one.used for one in by_state[EntryState.USED])
    assert account.reserved == sum(one.reserved for one in by_state[EntryState.RESERVED])
    assert account.draws == len(by_state[EntryState.USED]) + len(by_state[EntryState.RESERVED])
    assert by_state[EntryState.REVERSED], "some were reversed"
    assert by_state[EntryState.USED], "some were not"
