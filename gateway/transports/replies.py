"""What partners were answered, in the store, as one transport sees it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from gateway.store.ports import Replies


class KeptReplies:
    """`base.Replies` over the store."""

    def __init__(self, store: Replies, transport: str, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._transport = transport
        self._clock = clock

    async def find(self, partner_id: str, transport_id: str) -> bytes | None:
        """See `base.Replies`."""
        return await self._store.find_reply(partner_id, self._transport, transport_id)

    async def keep(self, partner_id: str, transport_id: str, reply: bytes) -> bytes:
        """See `base.Replies`."""
        return await self._store.keep_reply(partner_id, self._transport, transport_id, reply, self._clock())
