"""Nothing outlives who started it: workers end with their gateway, however that ends, and so does what tests start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.faults.material import partners
from tests.harness import GatewayProcess, Recipient
from tests.trip.rig import interchange, message

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what runs is read from /proc")

MARK = "ORPHANS_OF"
GRACE = 2.0
"""Seconds after which nothing may be left."""
LARGE = interchange("BIG", *(message(n, f"BIG{n}") for n in range(1, 4000)))
"""Minutes of work for a worker, or at least longer than the test looks."""


def marked(mark: str) -> dict[int, str]:
    """Processes that were started under `mark`, by whomever, and what each runs."""
    found: dict[int, str] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={mark}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:  # gone meanwhile, or not ours
            continue
    return found


def wait_until(holds: Callable[[], bool], seconds: float, why: Callable[[], object]) -> None:
    """AssertionError with `why` unless `holds` within so many seconds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, why()
        time.sleep(0.02)


def workers(mark: str) -> list[int]:
    """The worker processes."""
    return [pid for pid, command in marked(mark).items() if "spawn_main" in command]


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    """A gateway with two workers and a folder for their files; all that it starts carries a mark."""
    bureau = Recipient()
    spools = tmp_path / "spools"
    spools.mkdir()
    environment = {"GATEWAY_PIPELINE__WORKERS": "2", MARK: str(tmp_path), "TMPDIR": str(spools)}
    one = GatewayProcess(tmp_path, partners(bureau.url), environment)
    one.start()
    try:
        yield one
    finally:
        one.kill()
        for pid in marked(str(tmp_path)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        bureau.close()


def set_to_work(gateway: GatewayProcess, mark: str, *, busy: bool) -> None:
    """Let the workers start, and have work in their hands or none."""
    for number in range(2):
        assert gateway.post("acme", LARGE if busy else LARGE[: len(LARGE) // 40], f"t{number}")[0] == 202
    wait_until(lambda: bool(workers(mark)), 20, gateway.log)
    if busy:
        time.sleep(0.5)
    else:
        view = "/v1/messages?state=received"
        wait_until(lambda: not gateway.get("acme", view)[1]["items"], 30, gateway.log)


def to_gateway(number: signal.Signals) -> Callable[[int], None]:
    return lambda pid: os.kill(pid, number)


def to_group(number: signal.Signals) -> Callable[[int], None]:
    """As Ctrl-C in a terminal, or a supervisor that ends the whole group."""

    def send(pid: int) -> None:
        for one in marked(Path(f"/proc/{pid}/cwd").resolve().as_posix()):
            with suppress(ProcessLookupError):  # a worker that has just done its work
                os.kill(one, number)

    return send


ENDS: dict[str, tuple[Callable[[int], None], bool, float]] = {
    # How it ends, whether its workers are at work then, and how long it may take itself.
    "killed while they work": (to_gateway(signal.SIGKILL), True, 0),
    "killed while they are idle": (to_gateway(signal.SIGKILL), False, 0),
    "asked to end while they work": (to_gateway(signal.SIGTERM), True, 15),
    "the whole group is asked": (to_group(signal.SIGTERM), True, 15),
    "Ctrl-C in its terminal": (to_group(signal.SIGINT), True, 15),
}


@pytest.mark.slow
@pytest.mark.parametrize("way", ENDS)
def test_workers_end_with_their_gateway(gateway: GatewayProcess, tmp_path: Path, way: str) -> None:
    """Two seconds later no process of it is left, nothing lies in the temporary folder, and nothing was shouted."""
    end, busy, itself = ENDS[way]
    set_to_work(gateway, str(tmp_path), busy=busy)
    end(gateway.pid)
    gateway.wait(itself + GRACE)
    wait_until(lambda: not marked(str(tmp_path)), GRACE, lambda: marked(str(tmp_path)))
    assert list((tmp_path / "spools").glob("examined-*")) == []
    assert "Traceback" not in gateway.log()


@pytest.mark.slow
def test_workers_of_a_paused_gateway_go_on_with_it(gateway: GatewayProcess, tmp_path: Path) -> None:
    """A pause is no end: the workers are there when it goes on, and end with it afterwards."""
    set_to_work(gateway, str(tmp_path), busy=False)
    before = workers(str(tmp_path))
    gateway.pause()
    time.sleep(1)
    assert workers(str(tmp_path)) == before
    gateway.resume()
    gateway.kill()
    wait_until(lambda: not marked(str(tmp_path)), GRACE, lambda: marked(str(tmp_path)))


STARTER = """
import sys, time
from pathlib import Path
from tests.harness import GatewayProcess
from tests.faults.material import partners
one = GatewayProcess(Path(sys.argv[1]), partners("http://127.0.0.1:9/"))
one.start()
print("up", flush=True)
time.sleep(60)
"""


@pytest.mark.slow
def test_what_a_killed_test_started_ends(tmp_path: Path) -> None:
    """Whoever kills a test run or a bench has no gateways left from it."""
    environment = {**os.environ, MARK: str(tmp_path)}
    run = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(tmp_path)], env=environment, stdout=subprocess.PIPE, text=True
    )
    with run:
        assert run.stdout is not None
        assert run.stdout.readline() == "up\n"
        run.kill()
    wait_until(lambda: not marked(str(tmp_path)), GRACE, lambda: marked(str(tmp_path)))


@pytest.mark.slow
def test_a_killed_demo_leaves_nothing(tmp_path: Path) -> None:
    """Its gateway and its simulated partners end with it, though each has a session of its own."""
    environment = {**os.environ, MARK: str(tmp_path)}
    command = [sys.executable, "-m", "gateway", "demo"]
    run = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: len(marked(str(tmp_path))) > 4, 20, lambda: marked(str(tmp_path)))
    finally:
        run.kill()
        run.wait()
    wait_until(lambda: not marked(str(tmp_path)), GRACE, lambda: marked(str(tmp_path)))


def test_old_spools_are_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a killed gateway left, where its files had names, goes a day later; what may be in use stays."""
    from gateway.trip import workers as examiners

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name, age in (("examined-old", 2 * examiners.RESULT_SECONDS), ("examined-new", 0), ("other-old", 10**6)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    examiners.sweep_results()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["examined-new", "other-old"]
