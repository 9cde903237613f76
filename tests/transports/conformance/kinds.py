"""How each transport is examined: its declaration, what a partner at its other end does, and how one sends over it.

A transport joins the suite by one `Kind` in KINDS; pull does not, by which nothing is sent to anybody (tests/web/test_exchange
examines it). What a partner cannot say over it (a folder does not refuse) is left
out of `outcomes`, and of a transport that only sends there is no inlet.
"""

from __future__ import annotations

import asyncio
import base64
import email
import json
import os
import socket
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import aiosmtplib
import asyncssh
from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.config import Settings
from gateway.model import Credential, CredentialKind, CredentialUse, Partner, Role
from gateway.registry.credentials import choose
from gateway.registry.directory import Directory
from gateway.registry.keys import hash_key
from gateway.store.contract import Accepted
from gateway.transports import as2, folder, http, sftp, smtp, webhook, webhook_signing
from gateway.transports.base import Arrival, Intake, Sender
from gateway.transports.plugin import Means, Transport
from gateway.transports.smtp_settings import SmtpSettings
from gateway.transports.spool import Spool
from tests.transports import courier

PARTNER = "acme"
DELIVERED, DEFERRED, REFUSED, AWAITING = "delivered", "deferred", "refused", "awaiting"


class PeerEnd(Protocol):
    """A partner to whom is sent."""

    options: Mapping[str, str]
    """What its agreement says."""

    def answer(self, outcome: str) -> None:
        """Let whatever comes from now on have this outcome."""

    def got(self) -> list[tuple[str, bytes]]:
        """What has come to it whole and was taken, each under the id by which it can tell a repeat."""


class Inlet(Protocol):
    """A partner who sends."""

    async def put(self, id_: str, body: bytes) -> None:
        """Hand over some bytes under an id; does not wait for the answer."""

    def acknowledged(self, id_: str) -> bool:
        """Whether the gateway has said anything positive about the last sending under that id."""

    async def stop(self) -> None:
        """End what receives, as the gateway does when it stops."""

    async def start(self) -> None:
        """Begin to receive again, as the next process does."""


@dataclass(frozen=True)
class Kind:
    """A transport under examination."""

    transport: Transport
    wrong: tuple[tuple[Mapping[str, str], str], ...]
    """Options that are refused, each with what the refusal names."""
    outcomes: frozenset[str]
    """What a partner can make a sending come to."""
    peer: Callable[[Path], AbstractAsyncContextManager[PeerEnd]]
    sender: Callable[[], Sender]
    inlet: Callable[[Settings, Intake, Path], AbstractAsyncContextManager[Inlet]] | None
    most: int = 16 << 20
    """Bytes of the largest body that is sent over it: 16 MiB are far more than sockets and pipes hold."""
    spools: bool = True
    """Whether what is large comes in a file."""

    def __str__(self) -> str:
        return self.transport.name


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


async def confirm_nothing(*_: object) -> None:
    """For inlets over which nothing is confirmed."""
    raise AssertionError("nothing is confirmed here")


class MemoryReplies:
    """What partners were answered, until the test ends."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], bytes] = {}

    async def find(self, partner_id: str, transport_id: str) -> bytes | None:
        return self._kept.get((partner_id, transport_id))

    async def keep(self, partner_id: str, transport_id: str, reply: bytes) -> bytes:
        return self._kept.setdefault((partner_id, transport_id), reply)


def means_of(settings: Settings, own: object, intake: Intake) -> Means:
    """What the gateway would give a transport; nothing is looked up in the registry here."""
    return Means(settings, own, intake, Spool(settings), Directory(None), confirm_nothing, MemoryReplies())  # type: ignore[arg-type]


# HTTP.


@dataclass
class HttpPeer:
    """An inbox that answers as it is told."""

    options: Mapping[str, str] = field(default_factory=dict)
    status: int = 200
    taken: list[tuple[str, bytes]] = field(default_factory=list)

    def answer(self, outcome: str) -> None:
        self.status = {DELIVERED: 200, DEFERRED: 503, REFUSED: 422}[outcome]

    def got(self) -> list[tuple[str, bytes]]:
        return self.taken

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        assert request.content_length == len(body), (
            "recipients may refuse a body whose length is not said (RFC 9110, 411)"
        )
        if self.status == 200:
            self.taken.append((request.headers["Idempotency-Key"], body))
        return web.Response(status=self.status)


@asynccontextmanager
async def http_peer(_folder: Path) -> AsyncIterator[HttpPeer]:
    peer = HttpPeer()
    async with served("/in", peer.handle, free_port()) as url:
        peer.options = {"url": url}
        yield peer


# Webhooks.


class WebhookPeer(HttpPeer):
    """An endpoint that takes events, verifies them, and answers as it is told."""

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        names = ("webhook-id", "webhook-timestamp", "webhook-signature")
        id_, timestamp, signatures = (request.headers[name] for name in names)
        fault = webhook_signing.verify([WEBHOOK_KEY.public_key()], [], id_, timestamp, body, signatures, time.time())
        assert not fault, fault
        if 200 <= self.status < 300:
            data = json.loads(body)["data"]
            self.taken.append((data["delivery"], base64.b64decode(data["content_base64"])))
        return web.Response(status=self.status)


WEBHOOK_KEY = Ed25519PrivateKey.generate()


@asynccontextmanager
async def webhook_peer(_folder: Path) -> AsyncIterator[HttpPeer]:
    peer = WebhookPeer()
    async with served("/in", peer.handle, free_port()) as url:
        peer.options = {"url": url}
        yield peer


def webhook_sender() -> Sender:
    os.environ["CONFORMANCE_WEBHOOK_KEY"] = webhook_signing.write_private(WEBHOOK_KEY)
    own = webhook.WebhookSettings(keys=("env:CONFORMANCE_WEBHOOK_KEY",))
    return webhook.WebhookSender(means_of(Settings(), own, confirm_nothing), allow_private=True)  # type: ignore[arg-type]


@asynccontextmanager
async def served(path: str, handler: Callable[[web.Request], object], port: int) -> AsyncIterator[str]:
    app = web.Application(client_max_size=1 << 30)
    app.router.add_post(path, handler)  # type: ignore[arg-type]
    runner = web.AppRunner(app, shutdown_timeout=0.05)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield f"http://127.0.0.1:{port}{path}"
    finally:
        await runner.cleanup()


class Posting:
    """Posts, each in a task of its own, to a server that can be stopped and started again."""

    def __init__(self, settings: Settings, intake: Intake) -> None:
        self._spool, self._intake = Spool(settings), intake
        self._port = free_port()
        self._answers: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: AbstractAsyncContextManager[str] | None = None
        self._url = ""

    async def start(self) -> None:
        async def handle(request: web.Request) -> web.Response:
            try:
                key = Credential("k", PARTNER, "hash")
                return http.answer_accepted(*await http.receive(request, key, self._intake, self._spool))
            except Exception as error:  # noqa: BLE001 -- the REST interface words them
                return web.Response(status=500, text=type(error).__name__)

        self._server = served("/v1/messages", handle, self._port)
        self._url = await self._server.__aenter__()

    async def stop(self) -> None:
        assert self._server is not None
        await self._server.__aexit__(None, None, None)

    async def put(self, id_: str, body: bytes) -> None:
        self._answers.pop(id_, None)
        task = asyncio.create_task(self._post(id_, body))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _post(self, id_: str, body: bytes) -> None:
        with suppress(aiohttp.ClientError):
            async with aiohttp.ClientSession() as session:
                headers = {"Idempotency-Key": id_}
                async with session.post(self._url, data=pieces(body), headers=headers) as answer:
                    self._answers[id_] = answer.status

    def acknowledged(self, id_: str) -> bool:
        return 200 <= self._answers.get(id_, 0) < 300

    async def close(self) -> None:
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 65_536):
        yield body[start : start + 65_536]


@asynccontextmanager
async def http_inlet(settings: Settings, intake: Intake, _folder: Path) -> AsyncIterator[Posting]:
    inlet = Posting(settings, intake)
    await inlet.start()
    yield inlet
    await inlet.stop()
    await inlet.close()


# Folders.


@dataclass
class FolderPeer:
    """A folder into which deliveries are written; it defers while a file stands where its InBox would be."""

    folder: Path
    options: Mapping[str, str] = field(default_factory=dict)

    def answer(self, outcome: str) -> None:
        inbox = self.folder / "InBox"
        if outcome == DEFERRED:
            inbox.write_bytes(b"in the way")
        elif inbox.is_file():
            inbox.unlink()
        self.options = {} if outcome == REFUSED else {"folder": str(self.folder)}

    def got(self) -> list[tuple[str, bytes]]:
        inbox = self.folder / "InBox"
        files = sorted(inbox.iterdir()) if inbox.is_dir() else []
        return [(file.stem.rpartition("-")[2], file.read_bytes()) for file in files]


@asynccontextmanager
async def folder_peer(place: Path) -> AsyncIterator[FolderPeer]:
    (place / "out").mkdir()
    yield FolderPeer(place / "out", {"folder": str(place / "out")})


class Dropping:
    """Leaves files in an OutBox, and looks for their receipts in SentBox."""

    def __init__(self, settings: Settings, intake: Intake, place: Path) -> None:
        self._place = place / "watched"
        watched = folder.Watched(path=self._place, partner=PARTNER)
        own = folder.FolderSettings(poll_seconds=0.01, watched=(watched,))
        self._means = means_of(settings, own, intake)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        assert folder.TRANSPORT.open_receivers is not None
        receivers = folder.TRANSPORT.open_receivers(self._means)
        self._tasks = [asyncio.create_task(one.run()) for one in receivers.values()]
        while not (self._place / "OutBox").exists():  # noqa: ASYNC110 -- the receiver sets no event
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def put(self, id_: str, body: bytes) -> None:
        for name in (id_, f"{id_}.receipt.json"):
            (self._place / "SentBox" / name).unlink(missing_ok=True)
        (self._place / f"{id_}.tmp").write_bytes(body)
        (self._place / f"{id_}.tmp").rename(self._place / "OutBox" / id_)

    def acknowledged(self, id_: str) -> bool:
        return any((self._place / "SentBox" / name).exists() for name in (id_, f"{id_}.receipt.json"))


@asynccontextmanager
async def folder_inlet(settings: Settings, intake: Intake, place: Path) -> AsyncIterator[Dropping]:
    inlet = Dropping(settings, intake, place)
    await inlet.start()
    yield inlet
    await inlet.stop()


# The transport of a package of its own.


@dataclass
class CourierPeer:
    """A partner that listens for frames."""

    options: Mapping[str, str] = field(default_factory=dict)
    word: bytes = b"OK"
    taken: list[tuple[str, bytes]] = field(default_factory=list)

    def answer(self, outcome: str) -> None:
        self.word = {DELIVERED: b"OK", DEFERRED: b"LATER", REFUSED: b"NEVER", AWAITING: b"WAIT 60"}[outcome]

    def got(self) -> list[tuple[str, bytes]]:
        return self.taken

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, id_, size = (await reader.readline()).decode().split()
        body = await reader.readexactly(int(size))
        if self.word in {b"OK", b"WAIT 60"}:
            self.taken.append((id_, body))
        writer.write(self.word + b"\n")
        writer.close()


@asynccontextmanager
async def courier_peer(_folder: Path) -> AsyncIterator[CourierPeer]:
    peer = CourierPeer()
    server = await asyncio.start_server(peer.handle, "127.0.0.1", 0)
    peer.options = {"host": "127.0.0.1", "port": str(server.sockets[0].getsockname()[1])}
    async with server:
        yield peer


class Framing:
    """Sends frames, each over a connection of its own, to a receiver that can be stopped and started again."""

    def __init__(self, settings: Settings, intake: Intake) -> None:
        self._port = free_port()
        own = courier.CourierSettings(port=self._port, partner=PARTNER)
        self._means = means_of(settings, own, intake)
        self._answers: dict[str, bytes] = {}
        self._running: list[asyncio.Task[None]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._running = [asyncio.create_task(one.run()) for one in courier.open_receivers(self._means).values()]
        while True:
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self._port)
                writer.close()
                return
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def put(self, id_: str, body: bytes) -> None:
        self._answers.pop(id_, None)
        task = asyncio.create_task(self._send(id_, body))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, id_: str, body: bytes) -> None:
        with suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            writer.write(b"PUT %s %d\n" % (id_.encode(), len(body)) + body)
            self._answers[id_] = await reader.readline()
            writer.close()

    def acknowledged(self, id_: str) -> bool:
        return self._answers.get(id_, b"").startswith(b"OK")


@asynccontextmanager
async def courier_inlet(settings: Settings, intake: Intake, _folder: Path) -> AsyncIterator[Framing]:
    inlet = Framing(settings, intake)
    await inlet.start()
    yield inlet
    await inlet.stop()


# Mail.


@dataclass
class MailPeer:
    """A mail server that answers as it is told."""

    options: Mapping[str, str] = field(default_factory=dict)
    word: str = "250 OK"
    taken: list[tuple[str, bytes]] = field(default_factory=list)

    def answer(self, outcome: str) -> None:
        self.word = {
            DELIVERED: "250 2.0.0 OK: queued as 4bX",
            DEFERRED: "451 4.7.1 Greylisted",
            REFUSED: "554 5.6.0 Never",
        }[outcome]

    def got(self) -> list[tuple[str, bytes]]:
        return self.taken

    async def handle_DATA(self, _server: object, _session: object, envelope: Envelope) -> str:  # noqa: N802
        if self.word.startswith("250"):
            assert isinstance(envelope.content, bytes)
            mail = await asyncio.to_thread(email.message_from_bytes, envelope.content)
            content = mail.get_payload(decode=True)
            assert isinstance(content, bytes)
            self.taken.append((mail["Message-ID"].strip("<>").partition("@")[0], content))
        return self.word


@asynccontextmanager
async def mail_peer(_folder: Path) -> AsyncIterator[MailPeer]:
    """A mail server in a thread of its own, as the partner's is on a machine of its own."""
    peer = MailPeer()
    begun: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[object], int]] = Future()

    async def listen() -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        server = await loop.create_server(
            lambda: SMTP(peer, hostname="mail.example", data_size_limit=1 << 27, loop=loop), "127.0.0.1", 0
        )
        begun.set_result((loop, task, server.sockets[0].getsockname()[1]))
        async with server:
            with suppress(asyncio.CancelledError):
                await server.serve_forever()

    thread = threading.Thread(target=lambda: asyncio.run(listen()))
    thread.start()
    loop, task, port = await asyncio.wrap_future(begun)
    peer.options = {"to": "in@acme.example", "host": "127.0.0.1", "port": str(port), "security": "none"}
    try:
        yield peer
    finally:
        loop.call_soon_threadsafe(task.cancel)
        await asyncio.to_thread(thread.join)


class OneKey(Directory):
    """A registry with one partner, its key, and certificates and an address where it has them."""

    def __init__(self, partner: Partner, key: Credential, more: Sequence[Credential] = (), address: str = "") -> None:
        super().__init__(None)  # type: ignore[arg-type]
        self._partner, self._key, self._more, self._address = partner, key, more, address

    async def partner_by(self, scheme: str, value: str) -> Partner | None:
        return self._partner if (scheme, value) == ("smtp", self._address) else None

    async def credentials(
        self, partner_id: str, kind: CredentialKind, use: CredentialUse, now: datetime, label: str = ""
    ) -> Sequence[Credential]:
        assert partner_id == self._partner.id
        return choose(self._more, kind, use, now, label)

    async def shown_credential(self, hash_: str) -> Credential | None:
        return self._key if hash_ == self._key.hash else None

    async def partner(self, _partner_id: str) -> Partner:
        return self._partner


class Mailing:
    """Mails, each over a connection of its own, to a mailbox that can be stopped and started again."""

    def __init__(self, settings: Settings, intake: Intake) -> None:
        own = SmtpSettings(listen_port=free_port(), mailbox="in@gateway.example", plain_login=True)
        key = Credential("k", PARTNER, hash_key("gwk_mail"))
        registry = OneKey(Partner(PARTNER, "Acme", frozenset({Role.ENTERPRISE})), key)
        self._port = own.listen_port
        self._means = replace(means_of(settings, own, intake), registry=registry)
        self._running: list[asyncio.Task[None]] = []
        self._answers: dict[str, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        assert smtp.TRANSPORT.open_receivers is not None
        self._running = [asyncio.create_task(one.run()) for one in smtp.TRANSPORT.open_receivers(self._means).values()]
        await asyncio.sleep(0.02)

    async def stop(self) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def put(self, id_: str, body: bytes) -> None:
        self._answers.pop(id_, None)
        task = asyncio.create_task(self._send(id_, body))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, id_: str, body: bytes) -> None:
        mail = (
            f"Message-ID: <{id_}@acme.example>\r\nMIME-Version: 1.0\r\nContent-Type: application/edifact\r\n"
            "Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=a.edi\r\n\r\n"
        ).encode() + base64.encodebytes(body).replace(b"\n", b"\r\n")
        with suppress(aiosmtplib.SMTPException, OSError):
            client = aiosmtplib.SMTP(
                hostname="127.0.0.1", port=self._port, start_tls=False, username=PARTNER, password="gwk_mail"
            )
            async with client:
                _, self._answers[id_] = await client.sendmail("out@acme.example", ["in@gateway.example"], mail)

    def acknowledged(self, id_: str) -> bool:
        return "Kept as" in self._answers.get(id_, "")

    async def close(self) -> None:
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def mail_inlet(settings: Settings, intake: Intake, _folder: Path) -> AsyncIterator[Mailing]:
    inlet = Mailing(settings, intake)
    await inlet.start()
    yield inlet
    await inlet.stop()
    await inlet.close()


# AS2.


@dataclass
class As2Peer:
    """A partner's AS2 server, which answers with MDNs."""

    inbox: Any
    options: Mapping[str, str] = field(default_factory=dict)

    def answer(self, outcome: str) -> None:
        self.inbox.status = 503 if outcome == DEFERRED else 200
        self.inbox.disposition = "error: decryption-failed" if outcome == REFUSED else "processed"
        self.options = self.inbox.options | ({"mode": "async"} if outcome == AWAITING else {})

    def got(self) -> list[tuple[str, bytes]]:
        taken: list[tuple[str, bytes]] = self.inbox.taken
        return taken


@asynccontextmanager
async def as2_peer(_folder: Path) -> AsyncIterator[As2Peer]:
    from tests.transports.as2_partner import inbox  # it takes the means of this module

    async with inbox() as one:
        yield As2Peer(one, one.options)


async def take_nothing(_arrival: Arrival) -> Accepted:
    """For senders."""
    raise AssertionError("nothing comes in here")


def as2_sender() -> Sender:
    from tests.transports.as2_partner import means

    return as2.As2Sender(means(Path(tempfile.mkdtemp()), take_nothing), allow_private=True)


class As2Posting(Posting):
    """Posts signed and encrypted messages, each in a task of its own."""

    def __init__(self, settings: Settings, intake: Intake, place: Path) -> None:
        from tests.transports.as2_partner import means

        super().__init__(settings, intake)
        self._means = replace(means(place / "keys", intake), spool=Spool(settings), settings=settings)

    async def start(self) -> None:
        from tests.transports.as2_partner import endpoint

        self._server = endpoint(self._means, self._port)
        self._url = await self._server.__aenter__()

    async def _post(self, id_: str, body: bytes) -> None:
        from tests.transports.as2_partner import make, post

        made = await asyncio.to_thread(make, body)
        with suppress(aiohttp.ClientError):
            status, _, said = await post(self._url, made, f"<{id_}@acme>")
            self._answers[id_] = status if b"MDN-sent-automatically; processed\r\n" in said else 500


@asynccontextmanager
async def as2_inlet(settings: Settings, intake: Intake, place: Path) -> AsyncIterator[Posting]:
    inlet = As2Posting(settings, intake, place)
    await inlet.start()
    yield inlet
    await inlet.stop()
    await inlet.close()


# SFTP.


@dataclass
class SftpPeer:
    """A partner's server; it defers while a folder stands where its inbox would be."""

    folder: Path
    options: Mapping[str, str] = field(default_factory=dict)

    def answer(self, outcome: str) -> None:
        if outcome == DEFERRED and self.folder.exists():
            self.folder.rename(self.folder.with_name("away"))
        elif outcome == DELIVERED and not self.folder.exists():
            self.folder.with_name("away").rename(self.folder)

    def got(self) -> list[tuple[str, bytes]]:
        files = sorted(self.folder.iterdir()) if self.folder.exists() else []
        return [(file.stem.rpartition("-")[2], file.read_bytes()) for file in files]


@asynccontextmanager
async def sftp_peer(place: Path) -> AsyncIterator[SftpPeer]:
    from tests.transports.test_sftp import partner

    async with partner(place) as (options, folder):
        yield SftpPeer(folder, options)


def sftp_sender() -> Sender:
    from tests.transports.test_sftp import sender

    return sender(Path(tempfile.mkdtemp()))


class Uploading:
    """Uploads to our server, and looks for the receipts in SentBox."""

    def __init__(self, settings: Settings, intake: Intake, place: Path) -> None:
        from tests.transports.test_sftp import Known

        self._root = place / "sftp"
        own = sftp.SftpSettings(
            listen_port=free_port(), folder=self._root, host_key_file=place / "host.key", poll_seconds=0.01
        )
        self._port = own.listen_port
        self._means = replace(means_of(settings, own, intake), registry=Known())
        self._running: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        assert sftp.TRANSPORT.open_receivers is not None
        self._running = [asyncio.create_task(one.run()) for one in sftp.TRANSPORT.open_receivers(self._means).values()]
        while True:
            with suppress(OSError):
                (await asyncio.open_connection("127.0.0.1", self._port))[1].close()
                return
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def put(self, id_: str, body: bytes) -> None:
        for name in (id_, f"{id_}.receipt.json"):
            (self._box("SentBox") / name).unlink(missing_ok=True)
        async with (
            asyncssh.connect(
                "127.0.0.1",
                self._port,
                username=PARTNER,
                password="hush",
                client_keys=None,
                known_hosts=None,
                config=None,
            ) as connection,
            connection.start_sftp_client() as client,
            client.open(f"/OutBox/{id_}", "wb") as file,
        ):
            await file.write(body)

    def acknowledged(self, id_: str) -> bool:
        return any((self._box("SentBox") / name).exists() for name in (id_, f"{id_}.receipt.json"))

    def _box(self, name: str) -> Path:
        return sftp.folder_of(self._root, PARTNER, test=False) / name


@asynccontextmanager
async def sftp_inlet(settings: Settings, intake: Intake, place: Path) -> AsyncIterator[Uploading]:
    inlet = Uploading(settings, intake, place)
    await inlet.start()
    yield inlet
    await inlet.stop()


KINDS = (
    Kind(
        sftp.TRANSPORT,
        wrong=(
            ({"host": "h"}, "host needs"),
            ({"host": "h", "user": "u", "host_key": "ssh-ed25519 no", "password": "p"}, "options.host_key"),
            ({"user": "u"}, "those of host"),
            ({"port": "far"}, "options.port"),
            ({"url": "x"}, "url is no option"),
        ),
        outcomes=frozenset({DELIVERED, DEFERRED}),
        peer=sftp_peer,
        sender=sftp_sender,
        inlet=sftp_inlet,
    ),
    Kind(
        as2.TRANSPORT,
        wrong=(
            ({}, "url"),
            ({"url": "https://acme.example/as2"}, "to"),
            ({"url": "https://acme.example/as2", "to": 'a"b'}, "options.to"),
            ({"url": "https://acme.example/as2", "to": "acme", "sign": "sha1"}, "options.sign"),
            ({"url": "https://acme.example/as2", "to": "acme", "encrypt": "3des"}, "options.encrypt"),
            ({"url": "https://acme.example/as2", "to": "acme", "cc": "x"}, "cc is no option"),
        ),
        outcomes=frozenset({DELIVERED, DEFERRED, REFUSED, AWAITING}),
        peer=as2_peer,
        sender=as2_sender,
        inlet=as2_inlet,
    ),
    Kind(
        smtp.TRANSPORT,
        wrong=(
            ({}, "to"),
            ({"to": "Acme <in@acme.example>"}, "options.to"),
            ({"to": "in@acme.example", "host": "h", "port": "far"}, "options.port"),
            ({"to": "in@acme.example", "host": "h", "security": "some"}, "options.security"),
            ({"to": "in@acme.example", "port": "25"}, "port and security"),
            ({"to": "in@acme.example", "cc": "x"}, "cc is no option"),
        ),
        outcomes=frozenset({DELIVERED, DEFERRED, REFUSED}),
        peer=mail_peer,
        sender=lambda: smtp.SmtpSender(
            means_of(Settings(), SmtpSettings(sender="out@gateway.example"), take_nothing), allow_private=True
        ),
        inlet=mail_inlet,
        most=smtp.MOST_BYTES,
    ),
    Kind(
        http.TRANSPORT,
        wrong=(
            ({}, "url"),
            ({"url": "ftp://acme.example/in"}, "options.url"),
            ({"url": "https://acme:secret@acme.example/in"}, "options.url"),
            ({"url": "https://acme.example/in", "urls": "x"}, "urls is no option"),
            ({"url": "https://acme.example/in", "token": "a", "token_file": "b"}, "token"),
        ),
        outcomes=frozenset({DELIVERED, DEFERRED, REFUSED}),
        peer=http_peer,
        sender=lambda: http.HttpSender(allow_private=True),
        inlet=http_inlet,
    ),
    Kind(
        webhook.TRANSPORT,
        wrong=(
            ({}, "url"),
            ({"url": "ftp://acme.example/in"}, "options.url"),
            ({"url": "https://acme.example/in", "token": "x"}, "token is no option"),
        ),
        outcomes=frozenset({DELIVERED, DEFERRED}),
        peer=webhook_peer,
        sender=webhook_sender,
        inlet=None,
    ),
    Kind(
        folder.TRANSPORT,
        wrong=(({}, "folder"), ({"folder": ""}, "options.folder"), ({"folder": "x", "url": "x"}, "url is no option")),
        outcomes=frozenset({DELIVERED, DEFERRED, REFUSED}),
        peer=folder_peer,
        sender=folder.FolderSender,
        inlet=folder_inlet,
    ),
    Kind(
        courier.TRANSPORT,
        wrong=(
            ({"port": "1"}, "host"),
            ({"host": "h", "port": "far"}, "options.port"),
            ({"host": "h", "port": "1", "path": "/"}, "path is no option"),
        ),
        outcomes=frozenset({DELIVERED, DEFERRED, REFUSED, AWAITING}),
        peer=courier_peer,
        sender=courier.CourierSender,
        inlet=courier_inlet,
    ),
)
