"""Numbers that flows give out: counted within our share of a range, and looked up before they are given."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.decide.desk import Desk
from gateway.decide.facts import CasesByKeys, NextNumber

MOST_ATTEMPTS = 100
"""Numbers in a row that are found taken, after which a range counts as used up: somebody else gives numbers of our share,
and whoever looks at the alert finds out who."""


@dataclass(frozen=True, slots=True)
class NumberKind:
    """A kind of numbers that a flow gives out; how they are made up says the rule of that name."""

    name: str
    key: str
    """The kind of business key that such a number is: by it one is found taken."""
    fields: frozenset[str]
    """What the rule's pattern may be made of, beside the sequence and a check digit."""


def next_number(desk: Desk, kind: NumberKind, slot: str, **values: str) -> str | None:
    """The next number of `kind` with these values, which no case has; None where our share of the range is used up.

    `slot` is what it is for: asked again for the same, it is the same number.
    """
    rule = desk.rules.number(kind.name)
    counter = rule.counter(values)
    for attempt in range(1, MOST_ATTEMPTS + 1):
        number = rule.write(values, desk.facts[NextNumber(counter, slot, attempt, desk.test)])
        if number is None:
            return None
        if not desk.facts[CasesByKeys(frozenset({(kind.key, number)}), desk.test)]:
            return number
    return None
