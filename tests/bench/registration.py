"""A long list of firms, registered by one message through a running gateway: from its first byte to its last commit.

    registration_lines_per_s    lines decided and committed a second, in a list as long as one may be
    registration_rss_mb         the most that the gateway's main process had in memory meanwhile

The list is of grades for firms that nothing is registered of yet; each line is a version of its own, and the answer,
which leaves with the last piece, has a line for each. REGISTRATION_LINES makes the list shorter for a first look.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.bench.figures import ROOT, Figure
from tests.harness import GatewayProcess, key_of

LINES = int(os.environ.get("REGISTRATION_LINES", "100000"))
RUNS = int(os.environ.get("REGISTRATION_RUNS", "3"))
OFFICE = """
[[partners]]
id = "bureau"
name = "Bureau"
roles = ["bureau"]
identifiers = [{{ scheme = "ciq-org", value = "370200" }}]
agreements = [{{ direction = "in" }}]
keys = [{{ key = "{key}", scopes = ["send", "read"] }}]
"""
"""Who registers; nobody else is told."""
PATIENCE = 1800.0
"""Seconds after which the list is given up."""


def registration(count: int, run: int) -> bytes:
    """A list that registers `count` firms from a day to come on."""
    day = f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%d}"
    lines = [
        {
            "scheme": "ciq-registration",
            "value": f"{3_700_000_000 + index}",
            "action": "register",
            "valid_from": day,
            "name": f"Firm {index}",
            "attributes": {"credit_grade": "B"},
        }
        for index in range(count)
    ]
    document = {"reference": f"BULK-{run}", "lines": lines}
    return json.dumps({"format": "json:registration:1", "reference": f"B{run}", "document": document}).encode()


def peak_mb(pid: int) -> float:
    """The most that a process had in memory so far (Linux: VmHWM)."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text("ascii"))
    assert found is not None, "only Linux tells it so"
    return int(found[1]) / 1024


def cpu_seconds(pid: int) -> float:
    """What the process itself used so far (Linux: utime and stime)."""
    told = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


def register(count: int, run: int = 0) -> tuple[float, float, float]:
    """Seconds, megabytes and CPU seconds that a fresh gateway takes for a list of so many lines."""
    (ROOT / "var").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "var") as name:
        gateway = GatewayProcess(Path(name), OFFICE.format(key=key_of("bureau")), {"GATEWAY_PIPELINE__WORKERS": "1"})
        gateway.start()
        try:
            body = registration(count, run)
            used, began = cpu_seconds(gateway.pid), time.monotonic()
            status, accepted = gateway.post("bureau", body)
            assert status == 202, accepted
            while (view := gateway.get("bureau", f"/v1/messages/{accepted['id']}?limit=1")[1])["state"] == "received":
                assert time.monotonic() - began < PATIENCE, "it never came to an end"
                time.sleep(0.25)
            took = time.monotonic() - began
            assert view["state"] != "rejected", view
            return took, peak_mb(gateway.pid), cpu_seconds(gateway.pid) - used
        finally:
            gateway.kill()


def measure() -> dict[str, Figure]:
    """A fresh gateway for every run."""
    runs = [register(LINES, run) for run in range(RUNS)]
    return {
        "registration_lines_per_s": Figure.of([LINES / took for took, _, _ in runs], f"a list of {LINES:,} lines"),
        "registration_rss_mb": Figure.of([peak for _, peak, _ in runs], "the main process at its peak"),
    }
