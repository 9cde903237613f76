"""Lets what a person waits for go first: the other payloads in work give way to it, each for a little while at most."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.model import Payload

PATIENCE = 0.25
"""Seconds for which a payload gives way in all. What goes first takes some tens of milliseconds once nothing stands in
its way, and where one such comes after the other, the rest of the work must still get on."""


class Precedence:
    """The payloads in work in this process that somebody waits for, and how the others give way to them."""

    def __init__(self) -> None:
        self._first: dict[str, asyncio.Task[None]] = {}
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

    def begin(self, payload_id: str, task: asyncio.Task[None]) -> None:
        """`task` has begun with a payload that goes first, and is over with it when it ends."""
        self._first[payload_id] = task
        task.add_done_callback(lambda _: self._first.pop(payload_id, None))

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
