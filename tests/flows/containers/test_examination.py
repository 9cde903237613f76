"""Results of containers: each is locked, treated or sent back by itself; a result opens nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from gateway.decide.desk import Actor, MessageIn
from gateway.decide.effects import Note, Refuse, Send
from gateway.documents import InspectionResult
from gateway.flows.containers.decisions import states
from gateway.trip import pieces
from tests.flows.consignment.test_inspection_result import result
from tests.flows.containers.test_movement import LOCK, OUT, RETURN, TREAT, alerts, outcomes
from tests.flows.containers.test_port_inspection import BOX, OTHER_BOX, bill, declared, order
from tests.flows.containers.test_review import released, told
from tests.flows.world import (
    AGENT,
    BUREAU,
    NOW,
    ORIGIN,
    PORT,
    PORT_SIDE,
    STRANGER,
    World,
    answer,
    codes,
    inbound,
    manifest,
    of,
)


def examined(conclusion: str = "failed", *containers: dict[str, Any], **changes: Any) -> InspectionResult:
    """A result of containers, of the port's bureau."""
    values = {"subject": {"kind": "container"}, "containers": list(containers) or [{"number": BOX}]}
    return result(conclusion, **{**values, **changes})


@dataclass(frozen=True)
class Row:
    """What a conclusion does to a container that stands so."""

    name: str
    before: list[Any]
    conclusion: str
    outcome: str
    state: str
    act: str = ""
    """What its port is told; nothing where that is empty."""
    alerts: tuple[str, ...] = ()


ROWS = [
    Row("failed", [], "failed", "accepted", "locked", "lock", ("locked",)),
    Row("failed, locked", [LOCK], "failed", "accepted", "locked"),
    Row("failed, out", [OUT], "failed", "accepted", "out", alerts=("container_out",)),
    Row("failed, left though locked", [LOCK, OUT], "failed", "accepted", "locked", alerts=("container_out",)),
    Row("passed", [], "passed", "accepted", "released"),
    Row("passed, locked", [LOCK], "passed", "accepted", "locked"),
    Row("passed after its treatment", TREAT, "passed", "accepted", "locked", "lock", ("locked",)),
    Row("to be treated", [LOCK], "to_treat", "accepted", "treating", "treat"),
    Row("to be treated, free", [], "to_treat", "refused", "released"),
    Row("sent back", [LOCK], "returned", "accepted", "returned", "return"),
    Row("sent back, free", [], "returned", "refused", "released"),
    Row("sent back again", RETURN, "returned", "accepted", "returned"),
    Row("sampled", [], "sampled", "accepted", "released"),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_conclusion_moves_the_container_as_its_table_says(row: Row) -> None:
    """It locks and never opens; what has left stays where it is."""
    world = released()
    for document, sender in row.before:
        world.send(document, sender)
    effects = world.send(examined(row.conclusion), PORT_SIDE)
    assert [outcome for _, outcome, _ in outcomes(effects)[1]] == [row.outcome]
    assert states(world.case) == {BOX: row.state}
    assert {number: act for number, (act, _) in told(effects).items()} == ({BOX: row.act} if row.act else {})
    assert alerts(effects) == list(row.alerts)
    assert "inspection" not in world.case.tracks


NOT_THEIRS = [
    # Another office's container, and what nobody has, in the same words.
    ({"office": "440100", "declaration_number": None}, STRANGER, BOX, "decide.release.undeclared"),
    ({"declaration_number": None}, PORT_SIDE, "MSCU6639870", "decide.release.undeclared"),
    ({"declaration_number": "370200126000099"}, PORT_SIDE, BOX, "decide.release.undeclared"),
]


@pytest.mark.parametrize(("changes", "sender", "number", "code"), NOT_THEIRS)
def test_whose_container_it_is_not_is_told_nothing(changes, sender, number, code) -> None:
    """What belongs to another office is unknown to the sender."""
    world = released()
    effects = world.send(examined("failed", {"number": number}, **changes), sender)
    assert outcomes(effects) == ("refused", [(number, "refused", [code])])
    assert of(effects, Refuse)
    assert states(world.case) == {BOX: "released"}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"office": ORIGIN}, "decide.sender.not_concerned"),
        ({"inspector": None}, "decide.result.nobody"),
        ({"function": "1"}, "decide.result.function"),
    ],
)
def test_a_result_that_cannot_count_is_refused(changes, code) -> None:
    """Its sender learns why."""
    world = released()
    assert codes(of(world.send(examined(**changes), PORT_SIDE), Refuse)[0].reasons) == [code]


def test_a_destinations_office_finds_a_container_wanting() -> None:
    """It may lock what is still at the port; what has left is an alert."""
    world = released()
    effects = world.send(examined("failed", office=ORIGIN), BUREAU)
    assert states(world.case) == {BOX: "locked"}
    assert alerts(effects) == ["locked"]


def test_the_same_result_again_changes_nothing() -> None:
    """It is answered as before; an officer who has opened the container meanwhile is not overruled."""
    world = released()
    world.send(examined(), PORT_SIDE)
    world.send(order(), PORT_SIDE)
    effects = world.send(examined(), PORT_SIDE)
    assert outcomes(effects)[0] == "accepted"
    assert states(world.case) == {BOX: "released"}
    assert not of(effects, Note)
    assert not told(effects)


def test_part_of_a_result_may_stand() -> None:
    """Each container is concluded by itself, by its own conclusion where it has one."""
    world = declared(container_groups=[{"numbers": [BOX, OTHER_BOX]}])
    world.send(manifest(bill("BL-1", "DEHAM", BOX, OTHER_BOX)), PORT)
    found = [{"number": BOX}, {"number": OTHER_BOX, "conclusion": "passed"}, {"number": "MSCU6639870"}, {"number": BOX}]
    effects = world.send(examined("failed", *found), PORT_SIDE)
    assert [(number, outcome) for number, outcome, _ in outcomes(effects)[1]] == [
        (BOX, "accepted"),
        (OTHER_BOX, "accepted"),
        ("MSCU6639870", "refused"),
        (BOX, "refused"),
    ]
    assert states(world.case) == {BOX: "locked", OTHER_BOX: "released"}


def test_who_is_told_of_a_container_that_failed() -> None:
    """The port that has it, customs, declarer and owner; the notice names who found it, and enterprises read no name."""
    world = World()
    world.send(inbound(customs_office="4200", declarant={"registration_number": "3701000003"}), AGENT)
    world.send(manifest(), PORT)
    effects = world.send(examined(), PORT_SIDE)
    assert {send.to.partner_id for send in of(effects, Send)} == {"port", "customs", "agent", "factory"}
    (to_port,) = [send.document for send in of(effects, Send) if send.to.partner_id == "port"]
    assert (to_port.organisation, to_port.officer) == ("370200", "0815")
    for send in of(effects, Send):
        if send.document_type == "response":
            assert "0815" not in send.document.model_dump_json()


def test_goods_that_pass_do_not_end_another_treatment() -> None:
    """A container that is treated for where it comes from stays in treatment, though its goods pass."""
    world = released()
    for document, sender in TREAT:
        world.send(document, sender)
    world.send(answer("released", "R-1"), PORT_SIDE)
    assert states(world.case) == {BOX: "treating"}


def test_a_long_result_is_decided_in_pieces() -> None:
    """Five hundred containers a transaction; what an earlier piece names is named again in a later one."""
    numbers = [f"CSQU{n:07}" for n in range(pieces.LINES + 1)]
    document = examined("failed", *({"number": number} for number in [*numbers, numbers[0]]), declaration_number=None)
    assert pieces.is_split(document)
    occasion = MessageIn("inspection_result", document, Actor(PORT_SIDE), "long", NOW)
    seen = [piece for _, piece in pieces.split(occasion)]
    assert [len(one.document.containers) for one in seen if isinstance(one.document, InspectionResult)] == [
        pieces.LINES,
        2,
    ]
    world = released()
    assert outcomes(world.decide(seen[1]))[1][-1] == (numbers[0], "refused", ["decide.result.twice"])
