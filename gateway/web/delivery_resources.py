"""What the REST interface says of deliveries, their attempts, and the endpoints they go to."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field

from gateway.model import DeliveryState
from gateway.web.resources import Resource

STATES = tuple(DeliveryState)


class DeliveryLine(Resource):
    """A delivery to the caller; to anybody, for the operator."""

    id: str
    recipient: str = Field(description="Id of the partner that gets it")
    kind: Literal["document", "acknowledgement", "response"]
    document: str = Field(description="Type of the document")
    format: str
    state: DeliveryState
    held_for: Literal["set_back", "agreed", "ordered"] | None = Field(
        None, description="Why it is held: the store was set back, the agreement wants a word first, or a person does"
    )
    attempts: int
    next_at: datetime | None = Field(None, description="When it is tried next, or its confirmation is overdue")
    last_error: str = Field(description="What the last failure said; empty where none was")
    case: str | None = None
    message: str | None = Field(None, description="Id of the message it came of")
    reference: str = Field(description="The control reference that its body carries")
    sha256: str
    test: bool
    link: str = Field(description="Where it is found with its attempts")
    body_link: str = Field(description="Where its bytes are found")


class DeliveryPage(Resource):
    """Deliveries, the newest first. A page may hold fewer than asked for, and none, before the end."""

    items: list[DeliveryLine]
    next: str | None = Field(None, description="Cursor of the next page; null at the end")


class Said(Resource):
    """What one side said in an attempt; secrets are left out."""

    headers: list[tuple[str, str]] = Field(description="Names and values, in order")
    size: int | None = Field(None, description="Bytes on the wire, where these are not the delivery's own body")
    sha256: str | None = Field(None, description="Of these bytes")
    status: str | None = Field(None, description="The answer's first line; null where nothing was answered")
    body: str | None = Field(None, description="The beginning of the answer as text")


class Attempt(Resource):
    """One try to send a delivery."""

    number: int
    started_at: datetime
    ended_at: datetime | None = None
    outcome: str = Field(
        description="delivered, relayed, awaiting, deferred, refused, unconfirmed; empty while it is under way"
    )
    detail: str = Field(description="What the recipient said, in short")
    seconds: float | None = Field(None, description="From its beginning to its end, however it ended")
    address: str | None = Field(None, description="Where it went")
    request: Said | None = Field(None, description="null of attempts that earlier versions made")
    answer: Said | None = None


class DeliveryWhole(Resource):
    """A delivery with all that was tried."""

    delivery: DeliveryLine
    attempts: list[Attempt] = Field(description="In order")


class OrderWanted(Resource):
    """Why it is wanted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: str = Field("", max_length=500, description="For the audit, and for whoever looks afterwards")


class Endpoint(Resource):
    """Where sendings fail, or nothing is sent just now."""

    partner: str
    transport: str = Field(description="Empty where all that the partner gets is stopped")
    address: str = Field(
        description="Where deliveries go; empty where all that it gets over the transport goes to one place"
    )
    failures: int = Field(description="Sendings that failed one after the other")
    stop: Literal["tripped", "gone", "paused"] | None = Field(
        None,
        description="tripped: it is spared, and tried with one sending when the time is over; gone: it said that it is "
        "there no more; paused: a person wants it so",
    )
    since: datetime | None = None
    until: datetime | None = Field(None, description="When one is tried again; null where a person resumes it")
    said: str = Field(description="The last failure's words, or why it was paused")
    by: str = Field(description="Who paused it")


class EndpointList(Resource):
    """Endpoints with trouble; those that are well are not told."""

    items: list[Endpoint]


class EndpointWanted(Resource):
    """Which endpoint is meant."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    partner: str = Field("", max_length=200, description="Id of the partner; the caller's own where empty")
    transport: str = Field("", max_length=50, description="Empty for all that the partner gets")
    address: str = Field("", max_length=2000, description="As a delivery's attempts tell it")
    reason: str = Field("", max_length=500, description="For the audit, and for whoever looks afterwards")
