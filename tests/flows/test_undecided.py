"""Results and movements that no flow decides are answered so, clearly; a gate is never told to open."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.decide.effects import Refuse, Respond
from gateway.decide.flow import Flow, Flows, Takes
from gateway.documents import InspectionResult, MovementReport
from gateway.errors import FlowsInvalid
from tests.flows.consignment.test_inspection_result import result
from tests.flows.containers.test_movement import movement
from tests.flows.world import FLOWS, PORT, PORT_SIDE, World, of

UNDECIDED = [
    (movement("arrive", thing="ship", things=[{"number": "9321483"}]), "decide.movement.undecided"),
    (movement("hand_over", thing="file", things=[{"number": "370200126000001"}]), "decide.movement.undecided"),
    (movement("store_in", thing="goods"), "decide.movement.undecided"),
    (movement("store_in"), "decide.movement.undecided"),
    (movement("not_used"), "decide.movement.undecided"),
    (movement("manual_open", person="G-7"), "decide.movement.undecided"),
    (movement("posted", thing="parcel"), "decide.movement.undecided"),
    (result("passed", subject={"kind": "ship", "number": "9321483"}), "decide.result.undecided"),
    (result("passed", subject={"kind": "lot", "number": "L-1"}), "decide.result.undecided"),
    (result("passed", subject={"kind": "site", "number": "S-1"}), "decide.result.undecided"),
    (result("passed", kind="fitness", subject={"kind": "container"}), "decide.result.undecided"),
]


@pytest.mark.parametrize(("document", "code"), UNDECIDED, ids=lambda one: getattr(one, "kind", ""))
def test_what_nobody_decides_is_kept_and_told_so(document, code) -> None:
    """It is received, with the reason, and nothing moves."""
    world = World()
    (answer,) = [one.document for one in of(world.send(document, PORT), Respond)]
    assert (answer.outcome.value, [reason.code for reason in answer.reasons]) == ("received", [code])
    assert "此处不" in " ".join(reason.text for reason in _in_chinese(document))
    assert not world.ground.cases


def _in_chinese(document):
    chinese = replace(PORT_SIDE, language="zh")
    return next(one.document for one in of(World().send(document, chinese), Respond)).reasons


@pytest.mark.parametrize("thing", ["container", "vehicle"])
def test_a_gates_question_is_no_leave_to_open(thing) -> None:
    """It is refused, in words that say so."""
    effects = World().send(movement("gate_ask", thing=thing), PORT)
    assert [reason.code for reason in of(effects, Refuse)[0].reasons] == ["decide.movement.gate_ask"]
    (answer,) = [one.document for one in of(effects, Respond)]
    assert answer.outcome.value == "refused"


def test_a_flow_takes_what_is_left_over_without_a_change_elsewhere() -> None:
    """Another flow for some of it goes before what takes the rest; two that take the rest, or the same, do not load."""
    ships = Flow("ships", takes=(Takes(MovementReport, when={"thing": ("ship",)}),), decide=lambda _desk: [])
    rest = next(flow for flow in FLOWS.all if flow.name == "undecided")
    flows = Flows([rest, ships])
    ship, parcel = movement("arrive", thing="ship"), movement("posted", thing="parcel")
    assert flows.find(ship) is ships
    assert flows.find(parcel) is rest
    assert Flows([ships, rest]).find(ship) is ships
    again = Flow("again", takes=(Takes(InspectionResult, otherwise=True),), decide=lambda _desk: [])
    with pytest.raises(FlowsInvalid):
        Flows([rest, again])
    with pytest.raises(FlowsInvalid):
        Flows([ships, Flow("more", takes=ships.takes, decide=ships.decide)])
