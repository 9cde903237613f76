"""The report that something passed a point (动态): a gate, a ship's rail, a store's door, a desk.

One report is of one kind and of things of one kind: the containers that went out by a gate, or were discharged. Sources
cite UN/EDIFACT CODECO and COARRI, and X12 322 by segment and position. Questions of gates (`gate_ask`), and what the gate
did with the answer, are reports as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import ClassVar

from gateway.documents.base import Code, Document, Moment, Part, Reference, Text, item
from gateway.documents.parts import ExhibitReference, Function, Quantity, Transport
from gateway.findings import make_finding
from gateway.model import Finding, Place


class Passage(StrEnum):
    """What happened at the point."""

    GATE_ASK = "gate_ask"
    """Somebody stands before a gate, which asks whether to open."""
    NOT_USED = "not_used"
    """The gate was let open, and nobody went through."""
    MANUAL_OPEN = "manual_open"
    """A guard opened the gate by hand."""
    GATE_IN = "gate_in"
    GATE_OUT = "gate_out"
    LOAD = "load"
    DISCHARGE = "discharge"
    ARRIVE = "arrive"
    DEPART = "depart"
    STORE_IN = "store_in"
    STORE_OUT = "store_out"
    HAND_OVER = "hand_over"
    POSTED = "posted"


class ThingKind(StrEnum):
    """What passed."""

    CONTAINER = "container"
    GOODS = "goods"
    SHIP = "ship"
    TRAIN = "train"
    VEHICLE = "vehicle"
    PARCEL = "parcel"
    FILE = "file"
    PERSON = "person"


class Damage(Part):
    """残损: a damage that was seen on it."""

    type: Text = item("残损类型", "What is damaged.", source="UN/EDIFACT 7500", required=True)
    area: Text | None = item("残损部位", "Where.", source="UN/EDIFACT 7502")


class Thing(Part):
    """通过对象: one thing that passed."""

    number: Reference = item(
        "对象编号", "Its number: a container's, a ship's IMO number, a parcel's.", source="8260; X12 N7", required=True
    )
    at: Moment | None = item("通过时间", "When it passed, where that is its own.", source="UN/EDIFACT 2005=7")
    place: Code | None = item("通过地点", "Where: a gate, a berth, a store.", source="UN/EDIFACT 3227=175; X12 R4")
    size_type: Code | None = item("箱型", "Size and type, ISO 6346.", source="UN/EDIFACT 8155; X12 N722")
    load_status: Code | None = item("重空状态", "Loaded or empty: 4 empty, 5 full.", source="UN/EDIFACT 8169")
    status: Code | None = item(
        "设备状态", "2 export, 3 import, 7 shortlanded, 8 overlanded ...", source="UN/EDIFACT 8249"
    )
    bill_of_lading: Reference | None = item("提单号", "Bill of lading it is under.", source="UN/EDIFACT 1153=BM")
    declaration_number: Code | None = item("报检号", "The declaration that covers it.", source="UN/EDIFACT 1153=AAE")
    release_number: Reference | None = item(
        "放行编号", "Number of the release it goes by.", source="UN/EDIFACT 1153=RE"
    )
    weight: Quantity | None = item("重量", "Gross weight.", source="UN/EDIFACT 6311=AAE, 6313=G")
    seals: tuple[Code, ...] = item("铅封号", "Seal numbers.", source="UN/EDIFACT 9308; X12 M7", many=True)
    damages: tuple[Damage, ...] = item("残损", "Damages that were seen.", source="UN/EDIFACT DAM", many=True)
    remarks: Text | None = item("备注", "What else is to be known.", source="UN/EDIFACT 4451=AAI")


class MovementReport(Document):
    """动态报告: things of one kind that passed a point."""

    document_type = "movement"
    each: ClassVar[str] = "things"

    number: Code | None = item("报告编号", "The sender's own number of it.", source="UN/EDIFACT 1004; X12 Q512")
    function: Function = item(
        "报文功能", "Original, change, replacement or cancellation.", source="1225", required=True
    )
    kind: Passage = item("动态类型", "What happened.", source="UN/EDIFACT 1001; X12 Q501", required=True)
    thing: ThingKind = item("对象类型", "What the things are.", required=True)
    at: Moment | None = item("发生时间", "When it happened.", source="UN/EDIFACT 2005=145; X12 Q502, Q503")
    reported_at: Moment | None = item("报告时间", "When it was reported.", source="UN/EDIFACT 2005=137")
    operator: Code | None = item("作业单位", "Who works at the point: a terminal, a yard.", source="UN/EDIFACT 3035=TR")
    device: Code | None = item("采集设备", "What saw it: a gate, a reader, a camera.")
    person: Code | None = item("操作人员", "Who did it by hand: a guard, whoever took a file over.")
    transport: Transport | None = item("运输工具", "The ship, train or truck.", source="UN/EDIFACT TDT")
    things: tuple[Thing, ...] = item("通过对象", "What passed.", source="UN/EDIFACT EQD; X12 N7", many=True)
    evidence: tuple[Code, ...] = item("附件编号", "Evidence that is kept here, by its id.", many=True)
    recordings: tuple[ExhibitReference, ...] = item(
        "外存证据", "Evidence that is kept elsewhere, such as a camera's picture.", many=True
    )
    remarks: Text | None = item("备注", "What else is to be known.", source="UN/EDIFACT 4451=AAI")

    def find_containers(self) -> Iterator[tuple[str, str | None]]:
        """The things, where they are containers."""
        if self.thing is ThingKind.CONTAINER:
            yield from ((f"things[{index}].number", thing.number) for index, thing in enumerate(self.things))

    def find_contradictions(self) -> Iterator[Finding]:
        """A report names what passed, and when."""
        if not self.things:
            yield make_finding("rules.movement.empty", place=Place(path="things"))
        for index, thing in enumerate(self.things):
            if thing.at is None and self.at is None:
                place = Place(path=f"things[{index}].at")
                yield make_finding("rules.movement.when", place=place, value=thing.number or "")

    def repeated(self) -> frozenset[int]:
        """The things that a thing before them is."""
        seen: set[str] = set()
        found: set[int] = set()
        for position, thing in enumerate(self.things):
            if thing.number in seen:
                found.add(position)
            seen.add(thing.number)
        return frozenset(found)
