"""The code list (代码表): a version of a list of codes, or of a set of rules, that holds from a day on.

Who maintains a list for all offices proposes a version, another person approves it, and it holds from its day on
(统一制订、统一审核、统一维护). A set of rules travels the same way: its list is `rules/KIND`, and `rules` says what it says.
"""

from __future__ import annotations

from gateway.documents.base import Code, Day, Document, Lines, Part, Text, item

RULES = "rules/"
"""How the name of a list begins that is a set of rules; the name of their kind follows."""


class OtherCode(Part):
    """对应代码: what another table calls the same thing."""

    table: Code = item("对应代码表", "The table: ciq, customs.", source="UN/EDIFACT 1131", required=True)
    code: Code = item("对应代码", "Its code.", required=True)


class ListedCode(Part):
    """代码: one code of a list."""

    code: Code = item("代码", "The code.", source="UN/EDIFACT 9428", required=True)
    en: Text | None = item("英文名称", "Its name in English.")
    zh: Text | None = item("中文名称", "Its name in Chinese.")
    others: tuple[OtherCode, ...] = item("对应代码", "What other tables call the same.", many=True)


class CodeListVersion(Document):
    """代码表: one version of a list of codes or of a set of rules."""

    document_type = "code_list"

    list: Code = item("代码表名称", "Name of the list, or rules/KIND.", source="UN/EDIFACT 1131", required=True)
    version: Code = item("版本号", "The version.", source="UN/EDIFACT 1052", required=True)
    valid_from: Day = item("生效日期", "From which day on it holds.", source="UN/EDIFACT 2005=157", required=True)
    replaces: Code | None = item("替代版本号", "The version that it takes the place of.", source="UN/EDIFACT 1056")
    origin: Text | None = item("来源", "Who publishes it, and where.")
    complete: tuple[Code, ...] = item("完整代码表", "Tables that the list has all codes of.", many=True)
    codes: tuple[ListedCode, ...] = item("代码", "All codes of the version.", many=True)
    withdrawn: tuple[Code, ...] = item("停用代码", "Codes of the version before that are no more.", many=True)
    rules: Lines | None = item("规则内容", "Of a set of rules: what it says, as TOML with one [[set]].")

    @property
    def rule_kind(self) -> str:
        """The kind of rules that it is a set of; empty where it is a list of codes."""
        return self.list.removeprefix(RULES) if self.list.startswith(RULES) else ""
