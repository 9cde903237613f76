"""Whether a folder can be made where a setting wants it. Nothing is made by asking."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def is_there(path: Path) -> bool:
    """Whether something stands at `path`; no where even asking is not allowed."""
    return ask(path, Path.exists)


def ask(path: Path, question: Callable[[Path], bool]) -> bool:
    """The answer to `question` about `path`; no where even asking is not allowed."""
    try:
        return question(path)
    except OSError:
        return False


def explain_unmakeable(folder: Path) -> str:
    """Why `folder` is not there, cannot be made, or cannot be written into; empty where it can."""
    missing = nearest = folder.absolute()
    while not is_there(nearest) and nearest.parent != nearest:
        missing, nearest = nearest, nearest.parent
    if nearest != missing and nearest == nearest.parent:
        # Root could make it, but it is a misspelt path or a disk that is not mounted.
        return f"there is no {missing}"
    if not nearest.is_dir():
        return f"{nearest} is no folder"
    if not os.access(nearest, os.W_OK | os.X_OK) or _virtual(nearest):
        return f"nothing can be made in {nearest}"
    return ""


def _virtual(folder: Path) -> bool:
    """Whether the kernel makes up what stands in `folder`: it grants root the right to write, and refuses the file."""
    return folder.parts[:2] in (("/", "proc"), ("/", "sys"))
