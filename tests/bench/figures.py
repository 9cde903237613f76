"""What a benchmark gives back, and what its surroundings were."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.peers import make_environment

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / ".bench-venv"
"""Peers that we are measured against live in a virtual environment of their own."""
PEER_PACKAGES = ("pydifact==0.2.3",)


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure over several runs."""

    median: float
    min: float
    max: float
    unit: str = ""

    @classmethod
    def of(cls, values: Sequence[float], unit: str = "") -> Figure:
        """The figure of some runs."""
        return cls(statistics.median(values), min(values), max(values), unit)


def seconds(work: Callable[[], object]) -> float:
    """How long `work` takes, wall clock."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def peer_python() -> Path:
    """The interpreter of the peers' environment, which is made where it is not there whole."""
    return make_environment(PEERS, PEER_PACKAGES)


def fsyncs_per_second(folder: Path, rounds: int = 200) -> float:
    """How many 4 KB appends with fsync the disk under `folder` takes a second: what bounds every commit."""
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        began = time.perf_counter()
        for _ in range(rounds):
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
        return rounds / (time.perf_counter() - began)
