"""The enquiry (查询): somebody asks about a consignment that it takes part in, and is answered in the same exchange.

Nothing changes by it. What is another's, and what is not there at all, are answered in the same words.
"""

from __future__ import annotations

from enum import StrEnum

from gateway.documents.base import Code, Document, Moment, Reference, Text, item


class About(StrEnum):
    """What is asked."""

    PROGRESS = "progress"
    """Where the consignment stands."""
    BUSINESS = "business"
    """By which numbers it goes, and which documents there are of it."""


class Language(StrEnum):
    """A language that we answer in (ISO 639-1)."""

    ENGLISH = "en"
    CHINESE = "zh"


class Enquiry(Document):
    """查询: where a consignment stands, asked by whoever takes part in it."""

    document_type = "enquiry"

    reference: Code = item(
        "查询编号",
        "The asker's own number of the enquiry; its answer names it.",
        source="UN/EDIFACT 1154",
        required=True,
    )
    about: About = item("查询内容", "What is asked.", required=True)
    key: Reference = item(
        "查询号码",
        "A number of the consignment: of its declaration, notice, transfer, bill or container, or the declarer's own.",
        source="UN/EDIFACT 1154",
        required=True,
    )
    question: Text | None = item(
        "查询说明",
        "The question in words, for people: it is kept, and answers itself by no rule.",
        source="UN/EDIFACT 4440",
    )
    language: Language | None = item(
        "答复语种", "In which language the answer is worded; as the asker is known to read where it says nothing."
    )
    asked_at: Moment | None = item("查询时间", "When it was asked.", source="UN/EDIFACT 2005=137")
