"""Small bodies as rows: what they are found by, and how they are kept."""

from __future__ import annotations

import base64

from gateway.model import TIME_DIGITS
from gateway.store.sql import deflated


def key_of(owner_id: str, sha256: str) -> str:
    """The key of a small body: its owner's time, and its digest.

    Bodies of what came together stand side by side, so that writing them touches few pages however many there are,
    and what one message hands to several recipients alike is kept once. By digest alone, each would touch a page of its own.
    """
    return owner_id[:TIME_DIGITS] + base64.urlsafe_b64encode(bytes.fromhex(sha256)).decode().rstrip("=")


def body_row(owner_id: str, sha256: str, body: bytes) -> tuple[str, bytes, bool]:
    """The row of a small body, deflated where that is shorter."""
    kept = deflated(body)
    return key_of(owner_id, sha256), kept, kept is not body
