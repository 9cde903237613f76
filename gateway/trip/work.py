"""The one master of a claimed piece of work: it is decided to its end, or given back, or left with why it cannot be.

A payload and a deadline are worked at alike. Where facts move, the decision is taken again; where the store or another
node stands in the way, the work is given back and claimed again; what is a fault of ours ends it, and is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Protocol

import structlog

from gateway.errors import EarlierUndecided, FactsMoved, LeaseLost, TemporaryError

log = structlog.get_logger(__name__)

DECISIONS = 5
"""How often a piece of work is decided anew at once when facts move; after that it waits a little."""
COMES_BACK = timedelta(seconds=0.5)
"""How soon work comes back that could not be decided or written just now; a whole lease is for crashes."""
AT_ONCE = timedelta(0)
"""It comes back at once: to another node, or to the next start."""


class Held(Protocol):
    """A claimed piece of work in this process's hands."""

    @property
    def name(self) -> str:
        """What the log calls it."""

    async def give_back(self, pause: timedelta) -> None:
        """Let it be claimed again after `pause`; never raises, since nobody could do more about it."""

    async def fail(self, error: Exception) -> None:
        """End it with a fault of ours, of which sender or operator learns; never raises."""


async def see_through(held: Held, attempt: Callable[[bool], Awaitable[None]]) -> None:
    """Take the work to its end by `attempt`, which is told whether it is not the first one. Never raises.

    Only a cancellation leaves, with the work given back.
    """
    try:
        for count in range(DECISIONS):
            try:
                await attempt(count > 0)
            except FactsMoved:
                continue
            return
        log.warning("facts_keep_moving", work=held.name)
    except asyncio.CancelledError:
        await held.give_back(AT_ONCE)
        raise
    except LeaseLost:
        log.info("lease_lost", work=held.name)
        return
    except EarlierUndecided:
        pass
    except TemporaryError as error:
        log.warning("work_deferred", work=held.name, reason=str(error))
    except Exception as error:  # nothing may be lost: a fault of ours becomes the work's state
        log.exception("work_failed", work=held.name)
        await held.fail(error)
        return
    await held.give_back(COMES_BACK)
