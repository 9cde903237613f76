"""How a measure in one unit compares with one in another: masses are converted, pieces are pieces, and nothing else."""

from __future__ import annotations

from fractions import Fraction

from gateway.check.codes import CodeList

PIECES = frozenset({"C62", "H87"})
"""One and piece of UN/ECE Recommendation 20: each is a count of one, and offices use either for the same goods."""


def find_factor(unit: str | None, wanted: str | None, masses: CodeList) -> Fraction | None:
    """How many of `wanted` are one `unit`; None where they do not measure the same.

    A unit that one side leaves out is taken to be the other's. `masses` is the code list of the units of mass, which says
    in its column `kg` what each weighs.
    """
    if unit is None or wanted is None or unit == wanted or {unit, wanted} <= PIECES:
        return Fraction(1)
    one, other = masses.from_canonical(unit, "kg"), masses.from_canonical(wanted, "kg")
    return None if one is None or other is None else Fraction(one) / Fraction(other)
