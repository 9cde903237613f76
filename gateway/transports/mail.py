"""A delivery as a mail: bare, signed, encrypted, with a request for a receipt (RFC 5322, 8551, 3335, 2634); no socket."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP as MAIL
from email.utils import format_datetime

from cryptography import x509

from gateway.media import find_medium
from gateway.model import Delivery
from gateway.signs import shown
from gateway.transports.cms import Own
from gateway.transports.mdn import name_message
from gateway.transports.mime import Security, secure_entity, write_base64, write_entity
from gateway.transports.smime_receipt import write_request


@dataclass(frozen=True, slots=True)
class Posting:
    """Between whom a mail goes, and where its receipt is to come to."""

    sender: str
    to: str
    receipt_to: str = ""
    """Empty where no receipt is asked for."""


@dataclass(frozen=True, slots=True)
class Written:
    """A mail to be sent."""

    content: bytes
    message_id: str
    """Made of the delivery's id; where a receipt is asked for, of the MIC that this must say too. The same each time."""


def write_mail(
    delivery: Delivery,
    posting: Posting,
    security: Security,
    own: Own | None,
    recipient: x509.Certificate | None,
    at: datetime,
) -> Written:
    """The delivery as one attachment, its bytes in base64, signed and encrypted as `security` says."""
    medium = find_medium(delivery.format)
    name = f"{delivery.document_type or delivery.kind}-{delivery.id}.{medium.extension}"
    # The library would take a content as text, line by line: a second for a large one.
    bare = write_entity(
        [
            ("Content-Type", medium.type),
            ("Content-Transfer-Encoding", "base64"),
            ("Content-Disposition", f'attachment; filename="{name}"'),
        ],
        write_base64(delivery.body),
    )
    host = posting.sender.rpartition("@")[2]
    message_id, also = f"<{delivery.id}@{host}>", []
    if posting.receipt_to:
        message_id = name_message(delivery.id, security.sign, hashlib.new(security.sign, bare).digest(), host)
        also = [write_request(message_id, posting.receipt_to)]
    entity, _ = secure_entity(bare, security, own, recipient, at, also)
    mail = EmailMessage(policy=MAIL)
    mail["From"], mail["To"] = posting.sender, posting.to
    # What a partner wrote would end the line, and go on as a header. What is encrypted is not told beside it either.
    reference = "" if security.encrypt else delivery.reference
    mail["Subject"] = shown(f"{delivery.document_type or delivery.kind} {reference or delivery.id}")
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = message_id
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834, 5
    if posting.receipt_to:
        mail["Disposition-Notification-To"] = posting.receipt_to
        mail["Disposition-Notification-Options"] = (
            "signed-receipt-protocol=required, pkcs7-signature; "
            f"signed-receipt-micalg=required, {security.sign[:3]}-{security.sign[3:]}"
        )
    mail["Gateway-Delivery"] = delivery.id
    mail["Gateway-Kind"] = str(delivery.kind)
    mail["Gateway-Environment"] = "test" if delivery.test else "production"
    mail["MIME-Version"] = "1.0"
    return Written(mail.as_bytes().rstrip(b"\r\n") + b"\r\n" + entity, message_id)
