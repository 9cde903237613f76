"""The registration (备案登记): what the registry says of enterprises and others from a day on, a line each.

A line is decided by itself, so that one that is wrong holds up no other. What a line gives of the attributes takes the
place of what was there, a list without an item too; the rest stays. A list of a hundred thousand lines is decided piece by piece.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, ClassVar

from pydantic import SerializerFunctionWrapHandler, model_serializer

from gateway.documents.base import Code, Day, Document, Flag, Part, Text, item


class Action(StrEnum):
    """What a line does."""

    REGISTER = "register"
    CHANGE = "change"
    SUSPEND = "suspend"
    RESTORE = "restore"
    CLOSE = "close"


class Grade(StrEnum):
    """Credit grades of enterprises (信用等级)."""

    AA = "AA"
    A = "A"
    B = "B"
    C = "C"
    D = "D"


class Supervision(StrEnum):
    """Classes in which an enterprise's products are supervised (监管类别); no grade of the enterprise."""

    I = "I"  # noqa: E741 - the class's own name
    II = "II"
    III = "III"


class SupervisionClass(Part):
    """分类监管: in which class a group of the enterprise's products is supervised."""

    product_group: Code = item("产品类别", "The group of products, by its code.", required=True)
    supervision: Supervision = item("监管类别", "The class.", required=True)


class Approval(Part):
    """核准: whether something is approved for the enterprise, and since when."""

    approved: Flag = item("是否核准", "Whether it is.", required=True)
    since: Day | None = item("核准日期", "From which day on.")


class Blacklisting(Part):
    """黑名单: a time in which the enterprise is excluded."""

    since: Day = item("列入日期", "The first day.", required=True)
    until: Day | None = item("移出日期", "The last day; without one it is still excluded.")
    reason: Text | None = item("列入原因", "Why.", source="UN/EDIFACT 4440")


class AuthorisedPerson(Part):
    """授权人员: who may act for the enterprise."""

    number: Code = item("人员编号", "The person's number with the authority.", required=True)
    name: Text | None = item("姓名", "Name.", source="UN/EDIFACT 3412")
    since: Day | None = item("授权起始日期", "The first day.")
    until: Day | None = item("授权截止日期", "The last day.")


class Site(Part):
    """备案场所: a place of the enterprise's that is on file."""

    code: Code = item("场所代码", "The place's number.", required=True)
    name: Text | None = item("场所名称", "Name.")
    address: Text | None = item("地址", "Address in one text.", source="UN/EDIFACT 3042")


class Appointment(Part):
    """代理委托: an agent that may declare for the enterprise."""

    agent: Code = item("代理单位代码", "The agent's registration number.", required=True)
    scope: Code | None = item("委托范围", "For what: a direction or a kind of declaration; without one, for all.")
    since: Day | None = item("委托起始日期", "The first day.")
    until: Day | None = item("委托截止日期", "The last day.")


class Attributes(Part):
    """登记事项: what is registered of a subject; what a line leaves out stays as it is."""

    credit_grade: Grade | None = item("信用等级", "Credit grade.", source="CIQ EntCreditGrade")
    supervision: tuple[SupervisionClass, ...] = item("分类监管", "Class by group of products.", many=True)
    direct_through: Approval | None = item("直通放行核准", "Whether direct-through is approved.")
    fast_release: Approval | None = item("快速核放核准", "Whether fast release is approved.")
    blacklist: tuple[Blacklisting, ...] = item("黑名单", "Times in which the enterprise is excluded.", many=True)
    persons: tuple[AuthorisedPerson, ...] = item("授权人员", "Who may act for it.", many=True)
    sites: tuple[Site, ...] = item("备案场所", "Its places.", many=True)
    agents: tuple[Appointment, ...] = item("代理单位", "Its agents.", many=True)

    @model_serializer(mode="wrap")
    def _with_emptied(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A list that is given without an item stays in what is written: it empties what was there."""
        written: dict[str, Any] = handler(self)
        emptied = (name for name in self.model_fields_set if getattr(self, name) == ())
        return {**written, **{name: [] for name in sorted(emptied)}}

    def to_attributes(self) -> dict[str, Any]:
        """What is given, a list that is emptied too, as the registry keeps it: JSON by attribute."""
        return self.model_dump(mode="json", exclude_none=True, exclude_defaults=True)


class RegistrationLine(Part):
    """登记明细: one subject, and what is to become of it."""

    scheme: Code = item(
        "编号类型", "In which scheme the subject goes by its number, such as ciq-registration.", required=True
    )
    value: Code = item("登记编号", "The subject's number.", source="CIQ RegNo", required=True)
    action: Action = item("登记动作", "What is done.", required=True)
    valid_from: Day = item("生效日期", "From which day on it holds.", source="UN/EDIFACT 2005=157", required=True)
    name: Text | None = item("登记名称", "The subject's name.", source="UN/EDIFACT 3036")
    attributes: Attributes | None = item("登记事项", "What is registered of it.")


class Registration(Document):
    """备案登记: lines that change the registry."""

    document_type = "registration"
    each: ClassVar[str] = "lines"

    reference: Code = item("登记申请编号", "The sender's own number of it.", source="UN/EDIFACT 1154", required=True)
    lines: tuple[RegistrationLine, ...] = item("登记明细", "What is to become of each subject.", many=True)

    def repeated(self) -> frozenset[int]:
        """The lines about a subject that a line before them is about."""
        seen: set[tuple[str, str]] = set()
        found: set[int] = set()
        for position, line in enumerate(self.lines):
            subject = (line.scheme, line.value)
            if subject in seen:
                found.add(position)
            seen.add(subject)
        return frozenset(found)
