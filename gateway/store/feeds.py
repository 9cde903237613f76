"""Writing feeds: an entry's number is given by the transaction that commits it, so that no reader skips a row."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import select

from gateway.model import FeedEntry
from gateway.store import standing_alerts, tables
from gateway.store.batch import Batch
from gateway.store.sql import among, to_json, to_time

ALERTS = "alerts"
"""The feed of what an operator or officer must look at."""


def feed_counter(feed: str, test: bool) -> str:
    """The counter of a feed's sequence numbers; the test feed is numbered apart."""
    return f"feed:{'test' if test else 'live'}:{feed}"


_feed = tables.feed.c
_PRESENT = select(_feed.feed, _feed.test, _feed.partner_id, _feed.document_id, _feed.sha256).where(
    among.named(_feed.document_id, "ids")
)


def append_entries(batch: Batch, entries: Sequence[FeedEntry]) -> int:
    """Append to feeds; how many are new. One that is there already, since its payload was processed before, is not.

    Their bodies are to be written by the caller, before the log is entered where another node may write the same one.
    """
    if not entries:
        return 0
    rows = batch.connection.execute(_PRESENT, {"ids": list({entry.document_id for entry in entries})})
    present = {tuple(row) for row in rows}
    now, added = to_time(datetime.now(UTC)), 0
    for entry in entries:
        name = (entry.feed, entry.test, entry.partner_id, entry.document_id, entry.sha256)
        if name in present:
            continue
        present.add(name)
        added += 1
        sequence = batch.next_number(feed_counter(entry.feed, entry.test))
        if entry.feed == ALERTS:
            standing_alerts.count(batch.connection, entry, sequence, now if entry.at is None else to_time(entry.at))
        batch.insert(
            tables.feed,
            (
                entry.feed,
                entry.test,
                sequence,
                entry.partner_id,
                entry.document_type,
                entry.document_id,
                entry.sha256,
                to_json(entry.keys),
                entry.format,
                entry.message_id,
                entry.case_id,
                now if entry.at is None else to_time(entry.at),
            ),
        )
    return added
