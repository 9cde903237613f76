"""What senders were answered over transports whose repeats get the same answer."""

from __future__ import annotations

import asyncio

from gateway.store.sql_store import SqlStore
from tests.store.made import NOW


async def test_the_first_answer_stands(store: SqlStore) -> None:
    """Of many answers to one sending, made at once on several nodes, one is kept, and all are told which."""
    answers = [f"mdn {number}".encode() for number in range(8)]
    stand = await asyncio.gather(*(store.keep_reply("acme", "as2", "<1@acme>", answer, NOW) for answer in answers))
    assert len(set(stand)) == 1
    assert await store.find_reply("acme", "as2", "<1@acme>") == stand[0]
    assert await store.keep_reply("acme", "as2", "<1@acme>", b"later", NOW) == stand[0]


async def test_answers_are_each_partners_own(store: SqlStore) -> None:
    """One id of two partners, or over two transports, is two sendings; any bytes come back as they were."""
    await store.keep_reply("acme", "as2", "<1@x>", bytes(range(256)), NOW)
    assert await store.find_reply("rival", "as2", "<1@x>") is None
    assert await store.find_reply("acme", "other", "<1@x>") is None
    assert await store.find_reply("acme", "as2", "<1@x>") == bytes(range(256))
