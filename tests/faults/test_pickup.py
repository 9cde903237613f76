"""kill -9 while a file is fetched from a partner's server: at each step of it nothing is lost, and nothing is kept twice."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.material import declaration, partners
from tests.harness import GatewayProcess
from tests.transports.test_sftp import Files, partner

STEPS = {
    "before it is taken": ("rename", "before"),
    "after it was taken": ("rename", "after"),
    "while it is read": ("read", "after"),
    "after it was kept": ("open_draft", "before"),
    "after its receipt was put there": ("posix_rename", "after"),
    "before it is moved": ("posix_rename_2", "before"),
    "after it was moved": ("posix_rename_2", "after"),
}
"""What the partner's server is asked when the gateway is killed, and whether it does that first."""


class Trap:
    """Kills the gateway once, at one step."""

    def __init__(self, step: str, moment: str) -> None:
        self.step, self.moment = step, moment
        self.gateway: GatewayProcess | None = None
        self.has_sprung = False

    def at(self, step: str, moment: str) -> None:
        if self.gateway is not None and not self.has_sprung and (step, moment) == (self.step, self.moment):
            self.has_sprung = True
            self.gateway.kill()


def set_trap(monkeypatch: pytest.MonkeyPatch, trap: Trap) -> None:
    """The partner's server, with the trap at all steps."""
    moves = 0

    def trapped(name: str, step: Callable[..., str]) -> None:
        original = getattr(Files, name)

        def method(self: Files, *arguments: Any) -> Any:
            told = step(*arguments)
            trap.at(told, "before")
            came = original(self, *arguments)
            trap.at(told, "after")
            return came

        monkeypatch.setattr(Files, name, method)

    def move(*_: Any) -> str:
        nonlocal moves
        moves += 1
        return "posix_rename_2" if moves % 2 == 0 else "posix_rename"

    trapped("rename", lambda *_: "rename")
    trapped("read", lambda *_: "read")
    trapped("posix_rename", move)
    trapped("open", lambda path, *_: "open_draft" if path.endswith(b".part") else "open")


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
async def test_a_kill_loses_and_repeats_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str):
    """Killed at any step, and started again, the gateway has kept the file once, and it stands in `sent` with its receipt."""
    trap = Trap(*STEPS[step])
    set_trap(monkeypatch, trap)
    body = declaration(1)
    async with partner(tmp_path) as (given, place):
        (tmp_path / "password").write_text("theirs")
        (tmp_path / "gateway.toml").write_text(
            "[[transports.sftp.pickups]]\n"
            f'partner = "acme"\nhost = "127.0.0.1"\nport = {given["port"]}\nuser = "gate"\npassword = "sftp"\n'
            f'host_key = "{given["host_key"]}"\nfolder = "/in"\npoll_seconds = 0.1\n'
        )
        shown = (
            f'[[partners.credentials]]\nid = "out"\nkind = "password"\nuse = "out"\nlabel = "sftp"\n'
            f'reference = "file:{tmp_path / "password"}"\n\n'
        )
        known = partners("http://127.0.0.1:9/inbox").replace(
            '[[partners]]\nid = "bureau"', shown + '[[partners]]\nid = "bureau"'
        )
        gateway = GatewayProcess(tmp_path, known, {"GATEWAY_CONFIG": str(tmp_path / "gateway.toml")})
        await asyncio.to_thread(gateway.start)
        trap.gateway = gateway
        (place / "decl-17.edi").write_bytes(body)
        os.utime(place / "decl-17.edi", (1, 1))
        await until(lambda: trap.has_sprung)
        await asyncio.to_thread(gateway.start)
        await until((place / "sent" / "decl-17.edi").exists)
        assert await asyncio.to_thread(gateway.stop) == 0
    assert (place / "sent" / "decl-17.edi").read_bytes() == body
    assert (place / "sent" / "decl-17.edi.receipt.json").read_bytes()
    assert not list(place.glob("*.edi"))
    with sqlite3.connect(tmp_path / "gateway.db") as database:
        kept = database.execute("SELECT partner_id, transport, filename FROM payloads").fetchall()
    assert kept == [("acme", "sftp", "decl-17.edi")]


async def until(there: Callable[[], object]) -> None:
    """Wait for something that the gateway does; the test fails where it does not come."""
    for _ in range(600):
        if there():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it has not come")
