"""kill -9 at random moments under load: what was answered 202 arrives, once by id; the log has no gap.

The short form kills a few times; `make faults` (FAULTS=long) kills 60 times. The seed is printed, and
FAULTS_SEED repeats a run.
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from tests.faults.load import Load, assert_all_arrived
from tests.faults.material import partners
from tests.harness import GatewayProcess, Recipient

LONG = os.environ.get("FAULTS") == "long"
KILLS = 60 if LONG else 4


@pytest.mark.slow
def test_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    """Every message answered 202 is delivered, each delivery under one id; every receipt verifies; no gap."""
    seed = int(os.environ.get("FAULTS_SEED", "0")) or random.SystemRandom().randrange(10**9)
    print(f"seed {seed}")
    chance = random.Random(seed)
    bureau = Recipient()
    gateway = GatewayProcess(tmp_path, partners(bureau.url))
    gateway.start()
    load = Load([gateway])
    try:
        for kill in range(KILLS):
            # From while it starts up to well under load, so that every stage of the trip is hit.
            time.sleep(chance.uniform(0.02, 2.5 if LONG else 1.2))
            gateway.kill()
            print(f"kill {kill + 1}: {len(load.accepted)} accepted, {len(bureau.deliveries)} delivered")
            gateway.start()
        time.sleep(0.5)
    finally:
        load.stop()
    assert len(load.accepted) > KILLS, "the load was no load"
    assert_all_arrived(load, bureau, gateway)
    gateway.stop()
    bureau.close()
