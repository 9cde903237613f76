"""The anchor's files as a backup takes them along, and as a restore puts them where there are none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from gateway import durable

_PREFIX: Final = "anchor"
"""How each file is called in a backup, whatever `store.anchor_file` is called."""
_LOCK: Final = ".lock"
"""Who holds it is nothing to keep."""
_TRIES: Final = 20
"""How often in a row nodes may replace the anchor while it is read."""


def read_anchor(path: Path) -> dict[str, bytes]:
    """The files of the anchor at `path`, with what it has set aside and claimed, by the name a backup has them under."""
    for _ in range(_TRIES):
        found = _read_all(path)
        if found is not None:
            return found
    raise OSError(f"{path}: the anchor is replaced by other nodes all the time")


def _read_all(path: Path) -> dict[str, bytes] | None:
    """As `read_anchor`; None where a version was cleared away meanwhile, since it may have been the newest."""
    found: dict[str, bytes] = {}
    for file in _files(path):
        try:
            found[_PREFIX + file.name.removeprefix(path.name)] = file.read_bytes()
        except FileNotFoundError:
            return None
    return found


def _files(path: Path) -> list[Path]:
    if not path.parent.is_dir():
        return []
    every = sorted(path.parent.iterdir())
    beginning = f"{path.name}."
    return [
        file
        for file in every
        if (file.name == path.name or file.name.startswith(beginning))
        and not file.name.endswith(_LOCK)
        and file.is_file()
    ]


def is_there(path: Path) -> bool:
    """Whether anything of an anchor is at `path`."""
    return bool(_files(path))


def put_anchor(path: Path, files: Mapping[str, bytes]) -> None:
    """Put the files of a backup's anchor at `path`, each durable; what is there under a name stays."""
    for name, content in sorted(files.items()):
        target = path.with_name(path.name + name.removeprefix(_PREFIX))
        if not target.exists():
            durable.write_file(target, content, replace=False)
