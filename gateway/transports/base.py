"""What every transport has in common: what arrives, what a sending comes to, and the interfaces."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from gateway.model import Agreement, Delivery, Stage, Transcript
from gateway.store.contract import Accepted, Settled, storable


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


FindAwaited = Callable[[str, str], Awaitable[Delivery | None]]
"""Finds what a confirmation by a partner (its id first) of a reference is about; None where nobody awaits, or awaited, it."""


async def find_nothing_awaited(_partner_id: str, _reference: str) -> Delivery | None:
    """For transports of which nobody asks."""
    return None


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


SECRET = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})
"""Headers, in small letters, whose values stand in no record."""


@dataclass(slots=True)
class Record:
    """What one attempt says and hears, as its sender tells it; whoever runs the partner's end reads it afterwards."""

    address: str = ""
    sent: tuple[tuple[str, str], ...] = ()
    size: int | None = None
    sha256: str = ""
    status: str = ""
    answered: tuple[tuple[str, str], ...] = ()
    answer: bytes = b""

    def tell_sent(self, address: str, fields: Iterable[tuple[str, str]] = (), wire: bytes | None = None) -> None:
        """To be told before anything goes: where, with what around it, and the bytes where the body was wrapped."""
        self.address, self.sent = address, _without_secrets(fields)
        if wire is not None:
            self.size, self.sha256 = len(wire), hashlib.sha256(wire).hexdigest()

    def tell_answered(self, status: str, fields: Iterable[tuple[str, str]] = (), answer: bytes = b"") -> None:
        """To be told as soon as the peer has spoken: its first line, what came around its words, and these."""
        self.status, self.answered, self.answer = status, _without_secrets(fields), answer

    def transcript(self, seconds: float) -> Transcript:
        """What is kept of it."""
        said = (storable(self.status), self.answered, self.answer)
        return Transcript(self.address, self.sent, self.size, self.sha256, *said, seconds)


def _without_secrets(fields: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((storable(name), "…" if name.lower() in SECRET else storable(value)) for name, value in fields)


def public_address(url: str) -> str:
    """A URL as it may be told: without its query and fragment, which may hold a secret."""
    return url.partition("?")[0].partition("#")[0]


class Sender(Protocol):
    """Sends one delivery. Raises DeliveryDeferred (try again), EndpointGone or DeliveryRefused (never again)."""

    def find_address(self, agreement: Agreement) -> str:
        """Where it goes under the agreement, as an operator knows it: sendings to one address fail together.

        Without secrets; empty where all that a partner gets over this transport goes to one place.
        """

    async def send(self, delivery: Delivery, agreement: Agreement, record: Record) -> Evidence | Awaiting:
        """Send the delivery's body, byte for byte, under its id, and tell `record` what is said and heard."""

    async def close(self) -> None:
        """Let go of connections."""
