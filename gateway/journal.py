"""What the gateway tells of each step of the trip: one line of the log at info, and one count of /metrics.

A line has the ids by which the step is found again (partner, payload, message, case, delivery) and no word of what was
sent; a count has no id at all, since each value of a label is a series of its own for ever.
"""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from gateway.metrics import Metrics
from gateway.model import Delivery, Payload
from gateway.store.contract import PUT_OFF, Accepted, AttemptResult, MessageRecord

log = structlog.get_logger(__name__)

DEAD = "dead"
"""The outcome that is counted of an attempt after which there is no other."""


class Journal:
    """Tells what was received, judged, delivered and died."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def tell_received(self, payload: Payload, accepted: Accepted, seconds: float) -> None:
        """A payload has its receipt; one that came again had it before, and nothing more comes of it."""
        repeated = accepted.duplicate
        self._metrics.observe_stage("accept", seconds)
        self._metrics.received.labels(payload.transport, "repeated" if repeated else "kept").inc()
        log.info(
            "payload_repeated" if repeated else "payload_received",
            payload=accepted.payload_id,
            partner=payload.partner_id,
            transport=payload.transport,
            bytes=payload.size,
            test=payload.test,
        )

    def tell_judged(self, records: Iterable[MessageRecord]) -> None:
        """Messages have their verdicts, and what was decided of them stands."""
        for one in records:
            self._metrics.judged.labels(one.syntax.value, one.state.value).inc()
            log.info(
                "message_judged",
                message=one.id,
                payload=one.payload_id,
                partner=one.partner_id,
                case=one.case_id,
                document=one.document_type,
                verdict=one.state.value,
                findings=len(one.findings),
            )

    def tell_attempt(self, delivery: Delivery, result: AttemptResult) -> None:
        """An attempt to deliver has its result in the store."""
        if result.outcome == PUT_OFF:
            return  # nothing was attempted
        goes_on = result.next_at is not None or result.waits_for is not None
        died = not goes_on and result.outcome in ("deferred", "refused")
        outcome = DEAD if died else result.outcome
        self._metrics.attempts.labels(delivery.kind.value, outcome).inc()
        tell = log.error if died else log.info
        tell(
            "delivery_died" if died else "delivery_attempted",
            delivery=delivery.id,
            partner=delivery.partner_id,
            case=delivery.case_id,
            message=delivery.message_id,
            outcome=outcome,
            attempt=result.number,
        )
