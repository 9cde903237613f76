"""Transfers and notices whose declaration is not here, through the trip and the store, and the deadline that ends their wait."""

from __future__ import annotations

import json
from datetime import timedelta

from gateway.model import Agreement, Direction, MessageState
from tests.trip.rig import AGREEMENTS, PARTNERS, House

NUMBER = "370200126900001"
NOTICE = {
    "number": f"{NUMBER}000",
    "function": "9",
    "direction": "inbound",
    "declaration_number": NUMBER,
    "status": "issued",
    "issuing_organisation": "370200",
    "customs_office": "4227",
    "consignee": {"code": "3702000002", "name": "示例酒业进出口有限公司"},
    "goods": [{"sequence_number": 1, "hs_code": "2204210000"}],
}


def notice(**changes: object) -> bytes:
    message = {"format": "json:clearance:1", "reference": "N-1", "document": NOTICE | changes}
    return json.dumps(message, ensure_ascii=False).encode()


async def answers(gateway: House, partner: str) -> list[str]:
    """What a partner is answered, in order."""
    return [
        json.loads(e.body)["document"]["outcome"] for e in await gateway.inbox(partner) if e.document_type == "response"
    ]


async def test_a_notice_waits_and_is_given_up(gateway: House) -> None:
    """It is received and waits; the deadline is claimed once it is over, and then its sender is refused, and nothing waits."""
    view = await gateway.through(notice(), "bureau")
    assert [m.state for m in view.messages] == [MessageState.ACCEPTED]
    assert await answers(gateway, "bureau") == ["received"]
    gateway.clock.forward(days=32)
    (claimed,) = await gateway.store.claim_deadlines(10, timedelta(seconds=60), gateway.clock())
    assert (claimed.deadline.kind, claimed.deadline.case_id) == ("undeclared_clearance", "")
    await gateway.pipeline.alarms.process(claimed)
    assert await answers(gateway, "bureau") == ["received", "refused"]
    assert await gateway.store.claim_deadlines(10, timedelta(seconds=60), gateway.clock()) == []


async def test_a_trusted_bureaus_notice_opens_a_case(gateway: House) -> None:
    """The agreement says so: customs has the notice, the owner its number, and the case is found by it."""
    agreed = [one for one in AGREEMENTS if one.id != "bureau-in"]
    trusting = Agreement("bureau-in", "bureau", Direction.IN, "*", "*", without_declaration=True)
    await gateway.store.import_partners(PARTNERS, (*agreed, trusting), ())
    view = await gateway.through(notice(), "bureau")
    assert [m.state for m in view.messages] == [MessageState.ACCEPTED]
    (case,) = await gateway.store.case(NUMBER)
    assert case.status == "notified"
    (told,) = [json.loads(e.body)["document"] for e in await gateway.inbox("acme")]
    assert (told["notice_number"], told["code"]) == (f"{NUMBER}000", "3000")
    assert [e.document_type for e in await gateway.inbox("customs")] == ["clearance"]
