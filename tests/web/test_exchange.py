"""Webhooks and pull in a whole gateway: a declaration is sent, the bureau gets it by an event, or fetches and acknowledges it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.data import samples
from gateway.model import Credential
from gateway.registry.keys import hash_key
from gateway.transports.webhook_signing import read_public, verify, write_private
from tests.transports.test_http import recipient
from tests.trip import rig
from tests.web.conftest import Client, key_of

DECLARATION = (samples() / "declaration" / "import_sea_container" / "in.edi").read_bytes()


async def begin(client: Client, transport: str, options: dict[str, str], **terms: Any) -> None:
    """The bureau gets its documents that way, and one is on its way to it."""
    await agree(client, transport, options, **terms)
    sent = await client.send(DECLARATION)
    view = await client.processed(sent.json["id"])
    assert view["state"] == "accepted", view


async def agree(client: Client, transport: str, options: dict[str, str], **terms: Any) -> None:
    """The bureau is to get its documents that way."""
    agreements = [
        replace(one, transport=transport, options=options, **terms) if one.partner_id == "bureau" else one
        for one in rig.AGREEMENTS
    ]
    keys = [Credential("bureau-trip", "bureau", hash_key(key_of("bureau")))]
    await client.services.store.import_partners(rig.PARTNERS, agreements, keys)


async def deliveries(client: Client, state: str = "") -> list[dict[str, Any]]:
    page = await client.ask("GET", f"/v1/deliveries?order=oldest&state={state}", as_="bureau")
    return list(page.json["items"])


async def until(looked_for: Callable[[], Awaitable[Any]]) -> Any:
    """What is looked for, as soon as it is there."""
    for _ in range(400):
        if found := await looked_for():
            return found
        await asyncio.sleep(0.025)
    raise AssertionError("it did not come")


@asynccontextmanager
async def receiver(status: list[int]) -> AsyncIterator[tuple[str, list[tuple[Any, bytes]]]]:
    """An endpoint that answers with these one after the other, the last one for good; its URL, and what came."""
    came: list[tuple[Any, bytes]] = []

    async def handle(request: web.Request) -> web.Response:
        came.append((request.headers, await request.read()))
        return web.Response(status=status.pop(0) if len(status) > 1 else status[0])

    async with recipient(handle) as url:
        yield url, came


@pytest.fixture
def changes(tmp_path: Path) -> dict[str, Any]:
    """Webhooks are signed."""
    (tmp_path / "webhook.key").write_text(write_private(Ed25519PrivateKey.generate()), "utf-8")
    return {"transports": {"webhook": {"keys": [f"file:{tmp_path / 'webhook.key'}"]}}}


async def test_a_bureau_gets_a_signed_event(client: Client) -> None:
    """It verifies by the keys that the gateway tells, and the delivery's attempts say what went."""
    async with receiver([200]) as (url, came):
        await begin(client, "webhook", {"url": url})
        await until(lambda: deliveries(client, "delivered"))
    (headers, body), *_ = came
    (key,) = (await client.ask("GET", "/v1/webhooks/keys", as_="bureau")).json["keys"]
    now = int(headers["webhook-timestamp"])
    given = (headers["webhook-id"], headers["webhook-timestamp"], body, headers["webhook-signature"], now)
    assert verify([read_public(key)], [], *given) == ""
    event = json.loads(body)
    (one, *_) = await deliveries(client, "delivered")
    assert (event["type"], event["data"]["delivery"]) == (f"document.{one['document']}", one["id"])
    whole = (await client.ask("GET", one["link"], as_="bureau")).json
    assert whole["attempts"][0]["request"]["size"] == len(body)
    assert whole["attempts"][0]["answer"]["status"] == "200 OK"


async def test_an_endpoint_that_is_gone_is_disabled_and_comes_back(client: Client) -> None:
    """410: nothing more is sent before the bureau's engineer resumes it; then everything goes."""
    async with receiver([410, 200]) as (url, came):
        await begin(client, "webhook", {"url": url})

        async def stopped() -> Any:
            return (await client.ask("GET", "/v1/endpoints", as_="bureau")).json["items"]

        (gone,) = await until(stopped)
        assert (gone["stop"], gone["address"], len(came)) == ("gone", url, 1)
        wanted = {"transport": "webhook", "address": url}
        resumed = await client.ask("POST", "/v1/endpoints/resume", as_="bureau", json=wanted)
        assert (resumed.status, resumed.json["stop"]) == (200, None)
        await until(lambda: deliveries(client, "delivered"))
    assert {one["state"] for one in await deliveries(client)} == {"delivered"}


async def test_an_engineer_has_a_test_event_sent(client: Client) -> None:
    """Of the type that is wanted; what the endpoint answered is told, and nobody else may."""
    async with receiver([200]) as (url, came):
        await begin(client, "webhook", {"url": url})
        (agreement,) = [
            one.id for one in rig.AGREEMENTS if one.partner_id == "bureau" and one.direction.value == "out"
        ][:1]
        path = f"/v1/webhooks/{agreement}/ping?type=document.release"
        answer = await client.ask("POST", path, as_="bureau")
        assert (answer.status, answer.json["delivered"], answer.json["answer"]["status"]) == (200, True, "200 OK")
        event = json.loads(next(body for headers, body in came if headers["webhook-id"].startswith("ping-")))
        assert (event["type"], event["data"]["ping"], event["data"]["test"]) == ("document.release", True, True)
        assert (await client.ask("POST", path, as_="rival")).status == 404
        assert (await client.ask("POST", "/v1/webhooks/none/ping", as_="bureau")).status == 404
        assert (await client.ask("POST", f"/v1/webhooks/{agreement}/ping?type={'x' * 101}", as_="bureau")).status == 400
    answer = await client.ask("POST", path, as_="bureau")
    assert (answer.json["delivered"], answer.json["answer"]) == (False, None)
    assert "Cannot connect" in answer.json["detail"]


async def test_what_waits_is_fetched_and_acknowledged(client: Client) -> None:
    """Listed oldest first, fetched byte for byte, acknowledged once; only then it is delivered, with its receipt."""
    await begin(client, "pull", {})
    waiting = await until(lambda: deliveries(client, "awaiting"))
    for one in waiting:
        body = await client.ask("GET", one["body_link"], as_="bureau")
        assert body.status == 200
    assert await deliveries(client, "delivered") == []
    first, *rest = waiting
    path = f"/v1/deliveries/{first['id']}/acknowledgement"
    done = await client.ask("POST", path, as_="bureau", json={"outcome": "ok", "sha256": first["sha256"]})
    assert (done.status, done.json) == (200, {"id": first["id"], "settled": "counted"})
    again = await client.ask("POST", path, as_="bureau", json={"outcome": "unreadable"})
    assert (again.status, again.json["settled"]) == (200, "repeated")
    assert [one["id"] for one in await deliveries(client, "delivered")] == [first["id"]]
    receipts = await client.services.store.receipts_of([first["id"]])
    assert [one.stage.value for one in receipts] == ["delivered"]
    assert b'"pull_ok"' in receipts[0].body
    # Another's acknowledgement is about nothing that it awaits.
    for one in rest or [first]:
        other = await client.ask(
            "POST", f"/v1/deliveries/{one['id']}/acknowledgement", as_="rival", json={"outcome": "ok"}
        )
        assert other.status == 404


@pytest.mark.parametrize(
    ("said", "state", "kept"),
    [
        ({"outcome": "warning", "detail": "no seal"}, "delivered", "warning: no seal"),
        ({"outcome": "unreadable", "detail": "GBK?"}, "dead", "unreadable: GBK?"),
        ({"outcome": "ok", "sha256": "0" * 64}, "awaiting", "The recipient confirmed another digest"),
    ],
)
async def test_each_acknowledgement_means_something(
    client: Client, said: dict[str, str], state: str, kept: str
) -> None:
    """A warning is delivery; what is unreadable waits for a person; another digest has it fetched again."""
    await begin(client, "pull", {}, first_delay=0.05, longest_delay=0.05)
    first, *_ = await until(lambda: deliveries(client, "awaiting"))
    path = f"/v1/deliveries/{first['id']}"
    await client.ask("POST", f"{path}/acknowledgement", as_="bureau", json=said)

    async def settled() -> Any:
        whole = (await client.ask("GET", path, as_="bureau")).json
        told = [one for one in whole["attempts"] if kept in one["detail"]]
        return told and whole["delivery"]["state"] == state

    assert await until(settled)


@pytest.mark.parametrize(
    "said", [b"", b"[]", b'{"outcome": "fine"}', b'{"outcome": "ok", "sha256": "zz"}', b"x" * 20_000]
)
async def test_what_is_no_acknowledgement(client: Client, said: bytes) -> None:
    """Refused, and nothing changes."""
    await begin(client, "pull", {})
    first, *_ = await until(lambda: deliveries(client, "awaiting"))
    answer = await client.ask("POST", f"/v1/deliveries/{first['id']}/acknowledgement", as_="bureau", data=said)
    assert answer.status == 400
    assert [one["id"] for one in await deliveries(client, "awaiting")][:1] == [first["id"]]


async def test_a_test_key_acknowledges_no_live_delivery(client: Client) -> None:
    """It is handed around more freely: it sees none, and says nothing of any."""
    await begin(client, "pull", {})
    first, *_ = await until(lambda: deliveries(client, "awaiting"))
    key = Credential("bureau-test", "bureau", hash_key(key_of("bureau-test")), test=True)
    await client.services.store.import_partners((), (), (key,))
    path = f"/v1/deliveries/{first['id']}/acknowledgement"
    for outcome in ("ok", "unreadable"):
        assert (await client.ask("POST", path, as_="bureau-test", json={"outcome": outcome})).status == 404
    assert first["id"] in [one["id"] for one in await deliveries(client, "awaiting")]


async def test_what_is_not_offered_yet_is_not_acknowledged(client: Client) -> None:
    """Whoever was told that nothing waits under that name has said nothing: it is offered all the same."""
    await begin(client, "pull", {}, hold=True)
    first, *_ = await until(lambda: deliveries(client, "held"))
    path = f"/v1/deliveries/{first['id']}"
    early = await client.ask("POST", f"{path}/acknowledgement", as_="bureau", json={"outcome": "unreadable"})
    assert early.status == 404
    assert (await client.ask("POST", f"{path}/retry", as_="bureau")).status == 200
    await until(lambda: deliveries(client, "awaiting"))
    done = await client.ask("POST", f"{path}/acknowledgement", as_="bureau", json={"outcome": "ok"})
    assert (done.status, done.json["settled"]) == (200, "counted")
