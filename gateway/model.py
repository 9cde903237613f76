"""The nouns: what the gateway talks about, as frozen values without behaviour or I/O.

A payload is what arrived in one piece; it holds interchanges; an interchange holds messages; a
message is read into a document; a document belongs to a case; a decision makes deliveries, which
have attempts; every step leaves a receipt. Times are aware UTC datetimes throughout.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any


class Syntax(StrEnum):
    """A family of wire formats."""

    EDIFACT = "edifact"
    X12 = "x12"
    XML = "xml"
    JSON = "json"
    UNKNOWN = "unknown"
    """What came was recognised as none of them."""


class Severity(StrEnum):
    """How grave a finding is: an error rejects, a warning is told, a note only informs."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Role(StrEnum):
    """What a partner is in the trade."""

    ENTERPRISE = "enterprise"
    AGENT = "agent"
    BUREAU = "bureau"
    CUSTOMS = "customs"
    PORT = "port"
    YARD = "yard"


class Level(StrEnum):
    """Where an office of an authority stands: headquarters (总局), a bureau (直属局) or a branch of one (分支机构)."""

    HQ = "hq"
    BUREAU = "bureau"
    BRANCH = "branch"


class CredentialKind(StrEnum):
    """What a credential is."""

    API_KEY = "api_key"
    PASSWORD = "password"  # noqa: S105 -- the kind's name
    CERTIFICATE = "certificate"
    TOKEN = "token"  # noqa: S105 -- the kind's name
    PUBLIC_KEY = "public_key"


class CredentialUse(StrEnum):
    """What a credential is used for: `in` is shown to us, `out` by us; the others check signatures and encrypt."""

    IN = "in"
    OUT = "out"
    SIGN = "sign"
    ENCRYPT = "encrypt"


class Stage(StrEnum):
    """The four stages of proof, and `relayed`, which is never called delivered."""

    RECEIVED = "received"
    CHECKED = "checked"
    RELAYED = "relayed"
    DELIVERED = "delivered"
    ANSWERED = "answered"


class Direction(StrEnum):
    """Which way an agreement's traffic runs, seen from the gateway."""

    IN = "in"
    OUT = "out"


class PayloadState(StrEnum):
    """Where a payload stands between the two commits."""

    RECEIVED = "received"
    PROCESSED = "processed"
    FAILED = "failed"


class MessageState(StrEnum):
    """What became of one message."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    HELD = "held"
    FAILED = "failed"
    """Not processed, through a fault of ours."""


class DeliveryState(StrEnum):
    """Where a delivery stands. `staged` waits for its interchange's trailer; `held` for an operator.

    One is held where the store was set back, since its recipient may have it already. `awaiting` was handed over, and
    waits for the recipient to confirm it by itself.
    """

    STAGED = "staged"
    PENDING = "pending"
    HELD = "held"
    SENDING = "sending"
    AWAITING = "awaiting"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    ANSWERED = "answered"
    DEAD = "dead"
    SKIPPED = "skipped"


class HeldFor(StrEnum):
    """Why a delivery is held."""

    SET_BACK = "set_back"
    """The store was set back, and its recipient may have it already."""
    AGREED = "agreed"
    """Its agreement wants a person's word before anything goes."""
    ORDERED = "ordered"
    """A person wants it so."""


class DeliveryKind(StrEnum):
    """What a delivery is for its recipient."""

    DOCUMENT = "document"
    ACKNOWLEDGEMENT = "acknowledgement"
    RESPONSE = "response"


class Acknowledge(StrEnum):
    """When an agreement wants a syntax acknowledgement."""

    ALWAYS = "always"
    ON_ERROR = "on_error"
    ON_REQUEST = "on_request"
    NEVER = "never"


class Strictness(StrEnum):
    """Whether tolerable faults reject a message or are only reported with its acceptance."""

    STRICT = "strict"
    LENIENT = "lenient"


LONGEST_STEP = 100
"""Characters of one step of a path: more than any name of ours has; names that a sender makes up may have millions."""
LONGEST_PATH = 1000
"""Characters of a path: a thousand findings may stand under one name, and each has its own path in memory and in the
store."""


def cut(text: str, most: int) -> str:
    """`text`, or its beginning with an ellipsis in `most` characters where it has more."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the sender's message something stands; only what is known is set.

    `segment` counts from 1 within the message (UNH or ST is 1), 0 where the envelope is meant.
    `element`, `component` and `repetition` count from 1. `path` is an XPath or a JSON pointer. Of what is longer than
    LONGEST_PATH, a place has the beginning.
    """

    message: str = ""
    segment: int | None = None
    tag: str = ""
    element: int | None = None
    component: int | None = None
    repetition: int | None = None
    path: str = ""
    line: int | None = None

    def __post_init__(self) -> None:
        """Cut what a sender made too long."""
        for name in ("message", "tag", "path"):
            text = getattr(self, name)
            if len(text) > LONGEST_PATH:
                object.__setattr__(self, name, cut(text, LONGEST_PATH))

    def __str__(self) -> str:
        """The place in words that both languages share: `CST 12, 3.1` or `/a/b line 7`."""
        if self.path:
            return f"{self.path} (line {self.line})" if self.line else self.path
        parts = [f"{self.tag} {self.segment}".strip() if self.segment else self.tag]
        if self.element is not None:
            parts.append(".".join(str(n) for n in (self.element, self.component) if n is not None))
        return ", ".join(p for p in parts if p)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong, or worth saying, about a message.

    `code` is a key of the catalogue (schemas/findings/*.toml), which words it in English and
    Chinese from `args`, says how grave it is, and gives the codes CONTRL, 997 and 999 carry for it.
    Findings are made by `findings.make_finding`, which takes the severity from there.
    """

    code: str
    severity: Severity
    place: Place = Place()
    value: str = ""
    args: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Identifier:
    """One name a partner goes by: an EDI id with its qualifier, a bureau's organisation code, a USCC."""

    scheme: str
    value: str


@dataclass(frozen=True, slots=True)
class Partner:
    """An organisation that exchanges messages with us."""

    id: str
    name: str
    roles: frozenset[Role] = frozenset()
    identifiers: tuple[Identifier, ...] = ()
    language: str = "en"
    time_zone: str = "UTC"
    credit_grade: str = ""
    acts_for: frozenset[str] = frozenset()
    """Ids of the enterprises that appointed this agent."""
    active: bool = True
    direct_through: date | None = None
    """The day from which its declarations may go straight through (直通); None where that was never approved."""
    supervision_classes: Mapping[str, str] = field(default_factory=dict, hash=False)
    """By group of goods, as the digits that its HS codes begin with, its class of e-supervision: I, II or III.

    A class is about products, and says nothing of the enterprise's credit.
    """
    regions: frozenset[str] = frozenset()
    """The regions of integration that the office is a member of: some offices are in two (schemas/rules/competence)."""
    level: Level | None = None
    """Of an office of the inspection service; None for everybody else."""
    parent: str = ""
    """Id of the office above: headquarters of a bureau, the bureau of a branch."""


@dataclass(frozen=True, slots=True)
class HeldRole:
    """A role that a person holds, and from when until when."""

    name: str
    """Of the roles that schemas/rules/roles bundle acts into."""
    office: str = ""
    """The office it is held in, by its code; empty for all of the partner's."""
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    """The first moment at which it is not held any more."""

    def is_held(self, at: datetime) -> bool:
        """Whether it is held at that moment."""
        return (self.valid_from is None or self.valid_from <= at) and (
            self.valid_until is None or at < self.valid_until
        )


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who acts for a partner."""

    id: str
    partner_id: str
    name: str
    roles: tuple[HeldRole, ...] = ()
    language: str = "en"
    active: bool = True


@dataclass(frozen=True, slots=True)
class Changer:
    """Who changes the registry, as the audit tells it."""

    partner_id: str = ""
    person_id: str = "operator"
    """A person of the partner's, or the credential that was shown; the operator, by the gateway's own command line."""


OPERATOR = Changer()
GATEWAY = Partner("", "")
"""The gateway itself, which sends nothing and is sent nothing: who acts where a term is over."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """What a partner may send us (`in`) or wants from us (`out`), and how.

    `document` names a canonical document or `*`; `format` a wire format such as
    `edifact:CUSDEC:D:96B:UN`, `x12:309:004010`, `xml:EEntDeclIo:1`, `json:declaration:1`, or `*`
    (inbound only). `our_id` and `their_id` are the envelope identifiers (`qualifier:id` or `id`).
    """

    id: str
    partner_id: str
    direction: Direction
    document: str
    format: str
    transport: str = "http"
    options: Mapping[str, str] = field(default_factory=dict)
    """The transport's own options, such as url or folder; no secrets."""
    our_id: str = ""
    their_id: str = ""
    strictness: Strictness = Strictness.STRICT
    acknowledge: Acknowledge = Acknowledge.ALWAYS
    duplicate_window_days: int = 90
    time_zone: str = "UTC"
    code_tables: str = "un"
    """Which tables the partner's coded values come from: `un`, `ciq` or `customs`."""
    charset: str = ""
    envelope: str = ""
    """An XML transport envelope to write, such as `OBORMessage`; empty for none."""
    second_opinion: bool = False
    attempts: int = 12
    """How often a delivery is tried before it is dead."""
    attempt_timeout: float = 30.0
    """Seconds one attempt may take."""
    first_delay: float = 0.0
    longest_delay: float = 0.0
    """Seconds to the second attempt, and between any two at most; 0 for what the gateway's settings say."""
    quiet: str = ""
    """When nothing is sent, such as `22:00-06:00` in `time_zone`; empty for never."""
    at_once: int = 0
    per_minute: int = 0
    """Sendings to its endpoint under way at once, and begun a minute, at most; 0 for no bound but the gateway's own."""
    hold: bool = False
    """Whether what is made under it waits for a person's word before it goes."""
    hold_hours: float = 0.0
    """Hours after which it goes without one; 0 for never."""
    mapping: str = ""
    """The partner's variation of the mapping, by its name; empty for the mapping itself."""
    guide: str = ""
    """The implementation guide that its messages are checked by, by its name; empty for what they themselves name."""
    without_declaration: bool = False
    """Whether a transfer or notice of the partner's opens a case of its own where its declaration is not here."""
    push_answers: bool = False
    """Whether an answer that went back in the exchange which asked for it is pushed as well."""
    via: str = ""
    """Id of the partner whose system carries what the partner gets (an office's by headquarters' platform, 转发): it goes
    over that one's transport, in this agreement's format and under its addresses. Empty where it goes to the partner itself."""
    version: str = ""
    """What the parties call this version of what they agreed."""
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    """The first moment at which nothing comes or is made under it any more; what was made by then still goes."""

    def is_valid(self, at: datetime) -> bool:
        """Whether it is in force at that moment."""
        return (self.valid_from is None or self.valid_from <= at) and (
            self.valid_until is None or at < self.valid_until
        )


@dataclass(frozen=True, slots=True)
class Credential:
    """What shows who somebody is: a key, a password, a certificate, a token. Never the secret itself.

    Several of one kind and use may be valid at once, so that one is rolled over to the next while both are good.
    """

    id: str
    partner_id: str
    hash: str = ""
    """SHA-256 in hex: of a secret that is shown to us, or of the DER form of `material`."""
    scopes: frozenset[str] = frozenset({"send", "read"})
    """What one that is shown to us opens."""
    test: bool = False
    """Whether what comes under it is test traffic."""
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    """The first moment at which it is not valid any more."""
    label: str = ""
    """What it is for, in the operator's words; agreements name outgoing ones by it."""
    revoked_at: datetime | None = None
    """The moment from which an operator has ended it; it may lie ahead, and no import takes it back."""
    kind: CredentialKind = CredentialKind.API_KEY
    use: CredentialUse = CredentialUse.IN
    material: str = ""
    """The certificate or the public key, as PEM or one line of OpenSSH."""
    reference: str = ""
    """Where a secret that we show is read from: `file:` and a path, or `env:` and the name of a variable."""
    person_id: str = ""
    """The person whose it is, of those who act for the partner; empty for one of the partner's own systems."""


@dataclass(frozen=True, slots=True)
class Payload:
    """Bytes as they arrived, in one piece, over some transport."""

    id: str
    partner_id: str
    transport: str
    transport_id: str
    """The transport's id of this sending (HTTP Idempotency-Key); empty where the sender gave none."""
    sha256: str
    size: int
    received_at: datetime
    content_type: str = ""
    filename: str = ""
    test: bool = False
    body: bytes = b""
    path: str = ""
    """The file that holds the bytes where they are many; `body` is empty then."""
    at_once: bool = False
    """Whether its sender waits for what comes of it; of one that is claimed later nobody knows that any more."""
    person_id: str = ""
    """The person who sent it, where that was authenticated; empty where one of the partner's systems did."""
    role: str = ""
    """In which role the person said to act; empty for whichever gives the act."""


@dataclass(frozen=True, slots=True)
class InterchangeRef:
    """What makes an interchange unique within the agreement's duplicate window."""

    syntax: Syntax
    sender: str
    recipient: str
    reference: str
    test: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """Everything about one subject (a consignment, a ship's call, a right ...), under one id from start to end.

    `status` is the one word of where it stands, derived from its `tracks` by the rules of its `kind`. `documents` holds the newest document of each type as JSON-ready dicts; `keys` the business
    keys that find the case, as (kind, value): declaration, notice, bill, container, contract.
    """

    id: str
    version: int
    status: str
    partner_id: str
    test: bool = False
    keys: frozenset[tuple[str, str]] = frozenset()
    documents: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    kind: str = "consignment"
    tracks: Mapping[str, str] = field(default_factory=dict)
    """The states it stands in, by track; a track that is not there stands at `none`."""
    left: Mapping[str, str] = field(default_factory=dict)
    """By track, the state that was left for the present one, where it may be returned to."""


@dataclass(frozen=True, slots=True)
class CaseEvent:
    """One line of a case's timeline."""

    case_id: str
    at: datetime
    kind: str
    text: str
    """What is no reason, such as which document was sent. Reasons stand in `details` (`gateway.reasons`); earlier versions
    kept them here, in English."""
    partner_id: str = ""
    message_id: str = ""
    delivery_id: str = ""
    details: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment at which something is decided even where nobody has sent anything: a term that is over."""

    id: str
    kind: str
    """Which flow's function decides then, and what."""
    case_id: str
    at: datetime
    args: Mapping[str, str] = field(default_factory=dict)
    """What that function must know beside the case."""
    test: bool = False


class TaskState(StrEnum):
    """Whether a task still waits for its decision."""

    OPEN = "open"
    CLAIMED = "claimed"
    """Somebody is at it; others keep away until the claim is over."""
    EXPIRED = "expired"
    """Its term is over, and there is no office above to ask; it may still be decided."""
    ESCALATED = "escalated"
    """Its term was over in an office below, and it is asked of this one now."""
    DECIDED = "decided"
    WITHDRAWN = "withdrawn"
    """Its reason is gone: what it asks can no longer be decided."""

    @property
    def waits(self) -> bool:
        """Whether it may still be decided."""
        return self not in (TaskState.DECIDED, TaskState.WITHDRAWN)


@dataclass(frozen=True, slots=True)
class Task:
    """A decision that waits for a person; deciding it fires one of its options' events on the case's track."""

    id: str
    version: int
    """From 1; whoever decides says which one was seen."""
    kind: str
    case_id: str
    track: str
    office: str
    """The office that must decide, by its code; empty for any that may."""
    act: str
    """The act that deciding it is, such as review or release: not everybody may do it."""
    options: Mapping[str, str]
    """Event on the track by option."""
    opened_at: datetime
    due_at: datetime | None = None
    state: TaskState = TaskState.OPEN
    reasons: tuple[Finding, ...] = ()
    """Why it is asked."""
    evidence: tuple[str, ...] = ()
    option: str = ""
    """What was decided."""
    decided_by: str = ""
    """The occasion that decided or withdrew it."""
    decided_at: datetime | None = None
    test: bool = False
    person_id: str = ""
    """Who has claimed or decided it; empty where nobody has, or a partner's system decided it."""
    claimed_until: datetime | None = None
    """Until when the claim keeps others away."""
    barred: tuple[str, ...] = ()
    """Persons who may not decide it, whatever their roles: it is about what they did."""

    def is_claimed(self, at: datetime) -> bool:
        """Whether somebody's claim keeps others away at that moment."""
        return self.state is TaskState.CLAIMED and self.claimed_until is not None and at < self.claimed_until


@dataclass(frozen=True, slots=True)
class ActDone:
    """That an act was done on a case: a task was decided."""

    act: str
    person_id: str
    """Empty where a partner's system did it."""
    office: str
    task_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A piece of evidence: a picture, a scan, a reading, kept as it came, with a receipt of its own."""

    id: str
    partner_id: str
    """Whose it is: who sent it."""
    sha256: str
    size: int
    media_type: str
    received_at: datetime
    taken_at: datetime | None = None
    """When it was taken, as its sender says."""
    device: str = ""
    """What took it: a camera, a scale, a reader; as its sender says."""
    person_id: str = ""
    """Who of the partner's persons sent it; empty where a system did."""
    transport_id: str = ""
    """The sender's id of this sending (HTTP Idempotency-Key); empty where none was given."""
    test: bool = False
    body: bytes = b""
    path: str = ""
    """The file that holds the bytes on their way in, where they are many; `body` is empty then."""


@dataclass(frozen=True, slots=True)
class SubjectVersion:
    """What the registry says of a subject from a day on; each version is whole, and none is ever changed."""

    scheme: str
    value: str
    """The subject goes by `value` in `scheme`, as partners do."""
    version: int
    """From 1, in the order in which they were registered."""
    valid_from: date
    state: str
    """`registered`, `suspended` or `closed`."""
    name: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """JSON of `documents.registration.Attributes`."""
    partner_id: str = ""
    """Who registered it."""
    occasion: str = ""
    """Id of the message by which."""
    at: datetime | None = None
    """When that was received."""
    test: bool = False


@dataclass(frozen=True, slots=True)
class Registered:
    """What is registered of a subject on a day."""

    version: SubjectVersion | None = None
    """The one in force on that day; None where there is none."""
    newest: int = 0
    """The number of its newest version, whatever day that is from; 0 where there is none."""
    later: tuple[SubjectVersion, ...] = ()
    """Those that will be in force from a later day on, in the order of their days."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the audit: who did, or tried to do, what, in which office, and what came of it."""

    at: datetime
    action: str
    """`task.claim`, `task.return`, `task.decide`, `task.override`, `task.withdraw`, `task.escalate` or `task.expire`;
    `registry.partner`, `registry.agreement`, `registry.credential`, `registry.person`, `registry.revoke`, `registry.remove`,
    or `registry.import` of many at once; `delivery.retry`, `delivery.skip`, `delivery.hold`, `delivery.resend`,
    `endpoint.pause`, `endpoint.resume`; `alert.take`, `alert.settle`, `alert.silence`; `sampling.key` and `sampling.reveal`, of the key of a window before it is used and
    after that."""
    result: str
    """`done` or `refused`."""
    partner_id: str
    """Empty for the gateway."""
    person_id: str
    role: str
    task_id: str
    case_id: str
    office: str
    occasion: str
    """Id of the message or deadline by which it was done."""
    before: Mapping[str, str] = field(default_factory=dict)
    after: Mapping[str, str] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    """Codes of findings."""
    test: bool = False
    subject: str = ""
    """What was changed, by its id: of the registry, a delivery, an endpoint; empty where it is a task."""


class ToleranceOf(StrEnum):
    """Where the tolerance of an account is measured."""

    GRANTED = "granted"
    """On what was granted: all draws together may exceed it by the tolerance (one draw: 一批一证)."""
    LAST = "last"
    """On what is left at the final draw, which alone may exceed it (several draws: 非一批一证)."""


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms an account may be drawn; an account without terms is bound by what was granted, and by nothing else."""

    valid_from: datetime | None = None
    valid_until: datetime | None = None
    """The last instant at which it may be drawn; what is reserved by then may still be used."""
    draws_max: int | None = None
    """How many draws may stand at once, reservations included."""
    tolerance_percent: Decimal = Decimal(0)
    tolerance_of: ToleranceOf = ToleranceOf.GRANTED
    one_use: bool = False
    """Whether there is one draw only, whatever `draws_max` says."""
    places: frozenset[str] = frozenset()
    """Where it may be drawn, by code of office; empty for everywhere."""

    @property
    def most_draws(self) -> int | None:
        """How many draws there may be; None for any number."""
        return 1 if self.one_use else self.draws_max


@dataclass(frozen=True, slots=True)
class Account:
    """A ledger with terms: what was granted, and what of it is reserved and used. The sums are those of its entries."""

    name: str
    version: int
    """From 1."""
    unit: str
    """Of all its amounts (UN/ECE Rec 20, or a currency); empty where they have none."""
    holder: str
    """Id of the partner whose it is; empty where it is nobody's."""
    terms: Terms = Terms()
    granted: Decimal = Decimal(0)
    reserved: Decimal = Decimal(0)
    used: Decimal = Decimal(0)
    draws: int = 0
    """How many entries are reserved or used."""
    last: str = ""
    """Id of the entry that is the final draw; empty where none is."""
    closed: bool = False
    test: bool = False

    @property
    def available(self) -> Decimal:
        """What may still be drawn without any tolerance."""
        return max(self.granted - self.reserved - self.used, Decimal(0))


class EntryState(StrEnum):
    """What an entry of an account is."""

    NONE = "none"
    """It is not there."""
    GRANTED = "granted"
    RESERVED = "reserved"
    USED = "used"
    FREED = "freed"
    REVERSED = "reversed"


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of an account under the business reference that it was made for; it is kept, whatever becomes of it."""

    account: str
    id: str
    state: EntryState
    granted: Decimal = Decimal(0)
    """What it granted; below zero where a grant was lowered."""
    reserved: Decimal = Decimal(0)
    """What was reserved by it, whether it still is or not."""
    used: Decimal = Decimal(0)
    """What was used by it, whether it still is or not."""
    final: bool = False
    """Whether it is the final draw of several."""
    case_id: str = ""
    by: str = ""
    """The occasion that made it what it is."""
    at: datetime | None = None
    """When that was received, by which the terms are judged."""
    test: bool = False

    @property
    def amount(self) -> Decimal:
        """What it is, or was, about: what was granted, reserved or used."""
        if self.state is EntryState.GRANTED:
            return self.granted
        return self.reserved if self.state in (EntryState.RESERVED, EntryState.FREED) else self.used


@dataclass(frozen=True, slots=True)
class Subscription:
    """That a partner wants to be given what a feed says to it, of some numbers or of all."""

    partner_id: str
    name: str
    """The partner's own name for it."""
    version: int
    """From 1."""
    feed: str
    keys: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By kind of number, those of which an entry must name one; an entry must meet every kind."""
    push: bool = False
    """Whether it is pushed under the partner's agreement; else it is put into its inbox."""
    since: datetime | None = None
    """From when on; None for at once."""
    ended: bool = False
    """Whether the partner has cancelled it; it is kept, so that its versions go on."""
    test: bool = False

    def wants(self, keys: Mapping[str, str], at: datetime) -> bool:
        """Whether it asks for an entry that names these numbers and is published at that moment."""
        if self.ended or (self.since is not None and at < self.since):
            return False
        return all(keys.get(kind) in values for kind, values in self.keys.items())


@dataclass(frozen=True, slots=True)
class Figure:
    """A statistical fact (统计事实): that something happened, or, where it counts -1, that what was told of it is taken back.

    Facts are added, and never changed; what stands of a subject is what its last fact of a kind says.
    """

    kind: str
    """What happened, such as `accepted`; a flow declares each kind with its dimensions."""
    subject: str
    """What it happened to; empty for what is never taken back."""
    day: date
    """The day it counts for, in China's time; one that is taken back or told anew keeps its day."""
    dims: Mapping[str, str] = field(default_factory=dict)
    """By what it is counted: office, direction, heading ... What is not known is left out."""
    measures: Mapping[str, Decimal] = field(default_factory=dict)
    """What it measures beside that it is one, such as a value."""
    count: int = 1
    """1, or -1 where it takes back."""
    case_id: str = ""
    by: str = ""
    """The occasion that told it."""
    at: datetime | None = None
    """When that was received."""
    test: bool = False
    number: int = 0
    """Its place among all facts of its traffic, from 1, in the order of their commits; 0 until then."""


@dataclass(frozen=True, slots=True)
class FigureSum:
    """What facts that differ in nothing but their subject come to together."""

    kind: str
    day: date
    dims: Mapping[str, str]
    measures: Mapping[str, Decimal]
    """Of each of them."""
    count: int
    """How many they are, less those that are taken back."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How many were drawn by a sampling plan in one stratum and window, and how many of them were chosen."""

    plan: str
    stratum: str
    window: str
    version: int
    """From 1; 0 where nothing was drawn."""
    drawn: int = 0
    chosen: int = 0
    test: bool = False


@dataclass(frozen=True, slots=True)
class Draw:
    """One draw of a sample (抽样), with all that it is repeated from but the key."""

    plan: str
    stratum: str
    window: str
    item: str
    """The number of the case that is drawn; it is drawn once."""
    number: int
    """Which draw of its stratum and window it is, from 1."""
    fraction: str
    """What the key gives for it: the digits, in hex, of a number from 0 to 1."""
    chosen: bool
    reason: str
    """`chance`, or the bound that came before it: `quota`, `minimum`."""
    chosen_before: int
    """How many of the draws before it were chosen."""
    terms: Mapping[str, str] = field(default_factory=dict)
    """What of the plan decided it."""
    case_id: str = ""
    by: str = ""
    """The occasion that drew."""
    at: datetime | None = None
    test: bool = False


@dataclass(frozen=True, slots=True)
class MadeReport:
    """A report as it was made: it is kept, and never made anew; what came later is told by the next one."""

    name: str
    first: date
    """The first day of its period."""
    last: date
    begun: date
    """The first day of the first report of this name that was made."""
    seen: int
    """The number of the last fact that it counts, or would count."""
    at: datetime
    document: Mapping[str, object] = field(default_factory=dict)
    """The document `statistics` that it is, as it is kept."""
    test: bool = False


@dataclass(frozen=True, slots=True)
class Delivery:
    """Something a recipient must get; retried under the same id until it has it.

    Deliveries with the same `lane` (one recipient, one case) go in the order of `sequence`.
    """

    id: str
    partner_id: str
    agreement_id: str
    lane: str
    kind: DeliveryKind
    document_type: str
    format: str
    body: bytes
    sha256: str
    message_id: str = ""
    case_id: str = ""
    reference: str = ""
    """The control reference (UNB 0020, ISA13, MESSAGE_ID) the body carries, by which an answer finds it."""
    test: bool = False
    state: DeliveryState = DeliveryState.PENDING
    sequence: int = 0
    attempts: int = 0
    next_at: datetime | None = None
    fence: int = 0
    """The fencing token of the current lease; a worker with an older one may not report."""
    last_error: str = ""
    held_for: HeldFor | None = None
    """Why it is held; None where it is not."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """What an attempt really sent and what was answered, for the engineers of both sides; no secret of either.

    What was sent is the delivery's own body, unless `size` and `sha256` say that the transport wrapped it.
    """

    address: str = ""
    """Where it went, such as a URL without its query."""
    sent: tuple[tuple[str, str], ...] = ()
    """What was said before and around the body, such as the headers of a request, in order."""
    size: int | None = None
    sha256: str = ""
    """Bytes on the wire and their digest, where these are not the delivery's body."""
    status: str = ""
    """The peer's first line, or what a protocol has in place of it; empty where nothing was answered."""
    answered: tuple[tuple[str, str], ...] = ()
    """What came around the answer, such as its headers."""
    answer: bytes = b""
    """The beginning of the answer; all of one that is evidence stands in the receipt."""
    seconds: float = 0.0
    """From the beginning of the sending to its end, however it ended."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to send a delivery: written before the sending, completed after it."""

    delivery_id: str
    number: int
    started_at: datetime
    ended_at: datetime | None = None
    outcome: str = ""
    """`delivered`, `relayed`, `deferred`, `refused`, or empty while it is under way.

    `awaiting` was handed over; what confirms it, or `unconfirmed` where nothing does in time, takes its place.
    """
    detail: str = ""
    """What the peer said, for the operator."""
    transcript: Transcript | None = None
    """What was sent and answered; None while it is under way, and of those that earlier versions made."""


class AlertState(StrEnum):
    """Where a standing alert stands."""

    OPEN = "open"
    TAKEN = "taken"
    SETTLED = "settled"


@dataclass(frozen=True, slots=True)
class StandingAlert:
    """What somebody must look at: alerts of one kind and cause, counted, until it is settled."""

    id: str
    kind: str
    cause: str
    """What it is about: a partner, a case, an endpoint, a key, a machine."""
    test: bool
    partner_id: str
    case_id: str
    """Of the newest of its alerts."""
    times: int
    """How often it rang."""
    first_at: datetime
    last_at: datetime
    last: int
    """Place of the newest of its alerts on the feed, where its reasons are."""
    state: AlertState = AlertState.OPEN
    by: str = ""
    """Who took or settled it; empty where its cause ended by itself."""
    said: str = ""
    settled_at: datetime | None = None
    silent_until: datetime | None = None
    """Until then nobody is notified of its kind and cause."""


class Stop(StrEnum):
    """Why nothing is sent to an endpoint just now."""

    TRIPPED = "tripped"
    """Sendings to it failed one after the other; one is tried when the time is over."""
    GONE = "gone"
    """It said that it is there no more (410); a person resumes it."""
    PAUSED = "paused"
    """A person wants it so, and resumes it."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a partner's deliveries go, as long as there is trouble with it, or nothing is to be sent to it."""

    partner_id: str
    transport: str = ""
    """Empty for whatever the partner gets over any transport."""
    address: str = ""
    failures: int = 0
    """Sendings that failed one after the other, up to now."""
    since: datetime | None = None
    """When it was stopped, or the first of these failed."""
    stop: Stop | None = None
    until: datetime | None = None
    """When one is tried again, where that is a matter of time."""
    said: str = ""
    """What the last failure said, or why a person paused it."""
    by: str = ""
    """Who paused it."""

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it from others."""
        return self.partner_id, self.transport, self.address

    @property
    def waits_for_person(self) -> bool:
        """Whether nothing goes there before a person resumes it, however long that takes."""
        return self.stop in (Stop.PAUSED, Stop.GONE)


@dataclass(frozen=True, slots=True)
class Receipt:
    """One leaf of the receipt log: canonical JSON (RFC 8785), and where it stands."""

    index: int
    stage: Stage
    subject_id: str
    """The payload, message or delivery it is about."""
    body: bytes


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """One line of a feed; `sequence` follows commit order and has no gaps a reader could skip into."""

    feed: str
    partner_id: str
    """Whose entry it is: a partner's id, or the name of an audience (`decide.audience`); empty for everyone who may read
    the feed."""
    document_type: str
    document_id: str
    sha256: str
    keys: Mapping[str, str] = field(default_factory=dict)
    test: bool = False
    format: str = "json"
    body: bytes = b""
    """The document itself; a reader of a feed gets a link to it, not the body."""
    message_id: str = ""
    case_id: str = ""
    sequence: int = 0
    at: datetime | None = None


TIME_DIGITS = 12
"""Hex digits of milliseconds since 1970 that an id begins with."""
_MARK = "7ed1"
"""What follows the time in an id that begins with one. Ids derived by earlier versions are 32 digits of a digest; with
the bounds on the time, one in some millions of them could be taken for one that begins with its time."""
_EARLIEST, _LATEST = "019b", "0480"
"""The years 2026 to 2128."""


def new_id(milliseconds: int, serial: int, node: str) -> str:
    """An id of 32 hex digits that begins with its time; the last 10 are `node`'s, the 6 before them count on (RFC 9562, 6.2)."""
    return f"{milliseconds:0{TIME_DIGITS}x}{_MARK}{serial & 0xFF_FFFF:06x}{node[:10]}"


def begins_with_time(id_: str) -> bool:
    """Whether an id begins with the time of what it comes from."""
    return id_[TIME_DIGITS : TIME_DIGITS + len(_MARK)] == _MARK and _EARLIEST <= id_[: len(_EARLIEST)] < _LATEST


def derive_id_at(at: datetime, *parts: object) -> str:
    """As `derive_id`, for what comes of no message: the id begins with the time `at`."""
    digest = hashlib.sha256("\x1f".join(str(p) for p in parts).encode()).hexdigest()
    begun = f"{int(at.timestamp() * 1000):0{TIME_DIGITS}x}{_MARK}"
    return f"{begun}{digest[: 32 - len(begun)]}"


def derive_id(origin: str, *parts: object) -> str:
    """An id of 32 hex digits that depends on `origin` and `parts` alone, so that deciding twice makes the same things.

    It begins with the time that the id of its `origin` begins with: what belongs together, and what comes at the same
    time, stands together in every index. What comes of an id of earlier versions has an id of that kind again.
    """
    digest = hashlib.sha256("\x1f".join(str(p) for p in (origin, *parts)).encode()).hexdigest()
    if not begins_with_time(origin):
        return digest[:32]
    return f"{origin[: TIME_DIGITS + len(_MARK)]}{digest[: 32 - TIME_DIGITS - len(_MARK)]}"
