"""What is in hand while what a decision came to is carried out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.model import Partner, Syntax


@dataclass(frozen=True, slots=True)
class InHand:
    """The message whose effects are carried out."""

    message_id: str
    """The occasion's: of a deadline too, which has no message."""
    sender: Partner
    """GATEWAY where nobody sent anything."""
    at: datetime
    test: bool = False
    syntax: Syntax | None = None
    """In which it came, and may be answered; None for what was no message."""
    is_answered: bool = False
    """Whether its sender waits for the answer in the exchange by which it came."""
