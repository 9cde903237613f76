"""When to try again: a pure function of how often it was tried.

Exponential backoff with jitter, so that a recipient that comes back is not met by everything at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.model import Agreement


@dataclass(frozen=True, slots=True)
class Backoff:
    """The delays between attempts, in seconds."""

    first: float = 1.0
    longest: float = 3600.0

    def agreed(self, agreement: Agreement) -> Backoff:
        """The same, but for what an agreement says of its own."""
        if not agreement.first_delay and not agreement.longest_delay:
            return self
        first = agreement.first_delay or self.first
        return Backoff(first, max(first, agreement.longest_delay or self.longest))

    def delay(self, attempts: int, jitter: float) -> timedelta:
        """How long to wait after `attempts` attempts (1 or more); `jitter` in [0, 1) draws the upper half.

        Half of the delay is kept, half is drawn: a delay is never near zero, and recipients' loads spread.
        """
        # The exponent is capped where 2**n would overflow a float long after `longest` was reached.
        whole = min(self.longest, self.first * 2.0 ** min(attempts - 1, 64))
        return timedelta(seconds=whole * (0.5 + 0.5 * jitter))


def next_attempt(
    attempts: int, limit: int, now: datetime, backoff: Backoff, jitter: float, asked: float = 0.0
) -> datetime | None:
    """When to try again after `attempts` failed ones, or None where the agreement's `limit` is reached.

    `asked` is what the recipient asked for in Retry-After, in seconds; it can lengthen a delay, never
    beyond the longest one, and never shorten it.
    """
    if attempts >= limit:
        return None
    return now + max(backoff.delay(attempts, jitter), timedelta(seconds=min(asked, backoff.longest)))
