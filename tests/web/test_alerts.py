"""Standing alerts over HTTP: whose keys see which."""

from __future__ import annotations

from gateway.model import Credential
from gateway.registry.keys import hash_key
from gateway.store.contract import Alert
from tests.web.conftest import NOW, Quiet, key_of


async def test_an_operators_test_key_sees_test_traffic_alone(quiet: Quiet) -> None:
    """Live alerts are neither told to it nor settled or silenced by it; those of test traffic are."""
    keys = (Credential("operator-test", "customs", hash_key(key_of("operator-test")), frozenset({"admin"}), test=True),)
    await quiet.store.import_partners((), (), keys)
    for test in (False, True):
        await quiet.store.raise_alert(Alert("delivery_dead", f"d{test}", (), NOW, partner_id="acme", test=test))
    (live,) = (await quiet.client.ask("GET", "/v1/alerts", as_="operator")).json["items"]
    (test,) = (await quiet.client.ask("GET", "/v1/alerts", as_="operator-test")).json["items"]
    assert (live["test"], test["test"]) == (False, True)
    assert (await quiet.client.ask("GET", f"/v1/alerts/{live['id']}", as_="operator-test")).status == 404
    for order in ("take", "settle", "silence"):
        path = f"/v1/alerts/{live['id']}/{order}"
        assert (await quiet.client.ask("POST", path, as_="operator-test")).status == 404
    settled = await quiet.client.ask("POST", f"/v1/alerts/{test['id']}/settle", as_="operator-test")
    assert (settled.status, settled.json["state"]) == (200, "settled")
    assert (await quiet.client.ask("GET", f"/v1/alerts/{live['id']}", as_="operator")).json["state"] == "open"
