"""Whether a commit is possible: a transaction that takes the log's lock and leaves a trace, as commit 1 would."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from gateway.decide.names import Name
from gateway.store import tables
from gateway.store.batch import Batch
from gateway.store.writer import Answers

_TRACE = "probe"
"""The counter that holds when a probe was committed last, in seconds since 1970."""


def names(_wanted: object) -> Iterable[Name]:
    """What a probe touches."""
    yield ("counter", _TRACE)


def write(batch: Batch, wanted: Sequence[None]) -> Callable[[], Answers[None]]:
    """Write the trace, with the log entered."""

    def finish() -> list[None]:
        batch.insert(tables.counters, (_TRACE, int(time.time())), "replace")
        return [None] * len(wanted)

    return finish
