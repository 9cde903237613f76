"""Looks for what no message tells, and somebody must see in time: a disk that fills up, certificates and keys that end.

Each condition is one alert and is told once: what is about to end at each of the days that the settings name, a disk once
a day while it is low.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta

import structlog
from cryptography import x509

from gateway.config import Settings
from gateway.durable import free_bytes
from gateway.errors import TemporaryError
from gateway.findings import make_finding
from gateway.model import Credential
from gateway.store.contract import Alert
from gateway.store.ports import Store

log = structlog.get_logger(__name__)

PAGE = 500
"""Credentials read at once."""
_DAY = timedelta(days=1)
ANCHORED_WITHIN = timedelta(seconds=60)
"""A disk that hesitates is no alert; the anchor is written a second after a commit."""


class Lookout:
    """Looks at disk, certificates and keys, and alerts the operator."""

    def __init__(
        self, store: Store, settings: Settings, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._was_unanchored: bool | None = None
        self._was_full: bool | None = None
        """Whether the disk was low at the last look; None before the first."""
        self._told: set[tuple[str, str]] = set()
        """Alerts that this process has raised: the store raises each once, and need not be asked each time."""

    async def run(self) -> None:
        """Look until cancelled. What goes wrong with one look is logged, and the next one comes all the same."""
        while True:
            try:
                await self.look()
            except TemporaryError as error:
                log.info("look_deferred", reason=str(error))
            except Exception:
                log.exception("look_failed")
            await asyncio.sleep(self._settings.alerts.look_seconds)

    async def look(self) -> None:
        """Look once, and raise what is new."""
        now = self._clock()
        await self._look_at_anchor(now)
        full = list(self._find_full_disks(now))
        for alert in (*full, *self._find_ending_certificate(now)):
            await self._raise(alert)
        if not full and self._was_full is not False:
            await self._store.end_alert("disk_low", socket.gethostname(), now)
        self._was_full = bool(full)
        async for alert in self._find_ending_credentials(now):
            await self._raise(alert)

    async def _look_at_anchor(self, now: datetime) -> None:
        """Whether what this node commits is anchored in time; what rang of it ends with it."""
        node, found = socket.gethostname(), self._store.unanchored
        if found is not None and now - found.since > ANCHORED_WITHIN:
            since = f"{found.since:%Y-%m-%d %H:%M:%S} UTC"
            why = make_finding("operator.unanchored", node=node, since=since, reason=found.why)
            details = {"node": node, "since": found.since.isoformat()}
            await self._raise(
                Alert("log_unanchored", f"{node} {found.since.isoformat()}", (why,), now, details=details, cause=node)
            )
            self._was_unanchored = True
        elif found is None and self._was_unanchored is not False:
            await self._store.end_alert("log_unanchored", node, now)
            self._was_unanchored = False

    async def _raise(self, alert: Alert) -> None:
        if (alert.kind, alert.subject) not in self._told:
            await self._store.raise_alert(alert)
            self._told.add((alert.kind, alert.subject))

    def _find_full_disks(self, now: datetime) -> Iterator[Alert]:
        """The disk of large bodies, on this machine."""
        free = free_bytes(self._settings.store.payload_folder)
        if free < self._settings.alerts.disk_bytes:
            node = socket.gethostname()
            least = self._settings.store.free_bytes
            why = make_finding("operator.disk_low", node=node, free=_in_mib(free), least=_in_mib(least))
            yield Alert(
                "disk_low",
                f"{node} {now:%Y-%m-%d}",
                (why,),
                now,
                details={"node": node, "free_bytes": free},
                cause=node,
            )

    def _find_ending_certificate(self, now: datetime) -> Iterator[Alert]:
        """The certificate that we are reached by."""
        path = self._settings.http.tls_certificate
        if path is None:
            return
        try:
            ends = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
        except (OSError, ValueError) as error:  # it is read at the start, and may be in replacement just now
            log.warning("certificate_unreadable", reason=str(error))
            return
        if (days := self._reached(ends, now)) is not None:
            why = make_finding("operator.certificate_ending", when=f"{ends:%Y-%m-%d %H:%M} UTC")
            details = {"ends": ends.isoformat(), "days": days}
            subject = f"http {ends.isoformat()} {days}"
            yield Alert("certificate_ending", subject, (why,), now, details=details, cause="http")

    async def _find_ending_credentials(self, now: datetime) -> AsyncIterator[Alert]:
        """Partners' certificates and keys, those that have a follower included: who uses which, only they know."""
        until = now + max(self._settings.alerts.ending_days, default=0) * _DAY
        after, from_id = now, ""
        while page := await self._store.ending_credentials(after, until, PAGE, from_id):
            for one in page:
                assert one.valid_until is not None, "only those that end are asked for"
                if (days := self._reached(one.valid_until, now)) is not None:
                    yield _ending(one, one.valid_until, days, now)
            after, from_id = page[-1].valid_until or until, page[-1].id

    def _reached(self, ends: datetime, now: datetime) -> int | None:
        """The smallest number of days, of those that are told, within which something ends; None where none is reached."""
        return min((days for days in self._settings.alerts.ending_days if ends - now <= days * _DAY), default=None)


def _ending(one: Credential, ends: datetime, days: int, now: datetime) -> Alert:
    """What is said of a partner's credential that is about to end."""
    when = f"{ends:%Y-%m-%d %H:%M} UTC"
    why = make_finding("operator.credential_ending", kind=one.kind.value, credential=one.id, when=when)
    details = {"credential": one.id, "ends": ends.isoformat(), "days": days}
    subject = f"{one.id} {ends.isoformat()} {days}"
    return Alert("credential_ending", subject, (why,), now, partner_id=one.partner_id, details=details, cause=one.id)


def _in_mib(count: int) -> str:
    return f"{count // (1024 * 1024):,}"
