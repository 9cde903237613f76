"""Removes what crashes and failed transactions have left of large bodies: files that nothing stored mentions."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from gateway.errors import TemporaryError
from gateway.store.ports import Upkeep

log = structlog.get_logger(__name__)

FIRST_SECONDS: Final = 3600.0
"""From the start until the first sweep: whoever has started a gateway over the wrong database can still stop it."""
SWEEP_SECONDS: Final = 24 * 3600.0
"""Between two sweeps: only files a day old are removed, and each sweep lists the whole folder."""


async def keep_swept(store: Upkeep) -> None:
    """Sweep until cancelled. What goes wrong with one sweep is logged, and ends neither the next one nor the process."""
    await asyncio.sleep(FIRST_SECONDS)
    while True:
        try:
            removed = await store.sweep()
        except TemporaryError as error:
            log.info("sweep_deferred", reason=str(error))
        except Exception:
            log.exception("sweep_failed")
        else:
            log.info("swept", files=removed)
        await asyncio.sleep(SWEEP_SECONDS)
