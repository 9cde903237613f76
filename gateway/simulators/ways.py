"""The ways a partner exchanges messages with a gateway: pushed to by HTTP, by folders, or fetching from its inbox.

`webhook`, `sftp`, `mail` and `as2` beside this module hold one more each. Each way hands what comes to one function and sends what the partner has to say; a way knows nothing of
documents. Whatever came before, by its delivery id, is confirmed again and not handed on again.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import aiohttp
from aiohttp import web

PATIENCE = 60.0
"""Seconds for which a partner tries to send to a gateway that is busy or not up yet."""
PAUSE = 0.1
"""Seconds between two looks at a folder, or two tries."""
HANG_SECONDS = 30.0
"""How long a partner that hangs says nothing: longer than an agreement of the demo waits."""


class NotUnderstood(Exception):
    """What came cannot be read; the gateway is told so."""


class NotProven(Exception):
    """What came is not shown to be the gateway's; it is told so, and nothing is kept."""


class NotTaken(Exception):
    """The gateway did not take what was sent."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What came from the gateway."""

    delivery: str
    document: str
    body: bytes


Take = Callable[[Arrival], None]
"""Takes one arrival, once; NotUnderstood where it cannot be read."""


class Way(Protocol):
    """One way to exchange messages."""

    async def run(self, take: Take, ready: Callable[[str], None]) -> None:
        """Hand arrivals to `take` until cancelled; `ready` gets the address to be pushed to, or an empty string."""

    async def send(self, name: str, body: bytes) -> dict[str, Any]:
        """Send a message under a name that makes it the same sending if it is sent again; the gateway's receipt."""

    async def settled(self, receipt: dict[str, Any]) -> None:
        """Wait until the gateway has decided what was sent, where this way can see that."""


class Client:
    """The REST interface as a partner's software uses it."""

    def __init__(self, url: str, key: str) -> None:
        """`key` is the partner's API key."""
        self._url = url
        self._key = key
        self._session: aiohttp.ClientSession | None = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(headers={"Authorization": f"Bearer {self._key}"})
        return self._session

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def post(self, name: str, body: bytes) -> dict[str, Any]:
        """Send one message, again until it is taken; NotTaken where it is refused, or after PATIENCE."""
        identity = hashlib.sha256(name.encode() + b"\0" + body).hexdigest()
        tries = int(PATIENCE / PAUSE)
        for _ in range(tries):
            try:
                async with self._open().post(
                    f"{self._url}/v1/messages", data=body, headers={"Idempotency-Key": identity}
                ) as answer:
                    if answer.status == 202:
                        accepted: dict[str, Any] = await answer.json()
                        return accepted
                    if answer.status not in (429, 503):
                        raise NotTaken(f"{name}: {answer.status} {await answer.text()}")
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(PAUSE)
        raise NotTaken(f"{name}: the gateway did not take it")

    async def get(self, path: str) -> Any:
        """A resource; None where there is none, or the gateway cannot be reached."""
        try:
            async with self._open().get(f"{self._url}{path}") as answer:
                return await answer.json() if answer.status == 200 else None
        except aiohttp.ClientConnectionError:
            return None

    async def read(self, path: str) -> bytes:
        """A document's bytes; while the gateway cannot be reached, as where it is started anew, it is asked again."""
        for _ in range(int(PATIENCE / PAUSE)):
            try:
                async with self._open().get(f"{self._url}{path}") as answer:
                    if answer.status not in (429, 503):
                        answer.raise_for_status()
                        return await answer.read()
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(PAUSE)
        raise NotTaken(f"{path}: the gateway did not give it")

    async def settled(self, payload_id: str) -> None:
        """Wait until a payload has been decided, for PATIENCE at most."""
        for _ in range(int(PATIENCE / PAUSE)):
            found = await self.get(f"/v1/messages/{payload_id}")
            if found is not None and found["state"] != "received":
                return
            await asyncio.sleep(PAUSE)
        raise NotTaken(f"{payload_id}: the gateway did not decide it")


class Pushed:
    """Gets deliveries by POST to an address of its own."""

    def __init__(self, client: Client, port: int, trouble: tuple[str, ...]) -> None:
        """`trouble` is what the first deliveries meet, in turn: `refuse` (503) or `hang` (no answer)."""
        self._client = client
        self._port = port
        self._trouble = list(trouble)
        self._seen: set[str] = set()
        self._take: Take = lambda _: None

    async def run(self, take: Take, ready: Callable[[str], None]) -> None:
        """Serve `/inbox` on loopback until cancelled."""
        self._take = take
        app = web.Application(client_max_size=64 << 20)
        app.router.add_post("/inbox", self._receive)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", self._port).start()
            ready(f"http://127.0.0.1:{runner.addresses[0][1]}/inbox")
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()
            await self._client.close()

    async def _receive(self, request: web.Request) -> web.Response:
        """Take one delivery, and confirm it."""
        body = await request.read()
        if self._trouble:
            if self._trouble.pop(0) == "hang":
                await asyncio.sleep(HANG_SECONDS)
            return web.Response(status=503, text="Not now.")
        try:
            arrival = self.read(request.headers, body)
            if arrival.delivery not in self._seen:
                self._take(arrival)
        except NotProven as error:
            return web.Response(status=401, text=f"Not proven: {error}")
        except NotUnderstood as error:
            return web.Response(status=422, text=f"Not understood: {error}")
        self._seen.add(arrival.delivery)
        return self.confirm(request.headers, body)

    def read(self, headers: Mapping[str, str], body: bytes) -> Arrival:
        """What a request brings. NotProven where it is not the gateway's, NotUnderstood where it cannot be read."""
        return Arrival(headers.get("Idempotency-Key", ""), headers.get("Gateway-Document", ""), body)

    def confirm(self, _headers: Mapping[str, str], body: bytes) -> web.Response:
        """What is answered to a request that was taken: the digest of what arrived."""
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        return web.Response(headers={"Received-Digest": f"sha-256=:{digest}:"})

    async def send(self, name: str, body: bytes) -> dict[str, Any]:
        """POST it."""
        return await self._client.post(name, body)

    async def settled(self, receipt: dict[str, Any]) -> None:
        """Ask until the gateway has decided."""
        await self._client.settled(receipt["id"])


class Fetching:
    """Has no address of its own: it waits at its inbox feed, as software behind a firewall does."""

    def __init__(self, client: Client) -> None:
        """All goes by the REST interface."""
        self._client = client

    async def run(self, take: Take, ready: Callable[[str], None]) -> None:
        """Read the inbox feed by long poll until cancelled."""
        ready("")
        after = ""
        try:
            while True:
                page = await self._client.get(f"/v1/feeds/inbox?wait=5&after={after}")
                if page is None:
                    await asyncio.sleep(PAUSE)
                    continue
                for entry in page["items"]:
                    body = await self._client.read(entry["link"])
                    take(Arrival(entry["document_id"], entry["document"], body))
                after = page["next"]
        finally:
            await self._client.close()

    async def send(self, name: str, body: bytes) -> dict[str, Any]:
        """POST it."""
        return await self._client.post(name, body)

    async def settled(self, receipt: dict[str, Any]) -> None:
        """Ask until the gateway has decided."""
        await self._client.settled(receipt["id"])


class Folders:
    """Exchanges files: OutBox to the gateway, SentBox or FailBox back, InBox from the gateway."""

    def __init__(self, folder: Path) -> None:
        """`folder` holds the four boxes."""
        self._folder = folder

    async def run(self, take: Take, ready: Callable[[str], None]) -> None:
        """Look into InBox until cancelled."""
        inbox = self._folder / "InBox"
        inbox.mkdir(parents=True, exist_ok=True)
        ready("")
        seen: set[str] = set()
        while True:
            # What the gateway is still writing begins with a dot, and has another name in a moment.
            there = [path for path in inbox.iterdir() if not path.name.startswith(".")]
            for path in sorted(there, key=lambda p: p.stat().st_mtime_ns):
                if path.name in seen:
                    continue
                seen.add(path.name)
                document, _, delivery = path.stem.rpartition("-")
                take(Arrival(delivery, document, path.read_bytes()))
            await asyncio.sleep(PAUSE)

    async def send(self, name: str, body: bytes) -> dict[str, Any]:
        """Write it into OutBox, and wait until it stands in SentBox with its receipt."""
        outbox = self._folder / "OutBox"
        outbox.mkdir(parents=True, exist_ok=True)
        unfinished = outbox / f"{name}.tmp"
        unfinished.write_bytes(body)
        unfinished.rename(outbox / name)
        receipt = self._folder / "SentBox" / f"{name}.receipt.json"
        refusal = self._folder / "FailBox" / f"{name}.reason.json"
        for _ in range(int(PATIENCE / PAUSE)):
            if refusal.exists():
                raise NotTaken(f"{name}: {refusal.read_text('utf-8')}")
            if receipt.exists():
                said: dict[str, Any] = json.loads(receipt.read_bytes())
                return {"id": said["payload"], "receipt": said}
            await asyncio.sleep(PAUSE)
        raise NotTaken(f"{name}: the gateway did not take it")

    async def settled(self, receipt: dict[str, Any]) -> None:
        """A folder does not show what was decided."""
