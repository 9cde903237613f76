"""Transcripts of attempts as they are kept: JSON, without what its delivery says anyway, deflated with words in common.

A delivery to a recipient that answers well costs some fifty bytes so, where its headers as text would cost six hundred.
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
    b'["x-content-type-options","nosniff"]["cache-control","no-store"]["Server","nginx"]"answer":"'
    b'["Retry-After","503 Service Unavailable","429 Too Many Requests","250 2.0.0 Ok: queued as ","502 Bad Gateway"'
    b'["Disposition-Notification-To","["AS2-Version","1.2"],["AS2-From","["AS2-To","["Message-ID","<"],["MIME-Version","1.0"]'
    b'["Subject","["webhook-id","\x01"],["webhook-timestamp","17"],["webhook-signature","v1a,'
    b'"],["Authorization","\\u2026"],["name",".json"]]"sha256":"size":"Gateway-Document","transfer","release","clearance"'
    b'["Gateway-Kind","acknowledgement"],["Gateway-Document","acknowledgement"],["Gateway-Environment","test"]]'
    b'["Gateway-Kind","response"],["Gateway-Document","response"],["Gateway-Environment","production"]],"status":"200 OK"'
    b',"answered":[["Received-Digest","sha-256=:\x02:"],["Content-Type","application/octet-stream"],["Content-Type",'
    b'"text/plain; charset=utf-8"],["Content-Length","{"to":"https://{"to":"http://127.0.0.1:/inbox","sent":[["Content-Type",'
    b'"application/xml"],["Idempotency-Key","\x01"],["Content-Digest","sha-256=:\x02:"],["Gateway-Delivery","\x01"],'
    b'["Content-Type","application/json"],["Idempotency-Key","\x01"],["Content-Digest","sha-256=:\x02:"],["Gateway-Delivery",'
    b'"\x01"],["Gateway-Kind","document"],["Gateway-Document","declaration"],["Gateway-Environment","production"]],"status":'
    b'"200 OK","answered":[["Content-Length","0"],["Server","Python/3.11 aiohttp/3.14.5"]],"seconds":0.00}'
)
"""What is told from the end backwards costs least, so what is commonest stands last (RFC 1951, 2: distances).

It is a part of what is kept: never change it, or what was kept before cannot be read. A second one would need a mark.
"""
_RAW = -15
"""Deflate without a frame (RFC 1951): its header and checksum would be a tenth of what is kept."""


def _marks(delivery_id: str, sha256: str) -> tuple[tuple[str, str], ...]:
    """What stands in nearly every transcript and is known from its delivery, each with the sign that is kept in its place.

    No sign can come from a transcript itself: JSON writes control characters otherwise.
    """
    digest = base64.b64encode(bytes.fromhex(sha256)).decode() if sha256 else ""
    return tuple((said, mark) for said, mark in ((delivery_id, "\x01"), (digest, "\x02"), (sha256, "\x03")) if said)


def pack_transcript(transcript: Transcript | None, delivery_id: str, sha256: str) -> bytes | None:
    """The bytes to keep of an attempt at this delivery with a body of this digest; None of none. Long fields are cut."""
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
        "seconds": round(transcript.seconds, 4),
    }
    kept = {name: value for name, value in told.items() if value not in ("", None, [])}
    text = json.dumps(kept, separators=(",", ":"))
    for said, mark in _marks(delivery_id, sha256):
        text = text.replace(said, mark)
    packer = zlib.compressobj(level=9, wbits=_RAW, zdict=_WORDS)
    return packer.compress(text.encode()) + packer.flush()


def unpack_transcript(kept: bytes | None, delivery_id: str, sha256: str) -> Transcript | None:
    """The transcript that was kept of an attempt at this delivery."""
    if kept is None:
        return None
    text = zlib.decompressobj(wbits=_RAW, zdict=_WORDS).decompress(kept).decode()
    for said, mark in _marks(delivery_id, sha256):
        text = text.replace(mark, said)
    told = json.loads(text)
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
