"""Who is told what of a consignment, and that nobody else is: one row an event, for an agent's export through two offices.

Told are those that are sent something or have a line on a feed of their own; whoever sent the message is answered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.decide.effects import Effect, Publish, Respond, Send
from gateway.documents import Document
from gateway.model import Partner
from tests.flows.world import (
    AGENT,
    BUREAU,
    CUSTOMS,
    FACTORY,
    ORIGIN,
    PORT_BUREAU,
    PORT_SIDE,
    World,
    answer,
    codes,
    entry,
    inbound,
    notice,
    of,
    outbound,
    transfer,
)

NUMBER = f"{ORIGIN}226000001"
NOTICE = f"{NUMBER}000"
INBOUND = f"{PORT_BUREAU}126000001"
OWN = {"declarant": {"registration_number": "3701000003"}}
"""The agent declares for the factory, whose goods they are."""
BOTH = {"agent", "factory"}

Step = tuple[Document, Partner]
DECLARED: list[Step] = [(outbound(**OWN), AGENT)]
SENT: list[Step] = [*DECLARED, (transfer(NUMBER, valid_until="2026-12-01"), BUREAU)]
TAKEN: list[Step] = [
    *SENT,
    (answer("accepted", "T", document="transfer", declaration_number=NUMBER, reference=None), PORT_SIDE),
]
NOTIFIED: list[Step] = [*TAKEN, (notice(NUMBER, valid_until="2026-12-01"), PORT_SIDE)]
MATCHED: list[Step] = [*NOTIFIED, (entry(NUMBER, status="accepted"), CUSTOMS)]
IMPORTED: list[Step] = [
    (inbound(**OWN), AGENT),
    (transfer(INBOUND, direction="inbound", from_organisation=PORT_BUREAU, to_organisation=ORIGIN), PORT_SIDE),
    (notice(INBOUND, direction="inbound"), PORT_SIDE),
    (entry(INBOUND, direction="inbound"), CUSTOMS),
]


@dataclass(frozen=True)
class Row:
    """An event: what came before, the message, and whom it is told beside its sender."""

    name: str
    before: list[Step]
    step: Step | Callable[[World], list[Effect]]
    told: set[str]
    status: set[str] = field(default_factory=lambda: set(BOTH))
    """Whose status feeds have a line."""


def said(outcome: str, **more: Any) -> Document:
    return answer(outcome, "R-9", **{"declaration_number": NUMBER, "reference": None, **more})


ROWS = [
    Row("accepted", [], DECLARED[0], {"origin-bureau", "factory"}),
    Row("in review", [], (outbound(**OWN, total_value_usd="9000000"), AGENT), {"origin-bureau", "factory"}),
    Row("refused", [(outbound(**OWN, total_value_usd="9000000"), AGENT)], (answer("refused"), BUREAU), BOTH),
    Row("ordered", DECLARED, (said("received", code="1500"), BUREAU), BOTH),
    Row("passed", DECLARED, (said("released"), BUREAU), BOTH),
    Row("failed", DECLARED, (said("refused"), BUREAU), BOTH),
    Row("passed at its destination", IMPORTED, (said("released", declaration_number=INBOUND), BUREAU), {*BOTH, "port-bureau"}),
    Row("failed at its destination", IMPORTED, (said("refused", declaration_number=INBOUND), BUREAU),
        {*BOTH, "port-bureau", "customs"}),
    Row("transferred", DECLARED, SENT[-1], {*BOTH, "port-bureau"}),
    Row("taken", SENT, TAKEN[-1], {*BOTH, "origin-bureau"}),
    Row("declined", SENT, (said("refused", document="transfer"), PORT_SIDE), {*BOTH, "origin-bureau"}),
    Row("changed by its office", SENT, (transfer(NUMBER, function="5", goods_place="3号仓"), BUREAU), {*BOTH, "port-bureau"}),
    Row("changed by the other", SENT, (transfer(NUMBER, function="4", valid_until="2026-12-01", goods_place="3号仓"), PORT_SIDE),
        {"origin-bureau"}, set()),
    Row("withdrawn", SENT, (transfer(NUMBER, function="1"), BUREAU), {*BOTH, "port-bureau"}),
    Row("handed to another office", SENT, (transfer(NUMBER, function="5", to_organisation="440100"), BUREAU),
        {*BOTH, "port-bureau", "far-bureau"}),
    Row("expired", SENT, lambda world: world.let_pass("transfer_validity"), {*BOTH, "origin-bureau", "port-bureau"}),
    Row("notified", TAKEN, NOTIFIED[-1], {*BOTH, "customs"}),
    Row("notice replaced", NOTIFIED, (notice(NUMBER, function="5", remarks="改单"), PORT_SIDE), {*BOTH, "customs"}),
    Row("notice to another office", NOTIFIED, (notice(NUMBER, function="5", customs_office="4300"), PORT_SIDE),
        {*BOTH, "customs", "far-customs"}),
    Row("notice withdrawn", NOTIFIED, (notice(NUMBER, function="1"), PORT_SIDE), {*BOTH, "customs"}),
    Row("notice expired", NOTIFIED, lambda world: world.let_pass("notice_validity"), {*BOTH, "customs", "port-bureau"}),
    Row("matched", NOTIFIED, MATCHED[-1], {*BOTH, "port-bureau"}),
    Row("mismatched", NOTIFIED, (entry(NUMBER, containers=["TGHU1234567"]), CUSTOMS), {*BOTH, "port-bureau"}),
    Row("customs released", MATCHED, (entry(NUMBER), CUSTOMS), {*BOTH, "port-bureau"}),
    Row("customs declined the notice", NOTIFIED,
        (said("refused", document="clearance", notice_number=NOTICE), CUSTOMS), BOTH),
    Row("amendment asked for", DECLARED, (outbound(**OWN, function="4", contract_number="C-9"), AGENT),
        {"factory", "origin-bureau"}),
    Row("withdrawal asked for", DECLARED, (outbound(**OWN, function="1"), AGENT), {"factory", "origin-bureau"}),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_who_is_told_and_nobody_else(row: Row) -> None:
    """Everybody whom the event concerns has it, pushed or on a feed of its own; nobody else has anything."""
    world = World()
    for document, sender in row.before:
        world.send(document, sender)
    effects = row.step(world) if callable(row.step) else world.send(*row.step)
    reasons = [reason for effect in effects for reason in getattr(effect, "reasons", ())]
    assert "decide.late" not in codes(reasons)
    by = "" if callable(row.step) else row.step[1].id
    sent = {one.to.partner_id for one in of(effects, Send)}
    assert "" not in sent
    assert sent - {by} == row.told - {by}
    assert bool(of(effects, Respond)) is (not callable(row.step) and row.step[0].document_type != "response")
    lines = of(effects, Publish)
    assert {line.partner_id for line in lines if line.feed == "status"} == row.status
    assert {line.partner_id for line in lines if line.feed != "status"} <= row.told


def test_an_owner_reads_the_numbers_of_its_agents_case() -> None:
    """The owner has the declaration, transfer and notice numbers, and not its agent's reference."""
    world = World()
    told = [
        send.document
        for document, sender in NOTIFIED
        for send in of(world.send(document, sender), Send)
        if send.to.partner_id == FACTORY.id
    ]
    assert [one.document for one in told] == ["declaration", "transfer", "transfer", "clearance"]
    assert {one.declaration_number for one in told} == {NUMBER}
    assert [one.number for one in told][1:] == ["T-1", "T-1", NOTICE]
    assert {one.reference for one in told} == {None}
    assert [one.code for one in told] == ["1100", None, None, "3000"]


def test_declarer_and_owner_have_answers_of_their_own() -> None:
    """Each in its own language, under an id of its own, so that neither is taken for a repeat of the other."""
    world = World()
    world.send(*DECLARED[0])
    effects = world.send(*SENT[-1])
    answers = {send.to.partner_id: send.document for send in of(effects, Send) if send.document_type == "response"}
    assert answers["agent"].reference == "E-1"
    assert answers["agent"].id != answers["factory"].id


def test_an_owner_that_declares_itself_is_told_once() -> None:
    """Where nobody declares for it, there is one answer."""
    world = World()
    effects = world.send(outbound(), FACTORY)
    assert [send.to.partner_id for send in of(effects, Send)] == ["origin-bureau"]
    effects = world.send(SENT[-1][0], BUREAU)
    assert [s.to.partner_id for s in of(effects, Send) if s.document_type == "response"] == ["factory"]
