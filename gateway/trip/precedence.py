"""Lets what a person waits for go first: the other payloads in work give way to it, each for a little while at most."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.model import Payload

PATIENCE = 0.25
"""Seconds for which a payload gives way in all. What goes first takes some tens of milliseconds once nothing stands in
its way, and where one such comes after the other, the rest of the work must still get on."""


LONGEST = 64 * 1024
"""Bytes of what goes first: what a person decides or asks is a tenth of that, and what is longer would hold up the rest."""
AT_ONCE = 4
"""Of one partner in work at once: a person waits for one, and whoever sends many has them decided in turn."""


class Precedence:
    """The payloads in work in this process that somebody waits for, and how the others give way to them."""

    def __init__(self) -> None:
        self._first: dict[str, asyncio.Task[None]] = {}
        self._partners = Counter[str]()
        self._announced: set[asyncio.Future[None]] = set()

    @contextmanager
    def announced(self) -> Iterator[None]:
        """Something that goes first is being taken in meanwhile."""
        taken_in: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._announced.add(taken_in)
        try:
            yield
        finally:
            self._announced.discard(taken_in)
            taken_in.set_result(None)

    def may_go_first(self, partner_id: str, size: int) -> bool:
        """Whether a payload of so many bytes of the partner may go first: its sender alone says that it is urgent."""
        return size <= LONGEST and self._partners[partner_id] < AT_ONCE

    def begin(self, payload: Payload, task: asyncio.Task[None]) -> None:
        """`task` has begun with a payload that goes first, and is over with it when it ends."""
        self._first[payload.id] = task
        self._partners[payload.partner_id] += 1
        task.add_done_callback(lambda _: self._end(payload))

    def _end(self, payload: Payload) -> None:
        self._first.pop(payload.id, None)
        self._partners[payload.partner_id] -= 1
        self._partners += Counter()  # partners with none are forgotten

    async def wait_until_over(self, payload_id: str, seconds: float) -> None:
        """Wait until a payload that was begun here has come to its end, for so long at most."""
        if task := self._first.get(payload_id):
            await asyncio.wait({task}, timeout=seconds)

    async def wait_until_none(self, seconds: float) -> None:
        """Wait until nothing that goes first is in work or being taken in, for so long at most."""
        ends = time.monotonic() + seconds
        while (first := {*self._first.values(), *self._announced}) and (left := ends - time.monotonic()) > 0:
            await asyncio.wait(first, timeout=left)

    async def stop(self) -> None:
        """Cancel what is in work, and wait until it has ended."""
        tasks = list(self._first.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def way_of(self, payload: Payload) -> Way:
        """The way of a payload through its work, beside those that go first."""
        return Way(self, 0.0 if payload.at_once else PATIENCE)


class Way:
    """One payload's way, on which it gives way to what goes first as long as its patience lasts."""

    def __init__(self, precedence: Precedence, patience: float) -> None:
        self._precedence = precedence
        self._patience = patience

    async def give(self) -> None:
        """Let what goes first go first, and the event loop answer senders."""
        began = time.monotonic()
        if self._patience > 0:
            await self._precedence.wait_until_none(self._patience)
            self._patience -= time.monotonic() - began
        await asyncio.sleep(0)
