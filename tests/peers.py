"""Other people's programs, in virtual environments of their own, so that what they need is never ours."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def make_environment(folder: Path, packages: Sequence[str]) -> Path:
    """The interpreter of an environment in `folder` with `packages`, which is made where it is not there whole.

    CalledProcessError or TimeoutExpired where it cannot be made.
    """
    python, ready = folder / "bin" / "python", folder / ".ready"
    wanted = "\n".join(packages)
    if not ready.exists() or ready.read_text("utf-8") != wanted:
        # One that was broken off, or made for other packages or by another Python, is made anew. What a caller put
        # before the packages of its own interpreter (PYTHONPATH) is none of the peers' business.
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True, timeout=120)
        surroundings = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
        subprocess.run(command, check=True, env=surroundings, timeout=300)
        ready.write_text(wanted, "utf-8")
    return python
