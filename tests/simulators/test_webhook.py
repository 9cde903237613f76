"""The way of a partner that gets webhooks: events are signed here as the standard says, by hand."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.simulators.ways import Arrival, Client
from gateway.simulators.webhook import CLOCKS_APART, Webhooks
from tests.simulators.test_ways import running

NOW = 1_780_000_000
KEY, OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32)), Ed25519PrivateKey.from_private_bytes(bytes(31) + b"1")
JSON = b'{ "document":  {"number": "1.50"} }'
EDIFACT = b"UNB+UNOC:3+A+B'\xff"


def public(key: Ed25519PrivateKey) -> str:
    return "whpk_" + base64.b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


def event(content: bytes, **changes: Any) -> bytes:
    """An event as docs/api.md shows it: JSON as it is at the end of its data, anything else in base64."""
    data = {"delivery": "d1", "document": "clearance", "sha256": hashlib.sha256(content).hexdigest()}
    if content[:1] != b"{":
        data["content_base64"] = base64.b64encode(content).decode()
    head = json.dumps({**data, **changes}, separators=(",", ":")).encode()
    inner = head[:-1] + b',"content":' + content + b"}" if content[:1] == b"{" else head
    return b'{"type":"document.clearance","timestamp":"2026-03-01T12:00:00Z","data":' + inner + b"}"


def signed(body: bytes, id_: str = "d1", moment: str = str(NOW), key: Ed25519PrivateKey = KEY) -> dict[str, str]:
    """Headers with a signature over id, timestamp and body (Standard Webhooks 1.0.0, "Signature scheme")."""
    signature = base64.b64encode(key.sign(f"{id_}.{moment}.".encode() + body)).decode()
    return {"webhook-id": id_, "webhook-timestamp": moment, "webhook-signature": f"v1,AAAA v1a,{signature}"}


def way(*trouble: str) -> Webhooks:
    return Webhooks(Client("http://127.0.0.1:1", ""), 0, trouble, [public(OTHER), public(KEY)], now=lambda: NOW)


async def post(url: str, body: bytes, headers: dict[str, str]) -> int:
    async with aiohttp.ClientSession() as session, session.post(url, data=body, headers=headers) as answer:
        return answer.status


@pytest.mark.parametrize("content", [JSON, EDIFACT])
async def test_a_signed_event_is_taken_once(content: bytes) -> None:
    """The delivery's own bytes come out of it, JSON with its blanks; a repeat is confirmed, and not handed on again."""
    taken: list[Arrival] = []
    async with running(way(), taken.append) as url:
        for moment in (str(NOW), str(NOW + 5)):
            assert await post(url, event(content), signed(event(content), moment=moment)) == 204
    assert taken == [Arrival("d1", "clearance", content)]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (signed(event(JSON) + b" "), 401),  # another body was signed
        (signed(event(JSON), key=Ed25519PrivateKey.generate()), 401),  # a key that nobody told the partner of
        ({**signed(event(JSON)), "webhook-id": "d2"}, 401),  # another id was signed
        ({**signed(event(JSON)), "webhook-signature": ""}, 401),  # nothing was signed
        ({**signed(event(JSON)), "webhook-signature": "v1a,!!"}, 401),  # no base64
        (signed(event(JSON), moment=str(int(NOW - CLOCKS_APART) - 1)), 401),  # signed, and too old
        (signed(event(JSON), moment="now"), 401),  # signed, and no moment
        (signed(event(JSON), id_="d2"), 422),  # signed, and the data names another delivery
    ],
)
async def test_what_does_not_hold_is_refused(headers: dict[str, str], status: int) -> None:
    """An event that a stranger could have made is not taken, and one that contradicts itself is not understood."""
    taken: list[Arrival] = []
    async with running(way(), taken.append) as url:
        assert await post(url, event(JSON), headers) == status
    assert taken == []


@pytest.mark.parametrize(
    "body",
    [
        event(EDIFACT, sha256="0" * 64),  # other bytes than it says
        event(EDIFACT, content_base64="!"),  # no base64
        b'{"data":{"delivery":"d1","document":"clearance","sha256":""}}',  # no content
        b"[]",  # no event
        b"UNB",  # no JSON
    ],
)
async def test_what_is_no_delivery_is_refused(body: bytes) -> None:
    """What was signed all the same, and cannot be read, is refused as such."""
    taken: list[Arrival] = []
    async with running(way(), taken.append) as url:
        assert await post(url, body, signed(body)) == 422
    assert taken == []


async def test_trouble_comes_first() -> None:
    """A partner in trouble refuses what it would take, and takes it when it comes again."""
    taken: list[Arrival] = []
    async with running(way("refuse"), taken.append) as url:
        assert [await post(url, event(JSON), signed(event(JSON))) for _ in range(2)] == [503, 204]
    assert len(taken) == 1
