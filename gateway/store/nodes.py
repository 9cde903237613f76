"""Nodes: whose leases are whose, so that a node that starts again takes its own work back at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text, update

from gateway.errors import GatewayError
from gateway.model import DeliveryState
from gateway.store import tables
from gateway.store.batch import Batch
from gateway.store.sql import to_time

_inbox, _hot, _deadlines = tables.inbox.c, tables.deliveries.c, tables.deadlines.c


@dataclass(frozen=True, slots=True)
class Return:
    """A node that was here before, and has nothing in its hands any more."""

    node: str
    at: datetime


def take_back(batch: Batch, returns: Sequence[Return]) -> Sequence[int | GatewayError]:
    """End the leases that nodes held before they were started again; how many each had."""
    answers: list[int | GatewayError] = []
    for one in returns:
        moment = to_time(one.at)
        payloads = batch.connection.execute(
            update(tables.inbox)
            .where(_inbox.holder == one.node, _inbox.lease_until > moment)
            .values(lease_until=moment, holder="")
        )
        sendings = batch.connection.execute(
            update(tables.deliveries)
            .where(_hot.state == DeliveryState.SENDING.value, _hot.holder == one.node, _hot.due_at > moment)
            .values(due_at=moment, holder="")
        )
        alarms = batch.connection.execute(
            update(tables.deadlines)
            .where(
                _deadlines.holder == one.node,
                text("holder <> ''"),  # as the partial index says it
                _deadlines.wake_at > moment,
                _deadlines.wake_at < tables.HELD_LEASE,
            )
            .values(wake_at=moment, holder="")
        )
        answers.append(payloads.rowcount + sendings.rowcount + alarms.rowcount)
    return answers
