"""Transcripts of attempts as they are kept: JSON, deflated with the words that nearly all of them have in common.

A delivery to a recipient that answers well costs a hundred bytes so, where its headers as text would cost six hundred.
"""

from __future__ import annotations

import base64
import json
import zlib

from gateway.model import Transcript

ANSWER_KEPT = 4 * 1024
"""Bytes of an answer that are kept with an attempt: enough for the words in which a peer says what is wrong. All of an
answer that is evidence stands in its receipt."""
FIELD_KEPT = 1000
"""Characters that are kept of a header, and of an address."""
FIELDS_KEPT = 50
"""Headers that are kept of each side."""

_WORDS = (
    b'["x-content-type-options","nosniff"]["connection","keep-alive"]["cache-control","no-store"]["server","nginx"]'
    b'["Retry-After","503 Service Unavailable""429 Too Many Requests""250 2.0.0 Ok: queued as ""502 Bad Gateway'
    b'["Disposition-Notification-To","["AS2-Version","1.2"],["AS2-From","["AS2-To","["Message-ID","<["MIME-Version","1.0"]'
    b'["Subject","["webhook-id","["webhook-timestamp","["webhook-signature","v1a,["Content-Type","application/xml"'
    b'["Content-Type","application/EDIFACT"["Content-Type","application/EDI-X12"["Authorization","Bearer \\u2026"]'
    b'{"to":"https://","sent":[["Content-Type","application/json"],["Idempotency-Key","01["Content-Digest","sha-256=:'
    b'=:"],["Gateway-Delivery","01["Gateway-Kind","acknowledgement"["Gateway-Kind","response"["Gateway-Kind","document"]'
    b',["Gateway-Document","clearance_notice"["Gateway-Document","release"],["Gateway-Environment","test"]'
    b'["Gateway-Environment","production"]],"status":"200 OK","answered":[["Content-Type","text/plain; charset=utf-8"],'
    b'["Received-Digest","sha-256=:=:"],["Content-Length","["Date","Mon, Tue, Wed, Thu, Fri, Sat, Sun, 20'
    b' Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec 202 GMT"],["Server","Python/3.11 aiohttp/3."]],"seconds":0.0}'
)
"""What is told from the end backwards costs least, so what is commonest stands last (RFC 1950, 2.2, FDICT).

It is a part of what is kept: never change it, or what was kept before cannot be read. A second one would need a mark.
"""


def pack_transcript(transcript: Transcript | None) -> bytes | None:
    """The bytes to keep; None of none. Long fields are cut."""
    if transcript is None:
        return None
    told = {
        "to": transcript.address[:FIELD_KEPT],
        "sent": _fields(transcript.sent),
        "size": transcript.size,
        "sha256": transcript.sha256,
        "status": transcript.status[:FIELD_KEPT],
        "answered": _fields(transcript.answered),
        "answer": base64.b64encode(transcript.answer[:ANSWER_KEPT]).decode(),
        "seconds": round(transcript.seconds, 6),
    }
    kept = {name: value for name, value in told.items() if value not in ("", None, [])}
    packer = zlib.compressobj(level=9, zdict=_WORDS)
    return packer.compress(json.dumps(kept, separators=(",", ":")).encode()) + packer.flush()


def unpack_transcript(kept: bytes | None) -> Transcript | None:
    """The transcript that was kept."""
    if kept is None:
        return None
    told = json.loads(zlib.decompressobj(zdict=_WORDS).decompress(kept))
    return Transcript(
        address=told.get("to", ""),
        sent=tuple((name, value) for name, value in told.get("sent", ())),
        size=told.get("size"),
        sha256=told.get("sha256", ""),
        status=told.get("status", ""),
        answered=tuple((name, value) for name, value in told.get("answered", ())),
        answer=base64.b64decode(told.get("answer", "")),
        seconds=told.get("seconds", 0.0),
    )


def _fields(fields: tuple[tuple[str, str], ...]) -> list[list[str]]:
    return [[name[:FIELD_KEPT], value[:FIELD_KEPT]] for name, value in fields[:FIELDS_KEPT]]
