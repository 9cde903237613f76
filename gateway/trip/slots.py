"""So many slots to work in, shared between senders: none of them holds all while another one waits."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Slots:
    """`count` slots, of which one sender holds `share` at most.

    A slot that comes free goes to the sender that holds the fewest, and of those to whoever waits longest.
    """

    def __init__(self, count: int, share: int) -> None:
        self._count = count
        self._share = share
        self._held = Counter[str]()
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []

    @property
    def is_wanted(self) -> bool:
        """Whether anybody waits."""
        return bool(self._waiting)

    @asynccontextmanager
    async def hold(self, sender: str) -> AsyncIterator[None]:
        """Wait for a slot, and hold it for `sender` meanwhile."""
        slot: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((sender, slot))
        self._give_out()
        try:
            await slot
            yield
        finally:
            if slot.done() and not slot.cancelled():
                self._held[sender] -= 1
                self._held += Counter()  # senders without a slot are forgotten
            else:
                self._waiting.remove((sender, slot))
            self._give_out()

    def _give_out(self) -> None:
        """Give every free slot to somebody who waits for one and may have it."""
        while self._held.total() < self._count:
            # One that was cancelled just now leaves by itself.
            entitled = [one for one in self._waiting if not one[1].done() and self._held[one[0]] < self._share]
            if not entitled:
                return
            chosen = min(entitled, key=lambda one: self._held[one[0]])
            self._waiting.remove(chosen)
            self._held[chosen[0]] += 1
            chosen[1].set_result(None)
