"""Collection: what stands is left out of each look for garbage, what comes later is collected all the same."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import gc, weakref
from gateway.trip import workers
from gateway.trip.lifetime import GARBAGE_AFTER, freeze_loaded

class Knot:
    def __init__(self):
        self.self = self

workers.prepare(0, None)
freeze_loaded()
print(gc.get_freeze_count(), len(gc.get_objects()))
alive = weakref.WeakSet()
for _ in range(3 * GARBAGE_AFTER):
    alive.add(Knot())
print(len(alive))
"""


def test_what_stands_is_not_looked_at_and_what_comes_later_is_collected() -> None:
    """After settling, tens of thousands of objects are out of the way, and cycles still go as they come."""
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    (frozen, looked_at), (alive,) = [[int(n) for n in line.split()] for line in run.stdout.splitlines()]
    assert frozen > 50_000
    assert looked_at < 10_000
    assert alive < 60_000  # of 150,000 knots, each of which only a look for garbage takes away
