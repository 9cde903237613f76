"""China's time, by which its authorities count days and years wherever the gateway runs."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

ZONE = timezone(timedelta(hours=8))
"""One zone for the whole country, without summer time."""


def day(now: datetime) -> date:
    """The day it is in China at `now`, an aware time: the day on which a rule holds or a paper runs out."""
    return now.astimezone(ZONE).date()
