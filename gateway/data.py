"""Finds schemas/, mappings/ and samples/: beside the package in a checkout, inside it in an installed wheel."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


@cache
def root() -> Path:
    """The folder that holds schemas/, mappings/ and samples/."""
    installed = _PACKAGE / "_data"
    return installed if installed.is_dir() else _PACKAGE.parent


def schemas() -> Path:
    """Wire schemas, code lists, rule sets and finding texts."""
    return root() / "schemas"


@cache
def mappings() -> Path:
    """Mapping tables, one folder per canonical document."""
    return root() / "mappings"


def samples() -> Path:
    """Sample messages, one folder per case."""
    return root() / "samples"
