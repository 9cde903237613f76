from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import MappingInvalid
from gateway.translate import moments

BEIJING = ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize(
    ("layout", "text", "instant"),
    [
        ("101", "260304", datetime(2026, 3, 3, 16, tzinfo=UTC)),
        ("102", "20260304", datetime(2026, 3, 3, 16, tzinfo=UTC)),
        ("201", "2603041405", datetime(2026, 3, 4, 6, 5, tzinfo=UTC)),
        ("203", "202603041405", datetime(2026, 3, 4, 6, 5, tzinfo=UTC)),
        ("204", "20260304140509", datetime(2026, 3, 4, 6, 5, 9, tzinfo=UTC)),
        ("303", "202603041405UTC", datetime(2026, 3, 4, 14, 5, tzinfo=UTC)),
        ("303", "202603041405+09", datetime(2026, 3, 4, 5, 5, tzinfo=UTC)),
        ("303", "202603041405", datetime(2026, 3, 4, 6, 5, tzinfo=UTC)),  # no zone: the agreement's
        ("CCYYMMDDTHH:MM:SS", "20260304T14:05:09", datetime(2026, 3, 4, 6, 5, 9, tzinfo=UTC)),
        ("CCYY-MM-DD HH:MM", "2026-03-04 14:05", datetime(2026, 3, 4, 6, 5, tzinfo=UTC)),
        ("iso", "2026-03-04T14:05:09+08:00", datetime(2026, 3, 4, 6, 5, 9, tzinfo=UTC)),
        ("iso", "2026-03-04T14:05:09", datetime(2026, 3, 4, 6, 5, 9, tzinfo=UTC)),
    ],
)
def test_instant_is_read(layout: str, text: str, instant: datetime) -> None:
    """Each format reads as an instant in UTC; what names no zone is in the agreement's."""
    assert moments.layout(layout).read_instant(text, BEIJING) == instant


@pytest.mark.parametrize(
    ("layout", "text"),
    [
        ("102", "20260332"),
        ("102", "2026030"),
        ("102", "202603041"),
        ("102", "2026 3 4"),
        ("102", "２０２６０３０４"),
        ("203", "202603042405"),
        ("303", "202603041405XYZ"),
        ("CCYYMMDDTHH:MM:SS", "20260304 14:05:09"),
    ],
)
def test_what_is_no_date_is_not_guessed(layout: str, text: str) -> None:
    """Days that do not exist, wrong lengths, blanks, other scripts' digits and unknown zones are refused."""
    with pytest.raises(ValueError):  # noqa: PT011 - datetime words its own
        moments.layout(layout).read_instant(text, UTC)


@given(st.integers(694_224_000, 2_500_000_000), st.sampled_from(["202", "204", "304", "iso"]))
def test_instants_come_back(second: int, name: str) -> None:
    """Writing and reading gives the same second, wherever the agreement lies."""
    instant = datetime.fromtimestamp(second, UTC)
    layout = moments.layout(name)
    assert layout.read_instant(layout.write_instant(instant, BEIJING), BEIJING) == instant


@given(st.dates(date(1950, 1, 1), date(2049, 12, 31)), st.sampled_from(["101", "102", "CCYY-MM-DD", "iso"]))
def test_days_come_back(day: date, name: str) -> None:
    """Writing and reading gives the same day; two digits mean the hundred years from 1950."""
    layout = moments.layout(name)
    assert layout.read_date(layout.write_date(day)) == day


@pytest.mark.parametrize(
    ("layout", "second", "lost"), [("203", 0, False), ("203", 9, True), ("204", 9, False), ("iso", 9, False)]
)
def test_a_lost_part_is_known(layout: str, second: int, lost: bool) -> None:
    """A layout knows when it cannot carry an instant whole."""
    assert moments.layout(layout).cuts(datetime(2026, 3, 4, 6, 5, second, tzinfo=UTC)) is lost


def test_a_format_without_a_day_is_refused() -> None:
    """A layout must name year, month and day."""
    with pytest.raises(MappingInvalid):
        moments.layout("HHMM")
