"""The report (统计报表): figures of a period, line by line, and corrections of earlier periods.

The lines of all reports of a name, corrections included, add up to what a count of all facts from the beginning gives: a
report that was made is never changed, and a fact that came too late for it stands as a correction in the next one.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer

from gateway.documents import values
from gateway.documents.base import Code, Count, Day, Document, Moment, Part, Text, _number, item

Difference = Annotated[
    Decimal,
    BeforeValidator(_number),
    Field(max_digits=values.MAX_DIGITS, decimal_places=values.MAX_PLACES),
    PlainSerializer(values.plain, return_type=str, when_used="json"),
]
"""A decimal that may be below zero: a correction takes back."""

UNKNOWN = "-"
"""The value of a dimension that a fact does not tell."""


class Line(Part):
    """统计行: what was counted under one value of each dimension."""

    row: tuple[Text, ...] = item("行", "The values of the dimensions down the side, in their order.", many=True)
    column: tuple[Text, ...] = item("列", "The values of the dimensions across, in their order.", many=True)
    value: Difference = item("数值", "How many, or how much.", source="UN/EDIFACT 9424 (ARR)", required=True)


class Correction(Part):
    """更正行: what came to be known of an earlier period since the report before this one."""

    period: Day = item("所属期", "The first day of the period that it corrects.", required=True)
    row: tuple[Text, ...] = item("行", "The values of the dimensions down the side, in their order.", many=True)
    column: tuple[Text, ...] = item("列", "The values of the dimensions across, in their order.", many=True)
    value: Difference = item("差额", "By how much it is more, or less.", source="UN/EDIFACT 9424 (ARR)", required=True)


class Statistics(Document):
    """统计报表: one report of one period."""

    document_type = "statistics"

    report: Code = item("报表代码", "The name of the report.", source="UN/EDIFACT 9424 (DSI)", required=True)
    title: Text | None = item("报表名称", "What it counts, in words.", source="UN/EDIFACT 4440")
    office: Code | None = item("填报机构", "Whose figures they are: the code of an office.", source="CIQ OrgCode")
    first_day: Day = item("统计期起", "First day of the period.", source="UN/EDIFACT 2005=194", required=True)
    last_day: Day = item("统计期止", "Last day of the period.", source="UN/EDIFACT 2005=206", required=True)
    made_at: Moment | None = item("编制时间", "When it was made.", source="UN/EDIFACT 2005=137")
    last_fact: Count = item("末条事实序号", "The number of the last fact that it has seen.", required=True)
    measure: Code = item("指标", "What the values are: count, or a measure.", required=True)
    rows: tuple[Code, ...] = item("行维度", "The dimensions down the side.", many=True)
    columns: tuple[Code, ...] = item("列维度", "The dimensions across.", many=True)
    total: Difference = item("合计", "The sum of its lines, without corrections.", required=True)
    lines: tuple[Line, ...] = item("统计行", "Its lines.", many=True)
    corrections: tuple[Correction, ...] = item("更正行", "What corrects earlier periods.", many=True)
