"""The result of an inspection, a test or a treatment (检验检疫结果): what was looked at, what was found, what follows.

A result is of one subject. That of goods moves their consignment's inspection; that of containers is decided container by
container. Sources cite UN/EDIFACT QALITY. An instrument's verdict is nobody's word: the conclusion is the inspector's,
and what the values say of their limits may not contradict it.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import ClassVar

from gateway.documents.base import (
    Code,
    ContainerNumber,
    Count,
    Day,
    DeclarationNumber,
    Document,
    HsCode,
    Moment,
    Number,
    Part,
    Reference,
    Text,
    Unit,
    item,
)
from gateway.documents.parts import ExhibitReference, Function, Quantity
from gateway.documents.values import plain
from gateway.findings import make_finding
from gateway.model import Finding, Place


class ResultKind(StrEnum):
    """What was done."""

    INSPECTION = "inspection"
    TEST = "test"
    TREATMENT = "treatment"
    FITNESS = "fitness"
    """Whether an empty container is fit for its cargo (适载)."""


class SubjectKind(StrEnum):
    """What it was done to."""

    GOODS = "goods"
    CONTAINER = "container"
    SHIP = "ship"
    LOT = "lot"
    SITE = "site"


class Conclusion(StrEnum):
    """What follows."""

    SAMPLED = "sampled"
    SENT = "sent"
    """Samples went to the laboratory."""
    PASSED = "passed"
    FAILED = "failed"
    TREAT = "to_treat"
    REINSPECT = "to_reinspect"
    WAIVED = "waived"
    RETURNED = "returned"
    DESTROYED = "destroyed"


class Verdict(StrEnum):
    """Whether one value is as it must be."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"


class ResultItem(Part):
    """检测项目: one thing that was looked at or measured."""

    code: Code = item("项目代码", "Code of the item.", source="UN/EDIFACT 7037", required=True)
    name: Text | None = item("项目名称", "The same in words.", source="UN/EDIFACT 7036")
    goods_item: Count | None = item("货物序号", "The item of goods that it is of.", source="UN/EDIFACT 1156")
    value: Number | None = item("检测值", "What was measured.", source="UN/EDIFACT 6314")
    unit: Unit | None = item("计量单位", "Unit of it and of its limits.", source="UN/EDIFACT 6411")
    minimum: Number | None = item("下限", "The least it may be.", source="UN/EDIFACT 6162")
    maximum: Number | None = item("上限", "The most it may be.", source="UN/EDIFACT 6152")
    text: Text | None = item("检测结果描述", "What was found, in words.", source="UN/EDIFACT 4451=AAI")
    verdict: Verdict | None = item("单项结论", "Whether it is as it must be.", source="UN/EDIFACT 4451=ACL")
    method: Text | None = item("检测方法", "By which method or standard.", source="UN/EDIFACT 4416")


class ExaminedContainer(Part):
    """受检集装箱: one container, with what was found of it."""

    number: ContainerNumber = item("集装箱号", "Container number, ISO 6346.", source="UN/EDIFACT 7140", required=True)
    conclusion: Conclusion | None = item("结论", "What follows for it, where that is its own.")
    valid_until: Day | None = item("有效期至", "The last day on which it holds.", source="UN/EDIFACT 2005=36")
    items: tuple[ResultItem, ...] = item("检测项目", "What was measured of it.", source="UN/EDIFACT CCI", many=True)
    remarks: Text | None = item("备注", "What else is to be known of it.", source="UN/EDIFACT 4451=AAI")


class ResultSubject(Part):
    """受检对象: what was looked at."""

    kind: SubjectKind = item("对象类型", "What it is.", source="UN/EDIFACT 7009", required=True)
    number: Reference | None = item("对象编号", "A lot's, a ship's or a site's number.", source="UN/EDIFACT 7140")
    name: Text | None = item("对象名称", "What it is called.", source="UN/EDIFACT 7008")
    hs_code: HsCode | None = item("HS编码", "Harmonised System code of goods.", source="UN/EDIFACT 7143=HS")
    quantity: Quantity | None = item("受检数量", "How much of it was looked at.", source="UN/EDIFACT 6063=1")


class InspectionResult(Document):
    """检验检疫结果: what was found, and what follows."""

    document_type = "inspection_result"
    each: ClassVar[str] = "containers"

    number: Code = item("结果编号", "Number of the report.", source="UN/EDIFACT 1004", required=True)
    function: Function = item(
        "报文功能", "Original, change, replacement or cancellation.", source="1225", required=True
    )
    kind: ResultKind = item("结果类型", "What was done.", source="UN/EDIFACT 1001", required=True)
    subject: ResultSubject = item("受检对象", "What it was done to.", required=True)
    declaration_number: DeclarationNumber | None = item(
        "报检号", "The declaration it belongs to, n15.", source="UN/EDIFACT 1153=AAE"
    )
    task: Code | None = item("任务编号", "The task that it answers.", source="UN/EDIFACT 1153=JB")
    conclusion: Conclusion = item("结论", "What follows.", source="UN/EDIFACT 4451=ACL", required=True)
    office: Code = item(
        "检验检疫机构", "The office whose result it is, n6.", source="UN/EDIFACT 3035=FO", required=True
    )
    inspector: Code | None = item("检验检疫人员", "Code of the inspector who concluded it.", source="UN/EDIFACT 3413")
    laboratory: Text | None = item("检测实验室", "The laboratory.", source="UN/EDIFACT 3035=OT")
    place: Text | None = item("检验检疫地点", "Where it was done.", source="UN/EDIFACT 3227=14")
    examined_at: Moment | None = item("检验检疫时间", "When it was done.", source="UN/EDIFACT 2005=351")
    concluded_at: Moment = item("结论时间", "When it was concluded.", source="UN/EDIFACT 2005=137", required=True)
    valid_until: Day | None = item("有效期至", "The last day on which it holds.", source="UN/EDIFACT 2005=36")
    items: tuple[ResultItem, ...] = item("检测项目", "What was measured.", source="UN/EDIFACT CCI", many=True)
    containers: tuple[ExaminedContainer, ...] = item(
        "受检集装箱", "The containers, one by one, where these are the subject.", source="UN/EDIFACT LIN", many=True
    )
    evidence: tuple[Code, ...] = item("附件编号", "Evidence that is kept here, by its id.", many=True)
    recordings: tuple[ExhibitReference, ...] = item(
        "外存证据", "Evidence that is kept elsewhere, such as a recorder's clip.", many=True
    )
    remarks: Text | None = item("备注", "What else is to be known.", source="UN/EDIFACT 4451=AAI")

    def conclusion_of(self, container: ExaminedContainer) -> Conclusion:
        """What follows for one of its containers."""
        return container.conclusion or self.conclusion

    def find_containers(self) -> Iterator[tuple[str, str | None]]:
        """The containers that were looked at."""
        yield from ((f"containers[{index}].number", one.number) for index, one in enumerate(self.containers))

    def find_contradictions(self) -> Iterator[Finding]:
        """A result says whose it is; it has containers where these are its subject; and values bear its conclusion out."""
        kind = self.subject.kind if self.subject is not None else None  # what is left of a faulty message may have none
        of_containers = kind is SubjectKind.CONTAINER
        if kind is not None and of_containers is not bool(self.containers):
            code = "rules.containers.empty" if of_containers else "rules.result.containers"
            yield make_finding(code, place=Place(path="containers"))
        if kind is SubjectKind.GOODS and self.declaration_number is None and self.task is None:
            yield make_finding("rules.result.whose", place=Place(path="declaration_number"))
        yield from _judge_items(self.items, "items", self.conclusion)
        for index, one in enumerate(self.containers):
            yield from _judge_items(one.items, f"containers[{index}].items", self.conclusion_of(one))

    def repeated(self) -> frozenset[int]:
        """The containers that a container before them is."""
        seen: set[str] = set()
        found: set[int] = set()
        for position, one in enumerate(self.containers):
            if one.number in seen:
                found.add(position)
            seen.add(one.number)
        return frozenset(found)


def is_outside(item_: ResultItem) -> bool:
    """Whether the value that was measured is beyond its limits."""
    if item_.value is None:
        return False
    return (item_.minimum is not None and item_.value < item_.minimum) or (
        item_.maximum is not None and item_.value > item_.maximum
    )


def _judge_items(items: tuple[ResultItem, ...], at: str, conclusion: Conclusion) -> Iterator[Finding]:
    for index, one in enumerate(items):
        if is_outside(one) and one.verdict is Verdict.PASS:
            shown = plain(one.value) if one.value is not None else ""
            least, most = (plain(limit) if limit is not None else "–" for limit in (one.minimum, one.maximum))
            place, code = Place(path=f"{at}[{index}].verdict"), one.code or "–"
            yield make_finding("rules.result.limit", place=place, value=shown, item=code, least=least, most=most)
        if conclusion is Conclusion.PASSED and (one.verdict is Verdict.FAIL or is_outside(one)):
            place = Place(path=f"{at}[{index}].verdict")
            yield make_finding("rules.result.contradicts", place=place, value=one.code or "")
