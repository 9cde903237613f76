"""Feeds: what was cleared, transferred, released, or changed, in commit order, by cursor, long poll or SSE."""

from __future__ import annotations

import asyncio
import hashlib
import time
from contextlib import nullcontext

from aiohttp import web

from gateway.check import feeds
from gateway.check.feeds import FeedRules
from gateway.decide.audience import name_audiences
from gateway.decide.flow import Flows
from gateway.errors import Archived, NotFound
from gateway.media import find_medium
from gateway.model import FeedEntry, Role
from gateway.reasons import word_alert
from gateway.registry.keys import READ
from gateway.store.feeds import ALERTS
from gateway.transports.http import content_digest
from gateway.web import cursor, resources, views
from gateway.web.api.answers import answer, counted, given, json_response, stored
from gateway.web.identity import Caller
from gateway.web.language import preferred
from gateway.web.parameters import MAX_INTEGER, TEST, Text, Whole, index
from gateway.web.services import Services, services

AFTER = Text("after", "Where the last reading ended (its `next`); from the beginning where absent")
LIMIT = Whole("limit", "Entries in one answer", default=100, minimum=1, maximum=1000)
WAIT = Whole("wait", "Seconds to wait for an entry where there is none yet", default=0, minimum=0, maximum=60)

_OWN = {"inbox": frozenset(Role), ALERTS: frozenset[Role]()}
"""Feeds that no flow writes, with the roles that may read them."""


def readers(flows: Flows, rules: FeedRules) -> dict[str, frozenset[Role]]:
    """Which roles may read each feed, the operator any; which entries, the store decides by the entry's audience."""
    return _OWN | flows.readers(rules)


_HEARTBEAT = 15.0
"""Seconds after which an idle event stream says something, before proxies take it for dead (usually 30 to 60)."""


async def get(request: web.Request) -> web.StreamResponse:
    """Entries after a cursor; with `Accept: text/event-stream` they keep coming as events."""
    service = services(request)
    caller = await service.gate.admit(request, READ)
    name = _readable(request, caller)
    reader = _Reader(service, caller, name, test=caller.key.test or TEST.of(request), limit=LIMIT.of(request))
    if "text/event-stream" in request.headers.get("Accept", ""):
        place = await reader.begin(_place(name, request.headers.get("Last-Event-ID") or AFTER.of(request)))
        with service.news.waiting(caller.partner.id):
            return await _stream(request, reader, place)
    place, wait = await reader.begin(_place(name, AFTER.of(request))), WAIT.of(request)
    with service.news.waiting(caller.partner.id) if wait else nullcontext():
        entries = await reader.read(place, wait)
    last = entries[-1].sequence if entries else place
    return answer(resources.FeedPage(items=views.feed(entries), next=cursor.encode(name, last)))


async def document(request: web.Request) -> web.StreamResponse:
    """The document of one entry, byte for byte; an alert with its reasons in words."""
    service = services(request)
    caller = await service.gate.admit(request, READ)
    name = _readable(request, caller)
    sequence = index(request.match_info["sequence"], "sequence")
    test = caller.key.test or TEST.of(request)
    if name == ALERTS:
        return await _alert(request, caller, sequence, test=test)
    audiences = name_audiences(caller.partner)
    entry, kept = await service.store.feed_entry_kept(name, caller.partner_id, sequence, test=test, audiences=audiences)
    if entry.case_id and caller.partner_id and entry.partner_id != caller.partner_id:
        await service.store.take_part(entry.case_id, caller.partner_id)
    headers = {
        "Content-Type": find_medium(entry.format).type,
        "Content-Digest": content_digest(bytes.fromhex(entry.sha256)),
        "Cache-Control": "no-store",
    }
    return await stored(request, kept, headers, caller)


async def _alert(request: web.Request, caller: Caller, sequence: int, *, test: bool) -> web.Response:
    """An alert with its reasons in the reader's words; it is kept without any."""
    service = services(request)
    _, kept = await service.store.feed_entry_kept(ALERTS, caller.partner_id, sequence, test=test)
    language = preferred(request, caller.partner.language)
    with counted(request, kept.size, caller):
        entry = await service.store.feed_entry(ALERTS, caller.partner_id, sequence, test=test)
        body = await asyncio.to_thread(word_alert, entry.body, language)
    response = json_response(body, language)
    response.headers["Content-Digest"] = content_digest(hashlib.sha256(body).digest())
    return await given(request, response, len(body), caller)


def _readable(request: web.Request, caller: Caller) -> str:
    """The name of the feed asked for; NotFound where the caller has no role that reads it."""
    name = request.match_info["name"]
    service = services(request)
    with service.process.in_force.held() as catalogue:
        roles = readers(service.flows, feeds.load(catalogue)).get(name)
    if roles is None or not (caller.everything or roles & caller.partner.roles):
        raise NotFound
    return name


class _Reader:
    """Reads one feed for one caller."""

    def __init__(self, service: Services, caller: Caller, name: str, *, test: bool, limit: int) -> None:
        self._service = service
        self._partner_id = caller.partner_id
        self._audiences = () if caller.everything else name_audiences(caller.partner)
        self.name = name
        self._test = test
        self._limit = limit

    async def begin(self, place: int) -> int:
        """Where to read on from: `place`, or the end of what was archived, where none of it was the caller's.

        Archived where the caller has not had what was. Whoever begins anew begins with what is there.
        """
        begin, archive = await self._service.store.feed_begin(
            self.name, place, self._partner_id, test=self._test, audiences=self._audiences
        )
        if place and archive:
            further = cursor.encode(self.name, begin)
            raise Archived(f"What followed this place was moved to archives, from {archive} on. Go on after {further}.")
        return max(place, begin)

    async def read(self, place: int, wait: float) -> list[FeedEntry]:
        """Entries after `place`; waits up to `wait` seconds for one, less when the process stops."""
        found = await self._look(place)
        if found or not wait:
            return found
        until = time.monotonic() + wait
        with self._service.news.watched(self.name, self._audiences, test=self._test) as news:
            while not found and not self.stopping and (left := until - time.monotonic()) > 0:
                await _first(news, self._service.stopping, left)
                news.clear()
                found = await self._look(place)
        return found

    async def _look(self, place: int) -> list[FeedEntry]:
        found = await self._service.store.feed(
            self.name, self._partner_id, place, self._limit, test=self._test, audiences=self._audiences
        )
        return list(found)

    @property
    def stopping(self) -> bool:
        """Whether the process has been asked to end."""
        return self._service.stopping.is_set()


async def _first(one: asyncio.Event, other: asyncio.Event, seconds: float) -> None:
    """Wait until either is set, or so many seconds have passed."""
    waits = {asyncio.ensure_future(event.wait()) for event in (one, other)}
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def _stream(request: web.Request, reader: _Reader, place: int) -> web.StreamResponse:
    """Entries as server-sent events until the reader or the process leaves; `id` is the cursor."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    await response.prepare(request)
    while not reader.stopping and request.method != "HEAD":
        entries = await reader.read(place, _HEARTBEAT)
        for line in views.feed(entries):
            place = line.sequence
            text = (
                f"id: {cursor.encode(reader.name, place)}\nevent: {line.document}\ndata: {line.model_dump_json()}\n\n"
            )
            await response.write(text.encode())
        if not entries:
            await response.write(b": still here\n\n")
    return response


def _place(name: str, after: str) -> int:
    """The sequence number in a cursor; 0 where there is none."""
    return min(index(cursor.decode(name, after), "after"), MAX_INTEGER) if after else 0
