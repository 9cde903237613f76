"""Pairs of functions for messages whose shape no table of places can say: what nests here stands side by side there.

A table names one with `reshape = "..."`; its rows then map the pair's own model, the document as the
wire arranges it. `read` turns values so arranged into the document's, `write` the other way round.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.documents.base import ContainerNumber, Day, Part, item
from gateway.documents.manifest import BillOfLading, Manifest, ManifestContainer, ManifestGoods
from gateway.documents.movement import MovementReport, Thing

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to say about the values at `path`: a finding, once its place is known."""

    code: str
    path: str
    value: str = ""
    words: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Reshaped:
    """Rearranged values. `moved` says where parts of the document stand on the wire: document path -> wire path."""

    values: Values
    notices: list[Notice] = field(default_factory=list)
    moved: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reshape:
    """One pair, and the model of what the wire holds."""

    model: type[Part]
    read: Callable[[Values], Reshaped]
    write: Callable[[Values], Reshaped]
    elsewhere: frozenset[str]
    """Fields of the document that the wire holds elsewhere, under names of the model's own."""


class _Goods(ManifestGoods):
    containers: tuple[ContainerNumber, ...] = item("集装箱号", "Containers that the goods are in.", many=True)


class _Bill(BillOfLading):
    goods: tuple[_Goods, ...] = item("货物", "All goods of the bill.", many=True)


class _EquipmentManifest(Manifest):
    """A manifest as CUSCAR arranges it: equipment first, then bills whose goods name the equipment they are in."""

    bills: tuple[_Bill, ...] = item("提单", "Bills of lading.", many=True)
    equipment: tuple[ManifestContainer, ...] = item("集装箱", "Every container, once.", many=True)
    arrival_date: Day | None = item("到港日期", "Date of arrival at the only port of discharge.")


def _read_equipment(values: Values) -> Reshaped:
    """Put each container where its goods are: into the bills that name it."""
    outcome = Reshaped(values)
    equipment = {unit.get("number"): (at, unit) for at, unit in enumerate(values.pop("equipment", ()))}
    used: set[Any] = set()
    for at, bill in enumerate(values.get("bills", ())):
        _read_bill(bill, f"bills[{at}]", equipment, outcome)
        used.update(unit.get("number") for unit in bill.get("containers", ()))
    for number, (at, _) in equipment.items():
        if number not in used:
            outcome.notices.append(Notice("translate.unmapped", f"equipment[{at}]", str(number or "")))
    arrival = values.pop("arrival_date", None)
    calls = values.get("calls", ())
    if arrival is not None and len(calls) == 1:
        calls[0].setdefault("date", arrival)
        outcome.moved["calls[0].date"] = "arrival_date"
    elif arrival is not None:
        outcome.notices.append(Notice("translate.unmapped", "arrival_date", str(arrival)))
    return outcome


def _read_bill(bill: Values, path: str, equipment: Mapping[Any, tuple[int, Values]], outcome: Reshaped) -> None:
    containers: list[Values] = []
    loose: list[Values] = []
    index: dict[str, int] = {}
    for at, goods in enumerate(bill.pop("goods", ())):
        numbers = goods.pop("containers", ())
        for number in numbers:
            if number in index:
                continue
            index[number] = len(containers)
            known_at, unit = equipment.get(number, (None, {"number": number}))
            containers.append(dict(unit))
            if known_at is not None:
                outcome.moved[f"{path}.containers[{index[number]}]"] = f"equipment[{known_at}]"
        if not numbers:
            outcome.moved[f"{path}.goods[{len(loose)}]"] = f"{path}.goods[{at}]"
            loose.append(goods)
        elif goods:
            inside = containers[index[numbers[0]]].setdefault("goods", [])
            outcome.moved[f"{path}.containers[{index[numbers[0]]}].goods[{len(inside)}]"] = f"{path}.goods[{at}]"
            inside.append(goods)
            if len(numbers) > 1:
                outcome.notices.append(Notice("translate.spread", f"{path}.goods[{at}]", ", ".join(numbers)))
    if containers:
        bill["containers"] = containers
    if loose:
        bill["goods"] = loose


def _write_equipment(values: Values) -> Reshaped:
    """List each container once, and let the goods name the one they are in."""
    outcome = Reshaped(dict(values))
    equipment: dict[str, Values] = {}
    bills = []
    for at, bill in enumerate(values.get("bills", ())):
        bills.append(_write_bill(bill, f"bills[{at}]", equipment, outcome))
    outcome.values["bills"] = bills
    outcome.values["equipment"] = list(equipment.values())
    calls = values.get("calls", ())
    if len(calls) == 1 and "date" in calls[0]:
        outcome.values["arrival_date"] = calls[0]["date"]
        outcome.values["calls"] = [{name: value for name, value in calls[0].items() if name != "date"}]
    return outcome


def _write_bill(bill: Values, path: str, equipment: dict[str, Values], outcome: Reshaped) -> Values:
    goods: list[Values] = []
    for at, container in enumerate(bill.get("containers", ())):
        number = container.get("number")
        inside = container.get("goods") or ()
        if number is None:
            # Without a number nothing can name it; its goods go on without it.
            outcome.notices.append(Notice("translate.unplaced", f"{path}.containers[{at}]"))
            for index, one in enumerate(inside):
                outcome.moved[f"{path}.containers[{at}].goods[{index}]"] = f"{path}.goods[{len(goods)}]"
                goods.append(one)
            continue
        unit = {name: value for name, value in container.items() if name != "goods"}
        if number not in equipment:
            outcome.moved[f"{path}.containers[{at}]"] = f"equipment[{len(equipment)}]"
        if equipment.setdefault(number, unit) != unit:
            words = {"first": "an earlier bill"}
            outcome.notices.append(Notice("translate.conflict", f"{path}.containers[{at}]", number, words))
        # Goods that say nothing but their container keep an empty container in its bill.
        contents: Sequence[Values] = inside or ({},)
        for index, one in enumerate(contents):
            outcome.moved[f"{path}.containers[{at}].goods[{index}]"] = f"{path}.goods[{len(goods)}]"
            goods.append({**one, "containers": [number]})
    for index, one in enumerate(bill.get("goods", ())):
        outcome.moved[f"{path}.goods[{index}]"] = f"{path}.goods[{len(goods)}]"
        goods.append(one)
    return {**{name: value for name, value in bill.items() if name != "containers"}, "goods": goods}


class _Thing(Thing):
    again: ContainerNumber | None = item("集装箱号", "The container's number once more, as W2 has it.")


class _TwiceNamed(MovementReport):
    """A report as X12 322 arranges it: N7 names a container, and W2 names it again where it says what it is."""

    things: tuple[_Thing, ...] = item("通过对象", "What passed.", many=True)


def _read_twice(values: Values) -> Reshaped:
    """Keep the first of the two numbers, and tell where they differ."""
    outcome = Reshaped(values)
    for at, thing in enumerate(values.get("things", ())):
        again, number = thing.pop("again", None), thing.get("number")
        if again is not None and again != number:
            words = {"first": str(number or "–")}
            outcome.notices.append(Notice("translate.conflict", f"things[{at}].again", str(again), words))
    return outcome


def _write_twice(values: Values) -> Reshaped:
    """Name a container again where there is something to say of it that stands beside its second number."""
    things = [
        {**thing, "again": thing["number"]} if "load_status" in thing and "number" in thing else thing
        for thing in values.get("things", ())
    ]
    return Reshaped({**values, "things": things})


RESHAPES: Mapping[str, Reshape] = {
    "twice": Reshape(_TwiceNamed, _read_twice, _write_twice, frozenset()),
    "equipment": Reshape(_EquipmentManifest, _read_equipment, _write_equipment, frozenset({"bills[].containers[]"})),
}
"""Every pair, by the name that tables use."""
