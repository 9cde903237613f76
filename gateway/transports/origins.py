"""The files that answers answer, as they are known from the store."""

from __future__ import annotations

from gateway import findings
from gateway.errors import NotFound
from gateway.model import Delivery, DeliveryKind, MessageState, Severity
from gateway.registry.directory import Directory
from gateway.store.ports import Pages
from gateway.transports.base import Origin

_BY_NAME = frozenset({"folder", "sftp"})
"""Transports over which files come, and go back, under names."""
_MOST_MESSAGES = 100
"""Messages of a file that are looked at; one with more is answered as ever, and has no reason beside it."""
_MOST_WORDS = 20
"""Findings that a reason tells; the answer tells all."""


class KeptOrigins:
    """`base.FindOrigin` over the store."""

    def __init__(self, store: Pages, registry: Directory) -> None:
        self._store = store
        self._registry = registry

    async def find(self, delivery: Delivery) -> Origin | None:
        """See `base.FindOrigin`."""
        if delivery.kind is DeliveryKind.DOCUMENT or not delivery.message_id:
            return None
        try:
            message = await self._store.message(delivery.message_id)
            view = await self._store.payload(message.payload_id, limit=_MOST_MESSAGES, bodies=False)
        except NotFound:  # a deadline's or another occasion's; or it is archived by now
            return None
        payload = view.payload
        if payload.partner_id != delivery.partner_id or payload.transport not in _BY_NAME or not payload.filename:
            return None
        whole = view.next is None and view.progress is None and view.messages
        if not whole or any(one.state is not MessageState.REJECTED for one in view.messages):
            return Origin(payload.filename)
        language = (await self._registry.partner(delivery.partner_id)).language
        told = [found for one in view.messages for found in one.findings if found.severity is Severity.ERROR]
        return Origin(payload.filename, tuple(findings.text(found, language) for found in told[:_MOST_WORDS]), True)
