"""Sampling: which of many are looked at, drawn so that nobody can foresee it and everybody can repeat it afterwards.

    fraction   HMAC-SHA256(the window's key, plan, stratum and number of the case), as a number from 0 to 1
    chosen     where the fraction is below the plan's share, unless
      quota      one more would be above the share that may be chosen at most, or
      minimum    one less would leave, now or by the time that so many are drawn, too few chosen

The window's key comes from a secret of the gateway's. The audit tells its SHA-256 when the window before begins, and the
key itself when the window is over. What was drawn stands with its fraction, its plan and the tally before it, so that
`redraw` finds for each draw whether it is what the key gives.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor

from gateway.check.sampling_rules import SamplingPlan, window_of
from gateway.decide import china
from gateway.decide.facts import DrawOf, Facts, TallyOf
from gateway.errors import SamplingUnkeyed
from gateway.model import Draw, Tally

CHANCE, QUOTA, MINIMUM = "chance", "quota", "minimum"
"""Why one was chosen, or was not."""


@dataclass(frozen=True, slots=True)
class SampleKind:
    """A plan by which a flow draws, and the fields that its strata may be made of."""

    name: str
    fields: frozenset[str] = frozenset()


def window_key(secret: bytes, window: str) -> bytes:
    """The key under which is drawn in a window: who knows it learns nothing of any other window's."""
    return hmac.digest(secret, f"sampling\n{window}".encode(), "sha256")


def key_digest(key: bytes) -> str:
    """What the audit tells of a key before it is used."""
    return hashlib.sha256(key).hexdigest()


def find_fraction(key: bytes, plan: str, stratum: str, item: str) -> str:
    """The fraction of a draw, as 64 hex digits."""
    return hmac.new(key, f"{plan}\n{stratum}\n{item}".encode(), "sha256").hexdigest()


@dataclass(frozen=True, slots=True)
class Bounds:
    """What of a plan decides a draw."""

    share: Decimal
    at_least: Decimal
    at_most: Decimal
    least: int

    @classmethod
    def of(cls, plan: SamplingPlan) -> Bounds:
        """Those of a plan."""
        return cls(plan.share, plan.at_least, plan.at_most, plan.least)

    @classmethod
    def read(cls, terms: Mapping[str, str]) -> Bounds:
        """Those that stand with a draw; KeyError or ArithmeticError where they do not."""
        return cls(Decimal(terms["share"]), Decimal(terms["at_least"]), Decimal(terms["at_most"]), int(terms["least"]))

    def told(self) -> dict[str, str]:
        """As they stand with a draw."""
        return {
            "share": str(self.share),
            "at_least": str(self.at_least),
            "at_most": str(self.at_most),
            "least": str(self.least),
        }

    def fewest(self, drawn: int) -> int:
        """How many of so many drawn must be chosen: enough for each later number to be within reach."""
        if drawn >= self.least:
            return ceil(Fraction(self.at_least) * drawn)
        return max(ceil(Fraction(self.at_least) * self.least) - (self.least - drawn), 0)

    def most(self, drawn: int) -> int:
        """How many of so many drawn may be chosen."""
        return floor(Fraction(self.at_most) * drawn)

    def choose(self, fraction: str, drawn: int, chosen: int) -> tuple[bool, str]:
        """Whether the next one is chosen after so many were drawn and chosen, and why."""
        by_chance = Fraction(int(fraction, 16), 16 ** len(fraction)) < Fraction(self.share)
        if chosen < self.fewest(drawn + 1):
            return True, CHANCE if by_chance else MINIMUM
        if by_chance and chosen + 1 > self.most(drawn + 1):
            return False, QUOTA
        return by_chance, CHANCE


@dataclass(slots=True)
class Lots:
    """Tallies as they are at a desk, in which is drawn one after the other."""

    facts: Facts
    plans: Mapping[str, SamplingPlan]
    kinds: Mapping[str, SampleKind]
    secret: bytes
    by: str
    """Id of the occasion that draws."""
    at: datetime
    test: bool = False
    tallies: dict[tuple[str, str, str], Tally] = field(default_factory=dict)
    """Those in which was drawn, as they are then."""
    draws: dict[tuple[str, str], Draw] = field(default_factory=dict)
    """What was drawn, by plan and item."""

    def draw(self, plan: str, item: str, **values: str) -> Draw:
        """Whether `item`, the number of a case, is chosen by `plan`: what was drawn of it before, or is drawn now.

        Nothing counts until the effect `Count` says so. LookupError for a plan that nobody declares, or without one of
        the values of its stratum; Unknown where the facts do not say yet; SamplingUnkeyed where there is no secret.
        """
        if plan not in self.kinds:
            raise LookupError(f"no flow declares that it draws by {plan}")
        rule = self.plans[plan]
        if earlier := self.draws.get((plan, item)) or self.facts[DrawOf(plan, item, self.test)]:
            return earlier
        if not self.secret:
            raise SamplingUnkeyed(plan=plan)
        window = window_of(china.day(self.at), rule.window_days)
        stratum = "/".join(values[name] for name in rule.stratum)
        tally = self.tally(plan, stratum, window.name)
        bounds = Bounds.of(rule)
        fraction = find_fraction(window_key(self.secret, window.name), plan, stratum, item)
        chosen, why = bounds.choose(fraction, tally.drawn, tally.chosen)
        return Draw(
            plan,
            stratum,
            window.name,
            item,
            tally.drawn + 1,
            fraction,
            chosen,
            why,
            tally.chosen,
            bounds.told(),
            by=self.by,
            at=self.at,
            test=self.test,
        )

    def tally(self, plan: str, stratum: str, window: str) -> Tally:
        """The tally as it is by now; an empty one where nothing was drawn yet."""
        found = self.tallies.get((plan, stratum, window))
        return found or self.facts[TallyOf(plan, stratum, window, self.test)] or Tally(plan, stratum, window, 0)

    def count(self, draw: Draw, case_id: str) -> None:
        """Let a draw count; one that counted before does not count again.

        ValueError for one that was made of another tally than it is: it would have come out otherwise.
        """
        known = self.draws.get((draw.plan, draw.item)) or self.facts[DrawOf(draw.plan, draw.item, self.test)]
        if known is not None:
            return
        tally = self.tally(draw.plan, draw.stratum, draw.window)
        if (draw.number, draw.chosen_before) != (tally.drawn + 1, tally.chosen):
            raise ValueError(f"draw {draw.item} of {draw.plan} was made of another tally")
        before = self.facts[TallyOf(draw.plan, draw.stratum, draw.window, self.test)]
        self.tallies[draw.plan, draw.stratum, draw.window] = Tally(
            draw.plan,
            draw.stratum,
            draw.window,
            before.version + 1 if before is not None else 1,
            tally.drawn + 1,
            tally.chosen + draw.chosen,
            self.test,
        )
        self.draws[draw.plan, draw.item] = replace(draw, case_id=case_id)


def redraw(key: bytes, draws: Sequence[Draw]) -> list[tuple[Draw, str]]:
    """Repeat the draws of one plan, stratum and window, in the order of their numbers; those that are not as the key gives.

    Each comes with what is wrong: `number` for a gap, `tally`, `fraction` or `chosen`; nothing at all where all is right.
    """
    wrong: list[tuple[Draw, str]] = []
    chosen = 0
    for place, draw in enumerate(sorted(draws, key=lambda one: one.number), 1):
        bounds = Bounds.read(draw.terms)
        if draw.number != place:
            wrong.append((draw, "number"))
        elif draw.chosen_before != chosen:
            wrong.append((draw, "tally"))
        elif draw.fraction != find_fraction(key, draw.plan, draw.stratum, draw.item):
            wrong.append((draw, "fraction"))
        elif bounds.choose(draw.fraction, place - 1, chosen) != (draw.chosen, draw.reason):
            wrong.append((draw, "chosen"))
        chosen += draw.chosen
    return wrong
