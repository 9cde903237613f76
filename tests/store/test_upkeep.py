"""Files that nothing mentions go by themselves."""

from __future__ import annotations

import asyncio

import pytest

from gateway.errors import StoreUnavailable
from gateway.store import upkeep


async def test_what_goes_wrong_with_one_sweep_does_not_end_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is away, and even a fault of ours, only puts the sweep off."""
    monkeypatch.setattr(upkeep, "FIRST_SECONDS", 0)
    monkeypatch.setattr(upkeep, "SWEEP_SECONDS", 0)
    done = asyncio.Event()
    came: list[str] = []

    class Unlucky:
        async def sweep(self) -> int:
            came.append("")
            if len(came) == 1:
                raise StoreUnavailable("away")
            if len(came) == 2:
                raise ValueError("ours")
            done.set()
            return 3

    task = asyncio.create_task(upkeep.keep_swept(Unlucky()))  # type: ignore[arg-type]
    await asyncio.wait_for(done.wait(), 5)
    assert not task.done()
    task.cancel()
    assert len(came) >= 3
