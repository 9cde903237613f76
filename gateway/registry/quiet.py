"""Quiet hours of agreements: a daily period in the agreement's own time, in which nothing is sent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

_PERIOD = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True, slots=True)
class Quiet:
    """A daily period; one that ends before it begins lasts over midnight."""

    begin: time
    end: time
    """The first moment that is not quiet any more."""

    def ends_after(self, moment: datetime, zone: str) -> datetime | None:
        """When the period ends in which `moment` (aware) falls, in UTC; None where it falls in none.

        An end that a change of the clocks leaves out, or has twice, is the first moment that the clocks show after it,
        or the first of the two (`ZoneInfo` with fold 0), after which nothing is quiet though the clocks show it once more.
        """
        local = moment.astimezone(ZoneInfo(zone))
        now, day = local.time().replace(tzinfo=None), local.date()
        if self.begin < self.end:
            inside = self.begin <= now < self.end
        else:
            inside = now >= self.begin or now < self.end
            if now >= self.begin:
                day += timedelta(days=1)
        if not inside:
            return None
        end = datetime.combine(day, self.end, ZoneInfo(zone)).astimezone(UTC)
        return end if end > moment else None


@lru_cache(maxsize=1000)
def read_quiet(period: str) -> Quiet:
    """The period that is written `HH:MM-HH:MM`; ValueError for any other text, and for one without length."""
    found = _PERIOD.fullmatch(period)
    if found is None or found[1] + found[2] == found[3] + found[4]:
        raise ValueError("quiet hours are written HH:MM-HH:MM, such as 22:00-06:00")
    hour, minute, end_hour, end_minute = map(int, found.groups())
    return Quiet(time(hour, minute), time(end_hour, end_minute))
