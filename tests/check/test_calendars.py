"""Working days in China, and terms counted in them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.catalogue_folders import shipped
from gateway.check import calendars
from gateway.check.calendars import Term, Unit
from gateway.errors import RulesInvalid
from tests.catalogues import with_files

CHINA = calendars.load(shipped())

DAYS = [
    # A Wednesday, a Saturday, a Sunday.
    (date(2026, 3, 4), True),
    (date(2026, 3, 7), False),
    (date(2026, 3, 8), False),
    # A weekday off for the Spring Festival, and the weekends that were worked for it.
    (date(2026, 2, 18), False),
    (date(2026, 2, 14), True),
    (date(2026, 2, 28), True),
    # The National Day's Monday; the last day off, and the first worked.
    (date(2025, 10, 6), False),
    (date(2025, 10, 8), False),
    (date(2025, 10, 9), True),
    # Of a year that nobody has announced yet, the week counts.
    (date(2031, 10, 1), True),
    (date(2031, 10, 4), False),
]


@pytest.mark.parametrize(("day", "worked"), DAYS)
def test_a_day_is_worked_or_not(day: date, worked: bool) -> None:
    """Holidays are off, weekends too, but for those that are worked instead."""
    assert CHINA.is_worked(day) is worked


@pytest.mark.parametrize("year", sorted(CHINA.years))
def test_a_year_has_its_statutory_holidays(year: int) -> None:
    """Of the 11 (from 2025 on 13) days that the law gives, all are off; a worked day is always one of a weekend."""
    fixed = [(1, 1), (5, 1), (10, 1), (10, 2), (10, 3), *([(5, 2)] if year >= 2025 else [])]
    assert all(not CHINA.is_worked(date(year, *day)) for day in fixed)
    assert all(day.weekday() >= 5 for day in CHINA.worked)
    assert len(CHINA.years[year]) > 10


TERMS = [
    # (start, term, end): all in China's time.
    ("2026-03-04T10:00", "3 working days", "2026-03-10T00:00"),  # Wednesday, so that Monday is the third
    ("2026-02-13T10:00", "3 working days", "2026-02-26T00:00"),  # across the Spring Festival and a worked Saturday
    ("2026-03-04T23:59", "1 day", "2026-03-06T00:00"),
    ("2026-03-04T10:00", "60 days", "2026-05-04T00:00"),
    ("2026-12-31T10:00", "1 working day", "2027-01-02T00:00"),  # 2027 is not announced: a Friday
    ("2026-03-04T10:30", "12 hours", "2026-03-04T22:30"),
    ("2026-03-04T23:59:57", "8 seconds", "2026-03-05T00:00:05"),  # of a rehearsal
]


@pytest.mark.parametrize(("start", "term", "end"), TERMS)
def test_a_term_ends_with_its_last_day(start: str, term: str, end: str) -> None:
    """The day on which it begins is not counted; what is counted is days in China, wherever the clock stands."""
    began = datetime.fromisoformat(start).replace(tzinfo=CHINA.zone)
    expected = datetime.fromisoformat(end).replace(tzinfo=CHINA.zone)
    assert CHINA.end(Term.read(term), began) == expected
    assert CHINA.end(Term.read(term), began.astimezone(UTC)) == expected


@given(st.integers(0, 4 * 365 * 24), st.integers(1, 60))
def test_so_many_working_days_lie_between(hours: int, count: int) -> None:
    """Counted anew, day by day, the term holds exactly as many working days as it says, and its last is one."""
    start = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
    end = CHINA.end(Term(count, Unit.WORKING_DAYS), start)
    first, last = start.astimezone(CHINA.zone).date(), (end - timedelta(seconds=1)).astimezone(CHINA.zone).date()
    days = [first + timedelta(days=n) for n in range(1, (last - first).days + 1)]
    assert sum(map(CHINA.is_worked, days)) == count
    assert CHINA.is_worked(last)


@pytest.mark.parametrize(
    "text", ["", "3", "three days", "3 weeks", "-1 days", "3  days", "1000 working days", "99999 days"]
)
def test_what_is_no_term_is_refused(text: str) -> None:
    """A term that cannot be read, or that nobody can mean, is found where the rule set is read."""
    with pytest.raises(ValueError, match=r"term|longer"):
        Term.read(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[2026]\nsource = "s"\noff = ["02-30"]\nworked = []\n', "day is out of range"),
        ('[2026]\nsource = "s"\noff = ["02-03..02-01"]\nworked = []\n', "ends before it begins"),
        ('[2026]\nsource = "s"\noff = ["02-03"]\nworked = ["02-03"]\n', "both off and worked"),
        ("[2026]\noff = []\nworked = []\n", "source"),
        ("[[", "china.toml"),
    ],
)
def test_a_calendar_that_cannot_be_used_says_why(text: str, words: str) -> None:
    """A fault names the file and what is wrong."""
    catalogue = with_files({"schemas/rules/calendar/china.toml": text})
    with pytest.raises(RulesInvalid, match=words):
        calendars.load(catalogue)
