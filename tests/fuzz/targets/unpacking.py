"""Unpacking: parts within the limit, or one of the two refusals."""

import contextlib

from gateway.errors import PayloadTooLarge, PayloadUnreadable
from gateway.receive.unpack import unpack
from tests.fuzz.invariants import Budget

SEEDS = ("*.zip", "*.gz", "*.json")
LIMIT = 1 << 20


def one(body: bytes) -> None:
    """Never more comes out than the limit allows."""
    with Budget(body), contextlib.suppress(PayloadTooLarge, PayloadUnreadable):
        out = 0
        for part in unpack(body, LIMIT):
            out += len(part.body)
            assert out <= max(LIMIT, len(body))
