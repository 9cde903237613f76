"""What the next commit writes: a share for each message that it holds, so that one can be left out or written alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain

from gateway.decide import facts
from gateway.decide.facts import Facts
from gateway.deliver.dispatch import Dispatch
from gateway.store.contract import Answered, MessageRecord, NewReceipt
from gateway.trip.examine import Message


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
    fault: str = ""
    """Why the message was not processed, for the log."""


@dataclass(slots=True)
class Transaction:
    """What the next commit writes, and the names of all that it changes."""

    shares: list[Share] = field(default_factory=list)
    cases: set[str] = field(default_factory=set)
    """Cases, and waiting documents that have found theirs."""
    keys: set[facts.Key] = field(default_factory=set)
    ledgers: set[str] = field(default_factory=set)
    findings: int = 0
    """In the records of all shares."""

    def add(self, share: Share) -> None:
        """Write `share` too."""
        self.shares.append(share)
        self.findings += sum(len(record.findings) for record in share.records)
        dispatch = share.dispatch
        self.cases.update((change.case_id for change in dispatch.cases), dispatch.attached)
        self.keys.update(chain.from_iterable(change.add_keys for change in dispatch.cases))
        self.keys.update(chain.from_iterable(wait.keys for wait in dispatch.waits))
        self.ledgers.update(move.ledger for move in dispatch.ledger)

    def meets(self, known: Facts) -> bool:
        """Whether `known` rests on something that this transaction is about to change."""
        for query, answer in known.answers.items():
            match query:
                case facts.CasesByKeys() | facts.Waiting():
                    found = answer.value if isinstance(answer.value, tuple) else ()
                    # A document that has found its case waits no more.
                    if query.keys & self.keys or any(getattr(v, "id", "") in self.cases for v in found):
                        return True
                case facts.CaseById():
                    if query.id in self.cases:
                        return True
                case facts.LedgerBalance():
                    if query.name in self.ledgers:
                        return True
        return False
