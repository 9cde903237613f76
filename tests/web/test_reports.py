"""Reports and risk records over REST: who reads them, and who does not."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest

from gateway.documents.risk import RiskField, RiskRecord
from gateway.model import (
    Agreement,
    Credential,
    Direction,
    HeldRole,
    Identifier,
    Partner,
    Person,
    Role,
    Stage,
    Task,
)
from gateway.registry.keys import hash_key
from gateway.store.contract import CaseChange, NewReceipt, Outcome
from tests.store.made import payload
from tests.web.conftest import NOW, REPORT, Client, Filled, key_of


async def test_a_report_is_read_as_json_and_as_csv(filled: Filled) -> None:
    """Bureaus and customs read it, line by line, with its corrections; the list tells where it is found."""
    rules = (await filled.client.ask("GET", "/v1/reports", as_="customs")).json["items"]
    assert "accepted_by_office" in {one["name"] for one in rules}
    page = (await filled.client.ask("GET", "/v1/reports/accepted_by_office?limit=1", as_="customs")).json
    (head,) = page["items"]
    assert (head["first_day"], head["last_fact"], head["corrections"], page["next"]) == ("2026-02-01", 7, 1, None)
    report = await filled.client.ask("GET", head["link"], as_="customs")
    assert report.json == REPORT.document
    table = await filled.client.ask("GET", f"{head['link']}?format=csv", as_="customs")
    assert table.headers["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.reader(io.StringIO(table.body.decode("utf-8-sig"))))
    assert rows == [
        ["part", "period", "declared_at", "direction", "value"],
        ["figure", "2026-02-01", "370100", "outbound", "3"],
        ["correction", "2026-01-01", "370100", "inbound", "-1"],
    ]


@pytest.mark.parametrize(
    ("path", "as_", "status"),
    [
        ("/v1/reports", "acme", 403),
        ("/v1/reports/accepted_by_office", "acme", 403),
        ("/v1/reports/accepted_by_office/2026-02-01", "acme", 403),
        ("/v1/reports/accepted_by_office/2026-03-01", "customs", 404),
        ("/v1/reports/accepted_by_office/soon", "customs", 404),
        ("/v1/reports/accepted_by_office/2026-02-01?format=pdf", "customs", 400),
        ("/v1/risks", "acme", 403),
        ("/v1/risks", "customs", 403),
    ],
)
async def test_reports_and_records_are_not_for_everybody(filled: Filled, path: str, as_: str, status: int) -> None:
    """Enterprises read neither; what was not made is not there."""
    assert (await filled.client.ask("GET", path, as_=as_)).status == status


BUREAU = Partner("bureau", "Bureau", frozenset({Role.BUREAU}), (Identifier("ciq-org", "370200"),))
PERSONS = (
    Person("chen", "bureau", "Chen", (HeldRole("supervisor"),)),
    Person("wu", "bureau", "Wu", (HeldRole("supervisor"),)),
    Person("sun", "bureau", "Sun", (HeldRole("reviewer"),)),
)


async def keep_records(client: Client) -> None:
    """Two records of one office, the first about what Wu did, and one of another office."""
    store, notary = client.services.store, client.services.notary
    await store.import_partners(
        (BUREAU,),
        (Agreement("bureau-in", "bureau", Direction.IN, "*", "*"),),
        [Credential(f"{one.id}-1", "bureau", hash_key(key_of(one.id)), person_id=one.id) for one in PERSONS],
    )
    await store.import_persons(PERSONS)
    sent = payload(partner_id="acme")
    receipt = NewReceipt(Stage.RECEIVED, sent.id, notary.received(sent))
    claimed = (await store.accept(sent, receipt, timedelta(days=9999))).claimed
    assert claimed is not None
    cases, tasks = [], []
    for number, (office, person) in enumerate([("370200", "wu"), ("370200", None), ("370900", None)]):
        record = RiskRecord(
            point="odd_hours" if person else "gone",
            area="integrity",
            grade=3,
            level="section",
            office=office,
            stopped=False,
            found_at=NOW,
            occasion="m-1",
            person=person,
            about=(RiskField(name="person", value=person or "x"),),
        )
        tracks = {"risk": "closed" if person else "commissioned"}
        cases.append(
            CaseChange(
                f"r-{number}", 0, tracks["risk"], "", documents={"risk": record.to_kept()}, kind="risk", tracks=tracks
            )
        )
        barred = (person,) if person else ()
        tasks.append(
            Task(
                f"t-{number}",
                1,
                "risk",
                f"r-{number}",
                "risk",
                office,
                "supervise",
                {"explain": "explain"},
                NOW,
                barred=barred,
            )
        )
    await store.commit(Outcome(claimed.work, 1, finished=True, cases=tuple(cases), tasks=tuple(tasks)))


async def test_records_are_for_supervisors_of_their_offices(client: Client) -> None:
    """Each sees those of its own office, and never one of what the person did; the operator sees all."""
    await keep_records(client)

    async def seen(as_: str, query: str = "") -> list[str]:
        return [one["id"] for one in (await client.ask("GET", f"/v1/risks{query}", as_=as_)).json["items"]]

    assert await seen("chen") == ["r-1", "r-0"]
    assert await seen("chen", "?open=true") == ["r-1"]
    assert await seen("wu") == ["r-1"]
    assert await seen("operator") == ["r-2", "r-1", "r-0"]
    assert (await client.ask("GET", "/v1/risks", as_="sun")).status == 403
    page = (await client.ask("GET", "/v1/risks?limit=1", as_="chen")).json
    assert [one["id"] for one in page["items"]] == ["r-1"]
    assert await seen("chen", f"?limit=1&cursor={page['next']}") == ["r-0"]
    assert page["items"][0]["words"] == "gone", "a point that is gone is called by its name"
    tasks = {
        as_: [one["id"] for one in (await client.ask("GET", "/v1/tasks", as_=as_)).json["items"]]
        for as_ in ("chen", "wu", "sun")
    }
    assert tasks == {"chen": ["t-0", "t-1"], "wu": ["t-1"], "sun": []}
    assert (await client.ask("GET", "/v1/cases/r-1", as_="acme")).status == 404
