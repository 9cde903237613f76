"""Counts and totals (gateway/translate/controls.py)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from gateway.model import Place
from gateway.translate import controls
from gateway.translate.outcome import Raw

GOODS: dict[str, Any] = {"goods": [{"mass": {"value": "1.5"}}, {"mass": {"value": Decimal(2)}}, {"mass": None}, {}]}
FIGURES: list[tuple[str, dict[str, Any], str, Decimal | None]] = [
    # What stands there is counted, however deep in lists, and what does not is not.
    ("count", GOODS, "goods", Decimal(4)),
    ("count", GOODS, "goods.mass", Decimal(2)),
    ("count", GOODS, "goods.mass.value", Decimal(2)),
    ("total", GOODS, "goods.mass.value", Decimal("3.5")),
    ("count", {"bills": [{"containers": ["a", "b"]}, {"containers": ("c",)}]}, "bills.containers", Decimal(3)),
    ("total", {"mass": "0"}, "mass", Decimal(0)),
    ("total", {"mass": Decimal("-1.25")}, "mass", Decimal("-1.25")),
    # Nothing is no zero.
    ("count", {}, "goods", None),
    ("count", {"goods": None}, "goods", None),
    ("count", {"goods": []}, "goods", None),
    ("total", {"goods": [{"mass": None}]}, "goods.mass", None),
]


@pytest.mark.parametrize(("kind", "values", "path", "expected"), FIGURES)
def test_what_a_document_comes_to(kind: str, values: dict[str, Any], path: str, expected: Decimal | None) -> None:
    """The count, or the sum; nothing where nothing stands there."""
    assert controls.figure(kind, values, tuple(path.split("."))) == expected


STATED = [
    # What agrees as a number agrees.
    ("total", "3.5", []),
    ("total", " 3.50 ", []),
    ("total", "3,5", []),
    ("count", "2", []),
    ("count", "2.0", []),
    # What does not is told with what it comes to.
    ("count", "3", [("translate.count", "3", {"field": "masses", "computed": "2"})]),
    ("total", "35", [("translate.total", "35", {"field": "masses", "computed": "3.5"})]),
    ("total", "many", [("translate.number", "many", {})]),
    ("count", "", [("translate.number", "", {})]),
]


@pytest.mark.parametrize(("kind", "text", "expected"), STATED)
def test_what_the_sender_stated_is_compared(kind: str, text: str, expected: list[Any]) -> None:
    """With what was read, at the place where it was stated."""
    raw = Raw(GOODS)
    place = Place("M1", 7, "CNT")
    controls.verify(kind, "masses", ("goods", "mass", "value"), text, place, raw)
    assert [(f.code, f.value, dict(f.args)) for f in raw.findings] == expected
    assert all(f.place == place for f in raw.findings)


def test_of_nothing_there_is_none() -> None:
    """Whoever states no goods, and sends none, is right."""
    raw = Raw({})
    controls.verify("count", "goods", ("goods",), "0", Place(), raw)
    controls.verify("count", "goods", ("goods",), "1", Place(), raw)
    assert [dict(f.args) for f in raw.findings] == [{"field": "goods", "computed": "0"}]
