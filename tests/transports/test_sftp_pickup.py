"""Files that are fetched from a partner's own server."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from pydantic import ValidationError

from gateway.config import Limits, Settings, Store
from gateway.errors import Overloaded, PayloadUnreadable, StoreUnavailable
from gateway.transports import sftp
from gateway.transports.plugin import Means
from gateway.transports.sftp import SftpSettings
from gateway.transports.sftp_pickup import Pickup, PickupReceiver
from tests.transports.conformance.kinds import means_of
from tests.transports.test_sftp import BODY, Files, Taking, outgoing, partner


def reading(folder: Path, given: dict[str, str], **changes: Any) -> Pickup:
    """What gateway.toml says of a partner's server."""
    of_server = {name: given[name] for name in ("host", "port", "user", "host_key", "password", "folder")}
    return Pickup(**{"partner": "acme", **of_server, **changes})


def means(folder: Path, taking: Taking, **limits: int) -> Means:
    settings = Settings(
        store=Store(payload_folder=folder / "payloads"), limits=Limits(**{"payload_bytes": 3 << 20, **limits})
    )
    return replace(means_of(settings, SftpSettings(), taking), registry=outgoing(folder))


@asynccontextmanager
async def pickup(folder: Path, **changes: Any) -> AsyncIterator[tuple[PickupReceiver, Taking, Path]]:
    """A receiver, what it takes in, and the folder on the partner's server."""
    taking = Taking()
    async with partner(folder) as (given, place):
        yield PickupReceiver(means(folder, taking), reading(folder, given, **changes)), taking, place


def names(place: Path) -> set[str]:
    """The files below a folder of the partner's, and nothing of how they are called while they are under way."""
    return {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()}


async def test_what_rests_is_fetched_and_moved(tmp_path: Path):
    """A small and a large file, byte for byte, under their names; each stands in `sent` with its receipt afterwards."""
    large = os.urandom(2_000_000)
    async with pickup(tmp_path) as (receiver, taking, place):
        (place / "decl-1.edi").write_bytes(BODY)
        os.utime(place / "decl-1.edi", (1, 1))
        (place / "decl-2.edi").write_bytes(large)
        assert await receiver.poll() == 0  # whether they rest is not known yet
        assert not taking.arrivals
        assert await receiver.poll() == 2
        assert names(place) == {
            "sent/decl-1.edi", "sent/decl-1.edi.receipt.json", "sent/decl-2.edi", "sent/decl-2.edi.receipt.json",
        }  # fmt: skip
        assert (place / "sent" / "decl-2.edi").read_bytes() == large
        assert (place / "sent" / "decl-1.edi.receipt.json").read_bytes() == b'{"receipt":1}'
        assert await receiver.poll() == 0
    assert taking.contents == [BODY, large]
    assert [(one.partner_id, one.transport, one.filename, one.transport_id) for one in taking.arrivals] == [
        ("acme", "sftp", name, f"{name}:{hashlib.sha256(body).hexdigest()}")
        for name, body in (("decl-1.edi", BODY), ("decl-2.edi", large))
    ]
    assert not list((tmp_path / "payloads" / "spool").glob("*"))


async def test_what_grows_or_is_not_meant_stays(tmp_path: Path):
    """A file that has changed since the last look, names of what is being written, folders, links, and what is not asked for."""
    async with pickup(tmp_path, pattern="*.edi") as (receiver, taking, place):
        for name in ("a.edi.part", ".a.edi", "b.tmp", "notes.txt"):
            (place / name).write_bytes(BODY)
        (place / "folder.edi").mkdir()
        (place / "link.edi").symlink_to(place / "notes.txt")
        for number in range(1, 4):
            (place / "grows.edi").write_bytes(BODY * number)
            assert await receiver.poll() == 0
        assert not taking.arrivals
        assert await receiver.poll() == 1
    assert taking.contents == [BODY * 3]
    assert (place / "notes.txt").read_bytes() == BODY


async def test_what_grows_while_it_is_read_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A writer that rested for one look and goes on then is found out: nothing half-written is kept."""
    async with pickup(tmp_path) as (receiver, taking, place):
        (place / "a.edi").write_bytes(BODY)
        await receiver.poll()
        read = Files.read
        grown: list[Path] = []

        def grow(self: Files, file_obj: object, offset: int, size: int) -> Any:
            if not grown:
                grown.extend(place.glob(".taken-*"))
                with grown[0].open("ab") as file:
                    file.write(b"the rest")
            return read(self, file_obj, offset, size)

        monkeypatch.setattr(Files, "read", grow)
        assert await receiver.poll() == 0
        assert not taking.arrivals
        await receiver.poll()
        assert await receiver.poll() + len(taking.arrivals) >= 1
    assert taking.contents == [BODY + b"the rest"]
    assert names(place) == {"sent/a.edi", "sent/a.edi.receipt.json"}


async def test_what_is_too_large_is_not_even_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Its size is judged first; it stands in `failed`, with the reason, and those after it go on."""
    reads: list[int] = []
    read = Files.read

    def count(self: Files, file_obj: object, offset: int, size: int) -> Any:
        reads.append(offset)
        return read(self, file_obj, offset, size)

    monkeypatch.setattr(Files, "read", count)
    async with pickup(tmp_path) as (receiver, taking, place):
        with (place / "a.edi").open("wb") as file:
            file.truncate(1 << 40)
        await receiver.poll()
        await receiver.poll()
        assert not reads
        said = json.loads((place / "failed" / "a.edi.reason.json").read_bytes())
        assert (said["refused"], (place / "failed" / "a.edi").exists()) == ("PayloadTooLarge", True)
    assert not taking.arrivals


async def test_what_is_refused_stands_there_with_the_reason(tmp_path: Path):
    """A refusal for good, and a fault of ours, which tells nothing of ours; neither keeps the next one back."""
    async with pickup(tmp_path) as (receiver, taking, place):
        for error in (PayloadUnreadable("No bytes."), RuntimeError("inside")):
            taking.error = error
            (place / "a.edi").write_bytes(BODY + repr(error).encode())
            await receiver.poll()
            assert await receiver.poll() == 1
        told = [json.loads(path.read_bytes()) for path in sorted((place / "failed").glob("*.reason.json"))]
        assert {one["refused"] for one in told} == {"PayloadUnreadable", "GatewayError"}
        assert "inside" not in json.dumps(told)
        assert len(list((place / "failed").glob("a.edi*"))) == 4  # one does not replace the other


@pytest.mark.parametrize("error", [StoreUnavailable(), Overloaded()])
async def test_what_cannot_be_kept_just_now_is_kept_later(tmp_path: Path, error: Exception):
    """While the gateway takes nothing the file stays, out of the way of another of its name, and both are taken then."""
    async with pickup(tmp_path) as (receiver, taking, place):
        (place / "a.edi").write_bytes(BODY)
        await receiver.poll()
        taking.error = error
        with pytest.raises(type(error)):
            await receiver.poll()
        (place / "a.edi").write_bytes(b"another")
        taking.error = None
        for _ in range(3):
            await receiver.poll()
        assert sorted(taking.contents) == sorted([BODY, b"another"])
        kept = [path.read_bytes() for path in (place / "sent").iterdir() if not path.name.endswith(".json")]
        assert sorted(kept) == sorted([BODY, b"another"])


async def test_what_could_not_be_moved_is_not_taken_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Where the server lets nothing be moved, the file is kept once; a new process takes it under the same transport id."""

    def refuse(_self: Files, _old: bytes, _new: bytes) -> None:
        raise asyncssh.SFTPFailure("Not today.")

    async with pickup(tmp_path) as (receiver, taking, place):
        (place / "a.edi").write_bytes(BODY)
        await receiver.poll()
        monkeypatch.setattr(Files, "posix_rename", refuse)
        for _ in range(3):
            assert await receiver.poll() == 0
        assert len(taking.arrivals) == 1
        again = PickupReceiver(receiver._means, receiver._pickup)
        for _ in range(2):
            await again.poll()
        monkeypatch.undo()
        assert await again.poll() == 1
    assert {one.transport_id for one in taking.arrivals} == {f"a.edi:{hashlib.sha256(BODY).hexdigest()}"}
    assert {"sent/a.edi", "sent/a.edi.receipt.json"} <= names(place)


async def test_another_host_key_is_not_spoken_to(tmp_path: Path):
    """Whoever answers with another key gets no password, and nothing is fetched from it."""
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    async with pickup(tmp_path, host_key=other) as (receiver, taking, place):
        (place / "a.edi").write_bytes(BODY)
        for _ in range(2):
            with pytest.raises(asyncssh.HostKeyNotVerifiable):
                await receiver.poll()
    assert not taking.arrivals


@pytest.mark.parametrize("name", ["../a.edi", "/etc/a.edi", ".taken-0123456789abcdef-x/a.edi", b"\xff\xfe.edi"])
async def test_names_lead_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str | bytes):
    """What a server calls its files cannot lead out of the folder, and one that is no text keeps no other back."""
    scandir = Files.scandir

    async def list_(self: Files, path: bytes) -> AsyncIterator[Any]:
        listed = [one async for one in scandir(self, path)]
        for one in listed:
            yield one
            yield asyncssh.SFTPName(os.fsencode(name), attrs=one.attrs)

    monkeypatch.setattr(Files, "scandir", list_)
    async with pickup(tmp_path) as (receiver, taking, place):
        (place / "b.edi").write_bytes(BODY)
        for other in (place.parent / "a.edi", place / ".taken-0123456789abcdef-x" / "a.edi"):
            other.parent.mkdir(exist_ok=True)
            other.write_bytes(b"elsewhere")
        await receiver.poll()
        assert await receiver.poll() == 1
    assert [one.filename for one in taking.arrivals] == ["b.edi"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"password": ""}, "either password or key"),
        ({"key": "ours"}, "either password or key"),
        ({"host_key": "ssh-rsa"}, "one line of OpenSSH"),
        ({"host_key": ""}, "at least 1"),
        ({"sent": "failed"}, "two folders"),
    ],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, str], said: str):
    """What a pickup lacks is told when the settings are read; a host key it has in any case."""
    key = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    given = {"partner": "acme", "host": "h", "user": "u", "host_key": key, "password": "p", **changes}
    with pytest.raises(ValidationError, match=said):
        Pickup(**given)


async def test_each_pickup_runs_without_a_server_of_ours(tmp_path: Path):
    """Files are fetched whether or not our own server is open."""
    async with partner(tmp_path) as (given, _):
        one = reading(tmp_path, given)
        assert sftp.TRANSPORT.open_receivers is not None
        opened = sftp.TRANSPORT.open_receivers(replace(means(tmp_path, Taking()), own=SftpSettings(pickups=(one, one))))
    assert [type(receiver) for receiver in opened.values()] == [PickupReceiver, PickupReceiver]
