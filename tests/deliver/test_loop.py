"""The loop that both workers turn (gateway/deliver/loop.py)."""

from __future__ import annotations

import ast
import asyncio
from pathlib import Path

import pytest

import gateway
from gateway.deliver.loop import Loop


@pytest.mark.parametrize("turns", range(6))
async def test_a_loop_ends_when_it_is_cancelled_just_as_the_bell_rings(turns: int) -> None:
    """However the bell and the end meet, the loop ends: a gateway that stops must not wait for ever."""

    async def claim(_: int) -> list[int]:
        return []

    async def handle(_: int) -> None:
        raise AssertionError("nothing was claimed")

    loop = Loop(claim, handle, 1)
    task = asyncio.create_task(loop.run())
    await asyncio.sleep(0.05)
    loop.ring()
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=2)
    task.cancel()
    assert done == {task}


def test_nothing_waits_by_what_swallows_cancellations() -> None:
    """asyncio.wait_for gives the result, and no CancelledError, where both come at once (until Python 3.12)."""
    for path in Path(gateway.__file__).parent.rglob("*.py"):
        names = {node.attr for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Attribute)}
        assert "wait_for" not in names, path
