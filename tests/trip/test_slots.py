"""Slots that senders share."""

from __future__ import annotations

import asyncio

import pytest

from gateway.trip.slots import Slots


async def test_one_sender_leaves_a_place_for_the_others() -> None:
    """However many of one sender's wait, another one's is let in at once; what comes free goes round."""
    places, held = Slots(2, 1), list[str]()
    go_on = {name: asyncio.Event() for name in ("a1", "a2", "b1", "c1")}

    async def work(name: str) -> None:
        async with places.hold(name[0]):
            held.append(name)
            await go_on[name].wait()

    tasks = [asyncio.create_task(work(name)) for name in ("a1", "a2")]
    await asyncio.sleep(0)
    assert (held, places.is_wanted) == (["a1"], True)
    tasks += [asyncio.create_task(work(name)) for name in ("b1", "c1")]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert held == ["a1", "b1"]
    go_on["a1"].set()  # a2 waits longer than c1, and now holds as few
    for _ in range(5):
        await asyncio.sleep(0)
    assert held == ["a1", "b1", "a2"]
    go_on["b1"].set()
    go_on["a2"].set()
    go_on["c1"].set()
    await asyncio.gather(*tasks)
    assert (held[3], places.is_wanted) == ("c1", False)


async def test_who_gives_up_waiting_takes_no_place() -> None:
    """Whoever is cancelled, while it waits or just as it is let in, leaves its place to the next."""
    places = Slots(1, 1)

    async def work() -> None:
        async with places.hold("a"):
            await asyncio.sleep(0)

    async with places.hold("b"):
        waiting = [asyncio.create_task(work()) for _ in range(2)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.sleep(0)
    waiting[1].cancel()  # it has its place, and does not know yet
    with pytest.raises(asyncio.CancelledError):
        await waiting[1]
    async with asyncio.timeout(1), places.hold("c"):
        assert not places.is_wanted


async def test_one_that_is_cancelled_just_as_a_slot_comes_free_leaves_it_to_the_next() -> None:
    """Whoever waits in vain takes no slot with it, and whoever lets one go is told nothing of that."""
    slots = Slots(1, 1)
    free = asyncio.Event()
    came: list[str] = []

    async def work(sender: str) -> None:
        async with slots.hold(sender):
            came.append(sender)
            await free.wait()

    first, second, third = (asyncio.create_task(work(name)) for name in ("a", "b", "c"))
    await asyncio.sleep(0)
    free.set()
    await asyncio.sleep(0)
    second.cancel()
    async with asyncio.timeout(2):
        results = await asyncio.gather(first, second, third, return_exceptions=True)
    assert results[0] is results[2] is None
    assert came[0] == "a"
    assert came[-1] == "c"
    # All slots are free again.
    async with asyncio.timeout(2), slots.hold("d"):
        pass


async def test_a_cancelled_one_that_has_not_left_yet_is_given_nothing() -> None:
    """A slot that comes free in the same turn in which the next one is cancelled goes to the one behind it."""
    slots = Slots(1, 1)
    held = slots.hold("a")
    await held.__aenter__()
    waiting = [asyncio.create_task(slots.hold(name).__aenter__()) for name in ("b", "c")]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await held.__aexit__(None, None, None)
    async with asyncio.timeout(2):
        await waiting[1]
    assert waiting[0].cancelled()
