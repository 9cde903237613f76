"""Reads that share a transaction, and how much waits."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from datetime import timedelta

import pytest
from sqlalchemy import Connection

from gateway.errors import StoreUnavailable
from gateway.store.contract import Pressure
from gateway.store.reader import SharedReader
from gateway.store.sql_store import SqlStore
from tests.store.made import LEASE, NOW, accept, deliver_later, delivery


async def test_questions_asked_together_are_read_together(store: SqlStore) -> None:
    """Each asker gets its own answers, from fewer reads than there were askers; what has no answer is left out."""
    rounds: list[set[int]] = []

    def answer(_: Connection, questions: Collection[int]) -> Mapping[int, int]:
        rounds.append(set(questions))
        return {question: question * 2 for question in questions if question >= 0}

    reader = SharedReader(store._database, answer)
    answers = await asyncio.gather(*(reader.ask([n, n + 1, -1]) for n in range(50)))
    assert answers == [{n: 2 * n, n + 1: 2 * n + 2} for n in range(50)]
    assert len(rounds) < 5
    assert await reader.ask([]) == {}


async def test_a_failed_read_is_told_to_all_who_asked(store: SqlStore) -> None:
    """When a read fails everyone in it is told, and the next one is tried again."""
    broken = True

    def answer(_: Connection, questions: Collection[int]) -> Mapping[int, int]:
        if broken:
            raise StoreUnavailable
        return dict.fromkeys(questions, 1)

    reader = SharedReader(store._database, answer)
    results = await asyncio.gather(*(reader.ask([n]) for n in range(3)), return_exceptions=True)
    assert [type(one) for one in results] == [StoreUnavailable] * 3
    broken = False
    assert await reader.ask([1]) == {1: 1}


async def test_pressure_counts_what_waits(store: SqlStore) -> None:
    """Payloads and deliveries that wait, those that are dead, and since when the oldest waits."""
    assert await store.pressure() == Pressure(0, 0, 0, None)
    await deliver_later(store, delivery("a", "x"), delivery("b", "x"))
    await accept(store, 2, received_at=NOW + LEASE)
    await accept(store, 3, received_at=NOW + timedelta(seconds=1))
    assert await store.pressure() == Pressure(2, 2, 0, NOW + timedelta(seconds=1))


@pytest.mark.parametrize("key", ["", "unknown", "%"])
async def test_an_unknown_case_is_no_case(store: SqlStore, key: str) -> None:
    """A key that nobody has finds nothing."""
    assert await store.case(key) == []
