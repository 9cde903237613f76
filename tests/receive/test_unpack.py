"""What arrives is recognised, unwrapped under caps, or refused with a reason."""

from __future__ import annotations

import gzip
import io
import zipfile
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import PayloadTooLarge, PayloadUnreadable
from gateway.model import Syntax
from gateway.receive.unpack import MAX_PARTS, sniff, unpack


@pytest.mark.parametrize(
    ("body", "syntax"),
    [
        (b"UNA:+.? 'UNB+UNOA:1+A+B+260101:1200+1'", Syntax.EDIFACT),
        (b"\r\n UNB+UNOC:3+A+B", Syntax.EDIFACT),  # blank lines before the service string
        (b"UNH+1+CUSDEC:D:96B:UN'", Syntax.EDIFACT),  # no interchange header at all
        (b"ISA*00*          *", Syntax.X12),
        (b"ISA|00|          |", Syntax.X12),  # any element separator
        (b"ST*997*0001~", Syntax.X12),
        (b"\xef\xbb\xbf<?xml version='1.0'?><a/>", Syntax.XML),
        ("<a/>".encode("utf-16"), Syntax.XML),
        ("<a/>".encode("utf-16-le"), Syntax.XML),  # no byte order mark
        (b'  {"document": "declaration"}', Syntax.JSON),
        (b"[]", Syntax.JSON),
        (b"", None),
        (b"hello", None),
        (b"\x00\x01\x02", None),
        (b"%PDF-1.7", None),
    ],
)
def test_sniff(body: bytes, syntax: Syntax | None) -> None:
    """The first characters tell the syntax."""
    assert sniff(body) is syntax


@given(st.binary(max_size=200))
def test_sniff_never_raises(body: bytes) -> None:
    """No bytes at all make the sniffer raise."""
    assert sniff(body) in (None, *Syntax)


def _zip(*files: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, body in files:
            archive.writestr(name, body)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "wrapped",
    [
        b"<a/>",
        gzip.compress(b"<a/>", mtime=0),  # told by its first bytes
        _zip(("a.xml", b"<a/>")),
    ],
)
def test_unpack_gives_what_was_wrapped(wrapped: bytes) -> None:
    """Every wrapping gives the same bytes back."""
    (part,) = unpack(wrapped, 1000)
    assert part.body == b"<a/>"
    assert part.syntax is Syntax.XML


def test_all_members_of_a_gzip_file_are_read() -> None:
    """Files that were compressed one by one and put together are read to the end; zeros behind them are padding."""
    together = gzip.compress(b"<a>", mtime=0) + gzip.compress(b"", mtime=0) + gzip.compress(b"</a>", mtime=0)
    for wrapped in (together, together + bytes(512)):
        assert [part.body for part in unpack(wrapped, 1000)] == [b"<a></a>"]


@pytest.mark.parametrize(
    "wrapped",
    [
        gzip.compress(b"0" * 10_000_000, mtime=0),
        gzip.compress(b"0" * 60_000, mtime=0) * 2,  # the limit is of all members together
        _zip(("bomb", b"0" * 10_000_000)),
        _zip(("half", b"0" * 60_000), ("of a bomb", b"0" * 60_000)),
    ],
)
def test_a_bomb_is_refused_at_the_limit(wrapped: bytes) -> None:
    """What unpacks to more than the limit is refused, however small it came."""
    with pytest.raises(PayloadTooLarge):
        list(unpack(wrapped, 100_000))


@pytest.mark.parametrize(
    "wrapped",
    [
        gzip.compress(b"<a/>" * 100, mtime=0)[:-9],  # cut short
        b"\x1f\x8b\x08\x00nonsense",
        gzip.compress(b"<a/>", mtime=0) + b"UNB+UNOA:1",  # more than is compressed
        gzip.compress(b"<a/>", mtime=0) + gzip.compress(b"<b/>" * 100, mtime=0)[:-9],
        _zip(("a", b"<a/>"), method=zipfile.ZIP_BZIP2),
        _zip(("a", b"<a/>"), method=zipfile.ZIP_LZMA),
        b"PK\x03\x04nonsense",
        _zip(("inner.zip", _zip(("a", b"<a/>")))),
    ],
)
def test_damage_is_refused(wrapped: bytes) -> None:
    """Damaged, nested or unknown wrappings are unreadable, and say so."""
    with pytest.raises(PayloadUnreadable):
        list(unpack(wrapped, 100_000))


def test_too_many_files_are_refused() -> None:
    """An archive of very many files is refused before any of them is read."""
    with pytest.raises(PayloadTooLarge):
        list(unpack(_zip(*((f"{n}.edi", b"x") for n in range(MAX_PARTS + 1))), 10**9))


@given(
    st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=4),
)
def test_a_mangled_archive_is_unreadable_or_read(method: int, mangled: list[tuple[int, int]]) -> None:
    """Whatever bytes of an archive are changed, it is read or refused with a reason; nothing else comes of it."""
    wrapped = bytearray(_zip(("a.edi", b"UNB+" * 50), ("b.edi", b"x" * 300), method=method))
    for place, value in mangled:
        wrapped[4 + place % (len(wrapped) - 4)] = value  # it still begins as an archive
    with suppress(PayloadUnreadable, PayloadTooLarge):
        list(unpack(bytes(wrapped), 100_000))
