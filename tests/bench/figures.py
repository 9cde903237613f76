"""What a benchmark gives back, and what its surroundings were."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

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
    python, ready = PEERS / "bin" / "python", PEERS / ".ready"
    wanted = "\n".join(PEER_PACKAGES)
    if not ready.exists() or ready.read_text("utf-8") != wanted:
        # One that was broken off, or made for other packages or by another Python, is made anew. What a caller put
        # before the packages of its own interpreter (PYTHONPATH) is none of the peers' business.
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(PEERS)], check=True)
        surroundings = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        command = [str(python), "-m", "pip", "install", "--quiet", *PEER_PACKAGES]
        subprocess.run(command, check=True, env=surroundings)
        ready.write_text(wanted, "utf-8")
    return python


def fsyncs_per_second(folder: Path, rounds: int = 200) -> float:
    """How many 4 KB appends with fsync the disk under `folder` takes a second: what bounds every commit."""
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        began = time.perf_counter()
        for _ in range(rounds):
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
        return rounds / (time.perf_counter() - began)
