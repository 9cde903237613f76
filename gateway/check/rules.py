"""Checks a canonical document against the rules in force: what its schema cannot say.

Findings stand at the document's own paths (`goods[0].ciq_code`); whoever read the message knows from
which of the sender's segments each came.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from operator import attrgetter
from typing import Any

from pydantic import BaseModel
from stdnum import iso6346

from gateway.check.rulebook import Condition, DeclarationMandatory, MandatoryItem, Rules
from gateway.documents import ClearanceNotice, CustomsEntry, Declaration, Manifest, Transfer
from gateway.documents.base import Document
from gateway.documents.parts import Function
from gateway.documents.release import ReleaseNotice
from gateway.findings import make_finding
from gateway.model import Finding, Place

MOST_ITEMS = 3_000
"""Items of one list of a document: a decision holds them all, with what comes of each, some 30 KB for a bill of lading.
A ship's manifest has some thousand bills, a declaration some dozen goods; what has more is sent in parts. Decided bill by
bill, a manifest would need no such bound."""
MOST_LINES = 100_000
"""Items of a list that is decided piece by piece: what a bureau registers in a night (239,173 firms were three files)."""
TOO_MANY_ITEMS = "rules.too_many_items"

_ITEM = re.compile(r"(\w+)\[([0-9]+)\]")
_ISO_6346 = re.compile(r"[A-Z]{4}[0-9]{7}")


def check(document: Document, rules: Rules) -> Iterator[Finding]:
    """Everything the rules have against `document`, found as it is asked for, and what it says against itself.

    Of a document with more items than one decision may hold, only that.
    """
    too_many = []
    if document.extent > MOST_ITEMS:
        too_many = [name for name, value in document if isinstance(value, tuple) and len(value) > _most(document, name)]
    for name in too_many:
        args = {"item": name, "count": str(len(getattr(document, name))), "max": str(_most(document, name))}
        yield make_finding(TOO_MANY_ITEMS, place=Place(path=name), **args)
    if too_many:
        return
    match document:
        case Declaration():
            yield from _declaration(document, rules.of(DeclarationMandatory))
        case Transfer():
            yield from _transfer(document)
        case ClearanceNotice():
            yield from _clearance(document)
        case CustomsEntry():
            yield from _customs_entry(document)
        case Manifest():
            yield from _containers(document, "bills[].containers[].number")
            yield from _bill_count(document)
        case ReleaseNotice():
            yield from _release(document)
        case _:
            pass
    yield from document.find_contradictions()
    yield from _judge_numbers(document.find_containers())


def _most(document: Document, name: str) -> int:
    """How many items a list of the document may have."""
    return MOST_LINES if name == document.each else MOST_ITEMS


def walk(document: BaseModel, path: str) -> Iterator[tuple[str, Any]]:
    """Every place that `path` stands for, with its value: `goods[].hs_code` gives one per item of goods.

    A value that is absent is given as None, at the place where the way to it ends.
    """
    places: list[tuple[str, Any]] = [("", document)]
    for step in path.split("."):
        name, listed = step.removesuffix("[]"), step.endswith("[]")
        following: list[tuple[str, Any]] = []
        for place, value in places:
            if value is None:
                following.append((place, None))
                continue
            here = f"{place}.{name}" if place else name
            inner = getattr(value, name)
            if listed:
                following += [(f"{here}[{index}]", item) for index, item in enumerate(inner)]
            else:
                following.append((here, inner))
        places = following
    yield from places


@dataclass(frozen=True, slots=True)
class _Beside:
    """Fields that stand beside one another, so that whatever holds them is looked for once."""

    way: tuple[tuple[str, bool], ...]
    """The names that lead to what holds them, each with whether it is a list."""
    paths: tuple[str, ...]
    get: Callable[[Any], tuple[Any, ...]]
    """The values of all fields in one that holds them."""


@lru_cache(maxsize=64)
def _beside(paths: tuple[str, ...]) -> tuple[_Beside, ...]:
    """Fields at `paths`, by what holds them; what ends in a list has no place where it could be absent."""
    found: dict[tuple[tuple[str, bool], ...], dict[str, str]] = {}
    for path in paths:
        *way, last = ((step.removesuffix("[]"), step.endswith("[]")) for step in path.split("."))
        if not last[1]:
            found.setdefault(tuple(way), {})[last[0]] = path
    return tuple(_Beside(way, tuple(names.values()), _getter(tuple(names))) for way, names in found.items())


def _getter(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    get = attrgetter(*names)
    return get if len(names) > 1 else lambda value: (get(value),)


def _find_absent(document: BaseModel, paths: tuple[str, ...]) -> set[str]:
    """Those of `paths` for which `walk` gives a place without a value, or with an empty list."""
    absent: set[str] = set()
    for beside in _beside(paths):
        values: list[Any] = [document]
        for name, listed in beside.way:
            values = [getattr(value, name) for value in values]
            if listed:
                values = [item for items in values for item in items]
            if None in values:
                absent.update(beside.paths)
                values = [value for value in values if value is not None]
        for value in values:
            found = beside.get(value)
            if None in found or () in found:
                absent.update(path for path, one in zip(beside.paths, found, strict=True) if one is None or one == ())
    return absent


def holds(document: BaseModel, condition: Condition) -> bool:
    """Whether `condition` holds anywhere in `document`."""
    return any(_meets(value, condition) for _, value in walk(document, condition.field))


class _Holding:
    """Where one condition holds in one document: its field is looked at once, however many places ask."""

    def __init__(self, document: BaseModel, condition: Condition) -> None:
        met = [place for place, value in walk(document, condition.field) if _meets(value, condition)]
        self._items = {(item[1], item[2]) for place in met if (item := _ITEM.match(place))}
        self._lists = {name for name, _ in self._items}
        self._is_outside_lists = any(_ITEM.match(place) is None for place in met)

    def holds_beside(self, place: str) -> bool:
        """Whether it holds for what stands at `place`: within the same item of a list, where both are in that list."""
        if self._is_outside_lists:
            return True
        item = _ITEM.match(place)
        if item is None:
            return bool(self._lists)
        return (item[1], item[2]) in self._items or bool(self._lists - {item[1]})


def _meets(value: Any, condition: Condition) -> bool:
    there = value is not None and value != ()
    if condition.present is not None:
        return there is condition.present
    if not there:
        return False
    if condition.above is not None:
        return isinstance(value, Decimal | int) and Decimal(value) > condition.above
    text = _text(value)
    if condition.equals is not None:
        return text == condition.equals
    return text in condition.one_of if condition.one_of else text.startswith(condition.starts_with)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value.value) if isinstance(value, Enum) else str(value)


def _declaration(document: Declaration, mandatory: DeclarationMandatory) -> Iterator[Finding]:
    if document.function is not Function.CANCELLATION:
        yield from _missing(document, mandatory)
        if not document.goods and document.function is not Function.CHANGE:
            yield make_finding("rules.goods.empty", place=Place(path="goods"))
    for index, goods in enumerate(document.goods):
        at = f"goods[{index}]"
        yield from _codes_agree(at, goods.hs_code, goods.ciq_code)
        if goods.name and re.search(r"\s", goods.name):
            yield make_finding("rules.goods.blank", place=Place(path=f"{at}.name"), value=goods.name)
        if goods.packs and not any(pack.is_main for pack in goods.packs):
            yield make_finding("rules.goods.main_pack", place=Place(path=f"{at}.packs"))
    yield from _containers(
        document,
        "container_groups[].numbers[]",
        "container_groups[].containers[].number",
        "goods[].containers[].number",
    )


def _transfer(document: Transfer) -> Iterator[Finding]:
    if not document.goods and document.function is not Function.CANCELLATION:
        yield make_finding("rules.goods.empty", place=Place(path="goods"))
    for index, goods in enumerate(document.goods):
        yield from _codes_agree(f"goods[{index}]", goods.hs_code, goods.ciq_code)
    yield from _containers(document, "containers[].number")


def _clearance(document: ClearanceNotice) -> Iterator[Finding]:
    yield from _notice_of(document.number, document.declaration_number, "number")
    if not document.goods and document.function is not Function.CANCELLATION:
        yield make_finding("rules.goods.empty", place=Place(path="goods"))
    yield from _containers(document, "containers[]")


def _customs_entry(document: CustomsEntry) -> Iterator[Finding]:
    if document.declaration_number:
        yield from _notice_of(document.notice_number, document.declaration_number, "notice_number")
    yield from _containers(document, "containers[]")


def _release(document: ReleaseNotice) -> Iterator[Finding]:
    if not document.containers:
        yield make_finding("rules.containers.empty", place=Place(path="containers"))
    yield from _containers(document, "containers[].number")


def _missing(document: Declaration, mandatory: DeclarationMandatory) -> Iterator[Finding]:
    # A change (1225 = 4) holds what changes; but a list in it is the whole list, and its items are complete.
    partial = document.function is Function.CHANGE
    told: set[str] = set()
    holdings: dict[Condition, _Holding] = {}
    wanted = tuple(item.field for item in mandatory.item)
    absent_fields = _find_absent(document, wanted)  # as nearly always few; places take most of the time
    for item in mandatory.item:
        if item.field not in absent_fields or document.direction.value not in item.directions:
            continue
        for condition in item.when:
            if condition not in holdings:
                holdings[condition] = _Holding(document, condition)
        for place, value in walk(document, item.field):
            absent = value is None or value == ()
            if partial and "[" not in place:
                continue
            if absent and place not in told and all(holdings[c].holds_beside(place) for c in item.when):
                told.add(place)
                yield _missing_item(item, place)


def _missing_item(item: MandatoryItem, place: str) -> Finding:
    return make_finding("rules.mandatory", place=Place(path=place), item=item.field, item_zh=item.zh)


def _codes_agree(at: str, hs_code: str | None, ciq_code: str | None) -> Iterator[Finding]:
    # The inspection code is the tariff code's 10 digits and 3 of its own.
    if hs_code and ciq_code and (len(ciq_code) != 13 or ciq_code[:10] != hs_code):
        yield make_finding("rules.goods.codes_differ", place=Place(path=f"{at}.ciq_code"), value=ciq_code, hs=hs_code)


def _notice_of(notice: str, declaration: str, path: str) -> Iterator[Finding]:
    # 18 digits: the declaration number and 3 more.
    if notice[:15] != declaration:
        yield make_finding("rules.notice.number", place=Place(path=path), value=notice, declaration=declaration)


def _bill_count(manifest: Manifest) -> Iterator[Finding]:
    """What the sender counts (UN/EDIFACT 6069 code 10, X12 M10-08) against the bills of lading that are there."""
    stated, count = manifest.bill_count, sum(not bill.is_none for bill in manifest.bills)
    if stated is not None and stated != count:
        yield make_finding("rules.manifest.bill_count", Place(path="bill_count"), str(stated), count=count)


def _containers(document: Document, *paths: str) -> Iterator[Finding]:
    for path in paths:
        yield from _judge_numbers(walk(document, path))


def _judge_numbers(places: Iterable[tuple[str, str | None]]) -> Iterator[Finding]:
    for place, number in places:
        if number is None:
            continue
        # What is no ISO number, or has a wrong check digit, is told by a warning and refuses nothing.
        if not _ISO_6346.fullmatch(number):
            yield make_finding("rules.container.form", place=Place(path=place), value=number)
        elif iso6346.calc_check_digit(number[:-1]) != number[-1]:
            expected = iso6346.calc_check_digit(number[:-1])
            yield make_finding("rules.container.check_digit", place=Place(path=place), value=number, digit=expected)
