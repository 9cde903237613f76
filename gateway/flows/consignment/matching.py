"""Customs' data against the clearance notice (通关单联网核查): every field in which they do not agree.

Items of goods are paired by their numbers. Several items of customs' data may stand for one of the
notice; what they measure (quantity, weight, value) then counts together, everything else for each.
A measure is compared with its unit: masses are converted, other units must be the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Any

from pydantic import BaseModel

from gateway.check.codes import CodeList
from gateway.check.rulebook import MatchField
from gateway.check.rules import walk
from gateway.decide.answers import fault
from gateway.decide.measures import find_factor
from gateway.documents.clearance import ClearanceNotice
from gateway.documents.customs_entry import CustomsEntry
from gateway.documents.parts import Amount, Quantity
from gateway.documents.values import plain
from gateway.model import Finding

_GOODS = "goods[]."


@dataclass(frozen=True, slots=True)
class _Line:
    """A part of customs' data: the whole (no place, no number), or one of its items."""

    place: str
    part: BaseModel
    number: int = 0

    def at(self, path: str) -> str:
        """Where `path` stands in customs' data."""
        return f"{self.place}.{path}" if self.place else path


@dataclass(frozen=True, slots=True)
class _Measure:
    """A number in a document, and its unit or currency where it stands beside one."""

    value: Decimal
    unit: str | None = None
    unit_path: str = ""
    """Where the unit stands, from the part that holds both; empty for a bare number."""


@dataclass(frozen=True, slots=True)
class _Terms:
    """What holds for the comparison as a whole."""

    compared: frozenset[tuple[str, str]]
    """The fields that the rules compare, ours and theirs: a unit that has a rule of its own is told by that one."""
    masses: CodeList
    """The units of mass, which are converted."""


def mismatches(
    notice: ClearanceNotice, entry: CustomsEntry, fields: tuple[MatchField, ...], masses: CodeList
) -> Iterator[Finding]:
    """Every field in which customs' data is not what the notice allows, at customs' own field.

    `masses` is the code list of the units of mass, which says in its column `kg` what each weighs.
    """
    groups, unpaired = _groups(notice, entry)
    yield from unpaired
    whole = _Line("", entry)
    terms = _Terms(frozenset((rule.ours, rule.theirs) for rule in fields), masses)
    for rule in fields:
        if not rule.theirs.startswith(_GOODS):
            yield from _compare(rule, (rule.ours, rule.theirs), notice, [whole], terms)
            continue
        paths = rule.ours.removeprefix(_GOODS), rule.theirs.removeprefix(_GOODS)
        for index, lines in groups.items():
            yield from _compare(rule, paths, notice.goods[index], lines, terms)


def _groups(notice: ClearanceNotice, entry: CustomsEntry) -> tuple[Mapping[int, Sequence[_Line]], list[Finding]]:
    """Which items of the entry stand for which of the notice, and those on either side that stand for none.

    Of items of the notice that share a number the first is meant, so that the others are missing.
    """
    ours: dict[int, int] = {}
    numbers = [goods.sequence_number or index + 1 for index, goods in enumerate(notice.goods)]
    for index, number in enumerate(numbers):
        ours.setdefault(number, index)
    groups: dict[int, list[_Line]] = {}
    found: list[Finding] = []
    for index, goods in enumerate(entry.goods):
        number = goods.sequence_number or index + 1
        named = goods.notice_sequence_number or number
        if named in ours:
            groups.setdefault(ours[named], []).append(_Line(f"goods[{index}]", goods, number))
        else:
            found.append(fault("decide.clearance.goods_extra", f"goods[{index}]", named))
    found += [
        fault("decide.clearance.goods_missing", "goods", number)
        for index, number in enumerate(numbers)
        if index not in groups
    ]
    return groups, found


def _compare(
    rule: MatchField,
    paths: tuple[str, str],
    ours: BaseModel,
    lines: Sequence[_Line],
    terms: _Terms,
) -> Iterator[Finding]:
    """One rule for one part of the notice and all that stands for it in customs' data."""
    if rule.compare in ("number", "at_most"):
        yield from _compare_sums(rule, paths, ours, lines, terms)
        return
    our_path, their_path = paths
    mine = _value(ours, our_path)
    for line in lines:
        theirs = _value(line.part, their_path)
        if _absent(mine) or _absent(theirs):
            differ = rule.required and not (_absent(mine) and _absent(theirs))
        else:
            differ = not _agree(rule, mine, theirs)
        if differ:
            yield _mismatch(rule, line.at(their_path), _shown(mine), _shown(theirs))


def _compare_sums(
    rule: MatchField,
    paths: tuple[str, str],
    ours: BaseModel,
    lines: Sequence[_Line],
    terms: _Terms,
) -> Iterator[Finding]:
    """What the notice measures against the sum of customs' lines, within the rule's tolerance.

    A unit that one side leaves out is taken to be the other's. Where a line gives no number, the others
    cannot be too little, but they can be too much.
    """
    our_path, their_path = paths
    mine = _measure(ours, our_path)
    measured = [(line, _measure(line.part, their_path)) for line in lines]
    given = [(line, theirs) for line, theirs in measured if theirs is not None]
    if rule.required and (given or mine is not None):
        for line, theirs in measured:
            if mine is None or theirs is None:
                yield _mismatch(rule, line.at(their_path), _together([mine]), _together([theirs]))
    if mine is None or not given:
        return
    unit = mine.unit or next((theirs.unit for _, theirs in given if theirs.unit), None)
    scaled = [(line, theirs, find_factor(theirs.unit, unit, terms.masses)) for line, theirs in given]
    strangers = [(line, theirs) for line, theirs, factor in scaled if factor is None]
    for line, theirs in strangers:
        if mine.unit is None or not _has_rule(rule, mine.unit_path, theirs.unit_path, terms.compared):
            shown = {"field": rule.name, "ours": unit, "theirs": theirs.unit}
            yield fault("decide.clearance.unit", line.at(theirs.unit_path), theirs.unit, **shown)
    if strangers:
        return
    allowed = Fraction(mine.value)
    over = sum(Fraction(theirs.value) * factor for _, theirs, factor in scaled if factor is not None) - allowed
    if rule.compare == "number" and len(given) == len(lines):
        over = abs(over)
    if over > max(Fraction(rule.tolerance), allowed * Fraction(rule.tolerance_percent) / 100):
        yield _too_far(rule, their_path, mine, lines, [theirs for _, theirs in given])


def _too_far(
    rule: MatchField, path: str, mine: _Measure, lines: Sequence[_Line], theirs: Sequence[_Measure]
) -> Finding:
    """The reason that what customs' lines measure, alone or together, is not what the notice allows."""
    one_unit = len({measure.unit for measure in (mine, *theirs)} - {None}) < 2
    ours, sum_ = _together([mine], with_units=not one_unit), _together(theirs, with_units=not one_unit)
    place = lines[0].at(path)
    if len(lines) == 1:
        return _mismatch(rule, place, ours, sum_)
    items = ", ".join(str(line.number) for line in lines)
    return fault("decide.clearance.sum", place, sum_, field=rule.name, items=items, ours=ours, theirs=sum_)


def _has_rule(rule: MatchField, our_unit: str, their_unit: str, compared: frozenset[tuple[str, str]]) -> bool:
    """Whether the unit of what `rule` compares is compared by a rule of its own."""
    inside = _GOODS if rule.theirs.startswith(_GOODS) else ""
    return (f"{inside}{our_unit}", f"{inside}{their_unit}") in compared


def _mismatch(rule: MatchField, place: str, ours: str, theirs: str) -> Finding:
    return fault("decide.clearance.mismatch", place, theirs, field=rule.name, ours=ours, theirs=theirs)


def _value(part: BaseModel, path: str) -> Any:
    """What stands at `path`; of several, the first."""
    return next(walk(part, path), ("", None))[1]


def _measure(part: BaseModel, path: str) -> _Measure | None:
    """The number at `path` with its unit; None where there is no number."""
    value = _value(part, path)
    if value is None:
        return None
    holder = path.rpartition(".")[0]
    match _value(part, holder) if holder else None:
        case Quantity(unit=unit):
            return _Measure(Decimal(value), unit, f"{holder}.unit")
        case Amount(currency=currency):
            return _Measure(Decimal(value), currency, f"{holder}.currency")
        case _:
            return _Measure(Decimal(value))


def _absent(value: Any) -> bool:
    return value is None or value == ()


def _agree(rule: MatchField, ours: Any, theirs: Any) -> bool:
    match rule.compare:
        case "text":
            return "".join(str(ours).split()).casefold() == "".join(str(theirs).split()).casefold()
        case "set":
            return set(ours) == set(theirs)
        case _:
            return bool(ours == theirs)


def _together(measures: Sequence[_Measure | None], *, with_units: bool = False) -> str:
    """Measures as a reason shows them: their sum, or each `with_units` of its own."""
    there = [measure for measure in measures if measure is not None]
    if not there:
        return "–"
    if with_units:
        return " + ".join(f"{plain(measure.value)} {measure.unit or ''}".rstrip() for measure in there)
    return plain(sum((measure.value for measure in there), Decimal(0)))


def _shown(value: Any) -> str:
    if _absent(value):
        return "–"
    if isinstance(value, tuple):
        return ", ".join(sorted(str(v) for v in value))
    return str(value.value) if isinstance(value, Enum) else str(value)
