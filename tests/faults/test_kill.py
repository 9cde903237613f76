"""kill -9 at random moments under load: what was answered 202 arrives, once by id; the log has no gap.

The short form kills a few times; `make faults` (FAULTS=long) kills 60 times. The seed is printed, and
FAULTS_SEED repeats a run.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.material import declaration, partners, serial_of
from tests.harness import GatewayProcess, Recipient

LONG = os.environ.get("FAULTS") == "long"
KILLS = 60 if LONG else 4
SENDERS = 4


class Load:
    """Senders that go on through every crash, each message again under the same id until it is answered."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self.gateway = gateway
        self.accepted: dict[int, str] = {}
        self.stopping = False
        self._serial = 0
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._send) for _ in range(SENDERS)]
        for thread in self._threads:
            thread.start()

    def _send(self) -> None:
        while not self.stopping:
            with self._lock:
                self._serial += 1
                serial = self._serial
            body = declaration(serial)
            while True:
                status, answer = self.gateway.post("acme", body, f"load-{serial}")
                if status == 202:
                    with self._lock:
                        self.accepted[serial] = answer["id"]
                    break
                assert status in (0, 429, 503), answer
                if self.stopping:
                    break
                time.sleep(0.05)

    def stop(self) -> None:
        """Let every sender finish what it is at."""
        self.stopping = True
        for thread in self._threads:
            thread.join(60)


@pytest.mark.slow
def test_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    """Every message answered 202 is delivered, each delivery under one id; every receipt verifies; no gap."""
    seed = int(os.environ.get("FAULTS_SEED", "0")) or random.SystemRandom().randrange(10**9)
    print(f"seed {seed}")
    chance = random.Random(seed)
    bureau = Recipient()
    gateway = GatewayProcess(tmp_path, partners(bureau.url))
    gateway.start()
    load = Load(gateway)
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
    wanted = set(load.accepted)
    deadline = time.monotonic() + 120
    # Copied first: the bureau's threads add to it meanwhile.
    while time.monotonic() < deadline and not wanted <= {serial_of(b) for b in list(bureau.deliveries.values())}:
        time.sleep(0.2)
    delivered = Counter(serial_of(body) for body in list(bureau.deliveries.values()))
    assert len(wanted) > KILLS, "the load was no load"
    assert wanted - set(delivered) == set(), "acknowledged, and lost"
    assert {serial for serial, count in delivered.items() if count > 1} == set(), "one declaration under two ids"
    _wait_until_settled(gateway, load.accepted)
    gateway.stop()
    _verify_log(gateway, tmp_path)
    bureau.close()


def _wait_until_settled(gateway: GatewayProcess, accepted: dict[int, str]) -> None:
    """Every message shows its verdict and its delivery's receipt."""
    deadline = time.monotonic() + 60
    for serial, payload_id in sorted(accepted.items()):
        while True:
            status, view = gateway.get("acme", f"/v1/messages/{payload_id}")
            assert status == 200, (serial, view)
            stages = {receipt["stage"] for receipt in view["receipts"]}
            if {"received", "checked", "delivered"} <= stages:
                break
            assert time.monotonic() < deadline, (serial, view["state"], sorted(stages))
            time.sleep(0.1)


def _verify_log(gateway: GatewayProcess, folder: Path) -> None:
    """The exported log verifies offline with the public key alone, from its first entry to its last."""
    exported = folder / "log.jsonl"
    gateway.cli("receipt", "export", str(exported))
    key = (folder / "signing.key.pub").read_text("utf-8").strip()
    result = gateway.cli("receipt", "verify", str(exported), "--key", key, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
