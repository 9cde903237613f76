"""What passed at a port: a released container is out, one that is shut and left is an alert; the rest is noted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from gateway.decide.desk import Actor, MessageIn
from gateway.decide.effects import Alert, Effect, Note, Publish, Refuse, Respond, Send
from gateway.documents import MovementReport
from gateway.flows.containers.decisions import standings, states
from gateway.model import Partner, Role
from gateway.trip import pieces
from tests.flows.containers.test_port_inspection import BOX, OTHER_BOX, bill, declared, order
from tests.flows.containers.test_review import released
from tests.flows.world import (
    AGENT,
    CUSTOMS,
    FACTORY,
    NOW,
    OTHER_PORT,
    PORT,
    PORT_SIDE,
    RULES,
    Watched,
    World,
    answer,
    codes,
    inbound,
    manifest,
    of,
    outbound,
)

YARD = Partner("yard", "yard", frozenset({Role.YARD}))


def movement(
    kind: str = "gate_out", *numbers: str, at: str | None = "2026-11-20T15:30:00+08:00", **changes: Any
) -> MovementReport:
    """A report of the port's."""
    values: dict[str, Any] = {
        "number": "MV-1",
        "function": "9",
        "kind": kind,
        "thing": "container",
        "at": at,
        "things": [{"number": number} for number in numbers or (BOX,)],
    }
    return MovementReport.model_validate(values | changes)


def locked(**changes: Any) -> World:
    """A consignment whose container is locked by an epidemic area."""
    world = declared(departure_country="AO", **changes)
    world.send(manifest(), PORT)
    assert states(world.case) == {BOX: "locked"}
    return world


def outcomes(effects: list[Effect]) -> tuple[str, list[tuple[str, str, list[str]]]]:
    """What the sender is answered: of the whole, and line by line."""
    (said,) = [one.document for one in of(effects, Respond)]
    return said.outcome.value, [
        (line.reference, line.outcome.value, [reason.code for reason in line.reasons]) for line in said.lines
    ]


def alerts(effects: list[Effect]) -> list[str]:
    return [alert.kind for alert in of(effects, Alert)]


@dataclass(frozen=True)
class Row:
    """What a container does that stands so: the line's outcome and reason, where it stands then, and the alerts."""

    name: str
    before: list[Any]
    report: MovementReport
    outcome: str
    code: str
    state: str
    alerts: tuple[str, ...] = ()


DISCHARGED = (movement("discharge", at="2026-11-20T10:00:00+08:00"), PORT)
OUT = (movement(), PORT)
LOCK = (order("lock"), PORT_SIDE)
RETURN = [(order("lock"), PORT_SIDE), (order("return"), PORT_SIDE)]
TREAT = [(order("lock"), PORT_SIDE), (order("treat"), PORT_SIDE)]
ORDERED = (answer("received", "R-1", code="1500"), PORT_SIDE)
ROWS = [
    Row("discharged", [], DISCHARGED[0], "accepted", "decide.movement.passed", "released"),
    Row("in by the gate", [DISCHARGED], movement("gate_in"), "accepted", "decide.movement.passed", "released"),
    Row("out by the gate", [DISCHARGED], OUT[0], "accepted", "decide.movement.out", "out"),
    Row("out by ship", [], movement("load"), "accepted", "decide.movement.out", "out"),
    Row("out by rail", [], movement("depart"), "accepted", "decide.movement.out", "out"),
    # Shut, and gone: it stands as it stood.
    Row("locked, out by the gate", [LOCK], OUT[0], "held", "decide.movement.left_shut", "locked", ("left_locked",)),
    Row("waiting, out", [ORDERED], OUT[0], "held", "decide.movement.left_shut", "waiting", ("left_locked",)),
    Row("treating, out", TREAT, OUT[0], "held", "decide.movement.left_shut", "treating", ("left_locked",)),
    Row("sent back, by the gate", RETURN, OUT[0], "held", "decide.movement.left_shut", "returned", ("left_locked",)),
    Row("sent back, by ship", RETURN, movement("load"), "accepted", "decide.movement.passed", "returned"),
    # A lock stays a lock, whatever comes in.
    Row("locked, discharged", [LOCK], DISCHARGED[0], "accepted", "decide.movement.passed", "locked"),
    # The same again; the same box out by another report.
    Row("repeated", [OUT], OUT[0], "accepted", "decide.movement.again", "out"),
    Row("out once more", [OUT], movement(at="2026-11-20T15:40:00+08:00"), "accepted", "decide.movement.late", "out"),
    # Out of order: what happened before what is known changes nothing.
    Row("discharged before it left", [OUT], DISCHARGED[0], "accepted", "decide.movement.late", "out"),
    Row("out before it came in", [(movement("gate_in", at="2026-11-20T15:45:00+08:00"), PORT)], OUT[0], "accepted",
        "decide.movement.late", "released"),
    # Empty, it comes back: that does not undo that its goods have left.
    Row("back again", [OUT], movement("gate_in", at="2026-11-20T15:50:00+08:00"), "accepted", "decide.movement.passed", "out"),
    Row("left though locked, told twice", [LOCK, OUT], OUT[0], "held", "decide.movement.left_shut", "locked"),
    Row("in again after it left locked", [LOCK, OUT], movement("load", at="2026-11-20T15:50:00+08:00"), "accepted",
        "decide.movement.passed", "locked"),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_passes_moves_the_container_as_the_table_says(row: Row) -> None:
    """A released container is out, a shut one is an alert and stands as it stood, all else is noted."""
    world = released()
    for document, sender in row.before:
        world.send(document, sender)
    effects = world.send(row.report, PORT)
    assert outcomes(effects) == (row.outcome, [(BOX, row.outcome, [row.code])])
    assert states(world.case) == {BOX: row.state}
    assert alerts(effects) == list(row.alerts)


NOT_HELD = [
    # Another port, a yard, and the same words where nobody has such a container.
    (OTHER_PORT, BOX, {}, ["sender"]),
    (YARD, BOX, {}, ["sender"]),
    (PORT, "MSCU6639870", {}, []),
    (OTHER_PORT, "MSCU6639870", {}, []),
    # Under another bill, or another declaration, it is another visit.
    (PORT, BOX, {"bill_of_lading": "BL-9"}, ["sender"]),
    (PORT, BOX, {"declaration_number": "370200126000099"}, ["sender"]),
]


@pytest.mark.parametrize(("sender", "number", "named", "alerted"), NOT_HELD)
def test_only_who_has_a_container_says_what_passed(sender, number, named, alerted) -> None:
    """What another port has is unknown to the sender, in the words of what nobody has; nothing moves."""
    world = released()
    effects = world.send(movement(things=[{"number": number, **named}]), sender)
    assert outcomes(effects) == ("refused", [(number, "refused", ["decide.movement.not_held"])])
    assert of(effects, Refuse)
    assert states(world.case) == {BOX: "released"}
    assert alerts(effects) == alerted


REFUSED = [
    # Neither port nor yard.
    (FACTORY, {}, "decide.movement.sender"),
    (PORT_SIDE, {}, "decide.movement.sender"),
    (CUSTOMS, {}, "decide.movement.sender"),
    # What has happened is not taken back.
    (PORT, {"function": "1"}, "decide.movement.function"),
    (PORT, {"function": "5"}, "decide.movement.function"),
]


@pytest.mark.parametrize(("sender", "changes", "code"), REFUSED)
def test_a_report_that_cannot_count_is_refused(sender, changes, code) -> None:
    """Its sender learns why; nothing moves."""
    world = released()
    effects = world.send(movement(**changes), sender)
    assert codes(of(effects, Refuse)[0].reasons) == [code]
    assert states(world.case) == {BOX: "released"}


def test_a_clock_that_is_ahead_is_told() -> None:
    """A quarter of an hour is believed, more is not, lest everything after it be out of order."""
    world = released()
    late = (NOW + timedelta(minutes=16)).isoformat()
    assert outcomes(world.send(movement(at=late), PORT))[1] == [(BOX, "refused", ["decide.movement.future"])]
    near = (NOW + timedelta(minutes=15)).isoformat()
    assert outcomes(world.send(movement(at=near), PORT))[1] == [(BOX, "accepted", ["decide.movement.out"])]


def test_part_of_a_report_may_stand() -> None:
    """Each container is decided by itself: out, gone though shut, not held, named twice, and each with its own time."""
    world = declared(container_groups=[{"numbers": [BOX, OTHER_BOX]}])
    world.send(manifest(bill("BL-1", "DEHAM", BOX, OTHER_BOX)), PORT)
    world.send(order("lock", containers=[{"number": OTHER_BOX, "decision": "lock"}]), PORT_SIDE)
    things = [
        {"number": BOX, "at": "2026-11-20T15:31:00+08:00"},
        {"number": OTHER_BOX},
        {"number": "MSCU6639870"},
        {"number": BOX},
    ]
    effects = world.send(movement(things=things), PORT)
    assert outcomes(effects) == (
        "held",
        [
            (BOX, "accepted", ["decide.movement.out"]),
            (OTHER_BOX, "held", ["decide.movement.left_shut"]),
            ("MSCU6639870", "refused", ["decide.movement.not_held"]),
            (BOX, "accepted", ["decide.movement.twice"]),
        ],
    )
    assert states(world.case) == {BOX: "out", OTHER_BOX: "locked"}
    assert str(standings(world.case)[BOX].passed_at) == "2026-11-20 15:31:00+08:00"


def test_who_is_told_that_a_container_left() -> None:
    """Owner, declarer and the port's bureau; the port is answered; nobody else hears of it."""
    world = World()
    world.send(inbound(customs_office="4200", declarant={"registration_number": "3701000003"}), AGENT)
    world.send(manifest(), PORT)
    effects = world.send(movement(), PORT)
    sent = of(effects, Send)
    assert {send.to.partner_id for send in sent} == {"factory", "agent", "port-bureau"}
    assert {send.document.outcome for send in sent} == {"released"}
    assert {line.partner_id for line in of(effects, Publish)} == {"factory", "agent"}
    # The places are of a report that these never saw.
    assert {reason.field for send in sent for reason in send.document.reasons} == {None}


def test_who_is_told_that_a_shut_container_left() -> None:
    """Port, bureau and owner have it, and a record of grade 1 says that it must be looked at at once."""
    world = Watched()
    world.send(inbound(departure_country="AO"), FACTORY)
    world.send(manifest(), PORT)
    effects = world.send(movement(), PORT)
    assert outcomes(effects)[0] == "held"
    sent = [send for send in of(effects, Send) if send.document_type == "response"]
    assert {(send.to.partner_id, send.document.outcome.value) for send in sent} >= {
        ("factory", "held"),
        ("port-bureau", "held"),
    }
    assert states(world.consignment) == {BOX: "locked"}
    (record,) = world.records
    assert record.documents["risk"]["point"] == "left_locked"
    assert RULES.risks.points["left_locked"].grade == 1


def test_an_undeclared_container_that_leaves_is_alerted() -> None:
    """Nobody has declared it, so no office is known: an operator looks, and the port learns what it did."""
    world = World()
    world.send(manifest(), PORT)
    assert outcomes(world.send(DISCHARGED[0], PORT)) == ("accepted", [(BOX, "accepted", [])])
    effects = world.send(movement(), PORT)
    assert outcomes(effects) == ("held", [(BOX, "held", ["decide.movement.undeclared"])])
    assert alerts(effects) == ["left_locked"]
    assert outcomes(world.send(movement(), OTHER_PORT))[0] == "refused"


def test_a_container_of_two_consignments_leaves_both() -> None:
    """One that is shared leaves with all that is in it; shut in one of them, it left though it was shut."""
    for second, state in (({}, "out"), ({"departure_country": "AO"}, "locked")):
        world = World()
        shared = {"container_groups": [{"numbers": [BOX]}]}
        world.send(inbound(client_reference="E-1", **shared), FACTORY)
        world.send(inbound(client_reference="E-2", bill_of_lading="BL-2", **shared, **second), FACTORY)
        world.send(manifest(bill(), bill("BL-2")), PORT)
        effects = world.send(movement(), PORT)
        assert sorted(states(case)[BOX] for case in world.ground.cases.values()) == sorted(["out", state])
        assert alerts(effects) == ([] if state == "out" else ["left_locked"])


def test_a_later_visit_is_another_one() -> None:
    """The same box comes again with other goods: what left with the first consignment is left alone."""
    world = released()
    world.send(movement(), PORT)
    later = NOW + timedelta(days=60)
    again = inbound(client_reference="E-2", bill_of_lading="BL-2")
    world.send(again, FACTORY, now=later)
    world.send(manifest(bill("BL-2"), number="M-2"), PORT, now=later)
    effects = world.send(movement(at=later.isoformat()), PORT, now=later)
    assert outcomes(effects)[1] == [(BOX, "accepted", ["decide.movement.out"])]
    assert [states(case) for case in world.ground.cases.values()] == [{BOX: "out"}, {BOX: "out"}]


def test_what_left_locked_is_out_once_an_officer_opens_it() -> None:
    """The officer has looked: the container is out from then on, and what fails later is an alert."""
    world = locked()
    world.send(movement(), PORT)
    world.send(order(), PORT_SIDE)
    assert states(world.case) == {BOX: "out"}
    effects = world.send(answer("refused", "R-1"), PORT_SIDE)
    assert "container_out" in alerts(effects)
    assert states(world.case) == {BOX: "out"}


def test_what_left_locked_cannot_be_locked_again() -> None:
    """Its goods fail: nobody can shut it, so the port is told nothing, and somebody is alerted."""
    world = locked()
    world.send(movement(), PORT)
    effects = world.send(answer("refused", "R-1"), PORT_SIDE)
    assert "container_out" in alerts(effects)
    assert not [send for send in of(effects, Send) if send.to.role is Role.PORT]


def test_nothing_that_left_is_withdrawn() -> None:
    """A declaration whose container left, shut or not, is not cancelled until it is brought back."""
    for world in (released(), locked()):
        world.send(movement(), PORT)
        world.send(
            inbound(function="1", departure_country=world.case.documents["declaration"]["departure_country"]), FACTORY
        )
        effects = world.send(answer("cancelled", "R-1"), PORT_SIDE)
        assert world.case.status == "cancelling"
        assert "status" in alerts(effects)


def test_a_long_report_is_decided_in_pieces() -> None:
    """Pieces come to what the whole comes to, and what an earlier piece names is named again in a later one."""
    numbers = [f"CSQU{n:07}" for n in range(pieces.LINES + 2)]
    report = movement("gate_out", *numbers, numbers[0])
    assert pieces.is_split(report)
    world = released()
    occasion = MessageIn("movement", report, Actor(PORT), "long", NOW)
    seen = [piece for _, piece in pieces.split(occasion)]
    assert [len(one.document.things) for one in seen if isinstance(one.document, MovementReport)] == [pieces.LINES, 3]
    effects = world.decide(seen[1])
    assert outcomes(effects)[1][-1] == (numbers[0], "accepted", ["decide.movement.twice"])


def test_live_containers_are_not_moved_by_test_reports() -> None:
    """A report under the test flag finds no live container."""
    world = released()
    assert outcomes(world.send(movement(), PORT, test=True))[0] == "refused"
    assert states(world.case) == {BOX: "released"}


def test_movements_are_noted_on_the_timeline() -> None:
    """What passed stands with the case, and who was told nothing reads it there."""
    world = released()
    effects = world.send(DISCHARGED[0], PORT)
    (note,) = of(effects, Note)
    assert (note.kind, note.case, codes(note.reasons)) == ("movement", world.case.id, ["decide.movement.passed"])
    assert not of(effects, Send)


def test_exports_are_not_moved() -> None:
    """What is loaded for export is nobody's import; no flow decides its containers here."""
    world = World()
    world.send(outbound(), FACTORY)
    assert outcomes(world.send(movement("load"), PORT))[0] == "refused"
