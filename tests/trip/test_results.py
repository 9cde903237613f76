"""Results and movements through the middle of the gateway: long ones are decided piece by piece, and answered as one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway import data
from gateway.decide.facts import CasesByKeys, Facts
from gateway.errors import StoreUnavailable
from gateway.flows.containers.decisions import states
from gateway.model import Case, MessageState
from gateway.store.contract import Outcome
from gateway.trip import pieces
from tests.trip.rig import House, house
from tests.trip.test_answers import as_json

BOXES = ["CSQU3054383", "TGHU7654320", "MSKU0000011", "MSCU6639870", "HLXU1234567"]
BILL = "SMPL26010077"


@pytest.fixture
async def harbour(where: Path | str, tmp_path: Path) -> AsyncIterator[House]:
    """A gateway's middle, in which an import of five containers is declared, accepted and in its port's manifest."""
    async with house(tmp_path, where) as one:
        values = json.loads((data.samples() / "declaration/import_sea_container/document.json").read_text("utf-8"))
        for item in values["goods"]:
            del item["licences"]
        values["container_groups"] = [{"numbers": BOXES}]
        await one.through(as_json("declaration", "D-1", **values))
        said = {"id": "R-1", "document": "declaration", "reference": values["client_reference"], "outcome": "accepted"}
        await one.through(as_json("response", "R-1", **said), "bureau")
        bill = {"number": BILL, "loading_port": "CLVAP", "containers": [{"number": box} for box in BOXES]}
        await one.through(as_json("manifest", "M-1", number="M-1", function="9", bills=[bill]), "strict-port")
        yield one


async def find_case(gateway: House) -> Case:
    """The only case that there is."""
    query = CasesByKeys(frozenset({("bill", BILL)}))
    (case,) = (await gateway.store.facts([query], Facts(), "m"))[query]
    return case


async def standing(gateway: House) -> list[str]:
    """Where the containers stand, in order."""
    found = states(await find_case(gateway))
    return [found[box].value for box in BOXES]


def movement(reference: str, *boxes: str, kind: str = "gate_out") -> bytes:
    """What the port reports."""
    things = [{"number": box} for box in boxes]
    at = "2026-03-05T09:20:00+08:00"
    return as_json(
        "movement", reference, number=reference, function="9", kind=kind, thing="container", at=at, things=things
    )


def examined(reference: str, *boxes: str) -> bytes:
    """What the port's bureau found of containers."""
    return as_json(
        "inspection_result", reference, number=reference, function="9", kind="inspection", conclusion="failed",
        subject={"kind": "container"}, office="370210", inspector="0815", concluded_at="2026-03-05T09:20:00+08:00",
        containers=[{"number": box} for box in boxes],
    )  # fmt: skip


async def answers(gateway: House, partner_id: str, document: str) -> list[dict[str, Any]]:
    """What somebody is answered to its documents of a type."""
    found = [
        json.loads(one.body)["document"] for one in await gateway.inbox(partner_id) if one.document_type == "response"
    ]
    return [one for one in found if one["document"] == document and "lines" in one]


async def test_a_long_report_is_answered_line_by_line(harbour: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each piece is a commit of its own; one answer has every line under its number, held where one piece is."""
    monkeypatch.setattr(pieces, "LINES", 2)
    await harbour.through(examined("IR-1", BOXES[3]), "bureau")
    assert await standing(harbour) == ["released", "released", "released", "locked", "released"]
    view = await harbour.through(movement("MV-1", *BOXES, "MSCU9999999", BOXES[0]), "strict-port")
    assert [one.state for one in view.messages] == [MessageState.ACCEPTED]
    (said,) = await answers(harbour, "strict-port", "movement")
    assert said["outcome"] == "held"
    assert [(line["number"], line["outcome"]) for line in said["lines"]] == [
        (1, "accepted"),
        (2, "accepted"),
        (3, "accepted"),
        (4, "held"),
        (5, "accepted"),
        (6, "refused"),
        (7, "accepted"),
    ]
    assert said["lines"][6]["reasons"][0]["code"] == "decide.movement.twice"
    assert said["lines"][6]["reasons"][0]["field"] == "things[6].number"
    assert await standing(harbour) == ["out", "out", "out", "locked", "out"]


async def test_a_long_result_is_decided_to_its_end(harbour: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the store goes away between two pieces, all are decided again: each container is locked, and one answer leaves."""
    monkeypatch.setattr(pieces, "LINES", 2)
    commit, left = harbour.store.commit, [2]

    async def goes_away(outcome: Outcome) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise StoreUnavailable
        await commit(outcome)

    monkeypatch.setattr(harbour.store, "commit", goes_away)
    await harbour.send(examined("IR-1", *BOXES), "bureau")
    await harbour.work()
    assert left[0] <= 0
    harbour.clock.forward(seconds=1)
    await harbour.work()
    assert await standing(harbour) == ["locked"] * 5
    (said,) = await answers(harbour, "bureau", "inspection_result")
    assert [line["outcome"] for line in said["lines"]] == ["accepted"] * 5


async def test_a_report_that_comes_again_moves_nothing(harbour: House) -> None:
    """Under another reference it is another message; the containers are out, and their port is told that this was told."""
    for reference in ("MV-1", "MV-2"):
        await harbour.through(movement(reference, *BOXES), "strict-port")
    first, second = await answers(harbour, "strict-port", "movement")
    assert {line["reasons"][0]["code"] for line in first["lines"]} == {"decide.movement.out"}
    assert {line["reasons"][0]["code"] for line in second["lines"]} == {"decide.movement.again"}
    assert await standing(harbour) == ["out"] * 5


async def test_another_port_learns_nothing(harbour: House) -> None:
    """It is told of a container that this port has what it is told of one that nobody has; an operator is alerted."""
    view = await harbour.through(movement("MV-1", BOXES[0], "MSCU9999999"), "lenient-port")
    assert [one.state for one in view.messages] == [MessageState.REJECTED]
    (said,) = await answers(harbour, "lenient-port", "movement")
    assert {line["reasons"][0]["code"] for line in said["lines"]} == {"decide.movement.not_held"}
    assert await standing(harbour) == ["released"] * 5
    assert await harbour.store.case(BILL, partner_id="lenient-port") == []
    assert len(await harbour.store.case(BILL, partner_id="strict-port")) == 1
