"""The risk record (风险记录) as its case keeps it: what was found in a decision, and how it was handled.

It travels with no message: its case stands before the supervisors of its level as a task, and is seen by nobody else.
"""

from __future__ import annotations

from gateway.documents.base import Code, Count, Document, Flag, Moment, Part, Text, item


class RiskField(Part):
    """要素: one thing that is known of what happened."""

    name: Code = item("名称", "The field.", required=True)
    value: Text = item("值", "Its value.", required=True)


class RiskRecord(Document):
    """风险记录: a risk point that was met."""

    point: Code = item("风险点", "The name of the point.", required=True)
    area: Code = item("风险类别", "work or integrity.", required=True)
    grade: Count = item("风险等级", "1 is the gravest.", required=True)
    level: Code = item("处置层级", "section, branch, bureau or hq.", required=True)
    office: Code | None = item("处置机构", "The office that handles it.")
    stopped: Flag = item("是否拦截", "Whether the act did not take effect.", required=True)
    found_at: Moment = item("发现时间", "When the decision was made in which it was found.", required=True)
    occasion: Code = item("来源", "The message or deadline by which that was.", required=True)
    case_id: Code | None = item("案件", "The case that it is about.")
    person: Code | None = item("当事人员", "The person whose act it was.")
    partner: Code | None = item("当事单位", "The partner whose act it was.")
    times: Count | None = item("次数", "How often it happened, where the point looks back.")
    outcome: Code | None = item("处置结果", "explain, rectify or confirm.")
    about: tuple[RiskField, ...] = item("关键要素", "What makes it one question.", many=True)
