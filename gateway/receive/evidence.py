"""Commit 1 of evidence: it becomes a stored exhibit with its `received` receipt, or is refused with a reason.

Nothing is read of it, and nothing decided: it is there for whoever looks at what names it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime

from gateway.errors import PayloadUnreadable
from gateway.model import Exhibit, Stage
from gateway.receipt.notary import Notary
from gateway.receive.intake import new_payload_id, now
from gateway.store.contract import ExhibitKept, NewReceipt
from gateway.store.ports import Exhibits


class EvidenceIntake:
    """The way in for evidence."""

    def __init__(
        self,
        store: Exhibits,
        notary: Notary,
        refuse_under_pressure: Callable[[], Awaitable[None]],
        *,
        clock: Callable[[], datetime] = now,
    ) -> None:
        """`refuse_under_pressure` raises Overloaded or StorageFull where there is no room."""
        self._store = store
        self._notary = notary
        self._refuse_under_pressure = refuse_under_pressure
        self._clock = clock

    async def keep(self, shown: Exhibit) -> ExhibitKept:
        """Keep `shown` under an id and a time of its own; returns after the commit.

        PayloadUnreadable where it is empty, Overloaded or StorageFull where there is no room, TransportIdReused where its
        sender's id came before with other bytes.
        """
        if not shown.size:
            raise PayloadUnreadable("The evidence is empty.")
        await self._refuse_under_pressure()
        exhibit = replace(shown, id=new_payload_id(), received_at=self._clock())
        receipt = NewReceipt(Stage.RECEIVED, exhibit.id, self._notary.received_exhibit(exhibit))
        return await self._store.keep_exhibit(exhibit, receipt)
