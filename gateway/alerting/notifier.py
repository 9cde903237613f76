"""Takes alerts from their feed to people, each notice at its own pace, and from where it ended before.

An alert is told once it is committed, at least once: where a node ends between the telling and the note of it, the same
alerts are told again, under the same id where the way has one. Of several nodes one at a time tells a notice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

import structlog

from gateway.alerting import ways
from gateway.alerting.words import Told, read_alert
from gateway.config import Mail, Notice
from gateway.errors import NoticeNotTaken, TemporaryError
from gateway.store.feeds import ALERTS
from gateway.store.ports import Store

log = structlog.get_logger(__name__)

LOOKS_EVERY = 5.0
"""Seconds between two looks at the feed: people do not see a mail sooner."""
TOGETHER = 200
"""Alerts of one look that are told in one notice."""
LEASE = timedelta(seconds=60)
"""How long a node holds a notice: longer than telling it takes."""
LONGEST_PAUSE = 600.0
"""Seconds between two tries at most, where a notice is not taken."""

UNREADABLE = "unreadable"
"""The kind that an alert is told under whose own cannot be read; every notice tells it."""

Send = Callable[[Notice, Sequence[Told], datetime], Awaitable[None]]


class Notifier:
    """Tells the alerts that a notice is for."""

    def __init__(
        self,
        store: Store,
        mail: Mail,
        notice: Notice,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        send: Send | None = None,
    ) -> None:
        """`mail` is the server by which notices by mail go. `send` takes alerts to people; by the notice's own way where none is given."""
        self._store = store
        self._notice = notice
        self._clock = clock
        self._send = send or (lambda notice, alerts, at: ways.send(notice, mail, alerts, at))

    async def run(self) -> None:
        """Tell until cancelled; where a notice is not taken, after ever longer pauses."""
        pause = LOOKS_EVERY
        while True:
            try:
                more = await self.tell()
            except NoticeNotTaken as error:
                pause = min(2 * pause, LONGEST_PAUSE)
                log.error(  # noqa: TRY400 - what was answered says all; our own trace says nothing
                    "notice_not_taken", notice=self._notice.name, reason=str(error), again_in=pause
                )
            except TemporaryError as error:
                log.info("notice_deferred", notice=self._notice.name, reason=str(error))
            except Exception:
                log.exception("notice_failed", notice=self._notice.name)
            else:
                pause = LOOKS_EVERY
                if more:
                    continue
            await asyncio.sleep(pause)

    def _wants(self, alert: Told) -> bool:
        return not self._notice.kinds or alert.kind in (*self._notice.kinds, UNREADABLE)

    async def _read(self, sequence: int) -> Told:
        """The alert at a place of the feed. One that cannot be read is told as such: it would keep all later ones back."""
        entry = await self._store.feed_entry(ALERTS, "", sequence)
        try:
            return read_alert(entry)
        except (ValueError, TypeError, AttributeError):
            log.exception("alert_unreadable", sequence=sequence)
            return Told(sequence, UNREADABLE, "", "", entry.case_id, {})

    async def tell(self) -> bool:
        """Tell what has come since; whether there may be more. NoticeNotTaken where it is not taken: it stays to be told."""
        place = await self._store.claim_notice(self._notice.name, self._clock(), LEASE)
        if place is None:
            return False
        told = place
        try:
            entries = await self._store.feed(ALERTS, "", place, TOGETHER)
            alerts = [await self._read(entry.sequence) for entry in entries]
            silent = await self._store.silent_alerts(self._clock()) if alerts else set()
            wanted = [alert for alert in alerts if self._wants(alert) and (alert.kind, alert.cause) not in silent]
            if wanted:
                await self._send(self._notice, wanted, self._clock())
                log.info("notice_told", notice=self._notice.name, alerts=len(wanted))
            if entries:
                told = entries[-1].sequence
        finally:
            await self._store.return_notice(self._notice.name, told)
        return len(entries) == TOGETHER
