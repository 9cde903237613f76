"""Keeps work on long documents off the event loop, which answers senders meanwhile."""

from __future__ import annotations

import asyncio
import gc
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel

MANY_ITEMS = 200
"""Items of all lists of a document up to which what is done with it at once takes milliseconds."""

T = TypeVar("T")

_working = 0
"""Pieces of work on long documents that are under way."""


async def run_aside(document: BaseModel | Mapping[str, Any] | None, work: Callable[[], T]) -> T:
    """What `work` gives about `document`, from a thread where that is long."""
    if document is None or is_short(document):
        return work()
    return await run_in_thread(work)


_SHORT: OrderedDict[int, object] = OrderedDict()
"""Documents that were found to be short lately, by identity: each is asked about some times on its way."""
_LATELY = 512
"""Some for each message that is decided just now."""


def is_short(document: BaseModel | Mapping[str, Any]) -> bool:
    """Whether the lists of a document hold no more than `MANY_ITEMS` items together."""
    if id(document) in _SHORT:
        return True
    if has_many_items(document):
        return False
    _SHORT[id(document)] = document  # kept, so that its identity is nobody else's
    if len(_SHORT) > _LATELY:
        _SHORT.popitem(last=False)
    return True


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


def has_many_items(document: BaseModel | Mapping[str, Any], most: int = MANY_ITEMS) -> bool:
    """Whether the lists of a document, or of its JSON, hold more than `most` items together.

    Every document is looked at, and so of its fields only those that can hold lists.
    """
    left = most
    unseen: list[Any] = [document]
    while unseen:
        part = unseen.pop()
        if isinstance(part, list | tuple):
            left -= len(part)
            if left < 0:
                return True
            unseen.extend(one for one in part if isinstance(one, _HOLDERS))
        elif isinstance(part, BaseModel):
            held = part.__dict__
            unseen.extend(value for name in _list_fields(type(part)) if (value := held[name]))
        else:
            unseen.extend(value for value in part.values() if isinstance(value, _HOLDERS))
    return False


_HOLDERS = (list, tuple, BaseModel, Mapping)


@cache
def _list_fields(model: type[BaseModel]) -> tuple[str, ...]:
    """Fields of a model that hold lists, or parts with such fields."""
    return tuple(name for name, field in model.model_fields.items() if _holds_lists(field.annotation))


def _holds_lists(annotation: Any) -> bool:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return bool(_list_fields(annotation))
    return get_origin(annotation) in (tuple, list) or any(_holds_lists(inner) for inner in get_args(annotation))
