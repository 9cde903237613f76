"""What documents say against themselves: judged with the rules of the day, and told at their own paths."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from gateway import data, findings
from gateway.check import rules
from gateway.documents import MODELS, InspectionResult
from gateway.documents.partial import part_of
from tests.flows.consignment.test_inspection_result import result
from tests.flows.containers.test_movement import movement
from tests.flows.world import RULES


def item(value: str | None = None, verdict: str | None = None, **limits: str) -> dict[str, Any]:
    return {"code": "PB", "value": value, "verdict": verdict, **limits}


CASES = [
    # A value within its limits, at them, and beyond them.
    (result("passed", items=[item("0.5", "pass", maximum="0.5")]), []),
    (result("passed", items=[item("5", "pass", minimum="5", maximum="9")]), []),
    (result("failed", items=[item("0.6", "fail", maximum="0.5")]), []),
    (result("failed", items=[item("0.6", "pass", maximum="0.5")]), [("rules.result.limit", "items[0].verdict")]),
    (result("failed", items=[item("4", "pass", minimum="5")]), [("rules.result.limit", "items[0].verdict")]),
    # A pass that its items do not bear out; an inspector may fail what no item says.
    (result("passed", items=[item(verdict="fail")]), [("rules.result.contradicts", "items[0].verdict")]),
    (result("passed", items=[item("0.6", maximum="0.5")]), [("rules.result.contradicts", "items[0].verdict")]),
    (result("failed", items=[item("0.1", "pass", maximum="0.5")]), []),
    (result("failed"), []),
    # Of a container by its own conclusion.
    (
        result("failed", subject={"kind": "container"}, containers=[
            {"number": "CSQU3054383", "conclusion": "passed", "items": [item(verdict="fail")]}]),
        [("rules.result.contradicts", "containers[0].items[0].verdict")],
    ),
    # Containers stand where they are the subject, and there only.
    (result("failed", subject={"kind": "container"}), [("rules.containers.empty", "containers")]),
    (result("failed", containers=[{"number": "CSQU3054383"}]), [("rules.result.containers", "containers")]),
    # Goods are somebody's; a ship has no declaration.
    (result("failed", declaration_number=None), [("rules.result.whose", "declaration_number")]),
    (result("failed", declaration_number=None, task="T-1"), []),
    (result("failed", declaration_number=None, subject={"kind": "ship"}), []),
    # A number that is none, or has a wrong check digit, is told and refuses nothing.
    (
        result("failed", subject={"kind": "container"}, containers=[{"number": "CSQU3054384"}]),
        [("rules.container.check_digit", "containers[0].number")],
    ),
    (movement("gate_out", "CSQU3054384"), [("rules.container.check_digit", "things[0].number")]),
    (movement("gate_out", "BOX7"), [("rules.container.form", "things[0].number")]),
    (movement("arrive", "BOX7", thing="ship"), []),
    # Something passed, and at some time.
    (movement(things=[]), [("rules.movement.empty", "things")]),
    (movement(at=None), [("rules.movement.when", "things[0].at")]),
    (movement(at=None, things=[{"number": "CSQU3054383", "at": "2026-11-20T15:30:00+08:00"}]), []),
]  # fmt: skip


@pytest.mark.parametrize(("document", "expected"), CASES)
def test_what_contradicts_itself_is_told_at_its_place(document, expected) -> None:
    """Every contradiction at once, in both languages."""
    told = list(rules.check(document, RULES))
    assert [(one.code, one.place.path) for one in told] == expected
    for one in told:
        assert "{" not in findings.text(one, "en") + findings.text(one, "zh")


def lessened(values: Any) -> Iterator[Any]:
    """The same values, each time without one of them, however deep it stands."""
    if isinstance(values, dict):
        for name, value in values.items():
            yield {other: kept for other, kept in values.items() if other != name}
            yield from ({**values, name: less} for less in lessened(value))
    elif isinstance(values, list):
        for at, value in enumerate(values):
            yield from ([*values[:at], less, *values[at + 1 :]] for less in lessened(value))


@pytest.mark.parametrize("document", ["inspection_result", "movement"])
def test_what_is_left_of_a_faulty_message_is_judged_too(document: str) -> None:
    """Whatever value is missing, required ones too, the rest is asked about, and no fault is ours."""
    values = json.loads((data.samples() / document / "full" / "document.json").read_text("utf-8"))
    for less in lessened(values):
        list(rules.check(part_of(MODELS[document], less), RULES))


def test_a_conclusion_is_a_containers_own_or_the_results() -> None:
    """Where a container has none, the result's counts for it."""
    document = result("failed", subject={"kind": "container"}, containers=[
        {"number": "CSQU3054383"}, {"number": "TGHU7654320", "conclusion": "passed"}])  # fmt: skip
    assert isinstance(document, InspectionResult)
    assert [document.conclusion_of(one) for one in document.containers] == ["failed", "passed"]
    assert document.repeated() == frozenset()
