"""Endpoints: where sendings fail, or nothing is to be sent just now; one that is well has no row.

A worker tells how an endpoint stands with the report of an attempt. What a person paused, and what is gone, stays so
until a person resumes it, whatever a worker tells that did not know of it yet.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, select, text, update

from gateway.decide.names import Name
from gateway.errors import GatewayError, NotFound, TransitionRefused
from gateway.findings import make_finding
from gateway.model import OPERATOR, Changer, DeliveryState, Endpoint, Stop
from gateway.store import audit, standing_alerts, tables
from gateway.store.batch import Batch
from gateway.store.contract import Alert, EndpointKey
from gateway.store.sql import among, from_json, matching, maybe_from_time, maybe_to_time, to_time
from gateway.store.writer import Answers

_columns, _hot = tables.endpoints.c, tables.deliveries.c
_HEAD = text("head")
_KEY = (_columns.partner_id, _columns.transport, _columns.address)

MOST_PAUSED = 100
"""Endpoints of one partner that are paused: more than its agreements lead to, and few enough that a partner who makes up
addresses fills nothing, since every node knows all of them."""

DOWN, GONE = "endpoint_down", "endpoint_gone"
"""The kinds of the alerts that they raise."""


def endpoint_from(row: Row[Any]) -> Endpoint:
    """The endpoint of a row of its table."""
    return Endpoint(
        row.partner_id,
        row.transport,
        row.address,
        row.failures,
        maybe_from_time(row.since),
        Stop(row.stop) if row.stop else None,
        maybe_from_time(row.until),
        row.said,
        row.by,
    )


def in_trouble(connection: Connection, partner_id: str) -> list[Endpoint]:
    """All endpoints with trouble, of one partner unless it is empty; by partner, transport and address."""
    query = select(tables.endpoints).order_by(*_KEY)
    if partner_id:
        query = query.where(_columns.partner_id == partner_id)
    return [endpoint_from(row) for row in connection.execute(query)]


def endpoint_name(key: EndpointKey) -> Name:
    """The name of a partner's endpoints, so that nothing waits for a resumption that has just been given."""
    return ("endpoints", key[0])


@dataclass(frozen=True, slots=True)
class Noted:
    """What follows of how endpoints stand now."""

    stopped: Sequence[Alert] = ()
    """Of those that were stopped now."""
    well: Sequence[EndpointKey] = ()
    """Those of which nothing stands any more."""


def note(batch: Batch, told: Sequence[Endpoint], at: datetime | None) -> Noted:
    """Write how endpoints stand, as reports of some moment tell."""
    if not told or at is None:
        return Noted()
    known = _rows(batch.connection, {one.key for one in told})
    alerts: list[Alert] = []
    well: list[EndpointKey] = []
    for one in {endpoint.key: endpoint for endpoint in told}.values():
        before = known.get(one.key)
        if before is not None and before.waits_for_person:
            continue
        if not one.failures and one.stop is None:
            _forget(batch.connection, one.key)
            well.append(one.key)
            continue
        _write(batch, one)
        if one.stop is not None and (before is None or before.stop is not one.stop):
            alerts.append(_alert(one, at))
    return Noted(alerts, well)


def find_lasting(batch: Batch, keys: Collection[EndpointKey], told: Iterable[Endpoint]) -> set[EndpointKey]:
    """Those of `keys` that a person has to resume, what is being told now included."""
    if not keys:
        return set()
    found = {key for key, one in _rows(batch.connection, keys).items() if one.waits_for_person}
    return found | {one.key for one in told if one.waits_for_person}


@dataclass(frozen=True, slots=True)
class EndpointOrder:
    """A person's word about an endpoint, or about a whole partner."""

    key: EndpointKey
    at: datetime
    by: Changer = OPERATOR
    why: str = ""


def pause(batch: Batch, wanted: Sequence[EndpointOrder]) -> Sequence[GatewayError | None]:
    """Stop sending to endpoints, or to whole partners, until they are resumed; what is being sent comes to its end.

    TransitionRefused where a partner has MOST_PAUSED already.
    """
    paused = {partner_id: _paused(batch.connection, partner_id) for partner_id in {one.key[0] for one in wanted}}
    answers: list[GatewayError | None] = []
    for one in wanted:
        keys = paused[one.key[0]]
        if one.key not in keys and len(keys) >= MOST_PAUSED:
            answers.append(TransitionRefused(f"At most {MOST_PAUSED} endpoints of a partner are paused."))
            continue
        keys.add(one.key)
        _write(batch, Endpoint(*one.key, 0, one.at, Stop.PAUSED, None, one.why, one.by.person_id))
        _tell(batch, "endpoint.pause", one, {"stop": Stop.PAUSED.value, "why": one.why})
        answers.append(None)
    return answers


def _paused(connection: Connection, partner_id: str) -> set[EndpointKey]:
    """The endpoints of a partner that a person paused."""
    query = select(*_KEY).where(_columns.partner_id == partner_id, _columns.stop == Stop.PAUSED.value)
    return {(row.partner_id, row.transport, row.address) for row in connection.execute(query)}


def resume(batch: Batch, wanted: Sequence[EndpointOrder]) -> Callable[[], Answers[None]]:
    """Send again, and at once what has waited for it; NotFound where nothing was stopped there."""
    answers: list[GatewayError | None] = []
    for one in wanted:
        if not _forget(batch.connection, one.key):
            answers.append(NotFound(partner_id=one.key[0]))
            continue
        waiting = update(tables.deliveries).where(_HEAD, _hot.state == DeliveryState.PENDING.value)
        for which in (
            # What waits for a person, and what waits for a probe of the endpoint; what is under another stop is put
            # off again.
            (_hot.partner_id == one.key[0], _hot.due_at.is_(None) | (_hot.due_at > to_time(one.at))),
            (among(_hot.agreement_id, _served(batch.connection, one.key[0])), _hot.due_at.is_(None)),
        ):
            batch.connection.execute(waiting.where(*which).values(due_at=to_time(one.at)))
        _tell(batch, "endpoint.resume", one, {"why": one.why})
        answers.append(None)

    def finish() -> list[GatewayError | None]:
        for one, refused in zip(wanted, answers, strict=True):
            if refused is None:
                end_alerts(batch, [one.key], one.at)
        return answers

    return finish


_WAITED = select(_hot.agreement_id).where(_HEAD, _hot.due_at.is_(None), text("state = 'pending'")).distinct()


def _served(connection: Connection, partner_id: str) -> list[str]:
    """Agreements of others whose deliveries wait for a person, and go by this partner or by one that nothing stops.

    An agreement may have been changed since they began to wait: whoever served it then may not be told any more.
    """
    agreements = tables.agreements.c
    waited = select(agreements.id, agreements.terms).where(agreements.id.in_(_WAITED))
    by = {id_: via for id_, terms in connection.execute(waited) if (via := from_json(terms).get("via"))}
    stopped = select(_columns.partner_id).where(
        among(_columns.partner_id, set(by.values())), _columns.stop.in_([Stop.PAUSED.value, Stop.GONE.value])
    )
    kept = set(connection.execute(stopped).scalars()) - {partner_id}
    return [id_ for id_, via in by.items() if via not in kept]


def _tell(batch: Batch, action: str, order: EndpointOrder, after: Mapping[str, str]) -> None:
    """Let the audit say who ordered what, and why."""
    batch.tell(audit.entry_of_order(action, _cause(order.key), order.at, order.by, before={}, after=after))


def _rows(connection: Connection, keys: Iterable[EndpointKey]) -> dict[EndpointKey, Endpoint]:
    query = select(tables.endpoints).where(matching(_KEY, list(keys)))
    return {one.key: one for row in connection.execute(query) if (one := endpoint_from(row))}


def _write(batch: Batch, one: Endpoint) -> None:
    since, until = maybe_to_time(one.since), maybe_to_time(one.until)
    row = (*one.key, one.failures, since, one.stop.value if one.stop else "", until, one.said, one.by)
    batch.insert(tables.endpoints, row, "replace")


def _forget(connection: Connection, key: EndpointKey) -> bool:
    """Whether there was one."""
    which = [column == value for column, value in zip(_KEY, key, strict=True)]
    return connection.execute(delete(tables.endpoints).where(*which)).rowcount > 0


def end_alerts(batch: Batch, keys: Iterable[EndpointKey], at: datetime) -> None:
    """What rang of endpoints stands no more: they are well again, or a person has them sent to. The log has been entered."""
    for key in keys:
        for kind in (DOWN, GONE):
            standing_alerts.end(batch.connection, kind, _cause(key), at)


def _cause(key: EndpointKey) -> str:
    return " ".join(filter(None, key))


def _alert(one: Endpoint, at: datetime) -> Alert:
    kind, code = (GONE, "deliver.gone") if one.stop is Stop.GONE else (DOWN, "deliver.down")
    known: dict[str, Any] = {
        "transport": one.transport,
        "address": one.address,
        "failures": one.failures,
        "said": one.said,
    }
    reason = make_finding(code, partner=one.partner_id, **known)
    subject = f"{':'.join(one.key)}:{to_time(one.since or at)}"  # each trouble alerts once, however long it lasts
    return Alert(kind, subject, (reason,), at, partner_id=one.partner_id, details=known, cause=_cause(one.key))
