"""One HTTP session for each partner: its own connections, resolved names, and nothing that outlives a request.

Partners may sit behind one host: a shared provider, a reverse proxy. What the state of one connection or the
answer to one partner says (a cookie, a connection that a proxy has authenticated, a name that was resolved)
must then never reach another, so no two partners share a session, and a session keeps no cookies. Nor does it
read proxies or credentials from the environment, which would be everybody's.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

KEPT = 1000
"""Sessions kept open at most, some 30 KB each without their connections; the one that was used longest ago goes first."""
IDLE_SECONDS = 60.0
"""Seconds after which a session that nobody uses is closed: aiohttp keeps an idle connection for 15."""


@dataclass(slots=True)
class _Kept:
    """A session, how many sendings use it just now, and when it was used last."""

    session: aiohttp.ClientSession
    users: int = 0
    used_at: float = 0.0


class Sessions:
    """Sessions by partner, made when they are needed."""

    def __init__(
        self, connector: Callable[[], aiohttp.TCPConnector], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`connector` makes the connections of one session; `clock` gives seconds that only rise."""
        self._connector = connector
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    @asynccontextmanager
    async def of(self, partner_id: str) -> AsyncIterator[aiohttp.ClientSession]:
        """The partner's session, which is not closed before this is left."""
        kept = self._kept.get(partner_id)
        if kept is None:
            kept = self._kept[partner_id] = _Kept(self._new_session())
        kept.users += 1
        try:
            yield kept.session
        finally:
            kept.users -= 1
            kept.used_at = self._clock()
            self._kept.move_to_end(partner_id)
            await self._close_surplus()

    async def close(self) -> None:
        """Close all sessions, whoever uses them."""
        while self._kept:
            _, kept = self._kept.popitem()
            await kept.session.close()

    def __len__(self) -> int:
        return len(self._kept)

    def _new_session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=self._connector(),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
        )

    async def _close_surplus(self) -> None:
        """Close what was idle for long, and the oldest of what is too many; what is in use stays."""
        idle_since = self._clock() - IDLE_SECONDS
        surplus = len(self._kept) - KEPT
        over: list[str] = []
        for partner_id, kept in self._kept.items():  # the one that was used longest ago first
            if kept.used_at > idle_since and len(over) >= surplus:
                break
            if not kept.users:
                over.append(partner_id)
        for kept in [self._kept.pop(partner_id) for partner_id in over]:
            await kept.session.close()
