"""Opens the store for the operator's commands."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from gateway.store.contract import Store

T = TypeVar("T")


def with_store(config: Path | None, work: Callable[[Store], Awaitable[T]]) -> T:
    """What `work` makes of the configured store, which is opened before and closed after it."""
    from gateway.config import load
    from gateway.web.opening import opened, signer

    settings = load(config)

    async def run() -> T:
        async with opened(settings, signer(settings.receipts)) as store:
            return await work(store)

    return asyncio.run(run())
