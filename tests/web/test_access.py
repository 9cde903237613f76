from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.model import ApiKey, Partner, Role
from gateway.registry.keys import PREFIX, hash_key, new_key
from gateway.web.routes import ROUTES
from tests.web.conftest import Client, key_of

PROTECTED = [route for route in ROUTES if route.scope]


def path_of(route):
    """A path that fits the route."""
    return route.path.format(id="0" * 32, key="x", name="status", index=0, sequence=1)


@pytest.mark.parametrize("as_", ["", "unknown", "gone"])
async def test_nothing_is_told_without_a_key(client: Client, as_):
    """No key, an unknown one, or one of an inactive partner: 401 on every protected route, with how to do better."""
    for route in PROTECTED:
        answer = await client.ask(route.method, path_of(route), as_=as_)
        assert answer.status == 401, route.path
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("value", ["", "Basic abc", "Bearer", "Bearer ", "gwk_x", "Bearer \u00e9"])
async def test_a_malformed_authorization_is_401(client: Client, value):
    """Whatever stands in Authorization, the answer is 401."""
    answer = await client.ask("GET", "/v1/messages", as_="", headers={"Authorization": value})
    assert answer.status == 401


async def test_scopes_are_kept_apart(client: Client):
    """A key for reading cannot send; the operator's key reads everything and sends nothing."""
    assert (await client.send(b"x", as_="acme-read")).status == 403
    assert (await client.ask("GET", "/v1/messages", as_="acme-read")).status == 200
    assert (await client.send(b"x", as_="operator")).status == 403
    assert (await client.ask("GET", "/v1/messages", as_="operator")).status == 200


async def test_an_expired_key_is_refused(client: Client):
    """A key is good until the moment it expires, and the refusal says why."""
    store = client.services.store
    past = datetime.now(UTC) - timedelta(seconds=1)
    await store.import_partners([], [], [ApiKey("old", "acme", hash_key(key_of("old")), expires_at=past)])
    answer = await client.ask("GET", "/v1/messages", as_="old", headers={"Accept-Language": "en"})
    assert answer.status == 401
    assert "expired" in answer.json["detail"]


async def test_a_change_of_the_registry_is_seen(client: Client):
    """A partner that is switched off is refused within moments, though its key was remembered."""
    import asyncio

    assert (await client.ask("GET", "/v1/messages", as_="rival")).status == 200
    off = Partner("rival", "Rival Exporting", frozenset({Role.ENTERPRISE}), active=False)
    await client.services.store.import_partners([off], [], [])
    for _ in range(60):
        if (await client.ask("GET", "/v1/messages", as_="rival")).status == 401:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the key still works")


def test_keys_are_random_and_recognisable():
    """Fresh keys differ, carry 256 bits, and begin as secret scanners look for them."""
    keys = {new_key() for _ in range(100)}
    assert len(keys) == 100
    assert all(key.startswith(PREFIX) and len(key) >= len(PREFIX) + 43 for key in keys)


async def test_the_key_itself_is_nowhere(client: Client, tmp_path):
    """What is on the disk holds the key's hash, and never the key."""
    await client.send(b"x")
    content = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert hash_key(key_of("acme")).encode() in content
    assert key_of("acme").encode() not in content


async def test_feeds_are_for_those_who_read_them(client: Client):
    """A feed is there for the roles that read it, and does not exist for others."""
    assert (await client.ask("GET", "/v1/feeds/clearance", as_="customs")).status == 200
    assert (await client.ask("GET", "/v1/feeds/clearance", as_="acme")).status == 404
    assert (await client.ask("GET", "/v1/feeds/clearance", as_="operator")).status == 200
    assert (await client.ask("GET", "/v1/feeds/alerts", as_="customs")).status == 404
    assert (await client.ask("GET", "/v1/feeds/nonsense", as_="operator")).status == 404


async def test_metrics_are_for_this_machine_and_the_operator(client: Client):
    """Metrics answer loopback; through a proxy they ask for the operator's key."""
    assert (await client.ask("GET", "/metrics", as_="")).status == 200
    proxied = {"X-Forwarded-For": "203.0.113.9"}
    assert (await client.ask("GET", "/metrics", as_="", headers=proxied)).status == 401
    assert (await client.ask("GET", "/metrics", as_="acme", headers=proxied)).status == 403
    assert (await client.ask("GET", "/metrics", as_="operator", headers=proxied)).status == 200
