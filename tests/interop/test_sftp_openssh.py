"""SFTP with OpenSSH, both ways: its client with our server, and our sender and our pickups with its server."""

from __future__ import annotations

import asyncio
import getpass
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest

from gateway.config import Settings, Store
from gateway.transports.base import Evidence, Record
from gateway.transports.sftp import SftpSender, SftpSettings
from gateway.transports.sftp_pickup import Pickup, PickupReceiver
from tests.transports.conformance.kinds import free_port, means_of
from tests.transports.test_sftp import BODY, KEY, Taking, agreement, delivery, outgoing, server, until


def find_program(*names: str) -> str:
    """A program of OpenSSH; the test is skipped where it is not there, which in CI is a failure."""
    for name in names:
        if found := shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin"):
            return found
    if os.environ.get("CI") == "true":
        raise AssertionError(f"{names[0]} is not installed")
    pytest.skip(f"{names[0]} is not installed")


async def test_its_client_uploads_and_fetches(tmp_path: Path) -> None:
    """put, ls, get, rename and rm of the sftp program, in a batch, against our server."""
    program = find_program("sftp")
    (tmp_path / "key").write_bytes(KEY.export_private_key("openssh"))
    (tmp_path / "key").chmod(0o600)
    (tmp_path / "a.edi").write_bytes(BODY)
    async with server(tmp_path) as gateway:
        box = gateway.box("InBox")
        box.mkdir(parents=True)
        (box / "clearance-1.edi").write_bytes(BODY * 5000)
        batch = (
            f"put {tmp_path / 'a.edi'} /OutBox/a.edi.part\nrename /OutBox/a.edi.part /OutBox/a.edi\n"
            f"ls -l /InBox\nget /InBox/clearance-1.edi {tmp_path / 'got'}\nrm /InBox/clearance-1.edi\n"
        )
        command = [
            program, "-b", "-", "-i", str(tmp_path / "key"), "-P", str(gateway.port), "-F", "none",
            "-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={tmp_path / 'known'}", "-o", "IdentitiesOnly=yes",
            "acme@127.0.0.1",
        ]  # fmt: skip
        done = await asyncio.to_thread(
            subprocess.run, command, input=batch.encode(), capture_output=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        await until((gateway.box("SentBox") / "a.edi").exists)
        assert gateway.taking.contents == [BODY]
        assert [reference for _, reference, _ in gateway.taking.confirmed] == ["clearance-1.edi"]
    assert (tmp_path / "got").read_bytes() == BODY * 5000
    assert b"clearance-1.edi" in done.stdout


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[tuple[int, str]]:
    """OpenSSH's server on loopback, with keys of its own; its port and host key."""
    program = find_program("sshd")
    host_key = asyncssh.generate_private_key("ssh-ed25519")
    (tmp_path / "host").write_bytes(host_key.export_private_key("openssh"))
    (tmp_path / "host").chmod(0o600)
    (tmp_path / "authorized").write_bytes(KEY.export_public_key())
    Path("/run/sshd").mkdir(exist_ok=True)  # where it separates its privileges as root
    port = free_port()
    (tmp_path / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {tmp_path / 'host'}\nAuthorizedKeysFile {tmp_path / 'authorized'}\n"
        "StrictModes no\nUsePAM no\nPermitRootLogin prohibit-password\nPasswordAuthentication no\n"
        f"PidFile {tmp_path / 'pid'}\nSubsystem sftp internal-sftp\n"
    )
    with subprocess.Popen([program, "-D", "-e", "-f", str(tmp_path / "config")], stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if b"Server listening" in line:
                break
        yield port, host_key.export_public_key().decode().strip()
        process.terminate()


async def test_its_server_takes_our_deliveries(sshd: tuple[int, str], tmp_path: Path) -> None:
    """Uploaded, renamed, and whole in its folder, twice over the same name."""
    port, host_key = sshd
    (tmp_path / "in").mkdir()
    options = {
        "host": "127.0.0.1",
        "port": str(port),
        "user": getpass.getuser(),
        "host_key": host_key,
        "folder": str(tmp_path / "in"),
        "key": "ours",
    }
    means = replace(means_of(Settings(), SftpSettings(), Taking()), registry=outgoing(tmp_path))
    for _ in range(2):
        evidence = await SftpSender(means, allow_private=True).send(
            delivery(BODY * 5000), agreement(**options), Record()
        )
    assert isinstance(evidence, Evidence)
    assert evidence.outcome == "delivered"
    assert [path.read_bytes() for path in (tmp_path / "in").iterdir()] == [BODY * 5000]


async def test_files_are_fetched_from_its_server(sshd: tuple[int, str], tmp_path: Path) -> None:
    """Listed, taken, fetched, and moved beside their receipts, whose name is there already too; nothing is replaced."""
    port, host_key = sshd
    place = tmp_path / "out"
    place.mkdir()
    taking = Taking()
    means = replace(
        means_of(Settings(store=Store(payload_folder=tmp_path / "kept")), SftpSettings(), taking),
        registry=outgoing(tmp_path),
    )
    pickup = Pickup(
        partner="acme", host="127.0.0.1", port=port, user=getpass.getuser(), host_key=host_key, key="ours",
        folder=str(place), pattern="*.edi",
    )  # fmt: skip
    receiver = PickupReceiver(means, pickup)
    for body in (BODY * 5000, BODY):
        (place / "a.edi").write_bytes(body)
        (place / "a.edi.part").write_bytes(b"half")
        assert await receiver.poll() == 0
        assert await receiver.poll() == 1
    assert taking.contents == [BODY * 5000, BODY]
    kept = sorted(path.name for path in (place / "sent").iterdir())
    mark = hashlib.sha256(BODY).hexdigest()[:16]
    assert kept == ["a.edi", "a.edi.receipt.json", f"a.edi~{mark}", f"a.edi~{mark}.receipt.json"]
    assert sorted(path.name for path in place.iterdir()) == ["a.edi.part", "failed", "sent"]
