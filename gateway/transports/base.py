"""What every transport has in common: what arrives, what a sending comes to, and the interfaces."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gateway.model import Agreement, Delivery
from gateway.store.contract import Accepted


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


Intake = Callable[[Arrival], Awaitable[Accepted]]
"""Keeps an arrival and returns its receipt, only after the commit.

Raises TransportIdReused, PayloadTooLarge, PayloadUnreadable, NotPermitted (permanent), Overloaded,
StorageFull, StoreUnavailable (temporary).
"""


@dataclass(frozen=True, slots=True)
class Evidence:
    """How we know that the recipient has it."""

    outcome: str
    """`delivered`, or `relayed` where only a relay has taken it."""
    kind: str
    """`http_digest`, `http_status`, `folder_rename`, ..."""
    detail: str = ""
    """What the peer said, such as its status line."""
    answer: bytes = b""
    """What the peer returned, verbatim from its first byte on; receipts hold its digest."""
    digest: str = ""
    """The sha256 the peer confirmed, where it confirmed one."""


class Receiver(Protocol):
    """Receives in the background."""

    async def run(self) -> None:
        """Receive until cancelled; whatever goes wrong with one sending is logged, and stops no other."""


class Sender(Protocol):
    """Sends one delivery. Raises DeliveryDeferred (try again) or DeliveryRefused (never again)."""

    async def send(self, delivery: Delivery, agreement: Agreement) -> Evidence:
        """Send the delivery's body, byte for byte, under its id."""

    async def close(self) -> None:
        """Let go of connections."""
