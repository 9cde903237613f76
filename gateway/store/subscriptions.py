"""Subscriptions as commit 2 writes them, and as decisions and those who publish read them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Row, select

from gateway.model import Subscription
from gateway.store import tables
from gateway.store.batch import Batch
from gateway.store.sql import among, from_json, maybe_from_time, maybe_to_time, to_json

_subscriptions = tables.subscriptions.c

Owner = tuple[str, bool]
"""A partner's id, and whether test traffic is meant."""


def write(batch: Batch, subscription: Subscription) -> None:
    """Collect the row of a subscription as it is then."""
    row = (
        subscription.partner_id,
        subscription.name,
        subscription.test,
        subscription.version,
        subscription.feed,
        to_json({kind: sorted(values) for kind, values in sorted(subscription.keys.items())}),
        subscription.push,
        maybe_to_time(subscription.since),
        subscription.ended,
    )
    batch.insert(tables.subscriptions, row, "replace")


def of_partners(connection: Connection, owners: Collection[Owner]) -> dict[Owner, list[Subscription]]:
    """All subscriptions of some partners, those included that have ended, each partner's by name."""
    found: dict[Owner, list[Subscription]] = defaultdict(list)
    if not owners:
        return found
    query = select(tables.subscriptions).where(among(_subscriptions.partner_id, {id_ for id_, _ in owners}))
    for row in connection.execute(query.order_by(_subscriptions.partner_id, _subscriptions.name)):
        if (row.partner_id, row.test) in owners:
            found[row.partner_id, row.test].append(subscription_from(row))
    return found


def to_feed(connection: Connection, feed: str, *, test: bool) -> list[Subscription]:
    """The subscriptions to a feed that have not ended, by partner and name."""
    query = select(tables.subscriptions).where(
        _subscriptions.feed == feed, _subscriptions.test == test, _subscriptions.ended.is_(False)
    )
    rows = connection.execute(query.order_by(_subscriptions.partner_id, _subscriptions.name))
    return [subscription_from(row) for row in rows]


def subscription_from(row: Row[Any]) -> Subscription:
    """The subscription of a row of its table."""
    return Subscription(
        row.partner_id,
        row.name,
        row.version,
        row.feed,
        keys={kind: frozenset(values) for kind, values in from_json(row.keys).items()},
        push=row.push,
        since=maybe_from_time(row.since),
        ended=row.ended,
        test=row.test,
    )
