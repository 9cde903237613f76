"""What the next commit writes: a share for each message that it holds, so that one can be left out or written alone."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.decide.apply import Applied, Ground
from gateway.decide.facts import Answer, Facts, Query
from gateway.store.contract import Answered, MessageRecord, NewReceipt
from gateway.trip.address import Dispatch
from gateway.trip.examined import Message


@dataclass(slots=True)
class Share:
    """What one message, or the acknowledgement of one interchange, adds to a transaction."""

    number: int
    """The message's number; 0 for what is no message."""
    dispatch: Dispatch
    message: Message | None = None
    records: list[MessageRecord] = field(default_factory=list)
    receipts: list[NewReceipt] = field(default_factory=list)
    answers: list[Answered] = field(default_factory=list)
    facts: Facts = field(default_factory=Facts)
    """What the store said, as the commit compares it."""
    applied: Applied = field(default_factory=Applied)
    fault: str = ""
    """Why the message was not processed, for the log."""


@dataclass(slots=True)
class Transaction:
    """What the next commit writes, and what later messages are to see of it before that."""

    shares: list[Share] = field(default_factory=list)
    asked: dict[Query, Answer] = field(default_factory=dict)
    """What the store said so far: whoever asks the same is told the same, so that all rest on one state of it."""
    ground: Ground = field(default_factory=Ground)
    findings: int = 0
    """In the records of all shares."""

    def add(self, share: Share) -> None:
        """Write `share` too."""
        self.shares.append(share)
        self.findings += sum(len(record.findings) for record in share.records)
        self.ground.take(share.applied)
