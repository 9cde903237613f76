"""Power cuts under load: nothing that was answered for is lost, though the disk forgets all that was not synced.

Database, payloads, key, anchor and partners' folders lie on a disk that forgets (see `forgetful`). The short form
cuts the power a few times; `make faults` (FAULTS=long) does it 200 times. The seed is printed, and FAULTS_SEED
repeats a run.
"""

from __future__ import annotations

import hashlib
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.forgetful import MountedDisk
from tests.faults.material import declaration, partners, serial_of
from tests.harness import GatewayProcess

LONG = os.environ.get("FAULTS") == "long"
CUTS = 200 if LONG else 4
SLOW = 0.01
"""Longest sync, in seconds: long enough that another sender comes in between, short enough for many rounds."""
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
        config.write_text(f'folder_poll_seconds = 0.05\n[[folders]]\npath = "{self.exchange}/acme"\npartner = "acme"\n')
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

    def boxes_of(self, name: str) -> list[str]:
        """Where a file of acme's is: the boxes in which it stands."""
        acme = self.exchange / "acme"
        found = [box for box in ("OutBox", "SentBox", "FailBox") if (acme / box / name).exists()]
        return found + [str(path.parent) for path in (acme / "OutBox").glob(f".taken-*/{name}")]

    def delivered(self) -> Counter[int]:
        """How often each declaration stands in the bureau's InBox."""
        return Counter(serial_of(path.read_bytes()) for path in (self.exchange / "bureau" / "InBox").glob("[!.]*"))


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
        """Send for so long, then cut the gateway down; returns when no sender is at work any more."""
        stopped = threading.Event()
        jobs = (self._send_pairs, self._send_small, self._leave_files)
        threads = [threading.Thread(target=self._repeat, args=(job, stopped)) for job in jobs]
        for thread in threads:
            thread.start()
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


@pytest.mark.slow
def test_nothing_promised_is_lost(tmp_path: Path, disk: MountedDisk) -> None:
    """After any power cut all that was answered for is there, and delivered once; the key stays, receipts verify."""
    seed = int(os.environ.get("FAULTS_SEED", "0")) or random.SystemRandom().randrange(10**9)
    print(f"seed {seed}")
    chance = random.Random(seed)
    house = House(tmp_path, disk)
    key = house.key.read_bytes()
    traffic = Traffic(house)
    for cut in range(CUTS):
        house.gateway.start()
        traffic.flow(chance.uniform(0.1, 1.0))
        lost = disk.cut(None if cut % 2 == 0 else chance.randrange(10**9))
        print(f"cut {cut + 1}: {len(traffic.accepted)} accepted, {len(traffic.left)} files left; {lost}")
        assert house.key.read_bytes() == key
        assert house.key.with_suffix(".key.pub").read_text().strip()
        for name in traffic.left:
            assert len(house.boxes_of(name)) == 1, (name, house.boxes_of(name))
        for body in [*traffic.accepted.values()]:
            if len(body) > len(PADDING):
                name = hashlib.sha256(body).hexdigest()
                assert (house.payloads / name[:2] / name).read_bytes() == body
    house.gateway.start()
    _check_all_is_delivered(house, traffic)
    _check_receipts(house, tmp_path, traffic)


def _check_all_is_delivered(house: House, traffic: Traffic) -> None:
    """Each declaration that was answered for, or stood in OutBox, stands in the bureau's InBox, once."""
    bodies = [*traffic.accepted.values(), *traffic.left.values()]
    wanted = {int(body.partition(b"FD-")[2][:8]) for body in bodies}
    assert len(wanted) > CUTS, "the load was no load"
    deadline = time.monotonic() + 120
    while not wanted <= house.delivered().keys():
        assert time.monotonic() < deadline, sorted(wanted - house.delivered().keys())
        time.sleep(0.2)
    acme = house.exchange / "acme"
    while not all((acme / "SentBox" / name).exists() for name in traffic.left):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert {serial: count for serial, count in house.delivered().items() if count > 1} == {}
    for name, body in traffic.left.items():
        assert house.boxes_of(name) == ["SentBox"]
        assert (acme / "SentBox" / name).read_bytes() == body
        assert (acme / "SentBox" / f"{name}.receipt.json").stat().st_size


def _check_receipts(house: House, folder: Path, traffic: Traffic) -> None:
    """The log verifies with the public key alone, and holds a `received` receipt of each payload."""
    for payload_id, body in traffic.accepted.items():
        status, view = house.gateway.get("acme", f"/v1/messages/{payload_id}")
        assert status == 200
        assert view["sha256"] == hashlib.sha256(body).hexdigest()
        assert "received" in {receipt["stage"] for receipt in view["receipts"]}
    assert house.gateway.stop() == 0
    exported = folder / "log.jsonl"
    house.gateway.cli("receipt", "export", str(exported))
    public = house.key.with_suffix(".key.pub").read_text().strip()
    result = house.gateway.cli("receipt", "verify", str(exported), "--key", public, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
