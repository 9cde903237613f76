"""Webhooks as Standard Webhooks has them: what is sent, how it is signed, and what each answer means."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from collections.abc import Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.config import Settings, Store
from gateway.errors import DeliveryDeferred, DeliveryRefused, EndpointGone, SecretUnreadable
from gateway.model import Agreement, Credential, CredentialKind, CredentialUse, Delivery, DeliveryKind, Direction
from gateway.registry.directory import Directory
from gateway.transports.base import Evidence, Record
from gateway.transports.webhook import TRANSPORT, WebhookSender, WebhookSettings, name_event, write_event
from gateway.transports.webhook_signing import (
    SECRET,
    Keys,
    read_private,
    read_public,
    read_secret_text,
    sign,
    verify,
    write_private,
    write_public,
)
from tests.transports.conformance.kinds import confirm_nothing, means_of
from tests.transports.test_http import recipient

BASE64 = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
"""A secret of the test vectors of the Standard Webhooks libraries."""
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
NEXT = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
JSON_BODY = '{"number":"1",  "name":"红"}'.encode()


def delivery(body: bytes = JSON_BODY, format_: str = "json:clearance:1", **fields: Any) -> Delivery:
    given: dict[str, Any] = {
        "id": "019b784004607ed1e000000000005b7c",
        "partner_id": "acme",
        "agreement_id": "out",
        "lane": "l",
        "kind": DeliveryKind.DOCUMENT,
        "document_type": "clearance",
        "format": format_,
        "body": body,
        "sha256": hashlib.sha256(body).hexdigest(),
        "case_id": "c-1",
        "reference": "R1",
    }
    return Delivery(**(given | fields))


class Registry(Directory):
    """One partner with secrets."""

    def __init__(self, references: Sequence[str] = ()) -> None:
        super().__init__(None)  # type: ignore[arg-type]
        self.references = list(references)

    async def credentials(
        self, partner_id: str, kind: CredentialKind, use: CredentialUse, now: datetime, label: str = ""
    ) -> Sequence[Credential]:
        assert (partner_id, kind, use, label) == ("acme", CredentialKind.TOKEN, CredentialUse.OUT, "hook")
        return [
            Credential(f"t{n}", "acme", kind=kind, use=use, reference=one, label=label)
            for n, one in enumerate(self.references)
        ]


@asynccontextmanager
async def sender(tmp_path: Path, keys: Sequence[Ed25519PrivateKey] = (), secrets: Sequence[str] = ()):
    """A sender with these keys and secrets, each in a file of its own."""
    names = []
    for number, text in enumerate([*map(write_private, keys), *secrets]):
        (tmp_path / f"key-{number}").write_text(f"{text}\n", "utf-8")
        names.append(f"file:{tmp_path / f'key-{number}'}")
    own = WebhookSettings(keys=tuple(names[: len(keys)]))
    means = means_of(Settings(store=Store(payload_folder=tmp_path)), own, confirm_nothing)  # type: ignore[arg-type]
    made = WebhookSender(replace(means, registry=Registry(names[len(keys) :])), allow_private=True)
    try:
        yield made
    finally:
        await made.close()


def agreement(url: str, **options: str) -> Agreement:
    return Agreement("out", "acme", Direction.OUT, "*", "json:clearance:1", "webhook", {"url": url, **options})


def answering(
    status: int, seen: list[web.Request] | None = None, **more: Any
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        await request.read()
        if seen is not None:
            seen.append(request)
        return web.Response(status=status, **more)

    return handle


# Signatures.


def test_the_known_answer():
    """The vector that the reference libraries of Standard Webhooks share."""
    keys = Keys((), [read_secret_text(SECRET + BASE64)])
    signed = sign(keys, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_openssl_takes_our_signature(tmp_path: Path):
    """Over id, moment and body, joined by full stops."""
    (kind, signature) = sign(Keys([KEY]), "d-1", 1614265330, b"{}").split(",")
    pem = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    for name, content in (("key", pem), ("signed", b"d-1.1614265330.{}"), ("signature", base64.b64decode(signature))):
        (tmp_path / name).write_bytes(content)
    files = ["-inkey", f"{tmp_path}/key", "-sigfile", f"{tmp_path}/signature", "-in", f"{tmp_path}/signed"]
    done = subprocess.run(
        ["openssl", "pkeyutl", "-verify", "-pubin", "-rawin", *files], capture_output=True, text=True, check=False
    )
    assert (kind, done.returncode, "Verified Successfully" in done.stdout) == ("v1a", 0, True), done.stderr


def test_keys_and_texts_say_the_same():
    """A key that is written is read; some libraries write the public half behind the private one."""
    both = "whsk_" + base64.b64encode(bytes(range(32)) + bytes(32)).decode()
    for text in (write_private(KEY), both):
        assert write_public(read_private(text).public_key()) == write_public(KEY.public_key())
    assert write_public(read_public(write_public(KEY.public_key()))) == write_public(KEY.public_key())


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (read_private, "whsk_"),
        (read_private, "whpk_" + base64.b64encode(bytes(32)).decode()),
        (read_private, "whsk_!"),
        (read_private, "whsk_" + base64.b64encode(bytes(31)).decode()),
        (read_public, "whpk_" + base64.b64encode(bytes(33)).decode()),
        (read_secret_text, BASE64),
        (read_secret_text, "whsec_" + base64.b64encode(bytes(23)).decode()),
    ],
)
def test_what_is_no_key(read: Callable[[str], object], text: str):
    """Said without repeating it."""
    with pytest.raises(SecretUnreadable) as caught:
        read(text)
    assert len(text) < 12 or text not in str(caught.value)


GOOD = sign(Keys([KEY], [read_secret_text(SECRET + BASE64)]), "d-1", 1000, b"{}")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, ""),
        ({"signatures": sign(Keys([NEXT, KEY]), "d-1", 1000, b"{}")}, ""),
        ({"public": [], "signatures": GOOD}, ""),
        ({"secrets": [], "signatures": GOOD}, ""),
        ({"now": 1300}, ""),
        ({"now": 1301}, "away from now"),
        ({"now": 699}, "away from now"),
        ({"body": b"{ }"}, "no signature"),
        ({"id_": "d-2"}, "no signature"),
        ({"timestamp": "1001"}, "no signature"),
        ({"timestamp": "1e3"}, "no number"),
        ({"timestamp": ""}, "no number"),
        ({"timestamp": "9" * 5000}, "no number"),
        ({"signatures": ""}, "no signature"),
        ({"signatures": "v1,=== v2,AA v1a,AA"}, "no signature"),
        ({"signatures": sign(Keys([NEXT]), "d-1", 1000, b"{}")}, "no signature"),
        ({"signatures": GOOD.replace("v1a,", "v1,")}, ""),  # the one by the secret still holds
        ({"secrets": [], "signatures": GOOD.replace("v1a,", "v1,")}, "no signature"),
    ],
)
def test_what_a_receiver_takes(changes: dict[str, Any], why: str):
    """Whatever is signed by one it knows, young enough; nothing else."""
    given: dict[str, Any] = {
        "public": [KEY.public_key()],
        "secrets": [read_secret_text(SECRET + BASE64)],
        "id_": "d-1",
        "timestamp": "1000",
        "body": b"{}",
        "signatures": GOOD,
        "now": 1000.0,
    }
    said = verify(**(given | changes))
    assert why in said
    assert bool(said) == bool(why)


# Events.


def test_an_event_holds_the_delivery_as_it_is():
    """Its JSON byte for byte, and when that happened of which it tells; the same for each attempt."""
    event = write_event(delivery(), NOW)
    assert JSON_BODY in event
    told = json.loads(event)
    assert (told["type"], told["timestamp"]) == ("document.clearance", "2026-03-01T12:00:00Z")
    assert told["data"]["content"] == json.loads(JSON_BODY)
    assert (told["data"]["delivery"], told["data"]["case"], told["data"]["test"]) == (delivery().id, "c-1", False)
    assert told["data"]["sha256"] == hashlib.sha256(JSON_BODY).hexdigest()


@pytest.mark.parametrize("format_", ["edifact:CUSRES:D:96B:UN", "x12:350:004010", "xml:EEntDeclIo:1"])
def test_what_is_no_json_comes_in_base64(format_: str):
    """Byte for byte, whatever its character set."""
    told = json.loads(write_event(delivery(b"\x00\xff'\r\n", format_), NOW))
    assert base64.b64decode(told["data"]["content_base64"]) == b"\x00\xff'\r\n"
    assert "content" not in told["data"]


def test_names_of_events():
    """Kind and document; an acknowledgement is no document of a type."""
    assert name_event(DeliveryKind.DOCUMENT, "release") == "document.release"
    assert name_event(DeliveryKind.RESPONSE, "response") == "response"
    assert name_event(DeliveryKind.ACKNOWLEDGEMENT, "acknowledgement") == "acknowledgement"


# Sending.


async def test_what_is_sent_verifies(tmp_path: Path) -> None:
    """Each of our keys and each secret of the partner's signs, so that any of them may roll over."""
    seen: list[tuple[Any, bytes]] = []

    async def handle(request: web.Request) -> web.Response:
        seen.append((request.headers, await request.read()))
        return web.Response(status=200, text="thanks")

    other = "whsec_" + base64.b64encode(bytes(range(24))).decode()
    async with (
        recipient(handle) as url,
        sender(tmp_path, [KEY, NEXT], [SECRET + BASE64, other]) as one,
    ):
        record = Record()
        evidence = await one.send(delivery(), agreement(url, secret="hook"), record)
    assert evidence == Evidence("delivered", "webhook_2xx", "200 OK", b"thanks")
    ((headers, body),) = seen
    assert headers["webhook-id"] == delivery().id
    for public, secrets in (
        ([KEY.public_key()], []),
        ([NEXT.public_key()], []),
        ([], [read_secret_text(other)]),
        ([], [read_secret_text(SECRET + BASE64)]),
    ):
        given = (headers["webhook-timestamp"], body, headers["webhook-signature"])
        assert verify(public, secrets, headers["webhook-id"], *given, datetime.now(UTC).timestamp()) == ""
    assert headers["webhook-signature"].count(",") == 4
    # The event's moment is its delivery's, not the attempt's.
    assert json.loads(body)["timestamp"].startswith("2026-01-01T")
    assert (record.size, record.sha256) == (len(body), hashlib.sha256(body).hexdigest())
    assert record.status == "200 OK"


@pytest.mark.parametrize(
    ("status", "headers", "expected", "asked"),
    [
        (204, {}, Evidence, 0),
        (410, {}, EndpointGone, 0),
        (301, {"Location": "/elsewhere"}, DeliveryDeferred, 1.0),
        (400, {}, DeliveryDeferred, 1.0),
        (404, {}, DeliveryDeferred, 1.0),
        (422, {}, DeliveryDeferred, 1.0),
        (429, {"Retry-After": "30"}, DeliveryDeferred, 30.0),
        (500, {}, DeliveryDeferred, 1.0),
        (503, {"Retry-After": "120"}, DeliveryDeferred, 120.0),
    ],
)
async def test_what_an_answer_means(
    tmp_path: Path, status: int, headers: dict[str, str], expected: type, asked: float
) -> None:
    """2xx is delivery, 410 the end of the endpoint, everything else is tried again; a redirect is not followed."""
    seen: list[web.Request] = []
    async with recipient(answering(status, seen, headers=headers)) as url, sender(tmp_path, [KEY]) as one:
        if expected is Evidence:
            assert (await one.send(delivery(), agreement(url), Record())).outcome == "delivered"
        else:
            with pytest.raises(expected) as caught:
                await one.send(delivery(), agreement(url), Record())
            assert isinstance(caught.value, EndpointGone) == (expected is EndpointGone)
            assert isinstance(caught.value, DeliveryDeferred)
            if asked:
                assert caught.value.retry_after == asked
    assert len(seen) == 1


async def test_nothing_goes_unsigned(tmp_path: Path) -> None:
    """Where nothing signs, or a secret is none, it waits for an operator, and nothing is sent."""
    seen: list[web.Request] = []
    async with recipient(answering(200, seen)) as url:
        async with sender(tmp_path) as one:
            with pytest.raises(DeliveryDeferred, match="Nothing signs"):
                await one.send(delivery(), agreement(url), Record())
            with pytest.raises(DeliveryDeferred, match="No token called hook"):
                await one.send(delivery(), agreement(url, secret="hook"), Record())
        async with sender(tmp_path, [], ["hunter2"]) as one:
            with pytest.raises(SecretUnreadable) as caught:
                await one.send(delivery(), agreement(url, secret="hook"), Record())
            assert "hunter2" not in str(caught.value)
    assert seen == []


async def test_private_addresses_are_guarded(tmp_path: Path) -> None:
    """As for every transport over HTTP."""
    async with sender(tmp_path, [KEY]) as one:
        guarded = WebhookSender(one._means)
        with pytest.raises(DeliveryRefused):
            await guarded.send(delivery(), agreement("http://127.0.0.1:1/"), Record())
        await guarded.close()


def test_a_wrong_key_is_a_fault_of_the_settings(tmp_path: Path):
    """`gateway config check` names which."""
    (tmp_path / "good").write_text(write_private(KEY), "utf-8")
    (tmp_path / "bad").write_text("whsk_short", "utf-8")
    own = WebhookSettings(keys=(f"file:{tmp_path / 'good'}", f"file:{tmp_path / 'bad'}", "env:NOT_SET_ANYWHERE"))
    faults = list(TRANSPORT.find_faults(own))
    assert [fault.split(":")[0] for fault in faults] == ["keys.1", "keys.2"]
