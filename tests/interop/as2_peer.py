"""What pyas2lib does with messages and MDNs, as a program: JSON on stdin, JSON on stdout. Run by the peers' interpreter.

pyas2lib stands on oscrypto, which reads the version of OpenSSL by a pattern that 3.0.10 and later do not fit; the pattern is
widened here, before it is imported.
"""

from __future__ import annotations

import base64
import json
import re
import sys
import time
from typing import Any

_search = re.search


def _search_wider(pattern: Any, string: Any, flags: Any = 0) -> Any:
    if pattern == "\\b(\\d\\.\\d\\.\\d[a-z]*)\\b":
        pattern = "\\b(\\d+\\.\\d+\\.\\d+[a-z]*)\\b"
    return _search(pattern, string, flags)


re.search = _search_wider

from pyas2lib import as2  # type: ignore[import-not-found] # noqa: E402


def main() -> None:
    """Do what is asked, for each line."""
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(globals()[{"time": "time_"}.get(name := asked.pop("do"), name)](**asked)), flush=True)


def _organisation(pem: str) -> Any:
    return as2.Organization(as2_name="acme", sign_key=pem.encode(), sign_key_pass=None, decrypt_key=pem.encode())


def _partner(name: str, certificate: str, **terms: Any) -> Any:
    return as2.Partner(
        as2_name=name,
        verify_cert=certificate.encode(),
        encrypt_cert=certificate.encode(),
        validate_certs=False,
        **terms,
    )


def build(pem: str, name: str, certificate: str, payload: str, terms: dict[str, Any]) -> dict[str, Any]:
    """A message to us."""
    message = as2.Message(_organisation(pem), _partner(name, certificate, **terms))
    message.build(base64.b64decode(payload), filename="a.edi", subject="s", content_type="application/edifact")
    mic = message.mic
    return {
        "headers": dict(message.headers),
        "body": base64.b64encode(message.content).decode(),
        "mic": mic.decode() if isinstance(mic, bytes) else mic,
        "id": message.message_id,
    }


def parse(pem: str, name: str, certificate: str, raw: str, terms: dict[str, Any]) -> dict[str, Any]:
    """A message of ours, and the MDN to it."""
    message = as2.Message()
    organisation, partner = _organisation(pem), _partner(name, certificate, **terms)
    status, (error, trace), mdn = message.parse(
        base64.b64decode(raw), lambda _name: organisation, lambda _name: partner, lambda _id, _partner: False
    )
    content = message.content if status == "processed" else b""
    return {
        "status": status,
        "error": f"{error} {trace}",
        "payload": base64.b64encode(content if isinstance(content, bytes) else content.encode()).decode(),
        "headers": dict(mdn.headers) if mdn is not None else {},
        "mdn": base64.b64encode(mdn.content).decode() if mdn is not None else "",
    }


def confirm(pem: str, name: str, certificate: str, payload: str, terms: dict[str, Any]) -> dict[str, Any]:
    """A message to us, and, once its MDN is on the next line, what that says."""
    message = as2.Message(_organisation(pem), _partner(name, certificate, **terms))
    message.build(base64.b64decode(payload), filename="a.edi", subject="s", content_type="application/edifact")
    print(
        json.dumps({"headers": dict(message.headers), "body": base64.b64encode(message.content).decode()}), flush=True
    )
    mdn = as2.Mdn()
    status, detail = mdn.parse(
        base64.b64decode(json.loads(sys.stdin.readline())["raw"]), lambda _id, _recipient: message
    )
    return {"status": status, "detail": str(detail)}


def time_(
    pem: str, own: str, certificate: str, sender: str, payload: str, terms: dict[str, Any], times: int
) -> dict[str, Any]:
    """Seconds for one exchange, both ends here: a message built, parsed and answered, and the MDN parsed."""
    content = base64.b64decode(payload)
    ours = as2.Organization(as2_name="us", sign_key=own.encode(), sign_key_pass=None, decrypt_key=own.encode())
    them = as2.Organization(as2_name="them", sign_key=pem.encode(), sign_key_pass=None, decrypt_key=pem.encode())
    to_them, to_us = _partner("them", certificate, **terms), _partner("us", sender, **terms)
    seconds = 0.0
    for number in range(times + 1):
        began = time.perf_counter()
        message = as2.Message(ours, to_them)
        message.build(content, filename="a.edi", subject="s", content_type="application/edifact")
        arrived = as2.Message()
        raw = message.headers_str + b"\r\n" + message.content
        status, detail, mdn = arrived.parse(raw, lambda _name: them, lambda _name: to_us, lambda _id, _partner: False)
        assert status == "processed", detail
        answer = as2.Mdn()
        said, _ = answer.parse(mdn.headers_str + b"\r\n" + mdn.content, lambda _id, _recipient, sent=message: sent)
        assert said == "processed", said
        seconds += (time.perf_counter() - began) if number else 0.0  # the first one loads what is loaded once
    return {"seconds": seconds / times}


main()
