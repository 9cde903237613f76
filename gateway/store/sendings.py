"""Sendings: what a worker takes out of the lanes, and what becomes of each attempt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Integer, Row, Select, bindparam, delete, func, select, text, update

from gateway.decide.names import Name
from gateway.errors import GatewayError, LeaseLost
from gateway.model import Delivery, DeliveryState
from gateway.store import confirmations, endpoints, tables
from gateway.store.alerts import raise_alert
from gateway.store.batch import Batch
from gateway.store.bodies import BodyFiles, Wanted, bodies_there
from gateway.store.contract import PUT_OFF, Alert, AttemptResult, EndpointKey, NewReceipt, Share
from gateway.store.deliveries import (
    Over,
    copy_row,
    delivery_from,
    delivery_names,
    die,
    find_answered,
    lane_names,
    leave,
    lock_rows,
    place,
    promote,
)
from gateway.store.delivery_states import SUCCESS, DeliveryEvent, follow
from gateway.store.sql import among, from_json, insert_rows, matching, to_time
from gateway.store.transcripts import pack_transcript
from gateway.store.writer import Answers

_hot = tables.deliveries.c
_HEAD = text("head")
NO_WORD = "The last attempt ended without a word, so whether the recipient has it is not known."


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
        held_for="",
    )
)


def claim(connection: Connection, wanted: ClaimWanted) -> Due:
    """Lease the heads that are due, longest due first, and record an attempt of each.

    A head whose last allowed attempt ended without a word, its lease run out, is to be given up instead; so is one
    whose bytes are lost, which no other must wait for. The claim only names these: a death is an alert, and alerts
    are numbered under the log's lock, which a claim does not hold.
    """
    moment, until = to_time(wanted.now), to_time(wanted.now + wanted.lease)
    # What is due at once has no order among itself in the index; lanes that began first go first.
    found = sorted(_find_due(connection, wanted), key=lambda row: (row.due_at, row.sequence))
    lapsed = _lapsed_for_good(connection, found)
    bodies = bodies_there(connection, wanted.files, [Wanted(row.id, row.sha256) for row in found])
    why = {row.id: f"The file of its body, {row.sha256}, is missing." for row in found if row.sha256 not in bodies}
    why |= dict.fromkeys(lapsed, NO_WORD)
    lost = tuple(Lost(row.id, row.fence, why[row.id], wanted.now) for row in found if row.id in why)
    rows = [row for row in found if row.id not in why]
    if not rows:
        return Due((), lost)
    connection.execute(_LEASE, {"ids": [row.id for row in rows], "until": until, "node": wanted.node})
    started = [(row.id, row.attempts + 1, moment, None, "", "", None) for row in rows]
    insert_rows(connection, tables.attempts, started)
    leased = tuple(
        replace(
            delivery_from(row, bodies[row.sha256]),
            state=follow(row.state, DeliveryEvent.CLAIMED, row.id),
            held_for=None,
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
    return over - find_answered(connection, list(over)).keys() if over else set()


def claims(batch: Batch, wanted: Sequence[ClaimWanted]) -> Callable[[], Answers[Due]]:
    """`claim` as a part of a batch; it finds what the same batch has just made."""
    return lambda: [claim(batch.connection, one) for one in wanted]


def give_up(batch: Batch, lost: Sequence[Lost]) -> Callable[[], Answers[Alert | None]]:
    """Make heads dead that cannot go any more: each death is an alert. None where something happened to it since."""
    rows = lock_rows(batch.connection, [one.delivery_id for one in lost])
    answers: list[Alert | GatewayError | None] = []
    for one in lost:
        row = rows.pop(one.delivery_id, None)
        if row is None or row.fence != one.fence or row.due_at is None or row.due_at > to_time(one.at):
            answers.append(None)
        else:
            answers.append(die(batch, row, one.why, one.at))

    def finish() -> list[Alert | GatewayError | None]:
        for alert in answers:
            if isinstance(alert, Alert):
                raise_alert(batch, alert)
        return answers

    return finish


@dataclass(frozen=True, slots=True)
class Renewal:
    """A lease to prolong."""

    delivery_id: str
    fence: int
    until: int


def renew(batch: Batch, renewals: Sequence[Renewal]) -> Sequence[GatewayError | None]:
    """Prolong leases that are still held."""
    rows = lock_rows(batch.connection, [renewal.delivery_id for renewal in renewals])
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
    if result.waits_for is not None:
        yield endpoints.endpoint_name(result.waits_for)
    if result.endpoint is not None:
        yield endpoints.endpoint_name(result.endpoint.key)
    yield from delivery_names(result.delivery_id)
    yield from lane_names([result.lane])
    if result.awaits is not None:
        yield confirmations.confirmation_name(result.awaits)


def finish_attempts(batch: Batch, results: Sequence[AttemptResult]) -> Callable[[], Answers[Alert | None]]:
    """Complete attempts of deliveries whose lease is still the one the worker had; the alerts of those that died."""
    early = confirmations.find_early(batch, [result.awaits for result in results if result.awaits is not None])
    told = [result.endpoint for result in results if result.endpoint is not None]
    lasting = endpoints.find_lasting(batch, {one.waits_for for one in results if one.waits_for is not None}, told)
    ids = [result.delivery_id for result in results]
    rows = lock_rows(batch.connection, ids)
    answered = find_answered(batch.connection, ids)
    started = _started(batch.connection, ids)
    over: list[Over] = []
    receipts: list[NewReceipt] = []
    back: dict[str, int] = {}
    """Agreements under which something arrived that had failed before, and at which attempt."""
    recovered: set[str] = set()
    """Those whose endpoint had been spared, or failed others, and is well again."""
    dead: list[Alert] = []
    untried: list[tuple[str, int]] = []
    """Attempts that were none."""
    waiting: list[str] = []
    """Lanes whose head was handed over, so that the next one goes."""
    answers: list[Alert | GatewayError | None] = []
    for result in results:
        row = rows.get(result.delivery_id)
        if row is None or row.fence != result.fence or row.state != DeliveryState.SENDING:
            answers.append(LeaseLost(delivery_id=result.delivery_id))
            continue
        del rows[result.delivery_id]  # a second report of the same attempt is late
        at = to_time(result.at)
        begun = started[row.id, result.number].at if (row.id, result.number) in started else at
        if result.outcome == PUT_OFF:
            untried.append((row.id, result.number))
        else:
            kept = pack_transcript(result.transcript, row.id, row.sha256)
            # What the transcript says anyway is not kept twice.
            said = "" if result.transcript and result.detail == result.transcript.status else result.detail
            attempt = (row.id, result.number, begun, at, result.outcome, said, kept)
            batch.insert(tables.attempts, attempt, "replace")
        receipts += result.receipts
        died: Alert | None = None
        came_through = result.outcome in SUCCESS or result.awaits is not None
        if came_through and (row.attempts > 1 or result.endpoint is not None):
            back[row.agreement_id] = max(row.attempts, back.get(row.agreement_id, 0))
            if result.endpoint is not None:
                recovered.add(row.agreement_id)
        if row.id in answered and (came_through or answered[row.id] >= _taken_out(started, row.id, result.number, at)):
            over.append(Over(row, follow(row.state, DeliveryEvent.ANSWERED, row.id), at, ""))
        elif result.outcome in SUCCESS:
            over.append(Over(row, follow(row.state, SUCCESS[result.outcome], row.id), at, ""))
        elif result.awaits is not None:
            confirmations.begin_waiting(batch, row, result, result.awaits, early.get(result.awaits.key))
            waiting.append(row.lane)
        elif result.outcome == PUT_OFF:
            _wait(
                batch, row, result, lasting, DeliveryEvent.PUT_OFF, last_error=row.last_error, attempts=row.attempts - 1
            )
        elif result.next_at is not None or result.waits_for is not None:
            _wait(batch, row, result, lasting, DeliveryEvent.DEFERRED, last_error=result.detail or result.outcome)
        else:
            died = die(batch, row, result.detail or result.outcome, result.at)
            dead.append(died)
        answers.append(died)
    batch.hold(lane_names([*(gone.row.lane for gone in over), *waiting]))
    if untried:
        batch.connection.execute(delete(tables.attempts).where(matching(_ATTEMPT, untried)))
    latest = max((result.at for result in results), default=None)
    noted = endpoints.note(batch, told, latest)
    for agreement_id, attempts in back.items():
        tried = range(0 if agreement_id in recovered else 1, attempts + 1)
        _hasten(batch.connection, agreement_id, tried, max(to_time(result.at) for result in results))

    def finish() -> list[Alert | GatewayError | None]:
        for receipt in receipts:
            batch.append(receipt)
        for alert in [*dead, *noted.stopped]:
            raise_alert(batch, alert)
        if latest is not None:
            endpoints.end_alerts(batch, noted.well, latest)
        leave(batch, over)
        if waiting:
            promote(batch.connection, waiting)
        return answers

    return finish


def _wait(
    batch: Batch,
    row: Row[Any],
    result: AttemptResult,
    lasting: Collection[EndpointKey],
    event: DeliveryEvent,
    **changes: object,
) -> None:
    """Let a head wait for its next attempt, or for its endpoint to be resumed: at once, where it has been meanwhile."""
    next_at = to_time(result.next_at or result.at)
    due_at = None if result.waits_for in lasting else next_at
    common = copy_row(row, state=follow(row.state, event, row.id).value, next_at=due_at, **changes)
    batch.insert(tables.deliveries, place(common, head=True, due_at=due_at), "replace")


HASTENED = 256
"""Deliveries that are made due at once when their recipient is back; each of them that arrives brings as many more."""


def _hasten(connection: Connection, agreement_id: str, tried: range, moment: int) -> None:
    """Make due what waits under this agreement and was `tried` so often: one that waited as well has just arrived.

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
            _hot.attempts.between(tried.start, tried.stop - 1),
        )
        .order_by(_hot.due_at)
        .limit(HASTENED)
        .with_for_update(skip_locked=True)
    )
    connection.execute(update(tables.deliveries).where(_hot.id.in_(waiting)).values(due_at=moment))


_attempts = tables.attempts.c
_ATTEMPT = (_attempts.delivery_id, _attempts.number)
_STARTED = select(_attempts.delivery_id, _attempts.number, _attempts.started_at, _attempts.ended_at).where(
    among.named(_attempts.delivery_id, "ids")
)


@dataclass(frozen=True, slots=True)
class _Begun:
    """An attempt as far as it is known before its report."""

    at: int
    open: bool
    """Whether nobody has said how it ended."""


def _started(connection: Connection, ids: Sequence[str]) -> dict[tuple[str, int], _Begun]:
    rows = connection.execute(_STARTED, {"ids": list(ids)})
    return {(row.delivery_id, row.number): _Begun(row.started_at, row.ended_at is None) for row in rows}


def _taken_out(started: Mapping[tuple[str, int], _Begun], delivery_id: str, number: int, at: int) -> int:
    """Since when a delivery is being sent, attempts before this one that ended without a word included.

    What was answered since is over however the attempt ended. An answer from before is to an earlier sending, and the
    delivery was resent for all that.
    """
    begun = at
    while (one := started.get((delivery_id, number))) is not None and one.open:
        begun, number = one.at, number - 1
    return begun
