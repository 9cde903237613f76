from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.model import Credential, CredentialKind, Partner, Person, Role
from gateway.registry.keys import PREFIX, hash_key, new_key
from gateway.web.routes import ROUTES
from tests.web.conftest import Client, key_of

PROTECTED = [route for route in ROUTES if route.scope]


def path_of(route):
    """A path that fits the route."""
    places = {"id": "0" * 32, "key": "x", "scheme": "x", "value": "x", "name": "status", "period": "2026-03-05"}
    return route.path.format(**places, index=0, sequence=1)


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


SECOND = timedelta(seconds=1)
NOT_VALID = {
    "expired": {"valid_until": -SECOND},
    "future": {"valid_from": 60 * SECOND},
    "revoked": {"revoked_at": -SECOND},
}


@pytest.mark.parametrize("why", NOT_VALID)
async def test_a_key_that_is_not_valid_is_refused_like_an_unknown_one(client: Client, why):
    """Whoever shows it learns nothing; the log tells the operator, once, which key it was and what is wrong with it."""
    moments: dict[str, Any] = {name: datetime.now(UTC) + after for name, after in NOT_VALID[why].items()}
    key = Credential("old", "acme", hash_key(key_of("old")), label="the ERP", **moments)
    await client.services.store.import_partners([], [], [key])
    with capture_logs() as logs:
        refused = [await client.ask("GET", "/v1/messages", as_="old") for _ in range(2)]
    unknown = await client.ask("GET", "/v1/messages", as_="nobody's")
    for one in refused:
        assert (one.status, one.json) == (unknown.status, unknown.json) == (401, unknown.json)
    told = [line for line in logs if line["event"] == "key_refused"]
    assert [(line["credential"], line["label"], line["partner"], line["why"]) for line in told] == [
        ("old", "the ERP", "acme", why)
    ]


async def test_two_keys_are_good_while_one_is_rolled_over(client: Client, monkeypatch):
    """The next key opens from its first moment, the old one up to its last, and both in between."""
    store, now = client.services.store, datetime.now(UTC)
    keys = [
        Credential("first", "acme", hash_key(key_of("first")), valid_until=now + 60 * SECOND),
        Credential("next", "acme", hash_key(key_of("next")), valid_from=now),
    ]
    await store.import_partners([], [], keys)
    gate = client.services.gate
    for after, first, following in ((0, True, True), (59, True, True), (60, False, True)):
        moment = now + after * SECOND
        monkeypatch.setattr(gate, "_clock", lambda moment=moment: moment)
        answers = [(await client.ask("GET", "/v1/messages", as_=name)).status for name in ("first", "next")]
        assert answers == [200 if first else 401, 200 if following else 401], after


async def test_a_certificate_is_no_key(client: Client):
    """Who knows the digest of a certificate, which is public, has no key to the interface."""
    shown = Credential("cert", "acme", hash_key(key_of("cert")), kind=CredentialKind.CERTIFICATE)
    await client.services.store.import_partners([], [], [shown])
    assert (await client.ask("GET", "/v1/messages", as_="cert")).status == 401


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


PERSONS = {
    "unknown": (),
    "inactive": (Person("wang", "acme", "Wang", active=False),),
    "another partner's": (Person("wang", "rival", "Wang"),),
}


@pytest.mark.parametrize("why", PERSONS)
async def test_a_key_of_nobody_opens_nothing(client: Client, why):
    """A person's key is as good as the person: one who is gone, is not active, or acts for another is refused."""
    store = client.services.store
    await store.import_persons(PERSONS[why])
    await store.import_partners([], [], [Credential("k", "acme", hash_key(key_of("wang")), person_id="wang")])
    assert (await client.ask("GET", "/v1/messages", as_="wang")).status == 401


async def test_what_a_person_sends_says_so(client: Client):
    """The payload keeps person and role, and its `received` receipt names both; a system's key acts in no role."""
    store = client.services.store
    await store.import_persons([Person("wang", "acme", "Wang")])
    await store.import_partners([], [], [Credential("k", "acme", hash_key(key_of("wang")), person_id="wang")])
    sent = await client.ask("POST", "/v1/messages?role=reviewer", as_="wang", data=b"x")
    kept = await store.original(sent.json["id"])
    assert (kept.partner_id, kept.person_id, kept.role) == ("acme", "wang", "reviewer")
    assert (sent.json["receipt"]["person"], sent.json["receipt"]["role"]) == ("wang", "reviewer")
    assert (await client.ask("POST", "/v1/messages?role=reviewer", data=b"x")).status == 400
    assert (await client.ask("POST", f"/v1/messages?role={'r' * 101}", as_="wang", data=b"x")).status == 400
    plain = await client.send(b"y")
    assert {"person", "role"}.isdisjoint(plain.json["receipt"])
