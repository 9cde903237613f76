"""The way of a partner that comes to the gateway's SFTP server: it puts what it sends into OutBox, and fetches from InBox.

It knows the server by its host key, and logs in by its API key.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import asyncssh

from gateway.simulators.ways import PATIENCE, PAUSE, Arrival, Client, NotTaken, Take

_AWAY = 0.5
"""Seconds before the server is tried again that is away, or does not know the partner yet."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where the gateway's SFTP server is, and as whom to come to it."""

    port: int
    host_key: str
    """One line of OpenSSH; no other server is spoken to."""
    user: str
    password: str
    host: str = "127.0.0.1"


class Sftp:
    """Exchanges files over SFTP, in the four boxes that `Folders` uses on a shared disk."""

    def __init__(self, client: Client, server: Server) -> None:
        """`client` asks what was decided of what was sent, which no file tells."""
        self._client = client
        self._server = server
        self._connection: asyncssh.SSHClientConnection | None = None
        self._session: asyncssh.SFTPClient | None = None
        self._connecting = asyncio.Lock()

    async def run(self, take: Take, ready: Callable[[str], None]) -> None:
        """Fetch what stands in InBox until cancelled, each once it was taken removed."""
        ready("")
        seen: set[str] = set()
        try:
            while True:
                try:
                    await self._fetch(take, seen)
                except (asyncssh.Error, OSError):
                    self._leave()
                    await asyncio.sleep(_AWAY)
                await asyncio.sleep(PAUSE)
        finally:
            self._leave()
            await self._client.close()

    async def _fetch(self, take: Take, seen: set[str]) -> None:
        session = await self._enter()
        there = [str(name) for name in await session.listdir("InBox") if not str(name).startswith(".")]
        # The ids of deliveries begin with their moment: that is their order.
        for name in sorted(there, key=_delivery_of):
            document, delivery = name.rpartition("-")[0], _delivery_of(name)
            body = await _read(session, f"InBox/{name}")
            if delivery not in seen:
                seen.add(delivery)
                take(Arrival(delivery, document, body))
            await session.remove(f"InBox/{name}")

    async def _enter(self) -> asyncssh.SFTPClient:
        """The session with the server, opened where there is none."""
        async with self._connecting:
            if self._session is None:
                server = self._server
                self._connection = await asyncssh.connect(
                    server.host,
                    server.port,
                    username=server.user,
                    password=server.password,
                    known_hosts=([asyncssh.import_public_key(server.host_key)], [], []),
                    client_keys=None,
                    agent_path=None,
                    config=None,
                )
                self._session = await self._connection.start_sftp_client()
            return self._session

    def _leave(self) -> None:
        """End the session."""
        if self._connection is not None:
            self._connection.abort()
        self._connection = self._session = None

    async def send(self, name: str, body: bytes) -> dict[str, Any]:
        """Put it into OutBox, and wait until it stands in SentBox with its receipt."""
        put = False
        for _ in range(int(PATIENCE / PAUSE)):
            try:
                session = await self._enter()
                if not put:
                    # A file is finished once it is closed: until then it has no name there.
                    async with session.open(f"OutBox/{name}", "wb") as file:
                        await file.write(body)
                    put = True
                if await session.exists(f"FailBox/{name}.reason.json"):
                    raise NotTaken(f"{name}: {(await _read(session, f'FailBox/{name}.reason.json')).decode()}")
                if await session.exists(f"SentBox/{name}.receipt.json"):
                    said = json.loads(await _read(session, f"SentBox/{name}.receipt.json"))
                    return {"id": said["payload"], "receipt": said}
            except (asyncssh.Error, OSError):
                self._leave()
            await asyncio.sleep(PAUSE)
        raise NotTaken(f"{name}: the gateway did not take it")

    async def settled(self, receipt: dict[str, Any]) -> None:
        """Ask over REST until the gateway has decided."""
        await self._client.settled(receipt["id"])


async def _read(session: asyncssh.SFTPClient, path: str) -> bytes:
    async with session.open(path, "rb") as file:
        body = await file.read()
    assert isinstance(body, bytes), "it is opened for bytes"
    return body


def _delivery_of(name: str) -> str:
    """The delivery's id, of a file that is called `<document>-<id>.<extension>`."""
    return name.rpartition("-")[2].partition(".")[0]
