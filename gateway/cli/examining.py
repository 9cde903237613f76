"""Examines a file as a received payload is examined, without a store, and hands on each message as it was written.

It holds one message at a time, so that the size of the file does not matter.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from gateway.catalogue import Catalogue
from gateway.check import rulebook
from gateway.cli import output
from gateway.config import Limits
from gateway.errors import PayloadTooLarge, PayloadUnreadable
from gateway.model import Agreement, Syntax
from gateway.parse import edifact, x12
from gateway.parse.segments import Event, MessageRead, SegmentMessage
from gateway.receive.unpack import Part, sniff, unpack
from gateway.trip import faults
from gateway.trip.examine import Examiner
from gateway.trip.examined import Examined, Message

Original = SegmentMessage | str | None
"""A message as its sender wrote it: its segments, or the text of an XML or JSON one. None where there is nothing to
show, or more than anybody looks at."""

STDIN = Path("-")
_CHUNK = 1 << 16
_LONGEST_TEXT = 8 << 20
"""Bytes of an XML or JSON message that is kept to be shown: some hundred thousand lines."""
_READERS: dict[Syntax | None, Callable[[Iterable[bytes]], Iterator[Event]]] = {
    Syntax.EDIFACT: edifact.read,
    Syntax.X12: x12.read,
}


@contextmanager
def named_files(paths: Iterable[Path]) -> Iterator[list[tuple[str, Path]]]:
    """What `paths` name, each with what it is called: files, those in folders and below, and `-`, what comes on stdin.

    The end where one is no file, or a folder holds none. What came on stdin is there until the block is left.
    """
    with tempfile.TemporaryDirectory(prefix="gateway-") as folder:
        found: list[tuple[str, Path]] = []
        for path in paths:
            if path == STDIN:
                held = Path(folder) / "stdin"
                if not held.exists():
                    held.write_bytes(sys.stdin.buffer.read())
                found.append(("-", held))
            elif path.is_dir():
                within = sorted(one for one in path.rglob("*") if one.is_file() and not _is_hidden(one, path))
                if not within:
                    output.stop(f"{path} holds no file")
                found += [(str(one), output.existing_file(one)) for one in within]
            else:
                found.append((str(path), output.existing_file(path)))
        yield found


def _is_hidden(file: Path, folder: Path) -> bool:
    return any(step.startswith(".") for step in file.relative_to(folder).parts)


def examined(
    catalogue: Catalogue, file: Path, agreement: Agreement, step: Callable[[int], None]
) -> Iterator[tuple[Examined, Original]]:
    """What the file holds by `catalogue`, message by message, each with the message as it was written.

    EDI is read as a stream, and `step` told of its bytes; all else is one message anyway.
    """
    rules = rulebook.load(catalogue).at(datetime.now(UTC).date())
    examiner = Examiner(catalogue, (agreement,), rules, acknowledged=False)
    with file.open("rb") as stream:
        head = stream.read(4096)
        reader = _READERS.get(sniff(head))
        if reader is not None:
            yield from _segmented(examiner, reader(_chunks(head, stream, step)))
            return
        source = file if file.is_file() else head + stream.read()  # a pipe is read once
    yield from _parts(examiner, source)


def _parts(examiner: Examiner, source: Path | bytes) -> Iterator[tuple[Examined, Original]]:
    """What an XML or JSON message, or something compressed, holds."""
    with faults.caught() as fault:
        try:
            for part in unpack(source, Limits.model_validate({}).unpacked_bytes):
                reader = _READERS.get(part.syntax)
                if reader is not None:
                    yield from _segmented(examiner, reader(part.pieces()))
                    continue
                text = _text(part)
                for item in examiner.part(part):
                    yield item, text if isinstance(item, Message) else None
        except PayloadTooLarge as error:
            yield examiner.unreadable("payload.too_large", str(error)), None
        except PayloadUnreadable as error:
            yield examiner.unreadable("payload.unreadable", str(error)), None
    if fault:
        yield examiner.failed(fault), None


@dataclass(slots=True)
class _Latest:
    """The message that was read last."""

    message: SegmentMessage | None = None


def _segmented(examiner: Examiner, events: Iterable[Event]) -> Iterator[tuple[Examined, Original]]:
    latest = _Latest()

    def watched() -> Iterator[Event]:
        for event in events:
            if isinstance(event, MessageRead):
                latest.message = event.message
            yield event

    for item in examiner.events(watched()):
        yield item, latest.message if isinstance(item, Message) else None


def _chunks(head: bytes, stream: IO[bytes], step: Callable[[int], None]) -> Iterator[bytes]:
    """`head`, and the rest of `stream`, of which it was read."""
    if head:
        step(len(head))
        yield head
    while chunk := stream.read(_CHUNK):
        step(len(chunk))
        yield chunk


def _text(part: Part) -> str | None:
    """The text of an XML or JSON message for the eye, in the first character set that all of it is in."""
    if part.syntax is None or part.size > _LONGEST_TEXT:
        return None
    body = part.body
    codecs = ("utf-16",) if body.startswith((b"\xff\xfe", b"\xfe\xff")) else ("utf-8-sig", "gb18030")
    for codec in codecs:
        try:
            return body.decode(codec)
        except UnicodeDecodeError:
            continue
    return body.decode("latin-1")
