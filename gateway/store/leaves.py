"""Receipts as rows: deflated with a dictionary of what all of them say, in a third of the room of their bytes.

A leaf of the log is what was hashed, to the byte; so it is read back whole here, and nothing else knows how it is kept.
"""

from __future__ import annotations

import zlib
from typing import Any

from sqlalchemy import Dialect, LargeBinary, TypeDecorator

from gateway.store.sql import WINDOW_BITS, WINDOW_MEMORY

_SAID = (
    b'{"at":"20","code":"place":""severity":"error"warning""reasons":["answer":""certificate":""mic":"relay_answered"'
    b'"smtp_reply""mdn""size_of_file"","evidence":"http_status","kind":"document"response"acknowledgement"'
    b'"stage":"relayed"answered"rejected"partly_accepted"held"failed"edifact:CUSRES:D:96B:UN"x12:350:004010"xml:'
    b'"transport":"http"as2"smtp"sftp"folder""environment":"test","findings":[{"code":"","place":"","severity":"error"}'
    b'],"findings_sha256":"4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945","findings_total":0,'
    b'"format":"edifact:CUSDEC:D:96B:UN","log":"","mapping":"","message":"","payload":"","payload_sha256":"",'
    b'"reference":"","schema":"","stage":"checked","verdict":"accepted","version":1}'
    b'.000000Z","environment":"production","log":"","payload":"","sender":"","sha256":"","size":1,"stage":"received",'
    b'"transport":"http","transport_id":"","version":1}'
    b'{"answer_sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","at":"20","case":"",'
    b'"delivery":"","document":"acknowledgement","environment":"production","evidence":"http_status",'
    b'"kind":"acknowledgement","log":"","message":"","recipient":"","recipient_role":"enterprise","sha256":"",'
    b'"size":1,"stage":"delivered","version":1}'
)
"""What receipts begin to say alike, what most of them say last. Rows rest on it for ever: a better one is a further one
beside it, since a deflated value names the dictionary it was made with (RFC 1950, 2.3: DICTID)."""
_PACKED = bytes([zlib.compress(b"", wbits=WINDOW_BITS)[0]])
"""How a packed value begins; JSON never does."""


def pack_leaf(leaf: bytes) -> bytes:
    """A receipt's bytes as its row keeps them."""
    packer = zlib.compressobj(1, zlib.DEFLATED, WINDOW_BITS, WINDOW_MEMORY, zlib.Z_DEFAULT_STRATEGY, _SAID)
    packed = packer.compress(leaf) + packer.flush()
    return packed if len(packed) < len(leaf) else leaf


def unpack_leaf(kept: bytes) -> bytes:
    """The bytes that `pack_leaf` was given; of a row that was never packed as well.

    A damaged value is given as it is: it has not the hash that the log signed, and whoever looks finds that.
    """
    if kept[:1] != _PACKED:
        return kept
    inflater = zlib.decompressobj(zdict=_SAID)
    try:
        leaf = inflater.decompress(kept) + inflater.flush()
    except zlib.error:
        return kept
    return leaf if inflater.eof and not inflater.unused_data else kept


class Leaf(TypeDecorator[bytes]):
    """The type of a receipt's bytes: queries give them whole, however the row keeps them."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: bytes | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002 - the base class's signature
        """What the row keeps."""
        return None if value is None else pack_leaf(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> bytes | None:  # noqa: ARG002 - as above
        """What was hashed."""
        return None if value is None else unpack_leaf(bytes(value))
