"""The proof that travels with a receipt: place, inclusion hashes and checkpoint, as a C2SP tlog-proof file."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from gateway.errors import ReceiptInvalid
from gateway.receipt import chain
from gateway.receipt.signed import MAX_NOTE, Checkpoint, Verifier

HEADER = "c2sp.org/tlog-proof@v1"
MAX_HASHES = 63
"""A tree of 2**63 leaves is no higher."""

MAX_SIZE = 2 * MAX_NOTE
"""Bytes of a proof file that is read at all: a note of the longest, and a receipt."""


@dataclass(frozen=True, slots=True)
class Proof:
    """That the leaf at `index` is in the tree of `checkpoint`, a signed note.

    `receipt` may carry the leaf itself, in the file's `extra` line, so that one file is the whole
    evidence. The format calls that line unauthenticated; here the leaf hash authenticates it.
    """

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: str
    receipt: bytes = b""

    def text(self) -> str:
        """The file, in UTF-8 when written."""
        extra = [f"extra {base64.b64encode(self.receipt).decode()}"] if self.receipt else []
        hashes = [base64.b64encode(value).decode() for value in self.hashes]
        return "\n".join([HEADER, *extra, f"index {self.index}", *hashes, "", self.checkpoint])

    @classmethod
    def parse(cls, text: str) -> Proof:
        """The inverse of `text`; ReceiptInvalid where it is no proof file, or is written in another way."""
        head, _, checkpoint = text.partition("\n\n")
        header, *lines = head.split("\n")
        receipt = b""
        if lines and lines[0].startswith("extra "):
            receipt = _base64(lines.pop(0).removeprefix("extra "))
        index = re.fullmatch("index (0|[1-9][0-9]{0,18})", lines[0]) if lines else None
        if header != HEADER or index is None or len(lines) > MAX_HASHES + 1:
            raise ReceiptInvalid("this is no proof file")
        found = cls(int(index[1]), tuple(_base64(line) for line in lines[1:]), checkpoint, receipt)
        if found.text() != text or not all(len(value) == chain.HASH_SIZE for value in found.hashes):
            raise ReceiptInvalid("this is no proof file")
        return found

    def check(self, body: bytes, verifier: Verifier) -> Checkpoint:
        """The checkpoint, whose tree holds the receipt `body` at this index; ReceiptInvalid where it does not."""
        head = verifier.checkpoint(self.checkpoint)
        if not chain.verify_inclusion(chain.leaf_hash(body), self.index, head.size, self.hashes, head.root):
            raise ReceiptInvalid(f"the log does not hold this receipt at {self.index}")
        return head


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ReceiptInvalid("this is no proof file") from None
