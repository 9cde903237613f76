"""Alerts that no message raises: a delivery that died, a log that is not as it was. The operator's feed has them.

An alert of a message is an effect of its decision and is written with it (`trip.address`); it looks the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import select

from gateway import findings
from gateway.decide.names import Name
from gateway.errors import GatewayError
from gateway.model import FeedEntry, Finding, derive_id
from gateway.reasons import reason_json
from gateway.receipt.signed import canonical
from gateway.store import tables
from gateway.store.batch import Batch
from gateway.store.bodies import insert_body
from gateway.store.contract import Alert
from gateway.store.feeds import ALERTS, append_entries
from gateway.store.sql import to_json, to_time
from gateway.store.standing_alerts import CAUSE, KIND, PARTNER

if TYPE_CHECKING:  # the writer knows the log's breaks, whose entries go to the feed that is named here
    from gateway.store.writer import Answers

log = structlog.get_logger(__name__)

OPERATOR = "@operator"
"""Whose entry an alert is; no partner can have this id."""


def alert_body(
    kind: str, case_id: str, reasons: Sequence[Finding], details: Mapping[str, object] | None = None
) -> bytes:
    """The canonical JSON of an alert, as its entry on the feed has it: its reasons are worded when they are read."""
    kept = [reason_json(reason) for reason in reasons]
    return canonical({**(details or {}), "alert": kind, "case": case_id, "reasons": kept})


def alert_keys(kind: str, cause: str, partner_id: str) -> dict[str, str]:
    """What the entry of an alert is counted by; empty values are left out."""
    keys = {KIND: kind, CAUSE: cause, PARTNER: partner_id}
    return {name: value for name, value in keys.items() if value}


def raise_alert(batch: Batch, alert: Alert) -> bool:
    """Put `alert` on the operator's feed and on the timeline of its case, in this transaction; once per subject.

    Whether it is new, and so must be told to the log once the transaction is committed. The log has been entered.
    """
    details = _details(alert)
    body = alert_body(alert.kind, alert.case_id, alert.reasons, details)
    entry = FeedEntry(
        feed=ALERTS,
        partner_id=OPERATOR,
        document_type="alert",
        document_id=derive_id("alert", alert.kind, alert.subject),
        sha256=hashlib.sha256(body).hexdigest(),
        keys=alert_keys(alert.kind, alert.cause or alert.partner_id or alert.case_id, alert.partner_id),
        test=alert.test,
        body=body,
        message_id=alert.message_id,
        case_id=alert.case_id,
        at=alert.at,
    )
    if not append_entries(batch, [entry]):
        return False
    insert_body(batch, entry.document_id, entry.sha256, body)
    if _has_timeline(batch, alert.case_id):
        _write_event(batch, alert, details)
    return True


def _details(alert: Alert) -> dict[str, object]:
    """What is known of the alert besides kind, case and reasons."""
    named = {"partner": alert.partner_id, "delivery": alert.delivery_id}
    return {**{name: value for name, value in named.items() if value}, **alert.details}


def _has_timeline(batch: Batch, case_id: str) -> bool:
    """Whether there is such a case: an alert is told even where what it is about is gone."""
    cases = tables.cases.c
    return bool(case_id) and batch.connection.execute(select(cases.id).where(cases.id == case_id)).first() is not None


def _write_event(batch: Batch, alert: Alert, details: Mapping[str, object]) -> None:
    """The line on the timeline. It is the operator's: its words may tell of our own machine, or of other partners."""
    batch.insert(
        tables.case_events,
        (
            alert.case_id,
            to_time(alert.at),
            "alert",
            "",
            OPERATOR,
            alert.message_id,
            alert.delivery_id,
            to_json({**details, "alert": alert.kind, "reasons": [reason_json(reason) for reason in alert.reasons]}),
        ),
    )


def alert_names(alert: Alert) -> Iterable[Name]:
    """What raising an alert touches: its subject, which alerts once."""
    yield ("alert", alert.kind, alert.subject)


def raise_alerts(batch: Batch, raised: Sequence[Alert]) -> Callable[[], Answers[Alert | None]]:
    """`raise_alert` as a part of a batch; each alert that is new."""

    def finish() -> list[Alert | GatewayError | None]:
        answers: list[Alert | GatewayError | None] = []
        for alert in raised:
            answers.append(alert if raise_alert(batch, alert) else None)
            batch.flush()  # so that the next one finds it
        return answers

    return finish


def tell(alert: Alert | None) -> None:
    """Tell the log of an alert that stands by now; None was none."""
    if alert is not None:
        words = [findings.text(reason) for reason in alert.reasons]
        log.error(alert.kind, case=alert.case_id, message=alert.message_id, reasons=words, **_details(alert))
