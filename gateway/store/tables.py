"""The tables: one description for SQLite and PostgreSQL, from which queries and migrations are written.

Times are whole microseconds since 1970-01-01T00:00Z and JSON is text: both engines keep these the
same way, and comparing and copying them costs nothing. A test keeps the migrations equal to this file.

Every statement of this room finds its rows by all leading columns of an index, down to the few it
wants; a test reads the plan of each on filled tables. On SQLite, tables of narrow rows are kept in
the order of their key (`_KEYED`), which would otherwise be kept a second time as an index.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    false,
    text,
)

from gateway.store.leaves import Leaf

metadata = MetaData()


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def _time(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


def _owner(name: str, target: str) -> Column[str]:
    return Column(name, Text, ForeignKey(target, ondelete="CASCADE"), nullable=False)


def _log_position(name: str) -> Column[int]:
    """A key that grows with the log: on SQLite an INTEGER, which is the row's own number and needs no index."""
    return Column(name, BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False)


_KEYED: dict[str, Any] = {"sqlite_with_rowid": False}
"""For tables whose rows are hardly wider than their keys."""


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False)


def _beginnings(table: str) -> Any:
    """What finds ids by how they begin: on PostgreSQL an index of its own, whose order no language changes."""
    index = Index(f"{table}_beginnings", "id", postgresql_ops={"id": "text_pattern_ops"})
    return index.ddl_if(dialect="postgresql")


# Payloads: what arrived, and the queue of those that wait for commit 2.

bodies = Table(
    "bodies",
    metadata,
    Column("key", Text, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("packed", Boolean, nullable=False, server_default=false()),
)
"""Small bodies of payloads, deliveries and feeds, `packed` ones deflated. The key begins with its owner's time, so
that new bodies are written side by side, and goes on with their digest (`body_rows.key_of`); older ones are under the
digest alone."""

body_files = Table(
    "body_files",
    metadata,
    _text("owner_id"),
    _text("sha256"),
    PrimaryKeyConstraint("owner_id", "sha256"),
    Index("body_files_sha256", "sha256"),
    **_KEYED,
)
"""Large bodies, which are files, by whose they are: a file that is not here belongs to nothing."""

payloads = Table(
    "payloads",
    metadata,
    Column("id", Text, primary_key=True),
    _number("arrival"),
    _text("partner_id"),
    _text("transport"),
    _text("transport_id"),
    _text("sha256"),
    _number("size"),
    _time("received_at"),
    _text("content_type"),
    _text("filename"),
    _flag("test"),
    _text("state"),
    _text("failed"),
    _number("fence"),
    Column("person_id", Text, nullable=False, server_default=""),
    Column("role", Text, nullable=False, server_default=""),
    Index("payloads_arrival", "test", "arrival", unique=True),
    Index("payloads_partner", "partner_id", "test", "arrival"),
    Index("payloads_state", "test", "state", "arrival"),
    Index("payloads_partner_state", "partner_id", "test", "state", "arrival"),
    Index(
        "payloads_transport_id",
        "partner_id",
        "transport",
        "transport_id",
        "test",
        unique=True,
        sqlite_where=text("transport_id <> ''"),
        postgresql_where=text("transport_id <> ''"),
    ),
)
"""`arrival` is the log index of the `received` receipt, so that it follows commit order; `fence` the last
one a finished payload had, so that one that is opened again has a higher one. `state` is a `contract.Standing`.
`person_id` is who sent it, where that was a person, and `role` in which role, where that was said."""

inbox = Table(
    "inbox",
    metadata,
    Column("payload_id", Text, primary_key=True),
    _number("arrival"),
    _number("fence"),
    _time("lease_until"),
    Column("position", Integer, nullable=False),
    _time("received_at"),
    Column("partner_id", Text, nullable=False, server_default=""),
    Column("test", Boolean, nullable=False, server_default=false()),
    Column("verdict", Text, nullable=False, server_default=""),
    Column("begun", Integer, nullable=False),
    _text("holder"),
    Index("inbox_arrival", "arrival"),
    Index("inbox_partner", "partner_id", "test", "arrival"),
)
"""Payloads between the two commits; a row leaves with the last commit of its payload. `verdict` is what the messages
committed so far are, all together; `begun` counts the claims of whose examinations nobody has told the end; `holder` is
the node that claimed it last, empty for none in particular."""

HELD_LEASE = 2**62
"""A lease of the inbox that nobody has and that never ends: the payload waits for an operator."""


messages = Table(
    "messages",
    metadata,
    _text("id"),
    _text("payload_id"),
    Column("number", Integer, nullable=False),
    _text("partner_id"),
    _text("syntax"),
    _text("format"),
    _text("reference"),
    _text("state"),
    _time("at"),
    _text("interchange"),
    _text("document_type"),
    Column("document", LargeBinary),
    _text("findings"),
    _text("case_id"),
    _flag("test"),
    _text("schema_digest"),
    _text("mapping_digest"),
    Column("parent_id", Text, nullable=False, server_default=""),
    PrimaryKeyConstraint("id"),
    Index("messages_payload", "payload_id", "number"),
    Index(
        "messages_failed",
        "payload_id",
        "number",
        sqlite_where=text("state = 'failed'"),
        postgresql_where=text("state = 'failed'"),
    ),
    Index(
        "messages_case",
        "case_id",
        "at",
        "number",
        sqlite_where=text("case_id <> ''"),
        postgresql_where=text("case_id <> ''"),
    ),
)
"""`document` is JSON, deflated where that is shorter (`sql.pack`). `parent_id` is of a document that a decision raised:
nobody sent it, though it came of what its payload brought."""

staged_messages = Table(
    "staged_messages",
    metadata,
    _text("payload_id"),
    Column("number", Integer, nullable=False),
    Column("message", LargeBinary, nullable=False),
    PrimaryKeyConstraint("payload_id", "number"),
)
"""Checked messages of a large interchange whose trailer has not been seen; `message` is JSON, packed as documents are."""

interchanges = Table(
    "interchanges",
    metadata,
    _text("sender"),
    _text("recipient"),
    _text("reference"),
    _text("syntax"),
    _flag("test"),
    _time("at"),
    _text("payload_id"),
    PrimaryKeyConstraint("sender", "recipient", "reference", "syntax", "test", "at", "payload_id"),
    **_KEYED,
)
"""References that were used; unique within the agreement's window only, because references wrap."""

# Cases: one consignment each.

cases = Table(
    "cases",
    metadata,
    Column("id", Text, primary_key=True),
    _number("version"),
    _text("status"),
    _text("partner_id"),
    _flag("test"),
    Column("kind", Text, nullable=False, server_default="consignment"),
    Column("standing", Text, nullable=False, server_default="{}"),
    Index(
        "cases_kind",
        "kind",
        "test",
        "id",
        sqlite_where=text("kind <> 'consignment'"),
        postgresql_where=text("kind <> 'consignment'"),
    ),
)
"""Cases of other kinds than consignments, of which there are most, are also found by their kind."""

case_keys = Table(
    "case_keys",
    metadata,
    _text("value"),
    _text("kind"),
    _flag("test"),
    _owner("case_id", "cases.id"),
    PrimaryKeyConstraint("value", "test", "case_id", "kind"),
    Index("case_keys_case", "case_id"),
    **_KEYED,
)

case_documents = Table(
    "case_documents",
    metadata,
    _owner("case_id", "cases.id"),
    _text("document_type"),
    Column("document", LargeBinary),
    Column("message_id", Text, nullable=False, server_default=""),
    PrimaryKeyConstraint("case_id", "document_type"),
)
"""The newest document of each type. Where it is a message's, unchanged, it is kept there, and `message_id` says which."""

case_partners = Table(
    "case_partners",
    metadata,
    _owner("case_id", "cases.id"),
    _text("partner_id"),
    PrimaryKeyConstraint("partner_id", "case_id"),
    **_KEYED,
)
"""Who takes part in a case and may therefore see it, in the order in which the cases of a number stand as well: so both
are walked side by side, and of neither is read more than the other has (`case_views`)."""

case_events = Table(
    "case_events",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    _owner("case_id", "cases.id"),
    _time("at"),
    _text("kind"),
    _text("text"),
    _text("partner_id"),
    _text("message_id"),
    _text("delivery_id"),
    _text("details"),
    Index("case_events_case", "case_id", "id"),
)

case_links = Table(
    "case_links",
    metadata,
    _owner("case_id", "cases.id"),
    _text("kind"),
    _owner("other_id", "cases.id"),
    PrimaryKeyConstraint("case_id", "kind", "other_id"),
    Index("case_links_other", "other_id", "kind"),
    **_KEYED,
)
"""Which case belongs to which other one, and as what."""

tasks = Table(
    "tasks",
    metadata,
    Column("id", Text, primary_key=True),
    _number("version"),
    _text("kind"),
    _owner("case_id", "cases.id"),
    _text("track"),
    _text("office"),
    _text("act"),
    _text("options"),
    _time("opened_at"),
    Column("due_at", BigInteger),
    _text("state"),
    _text("reasons"),
    _text("evidence"),
    _text("option"),
    _text("decided_by"),
    Column("decided_at", BigInteger),
    _flag("test"),
    Column("person_id", Text, nullable=False, server_default=""),
    _time("claimed_until", nullable=True),
    Column("barred", Text, nullable=False, server_default="[]"),
    Index("tasks_case", "case_id"),
    Index("tasks_office", "office", "state", "test", "id"),
)
"""Decisions that wait, or waited, for a person; `person_id` is who has claimed or decided one."""

exhibits = Table(
    "exhibits",
    metadata,
    Column("id", Text, primary_key=True),
    _number("arrival"),
    _text("partner_id"),
    _text("transport_id"),
    _text("sha256"),
    _number("size"),
    _text("media_type"),
    _time("received_at"),
    _time("taken_at", nullable=True),
    _text("device"),
    _text("person_id"),
    _flag("test"),
    Index("exhibits_partner", "partner_id", "test", "id"),
    Index(
        "exhibits_transport_id",
        "partner_id",
        "transport_id",
        "test",
        unique=True,
        sqlite_where=text("transport_id <> ''"),
        postgresql_where=text("transport_id <> ''"),
    ),
)
"""Evidence: its bytes are bodies like any others. `arrival` is the log index of its `received` receipt."""

task_exhibits = Table(
    "task_exhibits",
    metadata,
    _text("exhibit_id"),
    _owner("task_id", "tasks.id"),
    PrimaryKeyConstraint("exhibit_id", "task_id"),
    Index("task_exhibits_task", "task_id"),
    **_KEYED,
)
"""Which tasks name which evidence: whoever they are asked of may look at it. It may be named before it has come."""

deadlines = Table(
    "deadlines",
    metadata,
    Column("id", Text, primary_key=True),
    _text("kind"),
    _text("case_id"),
    _time("due_at"),
    _time("wake_at"),
    _text("args"),
    _flag("test"),
    _number("fence"),
    Column("begun", Integer, nullable=False),
    _text("holder"),
    Index("deadlines_wake", "wake_at"),
    Index(
        "deadlines_holder",
        "holder",
        sqlite_where=text("holder <> ''"),
        postgresql_where=text("holder <> ''"),
    ),
)
"""Terms that are not over yet, or not decided; a row leaves with the commit that decides it. `wake_at` is when it may be
claimed: `due_at`, the end of its lease, or `HELD_LEASE` where it was left to an operator; `fence` is the time of its
last claim, so that one that is set anew never has an earlier one's; `begun` counts the claims of the same deadline."""

waits = Table(
    "waits",
    metadata,
    Column("id", Text, primary_key=True),
    _text("document_type"),
    _text("keys"),
    _text("document"),
    _text("message_id"),
    _text("partner_id"),
    _flag("test"),
)
"""Documents that match no case yet; a row leaves when its document is attached."""

wait_keys = Table(
    "wait_keys",
    metadata,
    _text("value"),
    _text("kind"),
    _flag("test"),
    _owner("wait_id", "waits.id"),
    PrimaryKeyConstraint("value", "test", "wait_id", "kind"),
    Index("wait_keys_wait", "wait_id"),
    **_KEYED,
)

ledgers = Table(
    "ledgers",
    metadata,
    _text("name"),
    _flag("test"),
    _number("version"),
    _text("unit"),
    _text("holder"),
    _text("terms"),
    _text("granted"),
    _text("reserved"),
    _text("used"),
    _number("draws"),
    _text("last"),
    _flag("closed"),
    PrimaryKeyConstraint("name", "test"),
    Index("ledgers_holder", "holder", "test", "name"),
)
"""Accounts with their terms (JSON) and sums (decimal text), a row each, however often they are drawn."""

ledger_entries = Table(
    "ledger_entries",
    metadata,
    _text("ledger"),
    _flag("test"),
    _text("entry"),
    _text("state"),
    _text("granted"),
    _text("reserved"),
    _text("used"),
    _flag("final"),
    _text("case_id"),
    _text("by"),
    Column("at", BigInteger),
    PrimaryKeyConstraint("ledger", "test", "entry"),
    **_KEYED,
)
"""One row per account and business reference, so that drawing again draws nothing twice."""

figures = Table(
    "figures",
    metadata,
    _flag("test"),
    _number("number"),
    _text("kind"),
    _text("subject"),
    _text("day"),
    _text("dims"),
    _text("measures"),
    Column("count", Integer, nullable=False),
    _text("case_id"),
    _text("by"),
    _time("at", nullable=True),
    PrimaryKeyConstraint("test", "number"),
    Index(
        "figures_subject",
        "subject",
        "test",
        sqlite_where=text("subject <> ''"),
        postgresql_where=text("subject <> ''"),
    ),
    Index("figures_day", "test", "kind", "day"),
)
"""Statistical facts in the order of their commits; `day` is ISO 8601, `count` 1 or -1. Rows are added, and never changed."""

reports = Table(
    "reports",
    metadata,
    _text("name"),
    _flag("test"),
    _text("first_day"),
    _text("last_day"),
    _text("begun"),
    _number("seen"),
    _time("at"),
    Column("document", LargeBinary, nullable=False),
    PrimaryKeyConstraint("name", "test", "first_day"),
)
"""Reports as they were made; `seen` is the number of the last fact that each has counted."""

tallies = Table(
    "tallies",
    metadata,
    _text("plan"),
    _text("stratum"),
    _text("window"),
    _flag("test"),
    _number("version"),
    _number("drawn"),
    _number("chosen"),
    PrimaryKeyConstraint("plan", "stratum", "window", "test"),
    **_KEYED,
)
"""How many were drawn and chosen by a sampling plan, a row each stratum and window."""

draws = Table(
    "draws",
    metadata,
    _text("plan"),
    _text("item"),
    _flag("test"),
    _text("stratum"),
    _text("window"),
    _number("number"),
    _text("fraction"),
    _flag("chosen"),
    _text("reason"),
    _number("chosen_before"),
    _text("terms"),
    _text("case_id"),
    _text("by"),
    _time("at", nullable=True),
    PrimaryKeyConstraint("plan", "item", "test"),
    Index("draws_number", "plan", "window", "test", "stratum", "number", unique=True),
)
"""What was drawn, with all that it is repeated from but the window's key."""

counters = Table(
    "counters",
    metadata,
    Column("name", Text, primary_key=True),
    _number("value"),
)
"""Last number given out by name: document numbers, the registry's version."""

replies = Table(
    "replies",
    metadata,
    _text("partner_id"),
    _text("transport"),
    _text("transport_id"),
    Column("body", LargeBinary, nullable=False),
    _time("at"),
    PrimaryKeyConstraint("partner_id", "transport", "transport_id"),
)
"""What a sender was answered, where a repeat must get the same to the byte: the MDNs of AS2 messages."""

reservations = Table(
    "reservations",
    metadata,
    _text("for_id"),
    _text("counter"),
    _text("slot"),
    _number("attempt"),
    _number("value"),
    PrimaryKeyConstraint("for_id", "counter", "slot", "attempt"),
    **_KEYED,
)
"""Numbers that were given out, and what for: asking again gives the same one."""

# Deliveries: hot ones, and those that are over.


def _found_by(table: str) -> list[Index]:
    """How deliveries are found, whether they are hot or over."""
    named = text("reference <> ''")
    return [
        Index(f"{table}_partner", "partner_id", "sequence"),
        Index(f"{table}_state", "state", "sequence"),
        Index(f"{table}_partner_state", "partner_id", "state", "sequence"),
        Index(f"{table}_case", "case_id", "sequence"),
        Index(f"{table}_case_partner", "case_id", "partner_id", "document_type", "sequence"),
        Index(f"{table}_payload", "payload_id", "message_id"),
        Index(
            f"{table}_reference",
            "partner_id",
            "reference",
            "sequence",
            sqlite_where=named,
            postgresql_where=named,
        ),
    ]


def _delivery_columns() -> list[Column[Any]]:
    return [
        _text("id"),
        _number("sequence"),
        _text("payload_id"),
        _text("partner_id"),
        _text("agreement_id"),
        _text("lane"),
        _text("kind"),
        _text("document_type"),
        _text("format"),
        _text("sha256"),
        _text("message_id"),
        _text("case_id"),
        _text("reference"),
        _flag("test"),
        _text("state"),
        Column("attempts", Integer, nullable=False),
        _time("next_at", nullable=True),
        _number("fence"),
        _text("last_error"),
    ]


deliveries = Table(
    "deliveries",
    metadata,
    *_delivery_columns(),
    PrimaryKeyConstraint("id"),
    _flag("head"),
    _time("due_at", nullable=True),
    _text("holder"),
    _text("held_for"),
    Index("deliveries_sequence", "sequence", unique=True),
    Index(
        "deliveries_lane",
        "lane",
        "sequence",
        sqlite_where=text("state <> 'awaiting'"),
        postgresql_where=text("state <> 'awaiting'"),
    ),
    Index(
        "deliveries_awaiting",
        "due_at",
        sqlite_where=text("state = 'awaiting'"),
        postgresql_where=text("state = 'awaiting'"),
    ),
    *_found_by("deliveries"),
    Index("deliveries_head", "lane", unique=True, sqlite_where=text("head"), postgresql_where=text("head")),
    Index("deliveries_due", "due_at", sqlite_where=text("head"), postgresql_where=text("head")),
    Index("deliveries_due_partner", "partner_id", "due_at", sqlite_where=text("head"), postgresql_where=text("head")),
    Index(
        "deliveries_due_agreement", "agreement_id", "due_at", sqlite_where=text("head"), postgresql_where=text("head")
    ),
)
"""What recipients must still get. `head` marks the first of each lane, the only one that may be
claimed; `due_at` is when (the end of the lease while it is sent, nothing when it is dead or held); `holder` is the node
that claimed it last; `held_for` is why one is held. Of one that is held because the store was set back, `next_at` is since
when; of others it is when they go by themselves, if ever. One that waits until its endpoint is resumed is a head without a
moment. One that awaits its confirmation is no head, and due
when that is overdue."""

standing_alerts = Table(
    "standing_alerts",
    metadata,
    Column("id", Text, primary_key=True),
    _text("kind"),
    _text("cause"),
    _flag("test"),
    _text("partner_id"),
    _text("case_id"),
    Column("times", Integer, nullable=False),
    _time("first_at"),
    _time("last_at"),
    _number("last"),
    _text("state"),
    _text("by"),
    _text("said"),
    _time("settled_at", nullable=True),
    _time("silent_until", nullable=True),
    Index(
        "standing_alerts_open",
        "kind",
        "cause",
        "test",
        unique=True,
        sqlite_where=text("state <> 'settled'"),
        postgresql_where=text("state <> 'settled'"),
    ),
    Index("standing_alerts_begun", "test", "first_at", "id"),
    Index("standing_alerts_state", "test", "state", "first_at", "id"),
    Index("standing_alerts_kind", "test", "kind", "first_at", "id"),
    Index("standing_alerts_partner", "test", "partner_id", "first_at", "id"),
    Index(
        "standing_alerts_silent",
        "silent_until",
        sqlite_where=text("silent_until IS NOT NULL"),
        postgresql_where=text("silent_until IS NOT NULL"),
    ),
)
"""What somebody must look at: alerts of one kind and cause, counted, until a person settles it or its cause ends; `last` is
the newest of them on the feed."""

staged_deliveries = Table(
    "staged_deliveries",
    metadata,
    *_delivery_columns(),
    PrimaryKeyConstraint("id"),
    Index("staged_deliveries_payload", "payload_id", "message_id"),
)
"""Deliveries that wait for the last commit of their payload; they stand in no lane yet."""

deliveries_done = Table(
    "deliveries_done",
    metadata,
    *_delivery_columns(),
    PrimaryKeyConstraint("id"),
    _time("finished_at"),
    Index("deliveries_done_sequence", "sequence"),
    *_found_by("deliveries_done"),
)

attempts = Table(
    "attempts",
    metadata,
    _text("delivery_id"),
    Column("number", Integer, nullable=False),
    _time("started_at"),
    _time("ended_at", nullable=True),
    _text("outcome"),
    _text("detail"),
    Column("transcript", LargeBinary, nullable=True),
    PrimaryKeyConstraint("delivery_id", "number"),
    **_KEYED,
)
"""Each try, written before it begins; `transcript` (packed, see `transcripts`) is what was sent and answered."""

endpoints = Table(
    "endpoints",
    metadata,
    _text("partner_id"),
    _text("transport"),
    _text("address"),
    Column("failures", Integer, nullable=False),
    _time("since", nullable=True),
    _text("stop"),
    _time("until", nullable=True),
    _text("said"),
    _text("by"),
    PrimaryKeyConstraint("partner_id", "transport", "address"),
)
"""Where sendings fail, or nothing is to be sent; one that is well again has no row. A partner that is paused as a whole
has one without transport and address."""

confirmations = Table(
    "confirmations",
    metadata,
    _text("partner_id"),
    _text("transport"),
    _text("reference"),
    _text("delivery_id"),
    Column("number", Integer, nullable=False),
    _time("at"),
    _text("verdict"),
    _text("kind"),
    _text("detail"),
    Column("answer", LargeBinary, nullable=False),
    _text("digest"),
    _time("settled_at", nullable=True),
    PrimaryKeyConstraint("partner_id", "transport", "reference"),
    Index("confirmations_delivery", "delivery_id"),
    Index(
        "confirmations_early",
        "partner_id",
        "at",
        sqlite_where=text("delivery_id = ''"),
        postgresql_where=text("delivery_id = ''"),
    ),
)
"""Confirmations that are awaited, by attempt, and those that came before anybody knew what they are about (of no
delivery). `verdict` is what came; `settled_at` is when that counted."""

answers = Table(
    "answers",
    metadata,
    Column("delivery_id", Text, primary_key=True),
    _time("at"),
    **_KEYED,
)
"""Deliveries whose recipient's business answer has come."""

feed = Table(
    "feed",
    metadata,
    _text("feed"),
    _flag("test"),
    _number("sequence"),
    _text("partner_id"),
    _text("document_type"),
    _text("document_id"),
    _text("sha256"),
    _text("keys"),
    _text("format"),
    _text("message_id"),
    _text("case_id"),
    _time("at"),
    PrimaryKeyConstraint("feed", "test", "sequence"),
    Index("feed_partner", "feed", "test", "partner_id", "sequence"),
    Index("feed_document", "document_id"),
    Index(
        "feed_message",
        "feed",
        "message_id",
        sqlite_where=text("feed = 'inbox'"),
        postgresql_where=text("feed = 'inbox'"),
    ),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    _text("partner_id"),
    _text("name"),
    _flag("test"),
    _number("version"),
    _text("feed"),
    _text("keys"),
    _flag("push"),
    _time("since", nullable=True),
    _flag("ended"),
    PrimaryKeyConstraint("partner_id", "name", "test"),
    Index("subscriptions_feed", "feed", "test"),
)
"""What partners want to be given of feeds; one that has ended is kept, so that its versions go on. `keys` is JSON."""

# The receipt log.

receipts = Table(
    "receipts",
    metadata,
    _log_position("index"),
    _text("stage"),
    _text("subject_id"),
    Column("body", Leaf, nullable=False),
    Index("receipts_subject", "subject_id", "index"),
)

tree_nodes = Table(
    "tree_nodes",
    metadata,
    Column("level", Integer, nullable=False),
    _number("index"),
    Column("hash", LargeBinary, nullable=False),
    PrimaryKeyConstraint("level", "index"),
    **_KEYED,
)
"""Roots of complete subtrees: `level` 0 are leaf hashes; the node covers leaves index*2^level on."""

checkpoints = Table(
    "checkpoints",
    metadata,
    _log_position("size"),
    _text("origin"),
    _text("note"),
)

log_state = Table(
    "log_state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    _text("origin"),
    Column("frontier", LargeBinary, nullable=False),
)
"""One row: the log's name, and the right edge of its tree, which is all that appending needs."""

# The audit: a log of its own, made in the same way.

audit_entries = Table(
    "audit_entries",
    metadata,
    _log_position("index"),
    _text("action"),
    _text("subject_id"),
    _text("partner_id"),
    _text("person_id"),
    _text("case_id"),
    Column("body", Leaf, nullable=False),
    Index("audit_entries_partner", "partner_id", "index"),
    Index("audit_entries_person", "person_id", "index"),
    Index("audit_entries_case", "case_id", "index"),
)
"""What persons and systems did to tasks, and what they were refused; see `receipt.entries`."""

audit_nodes = Table(
    "audit_nodes",
    metadata,
    Column("level", Integer, nullable=False),
    _number("index"),
    Column("hash", LargeBinary, nullable=False),
    PrimaryKeyConstraint("level", "index"),
    **_KEYED,
)

audit_checkpoints = Table(
    "audit_checkpoints",
    metadata,
    _log_position("size"),
    _text("origin"),
    _text("note"),
)

audit_state = Table(
    "audit_state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    _text("origin"),
    Column("frontier", LargeBinary, nullable=False),
)

log_breaks = Table(
    "log_breaks",
    metadata,
    Column("origin", Text, primary_key=True),
    _text("earlier"),
    _time("at"),
    _number("size"),
    _text("known_origin"),
    _number("known_size"),
    _text("why"),
    _number("lost"),
    _time("lost_from", nullable=True),
    _time("lost_until", nullable=True),
    _number("skipped"),
    _time("reconciled_at", nullable=True),
)
"""Each time the log had to take a new name (`origin`), and what is known to be lost; see `contract.LogBreak`."""

# What was moved to archives by age.

holds = Table(
    "holds",
    metadata,
    Column("case_id", Text, primary_key=True),
    _text("reason"),
    _time("at"),
    **_KEYED,
)
"""Cases of which nothing is archived until they are released."""

archives = Table(
    "archives",
    metadata,
    Column("name", Text, primary_key=True),
    _text("kind"),
    _time("at"),
    _number("things"),
    _number("size"),
)
"""Archives that were written: a file each, in the folder of `retention.folder`."""

archived = Table(
    "archived",
    metadata,
    _text("kind"),
    _text("id"),
    _text("archive"),
    _text("partner_id"),
    _flag("test"),
    PrimaryKeyConstraint("kind", "id"),
    **_KEYED,
)
"""Where what is not here any more was put. A body is found by the key of `body_rows.key_of`, after what it belongs to;
`partner_id` and `test` say who may know of a delivery or an entry of a feed."""

# The registry.

partners = Table(
    "partners",
    metadata,
    Column("id", Text, primary_key=True),
    _text("name"),
    _text("roles"),
    _text("identifiers"),
    _text("language"),
    _text("time_zone"),
    _text("credit_grade"),
    _text("acts_for"),
    _flag("active"),
    _text("direct_through"),
    _text("supervision_classes"),
    _text("regions"),
    _text("level"),
    _text("parent"),
    Index("partners_inactive", "id", sqlite_where=text("NOT active"), postgresql_where=text("NOT active")),
    Index(
        "partners_grade",
        "credit_grade",
        "id",
        sqlite_where=text("credit_grade <> ''"),
        postgresql_where=text("credit_grade <> ''"),
    ),
    _beginnings("partners"),
)

partner_identifiers = Table(
    "partner_identifiers",
    metadata,
    _text("scheme"),
    _text("value"),
    _owner("partner_id", "partners.id"),
    PrimaryKeyConstraint("scheme", "value"),
    Index("partner_identifiers_partner", "partner_id"),
)

partner_roles = Table(
    "partner_roles",
    metadata,
    _text("role"),
    _owner("partner_id", "partners.id"),
    PrimaryKeyConstraint("role", "partner_id"),
    Index("partner_roles_partner", "partner_id"),
)

agreements = Table(
    "agreements",
    metadata,
    Column("id", Text, primary_key=True),
    _text("partner_id"),
    _text("terms"),
    Index("agreements_partner", "partner_id", "id"),
    _beginnings("agreements"),
)
"""`terms` is the agreement as JSON: it is only ever read whole."""

credentials = Table(
    "credentials",
    metadata,
    Column("id", Text, primary_key=True),
    _text("partner_id"),
    _text("kind"),
    _text("use"),
    _text("hash"),
    _text("material"),
    _text("reference"),
    _text("scopes"),
    _flag("test"),
    _text("label"),
    _time("valid_from", nullable=True),
    _time("valid_until", nullable=True),
    _time("revoked_at", nullable=True),
    Column("person_id", Text, nullable=False, server_default=""),
    Index("credentials_partner", "partner_id", "id"),
    _beginnings("credentials"),
    Index(
        "credentials_shown",
        "hash",
        unique=True,
        sqlite_where=text("use = 'in'"),
        postgresql_where=text("use = 'in'"),
    ),
    Index(
        "credentials_ending",
        "valid_until",
        "id",
        sqlite_where=text("valid_until IS NOT NULL"),
        postgresql_where=text("valid_until IS NOT NULL"),
    ),
)
"""Keys, certificates and tokens, and never a secret: of what is shown to us its digest, which one partner has alone; of
what we show, where it is read from. One certificate may sign for several partners."""

persons = Table(
    "persons",
    metadata,
    Column("id", Text, primary_key=True),
    _text("partner_id"),
    _text("name"),
    _text("roles"),
    _text("language"),
    _flag("active"),
    Index("persons_partner", "partner_id", "id"),
    _beginnings("persons"),
)
"""Who acts for partners. `roles` is JSON: they are only ever read whole."""

subjects = Table(
    "subjects",
    metadata,
    _text("scheme"),
    _text("value"),
    _flag("test"),
    _number("version"),
    _text("valid_from"),
    _text("state"),
    _text("name"),
    Column("attributes", LargeBinary, nullable=False),
    _text("partner_id"),
    _text("occasion"),
    _time("at"),
    PrimaryKeyConstraint("scheme", "value", "test", "version"),
)
"""What the registry says of subjects, every version that it ever had. `valid_from` is a day (ISO 8601); `attributes` is
JSON, packed as documents are."""

registry_changes = Table(
    "registry_changes",
    metadata,
    Column("partner_id", Text, primary_key=True),
    _number("version"),
    Index("registry_changes_version", "version"),
    **_KEYED,
)
"""With which version of the registry each partner, or what belongs to it, last changed. An agreement may come before its
partner, so no partner need be there."""
