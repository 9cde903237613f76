"""Files that are fetched from partners' own SFTP servers.

A file that rests from one look to the next gets a name of ours first, `.taken-…`, in the folder where it is, so that another
one of its name is another file, whenever it comes. It is fetched under that name, and handed to the intake; after the commit
it moves to the folder of what was taken, with its receipt beside it, and where it is refused to that of what was not, with
the reason. What a crash or a broken connection leaves as `.taken-…` is fetched again once it rests: its name and its digest
make it the same sending, which is kept once and gets the same receipt.
"""

from __future__ import annotations

import asyncio
import fnmatch
import hashlib
import json
import re
import secrets
import stat
from dataclasses import dataclass
from typing import Self

import asyncssh
import structlog
from pydantic import Field, model_validator

from gateway.config import DAY, Section
from gateway.errors import GatewayError, PayloadUnreadable, PermanentError, TemporaryError
from gateway.store.contract import storable
from gateway.transports.base import Arrival
from gateway.transports.filenames import UNFINISHED, name_beside
from gateway.transports.guard import any_socket
from gateway.transports.plugin import Means
from gateway.transports.sftp_client import HostKey, Login, connect

log = structlog.get_logger(__name__)

MOST_LISTED = 10_000
"""Files of a folder that are looked at: a server could list without end. The others are seen once these are gone."""
LOOK_SECONDS = 60.0
"""How long logging in and listing may take, and each move."""
FILE_SECONDS = 3600.0
"""How long one file may take."""
_PIECE = 256 * 1024
_TAKEN = re.compile(r"\.taken-[0-9a-f]{16}-(.+)", re.DOTALL)
_GONE = (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath)
_BROKEN = (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection)


class Pickup(Section):
    """A folder of a partner's own server from which files are fetched."""

    partner: str = Field(description="Id of the partner whose server it is", min_length=1)
    host: str = Field(description="Its server", min_length=1)
    port: int = Field(22, description="Its port", gt=0, le=65535)
    user: str = Field(description="Name to log in with", min_length=1)
    host_key: HostKey = Field(
        description="The server's host key as one line of OpenSSH; no other is spoken to", min_length=1
    )
    password: str = Field(
        "", description="Label of the partner's outgoing passwords, of which the newest valid one is shown"
    )
    key: str = Field("", description="Label of the partner's outgoing keys, whose reference is our private key's file")
    folder: str = Field(".", description="Folder that files are fetched from", min_length=1)
    pattern: str = Field("*", description="Which files: a name with * and ? for what may vary", min_length=1)
    sent: str = Field("sent", description="Folder that what was taken is moved to, below that one", min_length=1)
    failed: str = Field("failed", description="Folder that what was refused is moved to, below that one", min_length=1)
    poll_seconds: float = Field(
        60.0,
        description="How often it is looked at; what has not changed from one look to the next is whole",
        gt=0,
        le=DAY,
    )
    test: bool = Field(False, description="Whether its traffic is test traffic")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if bool(self.password) == bool(self.key):
            raise ValueError("a pickup needs either password or key")
        if self.sent == self.failed:
            raise ValueError("sent and failed are two folders")
        return self


@dataclass(frozen=True, slots=True)
class _Look:
    """When a file was last written, and its size: a file that rests has the same at the next look."""

    written: int
    size: int


@dataclass(frozen=True, slots=True)
class _Fate:
    """Where a file goes, and what is put beside it."""

    box: str
    suffix: str
    beside: bytes
    digest: str
    """Of its content, by which it is told apart from another of its name; empty where it was not read."""


class PickupReceiver:
    """Fetches what one partner leaves on its own server."""

    def __init__(self, means: Means, pickup: Pickup) -> None:
        self._means = means
        self._pickup = pickup
        self._root = "/" if pickup.folder == "/" else pickup.folder.rstrip("/")
        self._clock = means.settings.clock.now
        self._seen: dict[str, _Look] = {}
        self._fates: dict[str, _Fate] = {}
        """Of files that are settled, and could not be moved yet."""
        self._waiting: set[str] = set()
        """Names of files that cannot be dealt with just now, as the operator has been told."""

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            pause = self._pickup.poll_seconds
            try:
                await self.poll()
            except TemporaryError as error:
                log.warning("pickup_deferred", partner=self._pickup.partner, reason=str(error))
                pause = max(pause, error.retry_after)
            except asyncssh.HostKeyNotVerifiable:
                log.warning("pickup_refused", partner=self._pickup.partner, reason="the server has another host key")
            except (asyncssh.Error, OSError, TimeoutError) as error:
                said = storable(f"{type(error).__name__}: {error}")
                log.warning("pickup_unreachable", partner=self._pickup.partner, reason=said)
            except Exception:  # a fault of ours; the next look may go better
                log.exception("pickup_failed", partner=self._pickup.partner)
            await asyncio.sleep(pause)

    async def poll(self) -> int:
        """Fetch every file that has not changed since the last look; how many were dealt with.

        What is wrong with one file stops no other. TemporaryError where the gateway takes nothing just now, asyncssh's errors
        and OSError where the server cannot be reached.
        """
        login = self._pickup
        to = Login(login.host, login.port, login.user, login.host_key, login.password, login.key)
        async with asyncio.timeout(LOOK_SECONDS):
            # The operator has named the server, and not the partner: it may be anywhere.
            entering = await connect(self._means.registry, login.partner, to, any_socket, self._clock)
        async with entering as connection:
            async with asyncio.timeout(LOOK_SECONDS):
                client = await connection.start_sftp_client()
                for box in (login.sent, login.failed):
                    await self._make(client, box)
                found = await self._list(client)
            before, self._seen = self._seen, found
            self._fates = {name: fate for name, fate in self._fates.items() if name in found}
            resting = [name for name, look in found.items() if before.get(name) == look]
            done = 0
            for name in sorted(resting, key=lambda name: (found[name].written, name)):
                done += await self._deal_with(client, name)
            return done

    def _path(self, *names: str) -> str:
        return "/".join((self._root.rstrip("/"), *names))

    async def _make(self, client: asyncssh.SFTPClient, box: str) -> None:
        if not await client.isdir(self._path(box)):
            await client.mkdir(self._path(box))

    async def _list(self, client: asyncssh.SFTPClient) -> dict[str, _Look]:
        """Files that may be fetched, and those that were taken: names as the server has them, none of which leads elsewhere."""
        found: dict[str, _Look] = {}
        async for entry in client.scandir(self._root.encode()):
            if len(found) >= MOST_LISTED:
                break
            name, attrs = _decoded(entry.filename), entry.attrs
            if name is None or "/" in name or "\0" in name:
                continue
            taken = _TAKEN.fullmatch(name)
            wanted = not name.startswith(".") and not name.endswith(UNFINISHED)
            if not taken and not (wanted and fnmatch.fnmatchcase(name, self._pickup.pattern)):
                continue
            if attrs.permissions is not None and not stat.S_ISREG(attrs.permissions):
                continue
            found[name] = _Look(attrs.mtime or 0, attrs.size or 0)
        return found

    async def _deal_with(self, client: asyncssh.SFTPClient, name: str) -> bool:
        """Bring one file to where its fate is seen; whether that could be done now."""
        taken = _TAKEN.fullmatch(name)
        try:
            if taken is None:
                own = f".taken-{secrets.token_hex(8)}-{name}"
                async with asyncio.timeout(LOOK_SECONDS):
                    await client.rename(self._path(name), self._path(own))
                self._seen[own] = self._seen.pop(name)  # what has this name at the next look is another file
                return await self._settle(client, own, name)
            return await self._settle(client, name, taken[1])
        except _GONE:
            return False  # withdrawn, or taken by another node
        except _BROKEN:
            raise
        except (asyncssh.SFTPError, TimeoutError) as error:
            if name not in self._waiting:
                self._waiting.add(name)
                log.warning("pickup_file_waits", partner=self._pickup.partner, file=name, reason=storable(str(error)))
            return False

    async def _settle(self, client: asyncssh.SFTPClient, own: str, name: str) -> bool:
        """Fetch the file that has the name `own` now, hand it to the intake, and move it by the answer."""
        fate = self._fates.get(own)
        if fate is None:
            async with asyncio.timeout(FILE_SECONDS):
                fate = await self._find_fate(client, own, name)
            if fate is None:
                return False
            self._fates[own] = fate
        await self._move(client, own, name, fate)
        del self._fates[own]
        self._seen.pop(own, None)
        self._waiting.discard(own)
        return True

    async def _find_fate(self, client: asyncssh.SFTPClient, own: str, name: str) -> _Fate | None:
        """What comes of a file, once its bytes are kept or refused; None where it is still being written."""
        try:
            return await self._fetch(client, own, name)
        except (TemporaryError, asyncssh.Error, OSError):
            raise
        except PermanentError as error:
            log.info("pickup_file_refused", partner=self._pickup.partner, file=name, reason=str(error))
            return self._refusal(type(error).__name__, str(error))
        except Exception:  # a fault of ours with this one; those after it go on
            log.exception("pickup_file_failed", partner=self._pickup.partner, file=name)
            return self._refusal(GatewayError.__name__, "The gateway failed with this file; the fault is ours.")

    def _refusal(self, kind: str, reason: str) -> _Fate:
        said = json.dumps({"refused": kind, "reason": storable(reason)}, ensure_ascii=False).encode()
        return _Fate(self._pickup.failed, ".reason.json", said, "")

    async def _fetch(self, client: asyncssh.SFTPClient, own: str, name: str) -> _Fate | None:
        """Fetch a file and hand it to the intake. Raises what that raises, and PayloadTooLarge before anything is fetched."""
        path = self._path(own)
        before = await client.lstat(path)
        if before.permissions is not None and not stat.S_ISREG(before.permissions):
            raise PayloadUnreadable("This is not a plain file.")
        # Judges the size that is said before anything is read, and what is read as it comes.
        async with self._means.spool.taking(self._pickup.partner, before.size) as taking:
            async with client.open(path, "rb") as file:
                while piece := await file.read(_PIECE):
                    assert isinstance(piece, bytes), "it is opened for bytes"
                    await taking.add(piece)
            after = await client.lstat(path)
            if (after.mtime, after.size) != (before.mtime, before.size) or taking.size != after.size:
                log.info("pickup_file_grows", partner=self._pickup.partner, file=name)
                return None
            received = await taking.finished()
            digest = received.sha256.hex()
            accepted = await self._means.intake(
                Arrival(
                    self._pickup.partner,
                    "sftp",
                    received.body,
                    f"{name}:{digest}",
                    filename=name,
                    test=self._pickup.test,
                    sha256=received.sha256,
                    path=received.path,
                    size=received.size,
                )
            )
        return _Fate(self._pickup.sent, ".receipt.json", accepted.receipt.body, digest)

    async def _move(self, client: asyncssh.SFTPClient, own: str, name: str, fate: _Fate) -> None:
        """Move a file to where its fate is seen, with what is said of it beside it first.

        It replaces nothing there but the same file.
        """
        async with asyncio.timeout(LOOK_SECONDS):
            if await client.lexists(self._path(fate.box, name)):
                mark = fate.digest or hashlib.sha256(own.encode()).hexdigest()
                name = name_beside(name, f"~{mark[:16]}")
            beside = name_beside(name, fate.suffix)
            draft = self._path(fate.box, f".{secrets.token_hex(8)}.part")
            async with client.open(draft, "wb") as file:
                await file.write(fate.beside)
            await client.posix_rename(draft, self._path(fate.box, beside))
            await client.posix_rename(self._path(own), self._path(fate.box, name))


def _decoded(name: str | bytes) -> str | None:
    """A file's name; None where it is no UTF-8."""
    if isinstance(name, str):
        return name
    try:
        return name.decode()
    except UnicodeDecodeError:
        return None
