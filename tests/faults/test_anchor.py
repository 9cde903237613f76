"""Processes that are stopped while they replace the anchor: the others go on, and it never moves back.

The short form stops processes some times at random; `make faults` (FAULTS=long) 2,000 times. The seed is printed, and
FAULTS_SEED repeats a run as far as the processes' own timing does.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.store.anchor_file import AnchorFile

LONG = os.environ.get("FAULTS") == "long"
STOPS = 2000 if LONG else 40

SWAPS_ONCE = """
import os, signal, sys
from pathlib import Path
from gateway import durable
from gateway.store import anchor_file

places = ["before", "after"]

def stop(place):
    if place == when and place in places:  # once
        places.clear()
        os.kill(os.getpid(), signal.SIGSTOP)

def stopping(original):
    def stops(*arguments, **named):
        stop("before")
        result = original(*arguments, **named)
        stop("after")
        return result
    return stops

owner, name, when = sys.argv[2:5]
owner = {"os": os, "durable": durable, "file": anchor_file.AnchorFile}[owner]
setattr(owner, name, stopping(getattr(owner, name)))
print(anchor_file.AnchorFile(Path(sys.argv[1])).swap("10", "11 of the one that was stopped"))
"""
"""Replaces the anchor once, and stops itself in the middle."""

COUNTS = """
import sys
from pathlib import Path
from gateway.store.anchor_file import AnchorFile

file = AnchorFile(Path(sys.argv[1]))
while True:
    there = file.read()
    if file.swap(there, f"{int(there.split()[0]) + 1} {sys.argv[2]}"):
        print(there, flush=True)
"""
"""Counts the anchor up, and tells what it certainly replaced."""


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[str]]]:
    made: list[subprocess.Popen[str]] = []
    yield made
    for process in made:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


PLACES = [
    ("file", "_make", "before"),  # it has compared, and nothing is written yet
    ("os", "link", "before"),  # its note is written, and is the anchor for nobody
    ("os", "link", "after"),  # its note is the anchor, and its name not synced
    ("file", "_publish", "before"),
    ("durable", "link_file", "before"),  # it holds the lock of the name `anchor`
    ("durable", "link_file", "after"),
]


@pytest.mark.parametrize("swaps", [1, 20])
@pytest.mark.parametrize(("owner", "name", "when"), PLACES)
def test_a_process_stopped_in_the_swap_stops_nobody(
    tmp_path: Path, processes: list[subprocess.Popen[str]], owner: str, name: str, when: str, swaps: int
) -> None:
    """While it stands still the others replace the anchor as ever; when it goes on, it changes nothing that they did.

    So too where so many others came after it that the files it has seen are gone.
    """
    path = tmp_path / "anchor"
    file = AnchorFile(path)
    for number in range(1, 11):
        assert file.swap(str(number - 1) if number > 1 else None, str(number))
    command = [sys.executable, "-c", SWAPS_ONCE, str(path), owner, name, when]
    stopped = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    processes.append(stopped)
    assert os.WIFSTOPPED(os.waitpid(stopped.pid, os.WUNTRACED)[1])
    began = time.monotonic()
    for number in range(swaps):
        assert file.swap(file.read(), f"other {number}")
    assert time.monotonic() < began + 2, "the others waited"
    assert file.read() == f"other {swaps - 1}"
    named = path.read_text()
    stopped.send_signal(signal.SIGCONT)
    said = stopped.communicate(timeout=20)[0].strip()
    assert said == str(name in ("_publish", "link_file")), "it was certain too early"
    assert file.read() == f"other {swaps - 1}"
    assert path.read_text() in (named, f"other {swaps - 1}"), "the file `anchor` moved back"
    assert file.swap(f"other {swaps - 1}", "last")
    assert file.read() == path.read_text() == "last"


@pytest.mark.slow
def test_the_anchor_never_moves_back(tmp_path: Path, processes: list[subprocess.Popen[str]]) -> None:
    """Of processes that count the anchor up, stopped and killed at random, no two replace the same, and it only grows."""
    seed = int(os.environ.get("FAULTS_SEED", "0")) or random.SystemRandom().randrange(10**9)
    print(f"seed {seed}")
    chance, path = random.Random(seed), tmp_path / "anchor"
    file, seen, named = AnchorFile(path), [0], [0]
    assert file.swap(None, "0 nobody")
    outputs: list[Path] = []

    def start() -> subprocess.Popen[str]:
        outputs.append(tmp_path / f"said-{len(outputs)}")
        with outputs[-1].open("w") as said:
            process = subprocess.Popen(
                [sys.executable, "-c", COUNTS, str(path), f"p{len(outputs)}"], stdout=said, text=True
            )
        processes.append(process)
        return process

    def look() -> None:
        seen.append(int((file.read() or "").split()[0]))
        named.append(int(path.read_text().split()[0]))

    running = [start() for _ in range(4)]
    while not all(output.read_text() for output in outputs):
        time.sleep(0.05)
    stopped: set[int] = set()
    for _ in range(STOPS):
        place = chance.randrange(4)
        if place in stopped:
            running[place].send_signal(signal.SIGCONT)
            stopped.discard(place)
        elif chance.random() < 0.05:
            running[place].kill()
            running[place].wait()
            running[place] = start()
        elif len(stopped) < 3:
            running[place].send_signal(signal.SIGSTOP)
            stopped.add(place)
        until = time.monotonic() + chance.uniform(0, 0.1)
        while time.monotonic() < until:
            look()
    for process in running:
        process.kill()
        process.wait()
    look()
    replaced = [
        line.split()[0]
        for output in outputs
        for line in output.read_text().splitlines(keepends=True)
        if line[-1] == "\n"
    ]
    print(f"{seen[-1]} versions, {len(replaced)} certain")
    assert seen == sorted(seen), "the anchor moved back"
    assert named == sorted(named), "the file `anchor` moved back"
    assert len(replaced) == len(set(replaced)), "two replaced the same"
    assert seen[-1] > STOPS
