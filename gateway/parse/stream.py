"""Text of a payload as it comes in, decoded piece by piece, with the bytes still to be had back.

Undecodable bytes become lone surrogates (PEP 383), so that what was read under one character set can be
turned back into bytes and read under the next interchange's, or taken as a binary object. They are for `text` alone:
whoever takes a value from it has it `mended`, since a surrogate cannot be written in any character set.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator

CHUNK = 65_536
"""Bytes read at a time; more where what is held back is more, so that joining stays linear."""

BLANK = "\r\n\t \0\x1a\ufeff"
"""What may stand between segments: line breaks, and what editors and mainframes leave at an end."""
_BLANKS = re.compile(f"[{BLANK}]*")
_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPED = re.compile("[\udc00-\udcff]*")
_ESCAPE = "gateway.parse.stream"


def undecodable(text: str) -> bool:
    """Whether `text` holds what stands for bytes that its character set does not have."""
    return not text.isascii() and _SURROGATE.search(text) is not None


def undecoded(text: str, codec: str) -> bytes:
    """The bytes that `text` was decoded from by `codec`."""
    return text.encode(codec, _ESCAPE)


def mended(text: str, stand_in: str = "\ufffd") -> str:
    """`text` with `stand_in` for each byte that its character set does not have."""
    return text if text.isascii() else _SURROGATE.sub(stand_in, text)


def _escaped(error: UnicodeError) -> tuple[str | bytes, int]:
    """As `surrogateescape`, but never raises: that one gives up on bytes below 0x80, and on single ones in UTF-16."""
    if isinstance(error, UnicodeDecodeError):
        return "".join(chr(0xDC00 + byte) for byte in error.object[error.start : error.end]), error.end
    if not isinstance(error, UnicodeEncodeError):
        raise error
    found = _ESCAPED.match(error.object, error.start)
    if not found or not found[0]:
        return "?", error.start + 1
    raw = bytes(ord(character) - 0xDC00 for character in found[0])
    # An odd byte in UTF-16 is the payload's last; zeros are blank there.
    return raw + b"\0" * (len(raw) % 2 if error.encoding.startswith("utf-16") else 0), found.end()


codecs.register_error(_ESCAPE, _escaped)


class Stream:
    """A payload's text from `at` on: `text[at:]` is what is not consumed yet."""

    def __init__(self, source: bytes | Iterable[bytes]) -> None:
        self._pieces = _pieces(source)
        self.codec = "latin-1"
        self.text = ""
        self.at = 0
        self._held = b""
        self._wire = ""
        """The codec that turns text back into its bytes, where `codec` would add a byte order mark."""
        self._sniff()

    def _sniff(self) -> None:
        """A byte order mark, or the zeros of UTF-16 letters, tell what no UNB can."""
        self._held = next(self._pieces, b"")
        while len(self._held) < 4 and (piece := next(self._pieces, b"")):
            self._held += piece
        if self._held.startswith(codecs.BOM_UTF8):
            self._held = self._held[3:]
        for mark, codec, wire in (
            (codecs.BOM_UTF16_LE, "utf-16", "utf-16-le"),
            (codecs.BOM_UTF16_BE, "utf-16", "utf-16-be"),
            (b"U\0N\0", "utf-16-le", "utf-16-le"),
            (b"\0U\0N", "utf-16-be", "utf-16-be"),
        ):
            if self._held.startswith(mark):
                self.codec, self._wire = codec, wire
                self._held = self._held[2:] if codec == "utf-16" else self._held
                break
        self._decoder = _decoder(self._wire or self.codec)

    @property
    def wide(self) -> bool:
        """Whether the text is UTF-16, whatever an envelope says."""
        return self.codec.startswith("utf-16")

    def more(self) -> bool:
        """Read on; False at the end of the payload."""
        wanted = max(CHUNK, (len(self.text) - self.at) // 2)
        parts, size = [self._held], len(self._held)
        while size < wanted and (piece := next(self._pieces, b"")):
            parts.append(piece)
            size += len(piece)
        self._held = b""
        new = self._decoder.decode(b"".join(parts), final=not size)
        self.text = self.text[self.at :] + new
        self.at = 0
        return bool(size or new)

    def have(self, count: int) -> bool:
        """Whether `count` characters are left, after reading on as needed."""
        while len(self.text) - self.at < count:
            if not self.more():
                return False
        return True

    def skip(self) -> None:
        """Step over what may stand between segments and interchanges."""
        while True:
            found = _BLANKS.match(self.text, self.at)
            self.at = found.end() if found else self.at
            if self.at < len(self.text) or not self.more():
                return

    def use(self, codec: str) -> None:
        """Read what is left under another character set; UTF-16 shows by itself or is not there."""
        if codec == self.codec or self.wide or codec.startswith("utf-16"):
            return
        self._held = self._bytes()
        self.codec = codec
        self._decoder = _decoder(codec)
        self.text, self.at = "", 0
        self.more()

    def take_bytes(self, count: int) -> bytes:
        """The next `count` bytes as they came, fewer at the end; the text goes on behind them."""
        raw = self._bytes()
        parts, size = [raw], len(raw)
        while size < count and (piece := next(self._pieces, b"")):
            parts.append(piece)
            size += len(piece)
        raw = b"".join(parts)
        self._held = raw[count:]
        self._decoder = _decoder(self._wire or self.codec)
        self.text, self.at = "", 0
        return raw[:count]

    def push_back(self, raw: bytes) -> None:
        """Give back bytes that were taken: the text goes on with them."""
        self.text = raw.decode(self._wire or self.codec, _ESCAPE) + self.text[self.at :]
        self.at = 0

    def _bytes(self) -> bytes:
        rest = self.text[self.at :].encode(self._wire or self.codec, _ESCAPE)
        return rest + self._decoder.getstate()[0] + self._held


def _decoder(codec: str) -> codecs.IncrementalDecoder:
    # UTF-16 and ISO 2022 reject bytes below 0x80 too; the others are faster without a handler of our own.
    errors = _ESCAPE if codec.startswith(("utf-16", "utf_16", "iso2022")) else "surrogateescape"
    return codecs.getincrementaldecoder(codec)(errors)


def _pieces(source: bytes | Iterable[bytes]) -> Iterator[bytes]:
    """`source` in pieces of at most CHUNK bytes, none of them empty."""
    for part in [source] if isinstance(source, bytes | bytearray | memoryview) else source:
        if len(part) <= CHUNK:
            if part:
                yield bytes(part)
            continue
        view = memoryview(part)
        for start in range(0, len(view), CHUNK):
            yield bytes(view[start : start + CHUNK])
