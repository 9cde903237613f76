"""Receipts as rows (gateway/store/leaves.py)."""

from __future__ import annotations

import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.store.leaves import pack_leaf, unpack_leaf

DELIVERED = (
    b'{"answer_sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","at":"2026-11-26T14:58:12.736305Z"'
    b',"case":"","delivery":"01a2185d3a5a7ed132d7efc4975d2606","document":"acknowledgement","environment":"production",'
    b'"evidence":"http_status","kind":"acknowledgement","log":"test.example/log","message":"01a2185d3a5a7ed196704776f4bd7722",'
    b'"recipient":"dfeefed435fb26f7cc27ee01127247fa2c131372acad32bad9cf7ba533799b74","recipient_role":"enterprise",'
    b'"sha256":"26c20a701cd2b362870be10c8e77f7c002efbc96d80ebe18bb31c9facd40bec7","size":155,"stage":"delivered","version":1}'
)
WRITTEN = bytes.fromhex("4889")
"""How a value begins that was deflated with a window of 4 KiB; bit 5 of the second byte tells that it has a dictionary
(RFC 1950, 2.2)."""


@given(st.binary(max_size=300) | st.dictionaries(st.text(), st.text()).map(lambda said: json.dumps(said).encode()))
def test_a_leaf_is_read_back_to_the_byte(leaf: bytes) -> None:
    """Whatever was hashed is what is read, however it is kept; a receipt is JSON, and begins with a brace."""
    leaf = b"{" + leaf
    assert unpack_leaf(pack_leaf(leaf)) == leaf


def test_a_receipt_takes_less_than_half_of_its_bytes() -> None:
    """Half of a receipt is digests and ids, which nothing makes shorter; the rest hardly takes room."""
    packed = pack_leaf(DELIVERED)
    assert len(packed) < len(DELIVERED) / 2
    assert packed[0] == WRITTEN[0]
    assert packed[1] & 0x20
    assert unpack_leaf(packed) == DELIVERED


def test_a_row_from_before_is_read_as_it_is() -> None:
    """Receipts were kept as they are; those rows stay."""
    assert unpack_leaf(DELIVERED) == DELIVERED


@pytest.mark.parametrize(
    "damaged",
    [
        pack_leaf(DELIVERED)[:-1],
        pack_leaf(DELIVERED) + b"x",
        pack_leaf(DELIVERED)[:40] + b"\x00" + pack_leaf(DELIVERED)[41:],
        zlib.compress(b"{}", wbits=12),
        WRITTEN,
    ],
    ids=["cut", "longer", "changed", "another", "a beginning"],
)
def test_a_damaged_row_is_never_the_leaf(damaged: bytes) -> None:
    """It raises nothing, and gives other bytes than those that were signed, so that the audit finds it."""
    assert unpack_leaf(damaged) != DELIVERED


def test_rows_that_were_written_are_read_for_ever() -> None:
    """A row as the first version of the dictionary wrote it: whoever changes the dictionary makes it unreadable."""
    kept = bytes.fromhex(FIRST)
    assert unpack_leaf(kept) == DELIVERED


FIRST = (
    "482c82068818bd944b4e83310c844fd4e247e2497a0e2e90d8c90a24961c1fff525555555556b0f653fec6f39777153b319fc4deb95c6a"
    "bbb09ca1a6540f913d3d38f1106e3574d481fc3d95c0da5e3a6a889165dd7f03391ce7bcbec7e7d7c77a3b18dd037adcb71ba800b6cb0c"
    "4024936fc40e047be5cb46d1baa7d886bb602d621648c11ee2acac90e123340d29ba6fcc5155d1fb44b96ff75a00622e3440ec21534d1a"
    "682e266f0bc8b944b2f6f46ed16865a0cda9ec3dbd2a4a263a72d25540b5fe2aa11fd49badf4"
)
