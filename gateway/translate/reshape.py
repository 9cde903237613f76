"""Pairs of functions for messages whose shape no table of places can say: what nests here stands side by side there.

A table names one with `reshape = "..."`; its rows then map the pair's own model, the document as the
wire arranges it. `read` turns values so arranged into the document's, `write` the other way round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.documents.base import ContainerNumber, Count, Day, Part, Reference, item
from gateway.documents.manifest import BillOfLading, Manifest, ManifestContainer, ManifestGoods
from gateway.documents.movement import MovementReport, Thing
from gateway.documents.parts import Quantity

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
    """Rearranged values. `moved` says where parts of them stood before: path after -> path before."""

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


class _Consignment(Part):
    """One consignment, which is of one bill of lading or of several."""

    sequence_number: Count | None = item("序号", "Line number, from 1.")
    master_number: Reference | None = item("总提单号", "Master bill of its bills.")
    quantity: Quantity | None = item("件数", "Number and kind of packages.")
    weight: Quantity | None = item("毛重", "Gross weight.")
    volume: Quantity | None = item("体积", "Volume.")
    bills: tuple[_Bill, ...] = item("提单", "Its bills of lading.", many=True)


class _EquipmentManifest(Manifest):
    """A manifest as CUSCAR arranges it: equipment first, then consignments with bills whose goods name what they are in."""

    consignments: tuple[_Consignment, ...] = item("托运货物", "Consignments.", many=True)
    equipment: tuple[ManifestContainer, ...] = item("集装箱", "Every container, once.", many=True)
    arrival_date: Day | None = item("到港日期", "Date of arrival at the only port of discharge.")


_OF_CONSIGNMENT = ("sequence_number", "master_number")
"""What all bills of a consignment have in common."""
_TOTALS = ("quantity", "weight", "volume")
"""What is a bill's own where it is the only one, and a sum where a consignment has several."""


def _read_equipment(values: Values) -> Reshaped:
    """Put each container where its goods are, into the bills that name it; those that none names, into a bill without a number."""
    outcome = Reshaped(values)
    equipment = {unit.get("number"): (at, unit) for at, unit in enumerate(values.pop("equipment", ()))}
    used: set[Any] = set()
    consignments = values.pop("consignments", ())
    bills: list[Values] = []
    for at, consignment in enumerate(consignments):
        for bill, wire in _bills_of(consignment, f"consignments[{at}]", len(bills), outcome):
            path = f"bills[{len(bills)}]"
            outcome.moved[path] = wire
            _read_bill(bill, path, wire, equipment, outcome)
            used.update(unit.get("number") for unit in bill.get("containers", ()))
            bills.append(bill)
    if values.get("bill_count") == len(consignments) != len(bills):
        values["bill_count"] = len(bills)  # UN/EDIFACT 6069 code 10 counts consignments
    loose: list[Values] = []
    for number, (at, unit) in equipment.items():
        if number not in used:
            outcome.moved[f"bills[{len(bills)}].containers[{len(loose)}]"] = f"equipment[{at}]"
            loose.append(unit)
    if loose:
        bills.append({"containers": loose})
    if bills:
        values["bills"] = bills
    arrival = values.pop("arrival_date", None)
    calls = values.get("calls", ())
    if arrival is not None and len(calls) == 1:
        calls[0].setdefault("date", arrival)
        outcome.moved["calls[0].date"] = "arrival_date"
    elif arrival is not None:
        outcome.notices.append(Notice("translate.unread", "arrival_date", str(arrival)))
    return outcome


def _bills_of(consignment: Values, wire: str, first: int, outcome: Reshaped) -> Iterator[tuple[Values, str]]:
    """The bills of a consignment with what it says of all of them, and where each stands; `first` is the first one's place."""
    bills = consignment.get("bills") or [{}]
    shared = [*_OF_CONSIGNMENT, *(_TOTALS if len(bills) == 1 else ())]
    if len(bills) > 1:
        outcome.notices.extend(_left_totals(consignment, bills, wire))
    for at, bill in enumerate(bills):
        for name in shared:
            if name in consignment:
                bill[name] = consignment[name]
                outcome.moved[f"bills[{first + at}].{name}"] = f"{wire}.{name}"
        yield bill, f"{wire}.bills[{at}]" if "bills" in consignment else wire


def _left_totals(consignment: Values, bills: Sequence[Values], wire: str) -> Iterator[Notice]:
    """The totals over several bills that no bill can take; they weigh less where each bill, or its goods, says its own."""
    for name in _TOTALS:
        if name in consignment and not _is_sum(consignment[name], [bill.get(name, {}) for bill in bills]):
            goods = [bill.get("goods", ()) for bill in bills]
            own = all(
                name in bill or (of and all(name in one for one in of)) for bill, of in zip(bills, goods, strict=True)
            )
            code = "translate.unread" if own else "translate.unread.element"
            yield Notice(code, f"{wire}.{name}.value", str(consignment[name].get("value", "")))


def _is_sum(total: Values, parts: Sequence[Values]) -> bool:
    """Whether the parts say all that the total says."""
    same = all(part.get("unit") == total.get("unit") and "value" in part for part in parts)
    return same and sum(part["value"] for part in parts) == total.get("value")


def _read_bill(
    bill: Values, path: str, wire: str, equipment: Mapping[Any, tuple[int, Values]], outcome: Reshaped
) -> None:
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
            outcome.moved[f"{path}.goods[{len(loose)}]"] = f"{wire}.goods[{at}]"
            loose.append(goods)
        elif goods:
            inside = containers[index[numbers[0]]].setdefault("goods", [])
            outcome.moved[f"{path}.containers[{index[numbers[0]]}].goods[{len(inside)}]"] = f"{wire}.goods[{at}]"
            inside.append(goods)
            if len(numbers) > 1:
                outcome.notices.append(Notice("translate.spread", f"{wire}.goods[{at}]", ", ".join(numbers)))
    if containers:
        bill["containers"] = containers
    if loose:
        bill["goods"] = loose


def _write_equipment(values: Values) -> Reshaped:
    """List each container once, and let the goods name the one they are in; each bill is a consignment."""
    outcome = Reshaped(dict(values))
    equipment: dict[str, Values] = {}
    consignments: list[Values] = []
    for at, bill in enumerate(outcome.values.pop("bills", ())):
        wire = f"consignments[{len(consignments)}]"
        written = _write_bill(bill, f"bills[{at}]", f"{wire}.bills[0]", equipment, outcome)
        if _is_bare(bill):
            continue  # its containers stand among the equipment, and no goods name them
        outcome.moved[wire] = outcome.moved[f"{wire}.bills[0]"] = f"bills[{at}]"
        of_all = {name: written.pop(name) for name in (*_OF_CONSIGNMENT, *_TOTALS) if name in written}
        consignments.append({**of_all, "bills": [written]})
    outcome.values["consignments"] = consignments
    outcome.values["equipment"] = list(equipment.values())
    calls = values.get("calls", ())
    if len(calls) == 1 and "date" in calls[0]:
        outcome.values["arrival_date"] = calls[0]["date"]
        outcome.values["calls"] = [{name: value for name, value in calls[0].items() if name != "date"}]
    return outcome


def _is_bare(bill: Values) -> bool:
    """Whether a bill says nothing but the numbers of containers without goods."""
    named = {name for name, value in bill.items() if value not in (None, (), [])}
    units = bill.get("containers", ())
    return named == {"containers"} and all(unit.get("number") and not unit.get("goods") for unit in units)


def _write_bill(bill: Values, path: str, wire: str, equipment: dict[str, Values], outcome: Reshaped) -> Values:
    goods: list[Values] = []
    for at, container in enumerate(bill.get("containers", ())):
        number = container.get("number")
        inside = container.get("goods") or ()
        if number is None:
            # Without a number nothing can name it; its goods go on without it.
            outcome.notices.append(Notice("translate.unplaced", f"{path}.containers[{at}]"))
            for index, one in enumerate(inside):
                outcome.moved[f"{wire}.goods[{len(goods)}]"] = f"{path}.containers[{at}].goods[{index}]"
                goods.append(one)
            continue
        unit = {name: value for name, value in container.items() if name != "goods"}
        if number not in equipment:
            outcome.moved[f"equipment[{len(equipment)}]"] = f"{path}.containers[{at}]"
        if equipment.setdefault(number, unit) != unit:
            words = {"first": "an earlier bill"}
            outcome.notices.append(Notice("translate.conflict", f"{path}.containers[{at}]", number, words))
        # Goods that say nothing but their container keep an empty container in its bill.
        contents: Sequence[Values] = inside or ({},)
        for index, one in enumerate(contents):
            outcome.moved[f"{wire}.goods[{len(goods)}]"] = f"{path}.containers[{at}].goods[{index}]"
            goods.append({**one, "containers": [number]})
    for index, one in enumerate(bill.get("goods", ())):
        outcome.moved[f"{wire}.goods[{len(goods)}]"] = f"{path}.goods[{index}]"
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
    "equipment": Reshape(_EquipmentManifest, _read_equipment, _write_equipment, frozenset({"bills[]"})),
}
"""Every pair, by the name that tables use."""
