"""Material that other people's software wrote or published, in the folder that GATEWAY_TEST_MATERIAL names.

The project ships none of it. A test that needs some is marked with `needed`, and is skipped where the variable names no
folder; tests/test_foreign.py has the names of all that are.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_NAMED = os.environ.get("GATEWAY_TEST_MATERIAL", "")

needed = pytest.mark.skipif(not _NAMED, reason="GATEWAY_TEST_MATERIAL names no folder")


def material(place: str) -> Path:
    """A file or folder of the material; one that is not there where there is no material."""
    return Path(_NAMED or os.devnull) / place


def samples(place: str) -> list[Path]:
    """The files in a folder of the material, which may be none."""
    return sorted(path for path in material(place).glob("*") if path.is_file())
