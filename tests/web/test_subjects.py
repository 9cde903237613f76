"""What is registered of subjects, over REST: for authorities, and for whoever goes by that number."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from gateway.model import Identifier, Stage, SubjectVersion
from gateway.store.contract import NewReceipt, Outcome
from tests.store.made import payload
from tests.web.conftest import NOW, PARTNERS, Client, Quiet

SCHEME, NUMBER = "ciq-registration", "3702000001"
FIRST = SubjectVersion(SCHEME, NUMBER, 1, date(2026, 3, 1), "registered", "Acme", {"credit_grade": "B"}, at=NOW)
SECOND = replace(FIRST, version=2, valid_from=date(2026, 9, 1), attributes={"credit_grade": "A"})


async def register(client: Client) -> None:
    """A firm is registered, from a payload of its own that nobody else is at."""
    store = client.services.store
    telling = payload(77, partner_id="customs")
    receipt = NewReceipt(Stage.RECEIVED, telling.id, client.services.notary.received(telling))
    claimed = (await store.accept(telling, receipt, timedelta(days=9999))).claimed
    assert claimed is not None
    await store.commit(Outcome(claimed.work, 1, finished=True, subjects=(FIRST, SECOND)))


async def test_authorities_and_the_firm_itself_see_every_version(quiet: Quiet) -> None:
    """In order, with day and state; another firm is answered like for a number of which nothing is registered."""
    client = quiet.client
    acme = next(one for one in PARTNERS if one.id == "acme")
    named = replace(acme, identifiers=(*acme.identifiers, Identifier(SCHEME, NUMBER)))
    await client.services.store.import_partners((named,), (), ())
    await register(client)
    path = f"/v1/subjects/{SCHEME}/{NUMBER}"
    for reader in ("customs", "acme", "operator"):
        shown = (await client.ask("GET", path, as_=reader)).json
        assert [(one["valid_from"], one["attributes"]) for one in shown["versions"]] == [
            ("2026-03-01", {"credit_grade": "B"}), ("2026-09-01", {"credit_grade": "A"}),
        ]  # fmt: skip
    foreign = await client.ask("GET", path, as_="rival")
    missing = await client.ask("GET", f"/v1/subjects/{SCHEME}/3702999999", as_="rival")
    assert (foreign.status, foreign.body) == (404, missing.body)
    assert (await client.ask("GET", f"{path}?test=true", as_="customs")).status == 404
