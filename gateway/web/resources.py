"""What the REST interface answers, as pydantic models: the OpenAPI description is built from them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Resource(BaseModel):
    """A JSON object of the interface; new fields may come, none goes within v1."""

    model_config = ConfigDict(frozen=True)


class Root(Resource):
    """What this is, and where to go on."""

    name: str
    description: str = Field(description="The OpenAPI description, for programs")
    page: str = Field(description="The same as a page, for people")
    health: str
    log: str = Field(description="The newest signed checkpoint of the receipt log")


class JsonMessage(Resource):
    """A JSON message: in this envelope, or bare, where its members are those of the document itself."""

    model_config = ConfigDict(frozen=True, extra="allow")

    format: str | None = Field(
        None, description="json:, the document's type and its version", examples=["json:declaration:1"]
    )
    reference: str | None = Field(None, description="The sender's own: by it an answer names the message")
    sender: str | None = Field(None, description="As an EDI envelope would name it")
    recipient: str | None = Field(None, description="As an EDI envelope would name it")
    document: dict[str, Any] | None = Field(None, description="As the schema of its type describes it")


class Problem(Resource):
    """RFC 9457 problem details."""

    type: str = Field(description="Names the kind of problem; stable, for programs")
    title: str = Field(description="The kind in words, in the language of Accept-Language")
    status: int
    detail: str | None = Field(None, description="What is wrong this time")


class Place(Resource):
    """Where in the message something stands; only what is known is there. Numbers count from 1."""

    segment: int | None = Field(None, description="Segment within the message; UNH or ST is 1")
    tag: str | None = None
    element: int | None = None
    component: int | None = None
    repetition: int | None = None
    path: str | None = Field(None, description="XPath or JSON pointer")
    line: int | None = None


class Finding(Resource):
    """One thing wrong, or worth saying."""

    code: str = Field(description="Stable name of the kind of finding", examples=["edi.element.too_long"])
    severity: Literal["error", "warning", "note"]
    text: str = Field(description="In the language of Accept-Language")
    place: Place | None = None
    value: str | None = Field(None, description="The value that was found")


class Receipt(Resource):
    """A leaf of the receipt log."""

    index: int = Field(description="Where it stands in the log, from 0")
    stage: Literal["received", "checked", "relayed", "delivered", "answered"]
    subject: str = Field(description="Id of the payload, message or delivery it is about")
    body: str = Field(description="The receipt: canonical JSON (RFC 8785); its bytes in UTF-8 are the leaf")
    link: str = Field(description="Where it is found with what proves it, as JSON", examples=["/v1/receipts/7"])
    proof: str = Field(
        description="Where the same is found as one C2SP tlog-proof file", examples=["/v1/receipts/7/proof"]
    )


class ProvenReceipt(Resource):
    """A receipt with what proves it (RFC 9162 inclusion proof against a C2SP signed note)."""

    receipt: Receipt
    size: int = Field(description="Leaves in the tree of the checkpoint")
    inclusion: list[str] = Field(description="Hashes from the leaf's sibling up, base64")
    checkpoint: str = Field(description="The signed note")


class Consistency(Resource):
    """Proof that the newest checkpoint extends an older tree."""

    old_size: int
    proof: list[str] = Field(description="Hashes, base64 (RFC 9162, 2.1.4)")
    checkpoint: str = Field(description="The newest signed note")


class Accepted(Resource):
    """A payload has been stored; its receipt is in the log."""

    id: str
    duplicate: bool = Field(description="Whether the same bytes came before under this Idempotency-Key")
    receipt_index: int = Field(description="Where the receipt stands in the log; its proof is at /v1/receipts/{index}")
    receipt: dict[str, Any] = Field(description="The `received` receipt: the bytes of this member are the leaf")


class EvidenceKept(Resource):
    """A piece of evidence has been stored; its receipt is in the log."""

    id: str = Field(description="What a decision names it by")
    duplicate: bool = Field(description="Whether the same bytes came before under this Idempotency-Key")
    receipt_index: int = Field(description="Where the receipt stands in the log; its proof is at /v1/receipts/{index}")
    receipt: dict[str, Any] = Field(description="The `received` receipt: the bytes of this member are the leaf")


class Evidence(Resource):
    """A piece of evidence."""

    id: str
    sha256: str
    size: int
    media_type: str
    taken_at: datetime | None = Field(None, description="When it was taken, as its sender says")
    device: str | None = Field(None, description="What took it, as its sender says")
    received_at: datetime
    test: bool
    link: str = Field(description="Where its bytes are found")


class SubjectVersion(Resource):
    """What is registered of a subject from a day on."""

    version: int = Field(description="In the order in which they were registered, from 1")
    valid_from: date = Field(description="It holds from this day until a later version's")
    state: str = Field(description="registered, suspended or closed")
    name: str | None = None
    attributes: dict[str, Any] = Field(description="As the document `registration` has them")


class Subject(Resource):
    """What the registry says of a subject."""

    scheme: str
    value: str = Field(description="The subject goes by this number in the scheme")
    versions: list[SubjectVersion]


class Delivery(Resource):
    """Something on its way to a recipient."""

    id: str
    kind: Literal["document", "acknowledgement", "response"]
    document: str = Field(description="Type of the document")
    format: str | None = Field(None, description="Wire format; only for a delivery to the caller")
    recipient: str | None = Field(None, description="The caller's own partner id, or null for another recipient")
    role: str | None = Field(None, description="What the recipient is in the trade", examples=["customs"])
    state: Literal[
        "staged", "pending", "held", "sending", "awaiting", "delivered", "relayed", "answered", "dead", "skipped"
    ]
    attempts: int
    body: str | None = Field(
        None, description="The bytes as text, up to 64 KiB of them, for acknowledgements and responses to the caller"
    )


class Offer(Resource):
    """Something for the caller to fetch from its inbox."""

    document: str = Field(description="Type of the document; `acknowledgement` for CONTRL, TA1, 997 and 999")
    format: str
    body: str | None = Field(description="The bytes as text, up to 64 KiB of them")
    link: str = Field(description="Where the bytes themselves are found")


class Message(Resource):
    """One message of a payload."""

    id: str
    number: int = Field(description="Position in the payload, from 1")
    format: str
    reference: str = Field(description="The message's own reference: UNH 0062, ST02, MESSAGE_ID")
    interchange: str = Field(description="The interchange's control reference")
    state: Literal["accepted", "rejected", "held", "failed"] = Field(
        description="failed: not processed, through a fault of the gateway's own; the operator knows"
    )
    document: str | None = Field(None, description="Type of the document it was read into")
    case: str | None = Field(None, description="Id of the case it belongs to")
    test: bool
    findings: list[Finding]
    findings_count: int = Field(description="All findings of the message, those included that are not here")
    findings_link: str | None = Field(
        None, description="Where the findings that follow are told; null where these are all, or the last"
    )
    raised_by: str | None = Field(
        None,
        description="Id of the message or deadline whose decision made this document; null for one that was sent",
    )


State = Literal["received", "accepted", "partly_accepted", "rejected", "held", "failed"]


class Progress(Resource):
    """How far a payload is that is not dealt with yet."""

    staged: int = Field(description="Messages that are examined and wait for the end of their interchange")
    decided: int = Field(description="Messages that are dealt with for good; after a stop of ours it goes on there")


class Payload(Resource):
    """What was sent in one piece, and what became of it."""

    id: str
    state: State = Field(
        description="received: waiting; accepted, rejected, held, failed: what all its messages are; partly_accepted: "
        "they differ; failed: the gateway could not process it, the operator knows"
    )
    received_at: datetime
    sha256: str
    size: int
    transport: str
    content_type: str | None = None
    filename: str | None = None
    test: bool
    messages: list[Message]
    acknowledgements: list[Delivery] = Field(description="Syntax acknowledgements and responses pushed to the sender")
    offered: list[Offer] = Field(description="The same, and documents, where no agreement pushes them")
    deliveries: list[Delivery] = Field(description="What was made of it for others")
    receipts: list[Receipt]
    next: str | None = Field(
        None,
        description="Cursor of the next messages, with what became of them, or of further findings of the last one here; "
        "null where these are the last",
    )
    progress: Progress | None = Field(None, description="How far it is; null once all of it is dealt with")


class PayloadSummary(Resource):
    """A payload in a list."""

    id: str
    state: State
    received_at: datetime
    sha256: str
    size: int
    test: bool


class PayloadPage(Resource):
    """Payloads, newest first."""

    items: list[PayloadSummary]
    next: str | None = Field(None, description="Cursor of the next page; null at the end")


class Event(Resource):
    """One line of a case's timeline."""

    at: datetime
    kind: str = Field(description="Stable name of what happened, for programs", examples=["status"])
    text: str | None = Field(None, description="What happened, in the language of Accept-Language")
    track: str | None = Field(None, description="Where `status` changed: on which of the case's tracks")
    status_from: str | None = Field(None, description="Where `status` changed: the state before")
    status_to: str | None = Field(None, description="Where `status` changed, or a case was opened: the state after")
    decided_by: str | None = Field(
        None,
        description="`rule:<set>:<id>` where a rule set decided and no person did; else a person of the caller's own",
    )
    office: str | None = Field(
        None,
        description="Code of the office that acted; of a task, of the one that must decide it. Told to its own partner "
        "and the operator",
        examples=["370200"],
    )
    message: str | None = None
    delivery: str | None = None


class Track(Resource):
    """One of the states that a case stands in at once."""

    name: str = Field(description="Stable name, for programs", examples=["clearance"])
    state: str = Field(description="Stable name of the state, for programs", examples=["notified"])
    text: str = Field(description="Both in words, in the language of Accept-Language")


class Case(Resource):
    """Everything the caller may see about one consignment."""

    id: str
    status: str = Field(description="Where the consignment stands; stable, for programs", examples=["in_review"])
    status_text: str = Field(description="The same in words, in the language of Accept-Language")
    kind: str = Field(description="What the case is about", examples=["consignment"])
    tracks: list[Track] = Field(
        description="The states it stands in at once; those that nothing has moved yet are left out"
    )
    test: bool
    keys: dict[str, list[str]] = Field(
        description="Business keys that the caller may see, by kind: declaration, notice, bill, container, ..."
    )
    documents: dict[str, Any] = Field(
        description="Newest document of each type, with the fields that the caller may see (docs/flows.md, views)"
    )
    events: list[Event]
    messages: list[Message]
    deliveries: list[Delivery]
    receipts: list[Receipt]
    earlier: str | None = Field(
        None, description="Cursor of what is older than the events, messages and deliveries here; null where nothing is"
    )


class CaseList(Resource):
    """The cases a key finds, the newest first; a bill of lading may find several."""

    items: list[Case]
    next: str | None = Field(None, description="Cursor of the next page; null at the end")


class Task(Resource):
    """A decision that waits for a person."""

    id: str
    version: int = Field(description="Whoever decides says which one was looked at")
    kind: str = Field(description="What is to be decided; stable, for programs")
    text: str = Field(description="The same in words, in the language of Accept-Language")
    case: str = Field(description="Id of the case it is about")
    track: str = Field(description="On which of the case's tracks an option's event happens")
    state: str = Field(description="open, claimed, expired or escalated")
    claimed_by: str | None = Field(
        None, description="Id of the person whose claim keeps others away; null where nobody's does"
    )
    claimed_until: datetime | None = None
    may_decide: bool = Field(description="Whether the person whose key it is may decide it now; no system may")
    why_not: list[Finding] = Field(description="Why the person may not decide it")
    office: str = Field(description="The office that must decide")
    act: str = Field(description="The act that deciding is", examples=["review"])
    options: list[str] = Field(description="What may be decided")
    opened_at: datetime
    due_at: datetime | None = None
    reasons: list[Finding] = Field(description="Why it is asked")
    evidence: list[str] = Field(description="Ids of the evidence it rests on")
    test: bool


class TaskPage(Resource):
    """Tasks, the oldest first."""

    items: list[Task]
    next: str | None = Field(None, description="Cursor of the next page; null at the end")


class AuditActor(Resource):
    """Who did something, or tried to."""

    partner: str = Field(description="Empty for the gateway itself")
    person: str = Field(description="Empty for a system of the partner's")
    role: str


class AuditEntry(Resource):
    """What was done, or refused."""

    index: int = Field(description="Its place in the audit's log")
    at: datetime
    actor: AuditActor
    action: str = Field(examples=["task.decide"])
    result: str = Field(description="done or refused")
    task: str
    case: str
    office: str
    occasion: str = Field(description="Id of the message by which it was done")
    before: dict[str, str]
    after: dict[str, str]
    reasons: list[str] = Field(description="Codes of findings")
    environment: str
    log: str
    version: int
    subject: str = Field(
        "", description="Id of what was changed: of the registry, a delivery, an endpoint; empty where it is a task"
    )


class AuditPage(Resource):
    """Entries of the audit, the newest first."""

    items: list[AuditEntry]
    next: str | None = Field(None, description="Cursor of the next page; null at the end")
    checkpoint: str = Field(description="The newest signed checkpoint of the audit's log; empty before its first entry")


class LedgerTerms(Resource):
    """On which terms an account may be drawn."""

    valid_from: datetime | None = None
    valid_until: datetime | None = Field(None, description="What is reserved by then may still be used")
    draws_max: int | None = Field(None, description="How many draws may stand at once, reservations included")
    tolerance_percent: str | None = Field(None, description="By how much draws may exceed what was granted")
    tolerance_of: str = Field(
        description="`granted`: measured on what was granted; `last`: on what is left at the final draw",
        examples=["last"],
    )
    places: list[str] = Field(description="Where it may be drawn, by code of office; empty for everywhere")


class LedgerEntry(Resource):
    """A line of an account."""

    id: str = Field(description="The business reference that was granted by, or drawn for")
    state: str = Field(description="`granted`, `reserved`, `used`, `freed` or `reversed`")
    amount: str
    final: bool = Field(description="Whether it is the final draw of several")
    case: str | None = Field(None, description="Id of the case it is about")
    at: datetime | None = Field(None, description="When what made it so was received")


class Ledger(Resource):
    """An account: what was granted, and what of it is reserved and used. Amounts are decimal text."""

    name: str
    unit: str = Field(description="Of all amounts (UN/ECE Rec 20, or a currency)")
    holder: str = Field(description="Id of the partner whose it is")
    version: int
    terms: LedgerTerms
    granted: str
    reserved: str
    used: str
    available: str = Field(description="What may still be drawn without any tolerance")
    draws: int = Field(description="How many entries are reserved or used")
    closed: bool
    test: bool
    entries: list[LedgerEntry] = Field(description="By id, a page of them")
    next: str | None = Field(None, description="Cursor of the next page of entries; null at the end")


class ReportRule(Resource):
    """A report that is made."""

    name: str
    title: str = Field(description="What it counts, in the reader's language")
    period: str = Field(description="`day`, `month` or `year`")
    due: str = Field(description="How long after the period's end it is made", examples=["3 working days"])
    measure: str = Field(description="`count`, or what is summed up")
    rows: list[str] = Field(description="The dimensions down the side")
    columns: list[str] = Field(description="The dimensions across")


class ReportList(Resource):
    """The reports that are made."""

    items: list[ReportRule]


class MadeReport(Resource):
    """A report that was made, without its lines."""

    name: str
    first_day: date
    last_day: date
    made_at: datetime
    last_fact: int = Field(description="The number of the last fact that it has seen")
    total: str = Field(description="The sum of its lines, without corrections")
    corrections: int = Field(description="How many lines correct earlier reports")
    link: str = Field(description="Where the report is found")


class ReportPage(Resource):
    """Reports of one name, the newest first."""

    items: list[MadeReport]
    next: str | None = Field(None, description="Cursor of the next page; null at the end")


class Risk(Resource):
    """A risk record: what was found in a decision."""

    id: str = Field(description="Of its case")
    status: str = Field(
        description="`commissioned`, `escalated`, `explained`, `rectified`, `confirmed` or `closed`",
    )
    point: str = Field(description="The risk point that was met")
    words: str = Field(description="The point in the reader's language; its name where it is gone")
    area: str = Field(description="`work` or `integrity`")
    grade: int = Field(description="1 is the gravest")
    level: str = Field(description="Who handles it: `section`, `branch`, `bureau` or `hq`")
    office: str
    stopped: bool = Field(description="Whether the act waits until the record is answered")
    found_at: datetime
    case: str | None = Field(None, description="Id of the case it is about")
    person: str | None = Field(None, description="Whose act it was")
    partner: str | None = None
    times: int | None = Field(None, description="How often it happened, where the point looks back")
    about: dict[str, str] = Field(description="What makes it one question")


class RiskPage(Resource):
    """Risk records, the newest first."""

    items: list[Risk]
    next: str | None = Field(None, description="Cursor of the next page; null at the end")


class FeedEntry(Resource):
    """One line of a feed."""

    sequence: int
    at: datetime
    document: str = Field(description="Type of the document")
    document_id: str
    sha256: str
    keys: dict[str, str]
    link: str = Field(description="Where the document is found")


class FeedPage(Resource):
    """Entries of a feed, oldest first."""

    items: list[FeedEntry]
    next: str = Field(description="Cursor to ask for what comes after; stays good when nothing has come")


class Subscription(Resource):
    """What a partner has asked to be given of a feed."""

    id: str = Field(description="The partner's own number of it")
    version: int = Field(description="How often it was changed, from 1")
    feed: str
    keys: dict[str, list[str]] = Field(description="By kind of number, those of which an entry must name one")
    handing: Literal["push", "fetch"]
    since: datetime | None = Field(None, description="From when on; null for at once")
    test: bool


class SubscriptionList(Resource):
    """The caller's subscriptions."""

    items: list[Subscription]


class Health(Resource):
    """Whether the process lives."""

    status: Literal["ok"]


class Readiness(Resource):
    """Whether the gateway can take messages."""

    ready: bool
    checks: dict[str, bool] = Field(description="store answers, schema is current, disk is above its watermark")


class PartnerName(Resource):
    """A name that a partner goes by."""

    scheme: str = Field(examples=["uscc"])
    value: str


class Partner(Resource):
    """A partner of the registry."""

    id: str
    name: str
    roles: list[str]
    identifiers: list[PartnerName]
    language: str
    time_zone: str
    credit_grade: str
    acts_for: list[str] = Field(description="Ids of the enterprises that appointed this agent")
    active: bool
    direct_through: date | None = None
    supervision_classes: dict[str, str] = Field(description="Class of e-supervision by group of goods")
    regions: list[str]
    level: str | None = None
    parent: str


class PartnerPage(Resource):
    """Partners, by id."""

    items: list[Partner]
    next: str | None = Field(None, description="Cursor of the next page; null at the end")


class RegisteredCredential(Resource):
    """A key, certificate or token; no secret, and no hash of one."""

    id: str
    partner: str
    person: str
    kind: str
    use: str
    label: str
    scopes: list[str]
    test: bool
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    revoked_at: datetime | None = None
    validity: str = Field(description="valid, future, expired or revoked")


class PartnerWhole(Resource):
    """A partner with all that the registry holds of it."""

    partner: Partner
    agreements: list[dict[str, Any]] = Field(description="By the names of partner files (docs/cli.md)")
    credentials: list[RegisteredCredential]
    persons: list[dict[str, Any]] = Field(description="By the names of partner files (docs/cli.md)")


class Removed(Resource):
    """What was taken out of the registry."""

    id: str
    removed: bool = True


class KeyWanted(Resource):
    """What a new API key is for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scopes: list[str] = Field(["send", "read"], description="send, read, admin")
    label: str = Field("", max_length=100, description="What it is for")
    test: bool = Field(False, description="Whether all that comes under it is test traffic")
    days: int = Field(0, ge=0, le=36500, description="Days that it is valid; 0 for no end")
    person: str = Field(
        "", max_length=100, description="Id of the partner's person whose it is; of its systems where empty"
    )


class RotationWanted(Resource):
    """How a key is replaced by the next one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    overlap_hours: float = Field(168.0, ge=0, le=87600, description="Hours for which the old key stays valid")


class KeyIssued(Resource):
    """A key that was made: it is told now and never again."""

    key: str
    credential: RegisteredCredential


class ImportFault(Resource):
    """One thing that is wrong with a partner file."""

    place: str = Field(description="The line or partner of the file")
    partner: str = Field(description="The partner's id, where it is known")
    field: str = Field(description="What is wrong, by the names of the file")
    text: str


class ImportDone(Resource):
    """What a partner file came to; with a fault, nothing of it is imported."""

    imported: bool
    partners: int
    agreements: int
    credentials: int
    persons: int
    faults: list[ImportFault] = Field(description="All faults of all partners, up to ten thousand")
    faults_count: int
