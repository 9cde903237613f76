"""SFTP, as client and as server.

As client: a delivery is uploaded under another name and renamed once it is whole; that the partner's server has it under
its name in the size that it has is the proof. The server is known by its host key, which the agreement names. Where an
agreement names no host, the partner fetches from our own server (`sftp_server`): the delivery lies in its InBox, and is
delivered once the partner has fetched the whole of it. What partners upload is taken like the files of any watched folder.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, unquote

import asyncssh
import structlog
from pydantic import Field, model_validator

from gateway.config import DAY, NamedPath, Section
from gateway.durable import DRAFT_SECONDS
from gateway.errors import DeliveryDeferred, DeliveryRefused, GatewayError
from gateway.model import Agreement, Delivery
from gateway.store.contract import storable
from gateway.transports.base import Awaiting, Evidence, Origin, Receiver, Record
from gateway.transports.filenames import NAMES, Names, name_file
from gateway.transports.folder import FolderReceiver, make_boxes, put_down
from gateway.transports.guard import any_socket, public_socket
from gateway.transports.plugin import Means, Options, Transport
from gateway.transports.sftp_client import HostKey, Login, connect
from gateway.transports.sftp_pickup import Pickup, PickupReceiver
from gateway.transports.sftp_server import HIDDEN, LOGIN_SECONDS, Bounds, Gatekeeper, PartnerFiles, read_host_key

log = structlog.get_logger(__name__)

_DETAIL = 500
"""Characters of what went wrong that are shown to the operator."""
AT_ONCE = 8
"""Partners whose folders are gone through at once: one that leaves many files delays none of the others."""
MOST_WATCHED = 1000
"""Partners whose folders are known by heart; the others are looked at again when they upload."""


class SftpOptions(Options):
    """The partner's server and where to put what is for it; without a host it fetches from ours."""

    host: str = Field("", description="The partner's server; where empty, the partner fetches from ours")
    port: str = Field("22", pattern="^[0-9]{1,5}$", description="Its port")
    user: str = Field("", description="Name to log in with")
    folder: str = Field(".", description="Folder that deliveries are put into", min_length=1)
    host_key: HostKey = Field("", description="The server's host key as one line of OpenSSH; no other is spoken to")
    password: str = Field(
        "", description="Label of the partner's outgoing passwords, of which the newest valid one is shown"
    )
    key: str = Field("", description="Label of the partner's outgoing keys, whose reference is our private key's file")

    names: Names = Field("id", description=NAMES)

    @model_validator(mode="after")
    def _of_a_host(self) -> Self:
        if self.host and not (self.user and self.host_key and bool(self.password) != bool(self.key)):
            raise ValueError("host needs user, host_key, and either password or key")
        if not self.host and (self.user or self.host_key or self.password or self.key):
            raise ValueError("user, host_key, password and key are those of host, which is not given")
        return self


class SftpSettings(Section):
    """Our own server, and partners' servers that files are fetched from."""

    listen_port: int = Field(0, description="Port that partners connect to; 0 opens none", ge=0, le=65535)
    listen_host: str = Field("127.0.0.1", description="Address to listen on", min_length=1)
    folder: NamedPath = Field(Path("var/sftp"), description="Folder that holds the partners' boxes")
    host_key_file: NamedPath = Field(
        Path("var/sftp.key"), description="The server's key; made at the first start where absent"
    )
    connections: int = Field(100, description="Connections at once", gt=0)
    poll_seconds: float = Field(0.5, description="How often an OutBox with something in it is looked at", gt=0, le=DAY)
    fetch_hours: float = Field(
        24.0, description="Hours after which a delivery that was not fetched is put there again", gt=0, le=30 * 24
    )
    pickups: tuple[Pickup, ...] = ()


class SftpSender:
    """Uploads deliveries, each over a connection of its own, or puts them where partners fetch them."""

    def __init__(self, means: Means, *, allow_private: bool = False) -> None:
        """`allow_private` lets partners' servers be in private networks."""
        self._own: SftpSettings = means.own
        self._registry = means.registry
        self._clock = means.settings.clock.now
        self._find_origin = means.find_origin
        self._allow_private = allow_private

    def find_address(self, agreement: Agreement) -> str:
        """The partner's server and folder; empty where it fetches from ours."""
        given = agreement.options
        if not given.get("host"):
            return ""
        port = given.get("port") or SftpOptions.model_fields["port"].default
        return f"{given['host']}:{port}{given.get('folder', '')}"

    async def send(self, delivery: Delivery, agreement: Agreement, record: Record) -> Evidence | Awaiting:
        """Upload the delivery; its options are those of SftpOptions. Without a host it is put down."""
        options = SftpOptions.model_validate(agreement.options)
        origin = await self._find_origin(delivery) if options.names == "file" else None
        name = name_file(delivery, origin)
        record.tell_sent(self.find_address(agreement), (("name", name),))
        if not options.host:
            return await self._put_down(delivery, agreement.partner_id, name, origin)
        try:
            async with asyncio.timeout(agreement.attempt_timeout):
                evidence = await self._upload(delivery, agreement.partner_id, options, name)
        except TimeoutError as error:
            raise DeliveryDeferred(f"No answer within {agreement.attempt_timeout:g} s") from error
        except asyncssh.HostKeyNotVerifiable as error:
            raise DeliveryDeferred("The server has another host key than the agreement says.") from error
        except (asyncssh.Error, OSError) as error:
            raise DeliveryDeferred(storable(f"{type(error).__name__}: {error}")[:_DETAIL]) from error
        record.tell_answered(evidence.detail)
        return evidence

    async def _put_down(self, delivery: Delivery, partner_id: str, name: str, origin: Origin | None) -> Awaiting:
        """Put a delivery into the partner's InBox on our server; it is delivered once it was fetched."""
        if not self._own.listen_port:
            raise DeliveryDeferred(
                "The partner fetches from our server, and none is open (transports.sftp.listen_port)."
            )
        folder = folder_of(self._own.folder, partner_id, test=delivery.test)
        try:
            await asyncio.to_thread(put_down, folder, name, delivery.body, origin)
        except OSError as error:
            raise DeliveryDeferred(f"{type(error).__name__}: {error.strerror}") from error
        return Awaiting(name, self._clock() + timedelta(hours=self._own.fetch_hours), f"{name} waits to be fetched")

    async def _upload(self, delivery: Delivery, partner_id: str, options: SftpOptions, name: str) -> Evidence:
        login = Login(options.host, int(options.port), options.user, options.host_key, options.password, options.key)
        try:
            make = any_socket if self._allow_private else public_socket
            entering = await connect(self._registry, partner_id, login, make, self._clock)
        except PermissionError as error:
            raise DeliveryRefused("The agreement's server is in a private network.") from error
        async with entering as connection, connection.start_sftp_client() as client:
            folder = options.folder.rstrip("/") or "/"
            draft, final = f"{folder}/.{name}.part", f"{folder}/{name}"
            async with client.open(draft, "wb") as file:
                await file.write(delivery.body)
            await _require_size(client, draft, len(delivery.body))
            await client.posix_rename(draft, final)
            await _require_size(client, final, len(delivery.body))
        digest = hashlib.sha256(delivery.body).hexdigest()
        return Evidence("delivered", "sftp_rename", storable(f"{final}: {len(delivery.body)} bytes, sha256 {digest}"))

    async def close(self) -> None:
        """Nothing is kept open."""


async def _require_size(client: asyncssh.SFTPClient, path: str, size: int) -> None:
    there = (await client.stat(path)).size
    if there != size:
        raise DeliveryDeferred(f"{path} has {there} bytes at the partner's, and not {size}.")


def folder_of(root: Path, partner_id: str, *, test: bool) -> Path:
    """A partner's folder; test traffic has one of its own. Whatever an id is made of, it is one name below the root."""
    return root / ("test" if test else "live") / f"p-{quote(partner_id, safe='')}"


class Boxes:
    """The partners' boxes: who has uploaded something is looked at, and nobody else."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._own: SftpSettings = means.own
        self._rung: set[tuple[str, bool]] = set()
        self._ring = asyncio.Event()
        self._looking: dict[tuple[str, bool], asyncio.Task[None]] = {}
        """Partners that are being looked at, or wait for their turn."""
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._receivers: OrderedDict[tuple[str, bool], FolderReceiver] = OrderedDict()

    def ring(self, partner_id: str, *, test: bool) -> None:
        """A partner has something in its OutBox."""
        self._rung.add((partner_id, test))
        self._ring.set()

    async def run(self) -> None:
        """Look at what was rung for until cancelled; first at all there are, since a crash may have left something."""
        for one in await asyncio.to_thread(lambda: list(self._find_all())):
            self._rung.add(one)
        try:
            while True:
                # Whoever is looked at just now is not begun with again: what it has rung for since is seen at its next turn.
                for one in self._rung - self._looking.keys():
                    self._looking[one] = asyncio.create_task(self._take_turn(one))
                self._ring.clear()
                await self._ring.wait()
        finally:
            turns = list(self._looking.values())
            for turn in turns:
                turn.cancel()
            await asyncio.gather(*turns, return_exceptions=True)

    async def _take_turn(self, one: tuple[str, bool]) -> None:
        """Look at one partner's OutBox until nothing is left in it; AT_ONCE partners are looked at at once."""
        try:
            while one in self._rung:
                pause = self._own.poll_seconds
                self._rung.discard(one)  # before the look: what is rung for from now on may come too late for it
                try:
                    async with self._turns:
                        left = await self._look(*one)
                    if left:
                        self._rung.add(one)
                except GatewayError as error:
                    log.info("outbox_deferred", partner=one[0], reason=str(error))
                    self._rung.add(one)
                    pause = getattr(error, "retry_after", 1.0)
                except OSError as error:
                    log.warning("outbox_unreadable", partner=one[0], reason=storable(str(error)))
                    self._rung.add(one)
                except Exception:  # a fault of ours with this one; the others go on
                    log.exception("outbox_failed", partner=one[0])
                    self._rung.add(one)
                if one in self._rung:
                    await asyncio.sleep(pause)
        finally:
            del self._looking[one]
            self._ring.set()

    def _find_all(self) -> Iterator[tuple[str, bool]]:
        for kind in ("live", "test"):
            for folder in (self._own.folder / kind).glob("p-*"):
                yield unquote(folder.name.removeprefix("p-")), kind == "test"

    async def _look(self, partner_id: str, test: bool) -> bool:
        """Take in what is finished; whether anything is left in the OutBox."""
        folder = folder_of(self._own.folder, partner_id, test=test)
        receiver = self._receivers.get((partner_id, test))
        if receiver is None:
            await asyncio.to_thread(make_boxes, folder)
            receiver = FolderReceiver(
                folder,
                partner_id,
                self._means.intake,
                poll_seconds=self._own.poll_seconds,
                test=test,
                spool=self._means.spool,
                transport="sftp",
            )
            if len(self._receivers) >= MOST_WATCHED:
                self._receivers.popitem(last=False)
            self._receivers[partner_id, test] = receiver
        await receiver.poll()
        return await asyncio.to_thread(_has_files, folder / "OutBox")


def _has_files(outbox: Path) -> bool:
    """Whether anything is left that is not being uploaded; what a crash has left of uploads is removed after a day."""
    left = False
    for path in outbox.iterdir():
        if not path.name.startswith(HIDDEN):
            left = True
        elif path.lstat().st_mtime < time.time() - DRAFT_SECONDS:
            path.unlink(missing_ok=True)
    return left


class SftpServer:
    """Listens for partners."""

    def __init__(self, means: Means, boxes: Boxes) -> None:
        self._means = means
        self._own: SftpSettings = means.own
        self._boxes = boxes
        self._open = 0

    async def run(self) -> None:
        """Listen until cancelled; uploads that are under way then leave nothing."""
        key = await asyncio.to_thread(read_host_key, self._own.host_key_file)
        server = await asyncssh.listen(
            self._own.listen_host,
            self._own.listen_port,
            server_factory=self._gatekeeper,
            server_host_keys=[key],
            sftp_factory=self._files,
            sftp_version=3,
            allow_scp=False,
            allow_pty=False,
            agent_forwarding=False,
            x11_forwarding=False,
            login_timeout=LOGIN_SECONDS,
            keepalive_interval=30,
            config=None,
        )
        log.info("sftp_listening", port=self._own.listen_port, host_key=key.get_fingerprint())
        try:
            await server.wait_closed()
        finally:
            server.close()

    def _gatekeeper(self) -> Gatekeeper:
        return Gatekeeper(self._means.registry, self._means.settings.clock.now, self._admit)

    def _admit(self) -> Callable[[], None] | None:
        if self._open >= self._own.connections:
            return None
        self._open += 1

        def leave() -> None:
            self._open -= 1

        return leave

    def _files(self, chan: Any) -> PartnerFiles:
        """What a partner that is let in sees; its boxes are made with its first connection."""
        connection = chan.get_connection()
        partner_id = connection.get_extra_info("username")
        test = connection.get_extra_info("gatekeeper").test
        folder = folder_of(self._own.folder, partner_id, test=test)
        make_boxes(folder)
        bounds = Bounds(self._means.settings.limits.payload_bytes, self._means.settings.store.free_bytes)
        uploaded = partial(self._boxes.ring, partner_id, test=test)
        return PartnerFiles(chan, folder, partner_id, bounds, self._tell_fetched, uploaded)

    async def _tell_fetched(self, partner_id: str, name: str) -> None:
        """A partner has the whole of a file of ours: where it is a delivery, that is its proof."""
        try:
            await self._means.confirm(partner_id, name, Evidence("delivered", "sftp_fetched", storable(name)))
        except GatewayError as error:
            log.warning("fetch_not_recorded", partner=partner_id, reason=str(error))


def _open_receivers(means: Means) -> Mapping[str, Receiver]:
    own: SftpSettings = means.own
    receivers: dict[str, Receiver] = {
        f"pickup {number} of {one.partner}": PickupReceiver(means, one) for number, one in enumerate(own.pickups)
    }
    if own.listen_port:
        boxes = Boxes(means)
        receivers |= {"server": SftpServer(means, boxes), "boxes": boxes}
    return receivers


TRANSPORT = Transport(
    "sftp",
    options=SftpOptions,
    settings=SftpSettings,
    open_sender=lambda means: SftpSender(means, allow_private=means.settings.deliver.allow_private_addresses),
    open_receivers=_open_receivers,
)
