"""The gateway looks for gaps and changed rows in its own log: over the tail at once, over all in the background.

Nobody is disturbed: so many entries a second at most, a twentieth of the time at most, and none while many
arrivals wait. What is found is told once, however many rounds, restarts and nodes find it again: as an error in
the gateway's own log, as an alert on the operator's feed, and in a figure.

Several nodes on one database take turns: whoever holds the audit keeps its place in the store, and another node
goes on from there when that hold runs out. Two that each read all would only double what it costs. The tail is looked at by
each node for itself, at its start, since it is what the node is about to build on.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import structlog

from gateway.errors import TemporaryError
from gateway.receipt.problems import Problem
from gateway.receipt.stored import StoredLog
from gateway.store.contract import Alert, AuditMark
from gateway.store.ports import Store

log = structlog.get_logger(__name__)

DAMAGED: Final = "receipt_log_damaged"
"""The kind of the alert that each fault is."""
PAGE: Final = 64
"""Entries read and judged at once: some milliseconds, most of them for the signatures of their checkpoints."""
TAIL_ENTRIES: Final = 2_000
TAIL_SECONDS: Final = 5.0
"""What is looked at when a node starts: the entries that a crash or a copy of the day before would have touched, and no
longer than a supervisor's patience."""
DUTY: Final = 20
"""Times as long as a page took until the next one: where the store is slow, there is less of it for the audit."""
PATIENCE: Final = 5.0
"""Seconds that a page waits for a peak of arrivals to pass at most, so that a long peak does not stop the audit."""
ROUND_SECONDS: Final = 600.0
"""Between the end of a round and the beginning of the next: a small log is not read all the time."""
HOLD_SECONDS: Final = 120.0
"""How long a node that ends without a word keeps the others waiting."""
MARK_SECONDS: Final = 30.0
"""How often the place is kept: what is looked at twice after a restart."""


class LogWatch:
    """Audits the stored log for as long as the gateway runs."""

    def __init__(
        self,
        store: Store,
        per_second: int,
        *,
        busy: Callable[[], bool] = lambda: False,
        on_found: Callable[[Problem], None] = lambda _problem: None,
        on_page: Callable[[int], None] = lambda _size: None,
    ) -> None:
        """`per_second` entries are looked at, none in the background where it is 0.

        `busy` says whether a peak is on; `on_found` is told each fault that this process finds, once, and `on_page`
        how many entries of this round were looked at.
        """
        self._store = store
        self._per_second = per_second
        self._busy = busy
        self._on_found = on_found
        self._on_page = on_page
        self._told: set[Problem] = set()
        self._held = 0

    async def run(self) -> None:
        """Look until cancelled. A fault of the audit itself is logged, and ends neither it nor the process."""
        await self._attempt(self.look_at_tail)
        while self._per_second:
            await self._attempt(self._round)
            await asyncio.sleep(ROUND_SECONDS)
        await asyncio.Event().wait()

    async def _attempt(self, work: Callable[[], object]) -> None:
        try:
            await work()  # type: ignore[misc]
        except TemporaryError as error:
            log.info("log_audit_deferred", reason=str(error))
        except Exception:
            log.exception("log_audit_failed")

    async def look_at_tail(self) -> None:
        """Judge the newest entries at once."""
        began = time.monotonic()
        origin = self._store.origin
        seen = await self._store.audit_from(max(0, await self._store.log_size() - TAIL_ENTRIES))
        done = False
        while not done and not seen.full and time.monotonic() - began < TAIL_SECONDS:
            done = await self._store.audit_on(seen, PAGE)
            if self._store.origin != origin:
                return  # the store was set back: what was seen is no longer the log's beginning
            await self._tell(seen)

    async def _round(self) -> None:
        """Judge all entries from where the last process stopped, unless another node does."""
        mark = await self._mark(-1)
        if mark is None:
            return
        origin = self._store.origin
        seen = await self._store.audit_from(mark.place)
        marked = time.monotonic()
        done = False
        while not done and not seen.full:
            await self._wait_for_peak()
            began = time.monotonic()
            done = await self._store.audit_on(seen, PAGE)
            if self._store.origin != origin:
                # The store was set back: what was seen is no longer the log's beginning.
                origin, done = self._store.origin, False
                seen = await self._store.audit_from(0)
                continue
            await self._tell(seen)
            self._on_page(seen.size)
            ended = time.monotonic()
            if ended - marked >= MARK_SECONDS:
                if await self._mark(seen.proven) is None:
                    return
                marked = ended
            await asyncio.sleep(max(PAGE / self._per_second, DUTY * (ended - began)))
        await self._mark(0)

    async def _wait_for_peak(self) -> None:
        until = time.monotonic() + PATIENCE
        # Nobody is told when arrivals become fewer.
        while self._busy() and time.monotonic() < until:  # noqa: ASYNC110
            await asyncio.sleep(PATIENCE / 20)

    async def _mark(self, place: int) -> AuditMark | None:
        """Hold the audit on, and keep its place; None where another node has it."""
        now = time.time_ns() // 1000
        # The end of the hold is its name, so that no two nodes may have the same.
        until = now + int(HOLD_SECONDS * 1_000_000) + secrets.randbelow(1_000_000)
        mark = await self._store.mark_audit(AuditMark(now, until, self._held, place))
        self._held = mark.held if mark is not None else 0
        return mark

    async def _tell(self, seen: StoredLog) -> None:
        """Tell what was found and was not told yet, by this process or any before it."""
        for problem in [one for one in seen.problems if one not in self._told]:
            await self._store.raise_alert(_alert(problem))
            self._told.add(problem)
            self._on_found(problem)


def _alert(problem: Problem) -> Alert:
    """The alert; the same fault always makes the same one, by which the store knows it."""
    subject = repr((problem.code, problem.index, *sorted(problem.args.items())))
    details = {"index": problem.index, "code": problem.code}
    return Alert(DAMAGED, subject, (problem.finding,), datetime.now(UTC), details=details, cause="log")
