"""What the next commit writes: a share for each message that it holds, so that one can be left out or written alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from gateway.decide.apply import Applied
from gateway.decide.facts import Answer, Facts, Query
from gateway.decide.ground import Ground
from gateway.store.contract import Answered, MessageRecord, NewReceipt
from gateway.trip.address import Dispatch, gather_written
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
    raised: list[Share] = field(default_factory=list)
    """Of the documents that its decision raised: they are written with it, or not at all."""


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
        for one in with_raised([share]):
            self.findings += sum(len(record.findings) for record in one.records)
            self.ground.take(one.applied)

    def fork(self) -> Transaction:
        """Another one for what may still come to nothing: it sees what this one does, and adds nothing to it.

        What the store said is told once to both.
        """
        return Transaction(asked=self.asked, ground=self.ground.copy())


def gather_shares(shares: Sequence[Share]) -> dict[str, Any]:
    """What all of them write, in order, as an outcome takes it by name."""
    return {
        "messages": tuple(chain.from_iterable(share.records for share in shares)),
        "facts": Facts({query: answer for share in shares for query, answer in share.facts.answers.items()}),
        "receipts": tuple(chain.from_iterable(share.receipts for share in shares)),
        "answers": tuple(chain.from_iterable(share.answers for share in shares)),
        **gather_written(share.dispatch for share in shares),
    }


def with_raised(shares: Iterable[Share]) -> Iterator[Share]:
    """Each share, and after it those of the documents that it raised."""
    for share in shares:
        yield share
        yield from with_raised(share.raised)
