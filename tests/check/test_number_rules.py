"""How numbers are made up: patterns, check digits, and our share of a range."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from gateway.catalogue_folders import shipped
from gateway.check import number_rules
from gateway.check.number_rules import NumberRule
from gateway.decide.flow import Flows
from gateway.decide.numbers import NumberKind
from gateway.errors import FlowsInvalid, RulesInvalid
from tests.catalogues import with_files
from tests.flows.world import FLOWS, RULES

PLAIN: dict[str, Any] = {
    "kind": "licence",
    "source": "made for the test",
    "pattern": "L{office:4}-{sequence:3}",
    "scope": ["office"],
    "first": 1,
    "last": 899,
}


def rule(**changes: Any) -> NumberRule:
    return NumberRule.model_validate(PLAIN | changes)


WRITTEN = [
    # what is other than above, how many were given before it, the number
    ({}, 1, "L4200-001"),
    ({}, 899, "L4200-899"),
    ({}, 900, None),
    ({"first": 900, "last": 999}, 1, "L4200-900"),
    ({"first": 900, "last": 999}, 101, None),
    ({"pattern": "{office}{sequence:5}", "last": 90_000}, 12_345, "420012345"),
    # ISO/IEC 7812-1's own example is 7992739871, whose check digit is 3.
    (
        {"pattern": "{office:4}{sequence:6}{check}", "check": "luhn", "first": 739_871, "last": 739_871},
        1,
        "79927398713",
    ),
    # ISO/IEC 7064's example for MOD 11-2 is 0794, whose check character is 0.
    ({"pattern": "{sequence:4}{check}", "scope": [], "check": "mod_11_2", "first": 794, "last": 794}, 1, "07940"),
    # ISO/IEC 7064's example for MOD 97-10 is 794, whose check digits are 44.
    ({"pattern": "{sequence:3}{check}", "scope": [], "check": "mod_97_10", "first": 794, "last": 794}, 1, "79444"),
]


@pytest.mark.parametrize(("changes", "count", "expected"), WRITTEN)
def test_numbers_are_written_by_their_pattern(changes: dict[str, Any], count: int, expected: str | None) -> None:
    """The count-th number of our share, with its check digit; None beyond the share."""
    office = "7992" if changes.get("check") == "luhn" else "4200"
    assert rule(**changes).write({"office": office}, count) == expected


def test_a_counter_is_of_its_scope() -> None:
    """Numbers are counted within each combination of the fields that the scope names."""
    assert rule().counter({"office": "4200"}) == "licence:4200"
    assert rule(scope=[]).counter({"office": "4200"}) == "licence:"


def test_a_value_of_another_width_is_refused() -> None:
    """A number would be read apart otherwise than it was put together."""
    with pytest.raises(ValueError, match="4 signs"):
        rule().write({"office": "420"}, 1)


FAULTY = [
    {"pattern": "L{office:4}"},  # nothing is counted
    {"pattern": "{sequence}", "scope": []},  # without an end
    {"pattern": "{sequence:3}{sequence:3}", "scope": []},
    {"pattern": "{sequence:3}{check}", "scope": []},  # a check digit that is made by nothing
    {"check": "luhn"},  # one that has no place
    {"check": "sum"},
    {"scope": ["year"]},
    {"last": 1000},
    {"first": 900},
    {"pattern": "{office!r}{sequence:3}"},
    {"pattern": "{office:x}{sequence:3}"},
    {"pattern": "{0}{sequence:3}", "scope": []},
    {"pattern": "{office", "scope": []},
]


@pytest.mark.parametrize("changes", FAULTY)
def test_a_rule_that_makes_no_numbers_is_refused(changes: dict[str, Any]) -> None:
    """Each fault is found when the rule is read, and not when a number is wanted."""
    with pytest.raises(ValidationError):
        rule(**changes)


def test_one_kind_has_one_rule() -> None:
    """Two files that tell of one kind, and a file that tells of anything else, are refused."""
    name = "schemas/rules/numbers/consignment.toml"
    text = shipped().text(name)
    with pytest.raises(RulesInvalid, match="twice"):
        number_rules.load(with_files({name: text, "schemas/rules/numbers/more.toml": text}))
    for spoilt in ("[[numbers]]\n", "number = 1\n", f"{text}\nmore = 1\n"):
        with pytest.raises(RulesInvalid, match="numbers/consignment"):
            number_rules.load(with_files({name: spoilt}))


def test_flows_and_rules_of_numbers_go_together() -> None:
    """Each kind that a flow gives out has its rule, which asks for nothing that the flow does not know, and no rule is idle."""
    FLOWS.check_numbers(RULES.numbers)
    with pytest.raises(FlowsInvalid, match="no flow"):
        FLOWS.check_numbers({**RULES.numbers, "licence": rule()})
    with pytest.raises(FlowsInvalid, match="how declaration numbers"):
        FLOWS.check_numbers({})
    asking = rule(kind="declaration", pattern="{weather:1}{sequence:3}", scope=[])
    with pytest.raises(FlowsInvalid, match="weather"):
        FLOWS.check_numbers({"declaration": asking})
    assert Flows([]).numbers == {}
    assert FLOWS.numbers["declaration"] == NumberKind(
        "declaration", "declaration", frozenset({"organisation", "direction", "year"})
    )
