"""Standing alerts: counted by kind and cause, taken, settled and silenced by people, ended by themselves."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest

from gateway.errors import NotFound, TransitionRefused
from gateway.findings import make_finding
from gateway.model import AlertState, Changer, Endpoint, Stop
from gateway.store.contract import Alert, AlertOrder, AttemptResult, AuditWanted, StandingWanted
from gateway.store.sql_store import SqlStore
from tests.store.made import LEASE, NOW, deliver_later, delivery

WHY = (make_finding("deliver.dead", document="clearance", partner="customs", attempts=3, said="no"),)
WHO = Changer("operator", "li")


async def ring(store: SqlStore, subject: str, kind: str = "delivery_dead", seconds: int = 0, **fields: object) -> None:
    given: dict[str, object] = {"partner_id": "customs"}
    at = NOW + timedelta(seconds=seconds)
    await store.raise_alert(Alert(kind, subject, WHY, at, **(given | fields)))  # type: ignore[arg-type]


async def standing(store: SqlStore, **wanted: object) -> list[tuple[str, str, int, str]]:
    found = await store.standing_alerts(StandingWanted(**wanted), 50)  # type: ignore[arg-type]
    return [(one.kind, one.cause, one.times, one.state.value) for one in found]


async def test_alerts_of_one_cause_are_counted(store: SqlStore) -> None:
    """Each new alert counts once, however often it is raised; another cause, kind or kind of traffic is apart."""
    await asyncio.gather(*(ring(store, f"s{n}") for n in range(5)))
    await ring(store, "s1", seconds=1)
    await ring(store, "t", seconds=2, partner_id="port")
    await ring(store, "s1", seconds=3, kind="disk_low", partner_id="", cause="node-1")
    await ring(store, "test", seconds=4, test=True)
    assert await standing(store) == [
        ("disk_low", "node-1", 1, "open"),
        ("delivery_dead", "port", 1, "open"),
        ("delivery_dead", "customs", 5, "open"),
    ]
    assert await standing(store, kind="disk_low") == [("disk_low", "node-1", 1, "open")]
    assert await standing(store, partner_id="port") == [("delivery_dead", "port", 1, "open")]
    assert await standing(store, test=True) == [("delivery_dead", "customs", 1, "open")]


async def test_one_stands_until_a_person_settles_it(store: SqlStore) -> None:
    """It is taken, by one or the next, and settled with words; the next alert of its cause begins another."""
    await ring(store, "a")
    (first,) = await store.standing_alerts(StandingWanted(), 9)
    await store.order_alert(AlertOrder(first.id, NOW, WHO, "", AlertState.TAKEN))
    await ring(store, "b", seconds=9)
    taken = await store.standing_alert(first.id)
    assert (taken.state, taken.by, taken.times, taken.last_at - taken.first_at) == (
        AlertState.TAKEN,
        "li",
        2,
        timedelta(seconds=9),
    )
    assert taken.last > first.last
    await store.order_alert(AlertOrder(first.id, NOW + LEASE, WHO, "they changed their address", AlertState.SETTLED))
    settled = await store.standing_alert(first.id)
    assert (settled.state, settled.said, settled.settled_at) == (
        AlertState.SETTLED,
        "they changed their address",
        NOW + LEASE,
    )
    for state in (AlertState.TAKEN, AlertState.SETTLED):
        with pytest.raises(TransitionRefused, match="is settled"):
            await store.order_alert(AlertOrder(first.id, NOW, WHO, "", state))
    await ring(store, "c", seconds=20)
    assert await standing(store) == [
        ("delivery_dead", "customs", 1, "open"),
        ("delivery_dead", "customs", 2, "settled"),
    ]
    assert await standing(store, state="settled") == [("delivery_dead", "customs", 2, "settled")]
    told = [json.loads(line.body) for line in await store.audit_lines(AuditWanted(), -1, 9)]
    assert [(one["action"], one["actor"]["person"]) for one in told] == [("alert.settle", "li"), ("alert.take", "li")]


async def test_what_is_not_there(store: SqlStore) -> None:
    """Is told so, whatever is wanted of it."""
    with pytest.raises(NotFound):
        await store.standing_alert("9")
    with pytest.raises(NotFound):
        await store.order_alert(AlertOrder("9", NOW, state=AlertState.TAKEN))
    assert await store.standing_alerts(StandingWanted(), 9, "9") == []


async def test_pages_follow_one_another(store: SqlStore) -> None:
    """What began last first; of what began at one moment each is on one page."""
    for n in range(5):
        await ring(store, f"s{n}", seconds=n // 2, cause=f"c{n}")
    seen, after = list[str](), ""
    while page := await store.standing_alerts(StandingWanted(), 2, after):
        seen += [one.cause for one in page]
        after = page[-1].id
    assert sorted(seen) == [f"c{n}" for n in range(5)]
    assert seen[0] == "c4"


async def test_a_silenced_cause_notifies_nobody_until_its_time_is_over(store: SqlStore) -> None:
    """Of that kind and cause alone, the next one of it included."""
    await ring(store, "a")
    (first,) = await store.standing_alerts(StandingWanted(), 9)
    until = NOW + timedelta(days=1)
    await store.order_alert(AlertOrder(first.id, NOW, WHO, "known", silent_until=until))
    assert await store.silent_alerts(NOW) == {("delivery_dead", "customs")}
    assert await store.silent_alerts(until) == set()
    assert (await store.standing_alert(first.id)).state is AlertState.OPEN


async def test_an_endpoint_that_is_well_again_ends_its_alert(store: SqlStore) -> None:
    """Also where a person resumes it; who settled it is nobody."""
    key = ("customs", "http", "https://customs.example/in")
    for number, end in enumerate(("recovers", "is resumed")):
        id_ = f"d{number}"
        await deliver_later(store, delivery(id_, id_), number=number + 1)
        for stands in (Endpoint(*key, 5, NOW + number * LEASE, Stop.TRIPPED, NOW + LEASE, "no"), Endpoint(*key)):
            (held,) = await store.claim_deliveries(9, LEASE, NOW + timedelta(days=1))
            made = AttemptResult(id_, held.fence, held.attempts, "deferred", NOW, "no", NOW, endpoint=stands)
            if stands.stop is None and end == "is resumed":
                await store.resume_endpoint(key, NOW)
                made = AttemptResult(id_, held.fence, held.attempts, "delivered", NOW)
            await store.finish_attempt(made)
            kinds = [one for one in await standing(store) if one[0] == "endpoint_down"]
            assert kinds[0] == ("endpoint_down", " ".join(key), 1, "open" if stands.stop else "settled")
        if end == "recovers":
            await store.hold_delivery(id_, NOW)
            await store.skip_delivery(id_, NOW)


async def test_the_last_dead_delivery_that_is_dealt_with_ends_the_alert(store: SqlStore) -> None:
    """Retried or skipped; as long as another one of the partner's is dead, it stands."""
    await deliver_later(store, delivery("a", "a"), delivery("b", "b"))
    for held in await store.claim_deliveries(9, LEASE, NOW):
        await store.finish_attempt(AttemptResult(held.id, held.fence, 1, "refused", NOW, "no"))
    assert await standing(store) == [("delivery_dead", "customs", 2, "open")]
    await store.retry_delivery("a", NOW)
    assert await standing(store) == [("delivery_dead", "customs", 2, "open")]
    await store.skip_delivery("b", NOW)
    assert await standing(store) == [("delivery_dead", "customs", 2, "settled")]
