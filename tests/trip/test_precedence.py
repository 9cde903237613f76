"""What a person waits for goes first, and holds up the rest of the work a little at most."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

from gateway.model import MessageState, Payload, PayloadState
from gateway.trip import precedence
from gateway.trip.precedence import Precedence
from tests.trip.rig import START, House, declaration, house

PAYLOAD = Payload("p", "acme", "http", "", "", 1, START)
SOON = 0.05
"""Seconds that the other's work takes here: far less than PATIENCE."""


async def waited(way: precedence.Way) -> float:
    """Seconds for which the way was given."""
    began = time.monotonic()
    await way.give()
    return time.monotonic() - began


async def test_nobody_waits_where_nothing_goes_first() -> None:
    """Without anything that goes first, a payload goes on at once."""
    assert await waited(Precedence().way_of(PAYLOAD)) < SOON


async def test_a_payload_gives_way_until_what_goes_first_is_over() -> None:
    """It waits for all that is in work or being taken in, and no longer."""
    first = Precedence()
    task = asyncio.create_task(asyncio.sleep(SOON))
    first.begin(PAYLOAD, task)

    async def take_in() -> None:
        with first.announced():
            await asyncio.sleep(2 * SOON)

    taking = asyncio.create_task(take_in())
    await asyncio.sleep(0)
    assert 2 * SOON * 0.9 <= await waited(first.way_of(PAYLOAD)) < precedence.PATIENCE
    assert task.done()
    assert taking.done()
    assert await waited(first.way_of(PAYLOAD)) < SOON


async def test_patience_ends() -> None:
    """However long and often others go first, one payload waits for PATIENCE in all."""
    first = Precedence()
    first.begin(PAYLOAD, asyncio.create_task(asyncio.sleep(60)))
    way = first.way_of(PAYLOAD)
    total = sum([await waited(way) for _ in range(5)])
    assert precedence.PATIENCE * 0.9 <= total < 2 * precedence.PATIENCE
    await first.stop()
    assert await waited(first.way_of(PAYLOAD)) < SOON


async def test_what_goes_first_gives_way_to_nobody() -> None:
    """A payload that is decided at once does not wait for another such one."""
    first = Precedence()
    first.begin(PAYLOAD, asyncio.create_task(asyncio.sleep(60)))
    assert await waited(first.way_of(replace(PAYLOAD, at_once=True))) < SOON
    await first.stop()


async def test_few_and_small_ones_of_a_partner_go_first() -> None:
    """Whoever sends many at once, or long ones, has them decided in turn; others are not held up by that."""
    first = Precedence()
    assert not first.may_go_first("acme", 64 * 1024 + 1)
    for number in range(4):
        assert first.may_go_first("acme", 1000)
        first.begin(replace(PAYLOAD, id=f"p{number}"), asyncio.create_task(asyncio.sleep(60)))
    assert not first.may_go_first("acme", 1000)
    assert first.may_go_first("another", 1000)
    await first.stop()
    await asyncio.sleep(0)
    assert first.may_go_first("acme", 1000)


async def test_a_payload_in_work_lets_another_go_first(tmp_path: Path, migrated: Path) -> None:
    """A declaration is decided once what goes first is over; its case is as if nothing had come between."""

    async def decided(gateway: House, payload_id: str) -> bool:
        return (await gateway.store.payload(payload_id)).state is PayloadState.PROCESSED

    async with house(tmp_path, migrated) as gateway:
        await gateway.through(declaration("WARM"))  # tables are read once
        accepted = await gateway.send(declaration("ONE"))
        (claimed,) = await gateway.claim()
        with gateway.pipeline.precedence.announced():
            work = asyncio.create_task(gateway.pipeline.process(claimed))
            await asyncio.sleep(precedence.PATIENCE / 2)
            assert not await decided(gateway, accepted.payload_id)
        await work
        view = await gateway.store.payload(accepted.payload_id)
        assert [m.state for m in view.messages] == [MessageState.ACCEPTED]
