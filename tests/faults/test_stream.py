"""kill -9 in the middle of one large interchange: it goes on where it stood, nothing is lost, nothing is done twice.

The short form kills while it is staged and twice while it is decided; `make faults` (FAULTS=long) kills 20 times in a
longer one.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.faults.load import verify_log
from tests.faults.material import partners, serial_of
from tests.faults.streamed import write_interchange
from tests.harness import GatewayProcess, Recipient

LONG = os.environ.get("FAULTS") == "long"
MESSAGES, KILLS, SECONDS = (6000, 20, 1800.0) if LONG else (240, 2, 180.0)
CHUNK = 20
LOOK = 0.05
SETTINGS = {"GATEWAY_PIPELINE__WORKERS": "1", "GATEWAY_PIPELINE__CHUNK": str(CHUNK)}


class Stream:
    """One interchange on its way through a gateway that is killed now and then."""

    def __init__(self, gateway: GatewayProcess, payload_id: str) -> None:
        self._gateway = gateway
        self._payload_id = payload_id
        self._ends = time.monotonic() + SECONDS

    def view(self) -> dict[str, Any]:
        """What its sender is told of it now."""
        status, view = self._gateway.get("acme", f"/v1/messages/{self._payload_id}?limit=1")
        assert status in (0, 200, 503), view
        return view if status == 200 else {}

    def wait_for(self, what: str, count: int) -> int:
        """Wait until so many messages are `staged` or `decided`; how many are by then. The whole counts as well."""
        while time.monotonic() < self._ends:
            view = self.view()
            if view.get("state", "received") != "received":
                return MESSAGES
            progress = view.get("progress") or {}
            if progress.get(what, -1) >= count:
                return int(progress[what])
            time.sleep(LOOK)
        raise AssertionError(f"{count} messages were not {what} in time: {self.view()}")

    def restart(self) -> None:
        """Kill the gateway, and start it again."""
        self._gateway.kill()
        self._gateway.start()


@pytest.mark.slow
def test_a_killed_stream_goes_on_where_it_stood(tmp_path: Path) -> None:
    """Every message is decided once and delivered under one id; no life of the gateway begins before where the last ended."""
    bureau = Recipient()
    gateway = GatewayProcess(tmp_path, partners(bureau.url), SETTINGS)
    gateway.patience = 60
    gateway.start()
    try:
        file = tmp_path / "stream.edi"
        assert write_interchange(file, 0, MESSAGES) == MESSAGES
        status, said = gateway.post("acme", file.read_bytes(), "stream")
        assert status == 202, said
        stream = Stream(gateway, said["id"])
        assert stream.wait_for("staged", CHUNK) < MESSAGES
        stream.restart()
        stood = 0
        for kill in range(KILLS):
            stood = stream.wait_for("decided", max(stood + 1, MESSAGES * (kill + 1) // (KILLS + 2)))
            assert stood < MESSAGES, "it was over before it could be killed"
            stream.restart()
            resumed = stream.view()["progress"]
            assert resumed["decided"] >= stood, "what was decided is decided anew"
            shown = gateway.cli("message", "show", said["id"], "--limit", "1").stdout
            assert "decided" in shown, shown
        stream.wait_for("decided", MESSAGES + 1)  # until it is over: the last message is decided before that
        view = stream.view()
        assert (view["state"], view.get("progress")) == ("accepted", None)
        assert [one["document"] for one in view["offered"]].count("acknowledgement") == 1
        deadline = time.monotonic() + SECONDS
        while len(bureau.deliveries) < MESSAGES and time.monotonic() < deadline:
            time.sleep(LOOK)
        delivered = Counter(serial_of(body) for body in list(bureau.deliveries.values()))
        assert delivered == Counter(range(1, MESSAGES + 1)), "each declaration is there, under one id"
        verify_log(gateway)
    finally:
        gateway.kill()
        bureau.close()
