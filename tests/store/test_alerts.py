"""Alerts that no message raises."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

from gateway.findings import make_finding
from gateway.store.alerts import OPERATOR
from gateway.store.contract import Alert, CaseChange
from gateway.store.feeds import ALERTS
from gateway.store.sql_store import SqlStore
from tests.store.made import NOW, claim, outcome

UNKNOWN = make_finding("deliver.recipient_unknown", recipient="PORT9", document="clearance")
KEPT = {"code": "deliver.recipient_unknown", "args": {"document": "clearance", "recipient": "PORT9"}}


async def test_an_alert_stands_on_the_operators_feed_and_on_its_case(store: SqlStore) -> None:
    """Kind, reasons, partner and case are there, and no sentence in any language; repeated, it stands once."""
    claimed = await claim(store)
    await store.commit(outcome(claimed, cases=(CaseChange("c1", 0, "declared", "firm"),)))
    alert = Alert("unreachable", "d1:3", (UNKNOWN,), NOW, "c1", "port9", "m1", "d1", details={"attempts": 3})
    await store.raise_alert(alert)
    await store.raise_alert(alert)
    (entry,) = await store.feed(ALERTS, OPERATOR, 0, 9)
    assert (entry.case_id, entry.message_id, entry.document_type, entry.at) == ("c1", "m1", "alert", NOW)
    said = json.loads((await store.feed_entry(ALERTS, OPERATOR, entry.sequence)).body)
    assert said == {
        "alert": "unreachable",
        "attempts": 3,
        "case": "c1",
        "delivery": "d1",
        "partner": "port9",
        "reasons": [KEPT],
    }
    (case,) = await store.case("c1")
    (event,) = [one for one in case.events if one.kind == "alert"]
    assert (event.text, event.partner_id, event.delivery_id, event.at) == ("", OPERATOR, "d1", NOW)
    assert event.details["reasons"] == [KEPT]


async def test_another_subject_alerts_again_and_a_test_apart(store: SqlStore) -> None:
    """What happens a second time is told a second time, in order; test traffic has its own feed."""
    for subject in ("d1:3", "d1:4"):
        await store.raise_alert(Alert("unreachable", subject, (UNKNOWN,), NOW))
    await store.raise_alert(Alert("unreachable", "d2:1", (UNKNOWN,), NOW, test=True))
    assert [entry.sequence for entry in await store.feed(ALERTS, OPERATOR, 0, 9)] == [1, 2]
    assert [entry.sequence for entry in await store.feed(ALERTS, OPERATOR, 0, 9, test=True)] == [1]


async def test_a_notice_is_held_by_one_at_a_time(store: SqlStore) -> None:
    """Of many that ask at once one gets the notice; it is free when it was given back, or its time is over."""
    minute = timedelta(minutes=1)
    got = await asyncio.gather(*(store.claim_notice("duty", NOW, minute) for _ in range(8)))
    assert sorted(got, key=str) == [0, *[None] * 7]
    assert await store.claim_notice("night", NOW, minute) == 0
    for number in range(3):
        await store.raise_alert(Alert("unreachable", str(number), (UNKNOWN,), NOW))
    await store.return_notice("duty", 2)
    assert await store.claim_notice("duty", NOW, minute) == 2
    assert await store.claim_notice("duty", NOW + minute / 2, minute) is None
    assert await store.claim_notice("duty", NOW + minute, minute) == 2
    await store.return_notice("duty", 17)  # of a feed that was longer before the store was set back
    assert await store.claim_notice("duty", NOW, minute) == 3


async def test_a_new_notice_begins_at_the_end_of_the_feed(store: SqlStore) -> None:
    """What stood on the feed before a notice was made is not told by it; the feed of tests counts apart."""
    for number in range(3):
        await store.raise_alert(Alert("unreachable", str(number), (UNKNOWN,), NOW))
    await store.raise_alert(Alert("unreachable", "test", (UNKNOWN,), NOW, test=True))
    assert await store.claim_notice("duty", NOW, timedelta(minutes=1)) == 3
