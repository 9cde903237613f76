"""What goes into the store and comes out of it: the values of its ports (`ports`)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from gateway.decide.facts import Facts
from gateway.findings import make_finding
from gateway.model import (
    OPERATOR,
    Account,
    AlertState,
    Attempt,
    AuditEntry,
    CaseEvent,
    Changer,
    Deadline,
    Delivery,
    Draw,
    Endpoint,
    Entry,
    Exhibit,
    FeedEntry,
    Figure,
    Finding,
    Identifier,
    InterchangeRef,
    MadeReport,
    MessageState,
    Payload,
    PayloadState,
    Receipt,
    Stage,
    SubjectVersion,
    Subscription,
    Syntax,
    Tally,
    Task,
    Transcript,
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
    claimed: Claimed | None = None
    """What was claimed with it, for the node that accepted it."""


@dataclass(frozen=True, slots=True)
class ExhibitArrival:
    """A piece of evidence to keep, with its receipt."""

    exhibit: Exhibit
    receipt: NewReceipt


@dataclass(frozen=True, slots=True)
class ExhibitKept:
    """A piece of evidence that is kept, or was before: its stored `received` receipt, byte for byte."""

    exhibit_id: str
    receipt: Receipt
    duplicate: bool = False


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
    parent_id: str = ""
    """Id of the occasion whose decision raised it; empty for a message that was sent. What is raised has a number below 0."""


@dataclass(frozen=True, slots=True)
class StagedMessage:
    """One message of a large payload, examined, until its interchange is complete."""

    number: int
    """1-based position in the payload."""
    examined: Mapping[str, Any]
    """All that is known of it, as JSON (`trip.staged`)."""


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
    audit: tuple[AuditEntry, ...] = ()
    """What the audit says of it, in a log of its own."""
    subscriptions: tuple[Subscription, ...] = ()
    """Subscriptions as they are then; FactsMoved where one's version is not the one before by now."""
    figures: tuple[Figure, ...] = ()
    """Statistical facts, which get their numbers when they are written."""
    reports: tuple[MadeReport, ...] = ()
    tallies: tuple[Tally, ...] = ()
    """Tallies of samples as they are then; FactsMoved where the version of one is not the next by now."""
    draws: tuple[Draw, ...] = ()
    subjects: tuple[SubjectVersion, ...] = ()
    """What is registered of subjects; FactsMoved where a version is not the next by now."""
    answers: tuple[Answered, ...] = ()
    """Deliveries that the messages answer; each is answered once, by whichever comes first."""
    failed: str = ""
    """Why the payload could not be processed at all (our fault), for the operator."""
    faults: int = 0
    """How many of the payload's messages, or of its parts that could not be read, failed while the others went on."""


EndpointKey = tuple[str, str, str]
"""A partner's id, a transport and an address; the last two empty for all that the partner gets."""
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


PUT_OFF = "put_off"
"""The outcome of what was claimed and not tried."""
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
    """`delivered`, `relayed`, `awaiting`, `deferred` or `refused`; `put_off` where nothing was sent, which is no attempt."""
    at: datetime
    detail: str = ""
    next_at: datetime | None = None
    receipts: tuple[NewReceipt, ...] = ()
    lane: str = ""
    """The delivery's lane, by which the store knows what the report touches before it looks."""
    awaits: Awaits | None = None
    """What it waits for from now on, where its outcome is `awaiting`."""
    transcript: Transcript | None = None
    """What was sent and answered."""
    endpoint: Endpoint | None = None
    """How its endpoint stands after it, where that has changed; one without failures or stop is forgotten."""
    waits_for: EndpointKey | None = None
    """The endpoint that a person has to resume before it goes again, instead of a `next_at`."""


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
    cause: str = ""
    """What it is about, by which alerts of one kind are counted together; its partner or case where empty."""


@dataclass(frozen=True, slots=True)
class StandingWanted:
    """Which standing alerts are asked for; empty fields ask for any."""

    state: str = ""
    kind: str = ""
    partner_id: str = ""
    test: bool = False


@dataclass(frozen=True, slots=True)
class AlertOrder:
    """What a person does about a standing alert."""

    id: str
    at: datetime
    by: Changer = OPERATOR
    said: str = ""
    state: AlertState | None = None
    """Taken or settled; None where it is only silenced."""
    silent_until: datetime | None = None


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
class Progress:
    """How far a payload is that is not dealt with yet."""

    staged: int
    """Its messages that are examined and wait in the store for their trailer; those of the last chunk are not among
    them, and none of a payload that fits one transaction."""
    decided: int
    """Its messages that commits have dealt with: where it is resumed after a crash."""


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
    progress: Progress | None = None
    """None once all of it is dealt with."""


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
class AuditLine:
    """An entry of the audit as it is kept: canonical JSON (`receipt.entries`), and where it stands."""

    index: int
    body: bytes


@dataclass(frozen=True, slots=True)
class AuditWanted:
    """Which entries of the audit are asked for; empty fields ask for any."""

    partner_id: str = ""
    person_id: str = ""
    case_id: str = ""


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
class Unanchored:
    """That what is committed is not anchored, on this node."""

    since: datetime
    why: str


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


SUBSCRIPTIONS = "@subscriptions"
"""Under what name the registry's changes tell that subscriptions have changed; no partner is called so."""


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
class PartnersWanted:
    """Which partners are asked for; empty fields ask for any."""

    role: str = ""
    grade: str = ""
    active: bool | None = None


ANY_PARTNERS = PartnersWanted()


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
