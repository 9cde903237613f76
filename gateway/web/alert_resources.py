"""What the REST interface says of alerts."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field

from gateway.web.resources import Resource


class Alert(Resource):
    """What somebody must look at: all that rang of one kind and cause since it was last settled."""

    id: str
    kind: str = Field(examples=["delivery_dead", "endpoint_down", "credential_ending"])
    cause: str = Field(description="What it is about: a partner, a case, an endpoint, a key, a machine")
    partner: str | None = None
    case: str | None = Field(None, description="Of the newest time that it rang")
    test: bool
    times: int = Field(description="How often it rang")
    first_at: datetime
    last_at: datetime
    state: Literal["open", "taken", "settled"]
    text: str = Field(description="The newest reason, in the language of Accept-Language; empty where it is archived")
    by: str | None = Field(
        None, description="Who took or settled it; null where nobody has, or its cause ended by itself"
    )
    words: str = Field(description="What whoever took or settled it said")
    settled_at: datetime | None = None
    silent_until: datetime | None = Field(None, description="Until then nobody is notified of its kind and cause")
    link: str = Field(description="The newest entry of the feed `alerts` that it counts")


class AlertPage(Resource):
    """Standing alerts, what began last first."""

    items: list[Alert]
    next: str | None = Field(None, description="Cursor of the next page; null at the end")


class AlertOrderWanted(Resource):
    """What is said of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    words: str = Field("", max_length=500, description="What was found, and done; for the audit and for whoever looks")


class SilenceWanted(Resource):
    """For how long nobody is notified."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hours: int = Field(
        24, ge=1, le=168, description="Seven days at most: then it is told anew, however well known it is"
    )
    reason: str = Field("", max_length=500, description="Why, for the audit")
