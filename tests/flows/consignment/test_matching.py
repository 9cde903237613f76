from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.catalogue_folders import shipped
from gateway.check import codes, rulebook
from gateway.check.rulebook import MatchField
from gateway.documents import ClearanceNotice, CustomsEntry
from gateway.flows.consignment.matching import mismatches
from tests.flows.world import ORIGIN, RULES, entry, notice

NUMBER = f"{ORIGIN}226000001"
FIELDS = RULES.of(rulebook.ClearanceMatch).match
UNITS_OF_MASS = RULES.code_list("mass_unit")


def line(**changes):
    """An item of customs' data that stands for the whole of the notice's first."""
    return {**entry(NUMBER).to_json()["goods"][0], "notice_sequence_number": 1, **changes}


def part(weight="500", quantity="500", value="2500", **changes):
    """Half of it, unless `changes` say otherwise."""
    return line(
        quantity={"value": quantity, "unit": "KGM"},
        weight={"value": weight, "unit": "KGM"},
        value={"value": value, "currency": "USD"},
        **changes,
    )


def entered(*lines) -> CustomsEntry:
    return CustomsEntry.model_validate({**entry(NUMBER).to_json(), "goods": list(lines)})


def allowed(*items) -> ClearanceNotice:
    """A notice of those items; each is the usual one with changes."""
    usual = notice(NUMBER).to_json()
    return ClearanceNotice.model_validate({**usual, "goods": [{**usual["goods"][0], **item} for item in items]})


def found(ours, theirs, fields=FIELDS):
    return [
        (f.code.removeprefix("decide.clearance."), f.place.path)
        for f in mismatches(ours, theirs, fields, UNITS_OF_MASS)
    ]


SUMS = [
    # The honest split: two halves are the whole.
    ([part(), part()], []),
    ([part(quantity="600", weight="600", value="3000"), part(quantity="400", weight="400", value="2000")], []),
    # The whole twice is twice what was allowed, in every measure.
    (
        [line(), line()],
        [("sum", "goods[0].quantity.value"), ("sum", "goods[0].weight.value"), ("sum", "goods[0].value.value")],
    ),
    # A hundredth too much, though each line is within what the notice allows.
    ([part(), part(quantity="500.01")], [("sum", "goods[0].quantity.value")]),
    # Less is allowed of a quantity, but not of a weight or value beyond their tolerances.
    ([part(), part(quantity="1")], []),
    ([part(), part(weight="449.99")], [("sum", "goods[0].weight.value")]),
    ([part(), part(weight="450")], []),
    ([part(), part(weight="550")], []),
    ([part(), part(weight="550.01")], [("sum", "goods[0].weight.value")]),
    ([part(), part(value="3000")], []),
    ([part(), part(value="3000.01")], [("sum", "goods[0].value.value")]),
    # What is no measure is compared line by line.
    ([part(), part(hs_code="2008199100")], [("mismatch", "goods[1].hs_code")]),
    ([part(origin_country="VN"), part()], [("mismatch", "goods[0].origin_country")]),
    # Another currency cannot be added, and is told once.
    ([part(), part() | {"value": {"value": "2500", "currency": "EUR"}}], [("mismatch", "goods[1].value.currency")]),
    # Masses can be added; but the rule set wants the quantity in the notice's own unit.
    ([part(), part() | {"weight": {"value": "0.5", "unit": "TNE"}}], []),
    (
        [part(), part() | {"weight": {"value": "0.6", "unit": "TNE"}}],
        [("sum", "goods[0].weight.value")],
    ),
    ([part(), part() | {"quantity": {"value": "0.5", "unit": "TNE"}}], [("mismatch", "goods[1].quantity.unit")]),
    # Pieces are no kilograms, in whichever line they stand.
    ([part(), part() | {"weight": {"value": "500", "unit": "H87"}}], [("unit", "goods[1].weight.unit")]),
    # A line without a quantity adds nobody knows how much.
    (
        [part(), part() | {"quantity": None}],
        [("mismatch", "goods[1].quantity.value"), ("mismatch", "goods[1].quantity.unit")],
    ),
    # A line may leave out its weight or value; the others may then be too little, but never too much.
    ([part(), part() | {"weight": None, "value": None}], []),
    ([part(weight="1051"), part() | {"weight": None}], [("sum", "goods[0].weight.value")]),
    ([part(), part() | {"value": {"value": "2500"}}], []),
    # Lines that name the notice's item, and one that has its number.
    ([part(sequence_number=1), part(sequence_number=2)], []),
    ([part() | {"notice_sequence_number": None}, part(sequence_number=2)], []),
]


@pytest.mark.parametrize(("lines", "expected"), SUMS)
def test_lines_for_one_item_count_together(lines, expected):
    """However an item is split, customs may clear what the notice allows of it, and not more."""
    assert found(notice(NUMBER), entered(*lines)) == expected


def test_a_sum_names_its_lines():
    """The reason says which items are meant, their sum, and what the notice allows."""
    lines = [part(sequence_number=1), line(sequence_number=2)]
    reason = next(mismatches(notice(NUMBER), entered(*lines), FIELDS, UNITS_OF_MASS))
    assert dict(reason.args) == {"field": "quantity", "items": "1, 2", "ours": "1000", "theirs": "1500"}
    tonnes = part(sequence_number=2) | {"weight": {"value": "1", "unit": "TNE"}}
    reason = next(mismatches(notice(NUMBER), entered(part(sequence_number=1), tonnes), FIELDS, UNITS_OF_MASS))
    assert dict(reason.args) == {"field": "weight", "items": "1, 2", "ours": "1000 KGM", "theirs": "500 KGM + 1 TNE"}


def test_each_item_of_the_notice_has_a_sum_of_its_own():
    """Two items of one tariff line: what is too much of one is not made up for by too little of the other."""
    ours = allowed({"sequence_number": 1}, {"sequence_number": 2})
    even = entered(line(notice_sequence_number=1), line(notice_sequence_number=2))
    assert found(ours, even) == []
    uneven = entered(line(notice_sequence_number=1), part(notice_sequence_number=1), part(notice_sequence_number=2))
    assert ("sum", "goods[0].quantity.value") in found(ours, uneven)


def test_items_of_the_notice_that_share_a_number_are_not_guessed_at():
    """The first is meant by the number, so the other is missing; the number it has is told."""
    ours = allowed({"sequence_number": 7}, {"sequence_number": 7})
    reasons = list(mismatches(ours, entered(line(notice_sequence_number=7)), FIELDS, UNITS_OF_MASS))
    assert [(f.code, f.value) for f in reasons] == [("decide.clearance.goods_missing", "7")]


WEIGHTS = [
    # As many tonnes as there should be kilograms: a thousand times too much.
    (("1000", "KGM"), ("1000", "TNE"), ["mismatch"]),
    (("1000", "KGM"), ("1", "TNE"), []),
    (("1", "TNE"), ("1000", "KGM"), []),
    (("1000", "KGM"), ("1000000", "GRM"), []),
    (("1000", "KGM"), ("1000000000", "MGM"), []),
    (("1000", "KGM"), ("10", "DTN"), []),
    # Five percent either way, to the last digit.
    (("1000", "KGM"), ("1.05", "TNE"), []),
    (("1000", "KGM"), ("1.05000001", "TNE"), ["mismatch"]),
    (("1000", "KGM"), ("0.94999999", "TNE"), ["mismatch"]),
    # Pounds, ounces and the two other tons.
    (("453.59237", "KGM"), ("1000", "LBR"), []),
    (("1000", "LBR"), ("16000", "ONZ"), []),
    (("2240", "LBR"), ("1", "LTN"), []),
    (("2000", "LBR"), ("1", "STN"), []),
    (("1000", "KGM"), ("1000", "LBR"), ["mismatch"]),
    (("1", "LTN"), ("1", "STN"), ["mismatch"]),
    # No mass at all, or none that anybody can convert.
    (("1000", "KGM"), ("1000", "LTR"), ["unit"]),
    (("1000", "LTR"), ("1000", "KGM"), ["unit"]),
    (("1000", "KGM"), ("1000", "A9Z"), ["unit"]),
    # Another unit on both sides alike is compared as it stands.
    (("1000", "LTR"), ("1050", "LTR"), []),
    (("1000", "A9Z"), ("1051", "A9Z"), ["mismatch"]),
    # Who leaves the unit out means the other's.
    (("1000", "KGM"), ("1000", None), []),
    (("1000", None), ("1000", "TNE"), []),
    (("1000", None), ("1051", None), ["mismatch"]),
    # Zero is zero in any unit, and nothing is within five percent of it.
    (("0", "KGM"), ("0", "TNE"), []),
    (("0", "KGM"), ("0.00000001", "TNE"), ["mismatch"]),
]


@pytest.mark.parametrize(("ours", "theirs", "expected"), WEIGHTS)
def test_weight_is_compared_with_its_unit(ours, theirs, expected):
    """Masses are converted before they are compared; what is no mass must have the same unit."""
    (mine, own), (their, other) = ours, theirs
    kept = allowed({"weight": {"value": mine, "unit": own}})
    got = entered(line(weight={"value": their, "unit": other}))
    assert [code for code, _ in found(kept, got)] == expected


def test_a_weight_in_another_unit_is_shown_with_both():
    """1000 and 1000 would look alike."""
    (reason,) = mismatches(
        notice(NUMBER), entered(line(weight={"value": "1000", "unit": "TNE"})), FIELDS, UNITS_OF_MASS
    )
    assert dict(reason.args) == {"field": "weight", "ours": "1000 KGM", "theirs": "1000 TNE"}
    assert reason.place.path == "goods[0].weight.value"


QUANTITY = MatchField(
    name="quantity", ours="goods[].quantity.value", theirs="goods[].quantity.value", compare="at_most"
)
VALUE = MatchField(
    name="value", ours="goods[].value.value", theirs="goods[].value.value", compare="at_most", required=False
)
CURRENCY = MatchField(name="currency", ours="goods[].value.currency", theirs="goods[].value.currency", required=False)
WITHOUT_UNIT_RULES = [
    # A rule set that leaves the unit to the quantity's own rule lets a mass be given in any.
    ((QUANTITY,), {"quantity": {"value": "1", "unit": "TNE"}}, []),
    ((QUANTITY,), {"quantity": {"value": "1.001", "unit": "TNE"}}, ["mismatch"]),
    ((QUANTITY,), {"quantity": {"value": "1", "unit": "H87"}}, ["unit"]),
    # Money is never converted.
    ((VALUE,), {"value": {"value": "1", "currency": "EUR"}}, ["unit"]),
    ((VALUE, CURRENCY), {"value": {"value": "1", "currency": "EUR"}}, ["mismatch"]),
]


@pytest.mark.parametrize(("fields", "changes", "expected"), WITHOUT_UNIT_RULES)
def test_a_unit_needs_no_rule_of_its_own(fields, changes, expected):
    """Where the rule set compares no unit, what cannot be compared is told all the same, and once."""
    assert [code for code, _ in found(notice(NUMBER), entered(line(**changes)), fields)] == expected


def test_two_currencies_are_not_added_for_want_of_the_notices():
    """The notice names no currency, customs' lines name two: their sum would mean nothing."""
    ours = allowed({"value": {"value": "5000"}})
    euros = part() | {"value": {"value": "2500", "currency": "EUR"}}
    assert found(ours, entered(part(), euros)) == [("unit", "goods[1].value.currency")]
    assert found(ours, entered(part(), part())) == []


parts = st.lists(st.decimals(min_value="0.00000001", max_value=10**15, places=8), min_size=1, max_size=6)


@given(parts, st.sampled_from(["KGM", "TNE", "LBR", "MGM"]), st.booleans())
def test_no_split_clears_more_than_the_whole(values, unit, more):
    """Any split of exactly what is allowed passes; with the smallest step more, in any unit, it does not."""
    total = sum(values)
    kept = allowed({"quantity": {"value": format(total, "f"), "unit": unit}})
    values = [values[0] + Decimal("0.00000001") * more, *values[1:]]
    lines = [line(quantity={"value": format(value, "f"), "unit": unit}) for value in values]
    assert found(kept, entered(*lines), (QUANTITY,)) == (
        [("sum" if len(lines) > 1 else "mismatch", "goods[0].quantity.value")] if more else []
    )


MASSES = [
    # SI prefixes.
    ("TNE", "KGM", Fraction(1000)),
    ("2U", "TNE", Fraction(1)),
    ("DTN", "KGM", Fraction(100)),
    ("KGM", "GRM", Fraction(1000)),
    ("GRM", "MGM", Fraction(1000)),
    ("MGM", "MC", Fraction(1000)),
    # One pound is 16 ounces, 256 drams, 7000 grains; 14 make a stone, 2240 a long ton, 2000 a short one.
    ("LBR", "ONZ", Fraction(16)),
    ("LBR", "DRI", Fraction(256)),
    ("LBR", "GRN", Fraction(7000)),
    ("STI", "LBR", Fraction(14)),
    ("QTR", "LBR", Fraction(28)),
    ("CWA", "LBR", Fraction(100)),
    ("CNT", "LBR", Fraction(100)),
    ("CWI", "LBR", Fraction(112)),
    ("STN", "LBR", Fraction(2000)),
    ("LTN", "LBR", Fraction(2240)),
    # Troy: 480 grains an ounce, 12 ounces a pound, 8 drams and 24 scruples and 20 pennyweights an ounce.
    ("APZ", "GRN", Fraction(480)),
    ("LBT", "APZ", Fraction(12)),
    ("APZ", "DRA", Fraction(8)),
    ("APZ", "SCR", Fraction(24)),
    ("APZ", "DWT", Fraction(20)),
    ("GRM", "CTM", Fraction(5)),
]


@pytest.mark.parametrize(("unit", "other", "how_many"), MASSES)
def test_masses_are_exact(unit, other, how_many):
    """The table's kilograms stand to each other as the units are defined, without rounding."""
    masses = codes.find(shipped(), "mass_unit")
    assert Fraction(masses.from_canonical(unit, "kg")) == how_many * Fraction(masses.from_canonical(other, "kg"))
