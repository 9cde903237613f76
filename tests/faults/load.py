"""Senders that go on through every fault, and the judge of what became of what they sent."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence

from tests.faults.material import declaration, serial_of
from tests.harness import GatewayProcess, Recipient

SENDERS = 4


class Load:
    """Senders that go on through every crash, each message again under the same id until a node has answered it."""

    def __init__(self, nodes: Sequence[GatewayProcess]) -> None:
        self.nodes = nodes
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
            tries = 0
            while True:
                node = self.nodes[(serial + tries) % len(self.nodes)]
                status, answer = node.post("acme", body, f"load-{serial}")
                if status == 202:
                    with self._lock:
                        self.accepted[serial] = answer["id"]
                    break
                assert status in (0, 429, 503), answer
                if self.stopping:
                    break
                tries += 1
                time.sleep(0.05)

    def stop(self) -> None:
        """Let every sender finish what it is at."""
        self.stopping = True
        for thread in self._threads:
            thread.join(60)


def assert_all_arrived(load: Load, bureau: Recipient, gateway: GatewayProcess) -> None:
    """What was answered 202 is delivered, once by id, with every receipt; the exported log verifies offline."""
    wanted = set(load.accepted)
    deadline = time.monotonic() + 120
    # Copied first: the bureau's threads add to it meanwhile.
    while time.monotonic() < deadline and not wanted <= {serial_of(b) for b in list(bureau.deliveries.values())}:
        time.sleep(0.2)
    delivered = Counter(serial_of(body) for body in list(bureau.deliveries.values()))
    assert wanted - set(delivered) == set(), "acknowledged, and lost"
    assert {serial for serial, count in delivered.items() if count > 1} == set(), "one declaration under two ids"
    _wait_until_settled(gateway, load.accepted)
    verify_log(gateway)


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


def verify_log(gateway: GatewayProcess) -> None:
    """The exported log verifies offline with the public key alone, from its first entry to its last."""
    exported = gateway.folder / "log.jsonl"
    gateway.cli("receipt", "export", str(exported))
    key = (gateway.folder / "signing.key.pub").read_text("utf-8").strip()
    result = gateway.cli("receipt", "verify", str(exported), "--key", key, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
