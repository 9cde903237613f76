"""What is handed on or cleared against what it may be at most: items pair by number, measures by what they measure.

Of an item of goods the declaration may say the quantity twice, as sold and in the tariff's unit, and the weight too. What
is measured in a unit of mass is compared with any of these that is a mass; any other with what has the same unit. A
measure of another unit than all of them cannot be compared, and is told: with it, ten times as much would pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Protocol

from gateway.check.codes import CodeList
from gateway.decide.answers import fault
from gateway.decide.measures import find_factor
from gateway.documents.parts import Amount, Quantity
from gateway.documents.values import plain
from gateway.model import Finding


class Measured(Protocol):
    """An item of goods, whatever document it is in."""

    @property
    def sequence_number(self) -> int | None:
        """Its number, from 1."""

    @property
    def quantity(self) -> Quantity | None:
        """How much of it."""

    @property
    def weight(self) -> Quantity | None:
        """What it weighs."""

    @property
    def value(self) -> Amount | None:
        """What it is worth."""


def exceeding(
    goods: Sequence[Measured], most: Sequence[Measured], masses: CodeList, *, values: bool = True
) -> Iterator[Finding]:
    """Every measure of `goods` above what `most` has for the same item, and every item that is not there.

    `masses` is the code list of the units of mass (see `measures`). Without `values`, what they are worth has limits of
    its own, and is not compared here.
    """
    by_number = dict(_numbered(most))
    for index, (number, item) in enumerate(_numbered(goods)):
        at = f"goods[{index}]"
        base = by_number.get(number)
        if base is None:
            yield fault("decide.goods.item_unknown", f"{at}.sequence_number", number)
            continue
        yield from _above(f"{at}.quantity", item.quantity, _quantities(base), masses)
        yield from _above(f"{at}.weight", item.weight, _weights(base), masses)
        if values:
            yield from _dearer(f"{at}.value", item.value, base.value)


def _numbered(goods: Sequence[Measured]) -> Iterator[tuple[int, Measured]]:
    for index, item in enumerate(goods):
        yield item.sequence_number or index + 1, item


def _quantities(item: Measured) -> list[Quantity]:
    """Every measure that the item has."""
    named = (item.quantity, getattr(item, "standard_quantity", None), *_weights(item))
    return [one for one in named if one is not None]


def _weights(item: Measured) -> list[Quantity]:
    return [one for one in (item.weight, getattr(item, "standard_weight", None)) if one is not None]


def _above(at: str, given: Quantity | None, most: Sequence[Quantity], masses: CodeList) -> Iterator[Finding]:
    if given is None or not most:
        return
    comparable = [(one, factor) for one in most if (factor := find_factor(one.unit, given.unit, masses)) is not None]
    if not comparable:
        ours = ", ".join(dict.fromkeys(one.unit or "–" for one in most))
        yield fault("decide.goods.unit", f"{at}.unit", given.unit, ours=ours)
        return
    limit, factor = max(comparable, key=lambda pair: Fraction(pair[0].value) * pair[1])
    if Fraction(given.value) > Fraction(limit.value) * factor:
        yield fault("decide.goods.more", f"{at}.value", _shown(given), ours=_shown(limit))


def _dearer(at: str, given: Amount | None, most: Amount | None) -> Iterator[Finding]:
    if given is None or most is None:
        return
    if given.currency is not None and most.currency is not None and given.currency != most.currency:
        yield fault("decide.goods.currency", f"{at}.currency", given.currency, ours=most.currency)
    elif given.value > most.value:
        ours = f"{plain(most.value)} {most.currency or ''}".rstrip()
        yield fault(
            "decide.goods.more", f"{at}.value", f"{plain(given.value)} {given.currency or ''}".rstrip(), ours=ours
        )


def _shown(measure: Quantity) -> str:
    return f"{plain(Decimal(measure.value))} {measure.unit or ''}".rstrip()
