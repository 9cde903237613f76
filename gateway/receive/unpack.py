"""Which syntax some bytes are in, and what is inside a compressed payload, under caps.

A payload is kept as it arrived; unpacking happens each time it is read, so a partner's digest is
always of the bytes the partner sent.
"""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gateway.errors import PayloadTooLarge, PayloadUnreadable
from gateway.model import Syntax

_EDIFACT_TAGS = (b"UNA", b"UNB", b"UNG", b"UNH")
_X12_TAGS = (b"ISA", b"GS*", b"ST*", b"TA1")
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_UTF8_MARK = b"\xef\xbb\xbf"
_WHITE = b" \t\r\n"

MAX_PARTS = 1000
"""Files in one zip: a partner's day batch holds hundreds; more is taken for an attack."""

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""What zip tools write unasked. Others decompress without a bound on the memory they take."""

_PIECE = 1024 * 1024
"""Bytes that are unpacked at once."""


@dataclass(frozen=True, slots=True)
class Part:
    """One readable piece of a payload; `syntax` is None where nothing readable was recognised."""

    name: str
    syntax: Syntax | None
    body: bytes


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


def unpack(body: bytes, limit: int, content_encoding: str = "") -> Iterator[Part]:
    """The parts of a payload: itself, or what its gzip or zip wrapping holds.

    Raises PayloadTooLarge where more than `limit` bytes come out, PayloadUnreadable where the
    wrapping is broken or nested.
    """
    encoding = content_encoding.strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
        raise PayloadUnreadable(f"Content-Encoding {encoding} is not supported.")
    if encoding == "deflate":
        body = _inflate(body, limit)
    elif encoding.endswith("gzip") or body.startswith(b"\x1f\x8b"):
        body = _gunzip(body, limit)
    if body.startswith(b"PK\x03\x04"):
        yield from _unzip(body, limit)
    else:
        yield Part("", sniff(body), body)


def _inflate(body: bytes, limit: int) -> bytes:
    """A zlib stream (RFC 1950), never holding more than `limit` bytes of output."""
    inflater = zlib.decompressobj()
    try:
        plain = inflater.decompress(body, limit + 1)
    except zlib.error as error:
        raise PayloadUnreadable("The compressed payload is damaged.") from error
    if len(plain) > limit:
        raise _too_large(limit)
    if not inflater.eof:
        raise PayloadUnreadable("The compressed payload is cut short.")
    if inflater.unused_data:
        raise PayloadUnreadable("Something stands behind the compressed payload.")
    return plain


def _gunzip(body: bytes, limit: int) -> bytes:
    """All members of a gzip file, which are one file together (RFC 1952, 2.2)."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as file:
            plain = _read(file.read, limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise PayloadUnreadable("The compressed payload is damaged, cut short, or not all of it is gzip.") from error
    if len(plain) > limit:
        raise _too_large(limit)
    return plain


def _read(read: Callable[[int], bytes], most: int) -> bytes:
    """What there is to read, `most` bytes of it at most; in pieces, so that no room is taken for what does not come."""
    pieces = []
    while most > 0 and (piece := read(min(most, _PIECE))):
        most -= len(piece)
        pieces.append(piece)
    return b"".join(pieces)


def _too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The payload unpacks to more than {limit} bytes.")


def _unzip(body: bytes, limit: int) -> Iterator[Part]:
    """The files of a zip archive, their sizes counted as they come out, whatever its directory claims."""
    left = limit
    try:
        archive = zipfile.ZipFile(io.BytesIO(body))
        members = [m for m in archive.infolist() if not m.is_dir()]
    except Exception as error:
        raise _damaged() from error
    if not members:
        raise PayloadUnreadable("The archive is empty.")
    if len(members) > MAX_PARTS:
        raise PayloadTooLarge(f"The archive holds more than {MAX_PARTS} files.")
    if any(member.compress_type not in _METHODS for member in members):
        raise PayloadUnreadable("Of the compressions within an archive, deflate is supported.")
    for member in members:
        try:
            with archive.open(member) as file:
                plain = _read(file.read, left + 1)
        except Exception as error:
            raise _damaged() from error
        left -= len(plain)
        if left < 0:
            raise _too_large(limit)
        if plain.startswith((b"PK\x03\x04", b"\x1f\x8b")):
            raise PayloadUnreadable("An archive inside an archive is not read.")
        yield Part(member.filename, sniff(plain), plain)


def _damaged() -> PayloadUnreadable:
    """For whatever the library runs into: on damaged archives it raises far more than it documents."""
    return PayloadUnreadable("The archive is damaged or encrypted.")
