"""MIME entities and what is done to them on their way: signed, encrypted, compressed, and opened again (RFC 8551).

AS2 and mail both stand on it. Entities are read and written byte by byte, since what is signed, and what a MIC is over, are
the bytes as they travel: no line end is changed, whatever the content type, and no header is written anew.
"""

from __future__ import annotations

import base64
import binascii
import quopri
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import Message
from email.parser import BytesHeaderParser
from email.policy import compat32
from itertools import pairwise

from asn1crypto.cms import CMSAttribute
from cryptography import x509

from gateway.errors import CmsInvalid
from gateway.transports import cms
from gateway.transports.cms import DIGESTS, Own

UNEXPECTED = "unexpected-processing-error"
LAYERS = 5
"""Envelopes in one another: encryption, signature and compression are three, and compression may stand at two places."""
NAMES = {"sha256": "sha-256", "sha384": "sha-384", "sha512": "sha-512"}
"""Digests as `micalg` writes them (RFC 8551, 3.5.3.2)."""
_HEADER_END = re.compile(rb"\A\r?\n|\r\n\r\n|\n\n")
"""The empty line, before which there may be no header at all (RFC 2045, 5.2)."""
_TRIES = 10_000
"""Lines that begin as a boundary and are none, after which nobody looks on: whoever writes so many wants us to look."""
_SEALED = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})


def digest_named(name: str) -> str:
    """The digest that `micalg` or a list of them names, one of DIGESTS; empty for one that is not taken."""
    plain = name.strip().lower().replace("-", "")
    return plain if plain in DIGESTS else ""


@dataclass(frozen=True, slots=True)
class Entity:
    """A MIME entity: its headers, its body, and both as they came."""

    headers: Message
    body: bytes
    raw: bytes

    @property
    def content(self) -> bytes:
        """The body with its transfer encoding undone; CmsInvalid where that cannot be."""
        try:
            match str(self.headers.get("Content-Transfer-Encoding", "binary")).strip().lower():
                case "base64":
                    return base64.b64decode(self.body, validate=False)
                case "quoted-printable":
                    return quopri.decodestring(self.body)
        except (ValueError, binascii.Error) as error:
            raise CmsInvalid("The message's transfer encoding cannot be undone.", failure=UNEXPECTED) from error
        return self.body


def read_entity(raw: bytes) -> Entity:
    """An entity from its bytes; one without an empty line is all body."""
    end = _HEADER_END.search(raw)
    head, body = (raw[: end.start()], raw[end.end() :]) if end is not None else (b"", raw)
    return Entity(BytesHeaderParser(policy=compat32).parsebytes(head + b"\r\n\r\n"), body, raw)


def write_entity(headers: Sequence[tuple[str, str]], body: bytes) -> bytes:
    """An entity with these headers, in this order."""
    return "".join(f"{name}: {value}\r\n" for name, value in headers).encode() + b"\r\n" + body


def write_base64(content: bytes) -> bytes:
    """`content` in the lines of the transfer encoding that no relay alters (RFC 2045, 6.8)."""
    return base64.encodebytes(content).replace(b"\n", b"\r\n")


# Out.


@dataclass(frozen=True, slots=True)
class Security:
    """What is done to a message on its way."""

    sign: str = ""
    """A digest's name, empty for no signature."""
    encrypt: str = ""
    """A cipher's name, empty for none."""
    compress: str = ""
    """`before` or `after` signing, empty for neither."""
    seven_bit: bool = False
    """Whether it travels as mail, in lines of ASCII, and not as the bytes that HTTP carries."""


def secure_entity(
    bare: bytes,
    security: Security,
    own: Own | None,
    recipient: x509.Certificate | None,
    at: datetime,
    also: Sequence[CMSAttribute] = (),
) -> tuple[bytes, bytes]:
    """`bare`, an entity, compressed, signed and encrypted as `security` says; and what of it the signature is over.

    Where it is not signed, the second is `bare`. `also` is signed beside it.
    """
    entity = over = bare
    if security.compress and (security.compress == "before" or not security.sign):
        entity = _write_sealed("compressed-data", "smime.p7z", cms.compress(entity), security)
    if security.sign:
        assert own is not None, "whoever signs has a key"
        over = entity
        entity = sign_entity(entity, own, security.sign, at, also)
        if security.compress == "after":
            entity = _write_sealed("compressed-data", "smime.p7z", cms.compress(entity), security)
    if security.encrypt:
        assert recipient is not None, "whoever encrypts knows for whom"
        kind = "authEnveloped-data" if security.encrypt.endswith("gcm") else "enveloped-data"
        entity = _write_sealed(kind, "smime.p7m", cms.encrypt(entity, recipient, security.encrypt), security)
    return entity, over


def _write_sealed(kind: str, name: str, sealed: bytes, security: Security) -> bytes:
    headers = [("Content-Type", f'application/pkcs7-mime; smime-type={kind}; name="{name}"')]
    if not security.seven_bit:
        return write_entity([*headers, ("Content-Transfer-Encoding", "binary")], sealed)
    headers += [("Content-Transfer-Encoding", "base64"), ("Content-Disposition", f'attachment; filename="{name}"')]
    return write_entity(headers, write_base64(sealed))


def sign_entity(entity: bytes, own: Own, digest: str, at: datetime, also: Sequence[CMSAttribute] = ()) -> bytes:
    """`entity` as the first part of a multipart/signed, byte for byte, with a signature by `own` (RFC 1847)."""
    signature = cms.sign(entity, own, digest, at, also)
    boundary = f"signed-{secrets.token_hex(16)}"
    part = write_entity(
        [
            ("Content-Type", 'application/pkcs7-signature; name="smime.p7s"'),
            ("Content-Transfer-Encoding", "base64"),
            ("Content-Disposition", 'attachment; filename="smime.p7s"'),
        ],
        write_base64(signature),
    )
    mark = b"--" + boundary.encode()
    body = b"".join((mark, b"\r\n", entity, b"\r\n", mark, b"\r\n", part, b"\r\n", mark, b"--\r\n"))
    kind = f'multipart/signed; protocol="application/pkcs7-signature"; micalg={NAMES[digest]}; boundary="{boundary}"'
    return write_entity([("Content-Type", kind)], body)


# In.


@dataclass(frozen=True, slots=True)
class Unwrapped:
    """What is in all envelopes of a message."""

    entity: Entity
    over: bytes | None
    """What its signature is over, or, where it has none, what came out of the last envelope; None where there was none."""
    signed: cms.Signed | None
    encrypted: bool
    compressed: bool


def unwrap(
    entity: Entity, own: Sequence[Own], pinned: Sequence[x509.Certificate], *, most: int, ratio: int
) -> Unwrapped:
    """What is in all envelopes of a message; CmsInvalid says which of them does not hold, in AS2's own words.

    It is signed by one of `pinned`, or not at all; compression may unpack to `most` bytes, and `ratio` times its size.
    """
    signed: cms.Signed | None = None
    over: bytes | None = None
    encrypted = compressed = False
    for _ in range(LAYERS):
        kind = entity.headers.get_content_type()
        if not is_wrapped(entity):
            return Unwrapped(entity, over, signed, encrypted, compressed)
        if kind in _SEALED:
            sealed = entity.content
            said = _find_kind(entity, sealed)
            if said == "signed-data":
                _require_unsigned(signed)
                raw, signed = cms.open_signed(sealed, pinned)
                over = raw
            elif said == "compressed-data":
                raw, compressed = cms.decompress(sealed, most, ratio), True
            else:
                raw, encrypted = cms.decrypt(sealed, own), True
            over = raw if signed is None else over
        else:
            _require_unsigned(signed)
            raw, signature = split_signed(entity)
            signed, over = cms.verify(raw, signature, pinned), raw
        entity = read_entity(raw)
    raise CmsInvalid("The message has too many envelopes.", failure=UNEXPECTED)


def is_wrapped(entity: Entity) -> bool:
    """Whether anything was done to an entity on its way."""
    return entity.headers.get_content_type() in (*_SEALED, "multipart/signed")


def is_signed_receipt(entity: Entity) -> bool:
    """Whether an entity is a receipt that is signed (RFC 2634, 2.2)."""
    return entity.headers.get_content_type() in _SEALED and _find_kind(entity, b"") == "signed-receipt"


def is_sealed(entity: Entity) -> bool:
    """Whether an entity's outermost envelope is another one than a signature: what is in it may be anybody's."""
    return entity.headers.get_content_type() in _SEALED and _find_kind(entity, entity.content) != "signed-data"


def _require_unsigned(signed: cms.Signed | None) -> None:
    if signed is not None:
        raise CmsInvalid("The message is signed twice.", failure=UNEXPECTED)


_KINDS = {
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x09": "compressed-data",  # id-ct-compressedData (RFC 3274, 1.1)
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02": "signed-data",  # id-signedData (RFC 5652, 5.1)
}


def _find_kind(entity: Entity, sealed: bytes) -> str:
    """What it says that it is, or, where it says nothing, is; empty where it is encrypted."""
    said = str(entity.headers.get_param("smime-type", "")).lower()
    return said or next((kind for mark, kind in _KINDS.items() if mark in sealed[:40]), "")


def split_signed(entity: Entity) -> tuple[bytes, bytes]:
    """The first part of a multipart/signed as it came, and the signature in the second; CmsInvalid where it has not both."""
    boundary = entity.headers.get_param("boundary")
    if not isinstance(boundary, str) or not boundary:
        raise CmsInvalid("The signed message has no boundary.", failure=cms.AUTHENTICATION)
    marks = _find_marks(entity.body, boundary.encode("utf-8", "surrogateescape"), most=3)
    if len(marks) < 3:
        raise CmsInvalid("The signed message has not two parts.", failure=cms.AUTHENTICATION)
    content = entity.body[marks[0][1] : marks[1][0]]
    part = read_entity(entity.body[marks[1][1] : marks[2][0]])
    if part.headers.get_content_type() not in ("application/pkcs7-signature", "application/x-pkcs7-signature"):
        raise CmsInvalid("The second part is no signature.", failure=cms.AUTHENTICATION)
    return content, part.content


def split_parts(entity: Entity, *, most: int) -> list[Entity]:
    """The first parts of a multipart; none where it has no boundary."""
    boundary = entity.headers.get_param("boundary")
    if entity.headers.get_content_maintype() != "multipart" or not isinstance(boundary, str) or not boundary:
        return []
    marks = _find_marks(entity.body, boundary.encode("utf-8", "surrogateescape"), most=most + 1)
    return [read_entity(entity.body[one[1] : after[0]]) for one, after in pairwise(marks)]


_AFTER_BOUNDARY = re.compile(rb"(?:--)?[ \t]*(?:\r?\n|\Z)")


def _find_marks(body: bytes, boundary: bytes, *, most: int) -> list[tuple[int, int]]:
    """Where the lines of a boundary begin and end, the first of them.

    The line end before a boundary is the boundary's (RFC 2046, 5.1.1): the content may end with one of its own. They are
    searched for as bytes: a pattern that tries each line end takes a hundred times as long.
    """
    found: list[tuple[int, int]] = []
    mark = b"--" + boundary
    place = 0 if body.startswith(mark) else body.find(b"\n" + mark) + 1 or -1
    for _ in range(_TRIES):
        if place < 0 or len(found) == most:
            break
        here, place = place, body.find(b"\n" + mark, place) + 1 or -1
        after = _AFTER_BOUNDARY.match(body, here + len(mark))
        if after is None:
            continue
        before = here - (here > 0) - (here > 1 and body[here - 2] == 0x0D)
        found.append((before, after.end()))
    return found
