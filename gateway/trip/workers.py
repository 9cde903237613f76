"""Where payloads are examined: small ones here and now, large ones in a process of their own.

The event loop must answer senders within milliseconds, so a large payload's parsing and checking goes
to a pool of worker processes. What crosses is bytes and frozen agreements; what comes back goes through
a file, chunk by chunk, so that an interchange of any size is handled in bounded memory on both sides.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import pickle
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import BinaryIO, cast

from gateway.check.rulebook import RuleBook, Rules
from gateway.check.rulebook import load as load_rules
from gateway.errors import ExaminerLost
from gateway.model import Agreement, Payload
from gateway.trip.examine import Examined, Message, examine

INLINE_BYTES = 64 * 1024
"""Up to here a payload takes a few milliseconds to examine, less than handing it to another process costs."""

CHUNK = 100
"""Messages per record of the file: enough to make pickling cheap, few enough to hold."""


class Examiners:
    """A pool of examiners; with 0 workers everything is examined in this process."""

    def __init__(self, workers: int, unpacked_limit: int) -> None:
        """Worker processes start when the first large payload comes."""
        self._workers = workers
        self._unpacked_limit = unpacked_limit
        self._pool: ProcessPoolExecutor | None = None

    async def examine(self, payload: Payload, agreements: Sequence[Agreement], day: date) -> AsyncIterator[Examined]:
        """What the payload holds, in wire order; `day` picks the rules in force."""
        if payload.size <= INLINE_BYTES or not self._workers:
            for item in examine(payload.body, agreements, _rules(day), unpacked_limit=self._unpacked_limit):
                yield item
            return
        with tempfile.NamedTemporaryFile(prefix="examined-") as spool:
            work = self._executor().submit(
                _examine_into, spool.name, payload.body, list(agreements), day, self._unpacked_limit
            )
            try:
                await asyncio.wrap_future(work)
            except BrokenProcessPool as error:
                self._pool = None
                raise ExaminerLost from error
            for item in _items(cast("BinaryIO", spool)):
                yield item

    def close(self) -> None:
        """End the worker processes."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    def _executor(self) -> ProcessPoolExecutor:
        """The pool, started where it was not yet, or was broken."""
        if self._pool is None:
            # spawn: a forked copy of a process with threads and an event loop is not safe to run.
            self._pool = ProcessPoolExecutor(self._workers, multiprocessing.get_context("spawn"))
        return self._pool


def _examine_into(spool: str, body: bytes, agreements: Sequence[Agreement], day: date, unpacked_limit: int) -> None:
    """In a worker process: examine, and write chunks of what comes out to `spool`."""
    chunk: list[Examined] = []
    with Path(spool).open("wb") as file:
        for item in examine(body, agreements, _rules(day), unpacked_limit=unpacked_limit):
            # The lazily traced origins hold the message and cannot cross; the rules have used them already.
            chunk.append(replace(item, origins={}) if isinstance(item, Message) else item)
            if len(chunk) == CHUNK:
                pickle.dump(chunk, file, pickle.HIGHEST_PROTOCOL)
                chunk.clear()
        pickle.dump(chunk, file, pickle.HIGHEST_PROTOCOL)


def _items(file: BinaryIO) -> Iterator[Examined]:
    """What a worker wrote. The file is ours alone, made by our own process a moment ago."""
    while True:
        try:
            chunk: list[Examined] = pickle.load(file)  # noqa: S301 -- see above
        except EOFError:
            return
        yield from chunk


@cache
def _rule_book() -> RuleBook:
    """The rule sets, read once per process."""
    return load_rules()


@cache
def _rules(day: date) -> Rules:
    """The rules in force on `day`."""
    return _rule_book().at(day)
