"""Other people's implementations, each in a virtual environment of its own, so that what they need is never ours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".interop-venv"
PACKAGES = ("pyas2lib==1.4.4",)


def peer_python() -> Path:
    """The interpreter of the peers' environment, which is made where it is not there whole.

    Where it cannot be made the test is skipped, with the reason; in CI that is a failure.
    """
    python, ready = FOLDER / "bin" / "python", FOLDER / ".ready"
    wanted = "\n".join(PACKAGES)
    if not ready.exists() or ready.read_text("utf-8") != wanted:
        surroundings = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES]
        try:
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(FOLDER)], check=True, timeout=120)
            subprocess.run(command, check=True, env=surroundings, timeout=300, capture_output=True)
        except (subprocess.SubprocessError, OSError) as error:
            if os.environ.get("CI") == "true":
                raise
            pytest.skip(f"the peers cannot be installed here: {error}")
        ready.write_text(wanted, "utf-8")
    return python
