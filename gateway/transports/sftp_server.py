"""Our SFTP server: each partner sees its own four boxes, and nothing else of the machine.

A partner logs in under its id, with a key or password of the registry. What it puts into OutBox has a hidden name until it
closes the file, and is one for whoever watches the folder (`folder.FolderReceiver`) only then: an upload that breaks off
leaves nothing. SentBox, FailBox and InBox it may list, fetch and empty. There are no links, no folders of its own, no shell,
no forwarding. Where it has fetched the whole of a file in InBox, that is told: it is the proof that it has the delivery.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import posixpath
import secrets
import shutil
import stat
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncssh
import structlog
from asyncssh import constants, sftp
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_public_key

from gateway import durable
from gateway.errors import GatewayError, NotFound
from gateway.model import CredentialKind
from gateway.registry.credentials import Validity, judge, read_public
from gateway.registry.directory import Directory
from gateway.registry.keys import SEND, hash_key

log = structlog.get_logger(__name__)

BOXES = ("OutBox", "SentBox", "FailBox", "InBox")
HIDDEN = ".upload-"
"""How the names of files begin that are being uploaded."""
LOGIN_SECONDS = 20.0
"""How long a connection may take to log in."""
MOST_HANDLES = 32
"""Open files of one connection: clients move one after the other, and some several at once."""

Fetched = Callable[[str, str], Awaitable[None]]
"""Told that a partner (its id first) has fetched the whole of a file in its InBox."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one upload may take up."""

    payload_bytes: int
    free_bytes: int


@dataclass(slots=True)
class _Upload:
    """A file that is being written under a hidden name."""

    descriptor: int
    box: Path
    hidden: str
    name: str


@dataclass(slots=True)
class _Download:
    """A file that is being read, and which bytes of it were, as ranges in their order."""

    descriptor: int
    box: str
    name: str
    size: int
    read: list[tuple[int, int]] = field(default_factory=list)

    def seek(self, offset: int, whence: int) -> int:
        """Where data begin or end: the library asks, for clients that skip the holes of files."""
        return os.lseek(self.descriptor, offset, whence)

    def is_whole(self) -> bool:
        """Whether every byte was read."""
        reached = 0
        for start, end in sorted(self.read):
            if start > reached:
                return False
            reached = max(reached, end)
        return reached >= self.size


class PartnerFiles(asyncssh.SFTPServer):
    """What one connection of a partner's sees and may do."""

    def __init__(
        self,
        chan: Any,
        folder: Path,
        partner_id: str,
        bounds: Bounds,
        fetched: Fetched,
        uploaded: Callable[[], None],
    ) -> None:
        """`folder` holds the boxes; `uploaded` is told of each file that is whole in OutBox."""
        super().__init__(chan)
        self._folder = folder
        self._uploaded = uploaded
        self._partner_id = partner_id
        self._bounds = bounds
        self._fetched = fetched
        self._open = 0

    # Paths: /, /Box, /Box/name, and nothing else.

    def _parts(self, path: bytes) -> tuple[str, ...]:
        """The box, and the name in it, of a path; SFTPNoSuchFile for whatever else it is."""
        try:
            text = posixpath.normpath(posixpath.join("/", path.decode("utf-8")))
        except UnicodeDecodeError:
            raise asyncssh.SFTPNoSuchFile("Names are UTF-8.") from None
        parts = tuple(part for part in text.split("/") if part)
        if not parts:
            return ()
        hidden = any(part.startswith(".") or "\0" in part for part in parts)
        if len(parts) > 2 or parts[0] not in BOXES or hidden:
            raise asyncssh.SFTPNoSuchFile("There is no such file here.")
        return parts

    def _file(self, path: bytes) -> tuple[str, str]:
        """The same of a path that names a file."""
        parts = self._parts(path)
        if len(parts) != 2:
            raise asyncssh.SFTPPermissionDenied("This is no file.")
        return parts[0], parts[1]

    def realpath(self, path: bytes) -> bytes:
        """A path as others are asked with it."""
        return ("/" + "/".join(self._parts(path))).encode()

    def stat(self, path: bytes) -> Any:
        """The same as `lstat`: there are no links."""
        return self.lstat(path)

    def lstat(self, path: bytes) -> Any:
        """What a box or a file in it is."""
        found = os.lstat(self._folder.joinpath(*self._parts(path)))
        if not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):
            raise asyncssh.SFTPNoSuchFile("There is no such file here.")
        return found

    async def scandir(self, path: bytes) -> AsyncIterator[sftp.SFTPName]:
        """What is in a box, or the boxes."""
        parts = self._parts(path)
        if len(parts) == 2:
            raise asyncssh.SFTPNoSuchFile("This is no folder.")
        folder = self._folder.joinpath(*parts)
        names = await asyncio.to_thread(os.listdir, folder) if parts else list(BOXES)
        for name in sorted(names):
            if name.startswith("."):
                continue
            with contextlib.suppress(OSError):
                found = os.lstat(folder / name)
                if stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode):
                    yield sftp.SFTPName(os.fsencode(name), attrs=sftp.SFTPAttrs.from_local(found))

    # Files.

    def open(self, path: bytes, pflags: int, _attrs: Any) -> object:
        """Open a file: of OutBox to be written, of any box to be read."""
        box, name = self._file(path)
        if self._open >= MOST_HANDLES:
            raise asyncssh.SFTPFailure("Too many files are open.")
        writes = pflags & (constants.FXF_WRITE | constants.FXF_APPEND | constants.FXF_CREAT | constants.FXF_TRUNC)
        opened = self._begin_upload(box, name, pflags) if writes else self._begin_download(box, name)
        self._open += 1
        return opened

    def _begin_upload(self, box: str, name: str, pflags: int) -> _Upload:
        if box != "OutBox":
            raise asyncssh.SFTPPermissionDenied("Files are put into OutBox.")
        if pflags & constants.FXF_APPEND or not pflags & constants.FXF_CREAT:
            raise asyncssh.SFTPOpUnsupported("A file is written whole.")
        folder = self._folder / box
        if pflags & constants.FXF_EXCL and os.path.lexists(folder / name):
            raise asyncssh.SFTPFailure("There is such a file.")
        if shutil.disk_usage(folder).free < self._bounds.free_bytes:
            raise asyncssh.SFTPFailure("There is no room just now; try again later.")
        hidden = f"{HIDDEN}{secrets.token_hex(16)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        return _Upload(os.open(folder / hidden, flags, 0o600), folder, hidden, name)

    def _begin_download(self, box: str, name: str) -> _Download:
        descriptor = os.open(self._folder / box / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            os.close(descriptor)
            raise asyncssh.SFTPNoSuchFile("There is no such file here.")
        return _Download(descriptor, box, name, found.st_size)

    def read(self, file_obj: object, offset: int, size: int) -> bytes:
        """Some bytes of a file."""
        if not isinstance(file_obj, _Download):
            raise asyncssh.SFTPPermissionDenied("This file is open to be written.")
        data = os.pread(file_obj.descriptor, min(size, 1 << 20), offset)
        if data:
            file_obj.read.append((offset, offset + len(data)))
        return data

    def write(self, file_obj: object, offset: int, data: bytes) -> int:
        """Put bytes into a file."""
        if not isinstance(file_obj, _Upload):
            raise asyncssh.SFTPPermissionDenied("This file is open to be read.")
        if offset + len(data) > self._bounds.payload_bytes:
            raise asyncssh.SFTPFailure(f"At most {self._bounds.payload_bytes} bytes are taken in one file.")
        return os.pwrite(file_obj.descriptor, data, offset)

    def close(self, file_obj: object) -> Awaitable[None]:
        """Close a file: what was uploaded gets its name, unless the connection ends before its client has closed it."""
        # The library closes what is left open by the same call, and tells in no other way that it does so.
        broken_off = sys._getframe(1).f_code.co_name == "_cleanup"  # noqa: SLF001 - see above; pyproject.toml says of which versions this holds
        self._open -= 1
        if isinstance(file_obj, _Upload):
            return self._end_upload(file_obj, broken_off=broken_off)
        assert isinstance(file_obj, _Download), "there are no other files"
        return self._end_download(file_obj, broken_off=broken_off)

    async def _end_upload(self, upload: _Upload, *, broken_off: bool) -> None:
        try:
            if not broken_off:
                await asyncio.to_thread(os.fsync, upload.descriptor)
        finally:
            os.close(upload.descriptor)
        if broken_off:
            (upload.box / upload.hidden).unlink(missing_ok=True)
            log.info("upload_broken_off", partner=self._partner_id)
            return
        await asyncio.to_thread(_publish, upload)
        self._uploaded()

    async def _end_download(self, download: _Download, *, broken_off: bool) -> None:
        os.close(download.descriptor)
        if not broken_off and download.box == "InBox" and download.is_whole():
            await self._fetched(self._partner_id, download.name)

    def fstat(self, file_obj: object) -> Any:
        """What an open file is."""
        assert isinstance(file_obj, _Upload | _Download), "there are no other files"
        return os.fstat(file_obj.descriptor)

    def fsync(self, file_obj: object) -> None:
        """A file is on the disk when it was closed."""

    def setstat(self, path: bytes, _attrs: Any) -> None:
        """Many clients set times and modes after a transfer; they are taken and change nothing."""
        self._parts(path)

    def lsetstat(self, path: bytes, attrs: Any) -> None:
        """See `setstat`."""
        self.setstat(path, attrs)

    def fsetstat(self, _file_obj: object, _attrs: Any) -> None:
        """See `setstat`."""

    def remove(self, path: bytes) -> None:
        """Remove a file: one that was fetched, or one that is withdrawn before it was taken."""
        box, name = self._file(path)
        if not stat.S_ISREG(os.lstat(self._folder / box / name).st_mode):
            raise asyncssh.SFTPNoSuchFile("There is no such file here.")
        (self._folder / box / name).unlink()

    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        """Rename a file in OutBox, as clients do that write under another name first."""
        (old, name), (new, other) = self._file(oldpath), self._file(newpath)
        if (old, new) != ("OutBox", "OutBox"):
            raise asyncssh.SFTPPermissionDenied("Files are renamed in OutBox alone.")
        if os.path.lexists(self._folder / new / other):
            raise asyncssh.SFTPFailure("There is such a file.")
        (self._folder / old / name).rename(self._folder / new / other)
        self._uploaded()

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        """See `rename`."""
        self.rename(oldpath, newpath)

    def _refuse(self, *_: object) -> None:
        raise asyncssh.SFTPOpUnsupported("That cannot be done here.")

    mkdir = rmdir = readlink = symlink = link = statvfs = fstatvfs = _refuse  # type: ignore[assignment]
    open56 = lock = unlock = _refuse  # type: ignore[assignment]


def _publish(upload: _Upload) -> None:
    """Give an upload its name, and make that durable."""
    (upload.box / upload.hidden).rename(upload.box / upload.name)
    with durable.opened_folder(upload.box) as folder:
        os.fsync(folder)


class Gatekeeper(asyncssh.SSHServer):
    """Lets partners in."""

    def __init__(
        self, registry: Directory, clock: Callable[[], datetime], admit: Callable[[], Callable[[], None] | None]
    ) -> None:
        """`admit` counts one more connection, and gives what is to be called at its end; None where there is no room."""
        self._registry = registry
        self._clock = clock
        self._admit = admit
        self._leave: Callable[[], None] = lambda: None
        self.test = False
        """Whether the key that was shown is one for test traffic."""

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Turn away one connection too many."""
        conn.set_extra_info(gatekeeper=self)
        leave = self._admit()
        if leave is None:
            conn.abort()
        else:
            self._leave = leave

    def connection_lost(self, _exc: Exception | None) -> None:
        """Let the next one in."""
        self._leave()

    def begin_auth(self, _username: str) -> bool:
        """Nobody comes in without."""
        return True

    def password_auth_supported(self) -> bool:
        """A password, or a key of the registry in its place."""
        return True

    def public_key_auth_supported(self) -> bool:
        """A key of the partner's own."""
        return True

    async def validate_password(self, username: str, password: str) -> bool:
        """Whether it is a password, or an API key that lets send, of the partner called so."""
        if not password.isascii():
            return False
        kinds = (CredentialKind.API_KEY, CredentialKind.PASSWORD)
        return await self._holds(username, hash_key(password), kinds)

    async def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Whether it is a key of the partner called so."""
        try:
            public = load_ssh_public_key(key.export_public_key("openssh"))
            pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
            hash_ = read_public(CredentialKind.PUBLIC_KEY, pem).hash
        except (ValueError, asyncssh.KeyExportError):
            return False
        return await self._holds(username, hash_, (CredentialKind.PUBLIC_KEY,))

    async def _holds(self, username: str, hash_: str, kinds: tuple[CredentialKind, ...]) -> bool:
        try:
            shown = await self._registry.shown_credential(hash_)
            if shown is None or shown.kind not in kinds or shown.partner_id != username:
                return False
            partner = await self._registry.partner(username)
        except NotFound:
            return False
        except GatewayError as error:
            log.warning("sftp_login_deferred", reason=str(error))
            return False
        if judge(shown, self._clock()) is not Validity.VALID or SEND not in shown.scopes or not partner.active:
            log.warning("sftp_login_refused", partner=username, credential=shown.id)
            return False
        self.test = shown.test
        return True


def read_host_key(path: Path) -> asyncssh.SSHKey:
    """The server's own key, made at the first start; on the disk when this returns. Its fingerprint is told in the log."""
    with contextlib.suppress(FileExistsError):
        if not path.exists():
            key = asyncssh.generate_private_key("ssh-ed25519")
            durable.write_file(path, key.export_private_key(), mode=0o600, replace=False)
    durable.make_durable(path)
    return asyncssh.read_private_key(path)
