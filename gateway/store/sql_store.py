"""The store itself: each operation of the contract, handed to the writer or run as a read."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from gateway.errors import ConfigurationInvalid
from gateway.receipt.signed import Signer
from gateway.store import (
    alerts,
    confirmations,
    credentials,
    deadlines,
    deliveries,
    delivery_orders,
    endpoints,
    exhibits,
    facts,
    log_audit,
    nodes,
    outcome,
    participation,
    payloads,
    probe,
    registry,
    registry_removal,
    sendings,
    staging,
    standing_alerts,
)
from gateway.store.database import in_memory
from gateway.store.migrations import current, head, migrate_connection
from gateway.store.ports import Store
from gateway.store.sql_audit import SqlAudit
from gateway.store.sql_decisions import SqlAlerts, SqlDeadlines, SqlDecisions, SqlTasks
from gateway.store.sql_exhibits import SqlExhibits
from gateway.store.sql_figures import SqlFigures, SqlSamples
from gateway.store.sql_inbox import SqlInbox, SqlReplies
from gateway.store.sql_ledgers import SqlLedgers
from gateway.store.sql_log import SqlLog, SqlLogAudit
from gateway.store.sql_outbox import SqlOutbox, SqlReconciling
from gateway.store.sql_pages import SqlFeeds, SqlPages
from gateway.store.sql_registry import SqlCatalogueCalls, SqlRegistry
from gateway.store.sql_retention import SqlRetention
from gateway.store.sql_subjects import SqlSubjects
from gateway.store.sql_upkeep import SqlUpkeep
from gateway.store.writer import Handler, Names

T = TypeVar("T")

_HANDLERS: Mapping[Handler[Any, Any], Names[Any]] = {
    payloads.accept: payloads.arrival_names,
    exhibits.keep: exhibits.arrival_names,
    payloads.renew: lambda renewal: payloads.payload_names(renewal.payload_id),
    staging.stage: lambda chunk: payloads.payload_names(chunk.payload_id),
    facts.reserve: facts.reservation_names,
    outcome.commit: outcome.outcome_names,
    sendings.renew: lambda renewal: deliveries.delivery_names(renewal.delivery_id),
    sendings.finish_attempts: sendings.result_names,
    confirmations.keep_early: confirmations.early_names,
    confirmations.settle: confirmations.settlement_names,
    sendings.give_up: lambda lost: deliveries.delivery_names(lost.delivery_id),
    delivery_orders.retry: lambda order: deliveries.delivery_names(order.delivery_id),
    delivery_orders.skip: lambda order: deliveries.delivery_names(order.delivery_id),
    delivery_orders.hold: lambda order: deliveries.delivery_names(order.delivery_id),
    delivery_orders.resend: lambda order: deliveries.delivery_names(order.delivery_id),
    standing_alerts.order: lambda order: [standing_alerts.order_name(order)],
    endpoints.pause: lambda wanted: [endpoints.endpoint_name(wanted.key)],
    endpoints.resume: lambda wanted: [endpoints.endpoint_name(wanted.key)],
    payloads.reopen: payloads.payload_names,
    deadlines.give_back: deadlines.handing_names,
    deadlines.revive: deadlines.revival_names,
    deadlines.begin: deadlines.beginning_names,
    nodes.take_back: lambda return_: [("node", return_.node)],
    alerts.raise_alerts: alerts.alert_names,
    participation.take_part: participation.fetch_names,
    log_audit.mark: log_audit.mark_names,
    registry.import_entries: registry.import_names,
    credentials.revoke: credentials.revocation_names,
    registry_removal.remove: registry_removal.removal_names,
    probe.write: probe.names,
    # Last, so that they find what the same batch has just made. Rows that are claimed are locked one by one.
    payloads.claims: lambda _wanted: (),
    deadlines.claims: lambda _wanted: (),
    sendings.claims: lambda _wanted: (),
}
"""Every operation that writes, in the order in which a batch carries them out, each with the names it touches."""


class SqlStore(
    SqlAudit,
    SqlLedgers,
    SqlFigures,
    SqlSamples,
    SqlExhibits,
    SqlSubjects,
    SqlInbox,
    SqlDecisions,
    SqlDeadlines,
    SqlTasks,
    SqlOutbox,
    SqlReconciling,
    SqlFeeds,
    SqlPages,
    SqlAlerts,
    SqlLog,
    SqlLogAudit,
    SqlRegistry,
    SqlCatalogueCalls,
    SqlReplies,
    SqlUpkeep,
    SqlRetention,
    Store,
):
    """The store over SQLAlchemy, on SQLite and PostgreSQL: all its ports. See `ports` for what each operation promises."""

    def __init__(self, url: str, signer: Signer, payload_folder: Path, anchor_file: Path | None) -> None:
        super().__init__(url, signer, payload_folder, anchor_file, _HANDLERS)

    async def open(self) -> None:
        if in_memory(self._url):
            await self._database.write(migrate_connection)
        version = await self._database.read(current)
        if version != head():
            raise ConfigurationInvalid(f"the store's tables are at {version or 'nothing'}, not {head()}: run migrate")
        await self._checkpointer.open()
        self._writer.start()
        self._anchoring = asyncio.create_task(self._checkpointer.run(), name="store-anchor")

    async def close(self) -> None:
        await self._writer.close()
        if self._anchoring is not None:
            self._anchoring.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._anchoring
            self._anchoring = None
            await self._checkpointer.close()
        await self._database.close()
