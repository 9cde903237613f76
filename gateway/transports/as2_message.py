"""AS2's messages as bytes: made, and opened (RFC 4130, RFC 5402); no socket and no clock."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from gateway.media import filename_of
from gateway.transports import cms
from gateway.transports.cms import Own
from gateway.transports.mime import Entity, Security, read_entity, secure_entity, unwrap, write_entity

_OF_MIME = frozenset({"content-type", "content-transfer-encoding", "content-disposition"})
"""Headers of HTTP that are the outermost entity's."""


def entity_of(headers: Mapping[str, str], body: bytes) -> Entity:
    """The entity that an HTTP request or answer is: those of its headers that are MIME's, and its body."""
    lines = [f"{name}: {value}\r\n" for name, value in headers.items() if name.lower() in _OF_MIME]
    return read_entity("".join(lines).encode("utf-8", "surrogateescape") + b"\r\n" + body)


@dataclass(frozen=True, slots=True)
class Made:
    """A message to be sent."""

    headers: dict[str, str]
    """The MIME headers of its outermost entity, which are HTTP's."""
    body: bytes
    digest: str
    """By which the MIC is made."""
    mic: bytes
    """What the recipient's MDN must say (RFC 4130, 7.3.1; RFC 5402, 4)."""


def make_message(
    payload: bytes,
    content_type: str,
    filename: str,
    security: Security,
    own: Own | None,
    recipient: x509.Certificate | None,
    at: datetime,
) -> Made:
    """`payload`, in an entity of its own, compressed, signed and encrypted as `security` says."""
    digest = security.sign or "sha256"
    bare = write_entity(
        [
            ("Content-Type", content_type),
            ("Content-Transfer-Encoding", "binary"),
            ("Content-Disposition", f'attachment; filename="{filename}"'),
        ],
        payload,
    )
    entity, over = secure_entity(bare, security, own, recipient, at)
    if entity is bare:
        over = payload
    outer = read_entity(entity)
    headers = {name: str(value) for name, value in outer.headers.items()}
    return Made(headers, outer.body, digest, hashlib.new(digest, over).digest())


@dataclass(frozen=True, slots=True)
class Opened:
    """What a message holds."""

    payload: bytes
    content_type: str
    filename: str
    over: bytes
    """What its MIC is over."""
    signed: cms.Signed | None
    encrypted: bool
    compressed: bool


def open_message(
    entity: Entity, own: Sequence[Own], pinned: Sequence[x509.Certificate], *, most: int, ratio: int
) -> Opened:
    """What is in all envelopes of a message; CmsInvalid says which of them does not hold, in AS2's own words.

    It is signed by one of `pinned`, or not at all; compression may unpack to `most` bytes, and `ratio` times its size.
    """
    unwrapped = unwrap(entity, own, pinned, most=most, ratio=ratio)
    payload, inner = unwrapped.entity.content, unwrapped.entity.headers
    return Opened(
        payload,
        inner.get_content_type(),
        filename_of(inner),
        payload if unwrapped.over is None else unwrapped.over,
        unwrapped.signed,
        unwrapped.encrypted,
        unwrapped.compressed,
    )
