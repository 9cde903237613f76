"""Units are compared where they measure the same, and nowhere else."""

from __future__ import annotations

from fractions import Fraction

import pytest

from gateway.catalogue_folders import shipped
from gateway.check import codes
from gateway.decide.measures import find_factor

MASSES = codes.find(shipped(), "mass_unit")


@pytest.mark.parametrize(
    ("unit", "wanted", "factor"),
    [
        ("KGM", "KGM", Fraction(1)),
        ("TNE", "KGM", Fraction(1000)),
        ("KGM", "TNE", Fraction(1, 1000)),
        ("LBR", "KGM", Fraction("0.45359237")),
        (None, "KGM", Fraction(1)),
        ("MTR", None, Fraction(1)),
        ("C62", "H87", Fraction(1)),
        ("H87", "C62", Fraction(1)),
        ("MTR", "MTR", Fraction(1)),
        ("MTR", "KGM", None),
        ("C62", "KGM", None),
        ("H87", "MTR", None),
        ("XBX", "C62", None),
    ],
)
def test_what_measures_the_same_is_compared(unit: str | None, wanted: str | None, factor: Fraction | None) -> None:
    """Masses are converted, exactly; one and piece are the same; a unit left out is the other's; all else is strange."""
    assert MASSES is not None
    assert find_factor(unit, wanted, MASSES) == factor
