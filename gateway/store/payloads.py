"""Payloads: commit 1 with its duplicates, and the inbox from which workers claim what waits for commit 2."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Integer, Row, bindparam, delete, func, select, update

from gateway.decide.names import Name
from gateway.errors import Archived, GatewayError, LeaseLost, NotFound, TransportIdReused
from gateway.model import Payload, Receipt, Stage
from gateway.store import cases, tables
from gateway.store.batch import Batch
from gateway.store.bodies import ARCHIVED_BODY, LARGEST_ROW, BodyFiles, Wanted, bodies_there, insert_body, note_file
from gateway.store.body_rows import key_of
from gateway.store.contract import Accepted, Claimed, NewReceipt, Progress, Standing
from gateway.store.sql import among, from_time, matching, to_time
from gateway.store.writer import Answers

_payloads, _inbox, _receipts = tables.payloads.c, tables.inbox.c, tables.receipts.c


@dataclass(frozen=True, slots=True)
class Arrival:
    """A payload to accept, with its receipt."""

    payload: Payload
    receipt: NewReceipt
    lease: timedelta | None = None
    """For how long it is claimed with its arrival; None leaves it to whoever claims it."""
    node: str = ""


@dataclass(frozen=True, slots=True)
class ClaimWanted:
    """A worker's wish for payloads."""

    files: BodyFiles
    limit: int
    lease: timedelta
    now: datetime
    node: str = ""
    without_large_of: tuple[str, ...] = ()
    """Partners whose large payloads are left where they are."""


@dataclass(frozen=True, slots=True)
class Renewal:
    """A lease to prolong, or to shorten."""

    payload_id: str
    fence: int
    until: int
    begun: int | None = None
    """Examinations begun without a word of their end, as whoever holds the lease knows it by now."""


OUTGOING = "outgoing"
"""How `tables.archived` calls a payload of which something was archived: it cannot be processed again."""
_TransportKey = tuple[str, str, str, bool]
_TRANSPORT_KEY = (_payloads.partner_id, _payloads.transport, _payloads.transport_id, _payloads.test)


def _transport_key(payload: Payload) -> _TransportKey:
    """What a transport id is unique within: one partner's use of one transport, test traffic apart."""
    return payload.partner_id, payload.transport, payload.transport_id, payload.test


def arrival_names(arrival: Arrival) -> Iterable[Name]:
    """What commit 1 touches: the payload's id and its transport id."""
    yield from payload_names(arrival.payload.id)
    if arrival.payload.transport_id:
        yield ("transport id", *_transport_key(arrival.payload))


def payload_names(payload_id: str) -> Iterable[Name]:
    """What an operation on one payload touches."""
    yield ("payload", payload_id)


def accept(batch: Batch, arrivals: Sequence[Arrival]) -> Callable[[], Answers[Accepted]]:
    """Commit 1. The same transport id or payload id with the same digest gets the stored receipt again."""
    known_ids, known_keys = _known(batch.connection, [arrival.payload for arrival in arrivals])
    for arrival in arrivals:
        if arrival.payload.path:
            note_file(batch, arrival.payload.id, arrival.payload.sha256)
        else:
            insert_body(batch, arrival.payload.id, arrival.payload.sha256, arrival.payload.body)

    def finish() -> list[Accepted | GatewayError]:
        answers: list[Accepted | GatewayError] = []
        for arrival in arrivals:
            payload = arrival.payload
            before = known_ids.get(payload.id)
            if before is None and payload.transport_id:
                before = known_keys.get(_transport_key(payload))
            if before is None:
                accepted = Accepted(payload.id, batch.append(arrival.receipt))
                claimed = _insert(batch, arrival, accepted.receipt.index)
                known_ids[payload.id] = known_keys[_transport_key(payload)] = (payload.sha256, accepted)
                answers.append(replace(accepted, claimed=claimed))
            elif before[0] == payload.sha256:
                answers.append(Accepted(before[1].payload_id, before[1].receipt, duplicate=True))
            else:
                answers.append(TransportIdReused(payload_id=before[1].payload_id, transport_id=payload.transport_id))
        return answers

    return finish


_Known = tuple[str, Accepted]


def _known(
    connection: Connection, payloads: Sequence[Payload]
) -> tuple[dict[str, _Known], dict[_TransportKey, _Known]]:
    """Payloads that are there already, with their digests, by id and by transport id."""
    transport_keys = {_transport_key(payload) for payload in payloads if payload.transport_id}
    same_id = among(_payloads.id, [payload.id for payload in payloads])
    query = select(
        _payloads.id,
        _payloads.partner_id,
        _payloads.transport,
        _payloads.transport_id,
        _payloads.test,
        _payloads.sha256,
        _receipts.index.label("log_index"),
        _receipts.stage,
        _receipts.subject_id,
        _receipts.body,
    ).join(tables.receipts, _receipts.index == _payloads.arrival)
    rows = list(connection.execute(query.where(same_id)))
    if transport_keys:
        same_transport_id = matching(_TRANSPORT_KEY, transport_keys)
        # Said again, so that the partial index on it serves.
        rows += connection.execute(query.where(same_transport_id, _payloads.transport_id != ""))
    by_id: dict[str, _Known] = {}
    by_key: dict[_TransportKey, _Known] = {}
    for row in rows:
        receipt = Receipt(row.log_index, Stage(row.stage), row.subject_id, row.body)
        known = (row.sha256, Accepted(row.id, receipt))
        by_id[row.id] = known
        if row.transport_id:
            by_key[row.partner_id, row.transport, row.transport_id, row.test] = known
    return by_id, by_key


def _insert(batch: Batch, arrived: Arrival, arrival: int) -> Claimed | None:
    """Collect a payload's rows; what is claimed with them."""
    payload = arrived.payload
    received_at = to_time(payload.received_at)
    batch.insert(
        tables.payloads,
        (
            payload.id,
            arrival,
            payload.partner_id,
            payload.transport,
            payload.transport_id,
            payload.sha256,
            payload.size,
            received_at,
            payload.content_type,
            payload.filename,
            payload.test,
            Standing.RECEIVED.value,
            "",
            0,
            payload.person_id,
            payload.role,
        ),
    )
    if arrived.lease is None:
        batch.insert(tables.inbox, _inbox_row(payload, arrival, 0, received_at))
        return None
    until = payload.received_at + arrived.lease
    claim = (to_time(until), 1, arrived.node)
    batch.insert(tables.inbox, _inbox_row(payload, arrival, 1, received_at, claim))
    return Claimed(payload, 1, until)


_UNCLAIMED = (0, 0, "")


def _inbox_row(
    payload: Payload | Row[*tuple[Any, ...]],
    arrival: int,
    fence: int,
    received_at: int,
    claim: tuple[int, int, str] = _UNCLAIMED,
) -> tuple[Any, ...]:
    """The row of a payload that nobody has looked into; `claim` is until when it is held, how often begun, by whom."""
    until, begun, holder = claim
    standing = Standing.NONE.value
    return (
        payload.id, arrival, fence, until, 0, received_at, payload.partner_id, payload.test, standing, begun, holder
    )  # fmt: skip


def payload_from(row: Row[Any], body: bytes = b"", path: str = "") -> Payload:
    """The payload of a row of its table, with its bytes or the file that holds them."""
    return Payload(
        id=row.id,
        partner_id=row.partner_id,
        transport=row.transport,
        transport_id=row.transport_id,
        sha256=row.sha256,
        size=row.size,
        received_at=from_time(row.received_at),
        content_type=row.content_type,
        filename=row.filename,
        test=row.test,
        body=body,
        path=path,
        person_id=row.person_id,
        role=row.role,
    )


def payloads_from(connection: Connection, files: BodyFiles, rows: Sequence[Row[Any]]) -> dict[str, Payload]:
    """Payloads by id, with the bytes of small ones and the files of large ones; without either where they are lost."""
    bodies = bodies_there(connection, files, [Wanted(row.id, row.sha256) for row in rows if row.size <= LARGEST_ROW])
    return {
        row.id: payload_from(row, bodies.get(row.sha256, b""))
        if row.size <= LARGEST_ROW
        else payload_from(row, path=files.whole(row.sha256, row.size))
        for row in rows
    }


_FREE = (
    select(_inbox.payload_id, _inbox.fence, _inbox.position, _inbox.begun)
    .where(_inbox.lease_until <= bindparam("moment"))
    .order_by(_inbox.arrival)
    .limit(bindparam("limit", type_=Integer))
    .with_for_update(skip_locked=True, of=tables.inbox)
)
_TAKE = (
    update(tables.inbox)
    .where(among.named(_inbox.payload_id, "ids"))
    .values(
        lease_until=bindparam("until"),
        fence=_inbox.fence + 1,
        # That an examination begins is told with the claim, which is a write already; that it ended, with the
        # next write about the payload, whichever that is.
        begun=_inbox.begun + 1,
        holder=bindparam("node"),
    )
)
_BY_ID = select(tables.payloads).where(among.named(_payloads.id, "ids"))


def claim(connection: Connection, wanted: ClaimWanted) -> list[Claimed]:
    """Take the oldest payloads that nobody holds."""
    free = _FREE
    if wanted.without_large_of:
        others = _inbox.partner_id.not_in(wanted.without_large_of)
        free = free.join(tables.payloads, _payloads.id == _inbox.payload_id)
        free = free.where(others | (_payloads.size <= LARGEST_ROW))
    found = connection.execute(free, {"moment": to_time(wanted.now), "limit": wanted.limit})
    held = {row.payload_id: row for row in found}
    if not held:
        return []
    until = wanted.now + wanted.lease
    connection.execute(_TAKE, {"ids": list(held), "until": to_time(until), "node": wanted.node})
    rows = sorted(connection.execute(_BY_ID, {"ids": list(held)}), key=lambda row: row.arrival)
    taken = payloads_from(connection, wanted.files, rows)
    return [
        Claimed(taken[row.id], held[row.id].fence + 1, until, held[row.id].position, held[row.id].begun) for row in rows
    ]


def claims(batch: Batch, wanted: Sequence[ClaimWanted]) -> Callable[[], Answers[list[Claimed]]]:
    """`claim` as a part of a batch; it finds what the same batch has just made."""
    return lambda: [claim(batch.connection, one) for one in wanted]


def earlier_undecided(connection: Connection, payload_id: str) -> bool:
    """Whether the inbox holds a payload of the same sender, of its live or its test traffic, that arrived before."""
    mine = tables.inbox.alias("mine")
    query = (
        select(_inbox.payload_id)
        .select_from(mine)
        .join(tables.inbox, (_inbox.partner_id == mine.c.partner_id) & (_inbox.test == mine.c.test))
        .where(mine.c.payload_id == payload_id, _inbox.arrival < mine.c.arrival)
        .limit(1)
    )
    return connection.execute(query).first() is not None


def renew(batch: Batch, renewals: Sequence[Renewal]) -> Sequence[GatewayError | None]:
    """Prolong leases that are still held."""
    fences = read_fences(batch.connection, [renewal.payload_id for renewal in renewals])
    answers: list[GatewayError | None] = []
    held: list[dict[str, object]] = []
    for renewal in renewals:
        row = fences.get(renewal.payload_id)
        if row is None or row.fence != renewal.fence:
            answers.append(LeaseLost(payload_id=renewal.payload_id))
        else:
            held.append({"held": renewal.payload_id, "until": renewal.until, "known": renewal.begun})
            answers.append(None)
    if held:
        batch.connection.execute(
            update(tables.inbox)
            .where(_inbox.payload_id == bindparam("held"))
            .values(
                lease_until=bindparam("until"),
                begun=func.coalesce(bindparam("known", type_=Integer), _inbox.begun),
            ),
            held,
        )
    return answers


_FENCES = select(tables.inbox).where(among.named(_inbox.payload_id, "ids")).with_for_update()


def read_fences(connection: Connection, payload_ids: Sequence[str]) -> dict[str, Row[Any]]:
    """Rows of the inbox by payload id, kept from being claimed until this transaction ends."""
    return {row.payload_id: row for row in connection.execute(_FENCES, {"ids": list(payload_ids)})}


def read_progress(connection: Connection, payload_id: str) -> Progress | None:
    """How far a payload is; None where it is dealt with."""
    staged = tables.staged_messages.c
    last = select(func.max(staged.number)).where(staged.payload_id == payload_id).scalar_subquery()
    row = connection.execute(select(_inbox.position, last).where(_inbox.payload_id == payload_id)).one_or_none()
    return Progress(staged=row[1] or 0, decided=row[0]) if row is not None else None


def reopen(batch: Batch, payload_ids: Sequence[str]) -> Sequence[GatewayError | None]:
    """Put payloads into the inbox again, from their first message on; their old workers lose them."""
    connection = batch.connection
    query = select(
        _payloads.id,
        _payloads.arrival,
        _payloads.received_at,
        _payloads.fence,
        _payloads.partner_id,
        _payloads.test,
        _payloads.sha256,
    )
    found = {row.id: row for row in connection.execute(query.where(among(_payloads.id, payload_ids)))}
    waiting = read_fences(connection, payload_ids)
    gone = _archived_of(connection, found.values())
    answers: list[GatewayError | None] = []
    for payload_id in payload_ids:
        row = found.get(payload_id)
        if row is None or payload_id in gone:
            # What it made is not known here any more, so that it would be made, and sent, anew.
            answers.append(Archived.of(gone[payload_id]) if payload_id in gone else NotFound(payload_id=payload_id))
            found.pop(payload_id, None)
            continue
        fence = waiting.get(payload_id, row).fence + 1
        batch.insert(tables.inbox, _inbox_row(row, row.arrival, fence, row.received_at), "replace")
        answers.append(None)
    cases.own_documents(connection, found)
    connection.execute(
        update(tables.payloads).where(among(_payloads.id, found)).values(state=Standing.RECEIVED.value, failed="")
    )
    connection.execute(delete(tables.staged_messages).where(among(tables.staged_messages.c.payload_id, found)))
    # What stands for bytes in which no message could be read goes, since this time there may be some.
    messages = tables.messages.c
    connection.execute(delete(tables.messages).where(among(messages.payload_id, found), messages.number <= 0))
    return answers


def _archived_of(connection: Connection, rows: Iterable[Any]) -> dict[str, str]:
    """The archive that each of some payloads, or something made of it, was put into; only of those that have one."""
    archived, rows = tables.archived.c, list(rows)
    keys = {key_of(row.id, row.sha256): row.id for row in rows}
    found: dict[str, str] = {}
    for kind, names in ((OUTGOING, {row.id: row.id for row in rows}), (ARCHIVED_BODY, keys)):
        named = matching((archived.kind, archived.id), [(kind, name) for name in names])
        query = select(archived.id, archived.archive).where(named)
        found |= {names[row.id]: row.archive for row in connection.execute(query)}
    return found


@dataclass(frozen=True, slots=True)
class Finished:
    """What a payload came to; `failed` says what of it could not be processed, and why; empty where nothing was."""

    payload_id: str
    verdict: Standing
    failed: str = ""


_TELL = (
    update(tables.payloads)
    .where(_payloads.id == bindparam("done"))
    .values(
        state=bindparam("verdict"),
        failed=bindparam("why"),
        fence=select(_inbox.fence).where(_inbox.payload_id == bindparam("done")).scalar_subquery(),
    )
)
_LEAVE = delete(tables.inbox).where(among.named(_inbox.payload_id, "ids"))


def finish(connection: Connection, finished: Sequence[Finished]) -> None:
    """Take payloads out of the inbox for good."""
    told = [{"done": one.payload_id, "verdict": one.verdict.value, "why": one.failed} for one in finished]
    connection.execute(_TELL, told)
    connection.execute(_LEAVE, {"ids": [one.payload_id for one in finished]})
