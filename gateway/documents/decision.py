"""The decision (处理决定): what a person decides on a task that waits for it.

Who decided is not in it: that is who the message was authenticated as. The task's version is the one that was looked at,
so that nobody decides what has changed meanwhile.
"""

from __future__ import annotations

from gateway.documents.base import Code, Document, Moment, Text, Version, item
from gateway.documents.parts import ExhibitReference


class Decision(Document):
    """处理决定: one option of a task, chosen."""

    document_type = "decision"

    task: Code = item("任务编号", "The task that is decided.", required=True)
    option: Code = item("处理意见", "Which of the task's options.", required=True)
    task_version: Version = item("任务版本", "The version of the task that was looked at.", required=True)
    office: Code | None = item("处理机构", "The office in which it was decided, n6.", source="CIQ OrgCode")
    decided_at: Moment | None = item("决定时间", "When it was decided.", source="UN/EDIFACT 2005=137")
    reasons: tuple[Text, ...] = item("原因", "Why.", source="UN/EDIFACT 4440", many=True)
    remarks: Text | None = item("备注", "What else is to be known.", source="UN/EDIFACT 4440")
    evidence: tuple[Code, ...] = item("附件编号", "Evidence it rests on that is kept here, by its id.", many=True)
    recordings: tuple[ExhibitReference, ...] = item(
        "外存证据", "Evidence it rests on that is kept elsewhere, such as a recorder's clip.", many=True
    )
    signature: Text | None = item("签名", "Signature over the decision, as the agreement says.")
