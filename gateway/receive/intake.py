"""Commit 1: an arrival becomes a stored payload with its `received` receipt, or is refused with a reason.

Nothing positive leaves before payload, metadata and receipt are durable. Overload and a full disk
are answers, given before memory or disk run out.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta

from gateway.config import Settings
from gateway.durable import free_bytes
from gateway.errors import Overloaded, PayloadUnreadable, StorageFull
from gateway.model import Payload, Stage, new_id
from gateway.receipt.notary import Notary
from gateway.store.contract import Accepted, Claimed, NewReceipt
from gateway.store.ports import Store
from gateway.transports.base import Arrival
from gateway.transports.spool import refuse_size

_PRESSURE_AGE = 1.0
"""Seconds a reading of queue and disk is good for: it costs a query, and both move slowly."""


def now() -> datetime:
    """The time in UTC."""
    return datetime.now(UTC)


_PROCESS = os.urandom(5).hex()
_serials = itertools.count()


def new_payload_id() -> str:
    """An id that sorts by time; all that comes of the payload has ids that begin with the same time.

    A counter and what was drawn once for this process tell ids of one millisecond apart; that spares a call of the
    system for each, and nothing rests on ids being unguessable.
    """
    return new_id(time.time_ns() // 1_000_000, next(_serials), _PROCESS)


class Intake:
    """The one way in, whatever the transport."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        notary: Notary,
        *,
        clock: Callable[[], datetime] = now,
        on_accepted: Callable[[], None] = lambda: None,
        tell: Callable[[Payload, Accepted, float], None] = lambda _payload, _accepted, _seconds: None,
        is_at_once: Callable[[str], bool] = lambda _document_type: False,
        begin_at_once: Callable[[Claimed], None] = lambda _claimed: None,
        announced: Callable[[], AbstractContextManager[None]] = nullcontext,
        may_go_first: Callable[[str, int], bool] = lambda _partner_id, _size: True,
    ) -> None:
        """`on_accepted` is called after each commit, to wake the pipeline.

        `tell` is told of each arrival that has its receipt, what commit 1 made of it, and how many seconds that took.
        A document whose type `is_at_once` is claimed with its arrival, and handed to `begin_at_once`; while it is taken
        in it is `announced`. Which of them `may_go_first` is asked by partner and size; the others take their turn.
        """
        self._store = store
        self._settings = settings
        self._notary = notary
        self._clock = clock
        self._on_accepted = on_accepted
        self._tell = tell
        self._is_at_once = is_at_once
        self._begin_at_once = begin_at_once
        self._announced = announced
        self._may_go_first = may_go_first
        self._lease = timedelta(seconds=settings.pipeline.lease_seconds)
        self.in_flight = 0
        """Arrivals that wait for their commit: what tells the rest of the process that a peak is on."""
        self._judged_at = -_PRESSURE_AGE
        self._refusal: type[Overloaded | StorageFull] | None = None

    async def accept(self, arrival: Arrival) -> Accepted:
        """Keep `arrival`; returns after the commit (see transports.base.Intake for what it raises)."""
        size = arrival.size if arrival.path is not None else len(arrival.body)
        refuse_size(size, self._settings.limits)
        if not size:
            raise PayloadUnreadable("The payload is empty.")
        await self.refuse_under_pressure()
        at = self._clock()
        payload = Payload(
            id=new_payload_id(),
            partner_id=arrival.partner_id,
            transport=arrival.transport,
            transport_id=arrival.transport_id,
            sha256=(arrival.sha256 or hashlib.sha256(arrival.body).digest()).hex(),
            size=size,
            received_at=at,
            content_type=arrival.content_type,
            filename=arrival.filename,
            test=arrival.test,
            body=arrival.body,
            path=str(arrival.path or ""),
            person_id=arrival.person_id,
            role=arrival.role,
            at_once=bool(arrival.document_type)
            and self._is_at_once(arrival.document_type)
            and self._may_go_first(arrival.partner_id, size),
        )
        if payload.at_once:
            with self._announced():
                accepted = await self._keep(payload, self._lease)
                if accepted.claimed is not None:
                    self._begin_at_once(accepted.claimed)
        else:
            accepted = await self._keep(payload, None)
        if accepted.claimed is None:
            self._on_accepted()
        return accepted

    async def _keep(self, payload: Payload, lease: timedelta | None) -> Accepted:
        """Commit 1; with a `lease` the payload is claimed in it."""
        receipt = self._notary.received(payload)
        self.in_flight += 1
        began = time.perf_counter()
        try:
            accepted = await self._store.accept(payload, NewReceipt(Stage.RECEIVED, payload.id, receipt), lease)
        finally:
            self.in_flight -= 1
        self._tell(payload, accepted, time.perf_counter() - began)
        return accepted

    async def refuse_under_pressure(self) -> None:
        """Raise what keeps anything more from being taken in: what the last reading of queue and disk calls for.

        They are read anew once a second.
        """
        instant = time.monotonic()
        if instant - self._judged_at >= _PRESSURE_AGE:
            self._judged_at = instant
            pressure = await self._store.pressure()
            if free_bytes(self._settings.store.payload_folder) < self._settings.store.free_bytes:
                self._refusal = StorageFull
            elif pressure.payloads_waiting >= self._settings.limits.payloads_waiting:
                self._refusal = Overloaded
            else:
                self._refusal = None
        if self._refusal is not None:
            raise self._refusal
