"""gateway_stream_rss_mb: 200 MB and 100,000 declarations in one interchange, through a running gateway that is killed once.

    gateway_stream_rss_mb            growth of the main process above what it has when it begins, the worse of its two lives
    gateway_stream_worker_mb         the most that any process which examines has held
    gateway_stream_messages_per_s    from the sender's first byte to the last commit, the killed part and its repetition included

The interchange comes over HTTP, is examined in a worker process, staged, decided chunk by chunk and delivered to a bureau
over HTTP; a third of the way through what is decided the gateway is killed and started again. At the end every
declaration is accepted once, the bureau has each, and the sender has one CONTRL. STREAM_MB makes it smaller for a first
look. It takes a quarter of an hour and 3 GB under var/.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

from tests.bench.exchange import running_bureau
from tests.bench.figures import ROOT, Figure
from tests.faults.material import declaration, partners
from tests.faults.streamed import write_interchange
from tests.harness import GatewayProcess, key_of

MEGABYTES = int(os.environ.get("STREAM_MB", "200"))
MESSAGES = MEGABYTES * 500
"""At least so many; a declaration has a little less than two kilobytes."""
SECONDS = 3 * 3600.0
"""A machine that is busy with other things may take a while, and one that stands still ends here."""
WARM = 20_000_000
"""Serials of the few declarations by which the gateway loads what it needs."""
FIRST = 20
SETTINGS = {
    "GATEWAY_PIPELINE__WORKERS": "1",
    "GATEWAY_PIPELINE__LEASE_SECONDS": "10",
    "GATEWAY_LIMITS__PAYLOAD_BYTES": str(1 << 30),
    "GATEWAY_LIMITS__PARTNER_BYTES_UNDER_WAY": str(2 << 30),
}


def measure() -> dict[str, Figure]:
    """One run: the figures hardly vary, and it is long."""
    var = ROOT / "var"
    var.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=var) as name, running_bureau() as bureau:
        folder = Path(name)
        file = folder / "stream.edi"
        count = write_interchange(file, MEGABYTES * 1_000_000, MESSAGES)
        run = _Run(GatewayProcess(folder, partners(f"{bureau}/inbox"), SETTINGS))
        began = time.monotonic()
        try:
            payload_id = run.send(file)
            run.watch(payload_id, until=count // 3)
            run.restart()
            run.watch(payload_id, until=None)
            seconds = time.monotonic() - began
            run.judge(payload_id, count, bureau)
        finally:
            run.end()
    unit = f"{count:,} messages, {MEGABYTES} MB"
    return {
        "gateway_stream_rss_mb": Figure(max(run.grown), min(run.grown), max(run.grown), unit),
        "gateway_stream_worker_mb": Figure.of([max(run.workers.values(), default=0.0)]),
        "gateway_stream_messages_per_s": Figure.of([count / seconds]),
    }


class _Run:
    """A gateway through its two lives, and what its processes took in memory."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self.gateway = gateway
        self.grown: list[float] = []
        """MB by which the main process grew, life by life."""
        self.workers: dict[int, float] = {}
        """The most MB of each process that it started, by its number."""
        self._before = 0
        self._begin()

    def _begin(self) -> None:
        """Start, and let what is loaded once be loaded."""
        self.gateway.patience = 120
        self.gateway.start()
        for number in range(FIRST):
            status, said = self.gateway.post("acme", declaration(WARM + len(self.grown) * FIRST + number))
            assert status == 202, said
        time.sleep(2)
        self._before = self.gateway.memory()

    def send(self, file: Path) -> str:
        """Send the file as one body, straight from the disk; its payload's id."""
        address = urlsplit(self.gateway.url)
        assert address.hostname is not None
        connection = HTTPConnection(address.hostname, address.port, timeout=600)
        with contextlib.closing(connection), file.open("rb") as body:
            headers = {"Authorization": f"Bearer {key_of('acme')}", "Content-Length": str(file.stat().st_size)}
            connection.request("POST", "/v1/messages", body, headers)
            answer = connection.getresponse()
            said = json.loads(answer.read())
        assert answer.status == 202, said
        payload_id: str = said["id"]
        return payload_id

    def watch(self, payload_id: str, until: int | None) -> dict[str, Any]:
        """Note what memory is taken until so many messages are decided, or all."""
        ends = time.monotonic() + SECONDS
        told = time.monotonic()
        while time.monotonic() < ends:
            self._note_workers()
            status, view = self.gateway.get("acme", f"/v1/messages/{payload_id}?limit=1")
            progress = view.get("progress") if status == 200 else None
            if progress and time.monotonic() > told:
                print(f"  {progress} {self.gateway.memory() / 1e6:.0f} MB {self.workers}", file=sys.stderr, flush=True)
                told = time.monotonic() + 15
            if status == 200 and view["state"] != "received":
                assert until is None, "all was decided before it was to be killed"
                return view
            if until is not None and progress and progress["decided"] >= until:
                return view
            time.sleep(0.25)
        raise RuntimeError("the payload was not dealt with in time")

    def restart(self) -> None:
        """Kill, and begin again: what was decided by then stands."""
        self._note()
        self.gateway.kill()
        self._begin()

    def _note(self) -> None:
        self.grown.append((self.gateway.memory() - self._before) / 1e6)

    def _note_workers(self) -> None:
        """What each process of the gateway's has taken at most (proc(5), VmHWM)."""
        for children in Path(f"/proc/{self.gateway.pid}/task").glob("*/children"):
            for pid in _words(children):
                lines = [line for line in _lines(Path(f"/proc/{pid}/status")) if line.startswith("VmHWM")]
                if lines:
                    self.workers[int(pid)] = (int(lines[0].split()[1]) << 10) / 1e6

    def judge(self, payload_id: str, count: int, bureau: str) -> None:
        """Every declaration is accepted, the bureau has each, and one CONTRL says so."""
        self._note()
        status, view = self.gateway.get("acme", f"/v1/messages/{payload_id}?limit=1")
        assert (status, view["state"]) == (200, "accepted"), view
        wanted, there = count + FIRST * len(self.grown), 0
        for _ in range(2400):
            with urlopen(f"{bureau}/count", timeout=60) as answer:
                there = int(answer.read())
            if there >= wanted:
                break
            time.sleep(0.5)
        assert there == wanted, f"the bureau has {there} of {wanted}"
        offered = [one["document"] for one in view["offered"]]
        assert offered.count("acknowledgement") == 1, view["offered"]

    def end(self) -> None:
        """End the gateway."""
        self.gateway.kill()


def _words(path: Path) -> list[str]:
    return " ".join(_lines(path)).split()


def _lines(path: Path) -> list[str]:
    """The lines of a file of the system's; none where its process has ended."""
    try:
        return path.read_text("utf-8").splitlines()
    except OSError:
        return []
