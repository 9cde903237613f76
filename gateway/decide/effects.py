"""What a decision comes to: effects, as values. The pipeline carries them out in one transaction.

A case is named by its id everywhere; a new one gets an id derived from the message that made it, so
that deciding twice makes the same case. Effects are carried out in the order in which they stand; the test
flag of the message holds for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from gateway.decide.audience import Audience
from gateway.decide.facts import Key
from gateway.documents.base import Document
from gateway.model import Draw, Finding, MadeReport, Role, Subscription, Terms


class Purpose(StrEnum):
    """Why a recipient gets a document."""

    INSPECTION = "inspection"
    TRANSFER = "transfer"
    CLEARANCE = "clearance"
    PORT_CONTROL = "port_control"
    INFORMATION = "information"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class Party:
    """Whom to send to: a partner by id, or whoever goes by `value` in `scheme`, or everyone with `role`.

    `partner_id` wins over the identifier, the identifier over the role. A party named by role alone
    means every active partner with that role whose agreements take the document.
    """

    role: Role
    scheme: str = ""
    value: str = ""
    partner_id: str = ""


@dataclass(frozen=True, slots=True)
class NewCase:
    """Open a case under `case`, owned by `partner_id` (the enterprise, or the agent that declared for it)."""

    case: str
    partner_id: str
    kind: str
    """A declared kind of cases."""
    tracks: Mapping[str, str] = field(default_factory=dict)
    """Where it stands from the beginning, by track."""


@dataclass(frozen=True, slots=True)
class Move:
    """`event` happens to the case on `track`, whose table says where it stands then; `reasons` say why where that tells.

    An event that comes too late is noted, one that may not happen there is alerted to; neither moves anything.
    """

    case: str
    track: str
    event: str
    reasons: tuple[Finding, ...] = ()
    rule: str = ""
    """By which rule set (`persons.name_rule`), where that decides and no person or partner does."""


@dataclass(frozen=True, slots=True)
class AddKeys:
    """The case can be found by these keys from now on."""

    case: str
    keys: frozenset[Key]


@dataclass(frozen=True, slots=True)
class Keep:
    """`document` is the case's newest of its type."""

    case: str
    document_type: str
    document: Document


@dataclass(frozen=True, slots=True)
class Note:
    """A line on the case's timeline for what changed nothing: a late answer, a repeat."""

    case: str
    kind: str
    reasons: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Send:
    """Deliver `document` to `to`, in the format of the recipient's agreement; `case` may be empty."""

    case: str
    document_type: str
    document: Document
    to: Party
    purpose: Purpose
    view: str = ""
    """As what the recipient is sent it, where that is not what the recipient is to the case: a bureau that has the case no
    longer learns of its withdrawal as the office it was."""


@dataclass(frozen=True, slots=True)
class Respond:
    """Answer the sender of the message in hand with a response document (`case` may be empty)."""

    case: str
    document: Document
    document_type: str = "response"


@dataclass(frozen=True, slots=True)
class Hold:
    """The message is held: it went no further, for these reasons, until somebody acts."""

    case: str
    reasons: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Refuse:
    """The message is refused as a matter of business (the response says so too); nothing came of it."""

    reasons: tuple[Finding, ...]
    case: str = ""


@dataclass(frozen=True, slots=True)
class Alert:
    """An operator or officer must look; `kind` groups alerts in the console."""

    kind: str
    reasons: tuple[Finding, ...]
    case: str = ""


@dataclass(frozen=True, slots=True)
class Publish:
    """Put `document` on a feed, as each audience sees it; without an audience it is `partner_id`'s, or everyone's.

    An audience reads an entry of its own; whoever is of several finds the same document more than once, under one id.
    """

    feed: str
    case: str
    document_type: str
    document: Document
    keys: Mapping[str, str] = field(default_factory=dict)
    partner_id: str = ""
    """Whose entry it is, where it is one partner's; empty for all who may read the feed."""
    audience: tuple[Audience, ...] = ()
    view: str = ""
    """As what all of them see it, where that is not what each of them is to the case."""


@dataclass(frozen=True, slots=True)
class Share:
    """Other offices learn of the case what `view` shows of `document`, by an entry for each audience of the feed.

    Of what a decision shares of one case with one audience by one view, the last counts: it tells how the case stands then.
    """

    case: str
    document: Document
    audience: tuple[Audience, ...]
    view: str
    feed: str

    @property
    def subject(self) -> tuple[object, ...]:
        """What a later one of the same decision takes the place of."""
        return self.feed, self.case, self.document.document_type, self.audience, self.view


@dataclass(frozen=True, slots=True)
class Wait:
    """`document` matched nothing: keep it until something with one of `keys` comes."""

    id: str
    document_type: str
    document: Document
    keys: frozenset[Key]
    partner_id: str = ""
    """Who sent it, where that is not the sender of the message in hand."""


@dataclass(frozen=True, slots=True)
class Attach:
    """The waiting document `waiting_id` waits no longer: it has found its case, or is withdrawn (`case` is empty)."""

    waiting_id: str
    case: str


@dataclass(frozen=True, slots=True)
class Grant:
    """Add `amount` to what an account grants, or take it back where it is below zero; the account is opened by its first.

    `entry` is the business reference it is granted by (a licence's number and version), so that a repeat grants nothing
    twice.
    """

    account: str
    entry: str
    amount: Decimal
    unit: str = ""
    """Of the amount; the account's from its first grant on."""
    holder: str = ""
    """Id of the partner whose the account is; empty leaves it as it is."""
    terms: Terms | None = None
    """The terms from now on; None leaves them as they are."""
    case: str = ""


@dataclass(frozen=True, slots=True)
class Reserve:
    """Set `amount` of an account aside for `entry`, the business reference it is drawn for (an entry's number and item)."""

    account: str
    entry: str
    amount: Decimal
    unit: str = ""
    """Of the amount: the account's, or another unit of mass where that is one."""
    place: str = ""
    """Where it is drawn, by code of office."""
    final: bool = False
    """Whether it is the final draw of several; see `ToleranceOf.LAST`."""
    case: str = ""


@dataclass(frozen=True, slots=True)
class Use:
    """Use `amount` of an account for `entry`: of what is reserved for it, whose rest is freed, or at once."""

    account: str
    entry: str
    amount: Decimal
    unit: str = ""
    """Of the amount: the account's, or another unit of mass where that is one."""
    place: str = ""
    """Where it is drawn, by code of office."""
    final: bool = False
    """Whether it is the final draw of several; see `ToleranceOf.LAST`."""
    case: str = ""


@dataclass(frozen=True, slots=True)
class Free:
    """What is reserved for `entry` may be drawn by others again."""

    account: str
    entry: str
    case: str = ""


@dataclass(frozen=True, slots=True)
class Reverse:
    """What was used for `entry` may be drawn again; the entry is kept, and marked."""

    account: str
    entry: str
    case: str = ""


@dataclass(frozen=True, slots=True)
class CloseAccount:
    """Nothing is granted by the account, or drawn on it, any more; nothing may be reserved on it by then."""

    account: str
    case: str = ""


Posting = Grant | Reserve | Use | Free | Reverse | CloseAccount
"""What changes an account; see `ledgers`. A flow looks first whether it may be (`desk.open_books`)."""


@dataclass(frozen=True, slots=True)
class Link:
    """The case belongs to `other` as its `kind`: a certificate to its consignment, a consignment to its ship's call."""

    case: str
    kind: str
    other: str


@dataclass(frozen=True, slots=True)
class Due:
    """At `at` the deadline function of `kind` decides about the case, unless the deadline is set anew or undone before."""

    id: str
    """See `deadlines.name_deadline`: whoever undoes it must find it."""
    at: datetime
    kind: str
    case: str
    args: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Undo:
    """The deadline `id` is off; nothing where there is none."""

    id: str


@dataclass(frozen=True, slots=True)
class Ask:
    """A person must decide about the case; `kind` is a declared kind of tasks, which says what may be decided.

    A task of that id that was asked before stays as it is.
    """

    id: str
    kind: str
    case: str
    office: str = ""
    due_at: datetime | None = None
    reasons: tuple[Finding, ...] = ()
    evidence: tuple[str, ...] = ()
    barred: tuple[str, ...] = ()
    """Persons who may not decide it."""


@dataclass(frozen=True, slots=True)
class Settle:
    """The task is decided by `option`, whose event happens to its case; facts must hold both."""

    task: str
    option: str
    reasons: tuple[Finding, ...] = ()
    role: str = ""
    """In which role the person decides."""
    evidence: tuple[str, ...] = ()
    """What the decision rests on besides, by its id: whoever may look at the task may look at that too."""


@dataclass(frozen=True, slots=True)
class Close:
    """The task waits no longer, and nothing moves: it was decided otherwise (`option`), or its reason is gone (empty)."""

    task: str
    option: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """The person who acts is at the task, and keeps others away until then."""

    task: str
    until: datetime
    role: str = ""


@dataclass(frozen=True, slots=True)
class GiveBack:
    """The task is claimed no longer, and waits for anybody of its office."""

    task: str
    role: str = ""


@dataclass(frozen=True, slots=True)
class Escalate:
    """The task's term is over: it is asked of `office` from now on, and is due anew; expired where there is none."""

    task: str
    office: str = ""
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Subscribe:
    """The subscription is what it says from now on; one that has ended is not served any more."""

    subscription: Subscription


@dataclass(frozen=True, slots=True)
class Attempt:
    """Somebody tried to do `action` on a task, and was refused: the audit says so."""

    task: str
    action: str
    reasons: tuple[Finding, ...]
    case: str = ""
    office: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True)
class Tell:
    """Statistics count that `kind` happened to `subject`; where that stands with other values, it is counted anew.

    `kind` is declared by a flow, with its dimensions. What has no subject is an event of its own, and stands for ever.
    """

    kind: str
    subject: str
    dims: Mapping[str, str] = field(default_factory=dict)
    measures: Mapping[str, Decimal] = field(default_factory=dict)
    case: str = ""


@dataclass(frozen=True, slots=True)
class Retract:
    """What statistics were told of `subject` is taken back: its fact of `kind`, or nothing where none stands."""

    kind: str
    subject: str
    case: str = ""


@dataclass(frozen=True, slots=True)
class Count:
    """A draw counts in the tally of its stratum; one that counted before changes nothing. See `desk.open_lots`."""

    draw: Draw
    case: str = ""


@dataclass(frozen=True, slots=True)
class Disclose:
    """The audit tells of the key of a window of sampling: its SHA-256 before it is used, the key itself after that."""

    window: str
    digest: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class KeepReport:
    """The report is made."""

    report: MadeReport


@dataclass(frozen=True, slots=True)
class Register:
    """From `valid_from` on the registry says this of whoever goes by `value` in `scheme`; it is a version of its own.

    `attributes` are all of them (`documents.registration.Attributes` as JSON); facts must hold the subject on that day.
    """

    scheme: str
    value: str
    valid_from: date
    state: str
    name: str = ""
    attributes: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Raise:
    """`document` is decided by its own flow next, in the same transaction, as if `acting` had sent it.

    It sees all that was decided before it. Where it is refused, that is an alert, and what raised it stands.
    """

    document_type: str
    document: Document
    acting: str = ""
    """Id of the partner in whose name; empty for whoever caused the decision that raises it."""


Effect = (
    NewCase
    | Move
    | AddKeys
    | Keep
    | Note
    | Send
    | Respond
    | Hold
    | Refuse
    | Alert
    | Publish
    | Share
    | Wait
    | Attach
    | Grant
    | Reserve
    | Use
    | Free
    | Reverse
    | CloseAccount
    | Link
    | Due
    | Undo
    | Ask
    | Settle
    | Close
    | Claim
    | GiveBack
    | Escalate
    | Attempt
    | Subscribe
    | Tell
    | Retract
    | KeepReport
    | Count
    | Disclose
    | Raise
    | Register
)
