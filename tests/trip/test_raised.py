"""Documents that decisions raise, through the middle of the gateway: decided, kept and proven with what raised them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from gateway.decide.desk import Desk
from gateway.decide.effects import Due, Effect, Note, Raise
from gateway.decide.facts import CaseById
from gateway.decide.flow import Flow, Flows, On, Takes
from gateway.decide.raising import DEEPEST
from gateway.documents import ClearanceNotice
from gateway.documents.base import Count, Document, item
from gateway.errors import FactsMoved
from gateway.model import Case, MessageState, Stage
from gateway.receipt.problems import check_receipt
from gateway.receipt.signed import canonical
from gateway.store.contract import CaseView, MessageRecord, Outcome
from gateway.store.deadlines import SETTLING
from tests.trip.rig import FLOWS, ORIGIN, House, declaration, house
from tests.trip.test_answers import answer


class Echo(Document):
    """A document that is raised by itself, until it is told to stop."""

    document_type: ClassVar[str] = "echo"

    case: str = item("业务", "The case that it is noted on.", required=True)
    left: Count = item("次数", "How many more follow.", required=True)
    fails: bool = item("失败", "Whether its flow fails.", required=True)


def echo(desk: Desk) -> list[Effect]:
    """One more, as long as more are to follow."""
    document = desk.document
    assert isinstance(document, Echo)
    if document.fails:
        raise RuntimeError("a fault of ours")
    assert desk.facts[CaseById(document.case, desk.test)] is not None
    more = document.model_copy(update={"left": document.left - 1})
    return [Note(document.case, f"echo {document.left}"), *([Raise("echo", more)] if document.left else [])]


def notice(case: Case, **changes: Any) -> ClearanceNotice:
    """The clearance notice of a consignment, as its bureau would write it."""
    number = dict(case.keys)["declaration"]
    return ClearanceNotice.model_validate(
        {
            "number": f"{number}000",
            "function": "9",
            "direction": "inbound",
            "declaration_number": number,
            "status": "issued",
            "goods": [{"sequence_number": 1, "hs_code": "2204210000"}],
            "issuing_organisation": "370200",
            "customs_office": "4227",
            "valid_until": "2026-03-31",
        }
        | changes
    )


RAISES: dict[str, Any] = {}
"""What acceptance raises, of a case; set by each test."""


def raises(desk: Desk, case: Case) -> list[Effect]:
    made: list[Effect] = RAISES["make"](desk, case)
    return made


RAISING = Flow(
    "raising",
    takes=(Takes(Echo),),
    decide=echo,
    reacts=(On("declaration", "accept", raises),),
    deadlines={"echo_due": lambda desk: [Raise("echo", Echo(case=desk.deadline.case_id, left=1, fails=False))]},
)
EVERY = Flows([*FLOWS.all, RAISING])


@pytest.fixture
async def raising(where: Path | str, tmp_path: Path) -> AsyncIterator[House]:
    """A gateway's middle in which acceptance raises something."""
    async with house(tmp_path, where, flows=EVERY) as one:
        yield one
    RAISES.clear()


async def accepted(gateway: House) -> tuple[CaseView, list[MessageRecord]]:
    """A consignment that its bureau has accepted, and what that raised, in order."""
    view = await gateway.through(declaration("V1"))
    told = await gateway.through(answer("RV1", "TD-V1", "accepted", "A1"), "bureau")
    assert [one.state for one in told.messages] == [MessageState.ACCEPTED]
    (case,) = await gateway.store.case(view.messages[0].case_id)
    found = [one for one in case.messages if one.parent_id]
    assert {one.payload_id for one in found} <= {told.payload.id}
    return case, sorted(found, key=lambda one: -one.number)


async def alerts(gateway: House) -> list[str]:
    return [json.loads(entry.body)["alert"] for entry in await gateway.feed("alerts", "@operator")]


async def test_a_raised_document_goes_through_its_own_flow(raising: House) -> None:
    """A notice that acceptance raises is decided upon it, in one commit: customs has it, and its issuer takes part."""
    RAISES["make"] = lambda _, case: [Raise("clearance", notice(case), "bureau")]
    case, (made,) = await accepted(raising)
    assert case.tracks["clearance"] == "notified"
    assert (made.document_type, made.state, made.partner_id, made.format) == (
        "clearance", MessageState.ACCEPTED, "bureau", "json:clearance:1",
    )  # fmt: skip
    (parent,) = (one for one in case.messages if one.id == made.parent_id)
    assert parent.document_type == "response"
    assert [entry.document_type for entry in await raising.inbox("customs")] == ["clearance"]
    assert await raising.store.case(case.id, "bureau")
    assert await alerts(raising) == []


async def test_a_raised_document_is_checked_and_was_not_received(raising: House) -> None:
    """Its one receipt is `checked`, names what raised it, and vouches for the document itself."""
    RAISES["make"] = lambda _, case: [Raise("clearance", notice(case), "bureau")]
    _, (made,) = await accepted(raising)
    (receipt,) = await raising.store.receipts_of([made.id])
    assert receipt.stage is Stage.CHECKED
    said, problems = check_receipt(receipt.body, receipt.index, "", ORIGIN)
    assert said is not None
    assert problems == []
    assert (said["parent"], said["payload"], said["verdict"]) == (made.parent_id, made.id, "accepted")
    kept = await raising.store.message(made.id, document=True)
    assert said["payload_sha256"] == hashlib.sha256(canonical(kept.document)).hexdigest()


async def test_whoever_sent_what_raised_it_is_not_shown_it(raising: House) -> None:
    """A document in another's name is no message of the payload that it came of, whose verdict it leaves alone."""
    RAISES["make"] = lambda _, case: [Raise("clearance", notice(case, declaration_number="370200126999999"), "bureau")]
    _, (made,) = await accepted(raising)
    assert made.state is not MessageState.ACCEPTED
    view = await raising.store.payload(made.payload_id)
    assert [one.document_type for one in view.messages] == ["response"]
    assert view.standing.value == "accepted"
    (line, *_) = await raising.store.payloads("bureau", "", "", 5)
    assert [one.document_type for one in line.messages] == ["response"]


@pytest.mark.parametrize(
    ("acting", "changes", "code"),
    [
        # its flow: customs issues no notices
        ("customs", {}, "decide.sender.not_concerned"),
        # its model, which a changed copy was not held against
        ("bureau", {"number": "370200"}, "document.pattern"),
        # nobody is called so
        ("nobody", {}, "raised.partner"),
    ],
)
async def test_what_is_refused_is_an_alert_and_its_parent_stands(
    raising: House, acting: str, changes: dict[str, str], code: str
) -> None:
    """Nothing comes of it but a row with the reasons; the acceptance that raised it stays."""
    RAISES["make"] = lambda _, case: [Raise("clearance", notice(case).model_copy(update=changes), acting)]
    case, _ = await accepted(raising)
    assert case.tracks["declaration"] == "accepted"
    assert case.tracks.get("clearance", "none") == "none"
    assert await alerts(raising) == ["raised_refused"]
    (entry,) = await raising.feed("alerts", "@operator")
    assert code in entry.body.decode()


async def test_a_chain_ends_where_it_is_too_long(raising: House) -> None:
    """Documents raise documents four times over; the next one is not taken up."""
    RAISES["make"] = lambda _, case: [Raise("echo", Echo(case=case.id, left=9, fails=False))]
    case, found = await accepted(raising)
    assert [event.kind for event in case.events if event.kind.startswith("echo")] == [
        "echo 9",
        "echo 8",
        "echo 7",
        "echo 6",
    ]
    assert [one.state for one in found] == [MessageState.ACCEPTED] * DEEPEST + [MessageState.REJECTED]
    assert [one.parent_id for one in found[1:]] == [one.id for one in found[:-1]]
    assert await alerts(raising) == ["raised_refused"]


async def test_a_fault_of_ours_in_a_raised_document_leaves_its_parent_and_its_neighbours(raising: House) -> None:
    """One whose flow fails is kept as failed and rings; the next one is decided."""
    RAISES["make"] = lambda _, case: [
        Raise("echo", Echo(case=case.id, left=0, fails=True)),
        Raise("echo", Echo(case=case.id, left=0, fails=False)),
    ]
    case, found = await accepted(raising)
    assert [one.state for one in found] == [MessageState.ACCEPTED]  # the failed one is of no case
    assert case.tracks["declaration"] == "accepted"
    assert await alerts(raising) == ["message_failed"]


async def test_a_deadline_raises_too(raising: House) -> None:
    """What a term that is over raises has the deadline's decision for its parent, and nobody is answered."""
    RAISES["make"] = lambda desk, case: [Due("echo", desk.now + timedelta(hours=1), "echo_due", case.id)]
    case, _ = await accepted(raising)
    raising.clock.forward(hours=1, seconds=SETTLING.total_seconds())
    (claimed,) = await raising.store.claim_deadlines(9, timedelta(seconds=60), raising.clock())
    await raising.pipeline.alarms.process(claimed)
    (after,) = await raising.store.case(case.id)
    assert [event.kind for event in after.events if event.kind.startswith("echo")] == ["echo 1", "echo 0"]
    found = [one for one in after.messages if one.parent_id]
    assert {(one.payload_id, one.partner_id, one.state) for one in found} == {("", "", MessageState.ACCEPTED)}
    assert await raising.store.claim_deadlines(9, timedelta(seconds=60), raising.clock()) == []


async def test_decided_again_it_is_the_same(raising: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where facts move, the decision is taken again: it raises the same documents under the same ids."""
    RAISES["make"] = lambda _, case: [Raise("echo", Echo(case=case.id, left=1, fails=False))]
    view = await raising.through(declaration("V1"))
    commit, tried = raising.store.commit, list[list[str]]()

    async def moved_once(outcome: Outcome) -> None:
        tried.append([one.id for one in outcome.messages if one.parent_id])
        if len(tried) == 1:
            raise FactsMoved
        await commit(outcome)

    monkeypatch.setattr(raising.store, "commit", moved_once)
    await raising.through(answer("RV1", "TD-V1", "accepted", "A1"), "bureau")
    assert len(tried) == 2
    assert len(tried[0]) == 2
    assert tried[0] == tried[1]
    (case,) = await raising.store.case(view.messages[0].case_id)
    assert {one.id for one in case.messages if one.parent_id} == {*tried[0]}
