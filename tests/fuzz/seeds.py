"""Where the fuzzing begins: the samples, other material where there is some, the regressions, and zips of them."""

from __future__ import annotations

import gzip
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from gateway import data
from tests import foreign
from tests.fuzz import targets
from tests.trip import nasty

ROOM = Path(__file__).parent
REGRESSIONS = ROOM / "regressions"
LARGEST = 16 * 1024
"""Bytes of a seed at most: from larger ones the fuzzer learns little, slowly."""


def names() -> list[str]:
    """Every target: a file in targets/ with `one` (what it does with bytes), and `SEEDS` (which files it begins with) or
    `begin` (which gives what it begins with)."""
    return sorted(module.name for module in pkgutil.iter_modules(targets.__path__))


def target(name: str) -> ModuleType:
    """The target of that name."""
    return importlib.import_module(f"tests.fuzz.targets.{name}")


def regressions(name: str) -> list[Path]:
    """Inputs that once broke the target."""
    return sorted(path for path in (REGRESSIONS / name).glob("*") if path.is_file())


def seeds(name: str) -> Iterator[bytes]:
    """What the target begins with."""
    begin = getattr(target(name), "begin", None)
    if begin is not None:
        yield from begin()
    patterns = getattr(target(name), "SEEDS", ())
    folders = [data.samples(), foreign.material("samples"), foreign.material("cases")]
    files = [path for folder in folders for pattern in patterns for path in sorted(folder.rglob(pattern))]
    yield from (path.read_bytes() for path in files if path.stat().st_size <= LARGEST)
    suffixes = {".edi": "edifact", ".x12": "x12", ".xml": "xml", ".json": "json"}
    wanted = {suffixes.get(pattern.lstrip("*"), "") for pattern in patterns}
    bodies = [wire.body for wire in nasty.wires() if wire.syntax.value in wanted]
    yield from bodies
    if "*.zip" in patterns:
        yield nasty.zipped(bodies[:3])
    if "*.gz" in patterns:
        yield gzip.compress(bodies[0])
    yield from (path.read_bytes() for path in regressions(name))
