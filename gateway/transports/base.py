"""What every transport has in common: what arrives, what a sending comes to, and the interfaces."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from gateway.model import Agreement, Delivery, Stage
from gateway.store.contract import Accepted, Settled


@dataclass(frozen=True, slots=True)
class Arrival:
    """Bytes from an authenticated partner, as a transport hands them to the intake."""

    partner_id: str
    transport: str
    body: bytes
    transport_id: str = ""
    content_type: str = ""
    filename: str = ""
    test: bool = False
    sha256: bytes = b""
    """The digest of the bytes, where the transport has made it already; always where they are in a file."""
    path: Path | None = None
    """The file of the spool that holds the bytes where they are many, instead of `body`; the intake takes it away."""
    size: int = 0
    """How many bytes the file holds."""
    document_type: str = ""
    """What document it is said to be, where that is known without reading it: from the route, or the sender's word."""
    person_id: str = ""
    """The person of the partner who sends it, where the transport has authenticated one."""
    role: str = ""
    """In which role the person says to act."""


Intake = Callable[[Arrival], Awaitable[Accepted]]
"""Keeps an arrival and returns its receipt, only after the commit.

Raises TransportIdReused, PayloadTooLarge, PayloadUnreadable, NotPermitted (permanent), Overloaded,
StorageFull, StoreUnavailable (temporary).
"""


@dataclass(frozen=True, slots=True)
class Evidence:
    """How we know that the recipient has it; of a confirmation, also that it has not."""

    outcome: str
    """`delivered`, or `relayed` where only a relay has taken it.

    A confirmation may also be `refused` (these bytes will never be taken) or `deferred` (they are to be sent again).
    """
    kind: str
    """`http_digest`, `http_status`, `folder_rename`, ..."""
    detail: str = ""
    """What the peer said, such as its status line."""
    answer: bytes = b""
    """What the peer returned, verbatim from its first byte on; receipts hold its digest."""
    digest: str = ""
    """The sha256 the peer confirmed, where it confirmed one."""


STAGES = {"delivered": Stage.DELIVERED, "relayed": Stage.RELAYED}
"""Outcomes by which a recipient has something, each with the receipt that says so."""
VERDICTS = frozenset({*STAGES, "refused", "deferred"})
"""What a confirmation may say."""


@dataclass(frozen=True, slots=True)
class Awaiting:
    """What a sending came to where the recipient has taken it and will confirm it later, by itself.

    The delivery waits for `means.confirm` to name the reference, and is sent again, under its id, where that does not
    come in time. A reference that is made of the delivery's id lets the confirmation of any attempt count.
    """

    reference: str
    """What the confirmation will name, such as a Message-ID."""
    until: datetime
    """How long it is waited for."""
    detail: str = ""
    """What the peer said, such as its status line."""


Confirm = Callable[[str, str, Evidence], Awaitable[Settled]]
"""Lets count what a partner (its id first) said of a reference, and says what that came to, after the commit.

It must be the partner who says it: whoever calls this has authenticated it. Temporary errors of the store are raised; the
same is to be said again then, and counts once. ValueError for an outcome that is none of VERDICTS.
"""


@dataclass(frozen=True, slots=True)
class Origin:
    """The file of a partner's that an answer to it answers."""

    filename: str
    reasons: tuple[str, ...] = ()
    """Why what is in it was refused, in the partner's language."""
    is_refused: bool = False
    """Whether all that is in it was."""


FindOrigin = Callable[[Delivery], Awaitable[Origin | None]]
"""Finds the file that a delivery answers; None where it answers none that came under a name."""


async def find_no_origin(_delivery: Delivery) -> Origin | None:
    """For senders to whom no file is known."""
    return None


class Replies(Protocol):
    """What partners were answered over one transport, where a repeat gets the same, to the byte."""

    async def find(self, partner_id: str, transport_id: str) -> bytes | None:
        """The answer to a sending, None where there was none yet."""

    async def keep(self, partner_id: str, transport_id: str, reply: bytes) -> bytes:
        """Keep an answer before it is given; the one that is to be given, which is an earlier one where there was one."""


class Receiver(Protocol):
    """Receives in the background."""

    async def run(self) -> None:
        """Receive until cancelled; whatever goes wrong with one sending is logged, and stops no other."""


class Sender(Protocol):
    """Sends one delivery. Raises DeliveryDeferred (try again) or DeliveryRefused (never again)."""

    async def send(self, delivery: Delivery, agreement: Agreement) -> Evidence | Awaiting:
        """Send the delivery's body, byte for byte, under its id."""

    async def close(self) -> None:
        """Let go of connections."""
