"""The response (回执): what became of a document, told to the one who sent it.

It carries the number the bureau issued, a status and the reasons. Codes are those of the inspection
service's receipts where it has one (1000 pre-entered, 1100 accepted, 1101 refused, 2000 released).
"""

from __future__ import annotations

from enum import StrEnum

from gateway.documents.base import (
    Code,
    Count,
    DeclarationNumber,
    Document,
    Moment,
    NoticeNumber,
    Part,
    Reference,
    Text,
    Version,
    item,
)


class Outcome(StrEnum):
    """What a response says of the document it answers."""

    RECEIVED = "received"
    ACCEPTED = "accepted"
    HELD = "held"
    REFUSED = "refused"
    RELEASED = "released"
    CLEARED = "cleared"
    CANCELLED = "cancelled"


class Reason(Part):
    """原因: one reason for a refusal or a hold, at its place in the document answered."""

    code: Code = item("代码", "Code of the finding or rule.", required=True)
    text: Text | None = item("说明", "The same in words.", source="UN/EDIFACT 4440")
    place: Text | None = item("位置", "Where in the sender's message: segment and element, XPath or JSON pointer.")
    field: Text | None = item("数据项", "Field of the document.")
    value: Text | None = item("值", "The value found there.")


class Told(Part):
    """答复: one thing that an enquiry is answered with."""

    number: Code | None = item("业务编号", "The consignment it is about, by its number.")
    name: Code = item("名称", "What is told: the status, a track, a kind of number or document.", required=True)
    value: Text = item("内容", "What it is, as programs know it.", required=True)
    text: Text | None = item("说明", "The same in words.", source="UN/EDIFACT 4440")


class Line(Part):
    """逐项结果: what became of one line of a document of many."""

    number: Count = item("序号", "The line's place in the document, from 1.", required=True)
    reference: Code | None = item("编号", "What the line is about, by its number.")
    outcome: Outcome = item("结果", "What became of it.", required=True)
    reasons: tuple[Reason, ...] = item("原因", "Why it was not accepted.", many=True)


class Response(Document):
    """回执: the answer to one document."""

    document_type = "response"

    id: Code = item(
        "回执唯一号", "The response's own id; a repeat carries the same.", source="RESPONSE_ID", required=True
    )
    document: Code = item("单证类型", "Which kind of document it answers: declaration, transfer ...", required=True)
    reference: Reference | None = item(
        "企业报检号", "The sender's own number of that document.", source="CusCiqNo, DeclNo"
    )
    number: Reference | None = item("业务编号", "The number that document goes by.", source="EntDealNo")
    declaration_number: DeclarationNumber | None = item("报检号", "The number issued, n15.", source="DeclGetNo; ClBlNo")
    notice_number: NoticeNumber | None = item("通关单号", "The clearance notice issued, n18.")
    outcome: Outcome = item("结果", "What became of it.", source="RspKind", required=True)
    code: Code | None = item("回执代码", "The service's response code, such as 1100.", source="RspCodes")
    text: Text | None = item("回执描述", "The same in words.", source="RspInfo")
    task_version: Version | None = item(
        "任务版本", "The version of a task that was decided, or has moved on, as it is then."
    )
    at: Moment | None = item("操作时间", "When it was decided.", source="OperTime, RspGenTime")
    organisation: Code | None = item("机构", "Bureau that decided, n6.", source="SenderAddr")
    reasons: tuple[Reason, ...] = item("原因", "Reasons.", source="AddInfo", many=True)
    answer: tuple[Told, ...] = item("答复", "What an enquiry is answered with.", many=True)
    lines: tuple[Line, ...] = item("逐项结果", "What became of each line of a document of many.", many=True)
