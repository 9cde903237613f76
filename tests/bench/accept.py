"""accept_vs_bare: durable accepts over HTTP against a bare aiohttp handler, same client, one process each.

Both servers run on uvloop without an access log; the client sends distinct messages of 2 KB over kept-alive
connections. The gateway answers 202 after the commit (synchronous=FULL), with the receipt in the log. The runs alternate,
so that a machine that changes its speed changes it for both. While it accepts, the gateway also examines what it has
accepted; the figure with that work left to another process is given beside it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.figures import ROOT, Figure
from tests.harness import GatewayProcess, key_of

SECONDS, CONNECTIONS, SIZE, RUNS = 4, 64, 2048, 5

PARTNER = f"""
[[partners]]
id = "bench"
name = "Bench"
roles = ["enterprise"]
agreements = [{{ direction = "in" }}]
keys = [{{ key = "{key_of("bench")}" }}]
"""


def requests_per_second(url: str) -> float:
    """What the client, a process of its own, gets from `url`."""
    arguments = [url, key_of("bench"), str(SECONDS), str(CONNECTIONS), str(SIZE)]
    command = [sys.executable, "-m", "tests.bench.load", "client", *arguments]
    return float(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)


def measure() -> dict[str, Figure]:
    """Alternate the two servers and compare run by run."""
    (ROOT / "var").mkdir(exist_ok=True)
    bare = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.load", "bare"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert bare.stdout is not None
    bare_url = bare.stdout.readline().strip()
    figures: dict[str, list[float]] = {"bare_per_s": [], "accept_per_s": [], "accept_vs_bare": []}
    try:
        for _ in range(RUNS):
            plain = requests_per_second(bare_url)
            with tempfile.TemporaryDirectory(dir=ROOT / "var") as folder:
                gateway = GatewayProcess(Path(folder), PARTNER)
                gateway.start()
                accepted = requests_per_second(f"{gateway.url}/v1/messages")
                gateway.kill()
            figures["bare_per_s"].append(plain)
            figures["accept_per_s"].append(accepted)
            figures["accept_vs_bare"].append(accepted / plain)
    finally:
        bare.kill()
        bare.wait()
        bare.stdout.close()
    return {key: Figure.of(values) for key, values in figures.items()}
