"""What the rest of the house asks of the store: operations, by port. Their values are in `contract`.

Whoever needs little names the port that has it; the store is all of them. Every writing operation returns only after its
commit is durable. Writers are batched: many operations share one transaction, which appends their receipts to the Merkle
log and signs one checkpoint as its last statements (group commit). An operation that fails its own check (a moved fact, a
lost lease, a repeated id) fails alone; the others of its batch go on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Protocol

from gateway.decide.facts import Facts, FiguresIn, Query
from gateway.model import (
    OPERATOR,
    Account,
    Agreement,
    Attempt,
    Case,
    Changer,
    Credential,
    Deadline,
    Delivery,
    Draw,
    Endpoint,
    Entry,
    Exhibit,
    FeedEntry,
    FigureSum,
    Identifier,
    InterchangeRef,
    MadeReport,
    Partner,
    Payload,
    Person,
    Receipt,
    StandingAlert,
    SubjectVersion,
    Subscription,
    Task,
)
from gateway.receipt.stored import StoredLog
from gateway.store.contract import (
    ANY_PARTNERS,
    ANYONE,
    LONGEST_PAGE,
    ORPHAN_SECONDS,
    Accepted,
    Alert,
    AlertOrder,
    AttemptResult,
    AuditLine,
    AuditMark,
    AuditWanted,
    Awaited,
    CasePage,
    CasePlace,
    CaseView,
    Claimed,
    ClaimedDeadline,
    Confirmation,
    ConfirmationKey,
    EndpointKey,
    ExhibitKept,
    Kept,
    MessageRecord,
    NewReceipt,
    Outcome,
    PartnersWanted,
    PayloadLine,
    PayloadView,
    Pressure,
    Proven,
    Reconciliation,
    RegistryChanges,
    Settled,
    Settlement,
    Share,
    StagedMessage,
    StandingWanted,
    Unanchored,
    Viewer,
    Work,
)
from gateway.store.retained import Hold, Plan, Run, Written


class Inbox(Protocol):
    """Commit 1, and payloads between the two commits."""

    async def accept(self, payload: Payload, receipt: NewReceipt, lease: timedelta | None = None) -> Accepted:
        """Keep `payload` and its receipt, and claim it for this node where a `lease` is given.

        TransportIdReused where its transport id came with another digest.
        """

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

    async def stage(self, payload_id: str, fence: int, position: int, messages: Sequence[StagedMessage]) -> None:
        """Keep checked messages of a large interchange until its trailer is seen; repeatable."""

    async def staged(self, payload_id: str, after: int, limit: int) -> Sequence[StagedMessage]:
        """Staged messages with number > `after`, in order."""

    async def failed_messages(self, payload_id: str, up_to: int) -> Sequence[MessageRecord]:
        """Its messages, up to that number, that a fault of ours kept from being processed."""

    async def reopen_payload(self, payload_id: str) -> None:
        """Let a payload be processed again by today's tables (reprocess); what it makes has the same ids."""

    async def hold_as(self, node: str, now: datetime) -> int:
        """Claim as `node` from now on. What it held before it was started again is due at once; how much that was."""


class Decisions(Protocol):
    """What deciding needs of a store: answers, and commit 2."""

    async def facts(self, queries: Iterable[Query], known: Facts, for_id: str) -> Facts:
        """`known` with the answers to `queries`; numbers are reserved for `for_id`, and the same again when asked again."""

    async def commit(self, outcome: Outcome) -> None:
        """Write all of an outcome, or nothing: FactsMoved where its facts are others by now, LeaseLost for another's payload."""


class Deadlines(Protocol):
    """Terms that are kept until they are over."""

    async def claim_deadlines(self, limit: int, lease: timedelta, now: datetime) -> Sequence[ClaimedDeadline]:
        """Deadlines that are over, the oldest first, and that nobody holds.

        None that a message received before it may still forestall: while such a one is undecided, `deadlines.PATIENCE`
        at most; nor any while a break of the log is not reconciled.
        """

    async def begin_deadlines(self, deadlines: Iterable[Deadline]) -> None:
        """Set deadlines that nothing decides to set, each unless one of its id is set already."""

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


class Tasks(Protocol):
    """Decisions that wait for persons."""

    async def open_tasks(self, offices: Sequence[str], after: str, limit: int, *, test: bool = False) -> Sequence[Task]:
        """Tasks that wait for a decision of these offices, the oldest first; `after` a task's id."""


class Outbox(Protocol):
    """Deliveries on their way, and what comes back about them."""

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

    async def retry_delivery(self, delivery_id: str, now: datetime, by: Changer = OPERATOR, why: str = "") -> None:
        """Make a dead or held delivery due again, same bytes, same id."""

    async def skip_delivery(self, delivery_id: str, now: datetime, by: Changer = OPERATOR, why: str = "") -> None:
        """Take a dead or held delivery out of its lane, so that the next one may go."""

    async def hold_delivery(self, delivery_id: str, now: datetime, by: Changer = OPERATOR, why: str = "") -> None:
        """Keep one that waits in its lane from going before it is released by a retry."""

    async def resend_delivery(self, delivery_id: str, now: datetime, by: Changer = OPERATOR, why: str = "") -> None:
        """Send one that is over once more, same bytes, same id, after all that waits in its lane."""

    async def endpoints_in_trouble(self, partner_id: str = "") -> Sequence[Endpoint]:
        """Where sendings fail or nothing is sent just now, of one partner unless it is empty."""

    async def pause_endpoint(self, key: EndpointKey, now: datetime, by: Changer = OPERATOR, why: str = "") -> None:
        """Stop sending to an endpoint, or with empty transport and address to a partner, until it is resumed.

        TransitionRefused where very many of the partner's are paused already.
        """

    async def resume_endpoint(self, key: EndpointKey, now: datetime, by: Changer = OPERATOR, why: str = "") -> None:
        """Send again, at once what has waited for it. NotFound where nothing was stopped there."""

    async def delivery_by_reference(self, partner_id: str, reference: str) -> Delivery | None:
        """The newest delivery to a partner that carries `reference`; by it an answer finds what it answers."""

    async def sent_delivery(
        self, case_id: str, partner_id: str, document_type: str, *, test: bool = False
    ) -> Delivery | None:
        """The newest delivery of such a document of a case that the partner may have by now; its answers are about it."""

    async def delivery(self, delivery_id: str, seen_by: Viewer = ANYONE) -> Delivery:
        """One delivery with its body; NotFound where there is none that `seen_by` may see."""

    async def delivery_kept(self, delivery_id: str, seen_by: Viewer = ANYONE) -> tuple[Delivery, Kept]:
        """As `delivery`, its bytes apart: a large body is not read."""

    async def attempts(self, delivery_id: str) -> Sequence[Attempt]:
        """The attempts of a delivery, in order, with what was sent and answered; none where nobody knows it."""

    async def deliveries(
        self, partner_id: str, state: str, limit: int, after: str = "", *, oldest_first: bool = False
    ) -> Sequence[Delivery]:
        """Deliveries to a partner and in a state, any where empty, behind the one whose id is `after`; without bodies.

        The newest first, unless the oldest are wanted; none where `after` is no delivery of that partner's.
        """


class Reconciling(Protocol):
    """What an operator does after the store was set back."""

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


class Feeds(Protocol):
    """Entries that readers fetch, in the order of their commits."""

    async def feed(
        self,
        name: str,
        partner_id: str,
        after: int,
        limit: int,
        *,
        test: bool = False,
        audiences: Collection[str] = (),
    ) -> Sequence[FeedEntry]:
        """Entries with sequence > `after`, in order, that `partner_id` may read; all of them where it is empty.

        `audiences` are the names of those that the partner is of, beside everyone and itself; of a document that is
        addressed to several of them, a page has the first entry.
        """

    async def feed_end(self, name: str, *, test: bool = False) -> int:
        """Sequence number of the newest entry of a feed, 0 where it has none."""

    async def feed_entry(
        self, name: str, partner_id: str, sequence: int, *, test: bool = False, audiences: Collection[str] = ()
    ) -> FeedEntry:
        """One entry with its body; NotFound where there is none that `partner_id` may read."""

    async def feed_entry_kept(
        self, name: str, partner_id: str, sequence: int, *, test: bool = False, audiences: Collection[str] = ()
    ) -> tuple[FeedEntry, Kept]:
        """As `feed_entry`, its bytes apart: a large body is not read."""

    async def take_part(self, case_id: str, partner_id: str) -> None:
        """Let a partner who has fetched something of a case take part in it, as whoever is sent it does."""


class Pages(Protocol):
    """What people look at: payloads, messages, cases."""

    async def original(self, payload_id: str, *, body: bool = True) -> Payload:
        """A payload as it came, without its body where that is not asked for; NotFound where there is none."""

    async def message(self, message_id: str, *, document: bool = False) -> MessageRecord:
        """One message, with its document where that is asked for; NotFound where there is none."""

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

    async def case_earlier(
        self, case_id: str, partner_id: str, place: CasePlace, limit: int = LONGEST_PAGE, *, test: bool = False
    ) -> CaseView:
        """An older piece of a case's timeline; NotFound where there is none that `partner_id` takes part in."""

    async def cases_of_kind(self, kind: str, after: str, limit: int, *, test: bool = False) -> Sequence[Case]:
        """Cases of a kind other than consignments, the newest first; those older than the case `after`, unless empty."""

    async def pressure(self) -> Pressure:
        """How much waits."""


class Alerts(Protocol):
    """What no message raises, and somebody must look at."""

    async def raise_alert(self, alert: Alert) -> None:
        """Put an alert that no message raises on the operator's feed and its case's timeline; once per subject."""

    async def end_alert(self, kind: str, cause: str, now: datetime) -> None:
        """Settle what stands of a cause that has ended by itself; nothing where nothing does."""

    async def standing_alerts(self, wanted: StandingWanted, limit: int, after: str = "") -> Sequence[StandingAlert]:
        """What somebody must look at, by cause, what began last first, behind the one whose id is `after`."""

    async def standing_alert(self, alert_id: str) -> StandingAlert:
        """One of them; NotFound."""

    async def order_alert(self, order: AlertOrder) -> None:
        """Take, settle or silence one. NotFound, or TransitionRefused where it is settled already."""

    async def silent_alerts(self, now: datetime) -> set[tuple[str, str]]:
        """Kinds and causes of which nobody is to be notified now."""

    async def claim_notice(self, name: str, now: datetime, lease: timedelta) -> int | None:
        """Hold a notice until `lease` is over: the place on the feed of alerts up to which it has told them.

        None where another node holds it. One that is new has told all there are.
        """

    async def return_notice(self, name: str, place: int) -> None:
        """Note how far a held notice has told the alerts, and let any node go on."""


class Log(Protocol):
    """The receipt log. A checkpoint is handed out only when the anchor holds it, or one that extends it."""

    @property
    def origin(self) -> str:
        """The name the log goes by now."""

    @property
    def unanchored(self) -> Unanchored | None:
        """Since when this node's commits are not anchored, and why; None where the newest is."""

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


class LogAudit(Protocol):
    """The log's audit of itself."""

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


class Audit(Protocol):
    """What persons did, and were refused, in a signed log of its own."""

    async def audit_lines(self, wanted: AuditWanted, before: int, limit: int) -> Sequence[AuditLine]:
        """Entries of the audit with an index below `before` (any where it is negative), the newest first."""

    async def audit_checkpoint(self) -> str:
        """The newest signed checkpoint of the audit; empty before its first entry."""

    async def audit_log_from(self) -> StoredLog:
        """The audit as it is stored, with nothing looked at."""

    async def audit_log_on(self, log: StoredLog, count: int) -> bool:
        """Look at the next `count` entries of the audit at most; True at the end, which was judged then."""


class Ledgers(Protocol):
    """Accounts of ledgers and their entries, as people look at them."""

    async def account(self, name: str, *, test: bool = False) -> Account | None:
        """The account of that name; None where there is none."""

    async def accounts(self, holder: str, after: str, limit: int, *, test: bool = False) -> Sequence[Account]:
        """Accounts by name, of one holder unless that is empty; `after` an account's name."""

    async def entries(self, account: str, after: str, limit: int, *, test: bool = False) -> Sequence[Entry]:
        """An account's entries by id; `after` an entry's id."""


class Figures(Protocol):
    """Statistical facts, and the reports that were made of them."""

    async def last_figure(self, *, test: bool = False) -> int:
        """The number of the last fact; 0 where there is none."""

    async def figure_sums(self, wanted: FiguresIn) -> Sequence[FigureSum]:
        """What facts come to together that differ in nothing but their subject; ordered by kind and day."""

    async def reports(self, name: str, before: str, limit: int, *, test: bool = False) -> Sequence[MadeReport]:
        """Reports of a name, the newest first; `before` the first day of a period, or empty."""

    async def report(self, name: str, first: date, *, test: bool = False) -> MadeReport | None:
        """The report of a name for the period that begins with `first`; None where it was not made."""


class Samples(Protocol):
    """What was drawn."""

    async def draws(
        self, plan: str, window: str, after: tuple[str, int], limit: int, *, test: bool = False
    ) -> Sequence[Draw]:
        """Draws of a plan in a window, by stratum and number; `after` a stratum and number."""


class Exhibits(Protocol):
    """Evidence: what shows that something was so, kept as it came."""

    async def keep_exhibit(self, exhibit: Exhibit, receipt: NewReceipt) -> ExhibitKept:
        """Keep a piece of evidence; it and its receipt are durable when this returns.

        The same sending with the same digest gets the stored receipt again; TransportIdReused with another.
        """

    async def exhibit(
        self, exhibit_id: str, seen_by: Viewer = ANYONE, offices: Collection[str] = ()
    ) -> tuple[Exhibit, Kept]:
        """A piece of evidence and its bytes, for its owner and for the offices that a task which names it is asked of.

        NotFound where there is none for them, by the same query that does not find what is not there at all.
        """

    async def exhibits_of(self, partner_id: str, after: str, limit: int, *, test: bool = False) -> Sequence[Exhibit]:
        """A partner's evidence by id, without its bytes; `after` an id."""


class Subjects(Protocol):
    """What the registry says of subjects, as people look at it."""

    async def subject_versions(self, scheme: str, value: str, *, test: bool = False) -> Sequence[SubjectVersion]:
        """Every version of whoever goes by `value` in `scheme`, in order; none where nothing is registered."""

    async def approved_lists(self) -> Sequence[SubjectVersion]:
        """Every version of a code list or rule set that was approved, by list, in the order in which they were."""

    async def approved_count(self) -> int:
        """How many versions there are in `approved_lists`; none ever goes away."""


class Registry(Protocol):
    """Partners, agreements and credentials."""

    async def import_partners(
        self,
        partners: Iterable[Partner],
        agreements: Iterable[Agreement],
        credentials: Iterable[Credential],
        by: Changer = OPERATOR,
    ) -> tuple[int, int, int]:
        """Add or replace in bulk; how many partners, agreements and credentials. What was revoked stays so.

        What is in the registry already as it is given changes nothing, and the audit says nothing of it.
        """

    async def remove_partner(self, partner_id: str, by: Changer = OPERATOR) -> None:
        """Take a partner out, with its agreements and persons, and end its credentials, which stay known.

        NotFound where there is none. RegistryRefused where it has sent or got anything, or takes part in a case: its id is in what
        is kept, and nobody else may come to it.
        """

    async def remove_agreement(self, agreement_id: str, by: Changer = OPERATOR) -> None:
        """Take an agreement out; NotFound where there is none. A delivery that was made under it is dead at its next attempt."""

    async def agreement(self, agreement_id: str) -> Agreement:
        """One agreement; NotFound where there is none."""

    async def agreements_by_id(self, agreement_ids: Iterable[str]) -> Mapping[str, Agreement]:
        """Several agreements by id; those that are not there are left out."""

    async def credentials_by_id(self, credential_ids: Iterable[str]) -> Mapping[str, Credential]:
        """Several credentials by id; those that are not there are left out."""

    async def credentials_of(self, partner_ids: Iterable[str]) -> Mapping[str, Sequence[Credential]]:
        """All credentials of several partners, by partner."""

    async def persons_of_partners(self, partner_ids: Iterable[str]) -> Mapping[str, Sequence[Person]]:
        """All persons of several partners, by partner."""

    async def partners_by_id(self, partner_ids: Iterable[str]) -> Mapping[str, Partner]:
        """Several partners by id; those that are not there are left out."""

    async def partners_by_identifiers(self, identifiers: Iterable[Identifier]) -> Mapping[Identifier, Partner]:
        """Who goes by each of several names; those that nobody goes by are left out."""

    async def ids_beginning(self, noun: str, beginning: str, limit: int) -> Sequence[str]:
        """Ids of a noun (`partners`, `agreements`, `credentials`, `persons`) that begin so, at most `limit` of them; one that is all of `beginning`, alone."""

    async def partner(self, partner_id: str) -> Partner:
        """NotFound where there is none."""

    async def partner_by(self, identifier: Identifier) -> Partner | None:
        """The partner that goes by `identifier`."""

    async def partners(self, after: str, limit: int, wanted: PartnersWanted = ANY_PARTNERS) -> Sequence[Partner]:
        """Partners that are asked for, by id, for a cursor."""

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

    async def ending_credentials(
        self, after: datetime, until: datetime, limit: int, from_id: str = ""
    ) -> Sequence[Credential]:
        """Credentials that end within a time and are not revoked, by the moment of their end and id, `limit` at most.

        `after` may be the end of the one with the id `from_id`: those that come behind it are given then.
        """

    async def revoke_credential(self, credential_id: str, at: datetime, by: Changer = OPERATOR) -> None:
        """End a credential from `at` on, or from an earlier end that was set before; NotFound where there is none."""

    async def registry_version(self) -> int:
        """Grows with every import."""

    async def registry_changes(self, since: int) -> RegistryChanges:
        """What has changed in the registry after a version; whoever remembers partners forgets these, and no others."""

    async def import_persons(self, persons: Iterable[Person], by: Changer = OPERATOR) -> int:
        """Add or replace in bulk, as `import_partners` does; how many persons."""

    async def person(self, person_id: str) -> Person:
        """One person; NotFound where there is none."""

    async def persons_by_id(self, person_ids: Iterable[str]) -> Mapping[str, Person]:
        """Several persons by id; those that are not there are left out."""

    async def persons_of(self, partner_id: str) -> Sequence[Person]:
        """All persons of a partner by id, active or not."""

    async def subscriptions_to(self, feed: str, *, test: bool = False) -> Sequence[Subscription]:
        """The subscriptions to a feed that have not ended, by partner and name."""

    async def subscriptions_of(self, partner_id: str, *, test: bool = False) -> Sequence[Subscription]:
        """All subscriptions of a partner by name, those included that have ended."""


class CatalogueCalls(Protocol):
    """How often all nodes were asked to read their catalogues again."""

    async def call_for_catalogue(self) -> None:
        """Ask all nodes to read their folders of tables, mappings, codes, rules and findings again."""

    async def catalogue_calls(self) -> int:
        """How often they were asked so far."""


class Replies(Protocol):
    """What senders were answered over transports whose repeats get the same answer, to the byte."""

    async def find_reply(self, partner_id: str, transport: str, transport_id: str) -> bytes | None:
        """The answer to a sending, None where there was none yet."""

    async def keep_reply(self, partner_id: str, transport: str, transport_id: str, body: bytes, at: datetime) -> bytes:
        """Keep an answer before it is given; the one that is to be given, which is an earlier one where there was one."""


class Upkeep(Protocol):
    """What keeps the store healthy."""

    async def probe(self) -> None:
        """Commit a trace, as commit 1 would; StoreUnavailable or StorageFull where nothing can be committed."""

    async def sweep(self, older_than: float = ORPHAN_SECONDS) -> int:
        """Remove files of bodies that nothing mentions and nobody has touched for so many seconds; how many.

        None while a break of the log is not reconciled: what the lost history mentioned may still be wanted.
        """


class Retention(Protocol):
    """What is old is moved to archives, or held back from them."""

    async def archive(self, plan: Plan, clock: Callable[[], datetime], *, dry_run: bool = False) -> Run:
        """Archive what is older than the plan says, kind by kind, or count what would go.

        Nothing while a break of the log is not reconciled, or another node is at it. OSError where the folder cannot
        be written.
        """

    async def archives(self, limit: int) -> Sequence[Written]:
        """Archives that were written."""

    async def feed_begin(
        self, feed: str, after: int, partner_id: str = "", *, test: bool, audiences: Collection[str] = ()
    ) -> tuple[int, str]:
        """The last number of a feed that was archived, and the archive of the first entry that a reader misses.

        That is everyone's, `partner_id`'s own and its audiences', behind `after`; any where `partner_id` is empty.
        """

    async def archived(self, kind: str, id_: str, seen_by: Viewer) -> str:
        """The archive that something was put into; empty where it was not, or is nothing that the viewer may know of."""

    async def hold_cases(self, key: str, reason: str, now: datetime) -> Sequence[str]:
        """Let nothing of the cases of an id or number be archived; their ids. NotFound where there is none."""

    async def release_cases(self, key: str) -> Sequence[str]:
        """Let go of them; their ids. NotFound where none is held."""

    async def holds(self) -> Sequence[Hold]:
        """All cases that are held."""


class Store(
    Inbox,
    Ledgers,
    Figures,
    Samples,
    Exhibits,
    Subjects,
    Audit,
    Decisions,
    Deadlines,
    Tasks,
    Outbox,
    Reconciling,
    Feeds,
    Pages,
    Alerts,
    Log,
    LogAudit,
    Registry,
    CatalogueCalls,
    Replies,
    Upkeep,
    Retention,
    Protocol,
):
    """The one I/O seam to what is durable: all ports together. Raises StoreUnavailable and StorageFull where it must."""

    async def open(self) -> None:
        """Connect; the schema must be at its newest migration."""

    async def close(self) -> None:
        """Finish what is queued and disconnect."""
