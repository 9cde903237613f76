"""Receipts of recipients' own systems as bytes: MDNs, made and read (RFC 8098, RFC 4130, 7.4); no socket and no clock.

AS2 makes and takes them; over mail they come back for what was sent with a request for one (RFC 3335).
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import Message
from email.parser import BytesHeaderParser
from email.policy import compat32

from cryptography import x509

from gateway.errors import CmsInvalid, DeliveryDeferred, DeliveryRefused
from gateway.signs import shown
from gateway.store.contract import storable
from gateway.transports import cms
from gateway.transports.base import Evidence
from gateway.transports.cms import DIGESTS, Own
from gateway.transports.mime import (
    NAMES,
    UNEXPECTED,
    Entity,
    digest_named,
    read_entity,
    sign_entity,
    split_signed,
    write_entity,
)

_DETAIL = 500
"""Characters of what an MDN says that are shown to the operator."""
_OURS = re.compile(r"<([0-9a-f]{32})\.(sha\d+)\.([0-9a-f]{64,128})@")
"""A Message-ID of ours that asks for an MDN: the delivery, the digest's name, the MIC."""


def name_message(delivery_id: str, digest: str, mic: bytes, host: str) -> str:
    """The Message-ID of a message whose MDN must say that MIC: an MDN that comes later is judged by what it names."""
    return f"<{delivery_id}.{digest}.{mic.hex()}@{host}>"


def digest_of(message_id: str) -> str:
    """The digest that a Message-ID of ours names; empty where it is none that asks for a receipt."""
    ours = _OURS.match(message_id)
    return ours[2] if ours is not None and ours[2] in DIGESTS else ""


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
        fields.append(("Received-Content-MIC", f"{base64.b64encode(mdn.mic).decode()}, {NAMES[mdn.digest]}"))
    boundary = f"report-{secrets.token_hex(16)}"
    told = write_entity(
        [("Content-Type", "text/plain; charset=us-ascii")], f"{mdn.text}\r\n".encode("ascii", "replace")
    )
    notification = write_entity(
        [("Content-Type", "message/disposition-notification")],
        "".join(f"{name}: {shown(value)}\r\n" for name, value in fields).encode("ascii", "replace"),
    )
    mark = b"--" + boundary.encode()
    body = b"".join((mark, b"\r\n", told, b"\r\n", mark, b"\r\n", notification, b"\r\n", mark, b"--\r\n"))
    kind = f'multipart/report; report-type=disposition-notification; boundary="{boundary}"'
    entity = write_entity([("Content-Type", kind)], body)
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
            fields = BytesHeaderParser(policy=compat32).parsebytes(part.content.lstrip(b"\r\n"))
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


def judge_mdn(mdn: Mdn, message_id: str, mic: bytes, digest: str, raw: bytes, kind: str) -> Evidence:
    """What an MDN proves. DeliveryDeferred where it proves nothing of this message, DeliveryRefused where it refuses it.

    `kind` is what the evidence is called by, such as `as2_mdn`.
    """
    if mdn.original != message_id:
        raise DeliveryDeferred("The MDN is about another message.")
    if not mdn.has_it:
        said = storable(f"MDN: {mdn.disposition}")[:_DETAIL]
        # What the partner's system could not do this time it may do next time; what is wrong with the message stays so.
        raise DeliveryDeferred(said) if UNEXPECTED in mdn.disposition else DeliveryRefused(said)
    if mdn.digest != digest or not mdn.confirms(mic):
        raise DeliveryDeferred("The MDN does not say what was received, or says that something else was.")
    return Evidence("delivered", kind, storable(f"MDN: {mdn.disposition}")[:_DETAIL], raw)


def judge_later(mdn: Mdn, raw: bytes, kind: str) -> Evidence | None:
    """What an MDN proves that came by itself, of the message that it names; None where that is none of ours."""
    ours = _OURS.match(mdn.original)
    if ours is None:
        return None
    try:
        return judge_mdn(mdn, mdn.original, bytes.fromhex(ours[3]), ours[2], raw, kind)
    except DeliveryRefused as error:
        return Evidence("refused", kind, str(error), raw)
    except DeliveryDeferred as error:
        return Evidence("deferred", kind, str(error), raw)
