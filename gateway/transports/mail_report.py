"""Delivery status notifications: what mail servers say became of a mail (RFC 3461, RFC 3464); no socket and no clock.

Any server on the way makes one, and sends it to whoever the mail was from, without login: who it is from proves nothing. It
is known by its envelope id, which we gave the mail on its way: the delivery, its partner, and a code of both that only we can
make. Who has not had the mail in hand does not know it, and who has may say of it what it likes: a report is a relay's word.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser
from email.policy import compat32

from gateway.errors import CmsInvalid
from gateway.store.contract import storable
from gateway.transports.base import Evidence
from gateway.transports.mime import UNEXPECTED, Entity, split_parts

LONGEST_REPORT = 1024 * 1024
"""Bytes of a report that is read: its words, its fields, and the headers of the mail; we ask for no more (RET=HDRS)."""
_LONGEST_ENVID = 100
"""Characters of an envelope id (RFC 3461, 4.4)."""
_MOST_PARTS = 3
"""Words, fields and the mail (RFC 3462, 1)."""
_CODE_BYTES = 10
"""80 bits: each guess is a mail to us."""
_DETAIL = 500
"""Characters of what a report says that are shown to the operator."""
_ENVID = re.compile(r"([0-9a-f]{32})\.([a-z2-7]{16})\.([A-Za-z0-9._:-]+)")
_STATUS = re.compile(r"([245])\.[0-9]{1,3}\.[0-9]{1,3}")
"""RFC 3463, 2."""


def write_envelope_id(key: bytes, delivery_id: str, partner_id: str) -> str:
    """What a mail is called on its way, in characters that stand for themselves; empty where a partner's id is too long."""
    envelope_id = f"{delivery_id}.{_code(key, delivery_id, partner_id)}.{partner_id}"
    return envelope_id if len(envelope_id) <= _LONGEST_ENVID and _ENVID.fullmatch(envelope_id) else ""


def read_envelope_id(key: bytes, envelope_id: str) -> str:
    """The partner that a mail of ours was for, of an envelope id; empty where that is none that we gave."""
    parts = _ENVID.fullmatch(envelope_id.strip())
    if parts is None:
        return ""
    return parts[3] if hmac.compare_digest(parts[2], _code(key, parts[1], parts[3])) else ""


def _code(key: bytes, delivery_id: str, partner_id: str) -> str:
    code = hmac.digest(key, f"{delivery_id} {partner_id}".encode(), hashlib.sha256)[:_CODE_BYTES]
    return base64.b32encode(code).decode().lower()


@dataclass(frozen=True, slots=True)
class Report:
    """What a report says of one recipient."""

    action: str
    """failed, delayed, delivered, relayed or expanded (RFC 3464, 2.3.3)."""
    status: str
    """Such as 5.1.1; empty where it says none."""
    said: str
    """What the server said to which the mail was handed."""


def is_report(entity: Entity) -> bool:
    """Whether a mail is a report on another."""
    report_type = str(entity.headers.get_param("report-type", "")).lower()
    return entity.headers.get_content_type() == "multipart/report" and report_type != "disposition-notification"


def read_report(entity: Entity) -> tuple[str, list[Report]]:
    """The envelope id that a report names, and what it says of each recipient; CmsInvalid where it is none."""
    fields = next(
        (
            part
            for part in split_parts(entity, most=_MOST_PARTS)
            if part.headers.get_content_type() == "message/delivery-status"
        ),
        None,
    )
    if fields is None:
        raise CmsInvalid("The report has no delivery status.", failure=UNEXPECTED)
    of_mail, *of_recipients = _read_groups(fields.content)
    return str(of_mail.get("Original-Envelope-Id", "")).strip(), [
        Report(
            str(group.get("Action", "")).strip().lower(),
            str(group.get("Status", "")).strip(),
            storable(" ".join(str(group.get("Diagnostic-Code", "")).split())),
        )
        for group in of_recipients
    ]


def _read_groups(fields: bytes) -> Iterator[Message]:
    """Groups of fields, parted by empty lines (RFC 3464, 2.1); at least one."""
    for group in re.split(rb"\r?\n[ \t]*\r?\n", fields.strip()):
        yield BytesHeaderParser(policy=compat32).parsebytes(group.lstrip(b"\r\n") + b"\r\n\r\n")


def judge_report(reports: list[Report], raw: bytes) -> Evidence | None:
    """What a report proves of a mail with one recipient; None where nothing has come of it yet.

    What a server has delivered is relayed to us: it is no word of the recipient's. What has failed for good is refused, and
    what was given up after tries may go the next time (RFC 3463, 2).
    """
    for actions in (("failed",), ("delivered", "relayed", "expanded")):
        for one in reports:
            if one.action not in actions:
                continue
            detail = storable(f"DSN: {one.action} {one.status} {one.said}".strip())[:_DETAIL]
            status = _STATUS.match(one.status)
            if one.action != "failed":
                return Evidence("relayed", "smtp_dsn", detail, raw)
            return Evidence(
                "deferred" if status is not None and status[1] == "4" else "refused", "smtp_dsn", detail, raw
            )
    return None
