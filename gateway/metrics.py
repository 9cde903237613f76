"""What /metrics tells, in Prometheus's text form: counts, latencies and queue depths; no partner is named."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from gateway import __version__
from gateway.model import Agreement, Delivery
from gateway.store.contract import Pressure
from gateway.transports.base import Awaiting, Evidence, Record, Sender

__all__ = ["CONTENT_TYPE_LATEST", "Metered", "Metrics"]

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """One registry for each application, so that several in one process do not meet.

    Names, units and suffixes follow Prometheus's conventions; no partner, case or id is ever a label.
    """

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        # A second series beside each counter that tells when it was made: nobody asks for it.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        build = Gauge("gateway_build_info", "The version that runs; always 1", ("version",), registry=self.registry)
        build.labels(__version__).set(1)
        self.received = Counter(
            "gateway_payloads_received",
            "Payloads that have their receipt, by transport; `repeated` ones had it before",
            ("transport", "outcome"),
            registry=self.registry,
        )
        self.judged = Counter(
            "gateway_messages_judged",
            "Messages by syntax and verdict (accepted, rejected, held, failed)",
            ("syntax", "verdict"),
            registry=self.registry,
        )
        self.attempts = Counter(
            "gateway_delivery_attempts",
            "Attempts to deliver by what was delivered and outcome; `dead` ones were the last",
            ("kind", "outcome"),
            registry=self.registry,
        )
        self.requests = Counter(
            "gateway_http_requests",
            "Requests by operation, done or refused",
            ("operation", "outcome"),
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "gateway_http_request_seconds",
            "Time to the answer by operation",
            ("operation",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.stage_seconds = Histogram(
            "gateway_stage_seconds",
            "accept: commit 1; process: from a payload's arrival to its last commit; send: one attempt that was taken",
            ("stage",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._payloads_waiting = Gauge("gateway_payloads_waiting", "Payloads not yet processed", registry=self.registry)
        self._oldest = Gauge("gateway_oldest_payload_seconds", "Age of the oldest of them", registry=self.registry)
        self._deliveries_waiting = Gauge("gateway_deliveries_waiting", "Deliveries not done", registry=self.registry)
        self._deliveries_dead = Gauge(
            "gateway_deliveries_dead", "Deliveries given up, waiting for an operator", registry=self.registry
        )
        self.log_faults = Gauge(
            "gateway_log_faults", "Faults that this process found in the stored receipt log", registry=self.registry
        )
        self.log_audited = Gauge(
            "gateway_log_audited", "Entries of the receipt log looked at in this round", registry=self.registry
        )
        self._payloads_held = Gauge(
            "gateway_payloads_held",
            "Payloads held for an operator since the store was set back",
            registry=self.registry,
        )
        self._deliveries_awaiting = Gauge(
            "gateway_deliveries_awaiting",
            "Deliveries handed over whose recipients have not confirmed them yet",
            registry=self.registry,
        )
        self._deliveries_held = Gauge(
            "gateway_deliveries_held",
            "Deliveries held until a person lets them go",
            registry=self.registry,
        )

    def observe_stage(self, stage: str, seconds: float) -> None:
        """Count one passage through a stage."""
        self.stage_seconds.labels(stage).observe(seconds)

    def render(self, pressure: Pressure) -> bytes:
        """All series, the queues as `pressure` says."""
        self._payloads_waiting.set(pressure.payloads_waiting)
        oldest = pressure.oldest_payload_at
        self._oldest.set(max(0.0, (self._clock() - oldest).total_seconds()) if oldest else 0)
        self._deliveries_waiting.set(pressure.deliveries_waiting)
        self._deliveries_dead.set(pressure.deliveries_dead)
        self._payloads_held.set(pressure.payloads_held)
        self._deliveries_awaiting.set(pressure.deliveries_awaiting)
        self._deliveries_held.set(pressure.deliveries_held)
        return generate_latest(self.registry)


class Metered:
    """A sender whose sendings that were taken are timed."""

    def __init__(self, sender: Sender, metrics: Metrics) -> None:
        self._sender = sender
        self._metrics = metrics

    def find_address(self, agreement: Agreement) -> str:
        """See `Sender`."""
        return self._sender.find_address(agreement)

    async def send(self, delivery: Delivery, agreement: Agreement, record: Record) -> Evidence | Awaiting:
        """See `Sender`."""
        began = time.perf_counter()
        evidence = await self._sender.send(delivery, agreement, record)
        self._metrics.observe_stage("send", time.perf_counter() - began)
        return evidence

    async def close(self) -> None:
        """See `Sender`."""
        await self._sender.close()
