"""The case summary (业务概况): what offices of a region are told of one another's consignments (地区信息共享).

Nobody sends one: it is made of a case as a decision leaves it, and cut by a view as any document is.
"""

from __future__ import annotations

from gateway.documents.base import Code, Document, Moment, Part, Reference, item


class TrackState(Part):
    """环节状态: where the case stands on one track."""

    track: Code = item("环节", "Which track.", required=True)
    state: Code = item("状态", "The state it stands in.", required=True)


class CaseSummary(Document):
    """业务概况: a consignment as the offices of its region see it."""

    document_type = "case_summary"

    number: Reference | None = item("报检号", "The declaration number.", source="CIQ DeclNo")
    word: Code = item("业务状态", "The one word for where it stands.", required=True)
    direction: Code | None = item("出入境类别", "inbound or outbound.", source="CIQ")
    at: Moment | None = item("更新时间", "When it came to stand so.")
    home: Code | None = item("所属机构", "The code of the office whose it is.", source="CIQ OrgCode")
    acting: Code | None = item("办理机构", "The code of the office that acted last.", source="CIQ OrgCode")
    tracks: tuple[TrackState, ...] = item("各环节状态", "Where it stands on each track.", many=True)
    offices: tuple[Code, ...] = item("相关机构", "The codes of all offices that take part.", many=True)
    containers: tuple[Code, ...] = item("集装箱号", "Its containers.", source="ISO 6346", many=True)
    certificates: tuple[Code, ...] = item("证书", "The certificates that are asked for, by kind.", many=True)
    notice: Reference | None = item("通关单号", "The number of the clearance notice that stands.")
