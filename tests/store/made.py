"""Things to keep, made with as little as they need."""

from __future__ import annotations

import hashlib
import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.model import Delivery, DeliveryKind, FeedEntry, MessageState, Payload, Stage, Syntax
from gateway.receipt import signed
from gateway.store.contract import Accepted, Answered, Claimed, MessageRecord, NewReceipt, Outcome
from gateway.store.ports import Store

ORIGIN = "gateway.example/log"
NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
LEASE = timedelta(seconds=60)


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def payload(number: int = 1, *, body: bytes = b"", **fields: Any) -> Payload:
    body = body or f"payload {number}".encode()
    given: dict[str, Any] = {
        "id": f"{number:032x}",
        "partner_id": "firm",
        "transport": "http",
        "transport_id": "",
        "sha256": sha256(body),
        "size": len(body),
        "received_at": NOW,
        "body": body,
    }
    return Payload(**(given | fields))


def received(one: Payload) -> NewReceipt:
    return NewReceipt(Stage.RECEIVED, one.id, signed.received(one, log=ORIGIN))


async def accept(store: Store, number: int = 1, **fields: Any) -> Accepted:
    one = payload(number, **fields)
    return await store.accept(one, received(one))


async def claim(store: Store, number: int = 1, **fields: Any) -> Claimed:
    """A payload of that number, accepted and claimed (alone in the inbox)."""
    await accept(store, number, **fields)
    (claimed,) = await store.claim_payloads(1, LEASE, NOW)
    return claimed


def message(claimed: Claimed, number: int = 1, **fields: Any) -> MessageRecord:
    given: dict[str, Any] = {
        "id": f"m-{claimed.payload.id}-{number}",
        "payload_id": claimed.payload.id,
        "number": number,
        "partner_id": claimed.payload.partner_id,
        "syntax": Syntax.EDIFACT,
        "format": "edifact:CUSDEC:D:96B:UN",
        "reference": f"REF{number}",
        "state": MessageState.ACCEPTED,
        "at": NOW,
    }
    return MessageRecord(**(given | fields))


def outcome(claimed: Claimed, **fields: Any) -> Outcome:
    given: dict[str, Any] = {
        "work": claimed.work,
        "position": 1,
        "finished": True,
    }
    return Outcome(**(given | fields))


def delivery(name: str, lane: str = "customs|case", **fields: Any) -> Delivery:
    body = fields.pop("body", f"body of {name}".encode())
    given: dict[str, Any] = {
        "id": name,
        "partner_id": "customs",
        "agreement_id": "customs-out",
        "lane": lane,
        "kind": DeliveryKind.DOCUMENT,
        "document_type": "clearance",
        "format": "json:clearance:1",
        "body": body,
        "sha256": sha256(body),
    }
    return Delivery(**(given | fields))


def feed_entry(name: str, feed: str = "clearance", **fields: Any) -> FeedEntry:
    body = fields.pop("body", f"body of {name}".encode())
    given: dict[str, Any] = {
        "feed": feed,
        "partner_id": "",
        "document_type": "clearance",
        "document_id": name,
        "sha256": sha256(body),
        "body": body,
    }
    return FeedEntry(**(given | fields))


def receipt(subject: str, stage: Stage = Stage.DELIVERED) -> NewReceipt:
    return NewReceipt(stage, subject, signed.canonical({"stage": stage.value, "subject": subject}))


_ANSWERING = itertools.count(1000)


async def answer(store: Store, delivery_id: str) -> None:
    """Commit a payload that answers this delivery."""
    claimed = await claim(store, next(_ANSWERING))
    given = Answered(delivery_id, receipt(delivery_id, Stage.ANSWERED), NOW)
    await store.commit(outcome(claimed, answers=(given,)))


async def deliver_later(store: Store, *made: Delivery, number: int = 1) -> None:
    """Commit a payload that makes these deliveries."""
    claimed = await claim(store, number)
    await store.commit(outcome(claimed, deliveries=made))
