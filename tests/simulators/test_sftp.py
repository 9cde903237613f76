"""The way over SFTP, against a server of the library's own over a folder."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncssh
import pytest

from gateway.simulators import sftp
from gateway.simulators.sftp import Server, Sftp
from gateway.simulators.ways import Arrival, Client, NotTaken
from tests.simulators.test_ways import running, until

HOST_KEY = asyncssh.generate_private_key("ssh-ed25519")
LINE = HOST_KEY.export_public_key("openssh").decode().strip()


class Doorkeeper(asyncssh.SSHServer):
    """Lets one partner in."""

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == ("bureau", "secret")


@asynccontextmanager
async def server(folder: Path, port: int = 0) -> AsyncIterator[int]:
    """A server over `folder`, with the four boxes; gives its port."""
    for box in ("OutBox", "SentBox", "FailBox", "InBox"):
        (folder / box).mkdir(exist_ok=True)
    listening = await asyncssh.listen(
        "127.0.0.1",
        port,
        server_factory=Doorkeeper,
        server_host_keys=[HOST_KEY],
        sftp_factory=lambda chan: asyncssh.SFTPServer(chan, chroot=str(folder).encode()),
        config=None,
    )
    try:
        yield listening.get_port()
    finally:
        listening.close()
        await listening.wait_closed()


def way(port: int, host_key: str = LINE, password: str = "secret") -> Sftp:
    return Sftp(Client("http://127.0.0.1:1", ""), Server(port, host_key, "bureau", password))


def inbox(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "InBox").iterdir())


async def test_what_lies_in_the_inbox_is_fetched_in_order_and_removed(tmp_path: Path) -> None:
    """Files come by the order of their deliveries' ids; one being written is left alone."""
    taken: list[Arrival] = []
    async with server(tmp_path) as port:
        (tmp_path / "InBox" / ".response-03.xml.part").write_bytes(b"half")
        (tmp_path / "InBox" / "customs_entry-02.xml").write_bytes(b"second")
        (tmp_path / "InBox" / "response-01.xml").write_bytes(b"first")
        async with running(way(port), taken.append):
            await until(lambda: inbox(tmp_path) == [".response-03.xml.part"])
    assert taken == [Arrival("01", "response", b"first"), Arrival("02", "customs_entry", b"second")]


async def test_a_delivery_that_comes_again_is_not_handed_on_again(tmp_path: Path) -> None:
    """It is fetched and removed all the same, so that the gateway sees that it is there."""
    taken: list[Arrival] = []
    async with server(tmp_path) as port, running(way(port), taken.append):
        for _ in range(2):
            (tmp_path / "InBox" / "response-01.xml").write_bytes(b"once")
            await until(lambda: inbox(tmp_path) == [])
    assert taken == [Arrival("01", "response", b"once")]


@pytest.mark.parametrize(
    "stranger",
    [
        {"host_key": asyncssh.generate_private_key("ssh-ed25519").export_public_key("openssh").decode().strip()},
        {"password": "other"},
    ],
)
async def test_no_other_server_and_no_other_partner(tmp_path: Path, stranger: dict[str, str]) -> None:
    """Nothing is sent to a server that has another host key, and nothing fetched by who is not let in."""
    taken: list[Arrival] = []
    async with server(tmp_path) as port:
        (tmp_path / "InBox" / "response-01.xml").write_bytes(b"not yours")
        other = way(port, **stranger)
        async with running(other, taken.append):
            with pytest.raises((asyncssh.HostKeyNotVerifiable, asyncssh.PermissionDenied)):
                await other._enter()
    assert taken == []
    assert inbox(tmp_path) == ["response-01.xml"]


async def test_fetching_goes_on_when_the_server_comes_back(tmp_path: Path) -> None:
    """A gateway that is started anew is found again."""
    taken: list[Arrival] = []
    async with server(tmp_path) as port:
        running_way = running(way(port), taken.append)
        await running_way.__aenter__()
        (tmp_path / "InBox" / "response-01.xml").write_bytes(b"before")
        await until(lambda: len(taken) == 1)
    try:
        async with server(tmp_path, port):
            (tmp_path / "InBox" / "response-02.xml").write_bytes(b"after")
            await until(lambda: len(taken) == 2)
    finally:
        await running_way.__aexit__(None, None, None)
    assert [one.body for one in taken] == [b"before", b"after"]


async def test_sending_ends_with_the_receipt_or_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes to SentBox was taken, with its receipt; what comes to FailBox was not."""
    monkeypatch.setattr(sftp, "PATIENCE", 5.0)
    async with server(tmp_path) as port:
        one = way(port)
        sending = asyncio.create_task(one.send("good.edi", b"UNB"))
        await until((tmp_path / "OutBox" / "good.edi").exists)
        (tmp_path / "SentBox" / "good.edi.receipt.json").write_text(json.dumps({"payload": "p"}))
        assert (await sending)["id"] == "p"
        assert (tmp_path / "OutBox" / "good.edi").read_bytes() == b"UNB"
        failing = asyncio.create_task(one.send("bad.edi", b"?"))
        await until((tmp_path / "OutBox" / "bad.edi").exists)
        (tmp_path / "FailBox" / "bad.edi.reason.json").write_text('{"reason": "too large"}')
        with pytest.raises(NotTaken, match="too large"):
            await failing
        one._leave()
