"""AS2's messages and MDNs as bytes: made, and opened (RFC 4130, RFC 5402, RFC 3798); no socket and no clock.

Entities are read and written byte by byte, since what is signed, and what a MIC is over, are the bytes as they travel: no
line end is changed, whatever the content type, and no header is written anew.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import quopri
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import Message
from email.parser import BytesHeaderParser
from email.policy import compat32

from cryptography import x509

from gateway.errors import CmsInvalid, DeliveryDeferred, DeliveryRefused
from gateway.media import filename_of
from gateway.signs import shown
from gateway.store.contract import storable
from gateway.transports import cms
from gateway.transports.base import Evidence
from gateway.transports.cms import DIGESTS, Own

UNEXPECTED = "unexpected-processing-error"
_DETAIL = 500
"""Characters of what an MDN says that are shown to the operator."""
LAYERS = 5
"""Envelopes in one another: encryption, signature and compression are three, and compression may stand at two places."""
_NAMES = {"sha256": "sha-256", "sha384": "sha-384", "sha512": "sha-512"}
"""Digests as `micalg` writes them (RFC 5751, 3.4.3.2)."""
_OF_MIME = frozenset({"content-type", "content-transfer-encoding", "content-disposition"})
"""Headers of HTTP that are the outermost entity's."""
_HEADER_END = re.compile(rb"\A\r?\n|\r\n\r\n|\n\n")
"""The empty line, before which there may be no header at all (RFC 2045, 5.2)."""
_TRIES = 10_000
"""Lines that begin as a boundary and are none, after which nobody looks on: whoever writes so many wants us to look."""


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
        """The body with its transfer encoding undone; ValueError where that cannot be."""
        match str(self.headers.get("Content-Transfer-Encoding", "binary")).strip().lower():
            case "base64":
                return base64.b64decode(self.body, validate=False)
            case "quoted-printable":
                return quopri.decodestring(self.body)
        return self.body


def read_entity(raw: bytes) -> Entity:
    """An entity from its bytes; one without an empty line is all body."""
    end = _HEADER_END.search(raw)
    head, body = (raw[: end.start()], raw[end.end() :]) if end is not None else (b"", raw)
    return Entity(BytesHeaderParser(policy=compat32).parsebytes(head + b"\r\n\r\n"), body, raw)


def entity_of(headers: Mapping[str, str], body: bytes) -> Entity:
    """The entity that an HTTP request or answer is: those of its headers that are MIME's, and its body."""
    lines = [f"{name}: {value}\r\n" for name, value in headers.items() if name.lower() in _OF_MIME]
    return read_entity("".join(lines).encode("utf-8", "surrogateescape") + b"\r\n" + body)


def _write_entity(headers: Sequence[tuple[str, str]], body: bytes) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in headers).encode() + b"\r\n" + body


@dataclass(frozen=True, slots=True)
class Security:
    """What is done to a message on its way."""

    sign: str = ""
    """A digest's name, empty for no signature."""
    encrypt: str = ""
    """A cipher's name, empty for none."""
    compress: str = ""
    """`before` or `after` signing, empty for neither."""


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
    bare = _write_entity(
        [
            ("Content-Type", content_type),
            ("Content-Transfer-Encoding", "binary"),
            ("Content-Disposition", f'attachment; filename="{filename}"'),
        ],
        payload,
    )
    entity = bare
    if security.compress and (security.compress == "before" or not security.sign):
        entity = _packed(entity)
    over = entity if security.sign else bare if security.encrypt or security.compress else payload
    if security.sign:
        assert own is not None, "whoever signs has a key"
        entity = sign_entity(entity, own, digest, at)
        if security.compress == "after":
            entity = _packed(entity)
    if security.encrypt:
        assert recipient is not None, "whoever encrypts knows for whom"
        sealed = cms.encrypt(entity, recipient, security.encrypt)
        kind = "authEnveloped-data" if security.encrypt.endswith("gcm") else "enveloped-data"
        entity = _write_entity(
            [
                ("Content-Type", f'application/pkcs7-mime; smime-type={kind}; name="smime.p7m"'),
                ("Content-Transfer-Encoding", "binary"),
            ],
            sealed,
        )
    outer = read_entity(entity)
    headers = {name: str(value) for name, value in outer.headers.items()}
    return Made(headers, outer.body, digest, hashlib.new(digest, over).digest())


def _packed(entity: bytes) -> bytes:
    return _write_entity(
        [
            ("Content-Type", 'application/pkcs7-mime; smime-type=compressed-data; name="smime.p7z"'),
            ("Content-Transfer-Encoding", "binary"),
        ],
        cms.compress(entity),
    )


def sign_entity(entity: bytes, own: Own, digest: str, at: datetime) -> bytes:
    """`entity` as the first part of a multipart/signed, byte for byte, with a signature by `own` (RFC 1847)."""
    signature = cms.sign(entity, own, digest, at)
    boundary = f"signed-{secrets.token_hex(16)}"
    part = _write_entity(
        [
            ("Content-Type", 'application/pkcs7-signature; name="smime.p7s"'),
            ("Content-Transfer-Encoding", "base64"),
            ("Content-Disposition", 'attachment; filename="smime.p7s"'),
        ],
        base64.encodebytes(signature).replace(b"\n", b"\r\n"),
    )
    mark = b"--" + boundary.encode()
    body = b"".join((mark, b"\r\n", entity, b"\r\n", mark, b"\r\n", part, b"\r\n", mark, b"--\r\n"))
    kind = f'multipart/signed; protocol="application/pkcs7-signature"; micalg={_NAMES[digest]}; boundary="{boundary}"'
    return _write_entity([("Content-Type", kind)], body)


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
    signed: cms.Signed | None = None
    over: bytes | None = None
    encrypted = compressed = False
    for _ in range(LAYERS):
        kind = entity.headers.get_content_type()
        if kind == "multipart/signed":
            if signed is not None:
                raise CmsInvalid("The message is signed twice.", failure=UNEXPECTED)
            content, signature = split_signed(entity)
            signed, over = cms.verify(content, signature, pinned), content
            entity = read_entity(content)
        elif kind in ("application/pkcs7-mime", "application/x-pkcs7-mime"):
            sealed = _content_of(entity)
            if _is_compressed(entity, sealed):
                raw, compressed = cms.decompress(sealed, most, ratio), True
            else:
                raw, encrypted = cms.decrypt(sealed, own), True
            entity = read_entity(raw)
            over = over if signed is not None else raw
        else:
            payload = _content_of(entity)
            named = filename_of(entity.headers)
            return Opened(payload, kind, named, payload if over is None else over, signed, encrypted, compressed)
    raise CmsInvalid("The message has too many envelopes.", failure=UNEXPECTED)


def _content_of(entity: Entity) -> bytes:
    try:
        return entity.content
    except (ValueError, binascii.Error) as error:
        raise CmsInvalid("The message's transfer encoding cannot be undone.", failure=UNEXPECTED) from error


def _is_compressed(entity: Entity, sealed: bytes) -> bool:
    """Whether it says that it is compressed, or, where it says nothing, is."""
    said = str(entity.headers.get_param("smime-type", "")).lower()
    return said == "compressed-data" if said else b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x09" in sealed[:40]


def split_signed(entity: Entity) -> tuple[bytes, bytes]:
    """The first part of a multipart/signed as it came, and the signature in the second; CmsInvalid where it has not both."""
    boundary = entity.headers.get_param("boundary")
    if not isinstance(boundary, str) or not boundary:
        raise CmsInvalid("The signed message has no boundary.", failure=cms.AUTHENTICATION)
    marks = _find_marks(entity.body, boundary.encode(), most=3)
    if len(marks) < 3:
        raise CmsInvalid("The signed message has not two parts.", failure=cms.AUTHENTICATION)
    content = entity.body[marks[0][1] : marks[1][0]]
    part = read_entity(entity.body[marks[1][1] : marks[2][0]])
    if part.headers.get_content_type() not in ("application/pkcs7-signature", "application/x-pkcs7-signature"):
        raise CmsInvalid("The second part is no signature.", failure=cms.AUTHENTICATION)
    return content, _content_of(part)


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


# MDNs.


@dataclass(frozen=True, slots=True)
class Mdn:
    """What an MDN says of a message."""

    original: str
    """The Message-ID of the message."""
    disposition: str
    """`processed`, or what follows it: `error: decryption-failed`, `failure: ...`, `warning: ...`."""
    mic: bytes = b""
    digest: str = ""
    text: str = ""
    """For people."""

    @property
    def has_it(self) -> bool:
        """Whether the message was processed; a warning is no refusal."""
        return self.disposition == "processed" or self.disposition.startswith("warning")

    def confirms(self, mic: bytes) -> bool:
        """Whether it says that what was received is what has this MIC."""
        return bool(mic) and hmac.compare_digest(self.mic, mic)


def make_mdn(
    mdn: Mdn, our_id: str, agent: str, own: Own | None, digest: str, at: datetime
) -> tuple[dict[str, str], bytes]:
    """An MDN as headers and body, signed where `own` is given (RFC 4130, 7.4)."""
    modifier = "" if mdn.disposition == "processed" else f"/{mdn.disposition}"
    # RFC 4130, 7.5.3: what is wrong with the request for a receipt is `failed`, what is wrong with the content `processed`.
    type_ = "failed" if mdn.disposition.startswith("failure") else "processed"
    fields = [
        ("Reporting-UA", agent),
        ("Original-Recipient", f"rfc822; {our_id}"),
        ("Final-Recipient", f"rfc822; {our_id}"),
        ("Original-Message-ID", mdn.original),
        ("Disposition", f"automatic-action/MDN-sent-automatically; {type_}{modifier}"),
    ]
    if mdn.mic:
        fields.append(("Received-Content-MIC", f"{base64.b64encode(mdn.mic).decode()}, {_NAMES[mdn.digest]}"))
    boundary = f"report-{secrets.token_hex(16)}"
    told = _write_entity(
        [("Content-Type", "text/plain; charset=us-ascii")], f"{mdn.text}\r\n".encode("ascii", "replace")
    )
    notification = _write_entity(
        [("Content-Type", "message/disposition-notification")],
        "".join(f"{name}: {shown(value)}\r\n" for name, value in fields).encode("ascii", "replace"),
    )
    mark = b"--" + boundary.encode()
    body = b"".join((mark, b"\r\n", told, b"\r\n", mark, b"\r\n", notification, b"\r\n", mark, b"--\r\n"))
    kind = f'multipart/report; report-type=disposition-notification; boundary="{boundary}"'
    entity = _write_entity([("Content-Type", kind)], body)
    if own is not None:
        entity = sign_entity(entity, own, digest, at)
    outer = read_entity(entity)
    return {name: str(value) for name, value in outer.headers.items()}, outer.body


def is_mdn(entity: Entity) -> bool:
    """Whether an entity is an MDN, signed or not, and no message."""
    if entity.headers.get_content_type() == "multipart/signed":
        try:
            entity = read_entity(split_signed(entity)[0])
        except CmsInvalid:
            return False
    return entity.headers.get_content_type() == "multipart/report"


def read_mdn(entity: Entity, pinned: Sequence[x509.Certificate], *, signed: bool) -> Mdn:
    """What an MDN says; CmsInvalid where it is none, or is not signed by one of `pinned` and had to be."""
    if entity.headers.get_content_type() == "multipart/signed":
        content, signature = split_signed(entity)
        cms.verify(content, signature, pinned)
        entity = read_entity(content)
    elif signed:
        raise CmsInvalid("The MDN is not signed.", failure=cms.AUTHENTICATION)
    boundary = entity.headers.get_param("boundary")
    if entity.headers.get_content_type() != "multipart/report" or not isinstance(boundary, str) or not boundary:
        raise CmsInvalid("It is no MDN.", failure=UNEXPECTED)
    for piece in re.split(rb"(?:^|\r?\n)--" + re.escape(boundary.encode()), entity.body)[1:]:
        part = read_entity(piece.lstrip(b"\r\n \t"))
        if part.headers.get_content_type() == "message/disposition-notification":
            fields = BytesHeaderParser(policy=compat32).parsebytes(_content_of(part).lstrip(b"\r\n"))
            return _mdn_of(fields)
    raise CmsInvalid("The MDN has no notification.", failure=UNEXPECTED)


def _mdn_of(fields: Message) -> Mdn:
    mode, _, said = str(fields.get("Disposition", "")).partition(";")
    type_, _, modifier = said.strip().partition("/")
    if not mode or type_.strip().lower() not in ("processed", "failed", "displayed"):
        raise CmsInvalid("The MDN has no disposition.", failure=UNEXPECTED)
    disposition = modifier.strip().lower() or "processed"
    if type_.strip().lower() == "failed" and not disposition.startswith(("failure", "error")):
        disposition = "failure"  # whatever else is said of it, a warning too
    value, _, name = str(fields.get("Received-Content-MIC", "")).partition(",")
    try:
        mic = base64.b64decode("".join(value.split()), validate=True)
    except ValueError:
        mic = b""
    digest = digest_named(name)
    return Mdn(str(fields.get("Original-Message-ID", "")).strip(), disposition, mic if digest else b"", digest)


def judge_mdn(mdn: Mdn, message_id: str, mic: bytes, digest: str, raw: bytes) -> Evidence:
    """What an MDN proves. DeliveryDeferred where it proves nothing of this message, DeliveryRefused where it refuses it."""
    if mdn.original != message_id:
        raise DeliveryDeferred("The MDN is about another message.")
    if not mdn.has_it:
        said = storable(f"MDN: {mdn.disposition}")[:_DETAIL]
        # What the partner's system could not do this time it may do next time; what is wrong with the message stays so.
        raise DeliveryDeferred(said) if UNEXPECTED in mdn.disposition else DeliveryRefused(said)
    if mdn.digest != digest or not mdn.confirms(mic):
        raise DeliveryDeferred("The MDN does not say what was received, or says that something else was.")
    return Evidence("delivered", "as2_mdn", storable(f"MDN: {mdn.disposition}")[:_DETAIL], raw)
