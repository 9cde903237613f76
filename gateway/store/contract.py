"""What the rest of the house asks of the store: values to commit, and the operations.

Every writing operation returns only after its commit is durable. Writers are batched: many
operations share one transaction, which appends their receipts to the Merkle log and signs one
checkpoint as its last statements (group commit). An operation that fails its own check (a moved
fact, a lost lease, a repeated id) fails alone; the others of its batch go on.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from gateway.decide.facts import Facts, Query
from gateway.model import (
    Agreement,
    ApiKey,
    Attempt,
    CaseEvent,
    Delivery,
    FeedEntry,
    Finding,
    Identifier,
    InterchangeRef,
    MessageState,
    Partner,
    Payload,
    PayloadState,
    Receipt,
    Stage,
    Syntax,
)


@dataclass(frozen=True, slots=True)
class NewReceipt:
    """A leaf to append: canonical JSON about `subject_id`."""

    stage: Stage
    subject_id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Accepted:
    """What commit 1 made, or made before: the stored `received` receipt, byte for byte."""

    payload_id: str
    receipt: Receipt
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class Claimed:
    """A payload in a worker's hands until `lease_until`, from message `position` on."""

    payload: Payload
    fence: int
    lease_until: datetime
    position: int = 0
    """How many messages of it earlier commits have dealt with."""


@dataclass(frozen=True, slots=True)
class MessageRecord:
    """One message as commit 2 keeps it."""

    id: str
    payload_id: str
    number: int
    """1-based position in the payload."""
    partner_id: str
    syntax: Syntax
    format: str
    reference: str
    state: MessageState
    at: datetime
    interchange: str = ""
    """The interchange's control reference."""
    document_type: str = ""
    document: Mapping[str, object] | None = None
    findings: tuple[Finding, ...] = ()
    case_id: str = ""
    test: bool = False
    schema_digest: str = ""
    mapping_digest: str = ""


@dataclass(frozen=True, slots=True)
class CaseChange:
    """A case made (`expected_version` 0) or changed; FactsMoved if its version is another by now."""

    case_id: str
    expected_version: int
    status: str
    partner_id: str
    test: bool = False
    add_keys: frozenset[tuple[str, str]] = frozenset()
    documents: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """Newest document by type, to be laid over those the case has."""
    events: tuple[CaseEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class Wait:
    """A document (or a part of it) that matched nothing yet, findable by its keys."""

    id: str
    document_type: str
    keys: frozenset[tuple[str, str]]
    document: Mapping[str, object]
    message_id: str
    partner_id: str
    test: bool = False


@dataclass(frozen=True, slots=True)
class LedgerMove:
    """An amount added to (positive) or drawn from (negative) a named balance; decimal as text."""

    ledger: str
    amount: str
    message_id: str


_NOT_STORABLE = re.compile("[\0\ud800-\udfff]")


def storable(text: str) -> str:
    """`text` as every engine keeps it and finds it again: U+FFFD for lone surrogates (bytes that were no UTF-8) and U+0000.

    What a peer says can hold both; neither engine keeps the one, and PostgreSQL does not keep the other.
    """
    return _NOT_STORABLE.sub("\ufffd", text)


@dataclass(frozen=True, slots=True)
class Answered:
    """A recipient's business answer to one of our deliveries, with the receipt that proves it."""

    delivery_id: str
    receipt: NewReceipt
    at: datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything commit 2 writes about (a chunk of) one payload, in one transaction.

    `facts` are the answers the decision rests on: if one has another version by now, the commit
    raises FactsMoved and writes nothing. `interchanges` that another payload used within their
    window of this one's arrival raise FactsMoved too: `find_interchange` then finds the duplicate.
    """

    payload_id: str
    fence: int
    position: int
    finished: bool
    messages: tuple[MessageRecord, ...] = ()
    interchanges: tuple[tuple[InterchangeRef, timedelta], ...] = ()
    facts: Facts | None = None
    cases: tuple[CaseChange, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    feed: tuple[FeedEntry, ...] = ()
    receipts: tuple[NewReceipt, ...] = ()
    waits: tuple[Wait, ...] = ()
    attached: tuple[str, ...] = ()
    """Ids of waiting documents that have found their case."""
    ledger: tuple[LedgerMove, ...] = ()
    answers: tuple[Answered, ...] = ()
    """Deliveries that the messages answer; each is answered once, by whichever comes first."""
    failed: str = ""
    """Why the payload could not be processed at all (our fault), for the operator."""


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """How an attempt ended. With `next_at` the delivery is tried again then; without, it is done or dead."""

    delivery_id: str
    fence: int
    number: int
    outcome: str
    """`delivered`, `relayed`, `deferred` or `refused`."""
    at: datetime
    detail: str = ""
    next_at: datetime | None = None
    receipts: tuple[NewReceipt, ...] = ()
    lane: str = ""
    """The delivery's lane, by which the store knows what the report touches before it looks."""


@dataclass(frozen=True, slots=True)
class PayloadView:
    """A payload with all that became of it, for GET /v1/messages/{id}."""

    payload: Payload
    state: PayloadState
    failed: str
    messages: tuple[MessageRecord, ...]
    deliveries: tuple[Delivery, ...]
    receipts: tuple[Receipt, ...]
    offered: tuple[FeedEntry, ...] = ()
    """What its sender may fetch from a feed of its own, such as acknowledgements that no agreement pushes."""


@dataclass(frozen=True, slots=True)
class CaseView:
    """A case with its timeline, documents' messages, deliveries (done ones too) and receipts."""

    id: str
    version: int
    status: str
    partner_id: str
    test: bool
    keys: frozenset[tuple[str, str]]
    documents: Mapping[str, Mapping[str, object]]
    events: tuple[CaseEvent, ...]
    messages: tuple[MessageRecord, ...]
    deliveries: tuple[Delivery, ...]
    attempts: tuple[Attempt, ...]
    receipts: tuple[Receipt, ...]


@dataclass(frozen=True, slots=True)
class Proven:
    """A receipt with what proves it: inclusion hashes against a signed checkpoint of `size` leaves."""

    receipt: Receipt
    size: int
    proof: tuple[bytes, ...]
    checkpoint: str
    """The signed note."""


@dataclass(frozen=True, slots=True)
class Pressure:
    """How much waits: what overload and readiness are judged by."""

    payloads_waiting: int
    deliveries_waiting: int
    deliveries_dead: int
    oldest_payload_at: datetime | None


class Store(Protocol):
    """The one I/O seam to what is durable. Raises StoreUnavailable and StorageFull where it must."""

    async def open(self) -> None:
        """Connect; the schema must be at its newest migration."""

    async def close(self) -> None:
        """Finish what is queued and disconnect."""

    # Commit 1
    async def accept(self, payload: Payload, receipt: NewReceipt) -> Accepted:
        """Keep `payload` and its receipt. TransportIdReused where its transport id came with another digest."""

    # Between the commits
    async def claim_payloads(self, limit: int, lease: timedelta, now: datetime) -> Sequence[Claimed]:
        """The oldest payloads that nobody holds, in order of arrival; with their bodies, but for what was lost."""

    async def renew_payload(self, payload_id: str, fence: int, lease: timedelta, now: datetime) -> None:
        """Hold a claimed payload longer; LeaseLost if another worker has it."""

    async def earlier_undecided(self, payload_id: str) -> bool:
        """Whether another payload of the same sender arrived before this one and is not decided yet."""

    async def find_interchange(
        self, ref: InterchangeRef, window: timedelta, received_at: datetime, payload_id: str
    ) -> str:
        """Which other payload than `payload_id` used `ref` within `window` of `received_at`; empty where none did."""

    async def facts(self, queries: Iterable[Query], known: Facts, for_id: str) -> Facts:
        """`known` with the answers to `queries`; a number is reserved for `for_id`, the same one each time."""

    async def stage(self, payload_id: str, fence: int, position: int, messages: Sequence[MessageRecord]) -> None:
        """Keep checked messages of a large interchange until its trailer is seen; repeatable."""

    async def staged(self, payload_id: str, after: int, limit: int) -> Sequence[MessageRecord]:
        """Staged messages with number > `after`, in order."""

    # Commit 2
    async def commit(self, outcome: Outcome) -> None:
        """Write `outcome` whole, or raise FactsMoved or LeaseLost and write nothing."""

    # Deliver
    async def claim_deliveries(self, limit: int, lease: timedelta, now: datetime) -> Sequence[Delivery]:
        """Lane heads that are due, each leased, with its attempt already recorded (`attempts` counts it).

        One whose lease ran out in the last attempt that its agreement allows is dead instead.
        """

    async def renew_delivery(self, delivery_id: str, fence: int, lease: timedelta, now: datetime) -> None:
        """Hold a claimed delivery longer; LeaseLost if another worker has it."""

    async def finish_attempt(self, result: AttemptResult) -> None:
        """Complete an attempt; LeaseLost if the fence is not the current one."""

    async def retry_delivery(self, delivery_id: str, now: datetime) -> None:
        """Make a dead delivery due again, same bytes, same id."""

    async def skip_delivery(self, delivery_id: str, now: datetime) -> None:
        """Take a dead delivery out of its lane, so that the next one may go."""

    async def delivery_by_reference(self, partner_id: str, reference: str) -> Delivery | None:
        """The newest delivery to a partner that carries `reference`; by it an answer finds what it answers."""

    async def payload(self, payload_id: str) -> PayloadView:
        """NotFound where there is none."""

    async def reopen_payload(self, payload_id: str) -> None:
        """Let a payload be processed again by today's tables (reprocess); what it makes has the same ids."""

    async def payloads(self, partner_id: str, state: str, after: str, limit: int) -> Sequence[PayloadView]:
        """Payloads newest first, without bodies; `partner_id` and `state` may be empty; `after` a payload id."""

    async def case(self, key: str, partner_id: str = "", *, test: bool = False) -> Sequence[CaseView]:
        """The cases found by an id or any business key; only those `partner_id` takes part in, unless empty."""

    async def feed(
        self, name: str, partner_id: str, after: int, limit: int, *, test: bool = False
    ) -> Sequence[FeedEntry]:
        """Entries with sequence > `after`, in order, that `partner_id` may read."""

    async def feed_end(self, name: str, *, test: bool = False) -> int:
        """Sequence number of the newest entry of a feed, 0 where it has none."""

    async def feed_entry(self, name: str, partner_id: str, sequence: int, *, test: bool = False) -> FeedEntry:
        """One entry with its body; NotFound where there is none that `partner_id` may read."""

    async def delivery(self, delivery_id: str) -> Delivery:
        """One delivery with its body; NotFound where there is none."""

    async def deliveries(self, partner_id: str, state: str, limit: int) -> Sequence[Delivery]:
        """Deliveries by state, newest first, done ones too."""

    async def pressure(self) -> Pressure:
        """How much waits."""

    async def probe(self) -> None:
        """Commit a trace, as commit 1 would; StoreUnavailable or StorageFull where nothing can be committed."""

    # The receipt log
    async def proven(self, index: int) -> Proven:
        """A receipt with its inclusion proof against the newest checkpoint; NotFound where there is none."""

    async def receipts_of(self, subject_ids: Iterable[str]) -> Sequence[Receipt]:
        """All receipts about these, in log order."""

    async def consistency(self, old_size: int) -> tuple[tuple[bytes, ...], str]:
        """The proof that the newest checkpoint extends the tree of `old_size`, and that checkpoint."""

    async def checkpoint(self) -> str:
        """The newest signed checkpoint; empty before the first commit."""

    def log(self, after: int = -1) -> AsyncIterator[Receipt]:
        """Every receipt with index > `after`, in order, in bounded memory."""

    # Registry
    async def import_partners(
        self, partners: Iterable[Partner], agreements: Iterable[Agreement], keys: Iterable[ApiKey]
    ) -> tuple[int, int, int]:
        """Add or replace in bulk; how many partners, agreements and keys."""

    async def partner(self, partner_id: str) -> Partner:
        """NotFound where there is none."""

    async def partner_by(self, identifier: Identifier) -> Partner | None:
        """The partner that goes by `identifier`."""

    async def partners(self, after: str, limit: int) -> Sequence[Partner]:
        """Partners by id, for a cursor."""

    async def partners_with_role(self, role: str) -> Sequence[Partner]:
        """Active partners that have `role` (few: customs, ports, bureaus)."""

    async def agreements(self, partner_id: str) -> Sequence[Agreement]:
        """All agreements of a partner."""

    async def api_key(self, hash_: str) -> ApiKey | None:
        """The key with this hash."""

    async def registry_version(self) -> int:
        """Grows with every import; caches of partners and agreements are good for one version."""
