"""The one loop that both workers turn: claim what is due, handle many at once, sleep until the bell rings."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Generic, TypeVar

import structlog

from gateway.errors import TemporaryError

log = structlog.get_logger(__name__)

T = TypeVar("T")

GATHER_SECONDS = 0.01
"""How long to gather between two claims under load: a claim is a write, and ten due things cost as much as one."""

IDLE_SECONDS = 0.25
"""How long to wait where nothing was due and nobody rang: bounds how late a retry, or another node's work, starts."""


LONGEST_WAIT = 0.5
"""Seconds until a store that did not answer is asked again: peers are told to wait longer, but nobody waits for this.
Asking costs an attempt to connect, and whatever waits goes on so soon after the store is back."""


class Loop(Generic[T]):
    """Claims up to `concurrency` things and handles each in a task of its own."""

    def __init__(
        self,
        claim: Callable[[int], Awaitable[Sequence[T]]],
        handle: Callable[[T], Awaitable[None]],
        concurrency: int,
        *,
        idle: float = IDLE_SECONDS,
    ) -> None:
        """`claim` takes how many more may be claimed; `handle` deals with its own failures.

        `idle` is how many seconds pass at most until it is asked again where nothing was due and nobody rang.
        """
        self._claim = claim
        self._handle = handle
        self._concurrency = concurrency
        self._idle = idle
        self._bell = asyncio.Event()

    def ring(self) -> None:
        """Something may be due: look now."""
        self._bell.set()

    async def run(self) -> None:
        """Turn until cancelled, then cancel what is under way: its leases run out and bring it back."""
        running: set[asyncio.Task[None]] = set()
        try:
            while True:
                self._bell.clear()
                claimed = await self._claimed(self._concurrency - len(running))
                for one in claimed:
                    task = asyncio.ensure_future(self._handle(one))
                    running.add(task)
                    task.add_done_callback(running.discard)
                    task.add_done_callback(lambda _: self.ring())
                await (asyncio.sleep(GATHER_SECONDS) if claimed else self._rest())
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _claimed(self, free: int) -> Sequence[T]:
        """What could be claimed; nothing while all hands are full or the store is out of reach."""
        if free <= 0:
            return ()
        try:
            return await self._claim(free)
        except TemporaryError as error:
            log.warning("claim_deferred", reason=str(error))
            await asyncio.sleep(min(error.retry_after, LONGEST_WAIT))
            return ()

    async def _rest(self) -> None:
        """Sleep until the bell, or a little."""
        # Not by wait_for, which until Python 3.12 swallows a cancellation that comes just when the bell rings.
        with suppress(TimeoutError):
            async with asyncio.timeout(self._idle):
                await self._bell.wait()
