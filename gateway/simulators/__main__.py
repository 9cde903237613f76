"""`python -m gateway.simulators SETTINGS.json` runs one simulated partner until it is ended."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path

from gateway.simulators.partner import Partner, Settings
from gateway.simulators.roles import ROLES


def main() -> None:
    """Run the partner that the settings file describes."""
    settings = Settings.read(Path(sys.argv[1]))
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(Partner(settings, ROLES[settings.role]).run())


if __name__ == "__main__":
    main()
