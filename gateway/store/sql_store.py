"""The store itself: each operation of the contract, handed to the writer or run as a read."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, make_url
from sqlalchemy.exc import SQLAlchemyError

from gateway.decide.facts import Facts, NextNumber, Query
from gateway.durable import naming_system_errors
from gateway.errors import ConfigurationInvalid, LogContradicted, LogDamaged, NotFound, StoreUnavailable
from gateway.model import (
    Account,
    Agreement,
    Credential,
    Deadline,
    Delivery,
    Entry,
    FeedEntry,
    Identifier,
    InterchangeRef,
    Partner,
    Payload,
    Receipt,
    Task,
)
from gateway.receipt.signed import Signer
from gateway.receipt.stored import StoredLog
from gateway.store import (
    alerts,
    breaks,
    case_views,
    catalogue_calls,
    confirmations,
    credentials,
    deadlines,
    deliveries,
    facts,
    ledgers,
    log,
    log_audit,
    nodes,
    outcome,
    payloads,
    probe,
    reconcile,
    registry,
    sendings,
    staging,
    tasks,
    views,
)
from gateway.store.anchor import MENDS, NO_NAME_HOLDS, Checkpointer
from gateway.store.bodies import LARGEST_ROW, BodyFiles, check_digest, mentioned
from gateway.store.contract import (
    ANYONE,
    LONGEST_PAGE,
    ORPHAN_SECONDS,
    Accepted,
    Alert,
    AttemptResult,
    AuditMark,
    Awaited,
    CasePage,
    CasePlace,
    CaseView,
    Claimed,
    ClaimedDeadline,
    Confirmation,
    ConfirmationKey,
    Kept,
    MessageRecord,
    NewReceipt,
    Outcome,
    PayloadLine,
    PayloadView,
    Pressure,
    Proven,
    Reconciliation,
    RegistryChanges,
    Settled,
    Settlement,
    Share,
    Store,
    Viewer,
    Work,
)
from gateway.store.database import connect, in_memory
from gateway.store.migrations import current, head, migrate_connection
from gateway.store.reader import SharedReader
from gateway.store.sql import to_time
from gateway.store.tables import HELD_LEASE
from gateway.store.writer import Handler, Names, Writer

T = TypeVar("T")

BRIEF_BODY = 8 * 1024
"""Bytes up to which a payload is written so fast that the event loop can do it between two senders."""
LOG_PAGE = 1000
"""Receipts read at once while the log is walked."""
SWEEP_PAGE = 500
"""Files judged with one query."""

_HANDLERS: Mapping[Handler[Any, Any], Names[Any]] = {
    payloads.accept: payloads.arrival_names,
    payloads.renew: lambda renewal: payloads.payload_names(renewal.payload_id),
    staging.stage: lambda chunk: payloads.payload_names(chunk.payload_id),
    facts.reserve: facts.reservation_names,
    outcome.commit: outcome.outcome_names,
    sendings.renew: lambda renewal: deliveries.delivery_names(renewal.delivery_id),
    sendings.finish_attempts: sendings.result_names,
    confirmations.keep_early: confirmations.early_names,
    confirmations.settle: confirmations.settlement_names,
    sendings.give_up: lambda lost: deliveries.delivery_names(lost.delivery_id),
    deliveries.retry: lambda order: deliveries.delivery_names(order.delivery_id),
    deliveries.skip: lambda order: deliveries.delivery_names(order.delivery_id),
    payloads.reopen: payloads.payload_names,
    deadlines.give_back: deadlines.handing_names,
    deadlines.revive: deadlines.revival_names,
    nodes.take_back: lambda return_: [("node", return_.node)],
    alerts.raise_alerts: alerts.alert_names,
    log_audit.mark: log_audit.mark_names,
    registry.import_entries: registry.import_names,
    credentials.revoke: credentials.revocation_names,
    probe.write: probe.names,
    # Last, so that they find what the same batch has just made. Rows that are claimed are locked one by one.
    payloads.claims: lambda _wanted: (),
    deadlines.claims: lambda _wanted: (),
    sendings.claims: lambda _wanted: (),
}
"""Every operation that writes, in the order in which a batch carries them out, each with the names it touches."""


class SqlStore(Store):
    """The store over SQLAlchemy, on SQLite and PostgreSQL. See `contract.Store` for what each operation promises."""

    def __init__(self, url: str, signer: Signer, payload_folder: Path, anchor_file: Path | None) -> None:
        self._url = make_url(url)
        self._database = connect(url)
        self._files = BodyFiles(payload_folder)
        self._checkpointer = Checkpointer(signer, anchor_file, self._database)
        self._writer = Writer(self._database, self._checkpointer, _HANDLERS)
        self._facts = SharedReader(self._database, facts.answer)
        self._interchanges = SharedReader(self._database, outcome.find_interchanges)
        self._anchoring: asyncio.Task[None] | None = None
        self._verifier = signer.verifier
        self._probing: asyncio.Future[None] | None = None
        self._node = ""

    @property
    def origin(self) -> str:
        """The name the log goes by now; receipts are written for it."""
        return self._checkpointer.origin

    @property
    def alert(self) -> str:
        """What happened when the log last took a new name while this process looked; empty where it never did."""
        return self._checkpointer.alert

    def on_new_name(self, call: Callable[[Signer], None]) -> None:
        """Let `call` be called with the log's signer under each new name it takes."""
        self._checkpointer.on_new_name = call

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

    # Commit 1

    async def accept(self, payload: Payload, receipt: NewReceipt, lease: timedelta | None = None) -> Accepted:
        if payload.path:
            await asyncio.to_thread(self._adopt, payload.sha256, Path(payload.path))
        else:
            await self._keep_bodies([(payload.sha256, payload.body)])
        brief = payload.size <= BRIEF_BODY
        arrival = payloads.Arrival(payload, receipt, lease, self._node)
        accepted = await self._writer.do(payloads.accept, arrival, brief=brief)
        if accepted.claimed is None or not payload.path:
            return accepted
        kept = replace(payload, path=self._files.whole(payload.sha256, payload.size))
        return replace(accepted, claimed=replace(accepted.claimed, payload=kept))

    def _adopt(self, sha256: str, path: Path) -> None:
        """Take a file of the spool for the body of that digest."""
        with naming_system_errors():
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
            with naming_system_errors():
                for sha256, body in large:
                    check_digest(sha256, body)
                    self._files.keep(sha256, body)

        await asyncio.to_thread(keep)

    # Between the commits

    async def claim_payloads(
        self, limit: int, lease: timedelta, now: datetime, *, without_large_of: Sequence[str] = ()
    ) -> Sequence[Claimed]:
        wanted = payloads.ClaimWanted(self._files, limit, lease, now, self._node, tuple(without_large_of))
        if self._database.claims_apart:
            return await self._claim(lambda connection: payloads.claim(connection, wanted))
        return await self._writer.do(payloads.claims, wanted)

    async def renew_payload(
        self, payload_id: str, fence: int, lease: timedelta, now: datetime, begun: int | None = None
    ) -> None:
        await self._writer.do(payloads.renew, payloads.Renewal(payload_id, fence, to_time(now + lease), begun))

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

    async def failed_messages(self, payload_id: str, up_to: int) -> Sequence[MessageRecord]:
        return await self._read(lambda connection: staging.failed(connection, payload_id, up_to))

    async def claim_deadlines(self, limit: int, lease: timedelta, now: datetime) -> Sequence[ClaimedDeadline]:
        wanted = deadlines.DueWanted(limit, lease, now, self._node)
        if not await self._read(lambda connection: deadlines.any_over(connection, wanted)):
            return []
        if self._database.claims_apart:
            return await self._claim(lambda connection: deadlines.claim(connection, wanted))
        return await self._writer.do(deadlines.claims, wanted)

    async def return_deadline(self, work: Work, until: datetime, begun: int) -> None:
        await self._writer.do(deadlines.give_back, deadlines.Handing(work, to_time(until), begun))

    async def bury_deadline(self, work: Work, alert: Alert) -> None:
        # The alert first: it is raised once, and what is buried without one nobody would look for.
        await self.raise_alert(alert)
        await self._writer.do(deadlines.give_back, deadlines.Handing(work, HELD_LEASE, 0))

    async def revive_deadline(self, deadline_id: str, now: datetime) -> None:
        await self._writer.do(deadlines.revive, deadlines.Revival(deadline_id, to_time(now)))

    async def buried_deadlines(self, limit: int) -> Sequence[Deadline]:
        return await self._read(lambda connection: deadlines.buried(connection, limit))

    # Commit 2

    async def commit(self, outcome_: Outcome) -> None:
        made: tuple[Delivery | FeedEntry, ...] = (*outcome_.deliveries, *outcome_.feed)
        await self._keep_bodies((one.sha256, one.body) for one in made)
        await self._writer.do(outcome.commit, outcome_)

    async def reopen_payload(self, payload_id: str) -> None:
        await self._writer.do(payloads.reopen, payload_id)

    # Nodes

    async def hold_as(self, node: str, now: datetime) -> int:
        self._node = node
        return await self._writer.do(nodes.take_back, nodes.Return(node, now))

    # Deliver

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

    async def retry_delivery(self, delivery_id: str, now: datetime) -> None:
        await self._writer.do(deliveries.retry, deliveries.Order(delivery_id, now))

    async def skip_delivery(self, delivery_id: str, now: datetime) -> None:
        await self._writer.do(deliveries.skip, deliveries.Order(delivery_id, now))

    # Reconcile

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

    # Read

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

    async def original(self, payload_id: str, *, body: bool = True) -> Payload:
        return await self._read(
            lambda connection: views.original(connection, self._files if body else None, payload_id)
        )

    async def message(self, message_id: str) -> MessageRecord:
        return await self._read(lambda connection: views.message(connection, message_id))

    async def payload(
        self,
        payload_id: str,
        after: int | None = None,
        limit: int = LONGEST_PAGE,
        *,
        bodies: bool = True,
        seen_by: Viewer = ANYONE,
        most: int = 0,
    ) -> PayloadView:
        files = self._files if bodies else None
        return await self._read(
            lambda connection: views.payload(connection, files, payload_id, after, limit, seen_by, most)
        )

    async def payloads(
        self, partner_id: str, state: str, after: str, limit: int, *, test: bool | None = None
    ) -> Sequence[PayloadLine]:
        return await self._read(lambda connection: views.payloads(connection, partner_id, state, after, limit, test))

    async def case(self, key: str, partner_id: str = "", *, test: bool = False) -> Sequence[CaseView]:
        # A list, as callers compare it with one.
        return list((await self.cases(key, partner_id, test=test)).cases)

    async def cases(
        self, key: str, partner_id: str = "", after: str = "", limit: int = LONGEST_PAGE, *, test: bool = False
    ) -> CasePage:
        return await self._read(lambda connection: case_views.cases(connection, key, partner_id, after, limit, test))

    async def account(self, name: str, *, test: bool = False) -> Account | None:
        found = await self._read(lambda connection: ledgers.read(connection, {(name, test)}))
        return found.get((name, test))

    async def accounts(self, holder: str, after: str, limit: int, *, test: bool = False) -> Sequence[Account]:
        return await self._read(lambda connection: ledgers.read_page(connection, holder, after, limit, test=test))

    async def entries(self, account: str, after: str, limit: int, *, test: bool = False) -> Sequence[Entry]:
        return await self._read(
            lambda connection: ledgers.read_entries_page(connection, account, after, limit, test=test)
        )

    async def open_tasks(self, offices: Sequence[str], after: str, limit: int, *, test: bool = False) -> Sequence[Task]:
        return await self._read(lambda connection: tasks.read_waiting(connection, offices, after, limit, test=test))

    async def case_earlier(
        self, case_id: str, partner_id: str, place: CasePlace, limit: int = LONGEST_PAGE, *, test: bool = False
    ) -> CaseView:
        return await self._read(
            lambda connection: case_views.earlier(connection, case_id, partner_id, place, limit, test)
        )

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

    async def delivery(self, delivery_id: str, seen_by: Viewer = ANYONE) -> Delivery:
        return await self._read(lambda connection: views.delivery(connection, self._files, delivery_id, seen_by))

    async def feed_entry_kept(
        self, name: str, partner_id: str, sequence: int, *, test: bool = False
    ) -> tuple[FeedEntry, Kept]:
        return await self._read(
            lambda connection: views.feed_entry_kept(connection, self._files, name, partner_id, sequence, test)
        )

    async def delivery_kept(self, delivery_id: str, seen_by: Viewer = ANYONE) -> tuple[Delivery, Kept]:
        return await self._read(lambda connection: views.delivery_kept(connection, self._files, delivery_id, seen_by))

    async def deliveries(self, partner_id: str, state: str, limit: int, after: str = "") -> Sequence[Delivery]:
        return await self._read(lambda connection: views.deliveries(connection, partner_id, state, limit, after))

    async def pressure(self) -> Pressure:
        return await self._read(views.pressure)

    async def probe(self) -> None:
        # Anybody may ask whether we are ready: one probe at a time answers all who ask meanwhile.
        if self._probing is None or self._probing.done():
            self._probing = asyncio.ensure_future(self._writer.do(probe.write, None))
        await asyncio.shield(self._probing)

    # Alerts

    async def raise_alert(self, alert: Alert) -> None:
        alerts.tell(await self._writer.do(alerts.raise_alerts, alert))

    # The receipt log

    async def log_key(self) -> str:
        await self._trusted(self._database.read, lambda _connection: None)
        return self._checkpointer.signer(self.origin).vkey

    async def proven(self, index: int) -> Proven:
        return await self._handed_out(partial(log.proven, index=index), lambda found: found.checkpoint)

    async def receipt(self, index: int) -> Receipt | None:
        found = await self._read(lambda connection: log.receipts_after(connection, index - 1, 1))
        return found[0] if found and found[0].index == index else None

    async def sent_by(self, partner_id: str, payload_id: str, message_id: str) -> bool:
        return await self._read(lambda connection: views.sent_by(connection, partner_id, payload_id, message_id))

    async def receipts_of(self, subject_ids: Iterable[str]) -> Sequence[Receipt]:
        wanted = list(subject_ids)
        return await self._read(lambda connection: log.receipts_of(connection, wanted))

    async def consistency(self, old_size: int) -> tuple[tuple[bytes, ...], str]:
        return await self._handed_out(partial(log.consistency, old_size=old_size), lambda found: found[1])

    async def checkpoint(self) -> str:
        return (await self._handed_out(log.newest_checkpoint, lambda found: found[1]))[1]

    async def log(self, after: int = -1) -> AsyncIterator[Receipt]:
        while page := await self._read(partial(log.receipts_after, after=after, limit=LOG_PAGE)):
            for receipt in page:
                yield receipt
            after = page[-1].index

    # The log's audit of itself

    async def audit_from(self, place: int) -> StoredLog:
        return await self._read(lambda connection: log_audit.begin(connection, self._verifier, place))

    async def audit_on(self, log: StoredLog, count: int) -> bool:
        def work(connection: Connection) -> bool:
            return log_audit.go_on(connection, log, count)

        try:
            return await self._trusted(self._database.read, work)
        except (LogDamaged, TypeError, SQLAlchemyError):  # what nothing else can go on from is what an audit is about
            return await self._read(work)

    async def log_size(self) -> int:
        return await self._read(lambda connection: log_audit.read_end(connection).size)

    async def mark_audit(self, mark: AuditMark) -> AuditMark | None:
        return await self._writer.do(log_audit.mark, mark)

    # Registry

    async def import_partners(
        self, partners: Iterable[Partner], agreements: Iterable[Agreement], credentials: Iterable[Credential]
    ) -> tuple[int, int, int]:
        # Side by side, so that they share transactions; none of the three has to be there before another.
        kinds: tuple[Iterable[registry.Entry], ...] = (partners, agreements, credentials)
        imported = await asyncio.gather(*(self._import(entries) for entries in kinds))
        return imported[0], imported[1], imported[2]

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
        return (await self.agreements_of([partner_id])).get(partner_id, [])

    async def agreements_of(self, partner_ids: Iterable[str]) -> Mapping[str, Sequence[Agreement]]:
        wanted = list(partner_ids)
        return await self._read(lambda connection: registry.agreements_of(connection, wanted))

    async def shown_credential(self, hash_: str) -> Credential | None:
        return (await self.shown_credentials([hash_])).get(hash_)

    async def shown_credentials(self, hashes: Iterable[str]) -> Mapping[str, Credential]:
        wanted = list(hashes)
        return await self._read(lambda connection: credentials.shown(connection, wanted))

    async def credential(self, credential_id: str) -> Credential:
        found = await self._read(lambda connection: credentials.by_id(connection, credential_id))
        if found is None:
            raise NotFound(credential_id=credential_id)
        return found

    async def credentials(self, partner_id: str) -> Sequence[Credential]:
        return await self._read(lambda connection: credentials.of_partner(connection, partner_id))

    async def revoke_credential(self, credential_id: str, at: datetime) -> None:
        await self._writer.do(credentials.revoke, credentials.Revocation(credential_id, at))

    async def call_for_catalogue(self) -> None:
        await self._trusted(self._database.write, catalogue_calls.call)

    async def catalogue_calls(self) -> int:
        return await self._read(catalogue_calls.read_calls)

    async def registry_version(self) -> int:
        return await self._read(registry.version)

    async def registry_changes(self, since: int) -> RegistryChanges:
        return await self._read(lambda connection: registry.changes(connection, since))

    # Upkeep

    async def sweep(self, older_than: float = ORPHAN_SECONDS) -> int:
        files = await asyncio.to_thread(lambda: list(self._files.old_files(older_than)))
        removed = 0
        for start in range(0, len(files), SWEEP_PAGE):
            page = files[start : start + SWEEP_PAGE]
            names = [path.name for path in page]
            # A store that was set back has forgotten files, and must have noticed that first.
            if await self._trusted(self._database.read, breaks.are_open):
                break
            kept = await self._read(partial(mentioned, digests=names))
            for path in page:
                if path.name not in kept:
                    removed += await asyncio.to_thread(self._files.remove_old, path, older_than)
        return removed

    async def _read(self, work: Callable[[Connection], T]) -> T:
        return await self._database.read(work)

    async def _claim(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction beside the writer's, of a database that holds the log that was signed last."""
        return await self._trusted(self._database.claim, work)

    async def _handed_out(self, work: Callable[[Connection], T], note_of: Callable[[T], str]) -> T:
        """What `work` reads, once the checkpoint in it may leave."""
        return await self._trusted(self._database.read, work, note_of)

    async def _trusted(
        self,
        run: Callable[[Callable[[Connection], T]], Awaitable[T]],
        work: Callable[[Connection], T],
        note_of: Callable[[T], str] = lambda _: "",
    ) -> T:
        """What `work` gives of a log that extends all that is known of it; where it does not, it is renamed first."""

        def look_and_work(connection: Connection) -> T:
            self._checkpointer.look(connection)
            return work(connection)

        for _ in range(MENDS):
            try:
                found = await run(look_and_work)
                await self._checkpointer.hold(note_of(found))
            except LogContradicted:
                await self._checkpointer.mend()
            else:
                return found
        raise StoreUnavailable(NO_NAME_HOLDS)
