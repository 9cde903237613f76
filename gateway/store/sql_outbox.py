"""The outbox over SQLAlchemy: see `ports.Outbox` and `ports.Reconciling`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from gateway.model import (
    OPERATOR,
    Attempt,
    Changer,
    Delivery,
    Endpoint,
)
from gateway.store import (
    alerts,
    confirmations,
    deliveries,
    delivery_orders,
    endpoints,
    ports,
    reconcile,
    sendings,
    views,
)
from gateway.store.contract import (
    ANYONE,
    AttemptResult,
    Awaited,
    Confirmation,
    ConfirmationKey,
    EndpointKey,
    Kept,
    Reconciliation,
    Settled,
    Settlement,
    Share,
    Viewer,
)
from gateway.store.sql import to_time
from gateway.store.sql_access import SqlAccess


class SqlOutbox(SqlAccess, ports.Outbox):
    """`ports.Outbox` on SQLite and PostgreSQL."""

    async def claim_deliveries(
        self, limit: int, lease: timedelta, now: datetime, share: Share | None = None
    ) -> Sequence[Delivery]:
        wanted = sendings.ClaimWanted(self._files, limit, lease, now, self._node, share)
        if self._database.claims_apart:
            due = await self._claim(lambda connection: sendings.claim(connection, wanted))
        else:
            due = await self._writer.do(sendings.claims, wanted)
        for alert in await asyncio.gather(*(self._writer.do(sendings.give_up, one) for one in due.lost)):
            alerts.tell(alert)
        return due.leased

    async def renew_delivery(self, delivery_id: str, fence: int, lease: timedelta, now: datetime) -> None:
        await self._writer.do(sendings.renew, sendings.Renewal(delivery_id, fence, to_time(now + lease)))

    async def finish_attempt(self, result: AttemptResult) -> None:
        alerts.tell(await self._writer.do(sendings.finish_attempts, result))

    async def awaited(self, key: ConfirmationKey) -> Awaited | None:
        return await self._read(lambda connection: confirmations.awaited(connection, key))

    async def overdue(self, limit: int, now: datetime) -> Sequence[Awaited]:
        return await self._read(lambda connection: confirmations.overdue(connection, limit, to_time(now)))

    async def settle(self, settlement: Settlement) -> Settled:
        came_to, alert = await self._writer.do(confirmations.settle, settlement)
        alerts.tell(alert)
        return came_to

    async def keep_confirmation(self, confirmation: Confirmation) -> Settled:
        return await self._writer.do(confirmations.keep_early, confirmation)

    async def retry_delivery(self, delivery_id: str, now: datetime, by: Changer = OPERATOR, why: str = "") -> None:
        await self._writer.do(delivery_orders.retry, delivery_orders.Order(delivery_id, now, by, why))

    async def skip_delivery(self, delivery_id: str, now: datetime, by: Changer = OPERATOR, why: str = "") -> None:
        await self._writer.do(delivery_orders.skip, delivery_orders.Order(delivery_id, now, by, why))

    async def hold_delivery(self, delivery_id: str, now: datetime, by: Changer = OPERATOR, why: str = "") -> None:
        await self._writer.do(delivery_orders.hold, delivery_orders.Order(delivery_id, now, by, why))

    async def resend_delivery(self, delivery_id: str, now: datetime, by: Changer = OPERATOR, why: str = "") -> None:
        await self._writer.do(delivery_orders.resend, delivery_orders.Order(delivery_id, now, by, why))

    async def endpoints_in_trouble(self, partner_id: str = "") -> Sequence[Endpoint]:
        return await self._read(lambda connection: endpoints.in_trouble(connection, partner_id))

    async def pause_endpoint(self, key: EndpointKey, now: datetime, by: Changer = OPERATOR, why: str = "") -> None:
        await self._writer.do(endpoints.pause, endpoints.EndpointOrder(key, now, by, why))

    async def resume_endpoint(self, key: EndpointKey, now: datetime, by: Changer = OPERATOR, why: str = "") -> None:
        await self._writer.do(endpoints.resume, endpoints.EndpointOrder(key, now, by, why))

    async def delivery_by_reference(self, partner_id: str, reference: str) -> Delivery | None:
        return await self._read(
            lambda connection: views.delivery_by_reference(connection, self._files, partner_id, reference)
        )

    async def sent_delivery(
        self, case_id: str, partner_id: str, document_type: str, *, test: bool = False
    ) -> Delivery | None:
        return await self._read(
            lambda connection: views.sent_delivery(connection, self._files, case_id, partner_id, document_type, test)
        )

    async def delivery(self, delivery_id: str, seen_by: Viewer = ANYONE) -> Delivery:
        return await self._read(lambda connection: views.delivery(connection, self._files, delivery_id, seen_by))

    async def delivery_kept(self, delivery_id: str, seen_by: Viewer = ANYONE) -> tuple[Delivery, Kept]:
        return await self._read(lambda connection: views.delivery_kept(connection, self._files, delivery_id, seen_by))

    async def attempts(self, delivery_id: str) -> Sequence[Attempt]:
        return await self._read(lambda connection: deliveries.attempts_of(connection, delivery_id))

    async def deliveries(
        self, partner_id: str, state: str, limit: int, after: str = "", *, oldest_first: bool = False
    ) -> Sequence[Delivery]:
        return await self._read(
            lambda connection: views.deliveries(connection, partner_id, state, limit, after, oldest_first=oldest_first)
        )


class SqlReconciling(SqlAccess, ports.Reconciling):
    """`ports.Reconciling` on SQLite and PostgreSQL."""

    async def reconciliation(self, partner_id: str, limit: int) -> Reconciliation:
        return await self._read(lambda connection: reconcile.reconciliation(connection, partner_id, limit))

    async def held_deliveries(self, partner_id: str) -> Sequence[str]:
        return await self._read(lambda connection: reconcile.held_deliveries(connection, partner_id))

    async def release_payloads(self) -> int:
        return await self._trusted(self._database.write, reconcile.release_payloads)

    async def skip_numbers(self, count: int) -> None:
        await self._trusted(self._database.write, partial(reconcile.skip_numbers, count=count))

    async def close_breaks(self, now: datetime) -> bool:
        return await self._trusted(self._database.write, partial(reconcile.close_breaks, at=to_time(now)))
