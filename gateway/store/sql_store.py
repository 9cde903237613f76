"""The store itself: each operation of the contract, handed to the writer or run as a read."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, make_url

from gateway.decide.facts import Facts, NextNumber, Query
from gateway.errors import ConfigurationInvalid, NotFound
from gateway.model import (
    Agreement,
    ApiKey,
    Delivery,
    FeedEntry,
    Identifier,
    InterchangeRef,
    Partner,
    Payload,
    Receipt,
)
from gateway.receipt.signed import Signer
from gateway.store import deliveries, facts, log, outcome, payloads, probe, registry, staging, views
from gateway.store.anchor import Checkpointer
from gateway.store.bodies import LARGEST_ROW, BodyFiles, check_digest, mentioned
from gateway.store.contract import (
    Accepted,
    AttemptResult,
    CaseView,
    Claimed,
    MessageRecord,
    NewReceipt,
    Outcome,
    PayloadView,
    Pressure,
    Proven,
    Store,
)
from gateway.store.database import connect, in_memory, translated
from gateway.store.migrations import current, head, migrate_connection
from gateway.store.reader import SharedReader
from gateway.store.sql import to_time
from gateway.store.writer import Handler, Names, Writer

T = TypeVar("T")

BRIEF_BODY = 8 * 1024
"""Bytes up to which a payload is written so fast that the event loop can do it between two senders."""
LOG_PAGE = 1000
"""Receipts read at once while the log is walked."""
ORPHAN_SECONDS = 24 * 3600.0
"""Age at which a file that nothing mentions is removed: no transaction is under way for so long."""
SWEEP_PAGE = 500
"""Files judged with one query."""

_HANDLERS: Mapping[Handler[Any, Any], Names[Any]] = {
    payloads.accept: payloads.arrival_names,
    payloads.renew: lambda renewal: payloads.payload_names(renewal.payload_id),
    staging.stage: lambda chunk: payloads.payload_names(chunk.payload_id),
    facts.reserve: facts.reservation_names,
    outcome.commit: outcome.outcome_names,
    deliveries.renew: lambda renewal: deliveries.delivery_names(renewal.delivery_id),
    deliveries.finish_attempts: deliveries.result_names,
    deliveries.retry: lambda order: deliveries.delivery_names(order.delivery_id),
    deliveries.skip: lambda order: deliveries.delivery_names(order.delivery_id),
    payloads.reopen: payloads.payload_names,
    registry.import_entries: registry.import_names,
    probe.write: probe.names,
    # Last, so that they find what the same batch has just made. Rows that are claimed are locked one by one.
    payloads.claims: lambda _wanted: (),
    deliveries.claims: lambda _wanted: (),
}
"""Every operation that writes, in the order in which a batch carries them out, each with the names it touches."""


class SqlStore(Store):
    """The store over SQLAlchemy, on SQLite and PostgreSQL. See `contract.Store` for what each operation promises."""

    def __init__(self, url: str, signer: Signer, payload_folder: Path, anchor_file: Path | None) -> None:
        self._url = make_url(url)
        self._database = connect(url)
        self._files = BodyFiles(payload_folder)
        self._checkpointer = Checkpointer(signer, anchor_file)
        self._writer = Writer(self._database, self._checkpointer, _HANDLERS)
        self._facts = SharedReader(self._database, facts.answer)
        self._interchanges = SharedReader(self._database, outcome.find_interchanges)
        self._anchoring: asyncio.Task[None] | None = None
        self._probing: asyncio.Future[None] | None = None
        self.origin = signer.name
        self.alert = ""

    async def open(self) -> None:
        if in_memory(self._url):
            await self._database.write(migrate_connection)
        version = await self._database.read(current)
        if version != head():
            raise ConfigurationInvalid(f"the store's tables are at {version or 'nothing'}, not {head()}: run migrate")
        self.alert = await self._database.write(self._checkpointer.check)
        if self.alert:
            await asyncio.to_thread(self._checkpointer.keep_old_anchor)
        state, (_, note) = await self._database.read(lambda c: (log.read_state(c), log.newest_checkpoint(c)))
        self.origin = state.origin if state else self.origin
        if note:
            self._checkpointer.committed(note)
        self._writer.start()
        self._anchoring = asyncio.create_task(self._checkpointer.run(), name="store-anchor")

    async def close(self) -> None:
        await self._writer.close()
        if self._anchoring is not None:
            self._anchoring.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._anchoring
            self._anchoring = None
            await asyncio.to_thread(self._checkpointer.write_anchor)
        await self._database.close()

    # Commit 1

    async def accept(self, payload: Payload, receipt: NewReceipt) -> Accepted:
        if payload.path:
            await asyncio.to_thread(self._adopt, payload.sha256, Path(payload.path))
        else:
            await self._keep_bodies([(payload.sha256, payload.body)])
        brief = payload.size <= BRIEF_BODY
        return await self._writer.do(payloads.accept, payloads.Arrival(payload, receipt), brief=brief)

    def _adopt(self, sha256: str, path: Path) -> None:
        """Take a file of the spool for the body of that digest."""
        with translated():
            self._files.adopt(sha256, path)

    async def _keep_bodies(self, bodies: Iterable[tuple[str, bytes]]) -> None:
        """Write large bodies to their files, before the transaction that mentions them.

        ValueError for a digest that is not its body's: kept by digest, it would hand out other bytes later.
        """
        large: list[tuple[str, bytes]] = []
        for sha256, body in bodies:
            if len(body) > LARGEST_ROW:
                large.append((sha256, body))
            else:
                check_digest(sha256, body)
        if not large:
            return

        def keep() -> None:
            with translated():
                for sha256, body in large:
                    check_digest(sha256, body)
                    self._files.keep(sha256, body)

        await asyncio.to_thread(keep)

    # Between the commits

    async def claim_payloads(self, limit: int, lease: timedelta, now: datetime) -> Sequence[Claimed]:
        wanted = payloads.ClaimWanted(self._files, limit, lease, now)
        if self._database.claims_apart:
            return await self._database.claim(lambda connection: payloads.claim(connection, wanted))
        return await self._writer.do(payloads.claims, wanted)

    async def renew_payload(self, payload_id: str, fence: int, lease: timedelta, now: datetime) -> None:
        await self._writer.do(payloads.renew, payloads.Renewal(payload_id, fence, to_time(now + lease)))

    async def earlier_undecided(self, payload_id: str) -> bool:
        return await self._read(lambda connection: payloads.earlier_undecided(connection, payload_id))

    async def find_interchange(
        self, ref: InterchangeRef, window: timedelta, received_at: datetime, payload_id: str
    ) -> str:
        found = await self._interchanges.ask([ref])
        return outcome.used_before(found.get(ref, ()), payload_id, to_time(received_at), window)

    async def facts(self, queries: Iterable[Query], known: Facts, for_id: str) -> Facts:
        wanted = [query for query in queries if query not in known.answers]
        numbers = tuple(query for query in wanted if isinstance(query, NextNumber))
        answers = await self._facts.ask([query for query in wanted if not isinstance(query, NextNumber)])
        if numbers:
            answers |= await self._writer.do(facts.reserve, facts.Reservation(for_id, numbers))
        return known.plus(answers)

    async def stage(self, payload_id: str, fence: int, position: int, messages: Sequence[MessageRecord]) -> None:
        await self._writer.do(staging.stage, staging.Chunk(payload_id, fence, position, tuple(messages)))

    async def staged(self, payload_id: str, after: int, limit: int) -> Sequence[MessageRecord]:
        return await self._read(lambda connection: staging.staged(connection, payload_id, after, limit))

    # Commit 2

    async def commit(self, outcome_: Outcome) -> None:
        made: tuple[Delivery | FeedEntry, ...] = (*outcome_.deliveries, *outcome_.feed)
        await self._keep_bodies((one.sha256, one.body) for one in made)
        await self._writer.do(outcome.commit, outcome_)

    # Deliver

    async def claim_deliveries(self, limit: int, lease: timedelta, now: datetime) -> Sequence[Delivery]:
        wanted = deliveries.ClaimWanted(self._files, limit, lease, now)
        if self._database.claims_apart:
            return await self._database.claim(lambda connection: deliveries.claim(connection, wanted))
        return await self._writer.do(deliveries.claims, wanted)

    async def renew_delivery(self, delivery_id: str, fence: int, lease: timedelta, now: datetime) -> None:
        await self._writer.do(deliveries.renew, deliveries.Renewal(delivery_id, fence, to_time(now + lease)))

    async def finish_attempt(self, result: AttemptResult) -> None:
        await self._writer.do(deliveries.finish_attempts, result)

    async def retry_delivery(self, delivery_id: str, now: datetime) -> None:
        await self._writer.do(deliveries.retry, deliveries.Order(delivery_id, now))

    async def skip_delivery(self, delivery_id: str, now: datetime) -> None:
        await self._writer.do(deliveries.skip, deliveries.Order(delivery_id, now))

    async def delivery_by_reference(self, partner_id: str, reference: str) -> Delivery | None:
        return await self._read(
            lambda connection: views.delivery_by_reference(connection, self._files, partner_id, reference)
        )

    # Read

    async def payload(self, payload_id: str) -> PayloadView:
        return await self._read(lambda connection: views.payload(connection, self._files, payload_id))

    async def reopen_payload(self, payload_id: str) -> None:
        await self._writer.do(payloads.reopen, payload_id)

    async def payloads(self, partner_id: str, state: str, after: str, limit: int) -> Sequence[PayloadView]:
        return await self._read(lambda connection: views.payloads(connection, partner_id, state, after, limit))

    async def case(self, key: str, partner_id: str = "", *, test: bool = False) -> Sequence[CaseView]:
        return await self._read(lambda connection: views.case(connection, key, partner_id, test))

    async def feed(
        self, name: str, partner_id: str, after: int, limit: int, *, test: bool = False
    ) -> Sequence[FeedEntry]:
        return await self._read(lambda connection: views.feed(connection, name, partner_id, after, limit, test))

    async def feed_end(self, name: str, *, test: bool = False) -> int:
        return await self._read(lambda connection: views.feed_end(connection, name, test))

    async def feed_entry(self, name: str, partner_id: str, sequence: int, *, test: bool = False) -> FeedEntry:
        return await self._read(
            lambda connection: views.feed_entry(connection, self._files, name, partner_id, sequence, test)
        )

    async def delivery(self, delivery_id: str) -> Delivery:
        return await self._read(lambda connection: views.delivery(connection, self._files, delivery_id))

    async def deliveries(self, partner_id: str, state: str, limit: int) -> Sequence[Delivery]:
        return await self._read(lambda connection: views.deliveries(connection, partner_id, state, limit))

    async def pressure(self) -> Pressure:
        return await self._read(views.pressure)

    async def probe(self) -> None:
        # Anybody may ask whether we are ready: one probe at a time answers all who ask meanwhile.
        if self._probing is None or self._probing.done():
            self._probing = asyncio.ensure_future(self._writer.do(probe.write, None))
        await asyncio.shield(self._probing)

    # The receipt log

    async def proven(self, index: int) -> Proven:
        return await self._read(lambda connection: log.proven(connection, index))

    async def receipts_of(self, subject_ids: Iterable[str]) -> Sequence[Receipt]:
        wanted = list(subject_ids)
        return await self._read(lambda connection: log.receipts_of(connection, wanted))

    async def consistency(self, old_size: int) -> tuple[tuple[bytes, ...], str]:
        return await self._read(lambda connection: log.consistency(connection, old_size))

    async def checkpoint(self) -> str:
        return (await self._read(log.newest_checkpoint))[1]

    async def log(self, after: int = -1) -> AsyncIterator[Receipt]:
        while page := await self._read(partial(log.receipts_after, after=after, limit=LOG_PAGE)):
            for receipt in page:
                yield receipt
            after = page[-1].index

    # Registry

    async def import_partners(
        self, partners: Iterable[Partner], agreements: Iterable[Agreement], keys: Iterable[ApiKey]
    ) -> tuple[int, int, int]:
        return (await self._import(partners), await self._import(agreements), await self._import(keys))

    async def _import(self, entries: Iterable[registry.Entry]) -> int:
        count = 0
        for chunk in registry.chunks(entries):
            await self._writer.do(registry.import_entries, chunk)
            count += len(chunk)
        return count

    async def partner(self, partner_id: str) -> Partner:
        found = await self._read(lambda connection: registry.partners_by_id(connection, [partner_id]))
        if not found:
            raise NotFound(partner_id=partner_id)
        return found[partner_id]

    async def partner_by(self, identifier: Identifier) -> Partner | None:
        found = await self._read(lambda connection: registry.partners_by(connection, [identifier]))
        return found.get(identifier)

    async def partners(self, after: str, limit: int) -> Sequence[Partner]:
        return await self._read(lambda connection: registry.partners(connection, after, limit))

    async def partners_with_role(self, role: str) -> Sequence[Partner]:
        return await self._read(lambda connection: registry.partners_with_role(connection, role))

    async def agreements(self, partner_id: str) -> Sequence[Agreement]:
        return await self._read(lambda connection: registry.agreements(connection, partner_id))

    async def api_key(self, hash_: str) -> ApiKey | None:
        return await self._read(lambda connection: registry.api_key(connection, hash_))

    async def registry_version(self) -> int:
        return await self._read(registry.version)

    # Upkeep

    async def sweep(self, older_than: float = ORPHAN_SECONDS) -> int:
        """Remove files of bodies that nothing mentions and nobody has touched for so many seconds; how many."""
        files = await asyncio.to_thread(lambda: list(self._files.old_files(older_than)))
        removed = 0
        for start in range(0, len(files), SWEEP_PAGE):
            page = files[start : start + SWEEP_PAGE]
            names = [path.name for path in page]
            kept = await self._read(partial(mentioned, digests=names))
            for path in page:
                if path.name not in kept:
                    removed += await asyncio.to_thread(self._files.remove_old, path, older_than)
        return removed

    async def _read(self, work: Callable[[Connection], T]) -> T:
        return await self._database.read(work)
