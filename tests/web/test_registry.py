"""The registry over REST: what the operator's key does there, and what the audit says of it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from gateway.registry.keys import hash_key
from tests.web.conftest import Answer, Client, key_of

OPERATOR = {"as_": "operator"}


async def ask(client: Client, method: str, path: str, body: Any = None) -> Answer:
    """What the operator is answered."""
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    return await client.ask(method, path, as_="operator", data=data)


async def test_partners_are_listed_page_by_page(client: Client) -> None:
    """With filters, and a cursor that leads on."""
    found, path = [], "/v1/partners?limit=3"
    while path:
        page = (await ask(client, "GET", path)).json
        found += [one["id"] for one in page["items"]]
        path = f"/v1/partners?limit=3&cursor={page['next']}" if page["next"] else ""
    assert found == sorted(found)
    assert {"acme", "customs", "gone", "rival"} <= set(found)
    inactive = (await ask(client, "GET", "/v1/partners?active=false")).json["items"]
    assert [one["id"] for one in inactive] == ["gone"]
    assert [one["id"] for one in (await ask(client, "GET", "/v1/partners?role=customs")).json["items"]] == ["customs"]


async def test_a_partner_is_told_whole_and_without_secrets(client: Client) -> None:
    """Its agreements, credentials and persons; no hash of a key."""
    told = await ask(client, "GET", "/v1/partners/acme")
    assert (told.json["partner"]["id"], [one["id"] for one in told.json["agreements"]]) == ("acme", ["acme-in"])
    assert {one["id"]: one["validity"] for one in told.json["credentials"]}["acme-1"] == "valid"
    assert hash_key(key_of("acme")) not in told.body.decode()
    assert (await ask(client, "GET", "/v1/partners/nobody")).status == 404


async def test_a_disabled_partner_is_let_in_no_more(client: Client) -> None:
    """And again once it is enabled; the audit names the key that did it."""
    assert (await ask(client, "POST", "/v1/partners/rival/disable")).json["active"] is False
    client.services.gate._directory._looked_at = float("-inf")  # what it notices within a second otherwise
    assert (await client.ask("GET", "/v1/messages", as_="rival")).status == 401
    assert (await ask(client, "POST", "/v1/partners/rival/enable")).json["active"] is True
    (told, _, *_) = (await ask(client, "GET", "/v1/audit")).json["items"]
    assert (told["action"], told["subject"], told["before"]["active"]) == ("registry.partner", "rival", "False")
    assert (told["actor"]["partner"], told["actor"]["person"]) == ("customs", "operator-1")


async def test_keys_are_issued_rotated_and_revoked(client: Client) -> None:
    """A key that was issued opens the door, its next one as well, and neither once it is revoked."""
    made = await ask(client, "POST", "/v1/partners/rival/keys", {"scopes": ["read"], "label": "ERP"})
    assert (made.status, made.json["credential"]["scopes"]) == (201, ["read"])
    id_ = made.json["credential"]["id"]
    following = (await ask(client, "POST", f"/v1/credentials/{id_}/rotate", {"overlap_hours": 1})).json
    assert following["credential"]["label"] == "ERP"
    for key in (made.json["key"], following["key"]):
        headers = {"Authorization": f"Bearer {key}"}
        assert (await client.ask("GET", "/v1/messages", as_="", headers=headers)).status == 200
    revoked = await ask(client, "POST", f"/v1/credentials/{id_}/revoke")
    assert (revoked.status, revoked.json["validity"]) == (200, "revoked")
    assert (await ask(client, "POST", f"/v1/credentials/{id_}/rotate")).status == 409
    for body in (b"[]", b"{", {"scopes": ["all"]}, {"scopes": "read"}, {"key": "x"}, b"x" * 70_000):
        assert (await ask(client, "POST", "/v1/partners/rival/keys", body)).status == 400
    assert (await ask(client, "POST", "/v1/partners/rival/keys", {"person": "nobody"})).status == 404


async def test_a_file_is_imported_whole_or_not_at_all(client: Client) -> None:
    """With its faults, all of them; a trial tells the same and imports nothing."""
    body = b"id,name,roles\nfresh,Fresh,port\nx,X,king\ny,,port\n"
    for more in ("", "&dry_run=true"):
        done = await ask(client, "POST", f"/v1/partner-files?form=csv{more}", body)
        assert done.status == (200 if more else 422)
        assert [(one["partner"], one["field"]) for one in done.json["faults"]] == [("x", "roles.0"), ("y", "name")]
        assert (done.json["imported"], done.json["partners"], done.json["faults_count"]) == (False, 1, 2)
    assert (await ask(client, "GET", "/v1/partners/fresh")).status == 404
    good = await ask(client, "POST", "/v1/partner-files?form=csv", b"id,name,roles\nfresh,Fresh,port\n")
    assert (good.status, good.json["imported"]) == (200, True)
    assert (await ask(client, "GET", "/v1/partners/fresh")).json["partner"]["roles"] == ["port"]
    assert (await ask(client, "POST", "/v1/partner-files?form=json", b"{}")).status == 400
    graded = await ask(client, "POST", "/v1/partner-files?update=true", b'{"id": "acme", "credit_grade": "B"}')
    assert graded.json["imported"]
    assert (await ask(client, "GET", "/v1/partners?grade=B")).json["items"][0]["id"] == "acme"


async def test_an_export_is_an_import(client: Client) -> None:
    """In each form, without credentials; it changes nothing."""
    version = await client.services.store.registry_version()
    for form in ("csv", "json", "jsonl"):
        file = await ask(client, "GET", f"/v1/partner-files?form={form}")
        assert hash_key(key_of("acme")) not in file.body.decode()
        done = await ask(client, "POST", f"/v1/partner-files?form={form}", file.body)
        assert (done.status, done.json["faults"]) == (200, [])
    assert await client.services.store.registry_version() == version


async def test_only_a_partner_without_a_trace_is_removed(client: Client) -> None:
    """Who has sent something is not; an agreement goes by itself."""
    assert (await client.send(b"x", as_="rival")).status == 202
    refused = await ask(client, "DELETE", "/v1/partners/rival")
    assert (refused.status, "disabled" in refused.json["detail"]) == (409, True)
    assert (await ask(client, "DELETE", "/v1/agreements/rival-in")).json == {"id": "rival-in", "removed": True}
    assert (await ask(client, "DELETE", "/v1/agreements/rival-in")).status == 404
    await ask(client, "POST", "/v1/partner-files", b'{"id": "mistake", "name": "Mistake"}')
    assert (await ask(client, "DELETE", "/v1/partners/mistake")).status == 200
    assert (await ask(client, "GET", "/v1/partners/mistake")).status == 404


async def test_an_agreement_counts_while_it_is_in_force(client: Client) -> None:
    """Of two versions the one that came into force last; what has ended counts no more."""
    from datetime import UTC, datetime

    from gateway.model import Agreement, Direction
    from gateway.registry.directory import Directory

    now, hour = datetime.now(UTC), timedelta(hours=1)
    versions = [
        Agreement("v1", "acme", Direction.OUT, "release", "x:1", version="1", valid_until=now + hour),
        Agreement("v2", "acme", Direction.OUT, "release", "x:2", version="2", valid_from=now),
        Agreement("v3", "acme", Direction.OUT, "release", "x:3", version="3", valid_from=now + hour),
    ]
    await client.services.store.import_partners([], versions, [])
    for at, chosen, inforce in ((now - hour, "v1", 1), (now, "v2", 2), (now + hour, "v3", 2)):
        directory = Directory(client.services.store, now=lambda at=at: at)  # type: ignore[misc]
        found = await directory.wanted("acme", "release")
        assert found is not None
        assert (found.id, len(await directory.agreements("acme", Direction.OUT))) == (chosen, inforce)
    assert (await directory.agreement("acme", "v1")) is not None  # what was made under it still goes
