"""Which syntax some bytes are in, and what is inside a compressed payload, under caps.

A payload is kept as it arrived; unpacking happens each time it is read, so a partner's digest is
always of the bytes the partner sent.

What is compressed is read twice: once to its end, so that nothing of it is taken before its size and its
checksum are known, and then again, piece by piece, by whoever reads the part. So a part of any size takes
neither memory nor room on the disk.
"""

from __future__ import annotations

import io
import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from gateway.errors import PayloadTooLarge, PayloadUnreadable
from gateway.model import Syntax

_EDIFACT_TAGS = (b"UNA", b"UNB", b"UNG", b"UNH", b"UIB")
_X12_TAGS = (b"ISA", b"GS*", b"ST*", b"TA1")
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_UTF8_MARK = b"\xef\xbb\xbf"
_WHITE = b" \t\r\n"
_GZIP_MARK, _ZIP_MARK = b"\x1f\x8b", b"PK\x03\x04"

MAX_PARTS = 1000
"""Files in one zip: a partner's day batch holds hundreds; more is taken for an attack."""

MAX_MEMBERS = 10_000
"""Members of one gzip file: tools that write blocks (bgzip, of 64 KiB) need 8,192 for the largest payload unpacked,
others one. An empty member takes 20 bytes and as many microseconds."""

RATIO = 200
"""How many times its size a payload may unpack to: EDI text is packed ten to fifty times, the most repetitive of
it a hundred times. What unpacks to a thousand times its size was made to."""

RATIO_FREE = 16 << 20
"""Bytes up to which nobody asks for the ratio: so much is read in a second, and a small file of blanks is no attack."""

_MAX_DIRECTORY = 1 << 20
"""Bytes of an archive's directory: a kilobyte for each of its files."""

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""What zip tools write unasked. Others decompress without a bound on the memory they take."""

_PIECE = 1 << 16
"""Bytes that are read or unpacked at once."""

_GZIP = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class Part:
    """One readable piece of a payload; `syntax` is None where nothing readable was recognised."""

    name: str
    syntax: Syntax | None
    size: int
    pieces: Callable[[], Iterator[bytes]]
    """Reads it from its beginning, while the payload is being unpacked."""

    @property
    def body(self) -> bytes:
        """All of it in memory."""
        return b"".join(self.pieces())


def sniff(body: bytes) -> Syntax | None:
    """The syntax `body` begins in, judged by its first characters; None where it is none of ours."""
    head = body[:4096]
    if head.startswith(_UTF16_MARKS):
        head = head[: len(head) // 2 * 2].decode("utf-16", "replace").encode()
    head = head.removeprefix(_UTF8_MARK).lstrip(_WHITE)
    if head.startswith(_EDIFACT_TAGS):
        return Syntax.EDIFACT
    if head.startswith(_X12_TAGS):
        return Syntax.X12
    if head.startswith(b"<"):
        return Syntax.XML
    # UTF-16 without a mark is XML's alone to allow (XML 1.0, appendix F).
    if head.startswith((b"<\x00", b"\x00<")):
        return Syntax.XML
    if head.startswith((b"{", b"[")):
        return Syntax.JSON
    return None


def is_packed(head: bytes) -> bool:
    """Whether a payload that begins with `head` is compressed, so that its size says nothing of what is in it."""
    return head.startswith((_GZIP_MARK, _ZIP_MARK))


def unpack(source: bytes | Path, limit: int, *, ratio: int = RATIO) -> Iterator[Part]:
    """The parts of a payload, given as bytes or as the file that holds them: itself, or what its gzip or zip holds.

    Raises PayloadTooLarge where more than `limit` bytes come out, or more than `ratio` times what came in,
    PayloadUnreadable where the wrapping is broken or nested. A part can be read until the next one is asked for.
    """
    with source.open("rb") if isinstance(source, Path) else nullcontext(io.BytesIO(source)) as file:
        packed = file.seek(0, os.SEEK_END)
        bound = _Bound(limit, packed, ratio)
        if _head(file).startswith(_GZIP_MARK):
            part = _read_through(lambda: _inflated(file), bound, _GZIP_DAMAGED)
        else:
            part = Part("", sniff(_head(file)), packed, lambda: _from_start(file))
        if part.syntax is None and next(part.pieces(), b"").startswith(_ZIP_MARK):
            if part.size == packed and not _head(file).startswith(_GZIP_MARK):
                yield from _unzip(file, bound)
            else:
                with tempfile.TemporaryFile() as archive:  # an archive is read at any place, which a stream cannot be
                    archive.writelines(part.pieces())
                    yield from _unzip(archive, _Bound(limit, packed, ratio))
        else:
            yield part


class _Bound:
    """How much may still come out of a payload."""

    def __init__(self, limit: int, packed: int, ratio: int) -> None:
        by_ratio = max(RATIO_FREE, packed * ratio)
        self._error = f"The payload unpacks to more than {limit} bytes."
        if by_ratio < limit:
            self._error = f"The payload unpacks to more than {ratio} times its size."
        self._left = min(limit, by_ratio)

    def take(self, size: int) -> None:
        """PayloadTooLarge where more has come out than may."""
        self._left -= size
        if self._left < 0:
            raise PayloadTooLarge(self._error)


_GZIP_DAMAGED = "The compressed payload is damaged, cut short, or not all of it is gzip."


def _head(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read(4096)


def _from_start(file: BinaryIO) -> Iterator[bytes]:
    file.seek(0)
    return iter(lambda: file.read(_PIECE), b"")


def _read_through(pieces: Callable[[], Iterator[bytes]], bound: _Bound, damaged: str, name: str = "") -> Part:
    """The part that `pieces` gives, after it was read to its end once."""
    head, size = b"", 0
    try:
        for piece in pieces():
            if len(head) < 4096:
                head += piece[:4096]
            size += len(piece)
            bound.take(len(piece))
    except (PayloadTooLarge, PayloadUnreadable):
        raise
    except Exception as error:  # on damaged archives the library raises far more than it documents
        raise PayloadUnreadable(damaged) from error
    return Part(name, sniff(head), size, pieces)


def _inflated(file: BinaryIO) -> Iterator[bytes]:
    """What is compressed in `file`: all members of a gzip file, which are one file together (RFC 1952, 2.2).

    Raises zlib.error or EOFError where it is damaged or cut short; zeros behind a gzip file are padding.
    """
    inflater = zlib.decompressobj(_GZIP)
    members, begun = 1, False
    for piece in _from_start(file):
        rest = piece
        while rest:
            if inflater.eof:
                if not (rest := rest.lstrip(b"\0")):
                    break
                members += 1
                if members > MAX_MEMBERS:
                    raise PayloadTooLarge(f"The compressed payload has more than {MAX_MEMBERS} members.")
                inflater = zlib.decompressobj(_GZIP)
            begun = True
            plain = inflater.decompress(rest, _PIECE)
            if plain:
                yield plain
            rest = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
    if not inflater.eof:
        raise EOFError("cut short" if begun else "empty")


class _Cautious(io.RawIOBase):
    """An archive's file as the library reads it: in small pieces, but for a directory larger than any we take."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int | None = -1) -> bytes:
        if size is not None and size > _MAX_DIRECTORY:
            raise PayloadTooLarge(f"The archive holds more than {MAX_PARTS} files.")
        return self._file.read(-1 if size is None else size)


def _unzip(file: BinaryIO, bound: _Bound) -> Iterator[Part]:
    """The files of a zip archive, their sizes counted as they come out, whatever its directory claims."""
    try:
        archive = zipfile.ZipFile(_Cautious(file))
        members = [member for member in archive.infolist() if not member.is_dir()]
    except PayloadTooLarge:
        raise
    except Exception as error:
        raise PayloadUnreadable(_ARCHIVE_DAMAGED) from error
    if not members:
        raise PayloadUnreadable("The archive is empty.")
    if len(members) > MAX_PARTS:
        raise PayloadTooLarge(f"The archive holds more than {MAX_PARTS} files.")
    if any(member.compress_type not in _METHODS for member in members):
        raise PayloadUnreadable("Of the compressions within an archive, deflate is supported.")
    for member in members:
        part = _read_through(_member(archive, member), bound, _ARCHIVE_DAMAGED, member.filename)
        if part.syntax is None and is_packed(next(part.pieces(), b"")):
            raise PayloadUnreadable("An archive inside an archive is not read.")
        yield part


_ARCHIVE_DAMAGED = "The archive is damaged or encrypted."


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Callable[[], Iterator[bytes]]:
    def pieces() -> Iterator[bytes]:
        with archive.open(member) as file:
            yield from iter(lambda: file.read(_PIECE), b"")

    return pieces
