"""Power cuts under load: nothing that was answered for is lost, though the disk forgets all that was not synced.

Database, payloads, key, anchor and partners' folders lie on a disk that forgets (see `forgetful`). The short form
cuts the power a few times; `make faults` (FAULTS=long) does it 200 times. The seed is printed, and FAULTS_SEED
repeats a run.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway import durable
from tests.faults.forgetful import MountedDisk
from tests.faults.material import declaration, partners, serial_of
from tests.harness import GatewayProcess

LONG = os.environ.get("FAULTS") == "long"
CUTS = 200 if LONG else 3
STARTS = 60 if LONG else 2
ORIGIN = "test.example/log"
"""The log's name that the harness gives."""
SLOW = 0.01
"""Longest sync, in seconds: long enough that another sender comes in between, short enough for many rounds."""
STALLED = 60.0
"""Seconds without one more delivery after which none will come: leases run 2 seconds, delays half a second."""
UNANSWERED = 10.0
"""Seconds after which the power is cut though nobody has been answered yet."""
PADDING = b"\n" * (80 << 10)
"""Line breaks after an interchange mean nothing, and make it large enough to be kept as a file."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[MountedDisk]:
    """A disk that forgets, with slow syncs."""
    mounted = MountedDisk(tmp_path / "disk", SLOW)
    yield mounted
    mounted.close()


class House:
    """A gateway on that disk: acme sends over HTTP and by folder, and the bureau gets its declarations in a folder."""

    def __init__(self, tmp_path: Path, disk: MountedDisk) -> None:
        self.exchange = disk.folder / "exchange"
        self.payloads = disk.folder / "payloads"
        self.key = disk.folder / "keys" / "signing.key"
        config = tmp_path / "gateway.toml"
        config.write_text(
            f'[transports.folder]\npoll_seconds = 0.05\n[[transports.folder.watched]]\npath = "{self.exchange}/acme"\npartner = "acme"\n'
        )
        by_folder = partners("URL").replace(
            'options = { url = "URL" }', f'transport = "folder"\noptions = {{ folder = "{self.exchange}/bureau" }}'
        )
        places = {
            "GATEWAY_CONFIG": str(config),
            "GATEWAY_STORE__URL": f"sqlite:///{disk.folder}/store/gateway.db",
            "GATEWAY_STORE__PAYLOAD_FOLDER": str(self.payloads),
            "GATEWAY_STORE__ANCHOR_FILE": f"{disk.folder}/anchors/anchor",
            "GATEWAY_RECEIPTS__SIGNING_KEY_FILE": str(self.key),
        }
        self.gateway = GatewayProcess(tmp_path, by_folder, places)

        self._delivered: dict[str, int] = {}

    def places_of_files(self) -> dict[str, list[str]]:
        """The boxes of acme's in which each file stands."""
        places: dict[str, list[str]] = defaultdict(list)
        acme = self.exchange / "acme"
        for box in (*(acme / name for name in ("OutBox", "SentBox", "FailBox")), *acme.glob("OutBox/.taken-*")):
            if box.is_dir():
                for path in box.iterdir():
                    places[path.name].append(box.name)
        return places

    def delivered(self) -> Counter[int]:
        """How often each declaration stands in the bureau's InBox."""
        for path in (self.exchange / "bureau" / "InBox").glob("[!.]*"):
            if path.name not in self._delivered:
                self._delivered[path.name] = serial_of(path.read_bytes())
        return Counter(self._delivered.values())

    def start_in_vain(self, seconds: float) -> bool:
        """Start the gateway, and kill it after so long; whether it had told by then that it is there."""
        command = [sys.executable, "-m", "gateway", "serve"]
        to, quiet = subprocess.PIPE, subprocess.DEVNULL
        with subprocess.Popen(command, env=self.gateway._environment, stdout=to, stderr=quiet) as process:
            time.sleep(seconds)
            process.kill()
            assert process.stdout is not None
            os.set_blocking(process.stdout.fileno(), False)  # its worker processes may hold the other end a while
            return bool(process.stdout.read())


@pytest.fixture
def house(tmp_path: Path, disk: MountedDisk) -> Iterator[House]:
    """A gateway on the disk, which is gone before the disk is."""
    made = House(tmp_path, disk)
    yield made
    made.gateway.kill()


class Traffic:
    """What comes in while there is power: pairs of one large body, small bodies, files; who was promised what."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.accepted: dict[str, bytes] = {}
        """Bodies answered 202, by the payload's id."""
        self.left: dict[str, bytes] = {}
        """Files in acme's OutBox, by name, that acme had synced."""
        self._serials = iter(range(1, 10**6))
        self._lock = threading.Lock()

    def flow(self, seconds: float) -> None:
        """Send for so long from the first answer on, then cut the gateway down; returns when no sender is at work.

        From that answer, since a gateway on a busy machine may have much to examine again before it answers.
        """
        known = len(self.accepted)
        stopped = threading.Event()
        jobs = (self._send_pairs, self._send_small, self._leave_files)
        threads = [threading.Thread(target=self._repeat, args=(job, stopped)) for job in jobs]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + UNANSWERED
        while len(self.accepted) == known and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(seconds)
        self.house.gateway.kill()
        stopped.set()
        for thread in threads:
            thread.join(60)

    def _repeat(self, job, stopped: threading.Event) -> None:
        while not stopped.is_set():
            with self._lock:
                serial = next(self._serials)
            job(serial)

    def _send_pairs(self, serial: int) -> None:
        body = declaration(serial) + PADDING
        first = threading.Thread(target=self._send, args=(body, f"first-{serial}"))
        first.start()
        self._send(body, f"second-{serial}")
        first.join(60)

    def _send_small(self, serial: int) -> None:
        self._send(declaration(serial), f"small-{serial}")

    def _send(self, body: bytes, transport_id: str) -> None:
        status, answer = self.house.gateway.post("acme", body, transport_id)
        assert status in (0, 202, 429, 503), answer
        if status == 202:
            with self._lock:
                self.accepted[answer["id"]] = body
        else:
            time.sleep(0.05)

    def _leave_files(self, serial: int) -> None:
        """As careful client software does it: synced under another name, renamed, its folder synced."""
        name, body = f"{serial}.edi", declaration(serial) + (PADDING if serial % 2 else b"")
        box = self.house.exchange / "acme" / "OutBox"
        if not box.is_dir():  # the gateway makes it as it starts
            time.sleep(0.05)
            return
        outbox = os.open(box, os.O_RDONLY)
        try:
            with open(f"{name}.tmp", "wb", opener=lambda path, flags: os.open(path, flags, dir_fd=outbox)) as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            os.rename(f"{name}.tmp", name, src_dir_fd=outbox, dst_dir_fd=outbox)
            os.fsync(outbox)
        finally:
            os.close(outbox)
        self.left[name] = body
        time.sleep(0.1)


def drawn() -> random.Random:
    """Chance by a seed that is printed."""
    seed = int(os.environ.get("FAULTS_SEED", "0")) or random.SystemRandom().randrange(10**9)
    print(f"seed {seed}")
    return random.Random(seed)


@pytest.mark.slow
def test_nothing_promised_is_lost(tmp_path: Path, disk: MountedDisk, house: House) -> None:
    """After any power cut all that was answered for is there, and delivered once; the key stays, receipts verify."""
    chance = drawn()
    key = house.key.read_bytes()
    traffic = Traffic(house)
    checked = 0
    for cut in range(CUTS):
        house.gateway.start()
        traffic.flow(chance.uniform(0.1, 1.0))
        # Alternately the worst that may be, and what a disk may have come to; now and then again while it starts.
        lost = disk.cut(None if cut % 2 == 0 else chance.randrange(10**9))
        if cut % 4 == 1:
            house.start_in_vain(chance.uniform(0.3, 2.0))
            lost += f"; at a start, {disk.cut(chance.randrange(10**9))}"
        print(f"cut {cut + 1}: {len(traffic.accepted)} accepted, {len(traffic.left)} files left; {lost}")
        assert house.key.read_bytes() == key
        assert house.key.with_suffix(".key.pub").read_text().strip()
        places = house.places_of_files()
        assert {name: places[name] for name in traffic.left if len(places[name]) != 1} == {}
        bodies = list(traffic.accepted.values())
        for body in bodies[checked:]:
            if len(body) > len(PADDING):
                name = hashlib.sha256(body).hexdigest()
                assert (house.payloads / name[:2] / name).read_bytes() == body
        checked = len(bodies)
    house.gateway.start()
    _check_all_is_delivered(house, traffic)
    _check_receipts(house, tmp_path, traffic)


@pytest.mark.slow
def test_a_first_start_may_be_cut_off_anywhere(disk: MountedDisk, house: House) -> None:
    """Wherever in its first start the power fails, the next one starts; the key of one that was there stays."""
    chance = drawn()
    for start in range(STARTS):
        for place in list(disk.folder.iterdir()):
            shutil.rmtree(place)
        durable.sync_folder(disk.folder)
        served = house.start_in_vain(chance.uniform(0.2, 2.5))
        seen = house.key.read_bytes() if served else b""
        print(f"start {start + 1}, {served=}: {disk.cut(None if start % 2 else chance.randrange(10**9))}")
        house.gateway.start()
        house.gateway.kill()
        assert house.key.read_bytes().startswith(seen)
        assert house.key.with_suffix(".key.pub").read_text().startswith(f"{ORIGIN}+")
    assert "judged_by_anchor" not in house.gateway.log()


def _check_all_is_delivered(house: House, traffic: Traffic) -> None:
    """Each declaration that was answered for, or stood in OutBox, stands in the bureau's InBox, once."""
    bodies = [*traffic.accepted.values(), *traffic.left.values()]
    wanted = {int(body.partition(b"FD-")[2][:8]) for body in bodies}
    assert len(wanted) > CUTS, "the load was no load"
    _wait_while_fewer(lambda: wanted - house.delivered().keys())
    _wait_while_fewer(lambda: {name for name in traffic.left if house.places_of_files()[name] != ["SentBox"]})
    assert {serial: count for serial, count in house.delivered().items() if count > 1} == {}
    sent = house.exchange / "acme" / "SentBox"
    for name, body in traffic.left.items():
        assert (sent / name).read_bytes() == body
        receipt = json.loads((sent / f"{name}.receipt.json").read_bytes())
        assert receipt["sha256"] == hashlib.sha256(body).hexdigest()


def _wait_while_fewer(missing: Callable[[], set[Any]]) -> None:
    """Wait until nothing is missing; AssertionError where for a while it does not become less."""
    fewest = len(missing())
    deadline = time.monotonic() + STALLED
    while left := missing():
        if len(left) < fewest:
            fewest, deadline = len(left), time.monotonic() + STALLED
        assert time.monotonic() < deadline, sorted(left)
        time.sleep(0.2)


def _check_receipts(house: House, folder: Path, traffic: Traffic) -> None:
    """The log verifies with the public key alone, and holds a `received` receipt of each payload."""
    for payload_id, body in traffic.accepted.items():
        status, view = house.gateway.get("acme", f"/v1/messages/{payload_id}")
        assert status == 200
        assert view["sha256"] == hashlib.sha256(body).hexdigest()
        assert "received" in {receipt["stage"] for receipt in view["receipts"]}
    assert house.gateway.stop() == 0
    assert "judged_by_anchor" not in house.gateway.log()
    exported = folder / "log.jsonl"
    house.gateway.cli("receipt", "export", str(exported))
    public = house.key.with_suffix(".key.pub").read_text().strip()
    result = house.gateway.cli("receipt", "verify", str(exported), "--key", public, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
