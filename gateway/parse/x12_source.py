"""The bytes of an X12 source that are not read yet: filled on demand, consumed from the front."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator

CHUNK = 1 << 16
"""Bytes read and split at a time."""
_BLANK = re.compile(rb"[\r\n\t \0\x1a]*")
_ISA_START = re.compile(rb"ISA[^A-Za-z0-9\s]")


class Source:
    """A buffer over chunks of bytes.

    `data` is a bytearray because that grows at its end and shrinks at its front without moving what is left,
    so that no input makes consuming it cost more than its length.
    """

    def __init__(self, source: bytes | Iterable[bytes], charset: str) -> None:
        chunks = _slices(source) if isinstance(source, bytes | bytearray | memoryview) else iter(source)
        self._chunks = _transcoded(chunks, charset) if charset else chunks
        self.data = bytearray()

    def more(self) -> bool:
        """Append at least one chunk; False at the end of the source."""
        return self.need(len(self.data) + 1, at_once=CHUNK)

    def need(self, size: int, at_once: int = 0) -> bool:
        """Whether `size` bytes are there, after reading what it takes (and up to `at_once` bytes with it)."""
        if len(self.data) < size:
            enough = max(size, len(self.data) + at_once)
            for chunk in self._chunks:
                self.data += chunk
                if len(self.data) >= enough:
                    break
        return len(self.data) >= size

    def unwrap(self) -> None:
        """Take all line ends out of what is left: the sender's lines are of 80 characters, whatever stands in them."""
        self.data = bytearray(self.data.translate(None, b"\r\n"))
        self._chunks = (chunk.translate(None, b"\r\n") for chunk in self._chunks)

    def drop(self, size: int) -> None:
        """Consume `size` bytes."""
        del self.data[:size]

    def take(self, size: int) -> bytes:
        """Consume `size` bytes and give them."""
        taken = bytes(self.data[:size])
        del self.data[:size]
        return taken

    def skip_blank(self) -> bool:
        """Consume line ends and padding; False when nothing else is left."""
        while True:
            blank = _BLANK.match(self.data)
            if blank and blank.end():
                self.drop(blank.end())
            if self.data or not self.more():
                return bool(self.data)

    def skip_to_isa(self) -> None:
        """Consume everything before the next thing that looks like an ISA, or all there is."""
        while True:
            if found := _ISA_START.search(self.data):
                self.drop(found.start())
                return
            self.drop(len(self.data) - 3)
            if not self.more():
                self.drop(len(self.data))
                return


def _slices(source: bytes | bytearray | memoryview) -> Iterator[bytes]:
    view = memoryview(source)
    return (bytes(view[at : at + CHUNK]) for at in range(0, len(view), CHUNK))


def _transcoded(chunks: Iterator[bytes], charset: str) -> Iterator[bytes]:
    """`chunks` in UTF-8, whose trail bytes are never taken for separators; what is no `charset` is replaced."""
    name = codecs.lookup(charset).name
    if name in {"utf-8", "ascii"}:
        yield from chunks
        return
    decoder = codecs.getincrementaldecoder(name)(errors="replace")
    for chunk in chunks:
        yield decoder.decode(chunk).encode()
    yield decoder.decode(b"", final=True).encode()
