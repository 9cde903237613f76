"""The peers of the interoperability tests that are Python packages."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.peers import make_environment

FOLDER = Path(__file__).resolve().parents[2] / ".interop-venv"
PACKAGES = ("pyas2lib==1.4.4", "standardwebhooks==1.1.0", "openapi-python-client==0.29.1")


def peer_python() -> Path:
    """The interpreter of the peers' environment. Where it cannot be made the test is skipped; in CI that is a failure."""
    try:
        return make_environment(FOLDER, PACKAGES)
    except (subprocess.SubprocessError, OSError) as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"the peers cannot be installed here: {error}")
