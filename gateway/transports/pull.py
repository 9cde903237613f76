"""Pull: a delivery waits with us until its recipient has fetched and acknowledged it, as hubs of certificates do.

The recipient lists what waits (`GET /v1/deliveries?state=awaiting&order=oldest`), fetches each (`.../body`), and says what it
made of it: `ok`, `warning` (taken, with something to say), or `unreadable`, after which it is an operator's. Fetching alone
is no delivery: whoever fetches may fail before it has kept anything.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.config import Section
from gateway.errors import NotFound
from gateway.model import Agreement, Delivery
from gateway.store.contract import Settled, storable
from gateway.transports.base import Awaiting, Evidence, Record
from gateway.transports.plugin import Means, Options, Peer, Route, Transport

LARGEST = 16 * 1024
"""Bytes of an acknowledgement; it is kept with the receipt, as it came."""


class PullOptions(Options):
    """Nothing: the recipient comes to us."""


class PullSettings(Section):
    """How long is waited."""

    hours: float = Field(
        72.0,
        description="Hours in which a recipient fetches and acknowledges; then it counts as one attempt",
        gt=0,
        le=8760,
    )


class Acknowledgement(BaseModel):
    """What a recipient made of what it fetched."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    outcome: Literal["ok", "warning", "unreadable"]
    detail: str = Field("", max_length=500)
    sha256: str = Field("", pattern="^([0-9a-f]{64})?$")
    """Of the bytes it has; where it is another than ours, they are to be fetched again."""


class Acknowledged(BaseModel):
    """What an acknowledgement came to."""

    id: str
    settled: Settled = Field(
        description="counted; repeated: something was said before, and counts; late: it is over, or offered anew"
    )


class PullSender:
    """Lets deliveries wait."""

    def __init__(self, means: Means) -> None:
        self._own: PullSettings = means.own
        self._clock = means.settings.clock.now

    def find_address(self, _agreement: Agreement) -> str:
        """All that a partner fetches waits in one place."""
        return ""

    async def send(self, delivery: Delivery, _agreement: Agreement, record: Record) -> Awaiting:
        """Offer the delivery; its acknowledgement names it by its id."""
        record.tell_sent("", (("link", f"/v1/deliveries/{delivery.id}/body"),))
        return Awaiting(delivery.id, self._clock() + timedelta(hours=self._own.hours), "It waits to be fetched.")

    async def close(self) -> None:
        """Nothing is kept open."""


async def acknowledge(request: web.Request, peer: Peer, means: Means) -> web.Response:
    """Say what became of a delivery that was fetched: ok, warning or unreadable. Saying the same again changes nothing."""
    said = await request.content.read(LARGEST + 1)
    if len(said) > LARGEST:
        raise web.HTTPBadRequest(reason="The acknowledgement is too large.")
    try:
        told = Acknowledgement.model_validate_json(said)
    except ValidationError as error:
        places = "; ".join(".".join([*map(str, one["loc"]), one["msg"]]) for one in error.errors(include_input=False))
        raise web.HTTPBadRequest(reason=f"The acknowledgement is none: {places}.".replace("\n", " ")) from error
    outcome = "refused" if told.outcome == "unreadable" else "delivered"
    detail = storable(f"{told.outcome}: {told.detail}" if told.detail else told.outcome)
    evidence = Evidence(outcome, f"pull_{told.outcome}", detail, said, told.sha256)
    awaited = await means.find_awaited(peer.partner_id, request.match_info["id"])
    if awaited is None or (peer.test and not awaited.test):
        # Another's delivery, one that goes another way, or is not offered yet, or is none of a test key's. What is said of it
        # is not kept, as what comes too early is: whoever was told that there is none must find it offered.
        raise NotFound
    settled = await means.confirm(peer.partner_id, request.match_info["id"], evidence)
    return web.json_response(text=Acknowledged(id=request.match_info["id"], settled=settled).model_dump_json())


TRANSPORT = Transport(
    "pull",
    options=PullOptions,
    settings=PullSettings,
    open_sender=PullSender,
    routes=(
        Route(
            "/v1/deliveries/{id}/acknowledgement",
            "acknowledgeDelivery",
            acknowledge,
            status=200,
            media_type="application/json",
            answers=Acknowledged,
            takes=Acknowledgement,
        ),
    ),
)
