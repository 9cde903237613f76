"""Deliveries: lanes, of which only the head may be claimed, and what becomes of each attempt.

A lane is one recipient and one case. Its rows go in the order of their sequence numbers; `head`
marks the first, and only a head has a moment at which it is due. A dead head has none, and so it
holds its lane, and no other, until an operator retries or skips it. A row that is over moves to
`deliveries_done`, and the next of its lane becomes the head.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Row,
    Select,
    Update,
    bindparam,
    delete,
    func,
    select,
    text,
    union_all,
    update,
)

from gateway.decide.names import Name
from gateway.errors import GatewayError, LeaseLost, NotFound, TransitionRefused
from gateway.findings import make_finding
from gateway.model import Attempt, Delivery, DeliveryKind, DeliveryState
from gateway.store import tables
from gateway.store.alerts import raise_alert
from gateway.store.batch import Batch
from gateway.store.bodies import BodyFiles, Wanted, bodies_there
from gateway.store.contract import Alert, Answered, AttemptResult, NewReceipt, Share
from gateway.store.sql import (
    among,
    from_json,
    from_time,
    insert_rows,
    listed,
    maybe_from_time,
    maybe_to_time,
    to_time,
)
from gateway.store.writer import Answers

SEQUENCE = "deliveries"
"""The counter that orders deliveries; it follows commit order."""
_hot = tables.deliveries.c
_COMMON = tuple(column.name for column in tables.staged_deliveries.columns)
NO_WORD = "The last attempt ended without a word, so whether the recipient has it is not known."
_HEAD = text("head")
_AT_ONCE = 0


def delivery_from(row: Row[Any], body: bytes = b"") -> Delivery:
    """The delivery of a row of any of the tables of deliveries."""
    return Delivery(
        id=row.id,
        partner_id=row.partner_id,
        agreement_id=row.agreement_id,
        lane=row.lane,
        kind=DeliveryKind(row.kind),
        document_type=row.document_type,
        format=row.format,
        body=body,
        sha256=row.sha256,
        message_id=row.message_id,
        case_id=row.case_id,
        reference=row.reference,
        test=row.test,
        state=DeliveryState(row.state),
        sequence=row.sequence,
        attempts=row.attempts,
        next_at=maybe_from_time(row.next_at),
        fence=row.fence,
        last_error=row.last_error,
    )


def attempt_from(row: Row[Any]) -> Attempt:
    """The attempt of a row of its table."""
    return Attempt(
        row.delivery_id, row.number, from_time(row.started_at), maybe_from_time(row.ended_at), row.outcome, row.detail
    )


# Into a lane.


def enqueue(batch: Batch, made: Sequence[tuple[str, Delivery]]) -> None:
    """Add deliveries, each with the payload it came of, at the end of their lanes; those that exist stay as they are."""
    existing = _existing(batch.connection, {delivery.id for _, delivery in made})
    fresh = [(payload_id, delivery) for payload_id, delivery in made if delivery.id not in existing]
    taken = _lanes_with_head(batch.connection, {delivery.lane for _, delivery in fresh})
    for payload_id, delivery in fresh:
        common = (
            delivery.id,
            batch.next_number(SEQUENCE),
            payload_id,
            delivery.partner_id,
            delivery.agreement_id,
            delivery.lane,
            delivery.kind.value,
            delivery.document_type,
            delivery.format,
            delivery.sha256,
            delivery.message_id,
            delivery.case_id,
            delivery.reference,
            delivery.test,
        )
        next_at = maybe_to_time(delivery.next_at)
        if delivery.state is DeliveryState.STAGED:
            batch.insert(tables.staged_deliveries, (*common, delivery.state.value, 0, next_at, 0, ""))
            continue
        rest = (DeliveryState.PENDING.value, 0, next_at, 0, "", delivery.lane not in taken, next_at or _AT_ONCE, "")
        batch.insert(tables.deliveries, (*common, *rest))
        taken.add(delivery.lane)


def staged_lanes(connection: Connection, payload_ids: Iterable[str]) -> set[str]:
    """The lanes into which `release` would let staged deliveries of these payloads."""
    staged = tables.staged_deliveries.c
    return set(
        connection.execute(select(staged.lane).where(among(staged.payload_id, payload_ids)).distinct()).scalars()
    )


_STAGED = select(tables.staged_deliveries).where(among.named(tables.staged_deliveries.c.payload_id, "ids"))


def release(batch: Batch, payload_ids: Iterable[str]) -> None:
    """Let staged deliveries of these payloads into their lanes."""
    rows = sorted(batch.connection.execute(_STAGED, {"ids": list(payload_ids)}), key=lambda row: row.sequence)
    if not rows:
        return
    taken = _lanes_with_head(batch.connection, {row.lane for row in rows})
    for row in rows:
        common = _common(row, sequence=batch.next_number(SEQUENCE), state=DeliveryState.PENDING.value)
        batch.insert(tables.deliveries, (*common, row.lane not in taken, row.next_at or _AT_ONCE, ""))
        taken.add(row.lane)
    drop_staged(batch.connection, {row.payload_id for row in rows})


def drop_staged(connection: Connection, payload_ids: Iterable[str]) -> None:
    """Forget staged deliveries of these payloads."""
    staged = tables.staged_deliveries
    connection.execute(delete(staged).where(among(staged.c.payload_id, payload_ids)))


_EXISTING = union_all(
    *(
        select(table.c.id).where(among.named(table.c.id, "ids"))
        for table in (tables.deliveries, tables.deliveries_done, tables.staged_deliveries)
    )
)
_WITH_HEAD = select(_hot.lane).where(_HEAD, among.named(_hot.lane, "lanes"))


def _existing(connection: Connection, ids: set[str]) -> set[str]:
    return set(connection.execute(_EXISTING, {"ids": list(ids)}).scalars())


def _lanes_with_head(connection: Connection, lanes: set[str]) -> set[str]:
    return set(connection.execute(_WITH_HEAD, {"lanes": list(lanes)}).scalars())


def _common(row: Row[Any], **changes: object) -> tuple[Any, ...]:
    kept = row._mapping  # noqa: SLF001 - the documented way to a row's columns by name
    return tuple(changes[name] if name in changes else kept[name] for name in _COMMON)


# Out to the recipient.


def _due(*narrower: ColumnElement[bool]) -> Select[Any]:
    """The query for heads that are due at `moment`, longest due first, `limit` of them at most."""
    wanted = select(tables.deliveries).where(_HEAD, _hot.due_at <= bindparam("moment"), *narrower)
    return wanted.order_by(_hot.due_at).limit(bindparam("limit", type_=Integer)).with_for_update(skip_locked=True)


DUE, _DUE_OF = _due(), _due(_hot.partner_id == bindparam("partner"))


def _find_due(connection: Connection, wanted: ClaimWanted) -> list[Row[Any]]:
    """Heads that are due, longest due first, of each partner as many as its share leaves room for.

    Where a partner is full, thousands of its heads may stand before the next one of another partner. Then each partner
    is asked for by itself, the one that waits longest first.
    """
    moment, share = to_time(wanted.now), wanted.share
    first = connection.execute(DUE, {"moment": moment, "limit": wanted.limit}).all()
    if share is None:
        return list(first)
    taken = Counter(share.busy)
    found: list[Row[Any]] = []
    full = False
    for row in first:
        if taken[row.partner_id] < share.each:
            found.append(row)
            taken[row.partner_id] += 1
        else:
            full = True
    if not full or len(first) < wanted.limit:
        return found
    here = {row.id for row in found}
    for partner_id in _partners_due(connection, moment):
        room = min(share.each - taken[partner_id], wanted.limit - len(found))
        if room <= 0:
            continue
        narrower = {"moment": moment, "limit": room + len(here), "partner": partner_id}
        for row in connection.execute(_DUE_OF, narrower):
            if row.id not in here and len(found) < wanted.limit and taken[partner_id] < share.each:
                found.append(row)
                taken[partner_id] += 1
        if len(found) == wanted.limit:
            break
    return sorted(found, key=lambda row: row.due_at)


def _first_due() -> Select[Any]:
    """The query for partners with heads that have a moment at which they are due, each with the first of these moments.

    From each partner's place in the index a look leads to the next one's, however many heads stand in between.
    """
    after, oldest = tables.deliveries.alias("after"), tables.deliveries.alias("oldest")
    names = select(func.min(_hot.partner_id).label("id")).where(_HEAD).cte("names", recursive=True)
    following = select(func.min(after.c.partner_id)).where(text("after.head"), after.c.partner_id > names.c.id)
    names = names.union_all(select(following.scalar_subquery()).where(names.c.id.is_not(None)))
    first_due = select(func.min(oldest.c.due_at)).where(text("oldest.head"), oldest.c.partner_id == names.c.id)
    return select(names.c.id, first_due.scalar_subquery().label("due_at"))


_FIRST_DUE = _first_due()


def _partners_due(connection: Connection, moment: int) -> list[str]:
    """Partners with heads that are due, the one that waits longest first."""
    waiting = [row for row in connection.execute(_FIRST_DUE) if row.due_at is not None and row.due_at <= moment]
    return [row.id for row in sorted(waiting, key=lambda row: row.due_at)]


@dataclass(frozen=True, slots=True)
class ClaimWanted:
    """A worker's wish for deliveries."""

    files: BodyFiles
    limit: int
    lease: timedelta
    now: datetime
    node: str = ""
    share: Share | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """A head that was due and cannot go any more, as it was seen; whoever gives it up looks again."""

    delivery_id: str
    fence: int
    why: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Due:
    """What a claim found: deliveries to be sent, and heads to be given up."""

    leased: tuple[Delivery, ...] = ()
    lost: tuple[Lost, ...] = ()


_LEASE = (
    update(tables.deliveries)
    .where(among.named(_hot.id, "ids"))
    .values(
        state=DeliveryState.SENDING.value,
        fence=_hot.fence + 1,
        attempts=_hot.attempts + 1,
        due_at=bindparam("until"),
        holder=bindparam("node"),
    )
)


def claim(connection: Connection, wanted: ClaimWanted) -> Due:
    """Lease the heads that are due, longest due first, and record an attempt of each.

    A head whose last allowed attempt ended without a word, its lease run out, is to be given up instead; so is one
    whose bytes are lost, which no other must wait for. The claim only names these: a death is an alert, and alerts
    are numbered under the log's lock, which a claim does not hold.
    """
    moment, until = to_time(wanted.now), to_time(wanted.now + wanted.lease)
    found = _find_due(connection, wanted)
    lapsed = _lapsed_for_good(connection, found)
    bodies = bodies_there(connection, wanted.files, [Wanted(row.id, row.sha256) for row in found])
    why = {row.id: f"The file of its body, {row.sha256}, is missing." for row in found if row.sha256 not in bodies}
    why |= dict.fromkeys(lapsed, NO_WORD)
    lost = tuple(Lost(row.id, row.fence, why[row.id], wanted.now) for row in found if row.id in why)
    rows = [row for row in found if row.id not in why]
    if not rows:
        return Due((), lost)
    connection.execute(_LEASE, {"ids": [row.id for row in rows], "until": until, "node": wanted.node})
    started = [(row.id, row.attempts + 1, moment, None, "", "") for row in rows]
    insert_rows(connection, tables.attempts, started)
    leased = tuple(
        replace(
            delivery_from(row, bodies[row.sha256]),
            state=DeliveryState.SENDING,
            fence=row.fence + 1,
            attempts=row.attempts + 1,
        )
        for row in rows
    )
    return Due(leased, lost)


def _lapsed_for_good(connection: Connection, rows: Sequence[Row[Any]]) -> set[str]:
    """Ids of those that were being sent when their lease ran out, and have had all the attempts of their agreement.

    One that an operator retries waits, and so has its further attempt. One that is answered by now goes once
    more: the report of that finds the answer. Where the agreement is gone, the worker says so.
    """
    lost = [row for row in rows if row.state == DeliveryState.SENDING]
    if not lost:
        return set()
    agreements = tables.agreements.c
    query = select(agreements.id, agreements.terms).where(among(agreements.id, {row.agreement_id for row in lost}))
    allowed = {id_: from_json(terms)["attempts"] for id_, terms in connection.execute(query)}
    over = {row.id for row in lost if row.attempts >= allowed.get(row.agreement_id, row.attempts + 1)}
    return over - _answered(connection, list(over)) if over else set()


def claims(batch: Batch, wanted: Sequence[ClaimWanted]) -> Callable[[], Answers[Due]]:
    """`claim` as a part of a batch; it finds what the same batch has just made."""
    return lambda: [claim(batch.connection, one) for one in wanted]


def delivery_names(delivery_id: str) -> Iterable[Name]:
    """What an operation on one delivery touches, but for its lane, which only the database can tell."""
    yield ("delivery", delivery_id)


def lane_names(lanes: Iterable[str]) -> Iterable[Name]:
    """What is touched by whatever gives a lane another head: at most one may do so at a time."""
    return (("lane", lane) for lane in lanes)


def give_up(batch: Batch, lost: Sequence[Lost]) -> Callable[[], Answers[Alert | None]]:
    """Make heads dead that cannot go any more: each death is an alert. None where something happened to it since."""
    rows = _held(batch.connection, [one.delivery_id for one in lost])
    answers: list[Alert | GatewayError | None] = []
    for one in lost:
        row = rows.pop(one.delivery_id, None)
        if row is None or row.fence != one.fence or row.due_at is None or row.due_at > to_time(one.at):
            answers.append(None)
        else:
            answers.append(_die(batch, row, one.why, one.at))

    def finish() -> list[Alert | GatewayError | None]:
        for alert in answers:
            if isinstance(alert, Alert):
                raise_alert(batch, alert)
        return answers

    return finish


DEAD = "delivery_dead"
"""The kind of the alert that each death is."""


def _die(batch: Batch, row: Row[Any], why: str, at: datetime) -> Alert:
    """Make a delivery dead; gives the alert for the same transaction: its lane waits for an operator, who must know."""
    common = _common(row, state=DeliveryState.DEAD.value, next_at=None, last_error=why)
    batch.insert(tables.deliveries, (*common, True, None, ""), "replace")
    reason = make_finding(
        "deliver.dead", document=row.document_type, partner=row.partner_id, attempts=row.attempts, said=why
    )
    return Alert(
        DEAD,
        f"{row.id}:{to_time(at)}",  # one that an operator retries may die again, and alerts again
        (reason,),
        at,
        row.case_id,
        row.partner_id,
        row.message_id,
        row.id,
        row.test,
        {"document": row.document_type, "attempts": row.attempts, "said": why},
    )


@dataclass(frozen=True, slots=True)
class Renewal:
    """A lease to prolong."""

    delivery_id: str
    fence: int
    until: int


def renew(batch: Batch, renewals: Sequence[Renewal]) -> Sequence[GatewayError | None]:
    """Prolong leases that are still held."""
    rows = _held(batch.connection, [renewal.delivery_id for renewal in renewals])
    answers: list[GatewayError | None] = []
    held: list[dict[str, object]] = []
    for renewal in renewals:
        row = rows.get(renewal.delivery_id)
        if row is None or row.fence != renewal.fence or row.state != DeliveryState.SENDING:
            answers.append(LeaseLost(delivery_id=renewal.delivery_id))
        else:
            held.append({"held": renewal.delivery_id, "until": renewal.until})
            answers.append(None)
    if held:
        batch.connection.execute(
            update(tables.deliveries).where(_hot.id == bindparam("held")).values(due_at=bindparam("until")), held
        )
    return answers


def result_names(result: AttemptResult) -> Iterable[Name]:
    """What the end of an attempt touches."""
    yield from delivery_names(result.delivery_id)
    yield from lane_names([result.lane])


def finish_attempts(batch: Batch, results: Sequence[AttemptResult]) -> Callable[[], Answers[Alert | None]]:
    """Complete attempts of deliveries whose lease is still the one the worker had; the alerts of those that died."""
    ids = [result.delivery_id for result in results]
    rows = _held(batch.connection, ids)
    answered = _answered(batch.connection, ids)
    started = _started(batch.connection, ids)
    over: list[_Over] = []
    receipts: list[NewReceipt] = []
    back: dict[str, int] = {}
    """Agreements under which something arrived that had failed before, and at which attempt."""
    dead: list[Alert] = []
    answers: list[Alert | GatewayError | None] = []
    for result in results:
        row = rows.get(result.delivery_id)
        if row is None or row.fence != result.fence or row.state != DeliveryState.SENDING:
            answers.append(LeaseLost(delivery_id=result.delivery_id))
            continue
        del rows[result.delivery_id]  # a second report of the same attempt is late
        at = to_time(result.at)
        begun = started.get((row.id, result.number), at)
        batch.insert(tables.attempts, (row.id, result.number, begun, at, result.outcome, result.detail), "replace")
        receipts += result.receipts
        died: Alert | None = None
        if row.id in answered:
            over.append(_Over(row, DeliveryState.ANSWERED, at, ""))
        elif result.outcome in _SUCCESS:
            over.append(_Over(row, DeliveryState(result.outcome), at, ""))
            if row.attempts > 1:
                back[row.agreement_id] = max(row.attempts, back.get(row.agreement_id, 0))
        elif result.next_at is not None:
            next_at = to_time(result.next_at)
            common = _common(
                row, state=DeliveryState.PENDING.value, next_at=next_at, last_error=result.detail or result.outcome
            )
            batch.insert(tables.deliveries, (*common, True, next_at, ""), "replace")
        else:
            died = _die(batch, row, result.detail or result.outcome, result.at)
            dead.append(died)
        answers.append(died)
    batch.hold(lane_names(gone.row.lane for gone in over))
    for agreement_id, attempts in back.items():
        _hasten(batch.connection, agreement_id, attempts, max(to_time(result.at) for result in results))

    def finish() -> list[Alert | GatewayError | None]:
        for receipt in receipts:
            batch.append(receipt)
        for alert in dead:
            raise_alert(batch, alert)
        _leave(batch, over)
        return answers

    return finish


HASTENED = 256
"""Deliveries that are made due at once when their recipient is back; each of them that arrives brings as many more."""


def _hasten(connection: Connection, agreement_id: str, attempts: int, moment: int) -> None:
    """Make due what waits for its next attempt under this agreement: one that waited as well has just arrived.

    After a long outage the delays have grown to an hour, and a recipient that is back must not be kept waiting by
    them. What failed more often than the one that arrived has a reason of its own, and keeps its delay: so nothing
    uses up its attempts because others get through.
    """
    waiting = (
        select(_hot.id)
        .where(
            _HEAD,
            _hot.due_at > moment,
            _hot.agreement_id == agreement_id,
            _hot.state == DeliveryState.PENDING.value,
            _hot.attempts.between(1, attempts),
        )
        .order_by(_hot.due_at)
        .limit(HASTENED)
        .with_for_update(skip_locked=True)
    )
    connection.execute(update(tables.deliveries).where(_hot.id.in_(waiting)).values(due_at=moment))


_SUCCESS = frozenset({DeliveryState.DELIVERED.value, DeliveryState.RELAYED.value})


@dataclass(frozen=True, slots=True)
class _Over:
    """A hot row that is over, as what, since when."""

    row: Row[Any]
    state: DeliveryState
    at: int
    last_error: str


_REMOVE = delete(tables.deliveries).where(among.named(_hot.id, "ids"))


def _leave(batch: Batch, over: Sequence[_Over]) -> None:
    """Move rows that are over out of the hot table, and let the next of their lanes go."""
    if not over:
        return
    for gone in over:
        common = _common(gone.row, state=gone.state.value, next_at=None, last_error=gone.last_error)
        batch.insert(tables.deliveries_done, (*common, gone.at))
    connection = batch.connection
    connection.execute(_REMOVE, {"ids": [gone.row.id for gone in over]})
    promote(connection, {gone.row.lane for gone in over})


@cache
def _promotion(dialect: str) -> Update:
    """The statement that makes the first row of each of the `lanes` its head."""
    first, wanted = tables.deliveries.alias("first"), listed(dialect, "lanes")
    lowest = select(func.min(first.c.sequence)).where(first.c.lane == wanted.c.value).scalar_subquery()
    firsts = select(lowest).select_from(wanted)
    return update(tables.deliveries).where(_hot.sequence.in_(firsts)).values(head=True)


def promote(connection: Connection, lanes: Iterable[str]) -> None:
    """Make the first row of each lane its head. One look into the lane's index each, however long the lane is."""
    connection.execute(_promotion(connection.dialect.name), {"lanes": list(lanes)})


_HELD = select(tables.deliveries).where(among.named(_hot.id, "ids")).with_for_update()


def _held(connection: Connection, ids: Sequence[str]) -> dict[str, Row[Any]]:
    """Hot rows by id, kept from being claimed until this transaction ends."""
    return {row.id: row for row in connection.execute(_HELD, {"ids": list(ids)})}


_ANSWERED = select(tables.answers.c.delivery_id).where(among.named(tables.answers.c.delivery_id, "ids"))


def _answered(connection: Connection, ids: Sequence[str]) -> set[str]:
    return set(connection.execute(_ANSWERED, {"ids": list(ids)}).scalars())


_attempts = tables.attempts.c
_STARTED = select(_attempts.delivery_id, _attempts.number, _attempts.started_at).where(
    among.named(_attempts.delivery_id, "ids")
)


def _started(connection: Connection, ids: Sequence[str]) -> dict[tuple[str, int], int]:
    rows = connection.execute(_STARTED, {"ids": list(ids)})
    return {(row.delivery_id, row.number): row.started_at for row in rows}


# What people and answers do to a delivery.


@dataclass(frozen=True, slots=True)
class Order:
    """An operator's order about one delivery."""

    delivery_id: str
    at: datetime


def retry(batch: Batch, orders: Sequence[Order]) -> Sequence[GatewayError | None]:
    """Make dead and held deliveries due again. One that only waits for its next attempt is due at once."""
    rows = _held(batch.connection, [order.delivery_id for order in orders])
    answers: list[GatewayError | None] = []
    for order in orders:
        row = rows.get(order.delivery_id)
        if row is None:
            answers.append(_absent(batch.connection, order.delivery_id))
        elif row.state == DeliveryState.SENDING:
            answers.append(TransitionRefused("The delivery is being sent.", delivery_id=order.delivery_id))
        else:
            moment = to_time(order.at)
            common = _common(row, state=DeliveryState.PENDING.value, next_at=moment)
            batch.insert(tables.deliveries, (*common, row.head, moment, ""), "replace")
            answers.append(None)
    return answers


def skip(batch: Batch, orders: Sequence[Order]) -> Callable[[], Answers[None]]:
    """Take dead and held deliveries out of their lanes."""
    rows = _held(batch.connection, [order.delivery_id for order in orders])
    over: list[_Over] = []
    answers: list[GatewayError | None] = []
    for order in orders:
        row = rows.pop(order.delivery_id, None)
        if row is None:
            answers.append(_absent(batch.connection, order.delivery_id))
        elif row.state not in {DeliveryState.DEAD, DeliveryState.HELD}:
            answers.append(
                TransitionRefused("Only a dead or held delivery can be skipped.", delivery_id=order.delivery_id)
            )
        else:
            over.append(_Over(row, DeliveryState.SKIPPED, to_time(order.at), row.last_error))
            answers.append(None)
    batch.hold(lane_names(gone.row.lane for gone in over))

    def finish() -> list[GatewayError | None]:
        _leave(batch, over)
        return answers

    return finish


@dataclass(frozen=True, slots=True)
class Heard:
    """Business answers as judged: those that count, and what becomes of their deliveries."""

    given: Sequence[Answered]
    finished: Sequence[str]
    """Ids of deliveries that were over, and are answered now."""
    over: Sequence[_Over]
    """Deliveries that waited, or were dead. One that is being sent just now stays with its worker, whose report
    then finds the answer."""


def hear(batch: Batch, given: Sequence[Answered]) -> Heard:
    """Judge business answers: of each delivery the first counts. Whoever answers has it, so it need not be sent again."""
    connection, ids = batch.connection, [one.delivery_id for one in given]
    if not ids:
        return Heard((), (), ())
    rows, answered, done = _held(connection, ids), _answered(connection, ids), tables.deliveries_done
    finished = set(connection.execute(select(done.c.id).where(among(done.c.id, ids))).scalars())
    counting: list[Answered] = []
    over: list[_Over] = []
    for one in given:
        row = rows.get(one.delivery_id)
        unknown = row is None and one.delivery_id not in finished
        if unknown or one.delivery_id in answered:
            continue
        answered.add(one.delivery_id)
        batch.insert(tables.answers, (one.delivery_id, to_time(one.at)))
        counting.append(one)
        if row is not None and row.state != DeliveryState.SENDING:
            over.append(_Over(row, DeliveryState.ANSWERED, to_time(one.at), row.last_error))
    batch.hold(lane_names(gone.row.lane for gone in over))
    return Heard(counting, [one.delivery_id for one in counting if one.delivery_id not in rows], over)


def answer(batch: Batch, heard: Heard) -> None:
    """Record what business answers come to."""
    for one in heard.given:
        batch.append(one.receipt)
    if heard.finished:
        done = tables.deliveries_done
        batch.connection.execute(
            update(done).where(among(done.c.id, heard.finished)).values(state=DeliveryState.ANSWERED.value)
        )
    _leave(batch, heard.over)


def _absent(connection: Connection, delivery_id: str) -> GatewayError:
    done = tables.deliveries_done.c
    if connection.execute(select(done.id).where(done.id == delivery_id)).first() is None:
        return NotFound(delivery_id=delivery_id)
    return TransitionRefused("The delivery is over.", delivery_id=delivery_id)
