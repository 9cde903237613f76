from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
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


DIGITS = {"101": 6, "102": 8, "201": 10, "202": 12, "203": 12, "204": 14}
"""The digits that each format of UNCL 2379 has."""


@pytest.mark.parametrize("name", DIGITS)
def test_every_part_has_its_digits(name: str) -> None:
    """A text with a digit or a whole part too few or too many is another format's, and is not guessed at."""
    layout = moments.layout(name)
    written = layout.write_instant(datetime(2011, 12, 10, 11, 12, 10, tzinfo=UTC), UTC)
    assert len(written) == DIGITS[name]
    for begin in range(len(written)):
        for end in range(begin + 1, len(written) + 1):
            for text in (written[:begin] + written[end:], written[:end] + written[begin:end] + written[end:]):
                with pytest.raises(ValueError, match=f"^{text}$"):
                    layout.read_instant(text, UTC)


@pytest.mark.parametrize(
    ("zone", "hours"),
    [("UTC", 0), ("GMT", 0), ("Z", 0), ("CST", 8), ("+09", 9), ("-05", -5), ("", 8),
     ("EST", None), ("+9", None), ("+090", None), ("+00:00", None), ("utc", None), ("CST?", None)],
)  # fmt: skip
def test_the_zone_behind_an_instant(zone: str, hours: int | None) -> None:
    """A name that is met in this trade, or whole hours with a sign; without one it is the agreement's."""
    for name, text in (("303", "202603041405"), ("304", "20260304140500")):
        if hours is None:
            with pytest.raises(ValueError, match=re.escape(zone)):
                moments.layout(name).read_instant(text + zone, BEIJING)
        else:
            read = moments.layout(name).read_instant(text + zone, BEIJING)
            assert read == datetime(2026, 3, 4, 14, 5, tzinfo=timezone(timedelta(hours=hours)))


@pytest.mark.parametrize(
    ("layout", "zone", "written"),
    [
        ("203", "Asia/Shanghai", "202603041405"),
        ("101", "Asia/Shanghai", "260304"),
        ("303", "Asia/Shanghai", "202603041405+08"),
        ("304", "America/New_York", "20260304010509-05"),
        ("iso", "Asia/Kolkata", "2026-03-04T11:35:09+05:30"),
        # Three characters hold no half hours, so that it is written in UTC; local time without a zone is as it is.
        ("303", "Asia/Kolkata", "202603040605+00"),
        ("203", "Asia/Kolkata", "202603041135"),
        ("CCYY-MM-DD HH:MM:SS", "UTC", "2026-03-04 06:05:09"),
        ("100% CCYYMMDD", "UTC", "100% 20260304"),
    ],
)
def test_instant_is_written(layout: str, zone: str, written: str) -> None:
    """In local time of the agreement's zone."""
    instant = datetime(2026, 3, 4, 6, 5, 9, tzinfo=UTC)
    assert moments.layout(layout).write_instant(instant, ZoneInfo(zone)) == written


@pytest.mark.parametrize(("digits", "year"), [("00", 2000), ("49", 2049), ("50", 1950), ("99", 1999)])
def test_two_digits_mean_the_hundred_years_from_1950(digits: str, year: int) -> None:
    """Read so, and a year that would be read as another is not written."""
    layout = moments.layout("101")
    assert layout.read_date(f"{digits}0304") == date(year, 3, 4)
    assert layout.write_date(date(year, 3, 4)) == f"{digits}0304"
    for other in (year - 100, year + 100):
        with pytest.raises(ValueError, match=str(other)):
            layout.write_date(date(other, 3, 4))


def test_a_senders_code_is_known_or_not() -> None:
    """By its number in 2379; periods and other codes name no instant."""
    for code in (*DIGITS, "303", "304"):
        layout = moments.known(code)
        assert layout is not None
        assert (layout.code, layout.name) == (code, code)
    assert [moments.known(code) for code in ("718", "", "CCYYMMDD", "iso")] == [None] * 4
    assert [moments.layout(name).code for name in ("CCYYMMDD", "iso")] == ["", ""]
    for name in ("CCYYMM", "CCYYDD", "MMDD", ""):
        with pytest.raises(MappingInvalid, match="no date format"):
            moments.layout(name)
