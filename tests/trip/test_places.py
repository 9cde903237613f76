"""Places that senders share."""

from __future__ import annotations

import asyncio

import pytest

from gateway.trip.places import Places


async def test_one_sender_leaves_a_place_for_the_others() -> None:
    """However many of one sender's wait, another one's is let in at once; what comes free goes round."""
    places, held = Places(2, 1), list[str]()
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
    places = Places(1, 1)

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
