"""`python -m gateway.simulators SETTINGS.json` runs one simulated partner until it is ended."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from pathlib import Path

from gateway.simulators.partner import Partner, Settings
from gateway.simulators.roles import answer_of


async def run(settings: Settings) -> None:
    """Run one partner until SIGTERM or SIGINT."""
    task = asyncio.create_task(Partner(settings, answer_of(settings.role)).run())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


if __name__ == "__main__":
    asyncio.run(run(Settings.read(Path(sys.argv[1]))))
