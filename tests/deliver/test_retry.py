"""Backoff grows, is bounded, is spread, and ends at the agreement's limit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from gateway.deliver.retry import Backoff, next_attempt

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@given(st.integers(1, 1000), st.floats(0, 1, exclude_max=True))
def test_delay_is_bounded(attempts: int, jitter: float) -> None:
    """A delay is never under half of the first one and never over the longest."""
    delay = Backoff(2.0, 60.0).delay(attempts, jitter)
    assert timedelta(seconds=1) <= delay <= timedelta(seconds=60)


def test_delay_doubles() -> None:
    """Without jitter's draw, delays double until the longest."""
    backoff = Backoff(1.0, 10.0)
    assert [backoff.delay(n, 0.0).total_seconds() for n in range(1, 7)] == [0.5, 1, 2, 4, 5, 5]


def test_limit_ends_it() -> None:
    """After the agreement's limit there is no next attempt."""
    assert next_attempt(3, 3, NOW, Backoff(), 0.0) is None
    assert next_attempt(2, 3, NOW, Backoff(), 0.0) is not None


def test_what_the_recipient_asks_lengthens_within_bounds() -> None:
    """Retry-After can lengthen a delay up to the longest, and cannot shorten it."""
    backoff = Backoff(4.0, 60.0)
    assert next_attempt(1, 9, NOW, backoff, 0.0, asked=30) == NOW + timedelta(seconds=30)
    assert next_attempt(1, 9, NOW, backoff, 0.0, asked=10**9) == NOW + timedelta(seconds=60)
    assert next_attempt(1, 9, NOW, backoff, 0.0, asked=0.1) == NOW + timedelta(seconds=2)
