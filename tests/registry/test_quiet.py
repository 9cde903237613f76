"""Quiet hours: when they end, over midnight and where clocks change."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.registry.quiet import read_quiet


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("period", "zone", "moment", "ends"),
    [
        ("22:00-06:00", "UTC", "2026-03-01T21:59:59+00:00", None),
        ("22:00-06:00", "UTC", "2026-03-01T22:00:00+00:00", "2026-03-02T06:00:00+00:00"),
        ("22:00-06:00", "UTC", "2026-03-02T05:59:59+00:00", "2026-03-02T06:00:00+00:00"),
        ("22:00-06:00", "UTC", "2026-03-02T06:00:00+00:00", None),
        ("12:00-13:30", "Asia/Shanghai", "2026-03-01T04:30:00+00:00", "2026-03-01T05:30:00+00:00"),
        ("12:00-13:30", "Asia/Shanghai", "2026-03-01T12:30:00+00:00", None),
        # The night in which Berlin's clocks leap from 02:00 to 03:00: half past two is never shown.
        ("22:00-02:30", "Europe/Berlin", "2026-03-29T00:30:00+00:00", "2026-03-29T01:30:00+00:00"),
        # The night in which they show 02:30 twice: the first of the two ends it.
        ("22:00-02:30", "Europe/Berlin", "2026-10-24T23:30:00+00:00", "2026-10-25T00:30:00+00:00"),
        # From then on nothing is quiet, though the clocks show its hours once more.
        ("22:00-02:30", "Europe/Berlin", "2026-10-25T00:59:00+00:00", None),
        ("22:00-02:30", "Europe/Berlin", "2026-10-25T01:10:00+00:00", None),
    ],
)
def test_when_they_end(period: str, zone: str, moment: str, ends: str | None):
    """By the clocks of the agreement's zone."""
    expected = at(ends).astimezone(UTC) if ends else None
    assert read_quiet(period).ends_after(at(moment), zone) == expected


@pytest.mark.parametrize(
    "period", ["22-06", "22:00-24:00", "9:00-10:00", "08:00-08:00", "22:00–06:00", "x", "22:00-06:00 "]
)
def test_what_is_no_period(period: str):
    """Said with the form that is taken."""
    with pytest.raises(ValueError, match="HH:MM-HH:MM"):
        read_quiet(period)
