"""Deadlines through the middle of the gateway: set by a decision, over, decided, and told to whom they concern."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.decide.deadlines import MOST_FAULTS
from gateway.decide.tasks import DEADLINE, name_term
from gateway.errors import StoreUnavailable
from gateway.model import Acknowledge, Deadline, Task, TaskState
from gateway.store.contract import AuditWanted, ClaimedDeadline, Outcome
from gateway.store.deadlines import SETTLING
from gateway.trip import alarms, decider
from gateway.trip.work import COMES_BACK
from tests.trip.rig import House, declaration, house, outgoing
from tests.trip.test_answers import answer, as_json, delivered

OVER = datetime(2026, 3, 31, 16, 0, tzinfo=UTC) + SETTLING
"""When the last day of March is over in China, and the store lets its deadlines be claimed."""
LEASE = timedelta(seconds=60)


async def notified(gateway: House) -> str:
    """A consignment whose notice customs has; its number."""
    view = await gateway.through(declaration("V1"))
    await gateway.through(answer("RV1", "TD-V1", "accepted", "A1"), "bureau")
    (case,) = await gateway.store.case(view.messages[0].case_id)
    number = dict(case.keys)["declaration"]
    notice = as_json(
        "clearance", "X1", number=f"{number}000", function="9", direction="inbound", declaration_number=number,
        status="issued", goods=[{"sequence_number": 1, "hs_code": "2204210000"}], issuing_organisation="370200",
        customs_office="4227", valid_until="2026-03-31",
    )  # fmt: skip
    view = await gateway.through(notice, "bureau")
    assert [one.state.value for one in view.messages] == ["accepted"]
    return number


async def over(gateway: House) -> list[ClaimedDeadline]:
    """What is over at the end of the notice's last day."""
    gateway.clock.now = OVER
    return list(await gateway.store.claim_deadlines(9, LEASE, OVER))


async def let_pass(gateway: House) -> None:
    """Decide what is over by then."""
    for claimed in await over(gateway):
        await gateway.pipeline.alarms.process(claimed)


async def test_a_notice_expires_by_itself(gateway: House) -> None:
    """With nobody sending anything, the notice expires on its day: on the timeline, on the feed, and to the bureau."""
    number = await notified(gateway)
    await let_pass(gateway)
    (case,) = await gateway.store.case(number)
    assert case.tracks["clearance"] == "expired"
    (moved,) = (event for event in case.events if event.details.get("event") == "expire")
    assert (moved.partner_id, moved.at) == ("", OVER)
    told = [entry.keys["status"] for entry in await gateway.feed("status", "acme")]
    assert told[-1] == case.status
    responses = [json.loads(entry.body)["document"] for entry in await gateway.inbox("bureau") if entry.body]
    assert [one["reasons"][0]["code"] for one in responses if one["outcome"] == "held"] == ["decide.clearance.expired"]
    assert await gateway.store.claim_deadlines(9, LEASE, OVER + timedelta(days=9)) == []


async def test_two_nodes_decide_a_deadline_once(gateway: House) -> None:
    """Decided by one node, it is lost to the other, which had it before its lease ran out: there is one of everything."""
    number = await notified(gateway)
    (first,) = await over(gateway)
    (second,) = await gateway.store.claim_deadlines(9, LEASE, OVER + 2 * LEASE)
    await asyncio.gather(*(gateway.pipeline.alarms.process(one) for one in (first, second)))
    (case,) = await gateway.store.case(number)
    assert [event.details.get("event") for event in case.events].count("expire") == 1


async def test_a_fault_of_ours_leaves_a_deadline_to_the_operator(
    gateway: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tried again some times, and then left: the operator is alerted, and once the fault is mended it is decided."""
    number = await notified(gateway)

    def breaks(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    tried = 0
    with monkeypatch.context() as patched:
        patched.setattr(decider, "conclude", breaks)
        now = OVER
        while claimed := await gateway.store.claim_deadlines(9, LEASE, now):
            gateway.clock.now = now
            await gateway.pipeline.alarms.process(claimed[0])
            tried += 1
            now += alarms.FAULT_PAUSE + SETTLING
    assert tried == MOST_FAULTS
    (left,) = await gateway.store.buried_deadlines(9)
    told = [json.loads(entry.body)["alert"] for entry in await gateway.feed("alerts", "@operator")]
    assert told == ["deadline_dead"]
    await gateway.store.revive_deadline(left.id, now)
    gateway.clock.now = now + SETTLING
    for one in await gateway.store.claim_deadlines(9, LEASE, gateway.clock.now):
        await gateway.pipeline.alarms.process(one)
    (case,) = await gateway.store.case(number)
    assert case.tracks["clearance"] == "expired"


async def test_a_store_that_is_away_costs_a_deadline_nothing(gateway: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written and nothing counted: it comes back soon."""
    await notified(gateway)
    (claimed,) = await over(gateway)

    async def away(_: object) -> None:
        raise StoreUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(gateway.store, "commit", away)
        await gateway.pipeline.alarms.process(claimed)
    (again,) = await gateway.store.claim_deadlines(9, LEASE, OVER + COMES_BACK + SETTLING)
    assert again.begun == 0


async def test_a_gateway_that_ends_gives_its_deadlines_back(gateway: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancelled in the middle, it is free at once for another node."""
    await notified(gateway)
    (claimed,) = await over(gateway)
    begun = asyncio.Event()

    async def never(_: object) -> None:
        begun.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as patched:
        patched.setattr(gateway.store, "commit", never)
        task = asyncio.create_task(gateway.pipeline.alarms.process(claimed))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert len(await gateway.store.claim_deadlines(9, LEASE, OVER + SETTLING)) == 1


async def test_a_running_gateway_looks_for_deadlines(
    tmp_path: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody need ring: what is over is found within seconds."""
    monkeypatch.setattr(alarms, "LOOKS_EVERY", 0.01)
    async with house(tmp_path, migrated) as gateway:
        number = await notified(gateway)
        gateway.clock.now = OVER
        running = asyncio.create_task(gateway.pipeline.run())
        try:
            for _ in range(1000):
                await asyncio.sleep(0.02)
                (case,) = await gateway.store.case(number)
                if case.tracks["clearance"] == "expired":
                    break
            assert case.tracks["clearance"] == "expired"
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def test_a_task_that_nobody_decides_is_told_and_still_waits(gateway: House) -> None:
    """Its term over, with no office above to ask: expired on the timeline and in the audit, an alert, and no second time."""
    view = await gateway.through(declaration("T1"))
    case_id = view.messages[0].case_id
    due = OVER - timedelta(hours=1)
    task = Task("t-1", 1, "review", case_id, "declaration", "370200", "review", {"let": "accept"}, due, due_at=due)
    deadline = Deadline(name_term("t-1"), DEADLINE, case_id, due, {"task": "t-1"})
    await gateway.send(declaration("T2"))
    (claimed,) = await gateway.store.claim_payloads(1, LEASE, gateway.clock.now)
    await gateway.store.commit(
        Outcome(claimed.work, 1, finished=True, tasks=(task,), deadlines={deadline.id: deadline})
    )
    await let_pass(gateway)
    # That it is overdue is a risk record as well, with a task of its own.
    (waiting,) = (one for one in await gateway.store.open_tasks(["370200"], "", 9) if one.kind == "review")
    assert (waiting.state, waiting.version, waiting.due_at) == (TaskState.EXPIRED, 2, None)
    (case,) = await gateway.store.case(case_id)
    assert [event.details["state"] for event in case.events if event.kind == "task"] == ["expired"]
    assert [event.details["alert"] for event in case.events if event.kind == "alert"][-1] == "task_overdue"
    (line, *_) = await gateway.store.audit_lines(AuditWanted(), -1, 9)
    said = json.loads(line.body)
    assert (said["action"], said["actor"]["partner"], said["after"]["state"]) == ("task.expire", "", "expired")
    again = await gateway.store.claim_deadlines(9, LEASE, OVER + timedelta(days=9))
    assert deadline.id not in {one.deadline.id for one in again}


# Deliveries that their recipient is asked to acknowledge.

ASKED = outgoing("bureau", "declaration", "edifact:CUSDEC:D:96B:UN", acknowledge=Acknowledge.ON_REQUEST)
TERM = timedelta(days=1)


async def asked(gateway: House) -> str:
    """A declaration that went to the bureau as EDIFACT, with a request to acknowledge it; its reference."""
    await gateway.store.import_partners((), (ASKED,), ())
    await gateway.through(declaration("V1"))
    (sent,) = await gateway.deliveries("bureau")
    delivery = await gateway.store.delivery(sent.id)
    (header,) = [raw for raw in delivery.body.decode().split("'") if raw.startswith("UNB+")]
    assert header.split("+")[9] == "1", "0031, acknowledgement request"
    return delivery.reference


async def unacknowledged(gateway: House) -> list[tuple[str, str]]:
    """(partner, reference) of the alerts there are once the term is over."""
    gateway.clock.now += TERM + SETTLING
    for claimed in await gateway.store.claim_deadlines(9, LEASE, gateway.clock.now):
        await gateway.pipeline.alarms.process(claimed)
    alerts = [json.loads(one.body) for one in await gateway.feed("alerts", "@operator")]
    reasons = [one["reasons"][0] for one in alerts if one["alert"] == "unacknowledged"]
    return [(one["args"]["partner"], one["value"]) for one in reasons]


async def test_a_missing_acknowledgement_is_told_once_its_term_is_over(gateway: House) -> None:
    """A recipient that was asked to acknowledge and did not is told to the operator, on the case too, once."""
    reference = await asked(gateway)
    assert await unacknowledged(gateway) == [("bureau", reference)]
    assert await unacknowledged(gateway) == [("bureau", reference)]
    (case,) = await gateway.store.case("TD-V1")
    assert [event.details["alert"] for event in case.events if event.kind == "alert"] == ["unacknowledged"]


@pytest.mark.parametrize("action", ["7", "4"])
async def test_an_acknowledgement_takes_its_deadline_back(gateway: House, action: str) -> None:
    """Whoever acknowledged in time, or refused, is not told of."""
    reference = await asked(gateway)
    body = f"UNH+1+CONTRL:D:3:UN'UCI+{reference}+CIQ:ZZ+BUREAU:ZZ+{action}{'+12' if action == '4' else ''}'UNT+3+1'"
    await gateway.through(f"UNB+UNOC:3+BUREAU:ZZ+CIQ:ZZ+260305:0930+C1'{body}UNZ+1+C1'".encode(), "bureau")
    assert await unacknowledged(gateway) == []


async def test_a_business_answer_takes_it_back_too(gateway: House) -> None:
    """Whoever answers what a document said has had it."""
    await asked(gateway)
    await delivered(gateway)
    await gateway.through(answer("RV1", "TD-V1", "accepted", "A1"), "bureau")
    assert await unacknowledged(gateway) == []


async def test_whoever_is_not_asked_is_not_awaited(gateway: House) -> None:
    """An agreement that asks for nothing sets no deadline."""
    await gateway.through(declaration("V1"))
    assert await unacknowledged(gateway) == []
