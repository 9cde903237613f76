"""Keeps work on long documents off the event loop, which answers senders meanwhile."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from pydantic import BaseModel

MANY_ITEMS = 200
"""Items of all lists of a document up to which what is done with it at once takes milliseconds."""

T = TypeVar("T")

_working: list[None] = []
"""One for each piece of work on a long document."""


async def run_aside(document: BaseModel | Mapping[str, Any] | None, work: Callable[[], T]) -> T:
    """What `work` gives about `document`, from a thread where that is long."""
    if document is None or not has_many_items(document):
        return work()
    return await run_in_thread(work)


async def run_in_thread(work: Callable[[], T]) -> T:
    """What `work` gives, from a thread."""
    with uncollected():
        return await asyncio.to_thread(work)


@contextmanager
def uncollected() -> Iterator[None]:
    """Nothing is looked through for garbage meanwhile.

    What is made of a long document are hundreds of thousands of objects that stay and hardly a cycle, and each look at
    them all stops every thread for some tenths of a second.
    """
    _working.append(None)
    gc.disable()
    try:
        yield
    finally:
        _working.pop()
        if not _working:
            gc.enable()


def has_many_items(document: BaseModel | Mapping[str, Any], most: int = MANY_ITEMS) -> bool:
    """Whether the lists of a document, or of its JSON, hold more than `most` items together."""
    left = most
    unseen: list[Any] = [document]
    while unseen:
        part = unseen.pop()
        if isinstance(part, list | tuple):
            left -= len(part)
            if left < 0:
                return True
            unseen.extend(part)
        elif isinstance(part, BaseModel):
            unseen.extend(part.__dict__.values())
        elif isinstance(part, Mapping):
            unseen.extend(part.values())
    return False
