"""Folders, in and out, laid out as the trade's client software does it: OutBox, SentBox, FailBox, InBox.

In: a partner's software puts files into OutBox (writing under another name and renaming, or ending in
.tmp or .part while it writes). A file that rests is first moved into a folder of its own, OutBox/.taken-…,
so that another one of the same name is another file, whenever it comes. After the commit it moves to SentBox
with its receipt beside it; a file that is refused moves to FailBox with the reason beside it. What a crash or
an overload leaves in .taken-… is taken up again, under the same transport id. Out: a delivery is written to
InBox under a name made of its id, so that a repetition overwrites itself and nothing is delivered twice.

The boxes are the partner's, so that nothing in them is trusted to be what it was a moment ago: what is a
link is not followed, be it a box, a file or a temporary name.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import os
import secrets
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import structlog
from pydantic import Field

from gateway.config import DAY, NamedPath, Section
from gateway.durable import DRAFT_SECONDS, make_folder, move, remove_drafts, write_in
from gateway.errors import DeliveryDeferred, DeliveryRefused, PayloadUnreadable, PermanentError, TemporaryError
from gateway.makeable import explain_unmakeable
from gateway.model import Agreement, Delivery
from gateway.store.contract import storable
from gateway.transports.base import Arrival, Evidence, FindOrigin, Intake, Origin, Receiver, Record, find_no_origin
from gateway.transports.filenames import NAMES, UNFINISHED, Names, name_beside, name_file, name_reason, write_reason
from gateway.transports.plugin import Means, Options, Transport
from gateway.transports.spool import Received, Spool

_TAKEN = ".taken-"
log = structlog.get_logger(__name__)


class FolderOptions(Options):
    """Where a partner finds what is for it."""

    folder: str = Field(min_length=1, description="Folder whose InBox deliveries are written into")
    names: Names = Field("id", description=NAMES)


class Watched(Section):
    """A folder in which a partner leaves files."""

    path: NamedPath = Field(description="Folder that is watched")
    partner: str = Field(description="Id of the partner whose folder it is", min_length=1)
    test: bool = Field(False, description="Whether its traffic is test traffic")


class FolderSettings(Section):
    """What is watched, and how often."""

    poll_seconds: float = Field(0.5, description="How often folders are looked at", gt=0, le=DAY)
    watched: tuple[Watched, ...] = ()


class FolderSender:
    """Writes deliveries into the agreement's folder; a rename makes each appear whole."""

    def __init__(self, find_origin: FindOrigin = find_no_origin) -> None:
        """`find_origin` finds the file that an answer answers."""
        self._find_origin = find_origin

    def find_address(self, agreement: Agreement) -> str:
        """How the agreement's `folder` is called; where on this machine it lies is nobody's business but ours."""
        return Path(agreement.options.get("folder", "")).name

    async def send(self, delivery: Delivery, agreement: Agreement, record: Record) -> Evidence:
        """Write the delivery into `InBox` of the agreement's `folder`; options: folder, names."""
        folder = agreement.options.get("folder", "")
        if not folder:
            raise DeliveryRefused("The agreement names no folder.")
        origin = await self._find_origin(delivery) if agreement.options.get("names") == "file" else None
        name = name_file(delivery, origin)
        record.tell_sent(self.find_address(agreement), (("name", name),))
        try:
            await asyncio.to_thread(put_down, Path(folder), name, delivery.body, origin)
        except OSError as error:
            raise DeliveryDeferred(f"{type(error).__name__}: {error.strerror}") from error
        return Evidence("delivered", "folder_rename", name, b"", hashlib.sha256(delivery.body).hexdigest())

    async def close(self) -> None:
        """Nothing is kept open."""


@dataclass(frozen=True, slots=True)
class _Taken:
    """A file of the partner's, under its own name in a folder of its own, where nothing replaces it."""

    outbox: Path
    folder: str
    name: str


def _text(name: str) -> str:
    """A file's name as text, whatever bytes it is made of; the same for the same bytes, since it is in transport ids."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


class FolderReceiver:
    """Watches one partner's OutBox and hands what it finds to the intake."""

    def __init__(
        self,
        folder: Path,
        partner_id: str,
        intake: Intake,
        *,
        poll_seconds: float,
        test: bool = False,
        spool: Spool | None = None,
        transport: str = "folder",
    ) -> None:
        """`folder` holds (or gets) OutBox, SentBox, FailBox and InBox; `spool` keeps large files out of memory.

        `transport` is by what the files come into the folder, as receipts name it.
        """
        self._folder = folder
        self._partner_id = partner_id
        self._intake = intake
        self._poll_seconds = poll_seconds
        self._test = test
        self._spool = spool
        self._transport = transport
        self._seen: dict[str, _Look] = {}
        self._taken: list[_Taken] | None = None
        """Files that are taken and not dealt with yet; None until those of an earlier process are looked for."""
        self._waiting: set[str] = set()
        """Names of files that cannot be dealt with just now, as the operator has been told."""

    async def run(self) -> None:
        """Poll until cancelled. Polling sees files on network shares too, which notifications do not."""
        while True:
            try:
                if self._taken is None:
                    await asyncio.to_thread(make_boxes, self._folder)
                await self.poll()
            except TemporaryError as error:
                log.warning("folder_deferred", partner=self._partner_id, reason=str(error))
                await asyncio.sleep(error.retry_after)
            except OSError as error:
                log.warning("folder_unreadable", partner=self._partner_id, reason=storable(str(error)))
            await asyncio.sleep(self._poll_seconds)

    async def poll(self) -> int:
        """Take in every file that has not changed since the last look; how many were dealt with.

        What is wrong with one file stops no other. TemporaryError where the gateway takes nothing just now,
        OSError where OutBox cannot be read.
        """
        outbox = self._folder / "OutBox"
        if self._taken is None:
            self._taken = await asyncio.to_thread(_left_behind, outbox)
        found = await asyncio.to_thread(_finished_files, outbox)
        before, self._seen = self._seen, dict(found)
        done = 0
        for taken in tuple(self._taken):
            done += await self._deal_with(taken)
        for name, look in found:
            if before.get(name) != look:
                continue
            del self._seen[name]  # whatever has this name at the next look is another file
            try:
                taken = await asyncio.to_thread(_take, outbox, name)
            except FileNotFoundError:
                continue  # withdrawn, or taken by another node
            except OSError as error:
                self._complain(name, error)
                continue
            self._taken.append(taken)
            done += await self._deal_with(taken)
        return done

    async def _deal_with(self, taken: _Taken) -> bool:
        """Bring one file to where its fate is seen; whether that could be done now."""
        try:
            await self._settle(taken)
        except OSError as error:
            if await asyncio.to_thread(os.path.lexists, taken.outbox / taken.folder / taken.name):
                self._complain(taken.name, error)
                return False
        if self._taken is not None:
            self._taken.remove(taken)
        self._waiting.discard(taken.name)
        return True

    def _complain(self, name: str, error: OSError) -> None:
        """Tell the operator, once, that a file cannot be dealt with just now."""
        if name not in self._waiting:
            log.warning("folder_file_waits", partner=self._partner_id, file=_text(name), reason=error.strerror)
            self._waiting.add(name)

    async def _settle(self, taken: _Taken) -> None:
        """Hand one file to the intake and move it by the answer. TemporaryError or OSError where it has to wait."""
        name = _text(taken.name)
        try:
            received = await asyncio.to_thread(_read, taken, self._spool)
            # A crash between commit and move finds the file again: its name and digest make it the same sending.
            arrival = Arrival(
                self._partner_id,
                self._transport,
                received.body,
                f"{name}:{received.sha256.hex()}",
                filename=name,
                test=self._test,
                sha256=received.sha256,
                path=received.path,
                size=received.size,
            )
            try:
                accepted = await self._intake(arrival)
            finally:
                await asyncio.to_thread(Spool.discard, received)
        except (TemporaryError, OSError):
            raise
        except PermanentError as error:
            log.info("folder_refused", partner=self._partner_id, file=name, reason=str(error))
            await self._refuse(taken, type(error).__name__, str(error))
        except Exception:  # a fault of ours with this one; it stands in FailBox, and those after it go on
            log.exception("folder_file_failed", partner=self._partner_id, file=name)
            await self._refuse(taken, "GatewayError", "The gateway failed with this file; the fault is ours.")
        else:
            await asyncio.to_thread(_move, taken, self._folder / "SentBox", ".receipt.json", accepted.receipt.body)

    async def _refuse(self, taken: _Taken, kind: str, reason: str) -> None:
        """Move one file to FailBox, with the reason beside it."""
        said = json.dumps({"refused": kind, "reason": storable(reason)}, ensure_ascii=False).encode()
        await asyncio.to_thread(_move, taken, self._folder / "FailBox", ".reason.json", said)


def make_boxes(folder: Path) -> None:
    """Make a partner's boxes where they are missing; what crashes have left in those that are ours to write is removed."""
    for name in ("OutBox", "SentBox", "FailBox", "InBox"):
        make_folder(folder / name)
    for name in ("SentBox", "FailBox", "InBox"):
        with _opened(folder / name) as box:
            _remove_drafts_daily(folder / name, box)


_Look = tuple[int, int]
"""When a file was last written (nanoseconds), and its size: a file that rests has the same at the next look."""


def _finished_files(outbox: Path) -> list[tuple[str, _Look]]:
    """Files that are not marked as unfinished, oldest first."""
    files = []
    with _opened(outbox) as box, os.scandir(box) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name.endswith(UNFINISHED):
                continue
            with suppress(FileNotFoundError):  # withdrawn meanwhile
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(status.st_mode):
                    files.append((entry.name, (status.st_mtime_ns, status.st_size)))
    return sorted(files, key=lambda file: (file[1][0], file[0]))


def _take(outbox: Path, name: str) -> _Taken:
    """Move a file into a folder of its own. FileNotFoundError where it is there no more.

    That folder is durable before the file is in it, or a power cut could take both; `_read` makes the move durable.
    """
    folder = f"{_TAKEN}{secrets.token_hex(8)}"
    with _opened(outbox) as box:
        os.mkdir(folder, 0o700, dir_fd=box)
        os.fsync(box)
        try:
            os.rename(name, f"{folder}/{name}", src_dir_fd=box, dst_dir_fd=box)
        except OSError:
            os.rmdir(folder, dir_fd=box)
            raise
    return _Taken(outbox, folder, name)


def _left_behind(outbox: Path) -> list[_Taken]:
    """What an earlier process has taken and not dealt with, oldest first; its empty folders are removed."""
    left: list[tuple[int, _Taken]] = []
    with _opened(outbox) as box, os.scandir(box) as folders:
        for folder in [entry.name for entry in folders if entry.name.startswith(_TAKEN)]:
            with suppress(OSError), _opened(outbox, folder) as inside, os.scandir(inside) as files:
                found = [(file.stat(follow_symlinks=False).st_mtime_ns, file.name) for file in files]
                left += [(written, _Taken(outbox, folder, name)) for written, name in found]
                if not found:
                    os.rmdir(folder, dir_fd=box)
    return [taken for _, taken in sorted(left, key=lambda one: one[0])]


def _read(taken: _Taken, spool: Spool | None) -> Received:
    """The file's bytes, durable with its name. PayloadUnreadable where it is no plain file, or not ours to read."""
    try:
        with _opened(taken.outbox, taken.folder) as folder:
            # Here, since whoever took it may have been killed before: it must not stand in OutBox too when it moves on.
            os.fsync(folder)
            # Without waiting: a pipe without a writer would be waited for.
            file = os.open(taken.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError as error:
        if error.errno in _NOT_PLAIN:
            raise PayloadUnreadable("This is not a file that can be read.") from error
        raise
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise PayloadUnreadable("This is not a plain file.")
        # Its sender may not have synced it, and takes what stands in SentBox as being there for good.
        os.fsync(file)
        with os.fdopen(file, "rb", closefd=False) as stream:
            if spool is not None:
                return spool.copy(stream)
            body = stream.read()
            return Received(hashlib.sha256(body).digest(), len(body), body)
    finally:
        os.close(file)


_NOT_PLAIN = {errno.ELOOP, errno.EACCES, errno.EPERM, errno.ENXIO}
"""What opening a link, a file of somebody else's, or a socket comes to; other errors may be over at the next look."""


def _move(taken: _Taken, box: Path, suffix: str, beside: bytes) -> None:
    """Move a taken file to `box`, with `beside` written next to it first; both are durable when this returns."""
    write_into(box, name_beside(taken.name, suffix), beside)
    with _opened(taken.outbox, taken.folder) as source, _opened(box) as target:
        move(taken.name, source, target)
    with suppress(OSError), _opened(taken.outbox) as outbox:  # an empty one that stays is removed at the next start
        os.rmdir(taken.folder, dir_fd=outbox)


def put_down(folder: Path, name: str, body: bytes, origin: Origin | None) -> None:
    """Put a delivery into InBox, and into FailBox why the file was refused that it answers."""
    if origin is not None and origin.is_refused:
        write_into(folder / "FailBox", name_reason(origin), write_reason(origin, name))
    write_into(folder / "InBox", name, body)


def write_into(box: Path, name: str, body: bytes) -> None:
    """Put a file into a box, whole and durable with the box when this returns."""
    make_folder(box)
    with _opened(box) as folder:
        _remove_drafts_daily(box, folder)
        write_in(folder, name, body)


_drafts_removed: dict[Path, float] = {}
"""When this process last looked for drafts in a box, by the monotonic clock: boxes are as many as partners."""


def _remove_drafts_daily(box: Path, folder: int) -> None:
    """Remove what crashes, of this process's predecessors and of other nodes, have left in an open box of ours."""
    now = time.monotonic()
    if now - _drafts_removed.get(box, -DRAFT_SECONDS) >= DRAFT_SECONDS:
        _drafts_removed[box] = now
        remove_drafts(folder)


@contextmanager
def _opened(box: Path, folder: str = ".") -> Iterator[int]:
    """A descriptor of a box, or of a folder in it; OSError where either is a link.

    Whoever swaps names meanwhile, what is done through the descriptor is done there.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    outer = os.open(box, flags)
    try:
        inner = os.open(folder, flags, dir_fd=outer)
    finally:
        os.close(outer)
    try:
        yield inner
    finally:
        os.close(inner)


def _open_receivers(means: Means) -> Mapping[str, Receiver]:
    """One for each folder that is watched."""
    own: FolderSettings = means.own
    return {
        str(watched.path): FolderReceiver(
            watched.path,
            watched.partner,
            means.intake,
            poll_seconds=own.poll_seconds,
            test=watched.test,
            spool=means.spool,
        )
        for watched in own.watched
    }


def _find_faults(own: FolderSettings) -> Iterator[str]:
    """Folders that cannot be made, or are watched twice."""
    seen: dict[Path, int] = {}
    for number, watched in enumerate(own.watched):
        place = f"watched.{number}.path {watched.path}"
        if fault := explain_unmakeable(watched.path):
            yield f"{place}: {fault}"
        if (other := seen.setdefault(watched.path.absolute(), number)) != number:
            yield f"{place}: is watched already, for {own.watched[other].partner}"


TRANSPORT = Transport(
    "folder",
    options=FolderOptions,
    settings=FolderSettings,
    open_sender=lambda means: FolderSender(means.find_origin),
    open_receivers=_open_receivers,
    find_faults=_find_faults,
)
