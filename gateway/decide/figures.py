"""Figures: facts that statistics count, added and never changed.

A fact says that something of a kind happened to a subject on a day. What is undone, by a cancellation or an amendment, is
taken back by the same fact with a count of -1, for the same day, and told anew where it still happened. So whoever sums
up all facts up to a number has at any time what a count from the beginning would give.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from gateway.decide import china
from gateway.decide.effects import Retract, Tell
from gateway.decide.facts import Facts, FiguresIn, Told
from gateway.model import Figure, FigureSum

Values = tuple[tuple[str, Any], ...]
"""Dimensions or measures with their values, in order."""


@dataclass(frozen=True, slots=True)
class FigureKind:
    """Something that is counted: what a flow declares of it."""

    name: str
    dims: frozenset[str] = frozenset()
    """By what it may be counted."""
    measures: frozenset[str] = frozenset()
    """What it may measure."""

    def require(self, tell: Tell) -> None:
        """LookupError for a dimension or a measure that is not declared: no report could count by it."""
        if unknown := (tell.dims.keys() - self.dims) | (tell.measures.keys() - self.measures):
            raise LookupError(f"{self.name} is not counted by {', '.join(sorted(unknown))}")


@dataclass(slots=True)
class FigureBook:
    """What was told as it is at a desk, to which facts are added one after the other."""

    facts: Facts
    by: str
    """Id of the occasion that tells."""
    at: datetime
    """When that was received."""
    kinds: Mapping[str, FigureKind]
    test: bool = False
    added: list[Figure] = field(default_factory=list)

    def standing(self, subject: str, kind: str, *, is_new: bool = False) -> Figure | None:
        """What stands of a subject by now; Unknown where the facts do not say. Of a new one nothing was told before."""
        for figure in reversed(self.added):
            if (figure.subject, figure.kind) == (subject, kind):
                return figure if figure.count > 0 else None
        told = () if is_new else self.facts[Told(subject, self.test)]
        return next((figure for figure in told if figure.kind == kind), None)

    def tell(self, effect: Tell, *, is_new: bool = False) -> None:
        """Count what happened; nothing is added where it stands so. LookupError for a kind that no flow declares."""
        if effect.kind not in self.kinds:
            raise LookupError(f"no flow declares that {effect.kind} is counted")
        self.kinds[effect.kind].require(effect)
        before = self.standing(effect.subject, effect.kind, is_new=is_new) if effect.subject else None
        day = before.day if before is not None else china.day(self.at)
        after = Figure(
            effect.kind,
            effect.subject,
            day,
            dict(effect.dims),
            dict(effect.measures),
            case_id=effect.case,
            by=self.by,
            at=self.at,
            test=self.test,
        )
        if before is not None and (before.dims, before.measures) == (after.dims, after.measures):
            return
        self._negate(before)
        self.added.append(after)

    def retract(self, effect: Retract, *, is_new: bool = False) -> None:
        """Take back what stands; nothing is added where nothing does."""
        self._negate(self.standing(effect.subject, effect.kind, is_new=is_new))

    def _negate(self, figure: Figure | None) -> None:
        if figure is not None:
            self.added.append(replace(figure, count=-1, by=self.by, at=self.at, number=0))


def standing_of(figures: Iterable[Figure]) -> Iterator[Figure]:
    """Of a subject's facts, in their order, those that stand, one a kind, ordered by kind."""
    last: dict[str, Figure] = {}
    for figure in figures:
        last[figure.kind] = figure
    return (last[kind] for kind in sorted(last) if last[kind].count > 0)


def sums_of(figures: Iterable[Figure], wanted: FiguresIn) -> tuple[FigureSum, ...]:
    """What those of `figures` that are wanted come to, which differ in nothing but their subject, by kind and day."""
    counted: defaultdict[tuple[str, date, Values, Values], int] = defaultdict(int)
    for one in figures:
        days = wanted.first <= one.day <= wanted.last
        if one.test == wanted.test and one.kind in wanted.kinds and days and wanted.after < one.number <= wanted.up_to:
            values = (tuple(sorted(one.dims.items())), tuple(sorted(one.measures.items())))
            counted[one.kind, one.day, *values] += one.count
    return tuple(
        FigureSum(kind, day, dict(dims), dict(measures), count)
        for (kind, day, dims, measures), count in sorted(counted.items())
        if count
    )
