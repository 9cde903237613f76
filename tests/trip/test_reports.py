"""Reports and risk records through the middle of the gateway: counted, made at their term, corrected, and kept from view."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from gateway import data
from gateway.catalogue_folders import shipped
from gateway.decide.watch import RISK, record_of
from gateway.documents.statistics import Statistics
from gateway.model import Agreement, Direction
from gateway.trip.render import Renderer
from tests.trip.rig import House, declaration, house
from tests.trip.test_answers import answer, as_json

__all__ = ("house",)
NAME = "accepted_by_office"
LEASE = timedelta(seconds=60)


async def let_pass(gateway: House, until: datetime) -> None:
    """Time passes, and what is over is decided."""
    gateway.clock.now = until
    for _ in range(200):
        claimed = await gateway.store.claim_deadlines(50, LEASE, until)
        if not claimed:
            return
        for one in claimed:
            await gateway.pipeline.alarms.process(one)
    raise AssertionError("deadlines without end")


async def reports(gateway: House) -> Sequence[Statistics]:
    """What was made, the oldest first."""
    made = await gateway.store.reports(NAME, "", 50)
    return [Statistics.from_kept(one.document) for one in reversed(made)]


async def test_a_report_that_was_made_is_corrected_by_the_next_one(gateway: House) -> None:
    """Two declarations are accepted and reported; one is withdrawn later, and the next month's report takes it back."""
    await gateway.pipeline.alarms.begin()
    await gateway.pipeline.alarms.begin()
    for number in (1, 2):
        await gateway.through(declaration(f"V{number}"))
        await gateway.through(answer(f"RV{number}", f"TD-V{number}", "accepted", f"A{number}"), "bureau")
    began = gateway.clock.now
    await let_pass(gateway, datetime(began.year, began.month, 1, tzinfo=UTC) + timedelta(days=38))
    (first,) = await reports(gateway)
    assert (int(first.total), first.last_fact) == (2, await gateway.store.last_figure())
    (case,) = await gateway.store.case("TD-V1")
    document = {**case.documents["declaration"], "function": "1"}
    await gateway.through(as_json("declaration", "X1", **document))
    await gateway.through(answer("RX1", "TD-V1", "cancelled", "A9"), "bureau")
    (case,) = await gateway.store.case("TD-V1")
    assert case.status == "cancelled"
    await let_pass(gateway, datetime(began.year, began.month, 1, tzinfo=UTC) + timedelta(days=70))
    first_again, second = await reports(gateway)
    assert first_again == first
    assert [(one.period, int(one.value)) for one in second.corrections] == [(date(began.year, began.month, 1), -1)]
    assert int(second.total) == 0
    feed = await gateway.feed("statistics", "bureau")
    told = [json.loads(entry.body) for entry in feed if entry.keys["report"] == NAME]
    assert [one["first_day"] for one in told] == [first.first_day.isoformat(), second.first_day.isoformat()]
    assert {entry.message_id[12:16] for entry in feed} == {"7ed1"}, "ids begin with the time of what was due"


async def test_nobody_takes_part_in_a_record_of_what_it_did(gateway: House) -> None:
    """Who sends what meets a point is answered as ever, and sees its case, and nothing of the record."""
    await gateway.through(declaration("V1"))
    await gateway.through(answer("RV1", "TD-V1", "released", "A1"), "bureau")
    (case,) = await gateway.store.case("TD-V1")
    document = {**case.documents["declaration"], "function": "1"}
    await gateway.through(as_json("declaration", "X1", **document))
    view = await gateway.through(answer("RX1", "TD-V1", "cancelled", "A9"), "bureau")
    (record,) = await gateway.store.cases_of_kind(RISK, "", 9)
    said = record_of(record)
    assert (said.point, said.partner, record.status) == ("cancelled_after_passing", "bureau", "commissioned")
    (case,) = await gateway.store.case("TD-V1")
    assert said.case_id == case.id
    assert view.messages[0].case_id != record.id
    for partner in ("acme", "customs", "bureau"):
        assert await gateway.store.case(record.id, partner) == []
    assert await gateway.store.case(record.id) != []
    (task,) = await gateway.store.open_tasks([said.office or ""], "", 9)
    assert (task.case_id, task.kind) == (record.id, RISK)


async def test_a_report_is_written_as_csv_where_its_agreement_says_so(gateway: House) -> None:
    """Whoever reads tables gets the report line by line, with a mark by which spreadsheets tell UTF-8."""
    statistics = Statistics.model_validate(
        json.loads((data.samples() / "statistics" / "full" / "document.json").read_text("utf-8"))
    )
    agreement = Agreement("b-csv", "bureau", Direction.OUT, "statistics", "csv:statistics:1")
    renderer = Renderer("US", gateway.store, shipped())
    recipient = await gateway.store.partner("bureau")
    rendered, _ = await renderer.render(
        "statistics", statistics, agreement, recipient, "0" * 32, gateway.clock.now, test=False
    )
    assert rendered.body.decode("utf-8-sig").splitlines() == [
        "part,period,inspected_at,released_at,direction,to_area,value",
        "figure,2026-02-01,370100,370200,outbound,44,1800000",
        "figure,2026-02-01,370600,-,inbound,37,43250.5",
        "correction,2026-01-01,371000,370700,transit,21,-12800.25",
    ]
