"""Webhooks with the reference library of Standard Webhooks: it takes what we signed, and refuses what was changed."""

from __future__ import annotations

import json
import subprocess
import time

import pytest

from gateway.transports.webhook_signing import SECRET, Keys, read_secret_text, sign
from tests.interop.peers import peer_python
from tests.transports.test_webhook import BASE64, KEY

PROGRAM = """
import json, sys
from standardwebhooks import Webhook, WebhookVerificationError
asked = json.load(sys.stdin)
try:
    print(json.dumps(Webhook(asked["secret"]).verify(asked["body"], asked["headers"])))
except WebhookVerificationError as error:
    print(json.dumps({"refused": str(error)}))
"""
BODY = '{"type":"document.clearance","data":{"name":"红"}}'


def verified(body: str, signatures: str, timestamp: int) -> object:
    headers = {"webhook-id": "d-1", "webhook-timestamp": str(timestamp), "webhook-signature": signatures}
    asked = json.dumps({"secret": SECRET + BASE64, "body": body, "headers": headers})
    done = subprocess.run([str(peer_python()), "-c", PROGRAM], input=asked, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("private", [(), (KEY,)])
def test_it_takes_what_we_signed(private: tuple[object, ...]):
    """Also where a signature of ours by a key stands before the one by the secret."""
    now = int(time.time())
    keys = Keys(private, [read_secret_text(SECRET + BASE64)])  # type: ignore[arg-type]
    assert verified(BODY, sign(keys, "d-1", now, BODY.encode()), now) == json.loads(BODY)


def test_it_refuses_what_was_changed():
    """A body of which a letter is another, and a moment that was not signed."""
    now = int(time.time())
    signed = sign(Keys((), [read_secret_text(SECRET + BASE64)]), "d-1", now, BODY.encode())
    for body, timestamp in ((BODY.replace("c", "C"), now), (BODY, now + 1)):
        said = verified(body, signed, timestamp)
        assert isinstance(said, dict)
        assert "refused" in said
