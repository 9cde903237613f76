"""The subscription (订阅): a partner asks to be given what a feed says of some numbers, instead of looking itself.

What it is given is what it could read: the entries of the feed that are addressed to it, as it sees them.
"""

from __future__ import annotations

from enum import StrEnum

from gateway.documents.base import Code, Document, Moment, Part, Reference, item
from gateway.documents.parts import Function


class Handing(StrEnum):
    """How a subscriber is given what it asked for."""

    PUSH = "push"
    FETCH = "fetch"


class KeyFilter(Part):
    """筛选条件: numbers of one kind, any of which an entry must name."""

    kind: Code = item("编号类型", "Kind of number, as the feed's entries name it: declaration, notice.", required=True)
    values: tuple[Reference, ...] = item("编号", "The numbers.", required=True)


class FeedSubscription(Document):
    """订阅: what a partner wants of a feed."""

    document_type = "subscription"

    id: Code = item("订阅编号", "The subscriber's own number of it.", source="UN/EDIFACT 1004", required=True)
    function: Function = item(
        "报文功能", "Original, replacement or cancellation.", source="UN/EDIFACT 1225", required=True
    )
    feed: Code = item("信息流", "Name of the feed.", required=True)
    keys: tuple[KeyFilter, ...] = item("筛选条件", "Only entries that meet all of these.", many=True)
    since: Moment | None = item("起始时间", "From when on, where that lies ahead.", source="UN/EDIFACT 2005=194")
    handing: Handing = item("传递方式", "Pushed under the agreement, or put into the inbox.", required=True)
