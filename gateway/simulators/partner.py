"""A simulated partner: a process of its own with an HTTP inbox, a key for the gateway, and a role.

The prefix of a document's test number decides how it is answered, so that an integrator can provoke
every case: ACC accept, REV accept after review, REJ refuse, MIS answer with data that does not match,
SIL stay silent. The test number is the contract number, which every document of a consignment carries.
Anything else is accepted.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from gateway.simulators.readers import Values, summary

TRIES = 40
"""How often a message is sent to a gateway that is busy or not up yet, a quarter of a second apart."""


class Behaviour(Enum):
    """What a test number's prefix asks for."""

    ACCEPT = "ACC"
    REVIEW = "REV"
    REJECT = "REJ"
    MISMATCH = "MIS"
    SILENCE = "SIL"


def behaviour(test_number: str) -> Behaviour:
    """The behaviour that the prefix of `test_number` asks for; ACCEPT where it asks for none."""
    return next((b for b in Behaviour if test_number.upper().startswith(b.value)), Behaviour.ACCEPT)


@dataclass(frozen=True, slots=True)
class Settings:
    """How one partner is set up; read from its JSON file."""

    name: str
    role: str
    gateway: str
    key: str
    port: int
    folder: Path
    organisation: str = ""
    trouble: tuple[str, ...] = ()
    """What the first deliveries meet, in turn: `refuse` (503) or `hang` (no answer)."""
    options: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Settings:
        """The settings in a JSON file."""
        values = json.loads(path.read_text("utf-8"))
        return cls(**{**values, "folder": Path(values["folder"]), "trouble": tuple(values.get("trouble", ()))})


Answer = Callable[["Partner", Values], Coroutine[Any, Any, None]]
"""What a role does with a message it has read."""


class Partner:
    """Receives deliveries, keeps each once, and lets its role answer."""

    def __init__(self, settings: Settings, answer: Answer) -> None:
        """`answer` is called once for every distinct delivery."""
        self.settings = settings
        self._answer = answer
        self._seen: set[str] = set()
        self._trouble = list(settings.trouble)
        self._session: aiohttp.ClientSession | None = None
        self._work: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Serve until the process is ended."""
        app = web.Application(client_max_size=64 << 20)
        app.router.add_post("/inbox", self._receive)
        app.router.add_get("/healthz", self._healthy)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {self.settings.key}"}) as session:
            self._session = session
            await web.TCPSite(runner, "127.0.0.1", self.settings.port).start()
            await asyncio.Event().wait()

    async def _healthy(self, _: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def _receive(self, request: web.Request) -> web.Response:
        """Take one delivery: a repeat is confirmed again and not acted on."""
        body = await request.read()
        if self._trouble:
            match self._trouble.pop(0):
                case "hang":
                    await asyncio.sleep(30)
                case _:
                    return web.Response(status=503, text="Not now.")
        delivery = request.headers.get("Idempotency-Key", "")
        digest = hashlib.sha256(body).digest()
        confirmed = {"Received-Digest": f"sha-256=:{base64.b64encode(digest).decode()}:"}
        if delivery in self._seen:
            return web.Response(headers=confirmed)
        try:
            values = summary(body)
        except (ValueError, KeyError, IndexError) as error:
            return web.Response(status=422, text=f"Not understood: {error}")
        self._seen.add(delivery)
        document = request.headers.get("Gateway-Document", "message")
        self.keep("inbox", f"{len(self._seen):03}-{document}-{delivery[:8]}", body)
        task = asyncio.create_task(self._answer(self, {**values, "document_type": document}))
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return web.Response(headers=confirmed)

    def keep(self, box: str, name: str, body: bytes) -> Path:
        """Write `body` where a person can look at it."""
        head = body.lstrip()[:3]
        kind = "edi" if head in (b"UNA", b"UNB") else "x12" if head == b"ISA" else "xml" if head[:1] == b"<" else "json"
        path = self.settings.folder / box / f"{name}.{kind}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        return path

    async def send(self, name: str, body: bytes) -> dict[str, Any]:
        """Send one message to the gateway, again until it is taken; returns the gateway's answer."""
        assert self._session is not None, "a partner sends while it runs"
        self.keep("sent", name, body)
        identity = hashlib.sha256(body + name.encode()).hexdigest()
        for _ in range(TRIES):
            try:
                async with self._session.post(
                    f"{self.settings.gateway}/v1/messages", data=body, headers={"Idempotency-Key": identity}
                ) as answer:
                    if answer.status == 202:
                        accepted: dict[str, Any] = await answer.json()
                        self.keep("receipts", name, json.dumps(accepted, ensure_ascii=False).encode())
                        return accepted
                    if answer.status not in (429, 503):
                        raise RuntimeError(f"{name}: {answer.status} {await answer.text()}")
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.25)
        raise RuntimeError(f"{name}: the gateway did not take it")

    async def get(self, path: str) -> Any:
        """Read a resource of the gateway; None where it is not there."""
        assert self._session is not None, "a partner asks while it runs"
        async with self._session.get(f"{self.settings.gateway}{path}") as answer:
            return await answer.json() if answer.status == 200 else None

    async def send_json(self, name: str, document_type: str, document: dict[str, Any]) -> dict[str, Any]:
        """Send a document as JSON, under a reference made of its name."""
        message = {
            "format": f"json:{document_type}:1",
            "reference": name[:35],
            "document": {k: v for k, v in document.items() if v not in (None, "", [])},
        }
        return await self.send(name, json.dumps(message, ensure_ascii=False).encode())
