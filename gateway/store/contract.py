"""What the rest of the house asks of the store: values to commit, and the operations.

Every writing operation returns only after its commit is durable. Writers are batched: many
operations share one transaction, which appends their receipts to the Merkle log and signs one
checkpoint as its last statements (group commit). An operation that fails its own check (a moved
fact, a lost lease, a repeated id) fails alone; the others of its batch go on.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from gateway.decide.facts import Facts, Query
from gateway.findings import make_finding
from gateway.model import (
    Account,
    Agreement,
    Attempt,
    CaseEvent,
    Credential,
    Deadline,
    Delivery,
    Entry,
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
    Task,
)
from gateway.receipt.stored import StoredLog


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
    claimed: Claimed | None = None
    """What was claimed with it, for the node that accepted it."""


class Standing(StrEnum):
    """What a payload is in a list: on its way, failed, or what its messages are, all together."""

    NONE = ""
    """No verdict yet."""
    RECEIVED = "received"
    ACCEPTED = "accepted"
    PARTLY_ACCEPTED = "partly_accepted"
    """Its messages differ."""
    REJECTED = "rejected"
    HELD = "held"
    FAILED = "failed"

    def with_messages(self, states: Iterable[MessageState]) -> Standing:
        """The verdict over messages that have this one already, and further ones."""
        verdicts = {Standing(state.value) for state in states} | {self} - {Standing.NONE}
        return Standing.PARTLY_ACCEPTED if len(verdicts) > 1 else verdicts.pop() if verdicts else self

    @property
    def payload_state(self) -> PayloadState:
        """Where such a payload stands between the two commits."""
        match self:
            case Standing.RECEIVED | Standing.NONE:
                return PayloadState.RECEIVED
            case Standing.FAILED:
                return PayloadState.FAILED
        return PayloadState.PROCESSED


VERDICTS = (Standing.ACCEPTED, Standing.PARTLY_ACCEPTED, Standing.REJECTED, Standing.HELD)
"""What a processed payload is."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A payload in a worker's hands until `lease_until`, from message `position` on."""

    payload: Payload
    fence: int
    lease_until: datetime
    position: int = 0
    """How many messages of it earlier commits have dealt with."""
    begun: int = 0
    """Examinations of it that were begun before, one after the other, and of whose end nobody has told."""

    @property
    def work(self) -> Work:
        """What commit 2 finishes with."""
        return Work(WorkKind.PAYLOAD, self.payload.id, self.fence)


class WorkKind(StrEnum):
    """What can be claimed, decided, and finished with by commit 2."""

    PAYLOAD = "payload"
    DEADLINE = "deadline"


@dataclass(frozen=True, slots=True)
class Work:
    """A claimed piece of work, and the fence under which it is held."""

    kind: WorkKind
    id: str
    fence: int


@dataclass(frozen=True, slots=True)
class ClaimedDeadline:
    """A deadline that is over, in a worker's hands."""

    deadline: Deadline
    fence: int
    begun: int = 0
    """How often it was claimed before, and not finished with."""

    @property
    def work(self) -> Work:
        """What commit 2 finishes with."""
        return Work(WorkKind.DEADLINE, self.deadline.id, self.fence)


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
    untold: int = 0
    """Findings that a view has counted only, since they are too long for it."""


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
    kind: str = "consignment"
    tracks: Mapping[str, str] = field(default_factory=dict)
    left: Mapping[str, str] = field(default_factory=dict)
    """By track, the state that was left for the present one."""
    noted: bool = False
    """Whether its timeline alone gets lines: the case stays as it is, whatever its version is by now."""


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
class CaseLink:
    """The case `case_id` belongs to `other_id` as its `kind`."""

    case_id: str
    kind: str
    other_id: str


@dataclass(frozen=True, slots=True)
class AccountChange:
    """An account as it is then, its version the next after the one decided on, and those of its entries that changed."""

    account: Account
    entries: tuple[Entry, ...]


_NOT_STORABLE = re.compile("[\0\ud800-\udfff]")


def storable(text: str) -> str:
    """`text` as every engine keeps it and finds it again: U+FFFD for lone surrogates (bytes that were no UTF-8) and U+0000.

    What a peer says can hold both; neither engine keeps the one, and PostgreSQL does not keep the other.
    """
    return _NOT_STORABLE.sub("\ufffd", text)


_LONGEST_KEY = 600
"""Bytes of a text in an index: PostgreSQL takes rows of 2,704 bytes there, and an interchange is known by three texts."""


def storable_key(text: str) -> str:
    """As `storable`, for what an index holds: a longer text is known by its beginning and its digest."""
    known = storable(text)
    encoded = known.encode()
    return known if len(encoded) <= _LONGEST_KEY else f"{known[:100]}…{hashlib.sha256(encoded).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Answered:
    """A recipient's business answer to one of our deliveries, with the receipt that proves it."""

    delivery_id: str
    receipt: NewReceipt
    at: datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything commit 2 writes about a claimed piece of work, or a chunk of one payload, in one transaction.

    `facts` are the answers the decision rests on: if one has another version by now, the commit
    raises FactsMoved and writes nothing. `interchanges` that another payload used within their
    window of this one's arrival raise FactsMoved too: `find_interchange` then finds the duplicate.
    """

    work: Work
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
    accounts: tuple[AccountChange, ...] = ()
    """FactsMoved where the version of one is not the next by now."""
    links: tuple[CaseLink, ...] = ()
    deadlines: Mapping[str, Deadline | None] = field(default_factory=dict)
    """Deadlines that are set, or set anew, by id; None for those that are undone."""
    tasks: tuple[Task, ...] = ()
    """Tasks as they are then; FactsMoved where one's version is not the one before by now."""
    answers: tuple[Answered, ...] = ()
    """Deliveries that the messages answer; each is answered once, by whichever comes first."""
    failed: str = ""
    """Why the payload could not be processed at all (our fault), for the operator."""
    faults: int = 0
    """How many of the payload's messages, or of its parts that could not be read, failed while the others went on."""


ConfirmationKey = tuple[str, str, str]
"""A partner's id, a transport, and the reference under which a confirmation comes over it."""


@dataclass(frozen=True, slots=True)
class Awaits:
    """What is waited for after a delivery was handed over."""

    partner_id: str
    transport: str
    reference: str
    """What the confirmation will name; unique among the partner's over this transport, or the newest one is meant."""
    until: datetime
    """When it is tried again, if no confirmation has come."""

    @property
    def key(self) -> ConfirmationKey:
        """By which the confirmation finds the delivery."""
        return self.partner_id, self.transport, storable_key(self.reference)


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What a recipient said, by itself and later, of something that was handed over to it."""

    key: ConfirmationKey
    verdict: str
    """`delivered` or `relayed`; `refused` (never again) or `deferred` (send it again)."""
    at: datetime
    kind: str
    detail: str = ""
    answer: bytes = b""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Awaited:
    """A delivery whose confirmation is, or was, waited for."""

    key: ConfirmationKey
    delivery: Delivery
    """Without its body."""
    settled: bool = False
    """Whether a confirmation has come and counted."""
    came: Confirmation | None = None
    """One that came before the gateway knew what it was about, and has not counted yet."""


class Settled(StrEnum):
    """What a confirmation came to."""

    COUNTED = "counted"
    REPEATED = "repeated"
    """The same was confirmed before; nothing changed."""
    LATE = "late"
    """The delivery is over, or a later attempt is under way, which will tell; nothing changed."""
    EARLY = "early"
    """Nobody awaits it: it is kept, and counts when its delivery turns out to have been handed over."""
    MOVED = "moved"
    """Something happened to the delivery meanwhile; look again."""


UNCONFIRMED = "unconfirmed"
"""The verdict where the time is over and no confirmation has come."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a confirmation, or its absence, is to make of a delivery."""

    awaited: Awaited
    """As it was seen."""
    verdict: str
    """As a confirmation's, or `UNCONFIRMED`."""
    at: datetime
    detail: str = ""
    next_at: datetime | None = None
    """When it is tried again; without, one that was not confirmed is dead."""
    receipts: tuple[NewReceipt, ...] = ()


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """How an attempt ended. With `next_at` the delivery is tried again then; without, it is done or dead."""

    delivery_id: str
    fence: int
    number: int
    outcome: str
    """`delivered`, `relayed`, `awaiting`, `deferred` or `refused`."""
    at: datetime
    detail: str = ""
    next_at: datetime | None = None
    receipts: tuple[NewReceipt, ...] = ()
    lane: str = ""
    """The delivery's lane, by which the store knows what the report touches before it looks."""
    awaits: Awaits | None = None
    """What it waits for from now on, where its outcome is `awaiting`."""


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that somebody must look at."""

    kind: str
    """Groups alerts, such as `delivery_dead`."""
    subject: str
    """What it is about and which time of it: the same subject alerts once, such as a delivery's id and attempt."""
    reasons: tuple[Finding, ...]
    """Why, as findings of the catalogue."""
    at: datetime
    case_id: str = ""
    partner_id: str = ""
    message_id: str = ""
    delivery_id: str = ""
    test: bool = False
    details: Mapping[str, object] = field(default_factory=dict)
    """What a program may want of it besides; JSON-ready."""


@dataclass(frozen=True, slots=True)
class Share:
    """How much of a worker one partner may take up, so that one that hangs does not hold up all others."""

    each: int
    """Sendings to one partner under way at once."""
    busy: Mapping[str, int] = field(default_factory=dict)
    """Sendings under way by now, by partner."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Bytes that are kept: small ones are here, large ones in a file, so that they can be handed on piece by piece."""

    size: int
    body: bytes = b""
    path: str = ""
    """The file that holds them; empty where they are here."""


@dataclass(frozen=True, slots=True)
class PayloadView:
    """A payload with what became of a page of its messages, for GET /v1/messages/{id}."""

    payload: Payload
    state: PayloadState
    failed: str
    messages: tuple[MessageRecord, ...]
    deliveries: tuple[Delivery, ...]
    receipts: tuple[Receipt, ...]
    offered: tuple[FeedEntry, ...] = ()
    """What its sender may fetch from a feed of its own, such as acknowledgements that no agreement pushes."""
    standing: Standing = Standing.NONE
    next: int | None = None
    """The number of the last message here, where more follow."""


@dataclass(frozen=True, slots=True)
class PayloadLine:
    """A payload in a list, with its first messages, which come without documents."""

    payload: Payload
    standing: Standing
    failed: str
    messages: tuple[MessageRecord, ...]

    @property
    def state(self) -> PayloadState:
        """Where it stands between the two commits."""
        return PayloadState.FAILED if self.failed else self.standing.payload_state


LONGEST_PAGE = 1000
"""Messages, events or deliveries in one piece of a view unless fewer are asked for: some megabytes with their documents."""
CASES = 10
"""Cases in one answer to a key: each comes with its documents."""


@dataclass(frozen=True, slots=True)
class CasePlace:
    """Where a piece of a case's timeline begins: what is older than each of these is wanted."""

    event: int
    at: int
    """Microseconds since 1970 of a message."""
    number: int
    """That message's."""
    delivery: int
    """Sequence of a delivery."""


@dataclass(frozen=True, slots=True)
class CaseView:
    """A case with a piece of its timeline: the newest of its events, messages and deliveries (done ones too), in order.

    The receipts and attempts are those of the messages and deliveries in the piece; messages come without documents.
    """

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
    spoken_of: tuple[Delivery, ...] = ()
    """Further deliveries that the events here are about."""
    earlier: CasePlace | None = None
    """Where the piece before this one begins, if there is one."""
    weight: int = 0
    """Bytes of its documents as they are kept, which is packed."""
    kind: str = "consignment"
    tracks: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CasePage:
    """Some of the cases that a key finds, the newest first."""

    cases: tuple[CaseView, ...]
    next: str = ""
    """The id after which the next ones come; empty at the end."""


@dataclass(frozen=True, slots=True)
class Proven:
    """A receipt with what proves it: inclusion hashes against a signed checkpoint of `size` leaves."""

    receipt: Receipt
    size: int
    proof: tuple[bytes, ...]
    checkpoint: str
    """The signed note."""


COUNTED = 100_000
"""Deliveries that are counted at most: the count is asked for every second, and far more than this may wait for a
recipient that is away for long."""


@dataclass(frozen=True, slots=True)
class Pressure:
    """How much waits: what overload and readiness are judged by. Nothing is counted beyond `COUNTED`.

    What is held waits for an operator, and is apart.
    """

    payloads_waiting: int
    deliveries_waiting: int
    deliveries_dead: int
    oldest_payload_at: datetime | None
    payloads_held: int = 0
    deliveries_held: int = 0
    deliveries_awaiting: int = 0
    """Handed over, and not confirmed yet."""


@dataclass(frozen=True, slots=True)
class LogBreak:
    """The log had to take a new name, because the database no longer held what had been signed."""

    origin: str
    """The new name."""
    earlier: str
    """The name it gave up."""
    at: datetime
    size: int
    """Entries of the log that the database still held."""
    known_origin: str
    known_size: int
    """The newest checkpoint that was known from elsewhere: its name, and how many entries it vouches for."""
    why: str
    """A `Judgement`, or `untrusted` of an anchor that could not be read."""
    lost: int
    """Entries of the log known to be lost (at most, where it was rewritten); there may be those of another second."""
    lost_from: datetime | None
    """When the last entry was written that is still there."""
    lost_until: datetime | None
    """When the newest checkpoint was known that the database does not hold."""
    skipped: int
    """By how much the counters of document numbers were moved on."""
    reconciled_at: datetime | None = None

    @property
    def finding(self) -> Finding:
        """What happened, to be put into words."""
        return make_finding(
            f"history.{self.why}",
            size=self.size,
            known_size=self.known_size,
            origin=self.origin,
            earlier=self.earlier,
            known=self.known_origin,
        )


@dataclass(frozen=True, slots=True)
class HeldPayload:
    """A payload between the two commits that waits for an operator."""

    id: str
    partner_id: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What an operator has to reconcile after the store was set back."""

    breaks: tuple[LogBreak, ...]
    """All that there have been, the newest first; those without `reconciled_at` are open."""
    deliveries: tuple[Delivery, ...]
    """Held deliveries in the order of their lanes, without bodies; `next_at` is since when."""
    deliveries_held: int
    payloads: tuple[HeldPayload, ...]
    payloads_held: int


@dataclass(frozen=True, slots=True)
class RegistryChanges:
    """What has changed in the registry since a version of it."""

    version: int
    """Up to which these are known."""
    everything: bool = False
    """Whether anything may have changed, since it is too much or not known one by one; what follows is empty then."""
    partners: frozenset[str] = frozenset()
    """Ids of partners that changed, or whose agreements or credentials did, or lost one."""
    names: frozenset[Identifier] = frozenset()
    """What these go by now; somebody else, or nobody, may have gone by it before."""
    roles: frozenset[str] = frozenset()
    """What these are now."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks: what is another's is not there for it, by the same query that does not find what is not there at all."""

    partner_id: str = ""
    """Whose things are seen; anybody's where empty."""
    test_only: bool = False
    """Whether test traffic alone is seen."""


ANYONE = Viewer()
"""The gateway itself and its operator, who see everything."""


@dataclass(frozen=True, slots=True)
class AuditMark:
    """Who audits the log, by the end of its hold in microseconds, and how far it has come."""

    now: int
    until: int
    """The end of the hold that is wanted; it differs from node to node, and is its name."""
    held: int = 0
    """The end of the hold that this node has; 0 where it has none."""
    place: int = -1
    """Entries that are looked at, as the hold's end says them; negative where they are asked for."""


ORPHAN_SECONDS = 24 * 3600.0
"""Age at which a file that nothing mentions is removed: no transaction is under way for so long."""


class Decisions(Protocol):
    """What deciding needs of a store."""

    async def facts(self, queries: Iterable[Query], known: Facts, for_id: str) -> Facts:
        """`known` with the answers to `queries`; numbers are reserved for `for_id`, and the same again when asked again."""

    async def commit(self, outcome: Outcome) -> None:
        """Write all of an outcome, or nothing: FactsMoved where its facts are others by now, LeaseLost for another's payload."""


class Store(Decisions, Protocol):
    """The one I/O seam to what is durable. Raises StoreUnavailable and StorageFull where it must."""

    async def open(self) -> None:
        """Connect; the schema must be at its newest migration."""

    async def close(self) -> None:
        """Finish what is queued and disconnect."""

    # Commit 1
    async def accept(self, payload: Payload, receipt: NewReceipt, lease: timedelta | None = None) -> Accepted:
        """Keep `payload` and its receipt, and claim it for this node where a `lease` is given.

        TransportIdReused where its transport id came with another digest.
        """

    # Between the commits
    async def claim_payloads(
        self, limit: int, lease: timedelta, now: datetime, *, without_large_of: Sequence[str] = ()
    ) -> Sequence[Claimed]:
        """The oldest payloads that nobody holds, in order of arrival; with their bodies, but for what was lost.

        A large payload comes with the file that holds it instead. Those of the partners `without_large_of` stay.
        """

    async def renew_payload(
        self, payload_id: str, fence: int, lease: timedelta, now: datetime, begun: int | None = None
    ) -> None:
        """Hold a claimed payload longer, or give it back by a lease that ends; LeaseLost if another worker has it.

        `begun` is what the next claim shall see as `Claimed.begun`; without it, this claim's examination counts.
        """

    async def earlier_undecided(self, payload_id: str) -> bool:
        """Whether another payload of the same sender arrived before this one and is not decided yet."""

    async def find_interchange(
        self, ref: InterchangeRef, window: timedelta, received_at: datetime, payload_id: str
    ) -> str:
        """Which other payload than `payload_id` used `ref` within `window` of `received_at`; empty where none did."""

    async def stage(self, payload_id: str, fence: int, position: int, messages: Sequence[MessageRecord]) -> None:
        """Keep checked messages of a large interchange until its trailer is seen; repeatable."""

    async def staged(self, payload_id: str, after: int, limit: int) -> Sequence[MessageRecord]:
        """Staged messages with number > `after`, in order."""

    async def failed_messages(self, payload_id: str, up_to: int) -> Sequence[MessageRecord]:
        """Its messages, up to that number, that a fault of ours kept from being processed."""

    async def claim_deadlines(self, limit: int, lease: timedelta, now: datetime) -> Sequence[ClaimedDeadline]:
        """Deadlines that are over, the oldest first, and that nobody holds.

        None that a message received before it may still forestall: while such a one is undecided, `deadlines.PATIENCE`
        at most; nor any while a break of the log is not reconciled.
        """

    async def return_deadline(self, work: Work, until: datetime, begun: int) -> None:
        """Give a claimed deadline back, to be claimed again from `until` on as one that was claimed `begun` times.

        LeaseLost if another worker has it, or it is gone.
        """

    async def bury_deadline(self, work: Work, alert: Alert) -> None:
        """Leave a claimed deadline to an operator, who is alerted; LeaseLost as above."""

    async def revive_deadline(self, deadline_id: str, now: datetime) -> None:
        """Let a deadline that was left to the operator be decided; NotFound where there is none such."""

    async def buried_deadlines(self, limit: int) -> Sequence[Deadline]:
        """Deadlines that were left to the operator, the oldest first."""

    # Commit 2
    async def reopen_payload(self, payload_id: str) -> None:
        """Let a payload be processed again by today's tables (reprocess); what it makes has the same ids."""

    # Nodes
    async def hold_as(self, node: str, now: datetime) -> int:
        """Claim as `node` from now on. What it held before it was started again is due at once; how much that was."""

    # Deliver
    async def claim_deliveries(
        self, limit: int, lease: timedelta, now: datetime, share: Share | None = None
    ) -> Sequence[Delivery]:
        """Lane heads that are due, each leased, with its attempt already recorded (`attempts` counts it).

        With a `share`, of each partner as many as it leaves room for; the room of the others is theirs.
        One whose lease ran out in the last attempt that its agreement allows is dead instead.
        """

    async def renew_delivery(self, delivery_id: str, fence: int, lease: timedelta, now: datetime) -> None:
        """Hold a claimed delivery longer; LeaseLost if another worker has it."""

    async def finish_attempt(self, result: AttemptResult) -> None:
        """Complete an attempt; LeaseLost if the fence is not the current one."""

    async def awaited(self, key: ConfirmationKey) -> Awaited | None:
        """The delivery that awaits, or awaited, this confirmation; None where nobody does."""

    async def overdue(self, limit: int, now: datetime) -> Sequence[Awaited]:
        """Deliveries whose confirmation is overdue at `now`, or came too early to count and has not counted since."""

    async def settle(self, settlement: Settlement) -> Settled:
        """Make of a delivery what its confirmation says; once, however often and from wherever it comes."""

    async def keep_confirmation(self, confirmation: Confirmation) -> Settled:
        """Keep a confirmation that nobody awaits: EARLY, or MOVED where somebody does by now."""

    async def retry_delivery(self, delivery_id: str, now: datetime) -> None:
        """Make a dead or held delivery due again, same bytes, same id."""

    async def skip_delivery(self, delivery_id: str, now: datetime) -> None:
        """Take a dead or held delivery out of its lane, so that the next one may go."""

    # Reconcile: after the store was set back
    async def reconciliation(self, partner_id: str, limit: int) -> Reconciliation:
        """What is held (of one partner only, unless empty), at most `limit` of each kind, and all breaks of the log."""

    async def held_deliveries(self, partner_id: str) -> Sequence[str]:
        """Ids of all held deliveries (of one partner only, unless empty), in the order of their lanes."""

    async def release_payloads(self) -> int:
        """Let held payloads be decided; how many."""

    async def skip_numbers(self, count: int) -> None:
        """Move all counters of document numbers on by `count`, those too that are not begun."""

    async def close_breaks(self, now: datetime) -> bool:
        """Mark the breaks of the log reconciled if nothing is held any more; whether nothing is."""

    # Read
    async def delivery_by_reference(self, partner_id: str, reference: str) -> Delivery | None:
        """The newest delivery to a partner that carries `reference`; by it an answer finds what it answers."""

    async def sent_delivery(
        self, case_id: str, partner_id: str, document_type: str, *, test: bool = False
    ) -> Delivery | None:
        """The newest delivery of such a document of a case that the partner may have by now; its answers are about it."""

    async def original(self, payload_id: str, *, body: bool = True) -> Payload:
        """A payload as it came, without its body where that is not asked for; NotFound where there is none."""

    async def message(self, message_id: str) -> MessageRecord:
        """One message without its document; NotFound where there is none."""

    async def payload(
        self,
        payload_id: str,
        after: int | None = None,
        limit: int = LONGEST_PAGE,
        *,
        bodies: bool = True,
        seen_by: Viewer = ANYONE,
        most: int = 0,
    ) -> PayloadView:
        """A payload with its messages from number `after` on, `limit` at most.

        With `most` the page ends at the first message by which their findings, as they are kept, exceed so many bytes.

        NotFound where there is none that `seen_by` may see.
        With `bodies` all bytes that are spoken of are read as well, and documents; without, only small ones of
        acknowledgements, responses and what its sender may fetch, as many as `views.MOST_BODIES` bytes have room for.
        """

    async def payloads(
        self, partner_id: str, state: str, after: str, limit: int, *, test: bool | None = None
    ) -> Sequence[PayloadLine]:
        """Payloads newest first; `partner_id` and `state` may be empty; `after` a payload id; of one traffic, or both.

        `state` is a `Standing`, or `processed` for all that have a verdict.
        """

    async def case(self, key: str, partner_id: str = "", *, test: bool = False) -> Sequence[CaseView]:
        """The newest `CASES` cases found by an id or any business key, each with the newest piece of its timeline.

        Only those `partner_id` takes part in, unless empty.
        """

    async def cases(
        self, key: str, partner_id: str = "", after: str = "", limit: int = LONGEST_PAGE, *, test: bool = False
    ) -> CasePage:
        """As `case`, those that come after the case `after`; `limit` bounds the piece of each timeline."""

    async def open_tasks(self, offices: Sequence[str], after: str, limit: int, *, test: bool = False) -> Sequence[Task]:
        """Tasks that wait for a decision of these offices, the oldest first; `after` a task's id."""

    async def account(self, name: str, *, test: bool = False) -> Account | None:
        """The account of that name; None where there is none."""

    async def accounts(self, holder: str, after: str, limit: int, *, test: bool = False) -> Sequence[Account]:
        """Accounts by name, of one holder unless that is empty; `after` an account's name."""

    async def entries(self, account: str, after: str, limit: int, *, test: bool = False) -> Sequence[Entry]:
        """An account's entries by id; `after` an entry's id."""

    async def case_earlier(
        self, case_id: str, partner_id: str, place: CasePlace, limit: int = LONGEST_PAGE, *, test: bool = False
    ) -> CaseView:
        """An older piece of a case's timeline; NotFound where there is none that `partner_id` takes part in."""

    async def feed(
        self, name: str, partner_id: str, after: int, limit: int, *, test: bool = False
    ) -> Sequence[FeedEntry]:
        """Entries with sequence > `after`, in order, that `partner_id` may read."""

    async def feed_end(self, name: str, *, test: bool = False) -> int:
        """Sequence number of the newest entry of a feed, 0 where it has none."""

    async def feed_entry(self, name: str, partner_id: str, sequence: int, *, test: bool = False) -> FeedEntry:
        """One entry with its body; NotFound where there is none that `partner_id` may read."""

    async def feed_entry_kept(
        self, name: str, partner_id: str, sequence: int, *, test: bool = False
    ) -> tuple[FeedEntry, Kept]:
        """As `feed_entry`, its bytes apart: a large body is not read."""

    async def delivery(self, delivery_id: str, seen_by: Viewer = ANYONE) -> Delivery:
        """One delivery with its body; NotFound where there is none that `seen_by` may see."""

    async def delivery_kept(self, delivery_id: str, seen_by: Viewer = ANYONE) -> tuple[Delivery, Kept]:
        """As `delivery`, its bytes apart: a large body is not read."""

    async def deliveries(self, partner_id: str, state: str, limit: int, after: str = "") -> Sequence[Delivery]:
        """Deliveries by state, newest first, done ones too, without bodies; `after` a delivery id."""

    async def pressure(self) -> Pressure:
        """How much waits."""

    async def probe(self) -> None:
        """Commit a trace, as commit 1 would; StoreUnavailable or StorageFull where nothing can be committed."""

    # Alerts
    async def raise_alert(self, alert: Alert) -> None:
        """Put an alert that no message raises on the operator's feed and its case's timeline; once per subject."""

    # Upkeep
    async def sweep(self, older_than: float = ORPHAN_SECONDS) -> int:
        """Remove files of bodies that nothing mentions and nobody has touched for so many seconds; how many.

        None while a break of the log is not reconciled: what the lost history mentioned may still be wanted.
        """

    # The receipt log. A checkpoint is handed out only when the anchor holds it, or one that extends it.
    @property
    def origin(self) -> str:
        """The name the log goes by now."""

    async def log_key(self) -> str:
        """The public key of the log under its present name."""

    async def proven(self, index: int) -> Proven:
        """A receipt with its inclusion proof against the newest checkpoint; NotFound where there is none."""

    async def receipt(self, index: int) -> Receipt | None:
        """The receipt at `index`; None where there is none."""

    async def sent_by(self, partner_id: str, payload_id: str, message_id: str) -> bool:
        """Whether `partner_id` sent the payload, or the message."""

    async def receipts_of(self, subject_ids: Iterable[str]) -> Sequence[Receipt]:
        """All receipts about these, in log order."""

    async def consistency(self, old_size: int) -> tuple[tuple[bytes, ...], str]:
        """The proof that the newest checkpoint extends the tree of `old_size`, and that checkpoint."""

    async def checkpoint(self) -> str:
        """The newest signed checkpoint; empty before the first commit."""

    def log(self, after: int = -1) -> AsyncIterator[Receipt]:
        """Every receipt with index > `after`, in order, in bounded memory."""

    # The log's audit of itself
    async def audit_from(self, place: int) -> StoredLog:
        """The stored log, with nothing looked at but what the newest checkpoint of up to `place` entries vouches for."""

    async def audit_on(self, log: StoredLog, count: int) -> bool:
        """Look at the next `count` entries at most; True at the end, which was judged then."""

    async def log_size(self) -> int:
        """Entries in the log."""

    async def mark_audit(self, mark: AuditMark) -> AuditMark | None:
        """Hold the audit until `mark.until`, and keep its place where that is not negative.

        The mark with the place as kept; None where another node holds the audit.
        """

    # Registry
    async def import_partners(
        self, partners: Iterable[Partner], agreements: Iterable[Agreement], credentials: Iterable[Credential]
    ) -> tuple[int, int, int]:
        """Add or replace in bulk; how many partners, agreements and credentials. What was revoked stays so."""

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

    async def agreements_of(self, partner_ids: Iterable[str]) -> Mapping[str, Sequence[Agreement]]:
        """All agreements of several partners."""

    async def shown_credential(self, hash_: str) -> Credential | None:
        """The credential of use `in` whose secret has this hash, valid or not."""

    async def shown_credentials(self, hashes: Iterable[str]) -> Mapping[str, Credential]:
        """As `shown_credential` for many at once, by hash; those that are not there are left out."""

    async def credential(self, credential_id: str) -> Credential:
        """One credential; NotFound where there is none."""

    async def credentials(self, partner_id: str) -> Sequence[Credential]:
        """All credentials of a partner, by id, valid or not."""

    async def revoke_credential(self, credential_id: str, at: datetime) -> None:
        """End a credential from `at` on, or from an earlier end that was set before; NotFound where there is none."""

    async def call_for_catalogue(self) -> None:
        """Ask all nodes to read their folders of tables, mappings, codes, rules and findings again."""

    async def catalogue_calls(self) -> int:
        """How often they were asked so far."""

    async def registry_version(self) -> int:
        """Grows with every import."""

    async def registry_changes(self, since: int) -> RegistryChanges:
        """What has changed in the registry after a version; whoever remembers partners forgets these, and no others."""
