"""The container release notice (集装箱放行/锁定通知): which containers may leave the port, which may not.

It goes to the port, by rule as soon as a manifest and a declaration have met, and comes from an officer
of the port's bureau when a lock is opened after treatment, or a control order (布控) is laid on a
container.
"""

from __future__ import annotations

from enum import StrEnum

from gateway.documents.base import (
    Code,
    ContainerNumber,
    DeclarationNumber,
    Document,
    Flag,
    Moment,
    Part,
    Reference,
    item,
)
from gateway.documents.parts import Transport
from gateway.documents.response import Reason


class ContainerAct(StrEnum):
    """What is to be done with a container."""

    RELEASE = "release"
    LOCK = "lock"
    TREAT = "treat"
    RETURN = "return"


class ContainerDecision(Part):
    """集装箱放行结论: one container of one bill of lading."""

    number: ContainerNumber = item("集装箱号", "Container number, ISO 6346.", source="UN/EDIFACT 8260", required=True)
    bill_of_lading: Reference | None = item("提单号", "Bill of lading it came under.", source="UN/EDIFACT 1153=BM")
    declaration_number: DeclarationNumber | None = item("报检号", "The declaration that covers it, n15.")
    decision: ContainerAct = item("结论", "Release, lock, treat or return.", required=True)
    is_undeclared: Flag | None = item("未报检", "Locked for want of a declaration, until one comes.")
    reasons: tuple[Reason, ...] = item("原因", "Why.", many=True)


class ReleaseNotice(Document):
    """集装箱放行/锁定通知: decisions on containers of one manifest or by one officer."""

    document_type = "release"

    number: Code = item("通知编号", "Number of the notice.", source="UN/EDIFACT 1004", required=True)
    manifest_number: Reference | None = item("舱单号", "Manifest that named the containers.")
    organisation: Code | None = item("机构", "Bureau whose rules or officer decided, n6.")
    officer: Code | None = item("人员代码", "Code of the officer who ordered it; absent where a rule decided.")
    decided_at: Moment | None = item("决定时间", "When it was decided.", source="UN/EDIFACT 2005=137")
    transport: Transport | None = item("运输工具", "The conveyance.", source="UN/EDIFACT TDT")
    containers: tuple[ContainerDecision, ...] = item(
        "集装箱", "The containers, one by one.", source="UN/EDIFACT EQD", many=True
    )
