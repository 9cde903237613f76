"""Keeps work on long documents off the event loop, which answers senders meanwhile."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from gateway.documents.base import Document, count_items

MANY_ITEMS = 200
"""Items of all lists of a document up to which what is done with it at once takes milliseconds."""

T = TypeVar("T")

_working = 0
"""Pieces of work on long documents that are under way."""


async def run_aside(document: Document | Mapping[str, Any] | None, work: Callable[[], T]) -> T:
    """What `work` gives about `document`, or about its JSON: from a thread where that is long."""
    if document is None or _items_of(document) <= MANY_ITEMS:
        return work()
    return await run_in_thread(work)


def _items_of(document: Document | Mapping[str, Any]) -> int:
    return document.extent if isinstance(document, Document) else count_items(document)


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
    global _working  # noqa: PLW0603 - collection is the process's
    _working += 1
    gc.disable()
    try:
        yield
    finally:
        _working -= 1
        if not _working:
            gc.enable()
