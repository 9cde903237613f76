"""Partners and agreements as the trip needs them: read once, kept while the registry stands still."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import TypeVar, cast

from gateway.model import Agreement, Direction, Identifier, Partner
from gateway.store.contract import Store

T = TypeVar("T")

CACHED = 20_000
"""Answers kept: the partners of a busy hour, a few megabytes."""
VERSION_AGE = 0.5
"""Seconds after which the registry's version is looked at again, and a change is seen at the latest."""


class Directory:
    """A read-through cache over the registry, emptied when the registry's version moves."""

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds that only rise."""
        self._store = store
        self._clock = clock
        self._answers: OrderedDict[Hashable, object] = OrderedDict()
        self._version = -1
        self._looked_at = float("-inf")

    async def partner(self, partner_id: str) -> Partner:
        """NotFound where there is none."""
        return await self._cached(("partner", partner_id), lambda: self._store.partner(partner_id))

    async def partner_by(self, scheme: str, value: str) -> Partner | None:
        """Who goes by `value` in `scheme`."""
        return await self._cached(("by", scheme, value), lambda: self._store.partner_by(Identifier(scheme, value)))

    async def with_role(self, role: str) -> Sequence[Partner]:
        """Active partners with `role`."""
        return await self._cached(("role", role), lambda: self._store.partners_with_role(role))

    async def agreements(self, partner_id: str, direction: Direction) -> Sequence[Agreement]:
        """A partner's agreements in one direction."""
        every = await self._cached(("agreements", partner_id), lambda: self._store.agreements(partner_id))
        return [a for a in every if a.direction is direction]

    async def wanted(self, partner_id: str, document_type: str) -> Agreement | None:
        """The agreement under which a partner gets `document_type`: one that names it, else one that takes all."""
        outbound = await self.agreements(partner_id, Direction.OUT)
        named = next((a for a in outbound if a.document == document_type), None)
        return named or next((a for a in outbound if a.document == "*"), None)

    async def agreement(self, partner_id: str, agreement_id: str) -> Agreement | None:
        """One agreement of a partner; None where it is gone."""
        every = await self._cached(("agreements", partner_id), lambda: self._store.agreements(partner_id))
        return next((a for a in every if a.id == agreement_id), None)

    async def _cached(self, key: Hashable, read: Callable[[], Awaitable[T]]) -> T:
        """The answer to `key`, read where it is not kept."""
        instant = self._clock()
        if instant - self._looked_at >= VERSION_AGE:
            self._looked_at = instant
            version = await self._store.registry_version()
            if version != self._version:
                self._answers.clear()
                self._version = version
        if key in self._answers:
            self._answers.move_to_end(key)
            return cast("T", self._answers[key])
        version = self._version
        answer = await read()
        # What was read before an import must not outlive the emptying that the import brought about meanwhile.
        if version == self._version:
            self._answers[key] = answer
            if len(self._answers) > CACHED:
                self._answers.popitem(last=False)
        return answer
