"""Reads a bundle's zip file so that no other program can read something else in it.

General readers are lenient: they look for the directory backwards from the end, believe it or the
entries' own headers where the two differ, cut names at a NUL, take the last of two files of one name,
and pass over whatever lies between, before and behind. Evidence must not mean one thing to one of them
and another to the next, so here a zip file is exactly its entries, one directly after the other, its
directory, which repeats each entry's header, and the record that ends it (PKWARE APPNOTE.TXT, 4.3).
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass
from typing import Final

from gateway.errors import PayloadTooLarge, ReceiptInvalid

_LOCAL: Final = struct.Struct("<4s5H3L2H")
"""Local file header (4.3.7): signature, version, flags, method, time, date, CRC, two sizes, lengths of name and extra."""
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
"""Central directory header (4.3.12)."""
_END: Final = struct.Struct("<4s4H2LH")
"""End of central directory record (4.3.16)."""
_END_64: Final = struct.Struct("<4sQ2H2L4Q")
"""Zip64 end of central directory record (4.3.14), written where there are more than 65,534 files."""
_LOCATOR_64: Final = struct.Struct("<4sLQL")
"""Zip64 end of central directory locator (4.3.15)."""

_STORED, _DEFLATED = 0, 8
_DESCRIPTOR: Final = 1 << 3
"""Flag: CRC and sizes stand behind the data instead of before it, as those write who cannot go back (4.4.4)."""
_FLAGS: Final = 0b110 | _DESCRIPTOR | 1 << 11
"""Flags that may be set: how hard deflate tried, a descriptor, names in UTF-8. Not: encrypted, patched."""
_KINDS: Final = frozenset({0, 0o04, 0o10})
"""Kinds of files (the upper four bits of a Unix mode): unknown, folder, regular. Not: a link to something else."""
_EXTRAS: Final = frozenset({0x5455, 0x7875, 0x5855, 0x7855, 0x000A})
"""Extra fields that may stand: times and owners as unzipping tools keep them. Not: another name, another size."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry, as the directory has it."""

    name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What is read at all: so many unpacked bytes, so many files, and only such names (a folder's without its slash)."""

    size: int
    files: int
    name: re.Pattern[str]


def read(content: bytes, limits: Limits) -> dict[str, bytes]:
    """The files in a zip file by their names, folders left out.

    ReceiptInvalid where two readers could differ about it or a name is unusual, PayloadTooLarge beyond
    the limits.
    """
    try:
        count, start, end = _directory(content)
        if count > limits.files:
            raise PayloadTooLarge("the bundle holds more files than allowed")
        entries = _entries(content, count, start, end)
    except struct.error as error:
        raise ReceiptInvalid("the bundle is no readable zip file") from error
    # What an entry unpacks to is bounded by the size announced for it, so that this sum bounds a zip bomb.
    if sum(entry.size for entry in entries) > limits.size:
        raise PayloadTooLarge("the bundle unpacks to more than allowed")
    position = 0
    files: dict[str, bytes] = {}
    seen: set[bytes] = set()
    for entry in sorted(entries, key=lambda one: one.offset):
        # Some file systems do not tell upper case from lower.
        plain = entry.name.rstrip(b"/").lower()
        if plain in seen or entry.offset != position:
            raise ReceiptInvalid("the bundle holds two files of one name, or something between its files")
        seen.add(plain)
        try:
            data, position = _data(content, entry)
            name = entry.name.decode("ascii")
        except (struct.error, zlib.error, UnicodeDecodeError) as error:
            raise ReceiptInvalid("a file of the bundle is damaged") from error
        if not limits.name.fullmatch(name.removesuffix("/")) or (name.endswith("/") and data):
            raise ReceiptInvalid("the bundle holds an unusual name, or a folder with content")
        if not name.endswith("/"):
            files[name] = data
    if position != start:
        raise ReceiptInvalid("the bundle holds something between its files and its directory")
    return files


def _directory(content: bytes) -> tuple[int, int, int]:
    """How many entries the directory has, where it starts, and where it ends; it is the file's end but for its records."""
    at = len(content) - _END.size
    if at < 0:
        raise ReceiptInvalid("the bundle is no zip file")
    signature, disk, start_disk, here, count, size, start, comment = _END.unpack_from(content, at)
    if signature != b"PK\5\6" or comment or disk or start_disk or here != count:
        raise ReceiptInvalid("the bundle does not end as a zip file in one part without a comment does")
    end = at
    at -= _LOCATOR_64.size
    if count == 0xFFFF and content[max(at, 0) : max(at, 0) + 4] == b"PK\6\7":
        _, disk, end, disks = _LOCATOR_64.unpack_from(content, at)
        if disk or disks != 1 or end != at - _END_64.size:
            raise ReceiptInvalid("the zip64 records of the bundle do not stand at its end")
        found, length, _, _, disk, start_disk, here, count, size_64, start_64 = _END_64.unpack_from(content, end)
        if found != b"PK\6\6" or length != _END_64.size - 12 or disk or start_disk or here != count:
            raise ReceiptInvalid("the zip64 records of the bundle are malformed")
        if size not in {0xFFFFFFFF, size_64} or start not in {0xFFFFFFFF, start_64}:
            raise ReceiptInvalid("the records at the bundle's end contradict each other")
        size, start = size_64, start_64
    if start + size != end:
        raise ReceiptInvalid("the directory of the bundle is not where its end says")
    return count, start, end


def _entries(content: bytes, count: int, at: int, end: int) -> list[_Entry]:
    """The entries that the directory lists, which is exactly from `at` to `end`."""
    entries: list[_Entry] = []
    for _ in range(count):
        signature, _, _, flags, method, _, _, crc, packed, size, name, extra, comment, disk, _, kind, offset = (
            _CENTRAL.unpack_from(content, at)
        )
        at += _CENTRAL.size
        usual = method in {_STORED, _DEFLATED} and not flags & ~_FLAGS and kind >> 28 in _KINDS
        if signature != b"PK\1\2" or comment or disk or not usual:
            raise ReceiptInvalid("the directory of the bundle is malformed, or says something unusual")
        _check_extra(content[at + name : at + name + extra], extra)
        entries.append(_Entry(content[at : at + name], flags, method, crc, packed, size, offset))
        at += name + extra
    if at != end:
        raise ReceiptInvalid("the directory of the bundle is longer or shorter than its end says")
    return entries


def _data(content: bytes, entry: _Entry) -> tuple[bytes, int]:
    """The unpacked bytes of an entry, whose own header says what the directory says, and where it ends."""
    at = entry.offset
    signature, _, flags, method, _, _, crc, packed, size, name, extra = _LOCAL.unpack_from(content, at)
    at += _LOCAL.size
    described = bool(flags & _DESCRIPTOR)
    said = {(crc, packed, size)} - ({(0, 0, 0)} if described else set())
    if (
        signature != b"PK\3\4"
        or (flags, method) != (entry.flags, entry.method)
        or content[at : at + name] != entry.name
        or not said <= {(entry.crc, entry.packed, entry.size)}
        # A reader that goes forward could not tell where stored bytes end.
        or (described and method == _STORED)
    ):
        raise ReceiptInvalid("a file of the bundle is not what its directory says")
    _check_extra(content[at + name : at + name + extra], extra)
    at += name + extra
    packed_bytes = content[at : at + entry.packed]
    at += entry.packed
    data = packed_bytes if method == _STORED else _inflate(packed_bytes, entry.size)
    if len(packed_bytes) != entry.packed or len(data) != entry.size or zlib.crc32(data) != entry.crc:
        raise ReceiptInvalid("a file of the bundle is damaged")
    if described:
        at += 4 * (content[at : at + 4] == b"PK\7\x08")  # its signature is optional (4.3.9.3)
        if struct.unpack_from("<3L", content, at) != (entry.crc, entry.packed, entry.size):
            raise ReceiptInvalid("a file of the bundle is not what its directory says")
        at += 12
    return data, at


def _inflate(packed: bytes, size: int) -> bytes:
    """The unpacked bytes; nothing may be left over, behind them or of them."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    data = inflater.decompress(packed, size + 1)
    if not inflater.eof or inflater.unused_data or inflater.unconsumed_tail:
        raise ReceiptInvalid("a file of the bundle is damaged")
    return data


def _check_extra(extra: bytes, length: int) -> None:
    """ReceiptInvalid where an extra field says more than times and owners, or is cut short."""
    at = 0
    while at < len(extra):
        kind, size = struct.unpack_from("<2H", extra, at)
        if kind not in _EXTRAS:
            raise ReceiptInvalid("an extra field of the bundle says something unusual")
        at += 4 + size
    if at != len(extra) or length != len(extra):
        raise ReceiptInvalid("an extra field of the bundle is malformed")
