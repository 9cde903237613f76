"""What an integrator writes over a client that was generated from the description. Run by the peers' interpreter.

Its arguments: the folder with the client, the gateway's address, the sender's key, the recipient's. Its input: a declaration.
It says as JSON what came of it.
"""

from __future__ import annotations

import base64
import io
import json
import sys
import time

sys.path.insert(0, sys.argv[1])

from generated import AuthenticatedClient  # type: ignore[import-not-found]
from generated.api.default import (  # type: ignore[import-not-found]
    get_cases,
    get_delivery,
    get_delivery_body,
    get_log_key,
    get_message,
    get_proof,
    list_deliveries,
    post_message,
)
from generated.models import ListDeliveriesState, Payload, Problem  # type: ignore[import-not-found]
from generated.types import File  # type: ignore[import-not-found]

url, sender_key, recipient_key = sys.argv[2:]
sender = AuthenticatedClient(base_url=url, token=sender_key)
recipient = AuthenticatedClient(base_url=url, token=recipient_key)

accepted = post_message.sync(
    client=sender, body=File(payload=io.BytesIO(sys.stdin.buffer.read())), idempotency_key="first"
)
for _turn in range(400):
    payload = get_message.sync(accepted.id, client=sender)
    assert isinstance(payload, Payload), payload
    if payload.state != "received":
        break
    time.sleep(0.05)
(message,) = payload.messages
cases = get_cases.sync(message.case, client=sender)
waiting = []
for _turn in range(400):
    waiting = list_deliveries.sync(client=recipient, state=ListDeliveriesState.DELIVERED).items
    if waiting:
        break
    time.sleep(0.05)
whole = get_delivery.sync(waiting[0].id, client=recipient)
body = get_delivery_body.sync(waiting[0].id, client=recipient)
missing = get_message.sync("none", client=sender)
print(
    json.dumps(
        {
            "state": payload.state,
            "case": cases.items[0].id,
            "stages": sorted(receipt.stage for receipt in payload.receipts),
            "attempts": [attempt.outcome for attempt in whole.attempts],
            "body": base64.b64encode(body.payload.read()).decode(),
            "sha256": waiting[0].sha256,
            "proofs": [get_proof.sync(str(receipt.index), client=sender) for receipt in payload.receipts],
            "key": get_log_key.sync(client=sender),
            "problem": missing.type_ if isinstance(missing, Problem) else "",
        }
    )
)
